"""Pictures while it learns: what the present state makes of the planes that somebody looks at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orgseg_app.files.atomic import replacing
from orgseg_app.files.errors import FileError
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.learn.errors import DataError, OutOfMemoryError
from orgseg_app.learn.prediction.predictor import Predictor
from orgseg_app.learn.prediction.source import ProjectPlanes
from orgseg_app.learn.prediction.volumes import predicted_planes
from orgseg_app.runs.previews import PreviewPlane, asked_previews, preview_name


class Previews:
    """Predicts planes of the snapshot that are asked for in ``control/preview.json``.

    Parameters
    ----------
    snapshot
        Where images are looked up by id; nothing else can be asked for.
    run_path
        The run's folder; masks go into ``previews/``.
    control_dir
        Where the request may lie.
    """

    def __init__(self, snapshot: ProjectFile, run_path: Path, control_dir: Path) -> None:
        self._snapshot, self._run_path, self._control_dir = snapshot, run_path, control_dir

    def show(
        self,
        predictor: Predictor,
        *,
        step: int,
        tell: Callable[..., object],
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        """Write a mask for each plane that is asked for, and an event about it.

        Parameters
        ----------
        predictor
            The present state.
        step
            Of the training.
        tell
            Gets events ``preview``; its field `path` is relative to the run's folder, and null,
            with a `reason`, where there is no picture.
        should_stop
            Asked between tiles.

        Raises
        ------
        StopRequestedError
            When `should_stop` says so.
        """
        for plane in asked_previews(self._control_dir):
            facts = {"step": step, "image_id": plane.image_id, "z": plane.z}
            try:
                z, name = self._plane(plane)
                facts |= {"z": z, "image": name}
                image = self._snapshot.project.images[plane.image_id]
                source = ProjectPlanes(self._snapshot, image)
                (found,) = predicted_planes(predictor, source, [z], should_stop=should_stop)
                target = preview_name(plane.image_id, z)
                _write(self._run_path / target, found.mask)
            except (DataError, OutOfMemoryError, FileError, ValueError, OSError) as error:
                tell("preview", **facts, path=None, reason=str(error))
            else:
                tell("preview", **facts, path=target)

    def _plane(self, asked: PreviewPlane) -> tuple[int, str]:
        image = self._snapshot.project.images.get(asked.image_id)
        if image is None:
            raise DataError("This image was not set aside when the training began.")
        depth = image.shape[1]
        z = depth // 2 if asked.z is None else asked.z
        if z >= depth:
            raise DataError(f'"{image.name}" has {depth} planes only.')
        return z, image.name


def _write(path: Path, mask: NDArray[np.uint8]) -> None:
    """An 8-bit grey PNG of class ids."""
    import cv2

    done, data = cv2.imencode(".png", mask)
    if not done:
        raise OSError("The picture could not be packed.")
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as draft:
        draft.write_bytes(data.tobytes())
