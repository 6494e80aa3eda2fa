"""Recipes: what goes in comes out, and every mistake is named in plain words."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.runs.errors import RecipeError
from orgseg_app.runs.recipes.choices import OPTIONS
from orgseg_app.runs.recipes.fields import FieldInfo, recipe_fields, sentence_for
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.reading import (
    check_recipe,
    load_recipe,
    recipe_from_builtins,
    recipe_from_json,
    recipe_from_toml,
    recipe_to_json,
    recipe_to_toml,
)
from orgseg_app.runs.recipes.schema import (
    RECIPE_VERSION,
    AugmentationStep,
    LossTerm,
    NetworkChoice,
    PreprocessStep,
    Recipe,
)
from orgseg_app.runs.recipes.settings import with_settings
from orgseg_app.runs.recipes.wording import describe, differences

recipes = st.builds(
    Recipe,
    name=st.text(min_size=1, max_size=40),
    about=st.text(max_size=60),
    preprocess=st.lists(
        st.builds(PreprocessStep, st.sampled_from(list(OPTIONS["preprocess"]))),
        min_size=1,
        max_size=3,
    ).map(tuple),
    network=st.builds(
        NetworkChoice,
        depth=st.integers(1, 6),
        width=st.integers(4, 128),
        dropout=st.floats(0, 0.8),
    ),
    loss=st.lists(
        st.builds(
            LossTerm,
            st.sampled_from(list(OPTIONS["loss"])),
            st.floats(0.001, 1000),
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda term: term.name,
    ).map(tuple),
    augmentation=st.lists(
        st.builds(
            AugmentationStep, st.sampled_from(list(OPTIONS["augmentation"])), st.floats(0, 1)
        ),
        max_size=3,
    ).map(tuple),
    optimiser=st.sampled_from(["adamw", "adam", "sgd"]),
    learning_rate=st.floats(1e-9, 1),
    weight_decay=st.floats(0, 1),
    schedule=st.sampled_from(list(OPTIONS["schedule"])),
    steps=st.integers(1, 10_000_000),
    max_minutes=st.floats(0, 100_000),
    batch_size=st.integers(1, 512),
    patch_size=st.integers(128, 4096),
    seed=st.integers(0, 2**31 - 1),
)


@given(recipes)
def test_a_recipe_survives_json(value: Recipe) -> None:
    assert recipe_from_json(recipe_to_json(value)) == value


@given(recipes)
def test_a_recipe_survives_toml(value: Recipe) -> None:
    assert recipe_from_toml(recipe_to_toml(value)) == value


@given(recipes, recipes)
def test_differences_name_exactly_what_differs(a: Recipe, b: Recipe) -> None:
    assert differences(a, a) == {}
    found = differences(a, b)
    assert ("steps" in found) == (a.steps != b.steps)
    assert ("network.depth" in found) == (a.network.depth != b.network.depth)
    for left, right in found.values():
        assert left != right


@settings(max_examples=200)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["name", "network", "loss", "steps", "width", "weight", "x"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    )
)
def test_nonsense_is_refused_with_a_sentence(data: object) -> None:
    sentence = "fine."
    try:
        recipe_from_builtins(data)
    except RecipeError as error:
        sentence = str(error)
    assert sentence.endswith((".", "?", '"'))
    assert "$" not in sentence
    assert "`" not in sentence


@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_are_sound_and_say_what_they_are_for(name: str) -> None:
    preset = PRESETS[name]
    assert preset.name == name
    assert preset.about.endswith(".")
    assert check_recipe(preset) is preset
    assert load_recipe(name) is preset
    assert ("steps" in describe(preset)) == (name != "instant")


def test_the_pair_of_the_demo_differs_in_one_choice() -> None:
    assert list(differences(PRESETS["fast"], PRESETS["fast-bce"])) == ["loss"]
    assert list(differences(PRESETS["fast"], PRESETS["fast-clahe"])) == ["preprocess"]


PLAIN_KINDS = {"int", "float", "text", "flag", "numbers", "class_weights"}
CHOOSING_KINDS = {"choice", "losses", "steps", "augmentations"}


def test_the_form_has_every_field_with_words_for_a_biologist() -> None:
    infos = {info.path: info for info in recipe_fields()}
    names = set(Recipe.__struct_fields__) - {"version", "network"}
    assert {path for path in infos if "." not in path} == names
    for info in infos.values():
        assert isinstance(info, FieldInfo)
        assert info.title
        assert info.description.endswith("."), info.path
        assert info.kind in PLAIN_KINDS | CHOOSING_KINDS
        assert bool(info.options) == (info.kind in CHOOSING_KINDS)
    assert infos["network.width"].minimum == 4
    assert infos["network.width"].maximum == 128
    assert infos["steps"].default == Recipe(name="x").steps


def test_choices_offered_are_the_choices_accepted() -> None:
    for info in recipe_fields():
        if info.kind == "choice":
            for option in info.options:
                start = PRESETS["er-fusion" if info.path == "network.fusion" else "fast"]
                changed = with_settings(start, [f"{info.path}={option}"])
                assert check_recipe(changed)


@pytest.mark.parametrize(
    "setting, words",
    [
        ("steps=0", '"Steps" must be at least 1.'),
        ("steps=many", '"Steps" must be a whole number.'),
        ("network.width=3", '"Network width" must be at least 4.'),
        ("network.depth=99", '"Network depth" must be at most 6.'),
        ("learning_rate=0", '"Learning rate" must be more than 0.'),
        ("learning_rate=nan", '"Learning rate"'),
        ("weight_decay=nan", '"Weight decay"'),
        ("loss=bcee", 'Did you mean "bce"?'),
        ("loss=bce+bce", "names the same loss twice"),
        ("loss=bce:-1", '"Loss weight" must be more than 0.'),
        ("loss=", '"Loss" must not be empty.'),
        ("optimiser=adm", 'Did you mean "adam"?'),
        ("network=resnet", '"Network" cannot be "resnet"'),
        ("preprocess=clahe:clip_limits=3", 'Did you mean "clip_limit"?'),
        ("preprocess=clahe:clip_limit=900", "must lie between"),
        ("step=3", 'Did you mean "steps"?'),
        ("steps", "write it as steps=200"),
        ("patch_size=16", "must be at least 16 for a network of depth 3"),
    ],
)
def test_wrong_settings_are_named(setting: str, words: str) -> None:
    settings = [setting] if setting != "patch_size=16" else [setting, "network.depth=4"]
    if setting == "patch_size=16":
        words = "must be at least 32 for a network of depth 4"
    with pytest.raises(RecipeError) as caught:
        with_settings(PRESETS["fast"], settings)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "settings, words",
    [
        (["network.planes=4"], '"Planes seen at once" must be an odd number'),
        (["network.planes=4"], "3 or 5 would do."),
        (["network.planes=17"], '"Planes seen at once" must be at most 15.'),
        (["network=net2d3d", "network.planes=3"], "looks at whole volumes already"),
        (["network=smp", "network.encoder=unet/resnet18", "network.planes=3"], "one plane at a"),
        (["network=pixel_classifier", "network.planes=3"], "must be 1: Pixel classifier (seconds)"),
        (["patch_depth=0"], '"Patch depth (planes)" must be at least 1.'),
        (["network=unet3d", "network.depth=4"], '"Patch depth (planes)" must be at least 8'),
        (["network=net2d3d", "patch_size=15"], '"Patch size (pixels)" must be at least 16'),
    ],
)
def test_wrong_planes_are_named(settings: list[str], words: str) -> None:
    with pytest.raises(RecipeError) as caught:
        with_settings(PRESETS["fast"], settings)
    assert words in str(caught.value)


def test_volumes_are_described_with_their_planes() -> None:
    planes = with_settings(PRESETS["fast"], ["network.planes=5"])
    assert "U-Net depth 3 width 16 on 5 planes ·" in describe(planes)
    volume = with_settings(PRESETS["fast"], ["network=unet3d", "patch_depth=6"])
    assert describe(volume).endswith("8 × 6 × 128²")
    assert differences(PRESETS["fast"], planes) == {"network.planes": (1, 5)}


def test_settings_as_on_the_command_line() -> None:
    changed = with_settings(
        PRESETS["fast"],
        [
            "network.width=32",
            "loss=soft-iou+dice:0.5",
            "preprocess=clahe:clip_limit=3+zscore",
            "name=wide",
        ],
    )
    assert changed.network.width == 32
    assert changed.loss == (LossTerm("soft_iou"), LossTerm("dice", 0.5))
    assert changed.preprocess == (
        PreprocessStep("clahe", {"clip_limit": 3.0}),
        PreprocessStep("zscore"),
    )
    assert changed.name == "wide"
    assert set(differences(PRESETS["fast"], changed)) == {"network.width", "loss", "preprocess"}


@pytest.mark.parametrize(
    "text, words",
    [
        ("{", "not readable as JSON"),
        ("\ud800".encode("utf-8", "surrogatepass"), "not readable as JSON"),
        ("[]", "must be a group of values"),
        ("{}", 'lacks "name"'),
        ('{"name":"x","wdith":1}', 'has no field "wdith". Did you mean "width"?'),
        ('{"name":"x","version":9}', "newer version of OrgSeg"),
        ('{"name":"x","version":-3}', '"version" of a recipe is 1 to'),
        ("[" * 100_000 + "]" * 100_000, "not readable as JSON"),
        ('{"name":3}', '"Name" must be text.'),
        ('{"name":"x","loss":[{"name":"bce","weight":"a"}]}', '"Loss weight" must be a number.'),
        ('{"name":"x","network":3}', "must be a group of values"),
    ],
)
def test_damaged_recipes_are_named(text: str | bytes, words: str) -> None:
    with pytest.raises(RecipeError) as caught:
        recipe_from_json(text)
    assert words in str(caught.value)


def test_recipes_from_files(tmp_path: Path) -> None:
    path = tmp_path / "Größe mit Leerzeichen.json"
    path.write_text(recipe_to_json(PRESETS["multi-class"]), encoding="utf-8")
    assert load_recipe(path) == PRESETS["multi-class"]
    path.write_text(json.dumps({"name": "x", "steps": -1}), encoding="utf-8")
    with pytest.raises(RecipeError, match=r'"Größe mit Leerzeichen.json" cannot be used. "Steps"'):
        load_recipe(path)
    path = tmp_path / "mine.TOML"
    path.write_text(recipe_to_toml(PRESETS["em-published"]), encoding="utf-8")
    assert load_recipe(path) == PRESETS["em-published"]
    path.write_text('name = "x"\nsteps = -1', encoding="utf-8")
    with pytest.raises(RecipeError, match=r'"mine.TOML" cannot be used. "Steps"'):
        load_recipe(path)
    path.write_text("name =", encoding="utf-8")
    with pytest.raises(RecipeError, match="not readable as TOML"):
        load_recipe(path)
    with pytest.raises(RecipeError, match='Did you mean "fast"'):
        load_recipe("fasst")
    with pytest.raises(RecipeError, match="could not be read"):
        load_recipe(tmp_path)


def test_infinity_never_passes() -> None:
    with pytest.raises(RecipeError):
        check_recipe(Recipe(name="x", learning_rate=math.inf))
    with pytest.raises(RecipeError):
        check_recipe(Recipe(name="x", loss=(LossTerm("bce", math.nan),)))


def test_sentences_cover_the_messages_of_the_library() -> None:
    assert sentence_for("Expected `float` <= 1.0 - at `$.weight_decay`") == (
        '"Weight decay" must be at most 1.'
    )
    assert "`" not in sentence_for("Expected `array`, got `int` - at `$.loss`")
    assert RECIPE_VERSION == 2
