"""Messages, as somebody meets them who is painting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

import orgseg_app
from orgseg_app import paths
from orgseg_app.gui.panels import message_bar
from orgseg_app.gui.panels.message_bar import LINES, MessageBar, first_lines
from orgseg_app.gui.panels.message_report import LOG_LINES
from tests.e2e.hand import Hand
from tests.gui.panel_session import nameless_controls
from tests.gui.volume_project import make_volume_project

LONG = "The disk is full. What was saved is safe. Make room, then save again. " * 12


class Window(QWidget):
    """A stand-in for the main window: the bar in a layout over a canvas that has the keyboard."""

    def __init__(self) -> None:
        super().__init__()
        self.bar = MessageBar()
        self.canvas = QPushButton("canvas")
        self.canvas.setSizePolicy(self.sizePolicy())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.bar)
        column.addWidget(self.canvas, 1)


@pytest.fixture
def hand(qapp: object) -> Iterator[Hand]:
    hand = Hand()
    yield hand
    hand.close()


@pytest.fixture
def window(qtbot: QtBot) -> Window:
    window = Window()
    qtbot.addWidget(window)
    window.resize(900, 600)
    window.show()
    window.activateWindow()
    window.canvas.setFocus()
    qtbot.waitUntil(window.canvas.hasFocus)
    return window


@pytest.fixture
def bar(window: Window) -> MessageBar:
    return window.bar


def test_hidden_until_there_is_something_to_say(bar: MessageBar) -> None:
    assert not bar.isVisible()
    bar.show_message("   ", "error")
    assert not bar.isVisible()
    bar.show_message("12 images imported.", "info")
    assert bar.isVisible()
    assert bar.words.text() == "12 images imported."
    assert not bar.copy_button.isVisible()


def test_the_canvas_neither_moves_nor_loses_the_keyboard(window: Window) -> None:
    before = window.canvas.geometry()
    window.bar.show_message("Not saved.", "error")
    window.bar.show_message("Another.", "warning")
    QTest.qWait(10)
    assert window.canvas.geometry() == before
    assert window.canvas.hasFocus()
    assert window.rect().contains(window.bar.geometry())
    window.resize(700, 500)
    QTest.qWait(10)
    assert window.rect().contains(window.bar.geometry())
    assert abs(window.bar.geometry().center().x() - window.rect().center().x()) <= 1


def test_a_short_message_covers_little(window: Window) -> None:
    window.bar.show_message("Saved.", "info")
    narrow = window.bar.width()
    window.bar.show_message("“cell_01.tif” cannot be read: it ends too early, so it is left out.")
    assert narrow < window.bar.width() < window.width()
    assert window.bar.words.text().endswith("left out.")


def test_what_was_done_fades_and_what_went_wrong_stays(
    bar: MessageBar, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_bar, "FADE_MS", 30)
    monkeypatch.setattr(message_bar, "FADE_MS_PER_LETTER", 0)
    bar.show_message("A warning.", "warning")
    assert not bar.fade_timer.isActive()
    bar.show_message("Saved.", "info")
    assert bar.words.text() == "Saved."
    qtbot.waitUntil(lambda: bar.words.text() == "A warning.")
    assert [m.text for m in bar.messages()] == ["A warning."]
    assert bar.isVisible()
    assert not bar.fade_timer.isActive()


def test_it_stays_while_somebody_reads(
    bar: MessageBar, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_bar, "FADE_AGAIN_MS", 20)
    bar.show_message("Saved.", "info")
    QTest.mouseMove(bar.close_button)
    bar.card.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, True)
    bar.fade_timer.start(1)
    qtbot.waitUntil(lambda: bar.fade_timer.interval() == 20)
    assert bar.isVisible()
    bar.card.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, False)
    qtbot.waitUntil(lambda: not bar.isVisible())


def test_a_longer_message_stays_longer(bar: MessageBar) -> None:
    bar.show_message("Saved.", "info")
    short = bar.fade_timer.interval()
    bar.show_message("Saved, and " * 30, "info")
    assert bar.fade_timer.interval() > short >= 6000


def test_several_messages_wait_behind_a_number(bar: MessageBar) -> None:
    for number in range(3):
        bar.show_message(f"Image {number} cannot be read.", "warning")
    assert bar.words.text() == "Image 2 cannot be read."
    assert bar.more_button.text() == "+2"
    bar.more_button.click()
    rows = [row for row in bar.earlier.findChildren(QPushButton) if row.isVisibleTo(bar.earlier)]
    names = [row.accessibleName() for row in rows if row.accessibleName()]
    assert names == ["Warning: Image 1 cannot be read.", "Warning: Image 0 cannot be read."]
    next(row for row in rows if "Image 0" in row.accessibleName()).click()
    assert bar.words.text() == "Image 0 cannot be read."
    assert not bar.earlier.isVisible()
    bar.close_message()
    assert bar.words.text() == "Image 2 cannot be read."
    bar.close_all()
    assert not bar.isVisible()


def test_the_same_words_again_are_counted(bar: MessageBar) -> None:
    bar.show_message("Not saved.", "error")
    bar.show_message("Not saved.", "error")
    assert bar.words.text() == "Not saved. (×2)"
    assert not bar.more_button.isVisible()


def test_a_hundred_messages_are_no_burden(bar: MessageBar) -> None:
    for number in range(100):
        bar.show_message(f"Message {number}", "error")
    assert len(bar.messages()) == message_bar.KEPT
    bar.more_button.click()
    assert bar.window().rect().contains(bar.geometry())


def test_text_is_shown_literally(bar: MessageBar) -> None:
    text = "“<b>bold</b><img src='x'>.tif” cannot be read & is left out."
    bar.show_message(text, "warning")
    assert bar.words.text() == text
    assert bar.words.textFormat() == Qt.TextFormat.PlainText


def test_a_long_message_is_cut_to_three_lines_and_whole_in_the_details(bar: MessageBar) -> None:
    bar.show_message(LONG, "warning")
    assert bar.words.text().endswith("…")
    assert bar.words.height() <= (LINES + 1) * bar.words.fontMetrics().lineSpacing()
    bar.details_button.click()
    assert bar.details.isVisible()
    assert bar.details.toPlainText() == LONG.strip()
    bar.details_button.click()
    assert not bar.details.isVisible()


def test_first_lines_keeps_what_fits(bar: MessageBar) -> None:
    metrics = bar.words.fontMetrics()
    assert first_lines("short", metrics, 400) == "short"
    cut = first_lines(LONG, metrics, 400)
    assert LONG.startswith(cut[:-1])
    assert len(first_lines(LONG, metrics, 800)) > len(cut)


def test_the_report_holds_what_a_developer_needs(
    bar: MessageBar, orgseg_home: Path, qtbot: QtBot
) -> None:
    paths.log_dir().mkdir(parents=True)
    lines = [f"line {number}" for number in range(100)]
    (paths.log_dir() / "window-1.log").write_text("\n".join(lines), encoding="utf-8")
    bar.show_message("Something went wrong.", "error", "Traceback: here")
    bar.copy_button.click()
    copied = QGuiApplication.clipboard().text()
    assert copied.startswith("Something went wrong.\n\nTraceback: here\n")
    assert f"OrgSeg {orgseg_app.__version__}" in copied
    assert copied.rstrip().endswith("line 99")
    assert copied.count("\nline ") == LOG_LINES
    assert bar.copy_button.text() == "Copied"
    bar.details_button.click()
    assert bar.details.toPlainText() == copied


def test_a_report_without_a_log(bar: MessageBar) -> None:
    bar.show_message("Something went wrong.", "error")
    bar.copy_button.click()
    assert "There is no log file." in QGuiApplication.clipboard().text()


def test_escape_closes_and_gives_the_keyboard_back(window: Window, qtbot: QtBot) -> None:
    window.bar.show_message("Not saved.", "error")
    window.bar.close_button.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(window.bar.close_button.hasFocus)
    QTest.keyClick(window.bar.close_button, Qt.Key.Key_Escape)
    assert not window.bar.isVisible()
    qtbot.waitUntil(window.canvas.hasFocus)


def test_every_control_has_a_name(bar: MessageBar) -> None:
    bar.show_message("First.", "warning")
    bar.show_message(LONG, "error")
    bar.more_button.click()
    bar.details_button.click()
    assert nameless_controls(bar) == []


def test_an_unknown_level_is_not_lost(bar: MessageBar) -> None:
    bar.show_message("Odd.", "critical")
    assert bar.messages()[-1].level == "warning"


def test_the_scale_bar_of_a_volume_stays_in_sight(hand: Hand, tmp_path: Path) -> None:
    hand.open(make_volume_project(tmp_path / "stack.orgseg"))
    hand.session.select_image(hand.images[1].image_id)
    hand.rest()
    hand.session.message.emit("A long sentence that lies far over to the right of it. " * 4, "info")
    card, canvas = hand.window.messages.card, hand.parts.canvas
    for size in ((1280, 800), (1000, 700), (1280, 720)):  # what is around it changes meanwhile
        hand.window.resize(*size)
        hand.rest()
        assert card.isVisible()
        place = canvas.scale_bar_rect().translated(canvas.mapTo(hand.window, QPoint(0, 0)))
        assert not place.isEmpty()
        assert not QRect(card.mapTo(hand.window, QPoint(0, 0)), card.size()).intersects(place)


def test_the_buttons_beside_the_canvas_stay_in_reach(hand: Hand, tmp_path: Path) -> None:
    hand.open(make_volume_project(tmp_path / "stack.orgseg"))
    hand.session.message.emit("A sentence that is as wide as messages get. " * 3, "warning")
    card = hand.window.messages.card
    for workspace in ("annotate", "train", "export"):
        hand.window.show_workspace(workspace)
        for width in (1280, 1600):
            hand.window.resize(width, 800)
            hand.rest()
            shown = QRect(card.mapTo(hand.window, QPoint(0, 0)), card.size())
            for column in (hand.parts.side, hand.parts.images, hand.parts.tool_strip):
                place = QRect(column.mapTo(hand.window, QPoint(0, 0)), column.size())
                assert not shown.intersects(place), (workspace, width)
    hand.window.show_workspace("compare")
    hand.rest()
    middle, shown = hand.parts.middle, card.mapTo(hand.window, card.rect().center()).x()
    assert abs(shown - middle.mapTo(hand.window, middle.rect().center()).x()) <= 1
