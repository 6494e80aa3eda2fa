"""Sections across the planes of a volume: read in small parts, as sharp as the screen needs them.

A section lies across every plane, and every plane is stored in blocks of its own: to show one row
of 2048 voxels through 128 planes takes a thousand blocks. So it is read in tiles, off the window's
thread, a coarse version first; what is small on the screen is taken from stored levels and from
every second, fourth, … plane; and with each section those next to it are kept, which come for
nothing out of the same blocks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from orgseg_app.gui.canvas.rendering import crossings, voxels_under
from orgseg_app.gui.canvas.tile_cache import LOST, TileCache, tile_side
from orgseg_app.gui.canvas.tile_loading import NoPartsError

if TYPE_CHECKING:
    from orgseg_app.core.project import ProjectImage
    from orgseg_app.files.project_file import ProjectFile

XZ, YZ = "xz", "yz"
"""The two sections, by the axes that are seen."""

SLAB = 16
"""Neighbouring sections that are read at once."""

PLANES = 32
"""Planes of a tile."""

YIELD_S = 0.0003
"""The reader rests so long after each plane: otherwise Python lets the window wait for its turn."""

COARSE_PLANES = 64
"""The coarse version that comes first takes about so many planes."""


class SectionKey(NamedTuple):
    """Which part of which sections.

    Attributes
    ----------
    kind
        `XZ` or `YZ`.
    level, stride
        Of which stored level (0: the voxels themselves), and of every how manieth plane.
    slab, row, column
        Which sections, planes, and voxels along the section, counted in tiles.
    """

    image_id: str
    kind: str
    level: int
    stride: int
    slab: int
    row: int
    column: int


class SectionRequest(NamedTuple):
    """A tile that is wanted: where it lies, half open, in voxels of its level and sampled planes.

    Attributes
    ----------
    planes, across, along
        Sampled planes; the sections themselves (y of an XZ section); what is seen (its x).
    """

    key: SectionKey
    planes: tuple[int, int]
    across: tuple[int, int]
    along: tuple[int, int]


class SectionPicture:
    """One section, as a `rendering.Picture`: rows are z for XZ, columns are z for YZ.

    Parameters
    ----------
    kind
        `XZ` or `YZ`.
    position
        The y of an XZ section, the x of a YZ section, in voxels.
    sizes_yx
        Height and width of the planes, then of their stored levels.
    stretch
        How much longer a voxel is in z than along the section.
    want
        Asks for tiles, the most wanted first; they are to be put into the cache.
    drop
        What was asked for is not in sight any more; what still is will be asked for again.

    Attributes
    ----------
    coarse
        Level and stride of the version that comes first.
    former
        The section shown before, which stands in until anything of this one is there.
    """

    def __init__(
        self,
        image: ProjectImage,
        kind: str,
        position: int,
        sizes_yx: Sequence[tuple[int, int]],
        stretch: float,
        cache: TileCache,
        want: Callable[[Sequence[SectionRequest]], None] = lambda requests: None,
        drop: Callable[[], None] = lambda: None,
    ) -> None:
        self.image, self.kind, self.position = image, kind, position
        self.former: int | None = None
        self.has_voxels = True
        self._stretch = stretch
        self._sizes = [size if kind == XZ else (size[1], size[0]) for size in sizes_yx]
        self._cache, self._want, self._drop = cache, want, drop
        self._depth = image.shape[1]
        self._dtype = np.dtype(image.dtype)
        self.coarse = len(sizes_yx) - 1, _stride(self._depth / COARSE_PLANES)

    @property
    def size_yx(self) -> tuple[int, int]:
        """Height and width in voxels."""
        size = self._depth, self._sizes[0][1]
        return size if self.kind == XZ else (size[1], size[0])

    def view_moved(self) -> None:
        """What was in sight may not be any more."""
        self._drop()

    def sample(
        self, y0: float, x0: float, step: float, size_yx: tuple[int, int]
    ) -> list[NDArray[Any]]:
        """The section on a grid of screen pixels; see `rendering.PlanePyramid.sample`.

        Parameters
        ----------
        step
            Voxels a screen pixel along the section; in z, they are fewer by the stretch.
        """
        if self.kind == YZ:
            return [np.ascontiguousarray(c.T) for c in self._sample(x0, y0, step, size_yx[::-1])]
        return self._sample(y0, x0, step, size_yx)

    def _sample(
        self, z0: float, a0: float, step: float, size: tuple[int, ...]
    ) -> list[NDArray[Any]]:
        """With z down and the other axis to the right."""
        step_z = step / self._stretch
        last = len(self._sizes) - 1
        level = min(last, max(0 if self.has_voxels else 1, int(math.log2(max(step, 1.0)))))
        stride = _stride(step_z)
        planes = voxels_under(z0, step_z, size[0], self._depth) // stride
        scale = self._sizes[level][1] / self._sizes[0][1]
        along = voxels_under(a0 * scale, step * scale, size[1], self._sizes[level][1])
        first, start = int(planes[0]), int(along[0])
        margin = 0 if step <= 1 and level == 0 else 2
        start = max(0, start - margin)
        stop = min(self._sizes[level][1], int(along[-1]) + 1 + margin)
        part = self._part(level, stride, (first, int(planes[-1]) + 1), (start, stop))
        if not margin:
            return [crossings(c, planes - first, along - start) for c in part]
        lines = _resampled(part, a0 * scale - start, step * scale, size[1])
        return [c.take(planes - first, axis=0) for c in lines]

    # -- tiles -----------------------------------------------------------------------------------

    def _part(
        self, level: int, stride: int, planes: tuple[int, int], along: tuple[int, int]
    ) -> NDArray[Any]:
        """Sampled planes and voxels of a level, ``(C, planes, along)``, blurred where missing."""
        shape = self.image.shape[0], planes[1] - planes[0], along[1] - along[0]
        out = np.empty(shape, self._dtype)
        missing = []
        for request in self._under(self.position, level, stride, planes, along):
            place = _overlap(request, planes, along)
            if not self._copy(request, self.position, place, planes, along, out):
                missing.append(request)
                self._stand_in(level, stride, place, planes, along, out)
        if missing:
            level, stride = self.coarse
            whole = (0, -(-self._depth // stride)), (0, self._sizes[level][1])
            coarse = list(self._under(self.position, level, stride, *whole))
            wanted = [r for r in (*coarse, *missing) if r.key not in self._cache]
            self._want(wanted)
        return out

    def _copy(
        self,
        request: SectionRequest,
        position: int,
        place: tuple[int, int, int, int],
        planes: tuple[int, int],
        along: tuple[int, int],
        out: NDArray[Any],
    ) -> bool:
        """Fill part of what is in sight from a tile; False when it is not there."""
        tile = self._cache.get(request.key)
        if tile is None or tile is LOST:
            return False
        section = tile[self._across(position, request.key.level) - request.across[0]]
        z0, z1, a0, a1 = place
        out[:, z0 - planes[0] : z1 - planes[0], a0 - along[0] : a1 - along[0]] = section[
            :,
            z0 - request.planes[0] : z1 - request.planes[0],
            a0 - request.along[0] : a1 - request.along[0],
        ]
        return True

    def _stand_in(
        self,
        level: int,
        stride: int,
        place: tuple[int, int, int, int],
        planes: tuple[int, int],
        along: tuple[int, int],
        out: NDArray[Any],
    ) -> None:
        """Fill part of what is in sight from whatever is in memory, the nearest to it first."""
        z0, z1, a0, a1 = place
        into = out[:, z0 - planes[0] : z1 - planes[0], a0 - along[0] : a1 - along[0]]
        others = [(k, stride) for k in range(level + 1, len(self._sizes))]
        others += [(k, self.coarse[1]) for k in range(level, len(self._sizes))]
        tries = [(self.position, *other) for other in others if other != (level, stride)]
        if self.former is not None:
            tries += [(self.former, level, stride), (self.former, *self.coarse)]
        for position, other_level, other_stride in tries:
            if other_stride >= stride and self._blur(
                position, (other_level, other_stride), (level, stride), place, into
            ):
                return
        into[...] = 0

    def _blur(
        self,
        position: int,
        source: tuple[int, int],
        target: tuple[int, int],
        place: tuple[int, int, int, int],
        into: NDArray[Any],
    ) -> bool:
        """Fill a part from another level and stride when all of it is in memory."""
        z0, z1, a0, a1 = place
        size = self._sizes[source[0]][1]
        scale = size / self._sizes[target[0]][1]
        rows = np.arange(z0, z1) * target[1] // source[1]
        planes = int(rows[0]), int(rows[-1]) + 1
        along = max(0, math.floor(a0 * scale) - 1), min(size, math.ceil(a1 * scale) + 1)
        whole = np.empty((into.shape[0], planes[1] - planes[0], along[1] - along[0]), self._dtype)
        for request in self._under(position, *source, planes, along):
            there = _overlap(request, planes, along)
            if not self._copy(request, position, there, planes, along, whole):
                return False
        lines = _resampled(whole, (a0 + 0.5) * scale - along[0], scale, a1 - a0)
        for channel, line in enumerate(lines):
            into[channel] = line.take(rows - planes[0], axis=0)
        return True

    def _across(self, position: int, level: int) -> int:
        """The section at a position, in voxels of a level."""
        size = self._sizes[level][0]
        return min(size - 1, int((position + 0.5) * size / self._sizes[0][0]))

    def _under(
        self,
        position: int,
        level: int,
        stride: int,
        planes: tuple[int, int],
        along: tuple[int, int],
    ) -> Iterator[SectionRequest]:
        """The tiles under a part of a section."""
        across, size = self._sizes[level]
        count = -(-self._depth // stride)
        slab = slab_at(self._across(position, level), across)
        wide = tile_side(size)
        for row in range(planes[0] // PLANES, -(-planes[1] // PLANES)):
            for column in range(along[0] // wide, -(-along[1] // wide)):
                yield SectionRequest(
                    SectionKey(self.image.image_id, self.kind, level, stride, slab[0], row, column),
                    (row * PLANES, min(row * PLANES + PLANES, count)),
                    slab,
                    (column * wide, min(column * wide + wide, size)),
                )


def slab_at(position: int, size: int) -> tuple[int, int]:
    """The sections that are read with one: of the same stored blocks, which are cut evenly.

    >>> slab_at(100, 2048), slab_at(255, 2048), slab_at(249, 500)
    ((96, 112), (240, 256), (240, 250))
    """
    side = tile_side(size) // 2
    first = position // side * side
    start = first + (position - first) // SLAB * SLAB
    return start, min(start + SLAB, first + side, size)


def read_section(
    file: ProjectFile, image: ProjectImage, request: SectionRequest
) -> NDArray[Any] | None:
    """A tile of sections ``(sections, C, planes, along)``, plane by plane; None when it cannot be.

    Raises
    ------
    NoPartsError
        When all of a plane would have to be read for it.
    FileError
        When the file is missing, has changed or is damaged.
    """
    key = request.key
    (c0, c1), (a0, a1) = request.across, request.along
    box = (c0, a0, c1, a1) if key.kind == XZ else (a0, c0, a1, c1)
    shape = c1 - c0, image.shape[0], request.planes[1] - request.planes[0], a1 - a0
    out = np.empty(shape, image.dtype)
    for row, number in enumerate(range(*request.planes)):
        z = min(number * key.stride + key.stride // 2, image.shape[1] - 1)
        if key.level:
            part = file.read_level(key.image_id, key.level, z, *box)
            if part is None:
                return None
        else:
            part = file.read_part(key.image_id, z, *box)
            if part is None:
                raise NoPartsError
        time.sleep(YIELD_S)
        out[:, :, row] = part.swapaxes(0, 1) if key.kind == XZ else np.moveaxis(part, 2, 0)
    return out


class PlaneSamples(Protocol):
    """A mask, or what looks at one: see `Mask.sample_planes`."""

    def sample_planes(
        self, planes: Sequence[int], rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> NDArray[np.uint8]:
        """Values at the same crossings of several planes, ``(planes, rows, columns)``."""


class SectionMask:
    """A mask in a section, as a `rendering.Overlay`.

    Parameters
    ----------
    kind, position
        As of `SectionPicture`.
    """

    def __init__(self, mask: PlaneSamples, kind: str, position: int) -> None:
        self._mask, self._kind = mask, kind
        self._here = np.array([position], np.intp)

    def sample(
        self, z: int, rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> NDArray[np.uint8]:
        """Values at the crossings of sorted rows and columns; ``z`` is one of these axes here."""
        if self._kind == YZ:
            lines = self._mask.sample_planes(_distinct(columns), rows, self._here)[:, :, 0]
            return np.ascontiguousarray(lines[_repeats(columns)].T)
        return self._mask.sample_planes(_distinct(rows), self._here, columns)[_repeats(rows), 0]


def _distinct(planes: NDArray[np.intp]) -> list[int]:
    """Sorted planes, each once."""
    return [int(p) for p in planes[np.flatnonzero(np.diff(planes, prepend=-1))]]


def _repeats(planes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Which of the distinct planes each of some sorted ones is."""
    return np.cumsum(np.diff(planes, prepend=planes[0]) != 0)


def _stride(planes_a_pixel: float) -> int:
    """Of how many planes one is enough: a power of two."""
    return int(2 ** int(math.log2(max(planes_a_pixel, 1.0))))


def _overlap(
    request: SectionRequest, planes: tuple[int, int], along: tuple[int, int]
) -> tuple[int, int, int, int]:
    """What a tile covers of a part: first and last plane and voxel, half open."""
    return (
        max(request.planes[0], planes[0]),
        min(request.planes[1], planes[1]),
        max(request.along[0], along[0]),
        min(request.along[1], along[1]),
    )


def _resampled(part: NDArray[Any], first: float, step: float, count: int) -> list[NDArray[Any]]:
    """Channels ``(C, planes, along)`` on another grid along the section; planes stay.

    Parameters
    ----------
    first, step
        Where the middle of the first new voxel lies, and the way to the next.
    """
    matrix = np.array([[step, 0, first - 0.5], [0, 1, 0]], np.float64)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (count, part.shape[1])
    return [
        np.asarray(
            cv2.warpAffine(
                np.ascontiguousarray(c), matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE
            )
        )
        for c in part
    ]
