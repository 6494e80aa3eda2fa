"""“Measure objects…”: from the menu to the table, the object on the canvas and the file."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from orgseg_app import settings
from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.core.measuring.measure import GROUPS
from orgseg_app.files import measured_images
from orgseg_app.files.predictions import Prediction, write_predictions
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.gui.panels.measure_dialog import MeasureDialog
from orgseg_app.runs.folder import runs_dir
from tests.gui.panel_session import nameless_controls
from tests.runs.test_comparison import make_run, random_pair

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A plane with one object and a stack of three with two, the second on its last plane."""
    path = tmp_path / "cells.orgseg"
    flat, deep = np.ones((1, 40, 50), np.uint8), np.ones((3, 40, 50), np.uint8)
    flat[0, 10:14, 10:14] = deep[0, 2:5, 2:5] = deep[2, 30:34, 40:44] = 2
    with ProjectFile.create(path, default_classes(["=cell"])) as file:
        file.add_images(
            NewImage(open_array(name, mask * np.uint8(50), pixel_size_um=(1, 0.5, 0.5)), mask=mask)
            for name, mask in (("flat", flat), ("deep", deep))
        )
        image_id = next(i.image_id for i in file.project.images.values() if i.name == "flat")
    run = make_run(runs_dir(path), "good", {"v": random_pair(1)}, split="validation")
    turned = np.where(flat == 2, 1, 2).astype(np.uint8)
    write_predictions(run.predictions_path, [Prediction(image_id, turned)])
    return path


@pytest.fixture
def window(path: Path, qtbot: QtBot) -> MainWindow:
    window = MainWindow(settings.load())
    qtbot.addWidget(window)
    window.show()
    window.commands.open_path(path)
    return window


def opened(window: MainWindow) -> MeasureDialog:
    window.actions_by_id["measure_objects"].trigger()
    dialog = window.commands.measuring.dialog
    assert dialog is not None
    return dialog


def measure(window: MainWindow, dialog: MeasureDialog, qtbot: QtBot) -> None:
    qtbot.mouseClick(dialog.measure_button, LEFT)
    qtbot.waitUntil(lambda: not dialog.measure_button.isHidden())


def cells(dialog: MeasureDialog, column: str) -> list[str]:
    model = dialog.objects.measurements
    at = [heading.name for heading in model.table.headings].index(column)
    return [str(model.data(model.index(row, at))) for row in range(model.rowCount())]


def test_measured_sorted_copied_and_found_on_the_canvas(window: MainWindow, qtbot: QtBot) -> None:
    dialog = opened(window)
    assert not dialog.save_button.isEnabled()
    qt_own = ("QHeaderView", "QAbstractButton qt_tableview")
    nameless = [n for n in nameless_controls(dialog) if not n.startswith(qt_own)]
    assert dialog.empty.button.isHidden()
    assert nameless == ["SecondaryButton "]  # that one
    measure(window, dialog, qtbot)
    assert dialog.said.text() == "3 objects on 2 images."
    assert cells(dialog, "image") == ["flat", "deep", "deep"]
    assert cells(dialog, "area_um2") == ["4", "", ""]
    assert cells(dialog, "volume_um3") == ["", "2.25", "4"]
    model = dialog.objects.measurements
    at = [heading.name for heading in model.table.headings].index("volume_um3")
    dialog.objects.sortByColumn(at, Qt.SortOrder.DescendingOrder)
    assert cells(dialog, "volume_um3") == ["4", "2.25", ""]  # what has none comes last
    place = dialog.objects.visualRect(model.index(0, 0)).center()
    qtbot.mouseClick(dialog.objects.viewport(), LEFT, pos=place)
    image, canvas = window.session.image, window.ensure_parts().canvas
    assert image is not None
    assert (image.name, window.session.z) == ("deep", 2)
    view = canvas.view_state()
    assert (view.y, view.x) == (32, 42)
    qtbot.mouseClick(dialog.copy_button, LEFT)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("image\tobject\tclass")
    assert lines[1].split("\t")[2] == "'=cell"  # no formula


def test_saved_with_every_column_explained(
    window: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog = opened(window)
    dialog.groups["network"].setChecked(True)
    dialog.background_check.setChecked(True)
    assert dialog.asked().groups == frozenset(GROUPS)
    measure(window, dialog, qtbot)
    assert "mean_above_background_channel_1" in [
        h.name for h in dialog.objects.measurements.table.headings
    ]
    target = tmp_path / "cells measured"

    def chosen(*_args: object) -> tuple[str, str]:
        return str(target), "CSV files (*.csv)"

    monkeypatch.setattr(QFileDialog, "getSaveFileName", chosen)
    (tmp_path / "cells measured_images.csv").write_text("mine")
    asked: list[str] = []

    def refuse(title: str, text: str, verb: str) -> bool:
        asked.append(text)
        return False

    monkeypatch.setattr(window.commands, "confirm", refuse)
    qtbot.mouseClick(dialog.save_button, LEFT)
    assert "cells measured_images.csv" in asked[0]
    assert not (tmp_path / "cells measured.csv").exists()
    (tmp_path / "cells measured_images.csv").unlink()
    qtbot.mouseClick(dialog.save_button, LEFT)
    qtbot.waitUntil(lambda: "written to" in dialog.said.text())
    assert (tmp_path / "cells measured.csv").is_file()
    assert "area_um2" in (tmp_path / "cells measured_columns.csv").read_text("utf-8-sig")


def test_what_a_model_predicted(window: MainWindow, qtbot: QtBot) -> None:
    dialog = opened(window)
    qtbot.waitUntil(lambda: dialog.of_box.findText("Predicted by good") > 0)
    dialog.of_box.setCurrentIndex(dialog.of_box.findText("Predicted by good"))
    dialog.groups["intensity"].setChecked(False)
    measure(window, dialog, qtbot)
    assert dialog.said.text() == "1 object on 1 image."
    assert cells(dialog, "voxels") == [str(40 * 50 - 16)]
    assert cells(dialog, "cut_by_border") == ["1"]


def test_cancelled_and_closed_while_it_measures(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = threading.Event(), threading.Event()
    real = measured_images.painted_image

    def held(*args: object, **more: object) -> object:
        entered.set()
        assert go_on.wait(30)
        return real(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(measured_images, "painted_image", held)
    dialog = opened(window)
    qtbot.mouseClick(dialog.measure_button, LEFT)
    qtbot.waitUntil(entered.is_set)
    assert dialog.cancel_button.isVisible()
    assert dialog.measure_button.isHidden()
    qtbot.mouseClick(dialog.cancel_button, LEFT)
    go_on.set()
    qtbot.waitUntil(lambda: not dialog.measure_button.isHidden())
    assert dialog.said.text() == "Measuring was given up."
    assert window.commands.measuring.tables is None
    entered.clear()
    go_on.clear()
    qtbot.mouseClick(dialog.measure_button, LEFT)
    qtbot.waitUntil(entered.is_set)
    dialog.close()
    go_on.set()
    window.session.close_project()
    assert window.commands.measuring.background.is_idle or window.commands.measuring.tables is None
