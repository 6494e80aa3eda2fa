"""Matched objects: against a slow reference, and what stardist and Cellpose said once."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.metrics.contingency import contingency
from orgseg_app.core.metrics.instances import (
    INSTANCE_SCORES,
    THRESHOLDS,
    Matching,
    matching,
)
from orgseg_app.core.metrics.overlaps import partners
from tests.core.metrics import record_peers

PEERS = json.loads(Path(__file__).with_name("peers.json").read_text())
KINDS = {"cases": record_peers.case, "cells": record_peers.cells}
seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_to_stardist_and_cellpose(kind: str) -> None:
    several = 0
    for number in range(record_peers.CASES):
        table = contingency(*KINDS[kind](number))
        said = PEERS[kind][number]
        said = said.get("matched", said)
        found = matching(table)
        assert (found.truth, found.predicted) == (said["truth"], said["predicted"])
        low = len(record_peers.LOW)
        assert list(found.hits) == said["hits"][low:]
        for threshold, hits in zip(record_peers.LOW, said["hits"], strict=False):
            assert len(partners(table, threshold).iou) == hits
        assert said.get("cellpose", said["hits"]) == said["hits"]
        for threshold, ap in zip(THRESHOLDS, said["ap"][low:], strict=True):
            assert (found.ap(threshold) or 0) == pytest.approx(ap, abs=1e-8)
        matched = partners(table, 0.75).iou
        assert matched.sum() / max(len(matched), 1) == pytest.approx(said["iou"][low + 5], abs=1e-5)
        scores = found.scores()
        assert (scores["panoptic_quality"] or 0) == pytest.approx(said["panoptic"], abs=1e-5)
        several += 0 < found.hits[5] < found.hits[0]
    assert several > 5 or kind == "cases"  # the cases are not all perfect or hopeless


def scene(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, prediction and unlabelled voxels of a small plane or volume, numbers with gaps."""
    random = np.random.default_rng(seed)
    shape = (9, 11) if seed % 2 else (3, 5, 6)
    numbers = np.array([0, 1, 2, 5, 70_000])[: random.integers(1, 6)]
    truth = np.repeat(random.choice(numbers, shape), 3, axis=-1)[..., : shape[-1]]
    other = np.repeat(random.choice(numbers, shape), 2, axis=-1)[..., : shape[-1]]
    prediction = np.where(random.random(shape) < random.random(), other, truth)
    unlabelled = random.random(shape) < random.choice([0, 0.3, 0.7])
    prediction[unlabelled & (random.random(shape) < 0.5)] = 9
    return truth * ~unlabelled, prediction, unlabelled


class Slow:
    """Every pair by itself, from sets of voxels and fractions."""

    def __init__(self, truth: np.ndarray, prediction: np.ndarray, unlabelled: np.ndarray) -> None:
        known = set(np.flatnonzero(~unlabelled).tolist())
        self.true = {
            int(n): set(np.flatnonzero(truth == n).tolist()) & known for n in set(truth.flat)
        }
        self.seen = {}
        self.true.pop(0, None)
        self.true = {n: voxels for n, voxels in self.true.items() if voxels}
        for n in set(prediction.ravel().tolist()) - {0}:
            voxels = set(np.flatnonzero(prediction == n).tolist())
            inside = voxels & known
            is_found = any(self.of(one, inside) > Fraction(1, 2) for one in self.true.values())
            if is_found or 2 * len(voxels - known) <= len(voxels):
                self.seen[n] = inside
        self.iou = {
            (t, p): self.of(one, other)
            for t, one in self.true.items()
            for p, other in self.seen.items()
        }

    @staticmethod
    def of(one: set[int], other: set[int]) -> Fraction:
        return Fraction(len(one & other), len(one | other))

    def pairs(self, threshold: Fraction) -> list[tuple[int, int]]:
        return [pair for pair, iou in self.iou.items() if iou > threshold]

    def most(self, threshold: Fraction) -> tuple[int, Fraction]:
        """Most pairs without an object twice, and of these ways the highest sum of IoU."""
        found = self.pairs(threshold)
        best = (0, Fraction(0))
        for count in range(1, min(len(self.true), len(self.seen)) + 1):
            for chosen in itertools.combinations(found, count):
                if len({t for t, _ in chosen}) == len({p for _, p in chosen}) == count:
                    best = max(best, (count, sum((self.iou[p] for p in chosen), Fraction(0))))
        return best

    def missed(self) -> set[int]:
        return set(self.true) - {t for t, _ in self.pairs(Fraction(7, 10))}

    def several(self, side: int) -> int:
        touched = [pair[side] for pair in self.pairs(Fraction(1, 10))]
        return sum(touched.count(n) > 1 for n in set(touched))


@given(seeds)
@settings(max_examples=120, deadline=None)
def test_equal_to_a_slow_reference(seed: int) -> None:
    truth, prediction, unlabelled = scene(seed)
    slow = Slow(truth, prediction, unlabelled)
    table = contingency(truth, prediction, ignore=unlabelled, keep_ignored=True)
    found = matching(table)
    assert (found.truth, found.predicted) == (len(slow.true), len(slow.seen))
    best = [max((slow.iou[t, p] for p in slow.seen), default=Fraction(0)) for t in slow.true]
    assert found.best_sum == pytest.approx(float(sum(best)))
    best = [max((slow.iou[t, p] for t in slow.true), default=Fraction(0)) for p in slow.seen]
    assert found.best_predicted_sum == pytest.approx(float(sum(best)))
    assert (found.splits, found.merges) == (slow.several(0), slow.several(1))
    for number, hits in enumerate(found.hits):
        threshold = Fraction(10 + number, 20)
        count, total = slow.most(threshold)
        assert hits == len(slow.pairs(threshold)) == count
        if not number:
            assert found.iou_sum == pytest.approx(float(total))
    by_size: dict[int, list[int]] = {}
    for n, voxels in slow.true.items():
        both = by_size.setdefault(len(voxels).bit_length() - 1, [0, 0])
        both[0] += 1
        both[1] += n in slow.missed()
    assert {i: list(both) for i, both in enumerate(found.missed_by_size) if both[0]} == by_size
    assert sum(objects for objects, _ in found.missed_by_third) == len(slow.true)
    assert sum(missed for _, missed in found.missed_by_third) == len(slow.missed())
    assert Matching.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    if not unlabelled.any():
        for low in (Fraction(0), Fraction(1, 10), Fraction(3, 10)):
            chosen = partners(table, float(low))
            count, total = slow.most(low)
            assert len(chosen.iou) == len(set(chosen.truth.tolist())) == count
            assert len(set(chosen.prediction.tolist())) == count
            assert chosen.iou.sum() == pytest.approx(float(total))


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_numbers_of_objects_do_not_matter(seed: int) -> None:
    truth, prediction, unlabelled = scene(seed)
    random = np.random.default_rng(seed)
    others = random.permutation(np.arange(1, 70_010)) * 40_000
    others = np.concatenate(([0], others))

    def found(one: np.ndarray, other: np.ndarray) -> Matching:
        return matching(contingency(one, other, ignore=unlabelled, keep_ignored=True))

    wanted = found(truth, prediction)
    again = found(others[truth], others[prediction])
    assert again.hits == wanted.hits
    assert again.missed_by_third == wanted.missed_by_third
    assert again.scores() == pytest.approx(wanted.scores())


@pytest.mark.parametrize("tenths", [5, 6, 7, 8, 9])
def test_an_overlap_that_is_exactly_the_threshold_does_not_match(tenths: int) -> None:
    truth = np.ones(10, int)
    prediction = (np.arange(10) < tenths).astype(int)
    found = matching(contingency(truth, prediction))
    index = THRESHOLDS.index(tenths / 10)
    assert found.hits == tuple(int(number < index) for number in range(10))


def test_below_one_half_no_object_has_two_partners_and_none_is_wasted() -> None:
    truth = np.array([1, 1, 1, 1, 1, 2, 2, 2])
    prediction = np.array([5, 5, 5, 6, 6, 6, 6, 0])  # the best for 1 is 5; 6 overlaps both
    found = partners(contingency(truth, prediction), 0.1)
    assert list(zip(found.truth.tolist(), found.prediction.tolist(), strict=True)) == [
        (1, 5),
        (2, 6),
    ]


def test_an_object_in_the_unlabelled_is_neither_right_nor_wrong() -> None:
    truth = np.array([1, 1, 0, 0, 0, 0, 0, 0])
    unlabelled = np.arange(8) >= 4

    def found(prediction: list[int]) -> tuple[int, int]:
        table = contingency(truth, np.array(prediction), ignore=unlabelled, keep_ignored=True)
        result = matching(table)
        return result.predicted, result.hits[0]

    assert found([1, 1, 0, 0, 9, 9, 9, 9]) == (1, 1)
    assert found([1, 1, 0, 9, 9, 9, 0, 0]) == (1, 1)  # more than half: two of three
    assert found([1, 1, 0, 9, 9, 0, 0, 0]) == (2, 1)  # half is not more than half
    assert found([1, 1, 0, 0, 1, 1, 1, 0]) == (1, 1)  # mostly there, but the partner of one
    assert found([0, 0, 9, 9, 0, 0, 0, 0]) == (1, 0)
    without = contingency(truth, np.array([1, 1, 0, 9, 9, 9, 0, 0]), ignore=unlabelled)
    assert matching(without).predicted == 2  # the table does not know of the rest


def test_what_does_not_exist_is_none() -> None:
    nothing, one = np.zeros(6, int), np.array([0, 1, 1, 1, 0, 0])
    empty = matching(contingency(nothing, nothing))
    assert empty == Matching()
    assert set(empty.scores()) == set(INSTANCE_SCORES)
    assert set(empty.scores().values()) == {None}
    missed = matching(contingency(one, nothing)).scores()
    assert missed["ap_50"] == missed["mean_f1"] == missed["panoptic_quality"] == 0
    assert missed["missed_objects"] == missed["count_error"] == 1
    assert missed["count_bias"] == -1
    assert missed["segmentation_quality"] is missed["merged_objects"] is None
    made_up = matching(contingency(nothing, one)).scores()
    assert made_up["ap_50"] == made_up["recognition_quality"] == 0
    assert made_up["missed_objects"] is made_up["count_error"] is made_up["best_jaccard"] is None
    perfect = matching(contingency(one, one * 5)).scores()
    assert perfect["mean_ap"] == perfect["mean_f1"] == perfect["panoptic_quality"] == 1
    assert perfect["missed_objects"] == perfect["count_bias"] == 0
    assert matching(contingency(np.zeros(0, int), np.zeros(0, int))) == Matching()


def test_images_add_up() -> None:
    pairs = [record_peers.cells(number) for number in (3, 4)]
    parts = [matching(contingency(*pair)) for pair in pairs]
    high = [np.where(labels > 0, labels + 1000, 0) for labels in pairs[1]]
    whole = matching(contingency(*(np.stack(both) for both in zip(pairs[0], high, strict=True))))
    pooled = parts[0] + parts[1]
    assert pooled.hits == whole.hits
    assert pooled.missed_by_size == whole.missed_by_size
    for name, value in whole.scores().items():
        if not name.startswith(("missed_small", "missed_middle", "missed_large", "count_error")):
            assert pooled.scores()[name] == pytest.approx(value)
    off = [abs(part.predicted - part.truth) for part in parts]
    assert pooled.scores()["count_error"] == sum(off) / whole.truth  # errors do not cancel out
    assert Matching() + whole == whole


def test_missed_by_size() -> None:
    truth = np.repeat(np.arange(1, 7), [1, 2, 3, 8, 20, 20])
    found = matching(contingency(truth, np.where(truth > 2, truth, 0)))
    assert found.missed_by_size == ((1, 1), (2, 1), (0, 0), (1, 0), (2, 0))
    assert found.missed_by_third == ((2, 2), (2, 0), (2, 0))
    assert found.scores()["missed_small"] == 1
    alike = np.repeat(np.arange(1, 7), 4)
    found = matching(contingency(alike, alike * (alike > 3)))
    assert found.missed_by_third == ((0, 0), (6, 3), (0, 0))  # none is smaller than another
    assert found.scores()["missed_large"] is None


def test_splits_and_merges() -> None:
    one, two = np.array([1, 1, 1, 1, 0, 3]), np.array([1, 1, 2, 2, 0, 3])
    split, merged = matching(contingency(one, two)), matching(contingency(two, one))
    assert (split.splits, split.merges) == (1, 0)
    assert (merged.splits, merged.merges) == (0, 1)
    assert split.scores()["split_objects"] == merged.scores()["merged_objects"] == 0.5


@pytest.mark.parametrize(
    "damage",
    [
        {"truth": -1},
        {"hits": [1] * 9},
        {"hits": [99] * 10},
        {"iou_sum": float("nan")},
        {"missed_by_size": [[1, 2, 3]]},
        {"missed_by_third": []},
        {"splits": "many"},
    ],
)
def test_what_a_job_did_not_write_is_refused(damage: dict[str, Any]) -> None:
    kept = matching(contingency(*record_peers.cells(1))).to_dict()
    assert Matching.from_dict(kept).truth
    with pytest.raises((ValueError, TypeError)):
        Matching.from_dict(kept | damage)
