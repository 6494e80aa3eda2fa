"""Published training sets in small, on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from orgseg_app.files.png import encode_png


def write_tree(root: Path, planes: tuple[int, int, int] = (4, 2, 3)) -> Path:
    """SNEMI3D_mito: train, valid and test with images and labels, numbered through."""
    random = np.random.default_rng(0)
    number = 0
    for split, count in zip(("train", "valid", "test"), planes, strict=True):
        for kind in ("images", "labels"):
            (root / split / kind).mkdir(parents=True)
        for _ in range(count):
            grey = random.integers(0, 255, (20, 24)).astype(np.uint8)
            name = f"{number:04d}.png"
            (root / split / "images" / name).write_bytes(encode_png(grey))
            label = np.where(grey > 200, np.uint8(255), np.uint8(0))
            (root / split / "labels" / name).write_bytes(encode_png(label))
            number += 1
    return root


def write_stacks(root: Path) -> Path:
    """The platelet volumes: numbers 0…6; weights for the training volume only."""
    root.mkdir(parents=True)
    random = np.random.default_rng(0)

    def put(name: str, values: np.ndarray) -> None:
        tifffile.imwrite(root / name, values, photometric="minisblack")

    for split in ("train", "eval", "test"):
        put(f"{split}-images.tif", random.integers(0, 60000, (4, 20, 24)).astype(np.uint16))
        put(f"{split}-labels.tif", random.integers(0, 7, (4, 20, 24)).astype(np.uint8))
    put("train-error-weights.tif", random.random((4, 20, 24)).astype(np.float32))
    return root
