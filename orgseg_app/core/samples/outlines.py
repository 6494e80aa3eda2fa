"""Star-shaped outlines (cells, nuclei) and smooth random curves, in pixel coordinates ``(y, x)``.

An outline is a centre and one radius per direction. Such a shape knows, without a raster, how deep
any point lies inside it, so the structures of a cell can be placed beyond the field too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

DIRECTIONS = 360


@dataclass(frozen=True)
class Outline:
    """A closed star-shaped outline.

    Attributes
    ----------
    centre_yx : tuple of float
        Centre in pixels; may lie outside the field.
    radii : (DIRECTIONS,) float64
        Distance in pixels from the centre to the outline, direction i at ``2 pi i / DIRECTIONS``
        from the x axis towards the y axis.
    """

    centre_yx: tuple[float, float]
    radii: FloatArray

    def depth(self, points_yx: FloatArray) -> FloatArray:
        """Distance to the outline along the ray from the centre, in pixels, positive inside.

        Parameters
        ----------
        points_yx : (..., 2) float64
            Points in pixels.

        Returns
        -------
        (...,) float64
        """
        away = points_yx - np.asarray(self.centre_yx)
        angle = np.arctan2(away[..., 0], away[..., 1])
        return np.asarray(self.radius_at(angle) - np.hypot(away[..., 0], away[..., 1]))

    def relative(self, points_yx: FloatArray) -> FloatArray:
        """Distance from the centre as a fraction of the outline's radius there: 0 centre, 1 rim."""
        away = points_yx - np.asarray(self.centre_yx)
        angle = np.arctan2(away[..., 0], away[..., 1])
        return np.asarray(np.hypot(away[..., 0], away[..., 1]) / self.radius_at(angle))

    def radius_at(self, angle: FloatArray) -> FloatArray:
        """Radius in pixels in the directions ``angle`` (radians), linearly interpolated."""
        position = np.mod(angle, 2 * np.pi) * (DIRECTIONS / (2 * np.pi))
        low = position.astype(np.intp)
        share = position - low
        low %= DIRECTIONS
        radii = np.append(self.radii, self.radii[0])
        return np.asarray(radii[low] + (radii[low + 1] - radii[low]) * share)

    def points(self, spacing: float, inset: float = 0.0) -> FloatArray:
        """Points on the outline about ``spacing`` pixels apart, ``inset`` pixels inside it.

        Returns
        -------
        (N, 2) float64, N >= 8
        """
        length = 2 * np.pi * float(self.radii.mean())
        angle = np.linspace(0, 2 * np.pi, max(8, int(1.2 * length / spacing)), endpoint=False)
        radius = np.maximum(self.radius_at(angle) - inset, 0.5)
        y = self.centre_yx[0] + radius * np.sin(angle)
        x = self.centre_yx[1] + radius * np.cos(angle)
        return np.stack([y, x], axis=-1)


def ellipse_outline(
    rng: np.random.Generator,
    centre_yx: tuple[float, float],
    *,
    semi_axes: tuple[float, float],
    angle: float,
    roughness: float = 0.03,
) -> Outline:
    """An ellipse gently deformed by low harmonics.

    Parameters
    ----------
    semi_axes : (long, short)
        In pixels.
    angle : float
        Direction of the long axis, radians.
    roughness : float
        Standard deviation of the relative radius added by harmonics 2 to 6.
    """
    theta = _directions()
    long_axis, short_axis = semi_axes
    turned = theta - angle
    radii = (long_axis * short_axis) / np.hypot(
        short_axis * np.cos(turned), long_axis * np.sin(turned)
    )
    return Outline(centre_yx, radii * (1 + roughness * _harmonics(rng, first=2, last=6)))


def spread_cell_outline(
    rng: np.random.Generator, centre_yx: tuple[float, float], *, radius: float
) -> Outline:
    """A spread adherent cell: five to eight corners where it holds on, concave arcs between them.

    Parameters
    ----------
    radius : float
        Mean distance of the corners from the centre, pixels.
    """
    corners = int(rng.integers(5, 9))
    step = 2 * np.pi / corners
    angles = np.arange(corners) * step + rng.uniform(-0.28, 0.28, corners) * step
    angles = np.sort(np.mod(angles + rng.uniform(0, 2 * np.pi), 2 * np.pi))
    reach = radius * rng.uniform(0.78, 1.22, corners)
    theta = _directions()
    after = np.searchsorted(angles, theta) % corners
    before = (after - 1) % corners
    span = np.mod(angles[after] - angles[before], 2 * np.pi)
    share = np.mod(theta - angles[before], 2 * np.pi) / np.where(span == 0, 1, span)
    # The straight chord between two corners in polar form, then pulled in a little further.
    chord = (reach[before] * reach[after] * np.sin(span)) / (
        reach[before] * np.sin(share * span) + reach[after] * np.sin((1 - share) * span)
    )
    sag = rng.uniform(0.0, 0.14, corners)[before] * np.sin(np.pi * share)
    radii = chord * (1 - sag) * (1 + 0.02 * _harmonics(rng, first=6, last=14))
    return Outline(centre_yx, _smooth_around(radii, width=5.0))


def wandering_path(
    rng: np.random.Generator,
    start_yx: tuple[float, float],
    *,
    heading: float,
    steps: int,
    step: float,
    bend: float,
) -> FloatArray:
    """A smooth random curve whose direction drifts.

    Parameters
    ----------
    heading : float
        First direction in radians (0 along x, pi/2 along y).
    steps, step : int, float
        Number of steps and the length of one, pixels.
    bend : float
        Typical curvature, radians per pixel; it changes with a memory of about 25 steps.

    Returns
    -------
    (steps + 1, 2) float64
    """
    kicks = rng.standard_normal(steps + 75)
    memory = np.exp(-np.arange(75) / 25.0)
    memory /= np.sqrt((memory**2).sum())
    curvature = bend * np.convolve(kicks, memory, mode="valid")[:steps]
    direction = heading + np.cumsum(curvature) * step
    moves = step * np.stack([np.sin(direction), np.cos(direction)], axis=-1)
    path = np.concatenate([np.zeros((1, 2)), np.cumsum(moves, axis=0)])
    return np.asarray(path + np.asarray(start_yx))


def _directions() -> FloatArray:
    return np.arange(DIRECTIONS, dtype=np.float64) * (2 * np.pi / DIRECTIONS)


def _harmonics(rng: np.random.Generator, *, first: int, last: int) -> FloatArray:
    """A periodic random function over the directions, mean 0 and standard deviation about 1."""
    theta = _directions()
    total = np.zeros(DIRECTIONS)
    power = 0.0
    for order in range(first, last + 1):
        size = rng.standard_normal() / (order - first + 1)
        total += size * np.cos(order * theta + rng.uniform(0, 2 * np.pi))
        power += 0.5 / (order - first + 1) ** 2
    return np.asarray(total / np.sqrt(power))


def _smooth_around(values: FloatArray, *, width: float) -> FloatArray:
    """A periodic Gaussian filter of standard deviation ``width`` samples."""
    frequency = np.fft.rfftfreq(values.size)
    kernel = np.exp(-2 * (np.pi * frequency * width) ** 2)
    return np.fft.irfft(np.fft.rfft(values) * kernel, n=values.size)
