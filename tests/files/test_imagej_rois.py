"""ImageJ's outlines: every kind of area, sets of them there and back, and archives made to harm."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from roifile import ROI_OPTIONS, ROI_SUBTYPE, ROI_TYPE, ImagejRoi

from orgseg_app.files.annotations.label_image import read_labels
from orgseg_app.files.errors import ReadError
from orgseg_app.files.object_files import imagej_roi
from orgseg_app.files.object_files.format import HEAD_BYTES, ObjectImage
from orgseg_app.files.object_files.reading import look_at
from orgseg_app.files.readers.apart import reading_apart

SHAPE = (1, 12, 16)


def area(roi: ImagejRoi, tmp_path: Path) -> np.ndarray:
    """The pixels of one outline, bool."""
    path = tmp_path / "one.roi"
    path.write_bytes(roi.tobytes())
    assert imagej_roi.looks_like(path, path.read_bytes()[:HEAD_BYTES])
    objects = imagej_roi.read(path, "", SHAPE).objects
    assert objects is not None
    return objects[0] == 1


def archive(path: Path, rois: list[ImagejRoi]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for number, roi in enumerate(rois):
            opened.writestr(f"{number:04}.roi", roi.tobytes())
    return path


def square(top: int, left: int, side: int, **facts: Any) -> ImagejRoi:
    return ImagejRoi(
        roitype=ROI_TYPE.RECT, top=top, left=left, bottom=top + side, right=left + side, **facts
    )


def expected(rows: slice, columns: slice) -> np.ndarray:
    wanted = np.zeros(SHAPE[1:], bool)
    wanted[rows, columns] = True
    return wanted


def test_rectangles(tmp_path: Path) -> None:
    assert np.array_equal(area(square(2, 3, 4), tmp_path), expected(slice(2, 6), slice(3, 7)))
    fine = ImagejRoi(
        roitype=ROI_TYPE.RECT,
        options=ROI_OPTIONS.SUB_PIXEL_RESOLUTION,
        version=227,
        xd=2.4,
        yd=1.4,
        widthd=3.2,
        heightd=2.2,
        left=2,
        top=1,
        right=6,
        bottom=4,
    )
    assert np.array_equal(area(fine, tmp_path), expected(slice(1, 4), slice(2, 6)))
    round_ = area(square(1, 1, 10, rounded_rect_arc_size=6), tmp_path)
    assert not round_[1, 1]
    assert round_[1, 5]
    assert round_.sum() == round_[::-1][1:11].sum() + 0


def test_polygons_of_all_three_kinds(tmp_path: Path) -> None:
    points = np.array([[2, 1], [9, 1], [9, 6], [2, 6]])
    wanted = expected(slice(1, 6), slice(2, 9))
    for kind in (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED):
        roi = ImagejRoi.frompoints(points)
        roi.roitype = kind
        assert np.array_equal(area(roi, tmp_path), wanted)
    fine = ImagejRoi.frompoints(points + 0.3)
    assert fine.subpixel_coordinates is not None
    assert np.array_equal(area(fine, tmp_path), wanted)


def test_an_oval_holds_the_pixels_whose_middle_it_holds(tmp_path: Path) -> None:
    roi = ImagejRoi(roitype=ROI_TYPE.OVAL, top=1, left=2, bottom=11, right=14)
    y, x = np.mgrid[:12, :16] + 0.5
    distance = ((y - 6) / 5) ** 2 + ((x - 8) / 6) ** 2
    found = area(roi, tmp_path)
    assert found[distance < 0.98].all()
    assert not found[distance > 1.02].any()


def test_a_composite_with_a_hole_two_pieces_and_a_curve(tmp_path: Path) -> None:
    def ring(*points: tuple[float, float]) -> list[float]:
        path = [0.0, *points[0]]
        for point in points[1:]:
            path += [1.0, *point]
        return [*path, 4.0]

    path = [
        *ring((1, 1), (7, 1), (7, 7), (1, 7)),
        *ring((3, 3), (3, 5), (5, 5), (5, 3)),
        *ring((9, 2), (11, 2), (11, 4), (9, 4)),
        *(0.0, 9, 6, 2.0, 12, 12, 15, 6, 4.0),  # by one point
        *(0.0, 1, 8, 3.0, 1, 12, 5, 12, 5, 8, 4.0),  # by two
    ]
    roi = ImagejRoi(roitype=ROI_TYPE.RECT, top=0, left=0, bottom=12, right=16)
    roi.multi_coordinates = np.array(path, np.float32)
    roi.shape_roi_size = len(path)
    found = area(roi, tmp_path)
    wanted = expected(slice(1, 7), slice(1, 7))
    wanted[3:5, 3:5] = False
    wanted[2:4, 9:11] = True
    assert np.array_equal(found[:6], wanted[:6])
    assert found[7, 11:13].all()
    assert not found[11].any()
    assert found[9, 2:4].all()


def test_lines_and_points_are_left_out_with_a_note(tmp_path: Path) -> None:
    rois = [square(0, 0, 2)]
    for kind in (ROI_TYPE.POLYLINE, ROI_TYPE.FREELINE, ROI_TYPE.ANGLE, ROI_TYPE.POINT):
        rois.append(ImagejRoi.frompoints(np.array([[1, 1], [5, 5], [6, 2]])))
        rois[-1].roitype = kind
    rois.append(ImagejRoi(roitype=ROI_TYPE.LINE, x1=1, y1=1, x2=4, y2=4))
    rois.append(square(3, 3, 2, subtype=ROI_SUBTYPE.TEXT, text="here", text_name="Sans"))
    found = imagej_roi.contents(archive(tmp_path / "RoiSet.zip", rois))
    assert found.images[0].objects == 1
    assert found.notes == ("6 lines, points or texts left out: only areas are objects.",)
    with pytest.raises(ReadError, match="only lines, points or texts"):
        imagej_roi.contents(archive(tmp_path / "lines.zip", rois[1:]))


def test_slices_and_groups(tmp_path: Path) -> None:
    rois = [
        square(0, 0, 2, position=2, group=3),
        square(4, 4, 2, z_position=3, c_position=1, t_position=1),
        square(6, 6, 2, position=9),
        square(8, 8, 2),
        square(1, 1, 2, position=2),  # overlaps the first
    ]
    path = archive(tmp_path / "RoiSet.zip", rois)
    read = imagej_roi.read(path, "", (3, 12, 16))
    assert read.objects is not None
    planes = {n: np.unique(np.nonzero(read.objects == n)[0]).tolist() for n in (1, 2, 4, 5)}
    assert planes == {1: [1], 2: [2], 4: [0], 5: [1]}
    assert read.classes == {1: "Group 3"}
    assert read.notes == (
        "Objects overlap in 1 pixel; the earlier object kept them.",
        "1 outline is of slices or time points that the image does not have.",
    )
    only = archive(tmp_path / "slice.zip", [square(0, 0, 2, position=17)])
    assert imagej_roi.read(only, "", SHAPE).objects is not None
    assert imagej_roi.read(only, "", SHAPE).objects.any()  # type: ignore[union-attr]


OBJECTS = hnp.arrays(
    np.uint32,
    st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7)),
    elements=st.sampled_from([0, 0, 1, 2, 700]),
)


@given(objects=OBJECTS)
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, objects: np.ndarray) -> None:
    folder = tmp_path_factory.mktemp("imagej")
    classes = {1: "nucleus", 700: "ER: rough"}
    image = ObjectImage("cell 1.tif", objects, classes)
    (path,) = imagej_roi.write(folder, [image], ["ER: rough", "nucleus"])
    assert path == folder / "cell 1_RoiSet.zip"
    present = set(np.unique(objects).tolist()) - {0}
    if not present:
        return
    found = imagej_roi.contents(path)
    assert found.images[0].objects == len(present)
    read = imagej_roi.read(path, "", objects.shape)  # type: ignore[arg-type]
    assert np.array_equal(read.objects, objects)
    assert read.classes == {n: name for n, name in classes.items() if n in present}
    assert read.notes == ()


def test_fiji_gets_traced_outlines_and_composites(tmp_path: Path) -> None:
    objects = np.zeros(SHAPE, np.uint32)
    objects[0, 1:5, 1:5], objects[0, 2, 2], objects[0, 8:10, 3:9] = 1, 0, 2
    (path,) = imagej_roi.write(tmp_path, [ObjectImage("a.tif", objects, {2: "ER"})], ["ER"])
    with zipfile.ZipFile(path) as opened:
        assert opened.namelist() == ["0001.roi", "0002.roi"]
        first, second = (ImagejRoi.frombytes(opened.read(name)) for name in opened.namelist())
    assert isinstance(first, ImagejRoi)
    assert isinstance(second, ImagejRoi)
    assert first.composite
    assert (first.top, first.left, first.bottom, first.right) == (1, 1, 5, 5)
    assert second.roitype == ROI_TYPE.TRACED
    assert second.group == 1
    assert second.properties == {"object": 2, "class": "ER"}
    assert second.coordinates().tolist() == [[3, 8], [9, 8], [9, 10], [3, 10]]  # type: ignore[union-attr]


def test_outlines_far_out_do_not_wrap(tmp_path: Path) -> None:
    objects = np.zeros((1, 2, 33_000), np.uint32)
    objects[0, :, 32_990:] = 1
    (path,) = imagej_roi.write(tmp_path, [ObjectImage("wide.tif", objects)], [])
    assert np.array_equal(imagej_roi.read(path, "", (1, 2, 33_000)).objects, objects)


def test_usiigaci(shared_data: Path) -> None:
    """Hand-drawn cells beside the masks that their authors made of them, in another order."""
    folder = shared_data / "phase_usiigaci" / "imagej_rois"
    path = folder / "set30_RoiSet.zip"
    assert imagej_roi.contents(path).images[0].objects == 42
    masks = read_labels(folder / "set30_full_labels.png")
    objects = imagej_roi.read(path, "", masks.shape).objects  # type: ignore[arg-type]
    assert objects is not None
    best = []
    for number in range(1, 43):
        mask = masks == number
        rival = np.bincount(objects[mask])[1:].argmax() + 1
        best.append((mask & (objects == rival)).sum() / (mask | (objects == rival)).sum())
    assert np.mean(best) > 0.95
    assert sorted(best)[3] > 0.9, "but for three that others cover"


# -- strangers ------------------------------------------------------------------------------------


def refused(path: Path, match: str) -> None:
    with pytest.raises(ReadError, match=match) as told:
        imagej_roi.contents(path)
    assert "\n" not in str(told.value)


def test_names_in_an_archive_lead_nowhere(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    with zipfile.ZipFile(inner / "RoiSet.zip", "w") as opened:
        opened.writestr("../../evil.roi", square(0, 0, 2).tobytes())
        opened.writestr("/tmp/evil.roi", square(3, 3, 2).tobytes())
        opened.writestr("../readme.txt", b"not an outline")
    before = sorted(tmp_path.rglob("*"))
    assert imagej_roi.contents(inner / "RoiSet.zip").images[0].objects == 2
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/tmp/evil.roi").exists()


def test_bombs_are_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = tmp_path / "RoiSet.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as opened:
        opened.writestr("a.roi", bytes(imagej_roi.MAX_MEMBER + 1))
    assert bomb.stat().st_size < 2**20
    refused(bomb, "was not unpacked")
    with pytest.raises(ReadError, match="was not unpacked"), reading_apart():
        look_at(bomb)
    monkeypatch.setattr(imagej_roi, "MAX_TOTAL", 500)
    refused(archive(tmp_path / "large.zip", [square(0, 0, 1)] * 4), "was not unpacked")
    monkeypatch.undo()
    monkeypatch.setattr(imagej_roi, "MAX_MEMBERS", 3)
    refused(archive(tmp_path / "many.zip", [square(0, 0, 1)] * 4), "4 outlines of")


def test_an_archive_that_says_less_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "RoiSet.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("a.roi", square(0, 0, 2).tobytes() + bytes(100_000))
    raw = path.read_bytes()
    true = struct.pack("<I", len(square(0, 0, 2).tobytes()) + 100_000)
    assert raw.count(true) == 2
    path.write_bytes(raw.replace(true, struct.pack("<I", 200)))
    refused(path, "damaged|more than it says")


def test_truncated_locked_and_foreign_files(tmp_path: Path) -> None:
    whole = archive(tmp_path / "RoiSet.zip", [square(0, 0, 2)]).read_bytes()
    cut = tmp_path / "cut.zip"
    cut.write_bytes(whole[:-30])
    refused(cut, "damaged or cut short")
    locked = tmp_path / "locked.zip"
    raw = bytearray(whole)
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    locked.write_bytes(bytes(raw))
    refused(locked, "locked by a password")
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as opened:
        opened.writestr("data.txt", b"")
    assert not imagej_roi.looks_like(tmp_path / "a.zip", other.getvalue())
    points = ImagejRoi.frompoints(np.array([[0, 0], [5, 0], [5, 5]])).tobytes()
    for size in (10, 63, 64, 70):
        (tmp_path / "a.roi").write_bytes(points[:size])
        refused(tmp_path / "a.roi", "damaged or cut short")


@given(data=st.data())
def test_changed_outlines_never_crash(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    raw = bytearray(ImagejRoi.frompoints(np.array([[0, 0], [5, 0], [5, 5]])).tobytes())
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(4, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("roi") / "a.roi"
    path.write_bytes(bytes(raw))
    try:
        imagej_roi.read(path, "", SHAPE)
    except ReadError as error:
        assert "\n" not in str(error)
