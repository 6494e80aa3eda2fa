"""Events: one JSON object a line, appended by the job, read by anyone who watches it.

A last half line (the writer was cut off, or is writing) is left for the next read; a line that
is no JSON object with an ``"event"`` is skipped. Readers ignore events and fields they do not know.

Every event has ``event`` and ``time``. The kinds, with their fields:

``state``
    ``state``: queued, running or paused.
``started``
    ``device`` (a line of text), ``parameters``, ``steps``, ``step`` (from which it goes on),
    ``images`` {split: count}.
``step``
    ``step``, ``loss`` (mean since the last such event), ``learning_rate``, ``patches_per_s``,
    ``seconds_left``, ``memory_bytes`` (of the job, in RAM), ``gpu_memory_bytes`` (the most on the
    card so far, or null), ``device``.
``validation``
    ``step``, ``loss``, ``iou`` {class id: 0…1}, ``mean_iou``, ``best``; ``mean_ap`` of recipes that
    learn single objects; ``interval`` and
    ``iou_interval``: low and high end of the 95 % bootstrap interval of each, or null;
    ``units`` ("planes", "tiles of 128 pixels") and ``unit_count``: what was drawn for it.
``preview``
    ``step``, ``image``, ``image_id``, ``z``, ``path`` (8-bit PNG of class ids, relative to the run
    folder; null with a ``reason`` where there is none). See `runs.previews`.
``progress``
    ``done``, ``total``, ``item``, ``phase`` (predict, score, choose), ``part`` of the item 0…1.
``ensemble``
    ``ranked`` (members, the best first: run, name, validation), ``tried`` (``k``, validation of the
    best ``k`` together), ``k``, ``how``, ``turns``: as in ``ensemble.json``.
``message``
    ``text``: a sentence for the user.
``finished``, ``stopped``, ``failed``
    The last one: ``run``, ``message``, ``validation`` and ``test`` (pooled scores or null), and
    ``refused``: test images without a score, each with a ``reason``.
"""

from __future__ import annotations

import errno
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

LAST_EVENTS = frozenset({"finished", "stopped", "failed"})

_RUNNING_EVENTS = frozenset({"started", "step", "validation", "progress"})
_TAIL_BYTES = 8192


def _plain(value: Any) -> Any:
    """`value` as JSON can hold it: NaN and infinity become null, keys text, the rest as is."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):  # a numpy scalar
        return _plain(value.item())
    return value


class EventWriter:
    """Appends events to a file, each in one write, so that a line is whole or the last one.

    Parameters
    ----------
    path : Path
        Made when it is not there. When a writer before was cut off in the middle of a line, that
        line is closed first, so that only it is lost.

    Raises
    ------
    OSError
        When the file cannot be opened for appending.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._fd: int | None = os.open(path, flags, 0o644)
        size = os.fstat(self._fd).st_size
        if size:
            os.lseek(self._fd, size - 1, os.SEEK_SET)
            if os.read(self._fd, 1) != b"\n":
                os.write(self._fd, b"\n")

    def write(self, event: str, **fields: Any) -> dict[str, Any]:
        """Append one event.

        Parameters
        ----------
        event : str
            Its kind.
        **fields
            What belongs to it; NaN and infinity are written as null. ``time`` (seconds since
            1970, UTC) is added.

        Returns
        -------
        dict
            The event as written.

        Raises
        ------
        OSError
            When the disk refuses.
        """
        if self._fd is None:
            raise ValueError("this event file is closed")
        record: dict[str, Any] = _plain({"event": event, "time": round(time.time(), 3)} | fields)
        line = msgspec.json.encode(record) + b"\n"
        if os.write(self._fd, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        return record

    def close(self) -> None:
        """Close the file; more than once does no harm."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        record = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(record, dict) and isinstance(record.get("event"), str):
        return record
    return None


def read_events(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """All whole events from `offset` on.

    Parameters
    ----------
    path : Path
    offset : int
        In bytes; 0 or what an earlier call returned. When the file has become shorter than that
        (it was replaced), reading starts at its beginning.

    Returns
    -------
    events : list of dict
    new_offset : int
        Where the next call should begin. A file that is not there gives no events and `offset`.
    """
    try:
        with open(path, "rb") as file:
            if offset > os.fstat(file.fileno()).st_size:
                offset = 0
            file.seek(offset)
            data = file.read()
    except OSError:
        return [], offset
    end = data.rfind(b"\n") + 1
    events = [record for line in data[:end].splitlines() if (record := _parse(line)) is not None]
    return events, offset + end


def tail_events(path: Path) -> list[dict[str, Any]]:
    """The last events of a file, at most about 8 KB of them (at least one, if there is any)."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            span = _TAIL_BYTES
            while True:
                start = max(0, size - span)
                file.seek(start)
                lines = file.read(size - start).split(b"\n")
                # The first piece may begin in the middle of a line, the last one is half or empty.
                whole = lines[1:-1] if start else lines[:-1]
                events = [record for line in whole if (record := _parse(line)) is not None]
                if events or not start:
                    return events
                span *= 8
    except OSError:
        return []


def state_from_events(events: list[dict[str, Any]]) -> str | None:
    """The state that the last telling event stands for, or None when none tells.

    Examples
    --------
    >>> state_from_events([{"event": "state", "state": "paused"}, {"event": "message"}])
    'paused'
    """
    for record in reversed(events):
        kind = record["event"]
        if kind in LAST_EVENTS:
            return str(kind)
        if kind == "state" and record.get("state") in ("queued", "running", "paused"):
            return str(record["state"])
        if kind in _RUNNING_EVENTS:
            return "running"
    return None
