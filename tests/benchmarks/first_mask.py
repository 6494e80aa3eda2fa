"""First mask in eight: moves and seconds from the first start to a learned mask of one's own image.

A scripted newcomer at the real window (`tests.e2e.newcomer`) drops an image, paints a stroke of
each class, trains and has the rest predicted; once with the recipe that is offered first, once with
the one that is ready in seconds. Each time in a fresh home; the clock runs from the window that is
there to the mask on the canvas.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.figure import Figure

ROOT = Path(__file__).resolve().parents[2]
MOST_MOVES, MOST_SECONDS, LEAST_IOU = 8, 300, 0.6
WAYS = (("offered first", ""), ("ready in seconds", "instant"))


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Three figures for each recipe."""
    for words, preset in WAYS:
        say(f"a newcomer with the recipe {words}")
        facts = _way(preset)
        name = f"first_mask.{preset or 'usual'}"
        moves = len(facts["moves"])
        for what, value, unit, goal, met in (
            ("moves", moves, "", f"<= {MOST_MOVES}", moves <= MOST_MOVES),
            (
                "seconds",
                facts["seconds"],
                "s",
                f"<= {MOST_SECONDS} s on 2 cores",
                facts["seconds"] <= MOST_SECONDS,
            ),
            ("iou", facts["iou"], "", f">= {LEAST_IOU}", facts["iou"] >= LEAST_IOU),
        ):
            note = ", ".join(facts["moves"]) if what == "moves" else ""
            yield Figure(f"{name}_{what}", value, unit, goal=goal, met=met, note=note)


def _way(preset: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "ORGSEG_HOME": home, "QT_QPA_PLATFORM": "offscreen"}
        program = [sys.executable, "-m", "tests.e2e.newcomer", *([preset] if preset else [])]
        done = subprocess.run(
            program, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
    return dict(json.loads(done.stdout.splitlines()[-1]))
