"""Scores of 2048² against scikit-image, both from the same labels in the same run, one thread each.

The labels are 2025 round objects and the same a little moved, as int32; the classes of the binary
scores are those objects and the ground. Both take turns, and the ratio is the median of the pairs.
scikit-image is no dependency of OrgSeg: where it cannot be imported, OrgSeg is measured alone, and
against the least there is to do: reading both arrays once, counting a mask three times.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.components import Components
from orgseg_app.core.metrics.clusters import adjusted_rand_index, grouping
from orgseg_app.core.metrics.contingency import contingency
from orgseg_app.core.metrics.object_scores import object_scores
from orgseg_app.core.metrics.pixels import confusion_matrix, scores
from tests.benchmarks.figure import Figure

SIZE, APART = 2048, 45
PAIRS = 9
BINARY_MS, OBJECTS_MS, FASTER = 1.5, 15.0, 5.0

Plane = NDArray[np.int32]


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Median milliseconds, and how many times those of the peer."""
    import cv2

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield from _figures(say)
    finally:
        cv2.setNumThreads(threads)


def _figures(say: Callable[[str], None]) -> Iterator[Figure]:
    truth, prediction = discs(0), discs(2)
    peer = _peer(say)
    say(f"Rand and information scores of {len(np.unique(truth)) - 1} objects on {SIZE}²")
    both = (truth, prediction)
    yield _figure("objects", lambda: of_objects(*both), OBJECTS_MS, peer and (lambda: peer(*both)))
    yield _figure("table", lambda: contingency(*both), 0, lambda: (truth.max(), prediction.max()))
    masks = [(labels > 0).astype(np.uint8) + 1 for labels in both]
    say("binary scores")

    def count() -> None:
        for _ in range(3):
            np.count_nonzero(masks[0].view(bool))

    yield _figure(
        "binary", lambda: scores(confusion_matrix(*masks, [1, 2]), [1, 2]), BINARY_MS, count
    )
    many = [np.where(labels > 0, labels % 6 + 2, 1).astype(np.uint8) for labels in both]
    yield _figure("seven_classes", lambda: confusion_matrix(*many, range(1, 8)))
    say("components, and scores of the objects of a class in a volume")
    volume = np.stack(masks * 2)
    yield _figure("components_plane", lambda: Components().add(masks[0]))
    yield _figure("volume_of_4", lambda: object_scores(volume, volume[::-1], [2]))


def discs(moved: int) -> Plane:
    """Round objects in a grid, `moved` voxels down and drawn anew: ``(2048, 2048)`` int32."""
    import cv2

    random = np.random.default_rng(moved)
    labels: Plane = np.zeros((SIZE, SIZE), np.int32)
    for number in range((SIZE // APART) ** 2):
        row, column = divmod(number, SIZE // APART)
        y, x = random.integers(-2, 3, 2) + APART // 2 + APART * np.array((row, column))
        radius = int(random.integers(12, 20))
        cv2.circle(labels, (int(x), int(y + moved)), radius, number + 1, -1)
    return labels


def of_objects(truth: Plane, prediction: Plane) -> tuple[Any, ...]:
    """Everything that needs the table, from one."""
    table = contingency(truth, prediction)
    found = grouping(table).scores()
    return found["adapted_rand_error"], found["voi_split"], adjusted_rand_index(table)


def _peer(say: Callable[[str], None]) -> Callable[[Plane, Plane], object] | None:
    try:
        from skimage.metrics import adapted_rand_error, variation_of_information
    except ImportError:
        say("scikit-image is not there: OrgSeg alone")
        return None

    def both(truth: Plane, prediction: Plane) -> object:
        error = adapted_rand_error(truth, prediction)
        return error, variation_of_information(truth, prediction, ignore_labels=(0,))

    return both


def _figure(
    name: str,
    work: Callable[[], object],
    goal_ms: float = 0,
    other: Callable[[], object] | None = None,
) -> Figure:
    own, theirs = [], []
    for _ in range(PAIRS):
        own.append(_ms(work))
        if other is not None:
            theirs.append(_ms(other))
    value = statistics.median(own)
    ratio = statistics.median(a / b for a, b in zip(own, theirs, strict=True)) if theirs else None
    is_peer = name == "objects"
    goal, met = (f"<= {goal_ms:g} ms", value <= goal_ms) if goal_ms else ("", None)
    if is_peer and ratio is not None:
        goal, met = f"{goal}, {FASTER:g} times faster", met and ratio <= 1 / FASTER
    median = statistics.median(theirs) if theirs else None
    return Figure(
        name=f"scores.{name}_{SIZE}",
        value=value,
        unit="ms",
        n=PAIRS,
        goal=goal,
        met=met,
        peer=median if is_peer else None,
        bound=None if is_peer else median,
        ratio=ratio,
        note=f"fastest {min(own):.2f} ms",
    )


def _ms(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000
