"""A linked pane beside the canvas: the same voxels, another layer or another model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.predictions import Prediction, write_predictions
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.files.weights import store_weights
from orgseg_app.gui.canvas import difference
from orgseg_app.gui.canvas.layers import OverlayLayer
from orgseg_app.gui.canvas.linked_pane import LinkedPane
from orgseg_app.gui.canvas.options import PANE_SHOWS, DisplayOptions
from orgseg_app.gui.panels.beside_panel import WORDS, BesidePanel
from orgseg_app.gui.viewing.places import display_state, restore_display
from tests.e2e.hand import Hand
from tests.gui.panel_session import nameless_controls
from tests.gui.recorded_runs import make_project, predicted, record_run

LEFT, NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
SIDE = 96


@pytest.fixture
def hand(tmp_path: Path, qapp: object) -> Iterator[Hand]:
    """Two models, of which both have predicted the first image; a volume comes last."""
    path = tmp_path / "cells ü.orgseg"
    file = make_project(path, class_names=("ER", "nucleus"), side=SIDE)
    first = next(iter(file.project.images))
    truth = file.load_mask(first).to_array()
    for name, quality in (("good", 0.9), ("worse", 0.5)):
        run = record_run(file, name, quality=quality, scored=[])
        guess = predicted(truth, quality, 1)
        likely = np.stack([np.where(guess == c, 220, 10).astype(np.uint8) for c in (2, 3)])
        write_predictions(run.predictions_path, [Prediction(first, guess, likely, (2, 3))])
    volume = np.random.default_rng(0).integers(0, 999, (1, 4, 60, 70)).astype(np.uint16)
    file.add_images([NewImage(open_array("volume", volume), "train")])
    file.close()
    hand = Hand()
    hand.open(path)
    hand.session.select_image(first)
    hand.wait(lambda: len(hand.parts.predictions.runs_for(first)) == 2)
    hand.window.activateWindow()
    hand.parts.canvas.setFocus()
    hand.rest()
    yield hand
    hand.close()


def guesses(hand: Hand, name: str) -> np.ndarray:
    """The mask ``(Y, X)`` a model predicted."""
    quality = {"good": 0.9, "worse": 0.5}[name]
    with ProjectFile.open(hand.session.path, read_only=True) as file:
        truth = file.load_mask(hand.session.image_id).to_array()
    guess: np.ndarray = predicted(truth, quality, 1)[0]
    return guess


def opened(hand: Hand, shows: str = "") -> BesidePanel:
    """The pane, opened by its key, showing something chosen in its heading."""
    if not hand.window.display.side_by_side:
        QTest.keyClick(hand.parts.canvas, Qt.Key.Key_S, Qt.KeyboardModifier.ShiftModifier)
    panel = hand.parts.side_by_side.panel
    assert isinstance(panel, BesidePanel)
    assert hand.parts.area.beside is panel
    if shows:
        choose(panel.shows, shows)
    settle(hand)
    return panel  # type: ignore[no-any-return]


def choose(box: QComboBox, value: str) -> None:
    """Choose in a list with the keyboard."""
    box.setFocus()
    wanted = box.findData(value)
    assert wanted >= 0
    key = Qt.Key.Key_Down if wanted > box.currentIndex() else Qt.Key.Key_Up
    for _ in range(20):
        if box.currentIndex() != wanted:
            QTest.keyClick(box, key)
    assert box.currentData() == value


def settle(hand: Hand) -> None:
    hand.rest(0.05)
    hand.settle()
    reader = hand.parts.predictions._reader
    hand.wait(lambda: reader.background.is_idle)
    pane = hand.parts.side_by_side.panel.pane
    hand.wait(lambda: pane.preview.is_idle)
    hand.rest(0.03)


def layer(panel: BesidePanel) -> OverlayLayer:
    """The one layer over the pane's image."""
    (one,) = panel.pane.painted_layers
    return one


def values(one: OverlayLayer, height: int = SIDE, width: int = SIDE) -> np.ndarray:
    """All values of a layer ``(Y, X)``."""
    return one.overlay.sample(one.z, np.arange(height), np.arange(width))


# -- what it shows ---------------------------------------------------------------------------------


def test_a_key_opens_and_closes_it(hand: Hand) -> None:
    canvas, action = hand.parts.canvas, hand.window.actions_by_id["toggle_side_by_side"]
    alone = canvas.width()
    panel = opened(hand)
    assert action.isChecked()
    assert panel.isVisible()
    assert abs(canvas.width() - panel.width()) <= 2
    assert panel.pane.shown_image == canvas.shown_image
    assert panel.pane.painted_layers == ()
    QTest.keyClick(canvas, Qt.Key.Key_S, Qt.KeyboardModifier.ShiftModifier)
    hand.rest()
    assert not action.isChecked()
    assert not panel.isVisible()
    assert canvas.width() == alone
    assert panel.pane.plane_size is None  # nothing is kept for what nobody sees
    opened(hand)
    QTest.mouseClick(panel.close_button, LEFT)
    hand.rest()
    assert not hand.window.display.side_by_side
    hand.quiet()


def test_everything_has_words(hand: Hand) -> None:
    assert set(WORDS) == set(PANE_SHOWS)
    pane = opened(hand).pane
    for shows in filter(pane.can_show, PANE_SHOWS):
        panel = opened(hand, shows)
        assert panel.shows.currentText() == WORDS[shows]
        assert nameless_controls(panel) == []
        assert panel.pane.accessibleDescription().startswith(WORDS[shows])


def test_what_is_painted_is_repainted_live(hand: Hand) -> None:
    panel, canvas = opened(hand, "painted"), hand.parts.canvas
    mask = hand.session.mask().to_array()[0]
    np.testing.assert_array_equal(values(layer(panel)), mask)
    before = panel.pane.grab().toImage()
    hand.session.select_class(3)
    hand.window.display.set_look("mask", visible=False)  # hidden on the canvas, not here
    hand.stroke()
    settle(hand)
    after = hand.session.mask().to_array()[0]
    assert (after != mask).any()
    np.testing.assert_array_equal(values(layer(panel)), after)
    assert panel.pane.grab().toImage() != before
    assert canvas.painted_layers == ()


@pytest.mark.parametrize("name", ["good", "worse"])
def test_predictions_of_a_model(hand: Hand, name: str) -> None:
    panel = opened(hand, "mask")
    run_id = next(e.run_id for e in hand.parts.predictions.models() if e.name == name)
    choose(panel.run, run_id)
    settle(hand)
    guess = guesses(hand, name)
    np.testing.assert_array_equal(values(layer(panel)), guess)
    opened(hand, "probability")
    hand.session.select_class(3)
    settle(hand)
    np.testing.assert_array_equal(values(layer(panel)), np.where(guess == 3, 220, 10))
    assert panel.key.isVisible()
    assert panel.key.high.text() == "1 nucleus"
    opened(hand, "objects")
    np.testing.assert_array_equal(values(layer(panel)) > 0, guess > 1)
    opened(hand, "difference")
    truth = hand.session.mask().to_array()[0]
    np.testing.assert_array_equal(values(layer(panel)), difference.difference(truth, guess))
    assert panel.legend.isVisible()
    hand.quiet()


def test_weights_in_the_pane_while_they_are_hidden_on_the_canvas(hand: Hand) -> None:
    panel = opened(hand, "weights")
    assert panel.note.text() == "This image has no weights."
    weights = np.random.default_rng(0).random((1, 1, SIDE, SIDE)).astype(np.float32)
    file = hand.session.file
    store_weights(file, hand.session.image_id, open_array("w", weights))
    hand.window.display.set_look("weights", visible=False)
    hand.parts.weights.forget()
    hand.wait(lambda: len(panel.pane.painted_layers) == 1)
    share = (weights - weights.min()) / (weights.max() - weights.min())
    assert np.abs(values(layer(panel)) - 1 - 254 * np.sqrt(share[0, 0])).max() <= 0.51
    assert len(hand.parts.canvas.painted_layers) == 1  # the mask
    assert panel.note.isHidden()
    assert panel.key.high.text() == f"{weights.max():.3g}"


def test_two_models_side_by_side(hand: Hand) -> None:
    """The canvas' own prediction is one, the pane the other."""
    ids = {entry.name: entry.run_id for entry in hand.parts.predictions.models()}
    panel, display = opened(hand, "mask"), hand.window.display
    display.set_look("mask", visible=False)
    display.set_look("prediction", visible=True)
    display.choose_prediction(run_id=ids["good"])
    choose(panel.run, ids["worse"])
    settle(hand)
    (here,) = hand.parts.canvas.painted_layers
    np.testing.assert_array_equal(values(here), guesses(hand, "good"))
    np.testing.assert_array_equal(values(layer(panel)), guesses(hand, "worse"))


def test_an_image_that_no_model_has_seen_says_so(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = opened(hand, "mask")
    asked: list[str] = []
    panel.predict_requested.disconnect()
    panel.predict_requested.connect(asked.append)
    hand.session.select_neighbour(1)
    settle(hand)
    assert panel.pane.painted_layers == ()
    assert panel.note.text() == "This model has not predicted this image."
    best = hand.parts.predictions.models()[0]
    QTest.mouseClick(panel.predict, LEFT)
    assert asked == [best.run_id]
    hand.session.select_neighbour(-1)
    settle(hand)
    assert panel.note.isHidden()
    assert panel.predict.isHidden()


def test_without_models_it_says_what_to_do(tmp_path: Path, qapp: object) -> None:
    from tests.e2e.hand import make_project as small_project

    hand = Hand()
    try:
        hand.open(small_project(tmp_path / "p.orgseg", 1))
        hand.action("toggle_side_by_side")
        hand.window.display.set_pane(shows="mask")
        settle(hand)
        panel = hand.parts.side_by_side.panel
        assert panel.note.text() == "No models yet. Paint at least two classes, then Train."
        assert panel.predict.isHidden()
        assert panel.run.isHidden()
    finally:
        hand.close()


def test_the_recipe_of_train_is_previewed_in_it(hand: Hand) -> None:
    from orgseg_app.core.preprocessing.steps import apply_steps
    from orgseg_app.gui.canvas.rendering import PlanePyramid

    panel = opened(hand, "prepared")
    picture = panel.pane.picture
    assert isinstance(picture, PlanePyramid)
    steps = hand.parts.training.form.recipe().preprocess
    plane = hand.session.plane(hand.session.image_id, 0)
    np.testing.assert_array_equal(picture.plane, apply_steps(plane, steps))
    assert not hand.parts.canvas.preview.is_on  # the canvas shows the image
    opened(hand, "image")
    assert panel.pane.picture is not picture


# -- one place -------------------------------------------------------------------------------------


def test_zoom_and_place_are_linked_both_ways(hand: Hand) -> None:
    panel, canvas = opened(hand, "image"), hand.parts.canvas
    pane = panel.pane
    assert pane.view_state() == canvas.view_state()
    hand.action("zoom_in")
    assert pane.view_state() == canvas.view_state()
    before = canvas.view_state()
    middle = pane.rect().center()
    QTest.mousePress(pane, LEFT, NONE, middle)
    QTest.mouseMove(pane, middle + QPoint(20, 30))
    QTest.mouseRelease(pane, LEFT, NONE, middle + QPoint(20, 30))
    assert canvas.view_state() == pane.view_state()
    assert canvas.view_state().y == pytest.approx(before.y - 30 / before.zoom)
    assert canvas.view_state().x == pytest.approx(before.x - 20 / before.zoom)
    at = QPointF(middle + QPoint(40, 50))
    under = pane.to_image(at)
    turn(pane, at, 240)
    assert canvas.view_state().zoom > before.zoom
    assert canvas.view_state() == pane.view_state()
    assert pane.to_image(at) == pytest.approx(under)  # it zooms at the pointer
    QTest.mouseDClick(pane, LEFT, NONE, middle)
    assert canvas.is_fitted
    assert pane.view_state() == canvas.view_state()
    hand.window.resize(1100, 700)
    hand.rest()
    assert canvas.is_fitted
    assert pane.view_state() == canvas.view_state()
    hand.session.select_neighbour(-1)
    hand.action("zoom_in")
    place = canvas.view_state()
    hand.session.select_neighbour(1)
    hand.session.select_neighbour(-1)
    settle(hand)
    assert canvas.view_state() == pane.view_state() == place


def turn(view: LinkedPane, at: QPointF, angle: int) -> None:
    """Turn the wheel over a view."""
    event = QWheelEvent(
        at,
        QPointF(view.mapToGlobal(at.toPoint())),
        QPoint(),
        QPoint(0, angle),
        Qt.MouseButton.NoButton,
        NONE,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)


def test_image_and_plane_are_those_of_the_canvas(hand: Hand) -> None:
    panel = opened(hand, "painted")
    volume = next(i for i in hand.images if i.name == "volume")
    hand.session.select_image(volume.image_id, 2)
    settle(hand)
    assert panel.pane.shown_image == volume.image_id
    assert layer(panel).z == 2
    hand.session.select_plane(3)
    assert layer(panel).z == 3
    hand.window.shortcuts.set_preset("fiji")  # its wheel goes through the planes, here, too
    turn(panel.pane, QPointF(50, 80), 120)
    assert hand.session.z == 2


def test_the_pointer_is_mirrored(hand: Hand) -> None:
    panel, canvas = opened(hand, "image"), hand.parts.canvas
    pane = panel.pane
    before = pane.grab().toImage()
    spot = canvas.rect().center()
    QTest.mouseMove(canvas, spot + QPoint(5, 5))
    QTest.mouseMove(canvas, spot)
    there = pane.to_widget(*canvas.to_image(QPointF(spot))).toPoint()
    assert pane._mirror == pytest.approx(canvas.to_image(QPointF(spot)))
    after = pane.grab().toImage()
    assert after != before
    assert after.pixelColor(there).lightness() > 200
    QTest.mouseMove(pane, there + QPoint(9, 9))
    QApplication.processEvents()
    assert canvas._mirror == pytest.approx(pane.to_image(QPointF(there + QPoint(9, 9))))


def test_painting_is_on_the_canvas_only(hand: Hand) -> None:
    panel = opened(hand, "painted")
    before = hand.session.mask().to_array()
    middle = panel.pane.rect().center()
    QTest.mousePress(panel.pane, LEFT, NONE, middle)
    QTest.mouseMove(panel.pane, middle + QPoint(20, 0))
    QTest.mouseRelease(panel.pane, LEFT, NONE, middle + QPoint(20, 0))
    np.testing.assert_array_equal(hand.session.mask().to_array(), before)
    assert hand.parts.canvas.hasFocus() or not panel.pane.hasFocus()


def test_contrast_is_shared_and_no_other_for_the_pane(hand: Hand) -> None:
    display = hand.window.display
    display.set_levels(0, 500, 900)
    levels, looks = display.shown_levels(), display.looks()
    panel = opened(hand, "image")
    assert display.shown_levels() == levels
    assert display.looks() == looks
    assert panel.pane._levels == levels
    display.set_levels(0, 400, 800)
    assert panel.pane._levels == hand.parts.canvas._levels == ((400.0, 800.0),)


# -- kept ------------------------------------------------------------------------------------------


def test_it_comes_back_with_the_project(hand: Hand) -> None:
    worse = next(e.run_id for e in hand.parts.predictions.models() if e.name == "worse")
    panel = opened(hand, "difference")
    choose(panel.run, worse)
    path = hand.session.path
    hand.window.commands.close_project()
    hand.window.display.set_pane(side_by_side=False, shows="image", run_id="")
    hand.open(path)
    settle(hand)
    display = hand.window.display
    assert (display.side_by_side, display.pane_shows, display.pane_run) == (
        True,
        "difference",
        worse,
    )
    hand.wait(lambda: bool(panel.pane.painted_layers))
    assert panel.pane.shown_image == hand.session.image_id
    assert panel.run.currentData() == worse
    hand.quiet()


def test_what_was_remembered_may_be_nonsense(qtbot: QtBot, hand: Hand) -> None:
    display = DisplayOptions()
    restore_display(display, display_state(display) | {"pane_shows": "nonsense", "pane_run": 7})
    assert display.pane_run == ""
    with pytest.raises(ValueError, match="cannot show"):
        display.set_pane(shows="nonsense")
    restore_display(hand.window.display, {"pane_shows": "nonsense", "side_by_side": True})
    hand.rest()
    settle(hand)
    panel = hand.parts.side_by_side.panel
    assert panel.shows.currentText() == "Image only"
    assert panel.pane.painted_layers == ()


def test_a_project_can_be_closed_and_another_opened(hand: Hand, tmp_path: Path) -> None:
    opened(hand, "mask")
    path = tmp_path / "other.orgseg"
    with ProjectFile.create(path, default_classes(["x"])) as file:
        file.add_images([NewImage(open_array("a", np.zeros((1, 1, 20, 30), np.uint16)), "train")])
    hand.open(path)
    settle(hand)
    assert not hand.window.display.side_by_side or hand.parts.side_by_side.panel.pane.is_active
    hand.quiet()
