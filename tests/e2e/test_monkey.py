"""A monkey at the keyboard and the mouse, with a fixed seed, over an open project."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QMenu, QWidget

from orgseg_app.files.project_file import ProjectFile
from orgseg_app.gui.actions import ACTIONS
from tests.e2e.hand import LEFT, PLAIN, Hand, assert_same, make_project

pytestmark = [pytest.mark.timeout(180), pytest.mark.slow]

SECONDS = 20.0
LONGEST_S = 1.0
WAITING_S = 4.0
LEFT_OUT = {"quit", "train", "predict_image"}
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
        if choice < 0.55:
            self._press(self.random.choice(self.keys))
        elif choice < 0.7:
            self._press(self.random.choice(PLAIN_KEYS))
        elif choice < 0.95:
            self._mouse()
        else:
            self._without_keys()
        QApplication.processEvents()
        took = time.monotonic() - start
        # beside other programs, what the window itself computed counts; waiting shows in the rest
        blocked = took if took > WAITING_S else time.thread_time() - cpu
        if "theme" in self.did[-1]:
            blocked /= 2  # every widget is dressed anew: 0.6 s, known and rare
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


def test_any_keys_in_any_order(hand: Hand, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_project(folder / "Affe ü.orgseg", count=8, class_names=("ER", "Kern", "🧬"))
    for name in ("getOpenFileName", "getSaveFileName"):
        monkeypatch.setattr(QFileDialog, name, lambda *_, **__: ("", ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_, **__: ([], ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: "")
    hand.open(path)
    hand.window.activateWindow()
    monkey = Monkey(hand, seed=7)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        monkey.act()
    monkey.tidy()
    assert len(monkey.did) > 300
    assert len(monkey.fired) > len(ACTIONS) / 2, monkey.fired
    assert monkey.slowest[0] < LONGEST_S, (monkey.slowest, monkey.did[-20:])
    assert [text for level, text in hand.said if level == "error"] == []
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
