"""Superpixels: against SLIC done voxel by voxel, and the same from tiles as from the whole."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.painting import superpixels
from orgseg_app.core.painting.superpixels import SuperpixelTiles, slic


def smooth_noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).random((height, width)).astype(np.float32)
    blurred = np.asarray(cv2.GaussianBlur(noise, (0, 0), 3))
    return np.asarray(cv2.normalize(blurred, None, 0, 255, cv2.NORM_MINMAX)).astype(np.uint8)


def slow_slic(picture: np.ndarray, size: int, compactness: float) -> np.ndarray:
    """Without keeping pieces together; for whole cells of a grey picture."""
    height, width = picture.shape
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), superpixels.SMOOTHING))
    rows, columns = height // size, width // size
    y, x = np.indices(picture.shape) * (compactness / size)
    points = np.dstack([picture * (100 / 255), y, x])
    centres = np.array(
        [
            points[r * size : (r + 1) * size, c * size : (c + 1) * size].mean(axis=(0, 1))
            for r in range(rows)
            for c in range(columns)
        ]
    )
    labels = np.zeros(picture.shape, int)
    for _ in range(superpixels.ITERATIONS):
        for i in range(height):
            for j in range(width):
                near = [
                    r * columns + c
                    for r in range(max(0, i // size - 1), min(rows, i // size + 2))
                    for c in range(max(0, j // size - 1), min(columns, j // size + 2))
                ]
                gaps = ((centres[near] - points[i, j]) ** 2).sum(axis=1)
                labels[i, j] = near[int(gaps.argmin())]
        for number in range(rows * columns):
            if (labels == number).any():
                centres[number] = points[labels == number].mean(axis=0)
    return labels


def pieces(where: np.ndarray) -> int:
    count, _ = cv2.connectedComponents(where.astype(np.uint8), connectivity=4)
    return int(count) - 1


@pytest.mark.parametrize("compactness", [12.0, 40.0])
def test_as_slow_slic_where_nothing_had_to_be_kept_together(compactness: float) -> None:
    picture = smooth_noise(40, 48)
    fast, slow = slic(picture, 8, compactness), slow_slic(picture, 8, compactness)
    alone = np.zeros(slow.shape, bool)  # strays are what a superpixel has beside its largest piece
    for number in np.unique(slow):
        where = slow == number
        _, found = cv2.connectedComponents(where.astype(np.uint8), connectivity=4)
        sizes = np.bincount(found[where])
        alone |= where & (found != sizes.argmax())
    assert alone.mean() < 0.1
    assert ((fast == slow) | alone).mean() > 0.995  # rounding may turn a tie


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(2, 25),
    st.sampled_from([1.0, 10.0, 80.0]),
    st.booleans(),
    st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_every_voxel_has_one_and_each_is_in_one_piece(
    height: int, width: int, size: int, compactness: float, colour: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (height, width, 3) if colour else (height, width))
    labels = slic(picture.astype(np.uint8), size, compactness)
    assert labels.shape == (height, width)
    assert labels.dtype == np.int32
    assert labels.min() >= 0
    assert labels.max() < -(-height // size) * -(-width // size)
    assert all(pieces(labels == number) == 1 for number in np.unique(labels))


def test_they_keep_to_edges_that_squares_cross() -> None:
    y, x = np.mgrid[:160, :160]
    disk = np.hypot(y - 80, x - 80) < 50
    noise = np.random.default_rng(0).normal(0, 20, disk.shape)
    picture = np.clip(np.where(disk, 180, 60) + noise, 0, 255).astype(np.uint8)

    def mixed(labels: np.ndarray) -> float:
        share = np.bincount(labels.ravel(), disk.ravel()) / np.maximum(
            np.bincount(labels.ravel()), 1
        )
        return float(np.minimum(share, 1 - share)[labels].mean())

    squares = (y // 16) * 10 + x // 16
    assert mixed(slic(picture, 16, 10)) < 0.25 * mixed(squares)


def test_compact_ones_are_nearly_squares() -> None:
    picture = smooth_noise(160, 160)
    y, x = np.mgrid[:160, :160]
    squares = (y // 16) * 10 + x // 16
    assert (slic(picture, 16, 1000) == squares).mean() > 0.95
    assert (slic(picture, 16, 3) == squares).mean() < 0.8


@pytest.mark.parametrize(("size", "compactness"), [(1, 10.0), (8, 0.0)])
def test_what_makes_no_sense_is_refused(size: int, compactness: float) -> None:
    with pytest.raises(ValueError, match="at least"):
        slic(np.zeros((9, 9), np.uint8), size, compactness)


def known_tiles(picture: np.ndarray, size: int) -> SuperpixelTiles:
    height, width = picture.shape
    tiles = SuperpixelTiles((height, width), size, 10)

    def read(y0: int, x0: int, y1: int, x1: int) -> np.ndarray:
        assert 0 <= y0 < y1 <= height
        assert 0 <= x0 < x1 <= width
        return picture[y0:y1, x0:x1]

    wanted: deque[tuple[int, int]] = deque()
    for y in range(0, height, 100):
        for x in range(0, width, 100):
            wanted.extend(tiles.missing((y, x), 100))
    for tile in set(wanted):
        tiles.put(tile, tiles.work_out(tile, read))
    return tiles


def test_tiles_fit_together() -> None:
    """A superpixel on the seam of two tiles is nearly the one found in the whole picture."""
    picture = smooth_noise(520, 600)
    tiles = known_tiles(picture, 16)
    whole = slic(picture, 16, 10)
    rng = np.random.default_rng(1)
    scores = []
    for y, x in [(256, i) for i in range(10, 590, 40)] + rng.integers(0, 520, (40, 2)).tolist():
        found = tiles.region((y + 0.5, x + 0.5))
        assert found is not None
        y0, x0, where = found
        assert where[y - y0, x - x0]
        mine = np.zeros(whole.shape, bool)
        mine[y0 : y0 + where.shape[0], x0 : x0 + where.shape[1]] = where
        truth = whole == whole[y, x]
        scores.append((mine & truth).sum() / (mine | truth).sum())
        assert tiles.number((y, x)) == whole[y, x] or scores[-1] < 0.5
    assert np.median(scores) == 1
    assert np.mean(scores) > 0.95


def test_nothing_is_known_before_it_is_worked_out_or_outside() -> None:
    tiles = SuperpixelTiles((300, 300), 16, 10)
    assert tiles.region((20, 20)) is None
    assert tiles.missing((20, 20)) == [(0, 0)]
    assert tiles.missing((250, 20)) == [(0, 0), (1, 0)]
    assert len(tiles.missing((20, 20), 300)) == 4
    assert tiles.missing((-900, 20)) == []
    tiles.put((0, 0), tiles.work_out((0, 0), lambda a, b, c, d: smooth_noise(c - a, d - b)))
    assert tiles.missing((20, 20)) == []
    assert tiles.region((20, 20)) is not None
    assert tiles.region((250, 20)) is None
    assert tiles.number((-1, 20)) is None
    assert tiles.number((20, 300)) is None


def test_only_so_many_tiles_are_kept() -> None:
    tiles = SuperpixelTiles((16384, 16384), 16, 10)
    for row in range(60):
        for column in range(60):
            tiles.put((row, column), np.zeros((256, 256), np.int32))
    assert tiles.missing((59.5 * 256, 59.5 * 256)) == []
    assert tiles.missing((20, 20)) == [(0, 0)]
