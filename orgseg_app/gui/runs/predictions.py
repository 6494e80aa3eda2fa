"""Which models have predicted an image, and their predictions plane by plane.

A model's prediction of an image lies in the file of a job that predicted the image, in that of a
scoring, or in that of the training itself. All is read off the window's thread, and of a volume
only the planes that are looked at.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.instances.grouping import GroupingParameters
from orgseg_app.gui.canvas.layers import PREDICTION_FORMS
from orgseg_app.gui.canvas.object_colours import object_values
from orgseg_app.gui.canvas.plane_reading import PlaneReader

if TYPE_CHECKING:
    from orgseg_app.files.predictions import PredictedImage
    from orgseg_app.gui.runs.run_entry import RunEntry
    from orgseg_app.gui.runs.runs_model import RunsModel
    from orgseg_app.gui.session import Session

MASK, PROBABILITY, OBJECTS = PREDICTION_FORMS

Plane = NDArray[np.uint8]


@dataclass(frozen=True)
class PredictedBy:
    """A model that has predicted an image.

    Attributes
    ----------
    run_id, name
        Of the training or ensemble.
    colour_index
        Of its colour; see `run_colours`.
    path, stamp
        The file that holds the prediction, and when it was written.
    class_ids
        Classes whose probabilities were kept.
    has_maps, grouping
        Whether objects can be made anew of what was kept, and how they were made.
    """

    run_id: str
    name: str
    colour_index: int
    path: Path
    stamp: int
    class_ids: tuple[int, ...] = ()
    has_maps: bool = False
    grouping: GroupingParameters | None = None


@dataclass(frozen=True)
class _Held:
    """A predictions file and what is in it."""

    path: Path
    stamp: int
    images: dict[str, PredictedImage]


class Predictions(QObject):
    """Predictions of the open project's models, by image.

    Signals
    -------
    changed()
        Other models have predicted something, or a plane that was asked for has been read.
    """

    changed = Signal()

    def __init__(self, session: Session, runs: RunsModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._runs = session, runs
        self._reader = PlaneReader(self)
        self._reader.arrived.connect(self.changed)
        self._held: dict[str, list[_Held]] = {}
        self._known: dict[Path, _Held] = {}  # in the reader's thread only
        self._asked = 0
        self.is_known = False
        runs.runs_changed.connect(self.refresh)
        runs.run_ended.connect(self.refresh)
        session.closing.connect(self._forget)
        self.refresh()

    # -- which there are -------------------------------------------------------------------------

    def refresh(self) -> None:
        """Look again which models have predicted what."""
        made, jobs = self._runs.compared_runs(), self._runs.all()
        asked = {entry.run_id: _files_of(entry, jobs) for entry in made}
        if not any(asked.values()):
            self._take(self._asked, {})
            return
        self._asked += 1
        number = self._asked
        self._reader.background.start(
            "Looking for predictions",
            lambda task: self._look(asked) if number == self._asked else None,
            lambda held: self._take(number, held),
            self._session.report_error,
        )

    def runs_for(self, image_id: str) -> list[PredictedBy]:
        """Models that have predicted an image: the best on validation images first."""
        project = self._session.project
        if project is None or image_id not in project.images:
            return []
        shape = project.images[image_id].mask_shape
        found = []
        for entry in sorted(self._runs.compared_runs(), key=_rank):
            for held in self._held.get(entry.run_id, ()):
                image = held.images.get(image_id)
                if image is not None and tuple(image.shape) == tuple(shape):
                    facts = entry.run_id, entry.name, entry.colour_index
                    kept = image.class_ids, image.has_maps, image.grouping
                    found.append(PredictedBy(*facts, held.path, held.stamp, *kept))
                    break
        return found

    def predicted_by(self, run_id: str, image_id: str) -> PredictedBy | None:
        """The model with this id, where it has predicted the image."""
        return next((by for by in self.runs_for(image_id) if by.run_id == run_id), None)

    def models(self) -> list[RunEntry]:
        """Runs whose model can predict, the best on validation images first."""
        return [entry for entry in sorted(self._runs.model_runs(), key=_rank) if entry.has_model]

    def is_predicting(self, image_id: str) -> bool:
        """Whether a model is about to predict the image, or does."""
        asked = [job.run.request.get("image_ids") for job in self._runs.active()]
        return any(isinstance(ids, list) and image_id in ids for ids in asked)

    def may_keep_probabilities(self, image_id: str) -> bool:
        """Whether probabilities of the image are kept when it is predicted."""
        from orgseg_app.files.predictions import keeps_probabilities

        project = self._session.project
        if project is None or image_id not in project.images:
            return False
        return keeps_probabilities(project.images[image_id].mask_shape, len(project.classes))

    def _look(self, asked: dict[str, list[Path]]) -> dict[str, list[_Held]]:
        """In the background: what the files hold; those that did not change are not read again."""
        return {
            run_id: [held for path in paths if (held := self._look_into(path)) is not None]
            for run_id, paths in asked.items()
        }

    def _look_into(self, path: Path) -> _Held | None:
        from orgseg_app.files.errors import FileError
        from orgseg_app.files.predictions import predictions_in

        try:
            stamp = path.stat().st_mtime_ns
        except OSError:
            return None
        known = self._known.get(path)
        if known is None or known.stamp != stamp:
            try:
                images = predictions_in(path)
            except FileError:  # Compare says so; here it is as if there were none
                images = {}
            known = self._known[path] = _Held(path, stamp, images)
        return known

    def _take(self, number: int, held: dict[str, list[_Held]] | None) -> None:
        if number == self._asked and held is not None:
            self._held, self.is_known = held, True
            self.changed.emit()

    def _forget(self) -> None:
        self._asked += 1
        self._reader.finish()
        self._held, self.is_known = {}, False
        self._known.clear()

    # -- planes ----------------------------------------------------------------------------------

    def plane(
        self, by: PredictedBy, image_id: str, z: int, form: str = MASK, class_id: int = 0
    ) -> Plane | Exception | None:
        """One plane of a prediction; None while it is read, then `changed` follows.

        Parameters
        ----------
        form
            `MASK` for class ids; `PROBABILITY` of ``class_id``, 0…255; `OBJECTS` for the values
            that `object_colours` has colours for.

        Returns
        -------
        ``(Y, X)`` uint8, or the error that reading it ended with.
        """
        wanted = class_id if form == PROBABILITY else None
        project = self._session.project
        shape = project.images[image_id].mask_shape[1:] if project else ()
        key: Hashable = (by.path, by.stamp, image_id, z, form, wanted)

        def read() -> Plane:
            from orgseg_app.files.errors import ProjectError
            from orgseg_app.files.predictions import read_predicted_plane

            plane = read_predicted_plane(by.path, image_id, z, wanted)
            if plane.shape != shape:
                raise ProjectError(
                    f"The prediction of “{by.name}” has another size than the image. Predict the "
                    "image again."
                )
            return object_values(numbered(plane)) if form == OBJECTS else plane

        found: Plane | Exception | None = self._reader.get(key, read)
        return found


def numbered(mask: Plane) -> NDArray[np.int32]:
    """Number the connected regions of a plane's classes other than background, from 1.

    Parameters
    ----------
    mask
        ``(Y, X)`` class ids. As for the tools, voxels that touch by a corner only are not
        connected; nor are voxels of different classes.

    Examples
    --------
    >>> numbered(np.array([[2, 1, 3, 3], [2, 1, 1, 2]], np.uint8)).tolist()
    [[1, 0, 2, 2], [1, 0, 0, 3]]
    """
    numbers = np.zeros(mask.shape, np.int32)
    before = 0
    counts = cv2.calcHist([mask], [0], None, [256], [0, 256])  # NumPy's would hold the window up
    for class_id in np.flatnonzero(counts):
        if class_id > BACKGROUND:
            chosen = mask == class_id
            found, regions = cv2.connectedComponents(
                chosen.view(np.uint8), connectivity=4, ltype=cv2.CV_32S
            )
            regions += before
            np.copyto(numbers, regions, where=chosen)
            before += found - 1
    return numbers


def _files_of(entry: RunEntry, jobs: Iterable[RunEntry]) -> list[Path]:
    """Where a model's predictions may lie: whole images that were asked for, newest first, before
    scorings, of which only painted planes were predicted, and the training's own.
    """
    predicted, scored = [], []
    for job in jobs:
        request = job.run.request
        if job.state != "finished":
            continue
        if job.kind == "score" and request.get("scored_run") == entry.run_id:
            scored.append(job)
        elif job.kind == "predict" and _is_of(request.get("models"), entry):
            predicted.append(job)
    newest = [sorted(found, key=lambda job: -job.created) for found in (predicted, scored)]
    return [job.run.predictions_path for found in newest for job in found] + [
        entry.run.predictions_path
    ]


def _is_of(models: object, entry: RunEntry) -> bool:
    """Whether a job predicted with this model alone; the folder of the runs may have moved."""
    if not isinstance(models, Sequence) or isinstance(models, str) or len(models) != 1:
        return False
    here = entry.run.best_path
    return PurePath(str(models[0])).parts[-2:] == (here.parent.name, here.name)


def _rank(entry: RunEntry) -> tuple[float, float]:
    return -(entry.best_iou or 0.0), -entry.created
