"""Reading everything a project holds, and saying what is damaged, what is sound, and what helps.

Every stored block is compared with its checksum, every image with the fingerprint of its voxels
that was taken at import, every mask with the list of blocks that was noted when it was written. The
journal's rows and all backups are looked at, too. Nothing is changed.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from orgseg_app.core.image import begin_hash, hashed_bytes
from orgseg_app.core.project import ProjectImage
from orgseg_app.files import schema
from orgseg_app.files.attributes import read_text
from orgseg_app.files.backups import backing_up, backup, damage
from orgseg_app.files.backups.backup import Backup
from orgseg_app.files.backups.damage import CHECKSUM, Damage, block_damage
from orgseg_app.files.errors import FileError
from orgseg_app.files.images import layers
from orgseg_app.files.images.blocks import Blocks, list_sum, stored_blocks
from orgseg_app.files.images.planes import stripe_rows
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.safety.audit import DAMAGE
from orgseg_app.files.store import places, recovery
from orgseg_app.files.store.header import SLOT, parse_header
from orgseg_app.files.store.lock import nobody_writing

Progress = Callable[[float, float, str], bool]
"""Called with bytes read, bytes in all and the image's name; False stops."""

_AT_ONCE = 64

MISSING = "it is missing."


@dataclass
class Report:
    """What a check found.

    Attributes
    ----------
    path
        The project.
    images, blocks, bytes
        What was read and found sound.
    damages
        What was not.
    notes
        Sentences about what could not be checked, or is odd but harmless.
    unopenable
        Why the project could not be opened at all; "" where it could.
    backups
        All there are, newest first.
    is_complete
        False when it was stopped.
    """

    path: Path
    images: int = 0
    blocks: int = 0
    bytes: int = 0
    damages: list[Damage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unopenable: str = ""
    backups: list[Backup] = field(default_factory=list)
    is_complete: bool = True

    @property
    def losses(self) -> list[Damage]:
        """Damage to what cannot be made again."""
        return [d for d in self.damages if not d.is_derived]

    @property
    def is_sound(self) -> bool:
        """True when nothing is lost."""
        return not self.unopenable and not self.losses

    @property
    def newest_backup(self) -> Backup | None:
        """The newest whole backup, or else the newest that can be read."""
        return backup.best(self.backups)


class _StoppedError(Exception):
    """Somebody asked to stop."""


def verify(path: str | Path, progress: Progress | None = None) -> Report:
    """Check a project file. It may be open in another window."""
    report = Report(Path(path))
    report.backups = backup.list_backups(path)
    _check_backups(report)  # first: a damaged one is no remedy
    try:
        project_file = ProjectFile.open(path, read_only=True)
    except FileError as error:
        report.unopenable = str(error)
    else:
        with project_file:
            report.notes += project_file.notices
            _Check(project_file, report, progress).run()
        report.damages = [d.with_remedy(_remedy(report.backups, d)) for d in report.damages]
    return report


class _Check:
    """One pass over a project."""

    def __init__(
        self, project_file: ProjectFile, report: Report, progress: Progress | None
    ) -> None:
        self.file = project_file
        self.report = report
        self._progress = progress
        self._total = max(1, os.path.getsize(project_file.path))

    def run(self) -> None:
        """Check everything."""
        try:
            for image in list(self.file.project.images.values()):
                self._read(image, 0)
                self._check_image(image)
                self.report.images += 1
        except _StoppedError:
            self.report.is_complete = False
        self._check_header()
        self._check_journal()

    def _read(self, image: ProjectImage, size: int) -> None:
        """Count bytes that were read, and tell."""
        self.report.bytes += size
        done = min(self.report.bytes, self._total)
        if self._progress is not None and not self._progress(done, self._total, image.name):
            raise _StoppedError

    def _found(self, image: ProjectImage, what: str, problem: str) -> None:
        derived = what in (damage.LEVELS, damage.THUMBNAIL)
        self.report.damages.append(
            Damage(what, problem, image.image_id, image.name, is_derived=derived)
        )

    # -- one image -------------------------------------------------------------------------------

    def _check_image(self, image: ProjectImage) -> None:
        with self.file.reading() as file:
            group = file["images"][image.image_id]
            there = {name for name in group if isinstance(group[name], h5py.Dataset)}
            levels = group.get("levels")
            names = list(levels) if isinstance(levels, h5py.Group) else []
        steps: list[tuple[str, Callable[[], None]]] = []
        if image.link is None:
            steps.append((damage.IMAGE, lambda: self._check_pixels(image)))
        if "mask" in there:
            steps.append((damage.MASK, lambda: self._check_mask(image)))
        for name in sorted({"objects", "weights"} & there):
            steps.append((name, lambda n=name: self._check_blocks(image, n, n)))  # type: ignore[misc]
        if "thumbnail" in there:
            steps.append((damage.THUMBNAIL, lambda: self._check_thumbnail(image)))
        for name in names:
            where = f"levels/{name}"
            steps.append(
                (damage.LEVELS, lambda w=where: self._check_blocks(image, w, damage.LEVELS))  # type: ignore[misc]
            )
        for what, check in steps:
            try:
                check()
            except FileError as error:
                self._found(image, what, str(error))
            except DAMAGE as error:
                self._found(image, what, f"cannot be read ({type(error).__name__}).")

    def _check_pixels(self, image: ProjectImage) -> None:
        """Read all voxels, which checks their blocks, and compare their fingerprint."""
        channels, depth, height, _ = image.shape
        with self.file.reading() as file:
            dataset = file["images"][image.image_id]["pixels"]
            rows = stripe_rows(dataset)
            expected = _places(dataset)
            missing = expected - {block.offset for block in stored_blocks(dataset)}
        for offset in sorted(missing):
            self.report.damages.append(self._at(image, "pixels", damage.IMAGE, offset, MISSING))
        digest = begin_hash(np.dtype(image.dtype), image.shape)
        try:
            for channel, z in itertools.product(range(channels), range(depth)):
                for top in range(0, height, rows):
                    with self.file.reading() as file:
                        dataset = file["images"][image.image_id]["pixels"]
                        values = dataset[channel, z, top : top + rows]
                    digest.update(hashed_bytes(values))
                    self._read(image, values.nbytes)
        except DAMAGE:
            self._check_blocks(image, "pixels", damage.IMAGE)
            return
        self.report.blocks += len(expected - missing)
        if not missing and image.sha256 and f"sha256:{digest.hexdigest()}" != image.sha256:
            self._found(image, damage.IMAGE, "its voxels are not those that were imported.")

    def _check_mask(self, image: ProjectImage) -> None:
        """Blocks, their list, the noted counts, the class ids."""
        with self.file.reading() as file:
            group = file["images"][image.image_id]
            is_ours = layers.has_our_blocks(group["mask"])
            mask = layers.load_mask(group["mask"])
            noted = schema.read_counts(group)
            stored = len(stored_blocks(group["mask"])) if is_ours else 0
            self._read(image, int(group["mask"].id.get_storage_size()))
        if is_ours:
            found = damage.mask_damage(image.image_id, image.name, mask)
            self.report.damages += found
            self.report.blocks += stored - len(mask.damaged)
        else:
            self._check_blocks(image, "mask", damage.MASK)
        is_whole = not mask.damaged and not mask.is_doubtful
        if is_whole and noted is not None and noted != mask.counts():
            self._found(
                image, damage.MASK, "it has other numbers of painted voxels than were noted."
            )
        known = set(self.file.project.class_ids)
        known |= {c.class_id for c in self.file.project.removed_classes}
        if strange := sorted(set(mask.counts()) - known):
            ids = ", ".join(map(str, strange))
            self._found(
                image, damage.MASK, f"it holds class ids that the project does not have: {ids}."
            )

    def _check_thumbnail(self, image: ProjectImage) -> None:
        with self.file.reading() as file:
            layers.load_thumbnail(file["images"][image.image_id])

    def _check_blocks(self, image: ProjectImage, where: str, what: str) -> None:
        """Compare every stored block of a layer with its checksum."""
        with self.file.reading() as file:
            dataset = file["images"][image.image_id][where]
            if dataset.chunks is None:
                dataset[...]  # nothing of it can be checked alone
                return
            blocks = stored_blocks(dataset)
            noted = read_text(dataset, "blocks_sum")
        if what != damage.MASK and noted is not None and noted != list_sum(blocks):
            self._found(image, what, damage.WRONG_LIST)
        for start in range(0, len(blocks), _AT_ONCE):
            some = blocks[start : start + _AT_ONCE]
            with self.file.reading() as file:
                source = Blocks(file["images"][image.image_id][where])
                bad = [block for block in some if source.sound_raw(block) is None]
            for block in bad:
                self.report.damages.append(self._at(image, where, what, block.offset, CHECKSUM))
            self.report.blocks += len(some) - len(bad)
            self._read(image, sum(block.size for block in some))

    def _at(
        self, image: ProjectImage, where: str, what: str, offset: tuple[int, ...], problem: str
    ) -> Damage:
        with self.file.reading() as file:
            dataset = file["images"][image.image_id][where]
            return block_damage(image, what, dataset, offset, problem)

    # -- header and journal ----------------------------------------------------------------------

    def _check_header(self) -> None:
        """Two notes of the version; one is enough."""
        with open(self.file.path, "rb") as stream:
            start = stream.read(2 * SLOT)
        for at in (0, SLOT):
            slot = start[at : at + SLOT]
            if self.file.header is not None and any(slot) and parse_header(slot) is None:
                self.report.notes.append(
                    "One of the two notes of the file's version is damaged; the other one holds."
                )

    def _check_journal(self) -> None:
        """Read every row, unless a window is at work there."""
        header = self.file.header
        if header is None:
            self.report.notes.append("The file has no version of OrgSeg's in front (older file).")
            return
        path = places.journal_path(self.file.path, header.file_id)
        if not path.exists():
            return
        with nobody_writing(Path(os.path.realpath(self.file.path))) as is_free:
            if is_free:
                self._check_rows(path)
            else:
                self.report.notes.append(
                    f"“{path.name}” is in use by a window and was not checked."
                )

    def _check_rows(self, path: Path) -> None:
        try:
            with recovery.looking_into(path) as journal:
                save = journal.staged()
                if save is not None:
                    journal.pages(save)
                for number in sorted(journal.recover().steps):
                    journal.load(number)
                    self.report.blocks += 1
        except (FileError, OSError, ValueError, KeyError, TypeError) as error:
            why = str(error).rstrip(".")
            self.report.damages.append(
                Damage(
                    damage.JOURNAL,
                    f"“{path.name}” cannot be read ({why}). The project itself does not need it, "
                    "but edits since the last save, and undo, may be lost.",
                )
            )


def _places(dataset: Any) -> frozenset[tuple[int, ...]]:
    """Where the blocks of an image begin."""
    sides = (range(0, n, c) for n, c in zip(dataset.shape, dataset.chunks, strict=True))
    return frozenset(itertools.product(*sides))


# -- backups -------------------------------------------------------------------------------------


def _remedy(backups: list[Backup], found: Damage) -> str:
    """What a backup has for a damaged place."""
    if found.is_derived:
        return "Nothing is lost: OrgSeg reads the image instead."
    if found.what == damage.IMAGE:
        return "Backups hold no images: add it again from where it came."
    if found.what not in (damage.MASK, damage.OBJECTS, damage.WEIGHTS):
        return ""
    for item in [b for b in backups if not b.problem]:
        image = item.images.get(found.image_id)
        if image is None or found.what not in image.layers:
            continue
        lacks = {damage.OBJECTS: image.damaged_objects, damage.WEIGHTS: image.damaged_weights}
        if found.block not in lacks.get(found.what, image.damaged):
            return f"Backup {item.number} of {said_when(item)} has it."
    return "No backup has it." if backups else "There is no backup."


def said_when(item: Backup) -> str:
    """When a backup was made: ``"21 Nov 2026, 14:05"``."""
    when = item.when
    return f"{when.day} {when:%b %Y, %H:%M}" if when is not None else "an unknown time"


def _check_backups(report: Report) -> None:
    """Read all backups; damaged ones are noted, and count as unreadable from here on."""
    checked = []
    for item in report.backups:
        problem = item.problem or backing_up.check_backup(item)
        if problem:
            report.notes.append(f"Backup {item.number} is damaged: {problem}")
        checked.append(replace(item, problem=problem))
    report.backups = checked
