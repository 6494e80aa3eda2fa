"""Mitochondria of spread cells, live, stained with a membrane-potential dye, widefield.

Bent threads, branched nets and round fragments crowd around a dark nucleus and thin out towards the
cell edge, mostly along the radius. Brightness differs from one mitochondrion to the next (membrane
potential, bleaching), and light from above and below the focus veils the crowded middle.

Ground truth (class 2) is every mitochondrion in focus, out to its own drawn radius.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orgseg_app.core.samples import optics
from orgseg_app.core.samples.outlines import (
    Outline,
    ellipse_outline,
    spread_cell_outline,
    wandering_path,
)

FloatArray = npt.NDArray[np.float64]

PIXEL_UM = 0.080
PSF_SIGMA_UM = 0.115
MARGIN = 48
STEP = 0.75  # pixels between the points of a centre line
CLEARANCE = 4.0  # pixels: side of the squares that only one mitochondrion may enter


@dataclass(frozen=True)
class Cell:
    """One cell and the state of its mitochondria.

    Attributes
    ----------
    fragmented : float
        Share of round fragments instead of threads, 0 to 1.
    brightness : float
        Stain, 1 = typical.
    """

    edge: Outline
    nucleus: Outline
    fragmented: float
    brightness: float


@dataclass(frozen=True)
class Thread:
    """One mitochondrion: centre line (N, 2) and radius (N,) in pixels, and brightness (N,)."""

    points_yx: FloatArray
    radii: FloatArray
    brightness: FloatArray


def draw(
    rng: np.random.Generator, size: tuple[int, int]
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.bool_]]:
    """One field of view.

    Parameters
    ----------
    size : (height, width)
        Pixels of 80 nm.

    Returns
    -------
    pixels : (Y, X) uint16
    structure : (Y, X) bool
        Where there is a mitochondrion in focus.
    """
    shape = (size[0] + 2 * MARGIN, size[1] + 2 * MARGIN)
    light = np.full(shape, 0.08, dtype=np.float32)
    truth = np.zeros(shape, dtype=np.bool_)
    free = np.ones(shape, dtype=np.bool_)
    for cell in _cells(rng, shape):
        grid = optics.pixel_grid(shape)
        depth = cell.edge.depth(grid).astype(np.float32)
        depth[~free] = -1.0
        if not (depth > 0).any():
            continue
        outside = -cell.nucleus.depth(grid).astype(np.float32)
        cell_light, cell_truth = _draw_cell(rng, cell, depth, outside)
        light += cell_light
        truth |= cell_truth
        free &= depth <= -_px(0.3)
    light *= optics.illumination(rng, shape, falloff=rng.uniform(0.25, 0.5))
    inner = (slice(MARGIN, MARGIN + size[0]), slice(MARGIN, MARGIN + size[1]))
    settings = optics.Camera(photons=60.0 * rng.uniform(0.5, 1.0))
    return optics.camera(rng, light[inner], settings), truth[inner]


def _px(micrometres: float) -> float:
    return micrometres / PIXEL_UM


def _cells(rng: np.random.Generator, shape: tuple[int, int]) -> list[Cell]:
    """Cells on a jittered grid, those that reach the field, nearest the middle first."""
    spacing = _px(44)
    rows, columns = (int(np.ceil(extent / spacing)) + 1 for extent in shape)
    middle = np.array(shape) * (0.5 + rng.uniform(-0.35, 0.35, 2))
    fragmented = float(rng.beta(0.7, 1.2))
    cells = []
    for row in range(-rows, rows + 1):
        for column in range(-columns, columns + 1):
            own_rng = rng.spawn(1)[0]
            offset = np.array([row, column + 0.5 * (row % 2)]) + own_rng.uniform(-0.12, 0.12, 2)
            at = middle + offset * spacing
            near = (at > -_px(36)).all() and (at < np.array(shape) + _px(36)).all()
            if near and (row == column == 0 or own_rng.random() < 0.8):
                cells.append((row**2 + column**2, _cell(own_rng, at, fragmented)))
    return [cell for _, cell in sorted(cells, key=lambda item: item[0])]


def _cell(rng: np.random.Generator, at: FloatArray, fragmented: float) -> Cell:
    centre = (float(at[0]), float(at[1]))
    edge = spread_cell_outline(rng, centre, radius=_px(rng.uniform(20, 28)))
    shift = rng.uniform(-1, 1, 2) * _px(2.5)
    long_axis = _px(rng.uniform(6.5, 8.5))
    nucleus = ellipse_outline(
        rng,
        (centre[0] + float(shift[0]), centre[1] + float(shift[1])),
        semi_axes=(long_axis, long_axis * rng.uniform(0.66, 0.88)),
        angle=rng.uniform(0, np.pi),
    )
    state = float(np.clip(fragmented + rng.normal(0, 0.1), 0, 1))
    return Cell(edge, nucleus, state, float(rng.lognormal(0.0, 0.3)))


def _draw_cell(
    rng: np.random.Generator, cell: Cell, edge_depth: optics.Image, outside: optics.Image
) -> tuple[optics.Image, npt.NDArray[np.bool_]]:
    """Light and ground truth of one cell.

    Parameters
    ----------
    edge_depth : (Y, X) float32
        Distance in pixels to the cell edge, negative outside the cell.
    outside : (Y, X) float32
        Distance in pixels to the nucleus, negative in it.
    """
    shape = edge_depth.shape
    threads = _threads(rng, cell, edge_depth, outside, tries=int(rng.uniform(600, 1000)))
    light = np.zeros(shape, dtype=np.float32)
    truth = np.zeros(shape, dtype=np.bool_)
    level = rng.integers(0, 3, len(threads))
    for index, widening in enumerate((1.0, 1.25, 1.6)):
        chosen = [thread for thread, own in zip(threads, level, strict=True) if own == index]
        if chosen:
            points, radii, brightness = _joined(chosen)
            drawn = optics.stamp_tubes(points, radii, brightness, shape)
            light += optics.blur(drawn, widening * _px(PSF_SIGMA_UM))
            truth |= drawn > 0
    light += _out_of_focus(rng, cell, edge_depth, outside)
    halo, veil = optics.blur(light, _px(0.5)), optics.blur(light, _px(2.2))
    return cell.brightness * (0.62 * light + 0.23 * halo + 0.15 * veil), truth


def _joined(threads: list[Thread]) -> tuple[FloatArray, FloatArray, FloatArray]:
    return (
        np.concatenate([thread.points_yx for thread in threads]),
        np.concatenate([thread.radii for thread in threads]),
        np.concatenate([thread.brightness for thread in threads]),
    )


def _threads(
    rng: np.random.Generator,
    cell: Cell,
    edge_depth: optics.Image,
    outside: optics.Image,
    *,
    tries: int,
) -> list[Thread]:
    """Place mitochondria one after the other where there is room; some branch off earlier ones."""
    taken = np.zeros(tuple(int(extent / CLEARANCE) + 2 for extent in edge_depth.shape), np.bool_)
    starts = _starts(rng, cell, edge_depth, tries)
    outward = starts - np.asarray(cell.nucleus.centre_yx)
    headings = np.arctan2(outward[:, 0], outward[:, 1]) + rng.normal(0, 0.5, len(starts))
    # Near the nucleus many lie along it, further out along the radius.
    close = np.exp(np.minimum(0.0, cell.nucleus.depth(starts)) / _px(3.0))
    headings += np.where(rng.random(len(starts)) < 0.6 * close, np.pi / 2, 0.0)
    threads: list[Thread] = []
    for start, heading in zip(starts, headings, strict=True):
        is_round = rng.random() < cell.fragmented
        branches = not is_round and len(threads) > 0 and rng.random() < 0.22
        if branches:
            parent = threads[int(rng.integers(len(threads)))]
            start = parent.points_yx[int(rng.integers(len(parent.points_yx)))]
            heading = rng.uniform(0, 2 * np.pi)
        elif taken[_squares(start, taken.shape)]:
            continue
        path = _path(rng, start, heading, is_round=is_round)
        thread = _thread(
            rng, path, edge_depth, outside, taken, is_round=is_round, branches=branches
        )
        if thread is not None:
            threads.append(thread)
    return threads


def _squares(
    points_yx: FloatArray, shape: tuple[int, ...]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Row and column of the square of CLEARANCE pixels that each point lies in, clamped."""
    index = (points_yx / CLEARANCE).astype(np.int64)
    return (
        np.clip(index[..., 0], 0, shape[0] - 1),
        np.clip(index[..., 1], 0, shape[1] - 1),
    )


def _starts(
    rng: np.random.Generator, cell: Cell, edge_depth: optics.Image, count: int
) -> FloatArray:
    """Random points in the cell, denser near the nucleus, (N, 2)."""
    extent = float(cell.edge.radii.max())
    points = rng.uniform(-extent, extent, (6 * count, 2)) + np.asarray(cell.edge.centre_yx)
    outside = -cell.nucleus.depth(points)
    inside = cell.edge.depth(points) > _px(0.8)
    likely = 0.10 + 0.90 * np.exp(-np.maximum(outside, 0) / _px(8.0))
    keep = inside & (outside > _px(0.3)) & (rng.random(len(points)) < likely)
    points = points[keep][:count]
    on_canvas = (points > -40).all(axis=1) & (points < np.array(edge_depth.shape) + 40).all(axis=1)
    return np.asarray(points[on_canvas])


def _path(
    rng: np.random.Generator, start: FloatArray, heading: float, *, is_round: bool
) -> FloatArray:
    """The centre line of one mitochondrion as long as it would grow with room, (N, 2)."""
    length_um = rng.uniform(0.05, 0.7) if is_round else float(rng.lognormal(1.5, 0.55))
    return wandering_path(
        rng,
        (float(start[0]), float(start[1])),
        heading=heading,
        steps=max(2, int(_px(min(length_um, 14.0)) / STEP)),
        step=STEP,
        bend=rng.uniform(0.015, 0.06),
    )


def _thread(
    rng: np.random.Generator,
    path: FloatArray,
    edge_depth: optics.Image,
    outside: optics.Image,
    taken: npt.NDArray[np.bool_],
    *,
    is_round: bool,
    branches: bool,
) -> Thread | None:
    """The path up to the cell edge, the nucleus or another mitochondrion; None where no room."""
    radius = _px(rng.uniform(0.20, 0.29)) * (1.25 if is_round else 1.0)
    uneven = np.convolve(rng.standard_normal(len(path) + 24), np.ones(25) / 5.0, mode="valid")
    dim = rng.random() < 0.18
    bright = float(rng.lognormal(0.0, 0.33)) * (0.42 if dim else 1.0)
    from_nucleus = optics.sample_field(outside, path)
    blocked = from_nucleus < radius + _px(0.1)
    blocked |= optics.sample_field(edge_depth, path) < radius
    rows, columns = _squares(path, taken.shape)
    skip = int(2 * CLEARANCE / STEP) if branches else 0
    blocked[skip:] |= taken[rows[skip:], columns[skip:]]
    room = int(np.argmax(blocked)) if blocked.any() else len(path)
    if room < (2 if is_round else 10):
        return None
    taken[rows[:room], columns[:room]] = True
    path, uneven, from_nucleus = path[:room], uneven[:room], from_nucleus[:room]
    place = 0.7 + 0.6 * np.exp(-np.maximum(from_nucleus, 0) / _px(5.0))
    return Thread(
        path,
        radius * np.clip(1 + 0.10 * uneven, 0.75, 1.35),
        bright * place * np.clip(1 + 0.16 * uneven, 0.5, 1.6),
    )


def _out_of_focus(
    rng: np.random.Generator, cell: Cell, edge_depth: optics.Image, outside: optics.Image
) -> optics.Image:
    """Mitochondria above and below the focus, and dye in the cytoplasm; little over the nucleus."""
    shape = edge_depth.shape
    thickness = np.exp(-np.maximum(outside, 0) / _px(4.5)) * np.clip(
        1 + outside / _px(1.2), 0.25, 1
    )
    cloud = np.exp(0.4 * optics.smooth_noise(rng, shape, _px(2.0)))
    inside = np.clip(edge_depth / _px(1.5), 0, 1)
    haze = inside * (0.07 + 0.42 * thickness * cloud)
    threads = _threads(rng, cell, edge_depth, outside, tries=140)
    light = np.asarray(optics.blur(haze.astype(np.float32), _px(0.6)), np.float32)
    if threads:
        points, radii, brightness = _joined(threads)
        weights = brightness * optics.sample_field(thickness.astype(np.float32), points)
        drawn = optics.stamp_tubes(points, radii, weights, shape)
        light += 0.9 * optics.blur(drawn, _px(0.55)) + 0.7 * optics.blur(drawn, _px(1.1))
    return light
