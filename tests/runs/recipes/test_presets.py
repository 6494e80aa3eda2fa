"""Presets, what was published of each network, and which fields matter."""

from __future__ import annotations

import pytest

from orgseg_app.runs.estimate import flops_per_patch, is_fitted
from orgseg_app.runs.recipes.fields import recipe_fields
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.presets import PRESET_GROUPS, PRESET_TITLES, PRESETS
from orgseg_app.runs.recipes.published import published_settings, published_words
from orgseg_app.runs.recipes.reading import recipe_from_builtins, recipe_to_builtins
from orgseg_app.runs.recipes.relevance import idle_fields
from orgseg_app.runs.recipes.schema import Recipe

OLD_NAMES = ("fast", "fast-bce", "fast-clahe", "multi-class", "em-mitochondria", "er-published")


def test_every_preset_has_a_title_and_one_group() -> None:
    assert [name for names in PRESET_GROUPS.values() for name in names] == list(PRESETS)
    assert set(PRESET_TITLES) == set(PRESETS)
    assert len(set(PRESET_TITLES.values())) == len(PRESETS)
    assert next(iter(PRESETS)) == "fast"
    assert set(OLD_NAMES) <= set(PRESETS)


def test_presets_hold_the_numbers_of_their_studies() -> None:
    er, fusion, em = (PRESETS[name] for name in ("er-published", "er-fusion", "em-published"))
    assert (er.optimiser, er.momentum, er.weight_decay, er.learning_rate) == (
        "sgd", 0.9, 0.0005, 0.01,
    )  # fmt: skip
    assert er.steps * er.batch_size / 942 == pytest.approx(30, abs=1)  # epochs
    assert er.decay_steps * er.batch_size / 942 == pytest.approx(5, abs=0.2)
    assert (fusion.network.name, fusion.network.fusion) == ("deeplab", "concat")
    assert fusion.steps * fusion.batch_size / 1232 == pytest.approx(30, abs=0.1)
    assert fusion.decay_steps * fusion.batch_size / 1232 == pytest.approx(10, abs=0.1)
    assert em.preprocess[0].params == {"block": 127, "bins": 256, "max_slope": 1.5}
    assert (em.optimiser, em.learning_rate, em.loss[0].name) == ("adam", 0.0001, "bce")
    cells = PRESETS["cells"]
    assert [term.name for term in cells.loss] == ["bce_dice"]


LAPTOP = 100e9
"""Floating-point operations a second that two cores of a laptop do when a network learns."""


def work(recipe: Recipe) -> float:
    """Floating-point operations of all its steps."""
    return flops_per_patch(recipe) * recipe.batch_size * recipe.steps


@pytest.mark.parametrize(
    "name",
    [
        name
        for title, names in PRESET_GROUPS.items()
        for name in names
        if not title.startswith("As published") and not is_fitted(PRESETS[name])
    ],
)
def test_presets_for_a_laptop_take_minutes(name: str) -> None:
    recipe = PRESETS[name]
    assert work(recipe) / recipe.steps < LAPTOP
    assert work(recipe) < 12 * 60 * LAPTOP


def test_platelet_preset_is_that_of_the_study() -> None:
    recipe = PRESETS["platelet-published"]
    network = recipe.network
    assert (network.name, network.depth, network.width) == ("net2d3d", 3, 64)
    assert (recipe.batch_size, recipe.patch_depth, recipe.patch_size) == (1, 5, 300)
    assert (recipe.optimiser, recipe.learning_rate, recipe.schedule) == ("adam", 0.001, "constant")
    assert recipe.momentum == pytest.approx(1 - 10**-1.5, abs=0.001)
    assert recipe.weight_decay == pytest.approx(10**-4.7, rel=0.01)
    assert recipe.steps % 828 == 0
    for difference in ("mean over voxels, not their sum", "second moment", "0.992"):
        assert difference in recipe.about


def test_presets_for_volumes_cover_the_three_ways_to_see_one() -> None:
    recipes = [PRESETS[name] for name in PRESET_GROUPS["Volumes"]]
    dimensions = [NETWORK_NAMES[recipe.network.name].dimensions for recipe in recipes]
    assert dimensions == [2, 3, 3]
    assert recipes[0].network.planes == 5
    # For a laptop: no more work than the preset for several classes in planes, times three.
    usual = PRESETS["multi-class"]
    assert all(work(recipe) < 3 * work(usual) for recipe in recipes)


@pytest.mark.parametrize("name", list(NETWORK_NAMES))
def test_planes_are_asked_for_where_they_matter(name: str) -> None:
    idle = idle_fields(name, schedule="cosine", class_weights="none")
    info = NETWORK_NAMES[name]
    assert ("patch_depth" in idle) == (info.dimensions == 2)
    assert ("network.planes" in idle) == (not info.takes_planes)
    if info.dimensions == 3:
        assert not info.takes_planes
        assert "network.dropout" in idle


@pytest.mark.parametrize("name", list(NETWORK_NAMES))
def test_published_settings_make_a_sound_recipe(name: str) -> None:
    data = recipe_to_builtins(PRESETS["fast"])
    data["network"] |= {"name": name, "fusion": NETWORK_NAMES[name].fusions[0]}
    settings = published_settings(name)
    known = {info.path for info in recipe_fields()}
    assert set(settings) <= known
    for path, value in settings.items():
        group, _, leaf = path.rpartition(".")
        (data[group] if group else data)[leaf] = value
    recipe = recipe_from_builtins(data)
    assert recipe.network.name == name
    words = published_words(name)
    assert bool(words) == bool(settings)
    if "learning_rate" in settings:
        assert "Source: " in words
        assert f"{recipe.learning_rate:g}" in words
        assert settings["optimiser"] == recipe.optimiser


def test_every_field_matters_to_some_recipe() -> None:
    schedules = ("constant", "cosine", "step", "multi_step", "plateau")
    always_idle = frozenset(info.path for info in recipe_fields())
    for name in NETWORK_NAMES:
        for schedule in schedules:
            idle = idle_fields(name, schedule=schedule, class_weights="manual")
            assert "network.name" not in idle
            assert "preprocess" not in idle
            always_idle &= idle
    assert always_idle <= {"network.encoder", "network.pretrained"}  # of the optional library


def test_an_unknown_network_hides_nothing_of_its_own() -> None:
    idle = idle_fields("of the future", schedule="step", class_weights="none")
    assert idle == {"class_weight_values", "milestones", "plateau_checks"}
