"""Networks that learn in one go: what they are given."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from orgseg_app.learn.data.patches import IGNORED, LabelledPlane
from orgseg_app.learn.errors import DataError
from orgseg_app.learn.networks.network import FittedNetwork, PaintedPlane


def fit(network: FittedNetwork, planes: Iterable[LabelledPlane], *, seed: int) -> int:
    """Let a network learn from all paint at once; the number of pixels that it looked at.

    Raises
    ------
    DataError
        With a sentence, when there is nothing to learn.
    """
    shown = [
        PaintedPlane(seen_pixels(plane, network.planes), plane.target, painted_weights(plane))
        for plane in planes
    ]
    try:
        return network.fit(shown, seed=seed)
    except ValueError as error:
        raise DataError(str(error)) from error


def painted_weights(plane: LabelledPlane) -> NDArray[np.float32]:
    """How much each voxel of a plane counts, ``(Y, X)``; 0 where nothing is painted."""
    painted = (plane.target != IGNORED).astype(np.float32)
    return painted if plane.weights is None else painted * plane.weights


def seen_pixels(plane: LabelledPlane, planes_seen: int) -> NDArray[np.float32]:
    """What a network of planes takes, ``(planes_seen · C, Y, X)``, with the plane in the middle."""
    if planes_seen == 1 or plane.stack is None:
        return plane.pixels
    return plane.stack.around(plane.z, planes_seen)
