"""The formulas of the voxel-wise losses, beside slow ones in numpy and the library's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from tests.learn.losses.painted import Painted, gradient_of, loss_of, painted


def as_numpy(batch: Painted) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Probabilities of the painted voxels ``(V, K)``, their classes and weights."""
    p = batch.logits.detach().double().softmax(1).movedim(1, -1).numpy()
    kept = batch.weights.numpy() > 0
    return p[kept], batch.target.numpy()[kept], batch.weights.double().numpy()[kept]


def slow_cross_entropy(p, t, w) -> float:
    return sum(-wi * np.log(pi[ti]) for pi, ti, wi in zip(p, t, w, strict=True)) / w.sum()


def slow_balanced(p, t, w, balance: float) -> float:
    shares = np.array([w[t == k].sum() / w.sum() for k in range(p.shape[1])])
    return slow_cross_entropy(p, t, w * shares[t] ** -balance)


def slow_bce(p, t, w) -> float:
    total = 0.0
    for pi, ti, wi in zip(p, t, w, strict=True):
        each = [-np.log(pk if k == ti else 1 - pk) for k, pk in enumerate(pi)]
        total += wi * np.mean(each)
    return total / w.sum()


def slow_wbce(p, t, w) -> float:
    total, classes = 0.0, p.shape[1]
    for k in range(classes):
        positive, negative = w[t == k].sum(), w[t != k].sum()
        for pi, ti, wi in zip(p, t, w, strict=True):
            if ti == k:
                total -= wi * negative / w.sum() * np.log(pi[k])
            else:
                total -= wi * positive / w.sum() * np.log(1 - pi[k])
    return total / w.sum() / classes


def slow_focal(p, t, w) -> float:
    """Of two classes: α = ¼, γ = 2."""
    total = 0.0
    for pi, ti, wi in zip(p[:, 1], t, w, strict=True):
        y = float(ti == 1)
        total -= wi * 0.25 * y * (1 - pi) ** 2 * np.log(pi)
        total -= wi * 0.75 * (1 - y) * pi**2 * np.log(1 - pi)
    return total / w.sum()


def slow_l1(p, t, w) -> float:
    errors = np.abs(p - np.eye(p.shape[1])[t])
    return (w * errors.mean(1)).sum() / w.sum()


def slow_mse(p, t, w) -> float:
    errors = (p - np.eye(p.shape[1])[t]) ** 2
    return (w * errors.mean(1)).sum() / w.sum()


@pytest.mark.parametrize(
    "name, classes, slow",
    [
        *(("cross_entropy", k, slow_cross_entropy) for k in (2, 4)),
        *(("bce", k, slow_bce) for k in (2, 4)),
        *(("wbce", k, slow_wbce) for k in (2, 4)),
        ("focal", 2, slow_focal),
        *(("l1", k, slow_l1) for k in (2, 4)),
        *(("mse", k, slow_mse) for k in (2, 4)),
    ],
)
def test_formulas(name: str, classes: int, slow: Callable[..., float]) -> None:
    for seed in range(3):
        batch = painted(classes, seed=seed)
        assert loss_of(name, batch).item() == pytest.approx(slow(*as_numpy(batch)), rel=1e-5)


def test_of_two_classes_it_is_the_library_with_one_output() -> None:
    batch = painted(2, share=2)
    plain = batch._replace(weights=torch.ones(batch.target.shape))
    score, y = batch.logits[:, 1] - batch.logits[:, 0], (batch.target == 1).float()
    for name, theirs in (
        ("bce", functional.binary_cross_entropy_with_logits(score, y)),
        ("l1", functional.l1_loss(score.sigmoid(), y)),
        ("mse", functional.mse_loss(score.sigmoid(), y)),
        ("cross_entropy", functional.cross_entropy(batch.logits, batch.target)),
    ):
        assert loss_of(name, plain).item() == pytest.approx(theirs.item(), rel=1e-5)


def test_class_weights_of_cross_entropy_are_those_of_the_library() -> None:
    batch, counts = painted(4, seed=3), torch.tensor([1.0, 0.2, 5.0, 2.0])
    labelled = (batch.weights > 0).float()
    theirs = functional.cross_entropy(
        batch.logits, batch.target.where(labelled > 0, -1), counts, ignore_index=-1
    )
    ours = loss_of("cross_entropy", batch._replace(weights=labelled), class_weights=counts)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
def test_balanced_cross_entropy(classes: int, balance: float) -> None:
    batch = painted(classes, seed=2)
    found = loss_of("cross_entropy", batch, balance=balance).item()
    assert found == pytest.approx(slow_balanced(*as_numpy(batch), balance), rel=1e-5)
    twice = loss_of("cross_entropy", batch._replace(weights=2 * batch.weights), balance=balance)
    assert twice.item() == pytest.approx(found, rel=1e-6)
    # A class that is not in the batch, or nothing at all.
    without = batch._replace(target=batch.target.where(batch.target != 1, 0))
    found = loss_of("cross_entropy", without, balance=balance).item()
    p, t, w = as_numpy(without)
    shares = np.array([w[t == k].sum() / w.sum() or 1.0 for k in range(classes)])
    assert found == pytest.approx(slow_cross_entropy(p, t, w * shares[t] ** -balance), rel=1e-5)
    nothing = batch._replace(weights=torch.zeros_like(batch.weights))
    assert loss_of("cross_entropy", nothing, balance=balance).item() == 0


def test_focal_without_focus_is_cross_entropy() -> None:
    for classes in (2, 4):
        batch = painted(classes)
        plain = loss_of("cross_entropy", batch).item()
        assert loss_of("focal", batch, gamma=0, alpha=0.5).item() == pytest.approx(plain / 2)


def test_focal_is_detached_as_published_and_whole_when_asked() -> None:
    batch = painted(2)
    loss, published = gradient_of("focal", batch)
    same, whole = gradient_of("focal", batch, {"detached": 0})
    assert torch.equal(loss, same)
    log_p = batch.logits.log_softmax(1).gather(1, batch.target[:, None])[:, 0]
    for factor, found in (
        ((1 - log_p.exp()) ** 2, whole),
        ((1 - log_p.detach().exp()) ** 2, published),
    ):
        alpha = torch.where(batch.target == 1, 0.25, 0.75)
        mean = -(batch.weights * alpha * factor * log_p).sum() / batch.weights.sum()
        (gradient,) = torch.autograd.grad(mean, batch.logits, retain_graph=True)
        assert torch.allclose(gradient, found, atol=1e-7)


def test_balanced_cross_entropy_weighs_both_sides_alike() -> None:
    """One pixel of structure among 99 of background: all of them together pull as much."""
    target = torch.zeros(1, 10, 10, dtype=torch.int64)
    target[0, 4, 4] = 1
    batch = Painted(torch.zeros(1, 2, 10, 10, requires_grad=True), target, torch.ones(1, 10, 10))
    _, gradient = gradient_of("wbce", batch)
    up = -gradient[0, 1, 4, 4].item()
    down = gradient[0, 1].clamp(min=0).sum().item()
    assert up == pytest.approx(down, rel=1e-5)
    assert up == pytest.approx(0.5 * 0.99 / 100, rel=1e-5)


def test_a_surely_wrong_voxel_is_still_taught() -> None:
    for name in ("cross_entropy", "bce", "wbce", "focal"):
        for classes in (2, 3):
            logits = torch.zeros(1, classes, 1, 2)
            logits[0, 0] = 40  # sure of background, where class 1 is painted
            batch = Painted(logits.requires_grad_(), torch.tensor([[[1, 0]]]), torch.ones(1, 1, 2))
            assert gradient_of(name, batch)[1][0, 1, 0, 0].item() < -0.01
