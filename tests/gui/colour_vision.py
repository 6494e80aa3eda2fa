"""How colours look to people with and without colour blindness, for tests of palettes.

The matrices are those of Machado, Oliveira and Fernandes, A physiologically-based model for
simulation of color vision deficiency, IEEE TVCG 15 (2009), severity 1.0, applied to linear RGB.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np

PROTANOPIA = (
    (0.152286, 1.052583, -0.204868),
    (0.114503, 0.786281, 0.099216),
    (-0.003882, -0.048116, 1.051998),
)
DEUTERANOPIA = (
    (0.367322, 0.860646, -0.227968),
    (0.280085, 0.672501, 0.047413),
    (-0.011820, 0.042940, 0.968881),
)
USUAL = tuple(map(tuple, np.eye(3)))
VISIONS = {"usual": USUAL, "protanopia": PROTANOPIA, "deuteranopia": DEUTERANOPIA}


def rgb_of(colours: Sequence[str]) -> np.ndarray:
    """``(n, 3)`` 0…255 of "#RRGGBB"."""
    return np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colours], float)


def seen_lab(rgb: np.ndarray, vision: str) -> np.ndarray:
    """CIE L*a*b* ``(n, 3)`` of sRGB colours ``(n, 3)`` 0…255, as this vision has them."""
    share = rgb / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(VISIONS[vision]).T, 0, 1)
    back = np.where(seen <= 0.0031308, seen * 12.92, 1.055 * seen ** (1 / 2.4) - 0.055)
    return cv2.cvtColor(back.astype(np.float32)[None], cv2.COLOR_RGB2Lab)[0]


def least_difference(rgb: np.ndarray, vision: str) -> float:
    """ΔE*ab (CIE 1976) between the two most alike of some colours; 2.3 is just noticeable."""
    lab = seen_lab(rgb, vision)
    return min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(lab, 2))
