"""Batches with some paint, for the tests of losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from orgseg_app.learn.losses.registry import total_loss
from orgseg_app.runs.recipes.schema import LossTerm

PLANE, VOLUME = (8, 9), (4, 6, 5)


class Painted(NamedTuple):
    """What `total_loss` judges."""

    logits: Tensor
    target: Tensor
    weights: Tensor


def painted(
    classes: int,
    *,
    size: tuple[int, ...] = PLANE,
    patches: int = 3,
    share: float = 0.4,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
) -> Painted:
    """Random answers, random classes, and weights of ½…1½ for some of the voxels."""
    torch.manual_seed(seed)
    logits = torch.randn(patches, classes, *size).to(dtype).requires_grad_()
    target = torch.randint(0, classes, (patches, *size))
    weights = (torch.rand(patches, *size) < share) * (0.5 + torch.rand(patches, *size))
    return Painted(logits, target, weights)


def loss_of(
    name: str,
    batch: tuple[Tensor, Tensor, Tensor],
    *,
    class_weights: Tensor | None = None,
    **params: float,
) -> Tensor:
    """What one loss says."""
    terms = [LossTerm(name, params=dict(params))]
    return total_loss(*batch, terms=terms, class_weights=class_weights)


def gradient_of(
    name: str, batch: Painted, params: Mapping[str, float] | None = None
) -> tuple[Tensor, Tensor]:
    """Loss, and its gradient at the logits."""
    loss = loss_of(name, batch, **(params or {}))
    (gradient,) = torch.autograd.grad(loss, batch.logits)
    return loss, gradient


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Whether two float32 tensors are the same to the last bit, the sign of 0 included."""
    return torch.equal(a.detach().view(torch.int32), b.detach().view(torch.int32))
