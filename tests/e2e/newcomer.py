"""A newcomer at the real window, from their own image to a learned mask, every move counted.

A move is a drop, a click, a key or one drag of the mouse. Waiting and looking are none.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import psutil
import tifffile
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from tests.e2e.hand import LEFT, PLAIN, Hand

MOST_MOVES = 8
PATIENCE_S = 1200
"""Other tests keep the machine busy; how long it takes is measured by a benchmark."""
LEAST_IOU = 0.6

SIDE = 384
ROWS = 4
APART = SIDE // ROWS
ENDED = ("finished", "failed", "stopped", "lost")


def cells(seed: int) -> tuple[np.ndarray, np.ndarray, list[tuple[float, float]]]:
    """Bright and dim cells with grain and a dark nucleus on an uneven ground.

    Returns
    -------
    pixels : (SIDE, SIDE) uint16
    truth : (SIDE, SIDE) bool
    middles : list of (y, x)
        Row by row.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    truth = np.zeros((SIDE, SIDE), np.bool_)
    light = np.zeros((SIDE, SIDE), np.float32)
    middles = []
    for place in range(ROWS * ROWS):
        middle = APART * (np.array(divmod(place, ROWS)) + 0.5) + rng.uniform(-4, 4, 2)
        along, across = rng.uniform(27, 33), rng.uniform(24, 29)
        turn = rng.uniform(0, np.pi)
        dy, dx = y - middle[0], x - middle[1]
        u = (dx * np.cos(turn) + dy * np.sin(turn)) / along
        v = (dy * np.cos(turn) - dx * np.sin(turn)) / across
        inside = u**2 + v**2 < 1
        truth |= inside
        dark = 0.35 * np.exp(-((u * along) ** 2 + (v * across) ** 2) / 60)
        light[inside] = (rng.uniform(450, 1500) * (1 - dark))[inside]
        middles.append((float(middle[0]), float(middle[1])))
    light = cv2.GaussianBlur(light, (0, 0), 1.5) + 300 + 0.6 * x
    grain = cv2.GaussianBlur(rng.standard_normal(truth.shape).astype(np.float32), (0, 0), 1.6)
    light += np.where(truth, 320 * grain, 40 * grain)
    counts = rng.poisson(np.clip(light, 0, None)) + rng.normal(0, 12, light.shape)
    return np.clip(counts, 0, 65535).astype(np.uint16), truth, middles


def write_cells(folder: Path, seed: int = 5) -> tuple[Path, np.ndarray, list[tuple[float, float]]]:
    """An image file as a microscope leaves it, and what only the test knows."""
    pixels, truth, middles = cells(seed)
    path = folder / "my cells.tif"
    tifffile.imwrite(path, pixels)
    return path, truth, middles


class Newcomer:
    """Does with the window what a person does, and counts.

    Attributes
    ----------
    moves
        What was done, in words, one entry a move.
    """

    def __init__(self, hand: Hand) -> None:
        self.hand = hand
        self.moves: list[str] = []
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the first start."""
        return time.monotonic() - self._began

    def drop(self, path: Path) -> None:
        """Let go of a file over the window."""
        self.moves.append(f"drop {path.name}")
        self.hand.drop(path)
        self.hand.wait(lambda: self.hand.session.image is not None, what="the image")
        self.hand.settle()
        # A person's window is the active one; where there is no window system, nobody makes it so.
        self.hand.window.activateWindow()
        assert QTest.qWaitForWindowActive(self.hand.window)

    def drag(self, what: str, *places: tuple[float, float]) -> None:
        """One stroke through places of the image, (y, x)."""
        self.moves.append(f"paint {what}")
        canvas = self.hand.parts.canvas
        spots = [canvas.to_widget(*place).toPoint() for place in places]
        QTest.mouseMove(canvas, spots[0])
        QTest.mousePress(canvas, LEFT, PLAIN, spots[0])
        for spot in spots[1:]:
            QTest.mouseMove(canvas, spot)
            QApplication.processEvents()
        QTest.mouseRelease(canvas, LEFT, PLAIN, spots[-1])
        self.hand.settle()

    def key(self, key: Qt.Key, keys: Qt.KeyboardModifier = PLAIN) -> None:
        """Press a key, wherever the keyboard is."""
        self.moves.append(f"press {key.name}")
        QTest.keyClick(QApplication.focusWidget() or self.hand.window, key, keys)
        self.hand.settle()

    def click(self, what: str, widget: QWidget) -> None:
        """Click what is in sight and can be used; nothing else can be clicked."""
        self.moves.append(f"click {what}")
        self.hand.wait(lambda: widget.isVisible() and widget.isEnabled(), what=what)
        assert not widget.visibleRegion().isEmpty(), f"{what} is out of sight"
        QTest.mouseClick(widget, LEFT)
        self.hand.rest()

    def wait(self, until: Callable[[], object], seconds: float, what: str) -> None:
        """Only look."""
        self.hand.wait(until, seconds, what)

    # -- the way -----------------------------------------------------------------------------------

    def paint(self, middles: Sequence[tuple[float, float]]) -> None:
        """Across one cell, and between two rows of cells."""
        y, x = middles[ROWS + 1]
        self.drag("a cell", (y - 6, x - 9), (y, x), (y + 6, x + 9))
        self.key(Qt.Key.Key_X)
        row = 2 * APART
        self.drag("background", (row, 14), (row, SIDE / 2), (row, SIDE - 14))

    def train(self, preset: str = "") -> None:
        """Go to Train, choose another preset unless the first one will do, press the button."""
        parts = self.hand.parts
        self.click("Train", parts.header.tabs["train"])
        self.hand.settle()
        if preset:
            self.click(preset, parts.training.cards.cards[preset])
        self.click("Train", parts.training.button)
        runs = parts.runs
        self.wait(runs.trainings, PATIENCE_S, "the run")
        run = runs.trainings()[0].run_id
        self.wait(lambda: runs.get(run).state in ENDED, PATIENCE_S, "the end of the training")
        assert runs.get(run).state == "finished", runs.get(run).message

    def predict(self) -> np.ndarray:
        """Fill what is unlabelled; where the mask is foreground then, (Y, X) bool."""
        session = self.hand.session
        self.key(Qt.Key.Key_P, Qt.KeyboardModifier.ControlModifier)
        self.wait(
            lambda: np.count_nonzero(session.mask().to_array()) == SIDE**2,
            PATIENCE_S,
            "the prediction",
        )
        self.wait(lambda: not _jobs(), PATIENCE_S, "the end of the jobs")
        return np.asarray(session.mask().to_array()[0] == 2)


def _jobs() -> list[psutil.Process]:
    """Processes that this one started to learn or to predict, and that are still about it."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "--job" in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
    return found


def iou(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two bool arrays."""
    return float((first & second).sum() / (first | second).sum())


def main() -> None:
    """Go the whole way once; prints moves, seconds and IoU as one JSON line."""
    import json
    import sys
    import tempfile

    QApplication.instance() or QApplication(sys.argv[:1])
    preset = sys.argv[1] if len(sys.argv) > 1 else ""
    with tempfile.TemporaryDirectory() as folder:
        path, truth, middles = write_cells(Path(folder))
        hand = Hand()
        newcomer = Newcomer(hand)
        newcomer.drop(path)
        newcomer.paint(middles)
        newcomer.train(preset)
        found = newcomer.predict()
        facts = {
            "moves": newcomer.moves,
            "seconds": newcomer.seconds,
            "iou": iou(found, truth),
        }
        hand.settle()
        hand.close()
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    main()
