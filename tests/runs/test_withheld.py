"""Scores that are withheld: refused by the job, or of images a run has seen; bands are honest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orgseg_app.cli import main
from orgseg_app.runs.comparison import compare
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.process import write_json
from tests.gui.recorded_runs import make_project, record_run
from tests.runs.test_comparison import Pair, make_run

REASON = '"a" has no test score: it is the same picture, voxel by voxel, as "t".'


def a_pair() -> Pair:
    truth = np.ones((1, 8, 8), np.uint8)
    truth[:, :4] = 2
    return truth, np.roll(truth, 1, 1)


def refuse(run: RunFolder, image_id: str = "id-a", **more: Any) -> None:
    """Let metrics.json say that an image has no test score."""
    metrics = json.loads(run.metrics_path.read_text())
    entry = {"image": "a", "image_id": image_id, "split": "test", "reason": REASON}
    write_json(run.metrics_path, metrics | {"refused": [entry | more]})


def test_what_the_job_refused_is_missing_and_said_once(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, name, {"b": a_pair()}) for name in ("one", "two")]
    for run in runs:
        refuse(run)
    runs.append(make_run(tmp_path, "three", {"a": a_pair(), "b": a_pair()}))
    found = compare(None, runs)
    assert found.notes[0] == f'"one", "two": {REASON}'
    assert not any("was not scored" in note for note in found.notes)
    assert found.runs[0].refused == {"id-a": REASON}
    assert found.common_images == ("b",)
    assert found.to_dict()["runs"][0]["refused"] == [{"image_id": "id-a", "reason": REASON}]
    assert found.to_dict()["runs"][2]["refused"] == []


def test_no_later_scoring_brings_back_what_a_run_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path, "one", {"a": a_pair(), "b": a_pair()})
    refuse(run)
    assert [item.image for item in compare(None, [run]).runs[0].per_image] == ["b"]


def test_refused_and_nothing_else_says_why(tmp_path: Path) -> None:
    run = make_run(tmp_path, "one", {})
    refuse(run)
    found = compare(None, [run])
    assert found.images == ()
    assert found.notes == (f'"one": {REASON}',)


@pytest.mark.parametrize(
    "damaged", [7, [7], [{"image_id": "id-a"}], [{"reason": 1, "image_id": "a", "split": "test"}]]
)
def test_damaged_refusals_are_passed_over(tmp_path: Path, damaged: Any) -> None:
    run = make_run(tmp_path, "one", {"a": a_pair()})
    write_json(run.metrics_path, json.loads(run.metrics_path.read_text()) | {"refused": damaged})
    found = compare(None, [run])
    assert found.runs[0].refused == {}
    assert found.images == ("a",)


def test_what_a_fold_holds_out_it_has_not_seen(tmp_path: Path) -> None:
    # In the project both are training images; this fold chose its best state on "a".
    fold = {"split": {"validation": ["id-a"]}}
    run = make_run(tmp_path, "fold", {"a": a_pair()}, split="validation", extra=fold)
    facts = [fact | {"split": "train"} for fact in run.request["images"]]
    write_json(run.path / "request.json", run.request | {"images": facts})
    run = RunFolder(run.path)
    assert compare(None, [run], "validation").runs[0].leaked == ()
    plain = {key: value for key, value in run.request.items() if key != "split"}
    write_json(run.path / "request.json", plain)
    assert compare(None, [RunFolder(run.path)], "validation").runs[0].leaked == ("a",)


def test_a_band_of_the_image_that_was_learned_from_is_no_leak(tmp_path: Path) -> None:
    learnt = ("sha-a",)
    banded = {"split": {"blocks": True}}
    run = make_run(tmp_path, "bands", {"a": a_pair()}, learnt=learnt, extra=banded)
    other = make_run(tmp_path, "whole", {"a": a_pair()}, learnt=learnt)
    found = compare(None, [run, other])
    assert found.runs[0].leaked == ()
    assert found.runs[1].leaked == ("a",)
    assert any('"bands" was judged on a band of the image only' in note for note in found.notes)


def test_the_command_line_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cells.orgseg"
    with make_project(path, splits=["train", "test"], side=32) as file:
        run = record_run(file, "one", scored=[], with_predictions=False)
        refuse(run, file.project.in_split("test")[0].image_id)
    assert main(["runs", str(path)]) == 0
    assert REASON in capsys.readouterr().err
    assert main(["runs", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["refused"] == [REASON]
    assert main(["compare", str(path)]) != 0
    assert REASON in capsys.readouterr().err
