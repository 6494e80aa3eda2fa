"""Losses: what a network is asked to make small.

Every loss takes logits ``(N, K, Y, X)``, a target ``(N, Y, X)`` of class indices (the position in
the project's class list, background is 0) and weights ``(N, Y, X)``. A weight of 0 means
unlabelled: such a voxel changes neither the loss nor any gradient, whatever its target says. All
sums run in float32, also when the network ran in half precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from orgseg_app.runs.recipe import LossTerm

LossFunction = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""``(log_p (N, K, Y, X), one_hot (N, K, Y, X), weights (N, Y, X), class_weights (K,))``, float32;
one_hot is 0 in all classes where a voxel is unlabelled."""


@dataclass(frozen=True)
class Loss:
    """One loss.

    Attributes
    ----------
    function
        The formula.
    title, explanation, source
        For people.
    """

    function: LossFunction
    title: str
    explanation: str
    source: str


def _soft_iou(log_p: Tensor, y: Tensor, weights: Tensor, class_weights: Tensor) -> Tensor:
    """``1 - Σpy / (Σ(p² + y) - Σpy + 1e-10)`` a class and patch (Guo, Luo, Li, Yang 2020)."""
    p, w = log_p.exp(), weights[:, None]
    both = (w * p * y).sum((2, 3))
    either = (w * (p * p + y)).sum((2, 3)) - both
    return _mean_of_present(1 - both / (either + 1e-10), y)


def _dice(log_p: Tensor, y: Tensor, weights: Tensor, class_weights: Tensor) -> Tensor:
    """``1 - (2Σpy + 1e-5) / (Σp + Σy + 1e-5)`` a class and patch (Milletari et al. 2016)."""
    p, w = log_p.exp(), weights[:, None]
    both, total = (w * p * y).sum((2, 3)), (w * (p + y)).sum((2, 3))
    return _mean_of_present(1 - (2 * both + 1e-5) / (total + 1e-5), y)


def _mean_of_present(loss: Tensor, y: Tensor) -> Tensor:
    """Mean of losses ``(N, K)`` over the classes painted in each patch.

    Of two classes only the second counts, as published; background counts only in patches where
    nothing else is painted, for there the second gives no gradient at all.
    """
    present = y.flatten(2).amax(2)
    if y.shape[1] == 2:
        present = torch.stack([present[:, 0] * (1 - present[:, 1]), present[:, 1]], dim=1)
    return (loss * present).sum() / present.sum().clamp(min=1)


def _bce(log_p: Tensor, y: Tensor, weights: Tensor, class_weights: Tensor) -> Tensor:
    """Binary cross-entropy of each class against the rest, mean over painted voxels and classes."""
    if y.shape[1] == 2:
        # One class against the rest is the same for both: the plain binary cross-entropy.
        return _cross_entropy(log_p, y, weights, class_weights)
    log_rest = _log_one_minus_exp(log_p)
    labelled = y.sum(1, keepdim=True)
    voxelwise = -(y * log_p + (labelled - y) * log_rest).mean(1)
    w = weights * (class_weights[:, None, None] * y).sum(1)
    return (w * voxelwise).sum() / w.sum().clamp(min=1e-8)


def _cross_entropy(log_p: Tensor, y: Tensor, weights: Tensor, class_weights: Tensor) -> Tensor:
    """``-Σ w·log p(true class) / Σ w`` over painted voxels."""
    w = weights * (class_weights[:, None, None] * y).sum(1)
    return -(w * (log_p * y).sum(1)).sum() / w.sum().clamp(min=1e-8)


def _log_one_minus_exp(log_p: Tensor) -> Tensor:
    """``log(1 - exp(log_p))`` without loss of digits (Mächler 2012); log_p ≤ 0."""
    log_p = log_p.clamp(max=-1e-6)
    near_one = log_p > -0.6931
    # Both branches get values they can take, so that no gradient becomes infinity times zero.
    small = torch.where(near_one, log_p, torch.full_like(log_p, -0.5))
    large = torch.where(near_one, torch.full_like(log_p, -1.0), log_p)
    return torch.where(near_one, (-small.expm1()).log(), (-large.exp()).log1p())


LOSSES: dict[str, Loss] = {
    "soft_iou": Loss(
        _soft_iou,
        "Soft IoU",
        "Rewards overlap, so that thin and rare structures count as much as large ones.",
        "Guo, Luo, Li, Yang 2020; Rahman & Wang 2016",
    ),
    "bce": Loss(
        _bce,
        "Binary cross-entropy",
        "Judges every pixel on its own; steady, but leans to the class with more pixels.",
        "Textbook; each class against the rest",
    ),
    "dice": Loss(
        _dice,
        "Dice",
        "Rewards overlap like soft IoU, a little more gently.",
        "Milletari, Navab, Ahmadi 2016, 3DV",
    ),
    "cross_entropy": Loss(
        _cross_entropy,
        "Cross-entropy",
        "Judges every pixel on its own among all classes; the usual choice for several classes.",
        "Textbook",
    ),
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
        ``(N, K, Y, X)``, any float type; K ≥ 2.
    target
        ``(N, Y, X)`` int64 or uint8, class index 0…K-1; anything where the weight is 0.
    weights
        ``(N, Y, X)`` float32 ≥ 0; 0 = unlabelled.
    terms
        Names of `LOSSES` and their weights.
    class_weights
        ``(K,)`` float32 for the voxel-wise losses; overlap losses treat classes alike already.

    Returns
    -------
    Tensor
        A float32 scalar; 0 without gradient when nothing is labelled.
    """
    classes = logits.shape[1]
    with torch.autocast(logits.device.type, enabled=False):
        log_p = functional.log_softmax(logits.float(), dim=1)
        labelled = weights > 0
        index = torch.arange(classes, device=log_p.device)[:, None, None]
        one_hot = ((target[:, None] == index) & labelled[:, None]).to(log_p.dtype)
        weights = weights.float()
        if class_weights is None:
            class_weights = log_p.new_ones(classes)
        parts = [
            t.weight * LOSSES[t.name].function(log_p, one_hot, weights, class_weights)
            for t in terms
        ]
        return torch.stack(parts).sum()


def automatic_class_weights(voxels: Iterable[int]) -> list[float]:
    """Weights that let rare classes count more: ``1 / sqrt(share)``, at most 10 apart, mean 1.

    Parameters
    ----------
    voxels
        Painted voxels of each class; a class without any gets the mean weight.

    >>> [round(w, 2) for w in automatic_class_weights([900, 100])]
    [0.5, 1.5]
    """
    counts = list(voxels)
    total = sum(counts)
    raw = [(total / n) ** 0.5 if n else 0.0 for n in counts]
    least = min((w for w in raw if w), default=1.0)
    raw = [min(w, 10 * least) for w in raw]
    painted = [w for w in raw if w]
    mean = sum(painted) / len(painted) if painted else 1.0
    return [w / mean if w else 1.0 for w in raw]
