"""Axes, roundness and other figures of shape, from sums, edges and hulls.

What each of them is says `columns`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.measuring.hulls import hulls_of
from orgseg_app.core.measuring.sums import Runs, Sums

Values = NDArray[np.floating[Any]]
Spacing = tuple[float, float, float]


def flat_shapes(
    sums: Sums,
    edges: Values,
    runs: Runs,
    spacing_zyx: Spacing,
    *,
    goes_on: Callable[[], bool] = lambda: True,
) -> dict[str, Values]:
    """Figures of n objects of a plane, ``(n,)`` each.

    Parameters
    ----------
    sums, runs
        Of the objects.
    edges
        Their perimeters, ``(n,)``, in the unit of `spacing_zyx`.
    goes_on
        Asked now and then; False gives up.

    Raises
    ------
    StoppedError
        When given up.
    """
    voxel = math.prod(spacing_zyx[1:])
    area = sums.voxels * voxel
    values, vectors = np.linalg.eigh(sums.covariances(spacing_zyx)[:, 1:, 1:])
    minor, major = 4 * np.sqrt(np.maximum(values, 0)).T
    along_y, along_x = vectors[:, 0, 1], vectors[:, 1, 1]
    turned = np.degrees(np.arctan2(-along_y, along_x))  # y points down
    turned = np.where(turned > 90, turned - 180, np.where(turned <= -90, turned + 180, turned))
    is_round = np.isclose(major, minor, rtol=1e-9)
    hulls = hulls_of(runs, len(area), spacing_zyx[1:], goes_on=goes_on)
    return {
        "perimeter": edges,
        "equivalent_diameter": np.sqrt(4 * area / math.pi),
        "major_axis": major,
        "minor_axis": minor,
        "aspect_ratio": major / minor,
        "eccentricity": np.sqrt(np.maximum(1 - (minor / major) ** 2, 0)),
        "orientation": np.where(is_round, np.nan, turned),
        "circularity": np.minimum(4 * math.pi * area / edges**2, 1),
        "convex_size": hulls.convex_voxels * voxel,
        "solidity": sums.voxels / hulls.convex_voxels,
        "feret_max": hulls.feret_max,
        "feret_min": hulls.feret_min,
    }


def solid_shapes(sums: Sums, edges: Values, spacing_zyx: Spacing) -> dict[str, Values]:
    """Figures of n objects of a volume, ``(n,)`` each; `edges` are their surfaces."""
    volume = sums.voxels * math.prod(spacing_zyx)
    values = np.linalg.eigvalsh(sums.covariances(spacing_zyx))
    short, middle, long = 2 * np.sqrt(5 * np.maximum(values, 0)).T
    return {
        "surface": edges,
        "equivalent_diameter": np.cbrt(6 * volume / math.pi),
        "long_axis": long,
        "middle_axis": middle,
        "short_axis": short,
        "aspect_ratio": long / short,
        "sphericity": np.minimum(math.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / edges, 1),
    }
