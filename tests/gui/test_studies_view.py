"""What came of a study, looked at: ranking, heat map, axes, reasons; test scores at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QGuiApplication, QHelpEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from orgseg_app.gui.comparing.confusion_view import contrast
from orgseg_app.gui.session import Session
from orgseg_app.gui.studies import study_lines
from orgseg_app.gui.studies.grid_data import grid_of
from orgseg_app.gui.studies.heat_map_view import VIRIDIS, viridis, words_on
from orgseg_app.gui.studies.study_facts import StudyFacts
from orgseg_app.gui.studies.study_view import PAGES, StudyView
from orgseg_app.gui.style import theme
from orgseg_app.runs.studies.effects import heat_map
from orgseg_app.runs.studies.folder import StudyFolder
from orgseg_app.runs.studies.results import StudyResults, study_results
from tests.gui.panel_session import nameless_controls
from tests.gui.studied import driven


@pytest.fixture
def view(qtbot: QtBot) -> Iterator[StudyView]:
    session = Session()
    view = StudyView(session)
    qtbot.addWidget(view)
    view.resize(860, 700)
    view.show()
    yield view
    session.background.wait()


def show(view: StudyView, study: StudyFolder) -> StudyResults:
    facts = StudyFacts(study, study.state)
    facts.take(study.events()[0])
    results = study_results(study)
    view.show_facts(facts)
    view.show_results(results)
    QApplication.processEvents()
    return results


def titles(view: StudyView) -> list[str]:
    return [column.title.replace("\n", ", ") for column in view.ranking.facts.columns]


def test_a_finished_study(view: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, study = driven(tmp_path, monkeypatch)
    results = show(view, study)
    assert view.name.text() == "two by two"
    assert view.question.text() == "Which?"
    assert view.state.whole_text() == "finished, 8 runs"
    assert view.pause_button.isHidden()
    assert view.stop_button.isHidden()
    assert view.resume_button.isHidden()
    best = view.ranking.facts.lines[0]
    assert best.cells[:6] == ("1", "Mean and spread", "Soft IoU", "0.810", "± 0.014", "2")
    assert best.is_strong
    assert "Test, judges one choice" in titles(view)
    assert best.cells[6] == "0.810 ± 0.014"
    assert [line.cells[0] for line in view.ranking.facts.lines] == ["1", "2", "3", "4"]
    assert len(results.why) == len(view.why.facts.lines) == 2
    assert [line.cells[:4] for line in view.why.facts.lines] == [
        ("Preprocessing", "Mean and spread", "Percentile range", "+0.200"),
        ("Loss", "Soft IoU", "Binary cross-entropy", "+0.400"),
    ]
    assert view.why.facts.lines[0].cells[5] == "7 of 7"
    assert "Mean and spread · Soft IoU is ahead" in view.why_words.text()
    assert len(view.runs.facts.lines) == 8
    assert nameless_controls(view) == []


def test_test_scores_wait_until_all_is_done(
    view: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, study = driven(tmp_path, monkeypatch, upto=5)
    results = show(view, study)
    assert results.test is None
    assert not any("Test" in title for title in titles(view))
    assert "once all runs are done" in view.judged.text()
    assert not view.resume_button.isHidden()
    assert "interrupted, 5 of 8 runs" in view.state.whole_text()
    waiting = [line.cells[2] for line in view.runs.facts.lines]
    assert waiting.count("finished") == 5
    assert waiting.count("waiting") == 3
    # What the table says comes from the results and from nothing else.
    counts = [line.cells[5] for line in view.ranking.facts.lines]
    assert sorted(counts) == [*["1 of 2"] * 3, "2"]


def test_the_map_shows_the_means_of_the_engine(
    view: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, study = driven(tmp_path, monkeypatch)
    results = show(view, study)
    grid, engine = view.map.grid, heat_map(results.runs, "preprocess", "loss")
    assert (grid.rows, grid.columns) == (engine.rows, engine.columns)
    assert [[c.spread for c in row] for row in grid.cells] == [list(row) for row in engine.cells]
    assert view.map.as_tsv().splitlines() == [
        "Preprocessing \\ Loss\tSoft IoU\tBinary cross-entropy",
        "Percentile range\t0.61\t0.51",
        "Mean and spread\t0.81\t0.41",
    ]
    view.rows_box.setCurrentIndex(1)  # the other axis gives way
    assert view.columns_box.currentData() == "preprocess"
    assert view.map.grid.rows == engine.columns


def test_a_cell_chooses_its_runs_by_mouse_and_by_keys(
    view: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    _, study = driven(tmp_path, monkeypatch)
    results = show(view, study)
    chosen: list[list[str]] = []
    shown: list[list[str]] = []
    view.runs_chosen.connect(chosen.append)
    view.runs_requested.connect(shown.append)
    best = [run.run_id for run in results.ranking[0].runs]
    spot = view.map.cell_rect(1, 0).center().toPoint()
    QTest.mouseClick(view.map, Qt.MouseButton.LeftButton, pos=spot)
    assert chosen == [best]
    assert view.runs_button.text() == "Show 2 runs"
    assert "0.810 ± 0.014" in view.map.accessibleDescription()
    view.runs_button.click()
    assert shown == [best]
    view.map.setFocus()
    QTest.keyClick(view.map, Qt.Key.Key_Up)
    QTest.keyClick(view.map, Qt.Key.Key_Up)  # there is no further row
    QTest.keyClick(view.map, Qt.Key.Key_Right)
    assert view.map.at == (0, 1)
    QTest.keyClick(view.map, Qt.Key.Key_Return)
    worst = [r.run_id for c in results.ranking for r in c.runs]
    assert set(shown[-1]) < set(worst)
    assert shown[-1] != best
    QTest.mouseClick(view.map, Qt.MouseButton.LeftButton, pos=QPoint(3, 3))
    assert view.map.at == (0, 1)
    view.ranking.selectRow(0)
    assert chosen[-1] == best
    QTest.keyClick(view.ranking, Qt.Key.Key_Return)
    assert shown[-1] == best


def test_a_cell_tells_what_it_is(
    view: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, study = driven(tmp_path, monkeypatch, upto=1)
    show(view, study)
    assert view.map.words(0, 0).endswith("Mean IoU 0.600 (1 of 2 runs)")
    assert view.map.words(1, 1).endswith("none of 2 runs has a score yet")
    spot = view.map.cell_rect(0, 0).center().toPoint()
    event = QHelpEvent(QEvent.Type.ToolTip, spot, view.map.mapToGlobal(spot))
    assert QApplication.sendEvent(view.map, event)


def test_what_cannot_be_trained_is_left_out_and_said(
    view: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.runs.studies.doubles import make_study

    text = (
        'name = "fusion"\nrecipe = "fast"\n[[axes]]\nkey = "network"\nvalues = ["unet", "fcn32"]\n'
        '[[axes]]\nkey = "network.fusion"\nvalues = ["origin", "concat"]\n'
    )
    _, study = make_study(tmp_path, text)
    assert study.refused
    show(view, study)
    grid = view.map.grid
    places = [
        (row, column)
        for row in range(len(grid.rows))
        for column in range(len(grid.columns))
        if not grid.cells[row][column].planned
    ]
    assert len(places) == len(study.refused)
    assert view.map.words(*places[0]).endswith("left out, it cannot be trained")
    view.show_page("notes")
    notes = view.pages.currentWidget().findChildren(type(view.question))
    assert any("Left out" in words.text() for words in notes)


def test_one_axis_is_one_row_and_seeds_alone_have_no_map(
    view: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.runs.studies.doubles import make_study

    base = 'recipe = "fast"\n[settings]\nsteps = 12\n'
    axis = '[[axes]]\nkey = "loss"\nvalues = ["bce", "dice", "focal"]\n'
    _, study = make_study(tmp_path, 'name = "one"\n' + base + axis)
    show(view, study)
    assert view.map.grid.rows == ("",)
    assert view.map.grid.columns == ("bce", "dice", "focal")
    assert view.axes.isHidden()
    _, seeds = make_study(tmp_path, 'name = "luck"\nseeds = 3\n' + base)
    results = show(view, seeds)
    assert view.map.grid.rows == ()
    assert view.map.is_empty
    assert view.ranking.facts.lines[0].cells[1] == "The recipe itself"
    assert grid_of(results.runs[:0], "", "x").cells == ()


def test_figures_are_saved_and_tables_copied(
    view: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, study = driven(tmp_path, monkeypatch)
    results = show(view, study)
    for figure in (view.map, view.effects):
        figure.save(tmp_path / "a.svg")
        text = (tmp_path / "a.svg").read_text()
        assert text.count("<text") > 10
        assert "0.81" in text or "0.8" in text
        figure.save(tmp_path / "a.png")
        assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
        assert figure.to_image().width() == 3 * figure.picture_size().width()
    for page, first in (
        ("map", "Preprocessing \\ Loss"),
        ("effects", "axis"),
        ("why", "Axis"),
        ("runs", ""),
    ):
        view.show_page(page)
        view.copy_page.click()
        lines = QGuiApplication.clipboard().text().splitlines()
        assert lines[0].split("\t")[0] == first
        assert len({line.count("\t") for line in lines}) == 1
    view.copy_button.click()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert len(lines) == 1 + len(results.ranking)
    assert lines[1].split("\t")[3] == "0.810"


def test_every_page_in_light_and_dark(
    view: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, study = driven(tmp_path, monkeypatch, ends={2: ["failed"]})
    results = show(view, study)
    assert results.folder.state == "finished"
    assert not view.resume_button.isHidden()  # the one that failed can be tried again
    failed = view.runs.facts.lines[1]
    assert (failed.cells[2], failed.cells[5]) == ("failed", "failed, as told")
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    for mode in ("dark", "light"):
        theme.apply(app, mode)
        for page in PAGES:
            view.show_page(page)
            assert not view.grab().isNull()


def test_the_colours_rise_in_brightness_and_words_are_readable() -> None:
    lights = [viridis(share / 20).lightnessF() for share in range(21)]
    shades = [contrast(viridis(share / 20), viridis(0)) for share in range(21)]
    assert shades == sorted(shades)
    assert len(set(lights)) > 10
    assert viridis(0).name().upper() == VIRIDIS[0]
    assert viridis(1).name().upper() == VIRIDIS[-1]
    for share in range(21):
        assert contrast(words_on(viridis(share / 20)), viridis(share / 20)) >= 4.5


def test_lines_stay_selected_when_newer_figures_come(
    view: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, study = driven(tmp_path, monkeypatch)
    results = show(view, study)
    view.ranking.selectRow(1)
    kept = view.ranking.chosen_runs()
    assert kept
    columns, lines = study_lines.ranking(results)
    view.ranking.take(columns, [*lines[1:], lines[0]])
    assert view.ranking.chosen_runs() == kept


def test_a_grid_of_five_hundred_runs_is_shown_at_once(
    view: StudyView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    _, study = driven(tmp_path, monkeypatch)
    results = show(view, study)
    many = dataclasses.replace(
        results,
        runs=results.runs * 62,
        ranking=results.ranking * 62,
    )
    before = time.perf_counter()
    view.show_results(many)
    assert time.perf_counter() - before < 2  # a sign of something quadratic, no measurement
    assert len(view.runs.facts.lines) == 496
