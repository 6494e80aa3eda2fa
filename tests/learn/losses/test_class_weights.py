"""How much each class counts."""

from __future__ import annotations

import pytest
import torch

from orgseg_app.core.classes import ClassInfo
from orgseg_app.learn.errors import DataError
from orgseg_app.learn.losses.class_weights import automatic_class_weights, class_weights_of
from orgseg_app.learn.losses.registry import total_loss
from orgseg_app.runs.recipes.schema import LossTerm, Recipe
from tests.learn.losses.painted import gradient_of, painted

CLASSES = (
    ClassInfo(1, "background", "#000000"),
    ClassInfo(2, "ER", "#00ff00"),
    ClassInfo(3, "mitochondria", "#ff0000"),
)


def test_rare_classes_count_more_but_not_without_end() -> None:
    weights = automatic_class_weights([1_000_000, 40_000, 1, 0])
    assert weights[0] < weights[1] < weights[2]
    assert weights[2] / weights[0] == pytest.approx(10)
    assert weights[3] == 1
    assert automatic_class_weights([0, 0]) == [1, 1]


def test_a_recipe_says_none_auto_or_by_hand() -> None:
    voxels = [900, 100, 0]
    assert class_weights_of(Recipe(name="a"), CLASSES, voxels) is None
    auto = class_weights_of(Recipe(name="a", class_weights="auto"), CLASSES, voxels)
    assert auto == pytest.approx([0.5, 1.5, 1.0])
    by_hand = Recipe(name="a", class_weights="manual", class_weight_values={"ER": 2.5})
    assert class_weights_of(by_hand, CLASSES, voxels) == [1, 2.5, 1]


def test_names_that_a_project_does_not_have_are_told() -> None:
    recipe = Recipe(name="a", class_weights="manual", class_weight_values={"nuclei": 2})
    with pytest.raises(DataError, match='"nuclei".* it has background, ER, mitochondria'):
        class_weights_of(recipe, CLASSES, [1, 1, 1])


def test_some_painted_class_must_count() -> None:
    values = {"background": 0.0, "ER": 0.0}
    recipe = Recipe(name="a", class_weights="manual", class_weight_values=values)
    assert class_weights_of(recipe, CLASSES, [5, 5, 5]) == [0, 0, 1]
    with pytest.raises(DataError, match="no painted class counts"):
        class_weights_of(recipe, CLASSES, [5, 5, 0])


@pytest.mark.parametrize("name", ["cross_entropy", "bce", "focal", "mse"])
def test_a_class_that_counts_more_pulls_more(name: str) -> None:
    batch = painted(3, seed=7)
    _, plain = gradient_of(name, batch)
    counts = torch.tensor([1.0, 5.0, 1.0])
    loss = total_loss(*batch, terms=[LossTerm(name)], class_weights=counts)
    (weighed,) = torch.autograd.grad(loss, batch.logits)
    rare = ((batch.target == 1) & (batch.weights > 0))[:, None].expand_as(plain)

    def share(gradient: torch.Tensor) -> float:
        return (gradient[rare].abs().sum() / gradient.abs().sum()).item()

    assert share(weighed) > 1.2 * share(plain)
