"""Packing by command line: what is mailed works where it arrives, to the last figure."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from orgseg_app import cli
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.runs.folder import find_run, list_runs, runs_dir
from tests.pictures import TINY, blobs, lines, make_project, orgseg
from tests.runs.test_comparison import make_run, random_pair


def test_a_packed_project_works_on_another_computer(tmp_path: Path) -> None:
    """Train, pack, take it elsewhere: compare, predict, score anew and train on, all the same."""
    here, there = tmp_path / "hier ü", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    path = make_project(here / "Zellen 1.orgseg")
    tiny = [word for setting in TINY for word in ("--set", setting)]
    done = orgseg("train", path, "--name", "erste", *tiny, cwd=here)
    assert done.returncode == 0, done.stderr
    tifffile.imwrite(here / "new.tif", blobs(9)[0])
    tifffile.imwrite(there / "new.tif", blobs(9)[0])

    def figures(project: Path, home: Path) -> tuple[dict, np.ndarray]:
        folder = project.parent
        done = orgseg("compare", project, "--json", cwd=folder, home=home)
        assert done.returncode == 0, done.stderr
        model = f"{project}:erste"
        words = ["predict", folder / "new.tif", "--model", model, "--out", folder / "masks"]
        assert orgseg(*words, cwd=folder, home=home).returncode == 0
        return json.loads(done.stdout), tifffile.imread(folder / "masks" / "new.tif")

    before = figures(path, tmp_path / "home 1")
    done = orgseg("export", path, "--what", "packed", "--out", tmp_path / "mail", cwd=here)
    assert done.returncode == 0, done.stderr
    assert "4 images, 1 run. The undo history is not inside." in done.stdout
    words = ["--what", "packed", "--out", tmp_path / "whole", "--runs", "best", "--training"]
    (told,) = lines(orgseg("export", path, *words, "--json", cwd=here).stdout)
    assert told["runs"] == [find_run(path, "erste").run_id]
    assert told["bytes"] == Path(told["written"]).stat().st_size
    original = find_run(path, "erste")
    kept = {p.name: p.read_bytes() for p in original.path.iterdir() if p.is_file()}
    shutil.rmtree(here)

    received = Path(shutil.move(tmp_path / "mail" / path.name, there / "angekommen.orgseg"))
    home = tmp_path / "home 2"
    done = orgseg("info", received, "--json", cwd=there, home=home)
    assert done.returncode == 0, done.stderr
    assert "A run is packed inside this project." in done.stderr
    assert len(json.loads(done.stdout)["images"]) == 4
    assert not runs_dir(received).exists()
    done = orgseg("runs", received, "--json", cwd=there, home=home)
    assert done.returncode == 0, done.stderr
    assert [entry["name"] for entry in lines(done.stdout)] == ["erste"]
    assert "A run that was packed inside now lies in “angekommen.runs”" in done.stderr
    after = figures(received, home)
    assert after[0] == before[0]
    np.testing.assert_array_equal(after[1], before[1])

    with ProjectFile.open(received) as file:  # painted over: the scores are of yesterday
        (image,) = file.project.in_split("test")
        file.mask(image.image_id).write(0, 0, 0, np.full((20, 20), 2, np.uint8))
        file.save()
    done = orgseg("compare", received, "--score", "--json", cwd=there, home=home)
    assert done.returncode == 0, done.stderr
    scored = lines(done.stdout)[-1]
    assert not any(one["outdated"] for run in scored["runs"] for one in run["per_image"])
    assert scored["runs"][0]["pooled"] != before[0]["runs"][0]["pooled"]

    whole = Path(shutil.move(told["written"], there / "whole.orgseg"))
    done = orgseg("runs", whole, "--json", cwd=there, home=home)
    (run,) = list_runs(whole)
    found = {p.name: p.read_bytes() for p in run.path.iterdir() if p.is_file()}
    assert found.pop("request.json")
    found.pop("scores.kept", None)  # read again where it lies now
    left_at_home = {"log.txt", "process.json", "request.json", "scores.kept"}
    assert found == {name: data for name, data in kept.items() if name not in left_at_home}
    assert "snapshot.h5" in found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    path = make_project(tmp_path / "p.orgseg")
    for number, name in enumerate(("one", "two")):
        run = make_run(runs_dir(path), name, {"a": random_pair(number)})
        run.best_path.write_bytes(b"weights")
    return path


def test_wrong_wishes_are_answered_in_a_sentence(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*words: object) -> str:
        asked = ["export", str(project), "--what", "packed", *map(str, words)]
        assert cli.main(asked) == 1
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.count("\n") == 1, shown.err
        return shown.err

    assert "has no run" in fails("--out", tmp_path / "a", "--runs", "one,three")
    assert not (tmp_path / "a").exists()
    assert "the project itself" in fails("--out", tmp_path)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "p.orgseg").write_text("mine")
    assert "already there" in fails("--out", tmp_path / "b")
    assert (tmp_path / "b" / "p.orgseg").read_text() == "mine"
    for run in list_runs(project):
        run.metrics_path.unlink()
    assert "by name" in fails("--out", tmp_path / "c", "--runs", "best")
    (tmp_path / "file").write_text("x")
    assert "Nothing can be written" in fails("--out", tmp_path / "file")


def test_which_runs_go_inside(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text, count in (("all", 2), ("none", 0), ("two", 1), ("one, two", 2)):
        words = ["--out", str(tmp_path / text), "--runs", text, "--json"]
        assert cli.main(["export", str(project), "--what", "packed", *words]) == 0
        told = json.loads(capsys.readouterr().out)
        assert len(told["runs"]) == count
        with h5py.File(told["written"], "r") as file:
            assert len(file.get("runs", ())) == count


def test_a_run_packed_without_what_it_learned_from_says_so(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = find_run(project, "one")
    run.snapshot_path.write_bytes(b"what it learned from")
    run.events_path.write_text('{"event": "stopped"}\n')
    for words, has_it in (([], False), (["--training"], True)):
        out = tmp_path / f"{has_it}"
        asked = ["--what", "packed", "--runs", "one", "--out", str(out), *words]
        assert cli.main(["export", str(project), *asked]) == 0
        assert cli.main(["runs", str(out / "p.orgseg")]) == 0
        (packed,) = list_runs(out / "p.orgseg")
        assert packed.snapshot_path.exists() is has_it
    capsys.readouterr()
    assert cli.main(["resume", str(tmp_path / "False" / "p.orgseg"), "one"]) == 1
    assert "what it learned from is not here" in capsys.readouterr().err
    (packed,) = list_runs(tmp_path / "False" / "p.orgseg")
    assert packed.state == "stopped"


def test_runs_inside_a_write_protected_project_are_named_and_left(
    project: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["--out", str(tmp_path / "mail"), "--runs", "one"]
    assert cli.main(["export", str(project), "--what", "packed", *words]) == 0
    path = tmp_path / "mail" / "p.orgseg"
    capsys.readouterr()
    monkeypatch.setattr(os, "access", lambda place, mode: not mode & os.W_OK)
    assert cli.main(["runs", str(path)]) == 0
    shown = capsys.readouterr()
    assert "write-protected" in shown.err
    assert "A run is packed inside" in shown.err
    assert [p.name for p in path.parent.iterdir()] == ["p.orgseg"]


def test_a_damaged_project_does_not_hide_the_runs_beside_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project.write_bytes(b"no project")
    assert cli.main(["runs", str(project), "--json"]) == 0
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 2
    assert "not an OrgSeg project" in shown.err
    shutil.rmtree(runs_dir(project))
    assert cli.main(["runs", str(project)]) == 1
