"""What is written in a format is read again: the same pixels, classes, sizes and names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from orgseg_app.core.shapes.polygons import outlines_of
from orgseg_app.files.export import ExportError
from orgseg_app.files.object_files import bbbc041, coco, cvat, labelme, voc, yolo
from orgseg_app.files.object_files.format import ObjectImage
from orgseg_app.files.object_files.reading import look_here, read_here

EXACT = (coco.FORMAT, coco.FORMAT_RUNS, labelme.FORMAT, yolo.FORMAT, cvat.FORMAT)
BOXED = (voc.FORMAT, bbbc041.FORMAT)
SETTINGS = settings(
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
planes = arrays.arrays(
    np.uint32,
    st.tuples(st.just(1), st.integers(1, 9), st.integers(1, 9)),
    elements=st.sampled_from([0, 1, 2, 3, 70_000]),
)
CLASSES = ("cell", "dead “cell” <&> ä, [b]")


def written(format_, folder: Path, images):
    target = folder / f"all{format_.suffixes[0] if format_.suffixes else '.json'}"
    return format_.write(folder if format_.written == "each" else target, images, CLASSES)


def read_all(files):
    """Every image of the files: its stem, what is said of it, and what is read."""
    found = []
    for path in files:
        known = look_here(path)
        if known is None:
            assert path.name == "classes.txt"
            continue
        for image in known.contents.images:
            shape = (1, image.height or 6, image.width or 8)
            read = read_here(path, known.format, image.key, shape)
            found.append((Path(image.image_name or path).stem, image, read))
    return found


def numbered(objects):
    """The same objects as 1, 2, 3, … in order of their numbers."""
    return np.unique(np.concatenate([[0], objects.ravel()]), return_inverse=True)[1][1:].reshape(
        objects.shape
    )


@pytest.mark.parametrize("format_", EXACT, ids=lambda f: f.name)
@SETTINGS
@given(objects=planes)
def test_objects_are_the_same_to_the_pixel(format_, objects, tmp_path):
    objects[0, 0, 0] = 3  # of an image without objects, YOLO's file is empty
    numbers = [n for n in np.unique(objects).tolist() if n]
    classes = {number: CLASSES[number % 2] for number in numbers}
    files = written(format_, tmp_path, [ObjectImage("im age.tif", objects, classes)])
    path = next(path for path in files if path.name != "classes.txt")
    known = look_here(path)
    (image,) = known.contents.images
    read = read_here(path, known.format, image.key, objects.shape)
    assert np.array_equal(read.objects, numbered(objects))
    assert read.classes == {place: classes[n] for place, n in enumerate(numbers, start=1)}
    assert not read.notes
    assert image.objects == len(numbers)
    if image.height:
        assert (image.height, image.width) == objects.shape[1:]
    assert Path(image.image_name or path).stem == "im age"


@pytest.mark.parametrize("format_", EXACT, ids=lambda f: f.name)
def test_several_images_stay_apart(format_, tmp_path):
    random = np.random.default_rng(3)
    first, second = (random.integers(0, 4, (1, 6, 8)).astype(np.uint32) for _ in range(2))
    images = [ObjectImage("a.png", first), ObjectImage("b.png", second, {1: "cell"})]
    found = read_all(written(format_, tmp_path, images))
    assert [stem for stem, _, _ in found] == ["a", "b"]
    for (_, _, read), objects in zip(found, (first, second), strict=True):
        assert np.array_equal(read.objects, objects)
    assert found[0][2].classes == {1: "object", 2: "object", 3: "object"}
    assert found[1][2].classes == {1: "cell", 2: "object", 3: "object"}


@pytest.mark.parametrize("format_", BOXED, ids=lambda f: f.name)
@SETTINGS
@given(objects=planes)
def test_boxes_are_those_around_the_objects(format_, objects, tmp_path):
    objects[0, 0, 0] = 3
    files = written(format_, tmp_path, [ObjectImage("a.png", objects, {3: CLASSES[1]})])
    ((_, image, read),) = read_all(files)
    assert (image.shapes, image.height, image.width) == ("boxes", *objects.shape[1:])
    numbers = list(outlines_of(objects[0]))
    expected = []
    for number in numbers:
        y, x = np.nonzero(objects[0] == number)
        expected.append((y.min(), x.min(), y.max() + 1, x.max() + 1))
    assert [(b.y0, b.x0, b.y1, b.x1) for b in read.boxes] == expected
    assert read.classes[numbers.index(3) + 1] == CLASSES[1]
    assert read.objects is None


def test_yolo_is_exact_in_an_image_of_any_size(tmp_path):
    objects = np.zeros((1, 4, 99_991), np.uint32)
    objects[0, 1:3, 99_990] = 1
    objects[0, 0, 33_333:77_777] = 2
    (path,) = yolo.write(tmp_path, [ObjectImage("long.tif", objects)], ())[1:]
    assert np.array_equal(yolo.read(path, "", objects.shape).objects, objects)


@pytest.mark.parametrize("format_", [*EXACT, *BOXED], ids=lambda f: f.name)
def test_a_stack_is_not_written_to_a_format_of_planes(format_, tmp_path):
    stack = np.ones((3, 4, 4), np.uint32)
    with pytest.raises(ExportError, match="“stack.tif” has 3 planes"):
        written(format_, tmp_path, [ObjectImage("stack.tif", stack)])
    assert not [path for path in tmp_path.iterdir() if path.name != "classes.txt"]


@pytest.mark.parametrize("format_", [*EXACT, *BOXED], ids=lambda f: f.name)
def test_names_never_lead_out_of_the_folder(format_, tmp_path):
    folder = tmp_path / "inside"
    folder.mkdir()
    objects = np.ones((1, 3, 3), np.uint32)
    images = [ObjectImage("../../evil.png", objects), ObjectImage("classes.png", objects)]
    for path in written(format_, folder, images):
        assert path.parent == folder
        assert path.is_file()
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("format_", EXACT, ids=lambda f: f.name)
def test_another_image_is_refused(format_, tmp_path):
    objects = np.ones((1, 3, 5), np.uint32)
    files = written(format_, tmp_path, [ObjectImage("a.png", objects)])
    known = look_here(files[-1])
    key = known.contents.images[0].key
    from orgseg_app.files.errors import ReadError

    with pytest.raises(ReadError, match="2 planes"):
        read_here(files[-1], known.format, key, (2, 3, 5))
    if known.contents.images[0].height:
        with pytest.raises(ReadError, match="image of 5 × 3 pixels, but this one has 5 × 4"):
            read_here(files[-1], known.format, key, (1, 4, 5))
