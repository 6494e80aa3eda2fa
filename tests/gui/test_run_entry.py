"""Runs as the window knows them, estimates, and the judgement of predictions: no Qt."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from orgseg_app.core.metrics.pixels import confusion_matrix
from orgseg_app.gui.runs import difference as d
from orgseg_app.gui.runs.estimate import START_S, duration, estimate, flops_per_patch, time_left
from orgseg_app.gui.runs.run_entry import RunEntry, smoothed
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.recipe import PRESETS, with_settings


@pytest.fixture
def entry(tmp_path: Path) -> RunEntry:
    run = RunFolder.create(tmp_path, name="run", kind="train", recipe=PRESETS["fast"])
    return RunEntry(run, run.run_id, "run", "train", "running", 0.0, run.recipe)


def test_events_become_curves(entry: RunEntry) -> None:
    entry.take(
        [
            {"event": "started", "time": 10.0, "device": "CPU", "steps": 100, "parameters": 5},
            {"event": "step", "step": 10, "loss": 0.9, "seconds_left": 30},
            {"event": "validation", "step": 10, "iou": {"2": 0.4}, "mean_iou": 0.4, "best": True},
            {"event": "step", "step": 20, "loss": 0.5, "patches_per_s": 12.5},
            {"event": "validation", "step": 20, "iou": {"2": 0.3}, "mean_iou": 0.3, "best": False},
        ]
    )
    assert (entry.steps, entry.losses) == ([10, 20], [0.9, 0.5])
    assert entry.validation_iou == [0.4, 0.3]
    assert entry.validation_class_iou == {2: [0.4, 0.3]}
    assert (entry.best_step, entry.best_iou, entry.has_model) == (10, 0.4, True)
    assert entry.fraction == 0.2
    assert entry.state_text == "step 20 of 100"
    entry.take([{"event": "finished", "time": 40.0, "message": "Done."}])
    assert entry.seconds == 30.0
    assert entry.message == "Done."


def test_a_resumed_run_draws_the_repeated_part_once(entry: RunEntry) -> None:
    entry.take([{"event": "step", "step": s, "loss": 1.0} for s in (1, 2, 3, 4)])
    entry.take([{"event": "validation", "step": s, "mean_iou": 0.1} for s in (2, 4)])
    entry.take([{"event": "step", "step": 3, "loss": 0.5}])
    entry.take([{"event": "validation", "step": 4, "mean_iou": 0.9, "iou": {"2": 0.9}}])
    assert (entry.steps, entry.losses) == ([1, 2, 3], [1.0, 1.0, 0.5])
    assert (entry.validation_steps, entry.validation_iou) == ([2, 4], [0.1, 0.9])
    assert entry.validation_class_iou == {2: [None, 0.9]}


@pytest.mark.parametrize(
    "event",
    [
        {"event": "step"},
        {"event": "step", "step": "x", "loss": 1},
        {"event": "step", "step": 5, "loss": None},
        {"event": "validation", "step": 3, "iou": [1, 2], "mean_iou": "high"},
        {"event": "started", "images": 3, "steps": None},
        {"event": "progress", "done": None, "total": 4},
        {"event": "something new", "x": 1},
        {"event": "step", "step": 10**400, "loss": -(10**400)},
        {"event": "validation", "step": 3, "iou": {"²": 0.5, "2": 10**400}},
        {"event": "started", "images": {"train": 10**400}, "time": 10**400},
        {},
    ],
)
def test_damaged_events_do_no_harm(entry: RunEntry, event: dict) -> None:
    entry.take([event, {"event": "step", "step": 9, "loss": 0.25}])
    assert entry.losses[-1] == 0.25


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50), st.floats(0, 0.99))
def test_smoothing_stays_within_the_values(values: list[float], weight: float) -> None:
    out = smoothed(values, weight)
    assert len(out) == len(values)
    assert out[0] == pytest.approx(values[0])
    for place, value in enumerate(out):
        seen = values[: place + 1]
        assert min(seen) - 1e-9 <= value <= max(seen) + 1e-9


def test_estimates_grow_with_the_work_and_use_what_was_measured(entry: RunEntry) -> None:
    fast = PRESETS["fast"]
    double = with_settings(fast, ["steps=800"])
    once, twice = (estimate(r).seconds[1] - START_S for r in (fast, double))
    assert twice == pytest.approx(2 * once)
    wide = with_settings(fast, ["network.width=32"])
    assert flops_per_patch(wide) == pytest.approx(4 * flops_per_patch(fast))
    assert "without a graphics card" in estimate(fast).text
    entry.patches_per_s = 40.0
    known = estimate(fast, [entry])
    assert known.seconds[0] == pytest.approx(START_S + fast.steps * fast.batch_size / 40.0)
    assert "run" in known.text
    limited = with_settings(double, ["max_minutes=1"])
    assert estimate(limited, [entry]).seconds[0] == START_S + 60


def test_times_in_words() -> None:
    assert duration(1.2) == "1 s"
    assert duration(60) == "about 1 minute"
    assert duration(5399) == "about 90 minutes"
    assert duration(7000) == "about 2 hours"
    assert time_left(None) == ""
    assert time_left(59) == "59 s left"
    assert time_left(130) == "2 min left"


masks = arrays(np.uint8, (5, 6), elements=st.integers(0, 3))


@given(masks, masks.map(lambda m: np.maximum(m, 1)))
def test_a_difference_counts_what_the_confusion_matrix_counts(
    truth: np.ndarray, guess: np.ndarray
) -> None:
    table = confusion_matrix(truth, guess, [1, 2, 3])
    judged = d.difference(truth, guess, 2)
    count = {value: int((judged == value).sum()) for value in range(5)}
    assert count[d.UNJUDGED] == int((truth == 0).sum())
    assert count[d.AGREES] == table[1, 1]
    assert count[d.TOO_MUCH] == table[0, 1] + table[2, 1]
    assert count[d.MISSED] == table[1, 0] + table[1, 2]
    every = d.difference(truth, guess)
    assert int((every == d.AGREES).sum()) == table[1, 1] + table[2, 2]
    wrong = int((every == d.TOO_MUCH).sum() + (every == d.MISSED).sum())
    assert wrong == table[:, 1:].sum() + table[1:, 0].sum() - table[1, 1] - table[2, 2]


def test_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="prediction is"):
        d.difference(np.ones((2, 2), np.uint8), np.ones((3, 2), np.uint8))


def test_the_colours_are_those_agreed() -> None:
    table = d.colour_table()
    assert table[d.AGREES][:3].tolist() == [255, 255, 255]
    assert table[d.TOO_MUCH][:3].tolist() == [0xE6, 0x9F, 0x00]
    assert table[d.MISSED][:3].tolist() == [0x56, 0xB4, 0xE9]
    assert table[d.UNJUDGED][3] == table[d.RIGHT_OUTSIDE][3] == 0
