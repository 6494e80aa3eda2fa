"""How the learning rate falls, and what improves the network: pure functions of the recipe."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from orgseg_app.runs.recipe import Recipe


def _cosine(progress: float) -> float:
    """Half a cosine from 1 to 1 % (Loshchilov & Hutter 2017)."""
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))


def _step(progress: float) -> float:
    """A tenth after each third."""
    return float(0.1 ** min(int(progress * 3), 2))


SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,
    "cosine": _cosine,
    "step": _step,
}
"""Name → share of the learning rate at a progress of 0…1."""


def learning_rate(recipe: Recipe, progress: float) -> float:
    """The learning rate at a progress of 0…1 through the training.

    The first 2 % rise linearly, for the sake of the adaptive optimisers' first guesses.
    """
    warm = min(1.0, 0.05 + 0.95 * progress / 0.02)
    return recipe.learning_rate * warm * SCHEDULES[recipe.schedule](min(max(progress, 0.0), 1.0))


def build_optimiser(recipe: Recipe, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The recipe's optimiser over some parameters."""
    rate, decay = recipe.learning_rate, recipe.weight_decay
    return OPTIMISERS[recipe.optimiser](list(parameters), rate, decay)


OPTIMISERS: dict[str, Callable[[list[nn.Parameter], float, float], torch.optim.Optimizer]] = {
    "adamw": lambda p, rate, decay: torch.optim.AdamW(p, lr=rate, weight_decay=decay),
    "adam": lambda p, rate, decay: torch.optim.Adam(p, lr=rate, weight_decay=decay),
    "sgd": lambda p, rate, decay: torch.optim.SGD(p, lr=rate, momentum=0.9, weight_decay=decay),
}
