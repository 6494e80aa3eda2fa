"""Shapes, fill, holes, wand and the commands without a tool, under mouse and keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.project_file import NewImage
from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.gui.session import Session
from orgseg_app.settings import Settings
from tests.gui.canvas_hand import canvas_on

LEFT = Qt.MouseButton.LeftButton
PLAIN = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier


@pytest.fixture
def session(tmp_path: Path, qtbot: QtBot) -> Iterator[Session]:
    """A plane with two bright squares on a dark, sloping ground, and an empty volume."""
    session = Session()
    session.create_project(tmp_path / "shapes.orgseg", default_classes(["ER", "nucleus"]))
    assert session.file is not None
    plane = np.linspace(0, 200, 400).astype(np.uint16)[None].repeat(300, axis=0)
    plane[100:140, 100:140] = plane[200:240, 300:340] = 3000
    volume = np.zeros((4, 300, 400), np.uint16)
    session.file.add_images(
        [NewImage(open_array("plane", plane)), NewImage(open_array("volume", volume))]
    )
    session.select_image(next(iter(session.file.project.images)))
    yield session
    session.close_project()


@pytest.fixture
def canvas(session: Session, qtbot: QtBot) -> AnnotationCanvas:
    return canvas_on(session, qtbot)


def spot(canvas: AnnotationCanvas, y: float, x: float) -> QPoint:
    return canvas.to_widget(y, x).toPoint()


def drag(
    canvas: AnnotationCanvas,
    *places: tuple[float, float],
    keys: Qt.KeyboardModifier = PLAIN,
    then: Qt.KeyboardModifier | None = None,
) -> None:
    """Press at the first place with some keys held, and lift at the last, with others perhaps."""
    QTest.mousePress(canvas, LEFT, keys, spot(canvas, *places[0]))
    for place in places[1:]:
        QTest.mouseMove(canvas, spot(canvas, *place))
    QTest.mouseRelease(canvas, LEFT, keys if then is None else then, spot(canvas, *places[-1]))


def painted_box(session: Session, class_id: int) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(session.mask().plane(session.z) == class_id)
    return int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1


# -- shapes --------------------------------------------------------------------------------------


def test_a_rectangle_is_dragged(canvas: AnnotationCanvas, session: Session) -> None:
    canvas.tools.set_tool("rectangle")
    drag(canvas, (50, 60), (80, 100), (90, 120))
    assert painted_box(session, 2) == (50, 60, 91, 121)
    assert session.painted()[2] * 300 * 400 == pytest.approx(41 * 61)
    assert session.history.next_undo().title == "rectangle"
    session.undo()
    assert session.mask().is_empty


@pytest.mark.parametrize("tool", ["rectangle", "ellipse"])
def test_shift_and_alt_at_the_end_of_a_drag_decide(
    canvas: AnnotationCanvas, session: Session, tool: str
) -> None:
    canvas.tools.set_tool(tool)
    drag(canvas, (100, 100), (120, 140), then=SHIFT)
    assert painted_box(session, 2) == (100, 100, 141, 141)
    session.undo()
    drag(canvas, (100, 100), (120, 140), then=ALT)
    assert painted_box(session, 2) == (80, 60, 121, 141)
    session.undo()
    drag(canvas, (100, 100), (120, 140), then=SHIFT | ALT)
    assert painted_box(session, 2) == (60, 60, 141, 141)
    session.undo()
    drag(canvas, (100, 100), (120, 140), keys=SHIFT | ALT, then=PLAIN)
    assert painted_box(session, 2) == (100, 100, 121, 141)


def test_an_ellipse_leaves_the_corners_of_its_box(
    canvas: AnnotationCanvas, session: Session
) -> None:
    canvas.tools.set_tool("ellipse")
    drag(canvas, (50, 60), (90, 120))
    assert painted_box(session, 2) == (50, 60, 91, 121)
    assert session.mask().value(0, 70, 90) == 2
    assert session.mask().value(0, 51, 61) == 0


@pytest.mark.parametrize("tool", ["rectangle", "ellipse", "lasso"])
def test_shapes_by_keys_alone(canvas: AnnotationCanvas, session: Session, tool: str) -> None:
    canvas.tools.set_tool(tool)
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Right):
        for _ in range(3):
            QTest.keyClick(canvas, key, SHIFT)
    assert session.mask().is_empty
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    y0, x0, y1, x1 = painted_box(session, 2)
    assert (y1 - y0, x1 - x0) == (31, 31)
    assert session.history.next_undo().title == tool
    QTest.keyClick(canvas, Qt.Key.Key_Return, SHIFT)
    for key in (Qt.Key.Key_Up, Qt.Key.Key_Up, Qt.Key.Key_Right):
        QTest.keyClick(canvas, key)
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    assert len(session.history) == 1


def test_a_lasso_fills_when_let_go(canvas: AnnotationCanvas, session: Session) -> None:
    canvas.tools.set_tool("lasso")
    drag(canvas, (50, 50), (50, 150), (150, 150), (150, 50))
    assert session.mask().value(0, 100, 100) == 2
    assert session.mask().value(0, 160, 100) == 0
    assert session.history.next_undo().title == "lasso"
    drag(canvas, (200, 200))  # a click draws nothing
    assert len(session.history) == 1


@pytest.mark.parametrize("tool", ["rectangle", "ellipse", "lasso"])
def test_the_outline_is_seen_and_escape_drops_it(
    canvas: AnnotationCanvas, session: Session, tool: str
) -> None:
    canvas.tools.set_tool("pan")
    plain = canvas.grab().toImage()
    canvas.tools.set_tool(tool)
    QTest.mousePress(canvas, LEFT, PLAIN, spot(canvas, 60, 60))
    for place in ((60, 200), (220, 200), (220, 60)):
        QTest.mouseMove(canvas, spot(canvas, *place))
    QTest.mouseMove(canvas, spot(canvas, 220, 200))
    assert canvas.grab().toImage() != plain
    QTest.keyClick(canvas, Qt.Key.Key_Escape)
    QTest.mouseRelease(canvas, LEFT, PLAIN, spot(canvas, 220, 200))
    assert session.mask().is_empty
    assert canvas.grab().toImage() == plain


def test_a_drag_that_ends_on_another_plane_paints_nothing(
    canvas: AnnotationCanvas, session: Session
) -> None:
    session.select_image(list(session.project.images)[1])
    for tool in ("rectangle", "lasso"):
        canvas.tools.set_tool(tool)
        session.select_plane(0)
        QTest.mousePress(canvas, LEFT, PLAIN, spot(canvas, 60, 60))
        QTest.mouseMove(canvas, spot(canvas, 90, 60))
        QTest.mouseMove(canvas, spot(canvas, 90, 90))
        session.select_plane(1)
        QTest.mouseRelease(canvas, LEFT, PLAIN, spot(canvas, 60, 90))
        assert session.mask().is_empty


# -- fill and holes ------------------------------------------------------------------------------


def ring(canvas: AnnotationCanvas, session: Session) -> None:
    """A square frame of class 2 with a hole from (110, 110) to (149, 149)."""
    canvas.tools.set_tool("rectangle")
    drag(canvas, (100, 100), (159, 159))
    drag_unlabelled(canvas, session, (110, 110), (149, 149))


def drag_unlabelled(
    canvas: AnnotationCanvas, session: Session, a: tuple[int, int], b: tuple[int, int]
) -> None:
    from orgseg_app.core.edits.outlines import PaintRectangle

    session.apply(PaintRectangle(session.z, (a[0], a[1], b[0] + 1, b[1] + 1), 0))


def to_place_by_keys(canvas: AnnotationCanvas, y: int, x: int) -> None:
    """Move the key cursor there; arrows alone."""
    QTest.keyClick(canvas, Qt.Key.Key_Right)
    for _ in range(200):
        here = canvas._pointer
        assert here is not None
        dy, dx = y + 0.5 - here[0], x + 0.5 - here[1]
        if abs(dy) >= 1:
            key = Qt.Key.Key_Down if dy > 0 else Qt.Key.Key_Up
            QTest.keyClick(canvas, key, SHIFT if abs(dy) >= 10 else PLAIN)
        elif abs(dx) >= 1:
            key = Qt.Key.Key_Right if dx > 0 else Qt.Key.Key_Left
            QTest.keyClick(canvas, key, SHIFT if abs(dx) >= 10 else PLAIN)
        else:
            return
    raise AssertionError("the cursor does not get there")


@pytest.mark.parametrize("by_keys", [False, True])
def test_fill_and_fill_holes(canvas: AnnotationCanvas, session: Session, by_keys: bool) -> None:
    def click(y: int, x: int) -> None:
        if by_keys:
            to_place_by_keys(canvas, y, x)
            QTest.keyClick(canvas, Qt.Key.Key_Return)
        else:
            drag(canvas, (y + 0.5, x + 0.5))

    ring(canvas, session)
    canvas.tools.set_tool("holes")
    click(130, 130)  # unlabelled: nothing is enclosed by it
    assert session.mask().value(0, 130, 130) == 0
    click(105, 130)
    assert session.mask().value(0, 130, 130) == 2
    assert session.history.next_undo().title == "fill holes"
    session.undo()
    session.select_class(3)
    canvas.tools.set_tool("fill")
    click(105, 130)
    assert session.mask().value(0, 105, 130) == 3
    assert session.mask().value(0, 130, 130) == 0
    click(130, 130)
    assert session.mask().read(0, 100, 100, 160, 160).min() == 3


def test_alt_makes_a_region_unlabelled(canvas: AnnotationCanvas, session: Session) -> None:
    ring(canvas, session)
    canvas.tools.set_tool("fill")
    drag(canvas, (105, 130), keys=ALT)
    assert session.mask().is_empty


def test_protection_keeps_what_lies_in_a_hole(canvas: AnnotationCanvas, session: Session) -> None:
    from orgseg_app.core.edits.outlines import PaintRectangle

    ring(canvas, session)
    session.apply(PaintRectangle(0, (120, 120, 130, 130), 3))
    canvas.tools.set_protect(True)
    canvas.tools.set_tool("holes")
    drag(canvas, (105, 130))
    assert session.mask().value(0, 125, 125) == 3
    assert session.mask().value(0, 112, 112) == 2
    canvas.tools.set_protect(False)
    drag(canvas, (105, 130))
    assert session.mask().value(0, 125, 125) == 2


def test_through_the_planes_is_worked_out_in_the_background(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    from orgseg_app.core.edits.outlines import PaintRectangle

    session.select_image(list(session.project.images)[1])
    for z in (0, 1, 2):
        session.apply(PaintRectangle(z, (50, 50, 100, 100), 2))
    session.apply(PaintRectangle(1, (60, 60, 70, 70), 0))
    session.select_plane(1)
    canvas.tools.set_value("in_3d", True)
    canvas.tools.set_tool("holes")
    drag(canvas, (55, 55))
    qtbot.waitUntil(lambda: session.mask().value(1, 65, 65) == 2)
    session.select_class(3)
    canvas.tools.set_tool("fill")
    drag(canvas, (55, 55))
    qtbot.waitUntil(lambda: session.mask().value(2, 65, 65) == 3)
    assert session.mask().counts() == {3: 3 * 50 * 50}
    assert session.history.next_undo().title == "fill"
    session.undo()
    assert session.mask().counts() == {2: 3 * 50 * 50}
    canvas.tools.set_value("in_3d", False)
    drag(canvas, (55, 55))
    assert session.mask().counts() == {2: 2 * 50 * 50, 3: 50 * 50}


def test_strokes_made_while_planes_are_filled_are_kept(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    from orgseg_app.core.edits.outlines import PaintRectangle

    session.select_image(list(session.project.images)[1])
    session.apply(PaintRectangle(0, (50, 50, 100, 100), 2))
    canvas.tools.set_value("in_3d", True)
    canvas.tools.set_tool("fill")
    session.select_class(3)
    drag(canvas, (55, 55))
    session.apply(PaintRectangle(0, (50, 50, 100, 60), 1))  # before the fill is back
    qtbot.waitUntil(lambda: session.background.is_idle)
    counts = session.mask().counts()
    assert counts == {1: 500, 3: 2000} or counts == {3: 500, 2: 2000}  # what is clicked at now


# -- wand ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_keys", [False, True])
def test_the_wand_paints_what_looks_alike(
    canvas: AnnotationCanvas, session: Session, by_keys: bool
) -> None:
    def click(y: int, x: int, keys: Qt.KeyboardModifier = PLAIN) -> None:
        if by_keys:
            to_place_by_keys(canvas, y, x)
            QTest.keyClick(canvas, Qt.Key.Key_Return, keys)
        else:
            drag(canvas, (y + 0.5, x + 0.5), keys=keys)

    canvas.tools.set_tool("wand")
    click(120, 120)
    assert painted_box(session, 2) == (100, 100, 140, 140)
    assert session.painted()[2] * 300 * 400 == pytest.approx(1600)
    click(220, 320)  # as well
    assert session.mask().counts() == {2: 3200}
    session.undo()
    assert painted_box(session, 2) == (100, 100, 140, 140)
    session.undo()
    assert session.mask().is_empty
    canvas.tools.set_value("wand_contiguous", False)
    click(120, 120)
    assert session.mask().counts() == {2: 3200}
    click(120, 120, ALT)
    assert session.mask().is_empty


def test_a_click_into_what_the_wand_painted_tries_another_tolerance(
    canvas: AnnotationCanvas, session: Session
) -> None:
    canvas.tools.set_tool("wand")
    canvas.display.set_levels(0, 0, 200)
    widths = []
    for share, keys in ((25.0, PLAIN), (5.0, PLAIN), (10.0, PLAIN), (2.5, SHIFT)):
        canvas.tools.set_value("wand_tolerance", share)
        drag(canvas, (20, 200), keys=keys)
        _, x0, _, x1 = painted_box(session, 2)
        widths.append(x1 - x0)
    assert widths == pytest.approx([200, 40, 80, 80], abs=4)  # Shift takes nothing away
    assert len(session.history) == 3  # the last one painted nothing new
    session.undo()
    session.undo()
    _, x0, _, x1 = painted_box(session, 2)
    assert x1 - x0 == widths[0]  # what was replaced is not lost


def test_what_is_done_between_two_clicks_of_the_wand_is_kept(
    canvas: AnnotationCanvas, session: Session
) -> None:
    canvas.tools.set_tool("wand")
    drag(canvas, (120, 120))
    session.select_class(3)
    drag(canvas, (220, 320))  # another class: nothing is replaced
    assert session.mask().counts() == {2: 1600, 3: 1600}
    canvas.tools.set_tool("rectangle")
    drag(canvas, (10, 10), (19, 19))
    canvas.tools.set_tool("wand")
    drag(canvas, (120, 120))
    assert session.mask().counts() == {3: 3300}


def test_tolerance_is_a_share_of_the_contrast_shown(
    canvas: AnnotationCanvas, session: Session
) -> None:
    canvas.tools.set_tool("wand")
    canvas.display.set_levels(0, 0, 200)
    canvas.tools.set_value("wand_tolerance", 25.0)  # 50 of the image's own values
    drag(canvas, (20, 200))
    y0, x0, y1, x1 = painted_box(session, 2)
    assert (y0, y1) == (0, 300)
    assert x1 - x0 == pytest.approx(200, abs=4)
    canvas.tools.set_value("wand_tolerance", 12.5)
    drag(canvas, (20, 200))
    _, x0, _, x1 = painted_box(session, 2)
    assert x1 - x0 == pytest.approx(100, abs=4)


def test_a_plane_that_is_not_loaded_is_searched_in_the_background(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    canvas.tools.set_tool("wand")
    session._planes.clear()
    drag(canvas, (120, 120))
    assert session.mask().is_empty
    qtbot.waitUntil(lambda: session.mask().counts() == {2: 1600})


# -- commands without a tool, in the real window -------------------------------------------------


@pytest.fixture
def window(session: Session, qtbot: QtBot) -> Iterator[MainWindow]:
    """The window with the project of the other tests."""
    path = session.path
    session.close_project()
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    window.session.open_project(path)
    canvas = window.ensure_parts().canvas
    qtbot.waitUntil(lambda: canvas.is_shown)
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window)
    canvas.setFocus()
    yield window
    window.close()


def test_commands_of_a_plane_by_keys(window: MainWindow) -> None:
    from orgseg_app.core.edits.outlines import PaintRectangle

    session, canvas = window.session, window.ensure_parts().canvas
    session.apply(PaintRectangle(0, (0, 0, 10, 10), 2))
    session.apply(PaintRectangle(0, (0, 10, 10, 30), 1))
    session.apply(PaintRectangle(0, (0, 30, 10, 60), 3))
    QTest.keyClick(canvas, Qt.Key.Key_X, SHIFT)
    assert session.mask().counts() == {1: 100, 2: 200, 3: 300}
    assert session.history.next_undo().title == "invert"
    QTest.keyClick(canvas, Qt.Key.Key_Backspace, Qt.KeyboardModifier.ControlModifier)
    assert session.mask().counts() == {1: 100, 3: 300}
    QTest.keyClick(canvas, Qt.Key.Key_B, Qt.KeyboardModifier.ControlModifier)
    assert session.mask().counts() == {1: 300 * 400 - 300, 3: 300}
    QTest.keyClick(
        canvas,
        Qt.Key.Key_Backspace,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
    )
    assert session.mask().is_empty
    for _ in range(4):
        QTest.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert session.mask().counts() == {1: 200, 2: 100, 3: 300}


def test_x_swaps_the_class_with_background_and_back(window: MainWindow) -> None:
    session, canvas = window.session, window.ensure_parts().canvas
    session.select_class(3)
    QTest.keyClick(canvas, Qt.Key.Key_X)
    assert session.class_id == 1
    QTest.keyClick(canvas, Qt.Key.Key_X)
    assert session.class_id == 3


@pytest.mark.parametrize(
    "tool, key, modifiers",
    [
        ("rectangle", Qt.Key.Key_R, SHIFT),
        ("ellipse", Qt.Key.Key_E, SHIFT),
        ("lasso", Qt.Key.Key_G, SHIFT),
        ("fill", Qt.Key.Key_F, PLAIN),
        ("holes", Qt.Key.Key_F, SHIFT),
        ("wand", Qt.Key.Key_W, PLAIN),
    ],
)
def test_keys_take_the_tools_in_the_hand(
    window: MainWindow, tool: str, key: Qt.Key, modifiers: Qt.KeyboardModifier
) -> None:
    QTest.keyClick(window.ensure_parts().canvas, key, modifiers)
    assert window.tools.tool == tool
    assert window.actions_by_id[f"tool_{tool}"].isChecked()
