"""The layers over an image: what each shows, how it looks, and in which order they are painted.

A `LayerSource` knows the content of one kind of layer, `DisplayOptions` how the person wants it to
look, and a `LayerStack` puts both together into what a `PlaneView` paints. Nothing is asked of a
source whose layer is hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from orgseg_app.gui.canvas.rendering import Overlay, class_colours

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.options import DisplayOptions
    from orgseg_app.gui.session import Session

WEIGHTS, PREDICTION, MASK, OBJECTS, DIFFERENCE = KINDS = (
    "weights",
    "prediction",
    "mask",
    "objects",
    "difference",
)
"""From the lowest to the topmost."""

PREDICTION_FORMS = ("mask", "probability", "objects")
"""What of a prediction can be looked at."""


@dataclass(frozen=True)
class LayerLook:
    """How a layer is to look.

    Attributes
    ----------
    visible
        Whether it is shown.
    opacity
        Of what is filled, 0…1.
    outline, fill
        Whether edges are drawn, and regions tinted.
    """

    visible: bool = True
    opacity: float = 0.4
    outline: bool = True
    fill: bool = True

    def changed(self, values: Mapping[str, Any]) -> LayerLook:
        """With some other values; those that make no sense are left out."""
        good: dict[str, Any] = {
            name: values[name]
            for name in ("visible", "outline", "fill")
            if isinstance(values.get(name), bool)
        }
        opacity = values.get("opacity")
        if isinstance(opacity, int | float) and not isinstance(opacity, bool) and 0 <= opacity <= 1:
            good["opacity"] = float(opacity)
        return replace(self, **good)


DEFAULT_LOOKS: Mapping[str, LayerLook] = {
    WEIGHTS: LayerLook(opacity=0.6, outline=False),
    PREDICTION: LayerLook(visible=False),
    MASK: LayerLook(),
    OBJECTS: LayerLook(opacity=0.5),
    DIFFERENCE: LayerLook(visible=False, opacity=1.0, outline=False),
}


@dataclass(frozen=True)
class OverlayLayer:
    """Coloured values over an image, ready to be painted.

    Attributes
    ----------
    overlay
        Where the values come from.
    colours
        ``(256, 4)`` uint8 red, green, blue, opacity of each value.
    z
        The plane.
    outline
        Whether edges between values are drawn.
    outlined
        ``(256,)`` bool: values with an outline; all but 0 and background when None.
    hatch_unlabelled
        Hatch where the value is 0.
    """

    overlay: Overlay
    colours: NDArray[np.uint8]
    z: int = 0
    outline: bool = True
    outlined: NDArray[np.bool_] | None = None
    hatch_unlabelled: bool = False


class LayerSource(QObject):
    """Where one kind of layer comes from.

    Attributes
    ----------
    kind
        One of `KINDS`.
    is_alone
        While it has something to show, no other layer is painted.

    Signals
    -------
    changed()
        `layer` would answer otherwise now; voxels that a tool paints are not told here.
    """

    kind = ""
    is_alone = False
    changed = Signal()

    def layer(self, image_id: str, z: int, look: LayerLook) -> OverlayLayer | None:
        """What to paint over a plane; in a few milliseconds.

        None where there is nothing, or while it is read in the background: `changed` follows.
        """
        raise NotImplementedError


class MaskSource(LayerSource):
    """What is painted, in the colours of the classes."""

    kind = MASK

    def __init__(
        self, session: Session, display: DisplayOptions, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._display = session, display
        session.classes_changed.connect(self.changed)

    def layer(self, image_id: str, z: int, look: LayerLook) -> OverlayLayer | None:
        """The mask as it is in memory."""
        session = self._session
        if session.file is None:
            return None
        return OverlayLayer(
            session.mask(image_id),
            class_colours(session.classes, fill=look.fill, opacity=look.opacity),
            z,
            look.outline,
            hatch_unlabelled=self._display.show_unlabelled,
        )


class LayerStack(QObject):
    """The layers of one canvas, one source a kind.

    Signals
    -------
    changed()
        A source has something else to show.
    """

    changed = Signal()

    def __init__(self, display: DisplayOptions, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._display = display
        self._sources: dict[str, LayerSource] = {}

    def add(self, source: LayerSource) -> None:
        """Show this source's layer from now on, in place of a former one of its kind."""
        former = self._sources.get(source.kind)
        if former is not None:
            former.changed.disconnect(self.changed)
        self._sources[source.kind] = source
        source.changed.connect(self.changed)
        self.changed.emit()

    def source(self, kind: str) -> LayerSource | None:
        """The source of a kind."""
        return self._sources.get(kind)

    def overlays(self, image_id: str, z: int) -> tuple[OverlayLayer, ...]:
        """What to paint over a plane, from the lowest layer to the topmost."""
        found = []
        for kind in reversed(KINDS):
            source, look = self._sources.get(kind), self._display.look(kind)
            layer = source.layer(image_id, z, look) if source and look.visible else None
            if layer is not None:
                if source is not None and source.is_alone:
                    return (layer,)
                found.append(layer)
        return tuple(reversed(found))
