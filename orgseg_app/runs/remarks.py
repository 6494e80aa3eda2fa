"""What a person noted about a run: a few words, that it is pinned, that it is hidden.

Kept in the run's folder beside its name (``title.json``), so that it goes where the run goes: to
the trash and back, into a packed project. ``request.json`` stays as it was written.
"""

from __future__ import annotations

from dataclasses import dataclass

from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.process import read_json, write_json

REMARKS_FILE = "remarks.json"
LONGEST_NOTE = 2000


@dataclass(frozen=True)
class Remarks:
    """Of one run.

    Attributes
    ----------
    note : str
        Free words on one line, "" for none; at most `LONGEST_NOTE` letters.
    is_pinned : bool
        Stands above the others in tables.
    is_hidden : bool
        Left out of tables.
    """

    note: str = ""
    is_pinned: bool = False
    is_hidden: bool = False


def remarks_of(run: RunFolder) -> Remarks:
    """What was noted; nothing where there is no file, or a damaged one."""
    kept = read_json(run.path / REMARKS_FILE) or {}
    note = kept.get("note")
    return Remarks(
        note=" ".join(note.split())[:LONGEST_NOTE] if isinstance(note, str) else "",
        is_pinned=kept.get("pinned") is True,
        is_hidden=kept.get("hidden") is True,
    )


def keep_remarks(run: RunFolder, remarks: Remarks) -> Remarks:
    """Note it with the run; returns what was kept.

    Raises
    ------
    RunError
        When the note is too long or the folder is gone.
    """
    note = " ".join(remarks.note.split())
    if len(note) > LONGEST_NOTE:
        raise RunError(f"The note of a run has at most {LONGEST_NOTE} letters.")
    facts = {"note": note, "pinned": remarks.is_pinned, "hidden": remarks.is_hidden}
    try:
        write_json(run.path / REMARKS_FILE, facts)
    except OSError as error:
        raise RunError(
            f'What you noted about "{run.name}" could not be kept: {error.strerror}. The run is '
            "as it was."
        ) from error
    return Remarks(note, remarks.is_pinned, remarks.is_hidden)
