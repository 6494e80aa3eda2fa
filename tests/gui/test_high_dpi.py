"""On a screen of high resolution the picture is drawn in the screen's own pixels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHILD = """
import json, sys
from pathlib import Path
import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.project_file import NewImage, ProjectFile
from tests.e2e.hand import Hand

app = QApplication([])
path = Path(sys.argv[1])
stripes = np.zeros((400, 400), np.uint16)
stripes[:, ::2] = 4000
mask = np.zeros((1, 400, 400), np.uint8)
mask[:, 100:300, 100:300] = 2
with ProjectFile.create(path, default_classes(["ER"])) as file:
    file.add_images([NewImage(open_array("stripes", stripes), "train", mask)])
hand = Hand()
hand.open(path)
canvas, display = hand.parts.canvas, hand.window.display
hand.window.tools.set_tool("pan")
ratio = canvas.devicePixelRatioF()
canvas.set_zoom(1 / ratio)  # a voxel is one pixel of the screen


def pixels():
    image = canvas.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), -1, 4)
    return rows[:, :, 2::-1].astype(int)


display.set_look("mask", visible=False)
plain = pixels()
middle = plain[plain.shape[0] // 2, plain.shape[1] // 2 - 80 : plain.shape[1] // 2 + 80, 0]
display.set_look("mask", visible=True, fill=False, outline=True)
drawn = pixels()
differs = (drawn != plain).any(axis=2)
rows, columns = np.nonzero(differs)
result = {
    "ratio": ratio,
    "width": plain.shape[1] / canvas.width(),
    "steps": sorted(set(np.abs(np.diff(middle)).tolist())),
    "outlined": [int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1],
    "thickness": int(differs[:, columns.min() + 60].sum()) // 2,
}
if len(sys.argv) > 2:
    canvas.grab().save(sys.argv[2])
hand.close()
print(json.dumps(result))
"""


@pytest.mark.parametrize("factor", ["1", "1.5", "2"])
def test_every_voxel_is_one_pixel_of_the_screen(factor: str, tmp_path: Path, root: Path) -> None:
    environment = {**os.environ, "QT_SCALE_FACTOR": factor}
    command = [sys.executable, "-c", CHILD, str(tmp_path / "stripes.orgseg")]
    done = subprocess.run(
        command, cwd=root, env=environment, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["ratio"] == float(factor)
    assert found["width"] == pytest.approx(float(factor), abs=0.01)
    assert found["steps"] == [255]  # black, white, black: nothing is blurred or left out
    assert all(abs(side - 200) <= 2 * round(1.5 * float(factor)) for side in found["outlined"])
    assert found["thickness"] >= int(float(factor))  # as thick to the eye on either screen
