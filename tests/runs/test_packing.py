"""Runs in a packed project: which are chosen, and that they say the same elsewhere."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from orgseg_app.files.packing import pack
from orgseg_app.files.predictions import predicted_images, read_prediction, write_prediction
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.runs.comparison import compare
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.folder import RunFolder, find_run, list_runs, runs_dir
from orgseg_app.runs.packing import (
    FILES,
    TRAINING_FILES,
    best_run,
    choose_runs,
    packable_runs,
    share_of_training,
    studies_left,
    to_pack,
)
from orgseg_app.runs.process import write_json
from tests.files.packed import put
from tests.files.projects import only, small_project
from tests.runs.test_comparison import make_run, random_pair


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A project with three finished trainings, the second of them scored again, and one at work."""
    path = tmp_path / "here" / "cells.orgseg"
    path.parent.mkdir()
    small_project(path, 2).close()
    truth = random_pair(0)[0]
    parent = runs_dir(path)
    for number, name in enumerate(("poor", "good", "fair")):
        run = make_run(parent, name, {"a": random_pair(number), "b": random_pair(number + 10)})
        wrong = np.arange(truth.size).reshape(truth.shape) % (2, 50, 5)[number] == 0
        add_validation(run, truth, np.where(wrong, 1 + (truth + 1) % 3, truth))
        run.best_path.write_bytes(f"weights of {name}".encode() * 1000)
        run.snapshot_path.write_bytes(b"images" * 50)
        run.last_path.write_bytes(b"state" * 500)
        run.log_path.write_bytes(b"/home/anna/secret")
        write_prediction(run.predictions_path, "id-a", np.full((1, 9, 11), number, np.uint8))
    good = find_run(path, "good")
    for seed in (77, 99):
        scoring = make_run(
            parent,
            f"scores {seed}",
            {"a": random_pair(seed)},
            kind="score",
            extra={"scored_run": good.run_id, "model": "/home/anna/x/best.ckpt", "created": seed},
        )
    scoring.rename("the newest")
    RunFolder.create(parent, name="prediction", kind="predict", extra={"out": "/home/anna"})
    good.rename("Gut: ü")
    return path


def add_validation(run: RunFolder, truth: np.ndarray, guess: np.ndarray) -> None:
    from orgseg_app.core.metrics.pixels import confusion_matrix
    from tests.runs.test_comparison import IDS

    metrics = json.loads(run.metrics_path.read_bytes())
    entry = {"image": "v", "image_id": "v", "sha256": "v", "split": "validation"}
    entry["confusion"] = confusion_matrix(truth, guess, IDS).tolist()
    metrics["images"].append(entry)
    write_json(run.metrics_path, metrics)


def send(path: Path, there: Path, runs: list[RunFolder], **options: bool) -> Path:
    """Pack, take it somewhere else under another name, and open it there."""
    with ProjectFile.open(path, read_only=True) as file:
        packed = pack(file, there.parent / "mail.orgseg", to_pack(path, runs, **options))
    assert packed is not None
    there.mkdir()
    received = Path(shutil.move(packed.path, there / "received.orgseg"))
    shutil.rmtree(path.parent)  # nothing of it is needed any more
    with ProjectFile.open(received) as file:
        assert len(file.notices) == 1
    return received


def test_runs_are_chosen_by_name_or_all_or_the_best(path):
    assert [run.name for run in choose_runs(path, "all")] == ["poor", "Gut: ü", "fair"]
    assert [run.name for run in choose_runs(path, "best")] == ["Gut: ü"]
    assert choose_runs(path, "none") == []
    fair = find_run(path, "fair")
    chosen = choose_runs(path, f"poor, {fair.run_id},{fair.run_id}")
    assert [run.name for run in chosen] == ["poor", "fair"]
    for text, sentence in (
        ("nobody", "has no run"),
        ("the newest", "no training"),
        (" , ", "all, best or none"),
    ):
        with pytest.raises(RunError, match=sentence):
            choose_runs(path, text)


def test_the_best_is_not_chosen_on_the_test_images(path):
    fair = find_run(path, "fair")
    metrics = json.loads(fair.metrics_path.read_bytes())
    for entry in metrics["images"]:
        if entry["split"] == "test":  # perfect there
            entry["confusion"] = np.diag(np.sum(entry["confusion"], axis=1)).tolist()
    write_json(fair.metrics_path, metrics)
    assert best_run(packable_runs(path)).name == "Gut: ü"
    find_run(path, "Gut: ü").best_path.unlink()  # of no use without a model
    assert best_run(packable_runs(path)).name == "fair"
    for run in packable_runs(path):
        run.metrics_path.unlink()
    with pytest.raises(RunError, match="has scores yet"):
        choose_runs(path, "best")


def test_a_run_at_work_is_not_packed(path):
    run = RunFolder.create(runs_dir(path), name="at work", kind="train")
    with EventWriter(run.events_path) as events:
        events.write("step", step=1)
    run.write_process(1)
    facts = json.loads(run.process_path.read_bytes())
    assert run.is_active or facts["create_time"] is None
    if run.is_active:
        assert "at work" not in [run.name for run in choose_runs(path, "all")]
        with pytest.raises(RunError, match="still working"):
            choose_runs(path, "at work")


def test_what_was_scored_last_goes_with_its_run(path):
    runs = choose_runs(path, "poor,Gut: ü")
    packed = to_pack(path, runs)
    assert [run.name for run in packed] == ["poor", "Gut: ü", "the newest"]
    absent = {"title.json", "remarks.json", "ensemble.json"}
    assert set(packed[0].files) == {*FILES, "request.json"} - absent
    assert set(packed[1].files) == {*FILES, "request.json"} - (absent - {"title.json"})
    assert not any(set(run.files) & set(TRAINING_FILES) for run in packed)
    whole = to_pack(path, runs, training=True)
    assert set(TRAINING_FILES) - {"mistakes.npz"} < set(whole[0].files)  # it corrects nothing
    assert not set(TRAINING_FILES) & set(whole[2].files)
    more = sum(run.size_bytes for run in whole) - sum(run.size_bytes for run in packed)
    assert more == share_of_training(runs) == 2 * (6 * 50 + 5 * 500)


def test_no_path_of_this_computer_is_packed(path):
    with ProjectFile.open(path, read_only=True) as file:
        packed = pack(file, path.with_name("m.orgseg"), to_pack(path, choose_runs(path, "all")))
    data = packed.path.read_bytes()
    assert b"anna" not in data
    assert str(path.parent).encode() not in data
    assert b'"scored_run"' in data  # the test looks at the right bytes


def test_runs_compare_elsewhere_as_they_did_here(path, tmp_path):
    runs = choose_runs(path, "all")
    with ProjectFile.open(path, read_only=True) as file:
        before = compare(file, runs).to_dict()
    assert before["runs"][1]["missing"] == ["b"]  # it was scored again, on one image
    predictions = {r.run_id: read_prediction(r.predictions_path, "id-a").mask for r in runs}
    weights = {run.run_id: run.best_path.read_bytes() for run in runs}
    received = send(path, tmp_path / "there", runs)
    found = [run for run in list_runs(received) if run.kind == "train"]
    assert [run.name for run in found] == ["poor", "Gut: ü", "fair"]
    with ProjectFile.open(received, read_only=True) as file:
        assert compare(file, found).to_dict() == before
    for run in found:
        assert run.state == "finished"
        assert run.recipe is not None
        assert run.best_path.read_bytes() == weights[run.run_id]
        assert predicted_images(run.predictions_path) == ["id-a"]
        found_mask = read_prediction(run.predictions_path, "id-a").mask
        np.testing.assert_array_equal(found_mask, predictions[run.run_id])
        assert not run.snapshot_path.exists()
        assert not run.log_path.exists()
    assert {run.kind for run in list_runs(received)} == {"train", "score"}


def test_with_what_was_learned_from_a_run_is_whole_again(path, tmp_path):
    run = find_run(path, "fair")
    names = (*FILES, *TRAINING_FILES)
    before = {n: (run.path / n).read_bytes() for n in names if (run.path / n).exists()}
    received = send(path, tmp_path / "there", [run], training=True)
    (found,) = list_runs(received)
    assert {n: (found.path / n).read_bytes() for n in names if (found.path / n).exists()} == before
    assert found.request == run.request


def test_packed_again_elsewhere_it_is_the_same(path, tmp_path):
    runs = choose_runs(path, "all")
    received = send(path, tmp_path / "there", runs)
    again = send(received, tmp_path / "home", choose_runs(received, "all"))
    assert [run.name for run in choose_runs(again, "all")] == ["poor", "Gut: ü", "fair"]
    assert len(list_runs(again)) == 4
    with ProjectFile.open(again, read_only=True) as file:
        assert file.counts(only(file))


HOSTILE = {
    "metrics.json": [
        b"",
        b"null",
        b'{"images": 3}',
        b'{"classes": [{"id": 1, "name": "b"}], "images": [{"split": "test", "confusion": [[1]]}]}',
        b'{"classes": 3, "images": [{}]}',
        b'{"classes": [{"id": 1, "name": "b"}], "images": [3], "seconds": "x"}',
        b'{"classes": [{"id": 1, "name": "b"}], "images": [{"image_id": "a", "sha256": "a", '
        b'"split": "test", "confusion": [[%s]]}]}' % (b"9" * 300),
        b'{"classes": [{"id": %s, "name": "b"}], "images": [{"image_id": "a", "sha256": "a", '
        b'"split": "test", "confusion": [[1]]}]}' % (b"9" * 300),
        b'{"classes": [{"id": 2, "name": "b"}], "images": [{"image_id": "a", "sha256": "a", '
        b'"split": "test", "confusion": [[-5]]}], "seconds": %s}' % (b"9" * 300),
        b'{"classes": [{"id": 2, "name": "b"}, {"id": 2, "name": "c"}], "images": [{"image_id": '
        b'"a", "sha256": "a", "split": "test", "confusion": [[1, 2], [3, 4]]}]}',
    ],
    "events.jsonl": [
        b"\xff\xfe\n",
        b'{"event": "finished"}',
        b'{"event": 5}\n[1]\nnull\n',
        b'{"event": "state", "state": [1]}\n',
        b'{"event": "finished", "time": "x"}\n{"event": "step", "step": "a", "loss": {}}\n',
        b"[" * 100_000 + b"\n",
    ],
    "predictions.h5": [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n" + bytes(2000)],
    "best.ckpt": [b"", b"PK\x03\x04 pickle", b"\xff" * 64],
    "request.json": [
        {"recipe": [1, 2]},
        {"recipe": {"network": {"width": 10**9}}},
        {"images": 5, "classes": "x", "warnings": {"a": 1}},
        {"images": [5, {"id": [1], "sha256": {}, "split": 3, "mask_sha256": None}]},
        {"images": [{"id": "a", "sha256": 10**300, "split": "train"}]},
        {"project_uuid": [], "app_version": {}, "name": {"a": 1}},
        {"scored_run": {}, "kind": "score"},
    ],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_a_strangers_run_says_the_others_can_be_compared(name, path, tmp_path):
    import h5py

    from orgseg_app.files.errors import FileError

    runs = choose_runs(path, "all")
    with ProjectFile.open(path, read_only=True) as file:
        packed = pack(file, tmp_path / "mail.orgseg", to_pack(path, runs))
    for number, content in enumerate(HOSTILE[name]):
        there = tmp_path / f"there {number}"
        there.mkdir()
        received = Path(shutil.copy(packed.path, there / "r.orgseg"))
        with h5py.File(received, "r+", libver=("v108", "v108")) as file:
            group = file["runs"][runs[0].run_id]
            if name == "request.json":
                facts = json.loads(group[name][...].tobytes()) | content
                content = json.dumps(facts).encode()
            if content:
                put(group, name, content)
        with ProjectFile.open(received) as file:
            found = list_runs(received)
            trained = [run for run in found if run.kind == "train"]
            assert {r.run_id for r in trained} >= {r.run_id for r in runs[1:]}
            shown = compare(file, trained)
            assert {r.run_id for r in shown.runs} >= {r.run_id for r in runs[1:]}
            json.dumps(shown.to_dict())
            for run in found:
                assert run.state in ("finished", "lost", "queued", "stopped", "failed")
                assert run.name
                _ = run.recipe, run.warnings, run.last_event(), run.events()
            best_run(trained)
            try:
                predicted_images(trained[0].predictions_path)
            except FileError as error:
                assert "\n" not in str(error)


def test_a_study_that_stays_behind_is_told_of(path: Path) -> None:
    runs = [find_run(path, name) for name in ("poor", "Gut: ü", "fair")]
    assert studies_left(runs) == []
    for run in runs[:2]:
        run.request["study"] = {"id": "ab" * 6, "name": "losses", "cell": "1"}
    runs[2].request["study"] = {"id": "cd" * 6, "name": "widths", "cell": "1"}
    told = studies_left(runs)
    assert [text.partition(" along")[0] for text in told] == [
        '2 runs of the study "losses" go',
        'A run of the study "widths" goes',
    ]
    assert all("the study itself" in text for text in told)
