"""TIFF reading: axes, number types, colours, pixel sizes, compression, lazy planes."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.registry import can_read, read_header, read_images

DTYPES = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32"]
FLOATS = ["float16", "float32", "float64"]


def values(shape: tuple[int, ...], dtype: str = "uint8") -> np.ndarray:
    n = int(np.prod(shape))
    return (np.arange(n) % 101).reshape(shape).astype(dtype)


def write(path: Path, data: np.ndarray, **options: object) -> Path:
    tifffile.imwrite(path, data, **options)
    return path


def one(path: Path):
    images = read_images(path)
    assert len(images) == 1
    return images[0]


@given(
    dtype=st.sampled_from(DTYPES + FLOATS),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 20), st.integers(4, 20)),
    compression=st.sampled_from([None, "zlib", "lzw", "zstd"]),
    order=st.sampled_from("<>"),
    is_big=st.booleans(),
)
@settings(max_examples=80)
def test_every_number_type_and_depth_comes_back(
    tmp_path_factory, dtype, shape, compression, order, is_big
):
    path = tmp_path_factory.mktemp("round") / "a.tif"
    data = values(shape, dtype)
    options = {} if compression is None or dtype == "bool" else {"compression": compression}
    write(path, data, photometric="minisblack", byteorder=order, bigtiff=is_big, **options)
    image = one(path)
    expected = data * np.uint8(255) if dtype == "bool" else data
    assert image.shape == (1, *shape)
    assert image.dtype.name in ("uint8", "uint16", "float32")
    assert image.dtype.isnative
    if dtype in ("uint8", "uint16", "float32"):
        assert image.dtype == dtype
    read = image.read()
    assert read.dtype == image.dtype
    np.testing.assert_array_equal(read[0], expected.astype(image.dtype))


def test_large_and_negative_numbers_keep_their_value(tmp_path):
    data = np.array([[-5, 70000, 2**24, 0]] * 4, "int32")
    image = one(write(tmp_path / "a.tif", data, photometric="minisblack"))
    assert image.dtype == np.float32
    np.testing.assert_array_equal(image.read()[0, 0], data.astype(np.float64))


def test_imagej_hyperstack_gives_an_image_a_time_point(tmp_path):
    data = values((2, 3, 4, 8, 9), "uint16")
    path = write(
        tmp_path / "cells.tif",
        data,
        imagej=True,
        resolution=(5.0, 4.0),
        metadata={"axes": "TZCYX", "unit": "um", "spacing": 0.5},
    )
    images = read_images(path)
    assert [i.name for i in images] == ["cells t001", "cells t002"]
    for time, image in enumerate(images):
        assert image.shape == (4, 3, 8, 9)
        assert image.pixel_size_um == pytest.approx((0.5, 0.25, 0.2))
        assert image.channel_names == ("channel 1", "channel 2", "channel 3", "channel 4")
        np.testing.assert_array_equal(image.read(), data[time].swapaxes(0, 1))
        np.testing.assert_array_equal(image.read_plane(2), data[time, 2])


@pytest.mark.parametrize("axes", ["TCZYX", "CTZYX", "ZTCYX", "CZTYX", "ZCTYX"])
def test_any_order_of_time_depth_and_channel(tmp_path, axes):
    sizes = {"T": 2, "C": 3, "Z": 4, "Y": 6, "X": 5}
    data = values(tuple(sizes[a] for a in axes), "uint16")
    path = write(tmp_path / "a.ome.tif", data, metadata={"axes": axes}, photometric="minisblack")
    canonical = data.transpose([axes.index(a) for a in "TCZYX"])
    images = read_images(path)
    assert [i.name for i in images] == ["a t001", "a t002"]
    for time, image in enumerate(images):
        np.testing.assert_array_equal(image.read(), canonical[time])


def test_ome_pixel_size_units_and_channel_names(tmp_path):
    path = write(
        tmp_path / "a.ome.tif",
        values((2, 3, 8, 8), "uint16"),
        photometric="minisblack",
        metadata={
            "axes": "CZYX",
            "Channel": {"Name": ["ER", "nuc\u202elei"]},
            "PhysicalSizeX": 65.0,
            "PhysicalSizeXUnit": "nm",
            "PhysicalSizeY": 0.07,
            "PhysicalSizeYUnit": "µm",
            "PhysicalSizeZ": 0.0003,
            "PhysicalSizeZUnit": "mm",
        },
    )
    image = one(path)
    assert image.shape == (2, 3, 8, 8)
    assert image.channel_names == ("ER", "nuclei")
    assert image.pixel_size_um == pytest.approx((0.3, 0.07, 0.065))


def test_renamed_ome_file_keeps_its_axes(tmp_path):
    data = values((2, 3, 8, 8), "uint16")
    path = write(
        tmp_path / "first.ome.tif", data, photometric="minisblack", metadata={"axes": "CZYX"}
    )
    renamed = tmp_path / "second one.tif"
    path.rename(renamed)
    np.testing.assert_array_equal(one(renamed).read(), data)


def test_ome_that_names_another_file_reads_only_its_own_pages(tmp_path):
    secret = write(tmp_path / "secret.tif", np.full((8, 8), 77, np.uint8))
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        'UUID="urn:uuid:1"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" '
        'Type="uint8" SizeX="8" SizeY="8" SizeZ="2" SizeC="1" SizeT="1">'
        '<Channel ID="Channel:0:0" SamplesPerPixel="1"/>'
        '<TiffData FirstZ="0" IFD="0" PlaneCount="1"><UUID FileName="a.ome.tif">urn:uuid:1</UUID>'
        '</TiffData><TiffData FirstZ="1" IFD="0" PlaneCount="1">'
        f'<UUID FileName="../{tmp_path.name}/{secret.name}">urn:uuid:2</UUID></TiffData>'
        "</Pixels></Image></OME>"
    )
    path = write(
        tmp_path / "a.ome.tif", values((8, 8)), description=xml, metadata=None, software=None
    )
    image = one(path)
    assert not (image.read() == 77).all(axis=(2, 3)).any()
    np.testing.assert_array_equal(image.read()[0, 0], values((8, 8)))


def test_xml_entities_are_refused(tmp_path):
    xml = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><OME>&b;</OME>'
    path = write(tmp_path / "a.ome.tif", values((8, 8)), description=xml, metadata=None)
    with pytest.raises(ReadError, match="entities"):
        read_images(path)


def test_positions_become_images(tmp_path):
    path = tmp_path / "plate.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        for number in range(3):
            writer.write(np.full((8, 9), number, np.uint8), metadata={"axes": "YX"})
    images = read_images(path)
    assert [i.name for i in images] == ["plate p01", "plate p02", "plate p03"]
    assert [int(i.read()[0, 0, 0, 0]) for i in images] == [0, 1, 2]


def test_pyramid_levels_are_not_images(tmp_path):
    path = tmp_path / "slide.ome.tif"
    data = values((64, 64))
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(data, subifds=2, tile=(16, 16), metadata={"axes": "YX"})
        writer.write(data[::2, ::2], subfiletype=1, tile=(16, 16))
        writer.write(data[::4, ::4], subfiletype=1, tile=(16, 16))
    np.testing.assert_array_equal(one(path).read()[0, 0], data)


def test_thumbnail_page_is_not_an_image(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(values((64, 64)), metadata=None)
        writer.write(values((16, 16)), subfiletype=1, metadata=None)
    assert one(path).shape == (1, 1, 64, 64)


def test_plain_pages_are_depth_and_unknown_axes_too(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for z in range(5):
            writer.write(np.full((8, 8), z, np.uint8), contiguous=False, metadata=None)
    image = one(path)
    assert image.shape == (1, 5, 8, 8)
    assert [int(image.read_plane(z)[0, 0, 0]) for z in range(5)] == list(range(5))
    data = values((2, 3, 4, 8, 8))
    unknown = one(write(tmp_path / "b.tif", data, photometric="minisblack"))
    np.testing.assert_array_equal(unknown.read()[0], data.reshape(24, 8, 8))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_rgb_and_rgba(tmp_path, dtype, planar):
    data = values((8, 9, 4), dtype)
    layout = data if planar == "contig" else np.moveaxis(data, -1, 0)
    for samples in (3, 4):
        part = layout[..., :samples] if planar == "contig" else layout[:samples]
        path = write(tmp_path / f"{samples}.tif", part, photometric="rgb", planarconfig=planar)
        image = one(path)
        assert image.is_rgb
        assert image.channel_names == ("red", "green", "blue")
        np.testing.assert_array_equal(image.read()[:, 0], np.moveaxis(data[..., :3], -1, 0))
        assert read_header(path).channels == 3


def test_grey_stored_as_rgb_is_one_channel(tmp_path):
    grey = values((8, 9))
    image = one(write(tmp_path / "a.tif", np.dstack([grey] * 3), photometric="rgb"))
    assert (image.shape, image.is_rgb) == ((1, 1, 8, 9), False)
    np.testing.assert_array_equal(image.read()[0, 0], grey)


def test_alpha_beside_grey_is_dropped_but_a_second_channel_is_not(tmp_path):
    data = values((8, 9, 2))
    with_alpha = write(
        tmp_path / "a.tif", data, photometric="minisblack", extrasamples=["unassalpha"]
    )
    np.testing.assert_array_equal(one(with_alpha).read()[:, 0], data[None, ..., 0])
    two = write(
        tmp_path / "b.tif",
        data,
        photometric="minisblack",
        planarconfig="contig",
        extrasamples=["unspecified"],
    )
    np.testing.assert_array_equal(one(two).read()[:, 0], np.moveaxis(data, -1, 0))


def test_white_is_zero_is_shown_as_other_programs_show_it(tmp_path):
    data = values((8, 9), "uint16")
    path = write(tmp_path / "a.tif", data, photometric="miniswhite")
    np.testing.assert_array_equal(one(path).read()[0, 0], 65535 - data)


def test_colour_tables(tmp_path):
    data = values((8, 9))
    ramp = np.zeros((3, 256), np.uint16)
    ramp[1] = np.arange(256) * 257
    path = write(tmp_path / "green.tif", data, photometric="palette", colormap=ramp)
    np.testing.assert_array_equal(one(path).read()[0, 0], data)
    table = np.random.default_rng(0).integers(0, 256, (3, 256)).astype(np.uint16) * 257
    image = one(write(tmp_path / "map.tif", data, photometric="palette", colormap=table))
    assert image.is_rgb
    np.testing.assert_array_equal(image.read()[:, 0], (table >> 8)[:, data])


@pytest.mark.parametrize("compression", ["jpeg", "jpeg2000", "packbits", "lzma", "webp", "jpegxl"])
def test_compressions_and_tiles(tmp_path, compression):
    data = np.add.outer(np.arange(40), np.arange(50)).astype(np.uint8)
    pixels = np.dstack([data, data // 2, 255 - data]) if compression == "webp" else data
    path = write(tmp_path / "a.tif", pixels, compression=compression, tile=(16, 16))
    read = one(path).read()[:, 0].astype(int)
    expected = np.moveaxis(np.atleast_3d(pixels), -1, 0).astype(int)
    assert np.abs(read - expected).max() <= (0 if compression in ("packbits", "lzma") else 12)


@pytest.mark.parametrize(
    "unit, resolution, expected",
    [
        ("CENTIMETER", (40000, 50000), (0.2, 0.2, 0.25)),
        ("INCH", (254000, 254000), (0.1, 0.1, 0.1)),
        ("INCH", (300, 300), None),
        ("INCH", (72, 72), None),
        ("CENTIMETER", (118, 118), None),
        ("NONE", (10, 10), None),
    ],
)
def test_resolution_tags_count_only_when_plausible(tmp_path, unit, resolution, expected):
    path = write(tmp_path / "a.tif", values((8, 8)), resolution=resolution, resolutionunit=unit)
    size = one(path).pixel_size_um
    assert size == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    "unit, micrometres",
    [("micron", 1), ("um", 1), ("\\u00B5m", 1), ("nm", 0.001), ("mm", 1000), ("pixel", None)],
)
def test_imagej_units(tmp_path, unit, micrometres):
    path = write(
        tmp_path / "a.tif",
        values((3, 8, 8), "uint16"),
        imagej=True,
        resolution=(2.0, 2.0),
        metadata={"axes": "ZYX", "unit": unit, "spacing": 3.0},
    )
    size = one(path).pixel_size_um
    if micrometres is None:
        assert size is None
    else:
        assert size == pytest.approx((3 * micrometres, micrometres / 2, micrometres / 2))


def test_planes_are_read_one_at_a_time_and_no_handle_stays_open(tmp_path):
    data = values((50, 64, 64), "uint16")
    path = write(tmp_path / "stack.tif", data, photometric="minisblack", compression="zlib")
    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    image = one(path)
    np.testing.assert_array_equal(image.read_plane(37)[0], data[37])
    if before:
        assert len(os.listdir("/proc/self/fd")) <= len(before)
    path.rename(tmp_path / "moved.tif")
    with pytest.raises(ReadError, match="does not exist"):
        image.read_plane(0)
    (tmp_path / "moved.tif").rename(path)
    np.testing.assert_array_equal(image.read_plane(0)[0], data[0])
    with pytest.raises(IndexError):
        image.read_plane(50)


def test_threads_read_the_same_file(tmp_path):
    path = tmp_path / "two.ome.tif"
    data = values((2, 20, 32, 32), "uint16")
    with tifffile.TiffWriter(path, ome=True) as writer:
        for part in data:
            writer.write(part, metadata={"axes": "ZYX"}, compression="zlib")
    images = read_images(path)
    wrong: list[int] = []

    def read(number: int) -> None:
        for z in range(20):
            if not np.array_equal(images[number % 2].read_plane(z)[0], data[number % 2, z]):
                wrong.append(z)

    threads = [threading.Thread(target=read, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_values_that_are_not_numbers_are_kept_and_noted(tmp_path):
    data = values((8, 8), "float32")
    data[2, 3], data[4, 4] = np.nan, np.inf
    image = one(write(tmp_path / "a.tif", data))
    np.testing.assert_array_equal(image.read()[0, 0], data)
    image.read_plane(0)
    assert len(image.notes) == 1
    assert "NaN" in image.notes[0]


def test_names_with_blanks_and_foreign_letters(tmp_path):
    folder = tmp_path / "Größe µm 细胞"
    folder.mkdir()
    path = write(folder / "zelle 1 é\u202e.ome.tif", values((8, 8)))
    image = one(path)
    assert (image.name, image.source) == ("zelle 1 é", "zelle 1 é.ome.tif")


def test_content_counts_not_the_name(tmp_path):
    path = write(tmp_path / "really.png", values((8, 8)))
    assert can_read(path)
    assert one(path).shape == (1, 1, 8, 8)


def test_header_without_decoding(tmp_path, monkeypatch):
    path = write(tmp_path / "a.tif", values((5, 8, 9), "uint16"), photometric="minisblack")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", refuse)
    monkeypatch.setattr(tifffile.FileHandle, "read_array", refuse)
    header = read_header(path)
    assert (header.planes, header.height, header.width) == (5, 8, 9)
    assert (header.channels, header.dtype) == (1, "uint16")
    assert read_images(path)[0].shape == (1, 5, 8, 9)
