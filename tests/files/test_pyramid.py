"""Smaller versions of large planes: right, whole or not there, never a reason to fail."""

from __future__ import annotations

import tracemalloc

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgseg_app.core import contrast
from orgseg_app.core.classes import default_classes
from orgseg_app.core.contrast import auto_levels, value_range
from orgseg_app.core.image import OpenedImage, open_array
from orgseg_app.files.images import pyramid
from orgseg_app.files.images.pyramid import LAST_SIDE, halved, level_sizes
from orgseg_app.files.project_file import NewImage, ProjectFile
from tests.files.projects import only, picture, small_project


def project_with(path, pixels, **fields) -> ProjectFile:
    file = ProjectFile.create(path, default_classes(["ER"]))
    file.add_images([NewImage(open_array("large", pixels, **fields))])
    return file


def whole_level(file, level, z=0):
    height, width = file.levels(only(file))[level - 1]
    return file.read_level(only(file), level, z, 0, 0, height, width)


@given(st.integers(1, 100_000), st.integers(1, 100_000))
def test_sizes_halve_until_the_last_is_small(height, width):
    sizes = level_sizes(height, width)
    assert bool(sizes) == (max(height, width) > 1024)
    for before, after in zip(((height, width), *sizes), sizes, strict=False):
        assert after == (-(-before[0] // 2), -(-before[1] // 2))
        assert max(before) > LAST_SIDE
    if sizes:
        assert max(sizes[-1]) <= LAST_SIDE


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_levels_are_averages(tmp_path, dtype):
    pixels = np.random.default_rng(0).integers(0, 255, (2, 3, 64, 1536)).astype(dtype)
    with project_with(tmp_path / "p.orgseg", pixels) as file:
        assert file.levels(only(file)) == ((32, 768), (16, 384))
        for z in range(3):
            first = whole_level(file, 1, z)
            assert first.dtype == dtype
            slow = pixels[:, z].astype(float).reshape(2, 32, 2, 768, 2).mean((2, 4))
            assert np.abs(first - slow).max() <= 0.5
            np.testing.assert_array_equal(whole_level(file, 2, z), [halved(c) for c in first])
            part = file.read_level(only(file), 1, z, 5, 700, 99, 9999)
            np.testing.assert_array_equal(part, first[:, 5:, 700:])


@pytest.mark.parametrize("shape", [(64, 51), (62, 8), (63, 40)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_piece_by_piece_gives_the_same_and_can_be_given_up(monkeypatch, shape, dtype):
    plane = np.random.default_rng(0).integers(3, 255, shape).astype(dtype)
    if dtype == "float32":
        plane[5, 5], plane[40, 7] = np.nan, np.inf
    smaller, reach = halved(np.nan_to_num(plane)), value_range(plane[None])
    assert reach[1] == (255 if dtype == "uint8" else plane[np.isfinite(plane)].max())
    monkeypatch.setattr(pyramid, "_PIECE_VOXELS", 300)
    monkeypatch.setattr(contrast, "_PIECE_VOXELS", 300)
    asked = []
    np.testing.assert_array_equal(
        halved(np.nan_to_num(plane), lambda: asked.append("halved")), smaller
    )
    assert value_range(plane[None], lambda: asked.append("range")) == reach
    assert asked.count("halved") == (
        0 if shape[0] % 2 else -(-shape[0] // (300 // shape[1] // 2 * 2))
    )
    assert asked.count("range") == (0 if dtype == "uint8" else -(-shape[0] // (300 // shape[1])))


def test_they_are_still_there_after_painting_copying_and_compacting(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 4000, (1, 1, 1100, 700)).astype(np.uint16)
    with project_with(tmp_path / "p.orgseg", pixels) as file:
        before = [whole_level(file, level) for level in (1, 2)]
        file.mask(only(file)).write(0, 5, 5, np.full((9, 9), 2, np.uint8))
        file.save()
        file.save_copy(tmp_path / "copy.orgseg")
        file.compact()
        assert len(file.levels(only(file))) == 2
    for name in ("p", "copy"):
        with ProjectFile.open(tmp_path / f"{name}.orgseg") as file:
            for level in (1, 2):
                np.testing.assert_array_equal(whole_level(file, level), before[level - 1])
            assert file.contrast(only(file), 0) is not None


def test_contrast_is_that_of_the_full_plane(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.gamma(2, 300, (2, 2, 1200, 800)).astype(np.float32)
    pixels[0, 1, 3, 3], pixels[1, 0, 4, 4] = np.nan, np.inf
    with project_with(tmp_path / "p.orgseg", pixels) as file:
        for z in range(2):
            found = file.contrast(only(file), z)
            plane = pixels[:, z]
            np.testing.assert_allclose(found[:, 2:], auto_levels(plane))
            np.testing.assert_allclose(
                found[:, :2], [value_range(plane[c : c + 1]) for c in (0, 1)]
            )
            smoothed = auto_levels(np.stack([halved(halved(c)) for c in plane]))
            assert not np.allclose(found[:, 2:], smoothed, rtol=0.01)  # a level could not tell it


def test_small_images_and_older_projects_have_none(tmp_path):
    with small_project(tmp_path / "p.orgseg", 1) as file:
        assert file.levels(only(file)) == ()
        assert file.contrast(only(file), 0) is None
        assert file.read_level(only(file), 1, 0, 0, 0, 9, 9) is None


@pytest.mark.parametrize(
    "harm", ["group", "level", "shape", "dtype", "block", "missing", "contrast"]
)
def test_damage_costs_the_overview_only(tmp_path, harm):
    path = tmp_path / "p.orgseg"
    pixels = np.random.default_rng(0).integers(0, 4000, (1, 1, 1100, 700)).astype(np.uint16)
    with project_with(path, pixels) as file:
        image_id = only(file)
    with h5py.File(path, "r+") as file:
        group = file["images"][image_id]
        levels = group["levels"]
        if harm == "group":
            del group["levels"]
            group["levels"] = np.zeros(3)
        elif harm == "level":
            del levels["1"]
        elif harm in ("shape", "dtype", "missing"):
            shape = levels["1"].shape
            kind = np.uint8 if harm == "dtype" else np.uint16
            del levels["1"]
            wrong = (1, 1, shape[2], shape[3] + (harm == "shape"))
            levels.create_dataset("1", wrong, kind, chunks=(1, 1, 64, 64), fletcher32=True)
        elif harm == "contrast":
            levels["contrast"][...] = np.nan
        else:
            info = levels["1"].id.get_chunk_info(0)
            offset = info.byte_offset + file.userblock_size
    if harm == "block":
        data = bytearray(path.read_bytes())
        data[offset + 7] ^= 1
        path.write_bytes(data)
    with ProjectFile.open(path) as file:
        found = file.read_level(image_id, 1, 0, 0, 0, 550, 350)
        assert (found is None) == (harm != "contrast")
        assert (file.contrast(image_id, 0) is None) == (harm in ("contrast", "group"))
        assert len(file.levels(image_id)) == (2 if harm in ("block", "missing", "contrast") else 0)
        np.testing.assert_array_equal(file.read_image(image_id), pixels)


def test_importing_a_volume_needs_the_memory_of_a_plane(tmp_path):
    depth, side = 24, 1400
    plane_bytes = side * side * 2

    def read_plane(z):
        return np.full((1, side, side), z, np.uint16)

    volume = OpenedImage(
        "v", "v", (1, depth, side, side), np.dtype(np.uint16), False, ("a",), None, read_plane
    )
    with ProjectFile.create(tmp_path / "p.orgseg", default_classes(["ER"])) as file:
        file.add_images([NewImage(picture())])  # what is imported late is loaded now
        tracemalloc.start()
        file.add_images([NewImage(volume)])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 6 * plane_bytes, peak / plane_bytes
        image_id = list(file.project.images)[1]
        assert file.read_level(image_id, 2, 9, 0, 0, 1, 1)[0, 0, 0] == 9
