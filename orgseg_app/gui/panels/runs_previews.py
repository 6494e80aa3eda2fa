"""What a training makes of some planes while it learns: a small picture of each at every check."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QIcon, QImage, QPixmap, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QListView,
    QListWidget,
    QListWidgetItem,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.runs.run_entry import RunEntry, RunPreview
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.style.pictures import stretched
from orgseg_app.gui.style.widgets import (
    GAP,
    ElidedLabel,
    EmptyState,
    IconButton,
    SecondaryButton,
    plain_tip,
    surface,
)
from orgseg_app.runs.previews import MOST_PLANES

SIDE = 124
FILL = 0.45
EMPTY_TEXT = "What the network makes of a plane appears here after each check while it learns."
KEY = Qt.ItemDataRole.UserRole

Plane = tuple[str, int]
Picture = tuple[Plane, int, np.ndarray | str]
"""A plane, the step it was made at, and ``(h, w, 3)`` uint8 or why there is none."""


class RunPreviews(QWidget):
    """The newest previews of one run.

    Pictures are read and drawn in the background; double-clicking one opens its plane.

    Parameters
    ----------
    runs : RunsModel
    """

    def __init__(self, runs: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.runs = runs
        self._run_id = ""
        self._drawn: dict[Plane, tuple[int, str]] = {}
        self._asked: dict[str, list[Plane]] = {}
        self._is_drawing = False
        surface(self)
        self.setAccessibleName("Previews")
        self.words = ElidedLabel()
        self.words.setProperty("role", "caption")
        self.add = SecondaryButton("Watch this plane", "plus", quiet=True)
        self.add.setToolTip("Show what the network makes of the plane on the screen")
        self.add.clicked.connect(self._on_add)
        self.drop = IconButton("close", "Watch the chosen plane no more")
        self.drop.clicked.connect(self._on_drop)
        self.list = QListWidget(self)
        self.list.setAccessibleName("Previews")
        self.list.setViewMode(QListView.ViewMode.IconMode)
        self.list.setResizeMode(QListView.ResizeMode.Adjust)
        self.list.setMovement(QListView.Movement.Static)
        self.list.setIconSize(QSize(SIDE, SIDE))
        self.list.setGridSize(QSize(SIDE + 16, SIDE + 30))
        self.list.setUniformItemSizes(True)
        self.list.itemActivated.connect(self._on_activated)
        self.list.currentItemChanged.connect(lambda *_: self._show_buttons())
        self.empty = EmptyState(EMPTY_TEXT, icon_name="image")
        head = QHBoxLayout()
        head.setContentsMargins(12, 2, GAP, 2)
        head.addWidget(self.words, 1)
        head.addWidget(self.add)
        head.addWidget(self.drop)
        self._stack = QStackedLayout()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.list)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addLayout(self._stack, 1)
        runs.run_changed.connect(self._on_run_changed)
        runs.session.classes_changed.connect(self._on_classes_changed)
        runs.session.plane_selected.connect(self._on_place_changed)
        runs.session.image_selected.connect(self._on_place_changed)
        self._show()

    def set_run(self, run_id: str) -> None:
        """Show the previews of this run; "" for none."""
        if run_id != self._run_id:
            self._run_id = run_id
            self.list.clear()
            self._drawn.clear()
        self._show()

    def entry(self) -> RunEntry | None:
        """The run shown."""
        return self.runs.get(self._run_id)

    def watched(self) -> list[Plane]:
        """Planes that the run is asked for."""
        entry = self.entry()
        known = list(entry.previews) if entry is not None else []
        return list(self._asked.get(self._run_id, known))

    # -- showing -----------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what came while the page was away."""
        super().showEvent(event)
        QTimer.singleShot(0, self, self._show)

    def _on_run_changed(self, run_id: str) -> None:
        if run_id == self._run_id and self.isVisible():
            self._show()

    def _on_classes_changed(self) -> None:
        self._drawn.clear()
        if self.isVisible():
            self._show()

    def _on_place_changed(self, *_: object) -> None:
        self._show_buttons()

    def _show(self) -> None:
        entry = self.entry()
        previews = list(entry.previews.values()) if entry is not None else []
        self._stack.setCurrentWidget(self.list if previews else self.empty)
        last = max((preview.step for preview in previews), default=0)
        name = entry.name if entry is not None else ""
        self.words.setText(f"{name}, step {last}" if previews else "")
        self._show_buttons()
        if self.isVisible() and not self._is_drawing:
            self._draw([p for p in previews if self._drawn.get(_plane(p)) != (p.step, p.path)])

    def _show_buttons(self) -> None:
        entry, session = self.entry(), self.runs.session
        is_at_work = entry is not None and entry.is_active and entry.kind == "train"
        self.add.setVisible(is_at_work)
        here = (session.image_id, session.z)
        watched = self.watched()
        is_new = bool(session.image_id) and here not in watched
        self.add.setEnabled(is_at_work and is_new and len(watched) < MOST_PLANES)
        self.drop.setVisible(is_at_work)
        self.drop.setEnabled(self.list.currentRow() >= 0)

    def _draw(self, previews: list[RunPreview]) -> None:
        """Read and paint pictures in the background, one batch at a time."""
        entry, session = self.entry(), self.runs.session
        if not previews or entry is None or session.file is None:
            return
        file, folder, run_id = session.file, entry.run.path, self._run_id
        side = round(SIDE * self.devicePixelRatio())
        colours = {item.class_id: item.rgb for item in session.classes if item.class_id > 1}
        self._is_drawing = True
        for preview in previews:
            self._drawn[_plane(preview)] = (preview.step, preview.path)

        def work(task: Any) -> list[Picture]:
            return [_picture(file, folder, preview, colours, side) for preview in previews]

        def on_success(pictures: list[Picture]) -> None:
            self._is_drawing = False
            if self._run_id == run_id:
                for picture in pictures:
                    self._put(*picture)
            self._show()

        def on_failure(error: Exception) -> None:
            self._is_drawing = False

        session.background.start("Drawing previews", work, on_success, on_failure)

    def _put(self, plane: Plane, step: int, picture: np.ndarray | str) -> None:
        project = self.runs.session.project
        image = project.images.get(plane[0]) if project is not None else None
        name = image.name if image is not None else plane[0]
        title = name if image is None or image.shape[1] == 1 else f"{name}, z {plane[1] + 1}"
        item = self._item(plane)
        item.setText(title)
        if isinstance(picture, str):
            item.setIcon(QIcon())
            item.setToolTip(plain_tip(picture))
            item.setText(f"{title}: none")
            return
        item.setIcon(QIcon(_pixmap(picture, self.devicePixelRatio())))
        item.setToolTip(plain_tip(f"{title} at step {step}; double-click to open the plane"))
        item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{title} at step {step}")

    def _item(self, plane: Plane) -> QListWidgetItem:
        for row in range(self.list.count()):
            if self.list.item(row).data(KEY) == list(plane):
                return self.list.item(row)
        item = QListWidgetItem(self.list)
        item.setData(KEY, list(plane))
        item.setTextAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        return item

    # -- the person --------------------------------------------------------------------------------

    def _on_add(self) -> None:
        session = self.runs.session
        watched = self.watched()
        watched.append((session.image_id, session.z))
        self._ask(watched)
        self._show_buttons()

    def _on_drop(self) -> None:
        entry = self.entry()
        if self.list.currentRow() < 0 or entry is None:
            return
        item = self.list.currentItem()
        image_id, z = item.data(KEY)
        watched = self.watched()
        if (image_id, z) in watched:
            watched.remove((image_id, z))
        entry.previews.pop((image_id, z), None)
        self._drawn.pop((image_id, z), None)
        self.list.takeItem(self.list.row(item))
        self._ask(watched)
        self._show()

    def _ask(self, planes: list[Plane]) -> None:
        self._asked[self._run_id] = planes
        self.runs.request_previews(self._run_id, planes)

    def _on_activated(self, item: QListWidgetItem) -> None:
        image_id, z = item.data(KEY)
        project = self.runs.session.project
        if project is not None and image_id in project.images:
            self.runs.session.select_image(image_id, z)


def _plane(preview: RunPreview) -> Plane:
    return preview.image_id, preview.z


def _picture(
    file: Any, folder: Path, preview: RunPreview, colours: dict[int, Any], side: int
) -> Picture:
    """The plane in grey with the classes over it, no larger than `side` pixels."""
    import cv2

    plane = _plane(preview)
    image = file.project.images.get(preview.image_id)
    if image is None:
        return plane, preview.step, "This image is no longer in the project."
    if not preview.path:
        return plane, preview.step, preview.reason or "There is no picture of this plane."
    try:
        data = np.fromfile(folder / preview.path, np.uint8)
    except OSError:
        data = np.zeros(0, np.uint8)
    mask = _decoded(data) if data.size else None
    pixels = file.read_plane(preview.image_id, preview.z, to_look=True)
    if mask is None or mask.shape != pixels.shape[1:]:
        return plane, preview.step, "The picture of this plane could not be read."
    scale = min(1.0, side / max(mask.shape))
    size = (max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale)))
    channels = pixels[:3] if image.is_rgb else pixels.mean(axis=0, keepdims=True)
    small = [
        cv2.resize(channel.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        for channel in channels
    ]
    grey = stretched(np.stack([small[i % len(small)] for i in range(3)], axis=-1))
    if image.is_rgb and pixels.dtype == np.uint8:
        grey = np.stack(small, axis=-1).astype(np.uint8)
    ids = cv2.resize(np.asarray(mask), size, interpolation=cv2.INTER_NEAREST)
    for class_id, colour in colours.items():
        inside = ids == class_id
        grey[inside] = (1 - FILL) * grey[inside] + FILL * np.asarray(colour, np.float32)
    return plane, preview.step, grey


def _decoded(data: np.ndarray) -> np.ndarray | None:
    """A picture file's grey values, or None when it is none."""
    import cv2

    found: Any = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    return None if found is None else np.asarray(found)


def _pixmap(picture: np.ndarray, ratio: float) -> QPixmap:
    picture = np.ascontiguousarray(picture)
    height, width = picture.shape[:2]
    image = QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    pixmap = QPixmap.fromImage(image.copy())
    pixmap.setDevicePixelRatio(ratio)
    return pixmap
