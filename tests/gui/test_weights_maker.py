"""Weights are set with mouse and keys, seen on the canvas at once, then made and kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.core.weighting.maker import WeightMaker, largest
from orgseg_app.core.weighting.settings import PRODUCT, EdgePair, WeightSettings
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.files.weights import has_weights, weights_plane
from orgseg_app.gui.canvas import weights_preview
from orgseg_app.gui.canvas.weights_layer import weight_values
from orgseg_app.gui.panels.weights_maker import WeightsMaker
from tests.e2e.hand import LEFT, Hand
from tests.gui.panel_session import nameless_controls

SHAPE = (3, 60, 80)


def painted(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    coarse = random.choice([1, 1, 2, 3], (3, 10, 10))
    mask = np.kron(coarse, np.ones((1, 6, 8), int)).astype(np.uint8)
    mask[:, :6] = 0
    return mask


@pytest.fixture
def hand(qapp: object, tmp_path: Path) -> Iterator[Hand]:
    random = np.random.default_rng(0)
    with ProjectFile.create(tmp_path / "p.orgseg", default_classes(["ER", "core"])) as file:
        pixels = random.integers(0, 4000, (1, *SHAPE)).astype(np.uint16)
        file.add_images(
            [
                NewImage(open_array("stack", pixels), "train", painted(0), None),
                NewImage(open_array("flat", pixels[0, 0]), "train", painted(1)[:1], None),
                NewImage(open_array("bare", pixels[0, 1]), "train"),
            ]
        )
    hand = Hand()
    hand.open(tmp_path / "p.orgseg")
    hand.session.select_image(hand.images[0].image_id, 1)
    hand.rest()
    hand.said.clear()
    yield hand
    hand.close()


def opened(hand: Hand) -> WeightsMaker:
    hand.action("make_weights")
    ready(hand)
    maker = hand.parts.weights_section.maker
    assert maker.isVisible()
    return maker


def ready(hand: Hand) -> None:
    preview = hand.parts.weights.preview
    hand.wait(lambda: preview.is_idle and (preview.tried or preview.problem), 20, "a preview")


def expected(hand: Hand, asked: WeightSettings, *, with_all: bool = False) -> np.ndarray:
    """The weights of the plane on the canvas, as they will be kept."""
    session = hand.session
    masks = [session.mask(i.image_id) for i in hand.images] if with_all else [session.mask()]
    voxels: dict[int, int] = {}
    for mask in masks:
        for class_id, count in mask.counts().items():
            voxels[class_id] = voxels.get(class_id, 0) + count
    maker = WeightMaker(asked, [info.class_id for info in session.classes], voxels)
    peaks = (0.0,) * len(maker.directions)
    for z in session.mask().planes():
        peaks = largest(peaks, maker.peaks(session.mask().plane(z)))
    return maker.weights(session.mask().plane(session.z), peaks)


def shown(hand: Hand, asked: WeightSettings, *, with_all: bool = False) -> None:
    """The canvas shows exactly what these settings give, and nothing over it."""
    ready(hand)
    hand.rest()
    tried = hand.parts.weights.preview.tried
    wanted = expected(hand, asked, with_all=with_all)
    np.testing.assert_allclose(tried.weights, wanted, rtol=1e-4, atol=1e-4)
    layers = hand.parts.canvas.painted_layers
    assert len(layers) == 1
    found = layers[0].overlay.sample(hand.session.z, np.arange(60), np.arange(80))
    np.testing.assert_array_equal(found, weight_values(tried.weights, tried.ends))


def type_in(number: Any, text: str) -> None:
    number.setFocus()
    number.selectAll()
    QTest.keyClicks(number, text)
    QTest.keyClick(number, Qt.Key.Key_Return)


def test_what_is_set_is_seen_at_once(hand: Hand) -> None:
    assert not hand.parts.weights_section.isVisible()
    maker = opened(hand)
    assert nameless_controls(maker) == []
    shown(hand, WeightSettings())
    assert "background" in maker.said.text()
    type_in(maker.strength.number, "7.5")
    shown(hand, WeightSettings(strength=7.5))
    type_in(maker.reach.number, "12")
    shown(hand, WeightSettings(strength=7.5, reach=12))
    type_in(maker.floor.number, "0.4")
    shown(hand, WeightSettings(strength=7.5, reach=12, floor=0.4))
    QTest.mouseClick(maker.combine.button(PRODUCT), LEFT)
    shown(hand, WeightSettings(strength=7.5, reach=12, floor=0.4, combine=PRODUCT))
    maker.balance.setFocus()
    QTest.keyClick(maker.balance, Qt.Key.Key_Space)
    assert not maker.balance.isChecked()
    assert maker.combine_row.isHidden()
    maker.edges.setFocus()
    QTest.keyClick(maker.edges, Qt.Key.Key_Space)
    assert maker.edge_parts.isHidden()
    asked = maker.value()
    assert asked is not None
    assert not asked.edges
    shown(hand, asked)
    hand.session.select_plane(2)
    shown(hand, asked)
    QTest.keyClick(maker.balance, Qt.Key.Key_Escape)
    assert not hand.parts.weights_section.isVisible()
    assert len(hand.parts.canvas.painted_layers) == 1  # the mask again
    assert not any(has_weights(hand.session.file, i.image_id) for i in hand.images)
    hand.quiet()


def test_pairs_of_classes_and_classes_left_out(hand: Hand) -> None:
    maker = opened(hand)
    QTest.mouseClick(maker.add_pair, LEFT)
    shown(hand, WeightSettings(pairs=(EdgePair((2, 3), (1,)),)))
    row = maker.rows[0]
    row.source.setFocus()
    QTest.keyClick(row.source, Qt.Key.Key_End)  # core
    assert row.pair() == EdgePair((3,), (1,))
    row.target.setFocus()
    QTest.keyClick(row.target, Qt.Key.Key_End)
    assert row.pair() is None
    assert maker.value() is None
    assert not maker.make_button.isEnabled()
    assert "no edge with itself" in maker.said.text()
    QTest.keyClick(row.target, Qt.Key.Key_Home)  # all others
    assert row.pair() == EdgePair((3,), (1, 2))
    QTest.mouseClick(row.both, LEFT)
    shown(hand, WeightSettings(pairs=(EdgePair((3,), (1, 2), both=False),)))
    maker.left_out_menu.actions()[1].trigger()
    assert maker.left_out.text() == "ER"
    shown(hand, WeightSettings(pairs=(EdgePair((3,), (1, 2), both=False),), left_out=(2,)))
    QTest.mouseClick(row.remove, LEFT)
    shown(hand, WeightSettings(left_out=(2,)))
    hand.session.add_class("new")
    assert [a.text() for a in maker.left_out_menu.actions()][-1] == "new"
    assert maker.left_out.text() == "ER"


def test_a_stroke_is_weighed_at_once(hand: Hand) -> None:
    opened(hand)
    before = hand.parts.weights.preview.tried.weights
    hand.session.select_class(3)
    hand.stroke()
    ready(hand)
    assert not np.array_equal(hand.parts.weights.preview.tried.weights, before)
    shown(hand, WeightSettings())


def test_stale_results_are_dropped(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    maker = opened(hand)
    seen: list[float] = []
    preview = hand.parts.weights.preview
    preview.changed.connect(
        lambda: seen.append(preview.tried.weights.max()) if preview.tried else None
    )
    go = threading.Event()
    real = WeightMaker.weights

    def slow(self: WeightMaker, *more: Any) -> np.ndarray:
        if self.settings.strength == 50:
            go.wait(20)
        return real(self, *more)

    monkeypatch.setattr(WeightMaker, "weights", slow)
    started = time.monotonic()
    maker.strength.number.setValue(50)
    hand.rest(0.2)
    maker.strength.number.setValue(3)
    hand.rest(0.1)
    assert time.monotonic() - started < 15  # nobody waited for it
    go.set()
    shown(hand, WeightSettings(strength=3))
    assert max(seen) < 10


def test_made_for_one_image_and_then_for_all(hand: Hand) -> None:
    maker = opened(hand)
    type_in(maker.strength.number, "4")
    image_id = hand.session.image_id
    ready(hand)
    wanted = expected(hand, WeightSettings(strength=4))
    QTest.mouseClick(maker.make_button, LEFT)
    hand.settle()
    hand.heard("info", "“stack” has weights from 0 to", "Trainings count voxels by them")
    assert not maker.isVisible()
    hand.wait(lambda: len(hand.parts.canvas.painted_layers) == 2, 10, "weights and mask")
    np.testing.assert_array_equal(weights_plane(hand.session.file, image_id, 1), wanted)
    assert not has_weights(hand.session.file, hand.images[1].image_id)
    QTest.mouseClick(hand.parts.weights_section.make, LEFT)
    assert maker.isVisible()
    hand.rest()
    assert maker.strength.value() == 4  # as it was left
    QTest.mouseClick(maker.scope.button("painted"), LEFT)
    assert hand.parts.weights.preview.with_all
    shown(hand, WeightSettings(strength=4), with_all=True)
    wanted = expected(hand, WeightSettings(strength=4), with_all=True)
    hand.answer = False
    QTest.mouseClick(maker.make_button, LEFT)
    assert [title for title, _ in hand.asked] == ["Replace the weights of stack?"]
    assert maker.isVisible()
    hand.answer = True
    QTest.mouseClick(maker.make_button, LEFT)
    hand.settle()
    hand.heard("info", "2 images have weights from")
    np.testing.assert_array_equal(weights_plane(hand.session.file, image_id, 1), wanted)
    assert [has_weights(hand.session.file, i.image_id) for i in hand.images] == [True, True, False]
    hand.action("remove_weights")
    hand.settle()
    assert not has_weights(hand.session.file, image_id)
    hand.goes_on()


def test_esc_stops_the_making(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    maker = opened(hand)
    go, real = threading.Event(), WeightMaker.peaks

    def slow(self: WeightMaker, plane: np.ndarray) -> Any:
        go.wait(20)
        return real(self, plane)

    monkeypatch.setattr(WeightMaker, "peaks", slow)
    QTest.mouseClick(maker.make_button, LEFT)
    hand.rest()
    assert hand.session.working.title == "Making weights"
    assert not maker.make_button.isEnabled()
    QTest.keyClick(maker.balance, Qt.Key.Key_Escape)
    go.set()
    hand.settle()
    hand.heard("info", "Making weights was cancelled; nothing was changed")
    assert maker.isVisible()
    assert maker.make_button.isEnabled()
    assert not any(has_weights(hand.session.file, i.image_id) for i in hand.images)


def test_what_cannot_be_shown_is_said(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    maker = opened(hand)
    hand.session.select_image(hand.images[2].image_id)
    ready(hand)
    assert "Nothing is painted" in maker.said.text()
    QTest.mouseClick(maker.make_button, LEFT)
    hand.settle()
    hand.heard("error", "Nothing that counts is painted there yet", "Nothing was changed")
    monkeypatch.setattr(weights_preview, "MOST_VOXELS", 100)
    hand.session.select_image(hand.images[1].image_id)
    ready(hand)
    assert "too large to show its weights" in maker.said.text()
    QTest.mouseClick(maker.make_button, LEFT)
    hand.settle()
    hand.heard("info", "“flat” has weights from")
    hand.action("make_weights")
    hand.action("close_project")
    assert not maker.isVisible()
