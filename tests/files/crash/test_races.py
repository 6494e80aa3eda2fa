"""Two windows open the same project at the same moment: never do both write."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from tests.files.crash.nursery import Nursery, side_by_side

ROUNDS, TURNS = 25, 40


def races(folder: Path, turns: int, rounds: int, **options: bool) -> Counter[str]:
    """Run them, each turn on a project of its own: one after a crash, one after the other."""

    def work(nursery: Nursery, number: int) -> Counter[str]:
        path = folder / f"{number}.orgseg"
        assert nursery.run("acts:create_tiny", path).code == 0
        if number % 2:  # there are strokes to recover, and the lock of a dead process
            left = nursery.run("acts:leave_a_journal", path)
            assert left.was_killed, left.error
            assert Path(f"{path}.lock").exists()
        outcome = nursery.run("acts:race", path, rounds, **options)
        assert outcome.code == 0, outcome.error
        return Counter(" and ".join(pair) for pair in outcome.result)

    return sum(side_by_side(work, range(turns)), Counter())


@pytest.mark.slow
def test_of_two_openers_one_writes_and_the_other_is_told(scratch):
    found = races(scratch, TURNS, ROUNDS)
    print(found)
    assert found == {"locked and writes": ROUNDS * TURNS}


@pytest.mark.slow
def test_opening_and_closing_without_pause_never_lets_two_in(scratch):
    path = scratch / "p.orgseg"
    with Nursery() as nursery:
        assert nursery.run("acts:create_tiny", path).code == 0
        outcome = nursery.run("acts:churn", path, 20)
    assert outcome.code == 0, outcome.error
    found = Counter(outcome.result)
    print(found)
    assert set(found) == {"locked", "writes"}
    assert found["writes"] == 3 * 20
    assert found["locked"] > 10, "they did not get in each other's way"
    assert sorted(os.listdir(scratch)) == [path.name]


@pytest.mark.slow
def test_without_the_lock_the_races_are_seen(scratch):
    found = races(scratch, 1, 3, unlocked=True)
    assert found != {"locked and writes": 3}, "the test cannot see two who both get in"
