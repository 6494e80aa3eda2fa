"""Where a prediction agrees with the truth, and where not. Plain arrays, no Qt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, UNLABELLED

UNJUDGED, RIGHT_OUTSIDE, AGREES, TOO_MUCH, MISSED = range(5)
"""Values of a difference: truth unlabelled; rightly not the class; rightly the class (TP); wrongly
the class (FP); wrongly not the class (FN)."""

COLOURS = {AGREES: "#FFFFFF", TOO_MUCH: "#E69F00", MISSED: "#56B4E9"}
WORDS = {AGREES: "agrees", TOO_MUCH: "too much", MISSED: "missed"}
LONG_WORDS = {
    AGREES: "True positive: the model marked what is there.",
    TOO_MUCH: "False positive: the model marked what is not there, or is another class.",
    MISSED: "False negative: the model did not mark what is there.",
}

DISAGREES = "#F0E442"
"""Where runs do not say the same: none of the colours of right and wrong."""
MOST_REGIONS = 500


@dataclass(frozen=True)
class Region:
    """Voxels of a plane that hang together, corners included.

    Attributes
    ----------
    z
        The plane.
    voxels
        How many there are.
    y0, x0, y1, x1
        The box around them; `y1` and `x1` lie just outside.
    """

    z: int
    voxels: int
    y0: int
    x0: int
    y1: int
    x1: int


def difference(
    truth: NDArray[np.uint8], prediction: NDArray[np.uint8], class_id: int | None = None
) -> NDArray[np.uint8]:
    """Judge every voxel.

    Parameters
    ----------
    truth, prediction
        Class ids, same shape; truth 0 is unlabelled and not judged.
    class_id
        The class in question; None for all but background, where a voxel given another class than
        the true one counts as too much.

    Returns
    -------
    uint8, same shape
        `UNJUDGED`, `RIGHT_OUTSIDE`, `AGREES`, `TOO_MUCH` or `MISSED`.

    Raises
    ------
    ValueError
        When the shapes differ.

    Examples
    --------
    >>> truth = np.array([0, 1, 2, 2, 1], np.uint8)
    >>> difference(truth, np.array([2, 1, 2, 1, 2], np.uint8), 2).tolist()
    [0, 1, 2, 4, 3]
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"Truth is {truth.shape} but the prediction is {prediction.shape}.")
    if not truth.size:
        return np.zeros(truth.shape, np.uint8)
    # Four or six passes over bytes, each a table or as simple, take a third of comparing and
    # choosing with boolean arrays.
    of_truth, of_prediction, verdicts = _tables(class_id)
    code = cv2.add(_looked_up(truth, of_truth), _looked_up(prediction, of_prediction))
    if class_id is None:
        same = cv2.compare(_in_rows(truth), _in_rows(prediction), cv2.CMP_EQ)
        code = cv2.add(code, np.asarray(same, np.uint8) & np.uint8(_SAME))
    judged: NDArray[np.uint8] = cv2.LUT(code, verdicts).reshape(truth.shape)  # type: ignore[assignment]
    return judged


_OUTSIDE, _IN_TRUTH, _MARKED, _SAME = 1, 2, 4, 8


def _in_rows(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As OpenCV takes a plane: what has three axes it would take for colours."""
    return np.ascontiguousarray(values).reshape(-1, values.shape[-1])


def _looked_up(values: NDArray[np.uint8], table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.LUT(_in_rows(values), table), np.uint8)


@lru_cache(maxsize=64)
def _tables(
    class_id: int | None,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Codes of truth and prediction that add up, and the verdict of each sum."""
    is_class = np.arange(256) > BACKGROUND if class_id is None else np.arange(256) == class_id
    of_truth = np.where(is_class, _IN_TRUTH, _OUTSIDE).astype(np.uint8)
    of_truth[UNLABELLED] = 0
    of_prediction = np.where(is_class, _MARKED, 0).astype(np.uint8)
    verdicts = np.full(256, UNJUDGED, np.uint8)
    for same in (0, _SAME):
        verdicts[_OUTSIDE + same] = RIGHT_OUTSIDE
        verdicts[_OUTSIDE + _MARKED + same] = TOO_MUCH
        verdicts[_IN_TRUTH + same] = MISSED
        verdicts[_IN_TRUTH + _MARKED + same] = AGREES
    if class_id is None:
        verdicts[_IN_TRUTH + _MARKED] = TOO_MUCH  # another class
    return of_truth, of_prediction, verdicts


def disagreement(
    predictions: Sequence[NDArray[np.uint8]], class_id: int | None = None
) -> NDArray[np.bool_]:
    """Where predictions do not all say the same, whether right or wrong.

    Parameters
    ----------
    predictions
        Class ids, two or more of the same shape.
    class_id
        The class in question: others count as one; None tells all classes apart.

    Returns
    -------
    bool, same shape

    Raises
    ------
    ValueError
        When there are fewer than two, or the shapes differ.

    Examples
    --------
    >>> a, b = np.array([1, 2, 3, 2], np.uint8), np.array([1, 2, 1, 3], np.uint8)
    >>> disagreement([a, b]).tolist(), disagreement([a, b], 2).tolist()
    ([False, False, True, True], [False, False, False, True])
    """
    if len(predictions) < 2 or len({values.shape for values in predictions}) > 1:
        raise ValueError("Two or more predictions of the same shape are compared.")
    first = predictions[0] if class_id is None else predictions[0] == class_id
    out: NDArray[np.bool_] = np.zeros(predictions[0].shape, bool)
    for values in predictions[1:]:
        out |= (values if class_id is None else values == class_id) != first
    return out


def is_wrong(judged: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a `difference` is too much or missed."""
    wrong: NDArray[np.bool_] = (judged == TOO_MUCH) | (judged == MISSED)
    return wrong


def regions(where: NDArray[np.bool_], z: int = 0) -> list[Region]:
    """What hangs together in a plane, the largest first; of so many the `MOST_REGIONS` largest.

    Parameters
    ----------
    where
        ``(Y, X)`` bool.
    z
        The plane it is, for the regions to say.

    Examples
    --------
    >>> where = np.array([[1, 1, 0, 0], [0, 0, 0, 1]], bool)
    >>> [(found.voxels, found.y0, found.x1) for found in regions(where)]
    [(2, 0, 2), (1, 1, 4)]
    """
    plain = np.ascontiguousarray(where).view(np.uint8)
    _, _, facts, _ = cv2.connectedComponentsWithStats(plain, connectivity=8)
    facts = facts[1:]  # the first is what lies outside
    sizes = facts[:, cv2.CC_STAT_AREA]
    order = np.argsort(-sizes, kind="stable")[:MOST_REGIONS]
    return [
        Region(z, int(n), int(y), int(x), int(y + high), int(x + wide))
        for x, y, wide, high, n in facts[order]
    ]


def colour_table() -> NDArray[np.uint8]:
    """Colour of each value, ``(256, 4)`` red, green, blue, opacity: what is wrong stands out."""
    table = np.zeros((256, 4), np.uint8)
    for value, colour in COLOURS.items():
        number = int(colour[1:], 16)
        share = 0.5 if value == AGREES else 0.85
        table[value] = (number >> 16, (number >> 8) & 255, number & 255, round(255 * share))
    return table


def truth_table(class_ids: Iterable[int]) -> NDArray[np.uint8]:
    """Colour of each class id in the truth beside a difference: white, as what agrees with it.

    Class colours would be mistaken for too much and missed.
    """
    table = np.zeros((256, 4), np.uint8)
    for class_id in class_ids:
        table[class_id] = (255, 255, 255, 128)
    return table
