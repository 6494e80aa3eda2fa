"""Projects with known masks, and files of other programs for them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.project_file import NewImage, ProjectFile

SIDE = 40
SQUARE = (slice(10, 20), slice(10, 20))
SPLITS = ("train", "validation", "test", "test")


def square(class_id: int = 2, *, right: int = 0, ground: int = 1) -> np.ndarray:
    """A mask ``(1, Y, X)`` with a square of 10 × 10, moved to the right."""
    mask = np.full((1, SIDE, SIDE), ground, np.uint8)
    mask[0, SQUARE[0], SQUARE[1].start + right : SQUARE[1].stop + right] = class_id
    return mask


def project(
    path: Path,
    splits: tuple[str, ...] = SPLITS,
    *,
    class_names: tuple[str, ...] = ("ER",),
    name: str = "cell {}",
    mask: np.ndarray | None = None,
) -> ProjectFile:
    """A project of noise, all of it painted alike; the same number is the same picture."""
    file = ProjectFile.create(path, default_classes(class_names))
    items = []
    for number, split in enumerate(splits, 1):
        noise = np.random.default_rng(number).integers(0, 4000, (1, 1, SIDE, SIDE))
        image = open_array(name.format(number), noise.astype(np.uint16))
        items.append(NewImage(image, split, square() if mask is None else mask))
    file.add_images(items)
    return file


def write_masks(folder: Path, masks: dict[str, np.ndarray]) -> Path:
    """Label images as PNG, by file name without suffix; ``(Y, X)`` or ``(1, Y, X)``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, mask in masks.items():
        plane = mask[0] if mask.ndim == 3 else mask
        assert cv2.imwrite(str(folder / f"{name}.png"), plane)
    return folder


def image_id(file: ProjectFile, name: str) -> str:
    """The id of the image of this name."""
    return next(i.image_id for i in file.project.images.values() if i.name == name)
