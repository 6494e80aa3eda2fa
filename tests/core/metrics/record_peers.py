"""Record what peers say of labellings: ``python -m tests.core.metrics.record_peers``.

scikit-image and scikit-learn of groups of voxels, stardist and Cellpose of matched objects. None is
a dependency of OrgSeg, so that the suite compares with what they said once. To record it anew, run
this in an environment that has them, together with NumPy, SciPy, OpenCV and numba. The last two
need neither TensorFlow nor PyTorch for it::

    pip install --no-deps stardist csbdeep cellpose fastremap fill-voids
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

PLACE = Path(__file__).with_name("peers.json")
CASES = 40
LOW = (0.1, 0.3)
THRESHOLDS = (*LOW, *(percent / 100 for percent in range(50, 100, 5)))


def case(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Two labellings ``(Z, Y, X)``: by chance, alike, one object, nothing, with gaps, in 2-D."""
    grid = np.indices((3, 8, 9)).reshape(3, -1)
    mixed = ((grid.T @ [7919, 104729, 1299709]) * (number + 3) ** 2 // 11) % 9973
    truth = mixed % (1 + number % 6)
    other = (mixed // 7) % (1 + number % 5)
    prediction = np.where(mixed % 10 < number % 11, truth, other)
    if number % 7 == 1:
        prediction = prediction * 1000
    if number % 8 == 2:
        truth = np.ones_like(truth)
    if number % 8 == 3:
        prediction = np.zeros_like(prediction)
    if number % 8 == 4:
        truth, prediction = truth + 1, truth * 3 + 1
    shape = (24, 9) if number % 2 else (3, 8, 9)
    return truth.reshape(shape), prediction.reshape(shape)


def cells(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Round objects ``(96, 128)`` and a prediction: moved, missed, split, merged, with gaps."""
    random = np.random.default_rng(number)
    truth, prediction = np.zeros((2, 96, 128), np.int32)
    rows, columns = np.indices(truth.shape)
    for object_number in range(1, 37):
        y, x = random.uniform(6, 90), random.uniform(6, 122)
        radius = random.uniform(3, 11)
        truth[np.hypot(rows - y, columns - x) < radius] = object_number
        moved = random.normal(0, 0.4 * (number % 5), 2)
        found = np.hypot(rows - y - moved[0], columns - x - moved[1]) < radius
        kind = random.random()
        if kind < 0.15:
            continue
        own = object_number - 1 if kind < 0.3 and object_number > 1 else object_number
        prediction[found] = own * 10
        if kind > 0.8:
            prediction[found & (columns > x + random.uniform(-4, 4))] = own * 10 + 1
    return truth, prediction


def main() -> None:
    """Write `PLACE`."""
    from skimage.metrics import adapted_rand_error, variation_of_information
    from sklearn.metrics import adjusted_rand_score

    found = []
    for number in range(CASES):
        truth, prediction = case(number)
        said = {"ari": adjusted_rand_score(truth.ravel(), prediction.ravel())}
        for name, ignored in (("all", ()), ("objects", (0,))):
            if np.isin(truth, ignored).all():
                continue
            with np.errstate(invalid="ignore", divide="ignore"):
                error, by_truth, by_prediction = adapted_rand_error(
                    truth, prediction, ignore_labels=ignored
                )
            split, merge = variation_of_information(truth, prediction, ignore_labels=ignored)
            values = (error, by_prediction, by_truth, split, merge)
            said[name] = [None if np.isnan(value) else float(value) for value in values]
        said["matched"] = matched(truth, prediction)
        found.append(said)
    discs = [matched(*cells(number)) for number in range(CASES)]
    peers = ("scikit-image", "scikit-learn", "stardist", "cellpose")
    versions = {name: importlib.metadata.version(name) for name in peers}
    PLACE.write_text(
        json.dumps({"versions": versions, "cases": found, "cells": discs}, indent=1) + "\n"
    )


def matched(truth: np.ndarray, prediction: np.ndarray) -> dict[str, Any]:
    """What stardist and Cellpose say of the objects.

    Both take an IoU that is exactly the threshold for a match; we do not, so that they are asked
    for a little more, stardist's numbers being float32.
    """
    sys.modules.setdefault("torch", _nothing("torch"))
    from cellpose.metrics import average_precision
    from stardist.matching import matching

    strict = [threshold + 1e-6 for threshold in THRESHOLDS]
    found = [item._asdict() for item in matching(truth, prediction, strict)]
    half = found[len(LOW)]
    said = {
        "truth": int(half["n_true"]),
        "predicted": int(half["n_pred"]),
        "hits": [int(item["tp"]) for item in found],
        "ap": [round(float(item["accuracy"]), 9) for item in found],
        "iou": [round(float(item["mean_matched_score"]), 6) for item in found],
        "panoptic": round(float(half["panoptic_quality"]), 6),
    }
    if truth.any() and prediction.any() and not truth.all() and not prediction.all():
        said["cellpose"] = [int(hits) for hits in average_precision(truth, prediction, strict)[1]]
    return said


def _nothing(name: str) -> ModuleType:
    """Stands in for a library that is only asked for its version."""
    module = ModuleType(name)
    module.__version__ = ""  # type: ignore[attr-defined]
    return module


if __name__ == "__main__":
    main()
