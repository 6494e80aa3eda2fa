"""One run as the window knows it: its facts, where it stands, its curves. No Qt, no disk."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orgseg_app.runs.folder import ACTIVE_STATES, RunFolder
from orgseg_app.runs.recipe import Recipe

STATE_WORDS = {
    "queued": "waiting",
    "running": "learning",
    "paused": "paused",
    "finished": "finished",
    "stopped": "stopped",
    "failed": "failed",
    "lost": "lost",
}
"""States in the window's words; `RunEntry.state_text` says more."""

KIND_WORDS = {"train": "learning", "predict": "predicting", "score": "scoring"}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number no float holds, in events that came from elsewhere
        return None


def _integer(value: object) -> int | None:
    found = _number(value)
    return None if found is None else int(found)


@dataclass
class RunEntry:
    """One run: what was asked, and everything its events have said so far.

    Attributes
    ----------
    run : RunFolder
    run_id, name, kind, state : str
        As in `RunFolder`.
    created : float
        Seconds since 1970, UTC.
    recipe : Recipe or None
    colour_index : int
        Place in the run colours; stays for the life of the project window.
    steps, losses : list
        Training loss at each reported step.
    validation_steps, validation_iou, validation_losses : list
        Mean IoU over the classes (and the loss) at each validation; None where there is none.
    validation_class_iou : dict of int to list
        IoU of each class id at each validation.
    best_step, best_iou : int or float or None
        The state that was kept.
    progress : tuple (done, total, item, phase) or None
        While predicting or scoring.
    message : str
        The last sentence the run said: its end, or a message.
    has_model : bool
        Whether there is a checkpoint to predict with.
    """

    run: RunFolder
    run_id: str
    name: str
    kind: str
    state: str
    created: float
    recipe: Recipe | None = None
    colour_index: int = 0
    warnings: tuple[str, ...] = ()
    device: str = ""
    parameters: int | None = None
    total_steps: int | None = None
    images: dict[str, int] = field(default_factory=dict)
    step: int = 0
    learning_rate: float | None = None
    patches_per_s: float | None = None
    seconds_left: float | None = None
    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    validation_steps: list[int] = field(default_factory=list)
    validation_iou: list[float | None] = field(default_factory=list)
    validation_losses: list[float | None] = field(default_factory=list)
    validation_class_iou: dict[int, list[float | None]] = field(default_factory=dict)
    best_step: int | None = None
    best_iou: float | None = None
    progress: tuple[int, int, str, str] | None = None
    messages: list[str] = field(default_factory=list)
    message: str = ""
    has_model: bool = False
    started_at: float | None = None
    ended_at: float | None = None

    @property
    def is_active(self) -> bool:
        """Whether its job waits, works or is paused."""
        return self.state in ACTIVE_STATES

    @property
    def seconds(self) -> float | None:
        """How long it took, or None while that is not known."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max(0.0, self.ended_at - self.started_at)

    @property
    def fraction(self) -> float | None:
        """How far it is, 0…1, or None when nobody knows."""
        if self.progress is not None and self.progress[1] > 0:
            return min(1.0, self.progress[0] / self.progress[1])
        if self.total_steps:
            return min(1.0, self.step / self.total_steps)
        return None

    @property
    def state_text(self) -> str:
        """Where it stands, in a few words: ``"step 340 of 800"``."""
        if self.state == "running":
            if self.progress is not None:
                done, total, _, phase = self.progress
                verb = {"predict": "predicting", "score": "scoring"}.get(phase, phase)
                return f"{verb} {done} of {total}"
            if self.total_steps and self.step:
                return f"step {self.step} of {self.total_steps}"
            return "starting"
        if self.state == "queued":
            return "waiting for its turn"
        if self.state == "lost":
            return "lost: its process ended without a word"
        if self.state == "paused" and self.total_steps:
            return f"paused at step {self.step} of {self.total_steps}"
        return STATE_WORDS.get(self.state, self.state)

    def take(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Learn from events, in order; unknown ones and damaged fields are passed over."""
        for event in events:
            reader = _READERS.get(str(event.get("event")))
            if reader is not None:
                reader(self, event)


def _take_started(entry: RunEntry, event: Mapping[str, Any]) -> None:
    entry.device = str(event.get("device") or "")
    entry.parameters = _integer(event.get("parameters"))
    entry.total_steps = _integer(event.get("steps"))
    images = event.get("images")
    if isinstance(images, dict):
        entry.images = {str(k): n for k, v in images.items() if (n := _integer(v)) is not None}
    if entry.started_at is None:
        entry.started_at = _number(event.get("time"))
    entry.ended_at = None
    entry.progress = None


def _cut_back(entry: RunEntry, step: int) -> None:
    """A run that goes on from an earlier checkpoint draws that part of its curve anew."""
    while entry.steps and entry.steps[-1] >= step:
        entry.steps.pop()
        entry.losses.pop()


def _take_step(entry: RunEntry, event: Mapping[str, Any]) -> None:
    step, loss = _integer(event.get("step")), _number(event.get("loss"))
    if step is None:
        return
    entry.step = step
    entry.learning_rate = _number(event.get("learning_rate"))
    entry.patches_per_s = _number(event.get("patches_per_s")) or entry.patches_per_s
    entry.seconds_left = _number(event.get("seconds_left"))
    if loss is not None:
        _cut_back(entry, step)
        entry.steps.append(step)
        entry.losses.append(loss)


def _take_validation(entry: RunEntry, event: Mapping[str, Any]) -> None:
    step = _integer(event.get("step"))
    if step is None:
        return
    while entry.validation_steps and entry.validation_steps[-1] >= step:
        entry.validation_steps.pop()
        for values in (
            entry.validation_iou,
            entry.validation_losses,
            *entry.validation_class_iou.values(),
        ):
            values.pop()
    mean = _number(event.get("mean_iou"))
    entry.validation_steps.append(step)
    entry.validation_iou.append(mean)
    entry.validation_losses.append(_number(event.get("loss")))
    by_class = event.get("iou")
    found: dict[int, float | None] = {}
    if isinstance(by_class, dict):
        found = {int(k): _number(v) for k, v in by_class.items() if str(k).isdecimal()}
    count = len(entry.validation_steps)
    for class_id in {*found, *entry.validation_class_iou}:
        values = entry.validation_class_iou.setdefault(class_id, [None] * (count - 1))
        values.append(found.get(class_id))
    if event.get("best"):
        entry.best_step, entry.best_iou = step, mean
        entry.has_model = True


def _take_progress(entry: RunEntry, event: Mapping[str, Any]) -> None:
    done, total = _integer(event.get("done")), _integer(event.get("total"))
    if done is not None and total is not None:
        phase = str(event.get("phase") or "predict")
        entry.progress = (done, total, str(event.get("item") or ""), phase)


def _take_message(entry: RunEntry, event: Mapping[str, Any]) -> None:
    if text := str(event.get("text") or ""):
        entry.messages.append(text)
        entry.message = text


def _take_end(entry: RunEntry, event: Mapping[str, Any]) -> None:
    entry.message = str(event.get("message") or "")
    entry.seconds_left = None
    entry.progress = None
    entry.ended_at = _number(event.get("time"))


_READERS = {
    "started": _take_started,
    "step": _take_step,
    "validation": _take_validation,
    "progress": _take_progress,
    "message": _take_message,
    "finished": _take_end,
    "stopped": _take_end,
    "failed": _take_end,
}


def smoothed(values: list[float], weight: float = 0.9) -> list[float]:
    """Exponential moving average without the pull towards zero at the start.

    Parameters
    ----------
    values : list of float
    weight : float
        0…1, how much of the past stays. The bias correction is that of Kingma and Ba 2015.

    Examples
    --------
    >>> [round(x, 2) for x in smoothed([1.0, 1.0, 4.0], 0.5)]
    [1.0, 1.0, 2.71]
    """
    out: list[float] = []
    average, scale = 0.0, 1.0
    for value in values:
        average = weight * average + (1 - weight) * value
        scale *= weight
        out.append(average / (1 - scale))
    return out
