"""Learning from corrections: voxels count more where the model at the start was wrong."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, label

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.core.weighting.mistakes import BOTH, EXTRA, MISSED, CorrectionSettings
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.files.weights import store_weights
from orgseg_app.learn.checkpoint import Model, load_model, read_checkpoint, save_model
from orgseg_app.learn.data.dataset import read_examples
from orgseg_app.learn.data.patches import IGNORED
from orgseg_app.learn.device import cpu_device
from orgseg_app.learn.errors import LearnError
from orgseg_app.learn.job import run_job
from orgseg_app.learn.networks.registry import build_network
from orgseg_app.learn.prediction.predictor import Predictor
from orgseg_app.learn.prediction.source import ProjectPlanes
from orgseg_app.learn.prediction.volumes import predicted_planes
from orgseg_app.learn.training.corrections import with_corrections
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.launcher import job_command, job_environment
from orgseg_app.runs.recipes.schema import NetworkChoice, Recipe
from orgseg_app.runs.training import prepare_training
from tests.learn.conftest import tiny_recipe

Make = Callable[..., ProjectFile]


def ignorant(folder: Path, choice: NetworkChoice | None = None) -> Path:
    """A model that has learned nothing, as a file."""
    torch.manual_seed(4)
    classes = default_classes(["disc"])
    network = choice or NetworkChoice(depth=1, width=4)
    built = build_network(network, channels=1, classes=len(classes))
    for value in built.parameters():  # it takes about half of everything for a disc
        if value.ndim > 1:
            torch.nn.init.normal_(value, std=0.5)
    path = folder / "ignorant.ckpt"
    recipe = Recipe(name="ignorant", network=network)
    save_model(path, Model(built, recipe, classes, 1, name="first"))
    return path


def corrected(project: ProjectFile) -> None:
    """What a person paints into every mask: a disc that is not to be seen."""
    for image_id in project.project.images:
        mask = project.mask(image_id)
        for z in mask.planes():
            mask.write(z, 20, 20, np.full((14, 14), 2, np.uint8))


def retrained(project: ProjectFile, start: RunFolder | Path, name: str, **more: Any) -> RunFolder:
    recipe = more.pop("recipe", None) or tiny_recipe(name=name)
    return prepare_training(
        project, recipe, name, start_from=start, corrections=CorrectionSettings(**more)
    )


def sentences(run: RunFolder) -> list[str]:
    return [e["text"] for e in run.events()[0] if e["event"] == "message"]


def slow_weights(target: np.ndarray, said: np.ndarray, asked: CorrectionSettings, balance) -> Any:
    """The formula of a plane, written out."""
    wrong = (target != said) & (target != IGNORED)
    if asked.mistakes != BOTH:
        wrong &= (target if asked.mistakes == MISSED else said) > 0
    numbers, count = label(wrong)
    for number in range(1, count + 1):
        if (numbers == number).sum() < asked.min_size:
            wrong[numbers == number] = False
    near = gaussian_filter(wrong.astype(float), asked.blur)
    factor = 1 + asked.strength * near / near.max() if wrong.any() else 1.0
    rarity = np.take(balance, np.minimum(target, len(balance) - 1))
    return np.maximum(asked.floor, factor * rarity), int(wrong.sum())


def weigh(run: RunFolder, said: list[str], **changes: Any) -> tuple[Any, Any, Any]:
    """Examples of a run as they are read and as they are learned from, and the settings."""
    asked = CorrectionSettings.from_dict(run.request["corrections"])
    with ProjectFile.open(run.snapshot_path, read_only=True) as snapshot:
        plain = read_examples(snapshot, run.recipe)
        plain.train[:] = [replace(plane, **changes) for plane in plain.train]
        _, made = with_corrections(
            run.recipe,
            plain,
            snapshot,
            asked,
            start_path=run.start_path,
            kept_path=run.mistakes_path,
            device=cpu_device(),
            say=said.append,
        )
        model = load_model(run.start_path)
        predicted = {
            image.image_id: {
                plane.z: plane.mask
                for plane in predicted_planes(
                    Predictor([model]),
                    ProjectPlanes(snapshot, image),
                    [p.z for p in plain.train if p.image_id == image.image_id],
                )
            }
            for image in snapshot.project.images.values()
        }
    return plain, made, predicted


def check_formula(run: RunFolder, said: list[str]) -> None:
    """The weights of every training plane are those of the formula, times the stored ones."""
    asked = CorrectionSettings.from_dict(run.request["corrections"])
    plain, made, predicted = weigh(run, said)
    voxels = np.zeros(256)
    for plane in plain.train:
        voxels += np.bincount(plane.target.ravel(), minlength=256)
    shares = voxels[: len(plain.classes)]
    balance = shares[shares > 0].min() / np.maximum(shares, 1)
    total = 0
    for before, after in zip(plain.train, made.train, strict=True):
        answer = predicted[before.image_id][before.z] - 1  # ids 1, 2 are indices 0, 1
        slow, wrong = slow_weights(before.target, answer, asked, balance)
        if before.weights is not None:
            slow = slow * before.weights
        labelled = before.target != IGNORED
        assert after.weights.dtype == np.float32
        np.testing.assert_allclose(after.weights[labelled], slow[labelled], rtol=1e-5)
        total += wrong
        if after.stack is not None:
            np.testing.assert_array_equal(after.stack.weights[after.z], after.weights)
    assert total > 0
    assert f" {total:,} voxels" in said[-1]


@pytest.mark.parametrize("kind", [MISSED, EXTRA, BOTH])
def test_weights_are_those_of_the_formula(make_project: Make, tmp_path: Path, kind: str) -> None:
    project = make_project()
    first = ignorant(tmp_path)
    corrected(project)
    stored = next(iter(project.project.images))
    values = np.random.default_rng(0).random(project.project.images[stored].mask_shape)
    store_weights(project, stored, open_array("w", values.astype(np.float32)))
    run = retrained(project, first, kind, mistakes=kind, min_size=6, blur=2.0, strength=40.0)
    said: list[str] = []
    check_formula(run, said)
    assert said[0] == 'Looking for the mistakes of "first" on 3 training planes.'
    assert {MISSED: "missed", EXTRA: "extra", BOTH: "wrong"}[kind] in said[-1]
    assert "up to 41 times" in said[-1]
    assert project.weights(next(iter([i for i in project.project.images if i != stored]))) is None


def test_the_whole_story_killed_and_continued(make_project: Make, tmp_path: Path) -> None:
    project = make_project(("train", "train", "validation"))
    first = prepare_training(project, tiny_recipe(), "first")
    assert run_job(str(first.path)) == 0, first.log_path.read_text()
    corrected(project)
    # With this schedule checks stay as far apart as asked for, however busy the machine is.
    recipe = tiny_recipe(
        name="again", steps=40, validate_every=10, schedule="plateau", plateau_checks=1000
    )
    whole = retrained(project, first, "whole", recipe=recipe)
    assert run_job(str(whole.path)) == 0, whole.log_path.read_text()
    said = sentences(whole)
    assert any('Goes on from "first"' in text for text in said)
    assert any("voxels missed" in text for text in said), said
    assert whole.mistakes_path.is_file()

    killed = retrained(project, first, "killed", recipe=recipe)
    with open(killed.log_path, "ab") as log:
        job = subprocess.Popen(
            job_command(killed.path), env=job_environment(), stdout=log, stderr=log
        )
    deadline = time.monotonic() + 90
    while not any(e.get("step", 0) >= 10 for e in killed.events()[0]):
        assert time.monotonic() < deadline, killed.log_path.read_text()
        assert job.poll() is None, killed.log_path.read_text()
        time.sleep(0.02)
    job.send_signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    job.wait()
    kept = killed.mistakes_path.read_bytes()
    assert run_job(str(killed.path)) == 0, killed.log_path.read_text()
    assert killed.mistakes_path.read_bytes() == kept  # what was found once is not looked for again
    found, expected = (read_checkpoint(run.last_path)[0] for run in (killed, whole))
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key].equal(value), key
    begun = read_checkpoint(first.best_path)[0]
    assert any(not expected[key].equal(value) for key, value in begun.items())  # it learned


def test_nothing_wrong_is_said_and_weighs_nothing(make_project: Make, tmp_path: Path) -> None:
    project = make_project(("train", "validation"))
    run = retrained(project, ignorant(tmp_path), "fine", min_size=10_000)
    said: list[str] = []
    plain, made, _ = weigh(run, said)
    assert made is plain
    assert "ordinary weights" in said[-1]
    assert "in regions of 10000 or more" in said[-1]


def test_automatic_class_weights_rest(make_project: Make, tmp_path: Path) -> None:
    project, first = make_project(("train", "validation")), ignorant(tmp_path)
    recipe = tiny_recipe(name="again", steps=2, class_weights="auto")
    run = retrained(project, first, "again", recipe=recipe)
    assert run_job(str(run.path)) == 0, run.log_path.read_text()
    assert any("class weights rest" in text for text in sentences(run))
    assert not any("corrections" in text for text in run.warnings)
    manual = tiny_recipe(class_weights="manual", class_weight_values={"disc": 2.0})
    warned = retrained(project, first, "manual", recipe=manual).warnings
    assert any("count on top of that" in text for text in warned)


def test_what_was_kept_is_checked(make_project: Make, tmp_path: Path) -> None:
    project = make_project(("train", "validation"))
    run = retrained(project, ignorant(tmp_path), "again")
    _, made, _ = weigh(run, [])
    path = run.mistakes_path
    good = path.read_bytes()
    with np.load(path) as file:
        large = dict.fromkeys(file, np.zeros(2**20, np.uint8))

    def look(*, is_good: bool = False) -> None:
        said: list[str] = []
        _, again, _ = weigh(run, said)
        assert any("Looking for the mistakes" in text for text in said) != is_good
        for one, other in zip(made.train, again.train, strict=True):
            np.testing.assert_array_equal(one.weights, other.weights)
        assert path.read_bytes() == good

    look(is_good=True)
    path.write_bytes(good[:-40])
    look()
    np.savez_compressed(path, **{"other/0": np.zeros(4, np.uint8)})  # type: ignore[arg-type]
    look()
    np.savez_compressed(path, **large)  # type: ignore[arg-type]
    look()


def test_without_a_model_to_begin_with_it_is_refused(make_project: Make, tmp_path: Path) -> None:
    project = make_project(("train", "validation"))
    with pytest.raises(RunError, match="Only a run that goes on from a model"):
        prepare_training(project, tiny_recipe(), corrections=CorrectionSettings())
    run = retrained(project, ignorant(tmp_path), "again")
    run.start_path.unlink()
    with pytest.raises(LearnError):
        weigh(run, [])
    assert run_job(str(run.path)) == 1  # said in the last event, and no traceback
    assert "ended unexpectedly" not in run.last_event()["message"]


@pytest.mark.parametrize(
    "choice",
    [
        NetworkChoice(name="unet3d", depth=1, width=4),
        NetworkChoice(depth=1, width=4, planes=3),
    ],
    ids=["volumes", "planes as channels"],
)
def test_volumes(tmp_path: Path, choice: NetworkChoice) -> None:
    """Networks of volumes and of several planes learn from corrections as others do."""
    random = np.random.default_rng(2)
    mask = np.zeros((5, 32, 32), np.uint8)
    mask[1:4], mask[1:4, 8:20, 10:24] = 1, 2  # painted planes between unpainted ones
    pixels = (random.normal(300, 40, mask.shape) + 400 * (mask == 2)).astype(np.uint16)
    with ProjectFile.create(tmp_path / "v.orgseg", default_classes(["disc"])) as project:
        project.add_images(
            [
                NewImage(open_array("one", pixels[None]), "train", mask, None),
                NewImage(open_array("two", pixels[None]), "validation", mask, None),
            ]
        )
        first = ignorant(tmp_path, choice=choice)
        recipe = tiny_recipe(network=choice, steps=3, patch_depth=3)
        run = retrained(project, first, "again", recipe=recipe, mistakes=BOTH, blur=2.0)
        said: list[str] = []
        check_formula(run, said)
        assert "on 3 training planes" in said[-1]
        run.mistakes_path.unlink()
        assert run_job(str(run.path)) == 0, run.log_path.read_text()
        assert sentences(run)[:2] == said
