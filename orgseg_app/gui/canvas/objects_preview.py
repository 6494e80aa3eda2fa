"""Objects tried out: made of what is in sight while somebody sets how, then of the whole plane.

Nothing is stored before the person takes them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Signal

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.edits.grouped_objects import PutObjects
from orgseg_app.core.edits.slices import seen_from
from orgseg_app.core.instances.centres import parted
from orgseg_app.core.instances.flooding import Check, go_on
from orgseg_app.core.instances.grouping import GroupingParameters
from orgseg_app.core.instances.making import MapsGrouping, MaskGrouping
from orgseg_app.core.mask import Mask
from orgseg_app.core.objects import Numbers
from orgseg_app.core.stopping import StoppedError
from orgseg_app.gui.background import Task
from orgseg_app.gui.canvas.object_colours import object_values
from orgseg_app.gui.canvas.plane_trying import PlaneTrying

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
    from orgseg_app.gui.canvas.prediction_layer import Chosen
    from orgseg_app.gui.runs.predictions import PredictedBy

OF_MASK, OF_PREDICTION = "mask", "prediction"
REST_MS, STROKE_MS = 10, 200
FIRST_SIDES = (768, 544, 384, 272)
"""Voxels along a side of what is made first, the middle of what is in sight: the first that takes
no longer than it may."""
FIRST_S = 0.06
MARGIN = 48
MOST_VOXELS = 1 << 22
"""Of what is made anew with each touch of a slider; of a larger plane only what is in sight."""
MOST_OF_ALL = 1 << 27
"""Of a volume whose objects are made through all planes."""

Values = NDArray[np.uint8]
Part = tuple[int, int, int, int]
"""First row and column, and those behind the last."""
Read = Callable[[int, Part], tuple[Values, Values | None, Values]]
_MOST_KEPT = 2
"""Parts of a plane whose steps are kept for the next touch: what is made first, and the whole."""


@dataclass(frozen=True)
class Wanted:
    """How objects are to be made.

    Attributes
    ----------
    source
        `OF_MASK` or `OF_PREDICTION`.
    parameters
        As of `grouping.group`.
    class_id
        Only of this class of the mask; 0 for all.
    """

    source: str = OF_MASK
    parameters: GroupingParameters = field(default_factory=GroupingParameters)
    class_id: int = 0


@dataclass(frozen=True, eq=False)  # of two attempts none is the other, whatever is in them
class Tried:
    """Objects of a plane that nobody has taken yet.

    Attributes
    ----------
    values, corner_yx
        ``(h, w)`` as `object_values`, and where they lie.
    count
        Objects of what was made.
    is_whole
        Whether all of the plane was made.
    """

    image_id: str
    z: int
    values: Values
    corner_yx: tuple[int, int]
    count: int
    is_whole: bool


class PlacedOverlay:
    """Values ``(h, w)`` somewhere on a plane, as an overlay; 0 around them."""

    def __init__(self, tried: Tried) -> None:
        self._values, self._corner = tried.values, tried.corner_yx

    def sample(
        self, z: int, rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> NDArray[np.uint8]:
        """Values at the crossings; ``z`` is ignored."""
        out = np.zeros((len(rows), len(columns)), np.uint8)
        down, right = rows - self._corner[0], columns - self._corner[1]
        height, width = self._values.shape
        there = np.ix_((down >= 0) & (down < height), (right >= 0) & (right < width))
        inside = np.ix_(down[there[0].ravel()], right[there[1].ravel()])
        out[there] = self._values[inside]
        return out


class ObjectsPreview(PlaneTrying):
    """Makes objects of the plane that is looked at.

    Attributes
    ----------
    wanted
        How.
    """

    _timed = Signal(float)  # from the other thread: seconds that what is made first took

    rest_ms = REST_MS
    failure = "There is not enough memory to show these objects."
    tried: Tried | None

    def __init__(self, canvas: AnnotationCanvas, chosen: Chosen) -> None:
        super().__init__(canvas.session, canvas)
        self._canvas, self._chosen = canvas, chosen
        self.wanted = Wanted()
        self._known: dict[tuple[Any, ...], tuple[Values, Values | None, Values]] = {}
        self._kept: dict[tuple[Any, ...], _Made] = {}
        self._side = 0
        self._timed.connect(self._on_timed)
        chosen.predictions.changed.connect(self._on_predictions)
        self._canvas.view_changed.connect(lambda _: self._on_moved())

    def by(self) -> PredictedBy | None:
        """The model whose prediction objects can be made of."""
        return self._chosen.by(self._session.image_id)

    def set_wanted(self, wanted: Wanted) -> None:
        """Make them so from now on."""
        if wanted != self.wanted:
            self.wanted = wanted
            self._follow()

    # -- within ----------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._side = 0
        self._timer.start(REST_MS)

    def _forget(self) -> None:
        self._known.clear()
        self._kept = {}  # another one: who is still at work fills the old one

    def _on_painted(self, image_id: str, _: object) -> None:
        if image_id == self._session.image_id:
            self._kept = {}
            self._follow(STROKE_MS)

    def _on_moved(self) -> None:
        """Other parts of a plane that is not made as a whole are in sight."""
        if self.is_on and self.tried is not None and not self.tried.is_whole:
            self._follow(STROKE_MS)

    def _on_predictions(self) -> None:
        if self.is_on and self.wanted.source == OF_PREDICTION and self.tried is None:
            self._follow()

    def _start(self) -> None:
        session, image = self._session, self._session.image
        if image is None or session.file is None:
            return
        _, _, height, width = image.shape
        read = self._reader()
        if read is None:
            self._give_up("No model has predicted this image yet.")
            return
        self.problem = ""
        wish, z, wanted = self._wish, session.z, self.wanted
        image_id, views = session.image_id, self._views(height, width)
        before = self.tried
        size = image.pixel_size_um
        flat = None if size is None else size[1:]
        kept, stamp = self._kept, self._stamp()

        def make(box: Part, check: Check) -> tuple[Numbers, bool]:
            key = (stamp, wanted.source, image_id, z, box)
            made, is_new = kept.get(key), key not in kept
            if made is None:
                while len(kept) >= _MOST_KEPT:
                    kept.pop(next(iter(kept)))
                made = kept[key] = _Made(wanted.source, *read(z, box), flat)
            return made.objects(wanted, check)[0], is_new

        def work(task: Task) -> None:
            def check() -> None:
                if task.is_cancelled:
                    raise StoppedError

            for box in views:
                started = time.perf_counter()
                try:
                    check()
                    found, is_new = make(box, check)
                    check()
                except StoppedError:
                    return
                values, corner = _values(found), (box[0], box[1])
                if box is not views[-1] and not is_new:
                    self._timed.emit(time.perf_counter() - started)
                is_whole = box == (0, 0, height, width)
                if not is_whole and before is not None and before.is_whole:
                    pasted = before.values.copy()  # what is around it does not flicker
                    pasted[box[0] : box[2], box[1] : box[3]] = values
                    values, corner = pasted, (0, 0)
                count = int(found.max(initial=0))
                self._made.emit(wish, Tried(image_id, z, values, corner, count, is_whole))

        self._task = self._background.start("Trying objects", work, None, self._on_failed)

    def _views(self, height: int, width: int) -> list[Part]:
        """What to make one after the other: the middle of what is in sight, then everything."""
        canvas = self._canvas
        top, left = canvas.to_image(QPointF(0, 0))
        bottom, right = canvas.to_image(QPointF(canvas.width(), canvas.height()))
        view = canvas.view_state()
        half = FIRST_SIDES[self._side] / 2
        first = (
            int(max(0, top - MARGIN, view.y - half)),
            int(max(0, left - MARGIN, view.x - half)),
            int(min(height, bottom + MARGIN, view.y + half)),
            int(min(width, right + MARGIN, view.x + half)),
        )
        whole = (0, 0, height, width)
        if height * width > MOST_VOXELS:
            side = int(MOST_VOXELS**0.5) // 2
            whole = (
                max(0, int(max(top - MARGIN, view.y - side))),
                max(0, int(max(left - MARGIN, view.x - side))),
                min(height, int(min(bottom + MARGIN, view.y + side))),
                min(width, int(min(right + MARGIN, view.x + side))),
            )
        if first == whole or first[0] >= first[2] or first[1] >= first[3]:
            return [whole]
        return [first, whole]

    def _on_timed(self, seconds: float) -> None:
        """What is made first took so long, with all that is kept: next time less of it."""
        if seconds > FIRST_S and self._side < len(FIRST_SIDES) - 1:
            self._side += 1

    def _stamp(self) -> tuple[Any, ...]:
        """What a prediction is known by."""
        by = self.by() if self.wanted.source == OF_PREDICTION else None
        return () if by is None else (by.path, by.stamp)

    def _reader(self) -> Read | None:
        """Reads a plane of the source in another thread; what was read last is kept."""
        session = self._session
        if self.wanted.source == OF_MASK:
            mask = session.mask()
            seen = seen_from(mask, range(mask.shape[0]))
            return lambda z, box: _of_mask(seen, z, box)
        by = self.by()
        if by is None:
            return None
        path, image_id, known = by.path, session.image_id, self._known

        def read(z: int, box: Part) -> tuple[Values, Values | None, Values]:
            key = (path, by.stamp, image_id, z)
            if key not in known:
                while len(known) >= 2:
                    known.pop(next(iter(known)))
                known[key] = _of_prediction(by, image_id, z)
            part = np.s_[box[0] : box[2], box[1] : box[3]]
            foreground, seeds, predicted = known[key]
            return foreground[part], None if seeds is None else seeds[..., *part], predicted[part]

        return read

    # -- taking them -----------------------------------------------------------------------------

    def maker(self, *, in_3d: bool, keeps_painted: bool) -> Callable[[Task], PutObjects] | None:
        """What works the edit out in another thread; None where there is nothing to make it of.

        Parameters
        ----------
        in_3d
            Through all planes; otherwise of the plane that is looked at.
        keeps_painted
            Only over what is unlabelled; of the mask itself all of it is made anew.
        """
        session, image, read = self._session, self._session.image, self._reader()
        if image is None or read is None:
            return None
        depth, wanted, size = image.shape[1], self.wanted, image.pixel_size_um
        planes = range(depth) if in_3d else range(session.z, session.z + 1)
        of_mask = wanted.source == OF_MASK
        ids = tuple(c.class_id for c in session.classes if c.class_id > BACKGROUND)
        replaced = ((wanted.class_id,) if wanted.class_id else ids) if of_mask else None

        def work(_: Task) -> PutObjects:
            whole = (0, 0, image.shape[2], image.shape[3])
            parts = [read(z, whole) for z in planes]
            classes, predicted = (np.stack([part[n] for part in parts]) for n in (0, 2))
            seeds = None
            if all(part[1] is not None for part in parts):
                seeds = np.stack([part[1] for part in parts if part[1] is not None], axis=-3)
            if len(parts) == 1:
                one = None if seeds is None else seeds[..., 0, :, :]
                flat = None if size is None else size[1:]
                made = _Made(wanted.source, classes[0], one, predicted[0], flat, keeps=False)
                numbers, of = made.objects(wanted)
                numbers, of = numbers[np.newaxis], of[np.newaxis]
            else:
                made = _Made(wanted.source, classes, seeds, predicted, size, keeps=False)
                numbers, of = made.objects(wanted)
            keeps = keeps_painted and not of_mask
            return PutObjects(planes[0], numbers, of, keeps, replaced)

        return work


class _Made:
    """Objects of a part, with one setting after another.

    Parameters
    ----------
    source
        `OF_MASK` or `OF_PREDICTION`.
    foreground, seeds, predicted
        As of `MapsGrouping`; of a mask, the last one are its classes.
    """

    def __init__(
        self,
        source: str,
        foreground: Values,
        seeds: Values | None,
        predicted: Values,
        voxel_size: tuple[float, ...] | None,
        *,
        keeps: bool = True,
    ) -> None:
        self._made: MaskGrouping | MapsGrouping
        if source == OF_PREDICTION:
            self._made = MapsGrouping(foreground, seeds, predicted, voxel_size, keeps=keeps)
        else:
            self._made = MaskGrouping(predicted, voxel_size, keeps=keeps)

    def objects(self, wanted: Wanted, check: Check = go_on) -> tuple[Numbers, Values]:
        """Objects, and their classes."""
        if isinstance(self._made, MapsGrouping):
            return self._made.objects(wanted.parameters, check)
        class_ids = (wanted.class_id,) if wanted.class_id else None
        return self._made.objects(wanted.parameters, class_ids, check)


def _values(numbers: Numbers) -> Values:
    """As `object_values`, of few numbers and many voxels."""
    table = object_values(np.arange(int(numbers.max(initial=0)) + 1, dtype=np.uint32))
    return table[numbers]


def _of_mask(mask: Mask, z: int, box: Part) -> tuple[Values, Values | None, Values]:
    plane = mask.read(z, *box)
    return plane, None, plane


def _of_prediction(by: PredictedBy, image_id: str, z: int) -> tuple[Values, Values | None, Values]:
    """Foreground, seeds (None where the model has learnt none) and classes of a prediction."""
    from orgseg_app.files.predictions import read_predicted_maps, read_predicted_plane

    predicted = read_predicted_plane(by.path, image_id, z)
    if by.has_maps:
        return *parted(read_predicted_maps(by.path, image_id, z)), predicted
    likely = np.zeros(predicted.shape, np.uint16)
    for class_id in by.class_ids:
        if class_id > BACKGROUND:
            likely += read_predicted_plane(by.path, image_id, z, class_id)
    if not likely.any():  # only the mask was kept
        likely[predicted > BACKGROUND] = 255
    return np.minimum(likely, 255).astype(np.uint8), None, predicted
