"""The training loop: it learns, obeys, survives, and continues as if nothing had happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from orgseg_app.learn.checkpoint import load_model, read_checkpoint
from orgseg_app.learn.errors import CheckpointError, LearnError
from orgseg_app.learn.training.pace import Pace
from orgseg_app.runs.recipes.schema import NetworkChoice
from tests.learn.conftest import tiny_recipe
from tests.learn.training.conftest import Script


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(path)[0]


def assert_same(a: Path, b: Path) -> None:
    first, second = weights_of(a), weights_of(b)
    assert first.keys() == second.keys()
    for key, value in first.items():
        assert torch.equal(value, second[key]), key


def test_learns_discs_and_tells_about_it(train: Any, tmp_path: Path) -> None:
    recipe = tiny_recipe(
        steps=60, network=NetworkChoice(depth=2, width=8), batch_size=4, validate_every=20
    )
    trainer, events = train(recipe)
    kind, message = trainer.run()
    assert (kind, message) == ("finished", "Trained for 60 steps.")

    names = [name for name, _ in events]
    assert names[0] == "started"
    started = events[0][1]
    assert started["device"] == "CPU · 1 thread · fp32"
    assert started["parameters"] > 1000
    assert started["steps"] == 60
    assert started["images"] == {"train": 3, "validation": 1, "test": 1}
    checks = [fields for name, fields in events if name == "validation"]
    assert [c["step"] for c in checks] == [20, 40, 60]
    assert max(c["mean_iou"] for c in checks) > 0.8
    assert checks[0]["best"]
    steps = [fields for name, fields in events if name == "step"]
    assert steps[-1]["step"] == 60
    assert steps[-1]["seconds_left"] == 0
    assert all(s["patches_per_s"] > 0 and s["learning_rate"] > 0 for s in steps)
    model = load_model(tmp_path / "run" / "best.ckpt")
    assert model.step == max(c["step"] for c in checks if c["best"])
    assert len(model.training_images) == 4


@pytest.mark.parametrize("optimiser", ["adamw", "adam", "sgd"])
def test_continued_is_bit_equal_to_uninterrupted(
    train: Any, tmp_path: Path, optimiser: str
) -> None:
    recipe = tiny_recipe(optimiser=optimiser, network=NetworkChoice(depth=1, width=4, dropout=0.3))
    train(recipe, "whole")[0].run()

    kind, message = train(recipe, "parts", Script(stop_at=5))[0].run()
    assert (kind, message) == ("stopped", "Stopped after 5 of 12 steps.")
    again, events = train(recipe, "parts")
    assert again.run()[0] == "finished"
    assert events[0][1]["step"] == 5
    assert_same(tmp_path / "whole" / "last.ckpt", tmp_path / "parts" / "last.ckpt")
    assert_same(tmp_path / "whole" / "best.ckpt", tmp_path / "parts" / "best.ckpt")


def test_a_fitted_network_is_kept_as_it_was_fitted(train: Any, tmp_path: Path) -> None:
    # A running mean of weights, as in the usual recipe, once kept the network from before the fit.
    trainer, events = train(tiny_recipe(network=NetworkChoice("pixel_classifier"), ema=0.98))
    kind, message = trainer.run()
    assert (kind, message[:9]) == ("finished", "Fitted to")
    assert [fields["mean_iou"] > 0.8 for name, fields in events if name == "validation"] == [True]
    kept = load_model(tmp_path / "run" / "best.ckpt").network.state_dict()
    fitted = trainer.model.network.state_dict()
    assert all(torch.equal(kept[key], value) for key, value in fitted.items())


def test_stop_before_the_first_check_still_leaves_a_model(train: Any, tmp_path: Path) -> None:
    trainer, _ = train(tiny_recipe(), control=Script(stop_at=2))
    assert trainer.run()[0] == "stopped"
    assert load_model(tmp_path / "run" / "best.ckpt").step == 2
    trainer, _ = train(tiny_recipe(), "none", Script(stop_at=0))
    assert trainer.run() == ("stopped", "Stopped before the first step.")
    assert not (tmp_path / "none" / "best.ckpt").exists()


def test_pause_waits_saves_and_changes_nothing(train: Any, tmp_path: Path) -> None:
    train(tiny_recipe(), "whole")[0].run()
    trainer, events = train(tiny_recipe(), "paused", Script(pause_at=3))
    assert trainer.run()[0] == "finished"
    states = [fields["state"] for name, fields in events if name == "state"]
    assert states == ["paused", "running"]
    assert_same(tmp_path / "whole" / "last.ckpt", tmp_path / "paused" / "last.ckpt")


def test_stop_while_paused(train: Any) -> None:
    control = Script(pause_at=3, pause_looks=10**9)
    looks = iter(range(10**9))
    control.stop_asked = lambda: control.trainer.state.step == 3 and next(looks) > 3  # type: ignore[method-assign,union-attr]
    trainer, _ = train(tiny_recipe(), control=control)
    assert trainer.run()[0] == "stopped"
    assert trainer.state.step == 3


def test_patience_ends_early(train: Any) -> None:
    recipe = tiny_recipe(learning_rate=1e-9, validate_every=1, steps=50, patience=2)
    trainer, _ = train(recipe)
    kind, message = trainer.run()
    assert kind == "finished"
    assert "no improvement in the last 2 checks" in message
    assert trainer.state.step < 50


def test_time_limit_ends_with_a_model(train: Any, tmp_path: Path) -> None:
    recipe = tiny_recipe(max_minutes=0.001, steps=10_000, validate_every=10_000)
    trainer, events = train(recipe)
    kind, message = trainer.run()
    assert kind == "finished"
    assert "time limit" in message
    assert load_model(tmp_path / "run" / "best.ckpt").step == trainer.state.step
    assert events[-1][0] == "validation"


def test_loss_that_is_no_number_fails_with_a_sentence(
    train: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, _ = train(tiny_recipe(steps=100))
    before = {k: v.clone() for k, v in trainer.model.network.named_parameters()}
    monkeypatch.setattr(
        trainer.improver, "gradients", lambda batch, **more: torch.tensor(float("nan"))
    )
    with pytest.raises(LearnError, match="smaller learning rate"):
        trainer.run()
    for key, value in trainer.model.network.named_parameters():
        assert torch.equal(value, before[key])


def test_other_errors_are_not_taken_for_short_memory(train: Any) -> None:
    trainer, _ = train(tiny_recipe())

    def broken(image: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("shapes do not match")

    trainer.model.network.forward = broken
    with pytest.raises(RuntimeError, match="shapes"):
        trainer.run()


def test_damaged_or_foreign_last_checkpoint_is_refused(train: Any, tmp_path: Path) -> None:
    train(tiny_recipe())[0].run()
    last = tmp_path / "run" / "last.ckpt"
    with pytest.raises(CheckpointError, match="does not belong to this run"):
        train(tiny_recipe(network=NetworkChoice(depth=2, width=8)))
    last.write_bytes(last.read_bytes()[:-50])
    with pytest.raises(CheckpointError, match="damaged"):
        train(tiny_recipe())


def test_class_weights_are_used(train: Any) -> None:
    trainer, _ = train(tiny_recipe(class_weights="auto"))
    weights = trainer.improver._class_weights
    assert weights is not None
    assert weights[1] > weights[0]  # discs are rarer than ground


def test_checks_become_rarer_when_they_take_long() -> None:
    pace = Pace(8)
    pace.step_s, pace.validation_s = 0.1, 3.0
    wanted = pace.wanted_interval(10_000)
    assert 3.0 / (3.0 + wanted * 0.1) == pytest.approx(0.15, abs=0.01)
    assert pace.wanted_interval(30) == 10  # but at least three in a training


def test_rare_checks_are_announced(train: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "wanted_interval", lambda self, steps: 6)
    trainer, events = train(tiny_recipe())
    trainer.run()
    assert [f["step"] for name, f in events if name == "validation"] == [4, 10, 12]
    said = [f["text"] for name, f in events if name == "message"]
    assert len(said) == 1
    assert "every 6 steps instead of every 4" in said[0]
