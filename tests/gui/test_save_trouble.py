"""What a person reads when something is not saved."""

from __future__ import annotations

import errno
import sqlite3
from datetime import datetime
from pathlib import Path

import pytest

from orgseg_app.files import atomic
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.store.journal_rows import JournalError
from orgseg_app.gui.editing.save_trouble import (
    COMMIT,
    FOLD,
    Trouble,
    first_reason,
    free_bytes,
    reason_of,
    size_words,
)

SINCE = datetime(2026, 11, 21, 14, 32, 40).astimezone()


def trouble(kind: str = COMMIT, **facts: object) -> Trouble:
    known: dict[str, object] = {
        "reason": "the disk is full",
        "edits": 3,
        "since": SINCE,
        "log_name": "cells.orgseg-journal",
        "project_name": "cells.orgseg",
    }
    return Trouble(kind, **{**known, **facts})  # type: ignore[arg-type]


def test_what_is_only_in_memory_and_what_is_safe() -> None:
    assert trouble().title == "NOT SAVED: the disk is full."
    assert trouble().text == (
        "Your last 3 strokes are only in memory; everything before 14:32 is safe in "
        "cells.orgseg-journal."
    )
    assert not trouble().is_safe


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"edits": 1}, "Your last stroke is only in memory;"),
        ({"edits": 0, "facts": True}, "Your last change of names or classes is only in memory;"),
        ({"edits": 2, "facts": True}, "only in memory, with a change of names or classes;"),
        ({"free_bytes": 0}, "0\u2009MB free on the disk."),
        ({"is_paused": True}, "Painting pauses until they are saved."),
        ({"reason": "", "sentence": "It went wrong."}, "It went wrong. Your last 3 strokes are"),
        ({"is_gone": True, "free_bytes": 5}, "is in cells.orgseg-journal, in that folder."),
    ],
)
def test_the_words_follow_the_facts(facts: dict[str, object], words: str) -> None:
    assert words in trouble(**facts).text


def test_only_the_project_file_cannot_be_written() -> None:
    said = trouble(FOLD)
    assert said.is_safe
    assert said.title == "“cells.orgseg” could not be written: the disk is full."
    assert said.text.startswith("Your strokes are safe in cells.orgseg-journal")
    assert "NOT SAVED" not in said.title + said.text


def caused_by(cause: BaseException) -> ProjectError:
    try:
        raise ProjectError("Not saved.") from cause
    except ProjectError as error:
        return error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (caused_by(OSError(errno.ENOSPC, "no space")), "the disk is full"),
        (caused_by(OSError(errno.EROFS, "ro")), "there is no permission to write there"),
        (caused_by(OSError(errno.EIO, "Input/output error")), "input/output error"),
        (caused_by(JournalError("the disk is full")), "the disk is full"),
        (caused_by(atomic.SpaceError("no room")), "the disk is full"),
        (caused_by(caused_by(OSError(errno.EDQUOT, "quota"))), "the disk is full"),
        (ProjectError("Another program changed it."), ""),
        (caused_by(sqlite3.OperationalError("odd")), ""),
    ],
)
def test_the_reason_is_found_behind_the_error(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


def test_room_on_a_disk_that_is_gone(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "gone" / "x.orgseg") is None
    assert free_bytes(tmp_path / "x.orgseg")


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 MB"), (400, "1 KB"), (12_300, "12 KB"), (12.4e6, "12 MB"), (1.44e9, "1.4 GB")],
)
def test_sizes_in_words(count: float, words: str) -> None:
    assert size_words(count).replace("\u2009", " ") == words


def test_a_project_that_another_window_took_over() -> None:
    reason = first_reason(
        "“a b.orgseg” was opened by ben on PC-4 at 10:42, because this computer gave no sign of "
        "life for a minute. Here it can only be looked at now."
    )
    for kind in (COMMIT, FOLD):
        lost = Trouble(kind, reason, "The sentence.", edits=2, is_lost=True)
        assert not lost.is_safe
        assert lost.title.startswith("NOT SAVED: “a b.orgseg” was opened by ben on PC-4")
        assert "Your last 2 strokes are only in memory." in lost.text
        assert lost.text.endswith("Save a copy under another name to keep your work.")
        assert "free on the disk" not in lost.text
    words = Trouble(FOLD, reason, is_lost=True).text
    assert "only in memory" not in words  # nothing is
    assert "since it was last saved" in words
