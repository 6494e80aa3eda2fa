"""How good a model is on labelled planes: confusion matrix and loss over whole planes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from orgseg_app.core.metrics.pixels import confusion_matrix, scores
from orgseg_app.learn.losses import total_loss
from orgseg_app.learn.patches import IGNORED, LabelledPlane
from orgseg_app.learn.predict import Band, Predictor


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
    """

    confusion: NDArray[np.int64]
    loss: float
    scores: dict[str, Any]

    @property
    def rank(self) -> tuple[float, float]:
        """What "better" compares: mean IoU over classes other than background, then the loss.

        Without any such class in truth and prediction there is nothing wrong: that counts as 1.
        """
        mean_iou = self.scores["mean_iou"]
        loss = self.loss if np.isfinite(self.loss) else float("inf")
        return (1.0 if mean_iou is None else float(mean_iou)), -loss


def validate(
    predictor: Predictor,
    planes: Sequence[LabelledPlane],
    *,
    should_stop: Callable[[], bool] | None = None,
) -> Validation:
    """Predict whole planes, in tiles, and compare with what is painted.

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
    """
    ids = list(predictor.class_ids)
    confusion = np.zeros((len(ids), len(ids)), np.int64)
    losses: list[tuple[float, int]] = []
    for plane in planes:

        def work(plane: LabelledPlane = plane) -> tuple[NDArray[np.int64], list[tuple[float, int]]]:
            parts = [
                _score_band(predictor, band, plane)
                for band in predictor.bands_of_prepared([plane.pixels], should_stop=should_stop)
            ]
            return np.sum([c for c, _, _ in parts], axis=0), [(x, n) for _, x, n in parts]

        matrix, found = predictor.surviving(work)
        confusion += matrix
        losses += found
    painted = sum(n for _, n in losses)
    loss = sum(x * n for x, n in losses) / painted if painted else float("nan")
    return Validation(confusion, loss, scores(confusion, ids))


def _score_band(
    predictor: Predictor, band: Band, plane: LabelledPlane
) -> tuple[NDArray[np.int64], float, int]:
    """Confusion, loss and number of painted voxels of some rows."""
    ids = np.asarray(predictor.class_ids, np.uint8)
    target = plane.target[band.start : band.start + band.probabilities.shape[1]]
    labelled = target != IGNORED
    painted = int(np.count_nonzero(labelled))
    if not painted:
        return np.zeros((len(ids), len(ids)), np.int64), 0.0, 0
    truth = np.where(labelled, ids[np.where(labelled, target, 0)], 0).astype(np.uint8)
    guess = ids[band.probabilities.argmax(axis=0)]
    # The softmax of log p is p again, so the loss can take log p for logits.
    logits = torch.from_numpy(band.probabilities).clamp_min(1e-12).log()[None]
    loss = total_loss(
        logits,
        torch.from_numpy(target.copy())[None],
        torch.from_numpy(labelled.astype(np.float32))[None],
        terms=predictor.models[0].recipe.loss,
    )
    return confusion_matrix(truth, guess, list(predictor.class_ids)), loss.item(), painted
