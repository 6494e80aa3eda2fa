"""Seven classes of one published platelet slice, from its files to masks, by the command line.

The slice of Guay et al. 2021 in ``../shared/data/em_multiclass_platelet`` is imported, learned by a
network of planes and by 2D-3D, and predicted by both. Bands of it learn, choose and judge; gaps as
wide as the network sees lie between them, so what the scores say holds within this one slice. The
rarest class has 90 pixels in all. ``--recipes`` and ``--steps`` change what is learned.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.figure import Figure
from tests.benchmarks.real_sets import DATA

ROOT = Path(__file__).resolve().parents[2]
SLICE = DATA / "em_multiclass_platelet"
IMAGE, LABELS = SLICE / "images" / "24.png", SLICE / "labels" / "24.png"
CLASSES = (
    "cell",
    "mitochondrion",
    "alpha granule",
    "canalicular channel",
    "dense granule",
    "dense granule core",
)
RECIPES = ("multi-class", "volume-2d3d")
STEPS = 200


def add_options(parser: argparse.ArgumentParser) -> None:
    """``--recipes``; how long they learn is in `trained`."""
    parser.add_argument("--recipes", nargs="+", metavar="NAME", default=list(RECIPES))


def measure(say: Callable[[str], None], options: argparse.Namespace) -> Iterator[Figure]:
    """For each recipe the score of the band that judges, and what the mask of the slice holds."""
    if not SLICE.is_dir():
        say(f"left out, for want of ../shared/data/{SLICE.name}")
        return
    with tempfile.TemporaryDirectory(prefix="platelet-") as name:
        folder = Path(name)
        for part in ("images", "labels"):
            shutil.copytree(SLICE / part, folder / "slice" / part)
        project = str(folder / "platelet.orgseg")
        home = folder / "home"
        _orgseg(home, "new", project, "--classes", ",".join(CLASSES))
        _orgseg(home, "import", project, str(folder / "slice"), "--yes")
        for recipe in options.recipes:
            say(f"learning {recipe}")
            steps = f"steps={options.steps or STEPS}"
            words = ("--recipe", recipe, "--set", steps, "--name", recipe, "--blocks", "--json")
            _orgseg(home, "train", project, *words)
            out = folder / "masks" / recipe
            _orgseg(
                home, "predict", str(IMAGE), "--model", f"{project}:{recipe}", "--out", str(out)
            )
            compared = _orgseg(home, "compare", project, "--runs", recipe, "--json")
            yield from _figures(recipe, json.loads(compared.splitlines()[-1]), out)


def _figures(recipe: str, compared: dict[str, Any], out: Path) -> Iterator[Figure]:
    import cv2
    import numpy as np
    import tifffile

    pooled = compared["runs"][0]["pooled"]
    scores = {"background": pooled["background_iou"], **pooled["iou"]}
    there = {name: value for name, value in scores.items() if value is not None}
    yield Figure(
        f"platelet.{recipe}.test_band",
        sum(there.values()) / len(there),
        "MIoU",
        n=len(there),
        note="classes in that band: " + ", ".join(f"{k} {v:.2f}" for k, v in there.items()),
    )
    (path,) = out.glob("*.tif")
    mask, truth = tifffile.imread(path), np.asarray(cv2.imread(str(LABELS), cv2.IMREAD_UNCHANGED))
    found = [name for k, name in enumerate(CLASSES, start=1) if (mask == k).any()]
    yield Figure(
        f"platelet.{recipe}.predicted",
        len(found),
        "classes in the mask",
        goal="a mask as large as the slice",
        met=mask.shape == truth.shape,
        note=f"{', '.join(found)}; background {np.mean(mask == 0):.0%}, "
        f"in truth {np.mean(truth == 0):.0%}",
    )


def _orgseg(home: Path, *words: str) -> str:
    """What a command prints; raises where it fails."""
    program = [sys.executable, str(ROOT / "main.py"), *words]
    environment = {**os.environ, "ORGSEG_HOME": str(home)}
    done = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout
