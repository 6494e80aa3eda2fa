"""What came of a study: validation ranks, the test images speak once, gaps are named."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from orgseg_app.core.split import TEST
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.runs.comparison import compare
from orgseg_app.runs.studies import queue
from orgseg_app.runs.studies.definition import StudyError
from orgseg_app.runs.studies.effects import Combination
from orgseg_app.runs.studies.results import (
    NO_TEST,
    NOT_YET,
    ONE_CHOICE,
    study_results,
    write_results,
)
from tests.runs.studies.doubles import TWO_BY_TWO, Jobs, make_study, places_of

VALIDATION = {
    ("percentile", "soft_iou"): 0.6,
    ("percentile", "bce"): 0.5,
    ("zscore", "soft_iou"): 0.8,
    ("zscore", "bce"): 0.4,
}


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """Scores on validation as above, 0.01 more a seed; on test the other way round."""
    double = Jobs(monkeypatch)

    def score(run, image) -> float:  # type: ignore[no-untyped-def]
        found = VALIDATION[tuple(places_of(run).values())]
        found += 0.02 * run.request["study"]["repeat"]
        found += 0.1 * (image["name"] == "zelle 3")
        return found if image["split"] == "validation" else 1 - found

    double.scores = score
    return double


def test_validation_ranks_and_test_is_told_at_the_end(tmp_path: Path, jobs: Jobs) -> None:
    path, study = make_study(tmp_path, "seeds = 2\n" + TWO_BY_TWO)
    seen: list[bool] = []
    jobs.on_start = lambda run: seen.append(study_results(study).test is None)
    queue.run_study(str(study.path))
    assert seen == [True] * 8
    with ProjectFile.open(path, read_only=True) as project_file:
        found = study_results(study, project_file)
    assert [tuple(name for _, name in c.places) for c in found.ranking] == sorted(
        VALIDATION, key=VALIDATION.__getitem__, reverse=True
    )
    assert found.best is not None
    assert found.best.title == "zscore · soft_iou"
    # Two images of 10,000 voxels, 0.8 and 0.9 of them hit: pooled 0.85, and 0.02 more by seed 2.
    assert found.best.validation.mean == pytest.approx(0.86)
    assert found.best.validation.deviation == pytest.approx(0.01 * 2**0.5)
    marginal = {place: s.mean for place, s in found.effects[0].places}
    assert marginal == pytest.approx({"percentile": 0.61, "zscore": 0.66})
    assert found.heat_maps[0].cells[1][0].mean == pytest.approx(0.86)
    assert {(n.key, n.other): n.difference.mean for n in found.why} == pytest.approx(
        {("preprocess", "percentile"): 0.2, ("loss", "bce"): 0.4}
    )
    assert set(found.why[0].per_image) == {"zelle 2", "zelle 3"}

    assert found.test is not None
    assert found.test.images == ("zelle 4",)
    assert ONE_CHOICE in found.test.notes
    # The figures are those of the comparison, and did not choose: the best has the worst of them.
    every = compare(None, list(study.runs().values()), TEST)
    assert dict(found.test.by_run) == {
        r.run_id: r.pooled.mean_iou for r in every.runs if r.pooled is not None
    }

    def mean_on_test(combination: Combination) -> float | None:
        assert found.test is not None
        return found.test.of(combination).mean

    assert mean_on_test(found.best) == min(mean_on_test(c) or 1 for c in found.ranking)
    assert not any("runs have finished" in note for note in found.notes)


def test_the_files_hold_the_same_numbers(tmp_path: Path, jobs: Jobs) -> None:
    _, study = make_study(tmp_path)
    jobs.ends = {4: ["failed"]}
    queue.run_study(str(study.path))
    found = study_results(study)
    assert any("failed, lost or stopped: 1" in note for note in found.notes)
    assert any("Each combination was trained once" in note for note in found.notes)
    assert any("compare the counts" in note for note in found.notes)
    write_results(tmp_path / "out" / "r.json", found)
    kept = json.loads((tmp_path / "out" / "r.json").read_text(encoding="utf-8"))
    assert kept == json.loads(json.dumps(found.to_dict()))
    assert kept["test"]["best"]["rank"] == 1
    write_results(tmp_path / "r.csv", found)
    with open(tmp_path / "r.csv", encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["preprocess"] for row in rows] == ["zscore", "percentile", "percentile", "zscore"]
    for row, entry in zip(rows, kept["ranking"], strict=True):
        assert row["loss"] == entry["places"]["loss"]
        mean = entry["validation"]["mean"]
        assert row["validation mean"] == ("" if mean is None else str(mean))
    assert rows[-1]["rank"] == ""
    with pytest.raises(StudyError, match=r"written as \.json or \.csv"):
        write_results(tmp_path / "r.txt", found)


def test_dice_may_rank_instead(tmp_path: Path, jobs: Jobs) -> None:
    _, study = make_study(tmp_path, 'score = "mean_dice"\n' + TWO_BY_TWO)
    queue.run_study(str(study.path))
    best = study_results(study).best
    assert best is not None
    assert best.validation.mean == pytest.approx(2 * 0.85 / 1.85)


def test_before_anything_is_trained(tmp_path: Path) -> None:
    _, study = make_study(tmp_path)
    found = study_results(study)
    assert found.best is None
    assert found.why == ()
    assert found.test is None
    assert NOT_YET in found.notes
    assert "0 of 4 runs have finished." in found.notes
    assert json.dumps(found.to_dict())


def test_images_of_folds_are_judged_once_each(tmp_path: Path, jobs: Jobs) -> None:
    _, study = make_study(tmp_path, "folds = 2\n" + TWO_BY_TWO)
    jobs.scores = lambda run, image: VALIDATION[tuple(places_of(run).values())]  # type: ignore[index]
    queue.run_study(str(study.path))
    found = study_results(study)
    assert found.best is not None
    assert found.best.validation.count == 2
    images = set(found.why[0].per_image)
    assert all(image.endswith(("(fold 1)", "(fold 2)")) for image in images)
    assert found.test is not None
    assert found.test.notes == (NO_TEST,)
