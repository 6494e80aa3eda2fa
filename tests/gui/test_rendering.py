"""Voxels to screen pixels, against obvious references."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.classes import default_classes
from orgseg_app.gui.canvas.decorations import bar_length
from orgseg_app.gui.canvas.rendering import (
    PlanePyramid,
    auto_levels,
    class_colours,
    compose,
    tint,
    to_bytes,
    value_range,
)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_contrast_is_linear_between_its_limits(dtype: type) -> None:
    values = np.array([[0, 50, 100, 150, 250]], dtype)
    assert to_bytes(values, 50, 150).tolist() == [[0, 0, 128, 255, 255]]
    assert to_bytes(values, 50, 50).tolist() == [[0, 0, 255, 255, 255]]


def test_not_a_number_is_black_and_infinity_white() -> None:
    values = np.array([[np.nan, np.inf, -np.inf, 1]], np.float32)
    assert to_bytes(values, 0, 2).tolist() == [[0, 255, 0, 128]]
    assert auto_levels(np.full((1, 4, 4), np.nan, np.float32)) == ((0.0, 1.0),)
    assert value_range(np.full((1, 4, 4), np.nan, np.float32)) == (0.0, 1.0)


def test_a_large_16_bit_image_takes_the_table_and_gives_the_same() -> None:
    values = np.random.default_rng(0).integers(0, 65535, (300, 300)).astype(np.uint16)
    by_table = to_bytes(values, 1000, 50_000, 1.4)
    small = np.concatenate([to_bytes(part, 1000, 50_000, 1.4) for part in np.split(values, 10)])
    assert np.abs(by_table.astype(int) - small).max() <= 1


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.05, 1.0), st.floats(0, 5))
@settings(max_examples=50, deadline=None)
def test_zoomed_in_every_voxel_is_itself(
    height: int, width: int, step: float, start: float
) -> None:
    plane = np.arange(height * width, dtype=np.float32).reshape(1, height, width)
    got = PlanePyramid(plane).sample(start, start, step, (7, 9))[0]
    rows = np.clip(np.floor(start + step * np.arange(7)), 0, height - 1).astype(int)
    columns = np.clip(np.floor(start + step * np.arange(9)), 0, width - 1).astype(int)
    assert np.array_equal(got, plane[0][rows][:, columns])


@pytest.mark.parametrize("step", [1.7, 2.0, 3.3, 8.0, 15.0])
def test_zoomed_out_a_ramp_stays_a_ramp(step: float) -> None:
    ramp = np.tile(np.arange(800, dtype=np.float32), (600, 1))[None]
    got = PlanePyramid(ramp).sample(20, 40, step, (30, 40))[0]
    expected = 40 + step * np.arange(40) - 0.5
    assert np.abs(got - expected).max() < 0.6


def test_channels_add_up_and_can_be_hidden() -> None:
    bright = np.full((2, 2), 255, np.uint8)
    dark = np.zeros((2, 2), np.uint8)
    levels = ((0.0, 255.0),) * 3
    cyan_magenta_yellow = compose([bright, bright, bright], levels)
    assert cyan_magenta_yellow[0, 0].tolist() == [255, 255, 255, 255]
    only_cyan = compose([bright, bright, dark], levels, visible=(True, False, True))
    assert only_cyan[0, 0].tolist() == [255, 255, 0, 255]
    red = compose([bright, dark, dark], levels, is_rgb=True)
    assert red[0, 0].tolist() == [0, 0, 255, 255]


def test_outlines_lie_inside_the_structure_and_background_has_none() -> None:
    values = np.ones((20, 20), np.uint8)
    values[6:14, 6:14] = 2
    colours = class_colours(default_classes(["a"]), opacity=0.4)
    shown = tint(values, colours, outline=2)
    alpha = shown >> 24
    assert alpha.shape == (16, 16)
    assert alpha[4, 4] == 255  # the corner of the square
    assert alpha[8, 8] == 102  # its middle
    assert alpha[1, 1] == 51  # background, half as strong
    assert (alpha[:4] == 51).all()


def test_unlabelled_is_invisible_or_hatched() -> None:
    values = np.zeros((32, 32), np.uint8)
    colours = class_colours(default_classes(["a"]))
    assert not tint(values, colours, outline=1).any()
    hatched = tint(values, colours, outline=1, hatch_unlabelled=True)
    assert 0.05 < (hatched > 0).mean() < 0.3
    moved = tint(values, colours, outline=1, hatch_unlabelled=True, offset_yx=(3, 5))
    assert np.array_equal(hatched[3:, 5:], moved[:-3, :-5])


@pytest.mark.parametrize("zoom", [0.01, 0.1, 0.37, 1, 3, 17, 64])
@pytest.mark.parametrize("pixel_size", [None, 0.004, 0.11, 2.5])
def test_the_scale_bar_is_round_and_fits(zoom: float, pixel_size: float | None) -> None:
    length, text = bar_length(zoom, pixel_size)
    assert 10 < length <= 141
    value, unit = text.split(" ")
    in_um = {"nm": 1e-3, "µm": 1, "mm": 1e3, "px": 1}[unit] * float(value)
    assert length == pytest.approx(in_um / (pixel_size or 1) * zoom)
    assert value.strip("0.")[0] in "125"
