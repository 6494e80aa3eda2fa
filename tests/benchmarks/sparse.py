"""Scrolling through a linked volume of 30 GB in the whole window: how long it gives no answer.

A sparse BigTIFF of 900 planes of 4096² uint16; every fiftieth plane is a noisy picture, the others
are holes of the file. The wheel is turned, Page Down held, the slider drawn from end to end. A
heartbeat in the window's event loop tells how long nothing else got through. What counts is a gap
less the time in which the window waited for a core that other programs had (Linux tells); the
longest gap with that is in the note.
"""

from __future__ import annotations

import argparse
import os
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

from tests.benchmarks import on_canvas  # noqa: E402
from tests.benchmarks.figure import Figure  # noqa: E402

PLANES, SIDE, EVERY = 900, 4096, 50
BLOCKED_MS, MORE_MB = 50.0, 400.0
TURNS, BACK, RATE_HZ = 150, 40, 30.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """A smaller volume."""
    parser.add_argument("--planes", type=int, default=PLANES, metavar="N", help="sparse: how deep")


def measure(say: Callable[[str], None], options: argparse.Namespace) -> Iterator[Figure]:
    """Linking, then each way of scrolling, then memory."""
    gigabytes = 2 * options.planes * SIDE**2 / 1e9
    say(f"linking {options.planes} planes of {SIDE} × {SIDE}, {gigabytes:.0f} GB")
    for line in on_canvas.lines(["--planes", str(options.planes)], say, __file__):
        name, value = line["figure"], line["median"]
        if name == "link":
            yield Figure("sparse.link", value, "s", note=f"{gigabytes:.0f} GB read once")
        elif name == "memory":
            met = value <= MORE_MB
            goal = f"<= {MORE_MB:g} MB"
            yield Figure("sparse.memory", value, "MB", goal=goal, met=met, note="while scrolling")
        else:
            yield Figure(
                f"sparse.{name}_blocked",
                line["max"],
                "ms",
                n=line["n"],
                goal=f"<= {BLOCKED_MS:g} ms",
                met=line["max"] <= BLOCKED_MS,
                note=f"99 % within {line['p99']:.1f} ms; longest with waiting for a core "
                f"{line['wall_ms']:.0f} ms, the window's own work at most "
                f"{line['own_ms']:.0f} ms; load {line['load1']:.1f}; {line['planes']} planes",
            )


# -- in a process with a display -------------------------------------------------------------------


def main() -> int:
    """Measure, one JSON line a figure."""
    parser = argparse.ArgumentParser()
    add_options(parser)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ORGSEG_HOME"] = str(Path(folder) / "home")
        tiff = Path(folder) / "sparse.tif"
        _write(tiff, options.planes)
        begin = time.perf_counter()
        project = _linked(tiff)
        on_canvas.emit("link", [time.perf_counter() - begin], "s")
        _scroll(project)
    return 0


def _write(path: Path, planes: int) -> None:
    import tifffile

    from tests.benchmarks.store_projects import noise

    picture = noise(SIDE)
    shape = (planes, SIDE, SIDE)
    volume = tifffile.memmap(
        path, shape=shape, dtype=np.uint16, bigtiff=True, photometric="minisblack"
    )
    for z in range(0, planes, EVERY):
        volume[z] = np.roll(picture, 31 * z, 1)
    volume.flush()


def _linked(tiff: Path) -> Path:
    from orgseg_app.core.classes import default_classes
    from orgseg_app.files.images.content import Source
    from orgseg_app.files.images.intake import NewImage
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.files.readers.registry import read_images

    project = tiff.with_name("volume.orgseg")
    with ProjectFile.create(project, default_classes(["cell"])) as file:
        file.add_images([NewImage(read_images(tiff)[0], linked=Source(tiff))])
    return project


class _Heart:
    """Beats in the event loop, and knows how long it was kept from it."""

    def __init__(self, parent: Any) -> None:
        from PySide6.QtCore import Qt, QTimer

        self._timer = QTimer(parent, interval=1, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self.begin()
        self._timer.start()

    def begin(self) -> None:
        """Forget what was."""
        self.gaps: list[float] = []
        self.longest = self.own = 0.0
        self._last = time.perf_counter(), _waited(), time.thread_time()

    def _beat(self) -> None:
        now = time.perf_counter(), _waited(), time.thread_time()
        gap, waited, own = (1e3 * (new - old) for new, old in zip(now, self._last, strict=True))
        self.gaps.append(max(0.0, gap - waited))
        self.longest, self.own = max(self.longest, gap), max(self.own, own)
        self._last = now


def _waited() -> float:
    """Seconds that this thread could have run and had no core (proc(5), schedstat)."""
    try:
        with open("/proc/thread-self/schedstat", "rb") as told:
            return int(told.read().split()[1]) / 1e9
    except OSError:
        return 0.0


def _scroll(project: Path) -> None:
    import psutil
    from PySide6.QtCore import QEventLoop
    from PySide6.QtWidgets import QApplication

    from orgseg_app import settings
    from orgseg_app.gui.allocation import keep_freed_memory
    from orgseg_app.gui.main_window import MainWindow
    from orgseg_app.gui.style import theme

    keep_freed_memory()
    app = QApplication(sys.argv[:1])
    kept = settings.load()
    theme.apply(app, "light")
    window = MainWindow(kept)
    window.show()
    window.commands.open_path(project)
    heart = _Heart(window)

    def live(seconds: float) -> None:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            app.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 5)

    while not (window.parts and window.parts.canvas.is_shown):
        live(0.05)
    live(3)
    session, canvas = window.session, window.parts.canvas
    before, most = psutil.Process().memory_info().rss, [0]
    depth = session.image.shape[1]  # type: ignore[union-attr]
    for name, acts in (
        ("wheel", [lambda: _turn(canvas)] * TURNS),
        ("page_down", [lambda: _page_down(canvas)] * TURNS),
        ("slider", [lambda n=n: _draw(window, n * depth // TURNS) for n in range(TURNS)]),
        (
            "slider_back",
            [lambda n=n: _draw(window, depth - 1 - n * depth // 40) for n in range(40)],
        ),
    ):
        for zoom, place in ((None, "fitted"), (1.0, "close")):
            canvas.fit() if zoom is None else canvas.set_zoom(zoom)
            session.select_plane(0)
            live(1)
            heart.begin()
            seen = set()
            for act in acts:
                act()
                live(1 / RATE_HZ)
                seen.add(session.z)
                most[0] = max(most[0], psutil.Process().memory_info().rss)
            live(0.5)
            facts = {"wall_ms": heart.longest, "own_ms": heart.own, "planes": len(seen)}
            on_canvas.emit(f"{name}_{place}", heart.gaps, **facts)
    on_canvas.emit("memory", [(most[0] - before) / 1e6], "MB")
    sys.stdout.flush()
    session.close_project()
    os._exit(0)  # without the farewells of a window


def _turn(canvas: Any) -> None:
    from PySide6.QtCore import QPoint, QPointF, Qt
    from PySide6.QtGui import QWheelEvent
    from PySide6.QtWidgets import QApplication

    at = QPointF(canvas.rect().center())
    event = QWheelEvent(
        at,
        canvas.mapToGlobal(at),
        QPoint(0, 0),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.ShiftModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(canvas, event)


def _page_down(canvas: Any) -> None:
    canvas.window().actions_by_id["next_plane"].trigger()


def _draw(window: Any, z: int) -> None:
    window.parts.area.bar.planes.slider.setValue(z)


if __name__ == "__main__":
    sys.exit(on_canvas.on_display(main))
