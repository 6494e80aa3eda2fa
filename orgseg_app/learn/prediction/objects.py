"""The objects of a predicted mask: a table, and an image of their numbers.

Both are made plane by plane: a volume may be of any size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import ClassInfo
from orgseg_app.core.components import Components
from orgseg_app.core.instances.table import NumberedTable
from orgseg_app.core.object_table import ObjectRow, ObjectTable
from orgseg_app.files.export import write_object_planes, write_table

ReadPlane = Callable[[int], NDArray[np.uint8]]
"""z → class ids ``(Y, X)``."""
ReadNumbers = Callable[[int], NDArray[np.uint32]]
"""z → object numbers ``(Y, X)``."""


def write_object_files(
    target: Path,
    read: ReadPlane,
    shape_zyx: tuple[int, int, int],
    classes: Sequence[ClassInfo],
    pixel_size_um: tuple[float, float, float] | None,
    *,
    overwrite: bool,
    numbered: ReadNumbers | None = None,
) -> None:
    """Write ``NAME.csv`` with one line an object, and ``NAME.tif`` with their numbers.

    Objects are those that the model tells apart, or else the connected components of each class
    but background; voxels that share a corner then hang together.

    Parameters
    ----------
    target
        The table; the image gets the same name.
    read
        Gives the mask; each plane is read twice at most.
    shape_zyx
        Of the mask.
    classes
        Whose names the table gives.
    pixel_size_um
        ``(z, y, x)``; without it there are no volumes.
    overwrite
        Replace what is there.
    numbered
        Gives the objects of models that tell them apart; each plane is read a few times.

    Raises
    ------
    ExportError
        When they cannot be written.
    """
    if numbered is None:
        table = ObjectTable(pixel_size_um)
        for z in range(shape_zyx[0]):
            table.add(read(z))
        rows = table.rows()
        planes, highest = _numbered(read, shape_zyx[0], table.numbers()), len(rows)
    else:
        highest = max(int(numbered(z).max(initial=0)) for z in range(shape_zyx[0]))
        known = NumberedTable(highest, pixel_size_um)
        for z in range(shape_zyx[0]):
            known.add(numbered(z), read(z))
        rows = known.rows()
        planes = (numbered(z) for z in range(shape_zyx[0]))
    write_object_planes(
        target.with_suffix(".tif"),
        planes,
        shape_zyx,
        highest,
        pixel_size_um=pixel_size_um,
        overwrite=overwrite,
    )
    names = {info.class_id: info.name for info in classes}
    write_table(target, [_line(row, names) for row in rows], _COLUMNS, overwrite=overwrite)


_COLUMNS = (
    "object",
    "class",
    "voxels",
    "volume_um3",
    "centroid_z",
    "centroid_y",
    "centroid_x",
    "z_from",
    "z_to",
    "y_from",
    "y_to",
    "x_from",
    "x_to",
    "touches_border",
)
"""Places are in voxels from 0, boxes with both ends inside."""


def _line(row: ObjectRow, names: dict[int, str]) -> dict[str, object]:
    box = row.box
    found = (
        row.number,
        names.get(row.class_id, str(row.class_id)),
        row.voxels,
        row.volume_um3,
        *(round(at, 3) for at in row.centroid_zyx),
        *(box.z0, box.z1 - 1, box.y0, box.y1 - 1, box.x0, box.x1 - 1),
        int(row.touches_border),
    )
    return dict(zip(_COLUMNS, found, strict=True))


def _numbered(
    read: ReadPlane, depth: int, numbers: dict[int, NDArray[np.int64]]
) -> Iterator[NDArray[np.uint32]]:
    """Planes ``(Y, X)`` of object numbers, as in the table."""
    found = {class_id: Components() for class_id in numbers}
    for z in range(depth):
        mask = read(z)
        labels = np.zeros(mask.shape, np.uint32)
        for class_id, components in found.items():
            inside = mask == class_id
            if inside.any():
                labels[inside] = numbers[class_id][components.add(inside)[inside]]
            else:
                components.skip()
        yield labels
