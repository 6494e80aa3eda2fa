"""The frozen app on this computer: ``python tests/bundle/frozen.py [FOLDER] [--json]``.

Looks at size, licences and what each process imports; measures the start against the source's; lets
the frozen app train, compare and export; kills what started a training and sees it finish. FOLDER
is what ``packaging/build.py bundle`` leaves (on macOS, the ``.app``). Prints one line a check; exit
code 1 when one fails.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.bundle.report import Checks, Report  # noqa: E402

LARGEST_MB = 1000
START_RATIO = 1.5
STARTS = 7
TRAINS_WITHIN_S = 900
PROGRAMS = ("orgseg", "OrgSeg.exe", "Contents/MacOS/orgseg")
CONSOLE = "orgseg-cli.exe"
"""Beside the window's program, where that one cannot write to a console."""


def main() -> int:
    """Do all checks."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=default_folder())
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    program = program_in(asked.folder.resolve())
    if program is None:
        print(f"There is no frozen app in {asked.folder}: python packaging/build.py bundle")
        return 1
    report = Report(as_json=asked.json)
    for check in (size, licences, modules, start, learning):
        with tempfile.TemporaryDirectory(prefix="orgseg-bundle-") as home:
            report.carry_out(
                functools.update_wrapper(functools.partial(check, program, Path(home)), check)
            )
    return report.exit_code


def default_folder() -> Path:
    """What the build leaves on this system."""
    return ROOT / ("dist/OrgSeg.app" if sys.platform == "darwin" else "dist/OrgSeg")


def program_in(folder: Path) -> Path | None:
    """The program of the window, or None."""
    return next((folder / name for name in PROGRAMS if (folder / name).is_file()), None)


def console_of(program: Path) -> Path:
    """The program for the command line; mostly the same."""
    other = program.with_name(CONSOLE)
    return other if other.is_file() else program


def whole(program: Path) -> Path:
    """The folder that is given to people."""
    return program.parents[2] if program.parent.name == "MacOS" else program.parent


def size(program: Path, home: Path) -> Checks:
    """Unpacked."""
    files = [f for f in whole(program).rglob("*") if f.is_file() and not f.is_symlink()]
    found = sum(f.stat().st_size for f in files) / 1e6
    yield "size", round(found), "MB", f"at most {LARGEST_MB}", found <= LARGEST_MB


def licences(program: Path, home: Path) -> Checks:
    """Every part of the list has its texts."""
    place = whole(program)
    if place.suffix == ".app":
        place /= "Contents/Resources"
    parts = json.loads((place / "sbom.cdx.json").read_text(encoding="utf-8"))["components"]
    bare = parts_without_texts(parts, place / "licences")
    told = f"of {len(parts)}" + (f", not {', '.join(bare)}" if bare else "")
    yield "parts with licences", len(parts) - len(bare), told, "all", bool(parts) and not bare


def parts_without_texts(parts: list[dict[str, str]], texts: Path) -> list[str]:
    """Names of the parts whose folder of licence texts is missing or empty."""
    return [
        part["name"]
        for part in parts
        if not any((texts / f"{part['name']}-{part['version']}").glob("*"))
    ]


def modules(program: Path, home: Path) -> Checks:
    """The window's process imports no torch."""
    text = _run([str(program)], home, ORGSEG_READY="modules")
    names = set(json.loads(text.splitlines()[0]))
    heavy = sorted(name for name in names if name.split(".")[0] == "torch")
    is_met = "orgseg_app.gui.app" in names and not heavy
    yield "modules of torch in the window", len(heavy), f"of {len(names)}", "none", is_met


def start(program: Path, home: Path) -> Checks:
    """From the start of the process to the first paint, in turns with the source's."""
    commands = {"frozen": [str(program)], "source": [source_python(), "-m", "orgseg_app"]}
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(STARTS + 1):
        for name, command in commands.items():
            began = time.perf_counter()
            _run(command, home, ORGSEG_READY="1", PYTHONPATH=str(ROOT))
            if turn:  # the first fills the computer's caches
                taken[name].append(time.perf_counter() - began)
    middle = {name: statistics.median(found) for name, found in taken.items()}
    ratio = middle["frozen"] / middle["source"]
    for name in commands:
        told = f"s ({min(taken[name]):.2f} to {max(taken[name]):.2f}, n = {STARTS})"
        yield f"start to first paint, {name}", round(middle[name], 2), told, "for information", True
    met = ratio <= START_RATIO
    yield "start against the source's", round(ratio, 2), "×", f"at most {START_RATIO}", met


def source_python() -> str:
    """The Python that has what the source needs."""
    for place in ("build/environment", ".venv"):  # the first has the same versions as the bundle
        for name in ("bin/python", "Scripts/python.exe"):
            if (ROOT / place / name).is_file():
                return str(ROOT / place / name)
    return sys.executable


def learning(program: Path, home: Path) -> Checks:
    """The demo, and a training that goes on and ends well when all that started it is killed."""
    cli, demo = str(console_of(program)), home / "demo"
    _run([cli, "demo", "--headless", "--out", str(demo)], home)
    compared = json.loads((demo / "compare.json").read_text(encoding="utf-8"))
    scored = [run for run in compared["runs"] if run["pooled"].get("iou")]
    yield "models trained and scored", len(scored), "", "two or more", len(scored) >= 2
    masks = [file for file in (demo / "masks").rglob("*") if file.is_file()]
    yield "masks exported", len(masks), "files", "some", bool(masks)
    project = next(demo.glob("*.orgseg"))
    started = subprocess.Popen(
        [
            cli, "train", str(project), "--recipe", "fast", "--set", "steps=60",
            "--name", "survivor", "--json",
        ],
        env=_environment(home), stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert started.stdout is not None
    for line in started.stdout:
        if json.loads(line).get("event") == "step":
            break
    _kill(started)

    def state() -> str:
        lines = _run([cli, "runs", str(project), "--json"], home).splitlines()
        runs = [json.loads(line) for line in lines]
        return str(next(run["state"] for run in runs if run["name"] == "survivor"))

    _wait(lambda: state() not in ("running", "queued"), TRAINS_WITHIN_S)
    last = state()
    yield "training after its starter was killed", last, "", "finished", last == "finished"


def _kill(started: subprocess.Popen[str]) -> None:
    """The process and its group, with no chance to say good-bye."""
    if os.name == "nt":
        started.kill()
    else:
        os.killpg(started.pid, signal.SIGKILL)
    started.wait()


def _wait(happened: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if happened():
            return True
        time.sleep(1)
    return False


def _environment(home: Path, **more: str) -> dict[str, str]:
    """Of a user who has nothing: no Python packages, no settings."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP") if name in os.environ}
    return {
        **kept,
        "HOME": str(home),
        "USERPROFILE": str(home),
        "ORGSEG_HOME": str(home / "own"),
        "PATH": os.environ["PATH"] if os.name == "nt" else "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "QT_QPA_PLATFORM": "offscreen",
        **more,
    }


def _run(command: list[str], home: Path, **more: str) -> str:
    done = subprocess.run(
        command, env=_environment(home, **more), capture_output=True, text=True, check=False,
        encoding="utf-8", cwd=home,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
