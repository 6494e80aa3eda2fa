"""Planes at hand: in memory, and beyond it in a file that leaves nothing behind."""

from __future__ import annotations

import errno
import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orgseg_app.learn.data.shelf import Shelf
from orgseg_app.learn.errors import DataError


def test_what_does_not_fit_lies_in_a_file_and_reads_the_same(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    arrays = [random.normal(size=(1, 40, 31 + n)).astype(np.float32) for n in range(5)]
    shelf = Shelf(tmp_path, room_bytes=arrays[0].nbytes + arrays[1].nbytes)
    kept = [shelf.put(a) for a in arrays]
    assert [k is a for k, a in zip(kept, arrays, strict=True)] == [True, True, False, False, False]
    assert shelf.filed_bytes == sum(a.nbytes for a in arrays[2:])
    del shelf
    gc.collect()
    for found, wanted in zip(kept, arrays, strict=True):
        assert np.array_equal(found, wanted)
        assert found.dtype == np.float32
    assert not kept[3].flags.writeable
    assert list(tmp_path.iterdir()) == []  # it has no name that could be left over


def test_a_full_disk_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Shelf, array: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Shelf, "_filed", full)
    with pytest.raises(DataError, match="make room on the disk"):
        Shelf(tmp_path, room_bytes=10).put(np.zeros(100, np.float32))
