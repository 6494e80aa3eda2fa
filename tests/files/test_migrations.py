"""Projects of every version open today, whole, and whatever happens on the way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import h5py
import numpy as np
import pytest

from orgseg_app.files import atomic, migrations, schema
from orgseg_app.files.backups import backup
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.migrations import migrate
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.store.header import USER_BLOCK, parse_header
from tests.files.old_projects import STEMS, expected, look, seen, take, told, without_user_block
from tests.files.projects import ROOT, drafts, only

NOW = schema.SCHEMA_VERSION
OLD = [stem for stem in STEMS if told(stem)["schema_version"] < NOW]
KILLS = 30


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def header_of(path: Path):
    return parse_header(path.read_bytes()[:USER_BLOCK])


# -- every version opens -------------------------------------------------------------------------


def test_every_older_version_has_a_step_and_a_stored_project():
    assert sorted(migrations.MIGRATIONS) == list(range(1, NOW))
    assert {told(stem)["schema_version"] for stem in STEMS} >= set(range(1, NOW))


@pytest.mark.parametrize("stem", STEMS)
def test_a_stored_project_is_what_its_description_says(stem, tmp_path):
    path = take(stem, tmp_path)
    assert path.stat().st_size <= 200_000
    facts = look(path)
    assert facts == expected(stem, told(stem)["schema_version"])
    shapes = {tuple(image["shape"][:2]) for image in facts["images"]}
    assert {(1, 1), (3, 1), (2, 3)} <= shapes
    assert sum(image["objects_count"] > 0 for image in facts["images"]) == 1
    assert {image["split"] for image in facts["images"]} == {"train", "validation", "test"}
    assert [i for i in facts["images"] if not i["counts"]]
    assert any(max(map(ord, image["note"]), default=0) > 0xFFFF for image in facts["images"])


@pytest.mark.parametrize("stem", STEMS)
def test_looking_at_an_old_project_changes_no_byte(stem, tmp_path):
    path = take(stem, tmp_path)
    before = path.read_bytes()
    with ProjectFile.open(path, read_only=True) as file:
        assert seen(file) == expected(stem)
        assert file.read_only
    assert path.read_bytes() == before
    assert files(tmp_path) == [path.name]


@pytest.mark.parametrize("stem", OLD)
def test_opening_an_old_project_for_writing_brings_it_up_to_date(stem, tmp_path):
    path = take(stem, tmp_path)
    with ProjectFile.open(path) as file:
        assert not file.read_only
        assert seen(file) == expected(stem)
        assert any("older version" in notice for notice in file.notices)
    assert look(path) == expected(stem, NOW)
    assert header_of(path) is not None
    assert drafts(tmp_path) == []
    before = path.read_bytes()
    with ProjectFile.open(path) as file:
        assert file.notices == []
        assert seen(file) == expected(stem)
    assert path.read_bytes() == before


@pytest.mark.parametrize("stem", OLD)
def test_what_was_painted_is_backed_up_first(stem, tmp_path):
    path = take(stem, tmp_path)
    migrate(path)
    (made,) = backup.list_backups(path)
    assert not made.problem
    assert made.reason == backup.MIGRATION
    assert {i.image_id: {str(k): n for k, n in i.counts.items()} for i in made.images.values()} == {
        image["id"]: image["counts"] for image in told(stem)["images"]
    }


@pytest.mark.parametrize("stem", OLD)
def test_an_old_project_takes_strokes_and_keeps_them(stem, tmp_path):
    path = take(stem, tmp_path)
    with ProjectFile.open(path) as file:
        image_id = only(file)
        file.mask(image_id).write(0, 3, 4, np.full((5, 6), 7, np.uint8))
        file.set_note(image_id, "seen again")
        file.save()
        after = file.counts(image_id)
    with ProjectFile.open(path, read_only=True) as file:
        assert file.counts(image_id) == after
        assert after[7] == 30
        assert file.project.images[image_id].note == "seen again"


@pytest.mark.parametrize("stem", OLD)
def test_a_project_that_passed_through_another_program_gets_its_header_back(stem, tmp_path):
    path = without_user_block(take(stem, tmp_path))
    with ProjectFile.open(path, read_only=True) as file:
        assert seen(file) == expected(stem)
    done = migrate(path)
    assert done is not None
    assert (done.before, done.after) == (told(stem)["schema_version"], NOW)
    assert look(path) == expected(stem, NOW)
    first = header_of(path)
    assert first is not None
    with h5py.File(path, "r", locking=False) as file:
        assert file.userblock_size >= USER_BLOCK
        masks = [group["mask"] for group in file["images"].values()]
        assert all(mask.fletcher32 and mask.compression == "gzip" for mask in masks)
    without_user_block(path)  # and once more, now of today's version
    again = migrate(path)
    assert again is not None
    assert again.before == again.after == NOW
    assert "passed through another program" in again.notice
    assert look(path) == expected(stem, NOW)
    assert header_of(path) != first
    assert migrate(path) is None


def test_what_a_run_learned_from_is_never_rewritten(tmp_path):
    path = take(OLD[0], tmp_path, "snapshot.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["kind"] = np.bytes_("snapshot")
    before = path.read_bytes()
    assert migrate(path) is None
    with ProjectFile.open(path) as file:
        assert file.read_only
        assert seen(file) == expected(OLD[0])
    assert path.read_bytes() == before
    assert files(tmp_path) == [path.name]


def test_steps_are_taken_one_after_the_other(tmp_path, monkeypatch):
    taken = []

    def step(version):
        def lift(file):
            assert int(file.attrs["schema_version"]) == version
            taken.append(version)

        return lift

    monkeypatch.setattr(migrations, "MIGRATIONS", {n: step(n) for n in (1, 2, 3)})
    path = take("project-v1", tmp_path)
    assert migrate(path, to=3).after == 3
    assert taken == [1, 2]
    assert look(path) == expected("project-v1", 3)
    assert migrate(path, to=2) is None
    assert migrate(path, to=4).before == 3
    assert taken == [1, 2, 3]


# -- nothing is lost on the way ------------------------------------------------------------------


def no_loss(path: Path, before: bytes) -> bool:
    """True when a project is the new one, False when it is the old; anything else fails."""
    if path.read_bytes() == before:
        return False
    assert look(path) == expected("project-v1", NOW), "neither the old nor the new"
    assert header_of(path) is not None
    return True


def damage_mask(file):
    mask = next(iter(file["images"].values()))["mask"]
    mask[0, 0, 0] = 9 - mask[0, 0, 0]


def damage_pixels(file):
    pixels = next(iter(file["images"].values()))["pixels"]
    pixels[0, 0, -1, -1] = pixels[0, 0, -1, -1] + 1


def drop_objects(file):
    del next(group for group in file["images"].values() if "objects" in group)["objects"]


def retype_objects(file):
    group = next(group for group in file["images"].values() if "objects" in group)
    values = group["objects"][...].astype(np.uint16)
    del group["objects"]
    group["objects"] = values


def drop_image(file):
    del file["images"][next(iter(file["images"]))]


def change_split(file):
    next(iter(file["images"].values())).attrs["split"] = np.bytes_("test ")


@pytest.mark.parametrize(
    "mistake",
    [damage_mask, damage_pixels, drop_objects, retype_objects, drop_image, change_split],
    ids=lambda step: step.__name__,
)
@pytest.mark.parametrize("is_copied", [False, True], ids=["bytes", "objects"])
def test_a_step_that_changes_what_it_must_not_is_found_out(
    mistake, is_copied, tmp_path, monkeypatch
):
    monkeypatch.setitem(migrations.MIGRATIONS, 1, mistake)
    path = take("project-v1", tmp_path)
    if is_copied:
        without_user_block(path)
    before = path.read_bytes()
    with pytest.raises(ProjectError, match=r"did not come out the same. Nothing is lost"):
        migrate(path)
    assert path.read_bytes() == before
    assert drafts(tmp_path) == []


def test_a_step_may_pack_a_layer_anew(tmp_path, monkeypatch):
    def repack(file):
        for group in file["images"].values():
            values = group["mask"][...]
            counts = group["mask"].attrs["counts"]
            del group["mask"]
            group.create_dataset("mask", data=values, chunks=True, compression="lzf")
            group["mask"].attrs["counts"] = counts

    monkeypatch.setitem(migrations.MIGRATIONS, 1, repack)
    path = take("project-v1", tmp_path)
    assert migrate(path) is not None
    assert look(path) == expected("project-v1", NOW)


def test_a_damaged_block_stays_what_it_is_and_the_rest_opens(tmp_path):
    path = take("project-v1", tmp_path)
    with h5py.File(path, "r", locking=False) as file:
        first = next(iter(told("project-v1")["images"]))["id"]
        at = file["images"][first]["pixels"].id.get_chunk_info(0).byte_offset
    data = bytearray(path.read_bytes())
    data[at + 100] ^= 1
    path.write_bytes(data)
    with h5py.File(path, "r", locking=False) as file, pytest.raises(OSError, match="read data"):
        file["images"][first]["pixels"][...]
    with ProjectFile.open(path) as file:
        assert not file.read_only
        with pytest.raises(ProjectError, match="damaged"):
            file.read_image(first)
        others = [i for i in told("project-v1")["images"] if i["id"] != first]
        now = seen_but(file, first)
    assert now == others
    assert path.read_bytes()[at : at + 200] == data[at : at + 200]


def seen_but(file: ProjectFile, image_id: str) -> list[dict]:
    file.project.images.pop(image_id)
    return seen(file)["images"]


def test_another_program_writing_meanwhile_is_not_overwritten(tmp_path, monkeypatch):
    path = take("project-v1", tmp_path)

    def meanwhile(_):
        with open(path, "ab") as stream:
            stream.write(b"theirs")

    monkeypatch.setitem(migrations.MIGRATIONS, 1, meanwhile)
    before = path.read_bytes()
    with pytest.raises(ProjectError, match="changed by another program"):
        migrate(path)
    assert path.read_bytes() == before + b"theirs"
    assert drafts(tmp_path) == []


# Imports are done once; each line on its input migrates in a process that dies at a given line of
# our own code, counted over everything in files/.
DIES = """
import os, signal, sys
from pathlib import Path
from orgseg_app.files import migrations
from orgseg_app.files.backups import backing_up
import h5py, tests.files.test_migrations as tests

FOLDER = os.path.dirname(migrations.__file__)

def main(path, last, way):
    count = 0
    def trace(frame, event, argument):
        if not frame.f_code.co_filename.startswith(FOLDER):
            return None
        def line(frame, event, argument):
            nonlocal count
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return line
        return line
    if way == "careless":
        migrations.drafting = tests.careless
    sys.settrace(trace)
    migrations.migrate(Path(path))
    sys.settrace(None)
    print(count, flush=True)

for word in sys.stdin:
    path, last, way = word.rstrip("\\n").split("\\t")
    pid = os.fork()
    if pid == 0:
        sys.stdin.close()
        main(path, int(last), way)
        os._exit(0)
    os.waitpid(pid, 0)
    print("dead", flush=True)
"""


def careless(path, *, commit, **_):
    """Negative control: as a program would that writes straight into the file."""
    import contextlib
    from types import SimpleNamespace

    @contextlib.contextmanager
    def in_place():
        with open(path, "r+b") as stream, h5py.File(stream, "r+") as file:
            data = {i: g["mask"][...] for i, g in file["images"].items()}
            for group in file["images"].values():
                del group["mask"]
            file.flush()
            atomic.megabytes(1)  # lines of our own code, where a kill may strike
            for image_id, mask in data.items():
                atomic.megabytes(1)
                file["images"][image_id]["mask"] = mask
                file.flush()
            yield SimpleNamespace(file=file, check=lambda: atomic.megabytes(1))

    return in_place()


@pytest.mark.skipif(os.name == "nt", reason="no fork there")
def test_a_migration_killed_at_any_moment_leaves_the_old_or_the_new(tmp_path):
    original = take("project-v1", tmp_path / "original")
    before = original.read_bytes()
    outcomes = {"safe": [], "careless": []}
    half_done = 0
    with subprocess.Popen(
        [sys.executable, "-u", "-c", DIES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as nursery:

        def run(path, last, way):
            nursery.stdin.write(f"{path}\t{last}\t{way}\n")
            nursery.stdin.flush()
            count = 0
            while (word := nursery.stdout.readline().strip()) != "dead":
                assert word, "the nursery died"
                count = int(word)
            return count

        for way, found in outcomes.items():
            folder = tmp_path / way
            total = run(take("project-v1", folder), -1, way)
            assert total > 4
            # The backup comes first and takes most lines; the last ones are those of the swap.
            late = range(total * 6 // 10, total, max(1, total // KILLS))
            ends = range(max(1, total - 60), total, 3)
            moments = sorted({*range(1, total, max(1, total * 3 // KILLS)), *late, *ends})
            for last in reversed(moments):
                if None in found:  # the control has done its duty
                    break
                shutil.rmtree(folder)
                path = take("project-v1", folder)
                if run(path, last, way):  # it did not take the same number of lines again
                    continue
                half_done += bool(drafts(folder))
                try:
                    found.append(no_loss(path, before))
                    if way == "safe":
                        with ProjectFile.open(path) as file:
                            assert not file.read_only
                            assert seen(file) == expected("project-v1")
                        assert drafts(folder) == []
                except (AssertionError, OSError, KeyError, ProjectError):
                    if way == "safe":
                        raise
                    found.append(None)
        nursery.stdin.close()
        nursery.wait(timeout=30)
    print(len(outcomes["safe"]), outcomes, half_done)
    assert len(outcomes["safe"]) >= 30
    assert set(outcomes["safe"]) == {False, True}, "the kills missed the moments that matter"
    assert half_done > 3
    assert None in outcomes["careless"], "this test would not notice a project that was lost"


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limit there")
def test_a_full_disk_during_a_migration_leaves_the_old_project(tmp_path):
    """Every size at which the disk may be full, the backup's included."""
    code = textwrap.dedent("""
        import resource, signal, sys
        from orgseg_app.files.project_file import ProjectFile
        from tests.files.old_projects import seen
        import json
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
        with ProjectFile.open(sys.argv[1]) as file:
            print(json.dumps([file.read_only, file.read_only_reason, seen(file)]))
        """)
    path = take("project-v1", tmp_path)
    before = path.read_bytes()
    size = len(before)
    for limit in (0, 300, 5000, 20_000, size // 2, size - 1):
        done = subprocess.run(
            [sys.executable, "-c", code, str(path), str(limit)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        is_reader, reason, facts = json.loads(done.stdout)
        assert is_reader
        assert "the disk is full" in reason
        assert "Nothing is lost" in reason or limit < 1000  # there is no room for a lock either
        assert facts == expected("project-v1")
        assert path.read_bytes() == before
        assert drafts(tmp_path) == []
    with ProjectFile.open(path) as file:
        assert not file.read_only


def test_free_space_is_asked_for_first(tmp_path, monkeypatch):
    path = take("project-v1", tmp_path)
    before = path.read_bytes()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=60 * 2**20))
    with ProjectFile.open(path) as file:
        assert file.read_only
        assert "not enough room" in file.read_only_reason
        assert seen(file) == expected("project-v1")
    assert path.read_bytes() == before


def test_a_write_protected_old_project_is_looked_at_as_it_is(tmp_path, monkeypatch):
    path = take("project-v1", tmp_path)
    monkeypatch.setattr(os, "access", lambda place, mode: not mode & os.W_OK)
    with ProjectFile.open(path) as file:
        assert file.read_only
        assert "write-protected" in file.read_only_reason
        assert seen(file) == expected("project-v1")
    assert files(tmp_path) == [path.name]


# -- newer than this program ---------------------------------------------------------------------


def newer(folder: Path, change=None) -> Path:
    """A project as a later OrgSeg may write it."""
    path = take("project-v1", folder)
    migrate(path)
    shutil.rmtree(path.with_suffix(".backups"))
    with h5py.File(path, "r+", libver=schema.LIBVER) as file:
        file.attrs["schema_version"] = NOW + 1
        file.attrs["tissue"] = np.bytes_("liver")
        file.create_group("studies").create_dataset("grid", data=np.arange(6))
        for group in file["images"].values():
            group.create_dataset("certainty", data=np.ones((2, 3), np.float32))
            group.attrs["stain"] = 3
        entries = json.loads(file.attrs["classes"].decode())
        told = json.dumps([entry | {"parent": None, "key": "e"} for entry in entries])
        file.attrs["classes"] = np.bytes_(told.encode())
        if change is not None:
            change(file)
    return path


def test_a_newer_project_is_looked_at_and_never_written(tmp_path):
    path = newer(tmp_path)
    before = path.read_bytes()
    with ProjectFile.open(path) as file:
        assert file.read_only
        assert "made by a newer version of OrgSeg" in file.read_only_reason
        assert seen(file) == expected("project-v1")
        file.set_note(only(file), "mine")
        with pytest.raises(ProjectError, match="newer version"):
            file.save()
        with pytest.raises(ProjectError, match="newer version"), file.transaction():
            pass
    assert path.read_bytes() == before
    assert files(tmp_path) == [path.name]
    assert migrate(path) is None
    assert path.read_bytes() == before


def no_classes_we_know(file):
    file.attrs["classes"] = np.bytes_(b'{"tree": [{"uid": "a"}]}')


def no_images(file):
    file.move("images", "stacks")


def complex_pixels(file):
    group = next(iter(file["images"].values()))
    del group["pixels"]
    group["pixels"] = np.zeros((1, 1, 4, 4), np.complex64)


def strange_filter(file):
    group = next(iter(file["images"].values()))
    group.create_dataset("depth", data=np.zeros((64, 64)), compression="lzf")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (no_classes_we_know, "newer version of OrgSeg.*update OrgSeg"),
        (no_images, "newer version of OrgSeg.*update OrgSeg"),
        (complex_pixels, "newer version of OrgSeg.*update OrgSeg"),
        (strange_filter, "newer version of OrgSeg.*update OrgSeg"),
    ],
    ids=lambda change: getattr(change, "__name__", ""),
)
def test_a_newer_project_that_cannot_be_read_is_refused_in_a_sentence(change, sentence, tmp_path):
    path = newer(tmp_path, change)
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(ProjectError, match=sentence):
            ProjectFile.open(path, read_only=read_only)
        assert path.read_bytes() == before
        assert files(tmp_path) == [path.name]
