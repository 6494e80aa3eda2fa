"""How much each class counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from orgseg_app.learn.errors import DataError

if TYPE_CHECKING:
    from orgseg_app.core.classes import ClassInfo
    from orgseg_app.runs.recipes.schema import Recipe


def class_weights_of(
    recipe: Recipe, classes: Sequence[ClassInfo], voxels: Sequence[int]
) -> list[float] | None:
    """What a recipe says each class counts.

    Parameters
    ----------
    recipe
        Its ``class_weights`` is ``"none"``, ``"auto"``, ``"manual"`` or ``"share"`` (voxels are
        weighted then, see `learn.training.shares`, and no class by itself).
    classes
        The project's, background first.
    voxels
        Painted training voxels of each.

    Returns
    -------
    list of float or None
        One weight a class; None when all count the same.

    Raises
    ------
    DataError
        When the recipe names a class that the project does not have, or lets no painted class
        count.
    """
    if recipe.class_weights in ("none", "share"):
        return None
    if recipe.class_weights == "auto":
        return automatic_class_weights(voxels)
    values = recipe.class_weight_values
    names = [c.name for c in classes]
    if unknown := [name for name in values if name not in names]:
        raise DataError(
            f'The recipe weighs a class "{unknown[0]}", which this project does not have; it has '
            f"{', '.join(names)}. Change the recipe's class weights, or the class's name."
        )
    weights = [float(values.get(name, 1.0)) for name in names]
    if not any(w for w, n in zip(weights, voxels, strict=True) if n):
        raise DataError(
            "By the recipe's class weights no painted class counts, so there is nothing to learn. "
            "Give at least one of them a weight above 0."
        )
    return weights


def automatic_class_weights(voxels: Iterable[int]) -> list[float]:
    """Weights that let rare classes count more: ``1 / sqrt(share)``, at most 10 apart, mean 1.

    Parameters
    ----------
    voxels
        Painted voxels of each class; a class without any gets the mean weight.

    >>> [round(w, 2) for w in automatic_class_weights([900, 100])]
    [0.5, 1.5]
    """
    counts = list(voxels)
    total = sum(counts)
    raw = [(total / n) ** 0.5 if n else 0.0 for n in counts]
    least = min((w for w in raw if w), default=1.0)
    raw = [min(w, 10 * least) for w in raw]
    painted = [w for w in raw if w]
    mean = sum(painted) / len(painted) if painted else 1.0
    return [w / mean if w else 1.0 for w in raw]
