"""Edits that carry what is painted from plane to plane."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.mask import BLOCK, Mask, Plane
from orgseg_app.core.painting import interpolation
from orgseg_app.core.stopping import StoppedError

Piece = tuple[int, int, int, Plane]
"""Plane, corner, and ``(h, w)`` class ids."""

INTERPOLATE = "interpolate"

_READY = 10  # planes that could be worked out in the time that getting ready for them takes


@dataclass(frozen=True)
class CopyPlane:
    """What is painted on one plane, once more on another.

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
            new = self._merged(old, nothing if there is None else there)
            if not np.array_equal(old, new):
                recorder.put(self.target, by * BLOCK, bx * BLOCK, new)

    def _merged(self, here: Plane, there: Plane) -> Plane:
        """A block of the target as it shall be."""
        new = here.copy()
        if self.class_id is None:
            where = there != UNLABELLED
            if self.replace and not self.protect:
                return there.copy()
        else:
            where = there == self.class_id
            if self.replace:
                new[(here == self.class_id) & ~where] = UNLABELLED
        if self.protect or not self.replace:
            where &= here == UNLABELLED
        new[where] = there[where]
        return new


@dataclass(frozen=True)
class FillUnlabelled:
    """Class ids worked out beforehand, put only where nothing is painted.

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
        for z, y0, x0, values in self.pieces:
            y1, x1 = y0 + values.shape[0], x0 + values.shape[1]
            for _, _, region in recorder.mask.overlaps(z, y0, x0, y1, x1):
                ya, xa = y0 + region[0].start, x0 + region[1].start
                part = values[region]
                old = recorder.mask.read(z, ya, xa, ya + part.shape[0], xa + part.shape[1])
                new = np.where(old == UNLABELLED, part, old)
                if not np.array_equal(old, new):
                    recorder.put(z, ya, xa, new)


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
    for index in mask.block_indices():
        if index[0] in wanted:
            seen.replace_block(index, mask.block(index))
    return seen
