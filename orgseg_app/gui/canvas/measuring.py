"""Distances on a plane, in voxels and in micrometres."""

from __future__ import annotations

import math
from collections.abc import Sequence

PixelSize = Sequence[float]
"""``(z, y, x)`` in micrometres."""


def distance_um(dy: float, dx: float, pixel_size_um: PixelSize) -> float:
    """Length of a step of voxels on a plane, in micrometres.

    >>> distance_um(3, 4, (1, 0.5, 0.5))
    2.5
    """
    return math.hypot(dy * pixel_size_um[1], dx * pixel_size_um[2])


def distance_text(dy: float, dx: float, pixel_size_um: PixelSize | None) -> str:
    """A step of voxels in words: its length, and its angle, counter-clockwise from the right.

    The angle is that of the specimen, which is not that of the picture where voxels are oblong.

    >>> distance_text(-3, 4, (1, 0.5, 0.5))
    '2.50 µm · 5 px · 37°'
    >>> distance_text(0, 120.4, None)
    '120.4 px · 0°'
    """
    _, high, wide = pixel_size_um or (1.0, 1.0, 1.0)
    angle = math.degrees(math.atan2(-dy * high, dx * wide))
    parts = [
        f"{math.hypot(dy, dx):.1f}".removesuffix(".0") + " px",
        f"{round(angle) or 0}°".replace("-", "−"),
    ]
    if pixel_size_um is not None:
        parts.insert(0, length_text(distance_um(dy, dx, pixel_size_um)))
    return " · ".join(parts)


def length_text(um: float) -> str:
    """A length to three figures, in nm, µm or mm.

    >>> [length_text(um) for um in (0.0421, 0.5, 3.14159, 27.18, 512.3, 2500)]
    ['42.1 nm', '500 nm', '3.14 µm', '27.2 µm', '512 µm', '2.50 mm']
    """
    value, unit = (um * 1000, "nm") if um < 0.9995 else (um, "µm")
    if um >= 999.5:
        value, unit = um / 1000, "mm"
    decimals = 0 if value >= 99.95 or value == 0 else 1 if value >= 9.995 else 2
    return f"{value:.{decimals}f} {unit}"
