"""Voxels to screen pixels: contrast, zoom levels, mask colours. Plain arrays, no Qt.

Everything is computed at the resolution of the screen and only for the rectangle that needs it, so
that the cost of a frame follows the window, and that of a brush move follows the brush.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, ClassInfo
from orgseg_app.core.contrast import auto_levels as auto_levels
from orgseg_app.core.contrast import value_range as value_range
from orgseg_app.gui.canvas import colour_maps

_HATCH_PERIOD = 8
_WIDE = 1024  # contrast limits so far apart need no table

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
    if values.dtype == np.uint8:
        return np.asarray(cv2.LUT(values, _table(256, low, high, gamma)))
    if values.dtype == np.uint16:
        if gamma == 1.0 and span >= _WIDE and 0 <= low <= 65535:
            scale = 255 / span  # four times as fast as the table, and off by one at the most
            raised = np.maximum(values, math.ceil(low))
            return np.asarray(cv2.convertScaleAbs(raised, alpha=scale, beta=-low * scale))
        return _table(65536, low, high, gamma)[values]
    unit = (values.astype(np.float32) - np.float32(low)) * np.float32(1 / span)
    np.nan_to_num(unit, copy=False, nan=0.0, posinf=1.0, neginf=0.0)
    np.clip(unit, 0, 1, out=unit)
    if gamma != 1.0:
        unit **= np.float32(1.0 / gamma)
    return (unit * 255 + 0.5).astype(np.uint8)


@lru_cache(maxsize=64)
def _table(count: int, low: float, high: float, gamma: float) -> NDArray[np.uint8]:
    """The brightness of every value."""
    unit = np.clip((np.arange(count, dtype=np.float32) - low) / max(high - low, 1e-12), 0, 1)
    if gamma != 1.0:
        unit **= 1.0 / gamma
    return (unit * 255 + 0.5).astype(np.uint8)


class StoredLevels(Protocol):
    """Smaller versions of a plane that lie ready somewhere."""

    @property
    def sizes_yx(self) -> Sequence[tuple[int, int]]:
        """Height and width: of the plane itself, then of levels 1…n."""

    def read(self, level: int, y0: int, x0: int, y1: int, x1: int) -> NDArray[Any] | None:
        """Part of a level, ``(C, y1 - y0, x1 - x0)``; None when it cannot be read."""


class Picture(Protocol):
    """A plane that can be shown at any zoom."""

    @property
    def size_yx(self) -> tuple[int, int]:
        """Height and width in voxels."""

    @property
    def has_voxels(self) -> bool:
        """False where nothing finer than level 1 can be had."""

    def sample(
        self, y0: float, x0: float, step: float, size_yx: tuple[int, int]
    ) -> list[NDArray[Any]]:
        """The plane on a grid of screen pixels; see `PlanePyramid.sample`."""

    def view_moved(self) -> None:
        """What was in sight may not be any more."""


class PlanePyramid:
    """One plane ``(C, Y, X)`` and its halvings, in the image's own values, made when needed.

    Parameters
    ----------
    plane
        All voxels.
    """

    has_voxels = True

    def __init__(self, plane: NDArray[np.generic]) -> None:
        self.plane = plane
        self._levels = [[np.ascontiguousarray(channel) for channel in plane]]

    @property
    def size_yx(self) -> tuple[int, int]:
        """Height and width in voxels."""
        return self.plane.shape[1], self.plane.shape[2]

    def view_moved(self) -> None:
        """Nothing has to be read."""

    def sample(
        self, y0: float, x0: float, step: float, size_yx: tuple[int, int]
    ) -> list[NDArray[Any]]:
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
        if step <= 1:
            rows = voxels_under(y0, step, size_yx[0], height)
            columns = voxels_under(x0, step, size_yx[1], width)
            r0, c0 = int(rows[0]), int(columns[0])
            r1, c1 = int(rows[-1]) + 1, int(columns[-1]) + 1
            return [crossings(c[r0:r1, c0:c1], rows - r0, columns - c0) for c in self._levels[0]]
        parts = self.level(int(math.log2(step)))
        size = parts[0].shape
        scale_y, scale_x = size[0] / height, size[1] / width
        matrix = np.array(
            [[step * scale_x, 0, x0 * scale_x - 0.5], [0, step * scale_y, y0 * scale_y - 0.5]]
        )
        top, left, bottom, right = needed_part(matrix, size_yx, size)
        matrix[:, 2] -= (left, top)
        return resampled([c[top:bottom, left:right] for c in parts], matrix, size_yx)

    def level(self, number: int) -> list[NDArray[Any]]:
        """All of a level, a channel each; each has half the size of the one before, rounded up."""
        while len(self._levels) <= min(number, MOST_LEVELS):
            height, width = self._levels[-1][0].shape
            size = (-(-width // 2), -(-height // 2))
            self._levels.append(
                [cv2.resize(c, size, interpolation=cv2.INTER_AREA) for c in self._levels[-1]]
            )
        return self._levels[min(number, MOST_LEVELS)]


def voxels_under(first: float, step: float, count: int, size: int) -> NDArray[np.intp]:
    """Voxel under each of some screen pixels in a row, clamped to the image."""
    return np.clip(np.floor(first + step * np.arange(count)), 0, size - 1).astype(np.intp)


def crossings(
    values: NDArray[Any], rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[Any]:
    """Values at the crossings of sorted rows and columns that span an array."""
    if len(columns) != values.shape[1]:  # columns first: there are fewer rows, and whole ones
        values = values.take(columns, axis=1)  # are copied fast
    return values if len(rows) == values.shape[0] else values.take(rows, axis=0)


def resampled(
    parts: Sequence[NDArray[Any]], matrix: NDArray[np.float64], size_yx: tuple[int, ...]
) -> list[NDArray[Any]]:
    """Channels on another grid, linearly interpolated; ``matrix`` leads from there to theirs."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    there = (size_yx[1], size_yx[0])
    return [
        cv2.warpAffine(part, matrix, there, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        for part in parts
    ]


def needed_part(
    matrix: NDArray[np.float64], size_yx: tuple[int, int], whole_yx: tuple[int, ...]
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
    maps: Sequence[str] = (),
) -> NDArray[np.uint8]:
    """Channels at screen resolution to grey ``(h, w)`` or blue-green-red-opaque ``(h, w, 4)``.

    Colour pictures keep their colours; other channels are added up, each in its colours.

    Parameters
    ----------
    maps
        Of `colour_maps` for each channel; "" or too few: `colour_maps.default_map`.
    """
    count = len(channels)
    shown = [i for i in range(count) if i >= len(visible) or visible[i]]
    names = [
        (maps[i] if i < len(maps) else "") or colour_maps.default_map(i, count)
        for i in range(count)
    ]
    if count == 1 and names[0] == colour_maps.GREY:
        grey = to_bytes(channels[0], *levels[0], gamma)
        return grey if shown else np.zeros_like(grey)
    height, width = channels[0].shape
    if is_rgb:
        out = np.empty((height, width, 4), np.uint8)
        out[..., 3] = 255
        for i in range(3):
            out[..., 2 - i] = to_bytes(channels[i], *levels[i], gamma) if i in shown else 0
        return out
    total: NDArray[np.uint8] | None = None
    for i in shown:
        one = colour_maps.coloured(to_bytes(channels[i], *levels[i], gamma), names[i])
        total = one if total is None else np.asarray(cv2.add(total, one, dst=total))
    if total is None:
        total = np.zeros((height, width, 4), np.uint8)
        total[..., 3] = 255
    return total


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
    plain, solid = _tables(colours.tobytes())
    out = np.asarray(cv2.LUT(inner, plain), np.int32)
    if outline:
        reach = 2 * outline - 1 if outline > 1 else 3
        kernel = cv2.getStructuringElement(cv2.MORPH_CROSS, (reach, reach))
        edge = cv2.compare(cv2.dilate(values, kernel), cv2.erode(values, kernel), cv2.CMP_NE)
        edge = edge[margin : margin + height, margin : margin + width]
        shown = _ABOVE_BACKGROUND if outlined is None else outlined.astype(np.uint8) * np.uint8(255)
        edge = cv2.bitwise_and(edge, cv2.LUT(inner, shown))
        if cv2.countNonZero(edge):
            cv2.copyTo(cv2.LUT(inner, solid), edge, out)
    tinted = out.view(np.uint32)
    if hatch_unlabelled:
        rows = np.arange(height)[:, None] + offset_yx[0]
        columns = np.arange(width)[None, :] + offset_yx[1]
        lines = ((rows + columns) % _HATCH_PERIOD == 0) & (inner == 0)
        np.copyto(tinted, np.uint32(0x60606060), where=lines)
    return tinted


_ABOVE_BACKGROUND = np.where(np.arange(256) > BACKGROUND, 255, 0).astype(np.uint8)


@lru_cache(maxsize=32)
def _tables(colours: bytes) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The premultiplied colour of every value, and the same opaque."""
    plain = np.frombuffer(colours, np.uint8).reshape(256, 4)
    solid = plain.copy()
    solid[:, 3] = 255
    return _premultiplied(plain).view(np.int32), _premultiplied(solid).view(np.int32)


def _premultiplied(colours: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Colours as Qt's premultiplied ARGB, one number each."""
    red, green, blue, alpha = (colours[:, i].astype(np.uint32) for i in range(4))
    packed = (alpha << 24) | ((red * alpha // 255) << 16)
    packed |= ((green * alpha // 255) << 8) | (blue * alpha // 255)
    return packed.astype(np.uint32)
