"""The Export workspace, from an empty project to masks on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QDropEvent
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.core.edits.whole import ReplaceMask
from orgseg_app.files.export import MASK_FORMATS
from orgseg_app.files.png import encode_png
from orgseg_app.files.project_export import export_masks
from orgseg_app.gui.background import Task
from orgseg_app.gui.panels.export_formats import example
from orgseg_app.gui.panels.export_panel import IMAGES, MASKS, REPLACE, ExportPanel
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.runs.training_thread import TrainingThread
from orgseg_app.gui.session import Session
from orgseg_app.runs.folder import RunFolder, runs_dir
from tests.gui.panel_session import nameless_controls
from tests.gui.recorded_runs import append_events, make_project, pretend_alive, record_run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Three painted images, and two trainings, the second the better one."""
    with make_project(tmp_path / "cells.orgseg", splits=("train", "train", "test")) as file:
        record_run(file, "fast", quality=0.6, created=1e9)
        record_run(file, "best", quality=0.9, created=1e9 + 1, seed=1)
        file.save()
    return tmp_path / "cells.orgseg"


@pytest.fixture
def session(qtbot: QtBot) -> Iterator[Session]:
    session = Session()
    yield session
    session.close_project()


@pytest.fixture
def runs(session: Session) -> Iterator[RunsModel]:
    thread = TrainingThread()
    runs = RunsModel(session, thread)
    thread.start()
    yield runs
    thread.stop()
    assert thread.wait(5000)


@pytest.fixture
def panel(session: Session, runs: RunsModel, qtbot: QtBot) -> ExportPanel:
    panel = ExportPanel(session, runs)
    qtbot.addWidget(panel)
    panel.resize(296, 800)
    panel.show()
    return panel


@pytest.fixture
def opened(panel: ExportPanel, project: Path, qtbot: QtBot) -> ExportPanel:
    """The panel with the project's runs listed and its paint counted."""
    panel.session.open_project(project)
    qtbot.waitUntil(lambda: len(panel.models.rows) == 2)
    qtbot.waitUntil(lambda: panel.painted.images is not None)
    return panel


@pytest.fixture
def new_images(tmp_path: Path) -> Path:
    folder = tmp_path / "new cells"
    folder.mkdir()
    for number in range(4):
        pixels = np.full((8, 8), number, np.uint8)
        (folder / f"cell_{number}.png").write_bytes(encode_png(pixels))
    (folder / "notes.txt").write_text("no image")
    return folder


# -- painted masks --------------------------------------------------------------------------------


def test_nothing_painted_says_what_to_do(
    panel: ExportPanel, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    session.create_project(tmp_path / "empty.orgseg", default_classes(["ER"]))
    qtbot.waitUntil(panel.nothing_painted.isVisible)
    assert not panel.button.isVisible()
    assert not panel.output.isVisible()
    with qtbot.waitSignal(panel.annotate_requested):
        panel.nothing_painted.button.click()


def test_the_button_says_how_many_and_asks_for_them(opened: ExportPanel, qtbot: QtBot) -> None:
    assert opened.button.text() == "Export 3 masks"
    assert opened.summary.text() == "All 3 images are painted."
    opened.formats.cards["png"].click()
    with qtbot.waitSignal(opened.export_masks_requested) as asked:
        opened.button.click()
    path = opened.session.path
    assert path is not None
    assert asked.args[0] == {
        "out": path.parent / "cells masks",
        "formats": ["tiff", "png"],
        "overwrite": False,
    }


def test_what_is_painted_now_counts(opened: ExportPanel, qtbot: QtBot) -> None:
    mask = np.zeros(opened.session.mask().shape, np.uint8)
    opened.session.apply(ReplaceMask(mask, "clear"))
    qtbot.waitUntil(lambda: opened.button.text() == "Export 2 masks")
    assert opened.summary.text() == "2 of 3 images are painted."
    opened.session.undo()
    qtbot.waitUntil(lambda: opened.button.text() == "Export 3 masks")


def test_masks_that_are_there_are_never_replaced_unasked(opened: ExportPanel, qtbot: QtBot) -> None:
    out = opened.out()
    assert out is not None
    out.mkdir()
    (out / "cell_02.tif").write_bytes(b"mine")
    opened.painted.look_again()
    qtbot.waitUntil(lambda: not opened.button.isEnabled())
    assert opened.reason.text().startswith("1 of these masks is in this folder already.")
    opened.existing.button(REPLACE).click()
    assert opened.button.isEnabled()
    assert opened.existing_words.text() == "1 mask in the folder will be replaced."
    with qtbot.waitSignal(opened.export_masks_requested) as asked:
        opened.button.click()
    assert asked.args[0]["overwrite"] is True


def test_without_format_or_folder_the_button_says_what_is_missing(opened: ExportPanel) -> None:
    opened.formats.cards["tiff"].click()
    assert not opened.button.isEnabled()
    assert opened.reason.text() == "Choose at least one format."
    opened.formats.cards["png"].click()
    assert opened.button.isEnabled()
    opened.folder.selectAll()
    opened.folder.del_()
    assert opened.reason.text() == "Choose a folder for the masks."
    assert not opened.button.isEnabled()


def test_an_export_is_followed_to_its_end(
    opened: ExportPanel, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def export(asked: dict[str, Any]) -> None:
        file = opened.session.file
        assert file is not None
        opened.follow_task(
            opened.session.background.start(
                "Exporting",
                lambda task: export_masks(
                    file, asked["out"], formats=asked["formats"], progress=task.report
                ),
            )
        )

    opened.export_masks_requested.connect(export)
    opened.button.click()
    assert opened.progress.isVisible()
    qtbot.waitUntil(opened.progress.ended.isVisible)
    assert opened.progress.outcome.text() == "3 masks written to “cells masks”."
    out = opened.out()
    assert out is not None
    assert sorted(p.name for p in out.iterdir()) == ["cell_01.tif", "cell_02.tif", "cell_03.tif"]
    seen: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: bool(seen.append(url)))
    opened.progress.open_button.click()
    assert [Path(url.toLocalFile()) for url in seen] == [out]
    qtbot.waitUntil(lambda: not opened.button.isEnabled())  # they are there now
    opened.progress.close_button.click()
    assert not opened.progress.isVisible()


def test_progress_counts_images_and_can_be_cancelled(opened: ExportPanel) -> None:
    task = Task("Exporting")
    opened.follow_task(task)
    task.report(2, 7, "cell_03")
    assert opened.progress.count.text() == "3 of 7"
    assert opened.progress.item.whole_text() == "cell_03"
    assert not opened.button.isEnabled()
    task.report(1, 7, "late")
    assert opened.progress.bar.value() == 2
    opened.progress.cancel_button.click()
    assert task.is_cancelled
    assert not opened.progress.cancel_button.isEnabled()
    task.succeeded.emit([Path("/data/out/a.tif"), Path("/data/out/b.tif")])
    text = opened.progress.outcome.text()
    assert text == "Cancelled. 2 files written to “out”, whole."
    assert opened.button.isEnabled()


def test_a_failure_is_said(opened: ExportPanel) -> None:
    task = Task("Exporting")
    opened.follow_task(task)
    task.failed.emit(OSError("The disk is full. Nothing was overwritten; choose another folder."))
    assert opened.progress.outcome.text().startswith("The disk is full.")
    assert not opened.progress.open_button.isVisible()


def test_an_export_that_was_over_before_it_was_followed_is_followed_nevertheless(
    opened: ExportPanel, qtbot: QtBot
) -> None:
    file = Path("/data/out/a.tif")
    task = opened.session.background.start("Exporting", lambda task: [file])
    opened.session.background.wait()
    opened.follow_task(task)
    assert opened.progress.is_working
    qtbot.waitUntil(lambda: not opened.progress.is_working)
    assert opened.progress.outcome.text() == "1 mask written to “out”."


# -- new images -----------------------------------------------------------------------------------


def test_without_models_it_leads_to_training(
    panel: ExportPanel, session: Session, tmp_path: Path, qtbot: QtBot
) -> None:
    session.create_project(tmp_path / "empty.orgseg", default_classes(["ER"]))
    panel.mode.button(IMAGES).click()
    assert panel.no_models.isVisible()
    assert not panel.button.isVisible()
    with qtbot.waitSignal(panel.train_requested):
        panel.no_models.button.click()


def test_predicting_a_folder(opened: ExportPanel, new_images: Path, qtbot: QtBot) -> None:
    opened.mode.button(IMAGES).click()
    assert opened.reason.text() == "Choose images to predict."
    assert [row.entry.name for row in opened.models.rows.values()] == ["best", "fast"]
    assert [entry.name for entry in opened.models.chosen()] == ["best"]
    opened.inputs.set_paths([new_images])
    qtbot.waitUntil(opened.button.isEnabled)
    assert opened.button.text() == "Predict 4 images"
    assert opened.inputs.words.text() == "4 images"
    with qtbot.waitSignal(opened.predict_folder_requested) as asked:
        opened.button.click()
    best = next(entry.run for entry in opened.runs.trainings() if entry.name == "best")
    assert asked.args[0] == {
        "models": [best],
        "inputs": [new_images],
        "out": new_images.parent / "new cells masks",
        "formats": ["tiff"],
        "overwrite": False,
        "resume": True,
        "stitch": "blend",
        "turns": False,
        "vote": False,
        "three_planes": False,
        "objects": False,
    }


def test_several_models_and_replacing(opened: ExportPanel, new_images: Path, qtbot: QtBot) -> None:
    opened.show_mode(IMAGES)
    opened.inputs.set_paths([new_images])
    qtbot.waitUntil(opened.button.isEnabled)
    list(opened.models.rows.values())[1].click()
    assert opened.models.mean.text() == "The mean of these 2 models decides."
    opened.existing.button(REPLACE).click()
    with qtbot.waitSignal(opened.predict_folder_requested) as asked:
        opened.button.click()
    assert [run.name for run in asked.args[0]["models"]] == ["best", "fast"]
    assert asked.args[0]["overwrite"] is True
    assert asked.args[0]["resume"] is False
    for row in opened.models.rows.values():
        row.setChecked(False)
        row.clicked.emit()
    assert opened.reason.text() == "Tick at least one model."


def test_images_are_dropped(opened: ExportPanel, new_images: Path, qtbot: QtBot) -> None:
    opened.show_mode(IMAGES)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(new_images / f"cell_{n}.png")) for n in (0, 2)])
    event = QDropEvent(
        QPoint(10, 10),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    opened.inputs.dropEvent(event)
    qtbot.waitUntil(lambda: opened.button.text() == "Predict 2 images")
    assert opened.inputs.names.whole_text() == "cell_0.png, cell_2.png"
    opened.inputs.clear_button.click()
    assert opened.button.text() == "Predict images"
    assert opened.inputs.files_button.isVisible()


def test_a_folder_without_images_is_said(opened: ExportPanel, tmp_path: Path, qtbot: QtBot) -> None:
    opened.show_mode(IMAGES)
    (tmp_path / "none").mkdir()
    opened.inputs.set_paths([tmp_path / "none"])
    qtbot.waitUntil(lambda: opened.reason.text().startswith("There is no image in"))
    assert not opened.button.isEnabled()


def test_each_kind_keeps_its_folder(opened: ExportPanel, new_images: Path, qtbot: QtBot) -> None:
    opened.folder.selectAll()
    opened.folder.insert("/elsewhere")
    opened.folder.textEdited.emit("/elsewhere")
    opened.show_mode(IMAGES)
    opened.inputs.set_paths([new_images])
    qtbot.waitUntil(lambda: opened.folder.text().endswith("new cells masks"))
    opened.show_mode(MASKS)
    assert opened.folder.text() == "/elsewhere"


def prediction_run(panel: ExportPanel, out: Path) -> RunFolder:
    path = panel.session.path
    assert path is not None
    return RunFolder.create(
        runs_dir(path),
        name="prediction",
        kind="predict",
        extra={"models": [], "inputs": [], "out": str(out), "formats": ["tiff"]},
    )


def test_a_prediction_is_followed_to_its_end(
    opened: ExportPanel, tmp_path: Path, qtbot: QtBot
) -> None:
    run = prediction_run(opened, tmp_path / "out")
    pretend_alive(run)
    append_events(
        run,
        {"event": "state", "state": "running"},
        {"event": "started", "device": "CPU"},
        {"event": "progress", "done": 5, "total": 24, "item": "cell_5.tif", "phase": "predict"},
    )
    opened.runs.training_thread.refresh()
    # Nobody said follow_run: a prediction under way is found again.
    qtbot.waitUntil(lambda: opened.progress.count.text() == "6 of 24", timeout=10_000)
    assert opened.progress.item.whole_text() == "cell_5.tif"
    append_events(
        run,
        {
            "event": "finished",
            "run": run.run_id,
            "message": "done",
            "written": 21,
            "skipped": 2,
            "problems": ["cell_9.tif: <i>the file</i> ends too early."],
        },
    )
    qtbot.waitUntil(opened.progress.ended.isVisible, timeout=10_000)
    assert opened.progress.outcome.text() == (
        "21 masks written to “out”. 2 were there already. 1 could not be done:"
    )
    assert opened.progress.problems.text() == "cell_9.tif: <i>the file</i> ends too early."
    assert opened.progress.problems.textFormat() == Qt.TextFormat.PlainText


def test_a_prediction_can_be_cancelled(
    opened: ExportPanel, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = prediction_run(opened, tmp_path / "out")
    pretend_alive(run)
    append_events(run, {"event": "state", "state": "running"})
    opened.runs.training_thread.refresh()
    qtbot.waitUntil(lambda: opened.progress.is_working, timeout=10_000)
    stopped: list[str] = []
    monkeypatch.setattr(opened.runs, "request_stop", stopped.append)
    opened.progress.cancel_button.click()
    assert stopped == [run.run_id]
    append_events(run, {"event": "stopped", "run": run.run_id, "message": "Stopped."})
    qtbot.waitUntil(opened.progress.ended.isVisible, timeout=10_000)
    assert opened.progress.outcome.text().startswith("Cancelled.")


# -- formats --------------------------------------------------------------------------------------


def test_every_format_has_a_card_with_its_own_example(opened: ExportPanel) -> None:
    assert list(opened.formats.cards) == list(MASK_FORMATS)
    for name, card in opened.formats.cards.items():
        assert card.has_picture()
        assert card.text() == MASK_FORMATS[name].title
        assert MASK_FORMATS[name].about in card.toolTip()


def test_every_control_has_a_name(opened: ExportPanel) -> None:
    assert nameless_controls(opened) == []


def test_examples_show_the_values_as_they_are_written(qtbot: QtBot) -> None:
    one, two = default_classes(["ER"]), default_classes(["ER", "nucleus"])

    def brightest(form: str, classes: Any) -> int:
        image = example(form, classes).toImage()
        return image.pixelColor(54, 30).lightness()

    assert brightest("png", one) == 255  # the structure is 255
    assert brightest("png", two) < 20  # classes are 1, 2, …: nearly black
    assert brightest("tiff", two) > 60  # in the class's colour
