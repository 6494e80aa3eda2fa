"""From drawn structures to a camera image: rasters, blur, illumination, photon and camera noise.

Distances are pixels unless the name says otherwise; images are float32 ``(Y, X)`` in arbitrary
light units until ``camera`` turns them into 16-bit counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Image = npt.NDArray[np.float32]
BoolImage = npt.NDArray[np.bool_]
Shape = tuple[int, int]


@dataclass(frozen=True)
class Camera:
    """A scientific CMOS camera.

    Attributes
    ----------
    photons : float
        Electrons counted for one light unit, > 0.
    gain : float
        Counts per electron.
    offset : float
        Counts without any light.
    read_noise : float
        Standard deviation in electrons.
    hot_share : float
        Share of pixels that are hot, 0 to 1.
    """

    photons: float
    gain: float = 2.2
    offset: float = 100.0
    read_noise: float = 1.6
    hot_share: float = 1.2e-5


def splat(points_yx: FloatArray, weights: FloatArray, shape: Shape) -> Image:
    """Deposit point weights on the pixel grid, shared between the four nearest pixels.

    Parameters
    ----------
    points_yx : (N, 2) float64
        Pixel centres lie on integers. Points off the grid are dropped.
    weights : (N,) float64

    Returns
    -------
    (Y, X) float32
        The weights of the points inside, summed.
    """
    height, width = shape
    corner = np.floor(points_yx).astype(np.int64)
    share = points_yx - corner
    total = np.zeros(height * width)
    for dy in (0, 1):
        for dx in (0, 1):
            y, x = corner[:, 0] + dy, corner[:, 1] + dx
            part = np.abs(1 - dy - share[:, 0]) * np.abs(1 - dx - share[:, 1]) * weights
            inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
            total += np.bincount(
                y[inside] * width + x[inside], weights=part[inside], minlength=total.size
            )
    return total.reshape(shape).astype(np.float32)


def stamp_discs(points_yx: FloatArray, radii: FloatArray, shape: Shape) -> BoolImage:
    """Mark the pixels whose centre lies within ``radii`` of a point.

    Parameters
    ----------
    points_yx : (N, 2) float64
    radii : (N,) float64

    Returns
    -------
    (Y, X) bool
    """
    marked = np.zeros(shape, dtype=np.bool_)
    for y, x, chosen, _ in _around(points_yx, radii, shape):
        marked[y[chosen], x[chosen]] = True
    return marked


def stamp_tubes(
    points_yx: FloatArray, radii: FloatArray, brightness: FloatArray, shape: Shape
) -> Image:
    """Draw filled round tubes seen from above: each pixel gets the tube's thickness there.

    Where stamps overlap the larger value stays: a densely sampled line gives one even tube.

    Returns
    -------
    (Y, X) float32
        ``brightness`` times the relative thickness ``sqrt(1 - d^2 / r^2)``; 0 outside all tubes.
    """
    drawn = np.zeros(shape, dtype=np.float32)
    for y, x, chosen, squared in _around(points_yx, radii, shape):
        value = brightness[chosen] * np.sqrt(1 - squared[chosen] / radii[chosen] ** 2)
        np.maximum.at(drawn, (y[chosen], x[chosen]), value.astype(np.float32))
    return drawn


def _around(
    points_yx: FloatArray, radii: FloatArray, shape: Shape
) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], BoolImage, FloatArray]]:
    """For each offset around the points: pixel rows, columns, which are in reach, d squared."""
    if not points_yx.size:
        return []
    height, width = shape
    nearest = np.rint(points_yx).astype(np.int64)
    rest = points_yx - nearest
    reach = int(np.ceil(float(radii.max()) + 0.5))
    farthest = float(radii.max()) ** 2
    found = []
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            if max(abs(dy) - 0.5, 0) ** 2 + max(abs(dx) - 0.5, 0) ** 2 > farthest:
                continue
            y, x = nearest[:, 0] + dy, nearest[:, 1] + dx
            squared = (dy - rest[:, 0]) ** 2 + (dx - rest[:, 1]) ** 2
            chosen = squared <= radii**2
            chosen &= (y >= 0) & (y < height) & (x >= 0) & (x < width)
            if chosen.any():
                found.append((y, x, chosen, squared))
    return found


def blur(image: Image, sigma: float) -> Image:
    """Gaussian blur; large ones are done on a reduced image, which is quick and looks the same."""
    import cv2

    if sigma <= 0.05:
        return image
    shrink = max(1, int(sigma / 4))
    if shrink == 1 or min(image.shape) < 4 * shrink:
        return np.asarray(
            cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), np.float32
        )
    height, width = image.shape
    small_size = (max(2, round(width / shrink)), max(2, round(height / shrink)))
    small = cv2.resize(image, small_size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / shrink, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def smooth_noise(rng: np.random.Generator, shape: Shape, scale: float) -> Image:
    """A smooth random field, mean about 0 and standard deviation about 1.

    Parameters
    ----------
    scale : float
        Distance in pixels over which it changes.
    """
    import cv2

    height, width = shape
    rows, columns = int(height / scale) + 5, int(width / scale) + 5
    coarse = rng.standard_normal((rows, columns)).astype(np.float32)
    # Cut a window that starts between grid nodes, so that the nodes show in no fixed place.
    start_y, start_x = rng.uniform(1, 2, 2)
    y = (np.arange(height) / scale + start_y).astype(np.float32)
    x = (np.arange(width) / scale + start_x).astype(np.float32)
    grid_x, grid_y = np.meshgrid(x, y)
    field = cv2.remap(
        coarse, grid_x, grid_y, interpolation=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(field / 0.84, np.float32)


def sample_field(field: Image, points_yx: FloatArray) -> FloatArray:
    """Values of an image at points, nearest pixel, clamped at the border."""
    index = np.rint(points_yx).astype(np.int64)
    y = np.clip(index[..., 0], 0, field.shape[0] - 1)
    x = np.clip(index[..., 1], 0, field.shape[1] - 1)
    return field[y, x].astype(np.float64)


def pixel_grid(shape: Shape) -> FloatArray:
    """Coordinates of all pixel centres, (Y, X, 2) float64."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    return np.stack([y, x], axis=-1).astype(np.float64)


def illumination(rng: np.random.Generator, shape: Shape, *, falloff: float) -> Image:
    """Uneven illumination: a broad bright spot somewhere near the middle.

    Parameters
    ----------
    falloff : float
        Share of the light lost at the far corner, 0 to 1.

    Returns
    -------
    (Y, X) float32, at most 1
    """
    height, width = shape
    span = max(height, width)
    centre = np.array([height, width]) / 2 + rng.uniform(-0.22, 0.22, 2) * span
    away = (pixel_grid(shape) - centre) / (0.72 * span)
    return np.asarray((1 - falloff) ** (away**2).sum(axis=-1), np.float32)


def camera(rng: np.random.Generator, light: Image, settings: Camera) -> npt.NDArray[np.uint16]:
    """Photon shot noise, read noise, gain, offset and rare hot pixels.

    Parameters
    ----------
    light : (Y, X) float32
        Expected light in light units, not negative.

    Returns
    -------
    (Y, X) uint16
    """
    expected = np.clip(light.astype(np.float64) * settings.photons, 0, 6e4)
    electrons = rng.poisson(expected) + rng.normal(0, settings.read_noise, light.shape)
    hot = rng.random(light.shape) < settings.hot_share
    electrons += hot * rng.uniform(80, 700, light.shape)
    counts = np.rint(electrons * settings.gain + settings.offset)
    return np.clip(counts, 0, 65535).astype(np.uint16)
