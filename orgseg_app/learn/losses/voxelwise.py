"""Losses that judge every voxel on its own.

Of all of them: an unlabelled voxel (weight 0) is left out; a voxel of weight 2 counts as two; the
weight of its painted class multiplies its own; the result is the mean by these weights, so that
twice all weights is the same loss.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from orgseg_app.learn.losses.judged import Judged

_LEAST = 1e-6


def cross_entropy(judged: Judged, params: Mapping[str, float]) -> Tensor:
    """``-log p`` of the painted class: the multinomial log loss.

    With ``balance`` b a voxel counts as much as the share of its class in the batch to the power
    of -b: 0 leaves each class the part that it takes up, 1 gives all the same. What a class takes
    up is counted with the weights of its voxels.

    Examples
    --------
    Undecided between two classes: log 2.

    >>> undecided = judge(torch.zeros(1, 2, 1, 1), torch.ones(1, 1, 1), torch.ones(1, 1, 1))
    >>> round(cross_entropy(undecided, {"balance": 0.5}).item(), 4)
    0.6931
    """
    if params["balance"] == 0:
        return _log_loss(judged)
    weights, target = judged.voxel_weights, judged.target
    taken = torch.stack([(weights * (target == k)).sum() for k in range(judged.classes)])
    shares = torch.where(taken > 0, taken / taken.sum().clamp(min=1e-8), 1.0)
    weights = weights * (shares ** -params["balance"])[target.long()]
    return -(weights * judged.log_p_true).sum() / weights.sum().clamp(min=1e-8)


def _log_loss(judged: Judged) -> Tensor:
    return -judged.mean(judged.log_p_true)


def bce(judged: Judged, params: Mapping[str, float]) -> Tensor:
    """Binary cross-entropy of each class against the rest, mean over the classes.

    Of two classes it is the same for both, so that it is the plain binary cross-entropy.
    """
    if judged.is_binary:
        return _log_loss(judged)
    rest = _log_rest(judged)
    each = judged.log_p_true + rest.sum(1) - judged.of_true_class(rest)
    return -judged.mean(each) / judged.classes


def wbce(judged: Judged, params: Mapping[str, float]) -> Tensor:
    """Binary cross-entropy in which both sides count the same, however much of each is painted.

    ``-Σ [N₋/N·y·log p + N₊/N·(1-y)·log(1-p)] / N``, with N₊ and N₋ the voxels of a class and of
    the rest, counted in each batch (Xie and Tu 2015, ICCV, as in Guo, Luo, Li and Yang 2020).
    Voxels are counted with their own weights; class weights then multiply what each costs. A batch
    in which one class alone is painted costs nothing. More than two classes: each against the
    rest, mean.
    """
    total = judged.weights.sum().clamp(min=1e-8)
    if judged.is_binary:
        y = judged.y[:, 0]
        share = (judged.weights * y).sum() / total
        return -judged.mean(torch.lerp(share, 1 - share, y) * judged.log_p_true)
    counted = (judged.weights[:, None] * judged.y).transpose(0, 1).flatten(1).sum(1)
    shares = counted / total
    rest = _log_rest(judged) * shares.view(1, -1, *(1,) * (judged.target.ndim - 1))
    mine = (1 - shares)[judged.target.long()] * judged.log_p_true
    return -judged.mean(mine + rest.sum(1) - judged.of_true_class(rest)) / judged.classes


def focal(judged: Judged, params: Mapping[str, float]) -> Tensor:
    """``-α (1-p)^γ log p`` of the painted class, 1-α instead of α for background.

    Lin et al. 2017, ICCV. With ``detached`` 1 the factor ``(1-p)^γ`` only weighs the voxels and is
    not learnt through, as in Guo, Luo, Li and Yang 2020; 0 is the original, and what lies between
    mixes the two gradients. Guo et al. cut p off at 1e-6; here log p is exact and needs no cut,
    which would end all learning where a network is surely wrong.
    """
    log_p = judged.log_p_true
    # The floor keeps the gradient of a power below 1 finite where p is 1.
    factor = (-log_p.expm1()).clamp(min=1e-12) ** params["gamma"]
    if params["detached"] == 1:
        factor = factor.detach()
    else:
        factor = torch.lerp(factor, factor.detach(), params["detached"])
    alpha = torch.where(judged.target > 0, params["alpha"], 1 - params["alpha"])
    return -judged.mean(alpha.to(log_p.dtype) * factor * log_p)


def l1(judged: Judged, params: Mapping[str, float]) -> Tensor:
    """``|p - y|``, mean over the classes: the mean absolute error."""
    return judged.mean((judged.p - judged.y).abs().mean(1))


def mse(judged: Judged, params: Mapping[str, float]) -> Tensor:
    """``(p - y)²``, mean over the classes: the mean squared error (Brier's score)."""
    return judged.mean((judged.p - judged.y).square().mean(1))


def _log_rest(judged: Judged) -> Tensor:
    """``log(1 - p)`` of every class, ``(N, K, …)``; ``1 - p`` is 1e-6 at least.

    The floor loses nothing: where p is larger and wrong, ``log p`` of the painted class pulls as
    hard.
    """
    return (1 - judged.p).clamp(min=_LEAST).log()
