"""Damage: what `verify` says of it, what can still be used, and what a save leaves alone."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from orgseg_app.core.classes import default_classes
from orgseg_app.core.edits.strokes import PaintStroke
from orgseg_app.files.backups import damage, spot_check
from orgseg_app.files.backups.backing_up import make_backup
from orgseg_app.files.backups.restore import apply_edit
from orgseg_app.files.backups.verify import Report, verify
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.images import blocks
from orgseg_app.files.project_file import NewImage, ProjectFile
from tests.files.damaging import block_place, damage_block, flip, move_block
from tests.files.projects import painted, picture, run_child

SHAPE = (2, 1100, 1300)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two images of two planes, large enough for blocks inside and at the edge, one with levels."""
    made = tmp_path / "cells.orgseg"
    with ProjectFile.create(made, default_classes(["ER", "nucleus"])) as file:
        numbers = np.arange(np.prod(SHAPE), dtype=np.uint32).reshape(SHAPE) // 1000
        file.add_images(
            [
                NewImage(picture("cell 3", (2, *SHAPE), "uint8"), mask=painted(SHAPE)),
                NewImage(
                    picture("cell 4", (1, *SHAPE), "uint16", seed=1),
                    mask=painted(SHAPE, seed=1),
                    objects=numbers,
                ),
            ]
        )
        make_backup(made, file.reading)
    return made


def ids(path: Path) -> list[str]:
    with ProjectFile.open(path, read_only=True) as file:
        return list(file.project.images)


def stored(path: Path, where: str) -> list[blocks.StoredBlock]:
    with h5py.File(path, "r", locking=False) as file:
        return blocks.stored_blocks(file[where])


def only_damage(report: Report) -> damage.Damage:
    (found,) = report.damages
    return found


# -- checksums -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 255, 4096, 65536, 300_001, 2**20 + 1])
def test_the_checksum_is_that_of_hdf5(tmp_path: Path, size: int) -> None:
    values = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8)
    values[: size // 3] = 255  # the sums come close to their end
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("a", data=values, chunks=(size,), fletcher32=True)
        raw = dataset.id.read_direct_chunk((0,))[1]
    assert raw[-4:] == blocks.fletcher32(raw[:-4]).to_bytes(4, "little")
    flipped = bytearray(raw[:-4])
    flipped[size // 2] ^= 1
    assert raw[-4:] != blocks.fletcher32(bytes(flipped)).to_bytes(4, "little")


def test_blocks_that_carry_no_checksum_outside_are_read(tmp_path: Path) -> None:
    """As other programs write them, and as h5py did: compressed behind the checksum, or without."""
    values = np.random.default_rng(0).integers(0, 9, (256, 256), dtype=np.uint8)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("gzip", data=values, chunks=(128, 128), compression="gzip")
        file.create_dataset("none", data=values, chunks=(128, 128))
        file.create_dataset(
            "sum", data=values, chunks=(128, 128), compression="gzip", fletcher32=True
        )
    damage_block(tmp_path / "a.h5", "gzip", (128, 0))
    damage_block(tmp_path / "a.h5", "sum", (0, 128))
    with h5py.File(tmp_path / "a.h5") as file:
        for name, bad in (("gzip", [(128, 0)]), ("none", []), ("sum", [(0, 128)])):
            source = blocks.Blocks(file[name])
            found = blocks.stored_blocks(file[name])
            assert [b.offset for b in found if source.sound_raw(b) is None] == bad


# -- verify --------------------------------------------------------------------------------------


def test_a_sound_project(path: Path) -> None:
    report = verify(path)
    assert report.is_sound
    assert (report.damages, report.notes, report.images) == ([], [], 2)
    assert report.blocks == stored_blocks_in_all(path) > 100
    assert len(report.backups) == 1


def stored_blocks_in_all(path: Path) -> int:
    found: list[int] = []

    def look(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.chunks and not name.endswith("thumbnail"):
            found.append(item.id.get_num_chunks())

    with h5py.File(path, "r") as file:
        file.visititems(look)
    return sum(found)


def test_a_block_of_a_mask(path: Path) -> None:
    first = ids(path)[0]
    damage_block(path, f"images/{first}/mask", (0, 512, 1024))
    found = only_damage(verify(path))
    assert found.place == (
        "mask of “cell 3”, plane 1, block row 2 column 4, voxels y 512–767, x 1024–1279"
    )
    assert (found.image_id, found.what, found.block) == (first, "mask", (0, 2, 4))
    assert "its checksum does not fit" in found.sentence
    assert "Backup 1 of" in found.sentence
    assert "has it." in found.sentence


def test_a_block_at_the_edge(path: Path) -> None:
    damage_block(path, f"images/{ids(path)[0]}/mask", (1, 1024, 1280))
    assert only_damage(verify(path)).place.endswith(
        "plane 2, block row 4 column 5, voxels y 1024–1099, x 1280–1299"
    )


def test_a_block_of_an_image(path: Path) -> None:
    where = f"images/{ids(path)[0]}/pixels"
    offset = stored(path, where)[-1].offset
    damage_block(path, where, offset)
    found = only_damage(verify(path))
    assert (found.what, found.start, found.channel) == ("image", offset[1:], offset[0])
    assert found.place.startswith("image “cell 3”, channel 2, plane 2, block row")
    assert "add it again" in found.remedy


def test_objects_and_smaller_versions(path: Path) -> None:
    second = ids(path)[1]
    damage_block(path, f"images/{second}/objects", (1, 256, 0))
    damage_block(
        path, f"images/{second}/levels/1", stored(path, f"images/{second}/levels/1")[0].offset
    )
    report = verify(path)
    assert {d.what for d in report.damages} == {"objects", "levels"}
    assert [d.what for d in report.losses] == ["objects"], "levels are made again"
    assert not report.is_sound


def test_several_places_are_all_named(path: Path) -> None:
    first, second = ids(path)
    places = [(0, 0, 768), (0, 512, 768), (1, 256, 1024)]
    for offset in places:
        damage_block(path, f"images/{first}/mask", offset)
    damage_block(path, f"images/{second}/pixels", (0, 0, 0, 0))
    report = verify(path)
    assert [d.start for d in report.damages if d.what == "mask"] == places
    assert damage.summary(report.damages) == "4 places (cell 3, cell 4)"
    assert report.blocks == stored_blocks_in_all(path) - 4


def test_voxels_that_were_changed_and_summed_anew(path: Path) -> None:
    """Another program's work: every checksum fits, the fingerprint does not."""
    second = ids(path)[1]
    with h5py.File(path, "r+") as file:
        file["images"][second]["pixels"][0, 1, 5, 5] += 1
    found = only_damage(verify(path))
    assert (found.what, found.block) == ("image", None)
    assert "not those that were imported" in found.problem


def test_a_block_that_turns_up_elsewhere(path: Path) -> None:
    """HDF5 8-bit flips in its own list raise no error there: the block is simply elsewhere."""
    first = ids(path)[0]
    where = f"images/{first}/mask"
    move_block(path, where, (1, 1024, 1280), (1, 1024, 1536))  # beyond the edge
    found = only_damage(verify(path))
    assert (found.what, found.block) == ("mask", None)
    assert "vanished or moved" in found.problem
    with ProjectFile.open(path) as file:
        mask = file.mask(first)
        assert mask.is_doubtful
        assert file.damages == damage.mask_damage(first, "cell 3", mask)


def test_counts_and_classes_that_make_no_sense(path: Path) -> None:
    first, second = ids(path)
    with h5py.File(path, "r+") as file:
        file["images"][first]["mask"].attrs["counts"] = np.bytes_(json.dumps({"1": 5}))
    with ProjectFile.open(path) as file:
        file.mask(second).write(0, 0, 0, np.full((3, 3), 77, np.uint8))
        file.save()
    problems = [d.problem for d in verify(path).damages]
    assert problems == [
        "it has other numbers of painted voxels than were noted.",
        "it holds class ids that the project does not have: 77.",
    ]


def test_a_slot_of_the_header(path: Path) -> None:
    with ProjectFile.open(path) as file:
        file.rename("a")
        file.save()
    flip(path, 20)
    report = verify(path)
    assert report.is_sound
    assert any("the other one holds" in note for note in report.notes)


def test_a_project_that_cannot_be_opened(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9000])
    report = verify(path)
    assert not report.is_sound
    assert "cut off" in report.unopenable
    assert report.newest_backup is not None
    assert len(report.newest_backup.painted_images) == 2


def test_damaged_backups_are_noted(path: Path) -> None:
    first = ids(path)[0]
    report = verify(path)
    damage_block(report.backups[0].path, f"images/{first}/mask", (0, 512, 1024))
    report = verify(path)
    assert report.is_sound
    assert any("Backup 1 is damaged" in note for note in report.notes)
    assert report.newest_backup is None


def test_the_rows_of_the_journal(path: Path) -> None:
    with ProjectFile.open(path) as file:
        for x in range(5):
            apply_edit(file, PaintStroke(0, ((40.0, 100.0 * x),), 20, 2), ids(path)[0])
        file.save()
        journal = file.journal_path
    assert journal is not None
    assert journal.exists()
    assert verify(path).is_sound
    with sqlite3.connect(journal) as database:
        (payload,) = database.execute("select payload from change where number = 3").fetchone()
        changed = payload[:40] + bytes([payload[40] ^ 1]) + payload[41:]
        database.execute("update change set payload = ? where number = 3", (changed,))
    database.close()
    found = only_damage(verify(path))
    assert found.what == "journal"
    assert "cells.orgseg-journal" in found.problem


def test_while_it_is_open_in_a_window(path: Path) -> None:
    with ProjectFile.open(path) as file:
        apply_edit(file, PaintStroke(0, ((40.0, 100.0),), 20, 2), ids(path)[0])
        file.commit_all()
        report = verify(path)
    assert report.is_sound
    assert any("in use by a window" in note for note in report.notes)


def test_it_can_be_stopped(path: Path) -> None:
    seen: list[str] = []

    def stop(done: float, total: float, name: str) -> bool:
        assert 0 <= done <= total
        seen.append(name)
        return len(seen) < 3

    report = verify(path, stop)
    assert not report.is_complete
    assert len(seen) == 3


def test_nothing_is_written(path: Path) -> None:
    before = path.read_bytes()
    verify(path)
    assert path.read_bytes() == before


FLIPS = """
import random, sys
from pathlib import Path
import numpy as np
from orgseg_app.files.errors import FileError
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.backups.verify import verify
source, target, seed = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
data = source.read_bytes()
def contents(path):
    with ProjectFile.open(path, read_only=True) as file:
        found = [file.project.classes]
        for k, i in file.project.images.items():
            mask = file.load_mask(k).to_array()
            found.append((i.name, i.split, i.note, file.read_image(k).tobytes(), mask.tobytes()))
        return found
truth = contents(source)
chance = random.Random(seed)
silent = noticed = harmless = 0
for _ in range(40):
    flipped = bytearray(data)
    flipped[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    target.write_bytes(flipped)
    report = verify(target)
    if report.is_sound and not report.notes:
        try:
            same = contents(target) == truth
        except FileError:
            same = False
        silent += not same
        harmless += same
    else:
        noticed += 1
print(silent, noticed, harmless)
"""


def test_flipped_bytes_are_never_silent(tmp_path: Path) -> None:
    source = tmp_path / "small.orgseg"
    with ProjectFile.create(source, default_classes(["ER", "nucleus"])) as file:
        file.add_images(
            [NewImage(picture("a", (1, 1, 90, 80), "uint8"), mask=painted((1, 90, 80)))]
        )
    done = run_child(FLIPS, source, tmp_path / "flipped.orgseg", 1)
    assert done.returncode == 0, done.stderr[-2000:]
    silent, noticed, harmless = map(int, done.stdout.split())
    assert (silent, noticed + harmless) == (0, 40)
    assert noticed > 10, "a look that never finds anything is blind"


# -- living with damage --------------------------------------------------------------------------


def test_a_damaged_mask_opens_with_what_is_left(path: Path) -> None:
    first = ids(path)[0]
    with ProjectFile.open(path) as file:
        before = file.mask(first).to_array()
    damage_block(path, f"images/{first}/mask", (0, 512, 1024))
    with ProjectFile.open(path) as file:
        told: list[int] = []
        file.on_damage = lambda: told.append(len(file.damages))
        mask = file.mask(first)
        assert (mask.damaged, told) == ({(0, 2, 4)}, [1])
        file.load_mask(first)
        assert told == [1], "said once"
        expected = before.copy()
        expected[0, 512:768, 1024:1280] = 0
        assert np.array_equal(mask.to_array(), expected)
        title, text = damage.told(file.damages)
        assert title.startswith("Damaged: mask of “cell 3”, plane 1, block row 2 column 4")
        assert "stays as it is on the disk until you paint there" in text


def test_saving_leaves_a_damaged_block_alone(path: Path) -> None:
    first = ids(path)[0]
    where = f"images/{first}/mask"
    damage_block(path, where, (0, 512, 1024))
    place, size = block_place(path, where, (0, 512, 1024))
    raw = path.read_bytes()[place : place + size]
    with ProjectFile.open(path) as file:
        apply_edit(file, PaintStroke(0, ((100.0, 100.0),), 50, 3), first)
        erase = PaintStroke(0, ((600.0, 1100.0),), 50, 0)  # nothing is painted there to erase
        assert apply_edit(file, erase, first) is None
        file.touch_mask(first)
        file.save()
        assert not file.is_dirty
    assert block_place(path, where, (0, 512, 1024))[1] == size
    place, _ = block_place(path, where, (0, 512, 1024))
    assert path.read_bytes()[place : place + size] == raw
    assert only_damage(verify(path)).block == (0, 2, 4)


@pytest.mark.parametrize("offset", [(0, 512, 1024), (1, 1024, 1280)])
def test_painting_in_a_damaged_block_makes_it_sound(path: Path, offset: tuple[int, ...]) -> None:
    first = ids(path)[0]
    damage_block(path, f"images/{first}/mask", offset)
    z, y, x = offset
    with ProjectFile.open(path) as file:
        apply_edit(file, PaintStroke(z, ((y + 10.0, x + 10.0),), 6, 2), first)
        file.save()
        painted_now = file.mask(first).to_array()
    assert verify(path).is_sound
    with ProjectFile.open(path) as file:
        assert np.array_equal(file.mask(first).to_array(), painted_now)
        assert not file.damages


def test_training_is_not_given_black_blocks(path: Path) -> None:
    second = ids(path)[1]
    offset = stored(path, f"images/{second}/pixels")[3].offset
    with ProjectFile.open(path) as file:
        before = file.read_plane(second, 0)
    damage_block(path, f"images/{second}/pixels", offset)
    with ProjectFile.open(path) as file:
        with pytest.raises(ProjectError, match="cannot be read"):
            file.read_plane(second, 0)
        shown = file.read_plane(second, 0, to_look=True)
        rows, columns = file_chunks(path, second)
        _, _, y, x = offset
        expected = before.copy()
        expected[:, y : y + rows, x : x + columns] = 0
        assert np.array_equal(shown, expected)
        (found,) = file.damages
        assert (found.what, found.start) == ("image", offset[1:])
        assert "is black" in damage.told(file.damages)[1]
        assert np.array_equal(file.read_plane(second, 1), file.read_plane(second, 1, to_look=True))


def file_chunks(path: Path, image_id: str) -> tuple[int, int]:
    with h5py.File(path, "r", locking=False) as file:
        rows, columns = file["images"][image_id]["pixels"].chunks[2:]
        return int(rows), int(columns)


def test_a_disk_that_is_gone_is_not_called_damage(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = ids(path)[0]

    def dead(self: h5py.Dataset, key: object) -> None:
        raise OSError("Can't synchronously read data (file read failed: errno = 5)")

    with ProjectFile.open(path) as file:
        monkeypatch.setattr(h5py.Dataset, "__getitem__", dead)
        with pytest.raises(ProjectError, match="its disk is gone"):
            file.mask(first)
        monkeypatch.undo()
        assert not file.damages
        assert file.mask(first).counts()


# -- a look at a few blocks ----------------------------------------------------------------------


def test_a_look_at_a_few_blocks_is_short_and_finds_damage(path: Path) -> None:
    with ProjectFile.open(path, read_only=True) as file:
        begun = time.monotonic()
        assert spot_check.spot_check(file, 0.05) == []
        assert time.monotonic() - begun < 1.0
    where = f"images/{ids(path)[0]}/mask"
    for block in stored(path, where):
        damage_block(path, where, block.offset)
    with ProjectFile.open(path, read_only=True) as file:
        found = spot_check.spot_check(file, 0.5, seed=3)
        assert found
        assert {d.what for d in found} == {"mask"}
        assert all(d.image == "cell 3" and d.block is not None for d in found)


def test_a_look_at_nothing(tmp_path: Path) -> None:
    with ProjectFile.create(tmp_path / "a.orgseg", default_classes([])) as file:
        assert spot_check.spot_check(file) == []
