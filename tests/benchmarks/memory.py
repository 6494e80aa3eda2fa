"""What 1,000 strokes on a mask of 16384² take: in memory beyond the window, and in the history.

The window's own share is measured first: the process that has looked at all of the image, whose
tiles it keeps, and painted a stroke.
The mask packed is what its blocks take as zlib packs them (level 1). Everything goes through the
real canvas, with the store behind it; see `on_canvas`.
"""

from __future__ import annotations

import gc
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from tests.benchmarks import on_canvas  # noqa: E402
from tests.benchmarks.figure import Figure  # noqa: E402

SIZE = 16384
STROKES = 1000
BRUSHES = (10, 40, 200)
ROOM_MB, TIMES_PACKED = 100.0, 1.5
HISTORY_MB = 0.02


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Memory at rest and at its highest, and the history's share of memory and disk."""
    say(f"{STROKES} strokes on {SIZE} × {SIZE}")
    found = {line["figure"]: line for line in on_canvas.lines([], say, __file__)}
    packed = found["packed"]["median"]
    limit = TIMES_PACKED * packed + ROOM_MB
    for name in ("rest", "saved"):
        value = found[name]["median"]
        yield Figure(
            f"memory.{name}_16384",
            value,
            "MB",
            n=STROKES,
            goal=f"<= {TIMES_PACKED:g} × {packed:.1f} packed + {ROOM_MB:g} MB",
            met=value <= limit,
            note={
                "rest": "beyond the window, after the last stroke",
                "saved": "the same once it is in the project file",
            }[name],
        )
    yield Figure("memory.peak_16384", found["peak"]["median"], "MB", note="beyond the window")
    for name in ("history_on_disk", "history_in_memory"):
        value = found[name]["median"]
        yield Figure(
            f"memory.{name}_a_stroke",
            value,
            "MB",
            n=STROKES,
            goal=f"<= {HISTORY_MB:g} MB",
            met=value <= HISTORY_MB,
        )


# -- in a process with a display -------------------------------------------------------------------


def main() -> int:
    """Measure, one JSON line a figure."""
    from tests.benchmarks.images import _Memory

    with on_canvas.Stage(SIZE) as stage:
        canvas, session, tools = stage.canvas, stage.session, stage.tools
        canvas.set_zoom(1.0)
        tools.set_tool("brush")
        rng = np.random.default_rng(0)
        stage.stroke(300)
        _look_everywhere(stage)
        gc.collect()
        before = _rss()
        with _Memory() as memory:
            for number in range(STROKES):
                _elsewhere(stage, rng)
                tools.set_brush_size(BRUSHES[number % len(BRUSHES)])
                session.select_class(1 + number % 8)
                stage.stroke(int(rng.integers(150, 700)))
                stage.wait(0.01)
            stage.settle()
            stage.wait(3)
            gc.collect()
            on_canvas.emit("rest", [_rss() - before], "MB")
            session.fold_in()
            stage.settle()
            stage.wait(1)
            gc.collect()
            on_canvas.emit("saved", [_rss() - before], "MB")
        on_canvas.emit("peak", [memory.more_mb], "MB")
        assert session.file is not None
        history = session.file.history
        assert len(history) >= 0.99 * STROKES
        on_disk = history.size_bytes / len(history)
        kept = sum(change.size_bytes for change in history._kept.values())
        on_canvas.emit("history_on_disk", [on_disk / 2**20], "MB")
        on_canvas.emit("history_in_memory", [kept / len(history) / 2**20], "MB")
        mask = session.mask()
        packed = sum(len(zlib.compress(mask.block(i), 1)) for i in mask.block_indices())  # type: ignore[arg-type]
        on_canvas.emit("packed", [packed / 1e6], "MB", blocks=len(mask.block_indices()))
    return 0


def _look_everywhere(stage: on_canvas.Stage) -> None:
    from orgseg_app.gui.canvas.plane_view import ViewState

    for y in range(on_canvas.HEIGHT // 2, SIZE, on_canvas.HEIGHT):
        for x in range(on_canvas.WIDTH // 2, SIZE, on_canvas.WIDTH):
            stage.canvas.set_view(ViewState(y, x, 1.0))
            stage.app.processEvents()
            while not stage.canvas._loader.is_idle:
                stage.app.processEvents()
    stage.settle()


def _elsewhere(stage: on_canvas.Stage, rng: np.random.Generator) -> None:
    """Look at another part of the image."""
    from orgseg_app.gui.canvas.plane_view import ViewState

    y, x = (float(at) for at in rng.uniform(600, SIZE - 600, 2))
    stage.canvas.set_view(ViewState(y, x, 1.0))
    stage.app.processEvents()


def _rss() -> float:
    """Resident memory, MB."""
    import psutil

    return float(psutil.Process().memory_info().rss) / 1e6


if __name__ == "__main__":
    sys.exit(on_canvas.on_display(main))
