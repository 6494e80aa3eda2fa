"""Preparing jobs: what is missing is said before a folder is made, and what is made is frozen."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from orgseg_app.files.project_file import ProjectFile
from orgseg_app.runs.errors import RecipeError, RunError
from orgseg_app.runs.folder import RunFolder, list_runs, runs_dir
from orgseg_app.runs.prediction import check_output_folder, expand_inputs, prepare_prediction
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.schema import Recipe
from orgseg_app.runs.recipes.settings import with_settings
from orgseg_app.runs.training import check_training, prepare_scoring, prepare_training
from tests.pictures import make_project

FAST = PRESETS["fast"]


def refusal(path: Path) -> str:
    with ProjectFile.open(path) as file, pytest.raises(RunError) as caught:
        prepare_training(file, FAST)
    assert list_runs(path) == []
    return str(caught.value)


def test_a_prepared_run_holds_recipe_images_and_snapshot(tmp_path: Path) -> None:
    path = make_project(tmp_path / "Zellen ü 1.orgseg")
    with ProjectFile.open(path) as file:
        assert check_training(file) == []
        run = prepare_training(file, FAST)
        again = prepare_training(file, FAST)
        facts = {image["id"]: image for image in run.request["images"]}
        for image_id, image in file.project.images.items():
            assert facts[image_id]["sha256"] == image.sha256
            assert facts[image_id]["mask_sha256"] == file.mask_sha256(image_id)
            assert facts[image_id]["objects_sha256"] == file.objects_sha256(image_id)
            assert facts[image_id]["split"] == image.split
    assert (run.name, again.name) == ("fast", "fast 2")
    assert run.recipe == FAST
    assert run.warnings == []
    assert [entry["name"] for entry in run.request["classes"]] == ["background", "blob"]
    with ProjectFile.open(run.snapshot_path, read_only=True) as snapshot:
        assert list(snapshot.project.images) == list(facts)
    assert run.state == "queued"


def test_unsaved_paint_counts_and_later_paint_does_not(tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg", paint="none")
    with ProjectFile.open(path) as file:
        for image_id in list(file.project.images)[:2]:
            mask = file.mask(image_id)
            mask.write(0, 0, 0, np.full((32, 64), 1, np.uint8))
            mask.write(0, 32, 0, np.full((32, 64), 2, np.uint8))
            file.touch_mask(image_id)
        run = prepare_training(file, FAST)
        mask.write(0, 0, 0, np.full((64, 64), 2, np.uint8))
    with ProjectFile.open(run.snapshot_path, read_only=True) as snapshot:
        assert snapshot.counts(image_id) == {1: 32 * 64, 2: 32 * 64}
    assert len(run.request["images"]) == 2


def test_no_image(tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg", ())
    assert "no images yet" in refusal(path)


def test_no_annotation(tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg", paint="none")
    assert refusal(path).startswith("Nothing is painted yet")


def test_only_one_class_painted(tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg", paint="class")
    assert 'Only one class is painted in the training images: "blob".' in refusal(path)


def test_no_painted_training_image(tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg", ("test", "validation"))
    assert "no painted image is in the training split" in refusal(path)


def test_images_of_different_kinds(tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg", channels=(1, 2, 1, 1))
    assert "different numbers of channels (1, 2)" in refusal(path)


def test_warnings_for_what_is_possible_but_poor(tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg", ("train", "train"), classes=("blob", "rare"))
    with ProjectFile.open(path) as file:
        run = prepare_training(file, FAST, "mine")
    text = " ".join(run.warnings)
    assert "No painted image is in the test split" in text
    assert "No painted image is in the validation split" in text
    assert '"rare" is not painted' in text
    assert RunFolder(run.path).warnings == run.warnings


def test_a_recipe_put_together_wrongly_is_refused_first(tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg")
    with ProjectFile.open(path) as file, pytest.raises(RecipeError, match="Steps"):
        prepare_training(file, Recipe(name="x", steps=0))
    assert list_runs(path) == []


def test_a_network_whose_library_is_missing_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_project(tmp_path / "a.orgseg")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    recipe = with_settings(FAST, ["network=smp", "network.encoder=unet/resnet18"])
    with ProjectFile.open(path) as file, pytest.raises(RunError, match="optional library"):
        prepare_training(file, recipe)
    assert list_runs(path) == []


def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg")
    runs_dir(path).write_text("in the way")
    with ProjectFile.open(path) as file, pytest.raises(RunError, match="could not be made"):
        prepare_training(file, FAST)


def test_a_snapshot_that_fails_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_project(tmp_path / "a.orgseg")

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("orgseg_app.files.snapshot.write_snapshot", full)
    with ProjectFile.open(path) as file, pytest.raises(RunError, match="could not be set aside"):
        prepare_training(file, FAST)
    assert list(runs_dir(path).iterdir()) == []


def test_scoring_takes_todays_held_out_images(tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg")
    with ProjectFile.open(path) as file:
        run = prepare_training(file, FAST)
        with pytest.raises(RunError, match="has no model yet"):
            prepare_scoring(run, file)
        run.best_path.write_bytes(b"x")
        scoring = prepare_scoring(run, file)
        assert scoring.kind == "score"
        assert scoring.request["scored_run"] == run.run_id
        assert scoring.request["model"] == str(run.best_path)
        assert [entry["split"] for entry in scoring.request["images"]] == ["validation", "test"]
        for image_id, image in list(file.project.images.items()):
            if image.split == "test":
                file.set_split(image_id, "train")
        with pytest.raises(RunError, match="No painted image is in the test split"):
            prepare_scoring(run, file)


# Prediction


def images(folder: Path) -> Path:
    folder.mkdir()
    for name in ("b.tif", "a.PNG", "notes.txt", ".hidden.tif"):
        (folder / name).write_bytes(b"x")
    (folder / "inside").mkdir()
    (folder / "inside" / "c.tif").write_bytes(b"x")
    return folder


def test_inputs_are_files_and_the_images_of_folders(tmp_path: Path) -> None:
    folder = images(tmp_path / "Bilder ü")
    found = expand_inputs([folder / "b.tif", folder])
    assert [path.name for path in found] == ["b.tif", "a.PNG"]
    with pytest.raises(RunError, match="is not there"):
        expand_inputs([tmp_path / "nowhere"])
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(RunError, match="There is no image in"):
        expand_inputs([empty])


def test_a_prediction_is_frozen_with_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = images(tmp_path / "in")
    Path("m.orgmodel").write_bytes(b"x")
    run = prepare_prediction(
        tmp_path / "jobs",
        models=[Path("m.orgmodel")],
        inputs=[Path("in")],
        out=Path("out put"),
        formats=["tiff", "png", "tiff"],
    )
    assert run.kind == "predict"
    assert run.request["models"] == [str(tmp_path / "m.orgmodel")]
    assert run.request["inputs"] == [str(folder / "a.PNG"), str(folder / "b.tif")]
    assert run.request["out"] == str(tmp_path / "out put")
    assert run.request["formats"] == ["tiff", "png"]
    assert (tmp_path / "out put").is_dir()
    for wrong, words in (
        ({"models": []}, "at least one model"),
        ({"models": [Path("none")]}, "no model file"),
        ({"formats": ["bmp"]}, "cannot be written as"),
        ({"formats": []}, "the formats are"),
    ):
        asked = {"models": [Path("m.orgmodel")], "inputs": [folder], "out": tmp_path / "o"} | wrong
        with pytest.raises(RunError, match=words):
            prepare_prediction(tmp_path / "jobs", **asked)  # type: ignore[arg-type]
    assert len(list((tmp_path / "jobs").iterdir())) == 1


def test_an_output_folder_that_cannot_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("mine")
    for out in (blocked, blocked / "deeper"):
        with pytest.raises(RunError, match="a file of that name is in the way"):
            check_output_folder(out)
    assert blocked.read_text() == "mine"
    check_output_folder(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []


def test_an_output_folder_without_permission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, data: bytes) -> int:
        raise PermissionError(13, os.strerror(13), str(self))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(RunError, match="Permission denied. No file was changed"):
        check_output_folder(tmp_path)
