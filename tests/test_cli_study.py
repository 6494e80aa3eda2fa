"""``orgseg study``: rehearsed, started, followed, asked and read, with jobs that end at once."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orgseg_app.__main__ import main
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.folder import list_runs, runs_dir
from orgseg_app.runs.process import write_json
from orgseg_app.runs.studies import queue
from orgseg_app.runs.studies.folder import StudyFolder, list_studies
from tests.pictures import lines, make_project
from tests.runs.studies.doubles import SPLITS, TWO_BY_TWO, Jobs

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "Zellen ü.orgseg", SPLITS)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(TWO_BY_TWO, encoding="utf-8")
    return path


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """Drivers and jobs that are done when they are started."""

    def start(folder: StudyFolder) -> int:
        with EventWriter(folder.events_path) as events:
            events.write("state", state="queued", starting=True)
        return queue.run_study(str(folder.path))

    monkeypatch.setattr(queue, "start", start)
    return Jobs(monkeypatch)


def test_a_rehearsal_makes_nothing(run: Run, project: Path, study: Path) -> None:
    text = TWO_BY_TWO + '[[axes]]\nkey = "network.fusion"\nvalues = ["origin", "add"]\n'
    study.write_text(text, encoding="utf-8")
    code, out, err = run("study", project, study, "--dry-run")
    assert code == 0, err
    assert "zscore · bce · origin · seed 1" in out
    assert "Left out: zscore · bce · add. " in out
    assert "4 runs on 5 images" in out
    assert "GB of memory" in out
    code, out, err = run("study", project, study, "--dry-run", "--json")
    assert code == 0, err
    *cells, total = lines(out)
    assert [cell["number"] for cell in cells] == [1, 2, 3, 4]
    assert cells[3]["recipe"]["loss"][0]["name"] == "bce"
    assert total["cells"] == 4
    assert len(total["refused"]) == 4
    assert total["seconds_shortest"] == pytest.approx(sum(c["seconds_shortest"] for c in cells))
    assert not runs_dir(project).exists()


def test_started_followed_and_read(run: Run, project: Path, study: Path, jobs: Jobs) -> None:
    jobs.ends = {2: ["failed"]}
    jobs.scores = lambda run, image: 0.5 + 0.1 * run.request["study"]["number"]
    code, out, err = run("study", project, study)
    assert code == 0, err
    assert "3 of 4 runs finished; 1 did not" in out
    assert "percentile · bce · seed 1: failed" in err
    (folder,) = list_studies(project)

    code, out, err = run("study", project, "--results")
    assert code == 0, err
    assert "Why zscore · bce is ahead" in out
    assert "loss: bce → soft_iou" in out
    assert "0.900" in out
    assert "must not choose anew" in err

    files = ["--out", project.with_name("r.json"), "--out", project.with_name("r.csv")]
    code, out, err = run("study", project, "--results", folder.study_id, "--json", *files)
    assert code == 0, err
    (found,) = lines(out)
    assert found == json.loads(project.with_name("r.json").read_text(encoding="utf-8"))
    assert found["ranking"][0]["places"] == {"preprocess": "zscore", "loss": "bce"}
    with open(project.with_name("r.csv"), encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == 4

    code, out, err = run("study", project, "--resume", folder.study_id[:6], "--json")
    assert code == 0, err
    events = lines(out)
    assert events[0] == events[0] | {"event": "state", "state": "queued"}
    assert [e["number"] for e in events if e["event"] == "cell"] == [2, 2]
    assert events[-1]["event"] == "finished"
    assert len(list_runs(project)) == 4
    code, _, err = run("study", project, "--resume")
    assert code == 1
    assert "have finished" in err
    code, out, _ = run("study", project, "--list", "--json")
    assert lines(out)[0] | {"cells": 4, "finished": 4, "state": "finished"} == lines(out)[0]


def test_detached_and_not_at_work(run: Run, project: Path, study: Path, jobs: Jobs) -> None:
    code, out, err = run("study", project, study, "--detach", "--json")
    assert code == 0, err
    (told,) = lines(out)
    assert StudyFolder(Path(told["path"])).study_id == told["study"]
    for word in ("--pause", "--stop"):
        code, _, err = run("study", project, word)
        assert code == 1
        assert "is not working (finished)" in err


def test_a_study_that_fails_says_so(run: Run, project: Path, study: Path, jobs: Jobs) -> None:
    jobs.ends = {n: ["failed"] for n in range(1, 5)}
    code, _, err = run("study", project, study)
    assert code == 1
    assert err.splitlines()[-1].startswith("orgseg: None of the 4 runs could be finished")


def test_a_driver_that_ends_without_a_word(
    run: Run, project: Path, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(folder: StudyFolder) -> int:
        facts = {"pid": 2**22 + 1, "create_time": 1.0, "path": str(folder.path)}
        write_json(folder.process_path, facts)
        return 1

    monkeypatch.setattr(queue, "start", die)
    code, out, err = run("study", project, study, "--json")
    assert code == 1
    assert lines(out)[-1]["event"] == "failed"
    (folder,) = list_studies(project)
    assert f'Its runs are safe. Go on with: orgseg study "{project}" --resume' in err
    assert folder.study_id in err


def test_what_is_there_to_choose(run: Run, project: Path) -> None:
    code, out, _ = run("study", project, "--list")
    assert code == 0
    assert "has no studies yet" in out
    assert "er-laptop  —  ER, laptop (36 runs)" in out
    code, _, err = run("study", project)
    assert code == 1
    assert "er-laptop" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["no-such-study"], 1, "neither a ready-made one nor a file"),
        (["er-laptop", "--out", "a.csv"], 1, "--out writes results"),
        (["--results"], 1, "has no studies yet"),
        (["--pause", "--stop"], 2, "not allowed with"),
        (["er-laptop", "--dry-run", "--detach"], 2, "not allowed with"),
    ],
)
def test_wrong_words(run: Run, project: Path, words: list[str], code: int, said: str) -> None:
    found, _, err = run("study", project, *words)
    assert found == code
    assert said in err


def test_results_have_an_ending(run: Run, project: Path, study: Path, jobs: Any) -> None:
    assert run("study", project, study)[0] == 0
    code, _, err = run("study", project, "--results", "--out", "a.txt")
    assert code == 1
    assert "written as .html, .xlsx, .json or .csv" in err


def test_the_driver_wants_one_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--study"]) == 2
    assert "needs one folder" in capsys.readouterr().err
    assert main(["--study", "nowhere"]) == 1
    assert "is not a study" in capsys.readouterr().err
