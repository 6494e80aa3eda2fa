"""A small project with a stack between two planes, for tests at the window."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import open_array
from orgseg_app.files.project_file import NewImage, ProjectFile


def make_volume_project(path: Path) -> Path:
    """Images "first" and "last" of one plane, between them "stack" of seven; two classes."""
    random = np.random.default_rng(0)
    shapes = {"first": (60, 80), "stack": (1, 7, 60, 80), "last": (2, 1, 60, 80)}
    with ProjectFile.create(path, default_classes(["ER", "nucleus"])) as file:
        file.add_images(
            [
                NewImage(
                    open_array(name, random.integers(0, 4000, shape).astype(np.uint16)), "train"
                )
                for name, shape in shapes.items()
            ]
        )
    return path
