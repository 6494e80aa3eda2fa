"""Sections in tiles against the plain array, near and far, with and without stored levels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.mask import Mask
from orgseg_app.core.project import ProjectImage
from orgseg_app.gui.canvas.section_voxels import (
    XZ,
    YZ,
    SectionMask,
    SectionPicture,
    SectionRequest,
    read_section,
    slab_at,
)
from orgseg_app.gui.canvas.tile_cache import LOST, TileCache
from orgseg_app.gui.canvas.tile_loading import NoPartsError


class Volume:
    """Voxels ``(C, Z, Y, X)`` with stored levels, as a project file gives them."""

    def __init__(self, voxels: np.ndarray, levels: int = 0, parts: bool = True) -> None:
        self.voxels = voxels
        self.has_parts = parts
        c, _, height, width = voxels.shape
        self.image = ProjectImage(
            "v", "v", voxels.shape, voxels.dtype.name, False, ("",) * c, None, "", "train"
        )
        self.sizes = [(-(-height >> k), -(-width >> k)) for k in range(levels + 1)]
        self.asked: list[SectionRequest] = []
        self.cache = TileCache()

    def read_part(self, image_id: str, z: int, y0: int, x0: int, y1: int, x1: int) -> Any:
        return self.voxels[:, z, y0:y1, x0:x1] if self.has_parts else None

    def read_level(self, image_id: str, level: int, z: int, *box: int) -> Any:
        y0, x0, y1, x1 = box
        step = 2**level
        return self.voxels[:, z, ::step, ::step][:, y0:y1, x0:x1]

    def want(self, requests: Sequence[SectionRequest]) -> None:
        self.asked += requests

    def picture(self, kind: str, position: int, stretch: float = 1.0) -> SectionPicture:
        return SectionPicture(
            self.image, kind, position, self.sizes, stretch, self.cache, self.want
        )

    def bring(self) -> None:
        """What was asked for comes."""
        for request in self.asked:
            try:
                tile = read_section(self, self.image, request)  # type: ignore[arg-type]
            except NoPartsError:
                tile = None
            self.cache.put(request.key, LOST if tile is None else tile)
        self.asked.clear()


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 60000, shape).astype(np.uint16)


VOLUME = noise(2, 41, 330, 290)


@settings(max_examples=40)
@given(
    kind=st.sampled_from([XZ, YZ]),
    position=st.integers(0, 289),
    start=st.tuples(st.floats(0, 40), st.floats(0, 280)),
    step=st.sampled_from([0.05, 0.3, 1.0]),
    stretch=st.sampled_from([0.4, 1.0, 2.3, 7.0]),
)
def test_near_every_voxel_is_the_square_it_is(
    kind: str, position: int, start: tuple[float, float], step: float, stretch: float
) -> None:
    step_z = step / stretch
    if step_z >= 2:
        return  # then planes are left out
    volume = Volume(VOLUME)
    picture = volume.picture(kind, position, stretch)
    size = (30, 50)
    z = np.clip(np.floor(start[0] + step_z * np.arange(30)), 0, 40).astype(int)
    length = 290 if kind == XZ else 330
    a = np.clip(np.floor(start[1] + step * np.arange(50)), 0, length - 1).astype(int)
    whole = VOLUME[:, :, position] if kind == XZ else VOLUME[:, :, :, position]
    place = (start, size) if kind == XZ else (start[::-1], size[::-1])
    picture.sample(*place[0], step, place[1])
    volume.bring()
    seen = picture.sample(*place[0], step, place[1])
    assert not volume.asked
    for channel in range(2):
        expected = whole[channel][np.ix_(z, a)]
        assert np.array_equal(seen[channel], expected if kind == XZ else expected.T)


@pytest.mark.parametrize("kind", [XZ, YZ])
def test_neighbouring_sections_come_for_nothing(kind: str) -> None:
    volume = Volume(VOLUME)
    volume.picture(kind, 100).sample(0, 0, 1.0, (20, 20))
    volume.bring()
    first, last = slab_at(100, 330 if kind == XZ else 290)
    assert last - first > 8
    for position in range(first, last):
        seen = volume.picture(kind, position).sample(0, 0, 1.0, (20, 20))
        at = (slice(20), position, slice(20)) if kind == XZ else (slice(20), slice(20), position)
        expected = VOLUME[0][at]
        assert np.array_equal(seen[0], expected if kind == XZ else expected.T)
    assert not volume.asked


def test_until_it_is_there_a_coarse_version_stands_in_and_before_that_the_former_section() -> None:
    z, y, x = np.ogrid[:200, :200, :600]
    volume = Volume((7 * z + 3 * y + 20 * x).astype(np.uint16)[np.newaxis], levels=2)
    place = 0.5, 0.5, 1.0, (80, 200)
    volume.picture(XZ, 3).sample(*place)
    volume.bring()
    picture = volume.picture(XZ, 190)
    picture.former = 3
    assert np.array_equal(picture.sample(*place)[0], volume.voxels[0, :80, 3, :200])
    coarse = [r for r in volume.asked if r.key.level == 2]
    assert coarse
    assert volume.asked[: len(coarse)] == coarse  # it comes first
    sharp, volume.asked = volume.asked[len(coarse) :], list(coarse)
    volume.bring()
    blurred = picture.sample(*place)[0].astype(float)
    stride = coarse[0].key.stride
    assert stride > 1
    planes = np.arange(80) // stride * stride + stride // 2  # the middle one stands for the others
    small = volume.voxels[0, :, ::4, ::4][planes, 47]
    halfway = (blurred[:, 1::4] + blurred[:, 2::4]) / 2  # a coarse voxel's middle
    assert np.abs(halfway - small[:, :50])[:, 1:].max() <= 1
    volume.asked = sharp
    volume.bring()
    assert np.array_equal(picture.sample(*place)[0], volume.voxels[0, :80, 190, :200])


def test_from_afar_little_is_read() -> None:
    volume = Volume(noise(1, 900, 40, 2100), levels=3)
    picture = volume.picture(XZ, 20)
    picture.sample(0, 0, 9.0, (100, 230))  # all of it on 100 × 230 screen pixels
    voxels = sum((r.planes[1] - r.planes[0]) * (r.along[1] - r.along[0]) for r in volume.asked)
    assert voxels <= 4 * 100 * 512
    volume.bring()
    assert picture.sample(0, 0, 9.0, (100, 230))[0].shape == (100, 230)
    assert not volume.asked


def test_without_parts_the_stored_levels_are_shown() -> None:
    volume = Volume(noise(1, 12, 64, 64), levels=1, parts=False)
    picture = volume.picture(YZ, 10)
    picture.has_voxels = False
    picture.sample(0, 0, 0.5, (60, 20))
    assert {r.key.level for r in volume.asked} == {1}
    volume.bring()
    assert picture.sample(0, 0, 0.5, (60, 20))[0].any()


@given(
    position=st.integers(0, 19),
    planes=st.lists(st.integers(0, 6), min_size=1, max_size=12).map(sorted),
    along=st.lists(st.integers(0, 19), min_size=1, max_size=12).map(sorted),
)
def test_the_mask_is_cut_as_the_voxels_are(
    position: int, planes: list[int], along: list[int]
) -> None:
    values = np.random.default_rng(2).integers(0, 4, (7, 20, 20)).astype(np.uint8)
    values[3] = 0
    mask = Mask.from_array(values)
    z, a = np.array(planes), np.array(along)
    xz = SectionMask(mask, XZ, position).sample(0, z, a)
    yz = SectionMask(mask, YZ, position).sample(0, a, z)
    assert np.array_equal(xz, values[:, position][np.ix_(z, a)])
    assert np.array_equal(yz, values[:, :, position].T[np.ix_(a, z)])


def test_the_coarse_version_of_a_tiny_volume_is_the_volume() -> None:
    volume = Volume(noise(1, 3, 5, 7))
    picture = volume.picture(XZ, 4, 3.0)
    assert picture.size_yx == (3, 7)
    picture.sample(0.5, 0.5, 1.0, (9, 7))
    volume.bring()
    seen = picture.sample(1 / 6, 0.5, 1.0, (9, 7))[0]
    assert np.array_equal(seen, volume.voxels[0, :, 4].repeat(3, axis=0))
