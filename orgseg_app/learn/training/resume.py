"""What it takes to go on with a training as if nothing had happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import torch
from torch import Tensor

from orgseg_app.learn.device import Device
from orgseg_app.learn.layout import channels_last
from orgseg_app.runs.recipes.schema import Recipe

_PREFIX = "optimiser."


@dataclass
class State:
    """Everything that changes while training, beside weights: kept in ``last.ckpt``.

    Attributes
    ----------
    step
        Optimiser updates done.
    best_rank, best_step
        `Validation.rank` of the best state so far and when it was; None before the first.
    checks_since_best, validated_step
        For patience, and so that no check is done twice.
    stalled, fallen
        For the schedule ``plateau``, as `schedule.after_check` has them.
    validate_every
        In steps; grows on slow machines.
    active_s
        Seconds spent, without pauses.
    micro_batch, patch_size, patch_depth
        Shrunk when memory is short; the depth counts for networks of volumes only.
    device, precision
        Where the numbers came from: continuing in another precision would change them.
    """

    step: int
    validate_every: int
    micro_batch: int
    patch_size: int
    device: str
    precision: str
    best_rank: tuple[float, float] | None = None
    best_step: int = 0
    checks_since_best: int = 0
    validated_step: int = 0
    stalled: int = 0
    fallen: float = 1.0
    active_s: float = 0.0
    patch_depth: int = 1


def first_state(recipe: Recipe, device: Device) -> State:
    """That of a training that has not begun."""
    return State(
        step=0,
        validate_every=recipe.validate_every,
        micro_batch=recipe.batch_size,
        patch_size=recipe.patch_size,
        patch_depth=recipe.patch_depth,
        device=device.kind,
        precision=device.precision,
    )


def state_from(facts: Mapping[str, Any]) -> State:
    """The state noted in a checkpoint.

    Raises
    ------
    ValueError
        When a field is missing or of another kind.
    """
    return msgspec.convert(facts, State)


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's memory (moments, step counts) as named tensors."""
    learnt = [p for group in optimiser.param_groups for p in group["params"]]
    return {
        f"{_PREFIX}{index}.{key}": value
        for index, parameter in enumerate(learnt)
        for key, value in optimiser.state.get(parameter, {}).items()
        if isinstance(value, Tensor)
    }


def load_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimiser_tensors` gave; tensors go where the parameters are."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith(_PREFIX):
            index, key = name.removeprefix(_PREFIX).split(".", 1)
            state.setdefault(int(index), {})[key] = channels_last(value)
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})
