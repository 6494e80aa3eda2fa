"""What the outputs for single objects cost, beside the loss of the classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from orgseg_app.core.instances.centres import NOWHERE, STEPS_A_VOXEL
from orgseg_app.core.instances.targets import BOUNDARY_WEIGHTS, Target

HIGHEST = 255.0
"""A depth of 1 in a layer of uint8."""
WAY = 16.0
"""Voxels that an output of 1 stands for, so that ways are as large as other outputs are."""
HEAT_WEIGHT, WAY_WEIGHT = 5.0, 1.0
"""What heat and ways count beside the classes."""


def instance_loss(
    logits: Tensor, layers: Sequence[Tensor], weights: Tensor, target: Target
) -> Tensor:
    """Cross-entropy of the boundary classes, and binary cross-entropy of the depth.

    Edges count `BOUNDARY_WEIGHTS` times as much as the rest (Caicedo et al. 2019, Cytometry A 95);
    a depth is learnt as a probability is (Schmidt et al. 2018, MICCAI, "Cell detection with
    star-convex polygons", for the same depth). Both are means by weight.

    Of centres, the mean squared error of the heat, and within objects the mean absolute error of
    the ways, as Panoptic-DeepLab (Cheng et al. 2020, CVPR), by weight.

    Parameters
    ----------
    logits
        ``(N, outputs, …)``, any float type: those of the target alone.
    layers
        ``(N, …)`` uint8 each, as `core.instances.targets.target_layers` makes them.
    weights
        ``(N, …)`` float32 ≥ 0; 0 = unlabelled: such a voxel changes neither the loss nor any
        gradient, whatever the layers say.
    target
        What the network learns.

    Returns
    -------
    Tensor
        A float32 scalar; 0, and no gradient, when nothing is labelled.
    """
    with torch.autocast(logits.device.type, enabled=False):
        said = logits if logits.dtype == torch.float64 else logits.float()
        is_counted = weights > 0
        parts = []
        if target.has_boundary:
            parts.append(_boundary(said[:, :3], layers[0], weights, is_counted))
        if target.has_distance:
            parts.append(_depth(said[:, -1], layers[-1], weights, is_counted))
        if target.has_centre:
            heat = layers[0].to(said.dtype) / HIGHEST
            parts.append(HEAT_WEIGHT * _mean((said[:, 0] - heat) ** 2, weights, is_counted))
            parts.append(WAY_WEIGHT * _ways(said[:, 1:], layers, weights))
        return torch.stack(parts).sum()


def _boundary(said: Tensor, layer: Tensor, weights: Tensor, is_counted: Tensor) -> Tensor:
    classes = layer.long() * is_counted
    each = torch.tensor(BOUNDARY_WEIGHTS, dtype=said.dtype, device=said.device)[classes] * weights
    log_p = functional.log_softmax(said, dim=1).gather(1, classes[:, None])[:, 0]
    return -_mean(log_p, each, is_counted)


def _depth(said: Tensor, layer: Tensor, weights: Tensor, is_counted: Tensor) -> Tensor:
    depth = layer.to(said.dtype) / HIGHEST
    cost = functional.binary_cross_entropy_with_logits(said, depth, reduction="none")
    return _mean(cost, weights, is_counted)


def _ways(said: Tensor, layers: Sequence[Tensor], weights: Tensor) -> Tensor:
    inside = weights * (layers[0] > 0)
    ways = (torch.stack(list(layers[1:]), dim=1).to(said.dtype) - NOWHERE) / STEPS_A_VOXEL
    return _mean((said - ways / WAY).abs().sum(dim=1), inside, inside > 0)


def _mean(values: Tensor, weights: Tensor, is_counted: Tensor) -> Tensor:
    # Where nothing counts, not even what is no number may reach the sum.
    counted = torch.where(is_counted, values, torch.zeros_like(values))
    return (counted * weights).sum() / weights.sum().clamp(min=1e-8)
