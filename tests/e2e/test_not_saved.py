"""The real window when the disk refuses, and when something inside it fails."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.store.journal import Journal
from orgseg_app.files.store.journal_rows import JournalError
from orgseg_app.gui.app import install_excepthook
from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
from orgseg_app.gui.editing.saving import MOST_WAITING
from orgseg_app.gui.header import HeaderBar
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.gui.panels.images_list import ImagesModel
from orgseg_app.gui.session import Session
from orgseg_app.gui.status_line import StatusLine
from tests.e2e.hand import Hand, assert_same, check_sentence, make_project

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def project(folder: Path) -> Path:
    """Three images, nothing painted."""
    return make_project(folder / "Zellen ü.orgseg", side=96, painted=())


class Disk(list[str]):
    """Refuses the journal for the reason in the list, while there is one; answers when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = threading.Event()
        self.answers.set()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    reasons = Disk()
    append = Journal.append

    def refusing(journal: Journal, *arguments: Any) -> None:
        reasons.answers.wait(20)
        if reasons:
            raise JournalError(reasons[0])
        append(journal, *arguments)

    monkeypatch.setattr(Journal, "append", refusing)
    yield reasons
    reasons.clear()
    reasons.answers.set()


def row(hand: Hand, number: int) -> None:
    """A stroke of its own place."""
    y = 0.05 + 0.9 * number / 24
    hand.pen_down(y, 0.1)
    hand.pen_move(y, 0.3)
    hand.pen_up(y, 0.3)


def as_after_a_crash(hand: Hand, tmp_path: Path) -> list[np.ndarray]:
    """The masks that somebody finds who opens the files as they are on the disk now."""
    folder = tmp_path / "crashed"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in hand.session.path.parent.glob(f"{hand.session.path.name}*"):
        if path.is_file() and not path.name.endswith((".lock", "-shm")):
            shutil.copy(path, folder)
    with ProjectFile.open(folder / hand.session.path.name) as file:
        return [file.mask(image_id).to_array() for image_id in file.project.images]


def test_the_banner_says_what_is_safe_and_it_goes_on_by_itself(
    hand: Hand, project: Path, disk: Disk, tmp_path: Path
) -> None:
    hand.open(project)
    hand.session.saving._retry.setInterval(100)
    hand.session.select_class(2)
    row(hand, 0)
    hand.settle()
    safe = hand.session.mask().to_array()
    disk.append("the disk is full")
    for number in (1, 2, 3):
        row(hand, number)
    hand.wait(lambda: hand.session.saving.trouble is not None)
    hand.rest()
    text = hand.warned(
        "NOT SAVED: the disk is full.",
        "Your last 3 strokes are only in memory; everything before ",
        "is safe in Zellen ü.orgseg-journal.",
        "free on the disk.",
    )
    assert "pauses" not in text
    assert hand.parts.header.state.text() == "·  NOT SAVED"
    assert hand.window.banners.trouble.icon.accessibleName() == "Error"
    assert np.array_equal(as_after_a_crash(hand, tmp_path)[0], safe)
    disk.clear()
    hand.wait(lambda: not hand.is_warned)
    assert hand.parts.header.state.text() == "·  saved ✓"
    assert np.array_equal(as_after_a_crash(hand, tmp_path)[0], hand.session.mask().to_array())
    hand.goes_on()
    hand.quiet()


def test_the_picture_does_not_move_under_the_pen(hand: Hand, project: Path, disk: Disk) -> None:
    hand.open(project)
    hand.session.select_class(2)
    disk.append("the disk is full")
    disk.answers.clear()
    row(hand, 0)
    hand.pen_down(0.5, 0.2)
    disk.answers.set()
    hand.wait(lambda: hand.session.saving.trouble is not None)
    place = hand.parts.canvas.mapTo(hand.window, hand.parts.canvas.rect().topLeft())
    hand.rest(0.3)
    assert not hand.is_warned
    assert hand.parts.header.state.text() == "·  NOT SAVED"
    assert hand.parts.canvas.mapTo(hand.window, hand.parts.canvas.rect().topLeft()) == place
    hand.pen_up(0.5, 0.4)
    hand.warned("Your last 2 strokes")


def test_painting_pauses_and_goes_on(hand: Hand, project: Path, disk: Disk) -> None:
    hand.open(project)
    hand.session.select_class(2)
    disk.append("the disk is full")
    for number in range(MOST_WAITING):
        row(hand, number)
    hand.wait(lambda: hand.session.saving.is_paused)
    painted = hand.session.mask().to_array()
    hand.said.clear()
    row(hand, MOST_WAITING + 1)
    assert np.array_equal(hand.session.mask().to_array(), painted)
    hand.heard("warning", "Painting pauses: 20 strokes wait to be saved.")
    hand.warned("Your last 20 strokes", "Painting pauses until they are saved.")
    for action in ("undo", "tool_brush", "fill_background", "clear_plane"):
        assert not hand.window.actions_by_id[action].isEnabled(), action
    disk.clear()
    hand.window.banners.trouble.buttons[0].click()
    hand.wait(lambda: not hand.is_warned)
    assert hand.window.actions_by_id["undo"].isEnabled()
    row(hand, MOST_WAITING + 1)
    assert not np.array_equal(hand.session.mask().to_array(), painted)
    hand.save()
    assert_same(hand.session)


def test_a_copy_elsewhere_holds_what_is_only_in_memory(
    hand: Hand, project: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand.open(project)
    hand.session.select_class(2)
    disk.append("the disk is full")
    row(hand, 0)
    row(hand, 1)
    copy = project.parent / "Kopie.orgseg"
    monkeypatch.setattr(hand.window.commands, "_ask_save", lambda *_: copy)
    hand.wait(lambda: hand.is_warned)
    hand.window.banners.trouble.buttons[1].click()
    hand.settle()
    with ProjectFile.open(copy, read_only=True) as file:
        stored = file.mask(hand.session.image_id).to_array()
    assert np.array_equal(stored, hand.session.mask().to_array())
    assert stored.any()


def test_closing_asks_when_strokes_would_be_lost(hand: Hand, project: Path, disk: Disk) -> None:
    hand.open(project)
    hand.session.select_class(2)
    disk.append("the disk is full")
    row(hand, 0)
    hand.answer = False
    hand.window.close()
    assert hand.window.isVisible()
    title, text = hand.asked[0]
    assert title == "Close without saving?"
    assert "Your last stroke is only in memory" in text
    check_sentence(text)
    hand.action("close_project")
    assert hand.session.path == project
    hand.answer = True
    hand.action("close_project")
    assert hand.session.project is None
    disk.clear()
    hand.open(project)
    assert hand.session.mask().is_empty
    hand.goes_on()


def test_saved_strokes_never_wait_for_the_project_file(
    hand: Hand, project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A fold-in that never ends: every stroke is saved all the same."""
    hand.open(project)
    hand.session.select_class(2)
    go, write = threading.Event(), ProjectFile.write

    def waiting(file: ProjectFile, pending: Any) -> None:
        go.wait(30)
        write(file, pending)

    monkeypatch.setattr(ProjectFile, "write", waiting)
    row(hand, 0)
    hand.action("save")
    row(hand, 1)
    hand.wait(lambda: hand.session.save_state == "saved", 5)
    assert not hand.session.background.is_idle
    assert np.array_equal(as_after_a_crash(hand, tmp_path)[0], hand.session.mask().to_array())
    go.set()
    hand.settle()


def test_what_others_read_is_up_to_date(hand: Hand, project: Path) -> None:
    """Before an export, and so before every other work, strokes are in the project file."""
    hand.open(project)
    hand.session.select_class(2)
    row(hand, 0)
    assert hand.session.file.is_dirty
    out = project.parent / "Masken"
    out.mkdir()
    hand.window.commands.exporting.export_masks({"out": out, "formats": ["tiff"]})
    hand.settle()
    hand.quiet()
    assert list(out.iterdir())
    assert not hand.session.file.is_dirty


def test_strokes_of_a_side_file_set_aside_are_brought_back(
    hand: Hand, project: Path, tmp_path: Path
) -> None:
    """Somebody puts an older copy of the project back: its journal does not fit any more."""
    older = tmp_path / "older"
    shutil.copy(project, older)
    hand.open(project)
    hand.session.select_class(2)
    row(hand, 0)
    hand.save()
    row(hand, 5)
    hand.wait(lambda: hand.session.save_state == "saved")
    painted = hand.session.mask().to_array()
    kept = tmp_path / "kept"
    kept.mkdir()
    for path in project.parent.glob("Zellen ü.orgseg-journal*"):
        shutil.copy(path, kept)
    hand.action("close_project")
    for path in project.parent.glob("Zellen ü.orgseg-journal*"):
        path.unlink()
    shutil.copy(older, project)
    for path in kept.iterdir():
        shutil.copy(path, project.parent)
    hand.said.clear()
    hand.open(project)
    assert hand.session.mask().is_empty
    banner = hand.window.banners.found
    assert banner.isVisible()
    check_sentence(f"{banner.title.text()} {banner.words.text()}")
    assert "set aside" in banner.title.text() + banner.words.text()
    banner.close_button.click()  # later, perhaps
    hand.action("close_project")
    hand.open(project)
    assert not banner.isVisible()
    assert hand.window.actions_by_id["bring_strokes_back"].isVisible()
    hand.action("bring_strokes_back")
    hand.heard("info", "brought back")
    assert not hand.window.actions_by_id["bring_strokes_back"].isVisible()
    assert np.array_equal(hand.session.mask().to_array(), painted)
    hand.save()
    while hand.session.history.next_undo() is not None:
        hand.action("undo")
    assert hand.session.mask().is_empty
    hand.goes_on()


# Something inside the window fails


def fail(*_: Any, **__: Any) -> None:
    raise RuntimeError("a mistake of ours")


FAULTS: dict[str, tuple[type, str, Callable[[Hand], object]]] = {
    "canvas after a stroke": (AnnotationCanvas, "_on_mask_changed", lambda hand: row(hand, 1)),
    "status line": (StatusLine, "_show_painted", lambda hand: row(hand, 1)),
    "list of images": (ImagesModel, "forget_painted", lambda hand: row(hand, 1)),
    "actions": (MainWindow, "refresh_actions", lambda hand: row(hand, 1)),
    "save state": (HeaderBar, "show_state", lambda hand: row(hand, 1)),
    "undo": (Session, "bring_back_classes", lambda hand: hand.action("undo")),
    "another image": (AnnotationCanvas, "_load", lambda hand: hand.action("next_image")),
    "clearing": (AnnotationCanvas, "update_box", lambda hand: hand.action("clear_plane")),
    "a class": (AnnotationCanvas, "_refresh_overlay", lambda hand: hand.session.remove_class(2)),
    "a split": (ImagesModel, "refresh", lambda hand: hand.action("split_test")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_error_in_the_window_loses_nothing(
    hand: Hand, project: Path, fault: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kind, method, act = FAULTS[fault]
    hand.open(project)
    hand.session.select_class(2)
    row(hand, 0)
    hand.settle()
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # put back at the end
    install_excepthook(hand.window)
    hand.said.clear()
    with monkeypatch.context() as broken:
        broken.setattr(kind, method, fail)
        act(hand)
        hand.rest(0.3)  # timers too
    errors = [text for level, text in hand.said if level == "error"]
    assert errors, "the fault was not met: it shows nothing"
    assert "a mistake of ours" in errors[0]
    assert "saved" in errors[0]
    hand.session.cancel_stroke()
    hand.wait(lambda: hand.session.save_state == "saved", 5)
    shown = [hand.session.mask(i.image_id).to_array() for i in hand.images]
    for stored, expected in zip(as_after_a_crash(hand, tmp_path), shown, strict=True):
        assert np.array_equal(stored, expected)
    QApplication.processEvents()
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    hand.session.image_selected.emit(hand.session.image_id)
    if hand.session.save_state:
        hand.parts.header.show_state(hand.session.save_state, "")
    hand.window.refresh_actions()
    if len(hand.session.classes) == 1:
        hand.session.add_class("neu")
    hand.goes_on()
