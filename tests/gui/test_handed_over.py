"""What another start of OrgSeg hands over is opened here, at a moment when nobody is disturbed."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtWidgets import QApplication, QDialog

from orgseg_app.files.running_windows import Entry, enter
from orgseg_app.gui.project.handed_over import HandedOver
from tests.e2e.hand import Hand, make_project
from tests.gui.panel_session import nameless_controls


class Listening:
    """A window that takes what is handed over, and a second start beside it."""

    def __init__(self) -> None:
        self.hand = Hand()
        place = enter([], is_new=True).place
        assert place is not None
        self.place = place
        self.taker = HandedOver(self.hand.window, place)

    def start(self, *paths: Path) -> Entry:
        """Start OrgSeg again with these, and wait for what comes of it."""
        found: list[Entry] = []
        second = threading.Thread(target=lambda: found.append(enter(paths, patience_s=60)))
        second.start()
        self.hand.wait(lambda: found, 60, "the second start")
        second.join()
        self.hand.settle()
        return found[0]

    def close(self) -> None:
        self.taker.close()
        self.hand.close()


@pytest.fixture
def listening(qapp: QApplication) -> Iterator[Listening]:
    made = Listening()
    yield made
    made.close()


def pictures(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    found = [folder / f"bild {number}.png" for number in range(count)]
    for path in found:
        cv2.imwrite(str(path), np.full((24, 24), 90, np.uint8))
    return found


def test_a_second_project_opens_in_place_of_the_first(listening: Listening, tmp_path: Path) -> None:
    hand = listening.hand
    first = make_project(tmp_path / "first.orgseg", 1)
    second = make_project(tmp_path / "zweites ü.orgseg", 1)
    hand.open(first)
    hand.stroke()
    hand.window.showMinimized()
    assert listening.start(second).was_handed_over
    assert hand.session.path == second
    assert not hand.window.isMinimized()
    hand.open(first)
    hand.goes_on()  # and with it what was painted before the other one came


def test_the_project_on_show_finds_its_window(listening: Listening, tmp_path: Path) -> None:
    project = make_project(tmp_path / "a.orgseg", 1)
    listening.hand.open(project)
    other = enter([], is_new=True).place
    assert other is not None
    other.tell(is_shown=True)
    other.note_use()
    assert listening.start(project).was_handed_over
    listening.hand.heard("info", "is open in this window")
    other.close()


def test_beside_a_question_nothing_is_opened(listening: Listening, tmp_path: Path) -> None:
    project = make_project(tmp_path / "a.orgseg", 1)
    dialog = QDialog(listening.hand.window)
    dialog.open()
    entry = listening.start(project)
    assert not entry.was_handed_over
    assert entry.place is not None  # that start opens a window of its own
    entry.place.close()
    assert listening.hand.session.path is None
    dialog.close()


def test_nothing_is_opened_under_the_pen(
    listening: Listening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PySide6.QtCore import Qt

    project = make_project(tmp_path / "a.orgseg", 1)
    held = [Qt.MouseButton.LeftButton]
    monkeypatch.setattr(QApplication, "mouseButtons", lambda: held[0])
    found: list[Entry] = []
    second = threading.Thread(target=lambda: found.append(enter([project], patience_s=60)))
    second.start()
    listening.hand.wait(listening.place.waiting, 60, "the request")
    listening.taker.look()
    assert listening.hand.session.path is None
    held[0] = Qt.MouseButton.NoButton
    listening.hand.wait(lambda: found, 60, "the second start")
    second.join()
    listening.hand.settle()
    assert listening.hand.session.path == project


def test_images_begin_a_project_where_none_is_open(listening: Listening, tmp_path: Path) -> None:
    hand = listening.hand
    assert listening.start(*pictures(tmp_path / "neu", 2)).was_handed_over
    hand.wait(lambda: hand.session.project is not None and len(hand.images) == 2)
    assert not listening.taker.banner.isVisible()


def test_images_beside_an_open_project_are_asked_about(
    listening: Listening, tmp_path: Path
) -> None:
    hand, banner = listening.hand, listening.taker.banner
    project = make_project(tmp_path / "a.orgseg", 1)
    images = pictures(tmp_path / "neu", 2)
    hand.open(project)
    listening.start(*images)
    assert banner.isVisible()
    assert "2 files were opened from outside" in banner.title.text()
    assert nameless_controls(banner) == []
    assert len(hand.images) == 1
    listening.taker.add_button.click()
    hand.wait(lambda: len(hand.images) == 3)
    assert hand.session.path == project
    listening.start(images[0])
    assert "“bild 0.png” was opened" in banner.title.text()
    listening.taker.new_button.click()
    hand.wait(lambda: hand.session.path not in (None, project) and len(hand.images) == 1)
    assert not banner.isVisible()
    hand.settle()


def test_the_question_about_images_goes_with_its_project(
    listening: Listening, tmp_path: Path
) -> None:
    listening.hand.open(make_project(tmp_path / "a.orgseg", 1))
    listening.start(*pictures(tmp_path / "neu", 1))
    assert listening.taker.banner.isVisible()
    listening.hand.action("close_project")
    assert not listening.taker.banner.isVisible()


def test_what_is_gone_by_then_is_left_out(listening: Listening, tmp_path: Path) -> None:
    assert listening.start(tmp_path / "gone.orgseg").was_handed_over
    listening.hand.quiet()


_FILE_EVENT = """
import sys
from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QFileOpenEvent
from orgseg_app.gui.app import Application
app = Application(sys.argv[:1])
app.file_asked_for.connect(lambda path: print("asked for", path, flush=True))
QCoreApplication.sendEvent(app, QFileOpenEvent(sys.argv[1]))
"""


def test_a_double_click_on_macos_arrives_as_an_event(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "a b.orgseg"
    done = subprocess.run(
        [sys.executable, "-c", _FILE_EVENT, str(path)],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == f"asked for {path}", done.stderr


def test_a_new_window_is_a_process_of_its_own(
    listening: Listening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand, said = listening.hand, tmp_path / "said"
    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(' '.join(sys.argv[2:]))"
    program = [sys.executable, "-c", code, str(said)]
    module = "orgseg_app.gui.project.handed_over.window_command"
    monkeypatch.setattr(module, lambda *words: [*program, *words])
    hand.action("new_window")
    hand.wait(lambda: said.is_file() and said.read_text(encoding="utf-8"))
    assert said.read_text(encoding="utf-8") == "--new-window"
    hand.quiet()
    monkeypatch.setattr(module, lambda *words: [str(tmp_path / "no such program"), *words])
    hand.action("new_window")
    hand.heard("error", "could not be started")
