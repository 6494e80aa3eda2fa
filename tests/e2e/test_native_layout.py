"""The competition's own layout, one mask per object, dropped on the window."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.hand import Hand


@pytest.mark.data
def test_one_mask_per_object_is_found_and_kept_as_objects(
    hand: Hand, shared_data: Path, folder: Path
) -> None:
    import shutil

    shutil.copytree(shared_data / "nuclei_dsb2018" / "native_layout", folder / "native")
    hand.drop(folder / "native")
    bar = hand.window.commands.importing
    hand.wait(lambda: bar.bar is not None and bar.bar.isVisible(), what="the bar")
    assert "3 images with one mask per object" in bar.bar.summary.text()  # type: ignore[union-attr]
    bar.bar.use_button.click()  # type: ignore[union-attr]
    hand.wait(lambda: hand.session.image is not None, what="the first image")
    file = hand.session.file
    objects = sorted(int(file.objects(image.image_id).max()) for image in hand.images)
    assert objects == [27, 28, 70]
    assert all(set(file.counts(image.image_id)) == {1, 2} for image in hand.images)
    assert {image.split for image in hand.images} == {"train", "validation", "test"}
