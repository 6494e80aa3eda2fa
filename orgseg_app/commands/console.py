"""Speaking to a terminal or to a script: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any

_BAR = 28
_LINE_EVERY_S = 10.0
_DRAW_EVERY_S = 0.1


class CommandError(Exception):
    """A command failed; the message is one clear sentence for the user."""


def out(text: str = "") -> None:
    """Print a line of the result."""
    print(text, flush=True)


def out_json(record: object) -> None:
    """Print one JSON object on one line, at once, so that a script can follow."""
    print(json.dumps(record, ensure_ascii=False, allow_nan=False), flush=True)


def note(text: str) -> None:
    """Print a line about how things go; never part of the result."""
    print(text, file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """Print a sentence the user should read."""
    note(f"Note: {text}")


def tell_notices(sentences: Iterable[str]) -> None:
    """Print what opening a project found: strokes recovered, an older layout, runs inside."""
    for sentence in sentences:
        warn(sentence)


def is_interactive() -> bool:
    """Whether a person sits there and can answer a question."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str) -> bool:
    """Ask a yes-or-no question; Enter means yes, the end of the input no."""
    print(f"{question} [Y/n] ", end="", file=sys.stderr, flush=True)
    try:
        answer = input()
    except EOFError:
        return False
    return answer.strip().lower() in ("", "y", "yes")


def duration(seconds: float) -> str:
    """A time in words.

    Examples
    --------
    >>> duration(7.4), duration(80), duration(200), duration(8000)
    ('7 s', '1 min 20 s', 'about 3 min', 'about 2 h 13 min')
    """
    if seconds < 60:
        return f"{max(seconds, 0):.0f} s"
    minutes = int(seconds // 60)
    if minutes < 3:
        return f"{minutes} min {seconds % 60:.0f} s"
    if minutes < 60:
        return f"about {round(seconds / 60)} min"
    return f"about {minutes // 60} h {minutes % 60} min"


def score(value: float | None) -> str:
    """A score with two decimals; a dash where there is none."""
    return "–" if value is None else f"{value:.2f}"


def table(rows: Sequence[Sequence[str]], right: Iterable[int] = ()) -> str:
    """Columns as wide as they need to be; the first row is the heading.

    Parameters
    ----------
    rows : sequence of sequence of str
        All of the same length.
    right : iterable of int
        Columns of figures, aligned right.
    """
    to_right = set(right)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if i in to_right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("─" * width for width in widths))
    return "\n".join(lines)


class Progress:
    """A bar on a terminal; a plain line now and then where there is none.

    Parameters
    ----------
    title : str
        What is being done.
    quiet : bool
        Show nothing (a script reads JSON).
    """

    def __init__(self, title: str, *, quiet: bool = False) -> None:
        self.title = title
        self._started: float | None = None
        self._share = 0.0
        self._is_quiet = quiet
        self._is_terminal = sys.stderr.isatty()
        # Where lines are printed, work of a few seconds needs none.
        self._drawn = -1e9 if self._is_terminal else time.monotonic()
        self._has_line = False
        self._has_bar = False

    def show(self, done: float, total: float, text: str = "") -> None:
        """Show how far it is.

        Parameters
        ----------
        done, total : float
            In the same unit; a total of 0 means that nobody knows.
        text : str
            Beside the bar.
        """
        if self._is_quiet:
            return
        # Estimates change; what is shown never goes back.
        share = self._share = max(self._share, min(done / total, 1.0) if total else 0.0)
        now = time.monotonic()
        is_end = total > 0 and done >= total
        wait = _DRAW_EVERY_S if self._is_terminal else _LINE_EVERY_S
        if now - self._drawn < wait and not (is_end and (self._is_terminal or self._has_line)):
            return
        self._drawn = now
        if self._is_terminal:
            filled = round(share * _BAR)
            bar = "█" * filled + "░" * (_BAR - filled)
            line = f"{self.title} {bar} {share:4.0%}  {text}"
            width = _terminal_width() - 1
            print(f"\r{line[:width].ljust(width)}", end="", file=sys.stderr, flush=True)
            self._has_bar = True
        else:
            note(f"{self.title}: {share:.0%}  {text}".rstrip())
            self._has_line = True

    def show_time(self, seconds_left: float, text: str = "") -> None:
        """Show how much of the time is over, counted from the first call."""
        now = time.monotonic()
        self._started = now if self._started is None else self._started
        spent = now - self._started
        self.show(spent, spent + max(seconds_left, 0.5), text)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        if not self._is_quiet:
            self.clear()
            note(text)

    def clear(self) -> None:
        """Take the bar away."""
        if self._has_bar:
            print(f"\r{' ' * (_terminal_width() - 1)}\r", end="", file=sys.stderr, flush=True)
            self._has_bar = False


def _terminal_width() -> int:
    try:
        return max(40, os.get_terminal_size(sys.stderr.fileno()).columns)
    except (OSError, ValueError):
        return 80


def sentence_of(error: BaseException) -> str | None:
    """What to tell the user about an expected failure; None for one nobody expected."""
    import errno

    if isinstance(error, CommandError):
        return str(error)
    ours = type(error).__module__.startswith("orgseg_app.") and type(error).__name__[-5:] == "Error"
    if ours and str(error):
        return str(error)
    if isinstance(error, MemoryError):
        return (
            "The computer's memory is full. Nothing was changed; close other programs and try "
            "again, or work on smaller images."
        )
    if isinstance(error, OSError):
        where = f' ("{error.filename}")' if isinstance(error.filename, str) else ""
        if error.errno == errno.ENOSPC:
            return f"The disk is full{where}. What was saved before is safe; free some room."
        return (
            f"A file could not be used{where}: {error.strerror or error}. Projects are untouched."
        )
    return None


def plural(count: int, word: str) -> str:
    """``"1 image"``, ``"3 images"``."""
    if count == 1:
        return f"1 {word}"
    ending = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{count} {ending}"


def by_class(values: dict[str, Any]) -> str:
    """``"ER 0.71, nucleus 0.88"``."""
    return ", ".join(f"{name} {score(value)}" for name, value in values.items())
