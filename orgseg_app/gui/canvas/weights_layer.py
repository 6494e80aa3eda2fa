"""How much each voxel counts in training, as a heat map over the image."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from orgseg_app.gui.canvas import colour_maps
from orgseg_app.gui.canvas.layers import WEIGHTS, LayerLook, LayerSource, OverlayLayer
from orgseg_app.gui.canvas.plane_reading import PlaneReader
from orgseg_app.gui.canvas.rendering import ArrayOverlay
from orgseg_app.gui.canvas.weights_preview import Tried, WeightsPreview
from orgseg_app.gui.session import Session

HEAT = "cividis"
"""Made to look alike for every kind of colour vision (Nuñez, Anderton and Renslow, Optimizing
colormaps with consideration for color vision deficiency, PLoS ONE 13, 2018)."""

Range = tuple[float, float]


def weight_colours(opacity: float = 1.0) -> NDArray[np.uint8]:
    """Colours of `weight_values`, ``(256, 4)`` red, green, blue, opacity.

    What does not count shows nothing.
    """
    table = np.empty((256, 4), np.uint8)
    table[:, :3] = colour_maps.colours(HEAT)
    table[:, 3] = round(255 * opacity)
    table[0, 3] = 0
    return table


def weight_values(weights: NDArray[np.float32], ends: Range) -> NDArray[np.uint8]:
    """Weights as values of an overlay: 0 for those of 0, else 1…255 between the two ends.

    By the square root, so that small weights can be told apart beside strong edges.

    Examples
    --------
    >>> weight_values(np.array([0, 0.5, 2], np.float32), (0.0, 2.0)).tolist()
    [0, 128, 255]
    """
    low, high = ends
    if high <= low:
        values = np.full(weights.shape, 255, np.uint8)
    else:
        share = np.clip((weights - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
        values = (np.sqrt(share) * 254 + 1.5).astype(np.uint8)
    values[weights <= 0] = 0
    return values


class WeightsSource(LayerSource):
    """The weights of the open project's images.

    `changed` tells, too, that an image has other weights, or none any more.

    Attributes
    ----------
    preview
        Weights that are tried out; while it is on they are shown in place of stored ones.
    """

    kind = WEIGHTS

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.preview = WeightsPreview(session, self)
        self.preview.changed.connect(self._on_tried)
        self._tried: tuple[Tried, ArrayOverlay] | None = None
        self._reader = PlaneReader(self)
        self._reader.arrived.connect(self.changed)
        session.closing.connect(self._reader.finish)
        session.images_changed.connect(self.forget)

    def forget(self) -> None:
        """Read anew what is looked at: it may have changed."""
        self._reader.forget()
        self.changed.emit()

    def ends(self, image_id: str) -> Range | Exception | None:
        """Least and largest weight; None where there is none, or while that is found out."""
        if self._tries(image_id):
            tried = self.preview.tried
            return tried.ends if tried is not None else None
        return self.stored_ends(image_id)

    def stored_ends(self, image_id: str) -> Range | Exception | None:
        """As `ends`, of those in the file, whatever is tried out."""
        file = self._session.file
        if file is None or image_id not in file.project.images:
            return None
        from orgseg_app.files.weights import weights_range

        found = self._reader.get(("range", image_id), lambda: weights_range(file, image_id) or ())
        return found or None

    def layer(self, image_id: str, z: int, look: LayerLook) -> OverlayLayer | None:
        """A plane of them."""
        if self._tries(image_id):
            return self._tried_layer(image_id, z, look)
        file, ends = self._session.file, self.ends(image_id)
        if file is None or not isinstance(ends, tuple):
            return None
        from orgseg_app.files.weights import weights_plane

        def read() -> NDArray[np.uint8] | tuple[()]:
            weights = weights_plane(file, image_id, z)
            return () if weights is None else weight_values(weights, ends)

        plane = self._reader.get(("plane", image_id, z), read)
        if not isinstance(plane, np.ndarray):
            return None
        return OverlayLayer(ArrayOverlay(plane), weight_colours(look.opacity), outline=False)

    def _on_tried(self) -> None:
        self.is_alone = self.preview.is_on  # the mask would hide the very edges
        self.changed.emit()

    def _tries(self, image_id: str) -> bool:
        return self.preview.is_on and image_id == self._session.image_id

    def _tried_layer(self, image_id: str, z: int, look: LayerLook) -> OverlayLayer | None:
        tried = self.preview.tried
        if tried is None or (tried.image_id, tried.z) != (image_id, z):
            return None
        if self._tried is None or self._tried[0] is not tried:
            shown = ArrayOverlay(weight_values(tried.weights, tried.ends))
            self._tried = tried, shown
        return OverlayLayer(self._tried[1], weight_colours(look.opacity), outline=False)
