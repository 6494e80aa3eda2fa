"""Objects made of what a model says: as it says, then as the sliders say, and only when taken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from orgseg_app.core.instances.grouping import GroupingParameters, group
from orgseg_app.files.predictions import Prediction, write_predictions
from orgseg_app.gui.canvas import objects_preview
from orgseg_app.gui.canvas.objects_preview import OF_MASK, OF_PREDICTION
from orgseg_app.gui.panels.objects_maker import ObjectsMaker
from orgseg_app.runs.folder import list_runs
from tests.e2e.hand import LEFT, Hand
from tests.gui.panel_session import nameless_controls
from tests.gui.recorded_runs import make_project, record_run

SIDE = 96
AS_LEARNT = GroupingParameters(seeds=0.7, smoothing=0.5, min_size=5)


def maps() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Foreground, depth and classes of two discs that touch and one of another class, apart."""
    y, x = np.mgrid[:SIDE, :SIDE]
    away = [np.hypot(y - cy, x - cx) for cy, cx in ((30, 30), (30, 50), (70, 60))]
    depth = np.clip(1 - np.min(away, axis=0) / 12, 0, 1)
    classes = np.where(depth > 0, 2, 1).astype(np.uint8)
    classes[away[2] < 12] = 3
    foreground = np.where(depth > 0, 230, 10).astype(np.uint8)
    return foreground, np.rint(depth * 255).astype(np.uint8), classes


def save(path: Path, *, has_maps: bool) -> None:
    foreground, depth, classes = maps()
    with make_project(path, class_names=("ER", "nucleus"), splits=("train", "test")) as file:
        run = record_run(file, "model", quality=0.9)
        image_id = list(file.project.images)[1]
    said = Prediction(image_id, classes[np.newaxis])
    if has_maps:
        kept = np.stack([foreground, depth])[:, np.newaxis]
        said = Prediction(
            image_id,
            classes[np.newaxis],
            objects=group(foreground, depth, AS_LEARNT)[np.newaxis],
            maps=kept,
            grouping=AS_LEARNT,
        )
    write_predictions(run.predictions_path, [said])
    assert [r.name for r in list_runs(path)] == ["model"]


@pytest.fixture
def hand(qapp: object) -> Iterator[Hand]:
    hand = Hand()
    yield hand
    hand.close()


def opened(hand: Hand, path: Path) -> ObjectsMaker:
    """The maker over the prediction of the test image."""
    hand.open(path)
    image_id = hand.images[1].image_id
    hand.wait(lambda: hand.parts.predictions.runs_for(image_id), what="the prediction")
    hand.session.select_image(image_id)
    hand.action("toggle_prediction")
    hand.action("group_objects")
    maker = hand.parts.object_maker
    assert isinstance(maker, ObjectsMaker)
    assert maker.isVisible()
    assert nameless_controls(maker) == []
    return maker


def tried(hand: Hand, maker: ObjectsMaker) -> objects_preview.Tried:
    preview = maker.preview
    hand.wait(lambda: preview.is_idle and preview.tried and preview.tried.is_whole, 20, "objects")
    assert preview.tried is not None
    return preview.tried


def state(hand: Hand) -> tuple[bytes, bytes]:
    mask = hand.session.mask()
    return mask.to_array().tobytes(), mask.objects.to_array().tobytes()


def test_as_the_model_says_then_as_the_sliders_say(hand: Hand, tmp_path: Path) -> None:
    save(tmp_path / "p.orgseg", has_maps=True)
    maker = opened(hand, tmp_path / "p.orgseg")
    foreground, depth, classes = maps()
    assert maker.source.value() == OF_PREDICTION
    assert maker.value() == AS_LEARNT
    assert maker.fitted.isHidden()
    before = state(hand)
    expected = group(foreground, depth, AS_LEARNT)
    found = tried(hand, maker)
    assert found.count == expected.max() == 3
    np.testing.assert_array_equal(found.values, expected)  # few numbers are their own values
    assert maker.said.text() == "3 objects on this image."
    maker.sliders["seeds"].number.setValue(0.1)
    assert tried(hand, maker).count == 2
    assert maker.fitted.isVisible()
    maker.sliders["threshold"].number.setValue(0.95)
    hand.wait(lambda: maker.said.text() == "0 objects on this image.", what="nothing")
    QTest.mouseClick(maker.fitted, LEFT)
    assert maker.value() == AS_LEARNT
    assert tried(hand, maker).count == 3
    assert state(hand) == before
    QTest.mouseClick(maker.source.button(OF_MASK), LEFT)
    assert maker.sliders["threshold"].isHidden()
    QTest.mouseClick(maker.source.button(OF_PREDICTION), LEFT)
    assert tried(hand, maker).count == 3
    maker.keeps.setChecked(False)
    steps = len(hand.session.history)
    QTest.mouseClick(maker.use_button, LEFT)
    hand.wait(lambda: len(hand.session.history) == steps + 1, what="the objects")
    assert not maker.isVisible()
    mask = hand.session.mask()
    np.testing.assert_array_equal(mask.objects.to_array()[0], expected)
    np.testing.assert_array_equal(mask.to_array()[0], np.where(expected > 0, classes, 1))
    hand.session.undo()
    assert state(hand) == before


def test_a_model_that_has_learnt_no_objects(hand: Hand, tmp_path: Path) -> None:
    save(tmp_path / "p.orgseg", has_maps=False)
    maker = opened(hand, tmp_path / "p.orgseg")
    assert maker.source.value() == OF_PREDICTION
    assert maker.fitted.isHidden(), "it has no settings of its own"
    assert tried(hand, maker).count == 2, "it is not narrow enough there"
    maker.sliders["seeds"].number.setValue(0.7)
    assert tried(hand, maker).count == 3
    before = state(hand)
    QTest.mouseClick(maker.use_button, LEFT)  # all of it is painted, and that is kept
    hand.settle()
    hand.heard("info", "These objects are there already")
    assert state(hand) == before


def test_what_is_made_first_shrinks_where_it_takes_too_long(
    hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects_preview, "FIRST_SIDES", (64, 32))
    monkeypatch.setattr(objects_preview, "FIRST_S", 0.0)
    save(tmp_path / "p.orgseg", has_maps=True)
    maker = opened(hand, tmp_path / "p.orgseg")
    sizes: list[tuple[int, ...]] = []
    preview = maker.preview
    preview.changed.connect(
        lambda: sizes.append(preview.tried.values.shape) if preview.tried else None
    )
    tried(hand, maker)
    for value in (0.4, 0.5, 0.6):
        maker.sliders["seeds"].number.setValue(value)
        assert tried(hand, maker).values.shape == (SIDE, SIDE)
        found = preview.tried
        assert found is not None
        expected = group(*maps()[:2], maker.value())
        np.testing.assert_array_equal(found.values, expected)
    assert preview._side == 1
    assert (64, 64) not in sizes[-2:], "around it, what was there before does not flicker"
    QTest.keyClick(maker.sliders["seeds"].slider, Qt.Key.Key_Escape)
    assert not maker.isVisible()
