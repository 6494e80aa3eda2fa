"""``measure``: sizes, shapes and brightness of objects as a table."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orgseg_app.commands.console import CommandError, Progress, note, out, out_json, warn
from orgseg_app.commands.console import table as as_text
from orgseg_app.commands.measuring_arguments import PAINTED
from orgseg_app.commands.project import existing_project
from orgseg_app.core.measuring.measure import GROUPS, Asked, Measured, ToMeasure, measure
from orgseg_app.core.measuring.tables import Tables, tables_of
from orgseg_app.files.errors import FileError
from orgseg_app.files.measured_images import (
    folder_images,
    guessed_meaning,
    mask_files,
    painted_image,
    predicted_image,
)
from orgseg_app.files.measurements import measurement_paths, write_measurements

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile


def run(asked: Namespace) -> int:
    """Measure, and write or print what was found."""
    if (asked.project is None) == (asked.masks is None):
        raise CommandError("Name a project, or a folder of masks with --masks, and not both.")
    for file in asked.out:
        for path in measurement_paths(file):
            if path.exists() and not asked.overwrite:
                raise CommandError(
                    f'"{path}" exists and was left as it is. Add --overwrite, or name another.'
                )
    wanted = _wanted(asked)
    progress = Progress("Measuring", quiet=asked.json)
    with ExitStack() as stack:
        source, total, facts = _folders(asked, stack) if asked.masks else _project(asked, stack)
        measured, problems = _measure_all(source, total, wanted, progress)
    progress.clear()
    if not measured:
        raise CommandError(problems[0] if problems else "There is nothing to measure.")
    tables = tables_of(measured)
    for sentence in (*tables.notes, *problems):
        warn(sentence)
    for file in asked.out:
        for path in write_measurements(file, tables, facts, overwrite=asked.overwrite):
            note(f"Written: {path}")
    _tell(tables, as_json=asked.json)
    return 0


def _wanted(asked: Namespace) -> Asked:
    names = [name.strip() for name in asked.what.split(",") if name.strip()]
    if names == ["all"]:
        names = list(GROUPS)
    elif names == ["none"]:
        names = []
    for name in names:
        if name not in GROUPS:
            known = ", ".join(GROUPS)
            raise CommandError(f'"{name}" cannot be measured. Choose of: {known}; all or none.')
    return Asked(frozenset(names), background=asked.above_background, corners=not asked.sides)


Source = Iterable[ToMeasure | Exception]
Facts = list[tuple[str, str]]


def _measure_all(
    source: Source, total: int, wanted: Asked, progress: Progress
) -> tuple[list[Measured], list[str]]:
    measured, problems = [], []
    for number, image in enumerate(source):
        if isinstance(image, Exception):
            problems.append(str(image))
            continue

        def show(done: int, steps: int, at: int = number, name: str = image.name) -> bool:
            progress.show(at + done / steps, total, name)
            return True

        measured.append(measure(image, wanted, progress=show))
    return measured, problems


def _folders(asked: Namespace, stack: ExitStack) -> tuple[Source, int, Facts]:
    from orgseg_app.files.readers.apart import reading_apart

    pairs, notes = mask_files(asked.masks, asked.images)
    for sentence in notes:
        warn(sentence)
    stack.enter_context(reading_apart())
    meaning = asked.meaning
    if meaning == "auto":
        meaning = guessed_meaning(pairs)
        other = "classes" if meaning == "objects" else "objects"
        one = {"objects": "object", "classes": "class"}[meaning]
        warn(f"Each number of the masks was taken for one {one}; if wrong, add --meaning {other}.")
    facts = [("masks", str(asked.masks)), ("images", str(asked.images or "none"))]
    return folder_images(pairs, meaning=meaning), len(pairs), facts


def _project(asked: Namespace, stack: ExitStack) -> tuple[Source, int, Facts]:
    from orgseg_app.files.project_file import ProjectFile

    path = existing_project(asked.project)
    file = stack.enter_context(ProjectFile.open(path, read_only=True))
    opener, held, of = _painted_or_predicted(file, path, asked.of)
    names = [name.strip() for name in asked.only.split(",") if name.strip()]
    known = {image.name for image in file.project.images.values()}
    for name in names:
        if name not in known:
            raise CommandError(f'The project has no image "{name}".')
    chosen = [
        image
        for image in file.project.images.values()
        if held(image.image_id) and (not names or image.name in names)
    ]
    if not chosen:
        raise CommandError(
            "Nothing is painted there, so there is nothing to measure."
            if of == PAINTED
            else f"{of} has predicted none of these images. Predict them first."
        )

    def images() -> Iterator[ToMeasure | Exception]:
        for image in chosen:
            try:
                yield opener(image)
            except FileError as error:
                yield error

    return images(), len(chosen), [("project", path.name), ("measured", of)]


def _painted_or_predicted(
    file: ProjectFile, path: Path, of: str
) -> tuple[Callable[[Any], ToMeasure], Callable[[str], bool], str]:
    """How to open an image, whether there is something on it, and what that is in words."""
    if of == PAINTED:
        return (
            lambda image: painted_image(file, image),
            lambda image_id: bool(file.counts(image_id)),
            PAINTED,
        )
    from orgseg_app.runs.folder import find_run
    from orgseg_app.runs.predicted_files import predicted_by

    run = find_run(path, of)
    places = predicted_by(path, run)
    return (
        lambda image: predicted_image(file, image, places[image.image_id]),
        lambda image_id: image_id in places,
        f'the predictions of "{run.name}"',
    )


def _tell(tables: Tables, *, as_json: bool) -> None:
    if as_json:
        for kind, table in (("object", tables.objects), ("image", tables.images)):
            names = [heading.name for heading in table.headings]
            for row in table.rows():
                out_json({"table": kind, **dict(zip(names, row, strict=True))})
        return
    names = [heading.name for heading in tables.images.headings]
    sizes = [name for name in names if name.startswith(("area_", "volume_"))]
    rows = [["image", "class", "objects", "cut by border", *sizes]]
    for row in tables.images.rows():
        facts = dict(zip(names, row, strict=True))
        figures = ["" if facts.get(n) is None else f"{facts[n]:.6g}" for n in sizes]
        counts = [_count(facts.get(n)) for n in ("objects", "cut_by_border")]
        rows.append([str(facts["image"]), str(facts["class"]), *counts, *figures])
    out(as_text(rows, right=range(2, 4 + len(sizes))))


def _count(value: object) -> str:
    return "" if value is None else str(value)
