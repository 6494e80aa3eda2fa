"""The training loop.

`Trainer.run` is the whole story; `Trainer.follow` is that of the other processes where several
train together. The arithmetic of a step is in `improver`, what happens when memory is short in
`memory`, what is kept in `keeping`, what is said in `telling`. What it learns from is decided by
`learn.data`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from orgseg_app.learn.checkpoint import Model, outputs_of
from orgseg_app.learn.control import Control
from orgseg_app.learn.data.dataset import Examples
from orgseg_app.learn.data.patches import Batch, PatchSampler
from orgseg_app.learn.device import (
    Device,
    cpu_device,
    free_memory,
    is_out_of_memory,
    suited,
)
from orgseg_app.learn.errors import DataError, OutOfMemoryError, StopRequestedError
from orgseg_app.learn.losses.class_weights import class_weights_of
from orgseg_app.learn.networks.network import FittedNetwork
from orgseg_app.learn.networks.registry import build_network, parameter_count
from orgseg_app.learn.prediction.predictor import Predictor
from orgseg_app.learn.training.compiling import Compiling
from orgseg_app.learn.training.feeding import Feed
from orgseg_app.learn.training.fitting import fit
from orgseg_app.learn.training.improver import Improver
from orgseg_app.learn.training.keeping import Keeper, Kept
from orgseg_app.learn.training.memory import MemoryLadder
from orgseg_app.learn.training.pace import Pace
from orgseg_app.learn.training.previews import Previews
from orgseg_app.learn.training.ranks import ALONE, Ranks
from orgseg_app.learn.training.resume import first_state
from orgseg_app.learn.training.schedule import after_check, learning_rate
from orgseg_app.learn.training.shares import shares_of
from orgseg_app.learn.training.starting import start_from
from orgseg_app.learn.training.telling import Teller
from orgseg_app.learn.training.validation import Validation, validate
from orgseg_app.runs.recipes.schema import Recipe

SAVE_EVERY_S = 60.0
BATCHES_AHEAD = 8
"""Drawn while a graphics card works."""
ONE_CLASS = (
    "Of the training paint only one class counts here: the rest has weight 0, or is held out to "
    "judge by. Paint another class in more places, or remove the weights. Nothing was changed."
)


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
    start_path
        A checkpoint whose weights are the beginning; not looked at when ``last.ckpt`` is there.
    previews
        What shows pictures after each check.
    ranks
        The processes that train together.

    Raises
    ------
    CheckpointError
        When ``last.ckpt`` or the checkpoint to start from is there but cannot be used.
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
        start_path: Path | None = None,
        previews: Previews | None = None,
        ranks: Ranks = ALONE,
    ) -> None:
        self.recipe, self.examples, self.control, self.ranks = recipe, examples, control, ranks
        self._tell, self._previews = tell, previews
        kept = Kept(last_path) if last_path.exists() else None
        self.state = kept.state if kept is not None else first_state(recipe, device)
        self.model = self._fresh_model(run_id, name)
        is_deep = self.model.network.dimensions == 3
        self._sampler = PatchSampler(
            examples.train,
            classes=len(examples.classes),
            patch_size=self.state.patch_size,
            augmentation=recipe.augmentation,
            seed=recipe.seed,
            sampling=recipe.sampling,
            planes_seen=recipe.network.planes,
            patch_depth=self.state.patch_depth if is_deep else 0,
            ways=self.model.target.ways(self.model.network.dimensions),
        )
        if sum(map(bool, self._sampler.class_voxels)) < 2:
            raise DataError(ONE_CLASS)
        self._pace = Pace(recipe.batch_size, self.state.active_s)
        self.telling = Teller(recipe, self.state, self._pace, tell)
        if kept is not None:
            kept.load_network(self.model)
            if self.state.device == device.kind:
                device = device.with_precision(self.state.precision)
        elif start_path is not None:
            for sentence in start_from(start_path, self.model):
                self.telling.say(sentence)
        self.improver = Improver(
            recipe,
            self.model.network,
            class_weights=class_weights_of(recipe, examples.classes, self._sampler.class_voxels),
            shares=shares_of(recipe, len(examples.classes)),
            ranks=ranks,
        )
        self.ladder = MemoryLadder(
            recipe,
            self.state,
            network=self.model.network,
            say=self.telling.say,
            is_alone=ranks.world == 1,
        )
        self._place(device)
        if kept is not None:
            kept.load_improver(self.improver)
        self._compiling = Compiling(recipe, self.improver, self.telling.say)
        self.keeper = Keeper(best_path, last_path, self.model, self.improver, self.state)

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
        self.telling.announce(self.examples, self.device, parameter_count(self.model.network))
        if isinstance(self.model.network, FittedNetwork):
            return self._fit(self.model.network)
        with self._feeding(), self._leading():
            try:
                while (reason := self._reason_to_end()) is None:
                    self._obey()
                    loss = self._train_step(self._rate())
                    self.telling.step(loss, self.improver.learning_rate, self.device)
                    if self._validation_due():
                        self._validate()
                    elif self._pace.since_save() > SAVE_EVERY_S:
                        self.keeper.save_last(self._pace)
            except StopRequestedError:
                return self._stopped()
            self.keeper.save_last(self._pace)
            return "finished", reason

    def _fit(self, network: FittedNetwork) -> tuple[str, str]:
        """As `run`, for a network that learns from all painted pixels at once."""
        if not self.state.step:
            count = fit(network, self.examples.train, seed=self.recipe.seed)
            self.state.step = 1
            with contextlib.suppress(StopRequestedError):
                self._validate()
            if self.state.best_rank is None:
                self.keeper.save_best()
            self.keeper.save_last(self._pace)
            return "finished", f"Fitted to {count} painted pixels."
        return "finished", "Fitted already."

    def follow(self) -> None:
        """Take every step with the first rank until that one ends."""
        if isinstance(self.model.network, FittedNetwork):
            return
        with self._feeding():
            while (told := self.ranks.agree([0.0, 0.0]))[0]:
                self._train_step(told[1])

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
            self.keeper.save_last(self._pace)
            self.telling.paused(True)
            with self._pace.stopped():
                while self.control.pause_asked() and not self.control.stop_asked():
                    time.sleep(0.1)
            self.telling.paused(False)
        if self.control.stop_asked():
            raise StopRequestedError("Stopped as asked.")

    def _rate(self) -> float:
        """The learning rate of the coming step, told to the other ranks as well."""
        done = self.state.step / self.recipe.steps
        if self.recipe.max_minutes:
            done = max(done, self._pace.active_s() / (self.recipe.max_minutes * 60))
        rate = learning_rate(self.recipe, self.state.step, done, fallen=self.state.fallen)
        return self.ranks.agree([1.0, rate])[1]

    def _train_step(self, rate: float) -> Tensor:
        """One update, with less memory when it runs out; returns the loss."""
        state = self.state
        while True:
            try:
                batch = self._feed.batch(state.step)
                loss = self.improver.gradients(
                    batch, step=state.step, micro_batch=state.micro_batch
                )
                self.improver.update(rate, loss, step=state.step)
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    if not self._compiling.is_trying:
                        raise
                    self._compiling.give_up("it ended in an error")
                    continue
            self._use_less_memory()
        state.step += 1
        self._compiling.after_step(self.recipe.steps - state.step)
        return loss

    def _stopped(self) -> tuple[str, str]:
        if not self.state.step:
            return "stopped", "Stopped before the first step."
        self.keeper.save_last(self._pace)
        if self.state.best_rank is None:
            self.keeper.save_best()
        return "stopped", f"Stopped after {self.state.step} of {self.recipe.steps} steps."

    # -- checking ------------------------------------------------------------------------------

    def _validation_due(self) -> bool:
        state = self.state
        since = state.step - state.validated_step
        return since >= state.validate_every or state.step >= self.recipe.steps

    def _validate(self) -> None:
        """Score the validation planes; keep the state when it is the best."""
        state = self.state
        state.validated_step = state.step
        try:
            with self._pace.validating():
                predictor = Predictor([self.keeper.usable()], self.device, say=self.telling.say)
                found = validate(
                    predictor, self.examples.validation, should_stop=self.control.stop_asked
                )
                if self._previews is not None:
                    self._previews.show(
                        predictor,
                        step=state.step,
                        tell=self._tell,
                        should_stop=self.control.stop_asked,
                    )
        except OutOfMemoryError as error:
            self.telling.say(f"The validation images could not be checked this time. {error}")
            if state.best_rank is None and state.step >= self.recipe.steps:
                self.keeper.save_best()
            return
        self._take_note(found)
        self._check_less_often()
        if self._pace.may_save():
            self.keeper.save_last(self._pace)

    def _take_note(self, found: Validation) -> None:
        state = self.state
        is_best = state.best_rank is None or found.rank > state.best_rank
        state.checks_since_best = 0 if is_best else state.checks_since_best + 1
        state.stalled, state.fallen = after_check(
            self.recipe, is_best=is_best, stalled=state.stalled, fallen=state.fallen
        )
        if is_best:
            state.best_rank, state.best_step = found.rank, state.step
            self.keeper.save_best()
        self.telling.validation(found, is_best=is_best)

    def _check_less_often(self) -> None:
        """Keep checks from taking most of the time, unless the learning rate follows them."""
        state, wanted = self.state, self._pace.wanted_interval(self.recipe.steps)
        if self.recipe.schedule == "plateau" or wanted <= state.validate_every:
            return
        if isinstance(self.model.network, FittedNetwork):
            return  # it is checked once
        if state.validate_every == self.recipe.validate_every:
            self.telling.say(
                f"Checking the validation images takes {self._pace.validation_s:.1f} s, so it is "
                f"done every {wanted} steps instead of every {state.validate_every}."
            )
        state.validate_every = wanted

    # -- where -----------------------------------------------------------------------------------

    def _fresh_model(self, run_id: str, name: str) -> Model:
        examples, recipe = self.examples, self.recipe
        torch.manual_seed(recipe.seed)
        network = build_network(
            recipe.network,
            channels=examples.channels,
            classes=outputs_of(recipe, len(examples.classes)),
        )
        return Model(
            network=network,
            recipe=getattr(examples, "recipe", None) or recipe,
            classes=examples.classes,
            channels=examples.channels,
            is_rgb=examples.is_rgb,
            pixel_size_um=examples.pixel_size_um,
            run_id=run_id,
            name=name,
            training_images=examples.seen_images,
        )

    def _place(self, device: Device) -> None:
        """Move to a device, or to the processor where that device has too little memory."""
        try:
            self.improver.place(device)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or device.kind == "cpu":
                raise
            self.telling.say(f"The memory of {device.name} is too small; going on with the CPU.")
            device = self._processor()
            free_memory()
            self.improver.place(device)
        self.device = device
        self.state.device, self.state.precision = device.kind, device.precision

    def _processor(self) -> Device:
        return suited(cpu_device(probe=True), self.recipe.precision)[0]

    def _use_less_memory(self) -> None:
        self.improver.forget_gradients()
        if self.ladder.step_down(self.device):
            self._place(self._processor())
        self._sampler.resize(self.state.patch_size, self.state.patch_depth)
        self._feed.clear()

    def _draw(self, step: int) -> Batch:
        start, stop = self.ranks.share(self.recipe.batch_size)
        return self._sampler.batch(step, stop - start, first=start)

    @contextlib.contextmanager
    def _feeding(self) -> Iterator[None]:
        self._feed = Feed(self._draw, ahead=0 if self.device.kind == "cpu" else BATCHES_AHEAD)
        try:
            yield
        finally:
            self._feed.close()

    @contextlib.contextmanager
    def _leading(self) -> Iterator[None]:
        """Let the other ranks go, however this ends."""
        try:
            yield
        finally:
            self.ranks.agree([0.0, 0.0])
