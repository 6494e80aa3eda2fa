"""Cellpose's pickled masks, without ever unpickling; and what is refused."""

from __future__ import annotations

import io
import os
import pickle
import struct
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from orgseg_app.files.errors import ReadError
from orgseg_app.files.object_files import cellpose
from orgseg_app.files.object_files.format import HEAD_BYTES, ObjectImage
from orgseg_app.files.object_files.plain_pickle import NotPlainError, PlainArray, read_plain
from orgseg_app.files.object_files.reading import look_at
from orgseg_app.files.readers.apart import reading_apart

MASKS = np.array([[0, 1, 1, 0], [2, 2, 0, 0], [0, 0, 3, 3]], np.uint16)


def saved(path: Path, value: object, protocol: int = 3) -> Path:
    """As `numpy.save` writes an object, with a chosen protocol."""
    boxed = np.empty((), object)
    boxed[()] = value
    with path.open("wb") as stream:
        header = {"descr": "|O", "fortran_order": False, "shape": ()}
        np.lib.format.write_array_header_1_0(stream, header)
        pickle.dump(boxed, stream, protocol=protocol)
    return path


def as_cellpose(masks: np.ndarray) -> dict[str, Any]:
    """All keys that Cellpose's window writes, of every kind of value."""
    return {
        "outlines": np.zeros_like(masks),
        "colors": np.zeros((3, 3), np.uint8),
        "masks": masks,
        "chan_choose": [0, 2],
        "filename": PurePosixPath("/data/me/cell.tif"),
        "flows": [np.zeros((2, 3, 4), np.float32, order="F"), [], None],
        "ismanual": np.zeros(3, bool),
        "manual_changes": [["09/02/24", "added mask", [[1, 2], np.arange(3)]]],
        "model_path": 0,
        "flow_threshold": 0.4,
        "normalize_params": {"lowhigh": None, "percentile": [1.0, 99.0], "invert": False},
        "restore": None,
        "ratio": np.float64(1.5),
        "diameter": np.float32(30),
        "large": 2**70,
        "text": "ä" * 300,
    }


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_cellpose_saves_is_read(tmp_path: Path, protocol: int) -> None:
    path = saved(tmp_path / "cell_seg.npy", as_cellpose(MASKS), protocol)
    assert cellpose.looks_like(path, path.read_bytes()[:HEAD_BYTES])
    (image,) = cellpose.contents(path).images
    assert (image.image_name, image.height, image.width, image.objects) == ("cell", 3, 4, 3)
    read = cellpose.read(path, "", (1, 3, 4))
    assert read.objects is not None
    assert read.objects.dtype == np.uint32
    assert np.array_equal(read.objects[0], MASKS)


@pytest.mark.parametrize(
    "masks, objects",
    [
        (MASKS.astype(np.int64) - 1, MASKS),  # as files counted at first: -1 is background
        (MASKS.astype(np.float32), MASKS),
        (np.stack([MASKS, MASKS]), np.stack([MASKS, MASKS])),
        (MASKS[np.newaxis, ..., np.newaxis], MASKS),
        (np.where(MASKS == 3, 4_000_000_000, MASKS).astype(np.uint32), MASKS),  # no such numbers
        (np.asfortranarray(MASKS), MASKS),
        (MASKS.astype(">u2"), MASKS),
    ],
)
def test_masks_of_every_kind(tmp_path: Path, masks: np.ndarray, objects: np.ndarray) -> None:
    path = saved(tmp_path / "a_seg.npy", {"masks": masks})
    wanted = objects if objects.ndim == 3 else objects[np.newaxis]
    read = cellpose.read(path, "", wanted.shape)  # type: ignore[arg-type]
    assert np.array_equal(read.objects, wanted)


def test_the_name_inside_counts_where_the_file_has_another(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.npy", {"masks": MASKS, "filename": "C:\\data\\cell 7.tif"})
    assert cellpose.contents(path).images[0].image_name == "cell 7.tif"


@given(
    objects=hnp.arrays(
        np.uint32,
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=6),
        elements=st.integers(0, 5),
    )
)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, objects: np.ndarray) -> None:
    numbers = np.unique(objects)
    objects = np.searchsorted(numbers[numbers > 0], objects) + (objects > 0)
    objects = objects.astype(np.uint32)
    folder = tmp_path_factory.mktemp("cellpose")
    (path,) = cellpose.write(folder, [ObjectImage("cell.tif", objects)], [])
    assert path == folder / "cell_seg.npy"
    read = cellpose.read(path, "", objects.shape)  # type: ignore[arg-type]
    assert np.array_equal(read.objects, objects)


def test_cellpose_finds_what_its_window_asks_for(tmp_path: Path) -> None:
    """As `cellpose/gui/io.py` opens it: keys, numbers without gaps, borders beside masks."""
    objects = np.zeros((1, 6, 6), np.uint32)
    objects[0, 1:5, 1:5], objects[0, 5, 5] = 7, 9
    (path,) = cellpose.write(tmp_path, [ObjectImage("cell.tif", objects)], [])
    found = np.load(path, allow_pickle=True).item()
    assert found["masks"].dtype == np.uint16
    assert found["masks"].shape == (6, 6)
    assert sorted(np.unique(found["masks"])) == [0, 1, 2]
    assert np.array_equal(found["outlines"] > 0, (found["masks"] > 0) & ~_inner(found["masks"]))
    assert len(found["ismanual"]) == found["masks"].max()
    assert found["filename"] == "cell.tif"


def _inner(masks: np.ndarray) -> np.ndarray:
    inner = np.zeros(masks.shape, bool)
    for y in range(1, masks.shape[0] - 1):
        for x in range(1, masks.shape[1] - 1):
            around = [masks[y - 1, x], masks[y + 1, x], masks[y, x - 1], masks[y, x + 1]]
            inner[y, x] = all(n == masks[y, x] for n in around)
    return inner


# -- strangers ------------------------------------------------------------------------------------


class Payload:
    """Unpickled, it would leave a file behind."""

    def __init__(self, trace: Path, way: str) -> None:
        self.trace, self.way = trace, way

    def __reduce__(self) -> tuple[Any, ...]:
        if self.way == "system":
            return os.system, (f"touch '{self.trace}'",)
        if self.way == "eval":
            return eval, (f"__import__('pathlib').Path({str(self.trace)!r}).touch()",)
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("way", ["system", "eval", "method"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_payload_is_named_and_never_run(tmp_path: Path, way: str, protocol: int) -> None:
    trace = tmp_path / "trace"
    value = {"masks": MASKS, "filename": Payload(trace, way)}
    path = saved(tmp_path / "cell_seg.npy", value, protocol)
    before = sorted(tmp_path.iterdir())
    pickle.loads(pickle.dumps(Payload(trace, way)))
    assert trace.exists(), "the payload is a payload"
    trace.unlink()
    with pytest.raises(ReadError, match=r"was not opened: .* to be run") as told:
        cellpose.contents(path)
    assert "\n" not in str(told.value)
    assert sorted(tmp_path.iterdir()) == before


def test_the_child_that_reads_says_the_same(tmp_path: Path) -> None:
    path = saved(tmp_path / "cell_seg.npy", Payload(tmp_path / "trace", "system"))
    with pytest.raises(ReadError, match=r"Nothing in it was run"), reading_apart():
        look_at(path)
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "value",
    [
        {"masks": None},
        {"masks": [1, 2]},
        {"masks": MASKS / 2},
        {"masks": np.zeros((2, 3, 4, 5), np.uint8)},
        {"masks": np.full((2, 2), -5)},
        {"outlines": MASKS},
        [MASKS],
        "masks",
    ],
)
def test_files_without_masks_get_a_sentence(tmp_path: Path, value: object) -> None:
    path = saved(tmp_path / "cell_seg.npy", value)
    with pytest.raises(ReadError, match="cell_seg.npy"):
        cellpose.contents(path)


def test_masks_of_another_size_than_the_image(tmp_path: Path) -> None:
    path = saved(tmp_path / "cell_seg.npy", {"masks": MASKS})
    with pytest.raises(ReadError, match="are 3 × 4, but the image is 3 × 5"):
        cellpose.read(path, "", (1, 3, 5))


@pytest.mark.parametrize(
    "steps",
    [
        b"\x80\x04cos\nsystem\n.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        b"\x80\x04(ios\nsystem\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x04load\x93.",
        b"\x80\x04\x8c\x05numpy\x8c\x07ndarray\x93)\x81.",
        b"\x80\x04\x82\x01.",
        b"\x80\x04Pthere\n.",
    ],
)
def test_every_way_to_a_name_is_closed(steps: bytes) -> None:
    with pytest.raises(NotPlainError) as told:
        read_plain(memoryview(steps))
    assert told.value.asked


@pytest.mark.parametrize(
    "steps",
    [
        b"",
        b"\x80\x04",
        b"\x80\x04N",
        b"\x80\x04.",
        b"\x80\x04h\x05.",
        b"\x80\x04t.",
        b"\x80\x04\x8b\xff\xff\xff\x7f.",  # a number of 2 GB
        b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b".",
        b"\x80\x04\x8c\x05x.",
        b"\x80\x04}(]Nu.",
        b"\x80\x04KKR.",
        b"\x80\x04NNb.",
        b"\x80\x04" + b"c" + b"x" * 1000,
    ],
)
def test_damaged_pickles_are_refused(steps: bytes) -> None:
    with pytest.raises(NotPlainError):
        read_plain(memoryview(steps))


def test_an_array_that_promises_more_than_it_holds_is_refused() -> None:
    data = pickle.dumps(np.zeros((2, 3), np.uint8), protocol=2)
    assert isinstance(read_plain(memoryview(data)), PlainArray)
    huge = data.replace(b"K\x02K\x03\x86", b"J\xff\xff\xff\x7fK\x03\x86")
    assert huge != data
    with pytest.raises(NotPlainError, match="another length"):
        read_plain(memoryview(huge))


@given(data=st.data())
def test_cut_or_changed_files_never_crash(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("changed") / "cell_seg.npy"
    raw = bytearray(saved(path, as_cellpose(MASKS), 4).read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    try:
        assert cellpose.contents(path).images
    except ReadError as error:
        assert "\n" not in str(error)


def test_plain_arrays_are_not_taken_for_cellpose() -> None:
    stream = io.BytesIO()
    np.save(stream, MASKS)
    assert not cellpose.looks_like(Path("a.npy"), stream.getvalue())
