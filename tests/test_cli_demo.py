"""The sample story, shrunk: the same steps with small images and a tiny network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from orgseg_app import cli
from orgseg_app.commands import demo
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.settings import with_settings
from orgseg_app.runs.recipes.wording import differences
from tests.pictures import TINY


def test_the_demos_recipes_differ_in_one_choice_and_end_in_time() -> None:
    first, second = demo.demo_recipes()
    assert list(differences(first, second)) == ["loss"]
    assert 0 < first.max_minutes <= 1.5
    assert demo.SPLITS.count("test") == 3


def test_the_whole_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "SIZE", (96, 96))
    monkeypatch.setattr(demo, "SPLITS", ("train", "train", "validation", "test", "test"))
    recipes = [with_settings(PRESETS[name], TINY) for name in ("fast", "fast-bce")]
    monkeypatch.setattr(demo, "demo_recipes", lambda: recipes)
    out = tmp_path / "Probe ü"
    assert cli.main(["demo", "--headless", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "best threshold" in text
    assert "fast-bce" in text

    found = json.loads((out / "compare.json").read_text(encoding="utf-8"))
    assert found["split"] == "test"
    assert found["images"] == ["er_04", "er_05"]
    assert [run["name"] for run in found["runs"]] == ["fast", "fast-bce"]
    for run in found["runs"]:
        assert [entry["image"] for entry in run["per_image"]] == found["images"]
        assert run["leaked"] == []
        assert 0 <= run["pooled"]["iou"]["ER"] <= 1
        assert 0 <= run["per_image"][0]["dice"]["ER"] <= 1
    assert 0 < found["baseline"]["iou"]["ER"] < 0.8
    assert (out / "compare.csv").read_text(encoding="utf-8").count("\n") == 1 + 2 * 3

    with ProjectFile.open(out / "sample.orgseg", read_only=True) as file:
        images = {image.name: image for image in file.project.images.values()}
        assert len(images) == 5
        truth = file.load_mask(images["er_04"].image_id).to_array()[0]
        assert set(np.unique(truth)) == {1, 2}
    for name in ("fast", "fast-bce"):
        files = sorted(path.name for path in (out / "masks" / name).iterdir())
        assert files == ["er_04.png", "er_04.tif", "er_05.png", "er_05.tif"]
        mask = tifffile.imread(out / "masks" / name / "er_04.tif")
        hit = np.logical_and(mask == 1, truth == 2).sum()
        iou = hit / np.logical_or(mask == 1, truth == 2).sum()
        run = next(run for run in found["runs"] if run["name"] == name)
        assert iou == pytest.approx(run["per_image"][0]["iou"]["ER"])

    recipes.pop()
    assert cli.main(["demo", "--headless", "--json", "--out", str(out)]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["event"] == "finished"
    assert [run["name"] for run in last["runs"]] == ["fast 2"]
    assert (out / "masks" / "fast").is_dir()


def test_a_folder_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")
    assert cli.main(["demo", "--headless", "--out", str(tmp_path / "file")]) == 1
    assert "in the way" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"
