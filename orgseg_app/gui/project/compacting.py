"""Winning back the room of what a project no longer holds.

It writes the whole project once more. Where that takes a moment it is done by itself, when the
project is closed; a large one takes minutes on a slow disk, so there it is offered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from orgseg_app.gui.background import Task
from orgseg_app.gui.editing.save_trouble import size_words
from orgseg_app.gui.panels.banner import Banner

if TYPE_CHECKING:
    from orgseg_app.gui.main_window import MainWindow

LEAST = 2**20
"""Bytes below which there is nothing to win."""


class Compacting(QObject):
    """The action "Compact the project…".

    Attributes
    ----------
    banner
        Offers it, and shows how far it is; made when first needed.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.session = window.session
        self.banner: Banner | None = None
        self._task: Task | None = None
        self._was_offered = False
        self.session.project_changed.connect(self._on_project_changed)

    def _on_project_changed(self) -> None:
        if self.session.file is None:
            self._was_offered = False
            self._hide()

    # -- offering --------------------------------------------------------------------------------

    def offer(self, holes: int, size: int) -> None:
        """Offer it, once an opening, where it is worth it."""
        from orgseg_app.files.store.storage import is_worth_compacting

        file = self.session.file
        if file is None or file.read_only or self._task is not None or self._was_offered:
            return
        if is_worth_compacting(holes, size):
            self._was_offered = True
            banner = self._shown_banner()
            self._compact_button.show()
            self._cancel_button.hide()
            banner.close_button.show()
            banner.say(
                "info",
                f"{size_words(holes)} of “{file.path.name}” ({size_words(size)}) hold nothing any "
                "more.",
                "Compacting gives that room back to the disk. You can go on painting meanwhile.",
            )

    def _shown_banner(self) -> Banner:
        if self.banner is None:
            self.banner = Banner("Room in the project file", can_close=True)
            self._compact_button = self.banner.add_action(
                "Compact", "Write the project file anew, without what it no longer holds", self.run
            )
            self._cancel_button = self.banner.add_action(
                "Cancel", "The project file stays as it is", self.cancel
            )
            self.window.add_bar(self.banner)
        return self.banner

    def _hide(self) -> None:
        if self.banner is not None:
            self.banner.hide()

    # -- asking ----------------------------------------------------------------------------------

    def ask(self) -> None:
        """Say what there is to win, and do it when that is wanted."""
        session, file = self.session, self.session.file
        if file is None or self._task is not None:
            return
        if file.read_only:
            session.message.emit("This project is open read-only, so it stays as it is.", "warning")
            return
        session.fold_in()
        session.background.start(
            "Measuring the project",
            lambda task: (file.holes, file.storage_bytes),
            lambda found: self._on_measured(*found),
            session.report_error,
        )

    def _on_measured(self, holes: int, size: int) -> None:
        session, file = self.session, self.session.file
        if file is None:
            return
        name = file.path.name
        if holes < LEAST:
            session.message.emit(
                f"“{name}” takes {size_words(size)}; there is nothing to win back.", "info"
            )
            return
        if self.window.commands.confirm(
            "Compact the project?",
            f"“{name}” takes {size_words(size)}, of which {size_words(holes)} hold nothing any "
            "more. It is written anew beside the old one, checked, and put in its place; until "
            f"then about {size_words(size - holes)} more are needed on the disk. You can go on "
            "painting.",
            "Compact",
        ):
            self.run()

    # -- doing -----------------------------------------------------------------------------------

    def run(self) -> None:
        """Compact in the background; the banner shows how far it is."""
        session, file = self.session, self.session.file
        if file is None or file.read_only or self._task is not None:
            return
        session.fold_in()  # steps that wait would make holes anew
        name, before = file.path.name, [0]

        def work(task: Task) -> bool:
            before[0] = file.storage_bytes
            return file.compact(lambda done, total: task.report(done, total, name))

        def on_success(is_done: bool) -> None:
            self._task = None
            self._hide()
            won = before[0] - file.storage_bytes
            if not is_done:
                session.message.emit(f"Compacting was given up; “{name}” is as it was.", "info")
            elif won <= 0:
                session.message.emit(f"“{name}” was as small as it can be.", "info")
            else:
                session.message.emit(
                    f"“{name}” is {size_words(won)} smaller: {size_words(file.storage_bytes)}.",
                    "success",
                )

        def on_failure(error: Exception) -> None:
            self._task = None
            self._hide()
            session.report_error(error)

        self._task = session.background.start("Compacting", work, on_success, on_failure)
        self._task.progressed.connect(lambda done, total, text: self._show(name, done, total))
        self._show(name, 0, 0)

    def cancel(self) -> None:
        """Stop; the project file stays as it is."""
        if self._task is not None:
            self._task.cancel()

    def _show(self, name: str, done: int, total: int) -> None:
        if self._task is None:
            return
        banner = self._shown_banner()
        self._compact_button.hide()
        self._cancel_button.show()
        banner.close_button.hide()
        share = f": {100 * done // total} %" if total else ""
        banner.say(
            "info",
            f"Compacting “{name}”{share}",
            "It is written anew beside the old one and then put in its place. You can go on "
            "painting.",
        )
