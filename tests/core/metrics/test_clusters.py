"""Rand and information scores: against pairs counted one by one, and what peers said."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.metrics.clusters import (
    OBJECT_SCORES,
    Grouping,
    adjusted_rand_index,
    grouping,
    table_of,
)
from orgseg_app.core.metrics.contingency import Contingency, contingency
from tests.core.metrics.record_peers import CASES, case

PEERS = json.loads(Path(__file__).with_name("peers.json").read_text())["cases"]

small = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=14)


def near(value: float | None) -> object:
    return None if value is None else pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("number", range(CASES))
def test_equal_to_scikit_image_and_scikit_learn(number: int) -> None:
    truth, prediction = case(number)
    table, said = contingency(truth, prediction), PEERS[number]
    assert adjusted_rand_index(table) == near(said["ari"])
    for name, truth_nothing in (("all", True), ("objects", False)):
        if name not in said:
            continue
        found = grouping(table, truth_nothing=truth_nothing).scores()
        assert [found[score] for score in OBJECT_SCORES] == [near(value) for value in said[name]]


def pairs_by_hand(items: list[tuple[int, int]], *, missed_apart: bool) -> tuple[int, int, int]:
    """Ordered pairs together in both, in the truth, in the prediction."""
    both = truth = predicted = 0
    for (t, p), (u, q) in itertools.permutations(items, 2):
        same = p == q and not (missed_apart and p == 0)
        both += t == u and same
        truth += t == u
        predicted += same
    return both, truth, predicted


def entropy_by_hand(items: list[tuple[int, int]]) -> float:
    """H(second | first) in bits."""
    joint, first = Counter(items), Counter(t for t, _ in items)
    return -sum(n / len(items) * math.log2(n / first[t]) for (t, _), n in joint.items())


@given(small, st.booleans(), st.booleans())
@settings(max_examples=80, deadline=None)
def test_against_pairs_counted_one_by_one(
    items: list[tuple[int, int]], truth_nothing: bool, missed_apart: bool
) -> None:
    table = contingency(*np.array(items).T)
    found = grouping(table, truth_nothing=truth_nothing, missed_apart=missed_apart)
    counted = items if truth_nothing else [pair for pair in items if pair[0]]
    both, truth, predicted = pairs_by_hand(counted, missed_apart=missed_apart)
    assert (found.pairs, found.truth_pairs, found.predicted_pairs) == (both, truth, predicted)
    assert found.recall == (near(both / truth) if truth else None)
    assert found.precision == (near(both / predicted) if predicted else None)
    wanted = 1 - 2 * both / (truth + predicted) if truth + predicted else None
    assert found.adapted_rand_error == near(wanted)
    assert found.voi_split == (near(entropy_by_hand(counted)) if counted else None)
    turned = [(p, t) for t, p in counted]
    assert found.voi_merge == (near(entropy_by_hand(turned)) if counted else None)


@given(small)
@settings(max_examples=60, deadline=None)
def test_adjusted_rand_index_by_chance_and_turned_round(items: list[tuple[int, int]]) -> None:
    truth, prediction = np.array(items).T
    found = adjusted_rand_index(contingency(truth, prediction))
    assert found == near(adjusted_rand_index(contingency(prediction, truth)))
    both, one, other = pairs_by_hand(items, missed_apart=False)
    total = len(items) * (len(items) - 1)
    chance = one * other / total if total else 0
    most = (one + other) / 2
    assert found == near((both - chance) / (most - chance) if most != chance else 1.0)


def test_the_same_objects_with_other_numbers_are_perfect() -> None:
    truth = np.array([[0, 1, 1], [2, 2, 0], [3, 3, 3]])
    table = contingency(truth, np.array([9, 4, 7, 1])[truth])
    found = grouping(table)
    assert found.adapted_rand_error == found.voi_split == found.voi_merge == 0
    assert found.precision == found.recall == adjusted_rand_index(table) == 1


def test_splits_and_mergers_are_told_apart() -> None:
    one, two = np.array([1, 1, 1, 1]), np.array([1, 1, 2, 2])
    split, merged = grouping(contingency(one, two)), grouping(contingency(two, one))
    assert (split.voi_split, split.voi_merge) == (1, 0)
    assert (merged.voi_split, merged.voi_merge) == (0, 1)
    assert split.precision == merged.recall == 1
    assert split.recall == merged.precision == pytest.approx(1 / 3)


def test_what_was_missed_of_many_objects_is_no_merger_of_them() -> None:
    truth = np.repeat(np.arange(1, 101), 10)
    missed = np.where(np.arange(1000) % 10, truth, 0)  # one voxel in ten of each
    table = contingency(truth, missed)
    apart, together = grouping(table, missed_apart=True), grouping(table)
    assert apart.precision == 1
    assert together.precision < 0.5
    assert apart.recall == together.recall == pytest.approx(9 * 8 / (10 * 9))


def test_what_does_not_exist_is_none() -> None:
    nothing = grouping(contingency(np.zeros(4, int), np.ones(4, int)))
    assert nothing == Grouping()
    assert set(nothing.scores().values()) == {None}
    assert adjusted_rand_index(contingency(np.zeros(0, int), np.zeros(0, int))) is None
    assert adjusted_rand_index(contingency(np.ones(1, int), np.ones(1, int))) == 1


def test_images_add_up() -> None:
    random = np.random.default_rng(4)
    truth, prediction = random.integers(0, 4, (2, 60)), random.integers(0, 3, (2, 60))
    parts = [grouping(contingency(t, p)) for t, p in zip(truth, prediction, strict=True)]
    apart = np.array([[0], [10]])  # objects of two images are not the same
    whole = grouping(contingency(truth + apart * (truth > 0), prediction + apart))
    for name, value in whole.scores().items():
        assert getattr(parts[0] + parts[1], name) == near(value)
    assert Grouping.from_dict(json.loads(json.dumps(whole.to_dict()))) == whole


def test_numbers_of_a_large_volume_are_exact() -> None:
    sizes = np.array([4_000_000_000, 3_000_000_001, 7], np.int64)
    table = Contingency(np.array([1, 1, 2]), np.array([1, 2, 2]), sizes)
    found = grouping(table)
    assert found.pairs == sum(n * (n - 1) for n in sizes.tolist())
    assert found.truth_pairs == 7_000_000_001 * 7_000_000_000 + 7 * 6


def test_classes_are_groups_too() -> None:
    truth = np.array([1, 1, 2, 2, 3, 3])
    prediction = np.array([1, 2, 2, 2, 1, 3])
    confusion = np.zeros((3, 3), np.int64)
    np.add.at(confusion, (truth - 1, prediction - 1), 1)
    wanted = adjusted_rand_index(contingency(truth, prediction))
    assert adjusted_rand_index(table_of(confusion)) == wanted
