"""The help: every tool has a page, every page says what is true, keys are those in force."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt, QUrl
from PySide6.QtGui import QImage, QKeySequence, QTextDocument, QTextImageFormat
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from orgseg_app import paths, settings
from orgseg_app.cli import build_parser
from orgseg_app.core.measuring import columns
from orgseg_app.gui.actions import BY_ID
from orgseg_app.gui.canvas.tool_settings import TOOL_SETTINGS
from orgseg_app.gui.canvas.tools.registry import TOOLS
from orgseg_app.gui.canvas.wheel import wheel_acts
from orgseg_app.gui.comparing.measures import MEASURES
from orgseg_app.gui.help.help_dialogs import ShortcutsDialog
from orgseg_app.gui.help.help_pages import ANCHOR, NAMED, SECTIONS, TOPICS, filled, pages
from orgseg_app.gui.help.help_texts import LISTS
from orgseg_app.gui.help.page_view import PICTURE, nearest, pictures_dir, read_picture
from orgseg_app.gui.help.score_notes import note_of
from orgseg_app.gui.keys.shortcut_presets import PRESETS
from orgseg_app.gui.keys.shortcuts import Shortcuts
from orgseg_app.gui.panels.help_window import HelpWindow
from orgseg_app.gui.style import theme
from orgseg_app.runs.recipes.fields import recipe_fields
from orgseg_app.runs.recipes.presets import PRESETS as PRESET_RECIPES
from tests.e2e.hand import Hand
from tests.gui.take_manual_pictures import PICTURES
from tests.gui.volume_project import make_volume_project

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)]*)\)")
SHOWN = re.compile(r"!\[([^\]]*)\]\(([^)]*)\)")
SERIES = re.compile(r"(class|text)_\d+")  # the pages name the first and the last
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


@pytest.fixture
def shortcuts(qapp: object) -> Shortcuts:
    """Keys as at the first start."""
    return Shortcuts({}, settings.load())


@pytest.fixture
def helps(qtbot: QtBot, shortcuts: Shortcuts) -> HelpWindow:
    """The window of pages by itself."""
    window = HelpWindow(shortcuts)
    qtbot.addWidget(window)
    window.show()
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window)
    window.show_page("start")
    return window


@pytest.fixture
def set_theme(qapp: QApplication) -> Iterator[Callable[[str], object]]:
    """Changes the theme, and brings back what was there."""
    before = theme.current().name
    yield lambda name: theme.apply(qapp, name)
    theme.apply(qapp, before)


def help_of(hand: Hand) -> HelpWindow:
    found = hand.window.commands.helping.help
    assert found is not None
    return found


def keys_of(text: str) -> set[str]:
    """Places of a filled page."""
    return set(ANCHOR.findall(text))


# -- what is written -----------------------------------------------------------------------------


def test_every_tool_has_a_page_and_every_page_is_in_the_contents() -> None:
    files = {path.stem for path in (paths.resources_dir() / "help").glob("*.md")}
    assert files == set(TOPICS) | set(TOOLS)
    assert set(pages()) == files
    assert next(iter(SECTIONS)) == "Start"
    assert next(iter(pages())) == "start"
    titles = [page.title for page in pages().values()]
    assert len(set(titles)) == len(titles)


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
        assert kind in ("key", "menu", "wheel", "set", "settings", "actions", *LISTS)
        if kind in ("key", "menu"):
            assert what in BY_ID
        if kind == "wheel":
            assert what in wheel_acts("zoom").values()
        if kind == "set":
            assert what in TOOL_SETTINGS
    for target in LINK.findall(page.text):
        assert target.partition("#")[0] in pages()
        assert target != name
    for words, picture in SHOWN.findall(page.text):
        assert words  # what a screen reader says
        assert PICTURE.match(picture)
    assert "http" not in page.text
    assert page.text.count("# ") >= 1
    assert page.text.startswith("# ")
    assert "!" not in SHOWN.sub("", page.text)


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
def test_every_page_can_be_filled_in_with_every_preset(shortcuts: Shortcuts, preset: str) -> None:
    shortcuts.set_preset(preset)
    for page in pages().values():
        text = ANCHOR.sub("", filled(page, shortcuts))
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


def test_f1_opens_the_page_of_the_tool_in_the_hand(painter: Hand) -> None:
    for name in TOOLS:
        painter.window.activateWindow()
        assert QTest.qWaitForWindowActive(painter.window)
        painter.parts.canvas.setFocus()
        painter.window.tools.set_tool(name)
        QTest.keyClick(painter.parts.canvas, Qt.Key.Key_F1)
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
    assert help_of(hand).name == "start"


# -- places --------------------------------------------------------------------------------------


def test_every_place_that_is_linked_to_is_there(shortcuts: Shortcuts) -> None:
    texts = {name: filled(page, shortcuts) for name, page in pages().items()}
    for name, text in texts.items():
        marks = ANCHOR.findall(text)
        assert len(marks) == len(set(marks)), name
        for target in LINK.findall(text):
            page, _, key = target.partition("#")
            if key:
                assert key in keys_of(texts[page or name]), f"{name}: {target}"


def test_every_command_has_a_line_and_is_spoken_of() -> None:
    """A new command: name it on the page that it belongs to, by {key:…} or {menu:…}."""
    named = {
        what
        for page in pages().values()
        for kind, what in NAMED.findall(page.text)
        if kind in ("key", "menu")
    }
    assert {a for a in BY_ID if not SERIES.fullmatch(a)} - named == set()
    assert {"class_1", "class_9", "text_100", "text_200"} <= named


def test_every_command_field_and_score_can_be_gone_to(shortcuts: Shortcuts) -> None:
    assert set(BY_ID) <= keys_of(filled(pages()["shortcuts"], shortcuts))
    recipes = filled(pages()["recipes"], shortcuts)
    for info in recipe_fields():
        assert info.path in keys_of(recipes)
        assert info.description in recipes
        for choice in info.options.values():
            assert f"{info.path}.{choice.name}" in keys_of(recipes)
    assert {f"preset.{name}" for name in PRESET_RECIPES} <= keys_of(recipes)
    scores = filled(pages()["scores"], shortcuts)
    for measure in MEASURES:
        assert {measure.key, measure.score} <= keys_of(scores)
        assert measure.words in scores
        note = note_of(measure.score)
        assert note.misleads in scores
        assert note.source in scores
    measuring = filled(pages()["measuring"], shortcuts)
    for column in columns.OBJECTS:
        assert column.key in keys_of(measuring)


def test_every_verb_of_the_command_line_is_on_its_page() -> None:
    text = pages()["command_line"].text
    for action in build_parser()._actions:
        for verb in action.choices or ():
            assert f"**{verb}**" in text, verb


def test_places_that_the_program_names_are_there(shortcuts: Shortcuts) -> None:
    """Panels, messages and numbers lead to them."""
    package = Path(paths.__file__).parent
    named = set()
    for file in package.rglob("*.py"):
        named |= set(re.findall(r'"([a-z_]+)#([\w./-]+)"', file.read_text(encoding="utf-8")))
    keys = {name: keys_of(filled(page, shortcuts)) for name, page in pages().items()}
    assert {(page, key) for page, key in named if page in keys and key not in keys[page]} == set()
    assert len([page for page, _ in named if page in keys]) > 10


def test_pooled_scores_are_named_apart_from_means_of_images(helps: HelpWindow) -> None:
    helps.show_page("scores#iou")
    text = helps.page.toPlainText()
    start = text.index("IoU: Intersection over union")
    part = text[start : text.index("Dice (F1)", start)]
    assert "Pooled: All test images counted together" in part
    assert "Mean of images: The mean of the test images" in part


def test_a_place_is_scrolled_to_and_marked_for_a_moment(helps: HelpWindow, qtbot: QtBot) -> None:
    helps.show_page("scores#hausdorff_95/mean")
    assert helps.name == "scores"
    assert helps.page.verticalScrollBar().value() > 500
    top = helps.page.cursorForPosition(QPoint(40, 20)).block().text()
    assert top.startswith("HD95")
    assert "{#" not in helps.page.toPlainText()
    assert helps.page.is_glowing
    assert len(helps.page.extraSelections()) == 1
    qtbot.waitUntil(lambda: not helps.page.is_glowing, timeout=60_000)
    assert not helps.page.extraSelections()
    helps.show_page("recipes#network.depth")
    assert helps.name == "recipes"
    assert helps.page.cursorForPosition(QPoint(40, 20)).block().text().startswith("Network depth")
    helps.show_page("recipes#no_such_place")
    assert helps.name == "recipes"
    helps.show_page("voltages#iou")
    assert helps.name == "recipes"


def test_near_places_serve_where_there_is_no_other() -> None:
    assert nearest("loss.dice.weight") == ["loss.dice.weight", "loss.dice", "loss"]


def test_links_lead_to_pages_and_nowhere_else(helps: HelpWindow) -> None:
    helps.show_page("fill")
    helps.page.anchorClicked.emit(QUrl("brush"))
    assert helps.name == "brush"
    for elsewhere in ("https://example.org/fill", "file:///etc/hosts", "nowhere", ""):
        helps.page.anchorClicked.emit(QUrl(elsewhere))
        assert helps.name == "brush"
    assert helps.page.loadResource(2, QUrl("file:///etc/hosts")) is None
    helps.page.anchorClicked.emit(QUrl("glossary#patch"))
    assert helps.name == "glossary"
    assert helps.page.is_glowing
    helps.page.anchorClicked.emit(QUrl("#seed"))
    assert helps.name == "glossary"
    helps.field.setText("interpolate")
    helps.show_page("pan")  # not among what was found
    assert helps.name == "pan"
    assert helps.field.text() == ""


def test_back_and_forward_lead_along_what_was_read(helps: HelpWindow) -> None:
    helps.show_page("fill")
    helps.show_page("brush")
    helps.show_page("scores#dice")
    QTest.keyClick(helps, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert helps.name == "brush"
    helps.back_button.click()
    assert helps.name == "fill"
    helps.forward_button.click()
    assert helps.name == "brush"
    helps.show_page("lasso")
    assert not helps.forward_button.isEnabled()
    helps.go_back()
    assert helps.name == "brush"


def test_contents_are_in_sections_and_walked_by_keys(helps: HelpWindow) -> None:
    assert list(helps.headings) == list(SECTIONS)
    listed = [
        child.data(0, Qt.ItemDataRole.UserRole)
        for heading in helps.headings.values()
        for number in range(heading.childCount())
        if (child := heading.child(number)) is not None
    ]
    assert listed == list(pages())
    helps.show_page("start")
    assert helps.headings["Start"].isExpanded()
    QTest.keyClick(helps.contents, Qt.Key.Key_Down)
    assert helps.name == "first_mask"
    assert not helps.headings["Comparing"].isExpanded()
    helps.show_page("statistics")
    assert helps.headings["Comparing"].isExpanded()


# -- searching -----------------------------------------------------------------------------------


def test_search_lists_what_answers_best_first(helps: HelpWindow) -> None:
    helps.field.setText("graph cuts")
    assert helps.found.addresses() == ["grabcut"]
    assert helps.name == "grabcut"
    assert helps.left.currentWidget() is helps.found
    assert helps.page.extraSelections()
    helps.field.setText("holes")
    assert helps.name == "holes"  # what it is called counts more than what is said about it
    helps.field.setText("xylophone")
    assert helps.found.addresses() == []
    assert helps.nothing.isVisible()
    assert helps.name == "holes"
    helps.field.clear()
    assert helps.left.currentWidget() is helps.contents
    assert not helps.nothing.isVisible()
    assert not helps.page.extraSelections()


def test_search_is_driven_by_keys(helps: HelpWindow) -> None:
    QTest.keySequence(helps, QKeySequence.StandardKey.Find)
    assert helps.field.hasFocus()
    QTest.keyClicks(helps.field, "jaccard")
    assert {"glossary#iou", "scores#iou"} <= set(helps.found.addresses()[:3])
    assert helps.page.is_glowing
    first = helps.found.addresses()[0]
    QTest.keyClick(helps.field, Qt.Key.Key_Down)
    assert helps.found.currentRow() == 1
    assert helps.field.hasFocus()
    QTest.keyClick(helps.field, Qt.Key.Key_Up)
    assert helps.found.addresses()[helps.found.currentRow()] == first
    QTest.keyClick(helps.field, Qt.Key.Key_Return)
    assert helps.page.hasFocus()
    helps.field.setFocus()
    QTest.keyClick(helps.field, Qt.Key.Key_Escape)
    assert helps.field.text() == ""
    assert helps.isVisible()
    QTest.keyClick(helps.field, Qt.Key.Key_Escape)
    assert not helps.isVisible()


# -- pictures ------------------------------------------------------------------------------------


def test_pictures_are_those_that_the_script_takes_and_pages_show() -> None:
    wanted = {f"{name}-{mode}.jpg" for name, modes in PICTURES.items() for mode in modes}
    files = {path.name: path for path in pictures_dir().iterdir()}
    assert set(files) == wanted
    shown = {
        PICTURE.match(target)[1]  # type: ignore[index]
        for page in pages().values()
        for _, target in SHOWN.findall(page.text)
    }
    assert shown == set(PICTURES)
    assert 8 <= len(PICTURES) <= 14
    assert sum(path.stat().st_size for path in files.values()) < 1_500_000


def test_pictures_fit_the_page_on_a_fine_screen_and_follow_the_theme(
    helps: HelpWindow, set_theme: Callable[[str], object]
) -> None:
    seen = []
    for name in ("light", "dark"):
        set_theme(name)
        QApplication.processEvents()
        helps.show_page("start")
        image = shown_image(helps)
        assert not image.isNull()
        assert image.width() >= image_width(helps) * helps.page.devicePixelRatioF() - 1
        assert image_width(helps) <= helps.page.viewport().width() - 60
        seen.append(image.pixelColor(5, image.height() - 5).lightness())
    assert seen[0] > 180 > 90 > seen[1]
    helps.resize(520, 600)
    QApplication.processEvents()
    assert image_width(helps) <= helps.page.viewport().width() - 60
    assert helps.page.horizontalScrollBar().maximum() == 0


def image_format(helps: HelpWindow) -> QTextImageFormat:
    block = helps.page.document().begin()
    while block.isValid():
        pieces = block.begin()
        while not pieces.atEnd():
            if pieces.fragment().charFormat().isImageFormat():
                return pieces.fragment().charFormat().toImageFormat()
            pieces += 1
        block = block.next()
    raise AssertionError("no picture")


def image_width(helps: HelpWindow) -> float:
    return image_format(helps).width()


def shown_image(helps: HelpWindow) -> QImage:
    kind = QTextDocument.ResourceType.ImageResource.value
    found = helps.page.document().resource(kind, QUrl(image_format(helps).name()))
    assert isinstance(found, QImage)
    return found


def test_a_picture_there_is_not_is_left_out() -> None:
    assert read_picture("no_such_picture", "light").isNull()


def test_it_takes_on_the_other_theme(helps: HelpWindow, set_theme: Callable[[str], object]) -> None:
    def colour() -> str:
        cursor = helps.page.textCursor()
        cursor.setPosition(3)
        return cursor.charFormat().foreground().color().name().upper()

    for name in ("light", "dark"):
        set_theme(name)
        assert colour() == theme.THEMES[name].text
