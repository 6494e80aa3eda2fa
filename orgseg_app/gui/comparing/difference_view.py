"""Predictions of several runs and the truth at one place: side by side, swiped, or flickering."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QSlider, QStackedWidget, QVBoxLayout, QWidget

from orgseg_app.gui.background import Task
from orgseg_app.gui.canvas.difference import Region
from orgseg_app.gui.canvas.layers import OverlayLayer
from orgseg_app.gui.canvas.plane_view import ViewState
from orgseg_app.gui.comparing.compare_pane import ComparePane
from orgseg_app.gui.comparing.disagreements import Question
from orgseg_app.gui.comparing.flicker_view import FlickerView
from orgseg_app.gui.comparing.measures import class_value
from orgseg_app.gui.comparing.pane_bar import FLICKER, SIDE_BY_SIDE, SWIPE, PaneBar, PaneFoot
from orgseg_app.gui.comparing.pane_data import (
    LETTERS,
    MOST_RUNS,
    PaneData,
    PaneRequest,
    PredictionReader,
    TruthReader,
    read_panes,
)
from orgseg_app.gui.comparing.pane_grid import PaneGrid
from orgseg_app.gui.comparing.pane_overlays import DIFFERENCE, MODES, layers_of, voxel_words
from orgseg_app.gui.comparing.pane_parts import RunChooser, Shown
from orgseg_app.gui.comparing.region_walk import RegionWalk
from orgseg_app.gui.comparing.results_data import ResultRow, Results, class_id_of
from orgseg_app.gui.comparing.swipe_view import SwipeView
from orgseg_app.gui.session import Session
from orgseg_app.gui.style.widgets import Caption, ElidedLabel, EmptyState, surface

A, B = 0, 1


class DifferenceView(QWidget):
    """One place of a test image, one zoom; the overlay tells what is right and what is wrong.

    Signals
    -------
    runs_chosen(run_ids)
        A person chose other runs in the panes' headings: A, B, and so on.
    score_requested(run_ids)
        From a pane whose run has no prediction of the image.
    place_opened(image_id, z, ViewState)
        A place is to be opened in the Annotate workspace.
    """

    runs_chosen = Signal(list)
    score_requested = Signal(list)
    place_opened = Signal(str, int, object)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.reader, self.truth_reader = PredictionReader(), TruthReader()
        self._results = Results()
        self._rows: list[ResultRow | None] = [None, None]
        self._class_name = ""
        self._image_id = ""
        self._z: int | None = None
        self._mode = MODES[0]
        self._task: Task | None = None
        self._asked = 0
        self.data: PaneData | None = None
        self._clicked = (math.nan, math.nan)
        self.walk = RegionWalk(session, self.reader, self.truth_reader, self)
        surface(self)
        self.setAccessibleName("Predictions and truth")
        self._build()
        session.mask_changed.connect(lambda *_: self.truth_reader.forget())
        session.closing.connect(self.truth_reader.forget)

    # -- building ----------------------------------------------------------------------------------

    def _build(self) -> None:
        self.bar, self.foot = PaneBar(self), PaneFoot(self)
        self.grid, self.swipe, self.flicker = PaneGrid(), SwipeView(), FlickerView()
        self._stack = QStackedWidget()
        for view in (self.grid, self.swipe, self.flicker):
            self._stack.addWidget(view)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.bar)
        column.addWidget(self._stack, 1)
        column.addWidget(self.foot)
        self.bar.view_chosen.connect(self.set_view)
        self.bar.mode_chosen.connect(self.set_mode)
        self.bar.outlines_chosen.connect(self._paint)
        self.foot.next_requested.connect(self.next_disagreement)
        self.bar.fit_requested.connect(self.fit)
        self.walk.went.connect(self._on_went)
        self.walk.said.connect(self.foot.words.setText)
        self.foot.plane_chosen.connect(self.set_plane)
        self.grid.chosen.connect(self._on_chooser)
        self.grid.score_requested.connect(self._on_score)
        for pane in self._all_panes():
            pane.view_changed.connect(partial(self._link, pane))
            pane.hovered.connect(partial(self._on_hovered, pane))
            pane.image_clicked.connect(self._on_clicked)
            pane.opened.connect(partial(self._on_opened, pane))

    def _all_panes(self) -> list[ComparePane]:
        return [*self.grid.all_panes, self.swipe.pane, self.flicker.pane]

    @property
    def panes(self) -> list[ComparePane]:
        """Side by side: those of the runs, then the truth's."""
        return [cell.pane for cell in self.grid.cells]

    @property
    def choosers(self) -> list[RunChooser]:
        """In the headings of the runs."""
        return [cell.chooser for cell in self.grid.cells if cell.chooser is not None]

    @property
    def scores(self) -> list[Caption]:
        """In the headings, the truth's last."""
        return [cell.score for cell in self.grid.cells]

    @property
    def blanks(self) -> list[EmptyState]:
        """What is said where there is nothing to see."""
        return [cell.blank for cell in self.grid.cells]

    @property
    def truth_title(self) -> ElidedLabel:
        """Heading of the truth."""
        return self.grid.truth.title

    @property
    def legend(self) -> QWidget:
        """What the colours mean."""
        return self.foot.legend

    @property
    def plane(self) -> QSlider:
        """Which plane of a volume."""
        return self.foot.plane

    # -- what is shown -----------------------------------------------------------------------------

    def show_runs(
        self,
        results: Results,
        order: Sequence[ResultRow],
        runs: Sequence[ResultRow],
        *,
        image_id: str,
        class_name: str,
    ) -> None:
        """Show runs on a test image.

        Parameters
        ----------
        order : sequence of ResultRow
            As the table shows them, for the choosers.
        runs : sequence of ResultRow
            A, B and so on; more than `MOST_RUNS` are left out.
        class_name : str
            "" for all classes at once.
        """
        rows: list[ResultRow | None] = list(runs[:MOST_RUNS])
        wanted = image_id, class_name, [row.run_id for row in runs[:MOST_RUNS]]
        shown = [row.run_id for row in self._rows if row is not None]
        if wanted != (self._image_id, self._class_name, shown):
            self._forget_regions()
        self._rows = rows + [None] * (B + 1 - len(rows))
        self._results, self._class_name = results, class_name
        self.grid.set_count(len(self._rows))
        self.grid.set_rows(order, self._rows)
        if image_id != self._image_id:
            self._image_id, self._z = image_id, None
            self._clicked = (math.nan, math.nan)
        self._write_scores()
        self.reload()

    def _class_id(self) -> int | None:
        return class_id_of(self.session.classes, self._class_name)

    def _depth(self) -> int:
        project = self.session.project
        image = project.images.get(self._image_id) if project else None
        return image.shape[1] if image else 1

    def _score_words(self, row: ResultRow | None) -> str:
        item = row.images.get(self._image_id) if row is not None else None
        value = class_value(item.scores, "iou", self._class_name) if item else None
        several = len(self._results.class_names) > 1
        word = "Mean IoU" if several and not self._class_name else "IoU"
        return "" if value is None else f"{word} {value:.2f}"

    def _write_scores(self) -> None:
        name = self._results.images.get(self._image_id, "")
        self.truth_title.setText(f"Truth · {name}" if name else "Truth")
        for cell, row in zip(self.grid.cells, self._rows, strict=False):
            cell.show_score(self._score_words(row))
        changed = any(
            item.is_outdated
            for row in self._rows
            if row is not None and (item := row.images.get(self._image_id)) is not None
        )
        self.grid.truth.show_score(
            "painted anew" if changed else "",
            "The truth shown here was painted after a run was scored; the score is of the truth "
            "before. Score the run again."
            if changed
            else "",
        )

    def reload(self) -> None:
        """Read the plane, the truth and the predictions anew, in the background."""
        file = self.session.file
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._asked += 1
        if file is None or self._image_id not in file.project.images:
            self._take(None)
            return
        request = PaneRequest(self._image_id, self._z, tuple(self._rows), self._class_id())
        asked, before = self._asked, self.data
        predictions, truth = self.reader, self.truth_reader

        def work(task: Task) -> tuple[int, PaneData] | None:
            if task.is_cancelled:
                return None
            return asked, read_panes(file, request, predictions, truth, before=before)

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
        if data is not None:
            self._z = data.z
        self.foot.show_plane(data.z if data else 0, self._depth())
        self.grid.show_data(data)
        for pane in (self.swipe.pane, self.flicker.pane):
            if data is None:
                pane.show_picture(None, [], is_rgb=False)
            else:
                pane.show_picture(data.picture, data.levels, is_rgb=data.is_rgb)
        self._paint()
        self._show_mark()
        self._say_voxel(*self._clicked)

    def _paint(self) -> None:
        """Overlays for the class and the mode chosen, in the view that is seen."""
        self.legend.setVisible(self._mode == DIFFERENCE)
        view = self._stack.currentWidget()
        assert isinstance(view, PaneGrid | SwipeView | FlickerView)
        view.show_what(self._shown())

    def _shown(self) -> list[Shown]:
        """What is in each place, the truth last."""
        data, found = self.data, []
        for place, row in enumerate(self._rows):
            guess = data.predictions[place] if data and place < len(data.predictions) else None
            missing = guess if isinstance(guess, str) else ""
            if row is None and (place == A or self._rows[A] is not None):
                missing = "Choose a second run to compare with." if place == B else missing
            name = row.name if row is not None else "No run"
            can_score = row is not None and row.can_score
            layers = () if missing else self._layers(place)
            words = self._score_words(row)
            found.append(Shown(LETTERS[place], name, words, layers, missing, can_score))
        found.append(Shown("", "Truth", "", self._layers(len(self._rows))))
        return found

    def _layers(self, place: int) -> tuple[OverlayLayer, ...]:
        data = self.data
        if data is None or len(data.predictions) != len(self._rows):
            return ()  # others are being read
        outlines = self.bar.outlines.isChecked()
        return layers_of(data, place, self._mode, self.session.classes, outlines=outlines)

    def clear(self) -> None:
        """Another project: forget everything."""
        self.reader.clear()
        self.truth_reader.forget()
        self._image_id, self._z = "", None
        self._rows = [None, None]
        self.grid.set_count(2)
        self._forget_regions()
        self._asked += 1
        self._take(None)

    def describe_with(self, describe: Callable[..., object]) -> None:
        """Have the keys of the menu's actions told in tooltips; see `Shortcuts.describe`."""
        for button, action_id in self.bar.buttons_of_actions():
            describe(button, button.toolTip(), action_id)
        describe(self.foot.next_button, self.foot.next_button.toolTip(), "next_disagreement")

    # -- how it is looked at -----------------------------------------------------------------------

    def set_mode(self, mode: str) -> None:
        """``"Difference"``, ``"Mask"`` or ``"Image"``."""
        self._mode = mode
        self.bar.show_mode(mode)
        self._paint()

    @property
    def mode(self) -> str:
        """What the overlay shows."""
        return self._mode

    def set_view(self, view: str) -> None:
        """One of `pane_bar.VIEWS`."""
        before = self.leading_pane()
        state, is_fitted = before.view_state(), before.is_fitted
        had_keyboard = any(pane.hasFocus() for pane in self._all_panes())
        self._stack.setCurrentIndex((SIDE_BY_SIDE, SWIPE, FLICKER).index(view))
        self.bar.show_view(view)
        for pane in self._all_panes():
            pane.follow(state, is_fitted=is_fitted)
        self._paint()
        if had_keyboard or view == FLICKER:
            self.leading_pane().setFocus()

    @property
    def view(self) -> str:
        """How the runs are shown: one of `pane_bar.VIEWS`."""
        return (SIDE_BY_SIDE, SWIPE, FLICKER)[self._stack.currentIndex()]

    def leading_pane(self) -> ComparePane:
        """The pane with the keyboard, or the first that shows something."""
        seen = [*self.panes] if self.view == SIDE_BY_SIDE else []
        seen += [self.swipe.pane] if self.view == SWIPE else []
        seen += [self.flicker.pane] if self.view == FLICKER else []
        visible = [pane for pane in seen if pane.isVisible()] or seen
        return next((pane for pane in visible if pane.hasFocus()), visible[0])

    def fit(self) -> None:
        """Show the whole plane."""
        self.leading_pane().fit()

    def zoom_by(self, factor: float) -> None:
        """Closer, or further away."""
        self.leading_pane().zoom_by(factor)

    def set_zoom(self, zoom: float) -> None:
        """Screen pixels a voxel."""
        self.leading_pane().set_zoom(zoom)

    def look_at(self, state: ViewState) -> None:
        """All panes look there."""
        for pane in self._all_panes():
            pane.follow(state, is_fitted=False)

    def set_plane(self, z: int) -> None:
        """Another plane of the volume."""
        self._z = z
        self.reload()

    def _link(self, pane: ComparePane, state: ViewState) -> None:
        for other in self._all_panes():
            if other is not pane:
                other.follow(state, is_fitted=pane.is_fitted)
        if pane.hasFocus() and not pane.underMouse():
            self._say_voxel(state.y, state.x)

    # -- where they disagree -----------------------------------------------------------------------

    def next_disagreement(self) -> None:
        """To the largest place where the runs do not agree, then to the next one.

        Of one run: where it and the truth do not.
        """
        self._go_to_next(tuple(self._with_predictions()))

    def next_error(self) -> None:
        """To the largest place where a run is wrong: that of the pane with the keyboard, or A."""
        rows = self._rows
        place = next((n for n, pane in enumerate(self.panes[:-1]) if pane.hasFocus()), A)
        shown = self._with_predictions()
        self._go_to_next(tuple(row for row in (rows[place], *shown) if row in shown)[:1])

    def _with_predictions(self) -> list[ResultRow]:
        guesses = self.data.predictions if self.data else []
        pairs = zip(self._rows, guesses, strict=False)
        return [row for row, guess in pairs if row is not None and isinstance(guess, np.ndarray)]

    def _go_to_next(self, rows: tuple[ResultRow, ...]) -> None:
        if not rows:
            self.session.message.emit("No run shown has a prediction of this image yet.", "info")
            return
        self.walk.go_on(Question(self._image_id, rows, self._class_id()))

    def _on_went(self, region: Region) -> None:
        self.look_at(self.leading_pane().view_of(region))
        self._clicked = (math.nan, math.nan)
        self._show_mark()
        if region.z != self._z:
            self.set_plane(region.z)

    def _show_mark(self) -> None:
        region, data = self.walk.region, self.data
        here = region if region is not None and data and region.z == data.z else None
        for pane in self._all_panes():
            pane.mark(here)

    def _forget_regions(self) -> None:
        self.walk.forget()
        self._show_mark()

    # -- the person --------------------------------------------------------------------------------

    def _on_hovered(self, pane: ComparePane, y: float, x: float) -> None:
        for other in self._all_panes():
            if other is not pane:
                other.set_mirror(y, x)
        self._say_voxel(*(self._clicked if math.isnan(y) else (y, x)))

    def _on_clicked(self, y: float, x: float) -> None:
        self._clicked = (y, x)
        self._say_voxel(y, x)

    def _say_voxel(self, y: float, x: float) -> None:
        if self.data is not None and not math.isnan(y):
            words = voxel_words(self.data, y, x, self.session.classes, self._depth())
            self.foot.words.setText(words)
        else:
            self.foot.words.setText(self.walk.words)

    def _on_opened(self, pane: ComparePane, y: float, x: float) -> None:
        if self.data is not None:
            state = ViewState(y, x, pane.view_state().zoom)
            self.place_opened.emit(self.data.image_id, self.data.z, state)

    def _on_chooser(self, place: int, run_id: str) -> None:
        ids = ["" if row is None else row.run_id for row in self._rows]
        if run_id and run_id in ids:  # it stands in another pane: they change places
            ids[ids.index(run_id)] = ids[place]
        ids[place] = run_id
        self.runs_chosen.emit([found for found in ids if found])

    def _on_score(self, place: int) -> None:
        row = self._rows[place]
        if row is not None:
            self.score_requested.emit([row.run_id])
