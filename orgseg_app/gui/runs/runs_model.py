"""What the window knows of all runs of the open project, and what it may ask of them.

Fed by the training thread; panels read `RunEntry` objects from here and never look at the disk.
Preparing a run, which writes the snapshot, happens through the session's background.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from orgseg_app.gui.background import Task
from orgseg_app.gui.help.trouble_pages import page_of_failure
from orgseg_app.gui.runs.jobs_model import JobsModel
from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.gui.runs.starting import Start
from orgseg_app.gui.runs.training_thread import RunFacts, TrainingThread
from orgseg_app.gui.session import Session
from orgseg_app.runs import launcher
from orgseg_app.runs.ensembles import KIND as ENSEMBLE
from orgseg_app.runs.ensembles import ensemble_facts
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import (
    COMPARED_KINDS,
    ELSEWHERE_KINDS,
    MODEL_KINDS,
    RunFolder,
    restore,
    runs_dir,
)
from orgseg_app.runs.recipes.schema import Recipe
from orgseg_app.runs.remarks import Remarks, keep_remarks, remarks_of

LOG = logging.getLogger(__name__)
_ONE_OF = re.compile(r" (fold|seed) \d+ of \d+$")


class RunsModel(JobsModel[RunEntry]):
    """All runs of the open project, oldest first.

    Signals
    -------
    runs_changed()
        A run came, went or was renamed.
    run_changed(run_id)
        State, progress or curves of one run; at most once per batch of events.
    run_ended(run_id)
        A run that was followed while it worked is over.
    run_prepared(run_id)
        A run asked for here has its folder and is about to start.
    run_deleted(name, trashed Path)
        `restore_run` brings it back.
    """

    runs_changed = Signal()
    run_changed = Signal(str)
    run_ended = Signal(str)
    run_prepared = Signal(str)
    run_deleted = Signal(str, object)

    def __init__(
        self, session: Session, thread: TrainingThread, parent: QObject | None = None
    ) -> None:
        super().__init__(session, thread, parent)
        self.training_thread = thread
        self._pending: dict[str, list[list[dict[str, Any]]]] = {}
        self._colours: dict[str, int] = {}
        thread.runs_listed.connect(self._on_runs_listed)
        thread.events_received.connect(self._on_events_received)
        thread.state_changed.connect(self._on_state_changed)
        thread.job_failed.connect(self._on_job_failed)
        self._on_project_changed()

    # -- reading -----------------------------------------------------------------------------------

    def trainings(self) -> list[RunEntry]:
        """The trainings, oldest first."""
        return [entry for entry in self._items.values() if entry.kind == "train"]

    def model_runs(self) -> list[RunEntry]:
        """Everything that ends with a model: trainings and ensembles, oldest first."""
        return [entry for entry in self._items.values() if entry.kind in MODEL_KINDS]

    def compared_runs(self) -> list[RunEntry]:
        """Everything that has scores to compare: models, and what was made elsewhere."""
        return [entry for entry in self._items.values() if entry.kind in COMPARED_KINDS]

    def current(self) -> RunEntry | None:
        """The run for the run strip: a working one, else a paused, else a waiting one."""
        order = {"running": 0, "paused": 1, "queued": 2}
        return min(self.active(), key=lambda entry: order[entry.state], default=None)

    def free_name(self, name: str) -> str:
        """The name itself, or with the lowest number that no run has yet: ``"fast 2"``."""
        taken = {entry.name for entry in self._items.values()}
        taken |= {_ONE_OF.sub("", name) for name in taken}
        name = name.strip() or "run"
        if name not in taken:
            return name
        number = 2
        while f"{name} {number}" in taken:
            number += 1
        return f"{name} {number}"

    # -- asking ------------------------------------------------------------------------------------

    def train(self, recipe: Recipe, name: str, start: Start | None = None) -> None:
        """Freeze recipe and annotation into a run (or one a fold) and start it.

        Problems become messages. The plane on the screen is asked for as a preview.
        """
        asked = start or Start()
        watched = (self.session.image_id, self.session.z) if self.session.image_id else None
        self._prepare_runs(
            f"Preparing {name}", lambda file: asked.prepare(file, recipe, name, watched)
        )

    def score(self, run_ids: Sequence[str]) -> None:
        """Score finished runs on the project's test images as they are painted now.

        Models by jobs; what was made elsewhere, whose masks are there, at once.
        """
        from orgseg_app.runs.training import prepare_scoring

        asked = [self._items[i].run for i in run_ids if i in self._items]
        runs = [run for run in asked if run.kind not in ELSEWHERE_KINDS]
        if runs:
            self._prepare_runs(
                "Preparing scores", lambda file: [prepare_scoring(run, file) for run in runs]
            )
        elsewhere = [run for run in asked if run.kind in ELSEWHERE_KINDS]
        if elsewhere:
            self._score_elsewhere(elsewhere)

    def _score_elsewhere(self, runs: Sequence[RunFolder]) -> None:
        file = self.session.file
        if file is None:
            return

        def work(task: Task) -> list[RunFolder]:
            from orgseg_app.files.giving_up import GivenUpError, asking
            from orgseg_app.runs.adding_predictions import score_again

            def check() -> None:
                if task.is_cancelled:
                    raise GivenUpError

            made: list[RunFolder] = []
            try:
                with asking(check):
                    for run in runs:
                        made.append(score_again(run, file, progress=task.report))
            except GivenUpError:
                LOG.info("scoring was given up")
            return made

        self.session.fold_in()
        self.session.background.start("Scoring", work, self.take_in, self.session.report_error)

    def take_in(self, runs: Sequence[RunFolder]) -> None:
        """Show runs that are over already: made elsewhere, or scored without a job."""
        for run in runs:
            if self._path is not None and run.path.parent == runs_dir(self._path):
                self._adopt(run)

    def examine(self, run_id: str, what: str, split: str) -> None:
        """Find out what a run's model relies on or bears; see `runs.examining`."""
        from orgseg_app.runs.examination import WHATS
        from orgseg_app.runs.examining import prepare_examination

        entry = self._items.get(run_id)
        if entry is not None:
            run, title = entry.run, f"Preparing: {WHATS[what].lower()}"
            self._prepare_runs(
                title, lambda file: [prepare_examination(file, run, what, split=split)]
            )

    def examinations_of(self, run_id: str) -> list[RunEntry]:
        """Jobs that examine, or have examined, a run's model, oldest first."""
        return [
            entry
            for entry in self._items.values()
            if entry.kind == "examine" and entry.run.request.get("examined_run") == run_id
        ]

    def make_ensemble(self, run_ids: Sequence[str], name: str, how: str, turns: bool) -> None:
        """Let trainings decide together, as one more run; see `runs.ensembles`."""
        from orgseg_app.runs.ensembles import prepare_ensemble

        runs = [self._items[i].run for i in run_ids if i in self._items]
        self._prepare_runs(
            f"Preparing {name}",
            lambda file: [prepare_ensemble(file, runs, name=name, how=how, turns=turns)],
        )

    def start(self, run: RunFolder) -> None:
        """Start a run that was prepared elsewhere (predicting a folder, for instance)."""
        self._adopt(run)
        self.training_thread.start_run(run)

    def request_previews(self, run_id: str, planes: Sequence[tuple[str, int]]) -> None:
        """Ask a training to show what it makes of these planes, (image id, z), at each check."""
        from orgseg_app.runs.previews import ask_for_previews

        self._ask(run_id, lambda run: ask_for_previews(run, planes))

    def request_stop(self, run_id: str) -> None:
        """Ask a run to stop at its next step; what it has learnt so far is kept."""
        self._ask(run_id, launcher.request_stop)

    def request_pause(self, run_id: str) -> None:
        """Ask a run to pause."""
        self._ask(run_id, launcher.request_pause)

    def request_resume(self, run_id: str) -> None:
        """Let a paused run go on, or a stopped, failed or lost one from where it was."""
        self._ask(run_id, launcher.request_resume)

    def kill(self, run_id: str) -> None:
        """End a run that does not listen any more."""
        self._ask(run_id, launcher.kill)

    def rename(self, run_id: str, name: str) -> bool:
        """Give a run another name; False (and a message) when that failed."""
        entry = self._items.get(run_id)
        if entry is None:
            return False
        try:
            entry.run.rename(name)
        except (RunError, OSError) as error:
            self.session.report_error(error)
            return False
        entry.name = " ".join(name.split())
        self.runs_changed.emit()
        self.training_thread.refresh()
        return True

    def remark(self, run_id: str, **changes: Any) -> Remarks | None:
        """Change note, pin or hiding of a run, by the fields of `Remarks`; None when that failed.

        The message says why.
        """
        entry = self._items.get(run_id)
        if entry is None:
            return None
        try:
            return keep_remarks(entry.run, replace(remarks_of(entry.run), **changes))
        except RunError as error:
            self.session.report_error(error)
            return None

    def delete(self, run_ids: Sequence[str]) -> None:
        """Move runs to the trash beside the project's runs; `restore_run` brings them back."""
        for run_id in run_ids:
            entry = self._items.get(run_id)
            if entry is None:
                continue
            try:
                trashed = entry.run.delete()
            except (RunError, OSError) as error:
                self.session.report_error(error)
                continue
            del self._items[run_id]
            self.run_deleted.emit(entry.name, trashed)
        self.runs_changed.emit()
        self.training_thread.refresh()

    def restore_run(self, trashed: Path) -> None:
        """Bring a deleted run back."""
        try:
            self._adopt(restore(trashed))
        except (RunError, OSError) as error:
            self.session.report_error(error)
        self.training_thread.refresh()

    def _prepare_runs(self, title: str, work: Callable[[Any], list[RunFolder]]) -> None:
        def on_made(runs: list[RunFolder], is_open: bool) -> None:
            if is_open:
                for text in dict.fromkeys(text for run in runs for text in run.warnings):
                    self.session.message.emit(text, "warning")
            for run in runs:
                if is_open:
                    self._adopt(run)
                self.run_prepared.emit(run.run_id)
                self.training_thread.start_run(run)

        self._prepare(title, work, on_made)

    # -- from the thread ---------------------------------------------------------------------------

    def _folder_of(self, item: RunEntry) -> RunFolder:
        return item.run

    def _forget(self) -> None:
        self._pending.clear()
        self._colours.clear()
        self.runs_changed.emit()

    def _adopt(self, run: RunFolder) -> RunEntry:
        """Take in a run that the thread has not listed yet."""
        if run.run_id not in self._items:
            self._items[run.run_id] = self._new_entry(RunFacts.of(run))
            self.runs_changed.emit()
        return self._items[run.run_id]

    def _new_entry(self, facts: RunFacts) -> RunEntry:
        colour = self._colours.setdefault(facts.run_id, len(self._colours))
        entry = RunEntry(
            run=facts.run,
            run_id=facts.run_id,
            name=facts.name,
            kind=facts.kind,
            state=facts.state,
            created=facts.created,
            recipe=facts.recipe,
            warnings=facts.warnings,
            has_model=facts.has_model,
            colour_index=colour,
        )
        if facts.kind == ENSEMBLE:
            entry.ensemble = ensemble_facts(facts.run.request, None)
        for events in self._pending.pop(facts.run_id, []):
            entry.take(events)
        return entry

    def _on_runs_listed(self, listed: Iterable[RunFacts]) -> None:
        before = {i: (e.name, e.state) for i, e in self._items.items()}
        entries: dict[str, RunEntry] = {}
        for facts in listed:
            if self._path is None or facts.run.path.parent != runs_dir(self._path):
                return  # a list of the project before
            entry = self._items.get(facts.run_id)
            if entry is None:
                entry = self._new_entry(facts)
            else:
                entry.name, entry.run = facts.name, facts.run
                entry.has_model = entry.has_model or facts.has_model
            entries[facts.run_id] = entry
        entries |= self._younger(entries)
        gone = [entry.name for run_id, entry in self._items.items() if run_id not in entries]
        self._items = entries
        if gone:
            self.session.message.emit(_gone_words(gone), "warning")
        if {i: (e.name, e.state) for i, e in entries.items()} != before:
            self.runs_changed.emit()

    def _on_events_received(self, run_id: str, events: list[dict[str, Any]]) -> None:
        entry = self._items.get(run_id)
        if entry is None:
            self._pending.setdefault(run_id, []).append(events)
            return
        entry.take(events)
        self.run_changed.emit(run_id)

    def _on_state_changed(self, run_id: str, state: str) -> None:
        entry = self._items.get(run_id)
        if entry is None or entry.state == state:
            return
        was_active, entry.state = entry.is_active, state
        self.run_changed.emit(run_id)
        if was_active and not entry.is_active:
            self.run_ended.emit(run_id)

    def _on_job_failed(self, run_id: str, sentence: str) -> None:
        entry = self._items.get(run_id)
        if entry is not None:
            entry.state, entry.message = "failed", sentence
            self.run_changed.emit(run_id)
        self.session.say(sentence, "error", page_of_failure(sentence))


def _gone_words(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"The folder of “{names[0]}” is gone, and the run with it. The project is untouched."
    return (
        f"The folders of {len(names)} runs are gone, and the runs with them. "
        "The project is untouched."
    )
