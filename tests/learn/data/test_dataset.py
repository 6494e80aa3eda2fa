"""Reading a snapshot: what is learnt from, held out, and refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from orgseg_app.core.image import open_array
from orgseg_app.core.preprocessing.steps import apply_steps
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.snapshot import write_snapshot
from orgseg_app.files.weights import store_weights
from orgseg_app.learn.data.dataset import read_examples
from orgseg_app.learn.data.patches import IGNORED, PatchSampler
from orgseg_app.learn.data.splitting import plan_split
from orgseg_app.learn.errors import DataError
from orgseg_app.runs.recipes.augmentation import AUGMENTATION_PRESETS
from orgseg_app.runs.recipes.schema import PreprocessStep
from tests.learn.conftest import tiny_recipe

Make = Callable[..., ProjectFile]


def test_splits_targets_and_preparation(make_project: Make, tmp_path: Path) -> None:
    project = make_project()
    path = tmp_path / "snapshot.h5"
    write_snapshot(project, path)
    with ProjectFile.open(path, read_only=True) as snapshot:
        found = read_examples(snapshot, tiny_recipe())
        test = list(plan_split(snapshot, tiny_recipe()).truths(snapshot, "test"))
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
    strip_truths = plan_split(project, tiny_recipe()).truths(project, "validation")
    strips = {image.image_id: truth for image, truth in strip_truths}
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


def test_weights_of_the_image_reach_the_training_through_the_snapshot(
    make_project: Make, tmp_path: Path
) -> None:
    project = make_project(("train", "train", "validation"))
    first, _, last = project.project.images
    weights = np.random.default_rng(0).random((1, 64, 64)).astype(np.float32)
    weights[0, :20] = 0
    for image_id in (first, last):
        store_weights(project, image_id, open_array("weights", weights))
    path = tmp_path / "snapshot.h5"
    write_snapshot(project, path)
    with ProjectFile.open(path, read_only=True) as snapshot:
        found = read_examples(snapshot, tiny_recipe())
    weighted, plain = found.train
    assert weighted.weights is not None
    assert np.array_equal(weighted.weights, weights[0])
    assert plain.weights is None
    assert found.validation[0].weights is None  # scores count every voxel alike
    sampler = PatchSampler([weighted], classes=2, patch_size=16, augmentation=(), seed=0)
    assert sum(sampler.class_voxels) == 44 * 64
    batch = sampler.batch(0, 8)
    assert set(np.unique(batch.weights)) <= {0.0, *np.unique(weights[0, 20:])}


def test_what_preprocessing_learns_of_the_training_images_goes_into_the_recipe(
    make_project: Make,
) -> None:
    recipe = tiny_recipe(preprocess=(PreprocessStep("match"), PreprocessStep("percentile")))
    project = make_project(("train", "train", "validation"))
    found = read_examples(project, recipe)
    assert found.recipe.preprocess[0].reference
    assert found.recipe.preprocess[1] == recipe.preprocess[1]
    image = project.project.images[found.validation[0].image_id]
    raw = project.read_plane(image.image_id, 0)
    assert np.array_equal(found.validation[0].pixels, apply_steps(raw, found.recipe.preprocess))
    assert not np.array_equal(found.validation[0].pixels, apply_steps(raw, recipe.preprocess))
    # Test and validation images teach it nothing.
    alone = read_examples(make_project(("train", "train"), name="alone"), recipe)
    assert alone.recipe.preprocess == found.recipe.preprocess
    assert read_examples(project, tiny_recipe()).recipe == tiny_recipe()


def test_planes_beyond_the_memory_read_and_sample_the_same(make_project: Make) -> None:
    project = make_project()
    before = set(project.path.parent.iterdir())
    in_memory = read_examples(project, tiny_recipe())
    room = in_memory.train[0].pixels.nbytes
    found = read_examples(project, tiny_recipe(), room_bytes=room)
    assert [p.pixels.flags.writeable for p in found.train] == [True, False, False]
    assert set(project.path.parent.iterdir()) == before
    batches = []
    for examples in (in_memory, found):
        for one, other in zip(examples.train, in_memory.train, strict=True):
            assert np.array_equal(one.pixels, other.pixels)
        steps = AUGMENTATION_PRESETS["advanced"].steps
        sampler = PatchSampler(examples.train, classes=2, patch_size=24, augmentation=steps, seed=0)
        batches.append(sampler.batch(0, 12))
    assert np.array_equal(batches[0].pixels, batches[1].pixels)
    assert np.array_equal(batches[0].target, batches[1].target)
