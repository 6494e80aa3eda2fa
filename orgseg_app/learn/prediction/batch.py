"""Predicting a folder of image files into mask files.

Volumes grow in a folder beside their mask, so that a prediction that is ended goes on where it was;
see `work`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.image import OpenedImage
from orgseg_app.files.errors import FileError
from orgseg_app.files.export import MASK_FORMATS, ExportError, mask_paths, write_mask_planes
from orgseg_app.files.names import distinct, safe_stem
from orgseg_app.files.readers.apart import reading_apart
from orgseg_app.files.readers.registry import read_images
from orgseg_app.learn.errors import DataError, LearnError
from orgseg_app.learn.prediction.instances import object_planes, objects_of
from orgseg_app.learn.prediction.objects import ReadNumbers, write_object_files
from orgseg_app.learn.prediction.predictor import Predictor, Progress, most_probable
from orgseg_app.learn.prediction.volumes import maps_of, pieces, predicted_planes
from orgseg_app.learn.prediction.work import Work, work_folder

ReadPlane = Callable[[int], NDArray[np.uint8]]
"""z → the mask ``(Y, X)`` of a plane."""

_OBJECTS = "objects"

_TELL_EVERY_S = 0.3


@dataclass(frozen=True)
class BatchRequest:
    """What to predict, and where to.

    Attributes
    ----------
    inputs
        Image files.
    out
        Folder for the masks.
    formats
        Keys of `files.export.MASK_FORMATS`.
    overwrite, resume
        What to do about masks that exist: replace them, or leave them. With neither, they are
        refused, image by image. With `resume` a volume that was begun goes on where it was.
    objects
        Beside each mask, a table of its objects and an image of their numbers.
    """

    inputs: tuple[Path, ...]
    out: Path
    formats: tuple[str, ...]
    overwrite: bool = False
    resume: bool = False
    objects: bool = False


@dataclass
class BatchResult:
    """How it went.

    Attributes
    ----------
    written, skipped
        Images with new masks; images whose masks were there already.
    problems
        One sentence an image that could not be done.
    """

    written: int = 0
    skipped: int = 0
    problems: list[str] = field(default_factory=list)

    def sentence(self, out: Path) -> str:
        """For the user."""
        failed = len(self.problems)
        parts = [f'{_images(self.written)} predicted into "{out}"']
        if self.skipped:
            parts.append(f"{self.skipped} left as they were")
        if failed:
            parts.append(f"{failed} could not be done")
        return "; ".join(parts) + "."


def predict_files(
    predictor: Predictor,
    request: BatchRequest,
    *,
    tell: Callable[..., object],
    should_stop: Callable[[], bool],
) -> BatchResult:
    """Predict image files one by one; one that cannot be done is reported and passed over.

    Parameters
    ----------
    predictor
        The model or models.
    request
        What to do.
    tell
        Gets events (see `runs.events`).
    should_stop
        Asked between tiles.

    Raises
    ------
    LearnError
        When the masks cannot be written: going on would fail again. Those written stay.
    StopRequestedError
        When `should_stop` says so; masks written so far stay whole.
    """
    with reading_apart():
        return _predict_all(predictor, request, tell, should_stop)


def _predict_all(
    predictor: Predictor,
    request: BatchRequest,
    tell: Callable[..., object],
    should_stop: Callable[[], bool],
) -> BatchResult:
    result, names, sources = BatchResult(), set[str](), _real(request.inputs)
    clock = _Clock(tell, len(request.inputs))

    def note(path: Path, error: Exception) -> None:
        result.problems.append(f"{path.name}: {error}")
        tell("message", text=result.problems[-1])

    for number, path in enumerate(request.inputs):
        clock.tell(number, path.name)
        try:
            images = read_images(path)
        except FileError as error:
            note(path, error)
            continue
        for opened in images:
            stem = distinct(safe_stem(opened.name), names)
            names.add(stem)
            try:
                targets = _targets(request, stem, opened, sources)
                if not targets:
                    result.skipped += 1
                    continue
                predict_opened(
                    predictor,
                    opened,
                    targets,
                    work=work_folder(request.out, stem),
                    facts=_facts(path, opened),
                    resume=request.resume,
                    overwrite=request.overwrite or request.resume,
                    progress=clock.tell_tile,
                    should_stop=should_stop,
                )
                result.written += 1
            except (FileError, DataError) as error:
                note(path, error)
    clock.tell(len(request.inputs), "", force=True)
    return result


def _targets(
    request: BatchRequest, stem: str, opened: OpenedImage, sources: frozenset[str]
) -> dict[str, Path]:
    """Where the masks of an image go, by format: never over an image that is read.

    Empty when they are all there and may stay.

    Raises
    ------
    DataError
        When one is there and was not spoken of.
    """
    depth = opened.shape[1]
    targets = _named(request, stem)
    if sources & _real(path for f, t in targets.items() for path in _files(t, f, depth)):
        targets = _named(request, f"{stem}_mask")
    if request.overwrite:
        return targets
    missing = {f: t for f, t in targets.items() if not _files(t, f, depth)[-1].exists()}
    if len(missing) < len(targets) and not request.resume:
        raise DataError(
            f'There is a mask called "{stem}" already; it was left as it is. '
            "Choose another folder, or allow it to be replaced."
        )
    return missing


def _named(request: BatchRequest, stem: str) -> dict[str, Path]:
    named = {f: request.out / f"{stem}{MASK_FORMATS[f].suffix}" for f in request.formats}
    return named | ({_OBJECTS: request.out / f"{stem}_objects.csv"} if request.objects else {})


def _files(target: Path, form: str, depth: int) -> list[Path]:
    """The files that belong to a target, the one that is written last at the end."""
    if form == _OBJECTS:
        return [target.with_suffix(".tif"), target]
    return mask_paths(target, form, depth)


def _facts(path: Path, opened: OpenedImage) -> dict[str, Any]:
    """What tells whether an image is the one that was begun."""
    try:
        found = path.stat()
    except OSError:
        return {"image": opened.name}
    return {"image": opened.name, "bytes": found.st_size, "changed": found.st_mtime_ns}


def predict_opened(
    predictor: Predictor,
    opened: OpenedImage,
    targets: dict[str, Path],
    *,
    work: Path,
    facts: dict[str, Any],
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> None:
    """Predict one image and write what is asked for; a volume by way of a folder beside it.

    Parameters
    ----------
    predictor
        The model or models.
    opened
        The image.
    targets
        Where what goes: keys of `files.export.MASK_FORMATS`, and ``"objects"`` for the table.
    work
        The folder of a volume that is being predicted; see `work`.
    facts
        What tells whether the image is the one that was begun.
    resume
        Go on where it was.
    overwrite
        Replace files that are there.
    progress, should_stop
        As in `volumes.predicted_planes`.

    Raises
    ------
    LearnError
        When the image does not fit, the disk refuses, or memory is too short.
    FileError
        When the image cannot be read.
    """
    _, depth, height, width = opened.shape
    if depth == 1:
        wants_maps = _OBJECTS in targets and predictor.has_depth
        (plane,) = predicted_planes(
            predictor, opened, [0], want_maps=wants_maps, progress=progress, should_stop=should_stop
        )
        numbered: ReadNumbers | None = None
        if plane.maps is not None:
            objects = objects_of(predictor, plane.maps[:, None]).objects
            numbered = lambda z: objects[z]  # noqa: E731
        _write(predictor, opened, lambda z: plane.mask, targets, numbered, overwrite=overwrite)
        return
    making = Work(work, predictor, (depth, height, width), facts, resume=resume)
    ids = np.asarray(predictor.class_ids, np.uint8)
    try:
        for piece in pieces(
            predictor,
            opened,
            range(depth),
            keeper=making,
            progress=progress,
            should_stop=should_stop,
        ):
            mask = ids[most_probable(piece.values[: len(ids)])]
            making.mask.put_all(piece.y0, mask, first=piece.z0)
            if making.maps is not None:
                making.maps.put_all(piece.y0, maps_of(piece.values, predictor.maps), first=piece.z0)

        def read(z: int) -> NDArray[np.uint8]:
            return np.array(making.mask.look()[z])

        numbered = None
        if _OBJECTS in targets and making.maps is not None:
            numbered = _grouped(predictor, opened, making)
        _write(predictor, opened, read, targets, numbered, overwrite=overwrite)
        making.remove()
    finally:
        making.close()


def _grouped(predictor: Predictor, opened: OpenedImage, making: Work) -> ReadNumbers:
    """The objects of a volume, set aside: how many there are is known when all are found."""
    assert making.maps is not None
    maps = making.maps
    _, depth, height, width = opened.shape
    kept = making.scratch.array("objects", (depth, height, width), np.uint32)
    for z, labels in object_planes(
        predictor,
        lambda z: np.array(maps.look()[:, z]),
        range(depth),
        (height, width),
        pixel_size_um=opened.pixel_size_um,
        say=predictor.say,
    ):
        kept.put((z,), 0, labels)
    return lambda z: np.array(kept.look()[z])


def _write(
    predictor: Predictor,
    opened: OpenedImage,
    read: ReadPlane,
    targets: dict[str, Path],
    numbered: ReadNumbers | None,
    *,
    overwrite: bool,
) -> None:
    _, depth, height, width = opened.shape
    shape = (depth, height, width)
    classes, size = predictor.models[0].classes, opened.pixel_size_um
    try:
        for form, target in targets.items():
            if form == _OBJECTS:
                write_object_files(
                    target, read, shape, classes, size, overwrite=overwrite, numbered=numbered
                )
                continue
            planes = (read(z) for z in range(depth))
            write_mask_planes(target, planes, shape, form, classes, size, overwrite=overwrite)
    except ExportError as error:
        raise LearnError(f"{error} The masks written before are safe.") from error


class _Clock:
    """Progress events, a few a second at most."""

    def __init__(self, tell: Callable[..., object], total: int) -> None:
        self._tell, self._total = tell, total
        self._done, self._item, self._told = 0, "", -1.0

    def tell(self, done: int, item: str, *, force: bool = False) -> None:
        self._done, self._item = done, item
        self._write(force=force or done == 0)

    def tell_tile(self, done: int, total: int) -> None:
        if done < total:
            self._write(part=round(done / total, 3))

    def _write(self, *, force: bool = False, **more: Any) -> None:
        now = time.monotonic()
        if force or now - self._told >= _TELL_EVERY_S:
            self._told = now
            self._tell(
                "progress",
                done=self._done,
                total=self._total,
                item=self._item,
                phase="predict",
                **more,
            )


def _real(paths: Iterable[Path]) -> frozenset[str]:
    return frozenset(os.path.normcase(os.path.realpath(p)) for p in paths)


def _images(count: int) -> str:
    return f"{count} image" + ("" if count == 1 else "s")
