"""Where everything lies in a project file: schema version 2.

A project is one plain HDF5 file that any HDF5 program can read::

    /                     attributes: format = "orgseg-project", schema_version, kind ("project" or
                          "snapshot"), app_version, uuid, name, created, saved (ISO 8601), save_id,
                          classes (JSON list of {"id", "name", "colour"}), removed_classes (the
                          same, of deleted ones that undo may bring back; optional)
    /images/<image_id>    attributes: name, order, is_rgb, channel_names (JSON), sha256, split,
                          note, source, pixel_size_um (three floats: z, y, x; absent where unknown),
                          codec (how it is packed, in words: `images.codecs`), time_series and
                          time (a name shared by the time points of one recording, and which of
                          them this is, from 0; absent for other images and in older files)
        pixels            (C, Z, Y, X) uint8, uint16 or float32, fletcher32; chunks (1, 1, h, w) of
                          equal size, 256 a side at most: 160 for 320, 250 for 1000; readers take
                          any other size, too
        levels            smaller versions of large planes (`images.pyramid`); optional
        mask              (Z, Y, X) uint8 class ids, 0 = unlabelled, 1 = background; chunks
                          (1, 256, 256), gzip, fletcher32; attributes: counts (JSON, voxels
                          a class), mask_sha256 (snapshots only)
        objects           (Z, Y, X) uint32, one number an object, 0 = none; an object's class is
                          that of its voxels in the mask; chunks (1, 256, 256), shuffle, gzip,
                          fletcher32; optional
        weights           (Z, Y, X) float32, how much a voxel counts in training, 0 or more;
                          chunks (1, 256, 256), gzip, fletcher32; attribute: range (least and
                          largest of them); optional
        thumbnail         (h, w) or (h, w, 3) uint8, at most 128 a side

A linked image has no pixels, but the attributes shape (four numbers: C, Z, Y, X), dtype, link_name,
link_bytes, link_sha256 (of the file) and link_series (which image of the file): what its file is
called and holds. Where it lies is not in the project (`orgseg_app.files.images.links`).

Text attributes are fixed-length UTF-8, which h5py gives as bytes:

>>> with h5py.File("cells.orgseg") as file:                                       # doctest: +SKIP
...     for image in file["images"].values():
...         name = image.attrs["name"].decode()
...         pixels, mask = image["pixels"][0, 0], image["mask"][0]

The file starts with 4096 bytes that HDF5 skips (`orgseg_app.files.store.header`), and its metadata
are of HDF5's 1.8 format, which carries checksums and no mark of being open. A change to this layout
is a new schema version; `orgseg_app.files.migrations` brings older files up.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import h5py
import numpy as np

from orgseg_app import __version__
from orgseg_app.core.classes import ClassInfo, check_classes, default_classes, palette_colour
from orgseg_app.core.image import SUPPORTED_DTYPES
from orgseg_app.core.project import Link, Project, ProjectImage
from orgseg_app.core.split import SPLITS, TRAIN
from orgseg_app.files.attributes import read_number, read_text, read_value, write_text
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.images import codecs
from orgseg_app.files.names import clean_text
from orgseg_app.files.safety.audit import DAMAGE, check_declared, damaged

FORMAT = "orgseg-project"
SCHEMA_VERSION = 2
LIBVER = ("v108", "v108")

PROJECT, SNAPSHOT = "project", "snapshot"

_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_LINK_KEYS = ("shape", "dtype", "link_name", "link_bytes", "link_sha256", "link_series")

_IMAGE_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


def new_id() -> str:
    """A fresh image id: 12 hexadecimal digits."""
    return uuid.uuid4().hex[:12]


def is_image_id(text: str) -> bool:
    """True for what may be an image id, and the name of an HDF5 group."""
    return _IMAGE_ID.fullmatch(text) is not None


def now() -> str:
    """The moment, ISO 8601 with time zone, to the second."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


# -- writing -------------------------------------------------------------------------------------


def write_root(file: Any, project: Project, kind: str) -> None:
    """Turn an empty HDF5 file into a project without images."""
    write_text(file, "format", FORMAT)
    file.attrs["schema_version"] = SCHEMA_VERSION
    write_text(file, "kind", kind)
    write_text(file, "uuid", project.uuid)
    write_text(file, "created", now())
    write_facts(file, project)
    file.create_group("images")


def write_facts(file: Any, project: Project) -> None:
    """Write the project's name and classes, and which program did it."""
    write_text(file, "app_version", __version__)
    write_text(file, "name", clean_text(project.name) or "project")
    for key, classes in (
        ("classes", project.classes),
        ("removed_classes", project.removed_classes),
    ):
        if classes or key in file.attrs:
            write_text(file, key, json.dumps(classes_to_json(classes), ensure_ascii=False))


def classes_to_json(classes: Sequence[ClassInfo]) -> list[dict[str, Any]]:
    """Classes as they are written into attributes."""
    return [{"id": c.class_id, "name": c.name, "colour": c.colour} for c in classes]


def write_image_facts(group: Any, image: ProjectImage) -> None:
    """Write what is known of one image beside its voxels, but for its place in the list."""
    write_text(group, "name", image.name)
    group.attrs["is_rgb"] = bool(image.is_rgb)
    write_text(group, "channel_names", json.dumps(list(image.channel_names), ensure_ascii=False))
    write_text(group, "sha256", image.sha256)
    write_text(group, "split", image.split)
    write_text(group, "note", image.note)
    write_text(group, "source", image.source)
    if image.pixel_size_um is not None:
        group.attrs["pixel_size_um"] = np.array(image.pixel_size_um, np.float64)
    elif "pixel_size_um" in group.attrs:
        del group.attrs["pixel_size_um"]
    if image.time_series:
        write_text(group, "time_series", image.time_series)
        group.attrs["time"] = np.int64(image.time)


def write_link(group: Any, image: ProjectImage) -> None:
    """Write what is known of the file of a linked image; or forget it, once the image has none."""
    if image.link is None:
        for key in _LINK_KEYS:
            if key in group.attrs:
                del group.attrs[key]
        return
    group.attrs["shape"] = np.array(image.shape, np.int64)
    write_text(group, "dtype", image.dtype)
    write_text(group, "link_name", image.link.name)
    group.attrs["link_bytes"] = np.int64(image.link.size)
    write_text(group, "link_sha256", image.link.sha256)
    group.attrs["link_series"] = np.int64(image.link.series)


def write_order(images: Any, image_ids: Iterable[str]) -> None:
    """Put images of the group ``/images`` in this order."""
    for order, image_id in enumerate(image_ids):
        images[image_id].attrs["order"] = order


def next_order(images: Any) -> int:
    """The place behind all images of the group ``/images``."""
    orders = [read_number(group, "order") or 0.0 for group in images.values()]
    return int(max(orders, default=-1.0)) + 1


def write_counts(mask: Any, counts: Mapping[int, int]) -> None:
    """Note beside a mask how many voxels of each class are painted."""
    write_text(mask, "counts", json.dumps({str(k): v for k, v in sorted(counts.items())}))


# -- reading -------------------------------------------------------------------------------------


def read_version(file: Any, name: str) -> int:
    """Schema version of an open HDF5 file.

    Raises
    ------
    ProjectError
        When it is not a project.
    """
    if read_text(file, "format") != FORMAT:
        raise ProjectError(
            f"“{name}” is an HDF5 file, but not an OrgSeg project. It was left as it is. "
            "To use images from it, save them as TIFF first."
        )
    version = read_number(file, "schema_version")
    if version is None or version < 1:
        raise damaged(name, "no schema version")
    return int(version)


def read_project(file: Any, name: str) -> Project:
    """All facts of a project; no voxel is read.

    Raises
    ------
    ProjectError
        When something essential is missing or impossible.
    """
    try:
        return _read_project(file, name)
    except ProjectError:
        raise
    except DAMAGE as error:
        raise damaged(name, type(error).__name__) from error


def read_counts(group: Any) -> dict[int, int] | None:
    """Painted voxels of each class as noted beside a mask, or None when there is no such note."""
    text = read_text(group["mask"], "counts")
    try:
        return {int(k): int(v) for k, v in json.loads(text or "null").items()}
    except (ValueError, AttributeError, TypeError, RecursionError):
        return None


def read_kind(file: Any) -> str:
    """``"project"`` or ``"snapshot"``."""
    return SNAPSHOT if read_text(file, "kind") == SNAPSHOT else PROJECT


def _read_project(file: Any, name: str) -> Project:
    if not isinstance(file.get("images"), h5py.Group):
        raise damaged(name, "no images group")
    found: list[tuple[float, ProjectImage]] = []
    for image_id in file["images"]:
        if not is_image_id(image_id):
            raise damaged(name, "an impossible image id")
        group = file["images"][image_id]
        if not isinstance(group, h5py.Group):
            raise damaged(name, f"image {image_id} is no group")
        image = _read_image(group, image_id, name)
        found.append((read_number(group, "order") or 0.0, image))
    found.sort(key=lambda pair: pair[0])
    return Project(
        uuid=clean_text(read_text(file, "uuid") or "", 64),
        name=clean_text(read_text(file, "name") or "") or name,
        classes=read_classes(file, name),
        images={image.image_id: image for _, image in found},
        removed_classes=_read_removed_classes(file),
    )


def read_classes(file: Any, name: str) -> tuple[ClassInfo, ...]:
    """Classes of a project, a snapshot or a backup.

    Raises
    ------
    ProjectError
        When the list makes no sense.
    """
    text = read_text(file, "classes")
    if text is None:
        return default_classes()
    try:
        return check_classes(_parse_classes(text))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise damaged(name, "its list of classes") from error


def _read_removed_classes(file: Any) -> tuple[ClassInfo, ...]:
    try:
        return tuple(_parse_classes(read_text(file, "removed_classes") or "[]"))
    except (ValueError, TypeError, KeyError, RecursionError):
        return ()


def _parse_classes(text: str) -> list[ClassInfo]:
    classes = []
    for entry in json.loads(text):
        class_id = int(entry["id"])
        title = clean_text(str(entry["name"])) or f"class {class_id}"
        colour = str(entry["colour"])
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
            colour = palette_colour(class_id)
        classes.append(ClassInfo(class_id, title, colour))
    return classes


def _read_image(group: Any, image_id: str, name: str) -> ProjectImage:
    title = clean_text(read_text(group, "name") or "") or image_id
    pixels, mask, objects, weights = (
        group.get(key) for key in ("pixels", "mask", "objects", "weights")
    )
    link = _read_link(group) if pixels is None else None
    if link is not None:
        shape, dtype = _linked_shape(group), read_text(group, "dtype") or ""
    elif isinstance(pixels, h5py.Dataset):
        shape, dtype = pixels.shape, pixels.dtype.name
        check_declared(pixels, name)
    else:
        raise damaged(name, f"image “{title}” has no voxels")
    if len(shape) != 4 or min(shape) < 1 or dtype not in SUPPORTED_DTYPES:
        raise damaged(name, f"image “{title}” is {clean_text(dtype, 20)} {shape}")
    c, z, y, x = (int(n) for n in shape)
    for layer in (pixels, mask, objects, weights):
        if isinstance(layer, h5py.Dataset):
            codecs.provide(codecs.filters_of(layer))
    if not isinstance(mask, h5py.Dataset) or mask.shape != (z, y, x) or mask.dtype != np.uint8:
        raise damaged(name, f"the mask of “{title}” does not fit its image")
    if objects is not None and (
        not isinstance(objects, h5py.Dataset)
        or objects.shape != (z, y, x)
        or objects.dtype != np.uint32
    ):
        raise damaged(name, f"the objects of “{title}” do not fit its image")
    if weights is not None and (
        not isinstance(weights, h5py.Dataset)
        or weights.shape != (z, y, x)
        or weights.dtype != np.float32
    ):
        raise damaged(name, f"the weights of “{title}” do not fit its image")
    split = read_text(group, "split")
    return ProjectImage(
        image_id=image_id,
        name=title,
        shape=(c, z, y, x),
        dtype=dtype,
        is_rgb=bool(read_number(group, "is_rgb")) and c == 3,
        channel_names=_channel_names(read_text(group, "channel_names"), c),
        pixel_size_um=_pixel_size(group),
        sha256=clean_text(read_text(group, "sha256") or "", 80),
        split=split if split in SPLITS else TRAIN,
        note=read_text(group, "note") or "",
        source=clean_text(read_text(group, "source") or ""),
        link=link,
        time_series=clean_text(read_text(group, "time_series") or "", 64),
        time=_time(group),
    )


def _read_link(group: Any) -> Link | None:
    """The file of a linked image, or None where the facts about it are no facts."""
    size, series = read_number(group, "link_bytes"), read_number(group, "link_series")
    sha256 = read_text(group, "link_sha256") or ""
    if size is None or series is None or not _SHA256.fullmatch(sha256):
        return None
    if not (0 < size < 2**62 and 0 <= series < 2**31):
        return None
    name = clean_text(read_text(group, "link_name") or "") or "file"
    return Link(name, int(size), sha256, int(series))


def _linked_shape(group: Any) -> tuple[int, ...]:
    value = np.asarray(read_value(group, "shape"))
    if value.shape != (4,) or value.dtype.kind not in "iu":
        return ()
    shape = tuple(int(n) for n in value)
    return shape if max(shape) < 2**31 else ()


def _channel_names(text: str | None, count: int) -> tuple[str, ...]:
    try:
        names = [clean_text(str(n)) for n in json.loads(text or "[]")]
    except (ValueError, TypeError, RecursionError):
        names = []
    return tuple(
        names[i] if i < len(names) and names[i] else f"channel {i + 1}" for i in range(count)
    )


def _time(group: Any) -> int:
    """Which time point an image is; 0 where that makes no sense."""
    time = read_number(group, "time")
    return int(time) if time is not None and 0 <= time < 2**31 else 0


def _pixel_size(group: Any) -> tuple[float, float, float] | None:
    value = read_value(group, "pixel_size_um")
    if value is None:
        return None
    sizes = np.asarray(value)
    if sizes.shape != (3,) or sizes.dtype.kind not in "fiu":
        return None
    z, y, x = (float(v) for v in sizes)
    return (z, y, x) if all(np.isfinite(v) and v > 0 for v in (z, y, x)) else None
