"""Flood fill on the real canvas, click to frame, against cv2.floodFill on the whole array.

The mask is a background with round objects, as many as 2025 at 16384²; see `on_canvas`. OpenCV only
fills the array: nothing is shown or remembered. Both take turns, and the ratio is the median of the
pairs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

from tests.benchmarks import on_canvas
from tests.benchmarks.figure import Figure

SIZES = (2048, 8192, 16384)
OBJECT_MS = 2.0
BACKGROUND_RATIO = 1.5
OBJECTS = 20


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which sizes."""
    parser.add_argument("--fill-sizes", type=int, nargs="+", default=SIZES, metavar="N")


def measure(say: Callable[[str], None], options: argparse.Namespace) -> Iterator[Figure]:
    """Median milliseconds of an object, of the background, and of taking each back."""
    for size in options.fill_sizes:
        say(f"filling on {size} × {size}")
        asked = ["--size", str(size), "--strokes", "0", "--fills", str(OBJECTS)]
        for line in on_canvas.lines(asked, say):
            name, value, ratio = line["figure"], line["median"], line.get("ratio")
            goal, met = "", None
            if name == "fill_object":
                goal, met = f"<= {OBJECT_MS:g} ms", value <= OBJECT_MS
            elif name == "fill_background" and size == max(SIZES):
                goal, met = f"ratio <= {BACKGROUND_RATIO:g}", ratio <= BACKGROUND_RATIO
            yield Figure(
                name=f"fill.{name.removeprefix('fill_')}_{size}",
                value=value,
                unit="ms",
                n=line["n"],
                goal=goal,
                met=met,
                bound=line.get("opencv"),
                ratio=ratio,
                note=f"99 % within {line['p99']:.2f} ms; load {line['load1']:.1f}",
            )
