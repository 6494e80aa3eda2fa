"""Packing the project with chosen runs into one file, and the way back, beside everything else."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtWidgets import QFileDialog
from shiboken6 import isValid

from orgseg_app.gui.project.one_dialog import OneDialog

if TYPE_CHECKING:
    from orgseg_app.files.packing import Packed
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.gui.background import Task
    from orgseg_app.gui.panels.pack_dialog import PackableRun, PackDialog

PROJECT_FILTER = "OrgSeg projects (*.orgseg)"


class Packing(OneDialog["PackDialog"]):
    """“Pack…”: a dialog that asks for the runs, then for a place, and follows the work.

    Runs inside a project that is opened are laid out.
    """

    def make_dialog(self, file: ProjectFile) -> PackDialog:
        """It asks for runs, which are looked at in the background."""
        from orgseg_app.gui.panels.pack_dialog import PackDialog

        dialog = PackDialog(bytes_inside(file), self.window)
        dialog.pack_requested.connect(self._on_pack_requested)
        path = file.path

        def on_success(found: tuple[list[PackableRun], int]) -> None:
            if isValid(dialog):
                dialog.show_runs(*found)

        self.session.background.start(
            "Looking at the runs",
            lambda task: packable(path),
            on_success,
            self.session.report_error,
        )
        return dialog

    def _on_pack_requested(self, run_ids: list[str], with_training: bool) -> None:
        file = self.session.file
        if file is None:
            return
        settings = self.window.settings
        folder = Path(settings.last_folder or Path.home())
        suggested = str(folder / f"{file.path.stem} packed.orgseg")
        name, _ = QFileDialog.getSaveFileName(
            self.dialog, "Pack into one file", suggested, PROJECT_FILTER
        )
        if name:
            path = Path(name).with_suffix(".orgseg")
            settings.last_folder = str(path.parent)
            self.pack(path, run_ids, with_training=with_training)

    def pack(self, path: Path, run_ids: list[str], *, with_training: bool = False) -> Task:
        """Pack in the background; the dialog shows how far it is."""
        file, dialog = self.session.file, self.dialog
        assert file is not None

        def work(task: Task) -> Packed | None:
            from orgseg_app.files.packing import pack
            from orgseg_app.runs.packing import choose_runs, studies_left, to_pack

            runs = choose_runs(file.path, ",".join(run_ids) or "none")
            packed = pack(
                file,
                path,
                to_pack(file.path, runs, training=with_training),
                overwrite=True,  # the file dialog asked
                progress=lambda done, total, text: task.report(done >> 10, total >> 10, text),
            )
            if packed is None:
                return None
            return replace(packed, notes=(*packed.notes, *studies_left(runs)))

        def on_success(packed: Packed | None) -> None:
            if dialog is not None and isValid(dialog):
                dialog.show_packed(packed)

        def on_failure(error: Exception) -> None:
            if dialog is not None and isValid(dialog) and str(error):
                dialog.show_failure(str(error))
            else:
                self.session.report_error(error)

        task = self.session.background.start(f"Packing {path.name}", work, on_success, on_failure)
        if dialog is not None and isValid(dialog):
            dialog.follow(task, path)
        return task

    def begin(self, file: ProjectFile | None) -> None:
        """Runs packed inside come out beside the project; the list of runs finds them there."""
        from orgseg_app.files.unpacking import holds_runs, unpack

        if file is None or file.read_only or not holds_runs(file):
            return

        def on_success(notices: list[str]) -> None:
            if notices and self.session.file is file:
                all_came = len(notices) == 1 and not holds_runs(file)
                self.session.message.emit(" ".join(notices), "info" if all_came else "warning")

        self.session.background.start(
            "Laying out packed runs",
            lambda task: unpack(file, lambda: not task.is_cancelled),
            on_success,
            self.session.report_error,
        )


def bytes_inside(file: ProjectFile) -> int:
    """About what the images and masks take in a packed file: linked images are inside it, too."""
    linked = (image for image in file.project.images.values() if image.link is not None)
    return file.storage_bytes + sum(
        math.prod(image.shape) * np.dtype(image.dtype).itemsize for image in linked
    )


def packable(project_path: Path) -> tuple[list[PackableRun], int]:
    """The runs that can be packed, oldest first, and how many are still at work."""
    from orgseg_app.core.split import VALIDATION
    from orgseg_app.gui.panels.pack_dialog import PackableRun
    from orgseg_app.runs.comparison import compare
    from orgseg_app.runs.folder import COMPARED_KINDS, list_runs
    from orgseg_app.runs.packing import best_run, packable_runs, share_of_training, to_pack

    runs = packable_runs(project_path)
    best = best_run(runs)
    found = []
    for run in runs:
        pooled = compare(None, [run], VALIDATION).runs[0].pooled
        found.append(
            PackableRun(
                run.run_id,
                run.name,
                pooled.mean_iou if pooled is not None else None,
                sum(part.size_bytes for part in to_pack(project_path, [run])),
                share_of_training([run]),
                is_best=best is not None and run.run_id == best.run_id,
            )
        )
    compared = [run for run in list_runs(project_path) if run.kind in COMPARED_KINDS]
    return found, len(compared) - len(runs)
