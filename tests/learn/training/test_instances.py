"""Recipes that learn single objects, from painted numbers to objects in files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.core.instances.flooding import components
from orgseg_app.core.instances.grouping import group
from orgseg_app.core.metrics.contingency import contingency
from orgseg_app.core.metrics.instances import matching
from orgseg_app.files.predictions import (
    predictions_in,
    read_predicted_maps,
    read_predicted_objects,
    read_prediction,
)
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.learn.checkpoint import Model, load_model, outputs_of, save_model
from orgseg_app.learn.data.dataset import Examples, read_examples
from orgseg_app.learn.data.instances import with_components
from orgseg_app.learn.data.patches import PatchSampler
from orgseg_app.learn.job import run_job
from orgseg_app.learn.networks.registry import build_network
from orgseg_app.learn.prediction.batch import BatchRequest, predict_files
from orgseg_app.learn.prediction.predictor import Predictor
from orgseg_app.learn.prediction.source import ArrayPlanes
from orgseg_app.learn.prediction.volumes import predicted_planes
from orgseg_app.learn.training.starting import start_from
from orgseg_app.runs.errors import RecipeError
from orgseg_app.runs.recipes.reading import (
    check_recipe,
    recipe_from_builtins,
    recipe_to_builtins,
)
from orgseg_app.runs.recipes.schema import AugmentationStep, NetworkChoice, Recipe
from orgseg_app.runs.training import prepare_training
from tests.learn.conftest import tiny_recipe


def touching(seed: int, size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of discs that touch, a dark line between them, and their numbers."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    numbers = np.zeros((size, size), np.uint32)
    for pair, cy in enumerate((15, 45)):
        cx = int(random.integers(16, 30))
        for k in (0, 1):
            inside = (y - cy) ** 2 + (x - cx - 15 * k) ** 2 < 8.2**2
            numbers[inside & (numbers == 0)] = 2 * pair + k + 1
    pixels = random.normal(300, 20, (size, size)) + (numbers > 0) * 500
    edge = np.zeros(numbers.shape, bool)
    edge[:, 1:] |= (numbers[:, 1:] != numbers[:, :-1]) & (numbers[:, 1:] > 0)
    pixels[edge] -= 250
    return pixels.clip(0, 65535).astype(np.uint16), numbers


@pytest.fixture
def project(tmp_path: Path) -> Iterator[ProjectFile]:
    made = ProjectFile.create(tmp_path / "touching.orgseg", default_classes(["disc"]))
    items = []
    for number, split in enumerate(("train", "train", "validation", "test")):
        pixels, objects = touching(number)
        mask = np.where(objects > 0, 2, 1).astype(np.uint8)[None]
        image = open_array(f"touching {number}", pixels)
        items.append(NewImage(image, split, mask, objects[None]))
    made.add_images(items)
    yield made
    made.close()


def recipe(target: str, **changes: Any) -> Recipe:
    fields = {"steps": 40, "batch_size": 3, "patch_size": 48, "validate_every": 40}
    network = NetworkChoice(depth=2, width=6)
    return tiny_recipe(network=network, objects=target, **(fields | changes))


def test_touching_discs_come_apart_in_the_run_and_in_files(
    project: ProjectFile, tmp_path: Path
) -> None:
    run = prepare_training(project, recipe("boundary"), "boundary")
    assert run_job(str(run.path)) == 0, run.log_path.read_text()
    assert [e["mean_ap"] for e in run.events()[0] if e["event"] == "validation"][-1] > 0
    image, truth = the_test_image(project)
    found = read_prediction(run.predictions_path, image)
    assert found.objects is not None
    assert found.maps is not None
    scores = matching(contingency(truth, found.objects[0]))
    merged = matching(contingency(truth, components(found.mask[0] == 2)[0]))
    assert scores.ap(0.5) == 1
    assert merged.ap(0.5) < 0.5
    # What was fitted travels with the model, and the objects can be made anew from the maps.
    grouping = load_model(run.best_path).grouping
    assert found.grouping == grouping is not None
    anew = group(found.maps[0, 0], found.maps[1, 0], grouping)
    np.testing.assert_array_equal(anew, found.objects[0])
    assert predictions_in(run.predictions_path)[image].has_maps
    np.testing.assert_array_equal(
        read_predicted_objects(run.predictions_path, image, 0), found.objects[0]
    )
    np.testing.assert_array_equal(
        read_predicted_maps(run.predictions_path, image, 0), found.maps[:, 0]
    )
    check_files(load_model(run.best_path), tmp_path)


def test_two_images_of_touching_discs_are_learnt_by_their_centres(project: ProjectFile) -> None:
    of = recipe("centre", steps=90, validate_every=90)
    assert recipe_from_builtins(recipe_to_builtins(of)) == of
    run = prepare_training(project, of, "centre")
    assert run_job(str(run.path)) == 0, run.log_path.read_text()
    model = load_model(run.best_path)
    assert model.recipe.objects == "centre"
    assert model.grouping is not None
    for seed in (0, 1):
        pixels, truth = touching(seed)
        (plane,) = predicted_planes(
            Predictor([model]), ArrayPlanes(pixels[None, None]), [0], want_maps=True
        )
        assert plane.maps is not None
        found = group(plane.maps[0], plane.maps[1:], model.grouping)
        assert matching(contingency(truth, found)).ap(0.5) == 1
        merged = components(plane.mask == 2)[0]
        assert matching(contingency(truth, merged)).ap(0.5) < 0.5
    image, _ = the_test_image(project)
    kept = read_prediction(run.predictions_path, image)
    assert kept.maps is not None
    assert kept.objects is not None
    assert kept.maps.shape == (4, 1, 64, 64)
    np.testing.assert_array_equal(
        read_predicted_maps(run.predictions_path, image, 0), kept.maps[:, 0]
    )
    anew = group(kept.maps[0, 0], kept.maps[1:, 0], kept.grouping)
    np.testing.assert_array_equal(anew, kept.objects[0])


def check_files(model: Model, tmp_path: Path) -> None:
    """Tables and images of objects beside predicted masks."""
    pixels, numbers = touching(9)
    volume = np.stack([pixels] * 3)
    for name, written in (("plane", pixels), ("volume", volume)):
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(
            path, written, photometric="minisblack", metadata={"axes": "ZYX"[-written.ndim :]}
        )
    found: dict[str, Any] = {}
    for name in ("plane", "volume"):
        out = tmp_path / name
        out.mkdir()
        request = BatchRequest((tmp_path / f"{name}.tif",), out, ("tiff",), objects=True)
        result = predict_files(
            Predictor([model]), request, tell=lambda *_, **__: None, should_stop=lambda: False
        )
        assert result.problems == []
        found[name] = tifffile.imread(out / f"{name}_objects.tif")
        lines = (out / f"{name}_objects.csv").read_text().splitlines()
        assert len(lines) == 1 + found[name].max()
        assert lines[1].split(",")[1] == "disc"
    assert matching(contingency(numbers, found["plane"])).ap(0.5) == 1
    # Planes that look alike have objects that go on.
    assert found["volume"].max() == found["plane"].max()
    np.testing.assert_array_equal(found["volume"][2], found["volume"][0])


def the_test_image(project: ProjectFile) -> tuple[str, np.ndarray]:
    """Id and object numbers ``(Y, X)`` of the test image."""
    (image,) = [i for i in project.project.images.values() if i.split == "test"]
    objects = project.objects(image.image_id)
    assert objects is not None
    return image.image_id, objects[0]


def test_models_of_one_target_are_averaged_and_of_two_fall_back(project: ProjectFile) -> None:
    examples = read_examples(project, recipe("boundary"))
    models = [fresh(examples, name, seed) for name, seed in (("boundary", 0), ("boundary", 1))]
    plane = examples.validation[0].pixels
    alone = [depth_of(Predictor([model]), plane) for model in models]
    together = depth_of(Predictor(models), plane)
    np.testing.assert_allclose(together, np.mean(alone, axis=0), atol=1e-6)
    turned = depth_of(Predictor(models, turns=True), np.rot90(plane, axes=(1, 2)).copy())
    np.testing.assert_allclose(
        np.rot90(turned, -1), depth_of(Predictor(models, turns=True), plane), atol=1e-5
    )
    said: list[str] = []
    mixed = Predictor([models[0], fresh(examples, "distance", 2)], say=said.append)
    assert not mixed.has_depth
    assert "hangs together" in said[0]
    (band,) = mixed.bands_of_prepared([plane, plane])
    assert len(band.probabilities) == 2
    np.testing.assert_allclose(band.probabilities.sum(axis=0), 1, atol=1e-5)


def fresh(examples: Examples, target: str, seed: int) -> Model:
    """A model that has learnt nothing."""
    of = recipe(target, seed=seed)
    torch.manual_seed(seed)
    network = build_network(of.network, channels=1, classes=outputs_of(of, 2))
    return Model(network.eval(), of, examples.classes, 1)


def depth_of(predictor: Predictor, plane: np.ndarray) -> np.ndarray:
    (band,) = predictor.bands_of_prepared([plane] * len(predictor.models))
    return band.probabilities[-1]


def test_tiles_give_the_maps_of_the_whole(project: ProjectFile) -> None:
    examples = read_examples(project, recipe("boundary_distance"))
    model = fresh(examples, "boundary_distance", 0)
    source = ArrayPlanes(np.concatenate([touching(5)[0]] * 3, axis=1)[None, None])
    whole, tiles = (
        next(predicted_planes(Predictor([model], tile=tile), source, [0], want_maps=True))
        for tile in (None, 64)
    )
    assert whole.maps is not None
    assert tiles.maps is not None
    assert np.abs(whole.maps.astype(int) - tiles.maps).max() <= 1


def test_objects_bend_with_the_patch_and_weights_stay_in_place(project: ProjectFile) -> None:
    steps = tuple(map(AugmentationStep, ("rotate", "elastic", "scale")))
    of = recipe("boundary_distance", augmentation=steps)
    examples = read_examples(project, of)
    planes = [
        replace(plane, weights=np.where(plane.target == 1, 2, 1).astype(np.float32))
        for plane in examples.train
    ]
    sampler = PatchSampler(planes, classes=2, patch_size=48, augmentation=of.augmentation, seed=3)
    batch = sampler.batch(0, 6)
    assert batch.instances is not None
    assert batch.instances.shape == (6, 2, 48, 48)
    seen = batch.weights > 0
    edge, depth = batch.instances[:, 0], batch.instances[:, 1]
    structure = batch.target == 1
    assert (depth[seen & structure] > 0).all()
    assert not depth[seen & ~structure].any()
    assert (edge[seen & structure] > 0).all()
    assert set(np.unique(batch.weights[seen & structure])) == {2}
    assert batch.part(2, 4).instances is not None
    # The same dice without objects give the same patches.
    plain = [replace(plane, instances=()) for plane in planes]
    other = PatchSampler(
        plain, classes=2, patch_size=48, augmentation=of.augmentation, seed=3
    ).batch(0, 6)
    assert other.instances is None
    np.testing.assert_array_equal(other.pixels, batch.pixels)
    np.testing.assert_array_equal(other.weights, batch.weights)


@pytest.mark.parametrize("is_deep", [False, True])
def test_bare_structures_are_objects_by_component(is_deep: bool) -> None:
    mask = np.ones((2, 4, 9), np.uint8)
    mask[:, 1:3, 1:4] = 2
    mask[0, 1:3, 6:8] = 2
    painted = np.zeros(mask.shape, np.uint32)
    painted[0, 1:3, 6:8] = 5
    found = with_components(painted, mask, is_deep=is_deep)
    assert ((found > 0) == (mask > 1)).all()
    assert found[0, 1, 6] == 5
    assert len(np.unique(found[found > 0])) == (2 if is_deep else 3)


def test_a_forest_learns_classes_alone() -> None:
    with pytest.raises(RecipeError, match="Single objects"):
        check_recipe(
            Recipe(name="x", network=NetworkChoice("pixel_classifier"), objects="boundary")
        )


@pytest.mark.parametrize("earlier", ["components", "boundary"])
def test_training_goes_on_from_a_model_of_another_target(
    earlier: str, project: ProjectFile, tmp_path: Path
) -> None:
    examples = read_examples(project, recipe("boundary"))
    before, now = fresh(examples, earlier, 0), fresh(examples, "boundary", 1)
    save_model(tmp_path / "before.ckpt", before)
    own = {key: value.clone() for key, value in now.network.state_dict().items()}
    start_from(tmp_path / "before.ckpt", now)
    old, new = before.network.state_dict(), now.network.state_dict()
    assert new["head.weight"].shape[0] == 5
    assert new["head.weight"][:2].equal(old["head.weight"][:2])  # classes are known
    known = own if earlier == "components" else old
    assert new["head.weight"][2:].equal(known["head.weight"][2:])
