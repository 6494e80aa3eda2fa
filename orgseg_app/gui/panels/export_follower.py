"""Follows an export to its end, and says what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from orgseg_app.gui.background import Task
from orgseg_app.gui.help.trouble_pages import REFUSED, page_of_error, page_of_failure
from orgseg_app.gui.panels.export_progress import ExportProgress
from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.session import Session

if TYPE_CHECKING:
    from orgseg_app.files.object_export import Exported


class ExportFollower(QObject):
    """Shows one export at a time in an `ExportProgress`: a task of this window, or a run.

    A prediction that was under way when the window was last closed is found again.

    Signals
    -------
    changed()
        An export began or ended.
    """

    changed = Signal()

    def __init__(self, session: Session, runs: RunsModel, progress: ExportProgress) -> None:
        super().__init__(progress)
        self.session = session
        self.runs = runs
        self.progress = progress
        self._task: Task | None = None
        self._run_id = ""
        self._out: Path | None = None
        self._total = 0
        progress.cancel_requested.connect(self._on_cancel)
        runs.run_changed.connect(self._on_run_changed)
        runs.run_ended.connect(self._on_run_changed)
        runs.runs_changed.connect(self._on_runs_changed)

    @property
    def is_working(self) -> bool:
        """True from the first word of an export to its last."""
        return self.progress.is_working

    def forget(self) -> None:
        """Follow nothing any more."""
        self._task, self._run_id = None, ""
        self.progress.clear()

    def expect(self, out: Path, total: int) -> None:
        """Where the masks of the next task go, and how many there will be."""
        self._out, self._total = out, total

    def _on_cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
        elif self._run_id:
            self.runs.request_stop(self._run_id)

    # -- a task ----------------------------------------------------------------------------------

    def follow_objects(self, task: Task) -> None:
        """Follow a task whose result is an `Exported` of objects."""
        self._task, self._run_id = task, ""
        self.progress.start("Writing objects…")
        task.progressed.connect(lambda *facts: self._on_task_progressed(task, *facts))
        task.succeeded.connect(lambda written: self._on_objects_written(task, written))
        task.failed.connect(lambda error: self._on_task_failed(task, error))
        self.changed.emit()

    def _on_objects_written(self, task: Task, written: Exported) -> None:
        if task is not self._task:
            return
        if not written.files:
            self._end("warning", "Cancelled. Nothing was written.")
            return
        images, files = _counted(written.images, "image"), _counted(len(written.files), "file")
        self._end(
            "success",
            f"Objects of {images} written to “{written.folder.name}” ({files}).",
            problems=written.notes,
            folder=written.folder,
        )

    def follow_task(self, task: Task) -> None:
        """Follow a task whose result is the list of files it wrote."""
        self._task, self._run_id = task, ""
        self.progress.start("Writing masks…")
        task.progressed.connect(lambda *facts: self._on_task_progressed(task, *facts))
        task.succeeded.connect(lambda written: self._on_task_succeeded(task, written))
        task.failed.connect(lambda error: self._on_task_failed(task, error))
        self.changed.emit()

    def _on_task_progressed(self, task: Task, done: int, total: int, item: str) -> None:
        if task is self._task:
            self._total = total or self._total
            self.progress.show_progress(done, total, item)

    def _on_task_succeeded(self, task: Task, written: object) -> None:
        if task is not self._task:
            return
        files = [Path(path) for path in written] if isinstance(written, list) else []
        out = files[0].parent if files else self._out
        where = f"“{out.name}”" if out is not None else "the folder"
        if task.is_cancelled and len(files) < self._total:
            kept = "Nothing was written."
            if files:
                kept = f"{_counted(len(files), 'file')} written to {where}, whole."
            self._end("warning", f"Cancelled. {kept}", folder=out if files else None)
            return
        count = self._total or len(files)
        more = f" ({len(files):,} files)" if len(files) != count else ""
        self._end("success", f"{_counted(count, 'mask')} written to {where}{more}.", folder=out)

    def _on_task_failed(self, task: Task, error: object) -> None:
        if task is self._task:
            page = page_of_error(error) if isinstance(error, Exception) else ""
            self._end("error", str(error) or type(error).__name__, page=page)

    # -- a run -----------------------------------------------------------------------------------

    def follow_run(self, run_id: str) -> None:
        """Follow a prediction of images on disk."""
        self._task, self._run_id = None, run_id
        self.progress.start("Starting…")
        self._on_run_changed(run_id)
        self.changed.emit()

    def _on_runs_changed(self) -> None:
        if self.is_working:
            return
        for entry in self.runs.active():
            if entry.kind == "predict" and entry.run.request.get("out"):
                self.follow_run(entry.run_id)
                return

    def _on_run_changed(self, run_id: str) -> None:
        entry = self.runs.get(run_id)
        if run_id != self._run_id or entry is None:
            return
        if not entry.is_active:
            self._run_id = ""
            self._on_run_over(entry)
        elif entry.state == "queued":
            self.progress.show_words("Waiting for its turn…")
        elif entry.progress is not None:
            self.progress.show_progress(*entry.progress[:3])

    def _on_run_over(self, entry: RunEntry) -> None:
        out = Path(str(entry.run.request.get("out") or "."))
        last = entry.run.last_event() or {}
        problems = [str(text) for text in last.get("problems") or ()]
        if entry.state == "finished":
            text = _outcome(out, int(last.get("written") or 0), int(last.get("skipped") or 0))
            if problems:
                text += f" {len(problems):,} could not be done:"
            level, page = ("warning", REFUSED) if problems else ("success", "")
            self._end(level, text, problems=problems, folder=out, page=page)
        elif entry.state == "stopped":
            kept = "The masks written so far are whole; predict again to do the rest."
            self._end("warning", f"Cancelled. {kept}", folder=out)
        elif entry.state == "lost":
            kept = "The masks written so far are whole; predict again to do the rest."
            words = f"The prediction ended without a word. {kept}"
            self._end("error", words, folder=out, page=page_of_failure("", state="lost"))
        else:
            page = page_of_failure(entry.message)
            self._end("error", entry.message or "The prediction failed.", page=page)

    def _end(
        self,
        level: str,
        text: str,
        *,
        problems: list[str] | None = None,
        folder: Path | None = None,
        page: str = "",
    ) -> None:
        self._task = None
        self.progress.finish(level, text, problems=problems or (), folder=folder, page=page)
        self.changed.emit()


def _outcome(out: Path, written: int, skipped: int) -> str:
    where = f"“{out.name}”"
    if not written and skipped:
        return f"All {skipped:,} masks were in {where} already."
    text = f"{_counted(written, 'mask')} written to {where}."
    return f"{text} {skipped:,} were there already." if skipped else text


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
