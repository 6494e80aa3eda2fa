"""Writing a project's annotated volumes as published training sets lie on disk.

SNEMI3D_mito: ``train|valid|test/images|labels/NNNN.png``, a picture a plane. Platelet:
``train|eval|test-images.tif`` with ``-labels`` as numbers (``.tif``), colours (RGBA ``.tif``) or
runs (``.json``), and ``-error-weights.tif`` where there are weights. `orgseg import` takes each of
them in again.
"""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.project import ProjectImage
from orgseg_app.core.split import SPLITS
from orgseg_app.files import atomic
from orgseg_app.files.annotations.platelet import SPLIT_NAMES
from orgseg_app.files.export import PNG, TIFF, ExportError, mask_values, unique_names
from orgseg_app.files.png import encode_png
from orgseg_app.files.readers.run_labels import encode_runs
from orgseg_app.files.weights import weights_plane, weights_range

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

Progress = Callable[[int, int, str], object]

_TREE_SPLITS = {"train": "train", "validation": "valid", "test": "test"}
_BIG_TIFF = 2**31


@dataclass(frozen=True)
class Layout:
    """One way a training set lies on disk.

    Attributes
    ----------
    title
        As shown.
    about
        One sentence: what is written, and how voxels are numbered.
    """

    title: str
    about: str


LAYOUTS: dict[str, Layout] = {
    "snemi3d": Layout(
        "Folder tree of pictures (SNEMI3D)",
        "train, valid and test with images and labels, a PNG a plane: 0000.png, 0001.png, … One "
        "class is 255 on 0, several are 1, 2, …; planes on which nothing is painted get no label.",
    ),
    "platelet": Layout(
        "Stacks, labels as numbers (platelet)",
        "train-, eval- and test-images.tif with labels.tif: 0 is background, 1, 2, … are the "
        "classes; and error-weights.tif where an image has weights.",
    ),
    "platelet-colours": Layout(
        "Stacks, labels as colours (platelet)",
        "As stacks, with labels.tif in red, green, blue and alpha: each class in its colour, "
        "background clear.",
    ),
    "platelet-json": Layout(
        "Stacks, labels as runs (platelet)",
        "As stacks, with labels.json: start and length of each run, counted from 1 over the whole "
        "volume.",
    ),
}
"""Layouts by the names the command line uses."""


@dataclass
class Written:
    """What was written.

    Attributes
    ----------
    files
        All of them.
    images
        How many images they hold.
    notes
        Sentences about what the layout cannot say.
    """

    files: list[Path] = field(default_factory=list)
    images: int = 0
    notes: list[str] = field(default_factory=list)


def export_training_set(
    file: ProjectFile,
    out: Path,
    layout: str,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Written:
    """Write all images on which something is painted, with masks and weights.

    Parameters
    ----------
    file
        What is painted now counts, saved or not.
    out
        Folder; made when it is not there.
    layout
        A key of `LAYOUTS`.
    overwrite
        Replace files that are there; otherwise the first such file ends the export before
        anything is written.
    progress
        Called with images done, images in all, name; False ends the export early.

    Raises
    ------
    ExportError
        Nothing is painted, a file is there already, the folder cannot be written, or an image does
        not go into the layout.
    """
    if layout not in LAYOUTS:
        raise ExportError(f"There is no layout {layout!r}; use one of {', '.join(LAYOUTS)}.")
    painted = [image for image in file.project.images.values() if file.counts(image.image_id)]
    if not painted:
        raise ExportError("Nothing is painted yet, so there is no training set to export.")
    written = Written()
    plans = _plans(painted, out, layout)
    if layout == "snemi3d":
        _check_pictures(painted)
    for plan in plans:
        for path in plan.all_paths():
            if not overwrite and path.exists():
                raise ExportError(
                    f"“{path.name}” is already in {path.parent} and was left as it is. Allow "
                    "overwriting, or choose another folder; nothing was written."
                )
    for done, plan in enumerate(plans):
        if progress is not None and progress(done, len(plans), plan.image.name) is False:
            return written
        with _explained(plan.image.name, out):
            _write(file, plan, layout, written, overwrite=overwrite)
        written.images += 1
    if progress is not None:
        progress(len(plans), len(plans), "")
    return written


@dataclass(frozen=True)
class _Plan:
    """Where one image goes: a file for it all, or one a plane."""

    image: ProjectImage
    images: tuple[Path, ...]
    labels: tuple[Path, ...]
    weights: Path | None

    def all_paths(self) -> Iterator[Path]:
        yield from self.images
        yield from self.labels
        if self.weights is not None:
            yield self.weights


def _plans(painted: list[ProjectImage], out: Path, layout: str) -> list[_Plan]:
    by_split: dict[str, list[ProjectImage]] = defaultdict(list)
    for image in painted:
        by_split[image.split].append(image)
    names = dict(
        zip(
            [image.image_id for image in painted],
            unique_names([image.name for image in painted]),
            strict=True,
        )
    )
    plans, number = [], 0
    for split in SPLITS:
        for image in by_split[split]:
            is_only = len(by_split[split]) == 1
            name = names[image.image_id]
            if layout == "snemi3d":
                plans.append(_tree_plan(image, out, "" if is_only else f"{name}_", number))
                number += image.shape[1]
            else:
                folder = out if is_only else out / name
                stem = SPLIT_NAMES[split]
                ending = ".json" if layout == "platelet-json" else ".tif"
                plans.append(
                    _Plan(
                        image,
                        (folder / f"{stem}-images.tif",),
                        (folder / f"{stem}-labels{ending}",),
                        folder / f"{stem}-error-weights.tif",
                    )
                )
    return plans


def _tree_plan(image: ProjectImage, out: Path, prefix: str, first: int) -> _Plan:
    """Pictures of one volume; the only one of each split counts on from the split before."""
    folder = out / _TREE_SPLITS[image.split]
    start = first if not prefix else 0
    names = [f"{prefix}{start + z:04d}.png" for z in range(image.shape[1])]
    return _Plan(
        image,
        tuple(folder / "images" / name for name in names),
        tuple(folder / "labels" / name for name in names),
        None,
    )


def _check_pictures(painted: list[ProjectImage]) -> None:
    for image in painted:
        if image.shape[0] != 1 or image.dtype not in ("uint8", "uint16"):
            what = f"{image.shape[0]} channels" if image.shape[0] != 1 else f"{image.dtype} values"
            raise ExportError(
                f"“{image.name}” has {what}, and this layout holds grey pictures of 8 or 16 bits. "
                "Choose one of the stacks; nothing was written."
            )


def _write(
    file: ProjectFile, plan: _Plan, layout: str, written: Written, *, overwrite: bool
) -> None:
    image = plan.image
    mask = file.load_mask(image.image_id).to_array()
    _note_unlabelled(mask, image, layout, written)
    form = PNG if layout == "snemi3d" else TIFF
    table = np.zeros(256, np.uint8)
    for class_id, value in mask_values(file.project.classes, form).items():
        table[class_id] = value

    def put(path: Path) -> contextlib.AbstractContextManager[Path]:
        path.parent.mkdir(parents=True, exist_ok=True)
        written.files.append(path)
        return atomic.replacing(path, overwrite=overwrite)

    if layout == "snemi3d":
        for z, (picture, label) in enumerate(zip(plan.images, plan.labels, strict=True)):
            with put(picture) as draft:
                draft.write_bytes(encode_png(file.read_plane(image.image_id, z)[0]))
            if mask[z].any():
                with put(label) as draft:
                    draft.write_bytes(encode_png(table[mask[z]]))
        return
    depth = image.shape[1]
    with put(plan.images[0]) as draft:
        planes = (file.read_plane(image.image_id, z) for z in range(depth))
        _write_stack(draft, planes, image.shape, np.dtype(image.dtype), image.pixel_size_um)
    labels = table[mask]
    with put(plan.labels[0]) as draft:
        if layout == "platelet-json":
            draft.write_text(json.dumps(encode_runs(labels)), encoding="ascii")
        elif layout == "platelet-colours":
            _write_colours(draft, mask, file)
        else:
            one = (1, *image.shape[1:])
            _write_stack(
                draft, (p[np.newaxis] for p in labels), one, labels.dtype, image.pixel_size_um
            )
    if plan.weights is not None and weights_range(file, image.image_id) is not None:
        with put(plan.weights) as draft:
            one = (1, *image.shape[1:])
            _write_stack(
                draft, _weights(file, image), one, np.dtype(np.float32), image.pixel_size_um
            )


def _weights(file: ProjectFile, image: ProjectImage) -> Iterator[NDArray[np.float32]]:
    for z in range(image.shape[1]):
        plane = weights_plane(file, image.image_id, z)
        if plane is None:
            raise ExportError(f"The weights of “{image.name}” were removed meanwhile.")
        yield plane[np.newaxis]


def _write_stack(
    path: Path,
    planes: Iterator[Any],
    shape: tuple[int, int, int, int],
    dtype: np.dtype[Any],
    pixel_size_um: tuple[float, float, float] | None,
) -> None:
    """A TIFF with a page for each plane and channel, written page by page."""
    import tifffile  # slow to import

    channels, depth, height, width = shape
    axes = "".join(a for a, n in zip("ZC", (depth, channels), strict=True) if n > 1) + "YX"
    sizes = [n for n in (depth, channels) if n > 1]
    size = int(np.prod(shape)) * dtype.itemsize
    metadata: dict[str, object] = {"axes": axes}
    resolution = None
    is_imagej = size < _BIG_TIFF
    if pixel_size_um is not None:
        z, y, x = pixel_size_um
        resolution = (1.0 / x, 1.0 / y)
        metadata |= {"unit": "um", "spacing": z} if is_imagej else {}
    pages = (plane[c] for plane in planes for c in range(channels))
    with tifffile.TiffWriter(path, imagej=is_imagej, bigtiff=not is_imagej) as writer:
        writer.write(
            pages,
            shape=(*sizes, height, width),
            dtype=dtype,
            photometric="minisblack",
            metadata=metadata,
            resolution=resolution,
        )


def _write_colours(path: Path, mask: NDArray[np.uint8], file: ProjectFile) -> None:
    """A TIFF of class colours, a page a plane; clear where there is background or no label."""
    import tifffile

    table = np.zeros((256, 4), np.uint8)
    for info in file.project.classes:
        if info.class_id != BACKGROUND:
            table[info.class_id] = (*info.rgb, 255)
    depth, height, width = mask.shape
    with tifffile.TiffWriter(path, bigtiff=4 * mask.size >= _BIG_TIFF) as writer:
        writer.write(
            (table[plane] for plane in mask),
            shape=(depth, height, width, 4),
            dtype=np.uint8,
            photometric="rgb",
            extrasamples=["unassalpha"],
            compression="zlib",
            metadata=None,
        )


def _note_unlabelled(
    mask: NDArray[np.uint8], image: ProjectImage, layout: str, written: Written
) -> None:
    planes = mask if layout != "snemi3d" else mask[mask.any(axis=(1, 2))]
    share = float((planes == 0).mean()) if planes.size else 0.0
    if share > 0:
        percent = "less than 1" if share < 0.01 else f"{share:.0%}".rstrip("%")
        written.notes.append(
            f"“{image.name}”: {percent} % of the voxels are not labelled; the files say "
            "background there, for they know nothing else."
        )


@contextlib.contextmanager
def _explained(name: str, out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ExportError(
            f"“{name}” could not be written to {out}: {atomic.reason(error)}. Nothing was "
            "overwritten; choose another folder."
        ) from error
