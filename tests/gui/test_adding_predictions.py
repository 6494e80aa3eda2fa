"""“Add predictions of another program…”: what was found, what it means, the row, scoring again."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from orgseg_app import settings
from orgseg_app.core.classes import default_classes
from orgseg_app.files.annotations.source import LoadedAnnotation
from orgseg_app.files.counterparts.looking import offer_in
from orgseg_app.files.counterparts.offer import (
    Becomes,
    Counterpart,
    Offer,
    OfferedClass,
    OfferError,
)
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.gui.comparing.results_data import Candidate, gather
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.gui.panels.predictions_dialog import PERSON, PredictionsDialog
from orgseg_app.gui.project.adding_predictions import told
from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.runs.adding_predictions import add_predictions, score_again
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.made_elsewhere import MARKS
from tests.gui.panel_session import nameless_controls
from tests.gui.recorded_runs import make_project, record_run
from tests.runs.made_elsewhere import image_id, project, square, write_masks

pytestmark = pytest.mark.usefixtures("one_reading_child")

SPLITS = ("train", "validation", "test", "test")
MOVED = square(1, right=2, ground=0)[0]


class Told(Offer):
    """An offer as told, of which nothing can be read."""

    title = "label images"
    meaning = "classes"
    meanings = ("binary", "classes")
    notes = ("3 belong to images of the training split; left out.",)
    counterparts = (
        Counterpart("a" * 12, "cell 2", "validation", "cell 2.png"),
        Counterpart("b" * 12, "cell 3", "test", "", ""),
        Counterpart("c" * 12, "cell 4", "test", "cell 4.png", "It is 3 × 4 pixels."),
    )

    def offered(self, meaning: str) -> list[OfferedClass]:
        return [OfferedClass(1, "ER"), OfferedClass(2, "Golgi")][: 2 if meaning == "classes" else 1]

    def reading(self):
        raise NotImplementedError

    def load(self, image, opened, becomes) -> LoadedAnnotation:
        raise NotImplementedError


@pytest.fixture
def dialog(qtbot: QtBot) -> PredictionsDialog:
    dialog = PredictionsDialog(default_classes(["er", "nucleus"]))
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def cells(dialog: PredictionsDialog, column: int) -> list[str]:
    return [dialog.table.item(row, column).text() for row in range(dialog.table.rowCount())]


def test_the_dialog_shows_problems_first_and_asks_what_nobody_knows(
    dialog: PredictionsDialog, qtbot: QtBot
) -> None:
    assert not dialog.table.isVisible()
    assert not dialog.add_button.isEnabled()
    dialog.look([Path("masks of Cellpose")])
    assert not dialog.folder_button.isEnabled()
    dialog.stop()
    dialog.show_offer(Told())
    assert cells(dialog, 0) == ["cell 4", "cell 2", "cell 3"]
    assert cells(dialog, 2) == ["It is 3 × 4 pixels.", "cell 2.png", "nothing given: not scored"]
    assert "1 of 3 test and validation images" in dialog.found.text()
    assert dialog.name.text() == "masks of Cellpose"
    assert dialog.becomes() == Becomes("classes", {1: 2})  # by its name
    assert "“Golgi”" in dialog.problem.text().replace('"Golgi"', "“Golgi”")
    assert not dialog.add_button.isEnabled()
    box = dialog.offered.boxes[2]
    box.setCurrentIndex(box.findText("background"))
    assert dialog.add_button.isEnabled()
    assert dialog.add_button.text() == "Add masks of 1 image"
    assert not nameless_controls(dialog)
    with qtbot.waitSignal(dialog.add_requested) as asked:
        dialog.add_button.click()
    assert asked.args[1:] == [Becomes("classes", {1: 2, 2: 1}), "masks of Cellpose", False]
    assert not dialog.add_button.isEnabled()
    dialog.show_failure(OfferError("No. Nothing was added."))
    assert dialog.add_button.isEnabled()
    assert dialog.progress.outcome.text() == "No. Nothing was added."


def test_other_meanings_have_other_classes(dialog: PredictionsDialog) -> None:
    dialog.show_offer(Told())
    dialog.meaning.setCurrentIndex(dialog.meaning.findData("binary"))
    assert list(dialog.offered.boxes) == [1]
    assert dialog.becomes() == Becomes("binary", {1: 2})
    dialog.made_by.button(PERSON).click()
    assert "two people agree" in dialog.made_by_words.text()


class TestRows:
    """Rows of the table, gathered as the view gathers them."""

    @pytest.fixture
    def file(self, tmp_path: Path):
        with project(tmp_path / "cells.orgseg") as opened:
            yield opened

    def add(self, file: ProjectFile, folder: Path, *names: str) -> RunFolder:
        offer = offer_in([write_masks(folder, dict.fromkeys(names, MOVED))], file)
        becomes = Becomes(offer.meaning, offer.suggested(file.project.classes))
        return add_predictions(file, offer, becomes, name="Cellpose")

    def row(self, file: ProjectFile, run: RunFolder):
        entry = RunEntry(run, run.run_id, run.name, run.kind, run.state, time.time(), None)
        (row,) = gather(file, [Candidate.of(entry)]).rows
        return row

    def test_it_is_ranked_and_marked(self, tmp_path: Path, file: ProjectFile) -> None:
        row = self.row(file, self.add(file, tmp_path / "a", "cell 2", "cell 3", "cell 4"))
        assert row.is_ranked
        assert not row.can_score
        assert row.mark == MARKS["imported"]
        assert "cannot know what it was trained on" in row.caution
        assert "cannot know what it was trained on" in row.differs
        assert row.value("iou", "ER") == pytest.approx(80 / 120)

    def test_what_was_not_given_is_said_and_cannot_be_scored(
        self, tmp_path: Path, file: ProjectFile
    ) -> None:
        run = self.add(file, tmp_path / "a", "cell 2", "cell 3")
        row = self.row(file, run)
        assert row.reason == "nothing given for cell 4"
        assert not row.can_score
        write_masks(tmp_path / "a", {"cell 4": MOVED[:9]})
        row = self.row(file, self.add(file, tmp_path / "a", "cell 3"))
        assert row.reason == "nothing usable given for cell 4"
        level = told(run)[1], told(self.add(file, tmp_path / "a", "cell 3"))[1]
        assert level == ("info", "warning")

    def test_new_paint_makes_it_outdated_until_it_is_scored_again(
        self, tmp_path: Path, file: ProjectFile
    ) -> None:
        run = self.add(file, tmp_path / "a", "cell 3", "cell 4")
        image = image_id(file, "cell 3")
        file.mask(image).write(0, 0, 0, np.full((4, 4), 2, np.uint8))
        file.touch_mask(image)
        row = self.row(file, run)
        assert (row.reason, row.can_score) == ("cell 3 changed since scoring", True)
        score_again(run, file)
        assert self.row(file, run).is_ranked


def test_from_the_menu_to_the_table_and_scored_again(tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "cells.orgseg"
    with make_project(path, splits=SPLITS, side=64) as file:
        record_run(file, "fast")
        masks = {
            image.name: (file.load_mask(image.image_id).to_array()[0] == 2).astype(np.uint8)
            for image in file.project.images.values()
        }
        first = next(i for i in file.project.images.values() if i.split == "test")
    folder = write_masks(tmp_path / "perfect", masks)
    window = MainWindow(settings.load())
    qtbot.addWidget(window)
    window.show()
    window.commands.open_path(path)
    parts = window.ensure_parts()
    window.show_workspace("compare")
    qtbot.waitUntil(lambda: len(parts.results.results.rows) == 1)
    window.actions_by_id["add_predictions"].trigger()
    dialog = window.commands.adding.dialog
    assert dialog is not None
    dialog.look([folder])
    qtbot.waitUntil(lambda: dialog.offer is not None)
    dialog.add_button.click()
    qtbot.waitUntil(lambda: len(parts.results.results.rows) == 2)
    row = next(row for row in parts.results.results.rows if row.name == "perfect")
    assert row.is_ranked
    assert row.value("iou", "ER") == 1.0
    assert not parts.results.results.to_score
    assert [entry.name for entry in parts.runs.model_runs()] == ["fast"]

    assert window.session.file is not None
    window.session.file.mask(first.image_id).write(0, 0, 0, np.full((9, 9), 2, np.uint8))
    window.session.file.touch_mask(first.image_id)
    parts.results.refresh()
    qtbot.waitUntil(lambda: row.run_id in parts.results.results.to_score)
    parts.runs.score([row.run_id])
    qtbot.waitUntil(lambda: row.run_id not in parts.results.results.to_score)
    again = parts.results.results.row(row.run_id)
    assert again is not None
    assert again.value("iou", "ER") < 1.0

    window.actions_by_id["add_predictions"].trigger()
    window.actions_by_id["close_project"].trigger()
    assert window.commands.adding.dialog is None
    assert window.session.background.wait()
