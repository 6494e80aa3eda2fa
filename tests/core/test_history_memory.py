"""Which changes a history with a store behind it keeps in memory."""

from __future__ import annotations

from orgseg_app.core import history as history_module
from orgseg_app.core.edits.change import Change
from orgseg_app.core.history import History
from orgseg_app.core.mask import Box

BOX = Box(0, 0, 0, 1, 1, 1)


def change(number: int, size: int = 10) -> Change:
    return Change("image", "mask", f"step {number}", BOX, (((0, 0, 0), bytes(size)),))


def filled(count: int, sizes: dict[int, int] | None = None) -> tuple[History, list[int]]:
    """A history of changes that a store has taken one by one, and the numbers it loads again."""
    loaded: list[int] = []

    def load(number: int) -> Change:
        loaded.append(number)
        return change(number)

    history = History(load)
    for number in range(1, count + 1):
        history.push(change(number, (sizes or {}).get(number, 10)))
        history.release([number])
    return history, loaded


def test_what_was_just_done_is_undone_without_reading() -> None:
    kept = history_module._AT_HAND
    history, loaded = filled(3 * kept)
    for _ in range(kept):
        assert history.undo() is not None
    assert loaded == []
    step, undone = history.undo() or (None, None)
    assert loaded == [2 * kept]
    assert step is not None
    assert undone is not None
    assert undone.title == f"step {2 * kept}"


def test_memory_does_not_follow_the_length_of_the_history() -> None:
    history, _ = filled(1000)
    assert len(history._kept) == len(history._released) == history_module._AT_HAND


def test_large_changes_are_let_go_of_at_once() -> None:
    history, loaded = filled(5, {5: history_module._AT_HAND_BYTES + 1})
    history.undo()
    history.undo()
    assert loaded == [5]


def test_without_a_store_everything_stays() -> None:
    history = History()
    for number in range(1, 100):
        history.push(change(number))
    history.release(range(100))
    assert len(history._kept) == 99
