"""How two labellings of the same voxels overlap: one sparse table, from which scores are made.

Neighbouring voxels mostly have the same two labels, so runs of them are counted at once, chunk by
chunk, which keeps what is worked on in the processor's cache. Planes of a volume are added one
after the other; only the table is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.integer] | NDArray[np.bool_]
Counts = NDArray[np.int64]

UNKNOWN = -1
"""Label of voxels of which the truth says nothing, in tables that keep them."""

_CHUNK = 1 << 16  # voxels; with int32 labels both chunks and the scratch fit into 1 MB
_HIGHEST = 2**31 - 1
_WORD = 8  # bytes that are looked at together
_PENDING = 1 << 21  # pairs kept apart before they are summed up
_SPARE = 1 << 16


@dataclass(frozen=True)
class Contingency:
    """Pairs of labels with the voxels that have both, in order of truth, then prediction.

    Attributes
    ----------
    truth, prediction
        ``(n,)`` int64, the labels of each pair; a pair occurs once.
    voxels
        ``(n,)`` int64, 1 or more.
    """

    truth: Counts
    prediction: Counts
    voxels: Counts

    @property
    def total(self) -> int:
        """Voxels counted."""
        return int(self.voxels.sum())

    def truth_sizes(self) -> Counts:
        """Voxels of each label of the truth, in order of label."""
        return _sums(self.truth, self.voxels)

    def prediction_sizes(self) -> Counts:
        """Voxels of each label of the prediction, in order of label."""
        order = np.argsort(self.prediction, kind="stable")
        return _sums(self.prediction[order], self.voxels[order])

    def known(self) -> Contingency:
        """Without the voxels of which the truth says nothing."""
        if not len(self.truth) or self.truth[0] != UNKNOWN:
            return self
        return self.where(self.truth != UNKNOWN)

    def where(self, keep: NDArray[np.bool_]) -> Contingency:
        """Only some of the pairs, ``(n,)``."""
        return Contingency(self.truth[keep], self.prediction[keep], self.voxels[keep])

    def renamed(self, truth: Counts, prediction: Counts) -> Contingency:
        """With other labels; pairs that become alike are summed up.

        Parameters
        ----------
        truth, prediction
            New label of each old one, by its number; `UNKNOWN` stays.
        """
        renamed = np.where(self.truth == UNKNOWN, UNKNOWN, truth[self.truth])
        return self.relabelled(renamed, prediction[self.prediction])

    def relabelled(self, truth: Counts, prediction: Counts) -> Contingency:
        """With other labels for each pair, ``(n,)``; pairs that become alike are summed up."""
        return _summed(truth, prediction, self.voxels)


def contingency(
    truth: Labels,
    prediction: Labels,
    *,
    ignore: NDArray[np.bool_] | None = None,
    keep_ignored: bool = False,
) -> Contingency:
    """Count voxels by their two labels.

    Parameters
    ----------
    truth, prediction
        Labels, whole numbers from 0 on, of any shape, both the same.
    ignore
        True where a voxel does not count.
    keep_ignored
        Whether such voxels are in the table all the same, their truth `UNKNOWN`: so that it says
        how much of a predicted object lies there.

    Raises
    ------
    ValueError
        When shapes differ, or a label is below 0.

    Examples
    --------
    >>> table = contingency(np.array([1, 1, 2, 2]), np.array([3, 3, 3, 0]))
    >>> table.truth.tolist(), table.prediction.tolist(), table.voxels.tolist()
    ([1, 2, 2], [3, 0, 3], [2, 1, 1])
    """
    return _summed(*_runs(truth, prediction, ignore, keep_ignored))


class ContingencyCounter:
    """The table of a volume whose planes come one after the other."""

    def __init__(self) -> None:
        self._tables: list[Contingency] = []
        self._pending = 0

    def add(
        self, truth: Labels, prediction: Labels, *, ignore: NDArray[np.bool_] | None = None
    ) -> Contingency:
        """Count one more plane; its own table. As `contingency`."""
        return self.add_table(contingency(truth, prediction, ignore=ignore))

    def add_table(self, table: Contingency) -> Contingency:
        """Count what was counted already; the same table."""
        self._tables.append(table)
        self._pending += len(table.voxels)
        if self._pending > _PENDING:
            self._tables = [summed(self._tables)]
            self._pending = 0
        return table

    def table(self) -> Contingency:
        """All planes so far."""
        return summed(self._tables)


def summed(tables: Iterable[Contingency]) -> Contingency:
    """Several tables as one."""
    parts = list(tables)
    if len(parts) == 1:
        return parts[0]
    nothing = np.zeros(0, np.int64)
    return _summed(
        np.concatenate([nothing, *(part.truth for part in parts)]),
        np.concatenate([nothing, *(part.prediction for part in parts)]),
        np.concatenate([nothing, *(part.voxels for part in parts)]),
    )


def _runs(
    truth: Labels,
    prediction: Labels,
    ignore: NDArray[np.bool_] | None,
    keep_ignored: bool = False,
) -> tuple[Labels, Labels, NDArray[np.integer]]:
    """Labels and lengths of the runs in which both stay the same; what is ignored left out."""
    others = (prediction,) if ignore is None else (prediction, ignore)
    if any(other.shape != truth.shape for other in others):
        shapes = ", ".join(str(array.shape) for array in (truth, *others))
        raise ValueError(f"Truth, prediction and what is ignored differ in shape: {shapes}.")
    flat = [array.ravel() for array in (truth, *others)]
    changes, other = np.empty(_CHUNK, bool), np.empty(_CHUNK, bool)
    found: list[tuple[Labels, Labels, NDArray[np.integer]]] = []
    for start in range(0, truth.size, _CHUNK):
        parts = [array[start : start + _CHUNK] for array in flat]
        size = len(parts[0])
        new = changes[:size]
        new[0] = True
        np.not_equal(parts[0][1:], parts[0][:-1], out=new[1:])
        for part in parts[1:]:
            np.not_equal(part[1:], part[:-1], out=other[: size - 1])
            np.logical_or(new[1:], other[: size - 1], out=new[1:])
        firsts = _places(new)
        lengths = np.empty(len(firsts), np.int32)
        np.subtract(firsts[1:], firsts[:-1], out=lengths[:-1], casting="unsafe")
        lengths[-1] = size - firsts[-1]
        true = parts[0].take(firsts)
        if ignore is not None:
            ignored = parts[2].take(firsts).astype(bool, copy=False)
            if keep_ignored:
                true = np.where(ignored, UNKNOWN, true.astype(np.int64))
            else:
                counted = ~ignored
                firsts, lengths, true = firsts[counted], lengths[counted], true[counted]
        found.append((true, parts[1].take(firsts), lengths))
    if not found:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, nothing
    labels_t, labels_p, voxels = (np.concatenate(column) for column in zip(*found, strict=True))
    if truth.size > _HIGHEST:  # sums of so many do not fit into four bytes
        voxels = voxels.astype(np.int64)
    lowest = UNKNOWN if keep_ignored else 0
    for labels, least in ((labels_t, lowest), (labels_p, 0)):
        if len(labels) and labels.dtype.kind == "i" and labels.min() < least:
            raise ValueError("Labels are whole numbers from 0 on; one is below.")
    return labels_t, labels_p, voxels


def _places(marked: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Where marks are, ``(n,)``; as `numpy.flatnonzero`, but quicker for few marks close together.

    Words of eight bytes without a mark are passed over, and bytes looked at only in the others.
    """
    whole = len(marked) // _WORD * _WORD
    if whole < len(marked):
        return np.flatnonzero(marked)
    words = marked.view(np.uint64)
    some = np.flatnonzero(words != 0)
    inside = np.flatnonzero(words.take(some).view(bool))
    places: NDArray[np.intp] = (some * _WORD).take(inside // _WORD)
    inside %= _WORD
    places += inside
    return places


def _summed(truth: Labels, prediction: Labels, voxels: NDArray[np.integer]) -> Contingency:
    """Pairs that occur once, sorted: two passes of sorting by counting, nothing is compared."""
    from scipy import sparse

    if not len(voxels):
        nothing = np.zeros(0, np.int64)
        return Contingency(nothing, nothing, nothing)
    rows, row_labels = _compact(prediction)
    columns, column_labels = _compact(truth)
    shape = (len(row_labels), len(column_labels))
    pairs = sparse.coo_array((voxels, (rows, columns)), shape=shape)
    pairs.has_canonical_format = True  # or SciPy sorts the rows here, which the turn does for less
    turned = pairs.tocsr().tocsc()
    turned.has_sorted_indices = True
    turned.has_canonical_format = False
    turned.sum_duplicates()
    repeats = np.diff(turned.indptr)
    return Contingency(
        np.repeat(column_labels, repeats),
        row_labels[turned.indices],
        turned.data.astype(np.int64, copy=False),
    )


def _compact(labels: Labels) -> tuple[NDArray[np.int32], Counts]:
    """Small numbers in the same order for labels, and the label of each number.

    Numbers of a plane inside a volume begin high, but are close together: taking off the lowest
    does. Only labels with wide gaps are sorted.
    """
    highest, lowest = int(labels.max()), min(int(labels.min()), 0)
    room = 4 * len(labels) + _SPARE
    if highest - lowest <= room:
        shifted = labels.astype(np.int32, copy=False)
        shifted = shifted - np.int32(lowest) if lowest else shifted
        return shifted, np.arange(lowest, highest + 1)
    labels = labels.astype(np.int64, copy=False)
    if not lowest:
        lowest = int(labels.min(where=labels > 0, initial=highest))
        if highest - lowest <= room:
            shifted = np.maximum(labels - (lowest - 1), 0)
            return shifted.astype(np.int32), np.concatenate(([0], np.arange(lowest, highest + 1)))
    found, small = np.unique(labels, return_inverse=True)
    return small.astype(np.int32), found


def _sums(sorted_labels: Counts, voxels: Counts) -> Counts:
    """Voxels of each label."""
    if not len(voxels):
        return voxels
    firsts = np.flatnonzero(np.diff(sorted_labels, prepend=sorted_labels[0] - 1))
    return np.add.reduceat(voxels, firsts)
