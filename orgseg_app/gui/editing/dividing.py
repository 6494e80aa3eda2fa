"""An object that is about to be split where it is narrow: its parts, before anything is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from orgseg_app.core.blocks import Box
from orgseg_app.core.edits.object_sets import DivideObject, body_of
from orgseg_app.core.edits.slices import seen_from
from orgseg_app.core.painting import dividing
from orgseg_app.gui.background import Background, Task

if TYPE_CHECKING:
    from orgseg_app.gui.session import Session

MOST_PARTS = 12
MOST_VOXELS = 1 << 24
"""Of the box around an object that is looked at."""


@dataclass(frozen=True)
class _Body:
    """An object, and where it could be cut."""

    box: Box
    where: NDArray[np.bool_]
    far: dividing.Distances
    peaks: list[dividing.Peak]


class Dividing(QObject):
    """Works the parts of one object out, the newest wish only. Part of objects mode.

    Attributes
    ----------
    number
        The object; 0 for none.
    count, most
        Parts that are wanted, and how many there can be; 0 while nobody knows.
    parts
        Corner (z, y, x) and ``(z, y, x)`` int32 parts from 1; None while they are worked out.
    problem
        Why it cannot be split, in a sentence; "".

    Signals
    -------
    changed()
        One of these.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.number, self.count, self.most = 0, 0, 0
        self.parts: tuple[tuple[int, int, int], NDArray[np.int32]] | None = None
        self.problem = ""
        self._body: _Body | None = None
        self._wish = 0
        self._background = Background(self)
        session.image_selected.connect(lambda _: self.cancel())
        session.mask_changed.connect(lambda *_: self._on_painted())
        session.closing.connect(self._on_closing)

    @property
    def is_idle(self) -> bool:
        """True when nothing is worked out."""
        return self._background.is_idle

    def begin(self, number: int) -> None:
        """Look where an object could be cut."""
        session = self._session
        if session.image is None:
            return
        self.cancel()
        self.number = number
        mask = session.mask()
        seen, size = seen_from(mask, range(mask.shape[0])), session.image.pixel_size_um

        def look(_: Task) -> _Body | None:
            found = body_of(seen.objects, number)
            if found is None:
                return None
            box, where = found
            if where.size > MOST_VOXELS:
                return _Body(box, where, np.zeros(0, np.float32), [])
            flat = where[0] if len(where) == 1 else where
            far = dividing.distances(flat, None if size is None else size[3 - flat.ndim :])
            return _Body(box, where, far, dividing.peaks(far))

        wish = self._wish
        self._background.start(
            "Looking where to split", look, lambda body: self._on_body(wish, body), self._on_failed
        )
        self.changed.emit()

    def set_count(self, count: int) -> None:
        """So many parts."""
        body = self._body
        if body is None or not body.peaks:
            return
        self._wish += 1
        self.count = count
        wish = self._wish

        def divide(_: Task) -> NDArray[np.int32]:
            if wish != self._wish:
                return np.zeros(0, np.int32)  # nobody waits for it any more
            flat = body.where[0] if len(body.where) == 1 else body.where
            labels = dividing.divided(flat, body.far, body.peaks, count)
            return labels.reshape(body.where.shape)

        self._background.start(
            "Splitting", divide, lambda parts: self._on_parts(wish, parts), self._on_failed
        )
        self.changed.emit()

    def edit(self, first: int) -> DivideObject | None:
        """What the parts that are shown are made by; None while there are none."""
        if not self.number or self.parts is None or self._session.image is None:
            return None
        return DivideObject(self.number, self.count, first, self._session.image.pixel_size_um)

    def cancel(self) -> None:
        """Leave it."""
        self._wish += 1
        if self.number:
            self.number, self.count, self.most, self.problem = 0, 0, 0, ""
            self.parts = self._body = None
            self.changed.emit()

    def _on_closing(self) -> None:
        self.cancel()
        self._background.finish()

    def _on_painted(self) -> None:
        if self.number:
            self.begin(self.number)

    def _on_body(self, wish: int, body: _Body | None) -> None:
        if wish != self._wish:
            return
        if body is None:
            self.cancel()
            return
        self._body = body
        self.most = min(MOST_PARTS, len(body.peaks))
        if self.most < 2:
            self.problem = (
                "It is too large to be looked through. Draw a cut with the tool Regions."
                if not body.peaks
                else "It has no narrow place. Draw a cut with the tool Regions (Shift+drag)."
            )
            self.changed.emit()
            return
        self.set_count(min(self.most, dividing.usual_count(body.peaks)))

    def _on_parts(self, wish: int, parts: NDArray[np.int32]) -> None:
        if wish == self._wish and self._body is not None:
            box = self._body.box
            self.parts = (box.z0, box.y0, box.x0), parts
            self.changed.emit()

    def _on_failed(self, error: Exception) -> None:
        self.cancel()
        self._session.report_error(error)
