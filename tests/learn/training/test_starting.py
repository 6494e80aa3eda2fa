"""Fine-tuning: weights are taken over, adapted where they must be, and said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from orgseg_app.core.classes import default_classes
from orgseg_app.learn.checkpoint import Model, load_model, read_checkpoint, save_model
from orgseg_app.learn.errors import CheckpointError
from orgseg_app.learn.job import run_job
from orgseg_app.learn.networks.registry import build_network
from orgseg_app.learn.training.starting import start_from
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.recipes.schema import NetworkChoice, PreprocessStep, Recipe
from orgseg_app.runs.training import prepare_training
from tests.learn.conftest import tiny_recipe

CHOICE = NetworkChoice(depth=1, width=4)


def model(
    names: tuple[str, ...] = ("cell",), *, channels: int = 1, seed: int = 0, **more: Any
) -> Model:
    torch.manual_seed(seed)
    choice = more.pop("choice", CHOICE)
    classes = default_classes(list(names))
    network = build_network(choice, channels=channels, classes=len(classes))
    recipe = Recipe(name="m", network=choice)
    return Model(network, recipe, classes, channels, name=more.pop("name", "earlier"), **more)


def started(old: Model, new: Model, folder: Path) -> tuple[dict[str, torch.Tensor], list[str]]:
    save_model(folder / "old.ckpt", old)
    said = start_from(folder / "old.ckpt", new)
    return new.network.state_dict(), said


@pytest.mark.parametrize("name", ["unet", "unet_dropout", "net2d3d"])
def test_the_same_task_takes_over_everything(tmp_path: Path, name: str) -> None:
    choice = NetworkChoice(name, depth=2, width=4)
    old = model(step=40, training_images=("sha256:a", "sha256:b"), choice=choice)
    new = model(seed=1, training_images=("sha256:b", "sha256:c"), choice=choice)
    found, said = started(old, new, tmp_path)
    for key, value in old.network.state_dict().items():
        assert found[key].equal(value), key
    assert said == ['Goes on from "earlier", which was trained for 40 steps.']
    assert set(new.training_images) == {"sha256:a", "sha256:b", "sha256:c"}


def test_classes_are_matched_by_name_and_others_begin_anew(tmp_path: Path) -> None:
    old, new = model(("cell", "wall")), model(("nucleus", "wall", "cell"), seed=1)
    fresh = {k: v.clone() for k, v in new.network.state_dict().items()}
    found, said = started(old, new, tmp_path)
    was = old.network.state_dict()
    for key in ("head.weight", "head.bias"):
        for index, source in ((0, 0), (2, 2), (3, 1)):
            assert found[key][index].equal(was[key][source])
        assert found[key][1].equal(fresh[key][1])
    assert found["down.0.0.weight"].equal(was["down.0.0.weight"])
    assert any('"nucleus"' in text and "begins anew" in text for text in said)
    swapped, _ = started(old, model(("wall", "cell"), seed=1), tmp_path)
    assert swapped["head.weight"][1].equal(was["head.weight"][2])


def test_features_beside_the_logits_of_a_first_answer_stay(tmp_path: Path) -> None:
    choice = NetworkChoice("net2d3d", depth=1, width=4)
    old = model(("cell", "vesicle"), choice=choice)
    new = model(("vesicle", "new one", "cell"), seed=1, choice=choice)
    fresh = {key: value.clone() for key, value in new.network.state_dict().items()}
    found, said = started(old, new, tmp_path)
    assert not any("do not fit" in sentence for sentence in said)
    for key in ("pyramid.fine.0.weight", "pyramid.coarse.0.weight"):
        before = old.network.state_dict()[key]
        for now, then in ((0, 0), (1, 2), (3, 1)):
            assert found[key][:, now].equal(before[:, then])
        assert found[key][:, 2].equal(fresh[key][:, 2])
        assert found[key][:, 4:].equal(before[:, 3:])


def test_another_number_of_channels_keeps_the_size_of_the_answer(tmp_path: Path) -> None:
    old, new = model(channels=1), model(channels=3, seed=1)
    found, said = started(old, new, tmp_path)
    grey = torch.randn(1, 1, 16, 16)
    a = old.network.down[0][0](grey)
    b = torch.nn.functional.conv2d(grey.expand(1, 3, 16, 16), found["down.0.0.weight"], padding=1)
    assert torch.allclose(a, b, atol=1e-5)
    assert any("1 channels, these have 3" in text for text in said)


def test_foreign_and_damaged_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="another network"):
        started(model(), model(choice=NetworkChoice("penet", width=4)), tmp_path)
    path = tmp_path / "old.ckpt"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="damaged"):
        start_from(path, model())


def test_a_run_goes_on_from_another_one(make_project: Any) -> None:
    first = prepare_training(make_project(), tiny_recipe())
    with pytest.raises(RunError, match="no model yet"):
        prepare_training(make_project(name="b"), tiny_recipe(), start_from=first)
    assert run_job(str(first.path)) == 0
    other = tiny_recipe(
        network=NetworkChoice(depth=2, width=8),
        preprocess=(PreprocessStep("zscore"),),
        learning_rate=1e-9,
        optimiser="sgd",
        weight_decay=0.0,
        steps=2,
    )
    project = make_project(name="c")
    second = prepare_training(project, other, start_from=first)
    assert second.recipe is not None
    assert second.recipe.network == tiny_recipe().network
    assert len([w for w in second.warnings if "model" in w]) == 2
    first.best_path.rename(first.path / "gone")  # it has a copy of its own
    assert run_job(str(second.path)) == 0, second.log_path.read_text()
    before, _ = read_checkpoint(first.path / "gone")
    after, _ = read_checkpoint(second.best_path)
    assert torch.allclose(before["network.head.weight"], after["network.head.weight"], atol=1e-6)
    said = [e["text"] for e in second.events()[0] if e["event"] == "message"]
    assert any(text.startswith("Goes on from") for text in said)

    # Resumed, it goes on from its own last state.
    assert load_model(second.path).step == 2
    assert run_job(str(second.path)) == 0
    assert sum("Goes on from" in str(e.get("text")) for e in second.events()[0]) == 1


def test_a_file_that_is_no_model_is_refused(make_project: Any, tmp_path: Path) -> None:
    for name, data in (("a.ckpt", b"x" * 50), ("b.ckpt", b""), ("c.ckpt", np.arange(9).tobytes())):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(RunError, match="not an OrgSeg model"):
            prepare_training(make_project(name=name), tiny_recipe(), start_from=tmp_path / name)
