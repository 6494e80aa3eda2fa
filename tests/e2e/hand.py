"""A hand at the real window, in the test's own process: drop, paint, press, read what is said."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QCoreApplication, QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QWidget

from orgseg_app import settings as settings_module
from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.gui.main_window import MainWindow

LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
NOT_WORDS = ("Traceback", "Errno", "Error(", "Error:", "None", "object at", "{", "0x")
"""What no sentence for a person holds."""


LEAST_PATIENCE_S = 60
"""What must happen is waited for this long at least: other tests keep the machine busy."""


class Hand:
    """A window with everything it has said so far.

    Attributes
    ----------
    said
        (level, sentence) of every message, oldest first.
    answer
        What questions with a button ("Remove?") are answered, and `asked` what was asked.
    """

    def __init__(self) -> None:
        self.window = MainWindow(settings_module.load())
        self.said: list[tuple[str, str]] = []
        self.asked: list[tuple[str, str]] = []
        self.answer = True
        self.window.session.message.connect(lambda text, level: self.said.append((level, text)))
        self.window.commands._confirm = self._confirm  # type: ignore[method-assign]
        self.window.resize(1280, 800)
        self.window.show()
        QTest.qWaitForWindowExposed(self.window)

    def _confirm(self, title: str, text: str, verb: str) -> bool:
        self.asked.append((title, text))
        return self.answer

    @property
    def session(self) -> Any:
        return self.window.session

    @property
    def parts(self) -> Any:
        return self.window.ensure_parts()

    @property
    def images(self) -> list[Any]:
        """The images of the open project."""
        return list(self.session.project.images.values())

    # -- waiting -----------------------------------------------------------------------------------

    def wait(self, until: Callable[[], object], seconds: float = 20, what: str = "") -> None:
        """Let the window live until something holds."""
        end = time.monotonic() + max(seconds, LEAST_PATIENCE_S)
        while not until():
            assert time.monotonic() < end, f"waited in vain for {what or until}: {self.said}"
            QApplication.processEvents()
            time.sleep(0.002)

    def rest(self, seconds: float = 0.05) -> None:
        """Let the window live for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            QApplication.processEvents()
            time.sleep(0.002)

    def settle(self) -> None:
        """Wait until nothing is worked on any more."""
        background, saving = self.session.background, self.session.saving
        self.wait(lambda: background.is_idle, 30, "the background")
        self.rest()
        self.wait(lambda: background.is_idle and saving.is_idle, 30, "the background")

    def wait_for_backup(self) -> None:
        """Wait until the backup that follows the opening of a project is made."""
        backups = self.window.backing_up
        self.wait(lambda: not backups._soon.isActive() and backups.background.is_idle)

    # -- doing -------------------------------------------------------------------------------------

    def open(self, path: Path) -> None:
        """Drop a project on the window."""
        self.drop(path)
        self.wait(lambda: self.session.path == path, 10, str(path))
        self.settle()

    def drop(self, *paths: Path) -> None:
        """Let go of files over the window."""
        drop_on(self.window, paths)

    def drop_and_settle(self, *paths: Path) -> None:
        """Drop, look, import; where it is asked, take the masks."""
        self.drop(*paths)
        self.rest()
        self.settle()
        bar = self.window.commands.importing.bar
        if bar is not None and bar.isVisible():
            bar.use_button.click()
            self.settle()

    def action(self, action_id: str) -> None:
        """Trigger an action of a menu."""
        self.window.actions_by_id[action_id].trigger()
        self.rest()

    def pen_down(self, y: float, x: float) -> None:
        """Put the brush down at a place given in shares of the image."""
        self.window.tools.set_tool("brush")
        spot = self._spot(y, x)
        QTest.mouseMove(self.parts.canvas, spot)
        QTest.mousePress(self.parts.canvas, LEFT, PLAIN, spot)

    def pen_move(self, y: float, x: float) -> None:
        """Move the brush."""
        QTest.mouseMove(self.parts.canvas, self._spot(y, x))
        QApplication.processEvents()

    def pen_up(self, y: float, x: float) -> None:
        """Lift the brush."""
        QTest.mouseRelease(self.parts.canvas, LEFT, PLAIN, self._spot(y, x))
        QApplication.processEvents()

    def _spot(self, y: float, x: float) -> QPoint:
        _, _, height, width = self.session.image.shape
        return self.parts.canvas.to_widget(y * height, x * width).toPoint()

    def stroke(self) -> None:
        """Paint through the middle of the image."""
        self.pen_down(0.5, 0.4)
        self.pen_move(0.5, 0.5)
        self.pen_up(0.5, 0.6)

    # -- checking ----------------------------------------------------------------------------------

    def heard(self, level: str, *words: str) -> str:
        """The one thing said since the last look: a sentence of this level with these words."""
        said, self.said = self.said, []
        assert len(said) == 1, said
        assert said[0][0] == level, said
        text = said[0][1]
        check_sentence(text)
        for word in words:
            assert word in text, text
        if level in ("warning", "error"):
            assert self.window.messages.isVisible()
            assert self.window.messages.words.text()
        return text

    def warned(self, *words: str) -> str:
        """The banner that says what is not where it should be, with these words."""
        banners = self.window.banners
        self.wait(lambda: banners.trouble.isVisible(), 10, "the banner")
        text = f"{banners.trouble.title.text()} {banners.trouble.words.text()}"
        check_sentence(text)
        for word in words:
            assert word in text, text
        return text

    @property
    def is_warned(self) -> bool:
        """That banner is there."""
        return self.window.banners is not None and self.window.banners.trouble.isVisible()

    def quiet(self) -> None:
        """Nothing but good news was said since the last look."""
        said, self.said = self.said, []
        bad = [entry for entry in said if entry[0] != "info"]
        assert bad == [], bad

    def goes_on(self) -> None:
        """The window still works: a stroke is painted, saved, and read back from the file."""
        session = self.session
        assert session.image is not None
        self.window.show_workspace("annotate")
        self.window.tools.set_protect(False)
        self.parts.canvas.fit()
        self.rest()
        if self.parts.canvas.view_state().zoom < 0.5:
            self.parts.canvas.set_zoom(1.0)
            self.rest()
        before = session.mask().to_array()
        at = [n // 2 for n in before.shape[1:]]
        session.select_class(1 if before[session.z, at[0], at[1]] == 2 else 2)
        self.stroke()
        assert (session.mask().to_array() != before).any()
        self.save()
        assert_same(self.session)

    def save(self) -> None:
        """Save now, into the project file as well, and see that it is."""
        self.action("save")
        self.wait(lambda: self.session.save_state == "saved", 20, "saving")
        self.settle()
        assert not self.session.file.is_dirty
        assert not self.is_warned

    def close(self) -> None:
        """Close the window as its cross does, and let go of it."""
        for dialog in self.window.findChildren(QDialog):
            dialog.close()
        self.window.close()
        assert not self.window.isVisible()
        self.window.session.background.wait()
        QApplication.processEvents()
        assert self.session.file is None
        self.window.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        QApplication.processEvents()


def drop_on(window: QWidget, paths: Iterable[Path]) -> None:
    """Let go of files over the middle of a window."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(p)) for p in paths])
    middle = QPointF(window.rect().center())
    copy = Qt.DropAction.CopyAction
    under = window.childAt(middle.toPoint()) or window
    enter = QDragEnterEvent(middle.toPoint(), copy, data, LEFT, PLAIN)
    QApplication.sendEvent(under, enter)
    QApplication.sendEvent(under, QDropEvent(middle, copy, data, LEFT, PLAIN))


def check_sentence(text: str) -> None:
    """Words for a person: a sentence or a few, no innards."""
    assert text.strip().endswith((".", "?", "…")), text
    assert text[0].isupper() or text[0] in '“"0123456789', text
    assert len(text) < 600, text
    for word in NOT_WORDS:
        assert word not in text, text


def assert_same(session: Any) -> None:
    """What the file holds is what the window shows: every image, every mask."""
    with ProjectFile.open(session.path, read_only=True) as stored:
        assert list(stored.project.images) == list(session.project.images)
        assert stored.project.classes == session.project.classes
        for image_id in stored.project.images:
            assert stored.project.images[image_id] == session.project.images[image_id]
            assert np.array_equal(
                stored.load_mask(image_id).to_array(), session.mask(image_id).to_array()
            )
            stored.read_image(image_id)


def make_project(
    path: Path,
    count: int = 3,
    *,
    side: int = 48,
    painted: Iterable[int] = (0, 1, 2, 3, 4, 5, 6, 7),
    values: tuple[int, int] = (1, 2),
    channels: tuple[int, ...] = (),
    splits: tuple[str, ...] = ("train", "train", "validation", "test"),
    class_names: tuple[str, ...] = ("ER",),
) -> Path:
    """A small project of noise; painted images are `values[0]` above, `values[1]` below."""
    random = np.random.default_rng(0)
    wanted = set(painted)
    with ProjectFile.create(path, default_classes(class_names)) as file:
        items = []
        for number in range(count):
            channel_count = channels[number] if channels else 1
            pixels = random.integers(0, 4000, (channel_count, 1, side, side)).astype(np.uint16)
            mask = np.full((1, side, side), values[0], np.uint8)
            mask[:, side // 2 :] = values[1]
            split = splits[number % len(splits)]
            items.append(
                NewImage(
                    open_array(f"zelle ü {number}", pixels),
                    split,
                    mask if number in wanted else None,
                )
            )
        file.add_images(items)
    return path
