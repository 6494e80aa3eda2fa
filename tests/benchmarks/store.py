"""The project store: strokes made durable, saved and opened again, whatever the project's size.

`FULL_GB` of images are made for it, twice that is needed on the disk, and all of it is removed
again; ``--size`` takes less, ``--scratch`` another folder. Every figure stands against a bound or a
peer of the same run, because disks differ more than programs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks import store_projects as projects
from tests.benchmarks.figure import Figure

ROOT = Path(__file__).resolve().parents[2]
FULL_GB = 10.0
SMALL_IMAGES = 2  # 100 MB
COMMITS = 300
SIDE = 8192
STROKE_BYTES = 3000
FOLDED, ROUNDS = 50, 7
OPENINGS = 5
OPENED = (("file", True), ("window", True), ("stranger", False))  # how, and whether it has a goal
TILE, TILES = 256, 300
PATIENCE_S = 180

MEDIAN_MS, P95_MS = 5.0, 30.0
MOST_FOLD_SHARE = 0.01
MOST_OPEN_RATIO = 1.5
MASK_TILE_MS, IMAGE_TILE_MS = 1.0, 0.3

Say = Callable[[str], None]


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `run.py` takes for this benchmark."""
    parser.add_argument(
        "--size", type=float, default=FULL_GB, metavar="GB", help="store: size of the large project"
    )
    parser.add_argument(
        "--scratch", type=Path, metavar="FOLDER", help="store: where it is made (temporary files)"
    )


def measure(
    say: Say, options: argparse.Namespace | None = None, *, side: int = SIDE, image_side: int = 0
) -> Iterator[Figure]:
    """All figures of the store.

    Parameters
    ----------
    options
        With ``size`` and ``scratch``.
    side, image_side
        Of the mask that is painted on, and of the images in projects; smaller in tests.

    Raises
    ------
    RuntimeError
        When the disk has too little room.
    """
    size_gb = FULL_GB if options is None else options.size
    scratch = None if options is None else options.scratch
    image_side = image_side or projects.SIDE
    with tempfile.TemporaryDirectory(prefix="orgseg-store-", dir=scratch) as folder:
        count = max(SMALL_IMAGES, round(size_gb * 1e9 / (2 * image_side**2)))
        need, free = 3.2 * 2 * image_side**2 * count, shutil.disk_usage(folder).free
        if need > free:
            raise RuntimeError(
                f"{need / 1e9:.0f} GB are needed in {folder}, {free / 1e9:.0f} GB are free; "
                "take --size or --scratch."
            )
        home = os.environ.get("ORGSEG_HOME")
        os.environ["ORGSEG_HOME"] = str(Path(folder) / "home")
        try:
            yield from _commits(Path(folder), side, say)
            yield from _tiles(Path(folder), min(4096, side), say)
            yield from _large(Path(folder), count, image_side, say)
        finally:
            os.environ.pop("ORGSEG_HOME")
            if home is not None:
                os.environ["ORGSEG_HOME"] = home


# -- a stroke ------------------------------------------------------------------------------------


def _commits(folder: Path, side: int, say: Say) -> Iterator[Figure]:
    """From the lifted hand to the answer that the stroke is on the disk."""
    from orgseg_app.files.project_file import ProjectFile

    say(f"painting {COMMITS} strokes on {side} × {side}")
    path = folder / "stroke.orgseg"
    projects.make_project(path, 1, say, side=side)
    rng = np.random.default_rng(0)
    took, commit, bound = [], [], []
    appended = os.open(folder / "appended", os.O_RDWR | os.O_CREAT)
    sync = getattr(os, "fdatasync", os.fsync)
    with ProjectFile.open(path) as file:
        image_id = next(iter(file.project.images))
        for _ in range(COMMITS):
            recorder = projects.paint(file, image_id, rng)
            begin = time.perf_counter()
            change = recorder.finish("paint")
            file.note_change(change)
            middle = time.perf_counter()
            file.commit_all()
            end = time.perf_counter()
            took.append(1e3 * (end - begin))
            commit.append(1e3 * (end - middle))
            begin = time.perf_counter()
            os.write(appended, bytes(STROKE_BYTES))
            sync(appended)
            bound.append(1e3 * (time.perf_counter() - begin))
    os.close(appended)
    path.unlink()
    for name, value, least, most in (
        ("median", statistics.median(took), statistics.median(bound), MEDIAN_MS),
        ("p95", _p95(took), _p95(bound), P95_MS),
    ):
        yield Figure(
            f"store.stroke_durable_{name}",
            value,
            "ms",
            n=COMMITS,
            goal=f"<= {most:g} ms",
            met=value <= most,
            bound=least,
            ratio=value / least,
            note=f"bound: {STROKE_BYTES} bytes appended and fdatasync; of it in the journal: "
            f"{statistics.median(commit):.2f} ms"
            if name == "median"
            else "",
        )


# -- tiles ---------------------------------------------------------------------------------------


def _tiles(folder: Path, side: int, say: Say) -> Iterator[Figure]:
    """A square of 256² at a random place, as each codec stores it; h5py's usual one as peer."""
    import h5py

    from orgseg_app.files.images import codecs

    say("reading tiles")
    pixels, mask = projects.noise(side)[np.newaxis, np.newaxis], projects.discs(side)[np.newaxis]
    path = folder / "tiles.h5"
    with h5py.File(path, "w", libver=("v108", "v108")) as file:
        file.create_dataset("usual/mask", data=mask, chunks=(1, 512, 512), compression="gzip")
        file.create_dataset("usual/pixels", data=pixels, chunks=(1, 1, 512, 512), compression=4)
        for codec in codecs.CODECS.values():
            group = file.create_group(codec.name)
            for name, data, filters, block in (
                ("mask", mask, codec.mask, 256),
                ("pixels", pixels, codec.pixels, codec.pixel_chunk),
            ):
                chunk = (1,) * (data.ndim - 2) + (block, block)
                stored = codecs.create_dataset(
                    group, name, data.shape, data.dtype, chunk=chunk, filters=filters
                )
                stored[...] = data
    with h5py.File(path, "r") as file:
        peer = {kind: _tile_ms(file["usual"][kind]) for kind in ("mask", "pixels")}
        for codec in codecs.CODECS.values():
            for kind, most in (("mask", MASK_TILE_MS), ("pixels", IMAGE_TILE_MS)):
                value = _tile_ms(file[codec.name][kind])
                # Images packed by gzip are small and slow; who asks for that knows.
                promised = kind == "mask" or codec is not codecs.COMPACT
                yield Figure(
                    f"store.tile_{codec.name}_{kind}",
                    value,
                    "ms",
                    n=TILES,
                    goal=f"<= {most:g} ms" if promised else "",
                    met=value <= most if promised else None,
                    peer=peer[kind],
                    ratio=value / peer[kind],
                )
    path.unlink()


def _tile_ms(dataset: Any) -> float:
    """Median time to read a tile, from files that the system has in memory."""
    side = dataset.shape[-1]
    rng = np.random.default_rng(1)
    before = (0,) * (dataset.ndim - 2)
    samples = []
    for _ in range(TILES):
        y, x = (int(v) for v in rng.integers(0, side - TILE + 1, 2))
        begin = time.perf_counter()
        dataset[(*before, slice(y, y + TILE), slice(x, x + TILE))]
        samples.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(samples)


# -- a large project -----------------------------------------------------------------------------


def _large(folder: Path, count: int, side: int, say: Say) -> Iterator[Figure]:
    """Saving, opening and backing up, against copying and against a small project."""
    large, small = folder / "large.orgseg", folder / "small.orgseg"
    begin = time.perf_counter()
    projects.make_project(large, count, say, side=side)
    making = time.perf_counter() - begin
    projects.make_project(small, SMALL_IMAGES, say, side=side)
    size = large.stat().st_size
    yield Figure("store.import", size / 1e6 / making, "MB/s", n=count, note=f"{size / 1e9:.2f} GB")
    yield from _openings(folder, small, large, say)
    say(f"copying {size / 1e9:.2f} GB")
    copies = list(projects.copy_seconds(large, folder / "copy", 1 if size > 2**30 else 5))
    copy = statistics.median(copies)
    yield Figure("store.copy", copy, "s", n=len(copies), note="the whole project, and fsync")
    yield from _folds(large, copy, say)
    yield from _backup(large, copy, say)


def _folds(path: Path, copy: float, say: Say) -> Iterator[Figure]:
    """Committed strokes written into the project file."""
    from orgseg_app.files.project_file import ProjectFile

    rng = np.random.default_rng(2)
    with ProjectFile.open(path) as file:
        ids = list(file.project.images)
        for name, chosen in (("one_image", ids[:1]), ("ten_images", ids[:10])):
            say(f"saving {FOLDED} strokes, {name.replace('_', ' ')}")
            samples = []
            for round_ in range(ROUNDS + 1):
                for number in range(FOLDED):
                    recorder = projects.paint(file, chosen[number % len(chosen)], rng)
                    change = recorder.finish("paint")
                    file.note_change(change)
                    file.commit_all()
                begin = time.perf_counter()
                file.save()
                if round_:  # the first one reads the masks' indices
                    samples.append(time.perf_counter() - begin)
            value = statistics.median(samples)
            share = value / copy
            is_large = path.stat().st_size >= 1e9 * FULL_GB  # the promise is about such projects
            yield Figure(
                f"store.save_50_strokes_{name}",
                value,
                "s",
                n=ROUNDS,
                goal=f"ratio <= {MOST_FOLD_SHARE:g}" if is_large else "",
                met=share <= MOST_FOLD_SHARE if is_large else None,
                peer=copy,
                ratio=share,
                note=f"{100 * share:.3f} % of copying the project and fsync; "
                f"longest {1e3 * max(samples):.0f} ms",
            )


def _backup(path: Path, copy: float, say: Say) -> Iterator[Figure]:
    """A backup of all annotations, and one more when one image changed."""
    from orgseg_app.files.backups.backing_up import make_backup
    from orgseg_app.files.project_file import ProjectFile

    say("backing up")
    with ProjectFile.open(path) as file:
        begin = time.perf_counter()
        made = make_backup(path, file.reading)
        value = time.perf_counter() - begin
    assert made is not None
    yield Figure(
        "store.backup",
        value,
        "s",
        peer=copy,
        ratio=value / copy,
        note=f"{made.path.stat().st_size / 1e6:.0f} MB of annotations; peer: copying the project",
    )


def _openings(folder: Path, small: Path, large: Path, say: Say) -> Iterator[Figure]:
    """In turns (A B A B ...), each in a process of its own; the first pair does not count."""
    for how, goal in OPENED:
        took: dict[Path, list[dict[str, float]]] = {small: [], large: []}
        for pair in range(OPENINGS + 1):
            for path in (small, large):
                answer = _opened(how, path, folder)
                if pair:
                    took[path].append(answer)
            say(f"opening, {how}: {pair} of {OPENINGS}")
        value, peer = (
            statistics.median(a["seconds"] for a in took[path]) for path in (large, small)
        )
        opened = [statistics.median(a["open"] for a in took[path]) for path in (large, small)]
        notes = {
            "file": "open, first plane, its mask",
            "window": "from the click to the painted first image",
            "stranger": "the same as file, never seen on this computer",
        }
        yield Figure(
            f"store.open_{how}",
            value,
            "s",
            n=OPENINGS,
            goal=f"ratio <= {MOST_OPEN_RATIO:g}" if goal else "",
            met=value / peer <= MOST_OPEN_RATIO if goal else None,
            peer=peer,
            ratio=value / peer,
            note=f"{notes[how]}; of it opening {opened[0]:.3f} s, small {opened[1]:.3f} s",
        )


def _opened(how: str, path: Path, folder: Path) -> dict[str, float]:
    environment = dict(os.environ)
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        if how == "stranger":
            environment["ORGSEG_HOME"] = fresh
        done = subprocess.run(
            [
                sys.executable,
                str(Path(__file__).with_name("store_open.py")),
                "window" if how == "window" else "file",
                str(path),
            ],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
    if done.returncode != 0:
        raise RuntimeError(f"{path.name} was not opened:\n{done.stderr[-2000:]}")
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _p95(samples: list[float]) -> float:
    return statistics.quantiles(samples, n=20)[-1]
