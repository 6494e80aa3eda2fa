"""What is set in the window's form trains: every network, every loss, every kind of step."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from orgseg_app.files.project_file import ProjectFile
from orgseg_app.gui.panels.recipe_fields import (
    AugmentationField,
    ChoiceField,
    IntField,
    PartsField,
)
from orgseg_app.gui.panels.recipe_form import RecipeForm
from orgseg_app.runs.recipes.augmentation import AUGMENTATION_PRESETS
from orgseg_app.runs.recipes.choices import PREPROCESSING_NAMES
from orgseg_app.runs.recipes.losses import LOSS_NAMES
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.optimisation import OPTIMISER_NAMES, SCHEDULE_NAMES
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.training import prepare_training
from tests.gui.recorded_runs import make_project

_NETWORKS = [
    info.name
    for info in NETWORK_NAMES.values()
    if not info.library or importlib.util.find_spec(info.library) is not None
]
_LOSSES, _STEPS = list(LOSS_NAMES), list(PREPROCESSING_NAMES)
CASES = [
    pytest.param(n, id=f"{_NETWORKS[n % len(_NETWORKS)]}-{_LOSSES[n % len(_LOSSES)]}")
    for n in range(max(len(_NETWORKS), len(_LOSSES)))
]
"""So many that every network and every loss comes up; `test_every_pair` has all pairs."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProjectFile]:
    path = tmp_path_factory.mktemp("form") / "cells.orgseg"
    splits = ("train", "validation")
    with make_project(path, class_names=("ER", "nucleus"), splits=splits, side=48) as file:
        yield file


@pytest.fixture(autouse=True)
def small_and_slow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ORGSEG_PRECISION", "fp32")
    monkeypatch.setenv("ORGSEG_DEVICE", "cpu")
    monkeypatch.setenv("ORGSEG_THREADS", "1")


def choose(form: RecipeForm, path: str, value: str) -> None:
    field = form.fields[path]
    assert isinstance(field, ChoiceField)
    field.setCurrentIndex(field.findData(value))


def number(form: RecipeForm, path: str, value: int) -> None:
    field = form.fields[path]
    assert isinstance(field, IntField)
    field.setValue(value)


@pytest.mark.parametrize("case", CASES)
def test_a_recipe_of_the_form_trains_one_epoch(
    case: int, project: ProjectFile, qtbot: QtBot
) -> None:
    from orgseg_app.learn.job import run_job

    form = RecipeForm()
    qtbot.addWidget(form)
    form.set_recipe(PRESETS["fast"])
    form.set_classes([("ER", "#E69F00"), ("nucleus", "#56B4E9")])
    form.set_advanced(True)
    choose(form, "network.name", _NETWORKS[case % len(_NETWORKS)])
    for path, value in (("depth", 2), ("width", 4)):
        number(form, f"network.{path}", value)
    for path, value in (("steps", 2), ("batch_size", 2), ("patch_size", 32)):
        number(form, path, value)
    losses, steps, augmentation = (form.fields[p] for p in ("loss", "preprocess", "augmentation"))
    assert isinstance(losses, PartsField)
    assert isinstance(steps, PartsField)
    assert isinstance(augmentation, AugmentationField)
    for parts, names in ((losses, _LOSSES), (steps, _STEPS)):
        choice = parts.rows[0].choice
        choice.setCurrentIndex(choice.findData(names[case % len(names)]))
    for path, names in (("optimiser", OPTIMISER_NAMES), ("schedule", SCHEDULE_NAMES)):
        choose(form, path, list(names)[case % len(names)])
    menu = augmentation.menu
    menu.setCurrentIndex(case % len(AUGMENTATION_PRESETS))
    choose(form, "class_weights", ("none", "auto", "manual")[case % 3])
    assert form.error == ""

    run = prepare_training(project, form.recipe())
    assert run_job(str(run.path)) == 0, run.log_path.read_text()
    last = run.last_event()
    assert last is not None
    assert last["event"] == "finished"
    assert run.best_path.is_file()
    assert any(event["event"] == "validation" for event in run.events()[0])
