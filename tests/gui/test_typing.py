"""Typing in a field is typing, not a shortcut of one letter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QSpinBox

from tests.e2e.hand import Hand, make_project


@pytest.fixture
def opened(qapp: object, tmp_path: Path) -> Iterator[Hand]:
    hand = Hand()
    hand.open(make_project(tmp_path / "typing.orgseg"))
    hand.window.activateWindow()
    assert QTest.qWaitForWindowActive(hand.window)
    yield hand
    hand.close()


def test_letters_and_digits_go_into_the_field_that_has_the_keyboard(opened: Hand) -> None:
    parts, tools, session = opened.parts, opened.window.tools, opened.session
    before = (tools.tool, tools.brush_size, session.class_id, session.image_id)
    parts.header.name.setFocus()
    parts.header.name.clear()
    QTest.keyClicks(parts.header.name, "beg1[]?+-x")
    assert parts.header.name.text() == "beg1[]?+-x"
    QTest.keyClick(parts.header.name, Qt.Key.Key_Home)
    assert parts.header.name.cursorPosition() == 0
    opened.window.show_workspace("train")
    box = parts.training.form.fields["steps"]
    assert isinstance(box, QSpinBox)
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, "123")
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert box.value() == 123
    assert (tools.tool, tools.brush_size, session.class_id, session.image_id) == before


def test_the_same_letters_on_the_canvas_are_shortcuts(opened: Hand) -> None:
    opened.parts.canvas.setFocus()
    QTest.keyClick(opened.parts.canvas, Qt.Key.Key_E)
    assert opened.window.tools.tool == "eraser"
