"""What the comparison panes show, read off the window's thread. No Qt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.gui.comparing.results_data import ResultRow

CACHED = 6

Plane = NDArray[np.uint8]


@dataclass(frozen=True)
class PaneData:
    """What the three panes show: one plane of one image.

    Attributes
    ----------
    pixels : ndarray ``(C, Y, X)``
    is_rgb : bool
    truth : ndarray ``(Y, X)`` uint8 class ids
    predictions : list of two
        ``(Y, X)`` uint8 class ids, or a sentence why there is none, or None for no run.
    """

    pixels: NDArray[np.generic]
    is_rgb: bool
    truth: Plane
    predictions: list[Plane | str | None]


class PredictionReader:
    """Reads predictions and keeps the last few; used by one background thread only."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, float], NDArray[np.uint8]] = {}

    def plane(self, row: ResultRow, image_id: str, z: int, shape: tuple[int, ...]) -> Plane | str:
        """Plane `z` of a run's prediction, or a sentence why there is none."""
        from orgseg_app.files.errors import FileError
        from orgseg_app.files.predictions import read_prediction

        path = row.predictions_path
        try:
            stamp = path.stat().st_mtime
        except OSError:
            return f"“{row.name}” kept no predictions. Score it to see them."
        key = (str(path), image_id, stamp)
        if key not in self._kept:
            try:
                mask = read_prediction(path, image_id).mask
            except FileError as error:
                if image_id in row.images:
                    return str(error)
                return f"“{row.name}” has not predicted this image. Score it to see how it does."
            while len(self._kept) >= CACHED:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = mask
        mask = self._kept[key]
        if mask.shape != shape:
            return f"The prediction of “{row.name}” has another size than the image."
        plane: Plane = mask[z]
        return plane

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
