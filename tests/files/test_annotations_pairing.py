"""Pairing by name: what fits is paired, what fits twice is said, order never decides."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgseg_app.files.annotations.pairing import pair
from orgseg_app.files.annotations.tokens import (
    base,
    folder_role,
    folder_split,
    has_label_word,
    is_plain_role,
    words,
)


def by_name(images: list[str], labels: list[str]) -> dict[str, str]:
    return {images[i]: labels[j] for i, j in pair(images, labels).pairs.items()}


@pytest.mark.parametrize(
    "image, label",
    [
        ("a", "a"),
        ("Cell01", "cell01"),
        ("cell_01", "cell_01_mask"),
        ("cell_01", "cell_01_masks"),
        ("cell_01", "cell_01-mask"),
        ("cell_01", "cell_01 mask"),
        ("cell_01", "cell_01_label"),
        ("cell_01", "cell_01_seg"),
        ("cell_01", "cell_01_cp_masks"),
        ("cell_01", "cell_01_gt"),
        ("cell_01", "cell_01_ground_truth"),
        ("cell_01", "mask_cell_01"),
        ("001_img", "001_masks"),
        ("img01", "mask01"),
        ("img_7", "label_007"),
        ("stardist_img2d", "stardist_mask2d"),
        ("xy_8bit__em_er", "xy_8bit_binary__em_er"),
        ("21_training", "21_manual1"),
        ("24", "24-semantic"),
        ("zelle_é", "zelle_é_mask"),
    ],
)
def test_names_that_belong_together(image, label):
    others = ["other_77", "cell_02", "002_img"]
    assert by_name([image, *others], [label]) == {image: label}
    assert by_name([image], ["zzz_99_mask", label]) == {image: label}


@pytest.mark.parametrize(
    "images, labels",
    [
        (["a_01"], ["a_03"]),
        (["a_01"], ["a_03_mask"]),
        (["treated"], ["control"]),
        (["s1_t1"], ["s1_t2"]),
        (["cell_1"], ["cell_11"]),
        (["plate1"], ["plate"]),
    ],
)
def test_names_that_do_not(images, labels):
    result = pair(images, labels)
    assert (result.pairs, result.ambiguous) == ({}, {})
    assert result.unmatched == [0]


def test_order_never_decides():
    images = [f"t{n:03d}" for n in range(50)]
    labels = [f"t{n:03d}_mask" for n in range(1, 51)]
    random.Random(0).shuffle(labels)
    expected = {f"t{n:03d}": f"t{n:03d}_mask" for n in range(1, 50)}
    assert by_name(images, labels) == expected
    result = pair(images, labels)
    assert [labels[j] for j in result.unmatched] == ["t050_mask"]


def test_two_labels_for_one_image_are_not_guessed():
    result = pair(["a", "b"], ["a_mask", "a_label", "b_mask"])
    assert result.pairs == {1: 2}
    assert result.ambiguous == {0: [0, 1]}
    assert result.unmatched == []


def test_one_label_for_two_images_is_not_guessed():
    result = pair(["a_raw", "a_img"], ["a_mask"])
    assert result.pairs == {}
    assert result.ambiguous == {0: [0], 1: [0]}


def test_longest_common_name_wins():
    images = ["s1_t1", "s1_t12", "s1_t1_c2"]
    labels = ["s1_t1_c2_final", "s1_t12_final", "s1_t1_final"]
    assert by_name(images, labels) == {
        "s1_t12": "s1_t12_final",
        "s1_t1_c2": "s1_t1_c2_final",
        "s1_t1": "s1_t1_final",
    }


_names = st.text("abAB01_- ", min_size=1, max_size=8)


@given(st.lists(_names, max_size=8, unique=True), st.lists(_names, max_size=8, unique=True))
def test_a_pairing_is_one_to_one_and_does_not_depend_on_order(images, labels):
    result = pair(images, labels)
    assert len(set(result.pairs.values())) == len(result.pairs)
    assert not set(result.pairs) & set(result.ambiguous)
    assert not set(result.unmatched) & set(result.pairs.values())
    flipped = pair(images[::-1], labels[::-1])
    assert {(images[i], labels[j]) for i, j in result.pairs.items()} == {
        (images[::-1][i], labels[::-1][j]) for i, j in flipped.pairs.items()
    }
    for image in images:
        same = [name.casefold() for name in images + labels].count(image.casefold())
        if image in labels and same == 2:
            assert result.pairs[images.index(image)] == labels.index(image)


def test_words():
    assert words("Cell7_cpMasks") == ("cell", "7", "cp", "masks")
    assert words("A9 p10d") == ("a", "9", "p", "10", "d")
    assert base("GroundTruth_001") == ("001",)
    assert base("img") == ()
    assert has_label_word("x_gt.2")
    assert not has_label_word("target7x".replace("target", "tarragon"))
    assert not has_label_word("unmasked_cell")


@pytest.mark.parametrize(
    "folder, role, split, is_plain",
    [
        ("images", "image", None, True),
        ("Image", "image", None, True),
        ("Labels", "label", None, True),
        ("MASKS", "label", None, True),
        ("annotation", "label", None, True),
        ("ground truth", "label", None, True),
        ("gt", "label", None, True),
        ("train", None, "train", True),
        ("Training Set", None, "train", True),
        ("val", None, "validation", True),
        ("validation", None, "validation", True),
        ("test", None, "test", True),
        ("stage1_train", None, "train", True),
        ("train_images", "image", "train", True),
        ("train_masks", "label", "train", True),
        ("masks_by_anna", "label", None, False),
        ("class_masks", "label", None, False),
        ("labelled images", "image", None, True),
        ("outlines", "outline", None, True),
        ("objects", "label", None, True),
        ("plate 7", None, None, False),
        ("latest", None, None, False),
        ("test of ER stain", None, None, False),
    ],
)
def test_folder_names(folder, role, split, is_plain):
    assert (folder_role(folder), folder_split(folder)) == (role, split)
    assert is_plain_role(folder) == is_plain
