"""What a recipe may name is what is there."""

from __future__ import annotations

from orgseg_app.core.preprocess import PREPROCESSING
from orgseg_app.learn.augment import AUGMENTATIONS
from orgseg_app.learn.losses import LOSSES
from orgseg_app.learn.networks.registry import NETWORKS
from orgseg_app.learn.schedule import OPTIMISERS, SCHEDULES
from orgseg_app.runs import choices


def test_names_match() -> None:
    assert list(NETWORKS) == list(choices.NETWORK_NAMES)
    assert list(LOSSES) == list(choices.LOSS_NAMES)
    assert list(PREPROCESSING) == list(choices.PREPROCESSING_NAMES)
    assert list(AUGMENTATIONS) == list(choices.AUGMENTATION_NAMES)
    assert list(OPTIMISERS) == list(choices.OPTIMISER_NAMES)
    assert list(SCHEDULES) == list(choices.SCHEDULE_NAMES)
