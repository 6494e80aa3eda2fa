"""A folder in memory: the disk's speed is not what these tests try, and ``fsync`` is played."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ENOUGH = 2**29


@contextlib.contextmanager
def folder_in_memory(otherwise: Path) -> Iterator[Path]:
    """Make a folder there and remove it afterwards; on the disk where there is too little memory.

    Parameters
    ----------
    otherwise
        Used then.
    """
    usable = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)
    if not usable or shutil.disk_usage(_MEMORY).free < _ENOUGH:
        yield Path(os.path.realpath(otherwise))
        return
    folder = Path(tempfile.mkdtemp(prefix="orgseg-crash-", dir=_MEMORY))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
