"""Where runs do not agree, looked for plane by plane off the window's thread. No Qt."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from orgseg_app.gui.canvas import difference
from orgseg_app.gui.canvas.difference import Region
from orgseg_app.gui.canvas.rendering import PlanePyramid, auto_levels, compose
from orgseg_app.gui.comparing.pane_data import Plane, PredictionReader, TruthReader, stamp_of
from orgseg_app.gui.comparing.results_data import ResultRow

if TYPE_CHECKING:
    from orgseg_app.core.project import ProjectImage
    from orgseg_app.files.project_file import ProjectFile

SLAB_BYTES = 8 << 20
"""So much of a prediction is read at a time."""

Stop = Callable[[], bool]


Key = tuple[str, int | None, tuple[tuple[str, int, int], ...]]


@dataclass(frozen=True, eq=False)
class Question:
    """What is looked for on an image.

    Attributes
    ----------
    image_id : str
    rows : tuple of ResultRow
        Of two and more runs: where they do not all say the same. Of one: where it is wrong.
    class_id : int or None
        The class in question; None for all but background.
    """

    image_id: str
    rows: tuple[ResultRow, ...]
    class_id: int | None

    def key(self) -> Key:
        """What the answer depends on, beside the truth: predictions as they lie on the disk."""
        paths = [row.predictions_path for row in self.rows]
        return self.image_id, self.class_id, tuple((str(p), *stamp_of(p)) for p in paths)


@dataclass(frozen=True)
class ImageFacts:
    """What the list of images shows of one of them.

    Attributes
    ----------
    voxels : int or None
        How many the runs disagree on, or one run has wrong; None where that cannot be known.
    z : int
        The plane with most of them.
    thumbnail : ndarray ``(h, w, 4)`` uint8 blue, green, red, opacity, or None
        That plane, with what is disputed on it.
    """

    voxels: int | None = None
    z: int = 0
    thumbnail: NDArray[np.uint8] | None = None


class Finder:
    """Looks through an image for what runs disagree on.

    Parameters
    ----------
    file, predictions, truth
        Where it is read from.
    stop
        Asked between planes; True ends the search with nothing found.
    """

    def __init__(
        self,
        file: ProjectFile,
        predictions: PredictionReader,
        truth: TruthReader,
        stop: Stop = lambda: False,
    ) -> None:
        self._file, self._predictions, self._truth = file, predictions, truth
        self._stop = stop

    def regions(self, question: Question) -> list[Region]:
        """The largest disputed regions of all planes, the largest first; none when stopped.

        Raises
        ------
        FileError
            When the mask cannot be read.
        """
        found: list[Region] = []
        for z, where in self._disputed(question):
            if self._stop():
                return []
            found += difference.regions(where, z)
        return heapq.nsmallest(
            difference.MOST_REGIONS, found, key=lambda r: (-r.voxels, r.z, r.y0, r.x0)
        )

    def facts(self, question: Question, side: int) -> ImageFacts | None:
        """Count what is disputed and draw it; None when stopped.

        Parameters
        ----------
        side
            Longer side of the thumbnail in pixels.

        Raises
        ------
        FileError
            When image or mask cannot be read.
        """
        total, most, best = 0, -1, 0
        where: NDArray[np.bool_] | None = None
        for z, disputed in self._disputed(question):
            if self._stop():
                return None
            count = int(np.count_nonzero(disputed))
            total += count
            if count > most:
                most, best, where = count, z, disputed
        pixels = self._file.read_plane(question.image_id, best, to_look=True)
        is_rgb = self._file.project.images[question.image_id].is_rgb
        picture = _thumbnail(pixels, where, side, is_rgb=is_rgb)
        return ImageFacts(None if where is None else total, best, picture)

    def _disputed(self, question: Question) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """Every plane on which all of the runs have a prediction, and what is disputed there."""
        image = self._file.project.images[question.image_id]
        several = len(question.rows) > 1
        mask = (
            None if several or not question.rows else self._truth.mask(self._file, image.image_id)
        )
        for z, planes in self._planes(image, question.rows):
            if several:
                yield z, difference.disagreement(planes, question.class_id)
            elif mask is not None:
                judged = difference.difference(mask.plane(z), planes[0], question.class_id)
                yield z, difference.is_wrong(judged)

    def _planes(
        self, image: ProjectImage, rows: Sequence[ResultRow]
    ) -> Iterator[tuple[int, list[Plane]]]:
        depth, height, width = shape = image.mask_shape
        step = max(1, SLAB_BYTES // (height * width))
        for z0 in range(0, depth, step) if rows else ():
            z1 = min(depth, z0 + step)
            read = [self._predictions.planes(row, image.image_id, (z0, z1), shape) for row in rows]
            slabs = [slab for slab in read if not isinstance(slab, str)]
            if len(slabs) < len(rows):
                return
            for number in range(z1 - z0):
                yield z0 + number, [slab[number] for slab in slabs]


def _thumbnail(
    pixels: NDArray[np.generic], where: NDArray[np.bool_] | None, side: int, *, is_rgb: bool
) -> NDArray[np.uint8]:
    """A plane, small, with what is disputed on it: a place is marked where any of it is."""
    height, width = pixels.shape[1:]
    step = max(height, width) / side
    size = max(1, round(height / step)), max(1, round(width / step))
    channels = PlanePyramid(pixels).sample(step / 2, step / 2, step, size)
    shown = compose(channels, auto_levels(pixels, is_rgb=is_rgb), is_rgb=is_rgb)
    if shown.ndim == 2:
        shown = np.asarray(cv2.cvtColor(shown, cv2.COLOR_GRAY2BGRA), np.uint8)
    if where is None or not where.any():
        return np.ascontiguousarray(shown)
    share = cv2.resize(where.astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_AREA)
    # A fine line covers a small share of a pixel, and has to be seen all the same.
    weight = np.clip(np.sqrt(share) * 1.4, 0, 0.95)[..., None]
    number = int(difference.DISAGREES[1:], 16)
    colour = np.array([number & 255, (number >> 8) & 255, number >> 16, 255], np.float32)
    mixed = shown * (1 - weight) + colour * weight
    return np.ascontiguousarray(mixed.round().astype(np.uint8))
