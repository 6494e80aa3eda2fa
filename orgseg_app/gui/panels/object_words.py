"""What is odd about an object, in words; sizes with their units."""

from __future__ import annotations

import numpy as np

from orgseg_app.core.object_review import suspicion
from orgseg_app.core.object_review.survey import ObjectColumns
from orgseg_app.core.object_review.suspicion import Suspicions, Usual
from orgseg_app.gui.style.widgets import THIN_SPACE

HOW_JUDGED = (
    "How odd an object is, from 0 on. Size and shape are compared with the other objects of its "
    "class: far from the median counts 1 and more, by robust spreads. Several parts count 2, a "
    "plane left out 1.5, holes and voxels of another class 1, the edge of the image 0.25."
)
"""For the title of the column."""


def unit_of(depth: int, pixel_size_um: tuple[float, float, float] | None) -> tuple[str, float]:
    """What sizes are told in, and how much of it a voxel is."""
    if pixel_size_um is None:
        return ("voxels" if depth > 1 else "px"), 1.0
    z, y, x = pixel_size_um
    return ("µm³", z * y * x) if depth > 1 else ("µm²", y * x)


def size_words(size: float) -> str:
    """Three digits, or whole numbers."""
    if size >= 100 or size == int(size):
        return f"{size:,.0f}"
    return f"{size:.3g}"


def planes_words(low: int, high: int) -> str:
    """One plane or from … to, as a person counts them, from 1."""
    return str(low + 1) if high - low == 1 else f"{low + 1}–{high}"


def reasons_of(columns: ObjectColumns, suspicions: Suspicions, row: int) -> str:
    """Why an object is suspicious, in a few words each; "" where nothing is odd."""
    said = {
        suspicion.TINY: "tiny",
        suspicion.HUGE: "huge",
        suspicion.NOT_ROUND: "shape",
        suspicion.PARTS: f"{columns.parts[row]} parts",
        suspicion.HOLES: _many(int(columns.holes[row]), "hole"),
        suspicion.NEIGHBOUR: f"beside {columns.neighbours[row]}",
        suspicion.GAP: _many(int(columns.missing[row]), "plane") + " missing",
        suspicion.MIXED: "two classes",
        suspicion.BORDER: "at the border",
    }
    return ", ".join(said[reason] for reason in suspicions.of(row))


def explained(
    columns: ObjectColumns, suspicions: Suspicions, row: int, unit: str, one: float
) -> str:
    """The same in sentences, with the numbers that say so."""
    usual = suspicions.usual.get(int(columns.class_ids[row]))
    lines = [_sentence(reason, columns, row, unit, one, usual) for reason in suspicions.of(row)]
    if not lines:
        if usual is None:
            return "Too few objects of its class to say what is usual."
        return "Nothing is odd about it."
    return "\n".join(lines)


def _sentence(
    reason: str, columns: ObjectColumns, row: int, unit: str, one: float, usual: Usual | None
) -> str:
    size = size_words(float(columns.voxels[row]) * one)
    among = ""
    if usual is not None:
        low, high = size_words(usual.low * one), size_words(usual.high * one)
        among = f"half of the {usual.count:,} objects of its class have {low} to {high}"
    unit = THIN_SPACE + unit
    if reason in (suspicion.TINY, suspicion.HUGE):
        return f"{'Tiny' if reason == suspicion.TINY else 'Huge'}: {size}{unit}; {among}."
    if reason == suspicion.NOT_ROUND:
        own, middle = columns.roundness[row], usual.roundness if usual is not None else np.nan
        return f"Long or ragged for its class: roundness {own:.2f}, usually {middle:.2f}."
    if reason == suspicion.PARTS:
        stray = size_words(float(columns.stray[row]) * one)
        return f"In {columns.parts[row]} parts; {stray}{unit} lie outside the largest."
    if reason == suspicion.HOLES:
        return f"{_many(int(columns.holes[row]), 'hole')} in it."
    if reason == suspicion.NEIGHBOUR:
        share = columns.contact[row]
        other = columns.neighbours[row]
        return f"{share:.0%} of its edge touches object {other}: one object cut in two?"
    if reason == suspicion.GAP:
        return f"Missing on {_many(int(columns.missing[row]), 'plane')} between its ends."
    if reason == suspicion.MIXED:
        return f"{columns.foreign[row]:.1%} of it has another class."
    return "The edge of the image cuts it."


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
