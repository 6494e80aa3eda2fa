"""Columns that can be chosen in the table of runs, and the confusion matrices below it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from orgseg_app.gui.comparing import confusion_view, measures
from orgseg_app.gui.comparing.results_view import ResultsView
from orgseg_app.gui.style import theme
from orgseg_app.runs.process import write_json
from tests.gui.recorded_runs import World, make_project, opened, record_run
from tests.gui.test_results_view import column, make_view, names

RAND = "Adapted Rand error, planes"


@pytest.fixture
def world(tmp_path: Path, qtbot: QtBot) -> Iterator[World]:
    path = tmp_path / "cells.orgseg"
    with make_project(path, class_names=("ER", "nucleus"), side=64) as file:
        record_run(file, "poor", created=1.0, quality=0.5)
        record_run(file, "good", created=2.0, quality=0.95)
        old = record_run(file, "old", created=3.0, quality=0.8)
        kept = json.loads(old.metrics_path.read_text())
        for entry in kept["images"]:
            del entry["objects"]
        write_json(old.metrics_path, kept)
    with opened(path) as world:
        qtbot.waitUntil(lambda: len(world.runs.all()) == 3 and world.is_read)
        yield world


@pytest.fixture
def view(world: World, qtbot: QtBot) -> ResultsView:
    return make_view(world, qtbot)


def titles(view: ResultsView) -> list[str]:
    return [item.title for item in view.table.results.columns if item.is_score]


def entry(view: ResultsView, text: str) -> QAction:
    """Of the menu as it would open now, submenus too."""
    view._fill_columns()
    menus = [view.columns_menu, *(a.menu() for a in view.columns_menu.actions() if a.menu())]
    return next(action for menu in menus for action in menu.actions() if action.text() == text)


def test_errors_are_best_when_low(view: ResultsView) -> None:
    entry(view, RAND).trigger()
    assert titles(view)[-1] == RAND
    place = column(view, RAND)
    view.table.sort_by(place)
    assert view.table.results.sorted_by == (place, Qt.SortOrder.AscendingOrder)
    assert names(view) == ["good", "poor", "old"]
    weights = [
        view.table.results.index(row, place).data(Qt.ItemDataRole.FontRole).weight()
        for row in range(3)
    ]
    assert weights[0] > weights[1] == weights[2]
    tip = view.table.results.headerData(
        place, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole
    )
    assert "two pixels inside true objects" in tip
    assert tip.endswith("Lower is better.")


def test_a_score_that_is_not_known_says_why(view: ResultsView) -> None:
    view.choose_columns({"voi_split": True, "voi_split_3d": True})
    model = view.table.results

    def tip(run: str, title: str) -> str:
        at = model.index(names(view).index(run), column(view, title))
        return str(at.data(Qt.ItemDataRole.ToolTipRole))

    assert "Score it again" in tip("old", "VOI split, planes")
    assert "no two neighbouring planes" in tip("good", "VOI split, 3-D")
    assert "VOI split, planes: 0." in tip("good", "VOI split, planes")


def test_columns_are_chosen_told_and_taken_back(view: ResultsView, qtbot: QtBot) -> None:
    usual = titles(view)
    with qtbot.waitSignal(view.columns_chosen) as told:
        entry(view, "IoU of each class, pooled").trigger()
    assert told.args == [{"iou/each": False}]
    assert titles(view) == usual[:3]
    entry(view, "Precision, pooled").trigger()
    assert titles(view) == [*usual[:3], "Mean precision, pooled"]
    entry(view, "Usual columns").trigger()
    assert titles(view) == usual
    for action in view.columns_menu.actions():
        assert not action.isCheckable() or len(action.toolTip()) > len(action.text()) + 20


def test_choices_are_kept_as_text() -> None:
    chosen = {"voi_merge_3d": True, "iou/each": False}
    assert measures.from_text(measures.as_text(chosen)) == chosen
    assert measures.from_text("+voi_split nonsense +x -iou") == {"voi_split": True, "iou": False}
    assert measures.from_text(None) == measures.from_text(3) == {}


def test_the_sorting_stays_with_its_column(view: ResultsView) -> None:
    view.table.sort_by(column(view, "nucleus IoU, pooled"))
    entry(view, "Dice (F1), pooled").trigger()  # a column before it goes
    assert view.table.results.sorted_by[0] == column(view, "nucleus IoU, pooled")
    entry(view, "IoU of each class, pooled").trigger()
    assert view.table.results.sorted_by == (1, Qt.SortOrder.DescendingOrder)


def test_a_group_of_classes(view: ResultsView, qtbot: QtBot) -> None:
    with qtbot.waitSignal(view.group_chosen) as told:
        entry(view, "ER").trigger()  # taken out
    assert told.args == [["nucleus"]]
    qtbot.waitUntil(lambda: view.results.group == ("nucleus",), timeout=20_000)
    group, nucleus = column(view, "Mean IoU, group"), column(view, "nucleus IoU, pooled")
    for row in view.table.results.rows:
        columns = view.table.results.columns
        assert columns[group].value(row) == pytest.approx(columns[nucleus].value(row))
    assert "The group: nucleus." in view.table.results.columns[group].tip
    assert not entry(view, "ER").isChecked()


def test_confusion_of_the_runs_shown(view: ResultsView, qtbot: QtBot) -> None:
    view.pages.show_page("confusion")
    (_, first, table), (other, second, _) = view.pages.confusion.parts
    assert (first.whole_text(), second.whole_text()) == ("good", "old")
    matrix = table.matrix
    assert matrix.names == ("background", "ER", "nucleus")
    row = view.results.row(view.a)
    assert row is not None
    assert row.pooled is not None
    counts = np.array(row.pooled.confusion)
    shares = counts / counts.sum(axis=1, keepdims=True)
    assert matrix.text(1, 1) == f"{shares[1, 1]:.2f}"
    tip = matrix.index(2, 1).data(Qt.ItemDataRole.ToolTipRole)
    assert tip == (
        f"Of {counts[2].sum():,} pixels painted nucleus, {100 * shares[2, 1]:.2f} % were "
        "predicted as ER."
    )
    table.setFocus()
    qtbot.keyClick(table, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[2].split("\t") == ["ER", *map(str, counts[1])]
    view._show_pair(view.b, "")
    assert first.whole_text() == "old"
    assert other.isHidden()


def test_small_shares_are_neither_nothing_nor_all(view: ResultsView) -> None:
    matrix = view.pages.confusion.parts[0][2].matrix
    matrix.names = ("a", "b", "c")
    matrix.counts = np.array([[9999, 1, 0], [0, 0, 0], [0, 0, 7]])
    matrix.shares = confusion_view.shares_of_truth(matrix.counts)
    texts = [[matrix.text(row, column) for column in range(3)] for row in range(3)]
    assert texts == [[">0.99", "<0.01", ""], ["–", "–", "–"], ["", "", "1.00"]]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_numbers_on_every_ground_can_be_read(mode: str, qapp: QApplication) -> None:
    before = theme.current()
    theme.apply(qapp, mode)
    try:
        for share in np.linspace(0, 1, 101):
            ground = confusion_view.share_colour(float(share))
            found = confusion_view.contrast(confusion_view.words_on(ground), ground)
            assert found >= 4.5, (share, found)
    finally:
        theme.apply(qapp, before.name)


def test_objects_one_by_one(view: ResultsView) -> None:
    """Average precision and its kin, in a menu of their own, each explained."""
    usual = titles(view)
    entry(view, "AP at 0.50, pooled").trigger()
    entry(view, "Mean AP 0.50–0.95, mean of images").trigger()
    entry(view, "Missed objects, pooled").trigger()
    assert titles(view) == [
        *usual,
        "AP at 0.50, pooled",
        "Mean AP 0.50–0.95, mean of images",
        "Missed objects, pooled",
    ]
    model = view.table.results
    rows = {row.name: row for row in model.rows}
    pooled = rows["good"].pooled
    assert pooled is not None
    found = [value for value in pooled.by_class["ap_50"].values() if value is not None]
    place = column(view, "AP at 0.50, pooled")
    assert model.columns[place].value(rows["good"]) == pytest.approx(sum(found) / len(found))
    assert pooled.by_class["mean_ap"]["ER"] <= pooled.by_class["ap_50"]["ER"]
    at = model.index(names(view).index("old"), place)
    assert "Score it again" in at.data(Qt.ItemDataRole.ToolTipRole)
    missed = model.columns[column(view, "Missed objects, pooled")]
    assert missed.tip.endswith("Lower is better.")
    menus = [a.menu() for a in view.columns_menu.actions() if a.menu()]
    shown = {menu.title(): menu.actions() for menu in menus}
    assert {"Objects, one by one", "Objects in 3-D, one by one"} < set(shown)
    for section in measures.LONG_SECTIONS:
        actions = shown[section]
        assert all(len(action.toolTip()) > len(action.text()) + 15 for action in actions)
