"""Brain tissue in serial sections of an electron microscope: neurites packed without a gap.

Every cell is a round or long seed that drifts, swells and shrinks from section to section; which
cell owns a place is the additively weighted Voronoi diagram of the seeds (Aurenhammer 1991, ACM
Computing Surveys 23), bent by slow random shifts. Its borders are the membranes. Mitochondria
run inside the cells, with a double membrane and cristae across (Perkins and others 1997, Journal of
Structural Biology 119); boutons hold vesicles of 40 nm and face dark densities (Harris and Sultan
1995, Neuropharmacology 34). Sections differ in stain and focus and do not lie quite true, slanting
membranes smear over their thickness, and now and then dirt lies on one. Sizes as in the mouse
cortex of Kasthuri and others (2015, Cell 162).

Ground truth: class 2 membranes between cells, class 3 mitochondria out to their outer membrane, 1
everything else. Lengths are pixels of 8 nm, depths are sections of 40 nm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.samples import optics

FloatArray = npt.NDArray[np.float64]
Plane = optics.Image
Size = tuple[int, int, int]

PIXEL_UM = 0.008
SECTION_UM = 0.040
MEMBRANE, MITOCHONDRIA = 2, 3

MARGIN = 70.0  # around the field, where cells may begin
CELL_AREA = 1500.0  # for one cell, square pixels
HALF_MEMBRANE = 2.0  # two membranes of 7 nm and the cleft between them, as seen
LOWER = 0.45  # sections: how far down the second look into a section goes
FAR = np.float32(1e4)


@dataclass(frozen=True)
class Cell:
    """One neurite on its way through the sections.

    Attributes
    ----------
    yx, drift_yx : (2,) float64
        Its middle in section 0, and how far that moves from one section to the next.
    radius : float
        How much room it takes.
    swelling : (3,) float64
        Its room over depth: share, waves a section, start of a wave.
    angle, stretch : float
        Direction in which its profiles are long, and how many times as long as wide.
    grey : float
        Brightness of its cytoplasm, 0 to 1.
    is_bouton : bool
        It holds vesicles.
    """

    yx: FloatArray
    drift_yx: FloatArray
    radius: float
    swelling: FloatArray
    angle: float
    stretch: float
    grey: float
    is_bouton: bool

    def middle(self, z: float) -> FloatArray:
        """Where it is in a section, (2,)."""
        return np.asarray(self.yx + z * self.drift_yx)

    def radius_at(self, z: float) -> float:
        """How much room it takes in a section."""
        share, waves, start = self.swelling
        return float(self.radius * (1 + share * np.sin(waves * z + start)))


@dataclass(frozen=True)
class Mitochondrion:
    """A mitochondrion in a cell.

    Attributes
    ----------
    cell : int
        Whose it is.
    z, half_depth : float
        Section of its middle, and how many it reaches up and down.
    shift_yx : (2,) float64
        From the middle of the cell to its own.
    radius, half_length : float
        Across and along the cell's long direction.
    cristae : float
        Direction in which one crista follows the other, radians.
    """

    cell: int
    z: float
    half_depth: float
    shift_yx: FloatArray
    radius: float
    half_length: float
    cristae: float


@dataclass(frozen=True)
class Section:
    """Where everything lies in one section.

    Attributes
    ----------
    owner : (Y, X) int32
        Number of the cell.
    edge : (Y, X) float32
        Distance to the border of the cell.
    depth : (Y, X) float32
        How deep in a mitochondrion; negative outside of them.
    phase : (Y, X) float32
        Of its cristae, radians.
    """

    owner: npt.NDArray[np.int32]
    edge: Plane
    depth: Plane
    phase: Plane


class Tissue:
    """The cells of one volume and what they hold; cut into sections.

    Parameters
    ----------
    size : (depth, height, width)
    """

    def __init__(self, rng: np.random.Generator, size: Size) -> None:
        depth, *shape = size
        self.shape = (shape[0], shape[1])
        self.cells = _cells(rng, size)
        self.greys = np.array([cell.grey for cell in self.cells], dtype=np.float32)
        self.boutons = np.array([cell.is_bouton for cell in self.cells])
        self.mitochondria = _mitochondria(rng, self.cells, depth)
        self._bends = [
            (amount, [optics.smooth_noise(rng, self.shape, scale) for _ in range(4)])
            for amount, scale in ((7.0, 38.0), (2.2, 13.0))
        ]
        self._askew = rng.normal(0, 0.5, (depth, 2))

    def section(self, z: int) -> Section:
        """The top of section `z`."""
        y, x = self._bent(z)
        owner, edge = self._owners(y, x, z)
        depth = np.full(self.shape, -FAR, dtype=np.float32)
        phase = np.zeros(self.shape, dtype=np.float32)
        seen = set(np.flatnonzero(np.bincount(owner.ravel())).tolist())
        for item in self.mitochondria:
            across = 1 - ((z - item.z) / item.half_depth) ** 2
            if across > 0 and item.cell in seen:
                self._place(item, float(np.sqrt(across)), (y, x, z), (owner, edge, depth, phase))
        return Section(owner, edge, depth, phase)

    def edges_below(self, z: int) -> Plane:
        """Distance to the borders a little further down in section `z`, (Y, X)."""
        return self._owners(*self._bent(z, LOWER), z + LOWER)[1]

    def _bent(self, z: int, below: float = 0.0) -> tuple[Plane, Plane]:
        """Where each pixel lies in a tissue of straight borders, rows and columns, (Y, X)."""
        y, x = np.mgrid[0.0 : self.shape[0], 0.0 : self.shape[1]].astype(np.float32)
        for amount, (first, second, third, fourth) in self._bends:
            turn = 0.16 * (z + below)
            one, other = np.float32(amount * np.cos(turn)), np.float32(amount * np.sin(turn))
            y += one * first + other * second
            x += one * third + other * fourth
        y += np.float32(self._askew[z, 0])
        x += np.float32(self._askew[z, 1])
        return y, x

    def _owners(self, y: Plane, x: Plane, at: float) -> tuple[npt.NDArray[np.int32], Plane]:
        """Whose each pixel is, and how far from the next cell, (Y, X) each."""
        import cv2

        nearest = np.full(self.shape, FAR, dtype=np.float32)
        second = np.full(self.shape, FAR, dtype=np.float32)
        owner = np.zeros(self.shape, dtype=np.int32)
        for number, cell in enumerate(self.cells):
            middle, radius = cell.middle(at), cell.radius_at(at)
            row, column = float(middle[0]), float(middle[1])
            box = _box(middle, _extent(cell.angle, cell.stretch, radius + 30), self.shape)
            if box is None:
                continue
            along, across = _turned(y[box] - row, x[box] - column, cell.angle)
            along *= np.float32(1 / cell.stretch)
            away = np.sqrt(along * along + across * across) - np.float32(radius)
            closest = nearest[box]
            is_closer = away < closest
            second[box] = np.minimum(second[box], np.maximum(away, closest))
            nearest[box] = np.minimum(closest, away)
            owner[box][is_closer] = number
        apart = second - nearest
        slope = np.hypot(
            cv2.Sobel(apart, cv2.CV_32F, 1, 0, scale=0.125),
            cv2.Sobel(apart, cv2.CV_32F, 0, 1, scale=0.125),
        )
        return owner, np.asarray(apart / np.clip(slope, 0.35, 2.2), np.float32)

    def _place(
        self,
        item: Mitochondrion,
        share: float,
        at: tuple[Plane, Plane, float],
        drawn: tuple[npt.NDArray[np.int32], Plane, Plane, Plane],
    ) -> None:
        """Mark a mitochondrion, `share` as wide as at its middle, within its cell."""
        (y, x, z), (owner, edge, depth, phase) = at, drawn
        cell = self.cells[item.cell]
        middle = cell.middle(z) + item.shift_yx
        long = (item.half_length + 2) / (item.radius + 2)
        box = _box(middle, _extent(cell.angle, long, item.radius + 2), self.shape)
        if box is None:
            return
        row, column = float(middle[0]), float(middle[1])
        along, across = _turned(y[box] - row, x[box] - column, cell.angle)
        radius = np.float32(share * item.radius)
        past = np.maximum(np.abs(along) - np.float32(share * (item.half_length - item.radius)), 0)
        inside = _both(radius - np.hypot(past, across), edge[box] - np.float32(3))
        inside[owner[box] != item.cell] = -FAR
        deeper = inside > depth[box]
        depth[box][deeper] = inside[deeper]
        waves = along * np.cos(item.cristae) + across * np.sin(item.cristae)
        waves += 1.6 * np.sin(0.19 * across + item.cristae + 0.5 * z)
        phase[box][deeper] = (waves * (2 * np.pi / 7.0))[deeper]


def draw(
    rng: np.random.Generator, size: Size
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """One small volume.

    Parameters
    ----------
    size : (depth, height, width)
        Sections of 40 nm, pixels of 8 nm.

    Returns
    -------
    pixels : (Z, Y, X) uint8
    mask : (Z, Y, X) uint8
        1, 2 or 3 everywhere.
    """
    tissue = Tissue(rng, size)
    synapses = _synapses(rng, size)
    pixels = np.empty(size, dtype=np.uint8)
    mask = np.full(size, BACKGROUND, dtype=np.uint8)
    for z in range(size[0]):
        section = tissue.section(z)
        mask[z][section.edge < HALF_MEMBRANE] = MEMBRANE
        mask[z][section.depth > 0] = MITOCHONDRIA
        stain = 0.6 * _membranes(section.edge) + 0.4 * _membranes(tissue.edges_below(z))
        stain += _inside_mitochondria(section) + _densities(section, synapses, z)
        pixels[z] = _microscope(rng, _cytoplasm(rng, tissue, section) - stain)
    return pixels, mask


def _cells(rng: np.random.Generator, size: Size) -> list[Cell]:
    """Thin axons, a few thick dendrites, and boutons, all through the volume."""
    depth, height, width = size
    low, high = -MARGIN, np.array([height, width]) + MARGIN
    count = int(np.prod(high - low) / CELL_AREA)
    bundle = rng.normal(0, 1.2, 2)  # many run the same way
    cells = []
    for _ in range(count):
        kind = rng.random()
        is_bouton = 0.82 < kind < 0.94
        radius = rng.uniform(6, 15)
        if is_bouton:
            radius = rng.uniform(22, 30)
        elif kind >= 0.94:
            radius = rng.uniform(36, 52)
        drift = bundle + rng.normal(0, 0.6 if radius > 30 else 1.7, 2)
        cells.append(
            Cell(
                yx=rng.uniform(low, high) - 0.5 * depth * drift,
                drift_yx=drift,
                radius=radius,
                swelling=np.array([rng.uniform(0, 0.25), rng.uniform(0.1, 0.3), rng.uniform(0, 6)]),
                angle=rng.uniform(0, np.pi),
                stretch=rng.uniform(1.0, 1.5) if rng.random() < 0.7 else rng.uniform(1.8, 2.8),
                grey=float(np.clip(rng.normal(0.70, 0.045), 0.58, 0.8)),
                is_bouton=bool(is_bouton),
            )
        )
    return cells


def _mitochondria(rng: np.random.Generator, cells: list[Cell], depth: int) -> list[Mitochondrion]:
    """Those of all cells wide enough for one, at random depths."""
    found = []
    for number, cell in enumerate(cells):
        room = cell.radius + 7
        if room < 17:
            continue
        for _ in range(rng.poisson((depth + 16) / 26 * (2.4 if room > 40 else 1.1))):
            radius = float(min(rng.uniform(11, 18), 0.72 * room))
            spare = max(room - radius - 6, 0.0)
            angle, away = rng.uniform(0, 2 * np.pi), spare * np.sqrt(rng.random())
            found.append(
                Mitochondrion(
                    cell=number,
                    z=float(rng.uniform(-8, depth + 8)),
                    half_depth=float(rng.uniform(6, 15)),
                    shift_yx=away * np.array([np.sin(angle), np.cos(angle)]),
                    radius=radius,
                    half_length=radius * float(rng.uniform(1.0, 1.4) * cell.stretch),
                    cristae=float(rng.normal(0, 0.5) + (np.pi / 2 if rng.random() < 0.4 else 0)),
                )
            )
    return found


def _synapses(rng: np.random.Generator, size: Size) -> FloatArray:
    """Places of dark densities, depth, row, column, (N, 3)."""
    depth, height, width = size
    count = 1 + rng.poisson(depth * height * width / 130_000)
    return np.asarray(rng.uniform((0, 0, 0), (depth, height, width), (count, 3)))


def _membranes(edge: Plane) -> Plane:
    """How dark the membranes between cells are, (Y, X)."""
    dark = np.float32(0.44) * np.exp(-(((edge - np.float32(0.7)) / np.float32(1.35)) ** 2))
    return np.asarray(dark, np.float32)


def _inside_mitochondria(section: Section) -> Plane:
    """How dark their double membrane, cristae and matrix are, (Y, X)."""
    depth = np.clip(section.depth, -9, 9)
    dark = 0.40 * np.exp(-(((depth - 1.3) / 1.3) ** 2))
    crista = np.clip(np.cos(section.phase) - 0.2, 0, None) / 0.8
    dark += np.where(depth > 3.2, 0.15 + 0.22 * crista, 0)
    return np.asarray(dark, np.float32)


def _cytoplasm(rng: np.random.Generator, tissue: Tissue, section: Section) -> Plane:
    """Brightness between the membranes: grain, reticulum, filaments, vesicles, (Y, X)."""
    shape = tissue.shape
    outside = (section.depth < -3) & (section.edge > 4)
    grey = tissue.greys[section.owner]
    grey = grey + 0.028 * optics.smooth_noise(rng, shape, 2.2)
    grey += 0.02 * optics.smooth_noise(rng, shape, 7)
    folds, places = optics.smooth_noise(rng, shape, 11), optics.smooth_noise(rng, shape, 26)
    reticulum = np.exp(-((np.abs(folds) / 0.16 - 1) ** 2)) * np.clip(places - 0.5, 0, 0.5)
    grey -= np.where(outside, 0.42 * reticulum, 0)
    dots = optics.splat(*_scattered(rng, shape, 0.006), shape)
    grey -= 1.1 * optics.blur(np.where(outside, dots, 0).astype(np.float32), 0.9)
    ready = outside & tissue.boutons[section.owner] & (section.edge > 6)
    vesicles = np.where(ready, optics.splat(*_scattered(rng, shape, 0.014), shape), 0)
    return np.asarray(grey - _rings(vesicles.astype(np.float32)), np.float32)


def _scattered(
    rng: np.random.Generator, shape: tuple[int, int], density: float
) -> tuple[FloatArray, FloatArray]:
    """Random points (N, 2), `density` a pixel, and as many ones."""
    count = rng.poisson(density * shape[0] * shape[1])
    return rng.uniform((0, 0), shape, (count, 2)), np.ones(count)


def _rings(middles: Plane) -> Plane:
    """A dark ring, 40 nm wide and pale inside, around every point that has weight, (Y, X)."""
    import cv2

    y, x = np.mgrid[-4:5, -4:5]
    ring = np.exp(-(((np.hypot(y, x) - 2.3) / 0.75) ** 2)) * 0.34
    return np.minimum(np.asarray(cv2.filter2D(middles, -1, ring.astype(np.float32))), 0.4)


def _densities(section: Section, synapses: FloatArray, z: int) -> Plane:
    """Dark material on the membrane at synapses, (Y, X)."""
    shape = (section.edge.shape[0], section.edge.shape[1])
    dark = np.zeros(shape, dtype=np.float32)
    for depth, row, column in synapses:
        near = 1 - ((z - depth) / 5) ** 2
        if near <= 0:
            continue
        reach = float(16 * np.sqrt(near) + 1)
        box = _box(np.array([row, column]), (reach, reach), shape)
        if box is None:
            continue
        y, x = np.mgrid[box].astype(np.float32)
        away = ((y - np.float32(row)) ** 2 + (x - np.float32(column)) ** 2) / np.float32(reach**2)
        dark[box] += np.exp(-(away**3)) * np.exp(-((section.edge[box] / 5) ** 2))
    return np.float32(0.26) * np.minimum(dark, 1)


def _microscope(rng: np.random.Generator, grey: Plane) -> npt.NDArray[np.uint8]:
    """A section as it is imaged: stain, focus, dirt, noise, 8 bits, (Y, X)."""
    shape = (grey.shape[0], grey.shape[1])
    if rng.random() < 0.12:
        spot = rng.uniform((0, 0), shape, (1, 2))
        dirt = optics.stamp_discs(spot, np.array([rng.uniform(3, 8)]), shape)
        grey = grey - optics.blur(dirt.astype(np.float32), 1.2) * np.float32(0.45)
    seen = optics.blur(grey, rng.uniform(0.65, 1.0))
    middle = np.float32(0.58)
    seen = middle + (seen - middle) * np.float32(rng.uniform(0.85, 1.15))
    seen += np.float32(rng.normal(0, 0.025))
    seen += np.float32(0.018) * optics.smooth_noise(rng, shape, 90)
    noise = rng.standard_normal(shape).astype(np.float32)
    noise = np.float32(0.6) * noise + np.float32(0.9) * optics.blur(noise, 0.7)
    counts = 232 * (seen + np.float32(rng.uniform(0.036, 0.055)) * noise)
    return np.asarray(np.clip(np.rint(counts), 0, 255), np.uint8)


def _turned(y: Plane, x: Plane, angle: float) -> tuple[Plane, Plane]:
    """Offsets along and across a direction, radians from the x axis."""
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return x * cosine + y * sine, y * cosine - x * sine


def _both(first: Plane, second: Plane) -> Plane:
    """Depth inside both of two shapes, their corners rounded."""
    apart = np.clip(1 - np.abs(first - second) / 8, 0, None)
    return np.asarray(np.minimum(first, second) - 2 * apart * apart, np.float32)


def _extent(angle: float, stretch: float, across: float) -> tuple[float, float]:
    """How far a tilted ellipse reaches in rows and columns."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return (
        float(across * np.hypot(stretch * sine, cosine)),
        float(across * np.hypot(stretch * cosine, sine)),
    )


def _box(
    middle: FloatArray, reach: tuple[float, float], shape: tuple[int, int]
) -> tuple[slice, slice] | None:
    """The part of the field within reach of a point, borders being bent by up to 20 pixels."""
    spans = []
    for centre, far, end in zip(middle.tolist(), reach, shape, strict=True):
        low, high = max(int(centre - far - 20), 0), min(int(centre + far + 21), end)
        if high <= low:
            return None
        spans.append(slice(low, high))
    return spans[0], spans[1]
