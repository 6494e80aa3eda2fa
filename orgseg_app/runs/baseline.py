"""What a plain threshold would score on the same images: the bar every network has to clear.

Otsu's threshold (Otsu 1979, IEEE Trans. SMC 9, 62–66) of every image by itself, and one for all
images together; foreground brighter or darker, whichever scores better on these very images. That
choice favours the threshold, so a network that beats it is not beating a straw man.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, UNLABELLED, ClassInfo
from orgseg_app.core.metrics.pixels import scores

_FLOAT_BINS = 4096


def otsu_threshold(values: NDArray[np.generic]) -> float:
    """The grey value that parts an image best into darker (≤) and brighter (>) pixels.

    Parameters
    ----------
    values : ndarray
        Any shape; integers are counted exactly, floats in 4096 bins, what is not finite is left
        out.

    Returns
    -------
    float
        Threshold; of a flat image its only value.

    Examples
    --------
    >>> otsu_threshold(np.array([1, 1, 2, 9, 9, 10], np.uint8))
    2.0
    """
    flat = values.ravel()
    if flat.dtype.kind == "f":
        flat = flat[np.isfinite(flat)]
    if flat.size == 0:
        return 0.0
    low, high = float(flat.min()), float(flat.max())
    if low == high:
        return low
    if flat.dtype.kind == "f":
        counts, edges = np.histogram(flat, _FLOAT_BINS, (low, high))
        levels = edges[1:]
    else:
        counts = np.bincount(flat.astype(np.int64) - int(low))
        levels = np.arange(len(counts)) + low
    centres = np.arange(len(counts), dtype=np.float64)
    below = np.cumsum(counts).astype(np.float64)
    moment = np.cumsum(counts * centres)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = (moment[-1] * below / below[-1] - moment) ** 2 / (below * above)
    return float(levels[int(np.nanargmax(np.where(above > 0, spread, np.nan)))])


def threshold_baseline(
    images: Iterable[tuple[str, NDArray[np.generic], NDArray[np.uint8]]],
    classes: Sequence[ClassInfo],
) -> dict[str, Any]:
    """Scores of the best Otsu threshold for every class against all the rest.

    Parameters
    ----------
    images : iterable of (name, pixels (C, Z, Y, X) or (C, Y, X), truth (Z, Y, X) or (Y, X))
        Channels are averaged; unlabelled voxels (0) do not count.
    classes : sequence of ClassInfo
        Background is not scored.

    Returns
    -------
    dict
        ``{"method", "iou": {CLASS: x}, "dice": {…}, "precision": {…}, "recall": {…},
        "mean_iou", "foreground": {CLASS: "bright" | "dark"}, "threshold": {CLASS: "each image" |
        "all images"}, "per_image": [{"image", "iou": {CLASS: x}}]}``. Pooled over all images.
    """
    names, greys, truths = [], [], []
    for name, pixels, truth in images:
        grey = pixels[0] if pixels.shape[0] == 1 else pixels.mean(axis=0, dtype=np.float32)
        names.append(name)
        greys.append(grey.ravel())
        truths.append(truth.ravel())
    wanted = [info for info in classes if info.class_id != BACKGROUND]
    result: dict[str, Any] = {
        "method": "Otsu threshold, the better of each image / all images and bright / dark",
        **{score: {} for score in ("iou", "dice", "precision", "recall")},
        "mean_iou": None,
        "foreground": {},
        "threshold": {},
        "per_image": [{"image": name, "iou": {}} for name in names],
    }
    if not names:
        return result
    common = otsu_threshold(np.concatenate(greys))
    bright = {
        "each image": [grey > otsu_threshold(grey) for grey in greys],
        "all images": [grey > common for grey in greys],
    }
    for info in wanted:
        _score_class(result, info, bright, truths)
    found = [x for x in result["iou"].values() if x is not None]
    result["mean_iou"] = sum(found) / len(found) if found else None
    return result


def _score_class(
    result: dict[str, Any],
    info: ClassInfo,
    bright: dict[str, list[NDArray[np.bool_]]],
    truths: Sequence[NDArray[np.uint8]],
) -> None:
    best: tuple[float, dict[str, Any], list[NDArray[np.int64]], str, str] | None = None
    for which, above in bright.items():
        for side in ("bright", "dark"):
            tables = [
                _table(truth, picked if side == "bright" else ~picked, info.class_id)
                for truth, picked in zip(truths, above, strict=True)
            ]
            pooled = scores(np.sum(tables, axis=0), (BACKGROUND, info.class_id))
            iou = pooled["iou"][info.class_id]
            if iou is not None and (best is None or iou > best[0]):
                best = (iou, pooled, tables, which, side)
    if best is None:
        return
    _, pooled, tables, which, side = best
    for score in ("iou", "dice", "precision", "recall"):
        result[score][info.name] = pooled[score][info.class_id]
    result["threshold"][info.name], result["foreground"][info.name] = which, side
    for entry, table in zip(result["per_image"], tables, strict=True):
        iou = scores(table, (BACKGROUND, info.class_id))["iou"][info.class_id]
        entry["iou"][info.name] = iou


def _table(truth: NDArray[np.uint8], picked: NDArray[np.bool_], class_id: int) -> NDArray[np.int64]:
    """``[[TN, FP], [FN, TP]]`` over labelled voxels."""
    is_class, is_other = truth == class_id, (truth != class_id) & (truth != UNLABELLED)
    hit, false = np.count_nonzero(is_class & picked), np.count_nonzero(is_other & picked)
    return np.array(
        [
            [np.count_nonzero(is_other) - false, false],
            [np.count_nonzero(is_class) - hit, hit],
        ],
        np.int64,
    )
