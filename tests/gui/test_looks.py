"""How images are shown: colour maps, contrast, gamma, remembered image by image."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.gui.canvas import colour_maps
from orgseg_app.gui.canvas.options import DisplayOptions
from orgseg_app.gui.canvas.rendering import compose, to_bytes

LEVELS = ((0.0, 255.0),) * 3


@pytest.mark.parametrize("name", colour_maps.NAMES)
def test_every_map_has_its_colours(name: str) -> None:
    brightness = np.arange(256, dtype=np.uint8).reshape(16, 16)
    shown = colour_maps.coloured(brightness, name)
    assert shown.shape == (16, 16, 4)
    assert (shown[..., 3] == 255).all()
    np.testing.assert_array_equal(shown[..., 2::-1].reshape(256, 3), colour_maps.colours(name))


@pytest.mark.parametrize("name", [n for n in colour_maps.NAMES if n != colour_maps.INVERTED])
def test_brighter_looks_brighter(name: str) -> None:
    """Also for those who do not tell red from green: luminance grows all the way."""
    luminance = colour_maps.colours(name).astype(float) @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(luminance[::16]) > 0).all()


def test_ramps_end_in_their_colour_and_begin_in_black() -> None:
    for name, colour in colour_maps.RAMPS.items():
        table = colour_maps.colours(name)
        assert table[0].tolist() == [0, 0, 0]
        assert tuple(table[255].tolist()) == colour
    assert colour_maps.colours(colour_maps.INVERTED)[0].tolist() == [255, 255, 255]
    with pytest.raises(KeyError):
        colour_maps.colours("rainbow")


def test_channels_take_the_colours_chosen() -> None:
    rng = np.random.default_rng(0)
    channels = [rng.integers(0, 256, (7, 9)).astype(np.uint8) for _ in range(3)]
    maps = ("red", "", "viridis")
    got = compose(channels, LEVELS, maps=maps)
    expected = np.zeros((7, 9, 3), int)
    for channel, name in zip(channels, ("red", "magenta", "viridis"), strict=True):
        expected += colour_maps.colours(name)[channel]
    np.testing.assert_array_equal(got[..., 2::-1], np.minimum(expected, 255))
    assert (got[..., 3] == 255).all()
    nothing = compose(channels, LEVELS, maps=maps, visible=(False,) * 3)
    assert nothing[..., :3].max() == 0
    assert (nothing[..., 3] == 255).all()


def test_a_single_channel_is_grey_until_a_map_is_chosen() -> None:
    channel = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert compose([channel], LEVELS).ndim == 2
    assert compose([channel], LEVELS, maps=("grey",)).ndim == 2
    got = compose([channel], LEVELS, maps=("magma",))
    np.testing.assert_array_equal(got[..., 2::-1], colour_maps.colours("magma")[channel])
    assert not compose([channel], LEVELS, maps=("magma",), visible=(False,))[..., :3].any()


def test_a_colour_picture_keeps_its_colours() -> None:
    channels = [np.full((2, 2), value, np.uint8) for value in (10, 20, 30)]
    got = compose(channels, LEVELS, is_rgb=True, maps=("magma", "red", "green"))
    assert got[0, 0].tolist() == [30, 20, 10, 255]


@given(
    low=st.floats(-500, 70_000),
    span=st.floats(1, 70_000),
    gamma=st.sampled_from([1.0, 1.0, 0.5, 2.2]),
)
@settings(max_examples=80, deadline=None)
def test_large_16_bit_planes_are_as_bright_as_small_ones(
    low: float, span: float, gamma: float
) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (300, 300)).astype(np.uint16)
    unit = np.clip((values.astype(float) - low) / span, 0, 1) ** (1 / gamma)
    got = to_bytes(values, low, low + span, gamma)
    assert np.abs(got.astype(float) - 255 * unit).max() <= 1.01


# -- remembered ------------------------------------------------------------------------------------


def show(display: DisplayOptions, image_id: str, channels: int = 2) -> None:
    names = tuple(f"channel {n}" for n in range(channels))
    display.set_image(names, ((0.0, 100.0),) * channels, (0.0, 4000.0), image_id)


def test_each_image_is_shown_as_it_was_left() -> None:
    display = DisplayOptions()
    show(display, "a")
    display.set_levels(1, 5, 50)
    display.set_colour(0, "viridis")
    display.set_channel_visible(1, False)
    display.update(gamma=2.0)
    show(display, "b")
    assert (display.levels, display.gamma, display.channels) == ((), 1.0, (True, True))
    assert display.colour(0) == "cyan"
    show(display, "a")
    assert display.levels == ((0.0, 100.0), (5.0, 50.0))
    assert [display.colour(n) for n in range(2)] == ["viridis", "magenta"]
    assert (display.gamma, display.channels) == (2.0, (True, False))


def test_looks_survive_json_and_only_what_was_chosen_is_kept() -> None:
    display = DisplayOptions()
    show(display, "a")
    show(display, "b")
    display.set_colour(1, "orange")
    display.update(gamma=0.5)
    kept = json.loads(json.dumps(display.looks()))
    assert kept == {"b": {"colours": ["", "orange"], "gamma": 0.5}}
    again = DisplayOptions()
    show(again, "b")
    changes: list[bool] = []
    again.changed.connect(lambda: changes.append(True))
    again.remember_looks(kept)
    assert (again.colour(1), again.gamma) == ("orange", 0.5)
    assert changes
    again.set_colour(1, "")
    again.update(gamma=1.0)
    assert again.looks() == {}


@pytest.mark.parametrize(
    "look",
    [
        {"levels": [[1, 2]]},
        {"levels": [[1, 2], [3, "x"]]},
        {"levels": [[1, 2], [9, 3]]},
        {"levels": [[1, 2], [float("nan"), 3]]},
        {"levels": [[1, 2], [0, 10**400]]},
        {"channels": [False, False]},
        {"channels": "yes"},
        {"colours": ["nothing of the kind", 7]},
        {"colours": [["grey"], {}]},
        {"gamma": "much"},
        {"gamma": True},
        {"gamma": float("nan")},
        {"gamma": 10**400},
    ],
)
def test_looks_that_make_no_sense_are_left_out(look: dict[str, object]) -> None:
    display = DisplayOptions()
    display.remember_looks({"a": look, "b": 3})
    show(display, "a")
    assert display.levels == ()
    assert display.channels == (True, True)
    assert [display.colour(n) for n in range(2)] == ["cyan", "magenta"]
    assert display.gamma == 1.0


def test_gamma_stays_in_its_bounds() -> None:
    display = DisplayOptions()
    display.remember_looks({"a": {"gamma": 90}})
    show(display, "a")
    assert display.gamma == 5.0


def test_automatic_asks_for_what_is_looked_at() -> None:
    display = DisplayOptions()
    show(display, "a")
    display.auto_wanted.connect(lambda: display.set_auto(((7.0, 8.0),) * 2, (-3.0, 60.0)))
    display.set_levels(0, 1, 2)
    display.reset_levels()
    assert display.shown_levels() == ((7.0, 8.0), (7.0, 8.0))
    assert display.value_range == (-3.0, 4000.0)
    with pytest.raises(ValueError, match="rainbow"):
        display.set_colour(0, "rainbow")
