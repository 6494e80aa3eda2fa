"""``import-predictions`` by command line: what goes with what, the row, and every refusal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from orgseg_app import cli
from orgseg_app.runs.folder import list_runs
from tests.runs.made_elsewhere import project, square, write_masks

pytestmark = pytest.mark.usefixtures("one_reading_child")

MOVED = square(1, right=2, ground=0)[0]


def test_masks_become_a_row_that_compare_and_runs_know(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "Zellen ü.orgseg"
    project(path).close()
    masks = dict.fromkeys(("cell 1", "cell 2", "cell 3", "cell 4"), MOVED)
    folder = write_masks(tmp_path / "Cellpose 4", masks)
    assert cli.main(["import-predictions", str(path), str(folder), "--json"]) == 0
    told = capsys.readouterr()
    made = json.loads(told.out)
    assert (made["kind"], made["name"], len(made["held"])) == ("imported", "Cellpose 4", 3)
    assert made["test"]["iou"]["ER"] == pytest.approx(80 / 120)
    assert "cell 3  ←  cell 3.png  (test)" in told.err
    assert "Where they are 0 is background" in told.err
    assert "OrgSeg cannot know what it was trained on" in told.err

    assert cli.main(["runs", str(path), "--json"]) == 0
    (listed,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (listed["id"], listed["kind"]) == (made["id"], "imported")
    out = tmp_path / "compare.csv"
    assert cli.main(["compare", str(path), "--score", "--out", str(out)]) == 0
    assert "Cellpose 4" in capsys.readouterr().out
    assert "unknown" in out.read_text()
    assert len(list_runs(path)) == 1  # nothing was missing, so nothing was scored

    assert cli.main(["resume", str(path), made["id"]]) == 1
    capsys.readouterr()


def test_a_second_person_and_classes_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, other = tmp_path / "cells.orgseg", tmp_path / "anna.orgseg"
    project(path, class_names=("ER", "nucleus")).close()
    project(other, class_names=("reticulum",), name="x {}").close()
    command = ["import-predictions", str(path), str(other)]
    assert cli.main(command) == 1
    assert 'is not known which class of the project "reticulum" is' in capsys.readouterr().err
    assert cli.main([*command, "--class", "Golgi=ER"]) == 1
    assert 'have no class "Golgi"; they have "reticulum"' in capsys.readouterr().err
    assert cli.main([*command, "--class", "reticulum=er", "--name", "Anna"]) == 0
    told = capsys.readouterr()
    assert "Anna: masks of 3 images; test IoU 1.00" in told.out
    assert "reticulum is ER" in told.err
    (run,) = list_runs(path)
    assert run.kind == "annotation"


def test_what_cannot_be_added_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cells.orgseg"
    project(path).close()
    folder = write_masks(tmp_path / "a", {"cell 3": MOVED, "cell 4": np.zeros((3, 3), np.uint8)})
    command = ["import-predictions", str(path)]
    for more, sentence in (
        ([str(tmp_path / "nowhere")], "nowhere"),
        ([str(folder), "--format", "cellpose9"], "There is no annotation format"),
        ([str(folder), "--class", "ER,ER"], "2 classes were named"),
        ([str(path)], "That is the project itself"),
    ):
        assert cli.main([*command, *more]) == 1
        told = capsys.readouterr().err
        assert sentence in told
        assert "unexpected" not in told
        assert not list_runs(path)
    assert cli.main([*command, str(folder), "--by-person"]) == 0
    told = capsys.readouterr()
    assert "3 × 3 pixels" in told.err
    assert "Nothing was given for cell 2: not scored there." in told.err
    assert list_runs(path)[0].kind == "annotation"
