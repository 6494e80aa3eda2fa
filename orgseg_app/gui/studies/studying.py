"""What the actions about studies do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt

from orgseg_app.gui.project.one_dialog import came_to_front

if TYPE_CHECKING:
    from orgseg_app.gui.main_window import MainWindow
    from orgseg_app.gui.studies.new_study import NewStudyDialog
    from orgseg_app.gui.studies.studies_model import StudiesModel
    from orgseg_app.gui.studies.study_facts import StudyFacts


class Studying(QObject):
    """Makes studies, shows them, and asks them to wait, go on or end.

    Attributes
    ----------
    dialog
        “New study…”, while it is open.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.session = window.session
        self.dialog: NewStudyDialog | None = None

    def handlers(self) -> dict[str, Callable[[], object]]:
        """By action id."""
        return {
            "new_study": self.new_study,
            "show_studies": self.show_studies,
            "pause_study": self.pause,
            "resume_study": self.resume,
            "stop_study": self.stop,
        }

    @property
    def _studies(self) -> StudiesModel:
        return self.window.ensure_parts().studies

    def new_study(self) -> None:
        """Open the dialog, or bring it to the front."""
        from orgseg_app.gui.studies.new_study import NewStudyDialog

        if self.session.file is None or came_to_front(self.dialog):
            return
        parts = self.window.ensure_parts()
        form = parts.training.form
        self.dialog = NewStudyDialog(self.session, parts.studies, form.recipe, self.window)
        self.dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.dialog.started.connect(self.show_studies)
        self.dialog.show()

    def show_studies(self, study_id: str = "") -> None:
        """Go to the studies in the Compare workspace."""
        self.window.show_workspace("compare")
        compare = self.window.ensure_parts().compare
        compare.show_page("studies")
        if study_id:
            compare.studies.choose(study_id)

    # -- asking ------------------------------------------------------------------------------------

    def _which(self, fits: Callable[[StudyFacts], bool]) -> StudyFacts | None:
        """The study that is shown in Compare, where it fits; else the newest that does."""
        shown = self.window.ensure_parts().compare.studies.chosen
        if shown is not None and fits(shown):
            return shown
        return next(filter(fits, reversed(self._studies.all())), None)

    def pause(self) -> None:
        """Let a study wait."""
        study = self._which(lambda study: study.can_pause)
        if study is None:
            self.session.message.emit("No study is running.", "info")
        else:
            self._studies.request_pause(study.study_id)

    def resume(self) -> None:
        """Let a paused, stopped or interrupted study go on."""
        study = self._which(lambda study: study.can_resume)
        if study is None:
            self.session.message.emit("No study is paused or interrupted.", "info")
        else:
            self._studies.request_resume(study.study_id)

    def stop(self) -> None:
        """End a study soon; it can go on later."""
        study = self._which(lambda study: study.is_active)
        if study is None:
            self.session.message.emit("No study is running.", "info")
        else:
            self._studies.request_stop(study.study_id)

    # -- runs of studies ---------------------------------------------------------------------------

    def pause_run(self, run_id: str) -> None:
        """Pause a run; of a study that is at work, the study."""
        parts = self.window.ensure_parts()
        study = parts.studies.of_run(parts.runs.get(run_id))
        if study is not None and study.can_pause:
            parts.studies.request_pause(study.study_id)
        else:
            parts.runs.request_pause(run_id)

    def resume_run(self, run_id: str) -> None:
        """Let a run go on; of a study that waits, the study."""
        parts = self.window.ensure_parts()
        study = parts.studies.of_run(parts.runs.get(run_id))
        if study is not None and study.state == "paused":
            parts.studies.request_resume(study.study_id)
        else:
            parts.runs.request_resume(run_id)

    def stop_run(self, run_id: str) -> None:
        """Stop a run; of a study that is at work, the study, which else begins the next one."""
        parts = self.window.ensure_parts()
        study = parts.studies.of_run(parts.runs.get(run_id))
        if study is not None and study.is_active:
            parts.studies.request_stop(study.study_id)
        else:
            parts.runs.request_stop(run_id)

    def show_run(self, run_id: str) -> None:
        """Where a run is followed: in Train, or its study in Compare."""
        parts = self.window.ensure_parts()
        study = parts.studies.of_run(parts.runs.get(run_id))
        if study is not None:
            self.show_studies(study.study_id)
        else:
            self.window.show_workspace("train")
