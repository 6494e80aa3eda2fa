"""Files that are no projects, are damaged, or mean harm: one sentence each, and nothing touched."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from orgseg_app.files import schema
from orgseg_app.files.attributes import write_text
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.safety import known_files
from orgseg_app.files.store import journal
from tests.files.projects import fill, run_child, small_project


@pytest.fixture
def path(tmp_path):
    small_project(tmp_path / "p.orgseg", 2).close()
    return tmp_path / "p.orgseg"


def refuse(path, sentence):
    """Opening either way fails with the sentence and leaves the folder as it is."""
    before = {p.name: p.read_bytes() for p in path.parent.iterdir() if p.is_file()}
    for read_only in (False, True):
        with pytest.raises(ProjectError, match=sentence) as caught:
            ProjectFile.open(path, read_only=read_only)
        assert str(caught.value).endswith(".")
    assert {p.name: p.read_bytes() for p in path.parent.iterdir() if p.is_file()} == before


def test_what_is_no_project(tmp_path):
    path = tmp_path / "x.orgseg"
    refuse(path, "There is no file “x.orgseg” in")
    path.write_bytes(b"")
    refuse(path, r"“x.orgseg” is empty. It was left as it is")
    path.write_text("some notes " * 1000)
    refuse(path, "not an OrgSeg project, nor any HDF5 file")
    with h5py.File(path, "w") as file:
        file["volume"] = np.zeros(9)
    refuse(path, "an HDF5 file, but not an OrgSeg project")
    refuse(tmp_path, "is a folder, not a project file")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.999])
def test_a_truncated_project(path, share):
    size = path.stat().st_size
    os.truncate(path, max(5000, int(size * share)))
    refuse(path, "is cut off: its end is missing|is damaged")


def test_no_permission_to_read(path, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", denied)
    with pytest.raises(ProjectError, match=r"no permission to read “p.orgseg”"):
        ProjectFile.open(path, read_only=True)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to drop rights")
def test_another_user_without_rights(monkeypatch):
    """As a user who may neither write the folder nor, later, read the file."""
    code = (
        "import os, sys\n"
        "from orgseg_app.files.project_file import ProjectFile\n"
        "os.setgid(65534), os.setuid(65534)\n"
        "try:\n"
        "    print(ProjectFile.open(sys.argv[1]).read_only_reason)\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    with tempfile.TemporaryDirectory() as name:  # pytest shuts its own folders again and again
        path = Path(name, "p.orgseg")
        monkeypatch.setenv("ORGSEG_HOME", str(path.parent / "home"))
        small_project(path, 2).close()

        def opened(mode):
            path.chmod(mode)
            known_files.remember(path)  # that user may not start Python where it is installed
            return run_child(code, path).stdout

        assert "ProjectError" in opened(0o644)  # not even the folder may be seen
        path.parent.chmod(0o755)
        assert "“p.orgseg” is write-protected." in opened(0o644)
        assert "cannot be saved where it is: there is no perm" in opened(0o666)
        assert "ProjectError You have no permission to read" in opened(0o600)


# -- newer and older -----------------------------------------------------------------------------


def test_a_newer_project_opens_to_look_only(path):
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = schema.SCHEMA_VERSION + 1
        file.create_group("journal")["unheard of"] = np.arange(3)
    before = path.read_bytes()
    with ProjectFile.open(path) as file:
        assert file.read_only
        assert "made by a newer version of OrgSeg" in file.read_only_reason
        assert len(file.project.images) == 2
        assert not path.with_name("p.orgseg.lock").exists()
        fill(file, 2)
        with pytest.raises(ProjectError, match=r"newer version .* Save a copy"):
            file.save()
    assert path.read_bytes() == before


def test_a_newer_project_of_another_shape_is_refused(path):
    with h5py.File(path, "r+") as file:
        file.attrs["schema_version"] = schema.SCHEMA_VERSION + 1
        del file["images"]
    refuse(path, r"made by a newer version of OrgSeg. It was left as it is; update OrgSeg")


def test_what_a_newer_program_left_in_the_journal_is_not_touched(path):
    """It broke off in the middle of a save: only that program knows how to finish it."""
    code = (
        "import os, sys\n"
        "from orgseg_app.files.project_file import ProjectFile\n"
        "from orgseg_app.files.store import journal, storage\n"
        "journal.FORMAT += 1\n"
        "storage.apply_pages = lambda *_: os._exit(9)\n"
        "with ProjectFile.open(sys.argv[1]).transaction() as file:\n"
        "    file.attrs['schema_version'] = 1000\n"
    )
    assert run_child(code, path).returncode == 9
    before, kept = path.read_bytes(), journal_rows(path)
    for read_only in (True, False):
        with ProjectFile.open(path, read_only=read_only) as file:
            assert file.read_only
            assert read_only or "a newer version of OrgSeg" in file.read_only_reason
            assert len(file.project.images) == 2
        assert path.read_bytes() == before
        assert journal_rows(path) == kept
    assert any("page" in row for row in kept)


def journal_rows(path):
    """All that the journal beside a project says, read from a copy."""
    with tempfile.TemporaryDirectory() as folder:
        for file in path.parent.glob("*-journal*"):
            shutil.copy(file, folder)
        with contextlib.closing(sqlite3.connect(Path(folder, f"{path.name}-journal"))) as database:
            return list(database.iterdump())


def test_the_format_of_journals_is_raised_with_the_schema():
    assert journal.FORMAT == schema.SCHEMA_VERSION


@pytest.mark.parametrize("what", ["external link", "data elsewhere"])
def test_a_newer_project_may_not_reach_outside_either(path, what):
    """A newer version may know other filters and values; it has no reason to leave its file."""

    def change(file, images, group):
        file.attrs["schema_version"] = schema.SCHEMA_VERSION + 1
        if what == "external link":
            file["elsewhere"] = h5py.ExternalLink("other.h5", "/")
        else:
            file.create_dataset("elsewhere", (9,), "u1", external=[("other", 0, 9)])

    spoil(path, change)
    refuse(path, "which OrgSeg never writes")


def spoil(path, change):
    with h5py.File(path, "r+") as file:
        change(file, file["images"], next(iter(file["images"].values())))


def swap(group, name, *arguments, **fields):
    """Put another dataset in the place of one."""
    del group[name]
    group.create_dataset(name, *arguments, **fields)


ODD_CLASSES = '[{"id":1,"name":"background","colour":"red"},{"id":2,"name":"\\n","colour":0}]'
ORPHAN = '[{"id":2,"name":"a","colour":"x"}]'

SPOILT = {
    "no version": (lambda f, i, g: f.attrs.pop("schema_version"), "no schema version"),
    "no images": (lambda f, i, g: f.pop("images"), "no images group"),
    "images is data": (lambda f, i, g: swap(f, "images", data=1), "no images group"),
    "bad id": (lambda f, i, g: i.move(g.name, "..x;"), "impossible image id"),
    "image is data": (lambda f, i, g: i.create_dataset("abc", data=1), "image abc is no group"),
    "no pixels": (lambda f, i, g: g.pop("pixels"), "has no voxels"),
    "pixels of text": (lambda f, i, g: swap(g, "pixels", data=np.array([b"a"])), "is bytes8"),
    "pixels of no size": (lambda f, i, g: swap(g, "pixels", (1, 1, 0, 9), "u1"), "is uint8"),
    "no mask": (lambda f, i, g: g.pop("mask"), "mask of “cell .” does not fit"),
    "mask of another size": (lambda f, i, g: swap(g, "mask", (1, 5, 5), "u1"), "does not fit"),
    "mask of floats": (lambda f, i, g: swap(g, "mask", (1, 60, 80), "f4"), "does not fit"),
    "objects too small": (lambda f, i, g: g.create_dataset("objects", (1, 5, 5), "u4"), "not fit"),
    "classes no JSON": (lambda f, i, g: write_text(f, "classes", "[{"), "list of classes"),
    "classes a number": (lambda f, i, g: write_text(f, "classes", "7"), "list of classes"),
    "classes too deep": (lambda f, i, g: write_text(f, "classes", "[" * 99999), "list of classes"),
    "no background": (lambda f, i, g: write_text(f, "classes", ORPHAN), "list of classes"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_project_that_contradicts_itself(path, name):
    change, sentence = SPOILT[name]
    spoil(path, change)
    refuse(path, rf"“p.orgseg” is damaged and cannot be opened \(.*{sentence}")


def test_odd_notes_do_no_harm(path):
    """What is not essential falls back to something sensible."""

    def change(file, images, group):
        write_text(file, "name", "a\u202eb" * 400)
        file.attrs["uuid"] = 7
        write_text(file, "classes", ODD_CLASSES)
        odd = {
            "order": np.bytes_("first"),
            "is_rgb": [1, 2],
            "channel_names": np.bytes_("{"),
            "sha256": np.bytes_(b"\xff\xfe"),
            "split": "train",  # variable-length: not read
            "note": np.bytes_("[" * 99999),
            "name": np.float32(3),
            "pixel_size_um": [0.0, np.nan, 1.0],
            "source": np.bytes_(b"c:\\x\n.tif"),
        }
        for key, value in odd.items():
            group.attrs[key] = value
        write_text(group["mask"], "counts", "[" * 99999)

    spoil(path, change)
    with ProjectFile.open(path) as file:
        image = next(i for i in file.project.images.values() if i.name == i.image_id)
        assert len(file.project.name) <= 200
        assert "\u202e" not in file.project.name
        classes = [(c.name, c.colour) for c in file.project.classes]
        assert classes == [("background", "#8A8F98"), ("class 2", "#E69F00")]
        assert (image.split, image.is_rgb, image.pixel_size_um) == ("train", False, None)
        assert image.channel_names == ("channel 1",)
        assert image.source == "c:\\x .tif"
        assert file.counts(image.image_id) == file.mask(image.image_id).counts()
        file.set_note(image.image_id, "saved all the same")
        file.save()


# -- hostile -------------------------------------------------------------------------------------


def test_links_and_data_elsewhere_are_refused_and_never_followed(path, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_bytes(b"s3cret" * 1000)
    (tmp_path / "other.h5").write_bytes(b"")
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["pixels"] = np.ones((1, 1, 60, 80), "u2")
    layout = h5py.VirtualLayout((1, 1, 60, 80), "u2")
    layout[...] = h5py.VirtualSource(str(tmp_path / "other.h5"), "pixels", (1, 1, 60, 80))

    def place(group, name, link):
        group.pop(name, None)
        group[name] = link

    far = str(tmp_path / "other.h5")
    parts = [(str(secret), 0, 3000)]
    packed = {"chunks": (1, 60, 80), "compression": "lzf"}
    attacks = [
        (lambda f, i, g: place(g, "pixels", h5py.SoftLink("/nothing")), "links"),
        (lambda f, i, g: place(g, "pixels", h5py.ExternalLink(far, "pixels")), "links"),
        (lambda f, i, g: place(f, "elsewhere", h5py.ExternalLink(far, "/")), "links"),
        (lambda f, i, g: place(i, "abc", h5py.SoftLink(g.name)), "links"),
        (lambda f, i, g: swap(g, "pixels", (1, 1, 50, 60), "u1", external=parts), "other files"),
        (lambda f, i, g: swap(g, "mask", (1, 50, 60), "u1", external=parts), "other files"),
        (lambda f, i, g: (g.pop("pixels"), g.create_virtual_dataset("pixels", layout)), "other"),
        (lambda f, i, g: f.create_dataset("a/b/c", (3000,), "u1", external=parts), "other files"),
        (lambda f, i, g: swap(g, "mask", (1, 60, 80), "u1", **packed), "compression"),
        (lambda f, i, g: place(f, "type", np.dtype("i4")), "kinds of objects"),
    ]
    good = path.read_bytes()
    for change, word in attacks:
        path.write_bytes(good)
        spoil(path, change)
        refuse(path, f"{word}.*OrgSeg never writes. It was not opened, and nothing was changed")
    assert secret.read_bytes() == b"s3cret" * 1000


def test_hard_links_in_a_circle_end(path):
    spoil(path, lambda f, i, g: (f.create_group("a/b"), f["a/b"].__setitem__("back", f["a"])))
    with ProjectFile.open(path) as file:
        assert len(file.project.images) == 2


def test_very_deep_groups_are_refused(path):
    spoil(path, lambda f, i, g: f.create_group("/".join("a" * 50)))
    refuse(path, "more objects than any project")


def test_shape_and_block_bombs(path):
    good = path.read_bytes()

    def shape(file, images, group):
        swap(group, "pixels", (1, 1, 2**25, 2**25), "u2", chunks=(1, 1, 512, 512))
        swap(group, "mask", (1, 2**25, 2**25), "u1", chunks=(1, 256, 256))

    def block(file, images, group):
        fields = {"maxshape": (None,) * 3, "chunks": (1, 2**16, 2**15), "compression": "gzip"}
        swap(group, "mask", (1, 60, 80), "u1", **fields)

    spoil(path, shape)
    refuse(path, "declares an image of impossible size")
    path.write_bytes(good)
    spoil(path, block)
    refuse(path, "declares blocks of impossible size")


def test_flipped_bits_in_voxels_are_noticed_and_named(path):
    with ProjectFile.open(path) as file:
        first, second = file.project.images
        pixels = file.read_image(first)
    data = path.read_bytes()
    at = data.index(pixels[0, 0].tobytes()[:200])
    path.write_bytes(data[: at + 100] + bytes([data[at + 100] ^ 1]) + data[at + 101 :])
    with ProjectFile.open(path) as file:
        sentence = "Plane 1 of “cell 0” cannot be read: “p.orgseg” is damaged there"
        with pytest.raises(ProjectError, match=sentence):
            file.read_plane(first, 0)
        assert file.read_plane(second, 0).shape == (1, 60, 80)
        fill(file, 2)
        file.save()  # what is whole can still be worked on
        assert file.counts(first) == {2: 4800}


def test_a_missing_block_of_an_image_is_not_read_as_black(path):
    def drop(file, images, group):
        pixels = group["pixels"][...]
        fields = {"chunks": (1, 1, 40, 40), "fletcher32": True}
        swap(group, "pixels", pixels.shape, pixels.dtype, **fields)
        group["pixels"][:, :, :40] = pixels[:, :, :40]

    spoil(path, drop)
    with ProjectFile.open(path, read_only=True) as file:
        first = min(file.project.images)  # the one that was spoilt
        assert file.read_region(first, 0, 0, 0, 40, 80).shape == (1, 40, 80)
        with pytest.raises(ProjectError, match="Plane 1 of “cell .” cannot be read"):
            file.read_plane(first, 0)


def test_random_damage_never_crashes_or_changes_voxels_silently(path, tmp_path):
    """Bytes change all over a project: it opens with its voxels as they were, or says why not."""
    with ProjectFile.open(path) as file:
        truth = {i: file.read_image(i) for i in file.project.images}
    np.savez(tmp_path / "truth.npz", **truth)
    code = (
        "import random, sys\n"
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from orgseg_app.files.errors import FileError\n"
        "from orgseg_app.files.project_file import ProjectFile\n"
        "from orgseg_app.files.safety import gate\n"
        "gate.admit = lambda path, pages: None  # the child that would crash is this one\n"
        "path, truth = Path(sys.argv[1]), np.load(sys.argv[2])\n"
        "good, rng, refused = path.read_bytes(), random.Random(3), 0\n"
        "for _ in range(250):\n"
        "    bad = bytearray(good)\n"
        "    for _ in range(rng.choice((1, 1, 8))):\n"
        "        bad[rng.randrange(4096, len(bad))] ^= 1 << rng.randrange(8)\n"
        "    path.write_bytes(bad)\n"
        "    try:\n"
        "        with ProjectFile.open(path, read_only=True) as file:\n"
        "            for i in file.project.images:\n"
        "                assert np.array_equal(file.read_image(i), truth[i])\n"
        "                file.mask(i), file.thumbnail(i), file.counts(i)\n"
        "    except FileError:\n"
        "        refused += 1\n"
        "print('refused', refused)\n"
    )
    done = run_child(code, path, tmp_path / "truth.npz")
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    assert int(done.stdout.split()[1]) > 20
