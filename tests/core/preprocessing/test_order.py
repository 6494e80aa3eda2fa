"""Advice on the order of steps."""

from __future__ import annotations

import pytest

from orgseg_app.core.preprocessing.order import advice
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.schema import PreprocessStep


@pytest.mark.parametrize(
    "names, sentences",
    [
        ([], []),
        (["percentile"], []),
        (["median", "background", "clahe", "zscore"], []),
        (["nlm", "match"], []),
        (["clahe", "median"], ['"CLAHE" strengthens noise: put "Median filter" before it.']),
        (
            ["equalise", "background"],
            [
                '"Histogram equalisation" strengthens background and noise: put "Background '
                'subtraction" before it.'
            ],
        ),
        (
            ["gaussian", "median"],
            [
                "Images keep the camera's units, which networks learn from slowly: add a step "
                'such as "Percentile range" at the end.'
            ],
        ),
    ],
)
def test_what_would_go_better_is_said(names: list[str], sentences: list[str]) -> None:
    assert advice([PreprocessStep(name) for name in names]) == sentences


def test_presets_need_no_advice() -> None:
    for recipe in PRESETS.values():
        assert advice(recipe.preprocess) == []
