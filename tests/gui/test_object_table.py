"""The table of objects, what is done with those chosen, and objects made with settings: by mouse
and keys in the real window.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.image import open_array
from orgseg_app.core.object_review.survey import ObjectColumns
from orgseg_app.core.object_review.suspicion import judged
from orgseg_app.files.images.intake import NewImage
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.gui.canvas import object_marks
from orgseg_app.gui.editing.object_review import Reviewed
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.gui.panels.object_table import ObjectTable
from orgseg_app.gui.panels.object_table_model import NUMBER, SIZE, Filter, ObjectTableModel
from orgseg_app.settings import Settings

LEFT = Qt.MouseButton.LeftButton
PLAIN = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier
ALT = Qt.KeyboardModifier.AltModifier
SHAPE = (4, 150, 260)
TINY, TWINS, HOLED, OTHER = 7, 5, 3, 9
"""On plane 2, and on plane 1: two discs in one, one with a hole, one of another class."""


class Cells:
    """Nine objects: discs on plane 1, and one tiny one on plane 2."""

    title = "import"

    def apply(self, recorder: Recorder) -> None:
        y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
        numbers = np.zeros(SHAPE, np.uint32)
        for n in range(8):
            where = (y - 35 - 75 * (n // 4)) ** 2 + (x - 32 - 64 * (n % 4)) ** 2 < (14 + n % 2) ** 2
            numbers[1][where] = n + 1 if n + 1 != TINY else 10
        numbers[1][(y - 110) ** 2 + (x - 58) ** 2 < 15**2] = TWINS  # beside the one at 32
        numbers[1][34:37, 159:162] = 0
        numbers[2, 140:142, 250:252] = TINY
        classes = np.where(numbers > 0, 2, 1).astype(np.uint8)
        classes[numbers == 8] = 3
        for z in range(SHAPE[0]):
            recorder.put(z, 0, 0, classes[z], numbers[z])


@pytest.fixture
def window(tmp_path: Path, qtbot: QtBot) -> Iterator[MainWindow]:
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.resize(1100, 760)
    window.show()
    session = window.session
    session.create_project(tmp_path / "cells.orgseg", default_classes(["nucleus", "vesicle"]))
    file = session.file
    assert isinstance(file, ProjectFile)
    source = open_array("cells", np.zeros(SHAPE, np.uint8), pixel_size_um=(1.0, 0.5, 0.5))
    file.add_images([NewImage(source)])
    session.images_changed.emit()
    session.select_image(next(iter(file.project.images)))
    canvas = window.ensure_parts().canvas
    qtbot.waitUntil(lambda: canvas.is_shown)
    session.objects.flip()
    session.apply(Cells())
    session.select_plane(1)
    qtbot.waitUntil(lambda: canvas.is_shown)
    canvas.setFocus()
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)  # or no shortcut is heard
    yield window
    session.background.wait()
    qtbot.waitUntil(lambda: session.background.is_idle)
    window.close()


@pytest.fixture
def table(window: MainWindow, qtbot: QtBot) -> ObjectTable:
    """Opened by its key, with the objects known."""
    press(window.ensure_parts().canvas, Qt.Key.Key_T, SHIFT)
    table = window.ensure_parts().object_table
    qtbot.waitUntil(table.isVisible)
    qtbot.waitUntil(lambda: window.session.objects.review.found is not None)
    return table


def press(widget: QWidget, key: Qt.Key, modifiers: Qt.KeyboardModifier = PLAIN) -> None:
    widget.setFocus()
    QTest.keyClick(widget, key, modifiers)


def known(window: MainWindow, qtbot: QtBot) -> None:
    """Wait until the table says what is there now."""
    qtbot.waitUntil(lambda: window.session.objects.review.is_idle)


def listed(table: ObjectTable) -> list[int]:
    return [table.model.number(row) for row in range(table.model.rowCount())]


def state(window: MainWindow) -> tuple[bytes, bytes]:
    mask = window.session.mask()
    return mask.to_array().tobytes(), mask.objects.to_array().tobytes()


def spot(window: MainWindow, y: float, x: float) -> QPoint:
    return window.ensure_parts().canvas.to_widget(y, x).toPoint()


def test_rows_tell_what_each_object_is_and_sort_both_ways(
    window: MainWindow, table: ObjectTable
) -> None:
    assert len(listed(table)) == 9
    assert listed(table)[:2] == [TINY, TWINS] or set(listed(table)[:3]) >= {TINY, TWINS}
    texts = {n: table.model.place_of(n) for n in (TINY, HOLED, 8)}
    row = [table.model.data(table.model.index(texts[TINY], c)) for c in range(7)]
    assert row[:4] == ["7", "nucleus", "1", "3"], "4 voxels of 0.25 µm³, on plane 3"
    assert "tiny" in row[6]
    assert "µm³" in table.model.headerData(SIZE, Qt.Orientation.Horizontal)
    assert "1 hole" in table.model.data(table.model.index(texts[HOLED], 6))
    assert table.model.data(table.model.index(texts[8], 1)) == "vesicle"
    tip = table.model.data(table.model.index(texts[TINY], 0), Qt.ItemDataRole.ToolTipRole)
    assert "objects of its class" in tip
    header = table.view.horizontalHeader()
    place = QPoint(header.sectionPosition(SIZE) + 20, header.height() // 2)
    QTest.mouseClick(header.viewport(), LEFT, PLAIN, place)
    assert listed(table)[0] == TWINS, "the largest"
    QTest.mouseClick(header.viewport(), LEFT, PLAIN, place)
    assert listed(table)[0] == TINY
    table.view.selectRow(0)
    press(table.view, Qt.Key.Key_C, CONTROL)
    assert QGuiApplication.clipboard().text().splitlines()[1].startswith("7\tnucleus\t1\t3")


def test_a_row_leads_to_its_object_and_an_object_to_its_row(
    window: MainWindow, table: ObjectTable, qtbot: QtBot
) -> None:
    session, canvas = window.session, window.ensure_parts().canvas
    review = session.objects.review
    place = table.view.visualRect(table.model.index(table.model.place_of(TINY), 0)).center()
    QTest.mouseClick(table.view.viewport(), LEFT, PLAIN, place)
    assert review.chosen == (TINY,)
    assert session.z == 2
    view = canvas.view_state()
    assert (view.y, view.x) == (141, 251)
    qtbot.waitUntil(lambda: canvas.is_shown)
    outlined = canvas.grab().toImage()
    review.choose(())
    assert canvas.grab().toImage() != outlined
    session.select_plane(1)
    canvas.fit()
    qtbot.waitUntil(lambda: canvas.is_shown)
    QTest.mouseClick(canvas, LEFT, CONTROL, spot(window, 35, 32))
    assert review.chosen == (1,)
    assert [table.model.number(r) for r in table.view.chosen_rows()] == [1]
    QTest.mouseClick(canvas, LEFT, CONTROL | SHIFT, spot(window, 35, 96))
    assert review.chosen == (1, 2)
    assert {table.model.number(r) for r in table.view.chosen_rows()} == {1, 2}
    QTest.mouseClick(canvas, LEFT, CONTROL | SHIFT, spot(window, 35, 32))
    assert review.chosen == (2,)


def test_many_outlines_come_over_several_frames(
    window: MainWindow, table: ObjectTable, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_marks, "_NEW_AT_ONCE", 3)
    canvas, review = window.ensure_parts().canvas, window.session.objects.review
    canvas.fit()
    qtbot.waitUntil(lambda: canvas.is_shown)
    there = [n for n in listed(table) if n != TINY]
    assert len(there) == 8
    review.choose(there)
    lines = canvas._marks._lines
    lines.clear()
    some = canvas.grab().toImage()
    assert len(lines) == 3
    qtbot.waitUntil(lambda: len(lines) == 8)
    assert canvas.grab().toImage() != some


def test_all_of_it_is_done_by_keys_alone(
    window: MainWindow, table: ObjectTable, qtbot: QtBot
) -> None:
    session, canvas = window.session, window.ensure_parts().canvas
    review = session.objects.review
    press(canvas, Qt.Key.Key_F, CONTROL)
    assert table.search.hasFocus()
    QTest.keyClicks(table.search, "6")
    QTest.keyClick(table.search, Qt.Key.Key_Return)
    assert review.chosen == (6,)
    assert len(listed(table)) == 9, "a number is found, not filtered by"
    press(canvas, Qt.Key.Key_F, CONTROL)
    QTest.keyClicks(table.search, "tiny")
    QTest.keyClick(table.search, Qt.Key.Key_Return)
    assert listed(table) == [TINY] == list(review.chosen)
    table.search.clear()
    qtbot.waitUntil(lambda: len(listed(table)) == 9)
    suspicious = [n for n in listed(table) if _is_suspicious(window, n)]
    assert suspicious[0] == listed(table)[0]
    review.choose(())
    went = []
    for _ in range(len(suspicious) + 1):
        press(canvas, Qt.Key.Key_Z)
        went.append(review.chosen[0])
    assert went == [*suspicious, suspicious[0]], "and round again"
    press(canvas, Qt.Key.Key_Z, SHIFT)
    assert review.chosen == (suspicious[-1],)
    press(table.view, Qt.Key.Key_Down)
    assert len(review.chosen) == 1
    assert review.chosen != (suspicious[-1],)
    press(table.view, Qt.Key.Key_T, SHIFT)
    assert not table.isVisible()


def _is_suspicious(window: MainWindow, number: int) -> bool:
    found = window.session.objects.review.found
    assert found is not None
    return bool(found.suspicions.is_suspicious[found.columns.row_of(number)])


def test_what_is_done_is_one_step_that_undo_takes_back_to_the_byte(
    window: MainWindow, table: ObjectTable, qtbot: QtBot
) -> None:
    session, canvas = window.session, window.ensure_parts().canvas
    before, steps = state(window), len(session.history)
    everything = set(listed(table))
    session.select_class(3)
    for key, modifiers, chosen, left in (
        (Qt.Key.Key_J, CONTROL, (1, 2), everything - {1}),
        (Qt.Key.Key_Delete, CONTROL, (1, 8), everything - {1, 8}),
        (Qt.Key.Key_N, CONTROL | SHIFT, (), set(range(1, 10))),
        (Qt.Key.Key_F, CONTROL | SHIFT, (HOLED,), everything),
        (Qt.Key.Key_L, CONTROL | SHIFT, (1, 2), everything),
    ):
        session.objects.review.choose(chosen)
        press(canvas, key, modifiers)
        known(window, qtbot)
        assert set(listed(table)) == left == set(session.mask().objects.sizes())
        assert state(window) != before
        assert len(session.history) == steps + 1
        assert session.mask().value(1, 35, 32) == (
            {Qt.Key.Key_L: 3, Qt.Key.Key_Delete: 0}.get(key, 2)
        )
        press(canvas, Qt.Key.Key_Z, CONTROL)
        assert state(window) == before
        known(window, qtbot)
        assert set(listed(table)) == everything


def test_twins_are_split_as_the_picture_shows_first(
    window: MainWindow, table: ObjectTable, qtbot: QtBot
) -> None:
    session, canvas = window.session, window.ensure_parts().canvas
    before = state(window)
    session.objects.review.choose((TWINS,))
    press(canvas, Qt.Key.Key_J, CONTROL | SHIFT)
    dividing = session.objects.dividing
    qtbot.waitUntil(lambda: dividing.parts is not None)
    assert table.bar.title.text() == "Split object 5"
    assert dividing.count == 2
    assert state(window) == before, "nothing is done yet"
    qtbot.waitUntil(lambda: canvas.is_shown)
    shown = canvas.grab().toImage()
    QTest.keyClick(table.bar.slider.slider, Qt.Key.Key_Escape)
    assert dividing.number == 0
    assert canvas.grab().toImage() != shown
    press(canvas, Qt.Key.Key_J, CONTROL | SHIFT)
    qtbot.waitUntil(lambda: table.bar.make.isEnabled())
    QTest.mouseClick(table.bar.make, LEFT)
    known(window, qtbot)
    objects = session.mask().objects
    assert {objects.value(1, 110, 28), objects.value(1, 110, 62)} == {TWINS, 11}
    session.undo()
    assert state(window) == before


def test_what_is_small_is_seen_before_it_goes(
    window: MainWindow, table: ObjectTable, qtbot: QtBot
) -> None:
    session, canvas = window.session, window.ensure_parts().canvas
    before = state(window)
    press(canvas, Qt.Key.Key_Delete, CONTROL | SHIFT)
    assert session.objects.review.chosen == (TINY,)
    assert table.bar.said.text().startswith("1 of 9 objects are smaller")
    table.bar.slider.number.setValue(170)
    assert len(session.objects.review.chosen) > 2
    QTest.mouseClick(table.bar.cancel, LEFT)
    assert session.objects.review.chosen == ()
    assert state(window) == before
    press(canvas, Qt.Key.Key_Delete, CONTROL | SHIFT)
    QTest.mouseClick(table.bar.make, LEFT)
    known(window, qtbot)
    assert TINY not in listed(table)
    session.undo()
    assert state(window) == before


def test_objects_are_made_as_the_sliders_say_and_only_when_taken(
    window: MainWindow, qtbot: QtBot
) -> None:
    parts, session = window.ensure_parts(), window.session
    before, canvas = state(window), parts.canvas
    press(canvas, Qt.Key.Key_O, CONTROL | SHIFT)
    maker, preview = parts.object_maker, parts.object_maker.preview
    assert maker.isVisible()

    def settled() -> bool:
        return preview.is_idle and preview.tried is not None and preview.tried.is_whole

    qtbot.waitUntil(settled)
    assert preview.tried is not None
    assert preview.tried.count == 9, "the twins are two"
    maker.sliders["seeds"].number.setValue(0.05)
    qtbot.waitUntil(lambda: settled() and preview.tried.count == 8)
    shown = canvas.grab().toImage()
    assert state(window) == before
    QTest.keyClick(maker.sliders["seeds"].slider, Qt.Key.Key_Escape)
    assert not maker.isVisible()
    qtbot.waitUntil(lambda: canvas.grab().toImage() != shown)
    press(canvas, Qt.Key.Key_O, CONTROL | SHIFT)
    assert maker.sliders["seeds"].value() == 0.05, "as it was left"
    maker.sliders["seeds"].number.setValue(0.6)
    maker.sliders["min_size"].number.setValue(20)
    qtbot.waitUntil(settled)
    steps = len(session.history)
    QTest.mouseClick(maker.use_button, LEFT)
    qtbot.waitUntil(lambda: len(session.history) == steps + 1)
    objects = session.mask().objects
    assert objects.value(1, 110, 28) != objects.value(1, 110, 62)
    assert objects.value(2, 140, 250) == TINY, "another plane is left alone"
    assert objects.value(1, 35, 160) == objects.value(1, 35, 150), "the hole is filled"
    session.undo()
    assert state(window) == before


def test_settings_and_table_are_there_again_after_reopening(
    window: MainWindow, table: ObjectTable, qtbot: QtBot
) -> None:
    session, maker = window.session, window.ensure_parts().object_maker
    maker.sliders["smoothing"].number.setValue(3)
    path = session.path
    assert path is not None
    assert session.close_project()
    session.create_project(path.with_name("other.orgseg"), default_classes(["ER"]))
    assert maker.value().smoothing == 1
    assert not table.isVisible()
    assert session.close_project()
    session.open_project(path)
    qtbot.waitUntil(lambda: session.image is not None)
    assert maker.value().smoothing == 3
    qtbot.waitUntil(table.isVisible)
    qtbot.waitUntil(lambda: len(listed(table)) == 9)


def test_a_hundred_thousand_rows_are_sorted_and_filtered_as_columns() -> None:
    count = 100_000
    rng = np.random.default_rng(1)
    zeros, ones = np.zeros(count, np.int64), np.ones(count, np.int64)
    corner = np.zeros((count, 3), np.int64)
    columns = ObjectColumns(
        numbers=np.arange(1, count + 1, dtype=np.uint32),
        class_ids=(2 + np.arange(count) % 2).astype(np.uint8),
        voxels=rng.integers(80, 120, count),
        low=corner,
        high=corner + 1,
        centres=corner.astype(np.float64),
        planes=ones,
        missing=zeros,
        parts=ones,
        stray=zeros,
        holes=zeros,
        roundness=np.full(count, 0.9),
        at_border=zeros > 0,
        neighbours=zeros.astype(np.uint32),
        contact=zeros.astype(np.float64),
        foreign=zeros.astype(np.float64),
    )
    columns.voxels[[70_000, 99_999]] = 2, 5000
    classes = {info.class_id: info for info in default_classes(["nucleus", "vesicle"])}
    model = ObjectTableModel()
    model.show(Reviewed("a", columns, judged(columns)), classes, 1, None)
    assert {model.number(0), model.number(1)} == {70_001, 100_000}
    model.sort(SIZE, Qt.SortOrder.AscendingOrder)
    assert (model.number(0), model.number(count - 1)) == (70_001, 100_000)
    model.set_filter(Filter(words="tiny nuc"))
    assert [model.number(row) for row in range(model.rowCount())] == [70_001]
    model.set_filter(Filter(class_id=3))
    assert model.rowCount() == count // 2
    assert model.places_of([70_001, 2, 4]) == sorted(model.places_of([2, 4]))
    model.set_filter(Filter())
    model.sort(NUMBER, Qt.SortOrder.DescendingOrder)
    assert model.place_of(1) == count - 1
