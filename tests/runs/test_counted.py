"""Outlines, skeletons and probabilities: from a job's counts to the rows of a comparison."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu

from orgseg_app.core.metrics.judging import RatedCounter, facts_of_image
from orgseg_app.runs.class_scores import (
    EVERY_SCORE,
    LOWER_IS_BETTER,
    PER_CLASS,
    PER_EDGE,
    PER_OBJECT,
    PER_RATED,
    PER_SKELETON,
    ClassScores,
)
from orgseg_app.runs.comparison import compare
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.process import write_json
from orgseg_app.runs.reporting.report import make_report
from orgseg_app.runs.reporting.tables import score_rows
from orgseg_app.runs.reporting.writing import write_report
from tests.runs.test_comparison import IDS, make_run

Triple = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Truth, prediction ``(Z, Y, X)`` and probabilities ``(3, Z, Y, X)``, classes 1, 2, 3."""

DISTANCES = ("hausdorff", "hausdorff_95", "surface_distance")
SIZE = (0.4, 0.2, 0.2)


def counted_run(
    parent: Path,
    images: dict[str, Triple],
    sizes: dict[str, Any] | None = None,
    change: Any = None,
) -> RunFolder:
    """A run as its job would leave it."""
    run = make_run(parent, "one", {name: (true, seen) for name, (true, seen, _) in images.items()})
    metrics: dict[str, Any] = json.loads(run.metrics_path.read_text())
    for entry in metrics["images"]:
        truth, prediction, probabilities = images[entry["image"]]
        counter = RatedCounter(IDS[1:])
        counter.add(truth, probabilities, IDS)
        size = (sizes or {}).get(entry["image"])
        rated = counter.rated()
        entry |= facts_of_image(truth, prediction, IDS, pixel_size_um=size, rated=rated)
        if change is not None:
            change(entry)
    write_json(run.metrics_path, metrics)
    return RunFolder(run.path)


def pooled_and_images(run: RunFolder) -> tuple[ClassScores, dict[str, ClassScores]]:
    found = compare(None, [run]).runs[0]
    assert found.pooled is not None
    return found.pooled, {item.image: item.scores for item in found.per_image}


def bar(start: int, *, moved: int) -> Triple:
    """A bar of 2 × 3 pixels of class 2, predicted further to the right."""
    truth, prediction = np.ones((2, 1, 3, 12), np.uint8)
    truth[..., start : start + 2] = prediction[..., start + moved : start + moved + 2] = 2
    probabilities = np.zeros((3, *truth.shape), np.uint8)
    probabilities[1] = np.where(prediction == 2, 204, 51)
    probabilities[0] = 255 - probabilities[1]
    return truth, prediction, probabilities


def blobs(seed: int, depth: int) -> Triple:
    random = np.random.default_rng(seed)
    coarse = random.integers(1, 4, (depth, 5, 4))
    truth = coarse.repeat(2, axis=1).repeat(3, axis=2).astype(np.uint8)
    prediction = np.where(random.random(truth.shape) < 0.2, np.roll(truth, 1, 2), truth)
    truth[random.random(truth.shape) < 0.1] = 0
    return truth, prediction, random.integers(0, 256, (3, *truth.shape)).astype(np.uint8)


def test_worked_by_hand(tmp_path: Path) -> None:
    """One bar a pixel off, one three pixels off, a pixel of 0.5 µm."""
    images = {"near": bar(2, moved=1), "far": bar(2, moved=3)}
    run = counted_run(tmp_path, images, dict.fromkeys(images, (1, 0.5, 0.5)))
    pooled, by_image = pooled_and_images(run)
    near, far = (
        {score: values.get("ER") for score, values in by_image[name].by_class.items()}
        for name in images
    )
    # Edges are both columns of a bar. A pixel off: distances 1, 0 and 0, 1; three: 3, 2 and 2, 3.
    assert (near["hausdorff"], near["surface_distance"], near["boundary_f1"]) == (0.5, 0.25, 1)
    assert (far["hausdorff"], far["surface_distance"], far["boundary_f1"]) == (1.5, 1.25, 0.5)
    assert (near["hausdorff_95"], far["hausdorff_95"]) == (0.5, 1.5)
    assert pooled.by_class["hausdorff"]["ER"] == 1.5  # the largest
    assert pooled.by_class["hausdorff_95"]["ER"] == 1.0  # the mean
    assert pooled.by_class["surface_distance"]["ER"] == 0.75  # of 24 edge pixels
    assert pooled.by_class["boundary_f1"]["ER"] == 0.75  # 18 of 24 found
    assert pooled.distance_unit == by_image["far"].distance_unit == "µm"
    # Each bar is thinned to two pixels of its left column; only the near prediction's lie inside.
    precision = pooled.by_class["cl_precision"]["ER"]
    assert (near["cl_precision"], far["cl_precision"], precision) == (1, 0, 0.5)
    assert near["cl_dice"] == far["cl_dice"] == pooled.by_class["cl_dice"]["ER"] == 0
    assert far["skeleton_length_error"] == far["end_point_error"] == 0
    assert far["branch_point_error"] is None
    # 30 of 36 pixels are not of the bar; the prediction marks 3 or 6 of them.
    assert (near["specificity"], far["specificity"]) == (27 / 30, 24 / 30)
    assert pooled.by_class["specificity"]["ER"] == 51 / 60
    # Near: half of the bar is at 0.8, the other half at 0.2; of the rest 3 of 30 are at 0.8.
    wins = (3 * 27 + (3 * 3 + 3 * 27) / 2) / (6 * 30)
    assert near["roc_auc"] == pytest.approx(wins)
    assert near["average_precision"] == pytest.approx(0.5 * 3 / 6 + 0.5 * 6 / 36)
    # Together: 3 of 12 are at 0.8, of the rest 9 of 60.
    wins = (3 * 51 + (3 * 9 + 9 * 51) / 2) / (12 * 60)
    assert pooled.by_class["roc_auc"]["ER"] == pytest.approx(wins)
    assert pooled.by_class["average_precision"]["ER"] == pytest.approx(
        0.25 * 3 / 12 + 0.75 * 12 / 72
    )
    assert pooled.rated["ER"].inside.tolist() == [9, 3]
    assert by_image["near"].rated["ER"].values.tolist() == [0.2, 0.8]
    # The nucleus is nowhere: no outline, no skeleton, no pixel.
    for score in (*PER_EDGE, *PER_SKELETON, *PER_RATED):
        assert pooled.by_class[score]["=nucleus"] is None


def slow_edges(mask: np.ndarray, truth: np.ndarray, class_id: int) -> np.ndarray:
    """Places in µm of voxels with a labelled neighbour by a face that is of another class."""
    inside = (mask == class_id) & (truth > 0)
    other = ~inside & (truth > 0)
    cross = ndimage.generate_binary_structure(3, 1)
    return np.argwhere(inside & ndimage.binary_dilation(other, cross)) * SIZE


@pytest.mark.parametrize("seed", range(3))
def test_equal_to_slow_references(tmp_path: Path, seed: int) -> None:
    images = {"flat": blobs(seed, 1), "deep": blobs(seed + 10, 3), "thick": blobs(seed + 20, 4)}
    run = counted_run(tmp_path, images, dict.fromkeys(images, SIZE))
    pooled, by_image = pooled_and_images(run)
    for class_id, name in ((2, "ER"), (3, "=nucleus")):
        distances, hits, far_95 = [], np.zeros((2, 2)), []
        rates: dict[bool, list[np.ndarray]] = {True: [], False: []}
        for image, (truth, prediction, probabilities) in images.items():
            true, seen = (slow_edges(mask, truth, class_id) for mask in (truth, prediction))
            table = cdist(true, seen)
            there, back = table.min(axis=1), table.min(axis=0)
            found = {score: of[name] for score, of in by_image[image].by_class.items()}
            far_95.append(max(np.percentile(there, 95), np.percentile(back, 95)))
            assert found["hausdorff"] == pytest.approx(max(there.max(), back.max()))
            assert found["hausdorff_95"] == pytest.approx(far_95[-1])
            assert found["surface_distance"] == pytest.approx(np.r_[there, back].mean())
            distances.append(np.r_[there, back])
            hits += [[(part <= 0.4 + 1e-9).sum(), len(part)] for part in (there, back)]
            for is_inside, where in ((True, truth == class_id), (False, truth != class_id)):
                rates[is_inside].append(probabilities[class_id - 1][where & (truth > 0)])
            u = mannwhitneyu(rates[True][-1], rates[False][-1]).statistic
            wanted = u / len(rates[True][-1]) / len(rates[False][-1])
            assert found["roc_auc"] == pytest.approx(wanted, abs=1e-9)
        of = {score: values[name] for score, values in pooled.by_class.items()}
        assert of["hausdorff"] == pytest.approx(max(part.max() for part in distances))
        assert of["hausdorff_95"] == pytest.approx(np.mean(far_95))
        assert of["surface_distance"] == pytest.approx(np.concatenate(distances).mean())
        recall, precision = hits[:, 0] / hits[:, 1]
        assert of["boundary_f1"] == pytest.approx(2 / (1 / recall + 1 / precision))
        inside, outside = (np.concatenate(rates[key]) for key in (True, False))
        u = mannwhitneyu(inside, outside).statistic
        assert of["roc_auc"] == pytest.approx(u / len(inside) / len(outside), abs=1e-9)


def test_tables_and_files_have_every_score(tmp_path: Path) -> None:
    images = {"flat": blobs(1, 1), "deep": blobs(2, 3)}
    run = counted_run(tmp_path, images, dict.fromkeys(images, SIZE))
    found = compare(None, [run])
    pooled = found.runs[0].pooled
    assert pooled is not None
    report = make_report(found, [run])
    for name in ("c.csv", "c.json"):
        write_report(tmp_path / name, report)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "c.csv").read_text())))
    kept = json.loads((tmp_path / "c.json").read_text())["runs"][0]
    parts = [*found.runs[0].per_image, None]
    wanted = score_rows(report)
    assert len(rows) == len(wanted) == 3 * 2
    for place, (row, values) in enumerate(zip(rows, wanted, strict=True)):
        part, name = parts[place // 2], ("ER", "=nucleus")[place % 2]
        scores = pooled if part is None else part.scores
        written = kept["pooled"] if part is None else kept["per_image"][place // 2]
        assert row["distance_unit"] == values["distance_unit"] == written["distance_unit"] == "µm"
        for score in EVERY_SCORE:
            value = scores.by_class[score][name]
            assert written[score][name] == values[score] == value
            assert row[score] == "" if value is None else float(row[score]) == pytest.approx(value)
    assert set(EVERY_SCORE) >= LOWER_IS_BETTER
    assert set(EVERY_SCORE) == {*PER_CLASS, *PER_OBJECT, *PER_EDGE, *PER_SKELETON, *PER_RATED}


def test_pixels_and_micrometres_do_not_mix(tmp_path: Path) -> None:
    images = {"near": bar(2, moved=1), "far": bar(2, moved=3)}
    pooled, by_image = pooled_and_images(counted_run(tmp_path, images, {"far": (1, 0.5, 0.5)}))
    assert by_image["near"].by_class["hausdorff"]["ER"] == 1
    assert by_image["far"].by_class["hausdorff"]["ER"] == 1.5
    assert (by_image["near"].distance_unit, by_image["far"].distance_unit) == ("pixels", "µm")
    assert pooled.distance_unit == ""
    for score in (*DISTANCES, "skeleton_length_error", "skeleton_length_bias"):
        assert pooled.by_class[score]["ER"] is None
    assert pooled.by_class["boundary_f1"]["ER"] == 0.75


def test_jobs_of_older_versions(tmp_path: Path) -> None:
    def forget(entry: dict[str, Any]) -> None:
        for name in ("boundaries", "skeletons", "rated", "distances", "objects"):
            del entry[name]

    images = {"flat": blobs(1, 1), "deep": blobs(2, 3)}
    pooled, by_image = pooled_and_images(counted_run(tmp_path, images, change=forget))
    for scores in (pooled, *by_image.values()):
        for score in (*PER_OBJECT, *PER_EDGE, *PER_SKELETON, *PER_RATED):
            assert scores.by_class[score] == {}
        assert scores.rated == {}
        assert scores.distance_unit == ""
        assert scores.by_class["specificity"]["ER"] is not None
    run = RunFolder(next(tmp_path.glob("one-*")))
    assert score_rows(make_report(compare(None, [run]), [run]))[0]["cl_dice"] is None


@pytest.mark.parametrize(
    ("key", "damage"),
    [
        ("boundaries", None),
        ("boundaries", {"2": {"truth": 1}}),
        ("boundaries", {"x": {}}),
        ("boundaries", [1, 2]),
        ("skeletons", {"2": {"truth": {}, "prediction": {}}}),
        ("skeletons", {"2": "?"}),
        ("rated", {"2": {"steps": 255, "inside": "1 2", "outside": "1 2"}}),
        ("rated", {"2": {"steps": 1, "inside": "1 -2", "outside": "1 2"}}),
        ("rated", {"2": {"steps": 1, "inside": f"1 {10**30}", "outside": "1 2"}}),
        ("rated", {"2": {"steps": 0, "inside": "", "outside": None}}),
        ("rated", {"2": {"values": [0.5], "inside": [float("nan")], "outside": [1]}}),
        ("rated", "?"),
        ("distances", {"unit": ["µm"]}),
        ("distances", 3),
    ],
)
def test_damaged_counts_are_no_counts(tmp_path: Path, key: str, damage: Any) -> None:
    def spoil(entry: dict[str, Any]) -> None:
        if entry["image"] == "flat":
            entry[key] = damage

    images = {"flat": blobs(1, 1), "deep": blobs(2, 3)}
    run = counted_run(tmp_path, images, dict.fromkeys(images, SIZE), spoil)
    pooled, by_image = pooled_and_images(run)
    families = {"boundaries": PER_EDGE, "skeletons": PER_SKELETON, "rated": PER_RATED}
    for other, family in families.items():
        for score in family:
            assert (pooled.by_class[score] == {}) == (other == key)
            assert (by_image["flat"].by_class[score] == {}) == (other == key)
            assert by_image["deep"].by_class[score] != {}
    assert (pooled.rated == {}) == (key == "rated")
    if key == "distances":
        assert pooled.distance_unit == ""
        assert pooled.by_class["hausdorff"]["ER"] is None
        assert pooled.by_class["boundary_f1"]["ER"] is not None
    assert pooled.by_class["ap_50"]["ER"] is not None
