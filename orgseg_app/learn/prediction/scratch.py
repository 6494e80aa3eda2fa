"""Arrays of planes that are set aside: in memory while there is room, then in a file.

They are written row by row and read in windows. A file is written to, not mapped and filled, so
that a full disk is an error and no crash; it is mapped only while a window is copied out, so that
what has been looked at does not count as memory of the process.
"""

from __future__ import annotations

import math
import os
import tempfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.files import atomic
from orgseg_app.learn.errors import DataError

_ROOM_BYTES = 512 * 2**20
_SHARE = 0.25
"""Of the memory that is free at the start; networks want the rest."""


class PlaneArray:
    """``(..., Y, X)``, written in whole rows, read anywhere; zeros where nothing was written.

    Parameters
    ----------
    shape, dtype
        Of the array.
    file
        Where it lies, opened for reading and writing without a buffer; in memory without.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any, file: IO[bytes] | None = None) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        self._file = file
        self._array: NDArray[Any] | None = None
        if file is None:
            self._array = np.zeros(shape, dtype)
        else:
            file.truncate(math.prod(shape) * self.dtype.itemsize)

    def put(self, lead: tuple[int, ...], y0: int, rows: NDArray[Any]) -> None:
        """Write rows ``(n, X)`` of one plane.

        Parameters
        ----------
        lead
            Which plane: an index for each axis before the last two.
        y0
            The first row.

        Raises
        ------
        DataError
            With a sentence, when the disk is full.
        """
        if self._array is not None:
            place: Any = (*lead, slice(y0, y0 + rows.shape[0]))
            self._array[place] = rows
            return
        assert self._file is not None
        plane = int(np.ravel_multi_index(lead, self.shape[:-2])) if lead else 0
        offset = (plane * self.shape[-2] + y0) * self.shape[-1] * self.dtype.itemsize
        data = np.ascontiguousarray(rows, self.dtype).data.cast("B")
        try:
            self._file.seek(offset)
            while data:
                data = data[self._file.write(data) or 0 :]
        except OSError as error:
            raise DataError(
                f"Setting a part of the prediction aside failed: {atomic.reason(error)}. Make room "
                "on the disk and go on."
            ) from error

    def put_all(self, y0: int, values: NDArray[Any], *, first: int = 0) -> None:
        """Write rows ``(..., n, X)`` of several planes: of the last axis of planes from `first`."""
        for lead in np.ndindex(values.shape[:-2]):
            self.put((*lead[:-1], lead[-1] + first), y0, values[lead])

    def look(self) -> NDArray[Any]:
        """The whole to read from; let go of it soon."""
        if self._array is not None:
            return self._array
        assert self._file is not None
        return np.memmap(self._file, self.dtype, "r", 0, self.shape)

    def sync(self) -> None:
        """Push what was written to the disk itself."""
        if self._file is not None:
            atomic.sync(self._file.fileno())

    def close(self) -> None:
        """Let go of it; a file of no name vanishes."""
        self._array = None
        if self._file is not None:
            self._file.close()


class Scratch:
    """Gives arrays by name, to be closed or used in a ``with`` statement.

    Parameters
    ----------
    folder
        Where files go, should they be needed; the system's folder for such files when not given.
    room_bytes
        How much stays in memory in all; chosen when not given.
    """

    def __init__(self, folder: Path | None = None, room_bytes: int | None = None) -> None:
        if room_bytes is None:
            import psutil

            free = int(psutil.virtual_memory().available * _SHARE)
            room_bytes = min(_ROOM_BYTES, free)
        self._folder, self._room = folder, room_bytes
        self._arrays: dict[str, PlaneArray] = {}

    def __enter__(self) -> Scratch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def array(self, name: str, shape: tuple[int, ...], dtype: Any) -> PlaneArray:
        """An array of a name: the one given before where it was alike, with what it holds.

        Raises
        ------
        DataError
            With a sentence, when the disk refuses.
        """
        known = self._arrays.get(name)
        if known is not None and (known.shape, known.dtype) == (shape, np.dtype(dtype)):
            return known
        if known is not None:
            self._drop(name)
        size = math.prod(shape) * np.dtype(dtype).itemsize
        try:
            made = self._make(name, shape, dtype, size)
        except OSError as error:
            raise DataError(
                f"Setting {size / 1e9:.1f} GB of the prediction aside failed: "
                f"{atomic.reason(error)}. Make room on the disk and go on."
            ) from error
        self._arrays[name] = made
        return made

    def _make(self, name: str, shape: tuple[int, ...], dtype: Any, size: int) -> PlaneArray:
        if size <= self._room:
            self._room -= size
            return PlaneArray(shape, dtype)
        folder = self._folder or Path(tempfile.gettempdir())
        file = tempfile.TemporaryFile(dir=folder, prefix="planes-", buffering=0)  # noqa: SIM115
        return PlaneArray(shape, dtype, file)

    def _drop(self, name: str) -> None:
        gone = self._arrays.pop(name)
        if gone._file is None:
            self._room += math.prod(gone.shape) * gone.dtype.itemsize
        gone.close()

    def close(self) -> None:
        """Let go of all arrays."""
        for name in list(self._arrays):
            self._drop(name)


class NamedScratch(Scratch):
    """As `Scratch`, with every array in a file that outlives the process.

    Parameters
    ----------
    folder
        Where; the files are called as the arrays.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, room_bytes=0)
        self._in = folder

    def _make(self, name: str, shape: tuple[int, ...], dtype: Any, size: int) -> PlaneArray:
        path = self._in / f"{name}.raw"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        return PlaneArray(shape, dtype, os.fdopen(descriptor, "r+b", buffering=0))

    def sync(self) -> None:
        """Push everything to the disk itself.

        Raises
        ------
        OSError
            When the disk refuses.
        """
        for array in self._arrays.values():
            array.sync()
