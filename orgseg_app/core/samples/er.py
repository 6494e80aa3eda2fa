"""The endoplasmic reticulum of spread COS-7 cells, live, as a spinning-disc microscope shows it.

A polygonal network of tubules with three-way junctions fills each cell, finer and brighter towards
the nucleus, where sheets and a haze of light from above and below the focus join in; it thins out
and ends before the cell edge.

Ground truth (class 2) is every tubule and sheet in focus. A tubule counts as wide as the microscope
shows it, out to half its peak: its own radius of some 50 nm widened by the point spread function.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from orgseg_app.core.samples import optics
from orgseg_app.core.samples.er_network import (
    PIXEL_UM,
    Cell,
    Tubules,
    long_tubules,
    network,
    nuclear_envelope,
    to_pixels,
)
from orgseg_app.core.samples.outlines import ellipse_outline, spread_cell_outline

FloatArray = npt.NDArray[np.float64]

PSF_SIGMA_UM = 0.095
HALF_MAXIMUM = float(np.sqrt(2 * np.log(2)))  # half width at half maximum of a Gaussian, in sigmas
MARGIN = 48


def draw(
    rng: np.random.Generator, size: tuple[int, int]
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.bool_]]:
    """One field of view.

    Parameters
    ----------
    size : (height, width)
        Pixels of 65 nm.

    Returns
    -------
    pixels : (Y, X) uint16
    structure : (Y, X) bool
        Where there is endoplasmic reticulum in focus.
    """
    shape = (size[0] + 2 * MARGIN, size[1] + 2 * MARGIN)
    light = np.full(shape, 0.10, dtype=np.float32)
    truth = np.zeros(shape, dtype=np.bool_)
    taken = np.zeros(shape, dtype=np.bool_)
    for cell in _cells(rng, shape):
        grid = optics.pixel_grid(shape)
        edge_depth = cell.edge.depth(grid).astype(np.float32)
        edge_depth[taken] = -1.0
        if not (edge_depth > 0).any():
            continue
        cell_light, cell_truth = _draw_cell(rng, cell, grid, edge_depth)
        light += cell_light
        truth |= cell_truth
        taken |= edge_depth > -to_pixels(0.4)
    if rng.random() < 0.3:
        light += _cell_out_of_focus(rng, shape)
    light *= optics.illumination(rng, shape, falloff=rng.uniform(0.25, 0.5))
    inner = (slice(MARGIN, MARGIN + size[0]), slice(MARGIN, MARGIN + size[1]))
    bleaching = rng.uniform(0.55, 1.0)
    settings = optics.Camera(photons=38.0 * bleaching)
    return optics.camera(rng, light[inner], settings), truth[inner]


def _cells(rng: np.random.Generator, shape: tuple[int, int]) -> list[Cell]:
    """One cell near the middle and its neighbours, as far as they reach the field."""
    spacing = to_pixels(55)
    rows, columns = (int(np.ceil(extent / spacing)) + 1 for extent in shape)
    middle = np.array(shape) * (0.5 + rng.uniform(-0.42, 0.42, 2))
    cells = []
    for row in range(-rows, rows + 1):
        for column in range(-columns, columns + 1):
            jitter = rng.uniform(-0.12, 0.12, 2)
            offset = np.array([row + 0.0, column + 0.5 * (row % 2)]) + jitter
            at = middle + (offset - jitter * (row == column == 0)) * spacing
            outline_rng, present = rng.spawn(1)[0], rng.random() < 0.72
            reach = to_pixels(38)
            if (at < -reach).any() or (at > np.array(shape) + reach).any():
                continue
            if present or row == column == 0:
                cells.append((abs(row) + abs(column), _cell(outline_rng, at)))
    return [cell for _, cell in sorted(cells, key=lambda item: item[0])]


def _cell(rng: np.random.Generator, at: FloatArray) -> Cell:
    centre = (float(at[0]), float(at[1]))
    edge = spread_cell_outline(rng, centre, radius=to_pixels(rng.uniform(23, 32)))
    shift = rng.uniform(-1, 1, 2) * to_pixels(2.5)
    long_axis = to_pixels(rng.uniform(5.6, 7.4))
    nucleus = ellipse_outline(
        rng,
        (float(at[0] + shift[0]), float(at[1] + shift[1])),
        semi_axes=(long_axis, long_axis * rng.uniform(0.66, 0.88)),
        angle=rng.uniform(0, np.pi),
        roughness=0.035,
    )
    return Cell(edge, nucleus, float(rng.lognormal(0.0, 0.3)), to_pixels(rng.uniform(1.15, 1.5)))


def _draw_cell(
    rng: np.random.Generator,
    cell: Cell,
    grid: FloatArray,
    edge_depth: optics.Image,
) -> tuple[optics.Image, npt.NDArray[np.bool_]]:
    shape = edge_depth.shape
    near_nucleus = -cell.nucleus.depth(grid).astype(np.float32)  # pixels outside the nucleus
    mesh_tubules, polygons = network(rng, cell, edge_depth, mesh=cell.mesh, in_focus=True)
    others = [long_tubules(rng, cell, edge_depth), nuclear_envelope(rng, cell, edge_depth)]
    tubules = Tubules.joined([mesh_tubules, *others])
    focus = optics.smooth_noise(rng, shape, to_pixels(5.0))
    light, truth = _render_tubules(tubules, focus, shape)
    sheet_light, sheet_truth = _sheets(rng, cell, polygons, near_nucleus)
    light += sheet_light
    truth |= sheet_truth
    light += _out_of_focus(rng, cell, edge_depth, near_nucleus)
    halo, veil = optics.blur(light, to_pixels(0.45)), optics.blur(light, to_pixels(1.8))
    return cell.brightness * (0.66 * light + 0.22 * halo + 0.12 * veil), truth


def _render_tubules(
    tubules: Tubules, focus: optics.Image, shape: tuple[int, int]
) -> tuple[optics.Image, npt.NDArray[np.bool_]]:
    """Blur each tubule by how far it lies from the focal plane; mark its half-maximum width."""
    away = np.abs(optics.sample_field(focus, tubules.points_yx))
    level = np.clip((away * 1.1).astype(np.int64), 0, 2)
    light = np.zeros(shape, dtype=np.float32)
    truth = np.zeros(shape, dtype=np.bool_)
    for index, widening in enumerate((1.0, 1.18, 1.45)):
        chosen = level == index
        points = tubules.points_yx[chosen]
        sigma_um = PSF_SIGMA_UM * widening
        drawn = optics.splat(points, tubules.brightness[chosen], shape)
        light += optics.blur(drawn, to_pixels(sigma_um))
        # A thin tube of radius r seen through a Gaussian: its variance adds r^2 / 4.
        width_um = HALF_MAXIMUM * np.sqrt(sigma_um**2 + tubules.radius_um[chosen] ** 2 / 4)
        truth |= optics.stamp_discs(points, width_um / PIXEL_UM, shape)
    return light, truth


def _sheets(
    rng: np.random.Generator,
    cell: Cell,
    polygons: list[FloatArray],
    near_nucleus: optics.Image,
) -> tuple[optics.Image, npt.NDArray[np.bool_]]:
    """Some meshes beside the nucleus filled with a membrane sheet."""
    import cv2

    shape = near_nucleus.shape
    filled = np.zeros(shape, dtype=np.uint8)
    middles = np.array([polygon.mean(axis=0) for polygon in polygons]).reshape(-1, 2)
    outside = -cell.nucleus.depth(middles)
    places = optics.smooth_noise(rng, shape, to_pixels(3.0))
    likely = optics.sample_field(places, middles) + 0.5 * rng.standard_normal(len(middles))
    chosen = (outside > to_pixels(0.2)) & (likely > 0.7 + outside / to_pixels(2.0))
    for index in np.flatnonzero(chosen):
        corners = np.rint(polygons[index][:, ::-1] * 16).astype(np.int32)
        cv2.fillPoly(filled, [corners], (1,), shift=4)
    filled[near_nucleus < 0] = 0
    texture = 1 + 0.22 * optics.smooth_noise(rng, shape, to_pixels(0.35))
    light = filled.astype(np.float32) * np.maximum(texture, 0.2) * np.float32(0.85)
    return optics.blur(light, to_pixels(PSF_SIGMA_UM)), filled > 0


def _out_of_focus(
    rng: np.random.Generator,
    cell: Cell,
    edge_depth: optics.Image,
    near_nucleus: optics.Image,
) -> optics.Image:
    """Light from above and below the focus: the cell is thick around its nucleus."""
    shape = edge_depth.shape
    inside = np.clip(edge_depth / to_pixels(1.2), 0, 1)
    outside = np.maximum(near_nucleus, 0)
    thickness = np.exp(-outside / to_pixels(3.6))
    over = np.clip(-near_nucleus / to_pixels(1.5), 0, 1)  # 1 over the nucleus, little lies there
    thickness = thickness * (1 - 0.62 * over)
    cloud = np.exp(0.35 * (1 - 0.5 * over) * optics.smooth_noise(rng, shape, to_pixels(2.4)))
    haze = inside * (0.10 + 1.55 * thickness * cloud)

    above, _ = network(rng, cell, edge_depth, mesh=1.1 * cell.mesh, in_focus=False)
    weights = above.brightness * optics.sample_field(thickness.astype(np.float32), above.points_yx)
    drawn = optics.splat(above.points_yx, 1.5 * weights, shape)
    spread = optics.blur(drawn, to_pixels(0.26)) * 0.5 + optics.blur(drawn, to_pixels(0.55)) * 0.5
    return np.asarray(optics.blur(haze.astype(np.float32), to_pixels(0.5)) + spread, np.float32)


def _cell_out_of_focus(rng: np.random.Generator, shape: tuple[int, int]) -> optics.Image:
    """A rounded cell lying above the others: only its glow reaches the image."""
    height, width = shape
    side = rng.integers(0, 4)
    at = rng.uniform(0, 1, 2) * (height, width)
    at[side % 2] = (-to_pixels(2.0), shape[side % 2] + to_pixels(2.0))[side // 2]
    away = optics.pixel_grid(shape) - at
    distance = np.hypot(away[..., 0], away[..., 1])
    size = to_pixels(rng.uniform(4, 7))
    glow = rng.uniform(0.8, 2.2) / (1 + np.exp((distance - size) / to_pixels(1.3)))
    return np.asarray(glow, np.float32)
