"""Measurements: equal to scikit-image where definitions agree, and to analytic shapes."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from orgseg_app.commands.measuring_arguments import GROUP_NAMES
from orgseg_app.commands.measuring_arguments import MEANINGS as TOLD_MEANINGS
from orgseg_app.core.measuring.brightness import Brightness
from orgseg_app.core.measuring.columns import CLASSES, OBJECTS
from orgseg_app.core.measuring.measure import GROUPS, Asked, Measured, ToMeasure, measure
from orgseg_app.core.measuring.tables import tables_of
from orgseg_app.core.stopping import StoppedError
from orgseg_app.files.measured_images import MEANINGS
from tests.core.measuring.record_peers import PLACE, plane, volume

ALL = Asked(frozenset(GROUPS), background=True)
PEERS = json.loads(PLACE.read_text())


def measured(
    numbers: np.ndarray,
    values: np.ndarray | None = None,
    *,
    classes: np.ndarray | None = None,
    size: tuple[float, float, float] | None = None,
    asked: Asked = ALL,
) -> Measured:
    """Objects ``(Y, X)`` or ``(Z, Y, X)`` by number, all of class 2 on background unless said."""
    numbers = numbers[None] if numbers.ndim == 2 else numbers
    ids = np.where(numbers > 0, 2, 1).astype(np.uint8)
    if classes is not None:
        ids = classes.reshape(numbers.shape)
    pixels = None if values is None else values.reshape(1, *numbers.shape)
    return measure(
        ToMeasure(
            name="img",
            shape_zyx=numbers.shape,
            pixel_size_um=size,
            classes={1: "background", 2: "cell", 3: "ER"},
            read_classes=lambda z: ids[z],
            read_numbers=lambda z: numbers[z].astype(np.uint32),
            read_pixels=None if pixels is None else lambda z: pixels[:, z],
            channel_names=() if pixels is None else ("DAPI",),
        ),
        asked,
    )


@pytest.mark.parametrize("number", range(len(PEERS["planes"])))
def test_planes_as_scikit_image_measures_them(number: int) -> None:
    labels, values = plane(number)
    found = measured(labels, values).objects
    said = PEERS["planes"][number]
    assert len(said) == len(found["size"]) > 3

    def theirs(key: str) -> np.ndarray:
        return np.array([item[key] for item in said], float)

    assert np.array_equal(found["size"], theirs("area"))
    assert np.array_equal(found["convex_size"], theirs("convex"))
    np.testing.assert_allclose(found["perimeter"], theirs("crofton"), rtol=1e-9)
    centroids = np.column_stack((found["centroid_y"], found["centroid_x"]))
    np.testing.assert_allclose(centroids, theirs("centroid"), rtol=1e-9)
    boxes = np.column_stack([found[k] for k in ("y_from", "x_from", "y_to", "x_to")])
    assert np.array_equal(boxes + np.array([0, 0, 1, 1]), theirs("bbox"))
    # voxels are boxes here and points there: a twelfth more along each axis
    axes = np.column_stack((found["major_axis"], found["minor_axis"]))
    np.testing.assert_allclose(axes**2 / 16 - 1 / 12, theirs("variances"), rtol=1e-6, atol=1e-9)
    # from the y axis there, from the x axis here
    turned = np.degrees(theirs("orientation")) + 90
    apart = (found["orientation"] - turned + 90) % 180 - 90
    is_clear = np.abs(np.subtract(*axes.T)) > 1e-6
    assert is_clear.sum() > 2
    assert np.abs(apart[is_clear]).max() < 1e-6
    longer = theirs("feret_max") - found["feret_max"]  # theirs is that of the hull's voxels
    assert (longer > -1e-9).all()
    assert (longer < 1).all()
    assert (longer == 0).mean() > 0.4
    for ours, key in (("mean:0", "mean"), ("min:0", "min"), ("max:0", "max"), ("sd:0", "sd")):
        np.testing.assert_allclose(found[ours], theirs(key), rtol=1e-9, atol=1e-9)
    assert np.array_equal(found["median:0"], theirs("median"))


def test_volumes_as_scikit_image_measures_them() -> None:
    labels, values = volume()
    found = measured(labels, values).objects
    said = PEERS["volume"]
    assert len(said) == len(found["size"]) > 3
    assert found["size"].tolist() == [item["volume"] for item in said]
    np.testing.assert_allclose(found["mean:0"], [item["mean"] for item in said])
    theirs = np.array([item["long_axis"] for item in said])
    is_large = found["size"] > 20
    assert is_large.sum() >= 2
    ours = np.sqrt(found["long_axis"] ** 2 - 20 / 12)
    np.testing.assert_allclose(ours[is_large], theirs[is_large], rtol=1e-6)


def disc(radius: float, side: int = 120, stretch: float = 1.0) -> np.ndarray:
    y, x = np.indices((side, side)) - (side - 1) / 2 + 0.2
    return ((y * stretch) ** 2 + x**2 < radius**2).astype(np.uint32)


@pytest.mark.parametrize("stretch", [1.0, 2.5])
def test_a_disc_is_a_disc_whatever_the_sides_of_its_voxels(stretch: float) -> None:
    found = measured(disc(40, stretch=stretch), size=(1.0, 0.5 * stretch, 0.5)).objects
    figures = {key: float(values[0]) for key, values in found.items()}
    assert figures["size"] == pytest.approx(math.pi * 400, rel=0.01)
    assert figures["perimeter"] == pytest.approx(40 * math.pi, rel=0.02)
    for key in ("equivalent_diameter", "major_axis", "minor_axis", "feret_max", "feret_min"):
        assert figures[key] == pytest.approx(40, rel=0.03)
    assert figures["circularity"] > 0.96
    assert figures["solidity"] > 0.97


def test_an_ellipse_lies_as_it_was_drawn() -> None:
    y, x = np.indices((100, 100)) - 49.5
    turn = math.radians(30)  # anticlockwise as seen: y points down
    along, across = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)
    found = measured(((along / 40) ** 2 + (across / 10) ** 2 < 1).astype(np.uint32)).objects
    assert found["orientation"][0] == pytest.approx(30, abs=0.5)
    assert found["aspect_ratio"][0] == pytest.approx(4, rel=0.02)
    assert found["eccentricity"][0] == pytest.approx(math.sqrt(1 - 1 / 16), rel=0.01)


def test_a_ball_is_a_ball_in_flat_voxels() -> None:
    z, y, x = np.indices((22, 64, 64))
    far = ((z - 10.4) * 3) ** 2 + (y - 31.3) ** 2 + (x - 31.6) ** 2
    found = measured((far < 27**2).astype(np.uint32), size=(3.0, 1.0, 1.0)).objects
    figures = {key: float(values[0]) for key, values in found.items()}
    assert figures["size"] == pytest.approx(4 / 3 * math.pi * 27**3, rel=0.01)
    assert figures["surface"] == pytest.approx(4 * math.pi * 27**2, rel=0.03)
    for key in ("equivalent_diameter", "long_axis", "middle_axis", "short_axis"):
        assert figures[key] == pytest.approx(54, rel=0.02)
    assert figures["sphericity"] > 0.96


def test_a_bar_is_as_long_as_it_is() -> None:
    bar = np.zeros((9, 30), np.uint32)
    bar[4, 3:23] = 1
    found = measured(bar, size=(1.0, 0.2, 0.1)).objects
    assert found["feret_max"][0] == pytest.approx(2.0)
    assert found["feret_min"][0] == pytest.approx(0.2)
    assert found["major_axis"][0] == pytest.approx(4 * 2.0 / math.sqrt(12))
    assert found["skeleton_length"][0] == pytest.approx(1.9)
    assert (found["branches"][0], found["branch_points"][0], found["end_points"][0]) == (1, 0, 2)


def test_cut_objects_are_marked_and_unlabelled_is_not_background() -> None:
    numbers = np.zeros((20, 30), np.uint32)
    numbers[0:4, 5:9], numbers[8:12, 8:12], numbers[8:12, 12:14] = 7, 3, 5
    classes = np.where(numbers > 0, 2, 0).astype(np.uint8)
    classes[10:, 20:] = 1  # a hundred voxels of background
    classes[15, 0:6] = 3
    values = np.where(classes == 1, 10, 50).astype(np.uint8)
    found = measured(numbers, values, classes=classes)
    assert found.numbers.tolist() == [3, 5, 7, 8]  # what has no number gets the next
    assert found.class_ids.tolist() == [2, 2, 2, 3]
    assert found.objects["cut"].tolist() == [0, 0, 1, 1]
    assert found.objects["touching"].tolist() == [1, 1, 0, 0]
    assert found.objects["mean_above:0"].tolist() == [40] * 4
    assert found.class_rows == [1, 2, 3]
    assert found.classes["labelled_size"].tolist() == [146] * 3
    assert found.classes["labelled_share"][0] == pytest.approx(146 / 600)
    assert found.classes["share"].tolist() == pytest.approx([100 / 146, 40 / 146, 6 / 146])
    assert found.classes["objects"][1:].tolist() == [3, 1]
    assert math.isnan(found.classes["objects"][0])
    nothing = measured(numbers, values, classes=np.where(classes == 1, 0, classes))
    assert np.isnan(nothing.objects["mean_above:0"]).all()
    assert "no voxels of the class background" in nothing.notes[0]


labellings = hnp.arrays(np.uint32, st.tuples(st.just(2), st.integers(3, 9), st.integers(3, 9)),
                        elements=st.integers(0, 3))  # fmt: skip


@settings(max_examples=12, deadline=None)
@given(labellings, st.booleans())
def test_objects_add_up_to_their_class(numbers: np.ndarray, is_flat: bool) -> None:
    numbers = numbers[0] if is_flat else numbers
    values = (np.arange(numbers.size) * 37 % 251).reshape(numbers.shape).astype(np.uint8)
    found = measured(numbers, values)
    if not len(found.numbers):
        return
    at = found.class_rows.index(2)
    for key in ("size", "voxels", "sum:0", "skeleton_length", "branches", "cut"):
        assert found.objects[key].sum() == pytest.approx(found.classes[key][at]), key
    assert found.classes["outside_objects"][at] == 0
    for place, number in enumerate(found.numbers):
        own = values[numbers == number]
        assert found.objects["median:0"][place] == np.median(own)
        assert found.objects["sd:0"][place] == pytest.approx(own.std(), abs=1e-9)


@settings(max_examples=12, deadline=None)
@given(labellings, st.integers(0, 3), st.floats(0.01, 100))
def test_turning_moving_and_other_units_change_nothing(
    numbers: np.ndarray, turns: int, unit: float
) -> None:
    plane = numbers[0]
    asked = Asked(frozenset({"shape", "neighbours"}))
    one = measured(plane, asked=asked).objects
    other = measured(
        np.pad(np.rot90(plane, turns), ((2, 5), (1, 3))), size=(1.0, unit, unit), asked=asked
    ).objects
    lengths = ("perimeter", "major_axis", "minor_axis", "feret_max", "feret_min", "nearest")
    for power, keys in ((1, lengths), (2, ("size", "convex_size")), (0, ("solidity", "touching"))):
        for key in keys:
            np.testing.assert_allclose(other[key], one[key] * unit**power, rtol=1e-6, err_msg=key)


def test_medians_of_odd_values_and_of_planes_that_come_one_by_one() -> None:
    planes = np.array([[[-2.5, -0.0, np.nan]], [[3.25, 1e30, -1e-30]]], np.float32)
    found = Brightness(1)
    for values in planes:
        found.add(np.ones((1, 3), np.int32), values)
    numbers = planes[np.isfinite(planes)].astype(float)
    assert found.medians().tolist() == [np.median(numbers)]
    assert found.voxels.tolist() == [5]
    assert found.deviations()[0] == pytest.approx(numbers.std())


def test_tables_of_a_plane_in_micrometres_and_a_volume_in_pixels() -> None:
    labels, values = volume()
    tables = tables_of([measured(*plane(0), size=(1, 0.5, 0.5)), measured(labels, values)])
    names = [heading.name for heading in tables.objects.headings]
    assert {"area_um2", "perimeter_um", "volume_voxels", "surface_px", "mean_DAPI"} <= set(names)
    first, *_, last = tables.objects.rows()
    at = {name: names.index(name) for name in names}
    assert isinstance(first[at["voxels"]], int)
    assert first[at["area_um2"]] == first[at["voxels"]] / 4
    assert first[at["volume_voxels"]] is None
    assert last[at["area_um2"]] is None
    assert last[at["volume_voxels"]] == last[at["voxels"]]
    assert len(tables.places) == len(tables.objects)
    assert all(heading.about for heading in tables.objects.headings + tables.images.headings)


def test_giving_up_and_what_the_command_line_knows() -> None:
    numbers = plane(0)[0]
    image = measured(numbers).image
    for left in range(3):
        with pytest.raises(StoppedError):
            measure(image, ALL, progress=lambda done, total, most=left: done < most)
    assert set(GROUP_NAMES) == set(GROUPS)
    assert TOLD_MEANINGS == MEANINGS
    known = {c.key for c in (*OBJECTS, *CLASSES)}
    keys = {*measured(numbers, size=(1, 1, 1)).objects, *measured(numbers).classes}
    assert keys <= known  # no figure without a column
