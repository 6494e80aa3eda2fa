"""Sections through a volume of 128 × 2048²: how long the window waits while the crosshair moves.

The canvas, its sections and the bar for planes as the window has them, with a mask on every fourth
plane; the volume of 16 bits and 1 GB is in the project, then in a linked TIFF.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.figure import Figure
from tests.benchmarks.large import BLOCKED_MS, STACK, _write

STEPS = 40
SIZE = (962, 851)


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """In the project, then linked."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    app = QApplication.instance() or QApplication([])
    with tempfile.TemporaryDirectory() as folder:
        say(f"a TIFF of {' × '.join(map(str, STACK))}")
        path = Path(folder) / "stack.tif"
        _write(path, STACK)
        for linked in (False, True):
            say("linked" if linked else "in the project")
            yield from _one(app, path, linked=linked)


def _one(app: Any, path: Path, *, linked: bool) -> Iterator[Figure]:
    from orgseg_app.core.classes import default_classes
    from orgseg_app.files.images.content import Source
    from orgseg_app.files.images.intake import NewImage
    from orgseg_app.files.readers.registry import read_images
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
    from orgseg_app.gui.canvas.options import DisplayOptions, ToolOptions
    from orgseg_app.gui.session import Session
    from orgseg_app.gui.viewing.canvas_area import CanvasArea

    how = "linked" if linked else "embedded"
    project = path.with_name(f"{how}.orgseg")
    session = Session()
    session.create_project(project, default_classes(["cell"]))
    assert session.file is not None
    image = read_images(path)[0]
    image.pixel_size_um = (0.3, 0.1, 0.1)
    added = session.file.add_images([NewImage(image, linked=Source(path) if linked else None)])
    session.save()
    session.close_project()
    session.open_project(project)
    display = DisplayOptions()
    area = CanvasArea(AnnotationCanvas(session, ToolOptions(), display))
    area.resize(*SIZE)
    area.show()
    session.select_image(added[0].image_id, STACK[0] // 2)
    mask = session.mask()
    for z in range(0, STACK[0], 4):
        mask.write(z, 200, 200, np.full((1600, 1600), 2, np.uint8))
    window = _Window(app, area)
    window.settle()
    shown = 1000 * window.time(lambda: display.set_sections(True))
    blocked, later = window.longest, 1000 * window.settle()
    note = f"sharp {later:.0f} ms later; the window waits {blocked:.0f} ms at the most"
    yield _figure(f"{how}_shown", [shown], note=note)

    for zoom, place in ((None, "fitted"), (1.0, "close")):
        area.canvas.fit() if zoom is None else area.canvas.set_zoom(zoom)
        window.settle()
        window.longest, frames, arrivals = 0.0, [], []
        places = [300 + 37 * step for step in range(STEPS)]
        for at in places:  # as fast as it goes, along the diagonal
            frames.append(1000 * window.time(lambda at=at: area.canvas.crosshair.put(at, at)))
        worst = window.longest
        for at in places:  # one place after the other, each until it is sharp
            area.canvas.crosshair.put(at, at)
            arrivals.append(1000 * window.settle())
        calm = [  # and again, with nothing to read: how busy the machine is
            1000 * window.time(lambda at=at: area.canvas.crosshair.put(at, at)) for at in places
        ]
        note = f"sharp after {statistics.median(arrivals):.0f} ms where it stays"
        yield _figure(f"{how}_{place}_crosshair", frames, bound=calm, note=note)
        goal = f"<= {BLOCKED_MS:g} ms"
        yield _figure(f"{how}_{place}_blocked", [worst], goal, BLOCKED_MS, [max(calm)])
        window.longest = 0.0
        planes = [
            1000 * window.time(lambda step=step: session.select_plane(40 + step))
            for step in range(STEPS)
        ]
        worst = window.longest
        note = f"p95 {np.percentile(planes, 95):.1f} ms, with both sections in sight"
        yield _figure(f"{how}_{place}_next_plane", planes, note=note)
        yield _figure(f"{how}_{place}_planes_blocked", [worst], goal, BLOCKED_MS)
        window.settle()
    session.close_project()
    area.close()
    area.deleteLater()
    app.processEvents()


class _Window:
    """What the event loop would do, with its longest moment without an answer."""

    def __init__(self, app: Any, area: Any) -> None:
        self._app, self._area = app, area
        self.longest = 0.0

    def time(self, act: Callable[[], object] = lambda: None) -> float:
        """Seconds that an act and its frames take."""
        started = time.perf_counter()
        act()
        self._app.processEvents()
        took = time.perf_counter() - started
        self.longest = max(self.longest, 1000 * took)
        return took

    def settle(self) -> float:
        """Seconds until everything is there that was asked for."""
        started = last = time.perf_counter()
        calm = 0
        while calm < 5:
            self.time()
            sections = self._area.sections
            idle = self._area.canvas._loader.is_idle and (sections is None or sections.is_idle)
            if idle and self._area.canvas.session.background.is_idle:
                calm += 1
            else:
                calm, last = 0, time.perf_counter()
            time.sleep(0.001)
        return last - started


def _figure(
    name: str,
    samples: list[float],
    goal: str = "",
    most: float = 0.0,
    bound: list[float] | None = None,
    note: str = "",
) -> Figure:
    value = statistics.median(samples)
    least = statistics.median(bound) if bound else None
    return Figure(
        name=f"sections.{name}",
        value=value,
        unit="ms",
        goal=goal,
        met=value <= most if goal else None,
        n=len(samples),
        bound=least,
        ratio=value / least if least else None,
        note=note,
    )
