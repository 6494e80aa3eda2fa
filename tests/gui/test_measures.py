"""Every score that can be a column: counted by jobs, explained, and told when it is missing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from orgseg_app.gui.comparing.measures import (
    COUNTED_APART,
    EDGES,
    MEASURES,
    RATES,
    SECTIONS,
    SKELETONS,
    Measure,
    class_value,
    from_text,
)
from orgseg_app.gui.comparing.results_data import Candidate, gather
from orgseg_app.gui.comparing.score_words import unit_of, why_none
from orgseg_app.runs.class_scores import (
    EVERY_SCORE,
    NEARER_TO_0_IS_BETTER,
    PER_EDGE,
    PER_RATED,
    PER_SKELETON,
    ClassScores,
)
from orgseg_app.runs.comparison import compare
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.process import write_json
from tests.gui.recorded_runs import make_project, record_run

APART = [item for item in MEASURES if item.section in (EDGES, SKELETONS, RATES)]


def scores_of(run: RunFolder) -> ClassScores:
    found = compare(None, [run]).runs[0].pooled
    assert found is not None
    return found


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    with make_project(tmp_path / "cells.orgseg", class_names=("ER", "nucleus"), side=64) as file:
        return record_run(file, "good", quality=0.7)


def test_every_score_of_a_job_can_be_a_column_and_is_explained(run: RunFolder) -> None:
    scores = scores_of(run)
    assert len({item.key for item in MEASURES}) == len({item.title for item in MEASURES})
    for item in MEASURES:
        assert item.section in SECTIONS
        assert from_text(f"+{item.key}") == {item.key: True}
        assert len(item.words) > 30
        if not item.score.endswith("_3d"):
            assert class_value(scores, item.score, "ER") is not None or "branch" in item.score
    offered = {item.score for item in APART}
    assert offered == {*PER_EDGE, *PER_SKELETON, *PER_RATED} - NEARER_TO_0_IS_BETTER
    assert {item.score for item in MEASURES if item.is_of_class} <= set(EVERY_SCORE)


def test_distances_say_their_unit_and_errors_are_best_when_low() -> None:
    for item in APART:
        is_distance = item.score in ("hausdorff", "hausdorff_95", "surface_distance")
        assert ("micrometres" in item.words) == is_distance
        assert item.is_lower_better == ("0 is perfect" in item.words)
        assert item.is_lower_better != ("1 is perfect" in item.words)


def test_means_over_classes_are_those_of_both(run: RunFolder) -> None:
    scores = scores_of(run)
    for score in ("boundary_f1", "surface_distance", "cl_dice", "roc_auc"):
        both = [class_value(scores, score, name) for name in ("ER", "nucleus")]
        assert None not in both
        assert class_value(scores, score) == pytest.approx(sum(map(float, both)) / 2)


def named(key: str) -> Measure:
    return next(item for item in MEASURES if item.key == key)


def test_why_a_score_is_not_there(run: RunFolder) -> None:
    assert unit_of(named("hausdorff"), scores_of(run)) == " pixels"
    metrics = json.loads(run.metrics_path.read_text())
    first = metrics["images"][0]
    first["distances"]["unit"] = "µm"
    write_json(run.metrics_path, metrics)
    mixed = scores_of(RunFolder(run.path))
    assert class_value(mixed, "hausdorff") is None
    assert unit_of(named("hausdorff"), mixed) == unit_of(named("iou"), mixed) == ""
    assert "how large a pixel is" in why_none(named("hausdorff"), mixed)
    for entry in metrics["images"]:
        for name in ("boundaries", "skeletons", "rated"):
            del entry[name]
    write_json(run.metrics_path, metrics)
    old = scores_of(RunFolder(run.path))
    for key, words in (
        ("boundary_f1", "outlines. Score it again"),
        ("cl_dice", "skeletons, or an image"),
        ("roc_auc", "no probabilities were counted"),
    ):
        assert class_value(old, key) is None
        assert words in why_none(named(key), old)
    for item in MEASURES:
        if item.section in COUNTED_APART and item.score in (*PER_EDGE, *PER_SKELETON, *PER_RATED):
            assert why_none(item, old).startswith("Not known")
    assert why_none(named("iou"), old).startswith("No such score")


def test_micrometres_and_pixels_have_no_mean(tmp_path: Path) -> None:
    with make_project(tmp_path / "cells.orgseg", side=64) as file:
        run = record_run(file, "good", quality=0.7)
        candidate = Candidate(run, run.name, run.state, 0, True, run.recipe)
        row = gather(file, [candidate]).rows[0]
        far = [item.scores.by_class["hausdorff"]["ER"] for item in row.images.values()]
        assert row.value("hausdorff", "ER", mean=True) == pytest.approx(np.mean(far))
        metrics = json.loads(run.metrics_path.read_text())
        metrics["images"][0]["distances"]["unit"] = "µm"
        write_json(run.metrics_path, metrics)
        row = gather(file, [candidate]).rows[0]
        assert row.value("hausdorff", "ER", mean=True) is None
        assert row.value("boundary_f1", "ER", mean=True) is not None
