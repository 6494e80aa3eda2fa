"""Painted voxels count as much as their class seems to take up."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from orgseg_app.learn.networks.network import Head
from orgseg_app.learn.training import shares
from orgseg_app.learn.training.shares import ClassShares
from orgseg_app.runs.recipes.presets import PRESETS


def _said(probability: Tensor) -> list[Head]:
    """A network of two classes that says this of the second, ``(N, Y, X)``."""
    score = torch.logit(probability.clamp(1e-6, 1 - 1e-6))
    return [Head(torch.stack([torch.zeros_like(score), score], 1), 1.0)]


def _step(known: ClassShares, heads: Sequence[Head], target: Tensor, weights: Tensor) -> None:
    known.forget()
    known.look(heads, target, weights)
    known.update(known.gathered)


def _strokes(
    count: int = 20_000, structure: float = 0.2, painted_of_each: int = 500
) -> tuple[Tensor, Tensor, Tensor]:
    """Truth, brightness and weights of a picture: as many voxels of each class are painted."""
    dice = torch.Generator().manual_seed(3)
    truth = (torch.rand(1, 1, count, generator=dice) < structure).long()
    bright = torch.randn(1, 1, count, generator=dice) + 2.0 * truth
    painted = torch.zeros_like(bright)
    for class_index in (0, 1):
        places = (truth == class_index).flatten().nonzero()[:painted_of_each]
        painted.flatten()[places] = 1
    return truth, bright, painted


@pytest.mark.parametrize("favour", [1.0, 2.0, 0.5])
def test_shares_of_the_whole_are_found_from_strokes_of_other_shares(favour: float) -> None:
    truth, bright, weights = _strokes(100_000, painted_of_each=1_000)
    known = ClassShares(2)
    for _ in range(200):
        # The best answer there is after learning with the weights: Bayes' rule on two bells. A loss
        # that favours the structure asks for more of it.
        factors = known.weights if known.weights is not None else torch.ones(2)
        odds = favour * factors[1] / factors[0] * torch.exp(2.0 * bright - 2.0)
        _step(known, _said(odds / (1 + odds)), truth, weights)
    weighted = known.weighted(truth, weights)
    of_structure = (weighted * (truth == 1)).sum() / weighted.sum()
    assert (weights * (truth == 1)).sum() == weights.sum() / 2
    assert of_structure.item() == pytest.approx((truth == 1).float().mean().item(), abs=0.02)


def test_where_all_is_painted_every_voxel_counts_as_before() -> None:
    known = ClassShares(2)
    for step in range(shares.WAIT + 5):  # patches with more and less structure
        truth, bright, _ = _strokes(2_000, structure=0.1 + 0.05 * step)
        weights = torch.rand(truth.shape) + 0.1
        assert torch.equal(known.weighted(truth, weights), weights)
        _step(known, _said(torch.sigmoid(bright)), truth, weights)
    assert known.weights is not None


def test_what_is_stored_where_nothing_is_painted_is_never_looked_at() -> None:
    truth, bright, weights = _strokes(3_000)
    answers = []
    for stored in (0, 1, 255):
        target = torch.where(weights > 0, truth, stored).to(torch.uint8)
        known = ClassShares(2)
        for _ in range(shares.WAIT + 3):
            _step(known, _said(torch.sigmoid(bright)), target, weights)
        answers.append((known.facts(), known.weighted(target, weights)))
    for facts, weighted in answers[1:]:
        assert facts == answers[0][0]
        assert torch.equal(weighted, answers[0][1])


def test_a_class_is_never_silenced() -> None:
    truth, _, weights = _strokes(2_000)
    known = ClassShares(2)
    for _ in range(300):  # a network that has forgotten the structure
        _step(known, _said(torch.zeros(truth.shape)), truth, weights)
    assert known.weights is not None
    assert known.weights.min() >= shares.LEAST


def test_a_class_that_nobody_paints_disturbs_nothing() -> None:
    truth, bright, weights = _strokes(2_000)
    score = _said(torch.sigmoid(bright))[0].logits
    heads = [Head(torch.cat([score, torch.full_like(score[:, :1], -9.0)], 1), 1.0)]
    known = ClassShares(3)
    for _ in range(shares.WAIT + 9):
        _step(known, heads, truth, weights)
    assert torch.isfinite(known.weighted(truth, weights)).all()


def test_a_network_that_has_come_apart_changes_nothing() -> None:
    truth, bright, weights = _strokes(1_000)
    known = ClassShares(2)
    for _ in range(shares.WAIT + 3):
        _step(known, _said(torch.sigmoid(bright)), truth, weights)
    before = known.painted, known.present
    _step(known, [Head(torch.full((1, 2, *truth.shape[1:]), torch.nan), 1.0)], truth, weights)
    assert all(map(torch.equal, before, (known.painted, known.present)))


def test_parts_of_a_batch_and_coarser_answers() -> None:
    truth, bright, weights = _strokes(1_024)
    said = _said(torch.sigmoid(bright))
    whole, parts = ClassShares(2), ClassShares(2)
    whole.look([Head(said[0].logits[..., ::2], 5.0), *said], truth, weights)
    for half in (slice(None, 512), slice(512, None)):
        parts.look([Head(said[0].logits[..., half], 1.0)], truth[..., half], weights[..., half])
    assert torch.allclose(whole.gathered, parts.gathered, rtol=1e-6)


def test_it_goes_on_from_a_checkpoint_with_the_same_numbers() -> None:
    truth, bright, weights = _strokes(1_000)
    heads = _said(torch.sigmoid(bright))
    known, resumed = ClassShares(2), ClassShares(2)
    for _ in range(shares.WAIT + 2):
        _step(known, heads, truth, weights)
    resumed.load(json.loads(json.dumps(known.facts())))
    for each in (known, resumed):
        _step(each, heads, truth, weights)
    assert resumed.facts() == known.facts()


def test_a_checkpoint_of_before_the_painted_was_asked_for_goes_on() -> None:
    truth, bright, weights = _strokes(1_000)
    known, resumed = ClassShares(2), ClassShares(2)
    for _ in range(shares.WAIT + 2):
        _step(known, _said(torch.sigmoid(bright)), truth, weights)
    kept = known.facts()["shares"]
    resumed.load({"shares": {name: kept[name] for name in ("painted", "present", "steps")}})
    assert torch.equal(resumed.weighted(truth, weights), known.weighted(truth, weights))
    for _ in range(5):
        _step(resumed, _said(torch.sigmoid(bright)), truth, weights)
    assert resumed.too_rare.isfinite().all()
    assert not torch.equal(resumed.too_rare, torch.ones(2))


def test_it_goes_along_to_another_device() -> None:
    truth, bright, weights = _strokes(1_000)
    known = ClassShares(2)
    for _ in range(shares.WAIT + 2):
        _step(known, _said(torch.sigmoid(bright)), truth, weights)
    elsewhere = torch.device("meta")  # there wherever torch is
    weighted = known.weighted(truth.to(elsewhere), weights.to(elsewhere))
    assert weighted.device == elsewhere
    assert weighted.shape == weights.shape


@pytest.mark.parametrize("kept", [{}, "no", {"painted": [1.0], "present": [1.0], "steps": 1}])
def test_what_does_not_fit_is_refused(kept: object) -> None:
    with pytest.raises(ValueError, match="shares"):
        ClassShares(2).load({"shares": kept})


def test_only_recipes_that_want_it_have_it() -> None:
    fast = PRESETS["fast"]
    assert (shares.shares_of(fast, 2) is not None) == (fast.class_weights == "share")
