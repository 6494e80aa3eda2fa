"""Ensembles as jobs: ranked and chosen on validation only, killed, refused, one more model."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from orgseg_app.core.classes import ClassInfo
from orgseg_app.core.split import TRAIN, VALIDATION
from orgseg_app.files.predictions import read_prediction
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.learn.checkpoint import Model, load_model, save_model
from orgseg_app.learn.ensembles.choice import Decision
from orgseg_app.learn.ensembles.members import Member, load_models, load_together
from orgseg_app.learn.ensembles.unseen import unseen_plan
from orgseg_app.learn.errors import CheckpointError, DataError
from orgseg_app.learn.job import run_job
from orgseg_app.learn.networks.registry import build_network
from orgseg_app.runs import launcher
from orgseg_app.runs.comparison import compare
from orgseg_app.runs.ensembles import facts_of, prepare_ensemble
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.folder import RunFolder, list_runs, runs_dir
from orgseg_app.runs.launcher import job_command, job_environment
from orgseg_app.runs.model_file import read_model_facts
from orgseg_app.runs.prediction import prepare_image_prediction, prepare_prediction
from orgseg_app.runs.recipes.schema import NetworkChoice, PreprocessStep
from orgseg_app.runs.training import class_facts, image_facts_of, prepare_scoring
from tests.learn.conftest import disc_image, tiny_recipe

Make = Callable[..., ProjectFile]

SLOPE = 0.02
AS_IT_IS = [PreprocessStep("gaussian", {"sigma": 0.1})]
HIGH, LOW, BLIND = 800.0, 330.0, -5000.0
"""Grey values above which a member sees a disc: ground is 300 ± 40, discs are 800 ± 40. The first
misses half of each disc, the second takes a quarter of the ground for one, and the mean of both is
nearly right; the third sees discs everywhere."""


def threshold_network(level: float, *, channels: int = 1, classes: int = 2) -> Any:
    """A U-Net whose answer follows from the grey value of each pixel alone."""
    network: Any = build_network(
        NetworkChoice(depth=1, width=4), channels=channels, classes=classes
    )
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
                module.weight.zero_()
        for block in (network.down[0], network.join[0]):
            for conv in (block[0], block[3]):
                conv.weight[0, 0, 1, 1] = 1.0
        network.head.weight[1, 0] = SLOPE
        network.head.bias.zero_()
        network.head.bias[1] = -SLOPE * level
    return network.eval()


def trained(
    project: ProjectFile,
    name: str,
    level: float,
    *,
    learned: Sequence[str] = ("disc 0", "disc 1", "disc 2"),
    channels: int = 1,
    class_names: Sequence[str] | None = None,
    extra: dict[str, Any] | None = None,
) -> RunFolder:
    """A finished training whose model is `threshold_network`."""
    images = project.project.images
    known = [i for i in images if images[i].name in learned or images[i].split == VALIDATION]
    facts = image_facts_of(project, known)
    for fact in facts:
        fact["split"] = TRAIN if fact["name"] in learned else VALIDATION
    run = RunFolder.create(
        runs_dir(project.path),
        name=name,
        kind="train",
        recipe=tiny_recipe(preprocess=AS_IT_IS),
        project_uuid=project.project.uuid,
        extra={"images": facts, "classes": class_facts(project)} | (extra or {}),
    )
    classes = project.project.classes
    if class_names is not None:
        classes = tuple(
            ClassInfo(c.class_id, n, c.colour) for c, n in zip(classes, class_names, strict=True)
        )
    model = Model(
        network=threshold_network(level, channels=channels, classes=len(classes)),
        recipe=tiny_recipe(preprocess=AS_IT_IS),
        classes=classes,
        channels=channels,
        run_id=run.run_id,
        name=name,
        training_images=tuple(str(fact["sha256"]) for fact in facts),
    )
    save_model(run.best_path, model)
    with EventWriter(run.events_path) as events:
        events.write("finished", run=run.run_id, message="")
    return run


def upside_down(number: int, pixels: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """On test images all but a corner is disc: there the blind member is the best of all."""
    if number == 4:
        mask = np.full_like(mask, 2)
        mask[:4, :4] = 1
    return pixels, mask


@pytest.fixture
def three(make_project: Make) -> tuple[ProjectFile, list[RunFolder]]:
    project = make_project(name="Zellen ü", edit=upside_down)
    members = [
        trained(project, "blind", BLIND),
        trained(project, "tief ü", LOW),
        trained(project, "hoch", HIGH),
    ]
    return project, members


def made(project: ProjectFile, members: Sequence[RunFolder], **asked: Any) -> RunFolder:
    """An ensemble that is ready."""
    run = prepare_ensemble(project, members, **asked)
    assert run_job(str(run.path)) == 0, run.log_path.read_text()
    return run


def choice_of(run: RunFolder) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run.path / "ensemble.json").read_text())
    return found


@pytest.mark.parametrize("how", ["mean", "vote"])
def test_k_is_chosen_on_validation_and_the_test_images_decide_nothing(
    three: tuple[ProjectFile, list[RunFolder]], how: str
) -> None:
    project, members = three
    run = made(project, members, how=how)

    choice = choice_of(run)
    assert [member["name"] for member in choice["ranked"]] == ["hoch", "tief ü", "blind"]
    assert [tried["k"] for tried in choice["tried"]] == [1, 2, 3]
    iou = [tried["validation"]["mean_iou"] for tried in choice["tried"]]
    assert choice["k"] == 2
    assert max(iou) == iou[1] > 0.95 > max(iou[0], iou[2])
    metrics = run.metrics()
    assert metrics is not None
    assert metrics["validation"]["mean_iou"] == pytest.approx(iou[1], abs=1e-3)
    # Had the test image a say, the blind member alone would have been chosen: it is right there.
    blind = prepare_scoring(members[0], project)
    assert run_job(str(blind.path)) == 0
    by_blind = blind.metrics()
    assert by_blind is not None
    assert by_blind["test"]["accuracy"] > 0.95 > metrics["test"]["accuracy"]

    last = run.last_event()
    assert last is not None
    assert last["event"] == run.state == "finished"
    assert last["message"].startswith(f"The best 2 of 3 models decide together ({how})")
    assert facts_of(run).words == f"{how} of the best 2 of 3: hoch, tief ü"
    assert [m.is_used for m in facts_of(run).members] == [True, True, False]


def test_scores_of_the_test_image_are_those_of_the_mean_by_hand(
    three: tuple[ProjectFile, list[RunFolder]], tmp_path: Path
) -> None:
    project, members = three
    run = made(project, members)
    chosen = members[1:]
    for image in project.project.images.values():
        if image.split == TRAIN:
            continue
        expected = by_hand(chosen, project.read_image(image.image_id)[:, 0])
        assert np.array_equal(
            read_prediction(run.predictions_path, image.image_id).mask[0], expected
        )

    # The runs it was made of are no longer needed, wherever it is used.
    for member in members:
        member.delete()
    asked = prepare_image_prediction(run, project, [next(iter(project.project.images))])
    assert run_job(str(asked.path)) == 0, asked.log_path.read_text()
    first = next(iter(project.project.images))
    pixels, _ = disc_image(77)
    tifffile.imwrite(tmp_path / "neu.tif", pixels)
    out = tmp_path / "masks"
    job = prepare_prediction(tmp_path, models=[run], inputs=[tmp_path / "neu.tif"], out=out)
    assert run_job(str(job.path)) == 0, job.log_path.read_text()
    loaded = load_models(run.path)
    assert [model.name for model in loaded.models] == ["hoch", "tief ü"]
    networks = [model.network for model in loaded.models]
    found = read_prediction(asked.predictions_path, first).mask[0]
    assert np.array_equal(found, mean_of(networks, project.read_image(first)[:, 0]))
    written = np.where(tifffile.imread(out / "neu.tif") > 0, 2, 1)
    assert np.array_equal(written, mean_of(networks, pixels[None]))
    assert load_together([run.path, run.best_path]).how == "mean"
    with pytest.raises(CheckpointError, match="an ensemble of several models"):
        load_model(run.path)
    with pytest.raises(RunError, match="is an ensemble"):
        read_model_facts(run.best_path)


def by_hand(members: Sequence[RunFolder], plane_cyx: np.ndarray) -> np.ndarray:
    return mean_of([load_model(run.best_path).network for run in members], plane_cyx)


def mean_of(networks: Sequence[Any], plane_cyx: np.ndarray) -> np.ndarray:
    """Class ids ``(Y, X)`` of the mean of the networks' probabilities, tiles and files aside."""
    image = torch.from_numpy(plane_cyx.astype(np.float32))[None]
    with torch.inference_mode():
        chances = sum(torch.softmax(network(image), dim=1) for network in networks)
    found: np.ndarray = chances[0].numpy().argmax(0) + 1
    return found


def test_an_ensemble_is_one_more_row_and_is_scored_anew(
    three: tuple[ProjectFile, list[RunFolder]],
) -> None:
    project, members = three
    run = made(project, members, name="alle", turns=True)
    row = compare(project, [run]).runs[0]
    assert (row.name, row.missing, row.leaked) == ("alle", (), ())
    assert row.recipe == "mean of the best 2 of 3, turned and mirrored: hoch, tief ü"
    assert row.pooled is not None
    before = row.pooled.mean_iou
    again = prepare_scoring(run, project)
    assert run_job(str(again.path)) == 0, again.log_path.read_text()
    metrics = again.metrics()
    assert metrics is not None
    assert metrics["scored_run"] == run.run_id
    rescored = compare(project, [run]).runs[0]
    assert rescored.pooled is not None
    assert rescored.pooled.mean_iou == before


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_killed_and_started_again_equals_undisturbed(
    three: tuple[ProjectFile, list[RunFolder]],
) -> None:
    project, members = three
    whole = made(project, members)
    killed = prepare_ensemble(project, members)
    with open(killed.log_path, "ab") as log:
        job = subprocess.Popen(
            job_command(killed.path), env=job_environment(), stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 60
        while not any(e["event"] == "progress" for e in killed.events()[0]):
            assert time.monotonic() < deadline, killed.log_path.read_text()
            time.sleep(0.01)
        job.send_signal(signal.SIGKILL)
    finally:
        job.kill()
        job.wait()
    assert killed.state == "lost"
    for member in members:  # it has all it needs
        member.delete()
    launcher.request_resume(killed)
    assert launcher.wait_for_end(killed, 60) == "finished", killed.log_path.read_text()
    assert choice_of(killed)["tried"] == choice_of(whole)["tried"]
    a, b = whole.metrics(), killed.metrics()
    assert a is not None
    assert b is not None
    assert [e["confusion"] for e in a["images"]] == [e["confusion"] for e in b["images"]]


def test_a_stop_is_heard_and_damaged_copies_are_named(
    three: tuple[ProjectFile, list[RunFolder]],
) -> None:
    project, members = three
    run = prepare_ensemble(project, members)
    (run.control_dir / "stop").touch()
    assert run_job(str(run.path)) == 0
    assert run.state == "stopped"
    (run.control_dir / "stop").unlink()
    copy = run.path / "member-2.ckpt"
    copy.write_bytes(copy.read_bytes()[:-40])
    assert run_job(str(run.path)) == 1
    assert 'The copy of the model "tief ü"' in str((run.last_event() or {})["message"])
    copy.unlink()
    assert run_job(str(run.path)) == 1
    assert not run.best_path.exists()
    run.snapshot_path.unlink()
    with pytest.raises(RunError, match="cannot go on"):
        launcher.request_resume(run)


def test_what_does_not_go_together_is_refused(
    three: tuple[ProjectFile, list[RunFolder]], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, members = three
    count = len(list_runs(project.path))
    other = trained(project, "andere Klasse", LOW, class_names=["background", "nucleus"])
    colour = trained(project, "bunt", LOW, channels=3)
    empty = trained(project, "leer", LOW)
    empty.best_path.unlink()
    banded = trained(project, "Bänder", LOW, extra={"split": {"blocks": True}})
    for chosen, words in (
        ([members[0]], "at least two"),
        ([members[0], members[0]], "at least two"),
        ([members[0], other], 'knows "disc", "andere Klasse" knows "nucleus"'),
        ([members[0], colour], '"bunt" with 3'),
        ([members[0], empty], "has no model yet"),
        ([members[0], banded], "different bands"),
    ):
        with pytest.raises(RunError, match=words):
            prepare_ensemble(project, chosen)
    with pytest.raises(RunError, match="mean or vote"):
        prepare_ensemble(project, members, how="max")
    monkeypatch.setattr("orgseg_app.runs.ensembles.shutil.copyfile", _full_disk)
    with pytest.raises(RunError, match="could not be copied"):
        prepare_ensemble(project, members)
    assert len(list_runs(project.path)) == count + 4  # nothing half made is left
    monkeypatch.undo()
    first = made(project, members)
    with pytest.raises(RunError, match="is an ensemble itself"):
        prepare_ensemble(project, [members[0], first])


def _full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_test_image_that_any_member_has_learned_from_gets_no_score(make_project: Make) -> None:
    project = make_project()
    members = [
        trained(project, "a", LOW),
        trained(project, "b", HIGH),
        trained(project, "cheat", BLIND, learned=("disc 0", "disc 1", "disc 4")),
    ]
    run = made(project, members)
    assert [m.name for m in facts_of(run).members if m.is_used] == ["b", "a"]
    metrics = run.metrics()
    assert metrics is not None
    assert metrics["test"] is None
    assert [item["image"] for item in metrics["refused"]] == ["disc 4"]
    row = compare(project, [run]).runs[0]
    assert list(row.refused.values()) == [metrics["refused"][0]["reason"]]


def test_a_validation_image_that_a_member_has_learned_from_does_not_choose(
    make_project: Make,
) -> None:
    project = make_project(("train", "train", "validation", "validation", "test"))
    members = [
        trained(project, "a", LOW, learned=("disc 0", "disc 1")),
        trained(project, "b", HIGH, learned=("disc 0", "disc 2")),
    ]
    run = made(project, members)
    said = [e["text"] for e in run.events()[0] if e["event"] == "message"]
    assert said == ['"disc 2" does not help to choose: "b" has learned from it.']
    metrics = run.metrics()
    assert metrics is not None
    assert [e["image"] for e in metrics["images"] if e["split"] == VALIDATION] == ["disc 3"]


def test_folds_leave_nothing_to_choose_on_so_all_decide(make_project: Make) -> None:
    project = make_project(("train", "train", "test"))
    ids = [i.image_id for i in project.project.images.values()]
    members = [
        trained(project, name, level, learned=(f"disc {1 - held}",), extra=fold)
        for name, level, held in (("fold 1", LOW, 0), ("fold 2", HIGH, 1))
        if (fold := {"split": {"validation": [ids[held]]}})
    ]
    for member, held in zip(members, (0, 1), strict=True):  # each knows both images
        request = member.request | {"images": image_facts_of(project, ids[:2])}
        (member.path / "request.json").write_text(json.dumps(request))
        assert request["split"] == {"validation": [ids[held]]}
    run = made(project, [RunFolder(member.path) for member in members])
    choice = choice_of(run)
    assert (choice["k"], choice["tried"]) == (2, [])
    assert str((run.last_event() or {})["message"]).startswith("All 2 models decide (mean)")
    metrics = run.metrics()
    assert metrics is not None
    assert metrics["validation"] is None
    assert metrics["test"]["mean_iou"] > 0.95


def test_strips_choose_where_all_members_held_out_the_same(make_project: Make) -> None:
    project = make_project(("train", "train", "test"), size=96)
    runs = [trained(project, name, level) for name, level in (("a", LOW), ("b", HIGH))]
    asked = prepare_ensemble(project, runs).request["members"]
    members = [
        Member(load_model(run.best_path), facts) for run, facts in zip(runs, asked, strict=True)
    ]
    plan = unseen_plan(project, members, None)
    truths = {image.name: truth for image, truth in plan.truths(project, VALIDATION)}
    assert set(truths) == {"disc 0", "disc 1"}
    assert all(0 < np.count_nonzero(truth) < truth.size / 2 for truth in truths.values())
    asked[0]["masks"] = {}  # painted anew since: what was held out cannot be known any more
    assert not list(unseen_plan(project, members, None).truths(project, VALIDATION))
    with pytest.raises(DataError, match="One image can be parted"):
        unseen_plan(project, members, {"blocks": True})


def test_votes_and_means_as_a_slow_reference_counts_them() -> None:
    random = np.random.default_rng(3)
    answers = random.random((5, 4, 9, 7))
    answers = np.rint(answers / answers.sum(1, keepdims=True) * 255).astype(np.uint8)
    for is_vote in (False, True):
        decision = Decision(is_vote)
        for count in range(1, 6):
            own = answers[count - 1]
            found = decision.add(own, own.argmax(0).astype(np.uint8))
            for y, x in np.ndindex(9, 7):
                means = answers[:count, :, y, x].astype(float).mean(0)
                votes = [sum(a[:, y, x].argmax() == k for a in answers[:count]) for k in range(4)]
                most = [k for k in range(4) if not is_vote or votes[k] == max(votes)]
                assert means[found[y, x]] == max(means[k] for k in most)
                assert found[y, x] in most
