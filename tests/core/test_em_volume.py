"""The simulated sample of serial sections: same for the same seed, true masks, like tissue."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.samples.catalogue import (
    VOLUMES,
    SampleImage,
    sample_classes,
    simulate_volume,
)
from orgseg_app.core.samples.em_volume import MEMBRANE, MITOCHONDRIA

KIND = "em_volume"
SIZE = (8, 160, 176)


@pytest.fixture(scope="module")
def volumes() -> list[SampleImage]:
    """Two fields of view, smaller than usual."""
    return [simulate_volume(KIND, index, size=SIZE) for index in range(2)]


def test_a_volume_is_8_bit_with_a_full_mask(volumes: list[SampleImage]) -> None:
    for volume in volumes:
        assert volume.pixels.dtype == volume.mask.dtype == np.uint8
        assert volume.pixels.shape == volume.mask.shape == SIZE
        shares = [(volume.mask == c).mean() for c in (BACKGROUND, MEMBRANE, MITOCHONDRIA)]
        assert sum(shares) == pytest.approx(1)
        assert 0.5 < shares[0] < 0.85
        assert 0.1 < shares[1] < 0.3
        assert 0.02 < shares[2] < 0.3
        z, y, x = volume.pixel_size_um
        assert y == x
        assert z > 3 * y  # as serial sections are


def test_the_usual_size_is_small_enough_to_learn_from_in_a_minute() -> None:
    assert int(np.prod(VOLUMES[KIND].size)) < 1_000_000


def test_the_same_number_gives_the_same_volume(volumes: list[SampleImage]) -> None:
    again = simulate_volume(KIND, 1, size=SIZE)
    assert np.array_equal(again.mask, volumes[1].mask)
    assert np.array_equal(again.pixels, volumes[1].pixels)
    assert again.name == volumes[1].name == "em_volume_02"


def test_other_numbers_and_seeds_give_other_tissue(volumes: list[SampleImage]) -> None:
    for other in (volumes[1], simulate_volume(KIND, 0, seed=1, size=SIZE)):
        both = (other.mask == MEMBRANE) & (volumes[0].mask == MEMBRANE)
        either = (other.mask == MEMBRANE) | (volumes[0].mask == MEMBRANE)
        assert both.sum() / either.sum() < 0.25


def test_membranes_are_dark_lines_and_mitochondria_darker_than_cytoplasm(
    volumes: list[SampleImage],
) -> None:
    for volume in volumes:
        mean = {c: volume.pixels[volume.mask == c].mean() for c in (1, 2, 3)}
        assert mean[MEMBRANE] < mean[BACKGROUND] - 40
        assert mean[MITOCHONDRIA] < mean[BACKGROUND] - 20
        for plane in volume.mask == MEMBRANE:
            inner = ndimage.distance_transform_edt(plane)
            assert np.percentile(inner[plane], 80) <= 3  # lines, about four pixels wide


def test_the_mask_lies_on_the_membranes_and_not_beside_them(volumes: list[SampleImage]) -> None:
    for volume in volumes:
        membrane = volume.mask == MEMBRANE
        here = volume.pixels[membrane].mean()
        for shift in ((3, 0), (-3, 0), (0, 3), (0, -3)):
            moved = np.roll(membrane, shift, (1, 2))
            assert volume.pixels[moved].mean() > here + 10


def test_cells_drift_from_section_to_section(volumes: list[SampleImage]) -> None:
    """Neighbours are alike, sections far apart are not: splits may not mix them."""
    for volume in volumes:
        cells = (volume.mask != MEMBRANE).astype(float)
        near = np.corrcoef(cells[3].ravel(), cells[4].ravel())[0, 1]
        far = np.corrcoef(cells[0].ravel(), cells[-1].ravel())[0, 1]
        assert near > 0.3
        assert near < 0.95
        assert far < near - 0.15


def test_sections_differ_in_stain(volumes: list[SampleImage]) -> None:
    for volume in volumes:
        cytoplasm = [
            p[m == BACKGROUND].mean() for p, m in zip(volume.pixels, volume.mask, strict=True)
        ]
        assert 1 < np.std(cytoplasm) < 20


def test_a_threshold_does_not_do(volumes: list[SampleImage]) -> None:
    """What is dark is as well cristae, vesicles and noise."""
    for volume in volumes:
        membrane = volume.mask == MEMBRANE
        best = max(
            ((volume.pixels < t) & membrane).sum() / ((volume.pixels < t) | membrane).sum()
            for t in range(60, 160, 10)
        )
        assert 0.2 < best < 0.55


@pytest.mark.parametrize("size", [(1, 1, 1), (1, 1, 40), (3, 24, 200)])
def test_any_size_can_be_drawn(size: tuple[int, int, int]) -> None:
    volume = simulate_volume(KIND, 0, size=size)
    assert volume.pixels.shape == volume.mask.shape == size


def test_the_classes_fit_the_mask() -> None:
    classes = sample_classes(KIND)
    assert [c.class_id for c in classes] == [BACKGROUND, MEMBRANE, MITOCHONDRIA]
    assert [c.name for c in classes] == ["background", "membrane", "mitochondria"]
    assert [c.name for c in sample_classes("er")] == ["background", "ER"]


@pytest.mark.parametrize(
    "arguments",
    [("golgi", 0, 0, (1, 8, 8)), (KIND, -1, 0, (1, 8, 8)), (KIND, 0, -1, (1, 8, 8)),
     (KIND, 0, 0, (0, 8, 8))],
)  # fmt: skip
def test_impossible_requests_are_refused_with_a_sentence(
    arguments: tuple[str, int, int, tuple[int, int, int]],
) -> None:
    with pytest.raises(ValueError, match=r"^[A-Z].*\.$"):
        simulate_volume(*arguments)
