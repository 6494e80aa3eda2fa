"""Long work asks now and then whether it is still wanted.

Who starts the work says whom to ask (`asking`); what is deep inside only calls `ask`, which raises
to give up. So a cancel is heard within a large image too, and while a child process reads for us
(`orgseg_app.files.safety.child`), without every reader having to know about it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

Check = Callable[[], None]
"""Raises to give up. May be called in another thread than the one that works."""

PIECE_BYTES = 8 * 2**20
"""What to read, write or compute at most between two questions."""

_at_work = threading.local()


class GivenUpError(Exception):
    """For a check to raise: nobody wants it any more. No kind of error that reading expects."""


@contextlib.contextmanager
def asking(check: Check) -> Iterator[None]:
    """Let `ask` put its question to ``check``, in this thread, while the context lasts."""
    before = current()
    _at_work.check = check
    try:
        yield
    finally:
        _at_work.check = before


def current() -> Check | None:
    """Whom this thread asks; None where nobody wants to be asked."""
    check: Check | None = getattr(_at_work, "check", None)
    return check


def ask() -> None:
    """Raise when what this thread is doing is not wanted any more."""
    check = current()
    if check is not None:
        check()
