"""``verify``, ``backups``, ``restore``: what works, and every wrong input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from orgseg_app.core.image import open_array
from orgseg_app.files.backups import backup
from orgseg_app.files.project_file import NewImage, ProjectFile
from tests.files.damaging import damage_block
from tests.files.projects import back_up, big_project, fill, masks, only
from tests.pictures import blobs, make_project

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two images, backed up, then painted over."""
    made = tmp_path / "cells.orgseg"
    with big_project(made) as file:
        back_up(file, backup.OPENED)
        fill(file, 2)
        file.save()
    return made


# verify


def test_verify(run: Run, tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg")
    code, out, _ = run("verify", path)
    assert code == 0
    assert out.startswith('"a.orgseg" is sound: 4 images, every block read (')
    assert "There are no backups yet" in out
    code, out, _ = run("verify", path, "--json")
    found = json.loads(out)
    assert (found["problems"], found["images"], found["opens"]) == ([], 4, True)
    assert found["sound_blocks"] > 0


def test_verify_finds_every_changed_voxel(run: Run, tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg")
    data = bytearray(path.read_bytes())
    pixels = blobs(1)[0].astype("<u2").tobytes()
    place = bytes(data).find(pixels[1000:1064])
    assert place > 0
    data[place] ^= 0x40
    path.write_bytes(data)
    code, out, err = run("verify", path)
    assert code == 1
    assert out.startswith("image “zelle 1”, plane 1, block row 0 column 0, voxels y 0–")
    assert "damaged in 1 place (zelle 1); everything else can be read" in err
    assert "Import the damaged images anew." in err
    code, out, _ = run("verify", path, "--json")
    (problem,) = json.loads(out)["problems"]
    assert (problem["image"], problem["what"], problem["block"]) == ("zelle 1", "image", [0, 0])
    assert problem["lost"]


def test_verify_names_the_block_and_the_backup_that_has_it(run: Run, path: Path) -> None:
    with ProjectFile.open(path, read_only=True) as file:
        first = only(file)
    damage_block(path, f"images/{first}/mask", (0, 512, 256))
    code, out, err = run("verify", path)
    assert code == 1
    assert "mask of “big 0”, plane 1, block row 2 column 1, voxels y 512–599, x 256–511" in out
    assert "Backup 1 of" in out
    assert f'Get masks back with: orgseg restore "{path}" 1.' in err


def test_verify_of_what_cannot_be_opened(run: Run, path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])
    code, out, err = run("verify", path)
    assert (code, out) == (1, "")
    assert "has the annotation of 2 images" in err
    assert "orgseg restore" in err
    assert len(err.splitlines()) == 1
    code, out, _ = run("verify", path, "--json")
    found = json.loads(out)
    assert (code, found["opens"], found["newest_backup"]) == (1, False, 1)


# backups


def test_backups(run: Run, path: Path) -> None:
    code, out, _ = run("backups", path)
    assert code == 0
    assert out.splitlines()[0].split() == ["number", "made", "size", "painted", "voxels"]
    assert "2 of 2" in out
    assert "nucleus" in out
    code, out, _ = run("backups", path, "--json")
    (found,) = [json.loads(line) for line in out.splitlines()]
    assert (found["number"], found["reason"], found["problem"]) == (1, "opened", "")
    assert [image["name"] for image in found["images"]] == ["big 0", "big 1"]
    assert all(sum(image["voxels"].values()) > 0 for image in found["images"])


def test_backups_of_a_project_that_is_gone(run: Run, path: Path) -> None:
    path.unlink()
    code, out, _ = run("backups", path)
    assert code == 0
    assert "2 of 2" in out
    code, _, err = run("restore", path, "1")
    assert code == 1
    assert "There is no project" in err
    assert "orgseg import" in err


def test_no_backups(run: Run, tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg")
    code, out, _ = run("backups", path)
    assert (code, out.startswith("There are no backups yet")) == (0, True)
    assert run("backups", path, "--json")[:2] == (0, "")
    code, _, err = run("backups", tmp_path / "nothing")
    assert code == 1
    assert "There is no project" in err


# restore


def test_restore(run: Run, path: Path) -> None:
    with ProjectFile.open(path, read_only=True) as file:
        assert all((values == 2).all() for values in masks(file).values())
    code, out, _ = run("restore", path, "newest")
    assert code == 0
    assert "Restored from backup 1: 2 masks (big 0, big 1)." in out
    with ProjectFile.open(path) as file:
        restored = masks(file)
        assert not any((values == 2).all() for values in restored.values())
        file.undo()
        file.undo()
        assert all((values == 2).all() for values in masks(file).values())
    assert [b.reason for b in backup.list_backups(path)] == ["restore", "opened"]
    code, out, _ = run("restore", path, "2", "--json")
    assert code == 0
    assert json.loads(out)["restored"] == ["big 0", "big 1"]
    assert run("restore", path, "2")[1] == "Nothing differs from backup 2.\n"


def test_restore_some_images(run: Run, path: Path) -> None:
    code, out, _ = run("restore", path, "1", "--images", "big 1", "--json")
    found = json.loads(out)
    assert (code, found["restored"], found["backup"]) == (0, ["big 1"], 1)
    with ProjectFile.open(path, read_only=True) as file:
        now = masks(file)
        assert (now["big 0"] == 2).all()
        assert not (now["big 1"] == 2).all()


def test_restore_onto_images_imported_again(run: Run, path: Path, tmp_path: Path) -> None:
    with ProjectFile.open(path, read_only=True) as file:
        pictures = {i.name: file.read_image(k) for k, i in file.project.images.items()}
        (made,) = backup.list_backups(path)
        with backup.opened_backup(made.path) as opened:
            then = {i.name: backup.read_mask(opened, k) for k, i in made.images.items()}
    path.write_bytes(b"nothing is left of it")
    new = tmp_path / "new.orgseg"
    assert run("new", new)[0] == 0
    with ProjectFile.open(new) as file:
        file.add_images([NewImage(open_array("again", pictures["big 1"]))])
    code, out, err = run("restore", new, made.path)
    assert code == 0
    assert "1 mask (again). Classes added: ER, nucleus." in out
    assert "“big 0” is not in the project any more" in err
    with ProjectFile.open(new, read_only=True) as file:
        assert np.array_equal(masks(file)["again"], then["big 1"].to_array())


def test_restore_heals_damage(run: Run, path: Path) -> None:
    run("restore", path, "1")
    with ProjectFile.open(path, read_only=True) as file:
        first, before = only(file), masks(file)
    damage_block(path, f"images/{first}/mask", (0, 512, 512))
    assert run("verify", path)[0] == 1
    assert run("restore", path, "1")[0] == 0
    assert run("verify", path)[0] == 0
    with ProjectFile.open(path, read_only=True) as file:
        assert all(np.array_equal(v, before[n]) for n, v in masks(file).items())


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["7"], "There is no backup “7”"),
        (["gone.h5"], "There is no backup “gone.h5”"),
        (["1", "--images", "who"], "The project has no image “who”"),
    ],
)
def test_restore_with_wrong_words(run: Run, path: Path, words: list[str], text: str) -> None:
    before = path.read_bytes()
    code, out, err = run("restore", path, *words)
    assert (code, out) == (1, "")
    assert text in err
    with ProjectFile.open(path, read_only=True) as file:
        assert all((values == 2).all() for values in masks(file).values())
    assert len(before) == path.stat().st_size


def test_restore_of_what_cannot_be_opened(run: Run, path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])
    code, out, err = run("restore", path, "newest")
    assert (code, out) == (1, "")
    assert "orgseg new" in err
    assert path.stat().st_size == 5000


def test_restore_while_a_window_has_it(run: Run, path: Path) -> None:
    with ProjectFile.open(path):
        code, _, err = run("restore", path, "1")
    assert code == 1
    assert "open" in err


def test_restore_from_another_file(run: Run, path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["images"] = 1
    code, _, err = run("restore", path, other)
    assert code == 1
    assert "is not a backup" in err
    code, _, err = run("restore", path, path)
    assert code == 1


# compact


def test_compact(run: Run, path: Path) -> None:
    with ProjectFile.open(path) as file:
        then = masks(file)
        gone = list(file.project.images)[1]
        file.remove_image(gone)
        file.save()
        left = file.project.images[only(file)].name
    before = path.stat().st_size
    code, out, _ = run("compact", path, "--json")
    told = json.loads(out)
    assert (code, told["before"], told["after"]) == (0, before, path.stat().st_size)
    assert told["freed"] == before - path.stat().st_size > 300_000
    with ProjectFile.open(path) as file:
        assert np.array_equal(masks(file)[left], then[left])
        assert file.read_image(only(file)).any()
    code, out, _ = run("compact", path)
    assert (code, out) == (0, f'"cells.orgseg" was as small as it can be ({_mb(path)}).\n')


def _mb(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"


def test_compact_of_what_is_open_elsewhere(run: Run, path: Path) -> None:
    before = path.read_bytes()
    with ProjectFile.open(path):
        code, _, err = run("compact", path)
    assert code == 1
    assert "is open" in err or "has it open" in err
    assert path.read_bytes() == before


def test_verify_names_the_backup_that_has_it(run: Run, path: Path) -> None:
    with ProjectFile.open(path) as file:
        first = only(file)
        back_up(file)
    newest, older = backup.list_backups(path)
    damage_block(path, f"images/{first}/mask", (0, 256, 512))
    code, out, err = run("verify", path)
    assert code == 1
    assert "mask of “big 0”, plane 1, block row 1 column 2, voxels y 256–511, x 512–699" in out
    assert f"Backup {newest.number} of " in out
    assert f'orgseg restore "{path}" {newest.number}' in err
    damage_block(newest.path, f"images/{first}/mask", (0, 256, 512))
    _, out, err = run("verify", path)
    assert f"Backup {older.number} of " in out, "a damaged backup is no remedy"
    assert f"Backup {newest.number} is damaged" in err
