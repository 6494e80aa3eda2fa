"""Colours, style sheet and icons, in both themes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QEvent, QSize
from PySide6.QtGui import QColor, QIcon, QImage
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from orgseg_app import paths
from orgseg_app.gui.style import icons, theme
from orgseg_app.gui.style.stylesheet import stylesheet
from orgseg_app.gui.style.widgets import PrimaryButton, label

BOTH = (theme.LIGHT, theme.DARK)
GROUNDS = ("window", "panel", "raised", "hover", "pressed", "selected")
WORDS = ("text", "secondary")


@pytest.fixture(autouse=True)
def undressed(qapp: QApplication) -> Iterator[None]:
    yield
    qapp.setStyleSheet("")
    theme.watcher.theme = theme.LIGHT


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("now", BOTH, ids=lambda t: t.name)
def test_words_are_readable_on_every_ground(now: theme.Theme) -> None:
    for ground in GROUNDS:
        for words in WORDS:
            assert contrast(getattr(now, words), getattr(now, ground)) >= 4.5, (words, ground)
    for tone in ("success", "warning", "error", "accent"):
        for ground in ("window", "panel", "raised"):
            assert contrast(getattr(now, tone), getattr(now, ground)) >= 4.5, (tone, ground)
    assert contrast(now.accent, now.selected) >= 4.5
    assert contrast(now.on_accent, now.accent) >= 4.5
    assert contrast(now.on_accent, now.accent_hover) >= 4.5
    assert contrast(now.on_canvas, now.canvas) >= 4.5


@pytest.mark.parametrize("now", BOTH, ids=lambda t: t.name)
def test_outlines_of_controls_stand_out(now: theme.Theme) -> None:
    for ground in ("window", "panel"):
        assert contrast(now.control, getattr(now, ground)) >= 3
        assert contrast(now.accent, getattr(now, ground)) >= 3


@pytest.mark.parametrize("now", BOTH, ids=lambda t: t.name)
def test_style_sheet_is_complete(now: theme.Theme) -> None:
    sheet = stylesheet(now.tokens())
    assert "$" not in sheet
    assert sheet.count("{") == sheet.count("}")
    marks = re.findall(r"url\(([^)]+)\)", sheet)
    assert marks
    for mark in marks:
        picture = QImage(mark)
        assert not picture.isNull(), mark


def test_colours_change_at_once(qapp: QApplication, qtbot: QtBot) -> None:
    button = PrimaryButton("Train")
    button.setIcon(QIcon())
    qtbot.addWidget(button)
    button.resize(120, 32)
    theme.apply(qapp, "light")
    button.show()
    assert QColor(button.grab().toImage().pixel(8, 16)).name().upper() == theme.LIGHT.accent
    with qtbot.waitSignal(theme.watcher.changed) as told:
        theme.apply(qapp, "dark")
    assert told.args == [theme.DARK]
    assert theme.current() is theme.DARK
    assert QColor(button.grab().toImage().pixel(8, 16)).name().upper() == theme.DARK.accent


def test_unknown_mode_follows_the_system(qapp: QApplication) -> None:
    assert theme.apply(qapp, "sepia") in BOTH
    assert theme.watcher.mode == "system"


def test_labels_have_four_sizes(qapp: QApplication, qtbot: QtBot) -> None:
    theme.apply(qapp, "light")
    sizes = {}
    for role in theme.ROLES:
        words = label("Classes", role)
        qtbot.addWidget(words)
        words.show()
        sizes[role] = words.fontInfo().pixelSize()
    assert sizes == {"caption": 11, "text": 13, "title": 15, "display": 22}


def test_labels_show_markup_literally(qtbot: QtBot) -> None:
    words = label("<b>cells</b>")
    plain = QLabel("x")
    for widget in (words, plain):
        qtbot.addWidget(widget)
    assert words.sizeHint().width() > words.fontMetrics().horizontalAdvance("<b>cells")


@pytest.mark.parametrize("name", icons.names())
def test_every_icon_draws_a_line(qapp: QApplication, name: str) -> None:
    for ratio in (1.0, 2.0):
        picture = icons.pixmap(name, "#ff0000", ratio=ratio)
        assert picture.width() == icons.SIZE * ratio
        image = picture.toImage()
        inked = [
            image.pixelColor(x, y)
            for x in range(image.width())
            for y in range(image.height())
            if image.pixelColor(x, y).alpha() > 128
        ]
        assert len(inked) > 6 * ratio, name
        assert all(colour.red() > 200 and colour.green() < 60 for colour in inked), name
        border = [image.pixelColor(x, y).alpha() for x in range(image.width()) for y in (0,)]
        assert max(border) < 60, f"{name} touches the edge"


def test_icons_are_as_many_as_the_interface_needs() -> None:
    assert len(icons.names()) >= 35
    for name in ("brush", "hand", "sparkle", "undo", "trash", "eye-off", "chevron-down", "device"):
        assert not icons.icon(name).isNull()
    with pytest.raises(KeyError, match="no icon called 'unicorn'"):
        icons.icon("unicorn")


def test_icons_are_drawn_at_the_resolution_of_the_screen(qapp: QApplication) -> None:
    picture = icons.icon("brush").pixmap(QSize(20, 20), 2.0)
    assert (picture.width(), picture.devicePixelRatio()) == (40, 2.0)


def test_icons_follow_the_theme(qapp: QApplication, qtbot: QtBot) -> None:
    button = QPushButton()
    button.setIcon(icons.icon("plus", "error"))
    qtbot.addWidget(button)
    button.resize(40, 40)

    def ink() -> str:
        image = button.grab().toImage()
        return QColor(image.pixel(image.width() // 2, image.height() // 2)).name().upper()

    theme.apply(qapp, "light")
    assert ink() == theme.LIGHT.error
    theme.apply(qapp, "dark")
    assert ink() == theme.DARK.error


def test_disabled_and_checked_icons_look_different(qapp: QApplication) -> None:
    icon = icons.icon("stop")
    tints = set()
    for mode, state in (
        (QIcon.Mode.Normal, QIcon.State.Off),
        (QIcon.Mode.Disabled, QIcon.State.Off),
        (QIcon.Mode.Normal, QIcon.State.On),
    ):
        image = icon.pixmap(QSize(20, 20), mode, state).toImage()
        tints.add(max((image.pixelColor(x, 10) for x in range(20)), key=lambda c: c.alpha()).name())
    assert len(tints) == 3


def test_copies_of_icons_survive_the_original(qapp: QApplication) -> None:
    copies = []
    for _ in range(50):
        copy = QIcon(icons.icon("brush"))
        copy.addPixmap(icons.pixmap("eye"))  # makes Qt clone the engine
        copies.append(copy)
    import gc

    gc.collect()
    assert all(not copy.pixmap(20, 20).isNull() for copy in copies)


def test_application_icon_is_there_in_all_sizes(qapp: QApplication) -> None:
    sizes = {size.width() for size in icons.app_icon().availableSizes()}
    assert sizes == {16, 32, 64, 128, 256}
    assert (paths.resources_dir() / "icons" / "orgseg.svg").is_file()


def test_what_lies_deep_is_dressed_no_more_often_than_what_lies_on_top(
    qtbot: QtBot, qapp: QApplication
) -> None:
    # Left to itself Qt dresses a widget once for each that holds it: seconds in the whole window.
    class Counting(QLabel):
        dressed = 0

        def changeEvent(self, event: QEvent) -> None:
            self.dressed += event.type() == QEvent.Type.StyleChange
            super().changeEvent(event)

    top = Counting()
    qtbot.addWidget(top)
    innermost: QWidget = top
    for _ in range(12):
        innermost = QWidget(innermost)
    deep = Counting(innermost)
    theme.apply(qapp, "light", 100)
    top.show()
    for mode, size in (("dark", 100), ("dark", 200), ("light", 100)):
        top.dressed = deep.dressed = 0
        theme.apply(qapp, mode, size)
        assert 1 <= deep.dressed <= top.dressed
    deep.dressed = 0
    theme.apply(qapp, "light", 100)
    assert deep.dressed == 0
