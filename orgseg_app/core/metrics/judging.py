"""Everything that is counted of one image to judge a prediction of it, for ``metrics.json``.

Only painted planes count, and of these only labelled voxels. Neighbouring painted planes are a
volume of their own, a *slab*, and edges and skeletons go through its planes; planes far from one
another are judged each by itself. A large slab is taken plane by plane as well: whether it is, the
truth alone decides, so that all models are judged alike on an image.

What it costs of a plane of 2048², 40 % of it structure, in one thread: edges 0.1 s, skeletons 1 s;
of volumes skeletons take 8 µs a voxel of structure, hence their limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.metrics.boundaries import (
    TOLERANCE,
    BoundaryAgreement,
    EdgeDistances,
    agreement_of_parts,
    edge_distances,
)
from orgseg_app.core.metrics.object_scores import object_scores
from orgseg_app.core.metrics.pixels import confusion_matrix
from orgseg_app.core.metrics.skeletons import SkeletonAgreement, skeletons_of_classes
from orgseg_app.core.metrics.thresholds import RatedVoxels, rated
from orgseg_app.core.stopping import StoppedError

Mask = NDArray[np.uint8]
Numbers = NDArray[np.uint32]

MICROMETRES, PIXELS = "µm", "pixels"
"""What distances and lengths are in."""
IN_PLANES, IN_SPACE = "planes", "space"

SPACE_OF_EDGES, SPACE_OF_SKELETONS = 1 << 25, 1 << 26
"""Voxels of a slab, at most, for edges and skeletons that go through its planes.

Measured: of a dense network edges take 46 bytes a voxel, 1.5 GB in all.
"""
PAINT_OF_SKELETONS = 1 << 20
"""Labelled voxels of such a slab, at most, for skeletons: 4 s, a fifth of it structure."""
PLANE_OF_SKELETONS = 1 << 26
"""Voxels of a plane (8192 × 8192), at most, for a skeleton of it: 1.4 GB of memory."""


class RatedCounter:
    """Counts voxels by the probability of each class, plane by plane.

    Parameters
    ----------
    class_ids
        Classes to count; background is usually left out.

    Examples
    --------
    >>> counter = RatedCounter([2, 3])
    >>> probabilities = np.array([[[55, 255, 0]], [[200, 0, 255]]], np.uint8)
    >>> counter.add(np.array([[2, 1, 0]], np.uint8), probabilities, of_classes=[1, 2])
    >>> found = counter.rated()
    >>> found[2].inside.tolist(), found[2].outside.tolist(), 3 in found
    ([0, 1], [1, 0], False)
    """

    def __init__(self, class_ids: Collection[int]) -> None:
        self._class_ids = frozenset(class_ids)
        self._found: dict[int, RatedVoxels] = {}

    def add(self, truth: Mask, probabilities: NDArray[np.uint8], of_classes: Sequence[int]) -> None:
        """Count one more plane, or volume.

        Parameters
        ----------
        truth
            ``(Y, X)`` or ``(Z, Y, X)`` class ids; where it is 0 nothing is counted.
        probabilities
            ``(K, …)`` uint8 over the shape of the truth, 255 for 1.
        of_classes
            Whose probability each of the K is.

        Raises
        ------
        ValueError
            When shapes differ.
        """
        for class_id, probability in zip(of_classes, probabilities, strict=True):
            if class_id in self._class_ids:
                found = rated(truth, probability, class_id)
                before = self._found.get(class_id)
                self._found[class_id] = found if before is None else before + found

    def rated(self) -> dict[int, RatedVoxels]:
        """By class id; classes without probabilities are not there."""
        return dict(self._found)


def facts_of_image(
    truth: Mask,
    prediction: Mask,
    class_ids: Sequence[int],
    *,
    pixel_size_um: Sequence[float] | None = None,
    true_objects: Numbers | None = None,
    predicted_objects: Numbers | None = None,
    rated: Mapping[int, RatedVoxels] | None = None,
    goes_on: Callable[[], bool] = lambda: True,
) -> dict[str, Any]:
    """Count all that scores of an image are made of.

    Parameters
    ----------
    truth, prediction
        ``(Z, Y, X)`` class ids; where the truth is 0 nothing counts.
    class_ids
        K ids, background first.
    pixel_size_um
        ``(z, y, x)`` in µm; distances and lengths are in pixels where it is not known.
    true_objects, predicted_objects
        ``(Z, Y, X)`` numbers of objects, where known; see `object_scores.ObjectScorer`.
    rated
        By class id, as `RatedCounter` counted it; None where there were no probabilities.
    goes_on
        Asked now and then; False gives up.

    Returns
    -------
    dict
        For JSON: ``confusion`` ``(K, K)`` rows truth; by class id as text ``objects``,
        ``boundaries``, ``skeletons`` (classes that occur; a class that is not there has none) and
        ``rated``; ``distances``: their unit, the tolerance of edges in pixels, and whether edges
        and skeletons were taken in planes or in space. ``skeletons`` is missing where a plane is
        larger than `PLANE_OF_SKELETONS`.

    Raises
    ------
    ValueError
        When shapes differ, or are not of three axes.
    StoppedError
        When given up.

    Examples
    --------
    >>> truth = np.array([[[1, 2, 2, 1, 0]]], np.uint8)
    >>> found = facts_of_image(truth, np.where(truth == 0, 2, truth), [1, 2])
    >>> found["confusion"], found["boundaries"]["2"]["found"], found["distances"]["unit"]
    ([[2, 0], [0, 2]], 2, 'pixels')
    """
    if truth.shape != prediction.shape or truth.ndim != 3:
        raise ValueError(f"No volumes alike: {truth.shape} and {prediction.shape}.")
    ids = class_ids[1:]
    objects = object_scores(
        truth, prediction, ids, true_objects=true_objects, predicted_objects=predicted_objects
    )
    sizes = _known(pixel_size_um, depth=len(truth))
    slabs = list(_slabs(truth))
    occurring = _occurring(truth, prediction, ids)
    one = sizes or (1.0, 1.0, 1.0)
    edges, edges_in = _boundaries(truth, prediction, occurring, slabs, one, goes_on)
    skeletons, skeletons_in = _skeletons(truth, prediction, occurring, slabs, one, goes_on)
    facts: dict[str, Any] = {
        "confusion": confusion_matrix(truth, prediction, class_ids).tolist(),
        "objects": {str(i): found.to_dict() for i, found in objects.items()},
        "boundaries": {str(i): found.to_dict() for i, found in edges.items()},
        "distances": {
            "unit": MICROMETRES if sizes else PIXELS,
            "tolerance_pixels": TOLERANCE,
            "boundaries": edges_in,
            "skeletons": skeletons_in,
        },
    }
    if skeletons is not None:
        facts["skeletons"] = {str(i): found.to_dict() for i, found in skeletons.items()}
    if rated is not None:
        facts["rated"] = {str(i): found.to_dict() for i, found in rated.items()}
    return facts


def _known(pixel_size_um: Sequence[float] | None, *, depth: int) -> tuple[float, ...] | None:
    """The pixel size, if it is one; that of a single plane needs no distance to the next."""
    if pixel_size_um is None:
        return None
    z, y, x = map(float, pixel_size_um)
    if depth == 1 and not 0 < z < math.inf:
        z = 1.0
    return (z, y, x) if all(0 < size < math.inf for size in (z, y, x)) else None


def _slabs(truth: Mask) -> Iterator[slice]:
    """Neighbouring painted planes, from … to."""
    painted = np.array([bool(plane.any()) for plane in truth], np.int8)
    changes = np.flatnonzero(np.diff(painted, prepend=0, append=0))
    for first, end in changes.reshape(-1, 2).tolist():
        yield slice(first, end)


def _parts(
    truth: Mask, slabs: Sequence[slice], most: int, most_paint: int
) -> tuple[list[slice], str]:
    """The slabs, or their planes if one is too large; and which."""
    deep = [truth[slab] for slab in slabs if slab.stop - slab.start > 1]
    if not deep:
        return list(slabs), IN_PLANES
    if all(slab.size <= most and np.count_nonzero(slab) <= most_paint for slab in deep):
        return list(slabs), IN_SPACE
    return [slice(z, z + 1) for slab in slabs for z in range(slab.start, slab.stop)], IN_PLANES


def _occurring(truth: Mask, prediction: Mask, ids: Sequence[int]) -> list[int]:
    """Classes that truth or prediction have where the truth is labelled."""
    there = np.zeros(256, bool)
    for true, seen in zip(truth, prediction, strict=True):
        there |= np.bincount(true.ravel(), minlength=256) > 0
        there |= np.bincount(seen[true != UNLABELLED], minlength=256) > 0
    return [class_id for class_id in ids if there[class_id]]


def _boundaries(
    truth: Mask,
    prediction: Mask,
    ids: Sequence[int],
    slabs: Sequence[slice],
    sizes: Sequence[float],
    goes_on: Callable[[], bool],
) -> tuple[dict[int, BoundaryAgreement], str]:
    parts, where = _parts(truth, slabs, SPACE_OF_EDGES, SPACE_OF_EDGES)

    def distances(class_id: int, part: slice) -> EdgeDistances:
        if not goes_on():
            raise StoppedError
        return edge_distances(truth[part], prediction[part], class_id, pixel_size=sizes)

    tolerance = TOLERANCE * max(sizes[1:])
    found = {
        class_id: agreement_of_parts([distances(class_id, part) for part in parts], tolerance)
        for class_id in ids
    }
    return found, where


def _skeletons(
    truth: Mask,
    prediction: Mask,
    ids: Sequence[int],
    slabs: Sequence[slice],
    sizes: Sequence[float],
    goes_on: Callable[[], bool],
) -> tuple[dict[int, SkeletonAgreement] | None, str]:
    parts, where = _parts(truth, slabs, SPACE_OF_SKELETONS, PAINT_OF_SKELETONS)
    if truth[0].size > PLANE_OF_SKELETONS:
        return None, ""
    total = dict.fromkeys(ids, SkeletonAgreement())
    for part in parts:
        for class_id, found in skeletons_of_classes(
            truth[part], prediction[part], ids, pixel_size=sizes, goes_on=goes_on
        ).items():
            total[class_id] += found
    return total, where
