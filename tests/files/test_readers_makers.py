"""CZI, ND2, LIF, LOF, XLIF, OIF, OIB and OIR: every layout that is read, from files made here."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from orgseg_app.files.annotations.listing import list_files
from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.apart import reading_apart
from orgseg_app.files.readers.inside import inside
from orgseg_app.files.readers.registry import read_contents, read_header, read_images
from orgseg_app.files.readers.volume_files import lies_in_several_files
from tests.files.maker_files import (
    CZI_XML,
    lif_element,
    write_czi,
    write_lif,
    write_lof,
    write_nd2,
    write_oib,
    write_oif,
    write_oir,
)


def values(*shape: int, dtype: str = "u2") -> np.ndarray:
    return np.random.default_rng(7).integers(0, 250, shape).astype(dtype)


def block(data: np.ndarray, kind: str = "u2", packing: int = 0, **places: int) -> dict:
    """A block of a CZI file; ``x`` and ``y`` are where it begins, other letters its place."""
    axes = {
        "X": (places.pop("x", 0), data.shape[1]),
        "Y": (places.pop("y", 0), data.shape[0]),
        **{letter: (index, 1) for letter, index in places.items()},
    }
    return {"axes": axes, "data": data.tobytes(), "kind": kind, "packing": packing}


def sample_files(folder: Path) -> list[Path]:
    """One file of each maker and layout."""
    pixels, plane = values(1, 2, 2, 8, 9), values(8, 9)
    squeezed = {**block(plane, packing=6), "data": packed("zstd, split", plane)}
    axes, channel = [("x", 9, 2, 8e-6), ("y", 8, 18, 7e-6)], [(0, 16, 0, "Green")]
    element = lif_element("A", "A", 144, axes, channel)
    lof = write_lof(folder / "a.lof", element, plane.tobytes())
    xlif = folder / "a.xlif"
    memory = '<Memory Size="144"><Block File="a.lof" Offset="0" Size="144" UUID=""/></Memory>'
    head = '<?xml version="1.0"?><LMSDataContainerHeader Version="2"><Element Name="A">'
    xlif.write_text(f"{head}{memory}</Element></LMSDataContainerHeader>")
    loops = [(DEPTH, {"uiCount": 2, "dZStep": 1.0}, {})]
    frames = list(values(2, 8, 9, 2))
    one = [frame[..., :1] for frame in frames]
    zipped = {"eCompression": 0}
    scenes = [block(pixels[0, c, z], C=c, S=z) for c, z in np.ndindex(2, 2)]
    return [
        write_czi(folder / "a.czi", scenes, CZI_XML),
        inside(folder / "a.czi", "B2"),
        write_czi(folder / "packed.czi", [squeezed], CZI_XML),
        write_czi(folder / "tiles.czi", [block(plane, x=9 * n, M=n) for n in range(3)]),
        write_nd2(folder / "two.nd2", frames, loops, [("A", 1), ("B", 1)]),
        write_nd2(folder / "one.nd2", one, loops, [("A", 1)]),
        write_nd2(folder / "zipped.nd2", one, loops, [("A", 1)], **zipped),
        write_lif(folder / "a.lif", [element], {"A": plane.tobytes()}),
        lof,
        xlif,
        write_oif(folder / "a.oif", pixels[0]),
        write_oib(folder / "a.oib", pixels[0]),
        write_oir(folder / "a.oir", pixels, 1),
        write_oir(folder / "parts.oir", pixels, 3),
    ]


def test_the_child_reads_the_same(tmp_path):
    paths = sample_files(tmp_path)
    read_here = [[(image, image.read()) for image in read_images(path)] for path in paths]
    with reading_apart():
        for path, here in zip(paths, read_here, strict=True):
            there = read_images(path)
            assert read_header(path).planes == sum(image.shape[1] for image, _ in here)
            for (one, pixels), other in zip(here, there, strict=True):
                for fact in ("name", "shape", "dtype", "channel_names", "pixel_size_um", "is_rgb"):
                    assert getattr(one, fact) == getattr(other, fact)
                np.testing.assert_array_equal(pixels, other.read())


def test_czi_scenes_channels_and_names(tmp_path):
    pixels = values(2, 2, 3, 8, 9)  # scene, channel, z
    blocks = [block(pixels[s, c, z], S=s, C=c, Z=z) for s, c, z in np.ndindex(2, 2, 3)]
    path = write_czi(tmp_path / "cells.czi", blocks, CZI_XML)
    images = read_images(path)
    assert [image.name for image in images] == ["cells A1", "cells B2"]
    assert images[0].channel_names == ("DAPI", "GFP")
    assert images[0].pixel_size_um == pytest.approx((1.0, 0.2, 0.2))
    np.testing.assert_array_equal([image.read() for image in images], pixels)
    assert read_contents(path) == [("A1", "image"), ("B2", "image")]
    (second,) = read_images(inside(path, "B2"))
    np.testing.assert_array_equal(second.read(), pixels[1])
    with pytest.raises(ReadError, match="it holds A1, B2"):
        read_images(inside(path, "C3"))


def test_czi_mosaic_pyramid_and_gaps(tmp_path):
    tiles = values(3, 6, 6)
    blocks = [
        block(tiles[0], x=100, y=-5, M=0),
        block(tiles[1], x=104, y=-5, M=1),  # two columns over the first
        {**block(tiles[2], x=100, y=-5), "axes": {"X": (100, 12, 6), "Y": (-5, 12, 6)}},  # reduced
        block(tiles[2], x=100, y=3, M=2),
    ]
    (image,) = read_images(write_czi(tmp_path / "mosaic.czi", blocks))
    wanted = np.zeros((14, 10), "u2")
    wanted[:6, :6], wanted[:6, 4:], wanted[8:, :6] = tiles
    np.testing.assert_array_equal(image.read()[0, 0], wanted)


def test_czi_time_points_that_were_never_written(tmp_path):
    frames = values(3, 4, 5)
    blocks = [block(frames[0], T=7, Z=0), block(frames[1], T=7, Z=1), block(frames[2], T=9, Z=0)]
    first, second = read_images(write_czi(tmp_path / "part.czi", blocks))
    assert (first.times, second.time) == (2, 1)
    np.testing.assert_array_equal(second.read()[0], [frames[2], np.zeros((4, 5))])
    assert second.notes == ("1 plane was never written to this file; shown as 0.",)


def packed(how: str, pixels: np.ndarray) -> bytes:
    if how == "zstd":
        return bytes(imagecodecs.zstd_encode(pixels.tobytes()))
    if how == "zstd, split":
        halves = np.frombuffer(pixels.tobytes(), "u1").reshape(-1, 2).T.tobytes()
        return b"\x03\x01\x01" + bytes(imagecodecs.zstd_encode(halves))
    if how == "zstd, whole":
        return b"\x01" + bytes(imagecodecs.zstd_encode(pixels.tobytes()))
    if how == "lzw":
        return bytes(imagecodecs.lzw_encode(pixels.tobytes()))
    return bytes(imagecodecs.jpegxr_encode(pixels, level=1.0))


@pytest.mark.parametrize(
    "packing, how",
    [(5, "zstd"), (6, "zstd, split"), (6, "zstd, whole"), (2, "lzw"), (4, "jpegxr")],
)
def test_czi_compressions(tmp_path, packing, how):
    pixels = values(40, 30)
    one = {**block(pixels, packing=packing), "data": packed(how, pixels)}
    path = write_czi(tmp_path / "packed.czi", [one])
    np.testing.assert_array_equal(read_images(path)[0].read()[0, 0], pixels)


@pytest.mark.parametrize("kind, channels", [("bgr", 3), ("bgra", 4)])
def test_czi_colours_are_red_green_blue(tmp_path, kind, channels):
    colours = values(6, 7, channels, dtype="u1")
    (image,) = read_images(write_czi(tmp_path / "he.czi", [block(colours, kind)]))
    assert image.is_rgb
    np.testing.assert_array_equal(image.read()[:, 0], colours[..., 2::-1].transpose(2, 0, 1))


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"packing": 7}, "with compression 7"),
        ({"packing": 150}, r"camera's raw data \(compression 150\)"),
        ({"packing": 1001}, r"instrument's raw data \(compression 1001\)"),
        ({"kind": "c8"}, "of complex numbers"),
        ({"axes": {"X": (0, 4), "Y": (0, 4), "Z": (0, 3)}}, "several planes in one block"),
    ],
)
def test_czi_variants_are_named(tmp_path, change, sentence):
    path = write_czi(tmp_path / "odd.czi", [{**block(values(4, 4)), **change}])
    with pytest.raises(ReadError, match=sentence) as told:
        read_images(path)
    assert "open it in ZEN or in Fiji, and save it as OME-TIFF" in str(told.value)


TIME, PLACES, DEPTH = 1, 2, 4


def test_nd2_positions_time_and_depth(tmp_path):
    pixels = values(2, 3, 2, 5, 6, 2)  # t, position, z, y, x, c
    points = {"": {"dPosX": 0.0, "dPosName": "left"}, "i": {"dPosName": "skip"}}
    points |= {"j": {"dPosName": "right"}, "k": {"dPosName": ""}}
    loops = [
        (TIME, {"uiCount": 2}, {}),
        (PLACES, {"uiCount": 4, "Points": points}, {"pItemValid": bytes([1, 0, 1, 1])}),
        (DEPTH, {"uiCount": 2, "dZStep": -0.75}, {}),
    ]
    frames = list(pixels.reshape(-1, 5, 6, 2))
    path = write_nd2(tmp_path / "run.nd2", frames, loops, [("DAPI", 1), ("FITC", 1)])
    images = read_images(path)
    assert [image.name for image in images] == [
        f"run {place} t00{t}" for place in ("left", "right", "position 3") for t in (1, 2)
    ]
    assert images[0].channel_names == ("DAPI", "FITC")
    assert images[0].pixel_size_um == (0.75, 0.25, 0.25)
    read = np.array([image.read() for image in images]).reshape(3, 2, 2, 2, 5, 6)
    np.testing.assert_array_equal(read, pixels.transpose(1, 0, 5, 2, 3, 4))


@pytest.mark.parametrize("facts", [{}, {"row_bytes": 16}, {"eCompression": 0}])
def test_nd2_one_channel_rows_and_compression(tmp_path, facts):
    pixels = values(3, 5, 6, 1)
    loops = [(DEPTH, {"uiCount": 3, "dZLow": 0.0, "dZHigh": 4.0}, {})]
    path = write_nd2(tmp_path / "z.nd2", list(pixels), loops, [("A", 1)], **facts)
    (image,) = read_images(path)
    assert image.pixel_size_um == (2.0, 0.25, 0.25)
    np.testing.assert_array_equal(image.read()[0], pixels[..., 0])


def test_nd2_stopped_recording_and_colours(tmp_path):
    pixels = values(5, 4, 4, 3, dtype="u1")
    loops = [(TIME, {"uiCount": 90}, {}), (DEPTH, {"uiCount": 2, "dZStep": 1.0}, {})]
    path = write_nd2(tmp_path / "stopped.nd2", list(pixels), loops, [("Brightfield", 3)])
    images = read_images(path)
    assert len(images) == 3
    assert images[2].notes == ("1 plane was never written to this file; shown as 0.",)
    assert images[0].is_rgb  # stored as blue, green, red
    np.testing.assert_array_equal(images[0].read()[:, 1], pixels[1, ..., ::-1].transpose(2, 0, 1))


def test_nd2_variants_are_named(tmp_path):
    path = write_nd2(tmp_path / "a.nd2", [values(4, 4, 1)], [], [("A", 1)], eCompression=1)
    with pytest.raises(ReadError, match="compressed with loss.*NIS-Elements or in Fiji"):
        read_images(path)
    path.write_bytes(b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(200))
    with pytest.raises(ReadError, match="of the old kind"):
        read_images(path)
    data = write_nd2(path, [values(4, 4, 1)], [], [("A", 1)]).read_bytes()
    path.write_bytes(data.replace(b"Ver3.0", b"Ver9.0"))
    with pytest.raises(ReadError, match="of version “Ver9.0”"):
        read_images(path)


def test_lif_series_positions_and_interleaved_colours(tmp_path):
    planes = values(2, 2, 3, 5, 6)  # position, channel, z
    colours = values(4, 7, 3, dtype="u1")
    elements = [
        lif_element(
            "stack", "B0", planes.nbytes,
            [("x", 6, 2, 5e-6), ("y", 5, 12, 4e-6), ("z", 3, 60, 4e-6), ("m", 2, 360, 0)],
            [(0, 12, 0, "Green"), (180, 12, 0, "Red")],
        ),
        lif_element(
            "overview", "B1", colours.nbytes, [("x", 7, 3, 6e-6), ("y", 4, 21, 3e-6)],
            [(2, 8, 1, "R"), (1, 8, 2, "G"), (0, 8, 3, "B")],
        ),
    ]  # fmt: skip
    blocks = {"B0": planes.tobytes(), "B1": colours.tobytes()}
    path = write_lif(tmp_path / "day.lif", elements, blocks)
    images = read_images(path)
    assert [image.name for image in images] == [
        "day stack position 1", "day stack position 2", "day overview",
    ]  # fmt: skip
    assert images[0].channel_names == ("Green", "Red")
    assert images[0].pixel_size_um == pytest.approx((2.0, 1.0, 1.0))
    np.testing.assert_array_equal([image.read() for image in images[:2]], planes)
    assert images[2].is_rgb
    np.testing.assert_array_equal(images[2].read()[:, 0], colours[..., ::-1].transpose(2, 0, 1))


def test_lif_whose_last_images_are_missing(tmp_path):
    one = values(4, 4, dtype="u1")
    axes, channel = [("x", 4, 1, 0), ("y", 4, 4, 0)], [(0, 8, 0, "")]
    elements = [lif_element(name, name, 16, axes, channel) for name in ("A", "B", "C")]
    path = write_lif(tmp_path / "cut.lif", elements, {"A": one.tobytes()})
    (image,) = read_images(path)
    assert image.notes == ("2 images were left out: the file ends before their data.",)
    with pytest.raises(ReadError, match="cut short: its image data is missing"):
        read_images(write_lif(path, elements, {}))


def test_lof_and_the_xlif_that_names_it(tmp_path):
    one = values(4, 6, dtype="u1")
    element = lif_element("A", "M", 24, [("x", 6, 1, 0), ("y", 4, 6, 0)], [(0, 8, 0, "Gray")])
    lof = write_lof(tmp_path / "A b.lof", element, one.tobytes())
    np.testing.assert_array_equal(read_images(lof)[0].read()[0, 0], one)
    xlif = tmp_path / "A.xlif"

    def naming(file: str) -> Path:
        memory = f'<Memory Size="24"><Block File="{file}" Offset="0" Size="24" UUID=""/></Memory>'
        text = '<?xml version="1.0"?><LMSDataContainerHeader Version="2"><Element Name="A">'
        xlif.write_text(f"{text}{memory}</Element></LMSDataContainerHeader>")
        return xlif

    np.testing.assert_array_equal(read_images(naming("A%20b.lof"))[0].read()[0, 0], one)
    for outside in ("../A.lof", "/etc/A.lof", "..\\A.lof", "C:/A.lof"):
        with pytest.raises(ReadError, match="outside of its folder, which is not followed"):
            read_images(naming(outside))
    with pytest.raises(ReadError, match=r"“gone.lof”, which is not there"):
        read_images(naming("gone.lof"))
    with pytest.raises(ReadError, match="lie in other files, 1 of them; import those"):
        read_images(naming("A_z0.tif"))


def test_lif_without_the_library(tmp_path, monkeypatch):
    path = write_lif(tmp_path / "a.lif", [], {})
    monkeypatch.setitem(__import__("sys").modules, "liffile", None)
    with pytest.raises(ReadError, match="pip install liffile.*or save the file as OME-TIFF"):
        read_images(path)


@pytest.mark.parametrize("write, name", [(write_oif, "a [1].oif"), (write_oib, "a.oib")])
def test_oif_and_oib(tmp_path, write, name):
    pixels = values(2, 2, 40, 30)
    path = write(tmp_path / name, pixels)
    (image,) = read_images(path)
    assert image.channel_names == ("DAPI", "CH2")
    assert image.pixel_size_um == (2.0, 0.25, 0.25)
    np.testing.assert_array_equal(image.read(), pixels)


def test_the_planes_beside_an_oif_are_no_images_of_their_own(tmp_path):
    path = write_oif(tmp_path / "a.oif", values(1, 2, 4, 4))
    assert [entry.path for entry in list_files([tmp_path]).entries] == [path]


def test_oif_whose_folder_is_missing(tmp_path):
    path = write_oif(tmp_path / "a.oif", values(1, 1, 4, 4))
    path.rename(tmp_path / "b.oif")
    with pytest.raises(ReadError, match=r"“b.oif.files” with its planes is not beside it"):
        read_images(tmp_path / "b.oif")


@pytest.mark.parametrize("parts", [1, 3])
def test_oir(tmp_path, parts):
    pixels = values(2, 2, 3, 5, 6)
    path = write_oir(tmp_path / "a.oir", pixels, parts)
    images = read_images(path)
    assert [image.name for image in images] == ["a t001", "a t002"]
    assert images[0].channel_names == ("CH1", "CH2")
    assert images[0].pixel_size_um == (2.0, 0.5, 0.5)
    np.testing.assert_array_equal([image.read() for image in images], pixels)


def test_oir_that_goes_on_in_another_file(tmp_path):
    pixels = values(1, 1, 2, 4, 4)
    path = write_oir(tmp_path / "a.oir", pixels[:, :, :1], 1)
    more = write_oir(tmp_path / "a_00001", pixels[:, :, 1:], 1)
    more.write_bytes(more.read_bytes().replace(b"z001t", b"z002t"))
    np.testing.assert_array_equal(read_images(path)[0].read(), pixels[0])
    assert lies_in_several_files(path)  # and is copied into a project, never linked to
    more.unlink()
    assert not lies_in_several_files(path)


def test_office_documents_are_not_taken_for_oib(tmp_path):
    path = write_oib(tmp_path / "a.oib", values(1, 1, 4, 4))
    path.write_bytes(path.read_bytes().replace("OibInfo".encode("utf-16-le"), b"WordDocument  "))
    with pytest.raises(ReadError, match="not a Olympus OIF image|not an Olympus OIF image"):
        read_images(path)
