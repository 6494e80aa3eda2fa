"""Scores of a run's images by their ids; none is made before somebody looks. No Qt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from orgseg_app.core.metrics.sums import average
from orgseg_app.gui.comparing.measures import class_value
from orgseg_app.runs.image_scores import ImageScores, RunImages, outdated_in


class ImagesById(Mapping[str, ImageScores]):
    """What one run has on the test images.

    Parameters
    ----------
    scores
        As `runs.comparison` gives them.
    """

    def __init__(self, scores: Sequence[ImageScores] = ()) -> None:
        self._scores = scores
        self._kept = scores if isinstance(scores, RunImages) else None
        ids = [item.image_id for item in scores] if self._kept is None else self._kept.ids
        self._places = dict(zip(ids, range(len(ids)), strict=True))
        self._means: dict[tuple[str, str], float | None] = {}

    def __getitem__(self, image_id: str) -> ImageScores:
        return self._scores[self._places[image_id]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    @property
    def outdated(self) -> tuple[str, ...]:
        """Names of images that were painted anew since."""
        return outdated_in(self._scores)

    def mean(self, measure: str, class_name: str) -> float | None:
        """Mean of the images' own scores; "" for that of their means over the classes."""
        key = measure, class_name
        if key not in self._means:
            if self._kept is not None and self._kept.has_mean(measure):
                self._means[key] = self._kept.mean(measure, class_name)
            else:
                own = (class_value(item.scores, measure, class_name) for item in self._scores)
                self._means[key] = average(own)
        return self._means[key]
