"""List files of images and masks, lists of splits, and masks beside their image in one picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgseg_app.files.annotations.list_lines import Files, lines_of, listed_beside, readings
from orgseg_app.files.annotations.loading import load_item
from orgseg_app.files.annotations.plan import ImportPlan, plan_import
from orgseg_app.files.errors import ReadError

pytestmark = pytest.mark.usefixtures("one_reading_child")

RNG = np.random.default_rng(11)


def write(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())
    return path


def image(path: Path) -> Path:
    return write(path, RNG.integers(0, 255, (24, 30), dtype=np.uint8))


def mask(path: Path) -> Path:
    labels = np.zeros((24, 30), np.uint8)
    labels[2:9, 3:12] = labels[15:20, 15:22] = 255
    return write(path, labels)


def pairs(plan: ImportPlan) -> dict[str, str]:
    """Image → annotation, by their file names."""
    return {
        item.image_path.name: item.annotation.paths[0].name
        for item in plan.items
        if item.annotation is not None
    }


# -- lines -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    ["a.tif b.png", "a.tif\tb.png", "a.tif,b.png", "a.tif; b.png", '"a.tif" "b.png"',
     "'a.tif' 'b.png'", '"a.tif","b.png"', "a.tif   b.png", "a.tif, b.png, train, 3"],
)  # fmt: skip
def test_a_line_with_any_separator(line):
    assert readings(line)[0] == ("a.tif", "b.png")


names = st.text("ab c", min_size=1, max_size=8).map(lambda s: " ".join(s.split()) or "x")


@given(names, names, st.sampled_from(["\t", ",", ";"]), st.booleans())
def test_names_with_spaces(one, other, delimiter, quoted):
    pair = f"{one}.tif", f"dir/{other}.png"
    marks = '"' if quoted else ""
    line = delimiter.join(f"{marks}{name}{marks}" for name in pair)
    assert readings(line)[0] == pair
    assert pair in readings(f"{pair[0]} {pair[1]}")


@pytest.mark.parametrize("line", ["0 0.5 0.5 0.1 0.1", "once upon a time", "a.tif", ""])
def test_other_lines_have_no_pair(line):
    assert all(len(names) == 1 for names in readings(line))


def test_files_are_found_by_the_end_of_their_path():
    here = [Path("/data/er/images/1.tif"), Path("/data/er/masks/1.tif"), Path("/data/mito/2.tif")]
    files = Files(here)
    assert files.find("/disk7/sets/images/1.tif", Path("/data")) == here[0]
    assert files.find(r"D:\sets\masks\1.TIF", Path("/data")) == here[1]
    assert files.find("1.tif", Path("/data")) is None
    assert files.find("1.tif", Path("/data/er/masks")) == here[1]
    assert files.find("../../2.tif", Path("/data/er")) == here[2]
    assert files.find("../../../etc/passwd", Path("/data")) is None


# -- lists -----------------------------------------------------------------------------------------


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """Images and masks whose names do not tell that they belong together."""
    for n in (1, 2, 3):
        image(tmp_path / "data" / "pictures of cells" / f"cell {n}.png")
        mask(tmp_path / "data" / "drawn" / f"{n * 7} done.png")
    return tmp_path / "data"


def lines(root: str, *numbers: int) -> str:
    """What a list says of some of them."""
    images = [f"{root}pictures of cells/cell {n}.png" for n in numbers]
    masks = [f"{root}drawn/{n * 7} done.png" for n in numbers]
    return "".join(f"{image}\t{mask}\n" for image, mask in zip(images, masks, strict=True))


@pytest.mark.parametrize("root", ["", "../data/", "D:/guo/data/"])
def test_a_list_pairs_what_names_do_not(sets, root):
    (sets / "pairs.txt").write_text(lines(root, 1, 2, 3))
    plan = plan_import([sets])
    assert pairs(plan) == {f"cell {n}.png": f"{n * 7} done.png" for n in (1, 2, 3)}
    assert (plan.kind, len(plan.items), plan.skipped) == ("a list of pairs", 3, [])
    (loaded,) = load_item(plan.items[0])
    assert loaded.annotation is not None
    assert set(np.unique(loaded.annotation.mask)) == {1, 2}


def test_lists_with_spaces_between_names_with_spaces(sets):
    (sets / "pairs.txt").write_text(lines("", 1, 2).replace("\t", " "))
    assert pairs(plan_import([sets])) == {f"cell {n}.png": f"{n * 7} done.png" for n in (1, 2)}


def test_lists_tell_the_split(sets):
    (sets / "train_er.txt").write_text("# image mask\n" + lines("", 1, 2))
    (sets / "test_er.txt").write_text(lines("", 3, 2))
    plan = plan_import([sets])
    assert {i.name: i.split for i in plan.items} == {
        "cell 1": "train",
        "cell 2": "test",
        "cell 3": "test",
    }
    assert any("another split" in note for note in plan.notes)


def test_a_list_alone_brings_the_files_of_its_folder(sets):
    outside = image(sets.parent / "secret.png")
    (sets / "sub").mkdir()
    path = sets / "train.txt"
    elsewhere = f"{outside}\t{outside}\n../secret.png\t../secret.png\n"
    path.write_text(lines("/elsewhere/data/", 1, 3) + elsewhere)
    plan = plan_import([path])
    assert pairs(plan) == {"cell 1.png": "7 done.png", "cell 3.png": "21 done.png"}
    assert len(plan.items) == 2
    assert outside not in listed_beside(path)


def test_a_link_out_of_the_folder_is_not_followed(sets):
    outside = image(sets.parent / "secret.png")
    (sets / "link.png").symlink_to(outside)
    (sets / "list.txt").write_text("link.png\tdrawn/7 done.png\n")
    assert listed_beside(sets / "list.txt") == []


def test_a_list_given_as_the_annotations(sets):
    (sets / "pairs.csv").write_text("image,mask\n" + lines("", 2).replace("\t", ","))
    plan = plan_import([sets], [sets / "pairs.csv"])
    assert pairs(plan) == {"cell 2.png": "14 done.png"}


def test_what_a_list_names_and_is_not_there_is_said(sets):
    (sets / "pairs.txt").write_text(lines("", 1, 2, 9))
    plan = plan_import([sets])
    assert len(pairs(plan)) == 2
    assert plan.notes == ["“pairs.txt”: 1 line names files that are not here, or not just one."]


def test_names_of_splits_only(tmp_path):
    for n in range(4):
        image(tmp_path / "images" / f"n{n}.tif")
        mask(tmp_path / "masks" / f"n{n}.png")
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "training.txt").write_text("n0.png\nn1.png\n")
    (tmp_path / "metadata" / "validation.txt").write_text("n2.png\n")
    (tmp_path / "metadata" / "test.txt").write_text("n3.png\n")
    plan = plan_import([tmp_path])
    assert [i.split for i in plan.items] == ["train", "train", "validation", "test"]
    assert len(pairs(plan)) == 4


@pytest.mark.parametrize(
    "content", [b"", b"\0\0\0", b"\xff\xfe\x00", b"just words\nand more\n", b"x" * 100_000]
)
def test_other_texts_are_left_alone(tmp_path, content):
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    assert lines_of(path) is None
    assert listed_beside(path) == []


# -- halves ----------------------------------------------------------------------------------------


def double(side: str, seed: int = 0, *, empty: bool = False) -> np.ndarray:
    """A noisy image with its mask beside it."""
    inside = np.zeros((40, 40), np.uint8)
    if not empty:
        cv2.circle(inside, (20, 15), 9, 255, -1)
    noise = np.random.default_rng(seed).integers(10, 90, (40, 40))
    pixels = (noise + inside // 3).astype(np.uint8)
    return np.hstack([pixels, inside] if side == "right" else [inside, pixels])


@pytest.mark.parametrize("side", ["right", "left"])
def test_image_and_mask_in_one_picture(tmp_path, side):
    for n in range(3):
        write(tmp_path / f"{n}.png", double(side, n))
    plan = plan_import([tmp_path])
    assert (plan.kind, plan.meaning) == ("image and mask in one picture", "binary")
    assert plan.summary() == "3 images; 3 masks beside the image in its picture"
    both = double(side, 1)
    (loaded,) = load_item(plan.items[1])
    own, other = (both[:, :40], both[:, 40:])[:: 1 if side == "right" else -1]
    assert loaded.image.shape == (1, 1, 40, 40)
    assert np.array_equal(loaded.image.read()[0, 0], own)
    assert loaded.annotation is not None
    assert np.array_equal(loaded.annotation.mask[0] == 2, other > 0)
    assert loaded.annotation.objects is None


def test_one_without_structure_among_others(tmp_path):
    for n in range(3):
        write(tmp_path / f"{n}.png", double("right", n, empty=n == 1))
    plan = plan_import([tmp_path])
    (loaded,) = load_item(plan.items[1])
    assert loaded.annotation is not None
    assert (loaded.annotation.mask == 1).all()


def test_wide_images_are_images(tmp_path):
    write(tmp_path / "wide.png", RNG.integers(0, 255, (40, 80), dtype=np.uint8))
    black = np.zeros((40, 40), np.uint8)
    write(tmp_path / "half black.png", np.hstack([double("right")[:, :40], black]))
    assert plan_import([tmp_path]).kind == "images"


def test_one_that_is_none_is_said_when_it_comes(tmp_path):
    for n in range(9):
        write(tmp_path / f"{n}.png", double("right", n))
    plan = plan_import([tmp_path])
    write(tmp_path / "4.png", RNG.integers(0, 255, (40, 80), dtype=np.uint8))
    with pytest.raises(ReadError, match="side by side"):
        load_item(plan.items[4])
