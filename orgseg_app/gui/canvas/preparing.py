"""Prepares a plane with the steps of a recipe, off the window's thread: whole, or tile by tile.

Planes of up to `MOST_WHOLE` values are prepared as a whole, as training does; where that takes a
while, a smaller copy is shown meanwhile. Of larger ones the steps look at a sample of the voxels,
and then only the tiles in sight are prepared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.contrast import auto_levels
from orgseg_app.core.preprocessing.fitted import (
    SQUARES,
    FittedSteps,
    PlaneCounts,
    looks_around,
    prepare_channel,
)
from orgseg_app.core.preprocessing.steps import PREPROCESSING, Step, of_channels
from orgseg_app.gui.background import Task
from orgseg_app.gui.canvas.rendering import Picture, PlanePyramid
from orgseg_app.gui.canvas.tile_cache import TileCache, TileRequest
from orgseg_app.gui.canvas.tile_loading import NoPartsError
from orgseg_app.gui.canvas.tiles import TiledPyramid

if TYPE_CHECKING:
    from orgseg_app.gui.session import Session
    from orgseg_app.gui.viewing.overview import Overview

MOST_WHOLE = 1 << 24
"""Values of a plane, all channels together."""

SAMPLE = 1 << 22
"""Voxels of a channel that the steps look at where the plane is larger than that."""

FIRST_LOOK = 1 << 18
"""Voxels of the smaller copy shown until a plane is ready, if that has twice the side or more."""

STRIP_BYTES = 16 << 20


@dataclass(frozen=True)
class Prepared:
    """A plane as the network sees it.

    Attributes
    ----------
    picture, levels
        What is shown, and between which values of each channel.
    read
        Reads a tile of the picture; None where all of it is in memory.
    how
        How it differs from what training does, in a sentence; "" where it does not.
    size_bytes
        What it takes in memory.
    """

    picture: Picture
    levels: tuple[tuple[float, float], ...]
    read: Callable[[TileRequest], NDArray[Any] | None] | None = None
    how: str = ""
    size_bytes: int = 0


@dataclass(frozen=True)
class LookedAt:
    """What is looked at: an image, a plane and, of large ones, its stored levels."""

    image_id: str
    z: int
    overview: Overview | None = None


class _StoppedError(Exception):
    """Something else is wanted."""


class Maker:
    """Prepares one plane, in another thread."""

    def __init__(
        self,
        session: Session,
        place: LookedAt,
        steps: Sequence[Step],
        tiles: TileCache,
        want: Callable[[Sequence[TileRequest]], None],
        key: tuple[str, int, str],
    ) -> None:
        assert session.file is not None
        self._session, self._file = session, session.file
        self._image = session.file.project.images[place.image_id]
        self._id, self._z, self._overview = place.image_id, place.z, place.overview
        self._steps, self._tiles, self._want = tuple(steps), tiles, want
        self._tile_id = f"{self._id} {key[2]}"
        self.glimpsed: Callable[[Prepared], None] = lambda glimpse: None

    def make(self, task: Task) -> Prepared | None:
        """The prepared plane; None when something else is wanted meanwhile."""
        channels, _, height, width = self._image.shape
        try:
            if self._overview is None or channels * height * width <= MOST_WHOLE:
                return self._whole(task)
            return self._sampled(task, self._overview)
        except _StoppedError:
            return None

    def _go_on(self, task: Task, done: int, total: int) -> None:
        if not task.report(done, total):
            raise _StoppedError

    def _loaded(self) -> NDArray[Any] | None:
        return self._session.loaded_plane(self._id, self._z)

    def _levels(self, sample: NDArray[Any]) -> tuple[tuple[float, float], ...]:
        """Automatic contrast; the colours of a picture stay as they are to one another."""
        levels = auto_levels(sample)
        if self._image.is_rgb:
            both = min(low for low, _ in levels), max(high for _, high in levels)
            return (both,) * len(levels)
        return levels

    def _whole(self, task: Task) -> Prepared:
        self._go_on(task, 0, 1)
        plane = self._loaded()
        if plane is None:
            plane = self._file.read_plane(self._id, self._z, to_look=True)
        if np.prod(plane.shape[1:]) > 4 * FIRST_LOOK and any(
            PREPROCESSING[step.name].is_local for step in self._steps
        ):
            self.glimpsed(self._glimpse(plane))
        references = [of_channels(step.reference, len(plane)) for step in self._steps]
        out = np.empty(plane.shape, np.float32)
        for c, channel in enumerate(plane):

            def report(share: float, before: int = c) -> None:
                self._go_on(task, round(100 * (before + share) / len(plane)), 100)

            own = [reference[c] for reference in references]
            out[c] = prepare_channel(channel, self._steps, own, report)
        size = out.nbytes * 4 // 3
        return Prepared(PlanePyramid(out), self._levels(out), how=self._unlearnt(), size_bytes=size)

    def _glimpse(self, plane: NDArray[Any]) -> Prepared:
        """A smaller copy, prepared and blown up again."""
        import cv2

        height, width = plane.shape[1:]
        shrink = (height * width / FIRST_LOOK) ** 0.5
        size = max(1, round(width / shrink)), max(1, round(height / shrink))
        small = np.stack([cv2.resize(c, size, interpolation=cv2.INTER_AREA) for c in plane])
        done = FittedSteps(small, self._steps, whole_yx=(height, width)).of(small, 0, 0, size[::-1])
        large = np.stack([cv2.resize(c, (width, height)) for c in done])
        how = "A smaller copy, until the plane itself is prepared."
        return Prepared(PlanePyramid(large), self._levels(done), how=how)

    def _unlearnt(self) -> str:
        """What is missing before a training has started, in a sentence; ""."""
        for step in self._steps:
            if PREPROCESSING[step.name].reference is not None and not step.reference:
                title = PREPROCESSING[step.name].title
                return f'"{title}" changes nothing yet: it is learnt when a training starts.'
        return ""

    # -- planes that are not prepared as a whole -------------------------------------------------

    def _sampled(self, task: Task, overview: Overview) -> Prepared:
        channels, _, height, width = self._image.shape
        counts = None
        if PlaneCounts.can(np.dtype(self._image.dtype), self._steps):
            shape = channels, height, width
            counts = PlaneCounts(shape, np.dtype(self._image.dtype), self._steps[0])
        sample, every = self._sample(task, overview, counts)
        fitted = FittedSteps(
            sample,
            self._steps,
            whole_yx=(height, width),
            first=counts.first() if counts and every else (),
            check=lambda: self._go_on(task, 99, 100),
            read=self._part if every else None,
        )
        self._go_on(task, 99, 100)
        shown = fitted.of(sample, 0, 0, (sample.shape[1], sample.shape[2]))
        stored = _PreparedLevels(overview, fitted)
        picture = TiledPyramid(self._tile_id, self._z, stored, self._tiles, self._want)
        picture.has_voxels = every > 0

        def read(request: TileRequest) -> NDArray[Any] | None:
            (_, _, level, _, _), *box = request
            if level:
                return stored.read(level, *box)
            found = fitted.box(self._part, (box[0], box[1], box[2], box[3]), stored.sizes_yx[0])
            if found is None:
                raise NoPartsError
            return found

        how = self._how(every, 1 if counts else 0)
        size = fitted.size_bytes
        size += 0 if picture.coarsest is None else picture.coarsest.nbytes * 4 // 3
        return Prepared(picture, self._levels(shown), read, how, size)

    def _how(self, every: int, counted: int) -> str:
        """What the steps after those counted looked at, in a sentence; "" where at everything."""
        if self._unlearnt():
            return self._unlearnt()
        if not every:
            return "The steps looked at a smaller copy of the plane; training looks at all of it."
        if not any(PREPROCESSING[step.name].learns for step in self._steps[counted:]):
            return ""
        if looks_around(self._steps):
            places = f"{SQUARES**2} squares of the plane"
            return f"The steps looked at {places}; training looks at all of it."
        start = "The second step" if counted else "The first step"
        return f"{start} on looked at one voxel in {every**2}; training looks at all of them."

    def _part(self, y0: int, x0: int, y1: int, x1: int) -> NDArray[Any] | None:
        loaded = self._loaded()
        if loaded is not None:
            return loaded[:, y0:y1, x0:x1]
        return self._file.read_part(self._id, self._z, y0, x0, y1, x1)

    def _sample(
        self, task: Task, overview: Overview, counts: PlaneCounts | None
    ) -> tuple[NDArray[Any], int]:
        """Every n-th voxel and n; where they cannot be had in parts, a stored level and 0.

        All that are read on the way are counted, too.
        """
        channels, _, height, width = self._image.shape
        every = max(2, round((height * width / SAMPLE) ** 0.5))
        row_bytes = channels * width * np.dtype(self._image.dtype).itemsize
        rows = max(256, STRIP_BYTES // row_bytes // 256 * 256)
        found = []
        for top in range(0, height, rows):
            self._go_on(task, 100 * top // height, 100)
            part = self._part(top, 0, min(top + rows, height), width)
            if part is None:
                break
            if counts is not None:
                counts.add(part, top)
            found.append(part[:, (every // 2 - top) % every :: every, every // 2 :: every].copy())
        else:
            return np.concatenate(found, axis=1), every
        sizes = overview.sizes_yx
        level = next((n for n, (h, w) in enumerate(sizes) if n and h * w <= SAMPLE), len(sizes) - 1)
        small = overview.read(level, 0, 0, *sizes[level])
        if small is None:
            raise OSError("its smaller copy cannot be read")
        return small, 0


class _PreparedLevels:
    """The stored levels of a plane, prepared."""

    def __init__(self, overview: Overview, fitted: FittedSteps) -> None:
        self.sizes_yx = overview.sizes_yx
        self._overview, self._fitted = overview, fitted

    def read(self, level: int, y0: int, x0: int, y1: int, x1: int) -> NDArray[Any] | None:
        def part(y0: int, x0: int, y1: int, x1: int) -> NDArray[Any] | None:
            return self._overview.read(level, y0, x0, y1, x1)

        return self._fitted.box(part, (y0, x0, y1, x1), self.sizes_yx[level])
