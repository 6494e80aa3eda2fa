"""Linked images whose file is away: they are marked, and found again by what they hold."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog

from orgseg_app.gui.background import Background
from orgseg_app.gui.help.trouble_pages import LINKED
from orgseg_app.gui.panels.banner import Banner

if TYPE_CHECKING:
    from orgseg_app.core.project import ProjectImage
    from orgseg_app.files.images.links import Found
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.gui.background import Task
    from orgseg_app.gui.main_window import MainWindow

NAMES_SHOWN = 3
LOOK_AGAIN_S = 3.0


class Linking(QObject):
    """Looks after the files of linked images.

    Attributes
    ----------
    looking
        Where files are looked for that nobody asked to search: loading images does not wait for it.
    banner
        Says that the image on the canvas is only a preview; None until it was needed.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.session = window.session
        self.looking = Background(self)
        self.banner: Banner | None = None
        self._file: ProjectFile | None = None
        self._looked_at = 0.0
        self.session.project_changed.connect(self._on_project_changed)
        self.session.closing.connect(self._stop)
        self.session.image_selected.connect(lambda _: self._show_banner())
        self.session.links_changed.connect(self._show_banner)
        app = QGuiApplication.instance()
        if isinstance(app, QGuiApplication):
            app.applicationStateChanged.connect(self._on_application_state)

    # -- how the files are -----------------------------------------------------------------------

    def look(self) -> None:
        """See in the background which files are away, and have them marked."""
        file = self.session.file
        images = _linked(file)
        if file is None or not images or not self.looking.is_idle:
            return
        self._looked_at = time.monotonic()

        def work(task: Task) -> None:
            from orgseg_app.files.giving_up import GivenUpError

            def check() -> None:
                if task.is_cancelled:
                    raise GivenUpError

            with contextlib.suppress(GivenUpError):
                file.links.look(images, check)

        self.looking.start("Looking at linked files", work, lambda _: self._on_looked(file))

    def _on_looked(self, file: ProjectFile) -> None:
        if not self.window.is_closed and self.session.file is file:
            self.session.links_changed.emit()

    def _on_project_changed(self) -> None:
        if self.session.file is not self._file:  # and not only its name
            self._file = self.session.file
            self._show_banner()
            self.look()

    def _on_application_state(self, state: Qt.ApplicationState) -> None:
        """Who comes back from another program may have put the files back."""
        is_back = state == Qt.ApplicationState.ApplicationActive
        if is_back and time.monotonic() - self._looked_at > LOOK_AGAIN_S:
            self.look()

    def _stop(self) -> None:
        """The project is about to be closed."""
        if self.looking.current is not None:
            self.looking.current.cancel()
        self.looking.wait()

    def _show_banner(self) -> None:
        """Say of the image on the canvas that its file is away; or be silent again."""
        file, image = self.session.file, self.session.image
        state = file.links.last_state(image) if file is not None and image is not None else ""
        if image is None or image.link is None or not is_away(state):
            if self.banner is not None:
                self.banner.hide()
            return
        if self.banner is None:
            self.banner = Banner("Linked file")
            self.banner.add_action(
                "Find the file…", "Show where it is now; it is known by what it holds", self.ask_for
            )
            self.window.add_bar(self.banner)
        place = file.links.place(image) if file is not None else None
        what = "was not found" if state == "missing" else "has changed since it was linked"
        self.banner.say(
            "warning",
            f"“{image.name}” is shown as a preview: its file “{image.link.name}” {what}.",
            "What was painted is safe. "
            + (
                "Put the file back, or show where it is now."
                if state == "missing"
                else "Put the original back, or show where it is; another image is never taken."
            ),
            f"It was last seen at {place}" if place else "",
            page=LINKED,
        )

    # -- finding them ----------------------------------------------------------------------------

    def ask(self) -> None:
        """“Find linked images…”: ask which folder, and look through it."""
        project = self.session.project
        if project is None:
            return
        if not _linked(self.session.file):
            self.session.message.emit(
                "Every image of this project is in the project itself.", "info"
            )
            return
        name = QFileDialog.getExistingDirectory(
            self.window, "Find linked images", self.window.settings.last_folder
        )
        if name:
            self.window.settings.last_folder = name
            self.find(Path(name))

    def ask_for(self, image_id: str = "") -> None:
        """“Find the file…”: ask which file it is; others beside it are found with it."""
        file = self.session.file
        image = file and file.project.images.get(image_id or self.session.image_id)
        if file is None or not image or image.link is None:
            return
        place = file.links.place(image)
        folder = place.parent if place is not None and place.parent.is_dir() else None
        name, _ = QFileDialog.getOpenFileName(
            self.window,
            f"Find “{image.link.name}”",
            str(folder or self.window.settings.last_folder or file.path.parent),
        )
        if name:
            self.window.settings.last_folder = str(Path(name).parent)
            self.find(Path(name), image)

    def find(self, place: Path, wanted: ProjectImage | None = None) -> Task:
        """Look through a folder, or at a file, in the background.

        What was found until a cancel stays found.

        Parameters
        ----------
        wanted
            The image that ``place`` is said to be the file of.
        """
        session = self.session
        file = session.file
        assert file is not None
        images = _linked(file)

        def work(task: Task) -> Found:
            def report(done: int, total: int, name: str) -> bool:
                return task.report(done >> 20, max(1, total >> 20), f"Reading {name}")

            found = file.links.find(images, place, report)
            if wanted is not None and found.linked and found.missing:  # they were moved together
                rest = [i for i in images if i.image_id in found.missing]
                beside = file.links.find(rest, place.parent, report, depth=0)
                found = type(found)((*found.linked, *beside.linked), beside.missing, ())
            return found

        return session.background.start(
            "Looking for linked images",
            work,
            lambda found: self._on_found(found, file, wanted, place),
            session.report_error,
        )

    def _on_found(
        self, found: Found, file: ProjectFile, wanted: ProjectImage | None, place: Path
    ) -> None:
        session = self.session
        if self.window.is_closed or session.file is not file:
            return
        if wanted is None:
            session.message.emit(*_sentence(found, file))
        else:
            session.message.emit(*_sentence_for(wanted, found, file, place))
        session.links_changed.emit()
        if session.image_id in found.linked:
            z = session.z
            session.select_image(session.image_id)
            session.select_plane(z)


def is_away(state: str) -> bool:
    """True for the state of a file that is known to be missing, or not to be the same any more."""
    return state in ("missing", "changed")


def _linked(file: ProjectFile | None) -> list[ProjectImage]:
    if file is None:
        return []
    return [image for image in file.project.images.values() if image.link is not None]


def _sentence(found: Found, file: ProjectFile) -> tuple[str, str]:
    """What to say of a search, and how loud."""
    count = len(found.linked)
    if not found.missing:
        if not count:
            return "No linked image was missing.", "info"
        return f"{count} linked image{'' if count == 1 else 's'} found; none is missing.", "info"
    listed = _names(found.missing, file)
    parts = [f"{count} of {count + len(found.missing)} linked images found; missing: {listed}."]
    return " ".join([*parts, *found.refused[:NAMES_SHOWN]]), "warning"


def _sentence_for(
    wanted: ProjectImage, found: Found, file: ProjectFile, place: Path
) -> tuple[str, str]:
    """What to say when one file was shown for one image."""
    if not found.linked:
        if not found.missing:
            return f"“{wanted.name}” has its file.", "info"
        assert wanted.link is not None
        return (
            f"“{place.name}” is not the file of “{wanted.name}”: it holds something else than "
            f"“{wanted.link.name}” did. It was not linked, and nothing was changed.",
            "warning",
        )
    others = [i for i in found.linked if i != wanted.image_id]
    if wanted.image_id not in found.linked:
        return (
            f"“{place.name}” is the file of {_names(others, file)}, and was linked to it. "
            f"“{wanted.name}” is still missing.",
            "warning",
        )
    more = f", and with it {_names(others, file)}" if others else ""
    rest = f" Still missing: {_names(found.missing, file)}." if found.missing else ""
    return f"“{wanted.name}” found{more}.{rest}", "warning" if rest else "info"


def _names(image_ids: Sequence[str], file: ProjectFile) -> str:
    """Some images by name."""
    images = file.project.images
    names = [f"“{images[i].name}”" for i in image_ids if i in images]
    rest = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
