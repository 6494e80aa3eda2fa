"""Microscope makers' files that are damaged or were made to do harm: one sentence each, soon."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import numpy as np
import pytest

from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.apart import reading_apart
from orgseg_app.files.readers.registry import read_header, read_images
from tests.files.maker_files import (
    leica_text,
    lif_element,
    write_czi,
    write_lif,
    write_nd2,
    write_oib,
    write_oir,
)


def picture() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 999, (40, 30)).astype("u2")


AXES = {"X": (0, 30), "Y": (0, 40)}


def czi(path: Path) -> Path:
    block = {"axes": AXES, "data": picture().tobytes(), "kind": "u2"}
    return write_czi(path, [block], "<ImageDocument/>")


def nd2(path: Path) -> Path:
    return write_nd2(path, [picture()[..., np.newaxis]], [(4, {"uiCount": 1}, {})], [("A", 1)])


def lif(path: Path) -> Path:
    axes, channels = [("x", 30, 2, 0), ("y", 40, 60, 0)], [(0, 16, 0, "")]
    return write_lif(
        path, [lif_element("a", "B", 2400, axes, channels)], {"B": picture().tobytes()}
    )


def oib(path: Path) -> Path:
    return write_oib(path, picture()[np.newaxis, np.newaxis])


def oir(path: Path) -> Path:
    return write_oir(path, picture()[np.newaxis, np.newaxis, np.newaxis])


MAKERS = {"a.czi": czi, "a.nd2": nd2, "a.lif": lif, "a.oib": oib, "a.oir": oir}


def read_or_refused(path: Path) -> str:
    """The sentence of a refusal, "" where the file was read."""
    try:
        for image in read_images(path):
            image.read()
    except ReadError as error:
        assert str(error).count("\n") == 0
        return str(error)
    return ""


@pytest.mark.parametrize("name", MAKERS)
def test_cut_short_and_with_wrong_bits(tmp_path, name):
    """Cut at many places, and with bits flipped: read or refused, never anything else."""
    path = MAKERS[name](tmp_path / name)
    whole = path.read_bytes()
    rng = np.random.default_rng(11)
    assert read_or_refused(path) == ""
    for part in np.linspace(0.02, 0.98, 25):
        path.write_bytes(whole[: int(len(whole) * part)])
        assert read_or_refused(path) != ""
    for _ in range(120):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), 3):
            data[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(data))
        read_or_refused(path)


def test_the_child_outlives_wrong_bits(tmp_path):
    rng = np.random.default_rng(12)
    start = time.monotonic()
    with reading_apart() as child:
        for name, write in MAKERS.items():
            path = write(tmp_path / name)
            whole = path.read_bytes()
            pid = None
            for _ in range(8):
                data = bytearray(whole)
                for at in rng.integers(0, len(data), 5):
                    data[at] ^= 1 << int(rng.integers(8))
                path.write_bytes(bytes(data))
                read_or_refused(path)
                pid = pid or child.pid
            assert child.pid == pid
    assert time.monotonic() - start < 60


def refused(path: Path, match: str) -> None:
    for read in (read_header, read_images):
        with pytest.raises(ReadError, match=match):
            for image in read(path) if read is read_images else [read(path)]:
                getattr(image, "read", lambda: None)()


def test_sizes_that_lie(tmp_path):
    huge = {"axes": {"X": (0, 2**30), "Y": (0, 2**30)}, "data": b"", "kind": "u2"}
    refused(write_czi(tmp_path / "huge.czi", [huge]), "declares 2.0 EiB|declares .* of image data")
    far = [
        {"axes": {"X": (x, 9), "Y": (x, 9)}, "data": bytes(162), "kind": "u2"} for x in (0, 10**9)
    ]
    refused(write_czi(tmp_path / "far.czi", far), "declares .* of image data")
    wide = nd2(tmp_path / "wide.nd2")
    name = "uiHeight\0".encode("utf-16-le")
    wide.write_bytes(
        wide.read_bytes().replace(name + struct.pack("<I", 40), name + struct.pack("<I", 2**31))
    )
    refused(wide, "damaged or not complete")
    axes = [("x", 30, 2, 0), ("y", 2**30, 60, 0)]
    elements = [lif_element("a", "B", 2400, axes, [(0, 16, 0, "")])]
    refused(write_lif(tmp_path / "l.lif", elements, {"B": bytes(2400)}), "cut short")
    steps = [(1, {"uiCount": 2**31}, {}), (2, {"uiCount": 2**31}, {}), (4, {"uiCount": 2**31}, {})]
    refused(write_nd2(tmp_path / "t.nd2", [picture()[..., None]], steps, [("A", 1)]), "damaged")


def test_descriptions_that_unfold(tmp_path):
    bomb = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    block = {"axes": AXES, "data": picture().tobytes(), "kind": "u2"}
    refused(write_czi(tmp_path / "a.czi", [block], bomb), "XML entities, as no microscope does")
    (tmp_path / "a.lif").write_bytes(leica_text(bomb))
    refused(tmp_path / "a.lif", "XML entities, as no microscope does")
    (tmp_path / "b.lif").write_bytes(struct.pack("<IIBI", 0x70, 5, 0x2A, 2**31) + bytes(90))
    refused(tmp_path / "b.lif", "over 64 MB of text")


def test_circles_in_a_compound_file_end(tmp_path):
    path = oib(tmp_path / "a.oib")
    data = bytearray(path.read_bytes())
    fat = 512 * (1 + struct.unpack_from("<I", data, 76)[0])
    for at in range(128):
        struct.pack_into("<I", data, fat + 4 * at, at)  # each sector is followed by itself
    path.write_bytes(bytes(data))
    refused(path, "damaged")


def test_a_czi_that_was_never_finished(tmp_path):
    path = czi(tmp_path / "a.czi")
    data = bytearray(path.read_bytes())
    struct.pack_into("<q", data, 32 + 52, 0)  # no directory
    struct.pack_into("<i", data, 32 + 68, 1)  # and still being written
    path.write_bytes(bytes(data))
    refused(path, "not finished: its directory is missing, as after a crash")
