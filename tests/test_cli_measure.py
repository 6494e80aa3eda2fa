"""``orgseg measure``: paint, predictions and folders of masks become tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from orgseg_app import cli
from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.predictions import Prediction, write_predictions
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.runs.folder import runs_dir
from tests.runs.test_comparison import make_run, random_pair


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two images, 0.5 µm a voxel, of which one is painted: two objects that touch, and ER."""
    path = tmp_path / "cells ü.orgseg"
    pixels = np.full((20, 30), 7, np.uint8)
    mask = np.ones((1, 20, 30), np.uint8)
    mask[0, 4:8, 4:12], mask[0, 15] = 3, 2
    objects = np.zeros((1, 20, 30), np.uint32)
    objects[0, 4:8, 4:8], objects[0, 4:8, 8:12] = 5, 9
    with ProjectFile.create(path, default_classes(["ER", "nucleus"])) as file:
        opened = [open_array(name, pixels, pixel_size_um=(1, 0.5, 0.5)) for name in ("a", "b")]
        file.add_images([NewImage(opened[0], mask=mask, objects=objects), NewImage(opened[1])])
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_paint_of_a_project_becomes_a_workbook_and_csv(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["measure", str(path), "--out", str(tmp_path / "m.csv")]
    assert cli.main([*words, "--out", str(tmp_path / "m.xlsx"), "--above-background"]) == cli.DONE
    shown = capsys.readouterr()
    assert "nucleus" in shown.out
    assert "m.xlsx" in shown.err
    found = {(row["class"], row["object"]): row for row in rows(tmp_path / "m.csv")}
    assert set(found) == {("nucleus", "5"), ("nucleus", "9"), ("ER", "10")}
    nucleus, er = found["nucleus", "5"], found["ER", "10"]
    assert float(nucleus["area_um2"]) == 4
    assert nucleus["touching"] == "1"
    assert float(nucleus["mean_channel_1"]) == 7
    assert float(nucleus["mean_above_background_channel_1"]) == 0
    assert (er["cut_by_border"], float(er["skeleton_length_um"])) == ("1", 14.5)
    totals = {row["class"]: row for row in rows(tmp_path / "m_images.csv")}
    assert float(totals["nucleus"]["area_um2"]) == 8
    assert (tmp_path / "m.xlsx").read_bytes()[:2] == b"PK"
    assert cli.main(words) == cli.FAILED  # they are there now
    assert "--overwrite" in capsys.readouterr().err
    assert cli.main([*words, "--overwrite"]) == cli.DONE


def test_what_a_run_predicted(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(runs_dir(path), "good", {"v": random_pair(1)}, split="validation")
    with ProjectFile.open(path, read_only=True) as file:
        ids = {image.name: image.image_id for image in file.project.images.values()}
    mask = np.ones((1, 20, 30), np.uint8)
    mask[0, 0:3, 0:3] = mask[0, 10:12, 10:12] = 2
    write_predictions(run.predictions_path, [Prediction(ids["b"], mask)])
    assert cli.main(["measure", str(path), "--of", "good", "--json", "--what", "none"]) == cli.DONE
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    objects = [line for line in lines if line["table"] == "object"]
    assert [(o["image"], o["class"], o["voxels"], o["cut_by_border"]) for o in objects] == [
        ("b", "ER", 9, 1),
        ("b", "ER", 4, 0),
    ]
    assert "perimeter_um" not in objects[0]
    assert cli.main(["measure", str(path), "--of", "good", "--only", "a"]) == cli.FAILED
    assert "has predicted none" in capsys.readouterr().err


def test_masks_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, values in (("m", (1, 2)), ("i", (30, 500))):
        (tmp_path / folder).mkdir()
        picture = np.zeros((12, 16), np.uint16)
        picture[2:5, 2:5], picture[2:5, 5:9] = values
        tifffile.imwrite(tmp_path / folder / "x.tif", picture)
    words = ["measure", "--masks", str(tmp_path / "m"), "--images", str(tmp_path / "i"), "--json"]
    assert cli.main(words) == cli.DONE
    shown = capsys.readouterr()
    first, second, *_ = [json.loads(line) for line in shown.out.splitlines()]
    assert (first["object"], first["area_px"], first["mean_channel_1"]) == (1, 9, 30)
    assert (second["object"], second["area_px"], second["median_channel_1"]) == (2, 12, 500)
    assert "taken for one object; if wrong, add --meaning classes" in shown.err


@pytest.mark.parametrize(
    "words, said",
    [
        ([], "Name a project, or a folder"),
        (["--masks", "nowhere"], "cannot be read as a folder"),
        (["PROJECT", "--what", "shape,colour"], '"colour" cannot be measured'),
        (["PROJECT", "--out", "a.ods"], "written as .xlsx or .csv"),
        (["PROJECT", "--only", "zz"], 'no image "zz"'),
        (["PROJECT", "--of", "zz"], 'no run "zz"'),
    ],
)
def test_wrong_words_are_one_sentence(
    path: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = [str(path) if word == "PROJECT" else word for word in words]
    assert cli.main(["measure", *asked]) == cli.FAILED
    told = capsys.readouterr().err
    assert said in told
    assert len(told.strip().splitlines()) == 1
