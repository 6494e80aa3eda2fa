"""Two runs on the same test images: which is better, by how much, and whether it may be luck.

A pair is only compared where that is honest: a run that saw one of the images while learning, or
was scored before an image was painted anew, is not measured with the other, and a sentence says so.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orgseg_app.core.metrics.statistics import Difference, corrected, difference

if TYPE_CHECKING:
    from orgseg_app.runs.comparison import Comparison, ImageScores

MOST_RUNS = 40
"""More make so many pairs that chance would have to be ruled out 800 times."""


@dataclass(frozen=True)
class Pair:
    """Two runs, and what their scores on the same images say.

    Attributes
    ----------
    first, second
        Names of the runs.
    found
        None where they are not compared.
    reason
        Why they are not compared, a sentence, or "".
    ids
        Of the runs, where several may have one name.
    """

    first: str
    second: str
    found: Difference | None = None
    reason: str = ""
    ids: tuple[str, str] = ("", "")

    @property
    def sentence(self) -> str:
        """What there is to say, with the runs' names."""
        return self.in_words(f'"{self.first}"', f'"{self.second}"')

    def in_words(self, first: str, second: str) -> str:
        """The same with other names, such as letters."""
        if self.found is None:
            return self.reason
        said = self.found.in_words(first, second)
        return f"{said[:1].upper()}{said[1:]}."

    def to_dict(self) -> dict[str, Any]:
        """As in ``compare.json``; no figures where the runs are not compared."""
        facts: dict[str, Any] = {
            "a": {"id": self.ids[0], "name": self.first},
            "b": {"id": self.ids[1], "name": self.second},
            "score": "mean_iou",
            "sentence": self.sentence,
        }
        if self.found is None:
            return facts | {"verdict": "not compared"}
        return facts | {
            "verdict": self.found.verdict,
            "images": self.found.images,
            "mean_difference": self.found.mean,
            "interval": self.found.interval,
            "p": self.found.p,
            "p_adjusted": self.found.p_adjusted,
            "pairs": self.found.pairs,
            "cohens_d": self.found.cohens_d,
            "rank_biserial": self.found.rank_biserial,
        }


Images = Mapping[str, "ImageScores"]
"""Scores of a run by image, however images are named."""


def pair_of(
    first: str, second: str, scores: tuple[Images, Images], *, class_name: str = ""
) -> Pair:
    """Compare two runs by IoU on the images that both were scored on.

    Parameters
    ----------
    first, second
        Their names.
    scores
        Of each, its images.
    class_name
        "" for the mean over the classes.
    """
    shared = [image for image in scores[0] if image in scores[1]]
    for name, images in zip((first, second), scores, strict=True):
        leaked = [images[image].image for image in shared if images[image].is_leaked]
        if leaked:
            saw = f'"{name}" saw {_some(leaked)} while learning'
            return Pair(first, second, reason=f"Not compared: {saw}, so its scores flatter it.")
        outdated = [images[image].image for image in shared if images[image].is_outdated]
        if outdated:
            changed = f'{_some(outdated)} changed after "{name}" was scored'
            return Pair(first, second, reason=f"Not compared: {changed}. Score it again.")
    values = [[_iou(images[image], class_name) for image in shared] for images in scores]
    return Pair(first, second, difference(values[0], values[1]))


def pairs_of(comparison: Comparison) -> list[Pair]:
    """All pairs of runs with scores, by mean IoU, with p corrected for their number (Holm).

    None of them where there are more than `MOST_RUNS` runs.
    """
    runs = [run for run in comparison.runs if run.per_image]
    if len(runs) > MOST_RUNS:
        return []
    images = {
        run.run_id: {f"{one.image_id} {one.sha256}": one for one in run.per_image} for run in runs
    }
    return _corrected(
        replace(
            pair_of(a.name, b.name, (images[a.run_id], images[b.run_id])),
            ids=(a.run_id, b.run_id),
        )
        for a, b in itertools.combinations(runs, 2)
    )


def _corrected(pairs: Iterable[Pair]) -> list[Pair]:
    made = list(pairs)
    adjusted = iter(corrected([pair.found for pair in made if pair.found is not None]))
    return [pair if pair.found is None else replace(pair, found=next(adjusted)) for pair in made]


def _iou(image: ImageScores, class_name: str) -> float:
    """NaN where it does not exist."""
    scores = image.scores
    found = scores.by_class["iou"].get(class_name) if class_name else scores.mean_iou
    return math.nan if found is None else found


def _some(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} of the images"
