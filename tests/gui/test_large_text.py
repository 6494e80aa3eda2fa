"""Text of 200 %: nothing is cut and nothing lies over anything else, on two sizes of screen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from orgseg_app import settings
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.dialogs import FRAME, SMALLEST, FittingDialog
from tests.gui.every_place import all_places
from tests.gui.text_room import cut

SCREENS = ((1280, 800), (1920, 1080))


@pytest.fixture(scope="module")
def looked_at(
    qapp: QApplication, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, list[str]]]:
    """What is cut, by place and size of the window; and dialogs that no small screen can hold."""
    found: dict[str, list[str]] = {"too large": []}
    with all_places(tmp_path_factory.mktemp("large"), text_size=200) as places:
        for name, root in places.all():
            if root is not places.window:
                found[name] = cut(root)
                room = SMALLEST - FRAME
                if root.isWindow() and root.size().boundedTo(room) != root.size():
                    found["too large"].append(f"{name}: {root.width()} × {root.height()}")
                continue
            for width, height in SCREENS:
                root.resize(width, height)
                places.hand.settle()
                if cut(root):  # a layout may be asked for once more by what it has laid out
                    places.hand.rest()
                    places.hand.settle()
                found[f"{name} at {width} × {height}"] = cut(root)
                if (root.width(), root.height()) != (width, height):
                    found["too large"].append(f"{name}: {root.width()} × {root.height()}")
        yield found


def test_no_text_is_cut_anywhere(looked_at: dict[str, list[str]]) -> None:
    assert len(looked_at) > 50
    assert {name: texts for name, texts in looked_at.items() if texts} == {}


def test_it_is_chosen_in_the_menu_and_applied_at_once(qtbot: QtBot, qapp: QApplication) -> None:
    from orgseg_app.gui.main_window import MainWindow

    window = MainWindow(settings.load())
    qtbot.addWidget(window)
    window.set_text_size(100)
    window.show()
    button = window.start_page.drop_area.images_button
    before = button.sizeHint().height(), button.fontMetrics().height()
    try:
        window.actions_by_id["text_200"].trigger()
        assert window.actions_by_id["text_200"].isChecked()
        assert not window.actions_by_id["text_100"].isChecked()
        assert settings.load().text_size == 200
        after = button.sizeHint().height(), button.fontMetrics().height()
        assert after[0] > 1.6 * before[0]
        assert after[1] >= 1.9 * before[1]
        assert window.start_page.drop_area.height() == 2 * 228
    finally:
        window.actions_by_id["text_100"].trigger()
    assert (button.sizeHint().height(), button.fontMetrics().height()) == before
    window.close()
    qapp.setStyleSheet("")


def test_a_size_that_is_none_of_them_is_left_out(orgseg_home: object) -> None:
    kept = settings.load()
    kept.text_size = 150
    assert settings.save(kept)
    assert settings.load().text_size == 150
    path = settings.settings_path()
    for wrong in ("151", "true", '"200"', "null"):
        path.write_text('{"text_size": ' + wrong + "}", encoding="utf-8")
        assert settings.load().text_size == 100, wrong


def test_a_dialog_that_is_too_large_for_the_screen_scrolls(qtbot: QtBot) -> None:
    dialog = FittingDialog()
    qtbot.addWidget(dialog)
    column = QVBoxLayout(dialog)
    last = QPushButton("Last")
    tall = QWidget()
    tall.setMinimumSize(300, 2000)
    column.addWidget(tall)
    column.addWidget(last)
    dialog.show()
    assert dialog.height() <= SMALLEST.height()
    last.setFocus(Qt.FocusReason.TabFocusReason)
    assert last.window() is dialog


def test_what_is_cut_is_found(qtbot: QtBot) -> None:
    page = QWidget()
    qtbot.addWidget(page)
    page.resize(400, 200)
    words = QLabel("Words that need more room than they have", page)
    words.setTextFormat(Qt.TextFormat.PlainText)
    words.setGeometry(0, 0, 60, 20)
    button = QPushButton("A button beyond the edge", page)
    button.setGeometry(350, 60, 200, 30)
    painted = _Painted(page)
    painted.setGeometry(0, 100, 200, 60)
    page.show()
    texts = cut(page)
    assert len(texts) == 3, texts
    assert any("needs a width" in text for text in texts)
    assert any("sticks out" in text for text in texts)
    assert any(text.startswith("drawn 'painted") for text in texts)


class _Painted(QWidget):
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(theme.font())
        painter.drawText(QRectF(0, 0, 20, 30), int(Qt.AlignmentFlag.AlignLeft), "painted words")
        painter.end()
