"""The pixel classifier as a network: an image in, logits out, but fitted, not stepped.

Interactive pixel classification (Sommer et al. 2011, ISBI, "ilastik") with the filters of
`features` and the trees of `forest`. It works on the processor, in float32, whatever the device.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from orgseg_app.learn.networks.network import FittedNetwork, PaintedPlane
from orgseg_app.learn.networks.pixel_classifier.features import (
    compute_features,
    feature_count,
    feature_radius,
)
from orgseg_app.learn.networks.pixel_classifier.forest import (
    DEPTH,
    Forest,
    check_forest,
    evaluate,
    grow,
)

MOST_PIXELS = 24_000
"""Pixels that the trees are grown on; more take longer and tell them little."""

_ROWS = 128
_BLOCK = 1 << 15
_KEYS = ("feature", "threshold", "leaves")


class PixelClassifier(FittedNetwork):
    """Multi-scale filters and a boosted forest.

    Before it is fitted it has no trees, and takes all classes for equally likely.

    Parameters
    ----------
    channels
        Image channels, 1 or more.
    classes
        Classes to tell apart, background included.

    Attributes
    ----------
    radius
        How far the widest filter reaches.
    """

    feature: Tensor
    threshold: Tensor

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.channels, self.classes = channels, classes
        self.radius = feature_radius()
        self._keep(
            Forest(
                np.zeros((0, DEPTH), np.int32),
                np.zeros((0, DEPTH), np.float32),
                np.zeros((0, 2**DEPTH, classes), np.float32),
            )
        )

    def forward(self, image: Tensor) -> Tensor:
        """Logits ``(N, K, Y, X)`` float32 of an image ``(N, C, Y, X)`` of any size."""
        forest = self._forest()
        planes = image.detach().to("cpu", torch.float32).numpy()
        out = np.empty((len(planes), self.classes, *planes.shape[2:]), np.float32)
        for plane, logits in zip(planes, out, strict=True):
            for top, features in self._bands(plane, range(plane.shape[1])):
                flat = features.reshape(len(features), -1)
                found = logits[:, top : top + features.shape[1]]
                judged = [
                    evaluate(forest, flat[:, start : start + _BLOCK])
                    for start in range(0, flat.shape[1], _BLOCK)
                ]
                found[:] = np.concatenate(judged, axis=1).reshape(found.shape)
        return torch.from_numpy(out).to(image.device)

    def fit(self, planes: Sequence[PaintedPlane], *, seed: int) -> int:
        """Grow the trees on painted pixels; see `FittedNetwork.fit`."""
        random = np.random.default_rng(seed)
        chosen = _choose(planes, self.classes, random)
        features, targets, weights = [], [], []
        for plane, (where, weight) in zip(planes, chosen, strict=True):
            if len(where):
                features.append(self._features_at(plane.pixels, where))
                targets.append(plane.target.ravel()[where].astype(np.intp))
                weights.append(weight)
        if not features:
            raise ValueError("Nothing is painted on the training images. Paint a little first.")
        target = np.concatenate(targets)
        self._keep(
            grow(
                np.concatenate(features, axis=1),
                target,
                np.concatenate(weights),
                classes=self.classes,
                seed=seed,
            )
        )
        return len(target)

    def _features_at(
        self, pixels: NDArray[np.float32], where: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Features ``(F, P)`` of some pixels, given by their ascending flat positions."""
        width = pixels.shape[2]
        rows = where // width
        out = np.empty((feature_count(self.channels), len(where)), np.float32)
        for top, features in self._bands(pixels, np.unique(rows).tolist()):
            first, last = np.searchsorted(rows, (top, top + features.shape[1]))
            flat = features.reshape(len(features), -1)
            out[:, first:last] = flat[:, where[first:last] - top * width]
        return out

    def _bands(
        self, plane: NDArray[np.float32], rows: Sequence[int]
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Features of the bands that hold some rows: first row, ``(F, rows, X)``.

        A few rows at a time, so that memory does not follow the image's height.
        """
        height, radius = plane.shape[1], self.radius or 0
        for band in sorted({row // _ROWS for row in rows}):
            top, bottom = band * _ROWS, min((band + 1) * _ROWS, height)
            # The image is mirrored at its own edge only, never at that of a band.
            start, stop = max(0, top - radius), min(height, bottom + radius)
            features = compute_features(plane[:, start:stop])
            yield top, features[:, top - start : bottom - start]

    # -- keeping -------------------------------------------------------------------------------

    def _forest(self) -> Forest:
        return Forest(self.feature.numpy(), self.threshold.numpy(), self.leaves.detach().numpy())

    def _keep(self, forest: Forest) -> None:
        self.register_buffer("feature", torch.from_numpy(forest.feature))
        self.register_buffer("threshold", torch.from_numpy(forest.threshold))
        self.leaves = nn.Parameter(torch.from_numpy(forest.leaves), requires_grad=False)

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *arguments: Any
    ) -> None:
        """Take trees of any number, once they are checked: a file decides nothing unseen."""
        missing, _, errors = arguments[-3:]
        lacking = [prefix + key for key in _KEYS if prefix + key not in state_dict]
        if lacking:
            missing.extend(lacking)
            return
        found = {key: state_dict[prefix + key] for key in _KEYS}
        try:
            forest = Forest(
                *(np.ascontiguousarray(found[key].detach().cpu().numpy()) for key in _KEYS)
            )
            if forest.feature.dtype != np.int32:
                raise ValueError("The trees' questions are not whole numbers.")
            if not forest.threshold.dtype == forest.leaves.dtype == np.float32:
                raise ValueError("The trees' values are not of the expected kind.")
            check_forest(forest, features=feature_count(self.channels), classes=self.classes)
        except ValueError as error:
            errors.append(str(error))
        else:
            self._keep(forest)

    def _apply(self, fn: Any, recurse: bool = True) -> Self:
        """Stays where it is: neither devices nor half precision are for trees."""
        return self


def _choose(
    planes: Sequence[PaintedPlane], classes: int, random: np.random.Generator
) -> list[tuple[NDArray[np.intp], NDArray[np.float64]]]:
    """Pixels of every plane to grow trees on: flat positions, ascending, and their weights.

    All classes get equal room, and what a small class leaves is the others'. The weight of a class
    as a whole is the root of how much of it is painted: between painted shares, which forget rare
    classes, and equal ones, which see them everywhere.
    """
    counts = np.array([_counts(plane, classes) for plane in planes]).reshape(-1, classes)
    totals = counts.sum(axis=0)
    quotas = _quotas(totals)
    numbers = [_drawn(total, quota, random) for total, quota in zip(totals, quotas, strict=True)]
    ends = counts.cumsum(axis=0)
    found = []
    for index, plane in enumerate(planes):
        flat, painted = plane.target.ravel(), plane.weights.ravel()
        where, weight = [np.zeros(0, np.intp)], [np.zeros(0)]
        for k in np.flatnonzero(counts[index]):
            end = ends[index, k]
            inside = np.searchsorted(numbers[k], (end - counts[index, k], end))
            picked = numbers[k][inside[0] : inside[1]] - (end - counts[index, k])
            places = np.flatnonzero((flat == k) & (painted > 0))[picked]
            where.append(places)
            weight.append(painted[places] * (totals[k] ** 0.5 / max(len(numbers[k]), 1)))
        positions = np.concatenate(where)
        order = np.argsort(positions)
        found.append((positions[order], np.concatenate(weight)[order].astype(np.float64)))
    return found


def _counts(plane: PaintedPlane, classes: int) -> NDArray[np.int64]:
    """Painted pixels of each class."""
    labelled = plane.target[plane.weights > 0]
    return np.bincount(labelled[labelled < classes], minlength=classes).astype(np.int64)


def _quotas(totals: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many pixels each class gives: the smallest first, so that all room is used."""
    quotas = np.zeros_like(totals)
    room, left = MOST_PIXELS, int(np.count_nonzero(totals))
    for k in np.argsort(totals, kind="stable"):
        if totals[k]:
            quotas[k] = min(int(totals[k]), room // left)
            room, left = room - int(quotas[k]), left - 1
    return quotas


def _drawn(total: int, quota: int, random: np.random.Generator) -> NDArray[np.int64]:
    """`quota` of the numbers 0…total-1, ascending."""
    if quota == total:
        return np.arange(total)
    # Evenly spread, at a random place of each part: as good as drawing, and quick for any total.
    edges = np.linspace(0, total, quota + 1)
    places = edges[:-1] + random.random(quota) * np.diff(edges)
    return np.minimum(places.astype(np.int64), total - 1)
