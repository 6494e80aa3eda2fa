"""Every test image's score by every run chosen, in an order that shows where they differ. No Qt."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.gui.comparing.measures import MEASURES, class_value
from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.runs.class_scores import LOWER_IS_BETTER

Floats = NDArray[np.float64]

BY_DIFFERENCE, BY_SCORE, BY_NAME = "difference", "score", "name"
_WHOLE = frozenset(measure.score for measure in MEASURES if not measure.is_of_class)


@dataclass(frozen=True)
class ScorePanel:
    """One small plot.

    Attributes
    ----------
    class_name
        "" for the mean over the classes, or a score that all classes have together.
    values
        By run id, ``(images,)`` in the order of `ImagePlot.image_ids`; NaN where there is none.
    """

    class_name: str
    values: Mapping[str, Floats]


@dataclass(frozen=True)
class ImagePlot:
    """What the page shows.

    Attributes
    ----------
    score, title
        Which score, and how it is called.
    order
        `BY_DIFFERENCE`, `BY_SCORE` or `BY_NAME`.
    image_ids, names
        From left to right.
    runs
        A, B and the others.
    has_pair
        Whether the first two runs are A and B.
    panels
        One, or that of the mean and those of the classes.
    """

    score: str
    title: str
    order: str
    image_ids: tuple[str, ...]
    names: tuple[str, ...]
    runs: tuple[ResultRow, ...]
    has_pair: bool
    panels: tuple[ScorePanel, ...]

    def doubt(self, run: ResultRow, place: int) -> str:
        """Why a score is no equal of the others on its image, or ""."""
        item = run.images.get(self.image_ids[place])
        if item is None:
            return ""
        return "saw it" if item.is_leaked else "outdated" if item.is_outdated else ""

    def doubted(self, run: ResultRow) -> frozenset[int]:
        """Places of the images where a run's score is to be marked."""
        return frozenset(i for i in range(len(self.image_ids)) if self.doubt(run, i))

    def difference(self, panel: ScorePanel, place: int) -> float | None:
        """A − B on an image, where both have a score."""
        if not self.has_pair:
            return None
        a, b = (float(panel.values[row.run_id][place]) for row in self.runs[:2])
        return None if math.isnan(a - b) else a - b

    @property
    def limits(self) -> tuple[float, float]:
        """Ends of the axis of scores: tenths for shares, else what there is."""
        all_values = [values for panel in self.panels for values in panel.values.values()]
        found = np.concatenate(all_values) if all_values else np.zeros(0)
        found = found[np.isfinite(found)]
        if not len(found):
            return 0.0, 1.0
        low, high = float(found.min()), float(found.max())
        if low >= 0 and high <= 1:
            low, high = math.floor(low * 10) / 10, math.ceil(high * 10) / 10
            return (low, high) if high > low else (max(0.0, low - 0.1), high or 1.0)
        room = 0.05 * (high - low) or 1.0
        return (0.0 if low >= 0 else low - room), high + room


def image_plot(
    rows: Sequence[ResultRow],
    images: Mapping[str, str],
    class_names: Sequence[str],
    *,
    score: str,
    title: str,
    order: str,
    has_pair: bool,
    should_stop: Callable[[], bool] = lambda: False,
) -> ImagePlot:
    """Gather the scores of some runs and put the images in order.

    Parameters
    ----------
    rows
        A, B where `has_pair`, and others.
    images
        Names by id.
    class_names
        Of the panels, "" for the mean; a score of all classes together has one panel alone.
    score
        As `measures.class_value` takes it.
    title
        Of the score.
    order
        By difference and by score, the first panel counts; images without either stand last.
    has_pair
        Whether the first two rows are A and B.
    should_stop
        Asked before each run.
    """
    panels = [] if score in _WHOLE else list(class_names)
    found: dict[str, dict[str, Floats]] = {name: {} for name in panels or [""]}
    for row in rows:
        for name, values in found.items():
            # When it is asked to stop nobody looks at what is missing.
            there = [] if should_stop() else [_value(row, i, score, name) for i in images]
            values[row.run_id] = np.array(there, np.float64)
    if should_stop():
        return ImagePlot(score, title, order, (), (), (), False, ())
    places = _order(rows, images, next(iter(found.values())), score, order, has_pair)
    ids = list(images)
    return ImagePlot(
        score=score,
        title=title,
        order=order,
        image_ids=tuple(ids[i] for i in places),
        names=tuple(images[ids[i]] for i in places),
        runs=tuple(rows),
        has_pair=has_pair,
        panels=tuple(
            ScorePanel(name, {run_id: each[places] for run_id, each in values.items()})
            for name, values in found.items()
        ),
    )


def _value(row: ResultRow, image_id: str, score: str, class_name: str) -> float:
    item = row.images.get(image_id)
    value = class_value(item.scores, score, class_name) if item is not None else None
    return math.nan if value is None else value


def _order(
    rows: Sequence[ResultRow],
    images: Mapping[str, str],
    values: Mapping[str, Floats],
    score: str,
    order: str,
    has_pair: bool,
) -> list[int]:
    """Places of the images from left to right; names decide between equals."""
    names = [name.casefold() for name in images.values()]
    by_name = sorted(range(len(names)), key=lambda i: names[i])
    if order == BY_NAME or not rows:
        return by_name
    better = values[rows[0].run_id]
    if order == BY_DIFFERENCE and has_pair:
        better = better - values[rows[1].run_id]
    sign = 1 if score in LOWER_IS_BETTER else -1
    # NaN last, the best of A, or where A is best, first.
    return sorted(by_name, key=lambda i: (math.isnan(better[i]), sign * better[i]))
