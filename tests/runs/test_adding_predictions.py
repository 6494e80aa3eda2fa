"""Rows made elsewhere: scored as any run, marked as what they are, scored again without a model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.counterparts.looking import offer_in
from orgseg_app.files.counterparts.offer import Becomes, OfferError
from orgseg_app.files.giving_up import GivenUpError
from orgseg_app.files.packing import pack
from orgseg_app.files.predictions import predicted_images, read_prediction
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.runs.adding_predictions import DRAFTS, add_predictions, score_again
from orgseg_app.runs.comparison import compare
from orgseg_app.runs.ensembles import member_facts
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import RunFolder, list_runs, runs_dir
from orgseg_app.runs.made_elsewhere import caution_of, held_images, words_of
from orgseg_app.runs.packing import packable_runs, to_pack
from orgseg_app.runs.reporting.report import make_report
from orgseg_app.runs.reporting.tables import score_rows
from orgseg_app.runs.training import model_path
from orgseg_app.runs.withheld import refused_in, seen_by
from tests.files.hostile import png_bomb
from tests.runs.made_elsewhere import SIDE, image_id, project, square, write_masks

pytestmark = pytest.mark.usefixtures("one_reading_child")

MOVED = square(1, right=2, ground=0)[0]
"""80 of the 100 voxels of the square are in both: IoU 80/120, Dice 0.8."""


@pytest.fixture
def file(tmp_path: Path):
    with project(tmp_path / "cells.orgseg") as opened:
        yield opened


def add(file: ProjectFile, *paths: Path, name: str = "Cellpose", **how) -> RunFolder:
    offer = offer_in(paths, file)
    becomes = Becomes(offer.meaning, offer.suggested(file.project.classes))
    return add_predictions(file, offer, becomes, name=name, **how)


def give(file: ProjectFile, folder: Path, *names: str) -> Path:
    return write_masks(folder, dict.fromkeys(names, MOVED))


def test_a_known_shift_gives_the_scores_one_can_count(tmp_path, file):
    run = add(file, give(file, tmp_path / "a", "cell 2", "cell 3", "cell 4"))
    assert (run.kind, run.state, run.name) == ("imported", "finished", "Cellpose")
    row = compare(file, [run]).runs[0]
    assert [item.image for item in row.per_image] == ["cell 3", "cell 4"]
    for scores in (*(item.scores for item in row.per_image), row.pooled):
        by_class = scores.by_class
        assert by_class["iou"]["ER"] == pytest.approx(80 / 120)
        assert by_class["dice"]["ER"] == pytest.approx(0.8)
        assert by_class["precision"]["ER"] == pytest.approx(0.8)
        assert by_class["recall"]["ER"] == pytest.approx(0.8)
        assert by_class["ap_50"]["ER"] == 1.0
        assert scores.voxels in (SIDE**2, 2 * SIDE**2)
    validation = compare(file, [run], "validation").runs[0]
    assert [item.image for item in validation.per_image] == ["cell 2"]
    shown = read_prediction(run.predictions_path, image_id(file, "cell 3")).mask
    assert np.array_equal(shown, square(2, right=2))


def test_what_it_was_given_is_noted_without_where_it_lay(tmp_path, file):
    run = add(file, give(file, tmp_path / "a", "cell 3_mask", "cell 4_mask"))
    source = run.request["source"]
    assert source["images"] == {
        image_id(file, "cell 3"): "cell 3_mask.png",
        image_id(file, "cell 4"): "cell 4_mask.png",
    }
    assert source["classes"] == {"value 1": "ER"}
    assert held_images(run) == set(source["images"])
    assert str(tmp_path) not in (run.path / "request.json").read_text()
    assert add(file, tmp_path / "a").name == "Cellpose 2"
    assert not (runs_dir(file.path) / DRAFTS).exists()


def test_the_row_says_that_nobody_knows_what_it_was_trained_on(tmp_path, file):
    run = add(file, give(file, tmp_path / "a", "cell 3", "cell 4"))
    found = compare(file, [run])
    assert "OrgSeg cannot know what it was trained on" in words_of(run)
    assert found.runs[0].recipe == words_of(run)
    assert caution_of(run) in found.notes
    assert {row["leaked"] for row in score_rows(make_report(found, [run]))} == {"unknown"}
    told = found.to_dict()["runs"][0]
    assert (told["kind"], told["caution"]) == ("imported", caution_of(run))
    person = add(file, tmp_path / "a", name="Anna", by_person=True)
    assert person.kind == "annotation"
    assert "two people agree" in caution_of(person)
    rows = score_rows(make_report(compare(file, [person]), [person]))
    assert {row["leaked"] for row in rows} == {"no"}


def test_no_image_counts_as_seen_wherever_it_is_put_later(tmp_path, file):
    run = add(file, give(file, tmp_path / "a", "cell 2", "cell 3"))
    assert any(entry["split"] == "validation" for entry in run.request["images"])
    assert seen_by(run, run, "test") == frozenset()


def test_missing_images_are_not_scored_and_unusable_ones_refused(tmp_path, file):
    folder = give(file, tmp_path / "a", "cell 2", "cell 3")
    run = add(file, folder)
    (row,) = compare(file, [run]).runs
    assert row.missing == ()  # no run was scored on the other image
    assert [item.image for item in row.per_image] == ["cell 3"]
    assert not row.refused
    write_masks(folder, {"cell 4": MOVED[:-3]})
    again = add(file, folder)
    refused = refused_in(again.metrics(), "test")
    assert "40 × 37 pixels" in refused[image_id(file, "cell 4")]
    found = compare(file, [again])
    assert "it was left out" in " ".join(found.notes)
    assert set(predicted_images(again.predictions_path)) == {
        image_id(file, name) for name in ("cell 2", "cell 3")
    }


def test_a_file_made_to_do_harm_ends_its_child_and_no_more(tmp_path, file):
    folder = give(file, tmp_path / "a", "cell 3")
    png_bomb(folder / "cell 4.png")
    (folder / "cell 2.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    run = add(file, folder)
    assert held_images(run) == {image_id(file, "cell 3")}
    assert len(refused_in(run.metrics(), "test")) == 1
    assert len(refused_in(run.metrics(), "validation")) == 1
    with pytest.raises(RunError, match="None of what was given can be used"):
        (folder / "cell 3.png").unlink()
        add(file, folder)
    assert [run.name for run in list_runs(file.path)] == ["Cellpose"]


def test_a_class_that_nobody_named_adds_nothing(tmp_path):
    with project(tmp_path / "c.orgseg", class_names=("ER", "nucleus")) as file:
        with pytest.raises(OfferError, match="not known which class"):
            add(file, give(file, tmp_path / "a", "cell 3"))
        assert not list_runs(file.path)


def test_who_gives_up_leaves_nothing_behind(tmp_path, file):
    folder = give(file, tmp_path / "a", "cell 3", "cell 4")
    with pytest.raises(GivenUpError):
        add(file, folder, progress=lambda done, total, text: done < 1)
    assert not runs_dir(file.path).exists() or not list(runs_dir(file.path).iterdir())


def test_a_second_person_is_judged_where_both_painted(tmp_path, file):
    theirs = square(2, right=2)
    theirs[:, :15] = 0  # half of the square's rows
    other = tmp_path / "anna.orgseg"
    project(other, class_names=("er",), name="renamed {}", mask=theirs).close()
    run = add(file, other, name="Anna")
    assert run.kind == "annotation"
    (row,) = compare(file, [run]).runs
    assert row.pooled is not None
    assert row.pooled.by_class["iou"]["ER"] == pytest.approx(40 / 60)
    assert [item.scores.voxels for item in row.per_image] == [25 * SIDE, 25 * SIDE]
    assert run.warnings == [
        "On 3 images, up to 38% of what is painted is unlabelled in the mask given, and not judged."
    ]


def test_scoring_again_needs_no_model_and_sees_todays_paint(tmp_path, file):
    run = add(file, give(file, tmp_path / "a", "cell 3", "cell 4"))
    shown = image_id(file, "cell 3")
    file.mask(shown).write(0, 0, 0, square(2, right=2)[0])
    file.touch_mask(shown)
    (row,) = compare(file, [run]).runs
    assert [item.is_outdated for item in row.per_image] == [True, False]
    scoring = score_again(run, file)
    assert (scoring.kind, scoring.state) == ("score", "finished")
    (row,) = compare(file, [run]).runs
    assert [item.is_outdated for item in row.per_image] == [False, False]
    assert [item.scores.by_class["iou"]["ER"] for item in row.per_image] == [
        1.0,
        pytest.approx(80 / 120),
    ]
    assert set(predicted_images(scoring.predictions_path)) == held_images(run)
    with pytest.raises(RunError, match="no model to predict"):
        model_path(run)
    with pytest.raises(RunError, match="no training"):
        member_facts(run)


def test_an_image_that_is_painted_later_can_be_scored_then(tmp_path):
    with project(tmp_path / "c.orgseg", ("test",)) as file:
        noise = open_array("cell 9", np.ones((1, 1, SIDE, SIDE), np.uint8))
        file.add_images([NewImage(noise, "test")])
        run = add(file, give(file, tmp_path / "a", "cell 1", "cell 9"))
        assert len(compare(file, [run]).images) == 1
        late = image_id(file, "cell 9")
        assert late in held_images(run)
        file.mask(late).write(0, 0, 0, square()[0])
        file.touch_mask(late)
        score_again(run, file)
        assert compare(file, [run]).images == ("cell 1", "cell 9")


def test_it_is_packed_with_what_compares_it(tmp_path, file):
    run = add(file, give(file, tmp_path / "a", "cell 3", "cell 4"))
    scoring = score_again(run, file)
    assert [one.run_id for one in packable_runs(file.path)] == [run.run_id]
    parts = {part.run_id: set(part.files) for part in to_pack(file.path, [run])}
    assert set(parts) == {run.run_id, scoring.run_id}
    assert {"request.json", "metrics.json", "predictions.h5", "events.jsonl"} <= parts[run.run_id]
    there = tmp_path / "there" / "packed.orgseg"
    there.parent.mkdir()
    pack(file, there, to_pack(file.path, [run]))
    with ProjectFile.open(there) as packed:
        (found,) = (one for one in list_runs(there) if one.kind == "imported")
        assert held_images(found) == held_images(run)
        assert compare(packed, [found]).runs[0].pooled == compare(file, [run]).runs[0].pooled


def test_a_damaged_note_of_what_was_given_is_as_good_as_none(tmp_path, file):
    run = add(file, give(file, tmp_path / "a", "cell 3"))
    for broken in (7, {"images": [1]}, None):
        text = json.dumps(run.request | {"source": broken})
        (run.path / "request.json").write_text(text)
        assert held_images(RunFolder(run.path)) == frozenset()
        assert words_of(RunFolder(run.path)).startswith("imported predictions")


def test_default_classes_are_left_as_they_are(tmp_path, file):
    before = file.project.classes
    add(file, give(file, tmp_path / "a", "cell 3"))
    assert file.project.classes == before == default_classes(("ER",))
