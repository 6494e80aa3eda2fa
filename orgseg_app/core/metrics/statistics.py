"""Which of two models is better, by how much, and whether that may be luck.

Both are scored on the same images, so that what counts is the difference on each. Images are what
is drawn anew: what is said holds for other images like these. Several runs of one recipe (seeds)
are repeats, no further images: their scores are averaged on each image first, and how much they
differ is told apart. That differences between the images are what they are by chance is tested by
Wilcoxon's signed ranks; how large the mean difference is, an interval says.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orgseg_app.core.metrics.resampling import LEVEL, interval_of_mean

Floats = NDArray[np.float64]

FEWEST_IMAGES = 6
"""With five, no result has p ≤ 0.05: the smallest p there is, 2 / 2⁵, is above it."""

MANY_IMAGES = 20
"""From so many on, a difference that cannot be told from luck is not put down to their number."""

BETTER, WORSE, ALIKE, SAME = "better", "worse", "alike", "same"
TOO_FEW, UNCLEAR = "too few images", "no clear difference"

_EXACT = 200  # images; with more, the normal distribution does
_ROUNDING = 12  # digits: scores that differ less are equal


@dataclass(frozen=True)
class Difference:
    """What is known of the difference of two models' scores, first less second.

    Attributes
    ----------
    images
        Where both have a score.
    left_out
        Images where one has none.
    mean
        Over the images; None without any.
    interval
        The ends of the interval that holds the mean difference over all such images in `LEVEL` of
        all cases; None with fewer than `FEWEST_IMAGES` images, or nearly all without a difference.
    p
        Of Wilcoxon's signed-rank test, two-sided; None without an image.
    p_adjusted
        The same, corrected for the number of pairs that were compared (Holm).
    pairs
        How many these were.
    cohens_d
        Mean difference over the standard deviation of the differences; None where that is 0.
    rank_biserial
        −1…1: see `rank_biserial`.
    runs
        Repeats of the first and of the second that were averaged.
    run_deviations
        Standard deviation of each one's mean score between its repeats; None with one.
    higher_is_better
        Of the score.
    margin
        Differences below it do not matter; 0 when every one does.
    """

    images: int
    left_out: int
    mean: float | None
    interval: tuple[float, float] | None
    p: float | None
    p_adjusted: float | None
    pairs: int
    cohens_d: float | None
    rank_biserial: float | None
    runs: tuple[int, int]
    run_deviations: tuple[float | None, float | None]
    higher_is_better: bool
    margin: float

    @property
    def verdict(self) -> str:
        """`BETTER` or `WORSE` (the first), `ALIKE`, `SAME` (on every image), else not to be told.

        That is `TOO_FEW`, or with `MANY_IMAGES` `UNCLEAR`.

        One is better when both interval and test say so, the test corrected for all pairs.
        """
        if self.mean is None or self.images < FEWEST_IMAGES or self.interval is None:
            return TOO_FEW
        low, high = self.interval
        if low == high == 0:
            return SAME
        if max(-low, high) <= self.margin:
            return ALIKE
        is_luck = self.p_adjusted is None or self.p_adjusted > 1 - LEVEL
        if low <= 0 <= high or is_luck:
            return TOO_FEW if self.images < MANY_IMAGES else UNCLEAR
        return BETTER if (self.mean > 0) == self.higher_is_better else WORSE

    def in_words(self, first: str, second: str) -> str:
        """A sentence with names of the two.

        >>> found = difference([0.75, 0.5, 0.75, 0.5, 0.75, 0.5, 1], [0.5] * 7)
        >>> found.in_words("A", "B")
        'too few images to tell: A − B is 0.18 (0.01 to 0.34), 7 images, p = 0.12'
        >>> found = difference([0.62, 0.61, 0.64, 0.63, 0.62, 0.63, 0.64, 0.6], [0.6] * 8)
        >>> found.in_words("A", "B")
        'A is better by 0.02 (0.01 to 0.04), 8 images'
        """
        return _sentence(self, first, second) + _facts(self)


def difference(
    first: ArrayLike,
    second: ArrayLike,
    *,
    higher_is_better: bool = True,
    margin: float = 0.0,
    seed: int = 0,
) -> Difference:
    """Compare two models by their scores on the same images.

    Parameters
    ----------
    first, second
        ``(n,)`` scores, one an image in the same order, or ``(n, runs)`` with several runs of one
        recipe; None or NaN where a score does not exist. Such an image is left out.
    higher_is_better
        Of the score.
    margin
        Differences below it do not matter, in the unit of the score.
    seed
        Of the resampling; the same seed gives the same interval.

    Raises
    ------
    ValueError
        When the numbers of images differ.

    Examples
    --------
    >>> found = difference([[0.8, 0.9], [0.7, 0.7], [0.9, None]], [0.8, 0.8, 0.8])
    >>> found.images, found.left_out, round(found.mean, 3), found.runs, found.verdict
    (2, 1, -0.025, (2, 1), 'too few images')
    """
    both = [_by_run(scores) for scores in (first, second)]
    if len(both[0]) != len(both[1]):
        raise ValueError(f"Scores of {len(both[0])} and {len(both[1])} images do not pair up.")
    there = ~np.isnan(np.concatenate(both, axis=1)).any(axis=1)
    kept = [scores[there] for scores in both]
    values = np.round(kept[0].mean(axis=1) - kept[1].mean(axis=1), _ROUNDING)
    p = signed_rank_p(values)
    is_enough = len(values) >= FEWEST_IMAGES
    return Difference(
        images=len(values),
        left_out=int(np.count_nonzero(~there)),
        mean=float(values.mean()) if len(values) else None,
        interval=interval_of_mean(values, seed=seed) if is_enough else None,
        p=p,
        p_adjusted=p,
        pairs=1,
        cohens_d=cohens_d(values),
        rank_biserial=rank_biserial(values),
        runs=(kept[0].shape[1], kept[1].shape[1]),
        run_deviations=(_between_runs(kept[0]), _between_runs(kept[1])),
        higher_is_better=higher_is_better,
        margin=margin,
    )


def differences(
    scores: Mapping[str, ArrayLike],
    *,
    higher_is_better: bool = True,
    margin: float = 0.0,
    seed: int = 0,
) -> dict[tuple[str, str], Difference]:
    """Compare all pairs of models, with p corrected for their number.

    Parameters
    ----------
    scores
        Of each model, by name, as for `difference`.
    higher_is_better, margin, seed
        As for `difference`.

    Examples
    --------
    >>> models = {"A": [7, 8, 9, 7, 8, 9], "B": [6, 6, 6, 6, 6, 6], "C": [6, 7, 6, 6, 6, 6]}
    >>> found = differences(models)
    >>> found["A", "B"].p, found["A", "B"].p_adjusted, found["A", "B"].verdict
    (0.03125, 0.09375, 'too few images')
    """
    found = {
        (a, b): difference(
            scores[a], scores[b], higher_is_better=higher_is_better, margin=margin, seed=seed
        )
        for a, b in itertools.combinations(scores, 2)
    }
    return dict(zip(found, corrected(list(found.values())), strict=True))


def corrected(found: Sequence[Difference]) -> list[Difference]:
    """Differences that were looked at together, p corrected for their number (`holm`)."""
    adjusted = holm([each.p for each in found])
    return [
        replace(each, p_adjusted=p, pairs=len(found))
        for each, p in zip(found, adjusted, strict=True)
    ]


def signed_rank_p(values: Floats) -> float | None:
    """The chance of signed ranks as uneven as these when each sign is tossed with a coin.

    Wilcoxon, Biometrics Bulletin 1 (1945), two-sided; images without a difference are left out, as
    he does. The chance is counted exactly, also with ties, by adding one rank after the other to
    the distribution of the sum (so that, unlike in SciPy, ties do not turn a small sample over to
    the normal distribution); with more than 200 images the normal distribution is taken, its
    variance corrected for ties. 1 when no image differs, None without images.

    >>> signed_rank_p(np.array([0.1, 0.2, 0.3, 0.4, 0.5, -0.05]))
    0.0625
    """
    if not len(values):
        return None
    ranks, positive = _signed_ranks(values)
    if not len(ranks):
        return 1.0
    twice = np.rint(2 * ranks).astype(np.int64)
    total = int(twice.sum())
    smaller = min(int(twice[positive].sum()), int(twice[~positive].sum()))
    if len(ranks) > _EXACT:
        from scipy.special import ndtr

        deviation = math.sqrt(float(np.square(twice).sum()) / 4)
        return min(1.0, 2 * float(ndtr((smaller - total / 2) / deviation)))
    # The chance of each sum of the ranks with a plus, up to the smaller of the two found.
    chance = np.zeros(smaller + 1)
    chance[0] = 1.0
    for rank in twice:
        with_it = chance[: max(0, smaller + 1 - rank)] / 2
        chance /= 2
        chance[rank:] += with_it
    return min(1.0, 2 * float(chance.sum()))


def rank_biserial(values: Floats) -> float | None:
    """Share of the ranks that speak for the first, less that for the second: −1…1.

    Kerby, Comprehensive Psychology 3 (2014), of Wilcoxon's signed ranks. 0 when no image differs,
    None without images.

    >>> rank_biserial(np.array([0.3, 0.2, -0.1]))
    0.6666666666666666
    """
    if not len(values):
        return None
    ranks, positive = _signed_ranks(values)
    if not len(ranks):
        return 0.0
    return float((ranks[positive].sum() - ranks[~positive].sum()) / ranks.sum())


def cohens_d(values: Floats) -> float | None:
    """Mean of differences over their standard deviation; None where that is 0 or unknown.

    Cohen, Statistical Power Analysis (1988), for pairs: his d_z.

    >>> cohens_d(np.array([1.0, 2.0, 3.0]))
    2.0
    """
    if len(values) < 2:
        return None
    deviation = float(np.std(values, ddof=1))
    # Of equal values the deviation need not be 0 to the last digit.
    if deviation <= 1e-12 * float(np.abs(values).max()):
        return None
    return float(values.mean()) / deviation


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """The p of several tests, so that the chance of any false claim stays below the level.

    Holm, Scand. J. Statist. 6 (1979). None stays None and is no test.

    >>> holm([0.01, 0.04, None, 0.03])
    [0.03, 0.06, None, 0.06]
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    found: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for number, (p, place) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - number) * p))
        found[place] = highest
    return found


def _by_run(scores: ArrayLike) -> Floats:
    """``(n, runs)``, NaN for None."""
    found = np.asarray(scores, np.float64)
    if found.ndim not in (1, 2) or 0 in found.shape[1:]:
        raise ValueError(f"Scores are one an image, or one an image and run; not {found.shape}.")
    return found[:, None] if found.ndim == 1 else found


def _between_runs(scores: Floats) -> float | None:
    if not len(scores) or scores.shape[1] < 2:
        return None
    return float(np.std(scores.mean(axis=0), ddof=1))


def _signed_ranks(values: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Ranks of the sizes, ties their mean, and which values are above 0; zeros left out."""
    rounded = np.round(values, _ROUNDING)
    rounded = rounded[rounded != 0]
    _, place, sizes = np.unique(np.abs(rounded), return_inverse=True, return_counts=True)
    return (np.cumsum(sizes) - (sizes - 1) / 2)[place], rounded > 0


def _sentence(found: Difference, first: str, second: str) -> str:
    verdict, mean, interval = found.verdict, found.mean, found.interval
    if mean is None or interval is None:
        return "too few images to tell" + (
            "" if mean is None else f": {first} − {second} is {_number(mean, 2)}"
        )
    low, high = interval
    if verdict == SAME:
        return f"{first} and {second} have the same scores"
    is_turned = verdict in (BETTER, WORSE) and mean < 0
    if is_turned:
        mean, low, high = -mean, -high, -low
    places = _places(high - low)
    said = f"{_number(mean, places)} ({_number(low, places)} to {_number(high, places)})"
    if verdict in (BETTER, WORSE):
        return f"{first if verdict == BETTER else second} is better by {said}"
    if verdict == ALIKE:
        margin = _number(found.margin, places)
        return f"{first} and {second} are alike to within {margin}: {first} − {second} is {said}"
    reason = "too few images to tell" if verdict == TOO_FEW else UNCLEAR
    return f"{reason}: {first} − {second} is {said}"


def _facts(found: Difference) -> str:
    """What the sentence rests on."""
    said = f", {found.images} {'image' if found.images == 1 else 'images'}"
    if found.left_out:
        said += f" ({found.left_out} without a score left out)"
    if max(found.runs) > 1:
        first, second = found.runs
        said += f", {first} runs each" if first == second else f", {first} and {second} runs"
    is_open = found.verdict in (TOO_FEW, UNCLEAR)
    if is_open and found.interval is not None and found.p_adjusted is not None:
        low, high = found.interval
        if not low <= 0 <= high:
            said += f", p = {_number(found.p_adjusted, 2)}"
            said += f" among {found.pairs} comparisons" if found.pairs > 1 else ""
    return said


def _places(width: float) -> int:
    """Decimals at which the ends of an interval of a width can be told apart."""
    return min(6, max(2, -math.floor(math.log10(width / 2)))) if width > 0 else 2


def _number(value: float, places: int) -> str:
    """With a proper minus, and none before 0."""
    text = f"{value:.{places}f}"
    return text.replace("-", "" if not float(text) else "−")
