"""The learning rate: rises, falls, milestones, stalls; and what follows it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from orgseg_app.learn.checkpoint import read_checkpoint
from orgseg_app.learn.training.schedule import after_check, build_optimiser, learning_rate
from tests.learn.conftest import tiny_recipe


def test_constant_and_cosine() -> None:
    constant = tiny_recipe(schedule="constant", learning_rate=0.1)
    assert learning_rate(constant, 0, 0.0) < learning_rate(constant, 3, 0.03) == 0.1
    cosine = tiny_recipe(schedule="cosine", learning_rate=0.1)
    falling = [learning_rate(cosine, 5, p) for p in np.linspace(0.03, 1, 20)]
    assert falling == sorted(falling, reverse=True)
    assert falling[-1] == pytest.approx(0.001)


def test_steps_and_milestones() -> None:
    thirds = tiny_recipe(schedule="step", learning_rate=0.1)
    found = [learning_rate(thirds, 0, p) for p in (0.1, 0.5, 0.9, 1.0)]
    assert found == pytest.approx([0.1, 0.01, 0.001, 0.001])
    every = tiny_recipe(schedule="step", learning_rate=0.1, decay_steps=5, decay_factor=0.5)
    found = [learning_rate(every, s, 0.5) for s in (4, 5, 9, 10, 20)]
    assert found == pytest.approx([0.1, 0.05, 0.05, 0.025, 0.1 / 16])
    stones = tiny_recipe(schedule="multi_step", learning_rate=1.0, milestones=(0.5, 0.8))
    found = [learning_rate(stones, 0, p) for p in (0.49, 0.5, 0.79, 0.8)]
    assert found == pytest.approx([1, 0.1, 0.1, 0.01])


def test_warm_up_rises_from_nothing_and_sgd_has_none_unasked() -> None:
    warm = tiny_recipe(schedule="constant", learning_rate=1.0, warmup_steps=4)
    assert [learning_rate(warm, s, 0) for s in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    plain = tiny_recipe(schedule="constant", learning_rate=1.0, optimiser="sgd")
    assert learning_rate(plain, 0, 0) == 1.0


def test_a_plateau_falls_after_so_many_checks_without_the_best() -> None:
    recipe = tiny_recipe(schedule="plateau", plateau_checks=2, decay_factor=0.5)
    stalled, fallen, seen = 0, 1.0, []
    for is_best in (True, False, False, False, True, False, False):
        stalled, fallen = after_check(recipe, is_best=is_best, stalled=stalled, fallen=fallen)
        seen.append(fallen)
    assert seen == [1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]
    assert learning_rate(recipe, 3, 0.5, fallen=0.25) == pytest.approx(recipe.learning_rate / 4)
    other = tiny_recipe(schedule="cosine")
    assert after_check(other, is_best=False, stalled=9, fallen=1.0) == (0, 1.0)


def test_plateau_reaches_the_optimiser(train: Any, tmp_path: Any) -> None:
    recipe = tiny_recipe(
        schedule="plateau",
        plateau_checks=1,
        decay_factor=0.1,
        learning_rate=1e-9,  # nothing improves
        optimiser="sgd",
        steps=6,
        validate_every=1,
    )
    trainer, events = train(recipe)
    trainer.run()
    falls = sum(not f["best"] for name, f in events if name == "validation")
    assert falls >= 3
    assert trainer.state.fallen == pytest.approx(0.1**falls)
    kept = read_checkpoint(tmp_path / "run" / "last.ckpt")[1]["training"]
    assert kept["fallen"] == pytest.approx(trainer.state.fallen)


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize("fused", [False, True])
def test_optimisers_take_momentum_and_decay_from_the_recipe(name: str, fused: bool) -> None:
    recipe = tiny_recipe(optimiser=name, momentum=0.5, weight_decay=0.25, learning_rate=0.125)
    parameter = torch.nn.Parameter(torch.ones(3))
    optimiser = build_optimiser(recipe, [parameter], fused=fused)
    (group,) = optimiser.param_groups
    assert group["lr"], group["weight_decay"] == (0.125, 0.25)
    assert 0.5 in (group.get("momentum"), group.get("betas", (None,))[0])


def test_gradients_are_clipped(train: Any) -> None:
    recipe = tiny_recipe(optimiser="sgd", momentum=0.0, weight_decay=0.0, gradient_clip=0.001)
    trainer, _ = train(recipe)
    improver = trainer.improver
    before = [p.detach().clone() for p in trainer.model.network.parameters()]
    loss = improver.gradients(trainer._draw(0), step=0, micro_batch=2)
    improver.update(1.0, loss, step=0)
    moved = [p - q for p, q in zip(trainer.model.network.parameters(), before, strict=True)]
    length = torch.cat([m.flatten() for m in moved]).norm().item()
    assert length == pytest.approx(0.001, rel=0.01)
