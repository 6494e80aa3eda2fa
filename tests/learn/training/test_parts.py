"""Feeding, averaging, compiling: the parts of the loop by themselves."""

from __future__ import annotations

import sys
import threading
from typing import Any

import numpy as np
import pytest
import torch

from orgseg_app.core.metrics.intervals import bootstrap_iou
from orgseg_app.learn.data.patches import Batch
from orgseg_app.learn.training import compiling
from orgseg_app.learn.training.averaging import Average
from orgseg_app.learn.training.feeding import Feed
from tests.learn.conftest import tiny_recipe


def numbered(step: int) -> Batch:
    one = np.full((1, 1, 1), step)
    return Batch(one[None].astype(np.float32), one.astype(np.uint8), one.astype(np.float32))


@pytest.mark.parametrize("ahead", [0, 3])
def test_batches_come_in_order_and_not_far_ahead(ahead: int) -> None:
    drawn: list[int] = []

    def draw(step: int) -> Batch:
        drawn.append(step)
        return numbered(step)

    feed = Feed(draw, ahead=ahead)
    threads = threading.active_count()
    for step in (0, 1, 2, 7, 8):  # a jump: what was drawn for 3… is dropped
        assert feed.batch(step).weights.item() == step
        assert max(drawn) <= step + ahead
    feed.clear()
    assert feed.batch(8).weights.item() == 8
    feed.close()
    assert threading.active_count() <= threads


def test_errors_of_a_drawing_thread_arrive() -> None:
    def draw(step: int) -> Batch:
        raise ValueError("nothing painted")

    feed = Feed(draw, ahead=2)
    with pytest.raises(ValueError, match="nothing painted"):
        feed.batch(0)
    feed.close()


def test_a_mean_of_weights_follows_slowly_and_copies_counts() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False), torch.nn.BatchNorm1d(1))
    torch.nn.init.constant_(network[0].weight, 0.0)
    average = Average(network, 0.9)
    torch.nn.init.constant_(network[0].weight, 1.0)
    network[1].num_batches_tracked.fill_(7)
    average.update(step=1000)
    assert average.network[0].weight.item() == pytest.approx(0.1)
    assert average.network[1].num_batches_tracked.item() == 7
    early = Average(network, 0.9)
    torch.nn.init.constant_(network[0].weight, 2.0)
    early.update(step=0)  # at the beginning it remembers one step in ten only
    assert early.network[0].weight.item() == pytest.approx(1.9)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Compilers that were asked; each gives the network back as it is."""
    asked: list[Any] = []

    def fake(heads: Any) -> Any:
        asked.append(heads)
        return lambda image: heads(image)

    monkeypatch.setattr(torch, "compile", fake)
    return asked


def test_compiling_only_where_it_pays(
    train: Any, compiled: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tiny_recipe(compile="auto", steps=20, validate_every=20)
    train(recipe, "short")[0].run()
    assert not compiled  # seconds of work do not pay for building anything
    monkeypatch.setitem(compiling.COST_S, "cpu", 0.0)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    train(recipe, "frozen")[0].run()
    assert not compiled
    monkeypatch.delattr(sys, "frozen")
    monkeypatch.setattr(compiling, "_MARGIN", 1e9)  # whatever it gains is not enough
    trainer, events = train(recipe, "long")
    trainer.run()
    assert len(compiled) == 1
    said = [f["text"] for name, f in events if name == "message"]
    assert any("not faster" in text for text in said)
    assert trainer.improver.heads == trainer.model.network.heads
    train(tiny_recipe(compile="never"), "never")[0].run()
    assert len(compiled) == 1


def test_a_compiler_that_fails_is_left_alone(train: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(heads: Any) -> Any:
        def call(image: torch.Tensor) -> Any:
            raise RuntimeError("no C++ compiler was found")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    monkeypatch.setitem(compiling.COST_S, "cpu", 0.0)
    trainer, events = train(tiny_recipe(compile="auto", steps=12))
    assert trainer.run() == ("finished", "Trained for 12 steps.")
    said = [f["text"] for name, f in events if name == "message"]
    assert any("it ended in an error" in text for text in said)


def test_intervals_hold_the_score_and_narrow_with_more_units() -> None:
    random = np.random.default_rng(0)

    def units(count: int) -> np.ndarray:
        hits = random.integers(50, 90, count)
        return np.array([[[100, 100 - h], [5, h]] for h in hits])

    few, many = (bootstrap_iou(units(n), [1, 2], units="planes") for n in (5, 200))
    for found in (few, many):
        assert found.mean_iou is not None
        assert found.mean_iou[0] < 70 / 105 + 0.05
        assert found.mean_iou == found.iou[2]
    widths = [f.mean_iou[1] - f.mean_iou[0] for f in (few, many) if f.mean_iou]
    assert 0 < widths[1] < widths[0]
    assert bootstrap_iou(units(1), [1, 2], units="planes").mean_iou is None
