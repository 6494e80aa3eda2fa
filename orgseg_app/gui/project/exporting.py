"""Writing masks and tables for other programs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QFileDialog
from shiboken6 import isValid

from orgseg_app.files.errors import FileError

if TYPE_CHECKING:
    from orgseg_app.files.object_export import Exported
    from orgseg_app.files.training_set import Written
    from orgseg_app.gui.background import Task
    from orgseg_app.gui.main_window import MainWindow
    from orgseg_app.gui.panels.training_set_dialog import TrainingSetDialog

NOTES = 3
"""Sentences about an export that are shown; the rest say the same of other images."""

LOG = logging.getLogger(__name__)


class Exporting(QObject):
    """Runs what the Export workspace asks for."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.session = window.session
        self.dialog: TrainingSetDialog | None = None

    def show(self, mode: str) -> None:
        """Go to the ``"masks"``, ``"objects"`` or ``"images"`` of the Export workspace."""
        self.window.show_workspace("export")
        self.window.ensure_parts().export.show_mode(mode)

    def export_masks(self, request: Mapping[str, Any]) -> None:
        """Write painted masks: ``{"out": Path, "formats": [...], "overwrite": bool}``."""
        file = self.session.file
        if file is None:
            return
        self.session.fold_in()
        out, formats = Path(request["out"]), tuple(request["formats"])
        overwrite = bool(request.get("overwrite", False))

        def work(task: Task) -> list[Path]:
            from orgseg_app.files.project_export import export_masks

            return export_masks(
                file, out, formats=formats, overwrite=overwrite, progress=task.report
            )

        def on_success(written: list[Path]) -> None:
            if self.window.workspace != "export":  # there the panel says it
                files = f"{len(written)} file{'' if len(written) == 1 else 's'}"
                self.session.message.emit(f"{files} written to {out}.", "info")

        self._panel_task(
            self.session.background.start(
                "Exporting masks", work, on_success, self.session.report_error
            )
        )

    def export_objects(self, request: Mapping[str, Any]) -> None:
        """Write objects: ``{"out": Path, "as": str, "overwrite": bool}``."""
        file = self.session.file
        if file is None:
            return
        self.session.fold_in()
        out, name = Path(request["out"]), str(request["as"])
        overwrite = bool(request.get("overwrite", False))

        def work(task: Task) -> Exported:
            from orgseg_app.files.object_export import export_objects_as

            return export_objects_as(file, out, [name], overwrite=overwrite, progress=task.report)

        def on_success(written: Exported) -> None:
            if self.window.workspace != "export" and written.files:  # there the panel says it
                files = f"{len(written.files)} file{'' if len(written.files) == 1 else 's'}"
                text = " ".join([f"{files} with objects written to {out}.", *written.notes])
                self.session.message.emit(text, "warning" if written.notes else "info")

        def on_failure(error: Exception) -> None:
            if self.window.workspace != "export" or not isinstance(error, FileError):
                self.session.report_error(error)

        task = self.session.background.start("Exporting objects", work, on_success, on_failure)
        self.window.ensure_parts().export.follower.follow_objects(task)

    def ask_for_training_set(self) -> None:
        """Open the dialog that asks for the layout."""
        from orgseg_app.gui.panels.training_set_dialog import TrainingSetDialog

        if self.session.file is None:
            return
        if self.dialog is None or not isValid(self.dialog):
            self.dialog = TrainingSetDialog(self.window)
            self.dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            self.dialog.export_requested.connect(self._on_training_set_requested)
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    def _on_training_set_requested(self, layout: str, overwrite: bool) -> None:
        settings = self.window.settings
        start = settings.last_folder or str(Path.home())
        name = QFileDialog.getExistingDirectory(self.dialog, "Folder for the training set", start)
        if name:
            settings.last_folder = name
            self.export_training_set(Path(name), layout, overwrite=overwrite)

    def export_training_set(self, out: Path, layout: str, *, overwrite: bool = False) -> None:
        """Write images, masks and weights in the background."""
        file = self.session.file
        if file is None:
            return
        self.session.fold_in()

        def work(task: Task) -> Written:
            from orgseg_app.files.training_set import export_training_set

            return export_training_set(file, out, layout, overwrite=overwrite, progress=task.report)

        def on_success(written: Written) -> None:
            files = f"{len(written.files):,} file{'' if len(written.files) == 1 else 's'}"
            images = f"{written.images} image{'' if written.images == 1 else 's'}"
            text = " ".join([f"{images} written to {out} in {files}.", *written.notes[:NOTES]])
            self.session.message.emit(text, "warning" if written.notes else "info")
            if self.dialog is not None and isValid(self.dialog):
                self.dialog.close()

        self.session.background.start(
            "Exporting the training set", work, on_success, self.session.report_error
        )

    def predict_folder(self, request: Mapping[str, Any]) -> None:
        """Predict images on disk, as `ExportPanel.predict_folder_requested` asks for it."""
        path = self.session.path
        if path is None:
            return

        def work(task: Task) -> Any:
            from orgseg_app.runs.folder import runs_dir
            from orgseg_app.runs.prediction import prepare_prediction

            return prepare_prediction(
                runs_dir(path),
                models=list(request["models"]),
                inputs=[Path(p) for p in request["inputs"]],
                out=Path(request["out"]),
                formats=tuple(request["formats"]),
                overwrite=bool(request.get("overwrite", False)),
                resume=bool(request.get("resume", False)),
                stitch=str(request.get("stitch") or "blend"),
                turns=bool(request.get("turns")),
                vote=bool(request.get("vote")),
                three_planes=bool(request.get("three_planes")),
                objects=bool(request.get("objects")),
            )

        def on_success(job: Any) -> None:
            parts = self.window.ensure_parts()
            parts.runs.start(job)
            parts.export.follow_run(job.run_id)

        self.session.background.start(
            "Preparing the prediction", work, on_success, self.session.report_error
        )

    def _panel_task(self, task: Task) -> None:
        self.window.ensure_parts().export.follow_task(task)

    def save_comparison(self) -> None:
        """Ask where, write the table of the Compare workspace."""
        self.window.ensure_parts().results.save_comparison()

    def choose_columns(self) -> None:
        """The menu of scores in the Compare workspace."""
        self.window.show_workspace("compare")
        self.window.ensure_parts().compare.show_page("runs")
        self.window.ensure_parts().results.open_columns()

    def show_results(self, page: str) -> None:
        """A page about the runs chosen in the Compare workspace: one of `results_pages.PAGES`."""
        self.window.show_workspace("compare")
        self.window.ensure_parts().compare.show_page("runs")
        self.window.ensure_parts().results.pages.show_page(page)
