"""The real canvas at work, one JSON line a figure: ``python tests/benchmarks/on_canvas.py --help``.

The canvas has an image, the mask with its outlines, undo and the store, which makes every stroke
durable. A time is that from the event to the end of the frame that shows it, handed to the display.
Without a display, a virtual one is started. The lines are those of ``bench/benchlib.py``, so that
``bench/pair.py`` can take this in turn with a peer.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

SIZES = (2048, 8192, 16384)
BRUSHES = (10, 40, 200)
WIDTH, HEIGHT = 962, 851
MOVES, STEP_PX = 60, 8
PITCH, RADIUS = 364, 116  # of objects: 45 × 45 of them at 16384²


def main() -> int:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, nargs="+", default=SIZES)
    parser.add_argument("--brush", type=int, nargs="+", default=BRUSHES)
    parser.add_argument("--strokes", type=int, default=5, help="of 60 moves, for each brush")
    parser.add_argument("--fits", type=int, default=1, help="the same fitted to the window; 0: not")
    parser.add_argument("--fills", type=int, default=0, help="objects filled; 0 for none")
    options = parser.parse_args()
    for size in options.size:
        with Stage(size) as stage:
            for brush in options.brush if options.strokes else ():
                strokes(stage, brush, options.strokes, fitted=False)
                if options.fits:
                    strokes(stage, brush, options.fits, fitted=True)
            if options.fills:
                fills(stage, options.fills)
    return 0


# -- the canvas ------------------------------------------------------------------------------------


class Stage:
    """A canvas with an image of 8 bits, ``size``², in a project of its own.

    Attributes
    ----------
    app, session, canvas, tools
        As in the window.
    """

    def __init__(self, size: int, classes: str = "abcdefgh") -> None:
        from PySide6.QtCore import QEvent
        from PySide6.QtWidgets import QApplication

        from orgseg_app.core.classes import default_classes
        from orgseg_app.core.image import open_array
        from orgseg_app.files.images.intake import NewImage
        from orgseg_app.gui.allocation import keep_freed_memory
        from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
        from orgseg_app.gui.canvas.options import DisplayOptions, ToolOptions
        from orgseg_app.gui.session import Session

        stage = self

        class TimedCanvas(AnnotationCanvas):
            """Knows when its last frame was given to the display."""

            def event(self, event: QEvent) -> bool:
                done = super().event(event)
                if event.type() == QEvent.Type.UpdateRequest:
                    stage.framed = time.perf_counter()
                return done

        keep_freed_memory()
        self.size = size
        self.framed = 0.0
        self.app: Any = QApplication.instance() or QApplication([])
        self._folder = tempfile.TemporaryDirectory()
        pixels = np.random.default_rng(0).integers(0, 255, (size, size), dtype=np.uint8)
        self.session = Session()
        self.session.create_project(
            Path(self._folder.name) / "stage.orgseg", default_classes(list(classes))
        )
        assert self.session.file is not None
        self.session.file.add_images([NewImage(open_array("noise", pixels))])
        del pixels
        self.tools = ToolOptions()
        self.canvas = TimedCanvas(self.session, self.tools, DisplayOptions())
        self.canvas.resize(WIDTH, HEIGHT)
        self.canvas.show()
        self.session.select_image(next(iter(self.session.file.project.images)))
        self.session.background.wait()
        while not self.canvas.is_shown:
            self.app.processEvents()
        self.settle()

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close_project()
        self.canvas.close()
        self.canvas.deleteLater()
        self.app.processEvents()
        self._folder.cleanup()

    def settle(self) -> None:
        """Until everything is durable, read and painted."""
        calm = 0
        while calm < 5:
            self.app.processEvents()
            busy = (
                self.session.save_state != "saved"
                or not self.session.background.is_idle
                or not self.canvas._loader.is_idle
            )
            calm = 0 if busy else calm + 1
            time.sleep(0.005)

    def frame(self, act: Callable[[], object]) -> float:
        """Milliseconds from an act to the end of its frame."""
        begin = time.perf_counter()
        act()
        while self.framed < begin:
            self.app.processEvents()
        return 1e3 * (self.framed - begin)

    def press(self, x: int, y: int) -> None:
        """The left button, at a pixel of the canvas."""
        self._mouse("mousePress", x, y)

    def release(self, x: int, y: int) -> None:
        """Lift the hand."""
        self._mouse("mouseRelease", x, y)

    def _mouse(self, what: str, x: int, y: int) -> None:
        from PySide6.QtCore import QPoint, Qt
        from PySide6.QtTest import QTest

        button, plain = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        getattr(QTest, what)(self.canvas, button, plain, QPoint(x, y))

    def move(self, x: int, y: int) -> None:
        """Move the pointer there."""
        from PySide6.QtCore import QPoint
        from PySide6.QtTest import QTest

        QTest.mouseMove(self.canvas, QPoint(x, y))

    def stroke(self, row: int, rest: float = 0.0) -> list[float]:
        """Draw a stroke of 60 moves across the canvas; milliseconds of each.

        Parameters
        ----------
        row
            Pixel of the canvas where it begins.
        rest
            Seconds between moves in which the window sleeps.
        """
        self.press(200, row)
        self.app.processEvents()
        took = []
        for step in range(MOVES):
            x, y = 208 + STEP_PX * step, row + 2 * (step % 5)
            took.append(self.frame(lambda x=x, y=y: self.move(x, y)))  # type: ignore[misc]
            if rest:
                self.wait(rest - took[-1] / 1e3)
        self.release(208 + STEP_PX * MOVES, row)
        return took

    def wait(self, seconds: float) -> None:
        """Let the window go on for a while."""
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            self.app.processEvents()
            time.sleep(min(left, 0.001))


# -- what is measured ------------------------------------------------------------------------------


def strokes(stage: Stage, brush: int, count: int, *, fitted: bool) -> None:
    """Moves to frames, the undo of each stroke, and what its history takes."""
    stage.canvas.fit() if fitted else stage.canvas.set_zoom(1.0)
    zoom = stage.canvas.view_state().zoom
    stage.tools.set_tool("brush")
    stage.tools.set_brush_size(min(1000, round(brush / zoom)))  # as large on the screen
    stage.settle()
    moves, undos, kept = [], [], []
    for number in range(count + 1):
        took = stage.stroke(300 + 10 * number)
        stage.settle()
        step = stage.session.history.next_undo()
        assert step is not None, "nothing was painted"
        undone = stage.frame(stage.session.undo)
        stage.settle()
        if number:  # the first one warms up
            moves += took
            undos.append(undone)
            kept.append(step.size_bytes / 2**20)
    facts = {"size": stage.size, "brush": brush, "zoom": "fit" if fitted else 1}
    emit("paint_move_to_frame", moves, **facts)
    if not fitted:
        emit("undo_stroke_to_frame", undos, **facts)
        emit("undo_history_per_stroke", kept, "MB", **facts)


def fills(stage: Stage, count: int) -> None:
    """Clicks into an object and, a few, into what lies between all objects."""
    from orgseg_app.core.edits.whole import ReplaceMask
    from orgseg_app.gui.canvas.plane_view import ViewState

    array = objects(stage.size)
    stage.session.apply(ReplaceMask(array[None]))
    stage.settle()
    stage.tools.set_tool("fill")
    middle = stage.size // PITCH // 2 * PITCH + PITCH // 2
    for figure, at, times in (
        ("fill_object", middle, count),
        ("fill_background", middle + PITCH // 2, max(1, count // 4)),
    ):
        stage.canvas.set_view(ViewState(at, at, 1.0))
        ours, theirs, undos = [], [], []
        for turn in range(times + 1):
            value = 6 + turn % 2
            stage.session.select_class(value)
            stage.settle()
            spot = stage.canvas.to_widget(at + 0.5, at + 0.5).toPoint()
            took = stage.frame(lambda spot=spot: stage.press(spot.x(), spot.y()))  # type: ignore[misc]
            stage.release(spot.x(), spot.y())
            assert stage.session.mask().value(0, at, at) == value
            stage.settle()
            bound = _opencv(array, at, value)
            undone = stage.frame(stage.session.undo)
            stage.settle()
            stage.session.redo()
            stage.settle()
            if turn:
                ours.append(took)
                theirs.append(bound)
                undos.append(undone)
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        bound = statistics.median(theirs)
        emit(figure, ours, size=stage.size, opencv=bound, ratio=ratio)
        emit(f"undo_{figure}", undos, size=stage.size)


def objects(size: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A background, class 1, with round objects of three classes."""
    import cv2

    array = np.ones((size, size), np.uint8)
    for y in range(PITCH // 2, size - RADIUS, PITCH):
        for x in range(PITCH // 2, size - RADIUS, PITCH):
            cv2.circle(array, (x, y), RADIUS, 2 + (x + y) % 3, -1)
    return array


def _opencv(array: Any, at: int, value: int) -> float:
    """Milliseconds OpenCV takes to fill the array: nothing is shown or remembered."""
    import cv2

    begin = time.perf_counter()
    cv2.floodFill(array, None, (at, at), value, flags=4)
    return 1e3 * (time.perf_counter() - begin)


# -- lines -----------------------------------------------------------------------------------------


def emit(figure: str, samples: list[float], unit: str = "ms", **facts: Any) -> None:
    """Print a figure as ``bench/benchlib.py`` does."""
    values = np.asarray(samples, float)
    line = {
        "bench": Path(sys.argv[0]).name,
        "peer": "OrgSeg",
        "figure": figure,
        "unit": unit,
        "n": len(values),
        "min": values.min(),
        "median": np.median(values),
        "p95": np.percentile(values, 95),
        "p99": np.percentile(values, 99),
        "max": values.max(),
        "load1": os.getloadavg()[0] if hasattr(os, "getloadavg") else -1,
        **facts,
    }
    rounded = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in line.items()}
    print(json.dumps(rounded), flush=True)


def on_display(main: Callable[[], int]) -> int:
    """Do it here, or in a child where a virtual display has to be started first."""
    if os.environ.get("DISPLAY") or os.environ.get("QT_QPA_PLATFORM"):
        return main()
    from tests.benchmarks.display import display_environment

    with display_environment() as environment:
        return subprocess.run([sys.executable, *sys.argv], env=environment, check=False).returncode


def lines(
    arguments: list[str], say: Callable[[str], None], script: str = __file__
) -> Iterator[dict[str, Any]]:
    """Run this, or another script like it, in a process of its own, and what it printed.

    Raises
    ------
    RuntimeError
        When it fails.
    """
    command = [sys.executable, script, *arguments]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout:
        for line in child.stdout:
            if line.startswith('{"bench"'):
                yield json.loads(line)
            else:
                say(line.rstrip())
    if child.wait() != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}")


if __name__ == "__main__":
    sys.exit(on_display(main))
