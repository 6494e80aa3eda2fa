"""Mouse move to painted frame on the real canvas.

The canvas has an image, a mask with outline, undo and the scale bar. Offscreen unless a display is
chosen with QT_QPA_PLATFORM.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks.figure import Figure

SIZES = (2048, 8192)
BRUSHES = (10, 40, 200)
MOVES = 60
GOAL_MS = 1.0


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Median milliseconds a move, for each size and brush."""
    import os

    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    app = QApplication.instance() or QApplication([])
    for size in SIZES:
        say(f"painting on {size} × {size}")
        yield from _one_size(app, size)


def _one_size(app: object, size: int) -> list[Figure]:
    import numpy as np

    from orgseg_app.core.classes import default_classes
    from orgseg_app.core.image import open_array
    from orgseg_app.files.images.intake import NewImage
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
    from orgseg_app.gui.canvas.options import DisplayOptions, ToolOptions
    from orgseg_app.gui.session import Session

    pixels = np.random.default_rng(0).integers(0, 4000, (size, size)).astype(np.uint16)
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        session = Session()
        session.create_project(Path(folder) / "paint.orgseg", default_classes(["cell"]))
        assert session.file is not None
        session.file.add_images([NewImage(open_array("noise", pixels))])
        tools, display = ToolOptions(), DisplayOptions()
        canvas = AnnotationCanvas(session, tools, display)
        canvas.resize(962, 851)
        canvas.show()
        session.select_image(next(iter(session.file.project.images)))
        session.background.wait()
        while canvas.plane_size is None:
            app.processEvents()  # type: ignore[attr-defined]
        canvas.set_zoom(1.0)
        for brush in BRUSHES:
            tools.set_brush_size(brush)
            samples = _stroke(app, canvas)
            value = statistics.median(samples)
            figures.append(
                Figure(
                    name=f"paint.move_{size}_brush_{brush}",
                    value=value,
                    unit="ms",
                    goal=f"≤ {GOAL_MS:g} ms",
                    met=value <= GOAL_MS,
                    n=len(samples),
                )
            )
        session.close_project()
        canvas.deleteLater()
    return figures


def _stroke(app: object, canvas: object) -> list[float]:
    from PySide6.QtCore import QPoint, Qt
    from PySide6.QtTest import QTest

    left, plain = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    app.processEvents()  # type: ignore[attr-defined]
    QTest.mousePress(canvas, left, plain, QPoint(200, 300))
    samples = []
    for step in range(MOVES):
        start = time.perf_counter()
        QTest.mouseMove(canvas, QPoint(208 + 8 * step, 300 + 2 * (step % 5)))
        app.processEvents()  # type: ignore[attr-defined]
        samples.append(1e3 * (time.perf_counter() - start))
    QTest.mouseRelease(canvas, left, plain, QPoint(680, 300))
    return samples
