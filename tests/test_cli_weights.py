"""``orgseg weights``: made from paint, taken away, refused in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from orgseg_app.core.weighting.settings import EdgePair, WeightSettings
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.weights import has_weights, make_weights
from tests.pictures import lines, make_project

Run = Callable[..., tuple[int, str, str]]


def test_made_and_removed(run: Run, tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg", ("train", "train"))
    code, out, err = run("weights", path, "--json")
    assert code == 0, err
    assert len(lines(out)) == 2
    with ProjectFile.open(path) as file:
        first, second = file.project.images
        found = file.weights(first)
        make_weights(file, [first, second], WeightSettings())
        np.testing.assert_array_equal(found, file.weights(first))
        name = file.project.images[second].name
    code, out, err = run("weights", path, "--remove", "--images", name)
    assert code == 0, err
    assert "The weights of 1 image were removed." in out
    with ProjectFile.open(path, read_only=True) as file:
        assert [has_weights(file, i) for i in (first, second)] == [True, False]


def test_every_setting_is_heard(run: Run, tmp_path: Path) -> None:
    path = make_project(tmp_path / "a.orgseg", ("train",))
    with ProjectFile.open(path) as file:
        name = file.project.classes[1].name
        (image_id,) = file.project.images
        asked = WeightSettings(
            balance=False,
            pairs=(EdgePair((2,), (1,), both=False),),
            strength=3,
            reach=4,
            floor=0.5,
            combine="product",
        )
        make_weights(file, [image_id], asked)
        expected = file.weights(image_id)
    words = f"--edges {name}:1 --one-sided --no-balance --strength 3 --reach 4 --floor 0.5"
    code, out, err = run("weights", path, *words.split(), "--combine", "product")
    assert code == 0, err
    assert "weights from" in out
    with ProjectFile.open(path, read_only=True) as file:
        np.testing.assert_array_equal(file.weights(image_id), expected)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--edges wall:1", 'no class "wall"'),
        ("--edges 2", "is no pair of classes"),
        ("--edges 2:2", "lies on both sides"),
        ("--images gone", 'no image "gone"'),
        ("--floor 2", "weights.floor lies between"),
        ("--leave-out 1,2", "Nothing that counts is painted"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Run, tmp_path: Path, words: str, said: str) -> None:
    path = make_project(tmp_path / "a.orgseg", ("train",))
    code, _, err = run("weights", path, *words.split())
    assert code == 1
    assert said in err
    assert "Nothing was changed" in err
    with ProjectFile.open(path, read_only=True) as file:
        assert not any(has_weights(file, image_id) for image_id in file.project.images)
