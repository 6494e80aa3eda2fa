"""Small parts of sentences: counts and lists."""

from __future__ import annotations

from collections.abc import Sequence


def counted(count: int, one: str, many: str) -> str:
    """A number with its noun.

    >>> counted(1, "image", "images"), counted(2, "image", "images")
    ('1 image', '2 images')
    """
    return f"{count} {one if count == 1 else many}"


def ranged(counts: Sequence[int]) -> str:
    """How many images, or from how few to how many.

    >>> ranged([1, 1]), ranged([2, 5, 3])
    ('1 image', '2 to 5 images')
    """
    low, high = min(counts), max(counts)
    return counted(low, "image", "images") if low == high else f"{low} to {high} images"


def listed(names: Sequence[str]) -> str:
    """Names in a row.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def some_runs(names: Sequence[str]) -> str:
    """A few of the names, quoted, and how many more; only how many where they have none.

    >>> some_runs(["a"]), some_runs(["", ""])
    ('“a”', '2 runs')
    """
    if not any(names):
        return counted(len(names), "run", "runs")
    quoted = [f"“{name}”" for name in names]
    if len(names) <= 4:
        return ", ".join(quoted)
    return f"{', '.join(quoted[:3])} and {len(names) - 3} more"
