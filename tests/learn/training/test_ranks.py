"""Two processes started by torchrun learn what one learns."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
import torch

from orgseg_app.learn.checkpoint import read_checkpoint
from orgseg_app.learn.job import run_job
from orgseg_app.learn.training.ranks import ALONE, Ranks, ranks_from_environment
from orgseg_app.runs.launcher import job_environment
from orgseg_app.runs.training import prepare_training
from tests.learn.conftest import tiny_recipe

ALONE_IN_PARTS = """
import sys
from orgseg_app.learn.training import trainer
real = trainer.first_state
def parted(recipe, device):
    state = real(recipe, device)
    state.micro_batch = 2  # the batches that the batch norms of two ranks see
    return state
trainer.first_state = parted
from orgseg_app.learn.job import run_job
sys.exit(run_job(sys.argv[1]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="torchrun with gloo is for POSIX here")
def test_two_ranks_equal_one_process(make_project: Any, root: Any) -> None:
    project = make_project()
    recipe = tiny_recipe(
        steps=6, batch_size=4, validate_every=3, optimiser="sgd", gradient_clip=1.0, ema=0.5
    )
    both, alone = (prepare_training(project, recipe, name) for name in ("both", "alone"))
    environment = job_environment() | {"OMP_NUM_THREADS": "1"}
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    launch += ["--master-port=0", "--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0"]
    torchrun = subprocess.Popen(
        [*launch, "-m", "orgseg_app", "--job", str(both.path)],
        env=environment,
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    single = subprocess.run(
        [sys.executable, "-c", ALONE_IN_PARTS, str(alone.path)], env=environment, timeout=180
    )
    output, _ = torchrun.communicate(timeout=180)
    assert single.returncode == 0
    assert torchrun.returncode == 0, output
    assert both.state == "finished", output
    assert [e["event"] for e in both.events()[0]].count("started") == 1  # one of them speaks
    first, second = (read_checkpoint(run.last_path)[0] for run in (both, alone))
    for key, value in first.items():
        # Two ranks average these, one process sees them in turn.
        if "running_" not in key and "num_batches" not in key:
            assert torch.allclose(value.float(), second[key].float(), atol=1e-5), key
    checks = [
        [e["step"] for e in run.events()[0] if e["event"] == "validation"] for run in (both, alone)
    ]
    assert checks[0] == checks[1] == [3, 6]


def test_shares_cover_the_batch() -> None:
    for world in (1, 2, 3, 7):
        shares = [Ranks(rank, world).share(5) for rank in range(world)]
        assert [n for start, stop in shares for n in range(start, stop)] == list(range(5))


def test_without_torchrun_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert ranks_from_environment() == ALONE
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert ranks_from_environment() == Ranks(1, 2, 1, 2)
    monkeypatch.setenv("RANK", "2")
    with pytest.raises(ValueError, match="cannot be"):
        ranks_from_environment()
    monkeypatch.setenv("RANK", "one")
    with pytest.raises(ValueError, match="torchrun"):
        ranks_from_environment()


def test_other_ranks_leave_other_jobs_alone(
    make_project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepare_training(make_project(), tiny_recipe())
    run.request["kind"] = "predict"
    (run.path / "request.json").write_text(
        (run.path / "request.json").read_text().replace('"train",', '"predict",', 1)
    )
    monkeypatch.setenv("RANK", "1")
    assert run_job(str(run.path)) == 0
    assert not run.events()[0]
    assert os.environ["RANK"] == "1"
