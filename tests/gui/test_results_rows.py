"""Rows of the table of runs: pinned, noted, hidden, deleted, grouped, filtered, with settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from orgseg_app.gui.comparing.results_view import ResultsView
from orgseg_app.gui.comparing.row_order import REPEATS, RowFilter, filter_from
from orgseg_app.runs.process import write_json
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.settings import with_settings
from orgseg_app.runs.remarks import remarks_of
from tests.gui.recorded_runs import World, make_project, opened, record_run
from tests.gui.test_results_view import column, make_view, names

RUNS = {
    "bce seed 1 of 2": (0.9, ["loss=bce", "seed=0"]),
    "bce seed 2 of 2": (0.8, ["loss=bce", "seed=1"]),
    "dice": (0.95, ["loss=dice"]),
    "wide": (0.6, ["loss=dice", "network.width=32"]),
}


@pytest.fixture
def world(tmp_path: Path, qtbot: QtBot) -> Iterator[World]:
    path = tmp_path / "cells.orgseg"
    with make_project(path, side=48) as file:
        for number, (name, (quality, settings)) in enumerate(RUNS.items()):
            recipe = with_settings(PRESETS["fast"], settings)
            run = record_run(
                file, name, recipe=recipe, quality=quality, created=1.0 + number, seed=number
            )
            facts = json.loads(run.metrics_path.read_text())
            facts["model_facts"] = {"parameters": 1000 * (number + 1), "device": "CPU"}
            write_json(run.metrics_path, facts)
    with opened(path) as world:
        qtbot.waitUntil(lambda: len(world.runs.all()) == 4 and world.is_read)
        yield world


@pytest.fixture
def view(world: World, qtbot: QtBot) -> ResultsView:
    return make_view(world, qtbot)


def act(view: ResultsView, run: str, text: str) -> None:
    """Trigger an entry of a run's menu."""
    row = view.table.results.row(names(view).index(run))
    assert row is not None
    view.table.choose([row.run_id])
    menu = view.make_menu(row)
    next(action for action in menu.actions() if action.text() == text).trigger()
    menu.close()


def shown(view: ResultsView) -> list[str]:
    """Names of runs, titles of groups, as the first column has them."""
    model = view.table.results
    return [model.text(place, 0) for place in range(model.rowCount())]


def test_pinned_runs_stay_on_top_under_every_sorting(view: ResultsView, world: World) -> None:
    before = {e.name: e.run.request for e in world.runs.all()}
    act(view, "wide", "Pin on top")
    assert names(view)[0] == "wide"
    for place in range(len(view.table.results.columns)):
        for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder):
            view.table.results.sort(place, order)
            assert names(view)[0] == "wide"
    run = world.named("wide").run
    assert remarks_of(run).is_pinned
    assert json.loads((run.path / "request.json").read_text()) == before["wide"]
    act(view, "wide", "Unpin")
    view.table.results.sort(1, Qt.SortOrder.DescendingOrder)
    assert names(view)[-1] == "wide"


def test_notes_are_kept_and_searched(view: ResultsView, world: World, qtbot: QtBot) -> None:
    act(view, "dice", "Write a note")
    field = view.table.findChild(QLineEdit)
    assert field is not None
    qtbot.keyClicks(field, "for the paper")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: remarks_of(world.named("dice").run).note == "for the paper")
    place = column(view, "Note")
    assert view.table.results.text(names(view).index("dice"), place) == "for the paper"
    view.filter.setText("PAPER")
    assert names(view) == ["dice"]
    view.filter.clear()
    view.refresh()
    qtbot.waitUntil(lambda: not view._timer.isActive() and not view.is_gathering)
    assert [row.note for row in view.results.rows].count("for the paper") == 1


def test_renaming_in_the_table(view: ResultsView, world: World, qtbot: QtBot) -> None:
    view.table.choose([world.named("wide").run_id])
    view.table.setFocus()
    qtbot.keyClick(view.table, Qt.Key.Key_F2)
    field = view.table.findChild(QLineEdit)
    assert field is not None
    field.setText("wider")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "wider" in names(view))
    assert world.named("wider").run.name == "wider"


def test_hidden_runs_are_left_out_and_can_be_shown(view: ResultsView, world: World) -> None:
    act(view, "wide", "Hide")
    assert "wide" not in names(view)
    view.acts.fill_groups(view.group_menu)
    entry = view.group_menu.actions()[-1]
    assert entry.text() == "Show hidden runs (1)"
    entry.trigger()
    assert "wide" in names(view)
    act(view, "wide", "Show again")
    assert not remarks_of(world.named("wide").run).is_hidden


def test_deleted_runs_come_back(view: ResultsView, world: World, qtbot: QtBot) -> None:
    view.table.choose([world.named("wide").run_id, world.named("dice").run_id])
    qtbot.keyClick(view.table, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: len(names(view)) == 2)
    assert view.deleted_bar.text.whole_text() == "Deleted 2 runs"
    view.deleted_bar.undo()
    qtbot.waitUntil(lambda: set(names(view)) == set(RUNS))
    assert view.deleted_bar.isHidden()


def test_groups_have_counts_and_means_and_close(view: ResultsView, qtbot: QtBot) -> None:
    model = view.table.results
    view.acts.group_by(("setting:loss", ""))
    iou = model.columns[1]
    values = {row.name: iou.value(row) for row in model.rows}
    means = {
        "bce": (values["bce seed 1 of 2"] + values["bce seed 2 of 2"]) / 2,
        "dice": (values["dice"] + values["wide"]) / 2,
    }
    first, second = sorted(means, key=lambda name: -means[name])  # groups by their means
    assert [shown(view)[place] for place in (0, 3)] == [
        f"Loss: {name} · 2 runs" for name in (first, second)
    ]
    assert [name.startswith("bce") for name in shown(view)[1:3]] == [first == "bce"] * 2
    assert model.text(3, 1) == f"{means[second]:.{model.digits(1)}f}"
    view.table.setCurrentIndex(model.index(0, 0))
    qtbot.keyClick(view.table, Qt.Key.Key_Left)
    assert shown(view)[:2] == [f"Loss: {first} · 2 runs", f"Loss: {second} · 2 runs"]
    assert len(names(view)) == 2
    model.sort(1, Qt.SortOrder.AscendingOrder)
    assert shown(view)[0] == f"Loss: {second} · 2 runs"
    assert model.as_tsv().splitlines()[1].startswith(f"Loss: {second} · 2 runs\t")
    assert [chip.text() for chip in view.filter_bar.chips] == ["Grouped by Loss"]
    view.filter_bar.chips[0].click()
    assert len(shown(view)) == 4


def test_seeds_are_grouped_as_repeats(view: ResultsView) -> None:
    view.acts.group_by(REPEATS)
    groups = [text for text in shown(view) if "·" in text]
    assert set(groups) == {"bce (2 seeds) · 2 runs", "dice · 1 run", "wide · 1 run"}


def test_conditions_are_typed_kept_and_taken_away(view: ResultsView, qtbot: QtBot) -> None:
    view.filter.show()
    view.filter.setText("loss = BCE")
    assert set(names(view)) == {"bce seed 1 of 2", "bce seed 2 of 2"}
    qtbot.keyClick(view.filter, Qt.Key.Key_Return)
    assert view.filter.text() == ""
    assert [chip.text() for chip in view.filter_bar.chips] == ["Loss = BCE"]
    assert view.filter_bar.count.text() == "2 of 4 runs"
    best = max(view.table.results.columns[1].value(row) for row in view.table.results.rows)
    view.filter.setText(f"iou >= {best - 1e-6:.6f}")
    assert names(view) == ["bce seed 1 of 2"]
    view.filter.clear()
    view.filter_bar.chips[0].click()
    assert set(names(view)) == set(RUNS)


@pytest.mark.parametrize(
    "text, sign, wanted",
    [("iou ≥ 0.7", "≥", 0.7), ("network width=32", "=", 32.0), ("Loss != bce", "≠", "bce")],
)
def test_conditions_as_typed(view: ResultsView, text: str, sign: str, wanted: object) -> None:
    found = filter_from(text, view.table.results.offered)
    assert found is not None
    assert (found.sign, found.wanted) == (sign, wanted)


def test_no_condition(view: ResultsView) -> None:
    offered = view.table.results.offered
    assert all(filter_from(text, offered) is None for text in ("bce", "nothing = 3", "=", ""))
    assert RowFilter(("x", ""), "X", "≥", 0.5).keeps(None) is False
    assert RowFilter(("x", ""), "X", "=", "").keeps(None) is True


def test_settings_and_facts_are_columns_and_what_differs_stands_out(view: ResultsView) -> None:
    view.choose_columns(
        {"setting:network.width": True, "setting:steps": True, "fact:model/parameters": True}
    )
    model = view.table.results
    width, cost = column(view, "Network width"), column(view, "Parameters")
    wide = names(view).index("wide")
    assert model.text(wide, width) == "32"
    bold = model.index(wide, width).data(Qt.ItemDataRole.FontRole).weight()
    other = model.index(wide - 1, width).data(Qt.ItemDataRole.FontRole).weight()
    assert bold > other >= QFont.Weight.Normal
    model.sort(cost, Qt.SortOrder.AscendingOrder)
    assert names(view) == list(RUNS)
    assert model.text(0, cost) == "1 k"
    assert "\t1000.0000\t" in model.as_tsv()
    view._fill_columns()
    menus = {a.text(): a.menu() for a in view.columns_menu.actions() if a.menu()}
    entries = menus["Settings"].actions()
    first = [action.text() for action in entries[:3]]
    assert set(first) == {"Network width", "Loss", "Seed"}
    assert entries[-1].text() == "Alike in all runs"
