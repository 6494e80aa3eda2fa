"""The grid spelt out: every combination once, ids that last, and reasons for what is left out."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.studies.cells import cell_from_builtins, cell_to_builtins, spell_out
from orgseg_app.runs.studies.definition import Axis, Study, StudyError, study_from_toml, titles

LOSSES = ("bce", "dice", "focal")
WIDTHS = (4, 8, 16)


@settings(max_examples=20)
@given(st.integers(2, 3), st.integers(2, 3), st.integers(1, 4), st.sampled_from([0, 2, 3]))
def test_every_combination_once_with_all_repeats(
    losses: int, widths: int, seeds: int, folds: int
) -> None:
    study = Study(
        name="x",
        recipe=PRESETS["fast"],
        axes=(Axis("loss", LOSSES[:losses]), Axis("network.width", WIDTHS[:widths])),
        seeds=seeds,
        folds=folds,
    )
    grid = spell_out(study)
    assert not grid.refused
    expected = [
        (loss, width, seed, fold)
        for seed in range(seeds)
        for fold in (range(folds) if folds else [None])
        for loss in LOSSES[:losses]
        for width in WIDTHS[:widths]
    ]
    found = [
        (c.recipe.loss[0].name, c.recipe.network.width, c.recipe.seed, c.fold) for c in grid.cells
    ]
    assert found == expected
    assert len({cell.cell_id for cell in grid.cells}) == study.size
    assert [cell.number for cell in grid.cells] == list(range(1, study.size + 1))
    again = [cell_from_builtins(json.loads(json.dumps(cell_to_builtins(c)))) for c in grid.cells]
    assert tuple(again) == grid.cells


def test_ids_last_when_the_study_grows_and_its_recipe_is_renamed() -> None:
    small = Study(name="x", recipe=PRESETS["fast"], axes=(Axis("loss", ("bce", "dice")),))
    renamed = msgspec.structs.replace(PRESETS["fast"], name="other", about="?")
    large = Study(name="y", recipe=renamed, axes=(Axis("loss", ("focal", "bce", "dice")),), seeds=2)
    ids = {cell.cell_id for cell in spell_out(small).cells}
    assert ids < {cell.cell_id for cell in spell_out(large).cells}
    other = msgspec.structs.replace(small, recipe=msgspec.structs.replace(renamed, steps=7))
    assert not ids & {cell.cell_id for cell in spell_out(other).cells}


def test_what_cannot_be_trained_is_left_out_with_the_reason() -> None:
    study = study_from_toml(
        'name = "x"\nrecipe = "fast"\nseeds = 2\n'
        '[[axes]]\nkey = "network"\nvalues = ["unet", "penet", "fcn32"]\n'
        '[[axes]]\nkey = "network.fusion"\nvalues = ["origin", "add"]\n'
        '[[axes]]\nkey = "network.depth"\nvalues = [2, 3]\n'
    )
    grid = spell_out(study)
    reasons = {titles(item.places): item.reason for item in grid.refused}
    assert "it is one of origin" in reasons["unet · add · depth 2"]
    assert 'the same as "penet · origin · depth 2"' in reasons["penet · origin · depth 3"]
    assert 'the same as "fcn32 · add · depth 2"' in reasons["fcn32 · add · depth 3"]
    kept = [titles(cell.places) for cell in grid.cells if cell.repeat == 0]
    assert kept == [
        "unet · origin · depth 2",
        "unet · origin · depth 3",
        "penet · origin · depth 2",
        "fcn32 · origin · depth 2",
        "fcn32 · add · depth 2",
    ]
    assert len(grid.cells) == 2 * len(kept)
    assert len(reasons) == 12 - len(kept)


def test_two_settings_that_only_fit_together_are_set_together() -> None:
    """Depth 5 wants patches of 64; an axis may bring both."""
    study = study_from_toml(
        'name = "x"\nrecipe = "fast"\nsettings = {patch_size = 32}\n'
        '[[axes]]\nkey = "network.depth"\nvalues = [1, 5]\n'
        '[[axes]]\nkey = "patch_size"\nvalues = [32, 64]\n'
    )
    grid = spell_out(study)
    assert [titles(cell.places) for cell in grid.cells][-1] == "depth 5 · patch size 64"
    assert ["Patch size" in item.reason for item in grid.refused] == [True]


def test_a_study_of_which_nothing_is_left() -> None:
    study = study_from_toml(
        'name = "x"\nrecipe = "fast"\n[[axes]]\nkey = "network.fusion"\nvalues = ["add", "none"]\n'
    )
    with pytest.raises(StudyError, match=r"Fewer than two runs .* it is one of origin"):
        spell_out(study)
