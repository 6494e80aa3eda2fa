"""A large project opens from what this computer remembers, and never from what is not true."""

from __future__ import annotations

import json
import os

import h5py
import numpy as np
import pytest

from orgseg_app.core.classes import default_classes
from orgseg_app.files import remembered_facts, schema
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.files.remembered_facts import Facts
from orgseg_app.files.safety import known_files
from tests.files.projects import picture


@pytest.fixture
def many(tmp_path, monkeypatch):
    """A project of more images than are read at once without notice, closed."""
    monkeypatch.setattr(remembered_facts, "MIN_IMAGES", 3)
    path = tmp_path / "p.orgseg"
    with ProjectFile.create(path, default_classes(["ER"]), "Zellen “β”") as file:
        file.add_images(
            [
                NewImage(
                    picture(f"  bild\u202e {i}\n", shape=(i + 1, 1, 8, 9), pixel_size_um=size),
                    note="line\nline\u2028 \ud800",
                )
                for i, size in enumerate((None, (1.0, 0.1, 0.1), None))
            ]
        )
        file.save()
    return path


@pytest.fixture
def read(monkeypatch):
    """How often the facts were read from a project file."""
    calls = []
    real = schema.read_project
    monkeypatch.setattr(schema, "read_project", lambda *a: calls.append(a) or real(*a))
    return calls


def test_a_project_opens_from_memory_with_the_same_facts(many, read):
    with ProjectFile.open(many) as file:
        remembered = file.project
    assert read == []
    with h5py.File(many) as file:
        assert remembered == schema.read_project(file, many.name)


def test_what_was_saved_is_remembered_and_what_was_not_is_not(many, read):
    with ProjectFile.open(many) as file:
        first, second, third = file.project.images
        file.rename("new")
        file.remove_image(second)
        file.set_split(first, "test")
        file.save()
        file.set_split(third, "test")
    with ProjectFile.open(many, read_only=True) as file:
        assert file.project.name == "new"
        assert [i.split for i in file.project.images.values()] == ["test", "train"]


@pytest.mark.parametrize("how", ["attribute", "copied over", "touched", "head"])
def test_a_file_that_changed_is_read(many, read, how):
    times = os.stat(many)
    if how == "attribute":  # by another program, which sets the time back
        with h5py.File(many, "r+") as file:
            file.attrs["name"] = np.bytes_(b"foreign")
        os.utime(many, ns=(times.st_atime_ns, times.st_mtime_ns))
    elif how == "copied over":
        data = many.read_bytes()
        many.unlink()
        many.write_bytes(data)
        os.utime(many, ns=(times.st_atime_ns, times.st_mtime_ns))
    elif how == "touched":
        os.utime(many)
    else:
        with open(many, "r+b") as stream:
            stream.seek(900)
            stream.write(b"x")
        os.utime(many, ns=(times.st_atime_ns, times.st_mtime_ns))
    if os.name == "nt" and how == "attribute":
        pytest.skip("Windows tells no time that a program cannot set")
    with ProjectFile.open(many, read_only=True) as file:
        assert read
        assert file.project.name == ("foreign" if how == "attribute" else "Zellen “β”")


def test_who_writes_past_the_project_is_believed(many, read):
    with ProjectFile.open(many) as file, file.transaction() as raw:
        raw.attrs["name"] = np.bytes_(b"by hand")
    with ProjectFile.open(many, read_only=True) as file:
        assert file.project.name == "by hand"
    assert len(read) == 1
    with ProjectFile.open(many, read_only=True) as file:  # remembered from reading now
        assert file.project.name == "by hand"
    assert len(read) == 1


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b"\xff\xfe", b'{"app_version": 1}', b"9" * 99]
)
def test_a_damaged_memory_is_none(many, read, damage):
    (place,) = remembered_facts.folder().glob("*.json")
    place.write_bytes(damage)
    with ProjectFile.open(many) as file:
        assert len(file.project.images) == 3
    assert len(read) == 1


def test_a_memory_of_another_file_or_version_is_none(many, read):
    (place,) = remembered_facts.folder().glob("*.json")
    told = json.loads(place.read_bytes())
    for key, value in (("path", "/elsewhere"), ("app_version", "0.0")):
        place.write_text(json.dumps({**told, key: value}))
        assert remembered_facts.recall(many, known_files.mark_of(many)) is None
    told["facts"]["project"]["images"] = {"a": {"name": 3}}
    place.write_text(json.dumps(told))
    assert remembered_facts.recall(many, known_files.mark_of(many)) is None


def test_only_the_last_projects_are_remembered(many, monkeypatch):
    monkeypatch.setattr(remembered_facts, "MAX_PROJECTS", 2)
    with ProjectFile.open(many) as file:
        facts = Facts(schema.SCHEMA_VERSION, schema.PROJECT, file.project)
    mark = known_files.mark_of(many)
    for number in range(4):
        remembered_facts.keep(many.with_name(f"{number}.orgseg"), mark, facts)
    assert len(list(remembered_facts.folder().iterdir())) == 2


def test_where_nothing_can_be_kept_nothing_fails(many, monkeypatch, read):
    monkeypatch.setenv("ORGSEG_HOME", str(many))  # a file where the folder should be
    for _ in range(2):
        with ProjectFile.open(many) as file:
            assert len(file.project.images) == 3
    assert len(read) == 2


def test_small_projects_are_not_worth_it(tmp_path):
    ProjectFile.create(tmp_path / "p.orgseg", default_classes(["ER"])).close()
    assert not remembered_facts.folder().exists()
