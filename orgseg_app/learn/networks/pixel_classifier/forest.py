"""Boosted trees whose nodes of one level all ask the same question.

Such trees (oblivious trees: Kohavi 1994, ECML; boosted: Prokhorenkova et al. 2018, NeurIPS,
"CatBoost") have no branches to follow: the answers to a tree's questions, taken as the digits of a
number, are the leaf. A whole image is judged with a few passes over its features and a table per
tree, without a compiler and 10 times faster than the branching trees of a random forest.

The trees are boosted as in Friedman 2001 (Annals of Statistics 29): each is grown on what the ones
before it got wrong (softmax cross-entropy), its leaves are one Newton step, shrunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DEPTH = 6
TREES = 80
MOST_DEPTH = 8
MOST_TREES = 4096
_BINS = 64
_SHRINK = 0.15
_RIDGE = 2.0
_SHARE_OF_FEATURES = 0.4
_ENOUGH = 6000


@dataclass(frozen=True)
class Forest:
    """Grown trees.

    Attributes
    ----------
    feature
        ``(T, D)`` int32: which feature each level of each tree looks at.
    threshold
        ``(T, D)`` float32: the answer is 1 where the feature is larger.
    leaves
        ``(T, 2**D, K)`` float32: added to the logits; the first level is the lowest digit.
    """

    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    leaves: NDArray[np.float32]


def check_forest(forest: Forest, *, features: int, classes: int) -> None:
    """Refuse what no fit could have left.

    Raises
    ------
    ValueError
        With a sentence.
    """
    feature, threshold, leaves = forest.feature, forest.threshold, forest.leaves
    if feature.ndim != 2 or threshold.shape != feature.shape:
        raise ValueError("The trees' questions do not fit together.")
    trees, depth = feature.shape
    if not (trees <= MOST_TREES and 1 <= depth <= MOST_DEPTH):
        raise ValueError("There are too many trees, or they are too deep.")
    if leaves.shape != (trees, 2**depth, classes):
        raise ValueError("The trees' answers do not fit their questions.")
    if trees and not (feature.min() >= 0 and feature.max() < features):
        raise ValueError("The trees ask for a feature that does not exist.")
    if not (np.isfinite(threshold).all() and np.isfinite(leaves).all()):
        raise ValueError("The trees hold values that are not numbers.")


def evaluate(forest: Forest, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """The logits of many pixels.

    Parameters
    ----------
    features
        ``(F, P)`` float32.

    Returns
    -------
    ndarray
        ``(K, P)`` float32.
    """
    import cv2

    trees, depth = forest.feature.shape
    classes, pixels = forest.leaves.shape[2], features.shape[1]
    out = np.zeros((classes, pixels), np.float32)
    # cv2.LUT wants 256 entries, whatever the depth.
    tables = np.zeros((trees, classes, 1, 256), np.float32)
    tables[:, :, 0, : 2**depth] = forest.leaves.transpose(0, 2, 1)
    leaf, answer = np.empty((1, pixels), np.uint8), np.empty(pixels, np.bool_)
    digit = answer.view(np.uint8)
    for tree in range(trees):
        leaf[:] = 0
        for level in range(depth):
            # The first level is the lowest digit, so the last one comes in first.
            at = depth - 1 - level
            np.greater(features[forest.feature[tree, at]], forest.threshold[tree, at], out=answer)
            np.add(leaf[0], leaf[0], out=leaf[0])
            np.bitwise_or(leaf[0], digit, out=leaf[0])
        for k in range(classes):
            out[k] += cv2.LUT(leaf, tables[tree, k])[0]
    return out


def grow(
    features: NDArray[np.float32],
    target: NDArray[np.intp],
    weights: NDArray[np.float64],
    *,
    classes: int,
    seed: int,
) -> Forest:
    """Trees that tell the classes of some pixels apart.

    Parameters
    ----------
    features
        ``(F, P)`` float32.
    target
        ``(P,)`` class indices.
    weights
        ``(P,)``, above 0; their sum does not matter.
    classes
        K, also of classes that no pixel shows.
    seed
        The same seed gives the same trees.

    Returns
    -------
    Forest
        With fewer trees than `TREES` when nothing is left to learn.
    """
    random = np.random.default_rng(seed)
    count, pixels = features.shape
    edges, bins = _binned(features)
    weights = weights * (pixels / weights.sum())
    wanted = np.zeros((classes, pixels))
    wanted[target, np.arange(pixels)] = 1.0
    shares = np.maximum(wanted @ weights / pixels, 1e-6)
    logits = np.repeat(np.log(shares)[:, None], pixels, axis=1)
    found: list[tuple[list[int], list[int], NDArray[np.float64]]] = []
    first_leaves = np.log(shares)
    for _ in range(TREES):
        odds = np.exp(logits - logits.max(axis=0))
        p = odds / odds.sum(axis=0)
        gradient = (wanted - p) * weights
        subset = np.sort(random.choice(count, max(1, round(_SHARE_OF_FEATURES * count)), False))
        some = _some(pixels, random)
        sketch = _sketch(gradient, random)
        questions = _questions(bins[:, some], sketch[:, some], weights[some], subset)
        leaf = _leaf(bins, questions)
        values = _leaf_values(leaf, gradient, p * (1 - p) * weights)
        found.append(([f for f, _ in questions], [b for _, b in questions], values))
        logits += values[leaf].T
    leaves = np.stack([values for _, _, values in found])
    leaves[0] += first_leaves
    feature = np.array([f for f, _, _ in found], np.int32)
    threshold = edges[feature, np.array([b for _, b, _ in found])]
    return Forest(feature, threshold.astype(np.float32), leaves.astype(np.float32))


def _binned(features: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Candidate thresholds ``(F, B - 1)`` at quantiles, and between which of them values lie."""
    places = np.linspace(0, 1, _BINS + 1)[1:-1]
    edges = np.quantile(features, places, axis=1, method="lower").T.astype(np.float32)
    bins = np.empty(features.shape, np.uint8)
    for row, (line, values) in enumerate(zip(edges, features, strict=True)):
        bins[row] = np.searchsorted(line, values, side="left")
    return np.ascontiguousarray(edges), bins


def _some(pixels: int, random: np.random.Generator) -> NDArray[np.intp]:
    """The pixels that choose a tree's questions: of many, half (Friedman 2002).

    They choose as well as all of them, in half the time.
    """
    if pixels <= _ENOUGH:
        return np.arange(pixels)
    return np.sort(random.choice(pixels, max(_ENOUGH, pixels // 2), replace=False))


def _sketch(gradient: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """The gradients of all classes in at most three columns.

    Two classes have the same gradient but for its sign; many are mixed at random, which chooses
    questions as well and takes no longer the more there are (Iosipoi & Vakhrushev 2022, NeurIPS).
    """
    classes = len(gradient)
    if classes <= 3:
        return gradient[: 1 if classes == 2 else 3]
    return random.normal(size=(3, classes)) @ gradient


def _leaf(bins: NDArray[np.uint8], questions: Sequence[tuple[int, int]]) -> NDArray[np.intp]:
    """The leaf of each pixel ``(P,)``."""
    leaf = np.zeros(bins.shape[1], np.intp)
    for level, (f, cut) in enumerate(questions):
        leaf += (bins[f] > cut).astype(np.intp) << level
    return leaf


def _questions(
    bins: NDArray[np.uint8],
    gradient: NDArray[np.float64],
    weights: NDArray[np.float64],
    subset: NDArray[np.intp],
) -> list[tuple[int, int]]:
    """Level by level, the (feature, bin) that parts all leaves best.

    A part's worth is ``(Σ gradient)² / (Σ weight + ridge)``, summed over columns and leaves.
    """
    # Each column is there once a feature, so that one pass counts all of them.
    features, pixels = len(subset), len(weights)
    columns = [np.tile(c, features) for c in (*gradient, weights)]
    chosen = bins[subset].astype(np.intp)
    leaf = np.zeros(pixels, np.intp)
    questions: list[tuple[int, int]] = []
    for level in range(DEPTH):
        leaves = 1 << level
        first = np.arange(features)[:, None] * (leaves * _BINS)
        cells = (chosen + (leaf * _BINS + first)).ravel()
        sums = np.stack([np.bincount(cells, c, features * leaves * _BINS) for c in columns])
        low = sums.reshape(len(columns), features, leaves, _BINS).cumsum(axis=3)
        worth = _worth(low[..., :-1]) + _worth(low[..., -1:] - low[..., :-1])
        place, cut = (int(n) for n in np.unravel_index(worth.argmax(), worth.shape))
        questions.append((int(subset[place]), cut))
        leaf += (chosen[place] > cut).astype(np.intp) << level
    return questions


def _worth(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Worth of the parts ``(columns, features, leaves, cuts)``, summed over leaves."""
    total = (sums[:-1] ** 2).sum(axis=0)
    worth: NDArray[np.float64] = (total / (sums[-1] + _RIDGE)).sum(axis=1)
    return worth


def _leaf_values(
    leaf: NDArray[np.intp], gradient: NDArray[np.float64], curvature: NDArray[np.float64]
) -> NDArray[np.float64]:
    """One shrunk Newton step for every leaf and class, ``(2**D, K)``."""
    steps = [
        np.bincount(leaf, g, 2**DEPTH) / (np.bincount(leaf, h, 2**DEPTH) + _RIDGE)
        for g, h in zip(gradient, curvature, strict=True)
    ]
    return _SHRINK * np.stack(steps, axis=1)
