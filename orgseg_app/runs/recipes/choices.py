"""Everything a recipe may name, with one line on each, so that nobody needs torch to list them."""

from __future__ import annotations

from collections.abc import Mapping

from orgseg_app.core.augmentation.steps import AUGMENTATIONS
from orgseg_app.core.preprocessing.steps import PREPROCESSING
from orgseg_app.runs.recipes.choice import Choice
from orgseg_app.runs.recipes.losses import LOSS_NAMES
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.objects import OBJECT_NAMES
from orgseg_app.runs.recipes.optimisation import (
    CLASS_WEIGHT_NAMES,
    COMPILE_NAMES,
    OPTIMISER_NAMES,
    PRECISION_NAMES,
    SAMPLING_NAMES,
    SCHEDULE_NAMES,
)

PREPROCESSING_NAMES: Mapping[str, Choice] = {
    name: Choice(name, step.title, step.explanation, step.source, step.params)
    for name, step in PREPROCESSING.items()
}
AUGMENTATION_NAMES: Mapping[str, Choice] = {
    name: Choice(name, step.title, step.explanation, step.source, step.params)
    for name, step in AUGMENTATIONS.items()
}
FUSION_NAMES: Mapping[str, Choice] = {
    choice.name: choice
    for choice in (
        Choice("origin", "As published", "The architecture as its authors described it.", ""),
        Choice(
            "concat",
            "Fine detail joined",
            "The first layers work at full size, and their features are joined to the decoder's.",
            "Guo et al. 2021, PRCV (low-level feature fusion)",
        ),
        Choice(
            "add",
            "Fine detail added",
            "As joined, but the features are added up: less memory.",
            "Guo et al. 2021, PRCV (ablation)",
        ),
        Choice(
            "none",
            "Full size only",
            "The first layers work at full size; their features are not passed on.",
            "Guo et al. 2021, PRCV (ablation)",
        ),
    )
}

OPTIONS: Mapping[str, Mapping[str, Choice]] = {
    "network.name": NETWORK_NAMES,
    "network.fusion": FUSION_NAMES,
    "objects": OBJECT_NAMES,
    "loss": LOSS_NAMES,
    "preprocess": PREPROCESSING_NAMES,
    "augmentation": AUGMENTATION_NAMES,
    "optimiser": OPTIMISER_NAMES,
    "schedule": SCHEDULE_NAMES,
    "sampling": SAMPLING_NAMES,
    "class_weights": CLASS_WEIGHT_NAMES,
    "precision": PRECISION_NAMES,
    "compile": COMPILE_NAMES,
}
"""Path of a field of a recipe → what it may name."""
