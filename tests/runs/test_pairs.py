"""Which of two runs is better, and when that is not asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from orgseg_app.core.metrics.statistics import BETTER, TOO_FEW, WORSE, difference
from orgseg_app.runs.class_scores import class_scores
from orgseg_app.runs.comparison import Comparison, ImageScores, RunScores
from orgseg_app.runs.pairs import MOST_RUNS, pair_of, pairs_of

NAMES = {1: "background", 2: "ER", 3: "nucleus"}


def scored(number: int, right: int) -> ImageScores:
    """An image of which so many of 100 voxels of the ER are found, and half of the nucleus."""
    matrix = np.array([[500, 0, 0], [100 - right, right, 0], [50, 0, 50]])
    scores = class_scores(matrix, list(NAMES), NAMES)
    return ImageScores(f"cell {number}", f"id {number}", f"{number:064}", scores)


def run(name: str, found: Sequence[int], run_id: str = "") -> RunScores:
    images = tuple(scored(number, right) for number, right in enumerate(found))
    return RunScores(run_id or name, name, "finished", "a recipe", images, None)


def comparison(*runs: RunScores) -> Comparison:
    return Comparison("test", (), (), ("ER", "nucleus"), runs)


GOOD, FAIR = [90, 92, 88, 95, 91, 89, 93, 90], [80, 83, 79, 83, 80, 81, 82, 79]


def test_the_better_run_is_named_with_interval_and_images() -> None:
    (pair,) = pairs_of(comparison(run("good", GOOD), run("fair", FAIR)))
    assert pair.found is not None
    assert pair.found.verdict == BETTER
    assert pair.sentence.startswith('"good" is better by 0.051 (')
    assert pair.sentence.endswith("), 8 images.")
    assert pair.in_words("A", "B").startswith("A is better by ")
    (turned,) = pairs_of(comparison(run("fair", FAIR), run("good", GOOD)))
    assert turned.found is not None
    assert turned.found.verdict == WORSE
    assert turned.sentence == pair.sentence


def test_a_class_by_itself() -> None:
    good, fair = (
        {one.image_id: one for one in run(name, found).per_image}
        for name, found in (("good", GOOD), ("fair", FAIR))
    )
    both = good, fair
    pair = pair_of("good", "fair", both, class_name="nucleus")
    assert pair.found is not None
    assert pair.found.mean == 0
    assert '"good" and "fair" have the same scores' in pair.sentence
    er = pair_of("good", "fair", both, class_name="ER")
    assert er.found is not None
    assert er.found.mean == pytest.approx(np.mean(GOOD) / 100 - np.mean(FAIR) / 100)


def test_few_images_tell_nothing() -> None:
    (pair,) = pairs_of(comparison(run("a", GOOD[:3]), run("b", FAIR[:3])))
    assert pair.found is not None
    assert pair.found.verdict == TOO_FEW
    assert pair.sentence.startswith("Too few images to tell")


def test_only_images_of_both_count() -> None:
    (pair,) = pairs_of(comparison(run("a", GOOD), run("b", FAIR[:7])))
    assert pair.found is not None
    assert pair.found.images == 7


@pytest.mark.parametrize("which", ["is_leaked", "is_outdated"])
def test_what_would_not_be_honest_is_not_compared(which: str) -> None:
    bad = run("seen", GOOD)
    images = (replace(bad.per_image[0], **{which: True}), *bad.per_image[1:])
    (pair,) = pairs_of(comparison(run("fair", FAIR), replace(bad, per_image=images)))
    assert pair.found is None
    assert pair.sentence.startswith("Not compared: ")
    assert '"seen"' in pair.sentence
    assert "cell 0" in pair.sentence
    assert pair.to_dict()["verdict"] == "not compared"
    assert "mean_difference" not in pair.to_dict()
    # An image that the other run was not scored on does not matter.
    (pair,) = pairs_of(
        comparison(
            replace(run("x", FAIR), per_image=run("x", FAIR).per_image[1:]),
            replace(bad, per_image=images),
        )
    )
    assert pair.found is not None


def test_many_pairs_are_corrected_for_chance() -> None:
    runs = [run(name, np.add(FAIR, step)) for name, step in (("a", 0), ("b", 1), ("c", 2))]
    pairs = pairs_of(comparison(*runs))
    assert len(pairs) == 3
    for pair in pairs:
        assert pair.found is not None
        assert pair.found.pairs == 3
        assert pair.found.p is not None
        assert pair.found.p_adjusted == pytest.approx(min(1.0, 3 * pair.found.p))


def test_the_file_holds_the_same_numbers() -> None:
    good, fair = run("same name", GOOD, "1"), run("same name", FAIR, "2")
    data = json.loads(json.dumps(comparison(good, fair).to_dict()))["pairs"]
    values = [[one.scores.mean_iou for one in each.per_image] for each in (good, fair)]
    expected = difference(*values)
    assert [(pair["a"]["id"], pair["b"]["id"]) for pair in data] == [("1", "2")]
    assert data[0]["mean_difference"] == expected.mean
    assert data[0]["interval"] == list(expected.interval or ())
    assert data[0]["p"] == expected.p


def test_more_runs_than_make_sense_are_not_paired() -> None:
    runs = [run(f"run {n}", FAIR[:1], str(n)) for n in range(MOST_RUNS + 1)]
    assert pairs_of(comparison(*runs)) == []
    assert len(pairs_of(comparison(*runs[:4]))) == 6
