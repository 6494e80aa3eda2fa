"""Which fields of a recipe have no effect, given the others: a form hides them."""

from __future__ import annotations

from orgseg_app.runs.recipes.fields import recipe_fields
from orgseg_app.runs.recipes.networks import NETWORK_NAMES

_BY_SCHEDULE = {
    "decay_factor": ("step", "multi_step", "plateau"),
    "decay_steps": ("step",),
    "milestones": ("multi_step",),
    "plateau_checks": ("plateau",),
}
"""Field → schedules that heed it."""

_OF_EVERY_FIT = frozenset({"preprocess", "network.name", "seed"})
"""What a network that is fitted at once heeds, beside its own fields."""


def idle_fields(network: str, *, schedule: str, class_weights: str) -> frozenset[str]:
    """Paths of the fields that change nothing.

    Parameters
    ----------
    network, schedule, class_weights
        As in a recipe. An unknown network heeds every field.

    Examples
    --------
    >>> sorted(idle_fields("unet", schedule="cosine", class_weights="manual"))[:3]
    ['decay_factor', 'decay_steps', 'milestones']
    """
    info = NETWORK_NAMES.get(network)
    idle = {path for path, heeding in _BY_SCHEDULE.items() if schedule not in heeding}
    if class_weights != "manual":
        idle.add("class_weight_values")
    if info is None:
        return frozenset(idle)
    own = {f"network.{name}" for name in info.heeded}
    if len(info.fusions) < 2:
        own.discard("network.fusion")
    for field in recipe_fields():
        if not field.group:
            continue
        if field.path.startswith("network.") and field.path != "network.name":
            is_heeded = field.path in own
        else:
            is_heeded = not info.is_fitted or field.path in _OF_EVERY_FIT
        if not is_heeded:
            idle.add(field.path)
    if info.dimensions == 2:
        idle.add("patch_depth")
    return frozenset(idle)
