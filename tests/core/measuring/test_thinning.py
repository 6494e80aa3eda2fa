"""Skeletons: as scikit-image's in the plane; in space what hangs together stays so."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from orgseg_app.core.measuring.networks import networks_of
from orgseg_app.core.measuring.thinning import thinned
from orgseg_app.core.measuring.thinning_3d import thinned_volume
from tests.core.measuring.record_peers import PLACE, plane

PEERS = json.loads(PLACE.read_text())
ALL_26 = np.ones((3, 3, 3))


@pytest.mark.parametrize("number", range(len(PEERS["planes"])))
def test_every_object_is_thinned_as_if_alone_and_as_by_scikit_image(number: int) -> None:
    labels, _ = plane(number)
    skeleton = thinned(labels)
    for at, said in enumerate(PEERS["planes"][number], 1):
        y0, x0, y1, x1 = said["bbox"]
        shape = (y1 - y0 + 2, x1 - x0 + 2)
        bits = np.unpackbits(np.frombuffer(bytes.fromhex(said["thin"]), np.uint8))
        theirs = bits[: shape[0] * shape[1]].reshape(shape)[1:-1, 1:-1].astype(bool)
        assert np.array_equal(skeleton[y0:y1, x0:x1] == at, theirs)


@settings(max_examples=30, deadline=None)
@given(hnp.arrays(np.int32, st.tuples(*[st.integers(2, 6)] * 3), elements=st.integers(0, 1)))
def test_in_space_nothing_is_cut_joined_or_opened(volume: np.ndarray) -> None:
    skeleton = thinned_volume(volume)
    assert not (skeleton > volume).any()
    for connect, invert in ((ALL_26, False), (None, True)):
        before, after = np.pad(volume, 1) > 0, np.pad(skeleton, 1) > 0
        counts = [ndimage.label(v ^ invert, connect)[1] for v in (before, after)]
        assert counts[0] == counts[1]
    assert _euler(volume) == _euler(skeleton)  # so that tunnels stay, too


def _euler(volume: np.ndarray) -> int:
    """Euler number of the voxels as closed boxes: corners, edges, sides and boxes in turn."""
    filled = np.pad(volume, 1) > 0
    total = 0
    for flips in range(8):
        part = filled
        for axis in range(3):
            if flips >> axis & 1:  # what lies between two neighbours along the axis
                low = np.take(part, range(part.shape[axis] - 1), axis)
                part = low | np.take(part, range(1, part.shape[axis]), axis)
        total += (-1) ** (3 - flips.bit_count()) * int(part.sum())
    return total


def test_a_tube_with_an_arm_in_space() -> None:
    volume = np.zeros((12, 12, 40), np.int32)
    volume[4:7, 4:7, 2:38] = 1
    volume[7:11, 4:7, 18:21] = 1
    found = networks_of(thinned_volume(volume), 1, (1.0, 1.0, 1.0))
    assert (found.branch_points[0], found.branches[0], found.ends[0]) == (1, 3, 3)
    assert 32 <= found.lengths[0] <= 42


def test_lengths_along_diagonals_and_sides() -> None:
    line = np.zeros((1, 6, 6), np.int32)
    line[0, range(6), range(6)] = 1
    found = networks_of(line, 1, (1.0, 0.3, 0.4))
    assert found.lengths[0] == pytest.approx(5 * 0.5)
    ring = np.zeros((1, 5, 5), np.int32)
    ring[0, 1:4, 1:4] = 1
    ring[0, 2, 2] = 0
    found = networks_of(ring, 1, (1.0, 1.0, 1.0))
    assert found.lengths[0] == 8  # corners are reached along the sides
    assert (found.branches[0], found.branch_points[0], found.ends[0]) == (1, 0, 0)
    dot = np.zeros((1, 3, 3), np.int32)
    dot[0, 1, 1] = 1
    found = networks_of(dot, 1, (1.0, 1.0, 1.0))
    assert (found.lengths[0], found.branches[0], found.ends[0]) == (0, 0, 1)


def test_neighbouring_objects_are_two_skeletons() -> None:
    labels = np.zeros((9, 20), np.int32)
    labels[2:5], labels[5:8] = 1, 2
    skeleton = thinned(labels)
    assert np.array_equal(np.unique(skeleton), [0, 1, 2])
    found = networks_of(skeleton[None], 2, (1.0, 1.0, 1.0))
    assert found.lengths.tolist() == [17.0, 17.0]
