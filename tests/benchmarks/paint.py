"""Mouse move to painted frame on the real canvas, undo, and what a stroke takes to remember.

On a display, virtual where there is none; see `on_canvas`. Sizes take turns, so that drift of the
machine hits all alike.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from tests.benchmarks import on_canvas
from tests.benchmarks.figure import Figure

SIZES = (2048, 8192, 16384)
ROUNDS = 3
MOVE_MS, P99_MS, FIT_MS, UNDO_MS, HISTORY_MB, GROWTH = 1.0, 4.0, 4.0, 2.0, 0.02, 1.1

Lines = list[dict[str, Any]]


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Moves, moves of the image fitted to the window, undo, history; each size and brush."""
    found: dict[tuple[str, int, int, Any], Lines] = defaultdict(list)
    for turn in range(ROUNDS):
        for size in SIZES:
            say(f"painting on {size} × {size}, {turn + 1} of {ROUNDS}")
            for line in on_canvas.lines(["--size", str(size), "--strokes", "3"], say):
                found[line["figure"], size, line["brush"], line.get("zoom")].append(line)
    for (name, size, brush, zoom), lines in found.items():
        yield _figure(name, size, brush, zoom, lines)
    for brush in on_canvas.BRUSHES:
        large, small = (
            found["paint_move_to_frame", size, brush, 1] for size in (SIZES[-1], SIZES[0])
        )
        ratio = statistics.median(
            a["median"] / b["median"] for a, b in zip(large, small, strict=True)
        )
        yield Figure(
            f"paint.growth_brush_{brush}",
            ratio,
            "ratio",
            n=ROUNDS,
            goal=f"<= {GROWTH:g}",
            met=ratio <= GROWTH,
            note=f"{SIZES[-1]}² against {SIZES[0]}²",
        )


def _figure(name: str, size: int, brush: int, zoom: Any, lines: Lines) -> Figure:
    value = statistics.median(line["median"] for line in lines)
    p99 = statistics.median(line["p99"] for line in lines)
    note = f"99 % within {p99:.2f} ms; load {max(line['load1'] for line in lines):.1f}"
    if name == "undo_stroke_to_frame":
        what, goal, met = "undo", f"<= {UNDO_MS:g} ms", value <= UNDO_MS
    elif name == "undo_history_per_stroke":
        what, goal, met, note = "history", f"<= {HISTORY_MB:g} MB", value <= HISTORY_MB, ""
    elif zoom == "fit":
        what, goal, met = "fitted_move", f"<= {FIT_MS:g} ms", value <= FIT_MS
    else:
        what, goal = "move", f"<= {MOVE_MS:g} ms, p99 <= {P99_MS:g}"
        met = value <= MOVE_MS and p99 <= P99_MS
    return Figure(
        name=f"paint.{what}_{size}_brush_{brush}",
        value=value,
        unit=lines[0]["unit"],
        n=sum(line["n"] for line in lines),
        goal=goal,
        met=met,
        note=note,
    )
