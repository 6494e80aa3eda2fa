"""Layers over the image: what is asked for, painted in which order, and remembered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from orgseg_app.gui.canvas.layers import (
    DEFAULT_LOOKS,
    KINDS,
    LayerLook,
    LayerSource,
    LayerStack,
    OverlayLayer,
)
from orgseg_app.gui.canvas.options import DisplayOptions
from orgseg_app.gui.canvas.plane_view import PlaneView
from orgseg_app.gui.canvas.rendering import ArrayOverlay
from orgseg_app.gui.viewing.places import restore_display
from tests.e2e.hand import Hand, make_project


class Plain(LayerSource):
    """A layer of one value; counts how often it is asked."""

    def __init__(self, kind: str, value: int = 1, *, is_alone: bool = False) -> None:
        super().__init__()
        self.kind, self.is_alone = kind, is_alone
        self.value, self.asked = value, 0
        self.has_content = True

    def layer(self, image_id: str, z: int, look: LayerLook) -> OverlayLayer | None:
        self.asked += 1
        if not self.has_content:
            return None
        colours = np.zeros((256, 4), np.uint8)
        colours[self.value] = (self.value, 0, 0, round(255 * look.opacity))
        return OverlayLayer(ArrayOverlay(np.full((48, 48), self.value, np.uint8)), colours)


@pytest.fixture
def display(qapp: object) -> DisplayOptions:
    display = DisplayOptions()
    for kind in KINDS:
        display.set_look(kind, visible=True)
    return display


def shown(stack: LayerStack) -> list[int]:
    return [layer.overlay.values[0, 0] for layer in stack.overlays("a", 0)]


def test_the_order_is_that_of_the_kinds(display: DisplayOptions) -> None:
    stack = LayerStack(display)
    for number in (2, 0, 3, 1):
        stack.add(Plain(KINDS[number], number + 1))
    assert shown(stack) == [1, 2, 3, 4]
    stack.add(Plain(KINDS[1], 9))  # in place of the former
    assert shown(stack) == [1, 9, 3, 4]


def test_a_hidden_layer_is_not_asked(display: DisplayOptions) -> None:
    stack, sources = LayerStack(display), [Plain(kind, n) for n, kind in enumerate(KINDS, 1)]
    for source in sources:
        stack.add(source)
    display.set_look("mask", visible=False)
    assert shown(stack) == [1, 2, 4, 5]
    assert [source.asked for source in sources] == [1, 1, 0, 1, 1]


def test_one_that_is_alone_hides_the_others_while_it_has_something(display: DisplayOptions) -> None:
    stack, below = LayerStack(display), Plain("prediction", 1)
    alone = Plain("difference", 2, is_alone=True)
    stack.add(below)
    stack.add(alone)
    assert shown(stack) == [2]
    assert below.asked == 0
    alone.has_content = False
    assert shown(stack) == [1]


def test_a_source_that_is_replaced_is_not_listened_to(
    display: DisplayOptions, qtbot: QtBot
) -> None:
    stack, former, now = LayerStack(display), Plain("mask"), Plain("mask")
    stack.add(former)
    stack.add(now)
    with qtbot.assertNotEmitted(stack.changed):
        former.changed.emit()
    with qtbot.waitSignal(stack.changed):
        now.changed.emit()


def test_layers_are_painted_over_each_other(qtbot: QtBot) -> None:
    view = PlaneView()
    qtbot.addWidget(view)
    view.resize(200, 200)
    view.set_plane(np.zeros((1, 20, 20), np.uint8), levels=[(0, 255)])
    view.show()

    def colour(*layers: tuple[tuple[int, int, int], float]) -> tuple[int, int, int]:
        made = []
        for rgb, opacity in layers:
            table = np.zeros((256, 4), np.uint8)
            table[1] = (*rgb, round(255 * opacity))
            made.append(OverlayLayer(ArrayOverlay(np.ones((20, 20), np.uint8)), table))
        view.set_layers(made)
        found = view.grab().toImage().pixelColor(100, 100)
        return found.red(), found.green(), found.blue()

    red, green = ((200, 0, 0), 1.0), ((0, 200, 0), 0.5)
    assert colour() == (0, 0, 0)
    assert colour(red) == (200, 0, 0)
    assert colour(green, red) == (200, 0, 0)  # the last one is on top
    mixed = colour(red, green)
    assert mixed == pytest.approx((100, 100, 0), abs=2)


def test_looks_make_sense_whoever_wrote_them(qapp: object) -> None:
    display = DisplayOptions()
    display.set_look("weights", opacity=0.25, visible=False)
    display.flip("mask", "fill")
    again = DisplayOptions()
    again.remember_layer_looks(display.layer_looks())
    assert again.layer_looks() == display.layer_looks()
    for odd in (
        {"mask": 3},
        {"mask": {"opacity": 7}},
        {"mask": {"opacity": float("nan"), "visible": "no"}},
        {"mask": {"opacity": True, "outline": None}},
        {"stars": {"visible": True}},
    ):
        again.remember_layer_looks(odd)
        assert again.look("mask") == DEFAULT_LOOKS["mask"], odd
    with pytest.raises(KeyError):
        again.set_look("stars", visible=True)


def test_choices_that_are_none_are_not_taken_up(qapp: object) -> None:
    display = DisplayOptions()
    restore_display(
        display, {"prediction_form": "sound", "pane_shows": "", "prediction_class": "2"}
    )
    assert (display.prediction_form, display.prediction_class) == ("mask", 0)
    assert display.pane_shows == "image"
    restore_display(display, {"prediction_form": "objects", "prediction_class": 3})
    assert (display.prediction_form, display.prediction_class) == ("objects", 3)


@pytest.fixture
def hand(qapp: object) -> Iterator[Hand]:
    hand = Hand()
    yield hand
    hand.close()


@pytest.mark.parametrize("key", [Qt.Key.Key_H, Qt.Key.Key_Tab])
def test_a_held_key_hides_all_layers(hand: Hand, tmp_path: Path, key: Qt.Key) -> None:
    hand.open(make_project(tmp_path / "p.orgseg"))
    canvas = hand.parts.canvas
    canvas.layers.add(Plain("objects"))
    canvas.setFocus()
    assert len(canvas.painted_layers) == 2
    QTest.keyPress(canvas, key)
    hand.wait(lambda: canvas.painted_layers == (), 2, "nothing but the image")
    QTest.keyRelease(canvas, key)
    assert len(canvas.painted_layers) == 2
