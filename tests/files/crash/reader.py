"""Look at a project as the application does, and with nothing but h5py, and say what is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from orgseg_app.files.errors import FileError
from orgseg_app.files.project_file import ProjectFile
from tests.files.crash.story import Description, digest, digest_both, digest_of
from tests.files.crash.storyteller import let_in


def describe(file: ProjectFile, layers: Sequence[str] = ("pixels", "mask")) -> Description:
    """Everything a person would miss. What cannot be read says why, in ``"errors"``."""
    images: dict[str, Any] = {}
    errors: list[str] = []
    for image_id, image in file.project.images.items():
        facts: dict[str, Any] = {"note": image.note, "split": image.split}
        for layer in layers:
            try:
                is_image = layer == "pixels"
                facts[layer] = (
                    digest(file.read_image(image_id)) if is_image else _mask(file, image_id)
                )
            except FileError as error:
                facts[layer] = None
                errors.append(str(error))
        images[image.name] = facts
    errors += [f"{d.what} {d.image}: {d.problem}" for d in file.damages]
    found = {
        "classes": [[c.class_id, c.name, c.colour] for c in file.project.classes],
        "images": images,
        "order": list(images),
        "history": [len(file.history), _undone(file)],
    }
    if errors:
        found["errors"] = errors
    return found


def _mask(file: ProjectFile, image_id: str) -> str:
    return digest_of(file.mask(image_id))


def _undone(file: ProjectFile) -> int:
    return len(file.history._undone)


def look(
    path: Path, *, walk: int = 4, finish: bool = True, plain: bool = True, gated: bool = False
) -> dict[str, Any]:
    """Open a project, look, undo and redo a few steps, save it and look again with h5py alone.

    Parameters
    ----------
    walk
        Steps to undo, at the most.
    finish
        Save and close.
    plain
        Look at what a plain HDF5 program then finds.
    gated
        As the application does, let a throw-away child look first where the file is not known:
        that takes a quarter of a second.
    """
    if not gated:
        let_in(path)
    try:
        file = ProjectFile.open(path)
    except FileError as error:
        return {"refused": str(error)}
    found: dict[str, Any] = {}
    with file:
        found["read_only"] = file.read_only_reason if file.read_only else ""
        found["notices"] = list(file.notices)
        found["state"] = describe(file)
        if file.read_only:
            return found
        try:
            found["walk"] = _walk(file, walk)
            found["again"] = describe(file, ("mask",))
            if finish:
                file.save()
        except FileError as error:
            found["refused later"] = str(error)
            return found
    if plain and finish:
        found["plain"] = plain_look(path)
    return found


def _walk(file: ProjectFile, steps: int) -> list[dict[str, str]]:
    """Undo so many steps and redo them; fingerprints of the masks on the way back."""
    found = []
    for _ in range(min(steps, len(file.history))):
        file.undo()
        found.append({i.name: _mask(file, k) for k, i in file.project.images.items()})
    for _ in found:
        file.redo()
    return found


def plain_look(path: Path) -> Description:
    """What h5py alone finds in a closed project; every dataset and attribute is read."""
    images: dict[tuple[float, str], Any] = {}

    def read_all(_: str, thing: Any) -> None:
        dict(thing.attrs)
        if isinstance(thing, h5py.Dataset):
            thing[...]

    with h5py.File(path, "r") as file:
        dict(file.attrs)
        file.visititems(read_all)
        for group in file["images"].values():
            key = float(group.attrs["order"]), group.attrs["name"].decode()
            images[key] = {
                "pixels": digest(group["pixels"][...]),
                "mask": digest_both(
                    group["mask"][...], group["objects"][...] if "objects" in group else np.zeros(1)
                ),
                "note": group.attrs["note"].decode(),
                "split": group.attrs["split"].decode(),
            }
    return {name: images[order, name] for order, name in sorted(images)}
