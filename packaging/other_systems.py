"""What is made for Windows and macOS from the frozen folder."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from places import BUILD, DIST, HERE, ROOT, BuildError, bundle_folder, need_bundle, run, say

NSIS_LARGEST = 2_000_000_000
"""Bytes of an installer that NSIS can make."""


def nsis(version: str) -> None:
    """Installer for Windows; on another system it is compiled around the folder that is there."""
    target = DIST / f"OrgSeg-{version}-setup.exe"
    installer(need_bundle(), target, version, icon=BUILD / "icons/orgseg.ico")
    say(f"{target.relative_to(ROOT)}: {target.stat().st_size / 1e6:.0f} MB")


def installer(folder: Path, target: Path, version: str, *, icon: Path, fast: bool = False) -> None:
    """Compile the installer.

    Parameters
    ----------
    folder
        What it installs.
    fast
        Without compression, to look at what is in it.

    Raises
    ------
    BuildError
        Without makensis, or when the installer is larger than NSIS can unpack.
    """
    if shutil.which("makensis") is None:
        raise BuildError("makensis is not installed. On Debian: apt-get install nsis")
    listed = BUILD / "uninstall-files.nsh"
    listed.parent.mkdir(exist_ok=True)
    listed.write_text(removal(folder), encoding="utf-8")
    run(
        "makensis", "-V2", *(["-DFAST"] if fast else []), f"-DVERSION={version}",
        f"-DFOLDER={folder}", f"-DICON={icon}", f"-DTARGET={target}", f"-DREMOVAL={listed}",
        f"-DLICENCE={ROOT / 'LICENSE'}", HERE / "windows/orgseg.nsi",
    )  # fmt: skip
    size = target.stat().st_size
    if size > NSIS_LARGEST:
        raise BuildError(f"The installer has {size / 1e9:.1f} GB; NSIS cannot unpack more than 2.")


def removal(folder: Path) -> str:
    """NSIS lines that remove exactly what was installed, and nothing that came later.

    An uninstaller that removed its whole folder would take projects with it that somebody keeps
    there.
    """
    files = sorted(f.relative_to(folder) for f in folder.rglob("*") if not f.is_dir())
    folders = sorted(
        (f.relative_to(folder) for f in folder.rglob("*") if f.is_dir()),
        key=lambda place: (-len(place.parts), str(place)),
    )
    lines = [f'Delete "$INSTDIR\\{_windows(file)}"' for file in files]
    lines += [f'RMDir "$INSTDIR\\{_windows(place)}"' for place in folders]
    return "\n".join(lines) + "\n"


def _windows(place: Path) -> str:
    return str(place).replace("/", "\\").replace("$", "$$")


def dmg(version: str) -> None:
    """Disk image for macOS; signed and notarised where the keys are in the environment.

    ``ORGSEG_SIGN_AS`` names the identity (used by the specification, too), ``ORGSEG_NOTARY`` a
    profile of ``xcrun notarytool store-credentials``.
    """
    if sys.platform != "darwin":
        raise BuildError("A disk image can only be made on macOS.")
    app = bundle_folder().with_suffix(".app")
    if not app.is_dir():
        raise BuildError("There is no dist/OrgSeg.app yet: python packaging/build.py bundle")
    _bring_licences(app / "Contents/Resources")
    identity, notary = os.environ.get("ORGSEG_SIGN_AS"), os.environ.get("ORGSEG_NOTARY")
    if identity:
        run(
            "codesign", "--force", "--deep", "--options", "runtime", "--timestamp",
            "--entitlements", HERE / "macos/entitlements.plist", "--sign", identity, app,
        )  # fmt: skip
    place = BUILD / "dmg"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    shutil.copytree(app, place / app.name, symlinks=True)
    (place / "Applications").symlink_to("/Applications")
    target = DIST / f"OrgSeg-{version}.dmg"
    run(
        "hdiutil", "create", "-volname", "OrgSeg", "-srcfolder", place, "-ov", "-format", "ULFO",
        target,
    )  # fmt: skip
    if identity:
        run("codesign", "--timestamp", "--sign", identity, target)
    if notary:
        run("xcrun", "notarytool", "submit", target, "--keychain-profile", notary, "--wait")
        run("xcrun", "stapler", "staple", target)
    said = "signed and notarised" if identity and notary else "not signed: macOS will ask"
    say(f"{target.relative_to(ROOT)}: {target.stat().st_size / 1e6:.0f} MB ({said})")


def _bring_licences(target: Path) -> None:
    """Into the ``.app``, which PyInstaller made before the licences lay in the folder."""
    shutil.rmtree(target / "licences", ignore_errors=True)
    shutil.copytree(bundle_folder() / "licences", target / "licences")
    shutil.copy(bundle_folder() / "sbom.cdx.json", target)
