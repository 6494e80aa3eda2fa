"""Importing, naming and removing images. Part of the session, which is the one door."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from orgseg_app.core.project import ProjectImage
from orgseg_app.gui.background import Task
from orgseg_app.gui.help.trouble_pages import REFUSED

if TYPE_CHECKING:
    from orgseg_app.files.project_file import NewImage, ProjectFile
    from orgseg_app.gui.session import Session

PROBLEMS_SHOWN = 3


class ImageEditing:
    """Changes which images there are, and what is said of them."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def _file(self) -> ProjectFile:
        file = self.session.file
        assert file is not None
        return file

    def add(self, items: Iterable[NewImage], problems: list[str], total: int) -> Task:
        """Import images off the window's thread; see `Session.add_images`."""
        file = self._file
        return self.session.background.start(
            "Importing images",
            lambda task: file.add_images(
                items,
                lambda done, known: task.report(done, known or total, "Importing images"),
                lambda item, error: problems.append(str(error)),
            ),
            lambda added: self._on_added(added, problems),
            self.session.report_error,
        )

    def _on_added(self, added: list[ProjectImage], problems: Sequence[str]) -> None:
        session = self.session
        session.images_changed.emit()
        if added and not session.image_id:
            session.select_image(added[0].image_id)
        if added and session.project is not None:
            from orgseg_app.files.importing import channel_mix, leaks

            images = list(session.project.images.values())
            problems = [*problems, *leaks(images), *channel_mix(images)]
        count = f"{len(added)} image{'' if len(added) == 1 else 's'} imported."
        if not added:
            count = "Nothing was imported."
        if problems:
            rest = len(problems) - PROBLEMS_SHOWN
            more = f" And {rest} more." if rest > 0 else ""
            said = " ".join([count, *problems[:PROBLEMS_SHOWN]]) + more
            session.say(said, "warning", REFUSED)
        else:
            session.message.emit(count, "info")

    def remove(self, image_id: str) -> None:
        """Take an image and its annotation out of the project."""
        session = self.session
        if session.recorder is not None and session.recorder.image_id == image_id:
            session.cancel_stroke()
        self._file.remove_image(image_id)
        session.saving.note(is_edit=False)
        session.history_changed.emit()
        if image_id == session.image_id:
            session.image_id = ""
        session.images_changed.emit()
        if not session.image_id:
            session.select_image(next(iter(self._file.project.images), ""))

    def rename(self, image_id: str, name: str) -> None:
        """Give an image another name."""
        self._file.rename_image(image_id, name)
        self._told()

    def set_split(self, image_id: str, split: str) -> None:
        """Use an image for training, validation or test."""
        self._file.set_split(image_id, split)
        self._told()

    def _told(self) -> None:
        self.session.saving.note(is_edit=False)
        self.session.images_changed.emit()
