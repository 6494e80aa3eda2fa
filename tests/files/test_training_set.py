"""Published training sets come in, go out and come in again, the same voxel by voxel."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from orgseg_app.files.annotations.plan import plan_import
from orgseg_app.files.annotations.platelet import CLASSES
from orgseg_app.files.annotations.series import as_volumes
from orgseg_app.files.export import ExportError
from orgseg_app.files.importing import ImportChoice, prepare_import
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.training_set import export_training_set
from orgseg_app.files.weights import weights_plane
from tests.files.training_sets import write_stacks, write_tree

pytestmark = pytest.mark.usefixtures("one_reading_child")


def taken_in(path: Path, *given: Path, volumes: bool = False) -> ProjectFile:
    """A new project with what was given."""
    plan = plan_import(given)
    intake = prepare_import(as_volumes(plan) if volumes else plan, ImportChoice())
    file = ProjectFile.create(path, intake.target.classes)
    file.add_images(intake.images())
    assert intake.problems == []
    return file


def contents(file: ProjectFile) -> dict[str, object]:
    found: dict[str, object] = {
        "classes": [(c.class_id, c.name, c.colour) for c in file.project.classes]
    }
    for image in file.project.images.values():
        weights = weights_plane(file, image.image_id, 1)
        found[image.name] = (
            image.split,
            [file.read_plane(image.image_id, z).tolist() for z in range(image.shape[1])],
            file.load_mask(image.image_id).to_array().tolist(),
            None if weights is None else weights.tolist(),
        )
    return found


def test_platelet_stacks(tmp_path):
    with taken_in(tmp_path / "a.orgseg", write_stacks(tmp_path / "platelet data ß")) as file:
        labels = tifffile.imread(tmp_path / "platelet data ß/eval-labels.tif")
        first = contents(file)
        assert first["classes"][1:] == [(c.order + 1, c.name, c.colour) for c in CLASSES]
        assert [i.split for i in file.project.images.values()] == ["validation", "test", "train"]
        assert first["eval-images"][2] == (labels + 1).tolist()
        assert first["train-images"][3] is not None
        assert first["eval-images"][3] is None
        for layout in ("platelet", "platelet-colours", "platelet-json"):
            written = export_training_set(file, tmp_path / layout, layout)
            assert (written.images, len(written.files), written.notes) == (3, 7, [])
            with taken_in(tmp_path / f"{layout}.orgseg", tmp_path / layout) as again:
                assert contents(again) == first, layout
    colours = tifffile.imread(tmp_path / "platelet-colours/eval-labels.tif")
    assert colours[labels == 0].tolist()[0] == [0, 0, 0, 0]
    assert colours[labels == 4].tolist()[0] == [255, 224, 0, 255]
    runs = json.loads((tmp_path / "platelet-json/eval-labels.json").read_text())
    assert runs[".info"] == {"shape": [4, 20, 24], "dtype": "uint8"}
    start, length = map(int, runs["3"].split()[:2])
    assert (labels.ravel()[start - 1 : start - 1 + length] == 3).all()


def test_snemi_tree_as_pictures_and_as_volumes(tmp_path):
    root = write_tree(tmp_path / "SNEMI3D_mito")
    plan = plan_import([root])
    assert plan.summary() == "9 images; 9 label images found by name; 4 train, 2 validation, 3 test"
    assert all(series.is_likely for series in plan.series)
    with taken_in(tmp_path / "a.orgseg", root, volumes=True) as file:
        first = contents(file)
        assert {i.name: (i.split, i.shape[1]) for i in file.project.images.values()} == {
            "SNEMI3D_mito train": ("train", 4),
            "SNEMI3D_mito validation": ("validation", 2),
            "SNEMI3D_mito test": ("test", 3),
        }
        export_training_set(file, tmp_path / "SNEMI3D_mito 2/SNEMI3D_mito", "snemi3d")
    names = sorted(str(p.relative_to(root)) for p in root.rglob("*.png"))
    copy = tmp_path / "SNEMI3D_mito 2/SNEMI3D_mito"
    assert sorted(str(p.relative_to(copy)) for p in copy.rglob("*.png")) == names
    with taken_in(tmp_path / "b.orgseg", copy, volumes=True) as again:
        assert contents(again) == first


def test_planes_nobody_painted_stay_so(tmp_path):
    root = write_tree(tmp_path / "mito")
    (root / "train/labels/0001.png").unlink()
    with taken_in(tmp_path / "a.orgseg", root, volumes=True) as file:
        train = next(i for i in file.project.images.values() if i.split == "train")
        mask = file.load_mask(train.image_id).to_array()
        assert [bool(plane.any()) for plane in mask] == [True, False, True, True]
        tree = export_training_set(file, tmp_path / "tree", "snemi3d")
        assert tree.notes == []
        assert not (tmp_path / "tree/train/labels/0001.png").exists()
        stacks = export_training_set(file, tmp_path / "stacks", "platelet")
    assert stacks.notes == [
        "“mito train”: 25 % of the voxels are not labelled; the files say background there, for "
        "they know nothing else."
    ]


def test_what_is_there_stays(tmp_path):
    with taken_in(tmp_path / "a.orgseg", write_stacks(tmp_path / "in")) as file:
        (tmp_path / "out").mkdir()
        (tmp_path / "out/test-labels.tif").write_bytes(b"mine")
        with pytest.raises(ExportError, match="already in"):
            export_training_set(file, tmp_path / "out", "platelet")
        assert [p.name for p in (tmp_path / "out").iterdir()] == ["test-labels.tif"]
        export_training_set(file, tmp_path / "out", "platelet", overwrite=True)
        assert (tmp_path / "out/test-labels.tif").read_bytes() != b"mine"
    with taken_in(tmp_path / "b.orgseg", tmp_path / "in/train-images.tif") as file:
        for image in list(file.project.images.values()):
            file.set_split(image.image_id, "train")
        assert export_training_set(file, tmp_path / "one", "platelet-json").images == 1


@pytest.mark.parametrize(
    "values, sentence",
    [
        (np.full((4, 20, 24), -1.0), "negative weights"),
        (np.full((4, 20, 24), np.nan), "no numbers"),
        (np.zeros((4, 20, 24)), "All weights in “train-error-weights.tif” are 0"),
    ],
)
def test_weights_that_are_none_leave_image_and_mask(tmp_path, values, sentence):
    root = write_stacks(tmp_path / "in")
    path = root / "train-error-weights.tif"
    tifffile.imwrite(path, values.astype(np.float32), photometric="minisblack")
    plan = plan_import([root / "train-images.tif"])
    intake = prepare_import(plan, ImportChoice())
    with ProjectFile.create(tmp_path / "a.orgseg", intake.target.classes) as file:
        (image,) = file.add_images(intake.images())
        assert weights_plane(file, image.image_id, 0) is None
        assert file.counts(image.image_id)
    assert sentence in intake.problems[0]
    assert intake.problems[0].endswith("is imported without weights.")


def test_weights_of_another_size_are_a_problem(tmp_path):
    root = write_stacks(tmp_path / "in")
    tifffile.imwrite(root / "train-error-weights.tif", np.ones((3, 20, 24), np.float32),
                     photometric="minisblack")  # fmt: skip
    plan = plan_import([root])
    assert plan.problems == [
        "The weights “train-error-weights.tif” are 24 × 20 pixels in 3 planes, but the image "
        "“train-images.tif” is 24 × 20 pixels in 4 planes; it is imported without them."
    ]


def test_labels_and_weights_in_one_hdf5_file(tmp_path):
    random = np.random.default_rng(0)
    raw = random.integers(0, 255, (3, 8, 9)).astype(np.uint8)
    with h5py.File(tmp_path / "cremi.h5", "w") as file:
        file["volumes/raw"] = raw
        file["volumes/labels/neuron_ids"] = (raw > 100).astype(np.uint64)
        file["volumes/weights"] = raw.astype(np.float32)
    with taken_in(tmp_path / "a.orgseg", tmp_path / "cremi.h5") as project:
        (image,) = project.project.images.values()
        assert image.name == "cremi"
        mask = project.load_mask(image.image_id).to_array()
        assert np.array_equal(mask == 2, raw > 100)
        assert np.array_equal(weights_plane(project, image.image_id, 2), raw[2])


def test_what_is_no_series(tmp_path):
    for folder in ("times", "crops", "two", "gaps"):
        (tmp_path / folder).mkdir()
    grey = np.zeros((8, 9), np.uint8)
    for n in range(4):
        tifffile.imwrite(tmp_path / f"times/cell_t{n}.tif", grey + n)
        tifffile.imwrite(tmp_path / f"crops/er_y0_x{n}.tif", grey + n)
        tifffile.imwrite(tmp_path / f"gaps/s{10**n}.tif", grey + n)
    for n in range(2):
        tifffile.imwrite(tmp_path / f"two/cell_{n}.tif", grey + n)
    assert plan_import([tmp_path]).series == []
    for n in range(4):
        tifffile.imwrite(tmp_path / f"two/cell_{n}.tif", grey + n)
    (series,) = plan_import([tmp_path]).series
    assert (series.name, series.numbers, series.is_likely) == ("cell", (0, 1, 2, 3), False)
