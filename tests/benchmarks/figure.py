"""One measured figure, and how it stands against its goal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes
    ----------
    name
        Benchmark and figure, such as ``startup.first_paint``.
    value, unit
        What was measured, a median where there are several samples.
    n
        Number of samples.
    goal
        In words and numbers, such as ``ratio <= 1.3``; empty where none is set.
    met
        Whether the goal is reached; None without a goal.
    bound
        The same figure of the least that could be done, taken in the same run, in the same unit.
    peer
        The same figure of what a user would pick instead, likewise.
    ratio
        ``value`` over ``bound`` or ``peer``.
    note
        What a reader should know, such as the names of modules found.
    """

    name: str
    value: float
    unit: str
    n: int = 1
    goal: str = ""
    met: bool | None = None
    bound: float | None = None
    peer: float | None = None
    ratio: float | None = None
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The figure as one JSON line holds it; what does not apply is left out."""
        line: dict[str, Any] = {"name": self.name, "value": _short(self.value), "unit": self.unit}
        for key in ("bound", "peer", "ratio"):
            value = getattr(self, key)
            if value is not None:
                line[key] = _short(value)
        line |= {"goal": self.goal, "met": self.met, "n": self.n}
        return line | ({"note": self.note} if self.note else {})


def table(figures: list[Figure]) -> str:
    """The figures as lines of text, what falls short marked with ``!!``."""
    rows = [("", "figure", "value", "unit", "against", "ratio", "goal", "n")]
    for figure in figures:
        against = figure.bound if figure.bound is not None else figure.peer
        rows.append(
            (
                {True: "ok", False: "!!", None: "  "}[figure.met],
                figure.name,
                str(_short(figure.value)),
                figure.unit,
                "" if against is None else str(_short(against)),
                "" if figure.ratio is None else f"{figure.ratio:.2f}",
                figure.goal,
                str(figure.n),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    numbers = (2, 4, 5, 7)
    lines = []
    for row, figure in zip(rows, [None, *figures], strict=True):
        cells = [
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
        if figure is not None and figure.note:
            lines.append(f"    {figure.note}")
    return "\n".join(lines)


def _short(value: float) -> float:
    """Four significant digits; whole numbers from 1000 on."""
    rounded = float(f"{value:.4g}") if abs(value) < 1000 else float(round(value))
    return int(rounded) if rounded.is_integer() else rounded
