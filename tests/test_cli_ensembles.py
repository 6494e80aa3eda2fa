"""Several seeds and an ensemble of them by command line: real jobs of a tiny network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from orgseg_app.runs.folder import list_runs
from tests.pictures import TINY, blobs, lines, make_project, orgseg


def test_seeds_an_ensemble_a_prediction_and_a_model_file(tmp_path: Path) -> None:
    folder = tmp_path / "ein Ordner ü"
    folder.mkdir()
    path = make_project(folder / "Zellen 1.orgseg")
    settings = [word for setting in TINY for word in ("--set", setting)]
    done = orgseg("train", path, "--seeds", "2", "--name", "Saat ü", *settings, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert f'orgseg ensemble "{path}" --runs ' in done.stderr
    names = "Saat ü seed 1 of 2,Saat ü seed 2 of 2"
    done = orgseg("ensemble", path, "--runs", names, "--name", "zusammen", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "decide" in done.stdout
    assert "test IoU: blob" in done.stdout

    listed = lines(orgseg("runs", path, "--json", cwd=folder).stdout)
    entry = listed[-1]
    assert (entry["kind"], entry["name"], entry["state"]) == ("ensemble", "zusammen", "finished")
    assert [m["name"] for m in entry["members"] if m["is_used"]] == [
        m["name"] for m in entry["members"]
    ][: entry["k"]]
    run = list_runs(path)[-1]
    choice = json.loads((run.path / "ensemble.json").read_text())
    assert entry["validation"]["mean_iou"] == pytest.approx(
        choice["tried"][choice["k"] - 1]["validation"]["mean_iou"], abs=2e-3
    )

    # Its one file, somewhere else, predicts as the run does.
    done = orgseg("export", path, "--what", "model", "--out", folder / "m", cwd=folder)
    assert done.returncode == 0, done.stderr
    model = folder / "m" / "zusammen.orgmodel"
    tifffile.imwrite(folder / "neu.tif", blobs(9)[0])
    masks = []
    for name, out in ((f"{path}:zusammen", "a"), (str(model), "b")):
        done = orgseg(
            "predict", folder / "neu.tif", "--model", name, "--out", folder / out, cwd=folder
        )
        assert done.returncode == 0, done.stderr
        masks.append(tifffile.imread(folder / out / "neu.tif"))
    assert np.array_equal(*masks)

    done = orgseg("train", path, "--from", model, *settings, cwd=folder)
    assert done.returncode == 1
    assert "is an ensemble of several models" in done.stderr
    done = orgseg("ensemble", path, "--runs", "zusammen,Saat ü seed 1 of 2", cwd=folder)
    assert done.returncode == 1
    assert "is an ensemble itself" in done.stderr
    done = orgseg("train", path, "--seeds", "2", "--folds", "2", cwd=folder)
    assert done.returncode == 1
    assert "two questions" in done.stderr
