"""Runs as the window knows them, estimates, and the judgement of predictions: no Qt."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from msgspec import structs

from orgseg_app.core.metrics.pixels import confusion_matrix
from orgseg_app.gui.canvas import difference as d
from orgseg_app.gui.runs.estimate import duration, estimate, time_left, too_large
from orgseg_app.gui.runs.run_entry import RunEntry, smoothed
from orgseg_app.runs.estimate import PROCESS_BYTES, START_S, flops_per_patch, memory_bytes
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.schema import NetworkChoice
from orgseg_app.runs.recipes.settings import with_settings


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
    assert flops_per_patch(wide) == pytest.approx(4 * flops_per_patch(fast), rel=0.02)
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


def test_a_training_that_does_not_fit_says_what_would() -> None:
    fast = PRESETS["fast"]
    assert too_large(fast, 8e9, 16e9) is None
    heavy = PRESETS["er-fusion"]
    need = memory_bytes(heavy)
    found = too_large(heavy, 0.5 * need, 4 * need)
    assert found is not None
    assert "free now" in found.text
    assert "close other programs" in found.text
    lighter = structs.replace(heavy, **found.changes)
    assert memory_bytes(lighter) <= 0.5 * need
    assert set(found.changes) <= {"batch_size", "patch_size"}
    small = too_large(heavy, 0.3 * need, 0.5 * need)
    assert small is not None
    assert "in this computer" in small.text
    hopeless = too_large(heavy, 1e8, 2e8)
    assert hopeless is not None
    assert not hopeless.changes
    assert "narrower network" in hopeless.text


@pytest.mark.parametrize("name", list(NETWORK_NAMES))
def test_every_network_has_an_estimate(name: str) -> None:
    network = NetworkChoice(name=name, fusion=NETWORK_NAMES[name].fusions[0])  # type: ignore[arg-type]
    recipe = structs.replace(PRESETS["fast"], network=network)
    found = estimate(recipe, channels=3, classes=4)
    assert 0 < found.seconds[0] <= found.seconds[1]
    assert found.memory_bytes >= PROCESS_BYTES
    more = structs.replace(recipe, batch_size=16)
    if NETWORK_NAMES[name].is_fitted:
        assert found.text.startswith("Seconds")
    else:
        assert estimate(more).memory_bytes > found.memory_bytes
        assert "memory" in found.text
    if found.parameters is not None:
        assert "parameters" in found.text


def test_speed_is_taken_from_a_run_of_the_same_network(entry: RunEntry) -> None:
    entry.recipe, entry.patches_per_s = PRESETS["fast"], 40.0
    other = dataclasses.replace(entry, name="other", recipe=PRESETS["er-laptop"])
    assert estimate(PRESETS["fast"], [entry, other]).basis == entry.name
    assert estimate(PRESETS["er-laptop"], [other, entry]).basis == "other"
    wider = with_settings(PRESETS["fast"], ["network.width=24"])
    assert estimate(wider, [entry, other]).basis == entry.name
    # A tiny run says little about a large one.
    assert estimate(PRESETS["nuclei-published"], [entry]).basis == ""


def test_rates_speeds_intervals_and_memory_become_curves(entry: RunEntry) -> None:
    facts = {"memory_bytes": 1.5e9, "gpu_memory_bytes": None, "device": "CPU · 1 thread · fp32"}
    steps = [
        {"event": "step", "step": n, "loss": 1 / n, "learning_rate": 0.1 / n, **facts}
        | {"patches_per_s": 10.0 * n}
        for n in (900, 910, 920)
    ]
    check = {"event": "validation", "mean_iou": 0.5, "units": "planes", "unit_count": 6}
    entry.take(steps)
    entry.take(
        [
            check | {"step": 905, "interval": [0.4, 0.6]},
            check | {"step": 915, "interval": [0.7, 0.6]},
            check | {"step": 918, "interval": None},
        ]
    )
    assert entry.rates[-3:] == [0.1 / 900, 0.1 / 910, 0.1 / 920]
    assert entry.speeds[-3:] == [9000.0, 9100.0, 9200.0]
    assert entry.validation_intervals[-3:] == [(0.4, 0.6), None, None]
    assert entry.validation_units == "6 planes"
    entry.state = "running"
    assert entry.facts_text == "9200 patches/s · 1.5 GB of memory · CPU · 1 thread · fp32"
    # It goes on from an earlier checkpoint: that part is drawn anew.
    entry.take([steps[1]])
    assert len(entry.steps) == len(entry.losses) == len(entry.rates) == len(entry.speeds)
    assert entry.steps[-1] == 910
    entry.take([check | {"step": 905}])
    assert len(entry.validation_intervals) == len(entry.validation_steps)


def test_previews_are_taken_and_never_lead_out_of_the_folder(entry: RunEntry) -> None:
    told = {"event": "preview", "step": 5, "image": "a", "image_id": "id1", "z": 2}
    entry.take([told | {"path": "previews/id1_2.png"}])
    assert entry.previews["id1", 2].path == "previews/id1_2.png"
    for path in ("/etc/passwd", "previews/../../x.png", "../x.png", "previews/..", 3):
        entry.take([told | {"path": path}])
        assert entry.previews["id1", 2].path == ""
    entry.take([told | {"path": None, "reason": "It is too large."}])
    assert entry.previews["id1", 2].reason == "It is too large."
    entry.take([{"event": "preview", "image_id": 3, "z": 1}])
    assert len(entry.previews) == 1
