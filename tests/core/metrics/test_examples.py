"""The worked examples in the docstrings of the scores give what they say."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = (
    "boundaries",
    "class_groups",
    "clusters",
    "contingency",
    "instances",
    "intervals",
    "judging",
    "nearest",
    "object_scores",
    "overlaps",
    "pixels",
    "ranking",
    "resampling",
    "skeletons",
    "statistics",
    "thresholds",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module = importlib.import_module(f"orgseg_app.core.metrics.{name}")
    done = doctest.testmod(module)
    assert done.attempted > 0
    assert done.failed == 0
