"""Every network with every loss learns a step."""

from __future__ import annotations

import pytest
import torch

from orgseg_app.learn.losses.heads import heads_loss
from orgseg_app.learn.losses.registry import LOSSES
from orgseg_app.learn.networks.network import Head
from orgseg_app.runs.recipes.losses import LOSS_NAMES
from orgseg_app.runs.recipes.schema import LossTerm
from tests.learn.networks.cases import CASES, VOLUME_CASES, Case, tiny

SIZE = 37
"""No multiple of anything: coarser answers do not fit evenly."""


VOLUME = (3, 19, 19)


def scribbles_in_volumes(classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Target ``(2, *VOLUME)`` int64, boxes, and weights float32, a third of them 0."""
    drawn = torch.Generator().manual_seed(0)
    target = torch.zeros(2, *VOLUME, dtype=torch.int64)
    for number in range(1, classes):
        target[:, :2, 5 * number : 5 * number + 5, 3:15] = number
    weights = (torch.rand(2, *VOLUME, generator=drawn) > 1 / 3).float()
    return target, weights


def scribbles(classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Target ``(2, SIZE, SIZE)`` int64 and weights float32, a third of them 0."""
    drawn = torch.Generator().manual_seed(0)
    target = torch.zeros(2, SIZE, SIZE, dtype=torch.int64)
    for number in range(1, classes):
        target[:, 6 * number : 6 * number + 9, 5:30] = number
    weights = (torch.rand(2, SIZE, SIZE, generator=drawn) > 1 / 3).float()
    return target, weights


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("case", [*CASES, *VOLUME_CASES], ids="-".join)
def test_every_loss_moves_every_answer_of_a_network(case: Case, classes: int) -> None:
    torch.manual_seed(0)
    network = tiny(case, classes=classes)
    network.train()
    is_volume = network.dimensions == 3
    target, weights = scribbles_in_volumes(classes) if is_volume else scribbles(classes)
    answers = network.heads(torch.randn(2, 1, *target.shape[1:]))
    assert set(LOSS_NAMES) == set(LOSSES)
    kept = [answer.logits.detach() for answer in answers]
    pulls = [torch.zeros_like(logits) for logits in kept]
    for name in LOSS_NAMES:
        heads = [
            Head(logits.clone().requires_grad_(), answer.weight)
            for logits, answer in zip(kept, answers, strict=True)
        ]
        loss = heads_loss(heads, target, weights, terms=[LossTerm(name)])
        assert loss.ndim == 0
        assert torch.isfinite(loss), name
        loss.backward()
        for head, pull in zip(heads, pulls, strict=True):
            found = head.logits.grad
            assert found is not None, name
            assert torch.isfinite(found).all(), name
            assert found.abs().sum() > 0, name
            pull += found
    # One step for the whole network, with what all losses ask for together.
    before = [parameter.detach().clone() for parameter in network.parameters()]
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01)
    torch.autograd.backward([answer.logits for answer in answers], pulls)
    optimiser.step()
    moved = [
        not torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True)
    ]
    assert any(moved)
    assert all(torch.isfinite(parameter).all() for parameter in network.parameters())
