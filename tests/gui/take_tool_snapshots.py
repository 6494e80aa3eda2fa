"""Pictures of every tool at work: ``python -m tests.gui.take_tool_snapshots FOLDER``.

Simulated images only. Look at all of them after every change of a tool's looks. For a fine screen
set QT_SCALE_FACTOR=2 on a virtual display of 2560 × 1440.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.e2e.tool_hand import ToolHand

HEIGHT = 720 if os.environ.get("QT_SCALE_FACTOR") == "2" else 800


def corners(hand: ToolHand) -> list[tuple[float, float]]:
    """Around the nucleus that nobody has painted."""
    y0, x0, y1, x1 = hand.scene.free_box
    my, mx = (y0 + y1) / 2, (x0 + x1) / 2
    return [(y0 + 4.5, mx), (my, x1 - 4.5), (y1 - 4.5, mx), (my, x0 + 4.5)]


def dragged(*places: tuple[float, float], keys: str = "") -> Callable[[ToolHand], None]:
    """Pressed, moved on, not let go."""

    def work(hand: ToolHand) -> None:
        from tests.e2e.tool_hand import PLAIN, SHIFT

        modifiers = SHIFT if keys == "Shift" else PLAIN
        hand.press(places[0], modifiers)
        for place in places[1:]:
            hand.move(place, modifiers)

    return work


def clicked(hand: ToolHand) -> None:
    """Three corners of an outline, the pointer on its way to the fourth."""
    *first, last = corners(hand)
    for place in first:
        hand.tap(place)
        hand.settle()
    hand.move(((first[-1][0] + last[0]) / 2, (first[-1][1] + last[1]) / 2))


def around(hand: ToolHand) -> None:
    """Round the free nucleus by hand, not closed yet."""
    import math

    y0, x0, y1, x1 = hand.scene.free_box
    my, mx, ry, rx = (y0 + y1) / 2, (x0 + x1) / 2, (y1 - y0) / 2, (x1 - x0) / 2
    angles = [math.radians(a) for a in range(0, 300, 10)]
    dragged(*((my + ry * math.sin(a), mx + rx * math.cos(a)) for a in angles))(hand)


def boxed(hand: ToolHand) -> None:
    """A box around the free nucleus, not let go."""
    y0, x0, y1, x1 = hand.scene.free_box
    dragged((y0 + 1, x0 + 1), (y1 - 1.5, x1 - 1.5))(hand)


def pointed(hand: ToolHand) -> None:
    """The pointer over a painted nucleus."""
    y, x = hand.scene.second
    hand.move((y + 0.5, x + 0.5))


def painted(hand: ToolHand) -> None:
    """A click on the nucleus that nobody has painted."""
    y, x = hand.scene.free_middle
    hand.tap((y + 0.5, x + 0.5))


def lined(hand: ToolHand) -> None:
    """Shift shows the line that a press would draw."""
    from PySide6.QtTest import QTest

    from tests.e2e.tool_hand import SHIFT, Key

    hand.tap((60.5, 60.5))
    QTest.keyPress(hand.handle, Key.Key_Shift)
    hand.move((120.5, 170.5), SHIFT)


def cut(hand: ToolHand) -> None:
    """A line through a painted nucleus."""
    y, x = hand.scene.second
    dragged((y - 18, x - 4.5), (y, x + 0.5), (y + 17, x + 5.5), keys="Shift")(hand)


def joined(hand: ToolHand) -> None:
    """On the way from one region to another."""
    dragged(*((y + 0.5, x + 0.5) for y, x in (hand.scene.second, hand.scene.first)))(hand)


SCENES: tuple[tuple[str, str, str, Callable[[ToolHand], None]], ...] = (
    ("pan", "pan", "flat", dragged((100.5, 120.5), (96.5, 110.5))),
    ("brush", "brush", "flat", dragged((60.5, 60.5), (90.5, 130.5), (120.5, 140.5))),
    ("brush-line", "brush", "flat", lined),
    ("eraser", "eraser", "flat", dragged((60.5, 30.5), (100.5, 60.5), (130.5, 40.5))),
    ("ball", "ball", "stack", dragged((50.5, 60.5), (70.5, 90.5))),
    ("polygon", "polygon", "flat", clicked),
    ("lasso", "lasso", "flat", around),
    ("rectangle", "rectangle", "flat", dragged((40.5, 110.5), (100.5, 180.5))),
    ("ellipse", "ellipse", "flat", dragged((40.5, 110.5), (100.5, 180.5))),
    ("livewire", "livewire", "flat", clicked),
    ("superpixels", "superpixels", "flat", painted),
    ("grabcut", "grabcut", "flat", boxed),
    ("fill", "fill", "flat", pointed),
    ("holes", "holes", "flat", pointed),
    ("wand", "wand", "flat", painted),
    ("component", "component", "flat", pointed),
    ("component-cut", "component", "flat", cut),
    ("component-join", "component", "flat", joined),
    ("reshape", "reshape", "flat", pointed),
    ("picker", "picker", "flat", pointed),
    ("ruler", "ruler", "flat", dragged((60.5, 60.5), (120.5, 170.5))),
)


def main() -> None:
    """Every tool at work in both themes."""
    from orgseg_app.gui.canvas.tools.registry import TOOLS

    assert {tool for _, tool, _, _ in SCENES} == set(TOOLS)
    with tempfile.TemporaryDirectory() as home:
        os.environ["ORGSEG_HOME"] = home
        _take(Path(sys.argv[1]), Path(home), sys.argv[2:])


def _take(folder: Path, home: Path, wanted: list[str]) -> None:
    from PySide6.QtTest import QTest

    from tests.e2e.hand import LEFT, PLAIN
    from tests.e2e.tool_hand import Key, ToolHand
    from tests.e2e.tool_scene import Scene

    hand = ToolHand(Scene(), home / "tools.orgseg", folder)
    hand.window.resize(1280, HEIGHT)
    for mode in ("light", "dark"):
        hand.window.set_theme(mode)
        for name, tool, image, work in SCENES:
            if wanted and name not in wanted:
                continue
            hand.start(image, 2 if image == "stack" else 0)
            hand.take(tool)
            work(hand)
            hand.settle()
            hand.picture(f"{name}-{mode}")
            QTest.keyRelease(hand.handle, Key.Key_Shift)
            hand.key(Key.Key_Escape)
            QTest.mouseRelease(hand.handle, LEFT, PLAIN, hand.spot((60.5, 60.5)))
            hand.settle()
            while hand.session.history.next_undo() is not None:
                hand.do("undo")
    hand.close()


if __name__ == "__main__":
    main()
