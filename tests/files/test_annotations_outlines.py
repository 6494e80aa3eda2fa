"""Outlines, numbers that tell touching objects apart, many colours: found and read as objects."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from orgseg_app.files.annotations.loading import LoadedItem, load_item, read_annotation
from orgseg_app.files.annotations.plan import ImportPlan, plan_import
from orgseg_app.files.annotations.source import AnnotationSource
from orgseg_app.files.errors import ReadError

pytestmark = pytest.mark.usefixtures("one_reading_child")

CELLS = [(20, 20, 12), (40, 60, 10), (0, 45, 8)]
SHAPE = (60, 80)


def write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, photometric="minisblack")
    else:
        path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())
    return path


def picture(seed: int = 0) -> np.ndarray:
    """Light cells on a dark ground, with noise."""
    light = np.zeros(SHAPE, np.uint8)
    for y, x, radius in CELLS:
        cv2.circle(light, (x, y), radius, 90, -1)
    noise = np.random.default_rng(seed).integers(40, 60, SHAPE)
    return (light + noise).astype(np.uint8)


def outlines(value: int = 255) -> np.ndarray:
    lines = np.zeros(SHAPE, np.uint8)
    for y, x, radius in CELLS:
        cv2.circle(lines, (x, y), radius, 255, 1)
    return lines if value == 255 else 255 - lines


def pairs(plan: ImportPlan) -> dict[str, str]:
    """Image → annotation, by their file names."""
    return {
        item.image_path.name: item.annotation.paths[0].name
        for item in plan.items
        if item.annotation is not None
    }


def loaded(plan: ImportPlan, n: int = 0) -> LoadedItem:
    return load_item(plan.items[n])[0]


def count(item: LoadedItem) -> int:
    assert item.annotation is not None
    assert item.annotation.objects is not None
    assert np.array_equal(item.annotation.mask == 2, item.annotation.objects > 0)
    return len(np.unique(item.annotation.objects)) - 1


@pytest.mark.parametrize("value", [255, 0])
@pytest.mark.parametrize("folders", [("images", "outlines"), ("v1_images", "v1_outlines")])
def test_a_folder_of_outlines_beside_the_images(tmp_path, folders, value):
    for n in (1, 2):
        write(tmp_path / folders[0] / "A9" / f"cell {n}f.tif", picture(n))
        write(tmp_path / folders[1] / "A9" / f"cell {n}f.tif", outlines(value))
    plan = plan_import([tmp_path])
    assert pairs(plan) == {f"cell {n}f.tif": f"cell {n}f.tif" for n in (1, 2)}
    assert (plan.kind, plan.meaning, plan.problems, plan.notes) == ("outlines", "instances", [], [])
    assert plan.summary() == "2 images; 2 pictures of outlines found by name"
    assert count(loaded(plan)) == 3
    assert (load_item(plan.items[0], "binary")[0].annotation or 0).objects is None


def test_images_alone_bring_the_outlines_beside_them(tmp_path):
    write(tmp_path / "images" / "a.png", picture())
    write(tmp_path / "outlines" / "a.png", outlines())
    assert pairs(plan_import([tmp_path / "images"])) == {"a.png": "a.png"}
    assert pairs(plan_import([tmp_path / "images" / "a.png"])) == {"a.png": "a.png"}


def test_stains_are_told_by_what_is_outlined_and_turned_over(tmp_path):
    for stain in ("DNA", "actin", "pH3"):
        write(tmp_path / f"00733-{stain}.png", picture())
    write(tmp_path / "00733-cells.png", outlines()[::-1])
    write(tmp_path / "00733-nuclei.png", outlines())
    plan = plan_import([tmp_path])
    assert pairs(plan) == {
        "00733-actin.png": "00733-cells.png",
        "00733-DNA.png": "00733-nuclei.png",
    }
    assert len(plan.items) == 3
    by_name = {item.name: item for item in plan.items}
    straight = load_item(by_name["00733-DNA"])[0].annotation
    turned = load_item(by_name["00733-actin"])[0].annotation
    assert straight is not None
    assert turned is not None
    assert np.array_equal(straight.mask, turned.mask)
    assert straight.notes == ()
    assert "upside down" in turned.notes[0]


def test_lines_drawn_into_the_image_are_no_outlines(tmp_path):
    write(tmp_path / "cell.png", picture())
    drawn = cv2.cvtColor(picture(), cv2.COLOR_GRAY2BGR)
    drawn[outlines() > 0] = (0, 0, 255)
    write(tmp_path / "cell_outlines.png", drawn)
    plan = plan_import([tmp_path])
    assert pairs(plan) == {}
    assert [item.name for item in plan.items] == ["cell"]
    write(tmp_path / "cell_outlines.png", outlines())
    assert pairs(plan_import([tmp_path])) == {"cell.png": "cell_outlines.png"}


def test_a_folder_of_something_else_is_said(tmp_path):
    write(tmp_path / "images" / "a.png", picture())
    write(tmp_path / "outlines" / "a.png", picture(3))
    plan = plan_import([tmp_path])
    assert pairs(plan) == {}
    assert plan.notes == ["1 picture in “outlines” left out: not the thin lines that outlines are."]


def test_outlines_given_by_hand(tmp_path):
    image = write(tmp_path / "cell.png", picture())
    other = write(tmp_path / "elsewhere" / "drawing.png", outlines())
    named = write(tmp_path / "elsewhere" / "drawn outlines.png", outlines())
    assert count(loaded(plan_import([image], [named]))) == 3
    assert count(loaded(plan_import([image], [other], format="outlines"))) == 3
    as_labels = plan_import([image], [other])
    assert as_labels.items[0].annotation is not None
    assert as_labels.items[0].annotation.format == "folder_tree"


def test_planes_are_taken_one_by_one(tmp_path):
    stack = np.stack([picture(0), picture(1), picture(2)])
    lines = np.stack([outlines(), np.zeros(SHAPE, np.uint8), outlines()])
    write(tmp_path / "images" / "v.tif", stack)
    write(tmp_path / "outlines" / "v.tif", lines)
    objects = loaded(plan_import([tmp_path])).annotation
    assert objects is not None
    assert objects.objects is not None
    assert [int(plane.max()) for plane in objects.objects] == [3, 0, 6]


def test_no_lines_are_a_sentence(tmp_path):
    path = write(tmp_path / "a.png", np.full(SHAPE, 7, np.uint8))
    with pytest.raises(ReadError, match=r"“a\.png” holds no outlines: all its pixels"):
        read_annotation(AnnotationSource("outlines", (path,)))


# -- numbers in red --------------------------------------------------------------------------------


def red_ids(shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """BGR: five objects of which two and two touch."""
    ids = np.zeros((*shape, 3), np.uint8)
    ids[5:15, 5:15, 2] = 1
    ids[5:15, 15:25, 2] = 2
    ids[30:40, 5:15, 2] = 1
    ids[40:50, 5:15, 2] = 3
    ids[30:40, 50:60, 2] = 1
    return ids


def test_numbers_in_red_tell_touching_objects_apart(tmp_path):
    for n in (1, 2):
        write(tmp_path / "images" / f"n{n}.tif", picture(n))
        write(tmp_path / "masks" / f"n{n}.png", red_ids())
    plan = plan_import([tmp_path])
    assert (plan.kind, plan.meaning) == ("pieces of numbers", "instances")
    item = loaded(plan)
    assert count(item) == 5
    assert item.annotation is not None
    assert np.array_equal(item.annotation.mask[0] == 2, red_ids()[..., 2] > 0)


def test_colours_are_no_numbers_in_red(tmp_path):
    write(tmp_path / "images" / "a.tif", picture())
    coloured = red_ids() * 60
    coloured[20:25, 50:60, 1] = 200
    write(tmp_path / "masks" / "a.png", coloured)
    (item,) = plan_import([tmp_path]).items
    assert item.annotation is not None
    assert item.annotation.format == "folder_tree"


# -- a colour for each object ----------------------------------------------------------------------


def test_a_colour_for_each_of_many_objects(tmp_path):
    rng = np.random.default_rng(5)
    colours = np.unique(rng.integers(30, 255, (120, 3)), axis=0)[:100].astype(np.uint8)
    labels = np.zeros((140, 140, 3), np.uint8)
    for n, colour in enumerate(rng.permutation(colours)):
        y, x = 14 * (n // 10), 14 * (n % 10)
        labels[y + 1 : y + 13, x + 1 : x + 13] = colour
    write(tmp_path / "images" / "a.png", rng.integers(0, 255, (140, 140)).astype(np.uint8))
    write(tmp_path / "labels" / "a.png", labels)
    plan = plan_import([tmp_path])
    assert plan.problems == []
    assert count(loaded(plan)) == 100


def test_a_photograph_is_no_label_image(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (60, 60, 3)).astype(np.uint8)
    path = write(tmp_path / "photo.png", noise)
    smooth = write(tmp_path / "smooth.png", cv2.GaussianBlur(noise, (0, 0), 8))
    for file in (path, smooth):
        with pytest.raises(ReadError, match="colours"):
            read_annotation(AnnotationSource("label_image", (file,)), "instances")
