"""One tiny training for several tests: a second's work, done once a module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.learn.job import run_job
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.recipes.schema import NetworkChoice
from orgseg_app.runs.training import prepare_training
from tests.learn.conftest import disc_image, tiny_recipe

SPLITS = ("train", "train", "validation", "validation", "test")


@contextmanager
def trained(folder: Path) -> Iterator[tuple[ProjectFile, RunFolder]]:
    """A project of discs and a finished run of it, learned by this very process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORGSEG_HOME", str(folder / "home"))
        patch.setenv("ORGSEG_PRECISION", "fp32")
        patch.setenv("ORGSEG_DEVICE", "cpu")
        patch.setenv("ORGSEG_THREADS", "1")
        file = ProjectFile.create(folder / "discs.orgseg", default_classes(["disc"]))
        items = []
        for number, split in enumerate(SPLITS):
            pixels, mask = disc_image(number)
            image = open_array(f"disc {number}", pixels, is_rgb=False)
            items.append(NewImage(image, split, mask[None], None))
        file.add_images(items)
        network = NetworkChoice(depth=2, width=4)
        run = prepare_training(file, tiny_recipe(steps=30, batch_size=4, network=network), "tiny")
        assert run_job(str(run.path)) == 0, run.last_event()
        try:
            yield file, run
        finally:
            file.close()
