"""Scores of outlines: how far the edge of a prediction lies from that of the truth.

An edge voxel belongs to the class and has a neighbour by a face that is labelled and does not. So
neither the border of the image nor that of the paint is an edge: what was cut there goes on, as far
as anybody knows. A prediction is looked at only where the truth is labelled.

Distances run between the middles of edge voxels, in the unit of the pixel size: pixels, or
micrometres, also where planes are further apart than pixels. All edge voxels count the same. An
edge of the truth that nobody painted is not there either: of a few strokes, distances say little.

Memory: about 6 bytes a voxel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.metrics.nearest import Places, nearest_distances
from orgseg_app.core.metrics.sums import Sums

Mask = NDArray[np.bool_]
Distances = NDArray[np.float64]

TOLERANCE = 2.0
"""In pixels: about what two careful people differ by."""

BOUNDARY_SCORES = (
    "boundary_f1",
    "boundary_precision",
    "boundary_recall",
    "hausdorff",
    "hausdorff_95",
    "surface_distance",
)
"""Of the last three lower is better."""

_MOST = 95.0  # percent
_ROUNDING = 1 + 1e-9
_OF_THE_DIAGONAL = 0.0075


@dataclass(frozen=True)
class BoundaryAgreement(Sums):
    """What scores of outlines are made of; two of them add up to that of both images together.

    Attributes
    ----------
    truth, predicted
        Edge voxels.
    found
        Of those of the truth, how many have a predicted one within the tolerance.
    right
        Of those predicted, how many have one of the truth within it.
    measured
        Edge voxels, of truth and prediction, with a distance: those of images where both have some.
    distance_sum
        Over these, to the nearest edge voxel of the other.
    furthest
        The largest of these distances; None where there is none.
    furthest_95
        Of 95 in 100 of the distances from truth to prediction, and of those back, the larger one.
        None where there is none, and of several images together: it does not add up.
    """

    truth: int = 0
    predicted: int = 0
    found: int = 0
    right: int = 0
    measured: int = 0
    distance_sum: float = 0.0
    furthest: float | None = None
    furthest_95: float | None = None

    def __add__(self, other: BoundaryAgreement) -> BoundaryAgreement:
        furthest = [x for x in (self.furthest, other.furthest) if x is not None]
        known_95 = [x for x in (self.furthest_95, other.furthest_95) if x is not None]
        is_one = not (self.measured and other.measured)
        return replace(
            super().__add__(other),
            furthest=max(furthest, default=None),
            furthest_95=known_95[0] if is_one and known_95 else None,
        )

    def scores(self) -> dict[str, float | None]:
        """All of them, by name; see `BOUNDARY_SCORES`.

        F1 is 0 where only one of truth and prediction has an edge, None where neither has; the
        distances are None in both cases. Of several images, distances are those of the images
        where both have edges.
        """
        precision = self.right / self.predicted if self.predicted else None
        recall = self.found / self.truth if self.truth else None
        f1 = 0.0 if self.truth or self.predicted else None
        if precision and recall:
            f1 = 2 * precision * recall / (precision + recall)
        mean = self.distance_sum / self.measured if self.measured else None
        found = (f1, precision, recall, self.furthest, self.furthest_95, mean)
        return dict(zip(BOUNDARY_SCORES, found, strict=True))

    def check(self) -> None:
        """Only what is there can be found."""
        if self.found > self.truth or self.right > self.predicted:
            raise ValueError("More of the edge was found than there is.")


@dataclass(frozen=True)
class EdgeDistances:
    """How far each edge voxel lies from the nearest one of the other.

    Attributes
    ----------
    truth
        ``(n,)`` float64, of each edge voxel of the truth to the prediction, in the order of the
        array; infinite where there is no predicted edge.
    prediction
        ``(m,)`` float64, the other way round.
    """

    truth: Distances
    prediction: Distances

    def agreement(self, tolerance: float = TOLERANCE) -> BoundaryAgreement:
        """What the scores are made of, at a tolerance in the unit of the distances."""
        limit = tolerance * _ROUNDING
        both = (self.truth, self.prediction)
        found, right = (int(np.count_nonzero(part <= limit)) for part in both)
        sizes = len(self.truth), len(self.prediction)
        if not all(sizes):
            return BoundaryAgreement(*sizes, found, right)
        return BoundaryAgreement(
            *sizes,
            found,
            right,
            sum(sizes),
            float(self.truth.sum() + self.prediction.sum()),
            float(max(part.max() for part in both)),
            float(max(np.percentile(part, _MOST) for part in both)),
        )


def agreement_of_parts(
    parts: Sequence[EdgeDistances], tolerance: float = TOLERANCE
) -> BoundaryAgreement:
    """Of an image whose parts are judged each by itself, such as planes far from one another.

    The 95th percentile is that of the distances of all parts in which both have edges.

    >>> one = EdgeDistances(np.array([0.0, 1.0]), np.array([0.0, 3.0]))
    >>> lost = EdgeDistances(np.array([np.inf]), np.zeros(0))
    >>> found = agreement_of_parts([one, lost])
    >>> found.truth, found.found, found.measured, found.furthest
    (3, 2, 4, 3.0)
    """
    if len(parts) == 1:
        return parts[0].agreement(tolerance)
    total = sum((part.agreement(tolerance) for part in parts), BoundaryAgreement())
    measured = [part for part in parts if len(part.truth) and len(part.prediction)]
    if not measured:
        return total
    truth, prediction = (
        np.concatenate([getattr(part, side) for part in measured])
        for side in ("truth", "prediction")
    )
    together = EdgeDistances(truth, prediction).agreement(tolerance)
    return replace(total, furthest_95=together.furthest_95)


def boundary_scores(
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    class_id: int,
    *,
    tolerance: float = TOLERANCE,
    pixel_size: Sequence[float] | None = None,
) -> BoundaryAgreement:
    """Compare the outlines of a class in an image.

    - Boundary F1: of precision, the share of the predicted edge within a tolerance of the true one,
      and recall, the share of the true edge within it of the predicted one (Csurka, Larlus,
      Perronnin, BMVC 2013).
    - Hausdorff distance: the largest distance of any edge voxel to the other edge (Huttenlocher et
      al., IEEE TPAMI 15, 1993); ``hausdorff_95``: the 95th percentile of either direction, the
      larger one; ``surface_distance``: the mean of all (average symmetric surface distance). As
      Maier-Hein et al., Nat. Methods 21 (2024), recommend them.

    Parameters
    ----------
    truth, prediction
        ``(Y, X)`` or ``(Z, Y, X)`` class ids. Where the truth is 0 nothing counts.
    class_id
        The class.
    tolerance
        In the unit of `pixel_size`, at or below; see also `csurka_tolerance`.
    pixel_size
        One an axis, in any unit; 1 each, for distances in pixels, when left out.

    Raises
    ------
    ValueError
        When shapes differ or are of other than two or three axes, or a size or the tolerance is
        impossible.

    Examples
    --------
    A bar of two voxels' width, predicted one voxel too far to the right:

    >>> truth, prediction = np.ones((2, 3, 8), np.uint8)
    >>> truth[:, 2:4] = prediction[:, 3:5] = 2
    >>> found = boundary_scores(truth, prediction, 2, tolerance=0.5).scores()
    >>> found["boundary_f1"], found["hausdorff"], found["surface_distance"]
    (0.5, 1.0, 0.5)
    >>> boundary_scores(truth, prediction, 2, tolerance=1).scores()["boundary_f1"]
    1.0
    >>> boundary_scores(truth, prediction, 2, pixel_size=(0.5, 0.2)).scores()["hausdorff"]
    0.2
    """
    if not 0 <= tolerance < math.inf:
        raise ValueError(f"A tolerance is a number from 0 on, not {tolerance}.")
    return edge_distances(truth, prediction, class_id, pixel_size=pixel_size).agreement(tolerance)


def edge_distances(
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    class_id: int,
    *,
    pixel_size: Sequence[float] | None = None,
) -> EdgeDistances:
    """Distances between the outlines of a class; several tolerances can be tried on them.

    Parameters and errors as in `boundary_scores`.
    """
    if truth.shape != prediction.shape or truth.ndim not in (2, 3):
        raise ValueError(f"No planes or volumes alike: {truth.shape} and {prediction.shape}.")
    sizes = (1.0,) * truth.ndim if pixel_size is None else tuple(map(float, pixel_size))
    if len(sizes) != truth.ndim or not all(0 < size < math.inf for size in sizes):
        raise ValueError(f"No pixel size of {truth.ndim} axes: {sizes}.")
    if truth.ndim == 2:
        truth, prediction, sizes = truth[None], prediction[None], (1.0, *sizes)
    places = _both_edges(truth, prediction, class_id)
    return EdgeDistances(*nearest_distances(places[0], places[1], (sizes[0], sizes[1], sizes[2])))


def edges(mask: Mask, labelled: Mask | None = None) -> Mask:
    """Edge voxels of a mask.

    Parameters
    ----------
    mask
        ``(Y, X)`` or ``(Z, Y, X)``.
    labelled
        Of the same shape, where anything is known; None for everywhere.

    Examples
    --------
    >>> edges(np.array([[True, True, True, False]])).astype(int).tolist()
    [[0, 0, 1, 0]]
    """
    other = ~mask if labelled is None else ~mask & labelled
    inside = mask if labelled is None else mask & labelled
    if mask.ndim == 2:
        found: Mask = _edges(inside[None], other[None])[0]
        return found
    return _edges(inside, other)


def csurka_tolerance(shape_yx: tuple[int, int], pixel_size_yx: Sequence[float] = (1, 1)) -> float:
    """0.75 % of the diagonal of the image, as Csurka et al. (2013) take.

    >>> csurka_tolerance((300, 400))
    3.75
    """
    sides = (size * step for size, step in zip(shape_yx, pixel_size_yx, strict=True))
    return _OF_THE_DIAGONAL * math.hypot(*sides)


def _both_edges(
    truth: NDArray[np.uint8], prediction: NDArray[np.uint8], class_id: int
) -> tuple[Places, Places]:
    """Places of the edge voxels of truth and prediction, both ``(Z, Y, X)``."""
    true, seen = truth == class_id, prediction == class_id
    y0, x0, height, width = _box(true | seen)
    if not height:
        return np.zeros((0, 3), np.int32), np.zeros((0, 3), np.int32)
    box = slice(None), slice(y0, y0 + height), slice(x0, x0 + width)
    truth, true, seen = truth[box], true[box], seen[box]
    if truth.min(initial=UNLABELLED + 1) > UNLABELLED:
        edge = _edges(true, ~true), _edges(seen, ~seen)
    else:
        labelled = truth != UNLABELLED
        seen = seen & labelled
        edge = _edges(true, labelled & ~true), _edges(seen, labelled & ~seen)
    corner = np.array((0, y0, x0), np.int32)
    return _places(edge[0]) + corner, _places(edge[1]) + corner


def _box(there: Mask) -> tuple[int, int, int, int]:
    """Top, left, height and width of what is there and its neighbours, in all planes alike."""
    import cv2

    flat = there[0] if len(there) == 1 else there.any(axis=0)
    x, y, width, height = cv2.boundingRect(np.ascontiguousarray(flat).view(np.uint8))
    if not width:
        return 0, 0, 0, 0
    y0, x0 = max(0, y - 1), max(0, x - 1)
    return y0, x0, y + height + 1 - y0, x + width + 1 - x0


def _edges(inside: Mask, other: Mask) -> Mask:
    """Voxels ``(Z, Y, X)`` of the one with a face on the other."""
    import cv2

    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    near = np.zeros(inside.shape, np.bool_)
    for z in range(len(inside)):
        plane = np.ascontiguousarray(other[z]).view(np.uint8)
        cv2.dilate(plane, cross, dst=near[z].view(np.uint8))
    near[1:] |= other[:-1]
    near[:-1] |= other[1:]
    near &= inside
    return near


def _places(edge: Mask) -> Places:
    """``(n, 3)`` int32, in the order of the array."""
    flat = np.flatnonzero(edge)
    found = np.empty((len(flat), 3), np.int32)
    rest, found[:, 2] = np.divmod(flat, edge.shape[2])
    found[:, 0], found[:, 1] = np.divmod(rest, edge.shape[1])
    return found
