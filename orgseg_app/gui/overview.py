"""What there is to see of an image before, or instead of, its voxels: its stored smaller levels."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from orgseg_app.core.contrast import auto_levels

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
    sizes_yx
        Height and width: of the plane itself, then of levels 1…n.
    levels
        Automatic contrast of each channel, as the full plane gives it.
    value_range
        What a contrast slider should offer.
    """

    def __init__(
        self,
        file: ProjectFile,
        image: ProjectImage,
        z: int,
        sizes: Sequence[tuple[int, int]],
        contrast: NDArray[Any],
    ) -> None:
        self.image_id, self.z = image.image_id, z
        self.sizes_yx = ((image.shape[2], image.shape[3]), *sizes)
        self._file = file
        if image.is_rgb:  # as `auto_levels` does: white stays white
            self.levels = auto_levels(contrast[:, :1, None].astype(image.dtype), is_rgb=True)
        else:
            self.levels = tuple((float(low), float(high)) for low, high in contrast[:, 2:])
        self.value_range = float(contrast[:, 0].min()), float(contrast[:, 1].max())

    def read(self, level: int, y0: int, x0: int, y1: int, x1: int) -> NDArray[Any] | None:
        """Part of a level, ``(C, y1 - y0, x1 - x0)``; None when it cannot be read."""
        from orgseg_app.files.errors import FileError

        try:
            return self._file.read_level(self.image_id, level, self.z, y0, x0, y1, x1)
        except FileError:  # closed meanwhile, say; whoever reads the image itself reports it
            LOG.debug("no overview of %s", self.image_id, exc_info=True)
            return None

    def smallest(self) -> NDArray[Any] | None:
        """The last level, ``(C, Y, X)``, or None when it cannot be read."""
        last = len(self.sizes_yx) - 1
        return self.read(last, 0, 0, *self.sizes_yx[last])


def overview_of(file: ProjectFile, image: ProjectImage, z: int) -> Overview | None:
    """The overview of a plane; None where none is stored (small images, older projects)."""
    from orgseg_app.files.errors import FileError

    try:
        sizes, contrast = file.levels(image.image_id), file.contrast(image.image_id, z)
    except FileError:
        return None
    if not sizes or contrast is None:
        return None
    return Overview(file, image, z, sizes, contrast)
