"""Help where one stands: every part of the window names its page, numbers say what they mean."""

from __future__ import annotations

import ast
import builtins
import errno
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QScrollBar, QWidget
from pytestqt.qtbot import QtBot

import orgseg_app
from orgseg_app.files.atomic import SpaceError
from orgseg_app.files.errors import ProjectError, ReadError
from orgseg_app.gui.canvas.image_canvas import ImageCanvas
from orgseg_app.gui.comparing import measures
from orgseg_app.gui.comparing.result_columns import Column, fact_columns, score_columns
from orgseg_app.gui.comparing.results_menu import column_menu
from orgseg_app.gui.comparing.row_facts import RUN_FACTS
from orgseg_app.gui.header import ToolStrip
from orgseg_app.gui.help import trouble_pages
from orgseg_app.gui.help.context import HELP_PAGE, HelpButton, page_of, set_help
from orgseg_app.gui.help.help_pages import ANCHOR, filled, pages
from orgseg_app.gui.help.meaning import ENTRY, Meaning, MeaningCard
from orgseg_app.gui.help.training_numbers import TRAINING_NUMBERS
from orgseg_app.gui.help.trouble_pages import page_of_error, page_of_failure, page_of_saving
from orgseg_app.gui.panels.history_dialog import HistoryDialog
from orgseg_app.gui.panels.question import QuestionDialog
from orgseg_app.runs.errors import RecipeError, RunError
from orgseg_app.runs.recipes.fields import recipe_fields
from tests.e2e.hand import Hand
from tests.gui.recorded_runs import make_project, record_run

GUI = Path(orgseg_app.__file__).parent / "gui"
OF_THE_TOOL = (ImageCanvas, ToolStrip)
"""There F1 is about the tool in the hand."""
ADDRESS = re.compile(r'"(\w+#[\w.]+)"')
DIALOG = re.compile(r"^class \w+\(.*Dialog\b", re.M)
NO_DIALOGS = ("HelpWindow", "FittingDialog", "OneDialog")
"""The help itself, and what dialogs are made of or made by."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With two runs that were scored."""
    path = tmp_path_factory.mktemp("help") / "cells.orgseg"
    with make_project(path, side=48) as file:
        record_run(file, "good", quality=0.9)
        record_run(file, "poor", quality=0.6, seed=1)
    return path


@pytest.fixture
def hand(qapp: object, project: Path) -> Iterator[Hand]:
    hand = Hand()
    hand.open(project)
    hand.window.activateWindow()
    assert QTest.qWaitForWindowActive(hand.window)
    yield hand
    hand.close()


def shown_help(hand: Hand) -> str:
    """The page that the help shows, put away again."""
    found = hand.window.commands.helping.help
    assert found is not None
    assert found.isVisible()
    found.close()
    hand.window.activateWindow()
    assert QTest.qWaitForWindowActive(hand.window)
    return found.name


def places(hand: Hand) -> set[str]:
    """Every ``"page"`` and ``"page#place"`` that the help has."""
    shortcuts = hand.window.shortcuts
    found = set(pages())
    for page in pages().values():
        found |= {f"{page.name}#{key}" for key in ANCHOR.findall(filled(page, shortcuts))}
    return found


def reachable(widget: QWidget) -> list[QWidget]:
    """What can get the keyboard now, inside a part of the window."""
    return [
        inside
        for inside in widget.findChildren(QWidget)
        if inside.isVisible()
        and inside.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not isinstance(inside, QScrollBar)
    ]


def is_of_the_tool(widget: QWidget) -> bool:
    """Whether it lies in the canvas or among the tools."""
    above: QWidget | None = widget
    while above is not None and not isinstance(above, OF_THE_TOOL):
        above = above.parentWidget()
    return above is not None


def unnamed(widget: QWidget) -> list[str]:
    """Parts that can get the keyboard and name no page."""
    return [
        f"{type(one).__name__} “{one.accessibleName() or one.objectName()}”"
        for one in reachable(widget)
        if not page_of(one) and not is_of_the_tool(one)
    ]


# -- every panel has a page ----------------------------------------------------------------------


def test_every_part_of_the_window_that_gets_the_keyboard_names_its_page(hand: Hand) -> None:
    parts, found = hand.parts, list[str]()
    for workspace in ("annotate", "train", "export"):
        hand.action(f"workspace_{workspace}")
        assert len(reachable(hand.window)) > 10
        found += [f"{workspace}: {one}" for one in unnamed(hand.window)]
    hand.action("objects_mode")
    hand.action("workspace_annotate")
    hand.action("object_table")
    found += [f"objects: {one}" for one in unnamed(hand.window)]
    hand.action("workspace_compare")
    hand.wait(lambda: len(parts.results.results.rows) == 2, what="the scores")
    for page in ("images", "curves", "confusion", "thresholds", "scores", "statistics"):
        parts.results.pages.show_page(page)
        QApplication.processEvents()
        found += [f"{page}: {one}" for one in unnamed(hand.window)]
    hand.action("show_studies")
    found += [f"studies: {one}" for one in unnamed(hand.window)]
    assert not found


def test_the_start_page_has_one_too(qapp: object) -> None:
    hand = Hand()
    assert not unnamed(hand.window)
    hand.close()


def test_every_dialog_names_its_page() -> None:
    """By its source: a dialog that is written tomorrow is looked at as well."""
    without = []
    for path in GUI.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.parse(text).body if DIALOG.search(text) else ():
            if not isinstance(node, ast.ClassDef) or node.name in NO_DIALOGS:
                continue
            if any(ast.unparse(base).endswith("Dialog") for base in node.bases):
                body = ast.unparse(node)
                if "set_help(self" not in body and "setProperty('help_page'" not in body:
                    without.append(f"{path.name}: {node.name}")
    assert not without


def test_every_place_that_the_window_names_is_in_the_help(hand: Hand) -> None:
    known = places(hand)
    written = {
        text for path in GUI.rglob("*.py") for text in ADDRESS.findall(path.read_text("utf-8"))
    }
    named = {text for text in written if text.partition("#")[0] in pages()}
    assert len(named) > 30
    named |= {page_of(one) for one in hand.window.findChildren(QWidget) if one.property(HELP_PAGE)}
    named |= {meaning.page for meaning in TRAINING_NUMBERS.values()}
    named |= {*trouble_pages.ROOTS.values(), *trouble_pages.KINDS.values()}
    named |= {f"recipes#{info.path}" for info in recipe_fields() if info.group}
    named |= {
        f"recipes#{info.path}.{name}"
        for info in recipe_fields()
        if info.kind in ("losses", "steps", "augmentations")
        for name in info.options
    }
    named |= {measures.score_page(item.score) for item in measures.MEASURES}
    named |= {column.help_page for column in fact_columns()}
    assert named - known == set()


def test_f1_opens_the_page_of_the_panel_with_the_keyboard(hand: Hand) -> None:
    parts = hand.parts
    hand.action("workspace_annotate")
    for widget, page in (
        (parts.images.filter, "importing"),
        (parts.classes.view, "classes"),
        (parts.layers.auto, "contrast"),
        (parts.tool_panel.help_button, hand.window.tools.tool),
    ):
        widget.setFocus()
        QTest.keyClick(widget, Qt.Key.Key_F1)
        assert shown_help(hand) == page
    hand.action("workspace_export")
    parts.export.folder_button.setFocus()
    QTest.keyClick(parts.export.folder_button, Qt.Key.Key_F1)
    assert shown_help(hand) == "exporting"

    check_marks(hand)


def check_marks(hand: Hand) -> None:
    """The "?" at a heading says what about, and opens the page."""
    hand.action("workspace_annotate")
    marks = hand.parts.classes.findChildren(HelpButton)
    assert [mark.accessibleName() for mark in marks] == ["Help about classes"]
    assert marks[0].toolTip() == "Help about classes"
    QTest.mouseClick(marks[0], Qt.MouseButton.LeftButton)
    assert shown_help(hand) == "classes"
    every = hand.window.findChildren(HelpButton)
    assert len({mark.iconSize().width() for mark in every}) == 1  # one style
    assert all(mark.accessibleName().startswith("Help about ") for mark in every)
    assert len(every) >= 10


def test_f1_works_in_a_dialog_and_the_help_can_be_read_over_it(hand: Hand) -> None:
    hand.action("undo_history")
    dialog = hand.window.findChild(HistoryDialog)
    assert isinstance(dialog, HistoryDialog)
    assert not isinstance(dialog.focusWidget(), HelpButton)  # the "?" is not what it is for
    dialog.activateWindow()
    assert QTest.qWaitForWindowActive(dialog)
    dialog.close_button.setFocus()
    QTest.keyClick(dialog.close_button, Qt.Key.Key_F1)
    hand.wait(lambda: hand.window.commands.helping.help is not None)
    assert shown_help(hand) == page_of(dialog).partition("#")[0]
    dialog.close()
    check_question(hand)


def check_question(hand: Hand) -> None:
    """One that must be answered first has a help of its own, which stays when it is."""
    hand.action("workspace_annotate")
    hand.parts.classes.view.setFocus()
    question = QuestionDialog("Delete it?", "It is gone then.", "Delete", hand.window)
    question.setModal(True)
    question.show()
    assert QTest.qWaitForWindowActive(question)
    question.yes_button.setFocus()
    hand.wait(question.yes_button.hasFocus)
    QTest.keyClick(question.yes_button, Qt.Key.Key_F1)
    helps = hand.window.commands.helping.help
    assert helps is not None
    assert helps.name == "classes"  # what the keyboard was in
    assert helps.parentWidget() is question  # else it could not be used
    question.reject()
    helps = hand.window.commands.helping.help
    assert helps is not None
    assert helps.parentWidget() is hand.window
    assert shown_help(hand) == "classes"
    question.deleteLater()


# -- what a number means -------------------------------------------------------------------------


def entries(menu: QMenu) -> list[str]:
    return [action.text() for action in menu.actions() if action.text()]


def trigger(menu: QMenu, text: str) -> None:
    next(action for action in menu.actions() if action.text() == text).trigger()


def open_card() -> MeaningCard:
    found = [w for w in QApplication.topLevelWidgets() if isinstance(w, MeaningCard)]
    return next(card for card in found if card.isVisible())


def test_every_column_that_can_be_chosen_says_what_it_means() -> None:
    chosen = {item.key: True for item in measures.MEASURES}
    columns = score_columns(["ER", "nucleus"], "", chosen)
    assert len(columns) > 50
    for column in [*columns, *fact_columns()]:
        assert len(column.tip) > 20, column.title
        page, _, key = column.help_page.partition("#")
        assert (page, bool(key)) in (("scores", True), ("comparing", True)), column.title
    scores = {column.measure.score for column in columns if column.measure is not None}
    assert {column.help_page for column in columns} == {measures.score_page(s) for s in scores}
    assert Column("Loss", setting="loss").help_page == "recipes#loss"
    assert len(fact_columns()) == len(RUN_FACTS)


def test_the_cell_that_the_keyboard_is_in_leads_to_its_score(hand: Hand) -> None:
    hand.action("workspace_compare")
    results = hand.parts.results
    hand.wait(lambda: len(results.results.rows) == 2, what="the scores")
    table, columns = results.table, results.table.results.columns
    table.setFocus()
    at = next(i for i, c in enumerate(columns) if c.measure and c.measure.score == "dice")
    table.setCurrentIndex(table.results.index(0, at))
    assert page_of(table) == "scores#dice"
    QTest.keyClick(table, Qt.Key.Key_F1)
    assert shown_help(hand) == "scores"
    table.setCurrentIndex(table.results.index(0, 0))
    assert page_of(table) == "comparing#table"

    menu = column_menu(results, results.acts, at)
    assert {ENTRY, "Help"} <= set(entries(menu))
    trigger(menu, ENTRY)
    card = open_card()
    assert "twice the agreement" in card.words.text()
    assert card.accessibleName() == columns[at].title
    card.help_button.click()
    assert shown_help(hand) == "scores"
    row = results.results.rows[0]
    assert {ENTRY, "Help"} <= set(entries(results.acts.run_menu(row, columns[at])))


def test_settings_and_numbers_of_the_training_say_what_they_mean(hand: Hand) -> None:
    hand.action("workspace_train")
    check_setting(hand)
    check_numbers(hand)


def check_setting(hand: Hand) -> None:
    """By the menu key in the field."""
    form = hand.parts.training.form
    steps = form.fields["steps"]
    steps.setFocus()
    menu = menu_of(steps)
    assert {ENTRY, "Help", "Preset's value"} <= set(entries(menu))
    assert any("aste" in text for text in entries(menu))  # what Qt offers for text stays
    trigger(menu, ENTRY)
    menu.close()
    card = open_card()
    assert "How many improvements in all" in card.words.text()
    assert card.help_button.hasFocus()
    QTest.keyClick(card.help_button, Qt.Key.Key_Escape)
    assert not card.isVisible()
    network = form.fields["network.name"]
    meaning = network.parentWidget().meaning()
    assert network.currentText() in meaning.text


def menu_of(widget: QWidget) -> QMenu:
    """The menu that the menu key opens."""
    at = widget.mapToGlobal(QPoint(2, 2))
    event = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(2, 2), at)
    QApplication.sendEvent(widget, event)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    return menu


def check_numbers(hand: Hand) -> None:
    """Those beside the button, in the strip, and of the curves."""
    training, strip = hand.parts.training, hand.parts.run_strip
    for words, name in ((training.data, "data"), (training.estimate, "estimate")):
        check_explained(words, TRAINING_NUMBERS[name])
    check_explained(strip.progress, TRAINING_NUMBERS["steps"])
    check_explained(strip.score, TRAINING_NUMBERS["validation_iou"])
    check_explained(strip.time_left, TRAINING_NUMBERS["time_left"])
    told = {"loss", "validation_iou", "learning_rate", "patches_per_second"}
    curves, found = hand.parts.runs_panel.curves, set[str]()
    for page in ("scores", "speed"):
        curves.set_page(page)
        menu = QMenu(curves)
        curves.fill_menu(menu)
        found |= {n for n in told if any(n.replace("_", " ") in e.lower() for e in entries(menu))}
    assert found == told


def check_explained(words: QLabel, meaning: Meaning) -> None:
    """It can be reached by Tab, has a tooltip, and its menu says what it means."""
    assert words.focusPolicy() & Qt.FocusPolicy.TabFocus
    assert words.toolTip()
    assert page_of(words) == meaning.page
    menu = menu_of(words)
    assert entries(menu) == [ENTRY, "Help"]
    trigger(menu, ENTRY)
    menu.close()
    card = open_card()
    assert card.meaning == meaning
    card.close()


# -- errors lead to what to do -------------------------------------------------------------------


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def test_every_error_that_is_known_exists() -> None:
    for name in [*trouble_pages.ROOTS, *trouble_pages.KINDS]:
        module, _, kind = name.rpartition(".")
        where = builtins if module == "builtins" else importlib.import_module(module)
        assert issubclass(getattr(where, kind), BaseException), name


@pytest.mark.parametrize(
    "error, page",
    [
        (SpaceError("The disk is full."), trouble_pages.DISK_FULL),
        (OSError(errno.ENOSPC, "No space left on device"), trouble_pages.DISK_FULL),
        (caused(ProjectError("not saved"), OSError(errno.ENOSPC, "full")), trouble_pages.DISK_FULL),
        (MemoryError(), trouble_pages.MEMORY),
        (caused(RunError("too large"), MemoryError()), trouble_pages.MEMORY),
        (PermissionError(errno.EACCES, "denied"), trouble_pages.NOT_WRITABLE),
        (ReadError("“a.tif” is cut off."), trouble_pages.REFUSED),
        (ProjectError("“a.orgseg” is damaged."), trouble_pages.DAMAGED),
        (RecipeError("no such loss"), "recipes"),
        (RunError("the run did not start"), trouble_pages.JOB_FAILED),
        (ZeroDivisionError(), trouble_pages.UNEXPECTED),
    ],
)
def test_an_error_leads_to_what_to_do(error: Exception, page: str) -> None:
    assert page_of_error(error) == page


def test_an_error_that_is_its_own_cause_ends() -> None:
    error = ReadError("a")
    error.__cause__ = caused(ReadError("b"), error)
    assert page_of_error(error) == trouble_pages.REFUSED


@pytest.mark.parametrize(
    "sentence, page",
    [
        ("The computer's memory is full. Close other programs.", trouble_pages.MEMORY),
        ("The files could not be written: the disk is full.", trouble_pages.DISK_FULL),
        ("CUDA error: device lost", "gpu"),
        ("The job ended unexpectedly (KeyError).", trouble_pages.JOB_FAILED),
    ],
)
def test_a_job_that_failed_leads_to_what_to_do(sentence: str, page: str) -> None:
    assert page_of_failure(sentence) == page


def test_a_run_that_went_away_and_strokes_that_cannot_be_written() -> None:
    assert page_of_failure("", state="lost") == trouble_pages.JOB_LOST
    assert page_of_saving("the disk is full") == trouble_pages.DISK_FULL
    reason = "there is no permission to write there"
    assert page_of_saving(reason) == trouble_pages.NOT_WRITABLE
    assert page_of_saving("the log does not answer") == trouble_pages.NOT_SAVED


def test_a_message_about_an_error_offers_what_to_do(hand: Hand) -> None:
    bar = hand.window.messages
    hand.session.message.emit("Something is done.", "info")
    assert not bar.help_button.isVisible()
    hand.session.report_error(ReadError("“a.tif” is cut off. Nothing was imported."))
    assert bar.help_button.isVisible()
    assert bar.help_button.text() == "What to do"
    bar.help_button.click()
    assert shown_help(hand) == "importing"
    bar.close_message()
    assert not bar.help_button.isVisible()  # the message before has none
    bar.close_all()
    check_two_messages(hand)
    check_banner(hand)


def check_two_messages(hand: Hand) -> None:
    """Each keeps its page."""
    bar = hand.window.messages
    hand.session.report_error(MemoryError("The memory is full."))
    hand.session.report_error(ReadError("“a.tif” is cut off."))
    assert [m.page for m in bar.messages()] == [trouble_pages.MEMORY, trouble_pages.REFUSED]
    assert page_of(bar.close_button) == trouble_pages.REFUSED
    bar.close_message()
    assert page_of(bar.close_button) == trouble_pages.MEMORY
    bar.close_all()


def check_banner(hand: Hand) -> None:
    """It offers what to do, too."""
    assert hand.window.banners is not None
    banner = hand.window.banners.trouble
    banner.say("error", "NOT SAVED: the disk is full.", "Make room.", page="trouble#disk_full")
    assert banner.help_button.isVisible()
    assert banner.take_keyboard()
    banner.help_button.click()
    assert shown_help(hand) == "trouble"
    banner.say("error", "NOT SAVED.")
    assert not banner.help_button.isVisible()
    banner.hide()


# -- which page ----------------------------------------------------------------------------------


def test_the_nearest_page_counts_and_a_title_speaks_for_its_field(qtbot: QtBot) -> None:
    outer, other = QWidget(), QWidget()
    qtbot.addWidget(outer)
    qtbot.addWidget(other)
    inner = QWidget(outer)
    leaf = QWidget(inner)
    assert page_of(leaf) == page_of(None) == ""
    set_help(outer, "training")
    assert page_of(leaf) == "training"
    set_help(inner, "training#loss")
    assert page_of(leaf) == "training#loss"
    assert inner.property(HELP_PAGE) == "training#loss"
    title = QLabel("Loss", other)
    title.setBuddy(leaf)
    assert page_of(title) == "training#loss"
