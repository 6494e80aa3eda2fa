"""Predicting a plane that is alone, as an image of one plane."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.learn.prediction.predictor import Band, Predictor
from orgseg_app.learn.prediction.source import ArrayPlanes, PreparedPlanes
from orgseg_app.learn.prediction.volumes import predicted_planes


def predict_plane(
    predictor: Predictor, plane_cyx: NDArray[Any], **more: Any
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Mask ``(Y, X)`` and perhaps probabilities ``(K, Y, X)``; `more` as for predicted_planes."""
    found = next(predicted_planes(predictor, ArrayPlanes(plane_cyx[:, None]), [0], **more))
    return found.mask, found.probabilities


def plane_bands(predictor: Predictor, plane_cyx: NDArray[Any], **more: Any) -> Iterator[Band]:
    """What networks of planes say, rows as they are finished; `more` as bands_of_prepared."""
    assert predictor.flat is not None
    prepared = PreparedPlanes(predictor, ArrayPlanes(plane_cyx[:, None]), predictor.flat.members)
    return predictor.bands_of_prepared(prepared.stacks(0), **more)
