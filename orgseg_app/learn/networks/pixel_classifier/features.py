"""What the pixel classifier sees of a pixel: its surroundings, through filters at several scales.

The families are those of interactive pixel classification (Sommer, Straehle, Koethe, Hamprecht:
"ilastik", ISBI 2011; Arganda-Carreras et al.: "Trainable Weka Segmentation", Bioinformatics 2017):
smoothed grey value, edge strength, Laplacian, and the eigenvalues of the Hessian (ridges, blobs)
and of the structure tensor (texture, corners).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[Any]
"""``(Y, X)`` float32; OpenCV's own types say less."""

SIGMAS = (0.7, 1.0, 1.6, 3.5, 5.0, 10.0)
"""Scales in pixels."""

PER_SCALE = 7
TRUNCATE = 3.0
"""Kernels end at this many standard deviations, so that the classifier's sight has an end."""

_ALIGNED = 64


def feature_count(channels: int) -> int:
    """Features a pixel has."""
    return channels * (1 + PER_SCALE * len(SIGMAS))


def feature_radius() -> int:
    """Pixels of context that decide a pixel's features."""
    return max(_reach(sigma) + 1 + max(1, _reach(_outer(sigma))) for sigma in SIGMAS)


def compute_features(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """The features of all pixels.

    Parameters
    ----------
    image
        ``(C, Y, X)`` float32 of any size from 1 × 1 on; past its edge it is mirrored.

    Returns
    -------
    ndarray
        ``(F, Y, X)`` float32.
    """
    import cv2

    _, height, width = image.shape
    # The vector units take the last columns of a row in another order than the rest. Mirrored
    # columns keep them out of the image, so that a pixel has the same features, to the last bit,
    # in whatever tile it lies.
    more = feature_radius() + -(width + feature_radius()) % _ALIGNED
    out = np.empty((feature_count(len(image)), height, width), np.float32)
    number = 0
    for channel in image:
        plane = cv2.copyMakeBorder(channel, 0, 0, 0, more, cv2.BORDER_REFLECT_101)
        out[number] = channel
        number += 1
        for sigma in SIGMAS:
            for feature in _of_scale(plane, sigma):
                out[number] = feature[:, :width]
                number += 1
    return out


def _of_scale(plane: Plane, sigma: float) -> Iterator[Plane]:
    """The `PER_SCALE` features of one channel ``(Y, X)`` at one scale."""
    import cv2

    smooth = _blur(plane, sigma)
    yield smooth
    # With ksize=1 Sobel is the plain difference (-1, 0, 1) or (1, -2, 1), without more smoothing.
    dx, dy = (cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=1) for order in ((1, 0), (0, 1)))
    yield cv2.magnitude(dx, dy)
    dxx, dyy = (cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=1) for order in ((2, 0), (0, 2)))
    yield cv2.add(dxx, dyy)
    # dx spans two pixels and dxy four: a quarter of the second difference's units.
    dxy = cv2.Sobel(dx, cv2.CV_32F, 0, 1, ksize=1, scale=0.25)
    yield from _eigenvalues(dxx, dyy, dxy)
    outer = _outer(sigma)
    products = (cv2.multiply(a, b) for a, b in ((dx, dx), (dy, dy), (dx, dy)))
    yield from _eigenvalues(*(_blur(product, outer) for product in products))


def _eigenvalues(xx: Plane, yy: Plane, xy: Plane) -> tuple[Plane, Plane]:
    """Larger and smaller eigenvalue of symmetric 2 × 2 matrices."""
    import cv2

    mean = cv2.addWeighted(xx, 0.5, yy, 0.5, 0)
    spread = cv2.magnitude(cv2.addWeighted(xx, 0.5, yy, -0.5, 0), xy)
    return cv2.add(mean, spread), cv2.subtract(mean, spread)


def _blur(plane: Plane, sigma: float) -> Plane:
    import cv2

    size = 2 * _reach(sigma) + 1
    return cv2.GaussianBlur(plane, (size, size), sigma, borderType=cv2.BORDER_REFLECT_101)


def _outer(sigma: float) -> float:
    """Over how far the structure tensor is averaged."""
    return max(0.7, 0.5 * sigma)


def _reach(sigma: float) -> int:
    return math.ceil(TRUNCATE * sigma)
