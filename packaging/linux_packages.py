"""What is made for Linux from the frozen folder: archive, ``.deb``, AppImage."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from places import BUILD, DIST, HERE, ROOT, BuildError, need_bundle, run, say

ICON_SIZES = (16, 24, 32, 48, 64, 128, 256, 512)
DEPENDS = (
    "libgl1", "libegl1", "libxkbcommon0", "libxkbcommon-x11-0", "libfontconfig1", "libfreetype6",
    "libdbus-1-3", "libglib2.0-0", "libx11-6", "libx11-xcb1", "libxcb1", "libxcb-cursor0",
    "libxcb-icccm4", "libxcb-image0", "libxcb-keysyms1", "libxcb-randr0", "libxcb-render-util0",
    "libxcb-shape0", "libxcb-sync1", "libxcb-xfixes0", "libxcb-xkb1", "xkb-data", "fontconfig",
    "fonts-dejavu-core | fonts-liberation | fonts-noto-core",
)  # fmt: skip
"""What a bare Debian lacks for a Qt window; most desktops have all of it."""


def archive(version: str) -> None:
    """``.tar.zst`` with a script that installs it for one user."""
    name = f"orgseg-{version}-linux-{platform.machine()}"
    place = BUILD / name
    archive_tree(need_bundle(), place, BUILD / "icons")
    target = DIST / f"{name}.tar.zst"
    pack(place, target, level=15)
    _told(target)


def archive_tree(bundle: Path, place: Path, icons: Path) -> None:
    """The folder that the archive unpacks to: the app, and what installs it."""
    _hard_copy(bundle, _fresh(place) / "OrgSeg")
    share = place / "share"
    (share / "icons").mkdir(parents=True)
    for file in ("orgseg.desktop", "orgseg-mime.xml"):
        shutil.copy(HERE / "linux" / file, share)
    shutil.copy(ROOT / "resources/icons/orgseg.svg", share)
    for picture in icons.glob("orgseg-*.png"):
        shutil.copy(picture, share / "icons")
    shutil.copy(HERE / "linux/install.sh", place)


def pack(place: Path, target: Path, *, level: int) -> None:
    """A folder as ``.tar.zst``; Zstandard's levels go from 1, fast, to 19."""
    run(
        "tar", f"--use-compress-program=zstd -T0 -{level}", "--owner=0", "--group=0",
        "-cf", target, "-C", place.parent, place.name,
    )  # fmt: skip


def deb(version: str) -> None:
    """Package for Debian and Ubuntu: menu entry, icon, double-click on a project."""
    bundle = need_bundle()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    place = _fresh(BUILD / "deb")
    _system_tree(bundle, place / "usr", BUILD / "icons")
    control = place / "DEBIAN"
    control.mkdir()
    size = sum(f.stat().st_size for f in place.rglob("*") if f.is_file()) // 1024
    (control / "control").write_text(
        f"""Package: orgseg
Version: {version}
Architecture: {machine}
Maintainer: The OrgSeg developers <orgseg@users.noreply.github.com>
Installed-Size: {size}
Depends: {", ".join((f"libc6 (>= {_libc()})", *DEPENDS))}
Section: science
Priority: optional
Homepage: https://github.com/orgseg/orgseg
Description: paint masks on microscopy images and train networks from them
 Paint a few masks, train a network on your own computer while you go on
 painting, compare the models on images none of them saw, and export masks
 for whole folders. No account, no upload, no network connection.
""",
        encoding="utf-8",
    )
    for script in ("postinst", "postrm"):
        shutil.copy(HERE / "linux" / script, control)
        (control / script).chmod(0o755)
    target = DIST / f"orgseg_{version}_{machine}.deb"
    run("dpkg-deb", "--root-owner-group", "-Zzstd", "-z10", "--build", place, target)
    _told(target)


def appimage(version: str) -> None:
    """One file that starts on any Linux; the folder it is made from where its tool is missing."""
    place = BUILD / "OrgSeg.AppDir"
    app_dir(need_bundle(), place, BUILD / "icons")
    tool = shutil.which("appimagetool")
    target = DIST / f"OrgSeg-{version}-{platform.machine()}.AppImage"
    if tool is None:
        say(
            f"appimagetool is not installed, so {place.relative_to(ROOT)} was left as a folder; "
            "its AppRun starts the app. The archive does the same for people: build.py archive"
        )
        return
    run(tool, "--comp", "zstd", place, target, more={"ARCH": platform.machine()})
    _told(target)


def app_dir(bundle: Path, place: Path, icons: Path) -> None:
    """The folder that an AppImage holds."""
    _system_tree(bundle, _fresh(place) / "usr", icons)
    (place / "usr/bin/orgseg").unlink()
    shutil.copy(HERE / "linux/AppRun", place)
    shutil.copy(HERE / "linux/orgseg.desktop", place)
    shutil.copy(icons / "orgseg-256.png", place / "orgseg.png")


def _system_tree(bundle: Path, usr: Path, icons: Path) -> None:
    """The app below ``usr``, as a package puts it into the system."""
    _hard_copy(bundle, usr / "lib/orgseg")
    (usr / "bin").mkdir()
    os.symlink("../lib/orgseg/orgseg", usr / "bin/orgseg")
    wanted = {
        HERE / "linux/orgseg.desktop": "share/applications/orgseg.desktop",
        HERE / "linux/orgseg-mime.xml": "share/mime/packages/orgseg.xml",
        ROOT / "resources/icons/orgseg.svg": "share/icons/hicolor/scalable/apps/orgseg.svg",
        ROOT / "LICENSE": "share/doc/orgseg/copyright",
    }
    for side in ICON_SIZES:
        picture = icons / f"orgseg-{side}.png"
        wanted[picture] = f"share/icons/hicolor/{side}x{side}/apps/orgseg.png"
    for source, name in wanted.items():
        target = usr / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o644)


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _hard_copy(source: Path, target: Path) -> None:
    """Copy by links where the file system can: the folder is large."""

    def put(one: str, other: str) -> None:
        try:
            os.link(one, other)
        except OSError:
            shutil.copy2(one, other)

    shutil.copytree(source, target, copy_function=put, symlinks=True)


def _libc() -> str:
    """Version of the C library that the build machine has, and users need."""
    said = subprocess.run(["ldd", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+\.\d+)\s*$", said.splitlines()[0])
    if found is None:
        raise BuildError("The version of the C library could not be read from ldd --version.")
    return found.group(1)


def _told(target: Path) -> None:
    say(f"{target.relative_to(ROOT)}: {target.stat().st_size / 1e6:.0f} MB")
