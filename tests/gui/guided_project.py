"""A project of pictures whose one object is known: a bright disk on noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.core.edits.whole import ReplaceMask
from orgseg_app.core.image import open_array
from orgseg_app.files.project_file import NewImage
from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
from orgseg_app.gui.session import Session

LEFT = Qt.MouseButton.LeftButton
PLAIN = Qt.KeyboardModifier.NoModifier
SIDE, RADIUS = 300, 80.0


def disk() -> np.ndarray:
    """True inside a disk in the middle."""
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5 - SIDE / 2
    return np.hypot(y, x) < RADIUS


def open_guided(folder: Path) -> Session:
    """A volume of two planes, and a picture in colour; the first is chosen."""
    session = Session()
    session.create_project(folder / "guided.orgseg", default_classes(["ER", "nucleus"]))
    noise = np.random.default_rng(0).integers(0, 60, (2, SIDE, SIDE))
    volume = (np.where(disk(), 900, 200) + noise).astype(np.uint16)
    rgb = (volume[0] // np.array([4, 8, 8]).reshape(3, 1, 1))[:, None].astype(np.uint8)
    assert session.file is not None
    session.file.add_images(
        [
            NewImage(open_array("volume", volume), "train"),
            NewImage(open_array("colour", rgb, is_rgb=True), "train"),
        ]
    )
    session.select_image(next(iter(session.file.project.images)))
    return session


def two_squares(session: Session) -> None:
    """Two objects of one class, and one of another."""
    plane = np.zeros(session.mask().shape, np.uint8)
    plane[0, 40:60, 40:60] = plane[0, 40:60, 100:120] = 2
    plane[0, 200:220, 40:60] = 3
    session.apply(ReplaceMask(plane))


def spot(canvas: AnnotationCanvas, place: tuple[float, float]) -> QPoint:
    return canvas.to_widget(*place).toPoint()


def click(canvas: AnnotationCanvas, *places: tuple[float, float]) -> None:
    for place in places:
        QTest.mouseMove(canvas, spot(canvas, place))
        QTest.mouseClick(canvas, LEFT, PLAIN, spot(canvas, place))


def settle(session: Session, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: session.background.is_idle, timeout=20_000)


def painted(session: Session, class_id: int = 2) -> np.ndarray:
    return session.mask().plane(session.z) == class_id
