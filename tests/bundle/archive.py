"""What Linux gets without a package manager: ``python tests/bundle/archive.py [FILE ...]``.

FILE is the ``.tar.zst`` or the ``.AppImage`` that ``packaging/build.py archive appimage`` leave in
``dist/``, or the folder an AppImage is made from (``build/OrgSeg.AppDir``); without one, all that
are there. ``--folder`` makes archive and AppDir from a frozen folder, with little compression.

Everything is unpacked below a folder, and installed for a user, with blanks, an ampersand, a
percent sign and letters of several scripts in their names; the window must come to its first
paint, the menu entry must start it, and removing it must leave the project. Prints one line a
check; exit code 1 when one fails.
"""

from __future__ import annotations

import argparse
import configparser
import functools
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
for place in (ROOT, ROOT / "packaging"):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

import linux_packages  # noqa: E402

from tests.bundle.report import Checks, Report  # noqa: E402

STRANGE = "Ärzte & 100 % 細胞"
FIRST_PAINT_S = 120


def main() -> int:
    """Do all checks."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--folder", type=Path, help="make them from this frozen folder")
    parser.add_argument("--icons", type=Path, default=ROOT / "build/icons")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    report = Report(as_json=asked.json)
    with tempfile.TemporaryDirectory(prefix="orgseg-archive-") as work:
        found = [file.resolve() for file in asked.files]
        if asked.folder is not None:
            found += made(asked.folder.resolve(), asked.icons.resolve(), Path(work))
        found = found or built()
        if not found:
            print("There is nothing to try: python packaging/build.py archive appimage")
            return 1
        for number, file in enumerate(found):
            check = archive if file.name.endswith(".tar.zst") else app_image
            home = Path(work) / f"{number} {STRANGE}"
            home.mkdir()
            report.carry_out(functools.update_wrapper(functools.partial(check, file, home), check))
    return report.exit_code


def built() -> list[Path]:
    """What the build left; the AppDir only where no AppImage could be made of it."""
    images = sorted((ROOT / "dist").glob("*.AppImage"))
    folders = [] if images else sorted((ROOT / "build").glob("OrgSeg.AppDir"))
    return [*sorted((ROOT / "dist").glob("orgseg-*.tar.zst")), *images, *folders]


def made(folder: Path, icons: Path, work: Path) -> list[Path]:
    """Archive and AppDir of a frozen folder."""
    tree = work / f"orgseg-trial-linux-{platform.machine()}"
    linux_packages.archive_tree(folder, tree, icons)
    packed = work / f"{tree.name}.tar.zst"
    linux_packages.pack(tree, packed, level=1)
    shutil.rmtree(tree)
    linux_packages.app_dir(folder, work / "OrgSeg.AppDir", icons)
    return [packed, work / "OrgSeg.AppDir"]


def archive(file: Path, home: Path) -> Checks:
    """Unpack, start, install, start from the menu, remove."""
    yield "archive", round(file.stat().st_size / 1e6), "MB", "for information", True
    place = home / STRANGE
    place.mkdir()
    subprocess.run(["tar", "--zstd", "-xf", file, "-C", place], check=True)
    unpacked = next(place.iterdir())
    yield paints("unpacked archive", [str(unpacked / "OrgSeg/orgseg")], home)
    yield from _installed(unpacked, home)


def _installed(unpacked: Path, home: Path) -> Checks:
    share, program = home / ".local/share", home / ".local/bin/orgseg"
    _run(["sh", str(unpacked / "install.sh")], home)
    shutil.rmtree(unpacked)
    entry = share / "applications/orgseg.desktop"
    yield paints("menu entry of the installed archive", command_of(entry), home)
    wanted = (
        share / "mime/packages/orgseg.xml",
        share / "icons/hicolor/scalable/apps/orgseg.svg",
        share / "icons/hicolor/48x48/apps/orgseg.png",
    )
    lost = [path.name for path in wanted if not path.is_file()]
    yield "file type and icons", ", ".join(lost) or "there", "", "there", not lost
    project = home / "my project.orgseg"
    _run([str(program), "new", str(project), "--classes", "ER"], home)
    before = project.read_bytes() if project.is_file() else b""
    yield "project made by its command", len(before), "bytes", "made", bool(before)
    _run(["sh", str(share / "orgseg-app/install.sh"), "--remove"], home)
    left = [path for path in (entry, program, share / "orgseg-app", *wanted) if path.exists()]
    told = ", ".join(path.name for path in left) or "gone"
    yield "archive's program after removal", told, "", "gone", not left
    kept = project.is_file() and project.read_bytes() == before
    yield "project after removal", "as before" if kept else "lost", "", "as before", kept


def app_image(file: Path, home: Path) -> Checks:
    """Start it from a strange place."""
    program = home / STRANGE / file.name
    program.parent.mkdir()
    if file.is_dir():
        shutil.copytree(file, program, symlinks=True, copy_function=_link)
        program /= "AppRun"
    else:
        shutil.copy(file, program)
    yield paints(file.name, [str(program)], home)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def paints(name: str, command: list[str], home: Path) -> tuple[str, object, str, str, bool]:
    """Whether a window started like this comes to its first paint."""
    said = _run(command, home, ORGSEG_READY="1")
    is_met = said.startswith("READY")
    return name, said.strip() or "nothing", "MB", "first paint", is_met


def command_of(entry: Path) -> list[str]:
    """What a desktop runs for a menu entry, without files to open."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(entry, encoding="utf-8")
    words = shlex.split(parser["Desktop Entry"]["Exec"])
    return [word.replace("%%", "%") for word in words if word not in ("%F", "%f", "%U", "%u")]


def _run(command: list[str], home: Path, **more: str) -> str:
    own = {
        "HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8",
        "QT_QPA_PLATFORM": "offscreen", "APPIMAGE_EXTRACT_AND_RUN": "1", **more,
    }  # fmt: skip
    done = subprocess.run(
        command, env=own, cwd=home, capture_output=True, text=True, check=False,
        timeout=FIRST_PAINT_S,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
