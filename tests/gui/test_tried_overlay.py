"""What is tried out on a plane, as layers compare it."""

from __future__ import annotations

import numpy as np

from orgseg_app.core.objects import Objects
from orgseg_app.gui.canvas.objects_layer import ObjectsOverlay, TriedOverlay
from orgseg_app.gui.canvas.objects_preview import PlacedOverlay, Tried


def test_two_attempts_alike_are_told_apart() -> None:
    """Sections ask whether a layer looks as before; arrays would have no answer to that."""
    others = ObjectsOverlay(Objects((2, 8, 8)))

    def made() -> TriedOverlay:
        tried = Tried("a", 0, np.ones((4, 4), np.uint8), (0, 0), 1, is_whole=True)
        return TriedOverlay(tried, PlacedOverlay(tried), others)

    first, second = made(), made()
    assert first == first
    assert first != second
