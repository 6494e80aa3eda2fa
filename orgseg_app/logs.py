"""Log files and crash traces, for bug reports. Nothing here can stop the app from starting.

Every start that asks for it gets a log file of its own (two windows never rotate each other's file
away); the newest ten are kept. Python's fault handler writes beside it what a crash in native code
would otherwise take along; that file is empty, and goes, when the app ends well.
"""

from __future__ import annotations

import atexit
import faulthandler
import logging
import os
import sys
import threading
import time
from pathlib import Path
from types import TracebackType

from orgseg_app import paths

KEPT = 10
"""Log files kept, the newest ones."""

LARGEST_BYTES = 4_000_000
"""A log file stops growing here: the reason of a failure is in its first lines."""

_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


class _BoundedFile(logging.FileHandler):
    """A log file that stops growing at `LARGEST_BYTES`, and says so in its last line."""

    _is_full = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, unless the file is full."""
        if self._is_full:
            return
        super().emit(record)
        try:
            self._is_full = self.stream is None or self.stream.tell() > LARGEST_BYTES
            if self.stream is not None and self._is_full:
                self.stream.write("This log is full; nothing more is written to it.\n")
                self.flush()
        except (OSError, ValueError):
            self._is_full = True


def start(name: str = "window", *, folder: Path | None = None) -> Path | None:
    """Begin a log file and the crash trace beside it.

    Uncaught exceptions of any thread are logged, then shown as before.

    Parameters
    ----------
    name
        What is starting ("window", "command"): the beginning of the file's name.
    folder
        Where the files go; None means `paths.log_dir`.

    Returns
    -------
    Path or None
        The log file; None where none can be written (the app runs on without).
    """
    logging.raiseExceptions = False  # a full disk must not turn each message into a traceback
    try:
        folder = paths.log_dir() if folder is None else folder
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
        handler = _BoundedFile(folder / f"{stem}.log", encoding="utf-8", errors="replace")
    except OSError:
        return None
    handler.setFormatter(logging.Formatter(_FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    _log_uncaught()
    _trace_crashes(folder / f"{stem}.crash")
    _drop_old(folder)
    return folder / f"{stem}.log"


def crash_traces(folder: Path | None = None) -> list[Path]:
    """Return the traces that earlier crashes left, newest first.

    A file of a process that still runs is empty, so it is never among them.
    """
    folder = paths.log_dir() if folder is None else folder
    try:
        found = [path for path in folder.glob("*.crash") if path.stat().st_size]
        return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
    except OSError:
        return []


def _log_uncaught() -> None:
    """Log exceptions nobody caught, in any thread, before the previous hooks see them."""
    shown, shown_thread = sys.excepthook, threading.excepthook
    logger = logging.getLogger("orgseg_app")

    def on_main(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            logger.critical("not caught", exc_info=(kind, error, trace))
        shown(kind, error, trace)

    def on_thread(caught: threading.ExceptHookArgs) -> None:
        if caught.exc_value is not None:
            error = (caught.exc_type, caught.exc_value, caught.exc_traceback)
            logger.critical("not caught in a thread", exc_info=error)
        shown_thread(caught)

    sys.excepthook = on_main
    threading.excepthook = on_thread


def _trace_crashes(path: Path) -> None:
    """Let the fault handler write to `path`; the file goes when the app ends without a crash."""
    try:
        # Unbuffered and open until the end: the fault handler writes to its file number.
        stream = path.open("wb", buffering=0)
        faulthandler.enable(stream)
    except (OSError, RuntimeError, ValueError):
        return

    def end() -> None:
        try:
            faulthandler.disable()
            empty = stream.tell() == 0 and path.stat().st_size == 0
            stream.close()
            if empty:
                path.unlink()
        except (OSError, ValueError):
            pass

    atexit.register(end)


def _drop_old(folder: Path) -> None:
    """Delete all but the newest `KEPT` log files and crash traces of a folder."""
    for pattern in ("*.log", "*.crash"):
        try:
            oldest_last = sorted(
                folder.glob(pattern), key=lambda path: path.stat().st_mtime, reverse=True
            )
        except OSError:
            continue
        for path in oldest_last[KEPT:]:
            try:
                path.unlink()
            except OSError:  # on Windows, another window has it open
                continue
