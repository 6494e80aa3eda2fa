"""From an import plan and what the person chose to images ready for the project.

The window and the command line both import through here, so that they cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orgseg_app.core.classes import (
    BACKGROUND,
    ClassInfo,
    background,
    check_classes,
    next_class_id,
    palette_colour,
)
from orgseg_app.core.project import ProjectImage
from orgseg_app.core.split import TRAIN, assign_splits
from orgseg_app.files.annotations.loading import load_item
from orgseg_app.files.annotations.plan import ImportItem, ImportPlan
from orgseg_app.files.annotations.source import default_class_ids
from orgseg_app.files.errors import FileError
from orgseg_app.files.intake import NewImage

DEFAULT_CLASS = "foreground"
AUTO = "auto"


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
    """

    use_annotations: bool = True
    meaning: str = AUTO
    class_names: tuple[str, ...] = ()
    split: str = AUTO


@dataclass(frozen=True)
class ClassTarget:
    """Where the values of label images go.

    Attributes
    ----------
    classes
        Classes of the project after the import, background first.
    class_id
        For binary masks and instances.
    class_ids
        For class images: value → class id.
    """

    classes: tuple[ClassInfo, ...]
    class_id: int | None = None
    class_ids: Mapping[int, int] | None = None


@dataclass
class Intake:
    """An import under way; iterate `images` inside `ProjectFile.add_images`.

    Attributes
    ----------
    problems
        A sentence for everything that could not be taken as planned; filled while iterating.
    """

    plan: ImportPlan
    choice: ImportChoice
    target: ClassTarget
    splits: Mapping[str, str]
    problems: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Image files to be read."""
        return len(self.plan.items)

    def images(self) -> Iterator[NewImage]:
        """Read one image after the other; an unreadable one becomes a problem, not an end."""
        for item in self.plan.items:
            if item.problem:
                self.problems.append(item.problem)
            if item.is_readable:
                yield from self._load(item)

    def _load(self, item: ImportItem) -> Iterator[NewImage]:
        wanted = item if self.choice.use_annotations else replace(item, annotation=None)
        try:
            loaded = self._try(wanted)
        except FileError as error:
            self.problems.append(str(error))
            if wanted.annotation is None:
                return
            try:
                loaded = self._try(replace(wanted, annotation=None))
            except FileError as second:
                if str(second) != str(error):
                    self.problems.append(str(second))
                return
        for part in loaded:
            yield NewImage(
                part.image,
                self.splits.get(item.name, TRAIN),
                None if part.annotation is None else part.annotation.mask,
                None if part.annotation is None else part.annotation.objects,
            )

    def _try(self, item: ImportItem) -> list:  # type: ignore[type-arg]
        meaning = self.choice.meaning
        return load_item(item, meaning, self.target.class_ids, self.target.class_id)


def prepare_import(
    plan: ImportPlan,
    choice: ImportChoice,
    classes: Sequence[ClassInfo] = (),
    images: Sequence[ProjectImage] = (),
) -> Intake:
    """Settle classes and splits of an import, before anything is read.

    Parameters
    ----------
    classes, images
        Those the project has already.

    Raises
    ------
    ValueError
        When there is no room for that many classes.
    """
    return Intake(plan, choice, class_target(plan, choice, classes), _splits(plan, choice, images))


def class_target(
    plan: ImportPlan, choice: ImportChoice, existing: Sequence[ClassInfo] = ()
) -> ClassTarget:
    """Which class each value becomes; classes of the same name are the same class."""
    classes = list(existing) or [background()]
    annotated = choice.use_annotations and any(item.annotation for item in plan.items)
    if not annotated:
        if not existing:
            _named(choice.class_names[0] if choice.class_names else DEFAULT_CLASS, classes)
        return ClassTarget(check_classes(classes))
    meaning = plan.meaning if choice.meaning == AUTO else choice.meaning
    if meaning != "classes":
        own = [c for c in classes if c.class_id != BACKGROUND]
        if choice.class_names:
            class_id = _named(choice.class_names[0], classes)
        else:
            class_id = own[0].class_id if own else _named(DEFAULT_CLASS, classes)
        return ClassTarget(check_classes(classes), class_id=class_id)
    values = sorted(v for v in plan.class_values if v > 0)
    suggested = dict(zip(values, plan.class_names, strict=False))
    given = dict(zip(values, choice.class_names, strict=False))
    class_ids = {0: BACKGROUND}
    for value, class_id in default_class_ids(tuple(values)).items():
        name = given.get(value) or suggested.get(value)
        if name is None and any(c.class_id == class_id for c in existing):
            class_ids[value] = class_id
        else:
            class_ids[value] = _named(name or f"class {value}", classes)
    return ClassTarget(check_classes(classes), class_ids=class_ids)


def _named(name: str, classes: list[ClassInfo]) -> int:
    """Id of the class of this name, which is added when missing."""
    for known in classes:
        if known.name.casefold() == name.strip().casefold():
            return known.class_id
    class_id = next_class_id(classes)
    classes.append(ClassInfo(class_id, name.strip(), palette_colour(class_id)))
    return class_id


def _splits(
    plan: ImportPlan, choice: ImportChoice, images: Sequence[ProjectImage]
) -> dict[str, str]:
    """Split of each item by name: chosen, or from its folder, or drawn; copies stay together."""
    if choice.split != AUTO:
        return {item.name: choice.split for item in plan.items}
    fixed = {item.name: item.split for item in plan.items if item.split}
    existing = {f"in project: {i.image_id}": i.split for i in images} | fixed
    drawn = assign_splits(
        [i.name for i in plan.items if not i.split and not i.duplicate_of and i.is_readable],
        existing,
    )
    splits = {**drawn, **fixed}
    for item in plan.items:
        if item.duplicate_of:
            splits[item.name] = splits.get(item.duplicate_of, TRAIN)
    return splits
