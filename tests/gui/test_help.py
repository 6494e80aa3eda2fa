"""The help: every tool has a page, every page says what is true, keys are those in force."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QTextDocument
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from orgseg_app import paths
from orgseg_app.gui.actions import BY_ID
from orgseg_app.gui.canvas.tool_settings import TOOL_SETTINGS
from orgseg_app.gui.canvas.tools.registry import TOOLS
from orgseg_app.gui.canvas.wheel import wheel_acts
from orgseg_app.gui.help.help_dialogs import ShortcutsDialog
from orgseg_app.gui.help.help_pages import NAMED, TOPICS, filled, pages
from orgseg_app.gui.keys.shortcut_presets import PRESETS
from orgseg_app.gui.panels.help_window import HelpWindow
from orgseg_app.gui.style import theme
from tests.e2e.hand import Hand
from tests.gui.volume_project import make_volume_project

LINK = re.compile(r"\]\(([^)]*)\)")
METHODS = {
    "livewire": ("Mortensen", "1995"),
    "grabcut": ("Rother", "2004"),
    "superpixels": ("Achanta", "2012"),
    "brush": ("Otsu", "1979"),
    "volumes": ("Raya", "1990"),
    "object_table": ("Iglewicz", "Beucher"),
}


@pytest.fixture
def hand(qapp: object) -> Iterator[Hand]:
    hand = Hand()
    yield hand
    hand.close()


@pytest.fixture
def painter(hand: Hand, tmp_path: Path) -> Hand:
    hand.open(make_volume_project(tmp_path / "help.orgseg"))
    hand.window.activateWindow()
    assert QTest.qWaitForWindowActive(hand.window)
    hand.parts.canvas.setFocus()
    return hand


def help_of(hand: Hand) -> HelpWindow:
    found = hand.window.commands.helping.help
    assert found is not None
    return found


def shown_pages(window: HelpWindow) -> list[str]:
    rows = [window.contents.item(row) for row in range(window.contents.count())]
    names = [(row.data(Qt.ItemDataRole.UserRole), row.isHidden()) for row in rows]
    return [name for name, is_hidden in names if name and not is_hidden]


# -- what is written -----------------------------------------------------------------------------


def test_every_tool_has_a_page_and_every_page_is_in_the_contents() -> None:
    files = {path.stem for path in (paths.resources_dir() / "help").glob("*.md")}
    assert files == set(TOPICS) | set(TOOLS)
    assert list(pages()) == [*TOPICS, *TOOLS]


@pytest.mark.parametrize("name", TOOLS)
def test_the_page_of_a_tool_says_what_it_is_and_how_it_is_used(name: str) -> None:
    page = pages()[name]
    assert page.title == BY_ID[f"tool_{name}"].text
    assert f"{{key:tool_{name}}}" in page.text
    for heading in ("## By mouse", "## By keyboard"):
        assert heading in page.text
    assert ("{settings}" in page.text) == bool(TOOLS[name].settings)


@pytest.mark.parametrize("name", [*TOPICS, *TOOLS])
def test_a_page_names_only_what_there_is(name: str) -> None:
    page = pages()[name]
    for kind, what in NAMED.findall(page.text):
        assert kind in ("key", "menu", "wheel", "set", "settings")
        if kind in ("key", "menu"):
            assert what in BY_ID
        if kind == "wheel":
            assert what in wheel_acts("zoom").values()
        if kind == "set":
            assert what in TOOL_SETTINGS
    for target in LINK.findall(page.text):
        assert target in pages()
        assert target != name
    assert "http" not in page.text
    assert page.text.count("# ") >= 1
    assert page.text.startswith("# ")
    assert "!" not in page.text


@pytest.mark.parametrize("name", METHODS)
def test_methods_name_their_source(name: str) -> None:
    after = pages()[name].text.split("## Method\n")[1]
    for word in METHODS[name]:
        assert word in after


def test_no_key_of_an_action_is_written_by_hand() -> None:
    """A key in a page is one that nobody can change, or comes from the table."""
    fixed = {"Space", "Shift", "Alt", "Ctrl", "Enter", "Esc", "Backspace", "Tab", "H"}
    for page in pages().values():
        written = set(re.findall(r"`([^`]+)`", page.text))
        assert written <= fixed, page.name


# -- as it is shown ------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_every_page_can_be_filled_in_with_every_preset(painter: Hand, preset: str) -> None:
    shortcuts = painter.window.shortcuts
    shortcuts.set_preset(preset)
    for page in pages().values():
        text = filled(page, shortcuts)
        assert "{" not in text
        assert "``" not in text
        document = QTextDocument()
        document.setMarkdown(text)
        plain = document.toPlainText()
        assert "**" not in plain
        assert "](" not in plain


def test_keys_follow_what_the_person_chose(painter: Hand) -> None:
    window = painter.window
    painter.action("help_contents")
    helps = help_of(painter)
    helps.show_page("fill")
    assert "F takes the tool" in helps.page.toPlainText()
    window.shortcuts.set_keys("tool_fill", ["Ctrl+Alt+F"])
    assert "Ctrl+Alt+F takes the tool" in helps.page.toPlainText()
    window.shortcuts.set_keys("tool_fill", [])
    assert "Annotate › Fill takes the tool" in helps.page.toPlainText()
    helps.show_page("pan")
    assert "Wheel zooms" in helps.page.toPlainText()
    window.shortcuts.set_wheel("slice")
    assert "Ctrl + wheel zooms" in helps.page.toPlainText()


@pytest.mark.parametrize("name", TOOLS)
def test_f1_opens_the_page_of_the_tool_in_the_hand(painter: Hand, name: str) -> None:
    painter.window.tools.set_tool(name)
    QTest.keyClick(painter.parts.canvas, Qt.Key.Key_F1)
    painter.wait(lambda: painter.window.commands.helping.help is not None)
    helps = help_of(painter)
    assert helps.isVisible()
    assert helps.name == name
    text = helps.page.toPlainText()
    assert text.startswith(BY_ID[f"tool_{name}"].text)
    for setting in TOOLS[name].settings:
        assert TOOL_SETTINGS[setting].title in text
        assert TOOL_SETTINGS[setting].tip[1:] in text
    QTest.keyClick(helps, Qt.Key.Key_Escape)
    assert not helps.isVisible()


def test_f1_in_the_object_table_opens_its_page(painter: Hand) -> None:
    painter.action("object_table")
    table = painter.parts.object_table
    painter.wait(table.isVisible)
    for place in (table.search, table.of_class):
        place.setFocus()
        QTest.keyClick(place, Qt.Key.Key_F1)
        assert help_of(painter).name == "object_table"
        help_of(painter).close()
        painter.window.activateWindow()
        assert QTest.qWaitForWindowActive(painter.window)
    painter.parts.canvas.setFocus()
    QTest.keyClick(painter.parts.canvas, Qt.Key.Key_F1)
    assert help_of(painter).name == painter.window.tools.tool


def test_the_question_mark_of_the_panel_opens_it_and_says_its_key(painter: Hand) -> None:
    painter.window.tools.set_tool("wand")
    button = painter.parts.tool_panel.help_button
    assert button.toolTip() == "Help for this tool (F1)"
    button.click()
    assert help_of(painter).name == "wand"
    painter.window.tools.set_tool("lasso")
    button.click()
    assert help_of(painter).name == "lasso"
    assert len(painter.window.findChildren(HelpWindow)) == 1


def test_the_question_mark_on_the_keyboard_still_opens_the_sheet_of_keys() -> None:
    assert BY_ID["shortcuts"].keys == ("?",)
    assert BY_ID["help_tool"].keys == ("F1",)


def test_the_sheet_of_keys_begins_at_the_tool_in_the_hand(painter: Hand) -> None:
    for name in ("wand", "pan"):
        painter.window.tools.set_tool(name)
        painter.action("shortcuts")
        sheet = painter.window.findChildren(ShortcutsDialog)[-1]
        row = sheet.table.selectedItems()
        assert [item.text() for item in row][1] == BY_ID[f"tool_{name}"].text
        assert sheet.table.visualItemRect(row[0]).intersects(sheet.table.viewport().rect())
        sheet.reject()


def test_without_an_image_it_begins_at_the_beginning(hand: Hand) -> None:
    hand.action("help_tool")
    assert help_of(hand).name == "canvas"


def test_search_leaves_the_pages_that_hold_every_word(painter: Hand) -> None:
    painter.action("help_contents")
    helps = help_of(painter)
    everything = shown_pages(helps)
    assert everything == list(pages())
    helps.field.setText("graph cuts")
    assert shown_pages(helps) == ["grabcut"]
    assert helps.name == "grabcut"
    assert helps.page.extraSelections()
    helps.field.setText("holes")
    assert helps.name == "holes"  # what it is called counts more than what is said about it
    helps.field.setText("xylophone")
    assert shown_pages(helps) == []
    assert helps.nothing.isVisible()
    assert helps.name == "holes"
    helps.field.clear()
    assert shown_pages(helps) == everything
    assert not helps.nothing.isVisible()
    assert not helps.page.extraSelections()


def test_links_lead_to_pages_and_nowhere_else(painter: Hand) -> None:
    painter.action("help_contents")
    helps = help_of(painter)
    helps.show_page("fill")
    helps.page.anchorClicked.emit(QUrl("brush"))
    assert helps.name == "brush"
    for elsewhere in ("https://example.org/fill", "file:///etc/hosts", "nowhere", ""):
        helps.page.anchorClicked.emit(QUrl(elsewhere))
        assert helps.name == "brush"
    assert helps.page.loadResource(2, QUrl("file:///etc/hosts")) is None
    helps.field.setText("interpolate")
    helps.show_page("pan")  # not among what was found
    assert helps.name == "pan"
    assert helps.field.text() == ""


def test_it_takes_on_the_other_theme(painter: Hand) -> None:
    painter.action("help_contents")
    helps = help_of(painter)

    def colour() -> str:
        cursor = helps.page.textCursor()
        cursor.setPosition(3)
        return cursor.charFormat().foreground().color().name().upper()

    for name in ("light", "dark"):
        painter.window.set_theme(name)
        QApplication.processEvents()
        assert colour() == theme.THEMES[name].text
