"""The undo history: what it shows, going back, its limit, forgetting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from orgseg_app.core.edits.strokes import PaintStroke
from orgseg_app.core.history import History
from orgseg_app.gui.editing import going_back
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.gui.panels import history_dialog
from orgseg_app.gui.panels.history_dialog import HistoryDialog, when
from orgseg_app.gui.session import Session
from orgseg_app.settings import Settings
from tests.gui.panel_session import nameless_controls, open_session


@pytest.fixture
def session(tmp_path: Path, qapp: object) -> Iterator[Session]:
    session = open_session(tmp_path)
    for number in range(3):
        session.apply(PaintStroke(0, ((5.5 + 10 * number, 10.5),), 5, 2))
        if number == 1:
            session.save()
    yield session
    session.close_project(discard=True)


@pytest.fixture
def dialog(session: Session, qtbot: QtBot) -> HistoryDialog:
    dialog = HistoryDialog(session, Settings())
    qtbot.addWidget(dialog)

    def go_back(step: int) -> None:
        while session.history.position > step:
            session.undo()

    dialog.go_back_requested.connect(go_back)
    dialog.show()
    return dialog


def lines(dialog: HistoryDialog) -> list[str]:
    model = dialog.model
    return [str(model.data(model.index(row, 0))) for row in range(model.rowCount())]


def test_newest_first_with_checkpoints(
    dialog: HistoryDialog, session: Session, qtbot: QtBot
) -> None:
    first, mark, *rest = lines(dialog)
    assert first == "paint"
    assert mark.startswith("⚑ checkpoint ")
    assert rest == ["paint", "paint", "Before the first step kept"]
    assert dialog.model.data(dialog.model.index(0, 1)) == "img_00"
    assert dialog.size_label.text().startswith("3 steps, ")
    qt_own = ("QHeaderView", "QAbstractButton qt_tableview")
    assert dialog.empty.button.isHidden()
    shown = (dialog.table, dialog.budget, dialog.back_button, dialog.forget_button)
    nameless = [n for control in shown for n in nameless_controls(control)]
    assert [n for n in nameless if not n.startswith(qt_own)] == []
    session.undo()
    qtbot.waitUntil(lambda: lines(dialog)[0] == "paint (undone)")


def test_going_back_a_long_way_leaves_the_window_alive(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.show()
    window.session.open_project(closed_project(tmp_path))
    session, going = window.session, window.commands.going_back
    session.apply(PaintStroke(0, ((5.5, 10.5),), 5, 2))
    session.save()
    marked = session.mask().to_array()
    for number in range(40):
        session.apply(PaintStroke(0, ((5.5 + number, 20.5),), 5, 2 + number % 2))
    monkeypatch.setattr(going_back, "SLICE_S", 0)  # a step at a time
    beats: list[int] = []
    beat = QTimer(window, interval=0)
    beat.timeout.connect(lambda: beats.append(session.history.position))
    beat.start()
    with qtbot.waitSignal(going.arrived) as arrived:
        window.actions_by_id["back_to_checkpoint"].trigger()
    assert arrived.args == [40]
    assert len(set(beats)) > 10
    assert np.array_equal(session.mask().to_array(), marked)
    beat.stop()
    window.commands.going_back.show_history()
    (dialog,) = window.findChildren(HistoryDialog)
    dialog.go_back_requested.emit(0)
    qtbot.waitUntil(lambda: session.history.position == 0)
    assert session.mask().is_empty
    window.close()


def test_something_painted_meanwhile_ends_going_back(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.session.open_project(closed_project(tmp_path))
    session = window.session
    for number in range(10):
        session.apply(PaintStroke(0, ((5.5 + 3 * number, 20.5),), 5, 2))
    monkeypatch.setattr(going_back, "SLICE_S", 0)
    window.commands.going_back.to(0)
    assert session.history.position == 9
    session.apply(PaintStroke(0, ((50.5, 50.5),), 5, 2))
    with qtbot.waitSignal(window.commands.going_back.arrived):
        pass
    assert len(session.history) == 10
    window.close()


def closed_project(folder: Path) -> Path:
    session = open_session(folder)
    path = session.path
    assert path is not None
    session.close_project()
    return path


def test_going_back_and_forth(dialog: HistoryDialog, session: Session) -> None:
    assert not dialog.back_button.isEnabled()
    dialog.table.selectRow(0)
    assert not dialog.back_button.isEnabled()  # that is where we are
    dialog.table.selectRow(len(dialog.model.rows) - 1)
    dialog.back_button.click()
    assert session.mask().is_empty
    assert session.history.position == 0
    dialog.table.selectRow(0)
    assert not dialog.back_button.isEnabled()
    for _ in range(3):
        session.redo()
    assert session.mask().counts()[2] > 0


def test_the_limit_is_kept_and_remembered(dialog: HistoryDialog, session: Session) -> None:
    dialog.budget.setValue(2.5)
    dialog.budget.editingFinished.emit()
    assert dialog.settings.undo_budget_mb == 2560
    assert session.undo_budget_bytes == 2560 << 20
    assert session.file is not None
    assert session.file.history_budget == 2560 << 20


def test_a_limit_that_takes_steps_away_asks_first(
    dialog: HistoryDialog, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(History, "size_bytes", property(lambda _: 3 << 30))
    asked: list[int] = []
    monkeypatch.setattr(dialog, "ask_to_shorten", lambda excess: asked.append(excess))
    dialog.budget.setValue(2)
    dialog.budget.editingFinished.emit()
    assert asked == [1 << 30]
    assert dialog.budget.value() == 1
    assert dialog.settings.undo_budget_mb == 1024
    assert session.undo_budget_bytes == 1 << 30
    monkeypatch.setattr(dialog, "ask_to_shorten", lambda _: True)
    dialog.budget.setValue(2)
    dialog.budget.editingFinished.emit()
    assert session.undo_budget_bytes == 2 << 30


def test_only_the_lines_in_sight_are_put_into_words(
    session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = session.history.undoable()[0]
    many = [replace(step, number=n) for n in range(1, 50_001)]
    history = History()
    history.restore(many, (), 50_000)
    monkeypatch.setattr(type(session), "history", property(lambda _: history))
    put: list[str] = []
    monkeypatch.setattr(history_dialog, "when", lambda made: put.append(made) or "")
    dialog = HistoryDialog(session, Settings())
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitExposed(dialog)
    dialog.grab()
    assert dialog.model.rowCount() == 50_001
    assert 0 < len(put) < 500


def test_the_keyboard_does_it_all(dialog: HistoryDialog, session: Session, qtbot: QtBot) -> None:
    dialog.activateWindow()
    dialog.table.setFocus()
    qtbot.waitUntil(dialog.table.hasFocus)
    for _ in range(3):
        qtbot.keyClick(dialog.table, Qt.Key.Key_Down)
    reached = []
    for _ in range(4):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        reached.append(QApplication.focusWidget())
    assert reached == [
        dialog.budget,
        dialog.back_button,
        dialog.forget_button,
        dialog.close_button,
    ]
    dialog.back_button.setFocus()
    qtbot.keyClick(dialog.back_button, Qt.Key.Key_Space)
    assert len(session.history) < 3
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def test_forgetting_asks_first(
    dialog: HistoryDialog, session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted = session.mask().to_array()
    monkeypatch.setattr(dialog, "confirm", lambda: False)
    dialog.forget_button.click()
    assert len(session.history) == 3
    monkeypatch.setattr(dialog, "confirm", lambda: True)
    dialog.forget_button.click()
    assert len(session.history) == 0
    qtbot.waitUntil(lambda: lines(dialog) == [])
    assert dialog.empty.isVisible()
    assert dialog.empty.words.text().startswith("Nothing to undo yet.")
    assert dialog.size_label.text() == "0 steps"
    assert not dialog.forget_button.isEnabled()
    assert np.array_equal(session.mask().to_array(), painted)


def test_it_closes_with_its_project(dialog: HistoryDialog, session: Session) -> None:
    session.close_project()
    assert not dialog.isVisible()


def test_moments_in_words() -> None:
    assert when("") == ""
    assert when("2020-03-04T05:06:07+00:00").startswith("04 Mar 2020")
