"""A diagnostic report: everything that helps, nothing that is anybody's, in one file."""

from __future__ import annotations

import json
import zipfile
from argparse import Namespace
from pathlib import Path

import pytest

from orgseg_app import paths, settings
from orgseg_app.commands import diagnosing
from orgseg_app.commands.console import CommandError
from orgseg_app.diagnostics.parts import HEAD_BYTES, TAIL_BYTES, Report, save
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.folder import RunFolder, runs_dir
from orgseg_app.runs.recipes.presets import PRESETS
from tests.e2e.hand import make_project

PEOPLE = {"user": "anna", "computer": "labor-7"}
SECRETS = ("anna", "labor-7", "zelle ü", "geheim", "mitos-x", "versuch 3", "bild aus köln")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a failed run, and a log that tells too much."""
    place = tmp_path / "Geheim é"
    place.mkdir()
    path = make_project(place / "Geheimprojekt.orgseg", class_names=("mitos-x",))
    run = RunFolder.create(runs_dir(path), name="Versuch 3", kind="train", recipe=PRESETS["fast"])
    run.log_path.write_text(
        f"reading zelle ü 1\nRuntimeError: no kernel for {place}/zelle ü 1.tif\n", encoding="utf-8"
    )
    with EventWriter(run.events_path) as events:
        events.write("failed", run=run.run_id, message="“zelle ü 1” could not be learnt from.")
    found = settings.load()
    found.add_recent_project(place / "Bild aus Köln.orgseg")
    found.last_folder = str(place)
    found.remembered[f"place-read:{path}"] = True
    settings.save(found)
    paths.log_dir().mkdir(parents=True)
    (paths.log_dir() / "window-20261122-120000-7.log").write_text(
        f"INFO opened {path} of anna on labor-7\nZeroDivisionError: in zelle ü 2 (mitos-x)\n"
        "cannot open “Bild aus Köln”\n",
        encoding="utf-8",
    )
    (paths.log_dir() / "window-20261122-120000-7.crash").write_text(
        "Fatal Python error: Segmentation fault\n", encoding="utf-8"
    )
    return path


def gathered(project: Path) -> dict[str, str]:
    with ProjectFile.open(project, read_only=True) as file:
        report = Report(file.project, file.path, people=PEOPLE)
        doctor = {"places": {"Projects": {"path": str(project.parent)}}, "device": {"line": "CPU"}}
        parts = [*report.parts({"qt": "6.9", "platform": "xcb"}), report.computer(doctor)]
    return {part.key: part.text for part in parts}


def test_no_part_names_anybody_or_anything(project: Path) -> None:
    texts = gathered(project)
    assert list(texts) == ["about", "screen", "settings", "project", "runs", "log", "computer"]
    for key, text in texts.items():
        for secret in SECRETS:
            assert secret not in text.casefold(), (key, secret, text)
        assert str(project.parent.parent) not in text, key


def test_what_helps_is_there(project: Path) -> None:
    texts = gathered(project)
    facts = json.loads(texts["project"])
    assert (facts["images"], facts["classes"]) == (3, 2)
    assert facts["each"][0] == "image-1: 1 x 1 x 48 x 48 (C, Z, Y, X), uint16, train"
    assert facts["runs"] == {"train, failed": 1}
    assert "RuntimeError: no kernel" in texts["runs"]
    assert "could not be learnt from" in texts["runs"]
    assert "network: " in texts["runs"]
    assert "ZeroDivisionError: in image-" in texts["log"]
    assert "Fatal Python error: Segmentation fault" in texts["log"]
    assert json.loads(texts["screen"])["platform"] == "xcb"
    assert json.loads(texts["settings"])["theme"] == "system"
    assert json.loads(texts["computer"])["device"] == {"line": "CPU"}


def test_without_a_project_a_log_or_an_answer() -> None:
    report = Report(people=PEOPLE)
    texts = {part.key: part.text for part in report.parts()}
    assert list(texts) == ["about", "screen", "settings", "log"]
    assert texts["log"] == "There is no log.\n"
    assert "no answer" in report.computer(None).text


def test_of_a_long_log_the_beginning_and_the_end() -> None:
    paths.log_dir().mkdir(parents=True)
    line = "0123456789 " * 9 + "\n"
    text = "the first line\n" + line * ((HEAD_BYTES + TAIL_BYTES) // 100 + 500) + "the last line\n"
    (paths.log_dir() / "window-20261122-120000-7.log").write_text(text, encoding="utf-8")
    shown = Report(people=PEOPLE).parts()[-1].text
    assert "the first line" in shown
    assert "\n(…)\n" in shown
    assert shown.endswith("the last line\n")
    assert len(shown) < HEAD_BYTES + TAIL_BYTES + 1000


def test_one_file_in_one_step(
    tmp_path: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "report.zip"
    asked = Namespace(report=tmp_path / "report", project=project)
    assert diagnosing.write_report(asked, {"device": {"line": "CPU"}}) == 0
    with zipfile.ZipFile(target) as archive:
        names = [name.split("/")[1] for name in archive.namelist()]
        assert archive.testzip() is None
        everything = "".join(archive.read(name).decode() for name in archive.namelist())
    texts = {"about", "runs", "log"}
    tables = {"screen", "settings", "project", "computer"}
    assert set(names) == {f"{n}.txt" for n in texts} | {f"{n}.json" for n in tables}
    assert "zelle" not in everything
    said = capsys.readouterr().out
    assert all(name in said for name in names)
    before = target.read_bytes()
    with pytest.raises(CommandError, match="could not be written"):
        diagnosing.write_report(Namespace(report=tmp_path / "no" / "x.zip", project=None), {})
    assert target.read_bytes() == before


def test_a_part_that_is_left_out_is_not_written(tmp_path: Path) -> None:
    parts = Report(people=PEOPLE).parts()
    save([part for part in parts if part.key != "settings"], tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert not any("settings" in name for name in archive.namelist())
