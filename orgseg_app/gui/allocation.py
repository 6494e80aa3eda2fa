"""Memory that is used again and again is kept, not given back to the system after each use.

A frame takes some megabytes for a moment. glibc gives such memory back at once, and the system has
to clear it anew for the next frame, which takes several times as long as the frame itself.
"""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # as malloc.h has them
_LARGEST_KEPT = 2**24
_MOST_KEPT = 2**25


def keep_freed_memory() -> bool:
    """Keep up to 32 MB of what was let go of for the next frame; False where that is not needed.

    Pieces of 16 MB and more are given back at once, as ever. glibc itself raises both limits to
    twice as much while a program runs, but only after pieces so large have come and gone
    (mallopt(3), M_MMAP_THRESHOLD).
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT) and mallopt(_TRIM_THRESHOLD, _MOST_KEPT))
