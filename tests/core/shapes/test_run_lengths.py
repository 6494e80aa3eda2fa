"""Run lengths: exact both ways in every convention, and told apart by what they hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from orgseg_app.core.shapes.run_lengths import (
    CODINGS,
    DSB2018,
    SARTORIUS,
    UNIFIED,
    Coding,
    Evidence,
    RunError,
    mask_of,
    objects_of,
    parse_runs,
    runs_by_object,
    runs_of,
    text_of,
)

codings = st.sampled_from(CODINGS)
shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))
masks = hnp.arrays(np.bool_, shapes)
labels = hnp.arrays(np.uint32, shapes, elements=st.integers(0, 4))


def slow_mask(runs: np.ndarray, shape: tuple[int, int], coding: Coding) -> np.ndarray:
    """Pixel by pixel, as the conventions are told in words."""
    mask = np.zeros(shape, bool)
    for start, length in runs.tolist():
        for place in range(start - coding.base, start - coding.base + length):
            if coding.order == "rows":
                mask[place // shape[1], place % shape[1]] = True
            else:
                mask[place % shape[0], place // shape[0]] = True
    return mask


def slow_runs(mask: np.ndarray, coding: Coding) -> list[tuple[int, int]]:
    """One pixel after the other."""
    pixels = mask if coding.order == "rows" else mask.T
    runs: list[tuple[int, int]] = []
    before = False
    for place, inside in enumerate(pixels.ravel().tolist()):
        if inside and before:
            runs[-1] = runs[-1][0], runs[-1][1] + 1
        elif inside:
            runs.append((place + coding.base, 1))
        before = inside
    return runs


@given(masks, codings)
def test_an_object_as_runs_and_back(mask, coding):
    runs = runs_of(mask, coding)
    assert [tuple(r) for r in runs.tolist()] == slow_runs(mask, coding)
    again = mask_of(parse_runs(text_of(runs)), mask.shape, coding)
    assert np.array_equal(again, mask)
    assert np.array_equal(slow_mask(runs, mask.shape, coding), mask)


@given(labels, codings)
def test_many_objects_as_runs_and_back(objects, coding):
    found = runs_by_object(objects, coding)
    assert sorted(found) == [n for n in np.unique(objects).tolist() if n]
    for number, runs in found.items():
        assert np.array_equal(runs, runs_of(objects == number, coding))
    again, overlap = objects_of(found.values(), objects.shape, coding)
    numbers = np.array([0, *found], np.uint32)
    assert np.array_equal(numbers[again], objects)
    assert overlap == 0


@pytest.mark.parametrize("coding", CODINGS)
def test_the_first_and_the_last_pixel_are_kept(coding):
    mask = np.zeros((3, 4), bool)
    mask[0, 0] = mask[2, 3] = True
    runs = runs_of(mask, coding)
    assert runs.tolist() == [[coding.base, 1], [11 + coding.base, 1]]
    assert np.array_equal(mask_of(runs, (3, 4), coding), mask)
    full = np.ones((3, 4), bool)
    assert runs_of(full, coding).tolist() == [[coding.base, 12]]


@given(shapes.flatmap(lambda shape: hnp.arrays(np.bool_, (2, *shape))), codings)
def test_the_earlier_object_keeps_what_two_claim(two, coding):
    objects, overlap = objects_of([runs_of(m, coding) for m in two], two[0].shape, coding)
    assert np.array_equal(objects == 1, two[0])
    assert np.array_equal(objects == 2, two[1] & ~two[0])
    assert overlap == int((two[0] & two[1]).sum())


def test_runs_of_one_object_may_overlap_each_other():
    runs = np.array([[3, 4], [1, 3], [2, 1]])
    objects, overlap = objects_of([runs], (2, 4), UNIFIED)
    assert objects.ravel().tolist() == [0, 1, 1, 1, 1, 1, 1, 0]
    assert overlap == 0


@pytest.mark.parametrize(
    "text", ["1 2 3 4", "1,2,3,4", "[1, 2, 3, 4]", "[(1, 2), (3, 4)]", " 1 2\n3\t4 ", "1,2 3,4"]
)
def test_separators(text):
    assert parse_runs(text).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("text", ["1 2 3", "-1 2", "1.5 2", "1 two", "1 99999999999999999999999"])
def test_nonsense_is_refused(text):
    with pytest.raises(RunError):
        parse_runs(text)


@pytest.mark.parametrize("text", ["", "  ", "[]", "5 0"])
def test_an_object_without_pixels(text):
    assert parse_runs(text).shape == (0, 2)


@pytest.mark.parametrize(
    "run, coding",
    [((0, 1), SARTORIUS), ((12, 2), SARTORIUS), ((12, 1), UNIFIED), ((1, 10**12), DSB2018)],
)  # fmt: skip
def test_runs_out_of_the_image_are_refused(run, coding):
    with pytest.raises(RunError, match="image|before pixel"):
        mask_of(np.array([run]), (3, 4), coding)


def discs(shape: tuple[int, int], count: int, seed: int) -> np.ndarray:
    """Objects, those at the edges of the image among them."""
    rng = np.random.default_rng(seed)
    objects = np.zeros(shape, np.uint32)
    y, x = np.ogrid[: shape[0], : shape[1]]
    for number in range(1, count + 1):
        at = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        objects[((y - at[0]) ** 2 + (x - at[1]) ** 2 < 36) & (objects == 0)] = number
    return objects


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("shape", [(60, 90), (64, 62), (90, 61)])
@pytest.mark.parametrize("prior", [SARTORIUS, DSB2018, UNIFIED])
def test_a_whole_file_tells_its_convention(coding, shape, prior):
    evidence = Evidence()
    for seed in range(6):
        for runs in runs_by_object(discs(shape, 12, seed), coding).values():
            evidence.add(runs, shape)
    found, note = evidence.decide(prior)
    assert found == coding
    assert bool(note) == (coding != prior)


def test_a_start_at_0_tells_the_base_without_a_size():
    evidence = Evidence()
    evidence.add(np.array([[7, 2]]), None)
    assert evidence.decide(SARTORIUS)[0] == SARTORIUS
    evidence.add(np.array([[0, 2]]), None)
    assert evidence.decide(SARTORIUS)[0] == UNIFIED


def test_square_images_keep_the_usual_order():
    evidence = Evidence()
    for runs in runs_by_object(discs((60, 60), 12, 0), DSB2018).values():
        evidence.add(runs, (60, 60))
    assert evidence.decide(DSB2018)[0].order == "columns"
    assert evidence.decide(SARTORIUS)[0].order == "rows"


def test_runs_that_fit_no_way_are_refused():
    evidence = Evidence()
    evidence.add(np.array([[0, 1], [12, 1]]), (3, 4))
    with pytest.raises(RunError):
        evidence.decide(SARTORIUS)
