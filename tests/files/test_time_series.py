"""Time points of one recording find each other again, from the reader to a packed project."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files import schema
from orgseg_app.files.backups import backup
from orgseg_app.files.backups.backing_up import make_backup
from orgseg_app.files.backups.restore import restore
from orgseg_app.files.migrations import migrate
from orgseg_app.files.packing import pack
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.files.readers.apart import reading_apart
from orgseg_app.files.readers.registry import read_images
from orgseg_app.files.weights import drop_weights, store_weights
from tests.files.old_projects import without_user_block


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Three time points of two planes."""
    values = np.random.default_rng(0).integers(0, 200, (3, 2, 20, 30)).astype(np.uint8)
    path = tmp_path / "Film ü.tif"
    tifffile.imwrite(path, values, imagej=True, metadata={"axes": "TZYX"})
    return path


@pytest.fixture
def project(film: Path, run: Callable[..., tuple[int, str, str]]) -> Path:
    """The film, a film beside it, and a picture on its own."""
    shutil.copy(film, film.with_name("again.tif"))
    tifffile.imwrite(film.with_name("still.tif"), np.eye(20, dtype=np.uint8))
    path = film.with_name("p.orgseg")
    assert run("new", path, "--classes", "cell")[0] == 0
    files = [film, film.with_name("again.tif"), film.with_name("still.tif")]
    assert run("import", path, *files)[0] == 0
    return path


def text(group: h5py.Group, key: str) -> str:
    value = group.attrs.get(key, "")
    return value.decode() if isinstance(value, bytes) else str(value)


def facts(path: Path) -> dict[str, tuple[str, int]]:
    with ProjectFile.open(path, read_only=True) as file:
        return {i.name: (i.time_series, i.time) for i in file.project.images.values()}


@pytest.mark.parametrize("apart", [False, True])
def test_a_reader_tells_which_moment_an_image_is(film: Path, apart: bool) -> None:
    if apart:
        with reading_apart():
            images = read_images(film)
    else:
        images = read_images(film)
    assert [(i.time, i.times) for i in images] == [(0, 3), (1, 3), (2, 3)]


def test_an_import_names_each_recording_once(project: Path) -> None:
    found = facts(project)
    first = {found[f"Film ü t00{n}"] for n in (1, 2, 3)}
    other = {found[f"again t00{n}"] for n in (1, 2, 3)}
    assert len({series for series, _ in first}) == len({series for series, _ in other}) == 1
    assert sorted(time for _, time in first) == [0, 1, 2]
    assert not {series for series, _ in first} & {series for series, _ in other}
    assert found["still"] == ("", 0)


def test_the_moments_of_an_image_come_by_time_and_of_its_sizes_only(project: Path) -> None:
    with ProjectFile.open(project) as file:
        images = list(file.project.images.values())
        film = [i for i in images if i.name.startswith("Film")]
        other_size = film[1].changed(image_id="x", shape=(1, 2, 9, 9))
        file.project.images = {i.image_id: i for i in [*reversed(images), other_size]}
        assert file.project.time_points(film[2]) == film
        assert file.project.time_points(other_size) == [other_size]
        still = next(i for i in images if i.name == "still")
        assert file.project.time_points(still) == [still]
        file.project.images = {i.image_id: i for i in images}


def test_series_survive_a_copy_a_pack_and_a_change_of_name(project: Path, tmp_path: Path) -> None:
    before = facts(project)
    with ProjectFile.open(project) as file:
        image = next(i for i in file.project.images.values() if i.name == "Film ü t001")
        file.rename_image(image.image_id, "first")
        file.save()
        file.save_copy(tmp_path / "copy.orgseg")
        pack(file, tmp_path / "packed.orgseg")
    expected = {"first" if name == "Film ü t001" else name: fact for name, fact in before.items()}
    for name in ("p", "copy", "packed"):
        assert facts(tmp_path / f"{name}.orgseg") == expected


def test_info_tells_them(project: Path, run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = run("info", project, "--json")
    assert code == 0
    told = [(i["time_series"], i["time"]) for i in json.loads(out)["images"]]
    assert told[-1] == (None, None)
    assert [time for _, time in told[:-1]] == [0, 1, 2, 0, 1, 2]
    assert len({series for series, _ in told}) == 3


@pytest.mark.parametrize("value", [-3, 2**40, float("nan"), "two"])
def test_nonsense_in_the_file_is_the_first_moment(tmp_path: Path, value: object) -> None:
    path = tmp_path / "strange.orgseg"
    with ProjectFile.create(path, default_classes(["cell"])) as file:
        file.add_images([NewImage(open_array("a", np.ones((4, 5), np.uint8)), time_series="s")])
    with h5py.File(path, "r+") as raw:
        (group,) = raw["images"].values()
        assert group.attrs["time"] == 0
        group.attrs["time"] = value
        image = schema._read_image(group, "a", "strange")
    assert (image.time_series, image.time) == ("s", 0)


def test_series_come_through_a_backup_a_migration_and_a_crash(project: Path) -> None:
    before = facts(project)
    with ProjectFile.open(project) as file:
        image_id, name = next((i.image_id, i.name) for i in file.project.images.values())
        mask = file.mask(image_id)
        mask.write(0, 3, 4, np.full((5, 6), 2, np.uint8))
        mask.objects.write(0, 3, 4, np.full((5, 6), 70_000, np.uint32))
        store_weights(file, image_id, open_array("w", np.full((2, 20, 30), 0.5, np.float32)))
        file.save()
        expected = mask.to_array(), file.objects(image_id), file.weights(image_id)
        made = make_backup(file.path, file.reading, backup.ASKED)
        assert made is not None
        with backup.opened_backup(made.path) as inside:
            told = {
                text(group, "name"): (text(group, "time_series"), int(group.attrs.get("time", 0)))
                for group in inside["images"].values()
            }
        assert told == before
        file.rename_image(image_id, "first")
        file.commit_all()  # and closed without a save: as after a crash
    before["first"] = before.pop(name)
    assert facts(project) == before
    other = without_user_block(project)  # which only a migration brings up to date
    assert migrate(other) is not None
    assert sorted(facts(other).values()) == sorted(before.values())
    with ProjectFile.open(other) as file:
        found = file.load_mask(image_id).to_array(), file.objects(image_id), file.weights(image_id)
        for one, same in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, same)
        file.mask(image_id).write(0, 0, 0, np.ones((20, 30), np.uint8))
        file.mask(image_id).objects.write(0, 0, 0, np.zeros((20, 30), np.uint32))
        drop_weights(file, image_id)
        plan, _ = restore(file, made)
        assert plan.problems == []
        found = file.mask(image_id).to_array(), file.objects(image_id), file.weights(image_id)
        for one, same in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, same)
