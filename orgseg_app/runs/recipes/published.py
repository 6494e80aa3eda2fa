"""What the published studies trained each network with, as settings of a recipe.

Guo et al. 2021 (PRCV) trained every network for 30 epochs of 1,232 patches in batches of 16, with
SGD (momentum 0.9, weight decay 0.0005) and a learning rate that falls to a tenth every few epochs;
learning rate, fall and loss differ by network. An epoch is 77 steps here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orgseg_app.runs.recipes.losses import LOSS_NAMES
from orgseg_app.runs.recipes.networks import NETWORK_NAMES

_EPOCH = 77


@dataclass(frozen=True)
class _Training:
    """How a network was trained: settings by path, the same in words, and where that is written."""

    settings: Mapping[str, Any]
    words: str
    source: str


def _fusion_study(learning_rate: float, decay_epochs: int, loss: str) -> _Training:
    return _Training(
        {
            "loss": [{"name": loss}],
            "optimiser": "sgd",
            "momentum": 0.9,
            "learning_rate": learning_rate,
            "weight_decay": 0.0005,
            "schedule": "step",
            "decay_factor": 0.1,
            "decay_steps": decay_epochs * _EPOCH,
            "warmup_steps": 0,
            "steps": 30 * _EPOCH,
            "batch_size": 16,
            "patch_size": 256,
            "validate_every": _EPOCH,
        },
        f"SGD at {learning_rate:g}, a tenth every {decay_epochs} epochs, 30 epochs of {_EPOCH} "
        f"steps of 16 patches, loss: {LOSS_NAMES[loss].title}.",
        "Guo et al. 2021, PRCV (fusing low-level features)",
    )


_IMAGE_PYRAMID = _Training(
    {
        "optimiser": "adam",
        "momentum": 0.9,
        "learning_rate": 0.0005,
        "weight_decay": 0.05,
        "schedule": "multi_step",
        "decay_factor": 0.1,
        "milestones": [0.8],
        "warmup_steps": 20 * _EPOCH,
        "steps": 100 * _EPOCH,
        "batch_size": 16,
        "patch_size": 256,
        "validate_every": _EPOCH,
    },
    "Adam at 0.0005, weight decay 0.05, 100 epochs: a slow start of 20, a tenth from the 80th.",
    "Guo et al. 2024, Bioinformatics 40(10), btae559",
)
_DROPOUT = _Training(
    {
        "loss": [{"name": "bce"}],
        "optimiser": "adam",
        "momentum": 0.9,
        "learning_rate": 0.0001,
        "weight_decay": 0.0,
        "schedule": "constant",
        "warmup_steps": 0,
        "steps": 25_000,
        "batch_size": 2,
        "patch_size": 256,
        "validate_every": 500,
    },
    "Adam at 0.0001, binary cross-entropy, 5 epochs of 5,000 steps of 2 patches.",
    "EMsegmentation-mito (Kuroda); YunYang1994, TensorFlow2.0-Examples",
)
_PLATELETS = _Training(
    {
        "loss": [{"name": "cross_entropy"}],
        "optimiser": "adam",
        "momentum": 0.968,
        "learning_rate": 0.001,
        "weight_decay": 0.00002,
        "schedule": "constant",
        "warmup_steps": 0,
        "gradient_clip": 0.0,
        "steps": 20 * 828,
        "batch_size": 1,
        "patch_size": 300,
        "patch_depth": 5,
        "validate_every": 1000,
    },
    "Adam at 0.001, cross-entropy with error weights, 20 epochs of 828 windows of 5 × 300², one a "
    "step.",
    "Guay et al. 2021, Scientific Reports 11; code of leapmanlab",
)

_TRAININGS: Mapping[str, _Training] = {
    "unet": _fusion_study(0.01, 5, "soft_iou"),
    "unet_dropout": _DROPOUT,
    "unetpp": _fusion_study(0.01, 3, "focal"),
    "agnet": _fusion_study(0.01, 5, "cross_entropy"),
    "mre": _IMAGE_PYRAMID,
    "fcn32": _fusion_study(0.05, 5, "soft_iou"),
    "fcn16": _fusion_study(0.05, 5, "soft_iou"),
    "fcn8": _fusion_study(0.05, 5, "soft_iou"),
    "segnet": _fusion_study(0.1, 5, "soft_iou"),
    "deeplab": _fusion_study(0.1, 10, "soft_iou"),
    "deeplab50": _fusion_study(0.1, 10, "soft_iou"),
    "hrnet": _fusion_study(0.1, 10, "bce"),
    "net2d3d": _PLATELETS,
    "net2d3d_plain": _PLATELETS,
}
"""Network → how it was trained; for the others only their size was published."""


def published_settings(network: str) -> dict[str, Any]:
    """Path of a field → value, as in a recipe's dict; empty where nothing was published.

    Examples
    --------
    >>> found = published_settings("unet")
    >>> found["network.width"], found["learning_rate"], found["decay_steps"]
    (64, 0.01, 385)
    """
    info, training = NETWORK_NAMES.get(network), _TRAININGS.get(network)
    if info is None:
        return {}
    sizes = [name for name in ("depth", "width") if name in info.fields]
    found: dict[str, Any] = {f"network.{name}": getattr(info, name) for name in sizes}
    return found | dict(training.settings if training is not None else {})


def published_words(network: str) -> str:
    """The same in words, with the source; "" where nothing was published."""
    info, training = NETWORK_NAMES.get(network), _TRAININGS.get(network)
    if info is None or not published_settings(network):
        return ""
    size = [f"{name} {getattr(info, name)}" for name in ("depth", "width") if name in info.fields]
    lines = [f"{info.title} as published: {', '.join(size)}."]
    if training is not None:
        lines += [training.words, f"Source: {training.source}."]
    return "\n".join([*lines, "Wants a graphics card, or a night."])
