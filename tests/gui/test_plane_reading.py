"""Planes of layers are read one at a time, the newest wish first, and the last ones are kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from orgseg_app.files.errors import ProjectError
from orgseg_app.gui.canvas import plane_reading
from orgseg_app.gui.canvas.plane_reading import PlaneReader


@pytest.fixture
def reader(qapp: object) -> Iterator[PlaneReader]:
    reader = PlaneReader()
    yield reader
    reader.finish()


def test_it_is_read_once_and_kept(reader: PlaneReader, qtbot: QtBot) -> None:
    reads = []

    def read() -> str:
        reads.append(threading.current_thread())
        return "plane"

    with qtbot.waitSignal(reader.arrived):
        assert reader.get("a", read) is None
        assert reader.get("a", read) is None  # asked again while it is read
    assert reader.get("a", read) == "plane"
    assert len(reads) == 1
    assert reads[0] is not threading.main_thread()


def test_the_newest_wish_is_first_and_the_oldest_is_dropped(
    reader: PlaneReader, qtbot: QtBot
) -> None:
    gate, order = threading.Event(), []
    reader.get("first", lambda: gate.wait(10))
    for number in range(plane_reading.MOST_WAITING + 2):
        reader.get(number, lambda n=number: order.append(n))
    gate.set()
    last = plane_reading.MOST_WAITING + 1
    qtbot.waitUntil(lambda: len(order) == plane_reading.MOST_WAITING)
    assert order == list(range(last, 1, -1))


def test_an_error_is_an_answer(reader: PlaneReader, qtbot: QtBot) -> None:
    def fail() -> None:
        raise ProjectError("The disk is gone.")

    with qtbot.waitSignal(reader.arrived):
        reader.get("a", fail)
    assert str(reader.get("a", fail)) == "The disk is gone."


def test_what_was_asked_for_before_is_not_an_answer_any_more(
    reader: PlaneReader, qtbot: QtBot
) -> None:
    gate = threading.Event()
    reader.get("a", lambda: gate.wait(10) and "old")
    reader.forget()
    gate.set()
    with qtbot.waitSignal(reader.arrived):
        reader.get("a", lambda: "new")
    assert reader.get("a", lambda: "newer") == "new"


def test_large_planes_make_room(
    reader: PlaneReader, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plane_reading, "KEPT_BYTES", 10_000)
    for number in range(6):
        with qtbot.waitSignal(reader.arrived):
            reader.get(number, lambda: np.zeros(4_000, np.uint8))
    kept = [number for number in range(6) if number in reader._values]
    assert kept == [3, 4, 5]


def test_closing_waits_for_what_is_read(reader: PlaneReader) -> None:
    gate, done = threading.Event(), []
    reader.get("a", lambda: (gate.wait(10), done.append(1)))
    threading.Timer(0.2, gate.set).start()
    reader.finish()
    assert done == [1]
    assert not reader.is_reading
