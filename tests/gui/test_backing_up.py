"""Backups by themselves while the window is in use, when it closes, and room won back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from orgseg_app import settings
from orgseg_app.core.edits.strokes import PaintStroke
from orgseg_app.files.backups import backing_up as making
from orgseg_app.files.backups import backup
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.store import storage
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.gui.project import backing_up
from tests.files.projects import big_project, drafts, masks, only, small_project


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backing_up, "FIRST_MS", 20)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "cells ü.orgseg"
    big_project(made, 2).close()
    return made


@pytest.fixture
def window(qtbot: QtBot) -> MainWindow:
    window = MainWindow(settings.load())
    qtbot.addWidget(window)
    window.show()
    return window


def reasons(path: Path) -> list[str]:
    """Why each backup was made, oldest first; all of them read back."""
    found = backup.list_backups(path)[::-1]
    assert all(making.check_backup(item) == "" for item in found)
    return [item.reason for item in found]


def settle(window: MainWindow, qtbot: QtBot) -> None:
    """Wait until nothing is under way, nor about to be."""
    works = window.session.background, window.backing_up.background
    for _ in range(3):
        qtbot.waitUntil(lambda: all(work.is_idle for work in works))
        qtbot.wait(10)


def opened(window: MainWindow, path: Path, qtbot: QtBot) -> None:
    """Open a project and wait for its first backup."""
    window.commands.open_path(path)
    qtbot.waitUntil(lambda: bool(backup.list_backups(path)))
    settle(window, qtbot)


def stroke(window: MainWindow, class_id: int = 3) -> None:
    window.session.apply(PaintStroke(0, ((100.0, 100.0), (300.0, 400.0)), 40, class_id))


def test_on_opening_while_working_and_on_closing(
    window: MainWindow, path: Path, qtbot: QtBot
) -> None:
    opened(window, path, qtbot)
    window.backing_up.back_up()
    settle(window, qtbot)
    assert reasons(path) == ["opened"], "nothing has changed since"
    stroke(window)
    window.backing_up._often.timeout.emit()
    settle(window, qtbot)
    assert reasons(path) == ["opened", "worked"]
    stroke(window, 2)
    wanted = masks(window.session.file)
    window.close()
    assert reasons(path) == ["opened", "worked", "closed"]
    newest = backup.list_backups(path)[0]
    with backup.opened_backup(newest.path) as file:
        for image in newest.images.values():
            kept = backup.read_mask(file, image.image_id).to_array()
            assert np.array_equal(kept, wanted[image.name])


def test_the_half_hour_is_counted(window: MainWindow, path: Path, qtbot: QtBot) -> None:
    opened(window, path, qtbot)
    timer = window.backing_up._often
    assert timer.isActive()
    assert timer.interval() == 30 * 60_000
    at = window.backing_up.next_at
    assert at is not None
    window.commands.close_project()
    assert not timer.isActive()
    assert window.backing_up.next_at is None


def test_one_at_a_time_and_never_in_the_windows_thread(
    window: MainWindow, path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, most, threads = [0], [0], set()
    make = making.make_backup

    def watched(*arguments: object) -> object:
        at_work[0] += 1
        most[0] = max(most[0], at_work[0])
        threads.add(threading.get_ident())
        try:
            time.sleep(0.05)
            return make(*arguments)
        finally:
            at_work[0] -= 1

    monkeypatch.setattr(making, "make_backup", watched)
    opened(window, path, qtbot)
    for number in range(4):
        stroke(window, 1 + number % 3)
        window.backing_up.back_up()
        qtbot.wait(5)
    window.close()
    assert most == [1]
    assert threading.get_ident() not in threads


def test_closing_does_not_wait_for_a_long_one(
    window: MainWindow, path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next opening makes it."""
    opened(window, path, qtbot)
    monkeypatch.setattr(backing_up, "CLOSING_S", 0.15)
    slow = making._take_image

    def slowly(reading: Callable[[], object], *arguments: object, **named: object) -> object:
        for _ in range(200):
            time.sleep(0.02)
            with reading():
                pass
        return slow(reading, *arguments, **named)

    monkeypatch.setattr(making, "_take_image", slowly)
    stroke(window)
    window.backing_up.back_up()  # one is under way already
    qtbot.waitUntil(lambda: not window.backing_up.background.is_idle)
    wanted = masks(window.session.file)
    begun = time.monotonic()
    window.commands.close_project()
    assert time.monotonic() - begun < 3.0, "two of them take 16 s"
    monkeypatch.setattr(making, "_take_image", slow)
    assert reasons(path) == ["opened"]
    assert drafts(backup.backups_dir(path)) == []
    window.commands.open_path(path)
    qtbot.waitUntil(lambda: len(backup.list_backups(path)) == 2)
    settle(window, qtbot)
    assert reasons(path) == ["opened", "opened"]
    assert all(np.array_equal(v, wanted[k]) for k, v in masks(window.session.file).items())


def test_a_disk_that_refuses_is_said_once_and_stops_nothing(
    window: MainWindow, path: Path, qtbot: QtBot
) -> None:
    backup.backups_dir(path).write_text("no folder")
    said: list[tuple[str, str]] = []
    window.session.message.connect(lambda text, level: said.append((level, text)))
    window.commands.open_path(path)
    qtbot.waitUntil(lambda: bool(said))
    for class_id in (3, 2):
        stroke(window, class_id)
        window.backing_up.back_up()
        settle(window, qtbot)
    ((level, text),) = said
    assert level == "warning"
    assert text.startswith("No backup of “cells ü.orgseg” was made.")
    assert "The project itself is not affected." in text
    assert window.commands.close_project()


def test_who_only_looks_makes_none(window: MainWindow, path: Path, qtbot: QtBot) -> None:
    window.session.open_project(path, read_only=True)
    qtbot.wait(60)
    settle(window, qtbot)
    window.backing_up.back_up()
    window.commands.close_project()
    assert not backup.backups_dir(path).exists()


# -- room ----------------------------------------------------------------------------------------


@pytest.fixture
def holey(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """More than a quarter holds nothing any more; small files count, too."""
    monkeypatch.setattr(storage, "HOLES_BYTES", 100_000)
    monkeypatch.setattr(storage, "MOMENT_BYTES", 0)
    with ProjectFile.open(path) as file:
        file.remove_image(list(file.project.images)[1])
        file.save()
        assert file.holes > 400_000
    return path


def test_compacting_is_offered_and_done(window: MainWindow, holey: Path, qtbot: QtBot) -> None:
    before = holey.stat().st_size
    opened(window, holey, qtbot)
    compacting = window.commands.compacting
    banner = compacting.banner
    assert banner is not None
    assert banner.isVisible()
    assert "hold nothing any more" in banner.title.text()
    said: list[str] = []
    window.session.message.connect(lambda text, level: said.append(text))
    wanted = masks(window.session.file)
    compacting._compact_button.click()
    assert banner.title.text().startswith("Compacting “cells ü.orgseg”")
    qtbot.waitUntil(lambda: bool(said))
    freed = before - holey.stat().st_size
    assert freed > 400_000
    assert said[0].startswith(f"“cells ü.orgseg” is {round(freed / 1e3)}\u2009KB smaller")
    assert not banner.isVisible()
    assert all(np.array_equal(v, wanted[k]) for k, v in masks(window.session.file).items())
    stroke(window)
    window.commands.close_project()


def test_compacting_can_be_cancelled(
    window: MainWindow, holey: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(window, holey, qtbot)
    compacting = window.commands.compacting
    compact = ProjectFile.compact

    def cancelled(file: ProjectFile, progress: Callable[[int, int], bool]) -> bool:
        compacting.cancel()
        return compact(file, progress)

    monkeypatch.setattr(ProjectFile, "compact", cancelled)
    said: list[str] = []
    window.session.message.connect(lambda text, level: said.append(text))
    before = holey.stat().st_size
    compacting.run()
    qtbot.waitUntil(lambda: bool(said))
    assert said == ["Compacting was given up; “cells ü.orgseg” is as it was."]
    assert holey.stat().st_size == before
    assert drafts(holey.parent) == []


def test_the_action_asks_and_says_what_there_is_to_win(
    window: MainWindow, path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(window, path, qtbot)
    said: list[str] = []
    asked: list[str] = []
    window.session.message.connect(lambda text, level: said.append(text))
    monkeypatch.setattr(
        window.commands, "_confirm", lambda title, text, verb: asked.append(text) or False
    )
    window.actions_by_id["compact"].trigger()
    qtbot.waitUntil(lambda: bool(said))
    assert "there is nothing to win back" in said[0]
    assert asked == []
    window.commands.compacting._on_measured(300 << 20, 1 << 30)
    assert "of which 315\u2009MB hold nothing any more" in asked[0]
    settle(window, qtbot)


def test_a_small_one_is_compacted_when_it_is_closed(
    window: MainWindow, holey: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "MOMENT_BYTES", 128 << 20)
    before = holey.stat().st_size
    opened(window, holey, qtbot)
    wanted = masks(window.session.file)
    window.commands.close_project()
    assert holey.stat().st_size < before - 400_000
    with ProjectFile.open(holey) as file:
        assert all(np.array_equal(v, wanted[k]) for k, v in masks(file).items())
        assert file.read_image(only(file)).any()


def test_a_project_without_images_has_nothing_to_back_up(
    window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "empty.orgseg"
    small_project(path, 0).close()
    window.commands.open_path(path)
    qtbot.wait(60)
    settle(window, qtbot)
    window.commands.close_project()
    assert backup.list_backups(path) == []
