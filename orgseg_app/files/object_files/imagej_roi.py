"""ImageJ's regions of interest: a ``.roi`` file, or the ROI Manager's ``RoiSet.zip`` of many.

Polygons, freehand and traced outlines, rectangles, ovals, ellipses and composite shapes (with
holes, of several pieces) are objects; lines, angles, points and texts are left out. A pixel belongs
to an outline that holds its middle, as in ImageJ since 1.52u. The number of the slice (``z`` of a
hyperstack, or the position in a stack) says the plane.

The format is that of ``ij/io/RoiDecoder.java`` (ImageJ, public domain); `roifile` (C. Gohlke, BSD)
reads and writes it. What OrgSeg writes besides are two ROI properties, which ImageJ keeps and
shows: ``object`` (its number, by which planes of one object find together) and ``class``.
"""

from __future__ import annotations

import itertools
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.shapes.polygons import fill_piece, outlines_of
from orgseg_app.core.shapes.rings import Part
from orgseg_app.files.errors import ReadError
from orgseg_app.files.export import export_path
from orgseg_app.files.names import clean_text
from orgseg_app.files.object_files.format import (
    Annotated,
    Contents,
    ObjectFormat,
    ObjectImage,
    ObjectsRead,
)
from orgseg_app.files.object_files.placing import Placing
from orgseg_app.files.readers.names import shown
from orgseg_app.files.readers.sniff import cannot_open

if TYPE_CHECKING:
    from roifile import ImagejRoi

ENDING = "_RoiSet.zip"
MAX_MEMBERS = 200_000
"""Outlines in one archive."""
MAX_MEMBER = 16 * 2**20
"""Bytes of one outline, unpacked: a million points."""
MAX_TOTAL = 512 * 2**20
"""Bytes of all outlines of an archive, unpacked."""

_ZIP, _ROI = b"PK\x03\x04", b"Iout"
_SUFFIX = ".roi"
_FARTHEST = 2**24  # numbers of objects that are taken from a file
_ARC_POINTS = 32
_ENCRYPTED = 1
_DAMAGE = (ValueError, TypeError, KeyError, IndexError, struct.error, AssertionError, RuntimeError)

Points = NDArray[np.float64]


@dataclass
class _Outline:
    """An area of one plane.

    Attributes
    ----------
    rings
        ``(N, 2)`` points ``(y, x)``; one within another is a hole.
    planes
        Number of the slice in a hyperstack, and the position in a stack, from 1; 0 is none.
    number
        Of its object, as OrgSeg wrote it; 0 where another program did.
    """

    rings: list[Points]
    planes: tuple[int, int]
    time: int
    number: int
    class_name: str


@dataclass
class _Read:
    """The outlines of a file, and how many things are not outlines of areas."""

    outlines: list[_Outline] = field(default_factory=list)
    left_out: int = 0

    def notes(self) -> tuple[str, ...]:
        if not self.left_out:
            return ()
        things = (
            "1 line, point or text"
            if self.left_out == 1
            else (f"{self.left_out:,} lines, points or texts")
        )
        return (f"{things} left out: only areas are objects.",)


def looks_like(path: Path, head: bytes) -> bool:
    """One outline, or an archive whose first file is one."""
    if head.startswith(_ROI):
        return True
    if not head.startswith(_ZIP) or len(head) < 30:
        return False
    size = int.from_bytes(head[26:28], "little")
    return head[30 : 30 + size].lower().endswith(_SUFFIX.encode())


def contents(path: Path) -> Contents:
    """One image, which the file does not name.

    Raises
    ------
    ReadError
        It is damaged, too large, or holds no area.
    """
    read_ = _outlines(path)
    names = tuple(dict.fromkeys(o.class_name for o in read_.outlines if o.class_name))
    if not read_.outlines:
        raise ReadError(
            f"{shown(path)} holds no outlines of areas"
            + (", only lines, points or texts." if read_.left_out else ".")
        )
    objects = len(set(_numbers(read_.outlines)))
    return Contents((Annotated(objects=objects),), names, read_.notes())


def read(path: Path, key: str, shape_zyx: tuple[int, int, int]) -> ObjectsRead:
    """The outlines filled; those of slices that the image does not have are left out.

    Raises
    ------
    ReadError
        As `contents`.
    """
    outlines = _outlines(path).outlines
    placing = Placing(shape_zyx)
    classes: dict[int, str] = {}
    elsewhere = 0
    numbers = _numbers(outlines)
    planes = [_plane_of(outline, shape_zyx[0]) for outline in outlines]
    if shape_zyx[0] == 1 and len({o.planes for o in outlines}) == 1:
        planes = [0] * len(outlines)  # all of one slice of a stack, which this image is
    for outline, number, z in zip(outlines, numbers, planes, strict=True):
        if z is None:
            elsewhere += 1
            continue
        try:
            filled = fill_piece(outline.rings, shape_zyx[1:])
        except ValueError as error:
            raise _damaged(path) from error
        placing.put(number, filled, z)
        if outline.class_name:
            classes[number] = outline.class_name
    notes = placing.notes()
    if elsewhere:
        outlines_are = "1 outline is" if elsewhere == 1 else f"{elsewhere:,} outlines are"
        notes = (*notes, f"{outlines_are} of slices or time points that the image does not have.")
    return ObjectsRead(placing.objects, classes, notes=notes)


def write(target: Path, images: Sequence[ObjectImage], class_names: Sequence[str]) -> list[Path]:
    """A ``NAME_RoiSet.zip`` for each image, with an outline for each object and plane."""
    groups = {name: number for number, name in enumerate(class_names, 1)}
    written = []
    for image in images:
        path = export_path(target, Path(image.name).stem, ENDING)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, roi in _rois(image, groups):
                archive.writestr(f"{name}{_SUFFIX}", roi.tobytes())
        written.append(path)
    return written


# -- reading ---------------------------------------------------------------------------------------


def _outlines(path: Path) -> _Read:
    found = _Read()
    for data in _members(path):
        try:
            outline = _outline(data)
        except (*_DAMAGE, UnicodeError, MemoryError, OverflowError) as error:
            raise _damaged(path) from error
        if outline is None:
            found.left_out += 1
        else:
            found.outlines.append(outline)
    return found


def _members(path: Path) -> Iterator[bytes]:
    """The bytes of each outline; names in an archive are names only."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            if stream.read(4) == _ROI:
                if size > MAX_MEMBER:
                    raise ReadError(f"{shown(path)} is too large for an outline.")
                stream.seek(0)
                yield stream.read()
                return
        with zipfile.ZipFile(path) as archive:
            yield from _unpacked(archive, path)
    except OSError as error:
        raise cannot_open(path, error) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise _damaged(path) from error


def _unpacked(archive: zipfile.ZipFile, path: Path) -> Iterator[bytes]:
    infos = [i for i in archive.infolist() if i.filename.lower().endswith(_SUFFIX)]
    sizes = [i.file_size for i in infos]
    if len(infos) > MAX_MEMBERS or sum(sizes) > MAX_TOTAL or max(sizes, default=0) > MAX_MEMBER:
        raise ReadError(
            f"{shown(path)} would unpack to {len(infos):,} outlines of "
            f"{sum(sizes) / 2**20:,.0f} MB, more than a ROI set has; it was not unpacked."
        )
    left = MAX_TOTAL
    for info in infos:
        if info.flag_bits & _ENCRYPTED:
            raise ReadError(f"{shown(path)} is locked by a password; save the ROIs without one.")
        with archive.open(info) as stream:
            data = stream.read(min(MAX_MEMBER, left) + 1)
        left -= len(data)
        if len(data) > MAX_MEMBER or left < 0:  # its header had promised less
            raise ReadError(
                f"{shown(path)} unpacks to more than it says; it was made to do harm, or is "
                "damaged."
            )
        yield data


def _outline(data: bytes) -> _Outline | None:
    """An outline; None for what is no area."""
    from roifile import ROI_SUBTYPE, ROI_TYPE, ImagejRoi

    if len(data) < 64 or not data.startswith(_ROI):
        raise ValueError("no ROI")
    # roifile reads points only for kinds that have them; of these, it allocates what is there.
    roi = ImagejRoi.frombytes(data)
    if roi.subtype in (ROI_SUBTYPE.TEXT, ROI_SUBTYPE.ARROW, ROI_SUBTYPE.IMAGE):
        return None
    rings: list[Points]
    if roi.roitype == ROI_TYPE.RECT and roi.shape_roi_size > 0 and roi.multi_coordinates is None:
        raise ValueError("a shape without its path")
    if roi.multi_coordinates is not None:
        rings = _rings_of_path(roi.multi_coordinates.tolist())
    elif roi.roitype in (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED):
        rings = [np.asarray(roi.coordinates(), np.float64)[:, ::-1]]
    elif roi.roitype == ROI_TYPE.RECT:
        rings = [_rectangle(*_box_of(roi), float(roi.rounded_rect_arc_size))]
    elif roi.roitype == ROI_TYPE.OVAL:
        top, left, height, width = _box_of(roi)
        rings = [_arc(top + height / 2, left + width / 2, height / 2, width / 2, 0, 360, 256)]
    else:
        return None
    said = _properties(roi.props)
    number = int(said["object"]) if said.get("object", "").isdecimal() else 0
    name = clean_text(said.get("class", ""), 120)
    if not name and roi.group > 0:
        name = f"Group {roi.group}"
    return _Outline(
        rings,
        (roi.z_position, roi.position),
        roi.t_position,
        number if number < _FARTHEST else 0,
        name,
    )


def _box_of(roi: ImagejRoi) -> tuple[float, float, float, float]:
    """Top, left, height and width of a rectangle or oval."""
    if roi.subpixelrect:
        return roi.yd, roi.xd, roi.heightd, roi.widthd
    return roi.top, roi.left, roi.bottom - roi.top, roi.right - roi.left


def _rectangle(top: float, left: float, height: float, width: float, arc: float) -> Points:
    """A rectangle, its corners rounded by quarters of an ellipse of diameter `arc`."""
    bottom, right = top + height, left + width
    if arc <= 0:
        return np.array([[top, left], [top, right], [bottom, right], [bottom, left]], np.float64)
    ry, rx = min(arc, height) / 2, min(arc, width) / 2
    corners = (
        (top + ry, right - rx, -90),
        (bottom - ry, right - rx, 0),
        (bottom - ry, left + rx, 90),
        (top + ry, left + rx, 180),
    )
    return np.concatenate([_arc(y, x, ry, rx, a, a + 90, _ARC_POINTS) for y, x, a in corners])


def _arc(
    y: float, x: float, ry: float, rx: float, first: float, last: float, points: int
) -> Points:
    """Points on an ellipse, from an angle to another in degrees."""
    angles = np.radians(np.linspace(first, last, points, endpoint=last - first < 360))
    return np.stack([y + ry * np.sin(angles), x + rx * np.cos(angles)], axis=1)


def _rings_of_path(path: list[float]) -> list[Points]:
    """The rings of a composite shape: Java's path of moves, lines and curves, ``x, y`` each.

    Raises
    ------
    ValueError
        For an unknown step, or one cut short.
    """
    rings: list[list[tuple[float, float]]] = []
    at = 0
    while at < len(path):
        step = path[at]
        points = _STEP_POINTS.get(step)
        given = path[at + 1 : at + 1 + 2 * (points or 0)]
        if points is None or len(given) < 2 * points or (not rings and step != _MOVE):
            raise ValueError("a path of another kind")
        pairs = list(zip(given[1::2], given[::2], strict=True))
        if step == _MOVE:
            rings.append(pairs)
        elif step == _LINE:
            rings[-1] += pairs
        elif points:
            rings[-1] += _curve([rings[-1][-1], *pairs])
        at += 1 + 2 * points
    return [np.array(ring, np.float64) for ring in rings]


def _curve(controls: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points on a Bézier curve of two or three steps, without its first."""
    found = []
    for share in np.linspace(0, 1, _ARC_POINTS)[1:].tolist():
        points = controls
        while len(points) > 1:
            points = [
                (a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1]))
                for a, b in itertools.pairwise(points)
            ]
        found.append(points[0])
    return found


_MOVE, _LINE = 0.0, 1.0
_STEP_POINTS = {_MOVE: 1, _LINE: 1, 2.0: 2, 3.0: 3, 4.0: 0}
"""Move, line, curve by one point, curve by two points, close; and how many points each has."""


def _properties(text: str) -> dict[str, str]:
    """ImageJ's list of properties: ``key: value``, one a line."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, mark, value in pairs if mark}


def _numbers(outlines: Sequence[_Outline]) -> list[int]:
    """A number for each outline: as OrgSeg wrote it if it wrote them all, else in order."""
    if outlines and all(outline.number for outline in outlines):
        return [outline.number for outline in outlines]
    return list(range(1, len(outlines) + 1))


def _plane_of(outline: _Outline, depth: int) -> int | None:
    """The plane of an outline; None where the image does not have it."""
    slice_, position = outline.planes
    if outline.time > 1:
        return None
    place = slice_ or position
    if place <= 0:
        return 0
    return place - 1 if place <= depth else None


def _damaged(path: Path) -> ReadError:
    return ReadError(
        f"{shown(path)} is damaged or cut short as an ImageJ ROI file. Copy it again from where it "
        "came from, or save the ROIs anew in ImageJ."
    )


# -- writing ---------------------------------------------------------------------------------------


def _rois(image: ObjectImage, groups: dict[str, int]) -> Iterator[tuple[str, ImagejRoi]]:
    """The outlines of an image with their names, object by object, plane by plane."""
    found: list[tuple[int, int, list[Part]]] = []
    for z, plane in enumerate(image.objects):
        found += [(number, z, parts) for number, parts in outlines_of(plane).items()]
    found.sort(key=lambda outline: outline[:2])
    is_stack = len(image.objects) > 1
    digits = max(4, len(str(max((number for number, _, _ in found), default=0))))
    for number, z, parts in found:
        roi = _roi(parts)
        roi.name = f"{number:0{digits}}" + (f"-z{z + 1:04}" if is_stack else "")
        roi.position = z + 1 if is_stack else 0
        roi.props = f"object: {number}\n"
        class_name = clean_text(image.classes.get(number, ""), 120)
        if class_name:
            roi.props += f"class: {class_name}\n"
            roi.group = min(255, groups.get(image.classes[number], 0))
        yield roi.name, roi


def _roi(parts: list[Part]) -> ImagejRoi:
    """A traced outline; or a composite shape where there are holes or several pieces."""
    from roifile import ROI_TYPE, ImagejRoi

    rings = [ring for part in parts for ring in part]
    every = np.concatenate(rings)
    (top, left), (bottom, right) = every.min(axis=0).tolist(), every.max(axis=0).tolist()
    roi = ImagejRoi(top=top, left=left, bottom=bottom, right=right)
    if len(rings) == 1 and max(bottom, right) < 2**15:
        roi.roitype = ROI_TYPE.TRACED
        roi.integer_coordinates = rings[0][:, ::-1] - np.array([left, top], np.int32)
        roi.n_coordinates = len(rings[0])
        return roi
    path: list[Any] = []
    for ring in rings:
        steps = np.empty((len(ring), 3), np.float32)
        steps[:, 0] = _LINE
        steps[0, 0] = _MOVE
        steps[:, 1:] = ring[:, ::-1]
        path += [steps.ravel(), np.array([4.0], np.float32)]
    roi.roitype = ROI_TYPE.RECT
    roi.multi_coordinates = np.concatenate(path)
    roi.shape_roi_size = len(roi.multi_coordinates)
    return roi


FORMAT = ObjectFormat(
    name="imagej",
    title="ImageJ ROIs (.roi, RoiSet.zip)",
    about="The ROI Manager's outlines, NAME_RoiSet.zip for the image NAME: polygons, freehand and "
    "traced areas, rectangles, ovals, composite shapes.",
    suffixes=(".zip", ".roi"),
    looks_like=looks_like,
    contents=contents,
    read=read,
    write=write,
    written="each",
)
