"""One byte of a project or its journal is another: nothing changes without a word.

2,000 flips here; ``ORGSEG_FLIPS=20000`` makes it as many as one likes.
"""

from __future__ import annotations

import os
import random
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.files.crash.nursery import Nursery, Outcome, side_by_side

NAME = "p.orgseg"
FLIPS = int(os.environ.get("ORGSEG_FLIPS", "2000"))
GATED = 50  # every so many-th goes through the real gate, which takes a quarter of a second


def classify(outcome: Outcome, whole: dict[str, Any]) -> str:
    """``"fine"``, ``"refused"``, ``"named"`` or what must not be."""
    if outcome.code != 0:
        return f"CRASH {outcome.code}: {outcome.error[-600:]}"
    found = outcome.result
    if "refused" in found:
        return "refused" if len(found["refused"]) > 30 else f"NO SENTENCE {found['refused']}"
    good, state = whole["state"], found["state"]
    notices = [n for n in found["notices"] if "brought back from its journal" not in n]
    said = " ".join([*notices, *state.pop("errors", []), found["read_only"]])
    if "refused later" in found:
        said += found["refused later"]
    silent = [key for key in ("classes", "order") if state[key] != good[key]]
    for name, image in good["images"].items():
        now = state["images"].get(name, {})
        if name not in said:
            silent += [f"{name}.{k}" for k, v in image.items() if now.get(k) != v]
    if "journal" in said:  # a journal set aside: the file is as it was saved last, and that is said
        silent = []
    if silent:
        return f"SILENT change of {silent}, said: {said!r}"
    if not said and found.get("walk") != whole["walk"]:
        return "SILENT change of the undo history"
    return "named" if said else "fine"


def flip_all(
    folder: Path, places: list[tuple[str, int]], files: dict[str, bytes], **options: bool
) -> Counter[str]:
    """Flip a byte at each place in turn, and open the project as the application does."""
    rng = random.Random(3)
    flips = [(n, name, at, rng.randint(1, 255)) for n, (name, at) in enumerate(places)]
    with Nursery() as nursery:
        reference = look_at(nursery, folder / "whole", files)
    assert reference.code == 0, reference.error
    whole = reference.result
    assert "refused" not in whole, whole

    def work(nursery: Nursery, flip: tuple[int, str, int, int]) -> str:
        number, name, at, change = flip
        data = bytearray(files[name])
        data[at] ^= change
        gated = number % GATED == 0
        outcome = look_at(
            nursery, folder / str(number), {**files, name: data}, gated=gated, **options
        )
        kind = classify(outcome, whole)
        return kind if kind.islower() else f"{name} at {at} ^ {change}: {kind}"

    return Counter(side_by_side(work, flips))


def look_at(nursery: Nursery, place: Path, files: dict[str, Any], **options: bool) -> Outcome:
    """Look at files as if they were a project."""
    place.mkdir()
    try:
        for name, data in files.items():
            (place / name).write_bytes(data)
        return nursery.run("acts:look", place / NAME, plain=False, **options)
    finally:
        shutil.rmtree(place)


def judge_all(found: Counter[str]) -> None:
    """Fail for every flip that changed something silently, or crashed."""
    bad = sorted(kind for kind in found if not kind.islower())
    print({kind: count for kind, count in found.items() if kind.islower()}, len(bad), "bad")
    print("\n".join(bad))
    assert bad == []


@pytest.mark.slow
def test_flips_in_the_project(scratch):
    with Nursery() as nursery:
        assert nursery.run("acts:create_tiny", scratch / NAME).code == 0
        voxels = nursery.run("acts:voxels_of_images", scratch / NAME).result
    data = (scratch / NAME).read_bytes()
    inside = set()
    for offset, size in voxels:
        inside.update(range(offset, offset + size))
    elsewhere = [at for at in range(len(data)) if at not in inside]
    rng = random.Random(1)
    # Pixels are most of a file: half of the flips go where everything else is.
    places = [rng.randrange(len(data)) for _ in range(FLIPS // 4)]
    places += [rng.choice(elsewhere) for _ in range(FLIPS // 4)]
    found = flip_all(scratch, [(NAME, at) for at in places], {NAME: data})
    judge_all(found)
    assert found["fine"] > 10
    assert found["refused"] + found["named"] > 100, "hardly any flip was noticed at all"


@pytest.mark.slow
def test_flips_in_the_lists_of_blocks(scratch):
    with Nursery() as nursery:
        assert nursery.run("acts:create_deep", scratch / NAME).code == 0
    data = (scratch / NAME).read_bytes()
    nodes = [m.start() for m in re.finditer(rb"TREE\x01", data)]  # 1: of blocks; then the level
    inner = [at for at in nodes if data[at + 5] > 0]
    assert len(inner) >= 2, "neither the image nor the mask has a list with inner nodes"
    rng = random.Random(4)
    places = [at + rng.randrange(400) for at in rng.choices(inner, k=FLIPS // 10)]
    places += [at + rng.randrange(4000) for at in rng.choices(nodes, k=FLIPS // 10)]
    places = [min(at, len(data) - 1) for at in places]
    found = flip_all(scratch, [(NAME, at) for at in places], {NAME: data})
    judge_all(found)
    assert found["named"] > 50, "hardly any flip was noticed at all"
    trusting = flip_all(scratch, [(NAME, at) for at in places[:40]], {NAME: data}, blind=True)
    assert any("SILENT" in kind for kind in trusting), "the test cannot see a silent change"


@pytest.mark.slow
def test_flips_in_the_journal_of_a_crashed_project(scratch):
    with Nursery() as nursery:
        assert nursery.run("acts:create_tiny", scratch / NAME).code == 0
        assert nursery.run("acts:leave_a_journal", scratch / NAME).was_killed
    files = {
        p.name: p.read_bytes() for p in scratch.iterdir() if p.is_file() and p.suffix != ".lock"
    }
    rng = random.Random(2)
    places = []
    for name in files:
        if name != NAME:
            places += [(name, rng.randrange(len(files[name]))) for _ in range(FLIPS * 3 // 20)]
    print({name: len(data) for name, data in files.items()})
    found = flip_all(scratch, places, files)
    judge_all(found)
    assert len(places) == FLIPS * 3 // 10
