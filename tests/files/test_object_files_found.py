"""Object files beside images: found by content, paired by name, drawn at the size of the image."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from orgseg_app.files.annotations.loading import LoadedItem, load_item
from orgseg_app.files.annotations.object_files import WEAK
from orgseg_app.files.annotations.plan import ImportPlan, plan_import
from orgseg_app.files.errors import ReadError
from orgseg_app.files.importing import ImportChoice, class_target

pytestmark = pytest.mark.usefixtures("one_reading_child")

HEIGHT, WIDTH = 24, 30

Box = tuple[int, int, int, int]


def image(path: Path, *boxes: Box, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> Path:
    """A dark picture with a bright disc in each box (x, y, width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = list(str(path).encode())  # each another one: copies are counted
    pixels = np.random.default_rng(seed).integers(20, 40, shape).astype(np.uint8)
    for x, y, width, height in boxes:
        centre = (x + width // 2, y + height // 2)
        cv2.ellipse(pixels, centre, (width // 2, height // 2), 0, 0, 360, 220, -1)
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())
    return path


def rectangle(x: int, y: int, width: int, height: int) -> list[float]:
    return [x, y, x + width, y, x + width, y + height, x, y + height]


def coco(
    path: Path,
    objects: dict[str, list[tuple[str, Box]]],
    *,
    shape: tuple[int, int] = (HEIGHT, WIDTH),
    polygons: bool = True,
) -> Path:
    """A COCO file: image → class and box of each object, which fills its box."""
    names = list(dict.fromkeys(name for found in objects.values() for name, _ in found))
    content: dict[str, Any] = {
        "images": [
            {"id": n, "file_name": name, "height": shape[0], "width": shape[1]}
            for n, name in enumerate(objects)
        ],
        "categories": [{"id": n, "name": name} for n, name in enumerate(names)],
        "annotations": [],
    }
    for n, found in enumerate(objects.values()):
        for name, box in found:
            entry = {
                "id": len(content["annotations"]),
                "image_id": n,
                "category_id": names.index(name),
                "bbox": list(box),
                "area": box[2] * box[3],
                "iscrowd": 0,
            }
            if polygons:
                entry["segmentation"] = [rectangle(*box)]
            content["annotations"].append(entry)
    path.write_text(json.dumps(content), "utf-8")
    return path


def loaded(plan: ImportPlan, name: str, **how: Any) -> LoadedItem:
    (item,) = [item for item in plan.items if item.name == name]
    (one,) = load_item(item, **how)
    return one


def test_a_file_for_several_images_names_them(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "c.png"):
        image(tmp_path / name)
    file = coco(
        tmp_path / "annotations.json",
        {
            "images/a.png": [("cell", (2, 3, 6, 5)), ("cell", (12, 3, 4, 4))],
            "C:\\data\\B.PNG": [("cell", (0, 0, 30, 2))],
            "d.png": [("cell", (1, 1, 4, 4))],
        },
    )
    plan = plan_import([tmp_path])
    assert [i.annotation is not None for i in plan.items] == [True, True, False]
    assert plan.meaning == "instances"
    assert plan.class_names == ("cell",)
    assert plan.summary() == "3 images; 2 images with objects from COCO JSON"
    assert any("d.png" in note and file.name in note for note in plan.notes)
    a = loaded(plan, "a").annotation
    assert a is not None
    assert a.objects is not None
    expected = np.zeros((HEIGHT, WIDTH), np.uint32)
    expected[3:8, 2:8] = 1
    expected[3:7, 12:16] = 2
    np.testing.assert_array_equal(a.objects[0], expected)
    np.testing.assert_array_equal(a.mask[0], np.where(expected > 0, 2, 1))
    b = loaded(plan, "b").annotation
    assert b is not None
    assert b.objects is not None
    assert b.objects[0, :2].all()
    assert not b.objects[0, 2:].any()


def test_classes_of_objects_become_classes(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    coco(tmp_path / "a.json", {"a.png": [("red", (2, 3, 6, 5)), ("white", (12, 3, 4, 4))]})
    plan = plan_import([tmp_path])
    assert plan.meaning == "classes"
    assert plan.has_named_objects
    target = class_target(plan, ImportChoice(class_names=("erythrocyte", "leucocyte")))
    assert [c.name for c in target.classes] == ["background", "erythrocyte", "leucocyte"]
    found = loaded(plan, "a", meaning=target.meaning, class_ids=target.class_ids).annotation
    assert found is not None
    assert found.objects is not None
    assert set(np.unique(found.mask[found.objects == 1])) == {2}
    assert set(np.unique(found.mask[found.objects == 2])) == {3}
    one = loaded(plan, "a", meaning="instances", class_id=5).annotation
    assert one is not None
    assert set(np.unique(one.mask)) == {1, 5}
    bare = loaded(plan, "a", meaning="binary", class_id=5).annotation
    assert bare is not None
    assert bare.objects is None


def test_files_of_classes_that_differ_share_one_list(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    image(tmp_path / "b.png")
    coco(tmp_path / "a.json", {"a.png": [("red", (2, 3, 6, 5))]})
    coco(tmp_path / "b.json", {"b.png": [("white", (2, 3, 6, 5)), ("red", (12, 3, 4, 4))]})
    plan = plan_import([tmp_path])
    assert plan.class_names == ("red", "white")
    b = loaded(plan, "b").annotation
    assert b is not None
    assert b.mask[0, 4, 3] == 3
    assert b.mask[0, 4, 13] == 2


def test_boxes_become_objects_or_weak_labels(tmp_path: Path) -> None:
    boxes: list[Box] = [(2, 3, 9, 9), (17, 8, 9, 11)]
    image(tmp_path / "a.png", *boxes)
    coco(tmp_path / "a.json", {"a.png": [("cell", box) for box in boxes]}, polygons=False)
    plan = plan_import([tmp_path])
    assert plan.has_boxes
    found = loaded(plan, "a").annotation
    assert found is not None
    assert found.objects is not None
    assert set(np.unique(found.objects)) == {0, 1, 2}
    for number, (x, y, width, height) in enumerate(boxes, start=1):
        inside = np.argwhere(found.objects[0] == number)
        assert (inside >= (y, x)).all()
        assert (inside < (y + height, x + width)).all()
        assert len(inside) < 0.95 * width * height  # a disc, not the box
    weak = loaded(plan, "a", boxes=WEAK).annotation
    assert weak is not None
    unlabelled = np.zeros((HEIGHT, WIDTH), bool)
    for x, y, width, height in boxes:
        unlabelled[y : y + height, x : x + width] = True
    np.testing.assert_array_equal(weak.mask[0], np.where(unlabelled, 0, 1))


def test_another_size_is_a_problem_before_anything_is_read(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    coco(tmp_path / "a.json", {"a.png": [("cell", (2, 3, 6, 5))]}, shape=(48, 60))
    plan = plan_import([tmp_path])
    assert plan.items[0].annotation is None
    assert plan.problems == [
        "The mask “a.json” is 60 × 48 pixels, but the image “a.png” is 30 × 24 pixels; "
        "the image can be imported without it."
    ]


def test_two_images_of_one_name_take_neither(tmp_path: Path) -> None:
    image(tmp_path / "left" / "a.png")
    image(tmp_path / "right" / "a.png")
    coco(tmp_path / "all.json", {"a.png": [("cell", (2, 3, 6, 5))]})
    plan = plan_import([tmp_path])
    assert not any(item.annotation for item in plan.items)
    assert all(item.problem and "equally well" in item.problem for item in plan.items)


def test_names_are_never_followed_out_of_the_folder(tmp_path: Path) -> None:
    outside = image(tmp_path / "secret" / "a.png")
    folder = tmp_path / "given"
    image(folder / "b.png")
    coco(folder / "b.json", {str(outside): [("cell", (2, 3, 6, 5))]})
    plan = plan_import([folder])
    assert [item.name for item in plan.items] == ["b"]
    assert plan.items[0].annotation is None
    assert plan.unmatched == [folder / "b.json"]


def test_one_image_dropped_finds_the_file_called_like_it(tmp_path: Path) -> None:
    path = image(tmp_path / "a.png")
    image(tmp_path / "b.png")
    coco(tmp_path / "a.json", {"a.png": [("cell", (2, 3, 6, 5))]})
    (tmp_path / "a.txt").write_text("taken at noon")
    plan = plan_import([path])
    assert [item.name for item in plan.items] == ["a"]
    assert plan.items[0].annotation is not None
    assert not plan.skipped


def test_a_damaged_file_is_a_note_and_the_image_comes_in(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    file = coco(tmp_path / "a.json", {"a.png": [("cell", (2, 3, 6, 5))]})
    file.write_bytes(file.read_bytes()[:-20])
    plan = plan_import([tmp_path])
    assert plan.items[0].annotation is None
    assert any("a.json" in note for note in plan.notes)


def test_other_json_and_text_files_are_left_out(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    (tmp_path / "a.json").write_text('{"microscope": "ours"}')
    (tmp_path / "notes.csv").write_text("day,dish\n1,2\n")
    plan = plan_import([tmp_path])
    assert plan.items[0].annotation is None
    assert {p.name for p in plan.skipped} == {"a.json", "notes.csv"}
    assert not plan.notes


def test_only_the_format_asked_for(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    coco(tmp_path / "a.json", {"a.png": [("cell", (2, 3, 6, 5))]})
    assert plan_import([tmp_path], format="coco").items[0].annotation is not None
    assert plan_import([tmp_path], format="labelme").items[0].annotation is None


def test_given_as_annotation_it_alone_counts(tmp_path: Path) -> None:
    path = image(tmp_path / "images" / "a.png")
    given = coco(tmp_path / "given.json", {"a.png": [("cell", (2, 3, 6, 5))]})
    coco(tmp_path / "images" / "a.json", {"a.png": [("cell", (1, 1, 2, 2))]})
    plan = plan_import([path], [given])
    assert plan.items[0].annotation is not None
    assert plan.items[0].annotation.paths == (given,)
    (tmp_path / "notes.xyz").write_text("x")
    with pytest.raises(ReadError, match="no annotation"):
        plan_import([path], [tmp_path / "notes.xyz"])


def test_a_checksum_pairs_what_was_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from orgseg_app.files.annotations import object_files
    from orgseg_app.files.annotations.found import Found
    from orgseg_app.files.annotations.listing import list_files
    from orgseg_app.files.object_files.format import Annotated, Contents
    from orgseg_app.files.object_files.reading import Known

    renamed = image(tmp_path / "new name.png")
    image(tmp_path / "other.png", shape=(9, 9))
    file = coco(tmp_path / "old.json", {"old.png": [("cell", (2, 3, 6, 5))]})
    digest = hashlib.sha256(renamed.read_bytes()).hexdigest()
    known = Known("coco", Contents((Annotated("0", "old.png", content_hash=digest),)))
    listing = list_files([tmp_path])
    listing.looked_at[file] = known
    found: Found = object_files.find_object_files("coco", listing, set())
    assert [c.image for c in found.candidates] == [renamed]


def test_the_only_class_of_a_file_gives_its_name(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    coco(tmp_path / "a.json", {"a.png": [("platelet", (2, 3, 6, 5))]})
    plan = plan_import([tmp_path])
    target = class_target(plan, ImportChoice())
    assert [c.name for c in target.classes] == ["background", "platelet"]
    assert class_target(plan, ImportChoice(class_names=("cell",))).classes[1].name == "cell"
    other = class_target(plan, ImportChoice(), target.classes)
    assert other.class_id == 2


def test_classes_beside_label_images_are_not_guessed(tmp_path: Path) -> None:
    image(tmp_path / "a.png")
    image(tmp_path / "b.png")
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    for number in range(1, 9):
        labels[2 * number, 3:9] = number
    (tmp_path / "b_labels.png").write_bytes(cv2.imencode(".png", labels)[1].tobytes())
    coco(tmp_path / "a.json", {"a.png": [("red", (2, 3, 6, 5)), ("white", (12, 3, 4, 4))]})
    plan = plan_import([tmp_path])
    a, b = plan.items
    assert a.annotation is None
    assert a.problem is not None
    assert "import it with its image alone" in a.problem
    assert b.annotation is not None
