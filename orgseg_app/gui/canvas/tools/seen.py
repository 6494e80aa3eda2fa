"""The picture as it is seen, for tools that are guided by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orgseg_app.gui.canvas.rendering import to_bytes

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
    from orgseg_app.gui.session import Session


@dataclass(frozen=True)
class SeenPlane:
    """One plane with the contrast and the channels that were shown when it was made.

    What cannot be told apart by eye is not told apart by the tool either; whoever wants it to
    follow a fainter edge turns the contrast up.

    Attributes
    ----------
    file
        The open project; another may have taken its place since.
    image_id, z
        Which plane.
    levels
        ``(low, high)`` of each channel in the image's own values.
    gamma
        1 is linear.
    visible
        Which channels are shown; empty means all.
    is_rgb
        Channels are red, green, blue.
    """

    session: Session
    file: ProjectFile
    image_id: str
    z: int
    levels: tuple[tuple[float, float], ...]
    gamma: float
    visible: tuple[bool, ...]
    is_rgb: bool

    @classmethod
    def of(cls, canvas: AnnotationCanvas) -> SeenPlane | None:
        """What the canvas shows now; None when it shows nothing."""
        session, display = canvas.session, canvas.display
        image = session.image
        if image is None or session.file is None or not canvas.is_shown:
            return None
        return cls(
            session,
            session.file,
            session.image_id,
            session.z,
            display.shown_levels(),
            display.gamma,
            display.channels,
            image.is_rgb,
        )

    @property
    def is_here(self) -> bool:
        """True while it is this plane that is looked at."""
        session = self.session
        return self.is_open and (self.image_id, self.z) == (session.image_id, session.z)

    @property
    def is_open(self) -> bool:
        """True while its image is in the open project."""
        return self.session.file is self.file and self.image_id in self.file.project.images

    def read(self, y0: int, x0: int, y1: int, x1: int) -> NDArray[np.uint8]:
        """Part of the plane, ``(h, w)`` or ``(h, w, 3)``; may be called in any thread.

        Raises
        ------
        FileError
            When it cannot be read.
        """
        plane = self.session.loaded_plane(self.image_id, self.z)
        if plane is not None:
            return self.bytes_of(plane[:, y0:y1, x0:x1])
        place = (self.z, y0, x0, y1, x1)
        return self.bytes_of(self.file.read_region(self.image_id, *place, to_look=True))

    def bytes_of(self, voxels: NDArray[np.generic]) -> NDArray[np.uint8]:
        """Voxels ``(C, h, w)`` as they are seen.

        Up to three channels stay apart; of more, the brightest at each place counts.
        """
        shown = [i for i in range(len(voxels)) if i >= len(self.visible) or self.visible[i]]
        channels = [
            to_bytes(voxels[i], *self.levels[min(i, len(self.levels) - 1)], self.gamma)
            for i in shown or range(len(voxels))
        ]
        if len(channels) == 1:
            return np.ascontiguousarray(channels[0])
        if len(channels) > 3:
            return np.maximum.reduce(channels)
        channels += [np.zeros_like(channels[0])] * (3 - len(channels))
        return np.dstack(channels)
