"""What a network learns of objects beside their classes, so that touching ones come apart.

Every target is made of whole planes or volumes before patches are cut, so that an object that a
patch cuts keeps the depth it really has. The border of the image is no edge of an object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.instances.centres import heat_and_ways

Objects = NDArray[np.integer]
"""Object numbers, ``(Y, X)`` or ``(Z, Y, X)``; 0 where there is no object."""
Layer = NDArray[np.uint8]

COMPONENTS, BOUNDARY, DISTANCE = "components", "boundary", "distance"
BOUNDARY_DISTANCE = "boundary_distance"
CENTRE = "centre"

OUTSIDE, INTERIOR, EDGE = 0, 1, 2
"""Boundary classes."""
BOUNDARY_WEIGHTS = (1.0, 1.0, 10.0)
"""What a voxel outside, of the interior and of the edge counts; Caicedo et al. 2019."""
THIN = 2.0
"""Planes so many times farther apart than pixels are thin slices of an object, not its edge."""


@dataclass(frozen=True)
class Target:
    """One way of telling a network what single objects are.

    Attributes
    ----------
    has_boundary
        The network says of each voxel whether it lies outside, inside or on the edge.
    has_distance
        The network says how deep in its object each voxel lies.
    has_centre
        The network says how near each voxel is to a centre, and which way its own lies.
    """

    has_boundary: bool
    has_distance: bool
    has_centre: bool = False

    @property
    def layers(self) -> int:
        """Layers of uint8 that `target_layers` makes of a plane; of a volume perhaps more."""
        return self.has_boundary + self.has_distance + 3 * self.has_centre

    def ways(self, dimensions: int) -> int:
        """How many of the last layers, and outputs, are a way along an axis.

        Parameters
        ----------
        dimensions
            2 where planes are learnt from, 3 where volumes are.
        """
        return dimensions * self.has_centre

    def outputs(self, dimensions: int) -> int:
        """Numbers a voxel that the network gives beside the classes; see `ways`."""
        ways = self.ways(dimensions)
        return 3 * self.has_boundary + self.has_distance + self.has_centre + ways

    def maps(self, dimensions: int) -> int:
        """How many of the maps that objects are made of: depth alone, or heat and ways."""
        return bool(self.layers) + self.ways(dimensions)


TARGETS: Mapping[str, Target] = {
    COMPONENTS: Target(has_boundary=False, has_distance=False),
    BOUNDARY: Target(has_boundary=True, has_distance=False),
    DISTANCE: Target(has_boundary=False, has_distance=True),
    BOUNDARY_DISTANCE: Target(has_boundary=True, has_distance=True),
    CENTRE: Target(has_boundary=False, has_distance=False, has_centre=True),
}
"""The targets that a recipe may name. Objects that are mere components need none."""


def target_layers(
    target: Target, objects: Objects, *, voxel_size: tuple[float, ...] | None = None
) -> list[Layer]:
    """What is learnt of some objects, ready to be cut into patches like a mask.

    Parameters
    ----------
    target
        One of `TARGETS`.
    objects
        ``(Y, X)`` or ``(Z, Y, X)``.
    voxel_size
        Of each axis, in any unit; all alike unless given.

    Returns
    -------
    list of numpy.ndarray
        uint8, as large as `objects`: boundary classes, then depths from 0 to 255; or what
        `centres.heat_and_ways` gives. Those the target has.
    """
    found = []
    if target.has_boundary:
        found.append(boundary_classes(objects, voxel_size=voxel_size))
    if target.has_distance:
        depth = depths(objects, voxel_size=voxel_size)
        found.append(np.rint(depth * np.float32(255)).astype(np.uint8))
    if target.has_centre:
        found += heat_and_ways(objects, voxel_size=voxel_size)
    return found


def boundary_classes(objects: Objects, *, voxel_size: tuple[float, ...] | None = None) -> Layer:
    """Outside, interior and edge of objects.

    The edge is two voxels thick: those on either side of the line between an object and what is
    not that object. Across planes `THIN` or farther apart only another object makes an edge: what
    lies under thin slices would be edge throughout.

    Caicedo, Roth, Goodman, Becker, Karhohs, Broisin, Molnar, McQuin, Singh, Theis and Carpenter,
    Evaluation of deep learning strategies for nucleus segmentation in fluorescence images,
    Cytometry A 95, 2019.

    Parameters
    ----------
    objects, voxel_size
        As in `target_layers`.

    Returns
    -------
    numpy.ndarray
        uint8: `OUTSIDE`, `INTERIOR`, `EDGE`.

    Examples
    --------
    Two objects that touch; the background begins on the right.

    >>> boundary_classes(np.array([[1, 1, 1, 2, 2, 2, 2, 0, 0]])).tolist()
    [[1, 1, 2, 2, 1, 1, 2, 2, 0]]
    """
    found: Layer = (objects != 0).astype(np.uint8)
    size = voxel_size or (1.0,) * objects.ndim
    for axis in range(objects.ndim):
        before, after = _sides(objects.ndim, axis)
        differs = objects[before] != objects[after]
        if size[axis] >= THIN * min(size):
            differs &= (objects[before] != 0) & (objects[after] != 0)
        found[before][differs] = EDGE
        found[after][differs] = EDGE
    return found


def depths(objects: Objects, *, voxel_size: tuple[float, ...] | None = None) -> NDArray[np.float32]:
    """How deep each voxel lies in its object, as a share of the object's deepest voxel.

    Measured to the nearest voxel that is not the object's; in micrometres where the voxels are.
    Shares do not change when a patch is shown larger or smaller.

    Parameters
    ----------
    objects, voxel_size
        As in `target_layers`.

    Returns
    -------
    numpy.ndarray
        float32 from 0 (outside) to 1.

    Examples
    --------
    >>> depths(np.array([[0, 1, 1, 1, 2, 2]])).tolist()
    [[0.0, 0.5, 1.0, 0.5, 0.5, 1.0]]
    """
    from scipy import ndimage

    size = voxel_size or (1.0,) * objects.ndim
    found = np.zeros(objects.shape, np.float32)
    labels = _compact(objects)
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        if box is None:
            continue
        # One voxel more on each side, as far as there is an image, holds all that lies nearest.
        wide = tuple(slice(max(part.start - 1, 0), part.stop + 1) for part in box)
        inside = labels[wide] == number
        depth = _to_outside(inside, size)
        found[wide][inside] = depth[inside] / depth.max()
    return found


def _compact(objects: Objects) -> NDArray[np.int32]:
    """Objects by small numbers; 0 stays 0."""
    if int(objects.max(initial=0)) <= objects.size:
        return objects.astype(np.int32)
    found, small = np.unique(objects, return_inverse=True)
    return np.asarray(small + (found[0] != 0), np.int32).reshape(objects.shape)


def _to_outside(inside: NDArray[np.bool_], size: tuple[float, ...]) -> NDArray[np.float32]:
    """Distance of what is inside to the nearest voxel outside; 1 where there is none."""
    if inside.all():
        return np.ones(inside.shape, np.float32)
    if inside.ndim == 2 and len(set(size)) == 1:
        import cv2

        plane = np.ascontiguousarray(inside).view(np.uint8)
        found = cv2.distanceTransform(plane, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return np.asarray(found, np.float32)
    from scipy import ndimage

    return np.asarray(ndimage.distance_transform_edt(inside, sampling=size), np.float32)


def _sides(dimensions: int, axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Regions of all voxels that have a next one along an axis, and of those next ones."""
    before, after = [slice(None)] * dimensions, [slice(None)] * dimensions
    before[axis], after[axis] = slice(None, -1), slice(1, None)
    return tuple(before), tuple(after)
