"""Adding, changing and deleting classes. Part of the session, which is the one door."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from orgseg_app.core.classes import (
    ClassInfo,
    check_classes,
    next_class_id,
    palette_colour,
)
from orgseg_app.core.edits.whole import MergeClass
from orgseg_app.core.mask import Mask

if TYPE_CHECKING:
    from orgseg_app.gui.session import Session


class ClassEditing:
    """Changes the list of classes. Deleted ones are remembered: undo may bring their voxels back.

    The project itself remembers them, so that this holds after a restart as well.
    """

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def _removed(self) -> tuple[ClassInfo, ...]:
        project = self.session.project
        return project.removed_classes if project is not None else ()

    def add(self, name: str, colour: str | None) -> int:
        """Add a class; its id."""
        classes = self.session.classes
        try:  # undo may bring the voxels of a deleted class back: its number stays its own
            class_id = next_class_id((*classes, *self._removed))
        except ValueError:
            class_id = next_class_id(classes)
        new = ClassInfo(class_id, name.strip(), colour or palette_colour(class_id))
        self.set((*classes, new))
        return class_id

    def change(self, class_id: int, name: str, colour: str) -> None:
        """Rename or recolour a class."""
        self.set(
            replace(c, name=name.strip() or c.name, colour=colour or c.colour)
            if c.class_id == class_id
            else c
            for c in self.session.classes
        )

    def remove(self, class_id: int) -> None:
        """Delete a class; its voxels become unlabelled."""
        session, file = self.session, self.session.file
        assert file is not None
        gone = [c for c in session.classes if c.class_id == class_id]
        # before its voxels: from here on a crash at any moment leaves something undo can mend
        file.set_removed_classes([*self._removed, *gone])
        for image_id in list(file.project.images):
            if session.mask(image_id).counts().get(class_id):
                session.painting.apply(MergeClass(class_id), image_id)
        self.set([c for c in session.classes if c.class_id != class_id])

    def set(self, classes: Iterable[ClassInfo]) -> None:
        """Replace the list; of the removed ones, those that are back are forgotten."""
        file = self.session.file
        assert file is not None
        file.set_classes(check_classes(tuple(classes)))
        known = {c.class_id for c in self.session.classes}
        file.set_removed_classes([c for c in self._removed if c.class_id not in known])
        self.session.saving.note(is_edit=False)
        self.session.classes_changed.emit()

    def bring_back(self, mask: Mask) -> None:
        """Classes that were deleted and are painted again."""
        if not self._removed:
            return
        classes = self.session.classes
        known = {c.class_id for c in classes}
        missing = mask.counts().keys() - known
        back = [c for c in self._removed if c.class_id in missing]
        if back:
            taken = {c.name.casefold() for c in classes}
            back = [
                replace(c, name=f"{c.name} ({c.class_id})") if c.name.casefold() in taken else c
                for c in back
            ]
            self.set(sorted((*classes, *back), key=lambda c: c.class_id))
