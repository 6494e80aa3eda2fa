"""Images made to do harm: refused or read within limits, with no other file touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import psutil
import pytest

from tests.files.hostile import IMAGES, contents, place_canary, was_read
from tests.files.projects import ROOT

MEGABYTE = 10**6

MEASURE = """
import json, resource, sys, time
from pathlib import Path
from orgseg_app.files.annotations.label_image import read_labels
from orgseg_app.files.errors import FileError
from orgseg_app.files.readers.apart import reading_apart
from orgseg_app.files.readers.registry import read_header, read_images

def peak(whose):
    return resource.getrusage(whose).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

def image(path):
    for opened in read_images(path)[:2]:
        for z in range(min(2, opened.shape[1])):
            opened.read_plane(z)

for path in map(Path, sys.argv[1:]):
    before, start, said = peak(resource.RUSAGE_SELF), time.monotonic(), []
    with reading_apart():
        for read in (read_header, image, lambda path: read_labels(path, [0])):
            try:
                read(path)
                said.append("")
            except FileError as error:
                said.append(str(error))
    print(json.dumps({
        "said": said, "seconds": time.monotonic() - start,
        "child": peak(resource.RUSAGE_CHILDREN), "parent": peak(resource.RUSAGE_SELF) - before,
    }))
"""


@pytest.fixture(scope="module")
def hostile_folder(tmp_path_factory):
    """All hostile images, and the canary that one of them names."""
    folder = tmp_path_factory.mktemp("hostile")
    place_canary(folder)
    for name, (make, _) in IMAGES.items():
        make(folder / name)
    return folder


@pytest.fixture(scope="module")
def made(hostile_folder):
    """What the files hold before anybody looks at them."""
    return contents(hostile_folder)


@pytest.fixture(scope="module")
def verdicts(hostile_folder, made):
    """What is said of each hostile image, and what it costs, measured in a process of its own."""
    if sys.platform == "win32":
        pytest.skip("measured by what POSIX systems tell of children")
    folder = hostile_folder
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *(str(folder / name) for name in IMAGES)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "ORGSEG_HOME": str(folder / "home")},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=500,
    )
    return dict(zip(IMAGES, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", IMAGES)
def test_hostile_images_are_refused_or_read_within_limits(verdicts, name):
    verdict, sentence = verdicts[name], IMAGES[name][1]
    for said in verdict["said"]:
        assert said == "" or said.endswith(".")
        assert len(said) < 400
    if sentence:
        assert sentence in verdict["said"][1]
    assert verdict["seconds"] < 3 * 20  # header, image and labels
    assert verdict["child"] < 500 * MEGABYTE
    assert verdict["parent"] < 60 * MEGABYTE


@pytest.mark.slow
def test_hostile_images_touch_no_other_file(hostile_folder, made, verdicts):
    assert not was_read(hostile_folder / "canary.bin")
    assert contents(hostile_folder) == made


def test_without_limits_a_bomb_explodes(tmp_path):
    """The control: read directly, one of them takes the memory that it says."""
    if sys.platform == "win32":
        pytest.skip("measured by what POSIX systems tell of a process")
    path = tmp_path / "a.png"
    IMAGES["bomb.png"][0](path)
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from orgseg_app.files.readers import raster\n"
        "pixels = raster.decode(Path(sys.argv[1]))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)\n"
    )
    if psutil.virtual_memory().available < 6e9:
        pytest.skip("this computer has no room for it")
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True
    )
    assert int(done.stdout or 0) > 1000 * MEGABYTE or done.returncode != 0
