"""What a study will take: the sum of its cells, by earlier runs where these tell."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from orgseg_app.runs.estimate import START_S, Speed, memory_bytes, training_duration
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.process import read_json, write_json
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.settings import with_settings
from orgseg_app.runs.studies.cells import spell_out
from orgseg_app.runs.studies.definition import Axis, Study
from orgseg_app.runs.studies.estimate import earlier_speeds, estimate_study
from tests.runs.studies.doubles import make_study

STUDY = Study(name="x", recipe=PRESETS["fast"], axes=(Axis("network.width", (8, 32)),), seeds=2)


def test_the_sum_of_its_cells_and_the_memory_of_the_largest() -> None:
    cells = spell_out(STUDY).cells
    found = estimate_study(cells, channels=2, classes=3)
    each = [training_duration(cell.recipe, channels=2, classes=3) for cell in cells]
    assert found.seconds == (sum(e.shortest for e in each), sum(e.longest for e in each))
    assert found.seconds[0] < found.seconds[1]
    wide = with_settings(PRESETS["fast"], ["network.width=32"])
    assert found.memory_bytes == memory_bytes(wide, channels=2, classes=3)
    assert found.to_dict()["basis"] == []


def test_earlier_runs_tell_the_speed() -> None:
    cells = spell_out(STUDY).cells
    narrow = cells[0].recipe
    found = estimate_study(cells[:1], [Speed("before", narrow, 100.0)])
    wanted = START_S + narrow.steps * narrow.batch_size / 100
    assert found.seconds == pytest.approx((wanted, wanted))
    assert found.basis == ("before",)


def test_speeds_of_runs_on_this_computer(tmp_path: Path) -> None:
    path, study = make_study(tmp_path)
    run = study.make_run(study.cells[0])
    with EventWriter(run.events_path) as events:
        for rate in (1.0, 50.0, 52.0, None):
            events.write("step", step=1, patches_per_s=rate)
    assert earlier_speeds(path) == []  # nobody knows where it was trained
    run.write_process(1)
    (speed,) = earlier_speeds(path)
    assert speed == (run.name, study.cells[0].recipe, 50.0)
    facts = read_json(run.process_path)
    assert facts is not None
    write_json(run.process_path, facts | {"host": platform.node() + "elsewhere"})
    assert earlier_speeds(path) == []
