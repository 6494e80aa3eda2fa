"""Tiny projects to learn from: bright discs on a noisy ground, two or three classes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.runs.recipes.schema import NetworkChoice, Recipe


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORGSEG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ORGSEG_PRECISION", "fp32")
    monkeypatch.setenv("ORGSEG_DEVICE", "cpu")
    monkeypatch.setenv("ORGSEG_THREADS", "1")
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    assert os.environ["ORGSEG_HOME"]


def disc_image(seed: int, size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """A 16-bit image of bright discs, and its mask: 1 ground, 2 disc."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    inside = np.zeros((size, size), bool)
    for _ in range(4):
        cy, cx, radius = random.integers(8, size - 8), random.integers(8, size - 8), 6
        inside |= (y - cy) ** 2 + (x - cx) ** 2 < radius**2
    pixels = random.normal(300, 40, (size, size)) + inside * 500
    return pixels.clip(0, 65535).astype(np.uint16), np.where(inside, 2, 1).astype(np.uint8)


def tiny_recipe(**changes: object) -> Recipe:
    fields: dict[str, object] = {
        "name": "tiny",
        "network": NetworkChoice(depth=1, width=4),
        "steps": 12,
        "batch_size": 2,
        "patch_size": 32,
        "validate_every": 4,
        "learning_rate": 0.01,
    }
    return Recipe(**(fields | changes))  # type: ignore[arg-type]


@pytest.fixture
def make_project(tmp_path: Path) -> Iterator[Callable[..., ProjectFile]]:
    """Build a project with discs; by default 3 training, 1 validation and 1 test image."""
    opened: list[ProjectFile] = []

    def build(
        splits: tuple[str, ...] = ("train", "train", "train", "validation", "test"),
        *,
        size: int = 64,
        name: str = "discs",
        edit: Callable[[int, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]] | None = None,
    ) -> ProjectFile:
        project = ProjectFile.create(tmp_path / f"{name}.orgseg", default_classes(["disc"]))
        items = []
        for number, split in enumerate(splits):
            pixels, mask = disc_image(number, size)
            if edit is not None:
                pixels, mask = edit(number, pixels, mask)
            image = open_array(f"disc {number}", pixels, is_rgb=pixels.ndim == 4)
            items.append(NewImage(image, split, mask.reshape((-1, *mask.shape[-2:])), None))
        project.add_images(items)
        opened.append(project)
        return project

    yield build
    for project in opened:
        project.close()
