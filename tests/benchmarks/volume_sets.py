"""Labelled volumes for benchmarks, parted across their planes, with gaps between the parts.

They lie in ``../shared/data`` (see the READMEs there). Neighbouring planes look alike, and the
gaps are no thicker than these small volumes allow, so figures flatter every network alike; none
says how it would do on another specimen.

- ``slices``, ``crop``: 14 neighbouring planes of FIB-SEM, 5 nm apart, six classes; whole planes,
  and a part of 256 × 256, whose synapses lie in the test planes alone: they count 0 for everyone.
- ``neurons``: FIB-SEM of 10 nm along all axes; the borders of neurons.
- ``ovule``: confocal; the walls of cells. ``nuclei``, ``stack``: light-sheet and simulated nuclei.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.real_sets import DATA, TEST, TRAIN, VALIDATION

CONTEXT = 2
"""Unpainted planes that a part shows beyond its own on either side: planes of the gaps."""

Size = tuple[float, float, float]
Whole = tuple[NDArray[Any], NDArray[np.uint8]]
"""Pixels ``(Z, Y, X)`` and class ids, 1 = background."""


@dataclass(frozen=True)
class Part:
    """One part of a volume.

    Attributes
    ----------
    split
        ``"train"``, ``"validation"`` or ``"test"``.
    image
        ``(Z, Y, X)``.
    mask
        ``(Z, Y, X)`` uint8 class ids, 0 on planes that are not painted.
    """

    split: str
    image: NDArray[Any]
    mask: NDArray[np.uint8]


@dataclass(frozen=True)
class VolumeSet:
    """One volume.

    Attributes
    ----------
    path
        In ``../shared/data``.
    classes
        Names of classes 2 and on.
    pixel_size_um
        ``(z, y, x)``.
    planes
        First and last (excluded) plane of each split.
    every
        Of the training planes every so manieth is painted.
    read
        Reads all of it.
    """

    path: str
    classes: tuple[str, ...]
    pixel_size_um: Size
    planes: dict[str, tuple[int, int]]
    every: int
    read: Callable[[Path], Whole]

    @property
    def is_here(self) -> bool:
        """Whether the volume lies on this machine."""
        return (DATA / self.path).exists()

    def parts(self) -> Iterator[Part]:
        """Training, validation and test part, with planes of the gaps at their ends."""
        pixels, mask = self.read(DATA / self.path)
        for split, (first, last) in self.planes.items():
            before = [stop for _, stop in self.planes.values() if stop <= first]
            after = [start for start, _ in self.planes.values() if start >= last]
            low = max([first - CONTEXT, 0, *before])
            high = min([last + CONTEXT, len(pixels), *after])
            painted = np.zeros_like(mask[low:high])
            step = self.every if split == TRAIN else 1
            painted[first - low : last - low : step] = mask[first:last:step]
            yield Part(split, np.ascontiguousarray(pixels[low:high]), painted)


def _slices(folder: Path) -> Whole:
    import cv2

    found = []
    for part in ("images", "labels"):
        planes = []
        for path in sorted((folder / part).glob("*.png")):
            read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            if read is None:
                raise FileNotFoundError(path)
            planes.append(read if read.ndim == 2 else read[..., 0])  # some are grey as RGB
        found.append(np.stack(planes))
    return found[0], (found[1] + 1).astype(np.uint8)


def _crop(folder: Path) -> Whole:
    import tifffile

    pixels, labels = (
        tifffile.imread(folder / f"{kind}_14x256x256.tif") for kind in ("image", "label")
    )
    return pixels, (labels + 1).astype(np.uint8)


def _neurons(folder: Path) -> Whole:
    import tifffile

    return tifffile.imread(folder / "image.tif"), _borders(tifffile.imread(folder / "label.tif"))


def _ovule(path: Path) -> Whole:
    pixels, labels = _hdf5(path)
    return pixels, _borders(labels)


def _nuclei(path: Path) -> Whole:
    pixels, labels = _hdf5(path)
    return pixels, np.where(labels > 0, 2, 1).astype(np.uint8)


def _stack(folder: Path) -> Whole:
    import tifffile

    labels = tifffile.imread(folder / "stardist_mask3d.tif")
    pixels = tifffile.imread(folder / "stardist_img3d.tif")
    return pixels, np.where(labels > 0, 2, 1).astype(np.uint8)


def _hdf5(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    import h5py

    with h5py.File(path, "r") as file:
        return file["raw"][:], file["label"][:]


def _borders(labels: NDArray[Any]) -> NDArray[np.uint8]:
    """2 where an object meets another one, or nothing, 1 within objects."""
    border = labels == 0
    for axis in range(3):
        ahead, behind = [slice(None)] * 3, [slice(None)] * 3
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        differs = labels[tuple(ahead)] != labels[tuple(behind)]
        border[tuple(ahead)] |= differs
        border[tuple(behind)] |= differs
    return np.where(border, 2, 1).astype(np.uint8)


def _spans(train: int, validation: tuple[int, int], test: tuple[int, int]) -> Any:
    return {TRAIN: (0, train), VALIDATION: validation, TEST: test}


_SIX = ("membrane", "mitochondrion", "mitochondrial boundary", "PSD", "vesicle", "axon sheath")
_EPFL = _spans(6, (7, 9), (11, 14))
_NM5: Size = (0.005, 0.005, 0.005)
_NM10: Size = (0.01, 0.01, 0.01)
VOLUME_SETS = {
    "slices": VolumeSet("em_multiclass_epfl6", _SIX, _NM5, _EPFL, 1, _slices),
    "crop": VolumeSet("em_multiclass_epfl6/volume", _SIX[:5], _NM5, _EPFL, 1, _crop),
    "neurons": VolumeSet(
        "em_volume_flyem", ("border",), _NM10, _spans(22, (26, 30), (36, 48)), 3, _neurons
    ),
    "ovule": VolumeSet(
        "volumes_3d_light/sample_ovule.h5",
        ("wall",),
        (0.235, 0.15, 0.15),
        _spans(14, (17, 20), (23, 32)),
        2,
        _ovule,
    ),
    "nuclei": VolumeSet(
        "volumes_3d_light/1135_mini.h5",
        ("nuclei",),
        (0.284, 0.127, 0.127),
        _spans(46, (56, 62), (76, 100)),
        5,
        _nuclei,
    ),
    "stack": VolumeSet(
        "volumes_3d_light", ("nuclei",), (1.0, 1.0, 1.0), _spans(14, (17, 19), (22, 31)), 2, _stack
    ),
}
