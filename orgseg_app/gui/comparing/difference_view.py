"""Two predictions and the truth side by side, linked, with what is right, too much and missed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QGridLayout,
    QHBoxLayout,
    QPushButton,
    QSlider,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.gui.background import Task
from orgseg_app.gui.canvas import difference
from orgseg_app.gui.canvas.plane_view import ArrayOverlay, PlaneView, ViewState
from orgseg_app.gui.canvas.rendering import auto_levels, class_colours
from orgseg_app.gui.comparing.measures import class_value
from orgseg_app.gui.comparing.pane_data import PaneData, PredictionReader
from orgseg_app.gui.comparing.pane_parts import LegendKey, Letter, RunChooser
from orgseg_app.gui.comparing.results_data import ResultRow, Results, class_id_of
from orgseg_app.gui.session import Session
from orgseg_app.gui.style.widgets import GAP, Caption, ElidedLabel, EmptyState, surface

A, B, TRUTH = range(3)
MODES = ("Difference", "Mask", "Image")


class DifferenceView(QWidget):
    """A | B | truth: one place, one zoom; the overlay tells what is right and what is wrong.

    Signals
    -------
    runs_chosen(a, b)
        A person chose other runs in the panes' headings.
    score_requested(run_ids)
        From a pane whose run has no prediction of the image.
    """

    runs_chosen = Signal(str, str)
    score_requested = Signal(list)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.reader = PredictionReader()
        self._results = Results()
        self._rows: list[ResultRow | None] = [None, None]
        self._class_name = ""
        self._image_id = ""
        self._z = 0
        self._mode = MODES[0]
        self._task: Task | None = None
        self._asked = 0
        self.data: PaneData | None = None
        surface(self)
        self.setAccessibleName("Predictions and truth")
        self.panes = [PlaneView(self) for _ in range(3)]
        self._build()

    # -- building ----------------------------------------------------------------------------------

    def _build(self) -> None:
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(2)
        grid.setVerticalSpacing(0)
        self.choosers = [RunChooser("A", self), RunChooser("B", self)]
        self.scores = [Caption(), Caption(), Caption()]
        self.blanks: list[EmptyState] = []
        self._stacks: list[QStackedLayout] = []
        for place, pane in enumerate(self.panes):
            grid.addWidget(self._heading(place), 0, place)
            blank = EmptyState("", "Score", lambda place=place: self._on_score(place))
            surface(blank, "window")
            holder = QWidget(self)
            stack = QStackedLayout(holder)
            stack.addWidget(pane)
            stack.addWidget(blank)
            self.blanks.append(blank)
            self._stacks.append(stack)
            grid.addWidget(holder, 1, place)
            grid.setColumnStretch(place, 1)
            pane.view_changed.connect(lambda state, place=place: self._link(place, state))
        self.panes[A].setAccessibleName("Prediction of run A")
        self.panes[B].setAccessibleName("Prediction of run B")
        self.panes[TRUTH].setAccessibleName("Truth")
        grid.setRowStretch(1, 1)
        for chooser in self.choosers:
            chooser.currentIndexChanged.connect(self._on_chooser)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(grid, 1)
        column.addWidget(self._foot())

    def _heading(self, place: int) -> QWidget:
        heading = QWidget(self)
        row = QHBoxLayout(heading)
        row.setContentsMargins(GAP, 4, GAP, 4)
        row.setSpacing(6)
        if place == TRUTH:
            self.truth_title = ElidedLabel("Truth")
            row.addWidget(self.truth_title, 1)
        else:
            row.addWidget(Letter("AB"[place]))
            row.addWidget(self.choosers[place], 1)
        score = self.scores[place]
        score.setWordWrap(False)
        row.addWidget(score)
        heading.setMinimumHeight(36)
        return heading

    def _foot(self) -> QWidget:
        foot = QWidget(self)
        row = QHBoxLayout(foot)
        row.setContentsMargins(GAP, 4, GAP, 4)
        row.setSpacing(GAP)
        self._modes = QButtonGroup(self)
        for number, mode in enumerate(MODES):
            button = QPushButton(mode)
            button.setProperty("look", "segment")
            button.setCheckable(True)
            button.setChecked(number == 0)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            self._modes.addButton(button, number)
            row.addWidget(button)
        self._modes.idClicked.connect(self._on_mode)
        row.addSpacing(GAP)
        self.legend = QWidget()
        keys = QHBoxLayout(self.legend)
        keys.setContentsMargins(0, 0, 0, 0)
        keys.setSpacing(12)
        for value in difference.COLOURS:
            keys.addWidget(LegendKey(value))
        row.addWidget(self.legend)
        row.addStretch(1)
        self.plane_label = Caption()
        self.plane_label.setWordWrap(False)
        self.plane = QSlider(Qt.Orientation.Horizontal)
        self.plane.setFixedWidth(140)
        self.plane.setAccessibleName("Plane")
        self.plane.valueChanged.connect(self._on_plane)
        row.addWidget(self.plane_label)
        row.addWidget(self.plane)
        return foot

    # -- what is shown -----------------------------------------------------------------------------

    def show_runs(
        self,
        results: Results,
        order: Sequence[ResultRow],
        a: ResultRow | None,
        b: ResultRow | None,
        *,
        image_id: str,
        class_name: str,
    ) -> None:
        """Show two runs on a test image.

        Parameters
        ----------
        order : sequence of ResultRow
            As the table shows them, for the choosers.
        class_name : str
            "" for all classes at once.
        """
        self._results, self._rows, self._class_name = results, [a, b], class_name
        self.choosers[A].set_rows(order, a.run_id if a else "")
        self.choosers[B].set_rows(order, b.run_id if b else "", optional=True)
        if image_id != self._image_id:
            self._image_id, self._z = image_id, 0
            self._prepare_planes()
        self._write_scores()
        self.reload()

    def _prepare_planes(self) -> None:
        project = self.session.project
        image = project.images.get(self._image_id) if project else None
        depth = image.shape[1] if image else 1
        blocked = self.plane.blockSignals(True)
        self.plane.setRange(0, depth - 1)
        if depth > 1:  # start where most is painted
            assert self.session.file is not None
            planes = self.session.file.mask(self._image_id).planes()
            self._z = planes[len(planes) // 2] if planes else 0
        self.plane.setValue(self._z)
        self.plane.blockSignals(blocked)
        for widget in (self.plane, self.plane_label):
            widget.setVisible(depth > 1)
        self.plane_label.setText(f"z {self._z + 1}/{depth}")

    def _write_scores(self) -> None:
        name = self._results.images.get(self._image_id, "")
        self.truth_title.setText(f"Truth · {name}" if name else "Truth")
        several = len(self._results.class_names) > 1
        for place, row in enumerate(self._rows):
            item = row.images.get(self._image_id) if row is not None else None
            value = class_value(item.scores, "iou", self._class_name) if item else None
            word = "Mean IoU" if several and not self._class_name else "IoU"
            self.scores[place].setText("" if value is None else f"{word} {value:.2f}")
        changed = any(
            item.is_outdated
            for row in self._rows
            if row is not None and (item := row.images.get(self._image_id)) is not None
        )
        self.scores[TRUTH].setText("painted anew" if changed else "")
        self.scores[TRUTH].setToolTip(
            "The truth shown here was painted after a run was scored; the score is of the truth "
            "before. Score the run again."
            if changed
            else ""
        )

    def reload(self) -> None:
        """Read the plane, the truth and the predictions anew, in the background."""
        file = self.session.file
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if file is None or self._image_id not in file.project.images:
            self._asked += 1
            self._take(None)
            return
        image_id, z, rows = self._image_id, self._z, list(self._rows)
        image = file.project.images[image_id]

        self._asked += 1
        asked = self._asked

        def work(task: Task) -> tuple[int, PaneData] | None:
            if task.is_cancelled:
                return None
            predictions = [
                None if row is None else self.reader.plane(row, image_id, z, image.mask_shape)
                for row in rows
            ]
            truth = file.load_mask(image_id).plane(z)
            pixels = file.read_plane(image_id, z)
            return asked, PaneData(pixels, image.is_rgb, truth, predictions)

        # A bound method: Qt drops the answer when this widget is gone before it comes.
        self._task = self.session.background.start(
            "Reading predictions", work, self._on_read, self.session.report_error
        )

    def _on_read(self, answer: tuple[int, PaneData] | None) -> None:
        if answer is not None and answer[0] == self._asked:
            self._task = None
            self._take(answer[1])

    def _take(self, data: PaneData | None) -> None:
        self.data = data
        levels = auto_levels(data.pixels, is_rgb=data.is_rgb) if data else None
        for place, pane in enumerate(self.panes):
            guess = data.predictions[place] if data and place != TRUTH else None
            row = self._rows[place] if place != TRUTH else None
            if isinstance(guess, str):
                self._blank(place, guess, row)
                continue
            if place == B and row is None and self._rows[A] is not None:
                self._blank(place, "Choose a second run to compare with.", None)
                continue
            self._stacks[place].setCurrentIndex(0)
            if data is None:
                pane.set_plane(None)
            else:
                pane.set_plane(data.pixels, is_rgb=data.is_rgb, levels=levels)
        self._paint()

    def _blank(self, place: int, text: str, row: ResultRow | None) -> None:
        self.blanks[place].set_text(text)
        self.blanks[place].button.setVisible(row is not None and row.can_score)
        self._stacks[place].setCurrentIndex(1)

    def _paint(self) -> None:
        """Overlays for the class and the mode chosen."""
        self.legend.setVisible(self._mode == MODES[0])
        data = self.data
        if data is None:
            return
        class_id = class_id_of(self.session.classes, self._class_name)
        classes = [
            c
            for c in self.session.classes
            if c.class_id > 1 and (class_id is None or c.class_id == class_id)
        ]
        masks = class_colours(classes, opacity=0.4)
        ids = [c.class_id for c in classes]
        shown = np.zeros(256, bool)
        shown[ids] = True
        for place, pane in enumerate(self.panes):
            values = data.truth if place == TRUTH else data.predictions[place]
            if self._mode == "Image" or not isinstance(values, np.ndarray):
                pane.set_overlay(None)
            elif place == TRUTH or self._mode == "Mask":
                judged_beside = self._mode == MODES[0]
                pane.set_overlay(
                    ArrayOverlay(values),
                    difference.truth_table(ids) if judged_beside else masks,
                    outline=not judged_beside,
                    outlined=shown,
                    hatch_unlabelled=place == TRUTH and bool((values == UNLABELLED).any()),
                )
            else:
                judged = difference.difference(data.truth, values, class_id)
                pane.set_overlay(
                    ArrayOverlay(judged),
                    difference.colour_table(),
                    outline=False,
                    hatch_unlabelled=bool((judged == difference.UNJUDGED).any()),
                )

    def set_mode(self, mode: str) -> None:
        """``"Difference"``, ``"Mask"`` or ``"Image"``."""
        self._mode = mode
        self._modes.button(MODES.index(mode)).setChecked(True)
        self._paint()

    @property
    def mode(self) -> str:
        """What the overlay shows."""
        return self._mode

    def clear(self) -> None:
        """Another project: forget everything."""
        self.reader.clear()
        self._image_id = ""
        self._rows = [None, None]
        self._take(None)

    # -- the person --------------------------------------------------------------------------------

    def _link(self, place: int, state: ViewState) -> None:
        for other, pane in enumerate(self.panes):
            if other != place:
                pane.set_view(state)

    def _on_mode(self, number: int) -> None:
        self.set_mode(MODES[number])

    def _on_plane(self, z: int) -> None:
        self._z = z
        self.plane_label.setText(f"z {z + 1}/{self.plane.maximum() + 1}")
        self.reload()

    def _on_chooser(self) -> None:
        a, b = (str(chooser.currentData() or "") for chooser in self.choosers)
        self.runs_chosen.emit(a, b)

    def _on_score(self, place: int) -> None:
        row = self._rows[place]
        if row is not None:
            self.score_requested.emit([row.run_id])
