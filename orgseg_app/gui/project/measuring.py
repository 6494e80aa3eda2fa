"""Measuring objects from the window: in the background, with a table that leads to each object."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog
from shiboken6 import isValid

from orgseg_app.core.stopping import StoppedError
from orgseg_app.gui.background import Background, Task
from orgseg_app.gui.canvas.plane_view import ViewState
from orgseg_app.gui.project.one_dialog import OneDialog

if TYPE_CHECKING:
    from orgseg_app.core.measuring.measure import Asked
    from orgseg_app.core.measuring.tables import Tables
    from orgseg_app.core.project import ProjectImage
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.gui.main_window import MainWindow
    from orgseg_app.gui.panels.measure_dialog import MeasureDialog

FILTERS = "Workbook (*.xlsx);;CSV files (*.csv)"
_STEPS = 100  # of progress, an image


class Measuring(OneDialog["MeasureDialog"]):
    """The action “Measure objects…”.

    Attributes
    ----------
    tables, image_ids
        What was measured last, and the images of its lines.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.tables: Tables | None = None
        self.image_ids: list[str] = []
        self.background = Background(self)
        self._facts: list[tuple[str, str]] = []
        self._places: dict[str, dict[str, Path]] = {}
        self._task: Task | None = None
        self.session.closing.connect(self._on_closing)

    def make_dialog(self, file: ProjectFile) -> MeasureDialog:
        """It asks what to measure, and shows the table."""
        from orgseg_app.gui.panels.measure_dialog import MeasureDialog

        dialog = MeasureDialog(self._models(), self.window)
        dialog.measure_requested.connect(self.measure)
        dialog.cancel_requested.connect(self.cancel)
        dialog.save_requested.connect(self._ask_where)
        dialog.object_chosen.connect(self.show_object)
        dialog.finished.connect(lambda _: self.cancel())
        predictions = self.window.ensure_parts().predictions
        predictions.changed.connect(self._show_models, Qt.ConnectionType.UniqueConnection)
        return dialog

    def _show_models(self) -> None:
        """Models have predicted something while the dialog is open, or are known only now."""
        if (dialog := self.open_dialog) is not None:
            dialog.show_models(self._models())

    def _models(self) -> list[tuple[str, str]]:
        """Models that have predicted images; where their predictions lie is noted."""
        predictions = self.window.ensure_parts().predictions
        project, names = self.session.project, {}
        self._places = {}
        for image_id in project.images if project is not None else ():
            for by in predictions.runs_for(image_id):
                names[by.run_id] = by.name
                self._places.setdefault(by.run_id, {})[image_id] = by.path
        return list(names.items())

    # -- measuring -------------------------------------------------------------------------------

    def measure(self, of: str, images: str, asked: Asked) -> None:
        """Measure in the background.

        Parameters
        ----------
        of
            The run whose predictions are meant; "" for what is painted.
        images
            "all", "this", or a split.
        """
        file, dialog = self.session.file, self.dialog
        if file is None or dialog is None or self._task is not None:
            return
        chosen = self._chosen(images)
        places = self._places.get(of) if of else None
        name = dialog.of_box.currentText()
        facts = [("project", file.path.name), ("measured", name)]

        def work(task: Task) -> tuple[Tables, list[str], list[str]]:
            return _measured(file, chosen, places, asked, task)

        def on_success(found: tuple[Tables, list[str], list[str]]) -> None:
            self._task = None
            self.tables, problems, self.image_ids = found
            self._facts = facts
            if isValid(dialog):
                self._show(dialog, problems)

        def on_failure(error: Exception) -> None:
            self._task = None
            if not isValid(dialog):
                return
            if isinstance(error, StoppedError):
                dialog.show_idle("Measuring was given up.")
            else:
                dialog.show_idle("")
                self.session.report_error(error)

        dialog.show_busy(0, 0, "Measuring…")
        self._task = self.background.start("Measuring", work, on_success, on_failure)
        self._task.progressed.connect(
            lambda done, total, text: (
                dialog.show_busy(done, total, text)
                if isValid(dialog) and self._task is not None
                else None
            )
        )

    def _chosen(self, images: str) -> list[ProjectImage]:
        project, image = self.session.project, self.session.image
        assert project is not None
        if images == "this":
            return [] if image is None else [image]
        return list(project.images.values()) if images == "all" else project.in_split(images)

    def cancel(self) -> None:
        """Give up what is being measured."""
        if self._task is not None:
            self._task.cancel()

    def _show(self, dialog: MeasureDialog, problems: list[str]) -> None:
        tables = self.tables
        assert tables is not None
        notes = [*problems, *tables.notes]
        count, images = len(tables.objects), len(self.image_ids)
        if not images:
            text = problems[0] if problems else "Nothing is painted there, so nothing was measured."
            dialog.show_tables(tables, text, "warning")
            return
        text = f"{count:,} object{'' if count == 1 else 's'} on {images:,} image"
        text += f"{'' if images == 1 else 's'}."
        if notes:
            rest = f" And {len(notes) - 1} more." if len(notes) > 1 else ""
            text = f"{text} {notes[0]}{rest}"
        dialog.show_tables(tables, text, "warning" if notes else "")

    def _on_closing(self) -> None:
        self.cancel()
        self.background.finish()
        self._task, self.tables, self.image_ids = None, None, []
        self._places = {}
        self.close_dialog()

    # -- the table -------------------------------------------------------------------------------

    def show_object(self, row: int) -> None:
        """Bring the object of a line to the middle of the canvas."""
        session, tables = self.session, self.tables
        if tables is None or not 0 <= row < len(tables.places):
            return
        number, z, y, x = tables.places[row]
        image_id = self.image_ids[int(number)]
        if session.project is None or image_id not in session.project.images:
            session.message.emit("That image is no longer in the project. Measure again.", "info")
            return
        if image_id == session.image_id:
            session.select_plane(round(z))
        else:
            session.select_image(image_id, round(z))
        canvas = self.window.ensure_parts().canvas
        view = canvas.view_state()
        canvas.set_view(ViewState(y + 0.5, x + 0.5, view.zoom))
        canvas.view_changed.emit(canvas.view_state())

    def _ask_where(self) -> None:
        file, dialog = self.session.file, self.dialog
        if file is None or self.tables is None or self._task is not None:
            return
        settings = self.window.settings
        folder = Path(settings.last_folder or Path.home())
        suggested = str(folder / f"{file.path.stem} measurements.xlsx")
        name, kind = QFileDialog.getSaveFileName(dialog, "Save measurements", suggested, FILTERS)
        if not name:
            return
        target = Path(name)
        if target.suffix.lower() not in (".xlsx", ".csv"):
            target = target.with_name(target.name + (".csv" if "csv" in kind else ".xlsx"))
        settings.last_folder = str(target.parent)
        self.save(target, asked_about=Path(name))

    def save(self, target: Path, *, asked_about: Path | None = None) -> None:
        """Write the tables in the background.

        Parameters
        ----------
        asked_about
            The file that the person has agreed to replace, if it is there.
        """
        from orgseg_app.files.measurements import measurement_paths, write_measurements

        tables, dialog, facts = self.tables, self.dialog, list(self._facts)
        if tables is None or dialog is None:
            return
        there = [p.name for p in measurement_paths(target) if p != asked_about and p.exists()]
        if there and not self.window.commands.confirm(
            "Replace files?",
            f"{', '.join(f'“{name}”' for name in there)} in {target.parent} would be replaced.",
            "Replace",
        ):
            return

        def work(task: Task) -> list[Path]:
            return write_measurements(
                target, tables, facts, overwrite=True, goes_on=lambda: not task.is_cancelled
            )

        def on_success(written: list[Path]) -> None:
            self._task = None
            if isValid(dialog):
                names = ", ".join(f"“{path.name}”" for path in written)
                text = f"{names} written to {target.parent}." if written else "Nothing was written."
                dialog.show_idle(text)

        def on_failure(error: Exception) -> None:
            self._task = None
            if isValid(dialog):
                dialog.show_idle(str(error), "error")
            else:
                self.session.report_error(error)

        dialog.show_busy(0, 0, f"Writing “{target.name}”…")
        self._task = self.background.start("Writing measurements", work, on_success, on_failure)


def _measured(
    file: ProjectFile,
    images: list[ProjectImage],
    places: dict[str, Path] | None,
    asked: Asked,
    task: Task,
) -> tuple[Tables, list[str], list[str]]:
    """In the background: the tables, sentences about images that cannot be measured, image ids."""
    from orgseg_app.core.measuring.measure import measure
    from orgseg_app.core.measuring.tables import tables_of
    from orgseg_app.files.errors import FileError
    from orgseg_app.files.measured_images import painted_image, predicted_image

    with_pixels = "intensity" in asked.groups
    measured, problems, ids = [], [], []
    for number, image in enumerate(images):
        if not task.report(number * _STEPS, len(images) * _STEPS, image.name):
            raise StoppedError
        if places is None and not file.counts(image.image_id):
            continue
        if places is not None and image.image_id not in places:
            continue

        def progress(done: int, total: int, at: int = number, name: str = image.name) -> bool:
            place = at * _STEPS + done * _STEPS // max(total, 1)
            return task.report(place, len(images) * _STEPS, name)

        try:
            if places is None:
                source = painted_image(file, image, with_pixels=with_pixels, may_change=True)
            else:
                source = predicted_image(
                    file, image, places[image.image_id], with_pixels=with_pixels
                )
            measured.append(measure(source, asked, progress=progress))
        except FileError as error:
            problems.append(str(error))
            continue
        ids.append(image.image_id)
    return tables_of(measured), problems, ids
