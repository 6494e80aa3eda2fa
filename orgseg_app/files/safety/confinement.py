"""What a child process gives up before it looks at a stranger's file.

It never writes: files may not grow, and there is no core dump. Its memory and its processor time
end where a question's budget ends. Linux does all of this; macOS does not limit memory, and Windows
nothing, so the parent watches as well (`orgseg_app.files.safety.child`).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

if sys.platform != "win32":
    import resource

_OPEN_FILES = 64
_MAX_QUESTION = 2**20


class Pipes:
    """The child's end of the conversation.

    Standard input and output are kept for it alone: what a library prints goes nowhere.
    """

    def __init__(self) -> None:
        self._questions: BinaryIO = os.fdopen(os.dup(0), "rb")
        self._answers: BinaryIO = os.fdopen(os.dup(1), "wb", buffering=0)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        os.close(nothing)

    def questions(self) -> Iterator[dict[str, Any]]:
        """One question after the other, until the parent has none left, or has gone."""
        while line := self._questions.readline(_MAX_QUESTION):
            yield json.loads(line)

    def answer(self, answer: dict[str, Any], raw: memoryview | None = None) -> None:
        """Answer with a line, and raw bytes behind it."""
        self._write(memoryview(json.dumps(answer).encode() + b"\n"))
        if raw is not None:
            self.answer_raw(raw)

    def answer_raw(self, raw: memoryview) -> None:
        """Answer with bytes alone, which the line before has announced."""
        self._write(raw.cast("B"))

    def _write(self, data: memoryview) -> None:
        while data:
            data = data[self._answers.write(data) or 0 :]


def give_up() -> None:
    """Give up what reading a file does not need; for good."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's to answer
    if sys.platform != "win32":
        for kind, limit in (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_NOFILE, _OPEN_FILES),
        ):
            _limit(kind, limit, limit)


def limit_memory(budget: int) -> None:
    """Let allocations fail beyond ``budget`` bytes more than are taken now (Linux only).

    May be called again with another budget. What counts are addresses, so that a claim fails at
    once, before the memory is touched.
    """
    if sys.platform == "linux":
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        _limit(resource.RLIMIT_AS, _addresses() + budget, hard)


def limit_cpu(seconds: float) -> None:
    """Let this process end when it has computed for that much longer (not on Windows)."""
    if sys.platform != "win32":
        used = resource.getrusage(resource.RUSAGE_SELF)
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        # Whole seconds only, and never too few: the parent watches more finely.
        _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + seconds) + 2, hard)


def _addresses() -> int:
    """Bytes of address space taken."""
    with open("/proc/self/statm", "rb") as stream:
        return int(stream.read().split()[0]) * resource.getpagesize()


def _limit(kind: int, soft: int, hard: int) -> None:
    """Set a limit, as far as the system lets it be set."""
    if sys.platform != "win32":
        if hard != resource.RLIM_INFINITY:
            soft = min(soft, hard)
        try:
            resource.setrlimit(kind, (soft, hard))
        except (OSError, ValueError):
            pass  # the parent watches
