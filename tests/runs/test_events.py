"""Events: whole lines, whatever happens to the writer."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgseg_app.runs.events import EventWriter, read_events, state_from_events, tail_events


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "events ü.jsonl"
    with EventWriter(path) as writer:
        written = writer.write("step", step=3, loss=0.5, name="Größe\n2")
    found, offset = read_events(path)
    assert found == [written]
    assert found[0]["time"] > 1e9
    assert offset == path.stat().st_size
    assert read_events(path, offset) == ([], offset)


def test_numbers_that_json_cannot_hold_become_null(tmp_path: Path) -> None:
    with EventWriter(tmp_path / "e") as writer:
        writer.write(
            "validation",
            loss=float("nan"),
            iou={2: np.float32("inf"), 3: np.float64(0.25)},
            counts=(np.int64(4),),
        )
    line = (tmp_path / "e").read_text()
    record = json.loads(line, parse_constant=lambda text: pytest.fail(text))
    assert record["loss"] is None
    assert record["iou"] == {"2": None, "3": 0.25}
    assert record["counts"] == [4]


def test_a_half_last_line_waits_for_its_rest(tmp_path: Path) -> None:
    path = tmp_path / "e"
    path.write_bytes(b'{"event":"a"}\n{"event":"b"')
    found, offset = read_events(path)
    assert [record["event"] for record in found] == ["a"]
    with open(path, "ab") as file:
        file.write(b',"n":1}\n')
    found, offset = read_events(path, offset)
    assert found == [{"event": "b", "n": 1}]
    assert offset == path.stat().st_size


def test_a_writer_after_a_torn_line_loses_only_that_line(tmp_path: Path) -> None:
    path = tmp_path / "e"
    path.write_bytes(b'{"event":"a"}\n{"eve')
    with EventWriter(path) as writer:
        writer.write("b")
    assert [record["event"] for record in read_events(path)[0]] == ["a", "b"]


def test_garbage_and_foreign_lines_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "e"
    path.write_bytes(
        b'\xff\xfe\x00\n[1]\n{"no":1}\n{"event":3}\nnull\n\n{"event":"new kind","x":1}\n'
        + b"[" * 100_000
        + b"\n"
    )
    assert read_events(path)[0] == [{"event": "new kind", "x": 1}]


def test_missing_and_replaced_files(tmp_path: Path) -> None:
    path = tmp_path / "e"
    assert read_events(path, 7) == ([], 7)
    assert tail_events(path) == []
    path.write_bytes(b'{"event":"a"}\n')
    assert read_events(path, 10_000)[0] == [{"event": "a"}]


@given(st.binary(max_size=200), st.integers(0, 300))
def test_reading_never_fails_and_never_goes_back(tmp_path_factory, data: bytes, start: int) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path_factory.mktemp("e") / "e"
    path.write_bytes(data)
    found, offset = read_events(path, start)
    assert all(isinstance(record["event"], str) for record in found)
    assert offset >= min(start, len(data)) or start > len(data)
    assert tail_events(path) == read_events(path)[0]


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_reading_in_pieces_gives_the_same_as_reading_at_once(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "e"
    with EventWriter(path) as writer:
        for step in range(20):
            writer.write("step", step=step)
    whole = path.read_bytes()
    pieces, offset = [], 0
    for end in [*range(cut, len(whole), 61), len(whole)]:
        path.write_bytes(whole[:end])
        found, offset = read_events(path, offset)
        pieces += found
    assert pieces == read_events(path)[0]
    assert [record["step"] for record in pieces] == list(range(20))


def test_writers_in_parallel_do_not_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "e"

    all_open = threading.Barrier(4)  # who opens it amid another's line may add an empty one

    def write(who: int) -> None:
        with EventWriter(path) as writer:
            all_open.wait(20)
            for step in range(200):
                writer.write("step", who=who, step=step, pad="x" * (step % 90))

    threads = [threading.Thread(target=write, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found, _ = read_events(path)
    assert len(found) == 800
    assert path.read_bytes().count(b"\n") == 800


def test_the_tail_of_a_long_file(tmp_path: Path) -> None:
    path = tmp_path / "e"
    with EventWriter(path) as writer:
        for step in range(5000):
            writer.write("step", step=step)
    tail = tail_events(path)
    assert tail[-1]["step"] == 4999
    assert len(tail) < 300
    with EventWriter(path) as writer:
        writer.write("failed", message="x" * 50_000)
    assert tail_events(path)[-1]["event"] == "failed"


@pytest.mark.parametrize(
    "kinds, state",
    [
        ([], None),
        (["message"], None),
        (["state:queued"], "queued"),
        (["state:queued", "started"], "running"),
        (["step", "state:paused", "message"], "paused"),
        (["state:paused", "state:running"], "running"),
        (["state:paused", "step"], "running"),
        (["state:dancing"], None),
        (["step", "something new"], "running"),
        (["step", "finished"], "finished"),
        (["step", "stopped", "message"], "stopped"),
        (["stopped", "state:queued"], "queued"),
        (["failed"], "failed"),
    ],
)
def test_the_state_an_event_stands_for(kinds: list[str], state: str | None) -> None:
    events = []
    for kind in kinds:
        name, _, value = kind.partition(":")
        events.append({"event": name} | ({"state": value} if value else {}))
    assert state_from_events(events) == state


def test_a_closed_writer_says_so(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path / "e")
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.write("step")
