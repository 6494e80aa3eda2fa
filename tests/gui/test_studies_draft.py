"""A study while it is being made: what is offered, what that comes to, what stands in the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.files.project_file import ProjectFile
from orgseg_app.gui.studies.study_draft import (
    StudyDraft,
    free_name,
    new_axis,
    review,
    write_study,
)
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.settings import with_settings
from orgseg_app.runs.studies.axis_offers import axis_fields, offer_of, offers, own_value
from orgseg_app.runs.studies.definition import (
    Study,
    StudyError,
    load_study,
    ready_made,
    settings_text,
)
from orgseg_app.runs.studies.wording import THE_RECIPE, axis_title, combination_title, place_title
from tests.pictures import make_project

FIELDS = axis_fields()


@pytest.mark.parametrize("preset", ["fast", "er-laptop", "nuclei"])
def test_the_recipes_own_value_is_offered_once_and_changes_nothing(preset: str) -> None:
    recipe = PRESETS[preset]
    for path, info in FIELDS.items():
        own = own_value(info, recipe)
        assert [offer.value for offer in offers(info, recipe)].count(own) == 1, path
        assert with_settings(recipe, settings_text({path: own})) == recipe, path


def test_every_offer_can_be_written_into_a_recipe() -> None:
    """Each alone; what only other networks can be built with, the review leaves out and says."""
    recipe = PRESETS["fast"]
    for path, info in FIELDS.items():
        if path == "network.fusion":
            continue  # the U-Net knows one
        made = [with_settings(recipe, settings_text({path: o.value})) for o in offers(info, recipe)]
        assert len({own_value(info, each) for each in made}) == len(made), path


def test_what_decides_no_training_is_no_axis() -> None:
    assert not {"seed", "name", "about", "class_weight_values", "milestones"} & set(FIELDS)
    assert list(FIELDS)[:4] == ["preprocess", "loss", "network.name", "augmentation"]


@pytest.mark.parametrize("name", list(ready_made()))
def test_a_ready_made_study_comes_back_as_it_was(name: str) -> None:
    study = load_study(name)
    assert StudyDraft.of(study).to_study() == study


@settings(max_examples=20)
@given(
    st.lists(st.sampled_from(list(FIELDS)), min_size=1, max_size=3, unique=True),
    st.sampled_from([1, 2, 5]),
    st.sampled_from([0, 3]),
    st.randoms(use_true_random=False),
)
def test_what_is_checked_is_what_is_tried(paths, seeds, folds, random) -> None:  # type: ignore[no-untyped-def]
    axes = []
    for path in paths:
        axis = new_axis(path, PRESETS["fast"])
        for number in random.sample(range(len(axis.places)), 2):
            axis = axis.checked(number, True)
        axes.append(axis)
    draft = StudyDraft("ü", axes=tuple(axes), seeds=seeds, folds=folds)
    study = draft.to_study()
    assert study.size == draft.to_study().combinations * seeds * max(1, folds)
    for axis, written in zip(axes, study.axes, strict=True):
        assert written.values == tuple(place.offer.value for place in axis.chosen)
    assert not set(paths) & set(draft.free_fields)


def test_what_is_missing_is_said_in_the_words_of_the_window() -> None:
    draft = StudyDraft("x")
    with pytest.raises(StudyError, match="Add what is to be compared"):
        draft.to_study()
    one = StudyDraft("x", axes=(new_axis("loss", PRESETS["fast"]),))
    with pytest.raises(StudyError, match="at least two values of “Loss”"):
        one.to_study()
    with pytest.raises(StudyError, match="a name"):
        StudyDraft("  ", seeds=3).to_study()
    assert StudyDraft("only luck", seeds=3).to_study().size == 3


def test_a_combination_is_added_once() -> None:
    info, axis = FIELDS["preprocess"], new_axis("preprocess", PRESETS["fast"])
    more = axis.with_offer(offer_of(info, "clahe+zscore"))
    assert more.chosen[-1].offer.title == "CLAHE → Mean and spread"
    assert more.with_offer(offer_of(info, "clahe+zscore")) == more
    assert len(axis.with_offer(offer_of(info, "zscore")).places) == len(axis.places)


def test_a_review_counts_estimates_and_names_what_is_left_out(tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg")
    study = load_study("fusion-laptop")
    with ProjectFile.open(path, read_only=True) as file:
        found = review(StudyDraft.of(study), file)
    assert not found.problem
    assert found.runs + 2 * len(found.refused) == study.size
    assert "memory at most" in found.takes
    draft = StudyDraft.of(load_study("fusion-published"))
    refused = review(draft, None)
    assert refused.refused
    assert all(title and reason for title, reason in refused.refused)
    assert refused.problem == "Open a project first."


def test_a_review_says_what_the_project_lacks(tmp_path: Path) -> None:
    draft = StudyDraft.of(load_study("er-laptop"))
    path = make_project(tmp_path / "none.orgseg", paint="none")
    with ProjectFile.open(path, read_only=True) as file:
        found = review(draft, file)
    assert "painted" in found.problem
    assert found.runs == 36
    path = make_project(tmp_path / "train.orgseg", ("train", "test"))
    with ProjectFile.open(path, read_only=True) as file:
        assert any("validation split" in text for text in review(draft, file).warnings)


def test_a_saved_study_is_the_one_that_was_made(tmp_path: Path) -> None:
    axis = new_axis("network.width", PRESETS["fast"]).checked(0, True)
    study: Study = StudyDraft("breadth", "How wide?", axes=(axis,), seeds=2).to_study()
    write_study(tmp_path / "s.toml", study)
    assert load_study(tmp_path / "s.toml") == study
    with pytest.raises(StudyError, match="another folder"):
        write_study(tmp_path / "no" / "folder" / "s.toml", study)


def test_names_do_not_collide() -> None:
    assert free_name("ER", ["ER", "ER 2"]) == "ER 3"
    assert free_name("ER", []) == "ER"


def test_axes_and_places_have_the_words_of_the_form() -> None:
    assert axis_title("network") == "Network"
    assert place_title("loss", "bce") == "Binary cross-entropy"
    assert place_title("network", "PE-Net, wide") == "PE-Net, wide"
    assert place_title("network.pretrained", "true") == "On"
    places = [("loss", "bce"), ("network.pretrained", "true"), ("learning_rate", "1e-05")]
    assert combination_title(places).startswith("Binary cross-entropy · ")
    assert combination_title(places).endswith(" On · Learning rate 1e-05")
    assert combination_title([]) == THE_RECIPE
    assert place_title("what we tried", "no flips") == "no flips"
