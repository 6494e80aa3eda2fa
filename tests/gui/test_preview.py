"""The preprocessing of the recipe previewed on the canvas: the very values training gets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.core.preprocessing import steps as preprocess
from orgseg_app.core.preprocessing.steps import PREPROCESSING, apply_steps, fit_reference
from orgseg_app.files.images.content import Source
from orgseg_app.files.project_file import NewImage
from orgseg_app.files.readers.registry import read_images
from orgseg_app.gui.canvas import image_canvas, preparing, preview
from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
from orgseg_app.gui.canvas.options import DisplayOptions, ToolOptions
from orgseg_app.gui.canvas.plane_view import ViewState
from orgseg_app.gui.canvas.rendering import PlanePyramid, to_bytes
from orgseg_app.gui.canvas.tile_cache import TileKey
from orgseg_app.gui.canvas.tiles import TiledPyramid
from orgseg_app.gui.session import Session
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.schema import PreprocessStep
from tests.e2e.hand import Hand, make_project

CLAHE, ZSCORE = PreprocessStep("clahe"), PreprocessStep("zscore")
STEP = st.one_of(
    st.just(PreprocessStep("minmax")),
    st.just(ZSCORE),
    st.builds(
        lambda low, high: PreprocessStep("percentile", {"low": low, "high": high}),
        st.floats(0, 49),
        st.floats(51, 100),
    ),
    st.builds(
        lambda clip, tiles: PreprocessStep("clahe", {"clip_limit": clip, "tiles": float(tiles)}),
        st.floats(0.1, 40),
        st.integers(1, 12),
    ),
    st.sampled_from([name for name in PREPROCESSING if name != "match"]).map(PreprocessStep),
)


def pictures() -> dict[str, np.ndarray]:
    """``(C, Z, Y, X)`` of every kind there is."""
    random = np.random.default_rng(0)
    grey = random.gamma(2, 300, (1, 1, 61, 83))
    holes = grey.astype(np.float32) / 1000
    holes[0, 0, :4, :5] = np.nan
    holes[0, 0, 9, 9] = np.inf
    return {
        "16 bit": grey.clip(0, 65535).astype(np.uint16),
        "8 bit": (grey / 10).clip(0, 255).astype(np.uint8),
        "float with holes": holes,
        "two channels": random.integers(0, 4000, (2, 1, 50, 40)).astype(np.uint16),
        "one pixel": np.full((1, 1, 1, 1), 7, np.uint16),
        "flat": np.full((1, 1, 9, 9), 1.5, np.float32),
        "stack": random.integers(0, 3000, (1, 5, 40, 44)).astype(np.uint16),
        "colours": random.integers(0, 256, (3, 1, 30, 31)).astype(np.uint8),
    }


@pytest.fixture
def canvas(tmp_path: Path, qtbot: QtBot) -> Iterator[AnnotationCanvas]:
    """All kinds of images in a project; the first is shown at one voxel a pixel."""
    session = Session()
    session.create_project(tmp_path / "p.orgseg", default_classes(["ER"]))
    assert session.file is not None
    made = [
        NewImage(replace(open_array(name, values), is_rgb=name == "colours"), "train")
        for name, values in pictures().items()
    ]
    session.file.add_images(made)
    canvas = AnnotationCanvas(session, ToolOptions(session), DisplayOptions(session))
    qtbot.addWidget(canvas)
    canvas.resize(320, 240)
    canvas.show()
    choose(canvas, "16 bit")
    yield canvas
    session.close_project(discard=True)


def choose(canvas: AnnotationCanvas, name: str) -> np.ndarray:
    """Show an image; its voxels ``(C, Y, X)``."""
    project = canvas.session.project
    assert project is not None
    found = next(i for i in project.images.values() if i.name == name)
    canvas.session.select_image(found.image_id)
    canvas.set_zoom(1.0)
    return pictures()[name][:, 0] if name in pictures() else np.zeros((1, 1, 1))


def calm(canvas: AnnotationCanvas) -> None:
    """Everything is prepared and shown."""
    for _ in range(2000):
        QApplication.processEvents()
        if canvas.preview.is_idle and canvas.preview._background.is_idle:
            break
        threading.Event().wait(0.002)
    assert canvas.preview.is_idle
    QApplication.processEvents()


def prepared(canvas: AnnotationCanvas) -> np.ndarray:
    """What stands in for the plane, ``(C, Y, X)``."""
    picture = canvas.picture
    assert isinstance(picture, PlanePyramid)
    assert canvas.preview.prepared is not None
    assert picture is canvas.preview.prepared.picture
    return np.asarray(picture.plane)


# -- what is shown ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(pictures()))
@given(steps=st.lists(STEP, max_size=3))
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_it_shows_what_the_network_gets(
    canvas: AnnotationCanvas, name: str, steps: list[PreprocessStep]
) -> None:
    values = choose(canvas, name)
    canvas.preview.set_on(True)
    with np.errstate(all="ignore"):
        canvas.preview.set_steps(steps)
        calm(canvas)
        expected = apply_steps(values, steps)
    np.testing.assert_array_equal(prepared(canvas), expected)
    assert canvas.preview.prepared is not None
    assert canvas.preview.prepared.how == ""


def test_the_pixels_on_the_screen_are_those_values(canvas: AnnotationCanvas) -> None:
    values = choose(canvas, "16 bit")
    before = grey(canvas)
    own = canvas.display.shown_levels(), canvas.display.levels, canvas.display.looks()
    canvas.display.update(gamma=2.0)  # the image's own contrast is no part of what a network sees
    canvas.preview.set_steps([CLAHE])
    canvas.preview.set_on(True)
    calm(canvas)
    assert canvas.preview.prepared is not None
    (limits,) = canvas.preview.prepared.levels
    np.testing.assert_array_equal(grey(canvas), to_bytes(apply_steps(values, [CLAHE])[0], *limits))
    canvas.display.update(gamma=1.0)
    assert own == (canvas.display.shown_levels(), canvas.display.levels, canvas.display.looks())
    canvas.preview.set_on(False)
    np.testing.assert_array_equal(grey(canvas), before)
    stored = canvas.session.plane(canvas.session.image_id, 0)
    np.testing.assert_array_equal(stored, values)


def grey(canvas: AnnotationCanvas) -> np.ndarray:
    """The plane as it is on the screen, at one voxel a pixel, without what lies on top."""
    canvas.badge.setVisible(False)
    canvas.set_view(ViewState(30, 41, 1.0))  # voxels and pixels in one grid
    corner = canvas.to_widget(0, 0)
    picture = canvas.grab().toImage()
    assert canvas.plane_size is not None
    height, width = canvas.plane_size
    x0, y0 = round(corner.x()), round(corner.y())
    return np.array(
        [[picture.pixelColor(x0 + x, y0 + y).red() for x in range(width)] for y in range(height)]
    )


def test_colours_stay_as_they_are_to_one_another(canvas: AnnotationCanvas) -> None:
    choose(canvas, "colours")
    canvas.preview.set_steps([PreprocessStep("minmax")])
    canvas.preview.set_on(True)
    calm(canvas)
    assert canvas.preview.prepared is not None
    assert len(set(canvas.preview.prepared.levels)) == 1


# -- live ------------------------------------------------------------------------------------------


def test_it_follows_steps_planes_and_images(canvas: AnnotationCanvas) -> None:
    canvas.preview.set_steps([ZSCORE])
    canvas.preview.set_on(True)
    for clip in (1.0, 9.0):
        steps = [PreprocessStep("clahe", {"clip_limit": clip})]
        canvas.preview.set_steps(steps)
        calm(canvas)
        np.testing.assert_array_equal(
            prepared(canvas), apply_steps(pictures()["16 bit"][:, 0], steps)
        )
    choose(canvas, "stack")
    for z in (0, 1, 3, 2):
        canvas.session.select_plane(z)
        calm(canvas)
        np.testing.assert_array_equal(
            prepared(canvas), apply_steps(pictures()["stack"][:, z], steps)
        )


def test_the_next_plane_is_there_at_once(canvas: AnnotationCanvas) -> None:
    choose(canvas, "stack")
    canvas.preview.set_steps([CLAHE])
    canvas.preview.set_on(True)
    calm(canvas)
    for z in (1, 2, 1, 0):
        canvas.session.select_plane(z)
        np.testing.assert_array_equal(
            prepared(canvas), apply_steps(pictures()["stack"][:, z], [CLAHE])
        )
        calm(canvas)


class Gate:
    """A step that waits until it is let through."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.let, self.entered = threading.Semaphore(0), threading.Event()
        self.times = 0
        slow = replace(PREPROCESSING["zscore"], whole=self.run)
        monkeypatch.setitem(preprocess.PREPROCESSING, "zscore", slow)

    def run(self, plane: np.ndarray, params: object) -> np.ndarray:
        self.times += 1
        self.entered.set()
        assert self.let.acquire(timeout=20)
        return np.zeros(plane.shape, np.float32)


def test_what_takes_long_says_so_and_painting_goes_on(
    canvas: AnnotationCanvas, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    canvas.preview.set_steps([CLAHE, ZSCORE])
    canvas.preview.set_on(True)
    assert canvas.badge.aside.isHidden()  # not for what is done in a moment
    qtbot.waitUntil(lambda: canvas.badge.aside.isVisible())
    assert canvas.badge.aside.text() == "50%"
    assert canvas.picture is canvas._pyramid  # the image, until it is ready
    middle = canvas.to_widget(30, 40).toPoint()
    canvas.session.select_class(2)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, pos=middle)
    QTest.mouseMove(canvas, middle + QPoint(8, 0))
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=middle + QPoint(8, 0))
    assert canvas.session.mask().to_array()[0, 30, 40] == 2
    gate.let.release()
    calm(canvas)
    assert canvas.badge.aside.isHidden()
    assert not prepared(canvas).any()


def test_a_smaller_copy_comes_first_where_it_takes_a_while(
    canvas: AnnotationCanvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    let, entered, real = threading.Event(), threading.Event(), preparing.prepare_channel

    def slow(*args: Any) -> np.ndarray:
        entered.set()
        assert let.wait(20)
        return real(*args)

    monkeypatch.setattr(preparing, "prepare_channel", slow)
    monkeypatch.setattr(preparing, "FIRST_LOOK", 61 * 83 // 4 - 1)
    steps = [PreprocessStep("gaussian", {"sigma": 3.0}), PreprocessStep("zscore")]
    canvas.preview.set_steps([ZSCORE])  # which is as quick as a smaller copy
    canvas.preview.set_on(True)
    assert entered.wait(10)
    QApplication.processEvents()
    assert canvas.preview.prepared is None
    let.set()
    calm(canvas)
    let.clear()
    entered.clear()
    canvas.preview.set_steps(steps)
    assert entered.wait(10)
    QApplication.processEvents()
    assert canvas.preview.prepared is not None
    assert canvas.preview.prepared.how.startswith("A smaller copy")
    glimpse = prepared(canvas)
    expected = apply_steps(pictures()["16 bit"][:, 0], steps)
    assert glimpse.shape == expected.shape
    assert np.corrcoef(glimpse.ravel(), expected.ravel())[0, 1] > 0.9
    let.set()
    calm(canvas)
    assert canvas.preview.prepared.how == ""
    np.testing.assert_array_equal(prepared(canvas), expected)


def test_what_is_learnt_later_is_said(canvas: AnnotationCanvas) -> None:
    values = choose(canvas, "16 bit")
    canvas.preview.set_steps([PreprocessStep("match")])
    canvas.preview.set_on(True)
    calm(canvas)
    np.testing.assert_array_equal(prepared(canvas), values)
    assert "learnt when a training starts" in canvas.badge.toolTip()
    learnt = fit_reference(PreprocessStep("match"), [values])
    canvas.preview.set_steps([learnt])
    calm(canvas)
    np.testing.assert_array_equal(prepared(canvas), apply_steps(values, [learnt]))
    assert canvas.badge.aside.isHidden()


def test_a_poor_order_of_steps_is_said_at_the_badge(canvas: AnnotationCanvas) -> None:
    canvas.preview.set_on(True)
    canvas.preview.set_steps([PreprocessStep("median"), CLAHE])
    assert "before it" not in canvas.badge.toolTip()
    canvas.preview.set_steps([CLAHE, PreprocessStep("median")])
    calm(canvas)
    assert "Median filter" in canvas.badge.toolTip()
    assert "before it" in canvas.badge.toolTip()


def test_switched_off_nothing_comes_any_more(
    canvas: AnnotationCanvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    choose(canvas, "two channels")
    canvas.preview.set_steps([ZSCORE])
    canvas.preview.set_on(True)
    assert gate.entered.wait(10)
    canvas.preview.set_on(False)
    assert canvas.badge.isHidden()
    gate.let.release(5)
    calm(canvas)
    assert gate.times == 1  # the other channel is not computed
    assert canvas.picture is canvas._pyramid
    assert canvas.preview.prepared is None


def test_the_newest_wish_wins(canvas: AnnotationCanvas, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)
    canvas.preview.set_steps([ZSCORE])
    canvas.preview.set_on(True)
    assert gate.entered.wait(10)
    for clip in (2.0, 3.0, 4.0):
        steps = [PreprocessStep("clahe", {"clip_limit": clip})]
        canvas.preview.set_steps(steps)
    gate.let.release(5)
    calm(canvas)
    expected = apply_steps(pictures()["16 bit"][:, 0], steps)
    np.testing.assert_array_equal(prepared(canvas), expected)


def test_a_step_that_fails_is_said_once_and_the_image_stays(
    canvas: AnnotationCanvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[str, str]] = []
    canvas.session.message.connect(lambda text, level: said.append((level, text)))

    def fail(plane: np.ndarray, params: object) -> np.ndarray:
        raise MemoryError

    monkeypatch.setitem(
        preprocess.PREPROCESSING, "zscore", replace(PREPROCESSING["zscore"], whole=fail)
    )
    canvas.preview.set_steps([ZSCORE])
    canvas.preview.set_on(True)
    calm(canvas)
    assert canvas.picture is canvas._pyramid
    assert [level for level, _ in said] == ["error"]
    assert "not enough memory. Image and mask are as they were" in said[0][1]
    assert canvas.badge.aside.text() == "not possible, this is the image"
    canvas.preview.set_steps([CLAHE])
    calm(canvas)
    assert canvas.badge.aside.isHidden()
    assert prepared(canvas).any()
    assert len(said) == 1


def test_a_closed_project_is_let_go(canvas: AnnotationCanvas) -> None:
    canvas.preview.set_steps([CLAHE])
    canvas.preview.set_on(True)
    canvas.session.close_project(discard=True)
    assert canvas.preview.is_idle
    assert not canvas.preview.is_on
    assert canvas.badge.isHidden()
    assert canvas.plane_size is None


# -- planes that are not prepared as a whole -------------------------------------------------------


@pytest.fixture
def large(canvas: AnnotationCanvas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Linked planes, one that can be read in parts and one that cannot, above the limit."""
    random = np.random.default_rng(0)
    shade = np.linspace(0.3, 1, 1100)[:, None]
    voxels = (random.gamma(4, 300, (1100, 1200)) * shade).astype(np.uint16)
    monkeypatch.setattr(preparing, "MOST_WHOLE", 1 << 18)
    monkeypatch.setattr(preparing, "SAMPLE", 1 << 18)
    monkeypatch.setattr(image_canvas, "OVERVIEW_BYTES", 1 << 18)
    assert canvas.session.file is not None
    for name in ("plain", "packed"):
        path = tmp_path / f"{name}.tif"
        packing = "zlib" if name == "packed" else None
        tifffile.imwrite(path, voxels, compression=packing, photometric="minisblack")
        made = NewImage(read_images(path)[0], linked=Source(path))
        canvas.session.file.add_images([made])
    return voxels[None]


@pytest.mark.parametrize(
    "steps",
    [
        *(["percentile"], ["zscore"], ["clahe"], ["clahe", "percentile"], ["equalise"]),
        *(["median"], ["gaussian", "percentile"], ["background"], ["clahe_fiji"], ["nlm"]),
    ],
)
def test_of_a_large_plane_only_tiles_in_sight_are_prepared(
    canvas: AnnotationCanvas, large: np.ndarray, steps: list[str]
) -> None:
    params = {"clahe": {"tiles": 2.0}, "nlm": {"search_radius": 2.0}}
    is_exact = steps in (["percentile"], ["zscore"], ["clahe"], ["equalise"], ["median"])
    wanted = [PreprocessStep(name, params.get(name, {})) for name in steps]
    canvas.preview.set_steps(wanted)
    canvas.preview.set_on(True)
    choose(canvas, "plain")
    calm(canvas)
    canvas.grab()
    calm(canvas)
    picture = canvas.picture
    assert isinstance(picture, TiledPyramid)
    box = canvas.visible_box()
    size = box.y1 - box.y0, box.x1 - box.x0
    (got,) = picture.sample(box.y0 + 0.5, box.x0 + 0.5, 1.0, size)
    expected = apply_steps(large, wanted)[0]
    seen = expected[box.y0 : box.y1, box.x0 : box.x1]
    if is_exact:  # all voxels were counted, or nothing is learnt
        assert np.abs(got - seen).max() < 2e-5
    else:
        assert np.abs(got - seen).mean() < 0.05 * seen.std()
    assert canvas.session.loaded_plane(canvas.session.image_id, 0) is None
    prepared_tiles = {
        key for key in canvas.preview._tiles._tiles if isinstance(key, TileKey) and not key.level
    }
    assert 1 <= len(prepared_tiles) <= 4  # of nine
    assert canvas.badge.aside.isHidden() == is_exact
    assert ("training looks at all" in canvas.badge.toolTip()) != is_exact


def test_what_is_kept_of_large_planes_is_counted_and_bounded(
    canvas: AnnotationCanvas, large: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables of local contrast take megabytes a plane."""
    monkeypatch.setattr(preview, "KEPT_BYTES", 5 << 20)
    canvas.preview.set_on(True)
    choose(canvas, "plain")
    for clip_limit in (1.0, 2.0, 3.0, 4.0, 5.0):
        canvas.preview.set_steps(
            [PreprocessStep("clahe", {"tiles": 4.0, "clip_limit": clip_limit})]
        )
        calm(canvas)
        prepared = canvas.preview.prepared
        assert prepared is not None
        assert prepared.size_bytes > 16 * 65536 * 2  # one table of 16 bits a region
    assert sum(one.size_bytes for one in canvas.preview._kept.values()) <= 5 << 20
    assert len(canvas.preview._kept) == 2


def test_floats_are_sampled(canvas: AnnotationCanvas, large: np.ndarray, tmp_path: Path) -> None:
    values = large.astype(np.float32) / 1000
    tifffile.imwrite(tmp_path / "float.tif", values[0], photometric="minisblack")
    assert canvas.session.file is not None
    made = NewImage(read_images(tmp_path / "float.tif")[0], linked=Source(tmp_path / "float.tif"))
    canvas.session.file.add_images([made])
    canvas.preview.set_steps([PreprocessStep("zscore")])
    canvas.preview.set_on(True)
    choose(canvas, "float")
    for _ in range(2):
        calm(canvas)
        canvas.grab()
    picture = canvas.picture
    assert isinstance(picture, TiledPyramid)
    (got,) = picture.sample(500.5, 500.5, 1.0, (100, 100))
    canvas.grab()
    calm(canvas)
    (got,) = picture.sample(500.5, 500.5, 1.0, (100, 100))
    expected = apply_steps(values, [PreprocessStep("zscore")])[0, 500:600, 500:600]
    assert np.abs(got - expected).mean() < 0.02
    assert canvas.badge.aside.text() == "approximate"


def test_a_plane_that_is_read_only_as_a_whole_is_sharp_once_it_is_there(
    canvas: AnnotationCanvas, large: np.ndarray, qtbot: QtBot
) -> None:
    canvas.preview.set_steps([PreprocessStep("percentile")])
    canvas.preview.set_on(True)
    choose(canvas, "packed")
    calm(canvas)
    assert "smaller copy" in canvas.badge.toolTip()
    canvas.grab()
    image_id = canvas.session.image_id
    qtbot.waitUntil(lambda: canvas.session.loaded_plane(image_id, 0) is not None)
    qtbot.waitUntil(lambda: canvas.session.background.is_idle)
    for _ in range(2):
        canvas.grab()
        calm(canvas)
    picture = canvas.picture
    assert isinstance(picture, TiledPyramid)
    assert picture.has_voxels
    (got,) = picture.sample(500.5, 500.5, 1.0, (100, 100))
    expected = apply_steps(large, [PreprocessStep("percentile")])[0, 500:600, 500:600]
    assert np.corrcoef(got.ravel(), expected.ravel())[0, 1] > 0.999


# -- in the window ---------------------------------------------------------------------------------


@pytest.fixture
def hand(qapp: object) -> Iterator[Hand]:
    """The whole window; closed at the end."""
    hand = Hand()
    yield hand
    hand.close()


def test_it_is_switched_in_the_form_by_key_and_at_the_badge(hand: Hand, tmp_path: Path) -> None:
    from orgseg_app.gui.panels.recipe_fields import PartsField

    hand.open(make_project(tmp_path / "p.orgseg", 1))
    window, parts, canvas = hand.window, hand.parts, hand.parts.canvas
    window.activateWindow()
    canvas.setFocus()
    hand.rest()
    form = parts.training.form
    values = hand.session.plane(hand.session.image_id, 0)[:, None]
    action = window.actions_by_id["preview_preprocessing"]
    assert action.isEnabled()
    assert not action.isChecked()
    QTest.keyClick(canvas, Qt.Key.Key_P, Qt.KeyboardModifier.ShiftModifier)
    calm(canvas)
    assert action.isChecked()
    assert form.preview.isChecked()
    recipe = form.recipe()
    np.testing.assert_array_equal(prepared(canvas), apply_steps(values[:, 0], recipe.preprocess))
    window.show_workspace("train")
    field = form.fields["preprocess"]
    assert isinstance(field, PartsField)
    row = field._rows[0]
    row.choice.setCurrentIndex(row.choice.findData("clahe"))
    row.params["clip_limit"].setValue(5.0)
    calm(canvas)
    wanted = [PreprocessStep("clahe", {"clip_limit": 5.0})]
    assert list(form.preprocess()) == wanted
    np.testing.assert_array_equal(prepared(canvas), apply_steps(values[:, 0], wanted))
    assert canvas.badge.words.text() == "Preview: CLAHE"
    for name, preset in PRESETS.items():
        parts.training.use_preset(name)
        assert canvas.preview.steps == preset.preprocess
    form.preview.click()
    assert not action.isChecked()
    assert canvas.badge.isHidden()
    form.preview.click()
    assert canvas.badge.isVisible()
    QTest.mouseClick(canvas.badge.close_button, Qt.MouseButton.LeftButton)
    assert not form.preview.isChecked()
    assert canvas.picture is canvas._pyramid
    hand.quiet()
