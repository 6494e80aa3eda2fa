"""Parts of planes: of linked files without reading the rest, and what cannot be had in parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.errors import ReadError
from orgseg_app.files.images.content import Source
from orgseg_app.files.images.intake import NewImage
from orgseg_app.files.images.links import LinkError
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.readers import tiff_planes
from orgseg_app.files.readers.apart import reading_apart
from orgseg_app.files.readers.registry import read_images

PLACE = (1, 20, 31, 66, 90)

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("<u2", {}),
    (">u2", {"byteorder": ">"}),
    ("u1", {}),
    ("<f4", {}),
    ("<u2", {"imagej": True}),
]


def voxels(channels: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 250, (3, channels, 80, 101))


@pytest.mark.parametrize(("dtype", "options"), KINDS)
@pytest.mark.parametrize("apart", [False, True])
def test_a_part_is_cut_out_of_its_plane(
    tmp_path: Path, dtype: str, options: dict[str, Any], apart: bool
) -> None:
    pixels, path = voxels().astype(dtype), tmp_path / "a.tif"
    more = options if "imagej" in options else {**options, "photometric": "minisblack"}
    tifffile.imwrite(path, pixels, metadata={"axes": "ZCYX"}, **more)
    if apart:
        with reading_apart():
            image = read_images(path)[0]
            part = image.read_part(*PLACE)
    else:
        image = read_images(path)[0]
        part = image.read_part(*PLACE)
    assert part is not None
    assert part.dtype == image.dtype
    z, y0, x0, y1, x1 = PLACE
    np.testing.assert_array_equal(part, image.read_plane(z)[:, y0:y1, x0:x1])
    np.testing.assert_array_equal(part, pixels[z, :, y0:y1, x0:x1])


@pytest.mark.parametrize("apart", [False, True])
def test_what_has_to_be_decoded_comes_whole_or_not_at_all(tmp_path: Path, apart: bool) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, voxels()[:, 0].astype(np.uint16), compression="zlib", photometric="minisblack"
    )
    if apart:
        with reading_apart():
            assert read_images(path)[0].read_part(*PLACE) is None
    else:
        assert read_images(path)[0].read_part(*PLACE) is None
    assert open_array("a", np.zeros((3, 80, 101), np.uint8)).read_part(*PLACE) is None


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, voxels()[:, 0].astype(np.uint16), photometric="minisblack")
    image = read_images(path)[0]
    with path.open("r+b") as stream:
        stream.truncate(path.stat().st_size // 2)
    with pytest.raises(ReadError, match="cut short|truncated|incomplete"):
        image.read_part(2, 40, 0, 80, 101)
    raw = tiff_planes.RawPlane((8,), "<u2", (1, 80, 101))
    for place in ((-1, 0, 5, 5), (0, 0, 81, 5), (0, 4, 5, 3)):
        with pytest.raises(ValueError, match="of 80 × 101"):
            tiff_planes.read_raw_part(path, raw, *place)


def test_of_a_linked_image_only_the_part_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = voxels()[:, 0].astype(np.uint16)
    plain, packed = tmp_path / "plain.tif", tmp_path / "packed.tif"
    tifffile.imwrite(plain, pixels, photometric="minisblack")
    tifffile.imwrite(packed, pixels, compression="zlib", photometric="minisblack")
    with ProjectFile.create(tmp_path / "p.orgseg", default_classes(["ER"])) as file:
        items = [NewImage(read_images(p)[0], linked=Source(p)) for p in (plain, packed)]
        items.append(NewImage(read_images(plain)[0]))
        ids = [image.image_id for image in file.add_images(items)]
        z, y0, x0, y1, x1 = PLACE
        expected = pixels[None, z, y0:y1, x0:x1]
        for image_id in ids:
            np.testing.assert_array_equal(file.read_region(image_id, *PLACE), expected)
        np.testing.assert_array_equal(
            file.read_region(ids[0], 0, -5, 90, 7, 900), pixels[None, 0, :7, 90:]
        )
        assert file.read_region(ids[0], 0, 90, 0, 95, 5).shape == (1, 0, 5)
        assert file.read_part(ids[1], *PLACE) is None

        def no_plane(*_: object) -> None:
            raise AssertionError("a whole plane was read")

        monkeypatch.setattr(file.links, "read_plane", no_plane)
        for image_id in (ids[0], ids[2]):
            np.testing.assert_array_equal(file.read_part(image_id, *PLACE), expected)
        changed = np.zeros_like(pixels)
        tifffile.imwrite(plain, changed, photometric="minisblack")
        with pytest.raises(LinkError):
            file.read_part(ids[0], *PLACE)
