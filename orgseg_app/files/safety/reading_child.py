"""The child that reads strangers' images: opens, decodes, hands planes over a pipe.

It answers the questions of `orgseg_app.files.readers.apart` one after the other until there are
none left. Each file gets the memory and the time that a file of its size may need; beyond that,
allocations fail and it is refused (`orgseg_app.files.safety.confinement`).
"""

from __future__ import annotations

import dataclasses
import importlib
import logging
import math
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.image import OpenedImage
from orgseg_app.files.annotations import label_image
from orgseg_app.files.errors import ReadError
from orgseg_app.files.object_files.reading import (
    known_answer,
    look_here,
    objects_answer,
    read_here,
)
from orgseg_app.files.readers.header import ImageHeader
from orgseg_app.files.readers.inside import split_inside
from orgseg_app.files.readers.names import shown
from orgseg_app.files.readers.raster import read_raster, read_raster_header
from orgseg_app.files.readers.registry import image_family, read_contents
from orgseg_app.files.readers.run_labels import run_labels
from orgseg_app.files.readers.sniff import RUNS, sniff
from orgseg_app.files.readers.tiff import TiffPicture, header_of, open_pictures, tiff_images
from orgseg_app.files.readers.tiff_planes import RawPlane
from orgseg_app.files.readers.volume_files import VOLUME_FAMILIES, open_volumes
from orgseg_app.files.readers.volumes import Volume, places_of, volume_header, volume_images
from orgseg_app.files.safety.confinement import Pipes, give_up, limit_cpu, limit_memory

_OPENERS: dict[str, tuple[str, ...]] = {
    "tiff": ("tifffile",),
    "hdf5": ("h5py",),
    "oif": ("tifffile",),
}
_DECODERS: dict[str, tuple[str, ...]] = {
    "tiff": ("tifffile", "imagecodecs"),
    "hdf5": ("h5py", "orgseg_app.files.images.codecs", "orgseg_app.files.safety.audit"),
    "zarr": ("imagecodecs",),
    "mrc": (),
    "czi": ("imagecodecs",),
    "nd2": (),
    "lif": (),
    "oif": ("tifffile", "imagecodecs"),
    "oir": (),
    RUNS: (),
}
"""Imported before memory is limited: what they take is not the file's."""

WORK_FACTOR = 8
"""Bytes of memory for each byte of a plane, at four bytes a pixel at least: decoded, converted,
sorted for its distinct values, and the next plane beside it."""

EMPTY_BYTES = 64 * 2**20
EMPTY_RATIO = 500
"""A plane larger than this, and so much larger than its file, gets no more than any file gets: it
is a mask with nothing on it, or a trap."""

RUNS_FACTOR = 16
"""Bytes of memory for each byte of a JSON file: its text, and two numbers for each few letters."""

OBJECTS_FACTOR = 60
"""Bytes of memory for each byte of an object file: Python's numbers, lists and texts."""

OBJECT_VOXEL_BYTES = 32
"""Bytes of memory for each voxel of the image whose objects are drawn."""

_OBJECT_LIBRARIES: dict[str, str] = {".ilp": "h5py", ".roi": "roifile", ".zip": "roifile"}
"""By the file's ending: imported before memory is limited, as `_DECODERS`."""

_SLOWEST_BYTES_S = 5e6
_KEPT = 8
_STACK_BYTES = 2**21

Pixels = NDArray[np.generic]


@dataclass
class OpenedFile:
    """A file that was asked about.

    Attributes
    ----------
    header
        Size and kind.
    pictures
        Of a TIFF; None for other families.
    volumes
        Of an HDF5, MRC or Zarr file; None for other families.
    images
        Once they were asked for.
    """

    header: ImageHeader
    pictures: list[TiffPicture] | None = None
    volumes: list[Volume] | None = None
    images: list[OpenedImage] | None = None


class Reader:
    """Answers questions.

    Parameters
    ----------
    pipes
        Where they come from.
    """

    def __init__(self, pipes: Pipes) -> None:
        self._pipes = pipes
        self._base, self._most, self._cpu_s = 2**28, 2**30, 10.0
        self._told = (0, 0.0)
        self._is_limited_for = 0
        self._files: dict[tuple[str, int, int], OpenedFile] = {}
        self._last: tuple[str, int, int] | None = None
        self._ahead: tuple[tuple[str, int, int], Pixels] | None = None
        self._answers: dict[str, Callable[[dict[str, Any]], None]] = {
            "header": self._header,
            "headers": self._headers,
            "images": self._images,
            "plane": self._plane,
            "where": self._where,
            "labels": self._labels,
            "count": self._count,
            "contents": self._contents,
            "object_contents": self._object_contents,
            "objects": self._objects,
        }

    def run(self) -> None:
        """Answer until there are no more questions."""
        for question in self._pipes.questions():
            if "base" in question:
                self._base, self._most = int(question["base"]), int(question["most"])
                self._cpu_s = float(question["cpu_s"])
                self._told = (self._base, self._cpu_s)
                continue
            limit_cpu(self._cpu_s)
            try:
                self._answers[question["do"]](question)
            except BrokenPipeError:
                return
            except Exception as error:  # libraries raise many kinds
                self._pipes.answer({"error": _sentence(Path(question["path"]), error)})
            self._look_ahead(question)

    # -- answers ---------------------------------------------------------------------------------

    def _header(self, question: dict[str, Any]) -> None:
        header = self._opened(Path(question["path"]), for_planes=False).header
        self._pipes.answer({"header": vars(header)})

    def _headers(self, question: dict[str, Any]) -> None:
        entries: list[dict[str, Any]] = []
        for path in map(Path, question["paths"]):
            try:
                entries.append({"header": vars(self._opened(path, for_planes=False).header)})
            except Exception as error:  # as above
                entries.append({"error": _sentence(path, error)})
        self._pipes.answer({"headers": entries})

    def _images(self, question: dict[str, Any]) -> None:
        images = self._images_of(Path(question["path"]))
        self._pipes.answer({"images": [_facts(image) for image in images]})

    def _plane(self, question: dict[str, Any]) -> None:
        path, number, z = Path(question["path"]), int(question["image"]), int(question["z"])
        place = (question["path"], number, z)
        plane: Pixels | None = None
        if self._ahead is not None and self._ahead[0] == place:
            plane = self._ahead[1]
        self._ahead = None
        image = self._image(path, number)
        if plane is None:
            raw = self._raw(path, number, z)
            if raw is not None:
                self._pipes.answer({"raw": raw})
                return
            plane = np.ascontiguousarray(image.read_plane(z))
        facts = {"shape": plane.shape, "dtype": plane.dtype.name, "notes": image.notes}
        self._pipes.answer(facts, plane.data)

    def _where(self, question: dict[str, Any]) -> None:
        path, number, z = Path(question["path"]), int(question["image"]), int(question["z"])
        self._image(path, number)
        self._pipes.answer({"raw": self._raw(path, number, z)})

    def _labels(self, question: dict[str, Any]) -> None:
        path, planes = Path(question["path"]), question["planes"]
        file = self._opened(path)
        self._pipes.answer({"planes": file.header.planes if planes is None else len(planes)})
        for plane in label_image.label_planes(path, planes, file.pictures, file.volumes):
            labels = np.ascontiguousarray(plane)
            facts = {"shape": labels.shape, "dtype": labels.dtype.str}
            self._pipes.answer(facts, labels.data)

    def _count(self, question: dict[str, Any]) -> None:
        header = self._opened(Path(question["path"]), for_planes=False).header
        self._pipes.answer({"planes": header.planes})

    def _contents(self, question: dict[str, Any]) -> None:
        path = Path(question["path"])
        self._opened(path, for_planes=False)
        self._pipes.answer({"contents": read_contents(path)})

    def _object_contents(self, question: dict[str, Any]) -> None:
        path = Path(question["path"])
        self._limit_for_objects(path)
        self._pipes.answer(known_answer(look_here(path)))

    def _objects(self, question: dict[str, Any]) -> None:
        path, (z, y, x) = Path(question["path"]), map(int, question["shape"])
        self._limit_for_objects(path, z * y * x)
        read = read_here(path, question["format"], question["key"], (z, y, x))
        self._pipes.answer(objects_answer(read))
        for array in (read.objects, read.labels):
            if array is not None:
                self._pipes.answer_raw(np.ascontiguousarray(array).data)

    # -- within ----------------------------------------------------------------------------------

    def _limit_for_objects(self, path: Path, voxels: int = 0) -> None:
        """Set the limits for an object file, and tell the parent."""
        libraries = [_OBJECT_LIBRARIES.get(path.suffix.lower())]
        for name in [*libraries, "cv2" if voxels else None]:
            if name is not None:
                importlib.import_module(name)
        size = path.stat().st_size if path.is_file() else 0
        memory = self._base + OBJECTS_FACTOR * size + OBJECT_VOXEL_BYTES * voxels
        seconds = self._cpu_s + OBJECTS_FACTOR * (size + voxels) / _SLOWEST_BYTES_S
        self._limit_and_tell(memory, seconds)

    def _opened(self, path: Path, *, for_planes: bool = True) -> OpenedFile:
        """A file with its header read; for its planes, under the limits that they will need."""
        family = sniff(path)
        for name in _DECODERS.get(family, ("cv2",)) if for_planes else _OPENERS.get(family, ()):
            importlib.import_module(name)
        status = os.stat(split_inside(path)[0])
        key = (os.fspath(path), status.st_size, status.st_mtime_ns)
        known = self._files.pop(key, None)
        if known is None:
            if family == RUNS:
                self._limit_and_tell(self._base + RUNS_FACTOR * status.st_size, self._cpu_s)
            elif self._is_limited_for != self._base:  # not for each of many small files
                self._limit(self._base, self._cpu_s)
            known = _open(path, family)
        self._files[key] = known
        while len(self._files) > _KEPT:
            del self._files[next(iter(self._files))]
        if for_planes:  # a folder's own size says nothing
            stored = [v.stored_bytes for v in known.volumes or ()]
            self._limit_for(known, max(status.st_size, sum(stored)))
        return known

    def _images_of(self, path: Path) -> list[OpenedImage]:
        file = self._opened(path)
        if file.images is None:
            if file.pictures is not None:
                file.images = tiff_images(file.pictures, path)
            elif file.volumes is not None:
                file.images = volume_images(file.volumes, path)
            else:
                image_family(path)
                file.images = read_raster(path)
        return file.images

    def _image(self, path: Path, number: int) -> OpenedImage:
        images = self._images_of(path)
        if number >= len(images):
            raise ReadError(f"{shown(path)} has changed since it was opened; open it again.")
        return images[number]

    def _raw(self, path: Path, number: int, z: int) -> dict[str, Any] | None:
        """Where a plane lies in its file, if it needs no decoding."""
        file = self._opened(path)
        raw: RawPlane | None = None
        if file.volumes is not None:
            volume, time = places_of(file.volumes)[number]
            raw = volume.raw_plane(time, z)
        elif file.pictures is not None:
            places = [(picture, time) for picture in file.pictures for time in range(picture.times)]
            picture, time = places[number]
            raw = picture.raw_plane(time, z)
        channels = self._image(path, number).shape[0]
        if raw is None or raw.shape[0] != channels:
            return None  # grey pictures stored as colours
        return dataclasses.asdict(raw)

    def _look_ahead(self, question: dict[str, Any]) -> None:
        """Decode the next plane while the parent is busy with this one, when it reads in order."""
        place = (question["path"], question.get("image", -1), question.get("z", -1))
        last, self._last = self._last, place
        following = (place[0], place[1], place[2] + 1)
        if question["do"] != "plane" or last != (place[0], place[1], place[2] - 1):
            return
        try:
            path = Path(place[0])
            image = self._image(path, place[1])
            if following[2] < image.shape[1] and self._raw(path, place[1], following[2]) is None:
                plane = np.ascontiguousarray(image.read_plane(following[2]))
                self._ahead = (following, plane)
        except Exception:  # it is asked for next, and fails again with a sentence
            self._ahead = None

    def _limit_for(self, file: OpenedFile, stored: int) -> None:
        """Set the limits for the planes of a file, and tell the parent where it needs more."""
        if file.header.family == RUNS:
            stored *= RUNS_FACTOR
        work, largest = _work(file)
        memory, seconds = self._base, self._cpu_s
        if largest <= max(EMPTY_BYTES, EMPTY_RATIO * stored):
            memory = min(self._base + WORK_FACTOR * work, self._most)
            seconds += 2 * work / _SLOWEST_BYTES_S
        self._limit_and_tell(memory, seconds)

    def _limit_and_tell(self, memory: int, seconds: float) -> None:
        memory = min(memory, self._most)
        self._limit(memory, seconds)
        if (memory, seconds) != self._told:
            self._told = (memory, seconds)
            self._pipes.answer({"needs": memory, "cpu_s": seconds})

    def _limit(self, memory: int, seconds: float) -> None:
        self._is_limited_for = memory
        limit_memory(memory + 2 * _STACK_BYTES * (os.cpu_count() or 1))
        limit_cpu(seconds)


def run_reader() -> int:
    """Answer the questions of `orgseg_app.files.readers.apart`; exit code 0."""
    pipes = Pipes()
    give_up()
    threading.stack_size(_STACK_BYTES)  # tifffile's threads; 8 MiB each by default
    logging.disable(logging.CRITICAL)
    Reader(pipes).run()
    return 0


def _open(path: Path, family: str) -> OpenedFile:
    """A file with its header read."""
    if family == "tiff":
        pictures = open_pictures(path)
        return OpenedFile(header_of(pictures), pictures)
    if family in VOLUME_FAMILIES:
        volumes = open_volumes(path)
        return OpenedFile(volume_header(volumes, family), volumes=volumes)
    if family == RUNS:
        return OpenedFile(run_labels(path).header())
    return OpenedFile(read_raster_header(path))


def _work(file: OpenedFile) -> tuple[int, int]:
    """Bytes to work on for one plane, four a pixel at least; bytes of the largest one decoded."""
    header = file.header
    if file.volumes is not None:
        values = max(v.plane_values for v in file.volumes)
        unpacked = max(v.work_bytes for v in file.volumes)
        plane = max(v.plane_values * v.dtype.itemsize for v in file.volumes)
        return max(4 * values, plane, unpacked // 2), plane
    if file.pictures is None:
        pixels = header.height * header.width
        # OpenCV decodes alpha and colours whatever is kept of them.
        return pixels * 8, pixels * (8 if header.dtype == "uint16" else 4)
    work = largest = 0
    for picture in file.pictures:
        index = picture.source.index
        plane = math.prod(index.shape) // index.shape[1]
        values = max(plane, math.prod(index.page_shape))
        factor = 4 if picture.colours.palette is not None else 1
        work = max(work, values * max(4, picture.dtype.itemsize) * factor)
        largest = max(largest, values * picture.dtype.itemsize)
    return work, largest


def _sentence(path: Path, error: Exception) -> str:
    """Why a file cannot be read."""
    if isinstance(error, ReadError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"{shown(path)} is too large for the memory of this computer."
    return f"{shown(path)} is damaged and cannot be read ({type(error).__name__})."


def _facts(image: OpenedImage) -> dict[str, Any]:
    return {
        "name": image.name,
        "source": image.source,
        "shape": image.shape,
        "dtype": image.dtype.name,
        "is_rgb": image.is_rgb,
        "channel_names": image.channel_names,
        "pixel_size_um": image.pixel_size_um,
        "notes": image.notes,
        "time": image.time,
        "times": image.times,
    }
