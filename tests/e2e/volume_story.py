"""A stack in the real window: ``python -m tests.e2e.volume_story FOLDER [PICTURES [light]]``.

Drops a stack, paints a few planes, trains a 2D-3D network and another seed, corrects what it says,
trains again on the corrections, makes an ensemble and exports. A process of its own, as
`tests.e2e.story`; what a test checks is in `tests/e2e/test_volume_story.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import tifffile
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from orgseg_app.gui.panels.corrections_dialog import CorrectionsDialog
from orgseg_app.gui.panels.export_panel import IMAGES
from orgseg_app.gui.panels.runs_ensemble_dialog import EnsembleDialog
from tests.e2e.hand import LEFT
from tests.e2e.story import CONTROL, Driver, say

W = TypeVar("W", bound=QWidget)

DEPTH, SIDE = 16, 128
PAINTED = (2, 3, 12)
"""Planes that are painted, the last one far from the others: it can be held out."""
TINY = {
    "network.width": 8,
    "network.depth": 2,
    "patch_size": 48,
    "batch_size": 2,
    "validate_every": 20,
    "learning_rate": 0.004,
}
ENDED = ("finished", "failed", "stopped", "lost")


def stack() -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A noisy volume with two bright tubes that wander from plane to plane, and where they are."""
    random = np.random.default_rng(4)
    z, y, x = np.mgrid[:DEPTH, :SIDE, :SIDE]
    inside = np.zeros((DEPTH, SIDE, SIDE), bool)
    for y0, x0, radius in ((40, 40, 15), (88, 84, 18)):
        inside |= (y - y0 - z) ** 2 + (x - x0 + z) ** 2 < radius**2
    grey = np.where(inside, 170, 80) + random.normal(0, 18, inside.shape)
    return np.clip(grey, 0, 255).astype(np.uint8), inside


def tell_all(folder: Path, pictures: Path | None, mode: str = "dark", steps: int = 120) -> None:
    """The whole story."""
    grey, inside = stack()
    path = folder / "stäck.tif"
    tifffile.imwrite(path, grey, imagej=True, metadata={"axes": "ZYX"})
    driver = Driver(pictures, mode)
    session = driver.window.session
    driver.drop(path)
    importing = driver.window.commands.importing
    driver.wait(
        lambda: (
            session.image is not None or (importing.bar is not None and importing.bar.isVisible())
        )
    )
    if session.image is None:
        driver.click(importing.bar.use_button)
    driver.wait(lambda: session.image is not None, 60, "the stack")
    assert session.image is not None
    say(shape=list(session.image.shape))
    _paint(driver, inside)
    driver.picture("painted")
    runs = driver.parts.runs
    driver.workspace("train")
    values = TINY | {"steps": steps}
    first = driver.train("volume-2d3d", values)
    second = driver.train("volume-2d3d", values | {"seed": 1})
    driver.wait(lambda: runs.get(first).step > 1, 120, "the first steps")
    driver.picture("training")
    driver.wait(lambda: all(runs.get(r).state in ENDED for r in (first, second)), 500, "the runs")
    say(states=[runs.get(r).state for r in (first, second)], iou=runs.get(first).best_iou)
    third = _retrain(driver, first, inside)
    ensemble = _join(driver, (first, second, third))
    driver.workspace("compare")
    driver.rest(1)
    driver.picture("compare")
    _export(driver, path, folder / "masks", ensemble, inside)
    driver.close()


def _paint(driver: Driver, inside: NDArray[np.bool_]) -> None:
    """Strokes of both classes on a few planes, by mouse."""
    session = driver.window.session
    driver.keys(Qt.Key.Key_B)
    driver.parts.canvas.tools.set_brush_size(6)
    while session.z:
        driver.keys(Qt.Key.Key_PageUp)
    for z in range(DEPTH):
        if z in PAINTED:
            for y0, x0 in ((40 + z, 40 - z), (88 + z, 84 - z)):
                session.select_class(2)
                for row in (-8, 0, 8):
                    driver.drag((y0 + row, x0 - 8), (y0 + row, x0 + 8))
            session.select_class(1)
            for row in (8, 118):
                driver.drag((row, 8), (row, 64), (row, 120))
            driver.drag((64, 6), (64, 56), (100, 40), (110, 20))
        driver.keys(Qt.Key.Key_PageDown)
    driver.wait(lambda: session.save_state == "saved", 30, "saving")
    mask = session.mask().to_array()
    say(
        planes=[int(z) for z in np.flatnonzero(mask.any(axis=(1, 2)))],
        wrong=int(np.count_nonzero((mask == 2) & ~inside)),
    )


def _retrain(driver: Driver, first: str, inside: NDArray[np.bool_]) -> str:
    """Correct a plane by what is seen, and train on from there."""
    session, runs = driver.window.session, driver.parts.runs
    driver.workspace("annotate")
    before = session.mask().counts()
    driver.keys(Qt.Key.Key_P, CONTROL)
    driver.wait(lambda: session.mask().counts() != before, 120, "the prediction on the canvas")
    driver.picture("predicted")
    predicted = session.mask().to_array()
    union = np.count_nonzero((predicted == 2) | inside)
    say(predicted_iou=float(np.count_nonzero((predicted == 2) & inside) / union))
    driver.keys(Qt.Key.Key_Z, CONTROL)  # only what a person has seen is to be learnt from
    while session.z != 7:
        driver.keys(Qt.Key.Key_PageDown if session.z < 7 else Qt.Key.Key_PageUp)
    session.select_class(2)
    driver.drag((47, 24), (47, 42))
    driver.wait(lambda: session.save_state == "saved", 30, "saving")
    driver.workspace("train")
    known = {r.run_id for r in runs.trainings()}
    driver.parts.runs_panel.list.choose([first])
    driver.window.actions_by_id["retrain"].trigger()
    dialog = _dialog(driver, CorrectionsDialog)
    QTest.mouseClick(dialog.kind.button("both"), LEFT)
    driver.picture("retrain")
    driver.click(dialog.retrain_button)
    driver.wait(lambda: {r.run_id for r in runs.trainings()} - known, 60, "the new run")
    (new,) = {r.run_id for r in runs.trainings()} - known
    driver.wait(lambda: runs.get(new).state in ENDED, 300, "the run on corrections")
    said = [e.get("text", "") for e in runs.get(new).run.events()[0] if e["event"] == "message"]
    say(retrained=runs.get(new).state, about=" ".join(said))
    return new


def _join(driver: Driver, members: tuple[str, ...]) -> str:
    """An ensemble of all of them; its id."""
    runs = driver.parts.runs
    driver.parts.runs_panel.list.choose(list(members))
    driver.window.actions_by_id["make_ensemble"].trigger()
    dialog = _dialog(driver, EnsembleDialog)
    driver.wait(dialog.make_button.isEnabled, 20, "the facts of the members")
    driver.picture("ensemble")
    driver.click(dialog.make_button)
    found: list[Any] = []

    def ended() -> bool:
        found[:] = [entry for entry in runs.all() if entry.kind == "ensemble"]
        return bool(found) and found[0].state in ENDED

    driver.wait(ended, 300, "the ensemble")
    driver.rest(1)
    driver.picture("ensemble-made")
    say(ensemble=found[0].state, k=found[0].run.path.joinpath("ensemble.json").read_text()[:2000])
    return str(found[0].run_id)


def _export(
    driver: Driver, path: Path, out: Path, ensemble: str, inside: NDArray[np.bool_]
) -> None:
    """The whole stack by the ensemble, to a file."""
    driver.workspace("export")
    export = driver.parts.export
    driver.click(export.mode.button(IMAGES))
    export.inputs.set_paths([path])
    for run_id, row in export.models.rows.items():
        row.setChecked(run_id == ensemble)
    export.folder.setFocus()
    export.folder.selectAll()
    QTest.keyClicks(export.folder, str(out))
    driver.rest(0.5)
    driver.picture("export")
    driver.click(export.button)
    driver.wait(lambda: list(out.glob("*.tif")), 120, "the mask")
    (written,) = out.glob("*.tif")
    mask = tifffile.imread(written)
    union = np.count_nonzero((mask > 0) | inside)
    say(exported=list(mask.shape), exported_iou=float(((mask > 0) & inside).sum() / union))


def _dialog(driver: Driver, kind: type[W]) -> W:
    """The one that is open."""

    def open_ones() -> list[W]:
        return [d for d in driver.window.findChildren(kind) if d.isVisible()]

    driver.wait(open_ones, 20, kind.__name__)
    driver.rest()
    return open_ones()[0]


if __name__ == "__main__":
    folder, *rest = sys.argv[1:]
    tell_all(Path(folder), Path(rest[0]) if rest else None, *rest[1:2])
