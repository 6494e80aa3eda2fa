"""Settings, log files and personal folders: nothing in them can stop the app from starting."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orgseg_app import logs, paths, settings
from orgseg_app.settings import Settings


def test_round_trip_of_every_value(orgseg_home: Path) -> None:
    saved = Settings(
        theme="dark",
        workspace="train",
        recent_projects=["/a/µ cells.orgseg"],
        last_folder="/a",
        shortcuts={"undo": "Ctrl+Z; U", "redo": ""},
        keys_preset="napari",
        wheel="slice",
        window_state={"main": "AAEC"},
        remembered={"brush_size": 12, "opacity": 0.4, "outline": True, "class": "ER"},
    )
    assert settings.save(saved)
    assert settings.load() == saved
    assert settings.settings_path().is_relative_to(orgseg_home)


def test_without_a_file_everything_is_at_its_default() -> None:
    assert settings.load() == Settings()


def test_only_what_differs_is_written() -> None:
    assert settings.save(Settings(theme="light"))
    assert json.loads(settings.settings_path().read_text(encoding="utf-8")) == {"theme": "light"}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '"dark"', "[" * 100_000, "\udcff\udcfe", '{"theme": "dark"'],
    ids=["empty", "half", "list", "null", "text", "deep", "not UTF-8", "cut off"],
)
def test_an_unreadable_file_is_set_aside(text: str, caplog: pytest.LogCaptureFixture) -> None:
    path = settings.settings_path()
    path.parent.mkdir(parents=True)
    content = text.encode("utf-8", "surrogateescape")
    path.write_bytes(content)
    assert settings.load() == Settings()
    assert path.with_name("settings.json.unreadable").read_bytes() == content
    assert "settings.json.unreadable" in caplog.text


@pytest.mark.parametrize(
    "key, bad",
    [
        ("theme", "pink"),
        ("theme", ["dark"]),
        ("workspace", 3),
        ("recent_projects", "cells.orgseg"),
        ("last_folder", "a\0b"),
        ("shortcuts", ["Ctrl+Z"]),
        ("window_state", None),
        ("remembered", 7),
        ("keys_preset", "emacs"),
        ("keys_preset", None),
        ("wheel", "fly"),
        ("wheel", 1),
        ("undo_budget_mb", 0),
        ("undo_budget_mb", True),
        ("undo_budget_mb", 1.5),
        ("undo_budget_mb", 10**12),
    ],
)
def test_one_bad_value_is_dropped_and_the_others_hold(
    key: str, bad: object, caplog: pytest.LogCaptureFixture
) -> None:
    good = {"theme": "dark", "workspace": "compare", "recent_projects": ["/a.orgseg"]}
    path = settings.settings_path()
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({**good, key: bad}), encoding="utf-8")
    loaded = settings.load()
    assert getattr(loaded, key) == getattr(Settings(), key)
    for other, value in good.items():
        if other != key:
            assert getattr(loaded, other) == value
    assert key in caplog.text


def test_bad_entries_are_dropped_from_lists_and_tables() -> None:
    path = settings.settings_path()
    path.parent.mkdir(parents=True)
    content = {
        "recent_projects": ["/a.orgseg", 3, None],
        "shortcuts": {"undo": "Ctrl+Z", "redo": 5},
        "remembered": {"brush_size": 3, "curve": [1, 2]},
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    loaded = settings.load()
    assert loaded.recent_projects == ["/a.orgseg"]
    assert loaded.shortcuts == {"undo": "Ctrl+Z"}
    assert loaded.remembered == {"brush_size": 3}


def test_keys_of_a_newer_version_survive() -> None:
    path = settings.settings_path()
    path.parent.mkdir(parents=True)
    path.write_text('{"theme": "dark", "gaze": {"on": true}}', encoding="utf-8")
    loaded = settings.load()
    loaded.theme = "light"
    assert settings.save(loaded)
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written == {"theme": "light", "gaze": {"on": True}}


def test_two_windows_do_not_take_each_others_changes_back() -> None:
    first, second = settings.load(), settings.load()
    first.theme = "dark"
    settings.save(first)
    second.workspace = "export"
    settings.save(second)
    assert settings.load().theme == "dark"
    assert settings.load().workspace == "export"


def test_a_value_can_go_back_to_its_default() -> None:
    settings.save(Settings(theme="dark"))
    loaded = settings.load()
    loaded.theme = "system"
    settings.save(loaded)
    assert settings.load().theme == "system"


def test_recent_projects_are_newest_first_once_and_few(tmp_path: Path) -> None:
    found = Settings()
    for number in range(20):
        found.add_recent_project(tmp_path / f"{number}.orgseg")
    found.add_recent_project(tmp_path / "15.orgseg")
    assert len(found.recent_projects) == settings.RECENT_PROJECTS_KEPT
    assert found.recent_projects[0] == str(tmp_path / "15.orgseg")
    assert found.recent_projects.count(str(tmp_path / "15.orgseg")) == 1


def test_a_file_that_cannot_be_written_leaves_the_old_one(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.save(Settings(theme="dark"))
    before = settings.settings_path().read_bytes()

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    assert not settings.save(Settings(theme="light"))
    assert settings.settings_path().read_bytes() == before
    assert [path.name for path in settings.settings_path().parent.iterdir()] == ["settings.json"]
    assert "No space left" in caplog.text


def test_a_folder_in_the_way_is_survived(orgseg_home: Path) -> None:
    orgseg_home.mkdir(parents=True)
    (orgseg_home / "config").write_text("a file where the folder should be", encoding="utf-8")
    assert settings.load() == Settings()
    assert not settings.save(Settings(theme="dark"))


def test_importing_settings_is_light() -> None:
    code = (
        "import sys; import orgseg_app.settings; "
        "heavy = {'numpy', 'msgspec', 'psutil', 'orgseg_app.files', 'PySide6', 'tempfile'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


@pytest.mark.skipif(os.name == "nt", reason="its paths have drives, those below have none")
def test_each_platform_has_its_own_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("ORGSEG_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", "/home/anna")
    monkeypatch.setattr("sys.platform", "linux")
    assert paths.config_dir() == Path("/home/anna/.config/orgseg")
    assert paths.log_dir() == Path("/home/anna/.local/state/orgseg/logs")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/elsewhere")
    assert paths.config_dir() == Path("/elsewhere/orgseg")
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert paths.config_dir() == Path("/home/anna/.config/orgseg")
    monkeypatch.setattr("sys.platform", "darwin")
    assert paths.log_dir() == Path("/home/anna/Library/Logs/OrgSeg")
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("APPDATA", "/roaming")
    assert paths.config_dir() == Path("/roaming/OrgSeg")
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    assert paths.cache_dir() == Path("/home/anna/AppData/Local/OrgSeg/Cache")


def test_orgseg_home_moves_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORGSEG_HOME", str(tmp_path))
    found = {paths.config_dir(), paths.data_dir(), paths.log_dir(), paths.cache_dir()}
    assert {path.parent for path in found} == {tmp_path}
    assert len(found) == 4
    assert paths.device_lock().parent == paths.data_dir()


def test_an_account_without_a_home_gets_a_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORGSEG_HOME")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert paths.config_dir().is_absolute()


def test_resources_are_found_in_source_wheel_and_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (paths.resources_dir() / "icons").is_dir()
    (tmp_path / "orgseg_app" / "_resources").mkdir(parents=True)
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "orgseg_app")
    assert paths.resources_dir() == tmp_path / "orgseg_app" / "_resources"
    monkeypatch.setattr("sys._MEIPASS", str(tmp_path / "bundle"), raising=False)
    assert paths.resources_dir() == tmp_path / "bundle" / "resources"


_CHILD = """
import logging, sys
from pathlib import Path
from orgseg_app import logs
path = logs.start("window", folder=Path(sys.argv[1]))
print(path, flush=True)
logging.getLogger("orgseg_app.gui").info("opened µ.tif")
"""


def _start(folder: Path, then: str = "") -> tuple[subprocess.CompletedProcess[str], Path]:
    """Run a process that begins a log, and return it with the log's path."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD + then, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done, Path(done.stdout.splitlines()[0])


def test_a_start_logs_and_leaves_no_crash_trace(tmp_path: Path) -> None:
    done, log = _start(tmp_path / "logs")
    assert done.returncode == 0
    assert "orgseg_app.gui: opened µ.tif" in log.read_text(encoding="utf-8")
    assert [path.suffix for path in log.parent.iterdir()] == [".log"]


def test_an_uncaught_exception_is_logged_in_any_thread(tmp_path: Path) -> None:
    then = (
        "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()\n{}['a']"
    )
    done, log = _start(tmp_path, then)
    text = log.read_text(encoding="utf-8")
    assert "ZeroDivisionError" in text
    assert "KeyError" in text
    assert "KeyError" in done.stderr


def test_a_crash_in_native_code_leaves_a_trace(tmp_path: Path) -> None:
    done, _ = _start(tmp_path, "import faulthandler; faulthandler._sigsegv()")
    assert done.returncode != 0
    (trace,) = logs.crash_traces(tmp_path)
    assert "thread" in trace.read_text(encoding="utf-8")


def test_only_the_newest_logs_are_kept(tmp_path: Path) -> None:
    for number in range(15):
        (tmp_path / f"window-{number:02}.log").write_text("old", encoding="utf-8")
        (tmp_path / f"window-{number:02}.crash").write_text("old", encoding="utf-8")
    _, log = _start(tmp_path)
    assert log.exists()
    assert len(list(tmp_path.glob("*.log"))) == logs.KEPT
    assert len(list(tmp_path.glob("*.crash"))) <= logs.KEPT


def test_a_log_stops_growing(tmp_path: Path) -> None:
    then = (
        "logs.LARGEST_BYTES = 10_000\n"
        "for _ in range(1000): logging.getLogger('orgseg_app').info('x' * 100)"
    )
    _, log = _start(tmp_path, then)
    text = log.read_text(encoding="utf-8")
    assert len(text) < 11_000
    assert text.endswith("This log is full; nothing more is written to it.\n")


def test_a_log_that_cannot_be_written_does_not_stop_the_start(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be", encoding="utf-8")
    done, _ = _start(tmp_path / "logs")
    assert done.returncode == 0
    assert done.stdout.strip() == "None"


def test_no_folder_means_no_crash_traces(tmp_path: Path) -> None:
    assert logs.crash_traces(tmp_path / "nowhere") == []
