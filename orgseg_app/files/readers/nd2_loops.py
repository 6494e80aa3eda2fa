"""What a Nikon ND2 file says of its recording: loops over time, positions and depth; channels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from orgseg_app.files.readers.nd2_chunks import Tree

TIME, POSITION, DEPTH = "T", "P", "Z"

_TIME, _POSITIONS, _DEPTH, _SPECTRUM, _TIMES = 1, 2, 4, 6, 8
_MAX_LEVELS = 16
_MAX_COUNT = 2**31


@dataclass(frozen=True)
class Loop:
    """One level of a recording.

    Attributes
    ----------
    axis
        `TIME`, `POSITION` or `DEPTH`; another letter for loops that are not known.
    count
        Its steps.
    step_um
        Between planes; None for other loops.
    names
        Of positions; may be empty.
    """

    axis: str
    count: int
    step_um: float | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Channels:
    """What the values of a pixel are.

    Attributes
    ----------
    names
        One for each value, as the file has it.
    is_rgb
        True for the blue, green and red of a colour camera.
    """

    names: tuple[str, ...]
    is_rgb: bool


def loops_of(recording: Tree) -> list[Loop]:
    """The loops of a recording, the slowest first.

    Parameters
    ----------
    recording
        The chunk ``ImageMetadata``.
    """
    found: list[Loop] = []
    level: Any = recording.get("SLxExperiment", recording)
    for _ in range(_MAX_LEVELS):
        if not isinstance(level, dict):
            break
        loop = _loop(level)
        if loop is not None and loop.count > 0:
            found.append(loop)
        below = level.get("ppNextLevelEx")
        if not isinstance(below, dict) or not below:
            break
        level = below if "eType" in below else next(iter(below.values()))
    return found


def fitted(loops: list[Loop], frames: int) -> tuple[list[Loop], str]:
    """The loops, once they fit the frames there are; and a note where they did not.

    A recording that was stopped has fewer frames than it was meant to have: its slowest loop is
    cut to what was begun.
    """
    planned = math.prod(loop.count for loop in loops)
    if planned == frames or frames < 1:
        return loops, ""
    if planned > frames:
        inner = math.prod(loop.count for loop in loops[1:])
        first = loops[0]
        begun = math.ceil(frames / inner)
        return [Loop(first.axis, begun, first.step_um, first.names), *loops[1:]], ""
    note = "The file does not say what its planes are; taken as depth."
    return [Loop(DEPTH, frames)], note


def channels_of(picture: Tree, count: int) -> Channels:
    """What the values of a pixel are.

    Parameters
    ----------
    picture
        The chunk ``ImageMetadataSeq|0``.
    count
        Values of a pixel.
    """
    facts = picture.get("SLxPictureMetadata", picture)
    planes = facts.get("sPicturePlanes") if isinstance(facts, dict) else None
    if not isinstance(planes, dict):
        return Channels(("",) * count, is_rgb=False)
    listed = planes.get("sPlaneNew") or planes.get("sPlane") or {}
    items = list(listed.values()) if isinstance(listed, dict) else []
    names: list[str] = []
    parts: list[int] = []
    for item in items[:count]:
        if isinstance(item, dict):
            parts.append(max(1, _count(item.get("uiCompCount", 1), count)))
            names += [str(item.get("sDescription", ""))] * parts[-1]
    is_rgb = count == 3 and parts == [3]
    fits = len(names) == count
    return Channels(tuple(names) if fits else ("",) * count, is_rgb=is_rgb)


def pixel_um(*trees: Tree) -> float | None:
    """Micrometres from one pixel to the next, from the first of the chunks that says it."""
    for tree in trees:
        facts = next((v for v in tree.values() if isinstance(v, dict)), tree)
        for holder in (tree, facts):
            value = holder.get("dCalibration")
            if isinstance(value, float) and math.isfinite(value) and value > 0:
                return value
    return None


def _loop(level: Tree) -> Loop | None:
    kind, facts = level.get("eType", 0), level.get("uLoopPars")
    if not isinstance(facts, dict) or kind == _SPECTRUM:
        return None
    if list(facts) == ["i0000000000"] and isinstance(facts["i0000000000"], dict):
        facts = facts["i0000000000"]
    if kind == _POSITIONS:
        return _positions(level, facts)
    if kind == _TIMES:
        return _times(facts)
    count = _count(facts.get("uiCount", 0))
    if kind == _TIME:
        return Loop(TIME, count)
    if kind == _DEPTH:
        return Loop(DEPTH, count, _z_step(facts, count))
    return Loop("?", count)


def _positions(level: Tree, facts: Tree) -> Loop:
    points = facts.get("Points")
    items = [p for p in points.values() if isinstance(p, dict)] if isinstance(points, dict) else []
    if isinstance(points, dict) and "dPosName" in points:
        items = [points]
    kept = _valid(level.get("pItemValid"), len(items) or _count(facts.get("uiCount", 0)))
    names = tuple(str(p.get("dPosName") or p.get("pPosName") or "") for p in items)
    if len(names) == len(kept):
        names = tuple(name for name, is_kept in zip(names, kept, strict=True) if is_kept)
    count = sum(kept)
    return Loop(POSITION, count, names=names if len(names) == count else ())


def _times(facts: Tree) -> Loop:
    """Time points in several phases, one after the other."""
    periods = facts.get("pPeriod")
    items = list(periods.values()) if isinstance(periods, dict) else []
    if isinstance(periods, dict) and "uiCount" in periods:
        items = [periods]
    kept = _valid(facts.get("pPeriodValid"), len(items))
    count = sum(
        _count(item.get("uiCount", 0))
        for item, is_kept in zip(items, kept, strict=True)
        if is_kept and isinstance(item, dict)
    )
    return Loop(TIME, _count(count) or _count(facts.get("uiCount", 0)))


def _valid(flags: Any, count: int) -> list[bool]:
    """Which of so many items count: those that are not said to be left out."""
    given = list(flags.values()) if isinstance(flags, dict) else flags
    if not isinstance(given, list) or len(given) < count:
        return [True] * min(count, 1_000_000)
    return [bool(flag) for flag in given[:count]]


def _z_step(facts: Tree, count: int) -> float | None:
    step = facts.get("dZStep", 0.0)
    if not step and count > 1:
        low, high = facts.get("dZLow", 0.0), facts.get("dZHigh", 0.0)
        if isinstance(low, float) and isinstance(high, float):
            step = (high - low) / (count - 1)
    return abs(step) if isinstance(step, float) and step else None


def _count(value: Any, most: int = _MAX_COUNT) -> int:
    if not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(value)
    return value
