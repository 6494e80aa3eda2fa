"""Axes of a drawing: from numbers to places, with ticks at round numbers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from orgseg_app.runs.reporting.svg import GRID, MUTED, RULE, SIZE, Drawing


@dataclass(frozen=True)
class Axis:
    """A straight axis.

    Attributes
    ----------
    low, high
        Numbers at its ends.
    start, end
        Where these lie, in CSS pixels; an axis that goes up has an `end` below its `start`.
    """

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Where a number lies; those beyond the ends lie on them."""
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round numbers between the ends."""
        step = round_step((self.high - self.low) / most)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def round_step(width: float) -> float:
    """The next 1, 2 or 5 times a power of ten.

    >>> round_step(0.03), round_step(7)
    (0.05, 10.0)
    """
    if not width > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(width))
    times = next(t for t in (1, 2, 5, 10) if t * power >= width * (1 - 1e-9))
    return float(f"{times * power:.12g}")


def span_of(
    values: Sequence[float], *, least: float = 0.02, within: tuple[float, float] | None = None
) -> tuple[float, float]:
    """Ends of an axis that shows all values with some room beside them.

    Parameters
    ----------
    values
        Finite numbers.
    least
        How far the ends lie apart at least.
    within
        Ends that are never passed, such as 0 and 1, unless a value is beyond.

    >>> span_of([0.52, 0.68], within=(0, 1))
    (0.5, 0.7)
    """
    if not values:
        return within or (0.0, 1.0)
    low, high = min(values), max(values)
    room = max(least - (high - low), 0.08 * (high - low)) / 2
    step = round_step(max(high - low, least) / 5)
    bottom = math.floor((low - room) / step + 1e-9) * step
    top = math.ceil((high + room) / step - 1e-9) * step
    if within is not None:
        bottom, top = max(bottom, min(within[0], low)), min(top, max(within[1], high))
    return float(f"{bottom:.12g}"), float(f"{top:.12g}")


def tick_text(value: float, ticks: Sequence[float]) -> str:
    """A tick's number, with as many digits as its neighbours need and a proper minus."""
    steps = [b - a for a, b in itertools.pairwise(ticks)]
    step = min(steps) if steps else abs(value) or 1
    places = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    text = f"{value:,.{places}f}"
    return ("0" if float(text.replace(",", "")) == 0 else text).replace("-", "−")


def draw_across(drawing: Drawing, axis: Axis, top: float, bottom: float, title: str) -> None:
    """An axis along the lower edge, with lines up to `top`."""
    ticks = axis.ticks()
    for tick in ticks:
        x = axis.at(tick)
        drawing.line(x, top, x, bottom, GRID)
        drawing.text(x, bottom + 15, tick_text(tick, ticks), anchor="middle", colour=MUTED)
    drawing.line(axis.start, bottom, axis.end, bottom, RULE)
    middle = (axis.start + axis.end) / 2
    drawing.text(middle, bottom + 33, title, anchor="middle", colour=MUTED)


def draw_up(drawing: Drawing, axis: Axis, left: float, right: float, title: str) -> None:
    """An axis along the left edge, with lines across to `right`."""
    ticks = axis.ticks(5)
    for tick in ticks:
        y = axis.at(tick)
        drawing.line(left, y, right, y, GRID)
        drawing.text(left - 6, y + 4, tick_text(tick, ticks), anchor="end", colour=MUTED)
    drawing.line(left, axis.start, left, axis.end, RULE)
    middle = (axis.start + axis.end) / 2
    drawing.text(left - 44, middle, title, anchor="middle", colour=MUTED, turned=True, size=SIZE)
