"""“Restore from a backup…”: what differs is seen, chosen, brought back, and undone again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from orgseg_app import settings
from orgseg_app.core.edits.strokes import PaintStroke
from orgseg_app.core.edits.whole import ClearMask
from orgseg_app.files.backups import backup, differences, restore
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.gui.panels.restore_panel import RestorePanel
from tests.files.damaging import break_list, damage_block
from tests.files.projects import back_up, big_project, fill, masks, only
from tests.gui.panel_session import nameless_controls

COUNT = 3


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three images, backed up; then painted over with one class, the last one excepted."""
    made = tmp_path / "cells ü.orgseg"
    with big_project(made, COUNT) as file:
        back_up(file, backup.OPENED)
        last = list(file.project.images)[-1]
        kept = file.mask(last).to_array()
        fill(file, 2)
        file.mask(last).write(0, 0, 0, kept[0])
        file.save()
    return made


@pytest.fixture
def window(qtbot: QtBot) -> MainWindow:
    window = MainWindow(settings.load())
    qtbot.addWidget(window)
    window.show()
    return window


def open_panel(window: MainWindow, qtbot: QtBot) -> RestorePanel:
    """Choose the action, and wait until everything is compared and shown."""
    window.actions_by_id["restore_backup"].trigger()
    panel = window.commands.restoring.panel
    assert panel is not None
    qtbot.waitUntil(
        lambda: panel.heading.text().endswith(("from now", "this backup")), timeout=9000
    )
    qtbot.waitUntil(lambda: window.commands.restoring.looking.is_idle)
    return panel


def restore_now(window: MainWindow, panel: RestorePanel, qtbot: QtBot) -> list[str]:
    """Press Restore and wait for the end; what is said then."""
    said: list[str] = []
    window.session.message.connect(lambda text, level: said.append(text))
    with qtbot.waitSignal(window.commands.restoring.ended):
        panel.restore_button.click()
    return said


def now(window: MainWindow) -> dict[str, np.ndarray]:
    assert window.session.file is not None
    return masks(window.session.file)


def then(path: Path) -> dict[str, np.ndarray]:
    """The masks of the oldest backup."""
    return held(backup.list_backups(path)[-1])


def held(found: backup.Backup) -> dict[str, np.ndarray]:
    """The masks of a backup."""
    with backup.opened_backup(found.path) as file:
        return {
            i.name: backup.read_mask(file, i.image_id).to_array() for i in found.images.values()
        }


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def test_all_that_differs_comes_back_and_goes_again(
    window: MainWindow, path: Path, qtbot: QtBot
) -> None:
    window.commands.open_path(path)
    before = now(window)
    panel = open_panel(window, qtbot)
    assert panel.heading.text().endswith("2 of 3 images differ from now")
    assert panel.restore_button.text() == "Restore 2 images"
    lines = panel.backups.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert lines.startswith("Today, ")
    assert "3 images · " in lines
    assert "% painted · on opening" in lines
    assert lines.endswith("2 differ")
    assert panel.preview.pictures.has_pictures()
    assert nameless_controls(panel) == []
    (said,) = restore_now(window, panel, qtbot)
    assert said.startswith("2 masks restored from the backup of today, ")
    qtbot.waitUntil(lambda: not panel.isVisible())
    assert same(now(window), then(path))
    # Before the restoring, or on opening where that was done by then: nothing had changed since.
    backups = [held(kept) for kept in backup.list_backups(path)]
    assert any(same(one, before) for one in backups), "what was there before is kept, too"
    window.session.undo()
    window.session.undo()
    assert same(now(window), before)
    window.session.redo()
    window.session.redo()
    assert same(now(window), then(path))
    window.actions_by_id["back_to_checkpoint"].trigger()
    qtbot.waitUntil(lambda: same(now(window), before))  # in one step


def test_one_image_by_keyboard(window: MainWindow, path: Path, qtbot: QtBot) -> None:
    window.commands.open_path(path)
    before = now(window)
    panel = open_panel(window, qtbot)
    panel.images_list.setFocus()
    QTest.keyClick(panel.images_list, Qt.Key.Key_Space)
    assert panel.restore_button.text() == "Restore 1 image"
    QTest.keyClick(panel.images_list, Qt.Key.Key_Down)
    QTest.keyClick(panel.images_list, Qt.Key.Key_Space)
    assert not panel.restore_button.isEnabled()
    QTest.keyClick(panel.images_list, Qt.Key.Key_Space)
    with qtbot.waitSignal(window.commands.restoring.ended):
        QTest.keyClick(panel, Qt.Key.Key_Return)
    wanted = before | {"big 1": then(path)["big 1"]}
    assert same(now(window), wanted)
    window.session.file.save()
    window.commands.close_project()
    with ProjectFile.open(path) as file:
        assert same(masks(file), wanted)
        assert [s.title for s in file.history.undoable()] == ["restore"]


def test_esc_closes_and_changes_nothing(window: MainWindow, path: Path, qtbot: QtBot) -> None:
    window.commands.open_path(path)
    before = now(window)
    panel = open_panel(window, qtbot)
    QTest.keyClick(panel, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not panel.isVisible())
    assert same(now(window), before)
    assert len(window.session.history) == 0


def test_stopping_leaves_the_rest_alone(
    window: MainWindow, path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window.commands.open_path(path)
    before = now(window)
    panel = open_panel(window, qtbot)
    read, stop = restore.read_masks, window.commands.restoring.cancel

    def stopping(*arguments: object) -> object:
        for number, found in enumerate(read(*arguments)):
            if number == 1:
                stop()
            yield found

    monkeypatch.setattr(restore, "read_masks", stopping)
    (said,) = restore_now(window, panel, qtbot)
    assert said == "Stopped. 1 mask restored before. Undo takes it back."
    wanted = before | {"big 0": then(path)["big 0"]}
    assert same(now(window), wanted)
    window.session.undo()
    assert same(now(window), before)


def test_the_windows_thread_reads_nothing(
    window: MainWindow, path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[int] = set()

    def noting(function: Callable[..., object]) -> Callable[..., object]:
        def noted(*arguments: object, **named: object) -> object:
            threads.add(threading.get_ident())
            return function(*arguments, **named)

        return noted

    for module, name in (
        (backup, "list_backups"),
        (differences, "current_digests"),
        (differences, "preview"),
        (restore, "read_mask"),
        (restore, "ready_change"),
    ):
        monkeypatch.setattr(module, name, noting(getattr(module, name)))
    window.commands.open_path(path)
    panel = open_panel(window, qtbot)
    restore_now(window, panel, qtbot)
    assert threads
    assert threading.get_ident() not in threads


def test_painting_while_it_is_read_is_not_lost_to_undo(
    window: MainWindow, path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stroke between reading and restoring: the mask comes back, undo leads to the stroke."""
    window.commands.open_path(path)
    session = window.session
    panel = open_panel(window, qtbot)
    first = only(session.file)
    stroke = PaintStroke(0, ((300.0, 300.0), (320.0, 400.0)), 30, 1)
    apply_ready = session.apply_ready
    painted: list[np.ndarray] = []

    def late(edit: object, ready: object) -> object:
        if not painted:
            session.apply(stroke, first)
            painted.append(session.mask(first).to_array())
        return apply_ready(edit, ready)

    monkeypatch.setattr(session, "apply_ready", late)
    panel.images.check_all(False)
    panel.images.setData(
        panel.images.index(0), Qt.CheckState.Checked, Qt.ItemDataRole.CheckStateRole
    )
    restore_now(window, panel, qtbot)
    assert np.array_equal(session.mask(first).to_array(), then(path)["big 0"])
    session.undo()
    assert np.array_equal(session.mask(first).to_array(), painted[0])


def test_closing_does_not_wait_for_a_preview(
    window: MainWindow, path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, asked = threading.Event(), threading.Event()

    def slow(*_: object) -> None:
        asked.set()
        go_on.wait(20)

    monkeypatch.setattr(differences, "preview", slow)
    window.commands.open_path(path)
    window.actions_by_id["restore_backup"].trigger()
    panel = window.commands.restoring.panel
    assert panel is not None
    qtbot.waitUntil(asked.is_set)
    begun = time.monotonic()
    panel.close()
    took = time.monotonic() - begun
    go_on.set()
    assert took < 1.0
    qtbot.waitUntil(lambda: window.commands.restoring.looking.is_idle)


def test_no_backups_yet_says_when_the_first_is_made(
    window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "new.orgseg"
    big_project(path, 1).close()
    window.commands.open_path(path)
    window.backing_up._soon.stop()
    window.actions_by_id["restore_backup"].trigger()
    panel = window.commands.restoring.panel
    assert panel is not None
    qtbot.waitUntil(lambda: panel.heading.text() == "No backups yet")
    at = window.backing_up.next_at
    assert at is not None
    near = {f"{at + timedelta(minutes=m):%H:%M}" for m in (-1, 0)}
    words = panel.preview.pictures._words
    assert any(f"The first one is made at {moment}." in words for moment in near), words
    assert not panel.restore_button.isVisible()
    panel.close()


def test_who_only_looks_restores_nothing(window: MainWindow, path: Path, qtbot: QtBot) -> None:
    window.session.open_project(path, read_only=True)
    panel = open_panel(window, qtbot)
    assert not panel.restore_button.isEnabled()
    window.commands.restoring.restore(panel.backups.backups[0], ["x"], False)
    qtbot.waitUntil(lambda: window.session.background.is_idle)
    panel.close()


def test_a_backup_from_elsewhere(
    window: MainWindow, path: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    """A project that lost its backups takes one from another folder, images by their voxels."""
    kept = tmp_path / "kept.h5"
    found = backup.list_backups(path)[-1]
    kept.write_bytes(found.path.read_bytes())
    wanted = then(path)
    found.path.unlink()
    window.commands.open_path(path)
    window.backing_up._soon.stop()
    window.actions_by_id["restore_backup"].trigger()
    panel = window.commands.restoring.panel
    assert panel is not None
    qtbot.waitUntil(lambda: panel.heading.text() == "No backups yet")
    panel.add_backup(kept)
    qtbot.waitUntil(lambda: panel.heading.text().endswith("from now"))
    assert panel.restore_button.isVisible()
    restore_now(window, panel, qtbot)
    assert same(now(window), wanted)


def test_damage_is_said_and_put_right(window: MainWindow, path: Path, qtbot: QtBot) -> None:
    with ProjectFile.open(path) as file:
        back_up(file)
        before, first = masks(file), only(file)
    damage_block(path, f"images/{first}/mask", (0, 256, 512))
    window.commands.open_path(path)
    banner = window.backing_up.damage
    qtbot.waitUntil(banner.isVisible)
    assert "mask of “big 0”, plane 1, block row 1 column 2" in banner.title.text()
    assert "Everything else can be used." in banner.words.text()
    assert not same(now(window), before)
    (button,) = banner.buttons
    assert button.text() == "Restore from a backup…"
    button.click()
    panel = window.commands.restoring.panel
    assert panel is not None
    qtbot.waitUntil(lambda: panel.restore_button.isEnabled())
    assert panel.images.checked() == [first]
    restore_now(window, panel, qtbot)
    assert same(now(window), before)
    assert not banner.isVisible()
    window.commands.close_project()
    with ProjectFile.open(path) as file:
        assert same(masks(file), before)
        assert file.damages == []


def test_a_mask_beyond_reading_is_made_anew(window: MainWindow, path: Path, qtbot: QtBot) -> None:
    with ProjectFile.open(path) as file:
        back_up(file)
        before, first = masks(file), only(file)
    break_list(path, f"images/{first}/mask")
    window.commands.open_path(path)
    panel = open_panel(window, qtbot)
    assert panel.images.checked() == [first]
    restore_now(window, panel, qtbot)
    assert same(now(window), before)
    window.session.select_image(first)
    assert window.session.can_edit
    assert window.session.apply(ClearMask(0)) is not None


def test_a_project_that_cannot_be_opened_is_started_anew(
    window: MainWindow, path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = then(path)
    with ProjectFile.open(path) as file:
        again = [NewImage(file.opened_image(i)) for i in file.project.images]
        for item in again:
            item.opened.name = f"new {item.opened.name}"
        path.with_name("images.orgseg").unlink(missing_ok=True)
        with ProjectFile.create(path.with_name("images.orgseg"), file.project.classes) as other:
            other.add_images(again)
    path.write_bytes(path.read_bytes()[:20_000])
    window.commands.open_path(path)
    banner = window.backing_up.broken
    qtbot.waitUntil(banner.isVisible)
    assert banner.title.text() == "“cells ü.orgseg” cannot be opened, but there is a backup."
    assert "masks of 3 images" in banner.words.text()
    new = path.with_name("cells new.orgseg")
    monkeypatch.setattr(window.commands, "ask_new_project", lambda name, folder: new)
    banner.buttons[0].click()
    assert window.session.path == new
    with ProjectFile.open(path.with_name("images.orgseg"), read_only=True) as other:
        items = [NewImage(other.opened_image(i)) for i in other.project.images]
        window.session.file.add_images(items)
    window.session.images_changed.emit()
    panel = open_panel(window, qtbot)
    assert panel.restore_button.text() == "Restore 3 images"
    restore_now(window, panel, qtbot)
    assert same(now(window), {f"new {name}": mask for name, mask in wanted.items()})
