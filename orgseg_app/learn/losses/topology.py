"""Losses that judge whether structures hang together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from orgseg_app.learn.losses.judged import Judged

_SMOOTH = 1.0


def cldice(judged: Judged, params: Mapping[str, float]) -> Tensor:
    """``1 - 2·T_prec·T_sens / (T_prec + T_sens)`` (Shit et al. 2021, CVPR).

    T_prec is the share of the answer's centre lines that lies in what is painted, T_sens the share
    of the painted centre lines that lies in the answer; both with 1 added above and below, as
    published. The soft centre lines hold structures up to about 2·``iterations`` voxels wide.

    Background has no centre lines: every other class is judged, in every patch, mean by class
    weights. What is unlabelled (weight 0) counts as background in the answer and in the truth
    before any line is drawn, so that it reaches neither loss nor gradient; the shares are sums of
    voxel weights, so that twice all weights changes the loss a little, by the 1 that is added.
    """
    first = 0 if judged.is_binary else 1
    labelled = judged.labelled[:, None]
    p = judged.p[:, first:] * labelled
    y = judged.y[:, first:]
    times = int(params["iterations"])
    p_lines, y_lines = _soft_skeleton(p, times), _soft_skeleton(y, times)

    def share(lines: Tensor, inside: Tensor) -> Tensor:
        lines = lines.flatten(2) * judged.weights.flatten(1)[:, None]
        return ((lines * inside.flatten(2)).sum(2) + _SMOOTH) / (lines.sum(2) + _SMOOTH)

    precision, sensitivity = share(p_lines, y), share(y_lines, p)
    loss = (1 - 2 * precision * sensitivity / (precision + sensitivity)).mean(0)
    if judged.class_weights is None:
        return loss.mean()
    counts = judged.class_weights[1:]
    return (loss * counts).sum() / counts.sum().clamp(min=1e-8)


def _soft_skeleton(area: Tensor, iterations: int) -> Tensor:
    """Centre lines of areas ``(N, C, …)`` with values 0…1; differentiable.

    What vanishes when an area is eroded and grown again is line; then the same of the eroded area,
    and so on (Shit et al. 2021, algorithm 1).
    """
    lines = torch.zeros_like(area)
    for _ in range(iterations + 1):
        eroded = _eroded(area)
        lines = lines + (1 - lines) * (area - _grown(eroded)).relu()
        area = eroded
    return lines


def _eroded(area: Tensor) -> Tensor:
    """Each voxel's smallest value among itself and the neighbours it shares a face with."""
    out = area
    for axis in range(2, area.ndim):
        smallest = -_largest_of_three(-area, axis)
        out = smallest if axis == 2 else out.minimum(smallest)
    return out


def _grown(area: Tensor) -> Tensor:
    """Each voxel's largest value among itself and all its neighbours."""
    for axis in range(2, area.ndim):
        area = _largest_of_three(area, axis)
    return area


def _largest_of_three(values: Tensor, axis: int) -> Tensor:
    largest: Tensor = _LargestOfThree.apply(values, axis)  # type: ignore[no-untyped-call]
    return largest


class _LargestOfThree(torch.autograd.Function):
    """Largest of each voxel and its two neighbours along an axis.

    A tenth of the time of torch's max pooling on processors, and for any number of axes.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, axis: int) -> Tensor:
        size = values.shape[axis] - 1
        out = values.clone()
        for here, there in ((1, 0), (0, 1)):
            part = out.narrow(axis, here, size)
            torch.maximum(part, values.narrow(axis, there, size), out=part)
        ctx.save_for_backward(values, out)
        ctx.axis = axis
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        values, out = ctx.saved_tensors
        axis, size = ctx.axis, values.shape[ctx.axis] - 1
        # To the voxel itself where it is the largest, else to the one before, else to that after.
        mine = gradients[0] * (values == out)
        rest = gradients[0] - mine
        taken = rest.narrow(axis, 1, size)
        before = taken * (values.narrow(axis, 0, size) == out.narrow(axis, 1, size))
        taken -= before
        mine.narrow(axis, 0, size).add_(before)
        mine.narrow(axis, 1, size).add_(rest.narrow(axis, 0, size))
        return mine, None
