"""A project survives: kills, full disks, refused renames, vanished files."""

from __future__ import annotations

import os
import random
import re
import shutil
import sys
import textwrap

import h5py
import numpy as np
import pytest

from orgseg_app.core.classes import default_classes
from orgseg_app.files import atomic
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.files.store.paged_file import PagedFile
from tests.files.projects import (
    drafts,
    fill,
    only,
    picture,
    run_child,
    small_project,
)


def test_a_full_disk_at_any_write_loses_nothing(tmp_path):
    """Every write in turn fails for good, in a process of its own: HDF5 used to crash on this."""
    path = tmp_path / "p.orgseg"
    small_project(path, 2).close()
    done = run_child(
        textwrap.dedent("""
        import errno, sys
        import numpy as np
        from tests.files.projects import drafts, fill, only, picture
        from orgseg_app.files import atomic
        from orgseg_app.files.errors import ProjectError
        from orgseg_app.files.project_file import NewImage, ProjectFile
        from pathlib import Path

        class Full:
            left = 0
            def __init__(self, file): self.file = file
            def __getattr__(self, name): return getattr(self.file, name)
            def write(self, data):
                if Full.left <= 0:
                    raise OSError(errno.ENOSPC, "No space left on device")
                Full.left -= 1
                return self.file.write(data)

        original = atomic.GuardedFile.__init__
        def guarded(self, descriptor):
            original(self, descriptor)
            self._file = Full(self._file)
        path, ones = Path(sys.argv[1]), np.ones((2, 600, 600), np.uint8)
        good = path.read_bytes()
        for act in ("save", "import"):
            atomic.GuardedFile.__init__ = guarded
            for n in range(2000):
                with ProjectFile.open(path) as file:
                    Full.left = n
                    try:
                        if act == "save":
                            fill(file, 3)
                            file.save()
                        else:
                            new = NewImage(picture("new", (2, 2, 600, 600)), mask=ones)
                            file.add_images([new])
                        break
                    except ProjectError as error:
                        sentence = "could not be saved: the disk is full. Nothing is lost"
                        assert sentence in str(error), error
                        assert file.is_dirty == (act == "save")
                        assert file.read_plane(only(file), 0).shape == (1, 60, 80)
                assert path.read_bytes() == good, n
                assert drafts(path.parent) == []
            assert n > 0 or act == "save"  # a save of the same size appends nothing
            print(act, n)
            good = path.read_bytes()
        """),
        path,
    )
    assert done.returncode == 0, done.stderr
    with ProjectFile.open(path) as file:
        assert len(file.project.images) == 3
        assert file.counts(only(file)) == {3: 4800}


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limit there")
def test_a_file_size_limit_is_a_sentence_not_a_crash(tmp_path):
    path = tmp_path / "p.orgseg"
    small_project(path, 2).close()
    before = path.read_bytes()
    code = textwrap.dedent("""
        import resource, signal, sys
        from tests.files.projects import picture
        from orgseg_app.files.project_file import NewImage, ProjectFile
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with ProjectFile.open(sys.argv[1]) as file:
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
            try:
                file.add_images([NewImage(picture("big", (1, 1, 2000, 2000)))])
            except Exception as error:
                print(type(error).__name__, error)
        """)
    for limit in (len(before) // 2, len(before) + 1000, len(before) + 3_000_000):
        done = run_child(code, path, limit)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(
            "ProjectError “p.orgseg” could not be saved: the disk is full"
        )
        assert path.read_bytes() == before
        assert os.listdir(tmp_path) == ["p.orgseg"]


def test_free_space_is_asked_for_before_anything_is_written(tmp_path, monkeypatch):
    with small_project(tmp_path / "p.orgseg", 1) as file:
        fill(file, 3)
        size = file.path.stat().st_size
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=size + 60 * 2**20))
        with pytest.raises(
            ProjectError, match=r"not enough room on the disk.*MB are needed, 6\d MB are free"
        ):
            file.save()
        with pytest.raises(ProjectError, match="not enough room"):
            file.add_images([NewImage(picture("new"))])
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
        with pytest.raises(ProjectError, match="not enough room"):
            ProjectFile.create(tmp_path / "b.orgseg", default_classes())
        assert file.is_dirty
        monkeypatch.undo()
        file.save()
        assert not file.is_dirty


def test_a_file_held_by_a_virus_scanner_is_tried_again(tmp_path, monkeypatch):
    original, refusals = os.replace, []

    def held(source, target):
        if len(refusals) < 4 and str(target).endswith("p.orgseg"):
            refusals.append(source)
            raise PermissionError(13, "being used by another process")
        original(source, target)

    monkeypatch.setattr(os, "replace", held)
    with small_project(tmp_path / "p.orgseg", 1) as file:
        fill(file, 3)
        file.save()
        file.compact()
    assert len(refusals) == 4
    with ProjectFile.open(tmp_path / "p.orgseg") as file:
        assert file.counts(only(file)) == {3: 4800}


def test_a_rename_refused_for_good_leaves_everything_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "RETRY_SECONDS", 0.1)
    with small_project(tmp_path / "p.orgseg", 1) as file:
        i = only(file)
        fill(file, 3)
        file.save()
        before = file.path.read_bytes()

        def refuse(source, target):
            raise PermissionError(13, "Permission denied")

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", refuse)
            with pytest.raises(
                ProjectError, match=r"no permission to write there. Nothing is lost"
            ):
                file.compact()
        assert file.path.read_bytes() == before
        assert drafts(tmp_path) == []
        assert file.read_plane(i, 0).shape == (1, 60, 80)
        file.compact()
        assert file.path.read_bytes() != before
        fill(file, 2)
        file.save()
    with ProjectFile.open(tmp_path / "p.orgseg") as file:
        assert file.counts(i) == {2: 4800}


def test_a_failed_fsync_is_not_a_save(tmp_path, monkeypatch):
    with small_project(tmp_path / "p.orgseg", 1) as file:
        before = file.path.read_bytes()
        fill(file, 3)

        def fail(descriptor):
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(atomic, "sync", fail)
            with pytest.raises(ProjectError, match="could not be saved: input/output error"):
                file.save()
        assert file.path.read_bytes() == before
        assert file.is_dirty


def test_what_hdf5_cannot_read_back_does_not_replace_the_project(tmp_path, monkeypatch):
    with small_project(tmp_path / "p.orgseg", 1) as file:
        before = file.path.read_bytes()
        fill(file, 3)
        original = PagedFile.write

        def lose(paged, data):
            superblock = paged.tell() == 4096
            return original(paged, bytes(len(data)) if superblock else data)

        monkeypatch.setattr(PagedFile, "write", lose)
        with pytest.raises(ProjectError, match="could not be saved"):
            file.save()
        assert file.path.read_bytes() == before


def test_our_own_mistakes_are_not_called_damage(tmp_path):
    with small_project(tmp_path / "p.orgseg", 1) as file:
        before = file.path.read_bytes()
        with pytest.raises(KeyError, match="oops"), file.transaction() as h5:
            h5.attrs["half"] = 1
            raise KeyError("oops")
        with (
            pytest.raises(ProjectError, match="part of the file is damaged"),
            file.transaction() as h5,
        ):
            h5["images"]["nothing"]
        assert file.path.read_bytes() == before
        assert drafts(tmp_path) == []


# -- the file vanishes, changes, or cannot be written --------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be deleted there")
def test_a_project_deleted_while_open_is_written_again(tmp_path):
    with small_project(tmp_path / "p.orgseg", 2) as file:
        pixels = file.read_image(only(file))
        file.path.unlink()
        np.testing.assert_array_equal(file.read_image(only(file)), pixels)
        fill(file, 3)
        file.save()
        file.path.unlink()
        file.save()  # nothing new, but the file is gone
    with ProjectFile.open(tmp_path / "p.orgseg") as file:
        assert file.counts(only(file)) == {3: 4800}
        np.testing.assert_array_equal(file.read_image(only(file)), pixels)


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be deleted there")
def test_a_folder_deleted_while_open_can_be_saved_elsewhere(tmp_path):
    folder = tmp_path / "stick"
    folder.mkdir()
    with small_project(folder / "p.orgseg", 2) as file:
        pixels = file.read_image(only(file))
        fill(file, 3)
        shutil.rmtree(folder)
        with pytest.raises(ProjectError, match=r"the folder is no longer there. Nothing is lost"):
            file.save()
        assert file.is_dirty
        file.save_copy(tmp_path / "rescued.orgseg")
    with ProjectFile.open(tmp_path / "rescued.orgseg") as file:
        assert file.counts(only(file)) == {3: 4800}
        np.testing.assert_array_equal(file.read_image(only(file)), pixels)


@pytest.mark.parametrize("in_place", [True, False])
def test_a_project_changed_by_another_program_is_not_overwritten(tmp_path, in_place):
    small_project(tmp_path / "other.orgseg", 2).close()
    with small_project(tmp_path / "p.orgseg", 1) as file:
        fill(file, 3)
        if in_place:
            shutil.copyfile(tmp_path / "other.orgseg", file.path)
        else:
            os.replace(tmp_path / "other.orgseg", file.path)
        theirs = file.path.read_bytes()
        with pytest.raises(ProjectError, match=r"changed by another program.*save a copy"):
            file.save()
        assert file.path.read_bytes() == theirs
        assert file.is_dirty
        if in_place:
            with pytest.raises(ProjectError, match=r"wrote over “p.orgseg” while it was open"):
                file.save_copy(tmp_path / "rescued.orgseg")
            assert not (tmp_path / "rescued.orgseg").exists()
        else:
            file.save_copy(tmp_path / "rescued.orgseg")
            with ProjectFile.open(tmp_path / "rescued.orgseg") as rescued:
                assert rescued.counts(only(file)) == {3: 4800}


def test_a_project_that_went_through_another_program_is_saved_all_the_same(tmp_path):
    """Such as h5repack: another front, other blocks, no notes beside the mask."""
    small_project(tmp_path / "p.orgseg", 2).close()
    with ProjectFile.open(tmp_path / "p.orgseg") as file:
        truth = {i: (file.read_image(i), file.mask(i).to_array()) for i in file.project.images}
    with h5py.File(tmp_path / "p.orgseg") as old, h5py.File(tmp_path / "q.orgseg", "w") as new:
        new.attrs.update(old.attrs)
        for i, group in old["images"].items():
            copy = new.create_group(f"images/{i}")
            copy.attrs.update(group.attrs)
            copy["pixels"] = group["pixels"][...]
            copy.create_dataset("mask", data=group["mask"][...], chunks=(1, 13, 17))
    with ProjectFile.open(tmp_path / "q.orgseg") as file:
        for i, (pixels, mask) in truth.items():
            np.testing.assert_array_equal(file.read_image(i), pixels)
            assert file.counts(i) == {v: (mask == v).sum() for v in (1, 2, 3)}
            np.testing.assert_array_equal(file.mask(i).to_array(), mask)
            assert file.thumbnail(i).shape == (60, 80)
            file.mask(i).replace_block((0, 0, 0), None)
            file.save()
            assert not file.is_dirty
    with ProjectFile.open(tmp_path / "q.orgseg") as file:
        for i, (pixels, _) in truth.items():
            np.testing.assert_array_equal(file.read_image(i), pixels)
            assert file.mask(i).is_empty


def test_a_copy_back_of_the_same_version_is_no_change(tmp_path):
    with small_project(tmp_path / "p.orgseg", 1) as file:
        shutil.copyfile(file.path, tmp_path / "backup")
        os.replace(tmp_path / "backup", file.path)
        os.utime(file.path, (1, 1))
        fill(file, 3)
        file.save()
        assert not file.is_dirty


def test_permissions_of_the_file_are_kept(tmp_path):
    with small_project(tmp_path / "p.orgseg", 1) as file:
        file.path.chmod(0o640)
        fill(file, 3)
        file.save()
        if os.name != "nt":
            assert file.path.stat().st_mode & 0o777 == 0o640


def test_read_only_projects_are_looked_at_and_copied(tmp_path):
    small_project(tmp_path / "p.orgseg", 1).close()
    before = (tmp_path / "p.orgseg").read_bytes()
    with ProjectFile.open(tmp_path / "p.orgseg", read_only=True) as file:
        assert file.read_only
        assert file.read_only_reason == ""
        assert not (tmp_path / "p.orgseg.lock").exists()
        fill(file, 3)
        assert file.is_dirty
        with pytest.raises(ProjectError, match=r"opened to look only. Save a copy"):
            file.save()
        with pytest.raises(ProjectError, match="opened to look only"):
            file.add_images([NewImage(picture("x"))])
        file.save_copy(tmp_path / "copy.orgseg")
    assert (tmp_path / "p.orgseg").read_bytes() == before
    with ProjectFile.open(tmp_path / "copy.orgseg") as file:
        assert not file.read_only
        assert file.counts(only(file)) == {3: 4800}


def test_write_protection_is_respected_and_said(tmp_path, monkeypatch):
    small_project(tmp_path / "p.orgseg", 1).close()
    original = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: original(p, mode) and mode != os.W_OK)
    with ProjectFile.open(tmp_path / "p.orgseg") as file:
        assert file.read_only
        assert file.read_only_reason == "“p.orgseg” is write-protected."
        with pytest.raises(ProjectError, match=r"is write-protected. Save a copy"):
            file.add_images([NewImage(picture("x"))])


def test_a_folder_without_write_permission_opens_read_only(tmp_path, monkeypatch):
    small_project(tmp_path / "p.orgseg", 1).close()
    original = os.open

    def refuse(path, flags, *rest, **named):
        if str(path).endswith(".lock") or flags & os.O_CREAT:
            raise PermissionError(13, "Permission denied", str(path))
        return original(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", refuse)
    with ProjectFile.open(tmp_path / "p.orgseg") as file:
        assert file.read_only
        assert (
            "cannot be saved where it is: there is no permission to write there"
            in file.read_only_reason
        )
    with pytest.raises(
        ProjectError, match=r"No project can be created in .*: there is no permission"
    ):
        ProjectFile.create(tmp_path / "b.orgseg", default_classes())


def test_very_long_names_are_saved(tmp_path):
    path = tmp_path / ("n" * 200 + "ü" * 20 + ".orgseg")
    with ProjectFile.create(path, default_classes()) as file:
        file.add_images([NewImage(picture("i"))])
        assert re.fullmatch(r"\..{32}~[0-9a-f]{12}\.saving-\d+", atomic.draft_path(path).name)


def test_reasons_end_a_sentence():
    assert atomic.reason(OSError(28, "No space left on device")) == "the disk is full"
    assert (
        atomic.reason(OSError(30, "Read-only file system"))
        == "there is no permission to write there"
    )
    assert atomic.reason(FileNotFoundError(2, "No such file")) == "the folder is no longer there"
    assert atomic.reason(OSError(99999, "Odd thing.")) == "odd thing"


def test_replacing_writes_whole_files_only(tmp_path):
    target = tmp_path / "a.txt"
    with atomic.replacing(target) as draft:
        draft.write_text("one")
        assert not target.exists()
    with pytest.raises(ZeroDivisionError), atomic.replacing(target) as draft:
        draft.write_text(str(1 // 0))
    assert target.read_text() == "one"
    with pytest.raises(FileExistsError), atomic.replacing(target, overwrite=False) as draft:
        draft.write_text("two")
    assert target.read_text() == "one"
    with atomic.replacing(target) as first, atomic.replacing(target) as second:
        first.write_text("1")
        second.write_text("2")
    assert target.read_text() == "1"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("kernel", [True, False])
def test_bytes_are_copied_with_and_without_the_kernel(tmp_path, monkeypatch, kernel):
    if not kernel:
        monkeypatch.setattr(atomic.sys, "platform", "other")
    data = random.Random(0).randbytes(20_000_000)
    (tmp_path / "a").write_bytes(data)
    source, target = (
        os.open(tmp_path / "a", os.O_RDONLY),
        os.open(tmp_path / "b", os.O_RDWR | os.O_CREAT),
    )
    try:
        atomic.copy_bytes(source, target, len(data))
        with pytest.raises(OSError, match="shorter"):
            atomic.copy_bytes(source, target, len(data) + 1)
    finally:
        os.close(source)
        os.close(target)
    assert (tmp_path / "b").read_bytes() == data
