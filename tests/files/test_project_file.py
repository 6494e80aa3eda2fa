"""What goes into a project comes out of it: facts, voxels, masks, objects, thumbnails."""

from __future__ import annotations

import json
import os
import threading
import time

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from orgseg_app.core.classes import ClassInfo, background, default_classes
from orgseg_app.core.image import content_hash, open_array
from orgseg_app.core.mask import Mask
from orgseg_app.files.errors import FileError, ProjectError, ReadError
from orgseg_app.files.images import layers
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.files.store import storage
from tests.files.projects import drafts, fill, only, painted, picture, small_project

SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 300), st.integers(1, 300))
DTYPES = st.sampled_from(["uint8", "uint16", "float32"])


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), shape=SHAPES, dtype=DTYPES)
def test_any_image_and_mask_comes_back_voxel_for_voxel(tmp_path, data, shape, dtype):
    _, z, y, x = shape
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    pixels = rng.integers(0, 250, shape).astype(dtype)
    if dtype == "float32":
        pixels.flat[0] = data.draw(st.sampled_from([np.nan, np.inf, -1e30, 0.5]))
    mask = rng.integers(0, 256, (z, y, x)).astype(np.uint8) * (rng.random((z, y, x)) < 0.5)
    objects = rng.integers(0, 2**32, (z, y, x), dtype=np.uint32)
    path = tmp_path / f"{time.monotonic_ns()}.orgseg"
    with ProjectFile.create(path, default_classes(["a"])) as file:
        image = file.add_images([NewImage(open_array("i", pixels), "test", mask, objects)])[0]
        opened_before = file.thumbnail(image.image_id)
    with ProjectFile.open(path) as file:
        assert file.project.images == {image.image_id: image}
        i = image.image_id
        np.testing.assert_array_equal(file.read_image(i), pixels)
        np.testing.assert_array_equal(file.read_plane(i, z - 1), pixels[:, z - 1])
        np.testing.assert_array_equal(file.mask(i).to_array(), mask)
        np.testing.assert_array_equal(file.objects(i), objects)
        assert image.sha256 == content_hash(pixels)
        assert file.mask_sha256(i) == content_hash(mask)
        assert file.counts(i) == {v: (mask == v).sum() for v in range(1, 256) if v in mask}
        small = file.thumbnail(i)
        np.testing.assert_array_equal(small, opened_before)
        assert small.dtype == np.uint8
        assert 1 <= min(small.shape[:2]) <= max(small.shape[:2]) <= 128
        assert not file.is_dirty
    path.unlink()


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    strokes=st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 560), st.integers(0, 560), st.integers(0, 5)),
        min_size=1,
        max_size=8,
    ),
    saves=st.sets(st.integers(0, 7)),
)
def test_saving_any_strokes_at_any_time_keeps_all_of_them(tmp_path, strokes, saves):
    path = tmp_path / f"{time.monotonic_ns()}.orgseg"
    truth = np.zeros((2, 600, 600), np.uint8)
    with ProjectFile.create(path, default_classes(["a"])) as file:
        pixels = np.zeros((1, 2, 600, 600), np.uint8)
        i = file.add_images([NewImage(open_array("i", pixels))])[0].image_id
        for number, (z, y, x, value) in enumerate(strokes):
            file.mask(i).write(z, y, x, np.full((40, 40), value, np.uint8))
            truth[z, y : y + 40, x : x + 40] = value
            if number in saves:
                file.save()
                assert not file.is_dirty
        file.save()
        assert not file.is_dirty
    with ProjectFile.open(path) as file:
        np.testing.assert_array_equal(file.mask(i).to_array(), truth)
        assert file.counts(i) == file.mask(i).counts() == Mask.from_array(truth).counts()
    path.unlink()


def test_facts_come_back(tmp_path):
    path = tmp_path / "größe µ 你好 (1).orgseg"
    classes = (background(), ClassInfo(2, "ER ✓", "#112233"), ClassInfo(9, "nucleus", "#abcdef"))
    with ProjectFile.create(path, classes, name="Anna’s cells") as file:
        uuid = file.project.uuid
        rgb = open_array(
            "colour", np.zeros((3, 1, 9, 7), np.uint8), is_rgb=True, pixel_size_um=(1.0, 0.2, 0.1)
        )
        stack = open_array("stack", np.zeros((2, 5, 9, 7), np.float32))
        a, b = file.add_images(
            [NewImage(rgb, "validation", note="first\nnote"), NewImage(stack, "test")]
        )
        assert [i.name for i in file.project.images.values()] == ["colour", "stack"]
        file.rename_image(a.image_id, "Zelle 1")
        file.set_split(b.image_id, "train")
        file.set_note(b.image_id, "blurred — leave out?")
        file.set_pixel_size(b.image_id, (0.3, 0.1, 0.1))
        assert file.is_dirty
        file.save()
        assert not file.is_dirty
    with ProjectFile.open(path) as file:
        project = file.project
        assert (project.uuid, project.name, project.classes) == (uuid, "Anna’s cells", classes)
        first, second = project.images.values()
        assert (first.name, first.split, first.is_rgb, first.note) == (
            "Zelle 1",
            "validation",
            True,
            "first\nnote",
        )
        assert first.channel_names == ("red", "green", "blue")
        assert first.pixel_size_um == (1.0, 0.2, 0.1)
        assert (second.split, second.note, second.pixel_size_um) == (
            "train",
            "blurred — leave out?",
            (0.3, 0.1, 0.1),
        )
        assert (second.shape, second.dtype) == ((2, 5, 9, 7), "float32")
        assert file.thumbnail(first.image_id).shape == (9, 7, 3)
        assert file.thumbnail(second.image_id).shape == (9, 7)
        file.set_pixel_size(second.image_id, None)
        file.save()
    with ProjectFile.open(path) as file:
        assert file.project.images[second.image_id].pixel_size_um is None


def test_plain_h5py_reads_the_documented_layout(tmp_path):
    with small_project(tmp_path / "p.orgseg") as file:
        i = only(file)
        pixels, mask = file.read_image(i), file.mask(i).to_array()
    with h5py.File(tmp_path / "p.orgseg", "r") as h5:
        assert h5.attrs["format"] == b"orgseg-project"
        assert h5.attrs["schema_version"] == 2
        assert [c["name"] for c in json.loads(h5.attrs["classes"])] == [
            "background",
            "ER",
            "nucleus",
        ]
        group = h5["images"][i]
        assert group.attrs["name"].decode() == "cell 0"
        np.testing.assert_array_equal(group["pixels"][...], pixels)
        np.testing.assert_array_equal(group["mask"][...], mask)
        for layer in ("pixels", "mask"):
            assert group[layer].fletcher32
        assert h5.userblock_size == 4096


def test_a_mask_of_another_size_is_refused_and_nothing_stored(tmp_path):
    with small_project(tmp_path / "p.orgseg", 1) as file:
        with pytest.raises(ProjectError, match=r"mask of “b” measures 70 × 60, its image 80 × 60"):
            file.add_images(
                [NewImage(picture("a")), NewImage(picture("b"), mask=painted((1, 60, 70)))]
            )
        with pytest.raises(ProjectError, match="whole class ids"):
            file.add_images([NewImage(picture("b"), mask=np.ones((60, 80)))])
        assert len(file.project.images) == 1
        assert not file.is_dirty
    with ProjectFile.open(tmp_path / "p.orgseg") as file:
        assert len(file.project.images) == 1


def test_one_unreadable_image_does_not_stop_the_others(tmp_path):
    def broken(z):
        raise ReadError("“b.tif” is cut off.")

    bad = picture("b", (1, 3, 60, 80))
    bad.read_plane = broken
    lying = picture("c")
    lying.shape = (1, 1, 61, 80)
    told = []
    with small_project(tmp_path / "p.orgseg", 1) as file:
        with pytest.raises(ReadError, match="cut off"):
            file.add_images([NewImage(picture("a")), NewImage(bad)])
        assert len(file.project.images) == 1
        items = [NewImage(o) for o in (picture("a"), bad, lying, picture("d"))]
        added = file.add_images(
            iter(items), on_error=lambda item, error: told.append((item.opened.name, str(error)))
        )
        assert [i.name for i in added] == ["a", "d"]
        assert [name for name, _ in told] == ["b", "c"]
        assert "was announced" in told[1][1]
    with ProjectFile.open(tmp_path / "p.orgseg") as file:
        assert [i.name for i in file.project.images.values()] == ["cell 0", "a", "d"]
        for i in file.project.images:
            assert file.read_image(i).shape == (1, 1, 60, 80)


def test_giving_up_an_import_stores_nothing(tmp_path):
    seen = []

    def progress(done, total):
        seen.append((done, total))
        return done < 2

    with small_project(tmp_path / "p.orgseg", 1) as file:
        before = file.path.read_bytes()
        assert file.add_images([NewImage(picture(str(i))) for i in range(5)], progress) == []
        assert seen == [(0, 5), (1, 5), (2, 5)]
        assert file.path.read_bytes() == before
        assert drafts(tmp_path) == []
        added = file.add_images(
            [NewImage(picture(str(i))) for i in range(2)], lambda d, t: seen.append((d, t)) or True
        )
        assert len(added) == 2
        assert seen[-1] == (2, 2)


def test_importing_leaves_unsaved_strokes_unsaved_and_alive(tmp_path):
    with small_project(tmp_path / "p.orgseg", 1) as file:
        i = only(file)
        fill(file, 3)
        file.set_split(i, "test")
        file.add_images([NewImage(picture("later"))])
        assert file.is_dirty
        with ProjectFile.open(file.path, read_only=True) as other:
            assert other.project.images[i].split == "train"
        file.save()
        assert not file.is_dirty
    with ProjectFile.open(tmp_path / "p.orgseg") as file:
        assert [i.name for i in file.project.images.values()] == ["cell 0", "later"]
        assert file.project.images[i].split == "test"
        assert file.counts(i) == {3: 4800}


def test_names_in_a_project_stay_distinct(tmp_path):
    with small_project(tmp_path / "p.orgseg", 1) as file:
        added = file.add_images(
            [NewImage(picture(n)) for n in ("a", "A", "cell 0", "x\0\u202ey\n")]
        )
        assert [i.name for i in added] == ["a", "A (2)", "cell 0 (2)", "xy"]
        with pytest.raises(ProjectError, match="Another image is called “a”"):
            file.rename_image(added[3].image_id, "a")
        with pytest.raises(ProjectError, match="needs a name"):
            file.rename_image(added[3].image_id, " \n")
        file.set_note(added[3].image_id, "half \ud800 and zero \0 and long " + "µ" * 200_000)
        file.save()


def test_removed_images_can_be_restored_until_saved(tmp_path):
    with small_project(tmp_path / "p.orgseg", 3) as file:
        order = list(file.project.images)
        image = file.project.images[order[1]]
        file.remove_image(order[1])
        assert file.is_dirty
        file.restore_image(image, 1)
        assert not file.is_dirty
        file.remove_image(order[1])
        file.save()
        with pytest.raises(ProjectError, match="Import it again"):
            file.restore_image(image)
        with pytest.raises(ProjectError, match="no image"):
            file.read_plane(order[1], 0)
        with pytest.raises(ProjectError, match="no image"):
            file.set_split(order[1], "test")
    with ProjectFile.open(tmp_path / "p.orgseg") as file:
        assert list(file.project.images) == [order[0], order[2]]


def test_the_order_of_images_outlives_every_change_of_the_list(tmp_path):
    path = tmp_path / "p.orgseg"

    def check(file, names):
        assert [i.name for i in file.project.images.values()] == names
        file.save()
        with ProjectFile.open(path, read_only=True) as other:
            assert [i.name for i in other.project.images.values()] == names

    with ProjectFile.create(path, default_classes()) as file:
        for names in ("ab", "c", "de"):
            file.add_images([NewImage(picture(n, (1, 1, 2, 2))) for n in names])
        ids = {image.name: i for i, image in file.project.images.items()}
        check(file, list("abcde"))
        file.remove_image(ids["b"])
        file.set_note(ids["a"], "changed")
        file.set_note(ids["e"], "changed")
        check(file, list("acde"))
        image = file.project.images[ids["e"]]
        file.remove_image(ids["e"])
        file.restore_image(image, 0)
        check(file, list("eacd"))
        file.add_images([NewImage(picture("f", (1, 1, 2, 2)))])
        check(file, list("eacdf"))
        file.remove_image(ids["d"])
        pending = file.collect()
        file.add_images([NewImage(picture("g", (1, 1, 2, 2)))])
        file.write(pending)
        check(file, list("eacfg"))


def test_room_of_removed_images_is_given_back(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "HOLES_BYTES", 100_000)
    path = tmp_path / "p.orgseg"
    with small_project(path, 2) as file:
        kept = only(file)
        pixels = file.read_image(kept)
        big = file.add_images([NewImage(picture("big", (1, 1, 1000, 1000)))])[0]
        full = path.stat().st_size
        uuid = file.project.uuid
        file.remove_image(big.image_id)
        fill(file, 2)
        file.save()
        assert path.stat().st_size < full - 1_900_000
        np.testing.assert_array_equal(file.read_image(kept), pixels)
    with ProjectFile.open(path) as file:
        assert file.project.uuid == uuid
        assert len(file.project.images) == 2
        assert file.counts(kept) == {2: 4800}
        np.testing.assert_array_equal(file.read_image(kept), pixels)


def test_a_mask_is_one_object_and_touching_it_saves_it(tmp_path):
    path = tmp_path / "p.orgseg"
    with small_project(path) as file:
        i = only(file)
        mask = file.mask(i)
        assert file.mask(i) is mask
        assert not file.is_dirty
        mask._blocks[(0, 0, 0)][:60, :80] = 7  # past the mask's own book-keeping
        mask._counts.clear()
        assert not file.is_dirty
        file.touch_mask(i)
        assert file.is_dirty
        file.save()
        assert not file.is_dirty
    with ProjectFile.open(path) as file:
        assert file.counts(i) == {7: 4800}


def test_touching_saves_only_the_blocks_that_changed(tmp_path):
    with ProjectFile.create(tmp_path / "p.orgseg", default_classes(["a"])) as file:
        mask = np.ones((1, 1024, 1024), np.uint8)
        i = file.add_images([NewImage(picture("i", (1, 1, 1024, 1024), "uint8"), mask=mask)])[
            0
        ].image_id
        file.mask(i).write(0, 300, 300, np.full((10, 10), 2, np.uint8))
        file.touch_mask(i)
        pending = file.collect()
        assert set(pending.masks[i].blocks) == {(0, 1, 1)}
        assert not file.is_dirty
        file.write(pending)


def test_an_erased_mask_takes_no_room_and_reads_back_empty(tmp_path):
    with small_project(tmp_path / "p.orgseg", 1) as file:
        i = only(file)
        fill(file, 0)
        file.mask(i).replace_block((0, 0, 0), None)
        file.save()
    with ProjectFile.open(tmp_path / "p.orgseg") as file:
        assert file.counts(i) == {}
        assert file.mask(i).is_empty
        assert file.mask(i).block_indices() == []


def test_strokes_made_while_saving_stay_unsaved(tmp_path):
    with small_project(tmp_path / "p.orgseg", 1) as file:
        i = only(file)
        fill(file, 2)
        pending = file.collect()
        assert not file.is_dirty
        file.mask(i).write(0, 0, 0, np.full((60, 40), 3, np.uint8))
        file.write(pending)
        assert file.is_dirty
        with ProjectFile.open(file.path, read_only=True) as other:
            assert other.counts(i) == {2: 4800}
        file.save()
        with ProjectFile.open(file.path, read_only=True) as other:
            assert other.counts(i) == {2: 2400, 3: 2400}


def test_reading_in_one_thread_while_another_saves(tmp_path):
    with small_project(tmp_path / "p.orgseg", 4) as file:
        truth = {i: file.read_image(i) for i in file.project.images}
        stop, wrong, reads = threading.Event(), [], [0]

        def look():
            while not stop.is_set():
                for i, pixels in truth.items():
                    if (
                        not np.array_equal(file.read_plane(i, 0), pixels[:, 0])
                        or file.thumbnail(i).max() == 0
                    ):
                        wrong.append(i)
                    reads[0] += 1

        threads = [threading.Thread(target=look) for _ in range(2)]
        for thread in threads:
            thread.start()
        for value in range(1, 16):
            fill(file, value)
            file.save()
        deadline = time.monotonic() + 20
        while reads[0] < 20 and time.monotonic() < deadline:
            time.sleep(0.001)
        stop.set()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert reads[0] >= 20


def test_opening_and_thumbnails_read_no_pixels(tmp_path, monkeypatch):
    path = tmp_path / "p.orgseg"
    small_project(path, 3).close()
    read = []
    original = h5py.Dataset.__getitem__
    monkeypatch.setattr(
        h5py.Dataset, "__getitem__", lambda d, *a, **k: read.append(d.name) or original(d, *a, **k)
    )
    with ProjectFile.open(path) as file:
        for i in file.project.images:
            file.thumbnail(i)
            file.counts(i)
    assert read
    assert {name.rsplit("/", 1)[1] for name in read} == {"thumbnail"}


@given(
    box=st.tuples(*[st.integers(-20, 1300)] * 4).filter(lambda b: b[0] < b[2] and b[1] < b[3]),
    z=st.integers(0, 1),
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_region_of_a_plane(two_planes, box, z):
    file, pixels = two_planes
    y0, x0, y1, x1 = box
    region = file.read_region(only(file), z, *box)
    np.testing.assert_array_equal(region, pixels[:, z, max(0, y0) : y1, max(0, x0) : x1])


@pytest.fixture
def two_planes(tmp_path):
    pixels = np.arange(2 * 2 * 600 * 1200, dtype=np.uint16).reshape(2, 2, 600, 1200)
    with ProjectFile.create(tmp_path / "p.orgseg", default_classes()) as file:
        file.add_images([NewImage(open_array("i", pixels))])
        yield file, pixels


def test_there_are_no_planes_but_its_own(two_planes):
    file, _ = two_planes
    for z in (-1, 2):
        with pytest.raises(IndexError, match="no plane"):
            file.read_plane(only(file), z)


def test_relative_paths_survive_a_change_of_folder(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    with ProjectFile.create("p.orgseg", default_classes()) as file:
        monkeypatch.chdir(tmp_path / "b")
        file.add_images([NewImage(picture("i"))])
        assert file.path == tmp_path / "a" / "p.orgseg"
    assert list((tmp_path / "b").iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_a_project_behind_a_link_is_saved_behind_the_link(tmp_path):
    (tmp_path / "far").mkdir()
    small_project(tmp_path / "far" / "p.orgseg", 1).close()
    link = tmp_path / "p.orgseg"
    link.symlink_to(tmp_path / "far" / "p.orgseg")
    with ProjectFile.open(link) as file:
        fill(file, 3)
        file.save()
    assert link.is_symlink()
    with ProjectFile.open(tmp_path / "far" / "p.orgseg") as file:
        assert file.counts(only(file)) == {3: 4800}


def test_creating_never_replaces_a_file(tmp_path):
    path = tmp_path / "p.orgseg"
    path.write_text("mine")
    with pytest.raises(ProjectError, match="already there and was left as it is"):
        ProjectFile.create(path, default_classes())
    assert path.read_text() == "mine"
    assert os.listdir(tmp_path) == ["p.orgseg"]
    with pytest.raises(ProjectError, match="There is no folder"):
        ProjectFile.create(tmp_path / "gone" / "p.orgseg", default_classes())


def test_a_closed_project_says_so(tmp_path):
    file = small_project(tmp_path / "p.orgseg", 1)
    i = only(file)
    file.close()
    file.close()
    with pytest.raises(ProjectError, match="not open any more"):
        file.read_plane(i, 0)
    with pytest.raises(ProjectError, match="not open any more"):
        file.add_images([NewImage(picture("late"))])


def test_pending_changes_of_a_failed_save_are_saved_by_the_next(tmp_path, monkeypatch):
    with small_project(tmp_path / "p.orgseg", 1) as file:
        i = only(file)
        fill(file, 3)
        file.touch_mask(i)

        def refuse(*_):
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(layers, "store_mask", refuse)
            with pytest.raises(
                ProjectError, match=r"could not be saved: input/output error. Nothing is lost"
            ):
                file.save()
        assert file.is_dirty
        assert drafts(tmp_path) == []
        file.save()
    with ProjectFile.open(tmp_path / "p.orgseg") as file:
        assert file.counts(i) == {3: 4800}


def test_a_copy_holds_unsaved_changes_and_leaves_the_project_alone(tmp_path):
    with small_project(tmp_path / "p.orgseg", 2) as file:
        first, second = file.project.images
        fill(file, 3)
        file.remove_image(second)
        file.set_split(first, "test")
        before = file.path.read_bytes()
        file.save_copy(tmp_path / "copy.orgseg")
        assert file.is_dirty
        assert file.path.read_bytes() == before
        with pytest.raises(ProjectError, match="already there"):
            file.save_copy(tmp_path / "copy.orgseg")
        with pytest.raises(ProjectError, match="another name"):
            file.save_copy(file.path)
        file.save()
        with ProjectFile.open(tmp_path / "copy.orgseg") as copy:
            assert list(copy.project.images) == [first]
            assert copy.project.images[first].split == "test"
            assert copy.counts(first) == {3: 4800}


@given(values=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=40)))
def test_the_fingerprint_of_a_mask_is_that_of_its_array(values):
    assert layers.mask_hash(Mask.from_array(values)) == content_hash(values)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 4000), (2, 300, 200), (3, 130, 700)])
@pytest.mark.parametrize("fault", ["none", "flat", "dark"])
def test_thumbnails_of_odd_planes(dtype, shape, fault):
    plane = np.random.default_rng(0).integers(0, 200, shape).astype(dtype)
    if fault != "none":
        plane[:] = 0 if fault == "dark" else 7
    if dtype == "float32" and fault == "none":
        plane[0, 0, 0] = np.nan
    small = layers.thumbnail(plane, is_rgb=shape[0] == 3)
    height, width = shape[1:]
    scale = min(1.0, 128 / max(height, width))
    assert small.shape[:2] == (max(1, round(height * scale)), max(1, round(width * scale)))
    assert small.ndim == (3 if shape[0] == 3 else 2)
    if fault == "dark":
        assert small.max() == 0
    if fault == "none" and min(height, width) > 1:
        assert small.std() > 0


def test_the_base_of_all_errors():
    assert issubclass(ProjectError, FileError)
