"""The one door for opening images: by content first, then by file name.

Files from strangers go through a child process: see `orgseg_app.files.readers.apart`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from orgseg_app.core.image import OpenedImage
from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers import apart
from orgseg_app.files.readers.header import ImageHeader
from orgseg_app.files.readers.inside import split_inside
from orgseg_app.files.readers.names import shown
from orgseg_app.files.readers.raster import read_raster, read_raster_header
from orgseg_app.files.readers.run_labels import run_labels
from orgseg_app.files.readers.sniff import RUNS, SUFFIX_FAMILIES, sniff
from orgseg_app.files.readers.tiff import read_tiff, tiff_header
from orgseg_app.files.readers.volume_files import (
    VOLUME_FAMILIES,
    open_volumes,
    read_volumes,
    volumes_header,
)
from orgseg_app.files.readers.volumes import IMAGE

READERS: dict[str, Callable[[Path], list[OpenedImage]]] = {
    "tiff": read_tiff,
    "png": read_raster,
    "jpeg": read_raster,
    "bmp": read_raster,
    **dict.fromkeys(VOLUME_FAMILIES, read_volumes),
}
"""Family of files → function that opens one; `sniff` finds the family."""

HEADERS: dict[str, Callable[[Path], ImageHeader]] = {
    "tiff": tiff_header,
    "png": read_raster_header,
    "jpeg": read_raster_header,
    "bmp": read_raster_header,
    **dict.fromkeys(VOLUME_FAMILIES, volumes_header),
    RUNS: lambda path: run_labels(path).header(),
}
"""Family of files → function that reads size and kind only."""

IMAGE_SUFFIXES: frozenset[str] = frozenset(SUFFIX_FAMILIES)
"""File name endings (lower case, with the dot) taken for images in a folder."""


def read_images(path: Path) -> list[OpenedImage]:
    """Open one image file.

    Parameters
    ----------
    path
        A file; what it holds counts, not what it is called. Or a Zarr folder, or an array within
        a file (`orgseg_app.files.readers.inside`).

    Returns
    -------
    list of OpenedImage
        At least one; time points and stage positions are images of their own, with names of their
        own. No file stays open; planes are read when asked for.

    Raises
    ------
    ReadError
        One sentence: missing, a folder, empty, no permission, not an image, damaged, cut short,
        too large for what it stores, or of a kind that is not supported.
    """
    path = Path(path)
    child = apart.in_use()
    if child is not None:
        return child.images(path)
    return READERS[image_family(path)](path)


def read_header(path: Path) -> ImageHeader:
    """Size and kind of one image file without decoding it.

    Raises
    ------
    ReadError
        As for `read_images`.
    """
    path = Path(path)
    child = apart.in_use()
    if child is not None:
        return child.header(path)
    return HEADERS[sniff(path)](path)


def read_contents(path: Path) -> list[tuple[str, str]]:
    """The arrays in one file: where each lies in it, and what it is.

    Returns
    -------
    list of (str, str)
        Path within the file (``""`` for the only one of a file) and ``"image"``, ``"labels"`` or
        ``"weights"``, by name and type.

    Raises
    ------
    ReadError
        As for `read_images`.
    """
    path = Path(path)
    child = apart.in_use()
    if child is not None:
        return child.contents(path)
    if sniff(path) not in VOLUME_FAMILIES:
        return [("", IMAGE)]
    return [(volume.inner, volume.kind) for volume in open_volumes(path, everything=True)]


def image_family(path: Path) -> str:
    """The family of a file that is to be an image.

    Raises
    ------
    ReadError
        As for `read_images`; and for a file of labels only.
    """
    family = sniff(path)
    if family == RUNS:
        raise ReadError(
            f"{shown(path)} holds run-length labels, which annotate an image; "
            "import it together with that."
        )
    return family


def read_headers(paths: Sequence[Path]) -> list[ImageHeader | ReadError]:
    """The headers of many files, or why each could not be read."""
    child = apart.in_use()
    if child is not None:
        return child.headers(paths)
    found: list[ImageHeader | ReadError] = []
    for path in paths:
        try:
            found.append(read_header(path))
        except ReadError as error:
            found.append(error)
    return found


def can_read(path: Path) -> bool:
    """True if the first bytes of a file are those of an image that can be opened."""
    try:
        sniff(Path(path))
    except ReadError:
        return False
    return True


def has_image_name(path: Path) -> bool:
    """True if a file is named like an image; it is not opened."""
    return split_inside(path)[0].suffix.lower() in IMAGE_SUFFIXES
