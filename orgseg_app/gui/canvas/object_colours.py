"""Colours of numbered objects: near numbers look different, for every kind of colour vision.

There are more objects than colours anybody can tell apart. Seven repeat, taken from the schemes of
Paul Tol (Colour Schemes, SRON/EPS/TN/09-002, 2021) and of IBM's Design Language, so that the two
most alike are far from each other (ΔE*ab 32 and more) as most people see them, and as people with
protanopia or deuteranopia do (as simulated by Machado, Oliveira and Fernandes, A physiologically-
based model for simulation of color vision deficiency, IEEE TVCG 15, 2009). Where two objects that
touch have the same colour, the line between them tells them apart.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PALETTE = ("#FFB000", "#44BB99", "#785EF0", "#EEDD88", "#4477AA", "#CC3311", "#99DDFF")
"""Colours that follow each other are the ones most unlike."""

VALUES = 254
"""So many different values objects get before they repeat; 0 is no object."""


def object_values(numbers: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """Numbers of objects as values of an overlay.

    Parameters
    ----------
    numbers
        Any shape; 0 is no object.

    Returns
    -------
    uint8, same shape
        0, or 1…254: objects that are not exactly a multiple of 254 apart differ, so that a line
        can be drawn between them.

    Examples
    --------
    >>> object_values(np.array([0, 1, 254, 255], np.uint32)).tolist()
    [0, 1, 254, 1]
    """
    values = (numbers - 1) % VALUES + 1
    return np.where(numbers > 0, values, 0).astype(np.uint8)


def object_colours(opacity: float = 0.5, *, fill: bool = True) -> NDArray[np.uint8]:
    """Colour of each value, ``(256, 4)`` uint8 red, green, blue, opacity."""
    table = np.zeros((256, 4), np.uint8)
    for value in range(1, VALUES + 1):
        number = int(PALETTE[(value - 1) % len(PALETTE)][1:], 16)
        table[value, :3] = number >> 16, (number >> 8) & 255, number & 255
    if fill:
        table[1 : VALUES + 1, 3] = round(255 * opacity)
    return table


def object_colour(number: int) -> str:
    """``"#RRGGBB"`` of an object, 1 or above."""
    return PALETTE[(number - 1) % VALUES % len(PALETTE)]


OUTLINED: NDArray[np.bool_] = np.arange(256) > 0
"""Every object has an outline; for `OverlayLayer.outlined`."""
