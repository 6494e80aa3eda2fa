"""How voxels are packed: the same comes back, any HDF5 program reads the default."""

from __future__ import annotations

import sys

import h5py
import numpy as np
import pytest

from orgseg_app.core.classes import default_classes
from orgseg_app.files.backups.verify import verify
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.images import codecs
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.files.snapshot import write_snapshot
from tests.files.damaging import damage_block
from tests.files.projects import only, painted, picture, run_child

PLAIN_READER = """
import sys, h5py, numpy as np
with h5py.File(sys.argv[1], "r") as file:
    for image in file["images"].values():
        image["pixels"][...], image["mask"][...], image["objects"][...], image["thumbnail"][...]
print("read", "hdf5plugin" in sys.modules)
"""


def project(path, codec=None, chosen=None) -> ProjectFile:
    file = ProjectFile.create(path, default_classes(["ER"]))
    if chosen is not None:
        with file.transaction() as inside:
            codecs.choose(inside, chosen)
    objects = np.arange(4800, dtype=np.uint32).reshape(1, 60, 80)
    file.add_images([NewImage(picture(), mask=painted(), objects=objects, codec=codec)])
    return file


@pytest.mark.parametrize("name", codecs.CODECS)
@pytest.mark.parametrize("whole_project", [True, False])
def test_everything_comes_back_and_the_file_says_how(tmp_path, name, whole_project):
    path, codec = tmp_path / "p.orgseg", codecs.CODECS[name]
    chosen = {"chosen": codec} if whole_project else {"codec": codec}
    with project(path, **chosen) as file:
        file.mask(only(file)).write(0, 3, 3, np.full((20, 20), 2, np.uint8))
        file.save()
        mask = file.mask(only(file)).to_array()
    with ProjectFile.open(path) as file:
        i = only(file)
        np.testing.assert_array_equal(file.read_image(i), picture().read())
        np.testing.assert_array_equal(file.mask(i).to_array(), mask)
        np.testing.assert_array_equal(file.objects(i).ravel(), np.arange(4800))
        with file.reading() as inside:
            group = inside["images"][i]
            assert group.attrs["codec"].decode() == f"{name}: {codec.words}"
            for layer in ("pixels", "mask", "objects", "thumbnail"):
                plan = group[layer].id.get_create_plist()
                last = plan.get_filter(plan.get_nfilters() - 1)[0]
                assert last == codecs.FLETCHER32, layer  # damage is found before it is unpacked
            used = codecs.filters_of(group["pixels"]) | codecs.filters_of(group["mask"])
            assert bool(used & codecs.PLUGIN_IDS) == (name == "fast")


@pytest.mark.parametrize("name", ["plain", "compact"])
def test_any_hdf5_program_reads_it(tmp_path, name):
    with project(tmp_path / "p.orgseg", codecs.CODECS[name]):
        pass
    result = run_child(PLAIN_READER, tmp_path / "p.orgseg")
    assert result.stdout.split() == ["read", "False"], result.stderr


def test_negative_control_the_fast_way_needs_the_plug_in(tmp_path):
    with project(tmp_path / "p.orgseg", codecs.FAST):
        pass
    result = run_child(PLAIN_READER, tmp_path / "p.orgseg")
    assert result.returncode != 0
    assert "OSError" in result.stderr
    with_plugin = run_child("import hdf5plugin\n" + PLAIN_READER, tmp_path / "p.orgseg")
    assert with_plugin.stdout.split() == ["read", "True"], with_plugin.stderr


def test_without_the_package_the_user_is_told_and_nothing_seems_damaged(tmp_path):
    path = tmp_path / "p.orgseg"
    with project(path, codecs.FAST):
        pass
    before = path.read_bytes()
    code = """
import sys
sys.modules["hdf5plugin"] = None
from orgseg_app.files.project_file import ProjectFile
try:
    ProjectFile.open(sys.argv[1])
except Exception as error:
    print(type(error).__name__, error)
"""
    said = run_child(code, path).stdout
    assert said.startswith("ProjectError")
    assert "hdf5plugin" in said
    assert path.read_bytes() == before


def test_only_our_two_plug_ins_stay_loaded():
    code = """
import h5py
from orgseg_app.files.images import codecs
codecs.provide(codecs.PLUGIN_IDS)
import hdf5plugin
print(sorted(n for n in hdf5plugin.FILTERS.values() if h5py.h5z.filter_avail(n)))
"""
    assert run_child(code).stdout.strip() == "[32008, 32015]"


def test_an_unknown_codec_reads_as_plain(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        assert codecs.chosen(file) is codecs.PLAIN
        codecs.choose(file, codecs.FAST)
        assert codecs.chosen(file) is codecs.FAST
        file.attrs["codec"] = np.bytes_(b"quantum: who knows")
        assert codecs.chosen(file) is codecs.PLAIN


def test_blocks_are_even_so_that_small_images_take_their_own_room(tmp_path):
    assert codecs.PLAIN.chunk(320, 1000) == (1, 1, 160, 250)
    assert codecs.PLAIN.chunk(8192, 1) == (1, 1, 256, 1)
    with ProjectFile.create(tmp_path / "p.orgseg", default_classes(["ER"])) as file:
        file.add_images([NewImage(picture(shape=(1, 1, 320, 320)))])
        with file.reading() as inside:
            stored = inside["images"][only(file)]["pixels"].id.get_storage_size()
        assert stored <= 320 * 320 * 2 * 1.01


@pytest.mark.parametrize("name", codecs.CODECS)
def test_every_reader_takes_uneven_blocks(tmp_path, name):
    """1030 × 300 in two channels: blocks of 206 × 150 (115 × 100), hardly beyond the edge."""
    path, opened = tmp_path / "p.orgseg", picture(shape=(2, 3, 1030, 300))
    with ProjectFile.create(path, default_classes(["ER"])) as file:
        file.add_images([NewImage(opened, codec=codecs.CODECS[name])])
        i, pixels = only(file), opened.read()
        np.testing.assert_array_equal(file.read_image(i), pixels)
        part = file.read_region(i, 2, 201, 149, 1029, 999)
        np.testing.assert_array_equal(part, pixels[:, 2, 201:1029, 149:])
        with file.reading() as inside:
            _, _, rows, columns = inside["images"][i]["pixels"].chunks
        file.compact()
        file.save_copy(tmp_path / "copy.orgseg")
    assert (rows, columns) == ((115, 100) if name == "fast" else (206, 150))
    for copy in (path, tmp_path / "copy.orgseg"):
        with ProjectFile.open(copy) as file:
            np.testing.assert_array_equal(file.read_image(i), pixels)
        assert not verify(copy).damages
    place = (1, 2, 2 * rows, columns)
    damage_block(path, f"images/{i}/pixels", place)
    named = verify(path).damages
    assert [(d.start, d.stop, d.channel) for d in named] == [
        ((2, 2 * rows, columns), (3, 3 * rows, 2 * columns), 1)
    ]
    with ProjectFile.open(path) as file:
        rest = pixels[:, 2].copy()
        rest[1, 2 * rows : 3 * rows, columns : 2 * columns] = 0
        np.testing.assert_array_equal(file.read_plane(i, 2, to_look=True), rest)
        np.testing.assert_array_equal(file.read_plane(i, 0), pixels[:, 0])


def test_a_missing_filter_is_an_error_with_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    monkeypatch.setattr(h5py.h5z, "filter_avail", lambda number: number not in codecs.PLUGIN_IDS)
    with pytest.raises(ProjectError, match="hdf5plugin"):
        codecs.provide({codecs.ZSTD})
    codecs.provide({codecs.GZIP})


def test_snapshots_are_plain_whatever_the_project_is(tmp_path):
    with project(tmp_path / "p.orgseg", chosen=codecs.FAST) as file:
        write_snapshot(file, tmp_path / "s.h5")
    assert run_child(PLAIN_READER, tmp_path / "s.h5").stdout.split() == ["read", "False"]
