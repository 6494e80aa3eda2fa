"""HDF5 files of other programs, opened for reading."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orgseg_app.files.errors import FileError, ReadError
from orgseg_app.files.readers.names import shown


@contextmanager
def opened_hdf5(path: Path, damaged: Callable[[Exception], ReadError]) -> Iterator[Any]:
    """An h5py.File for reading; what goes wrong inside becomes one sentence.

    Parameters
    ----------
    path
        The file.
    damaged
        Makes the sentence for a file that HDF5 cannot read.

    Raises
    ------
    ReadError
        When it cannot be read or unpacked, or not in the memory there is.
    """
    import h5py

    from orgseg_app.files.safety.audit import DAMAGE

    try:
        with h5py.File(path, "r", locking=False, rdcc_nbytes=0) as opened:
            yield opened
    except ReadError:
        raise
    except FileError as error:
        raise ReadError(f"{shown(path)} could not be unpacked: {error}") from error
    except MemoryError as error:
        raise ReadError(f"{shown(path)} is too large for the memory of this computer.") from error
    except DAMAGE as error:
        raise damaged(error) from error
