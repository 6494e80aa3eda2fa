"""Planes that lie apart in memory, cut as if they were one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class LoosePlanes:
    """Some planes of a volume in the order in which a patch shows them.

    Only what is cut out of them is copied, so a patch of large planes costs no more than its size.

    Parameters
    ----------
    planes
        At least one, all of one shape and type: ``(…, Y, X)``. One may be there several times.

    Attributes
    ----------
    shape
        ``(…, Z, Y, X)``: the planes are counted before their rows.
    dtype
        Of the planes.

    Examples
    --------
    >>> LoosePlanes([np.zeros((3, 40, 50)), np.ones((3, 40, 50))])[..., :5, 10:20].shape
    (3, 2, 5, 10)
    """

    def __init__(self, planes: Sequence[NDArray[Any]]) -> None:
        self._planes = list(planes)
        *lead, height, width = self._planes[0].shape
        self.shape: tuple[int, ...] = (*lead, len(self._planes), height, width)
        self.dtype: np.dtype[Any] = self._planes[0].dtype

    def __getitem__(self, place: Any) -> NDArray[Any]:
        """Rows and columns of all planes, ``(…, Z, rows, columns)``, in an array of its own.

        Parameters
        ----------
        place
            ``(..., rows, columns)``, both slices or both arrays of places.
        """
        return np.stack([plane[place] for plane in self._planes], axis=len(self.shape) - 3)
