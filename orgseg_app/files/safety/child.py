"""A process of its own for what may go wrong: asked in lines of JSON, watched, thrown away.

Libraries that decode files have had, and will have, errors that crash, hang or fill the memory when
a file is made for it. What strangers' files hold is therefore looked at in a child of this program
that has nothing to lose. It is asked over its standard input and answers over its standard output:
one JSON object a line, raw bytes behind it where an answer has them. What the child gives up by
itself is in `orgseg_app.files.safety.confinement`; from here its memory, processor time and
patience are watched as well, because not every system can limit them from within, and a child that
a file has taken over would not.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import dataclass
from typing import Any

from orgseg_app.files import giving_up
from orgseg_app.program import program_command, program_environment

MAX_LINE = 64 * 2**20
"""Longest answer in bytes, raw bytes not counted: 100,000 time points with their names fit in."""

_POLL_S = 0.05
_PIPE_BYTES = 2**20
_MEGABYTE = 10**6
_NO_WINDOW: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows: no console flashes up


@dataclass(frozen=True)
class Limits:
    """What one question may cost.

    Attributes
    ----------
    memory
        Bytes of memory the child may hold while it answers.
    cpu_s, wall_s
        Seconds of processor time and seconds on the clock, from question to answer. The clock is
        there for what neither computes nor ends, and may be patient: network drives are slow.
    """

    memory: int
    cpu_s: float
    wall_s: float


class ChildError(Exception):
    """The child gave no answer.

    Attributes
    ----------
    reason
        Why, as the end of a sentence: what the child did.
    is_limit
        True when it took too much of something.
    """

    def __init__(self, reason: str, *, is_limit: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_limit = is_limit


class ChildStartError(ChildError):
    """The system did not let the child start; whatever it was to look at is not to blame."""


class Child:
    """One child process; the next one is another object.

    Parameters
    ----------
    arguments
        What this program is started with; see `orgseg_app.__main__`.

    Raises
    ------
    ChildStartError
        When the system does not let a process start.
    """

    def __init__(self, *arguments: str) -> None:
        try:
            self._process = subprocess.Popen(
                program_command(*arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                close_fds=True,
                creationflags=_NO_WINDOW,
            )
        except OSError as error:
            raise ChildStartError(
                f"this computer did not let one start ({error.strerror or error})"
            ) from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._questions, self._answers = self._process.stdin, self._process.stdout
        _widen(self._answers.fileno())
        self._watch = _Watch(self._process)
        self._end = weakref.finalize(self, _end, self._process, self._watch)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """False once the process has ended."""
        return self._end.alive and self._process.poll() is None

    def ask(self, question: dict[str, Any], limits: Limits) -> dict[str, Any]:
        """Put a question and wait for the answer.

        Raises
        ------
        ChildError
            When the child ends, breaks a limit or answers nonsense; it is no longer of use then.
        """
        self.send([question])
        return self.receive(limits)

    def send(self, questions: list[dict[str, Any]]) -> None:
        """Put questions, each of which is answered in turn.

        Few at a time: while their answers are not fetched, they must fit into a pipe (64 KB).

        Raises
        ------
        ChildError
            As `ask`.
        """
        try:
            self._questions.write(b"".join(json.dumps(q).encode() + b"\n" for q in questions))
            self._questions.flush()
        except (OSError, ValueError) as error:
            raise self._failed() from error

    def receive(self, limits: Limits) -> dict[str, Any]:
        """Wait for the next answer; raw bytes that belong to it are fetched by `fill`.

        Raises
        ------
        ChildError
            As `ask`.
        """
        with self._watch.limited(limits):
            line = self._line()
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self._failed() from error
        if not line.endswith(b"\n") or not isinstance(answer, dict):
            raise self._failed()
        return answer

    def fill(self, target: memoryview, limits: Limits) -> None:
        """Fill a buffer with the raw bytes behind an answer.

        Raises
        ------
        ChildError
            As `ask`.
        """
        with self._watch.limited(limits):
            try:
                count = self._answers.readinto(target)  # type: ignore[attr-defined]
            except (OSError, ValueError) as error:
                raise self._failed() from error
        if count != len(target):
            raise self._failed()

    def close(self) -> None:
        """End the process, at once: it has nothing to lose."""
        self._end()

    def _line(self) -> bytes:
        try:
            return self._answers.readline(MAX_LINE)
        except (OSError, ValueError) as error:
            raise self._failed() from error

    def _failed(self) -> ChildError:
        """What became of the child, which is ended if it has not yet."""
        code: int | None
        try:
            # A child that closed its pipe ends by itself within this time, and says how.
            code = self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            code = None
        self.close()
        if self._watch.given_up is not None:
            raise self._watch.given_up
        if self._watch.broken:
            return ChildError(self._watch.broken, is_limit=True)
        return _ended(code)


class _Watch:
    """Looks at a process every 50 ms while it works, and ends it when it takes too much.

    So it does when nobody wants the answer any more (`orgseg_app.files.giving_up`).
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.broken = ""
        self.given_up: BaseException | None = None
        self._process = process
        self._task: tuple[Limits, float, giving_up.Check | None] | None = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {process.pid}", daemon=True)
        self._thread.start()

    def limited(self, limits: Limits) -> _Limited:
        """A context in which the process works under limits."""
        return _Limited(self, limits)

    def begin(self, limits: Limits) -> None:
        """From now on the limits hold."""
        self._task = (limits, time.monotonic(), giving_up.current())

    def pause(self) -> None:
        """From now on the process has nothing to do."""
        self._task = None

    def end(self) -> None:
        """Stop looking."""
        self._is_over.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=5.0)

    def _run(self) -> None:
        seen, cpu_before = None, 0.0
        while not self._is_over.wait(_POLL_S):
            task = self._task
            if task is None:
                continue
            memory, cpu = _taken(self._process.pid)
            if task is not seen:
                seen, cpu_before = task, cpu
            limits, began, check = task
            if check is not None:
                try:
                    check()
                except BaseException as error:  # raised where the answer is waited for
                    self.given_up = error
                    self._process.kill()
                    return
            if memory > limits.memory:
                self.broken = f"it took more than {limits.memory // _MEGABYTE} MB of memory"
            elif cpu - cpu_before > limits.cpu_s or time.monotonic() - began > limits.wall_s:
                self.broken = f"it took longer than {time.monotonic() - began:.0f} s"
            if self.broken:
                self._process.kill()
                return


class _Limited:
    def __init__(self, watch: _Watch, limits: Limits) -> None:
        self._watch, self._limits = watch, limits

    def __enter__(self) -> None:
        self._watch.begin(self._limits)

    def __exit__(self, *_: object) -> None:
        self._watch.pause()


def _taken(pid: int) -> tuple[int, float]:
    """Resident bytes and processor seconds of a process; nothing of one that has ended."""
    import psutil

    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        return int(process.memory_info().rss), float(times.user + times.system)
    except psutil.Error:
        return 0, 0.0


def _end(process: subprocess.Popen[bytes], watch: _Watch) -> None:
    """End the process and let go of all that belongs to it."""
    watch.end()
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        try:
            if pipe is not None:
                pipe.close()
        except OSError:
            pass  # what was not sent any more


def _ended(code: int | None) -> ChildError:
    """Why a process ended by itself, from its exit code."""
    if sys.platform != "win32" and code is not None and code < 0:
        import signal

        if -code == signal.SIGXCPU:
            return ChildError("it took too long", is_limit=True)
        if -code == signal.SIGKILL:  # the kernel, when memory runs out
            return ChildError("the system ended the process, as when memory runs out")
    return ChildError("the process that read it broke off")


def _environment() -> dict[str, str]:
    """One thread for arithmetic (others only cost start time and memory), and no plug-ins.

    HDF5 otherwise loads any library from its plug-in folder that a file asks for.
    """
    environment = program_environment()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        environment[name] = "1"
    environment["HDF5_PLUGIN_PRELOAD"] = "::"
    environment["HDF5_PLUGIN_PATH"] = ""
    environment["MALLOC_ARENA_MAX"] = "2"  # glibc reserves 64 MB of addresses for each
    environment["PYTHONIOENCODING"] = "utf-8"
    environment["PYTHONFAULTHANDLER"] = ""
    environment.pop("PYTHONINSPECT", None)
    return environment


def _widen(descriptor: int) -> None:
    """Let a pipe hold 1 MiB instead of 64 KiB: three times the throughput."""
    if sys.platform == "linux":
        import fcntl

        try:
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        except OSError:
            pass  # this user has too many large pipes
