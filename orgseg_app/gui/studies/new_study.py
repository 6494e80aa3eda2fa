"""“New study…”: a question, a recipe, what is varied; what that takes, said before it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from msgspec import structs
from PySide6.QtCore import QSignalBlocker, QTimer, Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.help.context import HelpedTitle, set_help
from orgseg_app.gui.panels.preset_cards import preset_title
from orgseg_app.gui.session import Session
from orgseg_app.gui.studies.axis_editor import AxisEditor
from orgseg_app.gui.studies.ready_made import ReadyMade
from orgseg_app.gui.studies.studies_model import StudiesModel
from orgseg_app.gui.studies.study_draft import (
    FOLDS,
    SCORES,
    SEEDS,
    AxisDraft,
    Review,
    StudyDraft,
    free_name,
    new_axis,
    review,
    write_study,
)
from orgseg_app.gui.studies.study_review import StudyReview
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.dialogs import FittingDialog
from orgseg_app.gui.style.fields import CalmComboBox, show_choice
from orgseg_app.gui.style.widgets import (
    EDGE,
    GAP,
    Caption,
    ScrollColumn,
    SecondaryButton,
    SectionTitle,
    Separator,
    label,
)
from orgseg_app.runs.errors import RecipeError, RunError
from orgseg_app.runs.recipes.fields import GROUPS
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.schema import Recipe
from orgseg_app.runs.recipes.wording import describe
from orgseg_app.runs.studies.axis_offers import MAIN_FIELDS, axis_fields
from orgseg_app.runs.studies.definition import Study, load_study

REVIEW_DELAY_MS = 250
AS_IN_FORM, AS_IN_STUDY = "\tform", "\tstudy"
FILTER = "Studies (*.toml)"


class NewStudyDialog(FittingDialog):
    """Makes a study; the window goes on beside it.

    Parameters
    ----------
    session : Session
    studies : StudiesModel
        Is asked to start what is made.
    form_recipe : callable
        The recipe that the Train workspace shows; raises RecipeError where it cannot be used.
    parent : QWidget, optional

    Signals
    -------
    started()
        A study was asked for, and the dialog has closed.
    """

    started = Signal()

    def __init__(
        self,
        session: Session,
        studies: StudiesModel,
        form_recipe: Callable[[], Recipe],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.session, self.studies = session, studies
        self._form_recipe = form_recipe
        self._file_recipe: Recipe | None = None
        self._asked = 0
        self.editors: list[AxisEditor] = []
        self.draft = StudyDraft(name=self._free("Study"), recipe=self._first_recipe())
        self.setWindowTitle("New study")
        set_help(self, "studies#new")
        self.resize(1060, 680)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REVIEW_DELAY_MS)
        self._timer.timeout.connect(self._review)
        self._build()
        session.project_changed.connect(self.reject)
        for signal in (session.images_changed, session.classes_changed):
            signal.connect(self._review_soon)
        # Bound methods: Qt lets go of them with the dialog, as it does not of lambdas.
        session.mask_changed.connect(self._on_mask_changed)
        studies.preparing_changed.connect(self._show_blocked)
        self.show_draft(self.draft)
        self.name.setFocus()

    def _first_recipe(self) -> Recipe:
        """What the form says; the first preset where that cannot be used."""
        try:
            return self._form_recipe()
        except RecipeError:
            return next(iter(PRESETS.values()))

    # -- building ----------------------------------------------------------------------------------

    def _build(self) -> None:
        self.review = StudyReview(self)
        self.review.start_requested.connect(self._on_start)
        self.review.close_requested.connect(self.reject)
        theme.hold(self.review, width=248)
        row = QHBoxLayout(self)
        row.setContentsMargins(EDGE, EDGE, EDGE, EDGE)
        row.setSpacing(EDGE)
        self.ready_made = ReadyMade(self)
        self.ready_made.study_chosen.connect(self.open_study)
        self.ready_made.open_button.clicked.connect(self._on_open)
        self.ready_made.save_button.clicked.connect(self._on_save)
        row.addWidget(self.ready_made)
        row.addWidget(Separator(vertical=True))
        row.addWidget(ScrollColumn(self._build_page()), 1)
        row.addWidget(Separator(vertical=True))
        row.addWidget(self.review)

    def _build_page(self) -> QWidget:
        page = QWidget(self)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, GAP, 0)
        column.setSpacing(GAP)
        column.addWidget(HelpedTitle("Study", "studies"))
        column.addLayout(self._build_fields())
        column.addSpacing(GAP)
        column.addWidget(SectionTitle("What is compared"))
        self.hint = Caption("Every checked value is tried with every other: all combinations.")
        column.addWidget(self.hint)
        self._axes = QVBoxLayout()
        self._axes.setSpacing(12)
        column.addLayout(self._axes)
        self.add_button = SecondaryButton("Add axis", "plus")
        self.add_button.setToolTip("Another setting of the recipe to try several values of")
        self.menu = QMenu(self)
        self.menu.aboutToShow.connect(self._fill_menu)
        self.add_button.setMenu(self.menu)
        row = QHBoxLayout()
        row.addWidget(self.add_button)
        row.addStretch(1)
        column.addLayout(row)
        column.addSpacing(GAP)
        column.addWidget(SectionTitle("Repeats"))
        column.addLayout(self._build_repeats())
        column.addStretch(1)
        return page

    def _build_fields(self) -> QGridLayout:
        self.name = QLineEdit(maxLength=60)
        self.name.setAccessibleName("Name of the study")
        self.name.textEdited.connect(lambda text: self._change(name=text))
        self.question = QLineEdit(maxLength=500, placeholderText="Which loss suits my images?")
        self.question.setAccessibleName("Question that it answers")
        self.question.textEdited.connect(lambda text: self._change(question=text))
        self.recipe_box = CalmComboBox("Recipe that all runs share")
        self.recipe_box.currentIndexChanged.connect(self._on_recipe)
        self.about = Caption()
        grid = _grid()
        for row, (text, widget) in enumerate(
            (("Name", self.name), ("Question", self.question), ("Recipe", self.recipe_box))
        ):
            _add_row(grid, row, text, widget)
        grid.addWidget(self.about, 3, 1)
        return grid

    def _build_repeats(self) -> QGridLayout:
        self.seeds_box = CalmComboBox("Seeds")
        self.seeds_box.setToolTip("Each combination so often, begun with other random weights")
        self.folds_box = CalmComboBox("Folds")
        self.folds_box.setToolTip("Parts that are held out in turn, in place of the splits")
        self.score_box = CalmComboBox("Ranked by")
        self.score_box.setToolTip("On the validation images; the test images wait until the end")
        boxes = (self.recipe_box, self.seeds_box, self.folds_box, self.score_box)
        for each in boxes:
            each.view().setAccessibleName(each.accessibleName())
        for count in SEEDS:
            self._offer_seeds(count)
        for count in FOLDS:
            self._offer_folds(count)
        for score, title in SCORES.items():
            self.score_box.addItem(title, score)
        for box, name in (
            (self.seeds_box, "seeds"),
            (self.folds_box, "folds"),
            (self.score_box, "score"),
        ):
            box.currentIndexChanged.connect(
                lambda _, b=box, n=name: self._change(**{n: b.currentData()})
            )
        grid = _grid()
        for row, (text, widget) in enumerate(
            (("Seeds", self.seeds_box), ("Folds", self.folds_box), ("Ranked by", self.score_box))
        ):
            _add_row(grid, row, text, widget)
        return grid

    def _offer_seeds(self, count: int) -> None:
        if self.seeds_box.findData(count) < 0:
            text = "1: quick, but luck cannot be told from skill" if count == 1 else f"{count}"
            self.seeds_box.addItem(text, count)

    def _offer_folds(self, count: int) -> None:
        if self.folds_box.findData(count) < 0:
            text = "None: the project's own splits" if not count else f"{count}"
            self.folds_box.addItem(text, count)

    # -- showing -----------------------------------------------------------------------------------

    def open_study(self, study: Study) -> None:
        """Show a study, to start it as it is or change it first."""
        self._file_recipe = study.recipe
        draft = StudyDraft.of(structs.replace(study, name=self._free(study.name)))
        self.show_draft(draft)

    def show_draft(self, draft: StudyDraft) -> None:
        """Show a draft in all fields."""
        self.draft = draft
        self.name.setText(draft.name)
        self.question.setText(draft.question)
        self.question.setCursorPosition(0)
        self._fill_recipes()
        for box, offer, value in (
            (self.seeds_box, self._offer_seeds, draft.seeds),
            (self.folds_box, self._offer_folds, draft.folds),
        ):
            with QSignalBlocker(box):
                offer(value)
            show_choice(box, value)
        show_choice(self.score_box, draft.score)
        for editor in self.editors:
            self._axes.removeWidget(editor)
            editor.hide()
            editor.deleteLater()
        self.editors = []
        for axis in draft.axes:
            self._add_editor(axis)
        self._show_about()
        self._show_axes()
        self._review_soon()

    def _fill_recipes(self) -> None:
        """Presets, the recipe in the form, and that of a study from a file."""
        box, recipe = self.recipe_box, self.draft.recipe
        chosen = box.currentData()
        with QSignalBlocker(box):
            box.clear()
            if self._file_recipe is not None and self._file_recipe not in PRESETS.values():
                title = preset_title(self._file_recipe.name)
                box.addItem(f"{title}, changed for this study", AS_IN_STUDY)
            box.addItem("As the form in Train says", AS_IN_FORM)
            for name in PRESETS:
                box.addItem(preset_title(name), name)
            by_name = recipe.name if PRESETS.get(recipe.name) == recipe else ""
            if not by_name:
                by_name = AS_IN_STUDY if recipe == self._file_recipe else str(chosen or AS_IN_FORM)
        show_choice(box, by_name)

    def _show_about(self) -> None:
        self.about.setText(describe(self.draft.recipe))

    def _add_editor(self, axis: AxisDraft) -> AxisEditor:
        editor = AxisEditor(axis, self)
        editor.changed.connect(lambda draft, e=editor: self._on_axis(e, draft))
        editor.removed.connect(lambda e=editor: self._on_removed(e))
        self.editors.append(editor)
        self._axes.addWidget(editor)
        return editor

    def _show_axes(self) -> None:
        self.add_button.setEnabled(bool(self.draft.free_fields))

    def _fill_menu(self) -> None:
        """What is no axis yet: the main ones, then the others by group."""
        self.menu.clear()
        infos, free = axis_fields(), self.draft.free_fields
        for path in [path for path in MAIN_FIELDS if path in free]:
            self.menu.addAction(infos[path].title, lambda p=path: self.add_axis(p))
        self.menu.addSeparator()
        for group in GROUPS:
            paths = [p for p in free if infos[p].group == group and p not in MAIN_FIELDS]
            if paths:
                sub = self.menu.addMenu(group)
                for path in paths:
                    sub.addAction(infos[path].title, lambda p=path: self.add_axis(p))

    # -- the person --------------------------------------------------------------------------------

    def add_axis(self, path: str) -> None:
        """Try several values of a field."""
        axis = new_axis(path, self.draft.recipe)
        editor = self._add_editor(axis)
        self._change(axes=(*self.draft.axes, axis))
        if editor.boxes:
            editor.boxes[0].setFocus()

    def _on_axis(self, editor: AxisEditor, draft: AxisDraft) -> None:
        axes = list(self.draft.axes)
        axes[self.editors.index(editor)] = draft
        self._change(axes=tuple(axes))

    def _on_removed(self, editor: AxisEditor) -> None:
        place = self.editors.index(editor)
        self.editors.remove(editor)
        self._axes.removeWidget(editor)
        editor.hide()
        editor.deleteLater()
        axes = self.draft.axes
        self._change(axes=(*axes[:place], *axes[place + 1 :]))
        self.add_button.setFocus()

    def _on_recipe(self) -> None:
        wanted = self.recipe_box.currentData()
        try:
            if wanted == AS_IN_FORM:
                recipe = self._form_recipe()
            elif wanted == AS_IN_STUDY and self._file_recipe is not None:
                recipe = self._file_recipe
            else:
                recipe = PRESETS[wanted]
        except RecipeError as error:
            self.session.report_error(error)
            self._fill_recipes()
            return
        self._change(recipe=recipe)
        self._show_about()

    def _change(self, **fields: Any) -> None:
        self.draft = replace(self.draft, **fields)
        self._show_axes()
        self._review_soon()

    def _on_open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open study", "", FILTER)
        if name:
            try:
                self.open_study(load_study(Path(name)))
            except RunError as error:
                self.session.report_error(error)

    def _on_save(self) -> None:
        try:
            study = self.draft.to_study()
        except RunError as error:
            self.review.show_review(Review(str(error)), self.draft.formula, is_waiting=False)
            return
        wanted = f"{study.name}.toml".replace("/", "-")
        name, _ = QFileDialog.getSaveFileName(self, "Save study", wanted, FILTER)
        if name:
            self.save(Path(name).with_suffix(".toml"), study)

    def save(self, path: Path, study: Study) -> None:
        """Write the study; a refusal is said."""
        try:
            write_study(path, study)
        except RunError as error:
            self.session.report_error(error)
            return
        self.session.message.emit(f"The study is saved as {path.name}.", "info")

    def _on_start(self) -> None:
        try:
            study = self.draft.to_study()
        except RunError as error:
            self.session.report_error(error)
            return
        self.studies.start(study)
        self.accept()
        self.started.emit()

    # -- what it takes -----------------------------------------------------------------------------

    def _review_soon(self) -> None:
        self._asked += 1  # an answer under way is of another draft
        self.review.show_review(self.review.review, self.draft.formula, is_waiting=True)
        self._timer.start()

    def _on_mask_changed(self, image_id: str, box: object) -> None:
        self._review_soon()

    def _review(self) -> None:
        asked, draft, file = self._asked, self.draft, self.session.file
        self._show_blocked()
        # A bound method: Qt drops the answer when the dialog is gone before it comes.
        self.session.background.start(
            "Counting the runs of the study",
            lambda task: (asked, review(draft, file)),
            self._on_reviewed,
            self._on_review_failed,
        )

    def _on_reviewed(self, answer: tuple[int, Review]) -> None:
        asked, found = answer
        if asked == self._asked:
            self.review.show_review(found, self.draft.formula, is_waiting=False)

    def _on_review_failed(self, error: Exception) -> None:
        self.review.show_review(Review(str(error)), self.draft.formula, is_waiting=False)

    def _show_blocked(self, is_preparing: bool = False) -> None:
        reason = ""
        if self.session.is_read_only:
            reason = "The project is open for looking only; a study cannot be started from here."
        elif is_preparing or self.studies.is_preparing:
            reason = "Another study is being prepared."
        self.review.block(reason)

    def _free(self, name: str) -> str:
        return free_name(name, [study.name for study in self.studies.all()])


def _grid() -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(GAP)
    grid.setVerticalSpacing(GAP)
    grid.setColumnMinimumWidth(0, 72)
    grid.setColumnStretch(1, 1)
    return grid


def _add_row(grid: QGridLayout, row: int, text: str, widget: QWidget) -> None:
    words = label(text)
    words.setBuddy(widget)
    grid.addWidget(words, row, 0)
    grid.addWidget(widget, row, 1)
