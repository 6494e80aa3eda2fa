"""The usual choices of augmentation: good recipes, and written by their names."""

from __future__ import annotations

import pytest

from orgseg_app.core.augmentation.dice import Dice
from orgseg_app.runs.errors import RecipeError
from orgseg_app.runs.recipes.augmentation import AUGMENTATION_PRESETS
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.settings import with_settings


@pytest.mark.parametrize("name", list(AUGMENTATION_PRESETS))
def test_a_name_stands_for_its_steps(name: str) -> None:
    preset = AUGMENTATION_PRESETS[name]
    recipe = with_settings(PRESETS["fast"], [f"augmentation={name}"])
    assert recipe.augmentation == preset.steps
    Dice(recipe.augmentation)  # every step and number is to be had
    assert preset.title
    assert preset.about


def test_they_go_from_none_to_much_and_can_be_added_to() -> None:
    counts = [len(preset.steps) for preset in AUGMENTATION_PRESETS.values()]
    assert counts == sorted(counts)
    assert counts[0] == 0
    names = {name: {s.name for s in p.steps} for name, p in AUGMENTATION_PRESETS.items()}
    assert {"rotate", "scale", "d4", "contrast", "noise"} <= names["basic"]
    assert {"elastic", "gamma", "blur"} <= names["advanced"]
    recipe = with_settings(PRESETS["fast"], ["augmentation=basic+blur:0.25,sigma=2"])
    assert recipe.augmentation[:-1] == AUGMENTATION_PRESETS["basic"].steps
    blur = recipe.augmentation[-1]
    assert (blur.name, blur.chance, blur.params) == ("blur", 0.25, {"sigma": 2.0})


def test_what_is_misspelt_or_too_much_is_refused() -> None:
    with pytest.raises(RecipeError, match=r'cannot be "rotat".*Did you mean "rotate"'):
        with_settings(PRESETS["fast"], ["augmentation=rotat"])
    with pytest.raises(RecipeError, match="between 0 and 180"):
        with_settings(PRESETS["fast"], ["augmentation=rotate:degrees=500"])
