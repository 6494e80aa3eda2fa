"""Where the planes come from that are predicted: opened files, images of a project, arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.planes import mirrored
from orgseg_app.core.preprocessing.steps import apply_steps
from orgseg_app.core.project import ProjectImage
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.learn.prediction.predictor import Predictor, fit_channels


class PlaneSource(Protocol):
    """An image that is read plane by plane; `core.image.OpenedImage` is one.

    One with an attribute ``is_prepared`` that is true gives planes as networks take them, float32.

    Attributes
    ----------
    shape
        ``(C, Z, Y, X)``.
    pixel_size_um
        ``(z, y, x)`` in micrometres, None when unknown.
    """

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(C, Z, Y, X)``."""

    @property
    def pixel_size_um(self) -> tuple[float, float, float] | None:
        """``(z, y, x)`` in micrometres, None when unknown."""

    @property
    def read_plane(self) -> Any:
        """Gives ``(C, Y, X)`` for a z."""


class ProjectPlanes:
    """An image of a project, or of a snapshot, as a source of planes.

    Parameters
    ----------
    project_file
        Opened.
    image
        One of its images.
    """

    def __init__(self, project_file: ProjectFile, image: ProjectImage) -> None:
        self._file, self._image_id = project_file, image.image_id
        self.shape = image.shape
        self.pixel_size_um = image.pixel_size_um
        self.folder: Path = project_file.path.parent

    def read_plane(self, z: int) -> NDArray[Any]:
        """One plane, ``(C, Y, X)``; errors as `ProjectFile.read_plane`."""
        return self._file.read_plane(self._image_id, z)


class ArrayPlanes:
    """Voxels in memory as a source of planes.

    Parameters
    ----------
    pixels_czyx
        ``(C, Z, Y, X)``.
    pixel_size_um
        ``(z, y, x)`` in micrometres.
    """

    def __init__(
        self,
        pixels_czyx: NDArray[Any],
        pixel_size_um: tuple[float, float, float] | None = None,
    ) -> None:
        c, z, y, x = pixels_czyx.shape
        self._pixels = pixels_czyx
        self.shape = (c, z, y, x)
        self.pixel_size_um = pixel_size_um

    def read_plane(self, z: int) -> NDArray[Any]:
        """One plane, ``(C, Y, X)``."""
        return self._pixels[:, z]


class PreparedPlanes:
    """The planes of a source as the networks of a predictor take them, the last ones kept at hand.

    Models that prepare planes in the same way share them.

    Parameters
    ----------
    predictor
        Whose models they are for.
    source
        Where they come from.
    members
        Positions of the models.
    """

    def __init__(self, predictor: Predictor, source: PlaneSource, members: Sequence[int]) -> None:
        self._source, self.channels = source, predictor.channels
        self._depth = source.shape[1]
        models = [predictor.models[i] for i in members]
        self._steps: list[Any] = []
        for model in models:
            if model.recipe.preprocess not in self._steps:
                self._steps.append(model.recipe.preprocess)
        self.ways = [self._steps.index(model.recipe.preprocess) for model in models]
        self._planes = [model.network.planes for model in models]
        self._kept: dict[tuple[int, int], NDArray[np.float32]] = {}

    @property
    def count(self) -> int:
        """How many different ways of preparing there are."""
        return len(self._steps)

    def prepared(self, z: int) -> list[NDArray[np.float32]]:
        """A plane ``(C, Y, X)`` in each of the ways; `ways` says which is whose.

        Raises
        ------
        DataError
            When the number of channels does not fit.
        """
        plane = self._source.read_plane(z)
        if getattr(self._source, "is_prepared", False):
            return [plane] * len(self._steps)
        plane = fit_channels(plane, self.channels)
        return [apply_steps(plane, steps) for steps in self._steps]

    def stacks(self, z: int) -> list[NDArray[np.float32]]:
        """What each model takes to answer for a plane: ``(planes · C, Y, X)``, the lowest first.

        Raises
        ------
        DataError
            When the number of channels does not fit.
        """
        found = []
        reach = max(self._planes) // 2
        near = {mirrored(z + dz, self._depth) for dz in range(-reach, reach + 1)}
        self._kept = {key: plane for key, plane in self._kept.items() if key[1] in near}
        for way, planes in zip(self.ways, self._planes, strict=True):
            around = range(z - planes // 2, z + planes // 2 + 1)
            parts = [self._at(way, mirrored(at, self._depth)) for at in around]
            found.append(parts[0] if planes == 1 else np.concatenate(parts))
        return found

    def _at(self, way: int, z: int) -> NDArray[np.float32]:
        if (way, z) not in self._kept:
            for number, plane in enumerate(self.prepared(z)):
                self._kept[number, z] = plane
        return self._kept[way, z]
