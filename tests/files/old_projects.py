"""The stored projects of older versions, and what must be found in each."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from orgseg_app.files.project_file import ProjectFile

DATA = Path(__file__).parents[1] / "data"
STEMS = sorted(path.stem for path in DATA.glob("project-v*.orgseg"))


def take(stem: str, folder: Path, name: str = "cells ü.orgseg") -> Path:
    """A copy to work on."""
    folder.mkdir(exist_ok=True)
    return Path(shutil.copy(DATA / f"{stem}.orgseg", folder / name))


def told(stem: str) -> dict[str, Any]:
    """What is in it."""
    return json.loads((DATA / f"{stem}.json").read_text(encoding="utf-8"))


def digest(values: np.ndarray) -> str:
    """SHA-256 of an array's bytes, little-endian, in C order."""
    little = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<")))
    return hashlib.sha256(little.tobytes()).hexdigest()


def look(path: Path) -> dict[str, Any]:
    """What is in a project file, read with h5py alone; in the shape of the stored JSON."""
    with h5py.File(path, "r", locking=False) as file:

        def text(item: Any, key: str) -> str:
            return item.attrs[key].decode()

        images = []
        for image_id in sorted(file["images"], key=lambda i: file["images"][i].attrs["order"]):
            group = file["images"][image_id]
            pixels, mask = group["pixels"][...], group["mask"][...]
            objects = group["objects"][...] if "objects" in group else None
            size = group.attrs.get("pixel_size_um")
            ids, counts = np.unique(mask[mask > 0], return_counts=True)
            images.append(
                {
                    "id": image_id,
                    "name": text(group, "name"),
                    "shape": list(pixels.shape),
                    "dtype": pixels.dtype.name,
                    "is_rgb": bool(group.attrs["is_rgb"]),
                    "channel_names": json.loads(text(group, "channel_names")),
                    "pixel_size_um": None if size is None else size.tolist(),
                    "split": text(group, "split"),
                    "note": text(group, "note"),
                    "source": text(group, "source"),
                    "fingerprint": text(group, "sha256"),
                    "voxels_sha256": digest(pixels),
                    "mask_sha256": digest(mask),
                    "counts": {str(i): int(n) for i, n in zip(ids, counts, strict=True)},
                    "objects_sha256": None if objects is None else digest(objects),
                    "objects_count": 0 if objects is None else len(np.unique(objects)) - 1,
                }
            )
        return {
            "schema_version": int(file.attrs["schema_version"]),
            "uuid": text(file, "uuid"),
            "name": text(file, "name"),
            "classes": json.loads(text(file, "classes")),
            "images": images,
        }


def seen(file: ProjectFile) -> dict[str, Any]:
    """The same as the program sees it."""
    project = file.project
    images = []
    for image in project.images.values():
        mask, objects = file.mask(image.image_id).to_array(), file.objects(image.image_id)
        images.append(
            {
                "id": image.image_id,
                "name": image.name,
                "shape": list(image.shape),
                "dtype": image.dtype,
                "is_rgb": image.is_rgb,
                "channel_names": list(image.channel_names),
                "pixel_size_um": image.pixel_size_um and list(image.pixel_size_um),
                "split": image.split,
                "note": image.note,
                "source": image.source,
                "fingerprint": image.sha256,
                "voxels_sha256": digest(file.read_image(image.image_id)),
                "mask_sha256": digest(mask),
                "counts": {str(i): n for i, n in sorted(file.counts(image.image_id).items())},
                "objects_sha256": None if objects is None else digest(objects),
                "objects_count": 0 if objects is None else len(np.unique(objects)) - 1,
            }
        )
    return {
        "uuid": project.uuid,
        "name": project.name,
        "classes": [
            {"id": c.class_id, "name": c.name, "colour": c.colour} for c in project.classes
        ],
        "images": images,
    }


def expected(stem: str, version: int | None = None) -> dict[str, Any]:
    """What `look` (with a version) or `seen` (without) must give."""
    facts = {k: v for k, v in told(stem).items() if k not in ("app_version", "made_with")}
    facts.pop("schema_version")
    return facts if version is None else {"schema_version": version, **facts}


def without_user_block(path: Path) -> Path:
    """The same project as another HDF5 program copies it: object by object, its own way."""
    other = path.with_name(f"copied {path.name}")
    with h5py.File(path, "r", locking=False) as source, h5py.File(other, "w") as target:
        for key, value in source.attrs.items():
            target.attrs[key] = value
        for name in source:
            source.copy(name, target)
        assert target.userblock_size == 0
    return Path(shutil.move(other, path))
