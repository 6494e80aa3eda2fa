"""QuPath's GeoJSON, there and back, as its versions write it, and made to do harm."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from orgseg_app.files.annotations.label_image import read_labels
from orgseg_app.files.errors import ReadError
from orgseg_app.files.object_files import geojson
from orgseg_app.files.object_files.format import HEAD_BYTES, ObjectImage

SHAPE = (1, 10, 12)


def square(top: float, left: float, side: float) -> list[list[float]]:
    right, bottom = left + side, top + side
    return [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]


def feature(geometry: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def polygon(*rings: list[list[float]], **more: Any) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": list(rings), **more}


def saved(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def objects_in(path: Path, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    assert geojson.looks_like(path, path.read_bytes()[:HEAD_BYTES])
    assert geojson.contents(path).images
    objects = geojson.read(path, "", shape).objects
    assert objects is not None
    return objects


FEATURES = [
    feature(
        polygon(square(1, 1, 4), square(2, 2, 1)),
        objectType="annotation",
        classification={"name": "Tumor", "color": [200, 0, 0]},
    ),
    feature(
        {"type": "MultiPolygon", "coordinates": [[square(6, 1, 2)], [square(6, 5, 2)]]},
        objectType="annotation",
        classification={"names": ["Tumor", "Positive"]},
    ),
]


@pytest.mark.parametrize(
    "content",
    [
        {"type": "FeatureCollection", "features": FEATURES},
        FEATURES,
        [{"type": "FeatureCollection", "features": [one]} for one in FEATURES],
    ],
)
def test_collections_bare_lists_and_lists_of_collections(tmp_path: Path, content: Any) -> None:
    path = saved(tmp_path / "cells.geojson", content)
    wanted = np.zeros(SHAPE, np.uint32)
    wanted[0, 1:5, 1:5], wanted[0, 2, 2] = 1, 0
    wanted[0, 6:8, 1:3] = wanted[0, 6:8, 5:7] = 2
    assert np.array_equal(objects_in(path), wanted)
    found = geojson.contents(path)
    assert found.class_names == ("Tumor", "Tumor: Positive")
    assert geojson.read(path, "", SHAPE).classes == {1: "Tumor", 2: "Tumor: Positive"}


def test_a_single_feature_of_qupath_0_2(tmp_path: Path) -> None:
    one = feature(polygon(square(1, 1, 3)), classification={"name": "A", "colorRGB": -3140401})
    path = saved(tmp_path / "one.json", one | {"id": "PathAnnotationObject"})
    assert objects_in(path).sum() == 9
    assert geojson.read(path, "", SHAPE).classes == {1: "A"}


def test_cells_come_and_the_areas_around_them_do_not(tmp_path: Path) -> None:
    cell = feature(polygon(square(2, 2, 2)), objectType="cell") | {
        "nucleusGeometry": polygon(square(2, 2, 1))
    }
    area = feature(polygon(square(0, 0, 10)), objectType="annotation", childObjects=[cell])
    tile = feature(polygon(square(0, 0, 5)), objectType="tile")
    line = feature({"type": "LineString", "coordinates": [[0, 0], [1, 1]]}, objectType="annotation")
    path = saved(tmp_path / "a.geojson", [area, tile, line])
    assert objects_in(path).sum() == 4
    assert geojson.contents(path).notes == (
        "1 line or point was left out: only areas are objects.",
        "1 annotation was left out: the objects are the 1 cells or detections.",
    )
    alone = saved(tmp_path / "b.geojson", [feature(polygon(square(0, 0, 5)), objectType="tile")])
    with pytest.raises(ReadError, match="no outlines of areas"):
        geojson.contents(alone)


def test_planes_and_overlaps(tmp_path: Path) -> None:
    content = [
        feature(polygon(square(0, 0, 2), plane={"c": -1, "z": 2, "t": 0})),
        feature({"type": "GeometryCollection", "geometries": [polygon(square(0, 0, 2))]}),
        feature(polygon(square(1, 1, 2))),
        feature(polygon(square(0, 0, 2), plane={"c": -1, "z": 7, "t": 0})),
        feature(polygon(square(90, 90, 2))),
    ]
    path = saved(tmp_path / "a.geojson", content)
    objects = objects_in(path, (3, 10, 12))
    assert np.unique(objects[2]).tolist() == [0, 1]
    assert np.unique(objects[0], return_counts=True)[1].tolist() == [113, 4, 3]
    assert geojson.read(path, "", (3, 10, 12)).notes == (
        "Objects overlap in 1 pixel; the earlier object kept them.",
        "1 object has no pixel in the image and did not come.",
        "1 object is of planes or time points that the image does not have.",
    )


@settings(max_examples=60)
@given(
    objects=hnp.arrays(
        np.uint32,
        st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7)),
        elements=st.sampled_from([0, 0, 1, 2, 900]),
    )
)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, objects: np.ndarray) -> None:
    folder = tmp_path_factory.mktemp("geojson")
    classes = {1: "Zellkern ü", 900: 'a "b": c'}
    (path,) = geojson.write(folder, [ObjectImage("cell.tif", objects, classes)], [])
    assert path == folder / "cell.geojson"
    present = set(np.unique(objects).tolist()) - {0}
    if present:
        read = geojson.read(path, "", objects.shape)  # type: ignore[arg-type]
        assert np.array_equal(read.objects, objects)
        assert read.classes == {n: name for n, name in classes.items() if n in present}


def test_qupath_gets_what_its_reader_asks_for(tmp_path: Path) -> None:
    """As `QuPathTypeAdapters` reads it: UUIDs, an objectType, closed rings, a class by its name."""
    objects = np.zeros((2, 8, 8), np.uint32)
    objects[1, 1:4, 1:4], objects[1, 2, 2], objects[1, 5, 5] = 3, 0, 3
    image = ObjectImage("a.tif", objects, {3: "ER"})
    (path,) = geojson.write(tmp_path, [image], ["ER"])
    found = json.loads(path.read_text("utf-8"))
    assert found["type"] == "FeatureCollection"
    (only,) = found["features"]
    assert uuid.UUID(only["id"])
    assert only["properties"]["objectType"] == "annotation"
    assert only["properties"]["classification"] == {"name": "ER"}
    assert only["geometry"]["type"] == "MultiPolygon"
    assert only["geometry"]["plane"] == {"c": -1, "z": 1, "t": 0}
    (outer, hole), (second,) = only["geometry"]["coordinates"]
    assert all(ring[0] == ring[-1] for ring in (outer, hole, second))
    assert sorted(outer[:-1]) == [[1, 1], [1, 4], [4, 1], [4, 4]]


def test_many_objects_are_written_as_detections(tmp_path: Path) -> None:
    objects = np.zeros((1, 50, 100), np.uint32)
    objects[0, ::2] = np.arange(2_500).reshape(25, 100)
    (path,) = geojson.write(tmp_path, [ObjectImage("a.tif", objects)], [])
    kinds = {f["properties"]["objectType"] for f in json.loads(path.read_text())["features"]}
    assert kinds == {"detection"}
    assert np.array_equal(geojson.read(path, "", (1, 50, 100)).objects, objects)


def test_the_seventeen_cells(shared_data: Path) -> None:
    folder = shared_data / "annotation_formats"
    truth = read_labels(folder / "instance_label_tif" / "cells.tif")
    path = folder / "qupath_geojson.geojson"
    found = geojson.contents(path)
    assert (found.images[0].objects, found.class_names) == (17, ("cell",))
    objects = geojson.read(path, "", truth.shape).objects  # type: ignore[arg-type]
    assert objects is not None
    for number in range(1, 18):
        one, other = truth == number, objects == number
        assert (one & other).sum() / (one | other).sum() >= 0.95


# -- strangers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        '{"type": "FeatureCollection", "features": [',
        '{"type": "FeatureCollection", "features": 3}',
        '{"type": "FeatureCollection"}',
        '[{"type": "Feature", "geometry": 5}]',
        '[{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": 7}}]',
        '[{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[[1]]]}}]',
        '[{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[["a", 1]]]}}]',
        '[{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[[1, NaN]]]}}]',
        '[{"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 1]}}]',
        '[{"type": "Feature", "geometry": null}]',
        '[{"type": "Feature"}, 5]',
        '[{"type": "Feature"}, ' + "[" * 5_000 + "]" * 5_000 + "]",
        '[{"type": "Feature", "geometry": '
        + '{"type": "GeometryCollection", "geometries": [' * 400
        + "]}" * 400
        + "}]",
    ],
)
def test_damaged_files_get_a_sentence(tmp_path: Path, content: str) -> None:
    path = saved(tmp_path / "a.geojson", content)
    with pytest.raises(ReadError, match="a.geojson") as told:
        geojson.contents(path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "ring", [[[0, 0], [1e30, 0], [1, 1]], [[0, 0], [1, 5e9], [1e12, 3]], [[-1e300, 0], [1, 1]]]
)
def test_impossible_coordinates_get_a_sentence(tmp_path: Path, ring: Any) -> None:
    path = saved(tmp_path / "a.geojson", [feature(polygon(ring))])
    with pytest.raises(ReadError, match="coordinate"):
        geojson.read(path, "", SHAPE)


def test_what_lies_beyond_the_image_is_cut_off(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.geojson", [feature(polygon(square(-1e6, -1e6, 2e6)))])
    assert objects_in(path).all()
