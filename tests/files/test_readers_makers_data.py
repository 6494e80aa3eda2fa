"""Real files of microscopes and other programs open with the values they are known to hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orgseg_app.files.readers.apart import reading_apart
from orgseg_app.files.readers.registry import read_header, read_images
from orgseg_app.files.readers.series import read_series

pytestmark = pytest.mark.data


def expected(folder: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return facts


def in_order(said: dict[str, Any], found: tuple[int, ...]) -> bool:
    """Whether ``(T, C, Z, Y, X)`` is what is said, lengths of 1 left out, in any order."""
    wanted = said["shape"]
    return sorted(n for n in wanted if n > 1) == sorted(n for n in found if n > 1)


def test_every_file_opens_with_the_values_it_is_known_to_hold(shared_data):
    folder = shared_data / "vendor_formats"
    checked = 0
    with reading_apart():
        for name, said in expected(folder).items():
            if "min" not in said:
                continue
            header = read_header(folder / name)
            images = read_images(folder / name)
            pixels = np.array([image.read() for image in images])
            assert in_order(said, pixels.shape), name
            assert (pixels.dtype.name, header.dtype) == (said["dtype"], said["dtype"]), name
            assert (pixels.min(), pixels.max()) == (said["min"], said["max"]), name
            assert pixels.sum(dtype=np.float64) == pytest.approx(said["sum"], rel=1e-12), name
            checked += 1
    assert checked >= 15


def test_the_file_that_another_reader_cannot_decode(shared_data):
    """A microscope picture of 16 bit: neighbours are alike, as they are not in a wrong order."""
    (image,) = read_images(shared_data / "vendor_formats/newCZI_compressed.czi")
    assert (image.shape, image.dtype.name) == ((1, 1, 512, 512), "uint16")
    pixels = image.read()[0, 0].astype(float)
    assert np.corrcoef(pixels[:-1].ravel(), pixels[1:].ravel())[0, 1] > 0.5


def test_the_images_of_a_lif_file(shared_data):
    name = "LeicaLASX_wavelength-sweep_example.lif"
    images = read_images(shared_data / "vendor_formats" / name)
    said = expected(shared_data / "vendor_formats")[name]["images"]
    for number, entry in enumerate(said):
        x, y, z, times, _ = entry["dims_xyztm"]
        mine = [image for image in images if entry["name"] in image.name.split()]
        assert len(mine) == times, number
        assert {image.shape[1:] for image in mine} == {(z, y, x)}
        assert {image.dtype.itemsize * 8 for image in mine} == set(entry["bit_depth"])
    # Wavelengths are channels; the sums are those that liffile's own arrays have.
    sums = [int(image.read().sum()) for image in images]
    assert [sums[0], sums[1], sums[2] + sums[3]] == [547248, 1485476, 4846106]
    assert images[0].channel_names[:2] == ("550 nm", "560 nm")


def test_sizes_and_names_are_kept(shared_data):
    folder = shared_data / "vendor_formats"
    facts = {
        "LLS7_small.czi": ((0.144992,) * 3, ("LatticeLightsheet 1-T1", "LatticeLightsheet 2-T2")),
        "DAPI_GFP.czi": (None, ("DAPI", "channel 2")),
        "cluster.nd2": ((0.5, 0.167809, 0.167809), ("5-FAM/pH 9.0", "FM 4-64/2% CHAPS")),
        "imagej_tiff/xyzc_8bit_spheres.tif": ((2.0, 1.0, 1.0), ("channel 1", "channel 2")),
    }
    for name, (size, channels) in facts.items():
        image = read_images(folder / name)[0]
        assert image.channel_names == channels
        assert image.pixel_size_um == (size and pytest.approx(size, rel=1e-5))


def test_a_series_of_pictures_is_a_volume(shared_data):
    paths = sorted((shared_data / "vendor_formats/tiff_series").glob("*.tif"))
    volume = read_series(paths)
    assert volume.shape[1] == len(paths) == 7
    np.testing.assert_array_equal(volume.read_plane(3), read_images(paths[3])[0].read_plane(0))
