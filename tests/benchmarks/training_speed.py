"""Training: OrgSeg's whole loop beside the bare loop of the same network, and the usual one.

Three processes in turn, round after round, each timing the same number of steps of the same U-Net
on patches of the same size: a training of OrgSeg (patches drawn and augmented, events written), the
bare loop with everything that makes it quick (channels-last, the precision that the trial finds,
the malloc settings), and the loop that every tutorial shows (float32, eager, torch's own memory).
Ratios are medians of the ratios of neighbours.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
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

from tests.benchmarks.figure import Figure  # noqa: E402

DEPTH, WIDTH, BATCH, PATCH = 4, 32, 8, 256
STEPS, ROUNDS = 6, 5
LEAST_OF_BARE = 0.93
LEAST_OF_PLAIN = 3.5
MOST_FIRST_STEP_S = 2.0
KINDS = ("orgseg", "bare", "plain")


def add_options(parser: argparse.ArgumentParser) -> None:
    """How long to measure, and on how large a network."""
    parser.add_argument("--loop-rounds", type=int, default=ROUNDS, help="training_speed: rounds")
    parser.add_argument(
        "--loop-width", type=int, default=WIDTH, help="training_speed: U-Net's width"
    )


def measure(say: Callable[[str], None], options: argparse.Namespace) -> Iterator[Figure]:
    """Patches a second of the three loops, their ratios, and the way to the first step."""
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    firsts: list[float] = []
    for number in range(options.loop_rounds):
        say(f"round {number + 1} of {options.loop_rounds}")
        for kind in KINDS:
            rates[kind].append(_child(kind, options.loop_width))
        firsts.append(first_step_s())
    n = options.loop_rounds
    for kind in KINDS:
        yield Figure(f"training_speed.{kind}", statistics.median(rates[kind]), "patches/s", n=n)
    for kind, least in (("bare", LEAST_OF_BARE), ("plain", LEAST_OF_PLAIN)):
        pairs = [a / b for a, b in zip(rates["orgseg"], rates[kind], strict=True)]
        ratio, is_bound = statistics.median(pairs), kind == "bare"
        against = statistics.median(rates[kind])
        yield Figure(
            f"training_speed.orgseg_over_{kind}",
            statistics.median(rates["orgseg"]),
            "patches/s",
            n=n,
            goal=f"ratio >= {least:g}",
            met=ratio >= least,
            bound=against if is_bound else None,
            peer=None if is_bound else against,
            ratio=ratio,
            note="" if is_bound else "the loop that peers run by default",
        )
    first = statistics.median(firsts)
    yield Figure(
        "training_speed.first_step",
        first,
        "s",
        n=n,
        goal=f"<= {MOST_FIRST_STEP_S:g} s from pressing Train",
        met=first <= MOST_FIRST_STEP_S,
        note=f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
    )


def _child(kind: str, width: int) -> float:
    """Patches a second of one process."""
    from orgseg_app.runs.launcher import job_environment

    environment = dict(os.environ) if kind == "plain" else job_environment()
    done = subprocess.run(
        [sys.executable, __file__, kind, str(width)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout.splitlines()[-1])["patches_per_s"])


def first_step_s() -> float:
    """Seconds from pressing Train (the check of the project) to the event of the first step."""
    from orgseg_app.runs import launcher
    from orgseg_app.runs.recipes.presets import PRESETS
    from orgseg_app.runs.recipes.settings import with_settings
    from orgseg_app.runs.training import prepare_training

    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get("ORGSEG_HOME")
        os.environ["ORGSEG_HOME"] = folder  # else it waits its turn behind other trainings
        try:
            with project(Path(folder)) as file:
                run = None
                for _ in range(2):  # the first one tries the precision out, once a month
                    begun = time.time()
                    run = prepare_training(file, with_settings(PRESETS["fast"], ["steps=20000"]))
                    launcher.start(run)
                    while not (told := [e for e in run.events()[0] if e["event"] == "step"]):
                        time.sleep(0.01)
                    launcher.kill(run)
                return float(told[0]["time"] - begun)
        finally:
            if before is None:
                del os.environ["ORGSEG_HOME"]
            else:
                os.environ["ORGSEG_HOME"] = before


def project(folder: Path) -> Any:
    """A project of simulated images of 512 pixels."""
    from orgseg_app.core.classes import default_classes
    from orgseg_app.core.image import open_array
    from orgseg_app.core.samples.catalogue import simulate
    from orgseg_app.files.images.intake import NewImage
    from orgseg_app.files.project_file import ProjectFile

    file = ProjectFile.create(folder / "speed.orgseg", default_classes(["er"]))
    file.add_images(
        [
            NewImage(open_array(f"sample {n}", item.pixels), split, mask=item.mask)
            for n, split in enumerate(("train", "train", "validation"))
            for item in (simulate("er", n),)
        ]
    )
    return file


# -- in a process of its own -----------------------------------------------------------------------


def main(kind: str, width: int) -> int:
    """Time one kind of loop, and print one JSON line."""
    seconds = _orgseg(width) if kind == "orgseg" else _loop(width, quick=kind == "bare")
    print(json.dumps({"patches_per_s": BATCH * STEPS / seconds}))
    return 0


def _orgseg(width: int) -> float:
    """Seconds of `STEPS` steps of a training, validation aside."""
    from orgseg_app.learn.control import Control
    from orgseg_app.learn.data.dataset import read_examples
    from orgseg_app.learn.device import choose_device
    from orgseg_app.learn.errors import StopRequestedError
    from orgseg_app.learn.training.trainer import Trainer
    from orgseg_app.runs.events import EventWriter
    from orgseg_app.runs.recipes.augmentation import AUGMENTATION_PRESETS
    from orgseg_app.runs.recipes.schema import LossTerm, NetworkChoice, Recipe

    times: list[float] = []
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        recipe = Recipe(
            name="speed",
            network=NetworkChoice("unet", depth=DEPTH, width=width),
            loss=(LossTerm("cross_entropy"),),
            augmentation=AUGMENTATION_PRESETS["basic"].steps,
            optimiser="adam",
            batch_size=BATCH,
            patch_size=PATCH,
            steps=10_000,
            validate_every=10_000,
        )
        with project(folder) as file, EventWriter(folder / "events.jsonl") as events:
            trainer = Trainer(
                recipe,
                read_examples(file, recipe),
                choose_device(),
                best_path=folder / "best.ckpt",
                last_path=folder / "last.ckpt",
                run_id="0" * 12,
                name="speed",
                control=Control(folder),
                tell=events.write,
            )
            told = trainer.telling.step

            def step(*args: Any) -> None:
                told(*args)
                times.append(time.perf_counter())
                if len(times) == STEPS + 2:
                    raise StopRequestedError("timed")

            trainer.telling.step = step  # type: ignore[method-assign]
            trainer.run()
    return times[-1] - times[1]


def _loop(width: int, *, quick: bool) -> float:
    """Seconds of `STEPS` steps of the bare loop."""
    import torch
    from torch.nn import functional

    from orgseg_app.learn.device import choose_device
    from orgseg_app.learn.networks.registry import build_network
    from orgseg_app.runs.recipes.schema import NetworkChoice

    device = choose_device()  # as many threads for all
    device = device if quick else device.with_precision("fp32")
    network = build_network(NetworkChoice("unet", DEPTH, width), channels=1, classes=2).train()
    image, target = torch.randn(BATCH, 1, PATCH, PATCH), torch.randint(0, 2, (BATCH, PATCH, PATCH))
    network, image, target = (x.to(device.torch_device) for x in (network, image, target))
    if quick:
        network = network.to(memory_format=torch.channels_last)
        image = image.to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(network.parameters(), 1e-3, fused=quick or None)
    times: list[float] = []
    for _ in range(STEPS + 2):
        optimiser.zero_grad(set_to_none=True)
        with device.autocast():
            logits = network(image)
        functional.cross_entropy(logits.float(), target).backward()
        optimiser.step()
        if device.kind == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter())
    return times[-1] - times[1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
