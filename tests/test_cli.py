"""The command line as such: usage, exit codes, one sentence and never a traceback."""

from __future__ import annotations

import errno
import json
import logging
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from orgseg_app import cli
from orgseg_app.commands import console, window
from orgseg_app.commands.console import CommandError, Progress, duration, sentence_of, table
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.launcher import job_environment
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.reading import recipe_from_builtins
from tests.pictures import lines, make_project, orgseg


@pytest.fixture(autouse=True)
def quiet_logging() -> object:
    """Take away what a command adds to the loggers of the whole process."""
    loggers = [logging.getLogger(), logging.getLogger("orgseg_app")]
    before = [list(logger.handlers) for logger in loggers]
    yield
    for logger, handlers in zip(loggers, before, strict=True):
        for handler in list(logger.handlers):
            if handler not in handlers:
                logger.removeHandler(handler)
                handler.close()


@pytest.mark.parametrize(
    "words, text",
    [
        (["trian"], 'no verb "trian", and no such file. Did you mean train?'),
        (["nothing-like-it"], "See orgseg --help"),
        (["train"], "PROJECT"),
        (["train", "x", "--frobnicate"], "--frobnicate"),
        (["compare", "x", "--split", "dev"], "--split"),
        (["export", "x", "--what", "hats", "--out", "y"], "--what"),
        (["predict", "x", "--out", "y"], "--model"),
        (["--frobnicate"], "--frobnicate"),
    ],
)
def test_wrong_usage_ends_with_2(
    words: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 2
    shown = capsys.readouterr()
    assert text in shown.err
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    for verb in ("demo", "new", "import", "train", "compare", "predict", "export", "doctor"):
        assert f"\n    {verb} " in text
        assert cli.main([verb, "--help"]) == 0
    assert cli.main(["--version"]) == 0


@pytest.mark.parametrize(
    "verb", ["recipes", "networks", "losses", "preprocessing", "augmentations", "formats"]
)
def test_lists(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([verb]) == 0
    assert len(capsys.readouterr().out.splitlines()) >= 2
    assert cli.main([verb, "--json"]) == 0
    found = lines(capsys.readouterr().out)
    assert all(entry["name"] for entry in found)
    if verb == "recipes":
        for entry in found:
            assert recipe_from_builtins(entry) == PRESETS[entry["name"]]
    else:
        assert all(entry["about"] for entry in found)


def test_lists_tell_what_may_be_set(capsys: pytest.CaptureFixture[str]) -> None:
    def values(verb: str, name: str) -> dict[str, dict[str, object]]:
        assert cli.main([verb, "--json"]) == 0
        found = {entry["name"]: entry["params"] for entry in lines(capsys.readouterr().out)}
        return found[name]

    assert values("losses", "focal")["gamma"] == {
        "default": 2, "minimum": 0, "maximum": 10,
        "about": "How quickly easy pixels are left alone; 0 is never.",
    }  # fmt: skip
    assert values("losses", "bce") == {}
    assert values("preprocessing", "clahe")["clip_limit"]["default"] == 2
    assert values("augmentations", "d4") == {}
    unet = values("networks", "unet")
    assert set(unet) == set(NETWORK_NAMES["unet"].heeded)
    assert (unet["depth"]["published"], unet["depth"]["maximum"]) == (4, 6)
    assert cli.main(["losses"]) == 0
    text = capsys.readouterr().out
    assert "    gamma: How quickly easy pixels are left alone; 0 is never (0 to 10; usual" in text


def test_an_expected_failure_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ["info", tmp_path / "nothing"],
        ["verify", tmp_path / "nothing.orgseg"],
        ["train", tmp_path / "nothing"],
        ["runs", tmp_path / "nothing"],
        ["compare", tmp_path / "nothing"],
        ["stop", tmp_path / "nothing", "x"],
        ["export", tmp_path / "nothing", "--what", "masks", "--out", tmp_path],
        ["import", tmp_path / "nothing", tmp_path],
    ):
        assert cli.main([str(word) for word in words]) == 1
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "There is no project" in shown.err
        assert len(shown.err.splitlines()) == 1


def test_a_file_that_is_no_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.orgseg"
    for content in (b"", b"not HDF5", b"\x89HDF\r\n\x1a\n" + b"\0" * 100):
        path.write_bytes(content)
        for verb in ("info", "verify", "train"):
            assert cli.main([verb, str(path)]) == 1
            shown = capsys.readouterr().err
            assert len(shown.splitlines()) == 1
            assert "Traceback" not in shown
        assert path.read_bytes() == content


def test_an_unexpected_failure_goes_to_the_log(
    orgseg_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(asked: Namespace) -> int:
        raise ZeroDivisionError("oh\nno")

    monkeypatch.setattr("orgseg_app.commands.listing.recipes", fail)
    assert cli.main(["recipes"]) == 1
    text = capsys.readouterr().err
    assert len(text.splitlines()) == 1
    assert "ZeroDivisionError: oh no" in text
    logs = list((orgseg_home / "logs").glob("command-*.log"))
    assert len(logs) == 1
    assert str(logs[0]) in text
    assert "Traceback" in logs[0].read_text()


@pytest.mark.parametrize(
    "error, code, words",
    [
        (KeyboardInterrupt(), 1, "Stopped"),
        (MemoryError(), 1, "memory is full"),
        (OSError(errno.ENOSPC, "No space left"), 1, "disk is full"),
        (
            PermissionError(13, "Permission denied", "x.orgseg"),
            1,
            '("x.orgseg"): Permission denied',
        ),
        (RunError("What happened."), 1, "orgseg: What happened.\n"),
        (CommandError("What to do."), 1, "orgseg: What to do.\n"),
    ],
)
def test_failures_are_told_apart(
    error: BaseException,
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(asked: Namespace) -> int:
        raise error

    monkeypatch.setattr("orgseg_app.commands.listing.recipes", fail)
    assert cli.main(["recipes"]) == code
    assert words in capsys.readouterr().err


def test_sentences_only_for_what_is_expected() -> None:
    assert sentence_of(ValueError("x")) is None
    assert sentence_of(RunError("")) is None


def test_json_is_utf8_whatever_the_locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_project(tmp_path / "Größe.orgseg")
    monkeypatch.setenv("LC_ALL", "C")
    done = orgseg("info", "Größe", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["project"] == "Größe"


def test_light_verbs_import_neither_torch_nor_qt(tmp_path: Path) -> None:
    code = (
        "import sys; from orgseg_app.cli import main; main(['recipes']); "
        "bad = {'torch', 'PySide6', 'h5py', 'cv2', 'scipy', 'tifffile'} & set(sys.modules); "
        "assert not bad, bad"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=job_environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


# No verb: the window


def test_the_window_opens_with_what_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[list[Path]] = []

    class FakeApp:
        @staticmethod
        def run(paths: list[Path], place: object) -> int:
            assert place is not None  # where another start finds this window
            opened.append(paths)
            return 0

    monkeypatch.setitem(sys.modules, "orgseg_app.gui.app", FakeApp)  # type: ignore[arg-type]
    monkeypatch.setattr(window, "has_display", lambda: True)
    monkeypatch.setattr("orgseg_app.logs.start", lambda name: None)
    path = make_project(tmp_path / "a b.orgseg")
    assert cli.main([]) == 0
    assert cli.main([str(path)]) == 0
    assert cli.main([str(tmp_path)]) == 0
    assert cli.main(["--new-window", str(path)]) == 0
    assert opened == [[], [path], [tmp_path], [path]]
    assert cli.main([str(tmp_path / "gone.orgseg")]) == 1
    assert len(opened) == 4


def test_without_a_display_the_sample_runs_headless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Namespace] = []
    monkeypatch.setattr(window, "has_display", lambda: False)
    monkeypatch.setattr(
        "orgseg_app.commands.demo.run", lambda namespace: (asked.append(namespace), 0)[1]
    )
    assert cli.main([]) == 0
    assert asked[0].headless
    assert asked[0].out == Path("orgseg-demo")
    assert "There is no display here" in capsys.readouterr().err
    path = make_project(tmp_path / "a.orgseg")
    assert cli.main([str(path)]) == 1
    assert "The project can be used from the command line" in capsys.readouterr().err
    assert len(asked) == 1


# How things are said


def test_durations_and_tables() -> None:
    assert duration(0.2) == "0 s"
    assert duration(59) == "59 s"
    assert duration(61) == "1 min 1 s"
    assert duration(3600 * 3 + 60) == "about 3 h 1 min"
    text = table([["name", "IoU"], ["a", "0.5"], ["longer", "–"]], right=[1])
    assert text.splitlines() == ["name    IoU", "──────  ───", "a       0.5", "longer    –"]
    assert console.plural(1, "image") == "1 image"
    assert console.plural(2, "copy") == "2 copies"
    assert console.by_class({"ER": 0.123, "x": None}) == "ER 0.12, x –"


def test_progress_on_a_terminal_never_goes_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(console, "_DRAW_EVERY_S", 0.0)
    progress = Progress("Work")
    for done in (1, 5, 3, 10):
        progress.show(done, 10, "item")
    progress.say("a line")
    text = capsys.readouterr().err
    shown = [part for part in text.split("\r") if "%" in part]
    assert [part.split("%")[0][-4:].strip() for part in shown] == ["10", "50", "50", "100"]
    assert text.endswith("a line\n")


def test_short_work_is_silent_where_lines_are_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = Progress("Work")
    progress.show(0, 2)
    progress.show(2, 2)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(console, "_LINE_EVERY_S", 0.0)
    progress.show(1, 2, "b")
    assert "Work: 100%  b" in capsys.readouterr().err
    Progress("Work", quiet=True).show(1, 2)
    assert capsys.readouterr().err == ""
