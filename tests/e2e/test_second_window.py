"""A project that others have: a stranger's, one open in another window or on another computer."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QTimer

from tests.e2e.hand import Hand, check_sentence, make_project

pytestmark = pytest.mark.timeout(120)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(folder: Path) -> Path:
    """Three painted images."""
    return make_project(folder / "Projekt ü.orgseg")


# A stranger's project


def test_the_window_lives_while_a_strangers_project_is_looked_at(
    hand: Hand, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orgseg_app.files.safety import gate, known_files

    known_files.list_path().unlink()
    admit, beats, other = gate.admit, [], project.with_name("another.orgseg")

    def slowly(path: Path, **options: Any) -> None:
        if not known_files.is_known(path):
            time.sleep(0.5)
        admit(path, **options)

    monkeypatch.setattr(gate, "admit", slowly)
    beat = QTimer(hand.window, interval=10)
    beat.timeout.connect(lambda: beats.append(time.monotonic()))
    QTimer.singleShot(200, hand.window, lambda: hand.window.commands.open_path(other))
    beat.start()
    hand.window.commands.open_path(project)
    assert hand.session.path == project
    gaps = np.diff([when for when in beats if when < beats[0] + 0.4])
    assert len(gaps) > 5
    assert gaps.max() < 0.3
    beat.stop()
    hand.settle()
    hand.quiet()
    assert hand.session.path == project  # not the other one that came in between
    hand.goes_on()


# A second window


def test_a_second_window_looks_only(hand: Hand, project: Path) -> None:
    code = (
        "import sys; from orgseg_app.files.project_file import ProjectFile\n"
        "file = ProjectFile.open(sys.argv[1]); print('open', flush=True); input(); file.close()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(project)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        hand.open(project)
        assert hand.asked == []
        assert hand.session.is_read_only
        assert (
            "another OrgSeg window on this computer has it open since" in hand.window.windowTitle()
        )
        assert hand.parts.header.state.text() == "·  read-only"
        assert "has it open since" in hand.parts.header.state.toolTip()
        banner = hand.window.banners.reader
        assert banner.isVisible()
        check_sentence(f"{banner.title.text()} {banner.words.text()}")
        assert "another OrgSeg window on this computer" in banner.title.text()
        banner.buttons[0].click()
        assert hand.session.is_read_only
        hand.heard("info", "Still read-only")
        hand.quiet()
        before = project.read_bytes()
        look_at_everything(hand)
        hand.session.save()
        hand.settle()
        hand.quiet()
        assert project.read_bytes() == before
        hand.drop(project.parent)
        hand.rest(0.1)
        hand.heard("warning", "read-only")
        hand.session.select_neighbour(1)
        shown = hand.session.image_id
        other.communicate("\n", timeout=20)
    banner.buttons[0].click()
    hand.settle()
    assert not hand.session.is_read_only
    assert not banner.isVisible()
    assert "read-only" not in hand.window.windowTitle()
    assert hand.session.image_id == shown
    hand.goes_on()


def test_another_computer_takes_the_project_over(
    hand: Hand, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a computer slept with the project open: nothing is written over, nothing lost."""
    hand.open(project)
    hand.stroke()
    hand.save()
    hand.said.clear()
    lock = project.with_name(project.name + ".lock")
    holder = json.loads(lock.read_text(encoding="utf-8"))
    lock.unlink()
    holder |= {"host": "PC-4", "user": "ben", "token": ""}
    lock.write_text(json.dumps(holder), encoding="utf-8")
    hand.session.select_neighbour(1)
    hand.stroke()
    painted = hand.session.mask().to_array()
    hand.warned(
        "NOT SAVED: “Projekt ü.orgseg” was opened by ben on PC-4",
        "Your last stroke is only in memory.",
        "Save a copy under another name",
    )
    assert hand.session.is_read_only
    assert not hand.window.banners.save_button.isVisible()  # it is of no use
    assert hand.parts.header.state.text() == "·  NOT SAVED"
    for action in ("undo", "tool_brush", "clear_plane"):
        assert not hand.window.actions_by_id[action].isEnabled(), action
    hand.stroke()
    hand.heard("warning", "read-only")
    assert np.array_equal(hand.session.mask().to_array(), painted)
    copy = project.parent / "Kopie ß.orgseg"
    monkeypatch.setattr(hand.window.commands, "_ask_save", lambda *_: copy)
    hand.window.banners.trouble.buttons[1].click()
    hand.settle()
    hand.heard("info", "Kopie ß.orgseg")
    hand.open(copy)
    assert len(hand.asked) == 1
    check_sentence(hand.asked[0][1])
    hand.session.select_image(hand.images[1].image_id)
    assert np.array_equal(hand.session.mask().to_array(), painted)
    hand.goes_on()


def look_at_everything(hand: Hand) -> None:
    """Try to change a project that may not be changed."""
    before = hand.session.mask().to_array()
    hand.stroke()
    for action in ("fill_background", "clear_plane", "split_test", "new_class", "undo", "redo"):
        hand.action(action)
    hand.parts.images.set_split("validation")
    hand.parts.images.remove_selected()
    hand.parts.classes.remove_class(2)
    hand.session.rename_project("anders")
    hand.session.remove_class(2)
    for workspace in ("train", "compare", "export", "annotate"):
        hand.window.show_workspace(workspace)
        hand.rest()
    assert np.array_equal(hand.session.mask().to_array(), before)
    assert hand.session.project.name == "Projekt ü"
    assert len(hand.session.classes) == 2
    hand.said.clear()


def test_the_same_project_again_and_a_second_time_in_this_program(
    hand: Hand, project: Path
) -> None:
    hand.open(project)
    hand.stroke()
    hand.said.clear()
    hand.drop(project)
    hand.rest(0.2)
    hand.heard("info", "is open in this window")
    assert not hand.session.is_read_only
    second = Hand()
    second.open(project)
    assert second.session.is_read_only
    assert "this window" in second.window.banners.reader.title.text()
    second.close()
    hand.goes_on()
