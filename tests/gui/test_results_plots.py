"""Pages of the Compare workspace that are plots: thresholds, scores of images, statistics."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from orgseg_app.core.metrics.thresholds import best_threshold
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.gui.comparing.results_data import Candidate, Results, gather
from orgseg_app.gui.comparing.scores_view import ScoresView
from orgseg_app.gui.comparing.shown_runs import ShownRuns
from orgseg_app.gui.comparing.statistics_view import RANKED, StatisticsView
from orgseg_app.gui.comparing.thresholds_view import ThresholdsView
from orgseg_app.runs.comparison import compare
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.pairs import pairs_of
from orgseg_app.runs.recipes.presets import PRESETS
from tests.gui.recorded_runs import World, make_project, opened, record_run

QUALITIES = {"good": 0.95, "fair": 0.8, "poor": 0.5}
SPLITS = ["train", "validation", *["test"] * 6]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made once; every test has a copy of its own."""
    folder = tmp_path_factory.mktemp("plots")
    path = folder / "cells.orgseg"
    with make_project(path, class_names=("ER", "nucleus"), splits=SPLITS, side=40) as file:
        for number, (name, quality) in enumerate(QUALITIES.items()):
            run = record_run(file, name, created=number + 1.0, quality=quality, seed=9 * number)
            add_validation(file, run)
        tests = [image.image_id for image in file.project.in_split("test")]
        record_run(file, "partly", created=9.0, quality=0.9, scored=tests[:2])
    return folder


@pytest.fixture
def path(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy" / "cells.orgseg"


def add_validation(file: ProjectFile, run: RunFolder) -> None:
    """Scores on the validation image, as good as those on a test image."""
    (image,) = file.project.in_split("validation")
    metrics = json.loads(run.metrics_path.read_text("utf-8"))
    entry = dict(metrics["images"][0], split="validation", image=image.name)
    entry |= {"image_id": image.image_id, "sha256": image.sha256}
    metrics["images"].append(entry)
    run.metrics_path.write_text(json.dumps(metrics), "utf-8")


def without_probabilities(run: RunFolder) -> None:
    """As an older OrgSeg scored it."""
    metrics = json.loads(run.metrics_path.read_text("utf-8"))
    for entry in metrics["images"]:
        entry.pop("rated")
    run.metrics_path.write_text(json.dumps(metrics), "utf-8")


@pytest.fixture
def world(path: Path, qtbot: QtBot) -> Iterator[World]:
    with opened(path) as world:
        qtbot.waitUntil(lambda: len(world.runs.all()) == 4 and world.is_read)
        yield world


def results_of(world: World) -> Results:
    assert world.session.file is not None
    return gather(world.session.file, [Candidate.of(entry) for entry in world.runs.all()])


def shown_of(results: Results, *names: str, class_name: str = "") -> ShownRuns:
    rows = [row for name in names for row in results.rows if row.name == name]
    a, b = (*rows, None, None)[:2]
    return ShownRuns(results, results.rows, a, b, tuple(rows[2:]), class_name)


def in_sight(view: QWidget, world: World, qtbot: QtBot) -> None:
    qtbot.addWidget(view)
    view.resize(1100, 380)
    view.show()
    qtbot.waitExposed(view)
    settled(world, qtbot)


def settled(world: World, qtbot: QtBot) -> None:
    qtbot.wait(1)
    qtbot.waitUntil(lambda: world.session.background.is_idle)
    qtbot.wait(1)


def saves_pictures(view: Any, tmp_path: Path, *words: str) -> None:
    """The picture can be copied, and saved with these words in it."""
    view.copy()
    assert not QGuiApplication.clipboard().image().isNull()
    svg, png = tmp_path / "figure µ.svg", tmp_path / "figure.png"
    view.save(svg)
    # Dots are pictures within the picture, whose letters may be any.
    text = re.sub(r"base64,[^\"]*", "", svg.read_text("utf-8"))
    missing = [word for word in words if word not in text]
    assert missing == []
    has_no_place = re.search(r"\bnan\b", text, re.IGNORECASE) is not None
    assert not has_no_place
    view.save(png)
    size = view.picture_size()
    assert QImage(str(png)).size() == size * 3
    with pytest.raises(FileNotFoundError):
        view.save(tmp_path / "missing" / "x.svg")


# -- titles ----------------------------------------------------------------------------------------


def test_a_long_title_ends_in_dots_and_makes_no_figure_wider(qtbot: QtBot) -> None:
    from orgseg_app.gui.comparing.plot_figure import PlotFigure

    figure = PlotFigure()
    qtbot.addWidget(figure)
    title = figure.add_title(0)
    figure.add_plot(1)
    figure.write_title(
        title, "Validation IoU · best 0.81 at step 60 · band: 95 % interval of 3 planes"
    )
    figure.resize(300, 200)
    figure.show()
    qtbot.waitExposed(figure)
    qtbot.waitUntil(lambda: title.text.endswith("…"))
    assert title.text.startswith("Validation IoU")
    assert title.toolTip().endswith("3 planes")
    assert figure.ci.rect().width() <= 300
    figure.resize(900, 200)
    qtbot.waitUntil(lambda: title.text.endswith("3 planes"))
    assert title.toolTip() == ""


# -- thresholds ------------------------------------------------------------------------------------


def test_thresholds(world: World, qtbot: QtBot, tmp_path: Path) -> None:
    results = results_of(world)
    view = ThresholdsView(world.runs)
    view.show_runs(shown_of(results, "good", "poor", "fair", "partly"))
    in_sight(view, world, qtbot)
    qtbot.waitUntil(lambda: view.figure is not None)
    found, figure = view.found, view.figure
    assert found is not None
    assert found.class_name == "ER"
    row = results.row(world.named("good").run_id)
    assert row is not None
    assert row.pooled is not None
    # The table's number and the legend's are one.
    auc = row.pooled.by_class["roc_auc"]["ER"]
    assert view.legend.text.splitlines()[0].endswith(f"AUC {auc:.3f}")
    assert view.legend.text.splitlines()[3].startswith("partly not ranked · AP")
    file = world.session.file
    pooled = compare(file, [world.named("good").run], "validation").runs[0].pooled
    assert pooled is not None
    best = best_threshold(pooled.rated["ER"])
    assert best is not None
    assert found.runs[0].best == best[0]
    assert "on the validation images" in figure.note.text
    assert "not for choosing" in figure.note.text
    figure.setFocus()
    qtbot.keyClick(figure, Qt.Key.Key_Right)
    qtbot.keyClick(figure, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    lines = figure.readout.text.splitlines()
    assert lines[0] == "threshold 0.60"
    assert lines[1].split()[:2] == ["good", f"{found.runs[0].swept['iou'][60]:.3f}"]
    assert figure.accessibleDescription() == figure.readout.text
    qtbot.keyClick(figure, Qt.Key.Key_Escape)
    assert figure.readout.isHidden()
    saves_pictures(view, tmp_path, "Precision over recall", "AUC", "not for choosing")


def test_pointing_at_a_curve_reads_its_threshold(world: World, qtbot: QtBot) -> None:
    view = ThresholdsView(world.runs)
    view.show_runs(shown_of(results_of(world), "fair", class_name="nucleus"))
    in_sight(view, world, qtbot)
    qtbot.waitUntil(lambda: view.figure is not None)
    figure, run = view.figure, view.found.runs[0]  # type: ignore[union-attr]
    step = 70
    there = QPointF(1 - run.swept["specificity"][step], run.swept["recall"][step])
    figure._on_mouse_moved(figure.areas[1].box.mapViewToScene(there))
    read = figure.readout.text.splitlines()
    assert read[1].split()[-2:] == [f"{there.y():.3f}", f"{there.x():.3f}"]
    figure._on_mouse_moved(figure.sweeps[2].box.mapViewToScene(QPointF(0.25, 0.5)))
    assert figure.readout.text.startswith("threshold 0.25")
    assert not figure.readout.geometry().intersects(
        QRectF(figure.sweeps[2].box.sceneBoundingRect()).toRect()
    )
    figure._on_mouse_moved(QPointF(-9, -9))
    assert figure.readout.isHidden()


def test_one_image_or_the_validation_images(world: World, qtbot: QtBot) -> None:
    results = results_of(world)
    view = ThresholdsView(world.runs)
    view.show_runs(shown_of(results, "good", "partly", class_name="ER"))
    in_sight(view, world, qtbot)
    qtbot.waitUntil(lambda: view.figure is not None)
    last = list(results.images)[-1]
    view.chooser.setCurrentIndex(view.chooser.findData(last))
    settled(world, qtbot)
    assert view.found is not None
    assert [run.name for run in view.found.runs] == ["good"]  # the other was not scored on it
    assert view.found.without == ("partly",)
    view.chooser.setCurrentIndex(view.chooser.findData("validation"))
    settled(world, qtbot)
    assert "a threshold may be chosen" in view.figure.note.text


def test_runs_scored_long_ago_say_what_to_do(world: World, qtbot: QtBot) -> None:
    for entry in world.runs.all():
        without_probabilities(entry.run)
    view = ThresholdsView(world.runs)
    view.show_runs(shown_of(results_of(world), "good", "fair"))
    in_sight(view, world, qtbot)
    assert view.is_empty
    assert view.empty.words.text().startswith("Score the runs again to see thresholds")
    view.show_runs(ShownRuns())
    assert view.empty.words.text().startswith("Choose a run with scores")


# -- scores of images ------------------------------------------------------------------------------


def test_scores_of_images(world: World, qtbot: QtBot, tmp_path: Path) -> None:
    results = results_of(world)
    view = ScoresView(world.session)
    view.show_runs(shown_of(results, "good", "poor", "partly"))
    in_sight(view, world, qtbot)
    qtbot.waitUntil(lambda: view.figure is not None and len(view.figure.plots) == 3)
    figure, plot = view.figure, view.found
    assert plot is not None
    with qtbot.waitSignal(view.image_chosen) as chosen:
        at = figure.plots[1].box.mapViewToScene(QPointF(2.2, 0.7))
        qtbot.mouseClick(figure.viewport(), Qt.MouseButton.LeftButton, pos=figure.mapFromScene(at))
    assert chosen.args == [plot.image_ids[2]]
    figure.setFocus()
    figure.read_place(2)
    qtbot.keyClick(figure, Qt.Key.Key_Left)
    head, first, *_ = figure.readout.text.splitlines()
    gap = plot.difference(plot.panels[0], 1)
    assert head == f"{plot.names[1]} · A − B {gap:+.3f}".replace("-", "−")
    value = results.row(world.named("good").run_id).images[plot.image_ids[1]]  # type: ignore[union-attr]
    assert first == f"good  {value.scores.mean_iou:.3f}"
    with qtbot.waitSignal(view.image_chosen) as chosen:
        qtbot.keyClick(figure, Qt.Key.Key_Return)
    assert chosen.args == [plot.image_ids[1]]
    assert view.legend.text.splitlines() == ["good A", "poor B", "partly not ranked"]
    saves_pictures(view, tmp_path, "IoU, nucleus", "A is better on the left", "not ranked")


def test_another_order_score_and_class(world: World, qtbot: QtBot) -> None:
    results = results_of(world)
    view = ScoresView(world.session)
    view.show_runs(shown_of(results, "good", "poor"))
    in_sight(view, world, qtbot)
    qtbot.waitUntil(lambda: view.figure is not None)
    view.order.button("name").click()
    view.measure.setCurrentIndex(view.measure.findData("dice"))
    settled(world, qtbot)
    assert view.found is not None
    names = list(view.found.names)
    assert names == sorted(names)
    assert view.found.title == "Dice (F1)"
    view.show_runs(shown_of(results, "good", "poor", class_name="nucleus"))
    settled(world, qtbot)
    assert [panel.class_name for panel in view.found.panels] == ["nucleus"]
    assert len(view.figure.plots) == 1
    qtbot.wait(20)
    assert view.figure.plots[0].box.height() > view.figure.height() / 2
    assert view.figure.plot.score == "dice"  # the choice stays


# -- statistics ------------------------------------------------------------------------------------


def test_statistics(world: World, qtbot: QtBot, tmp_path: Path) -> None:
    results = results_of(world)
    view = StatisticsView(world.runs)
    view.show_runs(shown_of(results, "poor", "good", "fair", "partly"))
    in_sight(view, world, qtbot)
    qtbot.waitUntil(lambda: view.found is not None)
    model, found = view.table.forest, view.found
    assert found is not None
    assert [m.name for m in found.models] == ["good", "fair", "poor"]
    # The same figures as in the file that the comparison is saved to.
    assert results.comparison is not None
    saved = {frozenset(pair.ids): pair.found for pair in pairs_of(results.comparison)}
    for pair in found.pairs:
        same = saved[frozenset((pair.first.run_id, pair.second.run_id))]
        assert same is not None
        assert abs(same.mean or 0) == pytest.approx(abs(pair.found.mean or 0), abs=1e-12)
        assert (same.p, same.p_adjusted) == (pair.found.p, pair.found.p_adjusted)
    assert "Left out, as not ranked: “partly”" in view.caption.text()
    assert "3 pairs (Holm)" in view.caption.text()
    assert view.diagram.isVisible()
    assert "Friedman" in view.ranks_caption.text()
    assert [model.is_chosen(pair) for pair in model.pairs] == [False, True, False]
    with qtbot.waitSignal(view.pair_chosen) as chosen:
        view.table.setFocus()
        view.table.setCurrentIndex(model.index(2, 0))
        qtbot.keyClick(view.table, Qt.Key.Key_Return)
    assert chosen.args == [world.named("fair").run_id, world.named("poor").run_id]
    qtbot.keyClick(view.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text().splitlines()[1].startswith("good\tfair\t")
    saves_pictures(view, tmp_path, "critical difference", "is better", "Holm")
    view.show_runs(shown_of(results, "fair", "poor", "good"))  # as the click makes it
    assert view.found is found  # nothing is computed again
    assert [model.is_chosen(pair) for pair in model.pairs] == [False, False, True]


def test_two_runs_and_one(world: World, qtbot: QtBot) -> None:
    results = results_of(world)
    view = StatisticsView(world.runs)
    view.show_runs(shown_of(results, "good"))
    in_sight(view, world, qtbot)
    assert view.is_empty
    assert view.empty.words.text().startswith("Choose two ranked runs")
    view.which.button(RANKED).click()
    qtbot.waitUntil(lambda: view.found is not None)
    assert len(view.table.forest.pairs) == 3
    view.which.button("chosen").click()
    view.show_runs(shown_of(results, "good", "fair", class_name="ER"))
    settled(world, qtbot)
    qtbot.waitUntil(lambda: len(view.table.forest.pairs) == 1)
    assert view.side.isHidden()
    assert "With 3 models or more, mean ranks" in view.caption.text()
    assert "of ER" in view.caption.text()


def test_seeds_are_repeats(tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "seeds.orgseg"
    with make_project(path, splits=SPLITS, side=32) as file:
        for seed in (1, 2):
            recipe = msgspec.structs.replace(PRESETS["fast"], seed=seed)
            name = f"fast seed {seed} of 2"
            record_run(file, name, recipe=recipe, quality=0.9, created=float(seed), seed=seed)
        record_run(file, "bce", recipe=PRESETS["fast-bce"], quality=0.6, created=3.0)
    with opened(path) as world:
        qtbot.waitUntil(lambda: len(world.runs.all()) == 3 and world.is_read)
        results = results_of(world)
        view = StatisticsView(world.runs)
        view.show_runs(shown_of(results, "fast seed 1 of 2", "fast seed 2 of 2"))
        in_sight(view, world, qtbot)
        assert view.is_empty
        assert "repeats of one model" in view.empty.words.text()
        view.show_runs(shown_of(results, "fast seed 1 of 2", "bce", "fast seed 2 of 2"))
        settled(world, qtbot)
        (pair,) = view.table.forest.pairs
        assert (pair.first.name, pair.found.runs) == ("fast (2 seeds)", (2, 1))
        iou = [
            np.mean([row.images[i].scores.mean_iou for row in results.rows[:2]])
            - (results.rows[2].images[i].scores.mean_iou or 0)
            for i in results.images
        ]
        assert pair.found.mean == pytest.approx(np.mean(iou))
        assert view.together.isVisible()
        view.together.click()
        settled(world, qtbot)
        assert len(view.table.forest.pairs) == 3
