"""A test image that a run learnt from: the run is marked wherever its scores stand."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.gui.comparing.results_data import Candidate, gather
from orgseg_app.gui.comparing.results_model import ResultsModel
from orgseg_app.runs.comparison import compare
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.pairs import pair_of, pairs_of
from orgseg_app.runs.reporting.report import make_report
from orgseg_app.runs.reporting.writing import write_report
from tests.gui.recorded_runs import make_pixels, make_project, opened_image, record_run

SPLITS = ("train", "train", "validation", "test", "test")


def moved(file: ProjectFile) -> tuple[RunFolder, RunFolder, str]:
    """The image was one to learn from, and is one to test with now."""
    learnt, _, *rest = file.project.images
    tests = [learnt, *rest[1:]]
    leaky = record_run(file, "leaky", scored=tests, quality=0.95)
    file.set_split(learnt, "test")
    clean = record_run(file, "clean", scored=tests, quality=0.8)
    return leaky, clean, file.project.images[learnt].name


def copied(file: ProjectFile) -> tuple[RunFolder, RunFolder, str]:
    """The same pixels were added again under another name, for the test."""
    learnt, other, *rest = file.project.images
    pixels, mask = make_pixels(1, 48, 1)
    (copy,) = file.add_images([NewImage(opened_image("copy", pixels), "test", mask)])
    tests = [*rest[1:], copy.image_id]
    assert copy.sha256 == file.project.images[learnt].sha256
    own = [learnt, other, *rest, copy.image_id]
    leaky = record_run(file, "leaky", images=own, scored=tests, quality=0.95)
    clean = record_run(file, "clean", images=own[1:], scored=tests, quality=0.8)
    return leaky, clean, copy.name


@pytest.mark.parametrize("make", [moved, copied])
def test_a_leak_is_marked_everywhere(tmp_path: Path, make, qapp) -> None:
    with make_project(tmp_path / "x.orgseg", splits=SPLITS, side=48) as file:
        leaky, clean, image = make(file)
        runs = [leaky, clean]
        results = gather(
            file, [Candidate(r, r.name, r.state, 0, True, r.recipe) for r in runs], scorings=[]
        )
        comparison = compare(file, runs)
    saw, fair = results.rows
    # The table: below the others whatever its score, never the best, and it says why.
    assert (saw.is_ranked, saw.reason) == (False, f"saw {image} while learning")
    assert fair.is_ranked
    assert results.comparison is not None
    assert [run.name for run in results.comparison.runs] == ["clean"]
    model = ResultsModel()
    model.set_results(results)
    assert [row.name for row in model.rows] == ["clean", "leaky"]
    assert saw.value("iou", "ER") > fair.value("iou", "ER")
    assert not model.is_best(1, 1)
    assert f"saw {image} while learning" in model.as_tsv()
    # The verdict on the pair, and all pairs of a report.
    pair = pair_of(saw.name, fair.name, (saw.images, fair.images))
    assert pair.found is None
    assert pair.reason.startswith(f'Not compared: "leaky" saw {image} while learning')
    (told,) = pairs_of(comparison)
    assert told.to_dict()["verdict"] == "not compared"
    # Files.
    assert comparison.runs[0].leaked == (image,)
    assert any("flatter" in note and image in note for note in comparison.notes)
    write_report(tmp_path / "c.csv", make_report(comparison, runs))
    rows = list(csv.DictReader((tmp_path / "c.csv").read_text().splitlines()))
    marked = {(row["run"], row["image"]) for row in rows if row["leaked"] == "yes"}
    assert marked == {("leaky", image), ("leaky", "(pooled)")}
