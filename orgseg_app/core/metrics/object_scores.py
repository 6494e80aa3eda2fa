"""How well the objects of each class are kept apart and found, plane after plane.

Objects of the truth are those that were painted; structures without a number, and predicted masks,
are taken apart into connected components: of each plane by itself, and of the volume. Only painted
voxels are looked at. Components of the prediction end where the paint does, as those of the truth
do: what a gap in the paint cuts is cut in both.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.metrics.clusters import NOTHING, OBJECT_SCORES, Grouping, grouping
from orgseg_app.core.metrics.contingency import Contingency, ContingencyCounter, contingency
from orgseg_app.core.metrics.instances import INSTANCE_SCORES, Matching, matching
from orgseg_app.core.metrics.numbered import Numbered

Numbers = NDArray[np.uint32]
_MISSED_APART = True
"""What a model missed of many small objects is no wrong merger of them; see `grouping`."""


@dataclass(frozen=True)
class ObjectAgreement:
    """Scores of the objects of one class; two of them add up to that of both images.

    Attributes
    ----------
    planes
        Sum and number of the planes' own scores, by name (`clusters.OBJECT_SCORES`). A plane on
        which a score does not exist is not counted.
    volume
        What objects in space are scored by; None where no two neighbouring planes are painted.
    matched
        Objects matched one by one, each plane by itself, all planes together; None where a job of
        an older OrgSeg did not look.
    matched_volume
        Those in space, as `volume`.
    """

    planes: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    volume: Grouping | None = None
    matched: Matching | None = field(default_factory=Matching)
    matched_volume: Matching | None = None

    def __add__(self, other: ObjectAgreement) -> ObjectAgreement:
        planes = dict(self.planes)
        for name, (total, count) in other.planes.items():
            before = planes.get(name, (0.0, 0))
            planes[name] = before[0] + total, before[1] + count
        volume, matched_volume = self.volume or other.volume, None
        if self.volume is not None and other.volume is not None:
            volume = self.volume + other.volume
        matched = None
        if self.matched is not None and other.matched is not None:
            matched = self.matched + other.matched
            matched_volume = self.matched_volume or other.matched_volume
            if self.matched_volume is not None and other.matched_volume is not None:
                matched_volume = self.matched_volume + other.matched_volume
        return ObjectAgreement(planes, volume, matched, matched_volume)

    def plane_scores(self) -> dict[str, float | None]:
        """Of groups, means over planes; of objects one by one, of all planes; by name."""
        sums = {name: self.planes.get(name, (0.0, 0)) for name in OBJECT_SCORES}
        means = {name: total / count if count else None for name, (total, count) in sums.items()}
        return means | _scores(self.matched)

    def volume_scores(self) -> dict[str, float | None]:
        """Of objects in space, by name; None where there are none."""
        found: dict[str, float | None] = dict.fromkeys(OBJECT_SCORES)
        if self.volume is not None:
            found = self.volume.scores()
        return found | _scores(self.matched_volume)

    def to_dict(self) -> dict[str, Any]:
        """For ``metrics.json``."""
        return {
            "planes": {name: list(both) for name, both in self.planes.items()},
            "volume": self.volume.to_dict() if self.volume else None,
            "matched": self.matched.to_dict() if self.matched else None,
            "matched_volume": self.matched_volume.to_dict() if self.matched_volume else None,
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> ObjectAgreement:
        """As `to_dict` gave it, in this version or before objects were matched.

        Raises
        ------
        AttributeError, KeyError, TypeError, ValueError
            When it is not.
        """
        planes = {
            str(name): (float(total), int(count)) for name, (total, count) in kept["planes"].items()
        }
        if not all(math.isfinite(total) and count >= 0 for total, count in planes.values()):
            raise ValueError("Scores of planes are no numbers.")
        volume, matched = kept["volume"], (kept.get("matched"), kept.get("matched_volume"))
        return cls(
            planes,
            Grouping.from_dict(volume) if volume is not None else None,
            *(Matching.from_dict(found) if found is not None else None for found in matched),
        )


class ObjectScorer:
    """Compares the objects of a volume whose planes come one after the other.

    Parameters
    ----------
    class_ids
        Classes to look at.

    Examples
    --------
    >>> scorer = ObjectScorer([2])
    >>> scorer.add(np.array([[2, 2, 1, 2, 2]], np.uint8), np.array([[2, 2, 2, 2, 2]], np.uint8))
    >>> found = scorer.scores()[2].plane_scores()
    >>> found["voi_split"], found["voi_merge"], found["recall"], found["merged_objects"]
    (0.0, 1.0, 1.0, 1.0)
    """

    def __init__(self, class_ids: Collection[int]) -> None:
        self._classes = {class_id: _Class() for class_id in class_ids}
        self._is_deep = False
        self._was_painted = False

    def add(
        self,
        truth: NDArray[np.uint8],
        prediction: NDArray[np.uint8],
        *,
        true_objects: Numbers | None = None,
        predicted_objects: Numbers | None = None,
    ) -> None:
        """Compare the next plane.

        Parameters
        ----------
        truth, prediction
            ``(Y, X)`` class ids; where the truth is 0, nothing is compared.
        true_objects
            ``(Y, X)`` numbers of what was painted as objects. Of the rest of a class, each
            component is one more object; but what touches a painted one belongs to nobody knows
            which, and is not compared.
        predicted_objects
            ``(Y, X)`` numbers, of a model that tells objects apart; without a number a voxel is in
            none. Objects that lie mostly where nothing is painted are left out, see
            `instances.matching`.
        """
        present = np.flatnonzero(np.bincount(truth.ravel(), minlength=256))
        unlabelled = truth == UNLABELLED if UNLABELLED in present else None
        is_painted = present.any()
        self._is_deep |= bool(is_painted and self._was_painted)
        self._was_painted = bool(is_painted)
        for class_id, found in self._classes.items():
            true, seen = truth == class_id, prediction == class_id
            found.add(true, seen, unlabelled, true_objects, predicted_objects)

    def skip(self) -> None:
        """Pass over a plane without paint."""
        self._was_painted = False
        for found in self._classes.values():
            found.skip()

    def scores(self) -> dict[int, ObjectAgreement]:
        """Of each class that truth or prediction have."""
        return {
            class_id: found.agreement(is_deep=self._is_deep)
            for class_id, found in self._classes.items()
            if found.occurs
        }


def object_scores(
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    class_ids: Collection[int],
    *,
    true_objects: Numbers | None = None,
    predicted_objects: Numbers | None = None,
) -> dict[int, ObjectAgreement]:
    """Scores of volumes ``(Z, Y, X)`` that are in memory; as `ObjectScorer`."""
    scorer = ObjectScorer(class_ids)
    for z in range(len(truth)):
        if truth[z].any():
            scorer.add(
                truth[z],
                prediction[z],
                true_objects=None if true_objects is None else true_objects[z],
                predicted_objects=None if predicted_objects is None else predicted_objects[z],
            )
        else:
            scorer.skip()
    return scorer.scores()


class _Class:
    """Objects of one class, true and predicted."""

    def __init__(self) -> None:
        self._true, self._seen = Numbered(), Numbered()
        self._counter = ContingencyCounter()
        self._planes: dict[str, tuple[float, int]] = {}
        self._matched = Matching()
        self.occurs = False

    def add(
        self,
        true: NDArray[np.bool_],
        seen: NDArray[np.bool_],
        unlabelled: NDArray[np.bool_] | None,
        true_objects: Numbers | None,
        predicted_objects: Numbers | None,
    ) -> None:
        if unlabelled is not None and predicted_objects is None:
            seen &= ~unlabelled
        true_labels, unclear = self._true.add(true, true_objects)
        seen_labels = self._seen.add_known(seen, predicted_objects)
        box = _around(true, seen)
        if box is None:
            return
        self.occurs = True
        ignored = [part[box] for part in (unlabelled, unclear) if part is not None]
        table = contingency(
            true_labels[box],
            seen_labels[box],
            ignore=np.logical_or.reduce(ignored) if ignored else None,
            keep_ignored=bool(ignored),
        )
        self._matched += matching(table)
        for name, value in _grouping(table).scores().items():
            if value is not None:
                total, count = self._planes.get(name, (0.0, 0))
                self._planes[name] = total + value, count + 1
        names = self._true.names(table.truth), self._seen.names(table.prediction)
        self._counter.add_table(Contingency(*names, table.voxels))

    def skip(self) -> None:
        self._true.skip()
        self._seen.skip()

    def agreement(self, *, is_deep: bool) -> ObjectAgreement:
        if not is_deep:
            return ObjectAgreement(self._planes, None, self._matched)
        table = self._counter.table()
        table = table.relabelled(self._true.whole(table.truth), self._seen.whole(table.prediction))
        return ObjectAgreement(self._planes, _grouping(table), self._matched, matching(table))


def _grouping(table: Contingency) -> Grouping:
    return grouping(table.where(table.truth > NOTHING), missed_apart=_MISSED_APART)


def _scores(found: Matching | None) -> dict[str, float | None]:
    return dict.fromkeys(INSTANCE_SCORES) if found is None else found.scores()


def _around(true: NDArray[np.bool_], seen: NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """The smallest box around both; None where there is nothing."""
    import cv2

    boxes = [cv2.boundingRect(mask.view(np.uint8)) for mask in (true, seen)]
    boxes = [box for box in boxes if box[2]]
    if not boxes:
        return None
    y0, x0 = min(box[1] for box in boxes), min(box[0] for box in boxes)
    y1, x1 = max(box[1] + box[3] for box in boxes), max(box[0] + box[2] for box in boxes)
    return slice(y0, y1), slice(x0, x1)
