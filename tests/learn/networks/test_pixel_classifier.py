"""The instant pixel classifier: what it learns, what it must not see, and what a file may hold."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from orgseg_app.core.classes import default_classes
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.learn.checkpoint import Model, load_model, save_model
from orgseg_app.learn.errors import CheckpointError
from orgseg_app.learn.job import run_job
from orgseg_app.learn.networks.network import PaintedPlane
from orgseg_app.learn.networks.pixel_classifier import forest as forest_module
from orgseg_app.learn.networks.pixel_classifier.features import (
    compute_features,
    feature_count,
    feature_radius,
)
from orgseg_app.learn.networks.pixel_classifier.forest import (
    Forest,
    check_forest,
    evaluate,
    grow,
)
from orgseg_app.learn.networks.pixel_classifier.network import MOST_PIXELS, PixelClassifier
from orgseg_app.learn.prediction.predictor import Predictor
from orgseg_app.runs.recipes.schema import NetworkChoice, Recipe
from orgseg_app.runs.training import prepare_training


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forest_module, "TREES", 20)


def scene(seed: int, size: int = 72) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Smooth and striped areas of the same mean grey, and bright discs: only texture tells."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    stripes, target = 0.3 * np.sin(x * 1.6), (x > size // 2).astype(np.uint8)
    image = np.where(target == 1, stripes, 0.0)
    disc = (y - size // 3) ** 2 + (x - size // 4) ** 2 < (size // 8) ** 2
    image[disc], target[disc] = 1.0, 2
    image = image + random.normal(0, 0.08, image.shape)
    return image[None].astype(np.float32), target


def painted(seed: int, share: float = 0.1) -> PaintedPlane:
    pixels, target = scene(seed)
    weights = np.random.default_rng(seed).random(target.shape) < share
    return PaintedPlane(pixels, target, weights.astype(np.float32))


def fitted(plane: PaintedPlane, seed: int = 0) -> PixelClassifier:
    network = PixelClassifier(1, 3)
    network.fit([plane], seed=seed)
    return network


def guess(network: PixelClassifier, pixels: NDArray[np.float32]) -> NDArray[np.int64]:
    return network(torch.from_numpy(pixels)[None])[0].argmax(0).numpy()


def test_tells_textures_apart_from_five_percent_of_the_pixels() -> None:
    network = fitted(painted(0, share=0.05))
    pixels, target = scene(1)
    assert (guess(network, pixels) == target).mean() > 0.95


def test_same_seed_same_forest_other_seed_another() -> None:
    plane = painted(0)
    first, again, other = fitted(plane), fitted(plane), fitted(plane, seed=1)
    for key, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[key])
    assert not torch.equal(first.feature, other.feature)


def test_unlabelled_pixels_change_nothing() -> None:
    plane = painted(0)
    target = plane.target.copy()
    target[plane.weights == 0] = 255
    first, second = fitted(plane), fitted(plane._replace(target=target))
    assert torch.equal(first.leaves, second.leaves)
    assert torch.equal(first.threshold, second.threshold)


def test_heavier_pixels_count_more() -> None:
    """Where the same grey was painted as two classes, the heavier paint decides."""
    pixels = np.zeros((1, 40, 40), np.float32)
    target = np.zeros((40, 40), np.uint8)
    target[:, ::2] = 1
    for heavy in (0, 1):
        weights = np.where(target == heavy, 5.0, 1.0).astype(np.float32)
        network = PixelClassifier(1, 2)
        network.fit([PaintedPlane(pixels, target, weights)], seed=0)
        assert (guess(network, pixels) == heavy).all()


def test_rare_class_is_not_forgotten() -> None:
    """A class of 20 pixels among 40,000 is looked at in full."""
    pixels = np.zeros((1, 200, 200), np.float32)
    target = np.zeros((200, 200), np.uint8)
    pixels[0, 100:104, 100:105], target[100:104, 100:105] = 1.0, 1
    network = PixelClassifier(1, 2)
    looked_at = network.fit(
        [PaintedPlane(pixels, target, np.ones(target.shape, np.float32))], seed=0
    )
    assert looked_at == MOST_PIXELS
    found = guess(network, pixels)
    assert (found[101:103, 101:104] == 1).all()
    assert found.sum() < 100


def test_class_without_paint_is_never_the_answer() -> None:
    plane = painted(0)
    network = fitted(plane._replace(weights=(plane.target != 1).astype(np.float32)))
    assert set(np.unique(guess(network, plane.pixels))) == {0, 2}


def test_nothing_painted_is_said() -> None:
    with pytest.raises(ValueError, match="Nothing is painted"):
        fitted(painted(0, share=0.0))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 5), (200, 17)])
def test_any_size_goes_in(size: tuple[int, int]) -> None:
    image = torch.randn(2, 1, *size)
    out = fitted(painted(0))(image)
    assert out.shape == (2, 3, *size)
    assert torch.isfinite(out).all()
    assert PixelClassifier(2, 4)(torch.randn(1, 2, *size)).shape == (1, 4, *size)


def test_tiles_are_the_whole_image() -> None:
    network = fitted(painted(0))
    pixels = np.random.default_rng(3).random((1, 330, 250), np.float32)
    classes = default_classes(["stripes", "disc"])
    recipe = Recipe(name="forest", network=NetworkChoice(name="pixel_classifier"))
    predictor = Predictor([Model(network, recipe, classes, 1)], tile=160)
    bands = [band.probabilities for band in predictor.bands_of_prepared([pixels])]
    whole = network(torch.from_numpy(pixels)[None])[0].softmax(0).numpy()
    assert len(bands) > 1
    np.testing.assert_allclose(np.concatenate(bands, axis=1), whole, atol=1e-6)


def test_no_feature_reaches_past_the_radius() -> None:
    radius = feature_radius()
    image = np.random.default_rng(0).random((1, 2 * radius + 9, 2 * radius + 9), np.float32)
    middle = radius + 4
    before = compute_features(image)[:, middle, middle]
    near, far = image.copy(), image.copy()
    far[0, : middle - radius], far[0, middle + radius + 1 :] = 9, 9
    near[0, middle - radius] = 9
    np.testing.assert_array_equal(compute_features(far)[:, middle, middle], before)
    assert (compute_features(near)[:, middle, middle] != before).any()


def test_features_of_a_wave_are_what_calculus_says() -> None:
    """The middle of a vertical ridge cos(kx): value, slope 0, curvatures -k² and 0."""
    k, size = 0.05, 301
    x = np.arange(size) - size // 2
    image = np.repeat(np.cos(k * x)[None], size, axis=0).astype(np.float32)[None]
    found = compute_features(image)[:, size // 2, size // 2]
    assert len(found) == feature_count(1)
    smooth, slope, laplacian, larger, smaller = found[1:6]
    assert smooth == pytest.approx(np.exp(-((k * 0.7) ** 2) / 2), rel=1e-3)
    assert slope == pytest.approx(0, abs=1e-5)
    assert laplacian == pytest.approx(-(k**2), rel=0.02)
    assert larger == pytest.approx(0, abs=1e-5)
    assert smaller == pytest.approx(-(k**2), rel=0.02)


def test_evaluation_agrees_with_following_each_question() -> None:
    random = np.random.default_rng(0)
    features = random.random((7, 200), np.float32)
    forest = grow(features, random.integers(0, 3, 200), random.random(200) + 0.1, classes=3, seed=4)
    slow = np.zeros((3, 200), np.float32)
    for questions, limits, leaves in zip(
        forest.feature, forest.threshold, forest.leaves, strict=True
    ):
        for pixel in range(200):
            digits = features[questions, pixel] > limits
            slow[:, pixel] += leaves[sum(2**d for d, yes in enumerate(digits) if yes)]
    assert len(forest.feature) == 20
    np.testing.assert_allclose(evaluate(forest, features), slow, atol=1e-4)


def test_kept_and_loaded_it_says_the_same(tmp_path: Path) -> None:
    network = fitted(painted(0))
    recipe = Recipe(name="forest", network=NetworkChoice(name="pixel_classifier"))
    model = Model(network, recipe, default_classes(["stripes", "disc"]), 1)
    save_model(tmp_path / "best.ckpt", model)
    image = torch.randn(1, 1, 40, 30)
    assert torch.equal(load_model(tmp_path / "best.ckpt").network(image), network(image))


@pytest.mark.parametrize(
    "change",
    [
        {"feature": lambda f: f + 1000},
        {"feature": lambda f: -f - 1},
        {"feature": lambda f: f.float()},
        {"threshold": lambda t: t * float("nan")},
        {"threshold": lambda t: t[:, :2].contiguous()},
        {"leaves": lambda v: v[:, :5].contiguous()},
        {"leaves": lambda v: v[..., :2].contiguous()},
        {"leaves": lambda v: v.double()},
    ],
)
def test_file_that_no_fit_left_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    network = fitted(painted(0))
    recipe = Recipe(name="forest", network=NetworkChoice(name="pixel_classifier"))
    model = Model(network, recipe, default_classes(["stripes", "disc"]), 1)
    changed = {
        "network." + key: make(network.state_dict()[key])  # type: ignore[operator]
        for key, make in change.items()
    }
    save_model(tmp_path / "best.ckpt", model, more_tensors=changed)
    with pytest.raises(CheckpointError):
        load_model(tmp_path / "best.ckpt")


def test_too_many_trees_are_refused() -> None:
    forest = Forest(
        np.zeros((5000, 6), np.int32),
        np.zeros((5000, 6), np.float32),
        np.zeros((5000, 64, 2), np.float32),
    )
    with pytest.raises(ValueError, match="too many"):
        check_forest(forest, features=3, classes=2)
    check_forest(
        dataclasses.replace(
            forest,
            feature=forest.feature[:9],
            threshold=forest.threshold[:9],
            leaves=forest.leaves[:9],
        ),
        features=3,
        classes=2,
    )


def test_stays_in_float32_on_the_processor() -> None:
    network = fitted(painted(0))
    image = torch.randn(1, 1, 20, 20)
    before = network(image)
    assert torch.equal(network.to(torch.bfloat16)(image), before)


def test_a_run_fits_it_and_keeps_it(make_project: Callable[..., ProjectFile]) -> None:
    """As any network, from a recipe to a model and its scores."""
    recipe = Recipe(name="forest", network=NetworkChoice(name="pixel_classifier"))
    run = prepare_training(make_project(), recipe)
    assert run_job(str(run.path)) == 0, run.log_path.read_text()
    metrics = run.metrics()
    assert metrics is not None
    assert metrics["test"]["mean_iou"] > 0.9
    model = load_model(run.best_path)
    assert isinstance(model.network, PixelClassifier)
    assert len(model.network.feature) == 20
    last = run.last_event()
    assert last is not None
    assert "painted pixels" in last["message"]
