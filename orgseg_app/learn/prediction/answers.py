"""What the outputs of a network mean: probabilities of classes, and how deep in an object."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from orgseg_app.core.instances.targets import COMPONENTS, EDGE, INTERIOR, TARGETS, Target
from orgseg_app.learn.checkpoint import Model


def answers(logits: Tensor, classes: int, target: Target, *, want_depth: bool) -> Tensor:
    """What a network says of each voxel, in numbers from 0 to 1 that may be averaged.

    Parameters
    ----------
    logits
        ``(N, K + outputs, …)`` float32: K classes, then what the target has.
    classes
        K.
    target
        What the network has learnt of single objects.
    want_depth
        Also say how deep in an object each voxel lies; left out otherwise.

    Returns
    -------
    Tensor
        ``(N, K, …)`` probabilities, and ``(N, K + 1, …)`` with the depth: see
        `core.instances.grouping.seed_map`, of which this is the same on a device.
    """
    probabilities = functional.softmax(logits[:, :classes], dim=1)
    if not want_depth:
        return probabilities
    said = logits[:, classes:]
    if not target.has_boundary:
        depth = said[:, :1].sigmoid()
    else:
        depth = functional.softmax(said[:, : EDGE + 1], dim=1)[:, INTERIOR : INTERIOR + 1]
        if target.has_distance:
            depth = (depth * said[:, EDGE + 1 :].sigmoid()).sqrt()
    return torch.cat([probabilities, depth], dim=1)


def shared_target(models: Sequence[Model]) -> str:
    """What all models say of single objects: a key of `TARGETS`, `COMPONENTS` if they differ.

    A depth of one kind and one of another mean different things, so their mean means nothing.
    """
    targets = {model.recipe.objects for model in models}
    return targets.pop() if len(targets) == 1 else COMPONENTS


def says_depth(target: str) -> bool:
    """Whether models of a target say how deep in an object voxels lie."""
    return bool(TARGETS[target].layers)
