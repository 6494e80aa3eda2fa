"""Training, comparing and predicting by command line: real jobs of a tiny network, and doubles."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile

from orgseg_app.runs import launcher
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.folder import RunFolder, list_runs, runs_dir
from orgseg_app.runs.launcher import job_environment
from orgseg_app.runs.recipes.presets import PRESETS
from tests.pictures import TINY, blobs, lines, make_project, orgseg

Run = Callable[..., tuple[int, str, str]]


def tiny(*more: str) -> list[str]:
    return [word for setting in (*TINY, *more) for word in ("--set", setting)]


def test_the_whole_way(tmp_path: Path) -> None:
    """Train two runs, compare them, predict with one and with both, export a model."""
    folder = tmp_path / "ein Ordner ü"
    folder.mkdir()
    path = make_project(folder / "Zellen 1.orgseg")

    done = orgseg("train", path, "--json", "--name", "erste", *tiny(), cwd=folder)
    assert done.returncode == 0, done.stderr
    events = lines(done.stdout)
    kinds = [event["event"] for event in events]
    assert {"state", "started", "step", "validation", "finished"} <= set(kinds)
    last = events[-1]
    assert last["event"] == "finished"
    assert last["test"]["iou"]["2"] is not None
    done = orgseg("train", path, "--name", "zweite", *tiny("loss=bce"), cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "test IoU: blob" in done.stdout

    listed = lines(orgseg("runs", path, "--json", cwd=folder).stdout)
    assert [entry["name"] for entry in listed] == ["erste", "zweite"]
    assert listed[0]["id"] == last["run"]
    assert listed[0]["state"] == "finished"
    assert listed[0]["recipe"]["network"]["width"] == 4
    assert listed[0]["test"]["iou"]["blob"] == pytest.approx(last["test"]["iou"]["2"])
    assert listed[0]["validation"]["iou"]["blob"] is not None

    files = ["--out", folder / "c.json", "--out", folder / "c.csv"]
    done = orgseg("compare", path, "--runs", f"erste,{listed[1]['id']}", *files, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "best threshold" in done.stdout
    found = json.loads((folder / "c.json").read_text(encoding="utf-8"))
    assert found["split"] == "test"
    assert found["images"] == ["zelle 3"]
    assert [entry["name"] for entry in found["runs"]] == ["erste", "zweite"]
    for entry in found["runs"]:
        assert entry["leaked"] == []
        assert entry["per_image"][0]["image"] == "zelle 3"
        assert entry["pooled"]["iou"] == entry["per_image"][0]["iou"]
    assert found["baseline"]["iou"]["blob"] > 0.8
    with open(folder / "c.csv", encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 4

    new = folder / "neue Bilder"
    new.mkdir()
    for index in range(3):
        tifffile.imwrite(new / f"bild {index}.tif", blobs(20 + index, 80)[0])
    (new / "bild 3.tif").write_text("not an image")
    words = ["--model", runs_dir(path) / RunFolder(Path(listed[0]["path"])).path.name]
    done = orgseg("predict", new, *words, "--out", folder / "m", cwd=folder)
    assert done.returncode == 1
    assert "3 images predicted" in done.stdout
    assert "1 image could not be predicted; the others are done. bild 3.tif" in done.stderr
    assert sorted(p.name for p in (folder / "m").iterdir()) == [f"bild {i}.tif" for i in range(3)]
    mask = tifffile.imread(folder / "m" / "bild 0.tif")
    assert mask.shape == (80, 80)
    assert set(np.unique(mask)) <= {0, 1}

    (new / "bild 3.tif").unlink()
    (folder / "m" / "bild 1.tif").write_bytes(b"mine")
    done = orgseg("predict", new, *words, "--out", folder / "m", cwd=folder)
    assert done.returncode == 1
    assert "it was left as it is" in done.stderr
    assert (folder / "m" / "bild 1.tif").read_bytes() == b"mine"
    (folder / "m" / "bild 2.tif").unlink()
    done = orgseg("predict", new, *words, "--out", folder / "m", "--resume", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "m" / "bild 1.tif").read_bytes() == b"mine"
    assert tifffile.imread(folder / "m" / "bild 2.tif").shape == (80, 80)
    done = orgseg("predict", new, *words, "--out", folder / "m", "--overwrite", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert tifffile.imread(folder / "m" / "bild 1.tif").shape == (80, 80)

    done = orgseg("export", path, "--what", "model", "--run", "erste", "--out", "x", cwd=folder)
    assert done.returncode == 0, done.stderr
    both = ["--model", folder / "x" / "erste.orgmodel", "--model", "zweite"]
    both += ["--formats", "png", "--out", folder / "m2", "--json"]
    done = orgseg("predict", new / "bild 0.tif", *both, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert lines(done.stdout)[-1]["event"] == "finished"
    png = cv2.imdecode(np.fromfile(folder / "m2" / "bild 0.png", np.uint8), cv2.IMREAD_UNCHANGED)
    assert set(np.unique(png)) <= {0, 255}


def test_detached_stopped_and_gone_on(tmp_path: Path, orgseg_home: Path) -> None:
    path = make_project(tmp_path / "a.orgseg")
    settings = tiny("steps=100000", "validate_every=50")
    done = orgseg("train", path, "--detach", "--json", *settings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    started = lines(done.stdout)
    assert len(started) == 1
    run = RunFolder(Path(started[0]["path"]))
    assert started[0]["run"] == run.run_id
    wait_until(lambda: any(e["event"] == "validation" for e in run.events()[0]))
    assert orgseg("pause", path, run.run_id, cwd=tmp_path).returncode == 0
    wait_until(lambda: run.state == "paused")
    assert orgseg("resume", path, run.name, cwd=tmp_path).returncode == 0
    wait_until(lambda: run.state == "running")
    assert orgseg("stop", path, run.path, cwd=tmp_path).returncode == 0
    assert launcher.wait_for_end(run, 60) == "stopped"
    done = orgseg("stop", path, run.run_id, cwd=tmp_path)
    assert done.returncode == 1
    assert "is not working (stopped)" in done.stderr
    step = max(e.get("step", 0) for e in run.events()[0])
    assert orgseg("resume", path, run.run_id, cwd=tmp_path).returncode == 0
    wait_until(lambda: max(e.get("step", 0) for e in run.events()[0]) > step + 50)
    started_again = [e for e in run.events()[0] if e["event"] == "started"]
    assert started_again[-1]["step"] >= step - 50
    assert orgseg("stop", path, run.run_id, "--now", cwd=tmp_path).returncode == 0
    assert run.state == "stopped"


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl+C cannot be sent to one process there")
def test_ctrl_c_asks_the_run_to_stop(tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg")
    words = ["train", str(path), *tiny("steps=100000", "validate_every=50")]
    with subprocess.Popen(
        [sys.executable, "-m", "orgseg_app", *words],
        env=job_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What a shell starts in the background does not hear Ctrl+C, and hands that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        wait_until(lambda: bool(list_runs(path)))
        run = list_runs(path)[0]
        wait_until(lambda: any(e["event"] == "validation" for e in run.events()[0]))
        process.send_signal(signal.SIGINT)
        try:
            _, err = process.communicate(timeout=60)
        finally:
            with contextlib.suppress(RunError):  # or it goes on for hours
                launcher.request_stop(run)
    assert process.returncode == 1
    assert "Stopping; what was learnt so far is kept" in err
    assert "orgseg: Stopped after" in err
    assert "Traceback" not in err
    assert run.state == "stopped"
    assert run.best_path.is_file()


def wait_until(check: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


# What cannot be trained


@pytest.mark.parametrize(
    "paint, splits, words",
    [
        ("none", ("train", "test"), "Nothing is painted yet"),
        ("class", ("train", "test"), "Only one class is painted"),
        ("all", ("test",), "no painted image is in the training split"),
        ("all", (), "no images yet"),
    ],
)
def test_projects_that_cannot_be_trained_on(
    run: Run, tmp_path: Path, paint: str, splits: tuple[str, ...], words: str
) -> None:
    path = make_project(tmp_path / "a.orgseg", splits, paint=paint)
    code, out, err = run("train", path)
    assert (code, out) == (1, "")
    assert words in err
    assert len(err.splitlines()) == 1
    assert list_runs(path) == []


@pytest.mark.parametrize(
    "words, text",
    [
        (["--recipe", "fasst"], 'Did you mean "fast"?'),
        (["--set", "steps=0"], '"Steps" must be at least 1.'),
        (["--set", "step=3"], 'Did you mean "steps"?'),
        (["--set", "loss=focall"], '"Loss" cannot be "focall"'),
    ],
)
def test_recipes_that_cannot_be_used(run: Run, tmp_path: Path, words: list[str], text: str) -> None:
    path = make_project(tmp_path / "a.orgseg")
    code, _, err = run("train", path, *words)
    assert code == 1
    assert text in err
    assert list_runs(path) == []


def test_no_test_image_is_said_and_still_trains(run: Run, tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg", ("train", "train"))
    code, out, err = run("train", path, *tiny())
    assert code == 0
    assert "No painted image is in the test split" in err
    assert "validation IoU" in out
    code, _, err = run("compare", path)
    assert code == 1
    assert "No run has scores on the test split yet" in err
    assert run("compare", path, "--score")[0] == 1


def test_a_run_folder_deleted_while_it_trains(tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg")
    words = ["train", str(path), *tiny("steps=100000", "validate_every=50")]
    with subprocess.Popen(
        [sys.executable, "-m", "orgseg_app", *words],
        env=job_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_until(lambda: bool(list_runs(path)))
        run = list_runs(path)[0]
        wait_until(lambda: any(e["event"] == "step" for e in run.events()[0]))
        shutil.rmtree(run.path)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "orgseg: " in err.splitlines()[-1]
    assert "Traceback" not in err
    assert make_sure_project_is_whole(path)


def make_sure_project_is_whole(path: Path) -> bool:
    return orgseg("verify", path, cwd=path.parent).returncode == 0


# Recorded runs as test doubles


def recorded(path: Path, name: str, *events: dict[str, Any]) -> RunFolder:
    run = RunFolder.create(
        runs_dir(path), name=name, kind="train", recipe=PRESETS["fast"], project_uuid="u"
    )
    with EventWriter(run.events_path) as writer:
        for event in events:
            writer.write(**event)
    return run


def test_runs_of_every_state_are_listed(run: Run, tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg")
    assert "has no runs yet" in run("runs", path)[1]
    for state in ("finished", "stopped", "failed"):
        recorded(path, state, {"event": state, "run": "x"})
    recorded(path, "lost", {"event": "step", "step": 3})
    broken = runs_dir(path) / "broken"
    broken.mkdir()
    (broken / "request.json").write_text("{")
    code, out, err = run("runs", path, "--json")
    assert code == 0
    found = lines(out)
    assert {entry["name"]: entry["state"] for entry in found} == {
        state: state for state in ("finished", "stopped", "failed", "lost")
    }
    assert all(entry["test"] == {} for entry in found)
    assert '"broken" is not a run folder' in err
    text = run("runs", path)[1]
    assert "stopped" in text
    assert "–" in text


def test_questions_about_runs_that_are_not_there(run: Run, tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg")
    code, _, err = run("compare", path)
    assert code == 1
    assert "has no runs yet" in err
    code, _, err = run("stop", path, "abc")
    assert code == 1
    assert 'has no run "abc"' in err
    done = recorded(path, "done", {"event": "finished", "run": "x"})
    for verb in ("stop", "pause"):
        assert run(verb, path, "done")[0] == 1
    code, _, err = run("resume", path, done.run_id)
    assert code == 1
    assert "has finished" in err
    code, _, err = run("compare", path, "--out", tmp_path / "c.pdf")
    assert code == 1
    assert ".json or .csv" in err
    code, _, err = run("compare", path)
    assert code == 1
    assert "No run has scores on the test split yet" in err
    code, _, err = run("export", path, "--what", "model", "--run", "done", "--out", tmp_path / "m")
    assert code == 1
    assert "has no model yet" in err


def test_predictions_that_are_not_possible(run: Run, tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg")
    done = recorded(path, "done", {"event": "finished", "run": "x"})
    image = tmp_path / "bild.tif"
    tifffile.imwrite(image, blobs(1)[0])
    model = tmp_path / "fake.orgmodel"
    model.write_bytes(b"not a model")
    blocked = tmp_path / "a file"
    blocked.write_text("mine")
    out = tmp_path / "o"
    for words, text in (
        ([image, "--model", "nowhere", "--out", out], 'no run "nowhere" here'),
        ([image, "--model", done.path, "--out", out], "has no model yet"),
        ([image, "--model", f"{path}:other", "--out", out], 'has no run "other"'),
        ([tmp_path / "gone.tif", "--model", model, "--out", out], "is not there"),
        ([image, "--model", model, "--out", blocked], "in the way"),
        ([image, "--model", model, "--out", out, "--formats", "gif"], "no mask format"),
    ):
        code, shown, err = run("predict", *words)
        assert (code, shown) == (1, "")
        assert text in err
    code, _, err = run("predict", image, "--model", model, "--out", out)
    assert code == 1
    assert "fake.orgmodel" in err
    assert list(out.iterdir()) == []
    assert blocked.read_text() == "mine"


def test_doctor(run: Run) -> None:
    code, out, _ = run("doctor", "--json")
    assert code == 0
    facts = json.loads(out)
    assert facts["device"]["kind"] in ("cpu", "cuda", "mps")
    assert facts["device"]["line"]
    assert facts["versions"]["torch"]
    assert facts["places"]["Logs"]["writable"] is True
    assert isinstance(facts["reasons"], list)
    code, out, _ = run("doctor")
    assert "Device" in out
