"""Distances to painted contours, and the losses made of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from orgseg_app.learn.losses.boundary import signed_distances
from tests.learn.losses.painted import PLANE, VOLUME, Painted, loss_of, painted


def slow_distances(target: NDArray, labelled: NDArray, k: int) -> NDArray:
    """Of every painted voxel of one patch to the nearest painted one of the other side."""
    inside = np.argwhere(labelled & (target == k))
    outside = np.argwhere(labelled & (target != k))
    out = np.zeros(target.shape)
    if len(inside) and len(outside):
        for those, others, sign in ((outside, inside, 1), (inside, outside, -1)):
            for voxel in those:
                nearest = min(np.sqrt(((voxel - other) ** 2).sum()) for other in others)
                out[tuple(voxel)] = sign * (nearest - 0.5)
    return out


@pytest.mark.parametrize("size", [PLANE, VOLUME])
@settings(max_examples=25)
@given(seed=st.integers(0, 1000), share=st.sampled_from([0.02, 0.2, 1.0]))
def test_distances_are_those_to_the_nearest_painted_voxel_of_the_other_side(
    size: tuple[int, ...], seed: int, share: float
) -> None:
    random = np.random.default_rng(seed)
    target, labelled = random.integers(0, 3, (2, *size)), random.random((2, *size)) < share
    found = signed_distances(target, labelled, range(3))
    for n in range(2):
        for k in range(3):
            expected = slow_distances(target[n], labelled[n], k)
            assert np.allclose(found[n, k], expected, atol=1e-5)


@pytest.mark.parametrize("size", [PLANE, VOLUME])
@pytest.mark.parametrize("classes", [2, 3])
def test_formulas(classes: int, size: tuple[int, ...]) -> None:
    counts = torch.tensor([1.0, 3.0, 0.5])[:classes]
    batch = painted(classes, size=size, patches=2)
    p = batch.logits.detach().double().softmax(1).numpy()
    target, labelled = batch.target.numpy(), batch.weights.numpy() > 0
    w = batch.weights.double().numpy() * counts.double().numpy()[target]
    answer = p.argmax(1)
    boundary = hausdorff = 0.0
    for n in range(2):
        for k in range(classes):
            y = (target[n] == k).astype(float)
            true, own = (slow_distances(what[n], labelled[n], k) for what in (target, answer))
            boundary += (w[n] * true * (p[n, k] - y)).sum()
            far = np.abs(true) ** 1.5 + np.abs(own) ** 1.5
            hausdorff += (w[n] * far * (p[n, k] - y) ** 2).sum()
    found = loss_of("boundary", batch, class_weights=counts).item()
    assert found == pytest.approx(boundary / classes / w.sum(), rel=1e-4)
    found = loss_of("hausdorff", batch, class_weights=counts, alpha=1.5).item()
    assert found == pytest.approx(hausdorff / classes / w.sum(), rel=1e-4)


@pytest.mark.parametrize("name", ["boundary", "hausdorff"])
def test_the_same_mistake_costs_more_farther_away(name: str) -> None:
    target = torch.zeros(1, 12, 30, dtype=torch.int64)
    target[:, 4:8, 4:8] = 1
    values = []
    for x in (9, 14, 25):
        answer = target.clone()
        answer[0, 5, x] = 1
        score = 20.0 * (2 * answer - 1)
        batch = (torch.stack((-score, score), 1), target, torch.ones(target.shape))
        values.append(loss_of(name, batch).item())
    assert 0 < values[0] < values[1] < values[2]
    if name == "boundary":
        assert values[2] == pytest.approx((25 - 7 - 0.5) / target.numel(), rel=1e-4)


@pytest.mark.parametrize("name", ["boundary", "hausdorff"])
def test_without_two_sides_there_is_no_contour(name: str) -> None:
    for k in (0, 1):
        batch = Painted(
            torch.zeros(1, 2, 5, 5).requires_grad_(), torch.full((1, 5, 5), k), torch.ones(1, 5, 5)
        )
        assert loss_of(name, batch).item() == 0
