"""From the Train button to a model, and from a model to a prediction on the canvas."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt

from orgseg_app.core.edits.grouped_objects import PutObjects
from orgseg_app.core.edits.whole import ReplaceMask
from orgseg_app.gui.help.trouble_pages import NO_SCORE, page_of_failure
from orgseg_app.gui.runs.joining import can_join, suggested
from orgseg_app.runs.folder import MODEL_KINDS

if TYPE_CHECKING:
    from orgseg_app.core.weighting.mistakes import CorrectionSettings
    from orgseg_app.files.predictions import Prediction
    from orgseg_app.gui.main_window import MainWindow
    from orgseg_app.gui.runs.run_entry import RunEntry
    from orgseg_app.gui.runs.runs_model import RunsModel
    from orgseg_app.gui.runs.starting import Start
    from orgseg_app.runs.recipes.schema import Recipe

LOG = logging.getLogger(__name__)


class Training(QObject):
    """Asks the runs model for trainings and predictions, and takes their fruits."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.session = window.session
        self._predicting: dict[str, str] = {}
        self._only_looked_at: dict[str, bool] = {}  # and whether it is to lie over the canvas

    @property
    def _runs(self) -> RunsModel:
        return self.window.ensure_parts().runs

    def train_now(self) -> None:
        """Go to the Train workspace; when already there, press its button."""
        if self.window.workspace != "train":
            self.window.show_workspace("train")
        else:
            self.window.ensure_parts().training.request_training()

    def open_recipe(self) -> None:
        """Go to the Train workspace, and set its form to a recipe from a file."""
        self.window.show_workspace("train")
        self.window.ensure_parts().training.files.open()

    def save_recipe(self) -> None:
        """Write what the form says into a file."""
        self.window.show_workspace("train")
        self.window.ensure_parts().training.files.save()

    def show_examples(self) -> None:
        """What augmentation makes of patches of the current plane."""
        self.window.show_workspace("train")
        self.window.ensure_parts().training.show_examples()

    def train(self, recipe: Recipe, name: str, start: Start) -> None:
        """Freeze recipe and annotation, start the job."""
        self._runs.train(recipe, name, start)

    def train_further(self, run_id: str = "") -> None:
        """Set the form to begin with a run's model: the given one's, the chosen one's, the best."""
        run = self._to_go_on_from(run_id)
        if run is not None:
            self.window.show_workspace("train")
            self.window.ensure_parts().training.train_further(run.run_id)

    def retrain(self, run_id: str = "") -> None:
        """Ask how to learn from corrections of what a run's model got wrong, and train so."""
        from orgseg_app.gui.panels.corrections_dialog import CorrectionsDialog

        run = self._to_go_on_from(run_id)
        if run is None:
            return
        name = self._runs.free_name(f"{run.name} corrected")
        dialog = CorrectionsDialog(run.name, name, self.window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.retrain_requested.connect(partial(self._on_retrain_requested, run))
        self.session.project_changed.connect(dialog.reject)
        dialog.open()

    def _on_retrain_requested(
        self, run: RunEntry, corrections: CorrectionSettings, name: str
    ) -> None:
        from orgseg_app.gui.runs.starting import Start

        if run.recipe is not None:
            self.window.show_workspace("train")
            self._runs.train(run.recipe, name, Start(run.run, corrections=corrections))

    def _to_go_on_from(self, run_id: str) -> RunEntry | None:
        """A run whose model can be trained further: that one, the chosen one, or the best."""
        from orgseg_app.gui.panels.training_start import can_start

        known = [self._runs.get(run_id)] if run_id else []
        known += [] if run_id else self.window.ensure_parts().runs_panel.selected()
        usable = [run for run in known if run is not None and can_start(run)]
        if not usable:
            best = [run for run in self._runs.trainings() if can_start(run)]
            usable = sorted(best, key=lambda run: run.best_iou or 0.0)[-1:]
        if not usable:
            self.session.message.emit("There is no trained model yet. Train one first.", "info")
            return None
        return usable[0]

    def make_ensemble(self, run_ids: Sequence[str] = ()) -> None:
        """Ask which runs decide together, and how.

        Parameters
        ----------
        run_ids
            Ticked at first; without any those selected in the list of runs, else the newest seeds,
            else all.
        """
        from orgseg_app.gui.panels.runs_ensemble_dialog import EnsembleDialog

        usable = [run.run_id for run in self._runs.trainings() if can_join(run)]
        if len(usable) < 2:
            self.session.message.emit(
                "An ensemble needs at least two trained models. Train once more; “Several seeds” "
                "in the panel at the right trains the same network several times.",
                "info",
            )
            return
        ticked = [run_id for run_id in run_ids if run_id in usable]
        if not ticked:
            selected = self.window.ensure_parts().runs_panel.list.chosen()
            ticked = [run_id for run_id in selected if run_id in usable]
        if len(ticked) < 2:
            ticked = [run.run_id for run in suggested(self._runs.trainings())]
        dialog = EnsembleDialog(self._runs, ticked, self.window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.ensemble_requested.connect(self._on_ensemble_requested)
        self.session.project_changed.connect(dialog.reject)
        dialog.open()

    def _on_ensemble_requested(self, run_ids: list[str], name: str, how: str, turns: bool) -> None:
        self.window.show_workspace("train")
        self._runs.make_ensemble(run_ids, name, how, turns)

    def examine(self, what: str, run_id: str = "") -> None:
        """Show what a run's model relies on, or what noise it bears; find it out the first time.

        Parameters
        ----------
        what
            One of `runs.examination.WHATS`.
        run_id
            Without one the run selected in the list of runs, else the best.
        """
        panel = self.window.ensure_parts().runs_panel
        known = [self._runs.get(run_id)] if run_id else [*panel.selected(), self.best_run()]
        usable = [
            run
            for run in known
            if run is not None
            and run.kind in MODEL_KINDS
            and run.has_model
            and not run.is_active
            and (run_id or what != "levels" or run.kind == "train")
        ]
        if not usable:
            self.session.message.emit(
                "There is no finished model to examine yet. Train one first.", "info"
            )
            return
        run = usable[0]
        from orgseg_app.gui.panels.examination_dialog import ExaminationDialog

        open_now = self.window.findChildren(ExaminationDialog)
        dialog = next((found for found in open_now if found.run_id == run.run_id), None)
        if dialog is None:
            dialog = ExaminationDialog(self._runs, run.run_id, self.window)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            self.session.project_changed.connect(dialog.close)
        dialog.view.show_what(what)
        dialog.show()
        dialog.raise_()
        dialog.activateWindow()
        asked = [job.run.request.get("what") for job in self._runs.examinations_of(run.run_id)]
        if what not in asked:
            dialog.view.examine()

    def pause_or_resume(self) -> None:
        """Of the run in the strip."""
        run = self._runs.current()
        studying = self.window.commands.studying
        if run is None:
            self.session.message.emit("Nothing is running.", "info")
        elif run.state == "paused":
            studying.resume_run(run.run_id)
        else:
            studying.pause_run(run.run_id)

    def stop(self) -> None:
        """Of the run in the strip; the best model so far is kept."""
        run = self._runs.current()
        if run is None:
            self.session.message.emit("Nothing is running.", "info")
        else:
            self.window.commands.studying.stop_run(run.run_id)

    def score_all(self) -> None:
        """Score every run that has a model on the test images as they are now."""
        usable = [run.run_id for run in self._runs.model_runs() if run.has_model]
        if usable:
            self._runs.score(usable)
        else:
            self.session.message.emit("There is no trained model yet. Train one first.", "info")

    def predict_image(self) -> None:
        """Fill what is unlabelled in the current image with the best model's prediction."""
        self._predict(self.best_run())

    def predict_to_look(self, run_id: str = "") -> None:
        """Lay a model's prediction, the best one's by default, over the image; paint nothing."""
        self._predict(self._runs.get(run_id) or self.best_run(), to_look=True)

    def predict_beside(self, run_id: str = "") -> None:
        """As `predict_to_look`, for the pane beside the canvas: nothing is laid over the canvas."""
        self._predict(self._runs.get(run_id) or self.best_run(), to_look=True, lay_over=False)

    def show_prediction(self, kind: str) -> None:
        """Show or hide the prediction, or the difference; say how to get one where there is none.

        Parameters
        ----------
        kind
            ``"prediction"`` or ``"difference"``, as in `layers.KINDS`.
        """
        display, parts = self.window.display, self.window.ensure_parts()
        if display.look(kind).visible or parts.prediction.by(self.session.image_id) is not None:
            display.flip(kind, "visible")
            if display.look(kind).visible:
                parts.reveal(parts.prediction_section)
        elif parts.predictions.models():
            self.session.message.emit(
                "No model has predicted this image yet. Press Predict in the panel at the right, "
                "under Prediction.",
                "info",
            )
            parts.reveal(parts.prediction_section)
        else:
            self.session.message.emit(
                "There is no trained model yet. Paint at least two classes, then Train.", "info"
            )

    def _predict(
        self, run: RunEntry | None, *, to_look: bool = False, lay_over: bool = True
    ) -> None:
        from orgseg_app.runs.prediction import prepare_image_prediction

        file, image = self.session.file, self.session.image
        if run is None or file is None or image is None:
            self.session.message.emit(
                "There is no trained model yet. Paint at least two classes, then Train.", "info"
            )
            return
        self.session.message.emit(f"“{run.name}” is looking at {image.name}…", "info")
        self.session.fold_in()
        self.session.background.start(
            "Preparing the prediction",
            lambda task: prepare_image_prediction(run.run, file, [image.image_id]),
            lambda job: self._start_prediction(job, image.image_id, to_look, lay_over),
            self.session.report_error,
        )

    def best_run(self) -> RunEntry | None:
        """The run with a model whose validation is best; the newest among equals."""
        usable = [run for run in self._runs.model_runs() if run.has_model]
        return max(usable, key=lambda run: run.best_iou or 0.0, default=None)

    def _start_prediction(
        self, job: Any, image_id: str, to_look: bool, lay_over: bool = True
    ) -> None:
        self._predicting[job.run_id] = image_id
        if to_look:
            self._only_looked_at[job.run_id] = lay_over
        self._runs.start(job)

    def on_run_ended(self, run_id: str) -> None:
        """Say how a run ended; put an awaited prediction on the canvas."""
        run = self._runs.get(run_id)
        image_id = self._predicting.pop(run_id, None)
        if run is None:
            return
        if image_id is not None:
            if run.state == "finished" and run_id in self._only_looked_at:
                if self._only_looked_at.pop(run_id):
                    self.window.display.set_look("prediction", visible=True)
            elif run.state == "finished":
                self._accept(run.run.predictions_path, image_id)
            else:
                page = page_of_failure(run.message, state=run.state)
                self.session.say(f"The prediction did not finish. {run.message}", "error", page)
        elif run.kind == "predict" and self.window.workspace == "export":
            pass  # the panel says it
        elif run.is_of_study:
            pass  # one of many: the study says how it ends, and which runs did not
        elif run.state == "failed":
            page = page_of_failure(run.message)
            self.session.say(f"“{run.name}” failed. {run.message}", "error", page)
        elif run.state in ("finished", "stopped"):
            text = " ".join([f"“{run.name}” has {run.state}. {run.message}", *run.refused[:1]])
            page = NO_SCORE if run.refused else ""
            self.session.say(text, "warning" if run.refused else "info", page)

    def _accept(self, path: Path, image_id: str) -> None:
        from orgseg_app.files.predictions import read_prediction

        def on_success(edit: Any) -> None:
            if self.session.project and image_id in self.session.project.images:
                if self.session.apply(edit, image_id) is None:
                    self.session.message.emit(
                        "Everything in this image is painted already.", "info"
                    )
                else:
                    self.session.message.emit(
                        "What was unlabelled now holds the prediction. Correct it, or undo.", "info"
                    )

        self.session.background.start(
            "Reading the prediction",
            lambda task: accepting(read_prediction(path, image_id)),
            on_success,
            self.session.report_error,
        )


def accepting(prediction: Prediction) -> ReplaceMask | PutObjects:
    """The edit that fills what is unlabelled with a prediction, its objects included."""
    from orgseg_app.core.instances.table import NumberedTable

    if prediction.objects is None:
        return ReplaceMask(prediction.mask, "accept prediction", only_unlabelled=True)
    table = NumberedTable(int(prediction.objects.max(initial=0)))
    for numbers, mask in zip(prediction.objects, prediction.mask, strict=True):
        table.add(numbers, mask)
    classes = table.classes()[prediction.objects]
    return PutObjects(0, prediction.objects, classes, keeps_painted=True)
