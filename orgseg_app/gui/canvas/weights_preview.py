"""Weights tried out: made of the plane that is looked at while somebody sets them.

The plane comes first; the other painted planes of the image are then looked through for stronger
edges, by which those of this plane are scaled, too. Nothing is stored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from orgseg_app.core.edits.slices import seen_from
from orgseg_app.core.mask import Mask
from orgseg_app.core.weighting.maker import Peaks, WeightMaker, largest
from orgseg_app.core.weighting.settings import WeightSettings
from orgseg_app.gui.background import Task
from orgseg_app.gui.canvas.plane_trying import PlaneTrying
from orgseg_app.gui.session import Session

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

MOST_VOXELS = 1 << 24
"""Of a plane that is worked out anew with each touch of a slider."""
REST_MS, STROKE_MS = 15, 150
"""Waited for more of the same: touches of a slider, and strokes."""
NOT_PAINTED = "Nothing is painted on this image yet. Weights are made from paint."
TOO_LARGE = (
    "This plane is too large to show its weights while they are set. They can be made all the same."
)

Quick = list[NDArray[Any]]


@dataclass(frozen=True)
class Tried:
    """What was made of a plane.

    Attributes
    ----------
    image_id, z
        Of which.
    weights
        ``(Y, X)`` float32.
    ends
        Least and largest of them.
    balance
        What a voxel of each class id counts before edges.
    looked_at, painted
        Planes of the image whose edges are known, and all that have paint.
    """

    image_id: str
    z: int
    weights: NDArray[np.float32]
    ends: tuple[float, float]
    balance: Mapping[int, float]
    looked_at: int
    painted: int


@dataclass
class _Known:
    """What need not be found out again as long as mask and directions are the same."""

    key: tuple[object, ...] = ()
    edges: dict[int, Quick] = field(default_factory=dict)
    peaks: dict[int, Peaks] = field(default_factory=dict)


class WeightsPreview(PlaneTrying):
    """Makes the weights of the plane that is looked at.

    Attributes
    ----------
    settings, with_all
        What is wanted; whether classes are balanced over all painted images.
    """

    rest_ms = REST_MS
    failure = "There is not enough memory to show the weights of this plane."
    tried: Tried | None

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(session, parent)
        self.with_all = False
        self.settings = WeightSettings()
        self._known = _Known()
        self._version = 0
        session.classes_changed.connect(self._follow)

    def set_wanted(self, settings: WeightSettings, *, with_all: bool) -> None:
        """Make it so from now on."""
        if (settings, with_all) != (self.settings, self.with_all):
            self.settings, self.with_all = settings, with_all
            self._follow()

    # -- within ----------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._known = _Known()

    def _on_painted(self, image_id: str, change: object) -> None:
        if self.is_on and (image_id == self._session.image_id or self.with_all):
            self._version += 1
            self._follow(STROKE_MS)

    def _start(self) -> None:
        session, file = self._session, self._session.file
        image = session.image
        if file is None or image is None:
            return
        mask = session.mask()
        if not mask.counts():
            self._give_up(NOT_PAINTED)
        elif int(np.prod(image.shape[2:])) > MOST_VOXELS:
            self._give_up(TOO_LARGE)
        else:
            self.problem = ""
            others = [i for i in file.project.images if i != image.image_id and self.with_all]
            wish = _Wish(
                self._wish,
                self.settings,
                file,
                image.image_id,
                session.z,
                seen_from(mask, range(mask.shape[0])),
                mask.plane(session.z),
                Counter(mask.counts()),
                others,
                self._version,
            )
            self._task = self._background.start(
                "Trying weights", lambda task: self._work(task, wish), None, self._on_failed
            )

    def _work(self, task: Task, wish: _Wish) -> None:
        """In the other thread: this plane, then stronger edges elsewhere."""
        if task.is_cancelled:
            return
        voxels = Counter(wish.voxels)
        for image_id in wish.others:
            voxels.update(wish.file.counts(image_id))
        maker = WeightMaker(wish.settings, wish.file.project.class_ids, voxels)
        known = self._known_for(wish, maker)
        if wish.z not in known.edges:
            known.edges = {wish.z: maker.edges(wish.plane, np.float32)}
            known.peaks[wish.z] = _peaks_of(known.edges[wish.z])
        self._tell(wish, maker, known)
        painted = wish.mask.planes() if maker.directions else []
        for number, z in enumerate(painted):
            if task.is_cancelled:
                return
            if z not in known.peaks:
                known.peaks[z] = _peaks_of(maker.edges(wish.mask.plane(z), np.float32))
            if number + 1 == len(painted) and len(painted) > 1:
                self._tell(wish, maker, known)

    def _known_for(self, wish: _Wish, maker: WeightMaker) -> _Known:
        asked = wish.settings
        key = (
            wish.image_id,
            wish.version,
            maker.directions,
            *(asked.reach, asked.spread, asked.decay, asked.threshold),
        )
        if self._known.key != key:
            self._known = _Known(key)
        return self._known

    def _tell(self, wish: _Wish, maker: WeightMaker, known: _Known) -> None:
        """Make the plane, as strong as the edges known so far say."""
        peaks: Peaks = (0.0,) * len(maker.directions)
        for one in known.peaks.values():
            peaks = largest(peaks, one)
        weights = maker.weights(wish.plane, peaks, known.edges[wish.z])
        ends = float(weights.min()), float(weights.max())
        painted = len(wish.mask.planes())
        looked_at = len(known.peaks) if maker.directions else painted
        tried = Tried(wish.image_id, wish.z, weights, ends, dict(maker.balance), looked_at, painted)
        self._made.emit(wish.number, tried)


@dataclass(frozen=True)
class _Wish:
    """What is wanted at one moment; all the other thread looks at."""

    number: int
    settings: WeightSettings
    file: ProjectFile
    image_id: str
    z: int
    mask: Mask
    plane: NDArray[np.uint8]
    voxels: Counter[int]
    others: list[str]
    version: int


def _peaks_of(edges: Quick) -> Peaks:
    return tuple(float(felt.max()) for felt in edges)
