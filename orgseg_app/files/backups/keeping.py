"""Which backups are kept: the newest `NEWEST`, and one a day of the last `DAYS` days that have any.

Days are counted in the order of the backups: a clock that jumps to another year and back gives
nothing up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orgseg_app.files.backups import backup

NEWEST, DAYS = 10, 14


@dataclass(frozen=True)
class Kept:
    """What decides whether a backup is kept.

    Attributes
    ----------
    number
        Its place in the order.
    day
        The day it was made, by the clock of that moment.
    is_whole
        Made from a project without damage, and readable.
    """

    number: int
    day: str
    is_whole: bool = True


def to_give_up(backups: Iterable[Kept], newest: int = NEWEST, days: int = DAYS) -> frozenset[int]:
    """Numbers of the backups that are not kept any longer.

    The newest ones stay, the newest one of each of the last days stays, and the newest whole one
    stays whatever its age.

    Examples
    --------
    >>> made = [Kept(1, "Mon"), Kept(2, "Mon"), Kept(3, "Tue"), Kept(4, "Tue"), Kept(5, "Tue")]
    >>> sorted(to_give_up(made, newest=2, days=2))
    [1, 3]
    """
    ordered = sorted(backups, key=lambda b: -b.number)
    stays = {b.number for b in ordered[:newest]}
    seen: set[str] = set()
    for item in ordered:
        if item.day not in seen and len(seen) < days:
            seen.add(item.day)
            stays.add(item.number)
    stays.update([b.number for b in ordered if b.is_whole][:1])
    return frozenset(b.number for b in ordered) - stays


def give_up_old(project_path: str | Path, project_uuid: str) -> list[Path]:
    """Remove backups of a project that are not kept any longer; the paths removed.

    Files of other projects, and files that cannot be read, stay.
    """
    ours = [b for b in backup.list_backups(project_path, project_uuid) if not b.problem]
    gone = to_give_up(Kept(b.number, b.made[:10], b.is_whole) for b in ours)
    removed = []
    for item in ours:
        if item.number in gone:
            with contextlib.suppress(OSError):
                item.path.unlink()
                removed.append(item.path)
    return removed
