"""Curves of runs: training loss above, validation IoU below, on one axis of steps."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, QTimer
from PySide6.QtWidgets import QMenu, QWidget

from orgseg_app.gui.comparing.figure_view import FigureView
from orgseg_app.gui.help.meaning import add_meaning
from orgseg_app.gui.help.training_numbers import TRAINING_NUMBERS
from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.gui.runs.runs_model import RunsModel

REDRAW_MS = 200
NUMBERS = {
    "scores": ("loss", "validation_iou"),
    "speed": ("learning_rate", "patches_per_second"),
}
"""What each page draws, by the names of `TRAINING_NUMBERS`."""
EMPTY_TEXT = "Loss and validation IoU appear here while a network learns."


class CurvesView(FigureView):
    """Loss and validation IoU of the runs it is given.

    The runs that matter are drawn in their colours, any others as a faint background, so that fifty
    runs stay readable. Pointing at a step reads off the values.

    Parameters
    ----------
    runs : RunsModel
    """

    figure_module = "orgseg_app.gui.comparing.curves_figure"
    title = "Learning curves"
    noun = "curves"

    def __init__(self, runs: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(runs.session, EMPTY_TEXT, parent)
        self.runs = runs
        self._shown: list[str] = []
        self._behind: list[str] = []
        self._stale: set[str] = set()
        self._is_log = False
        self._page = "scores"
        self.setAccessibleName("Curves")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REDRAW_MS)
        self._timer.timeout.connect(self.redraw_in_sight)
        runs.run_changed.connect(self._on_run_changed)
        runs.runs_changed.connect(self._on_runs_changed)

    def set_runs(self, run_ids: Sequence[str], behind: Sequence[str] = ()) -> None:
        """Choose what is drawn.

        Parameters
        ----------
        run_ids : sequence of str
            Drawn in their colours and read off by the pointer.
        behind : sequence of str
            Drawn faintly behind them.
        """
        self._shown = list(run_ids)
        self._behind = [run_id for run_id in behind if run_id not in self._shown]
        self._stale.update(self._shown, self._behind)
        self.redraw_in_sight()

    def set_page(self, page: str) -> None:
        """Draw loss and validation IoU (``"scores"``), or rate and throughput (``"speed"``)."""
        if page == self._page:
            return
        self._page = page
        self._stale.update(self._shown, self._behind)
        if self.figure is not None:
            self.figure.set_page(page)
        self.redraw_in_sight()

    @property
    def shown(self) -> list[str]:
        """Ids of the runs drawn in colour."""
        return list(self._shown)

    def sizeHint(self) -> QSize:
        """Room for two plots."""
        return QSize(420, 320)

    # -- drawing -----------------------------------------------------------------------------------

    def _entries(self, run_ids: Sequence[str]) -> list[RunEntry]:
        found = (self.runs.get(run_id) for run_id in run_ids)
        return [entry for entry in found if entry is not None]

    def redraw(self) -> None:
        """Draw what is stale."""
        shown, behind = self._entries(self._shown), self._entries(self._behind)
        drawable = [entry for entry in (*shown, *behind) if entry.steps or entry.validation_steps]
        if not drawable:
            self.show_empty(_empty_text(shown))
        elif self.has_figure():
            self.figure.show_runs(shown, behind, stale=self._stale)
            self.setAccessibleDescription(_in_words(shown))
            self._stale.clear()
        self.legend.set_entries(shown if len(shown) > 1 else [])

    def create_figure(self) -> QWidget:
        """Loss above, validation IoU below."""
        from orgseg_app.gui.comparing.curves_figure import CurvesFigure

        figure = CurvesFigure(self)
        figure.set_log_loss(self._is_log)
        figure.set_page(self._page)
        return figure

    def _on_run_changed(self, run_id: str) -> None:
        if run_id in self._shown or run_id in self._behind:
            self._stale.add(run_id)
            if self.isVisible() and not self._timer.isActive():
                self._timer.start()

    def _on_runs_changed(self) -> None:
        self._stale.update(self._shown, self._behind)
        if self.isVisible():
            self._timer.start()

    def _on_theme_changed(self) -> None:
        self._stale.update(self._shown, self._behind)
        super()._on_theme_changed()

    # -- the person --------------------------------------------------------------------------------

    def fill_menu(self, menu: QMenu) -> None:
        """The scale, and what the numbers mean."""
        for name in NUMBERS[self._page]:
            meaning = TRAINING_NUMBERS[name]
            what = f"{meaning.title[:1].lower()}{meaning.title[1:]}"
            add_meaning(menu, self, meaning, f"What {what} means")
        menu.addSeparator()
        log = menu.addAction("Loss on a logarithmic scale")
        log.setCheckable(True)
        log.setChecked(self._is_log)
        log.toggled.connect(self.set_log_loss)
        menu.addSeparator()

    def set_log_loss(self, on: bool) -> None:
        """Show the loss on a logarithmic scale, or not."""
        self._is_log = on
        if self.figure is not None:
            self.figure.set_log_loss(on)


def _empty_text(entries: Sequence[RunEntry]) -> str:
    if len(entries) == 1 and entries[0].is_active:
        return f"{entries[0].name}: {entries[0].state_text}. The first steps appear in a moment."
    return EMPTY_TEXT if not entries else "This run has written no curve."


def _in_words(entries: Sequence[RunEntry]) -> str:
    """The figure for those who cannot see it."""
    said = []
    for entry in entries:
        loss = f"loss {entry.losses[-1]:.3f}" if entry.losses else "no loss yet"
        best = (
            f", best validation IoU {entry.best_iou:.2f} at step {entry.best_step}"
            if entry.best_iou is not None
            else ""
        )
        said.append(f"{entry.name}: step {entry.step}, {loss}{best}")
    return "; ".join(said)
