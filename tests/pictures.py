"""Small images, masks and projects on disk, for tests of the command line and of runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.project_file import NewImage, ProjectFile

ROOT = Path(__file__).resolve().parents[1]
TINY = (
    "steps=12",
    "validate_every=6",
    "patch_size=32",
    "batch_size=2",
    "network.depth=1",
    "network.width=4",
    "learning_rate=0.02",
)
"""Settings of a training that takes a second."""


def blobs(seed: int, size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """A uint16 image of bright discs on noise, and where they are (bool)."""
    rng = np.random.default_rng(seed)
    inside = np.zeros((size, size), np.uint8)
    for _ in range(5):
        y, x = rng.integers(8, size - 8, 2)
        cv2.circle(inside, (int(x), int(y)), int(rng.integers(4, 8)), 1, -1)
    pixels = 300.0 + 900.0 * inside + rng.normal(0, 60, inside.shape)
    return pixels.clip(0, 65535).astype(np.uint16), inside.astype(bool)


def write_pairs(folder: Path, count: int = 4, *, masks: str = "labels") -> Path:
    """``images/`` and a folder of 0/255 masks."""
    (folder / "images").mkdir(parents=True)
    (folder / masks).mkdir()
    for index in range(count):
        pixels, inside = blobs(index)
        tifffile.imwrite(folder / "images" / f"zelle {index}.tif", pixels)
        tifffile.imwrite(folder / masks / f"zelle {index}.tif", inside.astype(np.uint8) * 255)
    return folder


def make_project(
    path: Path,
    splits: tuple[str, ...] = ("train", "train", "validation", "test"),
    *,
    paint: str = "all",
    classes: tuple[str, ...] = ("blob",),
    channels: tuple[int, ...] = (),
) -> Path:
    """A project of `blobs`; paint is ``"all"``, ``"none"``, or ``"class"`` for the discs only."""
    with ProjectFile.create(path, default_classes(classes)) as file:
        items = []
        for index, split in enumerate(splits):
            pixels, inside = blobs(index)
            mask = np.where(inside, 2, 1 if paint == "all" else 0).astype(np.uint8)
            count = channels[index] if channels else 1
            stack = np.repeat(pixels[None, None], count, axis=0)
            opened = open_array(f"zelle {index}", stack)
            items.append(NewImage(opened, split, None if paint == "none" else mask))
        file.add_images(items)
    return path


def orgseg(*words: object, cwd: Path, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    environment = dict(os.environ, PYTHONPATH=str(ROOT), PYTHONIOENCODING="utf-8")
    if home is not None:
        environment["ORGSEG_HOME"] = str(home)
    return subprocess.run(
        [sys.executable, "-m", "orgseg_app", *map(str, words)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        stdin=subprocess.DEVNULL,
    )


def lines(text: str) -> list[dict[str, Any]]:
    """JSON objects, one a line."""
    return [json.loads(line) for line in text.splitlines()]
