"""The wrong thing at the wrong moment, in the real window: nothing lost, and it goes on."""

from __future__ import annotations

import gc
import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QPoint
from PySide6.QtGui import QKeySequence
from PySide6.QtTest import QTest

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.edits.whole import ReplaceMask
from orgseg_app.core.image import open_array
from orgseg_app.files import atomic
from orgseg_app.files.images.intake import NewImage
from orgseg_app.files.project_file import ProjectFile
from tests.e2e.hand import LEFT, PLAIN, Hand, assert_same, make_project

pytestmark = pytest.mark.timeout(120)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(folder: Path) -> Path:
    """Three painted images."""
    return make_project(folder / "Projekt ü.orgseg")


def masks(path: Path) -> dict[str, bytes]:
    """Every mask in the file, by the name of its image."""
    with ProjectFile.open(path, read_only=True) as file:
        return {
            image.name: file.load_mask(image_id).to_array().tobytes()
            for image_id, image in file.project.images.items()
        }


# The project's file


def test_the_file_deleted_while_open(hand: Hand, project: Path) -> None:
    hand.open(project)
    project.unlink()
    hand.goes_on()
    hand.quiet()


def test_the_folder_gone_while_open(hand: Hand, project: Path) -> None:
    hand.open(project)
    hand.said.clear()
    away = project.parent.with_name("abgezogen ü")
    project.parent.rename(away)
    hand.stroke()
    hand.action("save")
    hand.settle()
    hand.warned("NOT SAVED: its folder is no longer there", "Your last stroke is only in memory")
    assert hand.session.save_state == "failed"
    assert hand.session.file.has_uncommitted
    away.rename(project.parent)
    hand.window.banners.trouble.buttons[0].click()
    hand.wait(lambda: not hand.is_warned)
    hand.goes_on()
    hand.quiet()


def test_the_file_replaced_while_open(
    hand: Hand, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand.open(project)
    hand.said.clear()
    other = make_project(project.parent / "anderes.orgseg", count=1, side=20)
    foreign = other.read_bytes()
    shutil.copy(other, project.with_name("neu"))
    project.with_name("neu").replace(project)
    hand.stroke()
    painted = hand.session.mask().to_array()
    hand.action("save")
    hand.settle()
    hand.warned("could not be written", "changed by another program", "safe in Projekt ü.orgseg-")
    assert project.read_bytes() == foreign
    copy = project.parent / "Kopie ß.orgseg"
    monkeypatch.setattr(hand.window.commands, "_ask_save", lambda *_: copy)
    hand.action("save_copy")
    hand.settle()
    hand.heard("info", "Kopie ß.orgseg")
    hand.open(copy)
    assert len(hand.asked) == 1
    assert np.array_equal(hand.session.mask().to_array(), painted)
    assert len(hand.images) == 3
    hand.said.clear()
    hand.goes_on()
    assert project.read_bytes() == foreign


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A disk with as many free bytes as the list says."""
    free = [0]

    class Usage:
        def __init__(self) -> None:
            self.free = free[0]

    monkeypatch.setattr(atomic.shutil, "disk_usage", lambda _: Usage())
    yield free
    free[0] = 1 << 40


def test_the_disk_full_at_save(hand: Hand, project: Path, full_disk: list[int]) -> None:
    full_disk[0] = 1 << 40
    hand.open(project)
    hand.wait_for_backup()  # made while the disk is full, it would have something to say, too
    hand.said.clear()
    before = masks(project)
    full_disk[0] = 0
    hand.stroke()
    hand.action("save")
    hand.settle()
    hand.warned("could not be written: the disk is full", "safe in Projekt ü.orgseg-journal")
    assert hand.session.save_state == "saved"
    hand.session.select_neighbour(1)
    hand.stroke()
    hand.action("undo")
    hand.stroke()
    hand.settle()
    full_disk[0] = 1 << 40
    hand.window.banners.trouble.buttons[0].click()
    hand.wait(lambda: not hand.is_warned)
    hand.save()
    hand.quiet()
    assert_same(hand.session)
    assert sum(a != b for a, b in zip(before.values(), masks(project).values(), strict=True)) == 2


def test_a_project_closed_with_a_full_disk_has_everything_later(
    hand: Hand, project: Path, full_disk: list[int]
) -> None:
    """Nothing is asked: what the project file lacks is safe in the journal."""
    full_disk[0] = 1 << 40
    hand.open(project)
    full_disk[0] = 0
    hand.stroke()
    painted = hand.session.mask().to_array()
    hand.action("close_project")
    assert hand.session.project is None
    assert hand.asked == []
    full_disk[0] = 1 << 40
    hand.open(project)
    assert np.array_equal(hand.session.mask().to_array(), painted)
    assert hand.session.history.next_undo().title == "paint"
    hand.goes_on()


# Imports, saves and the close of the window


def slow_images(count: int, seconds: float, started: threading.Event) -> Iterator[NewImage]:
    """Images that take their time."""
    for number in range(count):
        started.set()
        time.sleep(seconds)
        pixels = np.full((32, 32), number, np.uint16)
        yield NewImage(open_array(f"langsam {number}", pixels))


def test_an_import_cancelled_in_the_middle(hand: Hand, project: Path) -> None:
    hand.open(project)
    hand.said.clear()
    started = threading.Event()
    task = hand.session.add_images(slow_images(200, 0.02, started), total=200)
    hand.wait(started.is_set)
    hand.stroke()
    task.cancel()
    hand.settle()
    hand.heard("info", "Nothing was imported")
    assert len(hand.images) == 3
    hand.goes_on()


def closes_within(hand: Hand, seconds: float) -> None:
    """Close the window as its cross does."""
    start = time.monotonic()
    hand.window.close()
    assert not hand.window.isVisible()
    assert time.monotonic() - start < seconds
    hand.rest(0.1)
    assert hand.session.file is None


def test_the_window_closed_during_a_long_import(hand: Hand, project: Path) -> None:
    hand.open(project)
    started = threading.Event()
    hand.session.add_images(slow_images(3000, 0.02, started), total=3000)
    hand.wait(started.is_set)
    hand.stroke()
    painted = hand.session.mask().to_array().tobytes()
    closes_within(hand, 5)
    stored = masks(project)
    assert list(stored) == ["zelle ü 0", "zelle ü 1", "zelle ü 2"]
    assert stored["zelle ü 0"] == painted


def test_the_window_closed_during_a_short_import(hand: Hand, project: Path) -> None:
    hand.open(project)
    started = threading.Event()
    hand.session.add_images(slow_images(5, 0.05, started), total=5)
    hand.wait(started.is_set)
    closes_within(hand, 5)
    assert len(masks(project)) == 8


def test_the_window_closed_while_files_are_looked_at(
    hand: Hand, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tifffile

    from orgseg_app.files.annotations import plan

    tifffile.imwrite(folder / "bild ü.tif", np.zeros((20, 20), np.uint8))
    look = plan.plan_import
    started = threading.Event()

    def slowly(paths: Any) -> Any:
        started.set()
        time.sleep(0.4)
        return look(paths)

    monkeypatch.setattr(plan, "plan_import", slowly)
    hand.drop(folder)
    hand.wait(started.is_set)
    closes_within(hand, 5)
    hand.settle()
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]
    assert hand.session.file is None


def test_the_window_closed_during_a_save(
    hand: Hand, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand.open(project)
    write, started = ProjectFile.write, threading.Event()

    def slowly(self: ProjectFile, pending: Any) -> None:
        started.set()
        time.sleep(0.3)
        write(self, pending)

    monkeypatch.setattr(ProjectFile, "write", slowly)
    hand.stroke()
    hand.action("save")
    hand.wait(started.is_set)
    hand.session.select_neighbour(1)
    hand.stroke()
    painted = [hand.session.mask(i.image_id).to_array().tobytes() for i in hand.images]
    closes_within(hand, 5)
    assert list(masks(project).values()) == painted


def test_the_window_closed_with_a_stroke_under_the_pen(hand: Hand, project: Path) -> None:
    hand.open(project)
    hand.stroke()
    painted = hand.session.mask().to_array().tobytes()
    hand.pen_down(0.2, 0.2)
    hand.pen_move(0.3, 0.6)
    closes_within(hand, 5)
    assert masks(project)["zelle ü 0"] == painted


# Strokes


def test_another_image_in_the_middle_of_a_stroke(hand: Hand, project: Path) -> None:
    hand.open(project)
    before = [hand.session.mask(i.image_id).to_array() for i in hand.images]
    hand.pen_down(0.2, 0.2)
    hand.pen_move(0.2, 0.5)
    hand.action("next_image")
    hand.pen_move(0.3, 0.5)
    hand.pen_up(0.4, 0.5)
    after = [hand.session.mask(i.image_id).to_array() for i in hand.images]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert hand.session.history.next_undo() is None
    hand.goes_on()
    hand.quiet()


def test_undo_another_tool_and_a_save_in_the_middle_of_a_stroke(hand: Hand, project: Path) -> None:
    hand.open(project)
    before = hand.session.mask().to_array()
    hand.stroke()
    hand.pen_down(0.2, 0.2)
    hand.pen_move(0.2, 0.5)
    hand.action("save")
    hand.action("undo")
    hand.pen_move(0.3, 0.6)
    hand.pen_up(0.4, 0.5)
    assert np.array_equal(hand.session.mask().to_array(), before)
    hand.pen_down(0.2, 0.2)
    hand.pen_move(0.2, 0.5)
    hand.action("tool_polygon")
    hand.pen_move(0.3, 0.5)
    hand.window.tools.set_tool("polygon")
    hand.pen_up(0.4, 0.5)
    hand.goes_on()
    hand.quiet()


def test_a_prediction_arrives_while_the_pen_is_down(hand: Hand, folder: Path) -> None:
    hand.open(make_project(folder / "leer ü.orgseg", painted=()))
    session = hand.session
    hand.pen_down(0.2, 0.2)
    hand.pen_move(0.2, 0.5)
    first = session.mask().to_array()
    session.apply(
        ReplaceMask(np.ones_like(first), "accept prediction", only_unlabelled=True),
        session.image_id,
    )
    hand.pen_move(0.8, 0.5)
    hand.pen_up(0.8, 0.8)
    last = session.mask().to_array()
    assert (last != UNLABELLED).all()
    assert ((last == 2) >= (first == 2)).all()
    assert (last == 2).sum() > (first == 2).sum()
    hand.action("undo")
    hand.action("undo")
    assert np.array_equal(session.mask().to_array(), first)
    hand.action("undo")
    assert session.mask().is_empty
    for _ in range(3):
        hand.action("redo")
    assert np.array_equal(session.mask().to_array(), last)
    hand.goes_on()


def test_undo_after_an_image_was_removed(hand: Hand, project: Path) -> None:
    hand.open(project)
    first, second, third = (i.image_id for i in hand.images)
    for image_id in (first, second, first, third):
        hand.session.select_image(image_id)
        hand.session.select_class(1)
        hand.stroke()
        hand.session.select_class(2)
        hand.stroke()
    hand.session.remove_image(first)
    for _ in range(12):
        hand.action("undo")
    for _ in range(12):
        hand.action("redo")
    assert [i.image_id for i in hand.images] == [second, third]
    hand.goes_on()
    hand.quiet()


def test_the_shown_image_removed_and_then_all(hand: Hand, project: Path) -> None:
    hand.open(project)
    hand.pen_down(0.2, 0.2)
    hand.pen_move(0.3, 0.6)
    hand.action("remove_image")
    hand.pen_move(0.3, 0.7)
    hand.pen_up(0.3, 0.7)
    assert len(hand.images) == 2
    hand.goes_on()
    hand.action("remove_image")
    hand.action("remove_image")
    hand.action("remove_image")
    assert hand.images == []
    for action in hand.window.actions_by_id:
        if action in ("undo", "redo", "next_image", "next_plane", "zoom_in", "swap_class"):
            hand.action(action)
    for workspace in ("train", "compare", "export", "annotate"):
        hand.window.show_workspace(workspace)
        hand.rest()
    hand.save()
    hand.quiet()
    assert masks(project) == {}


def test_a_class_deleted_and_the_deletion_undone(hand: Hand, folder: Path) -> None:
    path = make_project(folder / "Klassen ü.orgseg", values=(2, 3), class_names=("ER", "Kern"))
    hand.open(path)
    before = hand.session.mask().to_array()
    hand.session.remove_class(3)
    while hand.session.history.next_undo() is not None:
        hand.action("undo")
    known = {c.class_id for c in hand.session.classes} | {UNLABELLED}
    for image in hand.images:
        assert set(hand.session.mask(image.image_id).counts()) <= known
    hand.session.select_image(hand.images[0].image_id)
    assert np.array_equal(hand.session.mask().to_array(), before)
    hand.goes_on()
    hand.quiet()


def test_damaged_settings_and_recent_projects_that_are_gone(
    qapp: object, orgseg_home: Path, project: Path
) -> None:
    from orgseg_app.settings import settings_path

    path = settings_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "recent_projects": [str(project.parent / "weg.orgseg"), 7, None, "\x00", "<b>x</b>"],
        "shortcuts": {"save": "Nonsense++", "undo": 5},
        "window_state": {"main": "no base64 ü", "splitter": "AAAA"},
        "theme": "purple",
    }
    path.write_text(json.dumps(facts), "utf-8")
    hand = Hand()
    hand.open(project)
    hand.goes_on()
    hand.quiet()
    hand.close()
    gc.collect()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def test_the_way_back_from_only_the_canvas(hand: Hand, project: Path) -> None:
    """The menu bar is hidden there, and its keys still work."""
    hand.open(project)
    hand.window.activateWindow()
    hand.parts.canvas.setFocus()
    assert QTest.qWaitForWindowActive(hand.window)
    for alone in (True, False, True, False):
        QTest.keySequence(hand.parts.canvas, QKeySequence("F11"))
        hand.rest()
        assert hand.parts.is_canvas_alone is alone
        assert hand.window.menuBar().isVisible() is not alone
        QTest.keySequence(hand.parts.canvas, QKeySequence("E" if alone else "B"))
        assert hand.window.tools.tool == ("eraser" if alone else "brush")


def test_another_workspace_in_the_middle_of_a_stroke(hand: Hand, project: Path) -> None:
    """The canvas never hears that the pen was lifted; the stroke is kept and saved all the same."""
    hand.open(project)
    before = hand.session.mask().to_array()
    hand.pen_down(0.2, 0.2)
    hand.pen_move(0.2, 0.6)
    hand.window.show_workspace("compare")
    hand.rest()
    painted = hand.session.mask().to_array()
    assert (painted != before).any()
    assert hand.session.recorder is None
    hand.save()
    assert_same(hand.session)
    hand.window.show_workspace("annotate")
    hand.pen_down(0.7, 0.2)
    hand.pen_move(0.7, 0.5)
    QTest.mouseRelease(hand.parts.header, LEFT, PLAIN, QPoint(3, 3))
    hand.pen_move(0.9, 0.9)
    hand.pen_move(0.95, 0.9)
    assert hand.session.recorder is None
    assert hand.session.mask().value(0, 44, 44) == painted[0, 44, 44]
    hand.action("undo")
    assert np.array_equal(hand.session.mask().to_array(), painted)
    hand.goes_on()
