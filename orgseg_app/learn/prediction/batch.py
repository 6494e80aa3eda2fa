"""Predicting a folder of image files into mask files."""

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
from orgseg_app.files.export import MASK_FORMATS, ExportError, mask_paths, write_mask
from orgseg_app.files.names import distinct, safe_stem
from orgseg_app.files.readers.apart import reading_apart
from orgseg_app.files.readers.registry import read_images
from orgseg_app.learn.errors import DataError, LearnError
from orgseg_app.learn.prediction.predictor import Predictor, predict_plane

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
        refused, image by image.
    """

    inputs: tuple[Path, ...]
    out: Path
    formats: tuple[str, ...]
    overwrite: bool = False
    resume: bool = False


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
                mask = _predict(predictor, opened, should_stop, clock)
                _write(predictor, request, opened, mask, targets)
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
    targets = _named(request, stem)
    depth = opened.shape[1]
    if sources & _real(path for f, t in targets.items() for path in mask_paths(t, f, depth)):
        targets = _named(request, f"{stem}_mask")
    if request.overwrite:
        return targets
    missing = {f: t for f, t in targets.items() if not mask_paths(t, f, depth)[-1].exists()}
    if len(missing) < len(targets) and not request.resume:
        raise DataError(
            f'There is a mask called "{stem}" already; it was left as it is. '
            "Choose another folder, or allow it to be replaced."
        )
    return missing


def _named(request: BatchRequest, stem: str) -> dict[str, Path]:
    return {f: request.out / f"{stem}{MASK_FORMATS[f].suffix}" for f in request.formats}


def _predict(
    predictor: Predictor,
    opened: OpenedImage,
    should_stop: Callable[[], bool],
    clock: _Clock,
) -> NDArray[np.uint8]:
    """Class ids ``(Z, Y, X)``, plane by plane."""
    _, depth, height, width = opened.shape
    mask = np.empty((depth, height, width), np.uint8)
    for z in range(depth):

        def on_tile(done: int, total: int, z: int = z) -> None:
            clock.tell_part((z + done / total) / depth)

        mask[z], _ = predict_plane(
            predictor, opened.read_plane(z), progress=on_tile, should_stop=should_stop
        )
    return mask


def _write(
    predictor: Predictor,
    request: BatchRequest,
    opened: OpenedImage,
    mask: NDArray[np.uint8],
    targets: dict[str, Path],
) -> None:
    for form, target in targets.items():
        try:
            write_mask(
                target,
                mask,
                form,
                predictor.models[0].classes,
                opened.pixel_size_um,
                overwrite=request.overwrite or request.resume,
            )
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

    def tell_part(self, part: float) -> None:
        if part < 1:
            self._write(part=round(part, 3))

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
