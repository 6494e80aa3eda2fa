"""Connected components of a plane or a volume, plane after plane.

Each plane is labelled by itself (OpenCV), and what touches from plane to plane is noted. What a
volume needs in memory is one plane and a few numbers a piece of a plane, however deep it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.metrics.contingency import contingency

Labels = NDArray[np.int32]
Local = NDArray[np.uint16] | NDArray[np.int32]
Plane = NDArray[np.uint8] | NDArray[np.bool_]
NOTHING = 0
_HIGHEST = 2**31 - 1
_MANY = 2**16


class Components:
    """What hangs together in a volume whose planes come one after the other.

    Parameters
    ----------
    corners
        Whether voxels that only share a corner or an edge hang together: 8 neighbours in the plane
        and 26 in space; False for those that share a face, 4 and 6.

    Examples
    --------
    >>> found = Components()
    >>> found.add(np.array([[1, 0, 1]], np.uint8)).tolist()
    [[1, 0, 2]]
    >>> found.add(np.array([[1, 1, 1]], np.uint8)).tolist()
    [[3, 3, 3]]
    >>> found.numbers().tolist()  # both pieces above belong to the one below
    [0, 1, 1, 1]
    """

    def __init__(self, *, corners: bool = True) -> None:
        self.corners = corners
        self.count = 0
        self._links: list[NDArray[np.int64]] = []
        self._above: tuple[Local, int] | None = None
        self._shape: tuple[int, ...] = ()

    def add(self, mask: Plane) -> Labels:
        """Label the next plane.

        Parameters
        ----------
        mask
            ``(Y, X)``, anything but 0 is inside.

        Returns
        -------
        numpy.ndarray
            ``(Y, X)`` int32, 0 outside; a number is a piece of this plane, and higher than those of
            the planes before. `numbers` says which pieces are one object.

        Raises
        ------
        ValueError
            When the plane's size is not that of the one before, or there are over 2³¹ pieces.
        """
        own, before = self.add_apart(mask)
        labels = own.astype(np.int32)
        if before:
            np.add(labels, np.int32(before), out=labels, where=labels > 0)
        return labels

    def add_apart(self, mask: Plane) -> tuple[Local, int]:
        """As `add`, but pieces are numbered from 1 on in each plane, which is quicker.

        Returns
        -------
        labels, before
            ``(Y, X)`` uint16, or int32 where there are many pieces; how many pieces the planes
            before have, to be added to every number but 0.
        """
        import cv2

        if self._shape not in ((), mask.shape):
            raise ValueError(f"A plane is {mask.shape}, the one before {self._shape}.")
        self._shape = mask.shape
        inside: NDArray[np.uint8] = mask.view(np.uint8)
        x, y, width, height = cv2.boundingRect(np.ascontiguousarray(inside))
        before = self.count
        if not width:
            self._above = None
            return np.zeros(mask.shape, np.uint16), before
        box = slice(y, y + height), slice(x, x + width)
        around = np.ascontiguousarray(inside[box])
        is_small = (width + 1) * (height + 1) < 1 << 17  # of four voxels, two at most are apart
        kind = cv2.CV_16U if is_small else cv2.CV_32S
        connectivity = 8 if self.corners else 4
        pieces, found = cv2.connectedComponents(around, connectivity=connectivity, ltype=kind)
        own: Local
        if pieces > _MANY:
            own = found.astype(np.int32, copy=False)
        else:
            own = found.astype(np.uint16, copy=False)
        if box != (slice(0, mask.shape[0]), slice(0, mask.shape[1])):
            whole = np.zeros(mask.shape, own.dtype)
            whole[box] = own
            own = whole
        self.count += pieces - 1
        if self.count > _HIGHEST:
            raise ValueError("The volume has more than two thousand million pieces.")
        if self._above is not None:
            above, start = self._above
            pairs = _touching(above, own, corners=self.corners)
            self._links.append(pairs + np.array([[start], [before]]))
        self._above = own, before
        return own, before

    def skip(self) -> None:
        """Pass over an empty plane: nothing hangs together across it."""
        self._above = None

    def numbers(self) -> NDArray[np.int64]:
        """The object of each piece, ``(pieces + 1,)``: 0 for 0, then 1… in order of first piece."""
        from scipy import sparse
        from scipy.sparse.csgraph import connected_components

        if not self._links:
            return np.arange(self.count + 1)
        links = np.concatenate(self._links, axis=1)
        size = self.count + 1
        graph = sparse.coo_array((np.ones(links.shape[1], np.int8), links), shape=(size, size))
        _, families = connected_components(graph.tocsr(), directed=False)
        _, firsts, places = np.unique(families, return_index=True, return_inverse=True)
        order = np.empty(len(firsts), np.int64)
        order[np.argsort(firsts)] = np.arange(len(firsts))
        return order[places]


def label_planes(
    read: Callable[[int], Plane], depth: int, *, corners: bool = True
) -> Iterator[NDArray[np.uint32]]:
    """Number the objects of a volume, reading every plane twice.

    Parameters
    ----------
    read
        The mask ``(Y, X)`` of plane 0 … `depth` - 1; anything but 0 is inside.
    depth
        Planes.
    corners
        As `Components`.

    Yields
    ------
    numpy.ndarray
        ``(Y, X)`` uint32, 0 outside, objects from 1 on in order of their first plane.
    """
    first = Components(corners=corners)
    for z in range(depth):
        first.add(read(z))
    numbers = first.numbers().astype(np.uint32)
    again = Components(corners=corners)
    for z in range(depth):
        yield numbers[again.add(read(z))]
        again.skip()  # what touches is known


def _touching(above: Local, below: Local, *, corners: bool) -> NDArray[np.int64]:
    """Pairs ``(2, n)`` of pieces of neighbouring planes that touch.

    Two voxels are neighbours by a corner just when one window of 2 × 2 × 2 holds both. In each
    plane such a window meets one piece at the most, as its voxels are all neighbours: the highest
    number in it.
    """
    if corners:
        above, below = _windows(above), _windows(below)
    table = contingency(above, below)
    pairs = np.stack((table.truth, table.prediction))
    return pairs[:, (pairs != NOTHING).all(axis=0)]


def _windows(labels: Local) -> Local:
    """The highest number in each window of 2 × 2, ``(Y + 1, X + 1)``."""
    wide = np.zeros((labels.shape[0], labels.shape[1] + 1), labels.dtype)
    wide[:, :-1] = labels
    np.maximum(wide[:, 1:], labels, out=wide[:, 1:])
    windows = np.zeros((labels.shape[0] + 1, wide.shape[1]), labels.dtype)
    windows[:-1] = wide
    np.maximum(windows[1:], wide, out=windows[1:])
    return windows
