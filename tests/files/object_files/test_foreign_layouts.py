"""What other programs write in COCO, LabelMe, YOLO, Pascal VOC, CVAT and BBBC041."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pytest

from orgseg_app.core.shapes.coco_runs import counts_of, text_of
from orgseg_app.files.object_files.reading import look_here, read_here
from orgseg_app.files.object_files.yolo_names import class_names_beside, names_in_yaml
from orgseg_app.files.png import encode_png

SHAPE = (1, 6, 8)
SQUARE = [1, 1, 4, 1, 4, 5, 1, 5]  # x from 1 to 4, y from 1 to 5
IMAGES = [{"id": 7, "file_name": "C:\\in\\a.png", "height": 6, "width": 8}]


def opened(path: Path, content, shape=SHAPE):
    """Format, contents and objects of a file with this content."""
    if not isinstance(content, str):
        content = json.dumps(content)
    path.write_text(content, encoding="utf-8")
    known = look_here(path)
    assert known is not None
    image = known.contents.images[0]
    return known.format, known.contents, read_here(path, known.format, image.key, shape)


def square(y0, x0, y1, x1, shape=SHAPE):
    plane = np.zeros(shape, np.uint32)
    plane[0, y0:y1, x0:x1] = 1
    return plane


# -- COCO ------------------------------------------------------------------------------------------


def coco_of(*annotations, **more):
    known = [{"id": n, "image_id": 7, "category_id": 3, **a} for n, a in enumerate(annotations)]
    classes = [{"id": 3, "name": "cell"}, {"id": 1, "name": "debris"}]
    return {"images": IMAGES, "categories": classes, "annotations": known, **more}


def test_coco_polygons_of_one_object_add_up(tmp_path):
    inner = [2, 2, 3, 2, 3, 3, 2, 3]
    beside = [6, 0, 8, 0, 8, 1, 6, 1]
    format_, contents, read = opened(
        tmp_path / "a.json", coco_of({"segmentation": [SQUARE, inner, beside]})
    )
    assert (format_, contents.class_names) == ("coco", ("cell", "debris"))
    assert (contents.images[0].image_name, contents.images[0].objects) == ("a.png", 1)
    assert np.array_equal(read.objects, square(1, 1, 5, 4) + square(0, 6, 1, 8))
    assert read.classes == {1: "cell"}


def test_coco_mixes_runs_polygons_and_boxes(tmp_path):
    mask = square(0, 5, 2, 8)[0] > 0
    counts = counts_of(mask)
    content = coco_of(
        {"segmentation": SQUARE, "iscrowd": 1},
        {"segmentation": {"size": [6, 8], "counts": counts.tolist()}, "iscrowd": 1},
        {"segmentation": {"size": [6, 8], "counts": text_of(counts)}, "category_id": 9},
        {"bbox": [5.5, 3, 9, 2.2], "segmentation": [], "category_id": 1},
        {"bbox": [50, 3, 9, 2]},
    )
    _, contents, read = opened(tmp_path / "a.json", content)
    assert contents.images[0].objects == 5
    assert np.array_equal(read.objects, square(1, 1, 5, 4) + 2 * square(0, 5, 2, 8))
    (box,) = read.boxes
    assert (box.number, box.y0, box.x0, box.y1, box.x1) == (4, 3, 5, 6, 8)
    assert read.classes == {1: "cell", 2: "cell", 4: "debris"}
    assert "1 box lies outside the image and did not come." in read.notes
    assert any("overlap in 6 pixels" in note for note in read.notes)
    assert any("one object each: 1." in note for note in read.notes)


def test_coco_results_name_their_images_by_id_alone(tmp_path):
    content = [
        {"image_id": "set/one.png", "category_id": 1, "segmentation": [SQUARE], "score": 0.9},
        {"image_id": 12, "category_id": 1, "bbox": [0, 0, 2, 2], "score": 0.8},
    ]
    format_, contents, read = opened(tmp_path / "results.json", content)
    assert format_ == "coco"
    assert [image.image_name for image in contents.images] == ["one.png", ""]
    assert [image.shapes for image in contents.images] == ["polygons", "boxes"]
    assert np.array_equal(read.objects, square(1, 1, 5, 4))


def test_coco_says_when_annotations_have_no_image(tmp_path):
    content = coco_of(
        {"caption": "a cell", "segmentation": []},
        {"segmentation": [SQUARE]},
        {"segmentation": [SQUARE], "image_id": 8},
    )
    _, contents, read = opened(tmp_path / "a.json", content)
    assert contents.notes == (
        "Annotations of an image that the file does not list: 1.",
        "Annotations with neither an outline nor a box: 1.",
    )
    assert contents.images[0].objects == 1
    assert np.array_equal(read.objects, square(1, 1, 5, 4))


# -- LabelMe ---------------------------------------------------------------------------------------


def labelme_of(*shapes):
    return {
        "version": "5.0.1",
        "shapes": [{"label": "cell", "group_id": None, **shape} for shape in shapes],
        "imagePath": "..\\pictures\\a.png",
        "imageData": "AAAA",
        "imageHeight": 6,
        "imageWidth": 8,
    }


def test_labelme_has_polygons_rectangles_circles_and_masks(tmp_path):
    picture = np.array([[255, 0, 255]], np.uint8)
    mask = base64.b64encode(encode_png(picture)).decode()
    content = labelme_of(
        {"shape_type": "rectangle", "points": [[3, 4], [1, 1]]},
        {"shape_type": "linestrip", "points": [[0, 0], [7, 5], [2, 2]]},
        {"shape_type": "circle", "points": [[6, 3], [7, 3]], "label": "round"},
        {"shape_type": "mask", "points": [[5, 5], [7, 5]], "mask": mask, "label": "masked"},
        {"shape_type": "rotation", "points": [[0, 5], [2, 5], [2, 6], [0, 6]]},
    )
    format_, contents, read = opened(tmp_path / "a.json", content)
    assert (format_, contents.images[0].image_name) == ("labelme", "a.png")
    assert contents.class_names == ("cell", "round", "masked")
    expected = square(1, 1, 4, 3) + 2 * square(2, 5, 4, 7) + 4 * square(5, 0, 6, 2)
    expected[0, 5, [5, 7]] = 3
    assert np.array_equal(read.objects, expected)
    assert read.classes == {1: "cell", 2: "round", 3: "masked", 4: "cell"}
    assert read.notes == ("1 point or line has no area and did not come.",)


def test_labelme_groups_are_objects_and_image_data_may_come_first(tmp_path):
    parts = [[[1, 1], [4, 1], [4, 5], [1, 5]], [[6, 0], [8, 0], [8, 1], [6, 1]]]
    content = labelme_of(
        {"points": parts[0], "group_id": 4},
        {"points": [[5, 3], [6, 3], [6, 4], [5, 4]], "group_id": 4, "label": "other"},
        {"points": parts[1], "group_id": 4},
    )
    content = {"imageData": "A" * 100_000, **content}
    content["imageData"] = "A" * 100_000
    _, contents, read = opened(tmp_path / "a.json", content)
    assert contents.images[0].objects == 2
    expected = square(1, 1, 5, 4) + square(0, 6, 1, 8) + 2 * square(3, 5, 4, 6)
    assert np.array_equal(read.objects, expected)


# -- YOLO ------------------------------------------------------------------------------------------


def test_yolo_outlines_and_boxes_with_and_without_a_score(tmp_path):
    (tmp_path / "data.yaml").write_text("path: /etc\nnames:\n  0: cell\n  2: debris\n")
    folder = tmp_path / "labels" / "train"
    folder.mkdir(parents=True)
    text = (
        "0 0.125 0.166667 0.5 0.166667 0.5 0.833333 0.125 0.833333 0.97\n\n"
        "2 0.75 0.5 0.25 0.333333\n"
        "1 0.75 0.5 0.25 0.333333 0.5\n"
    )
    format_, contents, read = opened(folder / "a.txt", text)
    assert (format_, contents.class_names) == ("yolo", ("cell", "class 1", "debris"))
    assert (contents.images[0].image_name, contents.images[0].shapes) == ("", "boxes")
    assert np.array_equal(read.objects, square(1, 1, 5, 4))
    assert [(b.number, b.y0, b.x0, b.y1, b.x1) for b in read.boxes] == [
        (2, 2, 5, 4, 7),
        (3, 2, 5, 4, 7),
    ]
    assert read.classes == {1: "cell", 2: "debris", 3: "class 1"}


@pytest.mark.parametrize(
    "text, names",
    [
        ("names: ['a b', \"c, d\", e] # three\nnc: 3", ("a b", "c, d", "e")),
        ("nc: 2\nnames:\n- x\n- 'it''s'\ntrain: y", ("x", "it's")),
        ("names: {0: cell, 2: dead}", ("cell", "", "dead")),
        ("names: [\n  one,\n  two\n]\n", ("one", "two")),
        ("names:\n  0: a # first\n  # nothing\n  1: b\nval: 3", ("a", "b")),
        ("names:\n  99999999: a", ()),
        ("names: &anchor !!python/object/apply:os.system ['x']", ()),
        ("nothing: here", ()),
    ],
)
def test_names_of_yolo_classes(text, names):
    assert names_in_yaml(text, 100) == names


def test_class_lists_are_found_up_to_two_folders_above(tmp_path):
    (tmp_path / "classes.txt").write_text("far\n")
    folder = tmp_path / "a" / "b" / "c"
    folder.mkdir(parents=True)
    assert class_names_beside(folder / "x.txt", 10) == ()
    assert class_names_beside(folder.parent / "x.txt", 10) == ("far",)
    (folder / "obj.names").write_text("near\nother\n")
    assert class_names_beside(folder / "x.txt", 10) == ("near", "other")


@pytest.mark.parametrize(
    "text",
    [
        "images/a.png masks/a.png\n",
        "1 2 3 4 5\n",  # no shares
        "0 0.1 0.2 0.3\n",
        "0 0.1 0.2 0.3 0.4 x\n0.5 0.5 0.5 0.5 0.5\n",
        "0 " + "1" * 60_000,
        "",
        "cell\nnucleus\n",
    ],
)
def test_other_text_is_no_yolo(tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    assert look_here(tmp_path / "a.txt") is None


# -- XML -------------------------------------------------------------------------------------------


def test_voc_counts_from_one(tmp_path):
    text = (
        "<annotation><filename>../up/a.jpg</filename><size><width>8</width><height>6</height>"
        "</size><object><name>RBC</name><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>8</xmax>"
        "<ymax>2</ymax></bndbox></object><object><name>WBC</name><bndbox><xmin>0</xmin>"
        "<ymin>0</ymin><xmax>3</xmax><ymax>90</ymax></bndbox></object></annotation>"
    )
    format_, contents, read = opened(tmp_path / "a.xml", text)
    assert (format_, contents.class_names) == ("voc", ("RBC", "WBC"))
    assert contents.images[0].image_name == "a.jpg"
    assert [(b.y0, b.x0, b.y1, b.x1) for b in read.boxes] == [(1, 0, 2, 8), (0, 0, 6, 3)]
    assert read.classes == {1: "RBC", 2: "WBC"}


def test_cvat_shapes(tmp_path):
    text = """<?xml version="1.0"?><annotations><version>1.1</version><meta><task><labels>
    <label><name>unused</name></label><label><name>cell</name></label></labels></task></meta>
    <image id="5" name="dir/a.png" width="8" height="6">
    <polygon label="cell" points="1,1;4,1;4,5;1,5" z_order="0" group_id="1"/>
    <polygon label="cell" points="6,0;8,0;8,1;6,1" group_id="1"/>
    <mask label="m" rle="1, 2, 1" left="5" top="3" width="2" height="2" z_order="0"/>
    <ellipse label="e" cx="2" cy="2" rx="1" ry="1" z_order="3"/>
    <box label="b" xtl="0" ytl="5" xbr="2" ybr="6"/>
    <box label="turned" xtl="5.5" ytl="4.5" xbr="7.5" ybr="5.5" rotation="90.0"/>
    <polyline label="cell" points="0,0;4,4"/></image>
    <image id="6" name="b.png" width="8" height="6"/></annotations>"""
    format_, contents, read = opened(tmp_path / "a.xml", text)
    assert (format_, contents.class_names) == ("cvat", ("unused", "cell", "m", "e", "b", "turned"))
    assert [(i.key, i.image_name, i.objects) for i in contents.images] == [
        ("5", "a.png", 5),
        ("6", "b.png", 0),
    ]
    expected = square(1, 1, 5, 4) + square(0, 6, 1, 8)
    expected[0, 1:3, 1:3] = 3  # on top
    expected[0, 3, 6] = expected[0, 4, 5] = 2
    expected[0, 4:6, 6] = 5
    assert np.array_equal(read.objects, expected)
    assert [(b.number, b.y0, b.x0, b.y1, b.x1) for b in read.boxes] == [(4, 5, 0, 6, 2)]
    assert read.classes == {1: "cell", 2: "m", 3: "e", 4: "b", 5: "turned"}
    assert "1 point or line has no area and did not come." in read.notes


# -- BBBC041 ---------------------------------------------------------------------------------------


def test_bbbc041_names_images_by_path_and_hash(tmp_path):
    box = {"minimum": {"r": 1, "c": 2}, "maximum": {"r": 3, "c": 5}}
    outside = {"minimum": {"r": 10, "c": 2}, "maximum": {"r": 13, "c": 5}}
    image = {
        "checksum": "676bb8e86fc2dbf05dd97d51a64ac0af",
        "pathname": "/images/8d02117d.png",
        "shape": {"r": 6, "c": 8, "channels": 3},
    }
    content = [
        {
            "image": image,
            "objects": [
                {"bounding_box": outside, "category": "ring"},
                {"bounding_box": box, "category": "red blood cell"},
            ],
        }
    ]
    format_, contents, read = opened(tmp_path / "training.json", content)
    assert format_ == "bbbc041"
    assert contents.class_names == ("ring", "red blood cell")
    (known,) = contents.images
    assert (known.image_name, known.content_hash) == ("8d02117d.png", image["checksum"])
    (found,) = read.boxes
    assert (found.number, found.y0, found.x0, found.y1, found.x1) == (2, 1, 2, 3, 5)
    assert read.classes == {2: "red blood cell"}
    assert read.notes == ("1 box lies outside the image and did not come.",)
