"""Whether what is found after a crash is what the user was told would be there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.files.crash.nursery import Outcome
from tests.files.crash.story import Description, Model, Operation

WALK = 4


@dataclass(frozen=True)
class Told:
    """What a child's lines say.

    Attributes
    ----------
    safe
        Operations before this one were said to be saved.
    done
        Operations done in memory.
    """

    safe: int
    done: int

    @classmethod
    def of(cls, lines: Iterable[str]) -> Told:
        """Read them."""
        safe = done = 0
        for line in lines:
            word, _, rest = line.partition(" ")
            if word == "safe":
                safe = max(safe, int(rest))
            elif word == "did":
                done = int(rest) + 1
        return cls(safe, done)


@dataclass(frozen=True)
class Expected:
    """What a look must find after so many operations."""

    model: Model
    state: Description
    walk: list[dict[str, str]]

    @classmethod
    def of(cls, model: Model) -> Expected:
        """Of a model that is not changed any more."""
        return cls(model, model.describe(), model.walk_back(WALK))


def expect_all(model: Model, operations: Sequence[Operation]) -> list[Expected]:
    """What must be there after none, one, two … operations."""
    found = [Expected.of(model)]
    for operation in operations:
        model = model.copy()
        model.apply(operation)
        found.append(Expected.of(model))
    return found


def judge(
    outcome: Outcome, allowed: Sequence[Expected], before: Sequence[Expected] = ()
) -> tuple[str, Expected | None]:
    """What is wrong ("" when nothing is), and which of the allowed states was found.

    Parameters
    ----------
    outcome
        Of a child that looked.
    allowed
        States that may be found, the oldest first.
    before
        Older states: finding one of them means that something confirmed was lost.
    """
    if outcome.code != 0:
        return f"the program crashed ({outcome.code}): {outcome.error[-2000:]}", None
    found = outcome.result
    if "refused" in found:
        return f"unreadable: {found['refused']}", None
    if found["read_only"]:
        return f"only to be read: {found['read_only']}", None
    state = found["state"]
    match = next((e for e in reversed(allowed) if e.state == state), None)
    if match is None:
        if state.get("errors"):
            return f"damaged: {state['errors']}", None
        if any(e.state["images"] == state["images"] for e in before):
            return f"lost: what was confirmed is not there; notices: {found['notices']}", None
        return f"wrong: {differences(state, allowed)}; notices: {found['notices']}", None
    if "refused later" in found:
        return f"damaged: {found['refused later']}", match
    if found["walk"] != match.walk:
        return "wrong: undo does not lead to the states before", match
    if _without_pixels(found["again"]) != _without_pixels(state):
        return f"wrong: redo does not lead back: {differences(found['again'], [match])}", match
    if "plain" in found and found["plain"] != state["images"]:
        return "wrong: a plain HDF5 program finds something else after saving", match
    if "plain" in found and list(found["plain"]) != state["order"]:
        return "wrong: a plain HDF5 program finds another order", match
    return "", match


def _without_pixels(state: Description) -> Description:
    """They are read once: nothing in a look could change them."""
    images = {
        name: {key: value for key, value in image.items() if key != "pixels"}
        for name, image in state["images"].items()
    }
    return {**state, "images": images}


def differences(state: Description, allowed: Sequence[Expected]) -> str:
    """For people: in what a state differs from each that was allowed."""
    texts = []
    for number, expected in enumerate(allowed):
        differing = [k for k in ("classes", "order", "history") if expected.state[k] != state[k]]
        for name in {*expected.state["images"], *state["images"]}:
            a, b = (s["images"].get(name, {}) for s in (expected.state, state))
            differing += [f"{name}.{k}" for k in {*a, *b} if a.get(k) != b.get(k)]
        history = f"{expected.state['history']} -> {state['history']}"
        texts.append(f"{number}: {sorted(differing)} history {history}")
    return "; ".join(texts)
