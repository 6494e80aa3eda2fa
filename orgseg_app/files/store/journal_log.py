"""Is the log of a journal whole? Asked before SQLite opens it.

SQLite's write-ahead log (``…-wal``) is a row of frames, each with a checksum over itself and all
before it. At the first one that does not fit, SQLite takes the log to end there: right after a
power cut, where what follows was never confirmed, and silent where a disk has changed a byte under
strokes that were. The two differ in what comes behind.

Source: https://sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import functools
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WHOLE, TORN, DAMAGED = "whole", "torn", "damaged"

_HEADER = struct.Struct(">IIIIIIII")
_FRAME = struct.Struct(">IIIIII")
_LITTLE, _BIG = 0x377F0682, 0x377F0683
_PAGE_SIZES = frozenset(2**n for n in range(9, 17))

Pair = NDArray[np.uint32]


def condition(log: Path) -> str:
    """Look at a write-ahead log that nobody has open.

    Returns
    -------
    str
        ``"whole"``: all that was confirmed is there (also when there is no log). ``"torn"``: the
        last commit is incomplete; the machine stopped while it was written, or it was damaged
        later. ``"damaged"``: at least one commit that was confirmed cannot be read.
    """
    try:
        content = log.read_bytes()
    except OSError:
        return WHOLE
    if len(content) <= _HEADER.size:
        return WHOLE
    magic, _, page_size, _, salt1, salt2, sum1, sum2 = _HEADER.unpack_from(content)
    order = {_LITTLE: "<u4", _BIG: ">u4"}.get(magic)
    if order is None or page_size not in _PAGE_SIZES:
        return TORN
    start = np.zeros(2, np.uint32)
    total = _checksum(start, np.frombuffer(content, order, 6))
    if (int(total[0]), int(total[1])) != (sum1, sum2):
        return TORN
    length = _FRAME.size + page_size
    frames = range(_HEADER.size, len(content) - length + 1, length)
    is_open = False  # within a transaction
    for number, at in enumerate(frames):
        _, commits, frame_salt1, frame_salt2, sum1, sum2 = _FRAME.unpack_from(content, at)
        is_ours = (frame_salt1, frame_salt2) == (salt1, salt2)
        if is_ours:
            total = _checksum(total, np.frombuffer(content, order, 2, at))
            words = np.frombuffer(content, order, page_size // 4, at + _FRAME.size)
            total = _checksum(total, words)
            if (int(total[0]), int(total[1])) == (sum1, sum2):
                is_open = not commits
                continue
        later = _commits_from(content, frames[number:], (salt1, salt2))
        if later > 1:
            return DAMAGED
        return TORN if later or is_open or is_ours else WHOLE
    return WHOLE


def _commits_from(content: bytes, frames: range, salts: tuple[int, int]) -> int:
    """Frames of this log that end a transaction."""
    found = 0
    for at in frames:
        _, commits, salt1, salt2, _, _ = _FRAME.unpack_from(content, at)
        found += bool(commits) and (salt1, salt2) == salts
    return found


def _checksum(start: Pair, words: NDArray[np.generic]) -> Pair:
    """SQLite's running checksum over pairs of words, all modulo 2³².

    ``s0 += a + s1; s1 += b + s0`` for each pair (a, b) is linear in everything: the end is a matrix
    times the start plus a weighted sum of the pairs.
    """
    pairs = words.astype(np.uint32).reshape(-1, 2)
    weights, power = _weights(len(pairs))
    shifted = np.stack([pairs[:, 0], pairs[:, 0] + pairs[:, 1]], axis=1)
    summed = (weights * shifted[:, np.newaxis, :]).sum(axis=(0, 2), dtype=np.uint32)
    end: Pair = (power * start).sum(axis=1, dtype=np.uint32) + summed
    return end


@functools.cache
def _weights(count: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """What each of ``count`` pairs ends up multiplied by, ``(count, 2, 2)``, and the start."""
    step = np.array([[1, 1], [1, 2]], np.uint32)
    power = np.eye(2, dtype=np.uint32)
    weights = np.empty((count, 2, 2), np.uint32)
    for place in range(count - 1, -1, -1):
        weights[place] = power
        power = (power[:, :, np.newaxis] * step[np.newaxis]).sum(axis=1, dtype=np.uint32)
    return weights, power
