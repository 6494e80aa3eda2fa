"""Which runs may be ranked against one another, and by which figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from orgseg_app.core.metrics.pixels import scores
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.gui.comparing.results_data import Candidate, Results, gather, what_differs
from orgseg_app.runs.folder import RunFolder, runs_dir
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.settings import with_settings
from tests.gui.recorded_runs import make_project, record_run, record_scores


@pytest.fixture
def file(tmp_path: Path) -> Iterator[ProjectFile]:
    with make_project(tmp_path / "cells.orgseg", class_names=("ER", "nucleus"), side=48) as file:
        yield file


def candidate(run: RunFolder, place: int = 0) -> Candidate:
    return Candidate(run, run.name, run.state, place, run.best_path.is_file(), run.recipe)


def results_of(file: ProjectFile, *runs: RunFolder) -> Results:
    return gather(file, [candidate(run, place) for place, run in enumerate(runs)])


def test_figures(file: ProjectFile) -> None:
    run = record_run(file, "one", quality=0.8)
    row = results_of(file, run).rows[0]
    metrics = run.metrics()
    assert metrics is not None
    tables = [np.array(entry["confusion"]) for entry in metrics["images"]]
    pooled = scores(sum(tables), [1, 2, 3])
    assert row.value("iou", "ER") == pytest.approx(pooled["iou"][2])
    assert row.value("recall", "nucleus") == pytest.approx(pooled["recall"][3])
    assert row.value("iou", "") == pytest.approx(pooled["mean_iou"])
    own = [scores(table, [1, 2, 3]) for table in tables]
    mean = np.mean([item["dice"][2] for item in own])
    assert row.value("dice", "ER", mean=True) == pytest.approx(mean)
    assert row.value("iou", "ER", mean=True) != row.value("iou", "ER")
    both = np.mean([pooled["precision"][2], pooled["precision"][3]])
    assert row.value("precision", "") == pytest.approx(both)


def test_runs_on_the_same_frozen_images_are_ranked(file: ProjectFile) -> None:
    results = results_of(file, record_run(file, "a"), record_run(file, "b", quality=0.6))
    assert [row.is_ranked for row in results.rows] == [True, True]
    assert results.notes == ()
    assert results.to_score == []
    assert results.comparison is not None
    assert len(results.comparison.runs) == 2
    assert len(results.images) == 3


def test_a_run_that_misses_an_image_is_not_ranked_and_harms_nobody(file: ProjectFile) -> None:
    full = record_run(file, "full")
    alone = results_of(file, full).rows[0]
    tests = [image.image_id for image in file.project.in_split("test")]
    part = record_run(file, "part", scored=tests[:2])
    results = results_of(file, full, part)
    assert results.rows[0].is_ranked
    assert results.rows[0].value("iou", "ER") == alone.value("iou", "ER")
    assert not results.rows[1].is_ranked
    name = file.project.images[tests[2]].name
    assert results.rows[1].reason == f"not scored on {name}"
    assert results.rows[1].value("iou", "ER") is not None
    assert results.to_score == [part.run_id]
    assert "1 run is not scored" in results.notes[0]


def test_a_run_that_saw_a_test_image_is_not_ranked(file: ProjectFile) -> None:
    run = record_run(file, "saw it")
    image = file.project.in_split("train")[0]
    file.set_split(image.image_id, "test")
    row = results_of(file, run).rows[0]
    assert not row.is_ranked
    assert row.reason == f"saw {image.name} while learning"
    assert not row.can_score  # scoring it would not make it honest


def test_paint_that_changed_since_is_noticed(file: ProjectFile) -> None:
    run = record_run(file, "before")
    image = file.project.in_split("test")[0]
    file.mask(image.image_id).write(0, 0, 0, np.full((9, 9), 3, np.uint8))
    results = results_of(file, run)
    assert not results.rows[0].is_ranked
    assert results.rows[0].reason == f"{image.name} changed since scoring"
    assert results.rows[0].can_score
    assert "painted anew" in results.notes[0]


def test_scoring_again_brings_a_run_back(file: ProjectFile) -> None:
    tests = [image.image_id for image in file.project.in_split("test")]
    run = record_run(file, "part", scored=tests[:1])
    scoring = RunFolder.create(
        runs_dir(file.path),
        name="scores of part",
        kind="score",
        extra={"scored_run": run.run_id, "images": _facts(file, tests)},
    )
    record_scores(file, scoring, tests, quality=0.8)
    from orgseg_app.runs.events import EventWriter

    with EventWriter(scoring.events_path) as events:
        events.write("finished", run=scoring.run_id, message="")
    row = results_of(file, run).rows[0]
    assert row.is_ranked
    assert row.predictions_path == scoring.predictions_path


def _facts(file: ProjectFile, ids: list[str]) -> list[dict]:
    from tests.gui.recorded_runs import image_facts

    return image_facts(file, ids)


def test_an_image_that_left_the_test_split_does_not_count(file: ProjectFile) -> None:
    run = record_run(file, "run")
    gone = file.project.in_split("test")[0]
    file.set_split(gone.image_id, "train")
    results = results_of(file, run)
    assert gone.image_id not in results.images
    assert gone.image_id not in results.rows[0].images
    assert results.rows[0].is_ranked


@pytest.mark.parametrize(
    "end, has_model, reason, can_score",
    [
        ("finished", True, "not scored on these test images yet", True),
        ("failed", True, "not scored on these test images yet", True),
        ("failed", False, "has no model", False),
    ],
)
def test_runs_without_scores(
    file: ProjectFile, end: str, has_model: bool, reason: str, can_score: bool
) -> None:
    run = record_run(file, "run", end=end, scored=[])
    run.metrics_path.unlink(missing_ok=True)
    if not has_model:
        run.best_path.unlink()
    row = results_of(file, run).rows[0]
    assert (row.reason, row.can_score) == (reason, can_score)
    assert row.value("iou", "ER") is None


def test_damaged_scores_are_no_scores(file: ProjectFile) -> None:
    run = record_run(file, "run")
    run.metrics_path.write_text('{"classes": [], "images": [{"confusion": "x"}]}')
    assert results_of(file, run).rows[0].reason == "not scored on these test images yet"


def test_without_a_test_image_nothing_is_compared(tmp_path: Path) -> None:
    with make_project(tmp_path / "a.orgseg", splits=["train"], side=32) as file:
        assert "No test image yet" in results_of(file, record_run(file, "x")).problem
    with make_project(tmp_path / "b.orgseg", splits=["train", "test"], side=32) as file:
        image = file.project.in_split("test")[0]
        file.mask(image.image_id).write(0, 0, 0, np.zeros((32, 32), np.uint8))
        assert "is painted yet" in results_of(file, record_run(file, "x")).problem


def test_what_differs(file: ProjectFile) -> None:
    fast = PRESETS["fast"]
    runs = [
        record_run(file, name, recipe=with_settings(fast, settings), scored=[])
        for name, settings in {
            "plain": [],
            "plain again": ["seed=1"],
            "wide": ["network.width=32"],
            "wide bce": ["network.width=32", "loss=bce"],
        }.items()
    ]
    two = what_differs([candidate(runs[0]), candidate(runs[2])])
    assert two[runs[0].run_id][0] == "network width 16"
    assert two[runs[2].run_id][0] == "network width 32"
    many = what_differs([candidate(run) for run in runs])
    assert many[runs[0].run_id][0] == "as most runs"
    assert many[runs[1].run_id][0] == "seed 1"
    assert many[runs[3].run_id] == (
        "network width 32, loss bce",
        "network width 32, loss bce, seed 0",
    )
    same = what_differs([candidate(runs[0]), candidate(runs[0])])
    assert set(same.values()) == {("", "")}
