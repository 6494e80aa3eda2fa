"""What differs between a project now and a backup: numbers first, pictures of it on request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from orgseg_app.core.mask import BLOCK, Box, Mask, Plane
from orgseg_app.core.ready import ready_change
from orgseg_app.files.backups import backing_up
from orgseg_app.files.backups.backup import Backup, opened_backup, read_mask, read_thumbnail
from orgseg_app.files.backups.matching import ClassMap, Match, map_classes, match_images
from orgseg_app.files.errors import FileError
from orgseg_app.files.images import layers
from orgseg_app.files.safety.audit import DAMAGE

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

SIDE = 256
"""Longer side of a preview's masks, at the most."""

ROOM = 192
"""A preview shows at least this many voxels a side, where the image has them …"""

WIDEST = 2048
"""… and at most this many, which is what is read of the image."""


@dataclass(frozen=True)
class Difference:
    """One image now and in a backup.

    Attributes
    ----------
    match
        Which image.
    name
        As the project calls it, or did.
    now, then
        Painted voxels of each class, in the project's class ids.
    is_same
        The annotation is the same, voxel by voxel.
    """

    match: Match
    name: str
    now: dict[int, int]
    then: dict[int, int]
    is_same: bool

    @property
    def is_classes_only(self) -> bool:
        """Whether a look at the classes of all voxels says everything about the backup's image."""
        return not {"objects", "weights"} & set(self.match.source.layers)

    @property
    def gained(self) -> dict[int, int]:
        """Voxels of each class that restoring would add (below 0: take away)."""
        ids = sorted({*self.now, *self.then})
        return {i: self.then.get(i, 0) - self.now.get(i, 0) for i in ids}


def current_digests(
    project_file: ProjectFile, progress: Callable[[int, int], bool] = lambda done, total: True
) -> dict[str, str]:
    """Fingerprints of all masks and objects; "" for those that are not saved. Any thread.

    Parameters
    ----------
    progress
        Called with images done and in all; False stops, and the rest is left out.
    """
    found: dict[str, str] = {}
    unsaved = project_file.unsaved_images
    image_ids = list(project_file.project.images)
    for image_id in image_ids:
        if not progress(len(found), len(image_ids)):
            break
        if image_id in unsaved:
            found[image_id] = ""
            continue
        try:
            found[image_id] = backing_up.annotation_digest(project_file.reading, image_id)
        except (FileError, *DAMAGE):
            found[image_id] = ""
    return found


def differences(
    project_file: ProjectFile, backup: Backup, digests: Mapping[str, str]
) -> list[Difference]:
    """Compare a project with a backup, image by image.

    Voxels are read only where as many are painted and the fingerprint is another: blocks that were
    painted and erased again, say, or a mask that is not saved yet.
    """
    project = project_file.project
    classes = map_classes(project.classes, backup.classes, backup.voxels)
    found: list[Difference] = []
    doubtful = []
    for match in match_images(project, backup):
        source = match.source
        image = project.images.get(match.image_id)
        if image is None:
            found.append(Difference(match, source.name, {}, classes.counts(source.counts), False))
            continue
        now = project_file.counts(image.image_id)
        then = classes.counts(source.counts)
        same = bool(source.annotation) and digests.get(image.image_id) == source.annotation
        is_moved = any(int(classes.table[i]) != i for i in source.counts)
        difference = Difference(match, image.name, now, then, same and not is_moved)
        if not same and now == then and difference.is_classes_only and not source.damaged:
            doubtful.append(len(found))
        found.append(difference)
    if doubtful:
        with opened_backup(backup.path) as file:
            for number in doubtful:
                found[number] = _looked_at(project_file, file, classes, found[number])
    return found


def _looked_at(
    project_file: ProjectFile, file: Any, classes: ClassMap, difference: Difference
) -> Difference:
    """Compare voxel by voxel."""
    try:
        then = classes.apply(read_mask(file, difference.match.source.image_id))
        now = project_file.load_mask(difference.match.image_id)
    except FileError:
        return difference
    indices = {*now.block_indices(), *then.block_indices()}
    ready = None if now.damaged else ready_change("", "", now, then, indices)
    return replace(difference, is_same=not now.damaged and ready is None)


@dataclass(frozen=True)
class Preview:
    """The place of an image where most has changed, now and then.

    Attributes
    ----------
    box
        The voxels shown: a square of one plane.
    picture
        The image there, ``(h, w)`` or ``(h, w, 3)`` uint8; None where it cannot be read.
    now, then
        Class ids of the project, ``(h, w)`` each; their size is another than the picture's.
    changed
        Voxels in the whole image that would be another class.
    """

    box: Box
    picture: Plane | None
    now: Plane
    then: Plane
    changed: int


def preview(project_file: ProjectFile, backup: Backup, difference: Difference) -> Preview:
    """Show one image now and in a backup. Reads both masks; any thread but the window's.

    Raises
    ------
    FileError
        When the backup cannot be read there.
    """
    source, image_id = difference.match.source, difference.match.image_id
    project = project_file.project
    classes = map_classes(project.classes, backup.classes, backup.voxels)
    with opened_backup(backup.path) as file:
        then = classes.apply(read_mask(file, source.image_id))
        small = read_thumbnail(file, source.image_id)
    now = project_file.load_mask(image_id) if image_id else Mask(then.shape)
    changed, box = _most_changed(now, then)
    _, height, width = then.shape
    is_whole_middle = box.z0 == then.shape[0] // 2 and _covers(box, (height, width))
    picture = small if is_whole_middle else None
    if picture is None and image_id:
        try:
            facts = project.images[image_id]
            part = project_file.read_region(image_id, *box[:3], box.y1, box.x1)
            picture = layers.thumbnail(part, is_rgb=facts.is_rgb)
        except (FileError, IndexError):
            picture = None
    return Preview(box, picture, _sampled(now, box), _sampled(then, box), changed)


def _most_changed(now: Mask, then: Mask) -> tuple[int, Box]:
    """How many voxels differ in all, and a square round most of those of one plane."""
    nothing = np.zeros((BLOCK, BLOCK), np.uint8)
    counts: dict[int, int] = {}
    places: dict[int, list[tuple[int, int, int, Box]]] = {}
    for z, by, bx in sorted({*now.block_indices(), *then.block_indices()}):
        a, b = now.block((z, by, bx)), then.block((z, by, bx))
        differs = (nothing if a is None else a) != (nothing if b is None else b)
        count = int(np.count_nonzero(differs))
        if count:
            rows, columns = np.flatnonzero(differs.any(1)), np.flatnonzero(differs.any(0))
            y0, x0 = by * BLOCK, bx * BLOCK
            found = Box(
                z, y0 + int(rows[0]), x0 + int(columns[0]),
                z + 1, y0 + int(rows[-1]) + 1, x0 + int(columns[-1]) + 1,
            )  # fmt: skip
            counts[z] = counts.get(z, 0) + count
            places.setdefault(z, []).append((count, by, bx, found))
    depth, height, width = then.shape
    if not counts:
        painted = then.planes()
        z = painted[len(painted) // 2] if painted else depth // 2
        return 0, _square(Box(z, 0, 0, z + 1, height, width), (height, width))
    z = max(counts, key=lambda plane: counts[plane])
    whole = places[z][0][3]
    for _, _, _, found in places[z]:
        whole = whole.union(found)
    if max(whole.y1 - whole.y0, whole.x1 - whole.x0) > WIDEST:
        whole = max(places[z])[3]  # too far apart for one picture: the block with most of it
    return sum(counts.values()), _square(whole, (height, width))


def _square(box: Box, size: tuple[int, int]) -> Box:
    """A square round a box with some room, inside the plane where it fits."""
    side = max(box.y1 - box.y0, box.x1 - box.x0)
    side = min(max(ROOM, side + side // 4), WIDEST)
    edges = []
    for low, high, length in ((box.y0, box.y1, size[0]), (box.x0, box.x1, size[1])):
        wanted = min(side, length)
        start = max(0, min((low + high - wanted) // 2, length - wanted))
        edges.append((start, start + wanted))
    (y0, y1), (x0, x1) = edges
    return Box(box.z0, y0, x0, box.z1, y1, x1)


def _covers(box: Box, size: tuple[int, int]) -> bool:
    return (box.y0, box.x0) == (0, 0) and (box.y1, box.x1) == size


def _sampled(mask: Mask, box: Box) -> Plane:
    height, width = box.y1 - box.y0, box.x1 - box.x0
    step = max(1.0, max(height, width) / SIDE)
    rows = box.y0 + (np.arange(0, height / step) * step + step / 2).astype(np.intp)
    columns = box.x0 + (np.arange(0, width / step) * step + step / 2).astype(np.intp)
    return mask.sample(box.z0, rows[rows < box.y1], columns[columns < box.x1])
