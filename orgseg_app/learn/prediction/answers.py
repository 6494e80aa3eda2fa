"""What the outputs of a network mean: probabilities of classes, and what objects are made of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from orgseg_app.core.augmentation.turns import Turn
from orgseg_app.core.instances.centres import NOWHERE, STEPS_A_VOXEL
from orgseg_app.core.instances.targets import CENTRE, COMPONENTS, EDGE, INTERIOR, TARGETS, Target
from orgseg_app.learn.checkpoint import Model
from orgseg_app.learn.losses.instances import WAY

_HIGHEST = 255


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
        Also say what objects are made of: how deep in one each voxel lies, or how near to its
        centre, and the way there. Left out otherwise.

    Returns
    -------
    Tensor
        ``(N, K, …)`` probabilities, and ``(N, K + 1, …)`` with the depth: see
        `core.instances.grouping.seed_map`, of which this is the same on a device. With heat and
        ways ``(N, K + 1 + axes, …)``, ways as `core.instances.centres.as_layer` puts them; a
        mean of ways is a way.
    """
    probabilities = functional.softmax(logits[:, :classes], dim=1)
    if not want_depth:
        return probabilities
    said = logits[:, classes:]
    if target.has_centre:
        ways = said[:, 1:] * (WAY * STEPS_A_VOXEL) + NOWHERE
        return torch.cat([probabilities, said[:, :1].clamp(0, 1), _shares(ways)], dim=1)
    if not target.has_boundary:
        depth = said[:, :1].sigmoid()
    else:
        depth = functional.softmax(said[:, : EDGE + 1], dim=1)[:, INTERIOR : INTERIOR + 1]
        if target.has_distance:
            depth = (depth * said[:, EDGE + 1 :].sigmoid()).sqrt()
    return torch.cat([probabilities, depth], dim=1)


def turned_ways(said: Tensor, turn: Turn, target: Target) -> Tensor:
    """Answers laid back after a turn, with ways that point where they do in the picture.

    Parameters
    ----------
    said
        ``(N, K + 1 + axes, [Z,] Y, X)``, as `answers` gives it of a turned picture, each voxel
        where it was before the turn.
    turn
        How the picture was turned.
    target
        What the network has learnt of single objects; without ways nothing is changed.
    """
    if not target.has_centre or turn == Turn():
        return said
    down, right = (said[:, axis] - NOWHERE / _HIGHEST for axis in (-2, -1))
    right = -right if turn.flip else right
    for _ in range(turn.quarters):  # laid back, the right of the picture is down once more
        down, right = right, -down
    both = torch.stack([down, right], dim=1) + NOWHERE / _HIGHEST
    return torch.cat([said[:, :-2], both], dim=1)


def _shares(steps: Tensor) -> Tensor:
    return (steps / _HIGHEST).clamp(0, 1)


def shared_target(models: Sequence[Model]) -> str:
    """What all models say of single objects: a key of `TARGETS`, `COMPONENTS` if they differ.

    A depth of one kind and one of another mean different things, so their mean means nothing; nor
    do centres of planes and those of volumes have one.
    """
    targets = {model.recipe.objects for model in models}
    shared = targets.pop() if len(targets) == 1 else COMPONENTS
    is_mixed = len({model.network.dimensions for model in models}) > 1
    return COMPONENTS if is_mixed and shared == CENTRE else shared


def says_depth(target: str) -> bool:
    """Whether models of a target say how deep in an object voxels lie."""
    return bool(TARGETS[target].layers)
