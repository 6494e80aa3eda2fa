"""``new``, ``import``, ``info``, ``export``: what works, and every wrong input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile

from orgseg_app.commands import importing
from orgseg_app.files.project_file import ProjectFile
from tests.pictures import blobs, make_project, write_pairs

pytestmark = pytest.mark.usefixtures("one_reading_child")

Run = Callable[..., tuple[int, str, str]]


def info(run: Run, path: Path) -> dict[str, Any]:
    code, out, _ = run("info", path, "--json")
    assert code == 0
    found: dict[str, Any] = json.loads(out)
    return found


# new


def test_new(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "Zellen mit Kern ü"
    assert run("new", path, "--classes", "ER:#112233,nucleus")[0] == 0
    found = info(run, path.with_name(path.name + ".orgseg"))
    assert found["project"] == "Zellen mit Kern ü"
    assert found["classes"][1] == {"id": 2, "name": "ER", "colour": "#112233"}
    assert [entry["id"] for entry in found["classes"]] == [1, 2, 3]
    assert found["images"] == []
    assert "No images yet" in run("info", path)[1]


@pytest.mark.parametrize("classes", ["ER:red", "a,a", "a:#12345"])
def test_new_with_wrong_classes_makes_nothing(run: Run, tmp_path: Path, classes: str) -> None:
    code, _, err = run("new", tmp_path / "a", "--classes", classes)
    assert code == 1
    assert "Nothing was made" in err
    assert list(tmp_path.iterdir()) == []


def test_new_never_overwrites(run: Run, tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg")
    before = path.read_bytes()
    assert run("new", path)[0] == 1
    assert path.read_bytes() == before
    assert run("new", tmp_path / "no such folder" / "a")[0] == 1


# import


def test_import_pairs_classes_and_splits(run: Run, tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "Bilder ü", 6)
    run("new", tmp_path / "p", "--classes", "blob")
    code, out, err = run("import", tmp_path / "p", folder)
    assert code == 0
    assert "6 images; 6 label images found by name" in err
    assert "zelle 0  ←  zelle 0.tif" in err
    assert out == "6 images imported, 6 with masks: 4 train, 1 validation, 1 test.\n"
    found = info(run, tmp_path / "p")
    assert {image["name"] for image in found["images"]} == {f"zelle {i}" for i in range(6)}
    for image in found["images"]:
        index = int(image["name"].split()[-1])
        inside = blobs(index)[1].mean()
        assert image["painted"]["blob"] == pytest.approx(inside)
        assert image["painted"]["background"] == pytest.approx(1 - inside)
        assert (image["axes"], image["shape"], image["dtype"]) == ("YX", [64, 64], "uint16")
        assert image["objects"] == 0
    text = run("info", tmp_path / "p")[1]
    assert "zelle 3" in text
    assert "blob" in text


def test_import_makes_the_class_it_needs(run: Run, tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "in", 2)
    for name, words, wanted in (
        ("a", [], ["background", "foreground"]),
        ("b", ["--class", "ER"], ["background", "ER"]),
    ):
        run("new", tmp_path / name)
        assert run("import", tmp_path / name, folder, *words)[0] == 0
        found = info(run, tmp_path / name)
        assert [entry["name"] for entry in found["classes"]] == wanted


def test_import_into_a_project_of_several_classes_asks_which(run: Run, tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "in", 2)
    run("new", tmp_path / "p", "--classes", "ER,nucleus")
    code, _, err = run("import", tmp_path / "p", folder)
    assert code == 1
    assert "Say which it is with --class NAME" in err
    assert info(run, tmp_path / "p")["images"] == []
    assert run("import", tmp_path / "p", folder, "--class", "nucleus")[0] == 0
    found = info(run, tmp_path / "p")
    assert all("nucleus" in image["painted"] for image in found["images"])
    code, _, err = run("import", tmp_path / "p", folder, "--class", "a,b")
    assert code == 1
    assert "one kind of structure" in err


def class_images(folder: Path, values: tuple[int, ...]) -> Path:
    """Images with the same few values, each in many places."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    rng = np.random.default_rng(0)
    for index in range(3):
        coarse = rng.integers(0, len(values) + 1, (16, 16))
        labels = np.array([0, *values], np.uint8)[coarse].repeat(4, 0).repeat(4, 1)
        pixels = (labels.astype(np.uint16) * 90 + rng.integers(0, 9, labels.shape)).astype(
            np.uint16
        )
        tifffile.imwrite(folder / "images" / f"i{index}.tif", pixels)
        tifffile.imwrite(folder / "labels" / f"i{index}.tif", labels)
    return folder


def test_import_of_class_images(run: Run, tmp_path: Path) -> None:
    folder = class_images(tmp_path / "in", (1, 2, 3))
    run("new", tmp_path / "plain")
    assert run("import", tmp_path / "plain", folder)[0] == 0
    found = info(run, tmp_path / "plain")
    assert [(c["id"], c["name"]) for c in found["classes"]][1:] == [
        (2, "class 1"),
        (3, "class 2"),
        (4, "class 3"),
    ]
    run("new", tmp_path / "named")
    assert run("import", tmp_path / "named", folder, "--class", "a,b,c")[0] == 0
    found = info(run, tmp_path / "named")
    assert set(found["images"][0]["painted"]) == {"background", "a", "b", "c"}
    run("new", tmp_path / "ready", "--classes", "x,y,z")
    assert run("import", tmp_path / "ready", folder)[0] == 0
    assert set(info(run, tmp_path / "ready")["images"][0]["painted"]) == {
        "background",
        "x",
        "y",
        "z",
    }
    run("new", tmp_path / "few")
    code, _, err = run("import", tmp_path / "few", folder, "--class", "a,b")
    assert code == 1
    assert "The masks hold the values 1, 2, 3 beside 0, and 2 names were given" in err


def test_import_with_names_in_another_order_than_the_project(run: Run, tmp_path: Path) -> None:
    folder = class_images(tmp_path / "in", (85, 170, 255))
    run("new", tmp_path / "p", "--classes", "c,b")
    assert run("import", tmp_path / "p", folder, "--class", "a,b,c")[0] == 0
    with ProjectFile.open(tmp_path / "p.orgseg", read_only=True) as file:
        ids = {info.name: info.class_id for info in file.project.classes}
        image_id, image = next(iter(file.project.images.items()))
        mask = file.mask(image_id).to_array()[0]
    labels = tifffile.imread(folder / "labels" / f"{image.name}.tif")
    for value, name in ((0, "background"), (85, "a"), (170, "b"), (255, "c")):
        assert (mask[labels == value] == ids[name]).all()


def test_import_of_objects(run: Run, tmp_path: Path) -> None:
    pixels, inside = blobs(0)
    _, labels = cv2.connectedComponents(inside.astype(np.uint8))
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    tifffile.imwrite(tmp_path / "a_masks.tif", labels.astype(np.uint16))
    run("new", tmp_path / "p")
    words = ["--class", "blob", "--meaning", "instances", "--split", "test"]
    assert run("import", tmp_path / "p", tmp_path / "a.tif", *words)[0] == 0
    image = info(run, tmp_path / "p")["images"][0]
    assert image["objects"] == labels.max()
    assert image["split"] == "test"


def test_trees_keep_their_splits(run: Run, tmp_path: Path) -> None:
    for index, split in enumerate(("train", "valid", "test")):
        write_pairs(tmp_path / "in" / split, 1 + (split == "train"))
        for sub in ("images", "labels"):
            for file in (tmp_path / "in" / split / sub).iterdir():
                pixels = tifffile.imread(file)
                pixels += index if sub == "images" else 0
                tifffile.imwrite(
                    file.with_name(f"{split} {file.name}"), pixels.astype(pixels.dtype)
                )
                file.unlink()
    run("new", tmp_path / "p")
    assert run("import", tmp_path / "p", tmp_path / "in")[0] == 0
    splits = [image["split"] for image in info(run, tmp_path / "p")["images"]]
    assert sorted(splits) == ["test", "train", "train", "validation"]


def test_import_without_masks_and_twice(run: Run, tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "in", 3)
    run("new", tmp_path / "p")
    code, out, _ = run("import", tmp_path / "p", folder, "--meaning", "none", "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["imported"], found["masks"]) == (3, 0)
    assert [c["name"] for c in found["classes"]] == ["background"]
    code, _, err = run("import", tmp_path / "p", folder, "--split", "test")
    assert code == 0
    assert "are the same image in different splits" in err
    names = [image["name"] for image in info(run, tmp_path / "p")["images"]]
    assert len(set(names)) == 6


def test_annotations_elsewhere_and_of_a_named_format(run: Run, tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "in", 2, masks="drawn by hand")
    run("new", tmp_path / "p")
    words = ["--annotations", folder / "drawn by hand"]
    assert "2 with masks" in run("import", tmp_path / "p", folder / "images", *words)[1]
    code, _, err = run("import", tmp_path / "p", folder, "--format", "hats")
    assert code == 1
    assert "'hats'" in err
    assert len(info(run, tmp_path / "p")["images"]) == 2


@pytest.mark.parametrize("answer, count", [("n", 0), ("", 2), ("y", 2)])
def test_a_person_is_asked(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, count: int
) -> None:
    folder = write_pairs(tmp_path / "in", 2)
    run("new", tmp_path / "p")
    monkeypatch.setattr(importing, "is_interactive", lambda: True)
    monkeypatch.setattr("builtins.input", lambda *_: answer)
    assert run("import", tmp_path / "p", folder)[0] == 0
    assert len(info(run, tmp_path / "p")["images"]) == count
    assert run("import", tmp_path / "p", folder, "--yes")[0] == 0


# Wrong input: one sentence, nothing lost


def test_a_text_file_called_tif(run: Run, tmp_path: Path) -> None:
    (tmp_path / "Notiz ü.tif").write_text("Dear diary")
    run("new", tmp_path / "p")
    code, out, err = run("import", tmp_path / "p", tmp_path / "Notiz ü.tif")
    assert code == 1
    assert out == ""
    assert "Nothing was imported" in err
    assert "Notiz ü.tif" in err
    assert info(run, tmp_path / "p")["images"] == []


def test_a_truncated_tiff_among_good_ones(run: Run, tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "in", 3)
    victim = folder / "images" / "zelle 1.tif"
    victim.write_bytes(victim.read_bytes()[:3000])
    run("new", tmp_path / "p")
    code, out, err = run("import", tmp_path / "p", folder)
    assert code == 0
    assert "2 images imported" in out
    assert "zelle 1.tif" in err
    assert [i["name"] for i in info(run, tmp_path / "p")["images"]] == ["zelle 0", "zelle 2"]
    code, _, err = run("import", tmp_path / "p", victim)
    assert code == 1
    assert len(err.splitlines()[-1]) > 20


def test_a_mask_of_another_size(run: Run, tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "in", 3)
    tifffile.imwrite(folder / "labels" / "zelle 1.tif", np.full((32, 32), 255, np.uint8))
    run("new", tmp_path / "p")
    code, out, err = run("import", tmp_path / "p", folder)
    assert code == 0
    assert "3 images imported, 2 with masks" in out
    assert "zelle 1.tif" in err
    assert "32 × 32" in err
    painted = {i["name"]: bool(i["painted"]) for i in info(run, tmp_path / "p")["images"]}
    assert painted == {"zelle 0": True, "zelle 1": False, "zelle 2": True}


def test_a_damaged_mask_leaves_the_image(run: Run, tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "in", 2)
    (folder / "labels" / "zelle 1.tif").write_text("no mask")
    run("new", tmp_path / "p")
    code, out, err = run("import", tmp_path / "p", folder)
    assert code == 0
    assert "2 images imported, 1 with masks" in out
    assert "zelle 1.tif" in err


def test_grey_and_colour_together(run: Run, tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "in", 3)
    colour = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    tifffile.imwrite(folder / "images" / "zelle 1.tif", colour, photometric="rgb")
    run("new", tmp_path / "p")
    code, _, err = run("import", tmp_path / "p", folder)
    assert code == 0
    assert "2 images with 1 channel, 1 image with 3 channels" in err
    code, _, err = run("train", tmp_path / "p")
    assert code == 1
    assert "different numbers of channels (1, 3)" in err


def test_paths_that_are_not_there_or_hold_nothing(run: Run, tmp_path: Path) -> None:
    run("new", tmp_path / "p")
    assert run("import", tmp_path / "p", tmp_path / "gone.tif")[0] == 1
    (tmp_path / "empty").mkdir()
    code, _, err = run("import", tmp_path / "p", tmp_path / "empty")
    assert code == 1
    assert "There is no TIFF, PNG, JPEG or BMP image" in err


def test_a_project_open_elsewhere_is_not_written(run: Run, tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg")
    folder = write_pairs(tmp_path / "in", 2)
    with ProjectFile.open(path):
        code, _, err = run("import", path, folder)
        assert code == 1
        assert "open" in err.lower()
        assert run("info", path)[0] == 0
    assert len(info(run, path)["images"]) == 4


# export


def test_export_masks(run: Run, tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg")
    out = tmp_path / "Ausgabe ü"
    words = ["--what", "masks", "--out", out]
    assert run("export", path, *words, "--formats", "tiff,png")[0] == 0
    assert len(list(out.iterdir())) == 8
    inside = blobs(2)[1]
    assert np.array_equal(tifffile.imread(out / "zelle 2.tif"), inside.astype(np.uint8))
    png = cv2.imdecode(np.fromfile(out / "zelle 2.png", np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(png, inside * np.uint8(255))
    (out / "zelle 2.tif").write_bytes(b"mine")
    code, _, err = run("export", path, *words)
    assert code == 1
    assert "zelle" in err
    assert (out / "zelle 2.tif").read_bytes() == b"mine"
    code, text, _ = run("export", path, *words, "--overwrite", "--json")
    assert code == 0
    assert len(text.splitlines()) == 4
    assert np.array_equal(tifffile.imread(out / "zelle 2.tif"), inside.astype(np.uint8))


def test_export_objects(run: Run, tmp_path: Path) -> None:
    pixels, inside = blobs(0)
    _, labels = cv2.connectedComponents(inside.astype(np.uint8))
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    tifffile.imwrite(tmp_path / "a_masks.tif", labels.astype(np.uint16))
    run("new", tmp_path / "p")
    run("import", tmp_path / "p", tmp_path / "a.tif", "--meaning", "instances")
    assert run("export", tmp_path / "p", "--what", "objects", "--out", tmp_path / "o")[0] == 0
    assert np.array_equal(tifffile.imread(tmp_path / "o" / "a.tif"), labels)


def test_exports_that_are_not_possible(run: Run, tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg", paint="none")
    full = make_project(tmp_path / "b.orgseg")
    blocked = tmp_path / "a file"
    blocked.write_text("mine")
    for words, text in (
        (
            [path, "--what", "masks", "--out", tmp_path / "o"],
            "Nothing is painted yet, so there is no mask",
        ),
        (
            [path, "--what", "objects", "--out", tmp_path / "o"],
            "No image of this project has objects: paint some in objects mode, or import",
        ),
        ([path, "--what", "model", "--out", tmp_path / "o"], "has no trained model yet"),
        ([full, "--what", "masks", "--out", blocked], "in the way"),
        ([full, "--what", "masks", "--out", tmp_path, "--formats", "bmp"], "no mask format"),
        ([full, "--what", "masks", "--out", tmp_path, "--formats", ","], "at least one format"),
    ):
        code, out, err = run("export", *words)
        assert (code, out) == (1, "")
        assert text in err
    assert blocked.read_text() == "mine"
