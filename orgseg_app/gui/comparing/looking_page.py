"""Pages whose figures need a look at scores in the background before they can be drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orgseg_app.gui.background import Task
from orgseg_app.gui.comparing.seen_view import SeenView
from orgseg_app.gui.comparing.shown_runs import ShownRuns


class LookingPage(SeenView):
    """What was found is drawn; else it is looked for, once, when the page is in sight.

    A kind of page hands work to `begin` in `look`, and draws in `draw`. Something else is asked for
    with `ask_anew`: an answer that is still under way is dropped.

    Attributes
    ----------
    shown : ShownRuns
        What the page is about.
    found
        What to draw; None until it was looked for.
    """

    looking_for = "Looking"
    """Title of the work in the background."""

    shown = ShownRuns()
    found: Any = None
    _task: Task | None = None

    # -- what a kind of page says ------------------------------------------------------------------

    def look(self) -> None:
        """Hand over the work by `begin`, or show why there is nothing to look for."""
        raise NotImplementedError

    def take(self, answer: Any) -> None:
        """Keep what the work gave."""
        self.found = answer

    def draw(self) -> None:
        """Show `found`."""
        raise NotImplementedError

    # -- looking -----------------------------------------------------------------------------------

    def redraw(self) -> None:
        """Draw what was found, or look for it first."""
        if self.found is not None:
            self.draw()
        elif self._task is None:
            self.look()

    def ask_anew(self) -> None:
        """Something else is asked for; it is looked for as soon as somebody sees the page."""
        self.found = None
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self.redraw_in_sight()

    def begin(self, work: Callable[[Task], Any]) -> None:
        """Look in the background; errors are told, unless nobody asks for the answer any more."""

        def asked(task: Task) -> tuple[Task, Any]:
            try:
                return task, work(task)
            except Exception:
                if task.is_cancelled:
                    return task, None
                raise

        # Methods, not closures: a task keeps those alive, and so the page, after both are over.
        self._task = self._session.background.start(
            self.looking_for, asked, self._on_answered, self._on_failed
        )

    def _on_answered(self, answer: tuple[Task, Any]) -> None:
        if not answer[0].is_cancelled:
            self._task = None
            self.take(answer[1])
            self.redraw_in_sight()

    def _on_failed(self, error: Exception) -> None:
        self._task = None
        self._session.report_error(error)
