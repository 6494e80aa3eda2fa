"""The simulated samples: deterministic, exact ground truth, hard for a threshold."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import ndimage

from orgseg_app.core.classes import BACKGROUND, parse_classes
from orgseg_app.core.samples.catalogue import (
    SAMPLES,
    STRUCTURE,
    sample_project_images,
    simulate,
)

KINDS = sorted(SAMPLES)


def otsu_threshold(pixels):
    """The grey value that splits the histogram with the largest variance between (Otsu, 1979)."""
    values, counts = np.unique(pixels, return_counts=True)
    below = np.cumsum(counts)[:-1].astype(float)
    above = counts.sum() - below
    sums = np.cumsum(counts * values.astype(float))
    between = below * above * (sums[:-1] / below - (sums[-1] - sums[:-1]) / above) ** 2
    return values[int(np.argmax(between))]


def iou(first, second):
    return (first & second).sum() / (first | second).sum()


def otsu_iou(image):
    """IoU of Otsu's threshold with the structure, foreground bright or dark."""
    structure = image.mask == STRUCTURE
    bright = image.pixels > otsu_threshold(image.pixels)
    return max(iou(bright, structure), iou(~bright, structure))


@pytest.fixture(scope="module", params=KINDS)
def images(request):
    """Four images of one kind in the usual size."""
    return [simulate(request.param, index) for index in range(4)]


def test_images_are_16_bit_with_a_full_mask(images):
    for image in images:
        kind = image.name.rsplit("_", 1)[0]
        assert image.pixels.dtype == np.uint16
        assert image.mask.dtype == np.uint8
        assert image.pixels.shape == image.mask.shape == SAMPLES[kind].size
        assert set(np.unique(image.mask)) == {BACKGROUND, STRUCTURE}
        assert image.pixel_size_um == SAMPLES[kind].pixel_size_um
        assert 0.03 < (image.mask == STRUCTURE).mean() < 0.5


def test_counts_look_like_a_camera(images):
    for image in images:
        assert 60 < image.pixels.min() < 140  # the offset is 100 counts
        assert image.pixels.max() < 8000  # nothing saturates
        bright = np.percentile(image.pixels, 99) - np.percentile(image.pixels, 1)
        assert bright > 40


def test_neighbouring_pixels_differ_by_noise_of_the_signal(images):
    """Photon noise: pixel-to-pixel differences grow with the light, in the dark only read noise."""
    for image in images:
        pixels = image.pixels.astype(float)
        difference = (pixels[:, 1:] - pixels[:, :-1]) / np.sqrt(2)
        level = (pixels[:, 1:] + pixels[:, :-1]) / 2
        dark = difference[level < np.percentile(level, 10)]
        light = difference[level > np.percentile(level, 97)]
        assert 2 < dark.std() < 0.7 * light.std()


def test_the_same_number_gives_the_same_image(images):
    again = simulate(images[1].name.rsplit("_", 1)[0], 1)
    assert np.array_equal(again.mask, images[1].mask)
    assert np.array_equal(again.pixels, images[1].pixels)
    assert again.name == images[1].name


def test_other_numbers_and_seeds_give_other_images(images):
    kind = images[0].name.rsplit("_", 1)[0]
    others = [*images[1:], simulate(kind, 0, seed=1)]
    for other in others:
        agreement = iou(images[0].mask == STRUCTURE, other.mask == STRUCTURE)
        assert agreement < 0.35
    assert len({image.name for image in images}) == len(images)


def test_structures_are_brighter_than_what_surrounds_them(images):
    """Compared locally: the background of one place may outshine the structures of another."""
    for image in images:
        structure = image.mask == STRUCTURE
        near = ndimage.binary_dilation(structure, iterations=6)
        around = near & ~ndimage.binary_dilation(structure, iterations=2)
        assert image.pixels[structure].mean() > 1.15 * image.pixels[around].mean()
        local = image.pixels - ndimage.gaussian_filter(image.pixels.astype(float), 12)
        smooth = ndimage.gaussian_filter(local, 1.0)
        assert np.corrcoef(smooth[near], structure[near])[0, 1] > 0.4


def test_mask_lies_on_the_structure_and_not_beside_it(images):
    """Moving the mask by three pixels in any direction makes it fit the picture worse."""
    for image in images:
        pixels = ndimage.gaussian_filter(image.pixels.astype(float), 0.8)
        local = pixels - ndimage.gaussian_filter(pixels, 12)
        structure = image.mask == STRUCTURE
        here = local[structure].mean()
        for shift in ((3, 0), (-3, 0), (0, 3), (0, -3)):
            assert local[np.roll(structure, shift, (0, 1))].mean() < 0.96 * here


def test_a_global_threshold_does_badly_but_not_absurdly():
    bands = {"er": (0.25, 0.5), "mitochondria": (0.35, 0.6), "nuclei": (0.4, 0.75)}
    for kind, (low, high) in bands.items():
        mean = np.mean([otsu_iou(simulate(kind, index)) for index in range(4)])
        assert low < mean < high, (kind, mean)


def test_er_is_a_connected_network_with_holes():
    structure = simulate("er", 0).mask == STRUCTURE
    pieces, count = ndimage.label(structure, np.ones((3, 3)))
    sizes = np.bincount(pieces.ravel())[1:]
    assert sizes.max() > 0.8 * sizes.sum()
    _, holes = ndimage.label(~structure)
    assert holes > 100  # the meshes
    assert count < 60  # few tubules lie apart


def test_er_tubules_are_as_wide_as_the_microscope_shows_them():
    """Most of the structure is tubules of 3 to 5 pixels (65 nm each)."""
    structure = simulate("er", 6).mask == STRUCTURE
    inner = ndimage.distance_transform_edt(structure)
    assert np.percentile(inner[structure], 90) <= 3.0
    assert np.percentile(inner[structure], 60) >= 1.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (64, 300), (300, 64), (700, 650)])
def test_any_size_can_be_drawn(kind, size):
    image = simulate(kind, 0, size=size)
    assert image.pixels.shape == image.mask.shape == size
    assert set(np.unique(image.mask)) <= {BACKGROUND, STRUCTURE}


def test_many_small_fields_can_be_drawn():
    """Small fields often miss the cells, the nucleus or the network: none of that may fail."""
    for kind in KINDS:
        for seed in range(12):
            assert simulate(kind, seed, seed=seed, size=(40, 56)).pixels.min() > 0


def test_a_project_holds_numbered_images_of_the_usual_size():
    images = sample_project_images("nuclei", count=3, seed=2)
    assert [image.name for image in images] == ["nuclei_01", "nuclei_02", "nuclei_03"]
    assert all(image.pixels.shape == (512, 512) for image in images)
    assert np.array_equal(images[2].mask, simulate("nuclei", 2, seed=2).mask)


def test_every_sample_names_a_valid_class():
    for sample in SAMPLES.values():
        classes = parse_classes(f"{sample.class_name}:{sample.colour}")
        assert classes[-1].class_id == STRUCTURE
        assert sample.title
        assert sample.description.endswith(".")


@pytest.mark.parametrize(
    "arguments",
    [("golgi", 0, 0, (8, 8)), ("er", -1, 0, (8, 8)), ("er", 0, -1, (8, 8)), ("er", 0, 0, (0, 8))],
)
def test_impossible_requests_are_refused_with_a_sentence(arguments):
    with pytest.raises(ValueError, match=r"^[A-Z].*\.$"):
        simulate(*arguments)
    with pytest.raises(ValueError, match="golgi"):
        sample_project_images("golgi")


def test_the_list_of_samples_costs_no_slow_import():
    """The start page lists the samples; OpenCV and SciPy wait until one is drawn."""
    code = (
        "import sys, orgseg_app.core.samples.catalogue; "
        "print([name for name in ('cv2', 'scipy', 'torch', 'PySide6') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
