"""One file with everything inside, and its runs laid out again where it is opened."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from orgseg_app.core.classes import default_classes
from orgseg_app.files import atomic, packing, unpacking
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.images.content import Source
from orgseg_app.files.packing import RunToPack, pack
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.files.readers.registry import read_images
from orgseg_app.runs import folder as run_folders
from tests.files.packed import (
    IDS,
    inside,
    laid_out,
    open_and_tell,
    packed_project,
    request,
    run_to_pack,
    tree,
    without_request,
)
from tests.files.projects import ROOT, drafts, only, picture, small_project

# -- packing -------------------------------------------------------------------------------------


def test_everything_of_a_project_is_packed_unsaved_strokes_included(tmp_path):
    objects = np.zeros((3, 40, 50), np.uint32)
    objects[1, 4:9, 5:20] = 70_000
    with ProjectFile.create(tmp_path / "p.orgseg", default_classes(["ER"]), "Zellen ü") as file:
        file.add_images(
            [
                NewImage(picture("b", (2, 3, 40, 50)), "test", objects=objects, note="π\n2"),
                NewImage(picture("a", (3, 1, 30, 30), "uint8", is_rgb=True), "validation"),
                NewImage(picture("f", (1, 1, 600, 20), "uint16"), mask=np.ones((600, 20), int)),
            ]
        )
        first, colour, tall = file.project.images
        file.save()
        file.mask(first).write(2, 3, 4, np.full((7, 8), 2, np.uint8))
        file.set_note(colour, "not saved")
        file.set_classes(default_classes(["ER", "Kern"]))
        file.remove_image(tall)
        pixels = {i: file.read_image(i) for i in file.project.images}
        masks = {i: file.mask(i).to_array() for i in file.project.images}
        facts = dict(file.project.images)
        done = pack(file, tmp_path / "out.orgseg")
        assert file.is_dirty
    assert done == packing.Packed(
        tmp_path / "out.orgseg", (tmp_path / "out.orgseg").stat().st_size, 2, 0
    )
    assert "out.runs" not in tree(tmp_path)
    for read_only in (True, False):
        with ProjectFile.open(tmp_path / "out.orgseg", read_only=read_only) as file:
            assert file.kind == "project"
            assert file.notices == []
            assert file.project.images == facts
            assert list(file.project.images) == [first, colour]
            assert file.project.name == "Zellen ü"
            assert [c.name for c in file.project.classes] == ["background", "ER", "Kern"]
            for image_id in facts:
                np.testing.assert_array_equal(file.read_image(image_id), pixels[image_id])
                np.testing.assert_array_equal(file.mask(image_id).to_array(), masks[image_id])
                assert file.thumbnail(image_id).size
            np.testing.assert_array_equal(file.objects(first), objects)
            assert file.objects(colour) is None


def test_the_packed_file_is_another_file_of_the_same_project(tmp_path):
    with small_project(tmp_path / "p.orgseg", 1) as file:
        pack(file, tmp_path / "out.orgseg")
        with ProjectFile.open(tmp_path / "out.orgseg", read_only=True) as copy:
            assert copy.project.uuid == file.project.uuid
            assert copy.header.file_id != file.header.file_id


def test_any_program_reads_the_runs(tmp_path):
    path = tmp_path / "p.orgseg"
    digests = packed_project(path)
    with h5py.File(path, "r") as file:
        assert sorted(file["runs"]) == sorted(digests)
        for run_id, group in file["runs"].items():
            assert sorted(group) == sorted(digests[run_id])
            for dataset in group.values():
                assert dataset.dtype == np.uint8
                assert dataset.fletcher32
                assert not dataset.compression
            found = json.loads(group["request.json"][...].tobytes())
            assert found == request(run_id)


def test_progress_counts_up_and_giving_up_leaves_nothing(tmp_path):
    runs = [run_to_pack(run_id) for run_id in IDS[:2]]
    with small_project(tmp_path / "p.orgseg", 2) as file:
        seen = []
        pack(file, tmp_path / "a.orgseg", runs, progress=lambda *told: seen.append(told))
        assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
        assert {total for _, total, _ in seen} == {seen[-1][0]}
        assert {"cell 0", "cell 1", "run a", "run b"} <= {text for _, _, text in seen}
        before = tree(tmp_path)
        for last in range(len(seen)):  # gives up when asked for the n-th time
            told = iter(range(last))
            given_up = pack(
                file,
                tmp_path / "b.orgseg",
                runs,
                progress=lambda *_, told=told: next(told, None) is not None,
            )
            assert given_up is None
            assert tree(tmp_path) == before


def test_a_file_that_is_there_is_not_replaced_unasked(tmp_path):
    with small_project(tmp_path / "p.orgseg", 1) as file:
        with pytest.raises(ProjectError, match="the project itself"):
            pack(file, tmp_path / "p.orgseg", overwrite=True)
        (tmp_path / "out.orgseg").write_text("mine")
        with pytest.raises(ProjectError, match="already there and was left as it is"):
            pack(file, tmp_path / "out.orgseg")
        assert (tmp_path / "out.orgseg").read_text() == "mine"
        (tmp_path / "b.orgseg").symlink_to(tmp_path / "p.orgseg")
        with pytest.raises(ProjectError, match="the project itself"):
            pack(file, tmp_path / "b.orgseg", overwrite=True)

        def appears(*_):
            (tmp_path / "late.orgseg").write_text("theirs")

        with pytest.raises(ProjectError, match="already there"):
            pack(file, tmp_path / "late.orgseg", progress=appears)
        assert (tmp_path / "late.orgseg").read_text() == "theirs"
        assert pack(file, tmp_path / "out.orgseg", overwrite=True) is not None
    assert open_and_tell(tmp_path / "out.orgseg") == []
    assert drafts(tmp_path) == []


def test_what_cannot_be_packed_is_said(tmp_path):
    with small_project(tmp_path / "p.orgseg", 1) as file:
        gone = RunToPack(IDS[0], "fast", {"request.json": b"{}", "best.ckpt": tmp_path / "no"})
        with pytest.raises(ProjectError, match=r"“best.ckpt” of the run “fast” is gone. Nothing"):
            pack(file, tmp_path / "out.orgseg", [gone])
        large = RunToPack(IDS[0], "fast", {"title.json": bytes(2**16 + 1)})
        with pytest.raises(ProjectError, match="too large to be packed"):
            pack(file, tmp_path / "out.orgseg", [large])
        strange = RunToPack(IDS[0], "fast", {"log.txt": b"secret"})
        with pytest.raises(ValueError, match="no file of a run"):
            pack(file, tmp_path / "out.orgseg", [strange])
        with pytest.raises(ProjectError, match=r"could not be saved: the folder is no longer"):
            pack(file, tmp_path / "nowhere" / "out.orgseg")
    assert not (tmp_path / "out.orgseg").exists()
    assert drafts(tmp_path) == []


def test_linked_images_are_inside_the_packed_file(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 4000, (2, 1100, 1300)).astype(np.uint16)
    away = tmp_path / "images" / "stack.tif"
    away.parent.mkdir()
    tifffile.imwrite(away, pixels, photometric="minisblack", metadata={"axes": "ZYX"})
    (opened,) = read_images(away)
    with ProjectFile.create(tmp_path / "p.orgseg", default_classes(["ER"])) as file:
        file.add_images([NewImage(opened, linked=Source(away), mask=np.ones(pixels.shape, int))])
        image_id = only(file)
        assert file.project.images[image_id].link is not None
        assert "pixels" not in inside_of(file, image_id)
        pack(file, tmp_path / "out.orgseg")
        shutil.rmtree(away.parent)
        away.parent.mkdir()
        with pytest.raises(ProjectError, match=r"stack\.tif"):
            pack(file, tmp_path / "late.orgseg")
    assert not (tmp_path / "late.orgseg").exists()
    with ProjectFile.open(tmp_path / "out.orgseg") as file:
        assert file.project.images[image_id].link is None
        np.testing.assert_array_equal(file.read_image(image_id)[0], pixels)
        assert file.levels(image_id)
        assert {"pixels", "levels"} <= inside_of(file, image_id)


def inside_of(file, image_id):
    with file.reading() as h5:
        return set(h5["images"][image_id])


def test_a_damaged_block_of_a_mask_is_told_of(tmp_path):
    path = tmp_path / "p.orgseg"
    small_project(path, 2).close()
    with h5py.File(path, "r", locking=False) as file:
        name = min(file["images"].values(), key=lambda g: g.attrs["order"]).attrs["name"].decode()
        mask = min(file["images"].values(), key=lambda g: g.attrs["order"])["mask"]
        at = mask.id.get_chunk_info(0).byte_offset
    data = bytearray(path.read_bytes())
    data[at + 50] ^= 4
    path.write_bytes(data)
    with ProjectFile.open(path, read_only=True) as file:
        done = pack(file, tmp_path / "out.orgseg")
        (note,) = done.notes
        assert note.startswith(f"The mask of “{name}” is damaged.")
        other = list(file.project.images)[1]
        mask = file.mask(other).to_array()
    with ProjectFile.open(tmp_path / "out.orgseg") as file:
        np.testing.assert_array_equal(file.mask(other).to_array(), mask)


def test_a_damaged_image_is_not_packed_as_if_it_were_whole(tmp_path):
    path = tmp_path / "p.orgseg"
    small_project(path, 2).close()
    with h5py.File(path, "r", locking=False) as file:
        pixels = next(iter(file["images"].values()))["pixels"]
        at = pixels.id.get_chunk_info(0).byte_offset
    data = bytearray(path.read_bytes())
    data[at + 50] ^= 4
    path.write_bytes(data)
    with (
        ProjectFile.open(path, read_only=True) as file,
        pytest.raises(ProjectError, match="damaged"),
    ):
        pack(file, tmp_path / "out.orgseg")
    assert tree(tmp_path) == ["p.orgseg"]


def test_a_full_disk_at_any_write_leaves_nothing_half(tmp_path, monkeypatch):
    runs = [run_to_pack(IDS[0])]
    with small_project(tmp_path / "p.orgseg", 1) as file:
        before = tree(tmp_path)
        original = atomic.GuardedFile.write
        for limit in range(0, 4_000_000, 250_000):

            def write(self, data, limit=limit):
                if self.error is None and self._position + len(memoryview(data)) > limit:
                    self.error = OSError(errno.ENOSPC, "No space left on device")
                return original(self, data)

            with monkeypatch.context() as patch:
                patch.setattr(atomic.GuardedFile, "write", write)
                try:
                    pack(file, tmp_path / "out.orgseg", runs)
                    break
                except ProjectError as error:
                    assert "could not be saved: the disk is full. Nothing was changed" in str(error)
            assert tree(tmp_path) == before
        assert limit > 2_500_000
    assert len(open_and_tell(tmp_path / "out.orgseg")) == 1


# -- unpacking -----------------------------------------------------------------------------------


def test_the_first_opening_for_writing_lays_the_runs_out(tmp_path):
    path = tmp_path / "sent ü.orgseg"
    digests = packed_project(path)
    packed = path.read_bytes()
    with ProjectFile.open(path, read_only=True) as file:
        (sentence,) = file.notices
        assert sentence.startswith("2 runs are packed inside this project.")
    assert tree(tmp_path) == [path.name]
    assert path.read_bytes() == packed

    (sentence,) = open_and_tell(path)
    assert sentence == "2 runs that were packed inside now lie in “sent ü.runs” beside the project."
    found = laid_out(run_folders.runs_dir(path))
    assert {i: without_request(d) for i, d in found.items()} == {
        i: without_request(d) for i, d in digests.items()
    }
    assert inside(path) == {}
    assert [r.name for r in run_folders.list_runs(path)] == ["run a", "run b"]
    assert {r.state for r in run_folders.list_runs(path)} == {"finished"}
    assert [r.request for r in run_folders.list_runs(path)] == [request(i) for i in IDS[:2]]

    before = tree(tmp_path)
    assert open_and_tell(path) == []
    assert tree(tmp_path) == before
    shutil.rmtree(run_folders.list_runs(path)[0].path)  # deleted by the user: it stays away
    assert open_and_tell(path) == []
    assert len(run_folders.list_runs(path)) == 1


def test_what_unpacking_says_of_runs_is_what_runs_say_of_themselves():
    assert (unpacking._FORMAT, unpacking._VERSION) == (
        run_folders.RUN_FORMAT,
        run_folders.RUN_SCHEMA_VERSION,
    )
    path = Path("a/b.c.orgseg")
    assert run_folders.runs_dir(path) == path.with_suffix(".runs")


def test_a_run_that_is_there_is_left_alone(tmp_path):
    path = tmp_path / "p.orgseg"
    packed_project(path)
    mine = tmp_path / "p.runs" / "my name for it"
    mine.mkdir(parents=True)
    (mine / "request.json").write_text(json.dumps(request(IDS[0], name="mine")))
    (mine / "best.ckpt").write_bytes(b"mine")
    other = tmp_path / "p.runs" / f"run b-{IDS[1][:6]}"  # the place is taken, the run is not there
    other.mkdir()
    (other / "keep.txt").write_text("kept")
    assert len(open_and_tell(path)) == 1
    assert (mine / "best.ckpt").read_bytes() == b"mine"
    assert tree(mine) == ["best.ckpt", "request.json"]
    assert tree(other) == ["keep.txt"]
    assert {r.run_id for r in run_folders.list_runs(path)} == set(IDS[:2])
    assert inside(path) == {}


def test_runs_that_find_no_place_stay_inside_until_there_is_one(tmp_path, monkeypatch):
    path = tmp_path / "p.orgseg"
    digests = packed_project(path)
    (tmp_path / "p.runs").write_text("in the way")
    (sentence,) = open_and_tell(path)
    assert "could not be laid out in “p.runs”" in sentence
    assert "stay in the file" in sentence
    assert set(inside(path)) == set(digests)
    (tmp_path / "p.runs").unlink()

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=65 * 2**20))
    (sentence,) = open_and_tell(path)
    assert "not enough room" in sentence
    assert set(inside(path)) == set(digests)
    monkeypatch.undo()

    original, pieces = unpacking._write, []

    def full(place, source):
        pieces.append(place.name)
        if len(pieces) == 6:  # in the second run
            raise OSError(errno.ENOSPC, "No space left on device")
        original(place, source)

    monkeypatch.setattr(unpacking, "_write", full)
    first, second = open_and_tell(path)
    assert first.startswith("A run that was packed inside now lies in “p.runs”")
    assert "the disk is full" in second
    assert set(inside(path)) == {IDS[1]}
    assert set(laid_out(tmp_path / "p.runs")) == {IDS[0]}
    monkeypatch.undo()
    assert len(open_and_tell(path)) == 1
    assert set(laid_out(tmp_path / "p.runs")) == set(digests)
    assert not [name for name in tree(tmp_path) if ".unpacking" in name]


DIES = """
import os, signal, sys
from orgseg_app.files import unpacking
from orgseg_app.files.project_file import ProjectFile

def main(path, last):
    count = 0
    def trace(frame, event, argument):
        if frame.f_code.co_filename != unpacking.__file__:
            return None
        def line(frame, event, argument):
            nonlocal count
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return line
        return line
    sys.settrace(trace)
    ProjectFile.open(path).close()
    sys.settrace(None)
    print(count, flush=True)

for word in sys.stdin:
    path, last = word.rstrip("\\n").split("\\t")
    pid = os.fork()
    if pid == 0:
        sys.stdin.close()
        main(path, int(last))
        os._exit(0)
    os.waitpid(pid, 0)
    print("dead", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="no fork there")
def test_a_kill_while_runs_are_laid_out_loses_none_and_leaves_no_half(tmp_path):
    source = tmp_path / "source" / "p.orgseg"
    source.parent.mkdir()
    digests = packed_project(source)
    seen = []
    with subprocess.Popen(
        [sys.executable, "-u", "-c", DIES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as nursery:

        def run(path, last):
            nursery.stdin.write(f"{path}\t{last}\n")
            nursery.stdin.flush()
            count = 0
            while (word := nursery.stdout.readline().strip()) != "dead":
                assert word, "the nursery died"
                count = int(word)
            return count

        folder = tmp_path / "there"
        folder.mkdir()
        total = run(shutil.copy(source, folder), -1)
        for last in range(5, total, max(1, total // 24)):
            shutil.rmtree(folder)
            folder.mkdir()
            path = Path(shutil.copy(source, folder))
            if run(path, last):  # it did not take the same number of lines again
                continue
            there, left = laid_out(folder / "p.runs"), set(inside(path))
            assert set(there) | left == set(digests), "a run is gone"
            for run_id, found in there.items():  # what is to be seen is whole
                assert without_request(found) == without_request(digests[run_id])
            seen.append((len(there), len(left)))
            said = open_and_tell(path)
            assert set(laid_out(folder / "p.runs")) == set(digests), (last, said, seen)
            assert inside(path) == {}
            assert not [name for name in tree(folder) if ".unpacking" in name]
        nursery.stdin.close()
        nursery.wait(timeout=30)
    assert len(seen) >= 20
    assert {(0, 2), (1, 2), (2, 2)} <= set(seen), "the kills missed the moments that matter"


def test_laying_out_that_is_stopped_leaves_the_rest_inside(tmp_path):
    path = tmp_path / "p.orgseg"
    digests = packed_project(path)
    for pieces in range(4):
        count = iter(range(pieces))
        with ProjectFile.open(path, lay_out_runs=False) as file:
            assert unpacking.unpack(file, lambda count=count: next(count, None) is not None) == []
        assert inside(path).keys() == digests.keys()
        assert laid_out(tmp_path / "p.runs") == {}
        assert not [name for name in tree(tmp_path) if ".unpacking" in name]
    open_and_tell(path)
    assert set(laid_out(tmp_path / "p.runs")) == set(digests)
