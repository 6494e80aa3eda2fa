"""Licences of all parts of the folder, and a list of them: ``licences.py FOLDER PINS VERSION``.

Run with the Python that the folder was frozen from. Writes ``licences/`` (one folder a part, with
the texts that came with it) and ``sbom.cdx.json`` (CycloneDX 1.6) into the folder. A part without a
licence text, or under one that may not be in a BSD program's bundle, ends the build.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from places import BuildError, say

_TEXTS = re.compile(r"(licen[cs]e|copying|notice|authors)", re.IGNORECASE)
_COPYLEFT = re.compile(r"\bA?GPL|affero|gnu general public", re.IGNORECASE)

_LGPL = "offered under LGPL-3.0, which is taken; its libraries are files of their own"
MAY_BE_INSIDE = {
    "pyinstaller": "GPL-2.0-or-later WITH Bootloader-exception: what it freezes has any licence",
    "pyinstaller-hooks-contrib": "its run-time hooks are Apache-2.0; the rest stays outside",
    "PySide6_Essentials": _LGPL,
    "shiboken6": _LGPL,
}
"""Parts whose licence names the GPL, and why they may be in the bundle all the same."""

MAY_COME_FROM_THE_SYSTEM = (
    "libgcc", "libstdc++", "libgomp", "libgfortran", "libquadmath",
)  # fmt: skip
"""GPL-3.0 with the run-time library exception, made for this."""


@dataclass(frozen=True)
class Part:
    """Something in the folder that others wrote.

    Attributes
    ----------
    name, version, licence : str
    kind : str
        "pypi" or "deb".
    texts : tuple of Path
        Licence texts on this computer.
    sha256 : str
        Of the file that was installed; "" where unknown.
    """

    name: str
    version: str
    licence: str
    kind: str
    texts: tuple[Path, ...] = field(default=(), compare=False)
    sha256: str = ""

    @property
    def purl(self) -> str:
        """Package URL."""
        place = "deb/debian" if self.kind == "deb" else self.kind
        return f"pkg:{place}/{self.name.lower().replace('_', '-')}@{self.version}"


def pins(report: Path) -> str:
    """Requirements with hashes from what ``pip install --report`` found."""
    found = json.loads(report.read_text(encoding="utf-8"))["install"]
    lines = ["# Written by: python packaging/build.py lock"]
    for item in sorted(found, key=lambda item: item["metadata"]["name"].lower()):
        about, sha256 = item["metadata"], item["download_info"]["archive_info"]["hashes"]["sha256"]
        lines.append(f"{about['name']}=={about['version']} --hash=sha256:{sha256}")
    return "\n".join(lines) + "\n"


def installed(pinned: Path) -> Iterator[Part]:
    """Parts that came from PyPI."""
    for line in pinned.read_text(encoding="utf-8").splitlines():
        found = re.match(r"(\S+)==(\S+) --hash=sha256:(\w+)", line)
        if not found:
            continue
        name, version, sha256 = found.groups()
        dist = metadata.distribution(name)
        texts = tuple(
            Path(str(dist.locate_file(file)))
            for file in dist.files or ()
            if _TEXTS.search(file.name) and file.suffix not in (".py", ".pyc")
        )
        yield Part(name, version, _licence_of(dist.metadata), "pypi", texts, sha256)


def _licence_of(about: Any) -> str:
    """The licence in a word or two, as the package says it."""
    said = about.get("License-Expression")
    if said:
        return str(said)
    classes = [
        text.rsplit(" :: ", 1)[-1]
        for text in about.get_all("Classifier") or ()
        if text.startswith("License ::")
    ]
    first = (about.get("License") or "").strip().split("\n")[0]
    return ", ".join(classes) or first or "see its text"


def from_debian(folder: Path) -> Iterator[Part]:
    """Libraries that PyInstaller took from the system, by the package they belong to."""
    if shutil.which("dpkg-query") is None:
        return
    names = {file.name for file in (folder / "lib").glob("*.so*") if not file.is_symlink()}
    owners: set[str] = set()
    for name in sorted(names):
        asked = subprocess.run(
            ["dpkg-query", "--search", f"*/{name}"], capture_output=True, text=True, check=False
        )
        found = [line.split(":")[0] for line in asked.stdout.splitlines()]
        owners.update(found[:1])
    for owner in sorted(owners):
        version = subprocess.run(
            ["dpkg-query", "--show", "--showformat=${Version}", owner],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        text = Path("/usr/share/doc") / owner / "copyright"
        texts = (text,) if text.is_file() else ()
        yield Part(owner, version, "see its text", "deb", texts)


def check(parts: list[Part]) -> None:
    """End the build where a part may not be given away like this.

    Raises
    ------
    BuildError
        With all of them in one sentence.
    """
    silent = [part.name for part in parts if not part.texts and part.licence == "see its text"]
    if silent:
        raise BuildError(f"No licence was found for {', '.join(silent)}.")
    allowed = {name.lower() for name in MAY_BE_INSIDE}
    wrong = [
        part.name
        for part in parts
        if part.kind == "pypi"
        and _COPYLEFT.search(part.licence.replace("LGPL", "").replace("Lesser", ""))
        and part.name.lower() not in allowed
    ]
    if wrong:
        raise BuildError(f"The GPL keeps {', '.join(wrong)} out of the bundle.")


def write(folder: Path, parts: list[Part], version: str) -> None:
    """Copy the texts and write the list."""
    target = folder / "licences"
    shutil.rmtree(target, ignore_errors=True)
    for part in parts:
        place = target / f"{part.name}-{part.version}"
        place.mkdir(parents=True)
        said = (f"{part.name} {part.version}", part.licence, MAY_BE_INSIDE.get(part.name, ""))
        about = "\n".join(filter(None, said)) + "\n"
        (place / "LICENCE.txt").write_text(about, encoding="utf-8")
        for number, source in enumerate(part.texts):
            shutil.copyfile(source, place / f"{number:02d}-{source.name}")
    python = Path(sys.base_prefix) / f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
    for source in (python / "LICENSE.txt", Path(sys.base_prefix) / "LICENSE.txt"):
        if source.is_file():
            shutil.copyfile(source, target / "Python.txt")
    sbom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "name": "OrgSeg",
                "version": version,
                "licenses": [{"license": {"id": "BSD-3-Clause"}}],
            }
        },
        "components": [_component(part) for part in parts],
    }
    (folder / "sbom.cdx.json").write_text(json.dumps(sbom, indent=1) + "\n", encoding="utf-8")


def _component(part: Part) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "type": "library",
        "name": part.name,
        "version": part.version,
        "purl": part.purl,
        "licenses": [{"license": {"name": part.licence}}],
    }
    if part.sha256:
        facts["hashes"] = [{"alg": "SHA-256", "content": part.sha256}]
    return facts


def main(folder: Path, pinned: Path, version: str) -> None:
    """Collect, check and write."""
    parts = [*installed(pinned), *from_debian(folder)]
    check(parts)
    write(folder, parts, version)
    say(f"{len(parts)} parts with their licences")


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
    except BuildError as error:
        sys.exit(f"build: {error}")
