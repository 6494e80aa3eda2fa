"""Large and linked images: something to see at once, and where their file is away."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files import importing as files_importing
from orgseg_app.files.images import links
from orgseg_app.files.images.content import Source
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.files.readers.registry import read_images
from orgseg_app.gui.canvas import image_canvas, rendering
from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
from orgseg_app.gui.canvas.options import DisplayOptions, ToolOptions
from orgseg_app.gui.canvas.tiles import TiledPyramid
from orgseg_app.gui.main_window import MainWindow
from orgseg_app.gui.panels.images_list import LINK_ROLE
from orgseg_app.gui.project import linking
from orgseg_app.gui.session import Session
from orgseg_app.gui.viewing.overview import overview_of
from orgseg_app.settings import Settings

SIDE = 1300
SELECT_ONE = (
    QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
)


# -- the canvas ------------------------------------------------------------------------------------


class ReadHere:
    """In place of the process of its own that reads linked files."""

    def reads(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def close(self) -> None:
        pass


def noise(seed: int = 0, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2, 300, (side, side)).astype(np.uint16)


def make_canvas(session: Session, qtbot: QtBot) -> AnnotationCanvas:
    canvas = AnnotationCanvas(session, ToolOptions(session), DisplayOptions(session))
    qtbot.addWidget(canvas)
    canvas.resize(620, 480)
    canvas.show()
    return canvas


@pytest.fixture
def session(tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A small image, then a large one."""
    monkeypatch.setattr(image_canvas, "OVERVIEW_BYTES", 2**20)
    session = Session()
    session.create_project(tmp_path / "p.orgseg", default_classes(["ER"]))
    assert session.file is not None
    session.file.add_images(
        [NewImage(open_array("small", noise(1, 60))), NewImage(open_array("large", noise()))]
    )
    session.select_image(image_ids(session)["small"])
    yield session
    session.close_project()


def image_ids(session: Session) -> dict[str, str]:
    assert session.project is not None
    return {image.name: image_id for image_id, image in session.project.images.items()}


def test_a_large_image_is_seen_before_it_is_read(session: Session, qtbot: QtBot) -> None:
    canvas = make_canvas(session, qtbot)
    large = image_ids(session)["large"]
    session.select_image(large)
    assert canvas.plane_size == (SIDE, SIDE)  # at once, and no voxel has been read
    assert session.loaded_plane(large, 0) is None
    assert canvas.is_shown
    canvas.grab()
    qtbot.waitUntil(lambda: canvas._loader.is_idle)  # level 1, which is finer than what is at once
    before, contrast = canvas.grab().toImage(), canvas.display.shown_levels()
    reach = canvas.display.value_range
    assert_only_the_overview(canvas, qtbot)
    voxel = session.voxel(7, 9)
    assert voxel is not None
    np.testing.assert_array_equal(voxel, noise()[None, 7, 9])  # of one block
    assert session.loaded_plane(large, 0) is None
    canvas.set_zoom(0.6)  # closer than level 1 is fine for
    canvas.grab()
    qtbot.waitUntil(lambda: canvas._loader.is_idle)
    assert session.loaded_plane(large, 0) is None  # only what is in sight has been read
    assert 0 in {key.level for key in session.tiles._tiles}
    canvas.fit()
    assert canvas.display.shown_levels() == contrast  # nothing jumps
    assert canvas.display.value_range == reach
    assert (contrast, reach) == (
        rendering.auto_levels(noise()[None]),
        rendering.value_range(noise()[None]),
    )
    assert canvas.grab().toImage() == before
    canvas.set_zoom(4.0)
    canvas.grab()
    qtbot.waitUntil(lambda: canvas._loader.is_idle)
    view = canvas.visible_box()
    got = canvas._pyramid.sample(view.y0 + 0.5, view.x0 + 0.5, 1.0, (9, 9))[0]  # type: ignore[union-attr]
    np.testing.assert_array_equal(got, noise()[view.y0 : view.y0 + 9, view.x0 : view.x0 + 9])


def assert_only_the_overview(canvas: AnnotationCanvas, qtbot: QtBot) -> None:
    """However often it is painted, from afar no voxel is read."""
    for factor in (0.5, 1.5):
        canvas.zoom_by(factor)
        canvas.grab()
        qtbot.wait(20)
    canvas.fit()
    canvas.grab()
    qtbot.waitUntil(lambda: canvas._loader.is_idle)
    assert canvas.session.background.is_idle
    assert isinstance(canvas._pyramid, TiledPyramid)
    levels = {key.level for key in canvas.session.tiles._tiles}
    assert 0 not in levels


def test_who_goes_on_at_once_waits_for_no_image(
    session: Session, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    canvas = make_canvas(session, qtbot)
    ids = image_ids(session)
    session.select_image(ids["large"])
    canvas.set_zoom(1.0)
    canvas.grab()
    session.select_image(ids["small"])
    qtbot.wait(20)
    qtbot.waitUntil(lambda: session.background.is_idle)
    assert canvas.plane_size == (60, 60)
    assert canvas._overview is None
    session.select_image(ids["large"])  # as close as it was left
    canvas.grab()
    qtbot.waitUntil(lambda: any(key.level == 0 for key in session.tiles._tiles))


def test_a_glance_reads_no_large_plane(session: Session) -> None:
    large = image_ids(session)["large"]
    session._planes.clear()
    assert session.glance(large, 0).shape == (1, 325, 325)
    assert session.loaded_plane(large, 0) is None
    session.plane(large, 0)
    assert session.glance(large, 0).shape == (1, SIDE, SIDE)


def test_colour_pictures_keep_their_range(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(40, 90, (3, 1, 1100, 600)).astype(np.uint8)
    with ProjectFile.create(tmp_path / "p.orgseg", default_classes(["ER"])) as file:
        image = file.add_images([NewImage(open_array("rgb", pixels, is_rgb=True))])[0]
        overview = overview_of(file, image, 0)
        assert overview is not None
        assert overview.levels == rendering.auto_levels(pixels[:, 0], is_rgb=True)
        assert overview.value_range == (0.0, 255.0)


# -- linked images ---------------------------------------------------------------------------------


@pytest.fixture
def window(tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[MainWindow]:
    """A project whose two images are linked; the files have been moved to “new”."""
    monkeypatch.setattr(links, "ReadingChild", ReadHere)
    for folder in ("old", "work"):
        (tmp_path / folder).mkdir()
    items = []
    for seed, name in enumerate("ab"):
        tifffile.imwrite(tmp_path / "old" / f"{name}.tif", noise(seed, 600))
        source = Source(tmp_path / "old" / f"{name}.tif")
        items.append(NewImage(read_images(source.path)[0], linked=source))
    with ProjectFile.create(tmp_path / "work" / "p.orgseg", default_classes(["ER"])) as file:
        file.add_images(items)
    (tmp_path / "new").mkdir()
    shutil.move(tmp_path / "old" / "a.tif", tmp_path / "new" / "b.tif")
    shutil.move(tmp_path / "old" / "b.tif", tmp_path / "new" / "a.tif")
    window = MainWindow(Settings())
    qtbot.addWidget(window)
    window.resize(1000, 700)
    window.show()
    yield window
    window.session.close_project(discard=True)
    window.close()


def test_a_missing_file_leaves_the_overview_and_a_sentence(
    window: MainWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    said: list[tuple[str, str]] = []
    session = window.session
    session.message.connect(lambda text, level: said.append((level, text)))
    window.commands.open_path(tmp_path / "work" / "p.orgseg")
    canvas = window.ensure_parts().canvas
    watch = window.commands.linking
    qtbot.waitUntil(lambda: watch.banner is not None and watch.banner.isVisible())
    assert watch.banner is not None
    assert watch.banner.title.text() == "“a” is shown as a preview: its file “a.tif” was not found."
    assert [button.text() for button in watch.banner.buttons] == ["Find the file…"]
    assert canvas.plane_size == (600, 600)
    assert isinstance(canvas._pyramid, TiledPyramid)
    qtbot.waitUntil(lambda: canvas._pyramid is not None and not canvas._pyramid.has_voxels)
    assert said == []  # once is enough

    window.commands.linking.find(tmp_path / "new")
    qtbot.waitUntil(lambda: any(t == "2 linked images found; none is missing." for _, t in said))
    qtbot.waitUntil(lambda: canvas._pyramid is not None and canvas._pyramid.has_voxels)
    np.testing.assert_array_equal(seen(canvas, qtbot), noise(0, 600)[100:300, 100:300])  # no mix-up
    assert not watch.banner.isVisible()
    session.select_neighbour(1)
    np.testing.assert_array_equal(seen(canvas, qtbot), noise(1, 600)[100:300, 100:300])
    assert session.loaded_plane(session.image_id, 0) is None


def seen(canvas: AnnotationCanvas, qtbot: QtBot) -> np.ndarray:
    """Voxels 100 to 300 of the first channel, as the canvas shows them once they are there."""
    canvas.set_zoom(1.0)
    canvas.grab()
    qtbot.waitUntil(lambda: canvas._loader.is_idle)
    assert canvas._pyramid is not None
    canvas._pyramid.sample(100.5, 100.5, 1.0, (200, 200))  # asks for what is out of sight
    qtbot.waitUntil(lambda: canvas._loader.is_idle)
    return canvas._pyramid.sample(100.5, 100.5, 1.0, (200, 200))[0]


def choose_file(monkeypatch: pytest.MonkeyPatch, path: Path) -> list[str]:
    """The person will choose this file; what she is asked."""
    from PySide6.QtWidgets import QFileDialog

    asked: list[str] = []

    def choose(parent: object, title: str, folder: str) -> tuple[str, str]:
        asked.append(title)
        return str(path), ""

    monkeypatch.setattr(QFileDialog, "getOpenFileName", choose)
    return asked


def test_images_whose_file_is_away_are_marked_and_can_be_found(
    window: MainWindow, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    session = window.session
    session.message.connect(lambda text, level: said.append(text))
    window.commands.open_path(tmp_path / "work" / "p.orgseg")
    panel = window.ensure_parts().images
    rows = [panel.model.index(row) for row in range(2)]
    qtbot.waitUntil(lambda: [row.data(LINK_ROLE) for row in rows] == ["missing", "missing"])
    assert "file missing" in rows[1].data(Qt.ItemDataRole.AccessibleTextRole)
    assert "“b.tif” was not found" in rows[1].data(Qt.ItemDataRole.ToolTipRole)

    def press_find(row: int) -> None:
        # Not by setCurrentIndex: it heeds keys that an earlier test may have left pressed.
        panel.view.selectionModel().setCurrentIndex(rows[row], SELECT_ONE)
        menu = QMenu()
        panel.menu_actions(menu)
        next(a for a in menu.actions() if a.text() == "Find the file…").trigger()

    stranger = tmp_path / "a.tif"  # called as the one that is missing, and another image
    tifffile.imwrite(stranger, noise(9, 600))
    asked = choose_file(monkeypatch, stranger)
    press_find(0)
    qtbot.waitUntil(lambda: len(said) == 1)
    assert asked == ["Find “a.tif”"]
    assert said[0].startswith("“a.tif” is not the file of “a”: it holds something else")
    assert rows[0].data(LINK_ROLE) == "missing"

    choose_file(monkeypatch, tmp_path / "new" / "a.tif")  # it holds what b.tif did
    press_find(0)
    qtbot.waitUntil(lambda: len(said) == 2)
    # By what it holds, whatever was meant; and the one beside it is found with it.
    assert said[1] == "“a” found, and with it “b”."
    qtbot.waitUntil(lambda: [row.data(LINK_ROLE) for row in rows] == ["found", "found"])
    assert session.file is not None
    for number, image_id in enumerate(session.file.project.images):
        plane = session.file.read_plane(image_id, 0)
        np.testing.assert_array_equal(plane[0], noise(number, 600))
    menu = QMenu()
    panel.menu_actions(menu)
    assert "Find the file…" not in [action.text() for action in menu.actions()]


def test_a_file_that_is_put_back_is_seen_without_being_asked(
    window: MainWindow, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linking, "LOOK_AGAIN_S", -1.0)
    monkeypatch.setattr(links, "_REPEAT_S", 0.0)
    window.commands.open_path(tmp_path / "work" / "p.orgseg")
    canvas, watch = window.ensure_parts().canvas, window.commands.linking
    qtbot.waitUntil(lambda: watch.banner is not None and watch.banner.isVisible())
    qtbot.waitUntil(lambda: watch.looking.is_idle and window.session.background.is_idle)
    shutil.move(tmp_path / "new" / "b.tif", tmp_path / "old" / "a.tif")
    watch._on_application_state(Qt.ApplicationState.ApplicationActive)
    qtbot.waitUntil(lambda: watch.banner is not None and not watch.banner.isVisible())
    qtbot.waitUntil(lambda: canvas._pyramid is not None and canvas._pyramid.has_voxels)
    qtbot.waitUntil(lambda: watch.looking.is_idle)


def test_finding_asks_for_one_folder_only_where_something_is_linked(
    window: MainWindow, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PySide6.QtWidgets import QFileDialog

    asked: list[str] = []

    def choose(parent: object, title: str, folder: str) -> str:
        asked.append(title)
        return str(tmp_path / "old")

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", choose)
    said: list[str] = []
    window.session.message.connect(lambda text, level: said.append(text))
    window.commands.open_path(tmp_path / "work" / "p.orgseg")
    window.actions_by_id["find_links"].trigger()
    qtbot.waitUntil(
        lambda: any("0 of 2 linked images found; missing: “a”, “b”." in t for t in said)
    )
    assert asked == ["Find linked images"]
    with ProjectFile.create(tmp_path / "q.orgseg", default_classes(["ER"])):
        pass
    window.commands.open_path(tmp_path / "q.orgseg")
    window.actions_by_id["find_links"].trigger()
    assert "Every image of this project is in the project itself." in said
    assert len(asked) == 1


def test_large_files_are_asked_about_and_linked(
    window: MainWindow, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ProjectFile.create(tmp_path / "q.orgseg", default_classes(["ER"])):
        pass
    window.commands.open_path(tmp_path / "q.orgseg")
    importing = window.commands.importing
    session = window.session
    importing.take([tmp_path / "new" / "a.tif"])  # small: no question
    qtbot.waitUntil(lambda: session.project is not None and len(session.project.images) == 1)
    assert importing.bar is None
    monkeypatch.setattr(files_importing, "LINK_FROM_BYTES", 1000)
    importing.take([tmp_path / "new" / "b.tif"])
    qtbot.waitUntil(lambda: importing.bar is not None and importing.bar.isVisible())
    assert importing.bar is not None
    check = importing.bar.link_check
    assert check.isVisible()
    assert check.isChecked()
    assert "GB" in check.text()
    importing.bar.use_button.click()
    qtbot.waitUntil(lambda: session.project is not None and len(session.project.images) == 2)
    assert session.project is not None
    linked = [image.link is not None for image in session.project.images.values()]
    assert linked == [False, True]
    importing.take([tmp_path / "new" / "b.tif"])
    qtbot.waitUntil(lambda: importing.bar is not None and importing.bar.isVisible())
    check.setChecked(False)
    importing.bar.use_button.click()
    qtbot.waitUntil(lambda: session.project is not None and len(session.project.images) == 3)
    assert session.project is not None
    assert list(session.project.images.values())[2].link is None
