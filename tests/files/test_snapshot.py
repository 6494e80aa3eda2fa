"""What a run learns from: complete, unchanging, with fingerprints."""

from __future__ import annotations

import os

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from orgseg_app.core.blocks import BlockArray
from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import content_hash
from orgseg_app.core.objects import Objects
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.images import layers
from orgseg_app.files.images.layers import objects_hash
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.files.snapshot import write_snapshot
from tests.files.projects import drafts, fill, only, painted, picture, small_project


def rich_project(path):
    file = ProjectFile.create(path, default_classes(["ER", "nucleus"]), name="rich")
    objects = np.arange(2 * 60 * 80, dtype=np.uint32).reshape(2, 60, 80) // 7
    file.add_images(
        [
            NewImage(picture("plain"), "train"),
            NewImage(picture("painted", pixel_size_um=(1.0, 0.1, 0.1)), "test", painted()),
            NewImage(
                picture("objects", (2, 2, 60, 80)), "validation", painted((2, 60, 80)), objects
            ),
            NewImage(picture("rgb", (3, 1, 300, 500), "uint8", is_rgb=True), "train"),
        ]
    )
    return file


def test_a_snapshot_holds_the_annotated_images_and_nothing_else(tmp_path):
    with rich_project(tmp_path / "p.orgseg") as file:
        write_snapshot(file, tmp_path / "snapshot.h5")
        names = [i.name for i in file.project.images.values()]
        assert names == ["plain", "painted", "objects", "rgb"]
        with ProjectFile.open(tmp_path / "snapshot.h5", read_only=True) as snapshot:
            assert snapshot.kind == "snapshot"
            assert (snapshot.project.uuid, snapshot.project.name, snapshot.project.classes) == (
                file.project.uuid,
                "rich",
                file.project.classes,
            )
            assert [i.name for i in snapshot.project.images.values()] == ["painted", "objects"]
            for i, image in snapshot.project.images.items():
                assert image == file.project.images[i]
                pixels, mask = snapshot.read_image(i), snapshot.mask(i).to_array()
                np.testing.assert_array_equal(pixels, file.read_image(i))
                np.testing.assert_array_equal(mask, file.mask(i).to_array())
                assert image.sha256 == content_hash(pixels)
                assert snapshot.mask_sha256(i) == content_hash(mask) == file.mask_sha256(i)
                assert snapshot.counts(i) == file.counts(i)
                np.testing.assert_array_equal(snapshot.thumbnail(i), file.thumbnail(i))
                if image.name == "objects":
                    np.testing.assert_array_equal(snapshot.objects(i), file.objects(i))
                    assert snapshot.objects_sha256(i) == file.objects_sha256(i) != ""
                else:
                    assert snapshot.objects_sha256(i) == ""
                    assert snapshot.objects(i) is None
    with h5py.File(tmp_path / "snapshot.h5") as h5:
        assert h5.attrs["kind"] == b"snapshot"
        masks = [g["mask"] for g in h5["images"].values()]
        assert {m.attrs["mask_sha256"].decode() for m in masks} == {
            content_hash(m[...]) for m in masks
        }
    assert sorted(os.listdir(tmp_path)) == ["p.orgseg", "snapshot.h5"]


def test_unsaved_strokes_are_in_it_and_stay_unsaved(tmp_path):
    with small_project(tmp_path / "p.orgseg", 2) as file:
        before = file.path.read_bytes()
        first, second = file.project.images
        fill(file, 3)
        file.mask(second).replace_block((0, 0, 0), None)
        file.set_split(first, "validation")
        write_snapshot(file, tmp_path / "s.h5")
        assert file.is_dirty
        assert file.path.read_bytes() == before
        with ProjectFile.open(tmp_path / "s.h5") as snapshot:
            assert list(snapshot.project.images) == [first]
            assert snapshot.counts(first) == {3: 4800}
            assert snapshot.project.images[first].split == "validation"


def test_it_is_not_changed_by_painting_on(tmp_path, monkeypatch):
    with small_project(tmp_path / "p.orgseg", 1) as file:
        i = only(file)
        fill(file, 2)
        original = layers.store_pixels

        def paint_meanwhile(*arguments, **options):
            fill(file, 3)
            return original(*arguments, **options)

        monkeypatch.setattr(layers, "store_pixels", paint_meanwhile)
        write_snapshot(file, tmp_path / "s.h5")
        with ProjectFile.open(tmp_path / "s.h5") as snapshot:
            assert snapshot.counts(i) == {2: 4800}
            assert snapshot.mask_sha256(i) == content_hash(np.full((1, 60, 80), 2, np.uint8))


def test_a_choice_of_images_in_their_order(tmp_path):
    with rich_project(tmp_path / "p.orgseg") as file:
        ids = {image.name: i for i, image in file.project.images.items()}
        chosen = [ids["rgb"], ids["plain"], ids["painted"]]
        write_snapshot(file, tmp_path / "s.h5", chosen)
        with ProjectFile.open(tmp_path / "s.h5") as snapshot:
            assert list(snapshot.project.images) == chosen
            assert snapshot.mask_sha256(ids["plain"]) == content_hash(
                np.zeros((1, 60, 80), np.uint8)
            )
            assert snapshot.read_image(ids["rgb"]).shape == (3, 1, 300, 500)
        with pytest.raises(ProjectError, match="holds no image 'nothing'"):
            write_snapshot(file, tmp_path / "s2.h5", ["nothing"])


def test_it_is_never_written_to(tmp_path):
    with small_project(tmp_path / "p.orgseg", 1) as file:
        write_snapshot(file, tmp_path / "s.h5")
        with ProjectFile.open(tmp_path / "s.h5") as snapshot:
            assert snapshot.read_only
            assert "what a run learned from" in snapshot.read_only_reason
            assert not (tmp_path / "s.h5.lock").exists()
            fill(snapshot, 3)
            assert snapshot.mask_sha256(only(snapshot)) == content_hash(
                np.full((1, 60, 80), 3, np.uint8)
            )
            with pytest.raises(ProjectError, match="it never changes"):
                snapshot.save()
            snapshot.save_copy(tmp_path / "again.orgseg")
        with ProjectFile.open(tmp_path / "again.orgseg") as again:
            assert (again.kind, again.read_only) == ("project", False)


def test_a_failure_leaves_the_former_snapshot(tmp_path, monkeypatch):
    with small_project(tmp_path / "p.orgseg", 2) as file:
        write_snapshot(file, tmp_path / "s.h5")
        before = (tmp_path / "s.h5").read_bytes()
        fill(file, 3)
        calls = []

        def fail(group, small):
            calls.append(group)
            if len(calls) == 2:
                raise OSError(28, "No space left on device")

        monkeypatch.setattr(layers, "store_thumbnail", fail)
        with pytest.raises(ProjectError, match=r"“s.h5” could not be saved: the disk is full"):
            write_snapshot(file, tmp_path / "s.h5")
        assert (tmp_path / "s.h5").read_bytes() == before
        assert drafts(tmp_path) == []


def test_voxels_that_changed_since_import_are_noticed(tmp_path):
    with small_project(tmp_path / "p.orgseg", 1) as file:
        i = only(file)
    with h5py.File(tmp_path / "p.orgseg", "r+") as h5:
        h5["images"][i]["pixels"][0, 0, 5, 5] ^= 1
    with (
        ProjectFile.open(tmp_path / "p.orgseg") as file,
        pytest.raises(ProjectError, match="“cell 0” is not what it was when it was imported"),
    ):
        write_snapshot(file, tmp_path / "s.h5")
    assert not (tmp_path / "s.h5").exists()


def test_its_counts_are_those_of_its_voxels_while_somebody_paints(tmp_path, monkeypatch):
    with ProjectFile.create(tmp_path / "p.orgseg", default_classes(["ER"])) as file:
        file.add_images([NewImage(picture("wide", (1, 1, 40, 600)))])
        image_id, kept = only(file), BlockArray.kept
        mask = file.mask(image_id)
        mask.write(0, 0, 0, np.full((40, 600), 2, np.uint8))

        def kept_and_painted_on(self, index):
            copy = kept(self, index)
            mask.write(0, 0, 0, np.ones((40, 600), np.uint8))
            return copy

        monkeypatch.setattr(BlockArray, "kept", kept_and_painted_on)
        write_snapshot(file, tmp_path / "s.h5")
    with ProjectFile.open(tmp_path / "s.h5", read_only=True) as snapshot:
        classes, counts = np.unique(snapshot.load_mask(image_id).to_array(), return_counts=True)
        assert len(classes) == 2
        assert snapshot.counts(image_id) == dict(zip(classes, counts, strict=True))


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, (2, 3, 5), elements=st.integers(0, 3)), st.permutations([1, 2, 9]))
def test_objects_with_other_numbers_are_the_same_objects(numbers, names):
    found = objects_hash(Objects.from_array(numbers.astype(np.uint32)))
    table = np.array([0, *names], np.uint32)
    assert objects_hash(Objects.from_array(table[numbers])) == found
    assert (found == "") == (not numbers.any())


@pytest.mark.parametrize("change", [(0, 0, 0, 2), (0, 0, 1, 0), (1, 1, 1, 1), (0, 2, 0, 1)])
def test_objects_that_differ_anywhere_are_others(change):
    numbers = np.zeros((2, 3, 4), np.uint32)
    numbers[0, 0, :2], numbers[1, 1, 1] = 1, 2
    other = numbers.copy()
    other[change[:3]] = change[3]
    one, two = (objects_hash(Objects.from_array(n)) for n in (numbers, other))
    assert one != two
