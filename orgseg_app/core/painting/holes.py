"""Holes: what a region encloses."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.painting.fill import Piece
from orgseg_app.core.stopping import TooLargeError

MOST_VOXELS = 2**28
"""Of the box around a region of several planes: looking for its holes takes six bytes a voxel."""

_OUTSIDE = 2


def holes(pieces: Sequence[Piece]) -> list[Piece]:
    """Voxels that cannot get out of a region by their sides, plane by plane.

    In a single plane that is in the plane; a region of several planes must enclose them on all
    sides. A bay at the image's edge is no hole.

    Parameters
    ----------
    pieces
        The region, as `fill.flood` gives it.

    Raises
    ------
    TooLargeError
        For a region of several planes with more than `MOST_VOXELS` around it.
    """
    if not pieces:
        return []
    z0, z1 = min(p[0] for p in pieces), max(p[0] for p in pieces) + 1
    y0, x0 = min(p[1] for p in pieces), min(p[2] for p in pieces)
    y1 = max(p[1] + p[3].shape[0] for p in pieces)
    x1 = max(p[2] + p[3].shape[1] for p in pieces)
    if z1 - z0 > 1 and (z1 - z0) * (y1 - y0) * (x1 - x0) > MOST_VOXELS:
        raise TooLargeError(
            f"Filling holes stopped, and nothing was changed: the region reaches over {z1 - z0} × "
            f"{y1 - y0} × {x1 - x0} voxels, too many to look at as one body. Fill its holes plane "
            "by plane."
        )
    region = np.zeros((z1 - z0, y1 - y0, x1 - x0), np.bool_)
    for z, top, left, where in pieces:
        part = region[z - z0, top - y0 :, left - x0 :]
        part[: where.shape[0], : where.shape[1]] |= where
    enclosed = _enclosed_2d(region[0])[None] if len(region) == 1 else _enclosed_3d(region)
    found = []
    for z, plane in enumerate(enclosed, z0):
        if plane.any():
            found.append((z, y0, x0, plane))
    return found


def _enclosed_2d(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Holes of ``(Y, X)``: flooded from outside, what is still dry."""
    padded = np.pad(region.view(np.uint8), 1)
    cv2.floodFill(padded, None, (0, 0), _OUTSIDE, flags=4)
    dry: NDArray[np.bool_] = padded[1:-1, 1:-1] == 0
    return dry


def _enclosed_3d(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Holes of ``(Z, Y, X)``: what hangs together without reaching a face of the box."""
    from scipy import ndimage

    labels, count = ndimage.label(~region)
    is_hole = np.ones(count + 1, np.bool_)
    is_hole[0] = False
    for face in (labels[0], labels[-1], labels[:, 0], labels[:, -1], labels[..., 0]):
        is_hole[face] = False
    is_hole[labels[..., -1]] = False
    enclosed: NDArray[np.bool_] = is_hole[labels]
    return enclosed
