"""The session: the open project, what is looked at, and the one door for changes.

Panels and tools never change a mask, a class or an image themselves: they call the session, which
makes the change, notes it in the store, and tells everybody through a signal. How masks, classes
and the list of images are changed is in `painting`, `class_editing` and `image_editing`, how
changes become durable in `saving`.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, Signal

from orgseg_app.core.classes import BACKGROUND, ClassInfo
from orgseg_app.core.edits.change import Change
from orgseg_app.core.edits.recorder import Edit, Recorder
from orgseg_app.core.history import History
from orgseg_app.core.mask import Box, Mask
from orgseg_app.core.project import Project, ProjectImage
from orgseg_app.core.ready import ReadyChange
from orgseg_app.gui.background import Background, Task
from orgseg_app.gui.canvas.tile_cache import TileCache
from orgseg_app.gui.editing.class_editing import ClassEditing
from orgseg_app.gui.editing.image_editing import ImageEditing
from orgseg_app.gui.editing.objects import ObjectPainting
from orgseg_app.gui.editing.painting import Painting
from orgseg_app.gui.editing.saving import COMMITTING, FAILED, READ_ONLY, SAVED, UNSAVED, Saving
from orgseg_app.gui.editing.working import Working
from orgseg_app.gui.help import trouble_pages

if TYPE_CHECKING:
    from orgseg_app.files.project_file import NewImage, ProjectFile
    from orgseg_app.files.store.lock import LockedError

__all__ = ["COMMITTING", "FAILED", "READ_ONLY", "SAVED", "UNSAVED", "Session"]

LOG = logging.getLogger(__name__)

LOOK_ONLY = "This project is open read-only, so nothing can be changed in it."
PLANES_KEPT = 4


class Session(QObject):
    """The open project and what is being looked at.

    Attributes
    ----------
    file
        The store of the open project, or None.
    background
        Where everything is done that takes longer than a moment, one after the other.
    working
        What of that a person waits for on the canvas, and may cancel.
    objects
        Objects mode: whether it is on, and the object in the hand.
    saving
        What is durable, and what is not.
    tiles
        Parts of large planes that have been looked at.
    holder
        Who else has the project open, when it is read-only for that reason.
    begin_at
        Image and plane with which the project that is being opened begins, set by whoever hears
        `project_changed` and knows; ("", 0) for the first image.
    undo_budget_bytes
        What the history of a project may take on the disk.

    Signals
    -------
    project_changed()
        Another project is open, or none.
    closing()
        The project is about to be closed: whoever still reads its file comes to an end.
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
    links_changed()
        What is known of the files of linked images: found, missing or changed.
    history_changed()
        What can be undone or redone, or whether anything may be edited.
    save_state_changed(state, sentence)
        "saved", "committing", "unsaved", "failed" or "read-only"; the sentence explains a failure.
    message(text, level)
        For the person: level "info", "warning" or "error".
    help_named(text, page)
        The message just sent: what to do is said at this place of the help.
    """

    project_changed = Signal()
    closing = Signal()
    images_changed = Signal()
    classes_changed = Signal()
    image_selected = Signal(str)
    plane_selected = Signal(int)
    class_selected = Signal(int)
    mask_changed = Signal(str, object)
    links_changed = Signal()
    history_changed = Signal()
    save_state_changed = Signal(str, str)
    message = Signal(str, str)
    help_named = Signal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.file: ProjectFile | None = None
        self.holder: LockedError | None = None
        self.background = Background(self)
        self.painting = Painting(self)
        self.working = Working(self)
        self.objects = ObjectPainting(self)
        self.image_editing = ImageEditing(self)
        self.class_editing = ClassEditing(self)
        self.saving = Saving(self.background, lambda: self.recorder is not None, self)
        self.saving.state_changed.connect(self.save_state_changed)
        self.saving.paused_changed.connect(self.history_changed)
        self.undo_budget_bytes = 2**30
        self.image_id = ""
        self.begin_at = ("", 0)
        self.z = 0
        self.class_id = BACKGROUND + 1
        self._planes: dict[tuple[str, int], Any] = {}
        self.tiles = TileCache()

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

    def open_project(
        self,
        path: Path,
        *,
        read_only: bool = False,
        discard: bool = False,
        holder: LockedError | None = None,
    ) -> None:
        """Open a project in place of the current one. Raises `FileError` with a sentence.

        The current project stays when it cannot be saved, unless ``discard``.

        Parameters
        ----------
        holder
            Who has it open, when it is opened read-only for that reason.
        """
        from orgseg_app.files.project_file import ProjectFile

        if discard or self.finish_saving():
            self._adopt(ProjectFile.open(path, read_only=read_only, lay_out_runs=False), holder)

    def _adopt(self, file: ProjectFile, holder: LockedError | None = None) -> None:
        self.close_project(discard=True)  # saved by now, or given up
        self.file = file
        self.holder = holder
        file.history_budget = self.undo_budget_bytes
        ids = [c.class_id for c in file.project.classes if c.class_id != BACKGROUND]
        self.class_id = ids[0] if ids else BACKGROUND
        self.saving.follow(file)
        self.project_changed.emit()
        self.classes_changed.emit()
        self.class_selected.emit(self.class_id)
        self.images_changed.emit()
        self.history_changed.emit()
        self.save_state_changed.emit(self.saving.state, "")
        begin, self.begin_at = self.begin_at, ("", 0)
        if begin[0] in file.project.images:
            self.select_image(*begin)
        else:
            self.select_image(next(iter(file.project.images), ""))

    def rename_project(self, name: str) -> None:
        """Give the project another name; its file keeps its own."""
        if self.file is not None and self._may_change():
            self.file.rename(name)
            self.saving.note(is_edit=False)
            self.project_changed.emit()

    def close_project(self, *, discard: bool = False) -> bool:
        """Save and close; False when saving failed and the project stays open.

        With ``discard`` it is closed all the same, and what is not saved is lost.
        """
        if self.file is None:
            return True
        self.working.cancel()  # saving would wait for what nobody will look at
        if not discard and not self.finish_saving():
            return False
        self.cancel_stroke()
        self.closing.emit()
        file, self.file = self.file, None
        self.saving.follow(None)
        self.saving.commits.finish()
        self.background.finish()
        file.close()
        self.holder = None
        self.painting.forget()
        self._planes.clear()
        self.tiles.clear()
        self.image_id = ""
        self.image_selected.emit("")
        self.project_changed.emit()
        self.images_changed.emit()
        self.history_changed.emit()
        return True

    # -- saving ----------------------------------------------------------------------------------

    @property
    def save_state(self) -> str:
        """Whether what happened last is durable; see `save_state_changed`."""
        return self.saving.state

    def finish_saving(self) -> bool:
        """End what is under way and save here and now; False when something would be lost."""
        if self.file is None:
            return True
        self.cancel_stroke()
        return self.saving.finish()

    def save(self) -> None:
        """Fold everything into the project file now, and name this moment of the history."""
        if self.file is None or self.file.read_only:
            return
        if len(self.history):
            self.painting.mark(f"checkpoint {datetime.now().astimezone():%H:%M}")
        self.saving.try_again()
        self.saving.fold_in()

    def fold_in(self) -> None:
        """Bring the project file up to date before something in the background reads it."""
        self.saving.fold_in()

    # -- images ----------------------------------------------------------------------------------

    @property
    def image(self) -> ProjectImage | None:
        """The image on the canvas, or None."""
        return self.project.images.get(self.image_id) if self.project else None

    def select_image(self, image_id: str, z: int = 0) -> None:
        """Put an image on the canvas, at one of its planes."""
        if self.project is None or (image_id and image_id not in self.project.images):
            return
        self.cancel_stroke()
        self.image_id = image_id
        self.z = z
        self.image_selected.emit(image_id)
        self.plane_selected.emit(z)

    def select_neighbour(self, step: int) -> None:
        """The next (1) or previous (-1) image of the list."""
        if not self.project or not self.project.images:
            return
        ids = list(self.project.images)
        at = ids.index(self.image_id) if self.image_id in ids else 0
        self.select_image(ids[max(0, min(len(ids) - 1, at + step))])

    def series(self) -> list[str]:
        """Ids of the time points the image on the canvas is one of, in order; else its own."""
        image, project = self.image, self.project
        if image is None or project is None:
            return []
        return [other.image_id for other in project.time_points(image)]

    def select_time(self, step: int) -> None:
        """The next (1) or previous (-1) time point of the image, at the same plane."""
        ids = self.series()
        if len(ids) > 1:
            at = ids.index(self.image_id)
            wanted = ids[max(0, min(len(ids) - 1, at + step))]
            if wanted != self.image_id:
                self.select_image(wanted, self.z)

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
            while len(self._planes) >= PLANES_KEPT:
                self._planes.pop(next(iter(self._planes)))
            self._planes[key] = self.file.read_plane(image_id, z, to_look=True)
        return self._planes[key]

    def loaded_plane(self, image_id: str, z: int) -> np.ndarray | None:
        """Voxels ``(C, Y, X)`` of one plane when they are in memory; nothing is read."""
        return self._planes.get((image_id, z))

    def voxel(self, row: int, column: int) -> np.ndarray | None:
        """Values ``(C,)`` at a place of the plane shown; None where that might take a moment."""
        from orgseg_app.files.errors import FileError

        plane = self.loaded_plane(self.image_id, self.z)
        if plane is None and self.image is not None:
            size = self.image.shape[2], self.image.shape[3]
            seen = self.tiles.value(self.image_id, self.z, size, row, column)
            if seen is not None:
                return np.asarray(seen)
        if plane is None and self.file is not None and self.image and self.image.link is None:
            place = (self.z, row, column, row + 1, column + 1)  # of one stored block: 0.2 ms
            with contextlib.suppress(FileError):
                return self.file.read_region(self.image_id, *place, to_look=True)[:, 0, 0]
        return None if plane is None else plane[:, row, column]

    def glance(self, image_id: str, z: int) -> np.ndarray:
        """Some of the voxels of a plane, at once: all when loaded, else a smaller version."""
        from orgseg_app.gui.viewing.overview import overview_of

        assert self.file is not None
        plane = self.loaded_plane(image_id, z)
        if plane is None:
            overview = overview_of(self.file, self.file.project.images[image_id], z)
            plane = overview.smallest() if overview else None
        return self.plane(image_id, z) if plane is None else plane

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
        if classes:
            self._refuse_reader()
            self.class_editing.set(classes)
        return self.image_editing.add(items, [] if problems is None else problems, total)

    def remove_image(self, image_id: str) -> None:
        """Take an image and its annotation out of the project."""
        if self._may_change():
            self.image_editing.remove(image_id)

    def rename_image(self, image_id: str, name: str) -> None:
        """Give an image another name."""
        if self.file is not None and name.strip() and self._may_change():
            self.image_editing.rename(image_id, name.strip())

    def set_split(self, image_id: str, split: str) -> None:
        """Use an image for training, validation or test."""
        if self.file is not None and self._may_change():
            self.image_editing.set_split(image_id, split)

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
        self._refuse_reader()
        class_id = self.class_editing.add(name, colour)
        self.select_class(class_id)
        return class_id

    def change_class(self, class_id: int, *, name: str = "", colour: str = "") -> None:
        """Rename or recolour a class. Raises ValueError with a sentence."""
        self._refuse_reader()
        self.class_editing.change(class_id, name, colour)

    def remove_class(self, class_id: int) -> None:
        """Delete a class; its voxels become unlabelled, which undo brings back."""
        if class_id == BACKGROUND or self.file is None or not self._may_change():
            return
        if self.saving.is_paused:
            self.say_paused()
            return
        self.class_editing.remove(class_id)
        if self.class_id == class_id:
            self.select_class(self.classes[-1].class_id)

    def bring_back_classes(self, mask: Mask) -> None:
        """Classes that were deleted and are painted again are in the list again."""
        self.class_editing.bring_back(mask)

    def _refuse_reader(self) -> None:
        if self.is_read_only:
            raise ValueError(LOOK_ONLY)

    # -- masks: the one door ---------------------------------------------------------------------

    @property
    def history(self) -> History:
        """Undo and redo of the open project; empty when none is."""
        return self.file.history if self.file is not None else History()

    def mask(self, image_id: str = "") -> Mask:
        """The mask of an image (the current one by default); read it, never write it.

        Where the file is damaged there, that is said once; the mask is empty, and cannot be edited.
        """
        return self.painting.mask(image_id or self.image_id)

    def painted(self, image_id: str = "") -> dict[int, float]:
        """Fraction of an image's voxels painted with each class that occurs."""
        return self.painting.painted(image_id)

    def whole(self, image_id: str = "") -> Box:
        """The box of a whole image."""
        return Box(0, 0, 0, *self.mask(image_id).shape)

    @property
    def can_edit(self) -> bool:
        """True when there is an image that may be painted now."""
        return self.painting.can_edit

    def apply(self, edit: Edit, image_id: str = "") -> Change | None:
        """Make an edit, remember it, tell everybody, save it."""
        if self.saving.is_paused:
            self.say_paused()
        return self.painting.apply(edit, image_id) if self.can_edit else None

    def apply_ready(self, edit: Edit, ready: ReadyChange) -> Change | None:
        """Make an edit that was worked out in another thread; as `apply`."""
        if self.file is None or self.is_read_only:
            return None
        return self.painting.apply_ready(edit, ready)

    @property
    def recorder(self) -> Recorder | None:
        """The stroke under the hand, if any."""
        return self.painting.recorder

    def begin_stroke(self) -> Recorder | None:
        """Start an edit that grows under the hand; it ends with `end_stroke`."""
        return self.painting.begin_stroke()

    def end_stroke(self, title: str) -> Change | None:
        """The hand is lifted: the stroke becomes one undoable change."""
        return self.painting.end_stroke(title)

    def cancel_stroke(self) -> None:
        """Take back the stroke under the hand."""
        self.painting.cancel_stroke()

    def undo(self) -> None:
        """Take back the last change, going to its image first when it is another."""
        self.painting.undo()

    def redo(self) -> None:
        """Make the last undone change again."""
        self.painting.redo()

    def set_undo_budget(self, size_bytes: int) -> None:
        """Limit what the history takes on the disk; the oldest steps go."""
        self.undo_budget_bytes = size_bytes
        if self.file is not None:
            self.file.history_budget = size_bytes
            self.saving.note(is_edit=False)
            self.history_changed.emit()

    def forget_history(self) -> None:
        """Drop every step that could be undone; the masks stay as they are."""
        if self.file is not None and self._may_change():
            self.file.forget_history()
            self.saving.note(is_edit=False)
            self.history_changed.emit()

    def bring_strokes_back(self, path: Path) -> int:
        """Make the strokes of a side file that was set aside; how many. Raises `FileError`."""
        return self.painting.bring_back(path)

    # -- talking to the person -------------------------------------------------------------------

    def _may_change(self) -> bool:
        """True when the project may be changed; otherwise that is said."""
        if self.is_read_only:
            self.say_look_only()
        return not self.is_read_only

    def say_look_only(self) -> None:
        """Nothing can be changed; why."""
        self.say(LOOK_ONLY, "warning", trouble_pages.READ_ONLY)

    def say_paused(self) -> None:
        """Painting pauses; why."""
        self.say(
            f"Painting pauses: {self.saving.waiting_edits} strokes wait to be saved. Make room on "
            "the disk, or save a copy elsewhere (File menu). It goes on by itself.",
            "warning",
            trouble_pages.NOT_SAVED,
        )

    def report_error(self, error: Exception) -> None:
        """Show what went wrong."""
        LOG.error("%s", error, exc_info=error)
        text = str(error) or type(error).__name__
        self.say(text, "error", trouble_pages.page_of_error(error))

    def say(self, text: str, level: str, page: str = "") -> None:
        """Tell the person something, and the place of the help that says what to do."""
        self.message.emit(text, level)
        if page:
            self.help_named.emit(text, page)
