"""The list of classes under pointer and keys, on a real project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import PALETTE
from orgseg_app.core.edits.whole import ReplaceMask
from orgseg_app.gui.panels.classes_list import ROW_HEIGHT, SHARE_ROLE, swatch_rect
from orgseg_app.gui.panels.classes_panel import ROWS_SHOWN, ClassesPanel
from orgseg_app.gui.panels.colour_menu import ColourMenu
from orgseg_app.gui.session import Session
from orgseg_app.gui.style import theme
from tests.gui.panel_session import image_id, nameless_controls, open_session

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def session(tmp_path: Path, qapp: QApplication) -> Iterator[Session]:
    session = open_session(tmp_path, images=2)
    yield session
    session.close_project()


@pytest.fixture
def panel(session: Session, qtbot: QtBot) -> ClassesPanel:
    panel = ClassesPanel(session)
    qtbot.addWidget(panel)
    panel.resize(280, 320)
    panel.show()
    return panel


def names(panel: ClassesPanel) -> list[str]:
    return [str(panel.model.index(row).data()) for row in range(panel.model.rowCount())]


def click(panel: ClassesPanel, row: int) -> None:
    place = panel.view.visualRect(panel.model.index(row)).center()
    QTest.mouseClick(panel.view.viewport(), LEFT, pos=place)


def answer(verb: str) -> None:
    box = next(w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox))
    button = next(b for b in box.findChildren(QPushButton) if b.text().strip("&") == verb)
    QTest.mouseClick(button, LEFT)


def asking() -> bool:
    return any(isinstance(w, QMessageBox) and w.isVisible() for w in QApplication.topLevelWidgets())


def test_every_control_is_named(panel: ClassesPanel) -> None:
    assert nameless_controls(panel) == []
    spoken = panel.model.index(1).data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "ER, key 2, 0\u2009% painted"


def test_click_and_arrow_choose_the_class(panel: ClassesPanel, session: Session) -> None:
    click(panel, 2)
    assert session.class_id == 3
    QTest.keyClick(panel.view, Qt.Key.Key_Up)
    assert session.class_id == 2


def test_the_list_follows_the_session(panel: ClassesPanel, session: Session) -> None:
    session.select_class(3)
    assert panel.view.currentIndex().row() == 2


def test_typing_letters_is_left_to_the_window(panel: ClassesPanel, session: Session) -> None:
    click(panel, 1)
    event = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_N, Qt.KeyboardModifier.NoModifier, "n")
    QApplication.sendEvent(panel.view, event)
    assert not event.isAccepted()
    assert session.class_id == 2


def test_adding_a_class_lets_its_name_be_typed(
    panel: ClassesPanel, session: Session, qtbot: QtBot
) -> None:
    QTest.mouseClick(panel.add_button, LEFT)
    assert names(panel) == ["background", "ER", "nucleus", "class 3"]
    assert session.class_id == 4
    field = panel.view.findChild(QLineEdit)
    assert field is not None
    assert field.selectedText() == "class 3"
    QTest.keyClicks(field, "Golgi")
    QTest.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: names(panel)[3] == "Golgi")
    assert session.classes[3].colour == PALETTE[2]


def test_two_new_classes_get_different_names(panel: ClassesPanel) -> None:
    panel.add_class()
    panel.add_class()
    assert names(panel)[3:] == ["class 3", "class 4"]


def test_a_name_that_is_taken_is_refused_with_a_sentence(
    panel: ClassesPanel, session: Session, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(session.message) as told:
        panel.model.setData(panel.model.index(2), "er")
    assert "Two classes are called" in told.args[0]
    assert names(panel)[2] == "nucleus"


def test_rename_with_the_keyboard(panel: ClassesPanel, qtbot: QtBot) -> None:
    click(panel, 1)
    QTest.keyClick(panel.view, Qt.Key.Key_F2)
    field = panel.view.findChild(QLineEdit)
    assert field is not None
    QTest.keyClicks(field, "tubules")
    QTest.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: names(panel)[1] == "tubules")


def test_click_on_the_colour_asks_for_another(
    panel: ClassesPanel, session: Session, qtbot: QtBot
) -> None:
    panel.view.colour_requested.disconnect()  # a menu on screen waits for the person
    row = panel.view.visualRect(panel.model.index(2))
    with qtbot.waitSignal(panel.view.colour_requested) as told:
        QTest.mouseClick(panel.view.viewport(), LEFT, pos=swatch_rect(row).center().toPoint())
    assert told.args[0] == 3
    menu = ColourMenu("#56B4E9", panel)
    menu.colour_chosen.connect(lambda colour: panel.change_colour(3, colour))
    assert nameless_controls(menu) == []
    QTest.mouseClick(menu.swatches[5], LEFT)
    assert session.classes[2].colour == PALETTE[5]


def test_shares_of_the_current_image(panel: ClassesPanel, session: Session, qtbot: QtBot) -> None:
    assert panel.summary.text() == "Nothing painted on this image yet."
    session.select_image(image_id(session, "img_01"))
    assert panel.model.index(1).data(SHARE_ROLE) == 0.5
    assert panel.summary.text() == "50\u2009% painted, the rest unlabelled."
    session.apply(ReplaceMask(np.full((1, 64, 80), 1, np.uint8), "all background"))
    qtbot.waitUntil(lambda: panel.summary.text() == "All of this image is painted.")
    assert panel.model.index(0).data(SHARE_ROLE) == 1


def test_an_unused_class_goes_at_once(panel: ClassesPanel) -> None:
    click(panel, 2)
    QTest.keyClick(panel.view, Qt.Key.Key_Delete)
    assert not asking()
    assert names(panel) == ["background", "ER"]


def test_a_painted_class_asks_first(panel: ClassesPanel, session: Session) -> None:
    click(panel, 1)
    QTest.keyClick(panel.view, Qt.Key.Key_Delete)  # painted on the other image
    answer("Cancel")
    assert len(names(panel)) == 3
    QTest.keyClick(panel.view, Qt.Key.Key_Delete)
    answer("Delete")
    assert names(panel) == ["background", "nucleus"]
    assert session.painted(image_id(session, "img_01")) == {}


def test_background_stays(panel: ClassesPanel) -> None:
    click(panel, 0)
    QTest.keyClick(panel.view, Qt.Key.Key_Delete)
    assert not asking()
    assert names(panel)[0] == "background"
    menu = QMenu(panel)
    panel.fill_menu(menu, 1, QPoint())
    assert [a.text() for a in menu.actions() if a.isEnabled() and a.text()] == [
        "Rename",
        "Colour…",
    ]


def test_many_classes_scroll_in_their_own_list(panel: ClassesPanel, session: Session) -> None:
    for number in range(20):
        session.add_class(f"kind {number}")
    assert panel.view.height() == ROWS_SHOWN * ROW_HEIGHT
    row = panel.view.visualRect(panel.view.currentIndex())
    QApplication.processEvents()
    assert panel.view.currentIndex().row() == 22
    assert panel.view.viewport().rect().intersects(row)


def test_read_only_project_can_only_be_looked_at(panel: ClassesPanel, session: Session) -> None:
    path = session.path
    assert path is not None
    session.close_project()
    session.open_project(path, read_only=True)
    assert not panel.add_button.isEnabled()
    click(panel, 2)
    assert session.class_id == 3
    QTest.keyClick(panel.view, Qt.Key.Key_Delete)
    assert len(names(panel)) == 3
    assert not panel.model.index(1).flags() & Qt.ItemFlag.ItemIsEditable


def test_without_a_project_there_is_nothing(qtbot: QtBot) -> None:
    panel = ClassesPanel(Session())
    qtbot.addWidget(panel)
    panel.show()
    assert (names(panel), panel.summary.text()) == ([], "")
    assert not panel.add_button.isEnabled()


def test_rows_paint_the_classes_colour(panel: ClassesPanel, qapp: QApplication) -> None:
    for mode in ("light", "dark"):
        theme.apply(qapp, mode)
        picture = panel.view.viewport().grab().toImage()
        place = swatch_rect(panel.view.visualRect(panel.model.index(1))).center().toPoint()
        assert picture.pixelColor(place).name().upper() == PALETTE[0]
    theme.apply(qapp, "light")
    qapp.setStyleSheet("")
