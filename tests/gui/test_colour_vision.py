"""Colours of layers are told apart by people with red-green blindness, too."""

from __future__ import annotations

import numpy as np
import pytest

from orgseg_app.core.classes import PALETTE
from orgseg_app.gui.canvas import difference, object_colours, prediction_layer, weights_layer
from tests.gui.colour_vision import VISIONS, least_difference, rgb_of, seen_lab


@pytest.mark.parametrize("vision", VISIONS)
def test_colours_of_objects(vision: str) -> None:
    assert least_difference(rgb_of(object_colours.PALETTE), vision) >= 32


@pytest.mark.parametrize("vision", VISIONS)
def test_colours_of_the_difference(vision: str) -> None:
    assert least_difference(rgb_of(list(difference.COLOURS.values())), vision) >= 40


@pytest.mark.parametrize("vision", VISIONS)
def test_colours_of_the_first_classes(vision: str) -> None:
    assert least_difference(rgb_of(PALETTE[:7]), vision) >= 17


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize(
    "table", [prediction_layer.heat_colours(1.0), weights_layer.weight_colours(1.0)]
)
def test_heat_maps_get_lighter_all_the_way(table: np.ndarray, vision: str) -> None:
    lightness = seen_lab(table[:, :3].astype(float), vision)[::15, 0]
    assert (np.diff(lightness) > 0.5).all()


def test_red_and_green_would_fail() -> None:
    """The measure tells: these two are the classic pair that is confused."""
    pair = rgb_of(["#B05A30", "#7A7A20"])
    assert least_difference(pair, "usual") > 35
    assert least_difference(pair, "deuteranopia") < 15


def test_objects_that_touch_have_other_values() -> None:
    numbers = np.arange(0, 1000, dtype=np.uint32)
    values = object_colours.object_values(numbers)
    assert values[0] == 0
    assert values[1:].min() == 1
    assert all(len(set(values[i : i + 254])) == 254 for i in range(1, 700, 37))
    table = object_colours.object_colours(0.5)
    shown = table[values[1:], :3]
    assert (np.abs(np.diff(shown.astype(int), axis=0)).sum(axis=1) > 60).all()
    assert table[0, 3] == 0
    assert set(table[1:255, 3]) == {128}
    assert not object_colours.object_colours(0.5, fill=False)[:, 3].any()
