"""Choosing a score that single images have."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QComboBox, QMenu, QWidget

from orgseg_app.gui.comparing.image_measures import image_measures
from orgseg_app.gui.comparing.measures import MEASURES, score_page
from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.gui.help.context import ask_help, set_help
from orgseg_app.gui.help.meaning import Meaning, add_meaning
from orgseg_app.gui.style.fields import offer_choices


class MeasureChooser(QComboBox):
    """The scores that some image of the runs has."""

    def __init__(self, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Score")
        self.setToolTip(tip)
        self.setMinimumContentsLength(14)
        self.currentIndexChanged.connect(lambda _: self._name_page())

    def offer(self, rows: Iterable[ResultRow]) -> None:
        """Offer the scores of these runs, silently; the choice stays where it can."""
        offer_choices(self, image_measures(rows).items())
        self._name_page()

    def _name_page(self) -> None:
        set_help(self, score_page(self.score) if self.score else "scores")

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """What the score means."""
        found = next((item for item in MEASURES if item.score == self.score), None)
        if found is None:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        meaning = Meaning(self.currentText(), found.words, score_page(self.score))
        add_meaning(menu, self, meaning)
        menu.addAction("Help", lambda: ask_help(self))
        menu.popup(event.globalPos())

    @property
    def score(self) -> str:
        """Name of the score chosen; "" where there is none."""
        return str(self.currentData() or "")
