"""Undo and redo, without a limit on steps and across images."""

from __future__ import annotations

from orgseg_app.core.edits import Change


class History:
    """The changes of a session, in the order they were made.

    A new change after undoing drops what could have been redone, as everywhere.
    """

    def __init__(self) -> None:
        self._done: list[Change] = []
        self._undone: list[Change] = []

    def push(self, change: Change) -> None:
        """Remember a change that has just been made."""
        self._done.append(change)
        self._undone.clear()

    def next_undo(self) -> Change | None:
        """The change that `undo` would take back."""
        return self._done[-1] if self._done else None

    def next_redo(self) -> Change | None:
        """The change that `redo` would make again."""
        return self._undone[-1] if self._undone else None

    def undo(self) -> Change | None:
        """Step back: the change to toggle, or None at the beginning."""
        if not self._done:
            return None
        change = self._done.pop()
        self._undone.append(change)
        return change

    def redo(self) -> Change | None:
        """Step forward: the change to toggle, or None at the end."""
        if not self._undone:
            return None
        change = self._undone.pop()
        self._done.append(change)
        return change

    def forget(self, image_id: str) -> None:
        """Drop the changes of an image that is gone."""
        self._done = [c for c in self._done if c.image_id != image_id]
        self._undone = [c for c in self._undone if c.image_id != image_id]

    @property
    def size_bytes(self) -> int:
        """Memory the changes take."""
        return sum(c.size_bytes for c in (*self._done, *self._undone))

    def __len__(self) -> int:
        return len(self._done)
