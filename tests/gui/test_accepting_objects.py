"""A prediction that is accepted brings its objects, and leaves what was painted."""

from __future__ import annotations

import numpy as np

from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.edits.whole import ReplaceMask
from orgseg_app.core.mask import Mask
from orgseg_app.files.predictions import Prediction
from orgseg_app.gui.runs.training import accepting


def test_objects_come_with_their_classes() -> None:
    said = np.array([[[1, 2, 2, 3, 3, 1]]], np.uint8)
    numbers = np.array([[[0, 1, 1, 2, 2, 2]]], np.uint32)  # one voxel more than the mask says
    painted = Mask.from_array(np.array([[[0, 0, 3, 0, 0, 0]]], np.uint8))
    recorder = Recorder("a", painted)
    accepting(Prediction("a", said, objects=numbers)).apply(recorder)
    assert painted.to_array().tolist() == [[[1, 2, 3, 3, 3, 3]]]
    assert painted.objects.to_array().tolist() == [[[0, 1, 0, 2, 2, 2]]]


def test_a_model_without_objects_is_accepted_as_ever() -> None:
    edit = accepting(Prediction("a", np.ones((1, 2, 2), np.uint8)))
    assert isinstance(edit, ReplaceMask)
    assert edit.only_unlabelled
