"""Which place of the help says what to do about something that went wrong.

Errors are known by the full names of their classes, so that none has to be imported to look.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

DISK_FULL = "trouble#disk_full"
MEMORY = "trouble#memory"
NOT_WRITABLE = "trouble#not_writable"
NOT_SAVED = "saving#not_saved"
READ_ONLY = "trouble#read_only"
DAMAGED = "trouble#damaged"
LINKED = "projects#linked"
CLOUD = "trouble#cloud"
NO_SCORE = "trouble#no_score"
JOB_FAILED, JOB_LOST = "trouble#job_failed", "trouble#job_lost"
REFUSED = "importing#refused"
UNEXPECTED = "trouble#bug"

ROOTS: dict[str, str] = {
    "orgseg_app.files.atomic.SpaceError": DISK_FULL,
    "builtins.MemoryError": MEMORY,
    "orgseg_app.core.stopping.TooLargeError": MEMORY,
    "builtins.PermissionError": NOT_WRITABLE,
}
"""What lies behind an error, whatever was being done: looked for among its causes, too."""

KINDS: dict[str, str] = {
    "orgseg_app.files.errors.ReadError": REFUSED,
    "orgseg_app.files.importing.ImportChoiceError": REFUSED,
    "orgseg_app.files.images.links.LinkError": LINKED,
    "orgseg_app.files.store.lock.LockedError": READ_ONLY,
    "orgseg_app.files.store.journal_rows.DamagedJournalError": DAMAGED,
    "orgseg_app.files.store.journal_rows.JournalError": NOT_SAVED,
    "orgseg_app.files.errors.ProjectError": DAMAGED,
    "orgseg_app.files.export.ExportError": "exporting",
    "orgseg_app.files.counterparts.offer.OfferError": "predictions",
    "orgseg_app.runs.studies.definition.StudyError": "studies",
    "orgseg_app.runs.errors.RecipeError": "recipes",
    "orgseg_app.runs.errors.RunError": JOB_FAILED,
}
"""What was being done, when nothing is known of what lies behind."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_KEPT = (errno.EACCES, errno.EPERM, errno.EROFS)

SIGNS: tuple[tuple[str, str], ...] = (
    ("disk is full", DISK_FULL),
    ("no room", DISK_FULL),
    ("cuda", "gpu"),
    ("graphics card", "gpu"),
    ("memory", MEMORY),
)
"""Words by which the last sentence of a job, all that is left of its error, is known."""


def page_of_error(error: BaseException) -> str:
    """Where the help says what to do about an error; never "".

    What lies behind it (a full disk, say) comes before what was being done.
    """
    for found in _with_causes(error):
        if isinstance(found, OSError) and found.errno in _FULL:
            return DISK_FULL
        if isinstance(found, OSError) and found.errno in _KEPT:
            return NOT_WRITABLE
        if page := _looked_up(found, ROOTS):
            return page
    return _looked_up(error, KINDS) or UNEXPECTED


def page_of_failure(sentence: str, *, state: str = "failed") -> str:
    """Where the help says what to do about a run that did not finish.

    Parameters
    ----------
    sentence
        What its job said last.
    state
        Of the run: ``"lost"`` where its process went away without a word.
    """
    words = sentence.casefold()
    for sign, page in SIGNS:
        if sign in words:
            return page
    return JOB_LOST if state == "lost" else JOB_FAILED


def page_of_saving(reason: str) -> str:
    """Where the help says what to do when strokes cannot be written, by the reason in words."""
    words = reason.casefold()
    if "full" in words:
        return DISK_FULL
    return NOT_WRITABLE if "permission" in words or "read-only" in words else NOT_SAVED


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__


def _looked_up(error: BaseException, table: dict[str, str]) -> str:
    """The page of the nearest class that the table knows, or ""."""
    for kind in type(error).__mro__:
        page = table.get(f"{kind.__module__}.{kind.__qualname__}")
        if page:
            return page
    return ""
