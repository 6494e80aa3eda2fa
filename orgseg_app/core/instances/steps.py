"""Steps of a computation whose outcome is kept as long as what it depends on stays the same."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Steps:
    """The last outcome of each step.

    Parameters
    ----------
    keeps
        Whether anything is kept at all; not where nobody asks twice.

    Examples
    --------
    >>> steps = Steps()
    >>> [steps.once("square", n, lambda n=n: print("works") or n * n) for n in (3, 3, 4)]
    works
    works
    [9, 9, 16]
    """

    def __init__(self, keeps: bool = True) -> None:
        self._keeps = keeps
        self._kept: dict[str, tuple[Hashable, Any]] = {}

    def once(self, name: str, key: Hashable, make: Callable[[], T]) -> T:
        """The outcome of a step for what it depends on; made where the last one had another key.

        Raises
        ------
        Exception
            What ``make`` raises; nothing is kept then.
        """
        kept = self._kept.get(name)
        if kept is not None and kept[0] == key:
            found: T = kept[1]
            return found
        self._kept.pop(name, None)  # not both at a time in memory
        made = make()
        if self._keeps:
            self._kept[name] = key, made
        return made
