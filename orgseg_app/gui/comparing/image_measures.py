"""The scores that single images have, for choosing one. No Qt."""

from __future__ import annotations

from collections.abc import Iterable

from orgseg_app.gui.comparing.measures import MEASURES, SECTIONS, class_value
from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.runs.class_scores import NEARER_TO_0_IS_BETTER

_COUNTED = (", pooled", ", mean of images")
"""How scores of several images are counted, which those of one are not."""


def image_measures(rows: Iterable[ResultRow]) -> dict[str, str]:
    """Scores that some image of the runs has, with their titles, in the order of the columns.

    Those of which neither more nor less is better are left out: nothing could be put in order.
    """
    pooled = [row.pooled for row in rows if row.pooled is not None]  # no need to make each image's
    titles: dict[str, str] = {}
    for measure in sorted(MEASURES, key=lambda measure: SECTIONS.index(measure.section)):
        score = measure.score
        if score in titles or score in NEARER_TO_0_IS_BETTER:
            continue
        if any(class_value(scores, score) is not None for scores in pooled):
            titles[score] = plain_title(measure.title)
    return titles


def plain_title(title: str) -> str:
    """A column's title without how images were counted together.

    >>> plain_title("Dice (F1), mean of images")
    'Dice (F1)'
    """
    for words in _COUNTED:
        title = title.removesuffix(words)
    return title
