"""Non-local means: each voxel becomes a mean of those whose surroundings look like its own.

Buades, Coll & Morel 2005, A non-local algorithm for image denoising, CVPR; 2011, Image Processing
On Line 1. Distances of patches come from running sums (Froment 2014, IPOL 4), at the full depth of
the picture. How strong the noise is, is estimated from the picture (Donoho & Johnstone 1994,
Biometrika 81: the median of the finest diagonal wavelets).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.preprocessing.part import (
    FloatPlane,
    Params,
    Place,
    Sample,
    finite,
    shrunk,
    some,
)

_TILE = 160
"""Side of what is worked on at a time, so that it stays in the processor's cache."""

_FURTHEST = np.float32(1e4)
"""Voxels that differ by so many times the noise are not alike, however many times."""


def non_local_means(
    sample: Sample, params: Params, reference: Sequence[float] = ()
) -> NonLocalMeans:
    """How strong the noise is."""
    found = [differences(finite(part)) for part in sample.parts]
    noise = noise_of(np.concatenate(found)) if len(found) > 1 else noise_of(found[0])
    patch, search = int(params["patch_radius"]), int(params["search_radius"])
    return NonLocalMeans(noise, params["strength"], patch, search)


def differences(picture: FloatPlane) -> FloatPlane:
    """Finest diagonal wavelets of a picture, 1-D: noise of deviation 1 has deviation 1 in them."""
    even = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
    diagonal = even[::2, ::2] - even[1::2, ::2] - even[::2, 1::2] + even[1::2, 1::2]
    half: FloatPlane = some(np.abs(diagonal)) * np.float32(0.5)
    return half


def noise_of(found: FloatPlane) -> float:
    """Standard deviation of the noise, from `differences`; 0 where there are none."""
    if not found.size:
        return 0.0
    middle = float(np.median(found)) / 0.6745
    # Where more than half of a picture is one value, the rest says how much noise there is.
    return middle or float(found.mean(dtype=np.float64)) * (np.pi / 2) ** 0.5


@dataclass(frozen=True)
class NonLocalMeans:
    """Non-local means of one channel, in the channel's own units.

    Attributes
    ----------
    noise
        Its standard deviation.
    strength
        How much patches may differ, as a multiple of the noise.
    patch, search
        Voxels around a voxel that are compared, and among which is searched.
    """

    noise: float
    strength: float
    patch: int
    search: int
    size_bytes: int = 0

    @property
    def reach(self) -> int:
        """A patch around the furthest voxel."""
        return self.patch + self.search

    def of(self, values: NDArray[Any], place: Place) -> FloatPlane:
        """Part of the channel ``(h, w)``."""
        import cv2

        picture = finite(values)
        search, patch = shrunk(self.search, place), shrunk(self.patch, place)
        if not self.noise or not search:
            return picture
        picture = picture * np.float32(1 / self.noise)
        reach = search + patch
        padded: NDArray[Any] = cv2.copyMakeBorder(
            picture, reach, reach, reach, reach, cv2.BORDER_REFLECT_101
        )
        out: FloatPlane = np.empty(picture.shape, np.float32)
        for y in range(0, out.shape[0], _TILE):
            for x in range(0, out.shape[1], _TILE):
                part = padded[y : y + _TILE + 2 * reach, x : x + _TILE + 2 * reach]
                out[y : y + _TILE, x : x + _TILE] = _means(part, patch, search, self.strength)
        out *= np.float32(self.noise)
        return out


def _means(padded: FloatPlane, patch: int, search: int, strength: float) -> FloatPlane:
    """Of a picture with noise of deviation 1, all but its outer ``patch + search`` voxels.

    Two voxels are as far from one another as the other way round: every distance is used twice.
    """
    import cv2

    reach = patch + search
    height, width = padded.shape[0] - 2 * reach, padded.shape[1] - 2 * reach
    total = padded[reach : reach + height, reach : reach + width].copy()
    weights = np.ones((height, width), np.float32)
    window = (2 * patch + 1, 2 * patch + 1)
    scale, two = np.float32(-1 / strength**2), np.float32(2)  # what noise alone makes of patches
    is_wide = np.ptp(padded) > _FURTHEST  # running sums could not hold the squares
    for dy in range(search + 1):
        for dx in range(-search, search + 1):
            if dy == 0 and dx <= 0:
                continue
            # From so many rows above and columns beside on, one of a pair may lie in the middle.
            x0, x1 = reach - max(dx, 0), reach + width + max(-dx, 0)
            y0, y1 = reach - dy, reach + height
            own = padded[y0 - patch : y1 + patch, x0 - patch : x1 + patch]
            other = padded[y0 + dy - patch : y1 + dy + patch, x0 + dx - patch : x1 + dx + patch]
            away: NDArray[Any] = own - other
            if is_wide:
                np.clip(away, -_FURTHEST, _FURTHEST, out=away)
            np.multiply(away, away, out=away)
            away = cv2.blur(away, window)
            weight: NDArray[Any] = away[patch : patch + y1 - y0, patch : patch + x1 - x0] - two
            np.maximum(weight, np.float32(0), out=weight)
            weight *= scale
            cv2.exp(weight, weight)
            for at_y, at_x, sign in ((dy, reach - x0, 1), (0, reach - x0 - dx, -1)):
                one = weight[at_y : at_y + height, at_x : at_x + width]
                y, x = reach + sign * dy, reach + sign * dx
                weights += one
                total += one * padded[y : y + height, x : x + width]
    total /= weights
    return total
