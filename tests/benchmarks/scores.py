"""Scores of 2048² against scikit-image, stardist and Cellpose, from the same labels in one run.

The labels are 2025 round objects and the same a little moved, as int32; the classes of the binary
scores are those objects and the ground. OrgSeg makes everything that needs the table of overlaps:
objects matched at ten thresholds, adapted Rand error, variation of information. Each peer makes
what it has of that: scikit-image the last two, stardist and Cellpose the first. All take turns, in
processor time of one thread, and the ratio is the median of the pairs.

No peer is a dependency of OrgSeg: they lie in ``$PEERS/metrics``, made outside the project by::

    pip install --target $PEERS/metrics --no-deps scikit-image lazy-loader packaging numba \\
        llvmlite tqdm six stardist csbdeep cellpose fastremap fill-voids

Those that cannot be imported are left out. Binary scores, and the table by itself, are measured
against the least there is to do: counting a mask three times, reading both arrays once.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.components import Components
from orgseg_app.core.metrics.boundaries import boundary_scores
from orgseg_app.core.metrics.clusters import grouping
from orgseg_app.core.metrics.contingency import contingency
from orgseg_app.core.metrics.instances import THRESHOLDS, matching
from orgseg_app.core.metrics.judging import RatedCounter, facts_of_image
from orgseg_app.core.metrics.object_scores import object_scores
from orgseg_app.core.metrics.pixels import confusion_matrix, scores
from orgseg_app.core.metrics.skeletons import skeleton_scores
from orgseg_app.core.metrics.thresholds import rated, roc_auc
from tests.benchmarks.figure import Figure

SIZE, APART = 2048, 45
PAIRS = 15
BINARY_MS, OBJECTS_MS, BOUNDARIES_MS, FACTS_MS = 1.5, 15.0, 150.0, 2000.0
FASTER = {"scikit-image": 5.0, "stardist": 25.0, "cellpose": 25.0}

Plane = NDArray[np.int32]
Peer = Callable[[Plane, Plane], object]


def measure(say: Callable[[str], None], options: argparse.Namespace) -> Iterator[Figure]:
    """Median milliseconds, and how many times those of the peers."""
    import cv2

    folder = options.peers or os.environ.get("PEERS", "")
    if folder:
        sys.path.append(str(Path(folder) / "metrics"))
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield from _figures(say)
    finally:
        cv2.setNumThreads(threads)


def _figures(say: Callable[[str], None]) -> Iterator[Figure]:
    truth, prediction = discs(0), discs(2)
    both = (truth, prediction)
    say(f"scores of {len(np.unique(truth)) - 1} objects on {SIZE}²")
    yield _figure("objects", lambda: of_objects(*both), OBJECTS_MS)
    for name, peer in _peers(say).items():
        yield _figure(
            f"objects_and_{name}", lambda: of_objects(*both), 0, lambda peer=peer: peer(*both), name
        )
    yield _figure("table", lambda: contingency(*both), 0, lambda: (truth.max(), prediction.max()))
    table = contingency(*both)
    yield _figure("matching", lambda: matching(table))
    masks = [(labels > 0).astype(np.uint8) + 1 for labels in both]
    say("binary scores")

    def count() -> None:
        for _ in range(3):
            np.count_nonzero(masks[0].view(bool))

    yield _figure(
        "binary", lambda: scores(confusion_matrix(*masks, [1, 2]), [1, 2]), BINARY_MS, count
    )
    say("outlines, skeletons, thresholds")
    yield _figure("boundaries", lambda: boundary_scores(*masks, 2), BOUNDARIES_MS)
    yield _figure("skeletons", lambda: skeleton_scores(*masks, 2))
    chance = np.random.default_rng(0).integers(0, 256, masks[0].shape).astype(np.uint8)
    yield _figure("thresholds", lambda: roc_auc(rated(masks[0], chance, 2)))
    many = [np.where(labels > 0, labels % 6 + 2, 1).astype(np.uint8) for labels in both]
    yield _figure("seven_classes", lambda: confusion_matrix(*many, range(1, 8)))
    say("everything that a job counts of a plane")
    yield _figure("facts", lambda: facts(masks, chance, [1, 2]), FACTS_MS)
    yield _figure("facts_of_seven_classes", lambda: facts(many, chance, list(range(1, 8))))
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
    return matching(table).scores(), grouping(table).scores()


def facts(
    both: Sequence[NDArray[np.uint8]], probability: NDArray[np.uint8], class_ids: Sequence[int]
) -> dict[str, Any]:
    """All that a job writes of an image of one plane, of each class with a probability."""
    truth, prediction = (mask[None] for mask in both)
    counter = RatedCounter(class_ids[1:])
    for class_id in class_ids:
        counter.add(both[0], probability[None], [class_id])
    return facts_of_image(truth, prediction, class_ids, rated=counter.rated())


def _peers(say: Callable[[str], None]) -> dict[str, Peer]:
    """Those that are there, each called once: some compile at their first call."""
    found: dict[str, Peer] = {}
    for name, load in (
        ("scikit-image", _scikit_image),
        ("stardist", _stardist),
        ("cellpose", _cellpose),
    ):
        try:
            peer = load()
            peer(discs(0)[:256, :256], discs(2)[:256, :256])
        except ImportError as error:
            say(f"{name} is left out: {error}")
        else:
            found[name] = peer
    return found


def _scikit_image() -> Peer:
    from skimage.metrics import adapted_rand_error, variation_of_information

    def both(truth: Plane, prediction: Plane) -> object:
        error = adapted_rand_error(truth, prediction)
        return error, variation_of_information(truth, prediction, ignore_labels=(0,))

    return both


def _stardist() -> Peer:
    from stardist.matching import matching as match

    return lambda truth, prediction: match(truth, prediction, THRESHOLDS)


def _cellpose() -> Peer:
    from cellpose.metrics import average_precision

    return lambda truth, prediction: average_precision(truth, prediction, list(THRESHOLDS))


def _figure(
    name: str,
    work: Callable[[], object],
    goal_ms: float = 0,
    other: Callable[[], object] | None = None,
    peer: str = "",
) -> Figure:
    own, theirs = [], []
    for _ in range(PAIRS):
        own.append(_ms(work))
        if other is not None:
            theirs.append(_ms(other))
    value = statistics.median(own)
    ratio = statistics.median(a / b for a, b in zip(own, theirs, strict=True)) if theirs else None
    goal, met = (f"<= {goal_ms:g} ms", value <= goal_ms) if goal_ms else ("", None)
    if peer and ratio is not None:
        goal, met = f"{FASTER[peer]:g} times faster", ratio <= 1 / FASTER[peer]
    median = statistics.median(theirs) if theirs else None
    return Figure(
        name=f"scores.{name}_{SIZE}",
        value=value,
        unit="ms",
        n=PAIRS,
        goal=goal,
        met=met,
        peer=median if peer else None,
        bound=None if peer else median,
        ratio=ratio,
        note=f"fastest {min(own):.2f} ms"
        + (f"; {1 / ratio:.1f} times faster than {peer}" if peer and ratio else ""),
    )


def _ms(work: Callable[[], object]) -> float:
    """Of this process's processor: others on the machine do not count."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000
