"""Edits that carry what is painted from plane to plane."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, UNLABELLED
from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.mask import BLOCK, Mask, Plane
from orgseg_app.core.objects import Numbers, are_equal
from orgseg_app.core.painting import interpolation
from orgseg_app.core.stopping import StoppedError

Piece = tuple[int, int, int, Plane]
"""Plane, corner, and ``(h, w)`` class ids."""

INTERPOLATE = "interpolate"

_READY = 10  # planes that could be worked out in the time that getting ready for them takes


@dataclass(frozen=True)
class CopyPlane:
    """What is painted on one plane, once more on another; objects go on there.

    Attributes
    ----------
    source, target
        Planes.
    class_id
        The only class that is copied; None for all of them.
    replace
        The target looks as the source does afterwards, in that class or in all; otherwise only its
        unlabelled voxels are painted.
    protect
        Leave other classes of the target alone even so.
    """

    source: int
    target: int
    class_id: int | None = None
    replace: bool = False
    protect: bool = False

    @property
    def title(self) -> str:
        """Copy."""
        return "copy plane" if self.class_id is None else "copy class"

    def apply(self, recorder: Recorder) -> None:
        """Go through the blocks that either plane has."""
        mask = recorder.mask
        depth = mask.shape[0]
        if self.source == self.target or not 0 <= self.source < depth > self.target >= 0:
            return
        places = {(by, bx) for z, by, bx in mask.block_indices() if z in (self.source, self.target)}
        nothing = np.zeros((BLOCK, BLOCK), np.uint8)
        for by, bx in sorted(places):
            there = mask.block((self.source, by, bx))
            here = mask.block((self.target, by, bx))
            old = nothing if here is None else here
            source = nothing if there is None else there
            new, copied = self._merged(old, source)
            there_numbers = mask.objects.block((self.source, by, bx))
            here_numbers = mask.objects.block((self.target, by, bx))
            numbers = None
            if there_numbers is not None or here_numbers is not None:
                none = np.zeros((BLOCK, BLOCK), np.uint32)
                numbers = np.where(
                    copied,
                    none if there_numbers is None else there_numbers,
                    none if here_numbers is None else here_numbers,
                )
            if not np.array_equal(old, new) or not are_equal(numbers, here_numbers):
                recorder.put(self.target, by * BLOCK, bx * BLOCK, new, numbers)

    def _merged(self, here: Plane, there: Plane) -> tuple[Plane, NDArray[np.bool_]]:
        """A block of the target as it shall be, and where it comes from the source."""
        new = here.copy()
        if self.class_id is None:
            where = there != UNLABELLED
            if self.replace and not self.protect:
                return there.copy(), np.ones_like(where)
        else:
            where = there == self.class_id
            if self.replace:
                new[(here == self.class_id) & ~where] = UNLABELLED
        if self.protect or not self.replace:
            where &= here == UNLABELLED
        new[where] = there[where]
        return new, where


@dataclass(frozen=True)
class FillUnlabelled:
    """Class ids worked out beforehand, put only where nothing is painted.

    They belong to the objects that the nearest painted planes have there, or to the nearest of the
    same class.

    Attributes
    ----------
    pieces
        Where they go; what is 0 in them stays unlabelled.
    """

    pieces: tuple[Piece, ...]
    name: str = INTERPOLATE

    @property
    def title(self) -> str:
        """What is being done."""
        return self.name

    def apply(self, recorder: Recorder) -> None:
        """Write the blocks that differ."""
        painted = recorder.mask.objects.planes()
        for z, y0, x0, values in self.pieces:
            y1, x1 = y0 + values.shape[0], x0 + values.shape[1]
            around = [max((p for p in painted if p < z), default=-1)]
            around.append(min((p for p in painted if p > z), default=-1))
            ends = [p for p in around if p >= 0]
            found = _continued(recorder.mask, ends, y0, x0, values) if ends else None
            for _, _, region in recorder.mask.overlaps(z, y0, x0, y1, x1):
                ya, xa = y0 + region[0].start, x0 + region[1].start
                part = values[region]
                old = recorder.mask.read(z, ya, xa, ya + part.shape[0], xa + part.shape[1])
                new = np.where(old == UNLABELLED, part, old)
                if not np.array_equal(old, new):
                    numbers = None
                    if found is not None:
                        there = recorder.mask.objects.read(
                            z, ya, xa, ya + part.shape[0], xa + part.shape[1]
                        )
                        numbers = np.where(old == UNLABELLED, found[region], there)
                    recorder.put(z, ya, xa, new, numbers)


def _continued(mask: Mask, ends: Iterable[int], y0: int, x0: int, values: Plane) -> Numbers:
    """Object numbers ``(h, w)`` of class ids between planes: what goes on from one to the other."""
    from scipy import ndimage  # not before it is needed: the window starts without it

    y1, x1 = y0 + values.shape[0], x0 + values.shape[1]
    numbers = np.zeros(values.shape, np.uint32)
    for z in ends:
        there, classes = mask.objects.read(z, y0, x0, y1, x1), mask.read(z, y0, x0, y1, x1)
        np.copyto(numbers, there, where=(numbers == 0) & (classes == values))
    for class_id in np.unique(values[(numbers == 0) & (values > BACKGROUND)]):
        here = values == class_id
        known = here & (numbers > 0)
        if known.any():
            nearest = ndimage.distance_transform_edt(
                ~known, return_distances=False, return_indices=True
            )
            np.copyto(numbers, numbers[tuple(nearest)], where=here)
    return numbers


@dataclass(frozen=True)
class Interpolate:
    """Planes between painted ones, as in `interpolation.Between`; what is painted there stays.

    Attributes
    ----------
    gaps
        Pairs of planes; those between them are filled.
    only
        The planes to fill; None for all between them.
    """

    gaps: tuple[tuple[int, int], ...]
    only: tuple[int, ...] | None = None

    @property
    def title(self) -> str:
        """Interpolate."""
        return INTERPOLATE

    def apply(self, recorder: Recorder) -> None:
        """Work the planes out and fill them."""
        FillUnlabelled(tuple(self.pieces(recorder.mask)), self.title).apply(recorder)

    def pieces(
        self, mask: Mask, report: Callable[[int, int], bool] = lambda done, total: True
    ) -> Iterator[Piece]:
        """The planes one after the other, each in pieces.

        Parameters
        ----------
        report
            Told how far it is, in hundredths of a plane; getting ready for the planes of a gap
            counts as `_READY` planes. It ends early where that returns false.
        """
        wanted = [
            (a, b, planes)
            for a, b in self.gaps
            if (planes := [z for z in range(a + 1, b) if self.only is None or z in self.only])
        ]
        total = sum(_READY + len(planes) for *_, planes in wanted)
        done = 0

        def go_on(share: float) -> None:
            if not report(round(100 * (done + _READY * share)), 100 * total):
                raise StoppedError

        try:
            for a, b, planes in wanted:
                between = interpolation.Between(mask.plane(a), mask.plane(b), go_on)
                done += _READY
                for z in planes:
                    go_on(0)
                    for part in between.parts((z - a) / (b - a)):
                        yield z, *part
                    done += 1
        except StoppedError:
            return


def whole_gaps(mask: Mask) -> Interpolate | None:
    """Every plane without paint between two painted ones; None where there is none."""
    found = interpolation.gaps(mask.planes())
    return Interpolate(tuple(found)) if found else None


def one_plane(mask: Mask, z: int) -> Interpolate | None:
    """What is unlabelled on a plane, from the next painted ones on both sides; None without."""
    painted = mask.planes()
    below, above = [p for p in painted if p < z], [p for p in painted if p > z]
    return Interpolate(((below[-1], above[0]),), (z,)) if below and above else None


def seen_from(mask: Mask, planes: Iterable[int]) -> Mask:
    """Some planes of a mask, for another thread to read: its blocks are those of the mask.

    Painting goes on in them meanwhile, but none comes or goes.
    """
    wanted, seen = set(planes), Mask(mask.shape)
    seen.share(mask, wanted)
    seen.objects.share(mask.objects, wanted)
    return seen
