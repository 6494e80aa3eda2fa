"""The package on a machine with nothing: ``python tests/bundle/clean_machine.py PACKAGE.deb``.

As root, on Debian or Ubuntu. Makes a bare Debian in a folder, with no Python in it; installs the
package there with apt; looks for its menu entry, icon and file type; lets somebody new, without a
network, start it from the menu on a virtual screen, open the sample, paint, train, lose the window
while it trains, compare and export; removes the package and sees that what the person made is still
there. Prints one line a check; pictures of every step go to SHOTS. Exit code 1 when a check fails.
Afterwards nothing of it is left but the pictures, whatever ended it.

The desktop's part (file types, menus) comes from three small packages that every desktop has:
shared-mime-info, desktop-file-utils, libglib2.0-bin.
"""

from __future__ import annotations

import argparse
import configparser
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.bundle.bare_root import BareRoot, in_namespaces, missing_here  # noqa: E402
from tests.bundle.report import Checks, Report  # noqa: E402
from tests.bundle.sample_story import ENTRY, SampleStory  # noqa: E402
from tests.bundle.screen import Screen  # noqa: E402

DESKTOP = ("shared-mime-info", "desktop-file-utils", "libglib2.0-bin")
TYPE = "application/x-orgseg"
PROGRAM = "usr/lib/orgseg"
PYTHONS = ("usr/bin/python*", "usr/local/bin/python*", "usr/lib/python*")


def main() -> int:
    """Do all of it."""
    parser = _parser()
    asked = parser.parse_args()
    if reason := missing_here():
        print(f"clean_machine: {reason}", file=sys.stderr)
        return 1
    if not asked.package.is_file():
        print(f"There is no {asked.package}: python packaging/build.py bundle deb", file=sys.stderr)
        return 1
    if asked.inside is None:
        again = [sys.executable, Path(__file__).resolve(), *sys.argv[1:], "--inside"]
        return in_namespaces(again, prefix="orgseg-clean-")
    report = Report(as_json=asked.json)
    Machine(asked, report).live()
    return report.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("package", type=Path, metavar="PACKAGE.deb")
    parser.add_argument("--shots", type=Path, default=ROOT / "build/clean-machine")
    parser.add_argument("--suite", default="bookworm", help="of Debian or Ubuntu")
    parser.add_argument("--mirror", default="http://deb.debian.org/debian")
    parser.add_argument(
        "--base", type=Path, metavar="FILE.tar.zst",
        help="the bare system, packed; made where it is not there, to save minutes the next time",
    )  # fmt: skip
    parser.add_argument(
        "--apt-conf", type=Path, metavar="FILE", help="settings of apt, such as a proxy"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    return parser


class Machine:
    """From bare to bare."""

    def __init__(self, asked: argparse.Namespace, report: Report) -> None:
        self._asked, self._report = asked, report
        self._root = BareRoot(asked.inside / "root")

    def live(self) -> None:
        """Everything, in order; what needs a step that failed is not tried."""
        asked, root, report = self._asked, self._root, self._report
        root.make(asked.suite, asked.mirror, asked.base, asked.apt_conf)
        shutil.copyfile(asked.package, root.folder / "tmp/orgseg.deb")
        shutil.rmtree(asked.shots, ignore_errors=True)
        screen = Screen(asked.shots)
        try:
            with root.entered():
                if report.carry_out(self.install):
                    report.carry_out(self.desktop)
                    self._tell_story(screen)
                    report.carry_out(self.remove)
        finally:
            screen.close()

    def install(self) -> Checks:
        """With apt, which finds what the package needs."""
        root = self._root
        yield from self._no_python("Python before the package")
        root.run("apt-get", "-qq", "update")
        root.run("apt-get", "-qq", "install", "--yes", "--no-install-recommends", *DESKTOP)
        root.run("apt-get", "-qq", "install", "--yes", "/tmp/orgseg.deb")
        root.add_user()
        state = root.run("dpkg-query", "-W", "-f", "${Status} ${Version}", "orgseg")
        yield "package", state, "", "installed", state.startswith("install ok installed")
        yield from self._no_python("Python after the package")
        found = root.user_run("orgseg", "--version").strip()
        yield "program", found, "", "runs", found.startswith("OrgSeg ")
        networks = root.user_run("sh", "-c", "grep -c : /proc/net/dev").strip()
        yield "network devices of the user", networks, "", "1, which is off", networks == "1"

    def _no_python(self, name: str) -> Checks:
        found = [path for pattern in PYTHONS for path in self._root.folder.glob(pattern)]
        yield name, len(found), "", "none", not found

    def desktop(self) -> Checks:
        """Menu entry, icon, and what a double-click on a project does."""
        root = self._root
        entry = configparser.ConfigParser(interpolation=None)
        entry.read(root.folder / ENTRY[1:], encoding="utf-8")
        facts = entry["Desktop Entry"]
        yield "menu entry", facts["Name"], "", "OrgSeg", facts["Name"] == "OrgSeg"
        pictures = (root.folder / "usr/share/icons/hicolor").glob(f"*/apps/{facts['Icon']}.*")
        count = sum(picture.stat().st_size > 0 for picture in pictures)
        yield "icons", count, "sizes", "five or more", count >= 5
        root.user_run("orgseg", "new", "a.orgseg")
        query = ("gio", "info", "-a", "standard::content-type", "a.orgseg")
        found = root.user_run(*query).split("content-type:")[-1].strip()
        yield "type of a project", found, "", TYPE, found == TYPE
        found = root.user_run("gio", "mime", TYPE).split("\n")[0].split(": ")[-1].strip()
        yield "opened by", found, "", "orgseg.desktop", found == "orgseg.desktop"
        root.user_run("sh", "-c", "rm -r a.orgseg*")

    def _tell_story(self, screen: Screen) -> None:
        for step in SampleStory(self._root, screen).steps():
            if not self._report.carry_out(step):
                screen.shot("trouble")
                return

    def remove(self) -> Checks:
        """With apt; what the person made stays as it is, to the byte."""
        root = self._root
        for job in (False, True):
            for number in root.processes(job=job):  # after a story that broke off
                subprocess.run(["kill", "-KILL", str(number)], check=False)
        before = contents(root.home)
        projects = [name for name in before if name.endswith(".orgseg")]
        root.run("apt-get", "-qq", "remove", "--yes", "orgseg")
        left = [
            place
            for place in (PROGRAM, "usr/bin/orgseg", ENTRY[1:])
            if (root.folder / place).exists() or (root.folder / place).is_symlink()
        ]
        yield "program after removal", ", ".join(left) or "gone", "", "gone", not left
        found = root.run("gio", "mime", TYPE)
        is_open = "orgseg.desktop" in found
        yield "double-click after removal", "OrgSeg" if is_open else "free", "", "free", not is_open
        kept = bool(projects) and contents(root.home) == before
        told = f"{len(before)} files, {len(projects)} project"
        yield "the user's files", told, "as before" if kept else "CHANGED", "as before", kept


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder with its SHA-256."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.is_symlink()
    }


if __name__ == "__main__":
    sys.exit(main())
