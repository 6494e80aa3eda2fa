"""The best and worst image of each run in small: image, truth, prediction, difference.

Pictures are grey in a few steps, tinted where a class lies, and saved with a palette: some tens of
kilobytes each, so that a report stays a file that can be mailed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, UNLABELLED, ClassInfo
from orgseg_app.files.errors import FileError
from orgseg_app.files.png import encode_png
from orgseg_app.files.predictions import read_predicted_plane
from orgseg_app.runs.comparison import ImageScores, RunScores

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

Plane = NDArray[np.uint8]

SIDE = 300
"""Longest side of a picture, in pixels."""
MOST_RUNS = 6
"""So many runs get pictures: the best."""

RIGHT, TOO_MUCH, MISSED, OTHER = (0, 158, 115), (213, 94, 0), (0, 114, 178), (204, 121, 167)
"""Colours of a difference (Okabe & Ito 2008), told apart by people who are colour-blind, too."""

_GREYS, _TINTS = 32, 8
_STRENGTH = 0.62
_NOT_PAINTED = (236, 238, 242)


@dataclass(frozen=True)
class Example:
    """One image as one run predicted it.

    Attributes
    ----------
    run_id, run : str
    which : str
        "best" or "worst".
    image, image_id : str
    plane : int
        From 1; the one with the most paint.
    planes : int
        Of the image.
    mean_iou : float
        Of the whole image.
    pictures : tuple of (str, bytes)
        Caption and PNG file.
    classes : tuple of (str, (int, int, int))
        Names and colours in them.
    """

    run_id: str
    run: str
    which: str
    image: str
    image_id: str
    plane: int
    planes: int
    mean_iou: float
    pictures: tuple[tuple[str, bytes], ...]
    classes: tuple[tuple[str, tuple[int, int, int]], ...] = ()


def best_and_worst(run: RunScores) -> dict[str, ImageScores]:
    """By "best" and "worst" the image, by its own mean IoU; only "best" where there is one."""
    found = [one for one in run.per_image if one.scores.mean_iou is not None]
    if not found:
        return {}
    ordered = sorted(found, key=lambda one: one.scores.mean_iou or 0.0)
    if len(ordered) == 1:
        return {"best": ordered[0]}
    return {"best": ordered[-1], "worst": ordered[0]}


def examples_of(
    project_file: ProjectFile,
    runs: Sequence[RunScores],
    places: Mapping[str, Path],
    *,
    goes_on: Callable[[], bool] = lambda: True,
) -> tuple[Example, ...]:
    """Pictures of the best and the worst image of the first runs.

    Parameters
    ----------
    project_file
        Holds images and truth; those that it lacks are left out.
    runs
        In the order of the report; those without a rank are better left out.
    places
        Id of a run → the file that may hold its predictions.
    goes_on
        Asked before each picture.
    """
    found: list[Example] = []
    for run in runs[:MOST_RUNS]:
        for which, one in best_and_worst(run).items():
            if not goes_on():
                return tuple(found)
            path = places.get(run.run_id)
            image = project_file.project.images.get(one.image_id)
            if path is None or image is None or image.sha256 != one.sha256:
                continue
            try:
                example = _example(project_file, run, which, one, path)
            except (FileError, OSError, IndexError, ValueError):
                continue  # a picture that cannot be had is no reason to write no report
            found.append(example)
    return tuple(found)


def _example(
    project_file: ProjectFile, run: RunScores, which: str, one: ImageScores, path: Path
) -> Example:
    truth_zyx = project_file.load_mask(one.image_id).to_array()
    painted = (truth_zyx != UNLABELLED).reshape(len(truth_zyx), -1).sum(axis=1)
    z = int(painted.argmax())
    predicted = read_predicted_plane(path, one.image_id, z)
    pixels = project_file.read_plane(one.image_id, z)
    truth = truth_zyx[z]
    if predicted.shape != truth.shape:
        raise ValueError("the prediction is of another image")
    grey, truth, predicted = _reduced(_grey(pixels), truth, predicted)
    classes = project_file.project.classes
    return Example(
        run_id=run.run_id,
        run=run.name,
        which=which,
        image=one.image,
        image_id=one.image_id,
        plane=z + 1,
        planes=len(truth_zyx),
        mean_iou=one.scores.mean_iou or 0.0,
        pictures=(
            ("Image", tinted(grey, np.zeros_like(truth), ())),
            ("Truth", class_picture(grey, truth, classes)),
            ("Prediction", class_picture(grey, predicted, classes)),
            ("Difference", difference_picture(truth, predicted)),
        ),
        classes=tuple((c.name, c.rgb) for c in classes if c.class_id != BACKGROUND),
    )


def _grey(pixels: NDArray[np.generic]) -> NDArray[np.float64]:
    """``(C, Y, X)`` as ``(Y, X)`` 0…1: each channel from its 1st to its 99.5th percentile."""
    planes = []
    for channel in pixels.astype(np.float64):
        low, high = np.percentile(channel[np.isfinite(channel)], (1, 99.5))
        spread = high - low or 1.0
        planes.append(np.nan_to_num(np.clip((channel - low) / spread, 0, 1)))
    found: NDArray[np.float64] = np.mean(planes, axis=0)
    return found


def _reduced(
    grey: NDArray[np.float64], truth: Plane, predicted: Plane
) -> tuple[NDArray[np.float64], Plane, Plane]:
    """Smaller by a whole number, so that thin structures stay true: means, and middle voxels."""
    times = -(-max(grey.shape) // SIDE)
    if times <= 1:
        return grey, truth, predicted
    height, width = (max(1, side // times) * times for side in grey.shape)
    if min(grey.shape) < times:
        return grey[::times, ::times], truth[::times, ::times], predicted[::times, ::times]
    blocks = grey[:height, :width].reshape(height // times, times, width // times, times)
    middle = slice(times // 2, None, times)
    shape = blocks.shape[0], blocks.shape[2]
    cut = [mask[middle, middle][: shape[0], : shape[1]] for mask in (truth, predicted)]
    return blocks.mean(axis=(1, 3)), cut[0], cut[1]


def class_picture(grey: NDArray[np.float64], mask: Plane, classes: Sequence[ClassInfo]) -> bytes:
    """Grey values tinted by class, as a PNG file; after seven classes colours begin again.

    Parameters
    ----------
    grey
        ``(Y, X)`` 0…1.
    mask
        ``(Y, X)`` class ids.
    """
    others = [info for info in classes if info.class_id != BACKGROUND]
    tints = np.zeros_like(mask)
    for number, info in enumerate(others):
        tints[mask == info.class_id] = 1 + number % (_TINTS - 1)
    return tinted(grey, tints, [info.rgb for info in others[: _TINTS - 1]])


def tinted(
    grey: NDArray[np.float64], tints: Plane, colours: Sequence[tuple[int, int, int]]
) -> bytes:
    """Grey values ``(Y, X)`` 0…1 in 32 steps, a colour over them where `tints` is 1 or more."""
    steps = np.clip(np.rint(grey * (_GREYS - 1)), 0, _GREYS - 1).astype(np.uint8)
    palette = []
    for colour in (None, *colours):
        for step in range(_GREYS):
            level = step * 255 // (_GREYS - 1)
            palette.append(
                (level, level, level)
                if colour is None
                else _mixed((level, level, level), colour, _STRENGTH)
            )
    return encode_png(steps + np.uint8(_GREYS) * tints.astype(np.uint8), palette)


def _mixed(
    below: tuple[int, int, int], above: tuple[int, int, int], strength: float
) -> tuple[int, int, int]:
    red, green, blue = (round(b + (a - b) * strength) for b, a in zip(below, above, strict=True))
    return red, green, blue


def difference_picture(truth: Plane, predicted: Plane) -> bytes:
    """Where truth and prediction agree and where not, as a PNG file.

    Parameters
    ----------
    truth, predicted
        ``(Y, X)`` class ids; where the truth is 0 nothing is judged.

    Returns
    -------
    bytes
        White: background in both; `RIGHT`, `TOO_MUCH` (background in truth), `MISSED` (predicted
        as background), `OTHER` (another class), pale grey where nothing is painted.
    """
    is_there, is_said = truth > BACKGROUND, predicted > BACKGROUND
    values = np.zeros(truth.shape, np.uint8)
    values[is_there & (truth == predicted)] = 1
    values[~is_there & is_said] = 2
    values[is_there & ~is_said] = 3
    values[is_there & is_said & (truth != predicted)] = 4
    values[truth == UNLABELLED] = 5
    return encode_png(values, [(255, 255, 255), RIGHT, TOO_MUCH, MISSED, OTHER, _NOT_PAINTED])
