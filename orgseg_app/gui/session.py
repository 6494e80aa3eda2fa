"""The session: the open project, its history, and the one door for changes.

Panels and tools never change a mask, a class or an image themselves: they call the session, which
makes the change, remembers it for undo, tells everybody through a signal, and saves it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from orgseg_app.core.classes import (
    BACKGROUND,
    ClassInfo,
    check_classes,
    next_class_id,
    palette_colour,
)
from orgseg_app.core.edits import Change, Edit, MergeClass, Recorder
from orgseg_app.core.history import History
from orgseg_app.core.mask import Box, Mask
from orgseg_app.core.project import Project, ProjectImage
from orgseg_app.gui.background import Background, Task

if TYPE_CHECKING:
    from orgseg_app.files.project_file import NewImage, ProjectFile

LOG = logging.getLogger(__name__)

SAVE_DELAY_MS = 800
LOOK_ONLY = "This project is open read-only, so nothing can be changed in it."

SAVED, SAVING, UNSAVED, FAILED, READ_ONLY = "saved", "saving", "unsaved", "failed", "read-only"


class Session(QObject):
    """The open project and what is being looked at.

    Signals
    -------
    project_changed()
        Another project is open, or none.
    images_changed()
        The list of images, a name, a split.
    classes_changed()
        Classes, their names or colours.
    image_selected(image_id)
        Another image is on the canvas; "" for none.
    plane_selected(z)
    class_selected(class_id)
    mask_changed(image_id, box)
        Voxels of a mask may differ inside the box.
    history_changed()
    save_state_changed(state, sentence)
        "saved", "saving", "unsaved", "failed" or "read-only"; the sentence explains a failure.
    message(text, level)
        For the person: level "info", "warning" or "error".
    """

    project_changed = Signal()
    images_changed = Signal()
    classes_changed = Signal()
    image_selected = Signal(str)
    plane_selected = Signal(int)
    class_selected = Signal(int)
    mask_changed = Signal(str, object)
    history_changed = Signal()
    save_state_changed = Signal(str, str)
    message = Signal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.file: ProjectFile | None = None
        self.history = History()
        self.background = Background(self)
        self.image_id = ""
        self.z = 0
        self.class_id = BACKGROUND + 1
        self.save_state = SAVED
        self._planes: dict[tuple[str, int], Any] = {}
        self._unreadable: dict[str, Mask] = {}
        self._removed_classes: dict[int, ClassInfo] = {}
        self._recorder: Recorder | None = None
        self._save_timer = QTimer(self)
        self._save_timer.setSingleShot(True)
        self._save_timer.setInterval(SAVE_DELAY_MS)
        self._save_timer.timeout.connect(self.save)

    # -- the project -----------------------------------------------------------------------------

    @property
    def project(self) -> Project | None:
        """Facts of the open project, or None."""
        return self.file.project if self.file else None

    @property
    def path(self) -> Path | None:
        """Where the open project lies."""
        return self.file.path if self.file else None

    @property
    def is_read_only(self) -> bool:
        """True when nothing may be changed."""
        return self.file is not None and self.file.read_only

    def create_project(self, path: Path, classes: Sequence[ClassInfo]) -> None:
        """Make a project and open it. Raises `FileError` with a sentence.

        The current project stays when it cannot be saved.
        """
        from orgseg_app.files.project_file import ProjectFile

        if self.finish_saving():
            self._adopt(ProjectFile.create(path, classes))

    def open_project(self, path: Path, *, read_only: bool = False, discard: bool = False) -> None:
        """Open a project in place of the current one. Raises `FileError` with a sentence.

        The current project stays when it cannot be saved, unless ``discard``.
        """
        from orgseg_app.files.project_file import ProjectFile

        if discard or self.finish_saving():
            self._adopt(ProjectFile.open(path, read_only=read_only))

    def _adopt(self, file: ProjectFile) -> None:
        self.close_project(discard=True)  # saved by now, or given up
        self.file = file
        self.history = History()
        ids = [c.class_id for c in file.project.classes if c.class_id != BACKGROUND]
        self.class_id = ids[0] if ids else BACKGROUND
        self.project_changed.emit()
        self.classes_changed.emit()
        self.class_selected.emit(self.class_id)
        self.images_changed.emit()
        self.history_changed.emit()
        self._set_save_state(READ_ONLY if file.read_only else SAVED)
        self.select_image(next(iter(file.project.images), ""))

    def rename_project(self, name: str) -> None:
        """Give the project another name; its file keeps its own."""
        if self.file is not None and self._may_change():
            self.file.rename(name)
            self.project_changed.emit()
            self.save_soon()

    def close_project(self, *, discard: bool = False) -> bool:
        """Save and close; False when saving failed and the project stays open.

        With ``discard`` it is closed all the same, and what is not saved is lost.
        """
        if self.file is None:
            return True
        if not discard and not self.finish_saving():
            return False
        self.cancel_stroke()
        self._save_timer.stop()
        self.background.finish()
        self.file.close()
        self.file = None
        self._planes.clear()
        self._unreadable.clear()
        self._removed_classes.clear()
        self.image_id = ""
        self.image_selected.emit("")
        self.project_changed.emit()
        self.images_changed.emit()
        return True

    # -- saving ----------------------------------------------------------------------------------

    def finish_saving(self) -> bool:
        """End what is under way and save here and now; False when that failed."""
        file = self.file
        if file is None:
            return True
        self.cancel_stroke()
        self._save_timer.stop()
        self.background.finish()
        if file.is_dirty and not file.read_only:
            try:
                file.save()
            except Exception as error:
                LOG.exception("saving at close failed")
                self._set_save_state(FAILED, str(error))
                return False
        return True

    def save_soon(self) -> None:
        """Save once the hand rests; every change calls it."""
        if self.file is None or self.file.read_only:
            return
        self._set_save_state(UNSAVED)
        self._save_timer.start()

    def save(self) -> None:
        """Save now, off the window's thread."""
        file = self.file
        if file is None or file.read_only:
            return
        if self._recorder is not None:  # the hand is down: once it is lifted
            self._save_timer.start()
            return
        if not file.is_dirty:
            self._set_save_state(SAVED)
            return
        self._save_timer.stop()
        self._set_save_state(SAVING)
        pending = file.collect()
        self.background.start(
            "Saving",
            lambda task: file.write(pending),
            lambda _: self._on_saved(file),
            lambda error: self._on_save_failed(file, error),
        )

    def _on_saved(self, file: ProjectFile) -> None:
        if file is self.file and self.save_state == SAVING:
            self._set_save_state(SAVED)

    def _on_save_failed(self, file: ProjectFile, error: Exception) -> None:
        if file is self.file:
            self._set_save_state(FAILED, str(error))

    def _set_save_state(self, state: str, sentence: str = "") -> None:
        self.save_state = state
        self.save_state_changed.emit(state, sentence)

    # -- images ----------------------------------------------------------------------------------

    @property
    def image(self) -> ProjectImage | None:
        """The image on the canvas, or None."""
        return self.project.images.get(self.image_id) if self.project else None

    def select_image(self, image_id: str) -> None:
        """Put an image on the canvas."""
        if self.project is None or (image_id and image_id not in self.project.images):
            return
        self.cancel_stroke()
        self.image_id = image_id
        self.z = 0
        self.image_selected.emit(image_id)
        self.plane_selected.emit(0)

    def select_neighbour(self, step: int) -> None:
        """The next (1) or previous (-1) image of the list."""
        if not self.project or not self.project.images:
            return
        ids = list(self.project.images)
        at = ids.index(self.image_id) if self.image_id in ids else 0
        self.select_image(ids[max(0, min(len(ids) - 1, at + step))])

    def select_plane(self, z: int) -> None:
        """Go to a plane of the current volume; clamped to its depth."""
        if self.image is None:
            return
        z = max(0, min(self.image.shape[1] - 1, z))
        if z != self.z:
            self.cancel_stroke()
            self.z = z
            self.plane_selected.emit(z)

    def plane(self, image_id: str, z: int) -> np.ndarray:
        """Voxels ``(C, Y, X)`` of one plane; the last few are kept."""
        assert self.file is not None
        key = (image_id, z)
        if key not in self._planes:
            while len(self._planes) >= 4:
                self._planes.pop(next(iter(self._planes)))
            self._planes[key] = self.file.read_plane(image_id, z)
        return self._planes[key]

    def add_images(
        self,
        items: Iterable[NewImage],
        classes: Sequence[ClassInfo] = (),
        problems: list[str] | None = None,
        total: int = 0,
    ) -> Task:
        """Import images (and their masks) off the window's thread, all or none.

        Parameters
        ----------
        items
            May read as it goes.
        classes
            Classes of the project from now on; as they are when empty.
        problems
            Sentences that have gathered when the import ends are shown.
        total
            Images expected, for the progress; 0 when ``items`` knows its length.
        """
        file = self.file
        assert file is not None
        problems = [] if problems is None else problems
        if classes:
            self._set_classes(classes)
        return self.background.start(
            "Importing images",
            lambda task: file.add_images(
                items,
                lambda done, known: task.report(done, known or total, "Importing images"),
                lambda item, error: problems.append(str(error)),
            ),
            lambda added: self._on_added(added, problems),
            self.report_error,
        )

    def _on_added(self, added: list[ProjectImage], problems: Sequence[str]) -> None:
        self.images_changed.emit()
        if added and not self.image_id:
            self.select_image(added[0].image_id)
        if added and self.project is not None:
            from orgseg_app.files.importing import channel_mix, leaks

            images = list(self.project.images.values())
            problems = [*problems, *leaks(images), *channel_mix(images)]
        count = f"{len(added)} image{'' if len(added) == 1 else 's'} imported."
        if not added:
            count = "Nothing was imported."
        if problems:
            more = f" And {len(problems) - 3} more." if len(problems) > 3 else ""
            self.message.emit(" ".join([count, *problems[:3]]) + more, "warning")
        else:
            self.message.emit(count, "info")
        self.save_soon()

    def remove_image(self, image_id: str) -> None:
        """Take an image and its annotation out of the project."""
        assert self.file is not None
        if not self._may_change():
            return
        self.file.remove_image(image_id)
        self.history.forget(image_id)
        self.history_changed.emit()
        if image_id == self.image_id:
            self.image_id = ""
        self.images_changed.emit()
        if not self.image_id:
            self.select_image(next(iter(self.file.project.images), ""))
        self.save_soon()

    def rename_image(self, image_id: str, name: str) -> None:
        """Give an image another name."""
        if self.file is not None and name.strip() and self._may_change():
            self.file.rename_image(image_id, name.strip())
            self.images_changed.emit()
            self.save_soon()

    def set_split(self, image_id: str, split: str) -> None:
        """Use an image for training, validation or test."""
        if self.file is not None and self._may_change():
            self.file.set_split(image_id, split)
            self.images_changed.emit()
            self.save_soon()

    # -- classes ---------------------------------------------------------------------------------

    @property
    def classes(self) -> tuple[ClassInfo, ...]:
        """Classes of the project, background first; empty when none is open."""
        return self.project.classes if self.project else ()

    def select_class(self, class_id: int) -> None:
        """Choose the class to paint with."""
        if any(c.class_id == class_id for c in self.classes):
            self.class_id = class_id
            self.class_selected.emit(class_id)

    def add_class(self, name: str, colour: str | None = None) -> int:
        """Add a class and choose it; its id. Raises ValueError with a sentence."""
        try:  # undo may bring the voxels of a deleted class back: its number stays its own
            class_id = next_class_id((*self.classes, *self._removed_classes.values()))
        except ValueError:
            class_id = next_class_id(self.classes)
            self._removed_classes.pop(class_id, None)
        new = ClassInfo(class_id, name.strip(), colour or palette_colour(class_id))
        self._set_classes((*self.classes, new))
        self.select_class(class_id)
        return class_id

    def change_class(self, class_id: int, *, name: str = "", colour: str = "") -> None:
        """Rename or recolour a class. Raises ValueError with a sentence."""
        self._set_classes(
            replace(c, name=name.strip() or c.name, colour=colour or c.colour)
            if c.class_id == class_id
            else c
            for c in self.classes
        )

    def remove_class(self, class_id: int) -> None:
        """Delete a class; its voxels become unlabelled, which undo brings back."""
        if class_id == BACKGROUND or self.file is None or not self._may_change():
            return
        self._removed_classes |= {c.class_id: c for c in self.classes if c.class_id == class_id}
        for image_id in list(self.file.project.images):
            if self.mask(image_id).counts().get(class_id):
                self.apply(MergeClass(class_id), image_id)
        self._set_classes([c for c in self.classes if c.class_id != class_id])
        if self.class_id == class_id:
            self.select_class(self.classes[-1].class_id)

    def _set_classes(self, classes: Any) -> None:
        assert self.file is not None
        if self.file.read_only:
            raise ValueError(LOOK_ONLY)
        self.file.set_classes(check_classes(classes))
        self.classes_changed.emit()
        self.save_soon()

    # -- masks: the one door ---------------------------------------------------------------------

    def mask(self, image_id: str = "") -> Mask:
        """The mask of an image (the current one by default); read it, never write it.

        Where the file is damaged there, that is said once; the mask is empty, and cannot be edited.
        """
        assert self.file is not None
        image_id = image_id or self.image_id
        if image_id not in self._unreadable:
            try:
                return self.file.mask(image_id)
            except Exception as error:
                image = self.file.project.images.get(image_id)
                if image is None:
                    raise
                self._unreadable[image_id] = Mask(image.shape[1:])
                self.report_error(error)
                self.history_changed.emit()
        return self._unreadable[image_id]

    def apply(self, edit: Edit, image_id: str = "") -> Change | None:
        """Make an edit, remember it, tell everybody, save it soon."""
        if not self.can_edit:
            return None
        image_id = image_id or self.image_id
        recorder = Recorder(image_id, self.mask(image_id))
        if image_id in self._unreadable:
            return None
        under_hand = self._recorder is not None and self._recorder.image_id == image_id
        if under_hand:  # a prediction arrives, say: what is painted so far is a change before it
            self.end_stroke("paint")
            recorder = Recorder(image_id, self.mask(image_id))
        try:
            edit.apply(recorder)
        except BaseException:
            recorder.cancel()
            raise
        change = self._commit(recorder, edit.title)
        if under_hand:
            self.begin_stroke()
        return change

    @property
    def can_edit(self) -> bool:
        """True when there is an image that may be painted."""
        return (
            self.file is not None
            and not self.file.read_only
            and bool(self.image_id)
            and self.image_id not in self._unreadable
        )

    @property
    def recorder(self) -> Recorder | None:
        """The stroke under the hand, if any."""
        return self._recorder

    def begin_stroke(self) -> Recorder | None:
        """Start an edit that grows under the hand; it ends with `end_stroke`."""
        if not self.can_edit:
            return None
        mask = self.mask()
        if not self.can_edit:  # it cannot be read
            return None
        self.cancel_stroke()
        self._recorder = Recorder(self.image_id, mask)
        return self._recorder

    def end_stroke(self, title: str) -> Change | None:
        """The hand is lifted: the stroke becomes one undoable change."""
        recorder, self._recorder = self._recorder, None
        return self._commit(recorder, title) if recorder is not None else None

    def cancel_stroke(self) -> None:
        """Take back the stroke under the hand."""
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            box = recorder.box
            recorder.cancel()
            self.mask_changed.emit(recorder.image_id, box)

    def _commit(self, recorder: Recorder, title: str) -> Change | None:
        box = recorder.box
        change = recorder.finish(title)
        self.mask_changed.emit(recorder.image_id, box)
        if change is not None:
            self.history.push(change)
            self.history_changed.emit()
            self.save_soon()
        return change

    def undo(self) -> None:
        """Take back the last change, going to its image first when it is another."""
        self._toggle(self.history.undo())

    def redo(self) -> None:
        """Make the last undone change again."""
        self._toggle(self.history.redo())

    def _toggle(self, change: Change | None) -> None:
        if change is None or self.file is None:
            return
        self.cancel_stroke()
        if change.image_id != self.image_id:
            self.select_image(change.image_id)
        if change.box.z0 != self.z and change.box.z1 - change.box.z0 == 1:
            self.select_plane(change.box.z0)
        mask = self.file.mask(change.image_id)
        change.toggle(mask)
        self._bring_back_classes(mask)
        self.mask_changed.emit(change.image_id, change.box)
        self.history_changed.emit()
        self.save_soon()

    def _bring_back_classes(self, mask: Mask) -> None:
        """Classes that were deleted and are painted again."""
        missing = mask.counts().keys() & self._removed_classes.keys()
        missing -= {c.class_id for c in self.classes}
        if missing:
            taken = {c.name.casefold() for c in self.classes}
            back = [self._removed_classes.pop(class_id) for class_id in sorted(missing)]
            back = [
                replace(c, name=f"{c.name} ({c.class_id})") if c.name.casefold() in taken else c
                for c in back
            ]
            self._set_classes(sorted((*self.classes, *back), key=lambda c: c.class_id))

    def painted(self, image_id: str = "") -> dict[int, float]:
        """Fraction of an image's voxels painted with each class that occurs."""
        mask = self.mask(image_id)
        total = float(np.prod(mask.shape))
        return {class_id: count / total for class_id, count in mask.counts().items()}

    # -- talking to the person -------------------------------------------------------------------

    def _may_change(self) -> bool:
        """True when the project may be changed; otherwise that is said."""
        if self.is_read_only:
            self.message.emit(LOOK_ONLY, "warning")
        return not self.is_read_only

    def report_error(self, error: Exception) -> None:
        """Show what went wrong."""
        LOG.error("%s", error, exc_info=error)
        self.message.emit(str(error) or type(error).__name__, "error")

    def whole(self, image_id: str = "") -> Box:
        """The box of a whole image."""
        return Box(0, 0, 0, *self.mask(image_id).shape)
