"""Makes ``project-v1.orgseg`` and ``project-v1.json``: run it with OrgSeg as it was then.

A stored project of each released version stays here for ever, and today's OrgSeg must open it. Each
is made once, by the code of its day::

    git worktree add /tmp/then COMMIT
    PYTHONPATH=/tmp/then python tests/data/make_old_projects.py

``COMMIT`` is the last one with that schema version (``made_with`` in the JSON). The JSON beside the
project says what must be found in it. It is taken from the arrays that went in, by NumPy and
hashlib alone, so that neither the program that wrote the file nor the one that reads it has a say.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

import orgseg_app
from orgseg_app.core.classes import ClassInfo, background
from orgseg_app.core.image import open_array
from orgseg_app.core.samples.catalogue import simulate
from orgseg_app.files import schema
from orgseg_app.files.project_file import NewImage, ProjectFile

HERE = Path(__file__).resolve().parent
CLASSES = (
    background(),
    ClassInfo(2, "réticulum (ER) 内質網", "#E69F00"),
    ClassInfo(7, "nucleus", "#56b4e9"),
)
NAME = "Zellen — 細胞 №1"


def digest(values: np.ndarray) -> str:
    """SHA-256 of an array's bytes, little-endian, in C order."""
    little = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<")))
    return hashlib.sha256(little.tobytes()).hexdigest()


def items() -> list[tuple[NewImage, np.ndarray, np.ndarray]]:
    """The images, each with its voxels ``(C, Z, Y, X)`` and final mask ``(Z, Y, X)``."""
    rng = np.random.default_rng(1)
    found = []

    def add(name: str, pixels: np.ndarray, mask: np.ndarray, split: str, **more: Any) -> None:
        size, rgb = more.pop("size", None), more.pop("rgb", False)
        opened = open_array(name, pixels, pixel_size_um=size, is_rgb=rgb)
        whole = pixels.reshape((1,) * (4 - pixels.ndim) + pixels.shape)
        planes = mask.reshape((1,) * (3 - mask.ndim) + mask.shape)
        given = mask if mask.any() else None
        found.append((NewImage(opened, split, given, **more), whole, planes))

    er = simulate("er", 0, 5, (264, 90))  # two rows of blocks, the second one cut off
    sparse = er.mask.copy()
    sparse[:, 60:] = 0
    pixels = (er.pixels // 16).clip(0, 255).astype(np.uint8)
    note = "Färbung: ERtracker™\nπ/2 gedreht 🧫"
    add("er 01: Ω", pixels, sparse, "train", size=er.pixel_size_um, note=note)

    nuclei = simulate("nuclei", 0, 5, (84, 90))
    mask = np.where(nuclei.mask == 2, 7, nuclei.mask).astype(np.uint8)
    objects = np.zeros(mask.shape, np.uint32)
    for number, rows in enumerate(range(0, 84, 21), start=1):  # one is above 16 bits
        objects[rows : rows + 18][mask[rows : rows + 18] == 7] = number * 70_000
    add("nuclei", nuclei.pixels, mask, "test", size=nuclei.pixel_size_um, objects=objects)

    colours = rng.integers(0, 256, (3, 1, 40, 56)).astype(np.uint8)
    ringed = np.ones((40, 56), np.uint8)
    ringed[8:24, 10:40] = 2
    add("H&E colour", colours, ringed, "validation", rgb=True, note="H&E; colour")

    volume = rng.integers(90, 4096, (2, 3, 32, 40)).astype(np.uint16)
    planes = np.zeros((3, 32, 40), np.uint8)
    planes[0, :20], planes[2, 4:12, 4:30] = 1, 7  # nothing in the middle
    add("volume", volume, planes, "train", size=(0.3, 0.104, 0.104))

    flat = rng.normal(0.0, 1.0, (24, 32)).astype(np.float32)
    add("unpainted", flat, np.zeros((24, 32), np.uint8), "validation")
    return found


def make(path: Path) -> dict[str, Any]:
    """Write the project as a person's work would leave it; return what must be found in it."""
    made = items()
    with ProjectFile.create(path, CLASSES[:2], name="another name at first") as file:
        added = file.add_images([item for item, _, _ in made])
        for image in added[:2]:  # painted over and put back: old blocks leave holes in the file
            mask = file.mask(image.image_id)
            before = mask.to_array()
            mask.write(0, 0, 0, np.full(mask.shape[1:], 1, np.uint8))
            file.save()
            for z, plane in enumerate(before):
                mask.write(z, 0, 0, plane)
            file.save()
        gone = file.add_images([NewImage(open_array("gone", np.zeros((9, 9), np.uint8)))])
        file.save()
        file.remove_image(gone[0].image_id)
        file.rename(NAME)
        file.set_classes(CLASSES)
        file.save()
        images = list(file.project.images.values())
    with ProjectFile.open(path, read_only=True) as file:
        uuid = file.project.uuid
    told = []
    for image, (item, pixels, mask) in zip(images, made, strict=True):
        ids, counts = np.unique(mask[mask > 0], return_counts=True)
        objects = item.objects
        told.append(
            {
                "id": image.image_id,
                "name": image.name,
                "shape": list(pixels.shape),
                "dtype": pixels.dtype.name,
                "is_rgb": item.opened.is_rgb,
                "channel_names": list(item.opened.channel_names),
                "pixel_size_um": item.opened.pixel_size_um,
                "split": item.split,
                "note": item.note,
                "source": item.opened.source,
                "fingerprint": image.sha256,
                "voxels_sha256": digest(pixels),
                "mask_sha256": digest(mask),
                "counts": {str(i): int(n) for i, n in zip(ids, counts, strict=True)},
                "objects_sha256": None if objects is None else digest(objects),
                "objects_count": 0 if objects is None else len(np.unique(objects)) - 1,
            }
        )
    return {
        "schema_version": schema.SCHEMA_VERSION,
        "app_version": orgseg_app.__version__,
        "made_with": _commit(),
        "uuid": uuid,
        "name": NAME,
        "classes": [{"id": c.class_id, "name": c.name, "colour": c.colour} for c in CLASSES],
        "images": told,
    }


def _commit() -> str:
    root = Path(orgseg_app.__file__).parents[1]
    command = ["git", "-C", str(root), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    """Write project and JSON into this folder; what is there stays."""
    stem = f"project-v{schema.SCHEMA_VERSION}"
    path = HERE / f"{stem}.orgseg"
    if path.exists():
        sys.exit(f"{path} is there already. An old project is made once and never again.")
    told = make(path)
    text = json.dumps(told, ensure_ascii=False, indent=1) + "\n"
    (HERE / f"{stem}.json").write_text(text, encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
