"""Label images: what is stored, what it means, and what it becomes."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from orgseg_app.files.annotations.label_image import read_labels
from orgseg_app.files.annotations.loading import read_annotation
from orgseg_app.files.annotations.source import AnnotationSource, default_class_ids
from orgseg_app.files.annotations.values import guess, looks_like_labels, sample, statistics
from orgseg_app.files.errors import ReadError


def label_png(path: Path, labels: np.ndarray) -> Path:
    path.write_bytes(cv2.imencode(path.suffix, labels)[1].tobytes())
    return path


def label_tif(path: Path, labels: np.ndarray, **options: object) -> Path:
    tifffile.imwrite(path, labels, **{"photometric": "minisblack"} | options)
    return path


def source(*paths: Path, format: str = "label_image", **more: object) -> AnnotationSource:
    return AnnotationSource(format, paths, **more)


def blobs(count: int, size: int = 60, seed: int = 0) -> np.ndarray:
    """Object numbers 1…count in a size² picture, one square each."""
    labels = np.zeros((size, size), np.uint16)
    cells = [(y, x) for y in range(1, size - 5, 6) for x in range(1, size - 5, 6)]
    for number, n in enumerate(np.random.default_rng(seed).permutation(len(cells))[:count]):
        y, x = cells[n]
        labels[y : y + 4, x : x + 4] = number + 1
    return labels


def scattered(classes: int, size: int = 60, seed: int = 0) -> np.ndarray:
    """Classes 1…n, each in many places."""
    labels = blobs(70, size, seed)
    return np.where(labels > 0, labels % classes + 1, 0).astype(np.uint8)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "uint32", "float32"])
def test_whole_numbers_come_back(tmp_path, dtype):
    labels = (blobs(40) * (6 if dtype == "uint8" else 700)).astype(dtype)
    read = read_labels(label_tif(tmp_path / "a.tif", labels))
    assert read.shape == (1, 60, 60)
    assert read.dtype.kind in "iu"
    np.testing.assert_array_equal(read[0], labels)


def test_more_than_65535_objects_are_not_wrapped(tmp_path):
    labels = blobs(10).astype(np.uint32) * 70000
    loaded = read_annotation(source(label_tif(tmp_path / "a.tif", labels)), "instances")
    assert loaded.objects is not None
    np.testing.assert_array_equal(np.unique(loaded.objects).size, 11)
    np.testing.assert_array_equal(loaded.objects[0] > 0, labels > 0)


def test_multiples_of_256_do_not_vanish(tmp_path):
    labels = blobs(5) * 256
    loaded = read_annotation(source(label_tif(tmp_path / "a.tif", labels)), "instances")
    np.testing.assert_array_equal(loaded.mask[0] == 2, labels > 0)


def test_fractions_and_channels_are_no_labels(tmp_path):
    with pytest.raises(ReadError, match="fractions"):
        read_labels(label_tif(tmp_path / "p.tif", np.full((8, 8), 0.5, np.float32)))
    two = label_tif(tmp_path / "c.tif", np.ones((2, 8, 8), np.uint8), ome=True,
                    metadata={"axes": "CYX"})  # fmt: skip
    with pytest.raises(ReadError, match="2 channels"):
        read_labels(two)


def test_stack_is_depth(tmp_path):
    stack = np.stack([blobs(5, seed=n) for n in range(4)])
    path = label_tif(tmp_path / "a.tif", stack, compression="zlib")
    np.testing.assert_array_equal(read_labels(path), stack)
    np.testing.assert_array_equal(read_labels(path, planes=[2]), stack[2:3])


def test_one_bit_masks_are_read_as_shown(tmp_path):
    inside = blobs(6) > 0
    path = label_tif(tmp_path / "a.tif", ~inside, photometric="miniswhite")
    np.testing.assert_array_equal(read_labels(path)[0] > 0, inside)
    inverted = np.where(inside, 0, 255).astype(np.uint8)
    path = label_tif(tmp_path / "b.tif", inverted, photometric="miniswhite")
    np.testing.assert_array_equal(read_labels(path)[0] > 0, inside)
    path = label_tif(tmp_path / "c.tif", inside)
    np.testing.assert_array_equal(read_labels(path)[0] > 0, inside)


def test_colour_codes(tmp_path):
    labels = scattered(3)
    table = np.array([[0, 0, 0], [0, 0, 255], [0, 255, 0], [255, 1, 224]], np.uint8)  # b, g, r
    path = label_png(tmp_path / "a.png", table[labels])
    codes = np.array([0, 0xFF0000, 0x00FF00, 0xE001FF])
    np.testing.assert_array_equal(read_labels(path)[0], codes[labels])
    loaded = read_annotation(source(path), "classes")
    order = {0: 1, 0x00FF00: 2, 0xE001FF: 3, 0xFF0000: 4}
    np.testing.assert_array_equal(loaded.mask[0], np.vectorize(order.get)(codes[labels]))
    chosen = read_annotation(source(path), "classes", {0xFF0000: 7, 0x00FF00: 7, 0xE001FF: 0})
    np.testing.assert_array_equal(chosen.mask[0], np.array([1, 7, 7, 0])[labels])


def test_clear_pixels_are_background(tmp_path):
    labels = scattered(2)
    table = np.array([[9, 9, 200, 0], [255, 0, 0, 255], [0, 255, 0, 255]], np.uint8)
    read = read_labels(label_png(tmp_path / "a.png", table[labels]))[0]
    np.testing.assert_array_equal(read == 0, labels == 0)
    assert len(np.unique(read)) == 3


def test_a_photograph_is_no_colour_coding(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 40, 3), dtype=np.uint8)
    with pytest.raises(ReadError, match="colours, where a colour-coded annotation"):
        read_labels(label_png(tmp_path / "a.png", pixels))


def test_grey_mask_stored_as_rgb(tmp_path):
    mask = ((blobs(6) > 0) * 255).astype(np.uint8)
    path = label_tif(tmp_path / "a.tif", np.dstack([mask] * 3), photometric="rgb")
    np.testing.assert_array_equal(read_labels(path)[0], mask)


def test_jpeg_mask_is_two_values_and_other_jpegs_are_refused(tmp_path):
    inside = np.zeros((64, 64), bool)
    inside[10:40, 12:50] = True
    path = label_png(tmp_path / "a.jpg", (inside * 255).astype(np.uint8))
    np.testing.assert_array_equal(read_labels(path)[0], inside * 255)
    grey = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    with pytest.raises(ReadError, match="JPEG, which changes label values"):
        read_labels(label_png(tmp_path / "b.jpg", grey))


def test_smoothed_borders_are_rounded_but_object_numbers_are_not(tmp_path):
    hard = np.zeros((400, 400), np.uint8)
    cv2.circle(hard, (200, 200), 120, 255, -1)
    soft = cv2.GaussianBlur(hard, (5, 5), 1)
    read = read_labels(label_png(tmp_path / "a.png", soft))[0]
    assert set(np.unique(read)) == {0, 255}
    assert (read != hard).mean() < 0.01
    many = blobs(60, 100).astype(np.uint8)
    many[many == 60] = 255
    np.testing.assert_array_equal(read_labels(label_png(tmp_path / "b.png", many))[0], many)


@pytest.mark.parametrize(
    "pictures, meaning",
    [
        ([(blobs(9, seed=s) > 0) * 255 for s in range(3)], "binary"),
        ([blobs(9) > 0], "binary"),
        ([np.zeros((60, 60), int)], "binary"),
        ([blobs(5 + 3 * s, seed=s) for s in range(5)], "instances"),
        ([blobs(9)], "instances"),
        ([blobs(70, seed=1)], "instances"),
        ([blobs(70, seed=1) * 11], "instances"),
        ([scattered(5, seed=s) for s in range(3)], "classes"),
        ([scattered(2)], "classes"),
        ([scattered(3) * 85], "classes"),
        ([blobs(3, seed=s) for s in range(4)], "classes"),
        ([blobs(7, seed=1), (blobs(9) > 0) * 255], "instances"),
    ],
)
def test_what_values_mean(pictures, meaning):
    looked = [statistics(np.asarray(p).astype(np.int64)[None]) for p in pictures]
    assert guess(looked) == meaning


def test_sample_is_spread_and_bounded():
    paths = [Path(str(n)) for n in range(1000)]
    chosen = sample(paths)
    assert len(chosen) == len(set(chosen)) == 8
    assert (chosen[0], chosen[-1]) == (paths[0], paths[-1])
    assert sample(paths[:3]) == paths[:3]


def test_pictures_that_look_like_labels(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (60, 60), dtype=np.uint8)
    assert looks_like_labels(label_png(tmp_path / "a.png", blobs(9).astype(np.uint8)))
    assert looks_like_labels(label_png(tmp_path / "b.png", ((blobs(9) > 0) * 255).astype("uint8")))
    assert not looks_like_labels(label_png(tmp_path / "c.png", noise))
    dim = cv2.GaussianBlur(noise, (9, 9), 3) // 12
    assert not looks_like_labels(label_png(tmp_path / "d.png", dim))
    assert not looks_like_labels(tmp_path / "missing.png")


@given(st.sets(st.integers(1, 0xFFFFFF), max_size=40))
def test_every_value_gets_a_class_of_its_own(values):
    mapping = default_class_ids(tuple(values))
    assert set(mapping) == values
    assert len(set(mapping.values())) == len(values)
    assert all(2 <= class_id <= 255 for class_id in mapping.values())
    assert sorted(values) == sorted(values, key=mapping.__getitem__)


def test_binary(tmp_path):
    inside = blobs(9) > 0
    path = label_png(tmp_path / "a.png", (inside * 255).astype(np.uint8))
    loaded = read_annotation(source(path))
    assert loaded.objects is None
    assert (loaded.mask.dtype, loaded.mask.shape) == (np.uint8, (1, 60, 60))
    np.testing.assert_array_equal(loaded.mask[0], inside + 1)
    np.testing.assert_array_equal(read_annotation(source(path), class_id=5).mask[0] == 5, inside)


def test_classes_by_default_by_mapping_and_unlabelled(tmp_path):
    labels = scattered(4)
    path = label_png(tmp_path / "a.png", labels)
    np.testing.assert_array_equal(read_annotation(source(path), "classes").mask[0], labels + 1)
    mapping = {0: 0, 1: 1, 2: 9, 3: 3, 4: 2}
    mapped = read_annotation(source(path), "classes", mapping).mask[0]
    np.testing.assert_array_equal(mapped, np.array([0, 1, 9, 3, 2])[labels])
    with pytest.raises(ReadError, match=re.escape("values without a class (4)")):
        read_annotation(source(path), "classes", {1: 2, 2: 3, 3: 4})


def test_class_that_the_sample_missed_gets_its_own_number(tmp_path):
    labels = scattered(6)
    path = label_png(tmp_path / "a.png", labels)
    seen = source(path, meaning="classes", values=(1, 2, 3))
    np.testing.assert_array_equal(read_annotation(seen).mask[0], labels + 1)
    coded = label_png(tmp_path / "b.png", labels * 40)
    with pytest.raises(ReadError, match="without a class"):
        read_annotation(source(coded, meaning="classes", values=(40, 80)))


def test_grey_coded_classes_are_numbered_in_order_over_the_set(tmp_path):
    labels = scattered(2)
    path = label_png(tmp_path / "a.png", (labels * 120).astype(np.uint8))
    loaded = read_annotation(source(path, meaning="classes", values=(60, 120, 240)))
    np.testing.assert_array_equal(loaded.mask[0], np.array([1, 3, 4])[labels])


def test_negative_values_are_unlabelled(tmp_path):
    labels = blobs(9).astype(np.int16)
    labels[:, :5] = -1
    for meaning in ("classes", "instances", "binary"):
        path = label_tif(tmp_path / "a.tif", labels)
        loaded = read_annotation(source(path), meaning)
        np.testing.assert_array_equal(loaded.mask[0] == 0, labels < 0)
        np.testing.assert_array_equal(loaded.mask[0] == 1, labels == 0)


def test_instances(tmp_path):
    labels = blobs(30)
    loaded = read_annotation(source(label_tif(tmp_path / "a.tif", labels)), class_id=3)
    assert loaded.objects is not None
    assert loaded.objects.dtype == np.uint32
    np.testing.assert_array_equal(loaded.objects[0], labels)
    np.testing.assert_array_equal(loaded.mask[0], np.where(labels > 0, 3, 1))


def test_one_mask_for_each_object_with_overlap(tmp_path):
    first, second = np.zeros((2, 20, 30), np.uint8)
    first[2:10, 2:10] = second[8:15, 8:20] = 255
    paths = [label_png(tmp_path / f"{n}.png", m) for n, m in enumerate((first, second))]
    loaded = read_annotation(source(*paths, format="mask_folder"))
    assert loaded.objects is not None
    np.testing.assert_array_equal(loaded.objects[0] == 1, first > 0)
    np.testing.assert_array_equal(loaded.objects[0] == 2, (second > 0) & (first == 0))
    np.testing.assert_array_equal(loaded.mask[0] == 2, (first > 0) | (second > 0))
    assert loaded.notes == ("Masks of objects overlap in 4 pixels; the first object kept them.",)
    assert read_annotation(source(*paths, format="mask_folder"), "binary").objects is None
    label_png(tmp_path / "1.png", second[:10])
    with pytest.raises(ReadError, match=r"30 × 10 pixels.*30 × 20 pixels"):
        read_annotation(source(*paths, format="mask_folder"))


def test_one_mask_for_each_class_the_small_one_on_top(tmp_path):
    large, small = np.zeros((2, 20, 30), np.uint8)
    large[2:18, 2:25], small[5:8, 5:8] = 255, 255
    paths = [label_png(tmp_path / f"{n}.png", m) for n, m in enumerate((small, large))]
    loaded = read_annotation(
        source(*paths, format="class_folders", class_names=("b", "x", "c"), path_values=(1, 3))
    )
    expected = np.where(small > 0, 2, np.where(large > 0, 4, 1))
    np.testing.assert_array_equal(loaded.mask[0], expected)


def test_a_meaning_that_does_not_exist(tmp_path):
    with pytest.raises(ValueError, match="binary, classes, instances"):
        read_annotation(source(tmp_path / "a.png"), "colours")
