"""The whole story on real images, in the real window, with mouse and keys."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.core.samples.catalogue import simulate
from orgseg_app.files.images.intake import NewImage
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.runs.folder import find_run
from orgseg_app.runs.launcher import wait_for_end

ROOT = Path(__file__).resolve().parents[2]

# 256 × 256, fluorescence
NUCLEI = (
    "00071198d059",
    "0e5edb072788",
    "1e8408fbb161",
    "2ad489c11ed8",
    "356d9903d160",
    "40bcdad218ac",
)


def command(*arguments: object) -> list[str]:
    """The story's process, on a virtual display where there is one."""
    story = [sys.executable, "-m", "tests.e2e.story", *map(str, arguments)]
    if shutil.which("xvfb-run") and sys.platform == "linux":
        return ["xvfb-run", "-a", "-s", "-screen 0 1400x900x24", *story]
    return story


def environment(home: Path) -> dict[str, str]:
    """As a person's, with a home of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("QT_")}
    if not shutil.which("xvfb-run"):
        kept["QT_QPA_PLATFORM"] = "offscreen"
    return {**kept, "ORGSEG_HOME": str(home), "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}


def tell(home: Path, *arguments: object, timeout: float = 600) -> dict[str, Any]:
    """Run a chapter to its end; everything it said, in one dict."""
    done = subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    facts: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            facts |= json.loads(line)
    assert done.returncode == 0, f"{facts}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return facts


def chosen(source: Path, folder: Path, names: list[str]) -> Path:
    """A folder with some of the files."""
    folder.mkdir(parents=True)
    for name in names:
        found = next(source.glob(f"{name}.*"))
        shutil.copy(found, folder / found.name)
    return folder


def corners(source: Path, folder: Path, names: list[str]) -> Path:
    """A folder with another sixth of each file: neighbouring planes would show the same place."""
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        picture = cv2.imread(str(source / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
        height, width = picture.shape[0] // 2, picture.shape[1] // 3
        y, x = number // 3 * height, number % 3 * width
        cv2.imwrite(str(folder / f"{name}.png"), picture[y : y + height, x : x + width])
    return folder


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nuclei_by_mouse(shared_data: Path, tmp_path: Path, orgseg_home: Path) -> None:
    source = shared_data / "nuclei_dsb2018"
    names = [*NUCLEI]
    place = tmp_path / "nuclei é with spaces"
    images = chosen(source / "images", place / "images", names)
    labels = chosen(source / "labels", place / "labels", names)
    facts = tell(orgseg_home, "real-data", images, labels, tmp_path / "masks", 40)
    check(facts, images=6, classes=2)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_organelles_by_mouse(shared_data: Path, tmp_path: Path, orgseg_home: Path) -> None:
    source = shared_data / "em_multiclass_epfl6"
    names = sorted(p.stem for p in (source / "images").glob("*.png"))[:5]
    images = corners(source / "images", tmp_path / "em" / "images", names)
    labels = corners(source / "labels", tmp_path / "em" / "labels", names)
    facts = tell(orgseg_home, "real-data", images, labels, tmp_path / "masks", 24)
    check(facts, images=5, classes=7)


def check(facts: dict[str, Any], *, images: int, classes: int) -> None:
    """What must be true at the end of the story."""
    assert facts["images"] == images
    assert len(facts["classes"]) == classes
    assert set(facts["splits"]) == {"train", "validation", "test"}
    assert facts["painted"]
    assert facts["undone"]
    assert facts["states"] == ["finished", "finished"]
    assert facts["shown"] == 2
    assert facts["exported"] == images
    comparison = facts["comparison"]
    assert len(comparison["runs"]) == 2
    for run in comparison["runs"]:
        assert run["pooled"]["iou"]
        assert run["per_image"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_window_finds_its_training_again(tmp_path: Path, orgseg_home: Path) -> None:
    path = tmp_path / "killed.orgseg"
    with ProjectFile.create(path, default_classes(["ER"])) as file:
        splits = ("train", "train", "validation", "test")
        file.add_images(
            NewImage(open_array(s.name, s.pixels), split, s.mask)
            for s, split in zip(
                (simulate("er", i, size=(128, 128)) for i in range(4)), splits, strict=True
            )
        )
        file.add_images(
            [NewImage(open_array("unpainted", simulate("er", 4, size=(96, 130)).pixels))]
        )
    window = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.story", "train", str(path)],
        cwd=ROOT,
        env={**environment(orgseg_home), "QT_QPA_PLATFORM": "offscreen"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert window.stdout is not None
        said = json.loads(next(line for line in window.stdout if line.startswith("{")))
    finally:
        window.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        window.wait(10)
        window.stdout.close()  # type: ignore[union-attr]
    assert said["state"] == "running", said
    facts = tell(orgseg_home, "find", path, said["run"])
    assert facts["found"] in ("running", "finished")
    assert facts["state"] == "finished"
    assert sum(facts["predicted"].values()) == 96 * 130
    assert facts["undone"]
    run = find_run(path, said["run"])
    assert wait_for_end(run, 5) == "finished"
    assert run.metrics()["test"]["mean_iou"] > 0  # type: ignore[index]
