"""From an import plan and what the person chose to images ready for the project.

The window and the command line both import through here, so that they cannot differ.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from orgseg_app.core.classes import (
    BACKGROUND,
    ClassInfo,
    background,
    check_classes,
    next_class_id,
    palette_colour,
)
from orgseg_app.core.image import OpenedImage
from orgseg_app.core.project import ProjectImage
from orgseg_app.core.shapes.boxes import OTSU
from orgseg_app.core.split import TRAIN, assign_splits
from orgseg_app.files.annotations.loading import LoadedItem, load_item
from orgseg_app.files.annotations.plan import ImportItem, ImportPlan
from orgseg_app.files.annotations.source import default_class_ids
from orgseg_app.files.errors import FileError
from orgseg_app.files.images.codecs import CODECS
from orgseg_app.files.images.content import Source, Stamp
from orgseg_app.files.images.intake import NewImage
from orgseg_app.files.readers.apart import ReadingChild, in_use
from orgseg_app.files.readers.inside import split_inside
from orgseg_app.files.schema import new_id
from orgseg_app.files.weights import UNCHANGED, check_weights

DEFAULT_CLASS = "foreground"
LINK_FROM_BYTES = 2 * 2**30
"""From here on the window suggests to leave images in their files."""

_VALUES_LISTED = 12
AUTO = "auto"


class ImportChoiceError(FileError):
    """What was chosen does not fit what was found; nothing was imported."""


@dataclass(frozen=True)
class ImportChoice:
    """What the person decided about a plan.

    Attributes
    ----------
    use_annotations
        False takes the images only.
    meaning
        ``"auto"`` (the plan's guess), ``"binary"``, ``"classes"`` or ``"instances"``.
    class_names
        Names for the classes found, in order of their values; missing ones are made up.
    split
        ``"auto"``, ``"train"``, ``"validation"`` or ``"test"``.
    link
        True leaves the voxels in their files, which the project then knows by content.
    codec
        How to pack voxels, one of `orgseg_app.files.images.codecs.CODECS`; ``""`` as the project
        does.
    boxes
        What becomes of objects of which only a box is known: one of
        `orgseg_app.files.annotations.object_files.BOX_WAYS`.
    """

    use_annotations: bool = True
    meaning: str = AUTO
    class_names: tuple[str, ...] = ()
    split: str = AUTO
    link: bool = False
    codec: str = ""
    boxes: str = OTSU


@dataclass(frozen=True)
class ClassTarget:
    """Where the values of label images go.

    Attributes
    ----------
    classes
        Classes of the project after the import, background first.
    meaning
        Of the values; one of `orgseg_app.files.annotations.source.MEANINGS`, or ``"auto"``.
    class_id
        For binary masks and instances.
    class_ids
        For class images: value → class id.
    """

    classes: tuple[ClassInfo, ...]
    meaning: str = AUTO
    class_id: int | None = None
    class_ids: Mapping[int, int] | None = None


@dataclass
class Intake:
    """An import under way; iterate `images` inside `ProjectFile.add_images`.

    Attributes
    ----------
    splits
        By name of the item.
    problems
        A sentence for everything that could not be taken as planned; filled while iterating.
    child
        Reads the files, and ends with the iteration; one that is started for it when None.
    """

    plan: ImportPlan
    choice: ImportChoice
    target: ClassTarget
    splits: Mapping[str, str]
    problems: list[str] = field(default_factory=list)
    child: ReadingChild | None = None

    @property
    def total(self) -> int:
        """Image files that can be read."""
        return sum(item.is_readable for item in self.plan.items)

    def images(self) -> Iterator[NewImage]:
        """Read one image after the other; an unreadable one becomes a problem, not an end.

        They are strangers' files, so a child process reads them: that of this thread's session, or
        one that ends with the iteration.
        """
        self.problems += self.plan.problems
        with ExitStack() as stack:
            child = in_use() or stack.enter_context(self.child or ReadingChild())
            for item in self.plan.items:
                if item.is_readable:
                    with child.reads():
                        loaded = list(self._load(item))
                    yield from loaded

    def _load(self, item: ImportItem) -> Iterator[NewImage]:
        source = None
        if self.choice.link and not item.is_one_file:
            self.problems.append(
                f"“{item.name}” was copied into the project: only images that are one file each "
                "can stay in their files."
            )
        elif self.choice.link:
            source = Source(item.image_path)
        recording = ""
        for series, loaded in enumerate(self._read(item)):
            image, annotation = loaded.image, loaded.annotation
            notes = [*image.notes, *(annotation.notes if annotation else ())]
            self.problems += [f"“{image.name}”: {text}" for text in notes]
            if image.time == 0:
                recording = new_id() if image.times > 1 else ""
            yield NewImage(
                image,
                self.splits.get(item.name, TRAIN),
                None if annotation is None else annotation.mask,
                None if annotation is None else annotation.objects,
                linked=source,
                series=series,
                time_series=recording,
                codec=CODECS[self.choice.codec] if self.choice.codec else None,
                weights=self._usable(loaded),
            )

    def _usable(self, loaded: LoadedItem) -> OpenedImage | None:
        """The weights of an image, if they are; otherwise a sentence says why not."""
        weights = loaded.weights
        if weights is None or not self.choice.use_annotations:
            return None
        try:
            check_weights(weights)
        except FileError as error:
            sentence = str(error).replace(UNCHANGED, "").rstrip(". ")
            self.problems.append(f"{sentence}. “{loaded.image.name}” is imported without weights.")
            return None
        return weights

    def _read(self, item: ImportItem) -> list[LoadedItem]:
        """The images of an item; without their mask where only that cannot be read."""
        planes = tuple(replace(plane, annotation=None, weights=None) for plane in item.planes)
        bare = replace(item, annotation=None, weights=None, planes=planes)
        is_more = item.annotation is not None or item.has_weights
        attempts = [item, bare] if is_more and self.choice.use_annotations else [bare]
        target = self.target
        for attempt in attempts:
            try:
                return load_item(
                    attempt,
                    target.meaning,
                    target.class_ids,
                    target.class_id,
                    boxes=self.choice.boxes,
                )
            except FileError as error:
                without = "mask and weights" if item.has_weights else "a mask"
                ending = (
                    "It was left out."
                    if attempt is bare
                    else f"The image is imported without {without}."
                )
                self.problems.append(f"{str(error).rstrip('.')}. {ending}")
        return []


def image_bytes(plan: ImportPlan) -> int:
    """Bytes of all image files of a plan, as they lie on the disk."""
    paths = {
        split_inside(path)[0] for item in plan.items if item.is_readable for path in item.paths
    }
    return sum(stamp.size for stamp in map(Stamp.of, paths) if stamp is not None)


def prepare_import(
    plan: ImportPlan,
    choice: ImportChoice,
    classes: Sequence[ClassInfo] = (),
    images: Iterable[tuple[ProjectImage, bool]] = (),
) -> Intake:
    """Settle classes and splits of an import, before anything is read.

    Parameters
    ----------
    classes
        Those the project has already.
    images
        Those the project has already, and whether something is painted on them.

    Raises
    ------
    ImportChoiceError
        When the names given do not fit the values found.
    ValueError
        When there is no room for that many classes.
    """
    target = class_target(plan, choice, classes)
    return Intake(plan, choice, target, _splits(plan, choice, images))


def class_target(
    plan: ImportPlan, choice: ImportChoice, existing: Sequence[ClassInfo] = ()
) -> ClassTarget:
    """Which class each value becomes; classes of the same name are the same class.

    Raises
    ------
    ImportChoiceError, ValueError
        As `prepare_import`.
    """
    classes = list(existing) or [background()]
    names = [name.strip() for name in choice.class_names if name.strip()]
    annotated = choice.use_annotations and any(item.annotation for item in plan.items)
    if not annotated:
        if not existing and not names:
            names = [DEFAULT_CLASS]
        for name in names:
            _named(name, classes)
        return ClassTarget(check_classes(classes))
    meaning = plan.meaning if choice.meaning == AUTO else choice.meaning
    if meaning == "classes":
        return _many_classes(plan, names, classes)
    named = plan.class_names[0] if len(plan.class_names) == 1 else ""
    return _one_class(names, classes, meaning, named)


def _one_class(
    names: Sequence[str], classes: list[ClassInfo], meaning: str, named: str
) -> ClassTarget:
    """The class of everything that is not 0; `named` as the annotations call it."""
    if len(names) > 1:
        raise ImportChoiceError(
            f"The masks hold one kind of structure ({meaning}), and {len(names)} names were given. "
            "Give one name, or say that the values are classes; nothing was imported."
        )
    own = [info for info in classes if info.class_id != BACKGROUND]
    if not names and len(own) > 1:
        listed = ", ".join(info.name for info in own)
        raise ImportChoiceError(
            f"The masks hold one kind of structure, and the project has several classes ({listed})."
            " Say which it is; nothing was imported."
        )
    name = names[0] if names else own[0].name if own else named or DEFAULT_CLASS
    class_id = _named(name, classes)
    return ClassTarget(check_classes(classes), meaning, class_id=class_id)


def _many_classes(plan: ImportPlan, names: Sequence[str], classes: list[ClassInfo]) -> ClassTarget:
    """A class for each value."""
    values = sorted(value for value in plan.class_values if value > 0)
    names = names or list(plan.class_names)
    class_ids = {0: BACKGROUND}
    if names:
        pairs = list(zip(_values_for_names(values, names), names, strict=True))
        if plan.known:  # colours are in another order than the classes they stand for
            places = {value: known.order for value, known in plan.known.items()}
            pairs.sort(key=lambda pair: places.get(pair[0], len(places) + 1))
        for value, name in pairs:
            colour = plan.known[value].colour if value in plan.known else ""
            class_ids[value] = _named(name, classes, colour)
        return ClassTarget(check_classes(classes), "classes", class_ids=class_ids)
    known = {info.class_id for info in classes}
    for value, class_id in default_class_ids(tuple(values)).items():
        if class_id not in known:
            taken = {info.name.casefold() for info in classes}
            name = f"class {value}" if f"class {value}" not in taken else f"value {value}"
            classes.append(ClassInfo(class_id, name, palette_colour(class_id)))
        class_ids[value] = class_id
    return ClassTarget(check_classes(classes), "classes", class_ids=class_ids)


def _values_for_names(values: Sequence[int], names: Sequence[str]) -> list[int]:
    """The value of each name: in the order of the values, or 1, 2, … where some do not occur."""
    if len(names) == len(values):
        return list(values)
    if values and len(names) > len(values) and values[-1] <= len(names):
        return list(range(1, len(names) + 1))
    listed = ", ".join(map(str, values[:_VALUES_LISTED])) or "none"
    given = "1 name was" if len(names) == 1 else f"{len(names)} names were"
    raise ImportChoiceError(
        f"The masks hold the values {listed} beside 0, and {given} given. "
        "Give one name a value; nothing was imported."
    )


def _named(name: str, classes: list[ClassInfo], colour: str = "") -> int:
    """Id of the class of this name, which is added when missing, in a colour of its own."""
    for known in classes:
        if known.name.casefold() == name.strip().casefold():
            return known.class_id
    try:
        class_id = next_class_id(classes)
    except ValueError as error:
        raise ImportChoiceError(f"{error} Nothing was imported.") from error
    classes.append(ClassInfo(class_id, name.strip(), colour or palette_colour(class_id)))
    return class_id


def _splits(
    plan: ImportPlan, choice: ImportChoice, images: Iterable[tuple[ProjectImage, bool]]
) -> dict[str, str]:
    """Split of each item by name: chosen, or from its folder, or drawn.

    Annotated images are shared out among themselves first, so that each split gets some; copies of
    an image go where the original goes.
    """
    items = [item for item in plan.items if item.is_readable]
    if choice.split != AUTO:
        return {item.name: choice.split for item in items}
    images = list(images)
    splits = {item.name: item.split for item in items if item.split}

    def is_annotated(item: ImportItem) -> bool:
        return choice.use_annotations and item.annotation is not None

    for annotated in (True, False):
        mine = [item for item in items if is_annotated(item) == annotated]
        existing = {
            f"in project: {image.image_id}": image.split
            for image, painted in images
            if painted == annotated
        }
        existing |= {item.name: splits[item.name] for item in mine if item.name in splits}
        new = [i.name for i in mine if i.name not in splits and i.duplicate_of is None]
        splits |= assign_splits(new, existing)
    for item in items:
        if item.name not in splits:
            splits[item.name] = splits.get(item.duplicate_of or "", TRAIN)
    return splits


def leaks(images: Iterable[ProjectImage]) -> list[str]:
    """Sentences about equal images in different splits."""
    by_content: dict[str, list[ProjectImage]] = defaultdict(list)
    for image in images:
        by_content[image.sha256].append(image)
    return [
        f"{' and '.join(f'“{image.name}”' for image in same)} are the same image in different "
        "splits; scores on it would flatter. Remove one, or move it."
        for same in by_content.values()
        if len({image.split for image in same}) > 1
    ]


def channel_mix(images: Iterable[ProjectImage]) -> list[str]:
    """A sentence when images have different numbers of channels: no network takes both."""
    counts = Counter(image.shape[0] for image in images)
    if len(counts) < 2:
        return []
    listed = ", ".join(
        f"{number} image{'' if number == 1 else 's'} with {channels} "
        f"channel{'' if channels == 1 else 's'}"
        for channels, number in sorted(counts.items())
    )
    return [f"The project now holds {listed}; one network learns from one kind only."]
