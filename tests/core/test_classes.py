"""Classes and images."""

from __future__ import annotations

import numpy as np
import pytest

from orgseg_app.core.classes import (
    ClassInfo,
    check_classes,
    default_classes,
    next_class_id,
    parse_classes,
)
from orgseg_app.core.image import content_hash, open_array


def test_background_is_always_first() -> None:
    assert [c.name for c in parse_classes("background,ER:#112233")] == ["background", "ER"]
    assert [c.class_id for c in default_classes(["a", "b"])] == [1, 2, 3]


@pytest.mark.parametrize("text", ["a,A", "x:red", "x:#12345", ":#112233"])
def test_bad_classes_are_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"\."):
        parse_classes(text)


def test_ids_are_unique_and_run_out_at_255() -> None:
    with pytest.raises(ValueError, match="share"):
        check_classes([*default_classes(), ClassInfo(1, "again", "#000000")])
    many = default_classes([str(i) for i in range(254)])
    with pytest.raises(ValueError, match="254"):
        next_class_id(many)
    assert next_class_id(many[:-1]) == 255


def test_the_fingerprint_is_of_the_voxels() -> None:
    a = np.arange(12, dtype=np.uint16).reshape(1, 1, 3, 4)
    assert content_hash(a) == content_hash(a.astype(">u2")) == content_hash(a.copy(order="F"))
    assert content_hash(a) != content_hash(a.reshape(1, 1, 4, 3))
    assert content_hash(a) != content_hash(a.astype(np.float32))


def test_an_array_opens_as_an_image() -> None:
    image = open_array("a", np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    assert image.shape == (1, 2, 3, 4)
    assert np.array_equal(image.read()[0, 1], image.read_plane(1)[0])
    for bad in (np.zeros((2, 2), np.int64), np.zeros((0, 2), np.uint8), np.zeros(3, np.uint8)):
        with pytest.raises(ValueError, match="image"):
            open_array("bad", bad)
