"""Measuring one image: what is asked, and what was found.

Planes are read twice, one at a time; a volume may be of any size. What needs more is said: the
skeletons of volumes need the labels of all planes (`thinning_3d.MOST_VOXELS`), exact medians every
value that occurs (`brightness.MOST_VALUES`); where that is too much they are left out with a note.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, UNLABELLED
from orgseg_app.core.measuring import thinning, thinning_3d
from orgseg_app.core.measuring.brightness import Brightness
from orgseg_app.core.measuring.crossings import Crossings
from orgseg_app.core.measuring.labelling import Labelling
from orgseg_app.core.measuring.networks import networks_of
from orgseg_app.core.measuring.roundness import flat_shapes, solid_shapes
from orgseg_app.core.measuring.sums import Runs, Sums, runs_of
from orgseg_app.core.stopping import StoppedError

Values = NDArray[np.floating[Any]]

GROUPS: dict[str, str] = {
    "shape": "Perimeter or surface, axes, roundness, Feret diameters, convex area",
    "intensity": "Brightness in each channel: mean, spread, median, extremes, sum",
    "neighbours": "Distance to the nearest object of the class, and how many objects touch",
    "network": "Skeleton: length, branches, branching points, ends; for ER, mitochondria, vessels",
}
"""What may be measured beside size and place, with a line about each."""


@dataclass(frozen=True)
class Asked:
    """What is to be measured.

    Attributes
    ----------
    groups
        Keys of `GROUPS`; size and place always are.
    background
        Also brightness above the median of the image's background class.
    corners
        Whether regions without numbers that only share a corner are one object.
    """

    groups: frozenset[str] = frozenset({"shape", "intensity", "neighbours"})
    background: bool = False
    corners: bool = True


@dataclass(frozen=True)
class ToMeasure:
    """One image.

    Attributes
    ----------
    name
        As shown.
    shape_zyx
        Of the mask.
    pixel_size_um
        ``(z, y, x)``, or None where unknown.
    classes
        Class id → name, background among them.
    read_classes
        z → ``(Y, X)`` uint8 class ids.
    read_numbers
        z → ``(Y, X)`` object numbers, 0 for none; None where nothing has a number.
    read_pixels
        z → ``(C, Y, X)``; None where there is no picture.
    channel_names
        One a channel.
    facts
        More to say of the image, by column: its split, say.
    """

    name: str
    shape_zyx: tuple[int, int, int]
    pixel_size_um: tuple[float, float, float] | None
    classes: Mapping[int, str]
    read_classes: Callable[[int], NDArray[np.uint8]]
    read_numbers: Callable[[int], NDArray[np.unsignedinteger[Any]]] | None = None
    read_pixels: Callable[[int], NDArray[np.generic]] | None = None
    channel_names: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Measured:
    """What was found; the keys are those of `columns`.

    Attributes
    ----------
    image
        What was measured.
    numbers, class_ids
        ``(n,)`` int64 of each object.
    objects
        Quantity → ``(n,)`` float64, NaN where it does not exist.
    class_rows
        Ids of the classes that there is a row of, background among them where it is painted.
    classes
        Quantity → one float64 a row.
    places_zyx
        ``(n, 3)`` float64, the centroid in voxels.
    notes
        Sentences about what was left out.
    """

    image: ToMeasure
    numbers: NDArray[np.int64]
    class_ids: NDArray[np.int64]
    objects: dict[str, Values] = field(default_factory=dict)
    class_rows: list[int] = field(default_factory=list)
    classes: dict[str, Values] = field(default_factory=dict)
    places_zyx: Values = field(default_factory=lambda: np.zeros((0, 3)))
    notes: list[str] = field(default_factory=list)

    @property
    def is_volume(self) -> bool:
        """Whether there are several planes."""
        return self.image.shape_zyx[0] > 1

    @property
    def is_physical(self) -> bool:
        """Whether figures are in micrometres."""
        return self.image.pixel_size_um is not None


def measure(
    image: ToMeasure,
    asked: Asked,
    *,
    progress: Callable[[int, int], bool] = lambda done, total: True,
) -> Measured:
    """Measure the objects and classes of an image.

    Parameters
    ----------
    progress
        Called with steps done and in all; False gives up.

    Raises
    ------
    StoppedError
        When given up.
    """
    return _Measuring(image, asked, progress).measured()


class _Measuring:
    """The work on one image."""

    def __init__(
        self, image: ToMeasure, asked: Asked, progress: Callable[[int, int], bool]
    ) -> None:
        self.image, self.asked, self._progress = image, asked, progress
        self.depth = image.shape_zyx[0]
        self.spacing = image.pixel_size_um or (1.0, 1.0, 1.0)
        self._steps = 2 * self.depth + 2
        self._done = 0
        self._planes: dict[int, Any] = {}
        self.voxels_of_class = np.zeros(256, np.int64)
        self.notes: list[str] = []

    def measured(self) -> Measured:
        labelling = Labelling(corners=self.asked.corners)
        for z in range(self.depth):
            self._step()
            classes, numbers = self._read(z)
            self.voxels_of_class += np.bincount(classes.ravel(), minlength=256)
            labelling.look(classes, numbers)
        labelling.finish()
        found = Measured(self.image, labelling.numbers, labelling.class_ids)
        self._labelling, self._found = labelling, found
        rows = [int(i) for i in np.flatnonzero(self.voxels_of_class) if i != UNLABELLED]
        found.class_rows = sorted({*rows, *(labelling.class_ids[labelling.class_ids > 0].tolist())})
        self._second_time()
        found.notes = self.notes
        return found

    # -- planes ----------------------------------------------------------------------------------

    def _second_time(self) -> None:
        image, count = self.image, self._labelling.count
        has = self.asked.groups
        in_3d = self.depth > 1
        sums = Sums(count)
        crossings = (
            Crossings(count, in_3d=in_3d, touching="neighbours" in has)
            if has & {"shape", "neighbours"}
            else None
        )
        channels = self._channels(count) if "intensity" in has else []
        keeps = "network" in has and math.prod(image.shape_zyx) <= thinning_3d.MOST_VOXELS
        if "network" in has and not keeps and in_3d:
            self.notes.append(
                f"“{image.name}” is too large for skeletons: more than "
                f"{thinning_3d.MOST_VOXELS // 10**6} million voxels."
            )
        kept = np.zeros(image.shape_zyx, np.int32) if keeps or not in_3d else None
        in_objects = np.zeros(256, np.int64)
        runs: Runs | None = None
        for z in range(self.depth):
            self._step()
            classes, numbers = self._read(z)
            labels = self._labelling.labels(classes, numbers)
            runs = runs_of(labels)
            sums.add(z, runs)
            in_objects += np.bincount(classes[labels > 0], minlength=256)
            if crossings is not None:
                crossings.add(labels)
            if channels and image.read_pixels is not None:
                planes = image.read_pixels(z)
                for (objects, of_classes), values in zip(channels, planes, strict=True):
                    objects.add(labels, values)
                    of_classes.add(classes, values)
            if kept is not None:
                kept[z] = labels
        if crossings is not None:
            crossings.finish()
        self._sizes(sums, in_objects)
        if "shape" in has and crossings is not None:
            edges = crossings.edges(self.spacing)
            if in_3d:
                self._found.objects |= solid_shapes(sums, edges, self.spacing)
            elif runs is not None:
                self._found.objects |= flat_shapes(
                    sums, edges, runs, self.spacing, goes_on=self._goes_on
                )
        if "neighbours" in has and crossings is not None:
            self._found.objects["touching"] = crossings.neighbours().astype(np.float64)
            self._found.objects["nearest"] = self._nearest(sums)
        self._step()
        if "network" in has and kept is not None:
            self._network(kept)
        self._step()
        self._brightness(channels)

    def _read(self, z: int) -> tuple[NDArray[np.uint8], Any]:
        if z not in self._planes:
            numbers = None if self.image.read_numbers is None else self.image.read_numbers(z)
            self._planes = {z: (self.image.read_classes(z), numbers)}
        classes, numbers = self._planes[z]
        return classes, numbers

    def _step(self) -> None:
        if not self._progress(self._done, self._steps):
            raise StoppedError
        self._done += 1

    def _goes_on(self) -> bool:
        return self._progress(self._done, self._steps)

    # -- quantities ------------------------------------------------------------------------------

    def _sizes(self, sums: Sums, in_objects: NDArray[np.int64]) -> None:
        image, found = self.image, self._found
        sizes = self.spacing if self.depth > 1 else self.spacing[1:]
        voxel = math.prod(sizes)
        spacing = np.array(self.spacing)
        centroids = sums.centroids()
        found.places_zyx = centroids
        cut = sums.are_cut(image.shape_zyx)
        found.objects |= {
            "voxels": sums.voxels.astype(np.float64),
            "size": sums.voxels * voxel,
            "cut": cut.astype(np.float64),
        }
        for axis, letter in enumerate("zyx"):
            found.objects[f"centroid_{letter}"] = centroids[:, axis] * spacing[axis]
        for axis, letter in enumerate("zyx"):
            found.objects[f"{letter}_from"] = sums.low[:, axis].astype(np.float64)
            found.objects[f"{letter}_to"] = sums.high[:, axis].astype(np.float64)
        rows = np.array(found.class_rows, np.int64)
        of_class = self.voxels_of_class[rows].astype(np.float64)
        labelled = float(self.voxels_of_class.sum() - self.voxels_of_class[UNLABELLED])
        everything = float(math.prod(image.shape_zyx))
        counts = np.array([(found.class_ids == i).sum() for i in rows], np.float64)
        is_object = rows > BACKGROUND
        nothing = np.full(len(rows), np.nan)
        found.classes |= {
            "image_size": np.full(len(rows), everything * voxel),
            "labelled_size": np.full(len(rows), labelled * voxel),
            "labelled_share": np.full(len(rows), labelled / everything),
            "voxels": of_class,
            "size": of_class * voxel,
            "share": of_class / max(labelled, 1.0),
            "objects": np.where(is_object, counts, np.nan),
            "cut": self._by_class(found.objects["cut"]),
            "outside_objects": np.where(is_object, (of_class - in_objects[rows]) * voxel, np.nan),
            "mean_size": self._by_class(found.objects["size"], np.mean),
            "median_size": self._by_class(found.objects["size"], np.median),
            "density": np.where(is_object, counts / max(labelled * voxel, 1e-300), np.nan)
            * (1e6 if self.depth == 1 else 1e9)
            if found.is_physical
            else nothing,
        }

    def _by_class(self, values: Values, how: Callable[[Values], Any] = np.sum) -> Values:
        """One figure of each class with objects, NaN of the others."""
        ids = self._found.class_ids
        return np.array(
            [
                float(how(values[ids == i]))
                if (ids == i).any()
                else (0.0 if how is np.sum else np.nan)
                if i > BACKGROUND
                else np.nan
                for i in self._found.class_rows
            ]
        )

    def _nearest(self, sums: Sums) -> Values:
        from scipy.spatial import cKDTree

        found = np.full(len(sums.voxels), np.nan)
        places = sums.centroids() * np.array(self.spacing)
        for class_id in np.unique(self._found.class_ids):
            which = np.flatnonzero(self._found.class_ids == class_id)
            if len(which) > 1:
                distances, _ = cKDTree(places[which]).query(places[which], k=2)
                found[which] = distances[:, 1]
        return found

    def _network(self, labels: NDArray[np.int32]) -> None:
        found = self._found
        if self.depth == 1:
            skeleton = thinning.thinned(labels[0], goes_on=self._goes_on)[None]
        else:
            skeleton = thinning_3d.thinned_volume(labels, goes_on=self._goes_on)
        of = networks_of(skeleton, len(found.numbers), self.spacing)
        found.objects |= {
            "skeleton_length": of.lengths,
            "branches": of.branches.astype(np.float64),
            "branch_points": of.branch_points.astype(np.float64),
            "end_points": of.ends.astype(np.float64),
        }
        for key in ("skeleton_length", "branches", "branch_points", "end_points"):
            found.classes[key] = self._by_class(found.objects[key])
        labelled = found.classes["labelled_size"]
        if found.is_physical and len(labelled):
            found.classes["skeleton_density"] = found.classes["skeleton_length"] / labelled

    # -- brightness ------------------------------------------------------------------------------

    def _channels(self, count: int) -> list[tuple[Brightness, Brightness]]:
        """Of each channel, that of the objects and that of the classes."""
        if self.image.read_pixels is None:
            return []
        return [(Brightness(count), Brightness(255)) for _ in self.image.channel_names]

    def _brightness(self, channels: list[tuple[Brightness, Brightness]]) -> None:
        found = self._found
        rows = np.array(found.class_rows, np.int64) - 1
        for number, (objects, of_classes) in enumerate(channels):
            medians = of_classes.medians()
            for key, values in _figures(objects, objects.medians()).items():
                found.objects[f"{key}:{number}"] = values
            for key, values in _figures(of_classes, medians).items():
                found.classes[f"{key}:{number}"] = values[rows]
            if not (objects.has_medians and of_classes.has_medians):
                self.notes.append(
                    f"“{self.image.name}” has too many different values for medians of "
                    f"{self.image.channel_names[number]}; they were left out."
                )
            if self.asked.background:
                self._above_background(number, objects, float(medians[BACKGROUND - 1]))

    def _above_background(self, number: int, objects: Brightness, level: float) -> None:
        found = self._found.objects
        if math.isnan(level):
            self.notes.append(
                f"“{self.image.name}” has no voxels of the class background, so nothing was "
                "measured above it: unlabelled voxels may be anything."
            )
        found[f"mean_above:{number}"] = objects.means - level
        found[f"sum_above:{number}"] = objects.sums() - level * objects.voxels


def _figures(of: Brightness, medians: Values) -> dict[str, Values]:
    empty = of.voxels == 0
    return {
        "mean": of.means,
        "sd": of.deviations(),
        "median": medians,
        "min": of.lowest,
        "max": of.highest,
        "sum": np.where(empty, np.nan, of.sums()),
    }
