"""Files that are old or new, never half.

Everything OrgSeg writes goes into a hidden file beside its target first, is pushed to the disk, and
takes the target's place in one step. A process killed on the way leaves the target as it was, and a
leftover called ``.NAME.saving-PID`` that `leftovers` recognises.

HDF5 itself is kept away from I/O errors: on a full disk its own driver takes the process down (and
its authors say so). It writes into a `GuardedFile`, which remembers the first error and lets HDF5
finish in memory; the error is raised afterwards, and the target is not touched.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from orgseg_app.files.errors import FileError

SPARE_BYTES = 64 * 2**20
"""Free space that must remain beyond what is written."""

RETRY_SECONDS = 2.5
"""How long a file may be held by a virus scanner before we give up."""

_COPY_STEP = 8 * 2**20
_LEFTOVER = re.compile(r"\.saving-(\d+)(?:-\d+)?$")
_LONGEST_NAME = 200
_BINARY: int = getattr(os, "O_BINARY", 0)


class SpaceError(FileError):
    """The disk has no room for what was to be written."""


def draft_path(target: Path, attempt: int = 0) -> Path:
    """The hidden file beside ``target`` that this process writes first."""
    suffix = f".saving-{os.getpid()}" + (f"-{attempt}" if attempt else "")
    return target.with_name(f".{shortened(target.name, _LONGEST_NAME)}{suffix}")


def leftovers(target: Path) -> list[tuple[Path, int]]:
    """Drafts of ``target`` lying beside it, with the id of the process that wrote each."""
    prefix = f".{shortened(target.name, _LONGEST_NAME)}.saving-"
    found = []
    with contextlib.suppress(OSError), os.scandir(target.parent) as entries:
        for entry in entries:
            match = _LEFTOVER.search(entry.name)
            if match and entry.name.startswith(prefix) and entry.is_file(follow_symlinks=False):
                found.append((Path(entry.path), int(match[1])))
    return found


@contextlib.contextmanager
def replacing(target: Path, *, overwrite: bool = True) -> Iterator[Path]:
    """Write ``target`` through a draft: yields the draft's path, and puts it in place at the end.

    The body opens the path (an empty file), writes and closes it. When the body raises, the draft
    is removed and the target is as before.

    Raises
    ------
    FileExistsError
        With ``overwrite=False`` when the target exists by the time the draft is complete.
    OSError
        When the draft cannot be made, pushed to the disk or put in place.
    """
    draft = make_draft(target)
    try:
        yield draft
        descriptor = os.open(draft, os.O_RDWR | _BINARY)
        try:
            sync(descriptor)
        finally:
            os.close(descriptor)
        put_in_place(draft, target, overwrite=overwrite)
    except BaseException:
        discard(draft)
        raise


def make_draft(target: Path) -> Path:
    """Create the empty draft of ``target``, with the target's permissions where it exists."""
    attempt = 0
    while True:
        draft = draft_path(target, attempt)
        try:
            os.close(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o666))
            break
        except FileExistsError:
            attempt += 1
            if attempt > 99:
                raise
    with contextlib.suppress(OSError):
        shutil.copymode(target, draft)
        os.chmod(draft, os.stat(draft).st_mode | 0o600)
    return draft


def discard(draft: Path) -> None:
    """Remove a draft; one that cannot be removed now is removed at the next open."""
    with contextlib.suppress(OSError):
        draft.unlink(missing_ok=True)


def put_in_place(draft: Path, target: Path, *, overwrite: bool = True) -> None:
    """Let the draft take the target's place in one step, and push the folder to the disk.

    On Windows a virus scanner or an indexer may hold either file for a moment: a refusal is tried
    again for `RETRY_SECONDS`.
    """
    deadline = time.monotonic() + RETRY_SECONDS
    pause = 0.02
    while True:
        try:
            if overwrite:
                os.replace(draft, target)
            else:
                _rename_new(draft, target)
            break
        except PermissionError:
            if time.monotonic() + pause > deadline:
                raise
            time.sleep(pause)
            pause = min(2 * pause, 0.5)
    sync_folder(target.parent)


def sync(descriptor: int) -> None:
    """Push a file's bytes to the medium itself; an error means *not saved*."""
    if sys.platform == "darwin":
        import fcntl

        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EINVAL, errno.ENOTTY):
                raise
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Push a rename to the medium, where the system lets us open folders."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def replace_unsynced(target: Path, data: bytes) -> None:
    """Put a small file in place in one step, without waiting for the disk.

    For what may be lost: after a power cut it may be damaged, or as it was before.

    Raises
    ------
    OSError
        When it cannot be written; what was there stays.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        draft.write_bytes(data)
        os.replace(draft, target)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def check_space(folder: Path, new_bytes: int, what: str) -> None:
    """Refuse before anything is written when the disk has no room.

    Raises
    ------
    SpaceError
        With the room needed and the room there is.
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return  # the write itself will say what is wrong
    needed = new_bytes + SPARE_BYTES
    if free < needed:
        raise SpaceError(
            f"There is not enough room on the disk for {what}: {megabytes(needed)} are needed, "
            f"{megabytes(free)} are free. Nothing was written; free some room and try again."
        )


def copy_bytes(source: int, target: int, size: int) -> None:
    """Copy the first ``size`` bytes between two file descriptors, inside the kernel if it can.

    Raises
    ------
    OSError
        When the source is shorter, or cannot be read, or the target cannot be written.
    """
    done = 0
    if sys.platform == "linux":
        try:
            while done < size:
                step = os.copy_file_range(source, target, min(size - done, 2**30), done, done)
                if step == 0:
                    break
                done += step
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
                raise
    os.lseek(source, done, os.SEEK_SET)
    os.lseek(target, done, os.SEEK_SET)
    while done < size:
        piece = memoryview(os.read(source, min(size - done, _COPY_STEP)))
        if not piece:
            raise OSError(errno.EIO, "the file became shorter while it was copied")
        done += len(piece)
        while piece:
            piece = piece[os.write(target, piece) :]


def megabytes(size: int) -> str:
    """A size for people.

    >>> megabytes(3_500_000), megabytes(12_300_000_000)
    ('4 MB', '12.3 GB')
    """
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{-(-size // 10**6)} MB"


def reason(error: OSError) -> str:
    """Why the system refused, in words that end a sentence."""
    if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        return "the disk is full"
    if isinstance(error, PermissionError) or error.errno == errno.EROFS:
        return "there is no permission to write there"
    if isinstance(error, FileNotFoundError):
        return "the folder is no longer there"
    if isinstance(error, NotADirectoryError):
        return "part of the path is a file, not a folder"
    if error.errno == errno.ENAMETOOLONG:
        return "the name is too long"
    if error.errno and "errno = " in str(error):  # HDF5's account of itself
        return os.strerror(error.errno).lower()
    return (error.strerror or str(error) or type(error).__name__).rstrip(".").lower()


class GuardedFile(io.RawIOBase):
    """A file for h5py's ``fileobj`` driver that never fails in front of HDF5.

    The first write that fails is remembered in `error`; from then on writes are kept in memory, so
    that HDF5 can finish and close. The caller looks at `error` (`check`) and throws the file away.

    Parameters
    ----------
    descriptor
        An open, readable and writable file; closed by `close`.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        self._position = 0
        self._size = os.fstat(descriptor).st_size
        self._kept: list[tuple[int, bytes]] = []
        self.error: OSError | None = None

    def check(self) -> None:
        """Raise the first error there was.

        Raises
        ------
        OSError
            As the system reported it.
        """
        if self.error is not None:
            raise self.error

    def sync(self) -> None:
        """Push everything to the disk."""
        self.check()
        sync(self._file.fileno())

    def readable(self) -> bool:
        """Always."""
        return True

    def writable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next byte goes."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; past the end is fine."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def truncate(self, size: int | None = None) -> int:
        """Cut or extend."""
        size = self._position if size is None else size
        if self.error is None:
            try:
                self._file.truncate(size)
            except OSError as error:
                self.error = error
        self._size = size
        return size

    def flush(self) -> None:
        """Nothing is buffered here; `sync` reaches the disk."""

    def close(self) -> None:
        """Close the file below."""
        if not self.closed:
            self._file.close()
        super().close()

    def readinto(self, buffer: object) -> int:
        """Read up to the end; what could not be written comes from memory."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        count = max(0, min(len(view), self._size - self._position))
        done = 0
        self._file.seek(self._position)
        while done < count:
            step = self._file.readinto(view[done:count])
            if not step:
                view[done:count] = bytes(count - done)
                break
            done += step
        for offset, piece in self._kept:
            low = max(offset, self._position)
            high = min(offset + len(piece), self._position + count)
            if low < high:
                at = low - self._position
                view[at : at + high - low] = piece[low - offset : high - offset]
        self._position += count
        return count

    def write(self, data: object) -> int:
        """Write all of it, or remember why not."""
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        if self.error is None:
            try:
                self._file.seek(self._position)
                rest = view
                while rest:
                    rest = rest[self._file.write(rest) or 0 :]
            except OSError as error:
                self.error = error
        if self.error is not None:
            self._kept.append((self._position, bytes(view)))
        self._position += len(view)
        self._size = max(self._size, self._position)
        return len(view)


def _rename_new(draft: Path, target: Path) -> None:
    """Rename, refusing to replace: by a hard link where there are any, else after a look."""
    if sys.platform != "win32":
        try:
            os.link(draft, target)
        except FileExistsError:
            raise
        except OSError:
            if os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, "exists", str(target)) from None
        else:
            os.unlink(draft)
            return
    os.rename(draft, target)


def shortened(name: str, longest: int) -> str:
    """The name; its beginning and a hash of all of it where it has more bytes than ``longest``."""
    if len(os.fsencode(name)) <= longest:
        return name
    import hashlib

    return f"{name[:32]}~{hashlib.sha256(os.fsencode(name)).hexdigest()[:12]}"
