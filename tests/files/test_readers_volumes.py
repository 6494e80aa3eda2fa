"""HDF5, OME-Zarr and MRC volumes: every voxel, axes, sizes, one plane at a time.

``tests/data/stacks_by_other_programs.zip`` was written by zarr 3.1.6 and mrcfile 1.5.4, each stack
beside the ``.npy`` of what it holds.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from orgseg_app.files.annotations.label_image import read_labels
from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers import zarr_array
from orgseg_app.files.readers.apart import reading_apart
from orgseg_app.files.readers.inside import inside, split_inside
from orgseg_app.files.readers.registry import read_contents, read_header, read_images

STACKS = Path(__file__).parents[1] / "data" / "stacks_by_other_programs.zip"
RNG = np.random.default_rng(3)


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("Stapel µ")
    with zipfile.ZipFile(STACKS) as archive:
        archive.extractall(folder)
    return folder


def hdf5(path: Path, **arrays: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=values)
    return path


@pytest.mark.parametrize("way", [contextlib.nullcontext, reading_apart], ids=["here", "apart"])
def test_zarr_of_all_packings_reads_as_the_library_wrote_it(stacks, way):
    wanted = np.load(stacks / "a.npy")
    folders = sorted(stacks.glob("*.zarr"))
    assert len(folders) == 12
    with way():
        for folder in folders:
            image = read_images(folder)[0]
            assert np.array_equal(image.read(), wanted), folder.name
            assert np.array_equal(image.read_plane(2), wanted[:, 2]), folder.name
            assert image.pixel_size_um == pytest.approx((0.5, 0.13, 0.13))
            assert image.channel_names == ("DAPI", "GFP")
            assert image.name == folder.name.removesuffix(".zarr").removesuffix(".ome")


@pytest.mark.parametrize("way", [contextlib.nullcontext, reading_apart], ids=["here", "apart"])
def test_mrc_of_all_kinds_in_both_byte_orders(stacks, way):
    with way():
        for mode in (0, 1, 2, 6, 12):
            wanted = np.load(stacks / f"m{mode}.npy")
            for order in ("le", "be"):
                image = read_images(stacks / f"m{mode}{order}.mrc")[0]
                assert np.array_equal(image.read()[0].astype(np.float64), wanted), (mode, order)
                assert image.dtype == (np.uint16 if mode == 6 else np.float32)
                assert image.pixel_size_um == pytest.approx((0.004, 0.0012, 0.001))


def test_only_the_blocks_under_a_plane_are_opened(stacks, monkeypatch):
    opened: list[str] = []
    contents = zarr_array._contents

    def counted(path, *more, **options):
        opened.append(path.name)
        return contents(path, *more, **options)

    image = read_images(stacks / "v2_zlib.zarr")[0]  # blocks of 1, 2, 4, 4
    monkeypatch.setattr(zarr_array, "_contents", counted)
    image.read_plane(2)
    assert sorted(opened) == sorted(
        f"{c}.1.{y}.{x}" for c in (0, 1) for y in (0, 1) for x in (0, 1)
    )


def test_hdf5_images_labels_and_their_names(tmp_path):
    raw = RNG.integers(0, 60000, (4, 6, 5)).astype(np.uint16)
    labels = RNG.integers(0, 9, raw.shape).astype(np.uint32)
    path = hdf5(tmp_path / "Zellen ß.h5", raw=raw, label=labels, table=np.arange(9))
    assert read_contents(path) == [("/label", "labels"), ("/raw", "image")]
    (image,) = read_images(path)
    assert (image.name, image.shape) == ("Zellen ß", (1, 4, 6, 5))
    assert np.array_equal(image.read()[0], raw)
    assert np.array_equal(read_labels(inside(path, "/label")), labels)
    assert np.array_equal(read_labels(Path(f"{path}/label")), labels)  # ilastik's way
    with pytest.raises(ReadError, match="no array “/gone”"):
        read_images(inside(path, "/gone"))


def test_several_hdf5_images_are_several_and_small_copies_none(tmp_path):
    first, second = RNG.random((4, 8, 8)), RNG.random((3, 6, 6))
    path = tmp_path / "two.h5"
    with h5py.File(path, "w") as file:
        file["volumes/a"], file["volumes/b"] = first, second
        for level, step in enumerate((1, 2, 4)):
            file[f"t00/s{level}/cells"] = np.zeros((8 // step, 8 // step, 8 // step), np.uint8)
    assert [image.name for image in read_images(path)] == [
        "two t00/s0/cells", "two volumes/a", "two volumes/b"
    ]  # fmt: skip
    assert np.array_equal(
        read_images(inside(path, "/volumes/b"))[0].read()[0], second.astype(np.float32)
    )


@pytest.mark.parametrize(
    "shape, attributes, wanted",
    [
        ((3, 5, 6, 4), {}, (4, 3, 5, 6)),  # few at the end: channels
        ((2, 3, 5, 6), {}, (2, 3, 5, 6)),
        ((2, 5, 6), {"axes": "cyx"}, (2, 1, 5, 6)),
        ((5, 6, 4), {"DIMENSION_LABELS": [b"y", b"x", b"z"]}, (1, 4, 5, 6)),
        (
            (1, 3, 5, 6, 2),
            {"axistags": json.dumps({"axes": [{"key": key} for key in "tzyxc"]})},
            (2, 3, 5, 6),
        ),
    ],
)
def test_hdf5_axes(tmp_path, shape, attributes, wanted):
    values = RNG.integers(0, 255, shape).astype(">u2")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = file.create_dataset("data", data=values, chunks=True, compression="gzip")
        dataset.attrs["element_size_um"] = (0.3, 0.1, 0.1)
        for name, value in attributes.items():
            dataset.attrs[name] = value
    (image,) = read_images(tmp_path / "a.h5")
    assert image.shape == wanted
    assert image.pixel_size_um == (0.3, 0.1, 0.1)
    assert image.dtype == np.uint16
    assert int(image.read().sum()) == int(values.sum())


def test_time_points_are_images_of_their_own(tmp_path):
    values = RNG.integers(0, 255, (2, 1, 3, 4, 5)).astype(np.uint8)
    with h5py.File(tmp_path / "film.h5", "w") as file:
        file.create_dataset("data", data=values).attrs["axes"] = "tczyx"
    images = read_images(tmp_path / "film.h5")
    assert [(i.name, i.time, i.times) for i in images] == [("film t001", 0, 2), ("film t002", 1, 2)]
    assert np.array_equal(images[1].read(), values[1])


def test_one_voxel(tmp_path, stacks):
    path = hdf5(tmp_path / "one.h5", data=np.full((1, 1, 1), 7, np.uint8))
    assert read_images(path)[0].read().tolist() == [[[[7]]]]
    header = bytearray((stacks / "m2le.mrc").read_bytes()[:1024])
    header[:12] = np.array([1, 1, 1], "<i4").tobytes()
    (tmp_path / "one.mrc").write_bytes(bytes(header) + np.array([2.5], "<f4").tobytes())
    assert read_images(tmp_path / "one.mrc")[0].read().tolist() == [[[[2.5]]]]


def test_bytes_of_older_imod_files_count_from_0_to_255(tmp_path, stacks):
    data = bytearray((stacks / "m0le.mrc").read_bytes())
    data[1024:1028] = bytes([0, 127, 128, 255])
    data[152:160] = np.array([1146047817, 0], "<i4").tobytes()
    (tmp_path / "imod.mrc").write_bytes(bytes(data))
    image = read_images(tmp_path / "imod.mrc")[0]
    assert image.dtype == np.uint8
    assert image.read().ravel()[:4].tolist() == [0, 127, 128, 255]


def test_content_decides_and_not_the_name(tmp_path, stacks):
    (tmp_path / "a.tif").write_bytes((stacks / "m6be.mrc").read_bytes())
    assert read_header(tmp_path / "a.tif").family == "mrc"
    path = hdf5(tmp_path / "b.png", data=np.zeros((2, 3, 4), np.uint8))
    assert read_header(path).family == "hdf5"


def test_paths_that_lead_inside(tmp_path):
    path = hdf5(tmp_path / "x.h5", data=np.zeros((2, 3, 4), np.uint8))
    assert split_inside(Path(f"{path}:/data")) == (path, "/data")
    assert split_inside(Path(f"{path}:data")) == (path, "/data")
    assert split_inside(Path(f"{path}/a/b")) == (path, "/a/b")
    assert split_inside(path) == (path, "")
    (tmp_path / "odd.h5:").mkdir()
    assert split_inside(tmp_path / "odd.h5:") == (tmp_path / "odd.h5:", "")


@pytest.mark.data
def test_files_of_the_shared_collection(shared_data):
    expected = json.loads((shared_data / "vendor_formats/expected.json").read_text())
    facts = expected["stardist_img3d.ome.zarr"]
    (image,) = read_images(shared_data / "vendor_formats/stardist_img3d.ome.zarr")
    pixels = image.read()
    assert list(pixels.shape[1:]) == facts["shape"]
    assert pixels.dtype.name == facts["dtype"]
    assert (pixels.min(), pixels.max(), pixels.sum(dtype=np.float64)) == (
        facts["min"], facts["max"], facts["sum"]
    )  # fmt: skip
    for name in ("1135_mini", "sample_ovule"):
        path = shared_data / f"volumes_3d_light/{name}.h5"
        with h5py.File(path) as file:
            raw, labels = file["raw"][()], file["label"][()]
        assert np.array_equal(read_images(path)[0].read()[0], raw)
        assert np.array_equal(read_labels(inside(path, "/label")), labels)
