"""Objects in the project file are as safe as the mask: commits, saves, damage, restores."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from orgseg_app.core import blocks
from orgseg_app.core.block_runs import BlockRuns
from orgseg_app.core.blocks import Box
from orgseg_app.core.classes import default_classes
from orgseg_app.core.edits.change import Change
from orgseg_app.core.edits.outlines import PaintRectangle
from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.image import open_array
from orgseg_app.core.mask import Mask
from orgseg_app.files.backups import damage, restore
from orgseg_app.files.backups.backing_up import make_backup
from orgseg_app.files.backups.verify import verify
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.images import codecs, layers
from orgseg_app.files.images.blocks import stored_blocks
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.files.snapshot import write_snapshot
from tests.files.damaging import break_list, damage_block

SHAPE = (2, 300, 600)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "cells.orgseg"
    with ProjectFile.create(path, default_classes(["ER", "nucleus"])) as file:
        pixels = np.random.default_rng(0).integers(0, 255, (1, *SHAPE)).astype(np.uint8)
        file.add_images([NewImage(open_array("cell", pixels))])
    return path


def only(file: ProjectFile) -> str:
    return next(iter(file.project.images))


def paint(
    file: ProjectFile, box: tuple[int, int, int, int], number: int, z: int = 0, class_id: int = 2
) -> Change:
    recorder = Recorder(only(file), file.mask(only(file)), number)
    PaintRectangle(z, box, class_id).apply(recorder)
    change = recorder.finish("paint")
    assert change is not None
    file.note_change(change)
    return change


def state(file: ProjectFile) -> tuple[bytes, bytes]:
    mask = file.load_mask(only(file))
    return mask.to_array().tobytes(), mask.objects.to_array().tobytes()


def stored(path: Path) -> tuple[bytes, bytes]:
    """What a plain HDF5 program finds."""
    with h5py.File(path) as file:
        (group,) = file["images"].values()
        return group["mask"][...].tobytes(), group["objects"][...].tobytes()


def test_strokes_survive_a_session_that_broke_off_and_undo_goes_back_through_it(path: Path) -> None:
    with ProjectFile.open(path) as file:
        states = [state(file)]
        for number, x in ((1, 10), (2, 250), (70_000, 400)):
            paint(file, (10, x, 290, x + 100), number, z=1)
            states.append(state(file))
        paint(file, (0, 0, 300, 600), 0, class_id=1)
        states.append(state(file))
        file.undo()
        file.commit_all()  # and closed without a save: as after a crash
    with ProjectFile.open(path) as file:
        assert state(file) == states[3]
        file.redo()
        assert state(file) == states[4]
        for expected in reversed(states[:-1]):
            file.undo()
            assert state(file) == expected
        for expected in states[1:]:
            file.redo()
            assert state(file) == expected
        file.save()
    assert stored(path) == states[-1]
    with ProjectFile.open(path) as file:
        assert state(file) == states[-1]
        file.undo()
        assert state(file) == states[-2]


def test_only_blocks_that_changed_are_written(path: Path) -> None:
    with ProjectFile.open(path) as file:
        paint(file, (10, 10, 40, 40), 1)
        file.save()
        paint(file, (10, 300, 40, 340), 2)
        pending = file.collect()
        (change,) = pending.masks.values()
        assert set(change.blocks) == set(change.numbers) == {(0, 0, 1)}
        file.write(pending)
        assert not file.is_dirty
        expected = state(file)
    assert stored(path) == expected
    with h5py.File(path) as plain:
        (group,) = plain["images"].values()
        dataset = group["objects"]
        assert (dataset.dtype, dataset.chunks) == (np.uint32, (1, 256, 256))
        assert codecs.filters_of(dataset) == {codecs.SHUFFLE, codecs.GZIP, codecs.FLETCHER32}
        assert {b.offset for b in stored_blocks(dataset)} == {(0, 0, 0), (0, 0, 256)}


def test_without_objects_nothing_is_made(path: Path) -> None:
    with ProjectFile.open(path) as file:
        paint(file, (10, 10, 40, 40), 0)
        file.save()
        assert file.objects(only(file)) is None
        paint(file, (10, 10, 40, 40), 4)
        assert file.objects(only(file)) is not None
        file.undo()
        file.save()
    with h5py.File(path) as plain:
        (group,) = plain["images"].values()
        assert "objects" not in group


def test_a_save_that_fails_loses_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ProjectFile.open(path) as file:
        paint(file, (10, 10, 40, 40), 1)
        expected = state(file)
        with monkeypatch.context() as broken:
            broken.setattr(layers, "store_annotation", _refuse)
            with pytest.raises(ProjectError):
                file.save()
        assert file.unsaved_images == {only(file)}
        file.save()
    assert stored(path) == expected


def _refuse(*_: object) -> None:
    raise ProjectError("no")


def test_copies_and_snapshots_hold_what_is_not_saved(path: Path, tmp_path: Path) -> None:
    with ProjectFile.open(path) as file:
        paint(file, (10, 10, 40, 400), 3)
        expected = state(file)
        file.save_copy(tmp_path / "copy.orgseg")
        write_snapshot(file, tmp_path / "snapshot.h5")
    for name in ("copy.orgseg", "snapshot.h5"):
        with ProjectFile.open(tmp_path / name, read_only=True) as file:
            assert state(file) == expected


# -- damage --------------------------------------------------------------------------------------


@pytest.fixture
def damaged(path: Path) -> tuple[Path, tuple[bytes, bytes]]:
    """A project with objects in three blocks, a backup of it, and one of the blocks damaged."""
    with ProjectFile.open(path) as file:
        for number, x in ((1, 10), (2, 300), (3, 540)):
            paint(file, (10, x, 90, x + 50), number)
        file.save()
        assert make_backup(path, file.reading) is not None
        expected, image_id = state(file), only(file)
    damage_block(path, f"images/{image_id}/objects", (0, 0, 256))
    return path, expected


def test_a_damaged_block_is_named_and_left_alone_until_it_is_painted(
    damaged: tuple[Path, tuple[bytes, bytes]],
) -> None:
    path, _ = damaged
    with ProjectFile.open(path) as file:
        mask = file.mask(only(file))
        assert mask.objects.damaged == {(0, 0, 1)}
        assert not mask.damaged
        assert mask.objects.sizes() == {1: 4000, 3: 4000}
        (found,) = file.damages
        assert (found.what, found.block) == (damage.OBJECTS, (0, 0, 1))
        with pytest.raises(ProjectError, match="cannot be read whole"):
            file.objects(only(file))
        paint(file, (100, 10, 120, 60), 4)
        file.save()
    report = verify(path)
    assert [(d.what, d.block) for d in report.damages] == [(damage.OBJECTS, (0, 0, 1))]
    assert "Backup 1" in report.damages[0].remedy
    with ProjectFile.open(path) as file:
        assert file.mask(only(file)).objects.damaged == {(0, 0, 1)}
        paint(file, (100, 300, 120, 350), 5)
        file.save()
        assert not file.mask(only(file)).objects.damaged
    assert verify(path).is_sound
    with ProjectFile.open(path) as file:
        assert file.mask(only(file)).objects.sizes() == {1: 4000, 3: 4000, 4: 1000, 5: 1000}


def test_a_backup_brings_damaged_objects_back_and_undo_takes_them_away(
    damaged: tuple[Path, tuple[bytes, bytes]],
) -> None:
    path, expected = damaged
    with ProjectFile.open(path) as file:
        before = state(file)
        (backup,) = restore_backups(path)
        plan, changes = restore.restore(file, backup)
        assert len(changes) == 1
        assert not plan.problems
        assert state(file) == expected
        file.undo()
        assert state(file) == before
        file.redo()
        file.save()
    assert verify(path).is_sound
    assert stored(path) == expected


def restore_backups(path: Path) -> list[restore.Backup]:
    from orgseg_app.files.backups.backup import list_backups

    return list_backups(path)


@pytest.mark.parametrize("prepared", [False, True])
def test_a_restore_gives_the_state_of_its_backup(path: Path, *, prepared: bool) -> None:
    with ProjectFile.open(path) as file:
        paint(file, (10, 10, 290, 200), 1)
        paint(file, (10, 200, 290, 590), 2, class_id=3)
        file.save()
        backup = make_backup(path, file.reading)
        assert backup is not None
        expected = state(file)
        paint(file, (0, 100, 300, 300), 3, class_id=3)
        paint(file, (50, 0, 60, 600), 0, class_id=0)
        paint(file, (0, 0, 300, 600), 9, z=1)
        before = state(file)
        if prepared:
            plan = restore.plan_restoration(file, backup)
            ((image_id, edit),) = restore.read_masks(file, plan)
            ready = edit.ready(image_id, file.mask(image_id))
            assert ready is not None
            assert ready.fits(file.mask(image_id))
            file.note_change(ready.change)
            ready.make(file.mask(image_id))
        else:
            restore.restore(file, backup)
        assert state(file) == expected
        file.undo()
        assert state(file) == before


def test_blocks_a_backup_lacks_stay_as_they_are(
    damaged: tuple[Path, tuple[bytes, bytes]],
) -> None:
    path, _ = damaged
    with ProjectFile.open(path) as file:
        file.set_note(only(file), "so that there is something new")
        file.save()
        backup = make_backup(path, file.reading)
        assert backup is not None
        assert not backup.is_whole
        paint(file, (100, 300, 120, 350), 5)
        paint(file, (10, 10, 90, 60), 6)
        plan, _ = restore.restore(file, backup)
        assert "lacks some objects" in plan.problems[0]
        sizes = file.mask(only(file)).objects.sizes()
        assert sizes[1] == sizes[3] == 4000


def test_objects_that_cannot_be_read_at_all_leave_the_mask_and_are_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ProjectFile.open(path) as file:
        paint(file, (10, 10, 40, 40), 1)
        file.save()
        expected = state(file)[0]
    real = layers.load_objects

    def load(dataset: object) -> object:
        if "lost" in broken:
            raise OSError("Unable to follow the list")
        return real(dataset)

    broken = {"lost"}
    monkeypatch.setattr(layers, "load_objects", load)
    with ProjectFile.open(path) as file:
        assert state(file)[0] == expected
        assert [d.what for d in file.damages] == [damage.OBJECTS]
        with pytest.raises(ProjectError):
            file.objects(only(file))
        paint(file, (100, 10, 120, 60), 0)  # no objects: they are left alone
        file.save()
        with file.reading() as inside:
            assert inside["images"][only(file)]["objects"][0, 20, 20] == 1
        paint(file, (200, 10, 220, 60), 4)
        file.save()
        broken.clear()
    with ProjectFile.open(path) as file:
        assert file.mask(only(file)).objects.sizes() == {4: 1000}
    with h5py.File(path) as plain:
        (group,) = plain["images"].values()
        (lost,) = (name for name in group if name.startswith(layers.LOST_OBJECTS))
        assert group[lost][0, 20, 20] == 1


def test_a_backup_without_objects_that_could_not_be_read_is_not_whole(path: Path) -> None:
    with ProjectFile.open(path) as file:
        paint(file, (10, 10, 40, 300), 1)
        file.save()
        image_id, expected = only(file), file.mask(only(file)).to_array()
    break_list(path, f"images/{image_id}/objects")
    with ProjectFile.open(path) as file:
        made = make_backup(file.path, file.reading, "asked")
        assert made is not None
        assert not made.is_whole
        paint(file, (0, 0, 300, 600), 0, class_id=1)
        restore.restore(file, made)
        assert np.array_equal(file.mask(image_id).to_array(), expected)


def test_a_mask_and_objects_that_cannot_be_read_at_all_are_made_anew(path: Path) -> None:
    with ProjectFile.open(path) as file:
        paint(file, (10, 10, 40, 300), 1)
        file.save()
        image_id, expected = only(file), state(file)
        made = make_backup(file.path, file.reading, "asked")
        assert made is not None
    for name in ("objects", "mask"):
        break_list(path, f"images/{image_id}/{name}")
    with ProjectFile.open(path) as file:
        plan, _ = restore.restore(file, made)
        assert plan.lost == [image_id]
        assert state(file) == expected
        file.compact()
    assert stored(path) == expected
    with h5py.File(path) as plain:
        assert not [name for name in plain["images"][image_id] if name.startswith("lost")]


# -- strangers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("chunks", [None, (2, 100, 100)])
def test_objects_in_another_layout_are_read_and_written(
    path: Path, chunks: tuple[int, int, int] | None
) -> None:
    numbers = np.zeros(SHAPE, np.uint32)
    numbers[:, 50:100, 200:400] = 5
    with ProjectFile.open(path) as file:
        paint(file, (50, 200, 100, 400), 0)
        file.save()
        with file.transaction() as inside:
            group = inside["images"][only(file)]
            group.create_dataset("objects", data=numbers, chunks=chunks)
    with ProjectFile.open(path) as file:
        assert file.mask(only(file)).objects.sizes() == {5: 20_000}
        paint(file, (0, 0, 300, 300), 6)
        file.save()
        expected = state(file)
    assert stored(path) == expected
    with ProjectFile.open(path) as file:
        assert state(file) == expected


def test_a_step_that_is_none_of_ours_is_refused(path: Path) -> None:
    with ProjectFile.open(path) as file:
        change = paint(file, (10, 10, 40, 40), 1)
        index, packed = change.blocks[0]
        wrong = Change(change.image_id, "mask", "paint", Box(0, 0, 0, 1, 9, 9), ((index, packed),))
        before = state(file)
        assert not wrong.undo(file.mask(only(file)))
        assert state(file) == before
        file.note_change(wrong)
        file.commit_all()
    with ProjectFile.open(path) as file, pytest.raises(ProjectError, match="cannot be read"):
        file.mask(only(file))


def test_a_mask_read_for_a_look_has_its_objects(path: Path) -> None:
    with ProjectFile.open(path) as file:
        paint(file, (10, 10, 40, 40), 1)
        file.save()
    with ProjectFile.open(path, read_only=True) as file:
        look = file.load_mask(only(file))
        assert isinstance(look, Mask)
        assert look.objects.sizes() == {1: 900}
        assert not look.objects.dirty


def test_what_is_read_takes_little_memory_from_the_start(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ProjectFile.open(path) as file:
        paint(file, (0, 0, 300, 600), 70_000)
        expected = state(file)
        file.save()
    monkeypatch.setattr(blocks, "_MOST_PLAIN", 2)
    with ProjectFile.open(path) as file:
        mask = file.mask(only(file))
        copy = layers.MaskChange.whole(mask).as_mask(SHAPE)
        for one in (mask, copy):
            for array in (one, one.objects):
                runs = [isinstance(block, BlockRuns) for block in array._blocks.values()]
                assert runs.count(False) == 2
                assert len(runs) == 6
            assert (one.to_array().tobytes(), one.objects.to_array().tobytes()) == expected
        assert not mask.dirty
        assert not mask.objects.dirty
