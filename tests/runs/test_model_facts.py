"""What a model costs, read back: whole, damaged, missing; of a run or of a job that scored it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.model_facts import (
    FACTS,
    KEY,
    ModelFacts,
    fact_rows,
    facts_by_run,
    facts_in,
    facts_of_model,
)
from orgseg_app.runs.process import write_json

WHOLE = ModelFacts(
    parameters=1_073_156,
    multiply_adds_per_megavoxel=1.909e11,
    seconds_per_megavoxel=2.31,
    voxels_timed=81_920,
    memory_bytes=412_000_000,
    card_memory_bytes=None,
    checkpoint_bytes=4_300_000,
    device="CPU · 2 threads · bf16",
    processor="Some CPU",
    tile_zyx=(1, 512, 512),
)
NUMBERS = st.none() | st.integers(0, 10**15)


@settings(max_examples=30)
@given(parameters=NUMBERS, seconds=st.none() | st.floats(0, 1e9), members=st.integers(1, 50))
def test_facts_survive_json(parameters: int | None, seconds: float | None, members: int) -> None:
    facts = ModelFacts(
        parameters=parameters, seconds_per_megavoxel=seconds, tile_zyx=(3, 4, 5), members=members
    )
    assert ModelFacts.from_dict(json.loads(json.dumps(facts.to_dict()))) == facts


@pytest.mark.parametrize(
    "damage",
    [
        {"parameters": "many", "tile_zyx": [1, 2], "members": None},
        {"parameters": -1, "tile_zyx": [0, 4, 4], "device": 7},
        {"parameters": float("nan"), "tile_zyx": "1x2x3", "memory_bytes": True},
        {"parameters": 10**400, "tile_zyx": [1, None, 3]},
    ],
)
def test_a_damaged_fact_is_none_and_the_others_stay(damage: dict[str, Any]) -> None:
    found = ModelFacts.from_dict(WHOLE.to_dict() | damage)
    assert found.parameters in (None, 10**400)
    assert found.tile_zyx is None
    assert found.seconds_per_megavoxel == 2.31


def test_facts_of_a_run_and_of_one_that_was_scored_later(tmp_path: Path) -> None:
    runs = [
        RunFolder.create(tmp_path, name=name, kind=kind, extra=extra)
        for name, kind, extra in (
            ("new", "train", {}),
            ("old", "train", {}),
            ("never", "train", {}),
        )
    ]
    new, old, never = runs
    write_json(new.metrics_path, {"images": [], KEY: WHOLE.to_dict()})
    write_json(old.metrics_path, {"images": []})
    scored = {"images": [], KEY: WHOLE.to_dict() | {"parameters": 5}}
    for run in (old, new):
        extra = {"scored_run": run.run_id}
        job = RunFolder.create(tmp_path, name="scores", kind="score", extra=extra)
        write_json(job.metrics_path, scored)
        runs.append(job)
    assert facts_of_model(new) == WHOLE
    assert facts_of_model(old) is None
    found = facts_by_run(runs)
    assert found[new.run_id] == WHOLE, "its own facts are those of the machine it learned on"
    assert found[old.run_id].parameters == 5
    assert never.run_id not in found
    assert facts_in({KEY: None}) is None


def test_facts_in_words() -> None:
    rows = {title: text for title, text, _ in fact_rows(WHOLE)}
    assert rows["Parameters"] == "1.07 M"
    assert rows["Operations per megavoxel"] == "191 G"
    assert rows["Time per megavoxel"] == "2.31 s"
    assert rows["Size"] == "4.3 MB"
    assert rows["Tile"] == "512 × 512"
    assert "Memory of the card" not in rows, "it computed on the processor"
    assert [fact.value(WHOLE) is None for fact in FACTS].count(True) == 1
    assert fact_rows(ModelFacts(members=3))[0][:2] == ("Members", "3")
