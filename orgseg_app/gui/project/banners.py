"""What stays across the window until it is no longer so: not saved, read-only, brought back."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer

from orgseg_app.gui.help.trouble_pages import CLOUD, READ_ONLY, page_of_saving
from orgseg_app.gui.panels.banner import Banner

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.files.store.lock import LockedError
    from orgseg_app.gui.main_window import MainWindow


HAND_DOWN_MS = 100

_FIRST_SENTENCE = re.compile(r"(?:“[^”]*”|[^“])*?\.(?= [A-Z“])")
"""Names in quotes may hold anything."""


class Banners(QObject):
    """The banners of the window.

    Attributes
    ----------
    trouble
        Something is only in memory, or not in the project file yet.
    reader
        The project is open read-only, and why.
    found
        What opening it found: edits of a crash, strokes in a side file set aside.
    place
        The project lies where a cloud service copies it; said until somebody has read it.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.session = window.session
        self._file: ProjectFile | None = None
        self._orphans: list[Path] = []
        commands = window.commands
        self.found = Banner("Found when the project was opened", can_close=True)
        self.bring_button = self.found.add_action(
            "Bring strokes back",
            "Make them again, as changes that undo takes back",
            self.bring_strokes_back,
        )
        self.found.closed.connect(self._on_found_read)
        self.place = Banner("Where the project lies", can_close=True)
        self.place.closed.connect(self._on_place_read)
        self.reader = Banner("Read-only")
        self.again_button = self.reader.add_action(
            "Try again",
            "See whether it was closed there; then it can be changed here",
            commands.opening.open_to_paint,
        )
        self.reader.add_action("Save a copy…", "Go on in a copy of your own", commands.save_copy)
        self.trouble = Banner("Not saved")
        self.save_button = self.trouble.add_action(
            "Try again", "It is also tried every 10 seconds", self._try_saving
        )
        self.trouble.add_action(
            "Save a copy elsewhere…",
            "Write the project as it is now, with these strokes, to another disk",
            commands.save_copy,
        )
        for banner in (self.place, self.found, self.reader, self.trouble):
            window.add_bar(banner)  # the gravest on top
        self.session.project_changed.connect(self._on_project_changed)
        self._later = QTimer(self, singleShot=True, interval=HAND_DOWN_MS)
        self._later.timeout.connect(self._show_trouble)
        self.session.saving.trouble_changed.connect(lambda _: self._show_trouble())
        self._on_project_changed()

    # -- not saved -------------------------------------------------------------------------------

    def _try_saving(self) -> None:
        self.session.saving.try_again()

    def _show_trouble(self) -> None:
        trouble = self.session.saving.trouble
        if self.session.recorder is not None:
            self._later.start()  # the picture moves down a little: not under the pen
        elif trouble is None:
            self.trouble.hide()
        else:
            level = "warning" if trouble.is_safe else "error"
            self.save_button.setVisible(not trouble.is_lost)
            page = READ_ONLY if trouble.is_lost else page_of_saving(trouble.reason)
            self.trouble.say(level, trouble.title, trouble.text, trouble.sentence, page=page)

    # -- read-only, and what opening found -------------------------------------------------------

    def _on_project_changed(self) -> None:
        file, holder = self.session.file, self.session.holder
        if file is self._file:
            return  # it was renamed: what was read and closed stays closed
        self._file = file
        for banner in (self.place, self.found, self.reader):
            banner.hide()
        if file is None:
            return
        if file.read_only:
            self.again_button.setVisible(holder is not None)
            words = reader_words(holder, file.read_only_reason)
            self.reader.say("warning", *words, page=READ_ONLY)
        self._orphans = [] if file.read_only else file.orphans()
        new = [path for path in self._orphans if not self._was_read(f"set-aside-read:{path}")]
        self.bring_button.setVisible(bool(new))
        sentences = [*file.notices, *([_about(new)] if new else [])]
        if sentences:
            level = "warning" if new else "info"
            self.found.say(level, *_title_and_rest(sentences), page="saving")
        self._say_place(file)

    def _say_place(self, file: ProjectFile) -> None:
        from orgseg_app.files.store import places

        warning = "" if file.read_only else places.cloud_warning(file.path)
        if warning and not self._was_read(f"place-read:{file.path}"):
            self.place.say("warning", *_title_and_rest([warning]), page=CLOUD)

    def _was_read(self, key: str) -> bool:
        return bool(self.window.settings.remembered.get(key))

    def _on_place_read(self) -> None:
        """Once is enough for a project: who closed it has read it."""
        if self._file is not None:
            self._remember_read(f"place-read:{self._file.path}")

    def _on_found_read(self) -> None:
        """Side files that were left where they are are not told again; the File menu has them."""
        self._remember_read(*(f"set-aside-read:{path}" for path in self._orphans))

    def _remember_read(self, *keys: str) -> None:
        from orgseg_app import settings as settings_module

        self.window.settings.remembered.update(dict.fromkeys(keys, True))
        settings_module.save(self.window.settings)

    @property
    def can_bring_back(self) -> bool:
        """True when strokes were set aside, and nobody has brought them back yet."""
        return bool(self._orphans) and not self.session.is_read_only

    def bring_strokes_back(self) -> None:
        """Make the strokes of side files that were set aside, each to be undone by itself."""
        session = self.session
        count = 0
        for path in self._orphans:
            try:
                count += session.bring_strokes_back(path)
            except Exception as error:
                session.report_error(error)
                return
        self._orphans = []
        self.found.hide()
        self.window.refresh_actions()
        strokes = f"{count} stroke{'' if count == 1 else 's'}"
        session.message.emit(
            f"{strokes} brought back; undo takes them away again."
            if count
            else "The side file holds no stroke that fits the images of this project.",
            "info",
        )


def _title_and_rest(sentences: list[str]) -> tuple[str, str]:
    """What happened, in the strong line; everything else below it."""
    found = _FIRST_SENTENCE.match(sentences[0])
    end = found.end() if found else len(sentences[0])
    return sentences[0][:end], " ".join([sentences[0][end:], *sentences[1:]]).strip()


def reader_words(holder: LockedError | None, reason: str) -> tuple[str, str]:
    """Title and text for a project that is only looked at."""
    if holder is None:
        return "Read-only.", reason or "Nothing can be changed here."
    return (
        f"Read-only: {whose(holder)}.",
        "You see the project as it was last written, and nothing can be changed here. When it is "
        "closed there, try again to paint here.",
    )


def whose(holder: LockedError) -> str:
    """Who has a project, and since when: "anna on PC-3 has it open since 10:42"."""
    if holder.since is None:
        return f"{holder.who} has it open"
    since, today = holder.since.astimezone(), datetime.now().astimezone().date()
    day = "" if since.date() == today else f" on {since:%d %B}"
    return f"{holder.who} has it open since {since:%H:%M}{day}"


def _about(orphans: list[Path]) -> str:
    names = f"“{orphans[-1].name}”"
    if len(orphans) > 1:
        names += f" and {len(orphans) - 1} more"
    return (
        f"Strokes in a side file did not fit this version of the project and were set aside: "
        f"{names}. Bring them back as changes, or leave the file where it is."
    )
