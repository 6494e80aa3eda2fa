"""Objects from paint to the last correction: painted as one, made apart, found, mended, kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.images.intake import NewImage
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.settings import Settings

LEFT = Qt.MouseButton.LeftButton
PLAIN = Qt.KeyboardModifier.NoModifier
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def drag(canvas: AnnotationCanvas, start: tuple[float, float], end: tuple[float, float]) -> None:
    first, last = (canvas.to_widget(*place).toPoint() for place in (start, end))
    QTest.mouseMove(canvas, first)
    QTest.mousePress(canvas, LEFT, PLAIN, first)
    QTest.mouseMove(canvas, last)
    QTest.mouseRelease(canvas, LEFT, PLAIN, last)


def press(canvas: AnnotationCanvas, key: Qt.Key, modifiers: Qt.KeyboardModifier = PLAIN) -> None:
    canvas.setFocus()
    QTest.keyClick(canvas, key, modifiers)


def test_cells_are_painted_made_apart_mended_and_kept(tmp_path: Path, qtbot: QtBot) -> None:
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.resize(1100, 760)
    window.show()
    session, path = window.session, tmp_path / "cells.orgseg"
    session.create_project(path, default_classes(["nucleus"]))
    assert isinstance(session.file, ProjectFile)
    session.file.add_images([NewImage(open_array("cells", np.zeros((1, 200, 260), np.uint8)))])
    session.images_changed.emit()
    session.select_image(next(iter(session.file.project.images)))
    canvas = window.ensure_parts().canvas
    qtbot.waitUntil(lambda: canvas.is_shown)
    canvas.set_zoom(2.5)
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)  # or no shortcut is heard
    press(canvas, Qt.Key.Key_E, SHIFT)  # ellipses: two that touch, one apart, and a speck
    for start, end in (
        ((40, 40), (90, 90)),
        ((40, 84), (90, 134)),
        ((120, 60), (170, 110)),
        ((150, 200), (153, 203)),
    ):
        drag(canvas, start, end)

    press(canvas, Qt.Key.Key_O, CONTROL | SHIFT)  # make objects, with settings
    maker = window.ensure_parts().object_maker
    maker.sliders["min_size"].number.setValue(0)
    preview = maker.preview
    qtbot.waitUntil(lambda: preview.is_idle and preview.tried is not None)
    qtbot.waitUntil(lambda: preview.tried is not None and preview.tried.count == 4)
    QTest.mouseClick(maker.use_button, LEFT)
    objects = session.mask().objects
    qtbot.waitUntil(lambda: len(objects.sizes()) == 4)
    qtbot.waitUntil(lambda: not session.working.is_busy)
    made = objects.to_array()

    press(canvas, Qt.Key.Key_T, SHIFT)  # the table
    review = session.objects.review
    qtbot.waitUntil(lambda: review.found is not None)
    press(canvas, Qt.Key.Key_Delete, CONTROL | SHIFT)  # what is small
    table = window.ensure_parts().object_table
    assert len(review.chosen) == 1
    assert objects.value(0, 151, 201) == review.chosen[0]
    QTest.mouseClick(table.bar.make, LEFT)
    qtbot.waitUntil(lambda: review.is_idle and len(objects.sizes()) == 3)

    touching = objects.value(0, 65, 60), objects.value(0, 65, 115)
    assert touching[0] != touching[1]
    review.choose(touching)
    press(canvas, Qt.Key.Key_J, CONTROL)  # one after all
    qtbot.waitUntil(lambda: review.is_idle and len(objects.sizes()) == 2)
    press(canvas, Qt.Key.Key_J, CONTROL | SHIFT)  # and two again, where it is narrow
    qtbot.waitUntil(table.bar.make.isEnabled)
    QTest.mouseClick(table.bar.make, LEFT)
    qtbot.waitUntil(lambda: review.is_idle and len(objects.sizes()) == 3)
    assert objects.value(0, 65, 60) != objects.value(0, 65, 115)
    mended = objects.to_array()

    for _ in range(3):
        press(canvas, Qt.Key.Key_Z, CONTROL)
    assert np.array_equal(objects.to_array(), made)
    for _ in range(3):
        press(canvas, Qt.Key.Key_Z, CONTROL | SHIFT)
    assert np.array_equal(objects.to_array(), mended)
    assert session.close_project()
    session.open_project(path)
    assert np.array_equal(session.mask().objects.to_array(), mended)
    session.background.wait()
    qtbot.waitUntil(lambda: session.background.is_idle)
    window.close()
