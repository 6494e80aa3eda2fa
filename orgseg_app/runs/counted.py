"""What a job counted of an image besides its confusion matrix, read back; of one or of several.

Scores are made of it in `runs.class_scores`. What is missing, as older versions of OrgSeg wrote
less, or damaged, is None: as good as not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, Self, TypeVar

from orgseg_app.core.metrics.boundaries import BoundaryAgreement
from orgseg_app.core.metrics.judging import MICROMETRES, PIXELS
from orgseg_app.core.metrics.object_scores import ObjectAgreement
from orgseg_app.core.metrics.skeletons import SkeletonAgreement
from orgseg_app.core.metrics.sums import average
from orgseg_app.core.metrics.thresholds import RatedVoxels

Objects = Mapping[int, ObjectAgreement]
Edges = Mapping[int, BoundaryAgreement]
Skeletons = Mapping[int, SkeletonAgreement]
Rated = Mapping[int, RatedVoxels]
"""By class id; of objects, edges and skeletons, a class that the image lacks is not there."""


class _Adds(Protocol):
    def __add__(self, other: Self) -> Self: ...

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Self: ...


T = TypeVar("T", bound=_Adds)


class Counted:
    """What was counted of one image; read when it is asked for.

    Parameters
    ----------
    entry
        Of ``metrics.json``, as `core.metrics.judging.facts_of_image` made it.
    """

    def __init__(self, entry: Mapping[str, Any] | None = None) -> None:
        self._entry: Mapping[str, Any] = entry if entry is not None else {}
        self._images: Sequence[Counted] = ()
        self._found: dict[str, Any] = {}

    @classmethod
    def together(cls, images: Sequence[Counted]) -> Counted:
        """Of several images; what is not known of one of them is not known of all."""
        whole = cls()
        whole._images = tuple(images)
        return whole

    @property
    def unit(self) -> str:
        """Of distances and lengths: "µm" or "pixels"; "" where images differ or nothing is said."""
        if self._images:
            return self._units.copy().pop() if len(self._units) == 1 else ""
        distances = self._entry.get("distances")
        unit = distances.get("unit") if isinstance(distances, dict) else None
        return unit if unit in (MICROMETRES, PIXELS) else ""

    @property
    def objects(self) -> Objects | None:
        """Objects; those of several images add up."""
        return self._read("objects", ObjectAgreement)

    @property
    def edges(self) -> Edges | None:
        """Edges; those of several images add up.

        Of several, the largest distance is that of all images, and ``furthest_95`` is the mean of
        the images that have one. There are no distances where images have them in several units.
        """
        found = self._read("boundaries", BoundaryAgreement)
        if found is None or not self._images:
            return found
        if len(self._units) > 1:
            nothing: dict[str, Any] = {"measured": 0, "distance_sum": 0.0, "furthest": None}
            return {i: replace(one, furthest_95=None, **nothing) for i, one in found.items()}
        return {i: replace(one, furthest_95=self._mean_95(i)) for i, one in found.items()}

    @property
    def skeletons(self) -> Skeletons | None:
        """Skeletons; those of several images add up, without lengths if in several units."""
        found = self._read("skeletons", SkeletonAgreement)
        if found is None or len(self._units) < 2:
            return found
        return {i: _without_length(skeletons) for i, skeletons in found.items()}

    @property
    def rated(self) -> Rated | None:
        """Voxels by probability; those of several images add up."""
        return self._read("rated", RatedVoxels)

    @property
    def _units(self) -> set[str]:
        return {image.unit for image in self._images}

    def _mean_95(self, class_id: int) -> float | None:
        agreements = [(image.edges or {}).get(class_id) for image in self._images]
        far = [one.furthest_95 for one in agreements if one is not None]
        return average(far)

    def _read(self, key: str, kind: type[T]) -> dict[int, T] | None:
        if key not in self._found:
            self._found[key] = self._added(key, kind) if self._images else self._parsed(key, kind)
        found: dict[int, T] | None = self._found[key]
        return found

    def _parsed(self, key: str, kind: type[T]) -> dict[int, T] | None:
        try:
            return {int(i): kind.from_dict(kept) for i, kept in self._entry[key].items()}
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
            return None

    def _added(self, key: str, kind: type[T]) -> dict[int, T] | None:
        total: dict[int, T] = {}
        for image in self._images:
            found = image._read(key, kind)
            if found is None:
                return None
            for class_id, one in found.items():
                total[class_id] = total[class_id] + one if class_id in total else one
        return total


def _without_length(found: SkeletonAgreement) -> SkeletonAgreement:
    truth, prediction = (replace(side, length=0.0) for side in (found.truth, found.prediction))
    return replace(found, truth=truth, prediction=prediction, length_missed=0.0)
