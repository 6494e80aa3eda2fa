"""“Retrain on corrections…”: from the menu of a run or the palette to a run that asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from orgseg_app.core.weighting.mistakes import CorrectionSettings
from orgseg_app.gui.panels.corrections_dialog import CorrectionsDialog
from orgseg_app.runs import launcher
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.settings import with_settings
from tests.e2e.hand import LEFT, Hand
from tests.gui.panel_session import nameless_controls
from tests.gui.recorded_runs import make_project, record_run
from tests.gui.test_training_start import write_model

WIDER = with_settings(PRESETS["fast"], ["network.width=24"])


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[RunFolder]:
    found: list[RunFolder] = []
    monkeypatch.setattr(launcher, "start", found.append)
    return found


@pytest.fixture
def hand(qapp: object, tmp_path: Path, started: list[RunFolder]) -> Iterator[Hand]:
    path = tmp_path / "cells.orgseg"
    with make_project(path, splits=["train", "validation"], side=32) as file:
        write_model(record_run(file, "wider", recipe=WIDER).best_path, WIDER)
        forest = with_settings(PRESETS["fast"], ["network.name=pixel_classifier"])
        record_run(file, "forest", recipe=forest)
    hand = Hand()
    hand.open(path)
    hand.wait(lambda: len(hand.parts.runs.all()) == 2, 20, "the runs")
    yield hand
    hand.close()


def dialog_of(hand: Hand) -> CorrectionsDialog:
    found = [d for d in hand.window.findChildren(CorrectionsDialog) if d.isVisible()]
    assert len(found) == 1
    return found[0]


def test_from_the_palette_with_mouse_and_keys(hand: Hand, started: list[RunFolder]) -> None:
    hand.action("retrain")
    dialog = dialog_of(hand)
    assert nameless_controls(dialog) == []
    assert dialog.value() == CorrectionSettings()
    assert "“wider”" in " ".join(w.text() for w in dialog.findChildren(type(dialog.kind_words)))
    assert dialog.name.text() == "wider corrected"
    before = dialog.kind_words.text()
    QTest.mouseClick(dialog.kind.button("both"), LEFT)
    assert dialog.kind_words.text() != before
    for field, text in ((dialog.least, "25"), (dialog.strength, "40")):
        field.number.setFocus()
        field.number.selectAll()
        QTest.keyClicks(field.number, text)
        QTest.keyClick(field.number, Qt.Key.Key_Tab)
    dialog.name.clear()
    assert not dialog.retrain_button.isEnabled()
    QTest.keyClicks(dialog.name, "second  look")
    QTest.keyClick(dialog.name, Qt.Key.Key_Return)
    hand.wait(lambda: started, 20, "the run")
    (run,) = started
    assert run.name == "second look"
    assert run.recipe is not None
    assert run.recipe.network == WIDER.network
    assert run.start_path.is_file()
    wanted = CorrectionSettings("both", 25, 40.0)
    assert CorrectionSettings.from_dict(run.request["corrections"]) == wanted
    assert hand.window.workspace == "train"


def test_from_the_menu_of_a_run_and_back(hand: Hand, started: list[RunFolder]) -> None:
    panel = hand.parts.runs_panel
    entries = {entry.name: entry for entry in hand.parts.runs.all()}
    for name, possible in (("wider", True), ("forest", False)):
        menu = panel.make_menu([entries[name]])
        (action,) = [a for a in menu.actions() if a.text() == "Retrain on corrections…"]
        assert action.isEnabled() == possible, name
        action.trigger()
    hand.rest()
    dialog = dialog_of(hand)
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    hand.settle()
    assert not [d for d in hand.window.findChildren(CorrectionsDialog) if d.isVisible()]
    assert started == []
    hand.quiet()
