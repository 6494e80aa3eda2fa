"""Files that are wrong, cut short, damaged or made to harm: one sentence each, nothing else."""

from __future__ import annotations

import builtins
import os
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.files.errors import FileError, ReadError
from orgseg_app.files.readers.registry import can_read, read_header, read_images


def read_all(path: Path) -> None:
    for image in read_images(path)[:3]:
        image.read()


def sentence_or_nothing(path: Path) -> str:
    """What a damaged file is refused with; a full stop if it could be read after all."""
    try:
        read_all(path)
        read_header(path)
    except ReadError as error:
        return str(error)
    return "."


def refused(path: Path) -> str:
    """The sentence that `read_images` refuses a file with; headers must not crash either."""
    with pytest.raises(ReadError) as caught:
        read_all(path)
    message = str(caught.value)
    assert isinstance(caught.value, FileError)
    assert message.endswith(".")
    assert len(message) < 300
    assert "\n" not in message
    assert "Traceback" not in message
    try:
        read_header(path)
    except ReadError:
        pass
    return message


def grey(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 255, shape or (64, 64), dtype=np.uint8)


def tiff_bytes(tmp_path: Path, data: np.ndarray, **options: object) -> bytes:
    tifffile.imwrite(tmp_path / "source.tif", data, **options)
    return (tmp_path / "source.tif").read_bytes()


def ifd(*tags: tuple[int, int, int, int], following: int = 0) -> bytes:
    """A classic little-endian TIFF with one directory at offset 8."""
    body = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + body + struct.pack("<I", following)


def huge_tiff(width: int, height: int, *, tile: int = 0) -> bytes:
    strips = [(322, 4, 1, tile), (323, 4, 1, tile), (324, 4, 1, 200), (325, 4, 1, 16)]
    plain = [(273, 4, 1, 200), (278, 4, 1, height), (279, 4, 1, 16)]
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 16),
        (259, 3, 1, 8),
        (262, 3, 1, 1),
        (277, 3, 1, 1),
        *(strips if tile else plain),
    ]
    return ifd(*sorted(tags)) + b"\0" * 4000


def test_text_called_tif(tmp_path):
    path = tmp_path / "notes.tif"
    path.write_text("These are my notes, with µ and é.\n" * 40)
    assert refused(path) == (
        "“notes.tif” is not a TIFF image although it is named like one: it is a text file."
    )
    assert not can_read(path)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg", "a.bmp", "a.xyz"])
def test_empty_and_zeroed_files(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"")
    assert "is empty (0 bytes)" in refused(path)
    path.write_bytes(bytes(4096))
    assert "filled with zeros" in refused(path)


@pytest.mark.parametrize(
    "start, what",
    [
        (b"ZISRAWFILE", "Zeiss CZI"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"PK\x03\x04", "ZIP"),
        (b"GIF89a", "GIF"),
        (b"RIFF\0\0\0\0WEBP", "WebP"),
        (b"\x01\x02\x03\x04", "not known"),
    ],
)
def test_other_formats_are_named(tmp_path, start, what):
    path = tmp_path / "a.dat"
    path.write_bytes(start + bytes(range(1, 200)))
    assert what in refused(path)


def test_missing_folder_and_forbidden(tmp_path, monkeypatch):
    assert "does not exist" in refused(tmp_path / "gone.tif")
    assert "is a folder" in refused(tmp_path)
    assert "file name" in refused(tmp_path / "a\0b.tif")
    assert "long a name" in refused(tmp_path / ("a" * 300 + ".tif"))
    path = tmp_path / "locked.tif"
    tifffile.imwrite(path, grey())
    real = builtins.open

    def closed(self: Path, *arguments: object, **options: object):
        if self == path:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", closed)
    assert "no permission" in refused(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read it all")
def test_file_without_read_permission(tmp_path):
    path = tmp_path / "locked.tif"
    tifffile.imwrite(path, grey())
    path.chmod(0)
    assert "no permission" in refused(path)


def test_pipe_is_not_waited_for(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes here")
    os.mkfifo(tmp_path / "pipe.tif")
    assert "not a file that can be opened" in refused(tmp_path / "pipe.tif")


LAYOUTS: dict[str, dict[str, object]] = {
    "plain": {"photometric": "minisblack"},
    "compressed": {"photometric": "minisblack", "compression": "zlib"},
    "tiled": {"photometric": "minisblack", "tile": (16, 16), "compression": "lzw"},
    "imagej": {"imagej": True, "metadata": {"axes": "ZYX"}},
    "ome": {"ome": True, "photometric": "minisblack", "metadata": {"axes": "ZYX"}},
    "big": {"bigtiff": True, "photometric": "minisblack"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.9, 0.99])
def test_truncated_tiff(tmp_path, layout, part):
    whole = tiff_bytes(tmp_path, grey(6, 64, 64), **LAYOUTS[layout])
    path = tmp_path / "cut.tif"
    path.write_bytes(whole[: int(len(whole) * part)])
    assert re.search("incomplete|damaged", refused(path))


def test_truncated_imagej_stack_with_all_pages_at_the_end(tmp_path):
    whole = tiff_bytes(tmp_path, grey(6, 64, 64), **LAYOUTS["imagej"])
    path = tmp_path / "cut.tif"
    path.write_bytes(whole[:-40])
    assert "incomplete" in refused(path)


def test_tiff_without_pages_in_a_circle_and_with_nonsense(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(struct.pack("<2sHI", b"II", 42, 0))
    assert "without a single image" in refused(path)
    path.write_bytes(ifd((256, 4, 1, 4), (257, 4, 1, 4), following=8))
    assert "in a circle" in refused(path)
    path.write_bytes(struct.pack("<2sHIH", b"II", 42, 8, 60000) + bytes(100))
    assert "damaged" in refused(path)
    path.write_bytes(ifd((256, 4, 1, 0), (257, 4, 1, 0)))
    refused(path)


def test_tiff_that_declares_far_more_than_it_holds(tmp_path):
    path = tmp_path / "bomb.tif"
    path.write_bytes(huge_tiff(1_000_000, 2_000_000))
    assert re.search("declares 3.6 TiB of image data but is only 4.0 KiB", refused(path))
    path.write_bytes(huge_tiff(64, 64, tile=1 << 20))
    assert "declares" in refused(path)


def test_tiff_with_fewer_strips_than_it_declares(tmp_path):
    data = bytearray(tiff_bytes(tmp_path, grey(20, 16), compression="zlib", metadata=None))
    with tifffile.TiffFile(tmp_path / "source.tif") as tif:
        offset = tif.pages.first.tags["ImageLength"].valueoffset
    data[offset : offset + 4] = struct.pack("<I", 16_000_000)
    path = tmp_path / "a.tif"
    path.write_bytes(bytes(data))
    assert "incomplete" in refused(path)


def test_imagej_description_that_promises_terabytes(tmp_path):
    text = "ImageJ=1.53t\nimages=100000000\nslices=100000000\nhyperstack=true\n"
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, grey(), description=text, metadata=None, software=None)
    assert re.search("declares|incomplete", refused(path))


@pytest.mark.parametrize("width, height", [(2**31 - 1, 2**31 - 1), (0, 5), (200_000, 200_000)])
def test_png_that_declares_nonsense(tmp_path, width, height):
    data = bytearray(cv2.imencode(".png", grey())[1].tobytes())
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    path = tmp_path / "bomb.png"
    path.write_bytes(bytes(data))
    assert re.search("declares", refused(path))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.995])
def test_truncated_pictures(tmp_path, suffix, part, capfd):
    whole = cv2.imencode(suffix, grey())[1].tobytes()
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(whole[: int(len(whole) * part)])
    assert re.search("incomplete|damaged|not a", refused(path))
    if suffix != ".bmp":
        assert capfd.readouterr().err == ""


def test_png_with_a_changed_byte(tmp_path, capfd):
    data = bytearray(cv2.imencode(".png", grey())[1].tobytes())
    data[len(data) // 2] ^= 0x40
    path = tmp_path / "a.png"
    path.write_bytes(bytes(data))
    assert "checksum" in refused(path)
    assert capfd.readouterr().err == ""


def test_colour_spaces_and_numbers_that_cannot_be_shown(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, grey(16, 16, 4), photometric="separated")
    assert "CMYK" in refused(path)
    tifffile.imwrite(path, grey(16, 16, 3), photometric="cielab")
    assert "CIE Lab" in refused(path)
    tifffile.imwrite(path, np.ones((16, 16), np.complex64))
    assert "complex numbers" in refused(path)


def test_unknown_compression(tmp_path):
    data = bytearray(tiff_bytes(tmp_path, grey(), metadata=None))
    with tifffile.TiffFile(tmp_path / "source.tif") as tif:
        offset = tif.pages.first.tags["Compression"].valueoffset
    data[offset : offset + 2] = struct.pack("<H", 50999)
    path = tmp_path / "a.tif"
    path.write_bytes(bytes(data))
    assert re.search("compressed with|damaged", refused(path))


@given(
    st.sampled_from(sorted(LAYOUTS)),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
)
@settings(max_examples=150)
def test_flipped_bytes_in_a_tiff_never_crash(tmp_path_factory, layout, flips):
    folder = tmp_path_factory.mktemp("flip")
    data = bytearray(tiff_bytes(folder, grey(3, 20, 16), **LAYOUTS[layout]))
    for where, value in flips:
        data[min(int(where**3 * len(data)), len(data) - 1)] = value  # mostly near the beginning
    path = folder / "a.tif"
    path.write_bytes(bytes(data))
    assert sentence_or_nothing(path).endswith(".")


@given(
    st.sampled_from([".png", ".jpg", ".bmp"]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
)
@settings(max_examples=80)
def test_flipped_bytes_in_a_picture_never_crash(tmp_path_factory, suffix, flips):
    folder = tmp_path_factory.mktemp("flip")
    data = bytearray(cv2.imencode(suffix, grey(20, 16))[1].tobytes())
    for where, value in flips:
        data[min(int(where**3 * len(data)), len(data) - 1)] = value
    path = folder / f"a{suffix}"
    path.write_bytes(bytes(data))
    assert sentence_or_nothing(path).endswith(".")


def test_readers_import_nothing_slow():
    code = (
        "import sys; import orgseg_app.files.readers.registry; "
        "import orgseg_app.files.annotations.plan; import orgseg_app.files.annotations.loading; "
        "print([m for m in ('cv2','tifffile','imagecodecs','scipy','h5py','PySide6','torch') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "[]"
