"""Objects by their centres: how near a voxel is to one, and which way its own lies.

A network learns a heat map, highest at the centre of each object, and from every voxel of an
object the way to its centre. Grouping finds the peaks of the first, one in each region that is
hot enough; each voxel then belongs to the centre that lies nearest to where its own way leads.

Cheng, Collins, Zhu, Liu, Huang, Adam and Chen, Panoptic-DeepLab: a simple, strong, and fast
baseline for bottom-up panoptic segmentation, CVPR 2020; centres that lie in their objects and
spread by their size after Neven, De Brabandere, Proesmans and Van Gool, Instance segmentation by
jointly optimizing spatial embeddings and clustering bandwidth, CVPR 2019.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.instances.flooding import Check, Labels, components, flood, go_on

Layer = NDArray[np.uint8]
Floats = NDArray[np.float32]

SPREAD = 0.5
"""Standard deviation of a centre's heat, in radii of a ball as large as the object."""
NOWHERE = 128
"""What stands for no way to go, in 0…255."""
STEPS_A_VOXEL = 2
"""Steps of a way in 0…255 that make one voxel."""
REACH = (255 - NOWHERE) / STEPS_A_VOXEL
"""The longest way in voxels; of larger objects it leads towards the centre."""
_FAR = 0.9 * REACH
"""A way so long may be one that was cut: where it leads, one asks again."""
_HOPS = 4


def heat_and_ways(
    objects: NDArray[np.integer[Any]], *, voxel_size: tuple[float, ...] | None = None
) -> list[Layer]:
    """What is learnt of the centres of objects.

    The centre is the object's own voxel that lies nearest to its centre of mass.

    Parameters
    ----------
    objects
        ``(Y, X)`` or ``(Z, Y, X)``: object numbers, 0 where there is none.
    voxel_size
        Of each axis, in any unit; all alike unless given.

    Returns
    -------
    list of numpy.ndarray
        uint8, as large as `objects`. The heat, 255 at a centre, `SPREAD` wide, 1 at least wherever
        an object is and 0 outside; then along each axis the way to the centre as `as_layer` puts
        it, `NOWHERE` outside.

    Examples
    --------
    >>> heat, down, right = heat_and_ways(np.array([[0, 1, 1, 1, 0, 2]]))
    >>> [(r.tolist() - np.int64(128)).tolist() for r in (down[0], right[0])]
    [[0, 0, 0, 0, 0, 0], [0, 2, 0, -2, 0, 0]]
    >>> heat.tolist()
    [[0, 31, 255, 31, 0, 255]]
    """
    size = np.array(voxel_size or (1.0,) * objects.ndim)
    where = np.nonzero(objects)
    heat = np.zeros(objects.shape, np.uint8)
    layers = [heat, *(np.full(objects.shape, NOWHERE, np.uint8) for _ in where)]
    if not len(where[0]):
        return layers
    _, which, sizes = np.unique(objects[where], return_inverse=True, return_counts=True)
    places = np.stack(where, axis=1)
    ways = places[_middles(places * size, which)][which] - places
    # The area of a disc, the volume of a ball.
    of_one = math.pi if objects.ndim == 2 else 4 / 3 * math.pi
    radius = (sizes * np.prod(size) / of_one) ** (1 / objects.ndim)
    away = ((ways * size) ** 2).sum(axis=1)
    near = np.exp(-away / (2 * (SPREAD * radius[which]) ** 2))
    heat[where] = np.maximum(1, np.rint(255 * near))
    for layer, way in zip(layers[1:], as_layer(ways.T.astype(np.float32)), strict=True):
        layer[where] = way
    return layers


def as_layer(ways: Floats) -> Layer:
    """Ways in 0…255; those longer than `REACH` are cut, their direction stays.

    Parameters
    ----------
    ways
        ``(axes, …)``, in voxels.
    """
    length = np.sqrt((ways**2).sum(axis=0))
    cut = np.minimum(1, np.float32(REACH) / np.maximum(length, 1e-6))
    layers: Layer = (np.rint(ways * cut * STEPS_A_VOXEL) + NOWHERE).astype(np.uint8)
    return layers


def as_ways(layers: Layer) -> Floats:
    """Ways in voxels, as float32, of what `as_layer` gives."""
    steps = layers.astype(np.float32) - np.float32(NOWHERE)
    return steps / np.float32(STEPS_A_VOXEL)


def parted(maps: Layer) -> tuple[Layer, Layer]:
    """The maps ``(M, …)`` that a model gives, as `grouping.group` takes them.

    First how likely any structure is; then either one map of depth, or heat and ways together.
    """
    return maps[0], maps[1] if len(maps) == 2 else maps[1:]


def divided_by_centres(
    labels: Labels,
    heat: Layer,
    ways: Layer,
    *,
    height: int,
    apart: float,
    min_size: int,
    voxel_size: tuple[float, ...] | None = None,
    check: Check = go_on,
) -> tuple[Labels, int]:
    """Components of the foreground, those with several centres divided among them.

    Parameters
    ----------
    labels
        ``(Y, X)`` or ``(Z, Y, X)``: components, numbered from 1 on; 0 outside.
    heat
        As large, 0…255.
    ways
        ``(axes, …)``: along the last axes if there are more than `labels` has. Maps of planes
        have none along z: in a volume each plane is then divided for itself, and what overlaps in
        neighbouring planes belongs together.
    height
        Least heat of a centre.
    apart
        Of centres nearer than this many voxels (of the smallest side), the hottest counts alone.
    min_size
        In voxels; smaller ones go to their neighbours, as long as a component has a larger one.
    voxel_size
        Of each axis, in any unit.
    check
        Called now and then; raises to stop.

    Returns
    -------
    numpy.ndarray, int
        The objects, each in one piece, and the highest number that may occur.
    """
    if len(ways) < labels.ndim:
        return _plane_by_plane(
            labels, heat, ways, height=height, apart=apart, min_size=min_size, check=check
        )
    size = np.array(voxel_size or (1.0,) * labels.ndim)
    size = size[-labels.ndim :] / size.min()
    centres = _peaks(heat, labels, height, apart, size)
    home = labels[tuple(centres.T)]
    count = int(labels.max(initial=0))
    is_shared = np.bincount(home, minlength=count + 1) > 1
    if not is_shared.any():
        return labels, count
    shared = is_shared[labels]
    check()
    nearest = _votes(shared, as_ways(ways[-labels.ndim :]), centres, size)
    check()
    # Nobody votes for the centre of another component.
    found = np.where(home[nearest] == labels, nearest + 1, 0).astype(np.int32)
    # A component that votes for none of its own has nothing to be divided by.
    shared &= (np.bincount(labels[found > 0], minlength=count + 1) > 0)[labels]
    found = _in_one_piece(np.where(shared, found, 0), labels, shared, home, min_size, check)
    whole = np.where(shared, 0, labels)
    return np.where(found > 0, found + count, whole).astype(np.int32), count + len(centres)


def _middles(places: NDArray[np.float64], which: NDArray[np.intp]) -> NDArray[np.intp]:
    """Of each group of places ``(n, axes)`` that which lies nearest to their mean."""
    sizes = np.bincount(which)
    means = [np.bincount(which, weights=axis) / sizes for axis in places.T]
    away = ((places - np.stack(means, axis=1)[which]) ** 2).sum(axis=1)
    # Equally near ones differ by rounding: the first of them.
    order = np.lexsort((np.arange(len(which)), np.round(away, 6), which))
    first: NDArray[np.intp] = order[np.cumsum(sizes) - sizes]
    return first


def _peaks(
    heat: Layer, labels: Labels, height: int, apart: float, size: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Places ``(n, axes)`` of centres in the foreground, the hottest first.

    A hot region has one, its hottest place: of a heat that is not yet sure of itself every bump is
    a local maximum, which took objects into dozens of pieces.
    """
    from scipy import spatial

    regions, count = components((heat >= height) & (labels > 0))
    if not count:
        return np.zeros((0, heat.ndim), np.intp)
    highest = np.zeros(count + 1, np.uint8)
    np.maximum.at(highest, regions.ravel(), heat.ravel())
    is_peak = (regions > 0) & (heat == highest[regions])
    places = np.argwhere(is_peak)
    places = places[_middles(places.astype(np.float64), regions[is_peak] - 1)]
    places = places[np.argsort(-heat[tuple(places.T)].astype(np.int64), kind="stable")]
    beside = spatial.cKDTree(places * size).query_pairs(apart, output_type="ndarray")
    hotter, cooler = beside.min(axis=1, initial=count), beside.max(axis=1, initial=-1)
    keep = np.ones(count, np.bool_)
    for at in np.lexsort((cooler, hotter)).tolist():
        if keep[hotter[at]]:
            keep[cooler[at]] = False
    return places[keep]


def _votes(
    voters: NDArray[np.bool_], ways: Floats, centres: NDArray[np.intp], size: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Index of the centre nearest to where each voter's way leads; 0 where nobody votes."""
    from scipy import spatial

    start = np.nonzero(voters)
    ends = np.array(voters.shape)[:, None] - 1
    place = np.stack(start).astype(np.float32)
    way = ways[:, voters]
    goes_on = np.arange(place.shape[1])
    for _ in range(_HOPS):
        place[:, goes_on] = np.clip(place[:, goes_on] + way, 0, ends)
        goes_on = goes_on[(way**2).sum(axis=0) > _FAR**2]
        if not len(goes_on):
            break
        way = ways[:, *np.rint(place[:, goes_on]).astype(np.intp)]
    # Many lead to the same place, which is looked up once.
    flat = np.ravel_multi_index(tuple(np.rint(place).astype(np.intp)), voters.shape)
    is_hit = np.zeros(voters.size, np.bool_)
    is_hit[flat] = True
    hit = np.flatnonzero(is_hit)
    nearest = np.zeros(voters.size, np.intp)
    goals = np.stack(np.unravel_index(hit, voters.shape), axis=1)
    nearest[hit] = spatial.cKDTree(centres * size).query(goals * size)[1]
    found = np.zeros(voters.shape, np.intp)
    found[start] = nearest[flat]
    return found


def _in_one_piece(
    found: Labels,
    labels: Labels,
    shared: NDArray[np.bool_],
    home: Labels,
    min_size: int,
    check: Check,
) -> Labels:
    """The largest piece of each, where it is not too small; what is left goes to neighbours.

    `home` has the component of each, ``found`` counted from 1.
    """
    pieces, count = _pieces(found)
    where = np.flatnonzero(pieces)
    piece = pieces.ravel()[where]
    owner = np.zeros(count + 1, np.int32)
    owner[piece] = found.ravel()[where]
    sizes = np.bincount(piece, minlength=count + 1)
    of_home = np.append(0, home)[owner]
    keep = _first_largest(sizes, owner) & (sizes >= min_size)
    keep |= _first_largest(sizes, of_home)  # one of each component stays, however small
    keep[0] = False
    seeds = np.where(keep[pieces], found, 0).astype(np.int32)
    # All alike deep: rings grow by one voxel at a time.
    return flood(seeds, np.zeros(labels.shape, np.uint8), shared, 1, check)


def _pieces(found: Labels) -> tuple[Labels, int]:
    """Connected pieces of one label each, numbered from 1 on, and how many."""
    from scipy import ndimage

    pieces = np.zeros(found.shape, np.int32)
    count = 0
    for number, box in enumerate(ndimage.find_objects(found), 1):
        if box is not None:
            inside = found[box] == number
            mine, more = components(inside)
            pieces[box][inside] = mine[inside] + count
            count += more
    return pieces, count


def _first_largest(sizes: NDArray[np.intp], group: Labels) -> NDArray[np.bool_]:
    """Whether something is the largest of its group, of equal ones the first."""
    order = np.lexsort((np.arange(len(sizes)), -sizes, group))
    is_first = np.ones(len(sizes), np.bool_)
    is_first[1:] = group[order][1:] != group[order][:-1]
    found = np.zeros(len(sizes), np.bool_)
    found[order[is_first]] = True
    return found


def _plane_by_plane(
    labels: Labels,
    heat: Layer,
    ways: Layer,
    *,
    height: int,
    apart: float,
    min_size: int,
    check: Check,
) -> tuple[Labels, int]:
    """Planes divided one by one, and linked."""
    from orgseg_app.core.instances.linking import LinkedPlanes

    linked = LinkedPlanes()
    found = np.zeros(labels.shape, np.int32)
    for z, plane in enumerate(labels):
        objects, _ = divided_by_centres(
            components(plane > 0)[0],
            heat[z],
            ways[:, z],
            height=height,
            apart=apart,
            min_size=min_size,
            check=check,
        )
        found[z] = linked.add(objects.astype(np.uint32))
    return found, linked.highest
