"""Masks, objects and tables for other programs.

A file appears under its name only when it is complete; one that is there is never overwritten
unless that was asked for. Unlabelled and background voxels both become 0.
"""

from __future__ import annotations

import contextlib
import csv
import io
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, ClassInfo
from orgseg_app.files import atomic
from orgseg_app.files.errors import FileError
from orgseg_app.files.names import safe_stem, unique_names
from orgseg_app.files.png import encode_png

__all__ = [
    "MASK_FORMATS",
    "ExportError",
    "MaskFormat",
    "export_path",
    "mask_paths",
    "mask_values",
    "safe_stem",
    "unique_names",
    "write_mask",
    "write_mask_planes",
    "write_object_planes",
    "write_objects",
    "write_table",
    "written",
]

TIFF, PNG = "tiff", "png"
_ZLIB = "zlib"
_CLASSIC_BYTES = 2**32 - 2**25  # offsets have 32 bits in a TIFF that is not a BigTIFF
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\n", "＝", "＋", "－", "＠")


class ExportError(FileError):
    """Something cannot be exported; the message says what to do."""


@dataclass(frozen=True)
class MaskFormat:
    """A file format for masks.

    Attributes
    ----------
    title
        As shown.
    suffix
        Of the file name, with the dot.
    about
        One sentence: what it is good for, and how voxels are numbered.
    """

    title: str
    suffix: str
    about: str


MASK_FORMATS: dict[str, MaskFormat] = {
    TIFF: MaskFormat(
        "TIFF",
        ".tif",
        "8-bit label image with pixel size and class colours, stacks in one file; opens in Fiji. "
        "0 is background or unlabelled, 1, 2, … are the classes.",
    ),
    PNG: MaskFormat(
        "PNG",
        ".png",
        "Opens anywhere; one file a plane. One class is 255 on 0, several are 1, 2, …",
    ),
}


def mask_values(classes: Sequence[ClassInfo], format: str) -> dict[int, int]:
    """The value each class gets in an exported mask; unlabelled and background get 0.

    >>> from orgseg_app.core.classes import default_classes
    >>> mask_values(default_classes(["ER"]), "png"), mask_values(default_classes(["a", "b"]), "png")
    ({1: 0, 2: 255}, {1: 0, 2: 1, 3: 2})
    """
    others = sorted(c.class_id for c in classes if c.class_id != BACKGROUND)
    if format == PNG and len(others) == 1:
        return {BACKGROUND: 0, others[0]: 255}
    return {BACKGROUND: 0} | {class_id: value for value, class_id in enumerate(others, 1)}


def export_path(folder: str | Path, name: str, suffix: str) -> Path:
    """Where to export an image of any name: always directly inside the folder.

    Raises
    ------
    ExportError
        Should a name lead elsewhere in spite of `safe_stem`.
    """
    folder = Path(folder)
    path = folder / f"{safe_stem(name)}{suffix}"
    if path.parent != folder or path.name in ("", ".", ".."):
        raise ExportError(f"“{name}” cannot be used as a file name.")
    return path


def make_folder(out: Path) -> None:
    """Make the folder an export goes to.

    Raises
    ------
    ExportError
        When it cannot be one.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(
            f"“{out}” cannot be used as a folder ({error.strerror}). Choose another; nothing was "
            "written."
        ) from error


def mask_paths(path: str | Path, format: str, depth: int) -> list[Path]:
    """The files that `write_mask` and `write_objects` make of a mask of so many planes.

    Raises
    ------
    ExportError
        For an unknown format.
    """
    _check_format(format)
    target = _with_suffix(Path(path), MASK_FORMATS[format].suffix)
    return [target] if format == TIFF else _plane_paths(target, depth)


def write_mask(
    path: str | Path,
    mask_zyx: NDArray[np.uint8],
    format: str,
    classes: Sequence[ClassInfo],
    pixel_size_um: tuple[float, float, float] | None = None,
    *,
    overwrite: bool = False,
    colours: bool = False,
) -> list[Path]:
    """Write a mask as a label image.

    Parameters
    ----------
    path
        The file to write; the format's suffix is added where it is missing. A stack as PNG
        becomes ``name_z001.png``, ``name_z002.png``, …
    mask_zyx
        ``(Z, Y, X)`` or ``(Y, X)`` uint8 class ids; ids of no class count as unlabelled.
    format
        A key of `MASK_FORMATS`.
    classes
        Of the project; `mask_values` says how they are numbered.
    pixel_size_um
        ``(z, y, x)`` in micrometres.
    overwrite
        Replace what is there.
    colours
        For PNG: a palette of the classes' colours; values are then 0, 1, 2, … always.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    ExportError
        When it cannot be written, or a file is there already; nothing is overwritten then.
    """
    mask = mask_zyx[np.newaxis] if mask_zyx.ndim == 2 else mask_zyx
    if mask.ndim != 3 or mask.size == 0 or mask.dtype != np.uint8:
        raise ValueError(f"A mask is (Z, Y, X) uint8, not {mask.shape} {mask.dtype}.")
    depth, height, width = mask.shape
    return write_mask_planes(
        path,
        mask,
        (depth, height, width),
        format,
        classes,
        pixel_size_um,
        overwrite=overwrite,
        colours=colours,
    )


def write_mask_planes(
    path: str | Path,
    planes: Iterable[NDArray[np.uint8]],
    shape_zyx: tuple[int, int, int],
    format: str,
    classes: Sequence[ClassInfo],
    pixel_size_um: tuple[float, float, float] | None = None,
    *,
    overwrite: bool = False,
    colours: bool = False,
) -> list[Path]:
    """As `write_mask`, plane by plane: only a few planes are in memory at a time.

    A TIFF of more than 4 GB, unpacked, becomes a BigTIFF with OME metadata.

    Parameters
    ----------
    planes
        ``(Y, X)`` uint8 class ids, in order.
    shape_zyx
        Of all of them.
    path, format, classes, pixel_size_um, overwrite, colours
        As in `write_mask`, which also names the errors.
    """
    _check_format(format)
    values = mask_values(classes, TIFF if colours else format)
    table = np.zeros(256, np.uint8)
    for class_id, value in values.items():
        table[class_id] = value
    palette = _palette(classes, values)
    labels = _Labels((table[plane] for plane in planes), shape_zyx, np.dtype(np.uint8))
    target = _with_suffix(Path(path), MASK_FORMATS[format].suffix)
    if format == TIFF:
        _write_tiff(target, labels, pixel_size_um, overwrite, palette)
        return [target]
    return _write_pngs(target, labels, pixel_size_um, overwrite, palette if colours else ())


def write_objects(
    path: str | Path,
    objects_zyx: NDArray[np.uint32],
    format: str = TIFF,
    pixel_size_um: tuple[float, float, float] | None = None,
    *,
    overwrite: bool = False,
) -> list[Path]:
    """Write object numbers as a label image: 16-bit, or 32-bit TIFF above 65,535 objects.

    Parameters and errors are those of `write_mask`; ``objects_zyx`` holds ``(Z, Y, X)`` or
    ``(Y, X)`` whole numbers, 0 = no object. PNG ends at 65,535.
    """
    objects = objects_zyx[np.newaxis] if objects_zyx.ndim == 2 else objects_zyx
    if objects.ndim != 3 or objects.size == 0 or objects.dtype.kind != "u":
        raise ValueError(f"Objects are (Z, Y, X) uint32, not {objects.shape} {objects.dtype}.")
    depth, height, width = objects.shape
    return write_object_planes(
        path,
        objects,
        (depth, height, width),
        int(objects.max()),
        format,
        pixel_size_um,
        overwrite=overwrite,
    )


def write_object_planes(
    path: str | Path,
    planes: Iterable[NDArray[np.unsignedinteger[Any]]],
    shape_zyx: tuple[int, int, int],
    highest: int,
    format: str = TIFF,
    pixel_size_um: tuple[float, float, float] | None = None,
    *,
    overwrite: bool = False,
) -> list[Path]:
    """As `write_objects`, plane by plane: only a few planes are in memory at a time.

    Parameters
    ----------
    planes
        ``(Y, X)`` object numbers, in order.
    shape_zyx
        Of all of them.
    highest
        The highest number.
    path, format, pixel_size_um, overwrite
        As in `write_objects`, which also names the errors.
    """
    _check_format(format)
    target = _with_suffix(Path(path), MASK_FORMATS[format].suffix)
    if format == PNG and highest > 65_535:
        raise ExportError(
            f"“{target.name}” would need {highest} numbers, a PNG holds 65,535. "
            "Export these objects as TIFF."
        )
    dtype = np.dtype(np.uint16 if highest <= 65_535 else np.uint32)
    labels = _Labels((plane.astype(dtype) for plane in planes), shape_zyx, dtype, highest)
    if format == PNG:
        return _write_pngs(target, labels, pixel_size_um, overwrite, ())
    _write_tiff(target, labels, pixel_size_um, overwrite, ())
    return [target]


def write_table(
    path: str | Path,
    rows: Sequence[Mapping[str, object]],
    columns: Sequence[str] = (),
    *,
    overwrite: bool = False,
) -> Path:
    """Write rows as CSV, first line the column names.

    Text that a spreadsheet would run as a formula gets an apostrophe in front. Missing values, None
    and NaN are empty cells. A file with letters beyond ASCII starts with the mark (BOM) by which
    Excel knows UTF-8.

    Parameters
    ----------
    rows
        One mapping a line.
    columns
        Their order; as met in the rows unless given.

    Raises
    ------
    ExportError
        When it cannot be written, or the file is there already.
    """
    target = _with_suffix(Path(path), ".csv")
    names = list(columns) or list(dict.fromkeys(key for row in rows for key in row))
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([_cell(name) for name in names])
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in names])
    text = stream.getvalue()
    data = text.encode("utf-8" if text.isascii() else "utf-8-sig", "replace")
    with written(target, overwrite) as draft:
        draft.write_bytes(data)
    return target


def _cell(value: object) -> object:
    """A cell's text or number, harmless in a spreadsheet."""
    if value is None or (isinstance(value, (float, np.floating)) and math.isnan(value)):
        return ""
    if isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating)):
        return value.item() if isinstance(value, np.generic) else value
    text = str(value).replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    if text.lstrip(" ").startswith(_FORMULA_STARTS) or text.startswith(_FORMULA_STARTS):
        with contextlib.suppress(ValueError):
            float(text)
            return text  # a number, such as -1.5
        return f"'{text}"
    return text


def _palette(classes: Sequence[ClassInfo], values: Mapping[int, int]) -> list[tuple[int, int, int]]:
    """The colour of each value; black for 0 and for values of no class."""
    colours = [(0, 0, 0)] * (max(values.values()) + 1)
    for info in classes:
        if values[info.class_id]:
            colours[values[info.class_id]] = info.rgb
    return colours


@dataclass(frozen=True)
class _Labels:
    """Planes ``(Y, X)`` to be written, their ``(Z, Y, X)``, dtype and highest value."""

    planes: Iterable[NDArray[Any]]
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    highest: int = 255


def _write_tiff(
    target: Path,
    labels: _Labels,
    pixel_size_um: tuple[float, float, float] | None,
    overwrite: bool,
    palette: Sequence[tuple[int, int, int]],
) -> None:
    """One TIFF of labels: for ImageJ, or OME for 32 bits or 4 GB, which that cannot describe."""
    import tifffile  # slow to import

    shape = labels.shape if labels.shape[0] > 1 else labels.shape[1:]
    metadata: dict[str, object] = {"axes": "ZYX"[-len(shape) :]}
    resolution = None
    is_large = math.prod(shape) * labels.dtype.itemsize > _CLASSIC_BYTES
    is_imagej = labels.dtype != np.uint32 and not is_large
    if is_imagej:
        metadata |= {"min": 0.0, "max": float(max(1, labels.highest))}
        if palette:
            table = np.zeros((3, 256), np.uint8)
            table[:, : len(palette)] = np.array(palette, np.uint8).T
            metadata["LUTs"] = [table]
            metadata["max"] = 255.0  # values are looked up in the colours one to one
    if pixel_size_um is not None:
        z, y, x = pixel_size_um
        if is_imagej:
            resolution = (1.0 / x, 1.0 / y)
            metadata |= {"unit": "um"} | ({"spacing": z} if len(shape) == 3 else {})
        else:
            for axis, size in zip("ZYX", (z, y, x), strict=True):
                metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
    with written(target, overwrite) as draft:
        tifffile.imwrite(
            draft,
            iter(labels.planes),
            shape=shape,
            dtype=labels.dtype,
            bigtiff=is_large,
            imagej=is_imagej,
            ome=not is_imagej,
            photometric="minisblack",
            compression=_ZLIB,
            resolution=resolution,
            metadata=metadata,
        )


def _write_pngs(
    target: Path,
    labels: _Labels,
    pixel_size_um: tuple[float, float, float] | None,
    overwrite: bool,
    palette: Sequence[tuple[int, int, int]],
) -> list[Path]:
    """One PNG a plane of ``(Z, Y, X)`` labels."""
    paths = _plane_paths(target, labels.shape[0])
    if not overwrite:
        for path in paths:
            _refuse_existing(path)
    size = None if pixel_size_um is None else (pixel_size_um[1], pixel_size_um[2])
    for path, plane in zip(paths, labels.planes, strict=True):
        data = encode_png(plane, palette, pixel_size_um=size)
        with written(path, overwrite) as draft:
            draft.write_bytes(data)
    return paths


def _plane_paths(target: Path, depth: int) -> list[Path]:
    """The file itself, or one a plane where there are several."""
    if depth == 1:
        return [target]
    digits = max(3, len(str(depth)))
    stem, suffix = target.stem, target.suffix
    return [target.with_name(f"{stem}_z{z:0{digits}}{suffix}") for z in range(1, depth + 1)]


def _check_format(name: str) -> None:
    if name not in MASK_FORMATS:
        raise ExportError(f"There is no format {name!r}; use one of {', '.join(MASK_FORMATS)}.")


def _with_suffix(path: Path, suffix: str) -> Path:
    known = {".tif", ".tiff"} if suffix == ".tif" else {suffix}
    return path if path.suffix.lower() in known else path.with_name(path.name + suffix)


def _refuse_existing(path: Path) -> None:
    if os.path.lexists(path):
        raise ExportError(
            f"“{path.name}” is already in {path.parent} and was left as it is. "
            "Allow overwriting, or choose another folder."
        )


@contextlib.contextmanager
def written(target: Path, overwrite: bool) -> Iterator[Path]:
    """A draft of the file, put in place at the end; the system's refusals become sentences."""
    target = Path(os.path.abspath(target))
    if not overwrite:
        _refuse_existing(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(target, overwrite=overwrite) as draft:
            yield draft
    except FileExistsError:
        _refuse_existing(target)
        raise ExportError(f"{target.parent} is a file, not a folder.") from None
    except OSError as error:
        raise ExportError(
            f"“{target.name}” could not be written to {target.parent}: {atomic.reason(error)}. "
            "Nothing was overwritten; choose another folder."
        ) from error
