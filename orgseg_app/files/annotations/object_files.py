"""Object files (COCO, run-length tables, ImageJ ROIs, …): found by content, paired by name.

A file names its images, or is called like its image, or has its image's checksum. What lies within
is never followed as a path. The formats are in `orgseg_app.files.object_files`.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, UNLABELLED
from orgseg_app.core.image import OpenedImage
from orgseg_app.core.shapes.boxes import GRABCUT, OTSU
from orgseg_app.files import giving_up
from orgseg_app.files.annotations.found import Candidate, Found
from orgseg_app.files.annotations.label_image import ambiguity
from orgseg_app.files.annotations.listing import Entry, Listing
from orgseg_app.files.annotations.pairing import pair
from orgseg_app.files.annotations.source import AnnotationSource, LoadedAnnotation
from orgseg_app.files.errors import ReadError
from orgseg_app.files.object_files.format import Annotated, ObjectBox, ObjectsRead
from orgseg_app.files.object_files.reading import Known, look_at, read_objects
from orgseg_app.files.object_files.registry import OBJECT_FORMATS
from orgseg_app.files.readers.inside import split_inside
from orgseg_app.files.readers.names import shown, stem_of

RANK = 60
"""Behind label images and masks, which say the same without thinned outlines."""

WEAK = "weak"
BOX_WAYS = (OTSU, GRABCUT, WEAK)
"""What becomes of boxes: the object in each by brightness or by GrabCut; or the inside of boxes is
unlabelled and the rest background."""

_HASHES = {32: "md5", 64: "sha256"}


def find_object_files(name: str, listing: Listing, claimed: set[Path]) -> Found:
    """The object files of one format, with their images.

    Parameters
    ----------
    name
        Key of `OBJECT_FORMATS`.
    listing
        The files.
    claimed
        Files already known as annotations.
    """
    found = Found()
    files: list[tuple[Entry, Known]] = []
    for entry in listing.object_files:
        known = _looked_at(entry, listing, found)
        if known is not None and known.format == name:
            files.append((entry, known))
            found.claimed.add(entry.path)
            found.notes += [f"{shown(entry.path)}: {note}" for note in known.contents.notes]
    if not files:
        return found
    names = _class_names([known for _, known in files])
    images = _Images([e for e in listing.images if e.path not in claimed])
    alone: list[tuple[Entry, Known]] = []
    for entry, known in files:
        annotated = known.contents.images
        if len(annotated) == 1 and not (annotated[0].image_name or annotated[0].content_hash):
            alone.append((entry, known))
        else:
            _pair_named(entry, known, images.near(entry), names, found)
    _pair_alone(alone, images, names, found)
    return found


def read_object_file(
    source: AnnotationSource,
    image: OpenedImage | None,
    shape_zyx: tuple[int, int, int],
    meaning: str,
    class_ids: Mapping[int, int] | None,
    class_id: int,
    *,
    boxes: str = OTSU,
) -> LoadedAnnotation:
    """The annotation of one image, drawn.

    Parameters
    ----------
    source
        Where it lies.
    image
        Whose pixels tell objects in boxes from what is around them.
    shape_zyx
        Of the image, or of all its time points together.
    meaning
        ``"binary"``, ``"classes"`` or ``"instances"``.
    class_ids
        For classes: place in `AnnotationSource.class_names` + 1 → class id.
    class_id
        Class of objects otherwise.
    boxes
        One of `BOX_WAYS`.

    Raises
    ------
    ReadError
        One sentence: it cannot be read, or does not fit the image.
    """
    read = read_objects(source.paths[0], source.format, source.key, shape_zyx)
    places = {name: place for place, name in enumerate(source.class_names, start=1)}
    known = class_ids or {place: place + 1 for place in places.values()}
    ids = {
        number: known.get(places.get(name, 0), class_id) for number, name in read.classes.items()
    }
    if read.labels is not None:
        return LoadedAnnotation(_by_number(read.labels, ids, class_id), None, read.notes)
    if read.objects is None:
        read.objects = np.zeros(shape_zyx, np.uint32)
    inside = _draw_boxes(read, image, boxes)
    if meaning != "classes":
        ids = {}
    mask = _by_number(read.objects, ids, class_id)
    if inside is not None:
        mask[inside & (read.objects == 0)] = UNLABELLED
    return LoadedAnnotation(mask, read.objects if meaning != "binary" else None, read.notes)


# -- finding ---------------------------------------------------------------------------------------


def _looked_at(entry: Entry, listing: Listing, found: Found) -> Known | None:
    """What a file is, looked at once for all formats; a damaged one becomes a note."""
    if entry.path not in listing.looked_at:
        known: Known | None = None
        try:
            known = look_at(entry.path)
        except ReadError as error:
            found.notes.append(str(error))
            found.claimed.add(entry.path)
        listing.looked_at[entry.path] = known
        if known is None and entry.path not in found.claimed and not entry.is_context:
            listing.skipped.append(entry.path)
    return listing.looked_at[entry.path]


def _class_names(files: Sequence[Known]) -> tuple[str, ...]:
    """The classes of all files, in the order they are first named."""
    return tuple(dict.fromkeys(name for known in files for name in known.contents.class_names))


class _Near:
    """The images that the object files of one folder may be about, by what these may say."""

    def __init__(self, images: list[Entry]) -> None:
        self.images = images
        self.by_name: dict[str, list[Entry]] = defaultdict(list)
        self.by_stem: dict[str, list[Entry]] = defaultdict(list)
        self._by_hash: dict[str, dict[str, list[Entry]]] = {}
        for image in images:
            self.by_name[_folded(image.path.name)].append(image)
            self.by_stem[_folded(image.stem)].append(image)

    def by_hash(self, digest: str) -> list[Entry] | None:
        """Images whose file has this checksum; None where there is none."""
        kind = _HASHES.get(len(digest))
        if kind is None:
            return None
        if kind not in self._by_hash:
            found = self._by_hash[kind] = defaultdict(list)
            for image in self.images:
                path = split_inside(image.path)[0]
                if path.is_file():
                    found[_digest(path, kind)].append(image)
        return self._by_hash[kind].get(digest)


class _Images:
    """All images of an import; what is near an object file is sorted once for its folder."""

    def __init__(self, images: list[Entry]) -> None:
        self.all = images
        self._near: dict[tuple[Path, str | None], _Near] = {}
        self._by_folder: dict[Path, list[Entry]] = defaultdict(list)
        for image in images:
            self._by_folder[image.path.parent].append(image)

    def near(self, entry: Entry) -> _Near:
        """Images in the folder of an object file, of its split, or all."""
        key = entry.path.parent, entry.split
        if key not in self._near:
            own = self._by_folder.get(entry.path.parent)
            same_split = own or [i for i in self.all if i.split == entry.split]
            self._near[key] = _Near(same_split or self.all)
        return self._near[key]


def _pair_named(
    entry: Entry, known: Known, near: _Near, names: tuple[str, ...], found: Found
) -> None:
    """A file that says which images it annotates."""
    left, taken = [], set[Path]()
    is_paired = False
    for annotated in known.contents.images:
        name = _folded(_last_part(annotated.image_name))
        stem = _folded(stem_of(Path(name))) if name else ""
        fitting = (
            near.by_hash(annotated.content_hash) or near.by_name.get(name) or near.by_stem.get(stem)
        )
        if fitting is None:
            left.append(annotated)
            continue
        is_paired = True
        if len(fitting) == 1:
            _add(fitting[0], entry, known, annotated, names, found)
            taken.add(fitting[0].path)
        else:
            for image in fitting:
                found.ambiguous[image.path] = ambiguity(image.path, [entry.path])
    missing = []
    if left:
        free = [image for image in near.images if image.path not in taken]
        pairing = pair([i.stem for i in free], [_last_part(a.image_name) for a in left])
        for i, j in pairing.pairs.items():
            is_paired = True
            _add(free[i], entry, known, left[j], names, found)
        missing = [left[j].image_name or left[j].key for j in pairing.unmatched]
    if not is_paired:
        found.unmatched.append(entry.path)
    elif missing:
        some = ", ".join(f"“{name}”" for name in missing[:3]) + (" …" if len(missing) > 3 else "")
        found.notes.append(
            f"{shown(entry.path)} also annotates {len(missing):,} "
            f"image{'' if len(missing) == 1 else 's'} that are not here ({some})."
        )


def _pair_alone(
    files: list[tuple[Entry, Known]], images: _Images, names: tuple[str, ...], found: Found
) -> None:
    """Files that annotate one image and do not say which: by their own name."""
    if len(files) == len(images.all) == 1:  # the user chose just these two
        _add(images.all[0], *files[0], files[0][1].contents.images[0], names, found)
        return
    by_folder: dict[Path, list[tuple[Entry, Known]]] = defaultdict(list)
    for entry, known in files:
        by_folder[entry.path.parent].append((entry, known))
    for members in by_folder.values():
        near = images.near(members[0][0]).images
        pairing = pair([i.stem for i in near], [entry.stem for entry, _ in members])
        for i, j in pairing.pairs.items():
            entry, known = members[j]
            _add(near[i], entry, known, known.contents.images[0], names, found)
        for i, fitting in pairing.ambiguous.items():
            found.ambiguous[near[i].path] = ambiguity(
                near[i].path, [members[j][0].path for j in fitting]
            )
        found.unmatched += [members[j][0].path for j in pairing.unmatched]


def _add(
    image: Entry,
    entry: Entry,
    known: Known,
    annotated: Annotated,
    names: tuple[str, ...],
    found: Found,
) -> None:
    source = AnnotationSource(
        known.format,
        (entry.path,),
        class_names=names,
        key=annotated.key,
        size=(annotated.height, annotated.width),
        shapes=annotated.shapes,
    )
    title = OBJECT_FORMATS[known.format].title
    is_alone = len(known.contents.images) == 1  # one of many such files
    set_name = title if is_alone else f"{entry.path.name} ({title})"
    rank = RANK + list(OBJECT_FORMATS).index(known.format)
    found.candidates.append(Candidate(image.path, source, rank, set_name))


def _digest(path: Path, kind: str) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(
            stream, lambda: hashlib.new(kind, usedforsecurity=False)
        ).hexdigest()


def _last_part(name: str) -> str:
    """The file name at the end of what may be a path of another computer."""
    return PurePosixPath(name.replace("\\", "/")).name


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


# -- loading ---------------------------------------------------------------------------------------


def _by_number(
    numbers: NDArray[np.uint32] | NDArray[np.int32], ids: Mapping[int, int], class_id: int
) -> NDArray[np.uint8]:
    """Class ids of objects or class values: background where 0, unlabelled where -1."""
    highest = int(numbers.max(initial=0))
    table = np.full(highest + 2, class_id, np.uint8)
    table[0], table[-1] = BACKGROUND, UNLABELLED
    for number, own in ids.items():
        if 0 < number <= highest:
            table[number] = own
    mask: NDArray[np.uint8] = table[numbers]
    return mask


def _draw_boxes(read: ObjectsRead, image: OpenedImage | None, way: str) -> NDArray[np.bool_] | None:
    """Draw the objects in boxes among the others; or say where boxes are, as weak labels."""
    if not read.boxes:
        return None
    from orgseg_app.core.shapes.boxes import objects_in_boxes, weak_labels

    objects = read.objects
    assert objects is not None
    size = objects.shape[1], objects.shape[2]
    by_plane: dict[int, list[ObjectBox]] = defaultdict(list)
    for box in read.boxes:
        if 0 <= box.z < objects.shape[0]:
            by_plane[box.z].append(box)
    inside = np.zeros(objects.shape, bool) if way == WEAK else None
    guessed = empty = 0
    for z, boxes in by_plane.items():
        edges = [(box.y0, box.x0, box.y1, box.x1) for box in boxes]
        if inside is not None:
            inside[z] = weak_labels(edges, size) == UNLABELLED
            continue
        if image is None:
            raise ValueError("Objects in boxes are found by the pixels of their image.")
        found = objects_in_boxes(image.read_plane(z), edges, way, check=giving_up.ask)
        numbers = np.array([0, *(box.number for box in boxes)], np.uint32)
        free = objects[z] == 0
        objects[z][free] = numbers[found.objects][free]
        guessed += len(found.guessed)
        empty += len(found.empty)
    notes = []
    if guessed:
        drawn = "1 object" if guessed == 1 else f"{guessed:,} objects"
        notes.append(f"{drawn} did not stand out from the surroundings: drawn as ellipses.")
    if empty:
        left = "1 box lies" if empty == 1 else f"{empty:,} boxes lie"
        notes.append(f"{left} outside the image or under others; left out.")
    read.notes = (*read.notes, *notes)
    return inside
