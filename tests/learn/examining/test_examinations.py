"""Examinations as jobs do them, and what a training writes about its model: one run, once."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

from orgseg_app import cli
from orgseg_app.commands import examining as command
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.learn.checkpoint import load_model
from orgseg_app.learn.examining.model_facts import learnt_numbers
from orgseg_app.learn.job import run_job
from orgseg_app.runs.examining import prepare_examination, read_examination
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.model_facts import facts_of_model
from orgseg_app.runs.process import write_json
from orgseg_app.runs.training import set_aside
from tests.learn.examining.trained import trained

Trained = tuple[ProjectFile, RunFolder]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    with trained(tmp_path_factory.mktemp("trained")) as found:
        yield found


def test_a_training_says_what_its_model_costs(done: Trained) -> None:
    _, run = done
    facts = facts_of_model(run)
    assert facts is not None
    assert facts.parameters == learnt_numbers(load_model(run.path).network)
    assert facts.checkpoint_bytes == run.best_path.stat().st_size
    assert facts.device == "CPU · 1 thread · fp32"
    assert facts.processor
    assert facts.tile_zyx == (1, 64, 64)
    assert facts.voxels_timed == 3 * 64 * 64
    metrics = run.metrics()
    assert metrics is not None
    assert facts.seconds_per_megavoxel == pytest.approx(metrics["seconds_per_megapixel"])
    assert 5e7 < (facts.memory_bytes or 0) < 5e9
    assert facts.card_memory_bytes is None
    # Two convolutions a level of 4, 8, 16 features, two transposed ones up, a head: by hand.
    down = 9 * (4 + 16) + 9 * (32 + 64) / 4 + 9 * (128 + 256) / 16
    up = (16 * 8 * 4 / 16 + 9 * (128 + 64) / 4) + (8 * 4 * 4 / 4 + 9 * (32 + 16)) + 4 * 2
    assert facts.multiply_adds_per_megavoxel == pytest.approx((down + up) * 1e6)
    last = run.last_event()
    assert last is not None
    assert last["model_facts"] == facts.to_dict()


def test_levels_of_a_run(done: Trained) -> None:
    file, run = done
    job = prepare_examination(file, run, "levels")
    assert run_job(str(job.path)) == 0, job.last_event()
    found = read_examination(job)
    assert found is not None
    assert [(c.kind, c.level, c.scale) for c in found.conditions] == [
        ("coarse", 0, 1),
        ("fine", 0, 1),
        ("coarse", 1, 2),
        ("fine", 1, 2),
    ]
    assert [image.name for image in found.intact.images] == ["disc 2", "disc 3"]
    metrics = run.metrics()
    assert metrics is not None
    kept = {e["image_id"]: e["confusion"] for e in metrics["images"]}
    for image in found.intact.images:
        assert image.confusion.tolist() == kept[image.image_id], "as the run itself was judged"
    assert any(found.drop(c, "iou") != 0 for c in found.conditions)
    progress = [e for e in job.events()[0] if e["event"] == "progress"]
    assert (progress[-1]["done"], progress[-1]["total"], progress[-1]["phase"]) == (
        10,
        10,
        "examine",
    )
    last = job.last_event()
    assert last is not None
    assert last["message"] == " ".join(found.sentences())


def test_noise_by_command_is_the_same_each_time(
    done: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, _ = done
    before = file.read_image(next(iter(file.project.images)))
    monkeypatch.setattr(command.launcher, "start", lambda job: run_job(str(job.path)))
    asked = ["examine", str(file.path), "tiny", "--what", "noise", "--split", "test"]
    told = []
    for seed in ("0", "0", "1"):
        words = [*asked, "--snr", "40,-10", "--seed", seed, "--json"]
        assert cli.main(words) == 0
        told.append(json.loads(capsys.readouterr().out.splitlines()[-1]))
    first, same, other = told
    assert first["conditions"] == same["conditions"]
    assert first["conditions"] != other["conditions"]
    assert first["images"] == ["disc 4"]
    by_kind = {(c["kind"], c["snr_db"]): c["mean"]["iou"] for c in first["conditions"]}
    assert list(by_kind) == [
        ("gaussian", 40.0),
        ("gaussian", -10.0),
        ("poisson", 40.0),
        ("poisson", -10.0),
    ]
    intact = first["intact"]["mean"]["iou"]
    assert by_kind["gaussian", 40.0] == pytest.approx(intact, abs=0.05)
    assert by_kind["gaussian", -10.0] < intact
    assert np.array_equal(before, file.read_image(next(iter(file.project.images))))

    assert cli.main([*asked, "--snr", "0"]) == 0
    out = capsys.readouterr().out
    assert "Pooled over 1 test image" in out
    assert "Photon noise, 0 dB" in out
    assert cli.main([*asked, "--snr", "loud"]) == 1
    assert "numbers in dB" in capsys.readouterr().err


def test_images_that_the_model_has_seen_are_left_out(done: Trained) -> None:
    file, run = done
    job = prepare_examination(file, run, "noise", snr_db=[10])
    seen = load_model(run.path).training_images
    request = job.request | {"seen": list(seen), "snapshot": ""}
    write_json(job.path / "request.json", request)
    set_aside(job, file, list(file.project.images))
    assert run_job(str(job.path)) == 1
    last = job.last_event()
    assert last is not None
    assert "has learned from it" in last["message"]
    assert "choose the other split" in last["message"]
    assert read_examination(job) is None
