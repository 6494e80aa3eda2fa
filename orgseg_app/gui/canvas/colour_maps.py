"""How a channel's brightness becomes a colour: from black to one colour, or through several.

The maps through several colours are those of matplotlib (as OpenCV has them) that keep their order
for every kind of colour vision; rainbows that do not are left out on purpose.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

GREY = "grey"

RAMPS: dict[str, tuple[int, int, int]] = {
    GREY: (255, 255, 255),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "yellow": (255, 255, 0),
    "azure": (120, 170, 255),
    "orange": (255, 160, 80),
    "mint": (150, 255, 150),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
}
"""Maps from black to one colour: red, green, blue."""

CHANNELS = ("cyan", "magenta", "yellow", "azure", "orange", "mint")
"""What channels get that are not red, green, blue: white where all of the first three meet."""

_SCALES = ("viridis", "cividis", "magma", "inferno")

INVERTED = "inverted grey"

NAMES = (*RAMPS, INVERTED, *_SCALES)
"""All maps, in the order they are offered."""


def default_map(channel: int, channels: int) -> str:
    """The map of a channel nobody chose one for."""
    return GREY if channels == 1 else CHANNELS[channel % len(CHANNELS)]


@lru_cache(maxsize=len(NAMES))
def colours(name: str) -> NDArray[np.uint8]:
    """Red, green, blue of each brightness, ``(256, 3)``.

    Raises
    ------
    KeyError
        When there is no such map.
    """
    steps = np.arange(256, dtype=np.uint8)
    table = np.empty((256, 3), np.uint8)
    if name in RAMPS:
        table[:] = steps[:, None].astype(np.uint16) * np.array(RAMPS[name], np.uint16) // 255
    elif name == INVERTED:
        table[:] = 255 - steps[:, None]
    elif name in _SCALES:
        import cv2  # not before there is a picture

        scale = getattr(cv2, f"COLORMAP_{name.upper()}")
        table[:] = cv2.applyColorMap(steps[:, None], scale)[:, 0, ::-1]
    else:
        raise KeyError(name)
    table.flags.writeable = False
    return table


def coloured(brightness: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """Brightness ``(h, w)`` to blue, green, red, opaque ``(h, w, 4)``."""
    import cv2

    found: NDArray[np.int32] = np.asarray(cv2.LUT(brightness, _packed(name)), np.int32)
    return found.view(np.uint8).reshape(*brightness.shape, 4)


@lru_cache(maxsize=len(NAMES))
def _packed(name: str) -> NDArray[np.int32]:
    """Blue, green, red, opaque of each brightness, a number each: one look-up, not four."""
    table = np.full((256, 4), 255, np.uint8)
    table[:, :3] = colours(name)[:, ::-1]
    return table.view(np.int32)
