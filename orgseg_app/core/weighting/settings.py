"""What decides the weights of an image: class balance, edges, floor, and what is left out.

Guay, Emam, Anderson, Aronova, Pokrovskaya, Storrie and Leapman, Dense cellular segmentation for EM
using 2D-3D neural network ensembles, Scientific Reports 11, 2021, for all numbers. How they put
class balance and edges together is not told; both ways are offered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.parameter import Parameter, complete

SUM, PRODUCT = COMBINATIONS = ("sum", "product")

PARAMETERS: Mapping[str, Parameter] = {
    "strength": Parameter(25, 0, 1000, "Weight of the strongest edge voxel of an image."),
    "reach": Parameter(50, 1, 500, "How long edges spread, in steps; a step is 1 voxel at most."),
    "floor": Parameter(0.01, 0, 1, "What a painted voxel counts at least; 0 may leave some out."),
    "spread": Parameter(0.2, 0.01, 1, "Share that a voxel takes over from its neighbours a step."),
    "decay": Parameter(0.98, 0.5, 1, "Share that is left after a step."),
    "threshold": Parameter(0.2, 0, 0.99, "What is taken off in the end, so that edges are narrow."),
}


@dataclass(frozen=True)
class EdgePair:
    """Between which classes edges count more.

    Attributes
    ----------
    sources
        Class ids from which edges are felt, at least one.
    targets
        Class ids of the voxels that count more where sources are near, at least one.
    both
        The other way round as well, so that voxels on both sides count more.
    """

    sources: tuple[int, ...]
    targets: tuple[int, ...]
    both: bool = True

    def __post_init__(self) -> None:
        if not self.sources or not self.targets:
            raise ValueError("A pair of classes needs a class on both sides.")
        if shared := sorted({*self.sources} & {*self.targets}):
            raise ValueError(f"The class {shared[0]} lies on both sides of a pair of classes.")


@dataclass(frozen=True)
class WeightSettings:
    """Everything that decides the weights of an image, beside its mask.

    Attributes
    ----------
    balance
        Whether rare classes count more; all painted voxels count 1 otherwise.
    edges
        Whether voxels near another class count more.
    pairs
        Between which classes; all structures against background where it is empty.
    strength, reach, floor, spread, decay, threshold
        See `PARAMETERS`.
    combine
        ``"sum"`` or ``"product"`` of class balance and edges.
    left_out
        Class ids that do not count at all, as unlabelled voxels do not.
    """

    balance: bool = True
    edges: bool = True
    pairs: tuple[EdgePair, ...] = ()
    strength: float = PARAMETERS["strength"].default
    reach: int = int(PARAMETERS["reach"].default)
    floor: float = PARAMETERS["floor"].default
    spread: float = PARAMETERS["spread"].default
    decay: float = PARAMETERS["decay"].default
    threshold: float = PARAMETERS["threshold"].default
    combine: str = SUM
    left_out: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        complete("settings", "weights", {k: getattr(self, k) for k in PARAMETERS}, PARAMETERS)
        if self.combine not in COMBINATIONS:
            raise ValueError(f"Weights are combined as sum or product, not as {self.combine!r}.")

    def directions(self, class_ids: Sequence[int]) -> tuple[Direction, ...]:
        """From which classes to which edges are felt, pairs that count both ways as two.

        Parameters
        ----------
        class_ids
            Of the project, background among them. Those it does not have are left out.

        Returns
        -------
        tuple of (sources, targets)
            Classes that do not count at all feel nothing, but are felt.
        """
        if not self.edges:
            return ()
        found = []
        for pair in self.pairs or structures_against_background(class_ids):
            ways = [(pair.sources, pair.targets)]
            if pair.both:
                ways.append((pair.targets, pair.sources))
            for felt, feeling in ways:
                sources = tuple(i for i in felt if i in class_ids)
                targets = tuple(i for i in feeling if i in class_ids and i not in self.left_out)
                if sources and targets:
                    found.append((sources, targets))
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        made = {field.name: getattr(self, field.name) for field in fields(self)}
        pairs = [[list(p.sources), list(p.targets), p.both] for p in self.pairs]
        return made | {"pairs": pairs, "left_out": list(self.left_out)}


Direction = tuple[tuple[int, ...], tuple[int, ...]]
"""Class ids that edges are felt from, and those that feel them."""


def structures_against_background(class_ids: Sequence[int]) -> tuple[EdgePair, ...]:
    """The pair that is meant where none is given; none where there is no structure."""
    structures = tuple(i for i in class_ids if i != BACKGROUND)
    return (EdgePair(structures, (BACKGROUND,)),) if structures else ()
