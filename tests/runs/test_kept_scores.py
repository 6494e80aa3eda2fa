"""Kept scores: the same numbers as from ``metrics.json``, made anew when anything is another."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from orgseg_app.core.metrics.judging import facts_of_image
from orgseg_app.core.metrics.thresholds import rated
from orgseg_app.runs.class_scores import ClassScores
from orgseg_app.runs.comparison import compare
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.kept_scores import (
    KEPT_FILE,
    judged,
    judged_together,
    keep_scores,
    kept_scores,
)
from orgseg_app.runs.process import write_json
from orgseg_app.runs.remarks import LONGEST_NOTE, REMARKS_FILE, Remarks, keep_remarks, remarks_of
from tests.runs.test_comparison import IDS, make_run, random_pair

NAMES = dict(zip(IDS, ("background", "ER", "nucleus"), strict=True))


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """Scored on three images; the third as an older OrgSeg did it."""
    pairs = {name: random_pair(seed) for seed, name in enumerate("abc")}
    run = make_run(tmp_path, "one", pairs)
    metrics = json.loads(run.metrics_path.read_text())
    dice = np.random.default_rng(0)
    for entry in metrics["images"][:2]:
        truth, guess = (
            np.atleast_3d(mask).reshape(1, *mask.shape[-2:]) for mask in pairs[entry["image"]]
        )
        probable = {i: rated(truth, dice.integers(0, 256, truth.shape, np.uint8), i) for i in (2,)}
        entry |= facts_of_image(truth, guess, IDS, rated=probable)
    write_json(run.metrics_path, metrics)
    return run


def as_told(scores: ClassScores) -> dict[str, object]:
    told = scores.to_dict()
    for name in ("mean_iou_all", "mean_iou_group", "mean_recall_group", "adjusted_rand_index"):
        told.pop(name)
    return told


def test_the_same_numbers_first_and_from_the_file(run: RunFolder) -> None:
    entries = json.loads(run.metrics_path.read_text())["images"]
    matrices = [np.array(entry["confusion"]) for entry in entries]
    for _ in range(2):
        kept = kept_scores(run)
        assert kept is not None
        for number, (entry, matrix) in enumerate(zip(entries, matrices, strict=True)):
            wanted = judged(matrix, entry, IDS, NAMES)
            found = kept.of_image(number, NAMES, ())
            assert as_told(found) == as_told(wanted)
            assert found.over_classes == wanted.over_classes
            assert set(found.rated) == set(wanted.rated)
        for numbers in ([0, 1, 2], [0, 1], [2]):
            wanted = judged_together(
                np.sum([matrices[n] for n in numbers], axis=0),
                [entries[n] for n in numbers], IDS, NAMES,
            )  # fmt: skip
            found = kept.pooled(numbers, NAMES, ())
            assert as_told(found) == as_told(wanted)
            own = [judged(matrices[n], entries[n], IDS, NAMES) for n in numbers]
            for score in ("iou", "hausdorff", "ap_50"):
                values = [one.by_class[score].get("ER") for one in own]
                known = [value for value in values if value is not None]
                mean = sum(known) / len(known) if known else None
                assert kept.mean(numbers, score, 2) == pytest.approx(mean)
        assert (run.path / KEPT_FILE).is_file()


def test_other_scores_are_noticed(run: RunFolder) -> None:
    keep_scores(run)
    metrics = json.loads(run.metrics_path.read_text())
    before = compare(None, [run]).runs[0].pooled
    metrics["images"] = metrics["images"][:1]
    write_json(run.metrics_path, metrics)
    after = compare(None, [run]).runs[0]
    assert len(after.per_image) == 1
    assert after.pooled != before
    assert after.pooled is not None
    assert after.pooled.voxels == after.per_image[0].scores.voxels


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_file_is_made_anew(run: RunFolder, damage: bytes | None) -> None:
    wanted = as_told(compare(None, [run]).runs[0].pooled)  # type: ignore[arg-type]
    path = run.path / KEPT_FILE
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    assert as_told(compare(None, [run]).runs[0].pooled) == wanted  # type: ignore[arg-type]
    assert path.read_bytes() == whole


def test_remarks_are_kept_with_the_run(run: RunFolder) -> None:
    request = (run.path / "request.json").read_bytes()
    assert remarks_of(run) == Remarks()
    kept = keep_remarks(run, Remarks("two\n lines ", is_pinned=True))
    assert kept == remarks_of(run) == Remarks("two lines", is_pinned=True)
    with pytest.raises(RunError, match="at most"):
        keep_remarks(run, Remarks("x" * (LONGEST_NOTE + 1)))
    assert remarks_of(run) == kept
    assert (run.path / "request.json").read_bytes() == request
    (run.path / REMARKS_FILE).write_text('{"note": 3, "pinned": "yes"')
    assert remarks_of(run) == Remarks()
