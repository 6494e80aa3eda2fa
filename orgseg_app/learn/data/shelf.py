"""Keeping planes at hand: in memory while there is room, then in a file of no name."""

from __future__ import annotations

import math
import tempfile
import weakref
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from orgseg_app.learn.errors import DataError

T = TypeVar("T", bound=np.generic)

_SHARE = 0.25
"""Of the memory that is free at the start; networks want the rest."""


class Shelf:
    """Takes arrays and gives them back to read from.

    What goes into the file is read through the system's page cache, which keeps what is used
    often. The file vanishes with the process, however that ends.

    Parameters
    ----------
    folder
        Where the file goes, should it be needed: the folder of the run.
    room_bytes
        How much stays in memory; a quarter of what is free unless given.
    """

    def __init__(self, folder: Path, room_bytes: int | None = None) -> None:
        if room_bytes is None:
            import psutil

            room_bytes = int(psutil.virtual_memory().available * _SHARE)
        self._folder, self._room = folder, room_bytes
        self._file: IO[bytes] | None = None
        self.filed_bytes = 0

    def put(self, array: NDArray[T]) -> NDArray[T]:
        """The array as it is, or a read-only one with the same values from the file.

        Raises
        ------
        DataError
            With a sentence, when the disk is full or cannot be written.
        """
        if array.nbytes <= self._room:
            self._room -= array.nbytes
            return array
        try:
            return self._filed(array)
        except OSError as error:
            size = math.ceil((self.filed_bytes + array.nbytes) / 1e9)
            raise DataError(
                f"The training images do not fit into memory, and setting {size} GB of them aside "
                f'in "{self._folder}" failed: {error.strerror or error}. The project is untouched; '
                "make room on the disk, or train on fewer images."
            ) from error

    def _filed(self, array: NDArray[Any]) -> NDArray[Any]:
        if self._file is None:
            # What is mapped outlives it: each map holds the file open for itself.
            self._file = tempfile.TemporaryFile(dir=self._folder, prefix="planes-")  # noqa: SIM115
            weakref.finalize(self, self._file.close)
        offset = self._file.seek(0, 2)
        # Written, not mapped and filled: a full disk is then an error, and no crash.
        self._file.write(np.ascontiguousarray(array).data.cast("B"))
        self._file.flush()
        self.filed_bytes += array.nbytes
        mapped = np.memmap(self._file, array.dtype, "r", offset, array.shape)
        return np.asarray(mapped)
