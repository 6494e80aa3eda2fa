"""Background: what a task tells reaches everybody who asked in the same breath."""

from __future__ import annotations

import gc
from weakref import ref

from pytestqt.qtbot import QtBot

from orgseg_app.gui.background import Background, Task


def test_whoever_connects_right_after_the_start_misses_nothing(qtbot: QtBot) -> None:
    background, heard = Background(), list[object]()

    def work(task: Task) -> str:
        task.report(1, 2, "half")
        return "done"

    task = background.start("Working", work)
    background.wait()  # the work is over before anybody connects
    task.progressed.connect(lambda *facts: heard.append(facts))
    task.succeeded.connect(heard.append)
    task.ended.connect(lambda: heard.append("ended"))
    assert not heard
    qtbot.waitUntil(lambda: background.is_idle)
    assert heard == [(1, 2, "half"), "done", "ended"]


def test_a_failure_is_told_to_whoever_connects_late(qtbot: QtBot) -> None:
    background, heard = Background(), list[object]()
    error = OSError("no")

    def work(task: Task) -> None:
        raise error

    task = background.start("Working", work)
    background.wait()
    task.failed.connect(heard.append)
    qtbot.waitUntil(lambda: background.is_idle)
    assert heard == [error]


def test_what_is_done_is_let_go(qtbot: QtBot) -> None:
    background, heard = Background(), list[object]()
    known = ref(background.start("Working", lambda _: "done", heard.append))
    qtbot.waitUntil(lambda: background.is_idle)
    gc.collect()
    assert heard == ["done"]
    assert known() is None
