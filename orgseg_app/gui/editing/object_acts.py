"""What can be done with the objects that are chosen: the commands of the menu and the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.edits.object_sets import (
    ClassifyObjects,
    DeleteObjects,
    FillObjects,
    MergeObjects,
    RenumberObjects,
    SmoothObjects,
)
from orgseg_app.core.edits.recorder import Edit
from orgseg_app.core.objects import HIGHEST
from orgseg_app.gui.canvas.plane_view import ViewState
from orgseg_app.gui.editing.objects import HERE_BLOCKS

if TYPE_CHECKING:
    from orgseg_app.gui.main_window import MainWindow

NONE_CHOSEN = (
    "Choose objects first: Ctrl+click them on the picture, or choose rows of the object table "
    "(Shift+T)."
)
_LEAST_PX, _MOST_SHARE = 32, 0.8  # of the canvas: what an object takes of it to be seen well
SMOOTHED_BY = 2
"""Voxels; once more smooths further."""


class ObjectActs:
    """The commands; part of `Commands`."""

    def __init__(self, window: MainWindow) -> None:
        self.window, self.session = window, window.session
        self.review = window.session.objects.review

    def handlers(self) -> dict[str, Callable[[], object]]:
        """By action id."""
        return {
            "object_table": self.flip_table,
            "find_object": self.find,
            "next_suspicious": lambda: self.step(1),
            "previous_suspicious": lambda: self.step(-1),
            "merge_objects": self.merge,
            "split_object": self.split,
            "delete_objects": self.delete,
            "classify_objects": self.classify,
            "fill_objects": self.fill,
            "smooth_objects": self.smooth,
            "remove_small_objects": self.remove_small,
            "renumber_objects": self.renumber,
            "group_objects": self.group,
        }

    # -- the table -------------------------------------------------------------------------------

    def flip_table(self) -> None:
        """Show the table, or put it away."""
        shows = self.review.is_shown and self.session.objects.is_on
        self._show_table(not shows or self.window.workspace != "annotate")
        if self.review.is_shown:
            self.window.ensure_parts().object_table.view.setFocus()
        else:
            self.window.ensure_parts().canvas.setFocus()

    def _show_table(self, on: bool) -> None:
        if on:
            self.window.show_workspace("annotate")
            if not self.session.objects.is_on:
                self.session.objects.flip()
        self.review.show(on)

    def find(self) -> None:
        """Type the number of an object."""
        self._show_table(True)
        self.window.ensure_parts().object_table.search.setFocus()
        self.window.ensure_parts().object_table.search.selectAll()

    def find_number(self, number: int) -> bool:
        """Choose an object and show it; False where there is none."""
        if self.review.row_of(number) < 0:
            return False
        self.review.choose((number,))
        self.show(number)
        return True

    def step(self, direction: int) -> None:
        """Go to the next (1) or previous (-1) suspicious object, as the table lists them."""
        self._show_table(True)
        found = self.review.found
        if found is None:  # it comes as soon as the objects have been looked over
            self.window.ensure_parts().object_table.step_when_known(direction)
            return
        model = self.window.ensure_parts().object_table.model
        scores = found.suspicions.is_suspicious[model.rows]
        places = np.flatnonzero(scores)
        if not len(places):
            self.session.message.emit("No object of the list is suspicious.", "info")
            return
        now = model.place_of(self.review.chosen[-1]) if self.review.chosen else -1
        if direction > 0:
            further = places[places > now]
            place = further[0] if len(further) else places[0]
        else:
            further = places[places < now] if now >= 0 else places
            place = further[-1] if len(further) else places[-1]
        number = model.number(int(place))
        self.review.choose((number,))
        self.show(number)

    def show(self, number: int) -> None:
        """Bring an object to the middle of the canvas, and its plane."""
        session, row = self.session, self.review.row_of(number)
        found = self.review.found
        if row < 0 or found is None or found.image_id != session.image_id:
            return
        columns = found.columns
        low, high = int(columns.low[row, 0]), int(columns.high[row, 0])
        if not low <= session.z < high or not self._is_on(number, row, session.z):
            middle = round(float(columns.centres[row, 0]))
            there = sorted(range(low, high), key=lambda z: abs(z - middle))
            session.select_plane(next((z for z in there if self._is_on(number, row, z)), middle))
        canvas = self.window.ensure_parts().canvas
        box, view = columns.box(row), canvas.view_state()
        side = max(box.y1 - box.y0, box.x1 - box.x0)
        room = min(canvas.width(), canvas.height())
        zoom = view.zoom
        if not _LEAST_PX <= side * zoom <= _MOST_SHARE * room:
            zoom = min(max(zoom, _LEAST_PX * 2 / side), _MOST_SHARE * room / 2 / side)
        canvas.set_view(ViewState((box.y0 + box.y1) / 2, (box.x0 + box.x1) / 2, zoom))
        canvas.view_changed.emit(canvas.view_state())

    def _is_on(self, number: int, row: int, z: int) -> bool:
        assert self.review.found is not None
        box = self.review.found.columns.box(row)
        there = self.session.mask().objects.read(z, box.y0, box.x0, box.y1, box.x1)
        return bool((there == number).any())

    # -- what is done ----------------------------------------------------------------------------

    def merge(self) -> None:
        """Make one of those chosen, with number and class of the largest."""
        chosen = self._chosen()
        if len(chosen) == 1:
            self.session.message.emit(
                "Choose a second object to merge with: Ctrl+Shift+click adds one.", "info"
            )
        elif chosen:
            into = max(chosen, key=self._size)
            self._make("Merging", MergeObjects(tuple(chosen), into))
            self.review.choose((into,))

    def delete(self) -> None:
        """Make the chosen unlabelled."""
        if chosen := self._chosen():
            self._make("Deleting", DeleteObjects(tuple(chosen)))

    def classify(self) -> None:
        """Give the chosen the class in the hand."""
        class_id = self.session.class_id
        if class_id <= BACKGROUND:
            self.session.message.emit("Choose a class other than background first.", "info")
        elif chosen := self._chosen():
            self._make("Changing the class", ClassifyObjects(tuple(chosen), class_id))

    def fill(self) -> None:
        """Fill what the chosen enclose."""
        if chosen := self._chosen():
            in_3d = bool(self.window.tools.value("in_3d"))
            self._make("Filling holes", FillObjects(tuple(chosen), in_3d), "There are no holes.")

    def smooth(self) -> None:
        """Round the chosen off."""
        if chosen := self._chosen():
            self._make("Smoothing", SmoothObjects(tuple(chosen), SMOOTHED_BY), "All is smooth.")

    def renumber(self) -> None:
        """Number all objects of the image from 1 without gaps."""
        if self._may_edit():
            self.session.objects.begin_renumbering()
            self._make("Renumbering", RenumberObjects(), "The numbers have no gaps.")
            self.review.choose(())

    def split(self) -> None:
        """Show where the chosen one can be split."""
        if chosen := self._chosen():
            self._show_table(True)
            self.review.choose((chosen[-1],))
            self.show(chosen[-1])
            self.window.ensure_parts().object_table.begin_split(chosen[-1])

    def make_split(self) -> None:
        """Split it as shown."""
        dividing = self.session.objects.dividing
        edit = dividing.edit(self._first_free())
        if edit is not None and self._may_edit():
            dividing.cancel()
            self._make("Splitting", edit)

    def remove_small(self) -> None:
        """Show which objects are small."""
        if self._may_edit():
            self._show_table(True)
            self.window.ensure_parts().object_table.begin_small()

    def make_removal(self, numbers: tuple[int, ...]) -> None:
        """Remove these, as one step."""
        if numbers and self._may_edit():
            self._make("Removing", DeleteObjects(numbers, "remove small objects"))

    def group(self) -> None:
        """Open what makes objects of a prediction or of the mask, with the outcome in sight."""
        if self._may_edit():
            self.window.show_workspace("annotate")
            if not self.session.objects.is_on:
                self.session.objects.flip()
            self.window.ensure_parts().open_objects_maker()

    # -- within ----------------------------------------------------------------------------------

    def _may_edit(self) -> bool:
        session = self.session
        if session.image is None or not session.can_edit:
            if session.is_read_only:
                session.say_look_only()
            return False
        return True

    def _chosen(self) -> list[int]:
        """The objects to work on; that is said where there are none."""
        if not self._may_edit():
            return []
        chosen = list(self.review.chosen)
        if not chosen:
            self.session.message.emit(NONE_CHOSEN, "info")
        return chosen

    def _size(self, number: int) -> int:
        row = self.review.row_of(number)
        if row >= 0 and self.review.found is not None:
            return int(self.review.found.columns.voxels[row])
        return self.session.mask().objects.sizes().get(number, 0)

    def _first_free(self) -> int:
        found = self.review.found
        if found is not None and len(found.columns):
            highest = int(found.columns.numbers[-1])
            return highest + 1 if highest < HIGHEST else 1
        return self.session.mask().objects.next_number()

    def _make(self, title: str, edit: Edit, nothing: str = "") -> None:
        """At once, or in the background where there is much to look through."""
        session = self.session
        if len(session.mask().objects.block_indices()) > HERE_BLOCKS:
            session.working.make(title, edit, session.image_id)
        elif session.apply(edit) is None and nothing:
            session.message.emit(nothing, "info")
