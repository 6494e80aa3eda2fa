"""Whether models differ, and by how much, on the same test images. No Qt.

Only ranked runs are asked: they were scored on the same images, as they are painted today, and had
seen none of them. Seeds of one training are repeats of one model: on each image their scores are
averaged first.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.metrics.ranking import Ranking, ranking
from orgseg_app.core.metrics.statistics import (
    BETTER,
    WORSE,
    Difference,
    corrected,
    difference,
)
from orgseg_app.gui.comparing.measures import class_value
from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.runs.class_scores import LOWER_IS_BETTER
from orgseg_app.runs.repeats import name_of_repeats

Floats = NDArray[np.float64]

MOST_MODELS = 20
"""With more, all others are compared with the first one alone: 190 pairs are enough to read."""

FEWEST_MODELS, FEWEST_IMAGES = 3, 5
"""For mean ranks."""


@dataclass(frozen=True)
class ComparedModel:
    """A run, or several that are repeats of each other.

    Attributes
    ----------
    name
        As shown.
    run_ids
        The one that was chosen first in front.
    colour_index
        Of that one.
    scores
        ``(images, runs)``, NaN where there is none.
    """

    name: str
    run_ids: tuple[str, ...]
    colour_index: int
    scores: Floats

    @property
    def run_id(self) -> str:
        """The run that stands for the model in panes."""
        return self.run_ids[0]

    @property
    def on_images(self) -> Floats:
        """``(images,)``: the mean of the repeats; NaN where one of them has none."""
        found: Floats = self.scores.mean(axis=1)
        return found

    @property
    def mean(self) -> float:
        """Over the images with a score; NaN where there is none."""
        known = self.on_images[~np.isnan(self.on_images)]
        return float(known.mean()) if len(known) else math.nan


@dataclass(frozen=True)
class ModelPair:
    """Two models and what their scores say."""

    first: ComparedModel
    second: ComparedModel
    found: Difference

    @property
    def sentence(self) -> str:
        """Which is better, by how much, on what ground."""
        return self.in_words(self.first.name, self.second.name)

    def in_words(self, first: str, second: str) -> str:
        """The same with other names, such as shorter ones."""
        said = self.found.in_words(f"“{first}”", f"“{second}”")
        return f"{said[:1].upper()}{said[1:]}."

    @property
    def is_told(self) -> bool:
        """Whether one of them is better, chance ruled out."""
        return self.found.verdict in (BETTER, WORSE)


@dataclass(frozen=True)
class Statistics:
    """What the page shows.

    Attributes
    ----------
    score, class_name
        What was compared.
    models
        The best first.
    pairs
        In the order of the models.
    ranks
        Of `models`; None with too few of them or of images.
    images
        How many have a score of every model.
    """

    score: str
    class_name: str
    models: tuple[ComparedModel, ...]
    pairs: tuple[ModelPair, ...]
    ranks: Ranking | None
    images: int

    @property
    def is_lower_better(self) -> bool:
        """The score is an error."""
        return self.score in LOWER_IS_BETTER

    @property
    def reach(self) -> tuple[float, float]:
        """The lowest and the highest difference there is to draw, 0 among them."""
        ends = [0.0]
        for pair in self.pairs:
            ends += pair.found.interval or ()
            ends += [pair.found.mean] if pair.found.mean is not None else []
        return min(ends), max(ends)

    def as_tsv(self) -> str:
        """All pairs as tab-separated text with a heading."""
        lines = ["\t".join(_TITLES)]
        for pair in self.pairs:
            found = pair.found
            low, high = found.interval or (None, None)
            numbers = (
                *(found.mean, low, high, found.p, found.p_adjusted),
                *(found.cohens_d, found.rank_biserial),
            )
            cells = [" ".join(model.name.split()) for model in (pair.first, pair.second)]
            cells += ["" if number is None else f"{number:.6g}" for number in numbers]
            cells += [str(found.images), pair.found.verdict]
            lines.append("\t".join(_safe(cell) for cell in cells))
        return "\n".join(lines) + "\n"


_TITLES = (
    *("A", "B", "Mean difference A − B", "Low end of 95 % interval", "High end", "p (Wilcoxon)"),
    *("p, corrected (Holm)", "Cohen's d", "Rank-biserial correlation", "Images", "A is"),
)


def _safe(cell: str) -> str:
    """A name that a spreadsheet does not take for a formula."""
    is_number = cell.replace("-", "").replace(".", "").replace("e", "").isdigit()
    return f"'{cell}" if cell[:1] in "=+@-" and not is_number else cell


def statistics_of(
    rows: Sequence[ResultRow],
    images: Sequence[str],
    groups: Sequence[Sequence[str]],
    *,
    score: str = "iou",
    class_name: str = "",
    should_stop: Callable[[], bool] = lambda: False,
) -> Statistics:
    """Compare models pair by pair and by their ranks; p is corrected for all pairs.

    Parameters
    ----------
    rows
        Ranked runs.
    images
        Ids of the test images.
    groups
        Ids of runs; those of a group are repeats. A run in none is by itself.
    score
        As `measures.class_value` takes it.
    class_name
        "" for the mean over the classes.
    should_stop
        Asked before each pair; what was found until then is returned.
    """
    models = sorted(
        models_of(rows, images, groups, score=score, class_name=class_name),
        key=lambda model: _order(model.mean, is_lower_better=score in LOWER_IS_BETTER),
    )
    compared = (
        list(itertools.combinations(models, 2))
        if len(models) <= MOST_MODELS
        else [(models[0], other) for other in models[1:]]
    )
    found: list[Difference] = []
    for first, second in compared:
        if should_stop():
            break
        found.append(
            difference(first.scores, second.scores, higher_is_better=score not in LOWER_IS_BETTER)
        )
    pairs = tuple(
        ModelPair(first, second, each)
        for (first, second), each in zip(compared, corrected(found), strict=False)
    )
    return Statistics(
        score=score,
        class_name=class_name,
        models=tuple(models),
        pairs=pairs,
        ranks=_ranks(models, is_lower_better=score in LOWER_IS_BETTER),
        images=_common(models),
    )


def models_of(
    rows: Sequence[ResultRow],
    images: Sequence[str],
    groups: Sequence[Sequence[str]],
    *,
    score: str,
    class_name: str,
) -> list[ComparedModel]:
    """Runs with their scores, repeats together, in the order of the rows."""
    by_id = {row.run_id: row for row in rows}
    group_of: Mapping[str, tuple[str, ...]] = {
        run_id: tuple(other for other in by_id if other in group)
        for group in groups
        for run_id in group
    }
    made: list[ComparedModel] = []
    done: set[str] = set()
    for row in rows:
        if row.run_id in done:
            continue
        members = group_of.get(row.run_id, (row.run_id,))
        done.update(members)
        columns = [_on_images(by_id[i], images, score, class_name) for i in members]
        made.append(
            ComparedModel(
                name=name_of_repeats([by_id[i].name for i in members]),
                run_ids=members,
                colour_index=row.colour_index,
                scores=np.array(columns, np.float64).reshape(len(members), len(images)).T,
            )
        )
    return made


def _on_images(row: ResultRow, images: Sequence[str], score: str, class_name: str) -> list[float]:
    found = []
    for image_id in images:
        item = row.images.get(image_id)
        value = class_value(item.scores, score, class_name) if item is not None else None
        found.append(math.nan if value is None else value)
    return found


def _order(mean: float, *, is_lower_better: bool) -> float:
    """The best first, those without a score last."""
    if math.isnan(mean):
        return math.inf
    return mean if is_lower_better else -mean


def _common(models: Sequence[ComparedModel]) -> int:
    if not models:
        return 0
    there = ~np.isnan(np.stack([model.on_images for model in models])).any(axis=0)
    return int(np.count_nonzero(there))


def _ranks(models: Sequence[ComparedModel], *, is_lower_better: bool) -> Ranking | None:
    if len(models) < FEWEST_MODELS or _common(models) < FEWEST_IMAGES:
        return None
    scores = np.stack([model.on_images for model in models], axis=1)
    return ranking(scores, higher_is_better=not is_lower_better)
