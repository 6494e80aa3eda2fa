"""Every panel and every dialog of the window, walked by its keys alone.

What a button of a group is to the arrows, and what the menus hold besides, is in `unreached`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from orgseg_app.gui.panels.images_panel import ImagesPanel
from orgseg_app.gui.style.focus import tab_in_order
from tests.gui import keyboard
from tests.gui.every_place import all_places

QUESTIONS = ("unreached", "not back", "nameless", "silent", "unseen", "backward")


@pytest.fixture(scope="module")
def walked(
    qapp: QApplication, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, list[str]]]:
    """What was found wrong anywhere, by question; and every place that was looked at."""
    found: dict[str, list[str]] = {question: [] for question in QUESTIONS}
    found["places"], found["reached"] = [], []
    known: set[QWidget] = set()
    with all_places(tmp_path_factory.mktemp("walk")) as places:
        for name, root in places.all():
            reached = keyboard.walk(root)
            back = keyboard.walk_back(reached) if reached else []
            answers = {
                "unreached": keyboard.unreached(root, reached),
                "not back": [keyboard.described(w) for w in set(reached) - set(back)],
                "nameless": keyboard.nameless(root),
                "silent": keyboard.silent_pictures(root),
                "unseen": keyboard.unseen([w for w in reached if w not in known]),
                "backward": keyboard.backward(reached, (type(root), ImagesPanel)),
            }
            for question, texts in answers.items():
                found[question] += [f"{name}: {text}" for text in texts]
            known |= set(reached)
            found["places"].append(name)
            found["reached"] += [f"{name}: {keyboard.described(w)}" for w in reached]
        known.clear()
        yield found


def test_all_of_the_window_was_walked(walked: dict[str, list[str]]) -> None:
    places = walked["places"]
    assert {"start", "annotate", "train", "export", "compare, images", "studies"} <= set(places)
    assert len(places) >= 45, places
    for place in places:
        assert any(text.startswith(f"{place}: ") for text in walked["reached"]), place


@pytest.mark.parametrize("question", QUESTIONS)
def test_keys_lead_everywhere_and_back_and_are_seen_and_named(
    walked: dict[str, list[str]], question: str
) -> None:
    assert walked[question] == []


def test_tab_follows_the_layout_whatever_was_made_first(qtbot: QtBot) -> None:
    page = _Page()
    qtbot.addWidget(page)
    first, last, second = (QPushButton(text, page) for text in ("first", "last", "second"))
    row = QHBoxLayout()
    row.addWidget(first)
    row.addWidget(second)
    column = QVBoxLayout(page)
    column.addLayout(row)
    column.addWidget(last)
    page.show()
    qtbot.waitExposed(page)
    assert keyboard.backward(keyboard.walk(page), (_Page,))
    tab_in_order(page)
    assert keyboard.walk(page) == [first, second, last]


def test_the_questions_can_be_answered_badly(qtbot: QtBot) -> None:
    page = _Page()
    qtbot.addWidget(page)
    column = QVBoxLayout(page)
    field, glyph, deaf = QLineEdit(), QPushButton("…"), QPushButton("Never")
    deaf.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    for widget in (field, glyph, deaf):
        column.addWidget(widget)
    page.show()
    qtbot.waitExposed(page)
    reached = keyboard.walk(page)
    assert reached == [field, glyph]
    assert len(keyboard.unreached(page, reached)) == 1
    assert len(keyboard.nameless(page)) == 2


class _Page(QWidget):
    """A panel."""
