"""The small widgets under pointer and keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QPixmap, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from orgseg_app.gui.style import theme
from orgseg_app.gui.style.cards import Card
from orgseg_app.gui.style.fields import CalmComboBox, Segments, SliderField, show_choice
from orgseg_app.gui.style.widgets import (
    ElidedLabel,
    EmptyState,
    IconButton,
    PageStack,
    PrimaryButton,
    ScrollColumn,
    SecondaryButton,
    Section,
    plain_tip,
    set_tone,
)
from tests.gui.panel_session import accessible_name, nameless_controls

LEFT = Qt.MouseButton.LeftButton


def turn_wheel(widget: QWidget, steps: int = 1) -> None:
    place = QPointF(widget.rect().center())
    event = QWheelEvent(
        place,
        QPointF(widget.mapToGlobal(place.toPoint())),
        QPoint(),
        QPoint(0, 120 * steps),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(widget, event)


@pytest.fixture
def size(qtbot: QtBot) -> SliderField:
    field = SliderField("Size", 1, 400, 24, unit="px", logarithmic=True)
    qtbot.addWidget(field)
    field.resize(280, 32)
    field.show()
    return field


def test_slider_and_number_say_the_same(size: SliderField, qtbot: QtBot) -> None:
    told: list[float] = []
    size.value_changed.connect(told.append)
    size.number.setFocus()
    size.number.selectAll()
    QTest.keyClicks(size.number, "100")
    assert told == []  # not at every figure typed
    QTest.keyClick(size.number, Qt.Key.Key_Return)
    assert told == [100.0]
    at_100 = size.slider.value()
    size.slider.setValue(0)
    assert size.value() == told[-1] == 1
    size.slider.setValue(size.slider.maximum())
    assert size.value() == told[-1] == 400
    size.slider.setValue(at_100)
    assert size.value() == pytest.approx(100, abs=1)


def test_equal_ways_are_equal_ratios(size: SliderField) -> None:
    values = []
    for position in (200, 400, 600):
        size.slider.setValue(position)
        values.append(size.value())
    assert values[1] / values[0] == pytest.approx(values[2] / values[1], rel=0.15)


def test_showing_a_value_tells_nobody(size: SliderField) -> None:
    told: list[float] = []
    size.value_changed.connect(told.append)
    size.set_value(77)
    assert (size.value(), told) == (77, [])


def test_double_click_goes_back_to_the_default(size: SliderField) -> None:
    told: list[float] = []
    size.set_value(200)
    size.value_changed.connect(told.append)
    QTest.mouseDClick(size.slider, LEFT)
    assert size.value() == 24
    assert told[-1] == 24


def test_wheel_needs_the_keyboard(size: SliderField) -> None:
    for part in (size.slider, size.number):
        part.clearFocus()
        turn_wheel(part)
        assert size.value() == 24
    size.number.setFocus()
    turn_wheel(size.number)
    assert size.value() == 25


def test_enter_and_escape_give_the_keyboard_back(size: SliderField) -> None:
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Escape):
        size.number.setFocus()
        QTest.keyClick(size.number, key)
        assert not size.number.hasFocus()


def test_escape_forgets_what_was_typed(size: SliderField) -> None:
    size.number.setFocus()
    size.number.selectAll()
    QTest.keyClicks(size.number, "300")
    QTest.keyClick(size.number, Qt.Key.Key_Escape)
    assert size.value() == 24


def test_the_number_has_room(qapp: QApplication, size: SliderField) -> None:
    theme.apply(qapp, "light")
    size.set_value(400)
    field = size.number.findChild(QLineEdit)
    assert field is not None
    words = field.fontMetrics().horizontalAdvance(field.text())
    assert field.width() - 12 >= words
    qapp.setStyleSheet("")


def test_segments_choose_one(qtbot: QtBot) -> None:
    segments = Segments("Shape", [("round", "Round"), ("square", "Square")])
    qtbot.addWidget(segments)
    segments.show()
    told: list[str] = []
    segments.chosen.connect(told.append)
    QTest.mouseClick(segments.button("square"), LEFT)
    assert (segments.value(), told) == ("square", ["square"])
    segments.set_value("round")
    assert (segments.value(), told) == ("round", ["square"])
    segments.activateWindow()
    segments.button("round").setFocus()
    qtbot.waitUntil(segments.button("round").hasFocus)
    QTest.keyClick(segments.button("round"), Qt.Key.Key_Right)
    assert (segments.value(), told) == ("square", ["square", "square"])
    assert accessible_name(segments.button("round")) == "Shape: Round"


def test_choice_is_shown_silently_and_wheel_scrolls_past(qtbot: QtBot) -> None:
    box = CalmComboBox("Meaning")
    qtbot.addWidget(box)
    for word in ("a", "b"):
        box.addItem(word, word)
    told: list[int] = []
    box.currentIndexChanged.connect(told.append)
    show_choice(box, "b")
    show_choice(box, "nowhere")
    turn_wheel(box)
    assert (box.currentText(), told) == ("b", [])


def test_elided_label_says_the_whole_when_cut(qtbot: QtBot) -> None:
    label = ElidedLabel("a very long name of a run <i>that</i> nobody can read")
    qtbot.addWidget(label)
    label.resize(90, 20)
    label.show()
    assert label.text().endswith("…")
    assert "&lt;i&gt;" in label.toolTip()
    assert label.whole_text() == accessible_name(label)
    label.resize(900, 20)
    assert label.text() == label.whole_text()
    assert label.toolTip() == ""
    label.setText("two\nlines")
    assert label.text() == "two lines"


def test_tooltips_are_literal() -> None:
    assert plain_tip("cells & more") == "cells & more"
    assert "<b>" not in plain_tip("<b>cells</b>")


def test_empty_place_offers_its_action(qtbot: QtBot) -> None:
    pressed: list[int] = []
    place = EmptyState("No models yet.", "Train", lambda: pressed.append(1), icon_name="model")
    qtbot.addWidget(place)
    place.show()
    QTest.mouseClick(place.button, LEFT)
    assert pressed == [1]
    quiet = EmptyState("Nothing here.")
    qtbot.addWidget(quiet)
    quiet.show()
    assert not quiet.button.isVisible()


def test_section_folds_by_click_and_key(qtbot: QtBot) -> None:
    content = QLabel("inside")
    section = Section("Mask", content)
    qtbot.addWidget(section)
    section.show()
    assert content.isVisible()
    QTest.mouseClick(section.header, LEFT)
    assert not content.isVisible()
    section.header.setFocus()
    with qtbot.waitSignal(section.toggled):
        QTest.keyClick(section.header, Qt.Key.Key_Space)
    assert content.isVisible()
    assert accessible_name(section.header) == "Mask"


def test_buttons_are_named_and_say_their_key(qtbot: QtBot) -> None:
    page = QWidget()
    qtbot.addWidget(page)
    column = QVBoxLayout(page)
    undo = IconButton("undo", "Undo", shortcut="Ctrl+Z")
    for widget in (PrimaryButton("Train", "play"), SecondaryButton("Open", "folder"), undo):
        column.addWidget(widget)
    assert nameless_controls(page) == []
    assert undo.toolTip() == "Undo (Ctrl+Z)"
    undo.describe("redo", "Redo")
    assert accessible_name(undo) == "Redo"


def test_card_is_chosen_by_click_and_key(qtbot: QtBot) -> None:
    card = Card("Fast", "A small network", checkable=True, picture_size=(40, 40))
    qtbot.addWidget(card)
    card.resize(220, 64)
    card.show()
    before = card.grab().toImage()
    QTest.mouseClick(card, LEFT)
    assert card.isChecked()
    assert card.grab().toImage() != before
    card.setFocus()
    QTest.keyClick(card, Qt.Key.Key_Space)
    assert not card.isChecked()
    assert accessible_name(card) == "Fast"
    assert card.accessibleDescription() == "A small network"


def test_card_shows_its_picture(qtbot: QtBot) -> None:
    card = Card("er_01", "folder", picture_size=(100, 60), tall=True, icon_name="file")
    qtbot.addWidget(card)
    card.resize(card.sizeHint())
    picture = QPixmap(30, 30)
    picture.fill(Qt.GlobalColor.magenta)
    card.set_picture(picture)
    assert card.grab().toImage().pixelColor(50, 30).name() == "#ff00ff"


def test_column_scrolls_only_up_and_down(qtbot: QtBot) -> None:
    content = QWidget()
    content.setMinimumSize(80, 900)
    column = ScrollColumn(content)
    qtbot.addWidget(column)
    column.resize(100, 200)
    column.show()
    assert column.verticalScrollBar().maximum() > 0
    assert not column.horizontalScrollBar().isVisible()


def test_pages_not_shown_claim_no_room(qtbot: QtBot) -> None:
    stack = PageStack()
    qtbot.addWidget(stack)
    small, large = QWidget(), QWidget()
    for page, width in ((small, 100), (large, 900)):
        inner = QVBoxLayout(page)
        wide = QLabel()
        wide.setMinimumWidth(width)
        inner.addWidget(wide)
        stack.addWidget(page)
    assert stack.minimumSizeHint().width() < 200
    stack.setCurrentWidget(large)
    assert stack.minimumSizeHint().width() >= 900


def test_column_is_never_narrower_than_its_content(qtbot: QtBot) -> None:
    content = QWidget()
    inner = QVBoxLayout(content)
    wide = QLabel()
    wide.setMinimumWidth(300)
    inner.addWidget(wide)
    column = ScrollColumn(content)
    qtbot.addWidget(column)
    assert column.minimumSizeHint().width() >= 300


def test_tone_can_be_taken_back(qapp: QApplication, qtbot: QtBot) -> None:
    theme.apply(qapp, "light")
    words = QLabel("Not saved")
    qtbot.addWidget(words)
    words.show()
    set_tone(words, "error")
    reddish = words.palette().windowText().color()
    assert reddish.name().upper() == theme.LIGHT.error
    set_tone(words, "")
    assert words.palette().windowText().color().name().upper() == theme.LIGHT.text
    qapp.setStyleSheet("")
