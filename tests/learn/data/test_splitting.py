"""Honest splits: bands with a gap as wide as the network sees, folds, refused scores."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from orgseg_app.core.split import TEST, TRAIN, VALIDATION, fine_structure, likeness
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.learn.checkpoint import load_model
from orgseg_app.learn.data import leakage
from orgseg_app.learn.data.dataset import read_examples
from orgseg_app.learn.data.leakage import ALIKE, leaks
from orgseg_app.learn.data.patches import IGNORED
from orgseg_app.learn.data.splitting import (
    GAP_WITHOUT_END,
    SplitPlan,
    gap_for,
    gap_z_for,
    plan_split,
)
from orgseg_app.learn.errors import DataError
from orgseg_app.learn.job import run_job
from orgseg_app.learn.networks.registry import build_network
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folds import prepare_folds
from orgseg_app.runs.recipes.schema import NetworkChoice
from orgseg_app.runs.training import prepare_training
from tests.learn.conftest import disc_image, tiny_recipe

Make = Callable[..., ProjectFile]


def test_the_gap_is_what_the_network_sees() -> None:
    deep = tiny_recipe(network=NetworkChoice(depth=4, width=4))
    assert gap_for(deep) == build_network(deep.network, channels=1, classes=2).radius > 32
    assert gap_for(tiny_recipe()) == 32  # sees less
    endless = tiny_recipe(network=NetworkChoice("agnet", width=4))
    assert gap_for(endless) == GAP_WITHOUT_END


def test_planes_count_by_how_far_they_are_apart(make_project: Make) -> None:
    image = next(iter(make_project(("train",)).project.images.values()))
    flat = tiny_recipe()
    assert gap_z_for(flat, image) == 32  # as pixels, where nothing is known
    thick = image.changed(pixel_size_um=(0.05, 0.005, 0.005))
    assert gap_z_for(flat, thick) == 4
    several = tiny_recipe(network=NetworkChoice(depth=1, width=4, planes=13))
    assert gap_z_for(several, thick) == 6  # out of sight
    endless = tiny_recipe(network=NetworkChoice("unet3d_aniso", depth=2, width=4))
    seen = build_network(endless.network, channels=1, classes=2).radius_z
    assert seen is not None
    assert gap_z_for(endless, thick) == max(4, seen)


def test_of_a_volume_whole_planes_are_held_out_where_they_lie_apart(make_project: Make) -> None:
    def deepen(number: int, pixels: np.ndarray, mask: np.ndarray) -> Any:
        volume = np.zeros((30, *mask.shape), np.uint8)
        volume[[2, 11, 20, 29]] = mask
        return np.stack([pixels] * 30), volume

    project = make_project(("train",), size=96, edit=deepen)
    (image_id, image), *_ = project.project.images.items()
    project.project.images[image_id] = image.changed(pixel_size_um=(0.05, 0.005, 0.005))
    found = read_examples(project, tiny_recipe())
    z = {s: [p.z for p in planes] for s, planes in ((0, found.train), (1, found.validation))}
    assert z in ({0: [11, 20, 29], 1: [2]}, {0: [2, 11, 20], 1: [29]})
    assert all((plane.target != IGNORED).all() for plane in (*found.train, *found.validation))
    assert len(found.messages) == 1
    assert "with 4 planes between" in found.messages[0]
    # Too close together for planes of unknown thickness: strips within all of them.
    project.project.images[image_id] = image.changed(pixel_size_um=None)
    found = read_examples(project, tiny_recipe())
    assert [p.z for p in found.train] == [p.z for p in found.validation] == [2, 11, 20, 29]
    assert "strip" in found.messages[0]


def test_one_image_in_three_bands(make_project: Make) -> None:
    run = prepare_training(
        make_project(("train",), size=256), tiny_recipe(steps=2, validate_every=2), blocks=True
    )
    assert not [w for w in run.warnings if "split" in w]
    assert run_job(str(run.path)) == 0, run.log_path.read_text()
    metrics = run.metrics()
    assert metrics is not None
    by_split = {e["split"]: np.sum(e["confusion"]) for e in metrics["images"]}
    assert set(by_split) == {VALIDATION, TEST}
    assert all(0.1 * 256**2 < n < 0.25 * 256**2 for n in by_split.values())
    assert metrics["refused"] == []
    with ProjectFile.open(run.snapshot_path, read_only=True) as snapshot:
        plan = plan_split(snapshot, tiny_recipe(), run.request["split"])
        (blocks,) = plan.blocks.values()
        assert blocks is not None
        examples = read_examples(snapshot, tiny_recipe(), plan=plan)
        ends = sorted((a, b) for _, a, b in blocks.bands)
        assert all(c - b >= 32 for (_, b), (c, _) in itertools.pairwise(ends))
        image = next(iter(snapshot.project.images.values()))
        parts = plan.parts(snapshot, image)
        assert sum((part > 0).astype(int) for part in parts.values()).max() == 1
        assert len(examples.train) == len(examples.validation) == 1


def test_an_image_too_small_for_a_test_band_has_no_test_score(make_project: Make) -> None:
    run = prepare_training(make_project(("train",)), tiny_recipe(steps=2), blocks=True)
    assert run_job(str(run.path)) == 0
    events, _ = run.events()
    assert events[-1]["test"] is None
    said = " ".join(e["text"] for e in events if e["event"] == "message")
    assert "there will be no test score" in said
    with pytest.raises(RunError, match="5 images are painted"):
        prepare_training(make_project(name="many"), tiny_recipe(), blocks=True)


def test_nothing_of_the_test_images_reaches_the_model(make_project: Make) -> None:
    """Other test paint, another test picture: the same best state, bit for bit."""

    def other(number: int, pixels: np.ndarray, mask: np.ndarray) -> Any:
        return disc_image(99)[0] if number == 4 else pixels, 3 - mask if number == 4 else mask

    runs = []
    for name, edit in (("a", None), ("b", other)):
        run = prepare_training(make_project(name=name, edit=edit), tiny_recipe())
        assert run_job(str(run.path)) == 0
        runs.append(run)
    weights = [load_model(run.path).network.state_dict() for run in runs]
    assert all(weights[0][key].equal(weights[1][key]) for key in weights[0])
    scores = [run.metrics() for run in runs]
    assert scores[0]["test"] != scores[1]["test"]  # type: ignore[index]


# -- folds -----------------------------------------------------------------------------------------


def test_folds_hold_every_image_out_once_and_no_test_image(make_project: Make) -> None:
    project = make_project(("train", "train", "validation", "train", "train", "test"))
    test_id = list(project.project.images)[-1]
    runs = prepare_folds(project, tiny_recipe(steps=2), 2, "x")
    assert [run.name for run in runs] == ["x fold 1 of 2", "x fold 2 of 2"]
    held: list[str] = []
    for run in runs:
        with ProjectFile.open(run.snapshot_path, read_only=True) as snapshot:
            assert test_id not in snapshot.project.images
            plan = plan_split(snapshot, tiny_recipe(), run.request["split"])
            by_split = plan.images(snapshot)
            ids = {s: {i.image_id for i in images} for s, images in by_split.items()}
            assert ids[TRAIN] | ids[VALIDATION] == set(project.project.images) - {test_id}
            assert not ids[TRAIN] & ids[VALIDATION]
            held += ids[VALIDATION]
    assert sorted(held) == sorted(set(project.project.images) - {test_id})
    assert run_job(str(runs[0].path)) == 0
    metrics = runs[0].metrics()
    assert metrics is not None
    assert {e["image_id"] for e in metrics["images"]} == set(runs[0].request["split"]["validation"])
    with pytest.raises(RunError, match="6 folds need 6"):
        prepare_folds(project, tiny_recipe(), 6)
    with pytest.raises(RunError, match="2 to 20"):
        prepare_folds(project, tiny_recipe(), 1)


def test_one_image_is_folded_in_bands(make_project: Make) -> None:
    project = make_project(("train",), size=200)
    runs = prepare_folds(project, tiny_recipe(steps=2, validate_every=2), 3)
    held = np.zeros((1, 200, 200), int)
    for run in runs:
        with ProjectFile.open(run.snapshot_path, read_only=True) as snapshot:
            plan = plan_split(snapshot, tiny_recipe(), run.request["split"])
            (image,) = snapshot.project.images.values()
            parts = plan.parts(snapshot, image)
            assert not ((parts[TRAIN] > 0) & (parts[VALIDATION] > 0)).any()
            held += parts[VALIDATION] > 0
    assert (held == 1).all()
    assert run_job(str(runs[1].path)) == 0, runs[1].log_path.read_text()
    with (
        ProjectFile.open(runs[0].snapshot_path, read_only=True) as snapshot,
        pytest.raises(DataError, match="too small for 9 bands"),
    ):
        plan_split(snapshot, tiny_recipe(), {"fold": 0, "of": 9})


# -- refused ---------------------------------------------------------------------------------------


def refused(project: ProjectFile, **more: Any) -> tuple[dict[str, str], dict[str, Any]]:
    run = prepare_training(project, tiny_recipe(steps=2, validate_every=2), **more)
    assert run_job(str(run.path)) == 0, run.log_path.read_text()
    metrics, last = run.metrics(), run.last_event()
    assert metrics is not None
    assert last is not None
    said = [e["text"] for e in run.events()[0] if e["event"] == "message"]
    for entry in metrics["refused"]:
        assert entry["reason"] in said
        assert entry in last["refused"]
    return {e["image"]: e["reason"] for e in metrics["refused"]}, metrics


def test_the_same_picture_in_two_splits_gets_no_test_score(make_project: Make) -> None:
    def copied(number: int, pixels: np.ndarray, mask: np.ndarray) -> Any:
        return disc_image(0) if number == 4 else (pixels, mask)

    found, metrics = refused(
        make_project((*["train"] * 3, "validation", "test", "test"), edit=copied)
    )
    assert set(found) == {"disc 4"}
    assert "has learned from" in found["disc 4"]
    assert [e["image"] for e in metrics["images"] if e["split"] == TEST] == ["disc 5"]
    assert metrics["test"] is not None


def test_another_form_of_a_training_picture_is_recognised(make_project: Make) -> None:
    def brighter(number: int, pixels: np.ndarray, mask: np.ndarray) -> Any:
        if number == 2:
            noise = np.random.default_rng(0).normal(0, 30, pixels.shape)
            pixels = (disc_image(0)[0] * 1.7 + 50 + noise).astype(np.uint16)
            mask = disc_image(0)[1]
        return pixels, mask

    found, metrics = refused(make_project(("train", "validation", "test"), edit=brighter))
    assert 'same place as "disc 0"' in found["disc 2"]
    assert metrics["test"] is None


def test_images_of_the_model_it_starts_from_get_no_score(make_project: Make) -> None:
    first = prepare_training(make_project(name="a"), tiny_recipe(steps=2, validate_every=2))
    assert run_job(str(first.path)) == 0
    swapped = make_project(("validation", "test", "train", "train", "train"), name="b")
    found, _ = refused(swapped, start_from=first)
    assert set(found) == {"disc 1"}  # it taught the earlier model
    assert "trained further from" in found["disc 1"]


def test_neighbouring_time_points_are_told_apart_by_their_number(make_project: Make) -> None:
    project = make_project(("train", "test"))
    first, second = project.project.images.values()
    images = {
        image.image_id: image.changed(time_series="film", time=time)
        for image, time in ((first, 4), (second, 5))
    }
    near = leakage._next_in_time(images[second.image_id], [images[first.image_id]])
    assert near is images[first.image_id]
    far = images[first.image_id].changed(time=2)
    assert leakage._next_in_time(images[second.image_id], [far]) is None
    assert leaks(project, SplitPlan(), ()) == {}  # alone, they are different places


@pytest.mark.data
def test_real_neighbours_are_recognised_and_real_strangers_are_not(shared_data: Any) -> None:
    import cv2
    import tifffile

    volume = tifffile.imread(shared_data / "em_volume_flyem" / "image.tif")
    planes = [fine_structure(volume[z]) for z in (0, 1, 2, 30)]
    assert likeness(planes[0], planes[1]) > ALIKE + 0.1
    assert likeness(planes[0], planes[2]) > ALIKE
    assert likeness(planes[0], planes[3]) < ALIKE - 0.2
    for folder in ("nuclei_dsb2018/images", "er_fluo_ernet/tiles_256/images"):
        paths = sorted((shared_data / folder).glob("*.png"))[:12]
        found = [fine_structure(cv2.imread(str(p), cv2.IMREAD_GRAYSCALE)) for p in paths]
        pairs = [likeness(a, b) for i, a in enumerate(found) for b in found[:i]]
        assert max(pairs) < ALIKE - 0.2


def test_a_scale_bar_in_all_pictures_says_nothing() -> None:
    random = np.random.default_rng(0)
    pictures = random.normal(100, 10, (2, 256, 256))
    pictures[:, 230:240, 150:240] = 4000
    a, b = (fine_structure(p) for p in pictures)
    assert likeness(a, b) < 0.3
    assert likeness(a, a) == pytest.approx(1, abs=1e-3)
    assert likeness(a, fine_structure(np.zeros((256, 256)))) == 0
    assert likeness(a, fine_structure(np.zeros((64, 256)))) == 0
