"""“Pack…”: runs are chosen, the size is told, the file is written beside everything else."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLabel
from pytestqt.qtbot import QtBot

from orgseg_app import cli, settings
from orgseg_app.core.classes import default_classes
from orgseg_app.files import unpacking
from orgseg_app.files.packing import pack
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.gui.panels.pack_dialog import PackableRun, PackDialog
from orgseg_app.gui.project.packing import bytes_inside, packable
from orgseg_app.gui.style.widgets import plain_tip
from orgseg_app.runs.folder import find_run, list_runs, runs_dir
from orgseg_app.runs.packing import to_pack
from tests.files.projects import small_project
from tests.gui.panel_session import nameless_controls
from tests.runs.test_comparison import make_run, random_pair

LEFT = Qt.MouseButton.LeftButton
MEGABYTE = 10**6


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A project with two finished runs."""
    path = tmp_path / "cells ü.orgseg"
    small_project(path, 2).close()
    for number, name in enumerate(("<b>fast</b>", "good")):
        run = make_run(runs_dir(path), name, {"v": random_pair(number)}, split="validation")
        run.best_path.write_bytes(bytes(3 * MEGABYTE))
        run.snapshot_path.write_bytes(bytes((number + 1) * MEGABYTE))
    return path


@pytest.fixture
def window(path: Path, qtbot: QtBot) -> MainWindow:
    window = MainWindow(settings.load())
    qtbot.addWidget(window)
    window.show()
    window.commands.open_path(path)
    return window


def open_dialog(window: MainWindow, qtbot: QtBot) -> PackDialog:
    window.actions_by_id["pack"].trigger()
    dialog = window.commands.packing.dialog
    assert dialog is not None
    qtbot.waitUntil(lambda: bool(dialog.runs))
    return dialog


def names(dialog: PackDialog) -> list[str]:
    return [run.name for run in dialog.chosen()]


def test_sizes_follow_what_is_ticked(qtbot: QtBot) -> None:
    dialog = PackDialog(10 * MEGABYTE)
    qtbot.addWidget(dialog)
    runs = [
        PackableRun("a" * 12, "one", 0.5, 20 * MEGABYTE, 300 * MEGABYTE),
        PackableRun("b" * 12, "two", None, 5 * MEGABYTE, 1000 * MEGABYTE, is_best=True),
    ]
    assert not dialog.chosen()
    assert dialog.size_label.text() == "About 10\u2009MB"
    dialog.show_runs(runs, at_work=1)
    assert names(dialog) == ["one", "two"]
    assert "1 still learning" in dialog.waiting.text()
    assert dialog.size_label.text() == "About 35\u2009MB"
    assert "1.3\u2009GB" in dialog.training.text()
    dialog.training.setChecked(True)
    assert dialog.size_label.text() == "About 1.3\u2009GB"
    QTest.mouseClick(dialog.best_button, LEFT)
    assert names(dialog) == ["two"]
    QTest.mouseClick(dialog.none_button, LEFT)
    assert names(dialog) == []
    assert dialog.size_label.text() == "About 10\u2009MB"
    QTest.mouseClick(dialog.all_button, LEFT)
    dialog.training.setChecked(False)
    dialog.table.item(0, 0).setCheckState(Qt.CheckState.Unchecked)
    assert names(dialog) == ["two"]
    with qtbot.waitSignal(dialog.pack_requested) as asked:
        QTest.mouseClick(dialog.pack_button, LEFT)
    assert asked.args == [["b" * 12], False]


def test_nothing_can_be_chosen_before_the_runs_are_known(qtbot: QtBot) -> None:
    dialog = PackDialog(MEGABYTE)
    qtbot.addWidget(dialog)
    choices = [dialog.all_button, dialog.best_button, dialog.none_button, dialog.training]
    assert not any(choice.isEnabled() for choice in choices)
    assert dialog.pack_button.isEnabled()  # the images can go without
    dialog.show_runs([PackableRun("a" * 12, "one", None, MEGABYTE, MEGABYTE)])
    assert [choice.isEnabled() for choice in choices] == [True, False, True, True]
    for column in (1, 2):
        title, figure = dialog.table.horizontalHeaderItem(column), dialog.table.item(0, column)
        assert title.textAlignment() == figure.textAlignment()


def test_linked_images_count(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "large.tif", np.zeros((300, 400), np.uint16))
    path = tmp_path / "p.orgseg"
    with ProjectFile.create(path, default_classes(["cell"])):
        pass
    assert cli.main(["import", str(path), str(tmp_path / "large.tif"), "--link"]) == 0
    with ProjectFile.open(path, read_only=True) as file:
        assert bytes_inside(file) == file.storage_bytes + 300 * 400 * 2


def test_everything_has_a_name_and_no_text_is_markup(window: MainWindow, qtbot: QtBot) -> None:
    dialog = open_dialog(window, qtbot)
    assert nameless_controls(dialog) == []
    assert names(dialog) == ["<b>fast</b>", "good"]
    assert all(
        label.textFormat() == Qt.TextFormat.PlainText for label in dialog.findChildren(QLabel)
    )
    tip = dialog.table.item(0, 0).toolTip()
    assert tip != "<b>fast</b>"
    assert tip == plain_tip("<b>fast</b>")


def test_a_project_is_packed_while_painting_goes_on(
    window: MainWindow,
    path: Path,
    tmp_path: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = tmp_path / "mail" / "for Anna.orgseg"
    target.parent.mkdir()
    dialog = open_dialog(window, qtbot)
    assert window.isEnabled()
    file = window.session.file
    assert file is not None
    image_id = window.session.image_id
    window.backing_up._soon.stop()  # a backup, due on a busy machine, would save what is painted
    file.mask(image_id).write(0, 0, 0, np.full((9, 9), 3, np.uint8))  # not saved
    monkeypatch.setattr(
        QFileDialog, "getSaveFileName", lambda *_: (str(target.with_suffix("")), "")
    )
    dialog.table.item(0, 0).setCheckState(Qt.CheckState.Unchecked)
    QTest.mouseClick(dialog.pack_button, LEFT)
    qtbot.waitUntil(lambda: not dialog.progress.is_working and dialog.progress.isVisible())
    assert "2 images and 1 run" in dialog.progress.outcome.text()
    assert "MB" in dialog.progress.outcome.text()
    assert dialog.pack_button.isEnabled()
    with ProjectFile.open(target) as packed:
        assert packed.mask(image_id).counts() == file.mask(image_id).counts()
    assert [run.name for run in list_runs(target)] == ["good"]
    assert not find_run(target, "good").snapshot_path.exists()

    dialog.training.setChecked(True)
    QTest.mouseClick(dialog.pack_button, LEFT)  # over the first, as the file dialog allowed
    qtbot.waitUntil(lambda: not dialog.progress.is_working)
    assert "and 1 run" in dialog.progress.outcome.text()

    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    window.session.fold_in()  # as is done by itself after 20 s, which a busy machine takes
    qtbot.waitUntil(lambda: window.session.background.is_idle)
    before = path.read_bytes()
    QTest.mouseClick(dialog.pack_button, LEFT)
    qtbot.waitUntil(lambda: not dialog.progress.is_working)
    assert "the project itself" in dialog.progress.outcome.text()
    assert path.read_bytes() == before
    window.close()


@pytest.fixture
def received(path: Path, tmp_path: Path) -> Path:
    """A packed project with both runs inside, as it arrived."""
    target = tmp_path / "received" / "p.orgseg"
    target.parent.mkdir()
    with ProjectFile.open(path, read_only=True) as file:
        pack(file, target, to_pack(path, list_runs(path), training=True))
    return target


@pytest.fixture
def go_on(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Until it is set, no run is laid out."""
    event, original = threading.Event(), unpacking._lay_out

    def slow(*arguments: Any) -> Any:
        assert event.wait(20)
        return original(*arguments)

    monkeypatch.setattr(unpacking, "_lay_out", slow)
    return event


def test_runs_inside_come_out_beside_the_window(
    received: Path, go_on: threading.Event, qtbot: QtBot
) -> None:
    window = MainWindow(settings.load())
    qtbot.addWidget(window)
    window.show()
    told: list[tuple[str, str]] = []
    window.session.message.connect(lambda *message: told.append(message))
    window.commands.open_path(received)  # comes back although nothing can be laid out yet
    file = window.session.file
    assert file is not None
    go_on.set()
    qtbot.waitUntil(lambda: window.session.background.is_idle)
    assert {run.name for run in list_runs(received)} == {"<b>fast</b>", "good"}
    assert [level for text, level in told if "2 runs that were packed inside" in text] == ["info"]
    assert not unpacking.holds_runs(file)
    window.close()


def test_a_project_closed_before_its_runs_came_out_keeps_them(
    received: Path, go_on: threading.Event, qtbot: QtBot
) -> None:
    window = MainWindow(settings.load())
    qtbot.addWidget(window)
    window.show()
    window.commands.open_path(received)
    threading.Timer(0.3, go_on.set).start()
    window.commands.close_project()
    qtbot.waitUntil(lambda: window.session.background.is_idle)
    window.close()
    with ProjectFile.open(received) as file:
        assert not file.read_only
        assert not unpacking.holds_runs(file)
    assert {run.name for run in list_runs(received)} == {"<b>fast</b>", "good"}
    assert not [p for p in runs_dir(received).iterdir() if ".unpacking" in p.name]


def test_cancelling_and_closing_leave_nothing(
    window: MainWindow, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.orgseg"
    dialog = open_dialog(window, qtbot)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    QTest.mouseClick(dialog.pack_button, LEFT)
    assert not dialog.progress.is_working
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    QTest.mouseClick(dialog.pack_button, LEFT)
    dialog.progress.cancel_button.click()
    qtbot.waitUntil(lambda: not dialog.progress.is_working)
    assert dialog.progress.outcome.text() == "Cancelled; nothing was written."
    assert not target.exists()
    QTest.mouseClick(dialog.pack_button, LEFT)
    dialog.close()
    qtbot.waitUntil(lambda: window.session.background.is_idle)
    assert not target.exists()
    dialog = open_dialog(window, qtbot)
    QTest.mouseClick(dialog.pack_button, LEFT)
    window.commands.close_project()  # which waits a moment for what is nearly done
    qtbot.waitUntil(lambda: window.session.background.is_idle)
    assert window.commands.packing.dialog is None
    if target.exists():
        ProjectFile.open(target).close()
    assert not [p for p in tmp_path.iterdir() if ".saving" in p.name]
    window.close()


def test_what_can_be_packed(path: Path) -> None:
    runs, at_work = packable(path)
    assert at_work == 0
    assert [run.name for run in runs] == ["<b>fast</b>", "good"]
    assert [run.training_bytes for run in runs] == [MEGABYTE, 2 * MEGABYTE]
    assert all(3 * MEGABYTE < run.size_bytes < 3.1 * MEGABYTE for run in runs)
    assert [run.is_best for run in runs].count(True) == 1
    best = max(runs, key=lambda run: run.score)
    assert best.is_best
