"""Training, comparing and exporting what cannot be: one sentence each, and the window goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tifffile

from orgseg_app.runs.folder import RunFolder, list_runs, runs_dir
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.settings import with_settings
from tests.e2e.hand import Hand, check_sentence, make_project
from tests.gui import recorded_runs
from tests.pictures import TINY

pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize(
    "facts, words",
    [
        ({"painted": ()}, "Nothing is painted yet"),
        ({"values": (2, 2)}, "Only one class is painted"),
        ({"splits": ("test",)}, "no painted image is in the training split"),
        ({"channels": (1, 3, 1)}, "different numbers of channels"),
        ({"count": 0}, "no images yet"),
    ],
)
def test_what_cannot_be_trained_on(
    hand: Hand, folder: Path, facts: dict[str, Any], words: str
) -> None:
    path = make_project(folder / "Projekt ü.orgseg", **facts)
    hand.open(path)
    hand.window.show_workspace("train")
    training = hand.parts.training
    hand.wait(lambda: words in training.problem.text(), 5, words)
    check_sentence(training.problem.text())
    assert training.problem.isVisible()
    assert not training.button.isEnabled()
    hand.action("train")
    hand.quiet()
    hand.parts.runs.train(PRESETS["fast"], "trotzdem ü")
    hand.settle()
    hand.heard("error", words)
    assert list_runs(path) == []
    assert not training.button.isEnabled()
    if hand.images:
        hand.goes_on()


def tiny(*more: str) -> Any:
    return with_settings(PRESETS["fast"], [*TINY, *more])


@pytest.mark.slow
def test_without_a_test_image_and_with_a_folder_that_vanishes(hand: Hand, folder: Path) -> None:
    path = make_project(folder / "Projekt ü.orgseg", splits=("train",))
    hand.open(path)
    runs = hand.parts.runs
    hand.window.show_workspace("train")
    hand.said.clear()
    runs.train(tiny(), "ohne Test ü")
    hand.wait(lambda: runs.trainings(), 40, "the run")
    run_id = runs.trainings()[0].run_id
    hand.wait(lambda: runs.get(run_id).state == "finished", 90, "the end")
    hand.rest(0.2)
    warnings = [text for level, text in hand.said if level == "warning"]
    assert [w for w in warnings if "No painted image is in the test split" in w]
    assert [text for level, text in hand.said if level == "error"] == []
    assert runs.get(run_id).has_model
    hand.window.show_workspace("compare")
    hand.settle()
    hand.said.clear()

    shutil.rmtree(runs.get(run_id).run.path)
    hand.wait(lambda: runs.get(run_id) is None, 20, "the list")
    hand.rest(0.3)
    hand.settle()
    hand.heard("warning", "ohne Test ü", "gone")

    hand.window.show_workspace("train")
    runs.train(tiny("steps=100000", "validate_every=50"), "läuft ü")
    hand.wait(lambda: [r for r in runs.trainings() if r.step > 2], 60, "steps")
    running = runs.trainings()[0]
    pid = json.loads(running.run.process_path.read_text())["pid"]
    hand.said.clear()
    remove(running.run.path)
    hand.wait(lambda: not runs.active(), 30, "the list")
    hand.wait(lambda: not psutil.pid_exists(pid) or is_over(pid), 60, "the job's end")
    hand.rest(1.3)
    hand.settle()
    hand.heard("warning", "läuft ü", "gone")
    assert not hand.parts.run_strip.isVisible()
    hand.goes_on()


def remove(folder: Path) -> None:
    """Delete it, though its job may write another file while it is being emptied."""
    for _ in range(100):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
    raise AssertionError(f"{folder} is still there")


def is_over(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


# Recorded runs


@pytest.fixture
def compared(hand: Hand, folder: Path) -> tuple[Path, list[RunFolder]]:
    """A project with three finished runs, open in Compare."""
    path = folder / "Vergleich ü.orgseg"
    with recorded_runs.make_project(path, side=48) as file:
        runs = [
            recorded_runs.record_run(file, f"lauf ü {i}", quality=0.9 - 0.1 * i, steps=40, seed=i)
            for i in range(3)
        ]
    hand.open(path)
    hand.wait(lambda: len(hand.parts.runs.trainings()) == 3, 10, "the runs")
    return path, runs


def show_comparison(hand: Hand) -> Any:
    results = hand.parts.results
    hand.window.show_workspace("compare")
    hand.wait(lambda: results.results.rows and not results.is_gathering, 10, "the scores")
    hand.rest(0.3)
    hand.settle()
    return results


def broken_request(run: RunFolder) -> None:
    (run.path / "request.json").write_text('{"format": "orgseg-run", "run":')


def request_of_wrong_types(run: RunFolder) -> None:
    facts = json.loads((run.path / "request.json").read_text())
    facts |= {"schema_version": "x", "name": ["a"], "recipe": 7, "classes": 3, "images": "none"}
    (run.path / "request.json").write_text(json.dumps(facts))


def odd_facts(run: RunFolder) -> None:
    facts = json.loads((run.path / "request.json").read_text())
    facts |= {"name": {"a": 1}, "recipe": {"name": 5}, "classes": 3, "images": "none"}
    facts |= {"created": "yesterday", "warnings": 9, "project_uuid": None}
    (run.path / "request.json").write_text(json.dumps(facts))


def garbage_events(run: RunFolder) -> None:
    lines = [
        b"\xff\xfe\x00garbage",
        b"[1, 2]",
        b"null",
        b'{"event": 5}',
        b'{"event": "step", "step": "viele", "loss": "NaN"}',
        b'{"event": "step", "step": 1e400, "loss": Infinity}',
        b'{"event": "validation", "step": 4, "iou": [1, 2], "mean_iou": {}}',
        b'{"event": "validation", "step": 5, "iou": {"2": "x", "y": 1}, "best": "no"}',
        b'{"event": "started", "images": 3, "steps": null, "time": "now", "device": {}}',
        b'{"event": "progress", "done": "1", "total": -1, "item": 3}',
        b'{"event": "message", "text": {"a": "<b>x</b>"}}',
        b'{"event": "finished", "message": ["x"], "run": 4}',
        b'{"event": "fin',
    ]
    run.events_path.write_bytes(b"\n".join(lines))


def garbage_metrics(run: RunFolder) -> None:
    run.metrics_path.write_bytes(np.random.default_rng(0).bytes(3000))


def metrics_of_wrong_types(run: RunFolder) -> None:
    facts = json.loads(run.metrics_path.read_text())
    facts["images"][0] = "x"
    facts["images"][1] = facts["images"][1] | {"confusion": [["a", 1], [2]], "split": 4}
    facts["images"][2] = facts["images"][2] | {"confusion": [[1e30, -1], [2, 3]], "image_id": None}
    facts["classes"], facts["test"] = {"a": 1}, [3]
    facts["seconds"] = "long"
    run.metrics_path.write_text(json.dumps(facts))


@pytest.mark.parametrize(
    "spoil",
    [
        broken_request,
        request_of_wrong_types,
        odd_facts,
        garbage_events,
        garbage_metrics,
        metrics_of_wrong_types,
    ],
)
def test_a_run_folder_with_garbage(
    hand: Hand, folder: Path, spoil: Callable[[RunFolder], None]
) -> None:
    path = folder / "Vergleich ü.orgseg"
    with recorded_runs.make_project(path, side=48) as file:
        runs = [
            recorded_runs.record_run(file, f"lauf ü {i}", quality=0.9, steps=40, seed=i)
            for i in range(3)
        ]
    spoil(runs[1])
    (runs_dir(path) / "leer").mkdir()
    (runs_dir(path) / "eine Datei").write_text("mine")
    hand.open(path)
    hand.wait(lambda: len(hand.parts.runs.trainings()) >= 2, 10, "the runs")
    hand.window.show_workspace("train")
    hand.rest(0.5)
    results = show_comparison(hand)
    names = {row.name for row in results.results.rows if row.images}
    assert {"lauf ü 0", "lauf ü 2"} <= names
    for level, text in hand.said:
        assert level != "error", text
        check_sentence(text)
    hand.said.clear()
    hand.goes_on()


def test_predictions_deleted_and_then_compared(
    hand: Hand, compared: tuple[Path, list[RunFolder]]
) -> None:
    _, runs = compared
    runs[0].predictions_path.unlink()
    runs[1].predictions_path.write_bytes(b"garbage")
    results = show_comparison(hand)
    hand.quiet()
    assert {row.name for row in results.results.rows if row.images} == {
        "lauf ü 0",
        "lauf ü 1",
        "lauf ü 2",
    }
    from PySide6.QtWidgets import QLabel

    shown = [w.text() for w in results.pages.panes.findChildren(QLabel) if w.isVisible()]
    assert any("kept no predictions" in text for text in shown), shown
    hand.goes_on()


def test_the_runs_folder_deleted_while_compared(
    hand: Hand, compared: tuple[Path, list[RunFolder]]
) -> None:
    path, _ = compared
    results = show_comparison(hand)
    hand.said.clear()
    shutil.rmtree(runs_dir(path))
    hand.wait(lambda: not hand.parts.runs.trainings(), 5, "the list")
    hand.wait(lambda: not results.results.rows, 5, "the table")
    hand.rest(0.3)
    hand.settle()
    hand.heard("warning", "3 runs", "gone")
    hand.action("save_comparison")
    hand.action("score_runs")
    hand.action("predict_image")
    hand.action("stop_run")
    hand.said.clear()
    hand.goes_on()


def test_asking_a_run_that_has_just_gone(
    hand: Hand, compared: tuple[Path, list[RunFolder]]
) -> None:
    path, runs = compared
    model = hand.parts.runs
    hand.said.clear()
    shutil.rmtree(runs[0].path)
    model.score([runs[0].run_id])

    def answered(words: str) -> None:
        hand.wait(lambda: any(level == "error" for level, _ in hand.said), 5, "a word")
        # The list may have noticed by itself meanwhile.
        hand.said[:] = [(level, text) for level, text in hand.said if "is gone, and" not in text]
        hand.heard("error", words)

    answered("has no model yet")
    assert not model.rename(runs[0].run_id, "anders ü")
    answered("could not be renamed")
    model.delete([runs[0].run_id])
    hand.rest(0.3)
    for level, text in hand.said:
        assert level in ("warning", "error")
        check_sentence(text)
    assert len(hand.said) <= 2
    hand.said.clear()
    hand.goes_on()
    assert len(list_runs(path)) >= 2


# Export


def ask_export(hand: Hand, out: Path, **more: Any) -> None:
    """Export painted masks from the panel, as far as it lets one; else from behind it."""
    hand.window.show_workspace("export")
    export = hand.parts.export
    hand.rest(0.2)
    hand.settle()
    export.folder.setText(str(out))
    export.folder.textEdited.emit(str(out))
    hand.rest(0.3)
    hand.settle()
    if export.button.isEnabled() and not more:
        export.button.click()
    else:
        request = {"out": out, "formats": ("tiff",), "overwrite": False}
        hand.window.commands.exporting.export_masks(request | more)
    hand.rest(0.1)
    hand.settle()


def test_exports_to_where_nothing_can_be_written(hand: Hand, folder: Path) -> None:
    hand.open(make_project(folder / "Projekt ü.orgseg"))
    hand.said.clear()
    blocked = folder / "eine Datei ü"
    blocked.write_text("mine")
    for out in (blocked, blocked / "darin", Path("/proc/orgseg ü"), Path("/dev/null")):
        if not out.anchor or not Path(out.anchor, out.parts[1]).exists():
            continue
        ask_export(hand, out)
        hand.heard("error")
    assert blocked.read_text() == "mine"
    hand.goes_on()


def test_exports_onto_files_that_are_there(hand: Hand, folder: Path) -> None:
    hand.open(make_project(folder / "Projekt ü.orgseg"))
    out = folder / "Masken ü"
    hand.said.clear()
    ask_export(hand, out)
    hand.quiet()
    assert len(list(out.iterdir())) == 3
    first = next(iter(out.iterdir()))
    first.write_bytes(b"mine")
    ask_export(hand, out)
    hand.heard("error", "zelle ü")
    assert first.read_bytes() == b"mine"
    assert len(list(out.iterdir())) == 3
    ask_export(hand, out, overwrite=True)
    hand.quiet()
    assert tifffile.imread(first).shape == (48, 48)
    shutil.rmtree(out)
    out.mkdir()
    (out / first.name).mkdir()
    ask_export(hand, out, overwrite=True)
    hand.heard("error")
    hand.goes_on()


def test_exports_of_images_with_impossible_names(hand: Hand, folder: Path) -> None:
    hand.open(make_project(folder / "Projekt ü.orgseg"))
    for image, name in zip(hand.images, ("../../weg", "CON", "a/b\\c:d*?<x>" * 20), strict=True):
        hand.session.rename_image(image.image_id, name)
    out = folder / "Masken ü"
    hand.said.clear()
    ask_export(hand, out)
    hand.quiet()
    assert len(list(out.iterdir())) == 3
    assert {p.name for p in folder.iterdir()} <= {
        "Projekt ü.orgseg",
        "Projekt ü.orgseg.lock",
        "Projekt ü.orgseg-journal",
        "Projekt ü.orgseg-journal-wal",
        "Projekt ü.backups",  # the first is made soon after opening
        "Masken ü",
    }
    hand.goes_on()
