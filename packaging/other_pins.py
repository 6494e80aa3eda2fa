"""Pins for systems that this one is not: uv knows their markers, pip their files' hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import licences
from places import BUILD, ROOT, run, say

UV = "uv==0.11.*"
PYTHON = "3.11"
"""Of the frozen program, on every system."""


@dataclass(frozen=True)
class System:
    """A system as uv and pip call it.

    Attributes
    ----------
    uv, pip
        Their names for it.
    oldest
        Of macOS: the oldest version that the parts still run on.
    """

    uv: str
    pip: str
    oldest: str = ""


SYSTEMS = {
    "windows-amd64": System("x86_64-pc-windows-msvc", "win_amd64"),
    "macos-arm64": System("aarch64-apple-darwin", "macosx_14_0_arm64", oldest="14.0"),
}
"""By `places.system_name`. PyTorch is no longer made for Macs with Intel processors."""


def lock_others(python: Path, asked: Sequence[str], constraints: Path) -> None:
    """Write the pins of all `SYSTEMS`.

    Parameters
    ----------
    python
        With `UV` beside it.
    asked
        What the program needs.
    constraints
        Versions that were tested together.
    """
    wanted = BUILD / "asked.txt"
    wanted.write_text("\n".join(asked) + "\n", encoding="utf-8")
    for name, system in SYSTEMS.items():
        found, report = BUILD / f"{name}.txt", BUILD / f"{name}.json"
        run(
            python.with_name("uv" + python.suffix), "pip", "compile", "--quiet", "--no-annotate",
            "--no-header", "--only-binary", ":all:", "--python-platform", system.uv,
            "--python-version", PYTHON, "-c", constraints, wanted, "-o", found,
            more={"MACOSX_DEPLOYMENT_TARGET": system.oldest} if system.oldest else None,
        )  # fmt: skip
        run(
            python, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed",
            "--no-deps", "--only-binary=:all:", "--platform", system.pip, "--python-version",
            PYTHON, "--implementation", "cp", "--abi", f"cp{PYTHON.replace('.', '')}", "--abi",
            "abi3", "--abi", "none", "--target", BUILD / "nowhere", "--report", report, "-r", found,
        )  # fmt: skip
        target = ROOT / f"packaging/requirements/{name}.txt"
        target.write_text(licences.pins(report), encoding="utf-8")
        say(f"Written: {target.relative_to(ROOT)}")
