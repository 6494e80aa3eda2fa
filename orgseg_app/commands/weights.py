"""``weights``: letting rare classes and edges count more, or all voxels alike again."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from typing import TYPE_CHECKING

from orgseg_app.commands.console import (
    CommandError,
    Progress,
    out,
    out_json,
    plural,
    tell_notices,
)
from orgseg_app.commands.project import existing_project

if TYPE_CHECKING:
    from orgseg_app.core.weighting.settings import EdgePair, WeightSettings
    from orgseg_app.files.project_file import ProjectFile

NO_EDGES = "none"


def run(asked: Namespace) -> int:
    """Make the weights of painted images, or take them away."""
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.files.weights import make_weights

    with ProjectFile.open(existing_project(asked.project)) as project_file:
        tell_notices(project_file.notices)
        if project_file.read_only:
            raise CommandError(f"{project_file.read_only_reason} It stays as it is.")
        image_ids = _images(project_file, asked.images)
        if asked.remove:
            return _remove(project_file, image_ids, json=asked.json)
        try:
            settings = settings_from(project_file, asked)
        except ValueError as error:
            raise CommandError(f"{error} Nothing was changed.") from error
        progress = Progress("Making weights", quiet=asked.json)

        def show(done: int, total: int) -> bool:
            progress.show(done, total)
            return True

        made = make_weights(project_file, image_ids, settings, show) or {}
        progress.clear()
        for image_id, (low, high) in made.items():
            name = project_file.project.images[image_id].name
            if asked.json:
                out_json({"image": name, "id": image_id, "least": low, "largest": high})
            else:
                out(f"{name}: weights from {low:.4g} to {high:.4g}")
    return 0


def settings_from(project_file: ProjectFile, asked: Namespace) -> WeightSettings:
    """What the words of a command mean.

    Raises
    ------
    CommandError, ValueError
        With a sentence, for a class that is not there or a number out of range.
    """
    from orgseg_app.core.weighting.settings import WeightSettings

    edges = asked.edges.strip()
    return WeightSettings(
        balance=not asked.no_balance,
        edges=edges != NO_EDGES,
        pairs=() if edges == NO_EDGES else tuple(_pairs(project_file, edges, asked.one_sided)),
        strength=asked.strength,
        reach=asked.reach,
        floor=asked.floor,
        combine=asked.combine,
        left_out=_classes(project_file, _listed(asked.leave_out)),
    )


def _pairs(project_file: ProjectFile, text: str, is_one_sided: bool) -> Iterable[EdgePair]:
    from orgseg_app.core.weighting.settings import EdgePair, structures_against_background

    if not text and is_one_sided:
        for pair in structures_against_background(project_file.project.class_ids):
            yield EdgePair(pair.sources, pair.targets, both=False)
    for part in _listed(text):
        sources, colon, targets = part.partition(":")
        if not colon:
            raise CommandError(
                f'"{part}" is no pair of classes. Write CLASS:CLASS, several of one side with +, '
                "or none for no edges. Nothing was changed."
            )
        yield EdgePair(
            _classes(project_file, sources.split("+")),
            _classes(project_file, targets.split("+")),
            both=not is_one_sided,
        )


def _classes(project_file: ProjectFile, names: Iterable[str]) -> tuple[int, ...]:
    """Class ids by name or number."""
    known = {info.name.casefold(): info.class_id for info in project_file.project.classes}
    known |= {str(info.class_id): info.class_id for info in project_file.project.classes}
    found = []
    for name in (text.strip() for text in names):
        if name.casefold() not in known:
            listed = ", ".join(info.name for info in project_file.project.classes)
            raise CommandError(
                f'The project has no class "{name}"; it has {listed}. Nothing was changed.'
            )
        found.append(known[name.casefold()])
    return tuple(found)


def _images(project_file: ProjectFile, text: str) -> list[str]:
    """Ids of the images meant by names or ids; all of them for ""."""
    images = project_file.project.images
    if not text.strip():
        return list(images)
    found = []
    for name in _listed(text):
        hits = [i for i, image in images.items() if name in (i, image.name)]
        if not hits:
            raise CommandError(
                f'The project has no image "{name}". See them with: orgseg info PROJECT. Nothing '
                "was changed."
            )
        found += hits
    return list(dict.fromkeys(found))


def _remove(project_file: ProjectFile, image_ids: list[str], *, json: bool) -> int:
    from orgseg_app.files.weights import drop_weights, has_weights

    gone = [image_id for image_id in image_ids if has_weights(project_file, image_id)]
    for image_id in gone:
        drop_weights(project_file, image_id)
        if json:
            out_json({"image": project_file.project.images[image_id].name, "id": image_id})
    if not json:
        out(f"The weights of {plural(len(gone), 'image')} were removed.")
    return 0


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
