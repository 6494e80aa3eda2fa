"""``import``: show what goes with what, then store images, masks and objects in one go."""

from __future__ import annotations

import dataclasses
from argparse import Namespace
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orgseg_app.commands.console import (
    CommandError,
    Progress,
    confirm,
    is_interactive,
    note,
    out,
    out_json,
    plural,
    warn,
)
from orgseg_app.commands.project import existing_project

if TYPE_CHECKING:
    from orgseg_app.core.classes import ClassInfo
    from orgseg_app.files.annotations.plan import ImportItem, ImportPlan
    from orgseg_app.files.project_file import NewImage, ProjectFile

_SHOWN = 30
_IMAGES_ONLY = "images"


@dataclasses.dataclass
class _Target:
    """Which classes the values of the masks become."""

    classes: tuple[ClassInfo, ...]
    meaning: str
    class_id: int | None = None
    class_ids: Mapping[int, int] | None = None


def run(asked: Namespace) -> int:
    """Add images and their masks to a project."""
    from orgseg_app.files.annotations.plan import plan_import
    from orgseg_app.files.project_file import ProjectFile

    path = existing_project(asked.project)
    form = _IMAGES_ONLY if asked.meaning == "none" else asked.format
    try:
        plan = plan_import(asked.paths, asked.annotations or (), form)
    except ValueError as error:
        raise CommandError(f"{error} Nothing was imported.") from error
    with ProjectFile.open(path) as project_file:
        if project_file.read_only:
            raise CommandError(project_file.read_only_reason)
        target = _choose_classes(project_file, plan, asked)
        splits = _choose_splits(project_file, plan, asked.split)
        _show_plan(plan, splits, target)
        if not asked.yes and is_interactive() and not confirm("Import these?"):
            note("Nothing was imported.")
            return 0
        return _store(project_file, plan, target, splits, asked)


def _choose_classes(project_file: ProjectFile, plan: ImportPlan, asked: Namespace) -> _Target:
    """What each value of the masks becomes, and the project's classes with what is missing."""
    classes = project_file.project.classes
    meaning = plan.guess_meaning() if asked.meaning in ("auto", "none") else asked.meaning
    names = [name.strip() for name in asked.class_names.split(",") if name.strip()]
    if not any(item.annotation for item in plan.items):
        return _Target(_with_names(classes, names), meaning)
    if meaning != "classes":
        return _one_class(classes, names, meaning)
    from orgseg_app.core.classes import ClassInfo, palette_colour
    from orgseg_app.files.annotations.source import default_class_ids

    values = sorted(value for value in plan.class_values if value > 0)
    names = names or list(plan.class_names)
    if names:
        ordered = _values_for_names(values, names)
        classes = _with_names(classes, names)
        ids = {info.name.casefold(): info.class_id for info in classes}
        mapping = {v: ids[name.casefold()] for v, name in zip(ordered, names, strict=False)}
        return _Target(classes, meaning, class_ids=mapping)
    known = {info.class_id for info in classes}
    taken = {info.name.casefold() for info in classes}
    for value, class_id in default_class_ids(tuple(values)).items():
        if class_id not in known:
            name = f"class {value}" if f"class {value}" not in taken else f"value {value}"
            classes = (*classes, ClassInfo(class_id, name, palette_colour(class_id)))
    return _Target(classes, meaning)


def _values_for_names(values: Sequence[int], names: Sequence[str]) -> list[int]:
    """The value of each name: in the order of the values, or 1, 2, … where some do not occur."""
    if len(names) == len(values):
        return list(values)
    if values and len(names) > len(values) and values[-1] <= len(names):
        return list(range(1, len(names) + 1))
    listed = ", ".join(map(str, values[:12])) or "none"
    raise CommandError(
        f"The masks hold the values {listed} beside 0, and {plural(len(names), 'name')} "
        f"{'was' if len(names) == 1 else 'were'} given. Give one name a value; nothing was "
        "imported."
    )


def _one_class(classes: tuple[ClassInfo, ...], names: Sequence[str], meaning: str) -> _Target:
    """The class of everything that is not 0."""
    if len(names) > 1:
        raise CommandError(
            f"The masks hold one kind of structure ({meaning}), and {len(names)} names were given. "
            "Give one name, or add --meaning classes; nothing was imported."
        )
    others = [info for info in classes if info.class_id > 1]
    if names or not others:
        name = names[0] if names else "foreground"
        classes = _with_names(classes, [name])
        found = next(c for c in classes if c.name.casefold() == name.casefold())
    elif len(others) == 1:
        found = others[0]
    else:
        raise CommandError(
            "The masks hold one kind of structure, and the project has several classes "
            f"({', '.join(info.name for info in others)}). Say which it is with --class NAME; "
            "nothing was imported."
        )
    return _Target(classes, meaning, class_id=found.class_id)


def _with_names(classes: tuple[ClassInfo, ...], names: Sequence[str]) -> tuple[ClassInfo, ...]:
    from orgseg_app.core.classes import ClassInfo, next_class_id, palette_colour

    for name in names:
        if name.casefold() not in {info.name.casefold() for info in classes}:
            class_id = next_class_id(classes)
            classes = (*classes, ClassInfo(class_id, name, palette_colour(class_id)))
    return classes


def _choose_splits(project_file: ProjectFile, plan: ImportPlan, wanted: str) -> dict[str, str]:
    """A split for each item, by name: as asked, as the folders say, or about 60 : 20 : 20.

    Annotated images are shared out among themselves first, so that each split gets some; copies of
    an image go where the original goes.
    """
    from orgseg_app.core.split import assign_splits

    items = [item for item in plan.items if item.is_readable]
    if wanted != "auto":
        return {item.name: wanted for item in items}
    splits = {item.name: item.split for item in items if item.split}
    first = [item for item in items if item.duplicate_of is None and item.name not in splits]
    for has_annotation in (True, False):
        existing = {
            image.image_id: image.split
            for image in project_file.project.images.values()
            if bool(project_file.counts(image.image_id)) == has_annotation
        }
        existing |= {
            item.name: splits[item.name]
            for item in items
            if item.name in splits and (item.annotation is not None) == has_annotation
        }
        keys = [item.name for item in first if (item.annotation is not None) == has_annotation]
        splits |= assign_splits(keys, existing)
    for item in items:
        if item.name not in splits:
            splits[item.name] = splits.get(item.duplicate_of or "", "train")
    return splits


def _show_plan(plan: ImportPlan, splits: Mapping[str, str], target: _Target) -> None:
    note(plan.summary())
    for item in plan.items[:_SHOWN]:
        if not item.is_readable:
            continue
        mask = "no mask"
        if item.annotation is not None:
            paths = item.annotation.paths
            mask = str(paths[0].name) if len(paths) == 1 else plural(len(paths), "mask")
        note(f"  {item.name}  ←  {mask}  ({splits[item.name]})")
    if len(plan.items) > _SHOWN:
        note(f"  … and {len(plan.items) - _SHOWN} more")
    if any(item.annotation for item in plan.items):
        meant = {
            "binary": "structure or not",
            "instances": "one number an object",
            "classes": "one number a class",
        }[target.meaning]
        names = {info.class_id: info.name for info in target.classes}
        becomes = names.get(target.class_id or 0) or ", ".join(
            info.name for info in target.classes if info.class_id > 1
        )
        note(f"The masks hold {meant}: {becomes}. Where they are 0 is background.")
    for text in plan.notes:
        warn(text)


def _store(
    project_file: ProjectFile,
    plan: ImportPlan,
    target: _Target,
    splits: Mapping[str, str],
    asked: Namespace,
) -> int:
    from orgseg_app.core.classes import ClassInfo, palette_colour
    from orgseg_app.files.errors import FileError

    problems = [text for text in plan.problems if text]
    progress = Progress("Importing", quiet=asked.json)
    count = len([item for item in plan.items if item.is_readable])

    def on_error(item: NewImage, error: FileError) -> None:
        problems.append(f'"{item.opened.name}" was left out: {error}')

    def on_progress(done: int, total: int) -> bool:
        progress.show(min(done, count), count)
        return True

    before = project_file.project.classes
    if target.classes != before:
        project_file.set_classes(target.classes)
    added = project_file.add_images(
        _load(plan, target, splits, problems), progress=on_progress, on_error=on_error
    )
    progress.clear()
    if not added:
        project_file.set_classes(before)
        reason = problems[0] if problems else "there was no image in what was given."
        raise CommandError(f"Nothing was imported: {reason}")
    classes = project_file.project.classes
    painted = {class_id for image in added for class_id in project_file.counts(image.image_id)}
    for class_id in sorted(painted - {info.class_id for info in classes}):
        extra = ClassInfo(class_id, f"class {class_id - 1}", palette_colour(class_id))
        classes = (*classes, extra)
    if classes != project_file.project.classes:
        project_file.set_classes(classes)
    project_file.save()
    problems += [*_leaks(project_file), *_kinds(project_file)]
    for text in problems:
        warn(text)
    _tell(project_file, [image.image_id for image in added], problems, asked)
    return 0


def _load(
    plan: ImportPlan, target: _Target, splits: Mapping[str, str], problems: list[str]
) -> Iterator[NewImage]:
    """The images of a plan one by one; what cannot be read is noted and passed over."""
    from orgseg_app.files.annotations.loading import load_item
    from orgseg_app.files.errors import ReadError
    from orgseg_app.files.project_file import NewImage

    for item in plan.items:
        if not item.is_readable:
            continue
        loaded: list[Any] = []
        for attempt in _with_and_without_mask(item):
            try:
                loaded = load_item(attempt, target.meaning, target.class_ids, target.class_id)
                break
            except ReadError as error:
                kept = attempt.annotation is not None
                ending = "The image is imported without a mask." if kept else "It was left out."
                problems.append(f"{str(error).rstrip('.')}. {ending}")
        for one in loaded:
            annotation = one.annotation
            problems += [f'"{one.image.name}": {text}' for text in one.image.notes]
            if annotation is not None:
                problems += [f'"{one.image.name}": {text}' for text in annotation.notes]
            yield NewImage(
                one.image,
                splits[item.name],
                None if annotation is None else annotation.mask,
                None if annotation is None else annotation.objects,
            )


def _with_and_without_mask(item: ImportItem) -> Iterator[ImportItem]:
    yield item
    if item.annotation is not None:
        yield dataclasses.replace(item, annotation=None)


def _leaks(project_file: ProjectFile) -> list[str]:
    """Sentences about equal images in different splits."""
    by_content: dict[str, list[Any]] = defaultdict(list)
    for image in project_file.project.images.values():
        by_content[image.sha256].append(image)
    return [
        f"{' and '.join(repr(image.name) for image in same)} are the same image in different "
        "splits; scores on it would flatter. Remove one, or move it."
        for same in by_content.values()
        if len({image.split for image in same}) > 1
    ]


def _kinds(project_file: ProjectFile) -> list[str]:
    """A sentence about images that one network cannot learn from together."""
    images = project_file.project.images.values()
    counts = Counter(image.shape[0] for image in images if project_file.counts(image.image_id))
    if len(counts) < 2:
        return []
    listed = ", ".join(
        f"{plural(n, 'image')} with {plural(c, 'channel')}" for c, n in counts.items()
    )
    return [
        f"The project now holds {listed}. One network learns from one kind only; keep each kind in "
        "a project of its own before you train."
    ]


def _tell(
    project_file: ProjectFile, added: Sequence[str], problems: Sequence[str], asked: Namespace
) -> None:
    project = project_file.project
    images = [project.images[image_id] for image_id in added]
    masks = sum(bool(project_file.counts(image.image_id)) for image in images)
    if asked.json:
        out_json(
            {
                "imported": len(images),
                "masks": masks,
                "images": [
                    {
                        "id": image.image_id,
                        "name": image.name,
                        "split": image.split,
                        "annotated": bool(project_file.counts(image.image_id)),
                    }
                    for image in images
                ],
                "classes": [
                    {"id": c.class_id, "name": c.name, "colour": c.colour} for c in project.classes
                ],
                "problems": list(problems),
            }
        )
        return
    by_split = {
        split: sum(i.split == split for i in images) for split in ("train", "validation", "test")
    }
    shares = ", ".join(f"{count} {split}" for split, count in by_split.items() if count)
    out(f"{plural(len(images), 'image')} imported, {masks} with masks: {shares}.")
