"""One run as the window knows it: its facts, where it stands, its curves. No Qt, no disk."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orgseg_app.runs.ensembles import KIND as ENSEMBLE
from orgseg_app.runs.ensembles import EnsembleFacts, ensemble_facts
from orgseg_app.runs.folder import ACTIVE_STATES, RunFolder
from orgseg_app.runs.model_facts import ModelFacts, facts_in
from orgseg_app.runs.recipes.schema import Recipe

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

_PREVIEW = re.compile(r"previews/[A-Za-z0-9_-]+\.png")
"""Where a preview may lie: nowhere but in its folder."""

KIND_WORDS = {
    "train": "learning",
    "predict": "predicting",
    "score": "scoring",
    "ensemble": "choosing",
    "examine": "examining",
}
PHASE_WORDS = {
    "predict": "predicting",
    "score": "scoring",
    "choose": "choosing",
    "examine": "examining",
}
"""What a job does while it goes from image to image."""


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


def _interval(value: object) -> tuple[float, float] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    low, high = _number(value[0]), _number(value[1])
    return None if low is None or high is None or low > high else (low, high)


@dataclass(frozen=True)
class RunPreview:
    """What a training made of one plane at its last check.

    Attributes
    ----------
    image_id, image, z : str, str, int
        The plane, and the image's name.
    step : int
    path : str
        Of the grey picture of class ids, within the run's folder; "" when there is none.
    reason : str
        Why there is none, or "".
    """

    image_id: str
    image: str
    z: int
    step: int
    path: str
    reason: str = ""


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
    steps, losses, rates, speeds : list
        Training loss, learning rate and patches a second at each reported step; None where not
        told.
    validation_steps, validation_iou, validation_losses : list
        Mean IoU over the classes (and the loss) at each validation; None where there is none.
    validation_intervals : list
        (low, high) of that mean, 95 %, at each validation; None where there is none.
    validation_units : str
        What the interval was drawn from: ``"6 planes"``.
    validation_class_iou : dict of int to list
        IoU of each class id at each validation.
    best_step, best_iou : int or float or None
        The state that was kept.
    progress : tuple (done, total, item, phase) or None
        While predicting or scoring.
    memory_bytes, gpu_memory_bytes : float or None
        What the job holds; on the graphics card, at most.
    previews : dict of (image id, plane) to RunPreview
        The newest of each plane.
    message : str
        The last sentence the run said: its end, or a message.
    has_model : bool
        Whether there is a checkpoint to predict with.
    test_iou : float or None
        Mean IoU on the test images, once it is over.
    refused : tuple of str
        Why test images have no score, a sentence each.
    ensemble : EnsembleFacts or None
        What an ensemble is made of; None for every other run.
    model_facts : ModelFacts or None
        What its model costs, once it is over; None of runs of older versions.
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
    rates: list[float | None] = field(default_factory=list)
    speeds: list[float | None] = field(default_factory=list)
    memory_bytes: float | None = None
    gpu_memory_bytes: float | None = None
    previews: dict[tuple[str, int], RunPreview] = field(default_factory=dict)
    validation_steps: list[int] = field(default_factory=list)
    validation_iou: list[float | None] = field(default_factory=list)
    validation_losses: list[float | None] = field(default_factory=list)
    validation_intervals: list[tuple[float, float] | None] = field(default_factory=list)
    validation_units: str = ""
    validation_class_iou: dict[int, list[float | None]] = field(default_factory=dict)
    best_step: int | None = None
    best_iou: float | None = None
    progress: tuple[int, int, str, str] | None = None
    messages: list[str] = field(default_factory=list)
    message: str = ""
    has_model: bool = False
    test_iou: float | None = None
    refused: tuple[str, ...] = ()
    ensemble: EnsembleFacts | None = None
    model_facts: ModelFacts | None = None
    started_at: float | None = None
    ended_at: float | None = None

    @property
    def is_of_study(self) -> bool:
        """Whether it is one of the runs of a study."""
        return isinstance(self.run.request.get("study"), dict)

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
    def facts_text(self) -> str:
        """How fast it computes, with how much memory, where; what is known of it."""
        parts = [] if self.test_iou is None else [f"test IoU {self.test_iou:.2f}"]
        if self.is_active and self.patches_per_s:
            digits = 0 if self.patches_per_s >= 10 else 1
            parts.append(f"{self.patches_per_s:.{digits}f} patches/s")
        if self.memory_bytes:
            parts.append(f"{self.memory_bytes / 1e9:.1f} GB of memory")
        if self.gpu_memory_bytes:
            parts.append(f"{self.gpu_memory_bytes / 1e9:.1f} GB on the card")
        parts.append(self.device)
        return " · ".join(part for part in parts if part)

    @property
    def state_text(self) -> str:
        """Where it stands, in a few words: ``"step 340 of 800"``."""
        if self.state == "running":
            if self.progress is not None:
                done, total, _, phase = self.progress
                return f"{PHASE_WORDS.get(phase, phase)} {done} of {total}"
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
        entry.rates.pop()
        entry.speeds.pop()


def _take_step(entry: RunEntry, event: Mapping[str, Any]) -> None:
    step, loss = _integer(event.get("step")), _number(event.get("loss"))
    if step is None:
        return
    entry.step = step
    entry.learning_rate = _number(event.get("learning_rate"))
    entry.patches_per_s = _number(event.get("patches_per_s")) or entry.patches_per_s
    entry.seconds_left = _number(event.get("seconds_left"))
    entry.memory_bytes = _number(event.get("memory_bytes")) or entry.memory_bytes
    entry.gpu_memory_bytes = _number(event.get("gpu_memory_bytes")) or entry.gpu_memory_bytes
    if isinstance(event.get("device"), str):
        entry.device = event["device"] or entry.device
    if loss is not None:
        _cut_back(entry, step)
        entry.steps.append(step)
        entry.losses.append(loss)
        entry.rates.append(entry.learning_rate)
        entry.speeds.append(_number(event.get("patches_per_s")))


def _take_validation(entry: RunEntry, event: Mapping[str, Any]) -> None:
    step = _integer(event.get("step"))
    if step is None:
        return
    while entry.validation_steps and entry.validation_steps[-1] >= step:
        entry.validation_steps.pop()
        entry.validation_iou.pop()
        entry.validation_losses.pop()
        entry.validation_intervals.pop()
        for values in entry.validation_class_iou.values():
            values.pop()
    mean = _number(event.get("mean_iou"))
    entry.validation_steps.append(step)
    entry.validation_iou.append(mean)
    entry.validation_losses.append(_number(event.get("loss")))
    entry.validation_intervals.append(_interval(event.get("interval")))
    units, count = event.get("units"), _integer(event.get("unit_count"))
    if isinstance(units, str) and count is not None:
        entry.validation_units = f"{count} {units}"
    by_class = event.get("iou")
    found: dict[int, float | None] = {}
    if isinstance(by_class, dict):
        found = {int(k): _number(v) for k, v in by_class.items() if str(k).isdecimal()}
    checks = len(entry.validation_steps)
    for class_id in {*found, *entry.validation_class_iou}:
        values = entry.validation_class_iou.setdefault(class_id, [None] * (checks - 1))
        values.append(found.get(class_id))
    if event.get("best"):
        entry.best_step, entry.best_iou = step, mean
        entry.has_model = True


def _take_preview(entry: RunEntry, event: Mapping[str, Any]) -> None:
    image_id, z, path = event.get("image_id"), _integer(event.get("z")), event.get("path")
    if not isinstance(image_id, str) or z is None:
        return
    is_ours = isinstance(path, str) and _PREVIEW.fullmatch(path) is not None
    entry.previews[image_id, z] = RunPreview(
        image_id=image_id,
        image=str(event.get("image") or ""),
        z=z,
        step=_integer(event.get("step")) or 0,
        path=str(path) if is_ours else "",
        reason=str(event.get("reason") or ""),
    )


def _take_progress(entry: RunEntry, event: Mapping[str, Any]) -> None:
    done, total = _integer(event.get("done")), _integer(event.get("total"))
    if done is not None and total is not None:
        phase = str(event.get("phase") or "predict")
        entry.progress = (done, total, str(event.get("item") or ""), phase)


def _take_ensemble(entry: RunEntry, event: Mapping[str, Any]) -> None:
    if entry.kind == ENSEMBLE:
        entry.ensemble = ensemble_facts(entry.run.request, event)
        entry.has_model = True


def _take_message(entry: RunEntry, event: Mapping[str, Any]) -> None:
    if text := str(event.get("text") or ""):
        entry.messages.append(text)
        entry.message = text


def _take_end(entry: RunEntry, event: Mapping[str, Any]) -> None:
    entry.message = str(event.get("message") or "")
    entry.seconds_left = None
    entry.progress = None
    entry.ended_at = _number(event.get("time"))
    test, refused = event.get("test"), event.get("refused")
    chosen_on = event.get("validation")
    if entry.kind == ENSEMBLE and isinstance(chosen_on, dict):
        entry.best_iou = _number(chosen_on.get("mean_iou"))
    entry.test_iou = _number(test.get("mean_iou")) if isinstance(test, dict) else None
    if (facts := facts_in(event)) is not None:
        entry.model_facts = facts
    listed = refused if isinstance(refused, list) else []
    reasons = [item.get("reason") for item in listed if isinstance(item, dict)]
    entry.refused = tuple(dict.fromkeys(text for text in reasons if isinstance(text, str) and text))


_READERS = {
    "started": _take_started,
    "step": _take_step,
    "validation": _take_validation,
    "preview": _take_preview,
    "progress": _take_progress,
    "ensemble": _take_ensemble,
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
