"""The GPU pack of a frozen folder: ``gpu_pack.py FOLDER TARGET_FOLDER VERSION``.

Run with the Python that the folder was frozen from: its PyTorch tells which CUDA it was built for
and on which cards it computes. Beside the pack it writes its SHA-256, and the entry that offers it
for download, to be put into ``resources/gpu/packs.json`` before the app is built.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from places import ROOT, BuildError, say, system_name

sys.path[:0] = [str(ROOT)]

from orgseg_app.gpu.pack import LARGEST_PART, Needs, write_pack  # noqa: E402

LEAST_DRIVER = {12: "525.60.13", 13: "580"}
"""For every minor version (NVIDIA, "CUDA Compatibility", table 1)."""
OFFERED_AT = "https://github.com/orgseg/orgseg/releases/download/v{version}/{name}"


def needs_of(cuda: str | None, built_for: Sequence[str]) -> Needs:
    """What a PyTorch asks of driver and card.

    Parameters
    ----------
    cuda
        ``torch.version.cuda``.
    built_for
        Architectures, such as ``["sm_75", "sm_80", "compute_120"]``.

    Raises
    ------
    BuildError
        When it is not built for NVIDIA cards, or for a CUDA that nobody has looked at yet.
    """
    numbers = [int(name.split("_")[1].rstrip("af")) for name in built_for if name.startswith("sm_")]
    if not cuda or not numbers:
        raise BuildError(
            "The PyTorch in the environment is not built for NVIDIA cards. Let pip find one: set "
            "PIP_EXTRA_INDEX_URL to https://download.pytorch.org/whl/cu130, and lock again."
        )
    major = int(cuda.split(".")[0])
    if major not in LEAST_DRIVER:
        raise BuildError(f"Look up the least driver for CUDA {cuda}, and add it to gpu_pack.py.")
    least = min(numbers)
    return Needs(cuda, LEAST_DRIVER[major], (least // 10, least % 10))


def make(
    folder: Path, target: Path, version: str, torch_version: str, needs: Needs,
    largest_part: int = LARGEST_PART,
) -> Path:  # fmt: skip
    """Pack a folder; returns the file with the entry for ``packs.json``."""
    program = next((n for n in ("orgseg-gpu", "orgseg-gpu.exe") if (folder / n).is_file()), None)
    if program is None:
        raise BuildError(f"There is no program in {folder}.")
    name = f"OrgSeg-gpu-{version}-{system_name()}.zip"
    target.mkdir(parents=True, exist_ok=True)
    for old in target.glob(f"{name}*"):
        old.unlink()
    parts, sha256, size = write_pack(
        folder, target / name, orgseg=version, platform=system_name(), torch=torch_version,
        needs=needs, program=program, largest_part=largest_part,
    )  # fmt: skip
    entry = {
        "orgseg": version,
        "platform": system_name(),
        "needs": {
            "cuda": needs.cuda, "driver": needs.driver, "capability": list(needs.capability),
        },
        "sha256": sha256,
        "parts": [
            {
                "url": OFFERED_AT.format(version=version, name=part.name),
                "bytes": part.stat().st_size,
            }
            for part in parts
        ],
    }  # fmt: skip
    offered = target / f"{name}.json"
    offered.write_text(json.dumps(entry, indent=2) + "\n", encoding="utf-8")
    for part in parts:
        say(f"{part.name}: {part.stat().st_size / 1e6:.0f} MB")
    say(f"{name}: {size / 1e6:.0f} MB, SHA-256 {sha256}")
    say(f"To offer it, put {offered.name} into resources/gpu/packs.json, and build the app then.")
    return offered


def main() -> int:
    """Pack what the command line names."""
    import torch

    folder, target, version = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    flags = getattr(torch._C, "_cuda_getArchFlags", lambda: None)() or ""
    try:
        needs = needs_of(torch.version.cuda, flags.split())
        make(folder, target, version, str(torch.__version__), needs)
    except BuildError as error:
        print(f"build: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
