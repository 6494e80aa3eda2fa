"""Objects mode: which object is in the hand, and what can be done with whole objects.

In objects mode, what a tool paints belongs to the object in the hand as well as to the chosen
class. Nothing else about the tools is different.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.edits.objects import MakeObjects, SeparateObject, class_of
from orgseg_app.core.objects import NO_OBJECT
from orgseg_app.gui.canvas.layers import MASK, OBJECTS
from orgseg_app.gui.editing.dividing import Dividing
from orgseg_app.gui.editing.object_review import ObjectReview

if TYPE_CHECKING:
    from orgseg_app.gui.session import Session

HERE_BLOCKS = 16
"""Objects of so many blocks are made at once; of more, in the background."""
_AT_ONCE = 12
"""Blocks that are counted in one go."""


class ObjectPainting(QObject):
    """The mode and the object in the hand. Part of the session.

    Attributes
    ----------
    is_on
        What is painted belongs to the object in the hand.
    number
        That object; 0 while the mode is off or there is no image.
    each_stroke
        Every stroke paints a new object.
    review
        All objects of the image, looked over; and which are chosen.
    dividing
        The object that is about to be split.

    Signals
    -------
    changed()
        One of these.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.session = session
        self.is_on = False
        self.number = NO_OBJECT
        self.each_stroke = False
        self._making = ""
        self._given: dict[str, int] = {}
        self._is_known = False
        self.review = ObjectReview(session)
        self.dividing = Dividing(session)
        session.closing.connect(self._on_closing)
        session.working.changed.connect(self._on_working)
        session.image_selected.connect(lambda _: self._take_new())
        session.class_selected.connect(self._on_class_selected)

    # -- the mode --------------------------------------------------------------------------------

    @property
    def painted_layers(self) -> tuple[str, ...]:
        """The kinds of layers that show what is painted now."""
        return (MASK, OBJECTS) if self.is_on else (MASK,)

    def flip(self) -> None:
        """Go into objects mode, or leave it."""
        self.set(is_on=not self.is_on, each_stroke=self.each_stroke)

    def set(self, *, is_on: bool, each_stroke: bool) -> None:
        """Go on as it was left."""
        self.session.cancel_stroke()
        self.is_on, self.each_stroke = is_on, each_stroke
        self._is_known |= is_on
        self._take_new()

    def flip_each_stroke(self) -> None:
        """Paint a new object with every stroke, or go on with the one in the hand."""
        self.each_stroke = not self.each_stroke
        self.changed.emit()

    def in_hand(self, image_id: str) -> int:
        """The object that painting on an image adds to; 0 for none."""
        return self.number if self.is_on and image_id == self.session.image_id else NO_OBJECT

    # -- the object in the hand ------------------------------------------------------------------

    def new(self) -> None:
        """Paint another object from now on; outside the mode, go into it first."""
        if self.is_on:
            self._take_new()
        else:
            self.flip()

    def pick(self, y: float, x: float, *, adds: bool = False) -> bool:
        """Take the object at a place into the hand, and its class; False where there is none.

        It is chosen, too; with ``adds``, beside those that are.
        """
        session = self.session
        if session.image is None:
            return False
        mask = session.mask()
        number = mask.objects.value(session.z, math.floor(y), math.floor(x))
        if number == NO_OBJECT:
            return False
        class_id = class_of(mask, number)
        self.number = number
        if class_id and class_id != session.class_id:
            session.select_class(class_id)
        if adds:
            self.review.flip(number)
        else:
            self.review.choose((number,))
        self.changed.emit()
        return True

    def count(self) -> int:
        """Objects on the image; see `counts_on` before."""
        return self.session.mask().objects.count() if self.session.image is not None else 0

    def counts_on(self) -> bool:
        """Count some of the image for a few milliseconds; True while there is more."""
        if self.session.image is None:
            return False
        return self.session.mask().objects.look_through(_AT_ONCE)

    def begin_renumbering(self) -> None:
        """What is made now may take the number in the hand: a new one comes afterwards."""
        self._making = self.session.image_id
        QTimer.singleShot(0, self, self._after_making)

    def painted(self, number: int) -> None:
        """Something was painted with an object in the hand: it may be done."""
        if not self.each_stroke or number != self.number:
            return
        if self.session.mask().objects.blocks_of(number):
            self._take_new()

    def painted_outside(self, image_id: str) -> None:
        """Something was painted outside the mode: said once, where there are objects."""
        if self._is_known or self.is_on or self.session.mask(image_id).objects.is_empty:
            return
        self._is_known = True
        self.session.message.emit(
            "This image has objects, and what is painted now belongs to none of them. To paint "
            "objects, choose Objects mode in the menu Annotate.",
            "info",
        )

    def _on_closing(self) -> None:
        self._given.clear()
        self._is_known = False

    def _on_working(self) -> None:
        if self._making:  # what was worked out arrives right after this is told
            QTimer.singleShot(0, self, self._after_making)

    def _after_making(self) -> None:
        if self._making and not self.session.working.is_busy:
            self._making = ""
            self._take_new()

    def _take_new(self) -> None:
        session = self.session
        if self.number and self._making and self._making == session.image_id:
            return  # nobody knows yet which numbers are free
        there = self.is_on and session.image is not None and session.file is not None
        self.number = self._free_number() if there else NO_OBJECT
        self.changed.emit()

    def _free_number(self) -> int:
        """The number given last for this image, unless there is something painted with it."""
        objects, image_id = self.session.mask().objects, self.session.image_id
        given = self._given.get(image_id, NO_OBJECT)
        if not given or objects.blocks_of(given):
            given = self._given[image_id] = objects.next_number()
        return given

    def _on_class_selected(self, class_id: int) -> None:
        """An object has one class: with another class in the hand, a new object begins."""
        if not self.number or class_id <= BACKGROUND:  # that belongs to no object anyway
            return
        if class_of(self.session.mask(), self.number) not in (0, class_id):
            self._take_new()

    def separate(self, y: float, x: float, *, in_3d: bool) -> None:
        """Give what hangs together at a place a number of its own."""
        session = self.session
        if session.image is None or not session.can_edit:
            return
        if not self.is_on:
            self.flip()
        new = session.mask().objects.next_number()
        edit = SeparateObject(session.z, math.floor(y), math.floor(x), new, in_3d)
        if in_3d:
            session.working.make("Separating the object", edit, session.image_id)
        elif session.apply(edit) is None:
            session.message.emit("There is no object under the pointer.", "info")

    # -- all objects of an image -----------------------------------------------------------------

    def make(self, *, in_3d: bool) -> None:
        """Make objects of what hangs together and has no number, on the plane or in the volume."""
        session = self.session
        if session.image is None or not session.can_edit:
            return
        if not self.is_on:
            self.flip()
        mask, z = session.mask(), None if in_3d else session.z
        blocks = [i for i in mask.block_indices() if z in (None, i[0])]
        if len(blocks) > HERE_BLOCKS:  # the one in the hand may be painted meanwhile
            self._making = session.image_id
            edit = MakeObjects(mask.objects.next_number(), z)
            session.working.make("Making objects", edit, session.image_id)
            return
        is_free = not mask.objects.blocks_of(self.number)
        first = self.number if is_free else mask.objects.next_number()
        if session.apply(MakeObjects(first, z)) is None:
            session.message.emit("Everything that is painted here has a number already.", "info")
        elif is_free:
            self._take_new()
