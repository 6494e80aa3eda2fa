"""Linked images: found by what they hold, never by order or by name, and never the wrong one."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading

import h5py
import numpy as np
import psutil
import pytest
import tifffile

from orgseg_app import paths
from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import content_hash
from orgseg_app.files.errors import FileError, ProjectError, ReadError
from orgseg_app.files.giving_up import GivenUpError
from orgseg_app.files.images import content, links
from orgseg_app.files.images.content import Source
from orgseg_app.files.images.link_records import LinkRecords
from orgseg_app.files.images.link_search import files_in
from orgseg_app.files.images.links import CHANGED, FOUND, MISSING, LinkError
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.files.readers.registry import read_images
from orgseg_app.files.snapshot import write_snapshot


def pixels_of(seed, shape=(40, 50)):
    return np.random.default_rng(seed).integers(0, 4000, shape).astype(np.uint16)


def write_images(folder, names="ab", **fields):
    """Files of one size, each with a content of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, name in enumerate(names):
        tifffile.imwrite(folder / f"{name}.tif", pixels_of(seed, **fields))
    old = 1_700_000_000_123_456_789  # not just written
    for name in names:
        os.utime(folder / f"{name}.tif", ns=(old, old))
    return folder


def linked_project(path, folder, names="ab", mask=True) -> ProjectFile:
    """Linked images called as their files; what is painted tells which is which."""
    file = ProjectFile.create(path, default_classes(["ER", "nucleus"]))
    items = []
    for name in names:
        source = Source(folder / f"{name}.tif")
        for series, opened in enumerate(read_images(source.path)):
            painted = np.full(opened.shape[1:], ord(name) - ord("a") + 1, np.uint8)
            items.append(
                NewImage(opened, mask=painted if mask else None, linked=source, series=series)
            )
    file.add_images(items)
    return file


def ids(file) -> dict[str, str]:
    return {image.name: image_id for image_id, image in file.project.images.items()}


def check_lanes(file, names="ab"):
    """Each mask lies on its own image."""
    for seed, name in enumerate(names):
        image_id = ids(file)[name]
        np.testing.assert_array_equal(file.read_plane(image_id, 0)[0], pixels_of(seed))
        assert file.mask(image_id).value(0, 0, 0) == seed + 1


def states(file) -> dict[str, str]:
    return {image.name: file.links.state(image) for image in file.project.images.values()}


class ReadHere:
    """In place of the process of its own that reads linked files, which takes a second to start."""

    def reads(self):
        return contextlib.nullcontext()

    def close(self):
        pass


@pytest.fixture(autouse=True)
def read_here(request, monkeypatch):
    if "real_reader" not in request.fixturenames:
        monkeypatch.setattr(links, "ReadingChild", ReadHere)


@pytest.fixture
def real_reader():
    """The test that wants it."""


@pytest.fixture
def elsewhere(tmp_path):
    return write_images(tmp_path / "pictures")


@pytest.fixture
def path(tmp_path, elsewhere):
    """A closed project in a folder of its own, linked to files elsewhere."""
    (tmp_path / "work").mkdir()
    with linked_project(tmp_path / "work" / "p.orgseg", elsewhere) as file:
        check_lanes(file)
    return tmp_path / "work" / "p.orgseg"


def test_a_linked_image_reads_as_its_file_and_keeps_its_overview(path, elsewhere):
    with ProjectFile.open(path) as file:
        check_lanes(file)
        image = file.project.images[ids(file)["a"]]
        assert image.link is not None
        assert (image.link.name, image.link.series) == ("a.tif", 0)
        assert image.link.size == (elsewhere / "a.tif").stat().st_size
        assert image.sha256 == content_hash(pixels_of(0).reshape(1, 1, 40, 50))
        region = file.read_region(image.image_id, 0, 3, 4, 20, 999)
        np.testing.assert_array_equal(region[0], pixels_of(0)[3:20, 4:])
        with file.reading() as inside:
            assert "pixels" not in inside["images"][image.image_id]
    shutil.rmtree(elsewhere)
    with ProjectFile.open(path) as file:
        assert file.thumbnail(ids(file)["a"]).shape == (40, 50)
        assert file.levels(ids(file)["a"]) == ((20, 25),)
        assert file.read_level(ids(file)["a"], 1, 0, 0, 0, 20, 25).any()
        assert file.mask(ids(file)["b"]).value(0, 0, 0) == 2
        with pytest.raises(LinkError, match="“a.tif” was not found"):
            file.read_plane(ids(file)["a"], 0)


def test_linked_files_are_read_in_a_process_of_their_own(path, elsewhere, real_reader):
    tifffile.imwrite(elsewhere / "c.tif", pixels_of(2), compression="zlib")
    with linked_project(path.with_name("q.orgseg"), elsewhere, "c", mask=False) as file:
        np.testing.assert_array_equal(file.read_plane(ids(file)["c"], 0)[0], pixels_of(2))
        pid = file.links._reader.pid
        assert psutil.pid_exists(pid)
    assert not psutil.pid_exists(pid)


def test_fingerprints_are_those_of_an_embedded_image(tmp_path):
    """So that copies are seen, and a linked image can be embedded; channels and planes too."""
    data = pixels_of(3, (4, 3, 30, 20))
    tifffile.imwrite(tmp_path / "s.tif", data, imagej=True, metadata={"axes": "ZCYX"})
    opened = read_images(tmp_path / "s.tif")[0]
    assert opened.shape == (3, 4, 30, 20)
    with ProjectFile.create(tmp_path / "p.orgseg", default_classes(["ER"])) as file:
        linked, embedded = file.add_images(
            [NewImage(opened, linked=Source(tmp_path / "s.tif")), NewImage(opened)]
        )
        assert linked.sha256 == embedded.sha256
        assert [i.image_id for i in file.embed()] == [linked.image_id]
        assert file.project.images[linked.image_id].link is None
        (tmp_path / "s.tif").unlink()
        np.testing.assert_array_equal(file.read_image(linked.image_id), opened_data(data))
    with ProjectFile.open(tmp_path / "p.orgseg") as file:
        assert [image.link for image in file.project.images.values()] == [None, None]
        np.testing.assert_array_equal(file.read_image(linked.image_id), opened_data(data))


def opened_data(data):
    return data.transpose(1, 0, 2, 3)


def test_embedding_given_up_changes_nothing(path):
    before = path.read_bytes()
    with ProjectFile.open(path) as file:
        assert file.embed(progress=lambda done, total: False) == []
        assert all(image.link for image in file.project.images.values())
    assert path.read_bytes() == before


def test_the_same_name_in_another_place_is_no_reason(path, elsewhere, tmp_path):
    """Names exchanged (ilastik#2686): found by content, the lanes do not mix."""
    (elsewhere / "a.tif").rename(elsewhere / "x")
    (elsewhere / "b.tif").rename(elsewhere / "a.tif")
    (elsewhere / "x").rename(elsewhere / "b.tif")
    with ProjectFile.open(path) as file:
        check_lanes(file)
    with ProjectFile.open(path) as file:
        check_lanes(file)
        assert states(file) == {"a": FOUND, "b": FOUND}


def test_size_and_time_do_not_tell_exchanged_files_apart(path, elsewhere):
    """The trap in that: both stamps are equal but for the number of the file."""
    a, b = (elsewhere / f"{n}.tif" for n in "ab")
    assert a.stat().st_size == b.stat().st_size
    assert a.stat().st_mtime_ns == b.stat().st_mtime_ns


@pytest.mark.parametrize("swap", [True, False])
def test_moved_and_renamed_images_are_found_by_content(path, elsewhere, tmp_path, swap):
    new = tmp_path / "disk 2" / "ünder" / "deeper"
    new.mkdir(parents=True)
    names = ("b.tif", "a.tif") if swap else ("one.dat", "two.dat")
    for old, name in zip(("a.tif", "b.tif"), names, strict=True):
        shutil.copy(elsewhere / old, new / name)  # another file, another time
    shutil.rmtree(elsewhere)
    with ProjectFile.open(path) as file:
        assert states(file) == {"a": MISSING, "b": MISSING}
        found = file.links.find(file.project.images.values(), tmp_path / "disk 2")
        assert set(found.linked) == set(ids(file).values())
        assert (found.missing, found.refused) == ((), ())
        check_lanes(file)
    with ProjectFile.open(path) as file:  # remembered
        check_lanes(file)


def test_a_project_copied_with_its_images_finds_them_itself(path, elsewhere, tmp_path, monkeypatch):
    there = tmp_path / "stick"
    shutil.copytree(elsewhere, there / "images")
    shutil.copy(path, there / "p.orgseg")
    shutil.rmtree(elsewhere)
    monkeypatch.setenv("ORGSEG_HOME", str(tmp_path / "another computer"))
    with ProjectFile.open(there / "p.orgseg") as file:
        check_lanes(file)


@pytest.mark.parametrize("same_size", [True, False])
def test_a_wrong_image_is_refused_with_a_sentence(path, elsewhere, tmp_path, same_size):
    new = write_images(tmp_path / "new", "ab", shape=(40, 50) if same_size else (41, 50))
    if same_size:
        tifffile.imwrite(new / "b.tif", pixels_of(77))
        assert (new / "b.tif").stat().st_size == (elsewhere / "b.tif").stat().st_size
    shutil.rmtree(elsewhere)
    with ProjectFile.open(path) as file:
        found = file.links.find(file.project.images.values(), new)
        image_ids = ids(file)
        assert image_ids["b"] in found.missing
        assert any("b.tif is called like a missing file" in text for text in found.refused)
        assert (image_ids["a"] in found.linked) == same_size
        with pytest.raises(LinkError):
            file.read_plane(image_ids["b"], 0)
        alone = file.links.find(file.project.images.values(), new / "b.tif")
        assert not alone.linked
        assert "b.tif" in alone.refused[0]
        with pytest.raises(FileError, match="no folder or file"):
            file.links.find(file.project.images.values(), tmp_path / "nowhere")


def test_a_changed_file_is_refused_and_named_and_the_rest_opens(path, elsewhere):
    data = bytearray((elsewhere / "b.tif").read_bytes())
    data[-1] ^= 1
    (elsewhere / "b.tif").write_bytes(data)
    with ProjectFile.open(path) as file:
        np.testing.assert_array_equal(file.read_plane(ids(file)["a"], 0)[0], pixels_of(0))
        with pytest.raises(LinkError, match="“b.tif” has changed since it was linked") as caught:
            file.read_plane(ids(file)["b"], 0)
        assert caught.value.state == CHANGED
        assert states(file) == {"a": FOUND, "b": CHANGED}
        assert file.mask(ids(file)["b"]).value(0, 0, 0) == 2
    data[-1] ^= 1
    (elsewhere / "b.tif").write_bytes(data)  # the original is back
    with ProjectFile.open(path) as file:
        check_lanes(file)


def test_a_file_that_changes_while_the_project_is_open(path, elsewhere):
    with ProjectFile.open(path) as file:
        check_lanes(file)
        tifffile.imwrite(elsewhere / "b.tif", pixels_of(5))
        with pytest.raises(LinkError, match="has changed"):
            file.read_plane(ids(file)["b"], 0)
        (elsewhere / "a.tif").unlink()
        with pytest.raises(LinkError, match="was not found"):
            file.read_plane(ids(file)["a"], 0)


def test_a_file_that_changes_while_a_plane_is_read(path, elsewhere, monkeypatch):
    with ProjectFile.open(path) as file:
        image = file.project.images[ids(file)["a"]]
        opened = file.links.opened(image)
        original = opened.read_plane

        def read_plane(z):
            plane = original(z)
            tifffile.imwrite(elsewhere / "a.tif", pixels_of(9))
            return plane

        monkeypatch.setattr(opened, "read_plane", read_plane)
        with pytest.raises(LinkError, match="has changed"):
            file.read_plane(image.image_id, 0)


def test_a_change_within_the_same_moment_is_seen(tmp_path, monkeypatch):
    """As git does: a file just written is read again later, for its time says too little."""
    folder = write_images(tmp_path / "pictures", "a")
    (folder / "a.tif").touch()
    stamp = os.stat(folder / "a.tif")
    with linked_project(tmp_path / "p.orgseg", folder, "a") as file:
        file.read_plane(ids(file)["a"], 0)
    data = bytearray((folder / "a.tif").read_bytes())
    data[-1] ^= 1
    with open(folder / "a.tif", "r+b") as stream:  # the same file, size and time
        stream.write(data)
    os.utime(folder / "a.tif", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    with (
        ProjectFile.open(tmp_path / "p.orgseg") as file,
        pytest.raises(LinkError, match="has changed"),
    ):
        file.read_plane(ids(file)["a"], 0)


def test_unchanged_files_are_read_once_only(path, elsewhere, monkeypatch):
    read = []
    original = content.content_of
    monkeypatch.setattr(links, "content_of", lambda *a: read.append(a[0]) or original(*a))
    for _ in range(2):
        with ProjectFile.open(path) as file:
            check_lanes(file)
    assert read == []
    for name in "ab":
        (elsewhere / f"{name}.tif").rename(elsewhere / f"{name} 2.tif")
    with ProjectFile.open(path) as file:
        check_lanes(file)
        check_lanes(file)
    assert sorted(p.name for p in read) == ["a 2.tif", "b 2.tif"]


def test_no_path_is_in_the_project_and_none_in_it_is_used(path, elsewhere, tmp_path):
    raw = path.read_bytes()
    for text in (str(elsewhere), str(tmp_path), elsewhere.name):
        assert text.encode() not in raw
    secret = tmp_path / "secret.tif"
    tifffile.imwrite(secret, pixels_of(8))
    with ProjectFile.open(path) as file:
        image_id = ids(file)["a"]
    with h5py.File(path, "r+") as file:  # a stranger's: names that are paths, another's fingerprint
        group = file["images"][image_id]
        group.attrs["link_name"] = np.bytes_(str(secret).encode())
        group.attrs["source"] = np.bytes_(str(secret).encode())
        group.attrs["link_sha256"] = np.bytes_(Source(secret).content().sha256.encode())
        group.attrs["link_bytes"] = secret.stat().st_size
    with ProjectFile.open(path) as file, pytest.raises(LinkError, match="was not found"):
        file.read_plane(image_id, 0)


@pytest.mark.parametrize(
    "key, value",
    [
        ("link_sha256", np.bytes_(b"sha256:../../x")),
        ("link_sha256", None),
        ("link_bytes", -5),
        ("link_series", 2**40),
        ("shape", np.array([1, 1, 40])),
        ("shape", np.array([1, 1, 2**40, 50])),
        ("shape", np.array([1, 1, 41, 50])),
        ("shape", np.array([1.0, 1.0, 40.0, 50.0])),
        ("dtype", np.bytes_(b"object")),
        ("dtype", None),
    ],
)
def test_impossible_facts_about_a_link_are_refused(path, key, value):
    with h5py.File(path, "r+") as file:
        group = next(iter(file["images"].values()))
        del group.attrs[key]
        if value is not None:
            group.attrs[key] = value
    with pytest.raises(ProjectError, match="damaged"):
        ProjectFile.open(path)


@pytest.mark.parametrize("wrong", ["series", "dtype", "shape"])
def test_a_link_that_does_not_fit_its_file_is_refused(path, wrong):
    with h5py.File(path, "r+") as file:
        image_id, group = next(iter(file["images"].items()))
        if wrong == "series":
            group.attrs["link_series"] = 3
        elif wrong == "dtype":
            group.attrs["dtype"] = np.bytes_(b"uint8")
        else:
            group.attrs["shape"] = np.array([2, 1, 40, 50])
    with (
        ProjectFile.open(path) as file,
        pytest.raises(LinkError, match="as it was when it was linked"),
    ):
        file.read_plane(image_id, 0)


@pytest.mark.parametrize("uuid", ["../../../etc/x", "", "ä" * 64, "a" * 32])
def test_records_stay_in_their_folder(uuid):
    records = LinkRecords(uuid)
    assert records.path.parent == paths.data_dir() / "links"
    assert records.path.suffix == ".json"
    records.save()
    assert [p.name for p in records.path.parent.iterdir()] == [records.path.name]


@pytest.mark.parametrize("text", ["", "nonsense", "[]", '{"files": [1]}', '{"files": {"x": {}}}'])
def test_damaged_records_cost_a_search_only(path, elsewhere, text):
    records = next((paths.data_dir() / "links").iterdir())
    assert json.loads(records.read_text())["version"] == 1
    records.write_text(text)
    with ProjectFile.open(path) as file:
        assert set(states(file).values()) == {MISSING}
        file.links.find(file.project.images.values(), elsewhere)
        check_lanes(file)


def test_time_points_of_one_file(tmp_path):
    data = pixels_of(0, (3, 2, 20, 30))
    tifffile.imwrite(tmp_path / "t.tif", data, imagej=True, metadata={"axes": "TZYX"})
    with linked_project(tmp_path / "p.orgseg", tmp_path, "t", mask=False) as file:
        assert [image.link.series for image in file.project.images.values()] == [0, 1, 2]
    (tmp_path / "t.tif").rename(tmp_path / "moved.tif")
    with ProjectFile.open(tmp_path / "p.orgseg") as file:
        for time, image_id in enumerate(file.project.images):
            np.testing.assert_array_equal(file.read_image(image_id)[0], data[time])


def test_training_gets_the_voxels_themselves(path, elsewhere):
    with ProjectFile.open(path) as file:
        write_snapshot(file, path.parent / "s.h5")
    shutil.rmtree(elsewhere)
    with ProjectFile.open(path.parent / "s.h5") as snapshot:
        assert all(image.link is None for image in snapshot.project.images.values())
        check_lanes(snapshot)
    with ProjectFile.open(path) as file, pytest.raises(LinkError, match="“a.tif”"):
        write_snapshot(file, path.parent / "s2.h5")


def test_a_file_written_to_while_it_is_imported_is_refused(tmp_path):
    folder = write_images(tmp_path / "pictures", "a")
    opened, source = read_images(folder / "a.tif")[0], Source(folder / "a.tif")
    source.content()
    tifffile.imwrite(folder / "a.tif", pixels_of(4))
    with ProjectFile.create(tmp_path / "p.orgseg", default_classes(["ER"])) as file:
        with pytest.raises(ReadError, match="written to while it was imported"):
            file.add_images([NewImage(opened, linked=source)])
        assert not file.project.images


def test_a_search_can_be_ended_and_keeps_what_it_found(path, elsewhere, tmp_path):
    new = tmp_path / "new"
    shutil.copytree(elsewhere, new)
    shutil.rmtree(elsewhere)
    with ProjectFile.open(path) as file:
        images = file.project.images.values()
        seen = []

        def progress(done, total, name):
            seen.append((done, total, name))
            return name != "b.tif"

        found = file.links.find(images, new, progress)
        assert found.linked == (ids(file)["a"],)
        assert all(0 <= done <= total for done, total, _ in seen)
        assert file.links.find(images, new, lambda *_: False).linked == ()
        assert file.links.find(images, new).linked == (ids(file)["b"],)


def test_looking_marks_what_is_away_and_lists_a_folder_once(path, elsewhere, monkeypatch):
    (elsewhere / "a.tif").rename(elsewhere.parent / "a 2.tif")
    (elsewhere / "b.tif").rename(elsewhere.parent / "b 2.tif")
    listed, original = [], links.files_in
    monkeypatch.setattr(links, "files_in", lambda *a: listed.append(a[0]) or original(*a))
    with ProjectFile.open(path) as file:
        images = list(file.project.images.values())
        assert [file.links.last_state(image) for image in images] == ["", ""]
        file.links.look(images)
        assert [file.links.last_state(image) for image in images] == [MISSING, MISSING]
        assert sorted(listed) == sorted({path.parent, elsewhere})
        file.links.find(images, elsewhere.parent, depth=0)
        assert [file.links.last_state(image) for image in images] == [FOUND, FOUND]

        def refuse():
            raise GivenUpError

        with pytest.raises(GivenUpError):
            file.links.look(images, refuse)


def test_a_search_goes_no_further_than_said(tmp_path, monkeypatch):
    for name in ("a/b/c/d", ".hidden"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "x.tif").write_bytes(b"x")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "pipe.tif")
    assert [p.name for p in files_in(tmp_path, 1000, 8)] == ["x.tif"]
    assert list(files_in(tmp_path, 1000, 2)) == []
    assert list(files_in(tmp_path, 3, 8)) == []


def test_several_threads_may_read(path):
    with ProjectFile.open(path) as file:
        wrong = []

        def read():
            try:
                for _ in range(10):
                    check_lanes(file)
            except BaseException as error:
                wrong.append(error)

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
