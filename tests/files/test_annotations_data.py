"""Real data sets: every folder gives a sensible plan, and the annotations come out right."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from orgseg_app.files.annotations.loading import load_item, read_annotation
from orgseg_app.files.annotations.plan import plan_import
from orgseg_app.files.readers.registry import has_image_name, read_images

pytestmark = [pytest.mark.data, pytest.mark.usefixtures("one_reading_child")]


@pytest.mark.parametrize(
    "folder, kind, images, annotated, meaning",
    [
        ("nuclei_dsb2018", "folder pairs", 27, 27, "instances"),
        ("nuclei_dsb2018/native_layout", "one mask per object", 3, 3, "instances"),
        ("nuclei_bbbc007", "folder pairs", 9, 9, "instances"),
        ("em_multiclass_epfl6", "folder pairs", 15, 15, "classes"),
        ("em_multiclass_platelet", "folder pairs", 1, 1, "classes"),
        ("em_membrane_isbi2012", "folder pairs", 20, 20, "binary"),
        ("em_volume_flyem", "label images beside", 1, 1, "instances"),
        ("er_fluo_ernet", "folder pairs", 20, 20, "binary"),
        ("er_fluo_ernet/tiles_256", "folder pairs", 18, 18, "binary"),
        ("mito_fluo_yeast", "folder pairs", 14, 13, "binary"),
        ("phase_usiigaci", "folder pairs", 10, 10, "instances"),
        ("dic_cho_bbbc030", "outlines", 8, 8, "instances"),
        ("dic_embryo_bbbc003", "folder pairs", 6, 6, "binary"),
        ("dic_rbc_bbbc009", "outlines", 3, 3, "instances"),
        ("rbc_boxes_bccd", "BBBC041 boxes", 20, 20, "classes"),
        ("sparse_annotations", "folder pairs", 5, 5, "instances"),
        ("annotation_formats", "folder pairs", 1, 1, "instances"),
        ("volumes_3d_light", "labels in the same file", 4, 4, "instances"),
        ("vendor_formats/pairs", "label images beside", 2, 2, "instances"),
    ],
)
def test_each_data_set_gives_a_plan(shared_data, folder, kind, images, annotated, meaning):
    plan = plan_import([shared_data / folder])
    assert (plan.kind, len(plan.items)) == (kind, images)
    assert sum(item.annotation is not None for item in plan.items) == annotated
    assert plan.guess_meaning() == meaning or not annotated
    assert (plan.problems, plan.unmatched) == ([], [])
    assert len({item.name for item in plan.items}) == images
    loaded = load_item(next((i for i in plan.items if i.annotation), plan.items[0]))
    for item in loaded:
        pixels = item.image.read()
        assert (pixels.shape, pixels.dtype) == (item.image.shape, item.image.dtype)
        if item.annotation:
            assert item.annotation.mask.shape == pixels.shape[1:]
            assert item.annotation.mask.min() >= 1


def test_copies_within_the_nuclei_set_are_marked(shared_data):
    plan = plan_import([shared_data / "nuclei_dsb2018"])
    assert sum(item.duplicate_of is not None for item in plan.items) == 3


def test_nuclei_are_the_same_as_label_images_and_as_one_mask_each(shared_data):
    root = shared_data / "nuclei_dsb2018"
    labels = {i.name: i for i in plan_import([root / "images"], [root / "labels"]).items}
    assert len(labels) == 24
    for item in plan_import([root / "native_layout"]).items:
        (native,) = load_item(item)
        (packed,) = load_item(labels[item.name[:12]])
        np.testing.assert_array_equal(native.image.read(), packed.image.read())
        assert native.annotation is not None
        assert packed.annotation is not None
        assert native.annotation.objects is not None
        assert packed.annotation.objects is not None
        np.testing.assert_array_equal(native.annotation.mask, packed.annotation.mask)
        pairs = set(
            zip(native.annotation.objects.flat, packed.annotation.objects.flat, strict=True)
        )
        assert len(pairs) == int(native.annotation.objects.max()) + 1


def test_object_counts_of_the_manifest(shared_data):
    with (shared_data / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        rows = [r for r in csv.DictReader(stream) if r["objects"].isdigit()]
    sets = ("nuclei_dsb2018", "nuclei_bbbc007", "phase_usiigaci")
    rows = [r for r in rows if r["annotation_kind"] == "instance" and r["dataset"] in sets]
    checked = 0
    for row in rows:
        image, label = shared_data / row["image"], shared_data / row["annotation"]
        if not (label.is_file() and has_image_name(label) and has_image_name(image)):
            continue
        item = plan_import([image], [label]).items[0]
        assert item.problem is None
        assert item.annotation is not None
        objects = read_annotation(item.annotation, "instances").objects
        assert objects is not None
        assert len(np.unique(objects[objects > 0])) == int(row["objects"]), row
        checked += 1
    assert checked >= 24


@pytest.mark.parametrize(
    "annotation, is_instances",
    [
        ("instance_label_tif", True),
        ("instance_label_png16", True),
        ("indexed_palette_png", True),
        ("rgb_colour_label_png", True),
        ("mask_per_object", True),
        ("binary_mask_png", False),
    ],
)
def test_the_same_cells_in_every_format(shared_data, annotation, is_instances):
    root = shared_data / "annotation_formats"
    expected = json.loads((root / "expected.json").read_text(encoding="utf-8"))
    reference = read_images(root / "instance_label_tif/cells.tif")[0].read()[0]
    (item,) = plan_import([root / "cells.png"], [root / annotation]).items
    (loaded,) = load_item(item)
    assert loaded.annotation is not None
    np.testing.assert_array_equal(loaded.annotation.mask > 1, reference > 0)
    objects = loaded.annotation.objects
    assert (objects is not None) == is_instances
    if objects is not None:
        assert len(np.unique(objects)) - 1 == 17
        assert str(17) in json.dumps(expected)
        pairs = set(zip(objects.flat, reference.flat, strict=True))
        assert len(pairs) == 18


def test_six_classes_as_labels_and_as_class_folders(shared_data):
    root = shared_data / "em_multiclass_epfl6"
    labels = plan_import([root / "images"], [root / "labels"])
    folders = plan_import([root / "images"], [root / "class_masks"])
    assert folders.class_names == (
        "axon", "membranes", "mitochondrial_boundaries", "mitochondrion", "PSD", "vesicles",
    )  # fmt: skip
    # Values of labels/ in the order of the folders: 6, 1, 3, 2, 4, 5.
    to_label = {1: 7, 2: 2, 3: 4, 4: 3, 5: 5, 6: 6}
    for by_label, by_folder in list(zip(labels.items, folders.items, strict=True))[:3]:
        (one,) = load_item(by_label)
        (other,) = load_item(by_folder, class_ids=to_label)
        assert one.annotation is not None
        assert other.annotation is not None
        assert not one.image.is_rgb  # five of them are stored as colour with equal channels
        assert set(np.unique(one.annotation.mask)) == set(np.unique(other.annotation.mask))
        assert (one.annotation.mask == other.annotation.mask).mean() > 0.97


def test_colour_coded_platelet_equals_its_class_indices(shared_data):
    root = shared_data / "em_multiclass_platelet"
    (item,) = plan_import([root / "images"], [root / "colour_labels"]).items
    assert item.annotation is not None
    colours = (0x01_01_E0, 0x01_AB_FE, 0x01_FE_01, 0xFF_E0_00, 0xFA_5E_00, 0xF5_00_CB)
    assert item.annotation.values == tuple(sorted(colours))
    (loaded,) = load_item(item, class_ids={c: n + 2 for n, c in enumerate(colours)})
    (plain,) = load_item(plan_import([root / "images"], [root / "labels"]).items[0])
    assert loaded.annotation is not None
    assert plain.annotation is not None
    assert (loaded.annotation.mask == plain.annotation.mask).mean() > 0.999


def test_one_bit_embryo_masks_are_the_embryo_and_not_its_surroundings(shared_data):
    for item in plan_import([shared_data / "dic_embryo_bbbc003"]).items:
        (loaded,) = load_item(item)
        assert loaded.annotation is not None
        assert 0.05 < (loaded.annotation.mask == 2).mean() < 0.12
