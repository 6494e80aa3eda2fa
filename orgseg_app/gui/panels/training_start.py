"""Start and split: a fresh network or a model to train further, folds, blocks of one image.

One folded section of the training panel. What each choice will do is said in sentences below it,
before the button is pressed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.runs.starting import (
    FOLDS,
    MODEL_SUFFIXES,
    SEEDS,
    Start,
    StartModel,
    folds_words,
    judged_names,
    read_start,
    seeds_words,
    start_words,
    with_network,
)
from orgseg_app.gui.session import Session
from orgseg_app.gui.style.fields import CalmComboBox, Segments, show_choice
from orgseg_app.gui.style.widgets import (
    GAP,
    Caption,
    IconButton,
    SecondaryButton,
    Section,
    label,
    plain_tip,
    set_tone,
)
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.schema import Recipe

TITLE = "Start and split"
BLOCKS_WORDS = (
    "Bands of the one painted image learn, choose the best state and judge it, as far apart as the "
    "network sees. It is an honest score for this image; other images may turn out worse. Where "
    "the image is too small for that, there is no test score."
)


class TrainingStart(Section):
    """How the next training begins and what it holds out.

    Signals
    -------
    changed()
        Something else is chosen, or more is known of it.
    recipe_requested(Recipe)
        That of the model that is chosen.
    """

    changed = Signal()
    recipe_requested = Signal(object)

    def __init__(self, session: Session, runs: RunsModel, parent: QWidget | None = None) -> None:
        page = QWidget()
        super().__init__(TITLE, page, expanded=False, parent=parent)
        set_help(self, "training#start")
        self.session, self.runs = session, runs
        self.problem = ""
        self._model: StartModel | None = None
        self._trouble = ""
        self._asked = 0
        self._path: Path | None = None
        self._recipe: Recipe | None = None
        self._painted: Mapping[str, dict[int, int]] = {}
        self._build(page)
        runs.runs_changed.connect(self._reload)
        runs.run_ended.connect(self._reload)
        session.project_changed.connect(self._on_project_changed)
        self._reload()

    def _build(self, page: QWidget) -> None:
        self.source = CalmComboBox("Start from")
        self.source.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.source.setMinimumContentsLength(8)
        self.source.currentIndexChanged.connect(self._on_source)
        self.open_button = IconButton("folder", "Start from a model file…")
        self.open_button.clicked.connect(self.ask_for_file)
        self.words = Caption()
        self.words.setAccessibleName("What the start means")
        self.take_button = SecondaryButton("Take its recipe", quiet=True)
        self.take_button.setToolTip("Set every field above as in the model's recipe")
        self.take_button.clicked.connect(self._on_take)
        self.folds = Segments("Cross-validation", [(str(n), str(n or "Off")) for n in FOLDS])
        for count in FOLDS:
            tip = f"{count} runs, each with another part held out" if count else "One run"
            self.folds.button(str(count)).setToolTip(tip)
        self.folds.chosen.connect(self._on_folds)
        self.folds_words = Caption()
        self.folds_words.setAccessibleName("What the folds mean")
        self.seeds = Segments("Several seeds", [(str(n), str(n or "Off")) for n in SEEDS])
        for count in SEEDS:
            tip = f"{count} runs, each begun with other random weights" if count else "One run"
            self.seeds.button(str(count)).setToolTip(tip)
        self.seeds.chosen.connect(self._on_seeds)
        self.seeds_words = Caption()
        self.seeds_words.setAccessibleName("What the seeds mean")
        self.blocks = QCheckBox("Split the image into blocks")
        self.blocks.setToolTip(plain_tip(BLOCKS_WORDS))
        self.blocks.toggled.connect(self._on_blocks)
        self.blocks_words = Caption(BLOCKS_WORDS)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.source, 1)
        row.addWidget(self.open_button)
        start_label = label("Start from")
        start_label.setBuddy(self.source)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, GAP)
        column.setSpacing(4)
        column.addWidget(start_label)
        column.addLayout(row)
        column.addWidget(self.words)
        column.addWidget(self.take_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addSpacing(GAP)
        column.addWidget(label("Cross-validation"))
        column.addWidget(self.folds)
        column.addWidget(self.folds_words)
        column.addSpacing(GAP)
        column.addWidget(label("Several seeds"))
        column.addWidget(self.seeds)
        column.addWidget(self.seeds_words)
        column.addSpacing(GAP)
        column.addWidget(self.blocks)
        column.addWidget(self.blocks_words)

    # -- asked from outside ------------------------------------------------------------------------

    def value(self) -> Start:
        """What is chosen, as far as it can be used together."""
        folds = int(self.folds.value())
        if folds:
            return Start(folds=folds)
        blocks = not self.blocks.isHidden() and self.blocks.isChecked()
        return Start(self._source(), blocks=blocks, seeds=int(self.seeds.value()))

    def recipe(self, recipe: Recipe) -> Recipe:
        """A recipe as it will be trained: with the network of the model that is the start."""
        return recipe if self.value().source is None else with_network(recipe, self._model)

    def choose_run(self, run_id: str) -> None:
        """Start from the best state of a run, and show that."""
        at = self.source.findData(run_id)
        if at >= 0:
            self.folds.set_value("0")
            self.header.setChecked(True)
            self.source.setCurrentIndex(at)

    def choose_file(self, path: Path) -> None:
        """Start from a model file; its description is read in the background."""
        self._path = path
        self._reload()
        show_choice(self.source, "file")
        self._on_source()

    def ask_for_file(self) -> None:
        """Ask which model file."""
        kinds = " ".join(f"*{suffix}" for suffix in MODEL_SUFFIXES)
        name, _ = QFileDialog.getOpenFileName(
            self, "Start from a model", "", f"Models ({kinds});;All files (*)"
        )
        if name:
            self.choose_file(Path(name))

    def follow(self, recipe: Recipe | None) -> None:
        """The recipe in the form, which the model may fit or not."""
        if recipe != self._recipe:
            self._recipe = recipe
            self._show_words()

    def check(self, painted: Mapping[str, dict[int, int]]) -> tuple[str, list[str] | None]:
        """What stands in the way of what is chosen, and warnings where they are others than usual.

        Parameters
        ----------
        painted : mapping
            Voxels of each class id, for every image where something is painted.

        Returns
        -------
        problem, warnings : str, list of str or None
            None: those of an ordinary run.
        """
        from orgseg_app.runs.folds import check_folds

        self._painted = painted
        self._show_split()
        asked, file, warnings = self.value(), self.session.file, None
        self.problem = ""
        if asked.folds and file is not None:
            try:
                warnings = check_folds(file, asked.folds, dict(painted))
            except RunError as error:
                self.problem = str(error)
        elif asked.blocks:
            warnings = []
        if asked.source is not None and self._model is None:
            self.problem = self._trouble or "The model is being read."
        self._show_words()
        return self.problem, warnings

    # -- what is chosen ----------------------------------------------------------------------------

    def _entry(self) -> RunEntry | None:
        return self.runs.get(str(self.source.currentData() or ""))

    def _source(self) -> RunFolder | Path | None:
        if self.source.currentData() == "file":
            return self._path
        entry = self._entry()
        return entry.run if entry is not None else None

    def _reload(self) -> None:
        """Take the runs anew; what is chosen stays as long as it is there."""
        kept = self.source.currentData()
        with QSignalBlocker(self.source):
            self.source.clear()
            self.source.addItem("A fresh network", "")
            for entry in reversed(self.runs.trainings()):
                if can_start(entry):
                    self.source.addItem(entry.name, entry.run_id)
                    tip = "Its best state"
                    if entry.best_iou is not None:
                        tip = f"Its best state: validation IoU {entry.best_iou:.2f}"
                    self.source.setItemData(
                        self.source.count() - 1, tip, Qt.ItemDataRole.ToolTipRole
                    )
            if self._path is not None:
                self.source.addItem(self._path.name, "file")
                tip = plain_tip(str(self._path))
                self.source.setItemData(self.source.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
            at = self.source.findData(kept)
            self.source.setCurrentIndex(max(0, at))
        if kept and at < 0:
            self._on_source()
        self._show_split()

    def _on_project_changed(self) -> None:
        self._path = None
        self._reload()
        show_choice(self.source, "")
        self.folds.set_value("0")
        self.seeds.set_value("0")
        self.blocks.setChecked(False)
        self._on_source()

    def _on_source(self) -> None:
        """Read what the model says about itself."""
        source = self._source()
        self._model, self._trouble = None, ""
        self._asked += 1
        asked = self._asked
        if source is not None:

            def work(task: Any) -> tuple[int, StartModel | RunError]:
                try:
                    return asked, read_start(source)
                except RunError as error:
                    return asked, error

            self.session.background.start("Reading a model", work, self._on_read)
        self._on_changed()

    def _on_read(self, answer: tuple[int, StartModel | RunError]) -> None:
        if answer[0] != self._asked:
            return
        found = answer[1]
        if isinstance(found, RunError):
            self._trouble = str(found)
        else:
            self._model = found
        self._on_changed()

    def _on_folds(self) -> None:
        self._on_changed()

    def _on_seeds(self) -> None:
        self._on_changed()

    def _on_blocks(self) -> None:
        self._on_changed()

    def _on_take(self) -> None:
        if self._model is not None:
            self.recipe_requested.emit(self._model.recipe)

    def _on_changed(self) -> None:
        self._show_split()
        self._show_words()
        self.changed.emit()

    # -- showing -----------------------------------------------------------------------------------

    def _show_split(self) -> None:
        folds = int(self.folds.value())
        self.source.setEnabled(not folds)
        self.open_button.setEnabled(not folds)
        self.folds_words.setText(folds_words(self.session.file, self._painted, folds))
        self.folds_words.setVisible(bool(folds))
        self.seeds.setEnabled(not folds)
        self.seeds_words.setText(seeds_words(0 if folds else int(self.seeds.value())))
        self.seeds_words.setVisible(bool(self.seeds_words.text()))
        name = self.source.currentText() if self.source.currentIndex() > 0 else ""
        self.source.setToolTip(plain_tip(name))
        offered = len(self._painted) == 1 and not folds
        self.blocks.setVisible(offered)
        self.blocks_words.setVisible(offered and self.blocks.isChecked())
        is_usual = self.value() == Start()
        self.header.setText(TITLE if is_usual else f"{TITLE} •")
        self.header.setAccessibleDescription("" if is_usual else "changed")

    def _show_words(self) -> None:
        """What will happen with the model that is chosen."""
        asked, file = self.value(), self.session.file
        text, tone, can_take = "", "", False
        if asked.source is None:
            text = ""
        elif self._trouble:
            text, tone = self._trouble, "error"
        elif self._model is None:
            text = "Reading the model…"
        elif self._recipe is not None and file is not None:
            text = " ".join(
                start_words(
                    self._model,
                    self._recipe,
                    class_names=tuple(info.name for info in self.session.classes),
                    channels=self._channels(),
                    test_images=judged_names(file, self._painted),
                )
            )
            can_take = self._model.recipe.network != self._recipe.network
        self.words.setText(text)
        self.words.setVisible(bool(text))
        set_tone(self.words, tone)
        self.take_button.setVisible(can_take)

    def _channels(self) -> int | None:
        """Of the painted images."""
        file = self.session.file
        images = file.project.images if file is not None else {}
        return next((images[i].shape[0] for i in self._painted if i in images), None)


def can_start(entry: RunEntry) -> bool:
    """Whether a run is over, has a model, and the model can be trained further."""
    if entry.kind != "train" or not entry.has_model or entry.is_active:
        return False
    info = NETWORK_NAMES.get(entry.recipe.network.name) if entry.recipe is not None else None
    return info is not None and not info.is_fitted
