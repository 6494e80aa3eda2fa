"""The test images beside the panes, sorted by where the runs disagree.

Pictures and counts are made in the background, those in sight first, and kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QVBoxLayout, QWidget

from orgseg_app.gui.background import Background, Task
from orgseg_app.gui.comparing.disagreements import Finder, ImageFacts, Key, Question
from orgseg_app.gui.comparing.image_scores import (
    BY_A,
    BY_B,
    BY_NAME,
    BY_SIGN,
    BY_SIZE,
    BY_VOXELS,
    DOWN,
    UP,
)
from orgseg_app.gui.comparing.image_table import PICTURE, ImageScoresTable
from orgseg_app.gui.comparing.pane_data import MOST_RUNS, PredictionReader, TruthReader
from orgseg_app.gui.comparing.results_data import ResultRow, class_id_of
from orgseg_app.gui.session import Session
from orgseg_app.gui.style.widgets import GAP

SIDE = 2 * PICTURE
"""Pictures are sharp on screens of twice as many pixels, too."""
KEPT = 1000
LOOK_AFTER_MS = 60
"""Scrolling through the list asks for nothing until it rests."""

SORTINGS: tuple[tuple[str, str, Qt.SortOrder, bool], ...] = (
    ("Largest difference of scores", BY_SIZE, DOWN, True),
    ("A better than B", BY_SIGN, DOWN, True),
    ("B better than A", BY_SIGN, UP, True),
    ("Most voxels that differ", BY_VOXELS, DOWN, True),
    ("Lowest score of A", BY_A, UP, True),
    ("Lowest score of B", BY_B, UP, True),
    ("Lowest score", BY_SIZE, DOWN, False),
    ("Most voxels wrong", BY_VOXELS, DOWN, False),
    ("Name", BY_NAME, UP, True),
    ("Name", BY_NAME, UP, False),
)
"""Words, what by, order, and whether it is for two runs or for one."""

_Key = tuple[Key, int]


class FactsLoader(QObject):
    """Finds out about one image after another in a thread of its own.

    Panes are read in the session's thread, which need not wait for all the images of the list.

    Signals
    -------
    found(image_id, ImageFacts)
    """

    found = Signal(str, object)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._background = Background(self)
        self._predictions, self._truth = PredictionReader(0), TruthReader()
        self._kept: dict[_Key, ImageFacts] = {}
        self._painted: dict[str, int] = {}  # how often masks have changed
        self._questions: dict[str, Question] = {}
        self._wanted: dict[str, _Key] = {}
        self._task: Task | None = None
        session.mask_changed.connect(self._on_mask_changed)
        session.closing.connect(self.finish)

    def ask(self, questions: Iterable[Question]) -> None:
        """Answer these, the first first, in place of those asked before."""
        self._questions, self._wanted = {}, {}
        for question in questions:
            key = self._wanted[question.image_id] = self._key(question)
            known = self._kept.get(key)
            if known is None:
                self._questions[question.image_id] = question
            else:
                self.found.emit(question.image_id, known)
        self._go_on()

    def _key(self, question: Question) -> _Key:
        is_judged = len(question.rows) == 1
        return question.key(), self._painted.get(question.image_id, 0) if is_judged else 0

    def _go_on(self) -> None:
        file = self._session.file
        if self._task is not None or not self._questions or file is None:
            return
        question = self._questions.pop(next(iter(self._questions)))
        if question.image_id not in file.project.images:
            self._go_on()
            return
        key, predictions, truth = self._key(question), self._predictions, self._truth

        def work(task: Task) -> tuple[_Key, ImageFacts | None]:
            finder = Finder(file, predictions, truth, lambda: task.is_cancelled)
            return key, finder.facts(question, SIDE)

        self._task = self._background.start(
            "Looking at the images", work, self._on_found, self._on_failed
        )

    def _on_found(self, answer: tuple[_Key, ImageFacts | None]) -> None:
        self._task = None
        key, facts = answer
        if facts is not None:
            if len(self._kept) >= KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = facts
            if self._wanted.get(key[0][0]) == key:  # not of runs that were shown before
                self.found.emit(key[0][0], facts)
        self._go_on()

    def _on_failed(self, error: Exception) -> None:
        """An image that cannot be read has no picture; the panes say why when it is chosen."""
        self._task = None
        self._go_on()

    def _on_mask_changed(self, image_id: str, box: object) -> None:
        self._truth.forget()
        self._painted[image_id] = self._painted.get(image_id, 0) + 1

    @property
    def is_idle(self) -> bool:
        """Whether all is known that was asked."""
        return self._task is None and not self._questions

    def finish(self) -> None:
        """The project is about to be closed, or nobody looks: come to an end."""
        self._questions = {}
        if self._task is not None:
            self._task.cancel()
        self._background.finish()
        self._truth.forget()


class ImageStrip(QWidget):
    """The list, and above it what it is sorted by."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.table = ImageScoresTable(self)
        self.loader = FactsLoader(session, self)
        self.loader.found.connect(self._on_found)
        self._rows: tuple[ResultRow, ...] = ()
        self._class_name = ""
        self._new: dict[str, ImageFacts] = {}
        self._look_timer = QTimer(self, singleShot=True, interval=LOOK_AFTER_MS)
        self._look_timer.timeout.connect(self._look)
        self._tell_timer = QTimer(self, singleShot=True, interval=LOOK_AFTER_MS)
        self._tell_timer.timeout.connect(self._tell)
        self.sorting = QComboBox()
        self.sorting.setAccessibleName("Sort test images by")
        self.sorting.setToolTip("What the test images are sorted by")
        self.sorting.currentIndexChanged.connect(self._on_sorting)
        row = QHBoxLayout()
        row.setContentsMargins(GAP, 4, GAP, 4)
        row.addWidget(self.sorting, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(self.table, 1)
        self.table.verticalScrollBar().valueChanged.connect(lambda _: self._look_timer.start())
        self.table.sorting_changed.connect(self._show_sorting)

    def set_runs(self, images: dict[str, str], runs: Sequence[ResultRow], class_name: str) -> None:
        """Show these test images with the scores of the first two runs; see `ImageScoresModel`."""
        rows = tuple(runs[:MOST_RUNS])
        before = [row.run_id for row in self._rows], self._class_name
        if before != ([row.run_id for row in rows], class_name):
            self.loader.ask(())  # what is still on its way is of other runs
            self.table.scores.forget_facts()
            self._new = {}
        self._rows, self._class_name = rows, class_name
        a, b = (*self._rows, None, None)[:2]
        was_pair = self.table.scores.is_pair
        self.table.set_runs(images, a, b, class_name)
        if not self.sorting.count() or was_pair != self.table.scores.is_pair:
            self._offer_sortings()
        self._look_timer.start()

    # -- sorting -----------------------------------------------------------------------------------

    def _offer_sortings(self) -> None:
        blocked = self.sorting.blockSignals(True)
        self.sorting.clear()
        for words, by, order, is_pair in SORTINGS:
            if is_pair == self.table.scores.is_pair:
                self.sorting.addItem(words, (by, order))
        self.sorting.blockSignals(blocked)
        self._show_sorting()
        if self.sorting.currentIndex() < 0:
            self.sorting.setCurrentIndex(0)

    def _show_sorting(self) -> None:
        """The chooser says what the table is sorted by; nothing where that has no words."""
        now = self.table.scores.sorted_by
        places = range(self.sorting.count())
        blocked = self.sorting.blockSignals(True)
        self.sorting.setCurrentIndex(
            next((n for n in places if self.sorting.itemData(n) == now), -1)
        )
        self.sorting.blockSignals(blocked)
        self._look_timer.start()

    def sort_by(self, by: str, order: Qt.SortOrder) -> None:
        """Sort the images."""
        self.table.sort_by(by, order)

    def _on_sorting(self, place: int) -> None:
        if place >= 0:
            by, order = self.sorting.itemData(place)
            self.table.sort_by(by, Qt.SortOrder(order))

    # -- pictures ----------------------------------------------------------------------------------

    def _look(self) -> None:
        """Ask about the images in sight; about all where they are sorted by the answer."""
        if not self.isVisible() or self.session.project is None:
            return
        seen = self.table.seen()
        ids = seen
        if self.table.scores.sorted_by[0] == BY_VOXELS:
            ids = [*seen, *(i for i in self.table.scores.image_ids if i not in set(seen))]
        class_id = class_id_of(self.session.classes, self._class_name)
        self.loader.ask(self._question(image_id, class_id) for image_id in ids)

    def _question(self, image_id: str, class_id: int | None) -> Question:
        rows = tuple(row for row in self._rows if image_id in row.images)
        if len(rows) < 2 <= len(self._rows):
            rows = ()  # one alone differs from none
        return Question(image_id, rows, class_id)

    def _on_found(self, image_id: str, facts: ImageFacts) -> None:
        self._new[image_id] = facts
        if not self._tell_timer.isActive():
            self._tell_timer.start()

    def _tell(self) -> None:
        found, self._new = self._new, {}
        self.table.scores.set_facts(found)

    def showEvent(self, event: QShowEvent) -> None:
        """Pictures are made of what is seen."""
        super().showEvent(event)
        self._look_timer.start()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """More of them may be in sight."""
        super().resizeEvent(event)
        self._look_timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nothing is made out of sight."""
        super().hideEvent(event)
        self.loader.ask(())
