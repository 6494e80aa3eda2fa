"""Runs packed by a stranger: what cannot be a run stays inside, and nothing appears elsewhere."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.files import unpacking
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.packing import pack
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.runs import folder as run_folders
from tests.files.packed import (
    IDS,
    change,
    inside,
    laid_out,
    open_and_tell,
    packed_project,
    put,
    request,
    run_to_pack,
    tree,
    without_request,
)
from tests.files.projects import only, small_project


def rename_run(name):
    return lambda runs: runs.move(IDS[0], name)


def with_request(**more):
    def how(runs):
        put(runs[IDS[0]], "request.json", json.dumps(request(IDS[0], **more)).encode())

    return how


def raw_request(data):
    return lambda runs: put(runs[IDS[0]], "request.json", data)


def with_file(name, data=b"evil"):
    return lambda runs: put(runs[IDS[0]], name, data)


def declared(shape, **options):
    def how(runs):
        del runs[IDS[0]]["best.ckpt"]
        runs[IDS[0]].create_dataset("best.ckpt", shape, np.uint8, **options)

    return how


def instead(what):
    def how(runs):
        del runs[IDS[0]]["best.ckpt"]
        what(runs[IDS[0]])

    return how


DEEP = b'{"format": "orgseg-run", "run": "%s", "kind": "train", "a": %s1%s}' % (
    IDS[0].encode(),
    b"[" * 5000,
    b"]" * 5000,
)
HUGE = b'{"format": "orgseg-run", "run": "%s", "kind": "train", "created": %s}' % (
    IDS[0].encode(),
    b"9" * 4000,
)

REFUSED = {
    "dots": rename_run(".."),
    "device": rename_run("NUL"),
    "device with suffix": rename_run("aux.txt"),
    "drive": rename_run("C:evil"),
    "backslashes": rename_run("..\\..\\evil"),
    "upper case": rename_run(IDS[0].upper()),
    "too long": rename_run("a" * 200),
    "unicode digits": rename_run("１２３４５６７８９０１２"),
    "newline": rename_run(IDS[0] + "\n"),
    "another's id": with_request(run=IDS[3]),
    "other format": with_request(format="x"),
    "prediction": with_request(kind="predict", out="/tmp/evil", inputs=["/etc/passwd"]),
    "newer": with_request(schema_version=2),
    "version text": with_request(schema_version="1"),
    "no JSON": raw_request(b"{"),
    "no object": raw_request(b"[1]"),
    "not UTF-8": raw_request(b'{"a": "\xff\xfe"}'),
    "NaN": raw_request(json.dumps(request(IDS[0], x=float("nan"))).encode()),
    "beyond floats": raw_request(json.dumps(request(IDS[0])).encode()[:-1] + b', "x": 1e999}'),
    "deep": raw_request(DEEP),
    "dots in a run": with_file(".."),
    "script": with_file("sitecustomize.py"),
    "process": with_file("process.json"),
    "device in a run": with_file("CON"),
    "case collision": with_file("Best.ckpt"),
    "stream": with_file("best.ckpt:evil"),
    "backslashes in a run": with_file("..\\evil.exe"),
    "large title": with_file("title.json", bytes(2**16 + 1)),
    "declared only": declared((2**33,), chunks=(2**20,)),
    "declared a little": declared((2_000_000,), chunks=(2**20,)),
    "compressed": declared((50 * 2**20,), chunks=(2**20,), compression="gzip"),
    "two axes": declared((10, 10)),
    "a group": instead(lambda run: run.create_group("best.ckpt")),
    "numbers": instead(lambda run: run.create_dataset("best.ckpt", data=np.arange(9.0))),
    "text": instead(lambda run: run.create_dataset("best.ckpt", data=np.bytes_(b"hello"))),
    "a scalar": instead(lambda run: run.create_dataset("best.ckpt", data=np.uint8(3))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_strangers_run_is_refused_and_the_others_are_laid_out(name, tmp_path):
    home = tmp_path / "a" / "b"
    home.mkdir(parents=True)
    path = home / "p.orgseg"
    digests = packed_project(path)
    change(path, REFUSED[name])
    kept = inside(path)
    notices = open_and_tell(path)
    assert len(notices) == 2, notices
    assert notices[0].startswith("A run that was packed inside now lies in")
    assert "was not laid out: it " in notices[1]
    assert "\n" not in notices[1]
    folder = home / "p.runs"
    assert {i: without_request(d) for i, d in laid_out(folder).items()} == {
        IDS[1]: without_request(digests[IDS[1]])
    }
    run = f"p.runs/run b-{IDS[1][:6]}"
    names = [*digests[IDS[1]], "control"]
    assert tree(tmp_path / "a") == sorted(
        ["b", "b/p.orgseg", "b/p.runs", f"b/{run}", *(f"b/{run}/{n}" for n in names)]
    )
    del kept[IDS[1]]
    assert inside(path) == kept, "what is refused stays in the file"
    assert len(open_and_tell(path)) == 1
    with ProjectFile.open(path) as file:
        file.mask(only(file)).write(0, 0, 0, np.ones((5, 5), np.uint8))
        file.save()


def test_a_name_from_the_file_is_text_and_never_a_path(tmp_path):
    names = ["../../../evil", "C:\\evil", "CON", "/etc/passwd", "x" * 5000, "\u202egpj.exe", ""]
    for number, name in enumerate(names):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = folder / "p.orgseg"
        packed_project(path, 1)
        change(path, with_request(name=name, model="/etc/passwd", scored_run="../.."))
        assert len(open_and_tell(path)) == 1
        (run,) = run_folders.list_runs(path)
        assert run.path.parent == folder / "p.runs"
        assert len(run.path.name) <= 56
        assert run.path.name.endswith(f"-{IDS[0][:6]}")
        assert not set(run.path.name) & set('/\\:*?"<>|\u202e')
        assert run.request["model"] == ""
        assert sorted(p.name for p in folder.iterdir()) == ["p.orgseg", "p.runs"]
    assert tree(tmp_path)[0] == "0"
    assert sorted(p.name for p in tmp_path.iterdir()) == [str(n) for n in range(len(names))]


def test_names_that_differ_in_case_only_get_folders_of_their_own(tmp_path):
    path = tmp_path / "p.orgseg"
    with small_project(tmp_path / "s.orgseg", 1) as file:
        runs = [
            run_to_pack(run_id, name=name)
            for run_id, name in (
                ("abcdef000001", "Fast"),
                ("abcdef000002", "fast"),
                ("abcdef000003", "FAST\u200b"),
                ("abcdef000004", "ｆａｓｔ"),
            )
        ]
        pack(file, path, runs)
    assert len(open_and_tell(path)) == 1
    found = run_folders.list_runs(path)
    assert len(found) == 4
    assert len({run.path.name.casefold() for run in found}) == 4


def test_a_time_that_no_clock_shows_is_forgotten(tmp_path):
    path = tmp_path / "p.orgseg"
    packed_project(path, 1)
    change(path, raw_request(HUGE))
    assert len(open_and_tell(path)) == 1
    (run,) = run_folders.list_runs(path)
    assert run.created == 0.0


def test_more_runs_than_anybody_has_are_left_where_they_are(tmp_path):
    path = tmp_path / "p.orgseg"
    packed_project(path, 1)

    def many(runs):
        for number in range(unpacking.MAX_RUNS + 1):
            runs.create_group(f"{number:012x}")

    change(path, many)
    (sentence,) = open_and_tell(path)
    assert "which cannot be" in sentence
    assert not (tmp_path / "p.runs").exists()


@pytest.mark.parametrize("kind", ["soft", "external", "external data", "virtual"])
def test_links_out_of_the_file_refuse_it_as_a_whole(kind, tmp_path):
    path, secret = tmp_path / "p.orgseg", tmp_path / "secret"
    packed_project(path, 1)
    secret.write_bytes(b"s" * 100)

    def how(runs):
        run = runs[IDS[0]]
        del run["best.ckpt"]
        if kind == "soft":
            run["best.ckpt"] = h5py.SoftLink("/images")
        elif kind == "external":
            run["best.ckpt"] = h5py.ExternalLink(str(secret), "/")
        elif kind == "external data":
            run.create_dataset("best.ckpt", (100,), np.uint8, external=[(str(secret), 0, 100)])
        else:
            layout = h5py.VirtualLayout((100,), np.uint8)
            layout[:] = h5py.VirtualSource(str(secret), "/x", (100,))
            run.create_virtual_dataset("best.ckpt", layout)

    change(path, how)
    before = path.read_bytes()
    with pytest.raises(ProjectError, match="which OrgSeg never writes"):
        ProjectFile.open(path)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["p.orgseg", "secret"]


def test_a_damaged_run_stays_inside_and_the_others_are_laid_out(tmp_path):
    path = tmp_path / "p.orgseg"
    packed_project(path)
    with h5py.File(path, "r", locking=False) as file:
        weights = file["runs"][IDS[0]]["best.ckpt"]
        at = path.read_bytes().find(weights[1_200_000:1_200_100].tobytes())
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    first, second = open_and_tell(path)
    assert "A run that was packed" in first
    assert f"“{IDS[0]}” was not laid out: it is damaged" in second
    assert set(laid_out(tmp_path / "p.runs")) == {IDS[1]}
    assert set(inside(path)) == {IDS[0]}
    assert not [name for name in tree(tmp_path) if ".unpacking" in name]


def test_something_else_called_runs_is_no_packed_run(tmp_path):
    path = tmp_path / "p.orgseg"
    packed_project(path, 1)
    with h5py.File(path, "r+", libver=("v108", "v108")) as file:
        del file["runs"]
        file["runs"] = np.arange(5)
    assert open_and_tell(path) == []
    assert tree(tmp_path) == ["p.orgseg"]


@settings(max_examples=15)
@given(
    key=st.one_of(st.sampled_from(IDS), st.text(min_size=1, max_size=30)),
    name=st.one_of(st.sampled_from(sorted(unpacking.RUN_FILES)), st.text(min_size=1, max_size=30)),
    data=st.binary(max_size=300),
    title=st.text(max_size=300),
)
def test_whatever_is_in_the_group_nothing_appears_elsewhere(
    tmp_path_factory, key, name, data, title
):
    folder = tmp_path_factory.mktemp("any") / "a"
    folder.mkdir()
    path = folder / "p.orgseg"
    packed_project(path, 1)

    def how(runs):
        wanted = json.dumps(request(key, name=title)).encode()
        try:
            group = runs.require_group(key)
            put(group, "request.json", wanted)
            put(group, name, data)
        except (ValueError, TypeError, OSError, KeyError, UnicodeError):
            pass  # HDF5 itself does not take such names

    change(path, how)
    try:
        open_and_tell(path)
    except ProjectError:
        pass
    assert {p.name for p in folder.iterdir()} <= {"p.orgseg", "p.runs"}
    assert [p.name for p in folder.parent.iterdir()] == ["a"]
    for place in (folder / "p.runs").glob("*/*"):
        assert place.name in {*unpacking.RUN_FILES, "control"}
        assert not place.is_symlink()
    run_folders.list_runs(path)
