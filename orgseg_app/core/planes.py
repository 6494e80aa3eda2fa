"""Where planes lie at the ends of a volume: what is mirrored, what is moved inside."""

from __future__ import annotations


def mirrored(z: int, depth: int) -> int:
    """The plane that is seen at `z`: the volume is mirrored at its first and last plane.

    Parameters
    ----------
    z
        Any number.
    depth
        Planes of the volume, 1 or more.

    Returns
    -------
    int
        0 … depth - 1: -1 gives 1, `depth` gives ``depth - 2``; a single plane repeats.
    """
    if depth == 1:
        return 0
    period = 2 * (depth - 1)
    z %= period
    return min(z, period - z)


def first_plane(z: int, place: int, count: int, depth: int) -> int:
    """The first plane of a patch that shows plane `z`, moved inside the volume where it fits.

    Parameters
    ----------
    z
        The plane that has to be shown.
    place
        Where in the patch it is wanted, 0 … ``count - 1``.
    count, depth
        Planes of the patch and of the volume. A deeper patch begins with the volume.

    Examples
    --------
    >>> [first_plane(z, 2, 5, 12) for z in (0, 6, 11)], first_plane(3, 0, 5, 4)
    ([0, 4, 7], 0)
    """
    return max(0, min(z - place, depth - count))
