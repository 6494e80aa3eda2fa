"""Where an annotation comes from, and what it became once read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MEANINGS = ("binary", "classes", "instances")
"""What the numbers of label images stand for: structure or not; kinds; single objects."""

MAX_PLAIN_CLASS = 32
"""Up to this, value v of a class image becomes class v + 1; larger ones are numbered in order."""


@dataclass(frozen=True)
class AnnotationSource:
    """The file or files that annotate one image; nothing is read until it is asked for.

    Attributes
    ----------
    format
        Key of `orgseg_app.files.annotations.registry.FORMATS`.
    paths
        One label image, or one mask for each object or class.
    class_names
        For one folder per class: the names of all classes of the set, in order; class k of this
        list is the value k + 1.
    path_values
        For one folder per class: the value of each of ``paths``.
    meaning
        One of `MEANINGS` as guessed over the whole set, or None.
    values
        Values other than 0 seen in the set, ascending; colours are ``0xRRGGBB``.
    key
        For object files: how the file names the image.
    size
        For object files: height and width of the image as the file says; 0 where it does not.
    shapes
        For object files: one of `orgseg_app.files.object_files.format.SHAPES`; else “”.
    """

    format: str
    paths: tuple[Path, ...]
    class_names: tuple[str, ...] = ()
    path_values: tuple[int, ...] = ()
    meaning: str | None = None
    values: tuple[int, ...] = ()
    key: str = ""
    size: tuple[int, int] = (0, 0)
    shapes: str = ""


@dataclass
class LoadedAnnotation:
    """An annotation in OrgSeg's terms.

    Attributes
    ----------
    mask
        uint8 ``(Z, Y, X)``: class id of each voxel; 1 is background, 0 unlabelled.
    objects
        uint32 ``(Z, Y, X)``: a number for each object, 0 outside; None without objects.
    notes
        Sentences about what had to be decided.
    """

    mask: NDArray[np.uint8]
    objects: NDArray[np.uint32] | None = None
    notes: tuple[str, ...] = field(default=())


def default_class_ids(values: tuple[int, ...]) -> dict[int, int]:
    """Class id for each value of class images: v → v + 1, or 2, 3, … in order for other codings.

    >>> default_class_ids((1, 2, 5)), default_class_ids((85, 170, 255))
    ({1: 2, 2: 3, 5: 6}, {85: 2, 170: 3, 255: 4})
    """
    positive = sorted(v for v in values if v > 0)
    if not positive or positive[-1] <= MAX_PLAIN_CLASS:
        return {v: v + 1 for v in positive}
    return {v: rank + 2 for rank, v in enumerate(positive)}
