"""All that OrgSeg does on a day, in the real window: ``python -m tests.e2e.network_story OUT``.

What its processes did with networks is noted by `tests.e2e.network_watch`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from orgseg_app import logs
from orgseg_app.gui.project import importing
from orgseg_app.gui.runs import device_line
from tests.e2e.story import Driver, say


def main() -> None:
    """Start, sample, paint, help, train, predict, compare, export, report; quit."""
    out = Path(sys.argv[1])
    logs.start("window")
    importing.SAMPLE_IMAGES = 5
    device_line.DELAY_MS = 1  # the child that looks for devices is one of those watched
    driver = Driver(mode="light")
    window, session = driver.window, driver.window.session
    window.commands.open_sample("nuclei")
    driver.wait(lambda: session.image is not None and session.save_state == "saved", 120, "sample")
    driver.drag((40, 40), (60, 60), (60, 90))
    window.commands.helping.show_contents()
    driver.rest(0.1)
    window.commands.helping.help.close()
    driver.workspace("train")
    run, runs = driver.train("fast", {"steps": 2, "validate_every": 1}), driver.parts.runs
    ended = ("finished", "failed", "stopped", "lost")
    driver.wait(lambda: runs.get(run).state in ended, 800, "the run")
    say(state=runs.get(run).state)
    driver.workspace("annotate")
    known = session.mask().to_array()
    window.actions_by_id["clear_plane"].trigger()
    window.actions_by_id["predict_image"].trigger()
    driver.wait(lambda: session.mask().to_array().any(), 800, "the prediction")
    say(predicted=bool((session.mask().to_array() != known).any()))
    driver.workspace("compare")
    results = driver.parts.results
    driver.wait(lambda: results.results.comparison is not None, 100, "the comparison")
    driver.workspace("export")
    export = driver.parts.export
    export.folder.setFocus()
    export.folder.selectAll()
    QTest.keyClicks(export.folder, str(out))
    driver.rest(0.2)
    driver.click(export.button)
    driver.wait(lambda: any(out.glob("*.tif")), 300, "the masks")  # of the painted images
    driver.keys(Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    modules = sorted(sys.modules)
    say(network=[n for n in modules if n in ("PySide6.QtNetwork", "urllib.request", "http.client")])
    driver.close()


if __name__ == "__main__":
    main()
