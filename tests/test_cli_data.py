"""Real images by command line, from import to masks, with trainings of a few seconds."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from orgseg_app.files.readers.registry import read_images
from orgseg_app.runs.baseline import otsu_threshold
from tests.pictures import orgseg

SHORT = ("max_minutes=0.1", "steps=60", "validate_every=30", "patch_size=64", "network.width=8")
FLUORESCENCE = ("00071198d059", "0e5edb072788", "1e8408fbb161", "2ad489c11ed8", "6eefe1f0d9c2")


def settings(*more: str) -> list[str]:
    return [word for setting in (*SHORT, *more) for word in ("--set", setting)]


def done(cwd: Path, *words: object) -> str:
    """Run a command that must succeed; what it printed."""
    result = orgseg(*words, cwd=cwd)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.data
def test_nuclei_with_label_images(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "nuclei_dsb2018"
    images = [source / "images" / f"{name}.png" for name in FLUORESCENCE]
    done(tmp_path, "new", "Kerne ü", "--classes", "nucleus")
    done(tmp_path, "import", "Kerne ü", *images, "--annotations", source / "labels")
    found = json.loads(done(tmp_path, "info", "Kerne ü", "--json"))
    objects = {image["name"]: image["objects"] for image in found["images"]}
    assert objects == dict(zip(FLUORESCENCE, (27, 28, 14, 9, 33), strict=True))
    for image in found["images"]:
        assert (image["axes"], image["dtype"]) == ("YX", "uint8")  # grey stored as RGBA
        labels = tifffile.imread(source / "labels" / f"{image['name']}.tif")
        assert image["painted"]["nucleus"] == pytest.approx(np.mean(labels > 0))

    done(tmp_path, "train", "Kerne ü", "--recipe", "fast", *settings())
    done(tmp_path, "train", "Kerne ü", "--recipe", "fast-bce", *settings())
    done(tmp_path, "compare", "Kerne ü", "--out", "c.json")
    compared = json.loads((tmp_path / "c.json").read_text())
    assert len(compared["runs"]) == 2
    assert len(compared["images"]) == 1
    for run in compared["runs"]:
        assert run["leaked"] == []
        assert run["pooled"]["iou"]["nucleus"] > 0.4
    done(tmp_path, "predict", images[0], images[1], "--model", "fast", "--out", "masks")
    mask = tifffile.imread(tmp_path / "masks" / f"{FLUORESCENCE[0]}.tif")
    truth = tifffile.imread(source / "labels" / f"{FLUORESCENCE[0]}.tif") > 0
    assert mask.shape == truth.shape
    assert np.logical_and(mask, truth).sum() / np.logical_or(mask, truth).sum() > 0.4


@pytest.mark.data
def test_nuclei_as_the_competition_ships_them(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "nuclei_dsb2018" / "native_layout"
    done(tmp_path, "new", "p")
    text = orgseg("import", "p", source, "--class", "nucleus", cwd=tmp_path)
    assert text.returncode == 0, text.stderr
    assert "3 images with one mask per object" in text.stderr
    found = json.loads(done(tmp_path, "info", "p", "--json"))
    assert sorted(image["objects"] for image in found["images"]) == [27, 28, 70]
    assert {image["split"] for image in found["images"]} == {"train", "validation", "test"}
    for image in found["images"]:
        short = image["name"][:12]
        labels = tifffile.imread(shared_data / "nuclei_dsb2018" / "labels" / f"{short}.tif")
        assert image["painted"]["nucleus"] == pytest.approx(np.mean(labels > 0))


def quarters(source: Path, out: Path, numbers: tuple[int, ...]) -> Path:
    """Another quarter of each plane, as stored: whole neighbours would show the same place."""
    for folder in ("images", "labels"):
        (out / folder).mkdir(parents=True)
        for place, number in enumerate(numbers):
            name = f"{folder}/training{number:04d}.png"
            picture = cv2.imread(str(source / name), cv2.IMREAD_UNCHANGED)
            height, width = picture.shape[0] // 2, picture.shape[1] // 2
            y, x = place // 2 * height, place % 2 * width
            cv2.imwrite(str(out / name), picture[y : y + height, x : x + width])
    return out


@pytest.mark.data
def test_electron_micrographs_with_six_classes(shared_data: Path, tmp_path: Path) -> None:
    source = quarters(shared_data / "em_multiclass_epfl6", tmp_path / "quarters", (0, 4, 8, 13))
    names = "membrane,mitochondrion,mito boundary,PSD,vesicle,axon sheath"
    done(tmp_path, "new", "em")
    for split, numbers in (("train", (0, 4)), ("validation", (8,)), ("test", (13,))):
        images = [source / "images" / f"training{number:04d}.png" for number in numbers]
        words = ["--annotations", source / "labels", "--split", split, "--class", names]
        done(tmp_path, "import", "em", *images, *words)
    found = json.loads(done(tmp_path, "info", "em", "--json"))
    assert [c["name"] for c in found["classes"]][1:] == names.split(",")
    for image in found["images"]:
        assert image["axes"] == "YX"  # some are grey stored as RGB
        labels = read_images(source / "labels" / f"{image['name']}.png")[0].read()[0, 0]
        for value, name in enumerate(["background", *names.split(",")]):
            assert image["painted"].get(name, 0) == pytest.approx(np.mean(labels == value))

    # Six classes, some of them rare, take longer than two.
    longer = settings("steps=400", "max_minutes=1")
    done(tmp_path, "train", "em", "--recipe", "multi-class", *longer)
    done(tmp_path, "compare", "em", "--out", "c.json")
    compared = json.loads((tmp_path / "c.json").read_text())
    assert set(compared["runs"][0]["pooled"]["iou"]) == set(names.split(","))
    assert compared["runs"][0]["pooled"]["accuracy"] > 0.5
    assert set(compared["baseline"]["iou"]) == set(names.split(","))
    done(tmp_path, "export", "em", "--what", "masks", "--out", "masks", "--formats", "png")
    written = read_images(tmp_path / "masks" / "training0013.png")[0].read()[0, 0]
    labels = read_images(source / "labels" / "training0013.png")[0].read()[0, 0]
    assert np.array_equal(written, labels)


@pytest.mark.data
def test_our_threshold_is_the_one_of_opencv(shared_data: Path) -> None:
    for name in FLUORESCENCE:
        grey = read_images(shared_data / "nuclei_dsb2018" / "images" / f"{name}.png")[0].read()[
            0, 0
        ]
        wanted, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        assert np.array_equal(grey > otsu_threshold(grey), grey > wanted)
