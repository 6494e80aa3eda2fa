"""Bringing a backup back: onto which images, as which classes, and what stays as it is."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from orgseg_app.core.classes import ClassInfo, default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.backups import differences, matching
from orgseg_app.files.backups import restore as restoring
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.project_file import NewImage, ProjectFile
from tests.files.damaging import break_list, damage_block
from tests.files.projects import (
    back_up,
    big_project,
    fill,
    masks,
    only,
    painted,
    picture,
    small_project,
)

# -- matching ------------------------------------------------------------------------------------


def test_images_are_found_by_their_voxels(tmp_path: Path) -> None:
    """As after importing them again, in another order and under other names."""
    with small_project(tmp_path / "cells.orgseg", 3) as file:
        made = back_up(file)
        before = masks(file)
    assert made is not None
    with ProjectFile.create(tmp_path / "new.orgseg", default_classes(["ER", "nucleus"])) as new:
        new.add_images(NewImage(picture(f"other {i}", seed=i)) for i in (2, 0))
        plan, changes = restoring.restore(new, made)
        after = masks(new)
        assert len(changes) == 2
        assert np.array_equal(after["other 2"], before["cell 2"])
        assert np.array_equal(after["other 0"], before["cell 0"])
        assert [p for p in plan.problems if "“cell 1” is not in the project any more" in p]


def test_a_mask_never_goes_onto_another_picture(tmp_path: Path) -> None:
    with small_project(tmp_path / "cells.orgseg", 2) as file:
        made = back_up(file)
        assert made is not None
        first, second = file.project.images
        project = file.project
        other_voxels = project.images[first].changed(sha256="sha256:" + "0" * 64)
        other_size = project.images[second].changed(shape=(1, 1, 60, 81))
        project.images = {first: other_voxels, second: other_size}
        one, two = matching.match_images(project, made)
        assert not one.image_id
        assert "shows other voxels now" in one.problem
        assert not two.image_id
        assert "does not fit it" in two.problem


def test_without_fingerprints_the_id_decides(tmp_path: Path) -> None:
    with small_project(tmp_path / "cells.orgseg", 2) as file:
        made = back_up(file)
        assert made is not None
        first, second = file.project.images
        file.project.images = {
            first: file.project.images[first].changed(sha256=""),
            second: file.project.images[second],
        }
        assert [m.image_id for m in matching.match_images(file.project, made)] == [first, second]


def test_copies_of_one_picture_keep_their_own_masks(tmp_path: Path) -> None:
    same = np.random.default_rng(0).integers(0, 4000, (60, 80)).astype(np.uint16)
    with ProjectFile.create(tmp_path / "a.orgseg", default_classes(["ER", "nucleus"])) as file:
        file.add_images(
            NewImage(open_array(name, same), mask=painted(seed=seed))
            for seed, name in enumerate("abc")
        )
        made = back_up(file)
        assert made is not None
        ids = list(file.project.images)
        assert [m.image_id for m in matching.match_images(file.project, made)] == ids
    with ProjectFile.create(tmp_path / "b.orgseg", default_classes(["ER", "nucleus"])) as new:
        new.add_images(NewImage(open_array(name, same)) for name in "ca")
        names = {i: image.name for i, image in new.project.images.items()}
        found = [names.get(m.image_id, "") for m in matching.match_images(new.project, made)]
        assert found == ["a", "", "c"]


B, ER, NUCLEUS = (
    ClassInfo(i, n, "#123456") for i, n in ((1, "background"), (2, "ER"), (3, "nucleus"))
)


@pytest.mark.parametrize(
    ("now", "mapped", "added"),
    [
        ([(2, "ER"), (3, "nucleus")], {2: 2, 3: 3}, []),
        ([(2, "nucleus"), (3, "er")], {2: 3, 3: 2}, []),
        ([(2, "ER")], {2: 2, 3: 3}, ["nucleus"]),
        ([(2, "membrane"), (3, "nucleus")], {2: 2, 3: 3}, []),  # renamed
        ([(2, "nucleus")], {2: 4, 3: 2}, ["ER"]),  # its number belongs to another one now
        ([], {2: 2, 3: 3}, ["ER", "nucleus"]),
    ],
)
def test_classes_are_found_by_name_then_by_number(
    now: list[tuple[int, str]], mapped: dict[int, int], added: list[str]
) -> None:
    classes = [B, *(ClassInfo(i, n, "#123456") for i, n in now)]
    found = matching.map_classes(classes, [B, ER, NUCLEUS], {1, 2, 3})
    assert {i: int(found.table[i]) for i in mapped} == mapped
    assert [c.name for c in found.added] == added
    assert found.counts({1: 5, 2: 7, 3: 9}) == {1: 5, mapped[2]: 7, mapped[3]: 9}


def test_classes_nobody_painted_are_not_added() -> None:
    assert matching.map_classes([B, ER], [B, ER, NUCLEUS], {1, 2}).added == ()


# -- restoring -----------------------------------------------------------------------------------


def test_restoring_can_be_undone_and_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "big.orgseg"
    with big_project(path, 2) as file:
        then = masks(file)
        made = back_up(file)
        assert made is not None
        fill(file, 2)
        file.save()
        now = masks(file)
        plan, changes = restoring.restore(file, made)
        assert (len(changes), plan.problems) == (2, [])
        assert [s.title for s in file.history.undoable()] == ["restore", "restore"]
        for name, values in masks(file).items():
            assert np.array_equal(values, then[name])
        file.save()
    with ProjectFile.open(path) as file:
        assert all(np.array_equal(v, then[n]) for n, v in masks(file).items())
        file.undo()
        file.undo()
        assert all(np.array_equal(v, now[n]) for n, v in masks(file).items())


def test_only_the_images_asked_for(tmp_path: Path) -> None:
    with small_project(tmp_path / "cells.orgseg", 3) as file:
        made = back_up(file)
        assert made is not None
        before = masks(file)
        fill(file, 1)
        wanted = list(file.project.images)[1]
        _, changes = restoring.restore(file, made, [wanted])
        assert [c.image_id for c in changes] == [wanted]
        after = masks(file)
        assert np.array_equal(after["cell 1"], before["cell 1"])
        assert (after["cell 0"] == 1).all()
        assert (after["cell 2"] == 1).all()


def test_splits_and_notes_only_when_asked(tmp_path: Path) -> None:
    with small_project(tmp_path / "cells.orgseg", 1) as file:
        first = only(file)
        file.set_split(first, "test")
        file.set_note(first, "then")
        file.save()
        made = back_up(file)
        assert made is not None
        file.set_split(first, "train")
        file.set_note(first, "now")
        restoring.restore(file, made)
        assert (file.project.images[first].split, file.project.images[first].note) == (
            "train",
            "now",
        )
        restoring.restore(file, made, with_facts=True)
        assert (file.project.images[first].split, file.project.images[first].note) == (
            "test",
            "then",
        )


def test_a_deleted_class_comes_back_with_its_voxels(tmp_path: Path) -> None:
    with small_project(tmp_path / "cells.orgseg", 1) as file:
        made = back_up(file)
        assert made is not None
        before = masks(file)
        fill(file, 0)
        file.set_removed_classes([c for c in file.project.classes if c.name == "nucleus"])
        file.set_classes([c for c in file.project.classes if c.name != "nucleus"])
        plan, _ = restoring.restore(file, made)
        assert [c.name for c in plan.added_classes] == ["nucleus"]
        assert [c.name for c in file.project.classes] == ["background", "ER", "nucleus"]
        assert file.project.removed_classes == ()
        assert np.array_equal(masks(file)["cell 0"], before["cell 0"])


def test_damaged_blocks_of_the_project_are_brought_back(tmp_path: Path) -> None:
    path = tmp_path / "big.orgseg"
    with big_project(path, 1) as file:
        first = only(file)
        then = masks(file)
        made = back_up(file)
    assert made is not None
    for offset in ((0, 0, 256), (0, 512, 512)):  # inside, and at the edge
        damage_block(path, f"images/{first}/mask", offset)
    with ProjectFile.open(path) as file:
        assert file.mask(first).damaged == {(0, 0, 1), (0, 2, 2)}
        restoring.restore(file, made)
        file.save()
    with ProjectFile.open(path) as file:
        assert file.mask(first).damaged == set()
        assert np.array_equal(masks(file)["big 0"], then["big 0"])


def test_blocks_the_backup_lacks_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "big.orgseg"
    with big_project(path, 1) as file:
        first = only(file)
        then = masks(file)["big 0"]
    damage_block(path, f"images/{first}/mask", (0, 0, 256))
    with ProjectFile.open(path) as file:
        made = back_up(file)
        assert made is not None
        assert not made.is_whole
        fill(file, 2)
        plan, _ = restoring.restore(file, made)
        assert "lacks 1 damaged block of “big 0”" in plan.problems[0]
        after = masks(file)["big 0"]
        assert (after[0, :256, 256:512] == 2).all()
        expected = then.copy()
        expected[0, :256, 256:512] = 2
        assert np.array_equal(after, expected)


def test_objects_are_brought_back(tmp_path: Path) -> None:
    path = tmp_path / "cells.orgseg"
    numbers = np.arange(60 * 80, dtype=np.uint32).reshape(1, 60, 80) * (painted() > 1)
    with ProjectFile.create(path, default_classes(["ER"])) as file:
        file.add_images([NewImage(picture(), mask=painted(), objects=numbers)])
        first = only(file)
        made = back_up(file)
        assert made is not None
    damage_block(path, f"images/{first}/objects", (0, 0, 0))
    with ProjectFile.open(path) as file:
        with contextlib.suppress(ProjectError):
            file.objects(first)
            pytest.fail("the damage is not noticed")
        plan, changes = restoring.restore(file, made)
        assert plan.with_objects == [first]
        assert [change.layer for change in changes] == ["objects"]
        assert np.array_equal(file.objects(first), numbers)
        file.save()
    with ProjectFile.open(path) as file:
        assert np.array_equal(file.objects(first), numbers)


# -- comparing -----------------------------------------------------------------------------------


def test_differences_by_class(tmp_path: Path) -> None:
    with small_project(tmp_path / "cells.orgseg", 3) as file:
        made = back_up(file)
        assert made is not None
        first = only(file)
        then = file.counts(first)
        file.mask(first).write(0, 0, 0, np.full((60, 80), 2, np.uint8))
        file.save()
        found = differences.differences(file, made, differences.current_digests(file))
        assert [d.is_same for d in found] == [False, True, True]
        assert found[0].gained == {i: then.get(i, 0) - (4800 if i == 2 else 0) for i in (1, 2, 3)}


def test_what_is_unsaved_is_never_called_the_same(tmp_path: Path) -> None:
    with small_project(tmp_path / "cells.orgseg", 1) as file:
        made = back_up(file)
        assert made is not None
        fill(file, 1)
        (found,) = differences.differences(file, made, differences.current_digests(file))
        assert not found.is_same


def test_a_preview_shows_where_most_has_changed(tmp_path: Path) -> None:
    shape = (3, 900, 1100)
    values = np.zeros(shape, np.uint8)
    values[2, 700:760, 1000:1080] = 2
    with ProjectFile.create(tmp_path / "a.orgseg", default_classes(["ER"])) as file:
        file.add_images([NewImage(picture("stack", (1, *shape), "uint8"), mask=values)])
        made = back_up(file)
        assert made is not None
        mask = file.mask(only(file))
        mask.write(2, 700, 1000, np.zeros((60, 80), np.uint8))
        mask.write(0, 0, 0, np.full((10, 10), 1, np.uint8))
        file.save()
        (found,) = differences.differences(file, made, differences.current_digests(file))
        shown = differences.preview(file, made, found)
        assert (shown.box.z0, shown.changed) == (2, 60 * 80 + 100)
        y0, x0, y1, x1 = shown.box.y0, shown.box.x0, shown.box.y1, shown.box.x1
        assert y0 <= 700
        assert y1 >= 760
        assert x0 <= 1000
        assert x1 >= 1080
        assert (y1 - y0, x1 - x0) == (differences.ROOM, differences.ROOM)
        assert not shown.now.any()
        assert np.count_nonzero(shown.then) == 60 * 80
        assert shown.picture is not None


def test_a_preview_of_a_large_change_stays_small(tmp_path: Path) -> None:
    shape = (1, 3000, 3000)
    values = np.zeros(shape, np.uint8)
    values[0, 10:20, 10:20] = values[0, 2900:2990, 2900:2990] = 2
    with ProjectFile.create(tmp_path / "a.orgseg", default_classes(["ER"])) as file:
        file.add_images([NewImage(picture("wide", (1, *shape), "uint8"), mask=values)])
        made = back_up(file)
        assert made is not None
        fill(file, 0)
        file.save()
        (found,) = differences.differences(file, made, differences.current_digests(file))
        shown = differences.preview(file, made, found)
        assert min(shown.box.y0, shown.box.x0) > 2000, "the place with most of it"
        assert max(shown.then.shape) <= differences.SIDE


def test_a_mask_that_cannot_be_read_at_all_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "big.orgseg"
    with big_project(path, 2) as file:
        then, first = masks(file), only(file)
        made = back_up(file)
    assert made is not None
    break_list(path, f"images/{first}/mask")
    with ProjectFile.open(path) as file:
        with pytest.raises(ProjectError, match="The mask of “big 0” cannot be read"):
            file.mask(first)
        assert file.mask(list(file.project.images)[1]).counts(), "the other one is not affected"
        plan, changes = restoring.restore(file, made)
        assert (plan.lost, changes) == ([first], [])
        assert np.array_equal(file.mask(first).to_array(), then["big 0"])
        file.compact()
    with ProjectFile.open(path) as file:
        assert all(np.array_equal(v, then[n]) for n, v in masks(file).items())
        with file.reading() as opened:
            assert sorted(opened["images"][first]) == ["mask", "pixels", "thumbnail"]
