"""Giving up an import: at any moment, also within an image, and nothing of it is left."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import numpy as np
import psutil
import pytest
import tifffile

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import OpenedImage
from orgseg_app.files import giving_up, project_file
from orgseg_app.files.annotations import loading, pieces
from orgseg_app.files.annotations.plan import plan_import
from orgseg_app.files.annotations.source import AnnotationSource
from orgseg_app.files.giving_up import GivenUpError
from orgseg_app.files.images import content
from orgseg_app.files.images.content import Source
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.files.readers.apart import ReadingChild
from orgseg_app.files.readers.registry import read_images
from tests.files.projects import fill, only, picture, small_project

DEPTH = 6


def volume(seen: list[int]) -> OpenedImage:
    def read_plane(z):
        seen.append(z)
        return np.full((2, 1100, 900), z, np.uint16)

    shape = (2, DEPTH, 1100, 900)
    return OpenedImage("v", "v", shape, np.dtype(np.uint16), False, ("a", "b"), None, read_plane)


@pytest.fixture(autouse=True)
def ask_each_time(monkeypatch):
    monkeypatch.setattr(project_file, "ASKED_EVERY_S", -1.0)


def all_bytes(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def import_until(path, moment, seen, **fields):
    """Import two images; the user gives up when asked for the n-th time. How often it was asked."""
    asked = 0

    def progress(done, total):
        nonlocal asked
        asked += 1
        assert 0 <= done <= total == 2
        return asked != moment

    with ProjectFile.open(path) as file:
        before = file.project.images
        added = file.add_images(
            [NewImage(picture("small")), NewImage(volume(seen), **fields)], progress
        )
        assert (added == []) == (file.project.images == before)
        return asked, added


def test_it_is_asked_several_times_a_plane(tmp_path):
    small_project(tmp_path / "p.orgseg").close()
    seen = []
    asked, added = import_until(tmp_path / "p.orgseg", 0, seen)
    assert len(added) == 2
    assert asked > 4 * DEPTH
    assert seen == list(range(DEPTH))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.6, 0.9, 1.0])
def test_cancelled_mid_image_the_file_is_byte_for_byte_the_same(tmp_path, share):
    (tmp_path / "try").mkdir()
    small_project(tmp_path / "try" / "p.orgseg").close()
    total, _ = import_until(tmp_path / "try" / "p.orgseg", 0, [])
    path = tmp_path / "p.orgseg"
    small_project(path).close()
    before, seen = all_bytes(tmp_path), []
    _, added = import_until(path, max(1, round(share * total)), seen)
    assert added == []
    assert all_bytes(tmp_path) == before
    if 0.1 < share < 0.9:
        assert 0 < len(seen) < DEPTH, "this was to be in the midst of the image"
    with ProjectFile.open(path) as file:
        assert len(file.project.images) == 2


def test_an_import_can_follow_one_that_was_given_up(tmp_path):
    path = tmp_path / "p.orgseg"
    small_project(path).close()
    import_until(path, 20, [])
    with ProjectFile.open(path) as file:
        fill(file, 2)
        file.add_images([NewImage(picture("again", seed=5))])
        file.save()
    with ProjectFile.open(path) as file:
        assert [image.name for image in file.project.images.values()][-1] == "again"
        assert file.counts(only(file)) == {2: 4800}


@pytest.mark.skipif(sys.platform == "win32", reason="no signal stops a process there")
def test_a_child_that_reads_for_a_long_time_is_not_waited_for(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((90, 80), np.uint16), compression="zlib")
    with ReadingChild() as child, child.reads():
        image = read_images(tmp_path / "a.tif")[0]
        os.kill(child.pid, signal.SIGSTOP)  # as long as can be
        pid, started = child.pid, time.monotonic()

        def check():
            if time.monotonic() - started > 0.2:
                raise GivenUpError

        with giving_up.asking(check), pytest.raises(GivenUpError):
            image.read_plane(0)
        assert time.monotonic() - started < 20.0
        assert not psutil.pid_exists(pid)
        assert image.read_plane(0).shape == (1, 90, 80), "the next one reads again"


def test_looking_at_files_can_be_given_up(tmp_path):
    for name in "ab":
        tifffile.imwrite(tmp_path / f"{name}.tif", np.zeros((9, 8), np.uint8))

    def refuse():
        raise GivenUpError

    with giving_up.asking(refuse), pytest.raises(GivenUpError):
        plan_import([tmp_path])
    assert len(plan_import([tmp_path]).items) == 2


def test_nobody_is_asked_elsewhere():
    asked = []
    giving_up.ask()
    with giving_up.asking(lambda: asked.append(1)):
        giving_up.ask()
        with giving_up.asking(lambda: asked.append(2)):
            giving_up.ask()
        thread = threading.Thread(target=giving_up.ask)
        thread.start()
        thread.join()
        giving_up.ask()
    giving_up.ask()
    assert asked == [1, 2, 1]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int32", "int64"])
@pytest.mark.parametrize("meaning", ["binary", "classes", "instances"])
def test_label_images_are_taken_in_piece_by_piece(tmp_path, monkeypatch, dtype, meaning):
    values = np.random.default_rng(0).integers(0, 9, (2, 40, 30)).astype(dtype)
    if dtype == "int64":
        values[values == 8] = 2**40  # a colour code
    if dtype == "int32":
        values[0, :3] = -1
    monkeypatch.setattr(loading, "read_labels", lambda path: values)
    source = AnnotationSource("label images", (tmp_path / "x.tif",), meaning=meaning)
    whole = loading.read_annotation(source, meaning)
    asked = []
    monkeypatch.setattr(pieces, "_PIECE_VOXELS", 100)
    with giving_up.asking(lambda: asked.append(1)):
        again = loading.read_annotation(source, meaning)
        np.testing.assert_array_equal(pieces.distinct(values), np.unique(values))
    assert len(asked) > 2 * 40 / 3
    np.testing.assert_array_equal(again.mask, whole.mask)
    assert (again.objects is None) == (whole.objects is None) == (meaning != "instances")
    if meaning == "binary":
        np.testing.assert_array_equal(again.mask, np.where(values < 0, 0, 1 + (values > 0)))
    if again.objects is not None:
        expected = np.maximum(values, 0)
        expected[expected == 2**40] = 8
        np.testing.assert_array_equal(again.objects, expected)
        np.testing.assert_array_equal(again.objects, whole.objects)


def test_reading_a_file_to_be_linked_can_be_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(content, "PIECE", 2**16)
    (tmp_path / "large.bin").write_bytes(bytes(9 * 2**20))
    path = tmp_path / "p.orgseg"
    ProjectFile.create(path, default_classes(["ER"])).close()
    before, seen = path.read_bytes(), []
    _, added = import_until(path, 60, seen, linked=Source(tmp_path / "large.bin"))
    assert (added, seen) == ([], []), "the file's fingerprint comes first"
    assert path.read_bytes() == before
