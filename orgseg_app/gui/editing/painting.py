"""Changing masks: strokes, edits, undo and redo. Part of the session, which is the one door."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QTimer

from orgseg_app.core.edits.change import Change
from orgseg_app.core.edits.recorder import Edit, Recorder
from orgseg_app.core.edits.whole import MakeAgain
from orgseg_app.core.history import Mark
from orgseg_app.core.mask import Mask
from orgseg_app.core.ready import ReadyChange
from orgseg_app.gui.editing.stepping import Stepping

if TYPE_CHECKING:
    from orgseg_app.gui.session import Session

PACK_AFTER_MS, PACKED_AT_ONCE = 2000, 50


class Painting:
    """Makes changes in masks, notes them in the store at once, and tells everybody.

    Attributes
    ----------
    recorder
        The stroke under the hand, or None.
    stepping
        Undo and redo.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.recorder: Recorder | None = None
        self.stepping = Stepping(session)
        self._unreadable: dict[str, Mask] = {}
        self._unpacked: dict[str, None] = {}
        self._packing = QTimer(session, singleShot=True, interval=PACK_AFTER_MS)
        self._packing.timeout.connect(self._pack)
        session.mask_changed.connect(self._pack_soon)
        session.image_selected.connect(self._pack_soon)

    def forget(self) -> None:
        """Another project is open."""
        self.recorder = None
        self._unreadable.clear()
        self._unpacked.clear()
        self._packing.stop()

    # -- memory ----------------------------------------------------------------------------------

    def _pack_soon(self, image_id: str, _: object = None) -> None:
        if image_id:
            self._unpacked[image_id] = None
            if not self._packing.isActive():
                self._packing.start(PACK_AFTER_MS)

    def _pack(self) -> None:
        """Keep small what nobody is painting in, a millisecond at a time."""
        file = self.session.file
        for image_id in list(self._unpacked):
            is_known = file is not None and image_id in file.project.images
            if is_known and self.mask(image_id).pack(PACKED_AT_ONCE):
                self._packing.start(1)
                return
            del self._unpacked[image_id]

    # -- reading ---------------------------------------------------------------------------------

    def mask(self, image_id: str) -> Mask:
        """The mask of an image; where the file is damaged there, said once, an empty one."""
        file = self.session.file
        assert file is not None
        if image_id not in self._unreadable:
            try:
                return file.mask(image_id)
            except Exception as error:
                image = file.project.images.get(image_id)
                if image is None:
                    raise
                self._unreadable[image_id] = Mask(image.shape[1:])
                self.session.report_error(error)
                self.session.history_changed.emit()
        return self._unreadable[image_id]

    def is_readable(self, image_id: str) -> bool:
        """True unless the mask of an image is damaged beyond reading."""
        self.mask(image_id)
        return image_id not in self._unreadable

    def read_again(self, image_id: str) -> None:
        """Something has put another mask in the place of an unreadable one."""
        self._unreadable.pop(image_id, None)
        self.session.mask_changed.emit(image_id, self.session.whole(image_id))
        self.session.history_changed.emit()

    def painted(self, image_id: str) -> dict[int, float]:
        """Fraction of an image's voxels painted with each class that occurs."""
        mask = self.session.mask(image_id)
        total = float(np.prod(mask.shape))
        return {class_id: count / total for class_id, count in mask.counts().items()}

    @property
    def can_edit(self) -> bool:
        """True when there is an image that may be painted."""
        session = self.session
        return (
            session.file is not None
            and not session.file.read_only
            and bool(session.image_id)
            and session.image_id not in self._unreadable
            and not session.saving.is_paused
        )

    # -- strokes and edits -----------------------------------------------------------------------

    def apply(self, edit: Edit, image_id: str) -> Change | None:
        """Make an edit in one go."""
        session = self.session
        image_id = image_id or session.image_id
        recorder = Recorder(image_id, session.mask(image_id), session.objects.in_hand(image_id))
        if image_id in self._unreadable:
            return None
        under_hand = self.recorder is not None and self.recorder.image_id == image_id
        if under_hand:  # a prediction arrives, say: what is painted so far is a change before it
            self.end_stroke("paint")
            recorder = Recorder(image_id, session.mask(image_id), recorder.object_id)
        try:
            edit.apply(recorder)
        except BaseException:
            recorder.cancel()
            raise
        change = self._finish(recorder, edit.title)
        if under_hand:
            self.begin_stroke()
        return change

    def apply_ready(self, edit: Edit, ready: ReadyChange) -> Change | None:
        """Make a change worked out beforehand; the edit itself where the mask is another now."""
        session, image_id = self.session, ready.change.image_id
        mask = session.mask(image_id)
        under_hand = self.recorder is not None and self.recorder.image_id == image_id
        if under_hand or image_id in self._unreadable or not ready.fits(mask):
            return self.apply(edit, image_id)
        assert session.file is not None
        change = ready.change if ready.change.blocks else None  # else only damage is mended
        if change is not None:
            session.file.note_change(change)
        ready.make(mask)
        session.saving.note(is_edit=True)
        session.mask_changed.emit(image_id, ready.change.box)
        if change is not None:
            session.history_changed.emit()
            session.objects.painted(session.objects.in_hand(image_id))
        return change

    def begin_stroke(self) -> Recorder | None:
        """Start an edit that grows under the hand."""
        session = self.session
        if session.saving.is_paused and session.image_id:
            session.say_paused()
        if not self.can_edit:
            return None
        mask = session.mask()
        if not self.can_edit:  # it cannot be read
            return None
        self.cancel_stroke()
        self.recorder = Recorder(session.image_id, mask, session.objects.in_hand(session.image_id))
        return self.recorder

    def end_stroke(self, title: str) -> Change | None:
        """The hand is lifted."""
        recorder, self.recorder = self.recorder, None
        return self._finish(recorder, title) if recorder is not None else None

    def cancel_stroke(self) -> None:
        """Take back the stroke under the hand."""
        recorder, self.recorder = self.recorder, None
        if recorder is not None:
            box = recorder.box
            recorder.cancel()
            self.session.mask_changed.emit(recorder.image_id, box)

    def _finish(self, recorder: Recorder, title: str) -> Change | None:
        session = self.session
        assert session.file is not None
        box = recorder.box
        change = recorder.finish(title)
        try:
            if change is not None:
                session.file.note_change(change)
        except BaseException:  # what the store does not know must not be seen either
            assert change is not None
            change.undo(recorder.mask)
            session.mask_changed.emit(recorder.image_id, box)
            raise
        if change is not None:  # first of all: nothing that happens to the window can undo this
            session.saving.note(is_edit=True)
        session.mask_changed.emit(recorder.image_id, box)
        if change is not None:
            session.history_changed.emit()
            if recorder.object_id:
                session.objects.painted(recorder.object_id)
            else:
                session.objects.painted_outside(recorder.image_id)
        return change

    # -- history ---------------------------------------------------------------------------------

    def undo(self) -> None:
        """Take back the last change."""
        self.stepping.step(back=True)

    def redo(self) -> None:
        """Make the last undone change again."""
        self.stepping.step(back=False)

    def bring_back(self, path: Path) -> int:
        """Make the strokes of a journal that was set aside; how many. Undo takes them back."""
        session, file = self.session, self.session.file
        if file is None or not self.can_edit:
            return 0
        made = [
            self.apply(MakeAgain(change), change.image_id) for change in file.recover_orphan(path)
        ]
        file.commit_all()  # only what is durable here may go there
        file.forget_orphan(path)
        session.history_changed.emit()
        return sum(change is not None for change in made)

    # -- checkpoints -----------------------------------------------------------------------------

    def mark(self, title: str) -> Mark | None:
        """Name this moment of the history; the name it has already, when nothing was done since."""
        file = self.session.file
        if file is None or file.read_only:
            return None
        history = file.history
        if history.marks and history.marks[-1].after_step == history.position:
            return history.marks[-1]
        mark = file.mark(title)
        self.session.saving.note(is_edit=False)
        self.session.history_changed.emit()
        return mark

    def last_mark(self) -> Mark | None:
        """The latest checkpoint that lies behind: changes were made since."""
        file = self.session.file
        if file is None or file.read_only or not file.history.marks or not len(file.history):
            return None
        beginning, position = file.history.beginning, file.history.position
        for mark in reversed(file.history.marks):
            if beginning <= mark.after_step < position:  # every step since can be undone
                return mark
        return None
