"""Jobs as they really run: a process, a folder, events; killed, stopped, continued, refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from orgseg_app import paths
from orgseg_app.core.image import content_hash, open_array
from orgseg_app.core.metrics import judging
from orgseg_app.core.metrics.judging import facts_of_image
from orgseg_app.core.metrics.object_scores import ObjectAgreement, object_scores
from orgseg_app.core.metrics.thresholds import RatedVoxels
from orgseg_app.files.predictions import predictions_in, read_predicted_plane, read_prediction
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.weights import store_weights
from orgseg_app.learn.checkpoint import load_model, read_checkpoint
from orgseg_app.learn.job import run_job
from orgseg_app.learn.turn import DeviceTurn
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.launcher import job_command, job_environment
from orgseg_app.runs.prediction import prepare_image_prediction, prepare_prediction
from orgseg_app.runs.recipes.schema import NetworkChoice
from orgseg_app.runs.training import prepare_scoring, prepare_training
from tests.learn.conftest import disc_image, tiny_recipe

Make = Callable[..., ProjectFile]


@pytest.fixture
def start() -> Iterator[Callable[[RunFolder], subprocess.Popen[bytes]]]:
    jobs: list[subprocess.Popen[bytes]] = []

    def launch(run: RunFolder) -> subprocess.Popen[bytes]:
        with open(run.log_path, "ab") as log:
            jobs.append(
                subprocess.Popen(
                    job_command(run.path), env=job_environment(), stdout=log, stderr=log
                )
            )
        return jobs[-1]

    yield launch
    for job in jobs:
        if job.poll() is None:
            job.kill()
        job.wait()


def wait_for(run: RunFolder, wanted: Callable[[list[dict[str, Any]]], bool]) -> None:
    deadline = time.monotonic() + 60
    while not wanted(run.events()[0]):
        assert time.monotonic() < deadline, run.log_path.read_text()
        time.sleep(0.02)


def names(run: RunFolder) -> list[str]:
    return [event["event"] for event in run.events()[0]]


def test_training_job_from_start_to_scores(make_project: Make, start: Any) -> None:
    project = make_project()
    run = prepare_training(project, tiny_recipe(), "Übung 1")
    assert start(run).wait(90) == 0, run.log_path.read_text()

    last = run.last_event()
    assert last is not None
    assert last["event"] == run.state == "finished"
    assert last["run"] == run.run_id
    assert last["message"] == "Trained for 12 steps."
    assert {"state", "started", "step", "validation", "progress"} <= set(names(run))
    process = json.loads(run.process_path.read_text())
    assert process["device"] == "CPU · 1 thread · fp32"

    metrics = run.metrics()
    assert metrics is not None
    assert metrics["run"] == run.run_id
    assert metrics["classes"] == [{"id": 1, "name": "background"}, {"id": 2, "name": "disc"}]
    assert metrics["seconds"] > 0
    assert metrics["seconds_per_megapixel"] > 0
    assert [(e["image"], e["split"]) for e in metrics["images"]] == [
        ("disc 3", "validation"),
        ("disc 4", "test"),
    ]
    assert last["test"]["mean_iou"] == metrics["test"]["mean_iou"]
    for entry in metrics["images"]:
        truth = project.mask(entry["image_id"]).to_array()
        found = read_prediction(run.predictions_path, entry["image_id"]).mask
        expected = [[int(((truth == t) & (found == p)).sum()) for p in (1, 2)] for t in (1, 2)]
        assert entry["confusion"] == expected
        agreed = ObjectAgreement.from_dict(entry["objects"]["2"])
        assert agreed == object_scores(truth, found, [2])[2]
        assert agreed.plane_scores()["recall"] is not None
        rated = RatedVoxels.from_dict(entry["rated"]["2"])
        counted = json.loads(json.dumps(facts_of_image(truth, found, [1, 2], rated={2: rated})))
        assert {name: entry[name] for name in counted} == counted
        # Of two classes the likelier one is predicted: its probability is above a half.
        assert rated.inside.sum() == sum(expected[1])
        above = rated.values > 0.5
        assert rated.inside[above].sum() == expected[1][1]
        assert rated.outside[above].sum() == expected[0][1]
        assert entry["sha256"] == project.project.images[entry["image_id"]].sha256
        assert entry["mask_sha256"] == content_hash(truth)
    assert load_model(run.path).name == "Übung 1"


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_killed_and_continued_equals_uninterrupted(make_project: Make, start: Any) -> None:
    project = make_project()
    # With this schedule checks stay as far apart as asked for, however busy the machine is.
    recipe = tiny_recipe(
        steps=160, validate_every=10, batch_size=4, schedule="plateau", plateau_checks=1000
    )
    whole = prepare_training(project, recipe, "whole")
    assert start(whole).wait(90) == 0

    killed = prepare_training(project, recipe, "killed")
    job = start(killed)
    wait_for(killed, lambda events: any(e.get("step", 0) >= 20 for e in events))
    job.send_signal(signal.SIGKILL)
    job.wait()
    assert killed.state == "lost"
    assert read_checkpoint(killed.last_path)[1]["training"]["step"] < 160

    assert start(killed).wait(90) == 0
    assert killed.state == "finished"
    for path in ("last_path", "best_path"):
        a, b = (read_checkpoint(getattr(r, path))[0] for r in (whole, killed))
        assert a.keys() == b.keys()
        assert all(np.array_equal(a[k].numpy(), b[k].numpy()) for k in a)
    a, b = whole.metrics(), killed.metrics()
    assert a is not None
    assert b is not None
    assert [e["confusion"] for e in a["images"]] == [e["confusion"] for e in b["images"]]


def test_stop_pause_and_resume_by_files(make_project: Make, start: Any) -> None:
    run = prepare_training(make_project(), tiny_recipe(steps=100_000, validate_every=50))
    job = start(run)
    wait_for(run, lambda events: any(e["event"] == "step" for e in events))
    (run.control_dir / "pause").touch()
    wait_for(run, lambda events: events[-1].get("state") == "paused")
    assert run.state == "paused"
    (run.control_dir / "pause").unlink()
    wait_for(run, lambda events: events[-1]["event"] in ("step", "validation"))
    (run.control_dir / "stop").touch()
    assert job.wait(60) == 0
    assert run.state == "stopped"
    last = run.last_event()
    assert last is not None
    assert last["test"]["mean_iou"] is not None  # the best state so far was scored
    assert run.metrics() is not None


@pytest.mark.skipif(sys.platform == "win32", reason="SIGTERM ends a process at once there")
def test_sigterm_means_stop(make_project: Make, start: Any) -> None:
    run = prepare_training(make_project(), tiny_recipe(steps=100_000))
    job = start(run)
    wait_for(run, lambda events: any(e["event"] == "validation" for e in events))
    job.send_signal(signal.SIGTERM)
    assert job.wait(30) == 0
    assert run.state == "stopped"
    assert read_checkpoint(run.last_path)[1]["training"]["step"] > 0


def test_waiting_job_says_so_imports_no_torch_and_can_be_stopped(
    make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prepare_training(make_project(), tiny_recipe())
    code = (
        "import sys; from orgseg_app.learn.job import run_job\n"
        "assert run_job(sys.argv[1]) == 0\n"
        "slow = {'torch', 'PySide6', 'cv2'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    with DeviceTurn(paths.device_lock()) as turn:
        turn.take(on_wait=lambda: None, should_stop=lambda: False)
        job = subprocess.Popen(
            [sys.executable, "-c", code, str(run.path)],
            env=job_environment(),
            stderr=subprocess.PIPE,
        )
        wait_for(run, lambda events: bool(events) and events[-1].get("state") == "queued")
        (run.control_dir / "stop").touch()
        _, errors = job.communicate(timeout=30)
    assert job.returncode == 0, errors.decode()
    assert run.state == "stopped"
    assert names(run) == ["state", "stopped"]


def test_job_imports_no_qt(make_project: Make) -> None:
    run = prepare_training(make_project(), tiny_recipe(steps=2, validate_every=2))
    code = (
        "import sys; from orgseg_app.learn.job import run_job\n"
        "assert run_job(sys.argv[1]) == 0\n"
        "doors = ('PySide6', 'shiboken6', 'qtpy', 'pyqtgraph', 'superqt', 'orgseg_app.gui')\n"
        "assert not [m for m in sys.modules if m.startswith(doors)]\n"
        "assert 'torch' in sys.modules\n"
        "assert 'torch._dynamo' not in sys.modules"  # a second before the first step
    )
    subprocess.run(
        [sys.executable, "-c", code, str(run.path)], env=job_environment(), check=True, timeout=90
    )


def test_without_test_image_the_last_event_says_none(make_project: Make) -> None:
    run = prepare_training(
        make_project(("train", "validation")), tiny_recipe(steps=2, validate_every=2)
    )
    assert run_job(str(run.path)) == 0
    last = run.last_event()
    assert last is not None
    assert last["test"] is None
    assert last["validation"]["mean_iou"] is not None


def test_one_image_only_is_scored_on_its_strip(make_project: Make) -> None:
    project = make_project(("train",), size=160)
    run = prepare_training(project, tiny_recipe(steps=2, validate_every=2))
    assert run_job(str(run.path)) == 0
    messages = [e["text"] for e in run.events()[0] if e["event"] == "message"]
    assert any("strip" in text for text in messages)
    metrics = run.metrics()
    assert metrics is not None
    (entry,) = metrics["images"]
    assert entry["split"] == "validation"
    assert 0 < np.sum(entry["confusion"]) < 160 * 160 / 2


def test_several_classes(make_project: Make) -> None:
    from orgseg_app.core.classes import default_classes

    def third(number: int, pixels: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pixels, mask = pixels.copy(), mask.copy()
        corner = np.s_[6 * number : 6 * number + 20, 30 - 6 * number : 50 - 6 * number]
        pixels[corner] += 3000
        mask[corner] = 7
        return pixels, mask

    project = make_project(edit=third)
    background, disc = project.project.classes
    other = default_classes(["disc", "box"])[2]
    project.set_classes([background, disc, type(other)(7, "box", other.colour)])
    recipe = tiny_recipe(
        steps=60, batch_size=4, validate_every=20, network=NetworkChoice(depth=2, width=8)
    )
    run = prepare_training(project, recipe)
    assert run_job(str(run.path)) == 0
    metrics = run.metrics()
    assert metrics is not None
    assert [c["id"] for c in metrics["classes"]] == [1, 2, 7]
    assert metrics["test"]["iou"]["7"] > 0.8


def test_scoring_job_uses_an_existing_model(
    make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project()
    run = prepare_training(project, tiny_recipe(steps=4))
    assert run_job(str(run.path)) == 0
    scoring = prepare_scoring(run, project)
    assert run_job(str(scoring.path)) == 0
    trained, scored = run.metrics(), scoring.metrics()
    assert trained is not None
    assert scored is not None
    assert scored["images"] == [e for e in trained["images"] if e in scored["images"]]
    assert "test" in {e["split"] for e in scored["images"]}
    assert scored["scored_run"] == run.run_id

    stopped = prepare_scoring(run, project)

    def ask(*pair: Any, **known: Any) -> Any:
        (stopped.control_dir / "stop").touch()  # while agreement is counted
        return object_scores(*pair, **known)

    monkeypatch.setattr(judging, "object_scores", ask)
    monkeypatch.setattr("orgseg_app.learn.control._LOOK_EVERY_S", 0.0)
    assert run_job(str(stopped.path)) == 0
    last = stopped.last_event()
    assert last is not None
    assert (last["event"], last["message"]) == ("stopped", "Stopped as asked.")
    assert stopped.metrics() is None


def last_message(run: RunFolder) -> str:
    last = run.last_event()
    assert last is not None
    assert last["event"] == "failed"
    assert "Traceback" not in run.events_path.read_text()
    return str(last["message"])


def test_failures_are_one_sentence_and_the_traceback_is_in_the_log(make_project: Make) -> None:
    run = prepare_training(make_project(), tiny_recipe())
    run.snapshot_path.write_bytes(b"this is no snapshot")
    assert run_job(str(run.path)) == 1
    assert "snapshot.h5" in last_message(run)
    assert "Traceback" in run.log_path.read_text()


def test_unexpected_errors_end_in_a_sentence_too(
    make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orgseg_app.learn.data import dataset

    def broken(*args: object, **more: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(dataset, "read_examples", broken)
    run = prepare_training(make_project(), tiny_recipe())
    assert run_job(str(run.path)) == 1
    assert last_message(run).startswith("The job ended unexpectedly (KeyError).")


def test_a_folder_that_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_job(str(tmp_path)) == 1
    assert "not a run folder" in capsys.readouterr().err


# -- predicting files ------------------------------------------------------------------------------


@pytest.fixture
def trained(make_project: Make) -> RunFolder:
    run = prepare_training(make_project(), tiny_recipe(steps=40, batch_size=4, validate_every=20))
    assert run_job(str(run.path)) == 0
    return run


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "Bilder µ"
    folder.mkdir()
    for number in range(3):
        tifffile.imwrite(folder / f"cell {number}.tif", disc_image(10 + number)[0])
    return folder


def predict(trained: RunFolder, inputs: list[Path], out: Path, **more: Any) -> RunFolder:
    settings = {"models": [trained], "formats": ("tiff", "png")} | more
    run = prepare_prediction(out.parent / "jobs", inputs=inputs, out=out, **settings)
    run_job(str(run.path))
    return run


def test_folder_is_predicted(trained: RunFolder, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = predict(trained, [pictures], out)
    assert run.state == "finished", run.log_path.read_text()
    assert sorted(p.name for p in out.iterdir()) == [
        f"cell {n}{suffix}" for n in range(3) for suffix in (".png", ".tif")
    ]
    for number in range(3):
        truth = disc_image(10 + number)[1] == 2
        mask = tifffile.imread(out / f"cell {number}.tif")
        assert mask.shape == truth.shape
        assert set(np.unique(mask)) <= {0, 1}
        assert (truth & (mask == 1)).sum() / (truth | (mask == 1)).sum() > 0.5
    progress = [e for e in run.events()[0] if e["event"] == "progress"]
    assert progress[-1]["done"] == progress[-1]["total"] == 3
    assert {e["phase"] for e in progress} == {"predict"}


def test_broken_files_are_reported_and_passed_over(
    trained: RunFolder, pictures: Path, tmp_path: Path
) -> None:
    (pictures / "broken.tif").write_text("no image at all")
    tifffile.imwrite(
        pictures / "two channels.tif",
        np.zeros((2, 30, 30), np.uint16),
        imagej=True,
        metadata={"axes": "CYX"},
    )
    run = predict(trained, [pictures], tmp_path / "out", formats=("tiff",))
    last = run.last_event()
    assert last is not None
    assert last["event"] == "finished"
    assert last["written"] == 3
    assert len(last["problems"]) == 2
    assert "2 could not be done" in last["message"]
    messages = [e["text"] for e in run.events()[0] if e["event"] == "message"]
    assert any(text.startswith("broken.tif: ") for text in messages)
    assert any("2 channels" in text for text in messages)


def test_nothing_written_at_all_is_a_failure(trained: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "bad.tif").write_text("no")
    run = predict(trained, [tmp_path / "bad.tif"], tmp_path / "out")
    assert "No mask was written" in last_message(run)


def test_existing_masks_are_kept_replaced_or_gone_on_with(
    trained: RunFolder, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    mine = out / "cell 1.tif"
    mine.write_bytes(b"my own")
    run = predict(trained, [pictures], out, formats=("tiff",))
    assert mine.read_bytes() == b"my own"
    last = run.last_event()
    assert last is not None
    assert (last["written"], len(last["problems"])) == (2, 1)

    first = (out / "cell 0.tif").read_bytes()
    (out / "cell 2.tif").unlink()
    run = predict(trained, [pictures], out, formats=("tiff",), resume=True)
    last = run.last_event()
    assert last is not None
    assert (last["written"], last["skipped"]) == (1, 2)
    assert (out / "cell 0.tif").read_bytes() == first
    assert mine.read_bytes() == b"my own"

    run = predict(trained, [pictures], out, formats=("tiff",), overwrite=True)
    assert tifffile.imread(mine).shape == (64, 64)


def test_images_are_never_overwritten_by_their_masks(trained: RunFolder, pictures: Path) -> None:
    before = {p.name: p.read_bytes() for p in pictures.iterdir()}
    predict(trained, [pictures], pictures, formats=("tiff",), overwrite=True)
    for name, data in before.items():
        assert (pictures / name).read_bytes() == data
    assert tifffile.imread(pictures / "cell 0_mask.tif").max() == 1


def test_stacks_and_equal_names(trained: RunFolder, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        stack = np.stack([disc_image(n)[0] for n in range(3)])
        tifffile.imwrite(tmp_path / folder / "s.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    out = tmp_path / "out"
    predict(trained, [tmp_path / "a", tmp_path / "b"], out)
    assert tifffile.imread(out / "s.tif").shape == (3, 64, 64)
    assert tifffile.imread(out / "s (2).tif").shape == (3, 64, 64)
    assert (out / "s_z003.png").exists()
    run = predict(trained, [tmp_path / "a", tmp_path / "b"], out, resume=True)
    last = run.last_event()
    assert last is not None
    assert (last["written"], last["skipped"]) == (0, 2)


def test_damaged_model_is_refused(trained: RunFolder, pictures: Path, tmp_path: Path) -> None:
    trained.best_path.write_bytes(trained.best_path.read_bytes()[:-100])
    run = predict(trained, [pictures], tmp_path / "out")
    assert "damaged" in last_message(run)
    assert not list((tmp_path / "out").iterdir())


def test_output_folder_that_is_gone_ends_the_job(
    trained: RunFolder, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = prepare_prediction(tmp_path / "jobs", models=[trained], inputs=[pictures], out=out)
    out.rmdir()
    out.write_bytes(b"a file in the way")
    assert run_job(str(run.path)) == 1
    assert "masks written before are safe" in last_message(run)
    assert [e["event"] for e in run.events()[0]].count("message") == 0  # no complaint an image


def test_stop_between_tiles_leaves_whole_files(
    trained: RunFolder, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = prepare_prediction(tmp_path / "jobs", models=[trained], inputs=[pictures], out=out)
    run.control_dir.mkdir(exist_ok=True)
    (run.control_dir / "stop").touch()
    assert run_job(str(run.path)) == 0
    assert run.state == "stopped"
    assert not list(out.iterdir())


def test_images_are_predicted_with_their_probabilities(
    make_project: Make, trained: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(name="others")
    image_id = next(iter(project.project.images))
    job = prepare_image_prediction(trained, project, [image_id])
    assert run_job(str(job.path)) == 0
    held = predictions_in(job.predictions_path)
    assert held[image_id].class_ids == project.project.class_ids
    mask = read_predicted_plane(job.predictions_path, image_id, 0)
    chances = [read_predicted_plane(job.predictions_path, image_id, 0, k) for k in (1, 2)]
    assert np.abs(chances[0].astype(int) + chances[1] - 255).max() <= 1  # they add up
    clear = np.abs(chances[0].astype(int) - chances[1]) > 1
    assert np.array_equal((mask == 2)[clear], (chances[1] > chances[0])[clear])
    assert len(np.unique(chances[1])) > 20

    monkeypatch.setattr("orgseg_app.files.predictions.PROBABILITIES_BYTES", 10)
    job = prepare_image_prediction(trained, project, [image_id])
    assert run_job(str(job.path)) == 0
    assert predictions_in(job.predictions_path)[image_id].class_ids == ()
    assert np.array_equal(read_predicted_plane(job.predictions_path, image_id, 0), mask)


def test_weights_that_leave_one_class_are_refused(make_project: Make) -> None:
    project = make_project()
    for image_id, image in project.project.images.items():
        if image.split == "train":
            ground = project.mask(image_id).to_array() == 1
            store_weights(project, image_id, open_array("weights", ground.astype(np.float32)))
    run = prepare_training(project, tiny_recipe())
    assert run_job(str(run.path)) == 1
    last = run.last_event()
    assert last is not None
    assert "only one class counts" in last["message"]
