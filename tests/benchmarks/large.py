"""Images larger than memory: first frame, memory, the next plane, and how long the window waits.

A plane of 16384 × 32768 and a stack of 128 planes of 2048², both of 16 bits and 1 GB, once in the
project and once in a linked TIFF; the canvas is the real one.
"""

from __future__ import annotations

import gc
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.figure import Figure
from tests.benchmarks.images import _Memory
from tests.benchmarks.store_projects import noise

PLANE = (1, 16384, 32768)
STACK = (128, 2048, 2048)
FRAME_MS, MORE_MB, NEXT_MS, BLOCKED_MS = 150.0, 50.0, 8.0, 50.0
STEPS = 40


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """The plane, then the stack; in the project, then linked."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    app = QApplication.instance() or QApplication([])
    for name, shape in (("plane", PLANE), ("stack", STACK)):
        with tempfile.TemporaryDirectory() as folder:
            say(f"a TIFF of {' × '.join(map(str, shape))}")
            path = Path(folder) / f"{name}.tif"
            _write(path, shape)
            for linked in (False, True):
                say("linked" if linked else "in the project")
                yield from _one(app, path, name, linked=linked)


def _write(path: Path, shape: tuple[int, int, int]) -> None:
    """Noise that does not repeat within a tile, written plane by plane."""
    import tifffile

    side = 4096
    pattern = noise(side)
    stack = tifffile.memmap(path, shape=shape, dtype=np.uint16, photometric="minisblack")
    for z in range(shape[0]):
        for top in range(0, shape[1], side):
            for left in range(0, shape[2], side):
                part = stack[z, top : top + side, left : left + side]
                part[...] = np.roll(pattern, 97 * z + top // 31 + left // 17, 1)[
                    : part.shape[0], : part.shape[1]
                ]
    stack.flush()


def _one(app: Any, path: Path, name: str, *, linked: bool) -> Iterator[Figure]:
    from orgseg_app.core.classes import default_classes
    from orgseg_app.core.image import open_array
    from orgseg_app.files.images.content import Source
    from orgseg_app.files.images.intake import NewImage
    from orgseg_app.files.readers.registry import read_images
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
    from orgseg_app.gui.canvas.options import DisplayOptions, ToolOptions
    from orgseg_app.gui.session import Session

    how = "linked" if linked else "embedded"
    project = path.with_name(f"{how}.orgseg")
    session = Session()
    session.create_project(project, default_classes(["cell"]))
    assert session.file is not None
    image = read_images(path)[0]
    large = NewImage(image, linked=Source(path)) if linked else NewImage(image)
    small = NewImage(open_array("small", np.zeros((64, 64), np.uint16)))
    ids = [added.image_id for added in session.file.add_images([small, large])]
    session.save()
    session.close_project()
    session.open_project(project)
    canvas = AnnotationCanvas(session, ToolOptions(), DisplayOptions())
    canvas.resize(962, 851)
    canvas.show()
    session.select_image(ids[0])
    window = _Window(app, canvas)
    window.settle()
    gc.collect()

    with _Memory() as memory:
        first = window.frame(lambda: session.select_image(ids[1]))
        window.settle()
    goal = f"<= {FRAME_MS:g} ms"
    yield _figure(f"{name}_{how}_first_frame", "ms", [first], goal, first <= FRAME_MS)
    more = memory.more_mb
    yield _figure(f"{name}_{how}_memory", "MB", [more], f"<= {MORE_MB:g} MB", more <= MORE_MB)

    window.longest = 0.0
    closer = [window.frame(partial(canvas.set_zoom, zoom)) for zoom in (0.3, 0.6, 1.0)]
    started = time.perf_counter()
    window.settle()
    sharp = 1000 * (time.perf_counter() - started)
    note = f"sharp {sharp:.0f} ms later"
    yield _figure(f"{name}_{how}_close_look", "ms", closer, None, None, note)

    panned = []
    for _ in range(STEPS):
        panned.append(window.frame(lambda: canvas.pan_by(-40, -160)))
    window.settle()
    worst = window.longest
    yield _figure(f"{name}_{how}_pan", "ms", panned, None, None, "a fifth of the window a frame")
    limit = f"<= {BLOCKED_MS:g} ms"
    yield _figure(f"{name}_{how}_pan_blocked", "ms", [worst], limit, worst <= BLOCKED_MS)

    if session.image is not None and session.image.shape[1] > 1:
        for zoom, place in ((None, "fitted"), (1.0, "close")):
            canvas.fit() if zoom is None else canvas.set_zoom(zoom)
            window.settle()
            window.longest = 0.0
            calm = []
            for _ in range(STEPS):  # as by hand, ten a second
                calm.append(window.frame(lambda: session.select_plane(session.z + 1)))
                window.settle(0.1)
            fast = []
            for _ in range(STEPS):  # as fast as it goes, back
                fast.append(window.frame(lambda: session.select_plane(session.z - 1)))
            worst = window.longest
            met = statistics.median(calm) <= NEXT_MS
            note = f"p95 {np.percentile(calm, 95):.1f} ms"
            goal = f"<= {NEXT_MS:g} ms"
            yield _figure(f"stack_{how}_{place}_next_plane", "ms", calm, goal, met, note)
            note = f"p95 {np.percentile(fast, 95):.1f} ms; without a pause, blurred where not read"
            yield _figure(f"stack_{how}_{place}_scrolling", "ms", fast, None, None, note)
            met = worst <= BLOCKED_MS
            yield _figure(f"stack_{how}_{place}_blocked", "ms", [worst], limit, met)
            window.settle()
    session.close_project()
    canvas.close()
    canvas.deleteLater()
    app.processEvents()


class _Window:
    """What the event loop would do, with its longest moment without an answer."""

    def __init__(self, app: Any, canvas: Any) -> None:
        self._app, self._canvas = app, canvas
        self.longest = 0.0
        self._painted = False
        paint = canvas._paint_pixels

        def spy(*arguments: Any) -> None:
            paint(*arguments)
            self._painted = True

        canvas._paint_pixels = spy

    def _turn(self, act: Callable[[], object] = lambda: None) -> None:
        started = time.perf_counter()
        act()
        self._app.processEvents()
        self.longest = max(self.longest, 1000 * (time.perf_counter() - started))

    def frame(self, act: Callable[[], object]) -> float:
        """Milliseconds from an act to its painted frame."""
        self._painted = False
        started = time.perf_counter()
        self._turn(act)
        while not self._painted:
            self._turn()
        return 1000 * (time.perf_counter() - started)

    def settle(self, seconds: float = 0.0) -> None:
        """Let everything come that was asked for, and at least so much time go by."""
        until = time.perf_counter() + seconds
        calm = 0
        while calm < 5 or time.perf_counter() < until:
            self._turn()
            idle = self._canvas._loader.is_idle and self._canvas.session.background.is_idle
            calm = calm + 1 if idle else 0
            time.sleep(0.001)


def _figure(
    name: str,
    unit: str,
    samples: list[float],
    goal: str | None,
    met: bool | None,
    note: str = "",
) -> Figure:
    return Figure(
        name=f"large.{name}",
        value=statistics.median(samples),
        unit=unit,
        goal=goal or "",
        met=met,
        n=len(samples),
        note=note,
    )
