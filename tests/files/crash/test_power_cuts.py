"""Power cuts at any moment of a story: what the user was told is there, and the project opens."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.files.crash.nursery import Nursery, Outcome, side_by_side
from tests.files.crash.replay import State, power_cuts, real, snapshot
from tests.files.crash.shim import Call, read_log
from tests.files.crash.story import Operation, first_model, painting
from tests.files.crash.verdict import Expected, Told, expect_all, judge

STATES = 300
GATED = 50  # every so many-th goes through the real gate, which takes 0.3 s
SURVIVAL = (0.1, 0.5, 0.9)
NAME = "p.orgseg"


@dataclass(frozen=True)
class Recording:
    """A story as the disk saw it.

    Attributes
    ----------
    files
        Of the folder before it.
    calls
        What was done to them.
    expected
        What the project must hold after each operation.
    """

    files: dict[str, tuple[int, bytes]]
    calls: list[Call]
    expected: list[Expected]


def story() -> list[Operation]:
    """Painting with everything else that writes in between."""
    rng = random.Random(7)
    names = ["first", "second"]
    told = [*painting(rng, names, 8), {"op": "save"}, *painting(rng, names, 5), {"op": "save"}]
    told += [{"op": "import", "images": [["third", 3], ["fourth", 4]]}]
    names += ["third", "fourth"]
    told += [*painting(rng, names, 5), {"op": "save"}, {"op": "undo"}, {"op": "undo"}]
    told += [{"op": "save"}, {"op": "redo"}, {"op": "remove", "image": "first"}]
    names.remove("first")
    told += [*painting(rng, names, 4), {"op": "compact"}, *painting(rng, names, 3)]
    told += [{"op": "save"}, *painting(rng, names, 6), {"op": "save"}, *painting(rng, names, 3)]
    return told


def record(folder: Path, recorder: Path, **options: str) -> Recording:
    """Live the story once."""
    folder = real(folder)
    project, log = folder / "story" / NAME, folder / "log"
    project.parent.mkdir()
    told = story()
    with Nursery(preload=recorder, home=folder / "home") as nursery:
        made = nursery.run("acts:create", project)
        assert made.code == 0, made.error
        files = snapshot(project.parent)
        outcome = nursery.run("acts:record", project, told, log, **options)
    assert outcome.code == 0, outcome.error
    assert not [line for _, line in outcome.lines if line.startswith("failed")], outcome.lines
    return Recording(files, list(read_log(log)), expect_all(first_model(), told))


@pytest.fixture(scope="module")
def recording(module_scratch: Path, recorder: Path) -> Recording:
    """A story recorded on this machine, just now."""
    return record(module_scratch, recorder)


def look_at(nursery: Nursery, folder: Path, state: State, **options: bool) -> Outcome:
    """Make a state real and look at it."""
    place = folder / f"state {state.cut} {id(state)}"
    place.mkdir()
    try:
        state.put_into(place)
        return nursery.run("acts:look", place / NAME, **options)
    finally:
        shutil.rmtree(place)


def verdict_on(recording: Recording, state: State, outcome: Outcome) -> str:
    """What is wrong with a state, "" when nothing is."""
    told = Told.of(state.told)
    allowed = recording.expected[told.safe : told.done + 2]
    return judge(outcome, allowed, recording.expected[: told.safe])[0]


def bad_states(
    recording: Recording,
    folder: Path,
    *,
    count: int,
    survival: Sequence[float] = SURVIVAL,
    missing: Callable[[int, Call], bool] = lambda number, call: False,
    where: Sequence[int] | None = None,
    enough: int = 10,
) -> tuple[int, list[str]]:
    """Look at so many states for each probability; how many there were, and what is wrong.

    Stops after `enough` bad ones.
    """
    found: list[str] = []
    looked: list[int] = []

    def work(nursery: Nursery, state: State) -> None:
        if len(found) < enough:
            gated = len(looked) % GATED == 0
            wrong = verdict_on(recording, state, look_at(nursery, folder, state, gated=gated))
            looked.append(state.cut)
            if wrong:
                found.append(f"cut {state.cut} after {state.told[-1:]}: {wrong}")

    states = (
        state
        for number, chance in enumerate(survival)
        for state in power_cuts(
            recording.files,
            recording.calls,
            count=count,
            survival=chance,
            seed=number,
            missing=missing,
            where=where,
        )
    )
    side_by_side(work, states)
    return len(looked), found


@pytest.mark.slow
def test_after_a_power_cut_the_project_opens_and_holds_what_was_confirmed(recording, scratch):
    looked, bad = bad_states(recording, scratch, count=STATES)
    print(f"{looked} states after power cuts, {len(bad)} bad")
    assert bad == []
    assert looked == STATES * len(SURVIVAL)


# -- each barrier taken away: the simulator must see that -----------------------------------------


def pushes(recording: Recording) -> Counter[str]:
    """How often each file was pushed to the disk."""
    return Counter(call.name for call in recording.calls if call.kind == "F")


@pytest.mark.slow
@pytest.mark.parametrize("barrier", ["appended data", "pages", "journal"])
def test_a_program_without_a_barrier_is_found_out(
    recording, scratch, module_scratch, recorder, barrier
):
    worse = record(scratch, recorder, without=barrier)
    file = f"{NAME}-journal-wal" if barrier == "journal" else NAME
    assert pushes(worse)[file] < pushes(recording)[file], "the barrier is still there"
    found_damage_in(worse, module_scratch, f"without pushing {barrier}")


@pytest.mark.slow
@pytest.mark.parametrize("barrier", ["new file", "folder"])
def test_a_barrier_struck_from_the_recording_is_found_out(recording, module_scratch, barrier):
    calls = recording.calls
    gone = {
        # Of a compaction, before it takes the old file's place.
        "new file": {n for n, c in enumerate(calls) if c.kind == "F" and ".sav" in c.name},
        # Names that were never pushed: the swapped-in file of a compaction, the journal's log.
        "folder": {n for n, c in enumerate(calls) if c.kind == "D"},
    }[barrier]
    assert gone, f"the story has no such barrier: {Counter((c.kind, c.name) for c in calls)}"
    near = {n + k for n in gone for k in range(1, 60) if n + k < len(calls)}
    found_damage_in(
        recording,
        module_scratch,
        f"without pushing {barrier}",
        missing=lambda number, _: number in gone,
        where=sorted(near),
    )


def found_damage_in(recording: Recording, folder: Path, what: str, **options: Any) -> None:
    """Fail unless the simulator finds something bad."""
    looked, bad = bad_states(recording, folder, count=200, survival=(0.1, 0.5), enough=1, **options)
    print(f"{what}: damage in state {looked}: {[text[:300] for text in bad]}")
    assert bad, f"the simulator does not see the damage {what}"
