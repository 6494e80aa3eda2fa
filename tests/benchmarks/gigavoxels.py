"""A volume far larger than memory, predicted by a network of volumes that is killed on the way.

The volume is simulated plane by plane and never in memory. It is predicted three times over: once
undisturbed, then by a process that gets SIGKILL twice and goes on each time. The masks have to be
the same; peak memory is what the process takes beyond what it had with its model ready.
``--gigavoxels 0.05`` does it with a smaller one.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from tests.benchmarks.figure import Figure  # noqa: E402

GIGAVOXELS = 4.0
KILLS = (0.3, 0.65)
"""Parts of the way at which the process is killed."""
MEMORY_MB = 3000.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """``--gigavoxels X``."""
    parser.add_argument(
        "--gigavoxels", type=float, default=GIGAVOXELS, metavar="X", help="gigavoxels: how large"
    )


def measure(say: Callable[[str], None], options: argparse.Namespace) -> Iterator[Figure]:
    """Peak memory, time a megavoxel, and whether killing changes anything."""
    shape = shape_of(options.gigavoxels)
    megavoxels = math.prod(shape) / 1e6
    say(f"{' × '.join(map(str, shape))} voxels ({megavoxels / 1e3:.3g} gigavoxels)")
    with tempfile.TemporaryDirectory(prefix="gigavoxels-") as name:
        start = time.perf_counter()
        whole = undisturbed(Path(name) / "undisturbed", shape)
        say(f"undisturbed: {time.perf_counter() - start:.0f} s, {whole['peak_mb']:.0f} MB")
        killed = killed_and_resumed(Path(name) / "killed", shape, say)
    yield Figure(
        "gigavoxels.peak_memory",
        max(whole["peak_mb"], killed["peak_mb"]),
        "MB",
        goal=f"<= {MEMORY_MB:g} MB beyond the model",
        met=max(whole["peak_mb"], killed["peak_mb"]) <= MEMORY_MB,
        note=f"{megavoxels / 1e3:.3g} gigavoxels",
    )
    yield Figure("gigavoxels.time", whole["seconds"] / megavoxels, "s/megavoxel", note="2 threads")
    yield Figure(
        "gigavoxels.killed_differs",
        float(whole["mask"] != killed["mask"]),
        "",
        n=len(KILLS),
        goal="0: the same mask after SIGKILL",
        met=whole["mask"] == killed["mask"],
    )


def shape_of(gigavoxels: float) -> tuple[int, int, int]:
    """``(Z, Y, X)`` of about so many voxels, half as deep as wide."""
    depth = max(8, round((gigavoxels * 1e9 / 4) ** (1 / 3)))
    return depth, 2 * depth, 2 * depth


def undisturbed(out: Path, shape: tuple[int, int, int]) -> dict[str, Any]:
    """What a process says that nobody disturbs."""
    with _started(out, shape, "--fresh") as process:
        return _last_word(process)


def killed_and_resumed(
    out: Path, shape: tuple[int, int, int], say: Callable[[str], None]
) -> dict[str, Any]:
    """What the last of three processes says, the others having been killed."""
    for part in KILLS:
        with _started(out, shape, "--resume") as process:
            for line in process.stdout or ():
                word = json.loads(line)
                if word.get("part", 0.0) >= part and any(out.glob(".*.predicting/record.json")):
                    process.send_signal(signal.SIGKILL)
                    break
                if "mask" in word:
                    raise AssertionError("It was done before it could be killed.")
            assert process.wait() == -signal.SIGKILL
            say(f"killed after {part:.0%}")
    with _started(out, shape, "--resume") as process:
        return _last_word(process)


def _started(out: Path, shape: tuple[int, int, int], how: str) -> subprocess.Popen[str]:
    from orgseg_app.runs.launcher import job_environment

    words = [sys.executable, __file__, str(out), *map(str, shape), how]
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=job_environment()
    )


def _last_word(process: subprocess.Popen[str]) -> dict[str, Any]:
    last: dict[str, Any] = {}
    for line in process.stdout or ():
        last = json.loads(line)
    assert process.wait() == 0
    return last


# -- in the process that may be killed -------------------------------------------------------------


def simulated(shape: tuple[int, int, int]) -> Any:
    """An opened image ``(1, Z, Y, X)`` uint8 of blobs and noise, made plane by plane."""
    from orgseg_app.core.image import OpenedImage

    depth, height, width = shape
    y = np.sin(np.arange(height, dtype=np.float32) / 19)[:, None]
    x = np.sin(np.arange(width, dtype=np.float32) / 23)

    def read_plane(z: int) -> np.ndarray[Any, Any]:
        noise = np.random.default_rng(z).integers(0, 96, (height, width), np.uint8)
        blobs = (70 * (1 + y * x * np.sin(z / 11))).astype(np.uint8)
        plane: np.ndarray[Any, Any] = np.expand_dims(noise + blobs, 0)
        return plane

    size = (1, depth, height, width)
    names = ("simulated",)
    return OpenedImage(
        "volume", "volume", size, np.dtype(np.uint8), False, names, (0.02, 0.02, 0.02), read_plane
    )


def predictor() -> Any:
    """A tiny network of volumes on the processor."""
    import torch

    from orgseg_app.core.classes import default_classes
    from orgseg_app.learn.checkpoint import Model
    from orgseg_app.learn.device import cpu_device
    from orgseg_app.learn.networks.registry import build_network
    from orgseg_app.learn.prediction.predictor import Predictor
    from orgseg_app.runs.recipes.schema import NetworkChoice, Recipe

    torch.manual_seed(0)
    choice = NetworkChoice("unet3d", depth=1, width=2)
    network = build_network(choice, channels=1, classes=2).eval()
    recipe = Recipe(name="gigavoxels", network=choice)
    model = Model(network, recipe, default_classes(["blob"]), 1, name="tiny")
    return Predictor([model], cpu_device())


def main(arguments: list[str]) -> int:
    """Predict; a JSON line for each step of the way, and one at the end."""
    from orgseg_app.learn.prediction.batch import predict_opened
    from orgseg_app.learn.prediction.work import work_folder

    out, how = Path(arguments[0]), arguments[4]
    shape = (int(arguments[1]), int(arguments[2]), int(arguments[3]))
    out.mkdir(parents=True, exist_ok=True)
    opened, ready = simulated(shape), predictor()
    # Also a small volume comes in many tiles.
    ready.deep.voxels = min(ready.deep.voxels, math.prod(shape) // 64)
    before = _memory_mb("VmRSS")
    start = time.perf_counter()
    predict_opened(
        ready,
        opened,
        {"tiff": out / "volume.tif"},
        work=work_folder(out, "volume"),
        facts={"image": "volume"},
        resume=how == "--resume",
        progress=lambda done, total: print(json.dumps({"part": done / total}), flush=True),
    )
    seconds = time.perf_counter() - start
    peak = _memory_mb("VmHWM") - before
    assert not any(out.glob(".*"))
    said = {"seconds": seconds, "peak_mb": peak, "mask": _hash_of(out / "volume.tif")}
    print(json.dumps(said), flush=True)
    return 0


def _hash_of(path: Path) -> str:
    """Of the voxels of a mask, read plane by plane."""
    import tifffile

    digest = hashlib.sha256()
    with tifffile.TiffFile(path) as file:
        for page in file.pages:
            digest.update(np.ascontiguousarray(page.asarray()).data)
    return digest.hexdigest()


def _memory_mb(what: str) -> float:
    """Resident memory of this process, now (VmRSS) or at its highest (VmHWM)."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in text.splitlines() if line.startswith(what))
    return float(line.split()[1]) / 1e3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
