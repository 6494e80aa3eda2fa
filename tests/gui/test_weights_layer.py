"""How much voxels count: loaded, seen as a heat map, removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from orgseg_app.core.image import open_array
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.weights import drop_weights, store_weights
from orgseg_app.gui.canvas.layers import OverlayLayer
from orgseg_app.gui.panels.weights_section import WeightsSection
from tests.e2e.hand import LEFT, Hand
from tests.files.projects import back_up
from tests.gui.panel_session import nameless_controls
from tests.gui.volume_project import make_volume_project

SHAPE = (7, 60, 80)


@pytest.fixture
def hand(qapp: object, tmp_path: Path) -> Iterator[Hand]:
    hand = Hand()
    hand.open(make_volume_project(tmp_path / "p.orgseg"))
    hand.session.select_image(hand.images[1].image_id, 3)
    hand.rest()
    yield hand
    hand.close()


@pytest.fixture
def asked(hand: Hand, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Questions, each answered with yes."""
    found: list[str] = []

    def ask(title: str, text: str, verb: str) -> bool:
        found.append(title)
        return True

    monkeypatch.setattr(hand.window.commands, "_confirm", ask)
    return found


def write(path: Path, values: np.ndarray) -> Path:
    tifffile.imwrite(path, values, photometric="minisblack")
    return path


def some_weights(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(SHAPE, np.float32) * 2


def load(hand: Hand, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the menu, with a person who chooses the file."""
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    hand.action("load_weights")
    hand.settle()


def section(hand: Hand) -> WeightsSection:
    return next(iter(hand.parts.layers.findChildren(WeightsSection)))


def heat(hand: Hand) -> OverlayLayer:
    canvas = hand.parts.canvas
    hand.wait(lambda: len(canvas.painted_layers) == 2, 5, "weights and mask")
    return canvas.painted_layers[0]


def test_weights_are_loaded_and_seen(
    hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = some_weights()
    assert not section(hand).isVisibleTo(hand.parts)
    hand.said.clear()
    load(hand, write(tmp_path / "w.tif", weights), monkeypatch)
    hand.heard("info", "“stack” has weights from", "Trainings count its voxels by them")
    for z in (3, 5):
        hand.session.select_plane(z)
        hand.wait(lambda: len(hand.parts.canvas.painted_layers) == 2, 5)
        layer = heat(hand)
        found = layer.overlay.sample(z, np.arange(60), np.arange(80))
        share = (weights[z] - weights.min()) / (weights.max() - weights.min())
        assert np.abs(found - 1 - 254 * np.sqrt(share)).max() <= 0.51
        assert set(layer.colours[1:, 3]) == {round(255 * 0.6)}
        assert layer.colours[0, 3] == 0  # what counts nothing shows nothing
    panel = section(hand)
    hand.wait(lambda: panel.isVisibleTo(hand.parts), 5, "the section")
    assert (panel.key.low.text(), panel.key.high.text()) == (
        f"{weights.min():.4g}",
        f"{weights.max():.4g}",
    )
    assert nameless_controls(panel) == []
    hand.session.select_image(hand.images[0].image_id)
    hand.wait(lambda: not panel.isVisibleTo(hand.parts), 5, "an image without weights")


def test_the_eye_and_the_opacity(
    hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(hand, write(tmp_path / "w.tif", some_weights()), monkeypatch)
    panel = section(hand)
    hand.wait(lambda: panel.isVisibleTo(hand.parts), 5)
    heat(hand)
    panel.opacity.number.setFocus()
    panel.opacity.number.selectAll()
    QTest.keyClicks(panel.opacity.number, "25")
    QTest.keyClick(panel.opacity.number, Qt.Key.Key_Return)
    assert set(heat(hand).colours[1:, 3]) == {64}
    QTest.mouseClick(panel.eye, LEFT)
    assert len(hand.parts.canvas.painted_layers) == 1
    assert panel.eye.accessibleName() == "Show weights"


def test_replaced_and_removed_after_a_question(
    hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    load(hand, write(tmp_path / "w.tif", some_weights()), monkeypatch)
    before = heat(hand).overlay.sample(3, np.arange(60), np.arange(80))
    assert asked == []
    load(hand, write(tmp_path / "v.tif", some_weights(1)), monkeypatch)
    assert asked == ["Replace the weights of stack?"]

    def is_other() -> bool:
        layers = hand.parts.canvas.painted_layers
        found = layers[0].overlay.sample(3, np.arange(60), np.arange(80))
        return len(layers) == 2 and not np.array_equal(found, before)

    hand.wait(is_other, 5, "the other weights")
    hand.action("remove_weights")
    hand.settle()
    assert asked[1:] == ["Remove the weights of stack?"]
    hand.wait(lambda: not section(hand).isVisibleTo(hand.parts), 5, "none")
    assert len(hand.parts.canvas.painted_layers) == 1
    hand.said.clear()
    hand.action("remove_weights")
    hand.heard("info", "“stack” has no weights")


def test_weights_are_asked_for_though_the_layer_has_not_read_them(
    hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    load(hand, write(tmp_path / "w.tif", some_weights()), monkeypatch)
    hand.parts.weights.forget()  # as right after opening
    hand.action("load_weights")
    assert asked == ["Replace the weights of stack?"]
    hand.settle()
    hand.parts.weights.forget()
    hand.action("remove_weights")
    assert asked[1:] == ["Remove the weights of stack?"]
    hand.settle()


def test_wrong_weights_are_refused_in_a_sentence(
    hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = some_weights()
    wrong[2, 3, 4] = -1
    hand.said.clear()
    load(hand, write(tmp_path / "w.tif", wrong), monkeypatch)
    hand.heard("error", "“w.tif” holds negative weights", "plane 3", "Nothing was changed")
    load(hand, write(tmp_path / "w.tif", wrong[:, :, :79]), monkeypatch)
    hand.heard("error", "7 × 60 × 79", "“stack” has 7 × 60 × 80")
    (tmp_path / "w.tif").write_text("no image")
    load(hand, tmp_path / "w.tif", monkeypatch)
    hand.heard("error", "w.tif")
    assert not section(hand).isVisibleTo(hand.parts)
    hand.goes_on()


def test_a_backup_brings_them_back_to_the_canvas(qapp: object, tmp_path: Path) -> None:
    path = make_volume_project(tmp_path / "q.orgseg")
    with ProjectFile.open(path) as file:
        image_id = next(i.image_id for i in file.project.images.values() if i.name == "stack")
        store_weights(file, image_id, open_array("w", some_weights()))
        back_up(file)
        drop_weights(file, image_id)
    hand = Hand()
    hand.open(path)
    hand.session.select_image(image_id)
    restoring = hand.window.commands.restoring
    hand.action("restore_backup")
    hand.wait(lambda: restoring.panel.preview.pictures.has_pictures(), 10, "the preview")
    assert restoring.panel.restore_button.isEnabled()  # though the voxels' classes are the same
    assert not section(hand).isVisibleTo(hand.parts)
    hand.said.clear()
    QTest.mouseClick(restoring.panel.restore_button, LEFT)
    hand.wait(lambda: hand.said, 10, "the end")
    hand.heard("success", "Weights of 1 image restored")
    heat(hand)
    assert section(hand).isVisibleTo(hand.parts)
    hand.close()
