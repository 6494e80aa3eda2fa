"""The simulated samples: microscopy images with exact ground truth, made without any file.

Everything random comes from one ``numpy.random.Generator`` seeded by kind, image number and seed.
The same versions of NumPy, SciPy and OpenCV give the same image. Where their filters differ in the
last bit the scene is the same, but the photon noise may not be: compare with a tolerance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orgseg_app.core.classes import BACKGROUND, PALETTE, ClassInfo, background
from orgseg_app.core.samples import em_volume, er, er_network, mitochondria, nuclei

STRUCTURE = 2  # class id of what is to be found

Draw = Callable[
    [np.random.Generator, tuple[int, int]],
    tuple[npt.NDArray[np.uint16], npt.NDArray[np.bool_]],
]
DrawVolume = Callable[
    [np.random.Generator, tuple[int, int, int]],
    tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]],
]


@dataclass(frozen=True)
class SampleImage:
    """One simulated image.

    Attributes
    ----------
    name : str
        Such as ``"er_03"``.
    pixels : (Y, X) uint16, of volumes (Z, Y, X) uint8
        Camera counts; brightness in an electron micrograph.
    mask : uint8, as large as `pixels`
        Ground truth in class ids, 1 background, from 2 the structures; nothing is unlabelled.
    pixel_size_um : tuple of float
        (z, y, x) in micrometres; z is the distance of sections, else the nominal depth of focus.
    """

    name: str
    pixels: npt.NDArray[np.uint16] | npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8]
    pixel_size_um: tuple[float, float, float]


@dataclass(frozen=True)
class Sample:
    """A kind of simulated image.

    Attributes
    ----------
    title : str
        For a card or a menu.
    class_name, colour : str
        Name and ``"#RRGGBB"`` of the structure (class id 2).
    description : str
        One sentence on what is seen.
    pixel_size_um : tuple of float
        (z, y, x) in micrometres.
    size : tuple of int
        Usual (height, width) in pixels.
    draw : callable
        ``(rng, (height, width)) -> (pixels (Y, X) uint16, structure (Y, X) bool)``.
    """

    title: str
    class_name: str
    colour: str
    description: str
    pixel_size_um: tuple[float, float, float]
    draw: Draw
    size: tuple[int, int] = (512, 512)


@dataclass(frozen=True)
class VolumeSample:
    """A kind of simulated volume with several structures.

    Attributes
    ----------
    title, description : str
        As of `Sample`.
    structures : tuple of (str, str)
        Name and ``"#RRGGBB"`` of class 2, class 3 and so on.
    pixel_size_um : tuple of float
        (z, y, x) in micrometres.
    size : tuple of int
        Usual (depth, height, width) in voxels.
    draw : callable
        ``(rng, (depth, height, width)) -> (pixels (Z, Y, X) uint8, mask (Z, Y, X) uint8)``.
    """

    title: str
    structures: tuple[tuple[str, str], ...]
    description: str
    pixel_size_um: tuple[float, float, float]
    size: tuple[int, int, int]
    draw: DrawVolume


SAMPLES: dict[str, Sample] = {
    "er": Sample(
        title="Endoplasmic reticulum",
        class_name="ER",
        colour=PALETTE[0],
        description="Tubules and sheets around the nucleus of live COS-7 cells, spinning disc.",
        pixel_size_um=(0.5, er_network.PIXEL_UM, er_network.PIXEL_UM),
        draw=er.draw,
    ),
    "mitochondria": Sample(
        title="Mitochondria",
        class_name="mitochondria",
        colour=PALETTE[2],
        description="Threads, nets and fragments around the nucleus of live cells, widefield.",
        pixel_size_um=(0.7, mitochondria.PIXEL_UM, mitochondria.PIXEL_UM),
        draw=mitochondria.draw,
    ),
    "nuclei": Sample(
        title="Nuclei",
        class_name="nucleus",
        colour=PALETTE[1],
        description="Bright, dim, touching and dividing nuclei on an uneven background, DNA stain.",
        pixel_size_um=(2.0, nuclei.PIXEL_UM, nuclei.PIXEL_UM),
        draw=nuclei.draw,
    ),
}

VOLUMES: dict[str, VolumeSample] = {
    "em_volume": VolumeSample(
        title="EM volume",
        structures=(("membrane", PALETTE[0]), ("mitochondria", PALETTE[2])),
        description="Neurites of brain tissue in serial sections of an electron microscope.",
        pixel_size_um=(em_volume.SECTION_UM, em_volume.PIXEL_UM, em_volume.PIXEL_UM),
        size=(20, 192, 192),
        draw=em_volume.draw,
    ),
}


def simulate(
    kind: str, index: int, seed: int = 0, size: tuple[int, int] = (512, 512)
) -> SampleImage:
    """One simulated image with its ground truth.

    Parameters
    ----------
    kind : str
        A key of ``SAMPLES``.
    index : int
        Number of the image, from 0; each is another field of view.
    seed : int
        Another seed, another series; not negative.
    size : (height, width)
        Pixels, each at least 1.

    Raises
    ------
    ValueError
        For an unknown kind, a negative index or seed, or an empty size.
    """
    if kind not in SAMPLES:
        raise ValueError(f"There is no sample {kind!r}; there are {', '.join(SAMPLES)}.")
    sample = SAMPLES[kind]
    rng = _generator(kind, index, seed, size)
    pixels, structure = sample.draw(rng, size)
    mask = np.where(structure, STRUCTURE, BACKGROUND).astype(np.uint8)
    return SampleImage(f"{kind}_{index + 1:02d}", pixels, mask, sample.pixel_size_um)


def simulate_volume(
    kind: str, index: int, seed: int = 0, size: tuple[int, int, int] | None = None
) -> SampleImage:
    """One simulated volume with its ground truth.

    Parameters
    ----------
    kind : str
        A key of ``VOLUMES``.
    index, seed : int
        As of `simulate`.
    size : (depth, height, width), optional
        Voxels, each at least 1; the usual size by default.

    Raises
    ------
    ValueError
        For an unknown kind, a negative index or seed, or an empty size.
    """
    if kind not in VOLUMES:
        raise ValueError(f"There is no sample {kind!r}; there are {', '.join(VOLUMES)}.")
    sample = VOLUMES[kind]
    size = sample.size if size is None else size
    pixels, mask = sample.draw(_generator(kind, index, seed, size), size)
    return SampleImage(f"{kind}_{index + 1:02d}", pixels, mask, sample.pixel_size_um)


def sample_classes(kind: str) -> tuple[ClassInfo, ...]:
    """Background, and the structures of a sample of planes or volumes.

    Raises
    ------
    KeyError
        For an unknown kind.
    """
    if kind in VOLUMES:
        structures = VOLUMES[kind].structures
    else:
        structures = ((SAMPLES[kind].class_name, SAMPLES[kind].colour),)
    found = (ClassInfo(number, *named) for number, named in enumerate(structures, STRUCTURE))
    return (background(), *found)


def _generator(kind: str, index: int, seed: int, size: tuple[int, ...]) -> np.random.Generator:
    """The random numbers of one image. Raises ValueError for what cannot be drawn."""
    if index < 0 or seed < 0:
        raise ValueError("The number and the seed of a sample image are 0 or more.")
    if min(size) < 1:
        raise ValueError("A sample image is at least one pixel high and wide.")
    return np.random.default_rng([seed, index, *kind.encode()])


def sample_project_images(kind: str, count: int = 12, seed: int = 0) -> list[SampleImage]:
    """The images of a sample project, in its usual size.

    Raises
    ------
    ValueError
        As ``simulate``.
    """
    if kind not in SAMPLES:
        raise ValueError(f"There is no sample {kind!r}; there are {', '.join(SAMPLES)}.")
    return [simulate(kind, index, seed, SAMPLES[kind].size) for index in range(count)]
