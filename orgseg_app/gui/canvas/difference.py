"""Where a prediction agrees with the truth, and where not. Plain arrays, no Qt."""

from __future__ import annotations

from collections.abc import Iterable

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
    if class_id is None:
        is_true, is_marked = truth > BACKGROUND, prediction > BACKGROUND
        agrees = is_true & (truth == prediction)
    else:
        is_true, is_marked = truth == class_id, prediction == class_id
        agrees = is_true & is_marked
    out = np.full(truth.shape, RIGHT_OUTSIDE, np.uint8)
    out[agrees] = AGREES
    out[is_marked & ~agrees] = TOO_MUCH
    out[is_true & ~is_marked] = MISSED
    out[truth == UNLABELLED] = UNJUDGED
    return out


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
