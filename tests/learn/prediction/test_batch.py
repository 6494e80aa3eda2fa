"""Strangers' images are predicted without any of them being decoded beside the network."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from orgseg_app.files.readers import registry
from orgseg_app.files.safety import child
from orgseg_app.learn.device import cpu_device
from orgseg_app.learn.prediction.batch import BatchRequest, BatchResult, predict_files
from orgseg_app.learn.prediction.predictor import Predictor
from tests.learn.prediction.test_predictor import model_of, picture


def predicted(paths: list[Path], out: Path, *formats: str) -> BatchResult:
    out.mkdir()
    predictor = Predictor([model_of(depth=1)], cpu_device())
    request = BatchRequest(tuple(paths), out, formats or ("tiff",))
    return predict_files(predictor, request, tell=lambda *_, **__: None, should_stop=lambda: False)


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / name for name in ("a.tif", "bad.tif", "c.tif")]
    for seed, path in enumerate(paths):
        tifffile.imwrite(path, picture((40, 50), seed), compression="zlib")
    return paths


def test_nothing_is_decoded_in_this_process(
    three: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def here(*_: object, **__: object) -> None:
        raise AssertionError("a stranger's file was decoded beside the network")

    for family in registry.READERS:
        monkeypatch.setitem(registry.READERS, family, here)
    monkeypatch.setattr(cv2, "imdecode", here)
    monkeypatch.setattr(tifffile, "TiffFile", here)
    result = predicted(three, tmp_path / "out")
    assert (result.written, result.problems) == (3, [])
    monkeypatch.undo()
    assert tifffile.imread(tmp_path / "out/a.tif").shape == (40, 50)


def test_a_file_that_ends_the_child_is_passed_over(
    three: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import os\n"
        "from pathlib import Path\n"
        "from orgseg_app.files.safety import reading_child\n"
        "real = reading_child.sniff\n"
        "def sniff(path):\n"
        "    if 'bad' in Path(path).name: os.abort()\n"
        "    return real(path)\n"
        "reading_child.sniff = sniff\n"
        "reading_child.run_reader()\n"
    )
    monkeypatch.setattr(child, "program_command", lambda *_: [sys.executable, "-c", code])
    result = predicted(three, tmp_path / "out")
    assert result.written == 2
    assert len(result.problems) == 1
    assert result.problems[0].startswith("bad.tif: ")


def test_stacks_as_png_are_left_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    planes = np.stack([picture((30, 40), z) for z in range(3)])
    tifffile.imwrite(path, planes, photometric="minisblack")
    assert predicted([path], tmp_path / "out", "png", "tiff").written == 1
    names = sorted(f.name for f in (tmp_path / "out").iterdir())
    assert [n for n in names if n.endswith(".png")] == [f"stack_z00{z}.png" for z in (1, 2, 3)]
    assert "stack.tif" in names
    (tmp_path / "out").rename(tmp_path / "before")
    again = BatchRequest((path,), tmp_path / "before", ("png", "tiff"), resume=True)
    predictor = Predictor([model_of(depth=1)], cpu_device())
    result = predict_files(predictor, again, tell=lambda *_, **__: None, should_stop=lambda: False)
    assert (result.written, result.skipped) == (0, 1)
