"""Tiled prediction beside its bound and a peer: same network, same windows, same blending.

The peer is MONAI's sliding window where MONAI is installed, else a loop of the same windows written
here as MONAI's documentation describes them (float32, eager, Gaussian weights, the whole image's
scores kept); the bound is the forward passes of our own windows alone. All in turn, in one process;
ratios are medians of the ratios of neighbours. What more memory a taller image takes is measured in
processes of their own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.benchmarks.figure import Figure  # noqa: E402

SIDE, WINDOW, DEPTH, WIDTH, ROUNDS = 1024, 256, 4, 16, 5
OVERLAP = 0.25
LEAST_OF_PEER, LEAST_OF_BOUND = 3.0, 0.95
MOST_DIFFERENCE = 1e-4
HEIGHTS = (1024, 4096)
MOST_GROWTH = 1.15


def add_options(parser: argparse.ArgumentParser) -> None:
    """How large an image, how often."""
    parser.add_argument("--tiled-side", type=int, default=SIDE, help="prediction_speed: pixels")
    parser.add_argument("--tiled-rounds", type=int, default=ROUNDS, help="prediction_speed: rounds")


def measure(say: Callable[[str], None], options: argparse.Namespace) -> Iterator[Figure]:
    """Megapixels a second against peer and bound, the difference to the whole image, memory."""
    say("predicting")
    facts = _child("rates", options.tiled_side, options.tiled_rounds)
    took, mega = facts["took"], options.tiled_side**2 / 1e6
    for key, against, least, is_peer in (
        ("same windows", "peer", LEAST_OF_PEER, True),
        ("own plan", "peer", LEAST_OF_PEER, True),
        ("own plan", "forward", LEAST_OF_BOUND, False),
    ):
        ratio = statistics.median(b / a for a, b in zip(took[key], took[against], strict=True))
        rate = mega / statistics.median(took[against])
        yield Figure(
            f"prediction_speed.{key}_over_{against}".replace(" ", "_"),
            mega / statistics.median(took[key]),
            "Mpx/s",
            n=options.tiled_rounds,
            goal=f"ratio >= {least:g}",
            met=ratio >= least,
            peer=rate if is_peer else None,
            bound=None if is_peer else rate,
            ratio=ratio,
            note=facts["peer"] if is_peer else f"forward of our own tiles, {facts['device']}",
        )
    yield Figure(
        "prediction_speed.difference_to_whole_image",
        facts["difference"],
        "probability",
        goal=f"<= {MOST_DIFFERENCE:g} in fp32",
        met=facts["difference"] <= MOST_DIFFERENCE,
    )
    say("measuring memory")
    peaks = [_child("memory", height, 1)["peak_mb"] for height in HEIGHTS]
    ratio = peaks[1] / peaks[0]
    yield Figure(
        "prediction_speed.peak_memory_of_a_taller_image",
        peaks[1],
        "MB",
        bound=peaks[0],
        ratio=ratio,
        goal=f"ratio <= {MOST_GROWTH:g}",
        met=ratio <= MOST_GROWTH,
        note=f"{HEIGHTS[1]} against {HEIGHTS[0]} rows of {SIDE}, without the image and its mask",
    )


def _child(what: str, size: int, rounds: int) -> dict[str, Any]:
    """What a process of its own has measured, in the environment of a job."""
    from orgseg_app.runs.launcher import job_environment

    command = [sys.executable, __file__, what, str(size), str(rounds)]
    done = subprocess.run(
        command, cwd=ROOT, env=job_environment(), capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


# -- in a process of its own -----------------------------------------------------------------------


def rates(side: int, rounds: int) -> dict[str, Any]:
    """Seconds of every way to predict, in turn."""
    import torch

    from orgseg_app.learn.device import choose_device
    from orgseg_app.learn.prediction.predictor import Predictor
    from tests.learn.predicting import plane_bands, predict_plane

    device, model = choose_device(), _model()
    plane = np.random.default_rng(0).integers(0, 4000, (1, side, side)).astype(np.uint16)
    own, windows = Predictor([model], device), _Windows(model, device, side)
    peer, name = _peer(model, side)
    image = windows.prepared(plane)
    jobs: dict[str, Callable[[], object]] = {
        "peer": lambda: peer(image),
        "same windows": lambda: windows.predict(image),
        "forward": lambda: own_forward(own, image),
        "own plan": lambda: predict_plane(own, plane),
    }
    took: dict[str, list[float]] = {key: [] for key in jobs}
    for number in range(rounds + 1):
        for key, job in jobs.items():
            start = time.perf_counter()
            job()
            if number:
                took[key].append(time.perf_counter() - start)
    exact = Predictor([model], device.with_precision("fp32"), tile=WINDOW)
    tiled = np.concatenate([b.probabilities for b in plane_bands(exact, plane)], axis=1)
    with torch.inference_mode():
        whole = model.network(torch.from_numpy(image)[None]).softmax(1)[0].numpy()
    difference = float(np.abs(tiled - whole).max())
    return {"took": took, "difference": difference, "peer": name, "device": str(device)}


def own_forward(predictor: Any, image: np.ndarray[Any, Any]) -> None:
    """The forward passes of the predictor's own tiles, and nothing else."""
    import torch

    from orgseg_app.learn.prediction.tiles import plan_axis

    network = predictor.networks[0]
    weight = next(network.parameters())
    plan = plan_axis(
        image.shape[-1],
        tile=predictor.flat.tile,
        multiple=predictor.flat.multiple,
        radius=predictor.flat.radius,
    )
    with torch.inference_mode():
        for row in plan:
            for column in plan:
                tile = torch.from_numpy(image[:, row.start : row.stop, column.start : column.stop])
                network(
                    tile[None].to(weight.device, weight.dtype, memory_format=torch.channels_last)
                )


class _Windows:
    """MONAI's windows and Gaussian weights, computed as OrgSeg computes its tiles."""

    def __init__(self, model: Any, device: Any, side: int) -> None:
        from orgseg_app.learn.prediction.placing import ready

        self.network, self.model, self.device = ready(model.network, device), model, device
        self.starts = starts_of(side)
        self.weights = gaussian()

    def prepared(self, plane: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The plane as the network gets it."""
        from orgseg_app.core.preprocessing.steps import apply_steps

        return apply_steps(plane, self.model.recipe.preprocess)

    def predict(self, image: np.ndarray[Any, Any]) -> Any:
        """Blended scores ``(K, Y, X)``."""
        weight = next(self.network.parameters())
        return sliding(
            lambda tile: self.network(tile.to(weight.device, weight.dtype)).float().cpu(),
            image,
            self.starts,
            self.weights,
        )


def starts_of(side: int) -> list[int]:
    """Where windows begin along an axis: as far apart as may be, the last at the end."""
    stride = int(WINDOW * (1 - OVERLAP))
    count = -(-(side - WINDOW) // stride) + 1
    return [min(n * stride, side - WINDOW) for n in range(count)]


def gaussian() -> Any:
    """Weights ``(W, W)`` of a window, sigma an eighth of its side."""
    import torch

    x = torch.arange(WINDOW, dtype=torch.float32) - (WINDOW - 1) / 2
    line = torch.exp(-(x**2) / (2 * (WINDOW * 0.125) ** 2))
    return (line[:, None] * line[None]).clamp_min(1e-3)


def sliding(
    network: Callable[[Any], Any],
    image: np.ndarray[Any, Any],
    starts: list[int],
    weights: Any,
) -> Any:
    """Sums of weighted scores over sums of weights, one window at a time."""
    import torch

    whole = torch.from_numpy(image)[None]
    out, total = None, torch.zeros(whole.shape[-2:])
    with torch.inference_mode():
        for y in starts:
            for x in starts:
                place = np.s_[..., y : y + WINDOW, x : x + WINDOW]
                scores = network(whole[place].contiguous(memory_format=torch.channels_last))
                if out is None:
                    out = torch.zeros((1, scores.shape[1], *whole.shape[-2:]))
                out[place] += scores * weights
                total[place] += weights
    assert out is not None
    return out / total


def _peer(model: Any, side: int) -> tuple[Callable[[np.ndarray[Any, Any]], object], str]:
    """MONAI's sliding window, or its stand-in."""
    import torch

    try:
        from monai.inferers import sliding_window_inference
    except ImportError:
        starts, weights = starts_of(side), gaussian()

        def plain(tile: Any) -> Any:
            return model.network(tile.contiguous())

        return (
            lambda image: sliding(plain, image, starts, weights),
            "a plain float32 loop of MONAI's windows (MONAI is not installed)",
        )

    def monai(image: np.ndarray[Any, Any]) -> object:
        with torch.inference_mode():
            return sliding_window_inference(
                torch.from_numpy(image)[None],
                (WINDOW, WINDOW),
                1,
                model.network,
                overlap=OVERLAP,
                mode="gaussian",
            )

    return monai, "MONAI's sliding_window_inference"


def _model(width: int = WIDTH) -> Any:
    import torch

    from orgseg_app.core.classes import default_classes
    from orgseg_app.learn.checkpoint import Model
    from orgseg_app.learn.networks.registry import build_network
    from orgseg_app.runs.recipes.schema import NetworkChoice, Recipe

    torch.manual_seed(0)
    choice = NetworkChoice("unet", depth=DEPTH, width=width)
    network = build_network(choice, channels=1, classes=2).eval()
    recipe = Recipe(name="speed", network=choice)
    return Model(network, recipe, default_classes(["cell"]), 1)


def memory(height: int) -> dict[str, float]:
    """Peak memory of predicting one plane of `SIDE` columns, less the image and its mask."""
    import resource

    from orgseg_app.learn.device import choose_device
    from orgseg_app.learn.prediction.predictor import Predictor
    from tests.learn.predicting import predict_plane

    plane = np.zeros((1, height, SIDE), np.uint16)
    plane[:] = np.random.default_rng(0).integers(0, 4000, (1, 1, SIDE))
    predict_plane(Predictor([_model(width=4)], choose_device(), tile=256), plane)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # uint16 as read, float32 as prepared (twice while it is made), one byte for the mask.
    own = height * SIDE * (2 + 4 + 4 + 1) / 2**20
    return {"peak_mb": kilobytes / 1024 - own}


if __name__ == "__main__":
    what, size, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps(memory(size) if what == "memory" else rates(size, rounds)))
