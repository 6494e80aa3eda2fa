"""Volumes: a 2-D U-Net, a 2.5-D one, 2D-3D, and what they say together, on planes held out.

Each network is trained for the same time on the volumes of `volume_sets` and judged on test planes
that lie apart from all that was learned from, by the mean IoU of all classes, background among
them. Then the probabilities of the three are averaged: of all, and of the best k, with k chosen
on validation planes. All of it with several seeds, best member against ensemble seed by seed; and
for each network the mean of its seeds against the best of them. Everything::

    python tests/benchmarks/run.py volumes --kept FOLDER

takes about two hours on a quiet machine of two cores (120 seconds a training) and goes on where it
was stopped; ``--volumes``, ``--seconds`` or ``--steps`` and ``--seeds`` take parts of it. The gaps
are thinner than `learn.data.splitting` asks for, so the test planes are judged here and not by the
runs themselves, which may refuse to.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.figure import Figure
from tests.benchmarks.real_sets import TEST, TRAIN, VALIDATION
from tests.benchmarks.trained import Training, child, class_iou
from tests.benchmarks.volume_sets import VOLUME_SETS

NETWORKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "2d": ("volume-25d", ("network.planes=1",)),
    "25d": ("volume-25d", ()),
    "2d3d": ("volume-2d3d", ()),
}
"""Presets and what is changed in them."""
SECONDS, SEEDS = 120.0, 3


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which of the volumes; the rest is in `trained`."""
    parser.add_argument("--volumes", nargs="+", metavar="NAME", choices=list(VOLUME_SETS))


@dataclass(frozen=True)
class Repeat:
    """What all members and mixtures came to with one seed.

    Attributes
    ----------
    alone
        Mean IoU of each network on the test planes, by the names of `NETWORKS`.
    together
        Of the mean of all.
    chosen
        Of the mean of the best k, with k and the order found on the validation planes.
    k
        How many those are.
    """

    alone: dict[str, float]
    together: float
    chosen: float
    k: int

    @property
    def best(self) -> float:
        """The best of the networks alone, as the test planes say."""
        return max(self.alone.values())


def measure(say: Callable[[str], None], options: argparse.Namespace) -> Iterator[Figure]:
    """For each volume, the mean IoU of every network and of their ensemble."""
    for name in options.volumes or VOLUME_SETS:
        if not VOLUME_SETS[name].is_here:
            say(f"{name}: left out, for want of ../shared/data/{VOLUME_SETS[name].path}")
            continue
        seeds = range(options.seeds or SEEDS)
        trainings = {
            network: [_training(name, network, seed, options) for seed in seeds]
            for network in NETWORKS
        }
        repeats = []
        for seed in seeds:
            members = [of_network[seed] for of_network in trainings.values()]
            repeats.append(_repeat(_judged(name, members, options.kept, say)))
        yield from _figures(f"volumes.{name}", repeats)
        if len(seeds) > 1:
            judged = {n: _judged(name, t, options.kept, say) for n, t in trainings.items()}
            yield from _figures_of_seeds(f"volumes.{name}", judged)


def _training(name: str, network: str, seed: int, options: argparse.Namespace) -> Training:
    recipe, settings = NETWORKS[network]
    steps = (f"steps={options.steps}", f"validate_every={options.steps}") if options.steps else ()
    seconds = 0.0 if options.steps else (options.seconds or [SECONDS])[0]
    return Training(
        name,
        recipe=recipe,
        settings=(*settings, *steps),
        seconds=seconds,
        seed=seed,
        clock=options.clock,
    )


def _trained(training: Training, kept: Path, say: Callable[[str], None]) -> Path:
    """The checkpoint of a training, done now or before."""
    path = (
        kept / f"volume-{training.images}-{training.recipe}-{training.seed}-{_key(training)}.ckpt"
    )
    if path.exists():
        return path
    say(f"training {path.stem} {' '.join(training.settings)}")
    from orgseg_app.core.classes import default_classes
    from orgseg_app.core.image import open_array
    from orgseg_app.files.images.intake import NewImage
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.runs.launcher import job_environment
    from orgseg_app.runs.recipes.presets import PRESETS
    from orgseg_app.runs.recipes.settings import with_settings
    from orgseg_app.runs.training import prepare_training

    settings = [f"seed={training.seed}", *training.settings]
    if training.seconds:
        settings += [f"max_minutes={training.seconds / 60}", "steps=1000000", "patience=0"]
    recipe = with_settings(PRESETS[training.recipe], settings)
    volume = VOLUME_SETS[training.images]
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "bench.orgseg"
        with ProjectFile.create(project, default_classes(list(volume.classes))) as file:
            for part in volume.parts():
                if part.split != TEST:
                    opened = open_array(part.split, part.image, pixel_size_um=volume.pixel_size_um)
                    file.add_images([NewImage(opened, part.split, mask=part.mask)])
            run = prepare_training(file, recipe)
        environment = job_environment() | {"ORGSEG_HOME": folder}
        child(["tests.benchmarks.trained", str(run.path), training.clock], environment, training)
        last = run.events()[0][-1]
        if last["event"] != "finished":
            raise RuntimeError(f"{training}: {last}\n{run.log_path.read_text()[-2000:]}")
        kept.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        shutil.copyfile(run.best_path, draft)
        draft.replace(path)
    return path


def _judged(
    name: str,
    trainings: Sequence[Training],
    kept: Path,
    say: Callable[[str], None],
) -> dict[str, dict[str, Any]]:
    """Confusion matrices by split and members (``"02"``: first and third), found now or before."""
    from orgseg_app.runs.launcher import job_environment

    path = kept / f"volume-{name}-judged-{trainings[0].seed}-{_key(*trainings)}.json"
    if not path.exists():
        models = [_trained(training, kept, say) for training in trainings]
        say(f"judging {path.stem}")
        draft = path.with_suffix(".draft")
        command = ["tests.benchmarks.volumes", name, str(draft), *map(str, models)]
        child(command, job_environment(), trainings[0])
        draft.replace(path)
    found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _scores(judged: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean IoU by split and members."""
    return {
        split: {members: _mean_iou(np.array(m)) for members, m in by_members.items()}
        for split, by_members in judged.items()
    }


def _repeat(judged: dict[str, dict[str, Any]]) -> Repeat:
    scores = _scores(judged)
    alone = [str(i) for i in range(len(NETWORKS))]
    ranked = sorted(alone, key=lambda i: -scores[VALIDATION][i])
    best = ["".join(sorted(ranked[:k])) for k in range(1, len(ranked) + 1)]
    chosen = max(best, key=lambda members: scores[VALIDATION][members])
    test = scores[TEST]
    return Repeat(
        dict(zip(NETWORKS, (test[i] for i in alone), strict=True)),
        test["".join(alone)],
        test[chosen],
        len(chosen),
    )


def _figures(prefix: str, repeats: Sequence[Repeat]) -> Iterator[Figure]:
    n = len(repeats)
    for network in NETWORKS:
        found = [repeat.alone[network] for repeat in repeats]
        yield Figure(f"{prefix}.{network}", _mean(found), "MIoU", n=n, note=_listed(found))
    best = _mean([repeat.best for repeat in repeats])
    for name, found, more in (
        ("ensemble", [repeat.together for repeat in repeats], "mean of all three"),
        (
            "ensemble-chosen",
            [repeat.chosen for repeat in repeats],
            f"mean of the best k on validation, k = {', '.join(str(r.k) for r in repeats)}",
        ),
    ):
        yield Figure(
            f"{prefix}.{name}",
            _mean(found),
            "MIoU",
            n=n,
            goal="> best member",
            met=_mean(found) > best,
            peer=best,
            ratio=_mean(found) / best,
            note=f"{more}; {_listed(found)}; best member on the same test planes",
        )


def _figures_of_seeds(
    prefix: str, judged: dict[str, dict[str, dict[str, Any]]]
) -> Iterator[Figure]:
    """By network: the mean of all its seeds beside the best of them, as the test planes say."""
    scores = {network: _scores(found) for network, found in judged.items()}
    alone = [m for m in next(iter(scores.values()))[TEST] if len(m) == 1]
    valid = {n: _mean([found[VALIDATION][m] for m in alone]) for n, found in scores.items()}
    for network, found in scores.items():
        together, best = found[TEST]["".join(alone)], max(found[TEST][m] for m in alone)
        yield Figure(
            f"{prefix}.{network}.seeds-together",
            together,
            "MIoU",
            n=len(alone),
            goal="> best seed",
            met=together > best,
            peer=best,
            ratio=together / best,
            note=f"on validation planes a seed alone has {valid[network]:.4f}"
            + (", the most of all networks" if valid[network] == max(valid.values()) else ""),
        )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _listed(values: Sequence[float]) -> str:
    return "seeds " + " ".join(f"{value:.4f}" for value in values)


def _mean_iou(confusion: NDArray[np.int64]) -> float:
    """Mean over all classes that are there, background among them."""
    return _mean([value for value in class_iou(confusion) if value is not None])


def _key(*trainings: Training) -> str:
    text = json.dumps([asdict(training) for training in trainings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def main() -> int:
    """Judge models and all mixtures of them: ``SET OUT.json MODEL...``."""
    from orgseg_app.core.image import open_array
    from orgseg_app.core.metrics.pixels import confusion_matrix
    from orgseg_app.learn.checkpoint import load_model
    from orgseg_app.learn.device import choose_device
    from orgseg_app.learn.prediction.predictor import Predictor
    from orgseg_app.learn.prediction.volumes import probability_planes

    name, out, *paths = sys.argv[1:]
    predictors = [Predictor([load_model(Path(path))], choose_device()) for path in paths]
    ids = list(predictors[0].class_ids)
    mixtures = [
        mixture
        for k in range(1, len(paths) + 1)
        for mixture in itertools.combinations(range(len(paths)), k)
    ]
    found: dict[str, dict[str, Any]] = {}
    for part in VOLUME_SETS[name].parts():
        if part.split == TRAIN:
            continue
        opened = open_array(part.split, part.image)
        painted = np.flatnonzero(part.mask.any(axis=(1, 2))).tolist()
        totals = {mixture: np.zeros((len(ids), len(ids)), np.int64) for mixture in mixtures}
        streams = [probability_planes(p, opened, painted) for p in predictors]
        for planes in zip(*streams, strict=True):
            truth = part.mask[planes[0][0]]
            for mixture, total in totals.items():
                mean = np.mean([planes[i][1] for i in mixture], axis=0)
                guess = np.asarray(ids, np.uint8)[mean.argmax(axis=0)]
                total += confusion_matrix(truth, guess, ids)
        found[part.split] = {"".join(map(str, m)): total.tolist() for m, total in totals.items()}
    Path(out).write_text(json.dumps(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
