"""A sheet of examples: what a recipe's augmentation makes of one place, to look at beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.augmentation.dice import Dice
from orgseg_app.core.augmentation.steps import Step


def sheet(
    pixels: NDArray[np.float32],
    target: NDArray[Any],
    steps: Sequence[Step],
    seed: int,
    count: int,
    *,
    size: int | None = None,
    centre_yx: tuple[int, int] | None = None,
    outside: float = 0,
) -> list[tuple[NDArray[np.float32], NDArray[Any]]]:
    """One place, augmented several times.

    Parameters
    ----------
    pixels
        ``(C, Y, X)`` float32, preprocessed. A larger part of the plane than is shown gives turned
        patches true corners.
    target
        ``(Y, X)``: mask or objects.
    steps
        Of the recipe.
    seed
        The same seed gives the same sheet; an example does not depend on how many there are.
    count
        How many.
    size
        Side of a patch in pixels; without one, patches are as large as the picture.
    centre_yx
        The pixel in the middle of each patch, which is moved inside the picture as in training;
        the middle of the picture without one.
    outside
        What the target holds past the edge of the picture: unlabelled.

    Returns
    -------
    list of (image, target)
        ``(C, size, size)`` float32 and ``(size, size)`` of the target's type.

    Raises
    ------
    ValueError
        With a sentence, for an unknown step or a number out of range.
    """
    dice = Dice(steps)
    height, width = target.shape
    patch = (height, width) if size is None else (size, size)
    found = []
    for number in range(count):
        plan = dice.throw(np.random.default_rng([seed, number]), patch)
        if centre_yx is None:
            image, layers = plan.apply(pixels, [target], outside=[outside])
        else:
            middle = patch[0] // 2, patch[1] // 2
            image, layers = plan.cut(
                pixels,
                [target],
                outside=[outside],
                patch_yx=plan.geometry.anchored(middle, centre_yx, (height, width)),
                source_yx=centre_yx,
            )
        found.append((image, layers[0]))
    return found
