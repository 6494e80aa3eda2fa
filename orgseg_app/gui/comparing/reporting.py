"""“Write report…”: a page, a workbook, or a folder with all formats, of what a table shows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog

from orgseg_app.core.split import TEST
from orgseg_app.gui.panels.banner import Banner

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.gui.background import Task
    from orgseg_app.gui.comparing.results_data import Results
    from orgseg_app.gui.main_window import MainWindow
    from orgseg_app.runs.comparison import Comparison
    from orgseg_app.runs.folder import RunFolder
    from orgseg_app.runs.reporting.writing import AnyReport
    from orgseg_app.runs.studies.folder import StudyFolder

FOLDER = "Folder with all formats, figures and model cards (*)"
FILTERS = ";;".join(
    (
        "Page to read and print (*.html)",
        FOLDER,
        "Workbook (*.xlsx)",
        "Everything, for programs (*.json)",
        "Table of scores (*.csv)",
    )
)
NOTHING = "There is nothing to report yet: no run is scored on the test images."

Make = Callable[["Task"], "AnyReport"]


class Reporting(QObject):
    """Writes reports of the comparison, and of studies, in the background.

    Attributes
    ----------
    banner
        Shows how far it is, and leads to what was written; made when first needed.
    written
        What was written last; None before.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.session = window.session
        self.banner: Banner | None = None
        self.written: Path | None = None
        self._task: Task | None = None
        self.session.project_changed.connect(self._on_project_changed)

    # -- asking ----------------------------------------------------------------------------------

    def ask(self) -> None:
        """Ask where, and write a report of the runs in the table, or of the study in sight.

        Runs that a person hid are left out; those that a filter hides for now are not.
        """
        file, parts = self.session.file, self.window.ensure_parts()
        if file is None or self._task is not None:
            return
        study = parts.compare.studies.chosen
        if self.window.workspace == "compare" and parts.compare.page == "studies" and study:
            self.ask_for_study(study.folder)
            return
        view = parts.results
        known = view.table.results.results.rows
        shown = [row.run_id for row in known if not row.remarks.is_hidden]
        if view.results.comparison is None and not any(row.images for row in view.results.rows):
            self.session.message.emit(NOTHING, "info")
            return
        target = self._asked_for(f"{file.path.stem} comparison.html")
        if target is not None:
            self.write(target, shown)

    def ask_for_study(self, folder: StudyFolder) -> None:
        """Ask where, and write a report of a study."""
        file = self.session.file
        if file is None or self._task is not None:
            return
        from orgseg_app.files.names import safe_stem

        target = self._asked_for(f"{file.path.stem} {safe_stem(folder.name)}.html")
        if target is not None:
            self.write_study(target, folder)

    def _asked_for(self, suggested: str) -> Path | None:
        """A file with one of the endings, or a folder; None when nothing was chosen."""
        from orgseg_app.runs.reporting.writing import SUFFIXES

        settings = self.window.settings
        folder = Path(settings.last_folder or Path.home())
        name, kind = QFileDialog.getSaveFileName(
            self.window, "Write report", str(folder / suggested), FILTERS
        )
        if not name:
            return None
        target = Path(name)
        if kind == FOLDER:
            if target.suffix.lower() in SUFFIXES:  # as it was suggested
                target = target.with_suffix("")
        elif target.suffix.lower() not in SUFFIXES:
            target = target.with_name(target.name + kind.rpartition("*")[2].strip(")"))
        settings.last_folder = str(target.parent)
        return target

    # -- writing ---------------------------------------------------------------------------------

    def write(self, target: Path, run_ids: Collection[str]) -> None:
        """Write a report of some runs of the table: a file, or a folder where it has no ending."""
        file, parts = self.session.file, self.window.ensure_parts()
        if file is None:
            return
        results = parts.results.results
        runs = [entry.run for entry in parts.runs.compared_runs() if entry.run_id in run_ids]
        self.session.fold_in()

        def make(task: Task) -> AnyReport:
            from orgseg_app.runs.reporting.report import make_report

            comparison = comparison_of(file, runs, results)
            return make_report(comparison, runs, project_file=file, progress=task.report)

        self._begin(target, make)

    def write_study(self, target: Path, folder: StudyFolder) -> None:
        """Write a report of a study, likewise."""
        file = self.session.file
        if file is None:
            return
        self.session.fold_in()

        def make(task: Task) -> AnyReport:
            from orgseg_app.runs.reporting.study_report import make_study_report
            from orgseg_app.runs.studies.results import study_results

            return make_study_report(study_results(folder, file), file)

        self._begin(target, make)

    def _begin(self, target: Path, make: Make) -> None:
        def work(task: Task) -> Path | None:
            return _write(target, make(task), task)

        def on_success(first: Path | None) -> None:
            self._task = None
            if first is None:
                self._hide()
                text = "The report was given up; files that were written already are complete."
                self.session.message.emit(text, "info")
                return
            self.written = first
            self._show_written(target)

        def on_failure(error: Exception) -> None:
            self._task = None
            self._hide()
            self.session.report_error(error)

        title = "Writing the report"
        self._task = self.session.background.start(title, work, on_success, on_failure)
        self._task.progressed.connect(lambda done, total, text: self._show(text))
        self._show("")

    # -- showing ---------------------------------------------------------------------------------

    def _shown_banner(self) -> Banner:
        if self.banner is None:
            self.banner = Banner("Report", can_close=True)
            self._open_button = self.banner.add_action("Open", "Read the report", self.open)
            self._folder_button = self.banner.add_action(
                "Show folder", "Where it was written", self.open_folder
            )
            self._cancel_button = self.banner.add_action("Cancel", "Write no more", self.cancel)
            self.window.add_bar(self.banner)
        return self.banner

    def _show(self, text: str) -> None:
        if self._task is None:
            return
        banner = self._shown_banner()
        self._open_button.hide()
        self._folder_button.hide()
        self._cancel_button.show()
        banner.close_button.hide()
        banner.say("info", "Writing the report…", text)

    def _show_written(self, target: Path) -> None:
        banner = self._shown_banner()
        self._open_button.show()
        self._folder_button.show()
        self._cancel_button.hide()
        banner.close_button.show()
        banner.say("success", f"The report is written: “{target.name}”.")

    def _hide(self) -> None:
        if self.banner is not None:
            self.banner.hide()

    def _on_project_changed(self) -> None:
        if self.session.file is None:
            self._hide()

    def open(self) -> None:
        """Open it with the system's program for such files."""
        if self.written is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.written)))

    def open_folder(self) -> None:
        """Show where it lies."""
        if self.written is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.written.parent)))

    def cancel(self) -> None:
        """Write no more."""
        if self._task is not None:
            self._task.cancel()


def comparison_of(file: ProjectFile, runs: Sequence[RunFolder], results: Results) -> Comparison:
    """The comparison that a report is about, with the very figures of the table.

    Runs that the table ranks are pooled over all test images; the others over those they have, and
    are not ranked.

    Parameters
    ----------
    file, runs
        The project, and the runs of the report.
    results
        What the table shows.
    """
    from orgseg_app.runs.comparison import line_up

    everything = line_up(file, runs, TEST, results.images, group=results.group).compared(
        pools=False
    )
    ranked = results.comparison
    known = {} if ranked is None else {run.run_id: run for run in ranked.runs}
    rows = {row.run_id: row for row in results.rows}
    shown = tuple(
        known.get(run.run_id)
        or replace(run, pooled=rows[run.run_id].pooled if run.run_id in rows else None)
        for run in everything.runs
    )
    images = tuple(results.images.values())
    notes = tuple(note for note in everything.notes if not note.startswith("Pooled scores are"))
    return replace(everything, runs=shown, common_images=images, notes=notes)


def _write(target: Path, report: AnyReport, task: Task) -> Path | None:
    """Write it; what to open, or None when given up."""
    from orgseg_app.runs.reporting.writing import SUFFIXES, write_report, write_report_folder

    if _is_given_up(task):
        return None
    if target.suffix.lower() in SUFFIXES:
        return write_report(target, report)
    from orgseg_app.gui.comparing.figure_pictures import PictureMaker

    written = write_report_folder(target, report, PictureMaker().png_of, progress=task.report)
    return None if _is_given_up(task) else written[0]


def _is_given_up(task: Task) -> bool:
    return task.is_cancelled
