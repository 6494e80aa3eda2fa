"""TIFF, ImageJ TIFF, OME-TIFF and BigTIFF, read plane by plane through tifffile.

Depth keeps its planes, channels their order; time points and stage positions become images of their
own. The file is opened for each plane and closed again.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.image import OpenedImage
from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.header import ImageHeader, is_empty_image, trap_sentence
from orgseg_app.files.readers.names import clean_name, shown, stem_of
from orgseg_app.files.readers.sniff import cannot_open
from orgseg_app.files.readers.tiff_metadata import (
    OmeImage,
    PixelSize,
    imagej_channel_names,
    pixel_size,
)
from orgseg_app.files.readers.tiff_planes import (
    PlaneSource,
    RawPlane,
    check_data_within_file,
    read_raw_part,
)
from orgseg_app.files.readers.tiff_series import (
    Colours,
    check_numbers,
    check_size,
    colours_of,
    main_series,
    plane_index,
    planes_declared,
)
from orgseg_app.files.readers.tiff_structure import check_structure, truncated

if TYPE_CHECKING:
    from tifffile import TiffPageSeries

Pixels = NDArray[np.generic]

_MAX_CHECKED_PLANES = 16
"""Planes looked at to see whether a colour file is grey after all."""


@dataclass(frozen=True)
class TiffPicture:
    """One series of a TIFF file: a picture over time and depth, not yet converted.

    Attributes
    ----------
    source
        Reader of its planes.
    dtype
        As stored.
    colours
        What the samples mean.
    bits
        Bits of one stored value.
    pixel_size_um
        ``(z, y, x)`` or None.
    channel_names
        As the file gives them; may be empty.
    notes
        Sentences about what is unusual.
    written_bytes
        Bytes of its planes once decoded, those left out that were never written.
    """

    source: PlaneSource
    dtype: np.dtype[np.generic]
    colours: Colours
    bits: int
    pixel_size_um: PixelSize | None
    channel_names: tuple[str, ...]
    notes: tuple[str, ...]
    written_bytes: int

    @property
    def times(self) -> int:
        """Time points."""
        return self.source.index.times

    @property
    def depth(self) -> int:
        """Planes of one time point."""
        return self.source.index.shape[1]

    @property
    def size_yx(self) -> tuple[int, int]:
        """Height and width."""
        return self.source.index.shape[2:]

    @property
    def channels(self) -> int:
        """Channels without alpha, palettes not applied."""
        return self.source.index.shape[0] // self.colours.samples * self.colours.kept

    def stored_plane(self, time: int, z: int) -> Pixels:
        """``(C, Y, X)`` as stored, without alpha."""
        plane = self.source.read(time, z)
        samples, kept = self.colours.samples, self.colours.kept
        if samples == kept:
            return plane
        grouped = plane.reshape(-1, samples, *plane.shape[1:])[:, :kept]
        return np.ascontiguousarray(grouped).reshape(-1, *plane.shape[1:])

    def raw_plane(self, time: int, z: int) -> RawPlane | None:
        """Where a plane lies in the file just as `read_tiff` would give it; None if nowhere."""
        colours = self.colours
        is_plain = colours.samples == colours.kept and colours.palette is None
        is_plain = is_plain and not colours.white_is_zero
        if not is_plain or convert(np.zeros(1, self.dtype)).dtype != self.dtype:
            return None
        return self.source.find(time, z)

    def shown_plane(self, time: int, z: int) -> Pixels:
        """``(C, Y, X)`` with colour table and inverted greys applied, dtype as stored."""
        plane = self.stored_plane(time, z)
        if self.colours.palette is not None:
            table = (self.colours.palette >> 8).astype(np.uint8)
            colours = table[:, np.minimum(plane, table.shape[1] - 1).astype(np.intp)]
            return np.ascontiguousarray(colours.swapaxes(0, 1)).reshape(-1, *plane.shape[1:])
        if self.colours.white_is_zero:
            if plane.dtype == bool:
                return np.logical_not(plane)
            if plane.dtype.kind == "u":
                white = np.array((1 << self.bits) - 1, plane.dtype)
                inverted: Pixels = np.subtract(white, plane, dtype=plane.dtype)
                return inverted
        return plane


def read_tiff(path: Path) -> list[OpenedImage]:
    """All images of a TIFF file, in the order they are stored.

    Raises
    ------
    ReadError
        One sentence for damage, a number type, colour space or compression that is not supported.
    """
    return tiff_images(open_pictures(path), path)


def tiff_images(pictures: Sequence[TiffPicture], path: Path) -> list[OpenedImage]:
    """The images of opened pictures, in the same order, one for each time point.

    Raises
    ------
    ReadError
        As `read_tiff`.
    """
    declared, stored = sum(p.written_bytes for p in pictures), path.stat().st_size
    if is_empty_image(declared, stored):
        raise ReadError(trap_sentence(shown(path), declared, stored))
    images = []
    for number, picture in enumerate(pictures):
        name = clean_name(stem_of(path))
        if len(pictures) > 1:
            name = f"{name} p{number + 1:0{max(2, len(str(len(pictures))))}d}"
        images += _images_of(picture, name, path)
    return images


def tiff_header(path: Path) -> ImageHeader:
    """Size and kind of a TIFF file, no pixel decoded; of its first picture if they differ.

    Raises
    ------
    ReadError
        As for `read_tiff`.
    """
    return header_of(open_pictures(path))


def header_of(pictures: Sequence[TiffPicture]) -> ImageHeader:
    """Size and kind of opened pictures; of the first if they differ."""
    first = pictures[0]
    height, width = first.size_yx
    return ImageHeader(
        family="tiff",
        planes=sum(p.times * p.depth for p in pictures),
        height=height,
        width=width,
        channels=first.channels,
        dtype=first.dtype.name,
        is_colour=first.colours.is_rgb,
        is_palette=first.colours.palette is not None,
    )


def open_pictures(path: Path) -> list[TiffPicture]:
    """The pictures of a TIFF file, checked but not decoded; no file is left open.

    Raises
    ------
    ReadError
        As for `read_tiff`.
    """
    pages = check_structure(path)
    tifffile = quiet_tifffile()
    with _explained(path), tifffile.TiffFile(path, _multifile=False) as tif:
        stored = path.stat().st_size
        lock = threading.Lock()
        pictures = []
        for series, ome in main_series(tif, path):
            check_size(series, stored=stored, path=path)
            check_numbers(series, path)
            colours = colours_of(series.keyframe, is_imagej=tif.is_imagej, path=path)
            missing = check_data_within_file(path, series, size=stored)
            if ome is None and pages < planes_declared(tif) and len(series) < planes_declared(tif):
                raise truncated(path, len(series))
            pictures.append(
                TiffPicture(
                    source=PlaneSource(path, series, plane_index(series, ome, path), lock),
                    dtype=series.dtype,
                    colours=colours,
                    bits=int(series.keyframe.bitspersample),
                    pixel_size_um=_pixel_size(tif, series.keyframe, ome),
                    channel_names=ome.channel_names if ome else imagej_channel_names(tif),
                    notes=_missing_note(missing),
                    written_bytes=_written_bytes(series, missing),
                )
            )
    return pictures


def _images_of(picture: TiffPicture, name: str, path: Path) -> list[OpenedImage]:
    """A picture as images, one for each time point."""
    digits = max(3, len(str(picture.times)))
    is_rgb, channels = _colour_channels(picture)
    images = []
    for time in range(picture.times):
        shown_name = name if picture.times == 1 else f"{name} t{time + 1:0{digits}d}"
        image = OpenedImage(
            name=shown_name,
            source=clean_name(path.name),
            shape=(channels, picture.depth, *picture.size_yx),
            dtype=_converted_dtype(picture),
            is_rgb=is_rgb,
            channel_names=_channel_names(picture, channels, is_rgb),
            pixel_size_um=picture.pixel_size_um,
            read_plane=_not_yet,
            notes=picture.notes,
            time=time,
            times=picture.times,
        )
        image.read_plane = functools.partial(_read_plane, image, picture, time)
        image.read_part = functools.partial(_read_part, image, picture, time)
        images.append(image)
    return images


def _read_plane(image: OpenedImage, picture: TiffPicture, time: int, z: int) -> Pixels:
    """Plane ``(C, Y, X)`` in one of the three number types images have."""
    if not 0 <= z < image.shape[1]:
        raise IndexError(f"plane {z} of {image.shape[1]}")
    plane = convert(picture.shown_plane(time, z))[: image.shape[0]]
    note_not_finite(image, plane)
    return plane


def _read_part(
    image: OpenedImage, picture: TiffPicture, time: int, z: int, y0: int, x0: int, y1: int, x1: int
) -> Pixels | None:
    """Part of a plane that needs no decoding; None of one that does."""
    raw = picture.raw_plane(time, z)
    if raw is None or raw.shape[0] != image.shape[0]:
        return None
    return read_raw_part(picture.source.path, raw, y0, x0, y1, x1)


def note_not_finite(image: OpenedImage, plane: Pixels) -> None:
    """Note with an image that a plane of it holds values that are not numbers."""
    if plane.dtype == np.float32 and not np.isfinite(plane).all():
        note = "Some values are not numbers (NaN or infinite); they are kept as they are."
        if note not in image.notes:
            image.notes = (*image.notes, note)


def _not_yet(z: int) -> Pixels:
    raise AssertionError(f"plane {z} was asked for before its image was complete")


def convert(plane: Pixels) -> Pixels:
    """Values as uint8, uint16 or float32: the value itself where these can hold it.

    1-bit values become 0 and 255; signed and 32-bit integers and other floats become float32, exact
    up to 2**24.
    """
    if plane.dtype == bool:
        return plane.astype(np.uint8) * np.uint8(255)
    if plane.dtype in (np.uint8, np.uint16, np.float32):
        return plane
    with np.errstate(over="ignore"):
        return plane.astype(np.float32)


def _converted_dtype(picture: TiffPicture) -> np.dtype[np.generic]:
    if picture.colours.palette is not None:
        return np.dtype(np.uint8)
    return convert(np.zeros(1, picture.dtype)).dtype


def _colour_channels(picture: TiffPicture) -> tuple[bool, int]:
    """Whether a picture is in colour, and its number of channels once greys are recognised."""
    palette = picture.colours.palette is not None
    channels = picture.channels * (3 if palette else 1)
    is_colour = (picture.colours.is_rgb or palette) and channels == 3
    if not is_colour:
        return False, channels
    if _all_grey(picture):
        return False, 1
    return _converted_dtype(picture).name in ("uint8", "uint16"), 3


def _all_grey(picture: TiffPicture) -> bool:
    """True if red, green and blue are equal in the planes looked at."""
    planes = [(time, z) for time in range(picture.times) for z in range(picture.depth)]
    step = max(1, len(planes) // _MAX_CHECKED_PLANES)
    for time, z in planes[::step]:
        plane = picture.shown_plane(time, z)
        if not (np.array_equal(plane[0], plane[1]) and np.array_equal(plane[0], plane[2])):
            return False
    return True


def _channel_names(picture: TiffPicture, channels: int, is_rgb: bool) -> tuple[str, ...]:
    if is_rgb or (picture.colours.is_rgb and channels == 3):
        return ("red", "green", "blue")
    names = picture.channel_names if len(picture.channel_names) == channels else ("",) * channels
    return tuple(name or f"channel {number + 1}" for number, name in enumerate(names))


def _pixel_size(tif: object, page: object, ome: OmeImage | None) -> PixelSize | None:
    if ome is not None:
        return ome.pixel_size_um
    return pixel_size(tif, page)  # type: ignore[arg-type]


def _written_bytes(series: TiffPageSeries, missing: int) -> int:
    pages = max(1, len(series))
    return int(series.nbytes) * (pages - missing) // pages


def _missing_note(missing: int) -> tuple[str, ...]:
    if not missing:
        return ()
    planes = "1 plane was" if missing == 1 else f"{missing} planes were"
    return (f"{planes} never written to this file; shown as 0.",)


@functools.cache
def quiet_tifffile() -> ModuleType:
    """tifffile, imported on first use (0.15 s), its log lines kept off the user's terminal."""
    import tifffile

    logging.getLogger("tifffile").addHandler(logging.NullHandler())
    return tifffile


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong inside into a `ReadError` with one sentence."""
    try:
        yield
    except ReadError:
        raise
    except OSError as error:
        raise cannot_open(path, error) from error
    except MemoryError as error:
        raise ReadError(f"{shown(path)} is too large for the memory of this computer.") from error
    except Exception as error:  # tifffile and its codecs raise many kinds
        raise ReadError(
            f"{shown(path)} is damaged or not a complete TIFF file. "
            "Copy it again, or save it anew from the program that made it."
        ) from error
