"""Fingerprints of what is painted today, which tell whether a run was scored against that.

Making the fingerprint of a mask takes reading all of it. That is done once for each mask as it lies
in the project file, and noted beside the runs with the state of its stored blocks.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from orgseg_app.runs.folder import runs_dir
from orgseg_app.runs.process import read_json, write_json

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

NOTED_FILE = ".truths.json"
_log = logging.getLogger(__name__)


class Truth(NamedTuple):
    """Fingerprints of what was painted on an image.

    Attributes
    ----------
    mask : str
    objects : str or None
        None where nobody noted it, as older versions did not.
    """

    mask: str
    objects: str | None = None

    @classmethod
    def noted(cls, entry: Mapping[str, Any]) -> Truth:
        """What a run's request says of an image."""
        objects = entry.get("objects_sha256")
        return cls(str(entry.get("mask_sha256")), objects if isinstance(objects, str) else None)

    def has_changed(self, since: Truth | None, *, has_objects: bool) -> bool:
        """Whether scores, perhaps of objects, were computed from another truth than this."""
        if since is None or since.mask != self.mask:
            return True
        is_noted = self.objects is not None and since.objects is not None
        return has_objects and is_noted and self.objects != since.objects


class _Noted(msgspec.Struct, array_like=True):
    """Of one image: the state of its stored blocks, and the fingerprints of that state."""

    stamp: str
    mask: str
    objects: str | None = None


class _All(msgspec.Struct):
    """Which save of the file it is about, and the images."""

    state: str = ""
    images: dict[str, _Noted] = msgspec.field(default_factory=dict)


def todays_truths(file: ProjectFile, wanted: Mapping[str, bool]) -> dict[str, Truth]:
    """What is painted on images of the project now, by image id.

    Parameters
    ----------
    file
        The project.
    wanted
        Image id → whether the fingerprint of the objects is wanted, too.
    """
    state, unsaved = file.saved_state, file.unsaved_images
    path = runs_dir(file.path) / NOTED_FILE
    noted = _read(path)
    is_same, is_new = bool(state) and noted.state == state, noted.state != state
    truths: dict[str, Truth] = {}
    for image_id, objects in wanted.items():
        kept = noted.images.get(image_id)
        is_enough = kept is not None and (kept.objects is not None or not objects)
        if kept is None or not is_enough or not is_same or image_id in unsaved:
            kept, is_other = _look(file, image_id, objects, kept if is_enough else None)
            is_new |= is_other
            noted.images[image_id] = kept
        truths[image_id] = Truth(kept.mask, kept.objects if objects else None)
    if is_new and state:
        # A stamp of nothing fits nothing, so what is not saved yet is looked at again.
        kept_images = {i: one for i, one in noted.images.items() if one.stamp}
        _write(path, _All(state, kept_images))
    return truths


def _look(
    file: ProjectFile, image_id: str, objects: bool, kept: _Noted | None
) -> tuple[_Noted, bool]:
    """Fingerprints of an image, and whether they had to be made."""
    stamp = file.annotation_stamp(image_id)
    if kept is not None and stamp and kept.stamp == stamp:
        return kept, False
    of_objects = file.objects_sha256(image_id) if objects else None
    return _Noted(stamp, file.mask_sha256(image_id), of_objects), bool(stamp)


def _read(path: Path) -> _All:
    try:
        return msgspec.convert(read_json(path) or {}, _All)
    except msgspec.ValidationError:
        return _All()


def _write(path: Path, noted: _All) -> None:
    if not path.parent.is_dir():
        return
    try:
        write_json(path, noted)
    except OSError as error:
        _log.info("fingerprints of masks are not noted: %s", error)
