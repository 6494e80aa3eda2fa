"""Bringing in what was made elsewhere, to compare it: look, one dialog, score in the background."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orgseg_app.gui.project.one_dialog import OneDialog

if TYPE_CHECKING:
    from orgseg_app.files.counterparts.offer import Becomes, Offer
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.files.readers.apart import ReadingChild
    from orgseg_app.gui.background import Task
    from orgseg_app.gui.main_window import MainWindow
    from orgseg_app.gui.panels.predictions_dialog import PredictionsDialog
    from orgseg_app.runs.folder import RunFolder


class AddingPredictions(OneDialog["PredictionsDialog"]):
    """“Add predictions of another program…”."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._task: Task | None = None
        self._child: ReadingChild | None = None

    def make_dialog(self, file: ProjectFile) -> PredictionsDialog:
        """It asks for masks, then says what goes with which image."""
        from orgseg_app.gui.panels.predictions_dialog import PredictionsDialog

        folder = self.window.settings.last_folder or str(Path.home())
        dialog = PredictionsDialog(self.session.classes, folder, self.window)
        dialog.look_requested.connect(self.look)
        dialog.add_requested.connect(self.add)
        dialog.cancel_requested.connect(self.cancel)
        dialog.destroyed.connect(self._end_child)
        return dialog

    def begin(self, file: ProjectFile | None) -> None:
        """What read for the dialog of another project is of no more use."""
        self._end_child()

    def cancel(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            self._task.cancel()

    def look(self, paths: Sequence[Path]) -> None:
        """Look in the background what goes with which image."""
        file = self.session.file
        if file is None:
            return
        if self.dialog is not None:
            self.window.settings.last_folder = self.dialog.folder
        child = self._child = self._reading_child()  # the one that looks also reads the masks

        def work(task: Task) -> Offer | None:
            from orgseg_app.files.counterparts.looking import offer_in
            from orgseg_app.files.giving_up import GivenUpError, asking

            def check() -> None:
                if task.is_cancelled:
                    raise GivenUpError

            try:
                with asking(check), child.reads():
                    return offer_in(paths, file)
            except GivenUpError:
                return None

        self.session.fold_in()
        self._task = self.session.background.start(
            "Looking at the masks",
            work,
            lambda offer: self._on_looked(offer, file),
            self._on_failure,
        )

    def _on_looked(self, offer: Offer | None, file: ProjectFile) -> None:
        dialog, self._task = self.open_dialog, None
        if dialog is None or self.session.file is not file:
            return
        dialog.stop()
        if offer is not None:
            dialog.show_offer(offer)

    def add(self, offer: Offer, becomes: Becomes, name: str, by_person: bool) -> None:
        """Read, score and show them as a row, in the background."""
        file = self.session.file
        if file is None:
            return
        child, self._child = self._reading_child(), None

        def work(task: Task) -> RunFolder | None:
            from orgseg_app.files.giving_up import GivenUpError, asking
            from orgseg_app.runs.adding_predictions import add_predictions

            def check() -> None:
                if task.is_cancelled:
                    raise GivenUpError

            try:
                with child, asking(check), child.reads():
                    return add_predictions(
                        file, offer, becomes, name=name, by_person=by_person, progress=task.report
                    )
            except GivenUpError:
                return None

        self.session.fold_in()
        task = self._task = self.session.background.start(
            "Scoring what was added",
            work,
            lambda made: self._on_added(made, file),
            self._on_failure,
        )
        if self.dialog is not None:
            task.progressed.connect(self.dialog.progress.show_progress)

    def _on_added(self, made: RunFolder | None, file: ProjectFile) -> None:
        dialog, self._task = self.open_dialog, None
        if dialog is not None:
            dialog.stop()
        if made is None or self.window.is_closed or self.session.file is not file:
            return
        self.window.ensure_parts().runs.take_in([made])
        if dialog is not None:
            dialog.close()
        self.window.show_workspace("compare")
        self.session.message.emit(*told(made))

    def _on_failure(self, error: Exception) -> None:
        dialog, self._task = self.open_dialog, None
        if dialog is not None and _is_ours(error):
            dialog.show_failure(error)
            return
        if dialog is not None:
            dialog.stop()
        self.session.report_error(error)

    def _reading_child(self) -> ReadingChild:
        from orgseg_app.files.readers.apart import ReadingChild

        return self._child or ReadingChild()

    def _end_child(self) -> None:
        """End the process that has read for the dialog, where there is one."""
        child, self._child = self._child, None
        if child is not None:
            child.close()


def told(made: RunFolder) -> tuple[str, str]:
    """What to say of a row that was added, and how loud."""
    from orgseg_app.core.split import TEST
    from orgseg_app.runs.made_elsewhere import held_images
    from orgseg_app.runs.withheld import refused_in

    count = len(held_images(made))
    text = f"“{made.name}” added with masks of {count} image{'' if count == 1 else 's'}."
    more = [*dict.fromkeys(refused_in(made.metrics(), TEST).values()), *made.warnings]
    rest = f" And {len(more) - 2} more like these." if len(more) > 2 else ""
    return " ".join([text, *more[:2]]) + rest, "warning" if more else "info"


def _is_ours(error: Exception) -> bool:
    """Whether an error is a sentence for a person."""
    from orgseg_app.files.errors import FileError
    from orgseg_app.runs.errors import RunError

    return isinstance(error, (FileError, RunError)) and bool(str(error))
