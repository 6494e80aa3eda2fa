"""What the window knows of the studies of the open project, and what it may ask of them.

Fed by the studies thread; views read `StudyFacts` from here and never look at the disk. Preparing a
study, which writes its snapshot, happens in the session's background.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from orgseg_app.gui.help.trouble_pages import page_of_failure
from orgseg_app.gui.runs.jobs_model import JobsModel
from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.gui.session import Session
from orgseg_app.gui.studies.studies_thread import StudiesThread
from orgseg_app.gui.studies.study_facts import StudyFacts
from orgseg_app.runs.studies import queue
from orgseg_app.runs.studies.definition import Study
from orgseg_app.runs.studies.folder import StudyFolder


class StudiesModel(JobsModel[StudyFacts]):
    """All studies of the open project, oldest first.

    Signals
    -------
    studies_changed()
        A study came or went.
    study_changed(study_id)
        State or progress of one.
    study_ended(study_id)
        One that was followed while it worked is over.
    study_prepared(study_id)
        One asked for here has its folder and is about to start.
    """

    studies_changed = Signal()
    study_changed = Signal(str)
    study_ended = Signal(str)
    study_prepared = Signal(str)

    def __init__(
        self, session: Session, thread: StudiesThread, parent: QObject | None = None
    ) -> None:
        super().__init__(session, thread, parent)
        self._is_first = True
        thread.studies_listed.connect(self._on_listed)
        self._on_project_changed()

    # -- reading -----------------------------------------------------------------------------------

    def of_run(self, run: RunEntry | None) -> StudyFacts | None:
        """The study that a run belongs to."""
        asked = run.run.request.get("study") if run is not None else None
        return self._items.get(str(asked.get("id"))) if isinstance(asked, dict) else None

    # -- asking ------------------------------------------------------------------------------------

    def start(self, study: Study) -> None:
        """Freeze a study with what is painted now, and start its driver; problems are messages."""
        from orgseg_app.runs.studies.preparing import prepare_study

        def on_made(folder: StudyFolder, is_open: bool) -> None:
            if is_open:
                self._items[folder.study_id] = StudyFacts(folder)
                self.studies_changed.emit()
                self.study_prepared.emit(folder.study_id)
            self._thread.ask(folder, queue.start)

        self._prepare(f"Preparing {study.name}", lambda file: prepare_study(file, study), on_made)

    def request_pause(self, study_id: str) -> None:
        """Let a study wait, with the run that is learning."""
        self._ask(study_id, queue.request_pause)

    def request_resume(self, study_id: str) -> None:
        """Let a paused study go on; start a stopped, failed or interrupted one where it was."""
        self._ask(study_id, queue.request_resume)

    def request_stop(self, study_id: str) -> None:
        """End a study soon; what its runs have learnt is kept, and it can go on later."""
        self._ask(study_id, queue.request_stop)

    # -- from the thread ---------------------------------------------------------------------------

    def _folder_of(self, item: StudyFacts) -> StudyFolder:
        return item.folder

    def _forget(self) -> None:
        self._is_first = True
        self.studies_changed.emit()

    def _on_listed(self, path: Path, listed: list[StudyFacts]) -> None:
        if path != self._path:
            return  # of the project before
        before, found = self._items, {study.study_id: study for study in listed}
        self._items = found | self._younger(found)
        if list(before) != list(self._items):
            self.studies_changed.emit()
        for study in listed:
            known = before.get(study.study_id)
            if known is None or known != study:
                self.study_changed.emit(study.study_id)
            if known is not None and known.is_active and not study.is_active:
                self._tell_end(study)
                self.study_ended.emit(study.study_id)
        if self._is_first:
            self._is_first = False
            self._tell_of_interrupted()

    def _tell_end(self, study: StudyFacts) -> None:
        if study.state == "finished":
            text = f"The study “{study.name}” has finished. {study.message}"
            self.session.message.emit(text, "info" if not study.unlucky else "warning")
        elif study.state == "stopped":
            self.session.message.emit(f"The study “{study.name}” is stopped.", "info")
        elif study.state == "lost":
            self.session.message.emit(_interrupted_words(study), "warning")
        else:
            page = page_of_failure(study.message)
            self.session.say(f"“{study.name}” failed. {study.message}", "error", page)

    def _tell_of_interrupted(self) -> None:
        lost = [study for study in self._items.values() if study.state == "lost"]
        if lost:
            self.session.message.emit(_interrupted_words(lost[-1]), "warning")


def _interrupted_words(study: StudyFacts) -> str:
    return (
        f"The study “{study.name}” was interrupted after {study.finished} of {study.total} runs. "
        "What was learnt is safe; Resume goes on where it was (Compare, Studies)."
    )
