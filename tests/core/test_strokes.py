"""The ball and the limited brush, against slow references that are plainly right."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.edits.strokes import LIMITED_PIECE, PaintBall, PaintStroke
from orgseg_app.core.mask import Mask
from orgseg_app.core.painting import ball, brush
from orgseg_app.core.painting.limits import OtsuLimit, RangeLimit, Voxels, otsu

SHAPE = (9, 30, 34)
places = st.tuples(st.floats(-6, 36), st.floats(-6, 40))


def run(edit: PaintBall | PaintStroke, mask: Mask) -> NDArray[np.uint8]:
    recorder = Recorder("image", mask)
    edit.apply(recorder)
    recorder.finish(edit.title)
    return mask.to_array()


def slow_ball(
    z: int,
    a: tuple[float, float],
    b: tuple[float, float],
    size: int,
    pixel_size_um: tuple[float, float, float],
) -> NDArray[np.float64]:
    """Squared distance of every voxel of `SHAPE` from the way, over the squared radius."""
    (ay, ax), (by, bx) = brush.snapped(a, size), brush.snapped(b, size)
    out = np.empty(SHAPE)
    for index in np.ndindex(SHAPE):
        cy, cx = index[1] + 0.5, index[2] + 0.5
        along = (cy - ay) * (by - ay) + (cx - ax) * (bx - ax)
        length = (by - ay) ** 2 + (bx - ax) ** 2
        t = min(max(along / length, 0), 1) if length else 0
        flat = (cy - ay - t * (by - ay)) ** 2 + (cx - ax - t * (bx - ax)) ** 2
        deep = (index[0] - z) * pixel_size_um[0] / pixel_size_um[1]
        out[index] = (flat + deep**2) / (size / 2) ** 2
    return out


@given(
    st.integers(0, 8),
    places,
    places,
    st.integers(1, 16),
    st.sampled_from([(0.1, 0.1, 0.1), (0.3, 0.1, 0.1), (0.05, 0.1, 0.1), (0.13, 0.2, 0.2)]),
)
@settings(max_examples=40, deadline=None)
def test_the_ball_is_a_ball_in_micrometres(
    z: int,
    a: tuple[float, float],
    b: tuple[float, float],
    size: int,
    pixel_size_um: tuple[float, float, float],
) -> None:
    fast = run(PaintBall(z, (a, b), size, 2, pixel_size_um), Mask(SHAPE)) == 2
    slow = slow_ball(z, a, b, size, pixel_size_um)
    sure = abs(slow - 1) > 5e-3  # on the very rim rounding decides
    assert np.array_equal(fast[sure], (slow < 1)[sure])


def test_thick_planes_get_fewer_discs_and_unknown_ones_count_as_cubes() -> None:
    def planes(pixel_size_um: tuple[float, float, float] | None) -> list[int]:
        mask = Mask((41, 40, 40))
        run(PaintBall(20, ((20, 20),), 21, 2, pixel_size_um), mask)
        return mask.planes()

    assert planes(None) == planes((0.2, 0.2, 0.2)) == list(range(10, 31))
    assert planes((1.0, 0.2, 0.2)) == [18, 19, 20, 21, 22]
    assert planes((9.0, 0.2, 0.2)) == [20]
    assert ball.plane_distance((0.0, 0.1, 0.1)) == 1.0


def test_the_middle_plane_of_the_ball_is_the_brush() -> None:
    """What is seen under the hand is the same with both tools, and comes first."""
    way = ((12.3, 8.8), (17.1, 20.2))
    for size in (1, 2, 7, 12):
        with_ball = run(PaintBall(4, way, size, 2), Mask(SHAPE))
        assert np.array_equal(with_ball[4], run(PaintStroke(4, way, size, 2), Mask(SHAPE))[4])
    offsets = [disc[0] for disc in ball.swept((9, 9), (9, 9), 7, 1.0, below=1, above=8)]
    assert offsets == [0, 1, -1, 2, 3]


def test_the_ball_protects_and_erases() -> None:
    mask = Mask.from_array(np.full((3, 20, 20), 3, np.uint8))
    assert (run(PaintBall(1, ((10, 10),), 9, 2, protect=True), mask) == 3).all()
    assert (run(PaintBall(1, ((10, 10),), 9, 0, protect=True), mask) == 0).any(axis=(1, 2)).all()


def test_cost_of_the_ball_follows_the_ball() -> None:
    """Its discs shrink with the distance, and none is made beyond the stack."""
    voxels = sum(w.size for *_, w in ball.swept((500, 500), (500, 500), 61, 1.0, 999, 999))
    assert voxels < 61**3
    assert len(list(ball.swept((500, 500), (500, 500), 61, 1.0, below=0, above=2))) == 3


@pytest.mark.parametrize("sizes", [(3, 9), (1, 30)])
def test_pressure_gives_every_part_its_own_size(sizes: tuple[int, int]) -> None:
    way = ((10.5, 10.5), (10.5, 20.5))
    expected = Mask(SHAPE)
    run(PaintStroke(4, way[:1], sizes[0], 2), expected)
    run(PaintStroke(4, way, sizes[1], 2), expected)
    found = run(PaintStroke(4, way, 99, 2, sizes=sizes), Mask(SHAPE))
    assert np.array_equal(found, expected.to_array())
    with pytest.raises(ValueError, match="argument"):
        run(PaintStroke(4, way, 99, 2, sizes=(1,)), Mask(SHAPE))


# -- limits --------------------------------------------------------------------------------------


def slow_otsu(values: NDArray[np.float64], cuts: NDArray[np.float64]) -> float:
    """The cut with the least variance within the two classes, by trying all."""
    best, found = math.inf, cuts[0]
    for cut in cuts:
        low, high = values[values < cut], values[values >= cut]
        if len(low) and len(high):
            within = (len(low) * low.var() + len(high) * high.var()) / len(values)
            if within < best:
                best, found = within, cut
    return float(found)


@given(st.integers(0, 10_000), st.floats(0.05, 0.95), st.floats(3, 60))
@settings(max_examples=60, deadline=None)
def test_otsu_is_the_best_of_all_cuts(seed: int, share: float, gap: float) -> None:
    rng = np.random.default_rng(seed)
    values = np.where(rng.random(300) < share, rng.normal(0, 4, 300), rng.normal(gap, 7, 300))
    # whole bins, so that both see the same values
    low, high = values.min(), values.max()
    binned = np.floor((values - low) / (high - low) * 255).clip(0, 255)
    threshold = otsu(binned)
    slow = slow_otsu(binned, np.arange(1.0, 256.0))
    assert np.array_equal(binned >= threshold, binned >= slow)


def test_otsu_of_one_value_and_of_two() -> None:
    assert otsu(np.full(9, 7.0)) == 7
    assert 1 < otsu(np.array([1.0, 2.0, 2.0])) < 2


@given(places, places, st.integers(1, 20), st.integers(0, 90), st.integers(0, 90))
@settings(max_examples=40, deadline=None)
def test_a_range_limits_to_its_values(
    a: tuple[float, float], b: tuple[float, float], size: int, low: int, high: int
) -> None:
    values = np.random.default_rng(0).integers(0, 100, SHAPE[1:]).astype(np.uint16)
    limit = RangeLimit(Voxels.of(values), low, high)
    limited = run(PaintStroke(1, (a, b), size, 2, limit=limit), Mask(SHAPE))[1] == 2
    # a limited line is drawn in pieces, whose snapped ends may lie half a voxel off the line
    plain = Mask(SHAPE)
    for start, end in brush.pieces(a, b, max(LIMITED_PIECE, size)):
        run(PaintStroke(1, (start, end), size, 2), plain)
    allowed = (values >= low) & (values <= high)
    assert np.array_equal(limited, (plain.plane(1) == 2) & allowed)


def two_classes() -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """A bright band on a background that rises by more than the band is bright."""
    band = np.zeros((120, 400), bool)
    band[50:62] = True
    noise = np.random.default_rng(0).normal(0, 4, band.shape)
    return 100 + np.linspace(0, 200, 400)[None] + 80 * band + noise, band


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("bright", [True, False])
def test_the_class_of_the_voxel_pressed_first_is_painted_and_local(
    dtype: type[np.generic], bright: bool
) -> None:
    values, band = two_classes()
    values = values.astype(dtype)
    way = ((56.5, 6.5), (56.5, 393.5))  # no threshold for the whole image parts this
    assert values[band].min() < values[~band].max()
    start = way[0] if bright else (40.5, 6.5)
    limit = OtsuLimit.at(Voxels.of(values), *start, 31)
    assert limit.bright == bright
    shape = (1, *band.shape)
    corridor = run(PaintStroke(0, way, 31, 2), Mask(shape))[0] == 2
    painted = run(PaintStroke(0, way, 31, 2, limit=limit), Mask(shape))[0] == 2
    wanted = corridor & (band if bright else ~band)
    assert (painted & wanted).sum() / (painted | wanted).sum() > 0.9
    assert not (painted & ~corridor).any()


def test_a_voxel_has_one_threshold_however_the_hand_comes() -> None:
    values = np.random.default_rng(1).gamma(2, 50, (90, 110)).astype(np.uint16)
    way = ((-3.0, 5.0), (40.0, 50.0), (80.0, 60.0), (60.0, 105.0))
    stroked = []
    for places in (way, way[::-1], way + way[::-1]):
        limit = OtsuLimit(Voxels.of(values), bright=True, size=15)
        stroked.append(run(PaintStroke(0, places, 15, 2, limit=limit), Mask((1, 90, 110))) == 2)
        everywhere = OtsuLimit(Voxels.of(values), bright=True, size=15).narrowed(
            0, 0, np.ones((90, 110), bool)
        )
        assert not (stroked[-1][0] & ~everywhere).any()
    # where pieces of a line end depends on its direction: half a voxel at the rim
    assert (stroked[0] ^ stroked[1]).sum() <= 0.02 * stroked[0].sum()
    assert (stroked[0] & ~stroked[2]).sum() == 0


def test_a_limit_reads_only_around_the_stroke() -> None:
    asked = []

    def read(y0: int, x0: int, y1: int, x1: int) -> NDArray[np.uint8]:
        assert 0 <= y0 < y1 <= 20_000
        assert 0 <= x0 < x1 <= 20_000
        asked.append((y1 - y0) * (x1 - x0))
        return np.zeros((y1 - y0, x1 - x0), np.uint8)

    voxels = Voxels((20_000, 20_000), read)
    limit = OtsuLimit.at(voxels, 9000, 9000, 20)
    way = ((9000.0, 9000.0), (9900.0, 9900.0))
    run(PaintStroke(0, way, 20, 2, limit=limit), Mask((1, 20_000, 20_000)))
    assert max(asked) < 120**2


@pytest.mark.parametrize("place", [(-50.0, -50.0), (0.0, 0.0), (11.9, 400.0)])
def test_limits_at_and_beyond_the_edge(place: tuple[float, float]) -> None:
    values = np.full((12, 14), np.nan, np.float32)
    values[:, 7:] = 5
    for limit in (
        OtsuLimit.at(Voxels.of(values), *place, 9),
        RangeLimit(Voxels.of(values), 0, 9),
    ):
        run(PaintStroke(0, (place, (5.0, 5.0)), 9, 2, limit=limit), Mask((1, 12, 14)))
    tiny = np.zeros((1, 1), np.uint8)
    limit = OtsuLimit.at(Voxels.of(tiny), 0.5, 0.5, 9)
    assert run(PaintStroke(0, ((0.5, 0.5),), 9, 2, limit=limit), Mask((1, 1, 1))).all()
