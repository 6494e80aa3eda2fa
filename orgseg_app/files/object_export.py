"""Writing a project's objects in the formats of other programs.

A format writes into a hidden folder beside the target first; what it wrote is put in place file by
file, and only when none of the files is there already, or replacing was asked for.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, UNLABELLED, ClassInfo
from orgseg_app.core.components import label_planes
from orgseg_app.core.metrics.contingency import contingency
from orgseg_app.core.project import ProjectImage
from orgseg_app.files import atomic
from orgseg_app.files.errors import FileError
from orgseg_app.files.export import (
    PNG,
    TIFF,
    ExportError,
    make_folder,
    unique_names,
    write_objects,
)
from orgseg_app.files.object_files.format import ObjectImage
from orgseg_app.files.object_files.registry import OBJECT_FORMATS
from orgseg_app.files.png import encode_png
from orgseg_app.files.readers.sniff import SUFFIX_FAMILIES

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

Progress = Callable[[int, int, str], object]

MASK_FOLDERS = "mask-folders"
_MOST_16_BIT = 65_535
_STAGING = ".orgseg-export-"


@dataclass(frozen=True)
class Way:
    """One way objects are written.

    Attributes
    ----------
    title
        As shown.
    about
        What is written, in a sentence or two.
    """

    title: str
    about: str


def ways() -> dict[str, Way]:
    """All ways, by the names the command line uses."""
    found = {
        TIFF: Way(
            "Label images (TIFF)",
            "NAME.tif: each object's number in its voxels, 0 outside. 16 bits, or 32 above 65,535 "
            "objects; stacks in one file; opens in Fiji, napari and Cellpose.",
        ),
        PNG: Way(
            "Label images (PNG)",
            "NAME.png in 16 bits, one file a plane: each object's number in its pixels, 0 outside.",
        ),
        MASK_FOLDERS: Way(
            "One mask for each object",
            "NAME/masks/0001.png, … with 255 on 0 beside NAME/images/NAME.png, as in the 2018 Data "
            "Science Bowl (BBBC038). Of a stack, each plane has a folder.",
        ),
    }
    for name, format_ in OBJECT_FORMATS.items():
        if format_.write is not None:
            found[name] = Way(format_.title, format_.about)
    return found


@dataclass
class Exported:
    """What was written.

    Attributes
    ----------
    folder
        Where they lie, or in folders below.
    files
        All of them.
    images
        Images whose objects they hold.
    notes
        Sentences to be shown: what was decided, and what a format cannot say.
    """

    folder: Path
    files: list[Path] = field(default_factory=list)
    images: int = 0
    notes: list[str] = field(default_factory=list)


def export_objects_as(
    file: ProjectFile,
    out: Path,
    names: Sequence[str],
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write the objects of every image that has some.

    Where an image has a mask and no objects, what hangs together in each class is an object
    (voxels that share a corner do).

    Parameters
    ----------
    file
        What is painted now counts, saved or not.
    out
        Folder; made when it is not there.
    names
        Keys of `ways`.
    overwrite
        Replace files that are there; otherwise the first such file ends the export before
        anything of its format is put in place.
    progress
        Called with images done, images in all, name; False ends the export early, and nothing of
        the format in hand is written.

    Raises
    ------
    ExportError
        Nothing is painted, a file is there already, the folder cannot be written, or the objects
        do not go into the format.
    """
    known = ways()
    for name in names:
        if name not in known:
            raise ExportError(
                f"There is no format “{name}” for objects; use one of {', '.join(known)}."
            )
    images = [i for i in file.project.images.values() if _is_painted(file, i)]
    if not images:
        raise ExportError(
            "No image of this project has objects: paint some in objects mode, or import label "
            "images with one number per object."
        )
    written = Exported(out, images=len(images))
    every = _Images(file, images, len(images) * len(names), progress)
    try:
        for name in names:
            written.files += _export(every, out, name, file.path.stem, overwrite=overwrite)
    except _GivenUpError:
        pass
    except OSError as error:
        raise ExportError(
            f"The objects could not be written to {out}: {atomic.reason(error)}. Nothing was "
            "overwritten; choose another folder."
        ) from error
    if progress is not None and not every.is_given_up:
        progress(every.total, every.total, "")
    written.notes += every.notes(names)
    return written


class _GivenUpError(Exception):
    """Nobody wants it any more."""


class _Images(Sequence[ObjectImage]):
    """The images of an export, each read when it is asked for: a format needs one at a time."""

    def __init__(
        self,
        file: ProjectFile,
        images: Sequence[ProjectImage],
        total: int,
        progress: Progress | None,
    ) -> None:
        self.file = file
        self.images = images
        self.total = total
        self.is_given_up = False
        self.made: set[str] = set()
        self.most = 0
        self._progress = progress
        self._done = 0
        stems = unique_names([image.name for image in images])
        self._names = [f"{s}{_suffix_of(i)}" for s, i in zip(stems, images, strict=True)]

    def __len__(self) -> int:
        return len(self.images)

    @overload
    def __getitem__(self, index: int) -> ObjectImage: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[ObjectImage]: ...

    def __getitem__(self, index: int | slice) -> ObjectImage | Sequence[ObjectImage]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        image = self.images[index]
        done, self._done = self._done, self._done + 1
        if self._progress is not None:
            shown = min(done, self.total - 1)
            if self._progress(shown, self.total, image.name) is False:
                self.is_given_up = True
                raise _GivenUpError
        objects, classes, is_made = objects_with_classes(self.file, image)
        if is_made:
            self.made.add(image.name)
        self.most = max(self.most, int(objects.max(initial=0)))
        return ObjectImage(self._names[index], objects, classes, image.pixel_size_um)

    def notes(self, names: Sequence[str]) -> list[str]:
        """What the images were like."""
        found = []
        if self.made:
            images = "1 image has" if len(self.made) == 1 else f"{len(self.made):,} images have"
            found.append(
                f"{images} a mask and no objects: what hangs together in a class is an object."
            )
        if TIFF in names and self.most > _MOST_16_BIT:
            found.append(
                f"Numbers go up to {self.most:,}: those label images have 32 bits, which some "
                "programs cannot open."
            )
        if any(image.shape[1] > 1 for image in self.images) and MASK_FOLDERS in names:
            found.append(
                "Of stacks, each plane has a folder, and an object a mask in each plane: these "
                "folders do not say which planes belong together."
            )
        return found


def objects_with_classes(
    file: ProjectFile, image: ProjectImage
) -> tuple[NDArray[np.uint32], dict[int, str], bool]:
    """The objects of an image, the class of each, and whether they were made from its mask.

    Parameters
    ----------
    file
        The project.
    image
        One of its images.

    Returns
    -------
    objects, classes, is_made
        uint32 ``(Z, Y, X)``; number → name of the class most of its voxels have, where they have
        one; True where the image has no objects, only a mask.
    """
    mask = file.load_mask(image.image_id).to_array()
    objects = file.objects(image.image_id)
    if objects is None or not objects.any():
        return *_from_mask(mask, file.project.classes), True
    names = {c.class_id: c.name for c in file.project.classes if c.class_id != BACKGROUND}
    table = contingency(objects, mask)
    most: dict[int, tuple[int, int]] = {}
    for number, class_id, voxels in zip(
        table.truth.tolist(), table.prediction.tolist(), table.voxels.tolist(), strict=True
    ):
        if number and class_id in names:
            most[number] = max(most.get(number, (0, 0)), (voxels, class_id))
    return objects, {number: names[class_id] for number, (_, class_id) in most.items()}, False


def _from_mask(
    mask: NDArray[np.uint8], classes: Sequence[ClassInfo]
) -> tuple[NDArray[np.uint32], dict[int, str]]:
    """The connected components of each class but background."""
    objects = np.zeros(mask.shape, np.uint32)
    names: dict[int, str] = {}
    present = set(np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist())
    for info in classes:
        if info.class_id in (BACKGROUND, UNLABELLED) or info.class_id not in present:
            continue
        before, count = len(names), 0
        own = info.class_id
        for z, plane in enumerate(label_planes(lambda z, c=own: mask[z] == c, len(mask))):  # type: ignore[misc]
            count = max(count, int(plane.max(initial=0)))
            objects[z][plane > 0] = plane[plane > 0] + np.uint32(before)
        names |= {before + n: info.name for n in range(1, count + 1)}
    return objects, names


def _is_painted(file: ProjectFile, image: ProjectImage) -> bool:
    """Whether an image has objects, or a class from which they can be made."""
    if any(class_id > BACKGROUND and n for class_id, n in file.counts(image.image_id).items()):
        return True
    objects = file.objects(image.image_id)
    return objects is not None and bool(objects.any())


def _suffix_of(image: ProjectImage) -> str:
    """The ending of the file an image came from, by which formats name it."""
    suffix = Path(image.source).suffix.lower()
    return suffix if suffix in SUFFIX_FAMILIES else ".tif"


# -- writing ---------------------------------------------------------------------------------------


def _export(images: _Images, out: Path, name: str, project: str, *, overwrite: bool) -> list[Path]:
    """One format, written aside and put in place."""
    make_folder(out)
    staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=out))
    try:
        drafts = _write(images, staging, name, project)
        places = [(draft, out / draft.relative_to(staging)) for draft in drafts]
        if not overwrite:
            _refuse_existing(places)
        for draft, place in places:
            make_folder(place.parent)
            with draft.open("r+b") as stream:
                atomic.sync(stream.fileno())
            try:
                atomic.put_in_place(draft, place, overwrite=overwrite)
            except FileExistsError:
                _refuse_existing([(draft, place)])
                raise
        return [place for _, place in places]
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _write(images: _Images, staging: Path, name: str, project: str) -> list[Path]:
    """The drafts of one format."""
    if name in (TIFF, PNG):
        return [
            path
            for image in images
            for path in write_objects(
                staging / Path(image.name).stem, image.objects, name, image.pixel_size_um
            )
        ]
    if name == MASK_FOLDERS:
        return [
            path for n, image in enumerate(images) for path in _masks(images, n, image, staging)
        ]
    format_ = OBJECT_FORMATS[name]
    assert format_.write is not None
    target = staging
    if format_.written == "file":
        # A format that another one reads, as COCO's runs, names no ending of its own.
        suffix = format_.suffixes[0] if format_.suffixes else ".json"
        target = staging / f"{unique_names([project])[0]}_{name}{suffix}"
    classes = [c.name for c in images.file.project.classes if c.class_id != BACKGROUND]
    try:
        return sorted(dict.fromkeys(format_.write(target, images, classes)))
    except FileError as error:
        if isinstance(error, ExportError):
            raise
        raise ExportError(str(error)) from error


def _masks(images: _Images, index: int, image: ObjectImage, staging: Path) -> Iterator[Path]:
    """One picture for each object of each plane, and the plane's own picture."""
    stem, depth = Path(image.name).stem, len(image.objects)
    digits = max(3, len(str(depth)))
    for z, plane in enumerate(image.objects):
        name = stem if depth == 1 else f"{stem}_z{z + 1:0{digits}}"
        folder = staging / name
        numbers = np.unique(plane)
        if depth > 1 and not plane.any():
            continue
        (folder / "masks").mkdir(parents=True)
        picture = _picture(images, index, z)
        if picture is not None:
            (folder / "images").mkdir()
            path = folder / "images" / f"{name}.png"
            path.write_bytes(encode_png(picture))
            yield path
        for number in numbers[numbers > 0].tolist():
            path = folder / "masks" / f"{number:04}.png"
            path.write_bytes(encode_png(np.where(plane == number, np.uint8(255), np.uint8(0))))
            yield path


def _picture(images: _Images, index: int, z: int) -> NDArray[np.uint8] | NDArray[np.uint16] | None:
    """A plane that a PNG can hold; None of others."""
    image = images.images[index]
    if image.shape[0] != 1 or image.dtype not in ("uint8", "uint16"):
        return None
    plane: NDArray[np.uint8] = images.file.read_plane(image.image_id, z)[0]
    return plane


def _refuse_existing(places: Sequence[tuple[Path, Path]]) -> None:
    there = [place for _, place in places if os.path.lexists(place)]
    if there:
        more = f" and {len(there) - 1:,} more are" if len(there) > 1 else " is"
        raise ExportError(
            f"“{there[0].name}”{more} in “{there[0].parent.name}” already. Allow replacing, or "
            "choose another folder; nothing was written."
        )
