"""What there is to see of an image before, or instead of, its voxels: its stored smaller levels."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.contrast import auto_levels, value_range

if TYPE_CHECKING:
    from orgseg_app.core.project import ProjectImage
    from orgseg_app.files.project_file import ProjectFile

LOG = logging.getLogger(__name__)


class Overview:
    """The stored levels of one plane.

    Attributes
    ----------
    image_id, z
        Which plane.
    file, image
        Where it is from.
    sizes_yx
        Height and width: of the plane itself, then of levels 1…n.
    """

    def __init__(
        self, file: ProjectFile, image: ProjectImage, z: int, sizes: Sequence[tuple[int, int]]
    ) -> None:
        self.image_id, self.z = image.image_id, z
        self.sizes_yx = ((image.shape[2], image.shape[3]), *sizes)
        self.file, self.image = file, image

    @cached_property
    def contrast(self) -> NDArray[np.float64] | None:
        """Least and largest value and automatic limits of each channel, ``(C, 4)``, if stored."""
        from orgseg_app.files.errors import FileError

        try:
            return self.file.contrast(self.image_id, self.z)
        except FileError:
            return None

    @property
    def levels(self) -> tuple[tuple[float, float], ...]:
        """Automatic contrast of each channel, as the full plane gives it."""
        contrast = self.contrast
        if contrast is None:
            small = self.smallest()
            return ((0.0, 1.0),) if small is None else auto_levels(small, is_rgb=self.image.is_rgb)
        if self.image.is_rgb:  # as `auto_levels` does: white stays white
            return auto_levels(contrast[:, :1, None].astype(self.image.dtype), is_rgb=True)
        return tuple((float(low), float(high)) for low, high in contrast[:, 2:])

    @property
    def value_range(self) -> tuple[float, float]:
        """What a contrast slider should offer."""
        if self.contrast is None:
            small = self.smallest()
            return (0.0, 1.0) if small is None else value_range(small)
        return float(self.contrast[:, 0].min()), float(self.contrast[:, 1].max())

    def read(self, level: int, y0: int, x0: int, y1: int, x1: int) -> NDArray[Any] | None:
        """Part of a level, ``(C, y1 - y0, x1 - x0)``; None when it cannot be read."""
        from orgseg_app.files.errors import FileError

        try:
            return self.file.read_level(self.image_id, level, self.z, y0, x0, y1, x1)
        except FileError:  # closed meanwhile, say; whoever reads the image itself reports it
            LOG.debug("no overview of %s", self.image_id, exc_info=True)
            return None

    def smallest(self) -> NDArray[Any] | None:
        """The last level, ``(C, Y, X)``, or None when it cannot be read."""
        last = len(self.sizes_yx) - 1
        return self.read(last, 0, 0, *self.sizes_yx[last])

    def at(self, z: int) -> Overview:
        """The overview of another plane of the same image."""
        return Overview(self.file, self.image, z, self.sizes_yx[1:])


def overview_of(file: ProjectFile, image: ProjectImage, z: int) -> Overview | None:
    """The overview of a plane; None where none is stored (small images, older projects)."""
    from orgseg_app.files.errors import FileError

    try:
        sizes = file.levels(image.image_id)
    except FileError:
        return None
    overview = Overview(file, image, z, sizes)
    return overview if sizes and overview.contrast is not None else None
