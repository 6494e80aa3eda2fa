"""What an import would do, shown before anything is stored.

`plan_import` looks through files and folders, finds images and their annotations by name, checks
sizes from file headers, and decodes no image and only a few label images, to guess what their
values mean; for class images more of them, to find rare classes.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from orgseg_app.files.annotations import (
    class_folders,
    halves,
    inside_files,
    mask_folder,
    outlines,
    touching_ids,
    values,
)
from orgseg_app.files.annotations.found import Candidate, Found
from orgseg_app.files.annotations.listing import Entry, Listing, list_files, no_annotation
from orgseg_app.files.annotations.mask_folder import size_words
from orgseg_app.files.annotations.naming import names_for
from orgseg_app.files.annotations.platelet import KnownClass, known_classes
from orgseg_app.files.annotations.registry import FORMATS
from orgseg_app.files.annotations.series import Series, find_series
from orgseg_app.files.annotations.source import AnnotationSource
from orgseg_app.files.annotations.tokens import IMAGE_WORDS, folder_split, has_any
from orgseg_app.files.annotations.weight_files import find_weights
from orgseg_app.files.errors import ReadError
from orgseg_app.files.object_files.registry import OBJECT_FORMATS
from orgseg_app.files.readers.apart import reading_apart
from orgseg_app.files.readers.header import ImageHeader
from orgseg_app.files.readers.names import clean_name, shown, stem_of
from orgseg_app.files.readers.registry import read_headers
from orgseg_app.files.readers.volume_files import lies_in_several_files

IMAGES_ONLY = "images"
"""As a format: take the images and leave annotations alone."""

KIND_IMAGES = "images"
KIND_TREE = "train/valid/test tree"

_MEANINGS = {
    mask_folder.NAME: "instances",
    outlines.NAME: "instances",
    touching_ids.NAME: "instances",
    class_folders.NAME: "classes",
    halves.NAME: "binary",
}
"""What annotations of these formats mean, whatever their values."""

_COMPARED_BYTES = 1 << 16
_LISTED = 5


@dataclass
class ImportItem:
    """One image file of a plan; it may hold several images (time points, positions).

    Attributes
    ----------
    image_path
        The file.
    name
        What the image will be called; unique in the plan.
    annotation
        Its annotation, or None.
    split
        ``"train"``, ``"validation"``, ``"test"`` by its folder, or None.
    problem
        One sentence about what is wrong: then there is no annotation, or no image at all.
    is_readable
        False if the image itself cannot be read.
    duplicate_of
        Name of an earlier item with the same content, or None.
    weights
        File that says how much each voxel is to count, or None.
    header
        Size and kind of the image file, once it was looked at.
    planes
        For a volume put together from pictures: these, in order; ``image_path`` is the first.
    """

    image_path: Path
    name: str
    annotation: AnnotationSource | None = None
    split: str | None = None
    problem: str | None = None
    is_readable: bool = True
    duplicate_of: str | None = None
    weights: Path | None = None
    header: ImageHeader | None = field(default=None, compare=False, repr=False)
    planes: tuple[ImportItem, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files that hold the image."""
        return tuple(plane.image_path for plane in self.planes) or (self.image_path,)

    @property
    def is_half(self) -> bool:
        """True if the image is one half of its picture, and the mask the other."""
        return self.annotation is not None and self.annotation.format == halves.NAME

    @property
    def is_one_file(self) -> bool:
        """True if the image is all of one file, which it can stay in."""
        path = self.image_path
        is_one = len(self.paths) == 1 and path.is_file() and not lies_in_several_files(path)
        return is_one and not self.is_half

    @property
    def has_weights(self) -> bool:
        """True if weights were found for it or its planes."""
        return self.weights is not None or any(p.weights is not None for p in self.planes)


@dataclass
class ImportPlan:
    """What an import would take in.

    Attributes
    ----------
    items
        The images, in natural order of their paths.
    kind
        How the annotations lie: ``"images"`` (none), ``"label images beside"``, ``"folder pairs"``,
        ``"train/valid/test tree"``, ``"one mask per object"`` or ``"one folder per class"``; the
        most frequent one where there are several.
    unmatched
        Annotations without an image.
    skipped
        Files that are no images.
    notes
        Sentences about what was found and not used.
    meaning
        Guess over all annotations: ``"binary"``, ``"classes"`` or ``"instances"``.
    class_values
        Values other than 0 seen in the label images, ascending; colours are ``0xRRGGBB``.
    class_names
        Names of the values, where folders or a known data set name the classes; else empty.
    known
        Value → class of a known data set, with its colour and place; else empty.
    series
        Pictures that could be the planes of volumes (`as_volumes`).
    """

    items: list[ImportItem] = field(default_factory=list)
    kind: str = KIND_IMAGES
    unmatched: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    meaning: str = "binary"
    class_values: tuple[int, ...] = ()
    class_names: tuple[str, ...] = ()
    known: dict[int, KnownClass] = field(default_factory=dict)
    series: list[Series] = field(default_factory=list)

    @property
    def has_boxes(self) -> bool:
        """True where only boxes around objects are known of some images."""
        return any(i.annotation is not None and i.annotation.shapes == "boxes" for i in self.items)

    @property
    def has_named_objects(self) -> bool:
        """True where the classes are those of objects, not of values in label images."""
        return self.meaning == "classes" and any(
            i.annotation is not None and i.annotation.format in OBJECT_FORMATS for i in self.items
        )

    def guess_meaning(self) -> str:
        """What the label values stand for: ``"binary"``, ``"classes"`` or ``"instances"``."""
        return self.meaning

    @property
    def problems(self) -> list[str]:
        """The problem sentences of all items."""
        return [item.problem for item in self.items if item.problem]

    def summary(self) -> str:
        """The plan in one line: “12 images; 12 label images found by name”."""
        volumes = [item for item in self.items if item.planes]
        parts = []
        if len(self.items) > len(volumes):
            parts.append(_count(len(self.items) - len(volumes), "image"))
        if volumes:
            planes = ", ".join(str(len(item.planes)) for item in volumes[:_LISTED])
            planes += " …" if len(volumes) > _LISTED else ""
            parts.append(f"{_count(len(volumes), 'volume')} of {planes} planes")
        pictures = [p for i in self.items for p in i.planes or (i,)]
        formats = Counter(i.annotation.format for i in pictures if i.annotation)
        objects = formats.pop(mask_folder.NAME, 0)
        classes = formats.pop(class_folders.NAME, 0)
        outlined = formats.pop(outlines.NAME, 0)
        halved = formats.pop(halves.NAME, 0)
        drawn = {name: formats.pop(name, 0) for name in OBJECT_FORMATS}
        if formats.total():
            parts.append(f"{_count(formats.total(), 'label image')} found by name")
        if objects:
            parts.append(f"{_count(objects, 'image')} with one mask per object")
        if halved:
            parts.append(f"{_count(halved, 'mask')} beside the image in its picture")
        if outlined:
            parts.append(f"{_count(outlined, 'picture')} of outlines found by name")
        if classes:
            parts.append(f"{_count(classes, 'image')} with one mask per class")
        parts += [
            f"{_count(number, 'image')} with objects from {OBJECT_FORMATS[name].title}"
            for name, number in drawn.items()
            if number
        ]
        weights = sum(item.has_weights for item in self.items)
        if weights:
            parts.append(f"{_count(weights, 'image')} with weights")
        splits = Counter(item.split for item in self.items if item.split)
        if splits:
            order = ("train", "validation", "test")
            parts.append(", ".join(f"{splits[s]} {s}" for s in order if splits[s]))
        copies = sum(item.duplicate_of is not None for item in self.items)
        if copies:
            parts.append(f"{_count(copies, 'copy', 'copies')} of another image")
        if self.unmatched:
            parts.append(f"{_count(len(self.unmatched), 'annotation')} without an image")
        if self.problems:
            parts.append(_count(len(self.problems), "problem"))
        if self.skipped:
            parts.append(f"{_count(len(self.skipped), 'other file')} left out")
        return "; ".join(parts)


def plan_import(
    paths: Sequence[Path],
    annotations: Sequence[Path] = (),
    format: str = "auto",
) -> ImportPlan:
    """Look at files and folders and say what an import would do; nothing is stored.

    Parameters
    ----------
    paths
        Images and folders, searched through all levels.
    annotations
        Files and folders with annotations; when given, nothing else is taken for one.
    format
        ``"auto"``, a key of `FORMATS`, or ``"images"`` for no annotations.

    Raises
    ------
    ReadError
        One sentence: a path does not exist or may not be read, or there is no image in it.
    ValueError
        For a format that does not exist.
    """
    if format not in ("auto", IMAGES_ONLY, *FORMATS):
        known = ", ".join(("auto", IMAGES_ONLY, *FORMATS))
        raise ValueError(f"There is no annotation format {format!r}; there are {known}.")
    with reading_apart() as child:
        child.start()
        return _plan(paths, annotations, format)


def _plan(paths: Sequence[Path], annotations: Sequence[Path], format: str) -> ImportPlan:
    listing = list_files(paths, annotations)
    inside_files.expand(listing)
    weights = find_weights(listing, set())
    found = find_annotations(listing, format, set(weights.values()))
    if annotations and not listing.labels and not found.claimed and not found.notes:
        raise no_annotation(Path(annotations[0]))
    entries = [e for e in listing.images if e.path not in found.claimed]
    if not entries:
        raise ReadError(_nothing_found(paths, listing))
    best, notes = choose_best(entries, found)
    splits = {e.path: found.splits.get(e.path) or _split(e) for e in entries}
    is_split = len({split for split in splits.values() if split}) > 1
    items = []
    for entry, name in zip(entries, names_for(entries), strict=True):
        candidate = best.get(entry.path)
        item = ImportItem(
            image_path=entry.path,
            name=name,
            annotation=candidate.source if candidate else None,
            split=splits[entry.path] if is_split else None,
            problem=None if candidate else found.ambiguous.get(entry.path),
            weights=weights.get(entry.path) if format != IMAGES_ONLY else None,
        )
        items.append(item)
    _check(items)
    _mark_duplicates(items)
    plan = ImportPlan(
        items=items,
        kind=_kind(items),
        unmatched=found.unmatched,
        skipped=listing.skipped,
        notes=[*notes, *found.notes, *_outline_notes(listing, found)],
    )
    guess_meaning_of(plan)
    plan.series = find_series([item for item in items if not item.is_half])
    return plan


def _split(entry: Entry) -> str | None:
    """The split that folders name, or a file called like ``train-images``."""
    stem = stem_of(entry.path)
    return entry.split or (folder_split(stem) if has_any(stem, IMAGE_WORDS) else None)


def find_annotations(listing: Listing, format: str, weights: set[Path]) -> Found:
    """What all formats find; candidates only of the format asked for."""
    found = Found(claimed=set(weights))
    for name, format_ in FORMATS.items():
        find = format_.find_given if format == name and format_.find_given else format_.find
        one = find(listing, found.claimed)
        if format not in ("auto", name):
            one = Found(claimed=one.claimed)
        found.add(one)
    found.unmatched = list(dict.fromkeys(found.unmatched))
    return found


def choose_best(entries: list[Entry], found: Found) -> tuple[dict[Path, Candidate], list[str]]:
    """The best annotation for each image, and notes about the others."""
    wanted = {e.path for e in entries}
    by_image: dict[Path, list[Candidate]] = defaultdict(list)
    for candidate in found.candidates:
        if candidate.image in wanted:
            by_image[candidate.image].append(candidate)
    best = {
        image: min(several, key=lambda c: (c.rank, c.set_name))
        for image, several in by_image.items()
    }
    others: Counter[str] = Counter()
    for image, several in by_image.items():
        for candidate in several:
            if candidate is not best[image]:
                others[clean_name(candidate.set_name)] += 1
    notes = [
        f"“{name}” also fits {_count(number, 'image')} and is not used; "
        "name it as the annotations to use it instead."
        for name, number in others.items()
    ]
    return best, notes


def _outline_notes(listing: Listing, found: Found) -> list[str]:
    left_out: Counter[str] = Counter(
        clean_name(e.set_name)
        for e in listing.entries
        if e.role == "outline" and not e.is_annotation and e.path not in found.claimed
    )
    return [
        f"{_count(number, 'picture')} in “{name}” left out: not the thin lines that outlines are."
        for name, number in left_out.items()
    ]


def _check(items: Sequence[ImportItem]) -> None:
    """Compare images and annotations by their headers; a problem takes the annotation away."""
    images: list[tuple[ImportItem, AnnotationSource, ImageHeader]] = []
    for item, header in zip(items, read_headers([i.image_path for i in items]), strict=True):
        if isinstance(header, ReadError):
            item.problem, item.is_readable = str(header), False
            item.annotation = item.weights = None
            continue
        item.header = header
        if item.annotation is not None:
            images.append((item, item.annotation, header))
    _check_weights([item for item in items if item.weights is not None])
    check_annotations(images, "the image can be imported without it")


def check_annotations(
    images: Sequence[tuple[ImportItem, AnnotationSource, ImageHeader]], ending: str
) -> None:
    """Take annotations away that cannot be read or have another size; `ending` says what then."""
    pictures = [p for p in images if p[1].format not in OBJECT_FORMATS]
    labels = read_headers([source.paths[0] for _, source, _ in pictures])
    for (item, source, image), label in zip(pictures, labels, strict=True):
        if isinstance(label, ReadError):
            item.problem, item.annotation = str(label), None
            continue
        _check_size(item, source, image, (label.planes, label.height, label.width), ending)
    for item, source, image in images:
        if source.format in OBJECT_FORMATS and all(source.size):
            _check_size(item, source, image, (image.planes, *source.size), ending)


def _check_size(
    item: ImportItem,
    source: AnnotationSource,
    image: ImageHeader,
    size: tuple[int, int, int],
    ending: str,
) -> None:
    """Take an annotation away whose size is not that of the image."""
    image_size = (image.planes, image.height, image.width)
    if image_size != size:
        item.problem = (
            f"The mask {shown(source.paths[0])} is {size_words(size)}, "
            f"but the image {shown(item.image_path)} is {size_words(image_size)}; {ending}."
        )
        item.annotation = None


def _check_weights(items: Sequence[ImportItem]) -> None:
    """Compare images and weights by their headers; a problem takes the weights away."""
    headers = read_headers([item.weights for item in items if item.weights is not None])
    for item, weights in zip(items, headers, strict=True):
        assert item.weights is not None
        assert item.header is not None
        if isinstance(weights, ReadError):
            item.problem, item.weights = str(weights), None
            continue
        wanted = (item.header.planes, item.header.height, item.header.width)
        size = (weights.planes, weights.height, weights.width)
        if size != wanted or weights.channels != 1:
            what = size_words(size) if weights.channels == 1 else f"{weights.channels} channels"
            item.problem = (
                f"The weights {shown(item.weights)} are {what}, but the image "
                f"{shown(item.image_path)} is {size_words(wanted)}; it is imported without them."
            )
            item.weights = None


def _mark_duplicates(items: list[ImportItem]) -> None:
    """Mark files of the same size and content, which would put one image into two splits."""
    by_size: dict[int, list[ImportItem]] = defaultdict(list)
    for item in items:
        if item.is_readable and item.image_path.is_file():  # no folder, no array within a file
            by_size[item.image_path.stat().st_size].append(item)
    for size, same in by_size.items():
        first: dict[bytes, ImportItem] = {}
        for item in same if len(same) > 1 else ():
            earlier = first.setdefault(_fingerprint(item.image_path, size), item)
            if earlier is not item:
                item.duplicate_of = earlier.name


def _fingerprint(path: Path, size: int) -> bytes:
    """Hash of the start, the middle and the end of a file."""
    digest = hashlib.blake2b(digest_size=16)
    try:
        with path.open("rb") as stream:
            for start in (0, size // 2, max(0, size - _COMPARED_BYTES)):
                stream.seek(start)
                digest.update(stream.read(_COMPARED_BYTES))
    except OSError:
        digest.update(str(path).encode())
    return digest.digest()


def _kind(items: list[ImportItem]) -> str:
    formats = Counter(item.annotation.format for item in items if item.annotation)
    if not formats:
        return KIND_IMAGES
    if len({item.split for item in items if item.split}) > 1:
        return KIND_TREE
    return FORMATS[formats.most_common(1)[0][0]].kind


def guess_meaning_of(plan: ImportPlan) -> None:
    """Guess what the values mean, over all label images, and tell every source."""
    sources = [item.annotation for item in plan.items if item.annotation]
    if any(s.format not in OBJECT_FORMATS for s in sources):
        sources = _without_named_classes(plan.items)
    drawn = [s for s in sources if s.format in OBJECT_FORMATS]
    others = {*_MEANINGS, *OBJECT_FORMATS}
    labels = [s.paths[0] for s in sources if s.format not in others]
    folders = [s for s in sources if s.format == class_folders.NAME]
    seen: set[int] = set()
    if labels:
        looked = [s for s in map(values.look_at, values.sample(labels)) if s is not None]
        plan.meaning = values.guess(looked)
        seen = {v for s in looked for v in s.values}
        if plan.meaning == "classes":
            for path in values.sample(labels, values.MAX_SCANNED):
                seen |= values.distinct_values(path)
        plan.class_values = tuple(sorted(seen))
    elif folders:
        plan.meaning, plan.class_names = "classes", folders[0].class_names
        plan.class_values = tuple(range(1, len(plan.class_names) + 1))
    elif drawn:
        names = tuple(dict.fromkeys(name for s in drawn for name in s.class_names))
        is_classes = len(names) > 1 or any(map(_names_classes, drawn))
        plan.meaning = "classes" if is_classes else "instances"
        plan.class_names = names
        plan.class_values = tuple(range(1, len(names) + 1)) if is_classes else ()
        for item in plan.items:
            if item.annotation in drawn:
                item.annotation = replace(item.annotation, class_names=names)
    elif sources:
        is_binary = all(s.format == halves.NAME for s in sources)
        plan.meaning = "binary" if is_binary else "instances"
    plan.known = known_classes(seen, [stem_of(item.image_path) for item in plan.items])
    if plan.known:
        plan.meaning = "classes"
        plan.class_values = tuple(sorted(set(plan.known) | seen))
        plan.class_names = tuple(
            plan.known[v].name if v in plan.known else "" for v in plan.class_values
        )
    for item in plan.items:
        if item.annotation:
            own = item.annotation
            known = plan.class_values if own.format not in others else ()
            meaning = _MEANINGS.get(own.format, plan.meaning)
            if own.format in OBJECT_FORMATS:
                meaning = "classes" if _names_classes(own) else "instances"
            item.annotation = replace(own, meaning=meaning, values=known)


def _without_named_classes(items: Sequence[ImportItem]) -> list[AnnotationSource]:
    """Sources without object files of classes: beside label images, classes cannot be told."""
    for item in items:
        source = item.annotation
        if source is not None and _names_classes(source):
            item.problem = (
                f"{shown(source.paths[0])} names classes, and the label images beside it do not; "
                "import it with its image alone."
            )
            item.annotation = None
    return [item.annotation for item in items if item.annotation]


def _names_classes(source: AnnotationSource) -> bool:
    return source.format in OBJECT_FORMATS and (
        len(source.class_names) > 1 or source.shapes == "classes"
    )


def _nothing_found(paths: Sequence[Path], listing: Listing) -> str:
    where = shown(Path(paths[0])) if len(paths) == 1 else "what was chosen"
    others = f" ({_count(len(listing.skipped), 'other file')})" if listing.skipped else ""
    return (
        "There is no TIFF, PNG, JPEG or BMP image, no HDF5, MRC or OME-Zarr volume and no file of "
        f"a microscope (CZI, ND2, LIF, OIR, OIB, OIF) in {where}{others}."
    )


def _count(number: int, singular: str, plural: str = "") -> str:
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
