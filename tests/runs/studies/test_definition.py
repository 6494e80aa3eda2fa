"""What a study may be, what is said of one that may not, and its way to TOML and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.runs.errors import RunError
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.published import published_settings
from orgseg_app.runs.studies.cells import spell_out
from orgseg_app.runs.studies.definition import (
    Axis,
    AxisChoice,
    Study,
    StudyError,
    check_study,
    load_study,
    ready_made,
    study_from_builtins,
    study_from_toml,
    study_to_builtins,
    study_to_toml,
)

AXIS = '[[axes]]\nkey = "loss"\nvalues = ["bce", "dice"]\n'
HEAD = 'name = "x"\nrecipe = "fast"\n'

losses = st.lists(st.sampled_from(["bce", "dice", "focal", "bce+dice:0.5"]), unique=True)
axes = st.tuples(
    losses.filter(lambda names: len(names) > 1).map(lambda v: Axis("loss", tuple(v))),
    st.lists(st.integers(4, 128), min_size=2, max_size=4, unique=True).map(
        lambda widths: Axis(
            "size",
            choices=tuple(
                AxisChoice(f"w {w}", {"network.width": w, "learning_rate": 0.001}) for w in widths
            ),
        )
    ),
)
studies = st.builds(
    Study,
    name=st.text("abc ü", min_size=1, max_size=60),
    question=st.text(max_size=50),
    recipe=st.sampled_from([PRESETS["fast"], PRESETS["volume-25d"]]),
    axes=axes,
    seeds=st.integers(1, 5),
    folds=st.sampled_from([0, 2, 5]),
    score=st.sampled_from(["mean_iou", "mean_dice"]),
)


@settings(max_examples=25)
@given(studies)
def test_to_toml_and_json_and_back(study: Study) -> None:
    assert study_from_toml(study_to_toml(study)) == study
    assert study_from_builtins(study_to_builtins(study)) == study


def test_settings_change_the_recipe_of_all_runs() -> None:
    text = (
        HEAD
        + '[settings]\nsteps = 7\nnetwork.width = 8\n"loss" = "bce"\n'
        + (
            '[[axes]]\nkey = "size"\n'
            'choices = [{name = "a", settings = {network.depth = 1}},'
            ' {name = "b", settings = {"network.depth" = 2}}]\n'
        )
    )
    study = study_from_toml(text)
    assert (study.recipe.steps, study.recipe.network.width) == (7, 8)
    assert study.recipe.loss[0].name == "bce"
    assert study.axes[0].choices[0].settings == {"network.depth": 1}
    # A recipe that is no preset any more is written out in full.
    assert study_from_toml(study_to_toml(study)) == study


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = [", "not readable as TOML"),
        ('name = "x"\n' + AXIS, "lacks a recipe"),
        ('name = "x"\nrecipe = "fest"\n' + AXIS, 'Did you mean "fast"'),
        (HEAD + 'axis = "loss"\n', 'A study has no "axis".'),
        (HEAD + AXIS + AXIS, "set by two axes"),
        (HEAD + '[[axes]]\nkey = "losss"\nvalues = ["bce", "dice"]\n', 'Did you mean "loss"'),
        (HEAD + '[[axes]]\nkey = "loss"\nvalues = ["bce"]\n', "has one value"),
        (HEAD + '[[axes]]\nkey = "loss"\nvalues = ["bce", "bce"]\n', 'has "bce" twice'),
        (HEAD + '[[axes]]\nkey = "loss"\n', "needs values = [...], or choices"),
        (HEAD + '[[axes]]\nkey = "seed"\nvalues = [1, 2]\n', "Write seeds = 3 beside the axes"),
        (HEAD + '[[axes]]\nkey = "name"\nvalues = ["a", "b"]\n', "cannot be an axis"),
        (HEAD, "A study of one run answers nothing"),
        (HEAD + "seeds = 21\n" + AXIS, '"seeds" of the study does not fit'),
        (HEAD + "folds = 1\n" + AXIS, '"folds" is 0'),
        (HEAD + 'score = "beauty"\n' + AXIS, '"score" of the study does not fit'),
        (HEAD + "version = 2\n" + AXIS, "newer version of OrgSeg"),
        (HEAD + "settings = [1]\n" + AXIS, "The settings of a study are a table"),
        (HEAD + "settings = {steps = 0}\n" + AXIS, '"Steps" must be at least 1'),
        (
            HEAD + "seeds = 20\nfolds = 20\n" + AXIS,
            "2 × 20 seeds × 20 folds are 800 runs; a study has at most 500",
        ),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(RunError) as caught:
        study_from_toml(text)
    assert said in str(caught.value)
    assert "`" not in str(caught.value)


def test_a_study_of_seeds_alone() -> None:
    study = check_study(Study(name="luck", recipe=PRESETS["fast"], seeds=3))
    assert study.size == 3


def test_names_and_files(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(HEAD + AXIS, encoding="utf-8")
    assert load_study(file).name == "x"
    file.write_text("x = 1", encoding="utf-8")
    with pytest.raises(StudyError, match=r'The study file "mine.toml" cannot be used'):
        load_study(file)
    with pytest.raises(StudyError, match='Did you mean "er-laptop"'):
        load_study("er-laptpo")


@pytest.mark.parametrize("name", ready_made())
def test_ready_made_studies_can_be_trained(name: str) -> None:
    study = load_study(name)
    assert study.question.endswith("?")
    assert study.source
    grid = spell_out(study)
    assert len(grid.cells) + len(grid.refused) * study.seeds == study.size


def test_the_laptop_study_is_the_one_promised() -> None:
    study = load_study("er-laptop")
    assert [len(axis.places) for axis in study.axes] == [3, 3, 2]
    assert study.seeds == 2
    assert len(spell_out(study).cells) == 36


def test_the_published_fusion_study_has_the_published_numbers() -> None:
    """Against `published_settings`, which is held to the papers elsewhere."""
    for cell in spell_out(load_study("fusion-published")).cells:
        published = published_settings(cell.recipe.network.name)
        for path in ("learning_rate", "decay_steps", "steps", "batch_size", "patch_size"):
            assert getattr(cell.recipe, path) == published[path], (cell.title, path)
        assert cell.recipe.network.width == published["network.width"]
        assert [term.name for term in cell.recipe.loss] == [p["name"] for p in published["loss"]]
