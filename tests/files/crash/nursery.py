"""A process that has everything imported and forks a child for each experiment.

`Nursery` is used by tests: it starts the process and asks it, one line of JSON at a time.
`serve` runs in it. A child writes lines to a pipe, and may be killed at a moment that is given as
"so many seconds after the k-th line that starts with …"; the lines it wrote before are kept.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[3]

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Outcome:
    """How a child ended.

    Attributes
    ----------
    lines
        What it wrote, each with the seconds since its start.
    result
        What its function returned, if it came to that.
    code
        Exit code; negative for a signal.
    error
        What it left on its error stream.
    """

    lines: list[tuple[float, str]]
    result: Any
    code: int
    error: str

    @property
    def was_killed(self) -> bool:
        """True when SIGKILL ended it."""
        return self.code == -signal.SIGKILL

    @property
    def interrupted(self) -> str:
        """What it had begun and not ended, "" when it was between two things."""
        begun = ""
        for _, line in self.lines:
            word, _, what = line.partition(" ")
            if word == "begin":
                begun = what
            elif word == "end" or (word == "failed" and begun):
                begun = ""
        return begun

    def times(self, what: str) -> list[float]:
        """Seconds from each ``begin what`` to its ``end what``."""
        begun, found = 0.0, []
        for at, line in self.lines:
            if line == f"begin {what}":
                begun = at
            elif line == f"end {what}":
                found.append(at - begun)
        return found


class Nursery:
    """The tests' side. Usable in a ``with`` statement, by one thread at a time.

    Parameters
    ----------
    preload
        A library to put before all others.
    home
        Where its settings lie; those of the test unless given.
    """

    def __init__(self, *, preload: Path | None = None, home: Path | None = None) -> None:
        self._preload = preload
        self._home = home

    def __enter__(self) -> Nursery:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        if self._home is not None:
            environment["ORGSEG_HOME"] = str(self._home)
        if self._preload is not None:
            environment["LD_PRELOAD"] = str(self._preload)
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import serve; serve()"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def run(
        self,
        function: str,
        *arguments: Any,
        kill: tuple[str, int, float] | None = None,
        timeout: float = 120.0,
        **named: Any,
    ) -> Outcome:
        """Call ``module:function`` of this folder in a child; paths travel as text.

        Parameters
        ----------
        kill
            Start of a line, which one of its kind (from 1), and how many seconds after it.
        timeout
            A child that takes longer hangs: it is killed, and `TimeoutError` raised.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {
            "function": function,
            "arguments": arguments,
            "named": named,
            "kill": kill,
            "timeout": timeout,
        }
        self._process.stdin.write(json.dumps(request, default=str) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise AssertionError("the nursery itself has died")
        facts = json.loads(answer)
        if facts.pop("hung"):
            raise TimeoutError(f"{function} hung; its last lines: {facts['lines'][-5:]}")
        facts["lines"] = [(at, line) for at, line in facts["lines"]]
        return Outcome(**facts)


def side_by_side(
    work: Callable[[Nursery, T], R],
    items: Iterable[T],
    *,
    preload: Path | None = None,
    count: int | None = None,
) -> list[R]:
    """Do the work for every item, in several nurseries at once; the results are in order.

    Items are taken one by one as there is somebody free: a generator is never far ahead.
    """
    count = count or max(1, min(8, len(os.sched_getaffinity(0))))
    waiting, results = iter(enumerate(items)), dict[int, R]()
    door = threading.Lock()

    def work_through() -> None:
        with Nursery(preload=preload) as nursery:
            while True:
                with door:
                    number, item = next(waiting, (-1, None))
                if number < 0:
                    return
                results[number] = work(nursery, item)  # type: ignore[arg-type]

    with ThreadPoolExecutor(count) as pool:
        done, _ = wait([pool.submit(work_through) for _ in range(count)])
    for future in done:
        future.result()
    return [results[number] for number in sorted(results)]


# -- the nursery's side --------------------------------------------------------------------------


def serve() -> None:
    """Answer requests until the input ends."""
    for name in ("tests.files.crash.acts", "psutil", "numpy.random"):
        importlib.import_module(name)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a child prints must not mix with the answers
    gc.freeze()
    for line in sys.stdin:
        answers.write(json.dumps(_experiment(json.loads(line))) + "\n")
        answers.flush()


def _experiment(request: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as errors:
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            _child(request, writing, errors.fileno())
        os.close(writing)
        try:
            lines, hung = _listen(reading, pid, request["kill"], request["timeout"])
        finally:
            os.close(reading)
        _, status = os.waitpid(pid, 0)
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    result = None
    if lines and lines[-1][1].startswith("result "):
        result = json.loads(lines.pop()[1].removeprefix("result "))
    code = os.waitstatus_to_exitcode(status)
    return {"lines": lines, "result": result, "code": code, "error": said, "hung": hung}


def _child(request: dict[str, Any], writing: int, errors: int) -> None:
    """Call the function; never returns."""
    from tests.files.crash.storyteller import line_writer

    code = 1
    try:
        os.dup2(errors, 1)
        os.dup2(errors, 2)
        os.close(0)
        module, _, name = request["function"].partition(":")
        function = getattr(importlib.import_module(f"tests.files.crash.{module}"), name)
        say = line_writer(writing)
        result = function(say, *request["arguments"], **request["named"])
        say("result " + json.dumps(result))
        code = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _listen(
    reading: int, pid: int, kill: tuple[str, int, float] | None, timeout: float
) -> tuple[list[tuple[float, str]], bool]:
    """Collect a child's lines and kill it when it is time."""
    start = time.monotonic()
    end, is_set = start + timeout, False
    wanted, left, delay = kill or ("", 0, 0.0)
    lines: list[tuple[float, str]] = []
    rest = b""
    while True:
        wait = end - time.monotonic()
        if wait > 0:
            ready, _, _ = select.select([reading], [], [], wait)
        if wait <= 0 or not ready:
            os.kill(pid, signal.SIGKILL)
            if not is_set:
                return lines, True
            end, is_set = time.monotonic() + 60, False  # only to read what is left
            continue
        piece = os.read(reading, 2**16)
        if not piece:
            return lines, False
        now = time.monotonic()
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            lines.append((now - start, line.decode()))
            if kill and not is_set and line.decode().startswith(wanted):
                left -= 1
                if left == 0:
                    end, is_set = now + delay, True
