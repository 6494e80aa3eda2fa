"""A project comes back as it was left: image, plane, zoom, tool, class, display."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orgseg_app import paths
from orgseg_app.gui.canvas.plane_view import ViewState
from orgseg_app.gui.viewing import places as viewing
from orgseg_app.gui.viewing.places import Place, place_path, read_place, write_place
from tests.e2e.hand import Hand
from tests.gui.volume_project import make_volume_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_volume_project(tmp_path / "Projekt ü.orgseg")


@pytest.fixture
def hand(qapp: object) -> Iterator[Hand]:
    hand = Hand()
    yield hand
    hand.close()


def leave(hand: Hand) -> dict[str, Any]:
    """Work on the stack and on the last image; what should be found again."""
    _, stack, last = hand.images
    canvas, tools, display = hand.parts.canvas, hand.window.tools, hand.window.display
    hand.session.select_image(stack.image_id, 4)
    canvas.set_view(ViewState(21.5, 33.25, 6.0))
    hand.session.select_image(last.image_id)
    canvas.set_view(ViewState(40, 10, 9.0))
    hand.session.select_class(3)
    tools.set_tool("polygon")
    tools.set_brush_size(77)
    tools.set_protect(True)
    display.update(gamma=1.5)
    display.set_look("mask", opacity=0.7, outline=False)
    display.set_levels(1, 100, 900)
    display.set_channel_visible(0, False)
    return state(hand)


def state(hand: Hand) -> dict[str, Any]:
    window, session, canvas = hand.window, hand.session, hand.parts.canvas
    display = window.display
    return {
        "image": session.image_id,
        "plane": session.z,
        "shown": canvas.shown_image,
        "class": session.class_id,
        "view": canvas.view_state(),
        "views": canvas.views(),
        "tool": window.tools.tool,
        "settings": window.tools.values(),
        "display": (display.gamma, display.layer_looks()),
        "levels": display.levels,  # none when they are automatic
        "channels": display.channels,
    }


def test_everything_is_found_again_in_a_new_window(hand: Hand, project: Path) -> None:
    hand.open(project)
    left = leave(hand)
    hand.window.commands.close_project()
    before = project.read_bytes()
    again = Hand()
    again.open(project)
    assert state(again) == left
    stack = again.images[1]
    again.session.select_image(stack.image_id)
    assert again.parts.canvas.view_state() == ViewState(21.5, 33.25, 6.0)
    again.close()
    assert project.read_bytes() == before  # looking changes nothing


def test_the_plane_of_a_stack_is_found_again_in_the_same_window(
    hand: Hand, project: Path, tmp_path: Path
) -> None:
    hand.open(project)
    hand.session.select_image(hand.images[1].image_id)
    hand.session.select_plane(5)
    hand.parts.canvas.set_view(ViewState(12, 13, 4))
    left = state(hand)
    hand.open(make_volume_project(tmp_path / "other.orgseg"))
    assert (hand.session.image_id, hand.session.z) == (hand.images[0].image_id, 0)
    assert hand.parts.canvas.is_fitted
    hand.open(project)
    assert state(hand) == left
    assert hand.parts.canvas._shown == (left["image"], 5)


def test_sections_are_found_again_where_and_as_large_as_they_were(
    hand: Hand, project: Path
) -> None:
    hand.open(project)
    hand.session.select_image(hand.images[1].image_id)
    hand.action("toggle_sections")
    area = hand.parts.area
    area.canvas.crosshair.put(7, 61)
    area._top.moveSplitter(area._top.width() // 2, 1)
    area._rows.moveSplitter(area._rows.height() // 2, 1)
    left = area._top.sizes(), area._rows.sizes()
    assert left[0] == area._bottom.sizes()
    hand.window.commands.close_project()
    again = Hand()
    again.open(project)
    area = again.parts.area
    assert area.canvas.crosshair.place[1:] == (7, 61)
    assert area.sections is not None
    now = area._top.sizes(), area._rows.sizes()
    for before, after in zip(left, now, strict=True):
        assert after == pytest.approx(before, abs=3)
    assert now[0] == area._bottom.sizes()
    again.close()


def test_a_fitted_picture_is_fitted_again_at_another_size(hand: Hand, project: Path) -> None:
    hand.open(project)
    assert hand.parts.canvas.is_fitted
    hand.session.select_image(hand.images[1].image_id)
    hand.window.commands.close_project()
    hand.window.resize(900, 700)
    hand.open(project)
    assert hand.session.image_id == hand.images[1].image_id
    assert hand.parts.canvas.is_fitted


CHILD = """
import os, sys
from pathlib import Path
from PySide6.QtWidgets import QApplication
from orgseg_app.gui.viewing import places as viewing
viewing.WRITE_AFTER_MS = 100
app = QApplication([])
from tests.e2e.hand import Hand
hand = Hand()
hand.open(Path(sys.argv[1]))
hand.session.select_image(hand.images[1].image_id, 3)
hand.window.tools.set_tool("fill")
path = viewing.place_path(hand.session.project.uuid)
hand.wait(lambda: path.exists() and viewing.read_place(hand.session.project.uuid).z == 3)
os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(os.name == "nt", reason="no signal 9 there")
def test_after_a_crash_the_place_is_found_again(hand: Hand, project: Path, root: Path) -> None:
    command = [sys.executable, "-c", CHILD, str(project)]
    done = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    hand.open(project)
    assert (hand.session.image_id, hand.session.z) == (hand.images[1].image_id, 3)
    assert hand.window.tools.tool == "fill"


def test_it_is_written_seldom_and_in_another_thread(
    hand: Hand, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[int, int]] = []
    hand.window.viewing._timer.setInterval(150)
    hand.open(project)
    monkeypatch.setattr(
        viewing, "write_place", lambda _, place: written.append((place.z, threading.get_ident()))
    )
    hand.session.select_image(hand.images[1].image_id)
    for z in (1, 2, 3, 4, 5, 6):
        hand.session.select_plane(z)
        hand.parts.canvas.pan_by(1, 1)
    assert written == []  # the window's thread did nothing
    hand.wait(lambda: written, 3)
    hand.rest(0.4)
    assert [z for z, _ in written] == [6]
    assert written[0][1] != threading.get_ident()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 100_000,
        '{"image_id": 7, "z": -4, "class_id": true, "views": [1], "tool": null}',
        '{"tool": "chainsaw", "tool_settings": {"brush_size": "x", "protect": NaN, "no": 3}}',
        '{"display": {"gamma": 0, "opacity": "much", "outline": 1, "auto_levels": 3, "no": 2}}',
        '{"image_id": "IMAGE", "z": 99, "class_id": 9999999999999999999999999999999}',
        '{"image_id": "IMAGE", "views": {"IMAGE": [1e308, -1e308, 1e308]}}',
        '{"image_id": "IMAGE", "views": {"IMAGE": [1e400, 0, 1]}, "looks": [7]}',
        '{"image_id": "IMAGE", "looks": {"IMAGE": {"levels": [[NaN, 1]], "channels": [false]}}}',
        '{"image_id": "IMAGE", "looks": {"IMAGE": {"gamma": "1", "colours": [["x"]]}, "no": 4}}',
    ],
    ids=[
        "empty",
        "list",
        "deep",
        "kinds",
        "tools",
        "display",
        "far",
        "views",
        "endless",
        "dark",
        "looks",
    ],
)
def test_a_damaged_place_is_a_usual_beginning(hand: Hand, project: Path, text: str) -> None:
    hand.open(project)
    uuid, image = hand.session.project.uuid, hand.images[1].image_id
    hand.window.commands.close_project()
    place_path(uuid).parent.mkdir(parents=True, exist_ok=True)
    place_path(uuid).write_text(text.replace("IMAGE", image), encoding="utf-8")
    hand.open(project)
    assert hand.session.image_id in (image, hand.images[0].image_id)
    assert 0 <= hand.session.z < 7
    hand.window.grab()  # it can be painted
    hand.parts.canvas.fit()
    hand.goes_on()
    hand.quiet()


def test_an_image_or_class_that_is_gone_is_not_missed(hand: Hand, project: Path) -> None:
    hand.open(project)
    hand.session.select_class(3)
    hand.session.select_image(hand.images[2].image_id)
    uuid = hand.session.project.uuid
    hand.window.commands.close_project()
    place = read_place(uuid)
    assert place.class_id == 3
    place.image_id, place.class_id = "gone", 77
    write_place(uuid, place)
    hand.open(project)
    assert hand.session.image_id == hand.images[0].image_id
    assert hand.session.class_id == 2
    hand.quiet()


@pytest.mark.parametrize("uuid", ["../../evil", "a/b", "", "nul\0", "x" * 5000, "\udc80"])
def test_a_strangers_uuid_stays_in_the_folder(uuid: str, orgseg_home: Path) -> None:
    write_place(uuid, Place("image", 3))
    assert read_place(uuid) == Place("image", 3)
    assert [path.parent for path in orgseg_home.rglob("*.json")] == [paths.data_dir() / "places"]


def test_only_the_newest_places_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewing, "KEPT", 3)
    for number in range(6):
        write_place(f"project {number}", Place(z=number))
        os.utime(place_path(f"project {number}"), (number + 10, number + 10))
    assert [read_place(f"project {number}").z for number in range(6)] == [0, 0, 0, 3, 4, 5]


def test_a_disk_that_refuses_is_only_logged(
    hand: Hand, project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths.data_dir().mkdir(parents=True, exist_ok=True)
    (paths.data_dir() / "places").write_text("a file where the folder should be")
    hand.open(project)
    hand.session.select_image(hand.images[1].image_id)
    hand.window.commands.close_project()
    assert "was not remembered" in caplog.text
    hand.quiet()


def test_the_file_holds_what_is_documented(hand: Hand, project: Path) -> None:
    hand.open(project)
    leave(hand)
    uuid, last = hand.session.project.uuid, hand.images[2].image_id
    hand.window.commands.close_project()
    facts = json.loads(place_path(uuid).read_text(encoding="utf-8"))
    assert set(facts) == set(vars(Place()))
    assert facts["looks"][last]["levels"][1] == [100, 900]
    assert facts["layers"]["mask"]["opacity"] == 0.7
    assert not set(facts["display"]) & {"image_id", "is_rgb", "gamma"}  # of one image
