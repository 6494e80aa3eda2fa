"""Losses: what a network is asked to make small.

Every loss takes logits ``(N, K, Y, X)`` or ``(N, K, Z, Y, X)``, a target of class indices (the
position in the project's class list, background is 0) and weights, both without the axis K. A
weight of 0 means unlabelled: such a voxel changes neither the loss nor any gradient, whatever its
target says. All sums run in float32, also when the network ran in half precision.

Names, explanations and parameters are in ``runs.recipes.losses``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from orgseg_app.core.parameter import complete
from orgseg_app.learn.losses.boundary import boundary, hausdorff
from orgseg_app.learn.losses.judged import Judged, judge
from orgseg_app.learn.losses.overlap import (
    bce_dice,
    dice,
    focal_tversky,
    lovasz,
    soft_iou,
    tversky,
)
from orgseg_app.learn.losses.topology import cldice
from orgseg_app.learn.losses.voxelwise import bce, cross_entropy, focal, l1, mse, wbce
from orgseg_app.runs.recipes.losses import LOSS_NAMES

if TYPE_CHECKING:
    from orgseg_app.runs.recipes.schema import LossTerm

LossFunction = Callable[[Judged, Mapping[str, float]], Tensor]
"""``(what is judged, all its parameters) -> scalar``, float32."""

LOSSES: dict[str, LossFunction] = {
    "soft_iou": soft_iou,
    "bce": bce,
    "dice": dice,
    "cross_entropy": cross_entropy,
    "bce_dice": bce_dice,
    "wbce": wbce,
    "focal": focal,
    "tversky": tversky,
    "focal_tversky": focal_tversky,
    "lovasz": lovasz,
    "cldice": cldice,
    "boundary": boundary,
    "hausdorff": hausdorff,
    "l1": l1,
    "mse": mse,
}
"""The losses that a recipe may name."""


def total_loss(
    logits: Tensor,
    target: Tensor,
    weights: Tensor,
    *,
    terms: Iterable[LossTerm],
    class_weights: Tensor | None = None,
) -> Tensor:
    """The weighted sum of a recipe's losses.

    Parameters
    ----------
    logits
        ``(N, K, Y, X)`` or ``(N, K, Z, Y, X)``, any float type and memory format; K ≥ 2.
    target
        ``(N, Y, X)`` or ``(N, Z, Y, X)``, int64 or uint8, class index 0…K-1; anything where the
        weight is 0.
    weights
        As the target, float32 ≥ 0; 0 = unlabelled.
    terms
        Names of `LOSSES`, their weights and parameters.
    class_weights
        ``(K,)`` float32; None: all count the same. What they do is said at each family of losses.

    Returns
    -------
    Tensor
        A float32 scalar (float64 of float64 logits); 0, and no gradient, when nothing is labelled.

    Raises
    ------
    ValueError
        For a parameter that a loss does not have, or out of its range.
    """
    with torch.autocast(logits.device.type, enabled=False):
        judged = judge(logits, target, weights, class_weights)
        parts = []
        for term in terms:
            params = _complete_params(term.name, tuple(term.params.items()))
            part = LOSSES[term.name](judged, params)
            parts.append(part if term.weight == 1 else term.weight * part)
        return parts[0] if len(parts) == 1 else torch.stack(parts).sum()


@lru_cache(maxsize=64)
def _complete_params(name: str, given: tuple[tuple[str, float], ...]) -> Mapping[str, float]:
    """All parameters of a loss; looked up once, not once a step."""
    return complete("loss", name, dict(given), LOSS_NAMES[name].params)
