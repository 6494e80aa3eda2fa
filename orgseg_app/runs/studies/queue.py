"""Driving a study: its runs one after another, by a process that no window has to outlive.

``main.py --study FOLDER`` is the driver. It knows nothing that is not on disk: which cells are done
is what their runs say. So it may be killed at any moment together with the job it waits for; the
next driver leaves finished runs alone, goes on with the one that was cut off, and with the rest.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

from orgseg_app.files.store.system_lock import lock_alone
from orgseg_app.program import program_command
from orgseg_app.runs import launcher
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.job_folder import PAUSE, STOP
from orgseg_app.runs.stop_signals import heeding_stop_signals
from orgseg_app.runs.studies.cells import Cell
from orgseg_app.runs.studies.definition import StudyError
from orgseg_app.runs.studies.folder import StudyFolder

LOOK_EVERY_S = 0.3
LOST_TRIES = 2
"""How often a job that ends without a word is started before its cell is noted as lost."""

_BINARY: int = getattr(os, "O_BINARY", 0)
Tell = Callable[..., dict[str, Any]]


class StudyBusyError(StudyError):
    """Another process drives this study already."""


# From outside: the window and the command line


def driver_command(study_path: Path) -> list[str]:
    """The command line of the process that drives a study."""
    return program_command("--study", str(study_path))


def start(folder: StudyFolder) -> int:
    """Start the driver of a study, or start one again after it was stopped or lost.

    Returns
    -------
    int
        Its process id.

    Raises
    ------
    StudyError
        When there is one already, or it cannot be started.
    """
    if not folder.exists:
        raise StudyError(f'The folder of the study "{folder.name}" is gone.')
    if folder.process_path.exists() and folder.is_active:
        raise StudyBusyError(f'The study "{folder.name}" is at work already.')
    try:
        with driving(folder):  # whoever comes later finds the same; this is for a clear word now
            folder.make_ready()
        process = launcher.start_detached(driver_command(folder.path.absolute()), folder.log_path)
        folder.write_process(process.pid)
    except OSError as error:
        raise StudyError(
            f'The study "{folder.name}" could not be started: {error.strerror}. Nothing was lost; '
            "check that the disk has room and that you may write beside the project."
        ) from error
    return int(process.pid)


def request_pause(folder: StudyFolder) -> None:
    """Ask a study to wait, with the run that is learning.

    Raises
    ------
    StudyError
        When it is not at work.
    """
    folder.ask(PAUSE)


def request_stop(folder: StudyFolder) -> None:
    """Ask a study to end soon; what its runs have learnt is kept, and it can go on later.

    Raises
    ------
    StudyError
        When it is not at work.
    """
    folder.ask(STOP)


def request_resume(folder: StudyFolder) -> None:
    """Let a paused study go on, or start a stopped, failed or lost one again where it was.

    Runs that failed are tried again.

    Raises
    ------
    StudyError
        When all its runs have finished, or it is at work.
    """
    if folder.process_path.exists() and folder.let_go_on():
        return
    if folder.state == "finished":
        runs = folder.runs()
        found = [runs.get(cell.cell_id) for cell in folder.cells]
        if all(run is not None and run.state == "finished" for run in found):
            raise StudyError(f'All runs of the study "{folder.name}" have finished.')
    start(folder)


# The driver


@contextmanager
def driving(folder: StudyFolder) -> Iterator[None]:
    """Be the only driver of a study. The system ends the lock with the process, however it ends.

    Raises
    ------
    StudyBusyError
        When another process drives it.
    OSError
        When the lock cannot be made.
    """
    descriptor = os.open(folder.lock_path, os.O_RDWR | os.O_CREAT | _BINARY, 0o666)
    try:
        try:
            lock_alone(descriptor)
        except BlockingIOError:
            raise StudyBusyError(
                f'The study "{folder.name}" is driven by another process already.'
            ) from None
        yield
    finally:
        os.close(descriptor)


def run_study(study_path: str) -> int:
    """Drive a study until all its cells are done, or it is asked to stop: ``--study FOLDER``.

    Returns
    -------
    int
        0 finished or stopped, 1 when it could not be driven.
    """
    try:
        folder = StudyFolder(Path(study_path))
        with driving(folder):
            folder.write_process(os.getpid())
            with EventWriter(folder.events_path) as events:
                driver = Driver(folder, events.write)
                with driver.listening():
                    kind, message = driver.run()
                events.write(kind, study=folder.study_id, message=message)
    except (RunError, OSError) as error:
        print(f"orgseg: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return int(kind == "failed")


class Driver:
    """Takes a study's cells one after another.

    Parameters
    ----------
    folder : StudyFolder
    tell : callable
        Gets events: ``started`` (``cells``, ``done``); ``cell`` (``cell``, ``number``, ``title``,
        ``run``, ``state``, ``message``) when one begins and when it ends, each followed by
        ``progress``; ``state``.
    """

    def __init__(self, folder: StudyFolder, tell: Tell) -> None:
        self._folder, self._tell = folder, tell
        self._signalled = threading.Event()
        self._is_paused = False

    def listening(self) -> AbstractContextManager[None]:
        """Take SIGTERM and SIGINT (a computer that shuts down) as requests to stop."""
        return heeding_stop_signals(self._signalled.set)

    def run(self) -> tuple[str, str]:
        """Do what is left to do.

        Returns
        -------
        state, message
            ``"finished"``, ``"stopped"`` or ``"failed"`` (nothing could be trained), and a
            sentence.
        """
        folder = self._folder
        folder.clear_drafts()
        runs = folder.runs()
        states = {cell_id: run.state for cell_id, run in runs.items()}
        done = sum(states.get(cell.cell_id) == "finished" for cell in folder.cells)
        self._tell("started", cells=len(folder.cells), done=done)
        for cell in folder.cells:
            if states.get(cell.cell_id) == "finished":
                continue
            self._wait_while_paused(None)
            if self._stop_asked():
                break
            try:
                run = runs.get(cell.cell_id) or folder.make_run(cell)
                states[cell.cell_id] = self._train(cell, run)
            except (RunError, OSError) as error:
                if not folder.snapshot_path.is_file():
                    return "failed", str(error)
                states[cell.cell_id] = "failed"
                self._note(cell, None, "failed", str(error))
        return self._end(states)

    def _end(self, states: dict[str, str]) -> tuple[str, str]:
        self._folder.clear_drafts()
        total = len(self._folder.cells)
        finished = sum(states.get(cell.cell_id) == "finished" for cell in self._folder.cells)
        if self._stop_asked():
            return "stopped", f"Stopped with {finished} of {total} runs finished."
        if not finished:
            return "failed", f"None of the {total} runs could be finished; their logs say why."
        left = total - finished
        return "finished", f"{finished} of {total} runs finished" + (
            f"; {left} did not and will be missing from the results." if left else "."
        )

    def _train(self, cell: Cell, run: RunFolder) -> str:
        """Bring one run to its end; its state then."""
        state = ""
        for _ in range(LOST_TRIES):
            self._begin(run)
            self._folder.write_process(os.getpid())  # a second driver, refused, may have signed
            self._note(cell, run, "running", "")
            state = self._follow(run)
            if state != "lost" or not run.exists or self._stop_asked():
                break
        last = run.last_event() or {}
        self._note(cell, run, state, str(last.get("message") or ""))
        return state

    def _begin(self, run: RunFolder) -> None:
        """Start the job, or attach to the one that an earlier driver has started."""
        is_ending = (run.control_dir / STOP).exists()
        while is_ending and run.process_path.exists() and run.is_active:
            time.sleep(LOOK_EVERY_S)
        if run.process_path.exists() and run.is_active:
            (run.control_dir / PAUSE).unlink(missing_ok=True)
        elif run.state != "finished":
            launcher.start(run)

    def _follow(self, run: RunFolder) -> str:
        """Wait for the end of a job, and hand requests on to it; its state then."""
        while run.is_active:
            if self._stop_asked():
                with suppress(RunError):
                    launcher.request_stop(run)
            self._wait_while_paused(run)
            time.sleep(LOOK_EVERY_S)
        return run.state

    def _wait_while_paused(self, run: RunFolder | None) -> None:
        """Let a job wait as long as the study is to wait."""
        while self._asked(PAUSE) and not self._stop_asked():
            if not self._is_paused:
                self._is_paused = True
                if run is not None:
                    with suppress(RunError):
                        launcher.request_pause(run)
                self._tell("state", state="paused")
            time.sleep(LOOK_EVERY_S)
        if self._is_paused:
            self._is_paused = False
            if run is not None:
                (run.control_dir / PAUSE).unlink(missing_ok=True)
            self._tell("state", state="running")

    def _stop_asked(self) -> bool:
        return self._signalled.is_set() or self._asked(STOP)

    def _asked(self, request: str) -> bool:
        return (self._folder.control_dir / request).exists()

    def _note(self, cell: Cell, run: RunFolder | None, state: str, message: str) -> None:
        self._tell(
            "cell",
            cell=cell.cell_id,
            number=cell.number,
            title=cell.title,
            run=None if run is None else run.run_id,
            state=state,
            message=message,
        )
        done, total = cell.number - (state == "running"), len(self._folder.cells)
        self._tell("progress", done=done, total=total, item=cell.title, phase="study")
