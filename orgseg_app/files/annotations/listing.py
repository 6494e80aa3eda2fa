"""The files of an import: where they lie, and what their folders say about them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orgseg_app.files.annotations.list_lines import listed_beside
from orgseg_app.files.annotations.tokens import (
    WEIGHT_WORDS,
    base,
    folder_role,
    folder_split,
    has_any,
    has_label_word,
    is_plain_role,
    without_weights,
)
from orgseg_app.files.errors import ReadError
from orgseg_app.files.object_files.reading import SUFFIXES, Known
from orgseg_app.files.readers.inside import split_inside
from orgseg_app.files.readers.names import natural_key, shown, stem_of
from orgseg_app.files.readers.registry import can_read, has_image_name
from orgseg_app.files.readers.sniff import RUNS_SUFFIX, cannot_open, is_runs, is_zarr

MAX_FILES = 200_000
"""Files looked at in one import; more than this is a wrong folder."""

_NOT_ENTERED = (".zarr", ".runs", "__MACOSX", ".oif.files")
"""Endings of folders whose files are parts of something else: stores, OrgSeg's own runs, the planes
of a microscope's file beside it."""

_SIBLINGS = ("label", "outline")
"""Roles of folders beside the images that are looked through although they were not given."""

ZARR_SUFFIX = ".zarr"

Scope = tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """One image-like file.

    Attributes
    ----------
    path
        The file.
    folders
        Names of the folders between the root of the import and the file.
    role
        ``"image"``, ``"label"``, ``"outline"``, ``"weights"`` or None, by its folders.
    role_at
        Position in ``folders`` of the folder that decided it; -1 if none did.
    is_annotation
        True if the user gave it as an annotation.
    is_context
        True if it was only found beside a file the user gave.
    title
        What to call it where its path does not say so; “” for the file name.
    owner
        The file or Zarr folder it lies in, where that holds several arrays.
    """

    path: Path
    folders: tuple[str, ...]
    role: str | None
    role_at: int
    is_annotation: bool = False
    is_context: bool = False
    title: str = ""
    owner: Path | None = None

    @property
    def stem(self) -> str:
        """File name without suffix."""
        return self.title or stem_of(self.path)

    @property
    def split(self) -> str | None:
        """Train, validation or test, by its folders."""
        for folder in reversed(self.folders):
            split = folder_split(folder)
            if split:
                return split
        return None

    @property
    def scope(self) -> Scope:
        """Folders that tell images of the same name apart: without those for role and split."""
        return _scope(f for n, f in enumerate(self.folders) if n != self.role_at)

    @property
    def scope_before(self) -> Scope:
        """Scope of the folder that holds the role folder."""
        return _scope(self.folders[: max(0, self.role_at)])

    @property
    def below(self) -> tuple[str, ...]:
        """Folders under the role folder, without those for split."""
        return tuple(f for f in self.folders[self.role_at + 1 :] if not is_plain_role(f))

    @property
    def set_name(self) -> str:
        """The folder that makes this an annotation, as shown to the user."""
        return "/".join(self.folders[: self.role_at + 1]) or self.path.parent.name


@dataclass
class Listing:
    """All files of an import.

    Attributes
    ----------
    entries
        Image-like files in natural order.
    skipped
        Files left out because they are not images.
    has_annotations
        True if the user named annotations: nothing else is then taken for one.
    object_files
        Files that may hold objects in other shapes than pixels, by their endings.
    looked_at
        What was found in them (`annotations.object_files`).
    """

    entries: list[Entry] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    has_annotations: bool = False
    object_files: list[Entry] = field(default_factory=list)
    looked_at: dict[Path, Known | None] = field(default_factory=dict)

    @property
    def images(self) -> list[Entry]:
        """Entries that may be images."""
        return [
            e
            for e in self.entries
            if e.role in (None, "image") and not e.is_annotation and not e.is_context
        ]

    @property
    def labels(self) -> list[Entry]:
        """Entries that may be annotations."""
        return [
            e
            for e in self.entries
            if (e.is_annotation if self.has_annotations else e.role == "label")
        ]


def list_files(paths: Sequence[Path], annotations: Sequence[Path] = ()) -> Listing:
    """Look through files and folders, without opening more than what is named explicitly.

    Raises
    ------
    ReadError
        One sentence if a path does not exist, may not be read or holds far too many files.
    """
    listing = Listing()
    seen: set[str] = set()
    roots = [Path(p) for p in paths]
    given = [Path(p) for p in annotations]
    around = [p for p in given if any(_contains(p, root) for root in roots)]
    for path in given:
        if path not in around:
            _add_path(listing, path, seen, is_annotation=True)
    for path in roots:
        _add_path(listing, path, seen, is_annotation=False)
    for path in around:
        _add_path(listing, path, seen, is_annotation=True)
    for path in roots:
        for file in listed_beside(path):
            _add_path(listing, file, seen, is_annotation=False)
    given_files = [e for e in (*listing.entries, *listing.object_files) if e.is_annotation]
    listing.has_annotations = bool(given_files)
    if set(given) - set(around) and not listing.has_annotations:
        raise no_annotation(given[0])
    if not listing.has_annotations:
        for path in roots:
            _add_context(listing, path, seen)
    if listing.has_annotations:
        listing.skipped += [e.path for e in listing.object_files if not e.is_annotation]
        listing.object_files = [e for e in listing.object_files if e.is_annotation]
    if not listing.images:
        listing.entries = [_as_image(e) if not e.is_annotation else e for e in listing.entries]
        listing.entries = [e for e in listing.entries if not e.is_context]
    listing.entries.sort(key=lambda e: [natural_key(f) for f in (*e.folders, e.path.name)])
    return listing


def no_annotation(path: Path) -> ReadError:
    """The sentence for a file given as an annotation that is none."""
    return ReadError(
        f"{shown(path)} holds no annotation that can be read here; label images, folders of masks "
        "and files of objects (COCO, ImageJ ROIs, run lengths, …) can be."
    )


def _add_path(listing: Listing, path: Path, seen: set[str], *, is_annotation: bool) -> None:
    try:
        if is_zarr(path) or split_inside(path)[1]:
            if _is_new(path, seen):
                entry = _entry(path, _kept_parents(path), is_annotation=is_annotation)
                listing.entries.append(entry)
        elif path.is_dir():
            for file, folders in _walk(path):
                _add_file(listing, file, folders, seen, is_annotation=is_annotation)
        elif not path.exists():
            raise FileNotFoundError(path)
        elif not _is_new(path, seen):
            return
        elif has_image_name(path) or is_runs(path):
            entry = _entry(path, _kept_parents(path), is_annotation=is_annotation)
            listing.entries.append(entry)
        elif _may_hold_objects(path):  # before a look inside: ilastik's projects are HDF5, too
            entry = _entry(path, _kept_parents(path), is_annotation=is_annotation)
            listing.object_files.append(entry)
        elif can_read(path):
            entry = _entry(path, _kept_parents(path), is_annotation=is_annotation)
            listing.entries.append(entry)
        else:
            listing.skipped.append(path)
    except (OSError, ValueError) as error:
        raise cannot_open(path, error) from error


def _walk(root: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Files below a folder, with the folders that lead to them; folder links are not followed."""
    first = (root.resolve().name,) if is_plain_role(root.resolve().name) else ()
    count = 0
    for folder, subfolders, files in os.walk(root, onerror=_raise_for_root(root)):
        files += [f for f in subfolders if f.endswith(ZARR_SUFFIX) and not f.startswith(".")]
        subfolders[:] = sorted(
            (f for f in subfolders if not f.startswith(".") and not f.endswith(_NOT_ENTERED)),
            key=natural_key,
        )
        relative = Path(folder).relative_to(root).parts
        for name in sorted(files, key=natural_key):
            count += 1
            if count > MAX_FILES:
                raise ReadError(
                    f"{shown(root)} holds more than {MAX_FILES:,} files; "
                    "choose the folder with the images."
                )
            yield Path(folder, name), (*first, *relative)


def _raise_for_root(root: Path) -> Callable[[OSError], None]:
    def on_error(error: OSError) -> None:
        if Path(str(error.filename)) == root:
            raise error

    return on_error


def _add_file(
    listing: Listing,
    file: Path,
    folders: tuple[str, ...],
    seen: set[str],
    *,
    is_annotation: bool,
    is_context: bool = False,
) -> None:
    if not _is_new(file, seen):
        return
    is_hidden = file.name.startswith(".")
    if not is_hidden and (has_image_name(file) or is_runs(file) or is_zarr(file)):
        listing.entries.append(
            _entry(file, folders, is_annotation=is_annotation, is_context=is_context)
        )
    elif not is_hidden and _may_hold_objects(file):
        listing.object_files.append(
            _entry(file, folders, is_annotation=is_annotation, is_context=is_context)
        )
    elif not is_context:
        listing.skipped.append(file)


def _may_hold_objects(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES


def _add_context(listing: Listing, path: Path, seen: set[str]) -> None:
    """Annotations that lie beside a given file or folder, where one would look for them."""
    if path.is_dir():
        root = path.resolve()
        if folder_role(root.name) == "image" and is_plain_role(root.name):
            for sibling in _subfolders(root.parent):
                if folder_role(sibling.name) in _SIBLINGS and is_plain_role(sibling.name):
                    for file, folders in _walk(sibling):
                        _add_file(
                            listing, file, folders, seen, is_annotation=False, is_context=True
                        )
        return
    wanted = {base(e.stem) for e in listing.images if e.path.parent == path.parent}
    for file in _files(path.parent):
        stem = stem_of(file)
        marked = has_label_word(stem) or has_any(stem, WEIGHT_WORDS)
        named = marked and (has_image_name(file) or is_runs(file))
        named |= _may_hold_objects(file)
        if named and base(stem) and without_weights(base(stem)) in wanted:
            _add_file(
                listing, file, _kept_parents(file), seen, is_annotation=False, is_context=True
            )
    folder = path.resolve().parent
    if folder_role(folder.name) == "image" and is_plain_role(folder.name):
        for sibling in _subfolders(folder.parent):
            if folder_role(sibling.name) in _SIBLINGS and is_plain_role(sibling.name):
                for file in _files(sibling):
                    if base(stem_of(file)) in wanted:
                        folders = (*_kept_parents(sibling), sibling.name)
                        _add_file(
                            listing, file, folders, seen, is_annotation=False, is_context=True
                        )


def _entry(
    path: Path, folders: tuple[str, ...], *, is_annotation: bool, is_context: bool = False
) -> Entry:
    if path.suffix.lower() == RUNS_SUFFIX:
        return Entry(path, folders, "label", -1, is_annotation, is_context)
    for at in range(len(folders) - 1, -1, -1):
        role = folder_role(folders[at])
        if role:
            return Entry(path, folders, role, at, is_annotation, is_context)
    return Entry(path, folders, "label" if is_annotation else None, -1, is_annotation, is_context)


def _as_image(entry: Entry) -> Entry:
    """The same file as an image, for folders of images that are called “masks” for once."""
    return Entry(entry.path, entry.folders, None, -1, is_context=entry.is_context)


def _kept_parents(path: Path) -> tuple[str, ...]:
    """Parents of a file given by itself that say its role or split."""
    kept: list[str] = []
    for parent in path.resolve().parents:
        if not is_plain_role(parent.name) or len(kept) == 2:
            break
        kept.insert(0, parent.name)
    return tuple(kept)


def _scope(folders: Iterable[str]) -> Scope:
    return tuple(f.casefold() for f in folders if not is_plain_role(f))


def _is_new(path: Path, seen: set[str]) -> bool:
    key = os.path.realpath(path)
    if key in seen:
        return False
    seen.add(key)
    return True


def _contains(outer: Path, inner: Path) -> bool:
    """True if a folder given as annotation holds the images too: it then says nothing new."""
    try:
        return inner.resolve().is_relative_to(outer.resolve())
    except OSError:
        return False


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError:
        return []


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    except OSError:
        return []
