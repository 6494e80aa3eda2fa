"""Planes in tiles, against the same plane in memory; and how tiles are read and kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.images.content import Source
from orgseg_app.files.project_file import NewImage
from orgseg_app.files.readers.registry import read_images
from orgseg_app.gui.canvas import image_canvas
from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
from orgseg_app.gui.canvas.options import DisplayOptions, ToolOptions
from orgseg_app.gui.canvas.rendering import PlanePyramid, auto_levels
from orgseg_app.gui.canvas.tile_cache import LOST, TileCache, TileKey, TileRequest, tile_side
from orgseg_app.gui.canvas.tile_loading import TileLoader
from orgseg_app.gui.canvas.tiles import TiledPyramid
from orgseg_app.gui.session import Session


class Levels:
    """Stored levels in memory; says what was read."""

    def __init__(self, plane: np.ndarray, count: int = 2) -> None:
        whole = PlanePyramid(plane)
        self.arrays = [plane, *(np.stack(whole.level(n)) for n in range(1, count + 1))]
        self.sizes_yx = [array.shape[1:] for array in self.arrays]
        self.asked: list[TileRequest] = []
        self.damaged: set[int] = set()
        self.cache = TileCache()

    def read(self, level: int, y0: int, x0: int, y1: int, x1: int) -> np.ndarray | None:
        return None if level in self.damaged else self.arrays[level][:, y0:y1, x0:x1]

    def want(self, requests: Sequence[TileRequest]) -> None:
        self.asked += requests

    def bring(self) -> None:
        """What was asked for comes."""
        for key, *place in self.asked:
            tile = self.read(key.level, *place)
            self.cache.put(key, LOST if tile is None else tile)
        self.asked.clear()

    def picture(self) -> TiledPyramid:
        return TiledPyramid("a", 0, self, self.cache, self.want)


def values(height: int, width: int, channels: int = 2, kind: type = np.uint16) -> np.ndarray:
    made = np.random.default_rng(0).gamma(2, 300, (channels, height, width))
    return (
        (made if kind is not np.uint8 else made / 8)
        .clip(0, 255 if kind is np.uint8 else None)
        .astype(kind)
    )


@pytest.fixture(scope="module")
def plane() -> np.ndarray:
    return values(1430, 1810)


@given(
    place=st.tuples(st.floats(0, 1400), st.floats(0, 1800)),
    step=st.sampled_from([0.1, 0.5, 1.0, 1.3, 2.0, 3.7, 8.0, 60.0]),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
)
@settings(max_examples=60, deadline=None)
def test_once_its_tiles_are_there_a_plane_looks_as_in_memory(
    plane: np.ndarray, place: tuple[float, float], step: float, size: tuple[int, int]
) -> None:
    levels = Levels(plane)
    picture = levels.picture()
    picture.sample(*place, step, size)
    levels.bring()
    got = picture.sample(*place, step, size)
    assert levels.asked == []
    for channel, expected in zip(got, PlanePyramid(plane).sample(*place, step, size), strict=True):
        assert channel.dtype == plane.dtype
        assert np.abs(channel.astype(int) - expected).max() <= (0 if step <= 1 else 1)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_before_its_tiles_come_it_is_blurred_and_nothing_waits(kind: type) -> None:
    plane = values(1430, 1810, 3, kind)
    levels = Levels(plane)
    picture = levels.picture()
    place = (600.5, 700.5, 1.0, (400, 500))
    blurred = picture.sample(*place)
    assert {request.key.level for request in levels.asked} == {0}
    sharp = PlanePyramid(plane).sample(*place)
    for before, after in zip(blurred, sharp, strict=True):
        assert before.dtype == after.dtype
        assert before.astype(float).std() < 0.7 * after.astype(float).std()
        assert abs(before.astype(float).mean() - after.astype(float).mean()) < 0.03 * after.mean()
        # It lies where it belongs: each voxel of the last level is the mean of those below.
        assert np.corrcoef(before.ravel().astype(float), after.ravel().astype(float))[0, 1] > 0.2
    levels.bring()
    for got, expected in zip(picture.sample(*place), sharp, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_the_middle_is_asked_for_first(plane: np.ndarray) -> None:
    levels = Levels(plane)
    levels.picture().sample(0.5, 0.5, 1.0, (1400, 1800))
    middle = np.array([700, 900])
    away = [abs(np.array([r.y0 + r.y1, r.x0 + r.x1]) / 2 - middle).sum() for r in levels.asked]
    assert len(away) > 6
    assert away == sorted(away)


def test_what_is_half_there_is_half_sharp(plane: np.ndarray) -> None:
    levels = Levels(plane)
    picture = levels.picture()
    place = (0.5, 0.5, 1.0, (40, tile_side(1810) + 200))
    picture.sample(*place)
    levels.asked = [request for request in levels.asked if request.key.column == 0]
    levels.bring()
    got, side = picture.sample(*place)[0], tile_side(1810)
    np.testing.assert_array_equal(got[:, :side], plane[0, :40, :side])
    assert got[:, side:].astype(float).std() < 0.7 * plane[0, :40, side : side + 200].std()


def test_a_damaged_tile_is_shown_from_a_coarser_level_and_not_asked_for_again(
    plane: np.ndarray,
) -> None:
    levels = Levels(plane)
    levels.damaged = {1}
    picture = levels.picture()
    picture.sample(200, 200, 2.5, (60, 60))
    levels.bring()
    got = picture.sample(200, 200, 2.5, (60, 60))[0]
    assert levels.asked == []
    assert abs(got.mean() - plane[0].mean()) < 30
    levels.cache.forget_lost("a")
    levels.damaged = set()
    picture.sample(200, 200, 2.5, (60, 60))
    assert levels.asked


def test_with_nothing_to_read_there_is_black(plane: np.ndarray) -> None:
    levels = Levels(plane)
    levels.damaged = {1, 2}
    for step in (0.5, 1.5, 2.5, 9.0):
        assert not levels.picture().sample(0, 0, step, (5, 6))[0].any()


def test_without_voxels_in_parts_level_1_is_the_finest(plane: np.ndarray) -> None:
    levels = Levels(plane)
    picture = levels.picture()
    picture.has_voxels = False
    picture.sample(300.5, 300.5, 0.5, (40, 40))
    assert {request.key.level for request in levels.asked} == {1}


def test_the_next_plane_needs_what_this_one_does(plane: np.ndarray) -> None:
    levels = Levels(plane)
    picture = levels.picture()
    picture.sample(300, 300, 1.0, (40, 40))
    ahead = list(picture.ahead(5))
    assert ahead[0].key.level == 2
    assert [r._replace(key=r.key._replace(z=0)) for r in ahead[1:]] == list(picture.in_sight)
    picture.view_moved()
    assert [r.key.level for r in picture.ahead(5)] == [2]


@pytest.mark.parametrize("length", [1, 2, 255, 256, 257, 511, 512, 513, 1000, 2048, 16384, 32768])
def test_tiles_are_whole_blocks(length: int) -> None:
    from orgseg_app.files.images.codecs import PLAIN

    assert tile_side(length) % PLAIN.chunk(length, length)[2] == 0
    assert tile_side(length) <= 512


# -- the cache -------------------------------------------------------------------------------------


def key(number: int) -> TileKey:
    return TileKey("a", 0, 0, 0, number)


def test_what_was_not_looked_at_for_longest_goes_first() -> None:
    tile = np.zeros((1, 10, 10), np.uint8)
    cache = TileCache(350)
    for number in range(3):
        cache.put(key(number), tile)
    assert cache.get(key(0)) is tile
    cache.put(key(3), tile)
    assert [number for number in range(4) if key(number) in cache] == [0, 2, 3]
    assert cache.size_bytes == 300
    cache.put(key(3), tile)
    assert cache.size_bytes == 300
    cache.clear()
    assert cache.size_bytes == 0


def test_what_is_in_sight_never_pushes_itself_out(plane: np.ndarray) -> None:
    levels = Levels(plane)
    levels.cache = TileCache(1000)
    picture = levels.picture()
    for _ in range(3):
        picture.sample(0.5, 0.5, 1.0, (1400, 1800))
        levels.bring()
    picture.sample(0.5, 0.5, 1.0, (1400, 1800))
    assert levels.asked == []


def test_a_value_is_that_of_its_voxel(plane: np.ndarray) -> None:
    levels = Levels(plane)
    levels.picture().sample(1000, 1000, 1.0, (2, 2))
    assert levels.cache.value("a", 0, (1430, 1810), 1000, 1001) is None
    levels.bring()
    got = levels.cache.value("a", 0, (1430, 1810), 1000, 1001)
    np.testing.assert_array_equal(got, plane[:, 1000, 1001])


# -- the thread ------------------------------------------------------------------------------------


class Slow:
    """A file that gives a tile only when it is let."""

    def __init__(self) -> None:
        self.read: list[int] = []
        self.let = threading.Semaphore(0)

    def __call__(self, request: TileRequest) -> np.ndarray:
        self.let.acquire()
        self.read.append(request.key.column)
        return np.full((1, 2, 2), request.key.column, np.uint8)


def requests(*numbers: int) -> list[TileRequest]:
    return [TileRequest(key(number), 0, 0, 2, 2) for number in numbers]


def test_the_newest_request_comes_first_and_ahead_comes_last(qtbot: QtBot) -> None:
    slow, loader = Slow(), TileLoader(TileCache())
    loader.read_with(slow)
    loader.want(requests(0))
    qtbot.waitUntil(lambda: loader._under_way is not None)
    loader.ahead(requests(20, 21))
    loader.want(requests(1, 2))
    loader.want(requests(3, 1))
    slow.let.release(20)
    qtbot.waitUntil(lambda: loader.is_idle)
    assert slow.read == [0, 3, 1, 2, 20, 21]
    loader.want(requests(3))  # it is there
    qtbot.waitUntil(lambda: loader.is_idle)
    assert len(slow.read) == 6


def test_what_is_out_of_sight_is_not_read(qtbot: QtBot) -> None:
    slow, loader = Slow(), TileLoader(TileCache())
    loader.read_with(slow)
    loader.want(requests(0, 1, 2, 3))
    qtbot.waitUntil(lambda: loader._under_way is not None)
    loader.drop()
    loader.want(requests(9))
    slow.let.release(20)
    qtbot.waitUntil(lambda: loader.is_idle)
    assert slow.read == [0, 9]


def test_two_views_that_want_the_same_tile_both_get_it(qtbot: QtBot) -> None:
    """The second is told, too, though the tile is there by the time it would be read."""
    cache, arrived = TileCache(), []
    slow, failing = Slow(), TileLoader(cache)
    loader = TileLoader(cache)
    loader.arrived.connect(lambda request: arrived.append(request.key.column))
    loader.read_with(slow)
    loader.want(requests(1, 0))
    qtbot.waitUntil(lambda: loader._under_way is not None)
    cache.put(key(0), np.zeros((1, 2, 2), np.uint8))  # by the loader of the other view
    slow.let.release(20)
    qtbot.waitUntil(lambda: sorted(arrived) == [0, 1])
    assert slow.read == [1]
    said: list[str] = []
    failing.failed.connect(lambda request, error: said.append(str(error)))

    def unreadable(request: TileRequest) -> np.ndarray:
        raise ValueError("gone")

    failing.read_with(unreadable)
    cache.put(key(5), LOST)
    failing.want(requests(5))
    qtbot.waitUntil(lambda: said == ["gone"])  # each view has to know that it must do without


def test_at_the_end_nothing_is_read_any_more(qtbot: QtBot) -> None:
    slow, loader = Slow(), TileLoader(TileCache())
    loader.read_with(slow)
    loader.want(requests(0, 1, 2))
    qtbot.waitUntil(lambda: loader._under_way is not None)
    threading.Timer(0.05, slow.let.release, (20,)).start()
    started = time.monotonic()
    loader.finish()
    assert time.monotonic() - started < 5
    assert slow.read == [0]
    loader.want(requests(5))
    assert loader.is_idle


def test_what_cannot_be_read_is_said_once(qtbot: QtBot) -> None:
    failed: list[object] = []
    cache = TileCache()
    loader = TileLoader(cache)
    loader.failed.connect(lambda request, error: failed.append((request.key.column, str(error))))

    def read(request: TileRequest) -> np.ndarray | None:
        if request.key.column == 1:
            raise ValueError("gone")
        return None

    loader.read_with(read)
    loader.want(requests(0, 1))
    qtbot.waitUntil(lambda: loader.is_idle and len(failed) == 1)
    assert failed == [(1, "gone")]
    assert cache.get(key(0)) is LOST
    assert cache.get(key(1)) is LOST


# -- the canvas ------------------------------------------------------------------------------------


@pytest.fixture
def stack(tmp_path: Path, qtbot: QtBot) -> Iterator[tuple[Session, np.ndarray]]:
    """A project with a stack of seven large planes, and a linked one whose voxels are packed."""
    voxels = np.random.default_rng(0).gamma(2, 300, (7, 1100, 1200)).astype(np.uint16)
    path = tmp_path / "packed.tif"
    tifffile.imwrite(path, voxels, compression="zlib", photometric="minisblack")
    session = Session()
    session.create_project(tmp_path / "p.orgseg", default_classes(["ER"]))
    assert session.file is not None
    packed = NewImage(read_images(path)[0], linked=Source(path))
    session.file.add_images([NewImage(open_array("stack", voxels)), packed])
    yield session, voxels
    session.close_project(discard=True)


def shown(session: Session, qtbot: QtBot, number: int, zoom: float) -> AnnotationCanvas:
    canvas = AnnotationCanvas(session, ToolOptions(session), DisplayOptions(session))
    qtbot.addWidget(canvas)
    canvas.resize(320, 240)
    canvas.show()
    assert session.project is not None
    session.select_image(list(session.project.images)[number])
    canvas.set_zoom(zoom)
    canvas.grab()
    return canvas


def is_loaded(session: Session, z: int) -> bool:
    return session.loaded_plane(session.image_id, z) is not None


def calm(canvas: AnnotationCanvas, qtbot: QtBot) -> None:
    qtbot.wait(3 * image_canvas.AHEAD_AFTER_MS)
    qtbot.waitUntil(lambda: canvas._loader.is_idle and canvas.session.background.is_idle)


def test_the_next_plane_is_there_before_it_is_asked_for(
    stack: tuple[Session, np.ndarray], qtbot: QtBot
) -> None:
    session, voxels = stack
    canvas = shown(session, qtbot, 0, 1.0)
    session.select_plane(3)
    canvas.grab()
    calm(canvas, qtbot)
    planes = {key.z for key in session.tiles._tiles if key.level == 0}
    assert planes >= {1, 2, 3, 4, 5}
    reads: list[object] = []
    canvas._loader.arrived.connect(lambda request: reads.append(request.key.z))
    session.select_plane(4)
    picture = canvas._pyramid
    assert isinstance(picture, TiledPyramid)
    box = canvas.visible_box()
    got = picture.sample(box.y0 + 0.5, box.x0 + 0.5, 1.0, (200, 200))[0]
    expected = voxels[4, box.y0 : box.y0 + 200, box.x0 : box.x0 + 200]
    np.testing.assert_array_equal(got, expected)  # at once
    calm(canvas, qtbot)
    assert set(reads) <= {5, 6, 2, 3, 4}
    assert session.loaded_plane(session.image_id, 4) is None


def test_what_cannot_be_read_in_parts_is_read_whole_when_looked_at_closely(
    stack: tuple[Session, np.ndarray], qtbot: QtBot
) -> None:
    session, voxels = stack
    canvas = shown(session, qtbot, 1, 0.2)
    calm(canvas, qtbot)
    assert session.loaded_plane(session.image_id, 0) is None  # from afar there is no need
    for z in (0, 1):
        session.select_plane(z)
        canvas.set_zoom(1.0)
        canvas.grab()
        qtbot.waitUntil(partial(is_loaded, session, z))
        calm(canvas, qtbot)
        assert isinstance(canvas._pyramid, PlanePyramid)
        np.testing.assert_array_equal(canvas._pyramid.plane[0], voxels[z])
    session.select_plane(0)
    assert isinstance(canvas._pyramid, PlanePyramid)  # it is in memory


def test_what_could_not_be_read_is_tried_again_when_its_image_is_chosen(
    stack: tuple[Session, np.ndarray], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, _ = stack
    said: list[str] = []
    session.message.connect(lambda text, level: said.append(text))
    assert session.file is not None
    assert session.project is not None
    ids = list(session.project.images)
    with monkeypatch.context() as patch:

        def gone(*_: object) -> None:
            raise ProjectError("The disk is gone.")

        patch.setattr(session.file, "read_part", gone)
        canvas = shown(session, qtbot, 0, 1.0)
        qtbot.waitUntil(lambda: said == ["The disk is gone."])
        canvas.grab()
        calm(canvas, qtbot)
        assert said == ["The disk is gone."]  # once
        assert canvas._pyramid is not None
        assert not canvas._pyramid.has_voxels
    for image_id in (ids[1], ids[0]):
        session.select_image(image_id)
    canvas.grab()
    calm(canvas, qtbot)
    levels = {key.level for key, tile in session.tiles._tiles.items() if tile is not LOST}
    assert 0 in levels


def test_automatic_contrast_is_that_of_the_plane_looked_at(
    stack: tuple[Session, np.ndarray], qtbot: QtBot
) -> None:
    session, voxels = stack
    canvas = shown(session, qtbot, 0, 1.0)
    first = canvas.display.shown_levels()
    assert first == auto_levels(voxels[None, 0])
    session.select_plane(5)
    assert canvas.display.shown_levels() == first  # nothing flickers on the way
    canvas.display.reset_levels()
    assert canvas.display.shown_levels() == auto_levels(voxels[None, 5])


def test_a_closed_project_is_not_read_any_more(
    stack: tuple[Session, np.ndarray], qtbot: QtBot
) -> None:
    session, _ = stack
    canvas = shown(session, qtbot, 0, 1.0)
    session.close_project(discard=True)
    assert canvas._loader.is_idle
    assert session.tiles.size_bytes == 0
    assert canvas.plane_size is None
    qtbot.wait(30)
    assert session.tiles.size_bytes == 0
