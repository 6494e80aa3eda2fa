"""Centre lines, soft and hard."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from orgseg_app.learn.losses.topology import _soft_skeleton
from tests.learn.losses.painted import loss_of, painted

CROSS = [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)]
SQUARE = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]


def slow_pool(area: NDArray, near: list[tuple[int, int]], choose) -> NDArray:
    """Smallest or largest neighbour inside the picture."""
    height, width = area.shape
    out = np.empty_like(area)
    for y in range(height):
        for x in range(width):
            out[y, x] = choose(
                area[y + dy, x + dx]
                for dy, dx in near
                if 0 <= y + dy < height and 0 <= x + dx < width
            )
    return out


def slow_skeleton(area: NDArray, times: int) -> NDArray:
    """Algorithm 1 of Shit et al. 2021, to the letter."""
    opened = slow_pool(slow_pool(area, CROSS, min), SQUARE, max)
    lines = np.maximum(area - opened, 0)
    for _ in range(times):
        area = slow_pool(area, CROSS, min)
        opened = slow_pool(slow_pool(area, CROSS, min), SQUARE, max)
        lines = lines + (1 - lines) * np.maximum(area - opened, 0)
    return lines


@pytest.mark.parametrize("times", [1, 3])
def test_soft_centre_lines_are_those_of_the_algorithm(times: int) -> None:
    area = np.random.default_rng(0).random((11, 13))
    found = _soft_skeleton(torch.from_numpy(area)[None, None], times)
    assert np.allclose(found[0, 0].numpy(), slow_skeleton(area, times))


def test_a_flat_volume_has_the_lines_of_its_plane() -> None:
    area = torch.rand(1, 1, 9, 10)
    assert torch.equal(_soft_skeleton(area[:, :, None], 3)[:, :, 0], _soft_skeleton(area, 3))


def test_the_middle_of_a_bar_is_its_line() -> None:
    bar = torch.zeros(1, 1, 11, 30)
    bar[..., 3:8, 4:26] = 1
    lines = _soft_skeleton(bar, 3)[0, 0]
    assert lines[5, 8:22].min() == 1
    assert lines[[3, 4, 6, 7], 8:22].max() == 0


@pytest.mark.parametrize("classes", [2, 3])
def test_formula(classes: int) -> None:
    batch, counts = painted(classes, patches=2), torch.tensor([1.0, 4.0, 1.0])[:classes]
    p = batch.logits.detach().double().softmax(1).numpy()
    w, target = batch.weights.double().numpy(), batch.target.numpy()
    losses = []
    for n in range(2):
        for k in range(1, classes):
            y = ((target[n] == k) & (w[n] > 0)).astype(float)
            answer = p[n, k] * (w[n] > 0)
            p_lines, y_lines = slow_skeleton(answer, 2), slow_skeleton(y, 2)
            precision = ((w[n] * p_lines * y).sum() + 1) / ((w[n] * p_lines).sum() + 1)
            sensitivity = ((w[n] * y_lines * answer).sum() + 1) / ((w[n] * y_lines).sum() + 1)
            losses.append(1 - 2 * precision * sensitivity / (precision + sensitivity))
    assert loss_of("cldice", batch, iterations=2).item() == pytest.approx(np.mean(losses), rel=1e-5)
    weighed = loss_of("cldice", batch, iterations=2, class_weights=counts).item()
    by_class = np.reshape(losses, (2, classes - 1)).mean(0)
    assert weighed == pytest.approx(np.average(by_class, weights=counts[1:]), rel=1e-5)


def test_a_break_costs_more_than_thick_walls() -> None:
    """What Dice likes and clDice does not: three pixels too few, all in one place."""
    target = torch.zeros(1, 15, 40, dtype=torch.int64)
    target[:, 6:9] = 1
    broken, thick = target.clone(), target.clone()
    broken[:, :, 18:22] = 0
    thick[:, 5] = 1

    def of(name: str, answer: torch.Tensor) -> float:
        score = 20.0 * (2 * answer - 1)
        batch = (torch.stack((-score, score), 1), target, torch.ones(target.shape))
        return loss_of(name, batch).item()

    assert of("dice", broken) < of("dice", thick)
    assert of("cldice", broken) > 5 * of("cldice", thick)
