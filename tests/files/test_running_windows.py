"""Handing files to a window that runs: to the right one, once, and never to one that is gone."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgseg_app import paths
from orgseg_app.files import running_windows
from orgseg_app.files.running_windows import Request, WindowPlace, enter

IMPATIENT_S = 0.05


@pytest.fixture
def place() -> Iterator[WindowPlace]:
    """A window that is shown."""
    found = new_window()
    yield found
    found.close()


def new_window(project: Path | None = None) -> WindowPlace:
    entry = enter([], is_new=True)
    assert not entry.was_handed_over
    assert entry.place is not None
    entry.place.tell(is_shown=True, project=project)
    return entry.place


@contextmanager
def answering(place: WindowPlace, *, declines: bool = False) -> Iterator[list[Request]]:
    """A window at work: takes what comes, or gives it back."""
    taken: list[Request] = []
    end = threading.Event()

    def work() -> None:
        while not end.wait(0.002):
            for name in place.waiting():
                if declines:
                    place.decline(name)
                elif (request := place.take(name)) is not None:
                    taken.append(request)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield taken
    finally:
        end.set()
        thread.join()


def test_files_go_to_the_window_that_runs(
    place: WindowPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_ACTIVATION_TOKEN", "token-7")
    with answering(place) as taken:
        entry = enter([Path("b ü.orgseg"), tmp_path / "c.tif"], patience_s=60)
    assert entry.was_handed_over
    assert entry.place is None
    (request,) = taken
    assert request.paths == (tmp_path / "b ü.orgseg", tmp_path / "c.tif")
    assert request.token == "token-7"
    assert sorted(os.listdir(place.path)) == ["window.json", "window.lock"]


def test_a_start_without_files_only_brings_the_window_to_the_front(place: WindowPlace) -> None:
    with answering(place) as taken:
        assert enter([], patience_s=60).was_handed_over
    assert taken[0].paths == ()


def test_a_window_is_opened_where_none_runs_and_where_a_second_is_wanted(
    place: WindowPlace,
) -> None:
    second = enter([Path("a.orgseg")], is_new=True)
    assert second.place is not None
    second.place.close()
    place.close()
    third = enter([Path("a.orgseg")])
    assert third.place is not None
    third.place.close()
    assert [name for name in os.listdir(place.path.parent) if name != "starting.lock"] == []


def test_a_busy_window_declines(place: WindowPlace) -> None:
    with answering(place, declines=True):
        entry = enter([Path("a.orgseg")], patience_s=60)
    assert not entry.was_handed_over
    assert entry.place is not None
    entry.place.close()
    assert sorted(os.listdir(place.path)) == ["window.json", "window.lock"]


def test_a_window_that_hangs_is_not_waited_for_and_opens_nothing_later(place: WindowPlace) -> None:
    entry = enter([Path("a.orgseg")], patience_s=IMPATIENT_S)
    assert not entry.was_handed_over
    assert entry.place is not None
    entry.place.close()
    assert place.waiting() == []


def test_a_window_that_is_still_starting_gets_more_time(
    place: WindowPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_windows, "STARTING_PATIENCE_S", 60)
    place.tell(is_shown=False)
    found: list[bool] = []
    start = threading.Thread(
        target=lambda: found.append(enter([], patience_s=IMPATIENT_S).was_handed_over)
    )
    start.start()
    end = time.monotonic() + 60
    while not place.waiting() and time.monotonic() < end:
        time.sleep(0.005)
    time.sleep(2 * IMPATIENT_S)
    with answering(place):
        start.join(60)
    assert found == [True]


def test_what_a_crash_left_behind_goes(place: WindowPlace) -> None:
    left = place.path.with_name("0123456789ab")
    left.mkdir()
    for name in ("window.lock", "window.json", "1.request"):
        (left / name).write_text("{", encoding="utf-8")
    with answering(place):
        assert enter([], patience_s=60).was_handed_over
    assert not left.exists()
    assert place.path.exists()


def test_the_window_that_shows_the_project_is_asked_else_the_one_used_last(tmp_path: Path) -> None:
    project = tmp_path / "a.orgseg"
    project.touch()
    link = tmp_path / "link.orgseg"
    link.symlink_to(project)
    shows, used = new_window(project), new_window()
    os.utime(shows.path / "window.lock", (1, 1))
    used.note_use()
    with answering(shows) as by_project, answering(used) as by_use:
        assert enter([link], patience_s=60).was_handed_over
        assert enter([tmp_path / "b.orgseg"], patience_s=60).was_handed_over
    assert [request.paths for request in by_project] == [(link,)]
    assert [request.paths for request in by_use] == [(tmp_path / "b.orgseg",)]
    shows.close()
    used.close()


@pytest.mark.skipif(os.name == "nt", reason="there is one screen for all")
def test_a_window_on_another_screen_is_left_alone(
    place: WindowPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":77")
    with answering(place) as taken:
        entry = enter([])
    assert entry.place is not None
    entry.place.close()
    assert taken == []


def test_of_many_starts_at_one_moment_one_opens_a_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running_windows, "_TURN_S", 60)
    entries = []
    begin = threading.Barrier(6)

    def start() -> None:
        begin.wait()
        entry = enter([], patience_s=60)
        entries.append(entry)
        if entry.place is not None:
            entry.place.tell(is_shown=True)
            end = time.monotonic() + 60
            taken = 0
            while taken < 5 and time.monotonic() < end:
                taken += sum(entry.place.take(n) is not None for n in entry.place.waiting())
                time.sleep(0.002)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(entry.was_handed_over for entry in entries) == 5
    next(entry.place for entry in entries if entry.place is not None).close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_nobody_else_can_read_or_ask(place: WindowPlace) -> None:
    assert place.path.stat().st_mode & 0o777 == 0o700
    assert place.path.parent.stat().st_mode & 0o777 == 0o700
    os.chmod(place.path.parent, 0o755)
    with answering(place):
        enter([], patience_s=60)
    assert place.path.parent.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_used_does_not_stop_the_start(orgseg_home: Path) -> None:
    orgseg_home.mkdir(parents=True)
    paths.data_dir().write_text("a file where the folder should be", encoding="utf-8")
    entry = enter([Path("a.orgseg")])
    assert not entry.was_handed_over
    assert entry.place is None


GARBAGE = st.one_of(
    st.binary(max_size=60),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["paths", "token", "x"]), inner, max_size=3)
        ),
    ).map(lambda value: json.dumps(value).encode()),
)


@given(GARBAGE)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_request_that_makes_no_sense_is_dropped(place: WindowPlace, content: bytes) -> None:
    (place.path / "1.request").write_bytes(content)
    request = place.take("1.request")
    assert request is None or all(path.is_absolute() for path in request.paths)
    assert place.waiting() == []


@pytest.mark.parametrize(
    "paths_given",
    [["relative.tif"], ["/a\0b"], "abc", [3], ["/a"] * 10_001],
    ids=["relative", "null", "text", "number", "too many"],
)
def test_only_whole_paths_are_taken(place: WindowPlace, paths_given: object) -> None:
    content = json.dumps({"paths": paths_given, "token": ""})
    (place.path / "1.request").write_text(content, encoding="utf-8")
    assert place.take("1.request") is None


@given(GARBAGE)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_window_that_says_nonsense_of_itself_is_not_asked(
    place: WindowPlace, content: bytes
) -> None:
    (place.path / "window.json").write_bytes(content)
    entry = enter([], patience_s=IMPATIENT_S)
    assert entry.place is not None
    entry.place.close()
