"""The training panel: which recipe, on what, how long; and one button.

Presets come first, the fields most people want next, the rest is folded. What is painted is counted
in the background and said in words, and whatever stands in the way of a training is said before
the button is pressed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from orgseg_app.gui.help.context import HelpedTitle, set_help
from orgseg_app.gui.help.meaning import explain
from orgseg_app.gui.help.training_numbers import TRAINING_NUMBERS
from orgseg_app.gui.panels.preset_cards import PresetCards, preset_order
from orgseg_app.gui.panels.recipe_files import RecipeFiles
from orgseg_app.gui.panels.recipe_form import RecipeForm
from orgseg_app.gui.panels.training_start import TrainingStart
from orgseg_app.gui.runs.data_summary import DataSummary, Painted, describe_data
from orgseg_app.gui.runs.estimate import TooLarge, estimate, memory_of_computer, too_large
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.runs.starting import estimate_text
from orgseg_app.gui.session import Session
from orgseg_app.gui.style.widgets import (
    GAP,
    GROUP,
    Caption,
    IconPicture,
    PrimaryButton,
    ScrollColumn,
    SecondaryButton,
    Separator,
    label,
    set_tone,
    surface,
)
from orgseg_app.runs.errors import RecipeError, RunError
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.schema import Recipe

if TYPE_CHECKING:
    from orgseg_app.gui.panels.recipe_examples import ExamplesDialog

COUNT_DELAY_MS = 250


class TrainingPanel(QWidget):
    """Recipe, data summary, estimate, and the Train button.

    Signals
    -------
    train_requested(Recipe, name, Start)
        Connect it to `RunsModel.train`.
    study_requested()
        A whole grid of recipes.
    """

    train_requested = Signal(object, str, object)
    study_requested = Signal()

    def __init__(self, session: Session, runs: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session, self.runs = session, runs
        self._painted: Painted = {}
        self._uncounted: set[str] | None = None
        self._is_counting = False
        self._name_is_mine = True
        self._preset = ""
        self._too_large: TooLarge | None = None
        self.examples: ExamplesDialog | None = None
        surface(self)
        self.setAccessibleName("Training")
        set_help(self, "training")
        self._count_timer = QTimer(self)
        self._count_timer.setSingleShot(True)
        self._count_timer.setInterval(COUNT_DELAY_MS)
        self._count_timer.timeout.connect(self._count)
        self._build()
        session.project_changed.connect(self._on_project_changed)
        session.images_changed.connect(self._on_images_changed)
        session.classes_changed.connect(self._on_classes_changed)
        session.mask_changed.connect(self._on_mask_changed)
        runs.runs_changed.connect(self._on_runs_changed)
        runs.run_ended.connect(self._on_runs_changed)
        runs.preparing_changed.connect(self._show_button)
        self.use_preset(next(iter(PRESETS)))
        self._on_project_changed()

    # -- asked from outside ------------------------------------------------------------------------

    def use_preset(self, name: str) -> None:
        """Start from a preset."""
        self._preset = name
        self.cards.select(name)
        self.form.set_recipe(PRESETS[name])
        self._suggest_name()
        self._show_estimate()
        self._show_button()

    def use_recipe(self, recipe: Recipe) -> None:
        """Start from the recipe of another run."""
        preset = PRESETS.get(recipe.name)
        self._preset = recipe.name if preset is not None else ""
        self.cards.select(self._preset)
        self.form.set_recipe(recipe, start=preset)
        self._suggest_name(recipe.name)
        self._show_estimate()
        self._show_button()

    def train_further(self, run_id: str) -> None:
        """Set everything for a run that begins with the best state of another, as its recipe."""
        entry = self.runs.get(run_id)
        if entry is None or entry.recipe is None:
            return
        self.use_recipe(entry.recipe)
        self.start.choose_run(run_id)
        # Once it has been laid out anew.
        QTimer.singleShot(0, self, lambda: self._scroll.ensureWidgetVisible(self.start, 0, GAP))
        self.start.source.setFocus()

    def show_examples(self) -> None:
        """Open the sheet of augmented patches, or bring it to the front."""
        from orgseg_app.gui.panels.recipe_examples import ExamplesDialog

        if self.examples is None:
            self.examples = ExamplesDialog(self.session, self.form, self.window())
        self.examples.show()
        self.examples.raise_()

    def request_training(self) -> None:
        """As if the button were pressed; nothing while something stands in the way."""
        if self.button.isEnabled():
            self._on_train()

    # -- building ----------------------------------------------------------------------------------

    def _build(self) -> None:
        self.cards = PresetCards(self)
        set_help(self.cards, "recipes#presets")
        self.cards.chosen.connect(self.use_preset)
        self.form = RecipeForm(self)
        self.form.changed.connect(self._on_form_changed)
        self.form.examples_requested.connect(self.show_examples)
        self.files = RecipeFiles(self)
        self.form.more.clicked.connect(self.files.show_menu)
        page = QWidget(self)
        column = QVBoxLayout(page)
        column.setContentsMargins(GROUP, GROUP, GROUP, GROUP)
        column.setSpacing(GAP)
        column.addWidget(HelpedTitle("Recipe", "training"))
        column.addWidget(self.cards)
        column.addSpacing(GAP)
        column.addWidget(self.form)
        self.start = TrainingStart(self.session, self.runs, self)
        self.start.changed.connect(self._show_data)
        self.start.recipe_requested.connect(self.use_recipe)
        column.addWidget(self.start)
        column.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        self._scroll = ScrollColumn(page, self)
        outer.addWidget(self._scroll, 1)
        outer.addWidget(Separator())
        outer.addWidget(self._build_foot())

    def _build_foot(self) -> QWidget:
        foot = QWidget(self)
        set_help(foot, "training#data")
        column = QVBoxLayout(foot)
        column.setContentsMargins(GROUP, 12, GROUP, GROUP)
        column.setSpacing(4)
        self.data = label(wrap=True)
        self.data.setAccessibleName("Data to learn from")
        self.shares = Caption()
        self.shares.setAccessibleName("Share of each class")
        self.problem_icon = IconPicture("warning", 16, "warning")
        self.problem = label(wrap=True, tone="warning")
        self.problem.setAccessibleName("Problem")
        problem_row = QHBoxLayout()
        problem_row.setContentsMargins(0, 4, 0, 0)
        problem_row.setSpacing(GAP)
        problem_row.addWidget(self.problem_icon)
        problem_row.setAlignment(self.problem_icon, Qt.AlignmentFlag.AlignTop)
        problem_row.addWidget(self.problem, 1)
        self.estimate = Caption()
        self.estimate.setAccessibleName("Estimate")
        self.memory = label(wrap=True, tone="warning")
        self.memory.setAccessibleName("Memory")
        self.fit_button = SecondaryButton("Make it fit", quiet=True)
        self.fit_button.clicked.connect(self._on_fit)
        self.memory_row = QWidget(foot)
        memory_words = QVBoxLayout()
        memory_words.setSpacing(0)
        memory_words.addWidget(self.memory)
        memory_words.addWidget(self.fit_button, 0, Qt.AlignmentFlag.AlignLeft)
        memory_row = QHBoxLayout(self.memory_row)
        memory_row.setContentsMargins(0, 4, 0, 0)
        memory_row.setSpacing(GAP)
        memory_row.addWidget(IconPicture("warning", 16, "warning"), 0, Qt.AlignmentFlag.AlignTop)
        memory_row.addLayout(memory_words, 1)
        self.memory_row.hide()
        self.name = QLineEdit()
        self.name.setMaxLength(80)
        self.name.setAccessibleName("Name of the run")
        self.name.setToolTip("Name of the run")
        self.name.textEdited.connect(self._on_name_edited)
        self.name.returnPressed.connect(self.request_training)
        name_row = QHBoxLayout()
        name_row.setSpacing(GAP)
        name_label = label("Name")
        name_label.setBuddy(self.name)
        name_row.addWidget(name_label)
        name_row.addWidget(self.name, 1)
        self.button = PrimaryButton("Train", "play")
        self.button.clicked.connect(self._on_train)
        for item in (self.data, self.shares):
            column.addWidget(item)
        column.addLayout(problem_row)
        column.addWidget(self.estimate)
        column.addWidget(self.memory_row)
        column.addSpacing(4)
        column.addLayout(name_row)
        column.addSpacing(4)
        explain(self.data, TRAINING_NUMBERS["data"])
        explain(self.shares, TRAINING_NUMBERS["data"])
        explain(self.estimate, TRAINING_NUMBERS["estimate"])
        explain(self.memory, TRAINING_NUMBERS["memory"])
        self.study_button = SecondaryButton("Study…")
        self.study_button.clicked.connect(self.study_requested)
        buttons = QHBoxLayout()
        buttons.setSpacing(GAP)
        buttons.addWidget(self.button, 1)
        buttons.addWidget(self.study_button)
        column.addLayout(buttons)
        return foot

    # -- what is painted ---------------------------------------------------------------------------

    def _on_project_changed(self) -> None:
        self._painted.clear()
        self._uncounted = None
        self._name_is_mine = True
        self._on_classes_changed()
        if not self.form.changed_paths:
            self.use_preset(preset_order(len(self.session.classes) - 1)[0])
        self._count_soon()

    def _on_images_changed(self) -> None:
        project = self.session.project
        known = set(project.images) if project else set()
        self._painted = {i: counts for i, counts in self._painted.items() if i in known}
        self._uncounted = None
        self._count_soon()

    def _on_classes_changed(self) -> None:
        self.cards.set_order(preset_order(len(self.session.classes) - 1))
        self.form.set_classes([(item.name, item.colour) for item in self.session.classes])
        self._show_data()

    def _on_mask_changed(self, image_id: str, box: object) -> None:
        if self._uncounted is not None:
            self._uncounted.add(image_id)
        self._count_soon()

    def _count_soon(self) -> None:
        if self.isVisible():
            self._count_timer.start()

    def showEvent(self, event: QShowEvent) -> None:
        """What was painted while the panel was away is counted now."""
        super().showEvent(event)
        self._count()

    def _count(self) -> None:
        file = self.session.file
        if file is None:
            self._painted.clear()
            self._show_data()
            return
        if self._is_counting:
            self._count_timer.start()
            return
        images = list(file.project.images)
        wanted = set(images) if self._uncounted is None else self._uncounted & set(images)
        self._uncounted = set()
        here = self.session.image_id
        if here in wanted:  # it may change under the hand: counted here, block by block
            self._take_counts({here: file.counts(here)})
            wanted.discard(here)
        if not wanted:
            self._show_data()
            return
        self._is_counting = True

        def work(task: Any) -> tuple[object, Painted]:
            known = (i for i in wanted if i in file.project.images)
            return file, {image_id: file.counts(image_id) for image_id in known}

        self.session.background.start("Counting paint", work, self._on_counted, self._on_uncounted)

    def _on_counted(self, answer: tuple[object, Painted]) -> None:
        self._is_counting = False
        if self.session.file is answer[0]:
            self._take_counts(answer[1])
            self._show_data()

    def _on_uncounted(self, error: Exception) -> None:
        self._is_counting = False
        if self.session.file is not None:
            self.session.report_error(error)

    def _take_counts(self, found: Painted) -> None:
        for image_id, counts in found.items():
            if counts:
                self._painted[image_id] = counts
            else:
                self._painted.pop(image_id, None)

    def summary(self) -> DataSummary:
        """What there is to learn from, as far as it has been counted."""
        from orgseg_app.runs.training import check_training

        file = self.session.file
        if file is None:
            return DataSummary("No project is open", problem="Open a project first.")
        order = {i: self._painted[i] for i in file.project.images if i in self._painted}
        text, classes = describe_data(file.project, order)
        try:
            usual = check_training(file, order)
        except RunError as error:
            return DataSummary(text, classes, str(error))
        problem, warnings = self.start.check(order)
        return DataSummary(text, classes, problem, tuple(usual if warnings is None else warnings))

    # -- showing -----------------------------------------------------------------------------------

    def _show_data(self) -> None:
        summary = self.summary()
        self.data.setText(summary.text)
        self.shares.setText(summary.classes)
        self.shares.setVisible(bool(summary.classes))
        text = summary.problem or " ".join(summary.warnings)
        self.problem.setText(text)
        self.problem.setVisible(bool(text))
        self.problem_icon.setVisible(bool(text))
        self.problem_icon.set_icon(
            "warning" if summary.problem else "info", "warning" if summary.problem else "secondary"
        )
        set_tone(self.problem, "warning" if summary.problem else "secondary")
        self._show_estimate()
        self._show_button()

    def _show_estimate(self) -> None:
        try:
            recipe = self.form.recipe()
            self.start.follow(recipe)
            recipe = self.start.recipe(recipe)
        except RecipeError:
            self.estimate.setText("")
            self.memory_row.hide()
            return
        sizes = {"channels": self._channels(), "classes": len(self.session.classes) or 2}
        found = estimate(recipe, self.runs.trainings(), **sizes)
        asked = self.start.value()
        text = estimate_text(found, asked.folds or asked.seeds)
        self.estimate.setText(text if self._painted else "")
        self.estimate.setVisible(bool(self._painted))
        free, total = memory_of_computer()
        self._too_large = too_large(recipe, free, total, **sizes) if self._painted else None
        self.memory.setText(self._too_large.text if self._too_large else "")
        self.memory_row.setVisible(self._too_large is not None)
        self.fit_button.setVisible(self._too_large is not None and bool(self._too_large.changes))

    def _channels(self) -> int:
        """Of the image at hand, as networks see it."""
        image = self.session.image
        return image.shape[0] if image is not None else 1

    def _on_fit(self) -> None:
        if self._too_large is not None:
            self.form.change(self._too_large.changes)

    def _show_button(self) -> None:
        problem = self.summary().problem or self.form.error
        preparing = self.runs.is_preparing
        self.button.setEnabled(not problem and not preparing and not self.session.is_read_only)
        waits = any(entry.state != "paused" for entry in self.runs.active())
        text = "Train"
        if preparing:
            text = "Setting the images aside…"
        elif folds := self.start.value().folds:
            text = f"Train {folds} folds"
        elif seeds := self.start.value().seeds:
            text = f"Train {seeds} seeds"
        elif waits:
            text = "Train after the current run"
        self.button.setText(text)
        tip = "Waits until the run before it is over" if waits else "Start learning"
        self.button.setToolTip(problem or tip)

    # -- the person --------------------------------------------------------------------------------

    def _on_form_changed(self) -> None:
        self._suggest_name()
        self._show_estimate()
        self._show_button()

    def _on_runs_changed(self) -> None:
        self._suggest_name()
        self._show_estimate()
        self._show_button()

    def _on_name_edited(self, text: str) -> None:
        self._name_is_mine = not text.strip()

    def _suggest_name(self, base: str = "") -> None:
        """A name that is free and says what is special, until a person writes one."""
        if not self._name_is_mine:
            return
        base = base or self._preset or "run"
        changed = [path for path in self.form.changed_paths if path in _SHORT]
        if changed:
            base = f"{base} {_short_value(changed[0], self.form)}"
        self.name.setText(self.runs.free_name(base[:72]))

    def _on_train(self) -> None:
        try:
            recipe = self.form.recipe()
        except RecipeError as error:
            self.session.report_error(error)
            return
        name = " ".join(self.name.text().split()) or self.runs.free_name(recipe.name)
        self._name_is_mine = True
        self.train_requested.emit(recipe, name, self.start.value())
        self._suggest_name()


_SHORT = {
    "network.name": "",
    "network.width": "width",
    "network.depth": "depth",
    "loss": "",
    "preprocess": "",
    "seed": "seed",
    "learning_rate": "rate",
    "augmentation": "",
    "steps": "steps",
    "patch_size": "patch",
    "batch_size": "batch",
}
"""Fields worth naming a run after, and the word before their value."""


def _short_value(path: str, form: RecipeForm) -> str:
    value: Any = form.value(path)
    if path == "augmentation" and not value:
        return "unaugmented"
    if isinstance(value, list):
        value = "+".join(part["name"] for part in value).replace("_", " ")
        value = value if len(value) <= 32 else path
    if isinstance(value, float):
        value = f"{value:g}"
    return f"{_SHORT[path]} {value}".strip()
