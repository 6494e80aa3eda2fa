"""What a training tells beside losses: memory, intervals, pictures of planes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from orgseg_app.learn.job import run_job
from orgseg_app.learn.prediction.predictor import Predictor
from orgseg_app.learn.training.previews import Previews
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.previews import (
    MOST_PLANES,
    REQUEST,
    ask_for_previews,
    asked_previews,
    preview_name,
)
from orgseg_app.runs.training import prepare_training
from tests.learn.conftest import tiny_recipe
from tests.learn.predicting import predict_plane


def of_kind(run: RunFolder, kind: str) -> list[dict[str, Any]]:
    return [e for e in run.events()[0] if e["event"] == kind]


def test_steps_and_checks_say_how_sure_and_how_large(make_project: Any) -> None:
    project = make_project(("train", "validation", "validation", "validation"), size=80)
    first = next(iter(project.project.images))
    run = prepare_training(project, tiny_recipe(steps=8, validate_every=4))
    ask_for_previews(run, [(first, 0)])
    assert run_job(str(run.path)) == 0, run.log_path.read_text()
    step = of_kind(run, "step")[-1]
    assert step["memory_bytes"] > 10**7
    assert step["gpu_memory_bytes"] is None
    assert step["device"] == "CPU · 1 thread · fp32"
    check = of_kind(run, "validation")[-1]
    low, high = check["interval"]
    assert 0 <= low <= check["mean_iou"] <= high <= 1
    assert (check["units"], check["unit_count"]) == ("planes", 3)
    assert set(check["iou_interval"]) == {"1", "2"}
    shown = of_kind(run, "preview")
    assert [e["step"] for e in shown] == [4, 8]
    assert shown[0]["image_id"] == first
    picture = cv2.imread(str(run.path / shown[0]["path"]), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (80, 80)
    assert set(np.unique(picture)) <= {1, 2}


def test_one_plane_is_parted_into_tiles(make_project: Any) -> None:
    run = prepare_training(
        make_project(("train", "validation"), size=200), tiny_recipe(steps=2, validate_every=2)
    )
    assert run_job(str(run.path)) == 0
    check = of_kind(run, "validation")[-1]
    assert (check["units"], check["unit_count"]) == ("tiles of 128 pixels", 4)
    assert check["interval"] is not None


def test_images_without_paint_can_be_watched(make_project: Any) -> None:
    def unpainted(number: int, pixels: np.ndarray, mask: np.ndarray) -> Any:
        return pixels, mask * (number != 2)

    project = make_project(("train", "validation", "train"), edit=unpainted)
    ids = list(project.project.images)
    recipe = tiny_recipe(steps=2, validate_every=2)
    run = prepare_training(project, recipe, preview_images=[ids[2], "no such image"])
    ask_for_previews(run, [(ids[2], 0)])
    assert run_job(str(run.path)) == 0
    (shown,) = of_kind(run, "preview")
    assert shown["path"] == preview_name(ids[2], 0)
    assert of_kind(run, "started")[0]["images"] == {"train": 1, "validation": 1, "test": 0}


def test_what_cannot_be_shown_is_said(make_project: Any, train: Any, tmp_path: Path) -> None:
    trainer, _ = train(tiny_recipe())
    project = make_project(("train",), name="shown")
    image_id = next(iter(project.project.images))
    control = tmp_path / "control"
    control.mkdir()
    events: list[tuple[str, dict[str, Any]]] = []
    previews = Previews(project, tmp_path, control)
    predictor = Predictor([trainer.model])
    wanted = [{"image_id": "../../etc/passwd"}, {"image_id": image_id, "z": 5}]
    (control / REQUEST).write_text(json.dumps({"planes": wanted, "images": [image_id]}))
    previews.show(predictor, step=3, tell=lambda name, **fields: events.append((name, fields)))
    facts = [fields for _, fields in events]
    assert [f["path"] is None for f in facts] == [True, True, False]
    assert "not set aside" in facts[0]["reason"]
    assert "planes only" in facts[1]["reason"]
    mask, _ = predict_plane(predictor, project.read_plane(image_id, 0))
    picture = cv2.imread(str(tmp_path / facts[2]["path"]), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(picture, mask)
    assert not list((tmp_path / "previews").glob(".*"))


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        '{"planes": 7}',
        '{"planes": [{"image_id": 3}]}',
        '{"planes": [{"image_id": "a", "z": -1}]}',
        '{"images": ["' + "x" * 300 + '"]}',
        '{"images": ' + json.dumps(["a"] * (MOST_PLANES + 1)) + "}",
        '{"images": ["a"], "pad": "' + "x" * 70_000 + '"}',
        "[" * 100_000,
    ],
)
def test_broken_requests_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / REQUEST).write_text(text)
    assert asked_previews(tmp_path) == []


@pytest.mark.parametrize("image_id", ["", "../a", "a/b", "a\\b", ".", "a\0"])
def test_names_of_previews_are_no_paths(image_id: str) -> None:
    with pytest.raises(ValueError, match="no id"):
        preview_name(image_id, 0)
