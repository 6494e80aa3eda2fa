"""A plane as the network will see it: prepared off the window's thread, in place of the image.

How a plane is prepared is `preparing`'s matter; here is decided which, when, and what of it is
kept. The image itself is never changed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from orgseg_app.core.preprocessing.steps import Step
from orgseg_app.gui.background import Background, Task
from orgseg_app.gui.canvas import preparing
from orgseg_app.gui.canvas.preparing import LookedAt, Maker, Prepared
from orgseg_app.gui.canvas.tile_cache import TileCache
from orgseg_app.gui.canvas.tile_loading import TileLoader
from orgseg_app.gui.canvas.tiles import TiledPyramid

if TYPE_CHECKING:
    from orgseg_app.gui.session import Session
    from orgseg_app.gui.viewing.overview import Overview

KEPT_BYTES = 256 << 20
TILES_BYTES = 128 << 20
SHOW_PROGRESS_MS = 150


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
    _glimpsed = Signal(object, object)  # from the other thread: key, Prepared

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.is_on = False
        self.steps: tuple[Step, ...] = ()
        self.prepared: Prepared | None = None
        self.progress: float | None = None
        self.problem = ""
        self._place = LookedAt("", 0)
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
        self._glimpsed.connect(self._on_glimpsed)
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
        place = LookedAt(image_id, z, overview)
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
        self._wanted, self.prepared, self._place = None, None, LookedAt("", 0)
        self.set_on(False)

    @property
    def is_idle(self) -> bool:
        """True when nothing is prepared or waits."""
        return self._task is None and self._loader.is_idle

    # -- within ----------------------------------------------------------------------------------

    def _key(self, place: LookedAt) -> tuple[str, int, str]:
        words = [
            f"{step.name}{sorted(step.params.items())}{hash(tuple(step.reference))}"
            for step in self.steps
        ]
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
            ahead = LookedAt(place.image_id, z, place.overview and place.overview.at(z))
            is_small = (
                np.prod(image.shape, dtype=np.int64) // image.shape[1] <= preparing.MOST_WHOLE
            )
            if is_small and self._key(ahead) not in self._kept:
                self._start(ahead)

    def _start(self, place: LookedAt) -> None:
        key = self._key(place)
        maker = Maker(self._session, place, self.steps, self._tiles, self._loader.want, key)
        maker.glimpsed = lambda glimpse: self._glimpsed.emit(key, glimpse)
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

    def _on_glimpsed(self, key: tuple[str, int, str], glimpse: Prepared) -> None:
        if key == self._wanted and key == self._task_key and key not in self._kept:
            self._take(glimpse)

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
