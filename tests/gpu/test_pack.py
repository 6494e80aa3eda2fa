"""GPU packs: made, installed, refused, cancelled, killed on the way, removed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from orgseg_app.gpu import install as install_module
from orgseg_app.gpu import pack as pack_module
from orgseg_app.gpu.errors import CancelledError, PackError
from orgseg_app.gpu.install import gpu_dir, install, installed, remove, sha256_beside
from orgseg_app.gpu.pack import FACTS_NAME, Joined, check_path, sha256_of, write_pack
from tests.gpu.packs import NEEDS, installed_pack, make_pack, worker_folder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the pack's program is a script")


def digest_of(path: Path) -> str:
    with Joined([path]) as stream:
        return sha256_of(stream)


def changed(path: Path, change: Callable[[dict[str, Any], dict[str, bytes]], None]) -> str:
    """Write the pack anew with another list or other files; its new SHA-256."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    facts = json.loads(contents.pop(FACTS_NAME))
    change(facts, contents)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(FACTS_NAME, json.dumps(facts))
        for name, data in contents.items():
            archive.writestr(name, data)
    return digest_of(path)


def left_over() -> list[str]:
    return sorted(p.name for p in gpu_dir().iterdir()) if gpu_dir().is_dir() else []


def test_a_pack_is_installed_with_its_links_and_programs(tmp_path: Path) -> None:
    path, digest = make_pack(tmp_path)
    assert sha256_beside(path) == digest
    told: list[tuple[int, int, str]] = []
    pack = install(path, digest.upper(), lambda *what: bool(told.append(what)) or True)
    assert installed() == pack
    assert pack.fits
    assert pack.is_whole
    assert os.access(pack.program, os.X_OK)
    assert not os.access(pack.folder / "lib" / "libtorch µ.so", os.X_OK)
    link = pack.folder / "lib" / "libtorch.so"
    assert link.is_symlink()
    assert link.read_bytes() == bytes(range(256)) * 40
    assert [words for *_, words in told] == ["Checking the file"] + ["Unpacking"] * 2
    assert all(0 < done <= total for done, total, _ in told)
    assert left_over() == [pack.folder.name, "current.json"]


def test_the_same_folder_gives_the_same_pack(tmp_path: Path) -> None:
    worker = worker_folder(tmp_path / "worker")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert make_pack(tmp_path / "a", worker)[1] == make_pack(tmp_path / "b", worker)[1]


def test_a_large_pack_is_cut_and_installed_from_its_parts(tmp_path: Path) -> None:
    worker, target = worker_folder(tmp_path / "worker"), tmp_path / "pack [1].zip"
    from orgseg_app import __version__
    from orgseg_app.gpu.computer import platform_name

    parts, digest, size = write_pack(
        worker, target, orgseg=__version__, platform=platform_name(), torch="2.13", needs=NEEDS,
        program="orgseg", largest_part=500,
    )  # fmt: skip
    assert [part.name for part in parts[:2]] == ["pack [1].zip.001", "pack [1].zip.002"]
    assert sum(part.stat().st_size for part in parts) == size
    assert len(parts) > 2
    assert not target.exists()
    assert install(parts[0], sha256_beside(parts[0])).sha256 == digest
    lost = parts[1].read_bytes()
    parts[1].unlink()
    with pytest.raises(PackError, match=r"“pack \[1\].zip.002”"):
        install(parts[0], digest)
    parts[1].write_bytes(lost)
    parts[-1].unlink()
    with pytest.raises(PackError, match="SHA-256"):
        install(parts[0], digest)


def test_a_second_pack_takes_the_place_of_the_first(tmp_path: Path) -> None:
    first = installed_pack(tmp_path / "1")
    second = installed_pack(tmp_path / "2", "    sys.exit(3)", passed=False)
    assert first.sha256 != second.sha256
    assert installed() == second
    assert not first.folder.exists()
    # The same once more, as when its files were damaged.
    again = install(*make_pack(tmp_path / "2", tmp_path / "2" / "worker"))
    assert again.folder != second.folder
    assert not second.folder.exists()


def test_a_program_that_is_gone_is_noticed(tmp_path: Path) -> None:
    pack = installed_pack(tmp_path)
    pack.program.unlink()
    found = installed()
    assert found is not None
    assert not found.is_whole


@pytest.mark.parametrize("text", ["", "{}", '{"folder": "../../x", "sha256": ""}', "\xff"])
def test_a_damaged_note_of_the_pack_is_no_pack(tmp_path: Path, text: str) -> None:
    installed_pack(tmp_path)
    (gpu_dir() / "current.json").write_bytes(text.encode("latin-1"))
    assert installed() is None


# -- refused ---------------------------------------------------------------------------------------


class Refused(NamedTuple):
    """A change of a good pack, and what is said about it."""

    change: Callable[[dict[str, Any], dict[str, bytes]], None]
    said: str


def _other_path(path: str) -> Refused:
    def change(facts: dict[str, Any], contents: dict[str, bytes]) -> None:
        facts["files"][0]["path"] = path
        contents["files/" + path] = contents.pop("files/lib/libtorch µ.so", b"")

    return Refused(change, "forbidden path")


def _link(target: str, path: str = "lib/link") -> Refused:
    def change(facts: dict[str, Any], contents: dict[str, bytes]) -> None:
        facts["links"].append({"path": path, "target": target})

    return Refused(change, "link that leads out|forbidden path|below a link")


def _fact(name: str, value: Any, said: str) -> Refused:
    return Refused(lambda facts, _: facts.__setitem__(name, value), said)


def _swap(facts: dict[str, Any], contents: dict[str, bytes]) -> None:
    contents["files/lib/libtorch µ.so"] = bytes(256 * 40)


def _endless(facts: dict[str, Any], contents: dict[str, bytes]) -> None:
    contents["files/lib/libtorch µ.so"] = bytes(10**7)


def _huge(facts: dict[str, Any], contents: dict[str, bytes]) -> None:
    facts["files"][0]["bytes"] = 10**13


def _unlisted(facts: dict[str, Any], contents: dict[str, bytes]) -> None:
    contents["files/more"] = b"x"


def _lacking(facts: dict[str, Any], contents: dict[str, bytes]) -> None:
    contents.popitem()


def _twice(facts: dict[str, Any], contents: dict[str, bytes]) -> None:
    facts["files"].append({**facts["files"][0], "path": facts["files"][0]["path"].upper()})


REFUSED = {
    "up": _other_path("../../evil"),
    "up inside": _other_path("lib/../../evil"),
    "absolute": _other_path("/tmp/evil"),
    "drive": _other_path("C:evil"),
    "backslash": _other_path("..\\evil"),
    "device": _other_path("lib/CON.txt"),
    "stream": _other_path("lib/a:b"),
    "link up": _link("../../../etc/passwd"),
    "link absolute": _link("/etc/passwd"),
    "link to nothing": _link("nothing"),
    "link to the top": _link(".."),
    "link at an odd path": _link("orgseg", "../link"),
    "file below a link": _link("orgseg", "lib"),
    "other bytes": Refused(_swap, "“lib/libtorch µ.so” in the pack is damaged"),
    "more bytes than listed": Refused(_endless, "“lib/libtorch µ.so” in the pack is damaged"),
    "too large": Refused(_huge, "larger than any"),
    "unlisted file": Refused(_unlisted, "does not name, or lacks"),
    "lacking file": Refused(_lacking, "does not name, or lacks"),
    "same name but for case": Refused(_twice, "names a file twice"),
    "other version": _fact("orgseg", "9.9.9", "is for OrgSeg 9.9.9, and this is"),
    "other system": _fact("platform", "amiga-68k", "is for amiga-68k"),
    "newer format": _fact("format", 2, "newer OrgSeg"),
    "no program": _fact("program", "lib/nothing", "no program"),
    "nonsense": _fact("files", "nonsense", "cannot be read"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_and_what_was_there_stays(tmp_path: Path, name: str) -> None:
    before = installed_pack(tmp_path / "before")
    path, _ = make_pack(tmp_path, worker_folder(tmp_path / "worker", "    pass"))
    refused = REFUSED[name]
    digest = changed(path, refused.change)
    names = left_over()
    with pytest.raises(PackError, match=refused.said) as told:
        install(path, digest)
    assert str(told.value).count("Nothing was changed.") == 1
    assert installed() == before
    assert left_over() == names
    assert not (tmp_path / "evil").exists()


def test_a_stored_link_is_refused(tmp_path: Path) -> None:
    path, _ = make_pack(tmp_path)
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            entry = zipfile.ZipInfo(name)
            if name.endswith("orgseg"):
                entry.external_attr = 0o120777 << 16
            archive.writestr(entry, data)
    with pytest.raises(PackError, match="holds a link among its files"):
        install(path, digest_of(path))


@pytest.mark.parametrize("path", ["", "a//b", "./a", "a/.", "a ", "a.", "nul", "LPT1.so", "a\nb"])
def test_odd_paths(path: str) -> None:
    with pytest.raises(PackError):
        check_path(path)
    check_path("lib/torch/lib/libtorch_cuda.so.2")


def test_a_wrong_or_missing_sha256(tmp_path: Path) -> None:
    path, digest = make_pack(tmp_path)
    for wrong in ("0" * 64, "", "nonsense"):
        with pytest.raises(PackError, match="SHA-256 is another one"):
            install(path, wrong)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(PackError, match="SHA-256 is another one"):
        install(path, digest)
    assert left_over() == []


def test_half_a_pack_and_no_pack(tmp_path: Path) -> None:
    path, _ = make_pack(tmp_path)
    whole = path.read_bytes()
    for data in (whole[: len(whole) // 2], b"", b"PK\x03\x04 nonsense" * 50):
        path.write_bytes(data)
        with pytest.raises(PackError, match="is no GPU pack, or it is damaged"):
            install(path, digest_of(path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "x")
    with pytest.raises(PackError, match="no GPU pack of OrgSeg"):
        install(path, digest_of(path))
    with pytest.raises(PackError, match="could not be installed"):
        install(tmp_path / "gone.zip", "0" * 64)


def test_a_full_disk_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, digest = make_pack(tmp_path)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(
        PackError, match=r"takes 0\.1 GB unpacked, and the disk .* has 0\.0 GB free"
    ):
        install(path, digest)
    assert left_over() == []


def test_a_disk_that_fills_up_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = installed_pack(tmp_path / "before")
    path, digest = make_pack(tmp_path, worker_folder(tmp_path / "worker", "    pass"))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(install_module.os, "fsync", full)
    with pytest.raises(PackError, match=r"could not be installed: the disk is full\. Nothing"):
        install(path, digest)
    assert installed() == before
    assert left_over() == sorted([before.folder.name, "current.json", "self_test.json"])


@pytest.mark.parametrize("words", ["Checking the file", "Unpacking"])
def test_cancelled(tmp_path: Path, words: str) -> None:
    before = installed_pack(tmp_path / "before")
    path, digest = make_pack(tmp_path, worker_folder(tmp_path / "worker", "    pass"))
    with pytest.raises(CancelledError, match=r"Cancelled\. Nothing was changed\."):
        install(path, digest, lambda done, total, what: what != words)
    assert installed() == before
    assert not [name for name in left_over() if name.startswith(".")]


def test_killed_on_the_way_leaves_the_old_pack_and_the_next_one_clears_up(tmp_path: Path) -> None:
    before = installed_pack(tmp_path / "before")
    path, digest = make_pack(tmp_path, worker_folder(tmp_path / "worker", "    pass"))
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from orgseg_app.gpu.install import install\n"
        "def progress(done, total, words):\n"
        "    if words == 'Unpacking':\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return True\n"
        "install(Path(sys.argv[1]), sys.argv[2], progress)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path), digest], check=False)
    assert done.returncode == -signal.SIGKILL
    assert installed() == before
    assert [name for name in left_over() if name.startswith(".unpacking-")]
    pack = install(path, digest)
    assert installed() == pack
    assert left_over() == sorted([pack.folder.name, "current.json", "self_test.json"])


def test_removed_only_when_nobody_computes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = installed_pack(tmp_path)
    used = pack.folder / "lib" / "sleeper"
    shutil.copy("/bin/sleep", used)
    process = subprocess.Popen([used, "60"])
    try:
        with pytest.raises(PackError, match="computes with the GPU pack right now"):
            remove()
        assert installed() == pack
        # Another pack may be installed; the used one's folder stays until it is free.
        other = installed_pack(tmp_path / "other", "    pass")
        assert pack.folder.is_dir()
    finally:
        process.kill()
        process.wait()
    remove()
    assert installed() is None
    assert not other.folder.exists()
    assert not pack.folder.exists()
    remove()


def test_a_pack_of_another_version_does_not_fit_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed_pack(tmp_path)
    monkeypatch.setattr(install_module, "__version__", "99.0")
    found = installed()
    assert found is not None
    assert not found.fits


def test_a_folder_that_cannot_be_a_pack_is_not_packed(tmp_path: Path) -> None:
    worker = worker_folder(tmp_path / "worker")
    (worker / "out").symlink_to("../..")
    with pytest.raises(PackError, match="leads out"):
        make_pack(tmp_path, worker)
    (worker / "out").unlink()
    (worker / "inside").symlink_to("lib")
    (worker / "left out").symlink_to("lib/gone.so")
    path, digest = make_pack(tmp_path, worker)
    pack = install(path, digest)
    assert (pack.folder / "inside" / "libtorch.so").exists()
    assert not (pack.folder / "left out").is_symlink()


def test_the_list_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    path, _ = make_pack(tmp_path)
    with zipfile.ZipFile(path) as archive:
        facts = pack_module.read_facts(archive)
    assert msgspec.json.decode(msgspec.json.encode(facts), type=pack_module.PackFacts) == facts
    assert facts.total_bytes == sum(file.bytes for file in facts.files)
    assert facts.needs == NEEDS
