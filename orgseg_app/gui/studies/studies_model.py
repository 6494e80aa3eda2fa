"""What the window knows of the studies of the open project, and what it may ask of them.

Fed by the studies thread; views read `StudyFacts` from here and never look at the disk. Preparing a
study, which writes its snapshot, happens in the session's background.
"""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.gui.session import Session
from orgseg_app.gui.studies.studies_thread import Request, StudiesThread
from orgseg_app.gui.studies.study_facts import StudyFacts
from orgseg_app.runs.studies import queue
from orgseg_app.runs.studies.definition import Study
from orgseg_app.runs.studies.folder import StudyFolder


class StudiesModel(QObject):
    """All studies of the open project, oldest first.

    Follows the session: another project, other studies; those that were at work when the window was
    last closed are found again by themselves.

    Parameters
    ----------
    session : Session
    thread : StudiesThread
        Started by the caller, who also stops it.

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
    preparing_changed(bool)
        A snapshot is being written.
    """

    studies_changed = Signal()
    study_changed = Signal(str)
    study_ended = Signal(str)
    study_prepared = Signal(str)
    preparing_changed = Signal(bool)

    def __init__(
        self, session: Session, thread: StudiesThread, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.session, self.thread_ = session, thread
        self._studies: dict[str, StudyFacts] = {}
        self._path: Path | None = None
        self._is_first = True
        self._preparing = 0
        thread.studies_listed.connect(self._on_listed)
        thread.request_failed.connect(self._on_request_failed)
        session.project_changed.connect(self._on_project_changed)
        self._on_project_changed()

    # -- reading -----------------------------------------------------------------------------------

    def all(self) -> list[StudyFacts]:
        """Every study, oldest first."""
        return list(self._studies.values())

    def get(self, study_id: str) -> StudyFacts | None:
        """One study, or None."""
        return self._studies.get(study_id)

    def active(self) -> list[StudyFacts]:
        """Studies that are at work or paused, oldest first."""
        return [study for study in self._studies.values() if study.is_active]

    def of_run(self, run: RunEntry | None) -> StudyFacts | None:
        """The study that a run belongs to."""
        asked = run.run.request.get("study") if run is not None else None
        return self._studies.get(str(asked.get("id"))) if isinstance(asked, dict) else None

    @property
    def is_preparing(self) -> bool:
        """Whether the snapshot of a new study is being written."""
        return self._preparing > 0

    # -- asking ------------------------------------------------------------------------------------

    def start(self, study: Study) -> None:
        """Freeze a study with what is painted now, and start its driver; problems are messages."""
        from orgseg_app.runs.studies.preparing import prepare_study

        file, path = self.session.file, self._path
        if file is None:
            return
        self._set_preparing(1)

        def on_success(folder: StudyFolder) -> None:
            self._set_preparing(-1)
            if self._path == path:
                self._studies[folder.study_id] = StudyFacts(folder)
                self.studies_changed.emit()
                self.study_prepared.emit(folder.study_id)
            self.thread_.ask(folder, queue.start)

        def on_failure(error: Exception) -> None:
            self._set_preparing(-1)
            self.session.report_error(error)

        self.session.fold_in()
        self.session.background.start(
            f"Preparing {study.name}",
            lambda task: prepare_study(file, study),
            on_success,
            on_failure,
        )

    def request_pause(self, study_id: str) -> None:
        """Let a study wait, with the run that is learning."""
        self._ask(study_id, queue.request_pause)

    def request_resume(self, study_id: str) -> None:
        """Let a paused study go on; start a stopped, failed or interrupted one where it was."""
        self._ask(study_id, queue.request_resume)

    def request_stop(self, study_id: str) -> None:
        """End a study soon; what its runs have learnt is kept, and it can go on later."""
        self._ask(study_id, queue.request_stop)

    def _ask(self, study_id: str, request: Request) -> None:
        study = self._studies.get(study_id)
        if study is not None:
            self.thread_.ask(study.folder, request)

    def _set_preparing(self, change: int) -> None:
        self._preparing += change
        self.preparing_changed.emit(self._preparing > 0)

    # -- from the thread ---------------------------------------------------------------------------

    def _on_project_changed(self) -> None:
        if self.session.path != self._path:
            self._path = self.session.path
            self._studies.clear()
            self._is_first = True
            self.thread_.watch(self._path)
            self.studies_changed.emit()

    def _on_listed(self, path: Path, listed: list[StudyFacts]) -> None:
        if path != self._path:
            return  # of the project before
        before = self._studies
        self._studies = {study.study_id: study for study in listed}
        for study_id, study in before.items():
            if study_id not in self._studies and study.folder.exists:
                self._studies[study_id] = study  # younger than the list
        if list(before) != list(self._studies):
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
            self.session.message.emit(f"“{study.name}” failed. {study.message}", "error")

    def _tell_of_interrupted(self) -> None:
        lost = [study for study in self._studies.values() if study.state == "lost"]
        if lost:
            self.session.message.emit(_interrupted_words(lost[-1]), "warning")

    def _on_request_failed(self, study_id: str, sentence: str) -> None:
        self.session.message.emit(sentence, "error")


def _interrupted_words(study: StudyFacts) -> str:
    return (
        f"The study “{study.name}” was interrupted after {study.finished} of {study.total} runs. "
        "What was learnt is safe; Resume goes on where it was (Compare, Studies)."
    )
