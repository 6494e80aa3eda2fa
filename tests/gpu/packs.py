"""A small GPU pack: its program is a script that says what it was told to say."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from orgseg_app import __version__
from orgseg_app.gpu.choice import SelfTest, remember
from orgseg_app.gpu.computer import platform_name
from orgseg_app.gpu.driver import Card, Driver
from orgseg_app.gpu.install import Installed, install
from orgseg_app.gpu.pack import Needs, write_pack

NEEDS = Needs("13.0", "580", (7, 5))
DRIVER = Driver("580.82.07", "13.0", (Card("NVIDIA GeForce RTX 4070", 12 * 2**30, (8, 9)),))
PASSED = {
    "passed": True,
    "device": "NVIDIA GeForce RTX 4070 · bf16",
    "times_cpu": 11.4,
    "seconds": 6.0,
}
DEVICE = {
    "line": "NVIDIA GeForce RTX 4070 · bf16", "kind": "cuda", "precision": "bf16", "threads": 2,
    "capability": "AVX2", "bf16_pays": None, "problem": None,
}  # fmt: skip

SCRIPT = """#!{python} -SE
import json, pathlib, sys
words = sys.argv[1:]
if words[:1] == ["--job"]:
    pathlib.Path(words[1], "started by the pack").touch()
elif "--self-test" in words:
{test}
else:
    print(json.dumps({{"device": json.loads({device!r})}}))
"""
SAYS = "    print({words!r})"


def worker_folder(folder: Path, test: str = SAYS.format(words=json.dumps(PASSED))) -> Path:
    """The folder of a program that passes its self-test, or does something else instead."""
    (folder / "lib").mkdir(parents=True, exist_ok=True)
    program = folder / "orgseg"
    program.write_text(
        SCRIPT.format(python=sys.executable, test=test, device=json.dumps(DEVICE)), encoding="utf-8"
    )
    program.chmod(0o755)
    (folder / "lib" / "libtorch µ.so").write_bytes(bytes(range(256)) * 40)
    if not (folder / "lib" / "libtorch.so").is_symlink():
        (folder / "lib" / "libtorch.so").symlink_to("libtorch µ.so")
    return folder


def make_pack(place: Path, worker: Path | None = None, **changes: Any) -> tuple[Path, str]:
    """A pack as a file, and its SHA-256."""
    worker = worker or worker_folder(place / "worker")
    target = place / f"OrgSeg-gpu-{__version__}-{platform_name()}.zip"
    facts = {
        "orgseg": __version__, "platform": platform_name(), "torch": "2.13.0+cu130",
        "needs": NEEDS, "program": "orgseg", **changes,
    }  # fmt: skip
    paths, digest, _ = write_pack(worker, target, **facts)
    return paths[0], digest


def installed_pack(place: Path, test: str | None = None, *, passed: bool = True) -> Installed:
    """A pack that is installed and has passed its test, or not been tested."""
    worker = worker_folder(place / "worker", *([test] if test else []))
    pack = install(*make_pack(place, worker))
    if passed:
        remember(SelfTest(True, "", PASSED["device"], 11.4, 6.0, pack.sha256, DRIVER.version, 1.0))
    return pack
