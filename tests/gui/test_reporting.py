"""“Write report…”: asked where, written in the background, opened; the figures of the table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtGui import QDesktopServices, QImage
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from orgseg_app import settings
from orgseg_app.gui.comparing import reporting
from orgseg_app.gui.comparing.figure_pictures import SCALE, PictureMaker
from orgseg_app.gui.comparing.reporting import FOLDER, comparison_of
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.process import write_json
from orgseg_app.runs.reporting.report import make_report
from orgseg_app.runs.reporting.svg import Drawing
from tests.gui.recorded_runs import make_project, record_run
from tests.runs import reports_read

SPLITS = ("train", "validation", "test", "test", "test")


@pytest.fixture
def window(tmp_path: Path, qtbot: QtBot) -> Iterator[MainWindow]:
    """The Compare workspace with two runs that are ranked and two that are not."""
    path = tmp_path / "cells.orgseg"
    with make_project(path, splits=SPLITS, side=32) as file:
        tests = [image.image_id for image in file.project.in_split("test")]
        record_run(file, "good", quality=0.9, seed=1)
        record_run(file, "worse", quality=0.7, seed=2)
        record_run(file, "partly", quality=0.95, seed=3, scored=tests[:2])
        leaky = record_run(file, "leaky", quality=0.99, seed=4)
        images = [
            dict(i) | ({"split": "train"} if i["id"] == tests[0] else {})
            for i in leaky.request["images"]
        ]
        write_json(leaky.path / "request.json", leaky.request | {"images": images})
    window = MainWindow(settings.load())
    qtbot.addWidget(window)
    window.show()
    window.commands.open_path(path)
    window.show_workspace("compare")
    parts = window.ensure_parts()
    qtbot.waitUntil(lambda: len(parts.results.results.rows) == 4)
    yield window
    assert window.session.background.wait()
    window.close()


def answer(monkeypatch: pytest.MonkeyPatch, name: str, kind: str) -> list[str]:
    """Let the file dialog answer; what it suggested is noted."""
    asked: list[str] = []

    def save(parent: object, title: str, suggested: str, filters: str) -> tuple[str, str]:
        asked.append(suggested)
        assert kind in filters.split(";;") or not name
        return name, kind

    monkeypatch.setattr(QFileDialog, "getSaveFileName", save)
    return asked


def test_the_page_has_the_figures_of_the_table(
    window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    asked = answer(monkeypatch, str(tmp_path / "mine"), "Page to read and print (*.html)")
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    window.ensure_parts().results.report_button.click()
    reports = window.commands.reporting
    qtbot.waitUntil(lambda: reports.written is not None)
    assert Path(asked[0]).name == "cells comparison.html"
    assert reports.banner is not None
    assert "The report is written" in reports.banner.title.text()
    open_button, folder_button, _ = reports.banner.buttons
    open_button.click()
    folder_button.click()
    assert [Path(one) for one in opened] == [tmp_path / "mine.html", tmp_path]

    page = reports_read.Page(tmp_path / "mine.html")
    results = window.ensure_parts().results.results
    assert {row.name for row in results.ranked} == {"good", "worse"}
    for row in results.rows:  # the very numbers, ranked or not
        assert row.pooled is not None
        assert page.figures[f"{row.run_id} pooled mean_iou"][0][0] == row.value("iou", "")
        assert page.figures[f"{row.run_id} pooled dice ER"][0][0] == row.value("dice", "ER")
    for row in results.ranked:
        mean = page.figures[f"{row.run_id} ranking mean_of_images"][0][0]
        assert mean == pytest.approx(row.value("iou", "", mean=True))
    assert "of 2 ranked runs" in page.text
    assert "Not ranked: not scored on cell_05." in page.text
    assert "Not ranked: saw cell_03 while learning." in page.text

    # Where the table ranks none, the report ranks none.
    assert window.session.file is not None
    entries = window.ensure_parts().runs.compared_runs()
    runs = [RunFolder(e.run.path) for e in entries if e.name in ("partly", "leaky")]
    found = comparison_of(window.session.file, runs, results)
    report = make_report(found, runs, with_pictures=False)
    assert report.ranked == []
    assert [entry.run.name for entry in report.entries] == ["partly", "leaky"]


def test_a_folder_with_pictures_or_given_up(
    window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    answer(monkeypatch, str(tmp_path / "all.html"), FOLDER)
    reports = window.commands.reporting
    window.actions_by_id["write_report"].trigger()
    qtbot.waitUntil(lambda: reports.written is not None)
    assert reports.written == tmp_path / "all" / "report.html"
    image = QImage(str(tmp_path / "all" / "figures" / "01 scores.png"))
    assert image.width() == round(680 * SCALE)
    inks = {image.pixel(x, y) for x in range(0, 600, 3) for y in range(0, 300, 3)}
    assert len(inks) > 10  # words and dots, not an empty sheet

    said: list[str] = []
    window.session.message.connect(lambda text, level: said.append(text))
    answer(monkeypatch, str(tmp_path / "never.json"), "Everything, for programs (*.json)")
    window.actions_by_id["write_report"].trigger()
    reports.cancel()
    qtbot.waitUntil(lambda: any("given up" in text for text in said))
    assert not (tmp_path / "never.json").exists()
    assert reports.written == tmp_path / "all" / "report.html"

    (tmp_path / "file").write_text("in the way")
    reports.write(tmp_path / "file" / "r.html", [])
    qtbot.waitUntil(lambda: any("The scores are safe" in text for text in said))
    answer(monkeypatch, "", "")
    window.actions_by_id["write_report"].trigger()
    assert reports._task is None


def test_without_scores_it_says_so(
    tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(tmp_path / "empty.orgseg", splits=("train", "test"), side=16).close()
    window = MainWindow(settings.load())
    qtbot.addWidget(window)
    window.commands.open_path(tmp_path / "empty.orgseg")
    said: list[str] = []
    window.session.message.connect(lambda text, level: said.append(text))
    window.actions_by_id["write_report"].trigger()
    assert said == [reporting.NOTHING]
    assert window.session.background.wait()
    window.close()


def test_a_drawing_that_is_none_is_refused() -> None:
    drawing = Drawing(96, 48, "a figure")
    drawing.box(0, 0, 48, 48, "#d55e00")
    image = QImage.fromData(PictureMaker().png_of(drawing.to_svg()))
    assert (image.width(), image.height()) == (300, 150)
    assert image.pixelColor(75, 75).name() == "#d55e00"
    assert image.pixelColor(225, 75).name() == "#ffffff"
    assert round(image.dotsPerMeterX() * 0.0254) == 300
    with pytest.raises(ValueError, match="cannot be read"):
        PictureMaker().png_of("<svg")
