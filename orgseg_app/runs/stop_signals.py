"""Signals that ask a process to end: of a computer that shuts down, of a person's Ctrl+C."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def heeding_stop_signals(asked: Callable[[], object]) -> Iterator[None]:
    """Take SIGTERM, SIGINT and SIGBREAK as requests to stop, instead of ending at once.

    Parameters
    ----------
    asked
        Called when one comes, in the main thread; to be quick.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        asked()

    before = {}
    for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None:
            before[number] = signal.signal(number, on_signal)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
