"""What a training will take, said roughly and honestly; and times in words. No Qt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from msgspec import structs

from orgseg_app.gui.runs.run_entry import RunEntry
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

SMALLEST_PATCH = 64

_LIKE_RESNET18 = NetworkChoice(name="unet", depth=4, width=32)


@dataclass(frozen=True)
class Estimate:
    """How long and how much.

    Attributes
    ----------
    seconds : tuple of float
        Shortest and longest; equal when earlier runs told the speed.
    memory_bytes : float
    basis : str
        Name of the run whose speed was used, or "".
    parameters : int or None
        Numbers that the network learns, where that is known beforehand.
    is_fitted : bool
        Whether there are no steps to count: the network is fitted at once.
    """

    seconds: tuple[float, float]
    memory_bytes: float
    basis: str = ""
    parameters: int | None = None
    is_fitted: bool = False

    @property
    def text(self) -> str:
        """One line for the person."""
        if self.is_fitted:
            return "Seconds to a minute, by how much is painted; no graphics card is used"
        memory = f"{self.memory_bytes / 1e9:.1f} GB of memory"
        if self.parameters is not None:
            memory += f", {_count(self.parameters)} parameters"
        low, high = self.seconds
        if self.basis:
            return f"{_sentence(duration(low))}, {memory}; going by “{self.basis}”"
        if duration(low) == duration(high):
            return f"{_sentence(duration(low))}, {memory}"
        return f"Roughly {_span(low, high)} without a graphics card, much less with one; {memory}"


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


def estimate(
    recipe: Recipe, earlier: Iterable[RunEntry] = (), *, channels: int = 1, classes: int = 2
) -> Estimate:
    """Time and memory of a training.

    Parameters
    ----------
    recipe : Recipe
    earlier : iterable of RunEntry
        Runs on this computer, oldest first; the newest one that told its speed counts, one of the
        same network before others.
    channels, classes : int
        Of the images; background included.
    """
    memory = memory_bytes(recipe, channels=channels, classes=classes)
    if is_fitted(recipe):
        return Estimate((START_S, 60.0), memory, is_fitted=True)
    patch = flops_per_patch(recipe, channels=channels, classes=classes)
    work = patch * recipe.batch_size * recipe.steps
    speed, basis, is_same = None, "", False
    for entry in earlier:
        if not entry.patches_per_s or entry.recipe is None or is_fitted(entry.recipe):
            continue
        same = entry.recipe.network.name == recipe.network.name
        theirs = flops_per_patch(entry.recipe, channels=channels, classes=classes)
        is_alike = 1 / ALIKE < theirs / patch < ALIKE
        if is_alike and (same or not is_same):
            speed, basis, is_same = entry.patches_per_s * theirs, entry.name, same
    limit = recipe.max_minutes * 60 or float("inf")
    try:
        learnt = parameters(recipe.network, channels, classes)
    except KeyError:
        learnt = None
    if speed:
        seconds = START_S + min(work / speed, limit)
        return Estimate((seconds, seconds), memory, basis, learnt)
    fast, slow = (START_S + min(work / flops, limit) for flops in (FAST_FLOPS, SLOW_FLOPS))
    return Estimate((fast, slow), memory, "", learnt)


def memory_of_computer() -> tuple[float, float]:
    """Bytes that are free now (or would be, without caches), and all there are."""
    import psutil

    memory = psutil.virtual_memory()
    return float(memory.available), float(memory.total)


@dataclass(frozen=True)
class TooLarge:
    """A training that memory will not hold.

    Attributes
    ----------
    text : str
        How much it wants, how much there is, what helps.
    changes : dict of str to int
        Path of a field → a value with which it would fit; empty when nothing simple helps.
    """

    text: str
    changes: Mapping[str, int]


def too_large(
    recipe: Recipe, free_bytes: float, total_bytes: float, *, channels: int = 1, classes: int = 2
) -> TooLarge | None:
    """What to say when a training will not fit into memory; None when it will.

    Parameters
    ----------
    recipe : Recipe
    free_bytes, total_bytes : float
        Memory of this computer that is free now, and all of it.
    channels, classes : int
        Of the images.
    """

    def wanted(batch_size: int, patch_size: int) -> float:
        other = structs.replace(recipe, batch_size=batch_size, patch_size=patch_size)
        return memory_bytes(other, channels=channels, classes=classes)

    need = wanted(recipe.batch_size, recipe.patch_size)
    room = min(free_bytes, 0.9 * total_bytes)
    if need <= room:
        return None
    batch, patch = recipe.batch_size, recipe.patch_size
    while wanted(batch, patch) > room and batch > 1:
        batch = max(1, batch // 2)
    while wanted(batch, patch) > room and patch > SMALLEST_PATCH:
        patch = max(SMALLEST_PATCH, patch // 2)
    has = "free now" if need <= 0.9 * total_bytes else "in this computer"
    there = free_bytes if need <= 0.9 * total_bytes else total_bytes
    text = f"It wants about {need / 1e9:.1f} GB of memory; {there / 1e9:.1f} GB are {has}."
    changes = {}
    if wanted(batch, patch) <= room:
        changes = {"batch_size": batch, "patch_size": patch}
        changes = {key: value for key, value in changes.items() if value != getattr(recipe, key)}
        words = {"batch_size": f"{batch} patches per step", "patch_size": f"patches of {patch}²"}
        text += f" It would fit with {' and '.join(words[key] for key in changes)}."
    else:
        text += " Choose a narrower network."
    if has == "free now":
        text += " Or close other programs."
    return TooLarge(text, changes)


def duration(seconds: float) -> str:
    """A time in words.

    Examples
    --------
    >>> duration(42), duration(100), duration(3 * 3600), duration(200_000)
    ('42 s', 'about 2 minutes', 'about 3 hours', 'about 2 days')
    """
    if seconds < 59.5:
        return f"{max(1, round(seconds))} s"
    return f"about {_bare(seconds)}"


def time_left(seconds: float | None) -> str:
    """``"2 min left"``, or "" while nobody knows."""
    if seconds is None:
        return ""
    if seconds < 59.5:
        return f"{max(1, round(seconds))} s left"
    if seconds < 5400:
        return f"{round(seconds / 60)} min left"
    return f"{seconds / 3600:.1f} h left"


def _bare(seconds: float) -> str:
    for unit, length, upto in (
        ("second", 1.0, 59.5),
        ("minute", 60.0, 5400.0),
        ("hour", 3600.0, 129_600.0),
        ("day", 86_400.0, float("inf")),
    ):
        if seconds < upto:
            count = max(1, round(seconds / length))
            return f"{count} {unit}" + ("" if count == 1 else "s")
    raise AssertionError("unreachable")


def _span(low: float, high: float) -> str:
    """``"2 to 11 seconds"``, ``"40 seconds to 3 minutes"``."""
    first, last = _bare(low).split(), _bare(high).split()
    same = first[1].rstrip("s") == last[1].rstrip("s")
    return f"{first[0]} to {' '.join(last)}" if same else f"{' '.join(first)} to {' '.join(last)}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _count(number: int) -> str:
    """``"480 thousand"``, ``"31.0 million"``."""
    return f"{number / 1e6:.1f} million" if number >= 1e6 else f"{round(number / 1e3)} thousand"
