"""ilastik's projects: what was painted, by image; older and newer axes; and what is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from orgseg_app.files.errors import ReadError
from orgseg_app.files.object_files import ilastik
from orgseg_app.files.object_files.format import HEAD_BYTES
from orgseg_app.files.readers.registry import read_header


def axistags(axes: str) -> str:
    return json.dumps({"axes": [{"key": axis, "typeFlags": 2} for axis in axes]})


def make_project(
    path: Path,
    lanes: Sequence[dict[str, Any]],
    *,
    names: Sequence[str] = ("ER", "background"),
) -> Path:
    """A project as ilastik 1.4 saves it.

    Each lane: ``name``, ``axes``, ``shape`` and ``blocks`` of ``(starts, values)``, in these axes.
    """
    with h5py.File(path, "w") as file:
        file["ilastikVersion"] = b"1.4.0"
        file["workflowName"] = b"Pixel Classification"
        file["PixelClassification/LabelNames"] = np.array([n.encode() for n in names])
        sets = file.create_group("PixelClassification/LabelSets")
        for number, lane in enumerate(lanes):
            info = file.create_group(f"Input Data/infos/lane{number:04}/Raw Data")
            info["filePath"] = lane["name"].encode()
            info["nickname"] = b"short"
            info["location"] = b"FileSystem"
            info["shape"] = np.array(lane["shape"])
            info["axistags"] = axistags(lane["axes"]).encode()
            group = sets.create_group(f"labels{number:03}")
            for place, (starts, values) in enumerate(lane.get("blocks", ())):
                block = group.create_dataset(f"block{place:04}", data=values, compression="gzip")
                ends = [s + n for s, n in zip(starts, values.shape, strict=True)]
                pairs = zip(starts, ends, strict=True)
                text = "[" + ",".join(f"{a}:{b}" for a, b in pairs) + "]"
                block.attrs["blockSlice"] = text.encode()
                if "tags" in lane:
                    block.attrs["axistags"] = axistags(lane["tags"])
    return path


STROKE = np.array([[1, 1, 0], [0, 2, 2]], np.uint8)


def in_axes(values: np.ndarray, axes: str) -> np.ndarray:
    """``(Y, X)`` with an axis of length 1 for each other letter, in their order."""
    order = [axes.replace("c", "").replace("z", "").replace("t", "").index(a) for a in "yx"]
    plane = values.transpose(np.argsort(order))
    return plane.reshape([{"y": 2, "x": 3}.get(axis, 1) for axis in axes])


def test_labels_of_two_images(tmp_path: Path) -> None:
    lanes = [
        {
            "name": "C:\\data\\a.tif",
            "axes": "yxc",
            "shape": (20, 30, 3),
            "blocks": [((4, 5, 0), STROKE[..., None]), ((10, 0, 0), STROKE[..., None])],
        },
        {"name": "/data/b.tif", "axes": "yx", "shape": (8, 9)},
        {
            "name": "stacks.h5/volume/data",
            "axes": "zyx",
            "shape": (4, 8, 9),
            "tags": "zyxc",
            "blocks": [((2, 1, 1, 0), STROKE[None, ..., None])],
        },
    ]
    path = make_project(tmp_path / "cells.ilp", lanes)
    assert ilastik.looks_like(path, path.read_bytes()[:HEAD_BYTES])
    found = ilastik.contents(path)
    assert found.class_names == ("ER", "background")
    assert found.notes == ("1 image of the project has no labels.",)
    assert [(i.image_name, i.height, i.width, i.shapes) for i in found.images] == [
        ("a.tif", 20, 30, "classes"),
        ("stacks", 8, 9, "classes"),
    ]
    read = ilastik.read(path, found.images[0].key, (1, 20, 30))
    assert read.objects is None
    assert read.classes == {1: "ER", 2: "background"}
    assert read.labels is not None
    wanted = np.full((1, 20, 30), -1)
    painted = np.where(STROKE > 0, STROKE.astype(int), -1)
    wanted[0, 4:6, 5:8] = wanted[0, 10:12, 0:3] = painted
    assert np.array_equal(read.labels, wanted)
    volume = ilastik.read(path, found.images[1].key, (4, 8, 9))
    assert volume.labels is not None
    assert np.array_equal(volume.labels[2, 1:3, 1:4], painted)
    assert (volume.labels[[0, 1, 3]] == -1).all()


@pytest.mark.parametrize("axes", ["tzyxc", "txyzc", "zyxc", "yxc", "xyc", "cyx", "yx"])
def test_axes_in_every_order(tmp_path: Path, axes: str) -> None:
    lengths = {"t": 1, "z": 1, "c": 3, "y": 6, "x": 7}
    lane: dict[str, Any] = {
        "name": "a.png",
        "axes": axes,
        "shape": [lengths[axis] for axis in axes],
        "blocks": [([{"y": 2, "x": 3}.get(axis, 0) for axis in axes], in_axes(STROKE, axes))],
    }
    path = make_project(tmp_path / "a.ilp", [lane])
    (image,) = ilastik.contents(path).images
    labels = ilastik.read(path, image.key, (1, 6, 7)).labels
    assert labels is not None
    assert np.array_equal(np.maximum(labels[0, 2:4, 3:6], 0), STROKE)


def test_time_points_follow_each_other(tmp_path: Path) -> None:
    lane: dict[str, Any] = {
        "name": "movie.tif",
        "axes": "tyx",
        "shape": (3, 6, 7),
        "tags": "tyxc",
        "blocks": [((2, 0, 0, 0), STROKE[None, ..., None])],
    }
    path = make_project(tmp_path / "a.ilp", [lane])
    labels = ilastik.read(path, "lane0000", (3, 6, 7)).labels
    assert labels is not None
    assert np.unique(np.nonzero(labels > 0)[0]).tolist() == [2]


def test_labels_without_a_name_stay_unlabelled(tmp_path: Path) -> None:
    lane = {"name": "a.png", "axes": "yx", "shape": (6, 7), "blocks": [((0, 0), STROKE)]}
    path = make_project(tmp_path / "a.ilp", [lane], names=("only",))
    read = ilastik.read(path, "lane0000", (1, 6, 7))
    assert read.labels is not None
    assert sorted(np.unique(read.labels)) == [-1, 1]
    assert read.notes == ("2 pixels have a label without a name and were left unlabelled.",)


def test_exported_labels_and_segmentations_are_label_images(tmp_path: Path) -> None:
    path = tmp_path / "a_Simple Segmentation.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("exported_data", data=np.ones((6, 7, 1), np.uint8))
        data.attrs["axistags"] = axistags("yxc")
    header = read_header(path)
    assert (header.planes, header.height, header.width) == (1, 6, 7)


# -- refused --------------------------------------------------------------------------------------


def refused(path: Path, match: str, shape: tuple[int, int, int] = (1, 6, 7)) -> None:
    with pytest.raises(ReadError, match=match) as told:
        ilastik.contents(path)
        ilastik.read(path, "lane0000", shape)
    assert "\n" not in str(told.value)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    lane = {"name": "a.png", "axes": "yx", "shape": (6, 7), "blocks": [((0, 0), STROKE)]}
    return make_project(tmp_path / "a.ilp", [lane])


BLOCK = "PixelClassification/LabelSets/labels000/block0000"


def test_projects_without_labels_say_so(tmp_path: Path, project: Path) -> None:
    lane = {"name": "a.png", "axes": "yx", "shape": (6, 7)}
    refused(make_project(tmp_path / "b.ilp", [lane]), "Nothing is painted")
    with h5py.File(project, "a") as file:
        del file["PixelClassification"]
        del file["workflowName"]
        file["workflowName"] = b"Counting\n"
    refused(project, "of the workflow “Counting” without labels")
    with h5py.File(tmp_path / "c.ilp", "w") as file:
        file["x"] = 1
    refused(tmp_path / "c.ilp", "is an ilastik project without labels")


def test_another_size_than_the_image(project: Path) -> None:
    refused(project, "is 6 × 7 in the ilastik project .*, but the image is 9 × 7", (1, 9, 7))


@pytest.mark.parametrize("where", [b"[0:2,0:4]", b"[5:7,5:8]", b"nonsense", b"[0:2]", b""])
def test_blocks_that_lie_about_their_place(project: Path, where: bytes) -> None:
    with h5py.File(project, "a") as file:
        file[BLOCK].attrs["blockSlice"] = where
    refused(project, "damaged|outside the image")


def test_blocks_that_lie_elsewhere_are_not_followed(tmp_path: Path, project: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(b"\x01" * 6)
    with h5py.File(project, "a") as file:
        del file[BLOCK]
        outside = file.create_dataset(BLOCK, (2, 3), np.uint8, external=[(os.fspath(secret), 0, 6)])
        outside.attrs["blockSlice"] = b"[0:2,0:3]"
    refused(project, "damaged")
    with h5py.File(project, "a") as file:
        del file[BLOCK]
        file[BLOCK] = h5py.ExternalLink(os.fspath(tmp_path / "other.h5"), "/data")
    read = ilastik.read(project, "lane0000", (1, 6, 7))
    assert read.labels is not None
    assert (read.labels == -1).all()


def test_blocks_too_large_are_refused_before_they_are_read(project: Path) -> None:
    with h5py.File(project, "a") as file:
        del file[BLOCK]
        side = 60_000
        block = file.create_dataset(BLOCK, (side, side), np.uint8, chunks=True, compression="gzip")
        block.attrs["blockSlice"] = f"[0:{side},0:{side}]"
    refused(project, "too large")


def test_truncated_and_foreign_files(tmp_path: Path, project: Path) -> None:
    raw = project.read_bytes()
    cut = tmp_path / "cut.ilp"
    cut.write_bytes(raw[: len(raw) // 2])
    refused(cut, "damaged")
    text = tmp_path / "text.ilp"
    text.write_text("hello")
    assert not ilastik.looks_like(text, b"hello")
    refused(text, "damaged")
