"""The Export workspace: painted masks, objects, or masks predicted for images on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from orgseg_app.gui.background import Task
from orgseg_app.gui.help.context import HelpButton, set_help
from orgseg_app.gui.panels.export_follower import ExportFollower
from orgseg_app.gui.panels.export_formats import FormatCards
from orgseg_app.gui.panels.export_inputs import InputsArea
from orgseg_app.gui.panels.export_models import ModelChooser
from orgseg_app.gui.panels.export_objects import ObjectWays
from orgseg_app.gui.panels.export_painted import PaintedImages
from orgseg_app.gui.panels.export_progress import ExportProgress
from orgseg_app.gui.panels.export_ways import PredictionWays
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.session import Session
from orgseg_app.gui.style.fields import Segments
from orgseg_app.gui.style.widgets import (
    GAP,
    GROUP,
    Caption,
    EmptyState,
    IconButton,
    PrimaryButton,
    ScrollColumn,
    SectionTitle,
    Separator,
    label,
    plain_tip,
    surface,
)

MASKS, OBJECTS, IMAGES = "masks", "objects", "images"
KEEP, REPLACE = "keep", "replace"


class ExportPanel(QWidget):
    """What to write, from what, where; one button; progress image by image.

    Signals
    -------
    export_masks_requested(dict)
        ``{"out": Path, "formats": [str], "overwrite": bool}``
    export_objects_requested(dict)
        ``{"out": Path, "as": str, "overwrite": bool}``
    predict_folder_requested(dict)
        ``{"models": [RunFolder], "inputs": [Path], "out": Path, "formats": [str],
        "overwrite": bool, "resume": bool}``, and what `PredictionWays.value` says.
    train_requested(), annotate_requested()
        From the empty states.
    """

    export_masks_requested = Signal(dict)
    export_objects_requested = Signal(dict)
    predict_folder_requested = Signal(dict)
    train_requested = Signal()
    annotate_requested = Signal()

    def __init__(self, session: Session, runs: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.runs = runs
        self._path: Path | None = None
        self._written_by_hand: dict[str, str] = {}
        surface(self)
        self.setAccessibleName("Export")
        set_help(self, "exporting")
        self.painted = PaintedImages(session, self)
        self._build()
        self.mode.chosen.connect(lambda _: self._on_mode_changed())
        self.painted.changed.connect(self._show)
        self.inputs.changed.connect(self._on_inputs_changed)
        self.models.changed.connect(self._show)
        self.formats.changed.connect(self._show)
        self.objects.changed.connect(self._show)
        self.existing.chosen.connect(lambda _: self._show())
        self.folder.textEdited.connect(self._on_folder_edited)
        session.project_changed.connect(self._on_project_changed)
        session.classes_changed.connect(self._show_classes)
        self.follower = ExportFollower(session, runs, self.progress)
        self.follower.changed.connect(self._on_followed)
        self._on_project_changed()
        self._show_classes()
        self._show()

    # -- building --------------------------------------------------------------------------------

    def _build(self) -> None:
        self.mode = Segments(
            "Export", [(MASKS, "Masks"), (OBJECTS, "Objects"), (IMAGES, "New images")]
        )
        self.summary = label(wrap=True)
        self.nothing_painted = EmptyState(
            "Nothing is painted yet. Paint a structure on an image, then export its mask.",
            "Go to Annotate",
            self.annotate_requested.emit,
            icon_name="brush",
        )
        self.no_models = EmptyState(
            "No models yet. Paint at least two classes, then Train.",
            "Go to Train",
            self.train_requested.emit,
            icon_name="model",
        )
        self.inputs = InputsArea(self.session.background)
        self.models = ModelChooser(self.runs)
        self.ways = PredictionWays()
        self.new_images = _column(
            SectionTitle("Images"), self.inputs, 8, SectionTitle("Models"), self.models, self.ways
        )
        self.formats = FormatCards()
        self.objects = ObjectWays()
        self.folder = QLineEdit()
        self.folder.setAccessibleName("Folder for the masks")
        self.folder.setPlaceholderText("Folder for the masks")
        self.folder_button = IconButton("folder", "Choose the folder")
        self.folder_button.clicked.connect(self._on_choose_folder)
        self.existing = Segments(
            "Files that are there already", [(KEEP, "Keep"), (REPLACE, "Replace")]
        )
        self.existing_words = Caption()
        where = QWidget()
        row = QHBoxLayout(where)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.folder, 1)
        row.addWidget(self.folder_button)
        self.output = _column(
            SectionTitle("Formats"),
            self.formats,
            self.objects,
            8,
            SectionTitle("Folder"),
            where,
            8,
            SectionTitle("Files that are there already"),
            self.existing,
            self.existing_words,
        )
        page = QWidget()
        inside = QVBoxLayout(page)
        inside.setContentsMargins(GROUP, 12, GROUP, GROUP)
        inside.setSpacing(GROUP)
        head = QHBoxLayout()
        head.setSpacing(4)
        head.addWidget(self.mode, 1)
        head.addWidget(HelpButton("exporting"))
        inside.addLayout(head)
        for widget in (
            self.summary,
            self.nothing_painted,
            self.no_models,
            self.new_images,
            self.output,
        ):
            inside.addWidget(widget)
        inside.addStretch(1)
        self.progress = ExportProgress()
        self.reason = Caption()
        self.button = PrimaryButton("Export masks", "export")
        self.button.clicked.connect(self.request)
        self.foot = QWidget()
        below = QVBoxLayout(self.foot)
        below.setContentsMargins(GROUP, 12, GROUP, GROUP)
        below.setSpacing(GAP)
        for widget in (self.progress, self.reason, self.button):
            below.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(ScrollColumn(page), 1)
        self._line = Separator()
        column.addWidget(self._line)
        column.addWidget(self.foot)

    # -- showing ---------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """What was painted while the panel was away is counted now."""
        super().showEvent(event)
        self.painted.set_active(self.mode.value() != IMAGES)
        self._show()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nobody looks."""
        super().hideEvent(event)
        self.painted.set_active(False)

    def show_mode(self, mode: str) -> None:
        """Go to ``"masks"``, ``"objects"`` or ``"images"``."""
        self.mode.set_value(mode)
        self._on_mode_changed()

    def _on_mode_changed(self) -> None:
        self._show_folder()
        if self.mode.value() == OBJECTS:
            self.objects.fill()
        self.painted.set_active(self.isVisible() and self.mode.value() != IMAGES)
        self._show()

    def _show(self) -> None:
        mode = self.mode.value()
        masks = mode != IMAGES
        painted = self.painted.images
        has_models = bool(self.models.rows)
        self.ways.show_models(self.models.chosen())
        can_export = bool(painted) if masks else has_models
        self.summary.setVisible(masks and (painted is None or bool(painted)))
        self.summary.setText(self._painted_words())
        self.nothing_painted.setVisible(masks and painted is not None and not painted)
        self.no_models.setVisible(not masks and not has_models)
        self.new_images.setVisible(not masks and has_models)
        self.output.setVisible(can_export)
        self.formats.setVisible(mode != OBJECTS)
        self.objects.setVisible(mode == OBJECTS)
        target = self.out() if mode == MASKS else None
        self.painted.set_target(target, self.formats.chosen())
        self.existing_words.setText(self._existing_words())
        self.existing_words.setVisible(bool(self.existing_words.text()))
        reason = self._reason()
        busy = self.progress.is_working
        self.reason.setText(reason)
        self.reason.setVisible(bool(reason) and can_export and not busy)
        self.button.setVisible(can_export)
        for widget in (self.foot, self._line):
            widget.setVisible(can_export or not self.progress.isHidden())
        self.button.setText(self._button_text())
        self.button.setEnabled(not reason and not busy)
        self.folder.setToolTip(plain_tip(self.folder.text()))

    def _show_classes(self) -> None:
        self.formats.show_classes(self.session.classes)

    def _painted_words(self) -> str:
        project, painted = self.session.project, self.painted.images
        if project is None:
            return "Open a project first."
        if painted is None:
            return "Counting the painted images…"
        count, total = len(painted), len(project.images)
        if count == total:
            return "The image is painted." if total == 1 else f"All {total:,} images are painted."
        return f"{count:,} of {total:,} images {'is' if count == 1 else 'are'} painted."

    def _existing_words(self) -> str:
        replace = self.existing.value() == REPLACE
        if self.mode.value() == IMAGES:
            if replace:
                return "Masks in the folder with the same name are replaced."
            return "Images whose mask is in the folder already are skipped."
        if self.mode.value() == OBJECTS:
            if replace:
                return "Files in the folder with the same name are replaced."
            return "Nothing is written when one of the files is there already."
        count = self.painted.existing
        if count and replace:
            return f"{count:,} mask{'' if count == 1 else 's'} in the folder will be replaced."
        return "" if count else "None of these masks is in the folder yet."

    def _reason(self) -> str:
        """Why nothing can be started, or ""."""
        if self.session.project is None:
            return "Open a project first."
        if self.mode.value() == IMAGES:
            if self.inputs.is_counting:
                return "Looking at the files…"
            if not self.inputs.files:
                return self.inputs.problem or "Choose images to predict."
            if not self.models.chosen():
                return "Tick at least one model."
        if self.mode.value() != OBJECTS and not self.formats.chosen():
            return "Choose at least one format."
        if self.out() is None:
            return f"Choose a folder for the {self._what()}."
        if self.mode.value() == MASKS and self.existing.value() == KEEP and self.painted.existing:
            there = _of_these(self.painted.existing)
            return f"{there} in this folder already. Replace, or choose another folder."
        return ""

    def _button_text(self) -> str:
        if self.mode.value() == OBJECTS:
            return "Export objects"  # how many images have some is found on the way
        if self.mode.value() == MASKS:
            count = len(self.painted.images or ())
            return f"Export {count:,} mask{'' if count == 1 else 's'}" if count else "Export masks"
        count = len(self.inputs.files)
        return f"Predict {count:,} image{'' if count == 1 else 's'}" if count else "Predict images"

    def _what(self) -> str:
        return "objects" if self.mode.value() == OBJECTS else "masks"

    # -- the folder ------------------------------------------------------------------------------

    def out(self) -> Path | None:
        """The folder masks go to; None while none is named."""
        text = self.folder.text().strip()
        return Path(text).expanduser() if text else None

    def _show_folder(self) -> None:
        mode = self.mode.value()
        text = self._written_by_hand.get(mode)
        self.folder.setText(self._suggested_folder() if text is None else text)
        self.folder.setCursorPosition(len(self.folder.text()))

    def _suggested_folder(self) -> str:
        if self.mode.value() != IMAGES:
            path = self.session.path
            return "" if path is None else str(path.with_name(f"{path.stem} {self._what()}"))
        if not self.inputs.files:
            return ""
        folder = self.inputs.files[0].absolute().parent
        name = f"{folder.name} masks" if folder.name else "masks"
        return str(folder.parent / name)

    def _on_folder_edited(self, text: str) -> None:
        self._written_by_hand[self.mode.value()] = text
        if not text.strip():
            del self._written_by_hand[self.mode.value()]
        self._show()

    def _on_choose_folder(self) -> None:
        start = self.out() or self.session.path or Path.home()
        while not start.is_dir() and start != start.parent:
            start = start.parent
        title = f"Folder for the {self._what()}"
        name = QFileDialog.getExistingDirectory(self, title, str(start))
        if name:
            self._written_by_hand[self.mode.value()] = name
            self._show_folder()
            self._show()

    def _on_inputs_changed(self) -> None:
        self._show_folder()
        self._show()

    def _on_project_changed(self) -> None:
        if self.session.path == self._path:
            return  # another name
        self._path = self.session.path
        self._written_by_hand.clear()
        self.follower.forget()
        if self._path is not None:
            self.inputs.start_folder = self._path.parent
        self._show_folder()
        self._show()

    # -- asking ----------------------------------------------------------------------------------

    def request(self) -> None:
        """Ask for what the button says."""
        out = self.out()
        if out is None or not self.button.isEnabled():
            return
        replace = self.existing.value() == REPLACE
        if self.mode.value() == OBJECTS:
            self.export_objects_requested.emit(
                {"out": out, "as": self.objects.value(), "overwrite": replace}
            )
            return
        asked: dict[str, Any] = {
            "out": out,
            "formats": self.formats.chosen(),
            "overwrite": replace,
        }
        if self.mode.value() == MASKS:
            self.follower.expect(out, len(self.painted.images or ()))
            self.export_masks_requested.emit(asked)
            return
        asked |= {
            "models": [entry.run for entry in self.models.chosen()],
            "inputs": list(self.inputs.paths),
            "resume": not replace,
        }
        asked |= self.ways.value()
        self.predict_folder_requested.emit(asked)

    def follow_task(self, task: Task) -> None:
        """Show an export that writes masks, until it has ended; its result is a list of Path."""
        self.follower.follow_task(task)

    def follow_run(self, run_id: str) -> None:
        """Show a prediction of images on disk, until it has ended."""
        self.follower.follow_run(run_id)

    def _on_followed(self) -> None:
        if not self.follower.is_working:
            self.painted.look_again()
        self._show()


def _column(*parts: QWidget | int) -> QWidget:
    """Widgets below each other; a number is extra space."""
    made = QWidget()
    column = QVBoxLayout(made)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(GAP)
    for part in parts:
        if isinstance(part, int):
            column.addSpacing(part)
        else:
            column.addWidget(part)
    return made


def _of_these(count: int) -> str:
    return "1 of these masks is" if count == 1 else f"{count:,} of these masks are"
