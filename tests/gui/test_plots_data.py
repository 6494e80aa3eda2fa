"""What the plots of the Compare workspace show, before it is drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.metrics.statistics import TOO_FEW, difference, differences
from orgseg_app.core.metrics.thresholds import (
    Curve,
    RatedVoxels,
    average_precision,
    best_threshold,
    rated,
    roc_auc,
    sweep,
)
from orgseg_app.gui.comparing.forest_painting import span_of, ticks
from orgseg_app.gui.comparing.image_measures import image_measures
from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.gui.comparing.scores_data import (
    BY_DIFFERENCE,
    BY_NAME,
    BY_SCORE,
    ImagePlot,
    image_plot,
)
from orgseg_app.gui.comparing.statistics_data import MOST_MODELS, Statistics, statistics_of
from orgseg_app.gui.comparing.thresholds_data import (
    MOST_POINTS,
    TEST_IMAGES,
    THRESHOLDS,
    VALIDATION_IMAGES,
    _thinned,
    curves_of,
    thresholds_of,
)
from orgseg_app.runs.class_scores import LOWER_IS_BETTER, ClassScores, class_scores
from orgseg_app.runs.comparison import ImageScores

NAMES = {1: "background", 2: "ER", 3: "nucleus"}
IMAGES = {f"i{n}": f"cell {n}" for n in range(8)}


def voxels(seed: int, good: float) -> RatedVoxels:
    """Of an image of 400 voxels, a quarter of them of the class."""
    random = np.random.default_rng(seed)
    truth = np.repeat([2, 1, 1, 1], 100).astype(np.uint8)
    sure = np.clip(np.where(truth == 2, 0.5 + good / 4, 0.5 - good / 4), 0, 1)
    noisy = np.clip(sure + random.normal(0, 0.2, 400), 0, 1)
    return rated(truth, np.rint(noisy * 255).astype(np.uint8), 2)


def scores_of(iou: float, of: Mapping[str, RatedVoxels] | None = None) -> ClassScores:
    """Scores with this IoU of ER; that of the nucleus is a tenth lower."""
    found = class_scores(np.diag([50, 20, 20]), [1, 2, 3], NAMES)
    by_class = dict(found.by_class) | {"iou": {"ER": iou, "nucleus": iou - 0.1}}
    return replace(found, by_class=by_class, mean_iou=iou - 0.05, rated=dict(of or {}))


def row_of(
    name: str, ious: Mapping[str, float], *, leaked: str = "", good: float | None = None
) -> ResultRow:
    """A ranked run with these scores by image."""
    of = {} if good is None else {"ER": voxels(len(name), good)}
    images = {
        i: ImageScores(IMAGES[i], i, i, scores_of(value, of), is_leaked=i == leaked)
        for i, value in ious.items()
    }
    return ResultRow(
        run_id=f"id of {name}",
        name=name,
        colour_index=len(name),
        is_ranked=not leaked,
        reason="",
        can_score=False,
        pooled=scores_of(float(np.mean(list(ious.values()))), of),
        images=images,
        differs="",
        predictions_path=Path("none"),
    )


def spread(mean: float, step: float = 0.01) -> dict[str, float]:
    """IoU on every image, rising."""
    return {i: mean + step * n for n, i in enumerate(IMAGES)}


# -- thresholds ------------------------------------------------------------------------------------


def test_curves_are_those_of_the_core() -> None:
    found = voxels(1, 0.8)
    curves = curves_of(row_of("run", spread(0.5)), found)
    assert curves.roc_auc == roc_auc(found)
    assert curves.average_precision == average_precision(found)
    assert curves.note == f"AP {average_precision(found):.3f} · AUC {roc_auc(found):.3f}"
    for step in (0, 37, 100):
        there = sweep(found, [THRESHOLDS[step]])
        for score, value in curves.at(step).items():
            expected = there[score][0]
            assert math.isnan(value) if expected is None else value == expected


def test_the_best_threshold_is_that_of_the_validation_images() -> None:
    """Never that of the test images that are shown."""
    held_back, shown = voxels(9, 0.2), voxels(1, 2.0)
    row = row_of("run", spread(0.5))
    assert row.pooled is not None
    row = replace(row, pooled=replace(row.pooled, rated={"ER": shown}))
    given_ = {"id of run": scores_of(0.5, {"ER": held_back})}
    found = thresholds_of([row], "ER", TEST_IMAGES, given_.get)
    best = best_threshold(held_back)
    assert best is not None
    assert best != best_threshold(shown)
    assert found.runs[0].best == best[0]
    assert found.runs[0].roc_auc == roc_auc(shown)
    assert found.has_best
    unknown = thresholds_of([row], "ER", TEST_IMAGES, lambda run_id: None)
    assert unknown.runs[0].best is None
    on_validation = thresholds_of([row], "ER", VALIDATION_IMAGES, given_.get)
    assert on_validation.runs[0].roc_auc == roc_auc(held_back)


def test_runs_without_probabilities_are_named() -> None:
    rows = [row_of("old", spread(0.5)), row_of("new", spread(0.5), good=0.9)]
    found = thresholds_of(rows, "ER", TEST_IMAGES, lambda run_id: None)
    assert [run.name for run in found.runs] == ["new"]
    assert found.without == ("old",)
    assert thresholds_of(rows, "ER", "i3", lambda run_id: None).runs[0].roc_auc is not None
    assert thresholds_of(rows, "nucleus", TEST_IMAGES, lambda run_id: None).runs == ()


def test_long_curves_are_thinned_and_keep_their_ends() -> None:
    x = np.linspace(0, 1, 40_000)
    thin = _thinned(Curve(1 - x, x, x**2))
    assert len(thin.x) <= MOST_POINTS
    assert (thin.x[0], thin.x[-1], thin.y[-1]) == (0.0, 1.0, 1.0)


# -- statistics ------------------------------------------------------------------------------------


def compared(*rows: ResultRow, **more: object) -> Statistics:
    groups = more.pop("groups", [])
    return statistics_of(rows, list(IMAGES), groups, **more)  # type: ignore[arg-type]


def test_pairs_are_those_of_the_core_with_the_best_model_first() -> None:
    jitter = {i: 0.6 + 0.03 * (n % 3) for n, i in enumerate(IMAGES)}
    rows = [row_of("low", spread(0.4)), row_of("high", spread(0.8)), row_of("mid", jitter)]
    found = compared(*rows, class_name="ER")
    assert [model.name for model in found.models] == ["high", "mid", "low"]
    expected = differences(
        {name: list(ious.values()) for name, ious in (("high", spread(0.8)), ("mid", jitter))}
        | {"low": list(spread(0.4).values())}
    )
    for pair in found.pairs:
        assert pair.found == expected[pair.first.name, pair.second.name]
    assert found.pairs[0].sentence.startswith("“high” is better by 0.")
    assert found.ranks is not None
    assert found.ranks.mean_ranks == (1.0, 2.0, 3.0)
    lines = found.as_tsv().splitlines()
    assert len(lines) == 4
    assert lines[1].split("\t")[:2] == ["high", "mid"]


def test_seeds_are_averaged_on_each_image() -> None:
    one, two, other = spread(0.6), spread(0.7, 0.02), spread(0.5, 0.0)
    rows = [row_of("w seed 1 of 2", one), row_of("other", other), row_of("w seed 2 of 2 ", two)]
    groups = [[rows[0].run_id, rows[2].run_id], [rows[1].run_id]]
    found = compared(*rows, groups=groups, class_name="ER")
    assert [model.name for model in found.models] == ["w (2 seeds)", "other"]
    both = np.array([list(one.values()), list(two.values())]).T
    assert found.pairs[0].found == difference(both, list(other.values()))
    assert found.pairs[0].found.runs == (2, 1)
    assert found.models[0].run_id == rows[0].run_id
    assert len(compared(*rows, class_name="ER").pairs) == 3


def test_too_few_images_to_tell() -> None:
    few = list(IMAGES)[:4]
    rows = [row_of(n, dict.fromkeys(few, v)) for n, v in (("a", 0.9), ("bb", 0.5), ("ccc", 0.2))]
    found = compared(*rows)
    assert found.ranks is None
    assert {pair.found.verdict for pair in found.pairs} == {TOO_FEW}
    assert found.pairs[0].sentence.startswith("Too few images to tell")
    assert not any(pair.is_told for pair in found.pairs)
    assert span_of(found)[0] < 0 < found.pairs[1].found.mean < span_of(found)[1]  # type: ignore[operator]


def test_of_errors_the_lowest_is_best() -> None:
    score = "adapted_rand_error"
    assert score in LOWER_IS_BETTER

    def with_errors(name: str, error: float) -> ResultRow:
        row = row_of(name, spread(0.5))
        images = {}
        for n, (i, item) in enumerate(row.images.items()):
            by_class = dict(item.scores.by_class) | {score: {"ER": error + 0.01 * n}}
            images[i] = replace(item, scores=replace(item.scores, by_class=by_class))
        return replace(row, images=images)

    rows = [with_errors("bad", 0.7), with_errors("good", 0.1)]
    found = compared(*rows, score=score, class_name="ER")
    assert [model.name for model in found.models] == ["good", "bad"]
    assert found.pairs[0].sentence.startswith("“good” is better by 0.60")
    assert found.is_lower_better
    assert found.reach[0] == pytest.approx(-0.6)


def test_many_models_are_compared_with_the_best_alone() -> None:
    rows = [row_of("x" * (n + 1), spread(0.3 + 0.01 * n)) for n in range(MOST_MODELS + 1)]
    found = compared(*rows)
    assert len(found.pairs) == MOST_MODELS
    assert {pair.first.name for pair in found.pairs} == {"x" * (MOST_MODELS + 1)}


def test_work_that_is_not_wanted_any_more_stops() -> None:
    rows = [row_of("a", spread(0.3)), row_of("bb", spread(0.4))]
    assert compared(*rows, should_stop=lambda: True).pairs == ()


@given(st.floats(-1, 1), st.floats(0.001, 2), st.integers(2, 9))
@settings(max_examples=60, deadline=None)
def test_ticks_are_round_and_lie_on_the_axis(low: float, width: float, most: int) -> None:
    found = ticks(low, low + width, most)
    assert len(found) <= most + 1
    assert all(low - 1e-9 <= value <= low + width + 1e-9 for value in found)
    steps = np.diff(found)
    if len(steps):
        assert np.allclose(steps, steps[0])
        digits = f"{steps[0]:.0e}"[0]
        assert digits in "125"


# -- scores of images ------------------------------------------------------------------------------


def plotted(*rows: ResultRow, order: str, **more: object) -> ImagePlot:
    options: dict[str, object] = {"score": "iou", "title": "IoU", "has_pair": len(rows) > 1} | more
    return image_plot(rows, IMAGES, ["", "ER", "nucleus"], order=order, **options)  # type: ignore[arg-type]


def test_images_in_the_order_of_the_difference() -> None:
    a = dict(zip(IMAGES, (0.5, 0.9, 0.6, 0.4, 0.7, 0.5, 0.5), strict=False))  # no i7
    plot = plotted(row_of("a", a), row_of("bb", spread(0.6, 0.0)), order=BY_DIFFERENCE)
    gaps = [plot.difference(plot.panels[0], place) for place in range(len(IMAGES))]
    assert gaps[-1] is None
    assert plot.image_ids[-1] == "i7"
    known = [gap for gap in gaps if gap is not None]
    assert known == sorted(known, reverse=True)
    assert [panel.class_name for panel in plot.panels] == ["", "ER", "nucleus"]
    assert plot.panels[1].values["id of a"][0] == 0.9
    assert plot.panels[2].values["id of a"][0] == pytest.approx(0.8)
    assert plot.limits == (0.3, 0.9)


def test_images_in_the_order_of_scores_and_names() -> None:
    rows = [row_of("a", spread(0.2)), row_of("bb", spread(0.9))]
    assert plotted(*rows, order=BY_SCORE).image_ids == tuple(reversed(IMAGES))
    assert plotted(*rows, order=BY_NAME).image_ids == tuple(IMAGES)
    alone = plotted(rows[0], order=BY_DIFFERENCE)
    assert alone.image_ids == tuple(reversed(IMAGES))
    assert alone.difference(alone.panels[0], 0) is None


def test_a_score_of_all_classes_has_one_panel() -> None:
    plot = plotted(row_of("a", spread(0.5)), order=BY_NAME, score="accuracy")
    assert [panel.class_name for panel in plot.panels] == [""]


def test_scores_of_images_that_were_seen_are_marked() -> None:
    rows = [row_of("a", spread(0.5), leaked="i2"), row_of("bb", spread(0.5))]
    plot = plotted(*rows, order=BY_NAME)
    assert [plot.doubt(plot.runs[0], place) for place in (1, 2)] == ["", "saw it"]
    assert plot.doubted(rows[0]) == {2}
    assert not plot.doubted(rows[1])


def test_only_scores_that_images_have_are_offered() -> None:
    titles = image_measures([row_of("a", spread(0.5))])
    assert titles["iou"] == "IoU"
    assert titles["dice"] == "Dice (F1)"
    assert "ap_50" not in titles
