"""Broken and hostile JSON, XML and text: one sentence each, quickly, and nothing comes of it."""

from __future__ import annotations

import base64
import json
import struct
import time
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgseg_app.files.errors import ReadError
from orgseg_app.files.object_files import bbbc041, coco, cvat, labelme, limited_json, voc, yolo
from orgseg_app.files.object_files.format import ObjectImage
from orgseg_app.files.object_files.limited_json import read_json
from orgseg_app.files.object_files.limited_xml import read_xml
from orgseg_app.files.object_files.reading import look_here
from orgseg_app.files.png import encode_png

FORMATS = {f.name: f for f in (m.FORMAT for m in (coco, labelme, bbbc041, yolo, voc, cvat))}
SHAPE = (1, 6, 8)


def refused(path, format_, key="", shape=SHAPE):
    """The sentence a file is refused with, by its contents or when it is read."""
    start = time.process_time()
    with pytest.raises(ReadError) as found:
        FORMATS[format_].contents(path)
        FORMATS[format_].read(path, key, shape)
    assert time.process_time() - start < 5
    sentence = str(found.value)
    assert path.name in sentence
    assert "\n" not in sentence
    assert 40 < len(sentence) < 500
    return sentence


def coco_text(annotation, image='{"id": 1, "file_name": "a.png", "width": 8, "height": 6}'):
    annotated = f'{{"id": 1, "image_id": 1, {annotation}}}'
    return f'{{"images": [{image}], "annotations": [{annotated}]}}'


COCO = {
    "cut short": ('{"images": [{"id": 1, "file_na', "not complete"),
    "not a number": (coco_text('"segmentation": [[NaN, 1, 2, 2, 3, 3]]'), "not complete"),
    "infinite": (coco_text('"segmentation": [[1e999, 1, 2, 2, 3, 3]]'), ""),
    "far": (coco_text('"segmentation": [[1e200, 1, 2, 2, 3, 3]]'), "impossibly large"),
    "text among numbers": (
        coco_text('"segmentation": [["x", 1, 2, 2, 3, 3]]'),
        "should be numbers",
    ),
    "odd": (coco_text('"segmentation": [[1, 1, 2, 2, 3]]'), "each point has two"),
    "no list": (coco_text('"segmentation": "polygon"'), "the box of object 1"),
    "too many pixels": (
        coco_text('"segmentation": {"size": [6, 8], "counts": [0, 1000000000000]}'),
        "longer than the image",
    ),
    "wrong sum": (
        coco_text('"segmentation": {"size": [6, 8], "counts": [3, 4]}'),
        "cover 7 pixels, but the image has 48",
    ),
    "below 0": (
        coco_text('"segmentation": {"size": [6, 8], "counts": [50, -2]}'),
        "below 0 or longer",
    ),
    "fractions": (
        coco_text('"segmentation": {"size": [6, 8], "counts": [1.5, 46.5]}'),
        "no whole numbers",
    ),
    "other size": (
        coco_text('"segmentation": {"size": [100000, 100000], "counts": [10000000000]}'),
        "another size",
    ),
    "bad characters": (
        coco_text('"segmentation": {"size": [6, 8], "counts": "~~~"}'),
        "impossible character",
    ),
    "endless": (
        coco_text('"segmentation": {"size": [6, 8], "counts": "%s"}' % ("o" * 5000)),
        "cut short",
    ),
    "box backwards": (coco_text('"bbox": [5, 5, -3, 2]'), "left, top, width and height"),
    "huge image": (
        coco_text('"bbox": [1, 1, 1, 1]', '{"id": 1, "width": 99999999, "height": 99999999}'),
        "whole number from 0",
    ),
    "twice": (
        coco_text('"bbox": [1, 1, 1, 1]', '{"id": 1, "width": 8, "height": 6}, {"id": 1}'),
        "the id 1",
    ),
    "true": (coco_text('"bbox": [true, 1, 1, 1]'), "should be numbers"),
    "images are text": ('{"images": "x", "annotations": []}', "should be a list"),
    "deep": ('{"images": ' + "[" * 100_000, "nested too deeply"),
    "deep and whole": ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
    "huge number": ('{"images": [], "annotations": [%s]}' % ("9" * 50_000), ""),
}


@pytest.mark.parametrize("name", COCO)
def test_coco(name, tmp_path):
    text, why = COCO[name]
    path = tmp_path / "a.json"
    path.write_text(text)
    sentence = refused(path, "coco", "1")
    assert "cannot be read as COCO annotations: " in sentence
    assert why in sentence


def test_an_unknown_image_is_refused(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(coco_text('"bbox": [1, 1, 1, 1]'))
    for key in ("2", "", "../1"):
        assert "no such image" in refused(path, "coco", key)
    path.write_text('[{"image": {"pathname": "/images/a.png"}, "objects": []}]')
    for key in ("0", "2", "x", "00000000000000001", "-1"):
        assert "no such image" in refused(path, "bbbc041", key)


def test_size_is_asked_before_anything_is_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text("[" + "[]," * 2_000 + "[]]")
    monkeypatch.setattr(limited_json, "MAX_CONTAINERS", 1_000)
    assert "more values than any annotation" in refused(path, "coco")
    monkeypatch.setattr(limited_json, "MAX_CONTAINERS", 10_000)
    monkeypatch.setattr(limited_json, "MAX_VALUES", 1_000)
    assert "more values than any annotation" in refused(path, "labelme")
    with pytest.raises(ReadError, match="larger than 0 MB.*Split it"):
        read_json(path, "COCO annotations", most_bytes=100)


def labelme_text(**shape):
    said = {"label": "a", "points": [[0, 0], [2, 1]], **shape}
    return json.dumps({"shapes": [said], "imagePath": "a.png", "imageHeight": 6, "imageWidth": 8})


def png_bomb(side):
    """A small file that claims to be a picture of so many pixels a side."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(10_000))), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n"
    for kind, content in parts:
        data += struct.pack(">I", len(content)) + kind + content
        data += struct.pack(">I", zlib.crc32(kind + content))
    return base64.b64encode(data).decode()


GOOD = base64.b64encode(encode_png(np.ones((2, 3), np.uint8))).decode()
LABELME = {
    "circle of three": ({"shape_type": "circle", "points": [[1, 1]] * 3}, "a circle has two"),
    "endless circle": ({"shape_type": "circle", "points": [[1, 1], [1e300, 1]]}, "impossible"),
    "points of one": ({"points": [[1]]}, "points of two numbers"),
    "no points": ({"points": None}, "should be a list, but is missing"),
    "mask without picture": ({"shape_type": "mask"}, "should be a text, but is missing"),
    "mask bomb": ({"shape_type": "mask", "mask": png_bomb(60_000)}, "no PNG of 3 × 2 pixels"),
    "mask of fewer pixels": ({"shape_type": "mask", "mask": png_bomb(3)}, "no PNG of 3 × 2"),
    "mask cut": ({"shape_type": "mask", "mask": GOOD[:60]}, "damaged mask"),
    "mask of no base64": ({"shape_type": "mask", "mask": "§§§"}, "damaged mask"),
    "mask beside": (
        {"shape_type": "mask", "mask": GOOD, "points": [[6, 5], [8, 6]]},
        "does not lie in the image",
    ),
    "long mask": ({"shape_type": "mask", "mask": "A" * 1_000_000}, "1,000,000 characters"),
    "long label": ({"label": "A" * 1_000_000}, "1,000,000 characters"),
    "label of a list": ({"label": [1]}, "should be a text"),
}


@pytest.mark.parametrize("name", LABELME)
def test_labelme(name, tmp_path):
    shape, why = LABELME[name]
    path = tmp_path / "a.json"
    path.write_text(labelme_text(**shape))
    assert why in refused(path, "labelme")


def test_labelme_image_data_is_passed_over(tmp_path):
    path = tmp_path / "a.json"
    content = json.loads(labelme_text(points=[[1, 1], [3, 1], [3, 3], [1, 3]]))
    path.write_text(json.dumps({**content, "imageData": png_bomb(60_000)}))
    assert (labelme.read(path, "", SHAPE).objects == 1).sum() == 4


def bomb(name):
    levels = "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' if n else '<!ENTITY a0 "lol">' for n in range(9)
    )
    return f"<!DOCTYPE {name} [{levels}]><{name}><filename>&a8;</filename></{name}>"


def xml_of_voc(box="<xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax>", size="8"):
    return (
        f"<annotation><filename>a.png</filename><size><width>{size}</width><height>6</height>"
        f"</size><object><name>a</name><bndbox>{box}</bndbox></object></annotation>"
    )


SECRET = '<!DOCTYPE annotation [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
VOC = {
    "entities": (bomb("annotation"), "document type"),
    "file": (SECRET + xml_of_voc().replace("a.png", "&x;"), "document type"),
    "doctype alone": ("<!DOCTYPE annotation>" + xml_of_voc(), "document type"),
    "cut short": (xml_of_voc()[:-30], "not complete"),
    "deep": ("<annotation>" + "<a>" * 100_000, "deeper"),
    "other": ("<html></html>", "not “annotation”"),
    "no box": ("<annotation><object><name>a</name></object></annotation>", "is missing"),
    "no number": (xml_of_voc("<xmin>x</xmin>"), "“x” where a number"),
    "not a number": (xml_of_voc("<xmin>nan</xmin>"), "where a number"),
    "far": (xml_of_voc("<xmin>1e300</xmin>"), "where a number"),
    "backwards": (
        xml_of_voc("<xmin>5</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax>"),
        "ends before it begins",
    ),
    "huge": (xml_of_voc(size="99999999"), "whole number"),
    "other size": (xml_of_voc(size="9"), "9 × 6 pixels, but this one has 8 × 6"),
    "long": (xml_of_voc().replace("a.png", "a" * 100_000), "100,000 characters"),
}


@pytest.mark.parametrize("name", VOC)
def test_voc(name, tmp_path):
    text, why = VOC[name]
    path = tmp_path / "a.xml"
    path.write_text(text)
    assert why in refused(path, "voc")


def test_entities_in_another_encoding_are_seen_too(tmp_path):
    path = tmp_path / "a.xml"
    path.write_bytes(bomb("annotation").encode("utf-16"))
    with pytest.raises(ReadError, match="document type"):
        read_xml(path, "boxes")


def cvat_text(shape):
    return (
        '<annotations><version>1.1</version><image id="1" name="a.png" width="8" height="6">'
        f'<{shape} label="a"/></image></annotations>'
    )


CVAT = {
    "entities": (bomb("annotations"), "document type"),
    "video": ("<annotations><version>1.1</version><track/></annotations>", "through a video"),
    "mask too large": (
        cvat_text('mask left="0" top="0" width="9" height="1" rle="0, 9"'),
        "does not lie in the image",
    ),
    "mask below 0": (
        cvat_text('mask left="3" top="3" width="-2" height="-2" rle="0, 4"'),
        "below 0",
    ),
    "mask of other sum": (
        cvat_text('mask left="0" top="0" width="2" height="2" rle="0, 1000000000"'),
        "longer than the image",
    ),
    "mask of words": (
        cvat_text('mask left="0" top="0" width="2" height="2" rle="all"'),
        "where numbers should be",
    ),
    "odd": (cvat_text('polygon points="1,2;3"'), "without a second coordinate"),
    "nan": (cvat_text('polygon points="1,2;nan,3;4,4"'), "not finite"),
    "several": (cvat_text('box xtl="1,2" ytl="1" xbr="2" ybr="2"'), "several numbers"),
}


@pytest.mark.parametrize("name", CVAT)
def test_cvat(name, tmp_path):
    text, why = CVAT[name]
    path = tmp_path / "a.xml"
    path.write_text(text)
    assert why in refused(path, "cvat", "1")


YOLO = {
    "beyond": ("0 0.1 0.1 0.5 0.5 7 0.5\n", "not from 0 to 1"),
    "nan": ("0 0.1 0.1 0.5 0.5 nan 0.5\n", "not from 0 to 1"),
    "words": ("0 0.1 0.1 0.5 0.5 a 0.5\n", "something else than numbers"),
    "class of a word": ("cell 0.1 0.1 0.5 0.5\n", "“cell”"),
    "class of a million": ("1000000 0.1 0.1 0.5 0.5\n", "“1000000”"),
    "too few": ("0 0.1 0.1 0.5\n", "too few numbers"),
    "binary": ("0 0.1 0.1 0.5 0.5\n\u00e9", "no plain text"),
}


@pytest.mark.parametrize("name", YOLO)
def test_yolo(name, tmp_path):
    text, why = YOLO[name]
    path = tmp_path / "a.txt"
    path.write_text("0 0.1 0.1 0.5 0.5\n" + text, encoding="utf-8")
    assert why in refused(path, "yolo")


BBBC041 = {
    "no list": ('{"image": 1}', "should be a list"),
    "no box": ('[{"image": {"pathname": "a"}, "objects": [{"category": "a"}]}]', "missing"),
    "no path": ('[{"image": {}, "objects": []}]', "path name of image 1"),
    "backwards": (
        '[{"image": {"pathname": "a"}, "objects": [{"bounding_box": {"minimum": {"r": 4, "c": 4},'
        ' "maximum": {"r": 1, "c": 1}}}]}]',
        "ends before it begins",
    ),
    "far": (
        '[{"image": {"pathname": "a"}, "objects": [{"bounding_box": {"minimum": {"r": 4, "c": 4},'
        ' "maximum": {"r": 1e999, "c": 1}}}]}]',
        "",
    ),
}


@pytest.mark.parametrize("name", BBBC041)
def test_bbbc041(name, tmp_path):
    text, why = BBBC041[name]
    path = tmp_path / "a.json"
    path.write_text(text)
    assert why in refused(path, "bbbc041", "1")


def small_file(folder, format_):
    objects = np.arange(12, dtype=np.uint32).reshape(1, 3, 4) // 5
    target = folder / f"a{format_.suffixes[0]}"
    return format_.write(folder if format_.written == "each" else target,
                         [ObjectImage("a.png", objects)], ())[-1]  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_with_a_sentence(name, data, tmp_path):
    format_ = FORMATS[name]
    path = small_file(tmp_path, format_)
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    new = data.draw(
        st.sampled_from([b"", b"-", b"9" * 30, b"[", b"{}", b'"', b"null", b"<", b"e9"])
    )
    path.write_bytes(whole[:at] + new + whole[at + data.draw(st.integers(0, 3)) :])
    try:
        known = look_here(path)
        for image in known.contents.images if known else ():
            read = format_.read(path, image.key, (1, 3, 4))
            assert read.objects is None or read.objects.shape == (1, 3, 4)
    except ReadError as error:
        assert path.name in str(error)
