"""Where on this computer files with a certain content lie: one small JSON file a project.

The records are this user's own. A project that came from somebody else cannot make OrgSeg open a
path: it says what the file holds, and only what was found here by content is opened. Losing the
records costs a search.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orgseg_app import paths
from orgseg_app.files.atomic import replace_unsynced
from orgseg_app.files.images.content import Content, Stamp

FOLDER = "links"
MOST_RECORDS = 20_000

_PLAIN = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Record:
    """A file of a known content.

    Attributes
    ----------
    path
        Absolute.
    stamp
        When it was read.
    is_settled
        See `Content`; the file of an unsettled record is read again.
    """

    path: Path
    stamp: Stamp
    is_settled: bool = True


class LinkRecords:
    """The records of one project, in memory and on disk.

    Parameters
    ----------
    project_uuid
        As the project says; it may be any text.
    """

    def __init__(self, project_uuid: str) -> None:
        name = project_uuid
        if not _PLAIN.fullmatch(name):  # it comes from the file, and becomes the name of one
            name = hashlib.sha256(project_uuid.encode("utf-8", "replace")).hexdigest()
        self.path = paths.data_dir() / FOLDER / f"{name}.json"
        self._records: dict[str, Record] | None = None
        self._by_path: dict[str, str] = {}

    def get(self, sha256: str) -> Record | None:
        """Where a content was seen last, or None."""
        return self._loaded().get(sha256)

    def content_at(self, path: Path, stamp: Stamp) -> str | None:
        """Fingerprint of a file that was read before and has the same stamp, or None."""
        records = self._loaded()
        sha256 = self._by_path.get(str(path), "")
        record = records.get(sha256)
        same = record is not None and record.is_settled and record.stamp == stamp
        return sha256 if same else None

    def note(self, path: Path, content: Content) -> None:
        """Remember what is in a file; `save` makes it last."""
        records = self._loaded()
        record = Record(Path(os.path.abspath(path)), content.stamp, content.is_settled)
        records.pop(content.sha256, None)
        records[content.sha256] = record
        self._by_path[str(record.path)] = content.sha256

    def save(self) -> None:
        """Write the records down; where that fails, the next start searches again."""
        with contextlib.suppress(OSError):
            records = {**self._read(), **self._loaded()}  # another window may have written
            entries = {
                sha256: {
                    "path": str(record.path),
                    "size": record.stamp.size,
                    "mtime_ns": record.stamp.mtime_ns,
                    "inode": record.stamp.inode,
                    "settled": record.is_settled,
                }
                for sha256, record in list(records.items())[-MOST_RECORDS:]
            }
            replace_unsynced(self.path, json.dumps({"version": 1, "files": entries}).encode())

    def _loaded(self) -> dict[str, Record]:
        if self._records is None:
            self._records = self._read()
            self._by_path = {str(r.path): sha256 for sha256, r in self._records.items()}
        return self._records

    def _read(self) -> dict[str, Record]:
        """What is on disk; nothing where it is missing or makes no sense."""
        try:
            told = json.loads(self.path.read_text(encoding="ascii"))
            return {str(sha256): _record(entry) for sha256, entry in told["files"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}


def _record(entry: Any) -> Record:
    stamp = Stamp(int(entry["size"]), int(entry["mtime_ns"]), int(entry["inode"]))
    return Record(Path(str(entry["path"])), stamp, entry["settled"] is True)
