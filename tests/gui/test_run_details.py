"""While it learns: curves of two pages, the line of facts, previews of chosen planes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from pytestqt.qtbot import QtBot

from orgseg_app.gui.panels.runs_details import RunDetails
from orgseg_app.gui.panels.runs_previews import SIDE
from orgseg_app.runs.folder import RunFolder
from tests.gui.recorded_runs import (
    World,
    append_events,
    make_project,
    opened,
    pretend_alive,
    record_run,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    path = tmp_path / "cells.orgseg"
    with make_project(path, splits=["train", "validation"], side=64) as file:
        pretend_alive(record_run(file, "learning", upto=200, end="", seed=3))
        record_run(file, "old", seed=4)
    with opened(path) as world:
        yield world


@pytest.fixture
def details(world: World, qtbot: QtBot) -> RunDetails:
    qtbot.waitUntil(lambda: world.is_read)
    details = RunDetails(world.runs)
    qtbot.addWidget(details)
    details.resize(560, 300)
    details.show()
    qtbot.waitExposed(details)
    details.set_runs([world.named("learning").run_id])
    qtbot.waitUntil(lambda: details.curves.figure is not None)
    return details


def test_the_line_of_facts(details: RunDetails) -> None:
    words = details.facts.whole_text()
    assert "patches/s · 1.2 GB of memory · CPU · 2 threads · bf16" in words


def test_the_interval_is_drawn_as_a_band(details: RunDetails, world: World) -> None:
    figure = details.curves.figure
    assert figure is not None
    entry = world.named("learning")
    curves = figure._curves[entry.run_id]
    assert curves.band.isVisible()
    low, high = curves.low.getData()[1], curves.high.getData()[1]
    assert len(low) == len(entry.validation_steps)
    assert (low < np.asarray(entry.validation_iou)).all()
    assert (high > np.asarray(entry.validation_iou)).all()
    assert "95 % interval of 6 planes" in figure._titles[1].text


def test_speed_is_another_page(details: RunDetails, world: World, qtbot: QtBot) -> None:
    details.pages.button("speed").click()
    figure, entry = details.curves.figure, world.named("learning")
    assert figure is not None
    curves = figure._curves[entry.run_id]
    assert curves.smooth.getOriginalDataset()[1].tolist() == entry.rates
    assert curves.iou.getOriginalDataset()[1].tolist() == entry.speeds
    assert not curves.band.isVisible()
    assert figure._titles[0].text == "Learning rate"
    figure.read_at(100, QPointF(figure.rect().center()))
    assert "rate" in figure.readout._titles
    append_events(
        entry.run, {"event": "step", "step": 204, "loss": 0.4, "learning_rate": 0.5,
                    "patches_per_s": 99.0},
    )  # fmt: skip
    qtbot.waitUntil(lambda: curves.smooth.getOriginalDataset()[1][-1] == 0.5)
    details.pages.button("scores").click()
    assert curves.band.isVisible()
    assert curves.smooth.getOriginalDataset()[1][-1] != 0.5


def tell_preview(run: RunFolder, image_id: str, step: int, fill: int = 2) -> None:
    """What a job writes after a check."""
    (run.path / "previews").mkdir(exist_ok=True)
    mask = np.ones((64, 64), np.uint8)
    mask[20:40, 20:40] = fill
    cv2.imwrite(str(run.path / f"previews/{image_id}_0.png"), mask)
    append_events(
        run,
        {"event": "preview", "step": step, "image": "x", "image_id": image_id, "z": 0,
         "path": f"previews/{image_id}_0.png", "reason": None},
    )  # fmt: skip


def test_previews_come_as_the_run_learns(details: RunDetails, world: World, qtbot: QtBot) -> None:
    details.show_page("previews")
    previews, entry = details.previews, world.named("learning")
    assert previews.empty.isVisible()
    image_id = world.session.image_id
    tell_preview(entry.run, image_id, 100)
    qtbot.waitUntil(lambda: previews.list.count() == 1)
    item = previews.list.item(0)
    qtbot.waitUntil(lambda: not item.icon().isNull())
    assert previews.words.whole_text() == "learning, step 100"
    assert item.text() == "cell_01"
    first = item.icon().pixmap(SIDE).toImage()
    tell_preview(entry.run, image_id, 150, fill=1)
    qtbot.waitUntil(lambda: previews.words.whole_text() == "learning, step 150")
    qtbot.waitUntil(lambda: item.icon().pixmap(SIDE).toImage() != first)
    assert previews.list.count() == 1
    # Orange over grey where class 2 was.
    inside = first.pixelColor(first.width() * 30 // 64, first.height() * 30 // 64)
    assert inside.red() > inside.blue() + 40


def test_planes_are_watched_and_let_go(details: RunDetails, world: World, qtbot: QtBot) -> None:
    details.show_page("previews")
    previews, entry, session = details.previews, world.named("learning"), world.session
    request = entry.run.control_dir / "preview.json"
    assert session.project is not None
    first, second = session.project.images
    assert previews.add.isEnabled()
    previews.add.click()
    qtbot.waitUntil(request.exists)
    assert json.loads(request.read_text()) == {"planes": [{"image_id": first, "z": 0}]}
    assert not previews.add.isEnabled()  # it is watched already
    session.select_image(second)
    assert previews.add.isEnabled()
    previews.add.click()
    qtbot.waitUntil(lambda: second in request.read_text())
    tell_preview(entry.run, first, 100)
    qtbot.waitUntil(lambda: previews.list.count() == 1)
    previews.list.itemActivated.emit(previews.list.item(0))
    assert session.image_id == first
    previews.list.setCurrentRow(0)
    assert previews.drop.isEnabled()
    previews.drop.click()
    qtbot.waitUntil(lambda: first not in request.read_text())
    assert previews.list.count() == 0


def test_what_cannot_be_shown_says_why(details: RunDetails, world: World, qtbot: QtBot) -> None:
    details.show_page("previews")
    entry, image_id = world.named("learning"), world.session.image_id
    told = {"event": "preview", "step": 9, "image": "x", "image_id": image_id, "z": 0}
    append_events(entry.run, told | {"path": None, "reason": "It is not in this run."})
    previews = details.previews
    qtbot.waitUntil(lambda: previews.list.count() == 1)
    assert previews.list.item(0).toolTip() == "It is not in this run."
    append_events(entry.run, told | {"path": "previews/gone_0.png", "step": 10})
    qtbot.waitUntil(lambda: "could not be read" in previews.list.item(0).toolTip())
    details.set_runs([world.named("old").run_id])
    assert previews.list.count() == 0
    assert previews.add.isHidden()


def test_every_page_is_reached_with_the_keyboard(details: RunDetails, qtbot: QtBot) -> None:
    for name in ("speed", "previews", "scores"):
        button = details.pages.button(name)
        button.setFocus()
        qtbot.keyClick(button, Qt.Key.Key_Space)
        assert details.previews.isVisible() == (name == "previews")
        assert details.curves.isVisible() == (name != "previews")
