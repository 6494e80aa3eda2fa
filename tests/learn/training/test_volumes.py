"""Trainings on volumes: neighbouring planes are really looked at, and everything else holds too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.images.intake import NewImage
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.learn.data.dataset import read_examples
from orgseg_app.learn.device import cpu_device
from orgseg_app.learn.errors import OutOfMemoryError
from orgseg_app.learn.losses.heads import heads_loss, reduced
from orgseg_app.learn.networks.network import Head
from orgseg_app.learn.prediction.predictor import Predictor
from orgseg_app.learn.training.trainer import Trainer
from orgseg_app.learn.training.validation import validate
from orgseg_app.runs.recipes.losses import LOSS_NAMES
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.schema import (
    AugmentationStep,
    LossTerm,
    NetworkChoice,
    PreprocessStep,
    Recipe,
)
from tests.learn.conftest import tiny_recipe
from tests.learn.training.conftest import Script
from tests.learn.training.test_memory import hungry

SIDE, DEPTH = 32, 8
PAINTED = (1, 3, 4, 6)
VOLUME_NETWORKS = [name for name, info in NETWORK_NAMES.items() if info.dimensions == 3]
SINGLE = "unet, one plane"
CHOICES = {name: NetworkChoice(name, depth=1, width=8) for name in VOLUME_NETWORKS} | {
    "unet, three planes": NetworkChoice("unet", depth=1, width=8, planes=3),
    SINGLE: NetworkChoice("unet", depth=1, width=8),
}


def volume_of(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy rectangles on every plane; the mask of a plane is what the *next* plane shows."""
    random = np.random.default_rng(seed)
    shown = np.zeros((DEPTH, SIDE, SIDE), bool)
    for plane in shown:
        for _ in range(2):
            y, x = random.integers(0, SIDE - 10, 2)
            plane[y : y + 10, x : x + 10] = True
    pixels = random.normal(200, 20, shown.shape) + shown * 400
    mask = np.zeros(shown.shape, np.uint8)
    for z in PAINTED:
        mask[z] = np.where(shown[z + 1], 2, 1)
    return pixels.clip(0, 65535).astype(np.uint16), mask


@pytest.fixture
def train(tmp_path: Path) -> Any:
    """A training on two volumes, checked on the first of them."""
    project = ProjectFile.create(tmp_path / "volumes.orgseg", default_classes(["next"]))
    for number, split in enumerate(("train", "train", "validation")):
        pixels, mask = volume_of(number % 2)
        project.add_images([NewImage(open_array(f"v{number}", pixels), split, mask=mask)])

    def build(recipe: Recipe, folder: str = "run", **more: Any) -> tuple[Trainer, list[Any]]:
        (tmp_path / folder).mkdir(exist_ok=True)
        events: list[Any] = []
        control = more.pop("control", Script())
        trainer = Trainer(
            recipe,
            read_examples(project, recipe),
            cpu_device(),
            best_path=tmp_path / folder / "best.ckpt",
            last_path=tmp_path / folder / "last.ckpt",
            run_id="0123456789ab",
            name="test",
            control=control,
            tell=lambda name, **fields: events.append((name, fields)),
        )
        control.trainer = trainer
        return trainer, events

    yield build
    project.close()


def volume_recipe(**changes: object) -> Recipe:
    fields: dict[str, object] = {
        "network": NetworkChoice("unet3d_aniso", depth=1, width=4),
        "patch_depth": 4,
        "augmentation": (AugmentationStep("d4"),),
    }
    return tiny_recipe(**(fields | changes))


@pytest.mark.parametrize("name", CHOICES)
def test_every_network_of_volumes_learns_what_the_next_plane_shows(train: Any, name: str) -> None:
    """Nothing on a plane itself tells its mask, and one plane off is as wrong as noise."""
    # Running means of batch norms look back 33 steps; deep networks feel it longest.
    steps = 120 if name in ("resunet3d", "net2d3d_norm") else 60
    trainer, events = train(volume_recipe(network=CHOICES[name], steps=steps, validate_every=steps))
    assert trainer.run() == ("finished", f"Trained for {steps} steps.")
    (check,) = [fields for event, fields in events if event == "validation"]
    if name == SINGLE:
        assert check["mean_iou"] < 0.4
    else:
        assert check["mean_iou"] > 0.7


def test_a_check_gives_what_the_network_gives_for_the_whole_volume(train: Any) -> None:
    """Planes are prepared once, and the painted ones are judged."""
    preprocess = (PreprocessStep("percentile"), PreprocessStep("gamma", {"gamma": 3.0}))
    trainer, _ = train(volume_recipe(preprocess=preprocess, steps=2))
    trainer.run()
    planes = trainer.examples.validation
    found = validate(Predictor([trainer.keeper.usable()]), planes)
    stack = planes[0].stack
    assert stack is not None
    volume = np.stack([stack.read_plane(z) for z in range(DEPTH)], axis=1)
    with torch.inference_mode():
        logits = trainer.model.network.eval()(torch.from_numpy(volume)[None])[0]
    guess = logits.argmax(0).numpy()[list(PAINTED)]
    target = np.stack([plane.target for plane in planes])
    expected = np.zeros((2, 2), np.int64)
    np.add.at(expected, (target, guess), 1)
    assert np.abs(found.confusion - expected).sum() <= 4  # where both classes are as likely
    assert found.confusion.sum() == target.size
    assert np.isfinite(found.loss)


@pytest.mark.parametrize("name", ["unet3d_aniso", "unet3d"])
def test_short_memory_makes_patches_narrower_and_shallower(train: Any, name: str) -> None:
    network = NetworkChoice(name, depth=2, width=4)
    recipe = volume_recipe(network=network, steps=1, patch_size=64, patch_depth=26, batch_size=2)
    trainer, events = train(recipe)
    most = 32 * 32 * 8
    hungry(trainer, lambda image: image.shape[2:].numel() <= most and len(image) == 1)
    trainer._validate = lambda: None  # a copy of the network, on the whole volume
    assert trainer.run()[0] == "finished"
    state = trainer.state
    found = (state.micro_batch, state.patch_size, state.patch_depth)
    assert found == ((1, 32, 8) if name == "unet3d" else (1, 32, 7))  # whole multiples
    said = [fields["text"] for event, fields in events if event == "message"]
    assert "1 patch at once instead of 2" in said[0]
    assert said[1] == "Memory was short: patches are now 32 pixels wide."
    depths = [int(text.split()[-3]) for text in said[2:]]
    assert depths == ([16, 8] if name == "unet3d" else [13, 7])
    again, _ = train(recipe)  # and stays so when it goes on
    assert again._sampler.patch_depth == found[2]


def test_fewer_than_three_planes_are_no_patch(train: Any) -> None:
    trainer, _ = train(volume_recipe(steps=1, patch_depth=4, batch_size=1))
    hungry(trainer, lambda image: image.shape[2] <= 3)
    trainer._validate = lambda: None
    assert trainer.run()[0] == "finished"
    assert (trainer.state.patch_size, trainer.state.patch_depth) == (32, 3)
    hopeless, _ = train(volume_recipe(steps=1, patch_depth=4, batch_size=1), "hopeless")
    hopeless.ladder._waits.clear()
    hungry(hopeless, lambda image: False)
    with pytest.raises(OutOfMemoryError):
        hopeless.run()
    assert hopeless.state.patch_depth == 3


@pytest.mark.parametrize("loss", LOSS_NAMES)
def test_unpainted_planes_give_no_gradient(train: Any, loss: str) -> None:
    """Of the answer itself, and of one that is coarser along all three axes."""
    trainer, _ = train(volume_recipe(patch_depth=8, class_weights="auto"))
    batch = trainer._draw(0)
    assert batch.pixels.shape == (2, 1, 8, 32, 32)
    painted = torch.from_numpy(batch.weights) > 0
    assert painted.any(dim=(2, 3))[0].tolist() == [z in PAINTED for z in range(DEPTH)]
    drawn = torch.Generator().manual_seed(0)
    sizes = ((8, 32, 32), (5, 11, 16))
    heads = [
        Head(torch.randn((2, 2, *size), generator=drawn).requires_grad_(), weight)
        for size, weight in zip(sizes, (1.0, 0.33), strict=True)
    ]
    target, weights = torch.from_numpy(batch.target), torch.from_numpy(batch.weights)
    total = heads_loss(heads, target, weights, terms=[LossTerm(loss)])
    total.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(total)
    for head in heads:
        gradient = head.logits.grad
        assert gradient is not None
        judged = reduced(weights, head.logits.shape[2:]) > 0
        pulled = (gradient != 0).any(dim=1)
        assert not (pulled & ~judged).any()
        assert (pulled & judged).any()


def test_gradients_do_not_depend_on_how_many_patches_are_taken_at_once(train: Any) -> None:
    recipe = volume_recipe(network=NetworkChoice("net2d3d", depth=1, width=4), batch_size=4)
    found = []
    for folder, at_once in (("all", 4), ("parts", 1)):
        trainer, _ = train(recipe, folder)
        trainer.improver.gradients(trainer._draw(0), step=0, micro_batch=at_once)
        gradients = [p.grad.flatten() for p in trainer.model.network.parameters()]
        found.append(torch.cat(gradients))
    assert (
        torch.cosine_similarity(found[0], found[1], dim=0) > 0.95
    )  # no batch norm: the loss alone differs
