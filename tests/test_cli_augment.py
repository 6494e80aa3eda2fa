"""``orgseg augment``: from a project, and from a folder of images and masks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.project_file import NewImage, ProjectFile

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    path = tmp_path / "cells.orgseg"
    with ProjectFile.create(path, default_classes(["cell"])) as file:
        for number, split in enumerate(("train", "test", "train")):
            pixels = random.integers(0, 4000, (40, 32)).astype(np.uint16)
            mask = np.where(pixels > 2000, 2, 1).astype(np.uint8)
            mask[:4] = 0
            painted = mask[None] if number < 2 else None
            file.add_images([NewImage(open_array(f"cell {number}", pixels), split, painted)])
        file.save()
    return path


def test_painted_training_images_of_a_project(project: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    code, told, notes = run("augment", project, "--out", out, "--times", 6)
    assert code == 0
    assert "1 image became 6 images" in told
    assert "10.0% of the pixels are unlabelled" in notes
    assert sorted(p.name for p in (out / "masks").iterdir()) == [
        f"cell 0_{n}.tif" for n in range(1, 7)
    ]
    code, _, error = run("augment", project, "--out", out)
    assert code == 1
    assert "Choose an empty folder" in error
    code, told, _ = run("augment", project, "--out", tmp_path / "all", "--split", "all", "--json")
    files = [Path(json.loads(line)["written"]) for line in told.splitlines()]
    assert len(files) == 2 * 8 * 2 + 1
    assert all(file.is_file() for file in files)
    code, _, error = run("augment", project, "--out", tmp_path / "v", "--split", "validation")
    assert code == 1
    assert "nothing to augment" in error


def test_a_folder_of_images_and_masks(tmp_path: Path, run: Run) -> None:
    random = np.random.default_rng(0)
    for split, count in (("train", 2), ("test", 1)):
        for part in ("images", "masks"):
            (tmp_path / "set" / split / part).mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(0, 255, (30, 44)).astype(np.uint8)
            folder = tmp_path / "set" / split
            cv2.imwrite(str(folder / "images" / f"{split}{number}.png"), pixels)
            cv2.imwrite(str(folder / "masks" / f"{split}{number}.png"), (pixels > 128) * 255)
    out = tmp_path / "out"
    words = ("augment", tmp_path / "set", "--out", out, "--times", 12, "--format", "png")
    code, told, _ = run(*words)
    assert code == 0
    assert "2 images became 24 images" in told
    for name in ("train0", "train1"):
        original = cv2.imread(str(tmp_path / "set/train/images" / f"{name}.png"), -1)
        first = cv2.imread(str(out / "images" / f"{name}_1.png"), -1)
        turned = cv2.imread(str(out / "images" / f"{name}_2.png"), -1)
        mask = cv2.imread(str(out / "masks" / f"{name}_2.png"), -1)
        assert np.array_equal(first, original)
        assert np.array_equal(turned, np.rot90(original))
        assert np.array_equal(mask, (turned > 128) * 255)


def test_wrong_words(project: Path, tmp_path: Path, run: Run) -> None:
    assert run("augment", project, "--out", tmp_path / "o", "--times", 7)[0] == 2
    for words, sentence in (
        (("--seed", "-1"), "seed is 0 or more"),
        (("--format", "tiff,png"), "one format"),
        (("--format", "gif"), "no mask format"),
    ):
        code, _, error = run("augment", project, "--out", tmp_path / "o", *words)
        assert code == 1
        assert sentence in error
    code, _, error = run("augment", tmp_path / "none", "--out", tmp_path / "o")
    assert code == 1
    assert "There is no project" in error
    assert not (tmp_path / "o").exists()
