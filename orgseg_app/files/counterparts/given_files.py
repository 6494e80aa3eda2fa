"""Masks and objects of another program, paired with the images of a project by name or checksum.

They are found and read as the annotations of an import are (`files.annotations`), in a child
process; only the images are the project's own, which need not lie on the disk.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.image import OpenedImage
from orgseg_app.core.project import ProjectImage
from orgseg_app.files.annotations import inside_files
from orgseg_app.files.annotations.listing import Entry, Listing, list_files
from orgseg_app.files.annotations.loading import read_annotation
from orgseg_app.files.annotations.mask_folder import size_words
from orgseg_app.files.annotations.plan import (
    ImportItem,
    ImportPlan,
    check_annotations,
    choose_best,
    find_annotations,
    guess_meaning_of,
)
from orgseg_app.files.annotations.registry import FORMATS
from orgseg_app.files.annotations.source import MEANINGS, LoadedAnnotation
from orgseg_app.files.annotations.tokens import (
    OUTLINE_WORDS,
    SIDE_WORDS,
    Tokens,
    base,
    has_any,
    has_label_word,
    without,
)
from orgseg_app.files.counterparts.offer import (
    CLASSES,
    JUDGED_SPLITS,
    STRUCTURE,
    Becomes,
    Counterpart,
    Offer,
    OfferedClass,
    OfferError,
)
from orgseg_app.files.errors import ReadError
from orgseg_app.files.object_files.reading import look_at
from orgseg_app.files.object_files.registry import OBJECT_FORMATS
from orgseg_app.files.readers.apart import reading_apart
from orgseg_app.files.readers.header import ImageHeader
from orgseg_app.files.readers.names import clean_name, shown, stem_of

_LEFT_OUT = "it was left out"
_ASIDE = SIDE_WORDS | OUTLINE_WORDS | {"cp"}
_LISTED = 3


class GivenFiles(Offer):
    """Files of another program, and the images of the project that they are about.

    Parameters
    ----------
    plan
        With an item for each of the images.
    images
        Of the validation and test split, in the order of the items.
    notes
        Sentences about what is not used.
    """

    def __init__(
        self, plan: ImportPlan, images: Sequence[ProjectImage], notes: Iterable[str]
    ) -> None:
        self.plan = plan
        self.title = _title(plan)
        self.meaning = plan.meaning
        self.notes = tuple(notes)
        self._items = {image.image_id: i for image, i in zip(images, plan.items, strict=True)}
        sources = [item.annotation for item in plan.items if item.annotation]
        is_numbers = any(s.format not in OBJECT_FORMATS for s in sources)
        self.meanings = MEANINGS if is_numbers else (plan.meaning,)
        self.counterparts = tuple(
            Counterpart(image.image_id, image.name, image.split, _found(item), item.problem or "")
            for image, item in zip(images, plan.items, strict=True)
        )

    def offered(self, meaning: str) -> list[OfferedClass]:
        """A class for each value; one alone where values do not stand for classes."""
        plan = self.plan
        if meaning != CLASSES:
            name = plan.class_names[0] if len(plan.class_names) == 1 else ""
            return [OfferedClass(STRUCTURE, name)]
        values = sorted(value for value in plan.class_values if value > 0)
        names: Sequence[str] = plan.class_names
        if len(names) != len(values):
            names = [""] * len(values)
        return [OfferedClass(v, name) for v, name in zip(values, names, strict=True)]

    def reading(self) -> AbstractContextManager[object]:
        """A child process that reads them."""
        return reading_apart()

    def load(self, image: ProjectImage, opened: OpenedImage, becomes: Becomes) -> LoadedAnnotation:
        """What the files say of one image; where they are 0 they say background."""
        source = self._items[image.image_id].annotation
        if source is None:
            raise OfferError(f'Nothing was given for "{image.name}".')
        is_classes = becomes.meaning == CLASSES
        loaded = read_annotation(
            source,
            "auto" if becomes.meaning == self.plan.meaning else becomes.meaning,
            {0: BACKGROUND, **becomes.class_ids} if is_classes else None,
            None if is_classes else becomes.class_ids[STRUCTURE],
            image=opened,
            shape_zyx=image.mask_shape,
        )
        if loaded.mask.shape != image.mask_shape:
            raise ReadError(
                f"The mask {shown(source.paths[0])} is {size_words(loaded.mask.shape)}, but the "
                f"image “{image.name}” is {size_words(image.mask_shape)}; {_LEFT_OUT}."
            )
        return loaded


def plan_given_files(
    paths: Sequence[Path],
    images: Iterable[ProjectImage],
    format: str = "auto",
    *,
    places: Mapping[str, Path] | None = None,
) -> GivenFiles:
    """Look which of the files given go with which image; no mask is taken in yet.

    Parameters
    ----------
    paths
        Files and folders, searched through all levels. Where images lie among the masks, as
        Cellpose leaves them, they are told by their names and left out.
    images
        All of the project: what goes with a training image is known and left out.
    format
        ``"auto"`` or a key of `FORMATS`.
    places
        Image id → its file, where that is known: formats that name images by the checksum of their
        file find them so.

    Raises
    ------
    ReadError
        One sentence: a path does not exist, may not be read, or there is no mask in it.
    OfferError
        When nothing goes with an image of the validation or test split.
    ValueError
        For a format that does not exist.
    """
    if format not in ("auto", *FORMATS):
        known = ", ".join(("auto", *FORMATS))
        raise ValueError(f"There is no annotation format {format!r}; there are {known}.")
    images = list(images)
    judged = [image for image in images if image.split in JUDGED_SPLITS]
    if not judged:
        raise OfferError(
            "The project has no image in the validation or test split, so there is nothing to "
            "compare on. Put some aside for test, then add predictions."
        )
    with reading_apart() as child:
        child.start()
        listing = list_files((), paths)
        inside_files.expand(listing)
        _leave_out_images(listing)
        items, plan = _pair(listing, images, format, places or {})
        wanted = [items[image.image_id] for image in judged]
        found = [(i, i.annotation, i.header) for i in wanted if i.annotation and i.header]
        check_annotations(found, _LEFT_OUT)
        plan.items = wanted
        guess_meaning_of(plan)
    if not any(item.annotation or item.problem for item in wanted):
        raise OfferError(_nothing_fits(plan, judged))
    others = sum(i.annotation is not None for i in items.values())
    others -= sum(item.annotation is not None for item in wanted)
    return GivenFiles(plan, judged, _notes(plan, others))


def _pair(
    listing: Listing, images: Sequence[ProjectImage], format: str, places: Mapping[str, Path]
) -> tuple[dict[str, ImportItem], ImportPlan]:
    """An item for each image: by its name, and those left over by the name of their file."""
    plan = ImportPlan(skipped=listing.skipped)
    items: dict[str, ImportItem] = {}
    left = {image.image_id: image for image in images}
    for naming in (_own_name, _file_name):
        entries = {i: _entry(image, naming(image), places) for i, image in left.items()}
        listing.entries = [e for e in listing.entries if e.is_annotation] + list(entries.values())
        found = find_annotations(listing, format, set())
        best, notes = choose_best(list(entries.values()), found)
        plan.notes += [text for text in (*notes, *found.notes) if text not in plan.notes]
        plan.unmatched = found.unmatched
        for image_id, entry in entries.items():
            candidate = best.get(entry.path)
            item = ImportItem(entry.path, left[image_id].name, header=_header(left[image_id]))
            if candidate is not None:
                item.annotation = candidate.source
            else:
                item.problem = found.ambiguous.get(entry.path)
            items[image_id] = item
        left = {
            i: image
            for i, image in left.items()
            if items[i].annotation is None
            and not items[i].problem
            and _file_name(image) != image.name
        }
        unmatched = set(found.unmatched)
        listing.entries = [e for e in listing.entries if e.path in unmatched]
        listing.object_files = [e for e in listing.object_files if e.path in unmatched]
        if not left or not unmatched:
            break
    return items, plan


def _own_name(image: ProjectImage) -> str:
    return image.name


def _file_name(image: ProjectImage) -> str:
    return stem_of(Path(image.source)) if image.source else image.name


def _entry(image: ProjectImage, title: str, places: Mapping[str, Path]) -> Entry:
    """An image of the project as the planner knows images; its path is for pairing alone."""
    source = image.source or (image.link.name if image.link is not None else "") or image.name
    path = places.get(image.image_id) or Path(image.image_id, clean_name(Path(source).name))
    return Entry(path, (), "image", -1, title=title)


def _header(image: ProjectImage) -> ImageHeader:
    channels, depth, height, width = image.shape
    return ImageHeader("project", depth, height, width, channels, image.dtype)


def _leave_out_images(listing: Listing) -> None:
    """Take out what is plainly no mask: images beside their masks, flows, drawn outlines of masks.

    Only names are looked at: ``cell.tif`` is an image where ``cell_cp_masks.png`` or an object file
    ``cell_seg.npy`` lies beside it, and so is all in ``images/`` beside ``masks/``.
    """
    has_masks = any(e.role in ("label", "outline") and e.role_at >= 0 for e in listing.entries)
    marked: dict[Path, set[Tokens]] = defaultdict(set)
    for entry in listing.entries:
        if has_label_word(entry.stem):
            marked[entry.path.parent].add(base(entry.stem))
    for entry in listing.object_files:
        if _is_object_file(entry, listing):
            marked[entry.path.parent].add(base(entry.stem))
    stems = {base(e.stem) for e in listing.entries if not has_any(e.stem, _ASIDE)}
    stems |= {tokens for found in marked.values() for tokens in found}

    def is_image(entry: Entry) -> bool:
        if has_masks and entry.role == "image":
            return True
        if has_any(entry.stem, SIDE_WORDS | OUTLINE_WORDS):
            return without(base(entry.stem), _ASIDE) in stems - {()}
        beside = marked[entry.path.parent] - {()}
        return not has_label_word(entry.stem) and base(entry.stem) in beside

    listing.entries = [entry for entry in listing.entries if not is_image(entry)]


def _is_object_file(entry: Entry, listing: Listing) -> bool:
    """Whether a file is one of objects; what was found in it is kept for the formats."""
    if entry.path not in listing.looked_at:
        try:
            listing.looked_at[entry.path] = look_at(entry.path)
        except ReadError:
            return False  # said when it is looked for
    return listing.looked_at[entry.path] is not None


def _found(item: ImportItem) -> str:
    if item.annotation is None:
        return ""
    paths = item.annotation.paths
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{clean_name(paths[0].name)}{more}"


def _title(plan: ImportPlan) -> str:
    """What the files are, after most of them."""
    formats = Counter(item.annotation.format for item in plan.items if item.annotation)
    if not formats:
        return "the files given"
    name = formats.most_common(1)[0][0]
    return OBJECT_FORMATS[name].title if name in OBJECT_FORMATS else "label images"


def _notes(plan: ImportPlan, others: int) -> list[str]:
    notes = list(plan.notes)
    if others:
        verb = "belongs to an image" if others == 1 else "belong to images"
        notes.append(f"{others:,} {verb} of the training split; left out.")
    if plan.unmatched:
        names = ", ".join(shown(path) for path in plan.unmatched[:_LISTED])
        more = " …" if len(plan.unmatched) > _LISTED else ""
        verb = "fits" if len(plan.unmatched) == 1 else "fit"
        notes.append(f"{names}{more} {verb} no image of the project by name; left out.")
    return notes


def _nothing_fits(plan: ImportPlan, judged: Sequence[ProjectImage]) -> str:
    names = ", ".join(shown(path) for path in plan.unmatched[:_LISTED])
    wanted = ", ".join(f"“{image.name}”" for image in judged[:_LISTED])
    more = " …" if len(judged) > _LISTED else ""
    here = f" ({names})" if names else ""
    return (
        f"None of the masks given{here} goes with an image of the validation or test split. They "
        f"are paired by name, for example with {wanted}{more}. Nothing was added; call the files "
        "like the images."
    )
