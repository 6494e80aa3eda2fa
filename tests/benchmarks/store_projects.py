"""Projects of any size for the store's benchmarks, and strokes to paint in them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 5000
IMAGE_BYTES = 2 * SIDE * SIDE
CELL = 2  # the class that is painted
STROKE_POINTS, BRUSH = 30, 40


def make_project(path: Path, images: int, say: Callable[[str], None], *, side: int = SIDE) -> None:
    """A project of noisy, painted images of ``side``² uint16, closed.

    Each image is a texture of its own moved about, so that no two are alike and none packs well.
    """
    from orgseg_app.core.classes import default_classes
    from orgseg_app.core.image import OpenedImage
    from orgseg_app.files.images.intake import NewImage
    from orgseg_app.files.project_file import ProjectFile

    texture = noise(side)
    mask = discs(side)

    def item(number: int) -> NewImage:
        def plane(_: int) -> np.ndarray[Any, Any]:
            moved = np.roll(texture, (37 * number, 101 * number), (0, 1))
            return (moved + np.uint16(number))[np.newaxis]

        opened = OpenedImage(
            name=f"image {number + 1:03}",
            source="",
            shape=(1, 1, side, side),
            dtype=np.dtype(np.uint16),
            is_rgb=False,
            channel_names=("",),
            pixel_size_um=None,
            read_plane=plane,
        )
        return NewImage(opened, mask=np.roll(mask, 53 * number, 0))

    def progress(done: int, total: int) -> bool:
        if done % 20 == 0 and total > 20:
            say(f"making {path.name}: {done} of {total} images")
        return True

    with ProjectFile.create(path, default_classes(["cell"])) as file:
        file.add_images([item(number) for number in range(images)], progress)


def noise(side: int) -> np.ndarray[Any, Any]:
    """A microscope's picture, ``(side, side)`` uint16: soft structures, and noise on all of it."""
    import cv2

    rng = np.random.default_rng(5)
    coarse = rng.normal(0, 1, (side // 32 + 2,) * 2).astype(np.float32)
    soft = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    grain = rng.normal(0, 60, (side, side)).astype(np.float32)
    return np.clip(1500 + 500 * soft + grain, 0, 60000).astype(np.uint16)


def discs(side: int) -> np.ndarray[Any, Any]:
    """A mask ``(side, side)`` uint8 with some hundred cells on unlabelled ground."""
    import cv2

    rng = np.random.default_rng(6)
    mask = np.zeros((side, side), np.uint8)
    for _ in range(max(4, (side * side) // 120_000)):
        x, y, radius = rng.integers(0, side), rng.integers(0, side), rng.integers(15, 60)
        cv2.circle(mask, (int(x), int(y)), int(radius), CELL, -1)
    return mask


def stroke(rng: np.random.Generator, side: int) -> Any:
    """A brush stroke somewhere, as a hand draws it: it turns, but not at once."""
    from orgseg_app.core.edits.strokes import PaintStroke

    turns = np.cumsum(rng.normal(0, 0.3, STROKE_POINTS)) + rng.uniform(0, 2 * np.pi)
    steps = 8 * np.stack([np.sin(turns), np.cos(turns)], 1)
    points = np.clip(rng.uniform(200, side - 200, 2) + np.cumsum(steps, 0), 0, side - 1)
    class_id = int(rng.choice([1, CELL]))
    return PaintStroke(0, tuple((float(y), float(x)) for y, x in points), BRUSH, class_id)


def paint(file: Any, image_id: str, rng: np.random.Generator) -> Any:
    """Draw a stroke in an image's mask; a recorder that has still to be asked for the change."""
    from orgseg_app.core.edits.recorder import Recorder

    mask = file.mask(image_id)
    recorder = Recorder(image_id, mask)
    stroke(rng, mask.shape[-1]).apply(recorder)
    return recorder


def copy_seconds(source: Path, target: Path, times: int) -> Iterator[float]:
    """What saving by writing everything anew takes at the least: copy and fsync."""
    for _ in range(times):
        begin = time.perf_counter()
        shutil.copyfile(source, target)
        descriptor = os.open(target, os.O_RDWR)
        os.fsync(descriptor)
        os.close(descriptor)
        yield time.perf_counter() - begin
        target.unlink()
