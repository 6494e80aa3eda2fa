"""Flood fill on the real canvas, click to frame, against cv2.floodFill on the whole array.

The mask is a background with round objects, as many as 2025 at 16384²; the canvas has an image, the
mask with its outlines, and undo. OpenCV only fills the array: nothing is shown or remembered. Both
take turns, and the ratio is the median of the pairs. Offscreen unless a display is chosen with
QT_QPA_PLATFORM.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.figure import Figure

SIZES = (2048, 8192, 16384)
PITCH = 364  # voxels between the middles of objects: 45 × 45 at 16384²
RADIUS = 116
OBJECT_GOAL_MS = 2.0
BACKGROUND_GOAL = 1.5
OBJECTS = 20
BACKGROUNDS = 5


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which sizes."""
    parser.add_argument("--fill-sizes", type=int, nargs="+", default=SIZES, metavar="N")


def measure(say: Callable[[str], None], options: argparse.Namespace) -> Iterator[Figure]:
    """Median milliseconds of an object and of the background, for each size."""
    import os

    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    app = QApplication.instance() or QApplication([])
    for size in options.fill_sizes:
        say(f"filling on {size} × {size}")
        yield from _one_size(app, size)


def _one_size(app: Any, size: int) -> Iterator[Figure]:
    import numpy as np

    from orgseg_app.core.classes import default_classes
    from orgseg_app.core.edits.whole import ReplaceMask
    from orgseg_app.core.image import open_array
    from orgseg_app.files.images.intake import NewImage
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
    from orgseg_app.gui.canvas.options import DisplayOptions, ToolOptions
    from orgseg_app.gui.session import Session

    array = _objects(size)
    with tempfile.TemporaryDirectory() as folder:
        session = Session()
        session.create_project(Path(folder) / "fill.orgseg", default_classes(list("abcdefgh")))
        assert session.file is not None
        session.file.add_images([NewImage(open_array("flat", np.zeros((size, size), np.uint8)))])
        tools = ToolOptions()
        canvas = AnnotationCanvas(session, tools, DisplayOptions())
        canvas.resize(962, 851)
        canvas.show()
        session.select_image(next(iter(session.file.project.images)))
        session.background.wait()
        while not canvas.is_shown:
            app.processEvents()
        session.apply(ReplaceMask(array[None]))
        _settle(app, session)
        tools.set_tool("fill")
        canvas.set_zoom(1.0)
        middle = size // PITCH // 2 * PITCH + PITCH // 2
        yield _object(app, session, canvas, array, middle)
        yield _background(app, session, canvas, array, middle)
        session.close_project()
        canvas.deleteLater()


def _objects(size: int) -> Any:
    import cv2
    import numpy as np

    array = np.ones((size, size), np.uint8)
    for y in range(PITCH // 2, size - RADIUS, PITCH):
        for x in range(PITCH // 2, size - RADIUS, PITCH):
            cv2.circle(array, (x, y), RADIUS, 2 + (x + y) % 3, -1)
    return array


def _settle(app: Any, session: Any) -> None:
    """Until everything is durable, so that no commit falls into what is measured next."""
    while session.save_state != "saved" or not session.background.is_idle:
        app.processEvents()
        time.sleep(0.01)


def _click(app: Any, canvas: Any, y: int, x: int) -> float:
    """Milliseconds from the press to the frame painted."""
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    left, plain = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    spot = canvas.to_widget(y + 0.5, x + 0.5).toPoint()
    start = time.perf_counter()
    QTest.mousePress(canvas, left, plain, spot)
    app.processEvents()
    took = 1e3 * (time.perf_counter() - start)
    QTest.mouseRelease(canvas, left, plain, spot)
    return took


def _opencv(array: Any, y: int, x: int, value: int) -> float:
    import cv2

    start = time.perf_counter()
    cv2.floodFill(array, None, (x, y), value, flags=4)
    return 1e3 * (time.perf_counter() - start)


def _turns(app: Any, session: Any, canvas: Any, array: Any, place: tuple[int, int], n: int) -> Any:
    from orgseg_app.gui.canvas.plane_view import ViewState

    canvas.set_view(ViewState(place[0], place[1], 1.0))
    app.processEvents()
    ours, theirs = [], []
    for turn in range(n + 1):
        session.select_class(6 + turn % 2)
        app.processEvents()
        ours.append(_click(app, canvas, *place))
        assert session.mask().value(0, *place) == 6 + turn % 2
        theirs.append(_opencv(array, *place, 6 + turn % 2))
        _settle(app, session)
    return ours[1:], theirs[1:]  # the first of each warms up


def _object(app: Any, session: Any, canvas: Any, array: Any, middle: int) -> Figure:
    ours, theirs = _turns(app, session, canvas, array, (middle, middle), OBJECTS)
    value = statistics.median(ours)
    return Figure(
        name=f"fill.object_{len(array)}",
        value=value,
        unit="ms",
        n=len(ours),
        goal=f"≤ {OBJECT_GOAL_MS:g} ms",
        met=value <= OBJECT_GOAL_MS,
        bound=statistics.median(theirs),
        ratio=statistics.median(a / b for a, b in zip(ours, theirs, strict=True)),
    )


def _background(app: Any, session: Any, canvas: Any, array: Any, middle: int) -> Figure:
    place = (middle + PITCH // 2, middle + PITCH // 2)  # between four objects
    ours, theirs = _turns(app, session, canvas, array, place, BACKGROUNDS)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    is_goal = len(array) == SIZES[-1]
    return Figure(
        name=f"fill.background_{len(array)}",
        value=statistics.median(ours),
        unit="ms",
        n=len(ours),
        goal=f"ratio <= {BACKGROUND_GOAL:g}" if is_goal else "",
        met=ratio <= BACKGROUND_GOAL if is_goal else None,
        bound=statistics.median(theirs),
        ratio=ratio,
    )
