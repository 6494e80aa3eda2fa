"""“New study…” in the real window: made by mouse and keys, counted and checked before it starts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from orgseg_app.gui.studies.new_study import AS_IN_FORM, AS_IN_STUDY, NewStudyDialog
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.studies import queue
from orgseg_app.runs.studies.definition import load_study
from orgseg_app.runs.studies.folder import StudyFolder, list_studies
from tests.e2e.hand import Hand
from tests.gui.panel_session import nameless_controls
from tests.pictures import make_project

SPLITS = ("train", "validation", "test")


@pytest.fixture
def hand(qapp: object) -> Iterator[Hand]:
    hand = Hand()
    yield hand
    hand.close()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[StudyFolder]:
    """Studies whose driver was started; none is."""
    found: list[StudyFolder] = []
    monkeypatch.setattr(queue, "start", found.append)
    return found


def dialog_of(hand: Hand) -> NewStudyDialog:
    hand.action("new_study")
    dialog = hand.window.commands.studying.dialog
    assert dialog is not None
    reviewed(hand, dialog)
    return dialog


def reviewed(hand: Hand, dialog: NewStudyDialog) -> None:
    """Wait until the figures are those of what is checked."""
    hand.wait(lambda: not dialog.review._is_waiting, 30, "the review")


def check(dialog: NewStudyDialog, axis: int, title: str) -> None:
    """Press the check box of a value by keys."""
    box = next(box for box in dialog.editors[axis].boxes if box.text() == title)
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_Space)


def test_a_study_is_made_without_typing(
    hand: Hand, tmp_path: Path, started: list[StudyFolder]
) -> None:
    path = make_project(tmp_path / "a.orgseg", SPLITS)
    hand.open(path)
    dialog = dialog_of(hand)
    assert not dialog.review.button.isEnabled()
    assert "Add what is to be compared" in dialog.review.button.toolTip()
    assert nameless_controls(dialog) == []
    dialog.menu.aboutToShow.emit()
    titles = [action.text() for action in dialog.menu.actions()]
    assert titles[:4] == ["Preprocessing", "Loss", "Network", "Augmentation"]
    dialog.menu.actions()[1].trigger()
    check(dialog, 0, "Binary cross-entropy")
    check(dialog, 0, "Dice")
    dialog.seeds_box.setCurrentIndex(dialog.seeds_box.findData(2))
    reviewed(hand, dialog)
    assert dialog.review.count.text() == "6 runs"
    assert dialog.review.formula.text() == "3, 2 seeds"
    assert "memory" in dialog.review.takes.text()
    assert dialog.review.button.isEnabled()
    dialog.review.button.click()
    hand.wait(lambda: bool(started), 30, "the study")
    assert [len(folder.cells) for folder in list_studies(path)] == [6]
    assert hand.window.workspace == "compare"
    assert hand.parts.compare.page == "studies"
    hand.settle()
    assert hand.parts.compare.studies.chosen.name == "Study"


def test_a_ready_made_study_is_one_click_and_can_be_changed(hand: Hand, tmp_path: Path) -> None:
    hand.open(make_project(tmp_path / "a.orgseg", SPLITS))
    dialog = dialog_of(hand)
    dialog.ready_made.cards["er-laptop"].click()
    reviewed(hand, dialog)
    assert dialog.review.count.text() == "36 runs"
    assert dialog.recipe_box.currentData() == AS_IN_STUDY
    assert dialog.draft.to_study() == load_study("er-laptop")
    dialog.editors[2].remove_button.click()
    reviewed(hand, dialog)
    assert dialog.review.count.text() == "18 runs"
    editor = dialog.editors[0]
    editor.other_button.click()
    editor.parts[0].setCurrentIndex(editor.parts[0].findData("invert"))
    editor.parts[1].setCurrentIndex(editor.parts[1].findData("zscore"))
    editor.add_button.click()
    reviewed(hand, dialog)
    assert dialog.review.count.text() == "24 runs"
    assert dialog.draft.to_study().axes[0].values[-1] == "invert+zscore"
    dialog.recipe_box.setCurrentIndex(dialog.recipe_box.findData("nuclei"))
    assert dialog.draft.recipe == PRESETS["nuclei"]
    dialog.save(tmp_path / "mine.toml", dialog.draft.to_study())
    assert load_study(tmp_path / "mine.toml") == dialog.draft.to_study()
    dialog.ready_made.cards["fusion-published"].click()
    reviewed(hand, dialog)
    assert "left out" in dialog.review.refused_title.text()
    assert "cannot be" in dialog.review.refused.text()
    assert nameless_controls(dialog) == []
    dialog.reject()


def test_the_recipe_of_the_form_is_the_first_offer(hand: Hand, tmp_path: Path) -> None:
    hand.open(make_project(tmp_path / "a.orgseg", SPLITS))
    hand.parts.training.form.change({"steps": 77})
    dialog = dialog_of(hand)
    assert dialog.recipe_box.currentData() == AS_IN_FORM
    assert dialog.draft.recipe.steps == 77
    hand.window.commands.close_project()
    hand.wait(lambda: not dialog.isVisible(), 5, "the dialog to close with the project")


def test_what_the_project_lacks_is_said_before(hand: Hand, tmp_path: Path) -> None:
    hand.open(make_project(tmp_path / "a.orgseg", SPLITS, paint="none"))
    dialog = dialog_of(hand)
    dialog.ready_made.cards["er-laptop"].click()
    reviewed(hand, dialog)
    assert "painted" in dialog.review.problem.words.text()
    assert not dialog.review.button.isEnabled()
    dialog.reject()
