"""A small real project behind a session, and what every panel is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QScrollBar,
    QWidget,
)

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.project_file import NewImage
from orgseg_app.gui.session import Session

SPLITS = ("train", "validation", "test")
CONTROLS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
)


def open_session(folder: Path, images: int = 6) -> Session:
    """Images img_00, img_01 (painted half with class 2), …, splits in turn; the first is chosen."""
    session = Session()
    session.create_project(folder / "cells ü.orgseg", default_classes(["ER", "nucleus"]))
    rng = np.random.default_rng(0)
    items = []
    for number in range(images):
        mask = np.zeros((64, 80), np.uint8)
        if number == 1:
            mask[:32] = 2
        pixels = rng.integers(0, 4000, (64, 80)).astype(np.uint16)
        name = f"img_{number:02d}"
        items.append(NewImage(open_array(name, pixels), SPLITS[number % 3], mask))
    assert session.file is not None
    session.file.add_images(items)
    session.images_changed.emit()
    session.select_image(image_id(session, "img_00"))
    return session


def image_id(session: Session, name: str) -> str:
    """Id of the image with this name."""
    assert session.project is not None
    return next(i.image_id for i in session.project.images.values() if i.name == name)


def nameless_controls(widget: QWidget) -> list[str]:
    """Controls of a widget that a screen reader could only call a control."""
    return [
        f"{type(control).__name__} {control.objectName()}"
        for control in controls(widget)
        if not accessible_name(control)
    ]


def controls(widget: QWidget) -> Iterator[QWidget]:
    """Everything in a widget that one can act on, without the inner parts of Qt's own."""
    for child in (widget, *widget.findChildren(QWidget)):
        parent = child.parent()
        inner = isinstance(parent, QAbstractSpinBox | QComboBox | QLineEdit)
        if isinstance(child, CONTROLS) and not isinstance(child, QScrollBar) and not inner:
            yield child


def accessible_name(widget: QWidget) -> str:
    """What a screen reader says."""
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name) if interface is not None else ""
