"""Fill, holes, wand and the edits of a whole plane against slow, obvious references."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from orgseg_app.core.edits.recorder import Edit, Recorder
from orgseg_app.core.edits.regions import FillHoles, FloodFill, PaintRegion
from orgseg_app.core.edits.whole import ClearMask, InvertPlane, PaintRest
from orgseg_app.core.mask import Mask
from orgseg_app.core.painting import fill, wand
from orgseg_app.core.ready import worked_out

SHAPE = (3, 90, 70)


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regions then cross many windows of any image that a slow reference can follow."""
    monkeypatch.setattr(fill, "WINDOW", 16)
    monkeypatch.setattr(fill, "REACHES", (5,))


def run(edit: Edit, mask: Mask) -> object:
    recorder = Recorder("image", mask)
    edit.apply(recorder)
    return recorder.finish(edit.title)


def blobs(seed: int, classes: int = 3, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Smooth regions of class ids from 0 on."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), (0.7, 3, 3))
    edges = np.quantile(noise, np.linspace(0, 1, classes + 1)[1:-1])
    return np.digitize(noise, edges).astype(np.uint8)


def slow_region(array: np.ndarray, place: tuple[int, int, int], in_3d: bool) -> np.ndarray:
    """The component of SciPy's labels that holds the place."""
    structure = ndimage.generate_binary_structure(3, 1)
    if not in_3d:
        structure[[0, 2]] = False
    labels, _ = ndimage.label(array == array[place], structure)
    return labels == labels[place]


def joined(pieces: object, shape: tuple[int, ...]) -> np.ndarray:
    found = np.zeros(shape, int)
    for z, y0, x0, where in pieces:  # type: ignore[attr-defined]
        found[z, y0 : y0 + where.shape[0], x0 : x0 + where.shape[1]] += where
    assert found.max(initial=0) <= 1  # pieces do not overlap
    return found.astype(bool)


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("in_3d", [False, True])
@pytest.mark.parametrize("kind", ["blobs", "noise", "stripes", "empty"])
@pytest.mark.parametrize("seed", range(4))
def test_a_flood_finds_the_region_that_labelling_finds(kind: str, in_3d: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    array = {
        "blobs": blobs(seed),
        "noise": (rng.random(SHAPE) < 0.6).astype(np.uint8),  # many ways into each window
        "stripes": np.zeros(SHAPE, np.uint8),
        "empty": np.zeros(SHAPE, np.uint8),
    }[kind]
    if kind == "stripes":  # one long way to and fro
        array[:, 3::4] = 1
        array[:, 3::8, 0] = array[:, 7::8, -1] = 0
    mask = Mask.from_array(array)
    for _ in range(5):
        place = tuple(int(rng.integers(n)) for n in SHAPE)
        found = joined(fill.flood(mask, *place, in_3d=in_3d), SHAPE)
        assert np.array_equal(found, slow_region(array, place, in_3d))


def test_windows_of_the_real_size_join() -> None:
    array = np.zeros((1, 2100, 1500), np.uint8)
    array[0, 1000:1100, 900:1100] = 3  # in four windows
    array[0, 5:2095, 1020:1024] = 4
    mask = Mask.from_array(array)
    for place in ((0, 1010, 910), (0, 6, 1021), (0, 0, 0)):
        found = joined(fill.flood(mask, *place), array.shape)
        assert np.array_equal(found, slow_region(array, place, False))


def test_the_flood_of_an_object_looks_only_around_it() -> None:
    """Cost follows the region, not the image."""
    looked = []
    array = np.zeros((5000, 5000), np.bool_)
    array[2500:2600, 2500:2600] = True

    def look(z: int, y0: int, x0: int, y1: int, x1: int) -> np.ndarray:
        looked.append((y0, x0))
        return array[y0:y1, x0:x1].copy()

    assert sum(p[3].sum() for p in fill.spread((1, 5000, 5000), (0, 2550, 2550), look)) == 10_000
    assert len(looked) <= 4


@pytest.mark.parametrize("place", [(0, -1, 5), (0, 90, 5), (0, 5, 70), (3, 5, 5), (-1, 5, 5)])
def test_outside_there_is_nothing_to_fill(place: tuple[int, int, int]) -> None:
    mask = Mask.from_array(blobs(0))
    for edit in (FloodFill(*place, 5), FloodFill(*place, 5, in_3d=True), FillHoles(*place)):
        assert run(edit, mask) is None


@pytest.mark.usefixtures("small_windows")
@given(st.integers(0, 10**6), st.booleans(), st.booleans())
@settings(max_examples=25, deadline=None)
def test_fill_holes_is_what_scipy_fills(seed: int, in_3d: bool, protect: bool) -> None:
    rng = np.random.default_rng(seed)
    array = blobs(seed, classes=4)
    place = tuple(int(rng.integers(n)) for n in SHAPE)
    mask = Mask.from_array(array)
    run(FillHoles(*place, in_3d=in_3d, protect=protect), mask)
    expected, class_id = array.copy(), array[place]
    if class_id:
        region = slow_region(array, place, in_3d)
        planes = np.flatnonzero(region.any(axis=(1, 2)))
        if len(planes) == 1:  # enclosed in its plane
            region[planes[0]] = ndimage.binary_fill_holes(region[planes[0]])
        else:
            region = ndimage.binary_fill_holes(region)
        expected[region & ((array == 0) | (not protect))] = class_id
    assert np.array_equal(mask.to_array(), expected)


def test_a_hollow_ball_is_filled_in_3d_and_a_tube_is_not() -> None:
    z, y, x = np.mgrid[:21, :40, :40]
    far = np.hypot(np.hypot(z - 10, y - 20), x - 20)
    ball = ((far < 9) & (far > 6)).astype(np.uint8) * 3
    tube = np.broadcast_to((np.hypot(y - 20, x - 20) // 3 == 2) * np.uint8(3), ball.shape)
    mask = Mask.from_array(ball)
    run(FillHoles(10, 20, 28, in_3d=True), mask)
    assert np.array_equal(mask.to_array() == 3, far < 9)
    mask = Mask.from_array(tube)
    assert run(FillHoles(10, 20, 27, in_3d=True), mask) is None
    assert run(FillHoles(10, 20, 27), mask) is not None
    assert mask.value(10, 20, 20) == 3
    assert mask.value(9, 20, 20) == 0


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("contiguous", [False, True])
@given(seed=st.integers(0, 10**6), share=st.sampled_from([0.0, 0.01, 0.2, 1.5]))
@settings(max_examples=15, deadline=None)
def test_the_wand_finds_what_is_similar(
    seed: int, share: float, contiguous: bool, dtype: str
) -> None:
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(2, *SHAPE[1:])), (0, 3, 3))
    plane = (128 + 400 * smooth).clip(0, 255).astype(dtype)
    y, x = int(rng.integers(SHAPE[1])), int(rng.integers(SHAPE[2]))
    tolerances = (255 * share, np.inf if seed % 2 else 255 * share)

    def read(y0: int, x0: int, y1: int, x1: int) -> np.ndarray:
        return plane[:, y0:y1, x0:x1]

    pieces = wand.similar(read, SHAPE[1:], 1, y, x, tolerances=tolerances, contiguous=contiguous)
    near = np.abs(plane[:1].astype(float) - float(plane[0, y, x])) <= tolerances[0]
    if not seed % 2:
        near &= np.abs(plane[1:].astype(float) - float(plane[1, y, x])) <= tolerances[1]
    if contiguous:
        near &= ndimage.label(near[0])[0] == ndimage.label(near[0])[0][y, x]
    assert np.array_equal(joined(pieces, (2, *SHAPE[1:]))[1], near[0])


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float64"])
@pytest.mark.parametrize("contiguous", [False, True])
@given(seed=st.integers(0, 10**6), smoothing=st.sampled_from([0.5, 1.0, 2.3]))
@settings(max_examples=15, deadline=None)
def test_the_wand_on_a_smoothed_copy_is_what_scipy_makes(
    seed: int, smoothing: float, contiguous: bool, dtype: str
) -> None:
    """Windows and strips leave no seams."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=SHAPE[1:]), 3)
    plane = (128 + 400 * smooth + rng.normal(0, 12, SHAPE[1:])).clip(0, 255).astype(dtype)
    y, x = int(rng.integers(SHAPE[1])), int(rng.integers(SHAPE[2]))

    def read(y0: int, x0: int, y1: int, x1: int) -> np.ndarray:
        return plane[None, y0:y1, x0:x1]

    values = plane.astype(float)
    reach = int(np.ceil(3 * smoothing))
    calm = ndimage.gaussian_filter(values, smoothing, mode="mirror", radius=reach)
    tolerance = 20.0 + 1e-3 * np.pi
    alike = np.abs(calm - calm[y, x]) <= tolerance
    square = np.ones((2 * int(np.ceil(2 * smoothing)) + 1,) * 2)
    expected = alike | (
        ndimage.binary_dilation(alike, square) & (np.abs(values - calm[y, x]) <= tolerance)
    )
    if contiguous:
        labels = ndimage.label(expected)[0]
        expected = labels == labels[y, x]
    inside, count = ndimage.label(ndimage.binary_fill_holes(expected) & ~expected)
    for hole in range(1, count + 1):
        if (inside == hole).sum() <= wand.SMALL_HOLE:
            expected |= inside == hole
    pieces = wand.similar(
        read,
        SHAPE[1:],
        0,
        y,
        x,
        tolerances=(tolerance,),
        contiguous=contiguous,
        smoothing=smoothing,
    )
    assert (joined(pieces, (1, *SHAPE[1:]))[0] != expected).sum() <= 2  # rounding at the limits


def test_smoothing_ends_speckles_and_keeps_edges() -> None:
    y, x = np.mgrid[:200, :200]
    square = (abs(y - 100) < 50) & (abs(x - 100) < 50)

    def found(noise: float, smoothing: float) -> np.ndarray:
        plane = np.where(square, 160, 60) + np.random.default_rng(0).normal(0, noise, square.shape)

        def read(y0: int, x0: int, y1: int, x1: int) -> np.ndarray:
            return plane.clip(0, 255).astype(np.uint8)[None, y0:y1, x0:x1]

        place = (0, 100, 100)
        pieces = wand.similar(read, (200, 200), *place, tolerances=(25.0,), smoothing=smoothing)
        return joined(pieces, (1, 200, 200))[0]

    assert np.array_equal(found(0, 1), square)
    assert (found(15, 0) & square).sum() < 0.95 * square.sum()
    assert (found(15, 1) ^ square).sum() < 0.02 * square.sum()


def test_the_wand_on_what_is_no_number_finds_nothing() -> None:
    plane = np.zeros((1, 20, 20), np.float32)
    plane[0, 5, 5] = np.nan

    def read(y0: int, x0: int, y1: int, x1: int) -> np.ndarray:
        return plane[:, y0:y1, x0:x1]

    assert list(wand.similar(read, (20, 20), 0, 5, 5, tolerances=(9.0,))) == []
    assert list(wand.similar(read, (20, 20), 0, 20, 5, tolerances=(9.0,))) == []
    found = joined(wand.similar(read, (20, 20), 0, 0, 0, tolerances=(9.0,)), (1, 20, 20))
    assert found.sum() == 399
    assert not found[0, 5, 5]


def test_a_region_in_place_of_another_is_one_step() -> None:
    array = blobs(3)
    mask = Mask.from_array(array)
    left, right = np.ones((9, 9), np.bool_), np.ones((9, 9), np.bool_)
    first = run(PaintRegion(((0, 5, 5, left),), 7), mask)
    once = mask.to_array()
    second = run(PaintRegion(((0, 8, 8, right),), 6, instead_of=(first,)), mask)  # type: ignore[arg-type]
    expected = array.copy()
    expected[0, 8:17, 8:17] = 6
    assert np.array_equal(mask.to_array(), expected)
    third = run(PaintRegion(((1, 1, 1, left),), 5, instead_of=(second, first)), mask)  # type: ignore[arg-type]
    expected = array.copy()
    expected[1, 1:10, 1:10] = 5  # nothing of either is left
    assert np.array_equal(mask.to_array(), expected)
    third.undo(mask)  # type: ignore[attr-defined]
    second.undo(mask)  # type: ignore[attr-defined]
    assert np.array_equal(mask.to_array(), once)


def test_invert_swaps_a_class_with_background_where_painted() -> None:
    array = blobs(1, classes=5)
    mask = Mask.from_array(array)
    run(InvertPlane(1, 3), mask)
    expected = array.copy()
    expected[1][array[1] == 3] = 1
    expected[1][array[1] == 1] = 3
    assert np.array_equal(mask.to_array(), expected)
    run(InvertPlane(1, 3), mask)
    assert np.array_equal(mask.to_array(), array)


@pytest.mark.parametrize("shape", [(2, 90, 70), (2, 300, 520)])
def test_the_rest_of_a_plane_gets_a_class_and_no_more(shape: tuple[int, int, int]) -> None:
    array = np.zeros(shape, np.uint8)
    array[1, 10:20, 10:20] = 4
    mask = Mask.from_array(array)
    run(PaintRest(1, 1), mask)
    expected = array.copy()
    expected[1][array[1] == 0] = 1
    assert np.array_equal(mask.to_array(), expected)
    assert mask.counts()[1] == shape[1] * shape[2] - 100  # nothing past the edge
    run(ClearMask(1, 4), mask)
    assert mask.counts() == {1: shape[1] * shape[2] - 100}


# -- one class into another ----------------------------------------------------------------------


@pytest.mark.parametrize("old", [0, 1])
def test_recolouring_is_remembered_as_painting_is(old: int) -> None:
    """Also where more pieces come than are worth threads, and blocks end at the image's edge."""
    array = np.full((1, 2600, 1300), old, np.uint8)
    array[0, ::40] = 5
    pieces = [
        (0, y0, x0, array[0, y0 : y0 + 512, x0 : x0 + 512] == old)
        for y0 in range(0, 2600, 512)
        for x0 in range(0, 1300, 512)
    ]
    painted, recoloured = Mask.from_array(array), Mask.from_array(array)
    one, other = Recorder("image", painted), Recorder("image", recoloured)
    for piece in pieces:
        one.paint(*piece, 7)
    other.recolour(pieces, old, 7)
    a, b = one.finish("fill"), other.finish("fill")
    assert a is not None
    assert b is not None
    assert np.array_equal(painted.to_array(), recoloured.to_array())
    assert recoloured.counts() == painted.counts()  # nothing past the edge
    assert a.box == b.box
    assert b.size_bytes > 0
    assert tuple(b.blocks) == a.blocks
    assert b.size_bytes == a.size_bytes
    b.undo(recoloured)
    assert np.array_equal(recoloured.to_array(), array)
    b.redo(recoloured)
    assert np.array_equal(recoloured.to_array(), painted.to_array())


def test_cancelled_recolouring_leaves_no_trace() -> None:
    array = np.zeros((1, 300, 600), np.uint8)
    array[0, :200, :200] = 5
    mask = Mask.from_array(array)
    blocks = mask.block_indices()
    for old in (0, 5):
        recorder = Recorder("image", mask)
        recorder.recolour([(0, 0, 0, array[0] == old)], old, 7)
        assert mask.counts()[7] == (array == old).sum()
        recorder.cancel()
        assert np.array_equal(mask.to_array(), array)
        assert mask.block_indices() == blocks
        assert recorder.finish("fill") is None


def test_recolouring_nothing_is_no_change() -> None:
    recorder = Recorder("image", Mask((1, 300, 300)))
    recorder.recolour([(0, 0, 0, np.zeros((20, 20), np.bool_))], 0, 7)
    assert recorder.finish("fill") is None
    assert recorder.mask.block_indices() == []


@pytest.mark.parametrize("value", [0, 2])
def test_what_is_painted_while_an_edit_is_worked_out_is_noticed(value: int) -> None:
    """The edit reads copies; whatever is painted before, between and after, none is lost."""
    array = np.zeros((2, 300, 300), np.uint8)
    array[0, 50:100, 50:100] = 2
    mask = Mask.from_array(array)

    class Slow:
        """Fills, and somebody paints meanwhile."""

        title = "fill"

        def apply(self, recorder: Recorder) -> None:
            FloodFill(0, 55, 55, 3, in_3d=True).apply(recorder)
            mask.write(0, 50, 50, np.full((10, 10), value, np.uint8))

    ready = worked_out("image", mask, Slow())
    assert ready is not None
    assert ready.fits(mask) == (value == 2)  # painting what was there changes nothing
    alone = Mask.from_array(array)
    assert ready.fits(alone)
    ready.make(alone)
    expected = array.copy()
    expected[array == 2] = 3
    assert np.array_equal(alone.to_array(), expected)
    ready.change.undo(alone)
    assert np.array_equal(alone.to_array(), array)
    assert worked_out("image", mask, FloodFill(0, 0, 0, 0)) is None
