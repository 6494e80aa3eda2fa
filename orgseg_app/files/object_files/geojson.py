"""QuPath's GeoJSON: a feature for each object, its outline a polygon or several, with holes.

Read are a FeatureCollection, a bare list of features (QuPath before 0.3) and a single feature. A
pixel belongs to a polygon that holds its middle; corners are given in pixels from the image's
corner, as QuPath does. Where a file has cells or detections, annotations are the areas in which
they were looked for, and no objects; tiles and cores of tissue never are.

Bankhead, P. et al. (2017), QuPath: Open source software for digital pathology image analysis, Sci.
Rep. 7, 16878; its documentation, “Exporting annotations”; RFC 7946. What OrgSeg writes besides is
an entry of the features' metadata, ``OrgSeg object``, by which planes of one object find together.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from orgseg_app.files.object_files.limited_json import (
    MalformedError,
    mapping,
    points_xy,
    read_json,
    reading_as,
    sequence,
    text,
    whole,
)
from orgseg_app.files.object_files.placing import Placing
from orgseg_app.files.readers.names import shown

KIND = "QuPath GeoJSON"
ENDING = ".geojson"
MANY = 2_000
"""Objects of an image from which on they are written as detections: QuPath gets slow with so many
annotations."""

_FEATURE = re.compile(rb'"type"\s*:\s*"Feature(Collection)?"')
_OWN_NUMBER = "OrgSeg object"
_HIGHEST = 2**24
_MAX_DEPTH = 32
_MAX_FEATURES = 2_000_000
_DETECTED = ("cell", "detection", "PathCellObject", "PathDetectionObject")
_AREAS = ("annotation", "PathAnnotationObject")
_NEVER = ("tile", "tmaCore", "root", "PathTileObject", "TMACoreObject", "PathRootObject")

Rings = list[NDArray[np.float64]]


@dataclass
class _Feature:
    """One object; its pieces are rings ``(N, 2)`` of ``(y, x)``, an outer one and its holes."""

    pieces: list[Rings]
    z: int
    time: int
    number: int
    class_name: str
    kind: str


def looks_like(path: Path, head: bytes) -> bool:
    """A JSON text whose beginning says that it holds features."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[") and bool(_FEATURE.search(head))


def contents(path: Path) -> Contents:
    """One image, which the file does not name.

    Raises
    ------
    ReadError
        It is damaged, too large, or holds no polygon.
    """
    features, notes = _features(path)
    if not features:
        raise ReadError(f"{shown(path)} holds no outlines of areas, so there are no objects in it.")
    names = tuple(dict.fromkeys(f.class_name for f in features if f.class_name))
    return Contents((Annotated(objects=len(set(_numbers(features)))),), names, notes)


def read(path: Path, key: str, shape_zyx: tuple[int, int, int]) -> ObjectsRead:
    """The polygons filled; those of planes that the image does not have are left out.

    Raises
    ------
    ReadError
        As `contents`.
    """
    features, _ = _features(path)
    placing = Placing(shape_zyx)
    classes: dict[int, str] = {}
    elsewhere = 0
    with reading_as(path, KIND):
        for feature, number in zip(features, _numbers(features), strict=True):
            if feature.z >= shape_zyx[0] or feature.time > 0:
                elsewhere += 1
                continue
            for rings in feature.pieces:
                placing.put(number, fill_piece(rings, shape_zyx[1:]), feature.z)
            if feature.class_name:
                classes[number] = feature.class_name
    notes = placing.notes()
    if elsewhere:
        are = "1 object is" if elsewhere == 1 else f"{elsewhere:,} objects are"
        notes = (*notes, f"{are} of planes or time points that the image does not have.")
    return ObjectsRead(placing.objects, classes, notes=notes)


def write(target: Path, images: Sequence[ObjectImage], class_names: Sequence[str]) -> list[Path]:
    """A ``NAME.geojson`` for each image; QuPath takes it by dropping it on the open image."""
    written = []
    for image in images:
        path = export_path(target, Path(image.name).stem, ENDING)
        with path.open("w", encoding="utf-8", newline="\n") as stream:
            stream.write('{"type": "FeatureCollection", "features": [')
            for place, feature in enumerate(_written(image)):
                stream.write(",\n" if place else "\n")
                json.dump(feature, stream, ensure_ascii=False, separators=(",", ":"))
            stream.write("\n]}\n")
        written.append(path)
    return written


# -- reading ---------------------------------------------------------------------------------------


def _features(path: Path) -> tuple[list[_Feature], tuple[str, ...]]:
    """The objects of a file, and sentences about what is left out."""
    found = read_json(path, KIND)
    features: list[_Feature] = []
    pointless = 0
    with reading_as(path, KIND):
        for entry in _entries(found):
            feature = _feature(entry)
            if feature is None:
                pointless += 1
            elif feature.kind not in _NEVER:
                features.append(feature)
    notes = []
    if pointless:
        things = "1 line or point was" if pointless == 1 else f"{pointless:,} lines or points were"
        notes.append(f"{things} left out: only areas are objects.")
    if any(f.kind in _DETECTED for f in features) and any(f.kind in _AREAS for f in features):
        areas = sum(f.kind in _AREAS for f in features)
        features = [f for f in features if f.kind not in _AREAS]
        were = "1 annotation was" if areas == 1 else f"{areas:,} annotations were"
        notes.append(f"{were} left out: the objects are the {len(features):,} cells or detections.")
    return features, tuple(notes)


def _entries(found: Any) -> Iterator[dict[str, Any]]:
    """The features of a file, each before those that lie in it."""
    todo: list[tuple[Any, int]] = [(found, 0)]
    count = 0
    while todo:
        value, depth = todo.pop()
        if isinstance(value, list):
            inner: list[Any] = value
        else:
            entry = mapping(value, "a feature")
            if entry.get("type") == "Feature":
                count += 1
                if count > _MAX_FEATURES:
                    raise MalformedError(f"it has more than {_MAX_FEATURES:,} features")
                yield entry
            inner = _inside(entry)
        if inner and depth >= _MAX_DEPTH:
            raise MalformedError("features lie too deep within features")
        todo += [(child, depth + 1) for child in reversed(inner)]


def _inside(entry: dict[str, Any]) -> list[Any]:
    """The features in a collection, or below a feature in QuPath's hierarchy."""
    if entry.get("type") == "FeatureCollection":
        return sequence(entry.get("features"), "the list of features")
    properties = entry.get("properties")
    children = properties.get("childObjects") if isinstance(properties, dict) else None
    return children if isinstance(children, list) else []


def _feature(entry: dict[str, Any]) -> _Feature | None:
    """An object; None for what has no area."""
    geometry = mapping(entry.get("geometry") or {}, "the geometry of a feature")
    pieces = _pieces(geometry, 0)
    if not pieces:
        return None
    properties = mapping(entry.get("properties") or {}, "the properties of a feature")
    kind = properties.get("objectType", properties.get("object_type", entry.get("id")))
    plane = geometry.get("plane")
    plane = plane if isinstance(plane, dict) else {}
    return _Feature(
        pieces,
        whole(plane.get("z") or 0, "the plane of a feature", most=2**31),
        whole(plane.get("t") or 0, "the time point of a feature", most=2**31),
        _own_number(properties),
        _class_of(properties.get("classification")),
        kind if isinstance(kind, str) and len(kind) < 40 else "",
    )


def _pieces(geometry: dict[str, Any], depth: int) -> list[Rings]:
    """The polygons of a geometry."""
    kind = geometry.get("type")
    if kind == "GeometryCollection" and depth < _MAX_DEPTH:
        found: list[Rings] = []
        for inner in sequence(geometry.get("geometries"), "a collection of shapes"):
            found += _pieces(mapping(inner, "a shape"), depth + 1)
        return found
    coordinates = geometry.get("coordinates")
    if kind == "Polygon":
        return [_rings(coordinates)]
    if kind == "MultiPolygon":
        return [_rings(polygon) for polygon in sequence(coordinates, "the polygons of a feature")]
    return []


def _rings(polygon: Any) -> Rings:
    return [points_xy(ring, "a polygon") for ring in sequence(polygon, "the rings of a polygon")]


def _class_of(classification: Any) -> str:
    """The name of a class; QuPath joins the parts of a derived one by colons."""
    if isinstance(classification, dict):
        parts = classification.get("names")
        if isinstance(parts, list) and parts:
            classification = ": ".join(text(part, "the name of a class") for part in parts[:16])
        else:
            classification = classification.get("name")
    return clean_text(classification, 120) if isinstance(classification, str) else ""


def _own_number(properties: dict[str, Any]) -> int:
    metadata = properties.get("metadata")
    said = metadata.get(_OWN_NUMBER) if isinstance(metadata, dict) else None
    is_number = isinstance(said, str) and said.isascii() and said.isdecimal() and len(said) < 10
    return int(said) if is_number and said is not None and int(said) < _HIGHEST else 0


def _numbers(features: Sequence[_Feature]) -> list[int]:
    """A number for each feature: as OrgSeg wrote it if it wrote them all, else in order."""
    if features and all(feature.number for feature in features):
        return [feature.number for feature in features]
    return list(range(1, len(features) + 1))


# -- writing ---------------------------------------------------------------------------------------


def _written(image: ObjectImage) -> Iterator[dict[str, Any]]:
    """The features of an image, object by object, plane by plane."""
    outlines: list[tuple[int, int, list[Part]]] = []
    for z, plane in enumerate(image.objects):
        outlines += [(number, z, parts) for number, parts in outlines_of(plane).items()]
    outlines.sort(key=lambda outline: outline[:2])
    kind = "detection" if len(outlines) > MANY else "annotation"
    for number, z, parts in outlines:
        properties: dict[str, Any] = {"objectType": kind}
        if image.classes.get(number):
            properties["classification"] = {"name": image.classes[number]}
        properties["metadata"] = {_OWN_NUMBER: str(number)}
        yield {
            "type": "Feature",
            "id": str(uuid.uuid4()),
            "geometry": _geometry(parts, z),
            "properties": properties,
        }


def _geometry(parts: list[Part], z: int) -> dict[str, Any]:
    polygons = [[[*ring[:, ::-1].tolist(), ring[0, ::-1].tolist()] for ring in p] for p in parts]
    made: dict[str, Any] = {"type": "Polygon", "coordinates": polygons[0]}
    if len(polygons) > 1:
        made = {"type": "MultiPolygon", "coordinates": polygons}
    if z:
        made["plane"] = {"c": -1, "z": z, "t": 0}
    return made


FORMAT = ObjectFormat(
    name="geojson",
    title="QuPath GeoJSON",
    about="NAME.geojson with a polygon for each object and its class, as QuPath exports and takes "
    "them.",
    suffixes=(ENDING, ".json"),
    looks_like=looks_like,
    contents=contents,
    read=read,
    write=write,
    written="each",
)
