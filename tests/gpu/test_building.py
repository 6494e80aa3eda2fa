"""The GPU pack as it is built: what it asks of a computer, and the entry that offers it."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orgseg_app import __version__
from orgseg_app.gpu.computer import platform_name
from orgseg_app.gpu.install import install, sha256_beside
from orgseg_app.gpu.offers import offers
from orgseg_app.gpu.pack import USUAL_NEEDS, Needs
from tests.gpu.packs import NEEDS


@pytest.fixture
def gpu_pack(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module in ``packaging/``, which is no package."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", [str(root / "packaging"), *sys.path])
    spec = importlib.util.spec_from_file_location("gpu_pack", root / "packaging" / "gpu_pack.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    if "places" not in before:
        sys.modules.pop("places", None)


def test_what_it_needs_is_read_off_its_pytorch(gpu_pack: Any) -> None:
    flags = ["sm_75", "sm_80", "sm_90a", "sm_100", "sm_120", "compute_120"]
    assert gpu_pack.needs_of("13.0", flags) == USUAL_NEEDS
    assert gpu_pack.needs_of("12.6", ["sm_50", "sm_90"]) == Needs("12.6", "525.60.13", (5, 0))
    assert gpu_pack.needs_of("13.0", ["sm_120"]).capability == (12, 0)
    for cuda, built_for in ((None, []), ("13.0", []), ("14.0", ["sm_80"])):
        with pytest.raises(gpu_pack.BuildError):
            gpu_pack.needs_of(cuda, built_for)


def test_a_folder_becomes_a_pack_that_installs_and_its_offer(gpu_pack: Any, tmp_path: Path) -> None:
    folder, dist = tmp_path / "orgseg-gpu", tmp_path / "dist"
    (folder / "lib").mkdir(parents=True)
    with pytest.raises(gpu_pack.BuildError, match="no program"):
        gpu_pack.make(folder, dist, __version__, "2.13.0", NEEDS)
    (folder / "orgseg-gpu").write_bytes(b"\x7fELF")
    (folder / "lib" / "big").write_bytes(bytes(range(256)) * 10)
    dist.mkdir()
    (dist / f"OrgSeg-gpu-{__version__}-{platform_name()}.zip.009").write_bytes(b"of before")
    entry = gpu_pack.make(folder, dist, __version__, "2.13.0", NEEDS, largest_part=600)
    listed = tmp_path / "packs.json"
    listed.write_text(f'{{"packs": [{entry.read_text(encoding="utf-8")}]}}', encoding="utf-8")
    (offer,) = offers(listed)
    parts = [dist / part.url.rsplit("/", 1)[1] for part in offer.parts]
    assert [part.stat().st_size for part in parts] == [part.bytes for part in offer.parts]
    assert len(parts) > 1
    assert offer.needs == NEEDS
    assert sha256_beside(parts[0]) == offer.sha256
    pack = install(parts[0], offer.sha256)
    assert pack.facts.platform == platform_name()
    assert (pack.folder / "lib" / "big").read_bytes() == bytes(range(256)) * 10


def test_the_shipped_list_and_the_usual_needs_are_sound(root: Path) -> None:
    listed = json.loads((root / "resources" / "gpu" / "packs.json").read_text(encoding="utf-8"))
    assert isinstance(listed["packs"], list)
    # The usual needs are those of the PyTorch that is pinned; look at both together.
    pins = (root / "packaging" / "constraints.txt").read_text(encoding="utf-8")
    assert "\ntorch==2.13.0\n" in f"\n{pins}"
    assert USUAL_NEEDS.cuda == "13.0"
