"""Exported masks, objects and tables say what was painted, in files other programs read."""

from __future__ import annotations

import csv
import os
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from orgseg_app.core.classes import ClassInfo, background, default_classes
from orgseg_app.files import atomic, export
from orgseg_app.files.errors import FileError
from orgseg_app.files.export import (
    MASK_FORMATS,
    ExportError,
    mask_paths,
    mask_values,
    write_mask,
    write_objects,
    write_table,
)
from orgseg_app.files.png import encode_png

ONE = default_classes(["ER"])
THREE = (
    background(),
    ClassInfo(7, "late", "#0000FF"),
    ClassInfo(2, "ER", "#E69F00"),
    ClassInfo(4, "nucleus", "#00FF00"),
)


def a_mask(shape=(1, 30, 41)):
    values = np.array([0, 1, 2, 4, 7, 9], np.uint8)
    return values[np.random.default_rng(0).integers(0, 6, shape)]


def read_png(path):
    data = np.fromfile(path, np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED)


def png_chunks(data):
    """Every chunk, its checksum checked."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", data, at + 8 + size)[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + size
    return chunks


def test_how_classes_are_numbered():
    assert mask_values(ONE, "tiff") == {1: 0, 2: 1}
    assert mask_values(ONE, "png") == {1: 0, 2: 255}
    assert mask_values(THREE, "png") == mask_values(THREE, "tiff") == {1: 0, 2: 1, 4: 2, 7: 3}
    assert mask_values(default_classes(), "png") == {1: 0}


@pytest.mark.parametrize("shape", [(1, 1, 1), (30, 41), (1, 30, 41), (5, 30, 41)])
@pytest.mark.parametrize("size", [None, (0.5, 0.1, 0.2)])
def test_a_mask_as_tiff_opens_in_imagej(tmp_path, shape, size):
    mask = a_mask(shape)
    assert write_mask(tmp_path / "größe 1.tif", mask, "tiff", THREE, size) == [
        tmp_path / "größe 1.tif"
    ]
    expected = np.zeros_like(mask)
    for value, class_id in enumerate((2, 4, 7), 1):
        expected[mask == class_id] = value
    with tifffile.TiffFile(tmp_path / "größe 1.tif") as file:
        series, page = file.series[0], file.pages[0]
        values = series.asarray()
        assert values.dtype == np.uint8
        np.testing.assert_array_equal(values.reshape(expected.shape), expected)
        assert series.axes[-2:] == "YX"
        assert file.is_imagej
        assert page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        metadata = file.imagej_metadata
        table = np.reshape(metadata["LUTs"], (-1, 3, 256))[0]
        assert table[:, :4].T.tolist() == [[0, 0, 0], [230, 159, 0], [0, 255, 0], [0, 0, 255]]
        if size is None:
            assert "unit" not in metadata
        else:
            assert metadata["unit"] == "um"
            x, y = (page.tags[t].value for t in ("XResolution", "YResolution"))
            assert (x[0] / x[1], y[0] / y[1]) == pytest.approx((5.0, 10.0))
            if len(shape) == 3 and shape[0] > 1:
                assert metadata["spacing"] == 0.5
                assert metadata["slices"] == 5


def test_one_class_is_255_in_png_and_1_in_tiff(tmp_path):
    mask = np.array([[0, 1, 2], [2, 9, 1]], np.uint8)
    write_mask(tmp_path / "a.png", mask, "png", ONE)
    write_mask(tmp_path / "a.tif", mask, "tiff", ONE)
    assert read_png(tmp_path / "a.png").tolist() == [[0, 0, 255], [255, 0, 0]]
    assert tifffile.imread(tmp_path / "a.tif").tolist() == [[0, 0, 1], [1, 0, 0]]


def test_several_classes_and_colours_in_png(tmp_path):
    mask = np.array([[0, 1, 2], [4, 7, 9]], np.uint8)
    write_mask(tmp_path / "a.png", mask, "png", THREE, (1.0, 0.5, 0.1))
    assert read_png(tmp_path / "a.png").tolist() == [[0, 0, 1], [2, 3, 0]]
    chunks = png_chunks((tmp_path / "a.png").read_bytes())
    assert struct.unpack(">IIB", chunks[b"pHYs"]) == (10_000_000, 2_000_000, 1)
    write_mask(tmp_path / "b.png", mask, "png", THREE, colours=True)
    chunks = png_chunks((tmp_path / "b.png").read_bytes())
    assert chunks[b"PLTE"] == bytes([0, 0, 0, 230, 159, 0, 0, 255, 0, 0, 0, 255])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(2, 4)
    assert rows[:, 1:].tolist() == [[0, 0, 1], [2, 3, 0]]
    colours = cv2.imread(str(tmp_path / "b.png"))
    assert colours[0, 2].tolist() == [0, 159, 230]
    write_mask(tmp_path / "c.png", mask, "png", ONE, colours=True)
    assert png_chunks((tmp_path / "c.png").read_bytes())[b"PLTE"] == bytes([0, 0, 0, 230, 159, 0])


def test_a_stack_as_png_is_one_file_a_plane(tmp_path):
    mask = a_mask((3, 9, 8))
    paths = write_mask(tmp_path / "stack", mask, "png", THREE)
    assert [p.name for p in paths] == ["stack_z001.png", "stack_z002.png", "stack_z003.png"]
    assert mask_paths(tmp_path / "stack", "png", 3) == paths
    assert mask_paths(tmp_path / "stack", "png", 1) == [tmp_path / "stack.png"]
    assert mask_paths(tmp_path / "stack", "tiff", 3) == [tmp_path / "stack.tif"]
    for path, plane in zip(paths, mask, strict=True):
        assert (read_png(path) > 0).tolist() == np.isin(plane, (2, 4, 7)).tolist()
    paths[0].unlink()
    paths[1].unlink()
    with pytest.raises(ExportError, match=r"“stack_z003.png” is already in"):
        write_mask(tmp_path / "stack", mask, "png", THREE)
    assert os.listdir(tmp_path) == ["stack_z003.png"]


@pytest.mark.parametrize("highest", [7, 65_535, 65_536, 2**32 - 1])
@pytest.mark.parametrize("depth", [1, 2])
def test_objects_keep_their_numbers(tmp_path, highest, depth):
    objects = np.zeros((depth, 20, 30), np.uint32)
    objects[0, 3:9, 4:20] = 3
    objects[-1, 10, 10] = highest
    write_objects(tmp_path / "o.tif", objects, pixel_size_um=(2.0, 0.25, 0.5))
    with tifffile.TiffFile(tmp_path / "o.tif") as file:
        values = file.series[0].asarray()
        np.testing.assert_array_equal(values.reshape(objects.shape), objects)
        assert values.dtype == (np.uint16 if highest < 65_536 else np.uint32)
        if highest < 65_536:
            assert file.is_imagej
        else:
            assert 'PhysicalSizeX="0.5"' in file.ome_metadata
            assert 'PhysicalSizeY="0.25"' in file.ome_metadata
    if highest > 65_535:
        with pytest.raises(ExportError, match=r"a PNG holds 65,535. Export these objects as TIFF"):
            write_objects(tmp_path / "o.png", objects, "png")
    elif depth == 1:
        write_objects(tmp_path / "o.png", objects, "png")
        np.testing.assert_array_equal(read_png(tmp_path / "o.png"), objects[0])


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=40),
    )
)
def test_every_png_reads_back(values):
    data = np.frombuffer(encode_png(values), np.uint8)
    np.testing.assert_array_equal(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), values)


def test_what_is_no_png():
    for bad in (np.zeros((2, 2)), np.zeros((0, 2), np.uint8), np.zeros((1, 2, 2), np.uint8)):
        with pytest.raises(ValueError, match="plane"):
            encode_png(bad)
    with pytest.raises(ValueError, match="no colour for the value 1"):
        encode_png(np.ones((2, 2), np.uint8), [(0, 0, 0)])
    with pytest.raises(ValueError, match="at most 256"):
        encode_png(np.ones((2, 2), np.uint8), [(0, 0, 0)] * 257)


# -- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", MASK_FORMATS)
def test_nothing_is_overwritten_unless_asked_for(tmp_path, format):
    mask = a_mask()
    path = tmp_path / f"a{MASK_FORMATS[format].suffix}"
    path.write_bytes(b"mine")
    with pytest.raises(ExportError, match=r"already in .* and was left as it is"):
        write_mask(path, mask, format, ONE)
    assert path.read_bytes() == b"mine"
    assert write_mask(path, mask, format, ONE, overwrite=True) == [path]
    assert path.read_bytes() != b"mine"
    assert os.listdir(tmp_path) == [path.name]


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path, monkeypatch):
    original = atomic.put_in_place

    def appear(draft, target, **options):
        target.write_bytes(b"mine")
        original(draft, target, **options)

    monkeypatch.setattr(atomic, "put_in_place", appear)
    with pytest.raises(ExportError, match="already in"):
        write_mask(tmp_path / "a.tif", a_mask(), "tiff", ONE)
    assert (tmp_path / "a.tif").read_bytes() == b"mine"
    assert os.listdir(tmp_path) == ["a.tif"]


def test_failures_are_sentences_and_leave_nothing_behind(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ExportError, match=r"is a file, not a folder|part of the path is a file"):
        write_mask(tmp_path / "file" / "a.tif", a_mask(), "tiff", ONE)
    with pytest.raises(ExportError, match="There is no format 'gif'; use one of tiff, png"):
        write_mask(tmp_path / "a.gif", a_mask(), "gif", ONE)
    with pytest.raises(ValueError, match="uint8"):
        write_mask(tmp_path / "a.tif", a_mask().astype(float), "tiff", ONE)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "sync", full)
        with pytest.raises(
            ExportError, match=r"“a.tif” could not be written to .*: the disk is full"
        ):
            write_mask(tmp_path / "a.tif", a_mask(), "tiff", ONE)
    with monkeypatch.context() as patch:
        patch.setattr(tifffile, "imwrite", full)
        with pytest.raises(ExportError, match="the disk is full"):
            write_mask(tmp_path / "a.tif", a_mask(), "tiff", ONE)
    assert os.listdir(tmp_path) == ["file"]
    assert issubclass(ExportError, FileError)


def test_a_folder_without_permission(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(atomic, "make_draft", refuse)
    with pytest.raises(
        ExportError, match=r"no permission to write there. Nothing was overwritten; choose"
    ):
        write_mask(tmp_path / "a.png", a_mask(), "png", ONE)


def test_folders_are_made_and_suffixes_added(tmp_path):
    target = tmp_path / "new" / "folder ü" / "v1.5"
    assert write_mask(target, a_mask(), "tiff", ONE) == [target.with_name("v1.5.tif")]
    assert write_mask(target.with_name("b.TIFF"), a_mask(), "tiff", ONE)[0].name == "b.TIFF"


# -- tables --------------------------------------------------------------------------------------


def test_a_table_comes_back_through_csv(tmp_path):
    rows = [
        {"image": 'cell, "1"\nx', "iou": 0.5, "n": np.int64(3), "ok": True},
        {"image": "b", "iou": float("nan"), "extra": None, "n": np.float32(0.25)},
    ]
    path = write_table(tmp_path / "t", rows)
    assert path.name == "t.csv"
    with open(path, newline="", encoding="utf-8") as stream:
        read = list(csv.DictReader(stream))
    assert read == [
        {"image": 'cell, "1"\nx', "iou": "0.5", "n": "3", "ok": "True", "extra": ""},
        {"image": "b", "iou": "", "n": "0.25", "ok": "", "extra": ""},
    ]
    with pytest.raises(ExportError, match="already in"):
        write_table(tmp_path / "t.csv", rows)
    write_table(tmp_path / "t.csv", rows, ["n", "image"], overwrite=True)
    assert path.read_text().splitlines()[0] == "n,image"


def test_spreadsheets_run_nothing(tmp_path):
    nasty = [
        "=1+1",
        "+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        " =1",
        "＝1",
        "=HYPERLINK(1)",
    ]
    harmless = ["-1.5", "+3e4", "a=b", "cell-1", "", "5"]
    path = write_table(tmp_path / "t.csv", [{"=bad": text} for text in nasty + harmless])
    raw = path.read_bytes().decode("utf-8-sig")
    read = [row[0] if row else "" for row in csv.reader(raw.splitlines(keepends=True))]
    assert read[0] == "'=bad"
    assert all(cell.startswith("'") for cell in read[: len(nasty) + 1]), read
    assert read[len(nasty) + 1 :] == harmless


def test_excel_is_told_of_utf8_where_it_matters(tmp_path):
    write_table(tmp_path / "a.csv", [{"x": "plain"}])
    write_table(tmp_path / "b.csv", [{"x": "größe \ud800"}])
    assert (tmp_path / "a.csv").read_bytes() == b"x\nplain\n"
    assert (tmp_path / "b.csv").read_bytes() == b"\xef\xbb\xbfx\ngr\xc3\xb6\xc3\x9fe ?\n"
    write_table(tmp_path / "c.csv", [])
    assert (tmp_path / "c.csv").read_bytes() == b"\n"
    assert export.TIFF in MASK_FORMATS
