"""First mask in eight: from the first start to a learned mask on an image of one's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.e2e.hand import Hand
from tests.e2e.newcomer import LEAST_IOU, MOST_MOVES, Newcomer, iou, write_cells


def first_mask(hand: Hand, folder: Path, preset: str = "") -> tuple[Newcomer, np.ndarray]:
    """The newcomer after the last move, and where their image has foreground now."""
    path, truth, middles = write_cells(folder)
    newcomer = Newcomer(hand)
    assert hand.window.stack.currentWidget() is hand.window.start_page
    newcomer.drop(path)
    newcomer.paint(middles)
    painted = hand.session.mask().to_array()[0]
    assert set(np.unique(painted)) == {0, 1, 2}  # the strokes are what they should be,
    assert iou(painted == 2, truth) < 0.1  # and nowhere near the whole answer
    newcomer.train(preset)
    found = newcomer.predict()
    assert iou(found, truth) >= LEAST_IOU
    assert iou(found, truth) > iou(np.ones_like(truth), truth) + 0.2
    return newcomer, found


@pytest.mark.timeout(1500)
def test_a_newcomer_has_a_first_mask_after_eight_moves(hand: Hand, folder: Path) -> None:
    newcomer, _ = first_mask(hand, folder, "instant")
    assert len(newcomer.moves) <= MOST_MOVES, newcomer.moves
    assert hand.asked == []  # nothing was asked on the way
    assert [text for level, text in hand.said if level == "error"] == []


def test_one_image_is_enough_and_the_window_says_what_that_means(hand: Hand, folder: Path) -> None:
    path, _, middles = write_cells(folder)
    newcomer = Newcomer(hand)
    newcomer.drop(path)
    assert [image.split for image in hand.images] == ["train"]
    newcomer.paint(middles)
    hand.window.show_workspace("train")
    training = hand.parts.training
    hand.wait(lambda: training.button.isEnabled(), what="the Train button")
    assert "strip of the training paint is held out" in training.problem.text()


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_with_the_recipe_that_is_offered_first(hand: Hand, folder: Path) -> None:
    newcomer, _ = first_mask(hand, folder)
    assert len(newcomer.moves) < MOST_MOVES, newcomer.moves
