"""How much a voxel counts: taken in from a file whole or not at all, kept with the image."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgseg_app.core.image import open_array
from orgseg_app.core.weighting.maker import WeightMaker
from orgseg_app.core.weighting.settings import WeightSettings
from orgseg_app.files.backups import restore as restoring
from orgseg_app.files.backups.verify import verify
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.packing import pack
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.files.readers.registry import read_images
from orgseg_app.files.snapshot import write_snapshot
from orgseg_app.files.weights import (
    drop_weights,
    has_weights,
    make_weights,
    store_weights,
    weights_plane,
    weights_range,
)
from tests.files.damaging import damage_block
from tests.files.projects import back_up, only, painted, picture, small_project

SHAPE = (3, 300, 280)  # several planes, several blocks


def some_weights(shape=SHAPE, seed=0) -> np.ndarray:
    values = np.random.default_rng(seed).random(shape, np.float32) * 4
    values[values < 1] = 0
    return values


@pytest.fixture
def file(tmp_path: Path):
    with small_project(tmp_path / "cells.orgseg", 0) as file:
        file.add_images([NewImage(picture("stack", (1, *SHAPE)), mask=painted(SHAPE))])
        yield file


def test_weights_come_back_plane_by_plane(file: ProjectFile, tmp_path: Path) -> None:
    image_id, weights = only(file), some_weights()
    assert weights_range(file, image_id) is None
    assert weights_plane(file, image_id, 0) is None
    tifffile.imwrite(tmp_path / "w.tif", weights, photometric="minisblack")
    seen = []
    ends = store_weights(
        file,
        image_id,
        read_images(tmp_path / "w.tif")[0],
        lambda done, total: seen.append((done, total)) is None,
    )
    assert ends == weights_range(file, image_id) == (0.0, float(weights.max()))
    assert seen == [(0, 3), (1, 3), (2, 3)]
    for z in range(3):
        np.testing.assert_array_equal(weights_plane(file, image_id, z), weights[z])
    with file.reading() as stored:
        dataset = stored["images"][image_id]["weights"]
        assert (dataset.dtype, dataset.chunks) == (np.float32, (1, 256, 256))
        assert dataset.fletcher32
        assert dataset.compression == "gzip"


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 300), st.integers(1, 300)),
    kind=st.sampled_from(["uint8", "uint16", "float32"]),
    seed=st.integers(0, 1000),
)
def test_any_size_and_kind(tmp_path_factory, shape, kind, seed) -> None:
    values = np.random.default_rng(seed).integers(0, 200, shape).astype(kind)
    values.flat[0] = 7
    with small_project(tmp_path_factory.mktemp("w") / "p.orgseg", 0) as file:
        file.add_images([NewImage(picture("a", (1, *shape)))])
        store_weights(file, only(file), open_array("w", values))
        np.testing.assert_array_equal(file.weights(only(file)), values.astype(np.float32))


def with_value(value: float) -> np.ndarray:
    weights = some_weights()
    weights[1, 200, 100] = value
    return weights


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (with_value(np.nan), r"no numbers, in plane 2"),
        (with_value(np.inf), r"no numbers, in plane 2"),
        (with_value(-0.5), r"negative weights \(-0.5 in plane 2\)"),
        (some_weights((3, 300, 281)), r"3 × 300 × 281 voxels .* has 3 × 300 × 280"),
        (some_weights((1, 300, 280)), r"1 × 300 × 280 voxels"),
        (some_weights((2, 3, 300, 280)), r"2 channels"),
        (np.zeros(SHAPE, np.float32), r"are 0, so that nothing would count"),
    ],
)
def test_wrong_weights_change_nothing(file: ProjectFile, values, words) -> None:
    image_id, good = only(file), some_weights(seed=5)
    store_weights(file, image_id, open_array("good", good))
    before = file.path.read_bytes()
    with pytest.raises(ProjectError, match=words) as caught:
        store_weights(file, image_id, open_array("w.tif", values.astype(np.float32)))
    assert "Nothing was changed" in str(caught.value)
    assert "“w.tif”" in str(caught.value)
    assert file.path.read_bytes() == before
    np.testing.assert_array_equal(file.weights(image_id), good)


def test_giving_up_and_a_file_that_breaks_off(file: ProjectFile) -> None:
    image_id = only(file)
    opened = open_array("w", some_weights())
    assert store_weights(file, image_id, opened, lambda done, total: done < 2) is None
    assert weights_range(file, image_id) is None
    read = opened.read_plane

    def breaking(z: int) -> np.ndarray:
        if z == 2:
            raise ProjectError("The file ends too early.")
        return read(z)

    opened.read_plane = breaking
    with pytest.raises(ProjectError, match="too early"):
        store_weights(file, image_id, opened)
    assert weights_range(file, image_id) is None


def test_they_are_replaced_and_dropped(file: ProjectFile) -> None:
    image_id = only(file)
    store_weights(file, image_id, open_array("w", some_weights(seed=1)))
    other = some_weights(seed=2)
    store_weights(file, image_id, open_array("w", other))
    np.testing.assert_array_equal(file.weights(image_id), other)
    assert file.compact()
    np.testing.assert_array_equal(file.weights(image_id), other)
    drop_weights(file, image_id)
    assert file.weights(image_id) is None
    drop_weights(file, image_id)  # twice is fine


def test_they_survive_reopening_snapshot_pack_and_verify(file: ProjectFile, tmp_path: Path) -> None:
    image_id, weights = only(file), some_weights()
    store_weights(file, image_id, open_array("w", weights))
    write_snapshot(file, tmp_path / "snapshot.h5", [image_id])
    pack(file, tmp_path / "packed.orgseg", [])
    assert not verify(file.path).damages
    path = file.path
    file.close()
    for one in (path, tmp_path / "snapshot.h5", tmp_path / "packed.orgseg"):
        with ProjectFile.open(one, read_only=True) as again:
            np.testing.assert_array_equal(again.weights(image_id), weights)
            assert weights_range(again, image_id) == (0.0, float(weights.max()))


def test_a_backup_brings_them_back(file: ProjectFile) -> None:
    image_id, weights = only(file), some_weights()
    store_weights(file, image_id, open_array("w", weights))
    made = back_up(file)
    drop_weights(file, image_id)
    plan, changes = restoring.restore(file, made)
    assert (plan.with_weights, changes) == ([image_id], [])
    np.testing.assert_array_equal(file.weights(image_id), weights)
    plan, _ = restoring.restore(file, made)
    assert plan.with_weights == []  # they are the same


@pytest.mark.parametrize(
    "wrong", [np.ones((1, 60, 81), "f4"), np.ones((1, 60, 80), "f8"), np.ones((60, 80), "f4")]
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, wrong: np.ndarray) -> None:
    with small_project(tmp_path / "p.orgseg", 1) as file:
        image_id = only(file)
        write_snapshot(file, tmp_path / "s.h5", [image_id])
    with h5py.File(tmp_path / "s.h5", "r+") as inside:
        inside["images"][image_id]["weights"] = wrong
    with pytest.raises(ProjectError, match="weights of “cell 0” do not fit"):
        ProjectFile.open(tmp_path / "s.h5", read_only=True)


def test_a_note_of_the_range_that_lies_is_not_believed(tmp_path: Path) -> None:
    with small_project(tmp_path / "p.orgseg", 1) as file:
        image_id = only(file)
        store_weights(file, image_id, open_array("w", np.ones((60, 80), np.float32)))
        write_snapshot(file, tmp_path / "s.h5", [image_id])
    with h5py.File(tmp_path / "s.h5", "r+") as inside:
        inside["images"][image_id]["weights"].attrs["range"] = np.array([np.nan, 3.0])
    with ProjectFile.open(tmp_path / "s.h5", read_only=True) as again:
        assert weights_range(again, image_id) == (1.0, 1.0)


def test_damaged_weights_keep_no_mask_from_coming_back(file: ProjectFile) -> None:
    image_id, then = only(file), file.mask(only(file)).to_array()
    store_weights(file, image_id, open_array("w", some_weights()))
    file.close()
    damage_block(file.path, f"images/{image_id}/weights", (1, 0, 256))
    with ProjectFile.open(file.path) as again:
        made = back_up(again)
        assert not made.is_whole
        again.mask(image_id).write(0, 0, 0, np.full(SHAPE[1:], 3, np.uint8))
        plan, changes = restoring.restore(again, made)
        assert plan.read == [image_id]
        assert len(changes) == 1
        np.testing.assert_array_equal(again.mask(image_id).to_array(), then)
        assert plan.with_weights == []
        assert any("weights" in problem for problem in plan.problems), plan.problems


def test_weights_of_an_image_that_was_removed_meanwhile(file: ProjectFile) -> None:
    image_id = next(i for i in file.project.images if file.project.images[i].name == "stack")
    file.remove_image(image_id)
    for work in (
        lambda: store_weights(file, image_id, open_array("w", some_weights())),
        lambda: drop_weights(file, image_id),
        lambda: weights_plane(file, image_id, 0),
        lambda: weights_range(file, image_id),
    ):
        with pytest.raises(ProjectError, match="no longer in “cells.orgseg”"):
            work()


# -- made from paint -------------------------------------------------------------------------------


def sparse_project(path: Path) -> ProjectFile:
    """A stack with two painted planes of four, a plain image, and one without paint."""
    made = small_project(path, 0)
    mask = np.zeros((4, 40, 50), np.uint8)
    mask[1], mask[1, 10:20, 10:30], mask[3, :20] = 1, 2, 1
    plain = np.full((1, 40, 50), 1, np.uint8)
    plain[0, :3, :3] = 2
    made.add_images(
        [
            NewImage(picture("stack", (1, 4, 40, 50)), mask=mask),
            NewImage(picture("plain", (1, 1, 40, 50)), mask=plain),
            NewImage(picture("bare", (1, 1, 40, 50))),
        ]
    )
    return made


def test_made_weights_are_stored_plane_by_plane(tmp_path: Path) -> None:
    with sparse_project(tmp_path / "p.orgseg") as file:
        stack, plain, bare = file.project.images
        asked = WeightSettings(reach=8)
        steps: list[tuple[int, int]] = []
        made = make_weights(
            file, [stack, plain, bare], asked, lambda *told: steps.append(told) is None
        )
        assert made is not None
        assert list(made) == [stack, plain]
        assert steps == [(n, 10) for n in range(10)]
        assert not has_weights(file, bare)
        voxels: dict[int, int] = {}
        for image_id in (stack, plain):
            for class_id, count in file.counts(image_id).items():
                voxels[class_id] = voxels.get(class_id, 0) + count
        maker = WeightMaker(asked, file.project.class_ids, voxels)  # balanced as one whole
        for image_id in (stack, plain):
            mask = file.mask(image_id)
            peaks = tuple(max(p) for p in zip(*map(maker.peaks, mask.to_array()), strict=True))
            for z in range(mask.shape[0]):
                expected = maker.weights(mask.plane(z), peaks)
                np.testing.assert_array_equal(weights_plane(file, image_id, z), expected)
            stored = file.weights(image_id)
            assert stored is not None
            assert made[image_id] == weights_range(file, image_id)
            assert made[image_id] == (float(stored.min()), float(stored.max()))
            assert (stored == 0).tolist() == (mask.to_array() == 0).tolist()
        assert made[stack][0] == 0
        assert made[plain][0] > 0


@pytest.mark.parametrize("steps", [0, 3, 7, 9])
def test_given_up_at_any_moment_all_is_as_before(tmp_path: Path, steps: int) -> None:
    with sparse_project(tmp_path / "p.orgseg") as file:
        images = list(file.project.images)
        before = make_weights(file, images[1:2], WeightSettings(reach=3))
        left = iter([True] * steps)
        assert make_weights(file, images, WeightSettings(), lambda *_: next(left, False)) is None
        assert not has_weights(file, images[0])
        assert before is not None
        assert weights_range(file, images[1]) == before[images[1]]


def test_what_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with sparse_project(tmp_path / "p.orgseg") as file:
        stack, plain, bare = file.project.images
        for image_ids, asked in (
            ([bare], WeightSettings()),
            ([stack, plain], WeightSettings(left_out=(1, 2))),
        ):
            with pytest.raises(ProjectError, match="Nothing that counts is painted"):
                make_weights(file, image_ids, asked)
        nothing = WeightSettings(floor=0, combine="product", strength=0)
        with pytest.raises(ProjectError, match="are 0"):
            make_weights(file, [stack], nothing)
        assert not any(has_weights(file, image_id) for image_id in (stack, plain, bare))
