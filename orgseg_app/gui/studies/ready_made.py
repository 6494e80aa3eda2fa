"""Studies that come with OrgSeg, as cards; and studies from files."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from orgseg_app.gui.style import theme
from orgseg_app.gui.style.cards import Card
from orgseg_app.gui.style.widgets import GAP, SecondaryButton, SectionTitle, plain_tip
from orgseg_app.runs.studies.definition import Study, load_study, ready_made

WIDTH = 236


class ReadyMade(QWidget):
    """A card a study; below them the way to files.

    Signals
    -------
    study_chosen(Study)
    """

    study_chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        theme.hold(self, width=WIDTH)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        column.addWidget(SectionTitle("Ready-made"))
        self.cards: dict[str, Card] = {}
        for name in ready_made():
            self.cards[name] = self._make_card(load_study(name))
            column.addWidget(self.cards[name])
        column.addStretch(1)
        self.open_button = SecondaryButton("Open study…", "folder")
        self.open_button.setToolTip("A study from a TOML file")
        self.save_button = SecondaryButton("Save study as…", "save")
        self.save_button.setToolTip("As a TOML file, for the command line or another project")
        column.addWidget(self.open_button)
        column.addWidget(self.save_button)

    def _make_card(self, study: Study) -> Card:
        card = Card(study.name, study.question, text_lines=4)
        card.setToolTip(plain_tip(f"{study.question}\n{study.size} runs. {study.source}"))
        card.clicked.connect(lambda: self.study_chosen.emit(study))
        return card
