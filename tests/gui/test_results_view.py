"""The Compare workspace: the table, the panes, the test images, copying and saving."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.gui.canvas import difference
from orgseg_app.gui.canvas.plane_view import ViewState
from orgseg_app.gui.comparing.results_view import ResultsView
from orgseg_app.runs.recipes.presets import PRESETS
from tests.gui.recorded_runs import World, make_project, opened, opened_image, record_run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "cells.orgseg"
    with make_project(path, class_names=("ER", "nucleus"), side=64) as file:
        record_run(file, "good", created=1.0, quality=0.95)
        record_run(file, "fair", created=2.0, quality=0.8, recipe=PRESETS["fast-bce"], seed=4)
        record_run(file, "poor", created=3.0, quality=0.5, seed=9)
        tests = [image.image_id for image in file.project.in_split("test")]
        record_run(file, "partly", created=4.0, quality=0.99, scored=tests[:2])
    return path


@pytest.fixture
def world(path: Path, qtbot: QtBot) -> Iterator[World]:
    with opened(path) as world:
        qtbot.waitUntil(lambda: len(world.runs.all()) == 4 and world.is_read)
        yield world


@pytest.fixture
def view(world: World, qtbot: QtBot) -> ResultsView:
    return make_view(world, qtbot)


def make_view(world: World, qtbot: QtBot, *, rows: bool = True) -> ResultsView:
    view = ResultsView(world.session, world.runs)
    qtbot.addWidget(view)
    view.resize(1060, 720)
    view.show()
    qtbot.waitExposed(view)
    if rows:
        qtbot.waitUntil(lambda: bool(view.results.rows))
    qtbot.waitUntil(lambda: world.session.background.is_idle)
    return view


def names(view: ResultsView) -> list[str]:
    return [row.name for row in view.table.results.rows]


def column(view: ResultsView, title: str) -> int:
    return [c.title for c in view.table.results.columns].index(title)


# -- the table -------------------------------------------------------------------------------------


def test_ranked_runs_by_score_and_the_others_below(view: ResultsView) -> None:
    assert names(view) == ["good", "fair", "poor", "partly"]
    assert view.caption.text() == "3 of 4 runs ranked on 3 test images"
    for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder):
        view.table.results.sort(column(view, "Mean IoU, pooled"), order)
        assert names(view)[-1] == "partly"
    view.table.sort_by(0)
    assert names(view) == ["fair", "good", "poor", "partly"]


def test_pooled_and_per_image_scores_have_different_names(view: ResultsView) -> None:
    titles = [c.title for c in view.table.results.columns]
    assert "Mean IoU, pooled" in titles
    assert "Mean IoU, mean of images" in titles
    assert "ER IoU, pooled" in titles
    view.chooser.setCurrentIndex(view.chooser.findData("ER"))
    titles = [c.title for c in view.table.results.columns]
    for title in ("IoU", "Dice (F1)"):
        assert f"{title}, pooled" in titles
        assert f"{title}, mean of images" in titles
    assert "Precision, pooled" in titles
    assert "Recall, pooled" in titles


def test_cells(view: ResultsView) -> None:
    model = view.table.results
    place = column(view, "Mean IoU, pooled")
    texts = [model.text(row, place) for row in range(4)]
    assert all(len(text) in (4, 5) and text.startswith("0.") for text in texts)
    align = model.index(0, place).data(Qt.ItemDataRole.TextAlignmentRole)
    assert align & Qt.AlignmentFlag.AlignRight
    best = [model.index(row, place).data(Qt.ItemDataRole.FontRole).weight() for row in range(4)]
    assert best[0] > best[1] == best[2] == best[3]  # "partly" scores higher but is not ranked
    spoken = model.index(0, place).data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == f"Mean IoU, pooled: {texts[0]}, best"


def test_three_decimals_only_where_two_runs_look_alike(view: ResultsView) -> None:
    model = view.table.results
    for place, info in enumerate(model.columns):
        if info.is_score:
            found = [info.value(row) for row in model.rows if row.is_ranked]
            two = [f"{value:.2f}" for value in found]
            assert model.digits(place) == (2 if len(set(two)) == len(two) else 3)


def test_the_reason_stands_below_the_name(view: ResultsView) -> None:
    row = view.table.results.row(3)
    assert row is not None
    assert row.reason.startswith("not scored on cell_")
    assert view.table.rowHeight(3) > view.table.rowHeight(0)
    assert view.table.isColumnHidden(column(view, "Not ranked because"))
    tip = view.table.results.index(3, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert "Not ranked: not scored on" in tip


def test_the_missing_score_is_one_click_away(view: ResultsView, world: World, qtbot: QtBot) -> None:
    assert view.note.isVisible()
    with qtbot.waitSignal(view.score_requested) as asked:
        qtbot.mouseClick(view.score_button, Qt.MouseButton.LeftButton)
    assert asked.args[0] == [world.named("partly").run_id]


def test_copy_gives_tab_separated_text(view: ResultsView, qtbot: QtBot) -> None:
    view.table.setFocus()
    view.table.selectAll()
    qtbot.keyClick(view.table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert len(lines) == 5
    head, first = lines[0].split("\t"), lines[1].split("\t")
    assert head[:3] == ["Run", "Mean IoU, pooled", "Mean IoU, mean of images"]
    assert "Not ranked because" in head
    assert "What differs" in head
    assert first[0] == "good"
    assert 0 < float(first[1]) < 1
    assert len(first) == len(head)


def test_a_name_never_becomes_a_formula(view: ResultsView, world: World, qtbot: QtBot) -> None:
    world.runs.rename(world.named("good").run_id, "=1+1\tx")
    qtbot.waitUntil(lambda: "=1+1 x" in names(view))
    assert "'=1+1 x\t" in view.table.results.as_tsv()


def test_filtering(view: ResultsView) -> None:
    view.filter.setText("bce")
    assert names(view) == ["fair"]
    view.filter.setText("not SCORED")
    assert names(view) == ["partly"]
    view.filter.setText("")
    assert len(names(view)) == 4


# -- the panes -------------------------------------------------------------------------------------


def loaded(view: ResultsView, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: view.pages.panes.data is not None and view.pages.panes._task is None)


def test_the_two_best_are_shown_first(view: ResultsView, world: World, qtbot: QtBot) -> None:
    loaded(view, qtbot)
    assert (view.a, view.b) == (world.named("good").run_id, world.named("fair").run_id)
    assert view.table.results.letters == {view.a: "A", view.b: "B"}
    assert view.pages.panes.choosers[0].currentText() == "good"
    assert view.pages.panes.choosers[1].currentText() == "fair"
    assert view.pages.panes.scores[0].text().startswith("Mean IoU 0.")


def test_the_difference_is_that_of_prediction_and_truth(
    view: ResultsView, world: World, qtbot: QtBot
) -> None:
    loaded(view, qtbot)
    view.chooser.setCurrentIndex(view.chooser.findData("ER"))
    loaded(view, qtbot)
    image_id = view.pages.images.chosen
    assert world.session.file is not None
    truth = world.session.file.mask(image_id).plane(0)
    row = view.results.row(view.a)
    assert row is not None
    from orgseg_app.files.predictions import read_prediction

    guess = read_prediction(row.predictions_path, image_id).mask[0]
    overlay = view.pages.panes.panes[0].painted_layers[0].overlay
    assert np.array_equal(overlay.values, difference.difference(truth, guess, 2))
    counts = [int((overlay.values == v).sum()) for v in (2, 3, 4)]
    iou = counts[0] / sum(counts)
    assert view.pages.panes.scores[0].text() == f"IoU {iou:.2f}"
    assert np.array_equal(view.pages.panes.panes[2].painted_layers[0].overlay.values, truth)


def test_panes_are_linked(view: ResultsView, qtbot: QtBot) -> None:
    loaded(view, qtbot)
    first, second, third = view.pages.panes.panes
    first.zoom_by(2.5, QPointF(30, 40))
    assert second.view_state() == first.view_state() == third.view_state()
    third.pan_by(5, -7)
    assert first.view_state() == third.view_state()
    second.set_view(ViewState(1, 2, 3))  # by program: nobody is told
    assert first.view_state() != second.view_state()


def test_choosing_rows_and_runs(view: ResultsView, world: World, qtbot: QtBot) -> None:
    ids = {name: world.named(name).run_id for name in ("good", "fair", "poor", "partly")}
    view.table.choose([ids["poor"]])
    assert (view.a, view.b) == (ids["poor"], ids["good"])
    view.table.choose([ids["fair"], ids["poor"]])
    assert (view.a, view.b) == (ids["fair"], ids["poor"])
    chooser = view.pages.panes.choosers[1]
    chooser.setCurrentIndex(chooser.findData(ids["partly"]))
    assert (view.a, view.b) == (ids["fair"], ids["partly"])
    chooser.setCurrentIndex(chooser.findData(""))
    assert view.b == ""
    loaded(view, qtbot)
    assert view.pages.images.scores.columnCount() == 2
    assert "second run" in view.pages.panes.blanks[1].words.text()


def test_test_images_are_sorted_by_how_much_the_runs_differ(view: ResultsView) -> None:
    scores = view.pages.images.scores
    found = [scores.difference_of(i) for i in scores.image_ids]
    assert len(found) == 3
    sizes = [abs(x) for x in found if x is not None]
    assert sizes == sorted(sizes, reverse=True)
    lines = scores.as_tsv().splitlines()
    assert lines[0].split("\t") == ["Test image", "IoU of good", "IoU of fair", "Difference"]


def test_arrow_keys_go_through_the_images(view: ResultsView, qtbot: QtBot) -> None:
    loaded(view, qtbot)
    view.pages.images.setFocus()
    before = view.pages.images.chosen
    qtbot.keyClick(view.pages.images, Qt.Key.Key_Down)
    assert view.pages.images.chosen != before
    loaded(view, qtbot)
    name = view.results.images[view.pages.images.chosen]
    assert view.pages.panes.truth_title.whole_text() == f"Truth · {name}"


def test_a_test_image_chosen_elsewhere_is_shown(view: ResultsView, world: World) -> None:
    for image_id in view.results.images:
        world.session.select_image(image_id)
        assert view.pages.images.chosen == image_id
    kept = view.pages.images.chosen
    assert world.session.project is not None
    world.session.select_image(world.session.project.in_split("train")[0].image_id)
    assert view.pages.images.chosen == kept


def test_modes(view: ResultsView, qtbot: QtBot) -> None:
    loaded(view, qtbot)
    assert view.pages.panes.legend.isVisible()
    view.pages.panes.set_mode("Mask")
    assert view.pages.panes.legend.isHidden()
    assert set(np.unique(view.pages.panes.panes[0].painted_layers[0].overlay.values)) <= {1, 2, 3}
    view.pages.panes.set_mode("Image")
    assert view.pages.panes.panes[0].painted_layers == ()


def test_a_run_without_a_prediction_says_so_and_offers_scoring(
    view: ResultsView, world: World, qtbot: QtBot
) -> None:
    loaded(view, qtbot)
    partly = world.named("partly").run_id
    view.table.choose([partly])
    missing = next(i for i in view.results.images if i not in view.results.row(partly).images)
    view.pages.images.choose(missing)
    loaded(view, qtbot)
    assert "has not predicted this image" in view.pages.panes.blanks[0].words.text()
    with qtbot.waitSignal(view.score_requested) as asked:
        view.pages.panes.blanks[0].button.click()
    assert asked.args[0] == [partly]


def test_damaged_predictions_are_said_and_harm_nothing(
    view: ResultsView, world: World, qtbot: QtBot
) -> None:
    loaded(view, qtbot)
    row = view.results.row(view.a)
    assert row is not None
    row.predictions_path.write_bytes(b"not HDF5 at all")
    view.pages.panes.reload()
    loaded(view, qtbot)
    assert view.pages.panes.blanks[0].isVisible()
    assert view.pages.panes.blanks[0].words.text().endswith(".")
    assert world.messages == []


def test_volumes_have_a_plane_slider(tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "volume.orgseg"
    random = np.random.default_rng(0)
    with make_project(path, splits=["train"], side=32) as file:
        for split in ("train", "test"):
            pixels = random.integers(0, 1000, (5, 32, 40), dtype=np.uint16)
            mask = np.ones((5, 32, 40), np.uint8)
            mask[3, 4:20, 4:20] = 2
            file.add_images([NewImage(opened_image(f"volume {split}", pixels), split, mask)])
        record_run(file, "run")
    with opened(path) as world:
        qtbot.waitUntil(lambda: world.is_read)
        view = make_view(world, qtbot)
        loaded(view, qtbot)
        assert view.pages.panes.plane.isVisible()
        assert view.pages.panes.plane.maximum() == 4
        view.pages.panes.plane.setValue(3)
        loaded(view, qtbot)
        assert (view.pages.panes.data.truth == 2).any()
        view.pages.panes.plane.setValue(0)
        loaded(view, qtbot)
        assert not (view.pages.panes.data.truth == 2).any()


# -- changes ---------------------------------------------------------------------------------------


def test_paint_that_changed_is_said(view: ResultsView, world: World, qtbot: QtBot) -> None:
    loaded(view, qtbot)
    from orgseg_app.core.edits.whole import MergeClass

    image_id = next(iter(view.results.images))
    world.session.apply(MergeClass(2), image_id)
    qtbot.waitUntil(lambda: "painted anew" in view.note_text.text())
    assert view.results.ranked == []
    assert view.score_button.text() == "Score 4 runs"
    view.pages.images.choose(image_id)
    assert view.pages.panes.scores[2].text() == "painted anew"


def test_a_run_that_disappears_leaves_the_table(
    view: ResultsView, world: World, qtbot: QtBot
) -> None:
    loaded(view, qtbot)
    shutil.rmtree(world.named("good").run.path)
    qtbot.waitUntil(lambda: names(view) == ["fair", "poor", "partly"])
    assert view.a == world.named("fair").run_id


def test_selection_survives_a_refresh(view: ResultsView, world: World, qtbot: QtBot) -> None:
    wanted = [world.named("fair").run_id, world.named("poor").run_id]
    view.table.choose(wanted)
    before = view.results
    view.refresh()
    qtbot.waitUntil(lambda: view.results is not before)
    assert [row.run_id for row in view.table.chosen()] == wanted
    assert [view.a, view.b] == wanted


@pytest.mark.parametrize("suffix", [".csv", ".json"])
def test_the_comparison_is_saved(
    view: ResultsView, world: World, qtbot: QtBot, tmp_path: Path, suffix: str
) -> None:
    target = tmp_path / f"vergleich µ{suffix}"
    view.write_comparison(target)
    qtbot.waitUntil(lambda: bool(world.messages))
    assert world.messages[-1][0] == "info"
    if suffix == ".json":
        data = json.loads(target.read_text("utf-8"))
        assert [run["name"] for run in data["runs"]] == ["good", "fair", "poor"]
        assert data["split"] == "test"
    else:
        assert target.read_text("utf-8").startswith("rank,run,")
    view.write_comparison(tmp_path / "good.orgseg-is-no-table" / "x.txt")
    qtbot.waitUntil(lambda: world.messages[-1][0] == "error")


def test_curves_of_the_runs_shown(view: ResultsView, world: World, qtbot: QtBot) -> None:
    view.pages.show_page("curves")
    qtbot.waitUntil(lambda: view.pages.curves.figure is not None)
    assert view.pages.curves.shown == [view.a, view.b]
    assert view.pages.curves.legend.isVisible()


# -- nothing there ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "splits, with_run, words, action",
    [
        (["train"], False, "No test image yet", "Annotate"),
        (["train", "test"], False, "No models yet", "Train"),
    ],
)
def test_empty_places_say_what_belongs_there(
    tmp_path: Path, qtbot: QtBot, splits: list[str], with_run: bool, words: str, action: str
) -> None:
    path = tmp_path / "bare.orgseg"
    with make_project(path, splits=splits, side=32):
        pass
    with opened(path) as world:
        view = make_view(world, qtbot, rows=False)
        qtbot.waitUntil(lambda: words in view.empty.words.text())
        assert view.empty.isVisible()
        assert view.empty.button.text() == action
        signal = view.train_requested if action == "Train" else view.annotate_requested
        with qtbot.waitSignal(signal):
            view.empty.button.click()


def test_without_a_project(qtbot: QtBot) -> None:
    with opened(None) as world:
        view = make_view(world, qtbot, rows=False)
        assert "Open a project" in view.empty.words.text()
        assert view.empty.button.isHidden()


def test_closing_the_project_empties_the_view(
    view: ResultsView, world: World, qtbot: QtBot
) -> None:
    loaded(view, qtbot)
    world.session.close_project()
    assert view.empty.isVisible()
    assert view.pages.panes.data is None


def test_everything_has_a_name_and_shows_plain_text(view: ResultsView) -> None:
    for label in view.findChildren(QLabel):
        assert label.textFormat() == Qt.TextFormat.PlainText, label.text()
    for widget in view.findChildren(QWidget):
        if widget.isVisible() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            text = getattr(widget, "text", lambda: "")()
            assert widget.accessibleName() or text, widget


def test_a_project_with_damage_says_so(path: Path, qtbot: QtBot, monkeypatch) -> None:
    from orgseg_app.files.errors import ProjectError

    def refuse(self: ProjectFile, image_id: str) -> str:
        raise ProjectError("The mask of “cell_05” cannot be read.")

    monkeypatch.setattr(ProjectFile, "mask_sha256", refuse)
    with opened(path) as world:
        qtbot.waitUntil(lambda: len(world.runs.all()) == 4 and world.is_read)
        view = make_view(world, qtbot, rows=False)
        qtbot.waitUntil(lambda: "could not be compared" in view.empty.words.text())
        assert world.messages[-1][0] == "error"


# -- which is better -------------------------------------------------------------------------------


def test_a_line_says_whether_a_is_better_than_b(view: ResultsView) -> None:
    line = view.pages.verdict
    assert line.isVisible()
    assert line.pair is not None
    assert (line.pair.first, line.pair.second) == ("good", "fair")
    assert line.text.text() == line.pair.in_words("A", "B")
    assert line.text.text().startswith("Too few images to tell: A − B is 0.")
    assert '"good"' in line.text.toolTip()
    whole = line.text.text()
    view.chooser.setCurrentIndex(view.chooser.findData("ER"))
    assert line.text.text() != whole
    assert line.pair.found is not None
    differences = [
        view.pages.images.scores.difference_of(i) for i in view.pages.images.scores.image_ids
    ]
    assert line.pair.found.mean == pytest.approx(np.mean([d for d in differences if d is not None]))
    view._show_pair(view.a, "")
    assert not line.isVisible()


def test_scores_are_read_before_anybody_asks(
    world: World, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A moment after the project is open; what is painted meanwhile is read on showing."""
    from orgseg_app.gui.comparing import results_view

    monkeypatch.setattr(results_view, "AHEAD_MS", 1)
    view = ResultsView(world.session, world.runs)
    qtbot.addWidget(view)
    world.runs.runs_changed.emit()
    qtbot.waitUntil(lambda: bool(view.results.rows))
    assert view.table.results.rowCount() == 0  # nothing is laid out for nobody
    asked = view._asked
    view.show()
    assert view.table.results.rowCount() > 0  # at once
    assert view._asked == asked
