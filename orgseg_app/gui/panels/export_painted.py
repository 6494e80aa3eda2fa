"""Which images of the project are painted, and which of their masks lie in a folder already."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from orgseg_app.core.project import ProjectImage
from orgseg_app.files.export import MASK_FORMATS, PNG, unique_names
from orgseg_app.gui.background import Task
from orgseg_app.gui.session import Session

LOOK_DELAY_MS = 250


class PaintedImages(QObject):
    """Keeps count off the window's thread, while somebody looks.

    Attributes
    ----------
    images
        Painted images in the project's order; None until they are counted.
    existing
        How many files of an export are in its folder already.

    Signals
    -------
    changed()
    """

    changed = Signal()

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.images: list[ProjectImage] | None = None
        self.existing = 0
        self._is_active = False
        self._path = session.path
        self._is_counting = False
        self._target: tuple[Path, tuple[str, ...]] | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(LOOK_DELAY_MS)
        self._timer.timeout.connect(self._look)
        session.mask_changed.connect(lambda *_: self._look_soon())
        session.images_changed.connect(self._look_soon)
        session.project_changed.connect(self._on_project_changed)

    def set_active(self, active: bool) -> None:
        """Look now and whenever something is painted; or not at all."""
        self._is_active = active
        if active:
            self._look()
        else:
            self._timer.stop()

    def set_target(self, folder: Path | None, formats: Sequence[str]) -> None:
        """Look for files of an export into this folder."""
        target = (folder, tuple(formats)) if folder is not None else None
        if target != self._target:
            self._target = target
            self.existing = 0
            self._look_soon()

    def look_again(self) -> None:
        """The folder may have changed."""
        self._look_soon()

    def _look_soon(self) -> None:
        if self._is_active:
            self._timer.start()

    def _on_project_changed(self) -> None:
        if self.session.path == self._path:
            return  # another name
        self._path = self.session.path
        self.images, self.existing = None, 0
        self.changed.emit()
        self._look_soon()

    def _look(self) -> None:
        file = self.session.file
        if file is None:
            return
        if self._is_counting:
            self._timer.start()
            return
        self._is_counting = True
        images = list(file.project.images.values())
        target, here = self._target, self.session.image_id
        # It may change under the hand: counted here, block by block.
        known = {here: bool(file.counts(here))} if here in file.project.images else {}

        def work(task: Task) -> tuple[list[ProjectImage], int]:
            painted = [
                image
                for image in images
                if known.get(image.image_id)
                or (image.image_id not in known and _is_painted(file, image.image_id))
            ]
            return painted, existing_files(painted, *target) if target is not None else 0

        def on_success(found: tuple[list[ProjectImage], int]) -> None:
            self._is_counting = False
            if self.session.file is file:
                self.images = found[0]
                if target == self._target:
                    self.existing = found[1]
                self.changed.emit()

        def on_failure(error: Exception) -> None:
            self._is_counting = False
            if self.session.file is file:
                self.session.report_error(error)

        self.session.background.start("Counting painted images", work, on_success, on_failure)


def _is_painted(file: object, image_id: str) -> bool:
    from orgseg_app.files.project_file import ProjectFile

    assert isinstance(file, ProjectFile)
    return image_id in file.project.images and bool(file.counts(image_id))


def existing_files(images: Sequence[ProjectImage], folder: Path, formats: Sequence[str]) -> int:
    """How many images have a file in the folder that an export would write.

    Parameters
    ----------
    images
        In the order in which they are exported, on which their file names depend.
    folder
        Need not exist.
    formats
        Keys of `MASK_FORMATS`.
    """
    try:
        there = {name.casefold() for name in os.listdir(folder)}
    except OSError:
        return 0
    count = 0
    for image, stem in zip(images, unique_names([i.name for i in images]), strict=True):
        names = [_first_file(stem, image.shape[1], form) for form in formats]
        count += any(name.casefold() in there for name in names)
    return count


def _first_file(stem: str, depth: int, form: str) -> str:
    """Name of the (first) file of an image: a stack as PNG has one a plane."""
    suffix = MASK_FORMATS[form].suffix
    if form == PNG and depth > 1:
        return f"{stem}_z{1:0{max(3, len(str(depth)))}}{suffix}"
    return f"{stem}{suffix}"
