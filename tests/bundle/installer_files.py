"""What the Windows installer holds: ``python tests/bundle/installer_files.py [--setup SETUP.exe]``.

Compares the list of files in it, as 7-Zip reads it, with the folder it was made from, by name and
size, and with what its uninstaller removes. Without ``--setup`` it compiles one around the folder
first, uncompressed to save minutes; on another system than Windows that is the folder built there,
as a stand-in. Prints one line a check; exit code 1 when one fails.
"""

from __future__ import annotations

import argparse
import functools
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
for place in (ROOT, ROOT / "packaging"):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

import other_systems  # noqa: E402

from tests.bundle.report import Checks, Report  # noqa: E402

SEVEN_ZIP = ("7z", "7zz", r"C:\Program Files\7-Zip\7z.exe")
OWN = {"uninstall.exe", "uninstall.exe.nsis"}
"""What NSIS itself leaves in the folder; 7-Zip names it one way or the other."""


def main() -> int:
    """Do all checks."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "dist/OrgSeg")
    parser.add_argument("--setup", type=Path, metavar="SETUP.exe")
    parser.add_argument("--icon", type=Path, default=ROOT / "build/icons/orgseg.ico")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    tool = next((found for name in SEVEN_ZIP if (found := shutil.which(name))), None)
    if tool is None:
        print("installer_files: 7-Zip is not installed. On Debian: apt-get install p7zip-full")
        return 1
    if not asked.folder.is_dir():
        print(f"There is no {asked.folder}: python packaging/build.py bundle")
        return 1
    report = Report(as_json=asked.json)
    with tempfile.TemporaryDirectory(prefix="orgseg-setup-") as work:
        setup, folder = asked.setup, asked.folder.resolve()
        if setup is None:
            from orgseg_app import __version__

            setup = Path(work) / "setup.exe"
            other_systems.installer(folder, setup, __version__, icon=asked.icon, fast=True)
        check = functools.partial(files, tool, setup, folder)
        report.carry_out(functools.update_wrapper(check, files))
        check = functools.partial(removed, folder)
        report.carry_out(functools.update_wrapper(check, removed))
    return report.exit_code


def files(tool: str, setup: Path, folder: Path) -> Checks:
    """Every file of the folder, whole, and nothing else."""
    words = [tool, "l", "-slt", "-ba", str(setup)]
    said = subprocess.run(words, capture_output=True, text=True, encoding="utf-8", check=True)
    held, wanted = listed(said.stdout), in_folder(folder)
    lost, more = sorted(wanted.keys() - held.keys()), sorted(held.keys() - wanted.keys() - OWN)
    other = sorted(n for n in wanted.keys() & held.keys() if held[n] not in (None, wanted[n]))
    yield "installer", round(setup.stat().st_size / 1e6), "MB", "for information", True
    yield (
        "files of the folder in it",
        len(wanted) - len(lost),
        _of(len(wanted), lost),
        "all",
        (bool(wanted) and not lost),
    )
    yield "files of another size", len(other), _of(len(wanted), other), "none", not other
    yield "other files", len(more), _of(len(held), more), "none", not more
    yield "uninstaller", len(held.keys() & OWN), "", "one", len(held.keys() & OWN) == 1


def removed(folder: Path) -> Checks:
    """The uninstaller takes away exactly these, and no folder with what is in it."""
    lines = other_systems.removal(folder).splitlines()
    named = {
        found.group(1).replace("\\", "/").replace("$$", "$")
        for line in lines
        if (found := re.fullmatch(r'Delete "\$INSTDIR\\(.*)"', line))
    }
    wanted = set(in_folder(folder))
    apart = sorted(named ^ wanted)
    yield "files that uninstalling removes", len(named), _of(len(wanted), apart), "all", not apart
    greedy = [line for line in lines if "/r" in line.split('"')[0]]
    yield "folders removed with all that is in them", len(greedy), "", "none", not greedy


def listed(text: str) -> dict[str, int | None]:
    """Names and sizes in what 7-Zip lists with ``-slt``; without the installer's own plug-ins.

    >>> listed("Path = lib\\\\a.dll\\nSize = 3\\n\\nPath = $PLUGINSDIR\\\\System.dll\\nSize = 9\\n")
    {'lib/a.dll': 3}
    """
    found: dict[str, int | None] = {}
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n")):
        facts = dict(line.split(" = ", 1) for line in block.splitlines() if " = " in line)
        name = facts.get("Path", "").replace("\\", "/").removeprefix("$INSTDIR/")
        if name and not name.startswith("$PLUGINSDIR/"):
            size = facts.get("Size", "")
            found[name] = int(size) if size else None
    return found


def in_folder(folder: Path) -> dict[str, int]:
    """Names and sizes of a folder's files; links count as what they lead to."""
    return {
        file.relative_to(folder).as_posix(): file.stat().st_size
        for file in folder.rglob("*")
        if file.is_file()
    }


def _of(total: int, examples: list[str]) -> str:
    return f"of {total:,}" + (f": {', '.join(examples[:3])}" if examples else "")


if __name__ == "__main__":
    sys.exit(main())
