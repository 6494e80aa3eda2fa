"""Killed by SIGKILL and gone on with: bit for bit what an uninterrupted training gives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orgseg_app.files.project_file import ProjectFile
from orgseg_app.learn.checkpoint import read_checkpoint
from orgseg_app.learn.job import run_job
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.launcher import job_environment
from orgseg_app.runs.recipes.schema import AugmentationStep, LossTerm, NetworkChoice, Recipe
from orgseg_app.runs.training import prepare_training
from tests.learn.conftest import tiny_recipe
from tests.learn.training.test_trainer import assert_same

RECIPES: dict[str, Recipe] = {
    "unet": tiny_recipe(augmentation=(AugmentationStep("d4"), AugmentationStep("elastic"))),
    "dropout": tiny_recipe(
        network=NetworkChoice("unet_dropout", depth=2, width=4), optimiser="sgd"
    ),
    "deep supervision, mean of weights, plateau, warm-up, clipping": tiny_recipe(
        network=NetworkChoice("unetpp", depth=2, width=4),
        ema=0.9,
        schedule="plateau",
        plateau_checks=1,
        warmup_steps=5,
        gradient_clip=0.5,
        class_weights="auto",
        loss=(LossTerm("cross_entropy"), LossTerm("dice")),
    ),
    "objects": tiny_recipe(
        objects="boundary_distance",
        augmentation=(AugmentationStep("d4"), AugmentationStep("elastic")),
        steps=8,
    ),
    "strokes": tiny_recipe(class_weights="share", steps=36, validate_every=12),
    "volumes": tiny_recipe(
        network=NetworkChoice("net2d3d", depth=1, width=4),
        patch_depth=3,
        augmentation=tuple(map(AugmentationStep, ("d4", "flip_z", "elastic", "noise"))),
        ema=0.9,
        steps=8,
    ),
}


def deepened(number: int, pixels: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Four planes, two of them painted."""
    painted = np.stack([mask, 0 * mask, mask[::-1], 0 * mask])
    return np.stack([pixels, pixels, pixels[::-1], pixels]), painted


def thinned(number: int, pixels: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One column of five is painted."""
    painted = np.zeros_like(mask)
    painted[..., ::5] = mask[..., ::5]
    return pixels, painted


PROJECTS: dict[str, dict[str, Any]] = {
    "strokes": {"edit": thinned},
    "volumes": {"edit": deepened, "size": 32},
}

DYING = """
import os, signal, sys
from orgseg_app.learn.training.trainer import Trainer
real = Trainer._train_step
def step(self, rate):
    if self.state.step == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, rate)
Trainer._train_step = step
from orgseg_app.learn.job import run_job
sys.exit(run_job(sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
@pytest.mark.parametrize("name", RECIPES)
def test_killed_halfway_equals_uninterrupted(name: str, make_project: Any) -> None:
    project: ProjectFile = make_project(**PROJECTS.get(name, {}))
    recipe = RECIPES[name]
    half = recipe.steps // 2 + 1  # after a check, so that steps have to be done again
    whole, killed = (prepare_training(project, recipe, text) for text in ("whole", "killed"))
    # In processes alike: threads and vector units decide the last bits.
    died = subprocess.run(
        [sys.executable, "-c", DYING, str(killed.path), str(half)], env=environment(), timeout=120
    )
    assert died.returncode == -signal.SIGKILL
    assert killed.state != "finished"
    assert read_checkpoint(killed.last_path)[1]["training"]["step"] < half
    for run in (whole, killed):
        assert run_job(str(run.path)) == 0, run.log_path.read_text()
    begun = [e["step"] for e in killed.events()[0] if e["event"] == "started"]
    assert begun[0] == 0 < begun[1] < half
    assert_same(whole.last_path, killed.last_path)
    assert_same(whole.best_path, killed.best_path)
    assert figures(whole) == figures(killed)


def environment() -> dict[str, str]:
    return job_environment() | {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}


def figures(run: RunFolder) -> Any:
    """What the run found, without times and without what was done twice."""
    checks = {e["step"]: e["mean_iou"] for e in run.events()[0] if e["event"] == "validation"}
    metrics = run.metrics()
    assert metrics is not None
    return checks, [e["confusion"] for e in metrics["images"]]


def test_the_mean_of_weights_is_what_is_used(train: Any, tmp_path: Path) -> None:
    trainer, _ = train(tiny_recipe(ema=0.9, steps=8, validate_every=8))
    trainer.run()
    best, _ = read_checkpoint(tmp_path / "run" / "best.ckpt")
    last, _ = read_checkpoint(tmp_path / "run" / "last.ckpt")
    for key in (k for k in best if k.startswith("network.")):
        assert best[key].equal(last["average." + key.removeprefix("network.")])
    assert not best["network.head.weight"].equal(last["network.head.weight"])
    assert best["network.down.0.1.running_mean"].isfinite().all()
