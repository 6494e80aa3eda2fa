"""How well the objects of each class are kept apart, plane after plane.

Objects are connected components: of each plane by itself, and of the volume. Only painted voxels
are looked at, in the prediction too: an object that a gap in the paint cuts is cut in both.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.components import Components
from orgseg_app.core.metrics.clusters import OBJECT_SCORES, Grouping, grouping
from orgseg_app.core.metrics.contingency import Contingency, ContingencyCounter, contingency

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
    """

    planes: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    volume: Grouping | None = None

    def __add__(self, other: ObjectAgreement) -> ObjectAgreement:
        planes = dict(self.planes)
        for name, (total, count) in other.planes.items():
            before = planes.get(name, (0.0, 0))
            planes[name] = before[0] + total, before[1] + count
        if self.volume is None or other.volume is None:
            return ObjectAgreement(planes, self.volume or other.volume)
        return ObjectAgreement(planes, self.volume + other.volume)

    def plane_scores(self) -> dict[str, float | None]:
        """Means over planes, by name."""
        sums = {name: self.planes.get(name, (0.0, 0)) for name in OBJECT_SCORES}
        return {name: total / count if count else None for name, (total, count) in sums.items()}

    def volume_scores(self) -> dict[str, float | None]:
        """Of objects in space, by name; None where there are none."""
        if self.volume is None:
            return dict.fromkeys(OBJECT_SCORES)
        return self.volume.scores()

    def to_dict(self) -> dict[str, Any]:
        """For ``metrics.json``."""
        return {
            "planes": {name: list(both) for name, both in self.planes.items()},
            "volume": self.volume.to_dict() if self.volume else None,
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> ObjectAgreement:
        """As `to_dict` gave it.

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
        volume = kept["volume"]
        return cls(planes, Grouping.from_dict(volume) if volume is not None else None)


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
    >>> found["voi_split"], found["voi_merge"], found["recall"]
    (0.0, 1.0, 1.0)
    """

    def __init__(self, class_ids: Collection[int]) -> None:
        self._classes = {class_id: _Class() for class_id in class_ids}
        self._is_deep = False
        self._was_painted = False

    def add(self, truth: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> None:
        """Compare the next plane.

        Parameters
        ----------
        truth, prediction
            ``(Y, X)`` class ids; where the truth is 0, nothing is compared.
        """
        present = np.flatnonzero(np.bincount(truth.ravel(), minlength=256))
        painted = None if UNLABELLED not in present else truth != UNLABELLED
        is_painted = present.any()
        self._is_deep |= bool(is_painted and self._was_painted)
        self._was_painted = bool(is_painted)
        for class_id, found in self._classes.items():
            true, seen = truth == class_id, prediction == class_id
            if painted is not None:
                seen &= painted
            found.add(true, seen)

    def skip(self) -> None:
        """Pass over a plane without paint."""
        self._was_painted = False
        for found in self._classes.values():
            found.skip()

    def scores(self) -> dict[int, ObjectAgreement]:
        """Of each class that the truth has."""
        return {
            class_id: found.agreement(is_deep=self._is_deep)
            for class_id, found in self._classes.items()
            if found.occurs
        }


def object_scores(
    truth: NDArray[np.uint8], prediction: NDArray[np.uint8], class_ids: Collection[int]
) -> dict[int, ObjectAgreement]:
    """Scores of volumes ``(Z, Y, X)`` that are in memory; as `ObjectScorer`."""
    scorer = ObjectScorer(class_ids)
    for true, seen in zip(truth, prediction, strict=True):
        if true.any():
            scorer.add(true, seen)
        else:
            scorer.skip()
    return scorer.scores()


class _Class:
    """Objects of one class, true and predicted."""

    def __init__(self) -> None:
        self._true, self._seen = Components(), Components()
        self._counter = ContingencyCounter()
        self._planes: dict[str, tuple[float, int]] = {}
        self.occurs = False

    def add(self, true: NDArray[np.bool_], seen: NDArray[np.bool_]) -> None:
        import cv2

        true_labels, true_before = self._true.add_apart(true)
        seen_labels, seen_before = self._seen.add_apart(seen)
        x, y, width, height = cv2.boundingRect(true.view(np.uint8))
        if not width:
            return
        self.occurs = True
        box = slice(y, y + height), slice(x, x + width)  # only what is true counts
        table = contingency(true_labels[box], seen_labels[box])
        table = table.where(table.truth > 0)
        for name, value in grouping(table, missed_apart=_MISSED_APART).scores().items():
            if value is not None:
                total, count = self._planes.get(name, (0.0, 0))
                self._planes[name] = total + value, count + 1
        truth = table.truth + true_before
        prediction = np.where(table.prediction, table.prediction + seen_before, 0)
        self._counter.add_table(Contingency(truth, prediction, table.voxels))

    def skip(self) -> None:
        self._true.skip()
        self._seen.skip()

    def agreement(self, *, is_deep: bool) -> ObjectAgreement:
        if not is_deep:
            return ObjectAgreement(self._planes)
        table = self._counter.table().renamed(self._true.numbers(), self._seen.numbers())
        return ObjectAgreement(self._planes, grouping(table, missed_apart=_MISSED_APART))
