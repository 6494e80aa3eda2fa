"""Several answers of one network."""

from __future__ import annotations

import pytest
import torch

from orgseg_app.learn.losses.heads import heads_loss, reduced
from orgseg_app.learn.losses.registry import LOSSES
from orgseg_app.learn.networks.network import Head
from orgseg_app.runs.recipes.schema import LossTerm
from tests.learn.losses.painted import PLANE, VOLUME, loss_of, painted

TERMS = (LossTerm("soft_iou"), LossTerm("bce", 0.5))


def test_one_answer_is_the_loss_itself() -> None:
    batch = painted(3)
    found = heads_loss([Head(batch.logits, 1.0)], *batch[1:], terms=TERMS)
    plain = loss_of("soft_iou", batch) + 0.5 * loss_of("bce", batch)
    assert found.item() == pytest.approx(plain.item(), rel=1e-6)
    assert found.shape == ()


def test_answers_are_added_by_their_weights() -> None:
    batch, other = painted(3), torch.randn(3, 3, 8, 9)
    found = heads_loss([Head(batch.logits, 0.7), Head(other, 0.2)], *batch[1:], terms=iter(TERMS))
    expected = 0.0
    for logits, weight in ((batch.logits, 0.7), (other, 0.2)):
        head = batch._replace(logits=logits)
        expected += weight * (loss_of("soft_iou", head) + 0.5 * loss_of("bce", head)).item()
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_coarser_voxels_are_judged_by_what_is_painted_at_their_centres() -> None:
    values = torch.arange(48).view(1, 6, 8)
    assert reduced(values, (3, 4)).equal(values[:, 1::2, 1::2])
    assert reduced(values, (2, 8)).equal(values[:, [1, 4]])
    assert reduced(values, (6, 3)).equal(values[:, :, [1, 4, 6]])
    assert reduced(values, (6, 8)) is values
    assert reduced(values.view(1, 2, 3, 8), (1, 1, 1)).item() == 24 + 8 + 4


@pytest.mark.parametrize("size", [PLANE, VOLUME])
@pytest.mark.parametrize("name", LOSSES)
def test_unlabelled_voxels_reach_no_coarser_answer(name: str, size: tuple[int, ...]) -> None:
    batch = painted(3, size=size)
    coarse = torch.randn(3, 3, *(n // 2 for n in size), requires_grad=True)
    heads = [Head(batch.logits, 1.0), Head(coarse, 0.3)]
    results = []
    for stored in (0, 1, 255):
        target = batch.target.where(batch.weights > 0, torch.tensor(stored))
        loss = heads_loss(heads, target, batch.weights, terms=[LossTerm(name)])
        results.append((loss, *torch.autograd.grad(loss, (batch.logits, coarse))))
    for other in results[1:]:
        assert all(map(torch.equal, results[0], other))
    assert results[0][2].abs().max() > 0
