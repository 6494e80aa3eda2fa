"""A virtual screen with a hand: keys, mouse, pictures of what is shown. Xvfb, xdotool, ImageMagick.

There is no window manager: whoever opens a window puts it into its place and gives it the keyboard.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

WIDTH, HEIGHT = 1280, 800
VIVID = 60
"""Difference of a pixel's largest and smallest colour from which it is no grey."""


class NothingHappenedError(AssertionError):
    """What was waited for did not come."""


def wait_for(happened: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Look again and again.

    Raises
    ------
    NothingHappenedError
        After that time.
    """
    until = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > until:
            raise NothingHappenedError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.1)


@dataclass(frozen=True)
class Box:
    """A part of the screen in pixels: left, top, right, bottom."""

    left: int = 0
    top: int = 0
    right: int = WIDTH
    bottom: int = HEIGHT


class Picture:
    """What the screen shows: bytes of red, green and blue, row by row."""

    def __init__(self, pixels: bytes, width: int = WIDTH, height: int = HEIGHT) -> None:
        if len(pixels) != width * height * 3:
            raise ValueError(f"{len(pixels)} bytes are no picture of {width} × {height}")
        self.pixels, self.width, self.height = pixels, width, height

    def row(self, y: int, left: int, right: int) -> bytes:
        """Pixels of a row."""
        at = y * self.width
        return self.pixels[(at + left) * 3 : (at + right) * 3]

    def changed(self, other: Picture, box: Box) -> int:
        """How many pixels of a part differ."""
        count = 0
        for y in range(box.top, box.bottom):
            one, two = self.row(y, box.left, box.right), other.row(y, box.left, box.right)
            if one != two:
                triples = range(0, len(one), 3)
                count += sum(one[i : i + 3] != two[i : i + 3] for i in triples)
        return count

    def button(self, box: Box, *, wide: int = 120, high: int = 20) -> tuple[int, int] | None:
        """Middle (x, y) of the lowest wide block of one vivid colour: the button to press.

        Only its edges count, for words stand in its middle: rows that begin with the colour of the
        block's lowest row, at the same place.
        """
        for y in range(box.bottom - 1, box.top - 1, -1):
            found = self._vivid_run(y, box.left, box.right, wide)
            if found is None:
                continue
            left, right, colour = found
            top = y
            while top > box.top and self.row(top - 1, left + 4, left + 8) == colour * 4:
                top -= 1
            if y - top >= high:
                return (left + right) // 2, (top + y) // 2
        return None

    def _vivid_run(self, y: int, left: int, right: int, wide: int) -> tuple[int, int, bytes] | None:
        row = self.row(y, left, right)
        for found in re.finditer(rb"(?s)(...)\1{%d,}" % (wide - 1), row):
            colour = found.group(1)
            if found.start() % 3 == 0 and max(colour) - min(colour) >= VIVID:
                return left + found.start() // 3, left + found.end() // 3, colour
        return None


class Screen:
    """A running Xvfb; `close` ends it.

    Attributes
    ----------
    display
        For the environment of programs.
    """

    def __init__(self, shots: Path) -> None:
        self.shots = shots
        self._number = 0
        shots.mkdir(parents=True, exist_ok=True)
        Path("/tmp/.X11-unix").mkdir(mode=0o1777, exist_ok=True)
        reading, writing = os.pipe()
        self._server = subprocess.Popen(
            [
                "Xvfb", "-displayfd", str(writing), "-screen", "0", f"{WIDTH}x{HEIGHT}x24",
                "-ac", "-nolisten", "tcp", "-noreset",
            ],
            pass_fds=(writing,), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(writing)
        with os.fdopen(reading) as said:
            self.display = f":{said.readline().strip()}"
        if self.display == ":":
            raise RuntimeError("Xvfb did not start.")
        self._root = self._xdotool("search", "--maxdepth", "0", "--name", "").strip()

    def close(self) -> None:
        """End the server."""
        self._server.terminate()
        self._server.wait()

    # -- looking -----------------------------------------------------------------------------------

    def windows(self, name: str = "") -> list[str]:
        """Ids of the windows on the screen with a title like this, oldest first."""
        said = self._xdotool("search", "--onlyvisible", "--maxdepth", "1", "--name", name)
        return [window for window in said.split() if window != self._root]

    def title(self, window: str) -> str:
        """Of a window; empty when it is gone."""
        return self._xdotool("getwindowname", window).strip()

    def picture(self) -> Picture:
        """What is shown now."""
        words = ["import", "-silent", "-window", "root", "-depth", "8", "rgb:-"]
        done = subprocess.run(words, capture_output=True, check=True, env=self._environment())
        return Picture(done.stdout)

    def settled(self, seconds: float = 20) -> Picture:
        """What is shown once two looks, a moment apart, are nearly the same."""
        before = self.picture()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.3)
            now = self.picture()
            if now.changed(before, Box()) < 200:  # a cursor blinks, a figure counts
                return now
            before = now
        return before

    def shot(self, name: str) -> Path:
        """Keep a picture, numbered in the order of the story."""
        self._number += 1
        path = self.shots / f"{self._number:02} {name}.png"
        words = ["import", "-silent", "-window", "root", str(path)]
        subprocess.run(words, check=True, env=self._environment())
        return path

    # -- doing -------------------------------------------------------------------------------------

    def place(self, window: str) -> None:
        """Let a window fill the screen and have the keyboard."""
        self._xdotool("windowmove", window, "0", "0", "windowsize", window, str(WIDTH), str(HEIGHT))
        self.focus(window)

    def focus(self, window: str) -> None:
        """Give a window the keyboard."""
        self._xdotool("windowfocus", "--sync", window)

    def keys(self, *names: str) -> None:
        """Press keys, such as ``ctrl+k``."""
        self._xdotool("key", "--clearmodifiers", *names)

    def type(self, text: str) -> None:
        """Write."""
        self._xdotool("type", "--delay", "25", text)

    def click(self, x: int, y: int) -> None:
        """The left button."""
        self._xdotool("mousemove", str(x), str(y), "click", "1")

    def drag(self, points: Sequence[tuple[int, int]]) -> None:
        """With the left button, through these points."""
        words = ["mousemove", *_numbers(points[0]), "mousedown", "1"]
        for point in points[1:]:
            words += ["mousemove", *_numbers(point), "sleep", "0.05"]
        self._xdotool(*words, "mouseup", "1")

    def _xdotool(self, *words: str) -> str:
        done = subprocess.run(
            ["xdotool", *words], capture_output=True, text=True, check=False, timeout=60,
            env=self._environment(),
        )  # fmt: skip
        return done.stdout

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "DISPLAY": self.display, "LC_ALL": "C.UTF-8"}


def _numbers(point: tuple[int, int]) -> list[str]:
    return [str(part) for part in point]
