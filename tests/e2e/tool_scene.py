"""What the tools are used on: simulated samples whose ground truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.core.samples.catalogue import simulate
from orgseg_app.files.project_file import NewImage, ProjectFile

FLAT_SIZE, STACK_SIZE = (200, 240), (5, 120, 160)
VOXEL_UM = (0.5, 0.1, 0.1)
"""Of the stack: planes lie five voxels apart."""

NUCLEUS, OTHER = 2, 3


class Scene:
    """What there is to be painted, told by the samples' ground truth.

    Attributes
    ----------
    flat
        (Y, X) nuclei; those left of the middle are painted, the largest with a hole in it, and a
        square of another class where there is none.
    stack
        (Z, Y, X); a square is painted on the first plane, and a shifted one on the last.
    """

    def __init__(self) -> None:
        sample = simulate("nuclei", 0, size=FLAT_SIZE)
        self.flat = sample.pixels
        self.flat_um = sample.pixel_size_um
        labels, count = ndimage.label(sample.mask == NUCLEUS)
        areas = np.bincount(labels.ravel())
        middles = ndimage.center_of_mass(labels > 0, labels, range(1, count + 1))
        left = [n for n in range(1, count + 1) if middles[n - 1][1] < FLAT_SIZE[1] / 2]
        right = [n for n in range(1, count + 1) if n not in left]
        largest = sorted(left, key=lambda n: -areas[n])[:2]
        wanted = max(right, key=lambda n: areas[n] if not _at_edge(labels == n) else 0)
        self.free = labels == wanted
        self.hole = _deepest(labels == largest[0])
        painted = np.where(np.isin(labels, left), NUCLEUS, 0).astype(np.uint8)
        y, x = self.hole
        painted[y - 2 : y + 3, x - 2 : x + 3] = 0
        self.third = _room_beside(labels > 0)
        painted[tuple(slice(n - 5, n + 6) for n in self.third)] = OTHER
        self.painted = painted
        inside = painted.astype(bool) & (labels == largest[0])
        self.first, self.second = _deepest(inside), _deepest(labels == largest[1])
        planes = [simulate("er", z, size=STACK_SIZE[1:]).pixels for z in range(STACK_SIZE[0])]
        self.stack = np.stack(planes)
        self.painted_stack = np.zeros(STACK_SIZE, np.uint8)
        self.painted_stack[0, 40:60, 40:60] = NUCLEUS
        self.painted_stack[4, 48:68, 44:64] = NUCLEUS

    @property
    def free_box(self) -> tuple[int, int, int, int]:
        """Around the nucleus that nobody has painted, with some room: (y0, x0, y1, x1)."""
        ys, xs = np.nonzero(self.free)
        return (
            max(0, int(ys.min()) - 4),
            max(0, int(xs.min()) - 4),
            min(FLAT_SIZE[0], int(ys.max()) + 5),
            min(FLAT_SIZE[1], int(xs.max()) + 5),
        )

    @property
    def free_middle(self) -> tuple[int, int]:
        """Deep in that nucleus."""
        return _deepest(self.free)

    def project(self, path: Path) -> Path:
        """A project with both images."""
        with ProjectFile.create(path, default_classes(["nucleus", "other"])) as file:
            file.add_images(
                [
                    NewImage(
                        open_array("flat", self.flat, pixel_size_um=self.flat_um),
                        "train",
                        self.painted[None],
                    ),
                    NewImage(
                        open_array("stack", self.stack, pixel_size_um=VOXEL_UM),
                        "train",
                        self.painted_stack,
                    ),
                ]
            )
        return path


def _deepest(where: NDArray[np.bool_]) -> tuple[int, int]:
    far = ndimage.distance_transform_edt(np.pad(where, 1))[1:-1, 1:-1]
    y, x = np.unravel_index(int(np.argmax(far)), where.shape)
    return int(y), int(x)


def _room_beside(where: NDArray[np.bool_]) -> tuple[int, int]:
    """The first place with nothing around it."""
    free = ndimage.distance_transform_cdt(np.pad(~where, 1))[1:-1, 1:-1] > 8
    y, x = np.argwhere(free)[0]
    return int(y), int(x)


def _at_edge(where: NDArray[np.bool_]) -> bool:
    return bool(where[[0, -1]].any() or where[:, [0, -1]].any())
