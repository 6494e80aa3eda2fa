"""Use every tool in one real window: ``python -m tests.e2e.tool_window FOLDER [WORDS]``.

A process of its own on a virtual display; prints one JSON object a line about each performance,
which `tests/e2e/test_tools.py` checks. With words, only those with these words in their titles.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.e2e.story import say
from tests.e2e.tool_acts import ACTS, KEYS, MOUSE, Act
from tests.e2e.tool_acts_regions import object_at  # noqa: F401  (the acts register themselves)
from tests.e2e.tool_habits import HABITS, Habit
from tests.e2e.tool_hand import ToolHand
from tests.e2e.tool_objects import (
    OBJECT_ACTS,
    PAINTING,
    change_objects,
    make_objects,
    paint_object,
)
from tests.e2e.tool_scene import Scene
from tests.e2e.tool_trouble import (
    HAPPENINGS,
    SHAPES,
    any_shape,
    image_goes,
    looking_only,
    meanwhile,
)

Performance = Callable[[ToolHand], None]


def perform(act: Act, hand: ToolHand) -> None:
    """Do it, and see that the mask is right: then, undone, redone, read again, undone again."""
    before = hand.start(act.image, act.z)
    steps = len(hand.session.history)
    hand.by_keys = act.by == KEYS
    hand.take(act.tool)
    assert hand.canvas.tool.name == act.tool, f"its key takes {hand.canvas.tool.name}"
    expected = act.run(hand, before)
    hand.settle()
    hand.same(expected, "after the act")
    made = len(hand.session.history) - steps
    if expected.tobytes() == before.tobytes():
        assert made == 0, f"{made} steps to undo, and nothing was done"
        return
    assert made == 1, f"{made} steps to undo"
    hand.do("undo")
    hand.settle()
    hand.same(before, "undone")
    hand.do("redo")
    hand.settle()
    hand.same(expected, "redone")
    if act.by == MOUSE:
        hand.reopen()
        assert hand.canvas.tool.name == act.tool, "another tool after reopening"
        hand.same(expected, "read again")
    hand.do("undo")
    hand.settle()
    hand.same(before, "undone in the end")


def keep(habit: Habit, hand: ToolHand) -> None:
    """Do what is done with whatever tool; every step can be undone."""
    before = hand.start(habit.image, habit.z)
    hand.by_keys = False
    habit.check(hand, before)
    while hand.session.history.next_undo() is not None:
        hand.do("undo")
    hand.settle()
    hand.same(before, "undone in the end")


def performances() -> dict[str, Performance]:
    """Everything that is done, by title."""
    found: dict[str, Performance] = {act.title: partial(perform, act) for act in ACTS}
    found |= {habit.title: partial(keep, habit) for habit in HABITS}
    found |= {f"an object: {act.title}": partial(paint_object, act) for act in PAINTING}
    found["objects: made of the plane and of the volume"] = make_objects
    found |= {act.title: partial(change_objects, act) for act in OBJECT_ACTS}
    found |= {
        f"every tool, and meanwhile {what}": partial(meanwhile, happening)
        for what, happening in HAPPENINGS.items()
    }
    found["every tool, and the image is removed"] = image_goes
    found |= {f"every tool on {shape} image": partial(any_shape, shape) for shape in SHAPES}
    found["every tool where one may only look"] = looking_only
    return found


def main() -> None:
    """All of it in one window."""
    folder, *words = sys.argv[1:]
    hand = ToolHand(Scene(), Path(folder) / "Werkzeuge ü.orgseg")
    for title, performance in performances().items():
        if all(word in title for word in words):
            start, failed = time.monotonic(), ""
            try:
                performance(hand)
            except Exception:
                failed = traceback.format_exc()
                hand.start_anew()
            say(title=title, failed=failed, took=round(time.monotonic() - start, 2))
    hand.close()
    say(errors=hand.errors)


if __name__ == "__main__":
    main()
