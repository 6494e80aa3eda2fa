"""Pictures while it learns: asking a training to show what it makes of some planes.

The request is a file in the folder of requests; it names images by their ids, never by a path. Who
reads it believes nothing: its size, its form and every value are checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.process import write_json

REQUEST = "preview.json"
FOLDER = "previews"
MOST_PLANES = 16
_MOST_BYTES = 64 * 1024


class PreviewPlane(msgspec.Struct, frozen=True):
    """A plane to show.

    Attributes
    ----------
    image_id
        Of the run's snapshot.
    z
        Plane; None means the middle one.
    """

    image_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    z: Annotated[int, msgspec.Meta(ge=0)] | None = None


class _Request(msgspec.Struct, frozen=True):
    planes: Annotated[list[PreviewPlane], msgspec.Meta(max_length=MOST_PLANES)] = []
    images: Annotated[
        list[Annotated[str, msgspec.Meta(max_length=200)]], msgspec.Meta(max_length=MOST_PLANES)
    ] = []


def ask_for_previews(run: RunFolder, planes: Sequence[tuple[str, int]]) -> None:
    """Ask a training to show these planes after each check, instead of those asked for before.

    Parameters
    ----------
    run
        Of the training; it may have to start yet.
    planes
        Image id and plane, at most `MOST_PLANES`; none ends the previews.

    Raises
    ------
    OSError
        When the run's folder is gone or the disk refuses.
    """
    path = run.control_dir / REQUEST
    if not planes:
        path.unlink(missing_ok=True)
        return
    listed = [{"image_id": image_id, "z": int(z)} for image_id, z in planes[:MOST_PLANES]]
    run.control_dir.mkdir(exist_ok=True)
    write_json(path, {"planes": listed})


def asked_previews(control_dir: Path) -> list[PreviewPlane]:
    """The planes that are asked for; none when there is no request or it is not readable."""
    path = control_dir / REQUEST
    try:
        if path.is_symlink() or path.stat().st_size > _MOST_BYTES:
            return []
        request = msgspec.json.decode(path.read_bytes(), type=_Request)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []
    planes = [*request.planes, *(PreviewPlane(image_id) for image_id in request.images)]
    return planes[:MOST_PLANES]


def preview_name(image_id: str, z: int) -> str:
    """The file of a preview, relative to the run's folder.

    Raises
    ------
    ValueError
        When the id could be taken for a path.
    """
    if not image_id or not all(c.isalnum() or c in "-_" for c in image_id):
        raise ValueError(f"{image_id!r} is no id of an image")
    return f"{FOLDER}/{image_id}_{z}.png"
