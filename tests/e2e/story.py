"""Drive the real window with mouse and keys: ``python -m tests.e2e.story CHAPTER ARGUMENTS``.

A process of its own, so that it runs on a virtual display and can be killed. Prints one JSON object
a line about what it saw; what a test checks is in `tests/e2e/test_story.py`.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from orgseg_app import settings as settings_module
from orgseg_app.gui.app import install_excepthook
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.gui.style import theme
from tests.e2e.hand import LEFT, PLAIN, drop_on

CONTROL = Qt.KeyboardModifier.ControlModifier


def say(**facts: Any) -> None:
    """One line for the test."""
    print(json.dumps(facts, default=str), flush=True)


class Driver:
    """A window and a hand."""

    def __init__(self, pictures: Path | None = None, mode: str = "dark") -> None:
        self.app = QApplication.instance() or QApplication(sys.argv[:1])
        settings = settings_module.load()
        settings.theme = mode
        theme.apply(self.app, mode)  # type: ignore[arg-type]
        self.window = MainWindow(settings)
        install_excepthook(self.window)
        self.pictures = pictures
        self.errors: list[str] = []
        self.window.session.message.connect(
            lambda text, level: self.errors.append(text) if level == "error" else None
        )
        self.window.resize(1280, 800)
        self.window.show()
        QTest.qWaitForWindowExposed(self.window)
        self.window.activateWindow()
        QTest.qWaitForWindowActive(self.window)

    @property
    def parts(self) -> Any:
        """The panels."""
        return self.window.ensure_parts()

    def wait(self, until: Callable[[], object], seconds: float = 60, what: str = "") -> None:
        """Let the window live until something holds; the story ends when it does not."""
        end = time.monotonic() + seconds
        while not until():
            if self.errors:
                say(failed=f"an error was shown: {self.errors[-1]}")
                sys.exit(3)
            if time.monotonic() > end:
                saving = self.window.session.saving
                say(failed=f"waited {seconds} s in vain for {what}", saving=vars(saving))
                self.picture("failed")
                sys.exit(4)
            self.app.processEvents()
            time.sleep(0.01)

    def rest(self, seconds: float = 0.3) -> None:
        """Let the window settle."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.app.processEvents()
            time.sleep(0.01)

    def picture(self, name: str) -> None:
        """Keep what is on the screen."""
        if self.pictures is not None:
            self.rest()
            self.pictures.mkdir(parents=True, exist_ok=True)
            self.window.grab().save(str(self.pictures / f"{name}.jpg"), quality=90)

    def click(self, widget: QWidget) -> None:
        """Press a button as a person would; it must be there and usable."""
        name = widget.accessibleName() or getattr(widget, "text", str)()
        self.wait(lambda: widget.isVisible() and widget.isEnabled(), 20, f"the button {name}")
        QTest.mouseClick(widget, LEFT)
        self.rest(0.05)

    def drop(self, *paths: Path) -> None:
        """Let go of files over the window."""
        drop_on(self.window, paths)

    def drag(self, *places: tuple[float, float]) -> None:
        """Paint through places of the image, (y, x)."""
        canvas = self.parts.canvas
        spots = [canvas.to_widget(*p).toPoint() for p in places]
        QTest.mouseMove(canvas, spots[0] + QPoint(3, 3))
        QTest.mousePress(canvas, LEFT, PLAIN, spots[0])
        for spot in spots[1:]:
            QTest.mouseMove(canvas, spot)
            self.app.processEvents()
        QTest.mouseRelease(canvas, LEFT, PLAIN, spots[-1])
        self.rest(0.05)

    def keys(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = PLAIN) -> None:
        """Type on the canvas."""
        self.parts.canvas.setFocus()
        QTest.keyClick(self.parts.canvas, key, modifiers)
        self.rest(0.05)

    def point(self, spot: QPoint) -> None:
        """Move the pointer over the canvas, so that the footprint shows."""
        QTest.mouseMove(self.parts.canvas, spot - QPoint(5, 5))
        QTest.mouseMove(self.parts.canvas, spot)
        self.rest(0.1)

    def workspace(self, name: str) -> None:
        """Click a tab of the header."""
        self.click(self.parts.header.tabs[name])
        self.wait(lambda: self.window.workspace == name, 5, name)

    def set_fields(self, values: dict[str, Any]) -> None:
        """Fill in fields of the recipe as if typed."""
        for path, value in values.items():
            field = self.parts.training.form.fields[path]
            field.set_value(value)
            field.changed.emit()
        self.rest(0.1)

    def train(self, preset: str, values: dict[str, Any]) -> str:
        """Choose a preset, set fields, press Train; the new run's id."""
        training, runs = self.parts.training, self.parts.runs
        known = {r.run_id for r in runs.trainings()}
        training.use_preset(preset)
        self.set_fields(values)
        self.click(training.button)
        self.wait(lambda: {r.run_id for r in runs.trainings()} - known, 60, "the run")
        return next(iter({r.run_id for r in runs.trainings()} - known))

    def close(self) -> None:
        """Close the window as its cross does."""
        self.window.close()
        self.rest(0.1)


def real_data(images: Path, labels: Path, out: Path, steps: int, pictures: Path | None) -> None:
    """Drop real images with masks, paint, undo, train twice, compare, export."""
    driver = Driver(pictures)
    session = driver.window.session
    driver.picture("start")
    driver.drop(images, labels)
    importing = driver.window.commands.importing
    driver.wait(lambda: importing.bar is not None and importing.bar.isVisible(), 60, "the bar")
    driver.picture("import")
    driver.click(importing.bar.use_button)
    driver.wait(lambda: session.image is not None, 60, "the first image")
    driver.wait(lambda: session.save_state == "saved", 30, "saving")
    project = session.project
    assert project is not None
    say(
        images=len(project.images),
        classes=[c.name for c in project.classes],
        splits=sorted(i.split for i in project.images.values()),
    )
    before = session.mask().to_array()
    height, width = session.image.shape[2:]  # type: ignore[union-attr]
    driver.keys(Qt.Key.Key_B)
    driver.drag((height / 3, width / 3), (height / 2, width / 2), (height / 2, width / 1.5))
    say(painted=bool((session.mask().to_array() != before).any()))
    driver.picture("annotate")
    driver.keys(Qt.Key.Key_Z, CONTROL)
    say(undone=bool((session.mask().to_array() == before).all()))
    driver.workspace("train")
    values = {"steps": steps, "validate_every": max(1, steps // 2)}
    first = driver.train("fast", values)
    second = driver.train("fast-bce", values)
    runs = driver.parts.runs
    driver.wait(lambda: runs.get(first).step > 3, 120, "the first steps")
    driver.picture("train")
    ended = ("finished", "failed", "stopped", "lost")
    driver.wait(lambda: all(runs.get(r).state in ended for r in (first, second)), 500, "the runs")
    say(states=[runs.get(r).state for r in (first, second)])
    driver.workspace("compare")
    results = driver.parts.results
    driver.wait(lambda: results.results.comparison is not None, 60, "the comparison")
    driver.rest(1.0)
    driver.picture("compare")
    say(
        comparison=results.results.comparison.to_dict(),
        shown=results.table.model().rowCount(),
    )
    driver.workspace("export")
    export = driver.parts.export
    export.folder.setFocus()
    export.folder.selectAll()
    QTest.keyClicks(export.folder, str(out))
    driver.rest(0.5)
    driver.picture("export")
    driver.click(export.button)
    driver.wait(lambda: len(list(out.glob("*.tif"))) == len(project.images), 60, "the masks")
    say(exported=len(list(out.glob("*.tif"))))
    driver.close()


def train_and_wait_to_be_killed(project: Path) -> None:
    """Open a project, start a training, say so, and go on until killed."""
    driver = Driver()
    driver.window.commands.importing.take([project])
    driver.wait(lambda: driver.window.session.image is not None, 30, "the project")
    driver.workspace("train")
    run = driver.train("fast", {"steps": 60, "validate_every": 30, "network.width": 4})
    runs = driver.parts.runs
    driver.wait(lambda: runs.get(run).state == "running", 60, "the run to start")
    say(run=run, state=runs.get(run).state)
    while True:
        driver.rest(1.0)


def find_again(project: Path, run: str) -> None:
    """Open the project after the kill: the run must be there, end, and predict."""
    driver = Driver()
    driver.window.commands.importing.take([project])
    runs = driver.parts.runs
    driver.wait(lambda: runs.get(run) is not None, 30, "the run in the list")
    say(found=runs.get(run).state)
    driver.wait(lambda: runs.get(run).state == "finished", 200, "the end of the run")
    say(state=runs.get(run).state, iou=runs.get(run).best_iou)
    session = driver.window.session
    session.select_image(list(session.project.images)[-1])  # type: ignore[union-attr]
    assert session.mask().is_empty
    driver.keys(Qt.Key.Key_P, CONTROL)
    driver.wait(lambda: not session.mask().is_empty, 120, "the prediction on the canvas")
    say(predicted=session.mask().counts())
    driver.keys(Qt.Key.Key_Z, CONTROL)
    say(undone=session.mask().is_empty)
    driver.close()


def paint_and_wait_to_be_killed(project: Path, strokes: int) -> None:
    """Paint strokes, telling of each once it is saved; then one more with the pen down, for ever.

    With no number of strokes, paint until killed at any moment.
    """
    driver = Driver()
    driver.window.commands.importing.take([project])
    session = driver.window.session
    driver.wait(lambda: session.image is not None, 30, "the project")
    driver.keys(Qt.Key.Key_B)
    say(pid=os.getpid(), before=digest(session), known=len(session.history))
    height, width = session.image.shape[2:]  # type: ignore[union-attr]
    rng = random.Random(len(session.history))
    number = 0
    while not strokes or number < strokes:
        number += 1
        session.select_class(2 + number % 2)
        places = [(rng.uniform(0, height), rng.uniform(0, width)) for _ in range(4)]
        if number % 5 == 0:
            driver.keys(Qt.Key.Key_Z, CONTROL)
        else:
            driver.drag(*places)
        driver.wait(lambda: session.save_state == "saved", 90, "the commit")
        say(saved=number, steps=len(session.history), digest=digest(session))
    canvas = driver.parts.canvas
    middle = canvas.to_widget(height / 2, width / 2).toPoint()
    QTest.mousePress(canvas, LEFT, PLAIN, middle)
    reach = 0
    while True:
        reach = reach % 60 + 7
        QTest.mouseMove(canvas, middle + QPoint(reach, 90 - reach))
        driver.app.processEvents()
        if reach == 7:
            say(pen=digest(session))


def look_again(project: Path, pictures: Path | None) -> None:
    """Open the project after the kill: what is there, and the way back through it and forth."""
    driver = Driver(pictures)
    driver.window.commands.importing.take([project])
    session = driver.window.session
    driver.wait(lambda: session.image is not None, 30, "the project")
    found = driver.window.banners.found  # type: ignore[union-attr]
    say(
        found=digest(session),
        steps=len(session.history),
        undo=driver.window.actions_by_id["undo"].text(),
        said=f"{found.title.text()} {found.words.text()}" if found.isVisible() else "",
        title=driver.window.windowTitle(),
    )
    driver.picture("after the kill")
    count = 0
    while session.history.next_undo() is not None:
        driver.keys(Qt.Key.Key_Z, CONTROL)
        count += 1
    say(undone=digest(session), back=count)
    while session.history.next_redo() is not None:
        driver.keys(Qt.Key.Key_Y, CONTROL)
    say(redone=digest(session))
    driver.close()


def digest(session: Any) -> str:
    """Fingerprint of the mask on the canvas."""
    return hashlib.sha256(session.mask().to_array().tobytes()).hexdigest()[:16]


def main() -> None:
    """Tell one chapter."""
    chapter, *rest = sys.argv[1:]
    if chapter == "real-data":
        images, labels, out, steps = rest[:4]
        pictures = Path(rest[4]) if len(rest) > 4 else None
        real_data(Path(images), Path(labels), Path(out), int(steps), pictures)
    elif chapter == "train":
        train_and_wait_to_be_killed(Path(rest[0]))
    elif chapter == "paint":
        paint_and_wait_to_be_killed(Path(rest[0]), int(rest[1]))
    elif chapter == "look":
        look_again(Path(rest[0]), Path(rest[1]) if len(rest) > 1 else None)
    elif chapter == "find":
        find_again(Path(rest[0]), rest[1])


if __name__ == "__main__":
    main()
