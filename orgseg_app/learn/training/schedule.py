"""How the learning rate rises and falls, and what improves the network: functions of the recipe."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from orgseg_app.runs.recipes.schema import Recipe

_ADAPTIVE = ("adam", "adamw")
_FIRST_GUESSES = 0.02
"""Share of the training in which adaptive optimisers still learn how long their steps should be."""


def _cosine(recipe: Recipe, step: int, progress: float) -> float:
    """Half a cosine from 1 to 1 % (Loshchilov & Hutter 2017)."""
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))


def _step(recipe: Recipe, step: int, progress: float) -> float:
    """One fall every `decay_steps`, or after each third of the training."""
    falls = step // recipe.decay_steps if recipe.decay_steps else min(int(progress * 3), 2)
    return float(recipe.decay_factor**falls)


def _multi_step(recipe: Recipe, step: int, progress: float) -> float:
    """One fall at each milestone."""
    return float(recipe.decay_factor ** sum(progress >= m for m in recipe.milestones))


def _level(recipe: Recipe, step: int, progress: float) -> float:
    return 1.0


SCHEDULES: dict[str, Callable[[Recipe, int, float], float]] = {
    "constant": _level,
    "cosine": _cosine,
    "step": _step,
    "multi_step": _multi_step,
    "plateau": _level,  # its falls follow the validation scores: `after_check`
}
"""Name → share of the learning rate at a step and at a progress of 0…1."""


def learning_rate(recipe: Recipe, step: int, progress: float, *, fallen: float = 1.0) -> float:
    """The learning rate of one step.

    Parameters
    ----------
    recipe
        Its rate, schedule and warm-up.
    step
        Steps done so far.
    progress
        0…1 through the training, by steps or by the time limit.
    fallen
        What the falls of the schedule ``plateau`` have left of it, 0…1.

    Notes
    -----
    With `warmup_steps` it rises linearly from nothing over these steps (Goyal et al. 2017).
    Without, the adaptive optimisers still rise over their first 2 % of the training: the second
    moments that scale their steps are guesses there.
    """
    progress = min(max(progress, 0.0), 1.0)
    rate = recipe.learning_rate * fallen * SCHEDULES[recipe.schedule](recipe, step, progress)
    if recipe.warmup_steps:
        return rate * min(1.0, (step + 1) / recipe.warmup_steps)
    if recipe.optimiser in _ADAPTIVE:
        return rate * min(1.0, 0.05 + 0.95 * progress / _FIRST_GUESSES)
    return rate


def after_check(recipe: Recipe, *, is_best: bool, stalled: int, fallen: float) -> tuple[int, float]:
    """What a check of the validation images means for the schedule ``plateau``.

    Parameters
    ----------
    recipe
        After `plateau_checks` checks in a row that are not the best so far the rate falls by
        `decay_factor`.
    is_best
        Whether this check was the best so far.
    stalled, fallen
        Checks without improvement since the last fall, and what earlier falls have left.

    Returns
    -------
    stalled, fallen
        The same afterwards.
    """
    if recipe.schedule != "plateau":
        return 0, 1.0
    stalled = 0 if is_best else stalled + 1
    if stalled >= recipe.plateau_checks:
        return 0, fallen * recipe.decay_factor
    return stalled, fallen


def build_optimiser(
    recipe: Recipe, parameters: Iterable[nn.Parameter], *, fused: bool = False
) -> torch.optim.Optimizer:
    """The recipe's optimiser over some parameters.

    Parameters
    ----------
    recipe
        Its name, momentum, weight decay and learning rate.
    parameters
        What it improves.
    fused
        One pass over the memory a step instead of many (processors and NVIDIA cards).
    """
    return OPTIMISERS[recipe.optimiser](
        list(parameters),
        recipe.momentum,
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        fused=fused,
    )


def _unbound(kind: type[torch.optim.Optimizer]) -> Any:
    """An optimiser without its ties to torch's compiler: the same arithmetic, begun sooner.

    Torch wraps some methods so that its compiler passes over them, and imports the whole compiler
    for that, which takes longer (1.2 s) than the first step.
    """

    class Unbound(kind):  # type: ignore[valid-type, misc]
        add_param_group = inspect.unwrap(kind.add_param_group)
        step = torch.no_grad()(inspect.unwrap(kind.step))

    Unbound.__name__ = kind.__name__
    return Unbound


_AdamW, _Adam, _SGD = (
    _unbound(kind) for kind in (torch.optim.AdamW, torch.optim.Adam, torch.optim.SGD)
)

OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": lambda p, momentum, **more: _AdamW(p, betas=(momentum, 0.999), **more),
    "adam": lambda p, momentum, **more: _Adam(p, betas=(momentum, 0.999), **more),
    "sgd": lambda p, momentum, **more: _SGD(p, momentum=momentum, **more),
}
