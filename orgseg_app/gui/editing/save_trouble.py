"""Why something is not saved, in words: what happened, what is safe and where, what to do."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

COMMIT, STALL, FOLD = "commit", "stall", "fold"
"""The log cannot be written; it does not answer; only the project file cannot be written."""


@dataclass(frozen=True)
class Trouble:
    """Something that is not where it should be.

    Attributes
    ----------
    kind
        One of `COMMIT`, `STALL`, `FOLD`.
    reason
        Why, in words that end a sentence ("the disk is full"); "" where only `sentence` is known.
    sentence
        What the store said, whole.
    edits, facts
        Strokes and other edits of masks that are only in memory; whether a name, a class or a
        split is as well.
    since
        When the first of them was made.
    log_name, project_name
        Files in which the rest is safe.
    free_bytes
        Room on the disk, or None where nobody knows.
    is_paused
        Nothing more may be painted for now.
    is_gone
        The folder of the project is not where it was.
    is_lost
        Another window has the project now: trying again is of no use.
    """

    kind: str
    reason: str = ""
    sentence: str = ""
    edits: int = 0
    facts: bool = False
    since: datetime | None = None
    log_name: str = ""
    project_name: str = ""
    free_bytes: int | None = None
    is_paused: bool = False
    is_gone: bool = False
    is_lost: bool = False

    @property
    def is_safe(self) -> bool:
        """True when nothing is only in memory."""
        return self.kind == FOLD and not self.is_lost

    @property
    def title(self) -> str:
        """What happened, in a few words."""
        if self.is_safe:
            start = f"“{self.project_name}” could not be written"
        else:
            start = "NOT SAVED"
        return f"{start}: {self.reason}." if self.reason else f"{start}."

    @property
    def text(self) -> str:
        """What is safe, and where."""
        parts = [] if self.reason else [self.sentence]
        if self.is_lost:
            return " ".join([*parts, *self._what_is_lost()])
        if self.kind == FOLD:
            parts.append(
                f"Your strokes are safe in {self.log_name}, and come into the project by "
                "themselves as soon as it can be written."
            )
        else:
            parts.append(f"{self._what_is_only_in_memory()}; {self._what_is_safe()}.")
        if self.free_bytes is not None and not self.is_gone:
            parts.append(f"{size_words(self.free_bytes)} free on the disk.")
        if self.is_paused:
            parts.append("Painting pauses until they are saved.")
        return " ".join(part for part in parts if part)

    def _what_is_lost(self) -> list[str]:
        waiting = f"{self._what_is_only_in_memory()}."
        if not self.edits and not self.facts:
            waiting = "What you did since it was last saved may not be in it."
        return [
            "Here the project can only be looked at now.",
            waiting,
            "Save a copy under another name to keep your work.",
        ]

    def _what_is_only_in_memory(self) -> str:
        if not self.edits:
            return "Your last change of names or classes is only in memory"
        strokes = "stroke is" if self.edits == 1 else f"{self.edits} strokes are"
        more = ", with a change of names or classes" if self.facts else ""
        return f"Your last {strokes} only in memory{more}"

    def _what_is_safe(self) -> str:
        where = f"safe in {self.log_name}" if self.log_name else "safe on the disk"
        if self.is_gone:
            where = f"in {self.log_name}, in that folder"
        if self.since is None:
            return f"everything before is {where}"
        return f"everything before {self.since:%H:%M} is {where}"


def reason_of(error: BaseException) -> str:
    """Why the disk refused, in words that end a sentence; "" when the error does not say."""
    from orgseg_app.files import atomic
    from orgseg_app.files.store.journal_rows import JournalError

    found: BaseException | None = error
    for _ in range(10):
        if isinstance(found, atomic.SpaceError):
            return "the disk is full"
        if isinstance(found, JournalError):
            return str(found)
        if isinstance(found, OSError) and found.errno is not None:
            return atomic.reason(found)
        found = found.__cause__ if found is not None else None
    return ""


def first_reason(text: str) -> str:
    """The first sentence of a longer explanation, in words that end a sentence."""
    first = text.partition(". ")[0].rstrip(".")
    return first[:1].lower() + first[1:]


def free_bytes(path: Path) -> int | None:
    """Room beside a file, or None where nobody knows."""
    try:
        return shutil.disk_usage(path.parent).free
    except OSError:
        return None


def size_words(count: float) -> str:
    """Bytes as people say them: "0 MB", "12 MB", "1.4 GB"."""
    if count >= 1e9:
        return f"{count / 1e9:.1f}\u2009GB" if count < 1e10 else f"{count / 1e9:.0f}\u2009GB"
    if 0 < count < 1e6:
        return f"{max(1, round(count / 1e3))}\u2009KB"
    return f"{count / 1e6:.0f}\u2009MB"
