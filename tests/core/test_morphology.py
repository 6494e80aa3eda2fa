"""Grow, shrink and smooth: against SciPy's dilation and erosion, and voxel by voxel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from orgseg_app.core.edits.morphology import Reshape, copy_of_plane
from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.mask import Mask
from orgseg_app.core.painting import morphology

SIZE = (280, 530)  # two by three blocks, none of the last ones whole


def disk(radius: int) -> np.ndarray:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return y * y + x * x <= radius * radius


@st.composite
def regions(draw: st.DrawFn) -> np.ndarray:
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    shape = draw(st.tuples(st.integers(1, 30), st.integers(1, 30)))
    noise = ndimage.gaussian_filter(rng.random(shape), draw(st.sampled_from([0.0, 1.0, 2.0])))
    return noise > np.quantile(noise, draw(st.sampled_from([0.0, 0.3, 0.7, 1.0])))


@given(regions(), st.integers(1, 6))
@settings(max_examples=80, deadline=None)
def test_growing_and_shrinking_are_dilation_and_erosion_by_a_disk(
    where: np.ndarray, radius: int
) -> None:
    dilated = ndimage.binary_dilation(where, disk(radius))
    eroded = ndimage.binary_erosion(where, disk(radius), border_value=1)
    assert np.array_equal(morphology.grown(where, radius), dilated)
    assert np.array_equal(morphology.shrunk(where, radius), eroded)


@given(regions(), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_smoothing_is_a_vote_of_the_surroundings(where: np.ndarray, radius: int) -> None:
    share = ndimage.gaussian_filter(where.astype(float), radius, mode="nearest", radius=3 * radius)
    expected = np.where(abs(share - 0.5) < 1e-3, where, share > 0.5)
    found = morphology.smoothed(where, radius)
    assert ((found == expected) | (abs(share - 0.5) < 2e-3)).all()
    assert np.array_equal(morphology.smoothed(~where, radius), ~found)


def test_smoothing_takes_spikes_and_leaves_straight_edges() -> None:
    where = np.zeros((60, 60), np.bool_)
    where[30:] = True
    spiked = where.copy()
    spiked[20:30, 30] = True
    spiked[35:45, 10] = False
    assert np.array_equal(morphology.smoothed(where, 3), where)
    found = morphology.smoothed(spiked, 3)
    assert not found[20:28].any()  # a foot of a voxel or two is left
    assert found[33:45].all()


def picture(seed: int, dense: bool) -> np.ndarray:
    """Blobs of classes 2 and 3 on background or on nothing, some of them at block borders."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.random((2, *SIZE)), (0, 6, 6))
    plane = np.full(SIZE, 1 if dense else 0, np.uint8)
    for i, value in enumerate((2, 3)):
        plane[noise[i] > np.quantile(noise[i], 0.8)] = value
    return plane


def nearest_value(values: np.ndarray, where: np.ndarray, y: int, x: int) -> set[int]:
    """Values of the nearest voxels outside a region; several on a tie."""
    ys, xs = np.nonzero(~where)
    gaps = (ys - y) ** 2 + (xs - x) ** 2
    return {int(v) for v in values[ys, xs][gaps == gaps.min()]}


def reshaped(plane: np.ndarray, edit: Reshape) -> np.ndarray:
    mask = Mask.from_array(plane)
    recorder = Recorder("image", mask)
    edit.apply(recorder)
    change = recorder.finish(edit.title)
    after = mask.plane(0)
    if change is None:
        assert np.array_equal(after, plane)
    else:
        change.undo(mask)
        assert np.array_equal(mask.plane(0), plane)
    return after


@given(
    st.integers(0, 99),
    st.booleans(),
    st.sampled_from(morphology.OPERATIONS),
    st.sampled_from(["object", "class"]),
    st.integers(1, 7),
    st.booleans(),
    st.tuples(st.integers(0, SIZE[0] - 1), st.integers(0, SIZE[1] - 1)),
)
@settings(max_examples=40, deadline=None)
def test_a_region_is_reshaped_as_if_there_were_no_blocks(
    seed: int,
    dense: bool,
    operation: str,
    scope: str,
    radius: int,
    protect: bool,
    at: tuple[int, int],
) -> None:
    plane = picture(seed, dense)
    after = reshaped(plane, Reshape(operation, scope, 0, *at, radius, protect))
    value = plane[at]
    if value == 0:
        assert np.array_equal(after, plane)
        return
    where = plane == value
    if scope == "object":
        numbers, _ = ndimage.label(where)
        where = numbers == numbers[at]
    new = {
        "grow": lambda: ndimage.binary_dilation(where, disk(radius)),
        "shrink": lambda: ndimage.binary_erosion(where, disk(radius), border_value=1),
        "smooth": lambda: morphology.smoothed(where, radius),
    }[operation]()
    gained = new & ~where
    if protect:
        gained &= plane == 0
    lost = where & ~new
    assert (after[gained] == value).all()
    assert np.array_equal(after[~gained & ~lost], plane[~gained & ~lost])
    for y, x in np.argwhere(lost)[:: max(1, int(lost.sum()) // 20)]:
        assert int(after[y, x]) in nearest_value(plane, where, y, x)


def slow_everywhere(plane: np.ndarray, operation: str, radius: int, protect: bool) -> np.ndarray:
    after = plane.copy()
    distance = {
        int(c): ndimage.distance_transform_edt(plane != c) for c in np.unique(plane) if c > 1
    }
    free = plane == 0 if protect else plane <= 1
    if operation == "grow":
        for y, x in np.argwhere(free):
            near = [(gap[y, x], c) for c, gap in distance.items() if gap[y, x] <= radius]
            if near:
                after[y, x] = min(near)[1]
        return after
    for c in distance:
        where = plane == c
        after[where & ~ndimage.binary_erosion(where, disk(radius), border_value=1)] = 255
    around = ndimage.distance_transform_edt(plane > 1) if (plane <= 1).any() else np.inf
    lost = after == 255
    rest = int(plane.min())  # unlabelled, or background: there is but one of them in a picture
    after[lost] = np.where(around <= radius, rest, 0)[lost]
    return after


@given(
    st.integers(0, 99),
    st.booleans(),
    st.sampled_from(["grow", "shrink"]),
    st.integers(1, 5),
    st.booleans(),
)
@settings(max_examples=6, deadline=None)
def test_a_plane_is_reshaped_class_by_class(
    seed: int, dense: bool, operation: str, radius: int, protect: bool
) -> None:
    plane = picture(seed, dense)
    after = reshaped(plane, Reshape(operation, "plane", 0, 0, 0, radius, protect))
    assert np.array_equal(after, slow_everywhere(plane, operation, radius, protect))


@given(st.integers(0, 99), st.booleans(), st.integers(1, 5), st.booleans())
@settings(max_examples=10, deadline=None)
def test_a_plane_is_smoothed_by_a_vote(seed: int, dense: bool, radius: int, protect: bool) -> None:
    plane = picture(seed, dense)
    shares = np.stack(
        [
            ndimage.gaussian_filter(
                (plane == c).astype(float), radius, mode="nearest", radius=3 * radius
            )
            for c in range(4)
        ]
    )
    after = reshaped(plane, Reshape("smooth", "plane", 0, 0, 0, radius, protect))
    ranked = np.sort(shares, axis=0)
    expected = shares.argmax(axis=0)
    if protect:
        expected = np.where((plane > 0) & (expected > 0), plane, expected)
    clear = ranked[-1] - ranked[-2] > 1e-3
    assert clear.mean() > 0.9
    assert np.array_equal(after[clear], expected[clear])


def test_nothing_painted_makes_nothing() -> None:
    plane = np.zeros((40, 40), np.uint8)
    for operation in morphology.OPERATIONS:
        for scope in ("object", "class", "plane"):
            assert not reshaped(plane, Reshape(operation, scope, 0, 5, 5, 3)).any()
    full = np.full((40, 40), 2, np.uint8)
    for operation in morphology.OPERATIONS:
        for scope in ("object", "class", "plane"):
            assert (reshaped(full, Reshape(operation, scope, 0, 5, 5, 3)) == 2).all()


def test_other_planes_stay() -> None:
    mask = Mask((2, 40, 40))
    for z in (0, 1):
        mask.write(z, 10, 10, np.full((9, 9), 2, np.uint8))
    Reshape("grow", "class", 1, 12, 12, 2).apply(Recorder("image", mask))
    assert (mask.plane(0) == 2).sum() == 81
    assert (mask.plane(1) == 2).sum() > 81


@pytest.mark.parametrize("scope", ["object", "class", "plane"])
@pytest.mark.parametrize("operation", morphology.OPERATIONS)
def test_a_change_made_ready_elsewhere_is_the_same(operation: str, scope: str) -> None:
    plane = picture(5, dense=True)
    y, x = np.argwhere(plane == 2)[0]
    edit = Reshape(operation, scope, 0, int(y), int(x), 4)
    mask = Mask.from_array(plane)
    ready = edit.ready("image", copy_of_plane(mask, 0))
    assert ready is not None
    assert ready.fits(mask)
    ready.make(mask)
    assert np.array_equal(mask.plane(0), reshaped(plane, edit))
    ready.change.undo(mask)
    assert np.array_equal(mask.plane(0), plane)


@pytest.mark.parametrize(
    ("operation", "scope", "radius"),
    [("bend", "object", 1), ("grow", "mask", 1), ("grow", "plane", 0)],
)
def test_what_makes_no_sense_is_refused(operation: str, scope: str, radius: int) -> None:
    with pytest.raises(ValueError, match=r"cannot|at least"):
        Reshape(operation, scope, 0, 0, 0, radius)


def test_what_is_small_is_told_by_the_blocks_it_lies_in() -> None:
    plane = np.zeros((1200, 1200), np.uint8)
    plane[250:260, 250:260] = 2  # at the corner of four blocks
    plane[600:610, :] = 3  # across five
    mask = Mask.from_array(plane)
    for scope, at, blocks in (
        ("object", (255, 255), 4),
        ("class", (255, 255), 4),
        ("object", (605, 5), 5),
        ("plane", (0, 0), 9),
        ("object", (0, 0), 0),
    ):
        edit = Reshape("grow", scope, 0, *at, 1)
        assert edit.is_small(mask, blocks)
        assert blocks == 0 or not edit.is_small(mask, blocks - 1)
