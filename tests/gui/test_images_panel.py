"""The list of images under pointer and keys, on a real project."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QItemSelectionModel, QPoint, QRectF, Qt
from PySide6.QtGui import QKeyEvent, QPainter, QPixmap
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit, QMenu, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.core.edits.whole import ReplaceMask
from orgseg_app.core.project import ProjectImage
from orgseg_app.gui.panels.images_list import (
    IMAGE_ROLE,
    PAINTED_ROLE,
    THUMBNAIL_ROLE,
    paint_painted_bar,
    painted_tip,
    painted_words,
    percent,
)
from orgseg_app.gui.panels.images_panel import ImagesPanel
from orgseg_app.gui.session import Session
from orgseg_app.gui.style import theme
from tests.gui.panel_session import image_id, nameless_controls, open_session

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def session(tmp_path: Path, qapp: QApplication) -> Iterator[Session]:
    session = open_session(tmp_path)
    yield session
    session.close_project()


@pytest.fixture
def panel(session: Session, qtbot: QtBot) -> ImagesPanel:
    panel = ImagesPanel(session)
    qtbot.addWidget(panel)
    panel.resize(216, 500)
    panel.show()
    return panel


def names(panel: ImagesPanel) -> list[str]:
    return [str(panel.model.index(row).data()) for row in range(panel.model.rowCount())]


def click(panel: ImagesPanel, row: int, keys: object = Qt.KeyboardModifier.NoModifier) -> None:
    place = panel.view.visualRect(panel.model.index(row)).center()
    QTest.mouseClick(panel.view.viewport(), LEFT, keys, place)


def key(panel: ImagesPanel, what: object, keys: object = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(panel.view, what, keys)


def splits(session: Session) -> str:
    assert session.project is not None
    return "".join(image.split[0] for image in session.project.images.values())


def answer(verb: str) -> None:
    """Press a button of the question on the screen."""
    box = next(w for w in QApplication.topLevelWidgets() if isinstance(w, QMessageBox))
    button = next(b for b in box.findChildren(QPushButton) if b.text().strip("&") == verb)
    QTest.mouseClick(button, LEFT)


def test_every_control_is_named(panel: ImagesPanel) -> None:
    assert nameless_controls(panel) == []


def test_click_and_arrow_choose_the_image(panel: ImagesPanel, session: Session) -> None:
    click(panel, 2)
    assert session.image is not None
    assert session.image.name == "img_02"
    key(panel, Qt.Key.Key_Down)
    assert session.image.name == "img_03"


def test_the_list_follows_the_session(panel: ImagesPanel, session: Session) -> None:
    session.select_image(image_id(session, "img_04"))
    assert panel.view.currentIndex().row() == 4
    assert [i.name for i in panel.selected_images()] == ["img_04"]


def test_filter_by_name_and_by_split(panel: ImagesPanel, session: Session) -> None:
    assert panel.count.text() == "6"
    QTest.keyClicks(panel.filter, "_03")
    assert names(panel) == ["img_03"]
    assert panel.count.text() == "1 of 6"
    panel.filter.setText("VALIDATION")
    assert names(panel) == ["img_01", "img_04"]
    panel.filter.setText("zebra")
    assert "“zebra”" in panel.no_match.words.text()
    QTest.mouseClick(panel.no_match.button, LEFT)
    assert len(names(panel)) == 6
    assert panel.view.currentIndex().row() == 0  # the image on the canvas is marked again


def test_keys_say_what_an_image_is_for(panel: ImagesPanel, session: Session) -> None:
    assert splits(session) == "tvttvt"
    click(panel, 0)
    key(panel, Qt.Key.Key_V)
    assert splits(session) == "vvttvt"
    key(panel, Qt.Key.Key_T)
    assert session.image is not None
    assert session.image.split == "train"
    key(panel, Qt.Key.Key_T, Qt.KeyboardModifier.ShiftModifier)
    assert session.image.split == "test"


def test_several_images_get_a_split_at_once(panel: ImagesPanel, session: Session) -> None:
    click(panel, 1)
    click(panel, 4, Qt.KeyboardModifier.ShiftModifier)
    assert len(panel.selected_images()) == 4
    key(panel, Qt.Key.Key_V)
    assert splits(session) == "tvvvvt"
    assert len(panel.selected_images()) == 4


def test_the_lists_keys_do_not_reach_the_window(panel: ImagesPanel) -> None:
    for what, taken in ((Qt.Key.Key_T, True), (Qt.Key.Key_Delete, True), (Qt.Key.Key_B, False)):
        event = QKeyEvent(QEvent.Type.ShortcutOverride, what, Qt.KeyboardModifier.NoModifier)
        event.ignore()
        QApplication.sendEvent(panel.view, event)
        assert event.isAccepted() is taken


def test_rename_in_place(panel: ImagesPanel, qtbot: QtBot) -> None:
    click(panel, 1)
    key(panel, Qt.Key.Key_F2)
    field = panel.view.findChild(QLineEdit)
    assert field is not None
    assert field.selectedText() == "img_01"
    QTest.keyClicks(field, "ER <b>first</b>")
    QTest.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: names(panel)[1] == "ER <b>first</b>")


def test_a_name_that_is_taken_is_refused_with_a_sentence(
    panel: ImagesPanel, session: Session, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(session.message) as told:
        panel.model.setData(panel.model.index(1), "img_02")
    assert "Another image is called “img_02”" in told.args[0]
    assert names(panel)[1] == "img_01"


def test_removing_asks_first(panel: ImagesPanel, session: Session) -> None:
    click(panel, 0)
    click(panel, 1, Qt.KeyboardModifier.ControlModifier)
    key(panel, Qt.Key.Key_Delete)
    answer("Cancel")
    assert len(names(panel)) == 6
    key(panel, Qt.Key.Key_Delete)
    answer("Remove")
    assert names(panel) == ["img_02", "img_03", "img_04", "img_05"]
    assert session.image is not None
    assert session.image.name == "img_02"


def test_menu_offers_the_same(panel: ImagesPanel, session: Session) -> None:
    click(panel, 0)
    menu = QMenu(panel)
    actions = {a.text(): a for a in panel.menu_actions(menu)}
    assert actions["Use for training"].isChecked()
    assert actions["Use for validation"].shortcut().toString() == "V"
    actions["Use for validation"].trigger()
    assert splits(session)[0] == "v"
    actions["Rename"].trigger()
    assert panel.view.findChild(QLineEdit) is not None


def test_click_on_the_mark_opens_the_menu(panel: ImagesPanel, qtbot: QtBot) -> None:
    panel.view.menu_requested.disconnect()  # a menu on screen waits for the person
    row = panel.view.visualRect(panel.model.index(0))
    with qtbot.waitSignal(panel.view.menu_requested):
        QTest.mouseClick(panel.view.viewport(), LEFT, pos=row.topLeft() + QPoint(65, 37))


def test_thumbnails_and_painted_shares_come_later(panel: ImagesPanel, qtbot: QtBot) -> None:
    first, second = panel.model.index(0), panel.model.index(1)
    qtbot.waitUntil(lambda: second.data(PAINTED_ROLE) is not None)
    picture = second.data(THUMBNAIL_ROLE)
    assert isinstance(picture, QPixmap)
    assert picture.width() == 80
    assert painted_words(second.data(PAINTED_ROLE)) == "50\u2009%"
    assert painted_words(first.data(PAINTED_ROLE)) == "not painted"


def test_painting_shows_in_the_list(panel: ImagesPanel, session: Session, qtbot: QtBot) -> None:
    index = panel.model.index(0)
    qtbot.waitUntil(lambda: index.data(PAINTED_ROLE) == 0)
    session.apply(ReplaceMask(np.full((1, 64, 80), 3, np.uint8), "all nucleus"))
    qtbot.waitUntil(lambda: index.data(PAINTED_ROLE) == 1)


def test_empty_project_says_what_belongs_here(tmp_path: Path, qtbot: QtBot) -> None:
    session = Session()
    panel = ImagesPanel(session)
    qtbot.addWidget(panel)
    panel.show()
    assert panel.empty.isVisible()
    assert not panel.empty.button.isEnabled()  # nowhere to put them
    session.create_project(tmp_path / "new.orgseg", default_classes(["ER"]))
    assert panel.empty.isVisible()
    for button in (panel.empty.button, panel.add_button):
        with qtbot.waitSignal(panel.add_requested):
            QTest.mouseClick(button, LEFT)
    session.close_project()


def test_read_only_project_can_only_be_looked_at(
    panel: ImagesPanel, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    path = session.path
    assert path is not None
    session.close_project()
    session.open_project(path, read_only=True)
    click(panel, 0)
    key(panel, Qt.Key.Key_V)
    key(panel, Qt.Key.Key_Delete)
    assert splits(session) == "tvttvt"
    assert not any(isinstance(w, QMessageBox) for w in QApplication.topLevelWidgets())
    assert not panel.add_button.isEnabled()
    assert not any(a.isEnabled() for a in panel.menu_actions(QMenu(panel)))
    assert not panel.model.index(0).flags() & Qt.ItemFlag.ItemIsEditable


def test_renaming_the_project_keeps_filter_and_pictures(
    panel: ImagesPanel, session: Session
) -> None:
    panel.filter.setText("_03")
    session.rename_project("better name")
    assert names(panel) == ["img_03"]


def test_two_thousand_images_scroll_smoothly(
    panel: ImagesPanel, session: Session, qtbot: QtBot
) -> None:
    project = session.project
    assert project is not None
    before = project.images
    one = next(iter(before.values()))
    project.images = {
        f"x{n}": ProjectImage(
            **{**vars(one), "image_id": f"x{n}", "name": f"image {n:04d}", "split": "train"}
        )
        for n in range(2000)
    }
    start = time.perf_counter()
    session.images_changed.emit()
    taking_over = time.perf_counter() - start
    QApplication.processEvents()
    bar = panel.view.verticalScrollBar()
    start = time.perf_counter()
    frames = 0
    for at in range(0, bar.maximum(), bar.maximum() // 40):
        bar.setValue(at)
        panel.view.viewport().repaint()
        frames += 1
    assert panel.model.rowCount() == 2000
    assert taking_over < 0.2
    assert (time.perf_counter() - start) / frames < 0.03
    project.images = before
    session.images_changed.emit()


def test_rows_paint_in_both_themes(panel: ImagesPanel, qapp: QApplication) -> None:
    seen = []
    for mode in ("light", "dark"):
        theme.apply(qapp, mode)
        seen.append(panel.grab().toImage())
    assert seen[0] != seen[1]
    theme.apply(qapp, "light")
    qapp.setStyleSheet("")


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "0 %"), (0.0004, "< 0.1 %"), (0.024, "2.4 %"), (0.0996, "10 %"), (1, "100 %")],
)
def test_percentages_read_well(share: float, words: str) -> None:
    assert percent(share).replace("\u2009", " ") == words


def test_dense_and_sparse_work_look_different(qapp: QApplication) -> None:
    """One bright line for all, a row of dots for some, a faint line for none."""

    def bar(share: float) -> tuple[int, int]:
        picture = QPixmap(40, 3)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        paint_painted_bar(painter, QRectF(0, 0, 40, 3), share)
        painter.end()
        row = [picture.toImage().pixelColor(x, 1) for x in range(40)]
        accent = theme.current().accent
        return sum(c.alpha() < 50 for c in row), sum(c.name() == accent.lower() for c in row)

    gaps, lit = zip(*(bar(n) for n in (0, 1e-6, 0.5, 0.999999, 1)), strict=True)
    assert gaps[0] == gaps[4] == 0
    assert min(gaps[1:4]) >= 6
    assert lit[0] == 0 < lit[1] < lit[2] < lit[3] < lit[4]
    said = [painted_tip(share) for share in (None, 0, 1e-6, 1)]
    assert [words.split()[0] if words else "" for words in said] == [
        "",
        "Nothing",
        "Sparse:",
        "Dense:",
    ]


def test_roles_hand_out_facts(panel: ImagesPanel) -> None:
    index = panel.model.index(0)
    assert index.data(IMAGE_ROLE).name == "img_00"
    assert "64 × 80" in index.data(Qt.ItemDataRole.ToolTipRole)
    assert index.data(Qt.ItemDataRole.AccessibleTextRole) == "img_00, training"
    flags = QItemSelectionModel.SelectionFlag.ClearAndSelect
    panel.view.selectionModel().setCurrentIndex(index, flags)
    assert panel.selected_images()[0].name == "img_00"
