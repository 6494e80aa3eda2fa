"""OrgSeg and napari in turn on one display, figure by figure; needs napari's own environment.

``--bench`` is the folder with ``napari_paint.py``, and ``--peers`` (or the variable PEERS) the one
with the environment ``napari`` that its ``setup.sh`` makes; without them nothing is measured. Both
paint on an image of 8 bits with a mask of 8 bits, as many moves with as large a brush, and fill a
mask of 2025 objects. The ratio is the median over pairs of runs (A B A B ...), so that the drift
of the machine hits both alike. napari's frames are drawn in software here, which takes about 10 ms
that a graphics card would not; its handler alone is given too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks import on_canvas
from tests.benchmarks.display import display_environment
from tests.benchmarks.figure import Figure

SIZES = (2048, 16384)
ROUNDS = 3
LEAST = {
    "paint_move_to_frame": 15.0,
    "undo_stroke_to_frame": 15.0,
    "undo_history_per_stroke": 1.0,
    "fill_object": 8.0,
    "fill_background": 7.0,
}
"""How many times less than napari."""

Key = tuple[str, int, int | None]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where the peers are."""
    parser.add_argument("--bench", type=Path, metavar="FOLDER", help="peers: their scripts")
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="peers: their environments")
    parser.add_argument("--peer-sizes", type=int, nargs="+", default=SIZES, metavar="N")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N", help="peers: pairs")


def measure(say: Callable[[str], None], options: argparse.Namespace) -> Iterator[Figure]:
    """Each figure both have, for each size and brush."""
    peers = options.peers or os.environ.get("PEERS", "")
    if not options.bench or not peers:
        say("peers: left out, for want of --bench and --peers")
        return
    python = Path(peers) / "napari" / "bin" / "python"
    for size in options.peer_sizes:
        ours: dict[Key, list[float]] = defaultdict(list)
        theirs: dict[Key, list[float]] = defaultdict(list)
        a = [sys.executable, on_canvas.__file__, "--strokes", "2", "--fits", "0", "--fills", "4"]
        b = [str(python), str(options.bench / "napari_paint.py"), "--gray"]
        with display_environment() as environment:
            for turn in range(options.rounds):
                say(f"OrgSeg and napari at {size} × {size}, {turn + 1} of {options.rounds}")
                for command, found in ((a, ours), (b, theirs)):
                    for line in _lines([*command, "--size", str(size)], environment):
                        found[line["figure"], size, line.get("brush")].append(line["median"])
        yield from _figures(ours, theirs)


def _lines(command: list[str], environment: dict[str, str]) -> Iterator[dict[str, Any]]:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    for text in done.stdout.splitlines():
        if text.startswith('{"bench"'):
            line = json.loads(text)
            if "median" in line:
                yield line


def _figures(ours: dict[Key, list[float]], theirs: dict[Key, list[float]]) -> Iterator[Figure]:
    for key, mine in ours.items():
        name, size, brush = key
        other = theirs.get(key)
        if not other:
            continue
        times = statistics.median(b / a for a, b in zip(mine, other, strict=True))
        handler = theirs.get(("paint_handler_only", size, brush))
        note = f"{times:.1f} times less"
        if name == "paint_move_to_frame" and handler:
            note += f"; napari without its frame {statistics.median(handler):.2f} ms"
        least = LEAST.get(name)
        yield Figure(
            name=f"peers.{name}_{size}" + (f"_brush_{brush}" if brush else ""),
            value=statistics.median(mine),
            unit="MB" if name == "undo_history_per_stroke" else "ms",
            n=len(mine),
            goal=f"{least:g} times less" if least else "",
            met=times >= least if least else None,
            peer=statistics.median(other),
            ratio=1 / times,
            note=note,
        )
