"""Class balance: rare classes count more."""

from __future__ import annotations

from collections.abc import Mapping


def class_balance(voxels: Mapping[int, int], largest: float = 1.0) -> dict[int, float]:
    """What a voxel of each class counts: ``w_c = largest · (1/f_c) / max_k(1/f_k)``.

    f is the share of a class in all painted voxels, so that the rarest class counts `largest` and
    the painted voxels of every class together count the same.

    Parameters
    ----------
    voxels
        Painted voxels of each class, by id or index; a class without any is left out.
    largest
        Weight of the rarest class.

    Returns
    -------
    dict of int to float
        For each class with voxels.

    Examples
    --------
    >>> class_balance({1: 75, 2: 25, 3: 0})
    {1: 0.3333333333333333, 2: 1.0}
    """
    painted = {key: count for key, count in voxels.items() if count > 0}
    least = min(painted.values(), default=1)
    return {key: largest * least / count for key, count in painted.items()}
