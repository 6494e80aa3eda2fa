"""The formulas of the overlap losses, beside slow ones in numpy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.learn.losses.painted import Painted, gradient_of, loss_of, painted

Values = NDArray[np.float64]


def slow_iou(p: Values, y: Values, w: Values) -> float:
    both = (w * p * y).sum()
    return 1 - both / ((w * (p**2 + y)).sum() - both + 1e-10)


def slow_dice(p: Values, y: Values, w: Values, smooth: float = 1e-5) -> float:
    return 1 - (2 * (w * p * y).sum() + smooth) / ((w * p).sum() + (w * y).sum() + smooth)


def slow_tversky(p: Values, y: Values, w: Values) -> float:
    hit, extra, missed = (w * p * y).sum(), (w * p * (1 - y)).sum(), (w * (1 - p) * y).sum()
    return 1 - (hit + 1e-5) / (hit + 0.3 * extra + 0.7 * missed + 1e-5)


def slow_focal_tversky(p: Values, y: Values, w: Values) -> float:
    return slow_tversky(p, y, w) ** 0.75


def slow_lovasz(p: Values, y: Values, w: Values) -> float:
    """``Σ eᵢ·(Δ(first i) - Δ(first i-1))``, Δ = 1 - IoU when the i worst voxels are wrong."""
    kept = w > 0
    errors, y, w = np.abs(y - p)[kept], y[kept], w[kept]
    order = np.argsort(-errors)

    def jaccard_loss(wrong: NDArray[np.int64]) -> float:
        missed = w[wrong][y[wrong] == 1].sum()
        extra = w[wrong][y[wrong] == 0].sum()
        return float(1 - (w[y == 1].sum() - missed) / (w[y == 1].sum() + extra))

    return float(
        sum(
            errors[order[i]] * (jaccard_loss(order[: i + 1]) - jaccard_loss(order[:i]))
            for i in range(len(order))
        )
    )


SLOW = {
    "soft_iou": slow_iou,
    "dice": slow_dice,
    "tversky": slow_tversky,
    "focal_tversky": slow_focal_tversky,
    "lovasz": slow_lovasz,
}


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", SLOW)
def test_formulas(name: str, classes: int) -> None:
    counts = torch.tensor([0.5, 3.0, 1.0, 2.0])[:classes]
    for seed, weighed in itertools.product(range(3), (False, True)):
        batch = painted(classes, seed=seed)
        p = batch.logits.detach().double().softmax(1).numpy()
        w, target = batch.weights.double().numpy(), batch.target.numpy()
        losses, weights = [], []
        for n in range(len(p)):
            for k in (1,) if classes == 2 else range(classes):
                if ((target[n] == k) & (w[n] > 0)).any():
                    losses.append(SLOW[name](p[n, k], (target[n] == k).astype(float), w[n]))
                    weights.append(float(counts[k]) if weighed else 1.0)
        found = loss_of(name, batch, class_weights=counts if weighed else None)
        assert found.item() == pytest.approx(np.average(losses, weights=weights), rel=1e-4)


@pytest.mark.parametrize("name", SLOW)
def test_where_background_alone_is_painted_background_is_judged(name: str) -> None:
    batch = painted(2, patches=1, seed=4)
    empty = batch._replace(target=torch.zeros_like(batch.target))
    mirrored = Painted(batch.logits.flip(1), torch.ones_like(batch.target), batch.weights)
    assert loss_of(name, empty).item() == pytest.approx(loss_of(name, mirrored).item(), rel=1e-5)


def test_bce_and_half_dice_of_the_flattened_batch() -> None:
    for seed in range(3):
        batch = painted(2, seed=seed)
        p = batch.logits.detach().double().softmax(1)[:, 1].numpy()
        y, w = (batch.target == 1).double().numpy(), batch.weights.double().numpy()
        bce = -(w * (y * np.log(p) + (1 - y) * np.log(1 - p))).sum() / w.sum()
        expected = bce + 0.5 * slow_dice(p, y, w, smooth=1)
        assert loss_of("bce_dice", batch).item() == pytest.approx(expected, rel=1e-5)


def test_bce_dice_of_several_classes_is_the_mean_of_those_painted() -> None:
    batch = painted(4, seed=1)
    batch.weights[batch.target == 3] = 0
    p = batch.logits.detach().double().softmax(1).numpy()
    w, target = batch.weights.double().numpy(), batch.target.numpy()
    each = [slow_dice(p[:, k], (target == k).astype(float), w, smooth=2) for k in range(3)]
    expected = loss_of("bce", batch).item() + 0.8 * np.mean(each)
    found = loss_of("bce_dice", batch, dice_weight=0.8, smooth=2)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_half_and_half_tversky_is_dice() -> None:
    batch = painted(3)
    dice = loss_of("dice", batch).item()
    assert loss_of("tversky", batch, alpha=0.5, beta=0.5).item() == pytest.approx(dice, rel=1e-5)


def test_tversky_punishes_what_is_missed_by_beta() -> None:
    target = torch.tensor([[[1, 1, 1, 0, 0, 0]]])
    missed = torch.tensor([[9.0, -9, -9, -9, -9, -9]])
    extra = torch.tensor([[9.0, 9, 9, 9, 9, -9]])
    values = {
        kind: loss_of("tversky", (torch.stack((-s, s), 1)[:, :, None], target, torch.ones(1, 1, 6)))
        for kind, s in (("missed", missed), ("extra", extra))
    }
    assert values["missed"].item() == pytest.approx(1 - 1 / (1 + 0.7 * 2), rel=1e-3)
    assert values["extra"].item() == pytest.approx(1 - 3 / (3 + 0.3 * 2), rel=1e-3)


def test_lovasz_of_sure_answers_is_one_minus_iou() -> None:
    """Where the extension meets what it extends."""
    torch.manual_seed(2)
    target, answer = torch.randint(0, 2, (2, 1, 1, 40))
    both, either = (target & answer).sum(), (target | answer).sum()
    score = 40.0 * (2 * answer - 1)
    batch = (torch.stack((-score, score), 1), target, torch.ones(1, 1, 40))
    assert loss_of("lovasz", batch).item() == pytest.approx(1 - (both / either).item(), rel=1e-5)


def test_lovasz_sorts_painted_voxels_only() -> None:
    """With scribbles it is the loss of a picture that holds nothing but the scribble."""
    batch = painted(3, patches=1, share=0.2)
    kept = batch.weights[0] > 0
    alone = Painted(
        batch.logits.detach()[:, :, kept][:, :, None], batch.target[:, kept][:, None],
        batch.weights[:, kept][:, None],
    )  # fmt: skip
    assert loss_of("lovasz", batch).item() == pytest.approx(loss_of("lovasz", alone).item())


@given(st.permutations(range(12)))
def test_places_do_not_matter(order: list[int]) -> None:
    batch = painted(3, size=(1, 12), patches=2, share=0.7)
    moved = Painted(
        batch.logits.detach()[..., order], batch.target[..., order], batch.weights[..., order]
    )
    for name in (*SLOW, "bce_dice"):
        assert loss_of(name, moved).item() == pytest.approx(loss_of(name, batch).item(), rel=1e-5)


def test_focal_tversky_pulls_harder_on_what_is_nearly_right() -> None:
    target = torch.tensor([[[1, 1, 0, 0]]]).repeat(2, 1, 1)
    score = torch.tensor([[[1.0, 1, -1, -1]], [[-1.0, -1, 1, 1]]])
    batch = Painted(torch.stack((-score, score), 1).requires_grad_(), target, torch.ones(2, 1, 4))

    def share_of_the_better(gamma: float) -> float:
        _, gradient = gradient_of("focal_tversky", batch, {"gamma": gamma})
        lengths = gradient.flatten(1).norm(dim=1)
        return (lengths[0] / lengths.sum()).item()

    assert share_of_the_better(1) < share_of_the_better(4 / 3) < share_of_the_better(3)


def test_focal_tversky_of_a_perfect_answer_is_zero_by_any_root() -> None:
    target = torch.tensor([[[1, 1, 0, 0]]])
    score = 40.0 * (2 * target - 1)
    batch = (torch.stack((-score, score), 1), target, torch.ones(1, 1, 4))
    assert loss_of("focal_tversky", batch, gamma=3).item() == pytest.approx(0, abs=1e-4)
