"""Pictures of every screen, light and dark: ``python -m tests.gui.take_snapshots [FOLDER]``.

Simulated images only. The README shows one; look at all of them after every change of looks.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent / "snapshots"


def main() -> None:
    """Make a small project, train twice, and take every screen in both themes."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    with tempfile.TemporaryDirectory() as home:
        os.environ["ORGSEG_HOME"] = home
        _take(folder, Path(home))


def _take(folder: Path, home: Path) -> None:
    from PySide6.QtCore import QPoint
    from PySide6.QtTest import QTest

    from tests.e2e.story import Driver

    driver = Driver(folder)
    window = driver.window
    for mode in ("light", "dark"):
        window.set_theme(mode)
        driver.rest(1.0)
        driver.picture(f"start-{mode}")
    window.commands.open_sample("er")
    session = window.session
    driver.wait(lambda: session.image is not None, 120, "the sample")
    driver.wait(lambda: session.save_state == "saved", 60, "saving")
    window.messages.close_all()
    driver.workspace("train")
    steps = int(os.environ.get("SNAPSHOT_STEPS", "120"))
    values = {"steps": steps, "validate_every": max(1, steps // 6)}
    runs = driver.parts.runs
    first = driver.train("fast", values)
    driver.wait(lambda: runs.get(first).state == "finished", 600, "the first run")
    second = driver.train("fast-bce", values)
    driver.wait(lambda: runs.get(second).step > 0.6 * steps, 600, "the second run")
    window.messages.close_all()
    for mode in ("light", "dark"):
        window.set_theme(mode)
        driver.picture(f"train-{mode}")
    driver.wait(lambda: runs.get(second).state == "finished", 600, "its end")
    driver.rest(1.0)
    for mode in ("light", "dark"):
        window.set_theme(mode)
        for name in ("annotate", "compare", "export"):
            driver.workspace(name)
            window.messages.close_all()
            if name == "annotate":
                canvas = driver.parts.canvas
                canvas.zoom_by(1.6)
                driver.point(QPoint(260, 300))
            if name == "compare":
                driver.wait(
                    lambda: driver.parts.results.results.comparison is not None, 60, "scores"
                )
                driver.rest(1.0)
            driver.picture(f"{name}-{mode}")
            if name == "annotate":
                driver.parts.canvas.fit()
    window.commands.helping.show_keys()
    driver.rest(0.5)
    dialog = driver.app.activeModalWidget() or driver.app.activeWindow()
    dialog.grab().save(str(folder / "shortcuts-dark.jpg"), quality=90)
    QTest.qWait(50)
    dialog.close()
    window.commands.command_palette()
    driver.rest(0.5)
    popup = driver.app.activePopupWidget()
    if popup is not None:
        popup.grab().save(str(folder / "palette-dark.jpg"), quality=90)
        popup.close()
    driver.close()


if __name__ == "__main__":
    main()
