"""Arrays to small pictures."""

from __future__ import annotations

import numpy as np
from PySide6.QtGui import QImage, QPixmap


def stretched(values: np.ndarray, low: float = 0.5, high: float = 99.7) -> np.ndarray:
    """Values of any type between two percentiles as uint8 of the same shape."""
    bottom, top = (float(v) for v in np.percentile(values, [low, high]))
    unit = (values.astype(np.float32) - bottom) / max(top - bottom, 1e-12)
    return (np.clip(unit, 0, 1) * 255 + 0.5).astype(np.uint8)


def byte_pixmap(pixels: np.ndarray) -> QPixmap:
    """Grey ``(h, w)`` or red-green-blue ``(h, w, 3)`` uint8 as a pixmap of its own memory."""
    pixels = np.ascontiguousarray(pixels, np.uint8)
    height, width = pixels.shape[:2]
    form = QImage.Format.Format_Grayscale8 if pixels.ndim == 2 else QImage.Format.Format_RGB888
    image = QImage(pixels.data, width, height, pixels.strides[0], form)
    return QPixmap.fromImage(image.copy())
