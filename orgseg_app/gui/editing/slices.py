"""From plane to plane: copying what is painted, and filling in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from orgseg_app.core.edits.slices import (
    INTERPOLATE,
    CopyPlane,
    FillUnlabelled,
    Interpolate,
    one_plane,
    seen_from,
    whole_gaps,
)
from orgseg_app.core.ready import ReadyChange, worked_out
from orgseg_app.core.stopping import StoppedError

if TYPE_CHECKING:
    from orgseg_app.gui.background import Task
    from orgseg_app.gui.main_window import MainWindow

AT_ONCE_BLOCKS = 100
"""So many blocks are copied in a tenth of a second; more in the background."""


class Slices:
    """The commands that need more than one plane. What takes long arrives as one change."""

    def __init__(self, window: MainWindow) -> None:
        self.window = window
        self.session = window.session
        self._task: Task | None = None

    def copy(self, step: int, *, only_class: bool) -> None:
        """Copy the plane, or one class of it, to the next or previous one, and go there."""
        session, tools = self.session, self.window.tools
        image = session.image
        if image is None or self._is_refused():
            return
        source, target = session.z, session.z + step
        mask = session.mask()
        if not 0 <= target < image.shape[1]:
            session.message.emit(f"There is no plane {'after' if step > 0 else 'before'}.", "info")
            return
        indices = [index for index in mask.block_indices() if index[0] in (source, target)]
        replace = bool(tools.value("copy_replaces"))
        class_id = session.class_id if only_class else None
        edit = CopyPlane(source, target, class_id, replace, tools.protect)
        if not any(index[0] == source for index in indices) and not replace:
            session.message.emit("Nothing is painted on this plane.", "info")
        elif len(indices) <= AT_ONCE_BLOCKS:
            session.apply(edit)
            session.select_plane(target)
        else:
            seen = seen_from(mask, (source, target))
            image_id = session.image_id

            def work(task: Task) -> tuple[CopyPlane, ReadyChange | None]:
                return edit, worked_out(image_id, seen, edit, lambda count: _go_on(task))

            self._start("Copying the plane", image_id, work, target)

    def interpolate_gaps(self) -> None:
        """Fill every plane without paint between painted ones."""
        if self.session.image is not None and not self._is_refused():
            self._interpolate(whole_gaps(self.session.mask()), "two painted planes with others")

    def interpolate_here(self) -> None:
        """Fill what is unlabelled on this plane from the next painted ones."""
        if self.session.image is not None and not self._is_refused():
            edit = one_plane(self.session.mask(), self.session.z)
            self._interpolate(edit, "a painted plane before this one and one after it, with it")

    def _interpolate(self, edit: Interpolate | None, needed: str) -> None:
        session = self.session
        if edit is None:
            session.message.emit(f"To interpolate, there must be {needed} between them.", "info")
            return
        image_id = session.image_id
        ends = {z for gap in edit.gaps for z in gap}
        seen = seen_from(session.mask(), ends | set(edit.only or ()))

        def work(task: Task) -> tuple[FillUnlabelled, ReadyChange | None]:
            fill = FillUnlabelled(tuple(edit.pieces(seen, _reporting(task))))
            return fill, worked_out(image_id, seen, fill, lambda count: _go_on(task))

        self._start(INTERPOLATE.capitalize(), image_id, work)

    def _is_refused(self) -> bool:
        """True when nothing may be painted now, or the last one is still under way."""
        if self.session.saving.is_paused:
            self.session.say_paused()
        return not self.session.can_edit or self._task is not None

    def _start(
        self, title: str, image_id: str, work: Callable[[Task], Any], target: int | None = None
    ) -> None:
        session, file = self.session, self.session.file

        def on_success(found: tuple[CopyPlane | FillUnlabelled, ReadyChange | None]) -> None:
            if session.file is not file or file is None or image_id not in file.project.images:
                return
            edit, ready = found
            if ready is not None:
                session.apply_ready(edit, ready)
            elif target is None:
                session.message.emit("Nothing was unlabelled there.", "info")
            if target is not None and image_id == session.image_id:
                session.select_plane(target)

        def on_end() -> None:
            self._task = None

        self._task = session.working.start(title, work, on_success, on_end)


def _go_on(task: Task) -> None:
    if task.is_cancelled:
        raise StoppedError


def _reporting(task: Task) -> Callable[[int, int], bool]:
    """Progress of a task that ends where nobody wants it any more."""

    def report(done: int, total: int) -> bool:
        _go_on(task)
        return task.report(done, total)

    return report
