"""What a recipe may name is what is there."""

from __future__ import annotations

from orgseg_app.learn.losses.registry import LOSSES
from orgseg_app.learn.networks.registry import NETWORKS
from orgseg_app.learn.training.schedule import OPTIMISERS, SCHEDULES
from orgseg_app.runs.recipes import choices


def test_names_match() -> None:
    assert list(NETWORKS) == list(choices.NETWORK_NAMES)
    assert list(LOSSES) == list(choices.LOSS_NAMES)
    assert list(OPTIMISERS) == list(choices.OPTIMISER_NAMES)
    assert list(SCHEDULES) == list(choices.SCHEDULE_NAMES)
