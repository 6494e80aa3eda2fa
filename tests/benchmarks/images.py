"""Large images: the first picture, what it takes in memory, and giving up an import.

The image is 8192 × 8192, noisy as fluorescence is; an import of it is given up at moments spread
over its whole length, as a file that is stored plainly, one that is packed, and with a mask.
"""

from __future__ import annotations

import gc
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.figure import Figure
from tests.benchmarks.store_projects import noise

SIDE = 8192
PICTURES = 5
MOMENTS = 12
CANCEL_S = 0.2
PICTURE_MB = 40.0


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """The first picture, its memory, then giving up."""
    image = noise(SIDE)
    with tempfile.TemporaryDirectory() as folder:
        say(f"first picture of {SIDE} × {SIDE}")
        yield from _first_picture(Path(folder), image)
        yield from _giving_up(Path(folder), image, say)


# -- the first picture -----------------------------------------------------------------------------


def _first_picture(folder: Path, pixels: NDArray[np.uint16]) -> Iterator[Figure]:
    """From choosing an image to its first painted frame, with and without stored levels."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    from orgseg_app.core.classes import default_classes
    from orgseg_app.core.image import open_array
    from orgseg_app.files.images.intake import NewImage
    from orgseg_app.gui.session import Session

    app = QApplication.instance() or QApplication([])
    session = Session()
    session.create_project(folder / "p.orgseg", default_classes(["cell"]))
    assert session.file is not None
    small = open_array("small", np.zeros((64, 64), np.uint16))
    started = time.perf_counter()
    images = session.file.add_images([NewImage(open_array("large", pixels)), NewImage(small)])
    imported = time.perf_counter() - started
    ids = (images[0].image_id, images[1].image_id)
    times, taken = _pictures(app, session, *ids)
    with session.file.transaction() as file:
        del file["images"][ids[0]]["levels"]
    whole_times, whole_taken = _pictures(app, session, *ids)
    session.close_project()
    value, peer = statistics.median(times), statistics.median(whole_times)
    yield Figure(
        name=f"images.first_picture_{SIDE}",
        value=value,
        unit="ms",
        n=PICTURES,
        peer=peer,
        ratio=value / peer,
        goal="ratio <= 0.5",
        met=value <= 0.5 * peer,
        note=f"against the same project without stored levels; importing took {imported:.2f} s",
    )
    yield Figure(
        name=f"images.picture_memory_{SIDE}",
        value=max(taken),
        unit="MB",
        n=PICTURES,
        peer=max(whole_taken),
        ratio=max(taken) / max(whole_taken),
        goal=f"<= {PICTURE_MB:g} MB",
        met=max(taken) <= PICTURE_MB,
        note=f"of {pixels.nbytes / 1e6:.0f} MB of voxels, shown from afar",
    )


def _pictures(app: Any, session: Any, large: str, small: str) -> tuple[list[float], list[float]]:
    """Milliseconds to the first frame, and megabytes more at the peak until all is quiet."""
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
    from orgseg_app.gui.canvas.options import DisplayOptions, ToolOptions

    canvas = AnnotationCanvas(session, ToolOptions(), DisplayOptions())
    canvas.resize(962, 851)
    canvas.show()
    painted: list[float] = []
    paint = canvas._paint_pixels

    def spy(*arguments: Any) -> None:
        paint(*arguments)
        painted.append(time.perf_counter())

    canvas._paint_pixels = spy  # type: ignore[method-assign]
    times, taken = [], []
    for _ in range(PICTURES):
        session.select_image(small)
        _settle(app, session, canvas)
        session._planes.clear()
        session.tiles.clear()
        gc.collect()
        painted.clear()
        with _Memory() as memory:
            started = time.perf_counter()
            session.select_image(large)
            while not painted:
                app.processEvents()
            times.append((painted[0] - started) * 1000)
            _settle(app, session, canvas)
        taken.append(memory.more_mb)
    canvas.close()
    canvas.deleteLater()
    app.processEvents()
    return times, taken


def _settle(app: Any, session: Any, canvas: Any) -> None:
    for _ in range(5):
        app.processEvents()
    while not (session.background.is_idle and canvas._loader.is_idle):
        app.processEvents()
    for _ in range(5):
        app.processEvents()


class _Memory:
    """Resident memory at its highest while a block lasts, over what it was before."""

    def __enter__(self) -> _Memory:
        import psutil

        self._process = psutil.Process()
        self._before = self._peak = self._process.memory_info().rss
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self.more_mb = (self._peak - self._before) / 1e6

    def _watch(self) -> None:
        while not self._is_over.wait(0.002):
            self._peak = max(self._peak, self._process.memory_info().rss)


# -- giving up -------------------------------------------------------------------------------------


def _giving_up(
    folder: Path, pixels: NDArray[np.uint16], say: Callable[[str], None]
) -> Iterator[Figure]:
    """From asking an import of one image to stop to the moment it has."""
    import cv2
    import tifffile

    from orgseg_app.core.classes import default_classes
    from orgseg_app.files.project_file import ProjectFile

    cells = np.random.default_rng(1).integers(0, 40_000, (SIDE // 32, SIDE // 32)).astype(np.uint16)
    cells = np.asarray(cv2.resize(cells, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST))
    sources = {name: folder / name for name in ("plain", "packed", "masked", "linked")}
    for source in sources.values():
        source.mkdir()
    tifffile.imwrite(sources["plain"] / "a.tif", pixels)
    tifffile.imwrite(sources["packed"] / "a.tif", pixels, compression="zlib", tile=(256, 256))
    tifffile.imwrite(sources["linked"] / "a.tif", pixels)
    for name, values in (("images", pixels), ("masks", cells)):
        (sources["masked"] / name).mkdir()
        tifffile.imwrite(sources["masked"] / name / "a.tif", values, compression="zlib")
    path = folder / "q.orgseg"
    ProjectFile.create(path, default_classes(["cell"])).close()
    for name, source in sources.items():
        say(f"giving up, {name}")
        taken, too_late = [], [0.0]
        with ProjectFile.open(path) as file:
            whole, _, _ = _import_until(file, source, name == "linked", None)
            file.remove_image(next(iter(file.project.images)))
            file.save()
            for number in range(MOMENTS):
                moment = whole * (number + 0.5) / MOMENTS
                _, after, was_heard = _import_until(file, source, name == "linked", moment)
                (taken if was_heard else too_late).append(after)
                for image_id in list(file.project.images):
                    file.remove_image(image_id)
                    file.save()
        value = max(taken)
        yield Figure(
            name=f"images.give_up_{name}",
            value=value * 1000,
            unit="ms",
            n=len(taken),
            goal=f"the longest <= {1000 * CANCEL_S:g} ms",
            met=value <= CANCEL_S,
            note=f"median {1000 * statistics.median(taken):.0f} ms; asked too late, "
            f"it was done within {1000 * max(too_late):.0f} ms; importing takes {whole:.1f} s",
        )


def _import_until(
    file: Any, source: Path, is_linked: bool, moment: float | None
) -> tuple[float, float, bool]:
    """Seconds an import took, those after the moment it was asked to stop, and whether it did."""
    from orgseg_app.files.annotations.plan import plan_import
    from orgseg_app.files.importing import ImportChoice, prepare_import

    plan = plan_import([source])
    annotated = any(item.annotation for item in plan.items)
    choice = ImportChoice(use_annotations=annotated, link=is_linked)
    intake = prepare_import(plan, choice, file.project.classes, [])
    started = time.perf_counter()
    until = started + moment if moment is not None else float("inf")
    added = file.add_images(intake.images(), lambda done, total: time.perf_counter() < until)
    ended = time.perf_counter()
    if moment is None and not added:
        raise AssertionError(f"nothing was imported: {intake.problems}")
    return ended - started, max(0.0, ended - until), not added
