"""The ways of showing a patch anew that a recipe may name: what they are called and their numbers.

Grey values are changed after preprocessing, on float32, where 0 no longer is darkness and 1 no
longer the camera's limit. So each of those steps measures itself by the patch: its mean and its
spread (the standard deviation of a channel of the patch).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from orgseg_app.core.parameter import Parameter, complete


class Step(Protocol):
    """What a recipe's augmentation step looks like from here."""

    @property
    def name(self) -> str:
        """A key of `AUGMENTATIONS`."""

    @property
    def chance(self) -> float:
        """Share of the patches it is done to, 0…1."""

    @property
    def params(self) -> Mapping[str, float]:
        """Values that differ from the usual ones."""


@dataclass(frozen=True)
class Augmentation:
    """One way of showing a patch anew.

    Attributes
    ----------
    title, explanation, source
        For people: a name, one line of why, and where it comes from.
    params
        Its numbers by name.
    """

    title: str
    explanation: str
    source: str
    params: Mapping[str, Parameter] = field(default_factory=dict)


_ER = "Guo, Luo, Li and Yang 2020 (ER and mitochondria networks)"
_EM = "Guay et al. 2021, Scientific Reports 11 (dense cellular segmentation)"
_NNUNET = "Isensee et al. 2021, Nature Methods 18 (nnU-Net)"

AUGMENTATIONS: dict[str, Augmentation] = {
    "d4": Augmentation(
        "Flips and quarter turns",
        "Shows each patch in all eight orientations; exact, nothing is interpolated.",
        "the symmetry group of the square; 8-fold in Guo et al. 2021, PRCV",
    ),
    "flip_z": Augmentation(
        "Front to back",
        "Shows the planes of a volume in reverse order every other time; exact. Networks that see "
        "one plane are not concerned.",
        f"{_EM}, windows reflected with chance 1/2",
    ),
    "rotate": Augmentation(
        "Rotation",
        "Turns the patch by any angle, for structures that may lie in any direction.",
        f"{_ER}, ±45°",
        {"degrees": Parameter(45, 0, 180, "Up to so many degrees, either way.")},
    ),
    "scale": Augmentation(
        "Scaling",
        "Shows things smaller or larger than they are, for structures of varying size.",
        f"{_ER}, 0.8 to 1.2 times",
        {
            "smallest": Parameter(0.8, 0.25, 1, "Down to so many times the size."),
            "largest": Parameter(1.2, 1, 4, "Up to so many times the size."),
        },
    ),
    "shift": Augmentation(
        "Shift",
        "Moves the patch by whole pixels, up, down or sideways; exact.",
        f"{_ER}, ±20 pixels",
        {"pixels": Parameter(20, 0, 512, "Up to so many pixels, either way.")},
    ),
    "shear": Augmentation(
        "Shear",
        "Slants the patch, as tissue that was pulled askew.",
        f"{_ER}, ±0.2",
        {"amount": Parameter(0.2, 0, 0.5, "Up to so many pixels sideways for each pixel down.")},
    ),
    "elastic": Augmentation(
        "Elastic bending",
        "Bends the patch softly, as tissue does; shapes vary as they do in nature.",
        f"Simard et al. 2003, ICDAR; grid 40, alpha 20, sigma 0.6 as in {_EM}",
        {
            "grid": Parameter(40, 8, 512, "Pixels between the points that are pushed."),
            "alpha": Parameter(20, 0, 200, "How far a point is pushed at most, in pixels."),
            "sigma": Parameter(0.6, 0, 10, "How far a push reaches to other points, in points."),
        },
    ),
    "brightness": Augmentation(
        "Brightness",
        "Makes the whole patch darker or brighter, as another exposure would.",
        f"{_ER}, ×0.7 to ×1.3 of raw values; here a part of the patch's own spread",
        {"amount": Parameter(0.3, 0, 2, "Up to so many times the spread of the patch.")},
    ),
    "contrast": Augmentation(
        "Contrast",
        "Draws all grey values towards the mean of the patch, or away from it.",
        f"{_ER}, 0.7 to 1.0 towards the mean",
        {
            "lowest": Parameter(0.7, 0.1, 1, "Down to so many times the contrast."),
            "highest": Parameter(1.0, 1, 3, "Up to so many times the contrast."),
        },
    ),
    "gamma": Augmentation(
        "Gamma",
        "Makes middle grey values darker or brighter; the darkest and the brightest stay.",
        f"{_NNUNET}, 0.7 to 1.5",
        {
            "lowest": Parameter(0.7, 0.2, 1, "Brightens; the exponent on the range of the patch."),
            "highest": Parameter(1.5, 1, 5, "Darkens; the exponent on the range of the patch."),
        },
    ),
    "blur": Augmentation(
        "Blur",
        "Blurs the patch a little, as when it is out of focus.",
        f"{_ER}, a Gaussian of 5 × 5 pixels (sigma 1.1)",
        {"sigma": Parameter(1.1, 0.1, 10, "Up to this standard deviation, in pixels.")},
    ),
    "noise": Augmentation(
        "Noise",
        "Adds Gaussian noise, as a shorter exposure would.",
        f"{_NNUNET}; noise in the study of {_ER}",
        {"amount": Parameter(0.1, 0, 2, "Up to so many times the spread of the patch.")},
    ),
    "cutout": Augmentation(
        "Cut-out",
        "Hides rectangles behind the mean grey value, so that surroundings count; the mask stays.",
        "DeVries and Taylor 2017, arXiv 1708.04552",
        {
            "holes": Parameter(1, 1, 16, "How many rectangles."),
            "size": Parameter(0.25, 0.02, 0.75, "Longest side, as a part of the patch's side."),
        },
    ),
}
"""The steps that a recipe may name."""


def complete_params(name: str, params: Mapping[str, float]) -> dict[str, float]:
    """All numbers of a step: those given, the usual ones for the others.

    Raises
    ------
    ValueError
        With a sentence, for an unknown step or number or one out of range.
    """
    if name not in AUGMENTATIONS:
        known = ", ".join(AUGMENTATIONS)
        raise ValueError(f"There is no augmentation called {name!r}; there is {known}.")
    return complete("augmentation", name, params, AUGMENTATIONS[name].params)
