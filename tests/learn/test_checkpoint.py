"""Checkpoints: what was written comes back, and nothing else is taken for a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from orgseg_app.core.classes import default_classes
from orgseg_app.learn.checkpoint import Model, load_model, read_checkpoint, save_model
from orgseg_app.learn.errors import CheckpointError
from orgseg_app.learn.networks.registry import build_network
from orgseg_app.runs.recipes.schema import NetworkChoice, PreprocessStep, Recipe


@pytest.fixture
def model() -> Model:
    torch.manual_seed(0)
    recipe = Recipe(
        name="µ-net",
        network=NetworkChoice(depth=2, width=4),
        preprocess=(PreprocessStep("clahe", {"clip_limit": 3.0}), PreprocessStep("zscore")),
    )
    return Model(
        network=build_network(recipe.network, channels=2, classes=3),
        recipe=recipe,
        classes=default_classes(["ER", "Kern"]),
        channels=2,
        pixel_size_um=(1.0, 0.1, 0.1),
        run_id="abcdefabcdef",
        name="Übung 1",
        training_images=("sha256:1", "sha256:2"),
        step=17,
    )


def test_round_trip(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "übung model.ckpt"
    save_model(path, model, more_tensors={"optimiser.0.exp_avg": torch.ones(2)})
    found = load_model(path)
    assert found.facts() == model.facts()
    assert not found.network.training
    image = torch.randn(1, 2, 20, 20)
    assert torch.equal(found.network(image), model.network.eval()(image))
    tensors, _ = read_checkpoint(path)
    assert "optimiser.0.exp_avg" in tensors
    assert [p.name for p in tmp_path.iterdir() if p.name != "home"] == [path.name]


def test_a_folder_means_its_best_model(model: Model, tmp_path: Path) -> None:
    save_model(tmp_path / "best.ckpt", model)
    assert load_model(tmp_path).run_id == model.run_id


def test_every_cut_and_many_flips_are_noticed(model: Model, tmp_path: Path) -> None:
    good = tmp_path / "good.ckpt"
    save_model(good, model)
    data, bad = good.read_bytes(), tmp_path / "bad.ckpt"
    for length in (0, 1, 8, 100, len(data) // 2, len(data) - 1):
        bad.write_bytes(data[:length])
        with pytest.raises(CheckpointError, match=r"damaged|not an OrgSeg"):
            load_model(bad)
    start = 8 + int.from_bytes(data[:8], "little")
    for place in range(start, len(data), (len(data) - start) // 20):
        flipped = bytearray(data)
        flipped[place] ^= 0x10
        bad.write_bytes(flipped)
        with pytest.raises(CheckpointError, match="damaged"):
            load_model(bad)


@pytest.mark.parametrize(
    "content",
    [b"not a model at all", b"PK\x03\x04 a pickle in a zip", b"\x80\x04K\x01.", b"\xff" * 64],
)
def test_foreign_files_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "foreign.ckpt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"not an OrgSeg model"):
        load_model(path)


def test_other_safetensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    safetensors.torch.save_file({"x": torch.ones(2)}, path)
    with pytest.raises(CheckpointError, match="another program"):
        load_model(path)
    safetensors.torch.save_file({"x": torch.ones(2)}, path, {"orgseg": '{"format": "x"}'})
    with pytest.raises(CheckpointError, match="not an OrgSeg model"):
        load_model(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no model at"):
        load_model(tmp_path / "gone.ckpt")
    with pytest.raises(CheckpointError, match="no model at"):
        load_model(tmp_path)


def rewritten(path: Path, **changes: object) -> None:
    tensors, facts = read_checkpoint(path)
    safetensors.torch.save_file(tensors, path, {"orgseg": json.dumps(facts | changes)})


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"version": 99}, "newer version"),
        ({"channels": 5}, "do not fit together"),
        ({"classes": []}, "do not fit together"),
        ({"pixel_size_um": [0, -1, 1]}, "do not fit together"),
        ({"recipe": {"name": "x", "bogus": 1}}, "cannot be used"),
        ({"recipe": {"name": "x", "network": {"width": 8}}}, "do not fit together"),
    ],
)
def test_facts_that_do_not_fit(
    model: Model, tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    path = tmp_path / "model.ckpt"
    save_model(path, model)
    rewritten(path, **changes)
    with pytest.raises(CheckpointError, match=sentence):
        load_model(path)


def test_a_failed_write_leaves_the_old_model(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.ckpt"
    save_model(path, model)
    before = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    model.step = 99
    with pytest.raises(OSError, match="No space"):
        save_model(path, model)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert load_model(path).step == 17
