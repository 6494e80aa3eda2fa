"""Import plans: layouts found on disk, problems said before anything is stored."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from orgseg_app.files.annotations import values
from orgseg_app.files.annotations.loading import load_item
from orgseg_app.files.annotations.plan import ImportPlan, plan_import
from orgseg_app.files.annotations.registry import FORMATS
from orgseg_app.files.errors import ReadError
from orgseg_app.files.object_files.registry import OBJECT_FORMATS
from orgseg_app.files.readers import apart, raster

pytestmark = pytest.mark.usefixtures("one_reading_child")

RNG = np.random.default_rng(7)


def image(path: Path, shape: tuple[int, int] = (24, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RNG.integers(0, 255, shape, dtype=np.uint8)
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())
    return path


def mask(path: Path, shape: tuple[int, int] = (24, 30), value: int = 255) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = np.zeros(shape, np.uint8)
    labels[2:9, 3:12] = labels[15:20, 15:22] = value
    path.write_bytes(cv2.imencode(path.suffix, labels)[1].tobytes())
    return path


def found(plan: ImportPlan, root: Path) -> dict[str, list[str]]:
    """Image → annotation files, relative."""
    return {
        str(i.image_path.relative_to(root)): [str(p.relative_to(root)) for p in i.annotation.paths]
        for i in plan.items
        if i.annotation
    }


def test_images_only_in_natural_order_with_others_counted(tmp_path):
    for name in ("z10.png", "z2.png", "z1.tif"):
        image(tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".hidden.png").write_bytes(b"")
    plan = plan_import([tmp_path])
    assert [i.name for i in plan.items] == ["z1", "z2", "z10"]
    assert plan.kind == "images"
    assert plan.summary() == "3 images; 2 other files left out"
    assert not plan.problems


@pytest.mark.parametrize(
    "ending",
    ["_mask.png", "_masks.tif", "_label.png", "_labels.png", "_seg.png", "_cp_masks.png", "_gt.bmp",
     "-mask.png", " mask.png", "_Mask.PNG"],
)  # fmt: skip
def test_mask_beside_its_image(tmp_path, ending):
    for n in (1, 2):
        image(tmp_path / f"cell {n} µ.png")
        mask(tmp_path / f"cell {n} µ{ending}")
    plan = plan_import([tmp_path])
    assert found(plan, tmp_path) == {f"cell {n} µ.png": [f"cell {n} µ{ending}"] for n in (1, 2)}
    assert plan.kind == "label images beside"
    assert plan.summary() == "2 images; 2 label images found by name"
    assert plan.guess_meaning() == "binary"


def test_numbered_img_and_masks(tmp_path):
    for n in range(3):
        image(tmp_path / f"{n:03d}_img.png")
        mask(tmp_path / f"{n:03d}_masks.png")
    (tmp_path / "000_img_flows.tif").write_bytes(b"II*\0")
    plan = plan_import([tmp_path])
    expected = {f"{n:03d}_img.png": [f"{n:03d}_masks.png"] for n in range(3)}
    assert found(plan, tmp_path) == expected
    assert len(plan.items) == 3


def test_a_file_given_alone_finds_its_mask_beside_it(tmp_path):
    given = image(tmp_path / "a.png")
    mask(tmp_path / "a_mask.png")
    image(tmp_path / "b.png")
    mask(tmp_path / "b_mask.png")
    plan = plan_import([given])
    assert found(plan, tmp_path) == {"a.png": ["a_mask.png"]}
    assert (len(plan.items), plan.unmatched) == (1, [])
    assert found(plan_import([given], format="images"), tmp_path) == {}


def test_a_file_in_images_given_alone_finds_its_mask_in_masks(tmp_path):
    given = image(tmp_path / "images/a.png")
    mask(tmp_path / "masks/a.png")
    mask(tmp_path / "masks/b.png")
    plan = plan_import([given])
    assert found(plan, tmp_path) == {"images/a.png": ["masks/a.png"]}
    assert plan.unmatched == []
    assert found(plan_import([tmp_path / "images"]), tmp_path) == found(plan, tmp_path)


@pytest.mark.parametrize("images", ["images", "Image", "IMGS", "raw"])
@pytest.mark.parametrize("labels", ["labels", "Mask", "annotations", "gt", "Ground Truth"])
def test_folder_pairs(tmp_path, images, labels):
    root = tmp_path / "Größe 1"
    for n in range(3):
        image(root / images / f"a {n}.png")
        mask(root / labels / f"a {n}.png")
    mask(root / labels / "a 9.png")
    plan = plan_import([root])
    assert found(plan, root) == {f"{images}/a {n}.png": [f"{labels}/a {n}.png"] for n in range(3)}
    assert plan.kind == "folder pairs"
    assert [p.name for p in plan.unmatched] == ["a 9.png"]
    assert plan.summary() == (
        "3 images; 3 label images found by name; 1 annotation without an image"
    )


@pytest.mark.parametrize(
    "image_folder, label_folder",
    [
        ("{split}/images", "{split}/labels"),
        ("images/{split}", "labels/{split}"),
        ("{split}/image", "{split}/mask"),
        ("{split}_images", "{split}_masks"),
        ("data/{split}/plate 7/images", "data/{split}/plate 7/labels"),
        ("images/{split}/plate 7", "masks/{split}/plate 7"),
    ],
)
@pytest.mark.parametrize("validation", ["valid", "Val", "VALIDATION"])
def test_trees_in_any_order(tmp_path, image_folder, label_folder, validation):
    for split in ("train", validation, "test"):
        for n in (1, 2):
            image(tmp_path / image_folder.format(split=split) / f"000{n}.png")
            mask(tmp_path / label_folder.format(split=split) / f"000{n}.png")
    plan = plan_import([tmp_path])
    assert plan.kind == "train/valid/test tree"
    assert len(found(plan, tmp_path)) == 6
    for item in plan.items:
        assert item.annotation is not None
        folder = {"train": "train", "validation": validation, "test": "test"}[item.split or ""]
        assert folder in str(item.image_path.relative_to(tmp_path))
        assert folder in str(item.annotation.paths[0].relative_to(tmp_path))
    assert len({i.name for i in plan.items}) == 6
    assert "2 train, 2 validation, 2 test" in plan.summary()


def test_a_single_split_folder_sets_no_split(tmp_path):
    for n in range(3):
        image(tmp_path / "stage1_train" / f"{n}.png")
    assert {i.split for i in plan_import([tmp_path]).items} == {None}


def test_split_folders_given_one_by_one(tmp_path):
    for split in ("train", "test"):
        image(tmp_path / split / "images/a.png")
        mask(tmp_path / split / "labels/a.png")
    plan = plan_import([tmp_path / "train", tmp_path / "test"])
    assert sorted((i.split, i.name) for i in plan.items) == [
        ("test", "test a"),
        ("train", "train a"),
    ]
    assert len(found(plan, tmp_path)) == 2


def test_equal_names_in_different_folders_stay_apart(tmp_path):
    for folder in ("plate 1", "plate 2"):
        image(tmp_path / folder / "images/a.png")
        mask(tmp_path / folder / "labels/a.png")
    image(tmp_path / "b.png")
    image(tmp_path / "b.bmp")
    plan = plan_import([tmp_path])
    assert sorted(i.name for i in plan.items) == ["bmp b", "plate 1 a", "plate 2 a", "png b"]
    assert found(plan, tmp_path) == {
        f"{folder}/images/a.png": [f"{folder}/labels/a.png"] for folder in ("plate 1", "plate 2")
    }


def test_names_that_differ_only_in_case_or_hidden_characters(tmp_path):
    image(tmp_path / "a.png")
    image(tmp_path / "sub/A.png")
    image(tmp_path / "sub/a\u202e.png")
    names = [i.name for i in plan_import([tmp_path]).items]
    assert len({n.casefold() for n in names}) == 3
    assert not any("\u202e" in n for n in names)


def test_data_science_bowl_layout(tmp_path):
    for identity in ("0f1a", "77bc"):
        image(tmp_path / f"stage1_train/{identity}/images/{identity}.png")
        for n in range(4):
            mask(tmp_path / f"stage1_train/{identity}/masks/{n}e{n}.png")
    plan = plan_import([tmp_path])
    assert plan.kind == "one mask per object"
    assert plan.summary() == "2 images; 2 images with one mask per object"
    assert plan.guess_meaning() == "instances"
    assert [len(i.annotation.paths) for i in plan.items if i.annotation] == [4, 4]
    single = plan_import([tmp_path / "stage1_train/0f1a"])
    assert single.kind == "one mask per object"
    (loaded,) = load_item(single.items[0])
    assert loaded.annotation is not None
    assert loaded.annotation.objects is not None


@pytest.mark.parametrize("folder", ["masks/cell 7", "objects/cell 7", "cell 7_masks"])
def test_folder_of_objects_called_like_the_image(tmp_path, folder):
    image(tmp_path / "cell 7.png")
    image(tmp_path / "cell 8.png")
    for n in range(3):
        mask(tmp_path / folder / f"{n:03d}.png")
    plan = plan_import([tmp_path])
    expected = {"cell 7.png": [f"{folder}/{n:03d}.png" for n in range(3)]}
    assert found(plan, tmp_path) == expected
    assert plan.kind == "one mask per object"


def test_one_folder_for_each_class(tmp_path):
    for n in range(3):
        image(tmp_path / f"images/s{n}.png")
        mask(tmp_path / f"masks/nucleus/s{n}.png")
        if n:
            mask(tmp_path / f"masks/ER/s{n}.png")
    plan = plan_import([tmp_path])
    assert plan.kind == "one folder per class"
    assert plan.class_names == ("ER", "nucleus")
    assert plan.guess_meaning() == "classes"
    first, second = plan.items[0].annotation, plan.items[1].annotation
    assert first is not None
    assert second is not None
    assert (first.path_values, second.path_values) == ((2,), (1, 2))
    (loaded,) = load_item(plan.items[0], class_ids={1: 2, 2: 3})
    assert loaded.annotation is not None
    assert set(np.unique(loaded.annotation.mask)) == {1, 3}


def test_plain_labels_come_before_other_folders_and_the_others_are_named(tmp_path):
    for n in range(3):
        image(tmp_path / f"images/s{n}.png")
        mask(tmp_path / f"labels/s{n}.png")
        mask(tmp_path / f"class_masks/a/s{n}.png")
        mask(tmp_path / f"class_masks/b/s{n}.png")
        mask(tmp_path / f"outlines/s{n}.png")
        mask(tmp_path / f"drawn by Anna/s{n}.png")
    plan = plan_import([tmp_path])
    assert found(plan, tmp_path) == {f"images/s{n}.png": [f"labels/s{n}.png"] for n in range(3)}
    notes = " ".join(plan.notes)
    for name in ("class_masks", "drawn by Anna", "outlines"):
        assert f"“{name}”" in notes
    assert len(plan.items) == 3
    by_class = plan_import([tmp_path], format="class_folders")
    assert by_class.kind == "one folder per class"
    chosen = plan_import([tmp_path], [tmp_path / "drawn by Anna"])
    assert all("Anna" in str(i.annotation.paths[0]) for i in chosen.items if i.annotation)
    assert len(chosen.items) == 3


def test_channel_folders_are_not_taken_for_labels(tmp_path):
    for n in range(3):
        image(tmp_path / f"DAPI/s{n}.png")
        image(tmp_path / f"GFP/s{n}.png")
    plan = plan_import([tmp_path])
    assert (len(plan.items), plan.kind) == (6, "images")


def test_given_annotations_are_the_only_ones(tmp_path):
    a = image(tmp_path / "a.png")
    mask(tmp_path / "a_mask.png")
    other = mask(tmp_path / "elsewhere/completely different.png")
    plan = plan_import([a], [other])
    assert found(plan, tmp_path) == {"a.png": ["elsewhere/completely different.png"]}
    b = image(tmp_path / "b.png")
    plan = plan_import([a, b], [other])
    assert found(plan, tmp_path) == {}
    assert plan.unmatched == [other]
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(ReadError, match="holds no annotation"):
        plan_import([a], [tmp_path / "x.json"])


def test_a_folder_of_masks_alone_is_a_folder_of_images(tmp_path):
    for n in range(3):
        image(tmp_path / f"masks/{n}.png")
    assert len(plan_import([tmp_path / "masks"]).items) == 3


def test_ambiguous_masks_are_a_problem_not_a_guess(tmp_path):
    image(tmp_path / "a.png")
    mask(tmp_path / "a_mask.png")
    mask(tmp_path / "a_label.png")
    plan = plan_import([tmp_path])
    assert len(plan.items) == 1
    assert plan.items[0].annotation is None
    assert plan.problems == [
        "Several annotations fit “a.png” equally well (“a_label.png”, “a_mask.png”); "
        "none was taken."
    ]


def test_mask_of_another_size(tmp_path):
    image(tmp_path / "a.png", (24, 30))
    mask(tmp_path / "a_mask.png", (25, 31))
    plan = plan_import([tmp_path])
    assert plan.items[0].annotation is None
    assert plan.items[0].is_readable
    assert plan.problems == [
        "The mask “a_mask.png” is 31 × 25 pixels, but the image “a.png” is 30 × 24 pixels; "
        "the image can be imported without it."
    ]
    assert "1 problem" in plan.summary()


def test_unreadable_image_and_unreadable_mask(tmp_path):
    (tmp_path / "text.tif").write_text("not an image")
    image(tmp_path / "a.png")
    (tmp_path / "a_mask.png").write_text("not a mask")
    plan = plan_import([tmp_path])
    by_name = {i.name: i for i in plan.items}
    assert not by_name["text"].is_readable
    assert "text file" in (by_name["text"].problem or "")
    assert by_name["a"].is_readable
    assert "“a_mask.png”" in (by_name["a"].problem or "")
    with pytest.raises(ReadError, match="text file"):
        load_item(by_name["text"])


def test_size_is_checked_again_when_read(tmp_path):
    image(tmp_path / "a.png")
    path = mask(tmp_path / "a_mask.png")
    item = plan_import([tmp_path]).items[0]
    mask(path, (10, 11))
    with pytest.raises(ReadError, match=r"11 × 10 pixels, but the image “a\.png” is 30 × 24"):
        load_item(item)


def test_copies_are_marked(tmp_path):
    first = image(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(first.read_bytes())
    plan = plan_import([tmp_path])
    assert [i.duplicate_of for i in plan.items] == [None, "a"]
    assert "1 copy of another image" in plan.summary()


def test_time_series_shares_its_label_stack(tmp_path):
    movie = RNG.integers(0, 255, (3, 2, 16, 16), dtype=np.uint16)
    labels = np.arange(6, dtype=np.uint8).reshape(6, 1, 1) * np.ones((6, 16, 16), np.uint8)
    tifffile.imwrite(tmp_path / "m.tif", movie, imagej=True, metadata={"axes": "TZYX"})
    tifffile.imwrite(tmp_path / "m_labels.tif", labels, photometric="minisblack")
    plan = plan_import([tmp_path])
    assert not plan.problems
    loaded = load_item(plan.items[0], "classes")
    assert [item.image.name for item in loaded] == ["m t001", "m t002", "m t003"]
    for time_point, item in enumerate(loaded):
        assert item.annotation is not None
        np.testing.assert_array_equal(item.annotation.mask, labels[2 * time_point :][:2] + 1)
        np.testing.assert_array_equal(item.image.read()[0], movie[time_point])


def test_items_are_opened_under_the_name_of_the_plan(tmp_path):
    for folder in ("p1", "p2"):
        image(tmp_path / folder / "a.png")
    plan = plan_import([tmp_path])
    assert [load_item(i)[0].image.name for i in plan.items] == ["p1 a", "p2 a"]


def test_nothing_there(tmp_path):
    (tmp_path / "readme.md").write_text("x")
    with pytest.raises(ReadError, match=r"There is no TIFF.*1 other file"):
        plan_import([tmp_path])
    with pytest.raises(ReadError, match="does not exist"):
        plan_import([tmp_path / "gone"])
    with pytest.raises(ValueError, match="folder_tree"):
        plan_import([tmp_path], format="magic")


def test_links_that_run_in_circles_and_stores_are_not_entered(tmp_path):
    image(tmp_path / "a.png")
    image(tmp_path / "volume.zarr/0/0.png")
    image(tmp_path / "cells.runs/abc/predictions/a.png")
    try:
        os.symlink(tmp_path, tmp_path / "loop", target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    assert [i.name for i in plan_import([tmp_path]).items] == ["a"]


class NoChild(contextlib.nullcontext["NoChild"]):
    """A session in which files are read directly."""

    def __enter__(self) -> NoChild:
        return self

    def start(self) -> None:
        """There is nothing to start."""


def test_a_plan_of_many_images_decodes_only_a_sample(tmp_path, monkeypatch):
    for n in range(120):
        image(tmp_path / f"images/{n}.png")
        mask(tmp_path / f"labels/{n}.png")
    decoded: list[Path] = []
    real = raster._checked_bytes

    def counting(path: Path):
        decoded.append(path)
        return real(path)

    with monkeypatch.context() as here:  # not in a child, where nobody counts
        here.setattr(raster, "_checked_bytes", counting)
        here.setattr(apart, "in_use", lambda: None)
        here.setattr("orgseg_app.files.annotations.plan.reading_apart", NoChild)
        plan = plan_import([tmp_path])
    assert len(found(plan, tmp_path)) == 120
    assert 0 < len(decoded) <= values.MAX_SAMPLES
    assert all("labels" in path.parts for path in decoded)


def test_a_class_that_occurs_in_one_image_is_found(tmp_path):
    for n in range(40):
        image(tmp_path / f"images/{n}.png")
        labels = np.zeros((24, 30), np.uint8)
        labels[2:9, 3:12] = labels[15:20, 15:22] = 1
        labels[2:4, 20:24] = labels[20:22, 3:9] = 5 if n == 17 else 2
        path = tmp_path / f"labels/{n}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(cv2.imencode(".png", labels)[1].tobytes())
    plan = plan_import([tmp_path])
    assert plan.guess_meaning() == "classes"
    assert plan.class_values == (1, 2, 5)
    assert all(i.annotation and i.annotation.values == (1, 2, 5) for i in plan.items)


def test_thousands_of_files_are_planned_in_linear_time(tmp_path):
    first, label = image(tmp_path / "images/0.png"), mask(tmp_path / "labels/0.png")
    spent = []
    done = 1
    for count in (500, 2000):
        for n in range(done, count):
            os.link(first, tmp_path / f"images/{n}.png")
            os.link(label, tmp_path / f"labels/{n}.png")
        done = count
        start = time.perf_counter()
        plan = plan_import([tmp_path])
        assert len(found(plan, tmp_path)) == count
        spent.append(time.perf_counter() - start)
    assert spent[1] < 12 * spent[0]


def test_formats_are_described():
    pictures = ["label_image", "mask_folder", "class_folders", "folder_tree"]
    assert [name for name in FORMATS if name in pictures] == pictures
    assert set(OBJECT_FORMATS) < set(FORMATS)
    assert all(f.name == name and f.title and f.about.endswith(".") for name, f in FORMATS.items())
