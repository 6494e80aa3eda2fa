"""What no object claims between two planes: background or unlabelled.

Both have a signed distance in each plane; between the planes these are blended, and the larger one
wins. A voxel that is background in both planes, or unlabelled in both, needs none: it stays what it
is. For the others the distances are worked out in a box around them that is large enough to give
exactly what the whole plane would. Where it would have to be very large, they come from the whole
plane after all.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, UNLABELLED
from orgseg_app.core.painting.distance import FAR, Field, Ids, signed_distance

TILE = 512
"""Voxels looked at together."""

_MARGINS = (64, 256)  # around what needs a distance; then the whole plane

Tile = tuple[int, int]


@dataclass(eq=False)
class _Known:
    """The distances of one tile, where they are needed.

    Attributes
    ----------
    needed
        ``(h, w)``.
    fields
        By class, the distances in both planes at these, ``(n,)``; a class that cannot win is not
        among them.
    """

    needed: NDArray[np.bool_]
    fields: dict[int, tuple[Field, Field]] = field(default_factory=dict)


class Rest:
    """Background and unlabelled between two planes of class ids ``(Y, X)``."""

    def __init__(self, first: Ids, second: Ids) -> None:
        self._planes = first, second
        self._present = {
            class_id: tuple(_has(plane, class_id) for plane in self._planes)
            for class_id in (BACKGROUND, UNLABELLED)
        }
        self._known: dict[Tile, _Known] = {}
        self._far: list[Tile] = []

    def look(self, tile: Tile) -> None:
        """Work out a tile; `finish` does what is left."""
        rows, columns = _part(tile, self._planes[0].shape)
        a, b = (plane[rows, columns] for plane in self._planes)
        known = self._known[tile] = _Known(~((a == b) & (a <= BACKGROUND)))
        where_y = np.flatnonzero(known.needed.any(axis=1))
        if not where_y.size or not self._classes:
            return
        where_x = np.flatnonzero(known.needed.any(axis=0))
        box = (
            rows.start + int(where_y[0]),
            columns.start + int(where_x[0]),
            rows.start + int(where_y[-1]) + 1,
            columns.start + int(where_x[-1]) + 1,
        )
        inside = known.needed[where_y[0] : where_y[-1] + 1, where_x[0] : where_x[-1] + 1]
        for margin in _MARGINS:
            fields = self._fields_around(box, inside, margin)
            if fields is not None:
                known.fields = fields
                return
        self._far.append(tile)

    def finish(self) -> None:
        """Tiles that the whole plane has to decide."""
        if not self._far:
            return
        for class_id in self._classes:
            found = []
            for plane in self._planes:
                whole = signed_distance(plane == class_id)
                found.append([
                    whole[_part(tile, whole.shape)][self._known[tile].needed] for tile in self._far
                ])  # fmt: skip
                del whole
            for tile, one, other in zip(self._far, *found, strict=True):
                self._known[tile].fields[class_id] = one, other
        self._far = []

    def merged(self, tile: Tile, way: float, depth: Field, ids: Ids) -> Ids:
        """Class ids of a tile at a fraction of the way.

        Parameters
        ----------
        depth, ids
            ``(h, w)``: how deep inside an object each voxel lies, negative outside, and in which.
        """
        rows, columns = _part(tile, self._planes[0].shape)
        is_object = depth >= 0  # a hole of the background that moved is filled by the object
        out = np.where(is_object, ids, self._planes[0][rows, columns])
        known = self._known.get(tile)
        if known is None:
            return out
        choice = known.needed & ~is_object
        free = choice[known.needed]
        best, chosen = depth[choice], ids[choice]
        for class_id, (one, other) in known.fields.items():
            found = (1 - way) * one[free] + way * other[free]
            wins = found > best
            best[wins], chosen[wins] = found[wins], class_id
        out[choice] = chosen
        return out

    @property
    def _classes(self) -> list[int]:
        return [class_id for class_id, present in self._present.items() if any(present)]

    def _fields_around(
        self, box: tuple[int, int, int, int], needed: NDArray[np.bool_], margin: int
    ) -> dict[int, tuple[Field, Field]] | None:
        """Distances at the voxels needed of a box; None where a wider margin might change them."""
        height, width = self._planes[0].shape
        y0, x0 = max(0, box[0] - margin), max(0, box[1] - margin)
        y1, x1 = min(height, box[2] + margin), min(width, box[3] + margin)
        inside = np.s_[box[0] - y0 : box[2] - y0, box[1] - x0 : box[3] - x0]
        edge = _to_edge((y0, x0, y1, x1), (height, width))[inside][needed]
        least: dict[int, list[Field]] = {}
        most: dict[int, list[Field]] = {}
        for class_id in self._classes:
            least[class_id], most[class_id] = [], []
            for plane, is_there in zip(self._planes, self._present[class_id], strict=True):
                if not is_there:
                    far = np.full(edge.shape, FAR, np.float32)
                    least[class_id].append(far)
                    most[class_id].append(far)
                    continue
                found = signed_distance(plane[y0:y1, x0:x1] == class_id)[inside][needed]
                is_sure = np.abs(found) <= edge
                least[class_id].append(np.where(is_sure, found, np.where(found > 0, edge, found)))
                most[class_id].append(np.where(is_sure, found, np.where(found > 0, found, -edge)))
        sure = {c: all(map(np.array_equal, least[c], most[c])) for c in least}
        for class_id, other in (BACKGROUND, UNLABELLED), (UNLABELLED, BACKGROUND):
            if sure.get(other) and class_id in least:
                pairs = zip(most[class_id], least[other], strict=True)
                if all(bool((upper < lower).all()) for upper, lower in pairs):
                    return {other: (least[other][0], least[other][1])}  # it never wins
        if not all(sure.values()):
            return None
        return {class_id: (found[0], found[1]) for class_id, found in least.items()}


def _part(tile: Tile, size: tuple[int, ...]) -> tuple[slice, slice]:
    y0, x0 = tile[0] * TILE, tile[1] * TILE
    return slice(y0, min(y0 + TILE, size[0])), slice(x0, min(x0 + TILE, size[1]))


def _has(plane: Ids, class_id: int) -> bool:
    return any(bool((plane[y : y + TILE] == class_id).any()) for y in range(0, len(plane), TILE))


def _to_edge(box: tuple[int, int, int, int], size: tuple[int, int]) -> Field:
    """How far an edge beyond a box is at least from each voxel of it; the plane's end is none."""
    sides = []
    for start, stop, length in ((box[0], box[2], size[0]), (box[1], box[3], size[1])):
        places = np.arange(start, stop, dtype=np.float32)
        before = places - start + 0.5 if start > 0 else np.full_like(places, -FAR)
        after = stop - places - 0.5 if stop < length else np.full_like(places, -FAR)
        sides.append(np.minimum(before, after))
    return np.minimum(sides[0][:, None], sides[1][None])
