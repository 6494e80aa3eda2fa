"""Several answers of one network, judged together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from orgseg_app.learn.losses.registry import total_loss

if TYPE_CHECKING:
    from orgseg_app.learn.networks.network import Head
    from orgseg_app.runs.recipes.schema import LossTerm


def heads_loss(
    heads: Sequence[Head],
    target: Tensor,
    weights: Tensor,
    *,
    terms: Iterable[LossTerm],
    class_weights: Tensor | None = None,
) -> Tensor:
    """The sum of what all answers cost, each times its weight.

    Parameters
    ----------
    heads
        Answers of a network, at full size or coarser.
    target, weights, terms, class_weights
        As in `registry.total_loss`, at full size. For a coarser answer every voxel is judged by
        the one painted at its centre.

    Returns
    -------
    Tensor
        A float32 scalar.
    """
    terms = tuple(terms)
    parts = [
        head.weight
        * total_loss(
            head.logits,
            reduced(target, head.logits.shape[2:]),
            reduced(weights, head.logits.shape[2:]),
            terms=terms,
            class_weights=class_weights,
        )
        for head in heads
    ]
    return parts[0] if len(parts) == 1 else torch.stack(parts).sum()


def reduced(values: Tensor, size: Sequence[int]) -> Tensor:
    """Values ``(N, …)`` at a coarser size: those at the centres of the coarser voxels.

    Examples
    --------
    >>> reduced(torch.arange(6)[None], [3])
    tensor([[1, 3, 5]])
    """
    for axis, coarse in enumerate(size, start=1):
        fine = values.shape[axis]
        if coarse != fine:
            centres = (2 * torch.arange(coarse, device=values.device) + 1) * fine
            values = values.index_select(axis, centres // (2 * coarse))
    return values
