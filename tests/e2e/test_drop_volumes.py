"""Volumes of every form dropped on the real window, and a training set exported from it."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from orgseg_app.files.training_set import LAYOUTS
from orgseg_app.gui.panels.training_set_dialog import TrainingSetDialog
from tests.e2e.hand import Hand
from tests.files.training_sets import write_stacks, write_tree

pytestmark = pytest.mark.gui


def test_a_tree_of_sections_becomes_volumes_and_goes_out_again(hand: Hand, tmp_path: Path) -> None:
    root = write_tree(tmp_path / "SNEMI3D_mito")
    hand.drop(root)
    hand.rest()
    hand.settle()
    bar = hand.window.commands.importing.bar
    assert bar.isVisible()
    assert bar.volume_check.isVisible()
    assert bar.volume_check.isChecked()
    assert bar.volume_check.text() == "They are 3 volumes (3, 4, 2 planes)"
    bar.use_button.click()
    hand.settle()
    images = hand.session.project.images.values()
    assert {(i.split, i.shape[1]) for i in images} == {("train", 4), ("validation", 2), ("test", 3)}
    assert all(hand.session.file.counts(i.image_id) for i in images)
    hand.heard("info", "3 images imported.")

    hand.action("export_training_set")
    dialog = hand.window.commands.exporting.dialog
    assert isinstance(dialog, TrainingSetDialog)
    assert [dialog.layout_box.itemData(n) for n in range(dialog.layout_box.count())] == list(
        LAYOUTS
    )
    assert "0000.png" in dialog.about.text()
    dialog.close()
    hand.rest()
    out = tmp_path / "out"
    hand.window.commands.exporting.export_training_set(out, "snemi3d")
    hand.settle()
    hand.heard("info", "3 images written to", "18 files")
    names = sorted(str(p.relative_to(root)) for p in root.rglob("*.png"))
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*.png")) == names


def test_the_same_tree_as_pictures(hand: Hand, tmp_path: Path) -> None:
    hand.drop(write_tree(tmp_path / "SNEMI3D_mito"))
    hand.rest()
    hand.settle()
    bar = hand.window.commands.importing.bar
    bar.volume_check.setChecked(False)
    bar.use_button.click()
    hand.settle()
    assert len(hand.session.project.images) == 9


def test_stacks_and_a_volume_with_labels_in_one_file(hand: Hand, tmp_path: Path) -> None:
    hand.drop_and_settle(write_stacks(tmp_path / "platelet"))
    assert [c.name for c in hand.session.classes][1:3] == ["cell", "mitochondrion"]
    assert [c.colour for c in hand.session.classes][1] == "#0101e0"
    shutil.rmtree(tmp_path / "platelet")
    grey = np.random.default_rng(0).integers(0, 255, (3, 20, 24)).astype(np.uint16)
    with h5py.File(tmp_path / "plants ß.h5", "w") as file:
        file["raw"], file["label"] = grey, (grey > 128).astype(np.uint16)
    hand.drop(tmp_path / "plants ß.h5")
    hand.rest()
    hand.settle()
    bar = hand.window.commands.importing.bar
    assert bar.summary.text().startswith("1 image; 1 label image found by name")
    bar.names.setText("cell")
    bar.use_button.click()
    hand.settle()
    image = next(i for i in hand.session.project.images.values() if i.name == "plants ß")
    assert image.shape == (1, 3, 20, 24)
    assert hand.session.file.counts(image.image_id)
