"""What lies over the image in each pane, and what stands at a voxel."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import UNLABELLED, ClassInfo
from orgseg_app.gui.canvas import difference
from orgseg_app.gui.canvas.layers import OverlayLayer
from orgseg_app.gui.canvas.rendering import ArrayOverlay, class_colours
from orgseg_app.gui.comparing.pane_data import LETTERS, PaneData

DIFFERENCE, MASK, IMAGE = MODES = ("Difference", "Mask", "Image")
TIPS = {
    DIFFERENCE: "What is right, too much and missed",
    MASK: "The classes that were predicted",
    IMAGE: "The image alone",
}


def layers_of(
    data: PaneData, place: int, mode: str, classes: Sequence[ClassInfo], *, outlines: bool = False
) -> tuple[OverlayLayer, ...]:
    """What lies over the image in one pane, the lowest first.

    Parameters
    ----------
    place
        Number of the run; the truth is the one after the last.
    mode
        One of `MODES`.
    classes
        Of the project; those shown are the one judged, or all but background.
    outlines
        Draw the edges of the truth over a prediction.
    """
    shown = [c for c in classes if c.class_id > 1 and data.class_id in (None, c.class_id)]
    is_truth = place == len(data.predictions)
    values = data.truth if is_truth else data.predictions[place]
    if not isinstance(values, np.ndarray):
        return ()
    found: list[OverlayLayer] = []
    edges = outlines and not is_truth
    if mode == MASK:
        hatched = is_truth and not values.all()  # 0 is unlabelled, or not judged
        colours = class_colours(shown, opacity=0.4)
        # Edges of its own would be taken for those of the truth.
        found.append(
            OverlayLayer(ArrayOverlay(values), colours, 0, not edges, _among(shown), hatched)
        )
    elif mode == DIFFERENCE and is_truth:
        hatched = not values.all()
        table = difference.truth_table(c.class_id for c in shown)
        found.append(OverlayLayer(ArrayOverlay(values), table, 0, False, None, hatched))
    elif mode == DIFFERENCE:
        judged = data.judged[place]
        assert judged is not None
        hatched = not judged.all()
        table = difference.colour_table()
        found.append(OverlayLayer(ArrayOverlay(judged), table, 0, False, None, hatched))
    if edges:
        table = np.zeros((256, 4), np.uint8)
        table[[c.class_id for c in shown], :3] = 255
        found.append(OverlayLayer(ArrayOverlay(data.truth), table, 0, True, _among(shown)))
    return tuple(found)


def _among(classes: Sequence[ClassInfo]) -> NDArray[np.bool_]:
    """Which class ids are among these, ``(256,)`` bool."""
    table = np.zeros(256, bool)
    table[[c.class_id for c in classes]] = True
    return table


def voxel_words(
    data: PaneData, y: float, x: float, classes: Sequence[ClassInfo], depth: int = 1
) -> str:
    """Where a place is, its class in the truth and in each run; "" outside the image.

    Parameters
    ----------
    y, x
        In voxels.
    classes
        Of the project, for their names.
    depth
        Planes of the image; the plane is said where there are several.
    """
    height, width = data.truth.shape
    if math.isnan(y) or math.isnan(x):
        return ""
    row, column = math.floor(y), math.floor(x)
    if not (0 <= row < height and 0 <= column < width):
        return ""
    names = {c.class_id: c.name for c in classes} | {UNLABELLED: "unlabelled"}

    def said(values: NDArray[np.uint8]) -> str:
        class_id = int(values[row, column])
        return names.get(class_id, f"class {class_id}")

    parts = [f"z {data.z + 1}"] if depth > 1 else []
    parts += [f"y {row}", f"x {column}", f"truth {said(data.truth)}"]
    runs: dict[str, list[str]] = {}  # those that say the same together: there may be six
    for letter, values in zip(LETTERS, data.predictions, strict=False):
        if isinstance(values, np.ndarray):
            runs.setdefault(said(values), []).append(letter)
    parts += [f"{', '.join(letters)} {name}" for name, letters in runs.items()]
    return " · ".join(parts)
