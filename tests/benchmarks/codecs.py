"""Ways of packing voxels: a random tile, and whole planes, as a project gives them.

Every project is opened anew, and nothing of it was read in this process before. Checksums are
verified in every figure. The image is noisy, as fluorescence is; the mask has thousands of regions.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.figure import Figure

SIDE = 8192
TILE = 256
TILES = 400
TILE_MS = {"image": 0.3, "mask": 1.0}


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Tiles and throughput of every codec, through a project that has just been opened."""
    from orgseg_app.core.classes import default_classes
    from orgseg_app.core.image import open_array
    from orgseg_app.files.images.codecs import CODECS
    from orgseg_app.files.project_file import NewImage, ProjectFile

    pixels, mask = _image(), _mask()
    with tempfile.TemporaryDirectory() as folder:
        for name, codec in CODECS.items():
            say(f"{name}: {codec.words}")
            path = Path(folder) / f"{name}.orgseg"
            item = NewImage(open_array("a", pixels), mask=mask, codec=codec)
            with ProjectFile.create(path, default_classes(["cell"])) as file:
                started = time.perf_counter()
                file.add_images([item])
                written = time.perf_counter() - started
            yield Figure(f"codecs.{name}_import", pixels.nbytes / 1e6 / written, "MB/s")
            yield from _image_figures(path, name, pixels)
            yield from _mask_figures(path, name, mask)
            path.unlink()


def _image() -> NDArray[np.uint16]:
    import cv2

    rng = np.random.default_rng(0)
    noise = rng.normal(0, 80, (SIDE, SIDE)).astype(np.float32)
    shapes = cv2.resize(rng.random((SIDE // 64, SIDE // 64)).astype(np.float32), (SIDE, SIDE))
    return np.clip(2000 + shapes * 3000 + noise, 0, 65535).astype(np.uint16)


def _mask() -> NDArray[np.uint8]:
    import cv2

    rng = np.random.default_rng(0)
    field = cv2.resize(rng.random((SIDE // 24, SIDE // 24)).astype(np.float32), (SIDE, SIDE))
    return np.digitize(field, (0.4, 0.6)).astype(np.uint8) + np.uint8(1)


def _image_figures(path: Path, name: str, pixels: NDArray[np.uint16]) -> Iterator[Figure]:
    """Random tiles of an image, then all of it."""
    from orgseg_app.files.project_file import ProjectFile

    with ProjectFile.open(path) as file:
        image_id = next(iter(file.project.images))
        tiles = _tiles(lambda *place: file.read_region(image_id, 0, *place))
        started = time.perf_counter()
        whole = file.read_plane(image_id, 0)
        taken = time.perf_counter() - started
        with file.reading() as inside:
            stored = inside["images"][image_id]["pixels"].id.get_storage_size()
    if not np.array_equal(whole[0], pixels):
        raise AssertionError(f"{name} gave another image back")
    yield _tile_figure(name, "image", tiles, pixels.nbytes / stored)
    yield Figure(f"codecs.{name}_image_read", pixels.nbytes / 1e6 / taken, "MB/s")


def _mask_figures(path: Path, name: str, mask: NDArray[np.uint8]) -> Iterator[Figure]:
    """Random tiles of a mask as it is stored, then all of it as the window takes it."""
    from orgseg_app.files.project_file import ProjectFile

    with ProjectFile.open(path) as file:
        image_id = next(iter(file.project.images))

        def tile(y0: int, x0: int, y1: int, x1: int) -> NDArray[Any]:
            with file.reading() as inside:
                return np.asarray(inside["images"][image_id]["mask"][0, y0:y1, x0:x1])

        tiles = _tiles(tile)
        with file.reading() as inside:
            stored = inside["images"][image_id]["mask"].id.get_storage_size()
        started = time.perf_counter()
        whole = file.mask(image_id)
        taken = time.perf_counter() - started
        if not np.array_equal(whole.to_array()[0], mask):
            raise AssertionError(f"{name} gave another mask back")
    yield _tile_figure(name, "mask", tiles, mask.nbytes / stored)
    yield Figure(f"codecs.{name}_mask_read", mask.nbytes / 1e6 / taken, "MB/s")


def _tile_figure(name: str, what: str, tiles: list[float], packed: float) -> Figure:
    value, goal = statistics.median(tiles), TILE_MS[what]
    promised = not (what == "image" and name == "compact")  # who asks for small files gets these
    return Figure(
        name=f"codecs.{name}_{what}_tile",
        value=value,
        unit="ms",
        n=len(tiles),
        goal=f"≤ {goal:g} ms" if promised else "",
        met=value <= goal if promised else None,
        note=f"95 % within {np.percentile(tiles, 95):.2f} ms; {packed:.1f} : 1",
    )


def _tiles(read: Callable[[int, int, int, int], NDArray[Any]]) -> list[float]:
    rng = np.random.default_rng(1)
    tiles = []
    for y, x in rng.integers(0, SIDE - TILE, (TILES, 2)).tolist():
        started = time.perf_counter()
        read(y, x, y + TILE, x + TILE)
        tiles.append((time.perf_counter() - started) * 1000)
    return tiles
