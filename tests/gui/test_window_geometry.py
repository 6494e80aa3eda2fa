"""The window comes back where it was, on a screen that is there; its icons fit the screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from orgseg_app import settings
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.gui.style import icons
from tests.e2e.hand import Hand


@pytest.fixture
def hands(qapp: QApplication) -> Iterator[list[Hand]]:
    made: list[Hand] = []
    yield made
    for hand in made:
        hand.close()


def again(hands: list[Hand]) -> Hand:
    """The window as the next start would show it, without the size a test gives it."""
    hands.pop().close()
    hand = Hand.__new__(Hand)
    hand.window = MainWindow(settings.load())
    hand.said, hand.asked, hand.answer = [], [], True
    hand.window.show()
    hand.rest()
    hands.append(hand)
    return hand


def test_size_and_place_are_remembered(hands: list[Hand]) -> None:
    hands.append(Hand())
    hands[0].window.showNormal()
    hands[0].window.setGeometry(60, 40, 640, 560)
    hands[0].rest()
    was = hands[0].window.geometry()
    assert again(hands).window.geometry() == was


def test_a_maximised_window_is_maximised_again(hands: list[Hand]) -> None:
    hands.append(Hand())
    hands[0].window.showMaximized()
    hands[0].rest()
    assert again(hands).window.isMaximized()


def test_a_window_from_a_screen_that_is_gone_is_where_it_can_be_reached(hands: list[Hand]) -> None:
    hands.append(Hand())
    hands[0].window.setGeometry(9000, 7000, 640, 560)
    hands[0].rest()
    window = again(hands).window
    there = window.screen().availableGeometry()
    seen = there.intersected(window.frameGeometry())
    assert seen.width() >= min(600, there.width() - 50)
    assert there.contains(window.frameGeometry().topLeft())


def test_damaged_places_do_not_stop_the_start(hands: list[Hand]) -> None:
    assert settings.save(settings.Settings(window_state={"main": "AAEC!", "splitter": "é"}))
    hands.append(Hand())
    assert hands[0].window.isVisible()


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
def test_icons_are_drawn_in_the_pixels_of_the_screen(qapp: QApplication, ratio: float) -> None:
    picture = icons.pixmap("brush", "text", 20, ratio)
    assert picture.width() == round(20 * ratio)
    assert picture.devicePixelRatio() == ratio


def test_files_are_asked_for_by_the_systems_own_dialogs(root: Path) -> None:
    found = [
        path.name
        for path in (root / "orgseg_app" / "gui").rglob("*.py")
        if re.search(r"DontUseNativeDialog|DontUseNativeDialogs", path.read_text(encoding="utf-8"))
    ]
    assert found == []
