"""Banners: they stay, say how grave it is without colour, and can be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from orgseg_app.files.store.lock import LockedError
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.gui.panels.banner import GROUND, Banner, _mixed
from orgseg_app.gui.panels.question import QuestionDialog
from orgseg_app.gui.project.banners import _title_and_rest, reader_words, whose
from orgseg_app.gui.style import theme
from orgseg_app.settings import Settings
from tests.gui.panel_session import nameless_controls, open_session


@pytest.fixture
def banner(qtbot: QtBot) -> Banner:
    banner = Banner("Not saved", can_close=True)
    qtbot.addWidget(banner)
    banner.resize(900, 60)
    return banner


def test_it_says_how_grave_it_is_in_words_and_by_an_icon(banner: Banner) -> None:
    assert not banner.isVisible()
    banner.say("error", "NOT SAVED: the disk is full.", "Your last stroke is only in memory.")
    assert banner.isVisible()
    assert banner.icon.accessibleName() == "Error"
    assert banner.accessibleDescription().startswith("Error: NOT SAVED")
    banner.say("warning", "Read-only.")
    assert banner.icon.accessibleName() == "Warning"
    assert not banner.words.isVisible()


def test_actions_and_the_cross(banner: Banner, qtbot: QtBot) -> None:
    pressed: list[str] = []
    button = banner.add_action("Try again", "Now", lambda: pressed.append("again"))
    banner.say("info", "Something.")
    button.click()
    assert pressed == ["again"]
    assert nameless_controls(banner) == []
    with qtbot.waitSignal(banner.closed):
        banner.close_button.click()
    assert not banner.isVisible()


def test_long_words_wrap_and_names_are_shown_literally(banner: Banner) -> None:
    banner.say("error", "<b>NOT</b>", "wide words " * 60, "<img src=x>")
    assert banner.title.text() == "<b>NOT</b>"
    assert banner.heightForWidth(900) > banner.heightForWidth(2400)
    assert "<img" not in banner.toolTip()


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize("token", ["error", "warning", "accent"])
def test_words_can_be_read_on_every_ground(name: str, token: str) -> None:
    now = theme.THEMES[name]
    ground = _mixed(now.colour("panel"), now.colour(token), GROUND[name])
    assert contrast(now.colour("text"), ground) >= 7
    if token != "accent":  # the title is in it
        assert contrast(now.colour(token), ground) >= 4.5
    assert contrast(now.colour("panel"), ground) < 2  # a tint, no shouting


def contrast(a: QColor, b: QColor) -> float:
    """WCAG 2 contrast ratio."""

    def luminance(colour: QColor) -> float:
        parts = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
            for c in (colour.redF(), colour.greenF(), colour.blueF())
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_who_has_a_project() -> None:
    now = datetime.now().astimezone()
    today = LockedError("a.orgseg", "anna on PC-3", now)
    assert whose(today) == f"anna on PC-3 has it open since {now:%H:%M}"
    before = now - timedelta(days=3)
    assert whose(LockedError("a.orgseg", "anna", before)).endswith(f"{before:%H:%M on %d %B}")
    assert whose(LockedError("a.orgseg", "somebody", None)) == "somebody has it open"
    title, text = reader_words(today, "")
    assert title.startswith("Read-only: anna on PC-3 has it open since")
    assert "nothing can be changed" in text
    assert reader_words(None, "It was made by a newer version.")[1].startswith("It was made")


def test_the_first_sentence_is_the_title() -> None:
    text = "“Dr. A. Miller.orgseg” lies there. It is copied. Beware."
    assert _title_and_rest([text]) == (
        "“Dr. A. Miller.orgseg” lies there.",
        "It is copied. Beware.",
    )
    assert _title_and_rest(["One thing", "and two."]) == ("One thing", "and two.")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project nobody has open, in a folder that a cloud service copies."""
    folder = tmp_path / "Dropbox (Lab)"
    folder.mkdir()
    session = open_session(folder)
    path = session.path
    assert path is not None
    session.close_project()
    return path


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[MainWindow]:
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.show()
    yield window
    window.close()


def test_a_cloud_folder_is_told_until_it_was_read(
    window: MainWindow, project: Path, qtbot: QtBot
) -> None:
    window.session.open_project(project)
    assert window.banners is not None
    place = window.banners.place
    assert place.isVisible()
    assert "lies in a folder of Dropbox" in place.title.text()
    assert "on one computer at a time" in place.words.text()
    place.close_button.click()
    window.session.rename_project("anders")
    assert not place.isVisible()
    window.session.close_project()
    window.session.open_project(project)
    assert not place.isVisible()
    window.session.close_project()
    window.session.open_project(project, read_only=True)
    assert not place.isVisible()
    window.session.close_project()
    other = project.with_name("other.orgseg")
    project.rename(other)
    window.session.open_project(other)
    assert place.isVisible()


def test_the_keyboard_reaches_banners_and_comes_back(
    window: MainWindow, project: Path, qtbot: QtBot
) -> None:
    window.session.open_project(project)
    assert window.banners is not None
    assert window.parts is not None
    canvas, banners = window.parts.canvas, window.banners
    window.activateWindow()
    canvas.setFocus()
    qtbot.waitUntil(canvas.hasFocus)
    go = window.actions_by_id["go_to_notice"]
    assert go.shortcut().toString() == "F6"
    go.trigger()
    assert banners.place.close_button.hasFocus()
    qtbot.keyClick(banners.place.close_button, Qt.Key.Key_Escape)
    assert not banners.place.isVisible()
    assert canvas.hasFocus()
    banners.trouble.say("error", "NOT SAVED: the disk is full.", "Your last stroke.")
    banners.found.say("info", "12 edits were brought back.")
    go.trigger()
    assert banners.save_button.hasFocus()  # the gravest first
    go.trigger()
    assert banners.found.close_button.hasFocus()
    go.trigger()
    assert banners.save_button.hasFocus()
    qtbot.keyClick(banners.save_button, Qt.Key.Key_Escape)
    assert banners.trouble.isVisible()  # it is still so
    assert canvas.hasFocus()
    banners.found.hide()
    banners.trouble.hide()
    go.trigger()
    assert canvas.hasFocus()


def test_a_question_is_answered_with_the_keyboard(qtbot: QtBot) -> None:
    for key, answer in ((Qt.Key.Key_Return, False), (Qt.Key.Key_Escape, False)):
        dialog = QuestionDialog("Forget it?", "It cannot be undone.", "Forget")
        qtbot.addWidget(dialog)
        dialog.open()
        assert nameless_controls(dialog) == []
        qtbot.keyClick(dialog, key)
        assert not dialog.isVisible()
        assert bool(dialog.result()) is answer
    dialog = QuestionDialog("Forget it?", "It cannot be undone.", "Forget")
    qtbot.addWidget(dialog)
    dialog.open()
    dialog.yes_button.setFocus()
    qtbot.keyClick(dialog.yes_button, Qt.Key.Key_Space)
    assert dialog.result() == dialog.DialogCode.Accepted


def test_the_banners_of_a_window_follow_its_project(tmp_path: Path, window: MainWindow) -> None:
    session = open_session(tmp_path)
    path = session.path
    assert path is not None
    session.close_project()
    window.session.open_project(path)
    banners = window.banners
    assert banners is not None
    shown = (banners.found, banners.reader, banners.trouble)
    assert [b.isVisible() for b in shown] == [False, False, False]
    window.session.open_project(path, read_only=True)
    assert [b.isVisible() for b in shown] == [False, True, False]
    assert "(read-only)" in window.windowTitle()
    window.session.close_project()
    assert not banners.reader.isVisible()
