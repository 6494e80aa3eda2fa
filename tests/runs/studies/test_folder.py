"""A study on disk: frozen with its voxels, found again, its runs whole or not there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from orgseg_app.files.project_file import ProjectFile
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import RunFolder, list_runs, runs_dir
from orgseg_app.runs.process import read_json, write_json
from orgseg_app.runs.studies import folder as folder_module
from orgseg_app.runs.studies.definition import StudyError, study_from_toml
from orgseg_app.runs.studies.folder import StudyFolder, find_study, list_studies
from orgseg_app.runs.studies.preparing import STRIPS, prepare_study
from tests.runs.studies.doubles import TWO_BY_TWO, make_study, places_of


def test_frozen_as_asked(tmp_path: Path) -> None:
    path, made = make_study(tmp_path)
    found = StudyFolder(made.path)
    assert found.study == study_from_toml(TWO_BY_TWO)
    assert [cell.title for cell in found.cells] == [
        "percentile · soft_iou · seed 1",
        "percentile · bce · seed 1",
        "zscore · soft_iou · seed 1",
        "zscore · bce · seed 1",
    ]
    assert found.path.parent == runs_dir(path) / "studies"
    assert found.state == "queued"
    assert found.runs() == {}
    assert list_runs(path) == []  # a study is no run, nor a broken one
    with ProjectFile.open(found.snapshot_path, read_only=True) as snapshot:
        assert len(snapshot.project.images) == 5


def test_all_cells_learn_from_the_same_voxels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, study = make_study(tmp_path)
    first = study.make_run(study.cells[0])
    assert first.path.parent == runs_dir(path)
    assert os.path.samefile(first.snapshot_path, study.snapshot_path)
    with monkeypatch.context() as patch:  # a file system without other names

        def refuse(*_: object) -> None:
            raise OSError("no such thing here")

        patch.setattr(os, "link", refuse)
        second = study.make_run(study.cells[3])
    assert second.snapshot_path.read_bytes() == study.snapshot_path.read_bytes()
    assert places_of(second) == {"preprocess": "zscore", "loss": "bce"}
    assert second.request["images"] == first.request["images"]
    assert second.recipe == study.cells[3].recipe
    assert {c: r.run_id for c, r in study.runs().items()} == {
        study.cells[0].cell_id: first.run_id,
        study.cells[3].cell_id: second.run_id,
    }
    assert len(list_runs(path)) == 2
    shutil.rmtree(first.path)
    assert second.snapshot_path.is_file()


def test_a_run_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, study = make_study(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(folder_module, "same_file", full)
        with pytest.raises(RunError, match="No space left on device"):
            study.make_run(study.cells[0])
    assert list_runs(path) == []
    assert not any((study.path / "drafts").iterdir())
    # Killed between two steps: what is half made is nobody's run, and is cleared away.
    RunFolder.create(study.path / "drafts", name="half", kind="train")
    assert study.runs() == {}
    study.clear_drafts()
    assert not (study.path / "drafts").exists()
    study.snapshot_path.unlink()
    with pytest.raises(StudyError, match="snapshot.h5"):
        study.make_run(study.cells[0])


def test_folds_share_the_voxels_and_leave_the_test_images_alone(tmp_path: Path) -> None:
    _, study = make_study(tmp_path, "folds = 2\nseeds = 2\n" + TWO_BY_TWO)
    assert len(study.cells) == 16
    with ProjectFile.open(study.snapshot_path, read_only=True) as snapshot:
        assert {image.split for image in snapshot.project.images.values()} == {
            "train",
            "validation",
        }
    runs = [study.make_run(cell) for cell in study.cells if cell.number in (1, 5)]
    held = [set(run.request["split"]["validation"]) for run in runs]
    assert [run.request["study"]["fold"] for run in runs] == [0, 1]
    assert not held[0] & held[1]
    assert held[0] | held[1] == {image["id"] for image in runs[0].request["images"]}


def test_bands_of_the_only_image(tmp_path: Path) -> None:
    _, study = make_study(tmp_path, "folds = 2\n" + TWO_BY_TWO, ("train",))
    assert study.make_run(study.cells[4]).request["split"] == {"fold": 1, "of": 2}


def test_without_validation_images_it_says_what_that_means(tmp_path: Path) -> None:
    _, study = make_study(tmp_path, splits=("train", "train", "test"))
    assert STRIPS in study.warnings


def test_a_project_that_cannot_be_trained_on_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no painted image is in the training split"):
        make_study(tmp_path, splits=("test", "test"))
    path = tmp_path / "Zellen ü.orgseg"
    assert not runs_dir(path).exists()
    with ProjectFile.open(path, read_only=True) as project_file:
        (runs_dir(path)).write_text("in the way")
        with pytest.raises(RunError, match="no painted image|could not be made"):
            prepare_study(project_file, study_from_toml(TWO_BY_TWO))


def test_found_by_id_name_and_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, first = make_study(tmp_path)
    _, second = make_study(tmp_path, TWO_BY_TWO.replace("two by two", "again"))
    assert [s.study_id for s in list_studies(path)] == [first.study_id, second.study_id]
    assert find_study(path).study_id == second.study_id
    for text in (first.study_id, first.study_id[:5], "two by two", str(first.path)):
        assert find_study(path, text).study_id == first.study_id
    with pytest.raises(StudyError, match=r'has no study "x"; it has "two by two"'):
        find_study(path, "x")
    make_study(tmp_path)
    with pytest.raises(StudyError, match="2 studies are called"):
        find_study(path, "two by two")
    asked = read_json(first.path / "study.json")
    assert asked is not None
    write_json(first.path / "study.json", asked | {"cells": [{"id": 1}]})
    assert len(list_studies(path)) == 2
    assert "is damaged" in caplog.text
    write_json(second.path / "study.json", asked | {"schema_version": 99})
    with pytest.raises(StudyError, match="newer version"):
        StudyFolder(second.path)
