"""Every loss honours weights in volumes: what counts nothing has no say, and more counts more."""

from __future__ import annotations

import pytest
import torch

from orgseg_app.learn.losses.registry import LOSSES, total_loss
from orgseg_app.runs.recipes.schema import LossTerm


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_weights_count_in_volumes(name: str) -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(1, 3, 3, 8, 8), torch.randint(0, 3, (1, 3, 8, 8))
    weights = torch.ones(1, 3, 8, 8)
    weights[:, :, 4:] = 0

    def loss(shown: torch.Tensor, counted: torch.Tensor) -> torch.Tensor:
        return total_loss(shown, target.to(torch.uint8), counted, terms=(LossTerm(name),))

    learnt = logits.clone().requires_grad_()
    loss(learnt, weights).backward()
    assert learnt.grad is not None
    assert not learnt.grad[:, :, :, 4:].any()
    assert learnt.grad[:, :, :, :4].any()
    heavier = weights.clone()
    heavier[:, 1, :4] = 9
    assert loss(logits, heavier) != loss(logits, weights)
