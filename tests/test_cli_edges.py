"""``compare`` prints how outlines, skeletons and probabilities agree, and in which unit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orgseg_app.commands.comparing import show
from orgseg_app.runs.class_scores import PER_CLASS
from orgseg_app.runs.comparison import compare
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.process import write_json
from tests.gui.recorded_runs import make_project, record_run

NO_BASELINE = {score: {} for score in PER_CLASS} | {"mean_iou": None}


def test_a_table_of_outlines_and_skeletons(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with make_project(tmp_path / "cells.orgseg", side=64) as file:
        run, old = (record_run(file, name, quality=0.7) for name in ("new", "old"))
    metrics = json.loads(old.metrics_path.read_text())
    for entry in metrics["images"]:
        for name in ("boundaries", "skeletons", "rated", "distances"):
            del entry[name]
    write_json(old.metrics_path, metrics)
    found = compare(None, [run, RunFolder(old.path)])
    show(found, NO_BASELINE)
    lines = capsys.readouterr().out.splitlines()
    place = next(number for number, line in enumerate(lines) if "boundary F1" in line)
    assert "surface distance in pixels;" in " ".join(lines[place - 3 : place])
    assert lines[place + 3] == ""  # the older run has none of it
    pooled = found.runs[0].pooled
    assert pooled is not None
    names = ("boundary_f1", "hausdorff_95", "surface_distance", "cl_dice")
    figures = [pooled.by_class[name]["ER"] for name in names]
    assert lines[place + 2].split()[:5] == ["new", *(f"{value:.2f}" for value in figures)]
