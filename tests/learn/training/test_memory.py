"""Memory runs out at every stage of a run: it is said, and the run completes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from orgseg_app.files.project_file import ProjectFile
from orgseg_app.learn.device import Device
from orgseg_app.learn.errors import OutOfMemoryError
from orgseg_app.learn.job import run_job
from orgseg_app.learn.losses import heads as losses
from orgseg_app.learn.prediction import predictor as prediction
from orgseg_app.learn.prediction.predictor import Predictor
from orgseg_app.learn.training import improver as improving
from orgseg_app.learn.training import memory, schedule
from orgseg_app.learn.training.improver import Improver
from orgseg_app.runs.training import prepare_training
from tests.learn.conftest import tiny_recipe

Make = Callable[..., ProjectFile]
FULL = "CUDA out of memory. Tried to allocate 2.00 GiB."


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "WAITS_S", (0.0, 0.0))


def failing(real: Callable[..., Any], times: int = 1, first: int = 0) -> Callable[..., Any]:
    """`real`, which runs out of memory at calls `first` … `first + times - 1`."""
    calls = iter(range(10**9))

    def call(*args: Any, **more: Any) -> Any:
        if first <= next(calls) < first + times:
            raise torch.OutOfMemoryError(FULL)
        return real(*args, **more)

    return call


STAGES: dict[str, tuple[Any, str, int]] = {
    "first step": (Improver, "gradients", 0),
    "a later step": (Improver, "gradients", 3),
    "loss": (improving, "heads_loss", 1),
    "backward": (torch.Tensor, "backward", 1),
    "optimiser": (schedule._AdamW, "step", 0),
    "clipping": (torch.nn.utils, "clip_grad_norm_", 2),
    "a tile of a check": (Predictor, "_probabilities", 0),
    "a tile of a score": (Predictor, "_probabilities", 3),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_run_survives_and_says_so(
    stage: str, make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, name, first = STAGES[stage]
    monkeypatch.setattr(owner, name, failing(getattr(owner, name), first=first))
    recipe = tiny_recipe(steps=6, validate_every=3, gradient_clip=1.0)
    run = prepare_training(make_project(), recipe)
    assert run_job(str(run.path)) == 0, run.log_path.read_text()
    events, _ = run.events()
    assert events[-1]["event"] == "finished"
    assert events[-1]["message"] == "Trained for 6 steps."
    assert events[-1]["test"]["mean_iou"] is not None
    said = [e["text"] for e in events if e["event"] == "message"]
    assert any("emory" in text for text in said), said


def test_a_card_that_is_too_small_is_left_for_the_processor(
    train: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loading to the device: a card is played by the processor under another name."""
    monkeypatch.setattr(Improver, "place", failing(Improver.place))
    monkeypatch.setattr(Device, "torch_device", property(lambda self: torch.device("cpu")))
    recipe = tiny_recipe(steps=3)
    trainer, events = train(recipe, device=Device("mps", "Tiny card", "fp32", 1))
    assert trainer.run()[0] == "finished"
    assert trainer.device.kind == trainer.state.device == "cpu"
    assert any("Tiny card" in f["text"] for name, f in events if name == "message")


def test_prediction_leaves_a_card_that_is_too_small(
    train: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, _ = train(tiny_recipe())
    monkeypatch.setattr(prediction, "_ready", failing(prediction._ready))
    said: list[str] = []
    card = replace(trainer.device, kind="cuda", name="Tiny card")
    predictor = Predictor([trainer.model], card, say=said.append)
    assert predictor.device.kind == "cpu"
    assert "Tiny card" in said[0]


def test_checks_and_scores_that_never_fit_do_not_end_the_run(
    make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Predictor, "_probabilities", failing(Predictor._probabilities, 10**8))
    run = prepare_training(make_project(), tiny_recipe(steps=4, validate_every=2))
    assert run_job(str(run.path)) == 0
    events, _ = run.events()
    assert events[-1]["event"] == "finished"
    said = " ".join(e["text"] for e in events if e["event"] == "message")
    assert "could not be checked" in said
    assert "could not be scored; its model is safe" in said
    assert run.best_path.is_file()


def hungry(trainer: Any, fits: Callable[[torch.Tensor], bool]) -> None:
    """Let the network run out of memory on inputs that do not fit."""
    network = trainer.model.network
    real = network.forward

    def forward(image: torch.Tensor) -> torch.Tensor:
        if not fits(image):
            raise torch.OutOfMemoryError(FULL)
        return real(image)

    network.forward = forward


def test_short_memory_halves_the_batch_and_still_learns_the_same(train: Any) -> None:
    recipe = tiny_recipe(steps=3, batch_size=8, validate_every=3)
    grads = {}
    for name, micro_batch in (("plain", 8), ("parts", 2)):
        trainer, _ = train(recipe, name)
        trainer.improver.gradients(trainer._draw(0), step=0, micro_batch=micro_batch)
        found = [p.grad.flatten() for p in trainer.model.network.parameters()]
        grads[name] = torch.cat(found)
    # Gradients are accumulated: alike, though batch norm sees smaller batches.
    assert torch.cosine_similarity(grads["plain"], grads["parts"], dim=0) > 0.8
    assert grads["plain"].norm() == pytest.approx(grads["parts"].norm().item(), rel=0.3)

    trainer, events = train(recipe)
    hungry(trainer, lambda image: len(image) <= 2 or image.shape[-1] > 32)
    assert trainer.run()[0] == "finished"
    said = [fields["text"] for name, fields in events if name == "message"]
    assert trainer.state.micro_batch == 2
    assert "2 patches at once instead of 8" in said[-1]


def test_shorter_memory_halves_the_patch_then_waits_then_gives_up(train: Any) -> None:
    recipe = tiny_recipe(steps=2, batch_size=2, patch_size=64, validate_every=2)
    trainer, events = train(recipe)
    hungry(trainer, lambda image: image.shape[-1] <= 32 and len(image) == 1)
    # Validation predicts whole planes with a copy of the network; let that through.
    trainer._validate = lambda: None
    trainer.run()
    assert trainer.state.patch_size == 32
    assert any("32 pixels wide" in f["text"] for name, f in events if name == "message")

    trainer, events = train(recipe, "hopeless")
    hungry(trainer, lambda image: False)
    with pytest.raises(OutOfMemoryError, match="memory is too small"):
        trainer.run()
    said = [f["text"] for name, f in events if name == "message"]
    assert sum("Trying again" in text for text in said) == 2


def test_the_loss_is_looked_up_where_it_is_replaced() -> None:
    assert improving.heads_loss is losses.heads_loss  # else the stage above tests nothing
