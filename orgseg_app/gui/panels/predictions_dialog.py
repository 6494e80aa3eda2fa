"""“Add predictions…”: masks made elsewhere, what goes with which image, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent, QColor
from PySide6.QtWidgets import (
    QAbstractButton,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QSizePolicy,
    QSpacerItem,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.core.classes import ClassInfo
from orgseg_app.files.counterparts.offer import (
    Becomes,
    Counterpart,
    Offer,
    OfferError,
    undecided_words,
)
from orgseg_app.files.names import clean_text
from orgseg_app.gui.help.context import HelpedTitle, set_help
from orgseg_app.gui.panels.export_progress import ExportProgress
from orgseg_app.gui.panels.import_bar import MEANINGS
from orgseg_app.gui.panels.offered_classes import LABEL_WIDTH, OfferedClasses
from orgseg_app.gui.style import icons, theme
from orgseg_app.gui.style.dialogs import FittingDialog
from orgseg_app.gui.style.fields import CalmComboBox, Segments
from orgseg_app.gui.style.widgets import (
    EDGE,
    GAP,
    Caption,
    ElidedLabel,
    PrimaryButton,
    SecondaryButton,
    foot_of,
    label,
    plain_tip,
    set_tone,
)

PROGRAM, PERSON = "program", "person"
ABOUT = (
    "Masks of another program, such as Cellpose, ilastik or nnU-Net, or of a second person, for "
    "the test and validation images. They are paired by name, scored, and compared with the "
    "models; the project stays as it is."
)
MADE_BY_WORDS = {
    PROGRAM: "OrgSeg cannot know what a program was trained on; its row says so. Where its masks "
    "are 0 they say background.",
    PERSON: "The row says how far two people agree.",
}
UNLABELLED_WORDS = " What the other person left unlabelled is not judged."
NOTES_SHOWN = 3
HEIGHT = 640
"""Once something was found."""

COLUMNS = ("Image", "Split", "Masks given")


class PredictionsDialog(FittingDialog):
    """Asks where the masks are, shows what was found, asks what they mean, follows the work.

    Signals
    -------
    look_requested(paths)
        Files and folders, or one project.
    add_requested(Offer, Becomes, name, by_person)
    cancel_requested()
        Of what is under way.
    """

    look_requested = Signal(list)
    add_requested = Signal(object, object, str, bool)
    cancel_requested = Signal()

    def __init__(
        self, classes: Sequence[ClassInfo], folder: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Add predictions")
        set_help(self, "predictions")
        self.resize(620, 240)
        self.classes = tuple(classes)
        self.folder = folder
        self.offer: Offer | None = None
        self._paths: list[Path] = []
        self._name_is_mine = True
        self._build()
        self._arrange()
        self._show_offer()

    # -- building ----------------------------------------------------------------------------------

    def _build(self) -> None:
        self.folder_button = SecondaryButton("Folder…", "folder")
        self.folder_button.setToolTip("A folder with masks or objects, searched through all levels")
        self.folder_button.clicked.connect(self._ask_folder)
        self.files_button = SecondaryButton("Files…")
        self.files_button.clicked.connect(self._ask_files)
        self.project_button = SecondaryButton("Another project…")
        self.project_button.setToolTip(
            "A project in which somebody else painted the same images; they are known by their "
            "voxels"
        )
        self.project_button.clicked.connect(self._ask_project)
        self.place = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        set_tone(self.place, "secondary")
        self.table = self._make_table()
        self.found = label(wrap=True)
        self.found.setAccessibleName("What was found")
        self.meaning = CalmComboBox("What the numbers in the masks mean")
        self.meaning.view().setAccessibleName("Meanings")
        self.meaning.currentIndexChanged.connect(lambda _: self._show_classes())
        self.offered = OfferedClasses()
        self.offered.changed.connect(self._show_state)
        self.made_by = Segments("Made by", [(PROGRAM, "A program"), (PERSON, "A person")])
        self.made_by.chosen.connect(lambda _: self._show_state())
        self.made_by_words = Caption()
        self.name = QLineEdit()
        self.name.setMaxLength(80)
        self.name.setAccessibleName("Name of the row")
        self.name.textEdited.connect(self._on_name_edited)
        self.notes = Caption()
        self.notes.setAccessibleName("Notes")
        self.problem = label(wrap=True, tone="warning")
        self.problem.setAccessibleName("Problem")
        self.progress = ExportProgress()
        self.progress.setAccessibleName("Progress")
        self.progress.cancel_requested.connect(self.cancel_requested)
        self.add_button = PrimaryButton("Add")
        self.add_button.clicked.connect(self._on_add)
        self.close_button = SecondaryButton("Close")
        self.close_button.clicked.connect(self.close)
        for button in (self.folder_button, self.files_button, self.project_button):
            button.setAutoDefault(False)
        self.close_button.setAutoDefault(False)

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(0, len(COLUMNS))
        table.setAccessibleName("Images and the masks given for them")
        table.setHorizontalHeaderLabels(COLUMNS)
        for column in range(len(COLUMNS)):
            title = table.horizontalHeaderItem(column)
            if title is not None:
                title.setTextAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        table.setTabKeyNavigation(False)
        table.verticalHeader().hide()
        theme.hold_rows(table, 28)
        table.verticalHeader().setAccessibleName("Rows")
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setAccessibleName("Columns")
        header.setStretchLastSection(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        theme.hold_columns(table, {0: 170, 1: 96})
        for corner in table.findChildren(QAbstractButton):
            corner.setAccessibleName("Select all rows")
        return table

    def _arrange(self) -> None:
        where = QHBoxLayout()
        where.setSpacing(GAP)
        for widget in (self.folder_button, self.files_button, self.project_button):
            where.addWidget(widget)
        where.addWidget(self.place, 1)
        self.questions = QWidget()
        asked = QVBoxLayout(self.questions)
        asked.setContentsMargins(0, 0, 0, 0)
        asked.setSpacing(GAP)
        self.meaning_row = _row("The masks mean", self.meaning)
        asked.addWidget(self.meaning_row)
        asked.addWidget(self.offered)
        self.made_by_row = _row("Made by", self.made_by)
        asked.addWidget(self.made_by_row)
        asked.addWidget(self.made_by_words)
        asked.addWidget(_row("Name", self.name))
        asked.addStretch(1)
        self.questions.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        column = QVBoxLayout(self)
        column.setContentsMargins(EDGE, EDGE, EDGE, EDGE)
        column.setSpacing(GAP)
        column.addWidget(HelpedTitle("Add predictions", "predictions of other programs"))
        column.addWidget(Caption(ABOUT))
        column.addLayout(where)
        column.addWidget(self.found)
        column.addWidget(self.table, 1)
        column.addWidget(self.notes)
        column.addWidget(self.questions)
        column.addWidget(self.problem)
        column.addWidget(self.progress)
        self._spring = QSpacerItem(0, 0)
        column.addItem(self._spring)
        column.addLayout(foot_of(self.add_button, self.close_button))
        self.folder_button.setFocus()

    # -- where they are ----------------------------------------------------------------------------

    def _ask_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Folder with masks", self.folder)
        if name:
            self.look([Path(name)])

    def _ask_files(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Masks or objects", self.folder)
        if names:
            self.look([Path(name) for name in names])

    def _ask_project(self) -> None:
        pattern = "OrgSeg projects (*.orgseg)"
        name, _ = QFileDialog.getOpenFileName(self, "Another project", self.folder, pattern)
        if name:
            self.look([Path(name)])

    def look(self, paths: Sequence[Path]) -> None:
        """Ask to have files looked at; an earlier offer is dropped."""
        self._paths = list(paths)
        first = self._paths[0]
        self.folder = str(first if first.is_dir() else first.parent)
        more = f" and {len(self._paths) - 1} more" if len(self._paths) > 1 else ""
        self.place.setText(f"{clean_text(str(first), 300)}{more}")
        self.offer = None
        self._show_offer()
        self.start("Looking at the files…")
        self.look_requested.emit(self._paths)

    # -- what was found ----------------------------------------------------------------------------

    def show_offer(self, offer: Offer) -> None:
        """Show what was found, and ask what it means."""
        self.offer = offer
        self.progress.clear()
        if offer.is_project:
            self.made_by.set_value(PERSON)
        if self._name_is_mine:
            self.name.setText(clean_text(self._paths[0].stem, 80) if self._paths else "")
        self._show_offer()
        self.add_button.setFocus()

    def _show_offer(self) -> None:
        offer = self.offer
        for widget in (self.questions, self.table, self.found):
            widget.setVisible(offer is not None)
        # While there is no table, what there is stays at the top.
        grows = QSizePolicy.Policy.Expanding if offer is None else QSizePolicy.Policy.Minimum
        self._spring.changeSize(0, 0, QSizePolicy.Policy.Minimum, grows)
        if offer is not None and self.height() < HEIGHT:
            self.resize(self.width(), HEIGHT)
        self.notes.setVisible(offer is not None and bool(offer.notes))
        if offer is None:
            self._show_state()
            return
        usable, total = len(offer.usable), len(offer.counterparts)
        self.found.setText(
            f"Found in {clean_text(offer.title, 80)}: masks for {usable} of {total} test and "
            "validation images."
        )
        ordered = sorted(offer.counterparts, key=lambda item: not item.problem)
        self.table.setRowCount(len(ordered))
        for row, item in enumerate(ordered):
            self._show_counterpart(row, item)
        self.notes.setText("\n".join(clean_text(text, 300) for text in offer.notes[:NOTES_SHOWN]))
        known = dict(MEANINGS)
        blocked = self.meaning.blockSignals(True)
        self.meaning.clear()
        for value in offer.meanings:
            self.meaning.addItem(known.get(value, value), value)
        self.meaning.setCurrentIndex(max(0, self.meaning.findData(offer.meaning)))
        self.meaning.blockSignals(blocked)
        self.meaning_row.setVisible(len(offer.meanings) > 1)
        self.made_by_row.setVisible(not offer.is_project)
        self._show_classes()

    def _show_counterpart(self, row: int, item: Counterpart) -> None:
        words = item.problem or item.found or "nothing given: not scored"
        texts = (item.name, item.split, words)
        for column, text in enumerate(texts):
            cell = QTableWidgetItem(clean_text(text, 300))
            cell.setToolTip(plain_tip(text))
            self.table.setItem(row, column, cell)
        now = theme.current()
        last = self.table.item(row, len(texts) - 1)
        if last is not None and item.problem:
            last.setIcon(icons.icon("warning", "warning"))
            last.setForeground(QColor(now.colour("warning")))
        elif last is not None and not item.found:
            last.setForeground(QColor(now.colour("secondary")))

    def _show_classes(self) -> None:
        """Rows for the classes, with what they are by their names."""
        if self.offer is None:
            return
        meaning = str(self.meaning.currentData())
        suggested = self.offer.suggested(self.classes, meaning)
        self.offered.show_classes(self.offer.offered(meaning), self.classes, suggested)
        self._show_state()

    def becomes(self) -> Becomes:
        """What was decided so far."""
        return Becomes(str(self.meaning.currentData()), self.offered.chosen())

    def _problem(self) -> str:
        if self.offer is None:
            return ""
        if not self.offer.usable:
            return "None of these can be used. Choose other files; nothing was added."
        undecided = self.offer.undecided(self.becomes())
        if not undecided:
            return ""
        return undecided_words(undecided).replace("Say which; nothing was added.", "Choose it.")

    def _show_state(self) -> None:
        offer = self.offer
        words = MADE_BY_WORDS[self.made_by.value()]
        is_project = offer is not None and offer.is_project
        self.made_by_words.setText(words + (UNLABELLED_WORDS if is_project else ""))
        problem = self._problem()
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem) and not self.progress.is_working)
        self.add_button.setEnabled(
            offer is not None and not problem and not self.progress.is_working
        )
        count = len(offer.usable) if offer is not None else 0
        noun = "image" if count == 1 else "images"
        self.add_button.setText(f"Add masks of {count} {noun}" if count else "Add")

    # -- adding ------------------------------------------------------------------------------------

    def _on_name_edited(self, text: str) -> None:
        self._name_is_mine = not text.strip()

    def _on_add(self) -> None:
        if self.offer is None:
            return
        name = " ".join(self.name.text().split())
        is_person = self.made_by.value() == PERSON
        becomes = self.becomes()
        self.start("Scoring…")
        self.add_requested.emit(self.offer, becomes, name, is_person)

    def start(self, text: str) -> None:
        """Something is under way."""
        self.progress.start(text)
        self._set_choices(enabled=False)

    def stop(self) -> None:
        """It was given up; what was chosen stays."""
        self.progress.clear()
        self._set_choices(enabled=True)

    def show_failure(self, error: Exception) -> None:
        """Say why it did not work."""
        self._set_choices(enabled=True)
        level = "warning" if isinstance(error, OfferError) else "error"
        self.progress.finish(level, str(error))
        self._show_state()

    def _set_choices(self, *, enabled: bool) -> None:
        for widget in (
            *(self.folder_button, self.files_button, self.project_button),
            *(self.questions, self.table),
        ):
            widget.setEnabled(enabled)
        self._show_state()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Closing gives up what is under way."""
        if self.progress.is_working:
            self.cancel_requested.emit()
        super().closeEvent(event)


def _row(text: str, widget: QWidget) -> QWidget:
    """A label before a field."""
    row = QWidget()
    row.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    line = QHBoxLayout(row)
    line.setContentsMargins(0, 0, 0, 0)
    line.setSpacing(GAP)
    name = label(text)
    theme.hold(name, least_width=LABEL_WIDTH)
    name.setBuddy(widget)
    line.addWidget(name)
    line.addWidget(widget, 1)
    return row
