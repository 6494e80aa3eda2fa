"""Writing masks and tables for other programs."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

if TYPE_CHECKING:
    from orgseg_app.gui.background import Task
    from orgseg_app.gui.main_window import MainWindow

LOG = logging.getLogger(__name__)


class Exporting(QObject):
    """Runs what the Export workspace asks for."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.session = window.session

    def show(self) -> None:
        """Go to the Export workspace."""
        self.window.show_workspace("export")

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

    def predict_folder(self, request: Mapping[str, Any]) -> None:
        """Predict images on disk: ``{"models", "inputs", "out", "formats", "overwrite"}``."""
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
