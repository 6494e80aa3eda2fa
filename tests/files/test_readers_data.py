"""Real images: every file opens as its header says, and holds what it is known to hold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from orgseg_app.files.readers.registry import has_image_name, read_header, read_images

pytestmark = pytest.mark.data


def test_every_image_file_opens_as_its_header_says(shared_data: Path):
    for path in sorted(shared_data.rglob("*")):
        if not has_image_name(path) or "masks" in path.parts or "class_masks" in path.parts:
            continue
        header, images = read_header(path), read_images(path)
        assert sum(i.shape[1] for i in images) == header.planes
        assert images[0].shape[2:] == (header.height, header.width)
        assert images[0].shape[0] in (1, header.channels)


def test_vendor_tiffs_have_the_sums_they_had(shared_data):
    root = shared_data / "vendor_formats"
    expected = json.loads((root / "expected.json").read_text(encoding="utf-8"))
    by_name = {p.name: p for p in root.rglob("*") if has_image_name(p)}
    checked = 0
    for name, facts in expected.items():
        path = by_name.get(Path(name).name)
        if path is None or facts.get("sum") is None:
            continue
        images = read_images(path)
        total = sum(float(image.read().astype(np.float64).sum()) for image in images)
        assert total == pytest.approx(facts["sum"])
        checked += 1
    assert checked >= 8
