"""Where each pixel of a patch comes from: turning, scaling, slanting and bending in one warp.

Coordinates are those of pixel centres. A patch is anchored: one of its pixels shows a given pixel
of the plane, whatever is done around it. What is cut lies in the plane itself, so that a turned
patch has no empty corners; only past the edge of the plane its mirror image is shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.augmentation.loose import LoosePlanes

Cuttable = NDArray[Any] | LoosePlanes
"""``(…, Y, X)``: an array, or planes that are put together only where they are cut."""

Matrix = tuple[float, float, float, float]
"""``(a, b, c, d)``: x in the plane is a·x + b·y of the patch, y is c·x + d·y, both from the
anchor."""

_IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0)
_ROUNDS = 3
"""Where a bent way ends is found in so many rounds."""
_MOST_SIDE = 32_766
"""OpenCV's warps take no larger picture."""
_BY_SIZE = {1: np.uint8, 2: np.uint16, 4: np.int32, 8: np.float64}
_LAYER_TYPES = (np.uint8, np.uint16, np.uint32, np.int32, np.float32)


def _turned(values: Mapping[str, float]) -> Matrix:
    """As `turns.Turn`: quarter turns anticlockwise, then a mirror image."""
    quarter: Matrix = (0.0, -1.0, 1.0, 0.0)
    matrix = _IDENTITY
    for _ in range(int(values["quarters"])):
        matrix = _product(matrix, quarter)
    return _product(matrix, (-1.0, 0.0, 0.0, 1.0)) if values["flip"] else matrix


def _rotated(values: Mapping[str, float]) -> Matrix:
    angle = math.radians(values["degrees"])
    return math.cos(angle), -math.sin(angle), math.sin(angle), math.cos(angle)


def _scaled(values: Mapping[str, float]) -> Matrix:
    return 1 / values["factor"], 0.0, 0.0, 1 / values["factor"]


def _sheared(values: Mapping[str, float]) -> Matrix:
    return 1.0, values["right"], values["down"], 1.0


def _product(first: Matrix, then: Matrix) -> Matrix:
    a, b, c, d = first
    e, f, g, h = then
    return a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h


_MATRICES: dict[str, Callable[[Mapping[str, float]], Matrix]] = {
    "d4": _turned,
    "rotate": _rotated,
    "scale": _scaled,
    "shear": _sheared,
}
GEOMETRIC = frozenset({*_MATRICES, "shift", "elastic", "flip_z"})
"""Steps that move pixels or planes; all others change grey values."""


@dataclass(frozen=True)
class Geometry:
    """Where the pixels of a patch come from.

    Attributes
    ----------
    size
        ``(height, width)`` of the patch.
    matrix
        From the patch to the plane.
    shift
        ``(down, right)`` of what is shown, in pixels of the patch.
    bends
        Numbers of "elastic"; bending is done on the patch, last.
    """

    size: tuple[int, int]
    matrix: Matrix
    shift: tuple[int, int]
    bends: tuple[Mapping[str, float], ...]

    @classmethod
    def of(cls, size: tuple[int, int], acts: Iterable[tuple[str, Mapping[str, float]]]) -> Geometry:
        """All geometric acts in one.

        Parameters
        ----------
        acts
            Names and numbers, in order; those that move nothing are passed over.
        """
        matrix, down, right = _IDENTITY, 0, 0
        bends: list[Mapping[str, float]] = []
        for name, values in acts:
            if name in _MATRICES:
                matrix = _product(matrix, _MATRICES[name](values))
            elif name == "shift":
                down, right = down + int(values["down"]), right + int(values["right"])
            elif name == "elastic":
                bends.append(values)
        return cls(size, matrix, (down, right), tuple(bends))

    def anchored(
        self, patch_yx: tuple[int, int], source_yx: tuple[int, int], plane_yx: tuple[int, int]
    ) -> tuple[int, int]:
        """Where in the patch a pixel of the plane shows, so that the patch lies in the plane.

        Parameters
        ----------
        patch_yx
            Where it is wanted.
        source_yx
            The pixel of the plane; it stays in the patch.
        plane_yx
            Height and width of the plane. A larger patch begins with the plane.

        Returns
        -------
        (y, x)
            Within the patch.
        """
        a, b, c, d = self.matrix
        y, x = self._inside(patch_yx[0] + self.shift[0], patch_yx[1] + self.shift[1])
        top, bottom, left, right = self._reach((y, x))
        down = _moved(source_yx[0] + top, source_yx[0] + bottom, plane_yx[0])
        across = _moved(source_yx[1] + left, source_yx[1] + right, plane_yx[1])
        if not down and not across:
            return y, x
        determinant = a * d - b * c
        return self._inside(
            y - round((a * down - c * across) / determinant),
            x - round((d * across - b * down) / determinant),
        )

    def _inside(self, y: int, x: int) -> tuple[int, int]:
        return min(max(y, 0), self.size[0] - 1), min(max(x, 0), self.size[1] - 1)

    def cut(
        self,
        pixels: Cuttable,
        layers: Sequence[Cuttable],
        outside: Sequence[float],
        patch_yx: tuple[float, float],
        source_yx: tuple[float, float],
    ) -> tuple[NDArray[np.float32], list[NDArray[Any]]]:
        """The patch and what belongs to it, in arrays of their own; see `Plan.cut`."""
        if not self.bends and (index := self._exact(patch_yx, source_yx)) is not None:
            return self._taken(pixels, layers, outside, *index)
        return self._warped(pixels, layers, outside, patch_yx, source_yx)

    def shown(
        self, ways: NDArray[np.float32], patch_yx: tuple[float, float]
    ) -> NDArray[np.float32]:
        """Ways between pixels of the plane, as they lead through the patch.

        Parameters
        ----------
        ways
            ``(2, …, height, width)``: down and right in the plane, in pixels, for each pixel of
            the patch the way that begins where it comes from.
        patch_yx
            As of `cut`.

        Returns
        -------
        numpy.ndarray
            As large, in pixels of the patch. Exact, but where it bends: there to within a small
            part of a pixel.
        """
        import cv2

        a, b, c, d = (np.float32(n) for n in self.matrix)
        determinant = a * d - b * c
        right = (d * ways[1] - b * ways[0]) / determinant
        down = (a * ways[0] - c * ways[1]) / determinant
        bend = self._bend(patch_yx)
        if bend is None:
            return np.stack([down, right])
        y, x = np.indices(self.size, np.float32)
        straight, found = np.stack([right, down]), np.empty_like(ways)
        for lead in np.ndindex(ways.shape[1:-2]):
            way = straight[:, *lead]
            for _ in range(_ROUNDS):
                ends = x + way[0], y + way[1]
                there = [
                    cv2.remap(push, *ends, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
                    for push in bend
                ]
                way = straight[:, *lead] + bend - np.stack(there)
            found[:, *lead] = way[::-1]
        return found

    # -- exact -----------------------------------------------------------------------------------

    def _exact(
        self, patch_yx: tuple[float, float], source_yx: tuple[float, float]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], bool] | None:
        """Rows and columns of the plane, and whether they change places; None to interpolate."""
        a, b, c, d = self.matrix
        is_crossed = a == d == 0 and abs(b) == abs(c) == 1
        if not is_crossed and not (b == c == 0 and abs(a) == abs(d) == 1):
            return None
        down = np.arange(self.size[0]) - patch_yx[0]
        across = np.arange(self.size[1]) - patch_yx[1]
        rows = source_yx[0] + (c * across if is_crossed else d * down)
        columns = source_yx[1] + (b * down if is_crossed else a * across)
        if rows[0] % 1 or columns[0] % 1:
            return None
        return rows.astype(np.intp), columns.astype(np.intp), is_crossed

    def _taken(
        self,
        pixels: Cuttable,
        layers: Sequence[Cuttable],
        outside: Sequence[float],
        rows: NDArray[np.intp],
        columns: NDArray[np.intp],
        is_crossed: bool,
    ) -> tuple[NDArray[np.float32], list[NDArray[Any]]]:
        def laid(array: NDArray[Any]) -> NDArray[Any]:
            return _transposed(array) if is_crossed else np.array(array, order="C")

        height, width = pixels.shape[-2:]
        if _within(rows, height) and _within(columns, width):
            place = (..., _slice(rows), _slice(columns))
            return laid(pixels[place]), [laid(layer[place]) for layer in layers]
        mirrored = pixels[..., _mirror(rows, height)[:, None], _mirror(columns, width)]
        inner_rows = (rows >= 0) & (rows < height)
        inner_columns = (columns >= 0) & (columns < width)
        there = np.ix_(inner_rows, inner_columns)
        here = np.ix_(rows[inner_rows], columns[inner_columns])
        found = []
        for layer, value in zip(layers, outside, strict=True):
            shape = (*layer.shape[:-2], len(rows), len(columns))
            filled = np.full(shape, value, layer.dtype)
            filled[..., there[0], there[1]] = layer[..., here[0], here[1]]
            found.append(laid(filled))
        return laid(mirrored), found

    # -- interpolated ----------------------------------------------------------------------------

    def _warped(
        self,
        pixels: Cuttable,
        layers: Sequence[Cuttable],
        outside: Sequence[float],
        patch_yx: tuple[float, float],
        source_yx: tuple[float, float],
    ) -> tuple[NDArray[np.float32], list[NDArray[Any]]]:
        import cv2

        a, b, c, d = self.matrix
        height, width = self.size
        bend = self._bend(patch_yx)
        push = 0.0 if bend is None else float(np.abs(bend).max())
        top, bottom, left, right = self._reach(patch_yx)
        more_y, more_x = (abs(c) + abs(d)) * push, (abs(a) + abs(b)) * push
        y0, y1 = _span(
            source_yx[0] + top - more_y, source_yx[0] + bottom + more_y, pixels.shape[-2]
        )
        x0, x1 = _span(
            source_yx[1] + left - more_x, source_yx[1] + right + more_x, pixels.shape[-1]
        )
        if max(height, width, y1 - y0, x1 - x0) > _MOST_SIDE:
            raise ValueError(
                f"Pictures of more than {_MOST_SIDE:,} pixels along a side can only be flipped and "
                "turned by quarters."
            )
        down = np.arange(height) - patch_yx[0]
        across = np.arange(width) - patch_yx[1]
        at_x = np.add.outer(
            (b * down).astype(np.float32), (source_yx[1] - x0 + a * across).astype(np.float32)
        )
        at_y = np.add.outer(
            (d * down).astype(np.float32), (source_yx[0] - y0 + c * across).astype(np.float32)
        )
        if bend is not None:
            at_x += np.float32(a) * bend[0] + np.float32(b) * bend[1]
            at_y += np.float32(c) * bend[0] + np.float32(d) * bend[1]

        place = (..., slice(y0, y1), slice(x0, x1))
        # Copied: rows of a large plane lie so far apart that going across them takes twice as long.
        part = np.ascontiguousarray(pixels[place])
        shown = np.empty((*part.shape[:-2], height, width), np.float32)
        for lead in np.ndindex(part.shape[:-2]):
            cv2.remap(part[lead], at_x, at_y, cv2.INTER_LINEAR, shown[lead], cv2.BORDER_REFLECT_101)
        if not layers:
            return shown, []
        # Rounded once for all layers, so that not one voxel of theirs can come from elsewhere.
        whole, _ = cv2.convertMaps(at_x, at_y, cv2.CV_16SC2, nninterpolation=True)
        return shown, [
            _nearest(layer[place], whole, value)
            for layer, value in zip(layers, outside, strict=True)
        ]

    def _bend(self, patch_yx: tuple[float, float]) -> NDArray[np.float32] | None:
        """How far each pixel is pushed, ``(2, height, width)``: x and y; 0 at the anchor."""
        if not self.bends:
            return None
        height, width = self.size
        bend = np.zeros((2, height, width), np.float32)
        for values in self.bends:
            bend += _pushes(height, width, values)
        y, x = (min(max(int(p), 0), n - 1) for p, n in zip(patch_yx, self.size, strict=True))
        bend -= bend[:, y, x].copy()[:, None, None]
        return bend

    def _reach(self, patch_yx: tuple[float, float]) -> tuple[float, float, float, float]:
        """Top, bottom, left and right end of the patch in the plane, from the anchor."""
        a, b, c, d = self.matrix
        ends_y = (-patch_yx[0], self.size[0] - 1 - patch_yx[0])
        ends_x = (-patch_yx[1], self.size[1] - 1 - patch_yx[1])
        xs = [a * x + b * y for y in ends_y for x in ends_x]
        ys = [c * x + d * y for y in ends_y for x in ends_x]
        return min(ys), max(ys), min(xs), max(xs)


def _pushes(height: int, width: int, values: Mapping[str, float]) -> NDArray[np.float32]:
    """Random pushes of the points of a coarse grid, smooth in between; ``(2, height, width)``."""
    import cv2

    grid, sigma = values["grid"], values["sigma"]
    rows, columns = (math.ceil(n / grid) + 3 for n in (height, width))
    random = np.random.default_rng(int(values["seed"]))
    points = random.uniform(-1, 1, (2, rows, columns)).astype(np.float32) * values["alpha"]
    at_y = ((np.arange(height) / grid) + 1).astype(np.float32)
    at_x = ((np.arange(width) / grid) + 1).astype(np.float32)
    at = np.ascontiguousarray(np.broadcast_to(at_x, (height, width)))
    down = np.ascontiguousarray(np.broadcast_to(at_y[:, None], (height, width)))
    out = np.empty((2, height, width), np.float32)
    for axis in range(2):
        soft = points[axis].astype(np.float32)
        if sigma > 0:
            soft = cv2.GaussianBlur(soft, (0, 0), sigma)
        cv2.remap(soft, at, down, cv2.INTER_CUBIC, out[axis], cv2.BORDER_REFLECT_101)
    return out


def _nearest(layer: NDArray[Any], whole: Any, outside: float) -> NDArray[Any]:
    """A layer ``(…, Y, X)`` at whole places ``(y, x, 2)``; no value is changed."""
    import cv2

    kind = layer.dtype
    if kind == np.bool_:
        return _nearest(layer.view(np.uint8), whole, outside).view(np.bool_)
    if kind not in _LAYER_TYPES:
        raise TypeError(f"Layers of {kind} cannot be augmented; they are uint8, uint32 or float32.")
    in_bytes = kind.itemsize == 4 and kind.kind != "f"  # moved as four bytes, so never rounded
    border: Any = float(outside)
    if in_bytes:
        border = tuple(int(n) for n in np.array([outside]).astype(kind).view(np.uint8))
    layer = np.ascontiguousarray(layer)
    out = np.empty((*layer.shape[:-2], *whole.shape[:2]), kind)
    for lead in np.ndindex(layer.shape[:-2]):
        plane = layer[lead]
        if in_bytes:
            plane = plane.view(np.uint8).reshape(*plane.shape, 4)
        found: NDArray[Any] = cv2.remap(  # type: ignore[call-overload]
            plane, whole, None, cv2.INTER_NEAREST, None, cv2.BORDER_CONSTANT, border
        )
        out[lead] = found.reshape(whole.shape[0], -1).view(kind) if in_bytes else found
    return out


def _transposed(array: NDArray[Any]) -> NDArray[Any]:
    """Rows as columns, in an array of its own; quicker than numpy does it."""
    import cv2

    whole = np.ascontiguousarray(array).view(_BY_SIZE[array.dtype.itemsize])
    out = np.empty((*whole.shape[:-2], whole.shape[-1], whole.shape[-2]), whole.dtype)
    for lead in np.ndindex(whole.shape[:-2]):
        cv2.transpose(whole[lead], out[lead])
    return out.view(array.dtype)


def _moved(low: float, high: float, length: int) -> float:
    """How far a stretch is to be moved so that it lies in 0…length - 1, or begins there."""
    low, high = math.floor(low + 1e-6), math.ceil(high - 1e-6)
    if low < 0 or high - low > length - 1:
        return -low
    return min(0, length - 1 - high)


def _span(low: float, high: float, length: int) -> tuple[int, int]:
    """What is needed of an axis for places low…high, mirror images included."""
    first, last = math.floor(low) - 1, math.ceil(high) + 1
    start, stop = min(first, 2 * (length - 1) - last), max(last, -first) + 1
    return min(max(0, start), length - 1), max(min(length, stop), 1)


def _within(places: NDArray[np.intp], length: int) -> bool:
    return bool(min(places[0], places[-1]) >= 0 and max(places[0], places[-1]) < length)


def _slice(places: NDArray[np.intp]) -> slice:
    """Neighbouring places, rising or falling."""
    first, last = int(places[0]), int(places[-1])
    if first <= last:
        return slice(first, last + 1)
    return slice(first, last - 1 if last else None, -1)


def _mirror(places: NDArray[np.intp], length: int) -> NDArray[np.intp]:
    """Places past an end as those before it; the end itself is not repeated."""
    if length == 1:
        return np.zeros_like(places)
    period = 2 * (length - 1)
    inside = np.abs(places) % period
    mirrored: NDArray[np.intp] = np.minimum(inside, period - inside)
    return mirrored
