"""The journal: the durable log beside an open project, ``NAME.orgseg-journal``.

An SQLite database (write-ahead log, every commit pushed to the disk) with one connection. It holds

- the *changes* of the undo history, and the *operations* (do, undo, redo) since the last save: what
  a crash leaves here is done again at the next opening;
- the names, classes, splits and notes since the last save, as JSON;
- the pages of a save under way. The transaction that stores them is the moment of that save: before
  it the project is the old one, after it the new one, whatever happens to the machine.

Sources: the method is that of SQLite's own write-ahead log (https://sqlite.org/wal.html), one level
up. PostgreSQL's experience with failed fsync says that a connection that failed is not used again.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import struct
import threading
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from orgseg_app.core.edits.change import Change
from orgseg_app.files.errors import FileError
from orgseg_app.files.store.header import Header
from orgseg_app.files.store.journal_rows import (
    DO,
    DONE,
    DROPPED,
    UNDO,
    UNDONE,
    Batch,
    DamagedJournalError,
    JournalError,
    Operation,
    Recovered,
    Save,
    change_of,
    checksum,
    pages_checksum,
    row_of,
    step_of,
)

FORMAT = 2
"""Raised with the schema version: what a newer program left in a journal is not for this one."""

SIDE_SUFFIXES = ("", "-wal", "-shm")

_NOT_DONE = f"state <> '{DONE}'"

_TABLES = (
    "create table if not exists meta(key text primary key, value text, crc integer)",
    "create table if not exists change(number integer primary key, image text, layer text,"
    " title text, box text, made text, size integer, state text, crc integer, payload blob)",
    "create table if not exists operation(number integer primary key, kind text, change integer,"
    " crc integer)",
    "create table if not exists save(id integer primary key check(id = 1), facts text,"
    " crc integer)",
    "create table if not exists page(number integer primary key, bytes blob)",
    # Nearly all changes are done, so this costs nothing; without it, every commit would read the
    # whole history to find the few that are not.
    f"create index if not exists not_done on change(state) where {_NOT_DONE}",
)


class Journal:
    """The side file of one project that is open for writing. May be called from any thread.

    Parameters
    ----------
    path
        The database; made when it is not there.
    look_only
        Change nothing on the disk. For a journal that was closed and nobody has open.

    Raises
    ------
    JournalError
        When it cannot be opened or made.
    DamagedJournalError
        When it is not a journal, or damaged.
    """

    def __init__(self, path: Path, *, look_only: bool = False) -> None:
        self.path = path
        self._look_only = look_only
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._open()

    # -- opening and closing ---------------------------------------------------------------------

    def _open(self) -> None:
        where = self.path.absolute().as_uri()
        try:
            connection = sqlite3.connect(
                f"{where}?mode=ro&immutable=1" if self._look_only else where,
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                timeout=2.0,
            )
        except sqlite3.Error as error:
            raise JournalError(_why(error)) from error
        try:
            connection.execute("pragma trusted_schema=off")
            if connection.execute("pragma user_version").fetchone()[0] > FORMAT:
                raise JournalError("it was written by a newer version of OrgSeg")
            if self._look_only:
                connection.execute("select count(*) from meta")
            else:
                self._prepare(connection.execute)
        except sqlite3.DatabaseError as error:
            with contextlib.suppress(sqlite3.Error):
                connection.close()
            raise _translated(error) from error
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        status = os.stat(self.path)
        self._identity = status.st_dev, status.st_ino

    def _prepare(self, run: Any) -> None:
        run("pragma auto_vacuum=incremental")
        run("pragma locking_mode=exclusive")
        if run("pragma journal_mode=wal").fetchone()[0] != "wal":
            raise JournalError("the file system cannot keep a write-ahead log")
        run("pragma synchronous=full")
        run("pragma fullfsync=1")  # on macOS fsync alone leaves the data in the drive's cache
        run("pragma checkpoint_fullfsync=1")
        run("begin immediate")
        for table in _TABLES:
            run(table)
        if run("pragma user_version").fetchone()[0] != FORMAT:  # else each opening would write
            run(f"pragma user_version={FORMAT}")
        run("commit")

    def reopen(self) -> None:
        """Start over with a new connection, after one that failed.

        What was not confirmed may or may not be there; the caller looks.
        """
        with self._lock:
            self._let_go()
            self._open()

    def close(self, *, remove: bool = False) -> None:
        """Close it; with ``remove`` nothing in it is needed any more."""
        with self._lock:
            if self._connection is not None and not remove:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("pragma incremental_vacuum")
            self._let_go()
            if remove:
                remove_journal(self.path)

    def _let_go(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    # -- which file it belongs to ----------------------------------------------------------------

    def identity(self) -> tuple[Header, int, bool] | None:
        """Version of the file it belongs to, its size, and whether it was closed in order.

        None for a journal that is new.
        """
        with self._reading() as run:
            text = self._meta(run, "file")
        if text is None:
            return None
        facts = json.loads(text)
        header = Header(facts["file_id"], facts["generation"], facts["mark"])
        return header, int(facts["size"]), bool(facts["closed"])

    def belong_to(self, header: Header, size: int, *, closed: bool, upto: int = -1) -> None:
        """Note the version of the file it belongs to, in bytes its size.

        With ``upto``, for a journal that begins in the middle of a session: what comes next is the
        operation after that one.
        """
        with self._writing() as run:
            self._set_file(run, header, size, closed)
            if upto >= 0:
                self._set_meta(run, "upto", str(upto))

    @property
    def is_gone(self) -> bool:
        """True when another program has deleted or replaced it: what we write goes nowhere."""
        try:
            status = os.stat(self.path)
        except OSError:
            return True
        return (status.st_dev, status.st_ino) != self._identity

    # -- edits -----------------------------------------------------------------------------------

    def append(self, batch: Batch, saved_upto: int) -> None:
        """Make a batch durable; it is when this returns.

        Parameters
        ----------
        saved_upto
            Operations up to this one are in the project file already, and noted for the history.
        """
        with self._writing() as run:
            for operation in batch.operations:
                self._append(run, operation, saved_upto)
            for number in batch.dropped:
                run("update change set state = ? where number = ?", (DROPPED, number))
            if batch.operations:
                self._set_meta(run, "last", str(batch.operations[-1].number))
            if batch.facts is not None:
                self._set_meta(run, "facts", json.dumps([batch.serial, batch.facts]))
            if batch.marks is not None:
                self._set_meta(run, "marks", batch.marks)
            if batch.dropped:
                self._tidy(run)

    def _append(self, run: Any, operation: Operation, saved_upto: int) -> None:
        number, kind, step, change = (
            operation.number,
            operation.kind,
            operation.step,
            operation.change,
        )
        if kind == DO and change is not None:
            # What could have been redone is dropped by the next change, as in the history.
            run(f"update change set state = ? where {_NOT_DONE} and state = ?", (DROPPED, UNDONE))
            row = row_of(step, operation.made, change)
            columns = "number, image, layer, title, box, made, size, state, crc, payload"
            run(f"insert or replace into change({columns}) values(?,?,?,?,?,?,?,?,?,?)", row)
        else:
            run(
                "update change set state = ? where number = ?",
                (UNDONE if kind == UNDO else DONE, step),
            )
        if number > saved_upto:
            check = checksum(number, kind, step)
            run("insert or replace into operation values(?,?,?,?)", (number, kind, step, check))

    def load(self, number: int) -> Change:
        """The change of a step.

        Raises
        ------
        DamagedJournalError
            When it is gone or not what was written.
        """
        with self._reading() as run:
            row = run(
                "select number, image, layer, title, box, made, size, crc, payload from change"
                " where number = ?",
                (number,),
            ).fetchone()
        return change_of(row)

    # -- saves -----------------------------------------------------------------------------------

    def stage(self, save: Save, pages: Sequence[tuple[int, bytes]] = ()) -> None:
        """Decide a save: from here on it happens, or is finished at the next opening."""
        crc = 0
        for number, page in pages:
            crc = zlib.crc32(page, zlib.crc32(struct.pack("<Q", number), crc))
        facts = json.dumps(
            {
                "kind": save.kind,
                "file_id": save.before.file_id,
                "generations": [save.before.generation, save.after.generation],
                "marks": [save.before.mark, save.after.mark],
                "size": save.size,
                "upto": save.upto,
                "serial": save.serial,
                "pages_crc": pages_checksum(pages),
            }
        )
        with self._writing() as run:
            run("delete from page")
            for row in pages:
                run("insert into page values(?,?)", row)
            run("insert or replace into save values(1, ?, ?)", (facts, checksum(facts)))

    def staged(self) -> Save | None:
        """The save that was decided and not forgotten yet."""
        with self._reading() as run:
            row = run("select facts, crc from save where id = 1").fetchone()
        if row is None:
            return None
        if checksum(row[0]) != row[1]:
            raise DamagedJournalError("the note of a save under way is damaged")
        facts = json.loads(row[0])
        before, after = (
            Header(facts["file_id"], generation, mark)
            for generation, mark in zip(facts["generations"], facts["marks"], strict=True)
        )
        return Save(
            facts["kind"],
            before,
            after,
            facts["size"],
            facts["upto"],
            facts["serial"],
            facts["pages_crc"],
        )

    def pages(self, save: Save) -> list[tuple[int, bytes]]:
        """The pages of a staged save.

        Raises
        ------
        DamagedJournalError
            When they are not those that were staged.
        """
        with self._reading() as run:
            pages = [
                (n, bytes(b)) for n, b in run("select number, bytes from page order by number")
            ]
        crc = 0
        for number, page in pages:
            crc = zlib.crc32(page, zlib.crc32(struct.pack("<Q", number), crc))
        if pages_checksum(pages) != save.pages_crc:
            raise DamagedJournalError("the pages of a save under way are damaged")
        return pages

    def finish(self, save: Save, size: int) -> None:
        """Forget a save that is in the file, and the operations that went with it."""
        with self._writing() as run:
            run("delete from page")
            run("delete from save")
            run("delete from operation where number <= ?", (save.upto,))
            facts = self._meta(run, "facts")
            if facts is not None and json.loads(facts)[0] <= save.serial:
                run("delete from meta where key = 'facts'")
            self._tidy(run)
            self._set_meta(run, "upto", str(save.upto))
            self._set_file(run, save.after, size, closed=False)
        with contextlib.suppress(sqlite3.Error), self._lock:
            if self._connection is not None:
                self._connection.execute("pragma wal_checkpoint(truncate)")

    def abandon(self) -> None:
        """Forget a staged save that did not happen (a file that was not swapped in)."""
        with self._writing() as run:
            run("delete from page")
            run("delete from save")

    # -- what it remembers -----------------------------------------------------------------------

    def recover(self) -> Recovered:
        """Read all but the voxels.

        Raises
        ------
        DamagedJournalError
            When rows are missing or not what was written.
        """
        found = Recovered()
        with self._reading() as run:
            upto = int(self._meta(run, "upto") or 0)
            last = int(self._meta(run, "last") or 0)
            facts = self._meta(run, "facts")
            found.marks = self._meta(run, "marks")
            operations = run("select number, kind, change, crc from operation order by number")
            for number, kind, step, check in operations:
                if checksum(number, kind, step) != check:
                    raise DamagedJournalError(f"operation {number} is damaged")
                if number > upto:
                    found.operations.append(Operation(number, kind, step))
            expected = list(range(upto + 1, last + 1))
            if [o.number for o in found.operations] != expected:
                raise DamagedJournalError("operations are missing")
            rows = run(
                "select number, image, layer, title, box, made, size, crc, state from change"
                " order by number"
            ).fetchall()
        known = {row[0] for row in rows}
        if any(o.step not in known for o in found.operations):
            raise DamagedJournalError("changes are missing")
        for row in rows:
            step, state = step_of(row), row[8]
            found.steps[step.number] = step
            found.last_step = max(found.last_step, step.number)
            if state == DONE:
                found.done.append(step)
            elif state == UNDONE:
                found.undone.append(step)
            elif state != DROPPED:
                raise DamagedJournalError(f"step {step.number} is damaged")
        found.undone.reverse()
        found.last_operation = max(last, upto)
        if facts is not None:
            found.serial, found.facts = json.loads(facts)
        return found

    @property
    def is_needed(self) -> bool:
        """True while it holds anything that is not in the project file."""
        with self._reading() as run:
            tables = ("change", "operation", "save")
            held = any(run(f"select 1 from {table} limit 1").fetchone() for table in tables)
            return held or self._meta(run, "facts") is not None

    @property
    def size_bytes(self) -> int:
        """What it takes on the disk."""
        total = 0
        for suffix in SIDE_SUFFIXES:
            with contextlib.suppress(OSError):
                total += os.stat(f"{self.path}{suffix}").st_size
        return total

    # -- within ----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Any]:
        with self._lock:
            if self._connection is None:
                raise JournalError("the journal is closed")
            try:
                yield self._connection.execute
            except sqlite3.DatabaseError as error:
                raise _translated(error) from error
            except (ValueError, TypeError, KeyError, IndexError) as error:
                raise DamagedJournalError(type(error).__name__) from error

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Any]:
        """One transaction: durable when the block ends, undone when it raises."""
        with self._lock:
            if self._connection is None:
                raise JournalError("the journal is closed")
            connection = self._connection
            try:
                connection.execute("begin immediate")
                yield connection.execute
                connection.execute("commit")
            except BaseException as error:
                with contextlib.suppress(sqlite3.Error):
                    if connection.in_transaction:
                        connection.execute("rollback")
                if isinstance(error, sqlite3.DatabaseError):
                    raise _translated(error) from error
                raise

    def _meta(self, run: Any, key: str) -> str | None:
        row = run("select value, crc from meta where key = ?", (key,)).fetchone()
        if row is None:
            return None
        if checksum(key, row[0]) != row[1]:
            raise DamagedJournalError(f"its note of {key} is damaged")
        return str(row[0])

    def _set_meta(self, run: Any, key: str, value: str) -> None:
        run("insert or replace into meta values(?,?,?)", (key, value, checksum(key, value)))

    def _set_file(self, run: Any, header: Header, size: int, closed: bool) -> None:
        facts = {
            "format": FORMAT,
            "file_id": header.file_id,
            "generation": header.generation,
            "mark": header.mark,
            "size": size,
            "closed": closed,
        }
        self._set_meta(run, "file", json.dumps(facts))

    def _tidy(self, run: Any) -> None:
        """Delete changes that neither the history nor an operation needs."""
        run(
            f"delete from change where {_NOT_DONE} and state = ?"
            " and number not in (select change from operation)",
            (DROPPED,),
        )


def remove_journal(path: Path) -> None:
    """Delete a journal nobody has open."""
    for suffix in SIDE_SUFFIXES:
        with contextlib.suppress(OSError):
            os.unlink(f"{path}{suffix}")


def rename_journal(path: Path, to: Path) -> None:
    """Give a journal nobody has open another name, its log first.

    Raises
    ------
    OSError
        When the system refuses.
    """
    for suffix in reversed(SIDE_SUFFIXES):
        if os.path.exists(f"{path}{suffix}"):
            os.rename(f"{path}{suffix}", f"{to}{suffix}")


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or not isinstance(
        error, sqlite3.OperationalError
    )


def _translated(error: sqlite3.DatabaseError) -> FileError:
    return DamagedJournalError(_why(error)) if _is_damage(error) else JournalError(_why(error))


def _why(error: sqlite3.Error) -> str:
    """Why SQLite refused, in words that end a sentence."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    known = {
        sqlite3.SQLITE_FULL: "the disk is full",
        sqlite3.SQLITE_IOERR: "the disk refused to write or read",
        sqlite3.SQLITE_READONLY: "there is no permission to write there",
        sqlite3.SQLITE_PERM: "there is no permission to write there",
        sqlite3.SQLITE_CANTOPEN: "the file of the journal cannot be opened",
        sqlite3.SQLITE_BUSY: "another program has it open",
        sqlite3.SQLITE_CORRUPT: "it is damaged",
        sqlite3.SQLITE_NOTADB: "it is damaged",
    }
    return known.get(code, str(error).rstrip(".").lower())
