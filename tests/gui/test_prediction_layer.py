"""What models say over the image being painted: chosen, shown, judged, asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from orgseg_app.files.predictions import Prediction, read_prediction, write_predictions
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.gui.canvas import difference
from orgseg_app.gui.canvas.prediction_layer import DifferenceOverlay
from orgseg_app.gui.panels.prediction_section import PredictionSection
from orgseg_app.gui.runs.predictions import numbered
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.folder import RunFolder, list_runs
from tests.e2e.hand import LEFT, Hand
from tests.gui.panel_session import nameless_controls
from tests.gui.recorded_runs import append_events, make_project, pretend_alive, record_run

SPLITS = ("train", "validation", "test", "test")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    path = tmp_path / "cells.orgseg"
    with make_project(path, class_names=("ER", "nucleus"), splits=SPLITS) as file:
        for name, quality in (("weak", 0.6), ("strong", 0.95)):
            record_run(file, name, quality=quality, seed=3)
    return path


@pytest.fixture
def hand(qapp: object) -> Iterator[Hand]:
    hand = Hand()
    yield hand
    hand.close()


def section(hand: Hand) -> PredictionSection:
    found = hand.parts.prediction_section
    assert isinstance(found, PredictionSection)
    return found


def start(hand: Hand, project: Path, image: str = "cell_03") -> str:
    """Open it, go to an image, and wait until it is known who has predicted what."""
    hand.open(project)
    predictions = hand.parts.predictions
    ids = {item.name: item.image_id for item in hand.images}
    hand.wait(lambda: len(predictions.runs_for(ids["cell_03"])) == 2, what="the predictions")
    hand.session.select_image(ids[image])
    hand.window.activateWindow()
    assert QTest.qWaitForWindowActive(hand.window)
    hand.parts.canvas.setFocus()
    return ids[image]


def values(hand: Hand, *, count: int) -> np.ndarray:
    """What the topmost of so many layers holds, once it has been read."""
    canvas = hand.parts.canvas
    hand.wait(lambda: len(canvas.painted_layers) == count, 5, f"{count} layers")
    everything = np.arange(96)
    layer = canvas.painted_layers[-1] if count == 1 else canvas.painted_layers[0]
    return layer.overlay.sample(layer.z, everything, everything)


def judged(hand: Hand) -> np.ndarray:
    """What the difference says; nothing else is painted then."""
    canvas = hand.parts.canvas
    hand.wait(lambda: isinstance(canvas.painted_layers[0].overlay, DifferenceOverlay), 5, "it")
    return values(hand, count=1)


def kept(hand: Hand, run: str, image_id: str) -> np.ndarray:
    path = next(e for e in hand.parts.runs.trainings() if e.name == run).run.predictions_path
    return read_prediction(path, image_id).mask[0]


def test_the_best_model_lies_over_the_image(hand: Hand, project: Path) -> None:
    image_id = start(hand, project)
    assert section(hand).isVisibleTo(hand.parts)
    assert len(hand.parts.canvas.painted_layers) == 1  # the mask; predictions are not in the way
    QTest.keyClick(hand.parts.canvas, Qt.Key.Key_V, Qt.KeyboardModifier.ShiftModifier)
    assert np.array_equal(values(hand, count=2), kept(hand, "strong", image_id))
    assert section(hand).run.currentText() == "strong"
    hand.rest()
    assert not section(hand).run.visibleRegion().isEmpty()  # scrolled to
    assert hand.window.actions_by_id["toggle_prediction"].isChecked()
    QTest.keyClick(hand.parts.canvas, Qt.Key.Key_V, Qt.KeyboardModifier.ShiftModifier)
    assert len(hand.parts.canvas.painted_layers) == 1


def test_another_model_is_chosen(hand: Hand, project: Path) -> None:
    image_id = start(hand, project)
    panel = section(hand)
    hand.action("toggle_prediction")
    panel.run.setFocus()
    QTest.keyClick(panel.run, Qt.Key.Key_Down)
    assert panel.run.currentText() == "weak"
    hand.wait(lambda: np.array_equal(values(hand, count=2), kept(hand, "weak", image_id)), 5)
    hand.session.select_image(hand.images[3].image_id)
    assert panel.run.currentText() == "weak"


def test_objects_are_numbered(hand: Hand, project: Path) -> None:
    image_id = start(hand, project)
    panel = section(hand)
    panel.header.setChecked(True)
    hand.rest()
    QTest.mouseClick(panel.form.button("objects"), LEFT)
    found = values(hand, count=2)
    mask = kept(hand, "strong", image_id)
    assert ((found > 0) == (mask > 1)).all()
    assert np.array_equal(found, numbered(mask))
    assert found.max() > 3


def test_connected_regions_against_a_slow_count() -> None:
    mask = np.random.default_rng(0).choice(np.array([0, 1, 2, 3], np.uint8), (24, 31))
    found = numbered(mask)
    expected = np.zeros(mask.shape, int)
    count = 0
    for y, x in np.ndindex(mask.shape):
        if mask[y, x] < 2 or expected[y, x]:
            continue
        count += 1
        todo = [(y, x)]
        while todo:
            a, b = todo.pop()
            inside = 0 <= a < mask.shape[0] and 0 <= b < mask.shape[1]
            if inside and mask[a, b] == mask[y, x] and not expected[a, b]:
                expected[a, b] = count
                todo += [(a + 1, b), (a - 1, b), (a, b + 1), (a, b - 1)]
    assert found.max() == count
    pairs = set(zip(found.ravel().tolist(), expected.ravel().tolist(), strict=True))
    assert len(pairs) == count + 1  # the same regions, whatever their numbers
    assert (0, 0) in pairs


def test_probabilities_of_a_class(hand: Hand, project: Path) -> None:
    with ProjectFile.open(project, read_only=True) as file:
        image_id = next(i.image_id for i in file.project.images.values() if i.name == "cell_03")
    runs = [run for run in list_runs(project) if run.name == "strong"]
    chances = np.random.default_rng(0).integers(0, 256, (3, 1, 96, 96)).astype("u1")
    path = runs[0].predictions_path
    mask = read_prediction(path, image_id).mask
    write_predictions(path, [Prediction(image_id, mask, chances, (1, 2, 3))])
    start(hand, project)
    panel = section(hand)
    panel.header.setChecked(True)
    hand.rest()
    QTest.mouseClick(panel.form.button("probability"), LEFT)
    assert np.array_equal(values(hand, count=2), chances[1, 0])  # of the class in the hand
    assert panel.of_class.currentText() == "ER"
    assert not panel.edges.isVisible()
    hand.session.select_class(3)
    hand.wait(lambda: np.array_equal(values(hand, count=2), chances[2, 0]), 5)
    panel.of_class.setFocus()
    QTest.keyClick(panel.of_class, Qt.Key.Key_Up)
    hand.wait(lambda: np.array_equal(values(hand, count=2), chances[1, 0]), 5)
    panel.run.setFocus()
    QTest.keyClick(panel.run, Qt.Key.Key_Down)
    assert panel.note.text() == "Only the mask of this prediction was kept."
    assert panel.predict.isVisible()
    assert len(hand.parts.canvas.painted_layers) == 1


def test_the_difference_follows_the_brush(hand: Hand, project: Path) -> None:
    image_id = start(hand, project)
    QTest.keyClick(hand.parts.canvas, Qt.Key.Key_D, Qt.KeyboardModifier.ShiftModifier)
    before = judged(hand)
    truth, guess = hand.session.mask(image_id).plane(0), kept(hand, "strong", image_id)
    assert np.array_equal(before, difference.difference(truth, guess))
    assert section(hand).difference.isChecked()
    hand.session.select_class(3)
    hand.window.tools.set_brush_size(30)
    hand.stroke()
    truth = hand.session.mask(image_id).plane(0)
    assert not np.array_equal(judged(hand), before)
    assert np.array_equal(judged(hand), difference.difference(truth, guess))
    hand.action("undo")
    assert np.array_equal(judged(hand), before)
    box = section(hand).difference
    QTest.mouseClick(box, LEFT, pos=QPoint(10, box.height() // 2))
    assert not hand.window.display.look("difference").visible


def test_unlabelled_voxels_and_what_was_not_predicted_are_not_judged(
    hand: Hand, project: Path
) -> None:
    image_id = start(hand, project)
    hand.action("toggle_difference")
    assert judged(hand).any()
    hand.action("clear_plane")
    assert not judged(hand).any()
    assert (hand.session.mask(image_id).plane(0) == 0).all()


def test_where_no_model_has_predicted_it_is_said_and_offered(hand: Hand, project: Path) -> None:
    start(hand, project, "cell_01")
    panel = section(hand)
    hand.said.clear()
    hand.action("toggle_prediction")
    hand.heard("info", "No model has predicted this image yet", "Predict")
    assert not hand.window.display.look("prediction").visible
    assert panel.note.text() == "No model has predicted this image yet."
    assert panel.predict.isVisibleTo(panel)
    assert not panel.form.isVisibleTo(panel)
    asked: list[str] = []
    panel.predict_requested.disconnect()
    panel.predict_requested.connect(asked.append)
    hand.rest()
    QTest.mouseClick(panel.predict, LEFT)
    best = next(e for e in hand.parts.runs.trainings() if e.name == "strong")
    assert asked == [best.run_id]


def test_a_prediction_that_was_asked_for_is_seen_and_paints_nothing(
    hand: Hand, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_id = start(hand, project, "cell_01")
    panel, thread = section(hand), hand.parts.thread_
    panel.header.setChecked(True)
    hand.rest()
    started: list[RunFolder] = []
    monkeypatch.setattr(thread, "start_run", started.append)
    before = hand.session.mask(image_id).to_array()
    QTest.mouseClick(panel.predict, LEFT)
    hand.wait(lambda: started, 10, "the job")
    job = started[0]
    pretend_alive(job)
    append_events(job, {"event": "state", "state": "running"})
    thread.refresh()
    hand.wait(lambda: panel.note.text() == "A model is looking at this image…", 10)
    assert not panel.predict.isEnabled()
    guess = np.full((1, 96, 96), 3, np.uint8)
    write_predictions(job.predictions_path, [Prediction(image_id, guess)])
    append_events(job, {"event": "finished", "message": "1 image predicted.", "run": job.run_id})
    job.process_path.unlink()
    assert (values(hand, count=2) == 3).all()
    assert np.array_equal(hand.session.mask(image_id).to_array(), before)
    assert hand.window.display.look("prediction").visible


def test_a_prediction_of_the_whole_image_counts_more(hand: Hand, project: Path) -> None:
    """A job that predicted the image comes before the scoring, which has painted planes only."""
    image_id = start(hand, project)
    best = next(e for e in hand.parts.runs.trainings() if e.name == "strong")
    job = RunFolder.create(
        best.run.path.parent,
        name="prediction",
        kind="predict",
        project_uuid=hand.session.project.uuid,
        extra={"models": [str(best.run.best_path)], "image_ids": [image_id]},
    )
    other = np.full((1, 96, 96), 2, np.uint8)
    write_predictions(job.predictions_path, [Prediction(image_id, other)])
    with EventWriter(job.events_path) as events:
        events.write("finished", message="1 image predicted.", run=job.run_id)
    hand.action("toggle_prediction")
    hand.parts.thread_.refresh()
    hand.wait(lambda: (values(hand, count=2) == 2).all(), 10, "the job's prediction")


def test_a_damaged_file_is_said_in_a_sentence(hand: Hand, project: Path) -> None:
    image_id = start(hand, project)
    panel = section(hand)
    panel.header.setChecked(True)
    best = next(e for e in hand.parts.runs.trainings() if e.name == "strong")
    by = hand.parts.predictions.predicted_by(best.run_id, image_id)
    assert by is not None
    best.run.predictions_path.write_bytes(b"not what it was")
    hand.action("toggle_prediction")
    hand.wait(panel.note.isVisible, 5, "what is wrong")
    assert "predictions.h5" in panel.note.text()
    assert panel.note.text().endswith(".")
    assert len(hand.parts.canvas.painted_layers) == 1


def test_probabilities_of_another_size_are_not_painted(hand: Hand, project: Path) -> None:
    run = next(run for run in list_runs(project) if run.name == "strong")
    with h5py.File(run.predictions_path, "r+") as file:
        for group in file["predictions"].values():
            group["probability"] = np.zeros((3, 1, 9, 9), np.uint8)
    start(hand, project)
    section(hand).header.setChecked(True)
    hand.window.display.choose_prediction(form="probability")
    hand.action("toggle_prediction")
    hand.wait(lambda: "another size" in section(hand).note.text(), 5, "what is wrong")
    assert len(hand.parts.canvas.painted_layers) == 1


def test_a_project_without_models_has_no_such_section(hand: Hand, tmp_path: Path) -> None:
    path = tmp_path / "new.orgseg"
    make_project(path).close()
    hand.open(path)
    hand.wait(lambda: hand.parts.predictions.is_known, 5)
    assert not section(hand).isVisibleTo(hand.parts)
    hand.said.clear()
    hand.action("toggle_difference")
    hand.heard("info", "no trained model yet")


def test_it_is_found_again_as_it_was_left(hand: Hand, project: Path) -> None:
    start(hand, project)
    panel = section(hand)
    panel.run.setFocus()
    QTest.keyClick(panel.run, Qt.Key.Key_Down)
    hand.window.display.choose_prediction(form="objects")
    hand.window.display.set_look("prediction", opacity=0.8)
    hand.window.commands.close_project()
    again = Hand()
    start(again, project)
    look = again.window.display.look("prediction")
    assert (look.visible, look.opacity) == (True, 0.8)
    assert section(again).run.currentText() == "weak"
    assert section(again).form.value() == "objects"
    values(again, count=2)
    again.close()


def test_every_control_is_named(hand: Hand, project: Path) -> None:
    start(hand, project)
    section(hand).header.setChecked(True)
    assert nameless_controls(section(hand)) == []
