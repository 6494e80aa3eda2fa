"""Usual choices of augmentation, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orgseg_app.runs.recipes.schema import AugmentationStep


@dataclass(frozen=True)
class AugmentationPreset:
    """A usual choice.

    Attributes
    ----------
    title, about
        For people.
    steps
        As in a recipe.
    """

    title: str
    about: str
    steps: tuple[AugmentationStep, ...]


_BASIC = (
    AugmentationStep("d4"),
    AugmentationStep("rotate", 0.5, {"degrees": 180}),
    AugmentationStep("scale", 0.5, {"smallest": 0.7, "largest": 1.4}),
    AugmentationStep("brightness", params={"amount": 0.2}),
    AugmentationStep("contrast", params={"lowest": 0.7, "highest": 1.3}),
    AugmentationStep("noise"),
)

AUGMENTATION_PRESETS: Mapping[str, AugmentationPreset] = {
    "none": AugmentationPreset("None", "Patches are shown as they are.", ()),
    "d4": AugmentationPreset(
        "Flips and quarter turns",
        "All eight orientations; exact, nothing is interpolated. As in the published studies.",
        (AugmentationStep("d4"),),
    ),
    "basic": AugmentationPreset(
        "Basic",
        "Turned by any angle, a little smaller or larger, and with other contrast and noise. Good "
        "for most images, and hardly slower.",
        _BASIC,
    ),
    "advanced": AugmentationPreset(
        "Advanced",
        "Also bent, slanted, blurred, with other gamma, and with parts hidden. For very little "
        "paint, and for images that differ much; wants a longer training.",
        (
            *_BASIC[:-1],
            AugmentationStep("shear", 0.3),
            AugmentationStep("elastic", 0.3, {"alpha": 15}),
            AugmentationStep("gamma", 0.3),
            AugmentationStep("blur", 0.2),
            _BASIC[-1],
            AugmentationStep("cutout", 0.2),
        ),
    ),
}
"""From none to much; the names can be written instead of steps."""
