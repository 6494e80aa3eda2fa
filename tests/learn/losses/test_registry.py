"""What holds for every loss; above all that nothing is ever learnt from unlabelled voxels."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from orgseg_app.learn.losses.registry import LOSSES, total_loss
from orgseg_app.runs.recipes.losses import LOSS_NAMES
from orgseg_app.runs.recipes.schema import LossTerm
from tests.learn.losses.painted import (
    PLANE,
    VOLUME,
    Painted,
    gradient_of,
    loss_of,
    painted,
    same_bits,
)

BY_DISTANCE = ("boundary", "hausdorff")
SHARES = ("soft_iou", "dice", "tversky", "focal_tversky", "lovasz", "cldice", "l1", "mse")
WITH_SMOOTHING = ("bce_dice", "cldice")
"""What is added above and below a fraction does not grow with the weights."""


def test_every_loss_that_a_recipe_may_name_is_there() -> None:
    assert list(LOSSES) == list(LOSS_NAMES)


@pytest.mark.parametrize("size", [PLANE, VOLUME])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", LOSSES)
def test_what_is_stored_in_unlabelled_voxels_changes_not_a_bit(
    name: str, classes: int, size: tuple[int, ...]
) -> None:
    batch = painted(classes, size=size)
    loss, gradient = gradient_of(name, batch)
    unlabelled = batch.weights == 0
    assert gradient[unlabelled[:, None].expand_as(gradient)].abs().max() == 0
    assert gradient.abs().max() > 0
    for stored in (0, 1, classes - 1, 255, torch.randint(0, classes, batch.target.shape)):
        changed = batch.target.where(~unlabelled, torch.as_tensor(stored))
        for kind in (torch.uint8, torch.int64):
            other = gradient_of(name, batch._replace(target=changed.to(kind)))
            assert same_bits(loss, other[0])
            assert same_bits(gradient, other[1])


@pytest.mark.parametrize("size", [PLANE, VOLUME])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", LOSSES)
def test_what_a_network_says_of_unlabelled_voxels_changes_not_a_bit(
    name: str, classes: int, size: tuple[int, ...]
) -> None:
    batch = painted(classes, size=size)
    loss, gradient = gradient_of(name, batch)
    unlabelled = (batch.weights == 0)[:, None].expand_as(gradient)
    other = torch.where(unlabelled, 3 * torch.randn(batch.logits.shape), batch.logits.detach())
    loss_after, gradient_after = gradient_of(name, batch._replace(logits=other.requires_grad_()))
    assert same_bits(loss, loss_after)
    assert same_bits(gradient[~unlabelled], gradient_after[~unlabelled])


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", LOSSES)
def test_nothing_labelled_gives_zero_and_no_gradient(name: str, classes: int) -> None:
    batch = painted(classes)
    loss, gradient = gradient_of(name, batch._replace(weights=torch.zeros_like(batch.weights)))
    assert loss.item() == 0
    assert gradient.abs().max() == 0


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_may_have_a_patch_without_paint(name: str) -> None:
    """It counts as little as if it were not there."""
    batch = painted(3)
    batch.weights[1] = 0
    loss, gradient = gradient_of(name, batch)
    assert gradient[1].abs().max() == 0
    if name not in WITH_SMOOTHING:
        kept = Painted(*(part[[0, 2]] for part in batch))
        assert loss.item() == pytest.approx(loss_of(name, kept).item(), rel=1e-5)


def _squares(classes: int) -> torch.Tensor:
    """Classes in squares of 6 × 6, one of background between any two."""
    cells = torch.arange(4)
    board = (cells[:, None] + cells[None]) % classes
    return board.repeat_interleave(6, 0).repeat_interleave(6, 1)[None].repeat(2, 1, 1)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", LOSSES)
def test_a_perfect_answer_costs_nothing_and_a_worse_one_always_more(
    name: str, classes: int
) -> None:
    target = _squares(classes)
    right = functional.one_hot(target, classes).movedim(-1, 1) * 40.0
    worse = [torch.lerp(right, right.roll(1, dims=1), t) for t in (0, 0.45, 0.5, 0.55, 1)]
    values = [loss_of(name, (w, target, torch.ones(target.shape))).item() for w in worse]
    assert -1e-6 < values[0] < 1e-4
    assert values == sorted(values)
    assert values[4] > 0.3


@pytest.mark.parametrize("name", SHARES)
def test_losses_of_shares_lie_between_zero_and_one(name: str) -> None:
    for classes in (2, 4):
        for seed in range(5):
            assert 0 < loss_of(name, painted(classes, seed=seed)).item() < 1


@pytest.mark.parametrize("name", LOSSES)
def test_small_steps_against_the_gradient_lower_it(name: str) -> None:
    target = _squares(3)
    batch = Painted(torch.randn(2, 3, 24, 24, requires_grad=True), target, torch.ones(target.shape))
    # What is detached on purpose promises less than it gives.
    params = {"detached": 0.0} if name == "focal" else {}
    loss, gradient = gradient_of(name, batch, params)
    step = 1e-2 * gradient / gradient.norm()
    after = loss_of(name, batch._replace(logits=batch.logits.detach() - step), **params)
    # As much as the gradient's length promises, give or take.
    assert (loss - after).item() == pytest.approx(1e-2 * gradient.norm().item(), rel=0.3)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", LOSSES)
def test_twice_all_weights_is_the_same_loss(name: str, classes: int) -> None:
    batch = painted(classes)
    once = loss_of(name, batch).item()
    twice = loss_of(name, batch._replace(weights=2 * batch.weights)).item()
    assert twice == pytest.approx(once, rel=0.1 if name in WITH_SMOOTHING else 1e-5)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", [n for n in LOSSES if n not in (*BY_DISTANCE, "cldice")])
def test_a_voxel_of_weight_two_counts_as_two(name: str, classes: int) -> None:
    """The other losses heed where a voxel lies, and there cannot be two at one place."""
    batch = painted(classes, size=(1, 12), patches=2, share=0.8)
    batch.weights[:, :, 0], batch.weights[:, :, -1] = 1, 0
    heavy = batch.weights.clone()
    heavy[:, :, 0] = 2
    logits = batch.logits.detach().clone()
    logits[..., -1], batch.target[..., -1] = logits[..., 0], batch.target[..., 0]
    twin = batch.weights.clone()
    twin[:, :, -1] = 1
    one = loss_of(name, (logits, batch.target, heavy))
    two = loss_of(name, (logits, batch.target, twin))
    plain = loss_of(name, (logits, batch.target, batch.weights))
    assert one.item() == pytest.approx(two.item(), rel=1e-5)
    assert one.item() != pytest.approx(plain.item(), rel=1e-4)


@pytest.mark.parametrize("name", BY_DISTANCE)
def test_a_patch_of_weight_two_counts_as_two(name: str) -> None:
    batch = painted(3, patches=2)
    heavy = batch.weights * torch.tensor([2.0, 1.0])[:, None, None]
    twins = Painted(*(part[[0, 0, 1]] for part in batch))
    assert loss_of(name, batch._replace(weights=heavy)).item() == pytest.approx(
        loss_of(name, twins).item(), rel=1e-5
    )


@pytest.mark.parametrize("name", LOSSES)
def test_class_weights_count_and_all_alike_change_nothing(name: str) -> None:
    batch = painted(3, seed=7)
    plain = loss_of(name, batch).item()
    alike = loss_of(name, batch, class_weights=torch.full((3,), 2.5)).item()
    assert alike == pytest.approx(plain, rel=1e-5)
    weighed = loss_of(name, batch, class_weights=torch.tensor([1.0, 6.0, 2.0])).item()
    assert weighed != pytest.approx(plain, rel=1e-4)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", [n for n in LOSSES if n not in ("cldice", "bce_dice", "wbce")])
def test_a_class_of_weight_zero_costs_nothing(name: str, classes: int) -> None:
    """Patches in which another class alone is painted; wrong answers there are free."""
    target = torch.zeros(2, 6, 6, dtype=torch.int64)
    logits = 3 * torch.randn(2, classes, 6, 6)
    weights = torch.tensor([0.0, 1.0, 1.0][:classes])
    loss = loss_of(name, (logits, target, torch.ones(2, 6, 6)), class_weights=weights)
    assert loss.item() == 0


@pytest.mark.parametrize("size", [(5, 4), (2, 3, 4)])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_the_formula(name: str, classes: int, size: tuple[int, ...]) -> None:
    """Against finite differences in float64."""
    batch = painted(classes, size=size, patches=2, seed=3, share=0.7, dtype=torch.float64)
    # What is detached on purpose has no gradient to compare.
    params = {"detached": 0.0} if name == "focal" else {}
    torch.autograd.gradcheck(
        lambda logits: loss_of(name, batch._replace(logits=logits), **params),
        (batch.logits,),
        fast_mode=True,
    )


@pytest.mark.parametrize("params", [0, 1])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", LOSSES)
def test_extreme_answers_and_parameters_stay_finite(name: str, classes: int, params: int) -> None:
    """Sure and right, sure and wrong, and patches of one class alone."""
    known = LOSS_NAMES[name].params
    values = {key: (p.minimum, p.maximum)[params] for key, p in known.items()}
    torch.manual_seed(0)
    for size in (80.0, 1e4):
        target = torch.randint(0, classes, (4, 6, 7))
        target[1], target[2], target[3] = 0, 1, classes - 1
        logits = size * (2 * torch.randint(0, 2, (4, classes, 6, 7)) - 1.0)
        sure = size * (2 * functional.one_hot(target, classes).movedim(-1, 1) - 1.0)
        for answer in (logits, sure, -sure, torch.zeros_like(sure)):
            batch = Painted(answer.requires_grad_(), target, torch.ones(4, 6, 7))
            loss, gradient = gradient_of(name, batch, values)
            assert loss.isfinite()
            assert gradient.isfinite().all()
            for n in range(4):
                alone = Painted(*(part[n : n + 1].detach() for part in batch))
                alone.logits.requires_grad_()
                assert gradient_of(name, alone, values)[1].isfinite().all()


@pytest.mark.parametrize("name", [n for n in LOSSES if n not in (*BY_DISTANCE, "wbce", "cldice")])
def test_a_patch_with_background_alone_still_teaches(name: str) -> None:
    """Distances and balance need both sides; centre lines may move."""
    logits = torch.zeros(1, 2, 6, 6, requires_grad=True)
    logits.data[0, 1] = torch.linspace(-1, 1, 36).view(6, 6)
    batch = Painted(logits, torch.zeros(1, 6, 6, dtype=torch.int64), torch.ones(1, 6, 6))
    _, gradient = gradient_of(name, batch)
    assert gradient[:, 1].max() > 0  # the other class is pushed down,
    assert gradient[:, 1].min() >= 0  # and nowhere up


@pytest.mark.parametrize("name", LOSSES)
def test_sums_run_in_float32_under_autocast(name: str) -> None:
    batch = painted(3, seed=5)
    half = batch._replace(logits=batch.logits.detach().bfloat16())
    plain = loss_of(name, half._replace(logits=half.logits.float()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = loss_of(name, half)
    assert cast.dtype == torch.float32
    assert torch.equal(plain, cast)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("name", LOSSES)
def test_channels_last_answers_are_judged_alike(name: str, classes: int) -> None:
    batch = painted(classes)
    loss, gradient = gradient_of(name, batch)
    last = batch.logits.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
    loss_last, gradient_last = gradient_of(name, batch._replace(logits=last))
    assert loss_last.item() == pytest.approx(loss.item(), rel=1e-5)
    assert torch.allclose(gradient, gradient_last, rtol=1e-4, atol=1e-7)


def test_terms_are_added_with_their_weights_and_parameters() -> None:
    batch = painted(3, seed=6)
    terms = [LossTerm("bce", 2.0), LossTerm("dice", 0.5, {"smooth": 20})]
    both = total_loss(*batch, terms=terms)
    bce, dice = loss_of("bce", batch).item(), loss_of("dice", batch, smooth=20).item()
    assert dice != pytest.approx(loss_of("dice", batch).item(), rel=0.01)
    assert both.item() == pytest.approx(2 * bce + 0.5 * dice, rel=1e-5)


def test_unknown_and_wild_parameters_are_refused() -> None:
    with pytest.raises(ValueError, match="has no setting 'gama'"):
        loss_of("focal", painted(2), gama=2)
    with pytest.raises(ValueError, match="lies between 0 and 10"):
        loss_of("focal", painted(2), gamma=11)
