"""Losses: the formulas, and that nothing is ever learnt from unlabelled voxels."""

from __future__ import annotations

import math

import pytest
import torch

from orgseg_app.learn.losses import LOSSES, automatic_class_weights, total_loss
from orgseg_app.runs.recipe import LossTerm


def loss_of(name: str, logits: torch.Tensor, target: torch.Tensor, weights: torch.Tensor):
    return total_loss(logits, target, weights, terms=[LossTerm(name)])


def example(classes: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    logits = torch.randn(3, classes, 8, 9, requires_grad=True)
    target = torch.randint(0, classes, (3, 8, 9))
    weights = (torch.rand(3, 8, 9) < 0.4).float() * (0.5 + torch.rand(3, 8, 9))
    return logits, target, weights


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", LOSSES)
def test_unlabelled_voxels_change_nothing(name: str, classes: int) -> None:
    logits, target, weights = example(classes)
    loss = loss_of(name, logits, target, weights)
    (gradient,) = torch.autograd.grad(loss, logits)
    unlabelled = weights == 0
    assert gradient[unlabelled[:, None].expand_as(gradient)].abs().max() == 0
    assert gradient.abs().max() > 0

    for value in (0, 1, classes - 1, 255):
        changed = torch.where(unlabelled, torch.tensor(value), target)
        other = loss_of(name, logits, changed, weights)
        (gradient_after,) = torch.autograd.grad(other, logits)
        assert torch.equal(loss, other)
        assert torch.equal(gradient, gradient_after)


@pytest.mark.parametrize("name", LOSSES)
def test_nothing_labelled_gives_zero_and_no_gradient(name: str) -> None:
    logits, target, weights = example(3)
    loss = loss_of(name, logits, target, torch.zeros_like(weights))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.item() == 0
    assert gradient.abs().max() == 0


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", LOSSES)
def test_certain_and_right_is_nearly_zero_certain_and_wrong_is_large(
    name: str, classes: int
) -> None:
    target = torch.arange(classes).repeat(6)[None, None, :].expand(2, 4, -1)
    weights = torch.ones(target.shape)
    right = torch.nn.functional.one_hot(target, classes).movedim(-1, 1) * 40.0
    wrong = right.roll(1, dims=1)
    assert loss_of(name, right, target, weights).item() < 1e-4
    assert loss_of(name, wrong, target, weights).item() > 0.9


def test_soft_iou_is_the_published_formula() -> None:
    logits, target, _ = example(2, seed=1)
    p, y = logits.softmax(1)[:, 1], (target == 1).float()
    expected = 0.0
    for pb, yb in zip(p, y, strict=True):
        both = (pb * yb).sum()
        expected += 1 - both / ((pb**2 + yb).sum() - both + 1e-10)
    found = loss_of("soft_iou", logits, target, torch.ones(target.shape))
    assert found.item() == pytest.approx(expected.item() / 3, rel=1e-5)


def test_dice_is_the_published_formula() -> None:
    logits, target, _ = example(2, seed=2)
    p, y = logits.softmax(1)[:, 1], (target == 1).float()
    each = [
        1 - (2 * (a * b).sum() + 1e-5) / (a.sum() + b.sum() + 1e-5)
        for a, b in zip(p, y, strict=True)
    ]
    found = loss_of("dice", logits, target, torch.ones(target.shape))
    assert found.item() == pytest.approx(sum(each).item() / 3, rel=1e-5)


def test_voxelwise_losses_match_the_library() -> None:
    from torch.nn import functional

    logits, target, weights = example(4, seed=3)
    labelled = weights > 0
    ours = loss_of("cross_entropy", logits, target, labelled.float())
    theirs = functional.cross_entropy(logits, torch.where(labelled, target, -1), ignore_index=-1)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)

    one_hot = functional.one_hot(target, 4).movedim(-1, 1).float()
    each = functional.binary_cross_entropy(logits.softmax(1), one_hot, reduction="none").mean(1)
    ours = loss_of("bce", logits, target, weights)
    assert ours.item() == pytest.approx(((each * weights).sum() / weights.sum()).item(), rel=1e-4)

    two, target2, _ = example(2, seed=4)
    plain = functional.binary_cross_entropy_with_logits(
        two[:, 1] - two[:, 0], (target2 == 1).float()
    )
    ours = loss_of("bce", two, target2, torch.ones(target2.shape))
    assert ours.item() == pytest.approx(plain.item(), rel=1e-5)


@pytest.mark.parametrize("name", ["soft_iou", "dice"])
def test_a_patch_with_background_alone_still_teaches(name: str) -> None:
    logits = torch.zeros(1, 2, 6, 6, requires_grad=True)
    loss = loss_of(name, logits, torch.zeros(1, 6, 6), torch.ones(1, 6, 6))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient[:, 1].min() > 0  # the other class is pushed down everywhere


@pytest.mark.parametrize("name", LOSSES)
def test_sums_run_in_float32_under_autocast(name: str) -> None:
    logits, target, weights = example(3, seed=5)
    logits = logits.detach().bfloat16()
    plain = loss_of(name, logits.float(), target, weights)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = loss_of(name, logits, target, weights)
    assert cast.dtype == torch.float32
    assert torch.equal(plain, cast)


def test_terms_are_added_with_their_weights() -> None:
    logits, target, weights = example(3, seed=6)
    terms = [LossTerm("bce", 2.0), LossTerm("dice", 0.5)]
    both = total_loss(logits, target, weights, terms=terms)
    alone = {t.name: loss_of(t.name, logits, target, weights).item() for t in terms}
    assert both.item() == pytest.approx(2 * alone["bce"] + 0.5 * alone["dice"], rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_extreme_logits_stay_finite(name: str) -> None:
    logits = (torch.randn(2, 3, 5, 5) * 1e4).requires_grad_()
    loss = loss_of(name, logits, torch.randint(0, 3, (2, 5, 5)), torch.ones(2, 5, 5))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert math.isfinite(loss.item())
    assert gradient.isfinite().all()


def test_rare_classes_count_more_but_not_without_end() -> None:
    weights = automatic_class_weights([1_000_000, 40_000, 1, 0])
    assert weights[0] < weights[1] < weights[2]
    assert weights[2] / weights[0] == pytest.approx(10)
    assert weights[3] == 1
    logits, target, voxel = example(3, seed=7)
    plain = loss_of("cross_entropy", logits, target, voxel)
    (a,) = torch.autograd.grad(plain, logits)
    weighted = total_loss(
        logits,
        target,
        voxel,
        terms=[LossTerm("cross_entropy")],
        class_weights=torch.tensor([1.0, 5.0, 1.0]),
    )
    (b,) = torch.autograd.grad(weighted, logits)
    rare = ((target == 1) & (voxel > 0))[:, None].expand_as(a)
    assert (b[rare].abs().sum() / b.abs().sum()) > (a[rare].abs().sum() / a.abs().sum())
