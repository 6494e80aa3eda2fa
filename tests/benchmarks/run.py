"""Measure OrgSeg: ``python tests/benchmarks/run.py [NAME ...] [--json] [--list]``.

Each benchmark is a module here with a docstring and a function ``measure(say)`` that yields figures
as they are known; ``say`` takes a line of text about what goes on. A second argument gets the
options, and ``add_options(parser)`` may add some. With ``--json`` every figure is one JSON line,
otherwise a table marks with ``!!`` what falls short. Times compare only within one run. As
``main.py`` does, this continues in the project's own environment.

Exit code 0 when everything was measured, also where it falls short; 1 when a benchmark failed;
2 for wrong usage.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import sys
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.benchmarks import trained  # noqa: E402
from tests.benchmarks.figure import Figure, table  # noqa: E402

BENCHMARKS = {
    "startup": "tests.benchmarks.startup",
    "paint": "tests.benchmarks.paint",
    "training": "tests.benchmarks.training",
    "memory": "tests.benchmarks.memory",
    "sparse": "tests.benchmarks.sparse",
    "otsu_stroke": "tests.benchmarks.otsu_stroke",
    "boxes": "tests.benchmarks.boxes",
    "fill": "tests.benchmarks.fill",
    "store": "tests.benchmarks.store",
    "codecs": "tests.benchmarks.codecs",
    "images": "tests.benchmarks.images",
    "interpolation": "tests.benchmarks.interpolation",
    "large": "tests.benchmarks.large",
    "sections": "tests.benchmarks.sections",
    "peers": "tests.benchmarks.peers",
    "learning": "tests.benchmarks.learning",
    "training_speed": "tests.benchmarks.training_speed",
    "prediction_speed": "tests.benchmarks.prediction_speed",
    "preprocessing": "tests.benchmarks.preprocessing",
    "instant": "tests.benchmarks.instant",
    "first_mask": "tests.benchmarks.first_mask",
    "accuracy": "tests.benchmarks.accuracy",
    "scribbles": "tests.benchmarks.scribbles",
    "claims": "tests.benchmarks.claims",
    "precision": "tests.benchmarks.precision",
    "augmentation": "tests.benchmarks.augmentation",
    "scores": "tests.benchmarks.scores",
    "instances": "tests.benchmarks.instances",
    "objects_live": "tests.benchmarks.objects_live",
    "compare_table": "tests.benchmarks.compare_table",
    "gigavoxels": "tests.benchmarks.gigavoxels",
    "volumes": "tests.benchmarks.volumes",
    "platelet": "tests.benchmarks.platelet",
    "compare_view": "tests.benchmarks.compare_view",
    "statistics": "tests.benchmarks.chance",  # a file of that name would hide Python's own
}

LONG = (
    "accuracy",
    "scribbles",
    "claims",
    "precision",
    "volumes",
    "platelet",
    "gigavoxels",
    "instances",
    "statistics",
    "compare_table",
)
"""They train for an hour or so, or draw lots for minutes: done only when named."""


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmarks named, or all but those of `LONG`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="which ones; all but the long ones when left out"
    )
    parser.add_argument("--json", action="store_true", help="one JSON line a figure")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and stop")
    trained.add_options(parser)
    for name in sorted(BENCHMARKS):
        if hasattr(_module(name), "add_options"):
            _module(name).add_options(parser)
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    if options.list:
        for name in BENCHMARKS:
            print(f"{name:12} {(_module(name).__doc__ or '').splitlines()[0]}")
        return 0

    figures: list[Figure] = []
    failed = False
    for name in options.names or [name for name in BENCHMARKS if name not in LONG]:
        try:
            takes = inspect.signature(_module(name).measure).parameters
            own = (options,) if len(takes) > 1 else ()
            for figure in _module(name).measure(_say, *own):
                figures.append(figure)
                if options.json:
                    print(json.dumps(figure.to_dict()), flush=True)
        except Exception:
            failed = True
            _say(f"{name} failed:\n{traceback.format_exc()}")
    if not options.json and figures:
        print(table(figures))
        short = [figure.name for figure in figures if figure.met is False]
        print(f"\nFalls short: {', '.join(short)}" if short else "\nEvery goal is met.")
    return 1 if failed else 0


def _module(name: str) -> Any:
    return importlib.import_module(BENCHMARKS[name])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    from orgseg_app.bootstrap import ensure

    ensure()
    sys.exit(main())
