"""Real microscopy images with masks, split once and for all, for benchmarks of accuracy.

The images lie in ``../shared/data`` (see the READMEs there) and are never copied into the project.
No image, and no place of a specimen seen twice, is in two splits:

- ``er``: tiles of two frames of one cell; both frames of a place are in the same split.
- ``yeast``: mitochondria of yeast, tiles of one image; tiles that overlap are in the same split.
- ``nuclei``: the twenty fluorescence images, by image, each kind of image in every split.
- ``mito``, ``organelles``: five slices of one FIB-SEM stack (mitochondria alone; all six classes),
  parted across the slices into three blocks with gaps, since neighbouring slices look alike.
- ``membranes``: twenty serial sections, the last ones for the test, sections left out between.
- ``phase``, ``dic``: cells in phase contrast and DIC, by image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

TRAIN, VALIDATION, TEST = "train", "validation", "test"


@dataclass(frozen=True)
class Labelled:
    """One image and what it shows.

    Attributes
    ----------
    name, split
        The split is ``"train"``, ``"validation"`` or ``"test"``.
    image
        ``(Y, X)`` uint8 or uint16.
    mask
        ``(Y, X)`` uint8 class ids, 1 = background.
    objects
        ``(Y, X)`` uint32 numbers of the objects, 0 for none; None where the set has none.
    """

    name: str
    split: str
    image: NDArray[Any]
    mask: NDArray[np.uint8]
    objects: NDArray[np.uint32] | None = None


@dataclass(frozen=True)
class RealSet:
    """One set of images.

    Attributes
    ----------
    folder
        In ``../shared/data``.
    classes
        Names of classes 2 and on.
    read
        Yields the images.
    """

    folder: str
    classes: tuple[str, ...]
    read: Callable[[Path], Iterator[Labelled]]

    @property
    def is_here(self) -> bool:
        """Whether the images lie on this machine."""
        return (DATA / self.folder).is_dir()

    def images(self) -> list[Labelled]:
        """All images of the set."""
        return list(self.read(DATA / self.folder))


def _grey(path: Path) -> NDArray[Any]:
    """An image's first channel."""
    import cv2
    import tifffile

    if path.suffix == ".tif":
        pixels: NDArray[Any] = tifffile.imread(path)
    else:
        # As stored: OpenCV turns RGB about, which does not matter where all channels are equal.
        read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if read is None:
            raise FileNotFoundError(path)
        pixels = read
    return np.ascontiguousarray(pixels if pixels.ndim == 2 else pixels[..., 0])


def _two(foreground: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.where(foreground, 2, 1).astype(np.uint8)


def _numbered(name: str, split: str, image: NDArray[Any], labels: NDArray[np.integer]) -> Labelled:
    """One image whose labels are numbers of objects."""
    return Labelled(name, split, image, _two(labels > 0), labels.astype(np.uint32))


def _er(folder: Path) -> Iterator[Labelled]:
    places = {
        TEST: ("y256_x512", "y256_x1024"),
        VALIDATION: ("y0_x768", "y512_x1024"),
    }
    for path in sorted((folder / "tiles_256" / "images").iterdir()):
        place = path.stem[path.stem.index("_y") + 1 :]
        split = next((s for s, names in places.items() if place in names), TRAIN)
        truth = _grey(folder / "tiles_256" / "labels" / path.name)
        yield Labelled(path.stem, split, _grey(path), _two(truth > 0))


def _yeast(folder: Path) -> Iterator[Labelled]:
    places = {
        TEST: ("y484_x158", "y768_x270", "y768_x692"),
        VALIDATION: ("y617_x1088", "y768_x981"),
    }
    for path in sorted((folder / "tiles_256" / "images").iterdir()):
        place = path.stem[path.stem.index("_y") + 1 :]
        split = next((s for s, names in places.items() if place in names), TRAIN)
        truth = _grey(folder / "tiles_256" / "labels" / f"{path.stem}.png")
        yield Labelled(path.stem, split, _grey(path), _two(truth > 0))


_NUCLEI = {
    TRAIN: "00071198d059 0e5edb072788 1e8408fbb161 2ad489c11ed8 356d9903d160 02903040e19d "
    "1609b1b8480e 33618678c167 07fb37aafa66 1400420310c9 0402a81e7526",
    VALIDATION: "40bcdad218ac 54fe2d341695 514ccfc78cb5 3477024fd843",
    TEST: "608ff81c8a0c 6eefe1f0d9c2 5c235b945b25 4ee5850b6354 29ea4f6eb454",
}


def _nuclei(folder: Path) -> Iterator[Labelled]:
    for split, names in _NUCLEI.items():
        for name in names.split():
            truth = _grey(folder / "labels" / f"{name}.tif")
            yield _numbered(name, split, _grey(folder / "images" / f"{name}.png"), truth)


_SLICES = (0, 3, 6, 9, 12)
_BLOCKS = {TRAIN: (0, 512), VALIDATION: (544, 736), TEST: (768, 1024)}  # columns; gaps of 32


def _slices(folder: Path, table: NDArray[np.uint8]) -> Iterator[Labelled]:
    """Blocks of the slices; `table` gives each stored class index its class id."""
    for number in _SLICES:
        name = f"training{number:04d}"
        image, truth = (_grey(folder / part / f"{name}.png") for part in ("images", "labels"))
        for split, (x0, x1) in _BLOCKS.items():
            block = np.ascontiguousarray(truth[:, x0:x1])
            yield Labelled(f"{name} {split}", split, image[:, x0:x1].copy(), table[block])


def _mito(folder: Path) -> Iterator[Labelled]:
    # Class 3 is the boundary of a mitochondrion, part of it in the original task.
    return _slices(folder, np.array([1, 1, 2, 2, 1, 1, 1], np.uint8))


def _organelles(folder: Path) -> Iterator[Labelled]:
    return _slices(folder, np.arange(1, 8, dtype=np.uint8))


def _membranes(folder: Path) -> Iterator[Labelled]:
    splits = {TRAIN: range(12), VALIDATION: (13, 14), TEST: range(16, 20)}
    for split, numbers in splits.items():
        for number in numbers:
            name = f"{number:02d}"
            truth = _grey(folder / "labels" / f"{name}.png")
            yield Labelled(name, split, _grey(folder / "images" / f"{name}.png"), _two(truth == 0))


def _phase(folder: Path) -> Iterator[Labelled]:
    splits = {TRAIN: (1, 4, 8, 12, 20), VALIDATION: (23,), TEST: (26, 30, 32)}
    for split, numbers in splits.items():
        for number in numbers:
            name = f"set{number}"
            truth = _grey(folder / "labels" / f"{name}.png")
            yield _numbered(name, split, _grey(folder / "images" / f"{name}.tif"), truth)


def _dic(folder: Path) -> Iterator[Labelled]:
    splits = {TRAIN: range(21, 26), VALIDATION: (26,), TEST: (27, 28)}
    for split, numbers in splits.items():
        for number in numbers:
            name = f"cho{number}"
            truth = _grey(folder / "filled" / f"{name}.png")
            yield Labelled(name, split, _grey(folder / "images" / f"{name}.png"), _two(truth > 0))


_SIX = ("membrane", "mitochondrion", "mitochondrial boundary", "PSD", "vesicle", "axon sheath")
REAL_SETS = {
    "er": RealSet("er_fluo_ernet", ("ER",), _er),
    "yeast": RealSet("mito_fluo_yeast", ("mitochondria",), _yeast),
    "nuclei": RealSet("nuclei_dsb2018", ("nuclei",), _nuclei),
    "mito": RealSet("em_multiclass_epfl6", ("mitochondria",), _mito),
    "organelles": RealSet("em_multiclass_epfl6", _SIX, _organelles),
    "membranes": RealSet("em_membrane_isbi2012", ("membrane",), _membranes),
    "phase": RealSet("phase_usiigaci", ("cells",), _phase),
    "dic": RealSet("dic_cho_bbbc030", ("cells",), _dic),
}
