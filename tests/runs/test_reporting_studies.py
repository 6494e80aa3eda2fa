"""Reports of studies: ranked by validation, test once, the same figures in all formats."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orgseg_app.files.project_file import ProjectFile
from orgseg_app.runs.reporting.study_report import StudyReport, make_study_report, study_figures
from orgseg_app.runs.reporting.writing import write_report, write_report_folder
from orgseg_app.runs.studies import queue
from orgseg_app.runs.studies.results import study_results
from tests.runs import reports_read
from tests.runs.studies.doubles import TWO_BY_TWO, Jobs, make_study, places_of

VALIDATION = {
    ("percentile", "soft_iou"): 0.6,
    ("percentile", "bce"): 0.5,
    ("zscore", "soft_iou"): 0.8,
    ("zscore", "bce"): 0.4,
}


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyReport:
    """Two seeds each; on the test images the order is the other way round."""
    double = Jobs(monkeypatch)

    def score(run, image) -> float:  # type: ignore[no-untyped-def]
        found = VALIDATION[tuple(places_of(run).values())]
        found += 0.02 * run.request["study"]["repeat"] + 0.1 * (image["name"] == "zelle 3")
        return found if image["split"] == "validation" else 1 - found

    double.scores = score
    path, study = make_study(tmp_path, "seeds = 2\n" + TWO_BY_TWO)
    queue.run_study(str(study.path))
    with ProjectFile.open(path, read_only=True) as project_file:
        return make_study_report(study_results(study, project_file), project_file)


def test_every_format_has_the_same_figures(report: StudyReport, tmp_path: Path) -> None:
    written = write_report_folder(tmp_path / "out", report)
    assert [path.name for path in written[:4]] == [
        *("report.html", "study.xlsx", "study.json", "study.csv")
    ]
    kept = json.loads((tmp_path / "out" / "study.json").read_text(encoding="utf-8"))
    page = reports_read.Page(tmp_path / "out" / "report.html")
    tables = (
        reports_read.rows_of_csv(tmp_path / "out" / "study.csv"),
        reports_read.rows_of_sheet(tmp_path / "out" / "study.xlsx", "ranking"),
    )
    tested = {entry["title"]: entry for entry in kept["test"]["all"]}
    assert len(kept["ranking"]) == 4
    for place, entry in enumerate(kept["ranking"]):
        for name in ("mean", "deviation"):
            value = entry["validation"][name]
            assert page.figures[f"{entry['title']} validation {name}"][0][0] == value
            on_test = tested[entry["title"]][name]
            assert page.figures[f"{entry['title']} test {name}"][0][0] == on_test
            for rows in tables:
                found = float(rows[place][f"validation {name}"])
                assert found == pytest.approx(value, rel=1e-14)
                assert float(rows[place][f"test {name}"]) == pytest.approx(on_test, rel=1e-14)
    for effect in kept["main_effects"]:
        for spread in effect["places"]:
            key = f"effect {effect['axis']} {spread['place']} mean"
            assert page.figures[key][0][0] == spread["mean"]
    for near in kept["why"]:
        assert page.figures[f"why {near['axis']} {near['other']} mean"][0][0] == near["mean"]
    assert {axis["axis"] for axis in kept["main_effects"]} == {"preprocess", "loss"}


def test_validation_ranks_and_the_test_images_speak_once(
    report: StudyReport, tmp_path: Path
) -> None:
    write_report(tmp_path / "r.html", report)
    page = reports_read.Page(tmp_path / "r.html")
    assert (
        "Mean and spread · Soft IoU is best by mean IoU on the validation images: 0.860"
        in page.text
    )
    assert "must not choose anew" in page.text
    best = page.figures["zscore · soft_iou test mean"][0][0]
    others = [page.figures[f"{' · '.join(places)} test mean"][0][0] for places in VALIDATION]
    assert best == min(x for x in others if x is not None)  # the best by validation stays first
    assert page.text.index("Ranked by") < page.text.index("On the test images, once")
    names = [figure.name for figure in study_figures(report)]
    assert names == ["ranking", "why", "main_effects", "heat_map_1"]
    (heat,) = [one.svg for one in study_figures(report) if one.name == "heat_map_1"]
    for value in ("0.860", "0.660", "0.560", "0.460"):
        assert f">{value}<" in heat
    assert [card.name for card in report.cards] == [
        run.name for run in report.results.ranking[0].runs
    ]
    assert "mean and spread (4 runs)" in report.methods.text
    assert "seeds 0 and 1" in report.methods.text


def test_before_the_end_no_test_score_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    double = Jobs(monkeypatch)
    double.ends = {2: ["failed"]}
    seen: list[StudyReport] = []
    _, study = make_study(tmp_path)
    double.on_start = lambda run: seen.append(make_study_report(study_results(study)))
    queue.run_study(str(study.path))
    for number, report in enumerate((seen[0], seen[-1])):
        write_report(tmp_path / f"{number}.html", report)
        page = reports_read.Page(tmp_path / f"{number}.html")
        assert "Test scores are shown once all runs are done" in page.text
        assert not any(" test " in key for key in page.figures)
        assert all(card.scores == () for card in report.cards)
    assert "nothing can be ranked" in reports_read.Page(tmp_path / "0.html").text
