"""Projects made to do harm: refused within limits, with no other file read or written."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest

from orgseg_app.files import schema
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.safety import change_times, gate, gate_child, known_files
from orgseg_app.files.store import storage
from orgseg_app.files.store.paged_file import PAGE
from tests.files import hostile
from tests.files.hostile import (
    CANARY,
    PROJECTS,
    contents,
    forget_reading,
    is_whole,
    place_canary,
    sound_project,
    swap,
    was_read,
)
from tests.files.projects import ROOT, fill, small_project

MEGABYTE = 10**6

MEASURE = """
import json, resource, sys, time
from pathlib import Path
from orgseg_app.files.safety import gate
from orgseg_app.files.errors import FileError

def peak(whose):
    return resource.getrusage(whose).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

for path in map(Path, sys.argv[1:]):
    before, start = peak(resource.RUSAGE_SELF), time.monotonic()
    try:
        gate.admit(path)
        said = ""
    except FileError as error:
        said = str(error)
    print(json.dumps({
        "said": said, "seconds": time.monotonic() - start,
        "child": peak(resource.RUSAGE_CHILDREN), "parent": peak(resource.RUSAGE_SELF) - before,
    }))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All hostile projects, and the canary and the other file that they reach for."""
    folder = tmp_path_factory.mktemp("hostile")
    place_canary(folder)
    for name, (make, _) in PROJECTS.items():
        make(folder / f"{name}.orgseg")
    return folder


@pytest.fixture(scope="module")
def made(folder):
    """What the files hold before anybody looks at them."""
    return contents(folder)


@pytest.fixture(scope="module")
def verdicts(folder, made):
    """What the gate says of each, and what it costs, measured in a process of its own."""
    if sys.platform == "win32":
        pytest.skip("measured by what POSIX systems tell of children")
    paths = [folder / f"{name}.orgseg" for name in PROJECTS]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, paths)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "ORGSEG_HOME": str(folder / "home")},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=500,
    )
    return dict(zip(PROJECTS, map(json.loads, done.stdout.splitlines()), strict=True))


def test_every_hostile_project_has_a_sentence_or_is_merely_large():
    assert [name for name, (_, sentence) in PROJECTS.items() if not sentence] == ["gzip bomb"]


@pytest.mark.slow
@pytest.mark.parametrize("name", PROJECTS)
def test_hostile_projects_are_refused_within_limits(folder, verdicts, name):
    verdict, sentence = verdicts[name], PROJECTS[name][1]
    if sentence:
        assert sentence in verdict["said"]
        assert verdict["said"].endswith(".")
    else:
        assert verdict["said"] == ""
    assert verdict["seconds"] < 20
    assert verdict["child"] < 500 * MEGABYTE
    assert verdict["parent"] < 30 * MEGABYTE
    assert not was_read(folder / "canary.bin")
    assert not was_read(folder / "other.h5")


@pytest.mark.slow
def test_hostile_projects_leave_all_files_as_they_were(folder, made, verdicts):
    assert len(made) == len(PROJECTS) + 2
    assert contents(folder) == made
    assert is_whole(folder)


REACHING = [name for name in PROJECTS if name.startswith(("external", "virtual", "soft"))]


@pytest.mark.parametrize("name", REACHING)
def test_painting_is_not_even_begun(tmp_path, monkeypatch, name):
    """Neither with the gate nor, where it is not asked, with the look before opening."""
    path = tmp_path / "p.orgseg"
    place_canary(tmp_path)
    PROJECTS[name][0](path)
    forget_reading(tmp_path)
    for read_only in (False, True):
        with pytest.raises(ProjectError, match="OrgSeg never writes"):
            ProjectFile.open(path, read_only=read_only)
    # The list of known files is wrong: it was on a disk whose times cannot be believed.
    known_files.remember(path)
    monkeypatch.setattr(change_times, "can_be_believed", lambda _: False)
    with pytest.raises(ProjectError, match="OrgSeg never writes"):
        ProjectFile.open(path)
    assert not was_read(tmp_path / "canary.bin")
    assert is_whole(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps no time that cannot be set")
def test_a_known_project_that_is_spoilt_in_place_is_refused(tmp_path):
    """By who knows what is looked at: the size, the time and the first bytes are as they were."""
    path = tmp_path / "p.orgseg"
    place_canary(tmp_path)
    sound_project(path)
    parts = [(str(hostile.canary_of(path)), 0, 4800)]
    with h5py.File(path, "r+", libver=schema.LIBVER) as file:  # room for what comes
        swap(file, "spare", (4800,), "u1")
        file.create_dataset("room", data=np.zeros(20_000, "u1"))
        del file["room"]
    gate.admit(path)
    before, head = path.stat(), path.read_bytes()[: known_files.HEAD_BYTES]
    assert known_files.is_known(path)
    with h5py.File(path, "r+", libver=schema.LIBVER) as file:
        swap(file, "spare", (4800,), "u1", external=parts)
    with path.open("r+b") as stream:
        stream.truncate(before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert path.read_bytes()[: known_files.HEAD_BYTES] == head
    for read_only in (False, True):
        with pytest.raises(ProjectError, match=r"OrgSeg never writes|is cut off"):
            ProjectFile.open(path, read_only=read_only)
    assert is_whole(tmp_path)


def save_into_a_hostile_copy(folder):
    """Put a hostile copy of the very version that is open in its place, and save."""
    path, copy = folder / "p.orgseg", folder / "copy.orgseg"
    small_project(path, 2).close()
    with ProjectFile.open(path) as file:
        shutil.copyfile(path, copy)
        with h5py.File(copy, "r+", libver=schema.LIBVER) as spoilt:
            parts = [(str(hostile.canary_of(path)), 0, 4800)]
            for group in spoilt["images"].values():
                swap(group, "mask", (1, 60, 80), "u1", external=parts)
        os.replace(copy, path)
        fill(file, 2)
        file.save()


def test_a_hostile_copy_that_is_put_there_in_mid_session_is_not_written(tmp_path):
    place_canary(tmp_path)
    with pytest.raises(ProjectError, match="OrgSeg never writes"):
        save_into_a_hostile_copy(tmp_path)
    assert is_whole(tmp_path)
    assert not known_files.is_known(tmp_path / "p.orgseg")  # the next session looks at it
    with pytest.raises(ProjectError, match="OrgSeg never writes"):
        ProjectFile.open(tmp_path / "p.orgseg")


def test_without_a_look_at_the_copy_the_canary_is_overwritten(tmp_path, monkeypatch):
    """The control of the test above."""
    place_canary(tmp_path)
    monkeypatch.setattr(storage, "check_objects", lambda *_: 0)
    with contextlib.suppress(ProjectError):
        save_into_a_hostile_copy(tmp_path)
    assert not is_whole(tmp_path)


def test_a_save_that_was_not_applied_is_looked_at_with_its_pages(tmp_path):
    """A stranger's journal can turn a sound file into a hostile one."""
    path, spoilt = tmp_path / "p.orgseg", tmp_path / "spoilt.orgseg"
    place_canary(tmp_path)
    sound_project(path)
    with h5py.File(path, "r+", libver=schema.LIBVER) as file:
        file.create_dataset("room", data=np.zeros(20_000, "u1"))
    shutil.copyfile(path, spoilt)
    with h5py.File(spoilt, "r+", libver=schema.LIBVER) as file:
        del file["room"]
        file["elsewhere"] = h5py.SoftLink("/images")
    good, bad = path.read_bytes(), spoilt.read_bytes()
    bad = bad[: len(good)].ljust(len(good), b"\0")
    pages = [
        (at // PAGE, bad[at : at + PAGE])
        for at in range(0, len(good), PAGE)
        if bad[at : at + PAGE] != good[at : at + PAGE]
    ]
    assert pages
    gate.admit(path)
    with pytest.raises(ProjectError, match="links to other places"):
        gate.admit(path, pages=pages)
    gate.admit(path, pages=[(0, good[:PAGE])] * 200)


# -- negative controls: without the gate, the canary is read and written ---------------------------


def without_a_gate(monkeypatch):
    monkeypatch.setattr(gate, "admit", lambda *_, **__: None)
    for module in (storage, gate_child):
        monkeypatch.setattr(module, "check_objects", lambda *_: 0)


def test_without_the_gate_a_mask_shows_the_canary(tmp_path, monkeypatch):
    without_a_gate(monkeypatch)
    place_canary(tmp_path)
    hostile.external_storage_of_a_mask(tmp_path / "p.orgseg")
    forget_reading(tmp_path)
    with ProjectFile.open(tmp_path / "p.orgseg", read_only=True) as file:
        leaked = [file.mask(i).plane(0).tobytes()[:32] for i in file.project.images]
    assert CANARY[:32] in leaked
    assert was_read(tmp_path / "canary.bin")


def test_without_the_gate_painting_overwrites_the_canary(tmp_path, monkeypatch):
    without_a_gate(monkeypatch)
    place_canary(tmp_path)
    hostile.external_storage_of_a_mask(tmp_path / "p.orgseg")
    try:
        with ProjectFile.open(tmp_path / "p.orgseg") as file:
            fill(file, 2)
            file.save()
    except ProjectError:
        pass  # it may notice afterwards: the canary is gone by then
    with h5py.File(tmp_path / "p.orgseg", "r+") as file:  # as any program would
        masks = [group["mask"] for group in file["images"].values()]
        masks[0][...], masks[1][...] = 7, 7
    assert not is_whole(tmp_path)


@pytest.mark.parametrize("name", ["external link", "virtual dataset"])
def test_without_the_gate_another_file_is_read(tmp_path, monkeypatch, name):
    without_a_gate(monkeypatch)
    PROJECTS[name][0](tmp_path / "p.orgseg")
    forget_reading(tmp_path)
    with h5py.File(tmp_path / "p.orgseg") as file:
        first = next(iter(file["images"].values()))
        assert first["pixels"][...].tobytes() == CANARY[:4800]
    assert was_read(tmp_path / "other.h5")


def test_a_look_without_the_audit_would_be_noticed(tmp_path, monkeypatch):
    """The child reads small arrays: were they not looked at before, the canary would tell."""
    without_a_gate(monkeypatch)
    place_canary(tmp_path)
    hostile.external_storage(tmp_path / "p.orgseg")
    forget_reading(tmp_path)
    assert gate_child.look_at(tmp_path / "p.orgseg")["admitted"]
    assert was_read(tmp_path / "canary.bin")
