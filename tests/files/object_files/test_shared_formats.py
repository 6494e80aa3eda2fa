"""The same 17 cells, and the same 20 blood smears, in the formats of other programs."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from orgseg_app.files.object_files.reading import look_here, read_here

pytestmark = pytest.mark.data


@pytest.mark.parametrize(
    "name, format_, is_exact",
    [
        ("coco_rle_uncompressed.json", "coco", True),
        ("coco_polygons.json", "coco", False),
        ("labelme.json", "labelme", False),
        ("yolo_segmentation.txt", "yolo", False),
    ],
)
def test_seventeen_cells(name, format_, is_exact, shared_data):
    folder = shared_data / "annotation_formats"
    truth = tifffile.imread(folder / "instance_label_tif" / "cells.tif")
    areas = json.loads((folder / "expected.json").read_text())["areas"]
    known = look_here(folder / name)
    (image,) = known.contents.images
    assert (known.format, image.objects) == (format_, len(areas))
    read = read_here(folder / name, known.format, image.key, (1, *truth.shape))
    found = read.objects[0]
    assert sorted(read.classes) == list(range(1, 18))
    if is_exact:
        assert np.array_equal(found, truth)
        assert np.bincount(found.ravel())[1:].tolist() == areas
    for number in range(1, 18):
        one, other = found == number, truth == number
        assert (one & other).sum() >= 0.95 * (one | other).sum(), number


def test_twenty_blood_smears_as_boxes(shared_data):
    folder = shared_data / "rbc_boxes_bccd"
    coco, bbbc = folder / "coco_boxes.json", folder / "bbbc041_layout.json"
    known, same = look_here(coco), look_here(bbbc)
    assert (known.format, same.format) == ("coco", "bbbc041")
    assert known.contents.class_names == ("RBC", "WBC", "Platelets")
    names = {"RBC": "red blood cell", "WBC": "leukocyte", "Platelets": "platelet"}
    total = 0
    for image, other in zip(known.contents.images, same.contents.images, strict=True):
        assert image.image_name == other.image_name
        shape = (1, image.height, image.width)
        first = read_here(coco, "coco", image.key, shape)
        second = read_here(bbbc, "bbbc041", other.key, shape)
        assert first.boxes == second.boxes
        assert {n: names[c] for n, c in first.classes.items()} == second.classes
        xml = (folder / "voc_xml" / image.image_name).with_suffix(".xml")
        voc = look_here(xml)
        assert (voc.format, voc.contents.images[0].image_name) == ("voc", image.image_name)
        third = read_here(xml, "voc", "", shape)
        assert third.classes == first.classes
        # VOC counts from 1 and to the last pixel; the other two were made without regard to it
        for one, exact in zip(first.boxes, third.boxes, strict=True):
            assert (one.y0, one.x0) == (exact.y0 + 1, exact.x0 + 1)
            assert (one.y1, one.x1) == (exact.y1, exact.x1)
        total += len(first.boxes)
    assert total == sum(image.objects for image in known.contents.images) > 200
