"""Make what people download: ``python packaging/build.py STEP [STEP ...]``.

========== =====================================================================================
lock       pins with hashes for this system, in ``packaging/requirements/`` (for maintainers)
lock-other pins for Windows and macOS, resolved on any system
bundle     the folder with everything in it: ``dist/OrgSeg``; all other steps need it
archive    ``.tar.zst`` of the folder with an install script, for Linux without a package manager
deb        package for Debian and Ubuntu
appimage   one file for any Linux; without ``appimagetool`` only the folder it is made from
nsis       installer for Windows; ``makensis`` compiles it on any system
dmg        disk image for macOS, signed and notarised where the keys are there
gpu-lock   pins of the GPU pack; pip must find a PyTorch for NVIDIA cards (PIP_EXTRA_INDEX_URL)
gpu-pack   the GPU pack: OrgSeg without its window, with that PyTorch; needs some 20 GB of room
========== =====================================================================================

Everything lands in ``dist/``; ``build/`` may be deleted at any time. An environment of its own
(``build/environment``) holds exactly what ``packaging/requirements`` names, so that nothing else of
the computer gets into the folder. Exit code 0 when done; 1 with a sentence otherwise.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT)]

import licences  # noqa: E402
import linux_packages  # noqa: E402
import other_pins  # noqa: E402
import other_systems  # noqa: E402
from places import BUILD, DIST, BuildError, bundle_folder, run, say, system_name  # noqa: E402

PYINSTALLER = ("pyinstaller==6.22.3", "pyinstaller-hooks-contrib==2026.9")
LARGEST_MB = 1000
"""Of the unpacked folder. More would be a fault: something new crept in."""

WITH_SYMBOLS = (
    "libtorch_cpu.so", "libtorch_python.so", "libpython3.*.so*", "libh5bshuf.so", "libh5zstd.so",
)  # fmt: skip
"""Libraries with 135 MB of names only a debugger reads.

Others hold little, and those that auditwheel has rewritten (``*.libs``) are better left alone.
"""


def lock() -> None:
    """Write the versions of ``constraints.txt`` with the hashes of their files."""
    _lock(system_name(), _asked_for())


def lock_other() -> None:
    """As `lock`, for the systems that this one is not."""
    other_pins.lock_others(
        _python("build/resolver-uv", (other_pins.UV,)), _asked_for(), HERE / "constraints.txt"
    )


def gpu_lock() -> None:
    """As `lock`, for the program of the GPU pack, which has no window."""
    window = ("pyside6", "pyqtgraph")
    asked = [name for name in _asked_for() if not name.lower().startswith(window)]
    _lock(f"{system_name()}-cuda", asked)


def _lock(name: str, asked: list[str]) -> None:
    report = BUILD / "resolved.json"
    run(
        _python("build/resolver", ()), "-m", "pip", "install", "--quiet", "--dry-run",
        "--ignore-installed", "--only-binary=:all:", "--report", report,
        "-c", HERE / "constraints.txt", *asked,
    )  # fmt: skip
    target = HERE / "requirements" / f"{name}.txt"
    target.write_text(licences.pins(report), encoding="utf-8")
    say(f"Written: {target.relative_to(ROOT)}")


def bundle() -> None:
    """Freeze the app, and put licences and the list of parts beside it."""
    pins = _pins(system_name(), "lock")
    python = _python("build/environment", ("--require-hashes", "-r", str(pins)))
    pictures = BUILD / "icons"
    run(python, HERE / "icons.py", ROOT / "resources/icons/orgseg.svg", pictures)
    shutil.rmtree(bundle_folder(), ignore_errors=True)
    run(
        python, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN",
        "--distpath", DIST, "--workpath", BUILD / "pyinstaller", HERE / "orgseg.spec",
        more={"ORGSEG_ICONS": str(pictures), "ORGSEG_VERSION": version()},
    )  # fmt: skip
    strip()
    drop_dead_links(bundle_folder())
    run(python, HERE / "licences.py", bundle_folder(), pins, version())
    size = _size_mb(bundle_folder())
    say(f"{bundle_folder().relative_to(ROOT)}: {size:.0f} MB")
    if size > LARGEST_MB:
        raise BuildError(
            f"The folder has {size:.0f} MB, more than the {LARGEST_MB} MB it may have. Look what "
            "is new in it (du -a dist/OrgSeg | sort -n) and leave it out in orgseg.spec."
        )


def gpu_pack() -> None:
    """Freeze the program of the GPU pack, and pack it."""
    pins = _pins(f"{system_name()}-cuda", "gpu-lock")
    python = _python("build/environment-cuda", ("--require-hashes", "-r", str(pins)))
    folder = BUILD / "orgseg-gpu"
    shutil.rmtree(folder, ignore_errors=True)
    run(
        python, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN",
        "--distpath", BUILD, "--workpath", BUILD / "pyinstaller-cuda", HERE / "gpu_worker.spec",
    )  # fmt: skip
    run(python, HERE / "licences.py", folder, pins, version())
    run(python, HERE / "gpu_pack.py", folder, DIST, version())


def strip() -> None:
    """Take the tables of names for debuggers out of the largest libraries, on Linux."""
    if not sys.platform.startswith("linux"):
        return
    for pattern in WITH_SYMBOLS:
        for library in (bundle_folder() / "lib").rglob(pattern):
            if not library.is_symlink():
                run("strip", "--strip-unneeded", library)


def drop_dead_links(folder: Path) -> None:
    """Remove links to libraries that the spec leaves out; PyInstaller makes them all the same."""
    for path in list(folder.rglob("*")):
        if path.is_symlink() and not path.exists():
            path.unlink()


def version() -> str:
    """Of OrgSeg."""
    from orgseg_app import __version__

    return __version__


def _pins(name: str, step: str) -> Path:
    """The pinned requirements of a system, which another step writes."""
    pins = HERE / "requirements" / f"{name}.txt"
    if not pins.is_file():
        raise BuildError(
            f"There are no pinned requirements for {name}. Nothing was built; write them first: "
            f"python packaging/build.py {step}"
        )
    return pins


def _asked_for() -> list[str]:
    """What OrgSeg needs to run, and what freezes it."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        needed = tomllib.load(file)["project"]["dependencies"]
    return [*needed, *PYINSTALLER]


def _python(folder: str, requirements: tuple[str, ...]) -> Path:
    """The Python of an environment, made and filled anew when what it holds is another thing."""
    place = ROOT / folder
    name = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    wanted = "\n".join(requirements) + "".join(
        Path(item).read_text(encoding="utf-8") for item in requirements if item.endswith(".txt")
    )
    stamp = place / "filled-with.txt"
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        say(f"Making {folder} …")
        shutil.rmtree(place, ignore_errors=True)
        venv.create(place, with_pip=True)
        if requirements:
            run(place / name, "-m", "pip", "install", "--quiet", "--no-deps", *requirements)
        stamp.write_text(wanted, encoding="utf-8")
    return place / name


def _size_mb(folder: Path) -> float:
    files = (file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    return sum(file.stat().st_size for file in files) / 1e6


STEPS = {
    "lock": lock,
    "lock-other": lock_other,
    "bundle": bundle,
    "archive": lambda: linux_packages.archive(version()),
    "deb": lambda: linux_packages.deb(version()),
    "appimage": lambda: linux_packages.appimage(version()),
    "nsis": lambda: other_systems.nsis(version()),
    "dmg": lambda: other_systems.dmg(version()),
    "gpu-lock": gpu_lock,
    "gpu-pack": gpu_pack,
}


def main() -> int:
    """Do the steps in the order asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("steps", nargs="+", choices=STEPS, metavar="STEP")
    asked = parser.parse_args()
    if platform.python_implementation() != "CPython":
        sys.exit("The installers are made with CPython.")
    try:
        for step in asked.steps:
            STEPS[step]()
    except (BuildError, OSError, subprocess.CalledProcessError) as error:
        print(f"build: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
