"""Every place of the real window, one after the other: pages, panels, dialogs.

A project with images, painted masks, a volume, objects, recorded runs and a study.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication, QDialog, QWidget

from orgseg_app.core.image import open_array
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.gui.canvas.tools.registry import TOOLS
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.gui.panels.examination_dialog import ExaminationDialog
from orgseg_app.gui.panels.question import QuestionDialog
from orgseg_app.gui.style import theme
from tests.e2e.hand import Hand
from tests.gui.recorded_runs import record_run
from tests.gui.studied import driven

DIALOGS = {
    "history": "undo_history",
    "pack": "pack",
    "restore": "restore_backup",
    "measure": "measure_objects",
    "training set": "export_training_set",
    "study": "new_study",
    "retrain": "retrain",
    "ensemble": "make_ensemble",
    "examples": "augmented_examples",
    "help": "help_contents",
    "sheet of keys": "shortcuts",
    "keys": "edit_shortcuts",
    "about": "about",
}
"""Dialogs that an action opens."""

PAGES = ("images", "curves", "confusion", "thresholds", "scores", "statistics")


def make_everything(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's path."""
    path, _ = driven(folder, monkeypatch)
    with ProjectFile.open(path) as file:
        pixels = np.random.default_rng(0).integers(0, 4000, (1, 5, 48, 48)).astype(np.uint16)
        mask = np.ones((5, 48, 48), np.uint8)
        mask[:, 10:20, 10:20] = 2
        file.add_images([NewImage(open_array("volume", pixels), "train", mask)])
        for number, name in enumerate(("first try", "with more images", "wider network")):
            record_run(file, name, quality=0.9 - 0.1 * number, seed=number)
        record_run(file, "no memory left", end="failed", message="The memory was not enough.")
    return path


@contextmanager
def all_places(
    folder: Path, *, theme_name: str = "light", text_size: int = 100
) -> Iterator[Places]:
    """The window in a home of its own, closed at the end; for the tests of a whole module."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("ORGSEG_HOME", str(folder / "home"))
        monkeypatch.setattr("orgseg_app.gui.runs.device_line.DELAY_MS", 10**8)
        theme.apply(app, theme_name, text_size)
        places = Places(folder, monkeypatch)
        places.window.settings.theme, places.window.settings.text_size = theme_name, text_size
        try:
            yield places
        finally:
            places.hand.close()
            app.setStyleSheet("")
            theme.watcher.theme, theme.watcher.text_scale = theme.LIGHT, 1.0
            app.setFont(theme.font())


class Places:
    """The window, and how to get everywhere in it.

    Attributes
    ----------
    hand
        At the window.
    path
        The project's.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = make_everything(folder, monkeypatch)
        self.hand = Hand()

    @property
    def window(self) -> MainWindow:
        """The main window."""
        return self.hand.window

    def open(self) -> None:
        """Open the project, and wait until all of it was read."""
        self.hand.open(self.path)
        parts = self.hand.parts
        self.hand.wait(lambda: len(parts.runs.all()) >= 4, 30, "the runs")
        self.window.messages.close_all()

    def all(self) -> Iterator[tuple[str, QWidget]]:
        """Start page, workspaces, dialogs."""
        self.hand.rest()
        yield "start", self.window
        self.open()
        yield from self.workspaces()
        yield from self.dialogs()

    def workspaces(self) -> Iterator[tuple[str, QWidget]]:
        """All that is seen in the window itself, by name."""
        hand, parts = self.hand, self.hand.parts
        hand.action("workspace_annotate")
        yield "annotate", self.window
        for tool in TOOLS:
            hand.action(f"tool_{tool}")
            yield f"tool {tool}", parts.tool_panel
        hand.action("tool_brush")
        hand.session.select_image(hand.images[-1].image_id)
        hand.action("objects_mode")
        hand.action("make_objects")
        hand.action("toggle_sections")
        hand.action("object_table")
        hand.settle()
        hand.action("group_objects")
        hand.settle()
        yield "objects", self.window
        for action in ("object_table", "objects_mode", "toggle_sections"):
            hand.action(action)
        hand.action("workspace_train")
        hand.settle()
        yield "train", self.window
        parts.training.form.set_advanced(True)
        hand.rest()
        yield "train, all fields", parts.training
        hand.action("workspace_export")
        hand.settle()
        yield "export", self.window
        yield from self._compared()

    def _compared(self) -> Iterator[tuple[str, QWidget]]:
        hand, parts = self.hand, self.hand.parts
        hand.action("workspace_compare")
        results = parts.results
        parts.compare.show_page("runs")
        hand.wait(lambda: len(results.results.rows) >= 3, 30, "the scores")
        for page in PAGES:
            results.pages.show_page(page)
            hand.settle()
            yield f"compare, {page}", self.window
        for kind in ("swipe", "flicker", "side_by_side"):
            hand.action(f"compare_{kind}")
            hand.settle()
            yield f"compare, {kind}", self.window
        hand.action("show_studies")
        studies = parts.compare.studies
        hand.wait(lambda: studies.study.results is not None, 30, "the study")
        yield "studies", self.window
        parts.compare.show_page("runs")

    def dialogs(self) -> Iterator[tuple[str, QWidget]]:
        """Every dialog, open."""
        for name, action in DIALOGS.items():
            with self.opened(partial(self.hand.action, action)) as dialog:
                yield name, dialog
        yield from self._other_dialogs()

    def _other_dialogs(self) -> Iterator[tuple[str, QWidget]]:
        hand, window = self.hand, self.window
        with self.opened(lambda: hand.action("add_predictions")) as dialog:
            yield "predictions", dialog
        first = hand.parts.runs.trainings()[0]
        with self.opened(
            lambda: ExaminationDialog(hand.parts.runs, first.run_id, window).show()
        ) as dialog:
            yield "examination", dialog
        question = QuestionDialog("Remove it?", "It is gone for good then. " * 4, "Remove", window)
        with self.opened(question.show) as dialog:
            yield "question", dialog

    @contextmanager
    def opened(self, act: Callable[[], object]) -> Iterator[QWidget]:
        """The window that an act opens, closed at the end."""
        before = set(_windows())
        act()
        self.hand.wait(lambda: set(_windows()) - before, 20, "a dialog")
        dialog = next(iter(set(_windows()) - before))
        self.hand.settle()
        yield dialog
        dialog.close()
        dialog.deleteLater()
        self.hand.rest()


def _windows() -> list[QWidget]:
    return [w for w in QApplication.topLevelWidgets() if w.isVisible() and isinstance(w, QDialog)]
