"""Comparison: figures against a slow, obvious reference; leaks, gaps and repainted images named."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from orgseg_app.core.classes import default_classes
from orgseg_app.core.metrics.object_scores import ObjectAgreement
from orgseg_app.core.metrics.pixels import PER_CLASS, confusion_matrix
from orgseg_app.runs.baseline import otsu_threshold, threshold_baseline
from orgseg_app.runs.comparison import compare
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.process import write_json
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.reporting.report import make_report
from orgseg_app.runs.reporting.writing import write_report

CLASSES = [{"id": 1, "name": "background"}, {"id": 2, "name": "ER"}, {"id": 3, "name": "=nucleus"}]
IDS = [1, 2, 3]

Pair = tuple[np.ndarray, np.ndarray]


def make_run(
    parent: Path,
    name: str,
    pairs: dict[str, Pair],
    *,
    split: str = "test",
    learnt: tuple[str, ...] = ("sha-t",),
    kind: str = "train",
    extra: dict[str, Any] | None = None,
) -> RunFolder:
    request_images = [{"id": "t", "name": "t", "split": "train", "sha256": sha} for sha in learnt]
    request_images += [
        {"id": f"id-{n}", "name": n, "split": split, "sha256": f"sha-{n}", "mask_sha256": "m"}
        for n in pairs
    ]
    run = RunFolder.create(
        parent,
        name=name,
        kind=kind,
        recipe=PRESETS["fast"],
        extra={"images": request_images} | (extra or {}),
    )
    write_json(
        run.metrics_path,
        {
            "run": run.run_id,
            "classes": CLASSES,
            "seconds": 12.5,
            "images": [
                {
                    "image": image,
                    "image_id": f"id-{image}",
                    "sha256": f"sha-{image}",
                    "split": split,
                    "confusion": confusion_matrix(*pair, IDS).tolist(),
                }
                for image, pair in pairs.items()
            ],
        },
    )
    with EventWriter(run.events_path) as events:
        events.write("finished", run=run.run_id)
    return run


def random_pair(seed: int) -> Pair:
    rng = np.random.default_rng(seed)
    return (
        rng.integers(0, 4, (9, 11)).astype(np.uint8),
        rng.integers(1, 4, (9, 11)).astype(np.uint8),
    )


def slow_iou(pairs: list[Pair], class_id: int) -> float | None:
    """Pixel by pixel, over all images together."""
    both = either = 0
    for truth, prediction in pairs:
        for t, p in zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True):
            if t != 0:
                both += t == class_id and p == class_id
                either += t == class_id or p == class_id
    return both / either if either else None


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_figures_equal_a_slow_reference(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    pairs = {name: random_pair(seed + i) for i, name in enumerate("ab")}
    run = make_run(tmp_path_factory.mktemp("runs"), "one", pairs)
    found = compare(None, [run]).to_dict()
    assert found["split"] == "test"
    assert found["images"] == ["a", "b"]
    entry = found["runs"][0]
    assert entry["id"] == run.run_id
    for name, class_id in (("ER", 2), ("=nucleus", 3)):
        assert entry["pooled"]["iou"][name] == pytest.approx(
            slow_iou(list(pairs.values()), class_id)
        )
        iou = entry["pooled"]["iou"][name]
        assert entry["pooled"]["dice"][name] == pytest.approx(2 * iou / (1 + iou))
        for per_image in entry["per_image"]:
            wanted = slow_iou([pairs[per_image["image"]]], class_id)
            assert per_image["iou"][name] == pytest.approx(wanted)
    assert "background" not in entry["pooled"]["iou"]
    mean = sum(entry["pooled"]["iou"].values()) / 2
    assert entry["pooled"]["mean_iou"] == pytest.approx(mean)


def test_pooled_scores_use_the_images_all_runs_have(tmp_path: Path) -> None:
    one = make_run(tmp_path, "one", {n: random_pair(i) for i, n in enumerate("abc")})
    two = make_run(tmp_path, "two", {n: random_pair(i + 9) for i, n in enumerate("bc")})
    none = RunFolder.create(tmp_path, name="none", kind="train")
    found = compare(None, [one, two, none])
    assert found.images == ("a", "b", "c")
    assert found.common_images == ("b", "c")
    first, second, third = found.runs
    assert first.pooled is not None
    assert second.pooled is not None
    assert first.pooled.by_class["iou"]["ER"] == pytest.approx(
        slow_iou([random_pair(1), random_pair(2)], 2)
    )
    assert len(first.per_image) == 3
    assert second.missing == ("a",)
    assert third.pooled is None
    assert third.missing == ("a", "b", "c")
    text = " ".join(found.notes)
    assert "2 of 3 images all runs have" in text
    assert '"two" was not scored on 1 of 3 images' in text
    assert '"none" has no scores on the test split' in text
    assert third.to_dict()["pooled"] == {score: {} for score in PER_CLASS}


def test_leaks_are_named(tmp_path: Path) -> None:
    pairs = {"a": random_pair(1), "b": random_pair(2)}
    clean = make_run(tmp_path, "clean", pairs)
    leaky = make_run(tmp_path, "leaky", pairs, learnt=("sha-b",))
    found = compare(None, [clean, leaky])
    assert found.runs[0].leaked == ()
    assert found.runs[1].leaked == ("b",)
    assert [item.is_leaked for item in found.runs[1].per_image] == [False, True]
    assert any('"leaky" had seen b while learning' in note for note in found.notes)
    assert found.to_dict()["runs"][1]["leaked"] == ["b"]


def test_images_of_the_validation_split_are_no_leak_there(tmp_path: Path) -> None:
    run = make_run(tmp_path, "one", {"a": random_pair(1)}, split="validation")
    assert compare(None, [run], "validation").runs[0].leaked == ()
    assert compare(None, [run], "test").images == ()


def test_no_scores_at_all_says_what_to_do(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, name="none", kind="train")
    found = compare(None, [run])
    assert found.images == ()
    assert "Paint an image of that split" in found.notes[0]
    assert json.loads(json.dumps(found.to_dict()))["runs"][0]["per_image"] == []


class FakeProject:
    """What `compare` asks of a project file."""

    saved_state = ""
    unsaved_images: frozenset[str] = frozenset()

    def __init__(
        self,
        path: Path,
        names: dict[str, str],
        hashes: dict[str, str],
        objects: dict[str, str] | None = None,
    ) -> None:
        self.path = path
        self._hashes, self._objects = hashes, objects
        image = type("Image", (), {})
        self.project = type("Project", (), {})()
        self.project.classes = default_classes(["ER now", "nucleus"])
        self.project.images = {}
        for image_id, name in names.items():
            self.project.images[image_id] = image()
            self.project.images[image_id].name = name

    def annotation_stamp(self, image_id: str) -> str:
        return ""

    def mask_sha256(self, image_id: str) -> str:
        return self._hashes[image_id]

    def objects_sha256(self, image_id: str) -> str:
        assert self._objects is not None, "nobody needs to know"
        return self._objects[image_id]


def test_names_of_today_and_images_painted_anew(tmp_path: Path) -> None:
    path = tmp_path / "x.orgseg"
    run = make_run(tmp_path / "x.runs", "one", {"a": random_pair(1), "b": random_pair(2)})
    project = FakeProject(
        path, {"id-a": "renamed", "id-b": "b"}, {"id-a": "m", "id-b": "painted anew"}
    )
    found = compare(project, [run])  # type: ignore[arg-type]
    assert found.images == ("renamed", "b")
    assert found.classes == ("ER now", "nucleus")
    assert [item.is_outdated for item in found.runs[0].per_image] == [False, True]
    assert any("b changed after" in note for note in found.notes)


def test_scores_of_objects_that_are_others_now_are_marked(tmp_path: Path) -> None:
    pairs = {name: random_pair(n) for n, name in enumerate("abc")}
    run = make_run(tmp_path / "x.runs", "one", pairs)
    old = make_run(tmp_path / "x.runs", "of an older version", pairs)
    request, metrics = json.loads((run.path / "request.json").read_text()), run.metrics()
    assert metrics is not None
    for entry in request["images"]:
        entry["objects_sha256"] = "o"
    write_json(run.path / "request.json", request)
    for name in "ab":  # of the third no objects were scored
        image = next(i for i in metrics["images"] if i["image"] == name)
        image["objects"] = {"2": ObjectAgreement().to_dict()}
    write_json(run.metrics_path, metrics)
    runs = [RunFolder(run.path), old]
    ids = {f"id-{name}": name for name in "abc"}
    masks, objects = dict.fromkeys(ids, "m"), {"id-a": "o", "id-b": "p", "id-c": "p"}
    project = FakeProject(tmp_path / "x.orgseg", ids, masks, objects)
    one, other = compare(project, runs).runs  # type: ignore[arg-type]
    assert [item.is_outdated for item in one.per_image] == [False, True, False]
    assert not any(item.is_outdated for item in other.per_image)
    assert not any(item.is_outdated for item in compare(None, runs).runs[0].per_image)


def test_a_newer_scoring_replaces_the_runs_own_scores(tmp_path: Path) -> None:
    path = tmp_path / "x.orgseg"
    run = make_run(tmp_path / "x.runs", "one", {"a": random_pair(1)}, learnt=("sha-c",))
    pairs = {"a": random_pair(5), "c": random_pair(6)}
    make_run(
        tmp_path / "x.runs",
        "scores of one",
        pairs,
        kind="score",
        learnt=(),
        extra={"scored_run": run.run_id},
    )
    project = FakeProject(path, {}, {})
    found = compare(project, [run])  # type: ignore[arg-type]
    assert found.images == ("a", "c")
    assert found.runs[0].leaked == ("c",)
    assert found.runs[0].per_image[0].scores.by_class["iou"]["ER now"] == pytest.approx(
        slow_iou([pairs["a"]], 2)
    )


@pytest.mark.parametrize(
    "damage",
    [
        {"classes": "x"},
        {"classes": []},
        {"images": [{"image": "a"}]},
        {"images": [3]},
        {"images": [{"image_id": 1, "sha256": "", "split": "test", "confusion": [[1]]}]},
    ],
)
def test_damaged_metrics_are_as_good_as_none(tmp_path: Path, damage: dict[str, Any]) -> None:
    run = make_run(tmp_path, "one", {"a": random_pair(1)})
    metrics = run.metrics()
    assert metrics is not None
    write_json(run.metrics_path, metrics | damage)
    assert compare(None, [run]).runs[0].per_image == ()


def test_files(tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs", "=one", {"a": random_pair(1), "b": random_pair(2)})
    found = compare(None, [run])
    folder = tmp_path / "Ordner ü mit Leerzeichen"
    report = make_report(found, [run], baseline={"iou": 0.5})
    write_report(folder / "c.json", report)
    data = json.loads((folder / "c.json").read_text())
    assert data["baseline"] == {"iou": 0.5}
    assert data["runs"] == json.loads(json.dumps(found.to_dict()))["runs"]
    write_report(folder / "c.CSV", report)
    rows = list(csv.DictReader(io.StringIO((folder / "c.CSV").read_text())))
    assert len(rows) == 3 * 2
    assert {row["image"] for row in rows} == {"a", "b", "(pooled)"}
    assert rows[0]["run"] == "'=one"
    assert rows[1]["class"] == "'=nucleus"
    assert float(rows[0]["iou"]) == pytest.approx(slow_iou([random_pair(1)], 2), abs=1e-6)
    assert list(rows[0])[:4] == ["rank", "run", "id", "split"]
    assert list(rows[0])[4:8] == ["image", "image_id", "class", "iou"]
    with pytest.raises(RunError, match=r"\.json or \.csv"):
        write_report(folder / "c.pdf", report)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="could not be written"):
        write_report(tmp_path / "file" / "c.json", report)
    assert sorted(item.name for item in folder.iterdir()) == ["c.CSV", "c.json"]


# The threshold to beat


@settings(deadline=None)
@given(hnp.arrays(np.uint8, st.integers(2, 400), elements=st.integers(0, 255)))
def test_otsu_is_the_best_of_all_thresholds(values: np.ndarray) -> None:
    found = otsu_threshold(values)
    if values.min() == values.max():
        assert found == values[0]
        return

    def spread(threshold: float) -> float:
        low, high = values[values <= threshold], values[values > threshold]
        if not len(low) or not len(high):
            return -1.0
        return len(low) * len(high) * (float(low.mean()) - float(high.mean())) ** 2

    best = max(spread(t) for t in range(256))
    assert spread(found) == pytest.approx(best, rel=1e-9)


def test_otsu_on_floats_and_odd_values() -> None:
    values = np.concatenate([np.full(50, 0.1), np.full(50, 0.9)]).astype(np.float32)
    assert 0.1 <= otsu_threshold(values) < 0.9
    values[0] = np.nan
    values[1] = np.inf
    assert 0.1 <= otsu_threshold(values) < 0.9
    assert otsu_threshold(np.full(4, np.nan, np.float32)) == 0.0
    big = np.array([60_000] * 9 + [100] * 9, np.uint16)
    assert 100 <= otsu_threshold(big) < 60_000


@pytest.mark.parametrize("foreground", ["bright", "dark"])
def test_the_baseline_takes_the_better_side(foreground: str) -> None:
    rng = np.random.default_rng(0)
    truth = np.ones((1, 40, 40), np.uint8)
    truth[:, 10:20, 10:30] = 2
    truth[:, :5] = 0
    values = np.where(truth == 2, 200.0, 80.0) if foreground == "bright" else truth * 0 + 200.0
    if foreground == "dark":
        values = np.where(truth == 2, 80.0, 200.0)
    pixels = np.clip(values + rng.normal(0, 8, truth.shape), 0, 255).astype(np.uint8)[None]
    found = threshold_baseline([("a", pixels, truth)], default_classes(["ER"]))
    assert found["iou"]["ER"] == pytest.approx(1.0, abs=0.01)
    assert found["foreground"] == {"ER": foreground}
    assert found["per_image"][0]["iou"]["ER"] == found["iou"]["ER"]
    assert found["mean_iou"] == found["iou"]["ER"]


def test_the_baseline_without_images() -> None:
    found = threshold_baseline([], default_classes(["ER"]))
    assert found["iou"] == {}
    assert found["mean_iou"] is None
