"""What a training will take on this computer: seconds and bytes, roughly and honestly."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from orgseg_app.runs.recipes.costs import (
    features_per_pixel,
    flops_per_pixel,
    parameters,
    patch_of,
    patch_voxels,
)
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.schema import NetworkChoice, Recipe

SLOW_FLOPS, FAST_FLOPS = 0.6e11, 3e11
"""Floating-point operations a second of ordinary processors in training, measured on two cores of
a 2024 server (2.2e11 in float32, 4.7e11 in bfloat16) and lowered for laptops."""

START_S = 5.0
"""Starting the job, and checks and scores beside the learning, at the least."""

ALIKE = 8.0
"""A run tells of another one's speed when a patch costs no more than so many times as much: tiny
networks spend their time on other things than computing."""

PROCESS_BYTES = 650e6
"""What the job takes before it holds a single image."""

WORKING_ROOM = 1.25
"""Beside what is kept for the way back, its gradients and what convolutions set aside; a U-Net of
width 16 in float32 held 1.54 GB where 1.37 were counted without (half of that in bfloat16)."""

FITTED_S = 60.0
"""The longest that a network takes that is fitted at once."""

_LIKE_RESNET18 = NetworkChoice(name="unet", depth=4, width=32)


class Speed(NamedTuple):
    """How quick an earlier training on this computer was.

    Attributes
    ----------
    name : str
        Of the run.
    recipe : Recipe
    patches_per_s : float
    """

    name: str
    recipe: Recipe
    patches_per_s: float


class Duration(NamedTuple):
    """How long a training takes.

    Attributes
    ----------
    shortest, longest : float
        Seconds; equal when earlier runs told the speed.
    basis : str
        Name of the run whose speed was used, or "".
    """

    shortest: float
    longest: float
    basis: str = ""


def flops_per_patch(recipe: Recipe, *, channels: int = 1, classes: int = 2) -> float:
    """Operations to learn from one patch, there and back (the way back takes twice the way there).

    A network whose cost is not known beforehand is taken for a U-Net with an encoder like
    ResNet-18's.
    """
    try:
        per_pixel = flops_per_pixel(recipe.network, channels, classes, patch=patch_of(recipe))
    except KeyError:
        per_pixel = flops_per_pixel(_LIKE_RESNET18, channels, classes)
    return 3 * per_pixel * patch_voxels(recipe)


def memory_bytes(recipe: Recipe, *, channels: int = 1, classes: int = 2) -> float:
    """Memory of the job: what is kept for the way back, the weights, and what learning notes."""
    if is_fitted(recipe):
        return PROCESS_BYTES
    try:
        features = features_per_pixel(recipe.network, patch=patch_of(recipe))
        weights = parameters(recipe.network, channels, classes)
    except KeyError:
        features = features_per_pixel(_LIKE_RESNET18)
        weights = parameters(_LIKE_RESNET18, channels, classes)
    # The weights, their gradients, and one moment (SGD) or two (Adam); a mean of the weights.
    copies = (3 if recipe.optimiser == "sgd" else 4) + (1 if recipe.ema else 0)
    pixels = recipe.batch_size * patch_voxels(recipe)
    return PROCESS_BYTES + WORKING_ROOM * 4 * features * pixels + 4 * copies * weights


def is_fitted(recipe: Recipe) -> bool:
    """Whether the network is fitted at once, without steps."""
    info = NETWORK_NAMES.get(recipe.network.name)
    return info is not None and info.is_fitted


def training_duration(
    recipe: Recipe, earlier: Iterable[Speed] = (), *, channels: int = 1, classes: int = 2
) -> Duration:
    """Time of a training.

    Parameters
    ----------
    recipe : Recipe
    earlier : iterable of Speed
        Oldest first; the newest one counts that learned from patches of about the same cost, one of
        the same network before others.
    channels, classes : int
        Of the images; background included.
    """
    if is_fitted(recipe):
        return Duration(START_S, FITTED_S)
    patch = flops_per_patch(recipe, channels=channels, classes=classes)
    work = patch * recipe.batch_size * recipe.steps
    speed, basis, is_same = None, "", False
    for known in earlier:
        if not known.patches_per_s or is_fitted(known.recipe):
            continue
        same = known.recipe.network.name == recipe.network.name
        theirs = flops_per_patch(known.recipe, channels=channels, classes=classes)
        is_alike = 1 / ALIKE < theirs / patch < ALIKE
        if is_alike and (same or not is_same):
            speed, basis, is_same = known.patches_per_s * theirs, known.name, same
    limit = recipe.max_minutes * 60 or float("inf")
    if speed:
        seconds = START_S + min(work / speed, limit)
        return Duration(seconds, seconds, basis)
    fast, slow = (START_S + min(work / flops, limit) for flops in (FAST_FLOPS, SLOW_FLOPS))
    return Duration(fast, slow)
