"""Commits and fold-ins: what is called saved is, and nothing waits for anything it need not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import ClassInfo
from orgseg_app.core.edits.strokes import PaintStroke
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.store.journal import Journal
from orgseg_app.files.store.journal_rows import JournalError
from orgseg_app.gui.editing.save_trouble import COMMIT, FOLD, STALL
from orgseg_app.gui.editing.saving import (
    COMMITTING,
    FAILED,
    MOST_WAITING,
    READ_ONLY,
    SAVED,
    UNSAVED,
)
from orgseg_app.gui.session import Session
from tests.gui.panel_session import image_id, open_session


@pytest.fixture
def session(tmp_path: Path, qapp: object) -> Iterator[Session]:
    session = open_session(tmp_path)
    yield session
    session.close_project(discard=True)


class Gate:
    """A disk that can be full, or not answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        self.open = threading.Event()
        self.open.set()
        self.count = 0
        append = Journal.append

        def gated(journal: Journal, *arguments: object) -> None:
            self.open.wait(20)
            if self.is_full:
                raise JournalError("the disk is full")
            self.count += 1
            append(journal, *arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(Journal, "append", gated)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(monkeypatch)
    yield gate
    gate.is_full = False
    gate.open.set()


def stroke(session: Session, y: float = 20.5, class_id: int = 2) -> None:
    points = ((y, 10.5), (y, 40.5))
    assert session.apply(PaintStroke(0, points, 3, class_id)) is not None


def settled(session: Session) -> bool:
    return session.saving.is_idle and session.background.is_idle


def stored_mask(session: Session, tmp_path: Path) -> np.ndarray:
    """What a crash at this moment would leave: the files copied, opened elsewhere."""
    import shutil

    assert session.path is not None
    folder = tmp_path / f"crashed {time.monotonic_ns()}"
    folder.mkdir()
    for path in session.path.parent.glob("cells*"):
        if path.is_file() and not path.name.endswith((".lock", "-shm")):
            shutil.copy(path, folder)
    with ProjectFile.open(folder / session.path.name) as file:
        return file.mask(session.image_id).to_array()


def test_saved_is_said_only_once_the_commit_has_returned(
    session: Session, disk: Gate, qtbot: QtBot, tmp_path: Path
) -> None:
    states: list[str] = []
    session.save_state_changed.connect(lambda state, _: states.append(state))
    disk.open.clear()
    stroke(session)
    qtbot.wait(50)
    assert session.save_state == COMMITTING
    assert not stored_mask(session, tmp_path).any()
    disk.open.set()
    qtbot.waitUntil(lambda: session.save_state == SAVED)
    assert states == [COMMITTING, SAVED]
    assert np.array_equal(stored_mask(session, tmp_path), session.mask().to_array())


def test_one_commit_takes_everything_that_has_gathered(
    session: Session, disk: Gate, qtbot: QtBot
) -> None:
    disk.open.clear()
    stroke(session, y=55.5)
    qtbot.waitUntil(lambda: not session.saving.commits.is_idle)
    for number in range(30):
        stroke(session, y=number + 0.5)
    session.rename_project("anders")
    disk.open.set()
    qtbot.waitUntil(lambda: session.save_state == SAVED)
    assert disk.count == 2
    assert not session.file.has_uncommitted  # type: ignore[union-attr]


def test_a_stroke_is_painted_before_its_commit_begins(session: Session, qtbot: QtBot) -> None:
    class Window(QWidget):
        def paintEvent(self, event: QPaintEvent) -> None:
            seen.append((session.save_state, session.saving.commits.is_idle))

    seen: list[tuple[str, bool]] = []
    window = Window()
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(lambda: bool(seen))
    session.mask_changed.connect(lambda *_: window.update())
    seen.clear()
    stroke(session)
    qtbot.waitUntil(lambda: session.save_state == SAVED)
    assert seen[0] == (UNSAVED, True)


def test_closing_at_once_loses_nothing(session: Session, tmp_path: Path) -> None:
    stroke(session)
    path, expected, shown = session.path, session.mask().to_array(), session.image_id
    assert session.close_project()
    assert path is not None
    with ProjectFile.open(path) as file:
        assert np.array_equal(file.mask(shown).to_array(), expected)


def test_a_commit_does_not_wait_for_a_long_import(session: Session, qtbot: QtBot) -> None:
    go = threading.Event()
    session.background.start("Importing", lambda task: go.wait(20))
    stroke(session)
    qtbot.waitUntil(lambda: session.save_state == SAVED)
    assert not session.background.is_idle
    go.set()
    qtbot.waitUntil(lambda: session.background.is_idle)


def test_answers_come_in_the_thread_of_the_window(session: Session, qtbot: QtBot) -> None:
    threads = set()
    session.save_state_changed.connect(lambda *_: threads.add(threading.get_ident()))
    stroke(session)
    qtbot.waitUntil(lambda: session.save_state == SAVED)
    assert threads == {threading.get_ident()}


def test_undo_is_as_durable_as_a_stroke(session: Session, qtbot: QtBot, tmp_path: Path) -> None:
    stroke(session)
    qtbot.waitUntil(lambda: session.save_state == SAVED)
    session.undo()
    assert session.save_state == UNSAVED
    qtbot.waitUntil(lambda: session.save_state == SAVED)
    assert not stored_mask(session, tmp_path).any()


def test_a_reader_says_so(session: Session) -> None:
    path = session.path
    assert path is not None
    session.close_project()
    session.open_project(path, read_only=True)
    assert session.save_state == READ_ONLY
    session.save()
    assert session.save_state == READ_ONLY
    session.undo()
    assert not session.can_edit


# When the disk refuses


def test_a_full_disk_is_told_with_numbers(session: Session, disk: Gate, qtbot: QtBot) -> None:
    disk.is_full = True
    for number in range(3):
        stroke(session, y=number + 0.5)
    qtbot.waitUntil(lambda: session.save_state == FAILED and settled(session))
    trouble = session.saving.trouble
    assert trouble is not None
    assert (trouble.kind, trouble.edits, trouble.reason) == (COMMIT, 3, "the disk is full")
    assert trouble.log_name == "cells ü.orgseg-journal"
    assert trouble.since is not None
    assert trouble.free_bytes
    session.set_split(session.image_id, "test")
    assert session.saving.trouble is not None
    assert session.saving.trouble.facts


def test_it_is_tried_again_by_itself(
    session: Session, disk: Gate, qtbot: QtBot, tmp_path: Path
) -> None:
    session.saving._retry.setInterval(50)
    disk.is_full = True
    stroke(session)
    qtbot.waitUntil(lambda: session.saving.trouble is not None)
    qtbot.wait(200)
    assert session.save_state == FAILED
    disk.is_full = False
    qtbot.waitUntil(lambda: session.save_state == SAVED)
    assert session.saving.trouble is None
    assert np.array_equal(stored_mask(session, tmp_path), session.mask().to_array())


def test_painting_pauses_after_twenty_strokes_and_goes_on(
    session: Session, disk: Gate, qtbot: QtBot, tmp_path: Path
) -> None:
    said: list[str] = []
    session.message.connect(lambda text, level: said.append(text))
    disk.is_full = True
    for number in range(MOST_WAITING):
        assert session.can_edit
        stroke(session, y=number + 0.5)
        qtbot.waitUntil(lambda: session.saving.is_idle)
    before = session.mask().to_array()
    assert session.saving.is_paused
    assert not session.can_edit
    assert session.begin_stroke() is None
    assert session.apply(PaintStroke(0, ((60.5, 5.5),), 3, 2)) is None
    session.undo()
    session.remove_class(2)
    assert np.array_equal(session.mask().to_array(), before)
    assert len(said) == 4
    assert "20 strokes wait to be saved" in said[0]
    disk.is_full = False
    session.saving.try_again()
    qtbot.waitUntil(lambda: session.save_state == SAVED)
    assert session.can_edit
    stroke(session, y=50.5)
    qtbot.waitUntil(lambda: session.save_state == SAVED)
    assert np.array_equal(stored_mask(session, tmp_path), session.mask().to_array())


def test_quick_strokes_on_a_good_disk_never_pause(
    session: Session, disk: Gate, qtbot: QtBot
) -> None:
    disk.open.clear()
    for number in range(2 * MOST_WAITING):
        stroke(session, y=number + 0.5)
    assert session.can_edit
    disk.open.set()
    qtbot.waitUntil(lambda: session.save_state == SAVED)


def test_a_disk_that_does_not_answer(session: Session, disk: Gate, qtbot: QtBot) -> None:
    session.saving._stall.setInterval(50)
    disk.open.clear()
    stroke(session)
    qtbot.waitUntil(lambda: session.saving.trouble is not None)
    assert session.saving.trouble is not None
    assert session.saving.trouble.kind == STALL
    assert session.saving.trouble.edits == 1
    assert session.save_state == FAILED
    for number in range(MOST_WAITING):
        if session.can_edit:
            stroke(session, y=number + 25.5)
    assert session.saving.is_paused
    disk.open.set()
    qtbot.waitUntil(lambda: session.save_state == SAVED)
    assert session.saving.trouble is None


def test_closing_with_something_only_in_memory_is_refused(
    session: Session, disk: Gate, qtbot: QtBot
) -> None:
    disk.is_full = True
    stroke(session)
    assert not session.close_project()
    assert session.file is not None
    assert session.saving.trouble is not None
    assert session.saving.trouble.edits == 1
    disk.is_full = False
    assert session.close_project()


# The project file


def test_the_project_file_is_brought_up_to_date_when_the_hand_rests(
    session: Session, qtbot: QtBot
) -> None:
    session.saving._rest.setInterval(100)
    stroke(session)
    file = session.file
    assert file is not None
    assert file.is_dirty
    qtbot.waitUntil(lambda: not file.is_dirty)
    assert session.save_state == SAVED


def test_and_now_and_then_while_it_does_not(session: Session, qtbot: QtBot) -> None:
    session.saving._longest.setInterval(150)
    file = session.file
    assert file is not None
    for number in range(40):
        stroke(session, y=number % 30 + 0.5, class_id=2 + number // 30)
        qtbot.wait(10)
        if not file.is_dirty:
            break
    else:
        pytest.fail("40 strokes and no fold-in")


def test_a_stroke_under_the_hand_is_not_taken(session: Session, qtbot: QtBot) -> None:
    stroke(session)
    recorder = session.begin_stroke()
    assert recorder is not None
    recorder.paint(0, 50, 10, np.ones((3, 3), bool), 3)
    file = session.file
    assert file is not None
    session.fold_in()
    qtbot.wait(50)
    assert file.is_dirty
    session.end_stroke("paint")
    qtbot.waitUntil(lambda: not file.is_dirty)


def test_a_project_file_that_cannot_be_written(
    session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, fails = ProjectFile.write, [True]

    def failing(file: ProjectFile, pending: object) -> None:
        if fails[0]:
            file._count_as_unsaved(pending)  # type: ignore[arg-type]
            raise ProjectError("It could not be saved.") from OSError(28, "No space left")
        write(file, pending)  # type: ignore[arg-type]

    monkeypatch.setattr(ProjectFile, "write", failing)
    session.saving._retry.setInterval(50)
    stroke(session)
    session.save()
    qtbot.waitUntil(lambda: session.saving.trouble is not None)
    assert session.saving.trouble is not None
    assert session.saving.trouble.kind == FOLD
    assert session.saving.trouble.is_safe
    qtbot.waitUntil(lambda: session.save_state == SAVED)  # of the journal: by another thread
    assert session.can_edit
    fails[0] = False
    qtbot.waitUntil(lambda: session.saving.trouble is None)
    file = session.file
    assert file is not None
    qtbot.waitUntil(lambda: not file.is_dirty)


def test_what_a_crash_left_is_folded_in_soon(
    session: Session, qtbot: QtBot, tmp_path: Path
) -> None:
    stroke(session)
    path = session.path
    assert path is not None
    expected = session.mask().to_array()
    qtbot.waitUntil(lambda: session.save_state == SAVED)
    file = session.file
    assert file is not None
    session.saving.follow(None)
    session.file = None
    file.close()  # without a fold-in, as a crash would
    session.open_project(path)
    assert session.file is not None
    assert session.file.is_dirty
    assert session.saving._rest.isActive()
    assert np.array_equal(session.mask(image_id(session, "img_00")).to_array(), expected)


# History


def test_history_and_checkpoints_survive_a_restart(session: Session, qtbot: QtBot) -> None:
    stroke(session, y=5.5)
    session.save()
    marked = session.mask().to_array()
    stroke(session, y=15.5)
    stroke(session, y=25.5)
    last = session.mask().to_array()
    path = session.path
    assert path is not None
    assert session.close_project()
    session.open_project(path)
    assert session.history.next_undo().title == "paint"  # type: ignore[union-attr]
    mark = session.painting.last_mark()
    assert mark is not None
    assert mark.title.startswith("checkpoint ")
    assert session.history.position == mark.after_step + 2
    session.undo()
    session.undo()
    assert np.array_equal(session.mask().to_array(), marked)
    assert session.painting.last_mark() is None
    session.redo()
    session.redo()
    assert np.array_equal(session.mask().to_array(), last)


def test_saving_twice_sets_one_checkpoint(session: Session) -> None:
    session.save()
    assert session.history.marks == []
    stroke(session)
    session.save()
    session.save()
    assert len(session.history.marks) == 1


def test_a_class_deleted_before_a_restart_comes_back_by_undo(
    session: Session, qtbot: QtBot
) -> None:
    session.select_image(image_id(session, "img_01"))
    before = session.mask().to_array()
    known = session.classes
    session.change_class(2, name="Retikulum", colour="#123456")
    session.remove_class(2)
    assert [c.class_id for c in session.classes] == [1, 3]
    path, shown = session.path, session.image_id
    assert path is not None
    assert session.close_project()
    session.open_project(path)
    assert session.add_class("neu") == 4  # not the number of the one that may come back
    session.undo()
    assert session.image_id == shown
    assert np.array_equal(session.mask().to_array(), before)
    assert session.classes[1] == ClassInfo(2, "Retikulum", "#123456")
    assert len(known) == 3


def test_the_history_can_be_limited_and_forgotten(session: Session, qtbot: QtBot) -> None:
    for number in range(10):
        stroke(session, y=number + 0.5)
    painted = session.mask().to_array()
    session.set_undo_budget(session.history.size_bytes // 2)
    qtbot.waitUntil(lambda: session.save_state == SAVED)
    assert 0 < len(session.history) < 10
    session.forget_history()
    qtbot.waitUntil(lambda: session.save_state == SAVED)
    assert len(session.history) == 0
    path = session.path
    assert path is not None
    assert session.close_project()
    session.open_project(path)
    assert session.history.next_undo() is None
    assert np.array_equal(session.mask().to_array(), painted)


def test_an_edit_the_store_refuses_leaves_no_trace(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ProjectError("No.")

    monkeypatch.setattr(ProjectFile, "note_change", refuse)
    before = session.mask().to_array()
    with pytest.raises(ProjectError):
        session.apply(PaintStroke(0, ((20.5, 10.5),), 9, 2))
    assert np.array_equal(session.mask().to_array(), before)
