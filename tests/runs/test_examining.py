"""Examinations without their job: prepared, refused, read back, put into words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orgseg_app.core.metrics.pixels import scores
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.examination import SCORES, Examination, examination_from
from orgseg_app.runs.examining import (
    examinations_of,
    prepare_examination,
    read_examination,
)
from orgseg_app.runs.folder import RunFolder, list_runs
from orgseg_app.runs.recipes.presets import PRESETS
from tests.gui.recorded_runs import make_project, pretend_alive, record_run
from tests.gui.test_ensembles import record_ensemble, record_seeds
from tests.runs.examined import condition, levels, noise, record_examination


@pytest.fixture
def file(tmp_path: Path) -> Iterator[ProjectFile]:
    file = make_project(tmp_path / "cells.orgseg", side=48)
    yield file
    file.close()


def read(kept: dict[str, Any]) -> Examination:
    found = examination_from(json.loads(json.dumps(kept)))
    assert found is not None
    return found


def test_scores_are_those_of_the_counts_pooled_and_by_image() -> None:
    kept = levels()
    found = read(kept)
    fine = found.of_kind("fine")[0]
    assert (fine.level, fine.scale, fine.words) == (0, 1, "level 0 (full size), without its detail")
    images = kept["conditions"][2]["images"]
    pooled = scores(sum_of([i["confusion"] for i in images]), [1, 2, 3])
    assert fine.score("iou", "ER") == pytest.approx(pooled["iou"][2])
    mean = (pooled["recall"][2] + pooled["recall"][3]) / 2
    assert fine.score("recall") == pytest.approx(mean)
    one = scores(sum_of([images[3]["confusion"]]), [1, 2, 3])
    assert fine.by_image("iou", "nucleus")[3] == pytest.approx(one["iou"][3])
    assert len(fine.by_image("iou")) == 7
    for score in SCORES:
        assert found.intact.score(score) == pytest.approx(1.0)
        drop = found.drop(fine, score)
        assert drop is not None
        assert drop == pytest.approx(1.0 - (fine.score(score) or 0.0))
    assert found.drop(fine, "precision") == pytest.approx(0.0), "what was found is right"
    assert fine.score("boundary_f1") < 0.9  # type: ignore[operator]
    assert fine.score("cl_dice", "ER") < 0.9  # type: ignore[operator]


def sum_of(matrices: list[Any]) -> Any:
    import numpy as np

    return np.sum([np.asarray(m) for m in matrices], axis=0)


def test_what_is_lost_has_an_interval_where_there_are_images_enough() -> None:
    found = read(levels())
    lost = found.compared(found.of_kind("fine")[0], "iou")
    assert lost.interval is not None
    assert lost.interval[0] > 0
    assert lost.verdict == "better", "the model as it is"
    few = [condition(0, 3, kind="intact"), condition(5, 3, kind="fine", level=0, scale=1)]
    found = read(levels() | {"conditions": few})
    assert found.compared(found.conditions[0], "iou").interval is None


def test_sentences_say_what_counts() -> None:
    found = read(levels())
    alone, most = found.sentences()
    coarse = found.of_kind("coarse")[0].score("iou")
    assert alone == (
        "With the detail of level 0 (full size) alone, and nothing coarser, the IoU is "
        f"{coarse:.3f}; as it is, 1.000."
    )
    assert "level 0 (full size), which counts most" in most
    gaussian, photons = read(noise()).sentences("recall", "ER")
    assert gaussian.startswith("Gaussian noise: Recall 1.000 as it is; it keeps 95 % of that down")
    assert "down to 30 dB" in gaussian
    assert "at 0 dB" in gaussian
    assert photons.startswith("Photon noise")
    told = read(noise()).to_dict()
    assert [c["snr_db"] for c in told["conditions"]][:3] == [30.0, 10.0, 0.0]
    assert told["conditions"][1]["drop"]["iou"] == pytest.approx(
        told["intact"]["mean"]["iou"] - told["conditions"][1]["mean"]["iou"]
    )
    json.dumps(told)


@pytest.mark.parametrize(
    "damage",
    [
        {"format": "else"},
        {"version": 99},
        {"classes": [{"id": 1, "name": "background"}]},
        {"conditions": []},
        {"conditions": [{"kind": "intact", "images": []}]},
        {"conditions": levels()["conditions"][1:]},
        {"what": "colour"},
        {"conditions": [{"kind": "intact", "images": [{"image": "a"}]}] * 2},
    ],
)
def test_damaged_examinations_are_none(damage: dict[str, Any]) -> None:
    assert examination_from(levels() | damage) is None


def test_the_newest_of_each_kind_counts(file: ProjectFile) -> None:
    run, other = record_run(file, "a", seed=1), record_run(file, "b", seed=2)
    record_examination(run, levels())
    record_examination(run, noise())
    last = record_examination(run, levels())
    broken = record_examination(run, noise())
    (broken.path / "examined.json").write_text("{")
    found = examinations_of(list_runs(file.path), run.run_id)
    assert list(found) == ["levels validation", "noise validation"]
    assert found["levels validation"].run_id == last.run_id
    assert found["levels validation"].examined_run == run.run_id
    assert examinations_of(list_runs(file.path), other.run_id) == {}
    assert read_examination(run) is None


def test_it_looks_at_the_images_that_the_run_held_out(file: ProjectFile) -> None:
    run = record_run(file, "a")
    job = prepare_examination(file, run, "noise", snr_db=[20, 10], seed=3)
    assert not job.snapshot_path.exists() or job.request["snapshot"] == ""
    assert job.kind == "examine"
    assert (job.request["examined_run"], job.request["on"]) == (run.run_id, "validation")
    assert job.request["snr_db"] == [20.0, 10.0]
    assert job.name == "noise robustness of a"
    # A recorded run has no copy of its images; with one, that is what is looked at.
    assert job.snapshot_path.is_file()
    run.snapshot_path.write_bytes(b"copy")
    job = prepare_examination(file, run, "levels", split="test")
    assert job.request["snapshot"] == str(run.snapshot_path.absolute())
    assert not job.snapshot_path.exists()


def test_what_cannot_be_examined_is_refused_in_words(file: ProjectFile) -> None:
    run = record_run(file, "a")
    seeds = record_seeds(file)
    ensemble = record_ensemble(file, seeds)
    working = record_run(file, "busy", end="", upto=100)
    pretend_alive(working)
    for asked, words in (
        ((run, "colour"), "levels or noise"),
        ((ensemble, "levels"), "is an ensemble"),
        ((working, "noise"), "still at work"),
    ):
        with pytest.raises(RunError, match=words):
            prepare_examination(file, *asked)
    with pytest.raises(RunError, match="between -60 and 120 dB"):
        prepare_examination(file, run, "noise", snr_db=[500])
    with pytest.raises(RunError, match="validation or test"):
        prepare_examination(file, run, "noise", split="train")
    forest = RunFolder.create(
        run.path.parent,
        name="forest",
        kind="train",
        recipe=next(r for r in PRESETS.values() if r.network.name == "pixel_classifier"),
    )
    forest.best_path.write_bytes(b"recorded")
    forest.events_path.write_text('{"event": "finished"}\n')
    with pytest.raises(RunError, match="no network with levels"):
        prepare_examination(file, forest, "levels")
    run.best_path.unlink()
    with pytest.raises(RunError, match="has no model yet"):
        prepare_examination(file, run, "noise")


def test_without_images_of_a_split_there_is_nothing_to_examine(tmp_path: Path) -> None:
    with make_project(tmp_path / "a.orgseg", splits=["train", "validation"], side=48) as file:
        run = record_run(file, "a")
        with pytest.raises(RunError, match="No painted image is in the test split"):
            prepare_examination(file, run, "noise", split="test")
