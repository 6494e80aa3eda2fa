"""How overlapping tiles become one answer.

"blend" adds up what tiles say, each with its share; "deepest" takes what the tile says in whose
interior a voxel lies deepest, as Guay et al. 2021 (Scientific Reports 11, "Dense cellular
segmentation for EM") publish it, with distances in micrometres.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from orgseg_app.learn.prediction.tiles import Tile

Answers = NDArray[np.float32]
"""``(K + extra, D, Y, X)``: probabilities so far, and what the way of stitching keeps beside."""


class Stitching(Protocol):
    """A way of putting tiles together.

    Attributes
    ----------
    extra
        Numbers a voxel that it keeps beside the probabilities.
    """

    extra: int

    def lay(self, into: Answers, part: Answers, weights: tuple[NDArray[np.float32], ...]) -> None:
        """Put a tile's probabilities ``(K, D, Y, X)`` into what is there.

        Parameters
        ----------
        into
            The region of the tile.
        part
            What the tile says.
        weights
            The tile's along z, y, x, as `Tile.weights`.
        """

    def merge(self, into: Answers, earlier: Answers) -> None:
        """Put what earlier tiles said into what later ones have said."""


class Blend:
    """Each tile counts with its share."""

    extra = 0

    def lay(self, into: Answers, part: Answers, weights: tuple[NDArray[np.float32], ...]) -> None:
        """Add a tile."""
        z, y, x = weights
        into += part * (z[:, None, None] * y[:, None] * x)

    def merge(self, into: Answers, earlier: Answers) -> None:
        """Add what was said before."""
        into += earlier


class Deepest:
    """The tile decides in which a voxel lies farthest from the tile's border.

    Parameters
    ----------
    voxel_size
        ``(z, y, x)``, in any unit.
    """

    extra = 1

    def __init__(self, voxel_size: tuple[float, float, float]) -> None:
        self._size = voxel_size

    def lay(self, into: Answers, part: Answers, weights: tuple[NDArray[np.float32], ...]) -> None:
        """Take a tile where it is deeper; of equal ones the first."""
        z, y, x = (w * np.float32(size) for w, size in zip(weights, self._size, strict=True))
        depth = np.minimum(np.minimum(z[:, None, None], y[:, None]), x)
        deeper = depth > into[-1]
        np.copyto(into[:-1], part, where=deeper)
        np.copyto(into[-1], depth, where=deeper)

    def merge(self, into: Answers, earlier: Answers) -> None:
        """Keep what is deeper; of equal ones what was said before."""
        np.copyto(into, earlier, where=earlier[-1] >= into[-1])


class Rows:
    """Rows of answers, taken away as soon as no later tile touches them.

    Parameters
    ----------
    stitching
        How tiles are put together.
    channels
        Classes, and what the stitching keeps beside.
    depth
        Planes.
    size_yx
        Of the plane.
    rows
        The tiles from top to bottom.

    Attributes
    ----------
    pending
        ``(channels, depth, rows, X)``: what is not finished.
    base
        Its first row.
    """

    def __init__(
        self,
        stitching: Stitching,
        channels: int,
        depth: int,
        size_yx: tuple[int, int],
        rows: list[Tile],
    ) -> None:
        self._stitching, self._rows = stitching, rows
        self._height, self._width = size_yx
        self.pending = np.zeros((channels, depth, 0, self._width), np.float32)
        self.base = 0

    def begin(self, number: int) -> None:
        """Make room for a row of tiles."""
        missing = min(self._rows[number].kept_stop, self._height) - self.base
        missing -= self.pending.shape[2]
        if missing > 0:
            self.pending = np.pad(self.pending, ((0, 0), (0, 0), (0, missing), (0, 0)))

    def lay(
        self, answer: Answers, row: Tile, column: Tile, z: slice, z_weights: NDArray[np.float32]
    ) -> None:
        """Put in what a tile says.

        Parameters
        ----------
        answer
            ``(K, D, Y, X)``: all the tile's pixels, of the planes that count.
        row, column
            Where the tile lies.
        z
            Which of the pending planes these are.
        z_weights
            Of them, as `Tile.weights`.
        """
        y0, y1 = row.kept_start, min(row.kept_stop, self._height)
        x0, x1 = column.kept_start, min(column.kept_stop, self._width)
        if y1 <= y0 or x1 <= x0:
            return
        part = answer[:, :, y0 - row.start : y1 - row.start, x0 - column.start : x1 - column.start]
        weights = z_weights, row.weights[: y1 - y0], column.weights[: x1 - x0]
        into = self.pending[:, z, y0 - self.base : y1 - self.base, x0:x1]
        self._stitching.lay(into, part, weights)

    def finish(self, number: int) -> tuple[int, Answers]:
        """First row and values of what no tile after row `number` of them touches."""
        start, end = self.base, self._height
        if number + 1 < len(self._rows):
            end = min(self._rows[number + 1].kept_start, self._height)
        if end <= start:
            return start, self.pending[:, :, :0]
        done = self.pending[:, :, : end - start]
        self.pending = self.pending[:, :, end - start :].copy()
        self.base = end
        return start, done


def stitching_of(how: str, voxel_size: tuple[float, float, float] | None) -> Any:
    """The way called ``"blend"`` or ``"deepest"``; voxels count as cubes where nothing is known.

    Raises
    ------
    ValueError
        For another name.
    """
    if how == "blend":
        return Blend()
    if how == "deepest":
        return Deepest(voxel_size or (1.0, 1.0, 1.0))
    raise ValueError(f'Tiles are stitched by "blend" or "deepest", not {how!r}.')
