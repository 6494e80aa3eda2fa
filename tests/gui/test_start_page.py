"""The first page: what one can do on it, and that it is there at once."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from orgseg_app.core.samples.catalogue import SAMPLES, VOLUMES, simulate, simulate_volume
from orgseg_app.gui.panels.start_page import SAMPLE_TITLES, StartPage, sample_picture_path
from orgseg_app.gui.style.pictures import stretched
from orgseg_app.settings import Settings
from tests.gui.panel_session import nameless_controls, open_session

LEFT = Qt.MouseButton.LeftButton
COPY = Qt.DropAction.CopyAction
# Which image of each series is on the card; the files are made from it at 480 × 224, JPEG 82.
PICTURED = {"er": 3, "mitochondria": 5, "nuclei": 4, "em_volume": 4}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    session = open_session(tmp_path)
    session.close_project()
    gone = tmp_path / "gone.orgseg"
    more = [str(tmp_path / f"other & {n}.orgseg") for n in range(3)]
    return Settings(recent_projects=[str(tmp_path / "cells ü.orgseg"), str(gone), *more])


@pytest.fixture
def page(settings: Settings, qtbot: QtBot) -> Iterator[StartPage]:
    page = StartPage(settings)
    qtbot.addWidget(page)
    page.resize(1280, 800)
    yield page
    page.hide()


def test_every_control_is_named(page: StartPage) -> None:
    assert nameless_controls(page) == []


def test_two_ways_to_open(page: StartPage, qtbot: QtBot) -> None:
    page.show()
    with qtbot.waitSignal(page.open_images_requested):
        QTest.mouseClick(page.drop_area.images_button, LEFT)
    with qtbot.waitSignal(page.open_project_requested):
        QTest.mouseClick(page.drop_area.project_button, LEFT)


def test_recent_projects_are_cards_and_a_menu(
    page: StartPage, settings: Settings, qtbot: QtBot
) -> None:
    page.show()
    assert [card.text() for card in page.recent_cards] == [
        "cells ü",
        "gone",
        "other & 0",
        "other & 1",
    ]
    with qtbot.waitSignal(page.project_chosen) as told:
        QTest.mouseClick(page.recent_cards[0], LEFT)
    assert told.args == [Path(settings.recent_projects[0])]
    assert page.more_button.isVisible()
    rest = page.more_button.menu().actions()
    assert len(rest) == 1
    assert rest[0].text().startswith("other && 2")
    with qtbot.waitSignal(page.project_chosen) as told:
        rest[0].trigger()
    assert told.args == [Path(settings.recent_projects[4])]


def test_cards_get_their_pictures_later(page: StartPage, qtbot: QtBot) -> None:
    assert not page.recent_cards[0].has_picture()
    page.show()
    qtbot.waitUntil(lambda: page.recent_cards[0].has_picture())
    qtbot.waitUntil(lambda: page.recent_cards[1].words().startswith("Not found in"))
    assert all(card.has_picture() for card in page.sample_cards.values())


def test_without_recent_projects_there_is_no_empty_heading(qtbot: QtBot) -> None:
    settings = Settings()
    page = StartPage(settings)
    qtbot.addWidget(page)
    page.show()
    assert not page._recent.isVisible()
    settings.add_recent_project("/somewhere/new.orgseg")
    page.refresh()
    assert page._recent.isVisible()
    assert [card.text() for card in page.recent_cards] == ["new"]
    page.hide()


def test_samples(page: StartPage, qtbot: QtBot) -> None:
    assert list(page.sample_cards) == [kind for kind, _, _ in SAMPLE_TITLES]
    assert set(page.sample_cards) == {*SAMPLES, *VOLUMES}
    page.show()
    card = page.sample_cards["nuclei"]
    card.setFocus()
    with qtbot.waitSignal(page.sample_chosen) as told:
        QTest.keyClick(card, Qt.Key.Key_Space)
    assert told.args == ["nuclei"]


@pytest.mark.parametrize("kind", [kind for kind, _, _ in SAMPLE_TITLES])
def test_pictures_of_samples_are_what_is_simulated(kind: str) -> None:
    stored = cv2.imread(str(sample_picture_path(kind)), cv2.IMREAD_GRAYSCALE)
    assert stored is not None
    if kind in VOLUMES:
        pixels = simulate_volume(kind, PICTURED[kind], size=(1, 196, 420)).pixels[0]
    else:
        pixels = simulate(kind, PICTURED[kind], size=(196, 420)).pixels
    simulated = stretched(pixels)
    simulated = cv2.resize(simulated, (480, 224), interpolation=cv2.INTER_CUBIC)
    alike = np.corrcoef(stored.ravel(), simulated.ravel())[0, 1]
    assert alike > 0.97


def dropped(page: StartPage, urls: list[QUrl]) -> QDropEvent:
    mime = QMimeData()
    mime.setUrls(urls)
    place = page.drop_area.rect().center()
    plain = Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(place), COPY, mime, LEFT, plain)
    QApplication.sendEvent(page.drop_area, enter)
    drop = QDropEvent(QPointF(place), COPY, mime, LEFT, plain)
    if enter.isAccepted():
        QApplication.sendEvent(page.drop_area, drop)
    else:
        drop.ignore()
    return drop


def test_files_may_be_dropped(page: StartPage, tmp_path: Path, qtbot: QtBot) -> None:
    page.show()
    with qtbot.waitSignal(page.paths_dropped) as told:
        dropped(page, [QUrl.fromLocalFile(str(tmp_path)), QUrl("https://example.org/a.tif")])
    assert told.args == [[tmp_path]]


def test_links_are_not_taken(page: StartPage, qtbot: QtBot) -> None:
    page.show()
    with qtbot.assertNotEmitted(page.paths_dropped, wait=50):
        assert not dropped(page, [QUrl("https://example.org/a.tif")]).isAccepted()


@pytest.mark.parametrize(("width", "columns"), [(1280, 4), (1000, 4), (800, 2)])
def test_cards_stand_in_rows_that_fit(page: StartPage, width: int, columns: int) -> None:
    page.resize(width, 800)
    page.show()
    QApplication.processEvents()
    for cards in (page.recent_cards, list(page.sample_cards.values())):
        places = [card.mapTo(page, QPoint(0, 0)) for card in cards]
        assert sum(place.y() == places[0].y() for place in places) == columns
        assert min(place.x() for place in places) >= 0
        assert max(place.x() + cards[0].width() for place in places) <= width


def test_one_may_be_shown_around(page: StartPage, qtbot: QtBot) -> None:
    page.show()
    with qtbot.waitSignal(page.tour_requested):
        QTest.mouseClick(page.tour_button, LEFT)


def test_tab_reaches_everything(page: StartPage, qtbot: QtBot) -> None:
    page.show()
    page.activateWindow()
    qtbot.waitUntil(page.hasFocus)
    reached = []
    for _ in range(14):
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        reached.append(QApplication.focusWidget())
    wanted = [page.drop_area.images_button, page.drop_area.project_button]
    wanted += [*page.recent_cards, page.tour_button, *page.sample_cards.values()]
    assert [w for w in wanted if w not in reached] == []
    assert reached[0] is page.drop_area.images_button


def test_it_is_built_quickly(settings: Settings, qtbot: QtBot) -> None:
    took = []
    for _ in range(5):
        start = time.perf_counter()
        page = StartPage(settings)
        took.append(time.perf_counter() - start)
        qtbot.addWidget(page)
    # 5 ms where nobody else computes; the bound is what one would notice at the start
    assert min(took) < 0.06


def test_nothing_slow_is_imported_for_it() -> None:
    code = (
        "import sys, orgseg_app.gui.panels.start_page, orgseg_app.gui.style.icons;"
        "slow = {'h5py', 'scipy', 'torch', 'tifffile', 'pyqtgraph', 'superqt', 'cv2'};"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
