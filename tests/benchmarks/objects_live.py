"""Objects in the window: from a slider's move to the picture, and a table of 100,000 of them.

The mask is full of cells that touch: on 1024² and 2048², made anew with each touch of a slider
(`gui.canvas.objects_preview`); and 8192² with 107,584 objects, for which objects mode is entered,
the table opened and everything in it chosen. The window is offscreen; of a step the longest time
between two turns of its loop is given, with all that was painted.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from orgseg_app.core.edits.recorder import Recorder

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.benchmarks import on_canvas  # noqa: E402
from tests.benchmarks.figure import Figure  # noqa: E402

GOAL_MS = 100.0
SIZES = (1024, 2048)
LARGE, PITCH = 8192, 25


def add_options(parser: argparse.ArgumentParser) -> None:
    """Whether the large image is left out."""
    parser.add_argument("--no-large", action="store_true", help="objects_live without 8192²")


def measure(say: Callable[[str], None], options: argparse.Namespace) -> Iterator[Figure]:
    """Milliseconds, each to be within `GOAL_MS`."""
    sizes = SIZES if options.no_large else (*SIZES, LARGE)
    for size in sizes:
        say(f"objects in a window on {size} × {size}")
        for line in on_canvas.lines([str(size)], say, __file__):
            is_first = not line["figure"].endswith("_whole")
            yield Figure(
                name=f"objects_live.{line['figure']}_{size}",
                value=line["median"],
                unit="ms",
                n=line["n"],
                goal=f"<= {GOAL_MS:g} ms" if is_first else "",
                met=line["median"] <= GOAL_MS if is_first else None,
                note=f"at most {line['max']:.0f} ms; load {line['load1']:.1f}",
            )


def cells(size: int, radius: float, pitch: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Numbers of ellipses, many of which touch."""
    import cv2

    random = np.random.default_rng(0)
    numbers = np.zeros((size, size), np.int32)
    places = range(pitch // 2, size, pitch)
    for number, (y, x) in enumerate(((y, x) for y in places for x in places), 1):
        at = int(x + random.integers(-4, 5)), int(y + random.integers(-4, 5))
        axes = int(radius * random.uniform(0.6, 1)), int(radius * random.uniform(0.6, 1))
        cv2.ellipse(numbers, at, axes, float(random.uniform(0, 180)), 0, 360, number, -1)
    return numbers


class _Painted:
    """A mask, and its objects where they are wanted."""

    title = "import"

    def __init__(self, numbers: np.ndarray[Any, Any], *, with_objects: bool) -> None:
        self._numbers, self._with_objects = numbers, with_objects

    def apply(self, recorder: Recorder) -> None:
        classes = np.where(self._numbers > 0, 2, 1).astype(np.uint8)
        numbers = self._numbers.astype(np.uint32) if self._with_objects else None
        recorder.put(0, 0, 0, classes, numbers)


class _Stage:
    """A window with one image."""

    def __init__(self, folder: Path, numbers: np.ndarray[Any, Any], *, with_objects: bool) -> None:
        from PySide6.QtCore import QTimer
        from PySide6.QtWidgets import QApplication

        from orgseg_app.core.classes import default_classes
        from orgseg_app.core.image import open_array
        from orgseg_app.files.images.intake import NewImage
        from orgseg_app.gui.main_window import MainWindow
        from orgseg_app.settings import Settings

        self.app: Any = QApplication.instance() or QApplication([])
        self.window = MainWindow(Settings())
        self.session = self.window.session
        self.session.create_project(folder / "cells.orgseg", default_classes(["cell"]))
        assert self.session.file is not None
        pixels = (numbers > 0).astype(np.uint8) * np.uint8(200)
        self.session.file.add_images([NewImage(open_array("cells", pixels))])
        self.session.images_changed.emit()
        self.window.resize(1280, 800)
        self.window.show()
        self.session.select_image(next(iter(self.session.file.project.images)))
        self.parts = self.window.ensure_parts()
        self.until(lambda: self.parts.canvas.is_shown)
        self.session.apply(_Painted(numbers, with_objects=with_objects))
        self.rest()
        self._turn, self.longest = 0.0, 0.0
        self._timer = QTimer(interval=1)
        self._timer.timeout.connect(self._on_turn)

    def _on_turn(self) -> None:
        now = time.perf_counter()
        self.longest = max(self.longest, now - self._turn)
        self._turn = now

    def until(self, done: Callable[[], object]) -> None:
        end = time.monotonic() + 300
        while not done():
            assert time.monotonic() < end
            self.app.processEvents()
            time.sleep(0.0005)

    def rest(self, seconds: float = 0.5) -> None:
        """Until everything is saved and counted."""
        end = time.monotonic() + seconds
        self.until(lambda: self.session.background.is_idle and time.monotonic() > end)

    def turns(self, act: Callable[[], object], done: Callable[[], object]) -> float:
        """The longest turn from an act until something is done, and a little longer."""
        self._turn, self.longest = time.perf_counter(), 0.0
        self._timer.start()
        act()
        self.until(done)
        self.rest()
        self._on_turn()
        self._timer.stop()
        return 1000 * self.longest

    def close(self) -> None:
        self.rest()
        self.session.close_project()
        self.window.close()
        self.app.processEvents()


def sliders(stage: _Stage) -> None:
    """Opening, then one value after another; to what is made first, and to the whole plane."""
    parts = stage.parts
    preview, canvas = parts.object_maker.preview, parts.canvas
    shown: list[float] = []

    def on_changed() -> None:
        if preview.tried is not None:
            canvas.repaint()
            shown.append(1000 * (time.perf_counter() - started))

    preview.changed.connect(on_changed)
    started = time.perf_counter()
    stage.window.actions_by_id["group_objects"].trigger()
    stage.until(lambda: shown and preview.is_idle)
    on_canvas.emit("opened_whole", shown[:1])
    for name, values in (
        ("seeds", (0.3, 0.35, 0.4, 0.55, 0.6, 0.65, 0.7)),
        ("smoothing", (1.5, 2.0, 2.5, 3.0, 0.5)),
        ("min_size", (20, 30, 40, 50, 60)),
    ):
        first, whole = [], []
        for value in values:
            shown.clear()
            started = time.perf_counter()
            parts.object_maker.sliders[name].number.setValue(value)
            stage.until(lambda: shown and preview.is_idle)
            first.append(shown[0])
            whole.append(shown[-1])
        on_canvas.emit(name, first)
        on_canvas.emit(f"{name}_whole", whole)


def many(stage: _Stage) -> None:
    """Objects mode, the table, and all of it chosen."""
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    objects, table = stage.session.objects, stage.parts.object_table
    summary = stage.parts.objects.summary
    mode = stage.turns(objects.flip, lambda: summary.text()[:1].isdigit())
    on_canvas.emit("mode_entered", [mode])
    shows = stage.window.actions_by_id["object_table"].trigger
    on_canvas.emit("looked_over", [stage.turns(shows, lambda: objects.review.found is not None)])
    table.view.setFocus()
    control = Qt.KeyboardModifier.ControlModifier
    chosen = stage.turns(
        lambda: QTest.keyClick(table.view, Qt.Key.Key_A, control), lambda: objects.review.chosen
    )
    on_canvas.emit("all_chosen", [chosen])


def main() -> int:
    """One size."""
    size = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ORGSEG_HOME"] = folder
        is_large = size == LARGE
        numbers = cells(size, 9, PITCH) if is_large else cells(size, 13, 24)
        stage = _Stage(Path(folder), numbers, with_objects=is_large)
        (many if is_large else sliders)(stage)
        stage.close()
    return 0


if __name__ == "__main__":
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    sys.exit(main())
