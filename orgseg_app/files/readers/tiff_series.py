"""Which pictures a TIFF file holds: main series, positions and pyramids, colours and palettes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.header import is_oversized, trap_sentence
from orgseg_app.files.readers.names import shown
from orgseg_app.files.readers.tiff_metadata import OmeImage, has_entities, read_ome
from orgseg_app.files.readers.tiff_planes import PlaneIndex

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

MIN_IS_WHITE, MIN_IS_BLACK, RGB, PALETTE, MASK, SEPARATED, YCBCR = range(7)

_COLOUR_SPACES = {
    SEPARATED: "CMYK",
    8: "CIE Lab",
    9: "ICC Lab",
    10: "ITU Lab",
    32803: "a camera's raw colour mosaic",
    32844: "LogL",
    32845: "LogLuv",
}

_JPEG_FAMILY = frozenset({6, 7, 33003, 33004, 33005, 33007, 34892, 34712})
"""Compressions whose decoders turn YCbCr into RGB."""

_SIDE_SERIES = frozenset({"thumbnail", "label", "macro", "overview", "map", "label image"})
"""Series names that are not the specimen: slide labels, previews."""

_SLIDE_SCANNERS = frozenset({"svs", "scn", "ndpi", "qpi", "bif", "philips", "avs"})

_ALPHA = frozenset({1, 2})


@dataclass(frozen=True)
class Colours:
    """What the samples of a page mean.

    Attributes
    ----------
    samples
        Values stored for each pixel, alpha included.
    kept
        How many of them are channels.
    is_rgb
        True if the kept samples are red, green and blue.
    white_is_zero
        True if 0 stands for the brightest value.
    palette
        uint16 ``(3, values)`` if the stored values are indices into colours, else None.
    """

    samples: int
    kept: int
    is_rgb: bool
    white_is_zero: bool
    palette: NDArray[np.uint16] | None


def main_series(tif: TiffFile, path: Path) -> list[tuple[TiffPageSeries, OmeImage | None]]:
    """The pictures of a file: without pyramid levels, thumbnails and slide labels.

    Raises
    ------
    ReadError
        One sentence if the file describes itself with XML entities, or holds no picture.
    """
    description = tif.pages.first.description if tif.pages else ""
    is_ome = tif.is_ome or "<OME" in description[:2000]
    if is_ome and has_entities(description):
        raise ReadError(
            f"{shown(path)} describes itself with XML entities, as no microscope does; not opened."
        )
    series = [s for s in tif.series if s.shape and math.prod(s.shape) > 0]
    specimen = [s for s in series if not _is_side_series(s)]
    kept = _without_side_pictures(specimen or series[:1])
    if not kept:
        raise ReadError(f"{shown(path)} is a TIFF without a single image in it.")
    images = read_ome(description) if is_ome else []
    described: list[OmeImage | None] = list(images) if len(images) == len(series) else []
    if not described:
        described = [images[0] if len(images) == 1 else None] * len(series)
    by_series = {id(s): image for s, image in zip(series, described, strict=True)}
    return [(s, by_series[id(s)]) for s in kept]


def plane_index(series: TiffPageSeries, ome: OmeImage | None, path: Path) -> PlaneIndex:
    """Where each plane of a series lies in its pages.

    Raises
    ------
    ReadError
        One sentence if the pages do not add up to the declared shape.
    """
    shape, axes = series.get_shape(squeeze=True), series.get_axes(squeeze=True)
    page = series.keyframe
    inner = len(page.shape)
    lead_shape, lead_axes = tuple(shape[:-inner]), axes[:-inner]
    if tuple(shape[-inner:]) != tuple(page.shape):
        pages = math.prod(shape) // max(1, math.prod(page.shape))
        if pages * math.prod(page.shape) != math.prod(shape):
            raise ReadError(
                f"{shown(path)} contradicts itself about its size "
                f"({' × '.join(map(str, shape))} declared); not opened."
            )
        lead_shape, lead_axes = (pages,), "I"
    if ome is not None and series.kind in ("generic", "uniform"):
        planes = math.prod(ome.sizes) // (ome.samples if "S" in page.axes else 1)
        if planes == math.prod(lead_shape):
            lead_axes = ome.order
            lead_shape = tuple(
                n // ome.samples if axis == "C" and "S" in page.axes else n
                for axis, n in zip(ome.order, ome.sizes, strict=True)
            )
    return PlaneIndex(lead_axes, lead_shape, page.axes, tuple(page.shape))


def colours_of(page: TiffPage, *, is_imagej: bool, path: Path) -> Colours:
    """What the samples of a page mean.

    Raises
    ------
    ReadError
        One sentence for a colour space that would be shown wrongly (CMYK, Lab, raw mosaics).
    """
    photometric = int(page.photometric)
    compression = int(page.compression)
    if photometric in _COLOUR_SPACES or (photometric == YCBCR and compression not in _JPEG_FAMILY):
        space = _COLOUR_SPACES.get(photometric, "YCbCr")
        raise ReadError(
            f"{shown(path)} stores its colours as {space}, which is not supported; "
            "save it as RGB or as grey values."
        )
    samples = page.shape[page.axes.index("S")] if "S" in page.axes else 1
    alphas = sum(int(extra) in _ALPHA for extra in page.extrasamples)
    if photometric in (RGB, YCBCR) and samples >= 3:
        kept = 3 if samples <= 4 else samples - alphas
        return Colours(samples, kept, kept == 3, white_is_zero=False, palette=None)
    kept = max(1, samples - alphas)
    palette = page.colormap if photometric == PALETTE and not is_imagej else None
    return Colours(
        samples,
        kept,
        is_rgb=False,
        white_is_zero=photometric == MIN_IS_WHITE,
        palette=None if palette is None or _is_ramp(palette) else palette,
    )


def check_size(series: TiffPageSeries, *, stored: int, path: Path) -> None:
    """Refuse a file that declares far more than it can hold.

    Raises
    ------
    ReadError
        One sentence with both sizes.
    """
    page = series.keyframe
    chunk = math.prod(page.chunks) if page.chunks else 0
    itemsize = max(1, series.dtype.itemsize)
    declared = max(math.prod(series.shape), chunk) * itemsize
    if is_oversized(declared, stored):
        raise ReadError(trap_sentence(shown(path), declared, stored))


def check_numbers(series: TiffPageSeries, path: Path) -> None:
    """Refuse number types that are not grey values, and compressions that cannot be undone.

    Raises
    ------
    ReadError
        One sentence that names the type or the compression.
    """
    page = series.keyframe
    if page.dtype is None or series.dtype.kind not in "buif":
        kind = "complex numbers" if series.dtype.kind == "c" else "an unknown kind of number"
        raise ReadError(
            f"{shown(path)} holds {kind}, which cannot be shown as an image; "
            "save it as 8-bit, 16-bit or 32-bit float."
        )
    if not _can_decompress(page):
        name = getattr(page.compression, "name", str(page.compression))
        raise ReadError(
            f"{shown(path)} is compressed with {name}, which cannot be undone here; "
            "save it without compression or with LZW."
        )


def planes_declared(tif: TiffFile) -> int:
    """How many planes ImageJ's description promises; 0 if there is none."""
    metadata: dict[str, Any] = (tif.imagej_metadata or {}) if tif.is_imagej else {}
    try:
        return int(metadata.get("images", 0))
    except (TypeError, ValueError):
        return 0


def _can_decompress(page: TiffPage) -> bool:
    if int(page.compression) == 1:
        return True
    import tifffile

    try:
        return page.compression in tifffile.TIFF.DECOMPRESSORS and callable(
            tifffile.TIFF.DECOMPRESSORS[page.compression]
        )
    except (KeyError, ValueError, ImportError):
        return False


def _is_side_series(series: TiffPageSeries) -> bool:
    name = (series.name or "").strip().lower()
    return name in _SIDE_SERIES or bool(series.keyframe.is_reduced)


def _without_side_pictures(series: list[TiffPageSeries]) -> list[TiffPageSeries]:
    """Only the first series of slide scanners' files, where the rest are labels and previews."""
    return series[:1] if series and series[0].kind in _SLIDE_SCANNERS else series


def _is_ramp(palette: NDArray[np.uint16]) -> bool:
    """True if a colour table only tints intensities: every colour rises or falls throughout."""
    steps = np.diff(palette.astype(np.int32), axis=1)
    return bool(np.all(np.all(steps >= 0, axis=1) | np.all(steps <= 0, axis=1)))
