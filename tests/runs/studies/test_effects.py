"""Ranking, marginal means, heat maps and paired differences, beside slow and obvious references."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.studies.cells import spell_out
from orgseg_app.runs.studies.definition import Axis, Study
from orgseg_app.runs.studies.effects import (
    RunResult,
    heat_map,
    main_effects,
    neighbours,
    ranking,
    spread_of,
)

STUDY = Study(
    name="x",
    recipe=PRESETS["fast"],
    axes=(Axis("loss", ("bce", "dice", "focal")), Axis("network.width", (4, 8))),
    seeds=2,
)
CELLS = spell_out(STUDY).cells
IMAGES = ("a", "b", "c")


def results(scores: list[float | None]) -> list[RunResult]:
    """One a cell; of a cell without a score, a run that failed."""
    found = []
    for cell, score in zip(CELLS, scores, strict=True):
        if score is None:
            found.append(RunResult(cell, "run", "name", "failed"))
            continue
        per_image = {image: score + 0.01 * place for place, image in enumerate(IMAGES)}
        found.append(RunResult(cell, "run", "name", "finished", score, per_image))
    return found


some_scores = st.lists(
    st.none() | st.integers(0, 20).map(lambda n: n / 20),
    min_size=len(CELLS),
    max_size=len(CELLS),
)


@settings(max_examples=50)
@given(some_scores)
def test_against_a_reference(scores: list[float | None]) -> None:
    runs = results(scores)
    by_places: dict[tuple[str, str], list[float]] = {}
    for cell, score in zip(CELLS, scores, strict=True):
        both = by_places.setdefault((cell.places[0][1], cell.places[1][1]), [])
        if score is not None:
            both.append(score)
    means = {p: statistics.fmean(v) for p, v in by_places.items() if v}

    order = ranking(runs)
    assert len(order) == 6
    ranked = [c for c in order if c.rank is not None]
    assert [c.validation.mean for c in ranked] == pytest.approx(
        sorted(means.values(), reverse=True)
    )
    assert [c.rank for c in ranked] == [
        1 + sum((other.validation.mean or 0) > (c.validation.mean or 0) for other in ranked)
        for c in ranked
    ]
    assert order[len(ranked) :] == tuple(c for c in order if not c.validation.count)
    for c in ranked:
        mine = by_places[c.places[0][1], c.places[1][1]]
        assert c.is_complete == (len(mine) == 2)
        wanted = statistics.stdev(mine) if len(mine) > 1 else None
        assert c.validation.deviation == (None if wanted is None else pytest.approx(wanted))

    for index, effect in enumerate(main_effects(runs)):
        for name, spread in effect.places:
            at = [
                v for places, values in by_places.items() if places[index] == name for v in values
            ]
            assert spread.count == len(at)
            assert spread.mean == (pytest.approx(statistics.fmean(at)) if at else None)

    found = heat_map(runs, "network.width", "loss")
    assert (found.rows, found.columns) == (("4", "8"), ("bce", "dice", "focal"))
    for row, line in zip(found.rows, found.cells, strict=True):
        for column, spread in zip(found.columns, line, strict=True):
            mean = means.get((column, row))
            assert spread.mean == (None if mean is None else pytest.approx(mean))


@settings(max_examples=30)
@given(some_scores)
def test_neighbours_differ_on_one_axis_and_are_paired(scores: list[float | None]) -> None:
    order = ranking(results(scores))
    best = order[0]
    mine = dict(best.places)
    found = neighbours(best, order)
    if best.validation.mean is None:
        assert not found
        return
    expected = {
        c.places: best.validation.mean - c.validation.mean
        for c in order
        if c.validation.mean is not None and sum(mine[key] != name for key, name in c.places) == 1
    }
    assert {n.places: n.difference.mean for n in found} == pytest.approx(expected)
    for n in found:
        assert mine[n.key] == n.place != n.other == dict(n.places)[n.key]
        assert set(n.per_image) == set(IMAGES)
        assert n.worse == 0
        assert n.better == (3 if (n.difference.mean or 0) > 1e-12 else n.better)
    keys = [n.key for n in found]
    assert keys == sorted(keys, key=["loss", "network.width"].index)


def test_pairs_are_made_of_images_that_both_have() -> None:
    one, two = (cell for cell in CELLS[:3] if dict(cell.places)["network.width"] == "4")
    runs = [
        RunResult(one, "1", "", "finished", 0.5, {"a": 0.9, "b": 0.2, "only one": 0.0}),
        RunResult(two, "2", "", "finished", 0.4, {"a": 0.5, "b": 0.3, "only two": 1.0}),
    ]
    order = ranking(runs)
    (near,) = neighbours(order[0], order)
    assert near.per_image == pytest.approx({"a": 0.4, "b": -0.1})
    assert (near.better, near.worse, near.difference.images) == (1, 1, 2)


def test_luck_is_told_from_more_than_luck() -> None:
    """Seeds are repeats, not images; with two neighbours p counts twice (Holm)."""
    rng = np.random.default_rng(0)
    runs = []
    for cell in CELLS:
        base = {"bce": 0.7, "dice": 0.5, "focal": 0.69}[dict(cell.places)["loss"]]
        base -= 0.3 * (dict(cell.places)["network.width"] == "8")
        per_image = {f"{i}": base + rng.normal(0, 0.05) for i in range(12)}
        runs.append(RunResult(cell, "r", "r", "finished", base, per_image))
    order = ranking(runs)
    found = {n.other: n for n in neighbours(order[0], order)}
    assert {name: n.difference.verdict for name, n in found.items()} == {
        "dice": "better",
        "focal": "too few images",
        "8": "better",
    }
    near = found["dice"]
    assert near.difference.runs == (2, 2)
    assert near.difference.images == 12
    assert near.difference.pairs == 3
    assert near.difference.p_adjusted == pytest.approx(3 * (near.difference.p or 0))
    assert near.difference.mean == pytest.approx(statistics.fmean(near.per_image.values()))
    assert near.to_dict()["verdict"] == "better"


def test_an_image_that_a_repeat_lacks_is_left_out() -> None:
    one, two, *_ = (cell for cell in CELLS if dict(cell.places) == dict(CELLS[0].places))
    runs = [
        RunResult(one, "1", "", "finished", 0.5, {"a": 0.9, "b": 0.2}),
        RunResult(two, "2", "", "finished", 0.4, {"a": 0.7}),
        RunResult(CELLS[1], "3", "", "finished", 0.1, {"a": 0.5, "b": 0.5}),
    ]
    order = ranking(runs)
    assert [n.per_image for n in neighbours(order[0], order)] == [{"a": pytest.approx(0.3)}]


def test_reach_of_an_axis_and_spread_of_nothing() -> None:
    effect = main_effects(results([0.1, 0.2, 0.3, 0.4, 0.5, 0.6] * 2))[0]
    assert effect.reach == pytest.approx(0.4)
    assert spread_of([None]).to_dict()["mean"] is None
    assert main_effects([]) == ()
