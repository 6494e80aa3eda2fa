"""Tables of run lengths: read as they are meant, written as wanted, refused when broken."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from orgseg_app.core.shapes.run_lengths import CODINGS, Coding, runs_by_object, text_of
from orgseg_app.files.annotations.loading import load_item
from orgseg_app.files.annotations.plan import plan_import
from orgseg_app.files.errors import FileError, ReadError
from orgseg_app.files.object_files import run_length_csv, run_length_table
from orgseg_app.files.object_files.format import HEAD_BYTES, ObjectFormat, ObjectImage
from orgseg_app.files.object_files.reading import look_here

FORMATS = {format_.name: format_ for format_ in run_length_csv.FORMATS}


def table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def known(path: Path) -> ObjectFormat:
    """The format a file is told to be."""
    found = look_here(path)
    assert found is not None
    return FORMATS[found.format]


def discs(seed: int, shape: tuple[int, int] = (50, 70), count: int = 9) -> np.ndarray:
    rng = np.random.default_rng(seed)
    objects = np.zeros((1, *shape), np.uint32)
    y, x = np.ogrid[: shape[0], : shape[1]]
    for number in range(1, count + 1):
        at = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        objects[0][((y - at[0]) ** 2 + (x - at[1]) ** 2 < 30) & (objects[0] == 0)] = number
    return objects


def numbered(objects: np.ndarray) -> np.ndarray:
    """The same objects as 1… in the order of their numbers, as a file gives them back."""
    return np.unique(np.append(objects, 0), return_inverse=True)[1][:-1].reshape(objects.shape)


@settings(max_examples=25, deadline=None)
@given(
    objects=hnp.arrays(np.uint32, (1, 5, 7), elements=st.integers(0, 4)),
    name=st.sampled_from(sorted(FORMATS)),
)
def test_what_is_written_is_read_back_pixel_by_pixel(tmp_path_factory, objects, name):
    path = tmp_path_factory.mktemp("tables") / "table.csv"
    objects[0, 0, 0] = objects[0, 4, 6] = 5  # the first pixel and the last
    classes = dict.fromkeys(range(1, 6), "astro")
    format_ = FORMATS[name]
    assert format_.write is not None
    assert format_.write(path, [ObjectImage("a b.png", objects, classes)], ["astro"]) == [path]
    assert known(path) is format_
    contents = format_.contents(path)
    (image,) = contents.images
    assert image.objects == len(np.unique(objects[objects > 0]))
    assert image.image_name in ("a b", "a b.png")
    read = format_.read(path, image.key, (1, 5, 7))
    assert np.array_equal(read.objects, numbered(objects))
    has_classes = name in ("sartorius_csv", "cells_csv")
    assert set(read.classes.values()) == ({"astro"} if has_classes else set())


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("header", ["id,annotation,width,height", "ImageId,EncodedPixels"])
def test_a_table_that_counts_in_another_way_is_read_as_it_counts(tmp_path, coding, header):
    truth = {f"cell{n}": discs(n, count=25) for n in range(4)}
    size = ",70,50" if "width" in header else ""
    rows = [
        f"{name},{text_of(runs)}{size}"
        for name, objects in truth.items()
        for runs in runs_by_object(objects[0], coding).values()
    ]
    path = table(tmp_path / "odd.csv", header, *rows)
    format_ = known(path)
    notes = list(format_.contents(path).notes)
    for name, objects in truth.items():
        read = format_.read(path, name, (1, 50, 70))
        assert np.array_equal(read.objects, numbered(objects))
        notes += read.notes
    usual = Coding("rows", 1) if size else Coding("columns", 1)
    assert bool(notes) == (coding != usual)


def test_names_sizes_and_classes_of_the_unified_table(tmp_path):
    path = table(
        tmp_path / "all.csv",
        "name,label,width,height,cell_type,image_path,bit_depth,image_format,channels",
        'one,"[0, 2, 6, 2]",6,4,cho,C:\\data\\one.png,8,png,1',
        'one,"[23, 1]",6,4,rbc,C:\\data\\one.png,8,png,1',
        '"two, too","[1, 3]",4,4,cho,/other/two.tif,8,tif,1',
    )
    format_ = known(path)
    contents = format_.contents(path)
    assert [(i.key, i.image_name, i.height, i.width, i.objects) for i in contents.images] == [
        ("one", "one.png", 4, 6, 2),
        ("two, too", "two.tif", 4, 4, 1),
    ]
    assert contents.class_names == ("cho", "rbc")
    read = format_.read(path, "one", (1, 4, 6))
    assert read.objects is not None
    assert read.objects[0].tolist() == [[1, 1, 0, 0, 0, 0]] * 2 + [[0] * 6, [0, 0, 0, 0, 0, 2]]
    assert read.classes == {1: "cho", 2: "rbc"}


def test_overlaps_and_images_without_objects(tmp_path):
    path = table(
        tmp_path / "s.csv", "id,annotation,width,height", "a,1 4,6,4", "a,3 4,6,4", "b,,6,4"
    )
    format_ = known(path)
    assert [(i.key, i.objects) for i in format_.contents(path).images] == [("a", 2), ("b", 0)]
    read = format_.read(path, "a", (1, 4, 6))
    assert read.objects is not None
    assert read.objects[0, 0].tolist() == [1, 1, 1, 1, 2, 2]
    assert read.notes == ("Objects overlap in 2 pixels; the earlier object kept them.",)
    empty = format_.read(path, "b", (1, 4, 6)).objects
    assert empty is not None
    assert not empty.any()


def test_other_separators_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "excel.csv"
    path.write_bytes("\ufeffImageId;EncodedPixels\r\nx.png;1 2\r\nx.png;5 1\r\n".encode())
    format_ = known(path)
    read = format_.read(path, "x.png", (1, 2, 3))
    assert read.objects is not None
    assert read.objects[0].tolist() == [[1, 0, 2], [1, 0, 0]]


def test_the_last_line_may_lack_its_end_and_rows_may_be_mixed(tmp_path):
    path = tmp_path / "mixed.csv"
    path.write_text("ImageId,EncodedPixels\na,1 1\nb,2 1\n\na,3 1")
    read = known(path).read(path, "a", (1, 1, 4))
    assert read.objects is not None
    assert read.objects[0].tolist() == [[1, 0, 2, 0]]


def test_a_submission_has_no_overlaps_and_a_row_for_each_image(tmp_path):
    images = [ObjectImage("a.png", discs(1)), ObjectImage("b.png", np.zeros((1, 9, 9), np.uint32))]
    path = tmp_path / "submission.csv"
    write = run_length_csv.SUBMISSION_FORMAT.write
    assert write is not None
    write(path, images, [])
    rows = path.read_text().splitlines()
    assert rows[0] == "id,predicted"
    assert rows[-1] == "b,"
    taken: set[int] = set()
    for row in rows[1:-1]:
        numbers = list(map(int, row.split(",")[1].split()))
        for start, length in zip(numbers[::2], numbers[1::2], strict=True):
            own = set(range(start, start + length))
            assert not own & taken
            taken |= own
    assert len(taken) == int((images[0].objects > 0).sum())


def test_a_volume_is_not_written(tmp_path):
    write = run_length_csv.DSB2018_FORMAT.write
    assert write is not None
    target = tmp_path / "t.csv"
    with pytest.raises(FileError, match="planes"):
        write(target, [ObjectImage("v.tif", np.ones((3, 4, 4), np.uint32))], [])
    assert list(tmp_path.iterdir()) == []


HEADER = "id,annotation,width,height"


@pytest.mark.parametrize(
    "lines, words",
    [
        ((HEADER, "a,1 2,6,4", "a,1 2 3,6,4"), "cut short"),
        ((HEADER, "a,1 2,6,4", "a,1 x,6,4"), "damaged"),
        ((HEADER, "a,1 2,6,4", "a"), "columns"),
        ((HEADER, "a,1 2,6,-4"), "wide or high"),
        ((HEADER, "a,1 2,99999999999999,4"), "wide or high"),
        ((HEADER, "a,1 2,6,4", "a,1 2,7,4"), "another size"),
        ((HEADER, "a,1 1000000000000,6,4"), "past the end"),
        ((HEADER, "a,1 99999999999999999999999999,6,4"), "no image has"),
        ((HEADER, "a,25 1,6,4", "a,0 1,6,4"), "past the end"),
        ((HEADER, ",1 2,6,4"), "name an image"),
    ],
)
def test_damage_is_refused_with_a_sentence(tmp_path, lines, words):
    path = table(tmp_path / "bad.csv", *lines)
    with pytest.raises(ReadError, match=words) as refused:
        look_here(path)
    assert str(refused.value).startswith("“bad.csv”")


def test_what_only_the_image_tells_is_refused_then(tmp_path):
    path = table(tmp_path / "t.csv", "ImageId,EncodedPixels", "a,1 1000000000000")
    format_ = known(path)
    with pytest.raises(ReadError, match="past the end"):
        format_.read(path, "a", (1, 4, 6))
    with pytest.raises(ReadError, match="no objects"):
        format_.read(path, "../../etc/passwd", (1, 4, 6))
    sized = table(tmp_path / "s.csv", HEADER, "a,1 2,6,4")
    with pytest.raises(ReadError, match="6 × 4"):
        known(sized).read(sized, "a", (1, 5, 6))
    with pytest.raises(ReadError, match="1 has|has 2"):
        known(sized).read(sized, "a", (2, 4, 6))


def test_limits_hold_before_memory_is_taken(tmp_path, monkeypatch):
    path = table(tmp_path / "t.csv", HEADER, *(f"a{n},1 2,6,4" for n in range(20)))
    monkeypatch.setattr(run_length_table, "MAX_ROWS", 5)
    with pytest.raises(ReadError, match="more than 5 rows"):
        look_here(path)
    monkeypatch.setattr(run_length_table, "MAX_ROWS", 100)
    monkeypatch.setattr(run_length_table, "MAX_IMAGES", 5)
    with pytest.raises(ReadError, match="more than 5 images"):
        look_here(path)
    monkeypatch.setattr(run_length_table, "MAX_IMAGES", 100)
    monkeypatch.setattr(run_length_table, "MAX_ROW", 1 << 20)
    long = tmp_path / "long.csv"
    long.write_text(HEADER + "\na,1 2,6,4\na," + "1 " * (1 << 20))
    with pytest.raises(ReadError, match="row of more than 1 MB"):
        look_here(long)
    monkeypatch.setattr(run_length_table, "MAX_FILE", 100)
    with pytest.raises(ReadError, match="not opened"):
        look_here(path)


@pytest.mark.parametrize(
    "text", ["", "id,annotation\n", "a,b,c\n1,2,3\n", "id,annotation,width,height\na,cat,6,4\n",
             "name,label,width,height\nx,nucleus,5,5\n", "\0\0\0\0,EncodedPixels"]
)  # fmt: skip
def test_other_tables_are_left_alone(tmp_path, text):
    path = tmp_path / "other.csv"
    path.write_text(text)
    assert not any(f.looks_like(path, path.read_bytes()[:HEAD_BYTES]) for f in FORMATS.values())


def test_a_table_that_changed_is_read_anew(tmp_path):
    path = table(tmp_path / "t.csv", HEADER, "a,1 2,6,4")
    format_ = known(path)
    assert format_.contents(path).images[0].objects == 1
    table(path, HEADER, "a,1 2,6,4", "a,5 1,6,4")
    assert format_.contents(path).images[0].objects == 2


@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["rle_columnmajor_dsb2018_layout.csv", "rle_rowmajor_sartorius_layout.csv"]
)
def test_the_seventeen_cells_of_both_tables(shared_data, name):
    root = shared_data / "annotation_formats"
    truth = tifffile.imread(root / "instance_label_tif/cells.tif")
    areas = json.loads((root / "expected.json").read_text(encoding="utf-8"))["areas"]
    (item,) = plan_import([root / "cells.png"], [root / name]).items
    (loaded,) = load_item(item)
    assert loaded.annotation is not None
    objects = loaded.annotation.objects
    assert objects is not None
    assert np.bincount(objects.ravel())[1:].tolist() == areas
    assert np.array_equal(objects[0] > 0, truth > 0)
    assert len(set(zip(objects.flat, truth.flat, strict=True))) == 18
