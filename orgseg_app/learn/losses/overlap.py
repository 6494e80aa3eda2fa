"""Losses that judge how two areas overlap, class by class.

Of all of them: areas are sums of voxel weights, so that an unlabelled voxel (weight 0) is in none
of them and a voxel of weight 2 counts as two; the loss of a patch is the mean over the classes
painted in it, by class weights. Of two classes only the second is judged, as published, so that
class weights then tell only how much patches count in which background alone is painted: there
it is background that is judged, for the second gives no gradient at all. Twice all weights is the
same loss, but for the numbers that keep fractions from being 0/0 (1e-10, 1e-5; "smooth").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from orgseg_app.learn.losses.judged import Judged
from orgseg_app.learn.losses.voxelwise import bce

_EPSILON = 1e-5
_STEEPEST = 1e-6


class Areas(NamedTuple):
    """Weighted sums over the voxels of each patch, ``(N, C)`` float32.

    Attributes
    ----------
    answered, painted, both, squares
        Σ p, Σ y, Σ p·y and Σ p² (0 unless asked for).
    labelled
        Σ 1.
    """

    answered: Tensor
    painted: Tensor
    both: Tensor
    squares: Tensor
    labelled: Tensor

    def of_the_rest(self) -> Areas:
        """The same of ``1 - p`` and ``1 - y``."""
        rest = self.labelled - self.answered
        return Areas(
            rest,
            self.labelled - self.painted,
            rest - self.painted + self.both,
            rest - self.answered + self.squares,
            self.labelled,
        )

    def of_the_batch(self) -> Areas:
        """The same of all patches as if they were one, ``(1, C)``."""
        return Areas(*(area.sum(0, keepdim=True) for area in self))


Formula = Callable[[Areas], Tensor]
"""Areas ``(N, C)`` → loss ``(N, C)``."""


def areas_of(judged: Judged, *, squares: bool = False) -> Areas:
    """The areas of a batch, patch by patch; Σ p² only when asked for."""
    p, w, wy = judged.p.flatten(2), judged.weights.flatten(1)[:, None], judged.wy.flatten(2)
    wp, painted = w * p, wy.sum(2)
    second = (wp * p).sum(2) if squares else torch.zeros_like(painted)
    return Areas(wp.sum(2), painted, (wy * p).sum(2), second, w.sum(2))


def mean_of_painted(judged: Judged, areas: Areas, formula: Formula) -> Tensor:
    """Mean of a formula over patches and the classes painted in each, by class weights."""
    loss, painted = formula(areas), areas.painted > 0
    weights = judged.class_weights
    if not judged.is_binary:
        counts = painted.to(loss.dtype)
        if weights is not None:
            counts = counts * weights
    else:
        loss = torch.where(painted, loss, formula(areas.of_the_rest()))
        counts = (areas.labelled > 0).to(loss.dtype)
        if weights is not None:
            counts = counts * torch.where(painted, weights[1], weights[0])
    return (loss * counts).sum() / counts.sum().clamp(min=1e-8)


def _dice_of(areas: Areas, smooth: float) -> Tensor:
    return 1 - (2 * areas.both + smooth) / (areas.answered + areas.painted + smooth)


def _tversky_of(areas: Areas, alpha: float, beta: float) -> Tensor:
    wrong = alpha * (areas.answered - areas.both) + beta * (areas.painted - areas.both)
    return 1 - (areas.both + _EPSILON) / (areas.both + wrong + _EPSILON)


def soft_iou(judged: Judged, params: Mapping[str, float]) -> Tensor:
    """``1 - Σpy / (Σ(p² + y) - Σpy + 1e-10)`` (Guo, Luo, Li and Yang 2020).

    Examples
    --------
    Two voxels, one of them structure, p = ½ for both: 1 - ½ / (½ + 1 - ½).

    >>> target = torch.tensor([[[0, 1]]])
    >>> soft_iou(judge(torch.zeros(1, 2, 1, 2), target, torch.ones(1, 1, 2)), {}).item()
    0.5
    """

    def formula(areas: Areas) -> Tensor:
        return 1 - areas.both / (areas.squares + areas.painted - areas.both + 1e-10)

    return mean_of_painted(judged, areas_of(judged, squares=True), formula)


def dice(judged: Judged, params: Mapping[str, float]) -> Tensor:
    """``1 - (2Σpy + s) / (Σp + Σy + s)``, s = ``smooth`` (Milletari et al. 2016)."""
    smooth = params["smooth"]
    return mean_of_painted(judged, areas_of(judged), lambda areas: _dice_of(areas, smooth))


def bce_dice(judged: Judged, params: Mapping[str, float]) -> Tensor:
    """BCE + ``dice_weight`` · (1 - Dice), the Dice of the whole batch as if it were one patch.

    The loss of the "Cells Segger" notebooks: weight ½, smooth 1. Of two classes the second alone
    is judged, also where it is not painted, as there; ``smooth`` gives it a gradient.
    """
    smooth, areas = params["smooth"], areas_of(judged).of_the_batch()
    if judged.is_binary:
        part = _dice_of(areas, smooth).sum()
    else:
        part = mean_of_painted(judged, areas, lambda each: _dice_of(each, smooth))
    return bce(judged, params) + params["dice_weight"] * part


def tversky(judged: Judged, params: Mapping[str, float]) -> Tensor:
    """``1 - TP / (TP + α·FP + β·FN)`` in sums of p (Salehi, Erdogmus and Gholipour 2017).

    ½ and ½ is Dice; a larger ``beta`` punishes what is missed more than what is too much.
    """
    alpha, beta = params["alpha"], params["beta"]
    return mean_of_painted(judged, areas_of(judged), lambda a: _tversky_of(a, alpha, beta))


def focal_tversky(judged: Judged, params: Mapping[str, float]) -> Tensor:
    """The Tversky loss to the power ``1/γ``, class by class (Abraham and Khan 2019, ISBI).

    A root is the steeper the smaller the loss, so that what is nearly right is pulled on as well;
    below 1e-6 it is flat, for at 0 a root is infinitely steep.
    """
    alpha, beta, power = params["alpha"], params["beta"], 1 / params["gamma"]

    def formula(areas: Areas) -> Tensor:
        return _tversky_of(areas, alpha, beta).clamp(min=_STEEPEST) ** power - _STEEPEST**power

    return mean_of_painted(judged, areas_of(judged), formula)


def lovasz(judged: Judged, params: Mapping[str, float]) -> Tensor:
    """The Lovász extension of the Jaccard loss, softmax form (Berman et al. 2018, CVPR).

    The errors ``|y - p|`` of the painted voxels, sorted, times what each adds to ``1 - IoU``;
    unlabelled voxels take no part in the sorting.
    """
    losses, counts = [], []
    p, y, w = judged.p.flatten(2), judged.y.flatten(2), judged.weights.flatten(1)
    # Unbound at once: the gradients of single patches would each be as large as the batch.
    for p_n, y_n, w_n in zip(p.unbind(), y.unbind(), w.unbind(), strict=True):
        places = w_n.nonzero()[:, 0]
        if not len(places):
            continue
        p_n, y_n = p_n[:, places], y_n[:, places]
        painted = y_n.any(1)
        if judged.is_binary:
            p_n = torch.where(painted[:, None], p_n, 1 - p_n)
            y_n = torch.where(painted[:, None], y_n, 1 - y_n)
        counts.append(_class_counts(judged, painted, p.dtype))
        losses.append(_sorted_jaccard(p_n, y_n, w_n[places]))
    if not losses:
        return p.sum() * 0
    count = torch.stack(counts)
    return (torch.stack(losses) * count).sum() / count.sum().clamp(min=1e-8)


def _class_counts(judged: Judged, painted: Tensor, dtype: torch.dtype) -> Tensor:
    """How much each class ``(C,)`` of one patch counts."""
    weights = judged.class_weights
    if judged.is_binary:
        # Its mirror is judged where the second class is not painted.
        return painted.new_ones(1, dtype=dtype) if weights is None else weights[painted.long()]
    return painted.to(dtype) if weights is None else painted * weights


def _sorted_jaccard(p: Tensor, y: Tensor, weights: Tensor) -> Tensor:
    """Lovász extension of ``1 - IoU`` for each class.

    Parameters
    ----------
    p, y
        ``(C, V)``, of painted voxels only.
    weights
        ``(V,)``; a voxel of weight 2 counts as two with the same error.
    """
    errors, order = (y - p).abs().sort(dim=1, descending=True, stable=True)
    with torch.no_grad():
        # What a voxel adds is a small difference of large sums, so in float64 where there is one.
        exact = p.dtype if p.device.type == "mps" else torch.float64
        y, weights = y.gather(1, order).to(exact), weights[order].to(exact)
        mine = weights * y
        area = mine.sum(1, keepdim=True)
        left = area - mine.cumsum(1)
        union = area + (weights - mine).cumsum(1)
        loss = 1 - left / union.clamp(min=1e-12)
        steps = loss.diff(dim=1, prepend=torch.zeros_like(area)).to(p.dtype)
    return (errors * steps).sum(1)
