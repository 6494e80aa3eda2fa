"""What the comparison panes show, read off the window's thread. No Qt."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.mask import Mask
from orgseg_app.gui.canvas.difference import difference
from orgseg_app.gui.canvas.rendering import PlanePyramid, auto_levels
from orgseg_app.gui.comparing.results_data import ResultRow

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

CACHED_BYTES = 128 << 20
"""Of planes of predictions, so that going back and forth reads nothing again."""
LETTERS = "ABCDEF"
MOST_RUNS = len(LETTERS)
"""So many runs are shown beside one another."""

SMALL_LEVELS = 4

Plane = NDArray[np.uint8]
_Key = tuple[str, str, int, tuple[int, int]]


@dataclass(frozen=True)
class PaneRequest:
    """What is to be read for the panes.

    Attributes
    ----------
    image_id : str
    z : int or None
        None for the plane in the middle of those that are painted.
    rows : tuple of ResultRow or None
        The runs, one a pane; None where none is chosen.
    class_id : int or None
        The class judged; None for all but background.
    """

    image_id: str
    z: int | None
    rows: tuple[ResultRow | None, ...]
    class_id: int | None


@dataclass(frozen=True)
class PaneData:
    """What the panes show: one plane of one image.

    Attributes
    ----------
    image_id : str
    z : int
    pixels : ndarray ``(C, Y, X)``
    is_rgb : bool
    truth : ndarray ``(Y, X)`` uint8 class ids
    predictions : list, one a run
        ``(Y, X)`` uint8 class ids, or a sentence why there is none, or None for no run.
    class_id : int or None
        The class judged; None for all but background.
    judged : list, one a run
        ``(Y, X)`` uint8 as of `difference`, None where there is no prediction.
    picture : PlanePyramid
        The pixels at any zoom, for all panes.
    levels : list of (float, float)
        Contrast limits of each channel.
    """

    image_id: str
    z: int
    pixels: NDArray[np.generic]
    is_rgb: bool
    truth: Plane
    predictions: list[Plane | str | None]
    class_id: int | None
    judged: list[Plane | None]
    picture: PlanePyramid
    levels: list[tuple[float, float]] = field(default_factory=list)


class PredictionReader:
    """Reads planes of predictions and keeps the last ones; for any threads.

    Parameters
    ----------
    most_bytes
        How much is kept beyond what was read last.
    """

    def __init__(self, most_bytes: int = CACHED_BYTES) -> None:
        self._most = most_bytes
        self._kept: dict[_Key, Plane] = {}
        self._lock = threading.Lock()

    def plane(
        self, row: ResultRow, image_id: str, z: int, shape: tuple[int, int, int]
    ) -> Plane | str:
        """Plane `z` of a run's prediction, or a sentence why there is none.

        Parameters
        ----------
        shape
            ``(depth, height, width)`` of the image.
        """
        found = self.planes(row, image_id, (z, z + 1), shape)
        return found if isinstance(found, str) else found[0]

    def planes(
        self, row: ResultRow, image_id: str, zs: tuple[int, int], shape: tuple[int, int, int]
    ) -> Sequence[Plane] | str:
        """Planes ``zs[0]`` to ``zs[1] - 1``, or a sentence why there are none."""
        from orgseg_app.files.errors import FileError
        from orgseg_app.files.predictions import read_predicted_planes

        path = row.predictions_path
        stamp = stamp_of(path)
        if stamp == GONE:
            return f"“{row.name}” kept no predictions. Score it to see them."
        keys: list[_Key] = [(str(path), image_id, z, stamp) for z in range(*zs)]
        with self._lock:
            kept = [self._kept.get(key) for key in keys]
        known = [plane for plane in kept if plane is not None]
        if len(known) < len(keys):
            try:
                known = list(read_predicted_planes(path, image_id, *zs))
            except FileError as error:
                if image_id in row.images:
                    return str(error)
                return f"“{row.name}” has not predicted this image. Score it to see how it does."
        if any(plane.shape != shape[1:] for plane in known):
            return f"The prediction of “{row.name}” has another size than the image."
        self._keep(dict(zip(keys, known, strict=True)))
        return known

    def _keep(self, found: dict[_Key, Plane]) -> None:
        with self._lock:
            for key, plane in found.items():
                self._kept.pop(key, None)  # it becomes the newest
                self._kept[key] = plane
            total = sum(plane.nbytes for plane in self._kept.values())
            while total > self._most and len(self._kept) > len(found):
                total -= self._kept.pop(next(iter(self._kept))).nbytes

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()


class TruthReader:
    """Reads masks as they are painted, and keeps the last one: a volume's is read once."""

    def __init__(self) -> None:
        self._kept: dict[str, Mask] = {}
        self._lock = threading.Lock()

    def mask(self, file: ProjectFile, image_id: str) -> Mask:
        """The mask of an image. Raises `ProjectError` when it cannot be read."""
        with self._lock:
            kept = self._kept.get(image_id)
        if kept is not None:
            return kept
        mask = file.load_mask(image_id)
        with self._lock:
            self._kept = {image_id: mask}
        return mask

    def forget(self) -> None:
        """It was painted, or another project is open."""
        with self._lock:
            self._kept = {}


GONE = (0, 0)


def stamp_of(path: Path) -> tuple[int, int]:
    """Time and size of a file, which tell whether it was written anew; `GONE` without one."""
    try:
        facts = path.stat()
    except OSError:
        return GONE
    return facts.st_mtime_ns, facts.st_size


def read_panes(
    file: ProjectFile,
    request: PaneRequest,
    predictions: PredictionReader,
    truth: TruthReader,
    *,
    before: PaneData | None = None,
) -> PaneData:
    """Everything that one plane takes to be painted, but for painting it.

    Parameters
    ----------
    before
        What is shown now: pixels of the same plane are not read again.

    Raises
    ------
    FileError
        When image or mask cannot be read; predictions that cannot be are sentences.
    """
    image = file.project.images[request.image_id]
    mask = truth.mask(file, image.image_id)
    z = first_plane(mask) if request.z is None else request.z
    shape = image.mask_shape
    read = [
        None if row is None else predictions.plane(row, image.image_id, z, shape)
        for row in request.rows
    ]
    painted = mask.plane(z)
    judged = _judged(painted, read, request.class_id)
    if before is not None and (before.image_id, before.z) == (image.image_id, z):
        pixels, picture, levels = before.pixels, before.picture, before.levels
    else:
        pixels = file.read_plane(image.image_id, z, to_look=True)
        picture, levels = PlanePyramid(pixels), list(auto_levels(pixels, is_rgb=image.is_rgb))
        picture.level(SMALL_LEVELS)  # made here, off the window's thread
    return PaneData(
        image.image_id,
        z,
        pixels,
        image.is_rgb,
        painted,
        read,
        request.class_id,
        judged,
        picture,
        levels,
    )


def first_plane(mask: Mask) -> int:
    """The plane to begin with: in the middle of the painted ones."""
    planes = mask.planes()
    return planes[len(planes) // 2] if planes else 0


def _judged(
    truth: Plane, predictions: Sequence[Plane | str | None], class_id: int | None
) -> list[Plane | None]:
    return [
        difference(truth, values, class_id) if isinstance(values, np.ndarray) else None
        for values in predictions
    ]
