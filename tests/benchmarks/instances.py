"""Do recipes that learn objects find more of them than a plain U-Net and components?

On ``nuclei`` and ``phase`` of `real_sets` (its train, validation and test images, fixed there: 11,
4 and 5 fluorescence images of nuclei_dsb2018; 5, 1 and 3 of phase_usiigaci), each trained for the
same time and chosen on the validation images:

- ``fast``: the default preset, a plain semantic U-Net; objects are connected components;
- ``components``: the network of the set's preset, taught classes alone; components;
- ``boundary``, ``distance``, ``boundary_distance``, ``centre``: the same, taught that of objects;
- ``smp-tuned``: the U-Net of `peer_unet`, and components, where ``$PEERS/smp`` is there.

Figures are AP at IoU 0.5 and mean AP over 0.50 … 0.95, TP / (TP + FP + FN), of the test images,
pooled over their objects; the note gives the mean of the images, too. The best of those taught
objects is to be 0.05 AP at 0.5 above the best of the others. Everything::

    PEERS=FOLDER python tests/benchmarks/run.py instances

takes about an hour on a quiet machine of two cores (240 s each) and goes on where it was
stopped; ``--clock cpu`` is for a busy machine, ``--sets``, ``--seconds``, ``--seeds`` and
``--instance-methods`` take parts or more, ``--steps`` counts steps instead of seconds (not for
the peer).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.figure import Figure
from tests.benchmarks.real_sets import REAL_SETS, TEST, Labelled
from tests.benchmarks.trained import Training, child, here

SETS = ("nuclei", "phase")
PRESETS = {"nuclei": "nuclei-objects", "phase": "cells-objects"}
PLAIN = ("fast", "components", "smp-tuned")
OF_OBJECTS = ("boundary", "distance", "boundary_distance", "centre")
METHODS = (*PLAIN, *OF_OBJECTS)
SECONDS = (240.0,)
MARGIN = 0.05
CLASS = 2


@dataclass(frozen=True)
class Outcome:
    """What a training found of the objects of the test images.

    Attributes
    ----------
    matched
        Of each image, as `core.metrics.instances.Matching.to_dict` gives it.
    seconds, steps
        That it learned for.
    iou
        Of the class, all test images together.
    """

    matched: list[dict[str, Any]]
    seconds: float
    steps: int
    iou: float


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which of the methods; the rest is in `trained`."""
    parser.add_argument(
        "--instance-methods",
        nargs="+",
        default=METHODS,
        choices=METHODS,
        metavar="NAME",
        help=f"instances: what is trained, of {', '.join(METHODS)}",
    )


def measure(say: Callable[[str], None], options: argparse.Namespace) -> Iterator[Figure]:
    """For each set and time, AP of each method, and by how much learning objects helps."""
    peers = options.peers or os.environ.get("PEERS", "")
    methods = list(options.instance_methods)
    if not peers or not (Path(peers) / "smp").is_dir() or options.steps:
        say("instances: the peer is left out, for want of --peers with a folder smp, or of seconds")
        methods = [method for method in methods if not method.startswith("smp")]
    else:
        os.environ["PEERS"] = str(Path(peers).resolve())
    for name in here(options.sets or SETS, say):
        if name not in PRESETS:
            say(f"{name}: left out, nobody numbered its objects")
            continue
        for seconds in (0.0,) if options.steps else (options.seconds or SECONDS):
            for seed in range(options.seeds or 1):
                found = {
                    method: _trained(_training(method, name, seconds, seed, options), options, say)
                    for method in methods
                }
                budget = f"{seconds:g}s" if seconds else f"{options.steps}steps"
                prefix = f"instances.{name}.{budget}" + (f".seed{seed}" if seed else "")
                yield from _figures(prefix, found)


def _training(
    method: str, name: str, seconds: float, seed: int, options: argparse.Namespace
) -> Training:
    if method.startswith("smp"):
        return Training(name, method, "", seconds=seconds, seed=seed, clock=options.clock)
    settings = [f"steps={options.steps}", "patience=0"] if options.steps else []
    recipe = "fast" if method == "fast" else PRESETS[name]
    if method != "fast":
        settings.append(f"objects={method}")
    return Training(
        name,
        recipe=recipe,
        settings=tuple(settings),
        seconds=seconds,
        seed=seed,
        paint="objects",
        clock=options.clock,
    )


def _trained(
    training: Training, options: argparse.Namespace, say: Callable[[str], None]
) -> Outcome:
    """Do a training, or find what it came to when it was done before."""
    facts = json.dumps(asdict(training), sort_keys=True)
    key = hashlib.sha256(f"instances {facts}".encode()).hexdigest()[:12]
    label = "-".join(filter(None, (training.images, training.method, training.recipe)))
    path: Path = (
        options.kept / f"instances-{label}-{training.seconds:g}s-{training.seed}-{key}.json"
    )
    if path.exists():
        return Outcome(**json.loads(path.read_text(encoding="utf-8"))["outcome"])
    say(f"training {path.stem} {' '.join(training.settings)}")
    images = REAL_SETS[training.images].images()
    with tempfile.TemporaryDirectory() as folder:
        work = _orgseg if training.method == "orgseg" else _peer
        outcome = work(training, images, Path(folder))
    options.kept.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"training": asdict(training), "outcome": asdict(outcome)}, indent=1)
    draft = path.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
    return outcome


def _orgseg(training: Training, images: list[Labelled], folder: Path) -> Outcome:
    """A run of a new project with painted objects, in the process that the window would start."""
    from orgseg_app.core.classes import default_classes
    from orgseg_app.core.image import open_array
    from orgseg_app.files.images.intake import NewImage
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.runs.launcher import job_environment
    from orgseg_app.runs.recipes.presets import PRESETS as RECIPES
    from orgseg_app.runs.recipes.settings import with_settings
    from orgseg_app.runs.training import prepare_training

    settings = [f"seed={training.seed}", *training.settings]
    if training.seconds:
        settings += [f"max_minutes={training.seconds / 60}", "steps=1000000", "patience=0"]
    recipe = with_settings(RECIPES[training.recipe], settings)
    classes = default_classes(list(REAL_SETS[training.images].classes))
    with ProjectFile.create(folder / "bench.orgseg", classes) as file:
        file.add_images(
            [
                NewImage(
                    open_array(image.name, image.image),
                    image.split,
                    mask=image.mask,
                    objects=image.objects,
                )
                for image in images
            ]
        )
        run = prepare_training(file, recipe)
    environment = job_environment() | {"ORGSEG_HOME": str(folder)}
    child(["tests.benchmarks.trained", str(run.path), training.clock], environment, training)
    events = run.events()[0]
    if events[-1]["event"] != "finished":
        raise RuntimeError(f"{training}: {events[-1]}\n{run.log_path.read_text()[-2000:]}")
    metrics = json.loads(run.metrics_path.read_text(encoding="utf-8"))
    entries = [entry for entry in metrics["images"] if entry["split"] == TEST]
    return Outcome(
        matched=[entry["objects"][str(CLASS)]["matched"] for entry in entries],
        seconds=metrics["seconds"],
        steps=max([e["step"] for e in events if e["event"] == "step"], default=1),
        iou=metrics["test"]["iou"][str(CLASS)],
    )


def _peer(training: Training, images: list[Labelled], folder: Path) -> Outcome:
    """The same images, handed to `peer_unet`; what it says of the test images, taken apart."""
    from orgseg_app.core.metrics.object_scores import object_scores
    from orgseg_app.runs.launcher import job_environment

    data, answer = folder / "images.npz", folder / "answer.json"
    np.savez(
        data,
        splits=np.array([image.split for image in images]),
        **{f"image{n}": image.image for n, image in enumerate(images)},
        **{f"mask{n}": image.mask for n, image in enumerate(images)},
    )
    arguments = [str(v) for v in (data, answer, training.method, 2, training.seconds)]
    command = ["tests.benchmarks.peer_unet", *arguments, str(training.seed), training.clock]
    child(command, job_environment(), training)
    said = json.loads(answer.read_text(encoding="utf-8"))
    matched = []
    with np.load(answer.with_suffix(".npz")) as guesses:
        tests = [image for image in images if image.split == TEST]
        for image, name in zip(tests, guesses.files, strict=True):
            assert image.objects is not None
            found = object_scores(
                image.mask[None], guesses[name][None], [CLASS], true_objects=image.objects[None]
            )[CLASS].matched
            assert found is not None
            matched.append(found.to_dict())
    (_, made_up), (missed, both) = np.sum([np.array(m) for m in said["test"]], axis=0)
    return Outcome(
        matched=matched,
        seconds=said["seconds"],
        steps=said["steps"],
        iou=float(both / (both + made_up + missed)),
    )


def _figures(prefix: str, found: Mapping[str, Outcome]) -> Iterator[Figure]:
    """AP of each method; then the best that learned objects against the best that did not."""
    from orgseg_app.core.metrics.instances import Matching

    ap: dict[str, float] = {}
    for method, outcome in found.items():
        parts = [Matching.from_dict(kept) for kept in outcome.matched]
        whole = sum(parts, Matching())
        scores = {name: value or 0.0 for name, value in whole.scores().items()}
        ap[method] = scores["ap_50"]
        images = [part.scores() for part in parts]
        means = {name: np.mean([s[name] or 0.0 for s in images]) for name in ("ap_50", "mean_ap")}
        note = (
            f"mean of images {means['ap_50']:.3f} and {means['mean_ap']:.3f}; F1 "
            f"{scores['f1_50']:.3f}, PQ {scores['panoptic_quality']:.3f}, missed "
            f"{scores['missed_objects']:.2f}, split {whole.splits}, merged {whole.merges}, "
            f"{whole.predicted} of {whole.truth} objects, IoU {outcome.iou:.3f}, "
            f"{outcome.steps} steps in {outcome.seconds:.0f} s"
        )
        yield Figure(f"{prefix}.{method}.ap_50", scores["ap_50"], "AP", n=len(parts), note=note)
        yield Figure(f"{prefix}.{method}.mean_ap", scores["mean_ap"], "AP", n=len(parts))
    plain = [method for method in PLAIN if method in ap]
    taught = [method for method in OF_OBJECTS if method in ap]
    if plain and taught:
        one, other = max(taught, key=ap.__getitem__), max(plain, key=ap.__getitem__)
        yield Figure(
            f"{prefix}.gain",
            ap[one] - ap[other],
            "AP",
            goal=f">= {MARGIN}",
            met=ap[one] - ap[other] >= MARGIN,
            note=f"{one} {ap[one]:.3f}, {other} {ap[other]:.3f}, at IoU 0.5",
        )
