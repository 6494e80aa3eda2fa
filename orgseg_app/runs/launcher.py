"""Starting, pausing and stopping the job of a run.

The job is a process of its own, detached from whoever starts it: it goes on when the window is
closed, hangs or is killed. Everything passes through files of the run folder.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from orgseg_app.gpu.choice import as_its_own, give_up_on, worker_command
from orgseg_app.program import program_environment
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.folder import MODEL_KINDS, RunFolder
from orgseg_app.runs.job_folder import PAUSE as PAUSE
from orgseg_app.runs.job_folder import STOP as STOP
from orgseg_app.runs.process import is_alive, read_json

_NICE = 19
_SESSION_NICE = 10
"""A tenth of the processor where others want all of it: enough not to stand still."""
_KILL_WAIT_S = 5.0


def job_command(run_path: Path) -> list[str]:
    """The command line of the process that does a run: ours, or the GPU pack's."""
    return worker_command("--job", str(run_path))


def job_environment() -> dict[str, str]:
    """The environment of a job.

    Waiting threads give their core away instead of spinning (a busy core beside them made a network
    50 times slower), and glibc keeps the memory of activations from step to step instead of handing
    it back to the kernel each time (1.3 to 1.8 times faster training). What the user has set stays.
    """
    environment = as_its_own(program_environment())
    usual = {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}
    if sys.platform == "linux":
        usual |= {
            "MALLOC_MMAP_THRESHOLD_": str(8 << 30),
            "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
            "MALLOC_TOP_PAD_": str(256 << 20),
        }
    for name, value in usual.items():
        environment.setdefault(name, value)
    return environment


def start(run: RunFolder) -> int:
    """Start the job of a run, or start it again after it was stopped or lost.

    Parameters
    ----------
    run : RunFolder

    Returns
    -------
    int
        Process id of the job.

    Raises
    ------
    RunError
        When it is working already, or cannot be started.
    """
    if not run.exists:
        raise RunError(
            f'The folder of the run "{run.name}" is gone, so it cannot be started. '
            "The project is untouched; train again."
        )
    if run.process_path.exists() and run.is_active:
        raise RunError(f'The run "{run.name}" is working already.')
    try:
        run.make_ready()
        process = _start_job(run)
    except OSError as error:
        raise RunError(
            f'The run "{run.name}" could not be started: {error.strerror}. Nothing was lost; '
            "check that the disk has room and that you may write beside the project."
        ) from error
    try:
        run.write_process(process.pid)
    except OSError as error:
        process.kill()
        raise RunError(
            f'The run "{run.name}" could not be started: {error.strerror}. Nothing was lost.'
        ) from error
    return int(process.pid)


def _start_job(run: RunFolder) -> subprocess.Popen[bytes]:
    """Start the job; where the GPU pack's program does not start, with this program."""
    command = job_command(run.path.absolute())
    try:
        return start_detached(command, run.log_path)
    except OSError as error:
        if not give_up_on(
            command, f"the program that computes does not start ({error.strerror or error})"
        ):
            raise
    return start_detached(job_command(run.path.absolute()), run.log_path)


def start_detached(command: list[str], log_path: Path) -> subprocess.Popen[bytes]:
    """Start a process that outlives this one, at a low priority.

    Parameters
    ----------
    command : list of str
    log_path : Path
        What it prints is appended there.

    Raises
    ------
    OSError
        When it cannot be started, or the log cannot be written.
    """
    flags: dict[str, object] = {"start_new_session": True}
    if sys.platform == "win32":
        flags = {
            "creationflags": subprocess.DETACHED_PROCESS
            | subprocess.CREATE_NEW_PROCESS_GROUP
            | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        }
    with open(log_path, "ab") as log:
        process: subprocess.Popen[bytes] = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=job_environment(),
            close_fds=True,
            **flags,  # type: ignore[call-overload]
        )
    # While this program lives it has to take note of the end of its child.
    threading.Thread(target=process.wait, name=f"reap {process.pid}", daemon=True).start()
    _lower_priority(process.pid)
    return process


def _lower_priority(pid: int) -> None:
    """Painting comes first: the job takes what the window leaves."""
    if sys.platform == "win32":
        return  # set when it was made
    with contextlib.suppress(OSError):  # it has ended already, or may not be slowed down
        os.setpriority(os.PRIO_PROCESS, pid, _NICE)
    # Linux desktops share the processor out to sessions first, and a job has one of its own: beside
    # the window it gets half of it, however nice it is (sched(7), "the autogroup feature"). Without
    # this, 5 ms of work in the window's thread took 7.6 to 9 ms next to a job on two cores.
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(_SESSION_NICE), encoding="ascii")


def request_stop(run: RunFolder) -> None:
    """Ask the job to end soon and keep what it has learnt; also a paused or waiting one.

    Raises
    ------
    RunError
        When it is not working.
    """
    run.ask(STOP)


def request_pause(run: RunFolder) -> None:
    """Ask the job to wait until `request_resume`.

    Raises
    ------
    RunError
        When it is not working.
    """
    run.ask(PAUSE)


def request_resume(run: RunFolder) -> None:
    """Let a paused job go on; start a stopped, failed or lost one again where it was.

    Raises
    ------
    RunError
        When it has finished, is working already, or what it learned from is gone.
    """
    if run.let_go_on():
        return
    if run.state == "finished":
        raise RunError(f'The run "{run.name}" has finished; there is nothing to go on with.')
    if run.kind in MODEL_KINDS and not run.snapshot_path.is_file():
        raise RunError(
            f'The run "{run.name}" cannot go on: what it learned from is not here, as when it was '
            "packed without. Its model and its scores can be used; pack it again with that, or "
            "train a new run."
        )
    start(run)


def kill(run: RunFolder) -> None:
    """End the job at once, when asking did not help; its last checkpoint stays.

    Raises
    ------
    RunError
        When it is not working, or this computer refuses.
    """
    import psutil

    facts = read_json(run.process_path) or {}
    if not is_alive(run.path, facts, None):
        raise RunError(f'The run "{run.name}" is not working on this computer.')
    try:
        process = psutil.Process(facts["pid"])
        family = [process, *process.children(recursive=True)]
        for member in family:
            member.terminate()
        _, living = psutil.wait_procs(family, timeout=_KILL_WAIT_S)
        for member in living:
            member.kill()
        psutil.wait_procs(living, timeout=_KILL_WAIT_S)
    except psutil.NoSuchProcess:
        pass
    except psutil.AccessDenied as error:
        raise RunError(f'The system does not let you end the run "{run.name}".') from error
    if run.exists and run.state == "lost":
        with EventWriter(run.events_path) as events:
            events.write("stopped", run=run.run_id, message="Ended at once, as asked.", test=None)


def wait_for_end(run: RunFolder, timeout_s: float, poll_s: float = 0.1) -> str:
    """Wait until a run is no longer active, at most `timeout_s` seconds; its state then."""
    deadline = time.monotonic() + timeout_s
    while (state := run.state) in ("queued", "running", "paused") and time.monotonic() < deadline:
        time.sleep(poll_s)
    return state
