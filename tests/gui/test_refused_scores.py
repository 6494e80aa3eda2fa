"""A test score that would not be honest: the sentence stands where the score would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from orgseg_app.gui.comparing.results_view import ResultsView
from orgseg_app.gui.panels.runs_list import tooltip_of
from orgseg_app.gui.panels.runs_panel import RunsPanel
from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.process import write_json
from tests.gui.recorded_runs import World, append_events, make_project, opened, record_run


def reason_of(name: str) -> str:
    return f'"{name}" has no test score: it is the same picture, voxel by voxel, as "cell_01".'


def refuse(run: RunFolder, names: dict[str, str]) -> None:
    """Let a recorded run end as a job that found test images among those it learned from."""
    entries = [
        {"image": name, "image_id": image_id, "split": "test", "reason": reason_of(name)}
        for image_id, name in names.items()
    ]
    metrics = json.loads(run.metrics_path.read_text())
    write_json(run.metrics_path, metrics | {"refused": entries})
    append_events(
        run,
        {"event": "finished", "run": run.run_id, "message": "Done.", "test": None}
        | {"refused": entries},
    )


@pytest.fixture
def world(tmp_path: Path, qtbot: QtBot) -> Iterator[World]:
    path = tmp_path / "cells.orgseg"
    with make_project(path, splits=["train", "validation", "test", "test"], side=32) as file:
        images = {image.image_id: image.name for image in file.project.in_split("test")}
        first = next(iter(images))
        record_run(file, "fair", created=1.0)
        one = record_run(file, "one refused", created=2.0, scored=list(images)[1:])
        refuse(one, {first: images[first]})
        refuse(record_run(file, "all refused", created=3.0, scored=[]), images)
    with opened(path) as world:
        qtbot.waitUntil(lambda: len(world.runs.all()) == 3 and world.is_read)
        qtbot.waitUntil(lambda: bool(world.named("all refused").refused))
        yield world


def test_the_runs_panel_shows_the_sentence(world: World, qtbot: QtBot) -> None:
    panel = RunsPanel(world.runs)
    qtbot.addWidget(panel)
    panel.resize(800, 300)
    panel.show()
    qtbot.waitExposed(panel)
    panel.list.choose([world.named("all refused").run_id])
    assert panel.details.refused_row.isVisible()
    said = panel.details.refused.text()
    assert said == f"{reason_of('cell_03')} So it is with 1 more image."
    assert reason_of("cell_04") in panel.details.refused.toolTip()
    assert reason_of("cell_04") in tooltip_of(world.named("all refused"))
    panel.list.choose([world.named("fair").run_id])
    assert panel.details.refused_row.isHidden()


def test_the_results_show_the_sentence_instead_of_blanks(world: World, qtbot: QtBot) -> None:
    view = ResultsView(world.session, world.runs)
    qtbot.addWidget(view)
    view.resize(1060, 720)
    view.show()
    qtbot.waitUntil(lambda: len(view.results.rows) == 3)
    rows = {row.name: row for row in view.results.rows}
    assert rows["fair"].is_ranked
    assert rows["one refused"].reason == "no honest score on cell_03"
    assert rows["all refused"].reason == "no honest score on cell_03 and cell_04"
    assert view.results.to_score == []  # scoring again would be refused again
    assert view.note.isVisible()
    assert reason_of("cell_03") in view.note_text.text()
    assert view.score_button.isHidden()
    model = view.table.results
    tip = model.index(model.place_of(rows["all refused"].run_id), 1).data(
        Qt.ItemDataRole.ToolTipRole
    )
    assert reason_of("cell_03") in tip
    view._show_pair(rows["one refused"].run_id, rows["fair"].run_id)
    place = view.pages.images.scores.image_ids.index(next(iter(rows["one refused"].refused)))
    tip = view.pages.images.scores.index(place, 1).data(Qt.ItemDataRole.ToolTipRole)
    assert f"“one refused”: {reason_of('cell_03')}" in tip


@pytest.mark.parametrize("damaged", [7, [7], [{"reason": 7}], None, {"a": 1}])
def test_damaged_refusals_are_passed_over(world: World, damaged: object) -> None:
    entry: RunEntry = world.named("fair")
    entry.take([{"event": "finished", "refused": damaged, "test": {"mean_iou": "x"}}])
    assert entry.refused == ()
    assert entry.test_iou is None
