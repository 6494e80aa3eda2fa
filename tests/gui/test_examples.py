"""The sheet of augmented patches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from orgseg_app.gui.panels.recipe_examples import COLUMNS, ROWS, ExamplesDialog
from orgseg_app.gui.panels.recipe_fields import AugmentationField, IntField
from orgseg_app.gui.panels.training_panel import TrainingPanel
from tests.gui.recorded_runs import World, make_project, opened


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    path = tmp_path / "cells.orgseg"
    with make_project(path, splits=["train", "validation"], side=96):
        pass
    with opened(path) as world:
        yield world


@pytest.fixture
def panel(world: World, qtbot: QtBot) -> TrainingPanel:
    panel = TrainingPanel(world.session, world.runs)
    qtbot.addWidget(panel)
    panel.show()
    qtbot.waitExposed(panel)
    return panel


def pictures(dialog: ExamplesDialog, *, painted: bool) -> list[bytes]:
    return [
        bytes(pair[painted].toImage().convertToFormat(pair[0].toImage().format()).constBits())
        for pair in dialog.sheet._pairs
    ]


def test_examples_show_what_becomes_of_a_patch(
    panel: TrainingPanel, world: World, qtbot: QtBot
) -> None:
    field, size = (panel.form.fields[path] for path in ("augmentation", "patch_size"))
    assert isinstance(field, AugmentationField)
    assert isinstance(size, IntField)
    size.setValue(48)
    qtbot.mouseClick(field.examples, Qt.MouseButton.LeftButton)
    dialog = panel.examples
    assert isinstance(dialog, ExamplesDialog)
    qtbot.waitUntil(lambda: dialog.sheet.count == COLUMNS * ROWS)
    assert "48 × 48" in dialog.words.text()
    shown = pictures(dialog, painted=False)
    assert len(set(shown)) > 1  # quarter turns
    assert set(shown) != set(pictures(dialog, painted=True))
    first = shown[0]
    # Other dice: the first patch stays, as it is unchanged.
    dialog.dice.click()
    qtbot.waitUntil(lambda: pictures(dialog, painted=False) != shown)
    assert pictures(dialog, painted=False)[0] == first
    # No augmentation: all are as the first.
    field.menu.setCurrentIndex(field.menu.findData("none"))
    qtbot.waitUntil(lambda: set(pictures(dialog, painted=False)) == {first})
    assert "changes nothing" in dialog.note.text()
    dialog.place.click()
    qtbot.waitUntil(lambda: pictures(dialog, painted=False)[0] != first)
    qtbot.mouseClick(dialog.sheet, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: world.session.background.is_idle)
    dialog.close()
    before = pictures(dialog, painted=False)
    field.menu.setCurrentIndex(field.menu.findData("d4"))  # while it is away nothing is drawn
    assert pictures(dialog, painted=False) == before
    panel.show_examples()
    assert panel.examples is dialog
    qtbot.waitUntil(lambda: pictures(dialog, painted=False) != before)
    dialog.close()


def test_a_recipe_that_cannot_be_is_said(panel: TrainingPanel, world: World, qtbot: QtBot) -> None:
    panel.show_examples()
    dialog = panel.examples
    assert dialog is not None
    qtbot.waitUntil(lambda: dialog.sheet.count > 0)
    patch, depth = (panel.form.fields[path] for path in ("patch_size", "network.depth"))
    assert isinstance(patch, IntField)
    assert isinstance(depth, IntField)
    depth.setValue(6)
    patch.setValue(16)
    qtbot.waitUntil(lambda: "must be at least" in dialog.note.text())
    assert dialog.sheet.count > 0  # those before stay
    dialog.close()


def test_large_planes_are_prepared_in_part(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from orgseg_app.gui.panels import recipe_examples as module
    from orgseg_app.runs.recipes.presets import PRESETS

    monkeypatch.setattr(module, "MOST_WHOLE", 1000)
    monkeypatch.setattr(module, "PART", 64)
    session = world.session
    assert session.file is not None
    wish = module._Wish(PRESETS["fast"], session.image_id, 0, False, 0, 0, 32)
    mask = session.mask().plane(0)
    found = module.draw_examples(session.file, mask, wish, {2: (255, 0, 0)})
    assert len(found) == COLUMNS * ROWS
    assert all(e.plain.shape == (32, 32, 3) and e.plain.dtype == np.uint8 for e in found)
