"""The import bar: what was found beside the images, and one question about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QStandardItemModel
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from orgseg_app.core.classes import BACKGROUND, MAX_CLASS_ID
from orgseg_app.gui.help.context import HelpButton, set_help
from orgseg_app.gui.session import Session
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.fields import CalmComboBox, show_choice
from orgseg_app.gui.style.widgets import (
    GAP,
    GROUP,
    IconPicture,
    PrimaryButton,
    SecondaryButton,
    Separator,
    label,
    surface,
)

if TYPE_CHECKING:
    from orgseg_app.files.annotations.plan import ImportPlan
    from orgseg_app.gui.panels.pairs_dialog import PairsDialog

MEANINGS = (
    ("binary", "structure or not"),
    ("classes", "one number a class"),
    ("instances", "one number an object"),
)
BOX_WAYS = (
    ("otsu", "the object, by brightness"),
    ("grabcut", "the object, by GrabCut"),
    ("weak", "left unlabelled"),
)
NAMED_OBJECTS = "objects of several classes"
CLASSES = "classes"
DEFAULT_NAME = "foreground"
_LISTED = 4
MAX_CLASSES = MAX_CLASS_ID - BACKGROUND


class ImportBar(QFrame):
    """Asks whether the annotations found are meant, and what their numbers stand for.

    Large images may stay in their files: a check, set to begin with. Numbered images may be the
    planes of a volume: another check, set where their names say so.

    Signals
    -------
    accepted(ImportPlan, ImportChoice)
    cancelled()
    """

    accepted = Signal(object, object)
    cancelled = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.plan: ImportPlan | None = None
        self.dialog: PairsDialog | None = None
        self._before: QWidget | None = None
        self._typed: dict[str, str] = {}
        surface(self)
        self.setAccessibleName("Import")
        set_help(self, "importing")
        self._build()
        self.hide()

    def _build(self) -> None:
        self.icon = IconPicture("import", colour="accent")
        self.summary = label(wrap=True)
        self.summary.setAccessibleName("What was found")
        self.meaning = CalmComboBox("What the numbers in the masks mean")
        for value, text in MEANINGS:
            self.meaning.addItem(text, value)
        self.meaning.view().setAccessibleName("Meanings")
        self.meaning.currentIndexChanged.connect(self._on_meaning_changed)
        self.names = QLineEdit()
        theme.hold(self.names, least_width=120)
        theme.hold(self.names, most_width=320)
        self.names.textEdited.connect(self._on_names_edited)
        self.names.returnPressed.connect(self._on_use)
        self.meaning_label = label("The masks mean")
        self.names_label = label("Class")
        self.use_button = PrimaryButton("Use them")
        self.images_button = SecondaryButton("Images only")
        self.images_button.setToolTip("Import the images and leave the masks alone")
        self.pairs_button = SecondaryButton("Show pairs…", quiet=True)
        self.pairs_button.setToolTip("See which mask goes with which image, and what is wrong")
        self.cancel_button = SecondaryButton("Cancel", quiet=True)
        self.cancel_button.setToolTip("Import nothing (Esc)")
        self.use_button.clicked.connect(self._on_use)
        self.images_button.clicked.connect(self._on_images_only)
        self.pairs_button.clicked.connect(self.show_pairs)
        self.cancel_button.clicked.connect(self.cancel)
        self.link_check = QCheckBox()
        self.link_check.setToolTip(
            "The project stays small and knows the files by what they hold, so they may be moved "
            "and found again. Without this, everything is copied into the project"
        )
        self.link_check.setVisible(False)
        self.volume_check = QCheckBox()
        self.volume_check.setToolTip(
            "The numbered images become planes of one image with depth, in the order of their "
            "numbers. Without this, each is an image of its own"
        )
        self.volume_check.setVisible(False)
        self.boxes = CalmComboBox("What the inside of a box becomes")
        for value, text in BOX_WAYS:
            self.boxes.addItem(text, value)
        self.boxes.view().setAccessibleName("Insides of boxes")
        self.boxes_label = label("Inside boxes")
        self.boxes_label.setToolTip(
            "Only boxes around the objects are known; what lies outside of all boxes is "
            "background. GrabCut takes about a tenth of a second for each of them"
        )
        self.questions = QWidget()
        asked = QHBoxLayout(self.questions)
        asked.setContentsMargins(0, 0, 0, 0)
        asked.setSpacing(GAP)
        asked.addWidget(self.meaning_label)
        asked.addWidget(self.meaning)
        asked.addSpacing(GAP)
        asked.addWidget(self.names_label)
        asked.addWidget(self.names, 1)
        asked.addWidget(self.boxes_label)
        asked.addWidget(self.boxes)
        first = QHBoxLayout()
        first.setSpacing(GAP)
        first.addWidget(self.icon, 0, Qt.AlignmentFlag.AlignTop)
        first.addWidget(self.summary, 1)
        first.addWidget(HelpButton("importing"), 0, Qt.AlignmentFlag.AlignTop)
        second = QHBoxLayout()
        second.setContentsMargins(self.icon.width() + GAP, 0, 0, 0)
        second.setSpacing(GAP)
        second.addWidget(self.questions, 3)
        second.addWidget(self.volume_check)
        second.addWidget(self.link_check)
        second.addStretch(1)
        for button in (
            self.pairs_button,
            self.cancel_button,
            self.images_button,
            self.use_button,
        ):
            second.addWidget(button)
        block = QVBoxLayout()
        block.setContentsMargins(GROUP, 10, GROUP, 10)
        block.setSpacing(GAP)
        block.addLayout(first)
        block.addLayout(second)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(block)
        column.addWidget(Separator())

    # -- showing ---------------------------------------------------------------------------------

    def show_plan(self, plan: ImportPlan, large_bytes: int = 0) -> None:
        """Ask about a plan; an earlier question is dropped.

        Parameters
        ----------
        large_bytes
            Size of the image files when they are so large that linking is suggested, else 0.
        """
        self._close_dialog()
        self.plan = plan
        self._typed = {}
        annotated = any(item.annotation for item in plan.items)
        self.summary.setText(_sentence(plan, annotated=annotated))
        troubled = bool(plan.unmatched) or any(item.problem for item in plan.items)
        self.icon.set_icon(*(("warning", "warning") if troubled else ("import", "accent")))
        set_help(self, "importing#refused" if troubled else "importing")
        self._allow_classes(len(_values(plan)) <= MAX_CLASSES)
        show_choice(self.meaning, plan.meaning)
        words = dict(MEANINGS) | ({CLASSES: NAMED_OBJECTS} if plan.has_named_objects else {})
        self.meaning.setItemText(self.meaning.findData(CLASSES), words[CLASSES])
        self.boxes.setVisible(plan.has_boxes)
        self.boxes_label.setVisible(plan.has_boxes)
        self._show_names()
        self.questions.setVisible(annotated)
        self.link_check.setVisible(large_bytes > 0)
        self.link_check.setChecked(large_bytes > 0)
        self.link_check.setText(
            f"Leave the images in their files ({large_bytes / 1e9:.1f}\u2009GB)"
        )
        self.volume_check.setVisible(bool(plan.series))
        self.volume_check.setChecked(any(series.is_likely for series in plan.series))
        self.volume_check.setText(_volume_words([len(s.items) for s in plan.series]))
        self.images_button.setVisible(annotated)
        self.use_button.setText("Use them" if annotated else "Import images")
        self.use_button.setToolTip(
            "Import images and masks" if annotated else "Import the images without masks"
        )
        focus = QApplication.focusWidget()
        if focus is not None and not self.isAncestorOf(focus):
            self._before = focus
        self.show()
        self.use_button.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_pairs(self) -> None:
        """Open the table of pairs beside the window."""
        from orgseg_app.gui.panels.pairs_dialog import PairsDialog

        if self.plan is None:
            return
        if self.dialog is None or not isValid(self.dialog):
            self.dialog = PairsDialog(self.plan, self.window())
            self.dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.dialog.show()
        self.dialog.activateWindow()

    def _allow_classes(self, allowed: bool) -> None:
        model = self.meaning.model()
        if isinstance(model, QStandardItemModel):
            item = model.item(self.meaning.findData(CLASSES))
            item.setEnabled(allowed)
            item.setToolTip("" if allowed else f"There is room for {MAX_CLASSES} classes")

    def _show_names(self) -> None:
        assert self.plan is not None
        meaning = str(self.meaning.currentData())
        several = meaning == CLASSES and len(_values(self.plan)) != 1
        text = self._typed.get(meaning)
        self.names.setText(", ".join(self._suggested(meaning)) if text is None else text)
        self.names.setCursorPosition(0)
        self.names_label.setText("Classes" if several else "Class")
        name = "Names of the classes" if several else "Name of the class"
        self.names.setAccessibleName(name)
        hint = f"{name}, in order of their numbers, with commas between" if several else name
        self.names.setToolTip(hint)

    def _suggested(self, meaning: str) -> list[str]:
        assert self.plan is not None
        own = {c.class_id: c.name for c in self.session.classes if c.class_id != BACKGROUND}
        if meaning != CLASSES:
            known = (*self.plan.class_names[:1], *own.values(), DEFAULT_NAME)
            return [known[0]]
        from orgseg_app.files.annotations.source import default_class_ids

        values = _values(self.plan)
        ids = default_class_ids(tuple(values))
        names = dict(zip(values, self.plan.class_names, strict=False))
        plain = not values or values[-1] <= len(values) or values[-1] <= MAX_CLASSES
        return [
            names.get(value) or own.get(ids[value]) or f"class {value if plain else rank}"
            for rank, value in enumerate(values, 1)
        ]

    # -- the person ------------------------------------------------------------------------------

    def _on_meaning_changed(self) -> None:
        if self.plan is not None:
            self._show_names()

    def _on_names_edited(self, text: str) -> None:
        self._typed[str(self.meaning.currentData())] = text

    def class_names(self) -> tuple[str, ...]:
        """The names as they stand in the field; an empty one at its place is suggested anew."""
        meaning = str(self.meaning.currentData())
        suggested = self._suggested(meaning)
        if meaning != CLASSES:
            return (" ".join(self.names.text().split()) or suggested[0],)
        given = [" ".join(part.split()) for part in self.names.text().split(",")]
        given += [""] * (len(suggested) - len(given))
        return tuple(a or b for a, b in zip(given, suggested, strict=False))

    def _on_use(self) -> None:
        from orgseg_app.files.importing import AUTO, ImportChoice

        if self.plan is None:
            return
        if not any(item.annotation for item in self.plan.items):
            self._on_images_only()
            return
        meaning = str(self.meaning.currentData())
        choice = ImportChoice(
            use_annotations=True,
            meaning=AUTO if meaning == self.plan.meaning else meaning,
            class_names=self.class_names(),
            link=self.link_check.isChecked(),
            boxes=str(self.boxes.currentData()),
        )
        self._finish(choice)

    def _on_images_only(self) -> None:
        from orgseg_app.files.importing import ImportChoice

        self._finish(ImportChoice(use_annotations=False, link=self.link_check.isChecked()))

    def _finish(self, choice: object) -> None:
        from orgseg_app.files.annotations.series import as_volumes

        plan = self.plan
        if plan is not None and plan.series and self.volume_check.isChecked():
            plan = as_volumes(plan)
        self._leave()
        if plan is not None:
            self.accepted.emit(plan, choice)

    def cancel(self) -> None:
        """Import nothing."""
        if self.plan is not None:
            self._leave()
            self.cancelled.emit()

    def _leave(self) -> None:
        """Hide, and give the keyboard back to who had it."""
        self.plan = None
        self._close_dialog()
        before, self._before = self._before, None
        if before is not None and isValid(before) and before.isVisible():
            before.setFocus(Qt.FocusReason.OtherFocusReason)
        self.hide()

    def _close_dialog(self) -> None:
        if self.dialog is not None and isValid(self.dialog):
            self.dialog.close()
        self.dialog = None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc cancels, Enter on a button presses it."""
        if event.key() == Qt.Key.Key_Escape:
            self.cancel()
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.use_button.hasFocus():
            self._on_use()
            return
        super().keyPressEvent(event)


def _sentence(plan: ImportPlan, *, annotated: bool) -> str:
    found = plan.summary().rstrip(".")
    return f"{found}. Use the masks?" if annotated else f"{found}. Import the images?"


def _volume_words(planes: list[int]) -> str:
    """What the check says: how many volumes, of how many planes."""
    if len(planes) == 1:
        return f"They are the {planes[0]:,} planes of one volume"
    listed = ", ".join(f"{n:,}" for n in planes[:_LISTED]) + (" …" if len(planes) > _LISTED else "")
    return f"They are {len(planes)} volumes ({listed} planes)"


def _values(plan: ImportPlan) -> list[int]:
    return sorted(value for value in plan.class_values if value > 0)
