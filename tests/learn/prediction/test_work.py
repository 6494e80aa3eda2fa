"""A prediction that is ended goes on where it was, and the mask is the same to the byte."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from orgseg_app.core.image import OpenedImage, open_array
from orgseg_app.files import export
from orgseg_app.learn.checkpoint import Model
from orgseg_app.learn.device import cpu_device
from orgseg_app.learn.errors import DataError, StopRequestedError
from orgseg_app.learn.prediction import scratch, work
from orgseg_app.learn.prediction.batch import (
    BatchRequest,
    BatchResult,
    predict_files,
    predict_opened,
)
from orgseg_app.learn.prediction.predictor import Predictor
from orgseg_app.learn.prediction.work import work_folder
from tests.benchmarks import gigavoxels
from tests.learn.prediction.test_predictor import model_of, picture
from tests.learn.prediction.test_volumes import neighbours, small


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work.atomic, "sync", lambda descriptor: None)
    monkeypatch.setattr(work.atomic, "sync_folder", lambda folder: None)
    monkeypatch.setattr(work, "_RECORD_EVERY_S", 0.0)


Steps = list[tuple[int, int]]


def together(*models: Model) -> list[Model]:
    return [Model(m.network, m.recipe, models[0].classes, 1, name=m.name) for m in models]


def volume_predictor() -> Predictor:
    return Predictor([small()], cpu_device(), tile=20)


KINDS: dict[str, Callable[[], Predictor]] = {
    "volumes": volume_predictor,
    "planes": lambda: Predictor([neighbours(3)], cpu_device(), tile=32),
    "mixed": lambda: Predictor(together(small(), model_of(1)), cpu_device(), tile=20),
    "deepest": lambda: Predictor(
        [small(patch_size=32, patch_depth=8)], cpu_device(), stitch="deepest"
    ),
    "three planes": lambda: Predictor([model_of(1)], cpu_device(), three_planes=True),
}


def opened() -> OpenedImage:
    return open_array("v", picture((30, 60, 50)), pixel_size_um=(0.04, 0.01, 0.01))


def predict(predictor: Predictor, out: Path, steps: Steps, **more: Any) -> bytes:
    out.mkdir(exist_ok=True)
    predict_opened(
        predictor,
        opened(),
        {"tiff": out / "v.tif"},
        work=work_folder(out, "v"),
        facts=more.pop("facts", {"image": "v"}),
        overwrite=True,
        progress=lambda *step: steps.append(step),
        **more,
    )
    assert [f.name for f in out.iterdir()] == ["v.tif"]  # nothing is left
    return (out / "v.tif").read_bytes()


def ended(predictor: Predictor, out: Path, after: int, **more: Any) -> None:
    """A prediction that is stopped before tile number `after`."""
    left = iter([False] * after)
    with pytest.raises(StopRequestedError):
        predict(predictor, out, [], should_stop=lambda: next(left, True), **more)


@pytest.mark.parametrize("kind", KINDS)
def test_it_goes_on_wherever_it_was_ended(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "_ROOM_BYTES", 0)
    make = KINDS[kind]
    steps: Steps = []
    asked: list[bool] = []
    expected = predict(
        make(), tmp_path / "whole", steps, should_stop=lambda: bool(asked.append(False))
    )
    total = len(steps)
    for number, part in enumerate((0.5, 0.85)):
        out = tmp_path / str(number)
        ended(make(), out, int(part * len(asked)))
        assert work_folder(out, "v").is_dir()
        assert not (out / "v.tif").exists()
        again: Steps = []
        assert predict(make(), out, again, resume=True) == expected
        assert len(again) < total * (1.3 - part)  # what was done was not done again


def test_a_killed_process_goes_on(tmp_path: Path) -> None:
    """Three processes, two of them killed: the benchmark with a small volume."""
    if not hasattr(signal, "SIGKILL") or not os.path.exists("/proc/self/status"):
        pytest.skip("the child measures itself by /proc")
    shape = (96, 40, 40)
    killed = gigavoxels.killed_and_resumed(tmp_path / "killed", shape, lambda text: None)
    assert gigavoxels.undisturbed(tmp_path / "whole", shape)["mask"] == killed["mask"]
    assert tifffile.imread(tmp_path / "killed" / "volume.tif").max() == 1


@pytest.mark.parametrize("what", ["image", "model", "way", "not resumed", "damaged"])
def test_what_was_begun_with_something_else_is_begun_anew(what: str, tmp_path: Path) -> None:
    begun = {"facts": {"image": "another"}} if what == "image" else {}
    other = Predictor([small(7)], cpu_device(), tile=20) if what == "model" else volume_predictor()
    if what == "way":
        other = Predictor([small()], cpu_device(), tile=20, turns=True)
    expected = predict(volume_predictor(), tmp_path / "whole", [])
    out = tmp_path / "out"
    ended(other, out, 150, **begun)
    if what == "damaged":
        (work_folder(out, "v") / "record.json").write_text("{", encoding="utf-8")
    steps: Steps = []
    assert predict(volume_predictor(), out, steps, resume=what != "not resumed") == expected
    assert steps[0][1] == len(steps)  # all of it


def test_smaller_tiles_are_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory was short before the end: what goes on has to lay its tiles likewise."""
    real, calls = Predictor._probabilities, iter(range(10**6))

    def short(self: Predictor, *args: Any) -> Any:
        if next(calls) == 10:
            raise MemoryError
        return real(self, *args)

    monkeypatch.setattr(Predictor, "_probabilities", short)
    asked: list[bool] = []
    expected = predict(
        volume_predictor(),
        tmp_path / "whole",
        [],
        should_stop=lambda: bool(asked.append(False)),
    )
    assert next(calls) > 10
    calls = iter(range(10**6))
    out = tmp_path / "out"
    ended(volume_predictor(), out, len(asked) - 5)
    assert next(calls) > 10
    assert predict(volume_predictor(), out, [], resume=True) == expected


def batch(out: Path, source: Path, **more: Any) -> BatchResult:
    request = BatchRequest((source,), out, ("tiff", "png"), **more)
    return predict_files(
        Predictor([small(classes=3)]),
        request,
        tell=lambda *_, **__: None,
        should_stop=lambda: False,
    )


def test_objects_of_a_volume(tmp_path: Path) -> None:
    """The table and the image of numbers say what the mask says."""
    from scipy import ndimage

    source, out = tmp_path / "v.tif", tmp_path / "out"
    tifffile.imwrite(
        source,
        picture((6, 30, 40)),
        imagej=True,
        resolution=(10.0, 10.0),
        metadata={"axes": "ZYX", "unit": "um", "spacing": 0.4},
    )
    out.mkdir()
    assert batch(out, source, objects=True).problems == []
    mask, numbers = tifffile.imread(out / "v.tif"), tifffile.imread(out / "v_objects.tif")
    lines = (out / "v_objects.csv").read_text(encoding="utf-8").splitlines()
    rows = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
    found = [ndimage.label(mask == value, np.ones((3, 3, 3))) for value in (1, 2)]
    assert len(rows) == sum(count for _, count in found) == numbers.max() > 3
    for row in rows:
        inside = numbers == int(row["object"])
        assert int(row["voxels"]) == inside.sum()
        assert float(row["volume_um3"]) == pytest.approx(inside.sum() * 0.4 * 0.1 * 0.1)
        (value,) = np.unique(mask[inside])
        assert row["class"] == f"c{value - 1}"
        label = found[value - 1][0]
        (own,) = np.unique(label[inside])
        assert np.array_equal(label == own, inside)
        z, y, x = np.nonzero(inside)
        assert float(row["centroid_y"]) == pytest.approx(y.mean(), abs=1e-3)
        assert (int(row["z_from"]), int(row["z_to"])) == (z.min(), z.max())
        assert (int(row["x_from"]), int(row["x_to"])) == (x.min(), x.max())
    assert batch(out, source, objects=True, resume=True).skipped == 1
    (out / "v_objects.csv").unlink()
    assert batch(out, source, objects=True, resume=True).written == 1
    assert "already" in batch(out, source, objects=True).problems[0]


def test_a_full_disk_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(work.atomic, "sync", full)
    with pytest.raises(DataError, match="disk is full"):
        predict(volume_predictor(), tmp_path / "out", [])


def test_masks_above_four_gigabytes_become_big_tiffs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "_CLASSIC_BYTES", 1000)
    mask = np.random.default_rng(0).integers(1, 3, (4, 20, 30)).astype(np.uint8)
    path = tmp_path / "m.tif"
    export.write_mask_planes(
        path, iter(mask), (4, 20, 30), "tiff", model_of().classes, (0.4, 0.1, 0.1)
    )
    with tifffile.TiffFile(path) as file:
        assert file.is_bigtiff
        assert file.is_ome
        assert 'PhysicalSizeZ="0.4"' in (file.ome_metadata or "")
        assert np.array_equal(file.asarray(), mask - 1)
