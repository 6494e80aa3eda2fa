"""Writing annotated images many times over, augmented, for programs that learn from folders.

``images/``, ``masks/`` and, where there are objects, ``objects/`` hold files of the same names, as
``orgseg import`` and most programs pair them; ``list.txt`` names each pair, a tab between.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.augmentation.published import Guise, guises
from orgseg_app.core.classes import UNLABELLED, ClassInfo
from orgseg_app.files import atomic
from orgseg_app.files.export import (
    PNG,
    TIFF,
    ExportError,
    mask_paths,
    write_mask,
    write_objects,
)
from orgseg_app.files.names import distinct, safe_stem
from orgseg_app.files.png import encode_png

IMAGES, MASKS, OBJECTS, LIST = "images", "masks", "objects", "list.txt"


@dataclass(frozen=True)
class AnnotatedPicture:
    """An image to be written, with what a person made for it.

    Attributes
    ----------
    name
        Of the image.
    pixels
        ``(C, Z, Y, X)`` uint8, uint16 or float32.
    mask
        ``(Z, Y, X)`` uint8 class ids.
    objects
        ``(Z, Y, X)`` uint32, or None.
    is_rgb
        Whether the channels are red, green and blue.
    pixel_size_um
        ``(z, y, x)`` in micrometres, or None.
    """

    name: str
    pixels: NDArray[Any]
    mask: NDArray[np.uint8]
    objects: NDArray[np.uint32] | None = None
    is_rgb: bool = False
    pixel_size_um: tuple[float, float, float] | None = None


@dataclass
class Written:
    """What was written.

    Attributes
    ----------
    files
        All of them, the list last.
    pictures, copies
        How many images there were, and how many there are now.
    unlabelled
        Share of the voxels of the originals that nobody labelled, 0…1: they count as background.
    """

    files: list[Path]
    pictures: int = 0
    copies: int = 0
    unlabelled: float = 0.0


def export_augmented(
    pictures: Iterable[AnnotatedPicture],
    classes: Sequence[ClassInfo],
    out: Path,
    *,
    times: int,
    seed: int = 0,
    format: str = TIFF,
    progress: Callable[[int, str], object] | None = None,
) -> Written:
    """Write each image `times` times, with its mask in the same guise.

    Parameters
    ----------
    pictures
        Taken one at a time.
    classes
        Of the masks; `orgseg_app.files.export.mask_values` says how they are numbered.
    out
        A folder that is empty, or not there.
    times
        6, 8 or 12; see `orgseg_app.core.augmentation.published`.
    seed
        Decides what is drawn by chance; the same seed writes the same files.
    format
        ``"tiff"`` or ``"png"`` (one plane, one channel or a colour picture, 8 or 16 bits).
    progress
        Called with images done and the name of the next.

    Raises
    ------
    ExportError
        When something lies in the folder, nothing can be written there, or an image does not go
        into the format; what was written before it stays.
    ValueError
        For another number of times.
    """
    kinds = guises(times)
    _check_empty(out)
    done = Written([])
    lines: list[str] = []
    taken: set[str] = set()
    blank = voxels = 0
    for number, picture in enumerate(pictures):
        if progress is not None:
            progress(number, picture.name)
        stem = _free_stem(picture.name, kinds, taken)
        blank += int((picture.mask == UNLABELLED).sum())
        voxels += picture.mask.size
        for copy, guise in enumerate(kinds):
            random = np.random.default_rng([seed, number, copy])
            files = _write_copy(picture, guise, random, out, stem, classes, format)
            done.files += files
            done.copies += 1
            image, mask = (file.relative_to(out).as_posix() for file in files[:2])
            lines.append(f"{image}\t{mask}\t{guise.about}\n")
        done.pictures += 1
    if not lines:
        raise ExportError("No image has paint, so there is nothing to augment. Paint some first.")
    _write_bytes(out / LIST, "".join(["# image\tmask\twhat was done\n", *lines]).encode())
    done.files.append(out / LIST)
    done.unlabelled = blank / voxels
    return done


def _free_stem(name: str, kinds: Sequence[Guise], taken: set[str]) -> str:
    """A file name of which no copy is called like one that is there; all of them are then taken."""
    wanted = safe_stem(name)
    stem, tried = wanted, {wanted}
    while True:
        copies = {guise.pattern.format(stem).casefold() for guise in kinds}
        if not copies & taken:
            taken |= copies
            return stem
        stem = distinct(wanted, tried)
        tried.add(stem)


def _write_copy(
    picture: AnnotatedPicture,
    guise: Guise,
    random: np.random.Generator,
    out: Path,
    stem: str,
    classes: Sequence[ClassInfo],
    format: str,
) -> list[Path]:
    """One copy's files: image, mask, perhaps objects."""
    layers: list[NDArray[Any]] = [picture.mask]
    if picture.objects is not None:
        layers.append(picture.objects)
    pixels, found = guise.of(picture.pixels, layers, random)
    size = picture.pixel_size_um
    if size is not None and guise.turn.quarters % 2:
        size = (size[0], size[2], size[1])
    name = guise.pattern.format(stem)
    files = [_write_image(out / IMAGES / name, pixels, format, picture, size)]
    files += write_mask(out / MASKS / name, found[0], format, classes, size)
    if picture.objects is not None:
        files += write_objects(out / OBJECTS / name, found[1], format, size)
    return files


def _write_image(
    path: Path,
    pixels: NDArray[Any],
    format: str,
    picture: AnnotatedPicture,
    size: tuple[float, float, float] | None,
) -> Path:
    """``(C, Z, Y, X)`` as the format has it."""
    (target,) = mask_paths(path, format, 1)
    if format == PNG:
        _write_bytes(target, _as_png(pixels, picture, size))
        return target
    import tifffile  # slow to import

    metadata: dict[str, object] = {}
    resolution = None
    if size is not None:
        resolution = (1 / size[2], 1 / size[1])
        metadata = {"unit": "um"} | ({"spacing": size[0]} if pixels.shape[1] > 1 else {})
    is_colour = picture.is_rgb and pixels.dtype == np.uint8
    stack = np.moveaxis(pixels, 0, -1) if is_colour else np.moveaxis(pixels, 0, 1)
    axes = "ZYXS" if is_colour else "ZCYX"
    kept = [n for n, axis in enumerate(axes) if axis in "YXS" or stack.shape[n] > 1]
    with _written(target) as draft:
        tifffile.imwrite(
            draft,
            np.ascontiguousarray(stack.reshape([stack.shape[n] for n in kept])),
            imagej=True,
            photometric="rgb" if is_colour else "minisblack",
            compression="zlib",
            resolution=resolution,
            metadata={"axes": "".join(axes[n] for n in kept), **metadata},
        )
    return target


def _as_png(
    pixels: NDArray[Any],
    picture: AnnotatedPicture,
    size: tuple[float, float, float] | None,
) -> bytes:
    channels, depth = pixels.shape[:2]
    is_colour = picture.is_rgb and channels == 3
    if depth > 1 or pixels.dtype.kind != "u" or (channels > 1 and not is_colour):
        raise ExportError(
            f"“{picture.name}” does not go into a PNG, which holds one plane of grey or colour "
            "with 8 or 16 bits. Choose TIFF."
        )
    if not is_colour:
        plane_size = None if size is None else (size[1], size[2])
        return encode_png(np.ascontiguousarray(pixels[0, 0]), pixel_size_um=plane_size)
    import cv2

    _, data = cv2.imencode(".png", np.ascontiguousarray(np.moveaxis(pixels[::-1, 0], 0, -1)))
    return data.tobytes()


def _check_empty(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise ExportError(f"“{out}” is a file, not a folder. Choose another; nothing was written.")
    if out.is_dir() and any(out.iterdir()):
        raise ExportError(
            f"There are files in “{out}” already. Choose an empty folder; nothing was written."
        )


def _write_bytes(target: Path, data: bytes) -> None:
    with _written(target) as draft:
        draft.write_bytes(data)


@contextlib.contextmanager
def _written(target: Path) -> Iterator[Path]:
    """A draft of a file that is not there yet; the system's refusals become sentences."""
    target = Path(os.path.abspath(target))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(target, overwrite=False) as draft:
            yield draft
    except FileExistsError as error:
        raise ExportError(
            f"“{target.name}” is already in {target.parent} and was left as it is. Choose an empty "
            "folder."
        ) from error
    except OSError as error:
        raise ExportError(
            f"“{target.name}” could not be written to {target.parent}: {atomic.reason(error)}. "
            "Nothing was overwritten; choose another folder."
        ) from error
