"""The scripts that try the installers: what in them can be tried without an installer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bundle import archive, bare_root, clean_machine, frozen, installer_files, screen
from tests.bundle.report import Checks, Report
from tests.bundle.screen import Box, Picture

ROOT = Path(__file__).resolve().parents[1]
GREY, BLUE = b"\x80\x80\x80", b"\x0b\x6b\xcb"


def test_a_check_that_falls_short_or_breaks_off_makes_the_script_fail(capsys) -> None:
    report = Report()

    def short() -> Checks:
        yield "first", 1, "MB", "at most 2", True
        yield "second", 3, "MB", "at most 2", False

    def broken() -> Checks:
        yield "third", 1, "", "one", True
        raise RuntimeError("no disk")

    assert report.exit_code == 0
    assert report.carry_out(short)
    assert not report.carry_out(broken)
    assert report.failed == ["second", "broken"]
    assert report.exit_code == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "   first: 1 MB (at most 2)"
    assert lines[1] == "!! second: 3 MB (at most 2)"
    assert "no disk" in lines[3]


def _picture(*blocks: tuple[int, int, int, int, bytes]) -> Picture:
    """Grey, with blocks (left, top, right, bottom, colour)."""
    rows = [bytearray(GREY * 400) for _ in range(200)]
    for left, top, right, bottom, colour in blocks:
        for y in range(top, bottom):
            rows[y][left * 3 : right * 3] = colour * (right - left)
    return Picture(b"".join(rows), 400, 200)


def test_the_button_is_the_lowest_vivid_block_and_words_on_it_do_no_harm() -> None:
    box = Box(100, 0, 400, 200)
    bar, button = (150, 20, 390, 50, BLUE), (160, 120, 380, 150, BLUE)
    words, thin = (200, 130, 340, 140, b"\xff\xff\xff"), (120, 180, 390, 184, BLUE)
    assert _picture(bar, button, words, thin).button(box) == (270, 134)
    assert _picture(bar).button(box) == (270, 34)
    assert _picture(thin).button(box) is None
    assert _picture((100, 20, 390, 80, b"\xff\xff\xff")).button(box) is None


def test_changed_pixels_are_counted_in_the_box() -> None:
    one, two = _picture(), _picture((10, 10, 20, 20, BLUE))
    assert two.changed(one, Box(0, 0, 400, 200)) == 100
    assert two.changed(one, Box(15, 0, 400, 200)) == 50
    assert two.changed(one, Box(20, 20, 400, 200)) == 0
    with pytest.raises(ValueError, match="no picture"):
        Picture(b"123", 2, 2)


def test_waiting_ends() -> None:
    with pytest.raises(screen.NothingHappenedError, match="the moon"):
        screen.wait_for(lambda: False, "the moon", 0)


LISTED = """Path = OrgSeg.exe
Size = 3

Path = lib\\b.dll
Size = 4

Path = $INSTDIR\\lib\\c.dll
Size =

Path = $PLUGINSDIR\\System.dll
Size = 9
"""


def test_the_files_of_an_installer_are_read_from_a_listing(tmp_path) -> None:
    text = LISTED.replace("\n", "\r\n")
    assert installer_files.listed(text) == {"OrgSeg.exe": 3, "lib/b.dll": 4, "lib/c.dll": None}
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/b.dll").write_bytes(b"1234")
    assert installer_files.in_folder(tmp_path) == {"lib/b.dll": 4}


def test_uninstalling_removes_exactly_the_files(tmp_path) -> None:
    (tmp_path / "lib/$odd").mkdir(parents=True)
    (tmp_path / "lib/$odd/a b.txt").write_text("x", encoding="utf-8")
    (tmp_path / "OrgSeg.exe").write_text("x", encoding="utf-8")
    assert [check[-1] for check in installer_files.removed(tmp_path)] == [True, True]


def test_parts_without_a_text_are_named(tmp_path) -> None:
    for name in ("a-1", "b-2"):
        (tmp_path / name).mkdir()
    (tmp_path / "a-1/LICENCE.txt").write_text("free", encoding="utf-8")
    parts = [{"name": n, "version": v} for n, v in (("a", "1"), ("b", "2"), ("c", "3"))]
    assert frozen.parts_without_texts(parts, tmp_path) == ["b", "c"]


def test_contents_notice_a_changed_byte(tmp_path) -> None:
    (tmp_path / "p.orgseg").write_bytes(b"1")
    before = clean_machine.contents(tmp_path)
    assert list(before) == ["p.orgseg"]
    (tmp_path / "p.orgseg").write_bytes(b"2")
    assert clean_machine.contents(tmp_path) != before


@pytest.mark.skipif(os.name == "nt" or not shutil.which("sed"), reason="A script for Linux")
def test_the_archive_installs_and_removes_itself_in_a_strange_home(tmp_path) -> None:
    home, unpacked = tmp_path / archive.STRANGE, tmp_path / "unpacked"
    (unpacked / "OrgSeg").mkdir(parents=True)
    home.mkdir()
    program = unpacked / "OrgSeg/orgseg"
    program.write_text('#!/bin/sh\necho "$0" READY\n', encoding="utf-8")
    program.chmod(0o755)
    (unpacked / "share/icons").mkdir(parents=True)
    (unpacked / "share/icons/orgseg-48.png").write_bytes(b"picture")
    for name in ("linux/orgseg.desktop", "linux/orgseg-mime.xml"):
        shutil.copy(ROOT / "packaging" / name, unpacked / "share")
    shutil.copy(ROOT / "resources/icons/orgseg.svg", unpacked / "share")
    shutil.copy(ROOT / "packaging/linux/install.sh", unpacked)
    own = {"HOME": str(home), "PATH": os.environ["PATH"]}
    subprocess.run(["sh", unpacked / "install.sh"], env=own, check=True, capture_output=True)
    entry = home / ".local/share/applications/orgseg.desktop"
    said = subprocess.run(archive.command_of(entry), capture_output=True, check=True, text=True)
    assert said.stdout.strip() == f"{home}/.local/share/orgseg-app/orgseg READY"
    assert (home / ".local/share/icons/hicolor/48x48/apps/orgseg.png").is_file()
    (home / "p.orgseg").write_bytes(b"work")
    script = home / ".local/share/orgseg-app/install.sh"
    subprocess.run(["sh", script, "--remove"], env=own, check=True, capture_output=True)
    # What the desktop's own programs wrote stays, and says nothing of OrgSeg any more.
    left = [path for path in home.rglob("*") if path.is_file()]
    assert [path.name for path in left if b"orgseg" in path.read_bytes().lower()] == []
    assert [path.name for path in left if "orgseg" in path.name] == ["p.orgseg"]


def test_what_is_missing_is_said_before_anything_is_made(monkeypatch) -> None:
    monkeypatch.setattr(bare_root.sys, "platform", "linux")
    monkeypatch.setattr(bare_root.os, "geteuid", lambda: 1000, raising=False)
    assert "root" in bare_root.missing_here()
    monkeypatch.setattr(bare_root.os, "geteuid", lambda: 0, raising=False)
    monkeypatch.setattr(bare_root.shutil, "which", lambda name: None)
    assert "apt-get install debootstrap imagemagick" in bare_root.missing_here().replace(
        "coreutils ", ""
    )
    monkeypatch.setattr(bare_root.sys, "platform", "win32")
    assert bare_root.missing_here() == "This needs Linux."


def test_links_to_what_was_left_out_are_dropped(tmp_path: Path) -> None:
    folder = tmp_path / "OrgSeg"
    folder.mkdir()
    (folder / "library.so.1").write_bytes(b"code")
    (folder / "library.so").symlink_to("library.so.1")
    (folder / "left_out.so").symlink_to("left_out.so.1")
    (folder / "again.so").symlink_to("left_out.so")
    code = "import build, pathlib, sys; build.drop_dead_links(pathlib.Path(sys.argv[1]))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "packaging")}
    subprocess.run([sys.executable, "-c", code, folder], check=True, env=environment)
    assert sorted(path.name for path in folder.iterdir()) == ["library.so", "library.so.1"]
