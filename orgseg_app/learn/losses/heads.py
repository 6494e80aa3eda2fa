"""Several answers of one network, judged together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from orgseg_app.learn.losses.instances import instance_loss
from orgseg_app.learn.losses.registry import total_loss

if TYPE_CHECKING:
    from orgseg_app.core.instances.targets import Target
    from orgseg_app.learn.networks.network import Head
    from orgseg_app.runs.recipes.schema import LossTerm


def heads_loss(
    heads: Sequence[Head],
    target: Tensor,
    weights: Tensor,
    *,
    terms: Iterable[LossTerm],
    class_weights: Tensor | None = None,
    objects: Target | None = None,
    instances: Tensor | None = None,
) -> Tensor:
    """The sum of what all answers cost, each times its weight.

    Parameters
    ----------
    heads
        Answers of a network, at full size or coarser.
    target, weights, terms, class_weights
        As in `registry.total_loss`, at full size. For a coarser answer every voxel is judged by
        the one painted at its centre.
    objects, instances
        What the last outputs say of single objects, and what is right: ``(N, L, …)`` uint8, see
        `instances.instance_loss`. None where all outputs are classes.

    Returns
    -------
    Tensor
        A float32 scalar.
    """
    terms = tuple(terms)

    def cost(logits: Tensor) -> Tensor:
        size = logits.shape[2:]
        counted = reduced(weights, size)
        classes = logits.shape[1]
        if instances is not None and objects is not None:
            classes -= objects.outputs(len(size))
        of_classes = total_loss(
            logits[:, :classes],
            reduced(target, size),
            counted,
            terms=terms,
            class_weights=class_weights,
        )
        if instances is None or objects is None:
            return of_classes
        layers = [reduced(layer, size) for layer in instances.unbind(1)]
        return of_classes + instance_loss(logits[:, classes:], layers, counted, objects)

    parts = [head.weight * cost(head.logits) for head in heads]
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
