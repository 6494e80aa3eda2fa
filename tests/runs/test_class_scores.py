"""Scores of groups and objects in a comparison, pooled and by image, in JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orgseg_app.core.metrics.class_groups import group_scores
from orgseg_app.core.metrics.object_scores import object_scores
from orgseg_app.core.metrics.pixels import confusion_matrix
from orgseg_app.runs.class_scores import LOWER_IS_BETTER, PER_OBJECT
from orgseg_app.runs.comparison import compare
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.process import write_json
from orgseg_app.runs.reporting.report import make_report
from orgseg_app.runs.reporting.tables import score_rows
from orgseg_app.runs.reporting.writing import write_report
from tests.runs.test_comparison import IDS, make_run

Pair = tuple[np.ndarray, np.ndarray]


def volume(seed: int, depth: int) -> Pair:
    """Blobs of two classes on planes, and a model that is often right."""
    random = np.random.default_rng(seed)
    truth = np.repeat(random.integers(1, 4, (depth, 6, 4)), 3, axis=2).astype(np.uint8)
    truth[0, 0, 0] = 0
    wrong = random.integers(1, 4, truth.shape)
    return truth, np.where(random.random(truth.shape) < 0.2, wrong, truth).astype(np.uint8)


def with_objects(
    run: RunFolder, pairs: dict[str, Pair], *, without: str = "", damage: object = None
) -> RunFolder:
    metrics: dict[str, Any] = json.loads(run.metrics_path.read_text())
    for entry in metrics["images"]:
        found = object_scores(*pairs[entry["image"]], IDS[1:])
        entry["objects"] = {str(i): agreed.to_dict() for i, agreed in found.items()}
        if entry["image"] == without:
            entry["objects"] |= damage
    write_json(run.metrics_path, metrics)
    return RunFolder(run.path)


@pytest.fixture
def pairs() -> dict[str, Pair]:
    return {"flat": volume(1, 1), "deep": volume(2, 3)}


def test_objects_by_image_and_pooled(tmp_path: Path, pairs: dict[str, Pair]) -> None:
    run = with_objects(make_run(tmp_path, "one", pairs), pairs)
    entry = compare(None, [run]).to_dict()["runs"][0]
    by_image = {item["image"]: item for item in entry["per_image"]}
    flat, deep = (object_scores(*pairs[name], IDS[1:])[2] for name in ("flat", "deep"))
    for score in ("adapted_rand_error", "voi_split", "voi_merge"):
        assert by_image["flat"][score]["ER"] == flat.plane_scores()[score]
        assert by_image["deep"][score]["ER"] == deep.plane_scores()[score]
        assert by_image["flat"][f"{score}_3d"]["ER"] is None
        assert by_image["deep"][f"{score}_3d"]["ER"] == deep.volume_scores()[score]
        # Four planes in all count the same, whichever image they are of.
        means = by_image["flat"][score]["ER"] + 3 * by_image["deep"][score]["ER"]
        assert entry["pooled"][score]["ER"] == pytest.approx(means / 4)
        assert entry["pooled"][f"{score}_3d"]["ER"] == deep.volume_scores()[score]
    assert by_image["deep"]["adapted_rand_precision"]["ER"] == deep.plane_scores()["precision"]
    # Objects one by one are pooled: every object counts the same.
    assert flat.matched is not None
    assert deep.matched is not None
    for name, value in (flat.matched + deep.matched).scores().items():
        assert entry["pooled"][name]["ER"] == value
        assert by_image["deep"][name]["ER"] == deep.matched.scores()[name]
    assert by_image["deep"]["mean_ap_3d"]["ER"] == deep.volume_scores()["mean_ap"]
    assert by_image["flat"]["mean_ap_3d"]["ER"] is None


def test_jobs_that_looked_at_groups_alone(tmp_path: Path, pairs: dict[str, Pair]) -> None:
    run = with_objects(make_run(tmp_path, "older", pairs), pairs)
    metrics: dict[str, Any] = json.loads(run.metrics_path.read_text())
    for entry in metrics["images"]:
        for kept in entry["objects"].values():
            del kept["matched"], kept["matched_volume"]
    write_json(run.metrics_path, metrics)
    found = compare(None, [RunFolder(run.path)]).runs[0]
    assert found.pooled is not None
    assert found.pooled.by_class["voi_split"]["ER"] is not None
    for scores in (found.pooled, *(item.scores for item in found.per_image)):
        assert scores.by_class["ap_50"] == scores.by_class["mean_ap_3d"] == {}


SUMS = dict.fromkeys(("voxels", "pairs", "truth_pairs", "predicted_pairs", "split_bits"), 1)


@pytest.mark.parametrize(
    "damage",
    [
        {"2": {"planes": "?"}},
        {"x": {"planes": {}, "volume": None}},
        {"2": {"planes": {"voi_split": [float("nan"), 1]}, "volume": None}},
        {"2": {"planes": {}, "volume": {**SUMS, "merge_bits": -1}}},
        {"2": {"planes": {}, "volume": None, "matched": {"truth": 1}}},
        {"2": {"planes": {}, "volume": None, "matched": [1]}},
        {"2": {"planes": {}, "volume": {**SUMS, "voxels": float("inf"), "merge_bits": 1}}},
    ],
)
def test_jobs_that_wrote_nothing_about_objects_or_nonsense(
    tmp_path: Path, pairs: dict[str, Pair], damage: dict[str, Any]
) -> None:
    old = make_run(tmp_path, "old", pairs)
    damaged = make_run(tmp_path, "damaged", pairs)
    damaged = with_objects(damaged, pairs, without="flat", damage=damage)
    found = compare(None, [old, damaged])
    for run in found.runs:
        assert run.pooled is not None
        assert all(run.pooled.by_class[score] == {} for score in PER_OBJECT)
        assert run.pooled.mean_iou is not None
    deep = next(item for item in found.runs[1].per_image if item.image == "deep")
    assert deep.scores.by_class["voi_split"]["ER"] is not None


def test_groups_and_confusion(tmp_path: Path, pairs: dict[str, Pair]) -> None:
    run = make_run(tmp_path, "one", pairs)
    total = sum(confusion_matrix(*pair, IDS) for pair in pairs.values())
    everything = compare(None, [run]).to_dict()
    pooled = everything["runs"][0]["pooled"]
    assert everything["group"] == ["ER", "=nucleus"]
    assert {name: pooled[name] for name in group_scores(total, IDS)} == group_scores(total, IDS)
    assert pooled["mean_iou_group"] == pytest.approx(pooled["mean_iou"])
    assert pooled["confusion"] == total.tolist()
    assert pooled["confusion_classes"] == ["background", "ER", "=nucleus"]
    chosen = compare(None, [run], group=["er"]).to_dict()
    assert chosen["group"] == ["er"]
    assert chosen["runs"][0]["pooled"]["mean_iou_group"] == pytest.approx(pooled["iou"]["ER"])
    unknown = compare(None, [run], group=["Golgi"]).runs[0].pooled
    assert unknown is not None
    assert unknown.over_classes["mean_iou_group"] is None
    assert unknown.over_classes["mean_iou_all"] == pytest.approx(pooled["mean_iou_all"])


def test_tables_have_every_score(tmp_path: Path, pairs: dict[str, Pair]) -> None:
    run = with_objects(make_run(tmp_path, "one", pairs), pairs)
    found = compare(None, [run])
    report = make_report(found, [run])
    write_report(tmp_path / "c.csv", report)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "c.csv").read_text())))
    kept = score_rows(report)
    assert len(rows) == len(kept) == 3 * 2
    for row, values in zip(rows, kept, strict=True):
        for score in (*PER_OBJECT, "adjusted_rand_index", "mean_iou_all"):
            value = values[score]
            assert row[score] == "" if value is None else float(row[score]) == pytest.approx(value)
    assert set(rows[0]) > LOWER_IS_BETTER
