"""Every tool on images that are hardly any, or hold what is hardly a value."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.core.edits.whole import PaintRest
from orgseg_app.core.image import open_array
from orgseg_app.files.project_file import NewImage
from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
from orgseg_app.gui.canvas.options import DisplayOptions, ToolOptions
from orgseg_app.gui.canvas.tool_settings import LARGEST
from orgseg_app.gui.canvas.tools.registry import TOOLS
from orgseg_app.gui.session import Session
from tests.e2e.hand import check_sentence

LEFT = Qt.MouseButton.LeftButton
PLAIN = Qt.KeyboardModifier.NoModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
CTRL = Qt.KeyboardModifier.ControlModifier


def odd_images() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    holes = rng.normal(0, 1, (40, 50)).astype(np.float32)
    holes[rng.random((40, 50)) < 0.3] = np.nan
    holes[5:8], holes[20:22] = np.inf, -np.inf
    bright = np.full((40, 50), 65535, np.uint16)
    bright[10:20] = 0
    return {
        "one voxel": np.full((1, 1), 7, np.uint8),
        "one row": rng.integers(0, 255, (1, 40)).astype(np.uint8),
        "one column": rng.integers(0, 255, (40, 1)).astype(np.uint16),
        "thin stack": rng.integers(0, 255, (3, 1, 5)).astype(np.uint8),
        "stack": rng.integers(0, 255, (3, 30, 40)).astype(np.uint8),
        "two channels": rng.integers(0, 4000, (2, 1, 40, 50)).astype(np.uint16),
        "not a number": holes,
        "nothing but NaN": np.full((40, 50), np.nan, np.float32),
        "yes or no": (rng.random((40, 50)) < 0.5).astype(np.uint8),
        "all the same": np.zeros((40, 50), np.uint16),
        "as bright as can be": bright,
    }


@pytest.fixture
def session(tmp_path: Path, qtbot: QtBot) -> Iterator[Session]:
    session = Session()
    session.create_project(tmp_path / "odd.orgseg", default_classes(["ER", "nucleus"]))
    assert session.file is not None
    images = [NewImage(open_array(name, values)) for name, values in odd_images().items()]
    colours = np.random.default_rng(1).integers(0, 255, (3, 1, 40, 50)).astype(np.uint8)
    images.append(NewImage(open_array("colours", colours, is_rgb=True)))
    session.file.add_images(images)
    yield session
    session.close_project()


@pytest.fixture
def canvas(session: Session, qtbot: QtBot) -> AnnotationCanvas:
    canvas = AnnotationCanvas(session, ToolOptions(session), DisplayOptions(session))
    qtbot.addWidget(canvas)
    canvas.resize(400, 300)
    canvas.show()
    return canvas


class Hand:
    """Presses, drags and keys over one image, with everything that is said meanwhile."""

    def __init__(self, canvas: AnnotationCanvas, qtbot: QtBot) -> None:
        self.canvas, self.session, self.qtbot = canvas, canvas.session, qtbot
        self.said: list[tuple[str, str]] = []
        self.session.message.connect(lambda text, level: self.said.append((level, text)))

    def drag(self, *places: tuple[float, float], keys: Qt.KeyboardModifier = PLAIN) -> None:
        spots: list[QPoint] = [self.canvas.to_widget(*place).toPoint() for place in places]
        QTest.mouseMove(self.canvas, spots[0] + QPoint(1, 1))
        QTest.mouseMove(self.canvas, spots[0])
        QTest.mousePress(self.canvas, LEFT, keys, spots[0])
        for spot in spots[1:]:
            QTest.mouseMove(self.canvas, spot)
        QTest.mouseRelease(self.canvas, LEFT, keys, spots[-1])
        self.settle()

    def key(self, key: Qt.Key, keys: Qt.KeyboardModifier = PLAIN) -> None:
        QTest.keyClick(self.canvas, key, keys)
        self.settle()

    def settle(self) -> None:
        self.qtbot.waitUntil(lambda: self.session.background.is_idle, timeout=10_000)

    def everything(self, size: tuple[int, int]) -> None:
        """What a hand can do with a tool: inside, across the edges, beside, by keys."""
        height, width = size
        middle = (height / 2, width / 2)
        self.drag(middle)
        self.drag((0.5, 0.5), middle, (height - 0.5, width - 0.5))
        self.drag((-30.0, -40.0), (height + 30.0, width + 40.0), (height + 30.0, -20.0))
        self.drag((-60.0, -50.0), (-40.0, -55.0), (-30.0, -60.0))  # wholly beside
        for keys in (SHIFT, ALT, CTRL, SHIFT | ALT):
            self.drag(middle, (middle[0] + 3, middle[1] + 2), keys=keys)
        spot = self.canvas.to_widget(*middle).toPoint()
        QTest.mouseDClick(self.canvas, LEFT, PLAIN, spot)
        QTest.mouseRelease(self.canvas, LEFT, PLAIN, spot)
        self.settle()
        for key in (
            Qt.Key.Key_Right,
            Qt.Key.Key_Return,
            Qt.Key.Key_Down,
            Qt.Key.Key_Left,
            Qt.Key.Key_Return,
            Qt.Key.Key_Backspace,
            Qt.Key.Key_Escape,
            Qt.Key.Key_Escape,
        ):
            self.key(key)
        self.key(Qt.Key.Key_Return, CTRL)
        self.key(Qt.Key.Key_Escape)


SETTINGS: tuple[dict[str, Any], ...] = (
    {"brush_size": 1, "superpixel_size": 4, "radius": 1, "scope": "object"},
    {"brush_size": 300, "footprint": "square", "superpixel_size": 200, "in_3d": True,
     "radius": 50, "scope": "plane", "operation": "smooth", "wand_contiguous": False},
    {"brush_size": 9, "limit": "otsu", "erase_limit": "otsu", "operation": "shrink",
     "scope": "class", "protect": True, "wand_tolerance": 0.0},
    {"brush_size": 9, "limit": "range", "erase_limit": "range", "limit_low": 3.0,
     "wand_tolerance": 100.0, "cut": "background"},
)  # fmt: skip


@pytest.mark.parametrize("number", range(len(SETTINGS)))
@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_does_something_sensible_or_says_why_not(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot, tool: str, number: int
) -> None:
    hand = Hand(canvas, qtbot)
    canvas.tools.set_tool(tool)
    for name, value in SETTINGS[number].items():
        canvas.tools.set_value(name, value)
    assert session.project is not None
    for image_id, image in session.project.images.items():
        session.select_image(image_id)
        hand.settle()
        canvas.set_zoom(3.0)
        session.select_class(2)
        if number % 2:
            session.apply(PaintRest(0, 3))
        start, steps = session.mask().to_array(), len(session.history.undoable())
        hand.everything((image.shape[2], image.shape[3]))
        assert session.recorder is None, image.name
        assert set(np.unique(session.mask().to_array())) <= {0, 1, 2, 3}, image.name
        for level, text in hand.said:
            assert level in ("info", "warning"), (image.name, text)
            check_sentence(text)
        hand.said.clear()
        while len(session.history.undoable()) > steps:
            session.undo()
        assert np.array_equal(session.mask().to_array(), start), image.name


def test_a_brush_larger_than_the_image_paints_all_of_it(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    hand = Hand(canvas, qtbot)
    canvas.tools.set_brush_size(300)
    assert session.project is not None
    for tool in ("brush", "ball"):
        canvas.tools.set_tool(tool)
        for image_id, image in session.project.images.items():
            session.select_image(image_id)
            hand.settle()
            canvas.set_zoom(3.0)
            hand.drag((image.shape[2] / 2, image.shape[3] / 2))
            planes = image.shape[1] if tool == "ball" else 1
            assert session.mask().counts() == {2: planes * image.shape[2] * image.shape[3]}
            session.undo()
            assert session.mask().is_empty


def test_limits_where_values_are_no_numbers(
    canvas: AnnotationCanvas, session: Session, qtbot: QtBot
) -> None:
    """Infinite is beyond every end that is set, and what is no number is in no range."""
    hand = Hand(canvas, qtbot)
    assert session.project is not None
    by_name = {image.name: image_id for image_id, image in session.project.images.items()}
    session.select_image(by_name["not a number"])
    hand.settle()
    canvas.set_zoom(3.0)
    canvas.tools.set_brush_size(200)
    canvas.tools.set_value("limit", "range")
    canvas.tools.set_value("limit_low", 0.5)
    canvas.tools.set_value("limit_high", 2.0)
    hand.drag((20, 25))
    values = odd_images()["not a number"]
    with np.errstate(invalid="ignore"):
        wanted = (values >= 0.5) & (values <= 2.0)
    assert np.array_equal(session.mask().plane(0) == 2, wanted)
    session.undo()
    canvas.tools.set_value("limit_high", LARGEST)
    hand.drag((20, 25))
    assert np.array_equal(session.mask().plane(0) == 2, wanted | (values > 2.0))
