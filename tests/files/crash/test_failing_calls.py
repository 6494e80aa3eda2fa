"""Every call that can fail does fail, one after the other; and disks that are full.

The story makes some 560 calls that change files and more that read, and each is let fail in five
ways: that takes some six minutes. `CALLS` of each way take their turn, evenly spread and others for
each; all of them, as every night, with::

    ORGSEG_ALL_CALLS=1 python3 -m tests tests/files/crash/test_failing_calls.py -s
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.files.crash import shim
from tests.files.crash.nursery import Nursery, Outcome, side_by_side
from tests.files.crash.replay import real
from tests.files.crash.shim import read_log
from tests.files.crash.story import Description, Operation, first_model
from tests.files.crash.verdict import Expected, Told, differences, expect_all, judge

CALLS = 10**6 if os.environ.get("ORGSEG_ALL_CALLS") else 110
NAME = "p.orgseg"
WRITES = ("write", "pwrite", "pwrite64", "copy_file_range", "sendfile", "sendfile64")


def story() -> list[Operation]:
    """One of everything, as short as can be: its length is squared."""
    return [
        {"op": "paint", "image": "first", "seed": 1},
        {"op": "paint", "image": "second", "seed": 2},
        {"op": "save"},
        {"op": "undo"},
        {"op": "note", "image": "first", "text": "a note"},
        {"op": "import", "images": [["third", 3]]},
        {"op": "paint", "image": "third", "seed": 5},
        {"op": "compact"},
        {"op": "paint", "image": "first", "seed": 6},
        {"op": "remove", "image": "second"},
        {"op": "paint", "image": "third", "seed": 8},
        {"op": "save"},
        {"op": "undo"},
        {"op": "redo"},
    ]


Way = tuple[int, ...]
"""Numbers of the operations that were done."""


@dataclass
class Ways:
    """Models of all that can come of a story in which something fails, each made once."""

    operations: Sequence[Operation]
    _known: dict[Way, Expected] = field(default_factory=dict)

    def expected(self, way: Way) -> Expected:
        """What must be there when these operations were done, and no others."""
        if way not in self._known:
            model = self.expected(way[:-1]).model.copy() if way else first_model()
            if way:
                model.apply(self.operations[way[-1]])
            self._known[way] = Expected.of(model)
        return self._known[way]


@dataclass
class Possible:
    """What may be on the disk, and what must be open, by what a child said.

    Attributes
    ----------
    memory
        What is open in the window.
    disk
        What may be found, the oldest first.
    shown
        The sentences the user read.
    """

    memory: Way = ()
    disk: list[Way] = field(default_factory=lambda: [()])
    shown: list[str] = field(default_factory=list)

    @classmethod
    def after(cls, lines: Sequence[str], operations: Sequence[Operation]) -> Possible:
        """Follow a child's lines."""
        possible = cls()
        for line in lines:
            word, _, rest = line.partition(" ")
            if word == "did":
                possible._do(int(rest))
            elif word == "safe":
                possible.disk = [possible.memory]
            elif word == "trouble":
                possible.shown.append(rest.partition(" ")[2])
            elif word == "failed":
                number, _, rest = rest.partition(" ")
                if number == "open":
                    possible.shown.append(rest)
                    continue
                kind, _, sentence = rest.partition(" ")
                missing = operations[int(number)].get("image") == "third"
                if not (missing and "holds no image" in sentence):  # it could not be imported
                    possible.shown.append(sentence)
                if kind == "remove":  # it is gone, and only that is not saved
                    possible._do(int(number))
                elif kind == "import" and "cannot be written now" in sentence:
                    # The disk took the decision and would not say so: it may be found later.
                    possible.disk.append((*possible.memory, int(number)))
        return possible

    def _do(self, number: int) -> None:
        self.memory = (*self.memory, number)
        self.disk.append(self.memory)


def wrong_with(outcome: Outcome, seen: Outcome, ways: Ways, *, lasting: bool = False) -> str:
    """What is wrong after a story with a failure, "" when nothing is.

    Parameters
    ----------
    lasting
        The disk refuses to the end: even pixels may be beyond reading, so long as that is said.
    """
    if outcome.code != 0:
        return f"the program ended with {outcome.code}: {outcome.error[-1500:]}"
    possible = Possible.after([text for _, text in outcome.lines], ways.operations)
    for sentence in possible.shown:
        if len(sentence) < 30 or not re.match(r"[A-Z“].*[^.]\.$", sentence):
            return f"not a sentence for a user: {sentence!r}"
    now = outcome.result.get("open")
    memory = ways.expected(possible.memory)
    if now is not None and lasting:
        now = _as_far_as_read(now, memory.state)
    if now is not None and now != memory.state:
        return (
            f"what is open is not what was done: {differences(now, [memory])} "
            f"(shown: {possible.shown})"
        )
    wrong, _ = judge(seen, [ways.expected(way) for way in possible.disk])
    return f"{wrong} (shown: {possible.shown})" if wrong else ""


def _as_far_as_read(now: Description, then: Description) -> Description:
    """What is open, where the disk does not let pixels be read any more and that is said."""
    if not now.get("errors"):
        return now
    images = {
        name: image
        if image["pixels"] is not None or name not in then["images"]
        else {**image, "pixels": then["images"][name]["pixels"]}
        for name, image in now["images"].items()
    }
    return {**{k: v for k, v in now.items() if k != "errors"}, "images": images}


@pytest.fixture
def project(scratch: Path, recorder: Path) -> Path:
    """The project before the story."""
    path = real(scratch) / "made" / NAME
    path.parent.mkdir()
    with Nursery(preload=recorder) as nursery:
        made = nursery.run("acts:create", path)
    assert made.code == 0, made.error
    return path


@contextlib.contextmanager
def copied(project: Path, name: str) -> Iterator[Path]:
    """A copy of the project in a folder of its own."""
    place = project.parents[1] / name
    shutil.copytree(project.parent, place)
    try:
        yield place / project.name
    finally:
        shutil.rmtree(place)


def counted(project: Path, recorder: Path, which: int) -> list[tuple[str, str]]:
    """Function and file of each call of the story, in order."""
    with Nursery(preload=recorder) as nursery, copied(project, "counted") as path:
        log = project.parents[1] / "log"
        outcome = nursery.run("acts:record", path, story(), log, which=which)
    assert outcome.code == 0, outcome.error
    assert not [line for _, line in outcome.lines if line.startswith("failed")], outcome.lines
    return [(call.name, call.other) for call in read_log(log) if call.kind == "N"]


KINDS = {
    "no room": (errno.ENOSPC, shim.ONCE, shim.CHANGES),
    "no room from then on": (errno.ENOSPC, shim.ON, shim.CHANGES),
    "input/output error": (errno.EIO, shim.ONCE, shim.CHANGES),
    "short write": (0, shim.SHORT, shim.CHANGES),
    "reading fails": (errno.EIO, shim.ONCE, shim.READS),
    "killed": (0, shim.KILL, shim.CHANGES),
}


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
def test_every_call_in_turn(project, recorder, kind):
    error, mode, which = KINDS[kind]
    names = counted(project, recorder, which)
    numbers = [n for n, (name, _) in enumerate(names, 1) if mode != shim.SHORT or name in WRITES]
    step = -(-len(numbers) // CALLS)
    numbers = numbers[list(KINDS).index(kind) % step :: step]
    operations = story()
    expected = expect_all(first_model(), operations)
    ways, last = Ways(operations), f"safe {len(operations)}"
    shown, unfinished, never, bad = Counter[str](), [], [], []

    def work(nursery: Nursery, n: int) -> None:
        with copied(project, f"failing {n}") as path:
            outcome = nursery.run("acts:fail", path, operations, n, error, mode, which)
            seen = nursery.run("acts:look", path)
        lines = [text for _, text in outcome.lines]
        if mode == shim.KILL:
            if not outcome.was_killed:
                never.append(n)
            told = Told.of(lines)
            wrong, _ = judge(seen, expected[told.safe : told.done + 2], expected[: told.safe])
        else:
            if not (outcome.code or outcome.result["failed"]):
                never.append(n)  # the numbers of two runs differ by a few: sizes do
            wrong = wrong_with(outcome, seen, ways, lasting=mode == shim.ON)
            shown.update(Possible.after(lines, operations).shown)
            has_failed = any(line.startswith(("failed open", "failed 5 ")) for line in lines)
            if mode != shim.ON and last not in lines and not has_failed:
                unfinished.append((n, names[n - 1], lines[-3:]))
        if wrong:
            bad.append(f"call {n}, {' '.join(names[n - 1])}: {wrong}")

    side_by_side(work, numbers, preload=recorder)
    print(f"{kind}: {len(numbers)} of {len(names)} calls failed in turn, {len(bad)} bad")
    for sentence, count in shown.most_common():
        print(f"  {count} × {sentence}")
    print("\n".join(bad))
    print("\n".join(map(str, unfinished)))
    assert not bad
    assert len(numbers) - len(never) > 0.9 * len(numbers) > 50
    assert unfinished == [], "one failure, and nothing could be saved any more"
    assert shown or mode in (shim.KILL, shim.SHORT)


# -- full disks ------------------------------------------------------------------------------------

ROOMS = [60_000, 200_000, 400_000, 650_000, 900_000]


def long_story() -> list[Operation]:
    """Fills a small disk with strokes, saves and images."""
    operations: list[Operation] = []
    for n in range(6):
        name = ("first", "second")[n % 2]
        operations += [{"op": "paint", "image": name, "seed": 100 * n + i} for i in range(6)]
        operations += [{"op": "save"}, {"op": "import", "images": [[f"image {n}", 10 + n]]}]
        operations += [{"op": "undo"}, {"op": "redo"}, {"op": "compact"}]
    return operations


def crowded_story(nursery: Nursery, path: Path, aside: Path, **options: object) -> list[str]:
    """Live a story where there is no room, look where there is; the sentences shown."""
    operations = long_story()
    outcome = nursery.run("acts:crowded", path, operations, **options)
    # An image that could not be imported is not painted on: nothing else depends on it.
    shutil.copytree(path.parent, aside)
    seen = nursery.run("acts:look", aside / path.name)
    opened = {"open": outcome.result} if outcome.result else {}
    flat = Outcome(outcome.lines, opened, outcome.code, outcome.error)
    assert wrong_with(flat, seen, Ways(operations)) == ""
    return Possible.after([text for _, text in outcome.lines], operations).shown


@pytest.mark.slow
@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize("room", ROOMS)
def test_a_full_disk(scratch, room, careful):
    disk = scratch / "disk"
    disk.mkdir()
    with Nursery() as nursery:
        assert nursery.run("acts:create", scratch / NAME).code == 0
        size = (scratch / NAME).stat().st_size + room
        options = ["-o", f"size={size // 4096 * 4096 + 8192}"]
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", *options, "orgseg-tests", str(disk)], capture_output=True
        )
        if mounted.returncode:
            pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode().strip()}")
        try:
            shutil.copy(scratch / NAME, disk / NAME)
            shown = crowded_story(nursery, disk / NAME, scratch / "aside", careful=careful)
        finally:
            subprocess.run(["umount", str(disk)], check=True)
    assert any("disk is full" in s or "not enough room" in s for s in shown), shown


@pytest.mark.slow
@pytest.mark.parametrize("room", ROOMS)
def test_a_limit_on_the_size_of_files(scratch, room):
    with Nursery() as nursery:
        path = scratch / "project" / NAME
        path.parent.mkdir()
        assert nursery.run("acts:create", path).code == 0
        limit = path.stat().st_size + room
        shown = crowded_story(nursery, path, scratch / "aside", file_size=limit)
    assert any("disk is full" in sentence for sentence in shown), shown
