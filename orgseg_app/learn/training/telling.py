"""What a training says while it goes on: events for whoever watches (see `runs.events`)."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from orgseg_app import __version__
from orgseg_app.learn.device import Device
from orgseg_app.learn.errors import LearnError
from orgseg_app.learn.training.pace import Pace
from orgseg_app.learn.training.resume import State
from orgseg_app.learn.training.validation import Validation
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.schema import Recipe

if TYPE_CHECKING:
    from orgseg_app.learn.data.dataset import Examples

BAD_STEPS = 10
"""After so many steps in a row whose loss is no number, there is no use in going on."""


class Teller:
    """Writes the events of one training.

    Parameters
    ----------
    recipe, state, pace
        Of the training.
    tell
        Gets events: a name and fields.
    """

    def __init__(
        self, recipe: Recipe, state: State, pace: Pace, tell: Callable[..., object]
    ) -> None:
        self._recipe, self._state, self._pace, self._tell = recipe, state, pace, tell
        self._untold: list[Tensor] = []
        self._bad = 0
        self._is_fitted = NETWORK_NAMES[recipe.network.name].is_fitted

    def announce(self, examples: Examples, device: Device, parameters: int) -> None:
        """What is about to be trained, and on what."""
        for text in examples.messages if self._state.step == 0 else ():
            self._tell("message", text=text)
        self._tell(
            "started",
            device=str(device),
            parameters=parameters,
            steps=1 if self._is_fitted else self._recipe.steps,
            images=examples.image_counts,
            step=self._state.step,
            versions={
                "OrgSeg": __version__,
                "Python": platform.python_version(),
                "PyTorch": str(torch.__version__),
                "NumPy": np.__version__,
            },
        )

    def step(self, loss: Tensor, rate: float, device: Device) -> None:
        """Tell about steps, at most twice a second; the loss is the mean since the last report.

        Losses are looked at only then: a look makes the processor wait for the card.

        Raises
        ------
        LearnError
            With a sentence, when the loss has been no number for too long.
        """
        state, recipe, pace = self._state, self._recipe, self._pace
        pace.step_done()
        self._untold.append(loss)
        if not pace.may_tell() and state.step < recipe.steps:
            return
        losses = torch.stack(self._untold).tolist()
        self._untold.clear()
        self._count_bad(losses)
        finite = [x for x in losses if math.isfinite(x)]
        left = pace.seconds_left(
            recipe.steps - state.step, state.validate_every, recipe.max_minutes * 60
        )
        self._tell(
            "step",
            step=state.step,
            loss=sum(finite) / len(finite) if finite else None,
            learning_rate=rate,
            patches_per_s=round(pace.told(), 2),
            seconds_left=round(left, 1),
            memory_bytes=resident_bytes(),
            gpu_memory_bytes=card_bytes(device),
            device=str(device),
        )

    def validation(self, found: Validation, *, is_best: bool) -> None:
        """Tell what a check of the validation images has found."""
        self._tell(
            "validation",
            step=self._state.step,
            loss=found.loss,
            iou=found.scores["iou"],
            mean_iou=found.scores["mean_iou"],
            best=is_best,
            **({} if found.mean_ap is None else {"mean_ap": found.mean_ap}),
            **found.spread.to_dict(),
        )

    def say(self, text: str) -> None:
        """A sentence for the user."""
        self._tell("message", text=text)

    def paused(self, is_paused: bool) -> None:
        """Whether the training waits."""
        self._tell("state", state="paused" if is_paused else "running")

    def _count_bad(self, losses: Sequence[float]) -> None:
        for loss in losses:
            self._bad = 0 if math.isfinite(loss) else self._bad + 1
        if self._bad >= BAD_STEPS:
            raise LearnError(
                f"After step {self._state.step} the loss is no longer a number. The best state so "
                "far is kept; train again with a smaller learning rate."
            )


def resident_bytes() -> int:
    """Memory of this process that lies in RAM."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def card_bytes(device: Device) -> int | None:
    """The most memory of the graphics card that was used at a time; None without one."""
    if device.kind != "cuda":
        return None
    return int(torch.cuda.max_memory_allocated())
