"""``compare`` and ``study`` write reports: files by their endings, and folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orgseg_app import cli
from orgseg_app.commands import reporting
from orgseg_app.runs.studies import queue
from tests.gui.recorded_runs import make_project, record_run
from tests.runs import reports_read
from tests.runs.studies.doubles import Jobs, make_study

pytestmark = pytest.mark.usefixtures("qapp")  # else the command makes one without widgets


def test_compare_writes_what_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cells.orgseg"
    with make_project(path, splits=("train", "validation", "test"), side=32) as file:
        record_run(file, "one", quality=0.9)
        record_run(file, "two", quality=0.6)
    files = [tmp_path / "sub" / f"r.{suffix}" for suffix in ("html", "xlsx", "json", "csv")]
    asked = [word for file in files for word in ("--out", str(file))]
    folder = tmp_path / "whole report"
    assert cli.main(["compare", str(path), *asked, "--report", str(folder)]) == 0
    said = capsys.readouterr()
    assert said.err.count("Written:") == 5
    assert "begin with report.html" in said.err
    page = reports_read.Page(files[0])
    kept = json.loads(files[2].read_text(encoding="utf-8"))
    assert page.figures["baseline mean_iou"][0][0] == kept["baseline"]["mean_iou"]
    known = reports_read.of_json(files[2])
    for key, value in page.figures.items():
        if key in known:
            assert value[0][0] == known[key]
    assert len(reports_read.rows_of_csv(files[3])) == 4
    assert len(reports_read.rows_of_sheet(files[1], "ranking")) == 2
    png = (folder / "figures" / "01 scores.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert page.tags.count("img") == 2 * 4  # two runs, one test image each


def test_compare_refuses_before_it_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cells.orgseg"
    make_project(path, splits=("train",), side=16).close()
    assert cli.main(["compare", str(path), "--out", "r.pdf"]) == 1
    assert '.html, .xlsx, .json or .csv; "r.pdf"' in capsys.readouterr().err
    assert cli.main(["compare", str(path), "--report", str(path)]) == 1
    assert "--report takes a folder" in capsys.readouterr().err
    assert cli.main(["study", str(path), "er-laptop", "--report", "x"]) == 1
    assert "--report writes results" in capsys.readouterr().err
    monkeypatch.setitem(__import__("sys").modules, "orgseg_app.gui.comparing.figure_pictures", None)
    assert reporting.picture_maker() is None
    assert "SVG only" in capsys.readouterr().err


def test_study_writes_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Jobs(monkeypatch)
    path, study = make_study(tmp_path)
    queue.run_study(str(study.path))
    files = [tmp_path / "s.html", tmp_path / "s.json"]
    words = [word for file in files for word in ("--out", str(file))]
    folder = ["--report", str(tmp_path / "report")]
    assert cli.main(["study", str(path), "--results", "--json", *words, *folder]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(files[1].read_text(encoding="utf-8"))
    assert (
        printed["methods"]["paragraphs"]["Networks"] == "The network was U-Net (depth 1, width 4)."
    )
    page = reports_read.Page(files[0])
    for entry in printed["ranking"]:
        key = f"{entry['title']} validation mean"
        assert page.figures[key][0][0] == entry["validation"]["mean"]
    assert (tmp_path / "report" / "study.xlsx").is_file()
    assert list((tmp_path / "report" / "figures").glob("*.png"))
