"""Preprocessing of one part of a plane that is too large to be prepared as a whole.

What a step has to know of the whole plane (percentiles, mean, the histograms of local contrast) is
learnt from a sample of its voxels; the first step can count all of them as they are read. Then any
part of the plane can be prepared by itself, with as much around it as the steps look at.

A sample is every n-th voxel both ways. Where a step looks at voxels side by side and something is
to be learnt from what it makes of them (a percentile after smoothing, how strong the noise is),
squares spread over the plane are read instead, if they can be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.preprocessing.clahe import Equalisation, padded
from orgseg_app.core.preprocessing.part import (
    Box,
    Fitted,
    FloatPlane,
    Params,
    Place,
    Sample,
)
from orgseg_app.core.preprocessing.steps import (
    PREPROCESSING,
    Step,
    complete_params,
    of_channels,
)

MOST_COUNTED = 16
"""Regions along a side whose values are all counted: more would take hundreds of megabytes."""

SQUARES = 8
"""Along each side of a plane, where squares of it are looked at; as many as CLAHE has regions."""

SQUARE = 256
"""Their side, in voxels."""

STRIP = 128
"""Rows between two looks at whether a step is still wanted; more where the step looks far."""

Read = Callable[[int, int, int, int], NDArray[Any] | None]
"""``(y0, x0, y1, x1) -> (C, h, w)``; None where it cannot be had in parts."""


class FittedSteps:
    """The steps of a recipe with what they have learnt of a plane.

    Fitted to all voxels of a plane it does to them what `steps.apply_steps` does.

    Parameters
    ----------
    sample_cyx
        ``(C, Y, X)``, uint8, uint16 or float32: every n-th voxel of the plane in both directions.
    steps
        In order; see `steps.apply_steps`.
    whole_yx
        Height and width of the plane; those of the sample by default.
    first
        The first step of each channel where it has been learnt from all voxels.
    check
        Called before each step of each channel; raises to give up.
    read
        Reads a part of the plane; None when that cannot be done.

    Raises
    ------
    ValueError
        For an unknown step, a parameter out of range, or a reference learnt from images with
        another number of channels.
    """

    def __init__(
        self,
        sample_cyx: NDArray[Any],
        steps: Sequence[Step],
        *,
        whole_yx: tuple[int, int] | None = None,
        first: Sequence[Fitted] = (),
        check: Callable[[], object] = lambda: None,
        read: Read | None = None,
    ) -> None:
        height, width = sample_cyx.shape[1:]
        self._size = whole_yx or (height, width)
        self._steps, self._check = steps, check
        self._params = [complete_params(step.name, step.params) for step in steps]
        references = [of_channels(step.reference, len(sample_cyx)) for step in steps]
        place = Place(0, 0, (height, width), self._size[0] / height)
        parts, places = [sample_cyx], [place]
        if self._size != (height, width) and read is not None and looks_around(steps):
            parts, places = self._squares(read) or (parts, places)
        self._channels: list[list[Fitted]] = []
        for c in range(len(sample_cyx)):
            self._channels.append(
                self._fitted(
                    Sample([part[c] for part in parts], places, self._size),
                    [of_step[c] for of_step in references],
                    first[c : c + 1],
                )
            )

    def _fitted(
        self, sample: Sample, references: Sequence[Sequence[float]], first: Sequence[Fitted]
    ) -> list[Fitted]:
        """The steps of one channel."""
        fitted = list(first)
        for n in range(len(first), len(self._steps)):
            self._check()
            if n and any(PREPROCESSING[step.name].learns for step in self._steps[n:]):
                sample = _after(fitted[-1], sample, self._check)
            spec = PREPROCESSING[self._steps[n].name]
            fitted.append(spec.fit(sample, self._params[n], references[n]))
        return fitted

    def _squares(self, read: Read) -> tuple[list[NDArray[Any]], list[Place]] | None:
        """Squares of the plane, with as much around them as the steps look at."""
        height, width = self._size
        reach = sum(
            _reach(step.name, params)
            for step, params in zip(self._steps, self._params, strict=True)
        )
        parts, places = [], []
        whole = Place(0, 0, self._size)
        for row in range(SQUARES):
            for column in range(SQUARES):
                self._check()
                y = max(0, round((row + 0.5) * height / SQUARES - SQUARE / 2))
                x = max(0, round((column + 0.5) * width / SQUARES - SQUARE / 2))
                box = y, x, min(y + SQUARE, height), min(x + SQUARE, width)
                y0, x0, y1, x1 = whole.grown(box, reach)
                part = read(y0, x0, y1, x1)
                if part is None:
                    return None
                parts.append(part)
                places.append(Place(y0, x0, self._size))
        return parts, places

    @property
    def size_bytes(self) -> int:
        """What was learnt takes so much memory."""
        return sum(step.size_bytes for channel in self._channels for step in channel)

    @property
    def reach(self) -> int:
        """So far around a voxel the steps look, in voxels of the plane."""
        return max((sum(step.reach for step in channel) for channel in self._channels), default=0)

    def of(self, part: NDArray[Any], y0: int, x0: int, whole_yx: tuple[int, int]) -> FloatPlane:
        """Part of the plane as the network gets it, right from `reach` off its edges on.

        Where the part ends with the plane, it is right up to there; see `box`.

        Parameters
        ----------
        part
            ``(C, h, w)`` of the plane, or of a smaller version of it.
        y0, x0
            Where it begins.
        whole_yx
            Height and width of what it is a part of.

        Returns
        -------
        float32 (C, h, w)
        """
        place = Place(y0, x0, whole_yx, self._size[0] / whole_yx[0])
        out = np.empty(part.shape, np.float32)
        for c, fitted in enumerate(self._channels):
            values = part[c]
            for step in fitted:
                values = step.of(values, place)
            out[c] = values
        return np.nan_to_num(out, copy=False, nan=0.0, posinf=0.0, neginf=0.0)

    def box(self, read: Read, box: Box, whole_yx: tuple[int, int]) -> FloatPlane | None:
        """A box of the plane, or of a smaller version, right to its edges.

        Parameters
        ----------
        read
            Reads a part of what the box lies in; it is asked for as much more as the steps look at.
        box
            ``y0, x0, y1, x1``.
        whole_yx
            Height and width of what it lies in.

        Returns
        -------
        float32 (C, h, w) or None
            None where `read` gives none.
        """
        place = Place(0, 0, whole_yx, self._size[0] / whole_yx[0])
        y0, x0, y1, x1 = place.grown(box, _smaller(self.reach, place))
        part = read(y0, x0, y1, x1)
        if part is None:
            return None
        done = self.of(part, y0, x0, whole_yx)
        return done[:, box[0] - y0 : box[2] - y0, box[1] - x0 : box[3] - x0]


def looks_around(steps: Sequence[Step]) -> bool:
    """Whether something is learnt from voxels side by side, or from what a local step makes."""
    is_local = False
    for step in steps:
        spec = PREPROCESSING[step.name]
        if spec.learns == "surroundings" or (is_local and spec.learns):
            return True
        is_local = is_local or spec.is_local
    return False


def prepare_channel(
    channel: NDArray[Any],
    steps: Sequence[Step],
    references: Sequence[Sequence[float]],
    report: Callable[[float], object],
) -> FloatPlane:
    """A whole channel ``(Y, X)`` as `steps.apply_steps` prepares it, in strips.

    Parameters
    ----------
    references
        Of each step, what belongs to this channel; see `steps.of_channels`.
    report
        Called again and again with the share that is done, 0…1; raises to give up.
    """
    place = Place(0, 0, (channel.shape[0], channel.shape[1]))
    values: NDArray[Any] = channel
    for n, (step, reference) in enumerate(zip(steps, references, strict=True)):
        report(n / len(steps))
        spec = PREPROCESSING[step.name]
        params = complete_params(step.name, step.params)
        if spec.whole is not None:
            values = spec.whole(values[None], params)[0]
            continue
        fitted = spec.fit(Sample([values], [place], place.whole_yx), params, reference)
        out: FloatPlane = np.empty(channel.shape, np.float32)
        rows = max(STRIP, 2 * fitted.reach)
        for y in range(0, len(out), rows):
            report((n + y / len(out)) / len(steps))
            box = y, 0, min(y + rows, len(out)), out.shape[1]
            y0, _, y1, _ = place.grown(box, fitted.reach)
            done = fitted.of(values[y0:y1], Place(y0, 0, place.whole_yx))
            out[y : box[2]] = done[y - y0 : box[2] - y0]
        values = out
    if not steps:
        values = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return values


def _reach(name: str, params: Params) -> int:
    """Of a step that has not been fitted yet: no reach depends on what is learnt."""
    if not PREPROCESSING[name].is_local:
        return 0
    empty = np.zeros((2, 2), np.uint8)
    return PREPROCESSING[name].fit(Sample([empty], [Place(0, 0, (2, 2))], (2, 2)), params, ()).reach


def _after(step: Fitted, sample: Sample, check: Callable[[], object]) -> Sample:
    """A sample as a step leaves it, less the edges that are not right any more."""
    parts, places = [], []
    for part, place in zip(sample.parts, sample.places, strict=True):
        check()
        done: NDArray[Any] = step.of(part, place)
        reach = _smaller(step.reach, place)
        height, width = done.shape
        top, left = (reach if first else 0 for first in (place.y0, place.x0))
        bottom = reach if place.y0 + height < place.whole_yx[0] else 0
        right = reach if place.x0 + width < place.whole_yx[1] else 0
        parts.append(done[top : height - bottom, left : width - right])
        places.append(Place(place.y0 + top, place.x0 + left, place.whole_yx, place.shrink))
    return Sample(parts, places, sample.plane_yx)


def _smaller(reach: int, place: Place) -> int:
    """A reach in voxels of a smaller copy; sizes are rounded there, and blocks begin elsewhere."""
    return reach if place.shrink == 1 or not reach else math.ceil(reach / place.shrink) + 16


class PlaneCounts:
    """Counts the values of an 8 or 16 bit plane strip by strip, for the first step.

    Parameters
    ----------
    shape_cyx
        Of the plane.
    dtype
        uint8 or uint16.
    step
        For which.
    """

    def __init__(self, shape_cyx: tuple[int, int, int], dtype: np.dtype[Any], step: Step) -> None:
        channels, height, width = shape_cyx
        self._name, self._params = step.name, complete_params(step.name, step.params)
        self._references = of_channels(step.reference, channels)
        self._count = int(np.iinfo(dtype).max) + 1
        self._tiles = 1
        self._rows, self._columns = np.arange(height), np.arange(width)
        if step.name == "clahe":
            self._tiles = int(self._params["tiles"])
            self._rows, self._columns = padded(height, width, self._tiles)
        self._high = len(self._rows) // self._tiles
        self._wide = len(self._columns) // self._tiles
        self._found = np.zeros((channels, self._tiles, self._tiles, self._count), np.int64)

    @staticmethod
    def can(dtype: np.dtype[Any], steps: Sequence[Step]) -> bool:
        """Whether the first of the steps can be learnt so."""
        if not steps or dtype not in (np.uint8, np.uint16):
            return False
        params = complete_params(steps[0].name, steps[0].params)
        if steps[0].name == "clahe":
            return params["tiles"] <= MOST_COUNTED
        return PREPROCESSING[steps[0].name].counted is not None

    def add(self, strip: NDArray[Any], y0: int) -> None:
        """Count the rows ``(C, h, width)`` from `y0` on; each row is given once."""
        inside = np.flatnonzero((self._rows >= y0) & (self._rows < y0 + strip.shape[1]))
        wider = len(self._columns) > strip.shape[2]
        for row in np.unique(inside // self._high):
            rows = self._rows[inside[inside // self._high == row]] - y0
            there = rows[-1] - rows[0] == len(rows) - 1  # as they come, which needs no copy
            part = strip[:, rows[0] : rows[-1] + 1] if there else strip[:, rows]
            if wider:
                part = part[:, :, self._columns]
            for c, column in np.ndindex(len(strip), self._tiles):
                region = part[c, :, column * self._wide : (column + 1) * self._wide]
                counted = np.bincount(region.ravel(), minlength=self._count)
                self._found[c, row, column] += counted

    def first(self) -> list[Fitted]:
        """The first step of each channel, once all strips have been counted."""
        if self._name == "clahe":
            tile_yx, clip_limit = (self._high, self._wide), self._params["clip_limit"]
            return [Equalisation.counted(h, tile_yx, clip_limit) for h in self._found]
        counted = PREPROCESSING[self._name].counted
        assert counted is not None
        found = zip(self._found, self._references, strict=True)
        return [counted(h[0, 0], self._params, reference) for h, reference in found]
