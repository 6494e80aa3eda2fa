"""Weights of an image, plane by plane: class balance and edges, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import DTypeLike, NDArray

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.weighting.balance import class_balance
from orgseg_app.core.weighting.diffusion import TILE, Floats, edges_felt, tiles
from orgseg_app.core.weighting.settings import PRODUCT, WeightSettings

Weights = NDArray[np.float32]
Peaks = tuple[float, ...]
"""The strongest edge of each direction, before scaling; 0 where there is none."""


class WeightMaker:
    """Makes the weights of planes.

    All planes of a volume first tell their `peaks`; the largest of these scale its edges.

    Parameters
    ----------
    settings
        What is wanted.
    class_ids
        Of the project.
    voxels
        Painted voxels of each class id, of everything that is to be balanced together.

    Attributes
    ----------
    directions
        From which classes to which edges are felt.
    balance
        What a voxel of each class id counts before edges; 1 for all unless classes are balanced.
    """

    def __init__(
        self,
        settings: WeightSettings,
        class_ids: Sequence[int],
        voxels: Mapping[int, int],
        *,
        tile: int = TILE,
    ) -> None:
        self.settings, self._tile = settings, tile
        self.directions = settings.directions(class_ids)
        counted = {i: n for i, n in voxels.items() if self._counts(i, class_ids) and n}
        self.balance = class_balance(counted) if settings.balance else dict.fromkeys(counted, 1.0)
        self._table = np.zeros(256, np.float64)
        self._table[list(self.balance)] = list(self.balance.values())

    def _counts(self, class_id: int, class_ids: Sequence[int]) -> bool:
        known = class_id in class_ids and class_id != UNLABELLED
        return known and class_id not in self.settings.left_out

    def edges(self, plane: NDArray[np.uint8], dtype: DTypeLike = np.float64) -> list[Floats]:
        """What each direction is felt like on a plane, ``(Y, X)`` each, before scaling.

        Raises
        ------
        MemoryError
            Of very large planes; `peaks` and `weights` need no such arrays.
        """
        made = []
        for sources, targets in self.directions:
            felt = np.zeros(plane.shape, dtype)
            for tile in tiles(plane, self._tile):
                part = edges_felt(plane, tile, sources, targets, self.settings, dtype)
                if part is not None:
                    felt[tile.place] = part
            made.append(felt)
        return made

    def peaks(self, plane: NDArray[np.uint8]) -> Peaks:
        """The strongest edge of each direction on a plane."""
        found = [0.0] * len(self.directions)
        for tile in tiles(plane, self._tile):
            for number, (sources, targets) in enumerate(self.directions):
                part = edges_felt(plane, tile, sources, targets, self.settings)
                if part is not None:
                    found[number] = max(found[number], float(part.max()))
        return tuple(found)

    def weights(
        self, plane: NDArray[np.uint8], peaks: Peaks, edges: Sequence[Floats] | None = None
    ) -> Weights:
        """How much each voxel of a plane counts, ``(Y, X)`` float32.

        Unlabelled voxels and classes that are left out count 0, which no loss looks at; all others
        the floor at least.

        Parameters
        ----------
        plane
            ``(Y, X)`` class ids.
        peaks
            Of the whole volume, one a direction.
        edges
            What `edges` gave, where that was kept.
        """
        made = np.empty(plane.shape, np.float32)
        for tile in tiles(plane, self._tile):
            part = plane[tile.place]
            felt = np.zeros(part.shape, np.float64)
            for number, (sources, targets) in enumerate(self.directions):
                if peaks[number] <= 0:
                    continue
                if edges is not None:
                    found: Floats | None = edges[number][tile.place]
                else:
                    found = edges_felt(plane, tile, sources, targets, self.settings)
                if found is not None:
                    felt += found * (self.settings.strength / peaks[number])
            made[tile.place] = self._together(part, felt)
        return made

    def _together(self, plane: NDArray[np.uint8], felt: NDArray[np.float64]) -> Floats:
        balance = self._table[plane]
        if not self.directions:
            together = balance
        elif self.settings.combine == PRODUCT:
            together = balance * felt
        else:
            together = balance + felt
        return np.where(balance > 0, np.maximum(together, self.settings.floor), 0)


def largest(first: Peaks, second: Peaks) -> Peaks:
    """The larger peak of each direction."""
    return tuple(map(max, first, second))
