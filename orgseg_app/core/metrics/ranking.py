"""Whether several models differ, and which do, by their ranks on each image.

Source: J. Demšar, "Statistical comparisons of classifiers over multiple data sets", J. Mach. Learn.
Res. 7 (2006) 1–30; here images take the place of data sets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

LEVEL = 0.95
_ROUNDING = 12  # digits: scores that differ less are equal


@dataclass(frozen=True)
class Ranking:
    """Models by their mean rank, for a critical-difference diagram.

    Attributes
    ----------
    images
        Where all models have a score.
    mean_ranks
        One a model, in the order given: 1 when it is the best on every image.
    chi_square, chi_square_p
        Friedman's test that all models are alike (J. Am. Statist. Assoc. 32, 1937), corrected for
        ties; None without images, or where all are equal on each.
    f, f_p
        The same as Iman and Davenport (Commun. Statist. A 9, 1980) correct it, which is less
        cautious; None likewise, and `f` infinite where all images agree.
    critical_difference
        Nemenyi's (1963): mean ranks that differ less may do so by chance; None without images.
    alike
        Places of models in the order given: the largest sets, of two or more, within which no two
        differ by the critical difference; those with the best ranks first.
    """

    images: int
    mean_ranks: tuple[float, ...]
    chi_square: float | None
    chi_square_p: float | None
    f: float | None
    f_p: float | None
    critical_difference: float | None
    alike: tuple[tuple[int, ...], ...]


def ranking(scores: ArrayLike, *, higher_is_better: bool = True, level: float = LEVEL) -> Ranking:
    """Rank models on each image and compare their mean ranks.

    Parameters
    ----------
    scores
        ``(n, k)`` of n images and k ≥ 2 models, repeats averaged before; None or NaN where there is
        none. Such images are left out.
    higher_is_better
        Of the score.
    level
        0…1, of the critical difference.

    Raises
    ------
    ValueError
        When there are fewer than two models.

    Examples
    --------
    >>> scores = np.array([[9, 8, 1], [9, 7, 2], [8, 9, 3], [9, 8, 2], [7, 6, 1], [9, 5, 4]])
    >>> found = ranking(scores)
    >>> [round(rank, 2) for rank in found.mean_ranks], round(found.critical_difference, 2)
    ([1.17, 1.83, 3.0], 1.35)
    >>> round(found.chi_square, 2), round(found.chi_square_p, 4), found.alike
    (10.33, 0.0057, ((0, 1), (1, 2)))
    """
    values = np.asarray(scores, np.float64).round(_ROUNDING)
    if values.ndim != 2 or values.shape[1] < 2:
        raise ValueError(f"Scores are one an image and model, of two or more; not {values.shape}.")
    values = values[~np.isnan(values).any(axis=1)]
    n, k = values.shape
    if not n:
        return Ranking(0, (math.nan,) * k, None, None, None, None, None, ())
    ranks = _ranks(-values if higher_is_better else values)
    means = ranks.mean(axis=0)
    critical = critical_difference(k, n, level=level)
    alike = _alike(means, critical)
    return Ranking(n, tuple(means.tolist()), *_tests(ranks), critical, alike)


def critical_difference(models: int, images: int, *, level: float = LEVEL) -> float:
    """How far mean ranks differ at least when it is no chance: q √(k (k + 1) / 6n).

    >>> round(critical_difference(4, 14, level=0.90), 2)  # Demšar's example, p. 16
    1.12
    """
    return _quantile(level, models) * math.sqrt(models * (models + 1) / (6 * images))


def _ranks(values: Floats) -> Floats:
    """Of each row, 1 for the lowest; ties get their mean."""
    lower = (values[:, None, :] < values[:, :, None]).sum(axis=2)
    equal = (values[:, None, :] == values[:, :, None]).sum(axis=2)
    found: Floats = lower + (equal + 1) / 2
    return found


def _tests(ranks: Floats) -> tuple[float | None, float | None, float | None, float | None]:
    """Friedman's figure and p, Iman and Davenport's figure and p."""
    from scipy.special import chdtrc, fdtrc

    n, k = ranks.shape
    middle = (k + 1) / 2
    within = float(np.square(ranks - middle).sum())
    if not within:
        return None, None, None, None
    chi = (k - 1) * float(np.square(ranks.sum(axis=0) - n * middle).sum()) / within
    left = n * (k - 1) - chi
    if left <= 1e-9 * chi:  # all images agree
        return chi, float(chdtrc(k - 1, chi)), math.inf, 0.0 if n > 1 else None
    f = (n - 1) * chi / left
    f_p = float(fdtrc(k - 1, (k - 1) * (n - 1), f)) if n > 1 else None
    return chi, float(chdtrc(k - 1, chi)), f, f_p


def _alike(means: Floats, critical: float) -> tuple[tuple[int, ...], ...]:
    order = np.argsort(means, kind="stable")
    found: list[tuple[int, ...]] = []
    last = 0
    for first in range(len(order)):
        end = first
        while end + 1 < len(order) and means[order[end + 1]] - means[order[first]] < critical:
            end += 1
        if end > first and end > last:
            found.append(tuple(order[first : end + 1].tolist()))
        last = max(last, end)
    return tuple(found)


@cache
def _quantile(level: float, k: int) -> float:
    """Of the range of k normal numbers, over √2: Demšar's q, by halving.

    As `scipy.stats.studentized_range` with infinite degrees of freedom; importing that takes longer
    than the window may wait.
    """
    low, high = 0.0, 40.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if _range_below(middle, k) < level else (low, middle)
    return low / math.sqrt(2)


def _range_below(width: float, k: int) -> float:
    """The chance that the range of k normal numbers is below a width."""
    from scipy.special import ndtr

    # The trapezoid rule is exact to the last digits for a function that is smooth and dies away.
    z = np.linspace(-10.0, 10.0, 801)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    inside = (ndtr(z) - ndtr(z - width)) ** (k - 1)
    return float(k * (density * inside).sum() * (z[1] - z[0]))
