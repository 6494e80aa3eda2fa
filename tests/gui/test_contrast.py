"""Contrast of every text of the window, measured on its pictures, light and dark."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QEnterEvent
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import PrimaryButton, SecondaryButton, label, surface
from tests.gui import contrast
from tests.gui.every_place import all_places

ENOUGH, LARGE, UNUSABLE = 4.5, 3.0, 2.3
"""Of text, of large text; what cannot be used is exempt, and still has to be seen."""

TONES = ("", "secondary", "success", "warning", "error")


@pytest.fixture(scope="module", params=["light", "dark"])
def measured(
    request: pytest.FixtureRequest,
    qapp: QApplication,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[list[tuple[str, float, float]]]:
    """What is written, its contrast, and how much it needs."""
    found: list[tuple[str, float, float]] = []
    with all_places(tmp_path_factory.mktemp("contrast"), theme_name=request.param) as places:
        for name, root in places.all():
            for what, ratio, is_large, is_on in contrast.measured(root):
                needed = LARGE if is_large else ENOUGH
                found.append((f"{name}: {what}", ratio, needed if is_on else UNUSABLE))
        yield found


def test_everything_that_is_written_stands_out(measured: list[tuple[str, float, float]]) -> None:
    assert len(measured) > 800
    short = {what: round(ratio, 2) for what, ratio, needed in measured if ratio < needed}
    assert short == {}


@pytest.mark.parametrize("name", ["light", "dark"])
def test_states_stand_out_too(qtbot: QtBot, qapp: QApplication, name: str) -> None:
    """Tones on each ground; buttons at rest, under the pointer, held down and chosen."""
    theme.apply(qapp, name)
    page = QWidget()
    qtbot.addWidget(page)
    column = QVBoxLayout(page)
    for ground in ("window", "panel", "bar"):
        part = QWidget()
        surface(part, ground)
        inside = QVBoxLayout(part)
        for tone in TONES:
            inside.addWidget(label(f"Words {tone} on {ground}", tone=tone))
        inside.addWidget(label("Caption of it", "caption"))
        column.addWidget(part)
    buttons: list[QPushButton] = []
    for kind in (PrimaryButton, SecondaryButton):
        for state in ("rest", "hover", "down", "checked"):
            button: QPushButton = kind(f"Button {state}")
            button.setCheckable(state == "checked")
            buttons.append(button)
            column.addWidget(button)
    page.show()
    qtbot.waitExposed(page)
    for button in buttons:
        if "hover" in button.text():
            button.setAttribute(Qt.WidgetAttribute.WA_UnderMouse)
            at = QPointF(5, 5)
            QApplication.sendEvent(button, QEnterEvent(at, at, at))
        button.setDown("down" in button.text())
        button.setChecked("checked" in button.text())
    found = list(contrast.measured(page))
    assert len(found) == 3 * (len(TONES) + 1) + len(buttons)
    assert {what: ratio for what, ratio, *_ in found if ratio < ENOUGH} == {}
    qapp.setStyleSheet("")
    theme.watcher.theme = theme.LIGHT


def test_the_measure_is_that_of_the_colours(qtbot: QtBot) -> None:
    """Grey on white as the colours say, however thin the strokes."""
    for colour, expected in (("#767676", 4.54), ("#949494", 3.03), ("#000000", 21.0)):
        words = QLabel("Illustration of words, thin ones")
        qtbot.addWidget(words)
        words.setStyleSheet(f"background: #ffffff; color: {colour}; font-size: 11px")
        words.resize(words.sizeHint())
        words.show()
        (_, ratio, is_large, is_on) = next(iter(contrast.measured(words)))
        assert ratio == pytest.approx(expected, rel=0.06), colour
        assert (is_large, is_on) == (False, True)
        words.hide()


def test_an_empty_picture_has_no_contrast() -> None:
    assert contrast.contrast_of(np.full((20, 60, 3), 240, np.uint8)) is None
