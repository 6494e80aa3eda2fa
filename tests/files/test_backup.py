"""Backups: what is in them, when they are made, which are kept, what is brought back."""

from __future__ import annotations

import errno
import shutil
import threading
from collections import namedtuple
from datetime import datetime, timedelta
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orgseg_app.core.classes import default_classes
from orgseg_app.files import atomic
from orgseg_app.files.backups import backing_up, backup, keeping
from orgseg_app.files.backups import restore as restoring
from orgseg_app.files.backups.backing_up import try_backup
from orgseg_app.files.backups.keeping import Kept, to_give_up
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.images import blocks
from orgseg_app.files.project_file import NewImage, ProjectFile
from tests.files.damaging import break_list, damage_block, flip
from tests.files.projects import (
    back_up,
    big_project,
    drafts,
    fill,
    masks,
    only,
    painted,
    picture,
    small_project,
)

BIG = (1, 600, 700)


# -- making --------------------------------------------------------------------------------------


def test_it_holds_everything_people_made_and_no_image(tmp_path: Path) -> None:
    path = tmp_path / "cells.orgseg"
    with small_project(path, 3) as file:
        first = only(file)
        file.set_note(first, "look here: µ")
        file.set_split(first, "test")
        file.save()
        made = back_up(file)
        assert made is not None
        assert made.path.parent == tmp_path / "cells.backups"
        assert (made.number, made.reason, made.project_name) == (1, "asked", "cells")
        assert [i.name for i in made.images.values()] == ["cell 0", "cell 1", "cell 2"]
        image = made.images[first]
        assert (image.note, image.split, image.mask_shape) == ("look here: µ", "test", (1, 60, 80))
        assert image.sha256 == file.project.images[first].sha256 != ""
        assert image.counts == file.counts(first)
        assert made.classes == file.project.classes
        with backup.opened_backup(made.path) as opened:
            for image_id in made.images:
                then = backup.read_mask(opened, image_id)
                assert np.array_equal(then.to_array(), file.mask(image_id).to_array())
                assert backup.read_thumbnail(opened, image_id) is not None
    with h5py.File(made.path, "r") as plain:  # any HDF5 program
        assert all("pixels" not in group for group in plain["images"].values())
        assert plain["images"][first]["mask"][0].shape == (60, 80)


def test_stored_blocks_are_copied_as_they_are(tmp_path: Path) -> None:
    with big_project(tmp_path / "big.orgseg", 1) as file:
        made = back_up(file)
        assert made is not None
        with file.reading() as source, backup.opened_backup(made.path) as target:
            one, two = (f["images"][only(file)]["mask"] for f in (source, target))
            offsets = [b.offset for b in blocks.stored_blocks(one)]
            assert offsets == [b.offset for b in blocks.stored_blocks(two)] != []
            for offset in offsets:
                assert one.id.read_direct_chunk(offset) == two.id.read_direct_chunk(offset)


def test_objects_come_along(tmp_path: Path) -> None:
    path = tmp_path / "cells.orgseg"
    numbers = (np.arange(60 * 80, dtype=np.uint32) // 7).reshape(1, 60, 80) * (painted() > 1)
    with ProjectFile.create(path, default_classes(["ER"])) as file:
        file.add_images([NewImage(picture(), mask=painted(), objects=numbers)])
        made = back_up(file)
        assert made is not None
        with backup.opened_backup(made.path) as opened:
            then = backup.read_mask(opened, only(file))
            assert np.array_equal(then.objects.to_array(), numbers)


def test_a_new_one_only_when_something_differs(tmp_path: Path) -> None:
    with small_project(tmp_path / "cells.orgseg") as file:
        assert back_up(file) is not None
        assert back_up(file) is None
        fill(file, 2)
        assert back_up(file) is None, "what is not in the file yet is not backed up"
        file.save()
        second = back_up(file)
        assert second is not None
        assert second.number == 2
        assert second.voxels == {2: 2 * 60 * 80}
        file.rename_image(only(file), "renamed")
        file.save()
        third = back_up(file)
        assert third is not None
        assert third.number == 3
        file.rename_image(only(file), "cell 0")
        file.save()
        fourth = back_up(file)
        assert fourth is not None
        assert fourth.state == second.state
        with file.transaction() as opened:  # a save that changes nothing people made
            opened.attrs["something"] = 1
        assert back_up(file) is None
    assert len(list((tmp_path / "cells.backups").iterdir())) == 4, "no drafts are left"


def test_backups_while_the_project_is_saved(tmp_path: Path) -> None:
    with big_project(tmp_path / "big.orgseg", 3) as file:
        stop = threading.Event()
        made: list[backup.Backup | None] = []
        errors: list[BaseException] = []

        def work() -> None:
            try:
                while not stop.is_set():
                    made.append(back_up(file))
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        rng = np.random.default_rng(0)
        for _ in range(25):
            for image_id in file.project.images:
                y, x = rng.integers(0, 500, 2)
                file.mask(image_id).write(0, int(y), int(x), np.full((90, 90), 3, np.uint8))
            file.save()
        stop.set()
        thread.join()
        assert not errors
        written = [b for b in made if b is not None]
        assert written
        kept = backup.list_backups(file.path)
        assert all(backing_up.check_backup(b) == "" for b in kept)
        last = back_up(file) or kept[0]
        with backup.opened_backup(last.path) as opened:
            for image_id in last.images:
                then = backup.read_mask(opened, image_id).to_array()
                assert np.array_equal(then, file.mask(image_id).to_array())


def test_a_full_disk_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    with small_project(tmp_path / "cells.orgseg") as file:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 10**6))
        said = try_backup(file.path, file.reading)
        assert "No backup of “cells.orgseg” was made" in said
        assert "not enough room" in said
        assert "The project itself is not affected." in said
        monkeypatch.undo()
        assert try_backup(file.path, file.reading) == ""
    assert len(backup.list_backups(tmp_path / "cells.orgseg")) == 1


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_in_between_leaves_earlier_backups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    with small_project(tmp_path / "cells.orgseg") as file:
        back_up(file)
        fill(file, 3)
        file.save()

        def fail(descriptor: int) -> None:
            raise OSError(code, "no")

        monkeypatch.setattr(atomic, "sync", fail)
        with pytest.raises(ProjectError, match="could not be saved"):
            back_up(file)
        monkeypatch.undo()
        assert [b.number for b in backup.list_backups(file.path)] == [1]
        assert len(list((tmp_path / "cells.backups").iterdir())) == 1


def test_something_else_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "cells.backups").write_text("mine")
    with small_project(tmp_path / "cells.orgseg") as file:
        assert "No backup can be kept in" in try_backup(file.path, file.reading)
        file.save()
    assert (tmp_path / "cells.backups").read_text() == "mine"


def test_a_backup_that_does_not_read_back_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the look after writing: a disk that writes other bytes."""
    put = atomic.put_in_place

    with big_project(tmp_path / "big.orgseg", 1) as file:
        image_id = only(file)
        check = backing_up.check_backup

        def rot(item: backup.Backup, *_: object) -> str:
            damage_block(item.path, f"images/{image_id}/mask", (0, 256, 512))
            return check(item)

        monkeypatch.setattr(backing_up, "check_backup", rot)
        with pytest.raises(ProjectError, match="did not read back"):
            back_up(file)
        monkeypatch.undo()
        assert backup.list_backups(file.path) == []
        assert atomic.put_in_place is put


def test_what_killed_processes_left_is_swept(tmp_path: Path) -> None:
    folder = tmp_path / "cells.backups"
    folder.mkdir()
    stale = folder / ".000007-20260101-101010.h5.saving-4194304"
    stale.write_bytes(b"half")
    (folder / "notes.txt").write_text("mine")
    with small_project(tmp_path / "cells.orgseg") as file:
        made = back_up(file)
    assert made is not None
    assert made.number == 1
    assert not stale.exists()
    assert (folder / "notes.txt").exists()


def test_a_damaged_block_of_the_project_is_left_out_and_noted(tmp_path: Path) -> None:
    path = tmp_path / "big.orgseg"
    with big_project(path, 2) as file:
        first = only(file)
        back_up(file)
    damage_block(path, f"images/{first}/mask", (0, 256, 512))
    with ProjectFile.open(path) as file:
        with file.transaction():
            pass
        made = back_up(file)
        assert made is not None
        assert not made.is_whole
        assert made.images[first].damaged == {(0, 1, 2)}
        assert backing_up.check_backup(made) == ""
        with backup.opened_backup(made.path) as opened:
            assert backup.read_mask(opened, first).block((0, 1, 2)) is None
        best = backup.best(backup.list_backups(path))
        assert best is not None
        assert best.number == 1, "the newest whole one"


def test_before_a_migration(tmp_path: Path) -> None:
    old = Path(__file__).parents[1] / "data" / "project-v1.orgseg"
    path = tmp_path / "old.orgseg"
    shutil.copy(old, path)
    with h5py.File(path, "r") as file:
        assert backing_up.before_migration(file, path) == ""
        shown = {i: g["mask"][...] for i, g in file["images"].items()}
    (made,) = backup.list_backups(path)
    assert made.reason == backup.MIGRATION
    with backup.opened_backup(made.path) as opened:
        for image_id, values in shown.items():
            assert np.array_equal(backup.read_mask(opened, image_id).to_array(), values)


# -- listing -------------------------------------------------------------------------------------


def test_the_order_is_that_of_the_numbers(tmp_path: Path) -> None:
    with small_project(tmp_path / "cells.orgseg") as file:
        for value in (1, 2, 3):
            fill(file, value)
            file.save()
            back_up(file)
        found = backup.list_backups(file.path)
        assert [b.number for b in found] == [3, 2, 1]
        # the clock was wrong: the newest says that it is the oldest
        with h5py.File(found[0].path, "r+") as opened:
            opened.attrs["made"] = np.bytes_(b"1999-01-01T00:00:00+00:00")
        assert [b.number for b in backup.list_backups(file.path)] == [3, 2, 1]
        fill(file, 1)
        file.save()
        made = back_up(file)
        assert made is not None
        assert made.number == 4


def test_files_that_are_no_backups(tmp_path: Path) -> None:
    with small_project(tmp_path / "cells.orgseg") as file:
        good = back_up(file)
        assert good is not None
        folder = good.path.parent
        (folder / "000009-20260101-101010.h5").write_bytes(b"\x89HDF\r\n\x1a\nno")
        (folder / "000010-20260101-101010.h5").mkdir()
        shutil.copy(file.path, folder / "000011-20260101-101010.h5")
        (folder / "something.h5").write_bytes(b"")
        found = backup.list_backups(file.path)
        assert [(b.number, bool(b.problem)) for b in found] == [
            (11, True), (10, True), (9, True), (1, False),
        ]  # fmt: skip
        assert all(b.problem.endswith(".") for b in found[:3])
        assert backup.find_backup(file.path, "newest").number == 1
        fill(file, 2)
        file.save()
        made = back_up(file)
        assert made is not None
        assert made.number == 12
        assert len(list(folder.iterdir())) == 6, "nothing that is not ours is removed"


def test_a_backup_with_links_is_refused(tmp_path: Path) -> None:
    with small_project(tmp_path / "cells.orgseg") as file:
        made = back_up(file)
        assert made is not None
        with h5py.File(made.path, "r+") as opened:
            opened["images"]["more"] = h5py.ExternalLink(str(file.path), "/images")
        with pytest.raises(ProjectError, match="links"), backup.opened_backup(made.path):
            pass
        with pytest.raises(ProjectError, match="links"):
            restoring.restore(file, made)


def test_flipped_bytes_of_a_backup_are_noticed(tmp_path: Path) -> None:
    with big_project(tmp_path / "big.orgseg", 1) as file:
        made = back_up(file)
        assert made is not None
        assert backing_up.check_backup(made) == ""
        damage_block(made.path, f"images/{only(file)}/mask", (0, 256, 512))
        assert "not what was written" in backing_up.check_backup(made)


def test_finding_the_one_that_is_meant(tmp_path: Path) -> None:
    with small_project(tmp_path / "cells.orgseg") as file:
        with pytest.raises(ProjectError, match="no backups"):
            backup.find_backup(file.path, "newest")
        one = back_up(file)
        fill(file, 2)
        file.save()
        two = back_up(file)
        assert one is not None
        assert two is not None
        for which, number in (
            ("newest", 2), ("1", 1), (str(one.path), 1), (str(one.path.parent), 2),
        ):  # fmt: skip
            assert backup.find_backup(file.path, which).number == number
        for which in ("3", "yesterday", str(tmp_path / "nowhere.h5")):
            with pytest.raises(ProjectError, match="Choose one of: 2, 1"):
                backup.find_backup(file.path, which)


# -- keeping -------------------------------------------------------------------------------------


@given(
    days=st.lists(st.integers(-400, 400), max_size=90),
    whole=st.lists(st.booleans(), min_size=90, max_size=90),
)
def test_what_is_kept_whatever_the_clock_does(days: list[int], whole: list[bool]) -> None:
    """Made one after the other, each time giving up what `to_give_up` says."""
    kept: list[Kept] = []
    made: list[Kept] = []
    for number, (day, is_whole) in enumerate(zip(days, whole, strict=False), 1):
        new = Kept(number, f"day {day}", is_whole)
        made.append(new)
        before = [*kept, new]
        gone = to_give_up(before)
        assert gone <= {b.number for b in before}
        kept = [b for b in before if b.number not in gone]
        assert new in kept
        assert kept[-keeping.NEWEST :] == made[-keeping.NEWEST :], "the newest stay"
        assert len(kept) <= keeping.NEWEST + keeping.DAYS + 1
        last_whole = [b for b in before if b.is_whole][-1:]
        assert set(last_whole) <= set(kept), "the last good one stays"
        assert not gone or len(before) > keeping.NEWEST


def test_one_a_day_in_ordinary_times() -> None:
    start = datetime(2026, 3, 20)
    kept: list[Kept] = []
    for number in range(1, 20 * 40 + 1):  # 20 days, 40 backups each
        moment = start + timedelta(days=(number - 1) // 40, minutes=30 * ((number - 1) % 40))
        kept.append(Kept(number, f"{moment:%Y-%m-%d}"))
        gone = to_give_up(kept)
        kept = [b for b in kept if b.number not in gone]
    assert [b.number for b in kept[-10:]] == list(range(791, 801))
    assert [b.number for b in kept[:-10]] == [40 * day for day in range(7, 20)]


def test_a_jump_of_the_clock_gives_nothing_up() -> None:
    before = [Kept(n, f"2026-03-{n:02}") for n in range(1, 15)]
    jumped = [*before, Kept(15, "2099-01-01"), Kept(16, "1970-01-01"), Kept(17, "2026-03-15")]
    assert to_give_up(jumped) == {1, 2, 3}, "three new days for three old ones, no more"


def test_old_ones_go_and_those_of_other_projects_stay(tmp_path: Path) -> None:
    with small_project(tmp_path / "cells.orgseg", 1) as file:
        other = back_up(file)
        assert other is not None
        with h5py.File(other.path, "r+") as opened:
            opened.attrs["uuid"] = np.bytes_(b"another project")
        for number in range(12):
            fill(file, 1 + number % 3)
            file.save()
            assert back_up(file) is not None
        numbers = [b.number for b in backup.list_backups(file.path)]
        assert numbers == [*range(13, 3, -1), 1]


def test_flipping_the_header_of_a_backup(tmp_path: Path) -> None:
    with small_project(tmp_path / "cells.orgseg", 1) as file:
        made = back_up(file)
        assert made is not None
        flip(made.path, 4096)
        (found,) = backup.list_backups(file.path)
        assert found.problem
        assert found.number == 1


def test_a_mask_beyond_reading_does_not_stop_backups(tmp_path: Path) -> None:
    path = tmp_path / "big.orgseg"
    with big_project(path, 2) as file:
        then = masks(file)
        first, second = file.project.images
    break_list(path, f"images/{first}/mask")
    with ProjectFile.open(path) as file:
        made = back_up(file)
        assert made is not None
        assert backing_up.check_backup(made) == ""
        assert not made.is_whole
        assert len(made.images[first].damaged) == 9
        assert made.images[second].damaged == frozenset()
        fill_one = file.mask(second)
        fill_one.write(0, 0, 0, np.full(fill_one.shape[1:], 2, np.uint8))
        file.save()
        plan, changes = restoring.restore(file, made, [second])
        assert (plan.problems, len(changes)) == ([], 1)
        assert np.array_equal(file.mask(second).to_array(), then["big 1"])


def test_a_backup_can_be_given_up(tmp_path: Path) -> None:
    with big_project(tmp_path / "big.orgseg", 2) as file:
        asked: list[int] = []

        def after_some() -> bool:
            asked.append(1)
            return len(asked) > 4

        assert try_backup(file.path, file.reading, backup.CLOSED, after_some) == ""
        assert backup.list_backups(file.path) == []
        assert drafts(backup.backups_dir(file.path)) == []
        assert back_up(file) is not None
