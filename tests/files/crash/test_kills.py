"""Killed at any moment: while painting, saving, importing, compacting, migrating, recovering.

150 kills here. By hand as many as one likes, in about a third of a second each on an idle core::

    ORGSEG_KILLS=2000 python3 -m tests tests/files/crash/test_kills.py -s
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.files.crash.nursery import Nursery, Outcome, side_by_side
from tests.files.crash.replay import real
from tests.files.crash.story import Model, Operation, first_model, painting
from tests.files.crash.verdict import Expected, Told, expect_all, judge

KILLS = int(os.environ.get("ORGSEG_KILLS", "150"))
NAME = "p ü.orgseg"
OLD_PROJECTS = sorted((Path(__file__).parents[2] / "data").glob("project-v*.orgseg"))

# What is under way when the kill comes, and the line after which it comes.
PHASES = {
    "painting": "begin paint",
    "fold-in": "begin save",
    "recovery": "begin open",
    "import": "begin import",
    "removal": "begin remove",
    "compaction": "begin compact",
}
UNDER_WAY = {line.removeprefix("begin "): phase for phase, line in PHASES.items()}
MOST_IMAGES = 4
PROJECTS = 4

MIGRATIONS = KILLS // (len(PHASES) + 1)
EACH = KILLS // 10
MOST_ROUNDS = 4
"""Kills that must have come in the middle of each phase."""


@dataclass
class Campaign:
    """A project that is killed again and again, and what came of it.

    Attributes
    ----------
    hits
        Kills that came while a phase was under way, whichever they were meant for.
    confirmed
        Operations the user was told were saved.
    """

    folder: Path
    rng: random.Random
    lies: bool = False
    model: Model = field(default_factory=first_model)
    kills: int = 0
    confirmed: int = 0
    strokes: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    took: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    imported: int = 2

    @property
    def path(self) -> Path:
        """The project."""
        return self.folder / NAME

    def operations(self, phase: str) -> tuple[list[Operation], int]:
        """What is told until the kill, and which of the phase's moments it is to come after."""
        names = list(self.model.images)
        before = list(self._to_a_good_size(names))
        told, number = self._phase(phase, names)
        kind = PHASES[phase].removeprefix("begin ")
        return [*before, *told], number + sum(o["op"] == kind for o in before)

    def _to_a_good_size(self, names: list[str]) -> Iterator[Operation]:
        """Bring the number of images back to where all phases are possible."""
        if len(names) < 2:
            images = self._new_images(2)
            names += [name for name, _ in images]
            yield {"op": "import", "images": images}
        while len(names) > MOST_IMAGES:
            yield {"op": "remove", "image": names.pop(self.rng.randrange(len(names)))}

    def _new_images(self, count: int) -> list[tuple[str, int]]:
        numbers = range(self.imported + 1, self.imported + 1 + count)
        self.imported += count
        return [(f"image {number}", number) for number in numbers]

    def _phase(self, phase: str, names: list[str]) -> tuple[list[Operation], int]:
        rng = self.rng
        first = list(painting(rng, names, rng.randint(0, 3)))
        after = list(painting(rng, names, 3))
        many = list(painting(rng, names, 12))
        match phase:
            case "painting" | "recovery":
                return many, 1 if phase == "recovery" else rng.randint(1, 8)
            case "fold-in":
                many[6:6] = [{"op": "save"}]
                return [*first, *many, {"op": "save"}, *after], rng.randint(1, 2)
            case "import":
                images = self._new_images(rng.randint(1, 3))
                return [*first, {"op": "import", "images": images}, *after], 1
            case "removal":
                gone = rng.choice(names)
                rest = [n for n in names if n != gone]
                remove = {"op": "remove", "image": gone}
                return [*first, remove, *painting(rng, rest, 3)], 1
            case _:
                return [*first, {"op": "compact"}, *after], 1

    def kill_once(self, nursery: Nursery, phase: str) -> None:
        """Tell a story, kill the teller, look at a copy, and go on from what was found."""
        told, number = self.operations(phase)
        log = self.folder / f"{NAME}-journal-wal"
        recovers = log.exists() and log.stat().st_size > 0
        every = self.rng.choice([1, 1, 2, 4])
        if self.lies:  # told again and again before the next commit
            every = 5
        line = PHASES[phase]
        outcome = nursery.run(
            "acts:tell",
            self.path,
            told,
            every=every,
            lies=self.lies,
            gated=self.rng.random() < 0.1,
            kill=(line, number, self.rng.uniform(0, self._usual(line))),
        )
        self._learn(outcome)
        failures = [text for _, text in outcome.lines if text.startswith("failed")]
        if failures or (outcome.code and not outcome.was_killed):
            self.wrong.append(f"{phase}: {failures} {outcome.error[-2000:]}")
            return
        if outcome.was_killed:
            self.kills += 1
            under_way = UNDER_WAY.get(outcome.interrupted, "between")
            self.hits[under_way if recovers or under_way != "recovery" else "opening"] += 1
        known = Told.of(text for _, text in outcome.lines)
        self.confirmed += known.safe
        self.strokes += sum(o["op"] == "paint" for o in told[: known.safe])
        expected = expect_all(self.model, told)
        allowed = expected[known.safe : known.done + 2]
        allowed[:0] = overtaken(expected, told, known)
        found = self.look(nursery, phase, allowed, expected[: known.safe], known)
        if found is not None:
            self.model = found.model

    def look(
        self,
        nursery: Nursery,
        phase: str,
        allowed: list[Expected],
        before: list[Expected],
        known: Told,
    ) -> Expected | None:
        """What a look at a copy of the crashed files finds; the files stay as they are."""
        copy = self.folder.with_name(self.folder.name + " copy")
        shutil.copytree(self.folder, copy)
        try:
            seen = nursery.run("acts:look", copy / NAME, gated=self.rng.random() < 0.1)
        finally:
            shutil.rmtree(copy)
        wrong, found = judge(seen, allowed, before)
        if wrong:
            self.wrong.append(f"kill {self.kills} in {phase}, {known}: {wrong}")
        return found

    def _usual(self, line: str) -> float:
        times = self.took[line]
        return 1.05 * statistics.median(times) if times else 0.02

    def _learn(self, outcome: Outcome) -> None:
        for line in PHASES.values():
            times = outcome.times(line.removeprefix("begin "))
            self.took[line] = [*self.took[line], *times][-20:]

    def next_phase(self) -> str:
        """The one that was hit least."""
        fewest = min(self.hits[p] for p in PHASES)
        return self.rng.choice([p for p in PHASES if self.hits[p] <= fewest])


def overtaken(
    expected: Sequence[Expected], told: Sequence[Operation], known: Told
) -> Iterator[Expected]:
    """States in which an import is there and what was done before it, unconfirmed, is not.

    An import is one atomic write of its own; it does not wait for strokes to be committed.
    """
    for number in range(known.safe, min(known.done + 2, len(told))):
        if told[number]["op"] == "import":
            for state in expected[known.safe : number]:
                model = state.model.copy()
                model.apply(told[number])
                yield Expected.of(model)


def run_campaign(
    nursery: Nursery, folder: Path, kills: int, seed: int, *, each: int = 0, lies: bool = False
) -> Campaign:
    """Kill one project so often, and in each phase at least ``each`` times.

    Stops at the first thing that is wrong.
    """
    folder.mkdir()
    campaign = Campaign(real(folder), random.Random(seed), lies)
    made = nursery.run("acts:create", campaign.path)
    assert made.code == 0, made.error
    for _ in range(10 * kills + 20):  # on some machines many come too late, and are told again
        lacking = any(campaign.hits[phase] < each for phase in PHASES)
        if campaign.wrong or (campaign.kills >= kills and not lacking):
            break
        campaign.kill_once(nursery, campaign.next_phase())
    return campaign


@pytest.mark.slow
@pytest.mark.timeout(120 + 10 * KILLS)
def test_no_kill_loses_what_was_confirmed(scratch):
    wanted = KILLS - MIGRATIONS
    shares = [wanted // PROJECTS + (i < wanted % PROJECTS) for i in range(PROJECTS)]
    each = -(-EACH // PROJECTS)

    def work(nursery: Nursery, number: int) -> Campaign:
        folder = scratch / f"project {number}"
        return run_campaign(nursery, folder, shares[number], number, each=each)

    campaigns = side_by_side(work, range(PROJECTS))
    hits = sum((c.hits for c in campaigns), Counter())
    kills, strokes = sum(c.kills for c in campaigns), sum(c.strokes for c in campaigns)
    confirmed = sum(c.confirmed for c in campaigns)
    print(f"{kills} kills, {confirmed} confirmed operations, {strokes} strokes among them")
    print(f"interrupted: {dict(hits)}")
    assert [w for c in campaigns for w in c.wrong] == []
    assert kills >= wanted
    for phase in PHASES:
        assert hits[phase] >= EACH, f"the kills missed {phase}: {hits}"
    assert strokes > kills


@pytest.mark.slow
def test_the_harness_finds_a_program_that_confirms_too_early(scratch):
    with Nursery() as nursery:
        campaign = run_campaign(nursery, scratch / "liar", 40, 1, lies=True)
    print(f"found after {campaign.kills} kills: {campaign.wrong}")
    assert campaign.wrong
    assert "lost" in campaign.wrong[0]


@pytest.mark.slow
@pytest.mark.timeout(120 + 5 * KILLS)
@pytest.mark.skipif(not OLD_PROJECTS, reason="there is no project of an older version here")
def test_a_migration_killed_at_any_moment_can_be_repeated(scratch):
    wholes = {}
    with Nursery() as nursery:
        for source in OLD_PROJECTS:
            path = shutil.copy(source, scratch / f"whole {source.name}")
            whole = nursery.run("acts:tell", path, [])
            wholes[source] = whole.times("open")[0], nursery.run("acts:look", path).result

    def work(nursery: Nursery, number: int) -> bool:
        source = OLD_PROJECTS[number % len(OLD_PROJECTS)]
        facts = json.loads(source.with_suffix(".json").read_text(encoding="utf-8"))
        duration, reference = wholes[source]
        place = scratch / str(number)
        place.mkdir()
        path = Path(shutil.copy(source, place / NAME))
        delay = random.Random(number).uniform(0, duration)
        outcome = nursery.run("acts:tell", path, [], kill=("begin open", 1, delay))
        seen = nursery.run("acts:look", path)
        assert seen.code == 0, seen.error
        assert "refused" not in seen.result, seen.result
        assert not seen.result["read_only"], seen.result
        state = seen.result["state"]
        assert "errors" not in state
        assert state["order"] == [image["name"] for image in facts["images"]]
        for image in facts["images"]:
            assert state["images"][image["name"]]["note"] == image["note"]
        assert state == reference["state"]
        assert seen.result["plain"] == reference["plain"] == state["images"]
        assert not [p for p in place.iterdir() if ".saving-" in p.name]
        return outcome.was_killed and outcome.interrupted == "open"

    hits = kills = 0
    while hits < EACH and kills < MOST_ROUNDS * MIGRATIONS:  # on a busy machine many miss
        hits += sum(side_by_side(work, range(kills, kills + MIGRATIONS)))
        kills += MIGRATIONS
    print(f"{hits} of {kills} kills came during a migration")
    assert hits >= EACH, "the kills missed the migrations: the test would prove nothing"
