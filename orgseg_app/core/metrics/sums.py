"""What scores are made of: numbers of one image that add up over images, and how they are kept."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, Self


def ratio(top: float, bottom: float) -> float | None:
    """`top` over `bottom`; None where that is 0."""
    return top / bottom if bottom else None


def average(values: Iterable[float | None]) -> float | None:
    """Mean of those that exist, or None.

    Examples
    --------
    >>> average([0.5, None, 1.0])
    0.75
    """
    found = [value for value in values if value is not None]
    return sum(found) / len(found) if found else None


class Sums:
    """Base of frozen dataclasses all whose fields have a default, and are numbers or such sums.

    A field whose default is None is a number that may be missing; it does not add up by itself.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Seen(Sums):
    ...     voxels: int = 0
    ...     length: float = 0.0
    >>> Seen(3, 0.5) + Seen(1, 1.5)
    Seen(voxels=4, length=2.0)
    >>> Seen.from_dict((Seen(3, 0.5)).to_dict())
    Seen(voxels=3, length=0.5)
    """

    def __add__(self, other: Self) -> Self:
        return type(self)(*map(_added, vars(self).values(), vars(other).values()))

    def to_dict(self) -> dict[str, Any]:
        """For ``metrics.json``."""
        return {
            name: value.to_dict() if isinstance(value, Sums) else value
            for name, value in vars(self).items()
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Self:
        """As `to_dict` gave it.

        Raises
        ------
        KeyError, TypeError, ValueError
            When something is missing, or cannot be.
        """
        values = (_read(each.default, kept[each.name]) for each in fields(cls))  # type: ignore[arg-type]
        found = cls(*values)
        if not all(0 <= value < math.inf for value in found._numbers()):
            raise ValueError("Sums that scores are made of are numbers from 0 on.")
        found.check()
        return found

    def check(self) -> None:
        """Look at numbers that hang together.

        Raises
        ------
        ValueError
            When they cannot be.
        """

    def _numbers(self) -> Iterator[float]:
        for value in vars(self).values():
            if value is not None and not isinstance(value, Sums):
                yield value


def _added(mine: Any, others: Any) -> Any:
    return None if mine is None or others is None else mine + others


def _read(default: Any, value: Any) -> Any:
    """A value that was kept, of the kind of its field."""
    if isinstance(default, Sums):
        return type(default).from_dict(value)
    if default is None:
        return None if value is None else float(value)
    return type(default)(value)
