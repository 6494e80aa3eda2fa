"""The pixel classifier: from the request to a model, and a picture of 1024² judged.

The picture is simulated, and scribbled on as in `scribbles`. The first time is that of a real job,
from the moment it is prepared to the moment its model lies in the run folder: process, torch,
filters, trees and a check of the strip that is held out.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tests.benchmarks.figure import Figure
from tests.benchmarks.real_sets import TRAIN, Labelled
from tests.benchmarks.scribbles import scribbles

ROOT = Path(__file__).resolve().parents[2]
SIZE = 1024
ROUNDS = 3
MOST_TO_MODEL_S, MOST_TO_MASK_S = 5.0, 1.0


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Medians of a few rounds."""
    image = _image()
    painted = scribbles(image, 0)
    to_model: list[float] = []
    to_mask: list[float] = []
    for number in range(ROUNDS):
        say(f"the pixel classifier, {number + 1} of {ROUNDS}")
        with tempfile.TemporaryDirectory() as folder:
            model = _to_model(image, painted, Path(folder), to_model)
            program = [sys.executable, "-c", _PREDICT, str(model), str(SIZE)]
            done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True)
            to_mask.append(float(done.stdout))
    share = 100 * np.count_nonzero(painted) / painted.size
    for name, took, most, note in (
        ("request_to_model", to_model, MOST_TO_MODEL_S, f"{share:.1f} % of {SIZE}² painted"),
        ("predict_1024", to_mask, MOST_TO_MASK_S, "preparing the image included"),
    ):
        value = statistics.median(took)
        yield Figure(
            f"instant.{name}",
            value,
            "s",
            n=len(took),
            goal=f"<= {most:g} s on 2 cores",
            met=value <= most,
            note=note,
        )


def _image() -> Labelled:
    """A simulated network of the ER."""
    from orgseg_app.core.samples.catalogue import simulate

    sample = simulate("er", 0, size=(SIZE, SIZE))
    return Labelled("er", TRAIN, sample.pixels, sample.mask)


def _to_model(image: Labelled, painted: np.ndarray, folder: Path, took: list[float]) -> Path:
    """Train in a process of its own; returns the checkpoint."""
    from orgseg_app.core.classes import default_classes
    from orgseg_app.core.image import open_array
    from orgseg_app.files.images.intake import NewImage
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.runs.launcher import job_command, job_environment
    from orgseg_app.runs.recipes.presets import PRESETS
    from orgseg_app.runs.training import prepare_training

    with ProjectFile.create(folder / "instant.orgseg", default_classes(["ER"])) as file:
        file.add_images([NewImage(open_array("er", image.image), TRAIN, mask=painted)])
        begin = time.time()
        run = prepare_training(file, PRESETS["instant"])
    environment = job_environment() | {"ORGSEG_HOME": str(folder)}
    subprocess.run(
        job_command(run.path), env=environment, cwd=ROOT, check=True, capture_output=True
    )
    took.append(os.stat(run.best_path).st_mtime - begin)
    return run.best_path


_PREDICT = """
import sys, time
from pathlib import Path
import numpy as np
from orgseg_app.learn.checkpoint import load_model
from orgseg_app.learn.prediction.predictor import Predictor
from tests.learn.predicting import predict_plane
predictor = Predictor([load_model(Path(sys.argv[1]))])
size = int(sys.argv[2])
image = np.random.default_rng(0).integers(0, 4000, (1, size, size)).astype(np.uint16)
predict_plane(predictor, image[:, :64, :64])
begin = time.perf_counter()
predict_plane(predictor, image)
print(time.perf_counter() - begin)
"""
