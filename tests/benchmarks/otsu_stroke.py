"""How well a stroke limited by local Otsu paints ER, beside a plain one along the same way.

Strokes wander over annotated images, of ERNet's where they lie at hand and of the simulated sample.
Intersection over union counts inside the stroked corridor. The bound is the best any threshold
could do there: one for each stroke, chosen by the answer. What an outline is worth that lies one
voxel further out than the annotator's is said beside it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.figure import Figure

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "er_fluo_ernet"
SIZE = 21
STEPS, STEP = 30, 4.0  # of a hand, in voxels
STROKES = 40
PLAIN = (0.3, 0.7)  # IoU of the plain brush on strokes that count: there is something to decide
GOAL = 0.9
SATURATED = 250  # the cell bodies of these 8-bit images; nobody annotated them
SURROUNDINGS = 40

Way = tuple[tuple[float, float], ...]
Pair = tuple[NDArray[np.generic], NDArray[np.bool_]]


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Median IoU of the limited stroke; the plain one is its peer, the best threshold its bound."""
    for name, (pixels, truth) in _images():
        say(f"strokes on {name}")
        found = [scores(pixels, truth, way) for way in ways(pixels, truth, STROKES)]
        plain, limited, best, wide = (statistics.median(c) for c in zip(*found, strict=True))
        reached = sum(score[1] >= GOAL for score in found)
        yield Figure(
            name=f"otsu_stroke.{name}",
            value=limited,
            unit="IoU",
            n=len(found),
            goal=f"≥ {GOAL:g} where a plain brush gets ≤ {PLAIN[1]:g}",
            met=limited >= GOAL,
            bound=best,
            ratio=limited / best,
            note=f"plain brush {plain:.2f}; {reached} of {len(found)} strokes reach {GOAL:g}, "
            f"the best {max(score[1] for score in found):.2f}; the annotation itself, one "
            f"voxel wider all around: {wide:.2f}",
        )


def ways(pixels: NDArray[np.generic], truth: NDArray[np.bool_], count: int, seed: int = 0) -> Any:
    """Ways of a hand that begins on the structure and wanders; tuples of (y, x)."""
    rng = np.random.default_rng(seed)
    starts = np.argwhere(truth)
    saturated = pixels >= SATURATED if pixels.dtype == np.uint8 else np.zeros_like(truth)
    found: list[Way] = []
    for _ in range(4000):
        heading = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.15, STEPS).cumsum()
        steps = STEP * np.stack([np.sin(heading), np.cos(heading)], axis=1)
        places = np.vstack([np.zeros((1, 2)), steps.cumsum(axis=0)])
        places += starts[rng.integers(len(starts))] + 0.5
        low, high = places.min(axis=0) - SURROUNDINGS, places.max(axis=0) + SURROUNDINGS
        if (low < 0).any() or (high > truth.shape).any():
            continue
        (y0, x0), (y1, x1) = low.astype(int), high.astype(int)
        if saturated[y0:y1, x0:x1].mean() > 0.001:
            continue
        way = tuple((float(y), float(x)) for y, x in places)
        corridor = painted(way, truth.shape)
        if PLAIN[0] <= truth[corridor].mean() <= PLAIN[1]:
            found.append(way)
            if len(found) == count:
                break
    return found


def painted(way: Way, size_yx: tuple[int, ...], limit: Any = None) -> NDArray[np.bool_]:
    """What the brush paints along a way, ``(Y, X)``."""
    from orgseg_app.core.edits.recorder import Recorder
    from orgseg_app.core.edits.strokes import PaintStroke
    from orgseg_app.core.mask import Mask

    mask = Mask((1, *size_yx))
    PaintStroke(0, way, SIZE, 2, limit=limit).apply(Recorder("", mask))
    result: NDArray[np.bool_] = mask.plane(0) == 2
    return result


def scores(
    pixels: NDArray[np.generic], truth: NDArray[np.bool_], way: Way
) -> tuple[float, float, float, float]:
    """IoU inside the corridor: of the plain brush, the limited one, the best threshold.

    And of the annotation when its outline lies one voxel further out.
    """
    import cv2

    from orgseg_app.core.painting.limits import OtsuLimit, Voxels

    corridor = painted(way, truth.shape)
    limit = OtsuLimit(Voxels.of(pixels), bright=True, size=SIZE)
    wanted = truth[corridor]
    limited = painted(way, truth.shape, limit)[corridor]
    values = cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), 1.0)[corridor]
    cuts = np.quantile(values, np.linspace(0.02, 0.98, 49))
    best = max(_iou(values >= cut, wanted) for cut in cuts)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    wider = cv2.dilate(truth.astype(np.uint8), cross)[corridor] > 0
    return float(wanted.mean()), _iou(limited, wanted), best, _iou(wider, wanted)


def _iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))


def _images() -> Iterator[tuple[str, Pair]]:
    import cv2

    from orgseg_app.core.samples.catalogue import STRUCTURE, simulate

    for path in sorted((DATA / "images").glob("*")):
        pixels = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        truth = cv2.imread(str(DATA / "labels" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
        if pixels is not None and truth is not None:
            yield path.stem, (pixels, truth > 127)
    sample = simulate("er", 0)
    yield "simulated", (sample.pixels, sample.mask == STRUCTURE)
