"""A monkey at the keyboard and the mouse, with a fixed seed, over an open project."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QMenu, QWidget

from orgseg_app.core.image import open_array
from orgseg_app.files.predictions import Prediction, write_predictions
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.files.weights import store_weights
from orgseg_app.gui.actions import ACTIONS
from orgseg_app.gui.canvas.layers import KINDS, PREDICTION_FORMS
from orgseg_app.gui.canvas.options import PANE_SHOWS
from tests.e2e.hand import LEFT, PLAIN, Hand, assert_same, make_project
from tests.gui.recorded_runs import record_run

pytestmark = [pytest.mark.timeout(180), pytest.mark.slow]

SECONDS, LEAST = 20.0, 400
LONGEST_S = 2.0  # on a slow machine that does other things as well
WAITING_S = 4.0
SAMPLES = {info.action_id for info in ACTIONS if info.action_id.startswith("sample_")}
LEFT_OUT = {"quit", "train", "predict_image", *SAMPLES}  # samples are other projects
"""Those that end the story or start a training."""
PLAIN_KEYS = (
    "Return",
    "Escape",
    "Tab",
    "Space",
    "Up",
    "Down",
    "Left",
    "Right",
    "F2",
    "H",
    "S",
    "9",
)


class Monkey:
    """Presses what there is to press."""

    def __init__(self, hand: Hand, seed: int) -> None:
        self.hand = hand
        self.random = random.Random(seed)
        self.path = hand.session.path
        self.did: list[str] = []
        self.fired: Counter[str] = Counter()
        for name, action in hand.window.actions_by_id.items():
            action.triggered.connect(lambda *_, name=name: self.fired.update([name]))
        self.slowest = (0.0, "")
        self.keys = [k for info in ACTIONS if info.action_id not in LEFT_OUT for k in info.keys]

    def act(self) -> None:
        """One thing."""
        choice = self.random.random()
        start, cpu = time.monotonic(), time.thread_time()
        if choice < 0.45:
            self._press(self.random.choice(self.keys))
        elif choice < 0.58:
            self._press(self.random.choice(PLAIN_KEYS))
        elif choice < 0.8:
            self._mouse()
        elif choice < 0.95:
            self._look()
        else:
            self._without_keys()
        QApplication.processEvents()
        took = time.monotonic() - start
        # beside other programs, what the window itself computed counts; waiting shows in the rest
        computed = time.thread_time() - cpu
        blocked = took if took > WAITING_S else computed
        self.slowest = max(self.slowest, (blocked, self.did[-1]))
        if self.random.random() < 0.3:
            self.tidy()

    def _target(self) -> QWidget:
        over = QApplication.activePopupWidget() or QApplication.activeModalWidget()
        return over or QApplication.focusWidget() or self.hand.window

    def _press(self, keys: str) -> None:
        self.did.append(keys)
        QTest.keySequence(self._target(), QKeySequence(keys))

    def _mouse(self) -> None:
        canvas = self.hand.parts.canvas
        if not canvas.isVisible() or QApplication.activePopupWidget():
            self._press("Escape")
            return
        rng, size = self.random, canvas.size()
        spots = [
            QPoint(rng.randrange(size.width()), rng.randrange(size.height()))
            for _ in range(rng.randint(1, 4))
        ]
        shift = rng.choice((PLAIN, PLAIN, Qt.KeyboardModifier.ShiftModifier))
        QTest.mousePress(canvas, LEFT, shift, spots[0])
        self.did.append("press")
        for spot in spots:
            QTest.mouseMove(canvas, spot)
            QApplication.processEvents()
            if rng.random() < 0.2:
                self._press(rng.choice(self.keys))
        if canvas.isVisible():
            self.did.append("release")
            QTest.mouseRelease(canvas, LEFT, shift, spots[-1])
            if rng.random() < 0.2:
                self.did.append("double click")
                QTest.mouseDClick(canvas, LEFT, PLAIN, spots[-1])

    def _look(self) -> None:
        """Look at something else, or in another way: volumes, moments, panes, layers."""
        hand, rng = self.hand, self.random
        session, display, parts = hand.session, hand.window.display, hand.parts
        if session.image is None or QApplication.activePopupWidget():
            return self._press("Escape")
        act = rng.choice(("image", "bar", "sections", "pane", "preview", "prediction", "layer"))
        self.did.append(f"look: {act}")
        if act == "image":
            session.select_image(rng.choice(hand.images).image_id)
        elif act == "bar":
            for field in (parts.area.bar.planes, parts.area.bar.times):
                field.slider.setValue(rng.randrange(field.count))
        elif act == "sections":
            display.set_sections(not display.sections or rng.random() < 0.7)
            self._drag_in(parts.area.sections.views if parts.area.shows_sections else ())
        elif act == "pane":
            display.set_pane(side_by_side=rng.random() < 0.8, shows=rng.choice(PANE_SHOWS))
            self._drag_in([parts.side_by_side.panel.pane] if display.side_by_side else [])
        elif act == "preview":
            parts.canvas.preview.flip()
        elif act == "prediction":
            display.choose_prediction(form=rng.choice(PREDICTION_FORMS))
        else:
            display.set_look(rng.choice(KINDS), visible=rng.random() < 0.7, fill=rng.random() < 0.5)
        return None

    def _drag_in(self, views: Sequence[QWidget]) -> None:
        for view in views:
            if view.isVisible():
                places = [
                    QPoint(
                        self.random.randrange(view.width()), self.random.randrange(view.height())
                    )
                    for _ in range(2)
                ]
                QTest.mousePress(view, LEFT, PLAIN, places[0])
                QTest.mouseMove(view, places[1])
                QTest.mouseRelease(view, LEFT, PLAIN, places[1])

    def _without_keys(self) -> None:
        """Actions that have no shortcut, and what the panels offer."""
        hand = self.hand
        session = hand.session
        if session.project is None:
            return self._press("Escape")
        actions = [i.action_id for i in ACTIONS if not i.keys and i.action_id not in LEFT_OUT]
        if len(session.project.images) < 4:
            actions.remove("remove_image")
        name = self.random.choice(actions)
        self.did.append(name)
        hand.window.actions_by_id[name].trigger()
        return None

    def tidy(self) -> None:
        """Close what lies over the window, and go back to the canvas."""
        for widget in QApplication.topLevelWidgets():
            if isinstance(widget, QDialog | QMenu) and widget.isVisible():
                widget.close()
        self.hand.window.activateWindow()
        if self.hand.session.path is None:
            self.hand.open(self.path)
        canvas = self.hand.parts.canvas
        canvas.setFocus()
        if canvas.isVisible():  # a double click of the test has no end; Esc drops what it began
            QTest.keyClick(canvas, Qt.Key.Key_Escape)
        QApplication.processEvents()


def all_there_is(path: Path) -> Path:
    """A project with images, colours, volumes, moments, a model, its predictions, and weights."""
    make_project(path, count=5, class_names=("ER", "Kern", "🧬"))
    random = np.random.default_rng(0)
    made = [
        open_array("Farben", random.integers(0, 255, (3, 1, 40, 50)).astype(np.uint8), is_rgb=True),
        open_array("ein Voxel", np.full((1, 1, 1, 1), 7, np.uint8)),
        open_array(
            "Stapel",
            random.integers(0, 4000, (2, 7, 60, 50)).astype(np.uint16),
            pixel_size_um=(0.5, 0.1, 0.1),
        ),
    ]
    moments = [
        replace(open_array(f"t{t}", random.random((1, 4, 30, 40)).astype(np.float32)), time=t)
        for t in range(3)
    ]
    with ProjectFile.open(path) as file:
        file.add_images(
            [NewImage(one) for one in made] + [NewImage(one, time_series="film") for one in moments]
        )
        run = record_run(file, "model", scored=[])
        run.best_path.unlink()  # it is none that could predict
        guesses = []
        for number, image in enumerate(file.project.images.values()):
            mask = random.integers(1, 4, image.mask_shape).astype(np.uint8)
            likely = random.integers(0, 255, (2, *image.mask_shape)).astype(np.uint8)
            guesses.append(Prediction(image.image_id, mask, likely, (2, 3)))
            if number % 2:
                weights = random.random((1, *image.mask_shape)).astype(np.float32)
                store_weights(file, image.image_id, open_array("weights", weights))
        write_predictions(run.predictions_path, guesses[:-1])
    return path


def test_any_keys_in_any_order(hand: Hand, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = all_there_is(folder / "Affe ü.orgseg")
    for name in ("getOpenFileName", "getSaveFileName"):
        monkeypatch.setattr(QFileDialog, name, lambda *_, **__: ("", ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_, **__: ([], ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: "")
    hand.open(path)
    hand.window.activateWindow()
    monkey = Monkey(hand, seed=7)
    start = time.monotonic()
    while (past := time.monotonic() - start) < SECONDS or (len(monkey.did) < LEAST and past < 80):
        monkey.act()
    monkey.tidy()
    assert len(monkey.did) >= LEAST
    assert len(monkey.fired) > len(ACTIONS) / 2, monkey.fired
    assert monkey.slowest[0] < LONGEST_S, (monkey.slowest, monkey.did[-20:])
    said = [text for level, text in hand.said if level == "error"]
    assert [text for text in said if "has no model yet" not in text] == []  # there is none
    if hand.parts.is_canvas_alone:
        hand.action("full_canvas")
    hand.settle()
    hand.save()
    assert_same(hand.session)
    hand.said.clear()
    hand.goes_on()
    facts = [(i.name, i.split) for i in hand.images]
    hand.window.close()
    with ProjectFile.open(path) as file:
        assert [(i.name, i.split) for i in file.project.images.values()] == facts
