"""The objects of an image, each in a colour of its own, and the mask around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from orgseg_app.core.mask import Mask
from orgseg_app.core.objects import Numbers, Objects
from orgseg_app.gui.canvas.layers import (
    OBJECTS,
    LayerLook,
    LayerSource,
    MaskSource,
    OverlayLayer,
)
from orgseg_app.gui.canvas.object_colours import (
    OUTLINED,
    PALETTE,
    VALUES,
    object_colours,
    object_values,
)
from orgseg_app.gui.canvas.objects_preview import ObjectsPreview, PlacedOverlay, Tried
from orgseg_app.gui.canvas.options import DisplayOptions
from orgseg_app.gui.session import Session

_ELSEWHERE = 255
"""Value of the mask's layer where an object lies: it has a colour of its own already."""


@dataclass(frozen=True)
class ObjectsOverlay:
    """Objects as values of an overlay; those that touch differ, whatever their numbers."""

    objects: Objects

    def sample(
        self, z: int, rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> NDArray[np.uint8]:
        """Values 1…254 of the objects, and 0 around them."""
        return values_apart(self.objects.sample(z, rows, columns))

    def sample_planes(
        self, planes: Sequence[int], rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> NDArray[np.uint8]:
        """The same for several planes, ``(planes, rows, columns)``."""
        return object_values(self.objects.sample_planes(planes, rows, columns))


@dataclass(frozen=True)
class TriedOverlay:
    """What was made of one plane in place of its objects; on other planes, the objects there."""

    tried: Tried
    placed: PlacedOverlay
    others: ObjectsOverlay

    def sample(
        self, z: int, rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> NDArray[np.uint8]:
        """Values as of `ObjectsOverlay`."""
        where = self.placed if z == self.tried.z else self.others
        return where.sample(z, rows, columns)

    def sample_planes(
        self, planes: Sequence[int], rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> NDArray[np.uint8]:
        """The same for several planes, ``(planes, rows, columns)``."""
        values = self.others.sample_planes(planes, rows, columns)
        for index, z in enumerate(planes):
            if z == self.tried.z:
                values[index] = self.placed.sample(z, rows, columns)
        return values


@dataclass(frozen=True)
class OutsideObjects:
    """A mask that says nothing where there are objects."""

    mask: Mask

    def sample(
        self, z: int, rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> NDArray[np.uint8]:
        """Class ids; `_ELSEWHERE` where an object lies."""
        return self.sample_planes((z,), rows, columns)[0]

    def sample_planes(
        self, planes: Sequence[int], rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> NDArray[np.uint8]:
        """The same for several planes, ``(planes, rows, columns)``."""
        values = self.mask.sample_planes(planes, rows, columns)
        numbers = self.mask.objects.sample_planes(planes, rows, columns)
        np.copyto(values, np.uint8(_ELSEWHERE), where=numbers > 0)
        return values


def values_apart(numbers: Numbers) -> NDArray[np.uint8]:
    """Numbers of objects on a screen as `object_values`, but never one value for two that touch.

    Objects a multiple of 254 apart share a value, and no line would be drawn between them. Where
    such meet, one of them takes another value of the same colour.

    Parameters
    ----------
    numbers
        ``(h, w)``; 0 is no object.

    Returns
    -------
    uint8, same shape
    """
    values = object_values(numbers)
    if not numbers.size or int(numbers.max()) <= VALUES:
        return values
    meet = set()
    for a, b in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        alike = (values[a] == values[b]) & (numbers[a] != numbers[b]) & (values[a] > 0)
        if alike.any():
            meet |= set(np.unique(numbers[a][alike]).tolist())
    taken = set(np.unique(values).tolist()) if meet else set()
    for number in sorted(meet):
        value = (number - 1) % VALUES + 1
        alike_in_colour = range((value - 1) % len(PALETTE) + 1, VALUES + 1, len(PALETTE))
        free = next((v for v in alike_in_colour if v not in taken), value % VALUES + 1)
        taken.add(free)
        values[numbers == number] = free
    return values


class ObjectsSource(LayerSource):
    """The objects of the image, while the window is in objects mode."""

    kind = OBJECTS

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.preview: ObjectsPreview | None = None
        self._tried: TriedOverlay | None = None
        session.objects.changed.connect(self.changed)

    def try_out(self, preview: ObjectsPreview) -> None:
        """While this is on, show what it has made in place of the objects."""
        self.preview = preview
        preview.changed.connect(self._on_tried)

    def _on_tried(self) -> None:
        self.is_alone = self.preview is not None and self.preview.tried is not None
        self.changed.emit()

    def layer(self, image_id: str, z: int, look: LayerLook) -> OverlayLayer | None:
        """The objects as they are in memory."""
        session = self._session
        if session.file is None or not session.objects.is_on:
            return None
        colours = object_colours(look.opacity, fill=look.fill)
        overlay = ObjectsOverlay(session.mask(image_id).objects)
        tried = self.preview.tried if self.preview is not None else None
        if tried is not None and (tried.image_id, tried.z) == (image_id, z):
            if self._tried is None or self._tried.tried is not tried:
                self._tried = TriedOverlay(tried, PlacedOverlay(tried), overlay)
            return OverlayLayer(self._tried, colours, z, look.outline, OUTLINED)
        return OverlayLayer(overlay, colours, z, look.outline, OUTLINED)


class AnnotatedSource(MaskSource):
    """The mask; in objects mode, what of it belongs to no object."""

    def __init__(
        self, session: Session, display: DisplayOptions, parent: QObject | None = None
    ) -> None:
        super().__init__(session, display, parent)
        session.objects.changed.connect(self.changed)

    def layer(self, image_id: str, z: int, look: LayerLook) -> OverlayLayer | None:
        """The mask as it is in memory."""
        found = super().layer(image_id, z, look)
        shows_objects = self._session.objects.is_on and self._display.look(OBJECTS).visible
        if found is None or not shows_objects:
            return found
        outlined = np.arange(256) > 1
        outlined[_ELSEWHERE] = False
        colours = found.colours.copy()
        colours[_ELSEWHERE] = 0
        overlay = OutsideObjects(self._session.mask(image_id))
        return replace(found, overlay=overlay, colours=colours, outlined=outlined)
