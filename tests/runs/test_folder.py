"""Run folders: states from recorded events, and damage of every kind."""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from orgseg_app.runs import events, folder
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.folder import RunFolder, find_run, list_runs, restore, runs_dir
from orgseg_app.runs.process import read_json, write_json
from orgseg_app.runs.recipes.presets import PRESETS


@pytest.fixture
def project_path(tmp_path: Path) -> Path:
    return tmp_path / "Zellen und ER.orgseg"


def make(project_path: Path, name: str = "first", *kinds: str) -> RunFolder:
    run = RunFolder.create(
        runs_dir(project_path), name=name, kind="train", recipe=PRESETS["fast"], project_uuid="u"
    )
    if kinds:
        with EventWriter(run.events_path) as writer:
            for kind in kinds:
                event, _, state = kind.partition(":")
                writer.write(event, **({"state": state} if state else {}))
    return run


def test_a_new_run_holds_what_was_asked(project_path: Path) -> None:
    run = RunFolder.create(
        runs_dir(project_path),
        name="  ER /\x1b wide: \n\u202e2 ",
        kind="train",
        recipe=PRESETS["fast"],
        project_uuid="abc",
        extra={"warnings": ["There is no test image."]},
    )
    again = RunFolder(run.path)
    assert again.name == "ER / wide: \u202e2"
    assert again.path.parent == runs_dir(project_path)
    assert again.path.name.endswith(run.run_id[:6])
    assert "/" not in again.path.name
    assert ":" not in again.path.name
    assert again.recipe == PRESETS["fast"]
    assert again.request["project_uuid"] == "abc"
    assert again.warnings == ["There is no test image."]
    assert abs(again.created - time.time()) < 60
    assert again.state == "queued"
    assert again.metrics() is None
    assert again.events() == ([], 0)


@pytest.mark.parametrize("name", ["..", "CON", "nul.txt", "a" * 300, "\x00", "..\\..\\x", "  "])
def test_no_name_leaves_the_folder_of_runs(project_path: Path, name: str) -> None:
    run = make(project_path, name)
    assert run.path.parent.resolve() == runs_dir(project_path).resolve()
    assert len(run.path.name) <= 56
    assert [item.run_id for item in list_runs(project_path)] == [run.run_id]


@pytest.mark.parametrize(
    "kinds, alive, state",
    [
        ((), True, "queued"),
        ((), False, "lost"),
        (("state:queued",), True, "queued"),
        (("started", "step"), True, "running"),
        (("started", "step"), False, "lost"),
        (("step", "state:paused"), True, "paused"),
        (("step", "state:paused"), False, "lost"),
        (("step", "finished"), True, "finished"),
        (("step", "finished"), False, "finished"),
        (("stopped",), False, "stopped"),
        (("failed",), False, "failed"),
        (("stopped", "state:queued", "step"), True, "running"),
    ],
)
def test_states(project_path: Path, kinds: tuple[str, ...], alive: bool, state: str) -> None:
    run = make(project_path, "a", *kinds)
    run.write_process(os.getpid())
    if not alive:
        facts = read_json(run.process_path)
        assert facts is not None
        write_json(run.process_path, facts | {"create_time": facts["create_time"] - 1000})
    assert run.state == state
    assert run.is_active == (state in folder.ACTIVE_STATES)


def test_a_process_id_used_again_is_not_the_run(project_path: Path) -> None:
    run = make(project_path, "a", "step")
    run.write_process(os.getpid())
    facts = read_json(run.process_path)
    assert facts is not None
    assert run.state == "running"
    write_json(run.process_path, facts | {"create_time": facts["create_time"] - 60})
    assert run.state == "lost"
    for damaged in ({"pid": "7"}, {"pid": -1}, {"pid": 2**70}, {"pid": True}, {}):
        write_json(run.process_path, facts | damaged if damaged else {})
        assert run.state == "lost"
    run.process_path.write_text('{"pid": 1')
    assert run.state == "lost"


def test_a_copied_project_does_not_claim_the_process_of_the_original(
    project_path: Path, tmp_path: Path
) -> None:
    run = make(project_path, "a", "started", "step")
    run.write_process(os.getpid())
    copy = tmp_path / "copy.orgseg"
    shutil.copytree(runs_dir(project_path), runs_dir(copy))
    assert run.state == "running"
    assert [item.state for item in list_runs(copy)] == ["lost"]


def test_a_run_on_another_computer_is_judged_by_its_last_sign(project_path: Path) -> None:
    run = make(project_path, "a", "started", "step")
    run.write_process(os.getpid())
    facts = read_json(run.process_path)
    assert facts is not None
    assert facts["host"] == platform.node()
    write_json(run.process_path, facts | {"host": "another", "pid": 1})
    assert run.state == "running"
    os.utime(run.events_path, (time.time() - 600, time.time() - 600))
    assert run.state == "lost"


def test_an_ended_process_is_seen_even_before_it_is_reaped(project_path: Path) -> None:
    run = make(project_path, "a", "step")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        run.write_process(process.pid)
        assert run.state == "running"
        process.kill()
        deadline = time.monotonic() + 10
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert run.state == "lost"


def test_a_folder_deleted_while_open_keeps_its_name_and_never_raises(project_path: Path) -> None:
    run = make(project_path, "mine", "step")
    run.write_process(os.getpid())
    shutil.rmtree(run.path)
    assert (run.name, run.state, run.exists) == ("mine", "lost", False)
    assert run.recipe == PRESETS["fast"]
    assert run.events(3) == ([], 3)
    assert run.last_event() is None
    assert run.metrics() is None
    with pytest.raises(RunError, match="could not be renamed"):
        run.rename("other")
    with pytest.raises(RunError, match="could not be deleted"):
        run.delete()


@pytest.mark.parametrize(
    "request_text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"format":"orgseg-run"}',
        '{"format":"other","run":"0123456789ab"}',
        '{"format":"orgseg-run","run":"../../../x1","kind":"train"}',
        "\x00" * 50,
    ],
)
def test_broken_folders_are_left_out(project_path: Path, request_text: str) -> None:
    good = make(project_path, "good", "finished")
    bad = runs_dir(project_path) / "bad"
    bad.mkdir()
    (bad / "request.json").write_text(request_text)
    (runs_dir(project_path) / "empty").mkdir()
    (runs_dir(project_path) / "file.txt").write_text("x")
    assert [run.run_id for run in list_runs(project_path)] == [good.run_id]
    with pytest.raises(RunError, match="not a run folder"):
        RunFolder(bad)


def test_a_run_of_a_newer_version_is_refused_untouched(project_path: Path) -> None:
    run = make(project_path)
    write_json(run.path / "request.json", run.request | {"schema_version": 99})
    with pytest.raises(RunError, match="newer version"):
        RunFolder(run.path)
    assert list_runs(project_path) == []


def test_a_recipe_of_a_newer_version_leaves_the_run_listed(project_path: Path) -> None:
    run = make(project_path)
    request = run.request | {"recipe": {"name": "x", "version": 9, "telepathy": True}}
    write_json(run.path / "request.json", request)
    again = RunFolder(run.path)
    assert again.recipe is None
    assert again.name == "first"


def test_damaged_metrics_count_as_none(project_path: Path) -> None:
    run = make(project_path)
    for text in ("", "{", "[]", '{"images": 3}'):
        run.metrics_path.write_text(text)
        assert run.metrics() is None
    run.metrics_path.write_text('{"images": []}')
    assert run.metrics() == {"images": []}


def test_rename_keeps_folder_and_id(project_path: Path) -> None:
    run = make(project_path, "old")
    run.rename("  new\tname ")
    assert RunFolder(run.path).name == "new name"
    assert find_run(project_path, "new name").run_id == run.run_id
    with pytest.raises(RunError, match="needs a name"):
        run.rename(" ")
    (run.path / "title.json").write_text("{")
    assert RunFolder(run.path).name == "old"


def test_deleting_can_be_taken_back(project_path: Path) -> None:
    run = make(project_path, "a", "finished")
    trashed = run.delete()
    assert list_runs(project_path) == []
    assert not run.exists
    assert restore(trashed).run_id == run.run_id
    assert [item.run_id for item in list_runs(project_path)] == [run.run_id]
    old = time.time() - 30 * 86400
    trashed = RunFolder(run.path).delete()
    os.utime(trashed, (old, old))
    make(project_path, "b", "finished").delete()
    assert not trashed.exists()
    with pytest.raises(RunError, match="could not be brought back"):
        restore(trashed)


def test_a_working_run_is_not_deleted(project_path: Path) -> None:
    run = make(project_path, "a", "step")
    run.write_process(os.getpid())
    with pytest.raises(RunError, match="Stop it first"):
        run.delete()
    assert run.exists


def test_runs_are_found_by_id_name_and_path(project_path: Path) -> None:
    one, two, three = (make(project_path, name) for name in ("a", "a", "c"))
    assert find_run(project_path, one.run_id).path == one.path
    assert find_run(project_path, two.run_id[:7]).path == two.path
    assert find_run(project_path, "c").path == three.path
    assert find_run(project_path, three.path.name).path == three.path
    assert find_run(None, str(two.path)).path == two.path
    with pytest.raises(RunError, match="2 runs are called"):
        find_run(project_path, "a")
    with pytest.raises(RunError, match='has no run "zzz"; it has "a", "a", "c"'):
        find_run(project_path, "zzz")
    with pytest.raises(RunError, match="not the folder of a run"):
        find_run(None, "zzz")
    with pytest.raises(RunError, match="it has no runs yet"):
        find_run(project_path.with_name("other.orgseg"), "zzz")


def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("x")
    with pytest.raises(RunError, match="could not be made"):
        RunFolder.create(blocked / "x.runs", name="a", kind="train")


def test_a_full_disk_leaves_no_half_made_folder(
    project_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, data: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(folder, "write_json", refuse)
    with pytest.raises(RunError, match="The project is untouched"):
        RunFolder.create(runs_dir(project_path), name="x", kind="train")
    assert list(runs_dir(project_path).iterdir()) == []


def test_json_files_are_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [item.name for item in tmp_path.iterdir()] == ["x.json"]


def test_listing_reads_little_of_each_run(
    project_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(project_path, "long", "started")
    with EventWriter(run.events_path) as writer:
        for step in range(20_000):
            writer.write("step", step=step)
        writer.write("finished")
    read: list[int] = []
    parse = events._parse
    monkeypatch.setattr(events, "_parse", lambda line: (read.append(1), parse(line))[1])
    assert [item.state for item in list_runs(project_path)] == ["finished"]
    assert len(read) < 300
