"""COCO's run lengths: there and back, against the algorithm one number at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from orgseg_app.core.shapes.coco_runs import counts_in, counts_of, piece_of, text_of

masks = arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def slow_text(counts):
    """As the authors' program goes about it."""
    text = ""
    for place, count in enumerate(counts):
        left = count - counts[place - 2] if place > 2 else count
        more = True
        while more:
            group = left & 0x1F
            left >>= 5
            more = left != -1 if group & 0x10 else left != 0
            text += chr(group + 0x20 * more + 48)
    return text


def slow_counts(mask):
    counts, inside, length = [], False, 0
    for pixel in mask.T.ravel().tolist():
        if pixel != inside:
            counts.append(length)
            inside, length = pixel, 0
        length += 1
    return [*counts, length]


@settings(deadline=None, max_examples=80)
@given(mask=masks)
def test_counts_there_and_back(mask):
    counts = counts_of(mask)
    assert counts.tolist() == slow_counts(mask)
    piece = piece_of(counts, mask.shape)
    plane = np.zeros(mask.shape, bool)
    plane[piece.box] = piece.inside
    assert np.array_equal(plane, mask)
    if mask.any():
        assert piece.inside.any(axis=0)[[0, -1]].all()
        assert piece.inside.any(axis=1)[[0, -1]].all()


@settings(deadline=None, max_examples=80)
@given(counts=st.lists(st.integers(0, 2**31), max_size=12))
def test_text_there_and_back(counts):
    text = text_of(np.array(counts, np.int64))
    assert text == slow_text(counts)
    assert counts_in(text).tolist() == counts


def test_a_text_of_the_authors_program():
    # pycocotools 2.0.11, encode(): the pixels (y, x) = (1, 1), (2, 1), (3, 3) of 5 × 4
    mask = np.zeros((5, 4), bool)
    mask[[1, 2, 3], [1, 1, 3]] = True
    assert text_of(counts_of(mask)) == PYCOCOTOOLS


def test_runs_of_no_length_inside_change_nothing():
    assert piece_of(np.array([1, 2, 0, 1, 2, 0]), (3, 2)).inside.tolist() == [
        [False, True],
        [True, False],
        [True, False],
    ]


@pytest.mark.parametrize(
    "counts, why",
    [
        ([3, 4], "cover 7 pixels, but the image has 6"),
        ([1, 2], "cover 3 pixels, but the image has 6"),
        ([], "cover 0 pixels, but the image has 6"),
        ([3, -1, 4], "below 0 or longer"),
        ([10**12], "below 0 or longer"),
        ([2**62, 2**62, 2**62, 2**62, 6], "below 0 or longer"),
    ],
)
def test_wrong_counts_are_refused(counts, why):
    with pytest.raises(ValueError, match=why):
        piece_of(np.array(counts, np.int64), (2, 3))


@pytest.mark.parametrize(
    "text, why",
    [("0 1", "impossible character"), ("é", "impossible character"), ("0p", "impossible character"),
     ("6P", "cut short"), ("o" * 11 + "0", "impossibly long")],
)  # fmt: skip
def test_wrong_text_is_refused(text, why):
    with pytest.raises(ValueError, match=why):
        counts_in(text)


@settings(deadline=None, max_examples=80)
@given(text=st.text(st.characters(min_codepoint=48, max_codepoint=111), max_size=40))
def test_any_text_gives_a_mask_or_a_sentence(text):
    try:
        piece = piece_of(counts_in(text), (5, 7))
    except ValueError as error:
        assert "run lengths" in str(error)
    else:
        assert piece.inside.size <= 35


PYCOCOTOOLS = "62:OG"
