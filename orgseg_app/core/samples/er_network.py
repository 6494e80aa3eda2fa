"""The tubules of one cell's endoplasmic reticulum as centre lines with a radius and a brightness.

The network is a Voronoi graph of relaxed random points (its corners are the three-way junctions)
whose edges are bent, partly missing and sometimes end blindly. Long tubules along microtubules and
along the cell edge run across it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from orgseg_app.core.samples import optics
from orgseg_app.core.samples.outlines import Outline, wandering_path

FloatArray = npt.NDArray[np.float64]

PIXEL_UM = 0.065
TUBULE_RADIUS_UM = 0.050
TUBULE_LIGHT = 3.6  # light of one pixel of tubule; after the blur its crest is about 1
POINT_SPACING = 0.4  # pixels between the points of a centre line
BEYOND = 40  # pixels around the canvas that get a network too


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes
    ----------
    edge, nucleus : Outline
    brightness : float
        How strongly it is labelled, 1 = typical.
    mesh : float
        Typical distance between the middles of neighbouring meshes far from the nucleus, pixels.
    """

    edge: Outline
    nucleus: Outline
    brightness: float
    mesh: float


@dataclass(frozen=True)
class Tubules:
    """Tubules as densely sampled centre lines.

    Attributes
    ----------
    points_yx : (N, 2) float64
        Pixels.
    radius_um : (N,) float64
        The tubule's own radius.
    brightness : (N,) float64
        Light of each point; relative to a typical tubule until placed in the cell.
    """

    points_yx: FloatArray
    radius_um: FloatArray
    brightness: FloatArray

    @staticmethod
    def joined(parts: list[Tubules]) -> Tubules:
        """All parts as one."""
        return Tubules(
            np.concatenate([np.zeros((0, 2)), *(part.points_yx for part in parts)]),
            np.concatenate([np.zeros(0), *(part.radius_um for part in parts)]),
            np.concatenate([np.zeros(0), *(part.brightness for part in parts)]),
        )


def to_pixels(micrometres: float) -> float:
    """Micrometres as pixels of the simulated image."""
    return micrometres / PIXEL_UM


def network(
    rng: np.random.Generator,
    cell: Cell,
    edge_depth: optics.Image,
    *,
    mesh: float,
    in_focus: bool,
) -> tuple[Tubules, list[FloatArray]]:
    """The polygonal network of a cell and its meshes as polygons.

    Parameters
    ----------
    edge_depth : (Y, X) float32
        Distance in pixels to the cell edge, negative outside the cell.
    mesh : float
        Typical distance between the middles of neighbouring meshes, pixels.
    in_focus : bool
        The network in focus has regions of wide and of narrow meshes and goes around the nucleus;
        the one above is even and lies over it too.

    Returns
    -------
    tubules : Tubules
        In their place in the cell.
    polygons : list of (N, 2) float64
        Corners of the meshes, pixels.
    """
    from scipy.spatial import Voronoi

    seeds = _seeds(rng, cell, edge_depth, mesh=mesh, in_focus=in_focus)
    if len(seeds) < 8:
        return Tubules.joined([]), []
    graph = Voronoi(seeds)
    for _ in range(2):
        seeds = _relaxed(graph, seeds)
        graph = Voronoi(seeds)
    vertices = np.asarray(graph.vertices) + rng.normal(0, 0.07 * mesh, graph.vertices.shape)
    ridges = np.asarray(graph.ridge_vertices)
    ridges = ridges[(ridges >= 0).all(axis=1)]
    length = np.hypot(*(vertices[ridges[:, 1]] - vertices[ridges[:, 0]]).T)
    tubules = _bent_edges(
        rng, cell, edge_depth, vertices, ridges[length < 5 * mesh], in_focus=in_focus
    )
    polygons = [
        vertices[region]
        for region in (graph.regions[index] for index in graph.point_region)
        if len(region) > 2 and -1 not in region
    ]
    return tubules, polygons


def _seeds(
    rng: np.random.Generator,
    cell: Cell,
    edge_depth: optics.Image,
    *,
    mesh: float,
    in_focus: bool,
) -> FloatArray:
    """Middles of the meshes: denser near the nucleus, in patches elsewhere."""
    height, width = edge_depth.shape
    patches = optics.smooth_noise(rng, edge_depth.shape, to_pixels(4.2))
    narrowest = 0.55 * mesh
    extent = np.array([height, width]) + 2 * BEYOND
    count = int(extent.prod() / narrowest**2)
    points = rng.uniform(0, 1, (count, 2)) * extent - BEYOND
    outside = np.maximum(-cell.nucleus.depth(points), 0)
    local = mesh * (1.05 - 0.38 * np.exp(-outside / to_pixels(4.5)))
    if in_focus:
        local = local * np.exp(0.30 * optics.sample_field(patches, points))
    local = np.maximum(local, to_pixels(0.7))
    keep = rng.random(count) < (narrowest / np.maximum(local, narrowest)) ** 2
    keep &= cell.edge.depth(points) > -3 * mesh
    return np.asarray(points[keep])


def _relaxed(graph: Any, seeds: FloatArray) -> FloatArray:
    """Each seed moved to the middle of its mesh (Lloyd, 1982), unless that is open or far off."""
    moved = seeds.copy()
    vertices: FloatArray = graph.vertices
    for index, region_index in enumerate(graph.point_region):
        region = graph.regions[region_index]
        if region and -1 not in region:
            middle = vertices[region].mean(axis=0)
            if (np.abs(middle - seeds[index]) < 1.5 * BEYOND).all():
                moved[index] = middle
    return moved


def _bent_edges(
    rng: np.random.Generator,
    cell: Cell,
    edge_depth: optics.Image,
    vertices: FloatArray,
    ends: npt.NDArray[np.intp],
    *,
    in_focus: bool,
) -> Tubules:
    """Sample the edges of the network as bent tubules; drop some, and let some end blindly."""
    start, end = vertices[ends[:, 0]], vertices[ends[:, 1]]
    count = len(ends)
    edge = np.minimum(cell.edge.depth(start), cell.edge.depth(end))
    inner = np.minimum(-cell.nucleus.depth(start), -cell.nucleus.depth(end))
    thinning = np.clip(edge / to_pixels(2.6), 0.0, 1.0)
    present = rng.random(count) < 0.25 + 0.67 * thinning
    present &= np.maximum(cell.edge.depth(start), cell.edge.depth(end)) > to_pixels(0.3)
    present &= (inner > 0) | (not in_focus)
    present &= _is_connected(present, ends)
    reach = np.where(rng.random(count) < 0.05, rng.uniform(0.35, 0.75, count), 1.0)
    vector = end - start
    length = np.hypot(vector[:, 0], vector[:, 1])
    bow = np.clip(rng.normal(0, 0.10, count), -0.22, 0.22) * length
    wave = np.clip(rng.normal(0, 0.05, count), -0.1, 0.1) * length
    radius = TUBULE_RADIUS_UM * np.clip(1 + 0.22 * rng.standard_normal(count), 0.6, 1.6)
    bright = rng.lognormal(0.0, 0.28, count)

    samples = np.where(present, np.ceil(reach * length / POINT_SPACING).astype(np.int64) + 1, 0)
    which = np.repeat(np.arange(count), samples)
    first = np.repeat(np.cumsum(samples) - samples, samples)
    along = (np.arange(which.size) - first) * POINT_SPACING / np.maximum(length[which], 1e-9)
    along = np.minimum(along, reach[which])
    across = bow[which] * np.sin(np.pi * along) + wave[which] * np.sin(2 * np.pi * along)
    normal = np.stack([vector[:, 1], -vector[:, 0]], axis=-1) / np.maximum(length, 1e-9)[:, None]
    points = start[which] + along[:, None] * vector[which] + across[:, None] * normal[which]
    from_end = np.minimum(along, 1 - along) * length[which]
    swelling = 1 + 0.25 * np.exp(-((from_end / to_pixels(0.16)) ** 2))  # junctions are thicker
    tubules = Tubules(points, radius[which], bright[which] * swelling)
    return _within(tubules, cell, edge_depth, inset=to_pixels(0.25), over_nucleus=not in_focus)


def _is_connected(
    present: npt.NDArray[np.bool_], ends: npt.NDArray[np.intp]
) -> npt.NDArray[np.bool_]:
    """Which edges have a neighbour at one end or the other, (N,) bool."""
    degree = np.bincount(ends[present].ravel(), minlength=int(ends.max(initial=0)) + 1)
    return np.asarray(degree[ends].max(axis=1) > 1)


def long_tubules(rng: np.random.Generator, cell: Cell, edge_depth: optics.Image) -> Tubules:
    """Tubules drawn out along microtubules, from the nucleus outwards, and along the cell edge."""
    parts = []
    for _ in range(int(rng.integers(4, 11))):
        angle = rng.uniform(0, 2 * np.pi)
        begin = float(cell.nucleus.radius_at(np.array([angle]))[0]) + to_pixels(rng.uniform(1, 8))
        centre = cell.nucleus.centre_yx
        origin = (centre[0] + begin * np.sin(angle), centre[1] + begin * np.cos(angle))
        path = wandering_path(
            rng,
            origin,
            heading=angle + rng.normal(0, 0.25),
            steps=int(to_pixels(rng.uniform(5, 16)) / POINT_SPACING),
            step=POINT_SPACING,
            bend=0.012,
        )
        radius = np.full(len(path), TUBULE_RADIUS_UM * rng.uniform(0.8, 1.2))
        parts.append(Tubules(path, radius, np.full(len(path), rng.lognormal(0.0, 0.25))))
    parts.append(_rim_tubules(rng, cell, edge_depth.shape))
    return _within(Tubules.joined(parts), cell, edge_depth, inset=to_pixels(0.3))


def _rim_tubules(rng: np.random.Generator, cell: Cell, shape: tuple[int, int]) -> Tubules:
    """Stretches of tubule that follow the edge of the cell."""
    points = cell.edge.points(POINT_SPACING, inset=to_pixels(rng.uniform(0.5, 0.9)))
    wobble = optics.sample_field(optics.smooth_noise(rng, shape, to_pixels(1.6)), points)
    outward = points - np.asarray(cell.edge.centre_yx)
    outward /= np.hypot(outward[:, 0], outward[:, 1])[:, None]
    present = optics.sample_field(optics.smooth_noise(rng, shape, to_pixels(5.0)), points) > 0.2
    points = (points + outward * to_pixels(0.22) * wobble[:, None])[present]
    return Tubules(points, np.full(len(points), TUBULE_RADIUS_UM), np.full(len(points), 0.9))


def nuclear_envelope(rng: np.random.Generator, cell: Cell, edge_depth: optics.Image) -> Tubules:
    """The nuclear envelope, seen edge on: a line around the nucleus of uneven brightness."""
    points = cell.nucleus.points(POINT_SPACING)
    uneven = optics.smooth_noise(rng, edge_depth.shape, to_pixels(1.5))
    bright = 1.3 * np.exp(0.25 * optics.sample_field(uneven, points))
    spacing = 2 * np.pi * float(cell.nucleus.radii.mean()) / len(points)
    radius = np.full(len(points), 1.2 * TUBULE_RADIUS_UM)
    inside = optics.sample_field(edge_depth, points) > 0
    light = bright * spacing * TUBULE_LIGHT
    return Tubules(points[inside], radius[inside], light[inside])


def _within(
    tubules: Tubules,
    cell: Cell,
    edge_depth: optics.Image,
    *,
    inset: float,
    over_nucleus: bool = False,
) -> Tubules:
    """Cut what lies outside the cell or in its nucleus, and light the rest by its place."""
    points = tubules.points_yx
    depth = np.minimum(cell.edge.depth(points), optics.sample_field(edge_depth, points))
    outside = -cell.nucleus.depth(points)
    keep = (depth > inset) & ((outside > 0) | over_nucleus)
    place = 1 + 0.9 * np.exp(-np.maximum(outside, 0) / to_pixels(3.5))
    place = place * (0.62 + 0.38 * np.clip(depth / to_pixels(4.0), 0, 1))
    light = tubules.brightness * place * TUBULE_LIGHT * POINT_SPACING
    return Tubules(points[keep], tubules.radius_um[keep], light[keep])
