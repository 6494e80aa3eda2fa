"""Predictions of a run: written whole, read back as they were."""

from __future__ import annotations

import os

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgseg_app.files import predictions
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.predictions import (
    PredictedImage,
    Prediction,
    predicted_images,
    predictions_in,
    read_predicted_maps,
    read_predicted_plane,
    read_prediction,
    write_prediction,
    write_predictions,
)
from tests.files.projects import small_project


def a_mask(shape=(1, 30, 40), seed=0):
    return np.random.default_rng(seed).integers(0, 4, shape).astype(np.uint8)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 300), st.integers(1, 300)),
    classes=st.integers(0, 4),
    seed=st.integers(0, 1000),
)
def test_a_prediction_comes_back(tmp_path, shape, classes, seed):
    path = tmp_path / "pred ü.h5"
    mask = a_mask(shape, seed)
    probability = None
    if classes:
        probability = np.random.default_rng(seed).integers(0, 256, (classes, *shape)).astype("u1")
    write_prediction(path, "abc123", mask, probability)
    found = read_prediction(path, "abc123")
    np.testing.assert_array_equal(found.mask, mask)
    if probability is None:
        assert found.probability is None
    else:
        np.testing.assert_array_equal(found.probability, probability)


def test_one_after_the_other_and_again(tmp_path):
    path = tmp_path / "p.h5"
    assert predicted_images(path) == []
    write_prediction(path, "a", a_mask(seed=1))
    write_predictions(path, [Prediction("b", a_mask(seed=2)), Prediction("c", a_mask(seed=3))])
    write_prediction(path, "a", a_mask((2, 5, 6), seed=4))
    assert predicted_images(path) == ["a", "b", "c"]
    np.testing.assert_array_equal(read_prediction(path, "a").mask, a_mask((2, 5, 6), seed=4))
    np.testing.assert_array_equal(read_prediction(path, "c").mask, a_mask(seed=3))
    assert os.listdir(tmp_path) == ["p.h5"]
    with h5py.File(path) as file:
        assert file["predictions/b/mask"].fletcher32


def test_a_failure_keeps_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "p.h5"
    write_prediction(path, "a", a_mask())
    before = path.read_bytes()

    def later():
        yield Prediction("b", a_mask())
        raise OSError(5, "Input/output error")

    with pytest.raises(ProjectError, match=r"“p.h5” could not be saved: input/output error"):
        write_predictions(path, later())
    with pytest.raises(ValueError, match="uint8"):
        write_prediction(path, "b", a_mask().astype(int))
    with pytest.raises(ValueError, match="Probabilities are"):
        write_prediction(path, "b", a_mask(), a_mask((2, 1, 30, 41)))
    with pytest.raises(ValueError, match="no image id"):
        write_prediction(path, "../b", a_mask())
    assert path.read_bytes() == before


def test_what_holds_no_predictions(tmp_path):
    with pytest.raises(ProjectError, match="There is no file"):
        read_prediction(tmp_path / "gone.h5", "a")
    small_project(tmp_path / "p.orgseg", 1).close()
    before = (tmp_path / "p.orgseg").read_bytes()
    with pytest.raises(ProjectError, match="holds no predictions"):
        write_prediction(tmp_path / "p.orgseg", "a", a_mask())
    assert (tmp_path / "p.orgseg").read_bytes() == before
    write_prediction(tmp_path / "p.h5", "a", a_mask())
    with pytest.raises(ProjectError, match="no prediction of this image"):
        read_prediction(tmp_path / "p.h5", "b")
    with h5py.File(tmp_path / "p.h5", "r+") as file:
        file["predictions/b"] = h5py.ExternalLink(str(tmp_path / "p.orgseg"), "/images")
    with pytest.raises(ProjectError, match="links"):
        read_prediction(tmp_path / "p.h5", "a")


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (((1, 2**25, 2**25), "u1"), "declares an image of impossible size"),
        (((1, 5, 5), "f8"), r"is damaged .*mask is float64"),
        (None, "is damaged"),
    ],
)
def test_bombs_and_odd_types_are_refused(tmp_path, mask, sentence):
    path = tmp_path / "p.h5"
    with h5py.File(path, "w") as file:
        file.attrs["format"] = np.bytes_(predictions.FORMAT)
        group = file.create_group("predictions/a")
        if mask is not None:
            group.create_dataset("mask", *mask, chunks=(1, 5, 5))
    with pytest.raises(ProjectError, match=sentence):
        read_prediction(path, "a")


def test_a_file_with_a_bomb_is_refused_as_a_whole(tmp_path):
    """Nothing of it can be trusted; the sentence says the same whatever is asked for."""
    path = tmp_path / "p.h5"
    write_prediction(path, "a", a_mask())
    with h5py.File(path, "r+") as file:
        file.create_dataset("predictions/b/mask", (1, 2**25, 2**25), "u1", chunks=(1, 256, 256))
    for image_id in ("a", "b"):
        with pytest.raises(ProjectError, match="declares an image of impossible size"):
            read_prediction(path, image_id)


def test_one_plane_is_read_at_a_time(tmp_path):
    path = tmp_path / "p.h5"
    shape = (4, 300, 280)
    mask = a_mask(shape)
    probability = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype("u1")
    write_predictions(
        path,
        [Prediction("a", mask, probability, (1, 2, 5)), Prediction("b", mask[:1])],
    )
    assert predictions_in(path) == {
        "a": PredictedImage(shape, (1, 2, 5)),
        "b": PredictedImage((1, 300, 280)),
    }
    for z in range(4):
        np.testing.assert_array_equal(read_predicted_plane(path, "a", z), mask[z])
        for place, class_id in enumerate((1, 2, 5)):
            found = read_predicted_plane(path, "a", z, class_id)
            np.testing.assert_array_equal(found, probability[place, z])
    assert read_prediction(path, "a").class_ids == (1, 2, 5)


@pytest.mark.parametrize(
    ("image_id", "z", "class_id"),
    [("c", 0, None), ("a", 4, None), ("a", 0, 3), ("b", 0, 1), ("a", 9, 2)],
)
def test_what_is_not_there_is_said(tmp_path, image_id, z, class_id):
    path = tmp_path / "p.h5"
    shape = (2, 30, 40)
    write_prediction(path, "b", a_mask(shape))
    write_predictions(path, [Prediction("a", a_mask(shape), a_mask((2, *shape)), (1, 2))])
    with pytest.raises(ProjectError, match=r"“p.h5” does not hold this prediction"):
        read_predicted_plane(path, image_id, z, class_id)


def test_what_is_no_prediction_is_damage(tmp_path):
    path = tmp_path / "p.h5"
    write_prediction(path, "a", a_mask())
    with h5py.File(path, "r+") as file:
        file["predictions"]["b"] = np.zeros((50, 50))  # where a group should be
        file["predictions/a"]["probability"] = np.zeros(7, np.uint8)
    with pytest.raises(ProjectError, match=r"“p.h5”"):
        predictions_in(path)
    with pytest.raises(ProjectError, match=r"“p.h5”"):
        read_predicted_plane(path, "a", 0, 1)
    with pytest.raises(ProjectError, match=r"“p.h5”"):
        read_predicted_plane(path, "b", 0)


def test_ids_of_probabilities_that_make_no_sense(tmp_path):
    path = tmp_path / "p.h5"
    shape = (1, 30, 40)
    with pytest.raises(ValueError, match="cannot be of classes"):
        write_predictions(path, [Prediction("a", a_mask(shape), a_mask((2, *shape)), (1, 2, 3))])
    write_prediction(path, "a", a_mask(shape), a_mask((2, *shape)))
    assert predictions_in(path)["a"].class_ids == (1, 2)  # none were given
    with h5py.File(path, "r+") as file:
        file["predictions/a/probability"].attrs["class_ids"] = "anything"
    assert predictions_in(path)["a"].class_ids == (1, 2)
    assert predictions_in(tmp_path / "none.h5") == {}


@pytest.mark.parametrize("count", [2, 4, 5])
def test_maps_of_depth_and_of_centres_come_back(tmp_path, count):
    path, mask = tmp_path / "pred.h5", a_mask((2, 20, 30))
    maps = a_mask((count, 2, 20, 30), seed=count)
    write_predictions(path, [Prediction("a", mask, maps=maps, objects=mask.astype(np.uint32))])
    np.testing.assert_array_equal(read_prediction(path, "a").maps, maps)
    np.testing.assert_array_equal(read_predicted_maps(path, "a", 1), maps[:, 1])


def test_any_other_number_of_maps_is_refused(tmp_path):
    path, mask = tmp_path / "pred.h5", a_mask((2, 20, 30))
    with pytest.raises(ValueError, match="maps"):
        write_predictions(path, [Prediction("a", mask, maps=a_mask((3, 2, 20, 30)))])
    write_predictions(path, [Prediction("a", mask, maps=a_mask((2, 2, 20, 30)))])
    with h5py.File(path, "r+") as file:
        del file["predictions/a/maps"]
        file["predictions/a/maps"] = a_mask((3, 2, 20, 30))
    for read in (lambda: read_prediction(path, "a"), lambda: read_predicted_maps(path, "a", 0)):
        with pytest.raises(ProjectError, match="another shape"):
            read()
