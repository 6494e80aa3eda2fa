"""Test images, predictions of seven runs on the disk, and the comparison's panes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pytestqt.qtbot import QtBot

from orgseg_app.files.predictions import Prediction, read_predicted_planes, write_predictions
from orgseg_app.gui.comparing.difference_view import DifferenceView
from orgseg_app.gui.comparing.images_by_id import ImagesById
from orgseg_app.gui.comparing.results_data import ResultRow, Results
from orgseg_app.gui.session import Session
from orgseg_app.runs.class_scores import class_scores
from orgseg_app.runs.image_scores import ImageScores
from tests.gui.recorded_runs import make_project, predicted

SIDE = 48


def record(folder: Path) -> None:
    """A project with two test images, and predictions of seven runs, each worse than the last."""
    path = folder / "cells.orgseg"
    with make_project(
        path, class_names=("ER", "nucleus"), splits=("test", "test"), side=SIDE
    ) as file:
        truths = {i: file.load_mask(i).to_array() for i in file.project.images}
    for number in range(7):
        guesses = {i: predicted(truth, 0.98 - 0.08 * number, number) for i, truth in truths.items()}
        write_predictions(
            folder / f"run {number}.h5", [Prediction(i, guess) for i, guess in guesses.items()]
        )


class Compared:
    """A project with test images, predictions of seven runs on the disk, and the panes."""

    def __init__(self, folder: Path, qtbot: QtBot) -> None:
        self.folder, self.qtbot = folder, qtbot
        self.session = Session()
        self.said: list[str] = []
        self.session.message.connect(lambda text, level: self.said.append(text))
        self.session.open_project(folder / "cells.orgseg")
        file = self.session.file
        assert file is not None
        self.truths = {i: file.load_mask(i).to_array() for i in file.project.images}
        self.names = {i: image.name for i, image in file.project.images.items()}
        self.rows = [self._row(number) for number in range(7)]
        self.view = DifferenceView(self.session)
        qtbot.addWidget(self.view)
        self.view.resize(900, 420)
        self.view.show()
        qtbot.waitExposed(self.view)
        self.image_id = next(iter(self.names))

    def _row(self, number: int) -> ResultRow:
        names = {1: "background", 2: "ER", 3: "nucleus"}
        scores = class_scores(np.diag([3, 2, 1]), list(names), names)
        name = f"run {number}"
        return ResultRow(
            run_id=name,
            name=name,
            colour_index=number,
            is_ranked=True,
            reason="",
            can_score=True,
            pooled=None,
            images=ImagesById([ImageScores(self.names[i], i, "", scores) for i in self.names]),
            differs="",
            predictions_path=self.folder / f"{name}.h5",
        )

    def show(
        self, count: int, *, class_name: str = "", rows: list[ResultRow] | None = None
    ) -> None:
        """Show so many runs, and wait for them."""
        shown = self.rows[:count] if rows is None else rows
        results = Results(tuple(self.rows), self.names, ("ER", "nucleus"))
        self.view.show_runs(
            results, self.rows, shown, image_id=self.image_id, class_name=class_name
        )
        self.settle()

    def settle(self) -> None:
        view = self.view
        self.qtbot.waitUntil(lambda: self.session.background.is_idle and view._task is None)

    def guess(self, number: int, z: int = 0) -> np.ndarray:
        """What a run predicted for the image shown."""
        path = self.rows[number].predictions_path
        return read_predicted_planes(path, self.image_id, z, z + 1)[0]
