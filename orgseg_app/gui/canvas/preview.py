"""A plane as the network will see it: prepared off the window's thread, in place of the image.

Planes of up to `MOST_WHOLE` values are prepared as a whole, as training does. Of larger ones the
steps look at a sample of the voxels, and then only the tiles in sight are prepared. The image
itself is never changed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QTimer, Signal

from orgseg_app.core.contrast import auto_levels
from orgseg_app.core.fitted_steps import FittedSteps, PlaneCounts
from orgseg_app.core.preprocess import Step, apply_steps
from orgseg_app.gui.background import Background, Task
from orgseg_app.gui.canvas.rendering import Picture, PlanePyramid
from orgseg_app.gui.canvas.tile_cache import TileCache, TileRequest
from orgseg_app.gui.canvas.tile_loading import NoPartsError, TileLoader
from orgseg_app.gui.canvas.tiles import TiledPyramid

if TYPE_CHECKING:
    from orgseg_app.gui.session import Session
    from orgseg_app.gui.viewing.overview import Overview

MOST_WHOLE = 1 << 24
"""Values of a plane, all channels together."""

SAMPLE = 1 << 22
"""Voxels of a channel that the steps look at where the plane is larger than that."""

KEPT_BYTES = 256 << 20
TILES_BYTES = 128 << 20
STRIP_BYTES = 16 << 20
SHOW_PROGRESS_MS = 150


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
class _Place:
    """What is looked at: an image, a plane and, of large ones, its stored levels."""

    image_id: str
    z: int
    overview: Overview | None = None


class PlanePreview(QObject):
    """Prepares the plane that is looked at with the steps of a recipe, the newest wish first.

    Parameters
    ----------
    session
        Whose images they are.

    Attributes
    ----------
    is_on
        Whether anything is to be prepared.
    steps
        Of the recipe, in order.
    prepared
        The plane looked at, once it is ready.
    progress
        How much of it is done, 0…1; None when nothing is under way or it takes no time.
    problem
        Why it cannot be prepared; "".

    Signals
    -------
    switched(bool)
    changed()
        Any of the attributes.
    tile_arrived(TileRequest)
        Part of the picture is there.
    tile_failed(TileRequest, error)
    """

    switched = Signal(bool)
    changed = Signal()
    tile_arrived = Signal(object)
    tile_failed = Signal(object, object)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.is_on = False
        self.steps: tuple[Step, ...] = ()
        self.prepared: Prepared | None = None
        self.progress: float | None = None
        self.problem = ""
        self._place = _Place("", 0)
        self._kept: OrderedDict[tuple[str, int, str], Prepared] = OrderedDict()
        self._background = Background(self)
        self._task: Task | None = None
        self._task_key: tuple[str, int, str] | None = None
        self._step = 1
        self._wanted: tuple[str, int, str] | None = None
        self._done = 0.0
        self._progress_timer = QTimer(self, singleShot=True, interval=SHOW_PROGRESS_MS)
        self._progress_timer.timeout.connect(self._show_progress)
        self._tiles = TileCache(TILES_BYTES)
        self._loader = TileLoader(self._tiles, self)
        self._loader.arrived.connect(self.tile_arrived)
        self._loader.failed.connect(self.tile_failed)
        session.closing.connect(self.finish)

    # -- asked from outside ----------------------------------------------------------------------

    def set_on(self, on: bool) -> None:
        """Prepare what is looked at, or show the image as it is."""
        if on != self.is_on:
            self.is_on = on
            self._follow()
            self.switched.emit(on)

    def flip(self) -> None:
        """On becomes off, off on."""
        self.set_on(not self.is_on)

    def set_steps(self, steps: Sequence[Step]) -> None:
        """Prepare with these from now on."""
        if tuple(steps) != self.steps:
            self.steps = tuple(steps)
            self._follow()

    def look_at(self, image_id: str, z: int, overview: Overview | None = None) -> None:
        """Another plane is looked at, or more of it is there; "" for none."""
        place = _Place(image_id, z, overview)
        if (image_id, z) != (self._place.image_id, self._place.z):
            self.prepared = None
            self._step = -1 if image_id == self._place.image_id and z < self._place.z else 1
        self._place = place
        if self.is_on:
            self._follow()

    def view_moved(self) -> None:
        """What was in sight may not be any more."""
        self._loader.drop()

    def try_again(self) -> None:
        """What could not be read may be there again."""
        if self.problem:
            self._wanted = None
            self._follow()

    def finish(self) -> None:
        """The project is closed: nothing of it is read any more."""
        self._stop()
        self._loader.finish()
        self._background.finish()
        self._kept.clear()
        self._tiles.clear()
        self._wanted, self.prepared, self._place = None, None, _Place("", 0)
        self.set_on(False)

    @property
    def is_idle(self) -> bool:
        """True when nothing is prepared or waits."""
        return self._task is None and self._loader.is_idle

    # -- within ----------------------------------------------------------------------------------

    def _key(self, place: _Place) -> tuple[str, int, str]:
        words = [f"{step.name}{sorted(step.params.items())}" for step in self.steps]
        return place.image_id, place.z, " ".join(words)

    def _follow(self) -> None:
        """Show what is wanted if it is there, else prepare it; what is under way otherwise ends."""
        key = self._key(self._place)
        if not self.is_on or not self._place.image_id:
            self._stop()
            self._wanted, self.problem = None, ""
            self._take(None)
        elif key in self._kept:
            self._stop()
            self._wanted, self.problem = key, ""
            self._kept.move_to_end(key)
            self._take(self._kept[key])
            self._look_ahead()
        elif key != self._wanted:
            if key != self._task_key:  # it may be the plane that was prepared ahead
                self._stop()
                self._start(self._place)
            self._wanted, self.problem = key, ""
            self._progress_timer.start()
            self.changed.emit()

    def _stop(self) -> None:
        self._progress_timer.stop()
        self.progress = None
        if self._task is not None:
            self._task.cancel()
            self._task = self._task_key = None

    def _take(self, prepared: Prepared | None) -> None:
        self.prepared = prepared
        self._loader.read_with(prepared.read if prepared else None)
        picture = prepared.picture if prepared else None
        if isinstance(picture, TiledPyramid):
            loaded = self._session.loaded_plane(self._place.image_id, self._place.z) is not None
            picture.has_voxels = picture.has_voxels or loaded
        self.changed.emit()

    def _look_ahead(self) -> None:
        """Prepare the plane that is likely to be looked at next."""
        place, image = self._place, self._session.image
        z = place.z + self._step
        if image is not None and image.image_id == place.image_id and 0 <= z < image.shape[1]:
            ahead = _Place(place.image_id, z, place.overview and place.overview.at(z))
            is_small = np.prod(image.shape, dtype=np.int64) // image.shape[1] <= MOST_WHOLE
            if is_small and self._key(ahead) not in self._kept:
                self._start(ahead)

    def _start(self, place: _Place) -> None:
        key = self._key(place)
        maker = _Maker(self._session, place, self.steps, self._tiles, self._loader.want, key)
        self._done = 0.0
        task = self._background.start(
            "Preparing a preview",
            maker.make,
            lambda prepared: self._on_made(key, prepared),
            lambda error: self._on_failed(key, error),
        )
        task.progressed.connect(lambda done, total, _: self._on_progressed(task, done, total))
        self._task, self._task_key = task, key

    def _on_progressed(self, task: Task, done: int, total: int) -> None:
        if task is self._task:
            self._done = done / max(1, total)
            if self.progress is not None:
                self._show_progress()

    def _show_progress(self) -> None:
        self.progress = self._done
        self.changed.emit()

    def _on_made(self, key: tuple[str, int, str], prepared: Prepared | None) -> None:
        if prepared is None or self._session.file is None:
            return
        if key == self._task_key:
            self._task = self._task_key = None
        self._kept[key] = prepared
        while len(self._kept) > 1 and sum(p.size_bytes for p in self._kept.values()) > KEPT_BYTES:
            self._kept.popitem(last=False)
        if key == self._wanted:
            self._stop()
            self._take(prepared)
            self._look_ahead()

    def _on_failed(self, key: tuple[str, int, str], error: Exception) -> None:
        if key == self._task_key:
            self._task = self._task_key = None
        if key != self._wanted:
            return
        self._stop()
        self.problem = _sentence(error)
        self._take(None)
        self._session.message.emit(self.problem, "error")


class _StoppedError(Exception):
    """Something else is wanted."""


class _Maker:
    """Prepares one plane, in another thread."""

    def __init__(
        self,
        session: Session,
        place: _Place,
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
        out = np.empty(plane.shape, np.float32)
        total = len(plane) * max(1, len(self._steps)) + 1
        done = 1
        for channel in range(len(plane)):  # each on its own, as `apply_steps` does: to stop between
            values: NDArray[Any] = plane[channel : channel + 1]
            for step in self._steps or (None,):
                self._go_on(task, done, total)
                values = apply_steps(values, [step] if step else [])
                done += 1
            out[channel] = values[0]
        return Prepared(PlanePyramid(out), self._levels(out), size_bytes=out.nbytes * 4 // 3)

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
            part = self._part(*box)
            if part is None:
                raise NoPartsError
            return fitted.of(part, box[0], box[1], stored.sizes_yx[0])

        if every and counts and len(self._steps) == 1:
            how = ""
        elif every:
            start = "The second step" if counts else "The first step"
            how = f"{start} on looked at one voxel in {every**2}; training looks at all of them."
        else:
            how = "The steps looked at a smaller copy of the plane; training looks at all of it."
        size = fitted.size_bytes
        size += 0 if picture.coarsest is None else picture.coarsest.nbytes * 4 // 3
        return Prepared(picture, self._levels(shown), read, how, size)

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
        part = self._overview.read(level, y0, x0, y1, x1)
        return None if part is None else self._fitted.of(part, y0, x0, self.sizes_yx[level])


def _sentence(error: Exception) -> str:
    """What went wrong, what is safe, what to do."""
    from orgseg_app.files.errors import FileError

    if isinstance(error, FileError):
        return str(error)
    why = "there is not enough memory" if isinstance(error, MemoryError) else str(error).rstrip(".")
    return (
        f"The preprocessing cannot be previewed: {why or type(error).__name__}. Image and mask are "
        "as they were; change the steps, or switch the preview off."
    )
