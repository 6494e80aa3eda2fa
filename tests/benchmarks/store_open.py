"""Open one project in a fresh process and say how long it took: ``store_open.py HOW PROJECT``.

``file`` ends when the first image's plane and mask are in memory, ``window`` when the first image
has been painted on the canvas of a window that was there before. Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

PATIENCE_S = 120


def open_file(path: Path) -> dict[str, float]:
    """`ProjectFile.open`, the first plane and its mask."""
    import psutil  # both come with the first project that a window opens

    from orgseg_app.files.project_file import ProjectFile

    begin = time.perf_counter()
    with ProjectFile.open(path) as file:
        opened = time.perf_counter()
        image_id = next(iter(file.project.images))
        file.read_plane(image_id, 0)
        file.mask(image_id)
        end = time.perf_counter()
    memory = psutil.Process().memory_info().rss / 2**20
    return {"seconds": end - begin, "open": opened - begin, "memory_mb": memory}


def open_window(path: Path) -> dict[str, float]:
    """From the click to the painted image; panels and thumbnails may follow."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import QEventLoop
    from PySide6.QtWidgets import QApplication

    from orgseg_app import settings
    from orgseg_app.gui.main_window import MainWindow
    from orgseg_app.gui.style import theme

    app = QApplication(sys.argv[:1])
    kept = settings.load()
    theme.apply(app, kept.theme)
    window = MainWindow(kept)
    window.show()
    app.processEvents()
    begin = time.perf_counter()
    window.commands.open_path(path)
    opened = time.perf_counter()
    while not (window.parts and window.parts.canvas.is_shown):
        app.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 50)
        if time.perf_counter() - begin > PATIENCE_S:
            raise RuntimeError("no image was shown")
    window.parts.canvas.grab()  # painted for certain, offscreen too
    return {"seconds": time.perf_counter() - begin, "open": opened - begin}


if __name__ == "__main__":
    how, project = sys.argv[1], Path(sys.argv[2])
    print(json.dumps(open_file(project) if how == "file" else open_window(project)), flush=True)
    os._exit(0)  # without the farewells of a window
