"""Scribbles instead of whole masks: how much of the IoU is left.

A person is simulated: strokes three pixels wide, begun anywhere and followed for a while, along the
middle of structures and of background, close to their edges and round them at some distance, until
5 % of an image is painted or nothing is left to follow; a class with more to follow gets more. Of
several classes a rare one gets a stroke or none in that way, so there it is done once more by
somebody who paints each class in turn. The same network then learns for the same time from the
strokes (training and validation images) and from the whole masks; both are scored on the whole
masks of the test images.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.figure import Figure
from tests.benchmarks.real_sets import REAL_SETS, Labelled
from tests.benchmarks.trained import Outcome, Paint, Training, here, offered_first, train

SETS = ("er", "nuclei", "mito", "organelles")
SECONDS = 60.0
SHARE = 0.05
GOAL = 0.95
WIDTH = 3
LONGEST = 60
"""Pixels that a stroke runs on."""
ROUNDS = (2.0, 16.0, 48.0, 96.0)
"""Pixels from the edge of an area at which strokes follow it."""


def measure(say: Callable[[str], None], options: argparse.Namespace) -> Iterator[Figure]:
    """The IoU after scribbles over that after whole masks, for each set."""
    for name in here(options.sets or SETS, say):
        ways = PAINTS if len(REAL_SETS[name].classes) > 1 else (SCRIBBLES,)
        for seconds in options.seconds or (SECONDS,):
            found: dict[str, list[Outcome]] = {paint: [] for paint in ("all", *ways)}
            for seed in range(options.seeds or 1):
                for paint, outcomes in found.items():
                    cell = Training(
                        name,
                        recipe=offered_first(name),
                        seconds=seconds,
                        seed=seed,
                        paint=paint,
                        clock=options.clock,
                    )
                    outcomes.append(train(cell, options.kept, say, paints=PAINTS))
            whole, *some = found.values()
            yield from map(partial(_figure, f"{name}.{seconds:g}s", whole), ways, some)


def _figure(name: str, whole: Sequence[Outcome], paint: str, some: Sequence[Outcome]) -> Figure:
    reached, there = (float(np.mean([o.mean_iou for o in each])) for each in (some, whole))
    return Figure(
        f"{paint}.{name}",
        reached,
        "IoU",
        n=len(some),
        goal=f"ratio >= {GOAL}",
        met=reached >= GOAL * there,
        peer=there,
        ratio=reached / there,
        note=f"{100 * max(outcome.painted for outcome in some):.1f} % of the pixels painted",
    )


def scribbles(image: Labelled, seed: int, *, in_turn: bool = False) -> NDArray[np.uint8]:
    """What somebody paints of an image in a minute: at most `SHARE` of its pixels.

    Parameters
    ----------
    image
        Its mask is followed.
    seed
        The same seed, the same strokes.
    in_turn
        Every class gets as many strokes as there are to follow; False = a class with more to
        follow gets more.

    Returns
    -------
    ndarray
        ``(Y, X)`` uint8 class ids, 0 where nothing is painted; never wrong.
    """
    random = np.random.default_rng([seed, *image.name.encode()])
    mask = image.mask
    painted = np.zeros_like(mask)
    room = int(SHARE * mask.size)
    lines = {int(k): _lines(mask == k) for k in np.unique(mask) if k}
    while any(line.any() for line in lines.values()):
        lengths = np.array([np.count_nonzero(line) for line in lines.values()])
        chances = lengths > 0 if in_turn else lengths
        class_id = int(random.choice(list(lines), p=chances / chances.sum()))
        stroke = _stroke(lines[class_id], mask == class_id, random)
        if np.count_nonzero(painted) + np.count_nonzero(stroke & (painted == 0)) > room:
            break
        painted[stroke] = class_id
    return painted


def _lines(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a hand would go: the middle of an area, along its edge, and round at some distances."""
    import cv2

    # The image's own edge is none of the area's.
    framed = np.pad(inside.astype(np.uint8), 1, mode="edge")
    distance = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    smooth = cv2.GaussianBlur(distance, (5, 5), 1.0)
    found = np.zeros_like(inside)
    # A middle line falls off to both sides in some direction.
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        ahead = np.roll(smooth, (dy, dx), (0, 1))
        behind = np.roll(smooth, (-dy, -dx), (0, 1))
        found |= (smooth >= ahead) & (smooth >= behind) & (2 * smooth - ahead - behind > 0.3)
    found[[0, -1]] = found[:, [0, -1]] = False
    for away in ROUNDS:
        found |= np.abs(distance - away) < 0.7
    return found & inside


def _stroke(
    line: NDArray[np.bool_], inside: NDArray[np.bool_], random: np.random.Generator
) -> NDArray[np.bool_]:
    """One stroke along a line, which is used up by it."""
    import cv2

    points = np.flatnonzero(line)
    y, x = divmod(int(points[random.integers(len(points))]), line.shape[1])
    path = np.zeros(line.shape, np.uint8)
    for _ in range(LONGEST):
        path[y, x] = 1
        line[y, x] = False
        y0, x0 = max(0, y - 1), max(0, x - 1)
        near = np.argwhere(line[y0 : y + 2, x0 : x + 2])
        if not len(near):
            break
        dy, dx = near[random.integers(len(near))]
        y, x = y0 + int(dy), x0 + int(dx)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (WIDTH, WIDTH))
    stroke: NDArray[np.bool_] = (cv2.dilate(path, kernel) > 0) & inside
    # The line beside the stroke is painted already.
    line &= ~(cv2.dilate(path, np.ones((2 * WIDTH + 1, 2 * WIDTH + 1), np.uint8)) > 0)
    return stroke


SCRIBBLES = "scribbles"
PAINTS: dict[str, Paint] = {
    SCRIBBLES: scribbles,
    "scribbles_in_turn": partial(scribbles, in_turn=True),
}
