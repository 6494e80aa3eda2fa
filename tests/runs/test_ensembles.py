"""Seeds and ensembles before their jobs begin, and what is said of them afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orgseg_app.files.packing import pack
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.runs.ensembles import ensemble_facts, facts_of, prepare_ensemble
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import RunFolder, find_run, list_runs
from orgseg_app.runs.packing import choose_runs, packable_runs, to_pack
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.seeds import prepare_seeds, seed_group
from tests.gui.recorded_runs import make_project
from tests.gui.test_ensembles import record_ensemble, record_seeds


@pytest.fixture
def file(tmp_path: Path) -> Iterator[ProjectFile]:
    (tmp_path / "hier").mkdir()
    file = make_project(tmp_path / "hier" / "Zellen ü.orgseg", side=48)
    yield file
    file.close()


def test_seeds_are_one_recipe_with_seeds_counted_up(file: ProjectFile) -> None:
    runs = prepare_seeds(file, PRESETS["fast"], 3, "ER")
    assert [run.name for run in runs] == [f"ER seed {n} of 3" for n in (1, 2, 3)]
    recipes = [run.recipe for run in runs]
    assert [recipe.seed for recipe in recipes if recipe is not None] == [0, 1, 2]
    assert len({seed_group(run) for run in runs}) == 1
    assert seed_group(runs[0])
    assert all(run.snapshot_path.is_file() for run in runs)


def test_seeds_that_cannot_all_be_prepared_leave_nothing(
    file: ProjectFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orgseg_app.files import snapshot

    write, calls = snapshot.write_snapshot, []

    def full_disk_at_the_second(*args: object) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        write(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(snapshot, "write_snapshot", full_disk_at_the_second)
    with pytest.raises(RunError, match="No space left"):
        prepare_seeds(file, PRESETS["fast"], 3)
    assert list_runs(file.path) == []
    with pytest.raises(RunError, match="2 to 20 seeds"):
        prepare_seeds(file, PRESETS["fast"], 1)


def test_an_ensemble_holds_its_members_and_what_they_have_seen(file: ProjectFile) -> None:
    members = record_seeds(file)
    run = prepare_ensemble(file, members, how="vote", turns=True)
    assert run.name == "ensemble of 3"
    for number, member in enumerate(members, 1):
        assert (run.path / f"member-{number}.ckpt").read_bytes() == member.best_path.read_bytes()
        listed = run.request["members"][number - 1]
        assert (listed["run"], listed["name"]) == (member.run_id, member.name)
    images = file.project.images.values()
    learned = {image.sha256 for image in images if image.split == "train"}
    assert set(run.request["members"][0]["learned_from"]) == learned
    assert not run.best_path.exists()
    assert facts_of(run).words == "vote of some of 3 models, turned and mirrored"
    assert prepare_ensemble(file, members).name == "ensemble of 3 2"
    members[0].best_path.write_bytes(b"damaged")
    with pytest.raises(RunError, match="is not an OrgSeg model"):
        prepare_ensemble(file, members)


def test_whatever_stands_in_the_file_the_facts_can_be_read() -> None:
    for request in ({}, {"members": 3}, {"members": [1, {"name": None}], "how": ["x"]}):
        for choice in (None, {}, {"ranked": [{}], "k": "2"}, {"ranked": [{}], "k": 1, "tried": {}}):
            found = ensemble_facts(request, choice)
            assert found.how == "mean"
            assert found.words
    one = {"ranked": [{"name": "a"}, {"name": "b"}], "k": 1, "tried": [{"k": 1}]}
    assert ensemble_facts({}, one).words == "the best of 2 alone: a"


def test_an_ensemble_is_packed_with_its_model_and_comes_out_whole(
    file: ProjectFile, tmp_path: Path
) -> None:
    ensemble = record_ensemble(file, record_seeds(file))
    assert ensemble.run_id in {run.run_id for run in packable_runs(file.path)}
    chosen = choose_runs(file.path, ensemble.name)
    target = tmp_path / "dort" / "mit.orgseg"
    target.parent.mkdir()
    assert pack(file, target, to_pack(file.path, chosen)) is not None
    with ProjectFile.open(target):
        pass  # lays the run out
    there = find_run(target, ensemble.name)
    assert there.kind == "ensemble"
    assert there.best_path.read_bytes() == ensemble.best_path.read_bytes()
    assert facts_of(there) == facts_of(ensemble)
    assert facts_of(there).k == 2
    assert json.loads((there.path / "metrics.json").read_bytes())["run"] == ensemble.run_id
    assert isinstance(RunFolder(there.path).metrics(), dict)
