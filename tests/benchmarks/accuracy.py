"""How well the presets segment real images, against another library's U-Net in the same time.

The preset that the window offers first (for several classes another than for one), the preset
made for the set, and the pixel classifier, against a U-Net of segmentation-models-pytorch
(resnet18, no weights; see `peer_unet`), each trained for 60, 180 and 600 seconds on the sets of
`real_sets`. Test images choose nothing. Everything::

    PEERS=FOLDER python tests/benchmarks/run.py accuracy

takes about 85 minutes on a quiet machine of two cores (60 and 180 s on five sets, 600 s on two)
and goes on where it was stopped. ``--sets``, ``--seconds`` and ``--methods`` take parts of it or
more (``preset`` and the plain loop ``smp`` are left out when not named); ``--clock cpu`` is for a
busy machine.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks.figure import Figure
from tests.benchmarks.trained import Outcome, Training, here, offered_first, train

SETS = ("er", "nuclei", "mito", "membranes", "yeast")
LONG_SETS = ("er", "mito")
SECONDS = (60.0, 180.0, 600.0)
MARGIN = 0.01
CLASSIFIER = "instant"
FITTING = {
    "er": "er-laptop",
    "nuclei": "nuclei",
    "mito": "em-mitochondria",
    "phase": "cells",
    "dic": "cells",
}
"""Presets made for a set, beside the default."""
METHODS = ("default", "classifier", "smp-tuned")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which of the methods; the rest is in `trained`."""
    parser.add_argument(
        "--methods",
        nargs="+",
        default=METHODS,
        choices=("default", "preset", "classifier", "smp", "smp-tuned"),
        help="accuracy: what is trained",
    )


def measure(say: Callable[[str], None], options: argparse.Namespace) -> Iterator[Figure]:
    """For each set and time, the IoU of each method, and whether the default may stay it."""
    peers = options.peers or os.environ.get("PEERS", "")
    methods = list(options.methods)
    if not (Path(peers) / "smp").is_dir() or not peers:
        say("accuracy: the peer is left out, for want of --peers with a folder smp")
        methods = [m for m in methods if not m.startswith("smp")]
    else:
        os.environ["PEERS"] = str(Path(peers).resolve())
    for name in here(options.sets or SETS, say):
        for seconds in options.seconds or SECONDS:
            if seconds >= SECONDS[-1] and not options.sets and name not in LONG_SETS:
                continue
            cells = {m: _cell(m, name, seconds, options.clock) for m in methods}
            found = {
                method: train(cell, options.kept, say)
                for method, cell in cells.items()
                if cell is not None
            }
            yield from _figures(f"accuracy.{name}.{seconds:g}s", found)


def _cell(method: str, name: str, seconds: float, clock: str) -> Training | None:
    """The training of a method; None where there is none for the set."""
    if method.startswith("smp"):
        return Training(name, method, "", seconds=seconds, clock=clock)
    if method == "classifier":
        # Done in seconds whatever the time, so done once.
        return Training(name, recipe=CLASSIFIER, clock=clock)
    if method == "default":
        recipe: str | None = offered_first(name)
    else:
        recipe = FITTING.get(name)
    return Training(name, recipe=recipe, seconds=seconds, clock=clock) if recipe else None


def _figures(prefix: str, found: dict[str, Outcome]) -> Iterator[Figure]:
    others = {m: o.mean_iou for m, o in found.items() if m not in ("default", "preset")}
    best = max(others, key=lambda m: others[m], default="")
    for method, outcome in found.items():
        judged = method in ("default", "preset") and bool(best)
        yield Figure(
            f"{prefix}.{method}",
            outcome.mean_iou,
            "IoU",
            n=len(outcome.per_image),
            goal=f">= best of the others - {MARGIN}" if judged else "",
            met=outcome.mean_iou >= others[best] - MARGIN if judged else None,
            peer=others[best] if judged else None,
            ratio=outcome.mean_iou / others[best] if judged else None,
            note=f"mean over images {outcome.mean_per_image:.3f}, validation "
            f"{outcome.validation:.3f}, {outcome.steps} steps in {outcome.seconds:.0f} s"
            + (f"; best other: {best}" if judged else ""),
        )
