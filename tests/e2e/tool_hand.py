"""A hand that uses the tools of the real window: real presses and keys, and exact expectations."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QKeySequence, QWindow
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from orgseg_app.core.edits.recorder import Edit, Recorder
from orgseg_app.core.mask import Mask
from orgseg_app.gui.actions import BY_ID
from tests.e2e.hand import LEFT, PLAIN
from tests.e2e.story import Driver
from tests.e2e.tool_scene import NUCLEUS, Scene

Key = Qt.Key
Modifier = Qt.KeyboardModifier
SHIFT, ALT, CONTROL = Modifier.ShiftModifier, Modifier.AltModifier, Modifier.ControlModifier
Place = tuple[float, float]
Values = NDArray[np.uint8]

ZOOM = 3.0  # so that every voxel can be hit


def made(before: Values, *edits: Edit) -> Values:
    """A mask (Z, Y, X) after edits of the core, without any window."""
    mask = Mask.from_array(before)
    for edit in edits:
        edit.apply(Recorder("image", mask))
    return mask.to_array()


def centre(voxel: Place) -> Place:
    """The middle of a voxel."""
    return math.floor(voxel[0]) + 0.5, math.floor(voxel[1]) + 0.5


class ToolHand(Driver):
    """Takes tools and uses them, at the window itself: what lies over the canvas gets the press.

    Attributes
    ----------
    by_keys
        Whether what can be done by mouse or by keys is done by keys now.
    """

    def __init__(
        self, scene: Scene, path: Path, pictures: Path | None = None, *, is_new: bool = True
    ) -> None:
        super().__init__(pictures)
        self.by_keys = False
        self.scene, self.path = scene, path
        if is_new:
            scene.project(path)
        self.said: list[str] = []
        self.window.session.message.connect(lambda text, level: self.said.append(text))
        self.open()

    # -- what there is -----------------------------------------------------------------------------

    @cached_property
    def handle(self) -> QWindow:
        """The window as the screen knows it."""
        found = self.window.windowHandle()
        assert found is not None
        return found

    @property
    def canvas(self) -> Any:
        """The canvas."""
        return self.parts.canvas

    @property
    def session(self) -> Any:
        """The session."""
        return self.window.session

    @property
    def tools(self) -> Any:
        """Their settings."""
        return self.window.tools

    @property
    def z(self) -> int:
        """The plane that is looked at."""
        return int(self.session.z)

    def mask(self) -> Values:
        """What is painted on the image."""
        return np.asarray(self.session.mask().to_array())

    def open(self) -> None:
        """Open the project as when it is dropped on the window."""
        self.window.commands.importing.take([self.path])
        self.wait(lambda: self.session.image is not None, 30, "the project")
        self.settle()

    def reopen(self) -> None:
        """Close the project by its key, and open it again."""
        self.key(Key.Key_W, CONTROL)
        self.wait(lambda: self.session.path is None, 30, "the project to be closed")
        self.open()
        self.canvas.setFocus()

    def settle(self) -> None:
        """Let everything that is under way end."""
        self.app.processEvents()
        self.wait(lambda: self.session.background.is_idle, 30, "the background")
        self.app.processEvents()

    def start(self, image: str, z: int = 0) -> Values:
        """Look at an image from near, with the usual settings; what is painted there.

        The pointer is away and the hand holds nothing that paints.
        """
        images = self.session.project.images
        wanted = next(i for i, found in images.items() if found.name == image)
        self.session.select_image(wanted, z)
        self.wait(lambda: self.canvas.is_shown, 20, "the image")
        defaults = type(self.tools)().values()
        for name, value in defaults.items():
            self.tools.set_value(name, value)
        self.tools.set_tool("pan")
        self.session.select_class(NUCLEUS)
        self.canvas.fit()
        self.canvas.set_zoom(ZOOM)
        self.canvas.setFocus()
        self.leave()
        self.settle()
        return self.mask()

    def wait(self, until: Callable[[], object], seconds: float = 60, what: str = "") -> None:
        """Let the window live until something holds."""
        end = time.monotonic() + seconds
        while not until():
            errors, self.errors = self.errors, []
            assert not errors, f"an error was shown: {errors}"
            assert time.monotonic() < end, f"waited {seconds} s in vain for {what}"
            self.app.processEvents()
            time.sleep(0.002)

    def start_anew(self) -> None:
        """After an act that failed: nothing in the hand, nothing done."""
        while popup := QApplication.activePopupWidget():
            popup.close()
        QTest.mouseRelease(self.handle, LEFT, PLAIN, QPoint(1, 1))
        self.errors.clear()
        self.canvas.tool.cancel()
        self.settle()
        while self.session.history.next_undo() is not None:
            self.session.undo()
        self.session.objects.set(is_on=False, each_stroke=False)

    # -- mouse -------------------------------------------------------------------------------------

    def spot(self, place: Place) -> QPoint:
        """Where a place of the image lies in the window."""
        at = self.canvas.to_widget(*place).toPoint()
        assert self.canvas.rect().contains(at), f"{place} is not in sight"
        return self.canvas.mapTo(self.window, at)

    def hit(self, place: Place) -> Place:
        """The place of the image that the pointer, which knows whole pixels only, points at."""
        at = self.canvas.mapFrom(self.window, self.spot(place))
        y, x = self.canvas.to_image(QPointF(at))
        return float(y), float(x)

    def move(self, place: Place, keys: Modifier = PLAIN) -> Place:
        """Point somewhere; a button that is down stays down."""
        self.move_to(self.spot(place), keys)
        return self.hit(place)

    def move_to(self, spot: QPoint, keys: Modifier = PLAIN) -> None:
        """Point at a place of the window."""
        QTest.mouseEvent(
            QTest.MouseAction.MouseMove, self.handle, Qt.MouseButton.NoButton, keys, spot
        )
        self.app.processEvents()

    def leave(self) -> None:
        """Point at something that is not the canvas."""
        status = self.parts.status
        self.move_to(status.mapTo(self.window, status.rect().center()))

    def press(self, place: Place, keys: Modifier = PLAIN) -> Place:
        """Point there and press."""
        self.move(place, keys)
        QTest.mousePress(self.handle, LEFT, keys, self.spot(place))
        self.app.processEvents()
        return self.hit(place)

    def release(self, place: Place, keys: Modifier = PLAIN) -> None:
        """Let go there."""
        self.lift(self.spot(place), keys)

    def lift(self, spot: QPoint, keys: Modifier = PLAIN) -> None:
        """Let go at a place of the window."""
        QTest.mouseRelease(self.handle, LEFT, keys, spot)
        self.app.processEvents()

    def drag(self, *places: Place, keys: Modifier = PLAIN) -> list[Place]:
        """Press, move on, let go; where the pointer was."""
        path = [self.press(places[0], keys)]
        path += [self.move(place, keys) for place in places[1:]]
        self.release(places[-1], keys)
        return path

    def tap(self, place: Place, keys: Modifier = PLAIN) -> Place:
        """A click; `QTest` sees to it that two are no double-click."""
        return self.drag(place, keys=keys)[0]

    def button(self, action_id: str) -> QWidget:
        """The button of the tool strip that does something."""
        for button in self.parts.tool_strip.findChildren(QWidget):
            action = getattr(button, "defaultAction", lambda: None)()
            if action is not None and action.objectName() == action_id:
                return button  # type: ignore[no-any-return]
        raise AssertionError(f"There is no button for {action_id}.")

    def take_by_button(self, name: str) -> None:
        """Click the tool's button."""
        button = self.button(f"tool_{name}")
        spot = button.mapTo(self.window, button.rect().center())
        self.move_to(spot)
        QTest.mouseClick(self.handle, LEFT, PLAIN, spot)
        self.app.processEvents()

    def wheel(self, place: Place, turns: int, keys: Modifier = PLAIN) -> None:
        """Turn the wheel over a place, away from the hand when positive."""
        angle = QPoint(0, 120 * turns)
        QTest.wheelEvent(self.handle, QPointF(self.spot(place)), angle, QPoint(), keys)
        self.app.processEvents()

    # -- keys --------------------------------------------------------------------------------------

    def key(self, key: Key, keys: Modifier = PLAIN) -> None:
        """Press a key and let it go, wherever the keyboard is."""
        popup = QApplication.activePopupWidget()
        target = self.handle if popup is None else popup.focusWidget() or popup
        QTest.keyClick(target, key, keys)
        self.app.processEvents()

    def do(self, action_id: str) -> None:
        """Press the first keys of an action."""
        combination = QKeySequence(BY_ID[action_id].keys[0])[0]
        self.key(combination.key(), combination.keyboardModifiers())

    def take(self, name: str) -> None:
        """Take a tool by its key."""
        self.do(f"tool_{name}")

    def walk(self, target: Place) -> list[Place]:
        """Move the canvas' cursor by the arrow keys, tens first; every place on the way."""
        path: list[Place] = []
        for axis, (less, more) in enumerate(
            ((Key.Key_Up, Key.Key_Down), (Key.Key_Left, Key.Key_Right))
        ):
            way = math.floor(target[axis]) - math.floor(self.canvas.pointer[axis])
            tens, ones = divmod(abs(way), 10)
            for modifiers, times in ((SHIFT, tens), (PLAIN, ones)):
                for _ in range(times):
                    self.key(more if way > 0 else less, modifiers)
                    path.append(self.canvas.pointer)
        if not path:  # already there: the keys must have been the last to move it
            there, back = Key.Key_Left, Key.Key_Right
            for key in (there, back) if target[1] >= 1 else (back, there):
                if self.canvas.pointer == centre(target) and path:
                    break  # a single column: there is no way to go
                self.key(key)
                path.append(self.canvas.pointer)
        assert self.canvas.pointer == centre(target)
        return path

    def enter(self, keys: Modifier = PLAIN) -> None:
        """Press, or lift; with Control finish."""
        self.key(Key.Key_Return, keys)

    def stroke_by_keys(self, *targets: Place) -> list[Place]:
        """Walk to the first place, press, walk on, lift; where the pen was."""
        self.walk(targets[0])
        self.enter()
        path = [self.canvas.pointer]
        for target in targets[1:]:
            path += self.walk(target)
        self.enter()
        return path

    # -- checking ----------------------------------------------------------------------------------

    def same(self, expected: Values, what: str) -> None:
        """The mask is exactly this one."""
        found = self.mask()
        if found.tobytes() != expected.tobytes():
            wrong = np.argwhere(found != expected)
            first = tuple(int(i) for i in wrong[0])
            raise AssertionError(
                f"{what}: {len(wrong)} voxels differ, the first at {first}: "
                f"{found[first]} instead of {expected[first]}; said: {self.said[-3:]}"
            )


def distance_from_way(shape: Sequence[int], path: Sequence[Place]) -> NDArray[np.float64]:
    """Of every voxel's centre from the nearest point of a way, in voxels: slow and plain."""
    ys, xs = np.mgrid[: shape[0], : shape[1]] + 0.5
    best = np.full((shape[0], shape[1]), np.inf)
    for (ay, ax), (by, bx) in zip(path[:1] + list(path[:-1]), path, strict=True):
        length = (by - ay) ** 2 + (bx - ax) ** 2
        t = 0.0
        if length:
            t = np.clip(((ys - ay) * (by - ay) + (xs - ax) * (bx - ax)) / length, 0, 1)
        best = np.minimum(best, np.hypot(ys - ay - t * (by - ay), xs - ax - t * (bx - ax)))
    return best
