"""What a training will take, said roughly and honestly; and times in words. No Qt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.runs.recipe import Recipe

SLOW_FLOPS, FAST_FLOPS = 0.6e11, 3e11
"""Floating-point operations a second of ordinary processors in training, measured on two cores of
a 2024 server (2.2e11 in float32, 4.7e11 in bfloat16) and lowered for laptops."""

START_S = 5.0
"""Starting the job, and checks and scores beside the learning, at the least."""

PROCESS_BYTES = 650e6
"""What the job takes before it holds a single image."""


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
    """

    seconds: tuple[float, float]
    memory_bytes: float
    basis: str = ""

    @property
    def text(self) -> str:
        """One line for the person."""
        memory = f"{self.memory_bytes / 1e9:.1f} GB of memory"
        low, high = self.seconds
        if self.basis:
            return f"{_sentence(duration(low))} and {memory}, going by “{self.basis}”"
        if duration(low) == duration(high):
            return f"{_sentence(duration(low))} and {memory}"
        return f"Roughly {_span(low, high)} without a graphics card, much less with one; {memory}"


def flops_per_patch(recipe: Recipe) -> float:
    """Operations to learn from one patch: a U-Net of double 3 × 3 convolutions, there and back.

    Every level of the network costs about the same, since halving the picture makes a quarter of
    the pixels and doubles the features.
    """
    width, depth = recipe.network.width, recipe.network.depth
    per_pixel = (42.0 * depth + 13.5) * width**2
    return 2 * 3 * per_pixel * recipe.patch_size**2


def memory_bytes(recipe: Recipe) -> float:
    """Memory of the job: about 22 numbers a pixel and unit of width are kept for the way back."""
    pixels = recipe.batch_size * recipe.patch_size**2
    parameters = 9 * 3.4 * (recipe.network.width * 2**recipe.network.depth) ** 2
    return PROCESS_BYTES + 22 * 4 * recipe.network.width * pixels + 16 * parameters


def estimate(recipe: Recipe, earlier: Iterable[RunEntry] = ()) -> Estimate:
    """Time and memory of a training.

    Parameters
    ----------
    recipe : Recipe
    earlier : iterable of RunEntry
        Runs on this computer, oldest first; the newest one that told its speed counts.
    """
    work = flops_per_patch(recipe) * recipe.batch_size * recipe.steps
    speed, basis = None, ""
    for entry in earlier:
        if entry.patches_per_s and entry.recipe is not None:
            speed, basis = entry.patches_per_s * flops_per_patch(entry.recipe), entry.name
    limit = recipe.max_minutes * 60 or float("inf")
    if speed:
        seconds = START_S + min(work / speed, limit)
        return Estimate((seconds, seconds), memory_bytes(recipe), basis)
    return Estimate(
        (START_S + min(work / FAST_FLOPS, limit), START_S + min(work / SLOW_FLOPS, limit)),
        memory_bytes(recipe),
    )


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
