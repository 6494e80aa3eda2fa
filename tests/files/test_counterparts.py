"""What goes with which image of a project: by name, by file name, by voxels; never by guessing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from orgseg_app.core.image import open_array
from orgseg_app.files.counterparts.given_files import GivenFiles, plan_given_files
from orgseg_app.files.counterparts.looking import offer_in
from orgseg_app.files.counterparts.offer import Becomes, OfferedClass, OfferError
from orgseg_app.files.counterparts.other_project import plan_other_project
from orgseg_app.files.errors import FileError, ReadError
from orgseg_app.files.project_file import NewImage, ProjectFile
from tests.runs.made_elsewhere import SIDE, image_id, project, square, write_masks

pytestmark = pytest.mark.usefixtures("one_reading_child")

MASK = square(1, ground=0)[0]


@pytest.fixture
def file(tmp_path: Path):
    with project(tmp_path / "cells.orgseg") as opened:
        yield opened


def look(file: ProjectFile, *paths: Path, format: str = "auto") -> GivenFiles:
    return plan_given_files(paths, file.project.images.values(), format)


def found(offer) -> dict[str, str]:
    return {item.name: item.found for item in offer.counterparts}


def test_masks_are_paired_by_name_and_training_images_left_alone(tmp_path, file):
    names = ["cell 1_mask", "cell 2_mask", "cell_03", "other"]
    offer = look(file, write_masks(tmp_path / "a", dict.fromkeys(names, MASK)))
    assert found(offer) == {"cell 2": "cell 2_mask.png", "cell 3": "cell_03.png", "cell 4": ""}
    assert [item.split for item in offer.counterparts] == ["validation", "test", "test"]
    assert any("1 belongs to an image of the training split" in text for text in offer.notes)
    assert any("“other.png” fits no image" in text for text in offer.notes)


def test_images_among_the_masks_are_left_out_by_their_names(tmp_path, file):
    noise = np.random.default_rng(0).integers(0, 60000, (SIDE, SIDE)).astype(np.uint16)
    folder = write_masks(
        tmp_path / "cellpose",
        {
            "cell 3": noise,
            "cell 3_cp_masks": MASK,
            "cell 3_flows": noise,
            "cell 3_outlines": MASK * 255,
            "cell 4": MASK,  # the only one: a mask
        },
    )
    assert found(look(file, folder)) == {
        "cell 2": "",
        "cell 3": "cell 3_cp_masks.png",
        "cell 4": "cell 4.png",
    }
    # The same in folders: what lies in images/ is no mask where masks/ is.
    write_masks(tmp_path / "set" / "images", {"cell 3": noise, "cell 4": noise})
    write_masks(tmp_path / "set" / "masks", {"cell 3": MASK, "cell 4": MASK})
    offer = look(file, tmp_path / "set")
    sources = [item.annotation for item in offer.plan.items if item.annotation]
    assert {source.paths[0].parent.name for source in sources} == {"masks"}
    assert len(sources) == 2


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("liver_007_0000", "liver_007"),  # nnU-Net
        ("cell 3", "cell 3_Simple Segmentation"),  # ilastik
        ("cell 3", "cell 3_cp_masks"),  # Cellpose
        ("cell_3.nd2 scene 1", "cell_3.nd2 scene 1_labels"),
    ],
)
def test_programs_name_their_masks_in_their_own_ways(tmp_path, image, mask):
    names = iter((image, "other 9"))
    file = ProjectFile.create(tmp_path / "cells.orgseg", project_classes())
    for seed, name in enumerate(names):
        noise = np.random.default_rng(seed).integers(0, 255, (1, 1, SIDE, SIDE)).astype(np.uint8)
        file.add_images([NewImage(open_array(name, noise), "test")])
    offer = look(file, write_masks(tmp_path / "a", {mask: MASK}))
    assert found(offer) == {image: f"{mask}.png", "other 9": ""}
    file.close()


def test_two_masks_of_one_image_are_not_guessed_between(tmp_path, file):
    folder = write_masks(tmp_path / "a", {"cell 3_mask": MASK, "cell 3_seg": MASK, "cell 4": MASK})
    by_name = {item.name: item for item in look(file, folder).counterparts}
    assert "Several annotations fit" in by_name["cell 3"].problem
    assert not by_name["cell 3"].is_usable
    assert by_name["cell 4"].is_usable


def test_a_mask_of_another_size_is_refused_in_a_sentence(tmp_path, file):
    folder = write_masks(tmp_path / "a", {"cell 3": MASK[:, :-1], "cell 4": MASK})
    problems = {item.name: item.problem for item in look(file, folder).counterparts}
    assert problems["cell 3"] == (
        "The mask “cell 3.png” is 39 × 40 pixels, but the image “cell 3” is 40 × 40 pixels; "
        "it was left out."
    )
    assert not problems["cell 4"]


def test_a_renamed_image_is_found_by_the_name_of_its_file(tmp_path):
    file = ProjectFile.create(tmp_path / "cells.orgseg", project_classes())
    opened = open_array("control, day 1", np.zeros((1, 1, SIDE, SIDE), np.uint8))
    opened.source = "plate7_well3.tif"
    file.add_images([NewImage(opened, "test", square())])
    offer = look(file, write_masks(tmp_path / "a", {"plate7_well3_mask": MASK}))
    assert found(offer) == {"control, day 1": "plate7_well3_mask.png"}
    file.close()


def project_classes():
    from orgseg_app.core.classes import default_classes

    return default_classes(("ER",))


def test_nothing_for_a_test_image_is_said_with_the_names_that_would_do(tmp_path, file):
    with pytest.raises(OfferError, match=r"“dog.png”.*for example with “cell 2”"):
        look(file, write_masks(tmp_path / "a", {"dog": MASK}))
    with pytest.raises(ReadError, match="holds no annotation"):
        look(file, write_masks(tmp_path / "empty", {}))
    with pytest.raises(ValueError, match="no annotation format 'nonsense'"):
        look(file, tmp_path, format="nonsense")
    with (
        project(tmp_path / "untested.orgseg", ("train", "train")) as other,
        pytest.raises(OfferError, match="no image in the validation or test split"),
    ):
        look(other, write_masks(tmp_path / "b", {"cell 1": MASK}))


def test_classes_are_matched_by_name_or_number_or_asked_for(tmp_path):
    with project(tmp_path / "c.orgseg", class_names=("ER", "nucleus")) as file:
        classes = file.project.classes
        both = MASK.copy()
        both[30:35, 5:35:2] = 2
        both[3, 3::4] = 1
        offer = look(file, write_masks(tmp_path / "a", {"cell 3": both, "cell 4": both}))
        assert offer.meaning == "classes"
        assert offer.suggested(classes) == {1: 2, 2: 3}
        assert offer.suggested(classes, names=["Nucleus", "background"]) == {1: 3, 2: 1}
        with pytest.raises(OfferError, match=r'no class "Golgi"; it has "background", "ER"'):
            offer.suggested(classes, names=["Golgi"])
        with pytest.raises(OfferError, match="3 classes were named"):
            offer.suggested(classes, names=["ER", "ER", "ER"])
        # One structure, and two classes it may be: nobody guesses.
        offer = look(file, write_masks(tmp_path / "b", {"cell 3": MASK, "cell 4": MASK}))
        becomes = Becomes(offer.meaning, offer.suggested(classes))
        assert offer.undecided(becomes) == [OfferedClass(1)]
        assert offer.suggested(classes, names=["nucleus"]) == {1: 3}


def test_objects_of_another_program_bring_the_names_of_their_classes(tmp_path):
    ring = [[10, 10], [20, 10], [20, 20], [10, 20], [10, 10]]
    feature = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"objectType": "annotation", "classification": {"name": "Nucleus"}},
    }
    place = tmp_path / "a" / "cell 3.geojson"
    place.parent.mkdir()
    place.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    with project(tmp_path / "c.orgseg", class_names=("ER", "nucleus")) as file:
        offer = look(file, place.parent)
        assert found(offer)["cell 3"] == "cell 3.geojson"
        assert "GeoJSON" in offer.title
        becomes = Becomes(offer.meaning, offer.suggested(file.project.classes))
        assert becomes.class_ids == {1: 3}
        image = file.project.images[image_id(file, "cell 3")]
        loaded = offer.load(image, file.opened_image(image.image_id), becomes)
        assert np.array_equal(loaded.mask, square(3))
        assert loaded.objects is not None
        assert int(loaded.objects.max()) == 1


def test_another_project_is_paired_by_voxels_and_stays_unlabelled(tmp_path, file):
    theirs = square(2, right=2)
    theirs[:, :5] = 0
    other = tmp_path / "anna.orgseg"
    project(other, class_names=("er",), name="renamed {}", mask=theirs).close()
    offer = offer_in([other], file)
    assert offer.is_project
    assert found(offer) == {f"cell {n}": f"renamed {n}" for n in (2, 3, 4)}
    becomes = Becomes(offer.meaning, offer.suggested(file.project.classes))
    assert becomes.class_ids == {2: 2}
    image = file.project.images[image_id(file, "cell 3")]
    with offer.reading():
        loaded = offer.load(image, file.opened_image(image.image_id), becomes)
    assert np.array_equal(loaded.mask, theirs)


def test_another_project_must_be_another_one_with_the_same_images(tmp_path, file):
    with pytest.raises(OfferError, match="the project itself"):
        plan_other_project(file.path, file)
    strange = tmp_path / "strange.orgseg"
    with ProjectFile.create(strange, project_classes()) as other:
        other.add_images([NewImage(open_array("cell 3", np.ones((1, 1, 9, 9), np.uint8)))])
    with pytest.raises(OfferError, match="none of the images"):
        plan_other_project(strange, file)
    with pytest.raises(OfferError, match="one project alone"):
        offer_in([strange, tmp_path], file)
    broken = tmp_path / "broken.orgseg"
    broken.write_bytes(b"no HDF5")
    with pytest.raises(FileError):
        offer_in([broken], file)


def test_an_image_painted_twice_by_the_other_person_is_not_guessed(tmp_path, file):
    other = tmp_path / "twice.orgseg"
    with ProjectFile.create(other, project_classes()) as twice:
        noise = np.random.default_rng(3).integers(0, 4000, (1, 1, SIDE, SIDE)).astype(np.uint16)
        for name, right in (("a", 0), ("b", 3)):
            twice.add_images([NewImage(open_array(name, noise), "test", square(2, right=right))])
    items = {item.name: item for item in plan_other_project(other, file).counterparts}
    assert "this image twice" in items["cell 3"].problem
    assert not items["cell 4"].found
