"""Small projects for the tests of this folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import OpenedImage, open_array
from orgseg_app.files.backups import backup
from orgseg_app.files.backups.backing_up import make_backup
from orgseg_app.files.project_file import NewImage, ProjectFile

ROOT = Path(__file__).parents[2]


def picture(name="cell", shape=(1, 1, 60, 80), dtype="uint16", seed=0, **fields) -> OpenedImage:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 255 if dtype == "uint8" else 4000, shape).astype(dtype)
    return open_array(name, pixels, **fields)


def painted(shape=(1, 60, 80), seed=0) -> np.ndarray:
    mask = np.random.default_rng(seed).integers(0, 4, shape).astype(np.uint8)
    mask[..., : shape[-1] // 2] = 0
    return mask


def small_project(path: Path, count=2, **fields) -> ProjectFile:
    file = ProjectFile.create(path, default_classes(["ER", "nucleus"]))
    items = [
        NewImage(picture(f"cell {i}", seed=i, **fields), mask=painted(seed=i)) for i in range(count)
    ]
    file.add_images(items)
    return file


def big_project(path: Path, count: int = 2) -> ProjectFile:
    """Images of several blocks, some of them at the edge."""
    shape = (1, 600, 700)
    file = ProjectFile.create(path, default_classes(["ER", "nucleus"]))
    file.add_images(
        NewImage(picture(f"big {i}", (1, *shape), "uint8", seed=i), mask=painted(shape, seed=i))
        for i in range(count)
    )
    return file


def back_up(file: ProjectFile, reason: str = backup.ASKED) -> backup.Backup | None:
    """Make a backup of what is saved."""
    return make_backup(file.path, file.reading, reason)


def masks(file: ProjectFile) -> dict[str, np.ndarray]:
    """All masks by the names of their images."""
    return {i.name: file.mask(i.image_id).to_array() for i in file.project.images.values()}


def only(file: ProjectFile) -> str:
    """Id of the first image."""
    return next(iter(file.project.images))


def fill(file: ProjectFile, value: int) -> None:
    """Paint every mask with one class."""
    for image_id in file.project.images:
        mask = file.mask(image_id)
        mask.write(0, 0, 0, np.full(mask.shape[1:], value, np.uint8))


def drafts(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if ".saving-" in p.name]


def run_child(code: str, *arguments: object, **options) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )
