"""Volumes that are damaged, or were made to do harm: one sentence each, and nothing else."""

from __future__ import annotations

import json
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from orgseg_app.files.annotations.label_image import read_labels
from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.apart import ReadingChild
from orgseg_app.files.readers.registry import read_images


def read_all(path: Path) -> None:
    for image in read_images(path):
        image.read()


@pytest.fixture(autouse=True)
def child() -> Iterator[ReadingChild]:
    """One for all files of a test: that it survives each of them is part of the matter."""
    with ReadingChild() as child:
        CHILD.append(child)
        yield child
    CHILD.clear()


CHILD: list[ReadingChild] = []


def refused(path: Path, match: str) -> None:
    """Refused here and by the child, with one sentence, soon."""
    start = time.monotonic()
    with pytest.raises(ReadError, match=match):
        read_all(path)
    with CHILD[0].reads(), pytest.raises(ReadError, match=match) as told:
        read_all(path)
    assert "\n" not in str(told.value)
    assert time.monotonic() - start < 20


def mrc(path: Path, shape: tuple[int, int, int], mode: int = 0, extra: int = 0) -> Path:
    header = bytearray(1024)
    depth, height, width = shape
    header[:16] = struct.pack("<4i", width, height, depth, mode)
    header[64:76] = struct.pack("<3i", 1, 2, 3)
    header[92:96] = struct.pack("<i", extra)
    header[208:214] = b"MAP \x44\x44"
    path.write_bytes(bytes(header) + bytes(200))
    return path


def zarr(folder: Path, *, block: bytes | None = None, **changes: object) -> Path:
    (folder / "0").mkdir(parents=True)
    (folder / ".zgroup").write_text('{"zarr_format": 2}')
    level = {"path": changes.pop("path", "0")}
    (folder / ".zattrs").write_text(json.dumps({"multiscales": [{"datasets": [level]}]}))
    facts = {
        "zarr_format": 2, "shape": [2, 4, 4], "chunks": [1, 4, 4], "dtype": "|u1", "order": "C",
        "compressor": None, "filters": None, "fill_value": 0,
    }  # fmt: skip
    (folder / "0/.zarray").write_text(json.dumps(facts | changes))
    if block is not None:
        (folder / "0/0.0.0").write_bytes(block)
    return folder


def test_mrc_that_ends_early_or_makes_no_sense(tmp_path):
    refused(mrc(tmp_path / "short.mrc", (100, 100, 100)), "cut short: it holds 0 of 100 planes")
    refused(mrc(tmp_path / "huge.mrc", (2**30, 2**30, 2**30)), "cut short")
    refused(mrc(tmp_path / "fourier.mrc", (2, 2, 2), mode=4), "complex numbers")
    refused(mrc(tmp_path / "colours.mrc", (2, 2, 2), mode=16), "MRC mode 16")
    refused(mrc(tmp_path / "extra.mrc", (2, 2, 2), extra=2**30), "cut short")
    refused(mrc(tmp_path / "none.mrc", (0, 2, 2)), "not a MRC image although|format that is not")


def test_hdf5_that_leads_elsewhere(tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(range(64)))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = np.ones((2, 4, 4), np.uint8)
    with h5py.File(tmp_path / "outside.h5", "w") as file:
        file.create_dataset("raw", (4, 4, 4), np.uint8, external=[(str(secret), 0, 64)])
        file["link"] = h5py.ExternalLink("other.h5", "/data")
        file["soft"] = h5py.SoftLink("/raw")
        layout = h5py.VirtualLayout((2, 4, 4), np.uint8)
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "data", (2, 4, 4))
        file.create_virtual_dataset("virtual", layout)
    refused(tmp_path / "outside.h5", "arrays that lie in other files")
    refused(tmp_path / "outside.h5:/link", "no array “/link”")
    refused(tmp_path / "outside.h5:/raw", "no volume and no picture that can be read")
    with h5py.File(tmp_path / "outside.h5", "a") as file:
        file["mine"] = np.full((2, 4, 4), 3, np.uint8)
    (image,) = read_images(tmp_path / "outside.h5")
    assert (image.read() == 3).all()
    assert "left out" in " ".join(image.notes)


def test_hdf5_bombs_and_wrecks(tmp_path):
    with h5py.File(tmp_path / "bomb.h5", "w") as file:
        file.create_dataset("data", (10**6, 10**5, 10**5), np.uint8, chunks=(1, 100, 100))
    refused(tmp_path / "bomb.h5", "declares .* of image data but is only")
    with h5py.File(tmp_path / "block.h5", "w") as file:
        big = file.create_dataset(
            "data", (60, 6000, 6000), np.uint8, chunks=(60, 6000, 6000), compression="gzip"
        )
        big.id.write_direct_chunk((0, 0, 0), os.urandom(20_000_000))
    refused(tmp_path / "block.h5", "too large to be unpacked")
    whole = tmp_path / "whole.h5"
    with h5py.File(whole, "w") as file:
        file["data"] = np.random.default_rng(0).integers(0, 255, (4, 40, 40)).astype(np.uint8)
    data = whole.read_bytes()
    (tmp_path / "cut.h5").write_bytes(data[: len(data) // 2])
    refused(tmp_path / "cut.h5", "cut off")
    (tmp_path / "start.h5").write_bytes(data[:8] + os.urandom(400))
    refused(tmp_path / "start.h5", "damaged or not a complete")
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file["words"] = "nothing"
    refused(tmp_path / "empty.h5", "no volume and no picture")


def test_groups_that_contain_themselves(tmp_path):
    with h5py.File(tmp_path / "ring.h5", "w") as file:
        file["a/data"] = np.ones((2, 3, 4), np.uint8)
        file["a/b"] = file["a"]
        file["a/again"] = file["a/data"]
    assert [image.name for image in read_images(tmp_path / "ring.h5")] == ["ring"]


def test_zarr_that_would_run_code_or_leave_its_folder(tmp_path):
    refused(zarr(tmp_path / "pickle.zarr", filters=[{"id": "pickle"}]), "cannot be undone.*pickle")
    refused(zarr(tmp_path / "object.zarr", dtype="|O"), "no numbers|contradicts itself")
    refused(zarr(tmp_path / "up.zarr", path="../object.zarr/0"), "outside of itself")
    refused(zarr(tmp_path / "root.zarr", path="/etc"), "outside of itself")


def test_zarr_bombs_and_wrecks(tmp_path):
    refused(zarr(tmp_path / "a.zarr", shape=[10**6, 10**6, 10**6]), "declares .* but is only")
    refused(zarr(tmp_path / "b.zarr", chunks=[10**4, 10**4, 10**4]), "too large to be unpacked")
    refused(zarr(tmp_path / "c.zarr", block=b"123"), "block of plane 1 cannot be unpacked")
    zipped = {"compressor": {"id": "zlib", "level": 1}}
    refused(zarr(tmp_path / "d.zarr", block=b"123", **zipped), "cannot be unpacked")
    import zlib

    refused(zarr(tmp_path / "e.zarr", block=zlib.compress(bytes(10**7)), **zipped), "unpacked")
    blosc = {"compressor": {"id": "blosc"}}
    refused(zarr(tmp_path / "f.zarr", block=b"\2\1\0\1" + b"\xff" * 40, **blosc), "unpacked")
    refused(zarr(tmp_path / "g.zarr", shape=[2, 4]), "contradicts itself")
    (zarr(tmp_path / "h.zarr") / "0/.zarray").write_text("[" * 100_000)
    refused(tmp_path / "h.zarr", "damaged")
    if hasattr(os, "mkfifo"):
        os.mkfifo(zarr(tmp_path / "i.zarr") / "0/0.0.0")
        refused(tmp_path / "i.zarr", "block of plane 1 cannot be unpacked")


@pytest.mark.parametrize(
    "runs, match",
    [
        ({"1": "1 2 3"}, "3 numbers, where each run has two"),
        ({"1": "1 4", "2": "4 1"}, "labels 1 and 2 overlap at voxel 4"),
        ({"1": "1 4 2 1"}, "overlap at voxel 2"),
        ({"1": "20 6"}, "past the end"),
        ({"1": "9223372036854775807 9"}, "past the end"),
        ({"1": "99999999999999999999999 1"}, "past the end"),
        ({"1": "0 3"}, "begins before voxel 1"),
        ({"1": "3 0"}, "has no length"),
        ({"1": "1 x"}, "not all whole numbers"),
        ({"1": [1, 2]}, "not all whole numbers"),
        ({"cell": "1 2"}, "no whole number"),
        ({"300": "1 2"}, "no whole number that uint8 holds"),
        ({".info": {"shape": [10**6, 10**6, 10**6], "dtype": "uint8"}}, "impossible size"),
        ({".info": {"shape": [2, -3, 4], "dtype": "uint8"}}, "does not say the shape"),
        ({".info": {"shape": [2, 3, 4], "dtype": "float32"}}, "whole numbers"),
        ({".info": [1]}, "no run-length labels"),
    ],
)
def test_runs_that_cannot_be(tmp_path, runs, match):
    info = {".info": {"shape": [2, 3, 4], "dtype": "uint8"}}
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(info | runs))
    with pytest.raises(ReadError, match=match):
        read_labels(path)


def test_runs_are_read_apart_and_refused_there(tmp_path):
    path = tmp_path / "labels.json"
    path.write_text('{".info": {"shape": [2, 3, 4], "dtype": "uint8"}, "1": "1 2 3"}')
    with CHILD[0].reads(), pytest.raises(ReadError, match="where each run has two"):
        read_labels(path)
    path.write_text('{".info": {"shape": [100, 30000, 30000], "dtype": "uint8"}, "1": "1 2"}')
    with CHILD[0].reads(), pytest.raises(ReadError, match="too large|took more"):
        read_labels(path)
    path.write_text('{".info": ' + "[" * 200_000)
    with CHILD[0].reads(), pytest.raises(ReadError, match="damaged|no run-length"):
        read_labels(path)
