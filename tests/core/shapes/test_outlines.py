"""Outlines to objects, against a slow reference and by the counts the data sets are known by."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np
import pytest
import tifffile
from scipy import ndimage

from orgseg_app.core.shapes.outlines import OutlineError, enclosed, flip_that_fits, lines_in


def slow_pieces(lines: np.ndarray, min_area: int) -> list[set[tuple[int, int]]]:
    """4-connected pieces by walking from pixel to pixel; the largest at the border left out."""
    height, width = lines.shape
    seen = lines.copy()
    pieces = []
    for y, x in np.argwhere(~lines).tolist():
        if seen[y, x]:
            continue
        seen[y, x] = True
        piece, waiting = set(), deque([(y, x)])
        while waiting:
            row, column = waiting.popleft()
            piece.add((row, column))
            for at in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
                if 0 <= at[0] < height and 0 <= at[1] < width and not seen[at]:
                    seen[at] = True
                    waiting.append(at)
        pieces.append(piece)
    edge = [p for p in pieces if any(y in (0, height - 1) or x in (0, width - 1) for y, x in p)]
    background = max(edge, key=len)
    return [p for p in pieces if p is not background and len(p) >= min_area]


def circles(shape: tuple[int, int], *cells: tuple[int, int, int], thickness: int = 1) -> np.ndarray:
    """A picture of the outlines of discs (y, x, radius)."""
    picture = np.zeros(shape, np.uint8)
    for y, x, radius in cells:
        cv2.circle(picture, (x, y), radius, 255, thickness)
    return picture


def test_polarity_is_told_by_the_rarer_value():
    picture = circles((60, 80), (20, 20, 12), (40, 55, 14))
    one, other = lines_in(picture), lines_in(255 - picture)
    assert np.array_equal(one, picture > 0)
    assert np.array_equal(one, other)
    assert np.array_equal(one, lines_in(picture > 0))
    assert np.array_equal(one, lines_in(picture == 0))


@pytest.mark.parametrize("picture", [np.zeros((5, 5)), np.ones((5, 5), bool), np.zeros((0, 4))])
def test_a_picture_of_one_value_has_no_lines(picture):
    with pytest.raises(OutlineError):
        lines_in(picture)


def test_half_light_half_dark_is_no_outline():
    with pytest.raises(OutlineError, match="too much"):
        lines_in(np.arange(100).reshape(10, 10) % 2)


def test_cells_at_the_edge_are_closed_by_it():
    picture = circles((60, 80), (0, 40, 15), (59, 0, 14), (30, 79, 10), (30, 30, 9))
    found = enclosed(lines_in(picture))
    assert found.count == 4
    assert len({found.objects[2, 40], found.objects[57, 2], found.objects[30, 77]} - {0}) == 3
    assert found.objects[5, 5] == 0


def test_numbers_go_by_the_first_pixel_and_lines_belong_to_the_nearest():
    picture = circles((60, 80), (40, 20, 10), (15, 50, 10))
    found = enclosed(lines_in(picture))
    assert (found.objects[15, 50], found.objects[40, 20]) == (1, 2)
    assert ((picture > 0) <= (found.objects > 0)).all()
    bare = enclosed(lines_in(picture), with_lines=False)
    assert not bare.objects[picture > 0].any()
    assert np.array_equal(bare.objects, np.where(picture > 0, 0, found.objects))


def test_thick_lines_are_halved_between_touching_cells():
    picture = np.zeros((40, 61), np.uint8)
    picture[8:32, 4:57] = 255
    picture[12:28, 8:28] = picture[12:28, 33:53] = 0  # a wall of five pixels between two cells
    found = enclosed(picture > 0)
    assert found.count == 2
    assert found.objects[20, 28:33].tolist() in ([1, 1, 1, 2, 2], [1, 1, 2, 2, 2])
    assert found.objects[8:32, 4:57].all()


def test_an_image_full_of_cells_has_no_background():
    picture = np.zeros((80, 100), np.uint8)
    picture[20::20] = 255
    picture[:, 20::20] = 255
    found = enclosed(lines_in(picture))
    assert found.count == 20
    assert (found.objects > 0).all()


def test_background_in_two_parts_is_background_in_both():
    picture = np.zeros((120, 100), np.uint8)
    picture[50], picture[70] = 255, 255
    picture[50:70, ::20] = 255
    found = enclosed(lines_in(picture))
    assert found.count == 5
    assert not found.objects[:49].any()
    assert not found.objects[72:].any()


def test_one_large_cell_is_the_cell():
    picture = circles((60, 60), (30, 30, 26))
    found = enclosed(lines_in(picture))
    assert found.count == 1
    assert found.objects[30, 30] == 1
    assert found.objects[0, 0] == 0


def test_small_pieces_are_no_objects():
    picture = circles((60, 80), (20, 20, 12), (40, 60, 3))
    found = enclosed(lines_in(picture))
    assert (found.count, found.small) == (1, 1)
    assert found.objects[40, 60] == 0
    assert enclosed(lines_in(picture), min_area=5).count == 2


def test_gaps_between_cells_with_lines_of_their_own_are_background():
    objects = np.zeros((60, 60), np.uint8)
    objects[10:50, 10:50] = 1
    objects[10:50, 30:50] = 2
    objects[22:38, 22:38] = 0  # a hole between them, which the lines surround
    edge = np.zeros(objects.shape, bool)
    for axis in (0, 1):
        for shift in (-1, 1):
            edge |= np.roll(objects, shift, axis) != objects
    picture = edge & (objects > 0)
    found = enclosed(picture)
    assert found.count == 2
    assert not found.objects[24:36, 24:36].any()
    assert np.array_equal(found.objects > 0, objects > 0)


@pytest.mark.parametrize("flip, turned", [("rows", np.s_[::-1]), ("columns", np.s_[:, ::-1])])
def test_flipped(flip, turned):
    lines = circles((60, 80), (20, 20, 12), (40, 55, 14)) > 0
    straight = enclosed(lines)
    flipped = enclosed(lines[turned], flip=flip)
    assert np.array_equal(straight.objects, flipped.objects)


@pytest.mark.parametrize(
    "flip, turned", [("none", np.s_[:]), ("rows", np.s_[::-1]), ("columns", np.s_[:, ::-1])]
)
def test_the_image_tells_how_its_outlines_lie(flip, turned):
    lines = circles((60, 80), (20, 20, 12), (40, 60, 10)) > 0
    inside = enclosed(lines).objects > 0
    picture = (100 + 80 * inside + np.random.default_rng(0).normal(0, 5, inside.shape))[np.newaxis]
    assert flip_that_fits(lines[turned], picture) == flip
    assert flip_that_fits(lines[turned], np.zeros_like(picture)) == "none"
    noise = np.random.default_rng(1).normal(0, 5, picture.shape)
    assert flip_that_fits(lines[turned], noise) == "none"


def random_outlines(seed: int) -> np.ndarray:
    """Outlines of cells that touch at the most."""
    rng = np.random.default_rng(seed)
    picture, taken = np.zeros((2, 70, 90), np.uint8)
    for _ in range(40):
        cell = np.zeros_like(taken)
        center = int(rng.integers(0, 90)), int(rng.integers(0, 70))
        axes = int(rng.integers(4, 14)), int(rng.integers(4, 14))
        shape = (center, axes, int(rng.integers(0, 180)), 0, 360)
        cv2.ellipse(cell, *shape, 255, -1)
        if not (cell & taken).any():
            taken |= cell
            cv2.ellipse(picture, *shape, 255, 1)
    return picture > 0


@pytest.mark.parametrize("seed", range(8))
def test_pieces_as_a_slow_reference_finds_them(seed):
    lines = random_outlines(seed)
    found = enclosed(lines, min_area=10, with_lines=False)
    expected = slow_pieces(lines, 10)
    assert found.count == len(expected)
    for piece in expected:
        rows, columns = np.array(sorted(piece)).T
        numbers = np.unique(found.objects[rows, columns])
        assert len(numbers) == 1
        assert numbers[0] > 0
        assert (found.objects == numbers[0]).sum() == len(piece)


@pytest.mark.data
def test_the_eight_cho_images_fill_to_the_cells_they_show(shared_data):
    # 103 of the 778 cells of all 60 images; `slow_pieces` says the same in four minutes.
    counts = []
    for path in sorted((shared_data / "dic_cho_bbbc030" / "outlines").glob("*.png")):
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        pieces, _ = ndimage.label(picture == 0)
        areas = np.bincount(pieces.ravel())[1:]
        found = enclosed(lines_in(picture), with_lines=False)
        expected = sorted(area for area in areas if 50 <= area < areas.max())
        assert sorted(np.bincount(found.objects.ravel())[1:]) == expected
        filled = cv2.imread(str(path).replace("outlines", "filled"), cv2.IMREAD_GRAYSCALE) > 0
        own = enclosed(lines_in(picture)).objects > 0
        assert (own & filled).sum() / (own | filled).sum() > 0.999
        counts.append(found.count)
    assert counts == [13, 13, 11, 15, 12, 15, 13, 11]


@pytest.mark.data
def test_red_blood_cells_come_out_of_either_polarity(shared_data):
    counts = {}
    for path in sorted((shared_data / "dic_rbc_bbbc009" / "outlines").glob("*.tif")):
        picture = tifffile.imread(path)
        one, other = enclosed(lines_in(picture)), enclosed(lines_in(~picture))
        assert np.array_equal(one.objects, other.objects)
        counts[path.stem] = one.count
    assert counts == {"48hr-001-DIC": 46, "6hr-001-DIC": 31, "6hr-002-DIC": 49}


@pytest.mark.data
def test_the_seventeen_cells_of_all_formats(shared_data):
    root = shared_data / "annotation_formats"
    truth = tifffile.imread(root / "instance_label_tif/cells.tif")
    picture = cv2.imread(str(root / "outline_png/cells.png"), cv2.IMREAD_GRAYSCALE)
    found = enclosed(lines_in(picture))
    assert found.count == 17
    for number in range(1, 18):
        inside = truth == number
        own = found.objects == np.bincount(found.objects[inside]).argmax()
        assert (own & inside).sum() / (own | inside).sum() > 0.98
