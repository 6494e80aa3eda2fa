"""Nuclei of cultured cells, DNA stain, widefield at low magnification.

Smoothly deformed ellipses with chromatin texture and nucleoli, alone and in touching groups; some
are hardly stained, a few divide (bright plates) or die (bright fragments). The background is uneven
and in places brighter than the dim nuclei.

Ground truth (class 2) is every nucleus, dividing and dying ones included, out to its outline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orgseg_app.core.samples import optics
from orgseg_app.core.samples.outlines import Outline, ellipse_outline

FloatArray = npt.NDArray[np.float64]

PIXEL_UM = 0.325
MARGIN = 48
AREA_UM2 = 420.0  # field area for one nucleus, typical density


@dataclass(frozen=True)
class Field:
    """What the nuclei of one image have in common.

    Attributes
    ----------
    radius : float
        Typical long semi-axis, pixels.
    spots : float
        Strength of bright chromocentres, 0 to 1 (mouse cells have them, human ones not).
    focus_sigma : float
        Blur of the image, pixels.
    dim_share : float
        Share of hardly stained nuclei.
    """

    radius: float
    spots: float
    focus_sigma: float
    dim_share: float


def draw(
    rng: np.random.Generator, size: tuple[int, int]
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.bool_]]:
    """One field of view.

    Parameters
    ----------
    size : (height, width)
        Pixels of 325 nm.

    Returns
    -------
    pixels : (Y, X) uint16
    structure : (Y, X) bool
        Where there is a nucleus.
    """
    shape = (size[0] + 2 * MARGIN, size[1] + 2 * MARGIN)
    field = Field(
        radius=_px(rng.uniform(6.2, 8.8)),
        spots=float(rng.choice([0.0, 0.0, 1.0])) * rng.uniform(0.5, 1.0),
        focus_sigma=rng.uniform(0.9, 1.7),
        dim_share=rng.uniform(0.12, 0.35),
    )
    drawn = np.zeros(shape, dtype=np.float32)
    truth = np.zeros(shape, dtype=np.bool_)
    for centre in _centres(rng, shape, field):
        _add_nucleus(rng, drawn, truth, centre, field)
    light = optics.blur(drawn, field.focus_sigma)
    halo, veil = optics.blur(light, _px(2.2)), optics.blur(light, _px(10))
    light = 0.72 * light + 0.16 * halo + 0.30 * veil + _background(rng, shape)
    light *= optics.illumination(rng, shape, falloff=rng.uniform(0.25, 0.55))
    inner = (slice(MARGIN, MARGIN + size[0]), slice(MARGIN, MARGIN + size[1]))
    settings = optics.Camera(photons=rng.uniform(40.0, 110.0))
    return optics.camera(rng, light[inner], settings), truth[inner]


def _px(micrometres: float) -> float:
    return micrometres / PIXEL_UM


def _centres(rng: np.random.Generator, shape: tuple[int, int], field: Field) -> FloatArray:
    """Random middles, some grouped, (N, 2)."""
    area = shape[0] * shape[1] * PIXEL_UM**2
    count = max(2, int(area / AREA_UM2 * rng.uniform(0.5, 1.15)))
    alone = rng.uniform(0, 1, (count, 2)) * shape
    grouped = rng.random(count) < rng.uniform(0.2, 0.6)
    leader = rng.integers(0, count, count)
    angle = rng.uniform(0, 2 * np.pi, count)
    beside = 1.75 * field.radius * np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    return np.where(grouped[:, None], alone[leader] + beside, alone)


def _add_nucleus(
    rng: np.random.Generator,
    drawn: optics.Image,
    truth: npt.NDArray[np.bool_],
    centre: FloatArray,
    field: Field,
) -> None:
    """Draw one nucleus unless another is in its place; a small overlap is allowed (touching)."""
    at = (float(centre[0]), float(centre[1]))
    fate = rng.random()
    if fate < 0.020:
        parts = _dividing(rng, at, field)
        brightness = rng.uniform(2.0, 3.0)
    elif fate < 0.032:
        parts = _fragments(rng, at, field)
        brightness = rng.uniform(1.8, 3.2)
    else:
        long_axis = field.radius * float(np.clip(rng.normal(1, 0.14), 0.6, 1.5))
        axes = (long_axis, long_axis * rng.uniform(0.58, 0.92))
        angle = rng.uniform(0, np.pi)
        parts = [ellipse_outline(rng, at, semi_axes=axes, angle=angle, roughness=0.045)]
        brightness = float(rng.lognormal(-0.1, 0.32)) * (1.0 if rng.random() < 0.75 else 1.6)
        if rng.random() < field.dim_share:
            brightness *= rng.uniform(0.22, 0.45)
    reach = max(
        float(np.hypot(*(np.asarray(part.centre_yx) - centre)) + part.radii.max()) for part in parts
    )
    box = _box(centre, reach + 3, drawn.shape)
    if box is None:
        return
    rows, columns = box
    grid = optics.pixel_grid((rows.stop - rows.start, columns.stop - columns.start))
    grid += (rows.start, columns.start)
    covered = np.zeros(grid.shape[:2], dtype=np.bool_)
    light = np.zeros(grid.shape[:2], dtype=np.float32)
    is_compact = fate < 0.032
    for part in parts:
        inside, part_light = _chromatin(rng, part, grid, field, is_compact=is_compact)
        covered |= inside
        np.maximum(light, part_light, out=light)
    if (covered & truth[rows, columns]).sum() > 0.07 * covered.sum():
        return
    soft = optics.blur(light, rng.uniform(0.2, 1.5))  # not all lie in the same plane
    drawn[rows, columns] += np.float32(brightness) * soft
    truth[rows, columns] |= covered


def _box(centre: FloatArray, reach: float, shape: tuple[int, int]) -> tuple[slice, slice] | None:
    low = np.maximum(np.floor(centre - reach), 0).astype(int)
    high = np.minimum(np.ceil(centre + reach) + 1, shape).astype(int)
    if (high - low < 2).any():
        return None
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def _chromatin(
    rng: np.random.Generator,
    outline: Outline,
    grid: FloatArray,
    field: Field,
    *,
    is_compact: bool,
) -> tuple[npt.NDArray[np.bool_], optics.Image]:
    """Where one nucleus lies and its light: a flat dome, grainy, darker where its nucleoli are."""
    place = outline.relative(grid)
    inside = place <= 1
    dome = np.where(inside, np.maximum(1 - place**2, 0) ** 0.28, 0)
    shape = (grid.shape[0], grid.shape[1])
    if is_compact:
        grain = 0.2 * optics.smooth_noise(rng, shape, _px(0.9))
        return inside, (dome * (1 + grain)).astype(np.float32)
    grain = 0.13 * optics.smooth_noise(rng, shape, _px(0.75))
    grain += 0.13 * optics.smooth_noise(rng, shape, _px(2.0))
    light = dome * np.maximum(1 + grain + 0.10 * np.clip(place, 0, 1) ** 4, 0.2)
    dark = 0.45 * _spots(rng, outline, grid, count=int(rng.integers(1, 5)), radius_um=1.1)
    light *= 1 - dark
    if field.spots > 0:
        bright = _spots(rng, outline, grid, count=int(rng.integers(6, 14)), radius_um=0.65)
        light *= 0.75 + 1.1 * field.spots * bright
    return inside, light.astype(np.float32)


def _spots(
    rng: np.random.Generator, outline: Outline, grid: FloatArray, *, count: int, radius_um: float
) -> FloatArray:
    """Round soft spots inside an outline, 0 to 1, (Y, X)."""
    angle = rng.uniform(0, 2 * np.pi, count)
    reach = 0.75 * np.sqrt(rng.uniform(0, 1, count)) * outline.radius_at(angle)
    total = np.zeros(grid.shape[:2])
    for direction, distance, size in zip(angle, reach, rng.uniform(0.7, 1.4, count), strict=True):
        y = grid[..., 0] - outline.centre_yx[0] - distance * np.sin(direction)
        x = grid[..., 1] - outline.centre_yx[1] - distance * np.cos(direction)
        np.maximum(total, np.exp(-(y**2 + x**2) / (_px(radius_um) * size) ** 2), out=total)
    return total


def _dividing(rng: np.random.Generator, at: tuple[float, float], field: Field) -> list[Outline]:
    """A metaphase plate, or the two plates of an anaphase."""
    angle = rng.uniform(0, np.pi)
    axes = (0.85 * field.radius, 0.31 * field.radius)
    apart = rng.uniform(0.35, 0.75) * field.radius if rng.random() < 0.45 else 0.0
    across = apart * np.array([np.cos(angle), -np.sin(angle)])
    sides = (1, -1) if apart else (0,)
    return [
        ellipse_outline(
            rng,
            (at[0] + side * float(across[0]), at[1] + side * float(across[1])),
            semi_axes=axes,
            angle=angle,
            roughness=0.10,
        )
        for side in sides
    ]


def _fragments(rng: np.random.Generator, at: tuple[float, float], field: Field) -> list[Outline]:
    """What is left of a nucleus after apoptosis: a few bright round pieces."""
    pieces = []
    for _ in range(int(rng.integers(2, 6))):
        offset = rng.normal(0, 0.38 * field.radius, 2)
        radius = field.radius * rng.uniform(0.16, 0.38)
        centre = (at[0] + float(offset[0]), at[1] + float(offset[1]))
        pieces.append(ellipse_outline(rng, centre, semi_axes=(radius, 0.9 * radius), angle=0.0))
    return pieces


def _background(rng: np.random.Generator, shape: tuple[int, int]) -> optics.Image:
    """Medium and plate: a slope across the image, slow clouds, a little debris out of focus."""
    angle = rng.uniform(0, 2 * np.pi)
    grid = optics.pixel_grid(shape)
    along = grid[..., 0] * np.sin(angle) + grid[..., 1] * np.cos(angle)
    along = (along - along.min()) / max(float(np.ptp(along)), 1.0)
    slope = rng.uniform(0.1, 0.75) * along**2
    clouds = 0.05 * np.exp(0.6 * optics.smooth_noise(rng, shape, _px(22)))
    return np.asarray(0.10 + slope + clouds, np.float32)
