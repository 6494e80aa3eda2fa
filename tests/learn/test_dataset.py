"""Reading a snapshot: what is learnt from, held out, and refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.snapshot import write_snapshot
from orgseg_app.learn.dataset import read_examples, truths
from orgseg_app.learn.errors import DataError
from orgseg_app.learn.patches import IGNORED
from tests.learn.conftest import tiny_recipe

Make = Callable[..., ProjectFile]


def test_splits_targets_and_preparation(make_project: Make, tmp_path: Path) -> None:
    project = make_project()
    path = tmp_path / "snapshot.h5"
    write_snapshot(project, path)
    with ProjectFile.open(path, read_only=True) as snapshot:
        found = read_examples(snapshot, tiny_recipe())
        test = list(truths(snapshot, "test"))
    assert found.image_counts == {"train": 3, "validation": 1, "test": 1}
    assert [p.name for p in found.train] == ["disc 0", "disc 1", "disc 2"]
    assert [p.name for p in found.validation] == ["disc 3"]
    assert [image.name for image, _ in test] == ["disc 4"]
    assert found.messages == []
    assert len(found.seen_images) == 4
    for plane in found.train:
        truth = project.mask(plane.image_id).plane(0)
        assert np.array_equal(plane.target, truth - 1)
        assert plane.pixels.dtype == np.float32
        assert -0.5 < np.percentile(plane.pixels, 1) < np.percentile(plane.pixels, 99) < 1.5


def test_unlabelled_is_ignored_and_blank_planes_left_out(make_project: Make) -> None:
    def erase(number: int, pixels: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        stack = np.stack([mask, np.zeros_like(mask), mask])
        stack[2, :, 10:] = 0
        return np.stack([pixels] * 3), stack

    found = read_examples(make_project(("train", "validation"), edit=erase), tiny_recipe())
    assert [p.z for p in found.train] == [0, 2]
    assert (found.train[1].target[:, 10:] == IGNORED).all()
    assert (found.train[1].target[:, :10] != IGNORED).all()


def test_without_validation_a_strip_is_held_out(make_project: Make) -> None:
    project = make_project(("train", "train", "test"), size=160)
    found = read_examples(project, tiny_recipe())
    assert len(found.messages) == 1
    assert "strip" in found.messages[0]
    assert len(found.train) == len(found.validation) == 2
    for train, validation in zip(found.train, found.validation, strict=True):
        a, b = train.target != IGNORED, validation.target != IGNORED
        assert not (a & b).any()
        assert a.any()
        assert b.any()
        rows_or_columns = [
            abs(int(i) - int(j))
            for axis in (0, 1)
            for i in np.flatnonzero(a.any(axis))
            for j in np.flatnonzero(b.any(axis))
        ]
        assert min(rows_or_columns) >= 0
    strips = {image.image_id: truth for image, truth in truths(project, "validation")}
    for plane in found.validation:
        assert np.array_equal(strips[plane.image_id][0] != 0, plane.target != IGNORED)


def test_too_little_paint_to_hold_out_says_so(make_project: Make) -> None:
    def dots(number: int, pixels: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        few = np.zeros_like(mask)
        few[5, 5], few[40, 40] = 1, 2
        return pixels, few

    found = read_examples(make_project(("train",), edit=dots), tiny_recipe())
    assert "much too good" in found.messages[0]


def test_nothing_painted_for_training(make_project: Make) -> None:
    with pytest.raises(DataError, match="Nothing is painted on a training image"):
        read_examples(make_project(("validation", "test")), tiny_recipe())


def test_grey_and_colour_mix_but_other_mixtures_are_refused(make_project: Make) -> None:
    def colour(number: int, pixels: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (np.stack([pixels[None]] * 3) if number else pixels), mask

    mixed = make_project(("train", "train", "validation"), edit=colour, name="colour")
    found = read_examples(mixed, tiny_recipe())
    assert found.is_rgb
    assert found.channels == 3
    assert {p.pixels.shape[0] for p in found.train} == {3}

    def two(number: int, pixels: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (np.stack([pixels[None]] * 2) if number == 1 else pixels), mask

    other = make_project(("train", "train"), edit=two, name="two")
    # The builder marks four-axis images as colour; two channels are none.
    for image_id, image in other.project.images.items():
        other.project.images[image_id] = image.changed(is_rgb=False)
    with pytest.raises(DataError, match="different numbers of channels"):
        read_examples(other, tiny_recipe())
