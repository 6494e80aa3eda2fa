"""How good a model is on labelled planes: confusion matrix, loss, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from orgseg_app.core.instances.centres import parted
from orgseg_app.core.instances.fitting import Example, mean_precision
from orgseg_app.core.metrics.intervals import Spread, bootstrap_iou
from orgseg_app.core.metrics.pixels import confusion_matrix, scores
from orgseg_app.learn.data.patches import IGNORED, LabelledPlane
from orgseg_app.learn.losses.registry import total_loss
from orgseg_app.learn.prediction.predictor import Predictor, most_probable
from orgseg_app.learn.prediction.volumes import maps_of, probability_planes
from orgseg_app.learn.training.fitting import seen_pixels

Pixels = NDArray[np.float32]


class Judged(NamedTuple):
    """What a model says of a plane.

    Attributes
    ----------
    plane
        What is right.
    guess
        ``(Y, X)`` class ids.
    losses
        With the voxels that they are means of.
    maps
        ``(M, Y, X)`` uint8, see `volumes.maps_of`; None of models that know no objects.
    """

    plane: LabelledPlane
    guess: NDArray[np.uint8]
    losses: list[tuple[float, int]]
    maps: NDArray[np.uint8] | None


TILE = 128
"""Side in pixels of the squares that stand for planes where there is only one plane."""


@dataclass(frozen=True)
class Validation:
    """Result over all planes together (pooled).

    Attributes
    ----------
    confusion
        ``(K, K)`` int64, rows truth.
    loss
        Mean over planes, weighted by painted voxels.
    scores
        See `core.metrics.pixels.scores`.
    spread
        How far the scores may be off.
    mean_ap
        Mean average precision of objects over IoU 0.50…0.95; None of models that know none.
    """

    confusion: NDArray[np.int64]
    loss: float
    scores: dict[str, Any]
    spread: Spread
    mean_ap: float | None = None

    @property
    def rank(self) -> tuple[float, float]:
        """What "better" compares: mean IoU over classes other than background, then the loss.

        Without any such class in truth and prediction there is nothing wrong: that counts as 1.
        Of models that know objects their mean average precision, then that mean IoU.
        """
        mean_iou = self.scores["mean_iou"]
        iou = 1.0 if mean_iou is None else float(mean_iou)
        if self.mean_ap is not None:
            return self.mean_ap, iou
        return iou, -(self.loss if np.isfinite(self.loss) else float("inf"))


def validate(
    predictor: Predictor,
    planes: Sequence[LabelledPlane],
    *,
    should_stop: Callable[[], bool] | None = None,
) -> Validation:
    """Predict whole planes, in tiles, and compare with what is painted.

    Networks of volumes are judged on the painted planes, with as many around them as they see.

    Parameters
    ----------
    predictor
        One model; its recipe's loss is taken.
    planes
        Prepared as the model's recipe says.
    should_stop
        Asked between tiles.

    Raises
    ------
    StopRequestedError
        When `should_stop` says so.
    OutOfMemoryError
        When the smallest tiles do not fit into memory.
    """
    ids = list(predictor.class_ids)
    losses: list[tuple[float, int]] = []
    units: list[NDArray[np.int64]] = []
    judged: list[Judged] = []
    for found in _judge(predictor, planes, should_stop):
        losses += found.losses
        units.append(_confusions(found.plane.target, found.guess, ids, whole=len(planes) > 1))
        if found.maps is not None:
            judged.append(found)
    confusions = np.concatenate(units) if units else np.zeros((0, len(ids), len(ids)), np.int64)
    confusion = confusions.sum(axis=0)
    painted = sum(n for _, n in losses)
    loss = sum(x * n for x, n in losses) / painted if painted else float("nan")
    what = "planes" if len(planes) > 1 else f"tiles of {TILE} pixels"
    spread = bootstrap_iou(confusions, ids, units=what)
    mean_ap = None
    if predictor.has_depth:
        mean_ap = mean_precision(_examples(predictor, judged), predictor.grouping)
    return Validation(confusion, loss, scores(confusion, ids), spread, mean_ap)


def validation_examples(
    predictor: Predictor,
    planes: Sequence[LabelledPlane],
    *,
    should_stop: Callable[[], bool] | None = None,
) -> list[Example]:
    """Maps of the validation planes and what is true, to fit grouping parameters on.

    Parameters and errors as in `validate`; the model knows objects.
    """
    return _examples(predictor, list(_judge(predictor, planes, should_stop)))


def _judge(
    predictor: Predictor, planes: Sequence[LabelledPlane], should_stop: Callable[[], bool] | None
) -> Iterator[Judged]:
    is_deep = predictor.models[0].network.dimensions == 3
    return (_of_volumes if is_deep else _of_planes)(predictor, planes, should_stop)


def _examples(predictor: Predictor, judged: Sequence[Judged]) -> list[Example]:
    """One example a plane; of networks of volumes one for all planes in a row."""
    is_deep = predictor.models[0].network.dimensions == 3
    rows: list[list[Judged]] = []
    for found in judged:
        before = rows[-1][-1].plane if rows else None
        goes_on = (
            is_deep
            and before is not None
            and before.stack is found.plane.stack
            and before.z + 1 == found.plane.z
        )
        if goes_on:
            rows[-1].append(found)
        else:
            rows.append([found])
    size = predictor.models[0].pixel_size_um
    made = []
    for row in rows:
        maps = [found.maps for found in row if found.maps is not None]
        truth = [found.plane.objects for found in row if found.plane.objects is not None]
        if not maps or len(truth) < len(row):
            continue
        labelled = np.stack([found.plane.target != IGNORED for found in row])
        whole, numbers = np.stack(maps, axis=1), np.stack(truth)
        if is_deep:
            made.append(Example(*parted(whole), numbers, labelled, voxel_size=size))
        else:
            made.append(Example(*parted(whole[:, 0]), numbers[0], labelled[0]))
    return made


def _of_planes(
    predictor: Predictor, planes: Sequence[LabelledPlane], should_stop: Callable[[], bool] | None
) -> Iterator[Judged]:
    """Plane by plane, band by band: as large as a plane may be, little of it is in memory."""
    ids = np.asarray(predictor.class_ids, np.uint8)
    planes_seen = predictor.models[0].network.planes
    for plane in planes:
        shown = seen_pixels(plane, planes_seen)

        def work(plane: LabelledPlane = plane, shown: Pixels = shown) -> Judged:
            guess = np.empty(plane.target.shape, np.uint8)
            maps = None
            if predictor.has_depth:
                maps = np.empty((predictor.maps, *guess.shape), np.uint8)
            parts = []
            for band in predictor.bands_of_prepared([shown], should_stop=should_stop):
                rows = slice(band.start, band.start + band.probabilities.shape[1])
                probabilities = band.probabilities[: len(ids)]
                guess[rows] = ids[most_probable(probabilities)]
                parts.append(_loss(predictor, probabilities, plane.target[rows]))
                if maps is not None:
                    maps[:, rows] = maps_of(band.probabilities, predictor.maps)
            return Judged(plane, guess, parts, maps)

        yield predictor.surviving(work)


def _of_volumes(
    predictor: Predictor, planes: Sequence[LabelledPlane], should_stop: Callable[[], bool] | None
) -> Iterator[Judged]:
    """The painted planes of each volume, in one go for all of a volume."""
    ids = np.asarray(predictor.class_ids, np.uint8)
    by_stack: dict[int, dict[int, LabelledPlane]] = {}
    for plane in planes:
        by_stack.setdefault(id(plane.stack), {})[plane.z] = plane
    for by_z in by_stack.values():
        stack = next(iter(by_z.values())).stack
        if stack is None:
            raise ValueError("A network of volumes cannot judge a plane without those around it.")
        for z, found in probability_planes(predictor, stack, sorted(by_z), should_stop=should_stop):
            target, probabilities = by_z[z].target, found[: len(ids)]
            losses = [_loss(predictor, probabilities, target)]
            maps = maps_of(found, predictor.maps) if predictor.has_depth else None
            yield Judged(by_z[z], ids[most_probable(probabilities)], losses, maps)


def _confusions(
    target: NDArray[np.uint8], guess: NDArray[np.uint8], ids: Sequence[int], *, whole: bool
) -> NDArray[np.int64]:
    """Confusion matrices ``(n, K, K)`` of the units of a plane: itself, or its painted tiles."""
    table = np.zeros(256, np.uint8)
    table[: len(ids)] = ids
    truth = np.where(target == IGNORED, 0, table[target]).astype(np.uint8)
    if whole:
        return confusion_matrix(truth, guess, list(ids))[None]
    found = [np.zeros((0, len(ids), len(ids)), np.int64)]
    for y in range(0, truth.shape[0], TILE):
        for x in range(0, truth.shape[1], TILE):
            tile = np.s_[y : y + TILE, x : x + TILE]
            if truth[tile].any():
                found.append(confusion_matrix(truth[tile], guess[tile], list(ids))[None])
    return np.concatenate(found)


def _loss(predictor: Predictor, found: Pixels, target: NDArray[np.uint8]) -> tuple[float, int]:
    """Loss and number of painted voxels of some rows, from probabilities ``(K, rows, X)``."""
    labelled = target != IGNORED
    painted = int(np.count_nonzero(labelled))
    if not painted:
        return 0.0, 0
    # The softmax of log p is p again, so the loss can take log p for logits.
    logits = torch.from_numpy(found).clamp_min(1e-12).log()[None]
    loss = total_loss(
        logits,
        torch.from_numpy(target.copy())[None],
        torch.from_numpy(labelled.astype(np.float32))[None],
        terms=predictor.models[0].recipe.loss,
    )
    return loss.item(), painted
