"""What a training will take, said roughly and honestly; and times in words. No Qt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from msgspec import structs

from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.runs.estimate import Speed, is_fitted, memory_bytes, training_duration
from orgseg_app.runs.recipes.costs import parameters
from orgseg_app.runs.recipes.schema import Recipe

SMALLEST_PATCH = 64


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
    speeds = (
        Speed(entry.name, entry.recipe, entry.patches_per_s)
        for entry in earlier
        if entry.patches_per_s and entry.recipe is not None
    )
    found = training_duration(recipe, speeds, channels=channels, classes=classes)
    seconds = (found.shortest, found.longest)
    if is_fitted(recipe):
        return Estimate(seconds, memory, is_fitted=True)
    try:
        learnt = parameters(recipe.network, channels, classes)
    except KeyError:
        learnt = None
    return Estimate(seconds, memory, found.basis, learnt)


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
