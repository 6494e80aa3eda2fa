"""Voxels to screen pixels: contrast, zoom levels, mask colours. Plain arrays, no Qt.

Everything is computed at the resolution of the screen and only for the rectangle that needs it, so
that the cost of a frame follows the window, and that of a brush move follows the brush.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, ClassInfo
from orgseg_app.core.contrast import auto_levels as auto_levels
from orgseg_app.core.contrast import value_range as value_range

# Colours of channels that are not red, green, blue: told apart by everybody, and white where all
# of the first three meet.
CHANNEL_COLOURS = (
    (0, 255, 255),
    (255, 0, 255),
    (255, 255, 0),
    (120, 170, 255),
    (255, 160, 80),
    (150, 255, 150),
)
_HATCH_PERIOD = 8

WHOLE_VOXELS = 2048 * 2048
"""Stored levels up to this size are read whole and kept; of larger ones only what is in sight."""

MOST_LEVELS = 31


class Overlay(Protocol):
    """Something that has a small number at every voxel of a plane."""

    def sample(
        self, z: int, rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> NDArray[np.uint8]:
        """Values at the crossings of sorted rows and columns."""


class ArrayOverlay:
    """An array ``(Y, X)`` uint8 as an overlay."""

    def __init__(self, values: NDArray[np.uint8]) -> None:
        self.values = values

    def sample(
        self, z: int, rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> NDArray[np.uint8]:
        """Values at the crossings; ``z`` is ignored."""
        return self.values[rows][:, columns]


def to_bytes(
    values: NDArray[Any], low: float, high: float, gamma: float = 1.0
) -> NDArray[np.uint8]:
    """Values to 0…255 between two limits; not-a-number becomes 0."""
    span = max(high - low, 1e-12)
    if values.dtype == np.uint8 or (values.dtype == np.uint16 and values.size > 1 << 16):
        count = 256 if values.dtype == np.uint8 else 65536
        unit = np.clip((np.arange(count, dtype=np.float32) - low) / span, 0, 1)
        if gamma != 1.0:
            unit **= 1.0 / gamma
        table = (unit * 255 + 0.5).astype(np.uint8)
        if values.dtype == np.uint8:
            return np.asarray(cv2.LUT(values, table))
        return table[values]
    unit = (values.astype(np.float32) - np.float32(low)) * np.float32(1 / span)
    np.nan_to_num(unit, copy=False, nan=0.0, posinf=1.0, neginf=0.0)
    np.clip(unit, 0, 1, out=unit)
    if gamma != 1.0:
        unit **= np.float32(1.0 / gamma)
    return (unit * 255 + 0.5).astype(np.uint8)


class StoredLevels(Protocol):
    """Smaller versions of a plane that lie ready somewhere."""

    @property
    def sizes_yx(self) -> Sequence[tuple[int, int]]:
        """Height and width: of the plane itself, then of levels 1…n."""

    def read(self, level: int, y0: int, x0: int, y1: int, x1: int) -> NDArray[Any] | None:
        """Part of a level, ``(C, y1 - y0, x1 - x0)``; None when it cannot be read."""


class PlanePyramid:
    """One plane ``(C, Y, X)`` and its halvings, in the image's own values.

    Halvings are taken from where they are stored, or made when needed. With the stored ones alone
    there is something to see before the plane itself is read, or when its file is away; then no
    detail finer than level 1 is shown.

    Parameters
    ----------
    plane
        All voxels; None when only stored levels are there.
    stored
        Stored levels of the same plane.
    """

    def __init__(
        self, plane: NDArray[np.generic] | None, stored: StoredLevels | None = None
    ) -> None:
        if plane is None and (stored is None or len(stored.sizes_yx) < 2):
            raise ValueError("A picture needs voxels.")
        self.plane = plane
        self._stored = stored
        self._levels: dict[int, list[NDArray[Any]]] = {}
        if plane is not None:
            self._levels[0] = [np.ascontiguousarray(c) for c in plane]

    @property
    def size_yx(self) -> tuple[int, int]:
        """Height and width in voxels."""
        if self.plane is not None:
            return self.plane.shape[1], self.plane.shape[2]
        assert self._stored is not None
        height, width = self._stored.sizes_yx[0]
        return height, width

    def sample(
        self, y0: float, x0: float, step: float, size_yx: tuple[int, int]
    ) -> list[NDArray[np.generic]]:
        """The plane on a grid of screen pixels, one ``(h, w)`` array a channel.

        Parameters
        ----------
        y0, x0
            Image coordinates of the centre of the first screen pixel.
        step
            Voxels a screen pixel; above 1 a halved level is interpolated, below 1 voxels are
            shown as the squares they are.
        """
        height, width = self.size_yx
        if step <= 1 and self.plane is not None:
            rows = np.clip(np.floor(y0 + step * np.arange(size_yx[0])), 0, height - 1)
            columns = np.clip(np.floor(x0 + step * np.arange(size_yx[1])), 0, width - 1)
            rows, columns = rows.astype(np.intp), columns.astype(np.intp)
            r0, c0 = int(rows[0]), int(columns[0])
            r1, c1 = int(rows[-1]) + 1, int(columns[-1]) + 1
            return [c[r0:r1, c0:c1][rows - r0][:, columns - c0] for c in self._levels[0]]
        level = max(int(math.log2(max(step, 1.0))), 0 if self.plane is not None else 1)
        parts = None
        while parts is None and level <= MOST_LEVELS:
            size = self._size(level)
            scale_y, scale_x = size[0] / height, size[1] / width
            matrix = np.array(
                [[step * scale_x, 0, x0 * scale_x - 0.5], [0, step * scale_y, y0 * scale_y - 0.5]]
            )
            top, left, bottom, right = _needed(matrix, size_yx, size)
            parts = self._part(level, top, left, bottom, right)
            level += 1  # where blocks are damaged, a coarser level is better than nothing
        if parts is None:
            return [np.zeros(size_yx, np.uint8)]
        matrix[:, 2] -= (left, top)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        there = (size_yx[1], size_yx[0])
        return [
            cv2.warpAffine(part, matrix, there, flags=flags, borderMode=cv2.BORDER_REPLICATE)
            for part in parts
        ]

    def attach(self, plane: NDArray[np.generic]) -> None:
        """Take the voxels of the plane whose stored levels were shown until now."""
        self.plane = plane
        self._levels[0] = [np.ascontiguousarray(c) for c in plane]

    def _size(self, level: int) -> tuple[int, int]:
        if self._stored is not None and level < len(self._stored.sizes_yx):
            height, width = self._stored.sizes_yx[level]
            return height, width
        height, width = self.size_yx
        for _ in range(level):
            height, width = max(1, -(-height // 2)), max(1, -(-width // 2))
        return height, width

    def _is_stored(self, level: int) -> bool:
        return self._stored is not None and 1 <= level < len(self._stored.sizes_yx)

    def _part(self, level: int, y0: int, x0: int, y1: int, x1: int) -> list[NDArray[Any]] | None:
        """Part of a level; a large one that is only stored is not read as a whole."""
        height, width = self._size(level)
        if self.plane is None and self._is_stored(level) and height * width > WHOLE_VOXELS:
            assert self._stored is not None
            read = self._stored.read(level, y0, x0, y1, x1)
            return None if read is None else list(read)
        whole = self._whole(level)
        return None if whole is None else [c[y0:y1, x0:x1] for c in whole]

    def _whole(self, level: int) -> list[NDArray[Any]] | None:
        """All of a level, or None when there is nothing to make it from."""
        if level in self._levels or level == 0:
            return self._levels.get(level)
        height, width = self._size(level)
        if self._is_stored(level) and height * width <= WHOLE_VOXELS:
            assert self._stored is not None
            read = self._stored.read(level, 0, 0, height, width)
            if read is not None:
                self._levels[level] = list(read)
                return self._levels[level]
        finer = None if self._is_out_of_reach(level) else self._whole(level - 1)
        if finer is not None:
            size = (width, height)
            self._levels[level] = [cv2.resize(c, size, interpolation=cv2.INTER_AREA) for c in finer]
        return self._levels.get(level)

    def _is_out_of_reach(self, level: int) -> bool:
        """True when making a level would mean to read a large stored one."""
        height, width = self._size(level - 1)
        return self.plane is None and (level == 1 or height * width > WHOLE_VOXELS)


def _needed(
    matrix: NDArray[np.float64], size_yx: tuple[int, int], whole_yx: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The part of an array that resampling needs: OpenCV refuses sides of 32,768 and more."""
    x0 = max(0, min(math.floor(matrix[0, 2]) - 1, whole_yx[1] - 1))
    y0 = max(0, min(math.floor(matrix[1, 2]) - 1, whole_yx[0] - 1))
    x1 = min(whole_yx[1], math.ceil(matrix[0, 2] + matrix[0, 0] * size_yx[1]) + 2)
    y1 = min(whole_yx[0], math.ceil(matrix[1, 2] + matrix[1, 1] * size_yx[0]) + 2)
    return y0, x0, max(y1, y0 + 1), max(x1, x0 + 1)


def compose(
    channels: Sequence[NDArray[np.generic]],
    levels: Sequence[tuple[float, float]],
    *,
    is_rgb: bool = False,
    gamma: float = 1.0,
    visible: Sequence[bool] = (),
) -> NDArray[np.uint8]:
    """Channels at screen resolution to grey ``(h, w)`` or blue-green-red-opaque ``(h, w, 4)``.

    One channel is grey; colour pictures keep their colours; other channels are added, each in its
    colour of `CHANNEL_COLOURS`.
    """
    shown = [i for i in range(len(channels)) if not visible or i >= len(visible) or visible[i]]
    if len(channels) == 1:
        grey = to_bytes(channels[0], *levels[0], gamma)
        return grey if shown else np.zeros_like(grey)
    height, width = channels[0].shape
    out = np.empty((height, width, 4), np.uint8)
    out[..., 3] = 255
    if is_rgb:
        for i in range(3):
            out[..., 2 - i] = to_bytes(channels[i], *levels[i], gamma) if i in shown else 0
        return out
    total = np.zeros((height, width, 3), np.uint16)
    for i in shown:
        grey = to_bytes(channels[i], *levels[i], gamma).astype(np.uint16)
        red, green, blue = CHANNEL_COLOURS[i % len(CHANNEL_COLOURS)]
        for place, part in enumerate((blue, green, red)):
            if part:
                total[..., place] += grey * part // 255
    out[..., :3] = np.minimum(total, 255)
    return out


def class_colours(
    classes: Sequence[ClassInfo], *, fill: bool = True, opacity: float = 0.4
) -> NDArray[np.uint8]:
    """Colour of each class id, ``(256, 4)`` red, green, blue, opacity 0…255.

    Background is fainter than the rest: it is everywhere and says little.
    """
    table = np.zeros((256, 4), np.uint8)
    for item in classes:
        share = opacity * (0.5 if item.class_id == BACKGROUND else 1.0)
        table[item.class_id] = (*item.rgb, round(255 * share) if fill else 0)
    return table


def tint(
    values: NDArray[np.uint8],
    colours: NDArray[np.uint8],
    *,
    outline: int = 2,
    outlined: NDArray[np.bool_] | None = None,
    hatch_unlabelled: bool = False,
    offset_yx: tuple[int, int] = (0, 0),
) -> NDArray[np.uint32]:
    """Overlay values at screen resolution to premultiplied ARGB, ``(h, w)`` uint32.

    Parameters
    ----------
    values
        ``(h + 2 m, w + 2 m)`` with a margin ``m = outline`` on every side, which is cut off: an
        outline needs to see its neighbours.
    colours
        ``(256, 4)`` red, green, blue, opacity.
    outline
        Width in screen pixels; 0 for none.
    outlined
        ``(256,)`` which values get an outline; all but 0 and background when None.
    hatch_unlabelled
        Draw thin diagonal lines over value 0.
    offset_yx
        Screen position of the first pixel, so that hatching does not swim.
    """
    margin = outline
    height, width = values.shape[0] - 2 * margin, values.shape[1] - 2 * margin
    inner = values[margin : margin + height, margin : margin + width]
    out = _look_up(inner, colours)
    if outline:
        reach = 2 * outline - 1 if outline > 1 else 3
        kernel = cv2.getStructuringElement(cv2.MORPH_CROSS, (reach, reach))
        edge = cv2.compare(cv2.dilate(values, kernel), cv2.erode(values, kernel), cv2.CMP_NE)
        edge = edge[margin : margin + height, margin : margin + width]
        if outlined is None:
            outlined = np.arange(256) > BACKGROUND
        edge = cv2.bitwise_and(edge, cv2.LUT(inner, np.where(outlined, 255, 0).astype(np.uint8)))
        solid = colours.copy()
        solid[:, 3] = 255
        cv2.copyTo(_look_up(inner, solid), edge, out)
    tinted = out.view(np.uint32)
    if hatch_unlabelled:
        rows = np.arange(height)[:, None] + offset_yx[0]
        columns = np.arange(width)[None, :] + offset_yx[1]
        lines = ((rows + columns) % _HATCH_PERIOD == 0) & (inner == 0)
        np.copyto(tinted, np.uint32(0x60606060), where=lines)
    return tinted


def _look_up(values: NDArray[np.uint8], colours: NDArray[np.uint8]) -> NDArray[np.int32]:
    """The premultiplied colour of every value."""
    table = _premultiplied(colours).view(np.int32)
    return np.asarray(cv2.LUT(values, table), np.int32)


def _premultiplied(colours: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Colours as Qt's premultiplied ARGB, one number each."""
    red, green, blue, alpha = (colours[:, i].astype(np.uint32) for i in range(4))
    packed = (alpha << 24) | ((red * alpha // 255) << 16)
    packed |= ((green * alpha // 255) << 8) | (blue * alpha // 255)
    return packed.astype(np.uint32)
