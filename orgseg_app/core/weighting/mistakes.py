"""Weights that make a network look again at what it got wrong.

After the loop in which masks are predicted, corrected and learned from again (leapmanlab, code of
Guay et al., Benchmarking of cell membrane label bootstrapping, ISBI 2021): per plane,
``W = max(floor, (1 + strength · G_σ(mistakes)/max) × class balance)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.parameter import Parameter, complete

MISSED, EXTRA, BOTH = KINDS = ("missed", "extra", "both")

PARAMETERS: Mapping[str, Parameter] = {
    "min_size": Parameter(10, 0, 100_000, "Voxels of the smallest mistake that counts."),
    "strength": Parameter(100, 0, 10_000, "How many times more the worst mistake counts."),
    "blur": Parameter(5, 0.1, 100, "How far around a mistake counts more, in voxels (σ)."),
    "floor": Parameter(0.08, 0, 1, "What a painted voxel counts at least."),
}


@dataclass(frozen=True)
class CorrectionSettings:
    """How a run is to look at the mistakes of the model it begins with.

    Attributes
    ----------
    mistakes
        ``"missed"``: painted as a structure and predicted as something else; ``"extra"``:
        predicted as a structure and painted as something else; ``"both"``. Where one structure is
        taken for another, it is one of each.
    min_size, strength, blur, floor
        See `PARAMETERS`.
    """

    mistakes: str = MISSED
    min_size: int = int(PARAMETERS["min_size"].default)
    strength: float = PARAMETERS["strength"].default
    blur: float = PARAMETERS["blur"].default
    floor: float = PARAMETERS["floor"].default

    def __post_init__(self) -> None:
        if self.mistakes not in KINDS:
            raise ValueError(f"Mistakes are missed, extra or both, not {self.mistakes!r}.")
        complete("settings", "corrections", {k: getattr(self, k) for k in PARAMETERS}, PARAMETERS)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> CorrectionSettings:
        """What `to_dict` gave.

        Raises
        ------
        ValueError
            With a sentence, for a value that makes no sense.
        """
        values: dict[str, Any] = {}
        for key in PARAMETERS.keys() & found.keys():
            value = found[key]
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"corrections.{key} is a number, not {value!r}.")
            values[key] = int(value) if key == "min_size" else float(value)
        return cls(mistakes=str(found.get("mistakes", MISSED)), **values)


def mistaken(
    painted: NDArray[np.uint8],
    predicted: NDArray[np.uint8],
    labelled: NDArray[np.bool_],
    settings: CorrectionSettings,
) -> NDArray[np.bool_]:
    """Where a prediction of a plane is wrong, ``(Y, X)``.

    Parameters
    ----------
    painted, predicted
        ``(Y, X)`` class indices, background 0.
    labelled
        Where something is painted; nobody knows of the rest whether it is wrong.
    settings
        Which mistakes, and how many voxels must touch by their sides for one.
    """
    wrong = (painted != predicted) & labelled
    if settings.mistakes == MISSED:
        wrong &= painted > 0
    elif settings.mistakes == EXTRA:
        wrong &= predicted > 0
    return without_small(wrong, settings.min_size)


def without_small(regions: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    """Regions of at least so many pixels; pixels of one touch by their sides."""
    import cv2

    if least <= 1 or not regions.any():
        return regions
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(
        regions.view(np.uint8), connectivity=4, ltype=cv2.CV_32S
    )
    large = stats[:, cv2.CC_STAT_AREA] >= least
    large[0] = False
    found: NDArray[np.bool_] = large[numbers]
    return found


def correction_weights(
    painted: NDArray[np.uint8],
    wrong: NDArray[np.bool_],
    balance: NDArray[np.float64],
    settings: CorrectionSettings,
) -> NDArray[np.float32]:
    """How much each voxel of a plane counts, ``(Y, X)`` float32.

    Parameters
    ----------
    painted
        ``(Y, X)`` class indices; others than those of `balance` (unlabelled ones) get weight 0.
    wrong
        What `mistaken` gave; where none is, only the classes are balanced.
    balance
        ``(K,)``, what a voxel of each class counts.
    settings
        Its strength, blur and floor.
    """
    from scipy.ndimage import gaussian_filter

    factor = np.ones(painted.shape, np.float64)
    if wrong.any():
        near = gaussian_filter(wrong.astype(np.float64), sigma=settings.blur)
        factor += settings.strength * near / near.max()
    table = np.zeros(256, np.float64)
    table[: len(balance)] = balance
    known = painted < len(balance)
    made = np.where(known, np.maximum(settings.floor, factor * table[painted]), 0)
    return made.astype(np.float32)
