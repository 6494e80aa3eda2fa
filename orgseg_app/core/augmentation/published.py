"""Augmented copies of whole images, as published studies wrote them to disk before training.

Guo et al. 2020 (ER and mitochondria networks) have 6 or 12 copies, ``x_1 … x_6``; Guo et al. 2021
(PRCV, low-level features) 8, ``x, x_90 … flip_x_270``. Which six and which twelve is not said: six
are here the four quarter turns and two flips, twelve all eight and four drawn by chance with the
ranges of the first study.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.augmentation.dice import draw
from orgseg_app.core.augmentation.turns import Turn

TIMES = (6, 8, 12)


@dataclass(frozen=True)
class _Step:
    """A step that is always done, with its usual numbers."""

    name: str
    chance: float = 1.0
    params: Mapping[str, float] = field(default_factory=dict)


_AS_IT_IS = Turn()


@dataclass(frozen=True)
class Guise:
    """One of the copies.

    Attributes
    ----------
    pattern
        Of its name, with the image's in it: ``"flip_{}_90"``.
    about
        What was done, in words.
    turn
        Exact; done to all copies.
    steps
        Drawn by chance; none for exact copies.
    """

    pattern: str
    about: str
    turn: Turn = _AS_IT_IS
    steps: tuple[_Step, ...] = ()

    def of(
        self, pixels: NDArray[Any], layers: Sequence[NDArray[Any]], random: np.random.Generator
    ) -> tuple[NDArray[Any], list[NDArray[Any]]]:
        """An image and what belongs to it in this guise.

        Parameters
        ----------
        pixels
            ``(C, Z, Y, X)`` uint8, uint16 or float32; the type is kept.
        layers
            ``(Z, Y, X)`` each: mask, objects. Past the edge they are continued as the image is, by
            their mirror image.
        random
            For what is drawn.

        Raises
        ------
        ValueError
            When the image is too large to be warped.
        """
        pixels, layers = self.turn.apply(pixels), [self.turn.apply(layer) for layer in layers]
        if not self.steps:
            return pixels, layers
        height, width = pixels.shape[-2:]
        plan = draw(self.steps, random, (height, width))
        margin = math.ceil(max(height, width) / 2) + 32
        wide = [(0, 0)] * (pixels.ndim - 2) + [(margin, margin)] * 2
        more, around = np.pad(pixels, wide, mode="reflect"), []
        for layer in layers:
            around.append(np.pad(layer, wide[1:], mode="reflect"))
        shown, found = plan.apply(more.astype(np.float32), around)
        if pixels.dtype.kind == "u":
            most = np.iinfo(pixels.dtype).max
            return np.rint(shown).clip(0, most).astype(pixels.dtype), found
        return shown, found


_TURNED = tuple(
    (f"turned by {90 * quarters}° anticlockwise" if quarters else "as it is", Turn(quarters))
    for quarters in range(4)
)
# Mirrored first, then turned: the same as turned the other way, then mirrored.
_FLIPPED = tuple(
    (
        "mirrored left and right" + (f", then turned by {90 * quarters}°" if quarters else ""),
        Turn(-quarters % 4, True),
    )
    for quarters in range(4)
)
_DRAWN = (
    ("turned by up to 45° and scaled by 0.8 to 1.2", (_Step("rotate"), _Step("scale"))),
    ("shifted by up to 20 pixels", (_Step("shift"),)),
    ("slanted by up to 0.2", (_Step("shear"),)),
    (
        "with other contrast and brightness, blurred",
        (_Step("contrast"), _Step("brightness"), _Step("blur")),
    ),
)


def guises(times: int) -> tuple[Guise, ...]:
    """The copies of an image, the image itself first.

    Parameters
    ----------
    times
        One of `TIMES`.

    Raises
    ------
    ValueError
        For another number.

    Examples
    --------
    >>> [guise.pattern.format("x") for guise in guises(8)][3:6]
    ['x_270', 'flip_x', 'flip_x_90']
    """
    if times == 8:
        ends = ("", "_90", "_180", "_270")
        return tuple(
            Guise(start + "{}" + end, about, turn)
            for start, group in (("", _TURNED), ("flip_", _FLIPPED))
            for end, (about, turn) in zip(ends, group, strict=True)
        )
    if times == 6:
        upside_down = ("mirrored top and bottom", Turn(2, True))
        exact = (*_TURNED, _FLIPPED[0], upside_down)
    elif times == 12:
        exact = (*_TURNED, *_FLIPPED)
    else:
        raise ValueError(f"Images are augmented {', '.join(map(str, TIMES))} times, not {times}.")
    made = [Guise("", about, turn) for about, turn in exact]
    if times == 12:
        made += [Guise("", about, steps=steps) for about, steps in _DRAWN]
    return tuple(
        Guise(f"{{}}_{number}", guise.about, guise.turn, guise.steps)
        for number, guise in enumerate(made, 1)
    )
