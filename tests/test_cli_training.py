"""``train --folds``, ``--blocks``, ``--from`` and ``--prepare``: what is prepared, and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from orgseg_app.runs.folder import RunFolder, list_runs
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.reading import recipe_to_builtins
from tests.pictures import lines, make_project

Run = Callable[..., tuple[int, str, str]]


def test_folds_are_prepared_by_name(run: Run, tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg")
    code, out, err = run("train", path, "--folds", "2", "--name", "x", "--prepare", "--json")
    assert code == 0, err
    told = lines(out)
    assert [facts["name"] for facts in told] == ["x fold 1 of 2", "x fold 2 of 2"]
    found = [RunFolder(Path(facts["path"])) for facts in told]
    assert all(not folder.process_path.exists() for folder in found)
    held = [set(folder.request["split"]["validation"]) for folder in found]
    assert held[0]
    assert not held[0] & held[1]
    code, _, err = run("train", path, "--folds", "9")
    assert code == 1
    assert "9 folds need 9 painted images" in err


def test_prepared_for_torchrun(run: Run, tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg")
    code, out, err = run("train", path, "--prepare")
    assert code == 0, err
    (prepared,) = list_runs(path)
    assert f'torchrun --nproc-per-node=N main.py --job "{prepared.path}"' in out


def test_blocks_want_one_painted_image(run: Run, tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg", ("train",))
    code, _, err = run("train", path, "--blocks", "--prepare")
    assert code == 0, err
    assert list_runs(path)[0].request["split"] == {"blocks": True}
    many = make_project(tmp_path / "b.orgseg")
    code, _, err = run("train", many, "--blocks")
    assert code == 1
    assert "images are painted. Give them splits instead" in err
    assert run("train", many, "--blocks", "--folds", "2")[0] == 2


def test_going_on_from_a_model(run: Run, tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg")
    recipe = recipe_to_builtins(PRESETS["fast"])
    recipe["network"]["width"] = 4
    facts = json.dumps({"recipe": recipe})
    header = json.dumps({"__metadata__": {"orgseg": facts}}).encode()
    model = tmp_path / "a.orgmodel"
    model.write_bytes(len(header).to_bytes(8, "little") + header)
    code, _, err = run("train", path, "--from", model, "--prepare")
    assert code == 0, err
    (prepared,) = list_runs(path)
    assert prepared.recipe is not None
    assert prepared.recipe.network.width == 4
    assert "The network is that of the model" in err
    assert prepared.start_path.read_bytes() == model.read_bytes()
    code, _, err = run("train", path, "--from", model, "--prepare", "--corrections", "both")
    assert code == 0, err
    asked = [run.request.get("corrections") for run in list_runs(path)]
    assert [found and found["mistakes"] for found in asked] == [None, "both"]
    assert run("train", path, "--corrections", "missed")[0] == 1
    assert run("train", path, "--from", model, "--corrections", "all")[0] == 2
    model.write_bytes(b"nothing of the kind")
    code, _, err = run("train", path, "--from", model)
    assert code == 1
    assert "is not an OrgSeg model" in err
    code, _, err = run("train", path, "--from", model, "--folds", "2")
    assert code == 1
    assert "say nothing" in err
    assert len(list_runs(path)) == 2


@pytest.mark.parametrize("words", [("--detach", "--prepare"), ("--folds", "many")])
def test_wrong_usage(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    assert run("train", tmp_path / "a.orgseg", *words)[0] == 2
