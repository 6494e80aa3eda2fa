"""Where the build puts things, and how it runs other programs."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = ROOT / "build"
DIST = ROOT / "dist"


class BuildError(Exception):
    """Why something could not be built, in a sentence for whoever builds it."""


def say(text: str) -> None:
    """Tell what goes on."""
    print(text, flush=True)


def bundle_folder() -> Path:
    """What PyInstaller leaves, and all installers are made from."""
    return DIST / "OrgSeg"


def need_bundle() -> Path:
    """The folder with the frozen app.

    Raises
    ------
    BuildError
        When it was not built yet.
    """
    folder = bundle_folder()
    if not folder.is_dir():
        raise BuildError(
            "There is no dist/OrgSeg yet. Build it first: python packaging/build.py bundle"
        )
    return folder


def system_name() -> str:
    """Such as ``linux-x86_64``, ``windows-amd64``, ``macos-arm64``."""
    system = {"linux": "linux", "win32": "windows", "darwin": "macos"}[sys.platform]
    return f"{system}-{platform.machine().lower()}"


def run(*command: object, more: Mapping[str, str] | None = None, where: Path = ROOT) -> None:
    """Run a program; its output is ours.

    Raises
    ------
    subprocess.CalledProcessError
        When it ends with another exit code than 0.
    """
    BUILD.mkdir(exist_ok=True)
    DIST.mkdir(exist_ok=True)
    environment = {**os.environ, **(more or {})}
    subprocess.run([str(word) for word in command], check=True, cwd=where, env=environment)
