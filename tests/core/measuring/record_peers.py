"""Record what scikit-image says: ``python -m tests.core.measuring.record_peers``.

It is no dependency of OrgSeg, so that the suite compares with what it said once. To record it anew,
run this in an environment that has it, together with NumPy and SciPy.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

PLACE = Path(__file__).with_name("peers.json")
CASES = 6


def plane(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and values ``(Y, X)``: blobs, lines, rings, by whole numbers only."""
    from scipy import ndimage

    y, x = np.indices((60, 72), np.int64)
    y, x = y - 3 * number, x - 5 * number
    waves = (x * x * (number + 1) + y * y * (7 - number) + x * y * (number % 3)) // 90
    inside = waves % (9 + number) < 4 + number // 3
    labels, _ = ndimage.label(inside, np.ones((3, 3)))
    values = ((x * 7919 + y * 104729 + x * y * 31) % 4001).astype(np.uint16)
    return labels.astype(np.int32), values


def volume() -> tuple[np.ndarray, np.ndarray]:
    """Labels and values ``(Z, Y, X)``."""
    from scipy import ndimage

    z, y, x = np.indices((14, 24, 26), np.int64)
    inside = ((x * x + 2 * y * y + 3 * z * z + x * z) // 80) % 7 < 3
    labels, _ = ndimage.label(inside)
    return labels.astype(np.int32), ((x * 79 + y * 1047 + z * z * 31) % 251).astype(np.uint8)


def main() -> None:
    """Write `PLACE`."""
    import skimage
    from skimage.measure import perimeter_crofton, regionprops
    from skimage.morphology import thin

    found = []
    for number in range(CASES):
        labels, values = plane(number)
        objects = []
        for region in regionprops(labels, values, extra_properties=(_median,)):
            objects.append(
                {
                    "area": int(region.area),
                    "centroid": region.centroid,
                    "bbox": region.bbox,
                    "convex": int(region.area_convex),
                    "feret_max": float(region.feret_diameter_max),
                    "variances": [float(v) for v in region.inertia_tensor_eigvals],
                    "orientation": float(region.orientation),
                    "crofton": float(perimeter_crofton(region.image, directions=4)),
                    "mean": float(region.intensity_mean),
                    "min": float(region.intensity_min),
                    "max": float(region.intensity_max),
                    "sd": float(region.intensity_std),
                    "median": float(region._median),
                    "thin": np.packbits(thin(np.pad(region.image, 1))).tobytes().hex(),
                }
            )
        found.append(objects)
    labels, values = volume()
    solid = [
        {
            "volume": int(region.area),
            "centroid": region.centroid,
            "long_axis": float(region.axis_major_length),
            "mean": float(region.intensity_mean),
        }
        for region in regionprops(labels, values)
    ]
    said = {"versions": {"scikit-image": skimage.__version__}, "planes": found, "volume": solid}
    PLACE.write_text(json.dumps(said) + "\n")


def _median(mask: np.ndarray, values: np.ndarray) -> float:
    return float(np.median(values[mask]))


if __name__ == "__main__":
    main()
