"""Objects measured block by block, against a slow reference that looks at each of them whole."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import ndimage

from orgseg_app.core.blocks import Box
from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.mask import Mask
from orgseg_app.core.object_review.survey import ObjectColumns, Survey


def made(numbers: np.ndarray, classes: np.ndarray | None = None) -> Mask:
    """A mask with these objects, of class 2 unless it is said."""
    if numbers.ndim == 2:
        numbers = numbers[np.newaxis]
        classes = None if classes is None else classes[np.newaxis]
    mask = Mask(numbers.shape)
    if classes is None:
        classes = np.where(numbers > 0, 2, 1).astype(np.uint8)
    for z in range(len(numbers)):
        Recorder("", mask).put(z, 0, 0, classes[z], numbers[z].astype(np.uint32))
    return mask


def surveyed(mask: Mask, pixel_size_um: tuple[float, float, float] | None = None) -> ObjectColumns:
    survey = Survey(mask.shape, pixel_size_um)
    survey.look(mask, Box(0, 0, 0, *mask.shape))
    return survey.columns()


def blobs(shape: tuple[int, int, int], seed: int) -> np.ndarray:
    """Touching, broken, holed objects that cross the borders of blocks."""
    rng = np.random.default_rng(seed)
    rough = ndimage.gaussian_filter(rng.normal(size=shape), (0.5, 3, 3))
    numbers = (np.digitize(rough, np.quantile(rough, [0.35, 0.5, 0.65, 0.9])) % 5).astype(np.uint32)
    return numbers * 7  # not in a row


def check_by_hand(mask: Mask, found: ObjectColumns) -> None:
    whole, classes = mask.objects.to_array(), mask.to_array()
    depth, height, width = whole.shape
    assert found.numbers.tolist() == sorted(set(np.unique(whole).tolist()) - {0})
    for row, number in enumerate(found.numbers.tolist()):
        where = whole == number
        places = np.argwhere(where)
        assert found.voxels[row] == len(places)
        assert found.centres[row] == pytest.approx(places.mean(axis=0))
        assert found.low[row].tolist() == places.min(axis=0).tolist()
        assert found.high[row].tolist() == (places.max(axis=0) + 1).tolist()
        labels, parts = ndimage.label(where, np.ones((3, 3, 3)))
        assert found.parts[row] == parts
        sizes = np.bincount(labels.ravel())[1:]
        assert found.stray[row] == sizes.sum() - sizes.max()
        planes = sorted(set(places[:, 0].tolist()))
        assert (found.planes[row], found.missing[row]) == (
            len(planes),
            planes[-1] - planes[0] + 1 - len(planes),
        )
        holes = sum(
            ndimage.label(np.pad(~plane, 1, constant_values=True))[1] - 1 for plane in where
        )
        assert found.holes[row] == holes
        counts = np.bincount(classes[where], minlength=256)
        assert found.class_ids[row] == counts.argmax()
        assert found.foreign[row] == pytest.approx(1 - counts.max() / counts.sum())
        ends = places.min(axis=0)[1:].tolist() + (places.max(axis=0) + 1)[1:].tolist()
        cut = 0 in ends[:2] or ends[2] == height or ends[3] == width
        cut = cut or (depth > 1 and (planes[0] == 0 or planes[-1] == depth - 1))
        assert found.at_border[row] == cut


@pytest.mark.parametrize(
    ("shape", "seed"), [((1, 270, 520), 1), ((1, 40, 50), 2), ((3, 262, 264), 3)]
)
def test_what_blocks_add_up_to_is_what_objects_are(shape: tuple[int, int, int], seed: int) -> None:
    numbers = blobs(shape, seed)
    classes = np.where(numbers > 0, 2, 1).astype(np.uint8)
    classes[..., :20] = np.where(numbers[..., :20] > 0, 3, 1)
    mask = made(numbers, classes)
    if seed == 1:
        numbers = mask.objects.to_array()
    check_by_hand(mask, surveyed(mask))


def test_after_an_edit_only_what_it_touched_is_measured_anew() -> None:
    mask = made(blobs((2, 280, 270), 4))
    survey = Survey(mask.shape)
    survey.look(mask, Box(0, 0, 0, *mask.shape))
    looked: list[int] = []
    recorder = Recorder("", mask, 99)
    recorder.paint(1, 250, 250, np.ones((20, 6), np.bool_), 2)
    recorder.paint(1, 10, 10, np.ones((3, 3), np.bool_), 0)
    survey.look(mask, Box(1, 250, 250, 2, 270, 256), lambda done, total: looked.append(total))
    survey.look(mask, Box(1, 10, 10, 2, 13, 13))
    assert set(looked) == {4}, "of 8 blocks"
    again = survey.columns()
    fresh = surveyed(mask)
    for name in ObjectColumns.__dataclass_fields__:
        assert np.array_equal(getattr(again, name), getattr(fresh, name)), name
    assert again.row_of(99) >= 0
    assert again.row_of(98) == -1


def test_an_object_that_goes_is_known_no_more() -> None:
    numbers = np.zeros((40, 40), np.uint32)
    numbers[5:10, 5:10], numbers[20:30, 20:30] = 1, 2**32 - 1
    mask = made(numbers)
    survey = Survey(mask.shape)
    survey.look(mask, Box(0, 0, 0, *mask.shape))
    assert survey.columns().numbers.tolist() == [1, 2**32 - 1]
    Recorder("", mask).paint(0, 0, 0, np.ones((40, 40), np.bool_), 0)
    survey.look(mask, Box(0, 0, 0, 1, 40, 40))
    assert len(survey.columns()) == 0


def test_roundness_tells_discs_from_bars_and_twins() -> None:
    numbers = np.zeros((200, 300), np.uint32)
    y, x = np.mgrid[:200, :300]
    numbers[(y - 50) ** 2 + (x - 50) ** 2 < 30**2] = 1
    numbers[45:55, 100:200] = 2
    numbers[(y - 130) ** 2 + (x - 100) ** 2 < 20**2] = 3
    numbers[(y - 130) ** 2 + (x - 139) ** 2 < 20**2] = 3
    disc, bar, twins = surveyed(made(numbers)).roundness
    assert disc == pytest.approx(1, abs=0.01)
    assert bar == pytest.approx(3 / np.pi * 0.1, rel=0.02), "a bar of 10 × 100"
    assert twins == pytest.approx(0.4, abs=0.03)
    ball = (np.mgrid[:30, :30, :30] - 14.5).reshape(3, -1)
    volume = (np.square(ball).sum(axis=0) < 12**2).reshape(30, 30, 30).astype(np.uint32)
    assert surveyed(made(volume[::2]), (2.0, 1.0, 1.0)).roundness[0] == pytest.approx(1, abs=0.03)


def test_contact_is_the_share_of_the_faces_with_the_nearest_of_its_class() -> None:
    numbers, classes = np.zeros((30, 600), np.uint32), np.ones((30, 600), np.uint8)
    numbers[5:15, 246:256], numbers[5:15, 256:266], numbers[15:25, 256:266] = 1, 2, 3
    classes[numbers > 0] = 2
    classes[numbers == 3] = 3
    found = surveyed(made(numbers, classes))
    assert found.neighbours.tolist() == [2, 1, 0]
    assert found.contact.tolist() == [0.25, 0.25, 0]


def test_noise_of_as_many_objects_as_voxels_is_looked_through_in_a_moment() -> None:
    rng = np.random.default_rng(0)
    mask = made(rng.integers(1, 2**32, (256, 256), np.uint32))
    begin = time.perf_counter()
    found = surveyed(mask)
    assert len(found) > 65_000
    assert time.perf_counter() - begin < 20, "a hang, not a figure"
