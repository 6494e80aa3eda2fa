"""A thousand edits undone and redone, through kills and restarts: every byte comes back."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.files.crash.nursery import Nursery
from tests.files.crash.story import Model, Operation, digest_of, first_model

EDITS = 1000
DONE = 1100
"""Some change nothing, as a fill with the class that is there; a thousand must."""

SESSIONS = 5


def masks_of(model: Model) -> str:
    """The fingerprints as a child tells them."""
    found = {name: digest_of(image.mask) for name, image in model.images.items()}
    return json.dumps(found, sort_keys=True)


def sessions(rng: random.Random) -> list[list[Operation]]:
    """Edits of every kind on both images, with saves and a compaction in between."""
    told: list[list[Operation]] = []
    for session in range(SESSIONS):
        one: list[Operation] = []
        for n in range(DONE // SESSIONS):
            image = rng.choice(["first", "second"])
            one.append({"op": "paint", "image": image, "seed": rng.randrange(2**31)})
            if n % 70 == 40:
                one.append({"op": "compact" if session == 2 else "save"})
            if n % 50 == 25:
                one.append({"op": "note", "image": image, "text": f"note {n}"})
        told.append(one)
    return told


def walk(nursery: Nursery, path: Path, kind: str, expected: list[str], rng: random.Random) -> None:
    """Step through the whole history, killed every now and then; each step must be as it was."""
    at = len(expected) - 1 if kind == "undo" else 0
    goal, kills = (0 if kind == "undo" else len(expected) - 1), 0
    while at != goal:
        stop = ("at ", rng.randint(100, 400), rng.uniform(0, 0.01))
        outcome = nursery.run("acts:step_through", path, kind, DONE, kill=stop)
        assert outcome.code == 0 or outcome.was_killed, outcome.error
        kills += outcome.was_killed
        seen = [text.split(" ", 2)[1:] for _, text in outcome.lines if text.startswith("at ")]
        assert seen, outcome.lines
        # A kill may come after a step was made durable and before it was told.
        first = int(seen[0][0])
        assert first - at in ((-1, -2) if kind == "undo" else (1, 2))
        for number, (place, masks) in enumerate(seen):
            assert int(place) == (first - number if kind == "undo" else first + number)
            assert masks == expected[int(place)], f"{kind}: step {place} is not what it was"
        at = int(seen[-1][0])
        if outcome.lines[-1][1] == "the end":
            break
    assert at == goal
    assert kills >= 1, "no kill came in between"


@pytest.mark.slow
def test_a_thousand_edits_undone_and_redone_are_byte_identical(scratch):
    path, rng, model = scratch / "p.orgseg", random.Random(4), first_model()
    expected = [masks_of(model)]
    with Nursery() as nursery:
        assert nursery.run("acts:create", path).code == 0
        for told in sessions(rng):
            outcome = nursery.run("acts:tell", path, told, linger=True, kill=("idle", 1, 0.0))
            assert outcome.was_killed, outcome.error
            assert not [t for _, t in outcome.lines if t.startswith("failed")]
            for operation in told:
                before = len(model.done)
                model.apply(operation)
                if len(model.done) > before:
                    expected.append(masks_of(model))
        print(f"{DONE} edits, {len(expected) - 1} of them changed something")
        assert len(expected) - 1 >= EDITS
        seen = nursery.run("acts:look", path, walk=0)
        assert seen.result["state"] == model.describe()
        assert seen.result["plain"] == seen.result["state"]["images"]
        walk(nursery, path, "undo", expected, rng)
        walk(nursery, path, "redo", expected, rng)
        seen = nursery.run("acts:look", path, walk=0)
    assert seen.result["state"] == model.describe()
    assert seen.result["plain"] == seen.result["state"]["images"]
