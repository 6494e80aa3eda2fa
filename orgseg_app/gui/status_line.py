"""The status line: where the pointer is, what is painted, what the tool does."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QWidget

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.gui.panels.images_list import percent
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import ElidedLabel

if TYPE_CHECKING:
    from orgseg_app.gui.session import Session

MOST_OF_HINT = 0.45
"""Share of the line."""


class StatusLine(QFrame):
    """One quiet line under everything."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("statusLine")
        self.session = session
        theme.hold(self, height=26)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 0, 16, 0)
        row.setSpacing(16)
        self.place, self.painted, self.hint = (ElidedLabel() for _ in range(3))
        for label in (self.place, self.painted, self.hint):
            label.setProperty("role", "caption")
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.hint.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.place, 4)
        row.addWidget(self.painted, 3)
        row.addWidget(self.hint)
        self._pointer: tuple[float, float] = (math.nan, math.nan)
        self._place_timer = QTimer(self, singleShot=True, interval=30)
        self._place_timer.timeout.connect(self._show_place)
        self._painted_timer = QTimer(self, singleShot=True, interval=200)
        self._painted_timer.timeout.connect(self._show_painted)
        session.mask_changed.connect(lambda *_: self._later(self._painted_timer))
        session.image_selected.connect(self._on_image_selected)
        session.classes_changed.connect(lambda: self._later(self._painted_timer))
        session.plane_selected.connect(lambda _: self._later(self._place_timer))

    def show_hint(self, text: str) -> None:
        """What the tool in the hand does."""
        self.hint.setText(text)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A hint takes what it needs, if that is not too much, and leaves the rest."""
        super().resizeEvent(event)
        self.hint.setMaximumWidth(int(self.width() * MOST_OF_HINT))

    def on_hovered(self, y: float, x: float) -> None:
        """The pointer is over this place of the image, or nowhere (NaN)."""
        self._pointer = (y, x)
        self._later(self._place_timer)

    @staticmethod
    def _later(timer: QTimer) -> None:
        if not timer.isActive():
            timer.start()

    def _on_image_selected(self, image_id: str) -> None:
        self._show_painted()
        self._show_place()

    def _show_place(self) -> None:
        image, session = self.session.image, self.session
        if image is None:
            self.place.setText("")
            return
        parts = []
        if image.shape[1] > 1:
            parts.append(f"z {session.z + 1}/{image.shape[1]}")
        moments = session.series()
        if len(moments) > 1:
            parts.append(f"t {moments.index(session.image_id) + 1}/{len(moments)}")
        y, x = self._pointer
        if not math.isnan(y):
            row, column = math.floor(y), math.floor(x)
            if 0 <= row < image.shape[2] and 0 <= column < image.shape[3]:
                parts.append(f"y {row} · x {column}")
                values = session.voxel(row, column)
                if values is not None:
                    parts.append("value " + ", ".join(f"{v:g}" for v in values.tolist()))
                class_id = session.mask().value(session.z, row, column)
                found = session.project.class_of(class_id) if session.project else None
                name = "unlabelled" if class_id == UNLABELLED else found and found.name
                parts.append(name or f"class {class_id}")
                number = session.mask().objects.value(session.z, row, column)
                if number:
                    parts.append(f"object {number}")
        if not parts:
            parts.append(" × ".join(str(n) for n in image.short_shape) + f" · {image.dtype}")
        self.place.setText(" · ".join(parts))

    def _show_painted(self) -> None:
        if self.session.image is None:
            self.painted.setText("")
            return
        share = self.session.painted()
        parts = [
            f"{c.name} {percent(share[c.class_id])}"
            for c in self.session.classes
            if share.get(c.class_id)
        ]
        rest = 1 - sum(share.values())
        if rest > 1e-9:
            parts.append(f"unlabelled {percent(rest)}" if parts else "nothing painted yet")
        self.painted.setText(" · ".join(parts))
