"""Objects in everyone's formats: out and in again, never over what is there, never half."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.annotations.label_image import read_labels
from orgseg_app.files.annotations.mask_folder import read_objects
from orgseg_app.files.export import ExportError
from orgseg_app.files.object_export import MASK_FOLDERS, export_objects_as, ways
from orgseg_app.files.object_files.reading import look_here, read_here
from orgseg_app.files.object_files.registry import OBJECT_FORMATS
from orgseg_app.files.project_file import NewImage, ProjectFile

SHAPE = (1, 24, 30)
WRITERS = [name for name, format_ in OBJECT_FORMATS.items() if format_.write is not None]
BOXES = {"bbbc041", "voc"}


def objects_of(number: int) -> np.ndarray:
    """Touching objects, a hole, a piece apart, numbers with gaps."""
    objects = np.zeros(SHAPE, np.uint32)
    objects[0, 2:10, 3:9] = 1
    objects[0, 4:6, 5:7] = 0
    objects[0, 2:10, 9:15] = 2
    objects[0, 14:20, 12:20] = 7 + number
    objects[0, 22:, 27:] = 4
    objects[0, 12, 2:4] = objects[0, 14, 2:4] = 5
    return objects


@pytest.fixture
def project(tmp_path: Path) -> Iterator[ProjectFile]:
    """Two images with objects of two classes."""
    file = ProjectFile.create(tmp_path / "cells.orgseg", default_classes(["ER", "nucleus"]))
    rng = np.random.default_rng(0)
    items = []
    for number, name in enumerate(("img a", "img b.c")):
        objects = objects_of(number)
        mask = np.where(objects > 0, 2, 1).astype(np.uint8)
        mask[objects == 4] = 3
        pixels = rng.integers(0, 200, SHAPE[1:]).astype(np.uint8)
        items.append(NewImage(open_array(name, pixels), "train", mask, objects))
    file.add_images(items)
    yield file
    file.close()


def add(file: ProjectFile, name: str, mask: np.ndarray, objects: np.ndarray | None = None) -> None:
    pixels = np.zeros(mask.shape[-3:], np.uint8)[np.newaxis]
    file.add_images([NewImage(open_array(name, pixels), "train", mask, objects)])


def same_objects(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two labellings tell the same objects apart, whatever their numbers."""
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    firsts, seconds = (len(np.unique(row)) for row in pairs)
    return pairs.shape[1] == firsts == seconds and bool(((pairs == 0).sum(axis=0) != 1).all())


def test_all_formats_that_can_be_written_are_offered() -> None:
    assert list(ways()) == ["tiff", "png", MASK_FOLDERS, *WRITERS]
    assert {"cellpose", "imagej", "geojson", "coco", "labelme", "yolo"} <= set(WRITERS)
    assert all(way.title and way.about.endswith(".") for way in ways().values())


@pytest.mark.parametrize("name", WRITERS)
def test_objects_come_back_as_they_went(project: ProjectFile, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    exported = export_objects_as(project, out, [name])
    assert exported.images == 2
    assert sorted(p for p in out.rglob("*") if p.is_file()) == sorted(exported.files)
    read: dict[int, np.ndarray] = {}
    for path in exported.files:
        known = look_here(path)
        for image in known.contents.images if known is not None else ():
            assert known is not None
            number = int("img b" in (image.image_name or path.name))
            found = read_here(path, known.format, image.key, SHAPE)
            if name in BOXES:
                truth = objects_of(number)
                expected = [_box(truth[0] == n) for n in np.unique(truth)[1:]]
                assert [(b.y0, b.x0, b.y1, b.x1) for b in found.boxes] == expected
                read[number] = truth
                continue
            assert found.objects is not None
            read[number] = found.objects
            if found.classes:
                corner = int(found.objects[0, 23, 29])
                assert found.classes[corner] == "nucleus"
                assert set(found.classes.values()) == {"ER", "nucleus"}
    assert all(same_objects(read[number], objects_of(number)) for number in (0, 1))


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    y, x = np.nonzero(mask)
    return int(y.min()), int(x.min()), int(y.max()) + 1, int(x.max()) + 1


def test_label_images_and_mask_folders(project: ProjectFile, tmp_path: Path) -> None:
    exported = export_objects_as(project, tmp_path, ["tiff", "png", MASK_FOLDERS])
    for number, name in enumerate(("img a", "img b.c")):
        truth = objects_of(number)
        labels = tifffile.imread(tmp_path / f"{name}.tif")
        assert labels.dtype == np.uint16
        assert np.array_equal(labels, truth[0])
        assert np.array_equal(read_labels(tmp_path / f"{name}.png"), truth)
        masks = sorted((tmp_path / name / "masks").iterdir())
        assert len(masks) == 5
        objects, overlap = read_objects(masks)
        assert same_objects(objects, truth)
        assert overlap == 0
        assert (tmp_path / name / "images" / f"{name}.png").is_file()
    assert not exported.notes


def test_above_65_535_objects_label_images_get_32_bits_and_say_so(
    project: ProjectFile, tmp_path: Path
) -> None:
    objects = np.zeros((1, 4, 4), np.uint32)
    objects[0, 1, 1] = 70_000
    add(project, "many", np.where(objects > 0, 2, 1).astype(np.uint8), objects)
    exported = export_objects_as(project, tmp_path / "o", ["tiff"])
    assert tifffile.imread(tmp_path / "o" / "many.tif").dtype == np.uint32
    assert tifffile.imread(tmp_path / "o" / "img a.tif").dtype == np.uint16
    assert [note for note in exported.notes if "70,000" in note and "32 bits" in note]


def test_without_objects_what_hangs_together_in_a_class_is_one(tmp_path: Path) -> None:
    with ProjectFile.create(tmp_path / "a.orgseg", default_classes(["ER", "nucleus"])) as file:
        mask = np.ones((2, 6, 8), np.uint8)
        mask[:, :2, :2] = mask[1, 4:, 5:] = 2
        mask[0, :2, 2:4] = 3
        mask[0, 5, 0] = 0
        add(file, "stack", mask)
        add(file, "empty", np.ones((1, 6, 8), np.uint8))
        exported = export_objects_as(file, tmp_path / "o", ["tiff", "imagej"])
    assert exported.images == 1
    assert exported.notes == [
        "1 image has a mask and no objects: what hangs together in a class is an object."
    ]
    labels = tifffile.imread(tmp_path / "o" / "stack.tif")
    wanted = np.zeros((2, 6, 8), int)
    wanted[:, :2, :2], wanted[1, 4:, 5:], wanted[0, :2, 2:4] = 1, 2, 3
    assert np.array_equal(labels, wanted)
    read = read_here(tmp_path / "o" / "stack_RoiSet.zip", "imagej", "", (2, 6, 8))
    assert np.array_equal(read.objects, wanted)
    assert read.classes == {1: "ER", 2: "ER", 3: "nucleus"}


def test_names_never_collide(tmp_path: Path) -> None:
    with ProjectFile.create(tmp_path / "a.orgseg", default_classes(["ER"])) as file:
        for name, x in (("a/b", 0), ("a:b", 1), ("A_B", 2), ("../up", 3)):
            mask = np.ones((1, 4, 4), np.uint8)
            mask[0, 0, x] = 2
            add(file, name, mask)
        exported = export_objects_as(file, tmp_path / "o", ["geojson", "coco", "cellpose"])
    assert len({str(p).casefold() for p in exported.files}) == 9
    assert all(p.parent == tmp_path / "o" for p in exported.files)
    coco = look_here(tmp_path / "o" / "a_coco.json")
    assert coco is not None
    names = [image.image_name for image in coco.contents.images]
    assert len({name.casefold() for name in names}) == 4


@pytest.mark.parametrize("name", ["tiff", MASK_FOLDERS, "geojson", "coco"])
def test_nothing_is_replaced_unasked_and_nothing_is_left_half(
    project: ProjectFile, tmp_path: Path, name: str
) -> None:
    first = export_objects_as(project, tmp_path / "o", [name]).files
    mine = first[-1]
    for path in first[:-1]:
        path.unlink()
    mine.write_bytes(b"mine")
    with pytest.raises(ExportError, match="already") as told:
        export_objects_as(project, tmp_path / "o", [name])
    assert "\n" not in str(told.value)
    assert [p for p in (tmp_path / "o").rglob("*") if p.is_file()] == [mine]
    assert mine.read_bytes() == b"mine"
    assert sorted(export_objects_as(project, tmp_path / "o", [name], overwrite=True).files) == (
        sorted(first)
    )
    assert mine.read_bytes() != b"mine"


def test_a_cancelled_export_leaves_nothing_of_the_format_in_hand(
    project: ProjectFile, tmp_path: Path
) -> None:
    seen: list[int] = []

    def stop(done: int, total: int, item: str) -> bool:
        seen.append(total)
        return done < 3

    exported = export_objects_as(project, tmp_path / "o", ["tiff", "geojson"], progress=stop)
    assert [p.name for p in exported.files] == ["img a.tif", "img b.c.tif"]
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["img a.tif", "img b.c.tif"]
    assert seen == [4, 4, 4, 4]


def test_what_a_format_cannot_hold_is_said(tmp_path: Path) -> None:
    with ProjectFile.create(tmp_path / "a.orgseg", default_classes(["ER"])) as file:
        add(file, "stack", np.full((2, 4, 4), 2, np.uint8))
        with pytest.raises(ExportError, match="2 planes"):
            export_objects_as(file, tmp_path / "o", ["labelme"])
        assert not list((tmp_path / "o").iterdir())
        exported = export_objects_as(file, tmp_path / "o", [MASK_FOLDERS])
        assert [n for n in exported.notes if "each plane has a folder" in n]
        assert (tmp_path / "o" / "stack_z002" / "masks" / "0001.png").is_file()
        with pytest.raises(ExportError, match="no format “excel”"):
            export_objects_as(file, tmp_path / "o", ["excel"])


def test_nothing_painted(tmp_path: Path) -> None:
    with ProjectFile.create(tmp_path / "a.orgseg", default_classes(["ER"])) as file:
        add(file, "empty", np.ones((1, 4, 4), np.uint8))
        with pytest.raises(ExportError, match="No image of this project has objects"):
            export_objects_as(file, tmp_path / "o", ["tiff"])
