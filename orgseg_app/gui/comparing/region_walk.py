"""From one place where runs disagree to the next, the largest first."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from orgseg_app.gui.background import Task
from orgseg_app.gui.canvas.difference import Region
from orgseg_app.gui.comparing.disagreements import Finder, Question
from orgseg_app.gui.comparing.pane_data import PredictionReader, TruthReader
from orgseg_app.gui.session import Session


class RegionWalk(QObject):
    """Looks for the places of an image in the background, and goes through them.

    Signals
    -------
    went(Region)
        This place is to be looked at.
    said(words)
        What is going on, in words.
    """

    went = Signal(object)
    said = Signal(str)

    def __init__(
        self,
        session: Session,
        predictions: PredictionReader,
        truth: TruthReader,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._predictions, self._truth = predictions, truth
        self._question: Question | None = None
        self._regions: list[Region] = []
        self._at = -1
        self._task: Task | None = None

    @property
    def region(self) -> Region | None:
        """The place that was gone to last."""
        return self._regions[self._at] if self._at >= 0 else None

    @property
    def words(self) -> str:
        """Which of how many places that is, and how large it is; "" for none."""
        region = self.region
        if region is None or self._question is None:
            return ""
        what = "Disagreement" if len(self._question.rows) > 1 else "Error"
        noun = "voxel" if region.voxels == 1 else "voxels"
        return f"{what} {self._at + 1} of {len(self._regions)} · {region.voxels} {noun}"

    def go_on(self, question: Question) -> None:
        """To the next place; to the first, when something else was asked before."""
        file = self._session.file
        if file is None:
            return
        if self._question is not None and question.key() == self._question.key():
            if self._task is None:
                self._step()
            return
        self.forget()
        self._question = question
        self.said.emit("Looking for the largest disagreement…")
        predictions, truth = self._predictions, self._truth

        def work(task: Task) -> tuple[Question, list[Region]]:
            finder = Finder(file, predictions, truth, lambda: task.is_cancelled)
            return question, finder.regions(question)

        self._task = self._session.background.start(
            "Looking for disagreements", work, self._on_found, self._on_failed
        )

    def forget(self) -> None:
        """Other runs, another class or another image is shown."""
        if self._task is not None:
            self._task.cancel()
        self._task, self._question, self._regions, self._at = None, None, [], -1

    def _on_found(self, answer: tuple[Question, list[Region]]) -> None:
        if answer[0] is self._question:
            self._task, self._regions = None, answer[1]
            self._step()

    def _on_failed(self, error: Exception) -> None:
        self.forget()
        self.said.emit("")
        self._session.report_error(error)

    def _step(self) -> None:
        assert self._question is not None
        if self._regions:
            self._at = (self._at + 1) % len(self._regions)
            self.went.emit(self._regions[self._at])
            self.said.emit(self.words)
        elif len(self._question.rows) > 1:
            self.said.emit("The runs agree everywhere on this image.")
        else:
            self.said.emit("The run is right everywhere on this image.")
