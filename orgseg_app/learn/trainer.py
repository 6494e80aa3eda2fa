"""The training loop.

`Trainer.run` is the whole story. What a run shows, keeps and is asked is decided by the job
(`learn.job`); what it learns from by `learn.dataset` and `learn.patches`.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from orgseg_app.learn.checkpoint import Model, network_weights, read_checkpoint, save_model
from orgseg_app.learn.control import Control
from orgseg_app.learn.dataset import Examples
from orgseg_app.learn.device import Device, cpu_device, free_memory, is_out_of_memory
from orgseg_app.learn.errors import (
    CheckpointError,
    LearnError,
    OutOfMemoryError,
    StopRequestedError,
)
from orgseg_app.learn.losses import automatic_class_weights, total_loss
from orgseg_app.learn.networks.registry import build_network, parameter_count
from orgseg_app.learn.pace import Pace
from orgseg_app.learn.patches import Batch, PatchSampler
from orgseg_app.learn.predict import Predictor
from orgseg_app.learn.resume import State, load_optimiser, optimiser_tensors, state_from
from orgseg_app.learn.schedule import build_optimiser, learning_rate
from orgseg_app.learn.validation import Validation, validate
from orgseg_app.runs.recipe import Recipe

SAVE_EVERY_S = 60.0
SMALLEST_PATCH = 32
_BAD_STEPS = 10


class Trainer:
    """Trains one network.

    Parameters
    ----------
    recipe, examples
        What to do, on what.
    device
        Where.
    best_path, last_path
        Checkpoints. An existing ``last.ckpt`` is continued.
    run_id, name
        Noted in the checkpoints.
    control
        Requests to pause or stop.
    tell
        Gets events: a name and fields (see `runs.events`).

    Raises
    ------
    CheckpointError
        When ``last.ckpt`` is there but cannot be used.
    """

    def __init__(
        self,
        recipe: Recipe,
        examples: Examples,
        device: Device,
        *,
        best_path: Path,
        last_path: Path,
        run_id: str,
        name: str,
        control: Control,
        tell: Callable[..., object],
    ) -> None:
        self.recipe, self.examples, self.control, self._tell = recipe, examples, control, tell
        self._best_path, self._last_path = best_path, last_path
        self.state = State(
            step=0,
            validate_every=recipe.validate_every,
            micro_batch=recipe.batch_size,
            patch_size=recipe.patch_size,
            device=device.kind,
            precision=device.precision,
        )
        self._sampler = PatchSampler(
            examples.train,
            classes=len(examples.classes),
            patch_size=recipe.patch_size,
            augmentation=recipe.augmentation,
            seed=recipe.seed,
        )
        torch.manual_seed(recipe.seed)
        network = build_network(
            recipe.network, channels=examples.channels, classes=len(examples.classes)
        )
        self.model = Model(
            network=network,
            recipe=recipe,
            classes=examples.classes,
            channels=examples.channels,
            is_rgb=examples.is_rgb,
            pixel_size_um=examples.pixel_size_um,
            run_id=run_id,
            name=name,
            training_images=examples.seen_images,
        )
        self._optimiser = build_optimiser(recipe, network.parameters())
        self._bad_steps = 0
        self._untold: list[float] = []
        self._continue_from_last(device)
        self._pace = Pace(recipe.batch_size, self.state.active_s)

    # -- the loop ----------------------------------------------------------------------------

    def run(self) -> tuple[str, str]:
        """Train until done, stopped, out of patience or out of time.

        Returns
        -------
        state, message
            ``"finished"`` or ``"stopped"``, and one sentence. The best state lies in
            ``best.ckpt``, the last one in ``last.ckpt``.

        Raises
        ------
        LearnError
            When the loss is no longer a number, or memory is too small.
        """
        self._announce()
        try:
            while (reason := self._reason_to_end()) is None:
                self._obey()
                loss = self._train_step()
                self._report(loss)
                if self._validation_due():
                    self._validate()
                elif self._pace.since_save() > SAVE_EVERY_S:
                    self._save_last()
        except StopRequestedError:
            if not self.state.step:
                return "stopped", "Stopped before the first step."
            self._save_last()
            if self.state.best_rank is None:
                self._save_best()
            return "stopped", f"Stopped after {self.state.step} of {self.recipe.steps} steps."
        self._save_last()
        return "finished", reason

    def _reason_to_end(self) -> str | None:
        state, recipe = self.state, self.recipe
        if state.step >= recipe.steps:
            return f"Trained for {state.step} steps."
        if 0 < recipe.patience <= state.checks_since_best:
            return (
                f"Ended after {state.step} steps: no improvement in the last "
                f"{state.checks_since_best} checks."
            )
        if 0 < recipe.max_minutes * 60 <= self._pace.active_s() and state.step:
            if state.validated_step < state.step:
                self._validate()
            return f"Ended after {state.step} steps, at the time limit."
        return None

    def _obey(self) -> None:
        """Wait while a pause is asked for.

        Raises
        ------
        StopRequestedError
            When asked to stop.
        """
        if self.control.pause_asked() and not self.control.stop_asked():
            self._save_last()
            self._tell("state", state="paused")
            with self._pace.stopped():
                while self.control.pause_asked() and not self.control.stop_asked():
                    time.sleep(0.1)
            self._tell("state", state="running")
        if self.control.stop_asked():
            raise StopRequestedError("Stopped as asked.")

    def _train_step(self) -> float:
        """One update; returns the loss."""
        rate = learning_rate(self.recipe, self._progress())
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        batch = self._sampler.batch(self.state.step, self.recipe.batch_size)
        while True:
            try:
                loss = self._gradients(batch)
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            self._use_less_memory()
            batch = self._sampler.batch(self.state.step, self.recipe.batch_size)
        if math.isfinite(loss):
            self._scaler.step(self._optimiser)
            self._scaler.update()
            self._bad_steps = 0
        else:
            self._bad_steps += 1
            if self._bad_steps == _BAD_STEPS:
                raise LearnError(
                    f"After step {self.state.step} the loss is no longer a number. The best state "
                    "so far is kept; train again with a smaller learning rate."
                )
        self.state.step += 1
        return loss

    def _gradients(self, batch: Batch) -> float:
        """Gradients of a batch, in parts when memory is short; returns the loss."""
        self.model.network.train()
        self._optimiser.zero_grad(set_to_none=True)
        if self.recipe.network.dropout:
            torch.manual_seed(self.recipe.seed * 1_000_003 + self.state.step)
        device, total = self.device.torch_device, 0.0
        for start in range(0, len(batch), self.state.micro_batch):
            part = batch.part(start, start + self.state.micro_batch)
            pixels = torch.from_numpy(part.pixels)
            with self.device.autocast():
                logits = self.model.network(pixels.to(device, memory_format=torch.channels_last))
            loss = total_loss(
                logits,
                torch.from_numpy(part.target).to(device),
                torch.from_numpy(part.weights).to(device),
                terms=self.recipe.loss,
                class_weights=self._class_weights,
            )
            loss = loss * (len(part) / len(batch))
            self._scaler.scale(loss).backward()
            total += loss.item()
        return total

    def _progress(self) -> float:
        """How much of the training is done, 0…1, by steps or by the time limit."""
        done = self.state.step / self.recipe.steps
        if self.recipe.max_minutes:
            done = max(done, self._pace.active_s() / (self.recipe.max_minutes * 60))
        return min(done, 1.0)

    # -- checking and keeping ------------------------------------------------------------------

    def _validation_due(self) -> bool:
        state = self.state
        since = state.step - state.validated_step
        return since >= state.validate_every or state.step >= self.recipe.steps

    def _validate(self) -> None:
        """Score the validation planes; keep the state when it is the best."""
        state = self.state
        predictor = Predictor([self.model], self.device, say=self._say)
        with self._pace.validating():
            found = validate(
                predictor, self.examples.validation, should_stop=self.control.stop_asked
            )
        state.validated_step = state.step
        is_best = state.best_rank is None or found.rank > state.best_rank
        state.checks_since_best = 0 if is_best else state.checks_since_best + 1
        if is_best:
            state.best_rank, state.best_step = found.rank, state.step
            self._save_best()
        self._tell_validation(found, is_best)
        wanted = self._pace.wanted_interval(self.recipe.steps)
        if wanted > state.validate_every:
            if state.validate_every == self.recipe.validate_every:
                self._say(
                    f"Checking the validation images takes {self._pace.validation_s:.1f} s, so it "
                    f"is done every {wanted} steps instead of every {state.validate_every}."
                )
            state.validate_every = wanted
        if self._pace.may_save():
            self._save_last()

    def _save_best(self) -> None:
        self.model.step = self.state.step
        save_model(self._best_path, self.model)

    def _save_last(self) -> None:
        self.model.step = self.state.step
        self.state.active_s = self._pace.active_s()
        with self._pace.saving():
            save_model(
                self._last_path,
                self.model,
                more_tensors=optimiser_tensors(self._optimiser),
                more_facts={
                    "training": dataclasses.asdict(self.state),
                    "scaler": self._scaler.state_dict(),
                },
            )

    def _continue_from_last(self, device: Device) -> None:
        """Take up ``last.ckpt`` where there is one, and move everything to the device."""
        tensors: dict[str, Tensor] = {}
        facts: dict[str, Any] = {}
        if self._last_path.exists():
            tensors, facts = read_checkpoint(self._last_path)
            try:
                self.state = state_from(facts["training"])
                self.model.network.load_state_dict(network_weights(tensors))
            except (KeyError, TypeError, ValueError, RuntimeError) as error:
                raise CheckpointError(
                    f'"{self._last_path.name}" does not belong to this run, so it cannot be '
                    "continued. Its best state, if there is one, is safe; train again."
                ) from error
            if self.state.device == device.kind:
                device = device.with_precision(self.state.precision)
        self._place(device)
        self._sampler.patch_size = self.state.patch_size
        if tensors:
            load_optimiser(self._optimiser, tensors)
            if facts.get("scaler") and self._scaler.is_enabled():
                self._scaler.load_state_dict(facts["scaler"])

    def _place(self, device: Device) -> None:
        self.device = device
        self.state.device, self.state.precision = device.kind, device.precision
        self.model.network.to(device.torch_device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._scaler = torch.amp.GradScaler(device.kind, enabled=device.needs_scaler)
        self._class_weights: Tensor | None = None
        if self.recipe.class_weights == "auto":
            weights = automatic_class_weights(self._sampler.class_voxels)
            self._class_weights = torch.tensor(weights, device=device.torch_device)

    def _use_less_memory(self) -> None:
        """Half the patches at once, then half their size, then the processor."""
        self._optimiser.zero_grad(set_to_none=True)
        free_memory()
        state = self.state
        half = state.patch_size // 2
        if state.micro_batch > 1:
            state.micro_batch = -(-state.micro_batch // 2)
            self._say(
                f"Memory was short: {state.micro_batch} patches at once instead of "
                f"{self.recipe.batch_size}. Each step still learns from {self.recipe.batch_size}."
            )
        elif half >= max(SMALLEST_PATCH, 2 * 2**self.recipe.network.depth):
            state.patch_size = self._sampler.patch_size = half
            self._say(f"Memory was short: patches are now {half} pixels wide.")
        elif self.device.kind != "cpu":
            self._say(f"The memory of {self.device.name} is too small; going on with the CPU.")
            tensors = optimiser_tensors(self._optimiser)
            self._place(cpu_device(probe=True))
            load_optimiser(self._optimiser, tensors)
            state.micro_batch = self.recipe.batch_size
        else:
            raise OutOfMemoryError(
                "This computer's memory is too small for this training. Close other programs, or "
                "choose a narrower network. The best state so far is kept."
            )

    # -- telling -------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self._tell("message", text=text)

    def _announce(self) -> None:
        for text in self.examples.messages if self.state.step == 0 else ():
            self._say(text)
        self._tell(
            "started",
            device=str(self.device),
            parameters=parameter_count(self.model.network),
            steps=self.recipe.steps,
            images=self.examples.image_counts,
            step=self.state.step,
        )

    def _report(self, loss: float) -> None:
        """Tell about steps, at most twice a second; the loss is the mean since the last report."""
        self._pace.step_done()
        self._untold.append(loss)
        if not self._pace.may_tell() and self.state.step < self.recipe.steps:
            return
        finite = [x for x in self._untold if math.isfinite(x)]
        self._untold.clear()
        self._tell(
            "step",
            step=self.state.step,
            loss=sum(finite) / len(finite) if finite else None,
            learning_rate=self._optimiser.param_groups[0]["lr"],
            patches_per_s=round(self._pace.told(), 2),
            seconds_left=round(
                self._pace.seconds_left(
                    self.recipe.steps - self.state.step,
                    self.state.validate_every,
                    self.recipe.max_minutes * 60,
                ),
                1,
            ),
        )

    def _tell_validation(self, found: Validation, is_best: bool) -> None:
        self._tell(
            "validation",
            step=self.state.step,
            loss=found.loss,
            iou=found.scores["iou"],
            mean_iou=found.scores["mean_iou"],
            best=is_best,
        )
